/* store_scan_whole.c - traces that lie in several parts or heads: found out, collected whole, handed out once. */
#include "traces/store_scan_int.h"

#define HUGE_BLOCKS 8 /* tens of thousands of spans */

bool scan_is_elsewhere(const Scan *s, TraceId id, uint32_t place) {
    for (uint32_t i = 0; i < s->n_parts; i++) {
        uint64_t number;
        if (i != place && trace_part_lookup(s->parts[i].part, id, &number) &&
            !trace_is_deleted(s->deletions, id, s->parts[i].id)) {
            return true;
        }
    }
    bool found = false;
    for (uint32_t i = 0; i < s->n_heads && !found; i++) {
        const ScanHead *h = &s->heads[i];
        if (s->n_parts + i == place) continue;
        if (h->active) mutex_lock(&s->engine->head_lock);
        const HeadTrace *t = trace_head_trace(h->head, id);
        found = t && t->last != HEAD_NONE && t->last >= t->deleted_before;
        if (h->active) mutex_unlock(&s->engine->head_lock);
    }
    return found;
}

/* Parents may lie in a neighbouring block: who needs them needs the trace in one piece. */
bool scan_is_huge(const Scan *s, TraceId id) {
    if (s->req->whole || s->req->need.ids || s->req->need.everything) return false;
    size_t blocks = 0;
    for (uint32_t i = 0; i < s->n_parts && blocks < HUGE_BLOCKS; i++) {
        uint64_t number;
        size_t first, end;
        if (!trace_part_lookup(s->parts[i].part, id, &number)) continue;
        trace_part_blocks_of(s->parts[i].part, number, &first, &end);
        if (end - first > 1) blocks += end - first;
    }
    return blocks >= HUGE_BLOCKS;
}

/* false: somebody has it already. */
static bool is_first(Scan *s, TraceId id) {
    bool fresh;
    mutex_lock(&s->lock);
    map_put(s->seen, str_of((const char *)id.b, sizeof id.b), &fresh);
    mutex_unlock(&s->lock);
    return fresh;
}

/* A cursor of the part; the one that was not used for longest gives way. */
static TracePartCursor *cursor_of_part(ScanWorker *w, const TracePart *p) {
    ScanCursor *oldest = &w->cursors[0];
    for (size_t i = 0; i < SCAN_CURSORS; i++) {
        ScanCursor *c = &w->cursors[i];
        if (c->c.part == p) {
            c->used = ++w->ticks;
            return &c->c;
        }
        if (c->used < oldest->used) oldest = c;
    }
    if (oldest->c.part) trace_part_cursor_done(&oldest->c);
    trace_part_cursor_init(&oldest->c, p);
    oldest->used = ++w->ticks;
    return &oldest->c;
}

static ErrCode collect_heads(ScanWorker *w, TraceId id, SpanSink *sink) {
    Scan *s = w->scan;
    for (uint32_t i = 0; i < s->n_heads; i++) {
        ScanHead *h = &s->heads[i];
        if (h->active) mutex_lock(&s->engine->head_lock);
        const HeadTrace *t = trace_head_trace(h->head, id);
        HeadTrace copy = t ? *t : (HeadTrace){.last = HEAD_NONE};
        if (h->active) mutex_unlock(&s->engine->head_lock);
        if (copy.last == HEAD_NONE) continue;
        if (!trace_head_read_chain(h->head, copy.last, copy.deleted_before, sink)) return scan_no_memory(w);
    }
    return OK;
}

static ErrCode collect_parts(ScanWorker *w, TraceId id, SpanSink *sink) {
    Scan *s = w->scan;
    ErrCode e = OK;
    for (uint32_t i = 0; !e && i < s->n_parts; i++) {
        uint64_t number;
        if (!trace_part_lookup(s->parts[i].part, id, &number) || trace_is_deleted(s->deletions, id, s->parts[i].id))
            continue;
        size_t before = sink->batch->rows.n;
        e = trace_part_read(cursor_of_part(w, s->parts[i].part), number, sink, w->err);
        if (e == ERR_CORRUPT) { /* what is in other places is still shown */
            sink->batch->rows.n = before;
            w->stats.corrupt_blocks++;
            e = OK;
        }
    }
    return e;
}

static void keep_window(const Scan *s, SpansBatch *b) {
    size_t n = 0;
    for (size_t i = 0; i < b->rows.n; i++) {
        if (scan_in_window(s, b->rows.v[i].start_ns)) b->rows.v[n++] = b->rows.v[i];
    }
    b->rows.n = n;
}

ErrCode scan_hand_out_collected(ScanWorker *w, TraceId id) {
    if (!is_first(w->scan, id)) return OK;
    arena_reset(w->trace_arena);
    SpansBatch b = {.arena = w->trace_arena};
    SpanSink sink;
    span_sink_init(&sink, &b);
    ErrCode e = collect_heads(w, id, &sink);
    if (!e) e = collect_parts(w, id, &sink);
    span_sink_done(&sink);
    if (e == ERR_TOO_LARGE) {
        w->stats.too_large++;
        return OK;
    }
    if (e) return e;
    (void)span_batch_sort_dedupe(&b);
    if (!w->scan->req->whole) keep_window(w->scan, &b);
    return b.rows.n ? scan_hand_out(w, &b) : OK;
}
