#include "base/log.h"
#include "metrics/mpart_int.h"
#include "storage/column.h"

#define TIMES_CACHE_BYTES ((size_t)64 << 20)
#define GROUP_NONE UINT32_MAX

struct MPart {
    Part *part;
    uint32_t n_series;
    BlockRef refs[MPART_SECTIONS];
    BlockRef *groups;
    size_t n_groups;
    Mutex lock;
    _Atomic int state; /* 0: sections not read yet, 1: ready, -1: damaged */
    Arena *arena;
    Str section[MPART_SECTIONS];
    uint32_t *shape_offsets;
    size_t n_shapes;
};

static ErrCode damaged(const MPart *p, const char *what, Err *reterr) {
    return err_set(reterr, ERR_CORRUPT, "%s: %s is damaged", part_path(p->part), what);
}

static uint32_t u32_at(Str s, size_t at) {
    uint32_t v;
    DASSERT(at + 4 <= s.n);
    memcpy(&v, s.p + at, 4);
    return v;
}

static int64_t i64_at(Str s, size_t at) {
    int64_t v;
    DASSERT(at + 8 <= s.n);
    memcpy(&v, s.p + at, 8);
    return v;
}

/* --- opening --- */
ErrCode mpart_open(Part *part, MPart **ret, Err *reterr) {
    MPart *p = NEW(MPart);
    p->part = part;
    mutex_init(&p->lock);
    Cursor c = cursor_of(part_footer(part));
    uint8_t version = cursor_u8(&c);
    uint64_t n = cursor_uvarint(&c);
    bool ok = version == MPART_VERSION && n < UINT32_MAX;
    p->n_series = (uint32_t)n;
    for (int i = 0; i < MPART_SECTIONS && ok; i++) ok = block_ref_decode(&c, &p->refs[i]);
    p->n_groups = ok ? cursor_uvarint(&c) : 0;
    ok = ok && !c.bad && p->n_groups <= cursor_left(&c);
    if (ok) p->groups = mem_alloc_array(MAX(p->n_groups, 1), sizeof *p->groups);
    for (size_t i = 0; i < p->n_groups && ok; i++) ok = block_ref_decode(&c, &p->groups[i]);
    if (!ok || c.bad) {
        ErrCode code = damaged(p, "the footer", reterr);
        mpart_close(p);
        return code;
    }
    *ret = p;
    return OK;
}

MPart *mpart_close(MPart *p) {
    if (!p) return NULL;
    mem_free(p->groups);
    mem_free(p->shape_offsets);
    arena_free(p->arena);
    mutex_done(&p->lock);
    mem_free(p);
    return NULL;
}

static bool offsets_sound(Str offsets, size_t n, size_t limit) {
    if (offsets.n != (n + 1) * 4) return false;
    for (size_t i = 0; i < n; i++) {
        if (u32_at(offsets, 4 * i) > u32_at(offsets, 4 * i + 4)) return false;
    }
    return u32_at(offsets, 4 * n) == limit;
}

static bool index_shapes(MPart *p) {
    Str s = p->section[MPART_SHAPES];
    VEC(uint32_t) offsets = {0};
    Cursor c = cursor_of(s);
    while (cursor_left(&c) && !c.bad) {
        vec_push(&offsets, (uint32_t)(s.n - cursor_left(&c)));
        uint64_t n = cursor_uvarint(&c);
        for (uint64_t i = 0; i < n && !c.bad; i++) {
            if (cursor_uvarint(&c) >= mpart_symbol_count(p)) c.bad = true;
        }
    }
    p->shape_offsets = offsets.v;
    p->n_shapes = offsets.n;
    return !c.bad;
}

