#include "base/hash.h"
#include "metrics/mpart_int.h"
#include "storage/column.h"

#include <stdlib.h>

/* The index of a small part is much of it and compresses to a third; read, it takes memory then. A large part's stays
 * as it is, in the mapping. */
#define SECTION_ZSTD_MAX ((size_t)2 << 20)
#define SECTION_ZSTD_LEVEL 3

/* Series numbers ascend: kept as varint distances, a byte or two each, beside the last one. */
typedef struct Posting {
    uint64_t key; /* name symbol << 32 | value symbol */
    uint32_t n, last, bytes_n, bytes_cap;
    uint8_t *bytes; /* all but the first while there is only one */
} Posting;

typedef struct Group {
    Buf raw;
    uint32_t id; /* index in groups; valid while raw is not empty */
} Group;

struct MPartWriter {
    PartWriter *out;
    int zstd_level;
    const Str *symbols;
    size_t n_symbols;
    Map *symbol_ids; /* made at the first series that comes with strings */
    Map *shape_ids;  /* encoded shape -> id */
    Buf shapes, series, scratch, times;
    VEC(uint32_t) series_offsets;
    VEC(BlockRef) groups;
    Group open[2];    /* times, values */
    U64Map *time_ids; /* content hash -> id of the newest with it */
    VEC(MPartTime) time_entries;
    U64Map *posting_ids;
    VEC(Posting) postings;
    /* Of the series before, which shares most labels with the next one. */
    uint64_t last_shape;
    VEC(uint32_t) last_names, last_values;
    VEC(size_t) last_postings;
    VEC(uint32_t) names, values; /* scratch */
    VEC(int64_t) histogram_t;
    VEC(Str) histogram_bytes;
    uint64_t rows;
    int64_t min_t, max_t;
};

ErrCode mpart_writer_create(
    Fs *fs, const char *path, const Str *symbols, size_t n_symbols, int zstd_level, MPartWriter **ret, Err *reterr) {
    PartWriter *out;
    ErrCode code = part_writer_create(fs, path, &out, reterr);
    if (code != OK) return code;
    MPartWriter *w = NEW(MPartWriter);
    w->out = out;
    w->zstd_level = zstd_level;
    w->symbols = symbols;
    w->n_symbols = n_symbols;
    w->shape_ids = map_create(MAP_COPY_KEYS);
    w->time_ids = u64map_create();
    w->posting_ids = u64map_create();
    w->min_t = INT64_MAX;
    w->max_t = INT64_MIN;
    *ret = w;
    return OK;
}

MPartWriter *mpart_writer_free(MPartWriter *w) {
    if (!w) return NULL;
    part_writer_free(w->out);
    map_free(w->symbol_ids);
    map_free(w->shape_ids);
    buf_done(&w->shapes);
    buf_done(&w->series);
    buf_done(&w->scratch);
    buf_done(&w->times);
    vec_done(&w->series_offsets);
    vec_done(&w->groups);
    buf_done(&w->open[0].raw);
    buf_done(&w->open[1].raw);
    u64map_free(w->time_ids);
    vec_done(&w->time_entries);
    u64map_free(w->posting_ids);
    vec_foreach(Posting, p, &w->postings) mem_free(p->bytes);
    vec_done(&w->postings);
    vec_done(&w->last_names);
    vec_done(&w->last_values);
    vec_done(&w->last_postings);
    vec_done(&w->names);
    vec_done(&w->values);
    vec_done(&w->histogram_t);
    vec_done(&w->histogram_bytes);
    mem_free(w);
    return NULL;
}

size_t mpart_writer_series_count(const MPartWriter *w) { return w->series_offsets.n; }

static uint32_t symbol_of(MPartWriter *w, Str s) {
    if (!w->symbol_ids) {
        w->symbol_ids = map_create(MAP_BORROW_KEYS);
        for (size_t i = 0; i < w->n_symbols; i++) {
            DASSERT(i == 0 || str_cmp(w->symbols[i - 1], w->symbols[i]) < 0);
            *map_put(w->symbol_ids, w->symbols[i], NULL) = i;
        }
    }
    const uint64_t *id = map_get(w->symbol_ids, s);
    ASSERT(id); /* the caller promised all symbols */
    return (uint32_t)*id;
}

