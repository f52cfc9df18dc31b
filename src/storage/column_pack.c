/* column_pack.c - packing and unpacking of integer streams. */
#include "storage/column_int.h"

#define GROUP_WORDS_MAX (64 * PACK_LANES)

/* --- encode --- */

PackPlan pack_plan(const size_t hist[65], size_t n) {
    PackPlan best = {.width = 64, .cost_bytes = SIZE_MAX};
    size_t exceptions = 0;
    unsigned widest = 64;
    while (widest > 0 && hist[widest] == 0) widest--;
    for (unsigned w = widest;; w--) {
        size_t each = 2 + (widest - w + 6) / 7;
        size_t cost = (n * w + 7) / 8 + exceptions * each;
        if (exceptions <= n / 8 && cost < best.cost_bytes) best = (PackPlan){w, exceptions, cost};
        exceptions += hist[w];
        if (w == 0) return best;
    }
}

static void pack_group(const uint64_t *v, unsigned w, uint64_t mask, Buf *out) {
    uint64_t words[GROUP_WORDS_MAX] = {0};
    for (size_t row = 0; row < PACK_GROUP / PACK_LANES; row++) {
        size_t bit = row * w, word = bit / 64, shift = bit % 64;
        for (size_t lane = 0; lane < PACK_LANES; lane++) {
            uint64_t x = v[row * PACK_LANES + lane] & mask;
            words[word * PACK_LANES + lane] |= x << shift;
            if (shift + w > 64) words[(word + 1) * PACK_LANES + lane] |= x >> (64 - shift);
        }
    }
    buf_put(out, words, (size_t)w * PACK_LANES * 8);
}

static void pack_tail(const uint64_t *v, size_t n, unsigned w, uint64_t mask, Buf *out) {
    uint64_t acc = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = v[i] & mask;
        acc |= x << have;
        if (have + w >= 64) {
            buf_put_u64le(out, acc);
            unsigned used = 64 - have;
            acc = used < 64 ? x >> used : 0;
            have = have + w - 64;
        } else {
            have += w;
        }
    }
    for (; have > 0; have = have > 8 ? have - 8 : 0, acc >>= 8) buf_put_char(out, (char)acc);
}

void pack_put_kind(Buf *out, unsigned kind, size_t exceptions) {
    buf_put_char(out, (char)(exceptions ? kind : kind | PACK_EXACT));
    if (exceptions) buf_put_uvarint(out, exceptions);
}

void pack_encode(Buf *out, const uint64_t *v, size_t n, const PackPlan *plan) {
    unsigned w = plan->width;
    uint64_t mask = w == 64 ? UINT64_MAX : (UINT64_C(1) << w) - 1;
    pack_put_kind(out, w, plan->exceptions);
    size_t i = 0;
    if (w > 0) {
        for (; i + PACK_GROUP <= n; i += PACK_GROUP) pack_group(v + i, w, mask, out);
        pack_tail(v + i, n - i, w, mask, out);
    }
    if (plan->exceptions == 0) return;
    size_t last = 0, left = plan->exceptions;
    for (i = 0; i < n; i++) {
        if ((v[i] & ~mask) == 0) continue;
        buf_put_uvarint(out, i - last);
        buf_put_uvarint(out, v[i] >> w);
        last = i;
        left--;
    }
    ASSERT(left == 0);
}

/* Where value i of n has its low bits: in an interleaved group, or behind the groups one after the other. */
static inline void set_low_bits(uint8_t *packed, size_t n, size_t i, unsigned w, uint64_t x) {
    size_t tail = n & ~(size_t)(PACK_GROUP - 1), bit, word, step;
    uint8_t *base = packed;
    if (i < tail) {
        base += i / PACK_GROUP * (PACK_GROUP / 8) * w + i % PACK_LANES * 8;
        bit = i % PACK_GROUP / PACK_LANES * w;
        step = (size_t)PACK_LANES * 8;
    } else {
        base += tail / 8 * w;
        bit = (i - tail) * w;
        step = 8;
    }
    word = bit / 64;
    for (unsigned done = 0; done < w;) { /* byte by byte: the last word of the tail may be cut short */
        size_t at = bit % 64 / 8, shift = bit % 8;
        base[word * step + at] |= (uint8_t)(x >> done << shift);
        unsigned took = (unsigned)(8 - shift);
        done += took;
        bit += took;
        word = bit / 64;
    }
}

