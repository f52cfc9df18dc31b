/* chunk_histogram.c - chunks of native histograms: the layout of buckets once, then counts as deltas of deltas
 * (integers) or xored floats. */
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/chunk.h"

#include <math.h>

#define BUCKETS_MAX 65536u
enum { HEADER_UNKNOWN = 0x00, HEADER_RESET = 0x80, HEADER_NO_RESET = 0x40, HEADER_GAUGE = 0xc0 };

/* --- layout --- */
static void put_zero_threshold(BitWriter *w, double v) {
    int exp = 0;
    if (v == 0) {
        bits_put(w, 0, 8);
    } else if (frexp(v, &exp) == 0.5 && exp >= -242 && exp <= 11) {
        bits_put(w, (uint64_t)(exp + 243), 8);
    } else {
        bits_put(w, 255, 8);
        bits_put(w, f64_bits(v), 64);
    }
}

static double get_zero_threshold(BitReader *r) {
    uint64_t b = bits_get(r, 8);
    if (b == 0) return 0;
    return b == 255 ? f64_of(bits_get(r, 64)) : ldexp(0.5, (int)b - 243);
}

static void put_spans(BitWriter *w, const HistogramSpan *v, size_t n) {
    bits_put_varbit_u(w, n);
    for (size_t i = 0; i < n; i++) {
        bits_put_varbit_u(w, v[i].length);
        bits_put_varbit(w, v[i].offset);
    }
}

/* Bounds that are multiples of 0.001 up to 33554.430 are short. */
static void put_bound(BitWriter *w, double v) {
    double thousand = v * 1000;
    bool short_form = thousand >= 0 && thousand <= 33554430 && (double)(uint64_t)round(thousand) / 1000 == v;
    if (short_form) {
        bits_put_varbit_u(w, (uint64_t)round(thousand) + 1);
    } else {
        bits_put(w, 0, 1);
        bits_put(w, f64_bits(v), 64);
    }
}

static void put_layout(BitWriter *w, const Histogram *h) {
    put_zero_threshold(w, h->zero_threshold);
    bits_put_varbit(w, h->schema);
    put_spans(w, h->pos_spans, h->n_pos_spans);
    put_spans(w, h->neg_spans, h->n_neg_spans);
    if (h->schema != HISTOGRAM_SCHEMA_CUSTOM) return;
    bits_put_varbit_u(w, h->n_custom_bounds);
    for (size_t i = 0; i < h->n_custom_bounds; i++) put_bound(w, h->custom_bounds[i]);
}

typedef struct Layout {
    Histogram h; /* schema, threshold, spans, bounds, numbers of buckets */
    Arena *arena;
} Layout;

static bool get_spans(BitReader *r, Arena *arena, const HistogramSpan **ret, uint32_t *ret_n, uint32_t *ret_buckets) {
    uint64_t n = bits_get_varbit_u(r), buckets = 0;
    if (r->bad || n > BUCKETS_MAX || n > r->n_bits) return false;
    HistogramSpan *v = ARENA_ARRAY(arena, HistogramSpan, n);
    if (!v) return false;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t length = bits_get_varbit_u(r);
        int64_t offset = bits_get_varbit(r);
        buckets += length;
        if (r->bad || length > BUCKETS_MAX || buckets > BUCKETS_MAX || offset != (int32_t)offset) return false;
        if (i > 0 && offset < 0) return false;
        v[i] = (HistogramSpan){(int32_t)offset, (uint32_t)length};
    }
    *ret = v;
    *ret_n = (uint32_t)n;
    *ret_buckets = (uint32_t)buckets;
    return true;
}

static bool get_bounds(BitReader *r, Layout *l) {
    uint64_t n = bits_get_varbit_u(r);
    if (r->bad || n > BUCKETS_MAX) return false;
    double *v = ARENA_ARRAY(l->arena, double, n);
    if (!v) return false;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t b = bits_get_varbit_u(r);
        v[i] = b == 0 ? f64_of(bits_get(r, 64)) : (double)(b - 1) / 1000;
    }
    l->h.custom_bounds = v;
    l->h.n_custom_bounds = (uint32_t)n;
    return !r->bad;
}

