/* scrape_take.c - one answer: parsed, relabelled, appended. */
#include "base/cursor.h"
#include "base/hash.h"
#include "metrics/scrape/promproto.h"
#include "metrics/scrape/scrape_created.h"
#include "metrics/scrape/scrape_hist.h"
#include "metrics/scrape/scrape_int.h"
#include "metrics/scrape/scrape_nhcb.h"
#include "net/http.h"

#include <stdio.h>
#include <stdlib.h>

#define ARENA_BYTES_MIN ((size_t)64 << 20)
#define END_SERIES_MAX 20000u /* markers of one append, about */
#define FAILED_SERIES_MAX 1000u

typedef struct Take {
    ScrapeTarget *target;
    const PromScrapeConfig *job;
    Arena *arena;
    MetricsBatch batch;
    int64_t t_ms;
    uint32_t number;  /* of this scrape */
    size_t seen;      /* cached series this scrape had */
    uint64_t offered; /* samples that sample_limit counts */
    bool too_many_samples, too_many_buckets;
    CachedSeries *last, *hit;
    uint64_t hash; /* of the raw text at hand */
    ScrapeOutcome *outcome;
    bool reads_created;
    Created created;
} Take;

static ErrCode exhausted(Err *reterr) {
    return err_set(reterr, ERR_TOO_LARGE, "the memory budget of the scrape is used up");
}

/* --- the cache --- */
/* Labels in the cache: their number, then for each 0 and the place in the target's labels, which most series share, or
 * 1 and the value of the metric's name, or 1 + length of the name, the name, the value. Numbers and lengths are
 * varints. */
enum { CACHED_TARGETS = 0, CACHED_METRIC = 1 };

static void put_cached(Buf *b, Labels target, const Label *l) {
    for (size_t i = 0; i < target.n; i++) {
        if (!str_eq(target.v[i].name, l->name) || !str_eq(target.v[i].value, l->value)) continue;
        buf_put_uvarint(b, CACHED_TARGETS);
        buf_put_uvarint(b, i);
        return;
    }
    bool metric = str_eq(l->name, LABEL_NAME_METRIC);
    ASSERT(l->name.n > 0);
    buf_put_uvarint(b, metric ? CACHED_METRIC : 1 + l->name.n);
    if (!metric) buf_put_str(b, l->name);
    buf_put_lenstr(b, l->value);
}

static CachedSeries *remember(ScrapeTarget *t, uint64_t hash, Labels labels, bool dropped) {
    Buf b = {0};
    if (!dropped) buf_put_uvarint(&b, labels.n);
    for (size_t i = 0; i < labels.n && !dropped; i++) put_cached(&b, t->labels, &labels.v[i]);
    CachedSeries *c = mem_alloc(MAX(sizeof *c, offsetof(CachedSeries, labels) + b.n));
    *c = (CachedSeries){.hash = hash, .dropped = dropped, .label_bytes = (uint32_t)b.n};
    if (b.n) memcpy(c->labels, b.p, b.n);
    buf_done(&b);
    *u64map_put(t->cache, hash, NULL) = (uint64_t)(uintptr_t)c;
    return c;
}

/* Bounds and quantiles are rewritten for histograms and summaries only (promtext_labels). */
static uint8_t rewrites_of(MetricType type) { return type == METRIC_HISTOGRAM ? 1 : type == METRIC_SUMMARY ? 2 : 0; }

/* What the store may know the series by. */
static uint64_t store_hash(const CachedSeries *c) { return c->hash + c->rewrites * UINT64_C(0x9e3779b97f4a7c15); }

