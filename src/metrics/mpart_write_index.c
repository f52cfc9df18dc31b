/* mpart_write_index.c - groups, postings and sections of a metrics part being written. */
#include "metrics/mpart_pack.h"
#include "metrics/mpart_write_int.h"

#include <stdlib.h>

/* The index of a small part is much of it: packed, it takes a seventh; read, it takes memory then. A large part's stays
 * as it is, in the mapping. */
#define SECTION_ZSTD_MAX ((size_t)2 << 20)
#define SECTION_ZSTD_LEVEL 3

/* --- groups --- */
static ErrCode group_flush(MPartWriter *w, Group *g, Err *reterr) {
    if (g->raw.n == 0) return OK;
    BlockRef ref;
    ErrCode code = part_writer_block(w->out, buf_str(&g->raw), w->zstd_level, &ref, reterr);
    if (code == OK) w->groups.v[g->id] = ref;
    buf_clear(&g->raw);
    return code;
}

ErrCode mpart_group_add(MPartWriter *w, Group *g, Str bytes, uint32_t *ret_group, uint32_t *ret_offset, Err *reterr) {
    if (g->raw.n && g->raw.n + bytes.n > MPART_GROUP_BYTES) {
        ErrCode code = group_flush(w, g, reterr);
        if (code != OK) return code;
    }
    if (g->raw.n == 0) {
        g->id = (uint32_t)w->groups.n;
        vec_push(&w->groups, (BlockRef){0});
    }
    *ret_group = g->id;
    *ret_offset = (uint32_t)g->raw.n;
    buf_put_str(&g->raw, bytes);
    return OK;
}

/* --- labels --- */
/* The place in w->postings of a value that has none or the series before it did not have; made when it is new. */
static size_t posting_of(MPartWriter *w, uint32_t name, uint32_t value) {
    bool is_new;
    uint64_t key = (uint64_t)name << 32 | value, *slot = u64map_put(w->posting_ids, key, &is_new);
    if (is_new) {
        *slot = w->postings.n;
        vec_push(&w->postings, (Posting){.key = key});
    }
    return (size_t)*slot;
}

static void posting_push(Posting *p, uint32_t distance) {
    if (p->bytes_cap - p->bytes_n < 5) {
        p->bytes_cap = MAX(8, p->bytes_cap + p->bytes_cap / 2);
        p->bytes = mem_realloc_array(p->bytes, p->bytes_cap, 1);
    }
    for (; distance >= 0x80; distance >>= 7) p->bytes[p->bytes_n++] = (uint8_t)(distance | 0x80);
    p->bytes[p->bytes_n++] = (uint8_t)distance;
}

static void posting_add(Posting *p, uint32_t series) {
    if (p->n == 1) posting_push(p, p->last);
    if (p->n > 0) posting_push(p, series - p->last);
    p->last = series;
    p->n++;
}

/* The names as a shape; true: they are those of the series before. */
static bool shape_of(MPartWriter *w, const uint32_t *names, uint32_t n) {
    if (w->last_names.n == n && n > 0 && memcmp(w->last_names.v, names, n * sizeof *names) == 0) return true;
    buf_clear(&w->scratch);
    buf_put_uvarint(&w->scratch, n);
    vec_clear(&w->last_names);
    for (uint32_t i = 0; i < n; i++) {
        buf_put_uvarint(&w->scratch, names[i]);
        vec_push(&w->last_names, names[i]);
    }
    bool is_new;
    uint64_t *shape = map_put(w->shape_ids, buf_str(&w->scratch), &is_new);
    if (is_new) {
        *shape = map_count(w->shape_ids) - 1;
        buf_put_str(&w->shapes, buf_str(&w->scratch));
    }
    w->last_shape = *shape;
    return false;
}

