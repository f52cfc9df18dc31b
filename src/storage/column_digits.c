/* column_digits.c - values as digits of a radix that is no power of two, above low bits that are packed as they are.
 *
 * A word holds the digits of several values not as a number but as the fraction it is of all such numbers, rounded up:
 * multiplied by the radix it gives a digit above the point and the fraction of the remaining digits below it, so that
 * decoding needs no division. Every word is the fraction of some digits: foreign bytes decode to values in range. */
#include "storage/column_int.h"

#include "codec/bitpack.h"

#include <stdatomic.h>

#define DIGITS_MAX 32 /* so that twice four words hold no more than a group of values */

/* How many digits fit into so many bytes; the radix is no power of two, so that they never fill them. */
static unsigned digits_of(unsigned radix, unsigned bytes) {
    uint64_t limit = (bytes == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * bytes) - 1) / radix, power = 1;
    unsigned n = 0;
    for (; power <= limit && n < DIGITS_MAX; n++) power *= radix;
    return n;
}

static bool is_radix(unsigned radix) {
    return radix > 2 && radix <= PACK_DIGITS_RADIX_MAX && (radix & (radix - 1)) != 0;
}

/* digits << 8 | bytes of the word that is filled best. */
static unsigned best_word(unsigned radix) {
    static _Atomic uint16_t known[PACK_DIGITS_RADIX_MAX + 1];
    unsigned word = atomic_load_explicit(&known[radix], memory_order_relaxed), best = 1, most = 0;
    if (word) return word;
    for (unsigned bytes = 1; bytes <= 8; bytes++) {
        unsigned digits = digits_of(radix, bytes);
        if (digits * best < most * bytes) continue;
        most = digits;
        best = bytes;
    }
    word = most << 8 | best;
    atomic_store_explicit(&known[radix], (uint16_t)word, memory_order_relaxed);
    return word;
}

bool pack_digits_shape(unsigned radix, unsigned low_bits, PackDigits *ret) {
    if (!is_radix(radix) || low_bits > PACK_DIGITS_LOW_MAX) return false;
    unsigned word = best_word(radix);
    *ret = (PackDigits){.radix = radix, .low_bits = low_bits, .digits = word >> 8, .bytes = word & 0xff};
    return true;
}

/* Bytes of a word of fewer digits: the stream's last one. */
static unsigned short_word_bytes(const PackDigits *x, size_t digits) {
    unsigned bytes = 1;
    while (bytes < x->bytes && digits_of(x->radix, bytes) < digits) bytes++;
    return bytes;
}

static size_t words_bytes(const PackDigits *x, size_t n) {
    size_t rest = n % x->digits;
    return n / x->digits * x->bytes + (rest ? short_word_bytes(x, rest) : 0);
}

size_t pack_digits_bytes(const PackDigits *x, size_t n) {
    return bitpack_size_bytes(n, x->low_bits) + words_bytes(x, n);
}

/* --- encode --- */

static void put_word(Buf *out, unsigned radix, const uint64_t *digit, size_t n, size_t step, unsigned bytes) {
    uint64_t number = 0, all = 1;
    for (size_t i = 0; i < n; i++) {
        number = number * radix + digit[i * step];
        all *= radix;
    }
    unsigned __int128 scaled = ((unsigned __int128)number << 8 * bytes) + (all - 1);
    uint64_t word = (uint64_t)(scaled / all);
    buf_put(out, &word, bytes);
}

static void put_words(Buf *out, const PackDigits *x, const uint64_t *high, size_t n) {
    size_t i = 0, block = (size_t)x->digits * PACK_LANES;
    for (; i + block <= n; i += block)
        for (size_t lane = 0; lane < PACK_LANES; lane++)
            put_word(out, x->radix, high + i + lane, x->digits, PACK_LANES, x->bytes);
    for (; i < n; i += x->digits) {
        size_t k = MIN((size_t)x->digits, n - i);
        put_word(out, x->radix, high + i, k, 1, k == x->digits ? x->bytes : short_word_bytes(x, k));
    }
}

