/* store_scan_block.c - a block's traces, the latest first, or its spans. */
#include "traces/store_scan_int.h"

typedef struct BlockWalk {
    ScanWorker *w;
    const ScanPart *p;
    uint32_t place;
    size_t block;
    WideBlockInfo info;
    WideBlock *wide;
    ScanColumns *columns; /* NULL: not needed yet */
    const uint64_t *groups;
    const int64_t *t;
    bool before, after; /* its first, its last trace goes on in the neighbour */
} BlockWalk;

static bool is_cut(const BlockWalk *x, uint64_t group) {
    return (x->before && group == x->info.min_group) || (x->after && group == x->info.max_group);
}

static bool neighbours_share(const TracePart *p, size_t block, uint64_t group) {
    if (block >= p->n_blocks) return false;
    WideBlockInfo info = wide_part_block_info(p->wide, block);
    return group >= info.min_group && group <= info.max_group;
}

static ErrCode open_columns(BlockWalk *x) {
    ScanWorker *w = x->w;
    if (x->columns) return OK;
    ErrCode e = scan_batch_begin(w, x->p->part->n_resources, x->p->part->n_scopes);
    return e ? e : scan_columns_open(w, x->p, x->block, x->wide, &x->columns);
}

/* --- traces --- */

static ErrCode walk_trace(BlockWalk *x, uint32_t from, uint32_t to) {
    ScanWorker *w = x->w;
    const Scan *s = w->scan;
    uint8_t met = 0, met_in_window = 0;
    for (uint32_t i = from; i < to; i++) {
        met |= w->mask[i];
        if (scan_in_window(s, x->t[i])) met_in_window |= w->mask[i];
    }
    if (!met_in_window) return OK;
    TraceId id = trace_part_id(x->p->part, x->groups[from]);
    if (trace_is_deleted(s->deletions, id, x->p->id)) return OK;
    bool cut = is_cut(x, x->groups[from]);
    if (cut || scan_is_elsewhere(s, id, x->place)) return scan_hand_out_collected(w, id);
    if (met != s->all) return OK;
    ErrCode e = open_columns(x);
    if (e) return e;
    scan_batch_clear(&w->batch);
    e = scan_put_rows(w, x->columns, NULL, from, to);
    if (e != ERR_TOO_LARGE) return e ? e : scan_hand_out(w, &w->batch.b);
    w->stats.too_large++;
    x->columns = NULL; /* the batch is used up and made anew */
    return OK;
}

static ErrCode walk_traces(BlockWalk *x) {
    for (uint32_t to = x->info.rows; to > 0;) {
        uint32_t from = to - 1;
        while (from > 0 && x->groups[from - 1] == x->groups[from]) from--;
        ErrCode e = walk_trace(x, from, to);
        if (!e) e = scan_poll(x->w);
        if (e) return e;
        to = from;
    }
    return OK;
}

/* --- spans --- */

/* Takes out of keep what is deleted, or has to be collected from several places; those are handed out at once. */
static ErrCode sort_out_trace(BlockWalk *x, uint32_t from, uint32_t to) {
    ScanWorker *w = x->w;
    const Scan *s = w->scan;
    uint8_t any = 0;
    for (uint32_t i = from; i < to; i++) any |= w->keep[i];
    if (!any) return OK;
    TraceId id = trace_part_id(x->p->part, x->groups[from]);
    bool gone = trace_is_deleted(s->deletions, id, x->p->id);
    bool cut =
        is_cut(x, x->groups[from]) && (s->req->need.ids || s->req->need.everything); /* parents in the neighbour */
    bool several = !gone && (cut || (scan_is_elsewhere(s, id, x->place) && !scan_is_huge(s, id)));
    if (gone || several) memset(w->keep + from, 0, to - from);
    return several ? scan_hand_out_collected(w, id) : OK;
}

static ErrCode walk_spans(BlockWalk *x) {
    ScanWorker *w = x->w;
    uint8_t any = 0;
    for (uint32_t i = 0; i < x->info.rows; i++)
        any |= w->keep[i] = w->mask[i] == w->scan->all && scan_in_window(w->scan, x->t[i]);
    if (!any) return OK;
    for (uint32_t from = 0; from < x->info.rows;) {
        uint32_t to = from + 1;
        while (to < x->info.rows && x->groups[to] == x->groups[from]) to++;
        ErrCode e = sort_out_trace(x, from, to);
        if (!e) e = scan_poll(w);
        if (e) return e;
        from = to;
    }
    ErrCode e = open_columns(x);
    if (e) return e;
    scan_batch_clear(&w->batch);
    e = scan_put_rows(w, x->columns, w->keep, 0, x->info.rows);
    return e || w->batch.b.rows.n == 0 ? e : scan_hand_out(w, &w->batch.b);
}

ErrCode scan_walk_block(ScanWorker *w, const ScanItem *item) {
    const ScanPart *p = &w->scan->parts[item->place];
    BlockWalk x = {.w = w, .p = p, .place = item->place, .block = item->from};
    x.info = wide_part_block_info(p->part->wide, x.block);
    x.before = x.block > 0 && neighbours_share(p->part, x.block - 1, x.info.min_group);
    x.after = neighbours_share(p->part, x.block + 1, x.info.max_group);
    w->stats.blocks++;
    w->stats.bytes += p->block_bytes;
    arena_reset(w->block_arena);
    bool whole = w->scan->req->whole;
    ErrCode e = wide_block_open(p->part->wide, x.block, w->block_arena, &x.wide, w->err);
    if (!e) e = wide_block_times(x.wide, &x.t, w->err);
    if (!e) e = wide_block_groups(x.wide, &x.groups, w->err);
    if (!e) e = scan_block_masks(w, p, x.block, x.wide, !whole);
    if (e) return e;
    return whole ? walk_traces(&x) : walk_spans(&x);
}
