/* cardinality.c - /status/tsdb and /api/meerkat/v1/cardinality: which metric and which label makes how many series.
 *
 * The store counts series label by label; with a million of them there are far fewer labels. */
#include "metrics/api/api_int.h"

#include "base/heap.h"
#include "base/map.h"
#include "base/num.h"
#include "sys/clock.h"

#include <stdlib.h>

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define LIMIT_MAX 10000

typedef struct Cardinality {
    Map *metrics;                /* name -> series */
    Map *values, *bytes, *pairs; /* label -> values, bytes of them; "label=value" -> series */
    Map *labels;                 /* label -> series */
    Map *focus;                  /* value of the label that was asked for -> series */
    Str focus_label;
    uint64_t series;
    Buf pair; /* scratch */
} Cardinality;

static void cardinality_init(Cardinality *k, Str focus_label) {
    *k = (Cardinality){.focus_label = focus_label};
    Map **maps[] = {&k->metrics, &k->values, &k->bytes, &k->pairs, &k->labels, &k->focus};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) *maps[i] = map_create(MAP_COPY_KEYS);
}

static void cardinality_done(Cardinality *k) {
    Map *maps[] = {k->metrics, k->values, k->bytes, k->pairs, k->labels, k->focus};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) map_free(maps[i]);
    buf_done(&k->pair);
}

static void count_label(void *ctx, Str name, Str value, uint64_t n) {
    Cardinality *k = ctx;
    bool new_pair;
    buf_clear(&k->pair);
    buf_put_str(&k->pair, name);
    buf_put_char(&k->pair, '=');
    buf_put_str(&k->pair, value);
    *map_put(k->pairs, buf_str(&k->pair), &new_pair) += n;
    *map_put(k->labels, name, NULL) += n;
    if (str_eq(name, LABEL_NAME_METRIC)) *map_put(k->metrics, value, NULL) += n;
    if (str_eq(name, k->focus_label)) *map_put(k->focus, value, NULL) += n;
    if (!new_pair) return;
    ++*map_put(k->values, name, NULL);
    *map_put(k->bytes, name, NULL) += value.n;
}

static ErrCode count_listed(MetricsStore *store, const MetricsSelect *sel, Cardinality *k, Err *err) {
    Labels *v = NULL;
    size_t n = 0;
    ErrCode rc = store->ops->series(store, sel, 0, &v, &n, err);
    for (size_t i = 0; rc == OK && i < n; i++)
        for (size_t j = 0; j < v[i].n; j++) count_label(k, v[i].v[j].name, v[i].v[j].value, 1);
    if (rc == OK) k->series += n;
    return rc;
}

static ErrCode count_range(ApiCall *c, Matchers matchers, int64_t min_t, int64_t max_t, Cardinality *k, Err *err) {
    MetricsStore *store = c->api->opts.store;
    Arena *scratch = arena_create(c->api->opts.query_arena_bytes);
    MetricsSelect sel = {.matchers = matchers, .min_t_ms = min_t, .max_t_ms = max_t, .arena = scratch};
    ErrCode rc = store->ops->count ? store->ops->count(store, &sel, count_label, k, &k->series, err)
                                   : count_listed(store, &sel, k, err);
    arena_free(scratch);
    return rc;
}

/* --- the busiest ones --- */

typedef struct Count {
    Str name;
    uint64_t n;
} Count;
typedef VEC(Count) Counts;

static int by_count(const void *a, const void *b) {
    const Count *x = a, *y = b;
    if (x->n != y->n) return x->n < y->n ? 1 : -1;
    return str_cmp(x->name, y->name);
}

/* The heap's first is the one that leaves next. */
static int worst_first(const void *a, const void *b, void *ctx) {
    (void)ctx;
    return by_count(b, a);
}

/* The largest ones, at most limit of them, in order. */
static void top_counts(const Map *map, size_t limit, Counts *out) {
    Heap heap = {.cmp = worst_first};
    size_t it = 0;
    Str name;
    uint64_t *n;
    vec_reserve(out, MIN(limit, map_count(map)) + 1); /* never moves: the heap points into it */
    while (map_next(map, &it, &name, &n)) {
        Count c = {name, *n};
        if (out->n < limit) {
            vec_push(out, c);
            heap_push(&heap, vec_last(out));
        } else if (by_count(&c, heap_peek(&heap)) < 0) {
            *(Count *)heap_peek(&heap) = c;
            heap_fix_top(&heap);
        }
    }
    heap_done(&heap);
    if (out->n > 1) qsort(out->v, out->n, sizeof *out->v, by_count);
}

