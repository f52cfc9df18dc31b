/* column_dense.c - choosing streams packed tighter than whole bits per value: digits of a radix (column_digits.c), a
 * common value left out. */
#include "storage/column_int.h"

/* Bits decode half as fast again as digits or a sparse stream: a little is not worth that. */
#define DIGITS_GAIN_SHARE 100
#define SPARSE_GAIN_SHARE 32
#define GAIN_BYTES 3

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
