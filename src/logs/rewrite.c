/* Heads become parts, parts become fewer parts. */
#include "logs/store_int.h"

#include <stdio.h>
#include <stdlib.h>

#define LEVEL_FLUSH 1
#define LEVEL_MERGE 6
#define SAMPLE_EVERY 32

/* Parts made by one step, to be published together. */
typedef struct Output {
    VEC(PartInfo) parts;
} Output;

static void output_discard(Store *s, Output *out) {
    vec_foreach(PartInfo, p, &out->parts) {
        char name[40], path[FS_PATH_MAX], dir[FS_PATH_MAX];
        (void)snprintf(name, sizeof name, "part-%016llx.mkp", (unsigned long long)p->id);
        fs_path_join(dir, s->dir, "parts");
        fs_path_join(path, dir, name);
        (void)s->fs->ops->remove(s->fs, path, NULL);
    }
    vec_done(&out->parts);
}

/* --- flush --- */

typedef struct HeadRef {
    int64_t t_ns;
    const HeadRow *row;
    uint32_t stream;
} HeadRef;

#define DIGIT_BITS 11

static bool refs_sorted(const HeadRef *v, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (v[i].t_ns < v[i - 1].t_ns) return false;
    return true;
}

static void sort_by_digit(const HeadRef *in, HeadRef *out, size_t n, uint64_t base, unsigned shift) {
    const uint64_t mask = (1u << DIGIT_BITS) - 1;
    size_t at[1 << DIGIT_BITS] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++) at[((uint64_t)in[i].t_ns - base) >> shift & mask]++;
    for (size_t d = 0; d <= mask; d++) {
        size_t count = at[d];
        at[d] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++) out[at[((uint64_t)in[i].t_ns - base) >> shift & mask]++] = in[i];
}

/* By time, stable, in place of v: as many passes as the span of times needs. */
static void sort_refs(HeadRef *v, size_t n) {
    if (refs_sorted(v, n)) return;
    int64_t min_t = v[0].t_ns, max_t = v[0].t_ns;
    for (size_t i = 1; i < n; i++) {
        min_t = MIN(min_t, v[i].t_ns);
        max_t = MAX(max_t, v[i].t_ns);
    }
    uint64_t base = (uint64_t)min_t, span = (uint64_t)max_t - base;
    HeadRef *tmp = mem_alloc_array(n, sizeof *tmp), *in = v, *out = tmp;
    for (unsigned shift = 0; shift < 64 && span >> shift; shift += DIGIT_BITS) {
        sort_by_digit(in, out, n, base, shift);
        HeadRef *swap = in;
        in = out;
        out = swap;
    }
    if (in != v) memcpy(v, in, n * sizeof *v);
    mem_free(tmp);
}

static int cmp_streams(const void *a, const void *b) {
    return labels_cmp((*(HeadStream *const *)a)->labels, (*(HeadStream *const *)b)->labels);
}

typedef struct Flush {
    Store *s;
    HeadStream **streams; /* by labels */
    Labels *labels;       /* of the part being written */
    uint32_t *number;     /* stream -> number in the part + 1 */
    uint32_t *at;         /* per stream of the part: where its next row of the slice goes */
    size_t n_streams;
    HeadRef *rows; /* by time */
    size_t n_rows;
    LogPartRow *slice;
} Flush;

static size_t put_chain(HeadRef *out, const HeadChain *chain, uint32_t stream) {
    size_t n = 0;
    for (const HeadChunk *c = chain->first; c; c = c->next) {
        for (uint32_t i = 0; i < c->n; i++) out[n++] = (HeadRef){c->rows[i].t_ns, &c->rows[i], stream};
        if (c == chain->last) break;
    }
    return n;
}

static void flush_init(Flush *f, Store *s, LogHead *h) {
    *f = (Flush){.s = s, .n_streams = h->streams.n};
    f->streams = mem_alloc_array(h->streams.n + 1, sizeof *f->streams);
    f->labels = mem_alloc_array(h->streams.n + 1, sizeof *f->labels);
    f->number = mem_alloc_array(h->streams.n + 1, sizeof *f->number);
    f->at = mem_alloc_array(h->streams.n + 1, sizeof *f->at);
    f->rows = mem_alloc_array(h->rows + 1, sizeof *f->rows);
    f->slice = mem_alloc_array(LOG_SLICE_ROWS, sizeof *f->slice);
    if (h->streams.n > 0) memcpy(f->streams, h->streams.v, h->streams.n * sizeof *f->streams);
    qsort(f->streams, f->n_streams, sizeof *f->streams, cmp_streams);
    for (uint32_t i = 0; i < f->n_streams; i++) {
        f->n_rows += put_chain(f->rows + f->n_rows, &f->streams[i]->main, i);
        f->n_rows += put_chain(f->rows + f->n_rows, &f->streams[i]->late, i);
    }
    ASSERT(f->n_rows == h->rows);
    if (f->n_rows > 0) sort_refs(f->rows, f->n_rows);
}