static void put_top(JsonWriter *w, const char *key, const Map *map, size_t limit) {
    Counts all = {0};
    top_counts(map, limit, &all);
    json_key(w, str_cstr(key));
    json_begin_array(w);
    for (size_t i = 0; i < all.n && i < limit; i++) {
        json_begin_object(w);
        json_pair_str(w, "name", all.v[i].name);
        json_pair_u64(w, "value", all.v[i].n);
        json_end_object(w);
    }
    json_end_array(w);
    vec_done(&all);
}

/* --- /status/tsdb --- */

static void put_status(JsonWriter *w, const Cardinality *k, const MetricsStoreStats *s, size_t limit) {
    uint64_t series = k->series; /* of the same two hours as the lists below */
    json_begin_object(w);
    json_key_lit(w, "headStats");
    json_begin_object(w);
    json_pair_u64(w, "numSeries", series);
    json_pair_u64(w, "numLabelPairs", map_count(k->pairs));
    json_pair_u64(w, "chunkCount", series); /* every active series has one that is open */
    json_key_lit(w, "minTime");
    json_i64(w, s->min_t_ms);
    json_key_lit(w, "maxTime");
    json_i64(w, s->max_t_ms);
    json_end_object(w);
    put_top(w, "seriesCountByMetricName", k->metrics, limit);
    put_top(w, "labelValueCountByLabelName", k->values, limit);
    put_top(w, "memoryInBytesByLabelName", k->bytes, limit);
    put_top(w, "seriesCountByLabelValuePair", k->pairs, limit);
    json_end_object(w);
}

static bool top_limit(ApiCall *c, size_t *ret) {
    Str text = http_param(c->req, STR("limit"));
    int64_t limit = 10;
    if (text.n && (!num_parse_i64(text, &limit) || limit < 1))
        return api_fail(c, API_BAD_DATA, "limit must be a positive number");
    if (limit > LIMIT_MAX) return api_fail(c, API_BAD_DATA, "limit must not exceed %d", LIMIT_MAX);
    *ret = (size_t)limit;
    return true;
}

/* Series of the newest two hours there are, as Prometheus looks at its head. */
bool api_tsdb(ApiCall *c) {
    MetricsStore *store = c->api->opts.store;
    MetricsStoreStats stats;
    Cardinality k;
    size_t limit = 0;
    Err err = {0};
    if (!top_limit(c, &limit)) return false;
    store->ops->stats(store, &stats);
    cardinality_init(&k, STR_NULL);
    int64_t newest = stats.max_t_ms, from = newest > API_MIN_TIME_MS + 2 * HOUR_MS ? newest - 2 * HOUR_MS : newest;
    ErrCode rc = count_range(c, (Matchers){0}, from, API_MAX_TIME_MS, &k, &err);
    if (rc == OK)
        put_status(&c->w, &k, &stats, limit);
    else
        api_fail_err(c, &err);
    cardinality_done(&k);
    return rc == OK;
}

/* --- /api/meerkat/v1/cardinality --- */

static uint64_t count_of(const Map *map, Str name) {
    uint64_t *n = map_get(map, name);
    return n ? *n : 0;
}

/* [{"name":..,"series":..,"before":..}], most series first. */
static void put_grown(JsonWriter *w, const char *key, const Map *now, const Map *before, size_t limit) {
    Counts all = {0};
    top_counts(now, limit, &all);
    json_key(w, str_cstr(key));
    json_begin_array(w);
    for (size_t i = 0; i < all.n && i < limit; i++) {
        json_begin_object(w);
        json_pair_str(w, "name", all.v[i].name);
        json_pair_u64(w, "series", all.v[i].n);
        json_pair_u64(w, "before", count_of(before, all.v[i].name));
        json_end_object(w);
    }
    json_end_array(w);
    vec_done(&all);
}

