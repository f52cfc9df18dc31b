/* mpart_read.c - samples of a series in a metrics part. */
#include "metrics/mpart_read_int.h"
#include "storage/column.h"

#define TIMES_CACHE_BYTES ((size_t)64 << 20)
#define GROUP_NONE UINT32_MAX

/* --- reading --- */
void mpart_cache_done(MPartCache *c) {
    arena_free(c->groups[0]);
    arena_free(c->groups[1]);
    arena_free(c->times);
    u64map_free(c->time_columns);
    mem_free(c->values);
    mem_free(c->starts);
    *c = (MPartCache){0};
}

static void cache_init(MPartCache *c) {
    if (c->times) return;
    for (int i = 0; i < 2; i++) {
        c->groups[i] = arena_create(ARENA_UNLIMITED);
        c->group_id[i] = GROUP_NONE;
    }
    c->times = arena_create(ARENA_UNLIMITED);
    c->cut_column = GROUP_NONE;
    c->time_columns = u64map_create();
    c->values_cap = MPART_BLOCK_SAMPLES;
    c->values = mem_alloc_array(c->values_cap, sizeof *c->values);
}

/* kind 0: times, 1: values. */
static ErrCode group_bytes(
    MPart *p, MPartCache *c, int kind, uint32_t group, uint32_t offset, uint32_t length, Str *ret, Err *reterr) {
    if (group >= p->n_groups) return mpart_damaged(p, "a block reference", reterr);
    if (c->group_id[kind] != group) {
        arena_reset(c->groups[kind]);
        c->group_id[kind] = GROUP_NONE;
        ErrCode code = part_block(p->part, &p->groups[group], c->groups[kind], &c->group[kind], reterr);
        if (code != OK) return code;
        c->group_id[kind] = group;
    }
    Str all = c->group[kind];
    if (offset > all.n || length > all.n - offset) return mpart_damaged(p, "a block reference", reterr);
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
    if (!mpart_time_entry(p, b->time_column, &e)) return mpart_damaged(p, "a time column", reterr);
    ErrCode code = group_bytes(p, c, 0, e.group, e.offset, e.length, &bytes, reterr);
    if (code != OK) return code;
    int64_t *t = ARENA_ARRAY(c->times, int64_t, b->n);
    ASSERT(t);
    if (!column_decode_i64(bytes, t, b->n)) return mpart_damaged(p, "a time column", reterr);
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

/* Splits off the start times; *ret_starts NULL: not known, or not wanted. */
static ErrCode take_starts(Read *r, const MBlock *b, const int64_t *t, Str *bytes, const int64_t **ret_starts) {
    *ret_starts = NULL;
    Str starts = str_slice(*bytes, b->length - b->start_bytes, b->length);
    *bytes = str_slice(*bytes, 0, b->length - b->start_bytes);
    if (!b->start_bytes || !r->out->want_starts) return OK;
    MPartCache *c = r->cache;
    if (!c->starts) c->starts = mem_alloc_array(c->values_cap, sizeof *c->starts);
    if (!mpart_starts_decode(starts, t, c->starts, b->n))
        return mpart_damaged(r->part, "a column of start times", r->reterr);
    *ret_starts = c->starts;
    return OK;
}

static ErrCode take_histograms(Read *r, const MBlock *b, const int64_t *t, Str bytes) {
    const int64_t *starts;
    ErrCode split = take_starts(r, b, t, &bytes, &starts);
    if (split != OK) return split;
    Str *blobs = mem_alloc_array(b->n, sizeof *blobs);
    ErrCode code = OK;
    if (!column_decode_str(bytes, blobs, b->n)) code = mpart_damaged(r->part, "a histogram column", r->reterr);
    for (uint32_t i = 0; i < b->n && code == OK; i++) {
        if (t[i] < r->min_t || t[i] > r->max_t) continue;
        Str copy = arena_copy(r->arena, blobs[i]); /* the group's bytes do not outlive the cache */
        if (!copy.p)
            code = err_set(r->reterr, ERR_TOO_LARGE, "the query's memory budget is used up");
        else
            vec_push(r->histograms, (HistogramRef){t[i], copy, starts ? starts[i] : 0});
    }
    mem_free(blobs);
    return code;
}

static ErrCode take_floats(Read *r, const MBlock *b, const int64_t *t, Str bytes) {
    const int64_t *starts;
    SampleBuf *out = r->out;
    ErrCode code = take_starts(r, b, t, &bytes, &starts);
    if (code != OK) return code;
    if (!column_decode_f64(bytes, r->cache->values, b->n)) return mpart_damaged(r->part, "a value column", r->reterr);
    size_t before = out->n;
    sample_buf_add(out, t, r->cache->values, b->n, r->min_t, r->max_t);
    if (!starts || out->n == before) return OK;
    size_t skipped = times_lower_bound(t, b->n, out->t[before]);
    memcpy(sample_buf_starts(out, before), starts + skipped, (out->n - before) * sizeof *starts);
    return OK;
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
    r->code = b->is_histogram ? take_histograms(r, b, t, bytes) : take_floats(r, b, t, bytes);
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
    TimeRun run = {.first = b->max_t, .last = b->max_t, .n = 1, .kind = RUN_REGULAR, .fresh = true};
    *to = read_scratch_add(r->out, &run);
    if (*to)
        **to = d->kind == DIGEST_MIN    ? s->min
               : d->kind == DIGEST_MAX  ? s->max
               : d->kind == DIGEST_LAST ? s->last
                                        : s->first;
    r->stats->blocks_skipped++;
    return true;
}

/* Which samples of the block lie in the range. */
static ErrCode cut_block(ReadRuns *r, const MBlock *b, size_t *ret_from, size_t *ret_to) {
    MPartCache *c = r->cache;
    int64_t min_t = r->req->min_t_ms, max_t = r->req->max_t_ms;
    *ret_from = 0;
    *ret_to = b->n;
    if (b->min_t >= min_t && b->max_t <= max_t) return OK;
    if (c->cut_column != b->time_column || c->cut_min_t != min_t || c->cut_max_t != max_t) {
        const int64_t *t = NULL;
        ErrCode code = times_of(r->part, c, b, &t, r->reterr);
        if (code != OK) return code;
        c->cut_from = (uint32_t)times_lower_bound(t, b->n, min_t);
        c->cut_to = (uint32_t)(max_t == INT64_MAX ? b->n : times_lower_bound(t, b->n, max_t + 1));
        c->cut_column = b->time_column;
        c->cut_min_t = min_t;
        c->cut_max_t = max_t;
    }
    *ret_from = c->cut_from;
    *ret_to = c->cut_to;
    return OK;
}

/* A block of floats: those of the samples [from, to) that somebody wants to know. */
static bool read_values(ReadRuns *r, const MBlock *b, size_t from, size_t to, double *out) {
    Str bytes = b->in_place;
    if (!bytes.p) r->code = group_bytes(r->part, r->cache, 1, b->group, b->offset, b->length, &bytes, r->reterr);
    bytes.n -= MIN(bytes.n, b->start_bytes);
    const double *last = b->has_stats && b->fresh ? &b->stats.last : NULL;
    if (r->code == OK && !column_decode_f64_range(bytes, b->n, from, to, last, out))
        r->code = mpart_damaged(r->part, "a value column", r->reterr);
    r->stats->blocks_decoded++;
    r->stats->samples += to - from;
    return r->code == OK;
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
    bool for_others = b->is_histogram || (b->start_bytes && r->out->want_starts);
    size_t from, end;
    r->code = cut_block(r, b, &from, &end);
    if (r->code != OK || from >= end) return r->code == OK;
    TimeRun run = {.first = MAX(b->min_t, r->req->min_t_ms),
        .last = MIN(b->max_t, r->req->max_t_ms),
        .n = end - from,
        .kind = RUN_NAMED,
        .fresh = b->fresh,
        .rising = b->has_stats && b->stats.resets == 0,
        .absent = r->req->no_values && b->fresh,
        .source = r->part,
        .id = b->time_column,
        .skip = from};
    to = for_others ? NULL : read_scratch_add(r->out, &run);
    r->tangled = !to;
    if (r->tangled) return false;
    if (!run.absent) return read_values(r, b, from, end, to);
    r->stats->blocks_skipped++;
    return true;
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
    MPartTime e;
    if (!mpart_time_entry(p, run->id, &e)) return false;
    MBlock b = {.n = e.n, .time_column = (uint32_t)run->id};
    if (run->skip + run->n > e.n || times_of(p, cache, &b, &t, NULL) != OK) return false;
    memcpy(out, t + run->skip, run->n * sizeof *t);
    return true;
}
