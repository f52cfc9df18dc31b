#include "model/histogram.h"

#include "base/cursor.h"
#include "model/metrics_batch.h"

static bool f64_same(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }

static void *copy_array(Arena *arena, const void *p, size_t n, size_t size) {
    void *out = arena_alloc_array(arena, n, size);
    if (out && n > 0) memcpy(out, p, n * size);
    return out;
}

Histogram *histogram_copy(Arena *arena, const Histogram *h) {
    Histogram *c = ARENA_NEW(arena, Histogram);
    if (!c) return NULL;
    *c = *h;
    c->pos_spans = copy_array(arena, h->pos_spans, h->n_pos_spans, sizeof *h->pos_spans);
    c->neg_spans = copy_array(arena, h->neg_spans, h->n_neg_spans, sizeof *h->neg_spans);
    c->pos = copy_array(arena, h->pos, h->n_pos, sizeof *h->pos);
    c->neg = copy_array(arena, h->neg, h->n_neg, sizeof *h->neg);
    c->custom_bounds = copy_array(arena, h->custom_bounds, h->n_custom_bounds, sizeof *h->custom_bounds);
    return arena_exhausted(arena) ? NULL : c;
}

static bool array_eq(const void *a, uint32_t na, const void *b, uint32_t nb, size_t size) {
    return na == nb && (na == 0 || memcmp(a, b, na * size) == 0);
}

bool histogram_eq(const Histogram *a, const Histogram *b) {
    return a->schema == b->schema && a->reset == b->reset && a->is_float == b->is_float &&
           f64_same(a->count, b->count) && f64_same(a->sum, b->sum) && f64_same(a->zero_threshold, b->zero_threshold) &&
           f64_same(a->zero_count, b->zero_count) &&
           array_eq(a->pos_spans, a->n_pos_spans, b->pos_spans, b->n_pos_spans, sizeof *a->pos_spans) &&
           array_eq(a->neg_spans, a->n_neg_spans, b->neg_spans, b->n_neg_spans, sizeof *a->neg_spans) &&
           array_eq(a->pos, a->n_pos, b->pos, b->n_pos, sizeof *a->pos) &&
           array_eq(a->neg, a->n_neg, b->neg, b->n_neg, sizeof *a->neg) &&
           array_eq(
               a->custom_bounds, a->n_custom_bounds, b->custom_bounds, b->n_custom_bounds, sizeof *a->custom_bounds);
}

bool histogram_is_stale(const Histogram *h) { return is_stale_nan(h->sum); }

static void put_f64(Buf *out, double d) {
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    buf_put_u64le(out, bits);
}

static double get_f64(Cursor *c) {
    uint64_t bits = cursor_u64le(c);
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* Counts are mostly whole numbers: those go as varints, the rest as their bits. The first byte tells. */
static void put_counts(Buf *out, const double *v, uint32_t n) {
    bool whole = true;
    for (uint32_t i = 0; i < n; i++) {
        if (!(v[i] >= 0 && v[i] < 9007199254740992.0) || !f64_same((double)(uint64_t)v[i], v[i])) whole = false;
    }
    buf_put_char(out, whole ? 1 : 0);
    buf_put_uvarint(out, n);
    for (uint32_t i = 0; i < n; i++) {
        if (whole) {
            buf_put_uvarint(out, (uint64_t)v[i]);
        } else {
            put_f64(out, v[i]);
        }
    }
}

/* Every element takes at least one byte, so a count beyond what is left is malformed: this bounds the allocation. */
static uint32_t get_count(Cursor *c) {
    uint64_t n = cursor_uvarint(c);
    if (n > cursor_left(c)) c->bad = true;
    return c->bad ? 0 : (uint32_t)n;
}

static const double *get_counts(Cursor *c, Arena *arena, uint32_t *ret_n) {
    bool whole = cursor_u8(c) == 1;
    uint32_t n = get_count(c);
    double *v = ARENA_ARRAY(arena, double, n);
    if (!v) c->bad = true;
    for (uint32_t i = 0; v && i < n; i++) v[i] = whole ? (double)cursor_uvarint(c) : get_f64(c);
    *ret_n = n;
    return v;
}

static void put_spans(Buf *out, const HistogramSpan *v, uint32_t n) {
    buf_put_uvarint(out, n);
    for (uint32_t i = 0; i < n; i++) {
        buf_put_svarint(out, v[i].offset);
        buf_put_uvarint(out, v[i].length);
    }
}

static const HistogramSpan *get_spans(Cursor *c, Arena *arena, uint32_t *ret_n) {
    uint32_t n = get_count(c);
    HistogramSpan *v = ARENA_ARRAY(arena, HistogramSpan, n);
    if (!v) c->bad = true;
    for (uint32_t i = 0; v && i < n; i++) {
        v[i].offset = (int32_t)cursor_svarint(c);
        v[i].length = (uint32_t)cursor_uvarint(c);
    }
    *ret_n = n;
    return v;
}

void histogram_encode(Buf *out, const Histogram *h) {
    buf_put_char(out, (char)h->schema);
    buf_put_char(out, (char)(h->reset | (h->is_float ? 0x80 : 0)));
    put_f64(out, h->count);
    put_f64(out, h->sum);
    put_f64(out, h->zero_threshold);
    put_f64(out, h->zero_count);
    put_spans(out, h->pos_spans, h->n_pos_spans);
    put_counts(out, h->pos, h->n_pos);
    put_spans(out, h->neg_spans, h->n_neg_spans);
    put_counts(out, h->neg, h->n_neg);
    put_counts(out, h->custom_bounds, h->n_custom_bounds);
}

static bool spans_cover(const HistogramSpan *v, uint32_t n, uint32_t buckets) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) sum += v[i].length;
    return sum == buckets;
}

bool histogram_decode(Str in, Arena *arena, Histogram *ret, size_t *ret_used) {
    Cursor c = cursor_of(in);
    Histogram h = {.schema = (int8_t)cursor_u8(&c)};
    uint8_t flags = cursor_u8(&c);
    h.reset = flags & 0x7f;
    h.is_float = (flags & 0x80) != 0;
    h.count = get_f64(&c);
    h.sum = get_f64(&c);
    h.zero_threshold = get_f64(&c);
    h.zero_count = get_f64(&c);
    h.pos_spans = get_spans(&c, arena, &h.n_pos_spans);
    h.pos = get_counts(&c, arena, &h.n_pos);
    h.neg_spans = get_spans(&c, arena, &h.n_neg_spans);
    h.neg = get_counts(&c, arena, &h.n_neg);
    h.custom_bounds = get_counts(&c, arena, &h.n_custom_bounds);
    if (c.bad || h.reset > HISTOGRAM_RESET_GAUGE) return false;
    if (!spans_cover(h.pos_spans, h.n_pos_spans, h.n_pos) || !spans_cover(h.neg_spans, h.n_neg_spans, h.n_neg))
        return false;
    *ret = h;
    *ret_used = in.n - cursor_left(&c);
    return true;
}