static bool get_layout(BitReader *r, Layout *l) {
    l->h.zero_threshold = get_zero_threshold(r);
    int64_t schema = bits_get_varbit(r);
    bool known =
        schema == HISTOGRAM_SCHEMA_CUSTOM || (schema >= HISTOGRAM_SCHEMA_MIN && schema <= HISTOGRAM_SCHEMA_MAX);
    if (r->bad || !known) return false;
    l->h.schema = (int8_t)schema;
    return get_spans(r, l->arena, &l->h.pos_spans, &l->h.n_pos_spans, &l->h.n_pos) &&
           get_spans(r, l->arena, &l->h.neg_spans, &l->h.n_neg_spans, &l->h.n_neg) &&
           (schema != HISTOGRAM_SCHEMA_CUSTOM || get_bounds(r, l));
}

/* --- which histograms may share a chunk --- */
static bool same_spans(const HistogramSpan *a, size_t n_a, const HistogramSpan *b, size_t n_b) {
    return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof *a) == 0);
}

static bool same_layout(const Histogram *a, const Histogram *b) {
    return a->schema == b->schema && f64_bits(a->zero_threshold) == f64_bits(b->zero_threshold) &&
           a->n_pos == b->n_pos && a->n_neg == b->n_neg &&
           same_spans(a->pos_spans, a->n_pos_spans, b->pos_spans, b->n_pos_spans) &&
           same_spans(a->neg_spans, a->n_neg_spans, b->neg_spans, b->n_neg_spans) &&
           a->n_custom_bounds == b->n_custom_bounds &&
           (a->n_custom_bounds == 0 ||
               memcmp(a->custom_bounds, b->custom_bounds, a->n_custom_bounds * sizeof(double)) == 0);
}

static bool any_less(const double *now, const double *before, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (now[i] < before[i]) return true;
    }
    return false;
}

/* Inside a chunk of a counter readers assume that there is no reset. */
static bool is_reset(const Histogram *now, const Histogram *before) {
    return now->reset == HISTOGRAM_RESET_YES || now->count < before->count || now->zero_count < before->zero_count ||
           any_less(now->pos, before->pos, now->n_pos) || any_less(now->neg, before->neg, now->n_neg);
}

static bool is_whole(double v) { return v >= 0 && v <= 9007199254740992.0 && v == floor(v); }

static bool all_whole(const double *v, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!is_whole(v[i])) return false;
    }
    return true;
}

static bool fits_integers(const Histogram *h) {
    if (histogram_is_stale(h)) return !h->is_float;
    return !h->is_float && is_whole(h->count) && is_whole(h->zero_count) && all_whole(h->pos, h->n_pos) &&
           all_whole(h->neg, h->n_neg);
}

static bool goes_on(const Histogram *now, const Histogram *before) {
    if (histogram_is_stale(before) || fits_integers(now) != fits_integers(before)) return false;
    if (histogram_is_stale(now)) return true; /* written without buckets */
    bool gauge = now->reset == HISTOGRAM_RESET_GAUGE;
    if (gauge != (before->reset == HISTOGRAM_RESET_GAUGE) || !same_layout(now, before)) return false;
    return gauge || !is_reset(now, before);
}

/* --- writing --- */
typedef struct Deltas { /* of one integer after the other */
    int64_t v, d;
} Deltas;

static void put_delta(BitWriter *w, Deltas *s, int64_t v) {
    int64_t d = (int64_t)((uint64_t)v - (uint64_t)s->v);
    bits_put_varbit(w, (int64_t)((uint64_t)d - (uint64_t)s->d));
    *s = (Deltas){v, d};
}

static int64_t get_delta(BitReader *r, Deltas *s) {
    s->d = (int64_t)((uint64_t)s->d + (uint64_t)bits_get_varbit(r));
    return s->v = (int64_t)((uint64_t)s->v + (uint64_t)s->d);
}

static void put_int_buckets(BitWriter *w, Deltas *s, const double *v, size_t n, bool first) {
    int64_t before = 0; /* buckets are stored as the difference to the one before */
    for (size_t i = 0; i < n; i++) {
        int64_t b = (int64_t)v[i] - before;
        before = (int64_t)v[i];
        if (first) {
            bits_put_varbit(w, b);
            s[i] = (Deltas){b, 0};
        } else {
            put_delta(w, &s[i], b);
        }
    }
}

