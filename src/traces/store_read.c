#include "traces/store_int.h"

#include <stdlib.h>

#define NOT_FOUND_TEXT "trace not found"

/* --- get --- */

typedef struct HeadChain {
    Head *head;
    uint32_t last, deleted_before;
} HeadChain;

static size_t find_chains(TraceEngine *e, TraceId id, HeadChain ret[HEADS_MAX], TraceDeletions *ret_deletions) {
    Head *heads[HEADS_MAX];
    size_t n = 0;
    mutex_lock(&e->head_lock);
    size_t n_heads = trace_engine_heads(e, heads);
    for (size_t i = 0; i < n_heads; i++) {
        const HeadTrace *t = trace_head_trace(heads[i], id);
        if (t) ret[n++] = (HeadChain){trace_head_ref(heads[i]), t->last, t->deleted_before};
    }
    *ret_deletions = trace_engine_deletions(e);
    mutex_unlock(&e->head_lock);
    for (size_t i = 0; i < n_heads; i++) trace_head_unref(heads[i]);
    return n;
}

static ErrCode read_parts(TraceEngine *e, TraceId id, TraceDeletions deletions, SpanSink *sink, Err *reterr) {
    PartSnapshot snap;
    ErrCode code = OK;
    partset_snapshot(e->parts, &snap);
    for (size_t i = 0; !code && i < snap.n; i++) {
        uint64_t number;
        const TracePart *p = snap.v[i].obj;
        if (!trace_part_lookup(p, id, &number) || trace_is_deleted(deletions, id, snap.v[i].info.id)) continue;
        TracePartCursor c;
        trace_part_cursor_init(&c, p);
        size_t before = sink->batch->rows.n;
        code = trace_part_read(&c, number, sink, reterr);
        trace_part_cursor_done(&c);
        if (code != ERR_CORRUPT) continue;
        atomic_fetch_add(&e->corrupt_blocks, 1);
        sink->batch->rows.n = before; /* its rows may lack their parents; other parts may have more of the trace */
        code = OK;
    }
    partset_release(e->parts, &snap);
    return code;
}

ErrCode trace_engine_get(TraceStore *s, TraceId id, Arena *arena, SpansBatch *ret, Err *reterr) {
    TraceEngine *e = engine_of(s);
    HeadChain chains[HEADS_MAX];
    TraceDeletions deletions;
    size_t n = find_chains(e, id, chains, &deletions);
    *ret = (SpansBatch){.arena = arena};
    SpanSink sink;
    span_sink_init(&sink, ret);
    ErrCode code = OK;
    for (size_t i = 0; i < n; i++) {
        bool ok = code || trace_head_read_chain(chains[i].head, chains[i].last, chains[i].deleted_before, &sink);
        if (!ok) code = err_set(reterr, ERR_TOO_LARGE, "the trace is too large");
        trace_head_unref(chains[i].head);
    }
    if (!code) code = read_parts(e, id, deletions, &sink, reterr);
    span_sink_done(&sink);
    mem_free((void *)(uintptr_t)deletions.v);
    if (code) return code;
    span_batch_sort_dedupe(ret);
    return ret->rows.n ? OK : err_set(reterr, ERR_NOT_FOUND, NOT_FOUND_TEXT);
}

/* --- find --- */

ErrCode trace_engine_find(TraceStore *s, const TraceFind *request, TraceId **ret, size_t *ret_n, Err *reterr) {
    TraceEngine *e = engine_of(s);
    TraceFind req = *request;
    if (req.end_ns == 0) req.end_ns = INT64_MAX;
    Head *heads[HEADS_MAX];
    HeadView views[HEADS_MAX];
    FindQuery q;
    trace_find_query_init(&q, &req);
    mutex_lock(&e->head_lock);
    size_t n = trace_engine_heads(e, heads);
    for (size_t i = 0; i < n; i++) trace_head_view_init(&views[i], heads[i], &q);
    q.deletions = trace_engine_deletions(e);
    mutex_unlock(&e->head_lock);
    ErrCode code = OK;
    for (size_t i = n; i-- > 0;) {
        if (!code) code = trace_head_find(&views[i], &q, reterr);
        trace_head_view_done(&views[i]);
        trace_head_unref(heads[i]);
    }
    if (!code) {
        PartSnapshot snap;
        partset_snapshot(e->parts, &snap);
        code = trace_parts_find(&snap, &q, reterr);
        partset_release(e->parts, &snap);
    }
    atomic_fetch_add(&e->corrupt_blocks, q.corrupt_blocks);
    trace_top_compact(&q.top);
    size_t hits = q.top.hits.n;
    *ret_n = 0;
    *ret = code ? NULL : ARENA_ARRAY(req.arena, TraceId, hits);
    if (!code && !*ret) code = err_set(reterr, ERR_TOO_LARGE, "too many traces");
    for (size_t i = 0; !code && i < hits; i++) (*ret)[(*ret_n)++] = q.top.hits.v[i].id;
    mem_free((void *)(uintptr_t)q.deletions.v);
    trace_find_query_done(&q);
    return code;
}

/* --- services and operations --- */

