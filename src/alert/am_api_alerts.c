/* am_api_alerts.c - /api/v2/alerts and /api/v2/alerts/groups. */
#include "alert/am_api_int.h"

#include "alert/amlabel.h"

#include "codec/regex.h"
#include "sys/clock.h"

#include <stdlib.h>

/* --- reading --- */

static const char *go_kind(JsonKind k) {
    static const char *const names[] = {"null", "bool", "number", "string", "array", "object"};
    return names[k];
}

static bool wrong_type(HttpResponse *res, JsonKind got, const char *field, const char *type) {
    am_api_error(res, 400, 400,
        "parsing alerts body from \"\" failed, because json: cannot unmarshal %s into Go struct field %s of type %s",
        go_kind(got), field, type);
    return false;
}

/* url.ParseRequestURI, as far as it refuses: an absolute URI or an absolute path. */
static bool is_request_uri(Str s) {
    for (size_t i = 0; i < s.n; i++) {
        if ((uint8_t)s.p[i] < 0x20 || s.p[i] == 0x7F) return false;
        if (s.p[i] == '%' && (i + 2 >= s.n || !strchr("0123456789abcdefABCDEF", s.p[i + 1]) ||
                                 !strchr("0123456789abcdefABCDEF", s.p[i + 2]))) {
            return false;
        }
    }
    if (s.n && s.p[0] == '/') return true;
    size_t i = 0;
    while (i < s.n && s.p[i] != ':') {
        char c = s.p[i];
        bool alpha = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!alpha && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'))) return false;
        i++;
    }
    return i > 0 && i < s.n;
}

static bool read_time(HttpResponse *res, const JsonValue *o, const char *key, int64_t *ret) {
    const JsonValue *v = json_get(o, str_cstr(key));
    *ret = 0;
    if (!v || v->kind == JSON_K_NULL) return true;
    if (v->kind == JSON_K_STRING && am_parse_datetime(v->text, ret)) return true;
    Str s = v->text;
    if (s.n > 100) s.n = 100;
    am_api_error(res, 400, 400,
        "parsing alerts body from \"\" failed, because parsing time \"%" STR_FMT
        "\" as \"2006-01-02 15:04:05\": cannot parse \"%" STR_FMT "\" as \"2006\"",
        STR_ARG(s), STR_ARG(s));
    return false;
}

static bool read_alert(
    HttpRequest *req, HttpResponse *res, const JsonValue *o, Alert *a, size_t index, char first[160]) {
    JsonKind wrong;
    if (o->kind == JSON_K_NULL) return true;
    if (o->kind != JSON_K_OBJECT) {
        am_api_error(res, 400, 400,
            "parsing alerts body from \"\" failed, because json: cannot unmarshal %s into Go value of type struct { "
            "Annotations models.LabelSet \"json:\\\"annotations,omitempty\\\"\"; EndsAt strfmt.DateTime "
            "\"json:\\\"endsAt,omitempty\\\"\"; StartsAt strfmt.DateTime \"json:\\\"startsAt,omitempty\\\"\" }",
            go_kind(o->kind));
        return false;
    }
    const JsonValue *labels = json_get(o, STR("labels")), *url = json_get(o, STR("generatorURL"));
    if (!am_json_labels(labels, req->arena, true, &a->labels, &wrong))
        return wrong_type(res, wrong, "Alert.labels", labels->kind == JSON_K_OBJECT ? "string" : "models.LabelSet");
    if (!am_json_labels(json_get(o, STR("annotations")), req->arena, false, &a->annotations, &wrong)) {
        return wrong_type(res, wrong, ".annotations", "string");
    }
    if (!read_time(res, o, "startsAt", &a->starts_ns) || !read_time(res, o, "endsAt", &a->ends_ns)) return false;
    if (url && url->kind != JSON_K_STRING && url->kind != JSON_K_NULL)
        return wrong_type(res, url->kind, "Alert.generatorURL", "string");
    if (url && url->kind == JSON_K_STRING) a->generator_url = url->text;
    if (first[0]) return true;
    if (!labels || labels->kind == JSON_K_NULL)
        snprintf(first, 160, "602 %zu.labels in body is required", index);
    else if (a->generator_url.n && !is_request_uri(a->generator_url)) {
        Str s = a->generator_url;
        if (s.n > 80) s.n = 80;
        snprintf(first, 160, "601 %zu.generatorURL in body must be of type uri: \"%" STR_FMT "\"", index, STR_ARG(s));
    }
    return true;
}