static void flush_done(Flush *f) {
    mem_free(f->streams);
    mem_free(f->labels);
    mem_free(f->number);
    mem_free(f->at);
    mem_free(f->rows);
    mem_free(f->slice);
}

static size_t number_streams(Flush *f, const HeadRef *rows, size_t n) {
    memset(f->number, 0, (f->n_streams + 1) * sizeof *f->number);
    for (size_t i = 0; i < n; i++) f->number[rows[i].stream] = 1;
    size_t used = 0;
    for (size_t i = 0; i < f->n_streams; i++) {
        if (!f->number[i]) continue;
        f->labels[used++] = f->streams[i]->labels;
        f->number[i] = (uint32_t)used;
    }
    return used;
}

/* Rows come by time and go by stream, then time. */
static void fill_slice(Flush *f, const HeadRef *rows, size_t n, size_t n_streams) {
    memset(f->at, 0, n_streams * sizeof *f->at);
    for (size_t i = 0; i < n; i++) f->at[f->number[rows[i].stream] - 1]++;
    uint32_t sum = 0;
    for (size_t i = 0; i < n_streams; i++) {
        uint32_t count = f->at[i];
        f->at[i] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++) {
        const HeadRow *r = rows[i].row;
        uint32_t stream = f->number[rows[i].stream] - 1;
        f->slice[f->at[stream]++] = (LogPartRow){r->t_ns, stream, head_row_line(r), head_row_metadata(r)};
    }
}

static ErrCode flush_slices(Flush *f, LogPartWriter *w, const HeadRef *rows, size_t n, size_t n_streams, Err *reterr) {
    for (size_t i = 0; i < n;) {
        size_t first = i, bytes = 0;
        for (; i < n && i - first < LOG_SLICE_ROWS && bytes < LOG_SLICE_BYTES; i++)
            bytes += rows[i].row->line_n + rows[i].row->values_n;
        fill_slice(f, rows + first, i - first, n_streams);
        ErrCode rc = logpart_writer_slice(w, f->slice, i - first, reterr);
        if (rc) return rc;
    }
    return OK;
}

static ErrCode flush_day(Flush *f, const HeadRef *rows, size_t n, Output *out, Err *reterr) {
    char path[FS_PATH_MAX];
    PartInfo info = {.id = partset_new_id(f->s->parts, path)};
    size_t n_streams = number_streams(f, rows, n);
    LogPartWriter *w;
    ErrCode rc = logpart_writer_create(f->s->fs, path, LEVEL_FLUSH, f->labels, n_streams, &w, reterr);
    if (rc) return rc;
    rc = flush_slices(f, w, rows, n, n_streams, reterr);
    if (rc == OK) rc = logpart_writer_finish(w, &info, reterr);
    logpart_writer_free(w);
    if (rc == OK) vec_push(&out->parts, info);
    return rc;
}

static int64_t day_of(int64_t t) { return t >= 0 ? t / LOG_DAY_NS : -((-(t + 1)) / LOG_DAY_NS) - 1; }

static ErrCode flush_days(Flush *f, Output *out, Err *reterr) {
    for (size_t i = 0, end; i < f->n_rows; i = end) {
        int64_t day = day_of(f->rows[i].t_ns);
        for (end = i + 1; end < f->n_rows && day_of(f->rows[end].t_ns) == day;) end++;
        ErrCode rc = flush_day(f, f->rows + i, end - i, out, reterr);
        if (rc) return rc;
    }
    return OK;
}

static void remember(Store *s, const Flush *f) {
    LogRecentSet set = {.n = f->n_rows, .stream_max = u64map_create()};
    set.hashes = mem_alloc_array(f->n_rows + 1, sizeof *set.hashes);
    for (size_t i = 0; i < f->n_rows; i++)
        set.hashes[i] = head_row_hash(f->streams[f->rows[i].stream]->hash, f->rows[i].row);
    for (size_t i = 0; i < f->n_streams; i++) {
        bool inserted;
        uint64_t *v = u64map_put(set.stream_max, f->streams[i]->hash, &inserted);
        if (inserted || (int64_t)*v < f->streams[i]->max_t) *v = (uint64_t)f->streams[i]->max_t;
    }
    recent_add(&s->recent, set);
}