/* Strings point into the bytes and the target. */
static bool cached_labels(const ScrapeTarget *t, Str bytes, Arena *arena, Labels *ret) {
    Cursor c = cursor_of(bytes);
    uint64_t n = cursor_uvarint(&c);
    Label *v = ARENA_ARRAY(arena, Label, n);
    if (!v) return false;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t kind = cursor_uvarint(&c);
        if (kind == CACHED_TARGETS) {
            v[i] = t->labels.v[cursor_uvarint(&c)];
            continue;
        }
        v[i].name = kind == CACHED_METRIC ? LABEL_NAME_METRIC : cursor_bytes(&c, (size_t)kind - 1);
        v[i].value = cursor_lenstr(&c);
    }
    ASSERT(!c.bad);
    *ret = (Labels){v, (size_t)n};
    return true;
}

static Str cached_bytes(const CachedSeries *c) { return str_of(c->labels, c->label_bytes); }

/* MetricsBatch.read_labels */
static ErrCode read_labels(void *ctx, BatchSeries *series, Err *reterr) {
    const Take *x = ctx;
    return cached_labels(x->target, series->wire, x->arena, &series->labels) ? OK : exhausted(reterr);
}

/* Targets expose their series in the same order every time: the one after the last is tried first. */
static CachedSeries *find(Take *x, Str raw) {
    x->hash = hash_bytes(raw.p, raw.n, x->target->seed);
    CachedSeries *guess = x->last ? x->last->next : x->target->first;
    if (guess && guess->hash == x->hash) return guess;
    uint64_t *known = u64map_get(x->target->cache, x->hash);
    return known ? (CachedSeries *)(uintptr_t)*known : NULL;
}

static bool is_known(void *ctx, Str raw) {
    Take *x = ctx;
    x->hit = find(x, raw);
    return x->hit != NULL;
}

static void link_next(Take *x, CachedSeries *c) {
    if (x->last)
        x->last->next = c;
    else
        x->target->first = c;
    x->last = c;
}

/* --- samples --- */
/* Into the batch, those that are news. */
static ErrCode add_exemplars(Take *x, const PromTextSample *s, uint64_t series, int64_t t_ms, Err *reterr) {
    MetricsBatch *b = &x->batch;
    size_t from = b->exemplars.n, kept = from;
    for (size_t i = 0; i < s->n_more_exemplars; i++)
        if (!avec_push(x->arena, &b->exemplars, s->more_exemplars[i])) return exhausted(reterr);
    if (s->has_exemplar) {
        Exemplar e = s->exemplar;
        if (!s->has_exemplar_t) e.t_ms = t_ms;
        if (!avec_push(x->arena, &b->exemplars, e)) return exhausted(reterr);
    }
    bool placed = !s->has_exemplar || s->has_exemplar_t;
    scrape_exemplars_sort(&b->exemplars.v[from], b->exemplars.n - from);
    for (size_t i = from; i < b->exemplars.n; i++)
        if (scrape_exemplar_is_news(x->target, series, &b->exemplars.v[i], placed))
            b->exemplars.v[kept++] = b->exemplars.v[i];
    b->exemplars.n = kept;
    return OK;
}

static ErrCode add_histogram(Take *x, Labels labels, const Histogram *h, int64_t t_ms, Err *reterr) {
    MetricsBatch *b = &x->batch;
    BatchSeries bs = {.labels = labels,
        .first_histogram = (uint32_t)b->histograms.n,
        .n_histograms = 1,
        .first_sample = (uint32_t)b->t_ms.n};
    if (!avec_push(x->arena, &b->series, bs) || !avec_push(x->arena, &b->histograms, *h) ||
        !avec_push(x->arena, &b->histogram_t_ms, t_ms))
        return exhausted(reterr);
    return OK;
}

/* A sample's series, and what else is known of it. */
typedef struct Known {
    CachedSeries *series;
    Labels labels; /* .v == NULL: those in the cache, not read yet */
    uint64_t hash; /* of the raw text */
    int64_t t_ms;
    size_t first_exemplar;
    bool fresh; /* the series was not in the cache */
} Known;

