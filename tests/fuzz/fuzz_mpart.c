/* Metrics parts whose checksums hold but whose sections are any bytes: all of the reader, packed indexes included. The
 * input: version, series (u16), per section and for a group of times a length (u16) and the bytes; what is left is a
 * group of values. The bytes for SERIES_CHUNKS are the chunk itself. */
#include "base/num.h"
#include "metrics/mpart_int.h"
#include "metrics/read_scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SERIES_MAX 2000
#define PLACES_MAX 300 /* looked at of each table */

/* The chunk as a block of its own, and what refers to it as the section. */
static void write_chunk(PartWriter *w, Str bytes, BlockRef *ret) {
    Buf section = {0};
    BlockRef chunk;
    ASSERT(part_writer_block(w, bytes, 0, &chunk, NULL) == OK);
    if (bytes.n) block_ref_encode(&section, &chunk);
    ASSERT(part_writer_block(w, buf_str(&section), 0, ret, NULL) == OK);
    buf_done(&section);
}

static bool write_part(Fs *fs, Cursor *in) {
    BlockRef refs[MPART_SECTIONS], values, times;
    PartWriter *w;
    Buf footer = {0};
    uint64_t size;
    ASSERT(part_writer_create(fs, "p", &w, NULL) == OK);
    buf_put_char(&footer, (char)cursor_u8(in));
    buf_put_uvarint(&footer, cursor_u16le(in) % SERIES_MAX);
    for (int i = 0; i < MPART_SECTIONS; i++) {
        Str bytes = cursor_bytes(in, cursor_u16le(in));
        if (i == MPART_SERIES_CHUNKS)
            write_chunk(w, bytes, &refs[i]);
        else
            ASSERT(part_writer_block(w, bytes, 0, &refs[i], NULL) == OK);
        block_ref_encode(&footer, &refs[i]);
    }
    ASSERT(part_writer_block(w, cursor_bytes(in, cursor_u16le(in)), 0, &times, NULL) == OK);
    bool whole = !in->bad;
    ASSERT(part_writer_block(w, cursor_bytes(in, cursor_left(in)), 0, &values, NULL) == OK);
    buf_put_uvarint(&footer, 2);
    block_ref_encode(&footer, &values);
    block_ref_encode(&footer, &times);
    ASSERT(part_writer_finish(w, buf_str(&footer), &size, NULL) == OK);
    part_writer_free(w);
    buf_done(&footer);
    return whole;
}

static void walk_postings(MPart *p) {
    PostingIndex x = mpart_postings(p);
    roaring_bitmap_t *set = roaring_bitmap_create();
    for (size_t name = 0; name < MIN(mpart_name_count(p), (size_t)PLACES_MAX); name++) {
        (void)x.name_find(x.ctx, mpart_name(p, name));
        for (size_t i = 0; i < MIN(x.value_count(x.ctx, name), (size_t)PLACES_MAX); i++) {
            (void)x.value_find(x.ctx, name, x.value_at(x.ctx, name, i));
            (void)x.add_to(x.ctx, name, i, set);
        }
    }
    roaring_bitmap_free(set);
}

static void match(MPart *p, MatchType type, Str name, Str value) {
    Arena *arena = arena_create(1 << 20);
    PostingIndex x = mpart_postings(p);
    const Matcher *m;
    roaring_bitmap_t *found = NULL;
    if (matcher_create(arena, type, name, value, &m, NULL) == OK) {
        ErrCode code = postings_match(&x, (Matchers){&m, 1}, NULL, &found, NULL);
        ASSERT(code == OK || code == ERR_CORRUPT);
        if (code == OK) roaring_bitmap_free(found);
    }
    arena_free(arena);
}

typedef struct Reads {
    MPart *part;
    MPartCache cache;
    ReadScratch scratch;
    SampleBuf samples;
    HistogramRefs histograms;
    Arena *arena;
} Reads;

static bool run_times(void *ctx, const TimeRun *run, int64_t *out) {
    Reads *r = ctx;
    return mpart_run_times(r->part, &r->cache, run, out);
}

