/* column_dense.c - streams packed tighter than whole bits per value: digits of a radix, a common value left out. */
#include "storage/column_int.h"

#define RADIX_MAX (UINT64_C(1) << 21)
/* Bits decode three times as fast as digits and twice as fast as a sparse stream: a little is not worth that. */
#define GAIN_SHARE 24
#define GAIN_BYTES 6

/* --- digits --- */

/* How many digits fit into so many bytes. */
static unsigned digits_of(uint64_t radix, unsigned bytes) {
    uint64_t limit = bytes == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * bytes) - 1, power = 1;
    unsigned n = 0;
    while (power <= limit / radix) { /* power * radix <= limit + 1 would do; the last one is not worth the care */
        power *= radix;
        n++;
    }
    return n;
}

bool pack_radix_shape(uint64_t radix, PackRadix *ret) {
    if (radix < 2 || radix > RADIX_MAX) return false;
    *ret = (PackRadix){.radix = radix, .digits = digits_of(radix, 8), .bytes = 8};
    for (unsigned bytes = 1; bytes < 8; bytes++) {
        unsigned digits = digits_of(radix, bytes);
        if (digits * ret->bytes > ret->digits * bytes) {
            ret->digits = digits;
            ret->bytes = bytes;
        }
    }
    return true;
}

/* Bytes of a word that holds fewer digits: the stream's last one. */
static size_t short_word_bytes(const PackRadix *x, size_t digits) {
    size_t bytes = 1;
    while (bytes < x->bytes && digits_of(x->radix, (unsigned)bytes) < digits) bytes++;
    return bytes;
}

size_t pack_radix_bytes(const PackRadix *x, size_t n) {
    size_t words = n / x->digits, rest = n % x->digits;
    return words * x->bytes + (rest ? short_word_bytes(x, rest) : 0);
}

static void put_word(Buf *out, const uint64_t *v, size_t n, uint64_t radix, size_t bytes) {
    uint64_t word = 0;
    for (size_t i = n; i-- > 0;) word = word * radix + v[i] % radix;
    buf_put(out, &word, bytes);
}

static void radix_encode(Buf *out, const uint64_t *v, size_t n, const PackRadix *x, size_t exceptions) {
    buf_put_char(out, PACK_RADIX);
    buf_put_uvarint(out, x->radix);
    buf_put_uvarint(out, exceptions);
    size_t i = 0, last = 0;
    buf_reserve(out, pack_radix_bytes(x, n));
    for (; i + x->digits <= n; i += x->digits) put_word(out, v + i, x->digits, x->radix, x->bytes);
    if (i < n) put_word(out, v + i, n - i, x->radix, short_word_bytes(x, n - i));
    for (i = 0; exceptions && i < n; i++) {
        if (v[i] < x->radix) continue;
        buf_put_uvarint(out, i - last);
        buf_put_uvarint(out, v[i] / x->radix);
        last = i;
        exceptions--;
    }
    ASSERT(exceptions == 0);
}

/* With the reciprocal rounded down the quotient is right or one too small, for every 64-bit word. */
static inline uint64_t divide(uint64_t word, uint64_t radix, uint64_t reciprocal, uint64_t *ret_digit) {
    uint64_t q = (uint64_t)((unsigned __int128)word * reciprocal >> 64), digit = word - q * radix;
    bool low = digit >= radix;
    *ret_digit = low ? digit - radix : digit;
    return q + low;
}

void pack_radix_decode(const PackRadix *x, const uint8_t *in, size_t n, uint64_t *out) {
    uint64_t radix = x->radix, reciprocal = UINT64_MAX / radix;
    unsigned digits = x->digits;
    for (size_t i = 0; i < n; i += digits) {
        unsigned k = (unsigned)MIN((size_t)digits, n - i);
        uint64_t word = 0;
        memcpy(&word, in, k == digits ? x->bytes : short_word_bytes(x, k));
        in += x->bytes;
        for (unsigned d = 0; d < k; d++) word = divide(word, radix, reciprocal, &out[i + d]);
    }
}