void am_api_post_alerts(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    Str body;
    JsonValue *root;
    if (!am_api_body(req, res, "alerts", &body) || !am_api_parse(req, res, "alerts", body, &root)) return;
    if (root->kind != JSON_K_ARRAY && root->kind != JSON_K_NULL) {
        am_api_error(res, 400, 400,
            "parsing alerts body from \"\" failed, because json: cannot unmarshal %s into Go value of type "
            "models.PostableAlerts",
            go_kind(root->kind));
        return;
    }
    Alert *v = arena_alloc_zero(req->arena, (root->n + 1) * sizeof *v);
    if (!v) {
        am_api_error(res, 413, 413, "the request is too large");
        return;
    }
    size_t n = 0;
    char first[160] = "";
    for (const JsonValue *i = root->first; i && root->kind == JSON_K_ARRAY; i = i->next, n++) {
        if (!read_alert(req, res, i, &v[n], n, first)) return;
    }
    if (first[0]) {
        am_api_error(res, 422, atoi(first), "%s", first + 4);
        return;
    }
    Err err = {0};
    ErrCode rc = alertmanager_receive(am, v, n, &err);
    if (rc)
        am_api_text_error(res, rc == ERR_INVALID ? 400 : rc == ERR_OVERLOADED ? 429 : 500, "%s", err.msg);
    else
        http_set_header(res, STR("Cache-Control"), STR("no-store"));
}

/* --- writing --- */

typedef struct Shown {
    const AmAlert *alert;
    AmText *text; /* reference held */
    uint64_t fp, inhibited_by;
    int64_t starts_ns, ends_ns, updated_ns;
    const Str *receivers;
    size_t n_receivers;
    char (*silenced_by)[37];
    size_t n_silenced;
} Shown;

typedef struct Wanted {
    Matchers filter, receiver_matchers;
    const Regex *receiver;
    bool active, silenced, inhibited, muted;
} Wanted;

static bool read_wanted(Alertmanager *am, HttpRequest *req, HttpResponse *res, Wanted *w) {
    w->active = am_api_bool(req, "active", true);
    w->silenced = am_api_bool(req, "silenced", true);
    w->inhibited = am_api_bool(req, "inhibited", true);
    w->muted = am_api_bool(req, "muted", true);
    return am_api_filter(am, req, res, "filter", "", &w->filter) && am_api_regex(req, res, "receiver", &w->receiver) &&
           am_api_filter(
               am, req, res, "receiver_matchers", "failed to parse receiver_matchers param: ", &w->receiver_matchers);
}

static int by_id(const void *a, const void *b) { return strcmp(a, b); }

/* Whether it is wanted; then *s is filled, with a reference to the text. The mutex is held. */
static bool show(Alertmanager *am, AmAlert *a, const Wanted *w, int64_t now_ns, Arena *arena, Shown *s) {
    if (a->ends_ns && a->ends_ns < now_ns) return false;
    if (!ammatch_filter(w->filter, a->text->labels)) return false;
    bool silenced = am_silenced(am, a, now_ns);
    const AmAlert *by = am_inhibited(am->inhibit, a->text->labels, now_ns, NULL);
    if ((!w->active && !silenced && !by) || (!w->silenced && silenced) || (!w->inhibited && by)) return false;
    *s = (Shown){.alert = a,
        .text = am_text_ref(a->text),
        .fp = a->fp,
        .inhibited_by = by ? by->fp : 0,
        .starts_ns = a->starts_ns,
        .ends_ns = a->ends_ns,
        .updated_ns = a->updated_ns};
    if (!silenced) return true;
    s->silenced_by = arena_alloc(arena, a->n_sil * sizeof *s->silenced_by);
    for (uint32_t i = 0; s->silenced_by && i < a->n_sil; i++) {
        if (am_silence_state(a->sil[i], now_ns) == AM_SILENCE_ACTIVE)
            memcpy(s->silenced_by[s->n_silenced++], a->sil[i]->id, 37);
    }
    if (s->n_silenced > 1) qsort(s->silenced_by, s->n_silenced, 37, by_id);
    return true;
}