static void put_ints(BitWriter *w, const int64_t *t, const Histogram *h, size_t n) {
    size_t buckets = (size_t)h[0].n_pos + h[0].n_neg;
    Deltas *s = mem_alloc_array(MAX(buckets, 1), sizeof *s), time = {0}, count = {0}, zero = {0};
    XorState sum = {.leading = 0xff};
    for (size_t i = 0; i < n; i++) {
        bool stale = histogram_is_stale(&h[i]);
        if (i == 0) {
            time.v = t[0];
            count.v = stale ? 0 : (int64_t)h[0].count;
            zero.v = stale ? 0 : (int64_t)h[0].zero_count;
            sum.bits = f64_bits(h[0].sum);
            bits_put_varbit(w, time.v);
            bits_put_varbit_u(w, (uint64_t)count.v);
            bits_put_varbit_u(w, (uint64_t)zero.v);
            bits_put(w, sum.bits, 64);
        } else {
            put_delta(w, &time, t[i]);
            if (stale) {
                bits_put(w, 0, 2); /* two zeros */
            } else {
                put_delta(w, &count, (int64_t)h[i].count);
                put_delta(w, &zero, (int64_t)h[i].zero_count);
            }
            bits_put_xor(w, &sum, h[i].sum);
        }
        if (stale) break; /* nothing follows a stale marker */
        put_int_buckets(w, s, h[i].pos, h[i].n_pos, i == 0);
        put_int_buckets(w, s + h[0].n_pos, h[i].neg, h[i].n_neg, i == 0);
    }
    mem_free(s);
}

static void put_float(BitWriter *w, XorState *s, double v, bool first) {
    if (!first) {
        bits_put_xor(w, s, v);
        return;
    }
    *s = (XorState){.bits = f64_bits(v), .leading = 0xff};
    bits_put(w, s->bits, 64);
}

static void put_floats(BitWriter *w, const int64_t *t, const Histogram *h, size_t n) {
    size_t buckets = (size_t)h[0].n_pos + h[0].n_neg;
    XorState *s = mem_alloc_array(MAX(buckets, 1), sizeof *s), count, zero, sum;
    Deltas time = {.v = t[0]};
    for (size_t i = 0; i < n; i++) {
        bool stale = histogram_is_stale(&h[i]), first = i == 0;
        if (first)
            bits_put_varbit(w, t[0]);
        else
            put_delta(w, &time, t[i]);
        put_float(w, &count, stale ? 0 : h[i].count, first);
        put_float(w, &zero, stale ? 0 : h[i].zero_count, first);
        put_float(w, &sum, h[i].sum, first);
        if (stale) break;
        for (size_t k = 0; k < h[i].n_pos; k++) put_float(w, &s[k], h[i].pos[k], first);
        for (size_t k = 0; k < h[i].n_neg; k++) put_float(w, &s[h[0].n_pos + k], h[i].neg[k], first);
    }
    mem_free(s);
}

size_t chunk_encode_histograms(Buf *out, const int64_t *t, const Histogram *h, size_t n, ChunkEncoding *ret_encoding) {
    ASSERT(n > 0);
    size_t m = 1;
    while (m < MIN(n, CHUNK_SAMPLES) && goes_on(&h[m], &h[m - 1])) m++;
    uint8_t header = h[0].reset == HISTOGRAM_RESET_GAUGE ? HEADER_GAUGE
                     : h[0].reset == HISTOGRAM_RESET_YES ? HEADER_RESET
                                                         : HEADER_UNKNOWN;
    buf_put_u16be(out, (uint16_t)m);
    buf_put_char(out, (char)header);
    BitWriter w = {.out = out};
    Histogram none = {0};
    put_layout(&w, histogram_is_stale(&h[0]) ? &none : &h[0]);
    *ret_encoding = fits_integers(&h[0]) ? CHUNK_HISTOGRAM : CHUNK_FLOAT_HISTOGRAM;
    if (*ret_encoding == CHUNK_HISTOGRAM)
        put_ints(&w, t, h, m);
    else
        put_floats(&w, t, h, m);
    return m;
}

/* --- reading --- */
typedef struct HistogramReader {
    BitReader r;
    Layout layout;
    bool is_float;
    Deltas time, count, zero, *ints;
    XorState x_count, x_zero, sum, *floats;
} HistogramReader;

static double get_float(BitReader *r, XorState *s, bool first) {
    if (!first) return bits_get_xor(r, s);
    *s = (XorState){.bits = bits_get(r, 64), .leading = 0xff};
    return f64_of(s->bits);
}

static void get_int_buckets(HistogramReader *d, Deltas *s, double *v, size_t n, bool first) {
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (first) s[i] = (Deltas){bits_get_varbit(&d->r), 0};
        sum = (int64_t)((uint64_t)sum + (uint64_t)(first ? s[i].v : get_delta(&d->r, &s[i])));
        v[i] = (double)sum;
    }
}

