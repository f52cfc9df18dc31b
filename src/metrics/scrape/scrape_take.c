#include "base/hash.h"
#include "metrics/record.h"
#include "metrics/scrape/scrape_int.h"
#include "net/http.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES_MIN ((size_t)64 << 20)

typedef struct Take {
    ScrapeTarget *target;
    const PromScrapeConfig *job;
    Arena *arena;
    MetricsBatch batch;
    int64_t t_ms;
    uint64_t number; /* of this scrape */
    ScrapeOutcome *outcome;
} Take;

static ErrCode exhausted(Err *reterr) {
    return err_set(reterr, ERR_TOO_LARGE, "the memory budget of the scrape is used up");
}

/* --- final labels of a new series --- */
/* exported_<name>, once more if that is taken too. */
static Str exported_name(const RelabelSet *s, Labels target, Str name) {
    do name = arena_printf(s->arena, "exported_%" STR_FMT, STR_ARG(name));
    while (name.p && (relabel_get(s, name).n || labels_get(target, name).n));
    return name;
}

static bool add_target_labels(RelabelSet *s, Labels target, bool honor) {
    bool ok = true;
    for (size_t i = 0; i < target.n && ok; i++) {
        Str name = target.v[i].name, theirs = relabel_get(s, name);
        if (honor && theirs.n) continue;
        if (theirs.n) {
            Str other = exported_name(s, target, name);
            ok = other.p && relabel_set(s, other, theirs);
        }
        ok = ok && relabel_set(s, name, target.v[i].value);
    }
    return ok;
}

static ErrCode check_limits(const Take *x, Labels l, Err *reterr) {
    const PromScrapeConfig *j = x->job;
    Str metric = labels_get(l, LABEL_NAME_METRIC);
    if (j->set.limits.label && l.n > j->set.limits.label)
        return err_set(reterr, ERR_INVALID,
            "label_limit exceeded (metric: %" STR_FMT ", number of labels: %zu, limit: %llu)", STR_ARG(metric), l.n,
            (unsigned long long)j->set.limits.label);
    for (size_t i = 0; i < l.n; i++) {
        if (j->set.limits.label_name_length && l.v[i].name.n > j->set.limits.label_name_length)
            return err_set(reterr, ERR_INVALID,
                "label_name_length_limit exceeded (label: %" STR_FMT ", length: %zu, limit: %llu)",
                STR_ARG(l.v[i].name), l.v[i].name.n, (unsigned long long)j->set.limits.label_name_length);
        if (j->set.limits.label_value_length && l.v[i].value.n > j->set.limits.label_value_length)
            return err_set(reterr, ERR_INVALID,
                "label_value_length_limit exceeded (label: %" STR_FMT ", length: %zu, limit: %llu)",
                STR_ARG(l.v[i].name), l.v[i].value.n, (unsigned long long)j->set.limits.label_value_length);
    }
    return OK;
}

static ErrCode final_labels(Take *x, const PromTextSample *sample, Labels *ret, bool *ret_dropped, Err *reterr) {
    RelabelSet s = {.arena = x->arena};
    size_t n;
    if (!avec_reserve(x->arena, &s.labels, sample->n_labels + 1 + x->target->labels.n)) return exhausted(reterr);
    if (!promtext_labels(sample, x->arena, s.labels.v, &n)) return exhausted(reterr);
    ErrCode code = labels_normalize(s.labels.v, &n, reterr);
    if (code != OK) return code;
    s.labels.n = n;
    if (!add_target_labels(&s, x->target->labels, x->job->honor_labels)) return exhausted(reterr);
    switch (relabel_apply(x->job->metric_relabel, &s)) {
    case RELABEL_DROPPED: *ret_dropped = true; return OK;
    case RELABEL_EXHAUSTED: return exhausted(reterr);
    case RELABEL_KEPT: break;
    }
    n = s.labels.n;
    code = labels_normalize(s.labels.v, &n, reterr);
    if (code != OK) return code;
    *ret = (Labels){s.labels.v, n};
    *ret_dropped = n == 0;
    if (n && !labels_get(*ret, LABEL_NAME_METRIC).n)
        return err_set(reterr, ERR_INVALID, "missing metric name (__name__ label)");
    return check_limits(x, *ret, reterr);
}