static void put_alert(JsonWriter *w, const Shown *s, const Str *muted_by, size_t n_muted) {
    json_begin_object(w);
    json_key_lit(w, "annotations");
    am_put_label_object(w, s->text->annotations);
    json_key_lit(w, "endsAt");
    am_put_time(w, s->ends_ns);
    json_key_lit(w, "fingerprint");
    am_put_fp(w, s->fp);
    json_key_lit(w, "receivers");
    json_begin_array(w);
    for (size_t i = 0; i < s->n_receivers; i++) {
        json_begin_object(w);
        json_key_lit(w, "name");
        json_str(w, s->receivers[i]);
        json_end_object(w);
    }
    json_end_array(w);
    json_key_lit(w, "startsAt");
    am_put_time(w, s->starts_ns);
    json_key_lit(w, "status");
    json_begin_object(w);
    json_key_lit(w, "inhibitedBy");
    json_begin_array(w);
    if (s->inhibited_by) am_put_fp(w, s->inhibited_by);
    json_end_array(w);
    json_key_lit(w, "mutedBy");
    json_begin_array(w);
    for (size_t i = 0; i < n_muted; i++) json_str(w, muted_by[i]);
    json_end_array(w);
    json_key_lit(w, "silencedBy");
    json_begin_array(w);
    for (size_t i = 0; i < s->n_silenced; i++) json_str(w, str_cstr(s->silenced_by[i]));
    json_end_array(w);
    json_key_lit(w, "state");
    json_str(w, s->inhibited_by || s->n_silenced || n_muted ? STR("suppressed") : STR("active"));
    json_end_object(w);
    json_key_lit(w, "updatedAt");
    am_put_time(w, s->updated_ns);
    if (s->text->generator_url.n) {
        json_key_lit(w, "generatorURL");
        json_str(w, s->text->generator_url);
    }
    json_key_lit(w, "labels");
    am_put_label_object(w, s->text->labels);
    json_end_object(w);
}

static bool receiver_wanted(const Receiver *r, const Wanted *w, Arena *arena) {
    if (w->receiver && !regex_match(w->receiver, r->name)) return false;
    return !w->receiver_matchers.n || ammatch_filter(w->receiver_matchers, am_receiver_labels(r, arena));
}

static bool find_receivers(Alertmanager *am, const AmAlert *a, const Wanted *w, Arena *arena, Shown *s) {
    const AmRoute *routes[AM_ROUTES_MAX];
    size_t n = am_alert_routes(am, a->text->labels, a->by_name, routes, ARRAY_LEN(routes));
    bool by_name = w->receiver == NULL, by_labels = w->receiver_matchers.n == 0;
    for (size_t i = 0; i < n && (!by_name || !by_labels); i++) {
        by_name = by_name || regex_match(w->receiver, routes[i]->receiver->name);
        by_labels = by_labels || ammatch_filter(w->receiver_matchers, am_receiver_labels(routes[i]->receiver, arena));
    }
    if (!by_name || !by_labels) return false;
    Str *names = ARENA_ARRAY(arena, Str, n);
    for (size_t i = 0; names && i < n; i++) names[i] = arena_copy(arena, routes[i]->receiver->name);
    s->receivers = names;
    s->n_receivers = names ? n : 0;
    return true;
}

static int by_fp(const void *a, const void *b) {
    uint64_t x = ((const Shown *)a)->fp, y = ((const Shown *)b)->fp;
    return (x > y) - (x < y);
}