/* --- groups --- */
static ErrCode group_flush(MPartWriter *w, Group *g, Err *reterr) {
    if (g->raw.n == 0) return OK;
    BlockRef ref;
    ErrCode code = part_writer_block(w->out, buf_str(&g->raw), w->zstd_level, &ref, reterr);
    if (code == OK) w->groups.v[g->id] = ref;
    buf_clear(&g->raw);
    return code;
}

static ErrCode group_add(MPartWriter *w, Group *g, Str bytes, uint32_t *ret_group, uint32_t *ret_offset, Err *reterr) {
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

/* The id of the time column, written now unless an equal one is there. */
static ErrCode time_column(MPartWriter *w, const int64_t *t, size_t n, uint32_t *ret_id, Err *reterr) {
    uint64_t hash = hash_bytes(t, n * sizeof *t, 0);
    uint64_t *known = u64map_get(w->time_ids, hash);
    buf_clear(&w->scratch);
    column_encode_i64(&w->scratch, t, n);
    if (known) { /* compare what is stored: equal times encode to equal bytes */
        const MPartTime *e = &w->time_entries.v[*known];
        Str old = str_of(w->times.p + e->offset, e->length);
        if (e->n == n && str_eq(old, buf_str(&w->scratch))) {
            *ret_id = (uint32_t)*known;
            return OK;
        }
    }
    /* In `times` while writing (offset = place there); spread over groups at the end. */
    MPartTime e = {.offset = (uint32_t)w->times.n, .length = (uint32_t)w->scratch.n, .n = (uint32_t)n};
    e.min_t = t[0];
    e.max_t = t[n - 1];
    if (w->times.n + w->scratch.n > UINT32_MAX) return err_set(reterr, ERR_TOO_LARGE, "metrics part: too many times");
    buf_put_str(&w->times, buf_str(&w->scratch));
    *u64map_put(w->time_ids, hash, NULL) = w->time_entries.n;
    *ret_id = (uint32_t)w->time_entries.n;
    vec_push(&w->time_entries, e);
    w->min_t = MIN(w->min_t, e.min_t);
    w->max_t = MAX(w->max_t, e.max_t);
    return OK;
}

/* --- series --- */
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

static void put_labels(MPartWriter *w, const uint32_t *names, const uint32_t *values, uint32_t n, uint32_t series) {
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

static void put_stats(Buf *out, const double *v, size_t n) {
    MBlockStats s = {0};
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (is_stale_nan(v[i])) continue;
        if (!any) s.first = s.min = s.max = v[i];
        if (any && v[i] < s.last) s.resets++;
        if (v[i] < s.min || s.min != s.min) s.min = v[i];
        if (v[i] > s.max || s.max != s.max) s.max = v[i];
        s.sum += v[i];
        s.last = v[i];
        any = true;
    }
    buf_put(out, &s.min, 8);
    buf_put(out, &s.max, 8);
    buf_put(out, &s.sum, 8);
    buf_put(out, &s.first, 8);
    buf_put(out, &s.last, 8);
    buf_put_uvarint(out, s.resets);
}

/* One block; w->scratch holds the encoded values. */
static ErrCode put_block(
    MPartWriter *w, uint8_t flags, uint32_t time_id, const double *stats_of, size_t n, Err *reterr) {
    if (w->scratch.n <= MPART_IN_PLACE_MAX) flags |= MBLOCK_IN_PLACE;
    if (stats_of && n >= MPART_STATS_SAMPLES) flags |= MBLOCK_STATS;
    buf_put_char(&w->series, (char)flags);
    buf_put_uvarint(&w->series, time_id);
    buf_put_uvarint(&w->series, w->scratch.n);
    if (flags & MBLOCK_IN_PLACE) {
        buf_put_str(&w->series, buf_str(&w->scratch));
    } else {
        uint32_t group, offset;
        ErrCode code = group_add(w, &w->open[1], buf_str(&w->scratch), &group, &offset, reterr);
        if (code != OK) return code;
        buf_put_uvarint(&w->series, group);
        buf_put_uvarint(&w->series, offset);
    }
    if (flags & MBLOCK_STATS) put_stats(&w->series, stats_of, n);
    w->rows += n;
    return OK;
}

static ErrCode put_floats(MPartWriter *w, const int64_t *t, const double *v, size_t n, Err *reterr) {
    ErrCode code = OK;
    for (size_t from = 0; from < n && code == OK;) {
        size_t m = MIN(n - from, MPART_BLOCK_SAMPLES);
        uint32_t time_id;
        code = time_column(w, t + from, m, &time_id, reterr);
        if (code != OK) break;
        buf_clear(&w->scratch);
        column_encode_f64(&w->scratch, v + from, m);
        code = put_block(w, 0, time_id, v + from, m, reterr);
        from += m;
    }
    return code;
}

static ErrCode put_histograms(MPartWriter *w, const HistogramRef *h, size_t n, Err *reterr) {
    ErrCode code = OK;
    for (size_t from = 0; from < n && code == OK;) {
        size_t m = 0, bytes = 0;
        vec_clear(&w->histogram_t);
        vec_clear(&w->histogram_bytes);
        while (from < n && m < MPART_STATS_SAMPLES && bytes < MPART_GROUP_BYTES) {
            vec_push(&w->histogram_t, h[from].t);
            vec_push(&w->histogram_bytes, h[from].bytes);
            bytes += h[from++].bytes.n;
            m++;
        }
        uint32_t time_id;
        code = time_column(w, w->histogram_t.v, m, &time_id, reterr);
        if (code != OK) break;
        buf_clear(&w->scratch);
        column_encode_str(&w->scratch, w->histogram_bytes.v, m);
        code = put_block(w, MBLOCK_HISTOGRAM, time_id, NULL, m, reterr);
    }
    return code;
}

ErrCode mpart_writer_series_ranked(MPartWriter *w, const uint32_t *names, const uint32_t *values, uint32_t n_labels,
    const int64_t *t, const double *v, size_t n, const HistogramRef *histograms, size_t n_histograms, Err *reterr) {
    if (w->series.n > (UINT32_MAX >> 1)) return err_set(reterr, ERR_TOO_LARGE, "metrics part: too many series");
    uint32_t id = (uint32_t)w->series_offsets.n;
    vec_push(&w->series_offsets, (uint32_t)w->series.n);
    put_labels(w, names, values, n_labels, id);
    ErrCode code = put_floats(w, t, v, n, reterr);
    return code == OK ? put_histograms(w, histograms, n_histograms, reterr) : code;
}

ErrCode mpart_writer_series(MPartWriter *w, Labels labels, const int64_t *t, const double *v, size_t n,
    const HistogramRef *histograms, size_t n_histograms, Err *reterr) {
    vec_clear(&w->names);
    vec_clear(&w->values);
    for (size_t i = 0; i < labels.n; i++) {
        vec_push(&w->names, symbol_of(w, labels.v[i].name));
        vec_push(&w->values, symbol_of(w, labels.v[i].value));
    }
    return mpart_writer_series_ranked(
        w, w->names.v, w->values.v, (uint32_t)labels.n, t, v, n, histograms, n_histograms, reterr);
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

static ErrCode write_series(MPartWriter *w, BlockRef *refs, Err *reterr) {
    Buf offsets = {0};
    vec_foreach(uint32_t, o, &w->series_offsets) buf_put_u32le(&offsets, *o);
    buf_put_u32le(&offsets, (uint32_t)w->series.n);
    ErrCode code = write_section(w, &w->shapes, &refs[MPART_SHAPES], reterr);
    if (code == OK) code = write_section(w, &offsets, &refs[MPART_SERIES_OFFSETS], reterr);
    if (code == OK) code = write_section(w, &w->series, &refs[MPART_SERIES], reterr);
    buf_done(&offsets);
    return code;
}

static ErrCode write_times(MPartWriter *w, BlockRef *refs, Err *reterr) {
    Buf table = {0};
    ErrCode code = OK;
    for (size_t i = 0; i < w->time_entries.n && code == OK; i++) {
        MPartTime e = w->time_entries.v[i];
        code = group_add(w, &w->open[0], str_of(w->times.p + e.offset, e.length), &e.group, &e.offset, reterr);
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
    buf_put_char(&footer, MPART_VERSION);
    buf_put_uvarint(&footer, w->series_offsets.n);
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
