/* promqltest_load.c - loads series lines of promqltest scripts into the test store. */
#include "metrics/promql/promqltest_int.h"

#include "base/num.h"

#include <stdlib.h>

/* --- loading --- */

static void load_line(MetricsStore *store, Arena *a, const SeqLine *l, int64_t step_ms) {
    for (size_t i = 0; i < l->items.n; i++) {
        const SeqItem *it = &l->items.v[i];
        int64_t t = (int64_t)i * step_ms, start = it->started ? t + it->start_ms : 0;
        if (it->omitted) continue;
        if (it->h)
            test_store_add_histogram(store, l->labels, t, fh_to_model(a, it->h), start);
        else
            test_store_add(store, l->labels, t, it->v, start);
    }
}

typedef struct NhcbGroup {
    Labels labels;
    const SeqLine *sum, *count;
    VEC(ClassicBucket) bounds; /* count: index of the line */
    VEC(const SeqLine *) lines;
} NhcbGroup;

static int cmp_bound(const void *a, const void *b) {
    double x = ((const ClassicBucket *)a)->upper, y = ((const ClassicBucket *)b)->upper;
    return (x > y) - (x < y);
}

static const SeqItem *item_at(const SeqLine *l, size_t i) {
    return l && i < l->items.n && !l->items.v[i].omitted && !l->items.v[i].h ? &l->items.v[i] : NULL;
}

/* The group's histogram at position i; NULL when there are no buckets. */
static FHist *nhcb_at(Arena *a, NhcbGroup *g, size_t i) {
    FHist *h = ARENA_NEW(a, FHist);
    double *bounds = ARENA_ARRAY(a, double, g->bounds.n), before = 0;
    SeqNumbers v = {0};
    h->schema = HISTOGRAM_SCHEMA_CUSTOM;
    for (size_t k = 0; k < g->bounds.n; k++) {
        const SeqItem *it = item_at(g->lines.v[(size_t)g->bounds.v[k].count], i);
        if (!it) continue;
        if (!avec_push(a, &v, it->v - before)) return NULL;
        before = h->count = it->v;
        if (!isinf(g->bounds.v[k].upper)) bounds[h->n_bounds++] = g->bounds.v[k].upper;
    }
    const SeqItem *count = item_at(g->count, i), *sum = item_at(g->sum, i);
    if (!v.n && !count) return NULL;
    if (count) {
        if (v.n == h->n_bounds && !avec_push(a, &v, count->v - before)) return NULL;
        h->count = count->v;
    }
    if (sum) h->sum = sum->v;
    h->bounds = bounds;
    seq_set_buckets(a, &h->pos, &v, 0);
    fh_compact(h);
    return h;
}

static NhcbGroup *group_of(NhcbGroup *groups, size_t *n, Labels labels) {
    for (size_t i = 0; i < *n; i++)
        if (labels_eq(groups[i].labels, labels)) return &groups[i];
    groups[*n] = (NhcbGroup){.labels = labels};
    return &groups[(*n)++];
}

static Labels relabel(Arena *a, Labels l, Str name, bool drop_le) {
    Label *v = ARENA_ARRAY(a, Label, l.n);
    size_t n = 0;
    for (size_t i = 0; i < l.n; i++) {
        if (drop_le && str_eq_lit(l.v[i].name, "le")) continue;
        v[n] = l.v[i];
        if (str_eq(v[n].name, LABEL_NAME_METRIC)) v[n].value = name;
        n++;
    }
    return (Labels){v, n};
}

static void load_nhcb(MetricsStore *store, Arena *a, const SeqLines *lines, int64_t step_ms) {
    NhcbGroup *groups = arena_alloc_zero(a, (lines->n + 1) * sizeof *groups);
    size_t n = 0, longest = 0;
    for (size_t i = 0; i < lines->n; i++) {
        const SeqLine *l = &lines->v[i];
        Str name = labels_metric(l->labels);
        double upper;
        longest = MAX(longest, l->items.n);
        if (str_ends_with(name, STR("_bucket")) && num_parse_f64(labels_get(l->labels, STR("le")), &upper)) {
            NhcbGroup *g = group_of(groups, &n, relabel(a, l->labels, str_slice(name, 0, name.n - 7), true));
            vec_push(&g->bounds, (ClassicBucket){upper, (double)g->lines.n});
            vec_push(&g->lines, l);
        } else if (str_ends_with(name, STR("_count"))) {
            group_of(groups, &n, relabel(a, l->labels, str_slice(name, 0, name.n - 6), true))->count = l;
        } else if (str_ends_with(name, STR("_sum"))) {
            group_of(groups, &n, relabel(a, l->labels, str_slice(name, 0, name.n - 4), true))->sum = l;
        }
    }
    for (size_t k = 0; k < n; k++) {
        NhcbGroup *g = &groups[k];
        if (g->bounds.n) qsort(g->bounds.v, g->bounds.n, sizeof *g->bounds.v, cmp_bound);
        for (size_t i = 0; g->bounds.n && i < longest; i++) {
            FHist *h = nhcb_at(a, g, i);
            if (h) test_store_add_histogram(store, g->labels, (int64_t)i * step_ms, fh_to_model(a, h), 0);
        }
        vec_done(&g->bounds);
        vec_done(&g->lines);
    }
}

void seq_load(MetricsStore *store, Arena *a, const SeqLines *lines, int64_t step_ms, bool nhcb) {
    for (size_t i = 0; i < lines->n; i++) {
        bool later = false;
        for (size_t j = i + 1; j < lines->n; j++) later |= labels_eq(lines->v[i].labels, lines->v[j].labels);
        if (!later) load_line(store, a, &lines->v[i], step_ms);
    }
    if (nhcb) load_nhcb(store, a, lines, step_ms);
}