/* Collected under the mutex, written without it: a hundred thousand alerts take a while. */
void am_api_alerts(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    Wanted w;
    if (!read_wanted(am, req, res, &w)) return;
    VEC(Shown) all = {0};
    int64_t now = clock_now_ns();
    size_t it = 0;
    uint64_t fp, *v;
    mutex_lock(&am->mutex);
    while (u64map_next(am->alerts, &it, &fp, &v)) {
        AmAlert *a = (AmAlert *)(uintptr_t)*v;
        Shown s;
        if (!show(am, a, &w, now, req->arena, &s)) continue;
        if (find_receivers(am, a, &w, req->arena, &s))
            vec_push(&all, s);
        else
            am_text_unref(s.text);
    }
    mutex_unlock(&am->mutex);
    if (all.n) qsort(all.v, all.n, sizeof *all.v, by_fp);
    JsonWriter out = json_writer(&res->body);
    json_begin_array(&out);
    vec_foreach(Shown, s, &all) {
        put_alert(&out, s, NULL, 0);
        am_text_unref(s->text);
    }
    json_end_array(&out);
    vec_done(&all);
    am_api_json(res, 200);
}

/* --- groups --- */

typedef struct ShownGroup {
    AmText *labels; /* reference held */
    const AmRoute *route;
    Shown *alerts;
    size_t n;
    Str *muted;
    size_t n_muted;
    Alert
        *all; /* those that were not asked for, too: what the route's labels are made of; NULL: they are no templates */
    AmText **texts;
    size_t n_all;
} ShownGroup;

static int by_labels(const void *a, const void *b) {
    const ShownGroup *x = a, *y = b;
    int c = amlabel_cmp_set(x->labels->labels, y->labels->labels);
    return c ? c : str_cmp(x->route->receiver->name, y->route->receiver->name);
}

static int by_alert_order(const void *a, const void *b) {
    return am_alert_order(((const Shown *)a)->text->labels, ((const Shown *)b)->text->labels);
}

static int by_notified_order(const void *a, const void *b) {
    return am_alert_order(((const Alert *)a)->labels, ((const Alert *)b)->labels);
}

/* Receivers of all groups the alert is in that were asked for. */
static void group_receivers(const AmAlert *a, const Wanted *w, Arena *arena, Shown *s) {
    Str *names = ARENA_ARRAY(arena, Str, a->n_members);
    size_t n = 0;
    for (uint32_t i = 0; names && i < a->n_members; i++) {
        const Receiver *r = a->members[i].group->route->receiver;
        if (!receiver_wanted(r, w, arena)) continue;
        size_t k = n++;
        for (; k > 0 && str_cmp(names[k - 1], r->name) > 0; k--) names[k] = names[k - 1];
        names[k] = r->name;
    }
    s->receivers = names;
    s->n_receivers = n;
}

static void keep_all(const AmGroup *g, Arena *arena, ShownGroup *out) {
    bool templates = false;
    for (size_t i = 0; i < g->route->labels.n; i++) templates |= str_contains(g->route->labels.v[i].value, STR("{{"));
    if (!templates) return;
    out->all = ARENA_ARRAY(arena, Alert, g->alerts.n);
    out->texts = ARENA_ARRAY(arena, AmText *, g->alerts.n);
    for (size_t i = 0; out->all && out->texts && i < g->alerts.n; i++) {
        const AmAlert *a = g->alerts.v[i];
        AmText *t = out->texts[out->n_all] = am_text_ref(a->text);
        out->all[out->n_all++] = (Alert){.labels = t->labels,
            .annotations = t->annotations,
            .generator_url = t->generator_url,
            .starts_ns = a->starts_ns,
            .ends_ns = a->ends_ns};
    }
}

