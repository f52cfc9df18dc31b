/* targets_meta.c - /targets/metadata: which families each target exposes. The store keeps metadata by family; a target
 * has a family when it has series of it. Also /notifications. */
#include "metrics/api/api_int.h"

#include "sys/clock.h"

#include <stdlib.h>

#define RECENT_MS 300000

typedef struct Listing {
    ApiCall *c;
    Matchers match_target;
    const MetricMetadata *families;
    size_t n_families;
    bool named;   /* one metric was asked for: its name is not repeated */
    int64_t left; /* at 0 no further target; negative: no limit */
} Listing;

static int cmp_str(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }
static int cmp_label(const void *a, const void *b) {
    return str_cmp(((const Label *)a)->name, ((const Label *)b)->name);
}

static int cmp_family(const void *a, const void *b) {
    const MetricMetadata *x = a, *y = b;
    return str_cmp(x->metric, y->metric);
}

/* Written by the scraper: the target does not expose them. */
static bool is_synthetic(Str metric) {
    static const Str names[] = {STR_INIT("up"), STR_INIT("scrape_duration_seconds"), STR_INIT("scrape_samples_scraped"),
        STR_INIT("scrape_samples_post_metric_relabeling"), STR_INIT("scrape_series_added")};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(names[i], metric)) return true;
    return false;
}

static bool has_family(const Str *names, size_t n, Str family) {
    static const char *const suffixes[] = {"", "_bucket", "_count", "_sum", "_total", "_info", "_gcount", "_gsum"};
    Buf b = {0};
    bool found = false;
    for (size_t i = 0; !found && i < ARRAY_LEN(suffixes); i++) {
        buf_clear(&b);
        buf_put_str(&b, family);
        buf_put_str(&b, str_cstr(suffixes[i]));
        Str name = buf_str(&b);
        found = n && bsearch(&name, names, n, sizeof *names, cmp_str);
    }
    buf_done(&b);
    return found;
}

static void put_family(Listing *l, Labels target, const MetricMetadata *m) {
    JsonWriter *w = &l->c->w;
    Buf b = {0};
    labels_put_json(&b, target);
    json_begin_object(w);
    json_key_lit(w, "target");
    json_raw(w, buf_str(&b));
    if (!l->named) {
        json_key_lit(w, "metric");
        json_str(w, m->metric);
    }
    json_key_lit(w, "type");
    json_str(w, str_cstr(metric_type_name(m->type)));
    json_key_lit(w, "help");
    json_str(w, m->help);
    json_key_lit(w, "unit");
    json_str(w, m->unit);
    json_end_object(w);
    buf_done(&b);
}

/* The labels of {"labels":{..}}, sorted; .v is NULL when memory is used up. */
static Labels target_labels(const JsonValue *target, Arena *arena) {
    const JsonValue *o = json_get(target, STR("labels"));
    size_t n = o ? o->n : 0, k = 0;
    Label *v = ARENA_ARRAY(arena, Label, n + 1);
    if (!v) return (Labels){0};
    for (const JsonValue *f = o ? o->first : NULL; f; f = f->next) v[k++] = (Label){f->key, f->text};
    qsort(v, k, sizeof *v, cmp_label);
    return (Labels){v, k};
}

static ErrCode names_of(Listing *l, Labels target, Str **ret, size_t *ret_n, Err *err) {
    Arena *arena = l->c->req->arena;
    MetricsStore *store = l->c->api->opts.store;
    int64_t now = clock_now_ms();
    const Matcher **v = ARENA_ARRAY(arena, const Matcher *, target.n + 1);
    if (!v) return err_set(err, ERR_TOO_LARGE, "query needs more memory than it may use");
    for (size_t i = 0; i < target.n; i++) {
        ErrCode rc = matcher_create(arena, MATCH_EQ, target.v[i].name, target.v[i].value, &v[i], err);
        if (rc != OK) return rc;
    }
    MetricsSelect sel = {.matchers = {v, target.n}, .min_t_ms = now - RECENT_MS, .max_t_ms = now, .arena = arena};
    return store->ops->label_values(store, &sel, LABEL_NAME_METRIC, 0, ret, ret_n, err);
}

static bool put_target(Listing *l, const JsonValue *target) {
    Labels labels = target_labels(target, l->c->req->arena);
    Str *names = NULL;
    size_t n = 0;
    Err err = {0};
    if (!labels.v) return api_fail(l->c, API_EXECUTION, "query needs more memory than it may use");
    if (!matchers_match(l->match_target, labels)) return true;
    if (names_of(l, labels, &names, &n, &err) != OK) return api_fail_err(l->c, &err);
    for (size_t i = 0; i < l->n_families; i++) {
        Str family = l->families[i].metric;
        if (i > 0 && str_eq(family, l->families[i - 1].metric)) continue;
        if (is_synthetic(family) || !has_family(names, n, family)) continue;
        put_family(l, labels, &l->families[i]);
        if (l->left > 0) l->left--;
    }
    return true;
}

static bool put_all(Listing *l, Str targets) {
    JsonValue *root;
    Err err = {0};
    if (json_parse(targets, l->c->req->arena, &root, &err) != OK) return api_fail_err(l->c, &err);
    const JsonValue *active = json_get(root, STR("activeTargets"));
    bool ok = true;
    json_begin_array(&l->c->w);
    for (const JsonValue *t = active ? active->first : NULL; ok && t && l->left != 0; t = t->next)
        ok = put_target(l, t);
    if (ok) json_end_array(&l->c->w);
    return ok;
}

bool api_targets_metadata(ApiCall *c) {
    const PromApiOptions *o = &c->api->opts;
    Str match = http_param(c->req, STR("match_target")), metric = http_param(c->req, STR("metric"));
    Listing l = {.c = c, .named = metric.n > 0};
    Err err = {0};
    MetricMetadata *families = NULL;
    if (!api_count_param(c, "limit", &l.left)) return false;
    if (match.n && promql_parse_selector(match, c->req->arena, &l.match_target, &err) != OK)
        return api_fail_param(c, "match_target", "%s", err.msg);
    if (o->store->ops->metadata(o->store, metric, c->req->arena, &families, &l.n_families, &err) != OK)
        return api_fail_err(c, &err);
    if (l.n_families > 1) qsort(families, l.n_families, sizeof *families, cmp_family);
    l.families = families;
    Buf targets = {0};
    JsonWriter w = json_writer(&targets);
    if (o->put_targets) o->put_targets(o->ctx, STR("active"), STR(""), &w);
    bool ok = put_all(&l, targets.n ? buf_str(&targets) : STR("{}"));
    buf_done(&targets);
    return ok;
}

bool api_notifications(ApiCall *c) {
    api_notes_put(c->api->notes, &c->w);
    return true;
}

bool api_notifications_live(ApiCall *c) {
    c->whole = api_notes_stream(c->api->notes, c->res);
    c->no_data = !c->whole;
    return true;
}
