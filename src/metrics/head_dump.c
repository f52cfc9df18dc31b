#include "metrics/head_dump.h"

#include "metrics/head_int.h"

#include <stdlib.h>

typedef struct Row {
    uint64_t key; /* orders most rows without a look at the rest of their labels */
    uint32_t id;
} Row;

struct HeadDump {
    Head *head;
    IndexSeries **pages; /* as they were; pages and what they hold stay */
    Shape *shapes;
    size_t n_shapes, n_all; /* n_all: series of the index */
    Row *rows;
    size_t n;
    uint32_t *ranks; /* by symbol of the index; UINT32_MAX: no row uses it */
    Str *symbols;    /* sorted */
    size_t n_symbols;
    VEC(uint32_t) names, values;
};

static const IndexSeries *series_at(const HeadDump *d, uint32_t id) {
    return &d->pages[id / INDEX_PAGE][id % INDEX_PAGE];
}

static const uint32_t *values_of(const HeadDump *d, const IndexSeries *s) { return index_values(d->head->index, s); }

static bool has_samples(const HeadDump *d, uint32_t id) {
    const HeadSeries *s = head_series(d->head, id);
    int64_t min_t, max_t;
    return s && head_range_of(d->head, s, &min_t, &max_t);
}

/* --- symbols --- */
typedef struct Used {
    Str text;
    uint32_t symbol;
} Used;

static int used_order(const void *a, const void *b) {
    return str_cmp(((const Used *)a)->text, ((const Used *)b)->text);
}

static void mark_used(HeadDump *d, uint32_t symbol, size_t *count) {
    if (d->ranks[symbol] == 0) return;
    d->ranks[symbol] = 0;
    (*count)++;
}

/* Fills ranks and symbols. `texts` are all symbols of the index. */
static void rank_symbols(HeadDump *d, const Str *texts, size_t n_texts) {
    size_t n = 0;
    d->ranks = mem_alloc_array(MAX(n_texts, 1), sizeof *d->ranks);
    memset(d->ranks, 0xff, n_texts * sizeof *d->ranks);
    for (size_t i = 0; i < d->n; i++) {
        const IndexSeries *s = series_at(d, d->rows[i].id);
        const Shape *shape = &d->shapes[s->shape];
        const uint32_t *values = values_of(d, s);
        for (uint32_t k = 0; k < shape->n; k++) {
            mark_used(d, shape->names[k], &n);
            mark_used(d, values[k], &n);
        }
    }
    Used *used = mem_alloc_array(MAX(n, 1), sizeof *used);
    for (size_t i = 0, at = 0; i < n_texts; i++)
        if (d->ranks[i] == 0) used[at++] = (Used){texts[i], (uint32_t)i};
    if (n) qsort(used, n, sizeof *used, used_order);
    d->symbols = mem_alloc_array(MAX(n, 1), sizeof *d->symbols);
    d->n_symbols = n;
    for (size_t i = 0; i < n; i++) {
        d->ranks[used[i].symbol] = (uint32_t)i;
        d->symbols[i] = used[i].text;
    }
    mem_free(used);
}

/* --- order --- */
static int row_order(const void *a, const void *b, void *ctx) {
    const HeadDump *d = ctx;
    const Row *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    const IndexSeries *s = series_at(d, x->id), *t = series_at(d, y->id);
    const Shape *p = &d->shapes[s->shape], *q = &d->shapes[t->shape];
    const uint32_t *u = values_of(d, s), *v = values_of(d, t);
    for (uint32_t i = 0; i < p->n && i < q->n; i++) {
        if (p->names[i] != q->names[i]) return d->ranks[p->names[i]] < d->ranks[q->names[i]] ? -1 : 1;
        if (u[i] != v[i]) return d->ranks[u[i]] < d->ranks[v[i]] ? -1 : 1;
    }
    return p->n < q->n ? -1 : p->n > q->n;
}

/* Whether all shapes begin with the same two names, as __name__ and one that every target has. */
static bool same_beginning(const HeadDump *d) {
    for (size_t i = 0; i < d->n_shapes; i++) {
        const Shape *s = &d->shapes[i], *first = &d->shapes[0];
        if (s->n < 2 || s->names[0] != first->names[0] || s->names[1] != first->names[1]) return false;
    }
    return true;
}

static void order_rows(HeadDump *d) {
    bool keyed = same_beginning(d);
    for (size_t i = 0; i < d->n && keyed; i++) {
        const IndexSeries *s = series_at(d, d->rows[i].id);
        const uint32_t *values = values_of(d, s);
        d->rows[i].key = (uint64_t)d->ranks[values[0]] << 32 | d->ranks[values[1]];
    }
    if (d->n) qsort_r(d->rows, d->n, sizeof *d->rows, row_order, d);
}

/* --- life --- */
HeadDump *head_dump_create(Head *h) {
    HeadDump *d = NEW(HeadDump);
    SeriesIndex *x = h->index;
    d->head = head_ref(h);
    head_lock_read(h);
    size_t n_texts = x->symbols.n;
    Str *texts = mem_alloc_array(MAX(n_texts, 1), sizeof *texts);
    if (n_texts) memcpy(texts, x->symbols.v, n_texts * sizeof *texts);
    d->pages = mem_alloc_array(MAX(x->pages.n, 1), sizeof(IndexSeries *));
    if (x->pages.n) memcpy(d->pages, x->pages.v, x->pages.n * sizeof *d->pages);
    d->n_shapes = x->shapes.n;
    d->shapes = mem_alloc_array(MAX(d->n_shapes, 1), sizeof *d->shapes);
    if (d->n_shapes) memcpy(d->shapes, x->shapes.v, d->n_shapes * sizeof *d->shapes);
    d->n_all = x->n_series;
    head_unlock(h);
    d->rows = mem_alloc_array(MAX(h->n_active, 1), sizeof *d->rows);
    for (uint32_t id = 0; id < d->n_all; id++) {
        if (!has_samples(d, id)) continue;
        ASSERT(d->n < h->n_active);
        d->rows[d->n++] = (Row){.id = id};
    }
    rank_symbols(d, texts, n_texts);
    mem_free(texts);
    order_rows(d);
    return d;
}

HeadDump *head_dump_free(HeadDump *d) {
    if (!d) return NULL;
    mem_free(d->pages);
    mem_free(d->shapes);
    mem_free(d->rows);
    mem_free(d->ranks);
    mem_free(d->symbols);
    vec_done(&d->names);
    vec_done(&d->values);
    head_unref(d->head);
    mem_free(d);
    return NULL;
}

size_t head_dump_count(const HeadDump *d) { return d->n; }
uint32_t head_dump_id(const HeadDump *d, size_t i) { return d->rows[i].id; }

void head_dump_labels(HeadDump *d, size_t i, const uint32_t **ret_names, const uint32_t **ret_values, uint32_t *ret_n) {
    const IndexSeries *s = series_at(d, d->rows[i].id);
    const Shape *shape = &d->shapes[s->shape];
    const uint32_t *values = values_of(d, s);
    vec_clear(&d->names);
    vec_clear(&d->values);
    for (uint32_t k = 0; k < shape->n; k++) {
        vec_push(&d->names, d->ranks[shape->names[k]]);
        vec_push(&d->values, d->ranks[values[k]]);
    }
    *ret_names = d->names.v;
    *ret_values = d->values.v;
    *ret_n = shape->n;
}

const Str *head_dump_symbols(const HeadDump *d, size_t *ret_n) {
    *ret_n = d->n_symbols;
    return d->symbols;
}