void pack_encode_sparse(Buf *out, const uint32_t *at, const uint32_t *v, size_t k, size_t n, const PackPlan *plan) {
    unsigned w = plan->width;
    ASSERT(w <= 32);
    uint32_t mask = w == 32 ? UINT32_MAX : (1u << w) - 1;
    pack_put_kind(out, w, plan->exceptions);
    size_t bytes = (n * w + 7) / 8;
    buf_reserve(out, bytes);
    uint8_t *packed = (uint8_t *)out->p + out->n;
    memset(packed, 0, bytes);
    for (size_t i = 0; w > 0 && i < k; i++) set_low_bits(packed, n, at[i], w, v[i] & mask);
    out->n += bytes;
    size_t last = 0, left = plan->exceptions;
    for (size_t i = 0; left > 0 && i < k; i++) {
        if ((v[i] & ~mask) == 0) continue;
        buf_put_uvarint(out, at[i] - last);
        buf_put_uvarint(out, v[i] >> w);
        last = at[i];
        left--;
    }
    ASSERT(left == 0);
}

/* --- decode --- */

typedef uint64_t Lanes __attribute__((vector_size(PACK_LANES * 8)));

static inline __attribute__((always_inline)) void unpack_group_body(const uint8_t *in, unsigned w, uint64_t *out) {
    uint64_t mask = w == 64 ? UINT64_MAX : (UINT64_C(1) << w) - 1;
    for (unsigned row = 0, bit = 0; row < PACK_GROUP / PACK_LANES; row++, bit += w) {
        unsigned word = bit / 64, shift = bit % 64;
        Lanes low;
        __builtin_memcpy(&low, in + word * sizeof low, sizeof low);
        low >>= shift;
        if (shift + w > 64) {
            Lanes high;
            __builtin_memcpy(&high, in + (word + 1) * sizeof high, sizeof high);
            low |= high << (64 - shift);
        }
        Lanes v = low & mask;
        __builtin_memcpy(out + (size_t)row * PACK_LANES, &v, sizeof v);
    }
}

static void unpack_group_base(const uint8_t *in, unsigned w, uint64_t *out) { unpack_group_body(in, w, out); }

