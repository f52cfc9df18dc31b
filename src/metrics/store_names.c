/* store_names.c - names, values and first label sets of many series, by symbols. */
#include "metrics/store_int.h"

#include <stdlib.h>

static ErrCode exhausted(Err *reterr) { return err_set(reterr, ERR_TOO_LARGE, "the query's memory budget is used up"); }

SymbolSource symbol_source_open(View *v, size_t at) {
    SymbolSource s = {.shape = MPART_NO_SHAPE};
    if (at < v->parts.n)
        s.part = v->parts.v[at].obj;
    else
        s.head = v->heads[at - v->parts.n];
    if (s.head) head_lock_read(s.head);
    return s;
}

void symbol_source_close(SymbolSource *s) {
    if (s->head) head_unlock(s->head);
    vec_done(&s->names);
    vec_done(&s->values);
}

size_t symbol_source_count(const SymbolSource *s) {
    return s->part ? mpart_symbol_count(s->part) : head_symbol_count(s->head);
}
Str symbol_source_text(const SymbolSource *s, uint32_t symbol) {
    return s->part ? mpart_symbol(s->part, symbol) : head_symbol(s->head, symbol);
}

ErrCode symbol_source_series(SymbolSource *s, uint32_t id, SeriesSymbols *ret, Err *reterr) {
    if (s->head) {
        *ret = head_series_symbols(s->head, id);
        return OK;
    }
    vec_clear(&s->values);
    ErrCode code = mpart_label_symbols(s->part, id, &s->shape, &s->names, &s->values, reterr);
    *ret = (SeriesSymbols){s->names.v, s->values.v, (uint32_t)s->names.n, s->shape};
    return code;
}

/* --- names and values --- */
typedef struct NameScan {
    SymbolSource *source;
    const Str *values_of; /* NULL: names */
    uint8_t *seen;        /* by symbol */
    uint64_t shape;       /* of the series before; neighbours mostly share it */
    uint32_t place;       /* among its names, of values_of; n: it has none */
    void (*fn)(void *ctx, Str s);
    void *ctx;
} NameScan;

static void see(NameScan *x, uint32_t symbol) {
    if (x->seen[symbol]) return;
    x->seen[symbol] = 1;
    x->fn(x->ctx, symbol_source_text(x->source, symbol));
}

static void scan_series(NameScan *x, SeriesSymbols s) {
    if (s.shape != x->shape) {
        x->shape = s.shape;
        for (x->place = 0; x->place < s.n; x->place++) {
            if (!x->values_of)
                see(x, s.names[x->place]);
            else if (str_eq(symbol_source_text(x->source, s.names[x->place]), *x->values_of))
                break;
        }
    }
    if (x->place < s.n) see(x, s.values[x->place]);
}

static ErrCode names_of_source(
    View *v, size_t at, const IdList *ids, const Str *values_of, void (*fn)(void *ctx, Str s), void *ctx, Err *reterr) {
    SymbolSource s = symbol_source_open(v, at);
    NameScan scan = {.source = &s, .values_of = values_of, .shape = MPART_NO_SHAPE, .fn = fn, .ctx = ctx};
    scan.seen = mem_alloc_zero(MAX(symbol_source_count(&s), 1));
    ErrCode code = OK;
    for (size_t i = 0; i < ids->n && code == OK; i++) {
        SeriesSymbols x;
        code = symbol_source_series(&s, ids->v[i], &x, reterr);
        if (code == OK) scan_series(&scan, x);
    }
    symbol_source_close(&s);
    mem_free(scan.seen);
    return code;
}

ErrCode view_names(
    View *v, const MetricsSelect *req, const Str *values_of, void (*fn)(void *ctx, Str s), void *ctx, Err *reterr) {
    ErrCode code = OK;
    for (size_t at = 0; at < v->parts.n + v->n_heads && code == OK; at++) {
        IdList ids;
        code = view_match_ids(v, at, req, &ids, reterr);
        if (code == OK && ids.n) code = names_of_source(v, at, &ids, values_of, fn, ctx, reterr);
        mem_free(ids.v);
        if (code == ERR_CORRUPT) { /* the rest is served; counted, see MetricsStoreStats */
            v->store->corrupt_blocks++;
            code = OK;
        }
    }
    return code;
}