static void get_head(HistogramReader *d, Histogram *h, bool first) {
    if (first)
        d->time = (Deltas){bits_get_varbit(&d->r), 0};
    else
        (void)get_delta(&d->r, &d->time);
    if (d->is_float) {
        h->count = get_float(&d->r, &d->x_count, first);
        h->zero_count = get_float(&d->r, &d->x_zero, first);
    } else if (first) {
        d->count.v = (int64_t)bits_get_varbit_u(&d->r);
        d->zero.v = (int64_t)bits_get_varbit_u(&d->r);
        h->count = (double)(uint64_t)d->count.v;
        h->zero_count = (double)(uint64_t)d->zero.v;
    } else {
        h->count = (double)(uint64_t)get_delta(&d->r, &d->count);
        h->zero_count = (double)(uint64_t)get_delta(&d->r, &d->zero);
    }
    h->sum = get_float(&d->r, &d->sum, first);
}

/* false: damaged or the arena is exhausted. */
static bool get_one(HistogramReader *d, Arena *arena, bool first, Histogram *ret) {
    Histogram h = d->layout.h;
    h.is_float = d->is_float;
    get_head(d, &h, first);
    if (is_stale_nan(h.sum) && !first) {
        *ret = (Histogram){.is_float = h.is_float, .sum = h.sum, .reset = h.reset};
        return !d->r.bad;
    }
    double *pos = ARENA_ARRAY(arena, double, h.n_pos), *neg = ARENA_ARRAY(arena, double, h.n_neg);
    if (!pos || !neg) return false;
    if (d->is_float) {
        for (size_t i = 0; i < h.n_pos; i++) pos[i] = get_float(&d->r, &d->floats[i], first);
        for (size_t i = 0; i < h.n_neg; i++) neg[i] = get_float(&d->r, &d->floats[h.n_pos + i], first);
    } else {
        get_int_buckets(d, d->ints, pos, h.n_pos, first);
        get_int_buckets(d, d->ints + h.n_pos, neg, h.n_neg, first);
    }
    h.pos = pos;
    h.neg = neg;
    *ret = h;
    return !d->r.bad;
}

static uint8_t hint_of(uint8_t header, bool first) {
    if ((header & 0xc0) == HEADER_GAUGE) return HISTOGRAM_RESET_GAUGE;
    return first && (header & 0xc0) == HEADER_RESET ? HISTOGRAM_RESET_YES : HISTOGRAM_RESET_UNKNOWN;
}

/* The third byte is the counter reset header; with start times the header stands in the first byte and the third says
 * which samples have them. */
ErrCode chunk_decode_histograms(
    bool is_float, bool with_start, Str data, Arena *arena, ChunkSamples *out, Err *reterr) {
    if (data.n < 3) return err_set(reterr, ERR_CORRUPT, "a chunk of %zu bytes", data.n);
    size_t n = chunk_count(with_start ? CHUNK_HISTOGRAM_START : CHUNK_HISTOGRAM, data);
    uint8_t header = (uint8_t)data.p[with_start ? 0 : 2];
    ChunkStarts starts = {.header = with_start ? (uint8_t)data.p[2] : 0};
    HistogramReader d = {.r = bit_reader(str_skip(data, 3)), .is_float = is_float, .layout.arena = arena};
    if (n == 0) return OK;
    bool ok = get_layout(&d.r, &d.layout);
    size_t buckets = ok ? (size_t)d.layout.h.n_pos + d.layout.h.n_neg : 0, i = 0;
    /* Every bucket of every sample takes at least a bit: refuses layouts made to exhaust memory. */
    if (buckets > d.r.n_bits) ok = false;
    if (ok && is_float) ok = (d.floats = ARENA_ARRAY(arena, XorState, buckets)) != NULL;
    if (ok && !is_float) ok = (d.ints = ARENA_ARRAY(arena, Deltas, buckets)) != NULL;
    for (; ok && i < n; i++) {
        Histogram h;
        int64_t before = d.time.v;
        d.layout.h.reset = hint_of(header, i == 0);
        ok = get_one(&d, arena, i == 0, &h);
        int64_t start = ok ? chunk_next_start(&starts, &d.r, i, d.time.v, before) : 0;
        ok = ok && !d.r.bad && avec_push(arena, &out->histogram_t_ms, d.time.v) &&
             avec_push(arena, &out->histograms, h) && avec_push(arena, &out->histogram_start_ms, start);
    }
    if (ok) return OK;
    if (arena_exhausted(arena)) return err_set(reterr, ERR_TOO_LARGE, "the samples of a chunk do not fit into memory");
    return err_set(reterr, ERR_CORRUPT, "a histogram chunk ends after %zu of %zu samples", i ? i - 1 : 0, n);
}
