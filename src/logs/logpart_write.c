#include "base/map.h"
#include "logs/logpart.h"

#include <stdlib.h>

typedef struct StreamCount {
    uint64_t rows, bytes;
    int64_t min_t, max_t;
} StreamCount;

struct LogPartWriter {
    WideWriter *wide;
    const Labels *streams;
    size_t n_streams;
    StreamCount *counts;
    const LogShape *shape; /* of the row before */
    VEC(WideField) fields; /* as many as the shape has, after the line: names and constants are in place */
    VEC(uint32_t) varying; /* fields of the shape that are not constant */
    uint64_t rows;
    int64_t min_t, max_t;
};

ErrCode logpart_writer_create(
    Fs *fs, const char *path, int level, const Labels *streams, size_t n, LogPartWriter **ret, Err *reterr) {
    WideWriter *wide;
    ErrCode rc = wide_writer_create(fs, path, level, &wide, reterr);
    if (rc) return rc;
    LogPartWriter *w = NEW(LogPartWriter);
    w->wide = wide;
    w->streams = streams;
    w->n_streams = n;
    vec_push(&w->fields, (WideField){LOG_LINE_FIELD, {.type = WIDE_STR, .s = STR_NULL}});
    w->counts = mem_alloc_array(n + 1, sizeof *w->counts);
    for (size_t i = 0; i < n; i++) w->counts[i] = (StreamCount){0, 0, INT64_MAX, INT64_MIN};
    w->min_t = INT64_MAX;
    w->max_t = INT64_MIN;
    *ret = w;
    return OK;
}

LogPartWriter *logpart_writer_free(LogPartWriter *w) {
    if (!w) return NULL;
    wide_writer_free(w->wide);
    mem_free(w->counts);
    vec_done(&w->fields);
    vec_done(&w->varying);
    mem_free(w);
    return NULL;
}

WideValue wide_of_attr(const AttrValue *v) {
    switch (v->type) {
    case ATTR_STR: return (WideValue){.type = WIDE_STR, .s = v->s};
    case ATTR_BOOL: return (WideValue){.type = WIDE_BOOL, .b = v->b};
    case ATTR_I64: return (WideValue){.type = WIDE_I64, .i = v->i};
    case ATTR_F64: return (WideValue){.type = WIDE_F64, .d = v->d};
    case ATTR_BYTES: return (WideValue){.type = WIDE_BYTES, .s = v->s};
    case ATTR_ARRAY: return (WideValue){.type = WIDE_JSON_ARRAY, .s = v->s};
    case ATTR_MAP: return (WideValue){.type = WIDE_JSON_MAP, .s = v->s};
    case ATTR_EMPTY: break;
    }
    return (WideValue){.type = WIDE_NULL};
}

static int cmp_rows(const void *a, const void *b) {
    const LogPartRow *x = a, *y = b;
    if (x->stream != y->stream) return x->stream < y->stream ? -1 : 1;
    if (x->t_ns != y->t_ns) return x->t_ns < y->t_ns ? -1 : 1;
    int c = str_cmp(x->line, y->line);
    return c ? c : log_metadata_cmp(x->metadata, y->metadata);
}

static bool same_place(const LogPartRow *a, const LogPartRow *b) {
    return a->stream == b->stream && a->t_ns == b->t_ns;
}

/* Mostly they are in order of stream and time already: then only rows that share both are to be sorted. */
static void sort_slice(LogPartRow *rows, size_t n) {
    for (size_t i = 1; i < n; i++) {
        const LogPartRow *x = &rows[i - 1], *y = &rows[i];
        if (x->stream < y->stream || (x->stream == y->stream && x->t_ns <= y->t_ns)) continue;
        qsort(rows, n, sizeof *rows, cmp_rows);
        return;
    }
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && same_place(&rows[i], &rows[end]);) end++;
        if (end - i > 1) qsort(rows + i, end - i, sizeof *rows, cmp_rows);
    }
}

static void take_shape(LogPartWriter *w, const LogShape *shape) {
    w->shape = shape;
    w->fields.n = 1;
    vec_clear(&w->varying);
    for (uint32_t i = 0; shape && i < shape->n; i++) {
        vec_push(&w->fields, (WideField){shape->fields[i].key, wide_of_attr(&shape->fields[i].value)});
        if (!shape->fields[i].is_const) vec_push(&w->varying, i);
    }
}

static bool take_values(LogPartWriter *w, LogMetadata md) {
    if (md.shape != w->shape) take_shape(w, md.shape);
    Cursor c = cursor_of(md.values);
    vec_foreach(uint32_t, i, &w->varying) {
        AttrValue v = md.shape->fields[*i].value;
        log_value_take(&c, &v);
        w->fields.v[*i + 1].value = wide_of_attr(&v);
    }
    return !c.bad;
}