static ErrCode add_sample(Take *x, const PromTextSample *s, const Histogram *h, const Known *k, Err *reterr) {
    MetricsBatch *b = &x->batch;
    ErrCode code = OK;
    if (h)
        code = add_histogram(x, k->labels, h, k->t_ms, reterr);
    else if (!metrics_batch_add(b, k->labels, k->t_ms, s->value))
        code = exhausted(reterr);
    if (code != OK) return code;
    bool told = h ? metrics_batch_set_histogram_start(b, s->start_ms) : metrics_batch_set_start(b, s->start_ms);
    if (!told) return exhausted(reterr);
    BatchSeries *bs = &b->series.v[b->series.n - 1];
    bs->raw_hash = store_hash(k->series);
    bs->wire = k->labels.v ? STR_NULL : cached_bytes(k->series);
    bs->first_exemplar = (uint32_t)k->first_exemplar;
    bs->n_exemplars = (uint32_t)(b->exemplars.n - k->first_exemplar);
    return OK;
}

/* Within the limits of the scrape? Beyond them a sample is only counted, and they are reported at the end. */
static ErrCode fit(Take *x, Histogram *h, bool *ret_fits, Err *reterr) {
    uint64_t limit = x->job->set.limits.sample;
    bool too_many = false;
    ErrCode code = OK;
    if (h)
        code = scrape_histogram_fit(
            h, x->job->native_bucket_limit, x->job->native_min_bucket_factor, x->arena, &too_many, reterr);
    x->too_many_buckets |= too_many;
    if (!too_many && limit && ++x->offered > limit) x->too_many_samples = true;
    *ret_fits = !too_many && !x->too_many_samples;
    /* Prometheus takes resolutions beyond 8 from writers, not from targets. */
    return code == OK && h && *ret_fits ? histogram_check(h, reterr) : code;
}

static void note_seen(Take *x, CachedSeries *c) {
    if (c->seen != x->number) {
        c->before = c->seen;
        c->seen = x->number;
        x->seen++;
    }
    link_next(x, c);
}

static ErrCode keep_sample(Take *x, const PromTextSample *s, Known *k, Err *reterr) {
    Histogram fitted, *h = NULL;
    bool fits;
    k->first_exemplar = x->batch.exemplars.n;
    ErrCode code = s->has_exemplar || s->n_more_exemplars ? add_exemplars(x, s, k->hash, k->t_ms, reterr) : OK;
    bool lazy = x->batch.read_labels && x->batch.exemplars.n == k->first_exemplar;
    if (code == OK && !k->labels.v && !lazy && !cached_labels(x->target, cached_bytes(k->series), x->arena, &k->labels))
        code = exhausted(reterr);
    if (s->histogram) {
        fitted = *s->histogram;
        h = &fitted;
    }
    if (code == OK) code = fit(x, h, &fits, reterr);
    if (code == OK && fits) code = add_sample(x, s, h, k, reterr);
    if (code != OK) return code;
    x->outcome->kept++;
    x->outcome->added += k->fresh && fits && !x->too_many_buckets && k->t_ms <= x->batch.not_after_ms;
    return OK;
}

static ErrCode take_sample(void *ctx, const PromTextSample *s, Err *reterr) {
    Take *x = ctx;
    if (x->reads_created && created_take(&x->created, s, &x->batch)) return OK;
    CachedSeries *c = s->known ? x->hit : find(x, s->raw);
    bool own_time = s->has_t && !x->job->ignore_timestamps;
    Known k = {.hash = x->hash, .t_ms = own_time ? s->t_ms : x->t_ms};
    x->outcome->scraped++;
    if (!c) {
        bool dropped = false;
        ErrCode code = scrape_labels(x->target, x->job, s, x->arena, &k.labels, &dropped, reterr);
        if (code != OK) return code;
        c = remember(x->target, k.hash, k.labels, dropped);
        c->rewrites = rewrites_of(s->type);
    } else if (!c->dropped && c->seen == x->number && !own_time) { /* once more in one scrape, for the same time */
        x->outcome->kept++;
        x->outcome->duplicates++;
        return OK;
    }
    k.series = c;
    k.fresh = c->seen == 0;
    note_seen(x, c);
    if (c->dropped) return OK;
    c->tracked = !own_time || x->job->track_timestamps_staleness;
    c->histogram = s->histogram != NULL;
    return keep_sample(x, s, &k, reterr);
}