/* Four at a time: sums within the four, the carry added once. The carry's own chain is one addition per four. */
static inline __attribute__((always_inline)) uint64_t prefix_sum_body(
    const uint64_t *u, size_t n, uint64_t first, uint64_t factor, uint64_t base, AliasU64 *to) {
    const Lanes zero = {0};
    Lanes carry = zero + first;
    size_t i = 0;
    for (; i + PACK_LANES <= n; i += PACK_LANES) {
        Lanes x;
        __builtin_memcpy(&x, u + i, sizeof x);
        if (factor != 1) x *= factor;
        x += base;
        x += __builtin_shufflevector(x, zero, 4, 0, 1, 2);
        x += __builtin_shufflevector(x, zero, 4, 4, 0, 1);
        Lanes out = x + carry;
        carry += __builtin_shufflevector(x, x, 3, 3, 3, 3);
        __builtin_memcpy(to + i, &out, sizeof out);
    }
    uint64_t acc = carry[0];
    for (; i < n; i++) to[i] = acc += u[i] * factor + base;
    return acc;
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "columns are stored little-endian; swap the words here"
#endif

static uint64_t prefix_sum_base(
    const uint64_t *u, size_t n, uint64_t first, uint64_t factor, uint64_t base, AliasU64 *to) {
    uint64_t acc = first;
    for (size_t i = 0; i < n; i++) to[i] = acc += u[i] * factor + base;
    return acc;
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void unpack_group_avx2(const uint8_t *in, unsigned w, uint64_t *out) {
    unpack_group_body(in, w, out);
}

__attribute__((target("avx2"))) static uint64_t prefix_sum_avx2(
    const uint64_t *u, size_t n, uint64_t first, uint64_t factor, uint64_t base, AliasU64 *to) {
    return factor == 1 ? prefix_sum_body(u, n, first, 1, base, to) : prefix_sum_body(u, n, first, factor, base, to);
}

static inline bool has_avx2(void) { return __builtin_cpu_supports("avx2"); }
#else
static void unpack_group_avx2(const uint8_t *in, unsigned w, uint64_t *out) { unpack_group_body(in, w, out); }
static uint64_t prefix_sum_avx2(
    const uint64_t *u, size_t n, uint64_t first, uint64_t factor, uint64_t base, AliasU64 *to) {
    return prefix_sum_body(u, n, first, factor, base, to);
}
static inline bool has_avx2(void) { return false; }
#endif

static inline void unpack_group(const uint8_t *in, unsigned w, uint64_t *out) {
    if (has_avx2())
        unpack_group_avx2(in, w, out);
    else
        unpack_group_base(in, w, out);
}

uint64_t pack_prefix_sum(const uint64_t *u, size_t n, uint64_t first, uint64_t factor, uint64_t base, AliasU64 *to) {
    return has_avx2() ? prefix_sum_avx2(u, n, first, factor, base, to) : prefix_sum_base(u, n, first, factor, base, to);
}

static void unpack_tail(const uint8_t *in, size_t n, unsigned w, uint64_t *out) {
    /* A padded copy: eight bytes may be read at any value, nine are needed for the widest. */
    uint8_t padded[PACK_GROUP * 8 + 16];
    size_t bytes = (n * w + 7) / 8;
    memcpy(padded, in, bytes);
    memset(padded + bytes, 0, 16);
    uint64_t mask = w == 64 ? UINT64_MAX : (UINT64_C(1) << w) - 1;
    for (size_t i = 0; i < n; i++) {
        size_t bit = i * w;
        uint64_t x;
        memcpy(&x, padded + bit / 8, 8);
        unsigned shift = bit % 8;
        x >>= shift;
        if (shift + w > 64) x |= (uint64_t)padded[bit / 8 + 8] << (64 - shift);
        out[i] = x & mask;
    }
}

static bool take_exception_index(PackReader *r, size_t base) {
    if (r->exceptions_left == 0) {
        r->next_exception = SIZE_MAX;
        return true;
    }
    uint64_t step = cursor_uvarint(&r->exceptions);
    if (r->exceptions.bad || step > r->n - 1 - base) return false;
    r->next_exception = base + (size_t)step;
    return true;
}

/* The exceptions stand behind the packed bytes; walking them once here finds where the stream ends. */
static bool skip_exceptions(Cursor *c, uint64_t count) {
    for (uint64_t i = 0; i < count && !c->bad; i++) {
        (void)cursor_uvarint(c);
        (void)cursor_uvarint(c);
    }
    return !c->bad;
}

/* Everything but a sparse stream's head, after its first byte. */
static bool open_plain(PackReader *r, Cursor *c, unsigned kind, size_t n) {
    unsigned w = kind & ~(unsigned)PACK_EXACT;
    PackDigits digits = {0};
    uint64_t exceptions = kind & PACK_EXACT ? 0 : cursor_uvarint(c);
    if (c->bad || exceptions > n || n > SIZE_MAX / 64) return false;
    size_t bytes = (n * w + 7) / 8;
    if (w == PACK_DIGITS) {
        unsigned radix_byte = cursor_u8(c);
        if (!pack_digits_shape(radix_byte, cursor_u8(c), &digits)) return false;
        bytes = pack_digits_bytes(&digits, n);
        r->unit = pack_digits_limit(&digits);
    } else if (w > 64) {
        return false;
    }
    Str packed = cursor_bytes(c, bytes);
    if (c->bad) return false;
    r->packed = (const uint8_t *)packed.p;
    r->exceptions = *c;
    r->exceptions_left = exceptions;
    r->next_exception = SIZE_MAX;
    r->n = n;
    r->width = r->unit ? 0 : w;
    if (digits.radix) pack_digits_open(&r->digits, &digits, r->packed, n);
    if (!skip_exceptions(c, exceptions)) return false;
    return exceptions == 0 || take_exception_index(r, 0);
}

bool pack_open(PackReader *r, Cursor *c, size_t n) {
    memset(r, 0, offsetof(PackReader, rest));
    unsigned w = cursor_u8(c);
    if (c->bad || w != PACK_SPARSE) return !c->bad && open_plain(r, c, w, n);
    r->common = cursor_uvarint(c);
    uint64_t others = cursor_uvarint(c);
    if (c->bad || others > n || others == 0) return false;
    Str bitmap = cursor_bytes(c, n / 8 + (n % 8 != 0));
    w = cursor_u8(c);
    if (c->bad || pack_count_bits((const uint8_t *)bitmap.p, n) != others) return false;
    r->bitmap = (const uint8_t *)bitmap.p;
    r->n_all = n;
    return open_plain(r, c, w, (size_t)others);
}

static bool patch(PackReader *r, uint64_t *out, size_t n) {
    while (r->next_exception < r->at + n) {
        uint64_t high = cursor_uvarint(&r->exceptions);
        size_t i = r->next_exception;
        if (r->exceptions.bad || r->width == 64) return false;
        if (r->unit)
            out[i - r->at] += high * r->unit;
        else
            out[i - r->at] |= high << r->width;
        r->exceptions_left--;
        /* A distance of 0 is the first value's only: the next exception lies further on. */
        if (!take_exception_index(r, i) || r->next_exception == i) return false;
    }
    return true;
}

static bool next_plain(PackReader *r, uint64_t out[PACK_GROUP], size_t *ret_n) {
    size_t n = MIN((size_t)PACK_GROUP, r->n - r->at);
    unsigned w = r->width;
    if (r->digits.shape.radix) {
        n = pack_digits_next(&r->digits, out);
    } else {
        if (w == 0)
            memset(out, 0, n * sizeof *out);
        else if (n == PACK_GROUP)
            unpack_group(r->packed, w, out);
        else
            unpack_tail(r->packed, n, w, out);
        r->packed += (n * w + 7) / 8;
    }
    if (UNLIKELY(r->next_exception < r->at + n) && !patch(r, out, n)) return false;
    r->at += n;
    *ret_n = n;
    return true;
}

/* Words of digits, groups and whole bytes of a tail can be begun at. */
static bool seek_plain(PackReader *r, size_t to, size_t *ret_at) {
    size_t tail = r->n & ~(size_t)(PACK_GROUP - 1), at = to & ~(size_t)(PACK_GROUP - 1);
    if (r->digits.shape.radix) {
        at = pack_digits_seek(&r->digits, to);
    } else {
        if (to > tail) at = tail + ((to - tail) & ~(size_t)7);
        r->packed += at / 8 * r->width;
    }
    while (r->next_exception < at) {
        size_t i = r->next_exception;
        (void)cursor_uvarint(&r->exceptions);
        r->exceptions_left--;
        if (!take_exception_index(r, i) || r->next_exception == i) return false;
    }
    *ret_at = r->at = at;
    return true;
}

bool pack_seek(PackReader *r, size_t to, size_t *ret_at) {
    ASSERT(r->at == 0 && r->at_all == 0);
    if (!r->bitmap) return seek_plain(r, to, ret_at);
    *ret_at = r->at_all = to & ~(size_t)63;
    size_t others = (size_t)pack_count_bits(r->bitmap, r->at_all), at;
    if (!seek_plain(r, others, &at)) return false;
    if (at == others) return true;
    if (!next_plain(r, r->rest, &r->n_rest)) return false;
    r->at_rest = others - at;
    return true;
}

/* At least so many others at hand, at most 64. */
static bool need_rest(PackReader *r, size_t n) {
    if (r->n_rest - r->at_rest >= n) return true;
    r->n_rest -= r->at_rest;
    memmove(r->rest, r->rest + r->at_rest, r->n_rest * sizeof *r->rest);
    r->at_rest = 0;
    while (r->n_rest < n) {
        size_t more;
        if (!next_plain(r, r->rest + r->n_rest, &more)) return false;
        ASSERT(more > 0); /* the bitmap's ones were counted */
        r->n_rest += more;
    }
    return true;
}

/* The common value, and the others at the places of the bitmap's ones. Groups begin at whole words of it. */
static bool next_sparse(PackReader *r, uint64_t out[PACK_GROUP], size_t *ret_n) {
    size_t n = MIN((size_t)PACK_GROUP, r->n_all - r->at_all);
    const uint8_t *bits = r->bitmap + r->at_all / 8;
    for (size_t at = 0; at < n; at += 64) {
        uint64_t word = 0;
        memcpy(&word, bits + at / 8, MIN((size_t)8, (n - at + 7) / 8));
        if (n - at < 64) word &= (UINT64_C(1) << (n - at)) - 1;
        if (!need_rest(r, (size_t)pack_count_bits((const uint8_t *)&word, 64))) return false;
        r->at_rest += pack_expand(word, r->common, r->rest + r->at_rest, out + at);
    }
    r->at_all += n;
    *ret_n = n;
    return true;
}

bool pack_next(PackReader *r, uint64_t out[PACK_GROUP], size_t *ret_n) {
    return UNLIKELY(r->bitmap != NULL) ? next_sparse(r, out, ret_n) : next_plain(r, out, ret_n);
}
