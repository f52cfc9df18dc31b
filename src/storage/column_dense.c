/* column_dense.c - choosing streams packed tighter than whole bits per value: digits of a radix (column_digits.c), a
 * common value left out. Reading the digits of older versions. */
#include "storage/column_int.h"

#define RADIX_MAX (UINT64_C(1) << 21)
/* Bits decode twice as fast as digits or a sparse stream: a little is not worth that. */
#define DIGITS_GAIN_SHARE 100
#define SPARSE_GAIN_SHARE 32
#define GAIN_BYTES 3

/* --- digits of older versions --- */

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
    PackDigits digits; /* .radix 0: bits by `plan` */
    PackPlan plan;
    size_t cost_bytes;
} Choice;

/* Digits for the values of at most the plan's width; the exceptions stay the plan's. Of all radixes that leave 3 to 8
 * bits to the digits and the rest as it is, the one that takes least. */
static Choice choose_plain(const uint64_t *v, size_t n, const PackPlan *plan) {
    Choice c = {.plan = *plan, .cost_bytes = plan->cost_bytes};
    unsigned w = plan->width;
    if (w < 2 || w > PACK_DIGITS_LOW_MAX + 8 || n < 16) return c;
    uint64_t limit = UINT64_C(1) << w, max = 0;
    for (size_t i = 0; i < n; i++)
        if (v[i] < limit) max = MAX(max, v[i]);
    size_t bits = (n * w + 7) / 8, best = bits - bits / DIGITS_GAIN_SHARE - MIN(bits / 2, (size_t)GAIN_BYTES);
    for (unsigned low = w > 8 ? w - 8 : 0; low + 2 <= w; low++) {
        PackDigits x;
        if (!pack_digits_shape((unsigned)(max >> low) + 1, low, &x)) continue;
        size_t bytes = pack_digits_bytes(&x, n) + 2;
        if (bytes >= best) continue;
        best = bytes;
        c.digits = x;
        c.cost_bytes = plan->cost_bytes - bits + bytes;
    }
    return c;
}

static void encode_plain(Buf *out, const uint64_t *v, size_t n, const Choice *c) {
    if (c->digits.radix)
        pack_digits_encode(out, v, n, &c->digits, c->plan.exceptions);
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
    if (cost + cost / SPARSE_GAIN_SHARE + GAIN_BYTES >= cost_bytes) return false;
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