static CachedSeries *remember(ScrapeTarget *t, uint64_t hash, Labels labels, bool dropped) {
    Buf b = {0};
    if (!dropped) labels_encode(&b, labels);
    CachedSeries *c = mem_alloc(sizeof *c + b.n);
    *c = (CachedSeries){.dropped = dropped, .n = (uint32_t)b.n};
    if (b.n) memcpy(c->bytes, b.p, b.n);
    buf_done(&b);
    *u64map_put(t->cache, hash, NULL) = (uint64_t)(uintptr_t)c;
    return c;
}

/* Strings point into c. */
static bool cached_labels(const CachedSeries *c, Arena *arena, Labels *ret) {
    Cursor cur = cursor_of(str_of(c->bytes, c->n));
    return labels_decode(&cur, arena, ret);
}

/* --- samples --- */
static ErrCode add_sample(Take *x, const PromTextSample *s, Labels labels, uint64_t hash, int64_t t_ms, Err *reterr) {
    MetricsBatch *b = &x->batch;
    if (!metrics_batch_add(b, labels, t_ms, s->value)) return exhausted(reterr);
    BatchSeries *bs = &b->series.v[b->series.n - 1];
    bs->raw_hash = hash;
    if (!s->has_exemplar) return OK;
    Exemplar e = s->exemplar;
    if (!s->has_exemplar_t) e.t_ms = t_ms;
    bs->first_exemplar = (uint32_t)b->exemplars.n;
    bs->n_exemplars = 1;
    return avec_push(x->arena, &b->exemplars, e) ? OK : exhausted(reterr);
}

static ErrCode take_sample(void *ctx, const PromTextSample *s, Err *reterr) {
    Take *x = ctx;
    uint64_t hash = hash_bytes(s->raw.p, s->raw.n, x->target->seed);
    uint64_t *known = u64map_get(x->target->cache, hash);
    CachedSeries *c = known ? (CachedSeries *)(uintptr_t)*known : NULL;
    Labels labels = {0};
    x->outcome->scraped++;
    if (!c) {
        bool dropped = false;
        ErrCode code = final_labels(x, s, &labels, &dropped, reterr);
        if (code != OK) return code;
        c = remember(x->target, hash, labels, dropped);
        c->born = x->number;
        x->outcome->added += !dropped;
    } else if (!c->dropped && !cached_labels(c, x->arena, &labels)) {
        return exhausted(reterr);
    }
    c->seen = x->number;
    if (c->dropped) return OK;
    bool own_time = s->has_t && !x->job->ignore_timestamps;
    c->tracked = !own_time || x->job->track_timestamps_staleness;
    x->outcome->kept++;
    if (x->job->set.limits.sample && x->outcome->kept > x->job->set.limits.sample)
        return OK; /* counted on, reported at the end */
    return add_sample(x, s, labels, hash, own_time ? s->t_ms : x->t_ms, reterr);
}

static ErrCode take_meta(void *ctx, const PromTextMeta *m, Err *reterr) {
    Take *x = ctx;
    return promtext_merge_meta(&x->batch, m) ? OK : exhausted(reterr);
}

static ErrCode take_body(Take *x, const ScrapeAnswer *a, Err *reterr) {
    bool known;
    PromTextOptions o = {.format = promtext_format(a->content_type, a->body, &known)};
    bool om_fallback = x->job->fallback_protocol >= PROTOCOL_OPENMETRICS_001;
    if (!known && x->job->fallback_protocol != PROTOCOL_NONE) o.format = om_fallback ? PROMTEXT_OPENMETRICS : PROMTEXT_PLAIN;
    PromTextVisitor visitor = {x, take_sample, take_meta};
    ErrCode code = promtext_parse(a->body, &o, &visitor, x->arena, reterr);
    if (code == OK && x->job->set.limits.sample && x->outcome->kept > x->job->set.limits.sample)
        return err_set(reterr, ERR_TOO_LARGE, "sample limit exceeded");
    return code;
}