/* By the number of values: a label with many of them is what makes series many. */
static void put_labels(JsonWriter *w, const Cardinality *now, const Cardinality *before, size_t limit) {
    Counts all = {0};
    top_counts(now->values, limit, &all);
    json_key_lit(w, "labels");
    json_begin_array(w);
    for (size_t i = 0; i < all.n && i < limit; i++) {
        json_begin_object(w);
        json_pair_str(w, "name", all.v[i].name);
        json_pair_u64(w, "values", all.v[i].n);
        json_pair_u64(w, "valuesBefore", count_of(before->values, all.v[i].name));
        json_pair_u64(w, "series", count_of(now->labels, all.v[i].name));
        json_pair_u64(w, "bytes", count_of(now->bytes, all.v[i].name));
        json_end_object(w);
    }
    json_end_array(w);
    vec_done(&all);
}

static void put_time(JsonWriter *w, const char *key, int64_t t_ms) {
    Buf b = {0};
    api_put_time(&b, t_ms);
    json_key(w, str_cstr(key));
    json_raw(w, buf_str(&b));
    buf_done(&b);
}

static bool put_refused(ApiCall *c, size_t limit) {
    static const char *const whys[] = {
        [METRICS_REFUSED_TOTAL] = "total", [METRICS_REFUSED_METRIC] = "metric", [METRICS_REFUSED_LABELS] = "labels"};
    MetricsStore *store = c->api->opts.store;
    JsonWriter *w = &c->w;
    MetricsRefused *v = NULL;
    size_t n = 0;
    if (store->ops->refused && !store->ops->refused(store, c->req->arena, &v, &n))
        return api_fail(c, API_EXECUTION, "query needs more memory than it may use");
    json_key_lit(w, "refused");
    json_begin_array(w);
    for (size_t i = 0; i < n && i < limit; i++) {
        json_begin_object(w);
        json_pair_str(w, "metric", v[i].metric);
        json_pair_u64(w, "attempts", v[i].refused);
        put_time(w, "first", v[i].first_ms);
        put_time(w, "last", v[i].last_ms);
        json_pair_str(w, "limit", str_cstr(whys[v[i].why]));
        json_end_object(w);
    }
    json_end_array(w);
    return true;
}

static bool put_cardinality(ApiCall *c, const Cardinality *now, const Cardinality *before, size_t limit) {
    const MetricsLimits *l = &c->api->opts.limits;
    JsonWriter *w = &c->w;
    json_begin_object(w);
    json_pair_u64(w, "series", now->series);
    json_pair_u64(w, "seriesBefore", before->series);
    put_grown(w, "metrics", now->metrics, before->metrics, limit);
    put_labels(w, now, before, limit);
    put_grown(w, "pairs", now->pairs, before->pairs, limit);
    if (now->focus_label.n) put_grown(w, "values", now->focus, before->focus, limit);
    json_key_lit(w, "limits");
    json_begin_object(w);
    json_pair_u64(w, "series", l->series_max);
    json_pair_u64(w, "seriesPerMetric", l->series_per_metric_max);
    json_pair_u64(w, "labels", l->labels_max);
    json_pair_u64(w, "labelNameBytes", l->name_bytes_max);
    json_pair_u64(w, "labelValueBytes", l->value_bytes_max);
    json_end_object(w);
    if (!put_refused(c, limit)) return false;
    json_end_object(w);
    return true;
}

/* start and end: the last hour when missing. compare: how much earlier to count once more; one day. match[]: one
 * selector. label: its values are counted, too. */
bool api_cardinality(ApiCall *c) {
    int64_t end, start, compare = DAY_MS, now_ms = clock_now_ms();
    MatcherSets sets;
    size_t limit = 0;
    Cardinality now, before;
    Err err = {0};
    if (!top_limit(c, &limit) || !api_time_param(c, "end", now_ms, &end) ||
        !api_time_param(c, "start", end - HOUR_MS, &start) || !api_match_param(c, false, &sets))
        return false;
    if (http_has_param(c->req, STR("compare")) && !api_duration_param(c, "compare", &compare)) return false;
    if (sets.n > 1) return api_fail_param(c, "match[]", "one selector is enough");
    Matchers matchers = sets.n ? sets.v[0] : (Matchers){0};
    Str label = http_param(c->req, STR("label"));
    cardinality_init(&now, label);
    cardinality_init(&before, label);
    ErrCode rc = count_range(c, matchers, start, end, &now, &err);
    if (rc == OK) rc = count_range(c, matchers, start - compare, end - compare, &before, &err);
    bool ok = rc == OK ? put_cardinality(c, &now, &before, limit) : api_fail_err(c, &err);
    cardinality_done(&now);
    cardinality_done(&before);
    return ok;
}