/* Whether the group is wanted; then *out is filled. The mutex is held. */
static bool show_group(
    Alertmanager *am, const AmGroup *g, const Wanted *w, int64_t now, Arena *arena, ShownGroup *out) {
    Str muted[64];
    bool by_active;
    *out =
        (ShownGroup){.route = g->route, .n_muted = am_route_muted(g->route, now, muted, ARRAY_LEN(muted), &by_active)};
    if (out->n_muted && !w->muted) return false;
    out->alerts = mem_alloc_array(g->alerts.n + 1, sizeof *out->alerts);
    for (size_t i = 0; i < g->alerts.n; i++) {
        if (!show(am, g->alerts.v[i], w, now, arena, &out->alerts[out->n])) continue;
        group_receivers(g->alerts.v[i], w, arena, &out->alerts[out->n]);
        out->n++;
    }
    out->muted = ARENA_ARRAY(arena, Str, out->n_muted);
    if (!out->muted) out->n_muted = 0;
    for (size_t i = 0; i < out->n_muted; i++) out->muted[i] = muted[i];
    out->labels = am_text_ref(g->labels);
    if (out->n) keep_all(g, arena, out);
    if (out->n) return true;
    am_text_unref(out->labels);
    mem_free(out->alerts);
    return false;
}

/* As a notification would have them now. */
static Labels group_route_labels(
    Alertmanager *am, const AmConfig *config, const ShownGroup *g, int64_t now, Arena *arena) {
    if (!g->n_all) return g->route->labels;
    for (size_t i = 0; i < g->n_all; i++)
        if (g->all[i].ends_ns > now) g->all[i].ends_ns = 0; /* it fires */
    qsort(g->all, g->n_all, sizeof *g->all, by_notified_order);
    NotifyRequest req = {.receiver = g->route->receiver->name,
        .group_labels = g->labels->labels,
        .route_labels = g->route->labels,
        .alerts = g->all,
        .n_alerts = g->n_all,
        .now_ns = now,
        .external_url = am->external_url,
        .templates = config->templates};
    Labels l = am_route_labels(&req, arena);
    for (size_t i = 0; i < g->n_all; i++) am_text_unref(g->texts[i]);
    return l;
}

static void put_group(JsonWriter *out, ShownGroup *g, Labels route_labels) {
    json_begin_object(out);
    json_key_lit(out, "alerts");
    json_begin_array(out);
    for (size_t i = 0; i < g->n; i++) {
        put_alert(out, &g->alerts[i], g->muted, g->n_muted);
        am_text_unref(g->alerts[i].text);
    }
    json_end_array(out);
    json_key_lit(out, "labels");
    am_put_label_object(out, g->labels->labels);
    json_key_lit(out, "receiver");
    json_begin_object(out);
    json_key_lit(out, "name");
    json_str(out, g->route->receiver->name);
    json_end_object(out);
    json_key_lit(out, "routeLabels");
    am_put_label_object(out, route_labels);
    json_end_object(out);
    am_text_unref(g->labels);
    mem_free(g->alerts);
}

/* Names in what is shown belong to the configuration, which is kept until it is written. */
void am_api_groups(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    Wanted w;
    if (!read_wanted(am, req, res, &w)) return;
    VEC(ShownGroup) groups = {0};
    int64_t now = clock_now_ns();
    size_t it = 0;
    uint64_t id, *v;
    mutex_lock(&am->mutex);
    AmConfig *config = amconfig_ref(am->config);
    while (u64map_next(am->groups, &it, &id, &v)) {
        const AmGroup *g = (const AmGroup *)(uintptr_t)*v;
        ShownGroup s;
        if (receiver_wanted(g->route->receiver, &w, req->arena) && show_group(am, g, &w, now, req->arena, &s))
            vec_push(&groups, s);
    }
    mutex_unlock(&am->mutex);
    if (groups.n) qsort(groups.v, groups.n, sizeof *groups.v, by_labels);
    JsonWriter out = json_writer(&res->body);
    json_begin_array(&out);
    vec_foreach(ShownGroup, g, &groups) {
        qsort(g->alerts, g->n, sizeof *g->alerts, by_alert_order);
        put_group(&out, g, group_route_labels(am, config, g, now, req->arena));
    }
    json_end_array(&out);
    vec_done(&groups);
    amconfig_unref(config);
    am_api_json(res, 200);
}
