/* Reading rows in time order: every stream in a head and every block of a part that may have matching rows is a source;
 * a heap merges them. A block stands in the heap by its statistics and is opened only when its turn comes, so a
 * newest-first query with a limit touches the newest blocks and stops. */
#include "base/heap.h"
#include "logs/scan_int.h"

/* Bound on what one block may take while decoded: far above WIDE_BLOCK_BYTES, below ruin. */
#define BLOCK_ARENA_BYTES (256u << 20)

static int cmp_sources(const void *a, const void *b, void *ctx) {
    const Source *x = a, *y = b;
    const Scan *sc = ctx;
    if (x->key == y->key) return (x->seq > y->seq) - (x->seq < y->seq);
    return (x->key < y->key) == sc->req->backward ? 1 : -1;
}

Source *scan_source(Scan *sc, SourceKind kind, int64_t key) {
    Source *src = ARENA_NEW(sc->tables, Source);
    if (!src) return NULL;
    src->kind = kind;
    src->key = key;
    src->seq = (uint32_t)sc->sources.n;
    return avec_push(sc->tables, &sc->sources, src) ? src : NULL;
}

Arena *scan_arena_take(Scan *sc) {
    return sc->free_arenas.n > 0 ? sc->free_arenas.v[--sc->free_arenas.n] : arena_create(BLOCK_ARENA_BYTES);
}

static void source_done(Scan *sc, Source *src) {
    if (src->arena) {
        arena_reset(src->arena);
        vec_push(&sc->free_arenas, src->arena);
    }
    src->arena = NULL;
    src->block = NULL;
}

void scan_init(Scan *sc, const LogSelect *req, LogVisitFn fn, void *ctx, LogScanStats *stats) {
    *sc = (Scan){.req = req, .fn = fn, .ctx = ctx, .stats = stats, .tables = req->arena};
    sc->start_ns = req->start_ns;
    sc->end_ns = req->end_ns;
}

void scan_done(Scan *sc) {
    for (size_t i = 0; i < sc->sources.n; i++) source_done(sc, sc->sources.v[i]);
    for (size_t i = 0; i < sc->free_arenas.n; i++) arena_free(sc->free_arenas.v[i]);
    vec_done(&sc->free_arenas);
    vec_done(&sc->attrs);
}

static bool keep_line(const Scan *sc, Str line) {
    return !sc->req->keep_line || sc->req->keep_line(sc->req->keep_ctx, line);
}

static ErrCode visit_head_row(Scan *sc, const Source *src, const HeadRow *row, Err *reterr) {
    Str line = head_row_line(row);
    sc->stats->rows++;
    sc->stats->bytes += line.n;
    if (!keep_line(sc, line)) return OK;
    vec_clear(&sc->attrs);
    if (!sc->req->skip_metadata && !log_metadata_decode(head_row_metadata(row), &sc->attrs))
        return err_set(reterr, ERR_CORRUPT, "malformed log metadata in memory");
    LogView v = {src->stream->labels, src->stream->hash, row->t_ns, line, sc->attrs.v, sc->attrs.n};
    sc->stopped = !sc->fn(sc->ctx, &v);
    return OK;
}

static int cmp_attr_keys(const void *a, const void *b) {
    return str_cmp(((const Attr *)a)->key, ((const Attr *)b)->key);
}

/* Columns of a block come in the order of the block's fields; one look tells whether that is sorted. */
static void sort_attrs(LogAttrVec *v) {
    for (size_t i = 1; i < v->n; i++)
        if (str_cmp(v->v[i - 1].key, v->v[i].key) > 0) {
            qsort(v->v, v->n, sizeof *v->v, cmp_attr_keys);
            return;
        }
}

static ErrCode block_metadata(Scan *sc, Source *src, uint32_t row, Err *reterr) {
    vec_clear(&sc->attrs);
    if (sc->req->skip_metadata) return OK;
    const WideField *f;
    size_t n;
    ErrCode rc = wide_block_row(src->block, row, &f, &n, reterr);
    if (rc) return rc;
    for (size_t i = 0; i < n; i++)
        if (f[i].name.n > 0 && f[i].value.type != WIDE_NULL)
            vec_push(&sc->attrs, (Attr){f[i].name, attr_of_wide(&f[i].value)});
    sort_attrs(&sc->attrs);
    return OK;
}

static ErrCode visit_block_row(Scan *sc, Source *src, uint32_t row, Err *reterr) {
    bool skip = sc->req->skip_line && !sc->req->keep_line;
    if (!src->lines && !skip) {
        ErrCode rc = wide_block_column(src->block, LOG_LINE_FIELD, &src->lines, reterr);
        if (rc) return rc;
        if (!src->lines) return err_set(reterr, ERR_CORRUPT, "a block of log rows has no lines");
    }
    Str line = !skip && src->lines[row].type == WIDE_STR ? src->lines[row].s : STR_NULL;
    sc->stats->rows++;
    sc->stats->bytes += line.n;
    if (!keep_line(sc, line)) return OK;
    ErrCode rc = block_metadata(sc, src, row, reterr);
    if (rc) return rc;
    const LogPartStream *st = &src->part->streams[src->groups[row]];
    LogView v = {st->labels, st->hash, src->times[row], line, sc->attrs.v, sc->attrs.n};
    sc->stopped = !sc->fn(sc->ctx, &v);
    return OK;
}

