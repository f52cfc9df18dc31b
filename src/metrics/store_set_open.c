/* store_set_open.c - finding the series of a selection: those of every source in the order of labels, put together. */
#include "metrics/store_set_int.h"

#include <stdlib.h>

#define SYMBOLS_PER_SERIES                                                                                             \
    16 /* a head with more of them than so many per series found: ranking all is not worth it                          \
        */

static ErrCode exhausted(Err *reterr) { return err_set(reterr, ERR_TOO_LARGE, "the query's memory budget is used up"); }

ErrCode view_labels(View *v, SetSource at, Arena *arena, Labels *ret, Err *reterr) {
    if (at.source < v->parts.n) return mpart_labels(v->parts.v[at.source].obj, at.id, arena, ret, reterr);
    Head *h = v->heads[at.source - v->parts.n];
    head_lock_read(h);
    *ret = head_labels(h, at.id, arena);
    head_unlock(h);
    return ret->v ? OK : exhausted(reterr);
}

/* --- the order of a head's series --- */

typedef struct Labelled {
    Labels labels;
    uint32_t id;
} Labelled;

static int by_labels(const void *a, const void *b) {
    return labels_cmp(((const Labelled *)a)->labels, ((const Labelled *)b)->labels);
}

static ErrCode sort_by_labels(Head *h, IdList *ids, Arena *scratch, Err *reterr) {
    Labelled *v = ARENA_ARRAY(scratch, Labelled, ids->n);
    if (!v) return exhausted(reterr);
    head_lock_read(h);
    for (size_t i = 0; i < ids->n; i++) v[i] = (Labelled){head_labels(h, ids->v[i], scratch), ids->v[i]};
    head_unlock(h);
    if (arena_exhausted(scratch)) return exhausted(reterr);
    qsort(v, ids->n, sizeof *v, by_labels);
    for (size_t i = 0; i < ids->n; i++) ids->v[i] = v[i].id;
    return OK;
}

typedef struct Ranked {
    SeriesSymbols symbols;
    uint32_t id;
} Ranked;

typedef struct Symbol {
    Str text;
    uint32_t id;
} Symbol;

static int by_text(const void *a, const void *b) {
    return str_cmp(((const Symbol *)a)->text, ((const Symbol *)b)->text);
}

static int by_ranks(const void *a, const void *b, void *ctx) {
    const uint32_t *rank = ctx;
    const SeriesSymbols *x = &((const Ranked *)a)->symbols, *y = &((const Ranked *)b)->symbols;
    for (uint32_t i = 0; i < MIN(x->n, y->n); i++) {
        if (x->names[i] != y->names[i]) return rank[x->names[i]] < rank[y->names[i]] ? -1 : 1;
        if (x->values[i] != y->values[i]) return rank[x->values[i]] < rank[y->values[i]] ? -1 : 1;
    }
    return x->n < y->n ? -1 : x->n > y->n;
}

/* Very many series: the symbols are put in order once, then series compare by numbers. The lock is not held while
 * sorting. */
static ErrCode sort_by_ranks(Head *h, IdList *ids, Arena *scratch, Err *reterr) {
    head_lock_read(h);
    size_t n_symbols = head_symbol_count(h);
    Ranked *v = ARENA_ARRAY(scratch, Ranked, ids->n);
    Symbol *symbols = ARENA_ARRAY(scratch, Symbol, n_symbols);
    uint32_t *rank = ARENA_ARRAY(scratch, uint32_t, n_symbols);
    bool fits = v && symbols && rank;
    for (size_t i = 0; fits && i < n_symbols; i++) symbols[i] = (Symbol){head_symbol(h, (uint32_t)i), (uint32_t)i};
    for (size_t i = 0; fits && i < ids->n; i++) v[i] = (Ranked){head_series_symbols(h, ids->v[i]), ids->v[i]};
    head_unlock(h);
    if (!fits) return exhausted(reterr);
    qsort(symbols, n_symbols, sizeof *symbols, by_text);
    for (size_t i = 0; i < n_symbols; i++) rank[symbols[i].id] = (uint32_t)i;
    qsort_r(v, ids->n, sizeof *v, by_ranks, rank);
    for (size_t i = 0; i < ids->n; i++) ids->v[i] = v[i].id;
    return OK;
}

static ErrCode sort_head(Head *h, IdList *ids, const Arena *budget, Err *reterr) {
    if (ids->n < 2) return OK;
    Arena *scratch = arena_create(arena_left_bytes(budget));
    head_lock_read(h);
    bool many = head_symbol_count(h) / SYMBOLS_PER_SERIES < ids->n;
    head_unlock(h);
    ErrCode code = many ? sort_by_ranks(h, ids, scratch, reterr) : sort_by_labels(h, ids, scratch, reterr);
    arena_free(scratch);
    return code;
}

/* --- putting the sources together --- */

typedef struct Run {
    uint32_t source;
    IdList ids;
    size_t at;
    Labels labels; /* of ids.v[at] */
    Arena *arena;  /* for them */
} Run;

typedef struct Runs {
    Run *v; /* with some series each; while merging in the order of their labels, equal ones by source */
    size_t n, total;
} Runs;

static bool goes_before(const Run *a, const Run *b) {
    int c = labels_cmp(a->labels, b->labels);
    return c ? c < 0 : a->source < b->source;
}

/* Puts the run at `from` where it belongs among those behind it, which are in order. */
static void sift(Runs *r, size_t from) {
    Run x = r->v[from];
    size_t lo = from + 1, hi = r->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (goes_before(&r->v[mid], &x))
            lo = mid + 1;
        else
            hi = mid;
    }
    memmove(&r->v[from], &r->v[from + 1], (lo - 1 - from) * sizeof x);
    r->v[lo - 1] = x;
}

