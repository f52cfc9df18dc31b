/* Metrics parts whose checksums hold but whose sections are any bytes: all of the reader, packed indexes included. The
 * input: version, series (u16), per section and for a group of times a length (u16) and the bytes; what is left is a
 * group of values. The bytes for SERIES_CHUNKS are the chunk itself. */
#include "metrics/mpart_int.h"

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

static bool see_block(void *ctx, const MBlock *b) {
    size_t *left = ctx;
    ASSERT(b->n > 0 && b->n <= MPART_BLOCK_SAMPLES && b->min_t <= b->max_t);
    return --*left > 0;
}

static void walk_series(MPart *p) {
    Arena *arena = arena_create(1 << 20);
    MPartCache cache = {0};
    SampleBuf samples = {0};
    HistogramRefs histograms = {0};
    SymbolVec names = {0}, values = {0};
    uint64_t shape = MPART_NO_SHAPE;
    size_t left = PLACES_MAX;
    for (uint32_t i = 0; i < mpart_series_count(p) && left > 0; i++) {
        Labels labels;
        ErrCode code = mpart_labels(p, i, arena, &labels, NULL);
        ASSERT(code == OK || code == ERR_CORRUPT || code == ERR_TOO_LARGE);
        vec_clear(&values);
        code = mpart_label_symbols(p, i, &shape, &names, &values, NULL);
        for (size_t k = 0; code == OK && k < values.n; k++) (void)mpart_symbol(p, values.v[k]);
        (void)mpart_overlaps(p, i, 5, 50);
        code = mpart_blocks(p, i, see_block, &left, NULL);
        if (left == 0) break;
        sample_buf_clear(&samples);
        vec_clear(&histograms);
        arena_reset(arena);
        code = mpart_read(p, &cache, i, INT64_MIN, INT64_MAX, &samples, &histograms, arena, NULL);
        ASSERT(code == OK || code == ERR_CORRUPT || code == ERR_TOO_LARGE);
    }
    mpart_cache_done(&cache);
    arena_free(arena);
    sample_buf_done(&samples);
    vec_done(&histograms);
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
                walk_series(p);
            }
            mpart_close(p);
        }
        part_close(part);
    }
    fs_fault_free(fs);
    return 0;
}