/* A bad block costs its rows, not the query: counted, the rest is served. */
static ErrCode block_failed(Scan *sc, ErrCode rc) {
    if (rc != ERR_CORRUPT && rc != ERR_IO) return rc;
    sc->stats->corrupt_blocks++;
    return OK;
}

/* Visits the row the source stands at and moves on; src->more says whether there is another. */
static ErrCode source_step(Scan *sc, Source *src, Err *reterr) {
    switch (src->kind) {
    case SOURCE_CHAIN: {
        const HeadRow *row = chain_row(src);
        ErrCode rc = visit_head_row(sc, src, row, reterr);
        src->more = chain_advance(sc, src);
        if (src->more) src->key = chain_row(src)->t_ns;
        return rc;
    }
    case SOURCE_LATE: {
        ErrCode rc = visit_head_row(sc, src, src->late[src->at], reterr);
        src->more = ++src->at < src->n;
        if (src->more) src->key = src->late[src->at]->t_ns;
        return rc;
    }
    case SOURCE_BLOCK: {
        if (!src->block) {
            ErrCode rc = block_open(sc, src, reterr);
            if (rc) {
                src->more = false;
                return block_failed(sc, rc);
            }
            return OK;
        }
        ErrCode rc = visit_block_row(sc, src, src->rows[src->at], reterr);
        src->more = ++src->at < src->n;
        if (src->more) src->key = src->times[src->rows[src->at]];
        if (rc && (rc = block_failed(sc, rc)) == OK) src->more = false;
        return rc;
    }
    }
    UNREACHABLE();
}

static ErrCode check(Scan *sc, Err *reterr) {
    if (LIKELY((++sc->ticks & 255) != 0) || !sc->req->check) return OK;
    return sc->req->check(sc->req->check_ctx, reterr);
}

static ErrCode run_unordered(Scan *sc, Err *reterr) {
    for (size_t i = 0; i < sc->sources.n; i++) {
        Source *src = sc->sources.v[i];
        for (src->more = true; src->more && !sc->stopped;) {
            ErrCode rc = check(sc, reterr);
            if (rc == OK) rc = source_step(sc, src, reterr);
            if (rc) return rc;
        }
        source_done(sc, src);
        if (sc->stopped) return OK;
    }
    return OK;
}

ErrCode scan_run(Scan *sc, Err *reterr) {
    if (sc->req->any_order) return run_unordered(sc, reterr);
    Heap heap = {.cmp = cmp_sources, .ctx = sc};
    for (size_t i = 0; i < sc->sources.n; i++) heap_push(&heap, sc->sources.v[i]);
    ErrCode rc = OK;
    for (Source *src; rc == OK && !sc->stopped && (src = heap_peek(&heap));) {
        src->more = true;
        rc = check(sc, reterr);
        if (rc == OK) rc = source_step(sc, src, reterr);
        if (src->more) {
            heap_fix_top(&heap);
        } else {
            heap_pop(&heap);
            source_done(sc, src);
        }
    }
    heap_done(&heap);
    return rc;
}

ErrCode scan_parts(
    const PartRef *parts, size_t n, const LogSelect *req, LogVisitFn fn, void *ctx, LogScanStats *ret, Err *reterr) {
    Scan sc;
    scan_init(&sc, req, fn, ctx, ret);
    ErrCode rc = OK;
    for (size_t i = 0; i < n && rc == OK; i++) rc = scan_add_part(&sc, &parts[i], reterr);
    if (rc == OK) rc = scan_run(&sc, reterr);
    scan_done(&sc);
    return rc;
}

ErrCode log_store_select(LogStore *ls, const LogSelect *req, LogVisitFn fn, void *ctx, LogScanStats *ret, Err *reterr) {
    Store *s = CONTAINER_OF(ls, Store, base);
    LogScanStats local = {0};
    Scan sc;
    scan_init(&sc, req, fn, ctx, ret ? ret : &local);
    sc.start_ns = MAX(sc.start_ns, store_oldest_ns(s));
    StoreView view;
    store_view_take(s, &view);
    ErrCode rc = OK;
    for (size_t i = 0; i < view.n_heads && rc == OK; i++) rc = scan_add_head(&sc, view.heads[i], reterr);
    for (size_t i = 0; i < view.parts.n && rc == OK; i++) rc = scan_add_part(&sc, &view.parts.v[i], reterr);
    if (rc == OK) rc = scan_run(&sc, reterr);
    scan_done(&sc);
    store_view_release(s, &view);
    return rc;
}
