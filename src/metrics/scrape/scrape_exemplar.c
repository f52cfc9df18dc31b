/* scrape_exemplar.c - which exemplars of a target are news. Targets repeat them at every scrape, a native histogram
 * several of them. Source: Prometheus' exemplar storage, validateExemplar; OpenMetrics 1.0 for their length. */
#include "base/hash.h"
#include "base/num.h"
#include "metrics/scrape/scrape_int.h"

#include <stdlib.h>

/* The newest one of a series. */
typedef struct Mark {
    int64_t t_ms;
    double value;
    uint64_t labels;
    bool has_t;
} Mark;

static bool is_valid(const Exemplar *e) {
    for (size_t i = 0; i < e->labels.n; i++)
        if (e->labels.v[i].name.n == 0) return false;
    return exemplar_length(e) <= EXEMPLAR_LENGTH_MAX;
}

static bool same_value(double a, double b) { return f64_bits(a) == f64_bits(b); }

/* Of one time, those of several buckets are told apart by their values, then by their labels. */
static bool is_newer(const Mark *m, const Mark *than) {
    if (m->labels == than->labels && same_value(m->value, than->value) && !m->has_t && !than->has_t) return false;
    if (m->t_ms != than->t_ms) return m->t_ms > than->t_ms;
    if (!same_value(m->value, than->value)) return !(m->value < than->value);
    return m->labels > than->labels;
}

bool scrape_exemplar_is_news(ScrapeTarget *t, uint64_t series, const Exemplar *e, bool has_t) {
    if (!is_valid(e)) return false;
    if (!t->exemplars) t->exemplars = u64map_create();
    bool first;
    uint64_t *at = u64map_put(t->exemplars, series, &first);
    if (first) *at = (uint64_t)(uintptr_t)NEW(Mark);
    Mark *newest = (Mark *)(uintptr_t)*at, m = {e->t_ms, e->value, labels_hash(e->labels), has_t};
    if (!first && !is_newer(&m, newest)) return false;
    *newest = m;
    return true;
}

static int by_age(const void *a, const void *b) {
    const Exemplar *x = a, *y = b;
    if (x->t_ms != y->t_ms) return x->t_ms < y->t_ms ? -1 : 1;
    if (x->value < y->value) return -1;
    return x->value > y->value;
}

void scrape_exemplars_sort(Exemplar *v, size_t n) {
    if (n > 1) qsort(v, n, sizeof *v, by_age);
}

void scrape_exemplar_forget(ScrapeTarget *t, uint64_t series) {
    uint64_t mark = 0;
    if (t->exemplars && u64map_remove(t->exemplars, series, &mark)) mem_free((void *)(uintptr_t)mark);
}

void scrape_exemplars_forget_all(ScrapeTarget *t) {
    size_t it = 0;
    uint64_t key, *value;
    while (t->exemplars && u64map_next(t->exemplars, &it, &key, &value)) mem_free((void *)(uintptr_t)*value);
    u64map_free(t->exemplars);
    t->exemplars = NULL;
}
