#include "metrics/mpart_pack.h"

#include "base/cursor.h"
#include "base/num.h"
#include "metrics/postings.h"
#include "model/metrics_batch.h"

#include <math.h>

#define LABELS_MAX 4096 /* streams of label values; far above what a series may have */

typedef enum Stream {
    S_SHAPE,  /* distance to the shape before */
    S_BLOCKS, /* of the series */
    S_FLAGS,
    S_TIME, /* distance to the time column of the block before */
    S_LENGTH,
    S_STARTS, /* of the length, what start times take */
    S_GROUP,  /* distance to where the columns before end */
    S_OFFSET,
    S_BYTES, /* columns in place */
    S_STAT_FORM,
    S_STAT_EXPONENT,
    S_STAT_NUMBER, /* mantissas: the first, the others as distances to it */
    S_STAT_RAW,
    S_STAT_RESETS,
    S_LABELS, /* from here on one for each place in a shape: distance to the value of the series before there */
} Stream;

/* --- streams --- */
typedef VEC(Buf) Streams;

static Buf *stream(Streams *s, size_t i) {
    while (s->n <= i) vec_push(s, (Buf){0});
    return &s->v[i];
}

static void streams_put(Buf *out, Streams *s) {
    buf_put_uvarint(out, s->n);
    vec_foreach(Buf, b, s) buf_put_uvarint(out, b->n);
    vec_foreach(Buf, b, s) {
        buf_put_str(out, buf_str(b));
        buf_done(b);
    }
    vec_done(s);
}

typedef VEC(Cursor) Readers;

static bool readers_take(Str in, size_t at_least, size_t at_most, Readers *ret) {
    Cursor lengths = cursor_of(in), bytes;
    uint64_t n = cursor_uvarint(&lengths);
    if (lengths.bad || n < at_least || n > at_most) return false;
    bytes = lengths;
    for (uint64_t i = 0; i < n; i++) (void)cursor_uvarint(&bytes);
    for (uint64_t i = 0; i < n && !bytes.bad; i++) {
        Str one = cursor_bytes(&bytes, cursor_uvarint(&lengths));
        vec_push(ret, cursor_of(one));
    }
    return !bytes.bad && cursor_left(&bytes) == 0;
}

static bool readers_end(Readers *r) {
    bool good = true;
    vec_foreach(Cursor, c, r) good = good && !c->bad && cursor_left(c) == 0;
    vec_done(r);
    return good;
}

