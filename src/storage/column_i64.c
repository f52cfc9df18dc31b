/* column_i64.c - integer columns: of the values, their differences or the differences of those, whichever packs
 * smallest, each as base + factor * small number. */
#include "storage/column_int.h"

#include "base/vec.h"

enum {
    I64_RAW,
    I64_CONST,
    I64_LINEAR,
    I64_FOR,
    I64_DELTA,
    I64_DELTA2,
    /* Added to the last three: base 0 and factor 1 are not told. */
    I64_NO_BASE = 0x40,
    I64_NO_FACTOR = 0x80,
};

/* --- encode --- */

typedef struct ForPlan {
    int64_t base;
    uint64_t factor;
    PackPlan pack;
} ForPlan;

static uint64_t gcd(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

/* The common factor of all differences: 1000000 for nanoseconds that come from milliseconds, 4096 for pages. */
static uint64_t common_factor(const int64_t *x, size_t n) {
    uint64_t g = 0;
    for (size_t i = 1; i < n; i++) {
        int64_t d;
        if (__builtin_sub_overflow(x[i], x[0], &d) || d == INT64_MIN) return 1;
        uint64_t a = (uint64_t)(d < 0 ? -d : d);
        if (a == 0 || a == g) continue;
        if (g == 0 || a % g != 0) g = gcd(a, g);
        if (g == 1) return 1;
    }
    return g ? g : 1;
}

/* A multiple of the factor by construction; computed modulo 2^64 when the factor is 1. */
static inline uint64_t residual(int64_t x, int64_t base, uint64_t factor) {
    uint64_t d = (uint64_t)x - (uint64_t)base;
    return factor == 1 ? d : (uint64_t)((int64_t)d / (int64_t)factor);
}

static PackPlan plan_base(const int64_t *x, size_t n, size_t n_stream, int64_t base, uint64_t factor) {
    size_t hist[65] = {0};
    if (factor == 1)
        for (size_t i = 0; i < n; i++) hist[bit_width((uint64_t)x[i] - (uint64_t)base)]++;
    else
        for (size_t i = 0; i < n; i++) hist[bit_width(residual(x[i], base, factor))]++;
    hist[0] += n_stream - n;
    return pack_plan(hist, n_stream);
}

/* Puts what sorting would put to place `rank` there, what is not greater before it, what is not less behind it. */
static void select_rank(int64_t *v, size_t n, size_t rank) {
    size_t low = 0, high = n - 1;
    while (low < high) {
        int64_t pivot = v[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (v[i] < pivot) i++;
            while (v[j] > pivot) j--;
            if (i >= j) break;
            int64_t t = v[i];
            v[i++] = v[j];
            v[j--] = t;
        }
        if (rank <= j)
            high = j;
        else
            low = j + 1;
    }
}

/* The lowest value that is not an outlier (far below what a sample shows): a counter's reset must not widen
 * everything. */
static int64_t low_but_common(const int64_t *x, size_t n) {
    int64_t sample[64], spread, bound;
    size_t k = MIN(n, ARRAY_LEN(sample));
    for (size_t i = 0; i < k; i++) sample[i] = x[i * n / k];
    select_rank(sample, k, k / 2);
    select_rank(sample, k / 2 + 1, k / 8);
    /* An eighth of the way up: outliers that the sample happened to catch do not count. */
    int64_t low = sample[k / 8], middle = sample[k / 2];
    if (__builtin_sub_overflow(middle, low, &spread) || __builtin_mul_overflow(spread, 4, &spread) ||
        __builtin_sub_overflow(low, spread, &bound))
        bound = INT64_MIN;
    int64_t base = middle;
    for (size_t i = 0; i < n; i++)
        if (x[i] >= bound) base = MIN(base, x[i]);
    return base;
}

/* x: the n values that vary; n_stream counts the zeros put before them as well. */
static ForPlan plan_for(const int64_t *x, size_t n, size_t n_stream) {
    ASSERT(n > 0);
    int64_t min = x[0], max = x[0];
    for (size_t i = 1; i < n; i++) {
        min = MIN(min, x[i]);
        max = MAX(max, x[i]);
    }
    ForPlan p = {.base = min, .factor = 1};
    if (min != max && (uint64_t)max - (uint64_t)min <= INT64_MAX) p.factor = common_factor(x, n);
    p.pack = plan_base(x, n, n_stream, min, p.factor);
    if (p.pack.width == 0 && p.pack.exceptions == 0) return p;
    int64_t base = low_but_common(x, n);
    if (base == min) return p;
    PackPlan other = plan_base(x, n, n_stream, base, p.factor);
    if (other.cost_bytes >= p.pack.cost_bytes) return p;
    p.base = base;
    p.pack = other;
    return p;
}

static void put_scheme(Buf *out, unsigned scheme, const ForPlan *p) {
    if (p->base == 0) scheme |= I64_NO_BASE;
    if (p->factor == 1) scheme |= I64_NO_FACTOR;
    buf_put_char(out, (char)scheme);
}

static void put_for(Buf *out, const int64_t *x, size_t n, size_t n_stream, const ForPlan *p, uint64_t *scratch) {
    if (p->base) buf_put_svarint(out, p->base);
    if (p->factor != 1) buf_put_uvarint(out, p->factor);
    size_t lead = n_stream - n;
    memset(scratch, 0, lead * sizeof *scratch);
    for (size_t i = 0; i < n; i++) scratch[lead + i] = residual(x[i], p->base, p->factor);
    pack_encode_best(out, scratch, n_stream, &p->pack, scratch + n_stream);
}

static inline int64_t wrap_sub(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }

static bool all_same(const int64_t *v, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (v[i] != v[0]) return false;
    return true;
}

static void put_const(Buf *out, int64_t v) {
    buf_put_char(out, I64_CONST);
    buf_put_svarint(out, v);
}

static void encode_varying(Buf *out, const int64_t *v, size_t n, int64_t *d1, int64_t *d2, uint64_t *scratch) {
    ForPlan p0 = plan_for(v, n, n), p1 = plan_for(d1, n - 1, n), p2 = {.pack.cost_bytes = SIZE_MAX};
    /* Where differences are no better than values, their differences are worse still. */
    if (n > 2 && p1.pack.cost_bytes < p0.pack.cost_bytes) p2 = plan_for(d2, n - 2, n);
    /* Values decode fastest, then differences: a few bytes are not worth a slower scheme. */
    size_t c0 = p0.pack.cost_bytes, c1 = p1.pack.cost_bytes, c2 = p2.pack.cost_bytes, raw = n * 8;
    size_t slack = n / 64 + 8;
    if (MIN(c0, MIN(c1, c2 == SIZE_MAX ? c2 : c2 + slack)) + 8 > raw) {
        buf_put_char(out, I64_RAW);
        for (size_t i = 0; i < n; i++) buf_put_u64le(out, (uint64_t)v[i]);
    } else if (c0 <= c1 + slack && (c2 == SIZE_MAX || c0 <= c2 + slack)) {
        put_scheme(out, I64_FOR, &p0);
        put_for(out, v, n, n, &p0, scratch);
    } else if (c2 == SIZE_MAX || c1 <= c2 + slack) {
        put_scheme(out, I64_DELTA, &p1);
        buf_put_svarint(out, v[0]);
        put_for(out, d1, n - 1, n, &p1, scratch);
    } else {
        put_scheme(out, I64_DELTA2, &p2);
        buf_put_svarint(out, v[0]);
        buf_put_svarint(out, d1[0]);
        put_for(out, d2, n - 2, n, &p2, scratch);
    }
}

void column_encode_i64(Buf *out, const int64_t *v, size_t n) {
    if (n == 0 || all_same(v, n)) {
        put_const(out, n ? v[0] : 0);
        return;
    }
    int64_t *d1 = mem_alloc_array(n, 4 * sizeof *d1), *d2 = d1 + n;
    uint64_t *scratch = (uint64_t *)(d2 + n);
    for (size_t i = 0; i + 1 < n; i++) d1[i] = wrap_sub(v[i + 1], v[i]);
    for (size_t i = 0; i + 2 < n; i++) d2[i] = wrap_sub(d1[i + 1], d1[i]);
    if (all_same(d1, n - 1)) {
        buf_put_char(out, I64_LINEAR);
        buf_put_svarint(out, v[0]);
        buf_put_svarint(out, d1[0]);
    } else {
        encode_varying(out, v, n, d1, d2, scratch);
    }
    mem_free(d1);
}

/* --- decode --- */

static inline void finish_run(const ColumnFinish *finish, AliasI64 *v, size_t n) {
    if (finish) finish->fn(finish, v, n);
}

static void fill_linear(AliasI64 *out, size_t n, int64_t first, int64_t step, const ColumnFinish *finish) {
    for (size_t at = 0; at < n; at += PACK_GROUP) {
        size_t k = MIN((size_t)PACK_GROUP, n - at);
        uint64_t start = (uint64_t)first + (uint64_t)step * at;
        for (size_t i = 0; i < k; i++) out[at + i] = (int64_t)(start + (uint64_t)step * i);
        finish_run(finish, out + at, k);
    }
}

typedef struct Frame {
    uint64_t base, factor;
    PackReader values;
} Frame;

static bool open_frame(Frame *f, Cursor *c, uint8_t scheme, size_t n) {
    f->base = scheme & I64_NO_BASE ? 0 : (uint64_t)cursor_svarint(c);
    f->factor = scheme & I64_NO_FACTOR ? 1 : cursor_uvarint(c);
    return !c->bad && pack_open(&f->values, c, n);
}

static bool take_for(Cursor *c, uint8_t scheme, AliasI64 *out, size_t n, const ColumnFinish *finish) {
    uint64_t u[PACK_GROUP];
    Frame f;
    if (!open_frame(&f, c, scheme, n)) return false;
    uint64_t base = f.base, factor = f.factor;
    for (size_t at = 0, k; at < n; at += k) {
        if (!pack_next(&f.values, u, &k)) return false;
        if (factor == 1)
            for (size_t i = 0; i < k; i++) out[at + i] = (int64_t)(u[i] + base);
        else
            for (size_t i = 0; i < k; i++) out[at + i] = (int64_t)(u[i] * factor + base);
        finish_run(finish, out + at, k);
    }
    return true;
}

static bool take_delta(Cursor *c, uint8_t scheme, AliasI64 *out, size_t n, const ColumnFinish *finish) {
    uint64_t acc = (uint64_t)cursor_svarint(c);
    uint64_t u[PACK_GROUP];
    Frame f;
    if (!open_frame(&f, c, scheme, n)) return false;
    uint64_t base = f.base, factor = f.factor;
    acc -= base; /* the stream's first entry stands for no difference */
    for (size_t at = 0, k; at < n; at += k) {
        if (!pack_next(&f.values, u, &k)) return false;
        acc = pack_prefix_sum(u, k, acc, factor, base, (AliasU64 *)(out + at));
        finish_run(finish, out + at, k);
    }
    return true;
}

static bool take_delta2(Cursor *c, uint8_t scheme, AliasI64 *out, size_t n, const ColumnFinish *finish) {
    uint64_t first = (uint64_t)cursor_svarint(c), step = (uint64_t)cursor_svarint(c);
    uint64_t u[PACK_GROUP];
    Frame f;
    if (n < 2 || !open_frame(&f, c, scheme, n)) return false;
    uint64_t base = f.base, factor = f.factor;
    /* Two leading entries without meaning: begin so that the second one lands on first + step. */
    uint64_t d = step - 2 * base, acc = first - (step - base);
    for (size_t at = 0, k; at < n; at += k) {
        if (!pack_next(&f.values, u, &k)) return false;
        d = pack_prefix_sum(u, k, d, factor, base, u);
        acc = pack_prefix_sum(u, k, acc, 1, 0, (AliasU64 *)(out + at));
        finish_run(finish, out + at, k);
    }
    return true;
}

static void fill_const(AliasI64 *out, size_t n, int64_t v, const ColumnFinish *finish) {
    if (n == 0) return;
    out[0] = v;
    finish_run(finish, out, 1);
    v = out[0];
    for (size_t i = 1; i < n; i++) out[i] = v;
}

static bool take_raw(Cursor *c, AliasI64 *out, size_t n, const ColumnFinish *finish) {
    if (n > SIZE_MAX / 8) return false;
    Str raw = cursor_bytes(c, n * 8);
    if (c->bad) return false;
    if (n) memcpy((void *)out, raw.p, n * 8);
    finish_run(finish, out, n);
    return true;
}

bool column_take_i64(Cursor *c, AliasI64 *out, size_t n, const ColumnFinish *finish) {
    uint8_t scheme = cursor_u8(c), flags = scheme & (I64_NO_BASE | I64_NO_FACTOR);
    if (c->bad || (flags && scheme - flags < I64_FOR)) return false;
    switch (scheme - flags) {
    case I64_RAW: return take_raw(c, out, n, finish);
    case I64_CONST: fill_const(out, n, cursor_svarint(c), finish); return !c->bad;
    case I64_LINEAR: {
        int64_t first = cursor_svarint(c);
        fill_linear(out, n, first, cursor_svarint(c), finish);
        return !c->bad;
    }
    case I64_FOR: return take_for(c, scheme, out, n, finish);
    case I64_DELTA: return take_delta(c, scheme, out, n, finish);
    case I64_DELTA2: return take_delta2(c, scheme, out, n, finish);
    default: return false;
    }
}

bool column_decode_i64(Str in, int64_t *out, size_t n) {
    Cursor c = cursor_of(in);
    return column_take_i64(&c, out, n, NULL) && cursor_left(&c) == 0;
}

/* --- a range --- */

static bool range_for(Cursor *c, uint8_t scheme, AliasI64 *out, size_t n, size_t from, size_t to) {
    uint64_t u[PACK_GROUP];
    Frame f;
    size_t at;
    if (!open_frame(&f, c, scheme, n) || !pack_seek(&f.values, from, &at)) return false;
    for (size_t k; at < to; at += k) {
        if (!pack_next(&f.values, u, &k)) return false;
        size_t first = MAX(at, from), end = MIN(at + k, to);
        for (size_t i = first; i < end; i++) out[i - from] = (int64_t)(u[i - at] * f.factor + f.base);
    }
    return true;
}

/* From the beginning; what lies before the range is only added up. */
static bool delta_forward(Frame *f, AliasI64 *out, size_t from, size_t to, uint64_t acc) {
    uint64_t u[PACK_GROUP];
    for (size_t at = 0, k; at < to; at += k) {
        if (!pack_next(&f->values, u, &k)) return false;
        acc = pack_prefix_sum(u, k, acc, f->factor, f->base, u);
        size_t first = MAX(at, from), end = MIN(at + k, to);
        if (first < end) memcpy((void *)(out + (first - from)), u + (first - at), (end - first) * sizeof *u);
    }
    return true;
}

/* From the last value back: the differences behind the range's first value lead there, then forward again. */
static bool delta_backward(Frame *f, AliasI64 *out, size_t n, size_t from, size_t to, uint64_t last) {
    uint64_t u[PACK_GROUP], sum = 0;
    size_t at;
    if (!pack_seek(&f->values, MIN(from + 1, n - 1), &at)) return false;
    for (size_t k; at < n; at += k) {
        if (!pack_next(&f->values, u, &k)) return false;
        size_t first = MAX(at, from + 1), end = MIN(at + k, to);
        for (size_t i = first; i < at + k; i++) sum += u[i - at];
        if (first < end) memcpy((void *)(out + (first - from)), u + (first - at), (end - first) * sizeof *u);
    }
    uint64_t acc = last - sum * f->factor - f->base * (n - 1 - from);
    AliasU64 *d = (AliasU64 *)out;
    d[0] = acc;
    for (size_t i = 1; i < to - from; i++) d[i] = acc += d[i] * f->factor + f->base;
    return true;
}

static bool range_delta(
    Cursor *c, uint8_t scheme, AliasI64 *out, size_t n, size_t from, size_t to, const int64_t *last) {
    uint64_t acc = (uint64_t)cursor_svarint(c);
    Frame f;
    if (!open_frame(&f, c, scheme, n)) return false;
    if (last && n - from < to) return delta_backward(&f, out, n, from, to, (uint64_t)*last);
    return delta_forward(&f, out, from, to, acc - f.base);
}

/* Rare schemes: all of it. */
static bool range_all(Cursor *c, AliasI64 *out, size_t n, size_t from, size_t to) {
    int64_t *all = mem_alloc_array(n, sizeof *all);
    bool ok = column_take_i64(c, all, n, NULL);
    if (ok) memcpy((void *)out, all + from, (to - from) * sizeof *all);
    mem_free(all);
    return ok;
}

bool column_take_i64_range(
    Cursor *c, AliasI64 *out, size_t n, size_t from, size_t to, const int64_t *last, const ColumnFinish *finish) {
    ASSERT(from < to && to <= n);
    Cursor rest = *c;
    uint8_t scheme = cursor_u8(&rest), plain = scheme & (uint8_t) ~(I64_NO_BASE | I64_NO_FACTOR);
    bool ok;
    if (!rest.bad && plain == I64_FOR) {
        ok = range_for(&rest, scheme, out, n, from, to);
    } else if (!rest.bad && plain == I64_DELTA) {
        ok = range_delta(&rest, scheme, out, n, from, to, last);
    } else if (!rest.bad && (plain == I64_CONST || plain == I64_LINEAR) && plain == scheme) {
        uint64_t first = (uint64_t)cursor_svarint(&rest);
        uint64_t step = scheme == I64_LINEAR ? (uint64_t)cursor_svarint(&rest) : 0;
        fill_linear(out, to - from, (int64_t)(first + step * from), (int64_t)step, NULL);
        ok = !rest.bad;
    } else {
        rest = *c;
        ok = range_all(&rest, out, n, from, to);
    }
    *c = rest;
    if (!ok) return false;
    for (size_t at = 0; at < to - from; at += PACK_GROUP)
        finish_run(finish, out + at, MIN((size_t)PACK_GROUP, to - from - at));
    return true;
}
