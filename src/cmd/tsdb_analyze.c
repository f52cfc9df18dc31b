/* tsdb_analyze.c - churn and cardinality of a block's labels, in promtool's words. */
#include "base/map.h"
#include "base/vec.h"
#include "cmd/tsdb_cmd.h"

#include <stdio.h>
#include <stdlib.h>

#define STEP_MAX 100000 /* widest bucket of a distribution */

typedef VEC(uint32_t) Sizes;

typedef struct Entry {
    Str key;
    uint64_t n;
} Entry;

struct TsdbAnalysis {
    int64_t min_t, max_t;
    Matchers matchers;
    Map *name_uncovered, *pair_uncovered; /* time not covered by the series, summed */
    Map *pair_count;                      /* "name=value" -> series */
    Map *name_length, *name_values;       /* per name: bytes of its values, their number */
    Map *metrics;                         /* metric name -> series */
    uint64_t series, entries;
    Sizes float_samples, float_bytes, histogram_samples, histogram_bytes, histogram_buckets; /* of each chunk */
    Buf key;
};

TsdbAnalysis *tsdb_analysis_create(int64_t min_t, int64_t max_t, Matchers matchers) {
    TsdbAnalysis *a = NEW(TsdbAnalysis);
    a->min_t = min_t;
    a->max_t = max_t;
    a->matchers = matchers;
    Map **maps[] = {
        &a->name_uncovered, &a->pair_uncovered, &a->pair_count, &a->name_length, &a->name_values, &a->metrics};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) *maps[i] = map_create(MAP_COPY_KEYS);
    return a;
}

TsdbAnalysis *tsdb_analysis_free(TsdbAnalysis *a) {
    if (!a) return NULL;
    Map *maps[] = {a->name_uncovered, a->pair_uncovered, a->pair_count, a->name_length, a->name_values, a->metrics};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) map_free(maps[i]);
    Sizes *sizes[] = {
        &a->float_samples, &a->float_bytes, &a->histogram_samples, &a->histogram_bytes, &a->histogram_buckets};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) vec_done(sizes[i]);
    buf_done(&a->key);
    mem_free(a);
    return NULL;
}

uint64_t tsdb_analysis_series(const TsdbAnalysis *a) { return a->series; }

static void add_chunks(TsdbAnalysis *a, const TsdbSeriesInfo *s) {
    for (size_t i = 0; s->chunk_samples && i < s->n_chunks; i++) {
        bool floats = s->chunk_buckets[i] == TSDB_CHUNK_FLOATS;
        vec_push(floats ? &a->float_samples : &a->histogram_samples, s->chunk_samples[i]);
        vec_push(floats ? &a->float_bytes : &a->histogram_bytes, s->chunk_bytes[i]);
        if (!floats) vec_push(&a->histogram_buckets, s->chunk_buckets[i]);
    }
}

void tsdb_analysis_add(TsdbAnalysis *a, const TsdbSeriesInfo *s) {
    if (s->n_chunks == 0 || !matchers_match(a->matchers, s->labels)) return;
    uint64_t uncovered = (uint64_t)(a->max_t - a->min_t) - (uint64_t)(s->max_t - s->min_t);
    for (size_t i = 0; i < s->labels.n; i++) {
        Label l = s->labels.v[i];
        bool is_new;
        buf_clear(&a->key);
        buf_put_str(&a->key, l.name);
        buf_put_char(&a->key, '=');
        buf_put_str(&a->key, l.value);
        *map_put(a->name_uncovered, l.name, NULL) += uncovered;
        *map_put(a->pair_uncovered, buf_str(&a->key), NULL) += uncovered;
        *map_put(a->pair_count, buf_str(&a->key), &is_new) += 1;
        if (is_new) *map_put(a->name_length, l.name, NULL) += l.value.n;
        if (is_new) *map_put(a->name_values, l.name, NULL) += 1;
        if (str_eq(l.name, LABEL_NAME_METRIC)) *map_put(a->metrics, l.value, NULL) += 1;
        a->entries++;
    }
    a->series++;
    add_chunks(a, s);
}

static int by_number(const void *a, const void *b) {
    const Entry *x = a, *y = b;
    return x->n != y->n ? (x->n > y->n ? -1 : 1) : str_cmp(x->key, y->key);
}