static ErrCode run_labels(EmbeddedSet *s, Run *x, Err *reterr) {
    arena_reset(x->arena);
    return view_labels(s->view, (SetSource){x->source, x->ids.v[x->at]}, x->arena, &x->labels, reterr);
}

static void drop_run(Runs *r, size_t at) {
    Run *x = &r->v[at];
    mem_free(x->ids.v);
    arena_free(x->arena);
    r->n--;
    memmove(x, x + 1, (r->n - at) * sizeof *x);
}

/* Puts a run, those behind which are in order, to the place that its series has; one without any more goes. */
static ErrCode place_run(EmbeddedSet *s, Runs *r, size_t at, Err *reterr) {
    Run *x = &r->v[at];
    ErrCode code = x->at < x->ids.n ? run_labels(s, x, reterr) : ERR_NOT_FOUND;
    if (code == OK)
        sift(r, at);
    else if (code == ERR_NOT_FOUND || code == ERR_CORRUPT)
        drop_run(r, at);
    else
        return code;
    if (code == ERR_CORRUPT) s->view->store->corrupt_blocks++; /* the rest is served; counted, see MetricsStoreStats */
    return OK;
}

static ErrCode merge_runs(EmbeddedSet *s, Runs *r, Err *reterr) {
    ErrCode code = OK;
    size_t n = 0;
    s->base.n = 0;
    for (size_t i = 0; i < r->n; i++) r->v[i].arena = arena_create(ARENA_UNLIMITED);
    for (size_t i = r->n; code == OK && i-- > 0;) code = place_run(s, r, i, reterr);
    while (code == OK && r->n > 0) {
        if (s->base.n % 1024 == 0 && s->req.cancel && *s->req.cancel)
            return err_set(reterr, ERR_CANCELLED, "query cancelled");
        size_t same = 1;
        while (same < r->n && labels_eq(r->v[0].labels, r->v[same].labels)) same++;
        s->first[s->base.n++] = (uint32_t)n;
        for (size_t i = 0; i < same; i++) s->sources[n++] = (SetSource){r->v[i].source, r->v[i].ids.v[r->v[i].at]};
        while (code == OK && same-- > 0) { /* the last first: those before it stay where they are */
            r->v[same].at++;
            code = place_run(s, r, same, reterr);
        }
    }
    s->first[s->base.n] = (uint32_t)n;
    return code;
}

static ErrCode fill_from(EmbeddedSet *s, Runs *r, Err *reterr) {
    Arena *arena = s->req.arena;
    if (r->total >= UINT32_MAX) return exhausted(reterr);
    s->sources = ARENA_ARRAY(arena, SetSource, r->total);
    if (!s->sources) return exhausted(reterr);
    if (r->n > 1) {
        s->first = ARENA_ARRAY(arena, uint32_t, r->total + 1);
        return s->first ? merge_runs(s, r, reterr) : exhausted(reterr);
    }
    s->base.n = r->total;
    for (size_t i = 0; i < r->total; i++) s->sources[i] = (SetSource){r->v[0].source, r->v[0].ids.v[i]};
    return OK;
}

/* --- all of it --- */

static bool source_is_typed(View *v, size_t source) {
    Head *h = source < v->parts.n ? NULL : v->heads[source - v->parts.n];
    if (h) head_lock_read(h);
    PostingIndex x = h ? head_postings(h) : mpart_postings(v->parts.v[source].obj);
    bool typed =
        x.name_find(x.ctx, STR("__type__")) != POSTINGS_NONE || x.name_find(x.ctx, STR("__unit__")) != POSTINGS_NONE;
    if (h) head_unlock(h);
    return typed;
}

static ErrCode collect_runs(EmbeddedSet *s, Runs *r, Err *reterr) {
    View *v = s->view;
    for (size_t i = 0; i < v->parts.n + v->n_heads; i++) {
        IdList ids;
        ErrCode code = view_match_ids(v, i, &s->req, &ids, reterr);
        if (code == OK && ids.n) {
            r->v[r->n++] = (Run){.source = (uint32_t)i, .ids = ids};
            r->total += ids.n;
            s->base.typed = s->base.typed || source_is_typed(v, i);
            continue;
        }
        mem_free(ids.v);
        if (code == ERR_CORRUPT)
            v->store->corrupt_blocks++;
        else if (code != OK)
            return code;
    }
    return OK;
}

/* A part's series are in order; a head's need not be when it is alone and nobody wants them to be. */
static ErrCode sort_runs(EmbeddedSet *s, Runs *r, Err *reterr) {
    View *v = s->view;
    ErrCode code = OK;
    for (size_t i = 0; i < r->n && code == OK && (r->n > 1 || !s->req.any_order); i++)
        if (r->v[i].source >= v->parts.n)
            code = sort_head(v->heads[r->v[i].source - v->parts.n], &r->v[i].ids, s->req.arena, reterr);
    return code;
}

ErrCode set_fill(EmbeddedSet *s, Err *reterr) {
    Runs r = {.v = mem_alloc_zero((s->view->parts.n + s->view->n_heads) * sizeof *r.v)};
    ErrCode code = collect_runs(s, &r, reterr);
    if (code == OK) code = sort_runs(s, &r, reterr);
    if (code == OK) code = fill_from(s, &r, reterr);
    for (size_t i = 0; i < r.n; i++) {
        mem_free(r.v[i].ids.v);
        arena_free(r.v[i].arena);
    }
    mem_free(r.v);
    return code;
}
