/* wide_filter.c - which words occur in a column: split-block Bloom filters. */
#include "storage/wide_int.h"

#include "base/hash.h"
#include "base/vec.h"

#include <math.h>

/* The form is fixed: filters are stored. Eight words of 32 bits, one bit in each, chosen by odd multipliers. */
#define LANES 8
#define LINE_BYTES (LANES * 4)
#define BITS_PER_HASH 10
static const uint32_t salt[LANES] = {
    0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};

/* Distinct hashes are counted, not collected: bits set in a sketch tell how many there are well enough to size. */
#define SKETCH_BITS (1u << 18)

struct WideFilter {
    VEC(uint64_t) hashes;
    size_t sketch_set;
    uint64_t sketch[SKETCH_BITS / 64];
};

WideFilter *wide_filter_create(void) { return NEW(WideFilter); }

WideFilter *wide_filter_free(WideFilter *f) {
    if (!f) return NULL;
    vec_done(&f->hashes);
    mem_free(f);
    return NULL;
}

/* Letters and digits; bytes of other alphabets count as letters. */
static inline bool is_word(uint8_t c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

static void add_hash(WideFilter *f, uint64_t h) {
    /* Repetitions of the sketch's bit are mostly repetitions of the word: the rest only blurs the filter. */
    uint64_t bit = h % SKETCH_BITS, mask = UINT64_C(1) << bit % 64;
    if (!(f->sketch[bit / 64] & mask)) {
        f->sketch[bit / 64] |= mask;
        f->sketch_set++;
    }
    vec_push(&f->hashes, h);
}

static bool next_token(Str s, size_t *at, Str *ret) {
    const uint8_t *p = (const uint8_t *)s.p;
    size_t i = *at;
    while (i < s.n && !is_word(p[i])) i++;
    size_t start = i;
    while (i < s.n && is_word(p[i])) i++;
    *at = i;
    *ret = str_slice(s, start, i);
    return i > start;
}

void wide_filter_add_tokens(WideFilter *f, Str value) {
    Str token;
    for (size_t at = 0; next_token(value, &at, &token);) add_hash(f, hash_xx64(token, 0));
}

void wide_filter_add_value(WideFilter *f, Str value) { add_hash(f, hash_xx64(value, 1)); }

static size_t distinct_estimate(const WideFilter *f) {
    double free_share = 1.0 - (double)f->sketch_set / SKETCH_BITS;
    if (free_share < 0.02) return f->hashes.n;
    size_t n = (size_t)(-log(free_share) * SKETCH_BITS * 1.02) + 1;
    return MIN(n, f->hashes.n);
}

static inline uint32_t lane_bit(uint64_t h, size_t lane) { return 1u << ((uint32_t)h * salt[lane] >> 27); }
static inline size_t line_of(uint64_t h, size_t lines) { return (size_t)((h >> 32) * lines >> 32); }

static void set_bits(uint8_t *line, uint64_t h) {
    for (size_t lane = 0; lane < LANES; lane++) {
        uint32_t word;
        memcpy(&word, line + lane * 4, 4);
        word |= lane_bit(h, lane);
        memcpy(line + lane * 4, &word, 4);
    }
}

void wide_filter_finish(WideFilter *f, Buf *out) {
    if (f->hashes.n > 0) {
        size_t lines = (distinct_estimate(f) * BITS_PER_HASH + LINE_BYTES * 8 - 1) / (LINE_BYTES * 8);
        buf_reserve(out, lines * LINE_BYTES);
        uint8_t *base = (uint8_t *)out->p + out->n;
        memset(base, 0, lines * LINE_BYTES);
        vec_foreach(uint64_t, h, &f->hashes) set_bits(base + line_of(*h, lines) * LINE_BYTES, *h);
        out->n += lines * LINE_BYTES;
    }
    vec_clear(&f->hashes);
    f->sketch_set = 0;
    memset(f->sketch, 0, sizeof f->sketch);
}

static bool has_hash(Str filter, uint64_t h) {
    size_t lines = filter.n / LINE_BYTES;
    if (lines == 0) return false;
    const char *line = filter.p + line_of(h, lines) * LINE_BYTES;
    for (size_t lane = 0; lane < LANES; lane++) {
        uint32_t word;
        memcpy(&word, line + lane * 4, 4);
        if (!(word & lane_bit(h, lane))) return false;
    }
    return true;
}

bool wide_filter_has_value(Str filter, Str value) { return has_hash(filter, hash_xx64(value, 1)); }

bool wide_filter_has_tokens(Str filter, Str text, bool inside) {
    Str token;
    for (size_t at = 0; next_token(text, &at, &token);) {
        bool cut = token.p == text.p || token.p + token.n == text.p + text.n; /* may go on outside the needle */
        if (inside && cut) continue;
        if (!has_hash(filter, hash_xx64(token, 0))) return false;
    }
    return true;
}