static bool tables_sound(const MPart *p) {
    const Str *s = p->section;
    size_t symbols = mpart_symbol_count(p);
    if (s[MPART_SYMBOL_OFFSETS].n < 4 || !offsets_sound(s[MPART_SYMBOL_OFFSETS], symbols, s[MPART_SYMBOL_BYTES].n))
        return false;
    if (!offsets_sound(s[MPART_SERIES_OFFSETS], p->n_series, s[MPART_SERIES].n)) return false;
    if (s[MPART_TIMES].n % MPART_TIME_BYTES || s[MPART_NAMES].n % MPART_NAME_BYTES ||
        s[MPART_VALUES].n % MPART_VALUE_BYTES)
        return false;
    size_t n_values = s[MPART_VALUES].n / MPART_VALUE_BYTES;
    for (size_t i = 0; i < s[MPART_NAMES].n; i += MPART_NAME_BYTES) {
        uint64_t end = (uint64_t)u32_at(s[MPART_NAMES], i + 4) + u32_at(s[MPART_NAMES], i + 8);
        if (u32_at(s[MPART_NAMES], i) >= symbols || end > n_values) return false;
    }
    for (size_t i = 0; i < s[MPART_VALUES].n; i += MPART_VALUE_BYTES) {
        if (u32_at(s[MPART_VALUES], i) >= symbols || u32_at(s[MPART_VALUES], i + 4) > s[MPART_POSTINGS].n) return false;
    }
    return true;
}

/* The sections are read (checksums verified) at the first use, so that opening a store is quick. */
static bool ready(MPart *p) {
    if (p->state) return p->state > 0;
    mutex_lock(&p->lock);
    if (p->state == 0) {
        bool ok = true;
        p->arena = arena_create(ARENA_UNLIMITED);
        for (int i = 0; i < MPART_SECTIONS && ok; i++)
            ok = part_block(p->part, &p->refs[i], p->arena, &p->section[i], NULL) == OK;
        ok = ok && tables_sound(p) && index_shapes(p);
        p->state = ok ? 1 : -1;
        if (!ok)
            log_error("metrics: the index of a part is damaged, its samples are not served", "part", part_path(p->part),
                NULL);
    }
    mutex_unlock(&p->lock);
    return p->state > 0;
}

ErrCode mpart_load(MPart *p, Err *reterr) { return ready(p) ? OK : damaged(p, "the index", reterr); }

/* --- symbols, labels --- */
uint32_t mpart_series_count(const MPart *p) { return p->n_series; }

static MPart *writable(const MPart *p) { return (MPart *)(uintptr_t)p; }

size_t mpart_symbol_count(const MPart *p) {
    size_t n = p->section[MPART_SYMBOL_OFFSETS].n / 4;
    return n ? n - 1 : 0; /* 0 before the index is read, and when it cannot be */
}

Str mpart_symbol(const MPart *p, size_t i) {
    Str offsets = p->section[MPART_SYMBOL_OFFSETS];
    uint32_t from = u32_at(offsets, 4 * i), to = u32_at(offsets, 4 * i + 4);
    return str_of(p->section[MPART_SYMBOL_BYTES].p + from, to - from);
}

static size_t symbol_find(const MPart *p, Str s) {
    size_t lo = 0, hi = mpart_symbol_count(p);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = str_cmp(mpart_symbol(p, mid), s);
        if (c == 0) return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return POSTINGS_NONE;
}

static Cursor series_cursor(const MPart *p, uint32_t series) {
    Str offsets = p->section[MPART_SERIES_OFFSETS], all = p->section[MPART_SERIES];
    uint32_t from = u32_at(offsets, 4 * (size_t)series), to = u32_at(offsets, 4 * (size_t)series + 4);
    return cursor_of(str_of(all.p + from, to - from));
}

static Cursor shape_cursor(const MPart *p, uint64_t shape) {
    Str s = p->section[MPART_SHAPES];
    return cursor_of(str_skip(s, p->shape_offsets[shape]));
}