ErrCode rewrite_head(Store *s, LogHead *h, Err *reterr) {
    Flush f;
    Output out = {0};
    flush_init(&f, s, h);
    ErrCode rc = flush_days(&f, &out, reterr);
    if (rc) {
        flush_done(&f);
        output_discard(s, &out);
        return rc;
    }
    uint64_t *ids = mem_alloc_array(out.parts.n + 1, sizeof *ids);
    for (size_t i = 0; i < out.parts.n; i++) ids[i] = out.parts.v[i].id;
    mutex_lock(&s->lock);
    mem_free(h->part_ids);
    h->part_ids = ids;
    h->n_part_ids = out.parts.n;
    mutex_unlock(&s->lock);
    remember(s, &f);
    rc = partset_publish(s->parts, out.parts.v, out.parts.n, NULL, 0, h->end, reterr);
    flush_done(&f);
    /* When it fails it is open which manifest a crash brings up: the new one, which has moved the log's position, must
     * find its parts. The next publish or open removes them. */
    vec_done(&out.parts);
    return rc;
}

/* --- merge --- */

typedef struct Merge {
    Store *s;
    LogPartWriter *w;
    Arena *slice_arena;
    VEC(LogPartRow) slice;
    VEC(Labels) labels; /* by labels_cmp, unique */
    U64Map *number;     /* address of a part's label set -> number in labels */
    VEC(bool) drop;
    const LogSelect *drop_req;
    uint64_t dropped;
    const LogShape *shape; /* of the row before; in slice_arena */
    Buf values;
    VEC(int64_t) samples;
    size_t slice_bytes;
    Err err;
    ErrCode rc;
} Merge;

static int cmp_labels(const void *a, const void *b) { return labels_cmp(*(const Labels *)a, *(const Labels *)b); }

static uint64_t label_set_key(Labels l) { return l.n > 0 ? (uint64_t)(uintptr_t)l.v : 0; }

static void merge_streams(Merge *m, const PartRef *parts, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const LogPart *p = parts[i].obj;
        for (size_t k = 0; k < p->n_streams; k++)
            if (p->streams[k].rows > 0) vec_push(&m->labels, p->streams[k].labels);
    }
    if (m->labels.n > 0) qsort(m->labels.v, m->labels.n, sizeof *m->labels.v, cmp_labels);
    size_t out = 0;
    for (size_t i = 0; i < m->labels.n; i++) {
        if (out == 0 || labels_cmp(m->labels.v[out - 1], m->labels.v[i]) != 0) m->labels.v[out++] = m->labels.v[i];
        *u64map_put(m->number, label_set_key(m->labels.v[i]), NULL) = out - 1;
    }
    m->labels.n = out;
    for (size_t i = 0; i < out; i++)
        vec_push(&m->drop, m->drop_req && matchers_match(m->drop_req->matchers, m->labels.v[i]));
}

static ErrCode merge_write(Merge *m) {
    if (m->slice.n == 0) return OK;
    m->rc = logpart_writer_slice(m->w, m->slice.v, m->slice.n, &m->err);
    vec_clear(&m->slice);
    m->shape = NULL;
    arena_reset(m->slice_arena);
    return m->rc;
}

/* A view's names live as long as its part is open: shapes may point to them. */
static LogMetadata merge_metadata(Merge *m, const LogView *row) {
    if (!m->shape || !log_shape_fits(m->shape, row->metadata, row->n_metadata))
        m->shape = log_shape_of(row->metadata, row->n_metadata, m->slice_arena);
    buf_clear(&m->values);
    for (size_t i = 0; i < row->n_metadata; i++) log_value_put(&m->values, &row->metadata[i].value);
    return (LogMetadata){m->shape, arena_copy(m->slice_arena, buf_str(&m->values))};
}

static bool merge_row(void *ctx, const LogView *row) {
    Merge *m = ctx;
    uint64_t *number = u64map_get(m->number, label_set_key(row->stream));
    ASSERT(number);
    if (m->drop.v[*number] && row->t_ns >= m->drop_req->start_ns && row->t_ns < m->drop_req->end_ns) {
        m->dropped++;
        return true;
    }
    LogPartRow r = {.t_ns = row->t_ns, .stream = (uint32_t)*number, .line = arena_copy(m->slice_arena, row->line)};
    if (row->n_metadata > 0) r.metadata = merge_metadata(m, row);
    vec_push(&m->slice, r);
    if (arena_used_bytes(m->slice_arena) > 2 * (size_t)LOG_SLICE_BYTES) return merge_write(m) == OK;
    return true;
}