/* --- staleness --- */
/* Markers for what this scrape did not have; all of it forgotten. */
static void drop_unseen(Take *x, bool all) {
    VEC(uint64_t) gone = {0};
    size_t it = 0;
    uint64_t key, *value;
    while (u64map_next(x->target->cache, &it, &key, &value)) {
        CachedSeries *c = (CachedSeries *)(uintptr_t)*value;
        if (!all && c->seen == x->number) continue;
        vec_push(&gone, key);
        Labels labels;
        Cursor copy = cursor_of(arena_copy(x->arena, str_of(c->bytes, c->n))); /* c goes before the batch does */
        /* Without room for the marker the series ends by the lookback delta instead. */
        if (!c->dropped && c->tracked && c->born < x->number && labels_decode(&copy, x->arena, &labels) &&
            metrics_batch_add(&x->batch, labels, x->t_ms, stale_nan()))
            x->batch.series.v[x->batch.series.n - 1].raw_hash = key;
    }
    vec_foreach(uint64_t, k, &gone) {
        uint64_t c = 0;
        (void)u64map_remove(x->target->cache, *k, &c);
        mem_free((void *)(uintptr_t)c);
    }
    vec_done(&gone);
}

/* --- report series --- */
static void add_report(Take *x, Str name, double value) {
    Labels t = x->target->labels;
    Label *v = ARENA_ARRAY(x->arena, Label, t.n + 1);
    if (!v) return;
    size_t n = 0;
    v[n++] = (Label){LABEL_NAME_METRIC, name};
    for (size_t i = 0; i < t.n; i++) v[n++] = t.v[i];
    if (labels_normalize(v, &n, NULL) == OK) (void)metrics_batch_add(&x->batch, (Labels){v, n}, x->t_ms, value);
}

static void add_reports(Take *x, const ScrapeOutcome *o, double duration_s, bool end) {
    add_report(x, STR("up"), end ? stale_nan() : o->up);
    add_report(x, STR("scrape_duration_seconds"), end ? stale_nan() : duration_s);
    add_report(x, STR("scrape_samples_scraped"), end ? stale_nan() : (double)o->scraped);
    add_report(x, STR("scrape_samples_post_metric_relabeling"), end ? stale_nan() : (double)o->kept);
    add_report(x, STR("scrape_series_added"), end ? stale_nan() : (double)o->added);
}

static void begin(
    Take *x, ScrapeTarget *t, const PromScrapeConfig *job, size_t body_bytes, int64_t t_ms, ScrapeOutcome *out) {
    *out = (ScrapeOutcome){0};
    *x = (Take){.target = t, .job = job, .t_ms = t_ms, .number = ++t->scrapes, .outcome = out};
    /* A label costs 32 bytes where it may have taken 5 in the text. */
    x->arena = arena_create(ARENA_BYTES_MIN + 40 * body_bytes);
    x->batch.arena = x->arena;
}

static void append(Take *x, MetricsStore *store, ScrapeOutcome *out) {
    MetricsAppendResult result;
    Err err = {0};
    if (store->ops->append(store, &x->batch, &result, &err) == OK) return;
    out->up = false;
    snprintf(out->error, sizeof out->error, "storing the samples: %.200s", err.msg);
}

void scrape_take(
    ScrapeTarget *t, const PromScrapeConfig *job, MetricsStore *store, const ScrapeAnswer *answer, ScrapeOutcome *ret) {
    Take x;
    Err err = {0};
    ErrCode code = answer->code;
    begin(&x, t, job, answer->body.n, answer->t_ms, ret);
    if (code != OK)
        err_set(&err, code, "%s", answer->error);
    else if (answer->status != 200)
        code = err_set(&err, ERR_UNAVAILABLE, "server returned HTTP status %d %s", answer->status,
            http_status_text(answer->status));
    else
        code = take_body(&x, answer, &err);
    ret->up = code == OK;
    if (code != OK) { /* all or nothing: a half-read exposition would look like vanished series */
        snprintf(ret->error, sizeof ret->error, "%.250s", err.msg);
        vec_clear(&x.batch.series);
        vec_clear(&x.batch.t_ms);
        vec_clear(&x.batch.value);
        vec_clear(&x.batch.exemplars);
        ret->added = 0;
    }
    drop_unseen(&x, code != OK);
    add_reports(&x, ret, answer->duration_s, false);
    append(&x, store, ret);
    arena_free(x.arena);
}

void scrape_end(ScrapeTarget *t, MetricsStore *store, int64_t t_ms) {
    Take x;
    ScrapeOutcome out;
    if (t->scrapes == 0) return;
    begin(&x, t, NULL, 0, t_ms, &out);
    drop_unseen(&x, true);
    add_reports(&x, &out, 0, true);
    append(&x, store, &out);
    arena_free(x.arena);
}