ErrCode mpart_labels(const MPart *p, uint32_t series, Arena *arena, Labels *ret, Err *reterr) {
    if (!ready(writable(p)) || series >= p->n_series) return damaged(p, "the index", reterr);
    Cursor c = series_cursor(p, series);
    uint64_t shape = cursor_uvarint(&c);
    if (c.bad || shape >= p->n_shapes) return damaged(p, "a series", reterr);
    Cursor names = shape_cursor(p, shape);
    uint64_t n = cursor_uvarint(&names);
    Label *v = ARENA_ARRAY(arena, Label, n);
    if (!v) return err_set(reterr, ERR_TOO_LARGE, "the query's memory budget is used up");
    for (uint64_t i = 0; i < n; i++) {
        uint64_t name = cursor_uvarint(&names), value = cursor_uvarint(&c);
        if (c.bad || value >= mpart_symbol_count(p)) return damaged(p, "a series", reterr);
        v[i] = (Label){mpart_symbol(p, name), mpart_symbol(p, value)};
    }
    *ret = (Labels){v, n};
    return OK;
}

ErrCode mpart_label_symbols(const MPart *p, uint32_t series, SymbolVec *names, SymbolVec *values, Err *reterr) {
    if (series >= p->n_series) return damaged(p, "the index", reterr);
    Cursor c = series_cursor(p, series);
    uint64_t shape = cursor_uvarint(&c);
    if (c.bad || shape >= p->n_shapes) return damaged(p, "a series", reterr);
    Cursor shape_names = shape_cursor(p, shape);
    uint64_t n = cursor_uvarint(&shape_names);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t name = cursor_uvarint(&shape_names), value = cursor_uvarint(&c);
        if (c.bad || value >= mpart_symbol_count(p)) return damaged(p, "a series", reterr);
        vec_push(names, (uint32_t)name);
        vec_push(values, (uint32_t)value);
    }
    return OK;
}

/* --- postings --- */
size_t mpart_name_count(const MPart *p) {
    return ready(writable(p)) ? p->section[MPART_NAMES].n / MPART_NAME_BYTES : 0;
}

Str mpart_name(const MPart *p, size_t ordinal) {
    return mpart_symbol(p, u32_at(p->section[MPART_NAMES], ordinal * MPART_NAME_BYTES));
}

static size_t index_name_find(void *ctx, Str name) {
    const MPart *p = ctx;
    size_t symbol = symbol_find(p, name), lo = 0, hi = mpart_name_count(p);
    while (lo < hi && symbol != POSTINGS_NONE) {
        size_t mid = (lo + hi) / 2;
        uint32_t have = u32_at(p->section[MPART_NAMES], mid * MPART_NAME_BYTES);
        if (have == symbol) return mid;
        if (have < symbol)
            lo = mid + 1;
        else
            hi = mid;
    }
    return POSTINGS_NONE;
}

static size_t index_value_count(void *ctx, size_t name) {
    return u32_at(((const MPart *)ctx)->section[MPART_NAMES], name * MPART_NAME_BYTES + 8);
}

static size_t value_entry(const MPart *p, size_t name, size_t i) {
    return ((size_t)u32_at(p->section[MPART_NAMES], name * MPART_NAME_BYTES + 4) + i) * MPART_VALUE_BYTES;
}

static Str index_value_at(void *ctx, size_t name, size_t i) {
    const MPart *p = ctx;
    return mpart_symbol(p, u32_at(p->section[MPART_VALUES], value_entry(p, name, i)));
}

static size_t index_value_find(void *ctx, size_t name, Str value) {
    const MPart *p = ctx;
    size_t symbol = symbol_find(p, value), lo = 0, hi = index_value_count(ctx, name);
    while (lo < hi && symbol != POSTINGS_NONE) {
        size_t mid = (lo + hi) / 2;
        uint32_t have = u32_at(p->section[MPART_VALUES], value_entry(p, name, mid));
        if (have == symbol) return mid;
        if (have < symbol)
            lo = mid + 1;
        else
            hi = mid;
    }
    return POSTINGS_NONE;
}