/* --- the first label sets --- */
static int by_symbols(const void *a, const void *b, void *ctx) {
    const Head *h = ctx;
    SeriesSymbols x = head_series_symbols(h, *(const uint32_t *)a), y = head_series_symbols(h, *(const uint32_t *)b);
    for (uint32_t i = 0; i < x.n && i < y.n; i++) {
        int c = x.names[i] == y.names[i] ? 0 : str_cmp(head_symbol(h, x.names[i]), head_symbol(h, y.names[i]));
        if (c == 0 && x.values[i] != y.values[i]) c = str_cmp(head_symbol(h, x.values[i]), head_symbol(h, y.values[i]));
        if (c) return c;
    }
    return x.n < y.n ? -1 : x.n > y.n;
}

/* The first `limit` of a head's series by labels, in that order; its index lock is held. Keeps up to twice as many,
 * sorts and halves them when that is reached; most series are not less than the last one kept, which is one comparison.
 */
static void head_first(Head *h, IdList *ids, size_t limit) {
    size_t n = 0, sorted = 0;
    for (size_t i = 0; i < ids->n; i++) {
        uint32_t id = ids->v[i];
        if (sorted == limit && by_symbols(&id, &ids->v[limit - 1], h) >= 0) continue;
        ids->v[n++] = id;
        if (n < 2 * limit && i + 1 < ids->n) continue;
        qsort_r(ids->v, n, sizeof *ids->v, by_symbols, h);
        n = sorted = MIN(n, limit);
    }
    if (n) qsort_r(ids->v, n, sizeof *ids->v, by_symbols, h);
    ids->n = MIN(n, limit);
}

static ErrCode first_of_source(
    View *v, size_t at, const MetricsSelect *req, size_t limit, Labels *out, size_t *n, Err *reterr) {
    IdList ids;
    ErrCode code = view_match_ids(v, at, req, &ids, reterr);
    SymbolSource s = symbol_source_open(v, at);
    if (code == OK && s.head) head_first(s.head, &ids, limit);
    for (size_t i = 0; code == OK && i < MIN(limit, ids.n); i++) {
        Labels labels = {0};
        if (s.part)
            code = mpart_labels(s.part, ids.v[i], req->arena, &labels, reterr);
        else
            labels = head_labels(s.head, ids.v[i], req->arena);
        if (code == OK && !labels.v) code = exhausted(reterr);
        if (code == OK) out[(*n)++] = labels;
    }
    symbol_source_close(&s);
    mem_free(ids.v);
    return code;
}

static int labels_order(const void *a, const void *b) { return labels_cmp(*(const Labels *)a, *(const Labels *)b); }

ErrCode view_series_limited(View *v, const MetricsSelect *req, size_t limit, Labels **ret, size_t *ret_n, Err *reterr) {
    size_t n = 0, unique = 0, n_sources = v->parts.n + v->n_heads;
    ErrCode code = OK;
    Labels *out = NULL;
    size_t cap = 0;
    for (size_t at = 0; at < n_sources && code == OK; at++) {
        if (cap < n + limit) {
            cap = n + limit;
            out = mem_realloc_array(out, cap, sizeof *out);
        }
        code = first_of_source(v, at, req, limit, out, &n, reterr);
        if (code == ERR_CORRUPT) {
            v->store->corrupt_blocks++;
            code = OK;
        }
    }
    if (n) qsort(out, n, sizeof *out, labels_order);
    *ret = code == OK ? ARENA_ARRAY(req->arena, Labels, MIN(n, limit)) : NULL;
    if (code == OK && !*ret) code = exhausted(reterr);
    for (size_t i = 0; code == OK && i < n && unique < limit; i++)
        if (unique == 0 || !labels_eq((*ret)[unique - 1], out[i])) (*ret)[unique++] = out[i];
    *ret_n = unique;
    mem_free(out);
    return code;
}