void mpart_put_labels(MPartWriter *w, const uint32_t *names, const uint32_t *values, uint32_t n, uint32_t series) {
    bool same_names = shape_of(w, names, n);
    buf_put_uvarint(&w->series, w->last_shape);
    if (!same_names) {
        vec_clear(&w->last_values);
        vec_clear(&w->last_postings);
    }
    for (uint32_t i = 0; i < n; i++) {
        buf_put_uvarint(&w->series, values[i]);
        if (!same_names) {
            vec_push(&w->last_values, values[i]);
            vec_push(&w->last_postings, posting_of(w, names[i], values[i]));
        } else if (w->last_values.v[i] != values[i]) {
            w->last_values.v[i] = values[i];
            w->last_postings.v[i] = posting_of(w, names[i], values[i]);
        }
        posting_add(&w->postings.v[w->last_postings.v[i]], series);
    }
}

/* --- finishing --- */
static int by_key(const void *a, const void *b) {
    const Posting *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static ErrCode write_section(MPartWriter *w, const Buf *b, BlockRef *ret, Err *reterr) {
    if (b->n > UINT32_MAX) return err_set(reterr, ERR_TOO_LARGE, "metrics part: index over 4 GiB");
    int level = b->n <= SECTION_ZSTD_MAX ? SECTION_ZSTD_LEVEL : 0;
    return part_writer_block(w->out, buf_str(b), level, ret, reterr);
}

static ErrCode write_symbols(MPartWriter *w, BlockRef *refs, Err *reterr) {
    Buf offsets = {0}, bytes = {0};
    for (size_t i = 0; i < w->n_symbols; i++) {
        buf_put_u32le(&offsets, (uint32_t)bytes.n);
        buf_put_str(&bytes, w->symbols[i]);
    }
    buf_put_u32le(&offsets, (uint32_t)bytes.n);
    ErrCode code = write_section(w, &offsets, &refs[MPART_SYMBOL_OFFSETS], reterr);
    if (code == OK) code = write_section(w, &bytes, &refs[MPART_SYMBOL_BYTES], reterr);
    buf_done(&offsets);
    buf_done(&bytes);
    return code;
}

/* Both together: what of the index grows with the series. */
static bool is_small(const MPartWriter *w) { return w->chunks.n == 0 && w->series.n <= SECTION_ZSTD_MAX; }

ErrCode mpart_chunk_flush(MPartWriter *w, Err *reterr) {
    if (w->series_offsets.n == 0) return OK;
    BlockRef ref;
    uint32_t end = (uint32_t)w->series.n;
    vec_foreach(uint32_t, o, &w->series_offsets) buf_put_u32le(&w->series, *o);
    buf_put_u32le(&w->series, end);
    ErrCode code = part_writer_block(w->out, buf_str(&w->series), 0, &ref, reterr);
    if (code != OK) return code;
    block_ref_encode(&w->chunks, &ref);
    buf_clear(&w->series);
    vec_clear(&w->series_offsets);
    return OK;
}

static void pack_series(MPartWriter *w, Buf *out) {
    VEC(uint32_t) sizes = {0};
    Cursor c = cursor_of(buf_str(&w->shapes));
    while (cursor_left(&c)) {
        uint32_t n = (uint32_t)cursor_uvarint(&c);
        vec_push(&sizes, n);
        for (; n > 0; n--) (void)cursor_uvarint(&c);
    }
    ShapeSizes shapes = {sizes.v, sizes.n};
    vec_push(&w->series_offsets, (uint32_t)w->series.n);
    mpart_pack_series(out, &shapes, buf_str(&w->series), w->series_offsets.v, w->n_series);
    vec_done(&sizes);
}

static ErrCode write_series(MPartWriter *w, BlockRef *refs, Err *reterr) {
    Buf packed = {0};
    ErrCode code = OK;
    if (is_small(w))
        pack_series(w, &packed);
    else
        code = mpart_chunk_flush(w, reterr);
    if (code == OK) code = write_section(w, &w->shapes, &refs[MPART_SHAPES], reterr);
    if (code == OK) code = write_section(w, &w->chunks, &refs[MPART_SERIES_CHUNKS], reterr);
    if (code == OK) code = write_section(w, &packed, &refs[MPART_SERIES], reterr);
    buf_done(&packed);
    return code;
}

static ErrCode write_times(MPartWriter *w, BlockRef *refs, Err *reterr) {
    Buf table = {0};
    ErrCode code = OK;
    for (size_t i = 0; i < w->time_entries.n && code == OK; i++) {
        MPartTime e = w->time_entries.v[i];
        code = mpart_group_add(w, &w->open[0], str_of(w->times.p + e.offset, e.length), &e.group, &e.offset, reterr);
        buf_put_u32le(&table, e.group);
        buf_put_u32le(&table, e.offset);
        buf_put_u32le(&table, e.length);
        buf_put_u32le(&table, e.n);
        buf_put_u64le(&table, (uint64_t)e.min_t);
        buf_put_u64le(&table, (uint64_t)e.max_t);
    }
    if (code == OK) code = group_flush(w, &w->open[0], reterr);
    if (code == OK) code = write_section(w, &table, &refs[MPART_TIMES], reterr);
    buf_done(&table);
    return code;
}

static void put_posting(Buf *out, const Posting *p) {
    roaring_bitmap_t *set = roaring_bitmap_create();
    Cursor c = cursor_of(str_of((const char *)p->bytes, p->bytes_n));
    uint32_t series[256], at = 0;
    if (p->n == 1) roaring_bitmap_add(set, p->last);
    while (cursor_left(&c)) {
        size_t n = 0;
        while (n < ARRAY_LEN(series) && cursor_left(&c)) series[n++] = at += (uint32_t)cursor_uvarint(&c);
        roaring_bitmap_add_many(set, n, series);
    }
    DASSERT(roaring_bitmap_get_cardinality(set) == p->n);
    roaring_bitmap_run_optimize(set);
    postings_encode(out, set);
    roaring_bitmap_free(set);
}

static ErrCode write_postings(MPartWriter *w, BlockRef *refs, Err *reterr) {
    Buf names = {0}, values = {0}, lists = {0};
    if (w->postings.n) qsort(w->postings.v, w->postings.n, sizeof *w->postings.v, by_key);
    for (size_t i = 0, end; i < w->postings.n; i = end) {
        uint64_t name = w->postings.v[i].key >> 32;
        for (end = i; end < w->postings.n && w->postings.v[end].key >> 32 == name; end++) {
            buf_put_u32le(&values, (uint32_t)w->postings.v[end].key);
            buf_put_u32le(&values, (uint32_t)lists.n);
            put_posting(&lists, &w->postings.v[end]);
        }
        buf_put_u32le(&names, (uint32_t)name);
        buf_put_u32le(&names, (uint32_t)i);
        buf_put_u32le(&names, (uint32_t)(end - i));
    }
    if (is_small(w)) {
        Buf packed = {0};
        mpart_pack_postings(&packed, buf_str(&values), buf_str(&lists), w->n_series);
        buf_clear(&values);
        buf_done(&lists);
        lists = packed;
    }
    ErrCode code = write_section(w, &names, &refs[MPART_NAMES], reterr);
    if (code == OK) code = write_section(w, &values, &refs[MPART_VALUES], reterr);
    if (code == OK) code = write_section(w, &lists, &refs[MPART_POSTINGS], reterr);
    buf_done(&names);
    buf_done(&values);
    buf_done(&lists);
    return code;
}

ErrCode mpart_writer_finish(MPartWriter *w, PartInfo *ret_info, Err *reterr) {
    BlockRef refs[MPART_SECTIONS] = {0};
    ErrCode code = group_flush(w, &w->open[1], reterr);
    if (code == OK) code = write_times(w, refs, reterr);
    if (code == OK) code = write_symbols(w, refs, reterr);
    if (code == OK) code = write_series(w, refs, reterr);
    if (code == OK) code = write_postings(w, refs, reterr);
    if (code != OK) return code;
    Buf footer = {0};
    buf_put_char(&footer, is_small(w) ? MPART_PACKED : MPART_PLAIN);
    buf_put_uvarint(&footer, w->n_series);
    for (int i = 0; i < MPART_SECTIONS; i++) block_ref_encode(&footer, &refs[i]);
    buf_put_uvarint(&footer, w->groups.n);
    vec_foreach(BlockRef, r, &w->groups) block_ref_encode(&footer, r);
    code = part_writer_finish(w->out, buf_str(&footer), &ret_info->size_bytes, reterr);
    buf_done(&footer);
    ret_info->min_t = w->min_t;
    ret_info->max_t = w->max_t;
    ret_info->rows = w->rows;
    return code;
}
