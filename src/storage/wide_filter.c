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
#define RECENT 2048 /* a power of two; as many hashes as were seen lately: words repeat */

struct WideFilter {
    VEC(uint64_t) hashes;
    size_t sketch_set;
    uint64_t recent[RECENT]; /* by their low bits; 0: none */
    uint64_t sketch[SKETCH_BITS / 64];
};

WideFilter *wide_filter_create(void) { return NEW(WideFilter); }

WideFilter *wide_filter_free(WideFilter *f) {
    if (!f) return NULL;
    vec_done(&f->hashes);
    mem_free(f);
    return NULL;
}

static void add_hash(WideFilter *f, uint64_t h) {
    uint64_t *lately = &f->recent[h & (RECENT - 1)];
    if (*lately == h && h != 0) return;
    *lately = h;
    /* Repetitions of the sketch's bit are mostly repetitions of the word: the rest only blurs the filter. */
    uint64_t bit = h % SKETCH_BITS, mask = UINT64_C(1) << bit % 64;
    if (!(f->sketch[bit / 64] & mask)) {
        f->sketch[bit / 64] |= mask;
        f->sketch_set++;
    }
    vec_push(&f->hashes, h);
}

/* --- words: letters and digits; bytes of other alphabets count as letters --- */

#define WORD_SPAN 64

typedef uint8_t Bytes16 __attribute__((vector_size(16)));
typedef char Chars16 __attribute__((vector_size(16)));
typedef uint64_t Words2 __attribute__((vector_size(16))); /* little-endian, as columns are */

/* Bit i: byte i is part of a word. */
static inline uint64_t word_bits16(Bytes16 c) {
    Bytes16 letter = (c | 0x20) - 'a', digit = c - '0';
    Bytes16 word = (Bytes16)(letter < 26) | (Bytes16)(digit < 10) | (Bytes16)(c >= 0x80);
#ifdef __SSE2__
    return (uint64_t)(uint32_t)__builtin_ia32_pmovmskb128((Chars16)word);
#else
    uint64_t bits = 0;
    for (unsigned k = 0; k < 16; k++) bits |= (uint64_t)(word[k] & 1) << k;
    return bits;
#endif
}

/* n bytes, 16 at most, zeros behind them: from two loads that overlap. */
static inline Bytes16 load_short(const char *p, size_t n) {
    uint64_t head = 0, tail = 0;
    if (n >= 8) {
        memcpy(&head, p, 8);
        memcpy(&tail, p + n - 8, 8);
        tail = n > 8 ? tail >> (8 * (16 - n)) : 0;
    } else if (n >= 4) {
        uint32_t a, b;
        memcpy(&a, p, 4);
        memcpy(&b, p + n - 4, 4);
        head = a | (uint64_t)b << (8 * (n - 4));
    } else {
        for (size_t i = 0; i < n; i++) head |= (uint64_t)(uint8_t)p[i] << (8 * i);
    }
    return (Bytes16)(Words2){head, tail};
}

/* Bytes from n on are not part of a word. */
static inline uint64_t word_bits(const char *p, size_t n) {
    if (n <= 16) return word_bits16(load_short(p, n));
    char padded[WORD_SPAN];
    if (n < WORD_SPAN) {
        memset(padded, 0, sizeof padded);
        memcpy(padded, p, n);
        p = padded;
    }
    uint64_t bits = 0;
    for (unsigned i = 0; i < WORD_SPAN; i += 16) {
        Bytes16 c;
        memcpy(&c, p + i, 16);
        bits |= word_bits16(c) << i;
    }
    return bits;
}

/* The words of a text, one after the other. */
typedef struct Words {
    Str text;
    size_t at;     /* of the span that bits are of */
    uint64_t bits; /* of the span: not yet looked at */
} Words;

static inline Words words_of(Str text) {
    return (Words){text, 0, text.n ? word_bits(text.p, MIN(text.n, (size_t)WORD_SPAN)) : 0};
}

