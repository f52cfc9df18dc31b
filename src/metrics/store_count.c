/* store_count.c - how many series have which label, by symbols.
 *
 * With a million series in memory and the same ones in the newest part, two million label sets are looked at: each is
 * the sum of its labels' hashes, which are made once per label, and a table of exact size says which were there before.
 */
#include "base/hash.h"
#include "metrics/store_int.h"

#include <stdlib.h>

#define CANCEL_EVERY 1024
#define BATCH 64 /* series whose places in the table are fetched together */

/* A label as the symbols of one source. */
typedef struct PairCount {
    uint32_t name, value;
    uint64_t hash;
    uint64_t n;
} PairCount;

/* Series that are looked at together. */
typedef struct Batch {
    size_t n;
    uint64_t hashes[BATCH];
    size_t ends[BATCH];   /* of their places */
    VEC(uint32_t) places; /* of their labels in PairCounts.v */
} Batch;

typedef struct PairCounts {
    SymbolSource *source;
    U64Map *places; /* name << 32 | value -> where in v */
    VEC(PairCount) v;
    VEC(uint32_t) last; /* places of the labels of the series before: neighbours share most */
    Batch batch;
} PairCounts;

/* Label sets that were counted, by hash, open addressing: a slot keeps the hash's lower half, the upper half says where
 * to look. Of a billion sets that are looked up one may be taken for another: good enough for counting, and half the
 * memory, which is what the time goes by. */
typedef struct SeenSet {
    uint32_t *slots; /* 0: free; NULL: with one source there is nothing to look for */
    unsigned bits;
} SeenSet;

typedef struct CountSource {
    size_t at; /* as view_match_ids counts */
    IdList ids;
} CountSource;

typedef struct Counter {
    View *view;
    const MetricsSelect *req;
    VEC(CountSource) sources; /* those with matching series; fewest series first */
    SeenSet seen;
    Arena *scratch;
    MetricsCountFn fn;
    void *ctx;
    uint64_t series;
} Counter;

/* --- label sets that were counted --- */
static void seen_init(SeenSet *s, size_t n) {
    s->bits = 4;
    while (((size_t)1 << s->bits) < 2 * n) s->bits++;
    s->slots = mem_alloc_zero(((size_t)1 << s->bits) * sizeof *s->slots);
}

static size_t seen_home(const SeenSet *s, uint64_t hash) { return (size_t)(hash >> (64 - s->bits)); }

/* Whether it is new; it is kept with `keep`. */
static bool seen_add(SeenSet *s, uint64_t hash, bool keep) {
    if (!s->slots) return true;
    uint32_t tag = MAX((uint32_t)hash, 1);
    size_t mask = ((size_t)1 << s->bits) - 1, i = seen_home(s, hash);
    while (s->slots[i] != 0 && s->slots[i] != tag) i = (i + 1) & mask;
    if (s->slots[i] == tag) return false;
    if (keep) s->slots[i] = tag;
    return true;
}

/* --- the labels of one source --- */
static uint64_t pair_hash(const SymbolSource *s, uint32_t name, uint32_t value) {
    Str n = symbol_source_text(s, name), v = symbol_source_text(s, value);
    return hash_bytes(v.p, v.n, hash_bytes(n.p, n.n, hash_process_seed()));
}

static uint32_t pair_place(PairCounts *p, uint32_t name, uint32_t value) {
    bool is_new;
    uint64_t *place = u64map_put(p->places, (uint64_t)name << 32 | value, &is_new);
    if (is_new) {
        *place = p->v.n;
        vec_push(&p->v, (PairCount){name, value, pair_hash(p->source, name, value), 0});
    }
    return (uint32_t)*place;
}

static void batch_add(PairCounts *p, SeriesSymbols x) {
    Batch *b = &p->batch;
    uint64_t sum = 0;
    for (uint32_t k = 0; k < x.n; k++) {
        if (k == p->last.n) vec_push(&p->last, pair_place(p, x.names[k], x.values[k]));
        const PairCount *before = &p->v.v[p->last.v[k]];
        if (before->name != x.names[k] || before->value != x.values[k])
            p->last.v[k] = pair_place(p, x.names[k], x.values[k]);
        sum += p->v.v[p->last.v[k]].hash;
        vec_push(&b->places, p->last.v[k]);
    }
    b->hashes[b->n] = hash_u64(sum);
    b->ends[b->n++] = b->places.n;
}

static void pair_counts_done(PairCounts *p) {
    u64map_free(p->places);
    vec_done(&p->v);
    vec_done(&p->last);
    vec_done(&p->batch.places);
}

/* --- counting --- */
/* Whether tombstones leave nothing of a part's series in the range. */
static ErrCode is_deleted(Counter *c, size_t at, uint32_t id, bool *ret, Err *reterr) {
    View *v = c->view;
    SourceSeriesVec one = {0};
    SourceSeries ss = {.source = (uint32_t)at, .id = id};
    *ret = false;
    if (v->tombs->n == 0 || at >= v->parts.n) return OK;
    arena_reset(c->scratch);
    ErrCode code = mpart_labels(v->parts.v[at].obj, id, c->scratch, &ss.labels, reterr);
    if (code != OK || !tombs_touch(v->tombs, v->parts.v[at].info.id, ss.labels)) return code;
    vec_push(&one, ss);
    MetricsSelect req = *c->req; /* what looking for deleted samples takes is given back */
    req.arena = c->scratch;
    code = view_drop_deleted(v, &req, &one, reterr);
    *ret = code == OK && one.n == 0;
    vec_done(&one);
    return code;
}