static ErrCode take_meta(void *ctx, const PromTextMeta *m, Err *reterr) {
    Take *x = ctx;
    if (m->kind == PROMTEXT_TYPE) created_family(&x->created, m->metric);
    return promtext_merge_meta(&x->batch, m) ? OK : exhausted(reterr);
}

static ErrCode parse(Take *x, ScrapeFormat format, Str body, const PromTextVisitor *visitor, Err *reterr) {
    const ScrapeTarget *t = x->target;
    if (format == FORMAT_PROTO)
        return promproto_parse(body, &(PromProtoOptions){t->native, t->classic, t->to_nhcb}, visitor, x->arena, reterr);
    PromTextOptions o = {.format = format == FORMAT_OPENMETRICS ? PROMTEXT_OPENMETRICS : PROMTEXT_PLAIN};
    return promtext_parse(body, &o, visitor, x->arena, reterr);
}

static ErrCode take_body(Take *x, const ScrapeAnswer *a, Err *reterr) {
    bool guessed;
    ScrapeFormat format = scrape_format(a->content_type, x->job->fallback_protocol, a->body, &guessed);
    PromTextVisitor visitor = {x, take_sample, take_meta, is_known};
    ErrCode code;
    x->reads_created &= format == FORMAT_OPENMETRICS;
    if (guessed)
        snprintf(x->outcome->warning, sizeof x->outcome->warning,
            "unknown Content-Type \"%.*s\": the body was read as %s", (int)MIN(a->content_type.n, 40),
            a->content_type.p ? a->content_type.p : "",
            format == FORMAT_PROTO         ? "protobuf"
            : format == FORMAT_OPENMETRICS ? "OpenMetrics"
                                           : "text");
    if (x->target->to_nhcb) {
        Nhcb *n = nhcb_create(
            &visitor, &(NhcbOptions){x->target->classic, x->reads_created, format == FORMAT_PROTO}, x->arena);
        PromTextVisitor through = nhcb_visitor(n);
        code = parse(x, format, a->body, &through, reterr);
        if (code == OK) code = nhcb_finish(n, reterr);
        nhcb_free(n);
    } else {
        code = parse(x, format, a->body, &visitor, reterr);
    }
    if (code == OK && x->too_many_samples) return err_set(reterr, ERR_TOO_LARGE, "sample limit exceeded");
    if (code == OK && x->too_many_buckets) return err_set(reterr, ERR_TOO_LARGE, "histogram bucket limit exceeded");
    return code;
}

/* --- staleness --- */
static void add_marker(Take *x, const CachedSeries *c) {
    Labels labels;
    if (!cached_labels(x->target, cached_bytes(c), x->arena, &labels)) return;
    labels = labels_copy(x->arena, labels); /* c goes before the batch does */
    if (!labels.v) return;
    if (c->histogram) {
        Histogram h = {.sum = stale_nan()};
        if (add_histogram(x, labels, &h, x->t_ms, NULL) != OK) return;
    } else if (!metrics_batch_add(&x->batch, labels, x->t_ms, stale_nan())) {
        return;
    }
    x->batch.series.v[x->batch.series.n - 1].raw_hash = store_hash(c);
}

/* Did the last scrape keep it, so that its end is to be told? Without room for a marker the series ends by the lookback
 * delta instead. */
static bool lived(const Take *x, const CachedSeries *c) {
    uint32_t good = x->target->good;
    return good && c->tracked && !c->dropped && (c->seen == good || (c->seen == x->number && c->before == good));
}

static void forget(ScrapeTarget *t, uint64_t key) {
    uint64_t c = 0;
    scrape_exemplar_forget(t, key);
    (void)u64map_remove(t->cache, key, &c);
    mem_free((void *)(uintptr_t)c);
}