void pack_digits_encode(Buf *out, const uint64_t *v, size_t n, const PackDigits *x, size_t exceptions) {
    uint64_t limit = pack_digits_limit(x), low_mask = (UINT64_C(1) << x->low_bits) - 1;
    uint64_t *low = mem_alloc_array(n, 2 * sizeof *low), *high = low + n;
    for (size_t i = 0; i < n; i++) {
        uint64_t rest = v[i] < limit ? v[i] : v[i] % limit;
        low[i] = rest & low_mask;
        high[i] = rest >> x->low_bits;
    }
    pack_put_kind(out, PACK_DIGITS, exceptions);
    buf_put_char(out, (char)x->radix);
    buf_put_char(out, (char)x->low_bits);
    bitpack_encode_u64(out, low, n, x->low_bits);
    put_words(out, x, high, n);
    mem_free(low);
    for (size_t i = 0, last = 0; exceptions; i++) {
        if (v[i] < limit) continue;
        buf_put_uvarint(out, i - last);
        buf_put_uvarint(out, v[i] / limit);
        last = i;
        exceptions--;
    }
}

/* --- decode --- */

/* The fraction of a word, its bytes the highest of 64 bits. Eight bytes can be read. */
static inline uint64_t load_word(const uint8_t *p, unsigned bytes) {
    uint64_t word;
    memcpy(&word, p, 8);
    return word << (64 - 8 * bytes);
}

static uint64_t load_last_word(const uint8_t *p, unsigned bytes) {
    uint64_t word = 0;
    memcpy(&word, p, bytes);
    return word << (64 - 8 * bytes);
}

static void take_word(uint64_t word, unsigned radix, unsigned low_bits, size_t n, uint64_t *out) {
    for (size_t i = 0; i < n; i++) {
        unsigned __int128 product = (unsigned __int128)word * radix;
        out[i] |= (uint64_t)(product >> 64) << low_bits;
        word = (uint64_t)product;
    }
}

/* Blocks of four words each whose digits alternate; eight bytes can be read at each word. */
static void take_blocks_base(const PackDigits *x, const uint8_t *in, size_t blocks, uint64_t *out) {
    for (; blocks > 0; blocks--) {
        uint64_t word[PACK_LANES];
        for (unsigned lane = 0; lane < PACK_LANES; lane++, in += x->bytes) word[lane] = load_word(in, x->bytes);
        for (unsigned row = 0; row < x->digits; row++, out += PACK_LANES) {
            for (unsigned lane = 0; lane < PACK_LANES; lane++) {
                unsigned __int128 product = (unsigned __int128)word[lane] * x->radix;
                out[lane] |= (uint64_t)(product >> 64) << x->low_bits;
                word[lane] = (uint64_t)product;
            }
        }
    }
}

#ifdef __x86_64__
#include <immintrin.h>

#define TARGET_AVX2 __attribute__((target("avx2")))

TARGET_AVX2 static inline __m256i load_four(const uint8_t *in, unsigned bytes, __m128i shift) {
    int64_t w[PACK_LANES];
    for (unsigned lane = 0; lane < PACK_LANES; lane++) memcpy(&w[lane], in + (size_t)lane * bytes, 8);
    return _mm256_sll_epi64(_mm256_set_epi64x(w[3], w[2], w[1], w[0]), shift);
}

/* 64 x 8 bits from two multiplications of 32; what is above an element's lower half is of no matter to the next. */
#define STEP(low, high)                                                                                                \
    low = _mm256_mul_epu32(low, radix);                                                                                \
    high = _mm256_add_epi64(_mm256_mul_epu32(high, radix), _mm256_srli_epi64(low, 32))

TARGET_AVX2 static inline void put_row(__m256i high, __m128i shift, uint64_t *out) {
    __m256i *to = (__m256i *)(void *)out;
    __m256i digit = _mm256_sll_epi64(_mm256_srli_epi64(high, 32), shift);
    _mm256_storeu_si256(to, _mm256_or_si256(_mm256_loadu_si256(to), digit));
}