static ErrCode write_row(LogPartWriter *w, const LogPartRow *r, Err *reterr) {
    if (!take_values(w, r->metadata)) return err_set(reterr, ERR_CORRUPT, "malformed log metadata");
    w->fields.v[0].value = (WideValue){.type = WIDE_STR, .s = r->line};
    ErrCode rc = wide_writer_row(w->wide, r->t_ns, r->stream, w->fields.v, w->fields.n, reterr);
    if (rc) return rc;
    StreamCount *c = &w->counts[r->stream];
    c->rows++;
    c->bytes += r->line.n;
    c->min_t = MIN(c->min_t, r->t_ns);
    c->max_t = MAX(c->max_t, r->t_ns);
    w->min_t = MIN(w->min_t, r->t_ns);
    w->max_t = MAX(w->max_t, r->t_ns);
    w->rows++;
    return OK;
}

ErrCode logpart_writer_slice(LogPartWriter *w, LogPartRow *rows, size_t n, Err *reterr) {
    take_shape(w, NULL); /* the last slice's shapes may be gone */
    sort_slice(rows, n);
    for (size_t i = 0; i < n; i++) {
        ASSERT(rows[i].stream < w->n_streams);
        if (i > 0 && cmp_rows(&rows[i - 1], &rows[i]) == 0) continue;
        ErrCode rc = write_row(w, &rows[i], reterr);
        if (rc) return rc;
    }
    return wide_writer_cut(w->wide, reterr);
}

/* Label pairs of all streams with rows, ordered by name, value, stream. */
typedef struct Posting {
    Str name, value;
    uint32_t stream;
} Posting;

static int cmp_postings(const void *a, const void *b) {
    const Posting *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    if (c) return c;
    c = str_cmp(x->value, y->value);
    return c ? c : (x->stream > y->stream) - (x->stream < y->stream);
}

static void put_value(Buf *out, const Posting *p, size_t n) {
    buf_put_lenstr(out, p->value);
    buf_put_uvarint(out, n);
    uint32_t prev = 0;
    for (size_t i = 0; i < n; i++) {
        buf_put_uvarint(out, p[i].stream - prev);
        prev = p[i].stream;
    }
}

static void put_name(Buf *out, const Posting *p, size_t n) {
    size_t n_values = 0;
    for (size_t i = 0; i < n; i++) n_values += i == 0 || !str_eq(p[i - 1].value, p[i].value);
    buf_put_lenstr(out, p->name);
    buf_put_uvarint(out, n_values);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && str_eq(p[i].value, p[end].value);) end++;
        put_value(out, p + i, end - i);
    }
}

static void put_postings(Buf *out, const LogPartWriter *w) {
    VEC(Posting) ps = {0};
    for (uint32_t i = 0; i < w->n_streams; i++)
        for (size_t k = 0; k < w->streams[i].n; k++)
            vec_push(&ps, (Posting){w->streams[i].v[k].name, w->streams[i].v[k].value, i});
    if (ps.n > 0) qsort(ps.v, ps.n, sizeof *ps.v, cmp_postings);
    size_t n_names = 0;
    for (size_t i = 0; i < ps.n; i++) n_names += i == 0 || !str_eq(ps.v[i - 1].name, ps.v[i].name);
    buf_put_uvarint(out, n_names);
    for (size_t i = 0, end; i < ps.n; i = end) {
        for (end = i + 1; end < ps.n && str_eq(ps.v[i].name, ps.v[end].name);) end++;
        put_name(out, ps.v + i, end - i);
    }
    vec_done(&ps);
}

ErrCode logpart_writer_finish(LogPartWriter *w, PartInfo *ret_info, Err *reterr) {
    if (w->rows == 0) return err_set(reterr, ERR_NOT_FOUND, "no rows");
    Buf user = {0};
    buf_put_char(&user, 2);
    buf_put_uvarint(&user, w->n_streams);
    for (size_t i = 0; i < w->n_streams; i++) {
        const StreamCount *c = &w->counts[i];
        buf_put_uvarint(&user, c->rows);
        buf_put_uvarint(&user, c->bytes);
        buf_put_svarint(&user, c->rows ? c->min_t : 0);
        buf_put_uvarint(&user, c->rows ? (uint64_t)c->max_t - (uint64_t)c->min_t : 0);
    }
    put_postings(&user, w);
    uint64_t size = 0;
    ErrCode rc = wide_writer_finish(w->wide, buf_str(&user), &size, reterr);
    buf_done(&user);
    ret_info->min_t = w->min_t;
    ret_info->max_t = w->max_t;
    ret_info->rows = w->rows;
    ret_info->size_bytes = size;
    return rc;
}
