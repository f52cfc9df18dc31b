#include "metrics/mpart_write_int.h"

#include "base/hash.h"
#include "storage/column.h"

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
    buf_done(&w->chunks);
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
    vec_done(&w->histogram_starts);
    mem_free(w);
    return NULL;
}

size_t mpart_writer_series_count(const MPartWriter *w) { return w->n_series; }

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
static void put_stats(Buf *out, const double *v, size_t n) {
    MBlockStats s = {0};
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (is_stale_nan(v[i])) continue;
        if (!any) s.first = s.min = s.max = v[i];
        if (any && v[i] < s.last) s.resets++;
        if (v[i] < s.min || s.min != s.min) s.min = v[i];
        if (v[i] > s.max || s.max != s.max) s.max = v[i];
        s.last = v[i];
        any = true;
    }
    buf_put(out, &s.min, 8);
    buf_put(out, &s.max, 8);
    buf_put(out, &s.first, 8);
    buf_put(out, &s.last, 8);
    buf_put_uvarint(out, s.resets);
}

/* Behind the encoded values in w->scratch; gives how many bytes. */
static size_t put_starts(MPartWriter *w, const int64_t *t, const int64_t *start, size_t n) {
    size_t i = 0, before = w->scratch.n;
    while (i < n && start[i] == 0) i++;
    if (i == n) return 0;
    mpart_starts_encode(&w->scratch, t, start, n);
    return w->scratch.n - before;
}

/* One block; w->scratch holds the encoded values, the last start_bytes of it start times. */
static ErrCode put_block(MPartWriter *w, uint8_t flags, uint32_t time_id, size_t start_bytes, const double *stats_of,
    size_t n, Err *reterr) {
    if (start_bytes) flags |= MBLOCK_STARTS;
    if (w->scratch.n <= MPART_IN_PLACE_MAX) flags |= MBLOCK_IN_PLACE;
    if (stats_of && n >= MPART_STATS_SAMPLES) flags |= MBLOCK_STATS;
    buf_put_char(&w->series, (char)flags);
    buf_put_uvarint(&w->series, time_id);
    buf_put_uvarint(&w->series, w->scratch.n);
    if (start_bytes) buf_put_uvarint(&w->series, start_bytes);
    if (flags & MBLOCK_IN_PLACE) {
        buf_put_str(&w->series, buf_str(&w->scratch));
    } else {
        uint32_t group, offset;
        ErrCode code = mpart_group_add(w, &w->open[1], buf_str(&w->scratch), &group, &offset, reterr);
        if (code != OK) return code;
        buf_put_uvarint(&w->series, group);
        buf_put_uvarint(&w->series, offset);
    }
    if (flags & MBLOCK_STATS) put_stats(&w->series, stats_of, n);
    w->rows += n;
    return OK;
}

static ErrCode put_floats(MPartWriter *w, const SampleBuf *b, Err *reterr) {
    ErrCode code = OK;
    for (size_t from = 0; from < b->n && code == OK;) {
        size_t m = MIN(b->n - from, MPART_BLOCK_SAMPLES);
        uint32_t time_id;
        code = time_column(w, b->t + from, m, &time_id, reterr);
        if (code != OK) break;
        buf_clear(&w->scratch);
        column_encode_f64(&w->scratch, b->v + from, m);
        size_t start_bytes = b->has_starts ? put_starts(w, b->t + from, b->start + from, m) : 0;
        uint8_t fresh = stale_nan_among(b->v + from, m) ? 0 : MBLOCK_FRESH;
        code = put_block(w, fresh, time_id, start_bytes, b->v + from, m, reterr);
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
        vec_clear(&w->histogram_starts);
        while (from < n && m < MPART_STATS_SAMPLES && bytes < MPART_GROUP_BYTES) {
            vec_push(&w->histogram_t, h[from].t);
            vec_push(&w->histogram_starts, h[from].start);
            vec_push(&w->histogram_bytes, h[from].bytes);
            bytes += h[from++].bytes.n;
            m++;
        }
        uint32_t time_id;
        code = time_column(w, w->histogram_t.v, m, &time_id, reterr);
        if (code != OK) break;
        buf_clear(&w->scratch);
        column_encode_str(&w->scratch, w->histogram_bytes.v, m);
        size_t start_bytes = put_starts(w, w->histogram_t.v, w->histogram_starts.v, m);
        code = put_block(w, MBLOCK_HISTOGRAM, time_id, start_bytes, NULL, m, reterr);
    }
    return code;
}

ErrCode mpart_writer_series_ranked(MPartWriter *w, const uint32_t *names, const uint32_t *values, uint32_t n_labels,
    const SampleBuf *samples, const HistogramRefs *histograms, Err *reterr) {
    ErrCode code = w->series_offsets.n == MPART_CHUNK_SERIES ? mpart_chunk_flush(w, reterr) : OK;
    if (code != OK) return code;
    if (w->series.n > UINT32_MAX >> 2 || w->n_series == UINT32_MAX - 1)
        return err_set(reterr, ERR_TOO_LARGE, "metrics part: too many series or blocks");
    vec_push(&w->series_offsets, (uint32_t)w->series.n);
    mpart_put_labels(w, names, values, n_labels, w->n_series++);
    code = put_floats(w, samples, reterr);
    return code == OK ? put_histograms(w, histograms->v, histograms->n, reterr) : code;
}

ErrCode mpart_writer_series(
    MPartWriter *w, Labels labels, const SampleBuf *samples, const HistogramRefs *histograms, Err *reterr) {
    vec_clear(&w->names);
    vec_clear(&w->values);
    for (size_t i = 0; i < labels.n; i++) {
        vec_push(&w->names, symbol_of(w, labels.v[i].name));
        vec_push(&w->values, symbol_of(w, labels.v[i].value));
    }
    return mpart_writer_series_ranked(w, w->names.v, w->values.v, (uint32_t)labels.n, samples, histograms, reterr);
}