/* --- statistics: min, max, first, last as doubles, resets as uvarint --- */
enum { MIN_IS_FIRST = 1, MIN_IS_LAST = 2, MAX_IS_FIRST = 4, MAX_IS_LAST = 8, HAS_RESETS = 16 };
#define EXPONENT_MAX 9
#define EXPONENT_RAW 15
static const double pow10_of[EXPONENT_MAX + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

typedef struct Stats {
    double v[4]; /* first, last, min, max */
    uint64_t resets;
} Stats;

static bool same(double a, double b) { return f64_bits(a) == f64_bits(b); }

static double take_f64(Cursor *c) { return f64_of(cursor_u64le(c)); }

static unsigned form_of(const Stats *s) {
    unsigned form = s->resets ? HAS_RESETS : 0;
    if (same(s->v[2], s->v[0]))
        form |= MIN_IS_FIRST;
    else if (same(s->v[2], s->v[1]))
        form |= MIN_IS_LAST;
    if (same(s->v[3], s->v[0]))
        form |= MAX_IS_FIRST;
    else if (same(s->v[3], s->v[1]))
        form |= MAX_IS_LAST;
    return form;
}

static bool is_told(unsigned form, int i) {
    return i < 2 || (i == 2 ? !(form & (MIN_IS_FIRST | MIN_IS_LAST)) : !(form & (MAX_IS_FIRST | MAX_IS_LAST)));
}

static bool to_decimal(double v, unsigned e, int64_t *ret) {
    double y = v * pow10_of[e];
    if (!(fabs(y) < 4503599627370496.0)) return false;
    *ret = (int64_t)(y < 0 ? y - 0.5 : y + 0.5);
    return same((double)*ret / pow10_of[e], v);
}

static unsigned exponent_of(const Stats *s, int64_t m[4]) {
    for (unsigned e = 0; e <= EXPONENT_MAX; e++) {
        int i = 0;
        while (i < 4 && to_decimal(s->v[i], e, &m[i])) i++;
        if (i == 4) return e;
    }
    return EXPONENT_RAW;
}

static void put_stats(Streams *out, Cursor *c) {
    Stats s;
    s.v[2] = take_f64(c);
    s.v[3] = take_f64(c);
    s.v[0] = take_f64(c);
    s.v[1] = take_f64(c);
    s.resets = cursor_uvarint(c);
    int64_t m[4];
    unsigned form = form_of(&s), e = exponent_of(&s, m);
    buf_put_char(stream(out, S_STAT_FORM), (char)form);
    buf_put_char(stream(out, S_STAT_EXPONENT), (char)e);
    for (int i = 0; i < 4; i++) {
        if (!is_told(form, i)) continue;
        if (e == EXPONENT_RAW)
            buf_put_u64le(stream(out, S_STAT_RAW), f64_bits(s.v[i]));
        else
            buf_put_svarint(stream(out, S_STAT_NUMBER), i ? m[i] - m[0] : m[0]);
    }
    if (form & HAS_RESETS) buf_put_uvarint(stream(out, S_STAT_RESETS), s.resets);
}

static bool take_stats(Readers *in, Buf *out) {
    Cursor *r = in->v;
    unsigned form = cursor_u8(&r[S_STAT_FORM]), e = cursor_u8(&r[S_STAT_EXPONENT]);
    if (e > EXPONENT_MAX && e != EXPONENT_RAW) return false;
    double v[4] = {0};
    uint64_t first = 0;
    for (int i = 0; i < 4; i++) {
        if (!is_told(form, i)) {
            v[i] = v[form & (i == 2 ? MIN_IS_FIRST : MAX_IS_FIRST) ? 0 : 1];
        } else if (e == EXPONENT_RAW) {
            v[i] = take_f64(&r[S_STAT_RAW]);
        } else {
            uint64_t m = (uint64_t)cursor_svarint(&r[S_STAT_NUMBER]) + first;
            if (i == 0) first = m;
            v[i] = (double)(int64_t)m / pow10_of[e];
        }
    }
    uint64_t resets = form & HAS_RESETS ? cursor_uvarint(&r[S_STAT_RESETS]) : 0;
    static const int order[4] = {2, 3, 0, 1};
    for (int i = 0; i < 4; i++) buf_put(out, &v[order[i]], 8);
    buf_put_uvarint(out, resets);
    return !r[S_STAT_FORM].bad;
}

/* --- series --- */
typedef struct Before {
    uint64_t shape, time, group, offset;
    VEC(uint64_t) values; /* by place */
} Before;

static uint64_t *value_before(Before *b, size_t place) {
    while (b->values.n <= place) vec_push(&b->values, 0);
    return &b->values.v[place];
}

static void put_distance(Buf *out, uint64_t now, uint64_t *before) {
    buf_put_svarint(out, (int64_t)(now - *before));
    *before = now;
}

static uint64_t take_distance(Cursor *c, uint64_t *before) { return *before += (uint64_t)cursor_svarint(c); }

static void pack_block(Streams *out, Cursor *c, Before *b) {
    uint8_t flags = cursor_u8(c);
    buf_put_char(stream(out, S_FLAGS), (char)flags);
    put_distance(stream(out, S_TIME), cursor_uvarint(c), &b->time);
    uint64_t length = cursor_uvarint(c);
    buf_put_uvarint(stream(out, S_LENGTH), length);
    if (flags & MBLOCK_STARTS) buf_put_uvarint(stream(out, S_STARTS), cursor_uvarint(c));
    if (flags & MBLOCK_IN_PLACE) {
        buf_put_str(stream(out, S_BYTES), cursor_bytes(c, length));
    } else {
        put_distance(stream(out, S_GROUP), cursor_uvarint(c), &b->group);
        put_distance(stream(out, S_OFFSET), cursor_uvarint(c), &b->offset);
        b->offset += length;
    }
    if (flags & MBLOCK_STATS) put_stats(out, c);
}

void mpart_pack_series(Buf *out, const ShapeSizes *shapes, Str series, const uint32_t *offsets, size_t n) {
    Streams s = {0};
    Before b = {0};
    stream(&s, S_LABELS - 1);
    for (size_t i = 0; i < n; i++) {
        Cursor c = cursor_of(str_slice(series, offsets[i], offsets[i + 1]));
        uint64_t shape = cursor_uvarint(&c), blocks = 0;
        ASSERT(shape < shapes->count);
        put_distance(stream(&s, S_SHAPE), shape, &b.shape);
        for (uint32_t k = 0; k < shapes->n[shape]; k++)
            put_distance(stream(&s, S_LABELS + k), cursor_uvarint(&c), value_before(&b, k));
        for (; cursor_left(&c) && !c.bad; blocks++) pack_block(&s, &c, &b);
        ASSERT(!c.bad); /* it is our own writing */
        buf_put_uvarint(stream(&s, S_BLOCKS), blocks);
    }
    vec_done(&b.values);
    streams_put(out, &s);
}

static bool unpack_block(Readers *in, Before *b, Buf *out) {
    Cursor *r = in->v;
    uint8_t flags = cursor_u8(&r[S_FLAGS]);
    uint64_t length = cursor_uvarint(&r[S_LENGTH]);
    buf_put_char(out, (char)flags);
    buf_put_uvarint(out, take_distance(&r[S_TIME], &b->time));
    buf_put_uvarint(out, length);
    if (flags & MBLOCK_STARTS) buf_put_uvarint(out, cursor_uvarint(&r[S_STARTS]));
    if (flags & MBLOCK_IN_PLACE) {
        buf_put_str(out, cursor_bytes(&r[S_BYTES], length));
    } else {
        buf_put_uvarint(out, take_distance(&r[S_GROUP], &b->group));
        buf_put_uvarint(out, take_distance(&r[S_OFFSET], &b->offset));
        b->offset += length;
    }
    if (flags & MBLOCK_STATS && !take_stats(in, out)) return false;
    return !r[S_FLAGS].bad;
}

static bool unpack_entry(Readers *in, const ShapeSizes *shapes, Before *b, Buf *out) {
    uint64_t shape = take_distance(&in->v[S_SHAPE], &b->shape);
    if (shape >= shapes->count || shapes->n[shape] > in->n - S_LABELS) return false;
    buf_put_uvarint(out, shape);
    for (uint32_t k = 0; k < shapes->n[shape]; k++) {
        buf_put_uvarint(out, take_distance(&in->v[S_LABELS + k], value_before(b, k)));
        if (in->v[S_LABELS + k].bad) return false;
    }
    for (uint64_t blocks = cursor_uvarint(&in->v[S_BLOCKS]); blocks > 0; blocks--)
        if (!unpack_block(in, b, out)) return false;
    return !in->v[S_SHAPE].bad && !in->v[S_BLOCKS].bad && out->n <= UINT32_MAX;
}

bool mpart_unpack_series(Str in, const ShapeSizes *shapes, uint32_t n, Buf *ret_series, Buf *ret_offsets) {
    Readers r = {0};
    Before b = {0};
    bool good = readers_take(in, S_LABELS, S_LABELS + LABELS_MAX, &r);
    for (uint32_t i = 0; i < n && good; i++) {
        buf_put_u32le(ret_offsets, (uint32_t)ret_series->n);
        good = unpack_entry(&r, shapes, &b, ret_series);
    }
    buf_put_u32le(ret_offsets, (uint32_t)ret_series->n);
    vec_done(&b.values);
    return readers_end(&r) && good;
}

/* --- postings --- */
typedef enum ListStream { L_SYMBOL, L_COUNT, L_SERIES, L_STREAMS } ListStream;

void mpart_pack_postings(Buf *out, Str values, Str lists, uint32_t n) {
    Streams s = {0};
    uint64_t symbol = 0;
    stream(&s, L_STREAMS - 1);
    Cursor c = cursor_of(values);
    roaring_bitmap_t *set = roaring_bitmap_create();
    while (cursor_left(&c)) {
        put_distance(&s.v[L_SYMBOL], cursor_u32le(&c), &symbol);
        uint32_t from = cursor_u32le(&c), to = (uint32_t)lists.n, at = 0;
        Cursor next = c;
        if (cursor_left(&c)) {
            (void)cursor_u32le(&next);
            to = cursor_u32le(&next);
        }
        roaring_bitmap_clear(set);
        bool good = postings_decode_into(str_slice(lists, from, to), n, set);
        ASSERT(good);
        buf_put_uvarint(&s.v[L_COUNT], roaring_bitmap_get_cardinality(set));
        roaring_uint32_iterator_t i;
        for (roaring_init_iterator(set, &i); i.has_value; roaring_advance_uint32_iterator(&i)) {
            buf_put_uvarint(&s.v[L_SERIES], i.current_value - at);
            at = i.current_value;
        }
    }
    roaring_bitmap_free(set);
    streams_put(out, &s);
}

static bool take_list(Cursor *c, uint64_t count, uint32_t n, roaring_bitmap_t *set) {
    uint32_t some[256];
    uint64_t at = 0;
    while (count > 0) {
        size_t k = 0;
        for (; k < ARRAY_LEN(some) && count > 0; count--) {
            at += cursor_uvarint(c);
            if (c->bad || at >= n) return false;
            some[k++] = (uint32_t)at;
        }
        roaring_bitmap_add_many(set, k, some);
    }
    return true;
}

bool mpart_unpack_postings(Str in, uint32_t n, Buf *ret_values, Buf *ret_lists) {
    Readers r = {0};
    uint64_t symbol = 0;
    bool good = readers_take(in, L_STREAMS, L_STREAMS, &r);
    while (good && cursor_left(&r.v[L_SYMBOL])) {
        take_distance(&r.v[L_SYMBOL], &symbol);
        roaring_bitmap_t *set = roaring_bitmap_create();
        good = symbol <= UINT32_MAX && ret_lists->n <= UINT32_MAX &&
               take_list(&r.v[L_SERIES], cursor_uvarint(&r.v[L_COUNT]), n, set);
        buf_put_u32le(ret_values, (uint32_t)symbol);
        buf_put_u32le(ret_values, (uint32_t)ret_lists->n);
        roaring_bitmap_run_optimize(set);
        postings_encode(ret_lists, set);
        roaring_bitmap_free(set);
    }
    return readers_end(&r) && good;
}