/* Those of at most BATCH series that are to be counted. */
static ErrCode batch_fill(Counter *c, size_t at, PairCounts *p, IdList ids, Err *reterr) {
    Batch *b = &p->batch;
    b->n = 0;
    vec_clear(&b->places);
    for (size_t i = 0; i < ids.n; i++) {
        SeriesSymbols x;
        bool deleted;
        ErrCode code = is_deleted(c, at, ids.v[i], &deleted, reterr);
        if (code == OK && deleted) continue;
        if (code == OK) code = symbol_source_series(p->source, ids.v[i], &x, reterr);
        if (code != OK) return code;
        batch_add(p, x);
        if (c->seen.slots) __builtin_prefetch(&c->seen.slots[seen_home(&c->seen, b->hashes[b->n - 1])], 1);
    }
    return OK;
}

static void batch_count(Counter *c, PairCounts *p, bool is_last) {
    const Batch *b = &p->batch;
    for (size_t i = 0; i < b->n; i++) {
        if (!seen_add(&c->seen, b->hashes[i], !is_last)) continue;
        for (size_t k = i ? b->ends[i - 1] : 0; k < b->ends[i]; k++) p->v.v[b->places.v[k]].n++;
        c->series++;
    }
}

static ErrCode count_source(Counter *c, const CountSource *from, Err *reterr) {
    SymbolSource s = symbol_source_open(c->view, from->at);
    PairCounts p = {.source = &s, .places = u64map_create()};
    ErrCode code = OK;
    for (size_t i = 0; i < from->ids.n && code == OK; i += BATCH) {
        IdList ids = {from->ids.v + i, MIN((size_t)BATCH, from->ids.n - i)};
        code = batch_fill(c, from->at, &p, ids, reterr);
        if (code == OK && c->req->cancel && *c->req->cancel) code = err_set(reterr, ERR_CANCELLED, "query cancelled");
        if (code == OK) batch_count(c, &p, from == &c->sources.v[c->sources.n - 1]);
    }
    vec_foreach(const PairCount, x, &p.v) if (x->n)
        c->fn(c->ctx, symbol_source_text(&s, x->name), symbol_source_text(&s, x->value), x->n);
    symbol_source_close(&s);
    pair_counts_done(&p);
    return code;
}

/* --- all sources --- */
/* What is damaged is counted (see MetricsStoreStats), and the rest is served. */
static ErrCode unless_damaged(Counter *c, ErrCode code) {
    if (code != ERR_CORRUPT) return code;
    c->view->store->corrupt_blocks++;
    return OK;
}

static int by_series(const void *a, const void *b) {
    size_t x = ((const CountSource *)a)->ids.n, y = ((const CountSource *)b)->ids.n;
    return x < y ? -1 : x > y;
}

static ErrCode find_sources(Counter *c, Err *reterr) {
    ErrCode code = OK;
    for (size_t at = 0; at < c->view->parts.n + c->view->n_heads && code == OK; at++) {
        CountSource x = {.at = at};
        code = unless_damaged(c, view_match_ids(c->view, at, c->req, &x.ids, reterr));
        if (x.ids.n)
            vec_push(&c->sources, x);
        else
            mem_free(x.ids.v);
    }
    if (c->sources.n) qsort(c->sources.v, c->sources.n, sizeof *c->sources.v, by_series);
    return code;
}

static ErrCode count_all(Counter *c, Err *reterr) {
    size_t n_kept = 0; /* the last source's series are looked up only */
    ErrCode code = find_sources(c, reterr);
    for (size_t i = 0; i + 1 < c->sources.n; i++) n_kept += c->sources.v[i].ids.n;
    if (n_kept) seen_init(&c->seen, n_kept);
    for (size_t i = 0; i < c->sources.n && code == OK; i++)
        code = unless_damaged(c, count_source(c, &c->sources.v[i], reterr));
    return code;
}

ErrCode store_count(
    MetricsStore *base, const MetricsSelect *req, MetricsCountFn fn, void *ctx, uint64_t *ret_series, Err *reterr) {
    View *v = view_open(CONTAINER_OF(base, EmbeddedStore, base), req->arena);
    if (!v) return err_set(reterr, ERR_TOO_LARGE, "the query's memory budget is used up");
    Counter c = {.view = v, .req = req, .fn = fn, .ctx = ctx, .scratch = arena_create(ARENA_UNLIMITED)};
    ErrCode code = count_all(&c, reterr);
    vec_foreach(CountSource, x, &c.sources) mem_free(x->ids.v);
    vec_done(&c.sources);
    mem_free(c.seen.slots);
    arena_free(c.scratch);
    *ret_series = c.series;
    return code;
}