/* Two blocks at a time: the multiplications of one fill the time in which those of the other are under way. */
TARGET_AVX2 static void take_blocks_avx2(const PackDigits *x, const uint8_t *in, size_t blocks, uint64_t *out) {
    const __m256i radix = _mm256_set1_epi64x(x->radix);
    const __m128i shift = _mm_cvtsi32_si128((int)x->low_bits), up = _mm_cvtsi32_si128((int)(64 - 8 * x->bytes));
    size_t rows = (size_t)x->digits * PACK_LANES, bytes = (size_t)x->bytes * PACK_LANES;
    for (; blocks >= 2; blocks -= 2, in += 2 * bytes, out += 2 * rows) {
        __m256i low = load_four(in, x->bytes, up), low2 = load_four(in + bytes, x->bytes, up);
        __m256i high = _mm256_srli_epi64(low, 32), high2 = _mm256_srli_epi64(low2, 32);
        for (size_t at = 0; at < rows; at += PACK_LANES) {
            STEP(low, high);
            STEP(low2, high2);
            put_row(high, shift, out + at);
            put_row(high2, shift, out + rows + at);
        }
    }
    if (blocks == 0) return;
    __m256i low = load_four(in, x->bytes, up), high = _mm256_srli_epi64(low, 32);
    for (size_t at = 0; at < rows; at += PACK_LANES) {
        STEP(low, high);
        put_row(high, shift, out + at);
    }
}
static inline bool has_avx2(void) { return __builtin_cpu_supports("avx2"); }
#else
#define take_blocks_avx2 take_blocks_base
static inline bool has_avx2(void) { return false; }
#endif

static void take_blocks(const PackDigits *x, const uint8_t *in, size_t in_n, size_t blocks, uint64_t *out) {
    size_t rows = (size_t)x->digits * PACK_LANES, bytes = (size_t)x->bytes * PACK_LANES, whole = blocks;
    while (whole > 0 && in_n < whole * bytes + 8 - x->bytes) whole--;
    if (has_avx2())
        take_blocks_avx2(x, in, whole, out);
    else
        take_blocks_base(x, in, whole, out);
    for (; whole < blocks; whole++) { /* at the stream's end */
        uint8_t padded[PACK_LANES * 8 + 8] = {0};
        memcpy(padded, in + whole * bytes, bytes);
        take_blocks_base(x, padded, 1, out + whole * rows);
    }
}

size_t pack_digits_seek(PackDigitsReader *r, size_t to) {
    const PackDigits *x = &r->shape;
    size_t pair = (size_t)x->digits * PACK_LANES * 2; /* whose low bits fill whole bytes */
    ASSERT(r->at == 0);
    r->at = to - to % pair;
    r->low += bitpack_size_bytes(r->at, x->low_bits);
    r->words += r->at / x->digits * x->bytes;
    return r->at;
}

size_t pack_digits_next(PackDigitsReader *r, uint64_t out[PACK_GROUP]) {
    const PackDigits *x = &r->shape;
    size_t block = (size_t)x->digits * PACK_LANES, left = r->n - r->at;
    /* Pairs of blocks are a multiple of eight values: the low bits of what follows begin at a whole byte. */
    size_t n = left <= PACK_GROUP ? left : PACK_GROUP / (2 * block) * (2 * block);
    size_t low_bytes = bitpack_size_bytes(n, x->low_bits);
    ASSERT(low_bytes <= (size_t)(r->low_end - r->low));
    /* The words behind the low bits may be read as well, which spares it a slow end. */
    bool good = bitpack_decode_u64(r->low, (size_t)(r->words_end - r->low), n, x->low_bits, out);
    ASSERT(good); /* the stream's length was checked */
    r->low += low_bytes;
    size_t blocks = n / block;
    take_blocks(x, r->words, (size_t)(r->words_end - r->words), blocks, out);
    r->words += blocks * PACK_LANES * x->bytes;
    for (size_t i = blocks * block, k; i < n; i += k) { /* the stream's end */
        k = MIN((size_t)x->digits, n - i);
        unsigned bytes = k == x->digits ? x->bytes : short_word_bytes(x, k);
        take_word(load_last_word(r->words, bytes), x->radix, x->low_bits, k, out + i);
        r->words += bytes;
    }
    r->at += n;
    return n;
}

void pack_digits_open(PackDigitsReader *r, const PackDigits *shape, const uint8_t *in, size_t n) {
    size_t low_bytes = bitpack_size_bytes(n, shape->low_bits);
    *r = (PackDigitsReader){.shape = *shape, .n = n, .low = in, .low_end = in + low_bytes, .words = in + low_bytes};
    r->words_end = in + pack_digits_bytes(shape, n);
}