static inline bool next_span(Words *w) {
    if (w->text.n - w->at <= WORD_SPAN) return false;
    w->at += WORD_SPAN;
    w->bits = word_bits(w->text.p + w->at, MIN(w->text.n - w->at, (size_t)WORD_SPAN));
    return true;
}

static inline bool next_word(Words *w, Str *ret) {
    while (w->bits == 0)
        if (!next_span(w)) return false;
    unsigned first = (unsigned)__builtin_ctzll(w->bits);
    size_t start = w->at + first;
    uint64_t from = w->bits | ((UINT64_C(1) << first) - 1); /* all set up to where the word ends */
    while (from == UINT64_MAX) {
        w->bits = 0;
        if (!next_span(w)) {
            *ret = str_of(w->text.p + start, w->text.n - start);
            return true;
        }
        from = w->bits;
    }
    unsigned end = (unsigned)__builtin_ctzll(~from);
    w->bits = end == 0 ? w->bits : w->bits & ~((UINT64_C(1) << end) - 1);
    *ret = str_of(w->text.p + start, w->at + end - start);
    return true;
}

void wide_filter_add_tokens(WideFilter *f, Str value) {
    Str word;
    for (Words w = words_of(value); next_word(&w, &word);) add_hash(f, hash_xx64(word, 0));
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

typedef uint32_t Line __attribute__((vector_size(LINE_BYTES)));

static inline __attribute__((always_inline)) void set_all_body(
    uint8_t *base, size_t lines, const uint64_t *hashes, size_t n) {
    Line factors;
    memcpy(&factors, salt, sizeof factors);
    const Line zero = {0};
    for (size_t i = 0; i < n; i++) {
        uint8_t *at = base + line_of(hashes[i], lines) * LINE_BYTES;
        Line line;
        memcpy(&line, at, sizeof line);
        line |= (zero + 1) << (((zero + (uint32_t)hashes[i]) * factors) >> 27);
        memcpy(at, &line, sizeof line);
    }
}

static void set_all_base(uint8_t *base, size_t lines, const uint64_t *hashes, size_t n) {
    set_all_body(base, lines, hashes, n);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void set_all_avx2(
    uint8_t *base, size_t lines, const uint64_t *hashes, size_t n) {
    set_all_body(base, lines, hashes, n);
}
static inline bool has_avx2(void) { return __builtin_cpu_supports("avx2"); }
#else
#define set_all_avx2 set_all_base
static inline bool has_avx2(void) { return false; }
#endif

static void forget(WideFilter *f) {
    bool few = f->hashes.n < SKETCH_BITS / 64;
    vec_foreach(uint64_t, h, &f->hashes) {
        if (few) f->sketch[*h % SKETCH_BITS / 64] = 0;
        f->recent[*h & (RECENT - 1)] = 0;
    }
    if (!few) memset(f->sketch, 0, sizeof f->sketch);
    vec_clear(&f->hashes);
    f->sketch_set = 0;
}

void wide_filter_finish(WideFilter *f, Buf *out) {
    if (f->hashes.n > 0) {
        size_t lines = (distinct_estimate(f) * BITS_PER_HASH + LINE_BYTES * 8 - 1) / (LINE_BYTES * 8);
        buf_reserve(out, lines * LINE_BYTES);
        uint8_t *base = (uint8_t *)out->p + out->n;
        memset(base, 0, lines * LINE_BYTES);
        (has_avx2() ? set_all_avx2 : set_all_base)(base, lines, f->hashes.v, f->hashes.n);
        out->n += lines * LINE_BYTES;
    }
    forget(f);
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
    Str word;
    for (Words w = words_of(text); next_word(&w, &word);) {
        bool cut = word.p == text.p || word.p + word.n == text.p + text.n; /* may go on outside the needle */
        if (inside && cut) continue;
        if (!has_hash(filter, hash_xx64(word, 0))) return false;
    }
    return true;
}