/* What this scrape did not have ends and is forgotten. */
static void end_unseen(Take *x) {
    ScrapeTarget *t = x->target;
    bool vanished = x->seen != u64map_count(t->cache);
    VEC(uint64_t) gone = {0};
    size_t it = 0;
    uint64_t key, *value;
    while (vanished && u64map_next(t->cache, &it, &key, &value)) {
        CachedSeries *c = (CachedSeries *)(uintptr_t)*value;
        c->next = NULL; /* it may be one of those that go */
        if (c->seen == x->number) continue;
        vec_push(&gone, key);
        if (lived(x, c)) add_marker(x, c);
    }
    if (vanished) t->first = NULL;
    vec_foreach(uint64_t, k, &gone) forget(t, *k);
    vec_done(&gone);
    t->good = x->number;
    t->n_good = u64map_count(t->cache);
}

/* All ends, and is remembered: when the target is well again its series are not new. Not what bodies that could not be
 * read made of it, once that is much. */
static void end_all(Take *x) {
    ScrapeTarget *t = x->target;
    bool much = u64map_count(t->cache) > 2 * t->n_good + FAILED_SERIES_MAX;
    VEC(uint64_t) gone = {0};
    size_t it = 0;
    uint64_t key, *value;
    while (u64map_next(t->cache, &it, &key, &value)) {
        const CachedSeries *c = (const CachedSeries *)(uintptr_t)*value;
        if (lived(x, c)) add_marker(x, c);
        if (much) vec_push(&gone, key);
    }
    if (much) t->first = NULL;
    vec_foreach(uint64_t, k, &gone) forget(t, *k);
    vec_done(&gone);
    t->good = 0;
}

/* --- report series --- */
static void add_report(Take *x, Str name, double value, bool end) {
    Labels t = x->target->labels;
    Label *v = ARENA_ARRAY(x->arena, Label, t.n + 1);
    if (!v) return;
    size_t n = 0;
    v[n++] = (Label){LABEL_NAME_METRIC, name};
    for (size_t i = 0; i < t.n; i++) v[n++] = t.v[i];
    if (labels_normalize(v, &n, NULL) == OK)
        (void)metrics_batch_add(&x->batch, (Labels){v, n}, x->t_ms, end ? stale_nan() : value);
}

static void add_reports(Take *x, const ScrapeOutcome *o, double duration_s, size_t body_bytes, bool extra, bool end) {
    add_report(x, STR("up"), o->up, end);
    add_report(x, STR("scrape_duration_seconds"), duration_s, end);
    add_report(x, STR("scrape_samples_scraped"), (double)o->scraped, end);
    add_report(x, STR("scrape_samples_post_metric_relabeling"), (double)o->kept, end);
    add_report(x, STR("scrape_series_added"), (double)o->added, end);
    if (!extra) return;
    add_report(x, STR("scrape_timeout_seconds"), (double)x->target->timeout_ms / 1000, end);
    add_report(x, STR("scrape_sample_limit"), x->job ? (double)x->job->set.limits.sample : 0, end);
    add_report(x, STR("scrape_body_size_bytes"), o->over_body_limit ? -1 : (double)body_bytes, end);
}

static void begin(
    Take *x, ScrapeTarget *t, const PromScrapeConfig *job, size_t body_bytes, int64_t t_ms, ScrapeOutcome *out) {
    *out = (ScrapeOutcome){0};
    *x = (Take){.target = t, .job = job, .t_ms = t_ms, .number = (uint32_t)++t->scrapes, .outcome = out};
    /* A label costs 32 bytes where it may have taken 5 in the text. */
    x->arena = arena_create(ARENA_BYTES_MIN + 40 * body_bytes);
    x->batch.arena = x->arena;
    x->batch.not_after_ms = t_ms + METRICS_AHEAD_MAX_MS;
    x->batch.patient = true;
}