/* Every SAMPLE_EVERYth time of every block: their quantiles bound the slices. */
static ErrCode merge_sample(Merge *m, const PartRef *ref, Err *reterr) {
    const LogPart *p = ref->obj;
    for (size_t i = 0, n = wide_part_block_count(p->wide); i < n; i++) {
        WideBlock *b;
        const int64_t *t;
        ErrCode rc = wide_block_open(p->wide, i, m->slice_arena, &b, reterr);
        if (rc == OK) rc = wide_block_times(b, &t, reterr);
        if (rc) return rc;
        WideBlockInfo info = wide_part_block_info(p->wide, i);
        for (uint32_t k = 0; k < info.rows; k += SAMPLE_EVERY) vec_push(&m->samples, t[k]);
        arena_reset(m->slice_arena);
    }
    return OK;
}

static int cmp_i64(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static size_t samples_per_slice(const PartRef *parts, size_t n) {
    uint64_t rows = 1, bytes = 0;
    for (size_t i = 0; i < n; i++) {
        const LogPart *p = parts[i].obj;
        for (size_t k = 0; k < p->n_streams; k++) {
            rows += p->streams[k].rows;
            bytes += p->streams[k].bytes;
        }
    }
    uint64_t per_slice = LOG_SLICE_BYTES / (bytes / rows + 1);
    return (size_t)MAX(MIN(per_slice, (uint64_t)LOG_SLICE_ROWS) / SAMPLE_EVERY, UINT64_C(1));
}

/* One slice at a time: all rows of [start, end), in whatever order blocks give them. */
static ErrCode merge_slice(Merge *m, const PartRef *parts, size_t n, int64_t start, int64_t end, Err *reterr) {
    Arena *tables = arena_create(ARENA_UNLIMITED);
    LogScanStats stats = {0};
    LogSelect req = {.start_ns = start, .end_ns = end, .any_order = true, .arena = tables};
    ErrCode rc = scan_parts(parts, n, &req, merge_row, m, &stats, reterr);
    arena_free(tables);
    if (rc == OK && stats.corrupt_blocks > 0)
        rc = err_set(reterr, ERR_CORRUPT, "parts with damaged blocks are left as they are");
    if (rc == OK && m->rc == OK) merge_write(m);
    if (rc == OK && m->rc) {
        rc = m->rc;
        if (reterr) *reterr = m->err;
    }
    return rc;
}

static ErrCode merge_all(Merge *m, const PartRef *parts, size_t n, Err *reterr) {
    int64_t max_t = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        ErrCode rc = merge_sample(m, &parts[i], reterr);
        if (rc) return rc;
        max_t = MAX(max_t, parts[i].info.max_t);
    }
    if (m->samples.n > 0) qsort(m->samples.v, m->samples.n, sizeof *m->samples.v, cmp_i64);
    size_t step = samples_per_slice(parts, n);
    int64_t start = INT64_MIN;
    for (size_t i = step; i < m->samples.n; i += step) {
        if (m->samples.v[i] <= start) continue;
        ErrCode rc = merge_slice(m, parts, n, start, m->samples.v[i], reterr);
        if (rc) return rc;
        start = m->samples.v[i];
    }
    return merge_slice(m, parts, n, start, max_t < INT64_MAX ? max_t + 1 : INT64_MAX, reterr);
}

static void merge_done(Merge *m) {
    logpart_writer_free(m->w);
    arena_free(m->slice_arena);
    u64map_free(m->number);
    vec_done(&m->slice);
    vec_done(&m->labels);
    vec_done(&m->drop);
    vec_done(&m->samples);
    buf_done(&m->values);
}

ErrCode rewrite_parts(
    Store *s, const PartRef *parts, size_t n, const LogSelect *drop, uint64_t *ret_dropped, Err *reterr) {
    Merge m = {.s = s, .drop_req = drop, .slice_arena = arena_create(ARENA_UNLIMITED), .number = u64map_create()};
    char path[FS_PATH_MAX];
    PartInfo info = {.id = partset_new_id(s->parts, path)};
    merge_streams(&m, parts, n);
    VEC(uint64_t) remove = {0};
    for (size_t i = 0; i < n; i++) {
        vec_push(&remove, parts[i].info.id);
        info.level = MAX(info.level, parts[i].info.level + 1);
        info.order = MAX(info.order, parts[i].info.order);
    }
    ErrCode rc = logpart_writer_create(s->fs, path, LEVEL_MERGE, m.labels.v, m.labels.n, &m.w, reterr);
    if (rc == OK) rc = merge_all(&m, parts, n, reterr);
    bool empty = false;
    if (rc == OK) {
        rc = logpart_writer_finish(m.w, &info, reterr);
        if (rc == ERR_NOT_FOUND) {
            empty = true;
            rc = OK;
        }
    }
    if (rc == OK) rc = partset_publish(s->parts, &info, empty ? 0 : 1, remove.v, remove.n, 0, reterr);
    if (ret_dropped) *ret_dropped = m.dropped;
    vec_done(&remove);
    merge_done(&m);
    return rc;
}