static int cmp_str(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

/* Keys of a set, sorted, copied into the arena. */
static ErrCode take_names(const Map *set, Arena *arena, Str **ret, size_t *ret_n, Err *reterr) {
    Str *v = ARENA_ARRAY(arena, Str, map_count(set) + 1);
    size_t n = 0, it = 0;
    Str key;
    uint64_t *value;
    while (v && map_next(set, &it, &key, &value)) v[n++] = arena_copy(arena, key);
    if (!v || arena_exhausted(arena)) return err_set(reterr, ERR_TOO_LARGE, "too many names");
    qsort(v, n, sizeof *v, cmp_str);
    *ret = v;
    *ret_n = n;
    return OK;
}

ErrCode trace_engine_services(TraceStore *s, Arena *arena, Str **ret, size_t *ret_n, Err *reterr) {
    TraceEngine *e = engine_of(s);
    Map *set = map_create(MAP_COPY_KEYS);
    mutex_lock(&e->head_lock);
    for (size_t i = 0; i <= e->n_frozen; i++) {
        const Head *h = i < e->n_frozen ? e->frozen[i] : e->active;
        vec_foreach(const Str, name, &h->services) map_put(set, *name, NULL);
    }
    mutex_unlock(&e->head_lock);
    PartSnapshot snap;
    partset_snapshot(e->parts, &snap);
    for (size_t i = 0; i < snap.n; i++) {
        const TracePart *p = snap.v[i].obj;
        for (uint32_t k = 0; k < p->n_services; k++) map_put(set, p->services[k], NULL);
    }
    partset_release(e->parts, &snap);
    ErrCode code = take_names(set, arena, ret, ret_n, reterr);
    map_free(set);
    return code;
}

static int cmp_operation(const void *a, const void *b) {
    const TraceOperation *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c ? c : (int)x->kind - (int)y->kind;
}

/* The set's keys are the kind and the name. */
static void put_operation(Map *set, Buf *key, Str name, uint8_t kind) {
    buf_clear(key);
    buf_put_char(key, (char)kind);
    buf_put_str(key, name);
    map_put(set, buf_str(key), NULL);
}

static void head_operations(const Head *h, Str service, SpanKind kind, Map *set, Buf *key) {
    vec_foreach(const HeadOp, o, &h->ops) {
        if (kind != SPAN_UNSPECIFIED && o->kind != kind) continue;
        if (str_eq(h->services.v[o->service], service)) put_operation(set, key, h->names.v[o->name], o->kind);
    }
}

static void part_operations(const TracePart *p, Str service, SpanKind kind, Map *set, Buf *key) {
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const TracePartOp *o = &p->ops[i];
        if (kind != SPAN_UNSPECIFIED && o->kind != kind) continue;
        if (str_eq(p->services[o->service], service)) put_operation(set, key, o->name, o->kind);
    }
}

static ErrCode take_operations(const Map *set, Arena *arena, TraceOperation **ret, size_t *ret_n, Err *reterr) {
    TraceOperation *v = ARENA_ARRAY(arena, TraceOperation, map_count(set) + 1);
    size_t n = 0, it = 0;
    Str key;
    uint64_t *value;
    while (v && map_next(set, &it, &key, &value)) {
        v[n++] = (TraceOperation){arena_copy(arena, str_skip(key, 1)), (uint8_t)key.p[0]};
    }
    if (!v || arena_exhausted(arena)) return err_set(reterr, ERR_TOO_LARGE, "too many names");
    qsort(v, n, sizeof *v, cmp_operation);
    *ret = v;
    *ret_n = n;
    return OK;
}

ErrCode trace_engine_operations(
    TraceStore *s, Str service, SpanKind kind, Arena *arena, TraceOperation **ret, size_t *ret_n, Err *reterr) {
    TraceEngine *e = engine_of(s);
    Map *set = map_create(MAP_COPY_KEYS);
    Buf key = {0};
    mutex_lock(&e->head_lock);
    for (size_t i = 0; i < e->n_frozen; i++) head_operations(e->frozen[i], service, kind, set, &key);
    head_operations(e->active, service, kind, set, &key);
    mutex_unlock(&e->head_lock);
    PartSnapshot snap;
    partset_snapshot(e->parts, &snap);
    for (size_t i = 0; i < snap.n; i++) part_operations(snap.v[i].obj, service, kind, set, &key);
    partset_release(e->parts, &snap);
    ErrCode code = take_operations(set, arena, ret, ret_n, reterr);
    buf_done(&key);
    map_free(set);
    return code;
}

/* --- delete --- */

ErrCode trace_engine_delete_trace(TraceStore *s, TraceId id, Err *reterr) {
    TraceEngine *e = engine_of(s);
    mutex_lock(&e->merge_lock); /* no part may appear that was begun before the deletion */
    mutex_lock(&e->flush_lock);
    HeadChain chains[HEADS_MAX];
    TraceDeletions deletions;
    size_t n = find_chains(e, id, chains, &deletions);
    bool known = false;
    for (size_t i = 0; i < n; i++) {
        known |= chains[i].last != HEAD_NONE && chains[i].last >= chains[i].deleted_before;
        trace_head_unref(chains[i].head);
    }
    PartSnapshot snap;
    partset_snapshot(e->parts, &snap);
    for (size_t i = 0; i < snap.n && !known; i++) {
        uint64_t number;
        known = trace_part_lookup(snap.v[i].obj, id, &number) && !trace_is_deleted(deletions, id, snap.v[i].info.id);
    }
    partset_release(e->parts, &snap);
    mem_free((void *)(uintptr_t)deletions.v);
    ErrCode code = known ? OK : err_set(reterr, ERR_NOT_FOUND, NOT_FOUND_TEXT);
    if (!code) code = commit_submit(e->commits, WAL_DELETE, str_of((const char *)id.b, sizeof id.b), NULL, reterr);
    if (!code) {
        trace_engine_delete_in_parts(e, id, &known);
        (void)trace_engine_save_deletions(
            e, NULL); /* the log has it; the next flush tries again before the log is cut */
    }
    mutex_unlock(&e->flush_lock);
    mutex_unlock(&e->merge_lock);
    return code;
}