/* The largest ones; values are divided by `by`. */
static void put_list(Buf *out, const char *title, const Map *map, double by, int64_t limit) {
    size_t n = 0, it = 0;
    Entry *v = mem_alloc_array(MAX(map_count(map), 1), sizeof *v);
    Str key;
    uint64_t *value;
    while (map_next(map, &it, &key, &value)) v[n++] = (Entry){key, (uint64_t)((double)*value / by)};
    if (n) qsort(v, n, sizeof *v, by_number);
    buf_printf(out, "\n%s:\n", title);
    for (size_t i = 0; i < n && i < (size_t)limit; i++)
        buf_printf(out, "%llu %.*s\n", (unsigned long long)v[i].n, (int)v[i].key.n, v[i].key.p);
    mem_free(v);
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int width(uint64_t v) { return snprintf(NULL, 0, "%llu", (unsigned long long)v); }

/* Buckets of 10, 100, ..., about ten of them; # for each hundredth of all chunks. */
static void put_distribution(Buf *out, const char *what, Sizes *v, size_t all) {
    if (v->n == 0) {
        buf_printf(out, "%s: N/A\n\n", what);
        return;
    }
    qsort(v->v, v->n, sizeof *v->v, by_size);
    uint64_t least = v->v[0], most = v->v[v->n - 1], step = 10, sum = 0;
    while (step < (most - least) / 10 && step < STEP_MAX) step *= 10;
    uint64_t start = least - least % step, end = most - most % step + step;
    size_t n = (size_t)((end - start) / step + 1), fullest = 0;
    size_t *counts = mem_alloc_zero(n * sizeof *counts);
    vec_foreach(const uint32_t, size, v) {
        size_t at = (size_t)((*size - start) / step);
        sum += *size;
        counts[at]++;
        fullest = MAX(fullest, counts[at]);
    }
    buf_printf(out, "%s (min/avg/max): %llu/%llu/%llu\n", what, (unsigned long long)least,
        (unsigned long long)(sum / v->n), (unsigned long long)most);
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "[%*llu, %*llu]: %*zu ", width(end), (unsigned long long)(i * step + start + 1),
            width(end + step), (unsigned long long)((i + 1) * step + start), width(fullest), counts[i]);
        for (size_t k = 0; k < 100 * counts[i] / all; k++) buf_put_char(out, '#');
        buf_put_char(out, '\n');
    }
    buf_put_char(out, '\n');
    mem_free(counts);
}

static void put_chunks(TsdbAnalysis *a, Buf *out) {
    size_t all = a->float_samples.n + a->histogram_samples.n;
    buf_put_lit(out, "\nCompaction analysis:\n\n");
    put_distribution(out, "samples per float chunk", &a->float_samples, all);
    put_distribution(out, "bytes per float chunk", &a->float_bytes, all);
    put_distribution(out, "samples per histogram chunk", &a->histogram_samples, all);
    put_distribution(out, "bytes per histogram chunk", &a->histogram_bytes, all);
    put_distribution(out, "buckets per histogram chunk", &a->histogram_buckets, all);
}

void tsdb_analysis_put(TsdbAnalysis *a, const char *match, int64_t limit, bool extended, Buf *out) {
    double range = (double)MAX(a->max_t - a->min_t, 1);
    if (match) buf_printf(out, "Matcher: %s\n", match);
    buf_printf(out, "Label names: %zu\n", map_count(a->name_values));
    if (match) buf_printf(out, "Matched series: %llu\n", (unsigned long long)a->series);
    buf_printf(out, "Postings (unique label pairs): %zu\nPostings entries (total label pairs): %llu\n",
        map_count(a->pair_count), (unsigned long long)a->entries);
    put_list(out, "Label pairs most involved in churning", a->pair_uncovered, range, limit);
    put_list(out, "Label names most involved in churning", a->name_uncovered, range, limit);
    put_list(out, "Most common label pairs", a->pair_count, 1, limit);
    put_list(out, "Label names with highest cumulative label value length", a->name_length, 1, limit);
    put_list(out, "Highest cardinality labels", a->name_values, 1, limit);
    put_list(out, "Highest cardinality metric names", a->metrics, 1, limit);
    if (extended) put_chunks(a, out);
}