static void append(Take *x, MetricsStore *store, ScrapeOutcome *out) {
    MetricsAppendResult result = {0};
    Err err = {0};
    ErrCode code = store->ops->append(store, &x->batch, &result, &err);
    /* As Prometheus: a sample that cannot be stored fails nobody else's; it is counted. */
    out->duplicates = result.conflicts;
    out->too_old = result.too_old + result.too_new;
    if (code == OK) return;
    out->up = false;
    snprintf(out->error, sizeof out->error, "storing the samples: %.200s", err.msg);
}

static void clear_batch(Take *x) {
    vec_clear(&x->batch.series);
    vec_clear(&x->batch.t_ms);
    vec_clear(&x->batch.value);
    vec_clear(&x->batch.exemplars);
    vec_clear(&x->batch.histograms);
    vec_clear(&x->batch.histogram_t_ms);
    metrics_batch_trim_starts(&x->batch);
}

/* "3:5 expected value": the place belongs to what a person reads. */
static void set_error(ScrapeOutcome *o, const Err *err) {
    if (err->line > 0)
        snprintf(o->error, sizeof o->error, "line %d, column %d: %.220s", err->line, err->col, err->msg);
    else
        snprintf(o->error, sizeof o->error, "%.250s", err->msg);
}

void scrape_take(ScrapeTarget *t, const PromScrapeConfig *job, MetricsStore *store, bool created,
    const ScrapeAnswer *answer, ScrapeOutcome *ret) {
    Take x;
    Err err = {0};
    ErrCode code = answer->code;
    bool empty = answer->body.n == 0, read = code == OK && answer->status == 200;
    begin(&x, t, job, answer->body.n, answer->t_ms, ret);
    x.reads_created = created;
    if (store->ops->takes_wire_labels) {
        x.batch.read_labels = read_labels;
        x.batch.read_ctx = &x;
    }
    if (code != OK)
        err_set(&err, code, "%s", answer->error);
    else if (answer->status != 200)
        code = err_set(&err, ERR_UNAVAILABLE, "server returned HTTP status %d %s", answer->status,
            answer->status_text[0] ? answer->status_text : http_status_text(answer->status));
    else if (!empty) /* nothing needs no format */
        code = take_body(&x, answer, &err);
    ret->up = code == OK;
    if (code != OK) { /* all or nothing: a half-read exposition would look like vanished series */
        set_error(ret, &err);
        ret->over_body_limit = job->set.limits.body_bytes && strcmp(ret->error, SCRAPE_BODY_LIMIT) == 0;
        clear_batch(&x);
        scrape_exemplars_forget_all(t); /* some may have been taken for known that were not kept */
    }
    if (code != OK || empty)
        end_all(&x);
    else
        end_unseen(&x);
    add_reports(&x, ret, answer->duration_s, read ? answer->body.n : 0, job->set.extra_metrics, false);
    append(&x, store, ret);
    arena_free(x.arena);
}

/* One append for many targets: a job that goes may have thousands, and each append waits for the disk. */
void scrape_end(const LeavingTarget *v, size_t n, MetricsStore *store) {
    for (size_t i = 0; i < n;) {
        Take x;
        ScrapeOutcome out;
        Arena *arena = NULL;
        MetricsBatch batch = {0};
        for (size_t series = 0; i < n && series < END_SERIES_MAX; i++) {
            ScrapeTarget *t = v[i].target;
            if (t->scrapes == 0) continue;
            begin(&x, t, NULL, 0, v[i].end_ms, &out);
            if (arena) { /* goes on where the one before it has ended */
                arena_free(x.arena);
                x.arena = arena;
                x.batch = batch;
            }
            end_all(&x);
            add_reports(&x, &out, 0, 0, t->job->set.extra_metrics, true);
            arena = x.arena;
            batch = x.batch;
            series = batch.series.n;
        }
        if (!arena) return;
        x.batch = batch;
        x.batch.newest_only = true;
        x.batch.not_after_ms = 0; /* the times are ours, and lie as far apart as the targets' intervals */
        append(&x, store, &out);
        arena_free(arena);
    }
}