/* --- choosing --- */

typedef struct Choice {
    PackRadix radix; /* .radix 0: bits by `plan` */
    PackPlan plan;
    size_t cost_bytes;
} Choice;

/* Digits for the values of at most the plan's width; the exceptions stay the plan's. */
static Choice choose_plain(const uint64_t *v, size_t n, const PackPlan *plan) {
    Choice c = {.plan = *plan, .cost_bytes = plan->cost_bytes};
    unsigned w = plan->width;
    if (w == 0 || w > 21 || n < 16) return c;
    uint64_t limit = UINT64_C(1) << w, max = 0;
    for (size_t i = 0; i < n; i++)
        if (v[i] < limit) max = MAX(max, v[i]);
    PackRadix x;
    if (!pack_radix_shape(MAX(max, 1) + 1, &x)) return c;
    size_t cost = plan->cost_bytes - (n * w + 7) / 8 + pack_radix_bytes(&x, n) + 2;
    if (cost + cost / GAIN_SHARE + GAIN_BYTES >= plan->cost_bytes) return c;
    c.radix = x;
    c.cost_bytes = cost;
    return c;
}

static void encode_plain(Buf *out, const uint64_t *v, size_t n, const Choice *c) {
    if (c->radix.radix)
        radix_encode(out, v, n, &c->radix, c->plan.exceptions);
    else
        pack_encode(out, v, n, &c->plan);
}

/* The value that a sample shows most often; false: none is frequent. */
static bool common_value(const uint64_t *v, size_t n, uint64_t *ret) {
    enum { SAMPLE = 32 };
    uint64_t sample[SAMPLE];
    size_t best = 0;
    for (size_t i = 0; i < SAMPLE; i++) sample[i] = v[(2 * i + 1) * n / (2 * SAMPLE)];
    for (size_t i = 0; i < SAMPLE && best <= SAMPLE / 2; i++) {
        size_t same = 0;
        for (size_t k = 0; k < SAMPLE; k++) same += sample[k] == sample[i];
        if (same <= best) continue;
        best = same;
        *ret = sample[i];
    }
    return best >= SAMPLE / 4;
}

static bool encode_sparse(Buf *out, const uint64_t *v, size_t n, size_t cost_bytes, uint64_t common, uint64_t *others) {
    size_t k = 0, hist[65] = {0};
    for (size_t i = 0; i < n; i++) {
        if (v[i] == common) continue;
        others[k++] = v[i];
        hist[bit_width(v[i])]++;
    }
    if (k == 0 || k == n) return false;
    PackPlan plan = pack_plan(hist, k);
    Choice c = choose_plain(others, k, &plan);
    size_t cost = c.cost_bytes + (n + 7) / 8 + 6;
    if (cost + cost / GAIN_SHARE + GAIN_BYTES >= cost_bytes) return false;
    buf_put_char(out, PACK_SPARSE);
    buf_put_uvarint(out, common);
    buf_put_uvarint(out, k);
    size_t at = out->n, bytes = (n + 7) / 8;
    buf_reserve(out, bytes);
    memset(out->p + at, 0, bytes);
    out->n += bytes;
    for (size_t i = 0; i < n; i++) out->p[at + i / 8] |= (char)((v[i] != common) << (i % 8));
    encode_plain(out, others, k, &c);
    return true;
}

void pack_encode_best(Buf *out, const uint64_t *v, size_t n, const PackPlan *plan, uint64_t *scratch) {
    Choice c = choose_plain(v, n, plan);
    uint64_t common;
    if (n >= 32 && c.cost_bytes > n / 4 && common_value(v, n, &common) &&
        encode_sparse(out, v, n, c.cost_bytes, common, scratch))
        return;
    encode_plain(out, v, n, &c);
}
