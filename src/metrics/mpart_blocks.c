/* mpart_blocks.c - the blocks of a series in a metrics part. */
#include "metrics/mpart_read_int.h"

bool mpart_time_entry(const MPart *p, uint64_t id, MPartTime *ret) {
    Str s = p->section[MPART_TIMES];
    if (id >= s.n / MPART_TIME_BYTES) return false;
    size_t at = (size_t)id * MPART_TIME_BYTES;
    *ret = (MPartTime){.group = u32_at(s, at),
        .offset = u32_at(s, at + 4),
        .length = u32_at(s, at + 8),
        .n = u32_at(s, at + 12),
        .min_t = i64_at(s, at + 16),
        .max_t = i64_at(s, at + 24)};
    return ret->n > 0 && ret->n <= MPART_BLOCK_SAMPLES && ret->min_t <= ret->max_t;
}

/* Columns are little-endian anyhow (storage/column_pack.c). */
static void read_stats(Cursor *c, MBlockStats *ret) {
    double v[4];
    Str bytes = cursor_bytes(c, sizeof v);
    if (c->bad) return;
    memcpy(v, bytes.p, sizeof v);
    *ret = (MBlockStats){.min = v[0], .max = v[1], .first = v[2], .last = v[3]};
    ret->resets = (uint32_t)cursor_uvarint(c);
}

static bool read_block(const MPart *p, Cursor *c, MBlock *b) {
    uint8_t flags = cursor_u8(c);
    uint64_t time_id = cursor_uvarint(c), length = cursor_uvarint(c);
    MPartTime t;
    if (c->bad || length > UINT32_MAX || !mpart_time_entry(p, time_id, &t)) return false;
    *b = (MBlock){.n = t.n, .time_column = (uint32_t)time_id, .min_t = t.min_t, .max_t = t.max_t};
    b->is_histogram = flags & MBLOCK_HISTOGRAM;
    b->has_stats = flags & MBLOCK_STATS;
    b->fresh = flags & MBLOCK_FRESH;
    b->length = (uint32_t)length;
    uint64_t start_bytes = flags & MBLOCK_STARTS ? cursor_uvarint(c) : 0;
    if (start_bytes > length) return false;
    b->start_bytes = (uint32_t)start_bytes;
    if (flags & MBLOCK_IN_PLACE) {
        b->in_place = cursor_bytes(c, length);
    } else {
        b->group = (uint32_t)cursor_uvarint(c);
        b->offset = (uint32_t)cursor_uvarint(c);
    }
    if (b->has_stats) read_stats(c, &b->stats);
    return !c->bad;
}

ErrCode mpart_blocks(const MPart *p, uint32_t series, bool (*fn)(void *ctx, const MBlock *b), void *ctx, Err *reterr) {
    if (!mpart_ready(p) || series >= p->n_series) return mpart_damaged(p, "the index", reterr);
    Cursor c = mpart_series_cursor(p, series);
    uint64_t shape = cursor_uvarint(&c);
    if (c.bad || shape >= p->n_shapes) return mpart_damaged(p, "a series", reterr);
    Cursor names = mpart_shape_cursor(p, shape);
    for (uint64_t n = cursor_uvarint(&names); n > 0; n--) (void)cursor_uvarint(&c);
    while (cursor_left(&c) && !c.bad) {
        MBlock b;
        if (!read_block(p, &c, &b)) return mpart_damaged(p, "a series", reterr);
        if (!fn(ctx, &b)) return OK;
    }
    return c.bad ? mpart_damaged(p, "a series", reterr) : OK;
}

typedef struct Overlap {
    int64_t min_t, max_t;
    bool found;
} Overlap;

static bool find_overlap(void *ctx, const MBlock *b) {
    Overlap *o = ctx;
    o->found = b->max_t >= o->min_t && b->min_t <= o->max_t;
    return !o->found;
}

bool mpart_overlaps(const MPart *p, uint32_t series, int64_t min_t, int64_t max_t) {
    Overlap o = {min_t, max_t, false};
    return mpart_blocks(p, series, find_overlap, &o, NULL) == OK && o.found;
}

/* Every series has a block, and a block one of the time columns. */
bool mpart_all_overlap(const MPart *p, int64_t min_t, int64_t max_t, size_t few) {
    size_t n = p->section[MPART_TIMES].n / MPART_TIME_BYTES;
    if (n == 0 || n > few) return false;
    for (size_t i = 0; i < n; i++) {
        MPartTime t;
        if (!mpart_time_entry(p, i, &t) || t.max_t < min_t || t.min_t > max_t) return false;
    }
    return true;
}