/* As a query reads a series: what both ways give is the same. */
static void read_range(Reads *r, uint32_t series, const MetricsSelect *req) {
    SeriesReadStats stats = {0};
    bool tangled = false;
    sample_buf_clear(&r->samples);
    vec_clear(&r->histograms);
    ErrCode code = mpart_read(
        r->part, &r->cache, series, req->min_t_ms, req->max_t_ms, &r->samples, &r->histograms, r->arena, NULL);
    ASSERT(code == OK || code == ERR_CORRUPT || code == ERR_TOO_LARGE);
    read_scratch_begin(&r->scratch);
    ErrCode quick = mpart_read_runs(r->part, &r->cache, series, req, &r->scratch, &stats, &tangled, NULL);
    ASSERT(quick == OK || quick == ERR_CORRUPT || quick == ERR_TOO_LARGE);
    if (quick != OK || tangled) return;
    ReadScratch *x = &r->scratch;
    if (!read_scratch_finish(x, req->min_t_ms, req->max_t_ms, run_times, r)) return;
    ASSERT(x->from <= x->to && x->to <= x->t_n);
    bool whole = code == OK && req->digest.kind == DIGEST_NONE && !x->absent && !r->samples.unsorted;
    if (!whole || x->to - x->from != r->samples.n) return;
    for (size_t i = 0; i < r->samples.n; i++)
        ASSERT(x->t[x->from + i] == r->samples.t[i] && f64_bits(x->v[x->from + i]) == f64_bits(r->samples.v[i]));
}

/* All of it, a part of a block, and with what statistics can answer. */
static void read_ranges(Reads *r, uint32_t series) {
    MetricsSelect req = {.min_t_ms = INT64_MIN, .max_t_ms = INT64_MAX};
    read_range(r, series, &req);
    if (r->samples.n < 2) return;
    int64_t first = r->samples.t[0], middle = r->samples.t[r->samples.n / 2];
    req = (MetricsSelect){.min_t_ms = MIN(first, middle), .max_t_ms = MAX(first, middle)};
    read_range(r, series, &req);
    req.min_t_ms = req.max_t_ms = middle;
    read_range(r, series, &req);
    req = (MetricsSelect){.min_t_ms = INT64_MIN, .max_t_ms = INT64_MAX, .no_values = true};
    read_range(r, series, &req);
    req.no_values = false;
    req.digest = (MetricsDigest){.kind = DIGEST_MAX, .step_ms = 1, .n = 1};
    read_range(r, series, &req);
}

static bool see_block(void *ctx, const MBlock *b) {
    size_t *left = ctx;
    ASSERT(b->n > 0 && b->n <= MPART_BLOCK_SAMPLES && b->min_t <= b->max_t);
    return --*left > 0;
}

static void walk_series(MPart *p) {
    Reads r = {.part = p, .samples.want_starts = true, .arena = arena_create(1 << 20)};
    SymbolVec names = {0}, values = {0};
    uint64_t shape = MPART_NO_SHAPE;
    size_t left = PLACES_MAX;
    for (uint32_t i = 0; i < mpart_series_count(p) && left > 0; i++) {
        Labels labels;
        ErrCode code = mpart_labels(p, i, r.arena, &labels, NULL);
        ASSERT(code == OK || code == ERR_CORRUPT || code == ERR_TOO_LARGE);
        vec_clear(&values);
        code = mpart_label_symbols(p, i, &shape, &names, &values, NULL);
        for (size_t k = 0; code == OK && k < values.n; k++) (void)mpart_symbol(p, values.v[k]);
        (void)mpart_overlaps(p, i, 5, 50);
        code = mpart_blocks(p, i, see_block, &left, NULL);
        if (left == 0) break;
        arena_reset(r.arena);
        read_ranges(&r, i);
    }
    (void)mpart_all_overlap(p, 5, 50, 10);
    mpart_cache_done(&r.cache);
    read_scratch_done(&r.scratch);
    arena_free(r.arena);
    sample_buf_done(&r.samples);
    vec_done(&r.histograms);
    vec_done(&names);
    vec_done(&values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Cursor in = cursor_of(str_of((const char *)data, size));
    Fs *fs = fs_fault_create(1);
    Part *part;
    MPart *p;
    if (write_part(fs, &in) && part_open(fs, "p", &part, NULL) == OK) {
        if (mpart_open(part, &p, NULL) == OK) {
            if (mpart_load(p, NULL) == OK) {
                walk_postings(p);
                match(p, MATCH_EQ, STR("i"), STR("1"));
                match(p, MATCH_RE, STR("i"), STR("1.*"));
                match(p, MATCH_NEQ, STR("j"), STR("0"));
                walk_series(p);
            }
            mpart_close(p);
        }
        part_close(part);
    }
    fs_fault_free(fs);
    return 0;
}