static bool index_add_to(void *ctx, size_t name, size_t i, roaring_bitmap_t *set) {
    const MPart *p = ctx;
    size_t at = value_entry(p, name, i);
    Str all = p->section[MPART_POSTINGS];
    size_t from = u32_at(p->section[MPART_VALUES], at + 4), to = all.n;
    if (at + 2 * MPART_VALUE_BYTES <= p->section[MPART_VALUES].n)
        to = u32_at(p->section[MPART_VALUES], at + MPART_VALUE_BYTES + 4);
    return from <= to && postings_decode_into(str_slice(all, from, to), p->n_series, set);
}

PostingIndex mpart_postings(MPart *p) {
    PostingIndex x = {.ctx = p,
        .n_series = p->n_series,
        .name_find = index_name_find,
        .value_count = index_value_count,
        .value_at = index_value_at,
        .value_find = index_value_find,
        .add_to = index_add_to};
    if (!ready(p)) x.n_series = 0;
    return x;
}

/* --- blocks --- */
static bool read_time_entry(const MPart *p, uint64_t id, MPartTime *ret) {
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

static double cursor_f64(Cursor *c) {
    uint64_t bits = cursor_u64le(c);
    double d;
    memcpy(&d, &bits, 8);
    return d;
}

static bool read_block(const MPart *p, Cursor *c, MBlock *b) {
    uint8_t flags = cursor_u8(c);
    uint64_t time_id = cursor_uvarint(c), length = cursor_uvarint(c);
    MPartTime t;
    if (c->bad || length > UINT32_MAX || !read_time_entry(p, time_id, &t)) return false;
    *b = (MBlock){.n = t.n, .time_column = (uint32_t)time_id, .min_t = t.min_t, .max_t = t.max_t};
    b->is_histogram = flags & MBLOCK_HISTOGRAM;
    b->has_stats = flags & MBLOCK_STATS;
    b->length = (uint32_t)length;
    if (flags & MBLOCK_IN_PLACE) {
        b->in_place = cursor_bytes(c, length);
    } else {
        b->group = (uint32_t)cursor_uvarint(c);
        b->offset = (uint32_t)cursor_uvarint(c);
    }
    if (b->has_stats) {
        b->stats = (MBlockStats){.min = cursor_f64(c)};
        b->stats.max = cursor_f64(c);
        b->stats.sum = cursor_f64(c);
        b->stats.first = cursor_f64(c);
        b->stats.last = cursor_f64(c);
        b->stats.resets = (uint32_t)cursor_uvarint(c);
    }
    return !c->bad;
}

ErrCode mpart_blocks(const MPart *p, uint32_t series, bool (*fn)(void *ctx, const MBlock *b), void *ctx, Err *reterr) {
    if (!ready(writable(p)) || series >= p->n_series) return damaged(p, "the index", reterr);
    Cursor c = series_cursor(p, series);
    uint64_t shape = cursor_uvarint(&c);
    if (c.bad || shape >= p->n_shapes) return damaged(p, "a series", reterr);
    Cursor names = shape_cursor(p, shape);
    for (uint64_t n = cursor_uvarint(&names); n > 0; n--) (void)cursor_uvarint(&c);
    while (cursor_left(&c) && !c.bad) {
        MBlock b;
        if (!read_block(p, &c, &b)) return damaged(p, "a series", reterr);
        if (!fn(ctx, &b)) return OK;
    }
    return c.bad ? damaged(p, "a series", reterr) : OK;
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

/* --- reading --- */
void mpart_cache_done(MPartCache *c) {
    arena_free(c->groups[0]);
    arena_free(c->groups[1]);
    arena_free(c->times);
    u64map_free(c->time_columns);
    mem_free(c->values);
    *c = (MPartCache){0};
}

static void cache_init(MPartCache *c) {
    if (c->times) return;
    for (int i = 0; i < 2; i++) {
        c->groups[i] = arena_create(ARENA_UNLIMITED);
        c->group_id[i] = GROUP_NONE;
    }
    c->times = arena_create(ARENA_UNLIMITED);
    c->time_columns = u64map_create();
    c->values_cap = MPART_BLOCK_SAMPLES;
    c->values = mem_alloc_array(c->values_cap, sizeof *c->values);
}

/* kind 0: times, 1: values. */
static ErrCode group_bytes(
    MPart *p, MPartCache *c, int kind, uint32_t group, uint32_t offset, uint32_t length, Str *ret, Err *reterr) {
    if (group >= p->n_groups) return damaged(p, "a block reference", reterr);
    if (c->group_id[kind] != group) {
        arena_reset(c->groups[kind]);
        c->group_id[kind] = GROUP_NONE;
        ErrCode code = part_block(p->part, &p->groups[group], c->groups[kind], &c->group[kind], reterr);
        if (code != OK) return code;
        c->group_id[kind] = group;
    }
    Str all = c->group[kind];
    if (offset > all.n || length > all.n - offset) return damaged(p, "a block reference", reterr);
    *ret = str_slice(all, offset, offset + length);
    return OK;
}

static ErrCode times_of(MPart *p, MPartCache *c, const MBlock *b, const int64_t **ret, Err *reterr) {
    uint64_t *known = u64map_get(c->time_columns, b->time_column);
    if (known) {
        *ret = (const int64_t *)(uintptr_t)*known;
        return OK;
    }
    if (arena_used_bytes(c->times) > TIMES_CACHE_BYTES) {
        arena_reset(c->times);
        u64map_clear(c->time_columns);
    }
    MPartTime e;
    Str bytes;
    if (!read_time_entry(p, b->time_column, &e)) return damaged(p, "a time column", reterr);
    ErrCode code = group_bytes(p, c, 0, e.group, e.offset, e.length, &bytes, reterr);
    if (code != OK) return code;
    int64_t *t = ARENA_ARRAY(c->times, int64_t, b->n);
    ASSERT(t);
    if (!column_decode_i64(bytes, t, b->n)) return damaged(p, "a time column", reterr);
    *u64map_put(c->time_columns, b->time_column, NULL) = (uint64_t)(uintptr_t)t;
    *ret = t;
    return OK;
}

typedef struct Read {
    MPart *part;
    MPartCache *cache;
    int64_t min_t, max_t;
    SampleBuf *out;
    HistogramRefs *histograms;
    Arena *arena;
    ErrCode code;
    Err *reterr;
} Read;

static ErrCode take_histograms(Read *r, const MBlock *b, const int64_t *t, Str bytes) {
    Str *blobs = mem_alloc_array(b->n, sizeof *blobs);
    ErrCode code = OK;
    if (!column_decode_str(bytes, blobs, b->n)) code = damaged(r->part, "a histogram column", r->reterr);
    for (uint32_t i = 0; i < b->n && code == OK; i++) {
        if (t[i] < r->min_t || t[i] > r->max_t) continue;
        Str copy = arena_copy(r->arena, blobs[i]); /* the group's bytes do not outlive the cache */
        if (!copy.p)
            code = err_set(r->reterr, ERR_TOO_LARGE, "the query's memory budget is used up");
        else
            vec_push(r->histograms, (HistogramRef){t[i], copy});
    }
    mem_free(blobs);
    return code;
}

static bool read_one(void *ctx, const MBlock *b) {
    Read *r = ctx;
    if (b->max_t < r->min_t || b->min_t > r->max_t) return true;
    const int64_t *t = NULL;
    Str bytes = b->in_place;
    r->code = times_of(r->part, r->cache, b, &t, r->reterr);
    if (r->code == OK && !bytes.p)
        r->code = group_bytes(r->part, r->cache, 1, b->group, b->offset, b->length, &bytes, r->reterr);
    if (r->code != OK) return false;
    if (b->is_histogram) {
        r->code = take_histograms(r, b, t, bytes);
    } else if (!column_decode_f64(bytes, r->cache->values, b->n)) {
        r->code = damaged(r->part, "a value column", r->reterr);
    } else {
        sample_buf_add(r->out, t, r->cache->values, b->n, r->min_t, r->max_t);
    }
    return r->code == OK;
}

ErrCode mpart_read(MPart *p, MPartCache *cache, uint32_t series, int64_t min_t, int64_t max_t, SampleBuf *out,
    HistogramRefs *ret_histograms, Arena *arena, Err *reterr) {
    cache_init(cache);
    Read r = {p, cache, min_t, max_t, out, ret_histograms, arena, OK, reterr};
    ErrCode code = mpart_blocks(p, series, read_one, &r, reterr);
    return r.code != OK ? r.code : code;
}

/* --- runs --- */
typedef struct ReadRuns {
    MPart *part;
    MPartCache *cache;
    const MetricsSelect *req;
    ReadScratch *out;
    SeriesReadStats *stats;
    bool tangled;
    ErrCode code;
    Err *reterr;
} ReadRuns;

static bool is_cut(const MetricsDigest *d, const MBlock *b) {
    for (int k = 0; k < 2; k++) {
        int64_t from = b->min_t - d->first_ms[k], i = from > 0 ? (from + d->step_ms - 1) / d->step_ms : 0;
        if ((uint64_t)i < d->n && d->first_ms[k] + i * d->step_ms < b->max_t) return true;
    }
    return false;
}

/* One sample for all of the block. false: they have to be read. */
static bool digest_run(ReadRuns *r, const MBlock *b, double **to) {
    const MetricsDigest *d = &r->req->digest;
    if (d->kind == DIGEST_NONE || !b->has_stats || is_cut(d, b)) return false;
    const MBlockStats *s = &b->stats;
    /* Nothing but stale markers leaves them like this, too. */
    if (s->min == 0 && s->max == 0 && s->first == 0 && s->last == 0) return false;
    TimeRun run = {.first = b->max_t, .last = b->max_t, .n = 1, .kind = RUN_REGULAR};
    *to = read_scratch_add(r->out, &run);
    if (*to)
        **to = d->kind == DIGEST_MIN    ? s->min
               : d->kind == DIGEST_MAX  ? s->max
               : d->kind == DIGEST_LAST ? s->last
                                        : s->first;
    r->stats->blocks_skipped++;
    return true;
}

static bool read_run(void *ctx, const MBlock *b) {
    ReadRuns *r = ctx;
    r->stats->blocks++;
    if (b->max_t < r->req->min_t_ms || b->min_t > r->req->max_t_ms) {
        r->stats->blocks_skipped++;
        return true;
    }
    double *to = NULL;
    if (!b->is_histogram && digest_run(r, b, &to)) {
        r->tangled = !to;
        return !r->tangled;
    }
    TimeRun run = {.first = b->min_t, .last = b->max_t, .n = b->n, .kind = RUN_NAMED, .source = r->part};
    run.id = b->time_column;
    to = b->is_histogram ? NULL : read_scratch_add(r->out, &run);
    r->tangled = !to;
    if (r->tangled) return false;
    Str bytes = b->in_place;
    if (!bytes.p) r->code = group_bytes(r->part, r->cache, 1, b->group, b->offset, b->length, &bytes, r->reterr);
    if (r->code == OK && !column_decode_f64(bytes, to, b->n)) r->code = damaged(r->part, "a value column", r->reterr);
    r->stats->blocks_decoded++;
    r->stats->samples += b->n;
    return r->code == OK;
}

ErrCode mpart_read_runs(MPart *p, MPartCache *cache, uint32_t series, const MetricsSelect *req, ReadScratch *out,
    SeriesReadStats *stats, bool *ret_tangled, Err *reterr) {
    cache_init(cache);
    ReadRuns r = {p, cache, req, out, stats, false, OK, reterr};
    ErrCode code = mpart_blocks(p, series, read_run, &r, reterr);
    *ret_tangled = r.tangled;
    return r.code != OK ? r.code : code;
}

bool mpart_run_times(MPart *p, MPartCache *cache, const TimeRun *run, int64_t *out) {
    const int64_t *t = NULL;
    MBlock b = {.n = (uint32_t)run->n, .time_column = (uint32_t)run->id};
    if (times_of(p, cache, &b, &t, NULL) != OK) return false;
    memcpy(out, t, run->n * sizeof *t);
    return true;
}
