#include "metrics/tsdb/bits.h"

void bits_put(BitWriter *w, uint64_t v, unsigned n) {
    ASSERT(n <= 64);
    while (n > 0) {
        if (w->left == 0) {
            buf_put_char(w->out, 0);
            w->left = 8;
        }
        unsigned take = MIN(n, w->left);
        uint64_t part = (v >> (n - take)) & ((1u << take) - 1);
        w->out->p[w->out->n - 1] = (char)((uint8_t)w->out->p[w->out->n - 1] | (uint8_t)(part << (w->left - take)));
        w->left -= take;
        n -= take;
    }
}

void bits_put_uvarint(BitWriter *w, uint64_t v) {
    for (; v >= 0x80; v >>= 7) bits_put(w, (v & 0x7f) | 0x80, 8);
    bits_put(w, v, 8);
}

void bits_put_svarint(BitWriter *w, int64_t v) { bits_put_uvarint(w, (uint64_t)v << 1 ^ (uint64_t)(v >> 63)); }

/* Bits of the value after a prefix of i + 1 ones and a zero (the last one: eight ones). */
static const uint8_t varbit_sizes[] = {3, 6, 9, 12, 18, 25, 56, 64};

static void put_ranged(BitWriter *w, uint64_t v, unsigned range) {
    bool last = range + 1 == ARRAY_LEN(varbit_sizes);
    if (last)
        bits_put(w, 0xff, 8);
    else
        bits_put(w, ((uint64_t)1 << (range + 2)) - 2, range + 2);
    bits_put(w, v, varbit_sizes[range]);
}

void bits_put_varbit(BitWriter *w, int64_t v) {
    if (v == 0) {
        bits_put(w, 0, 1);
        return;
    }
    unsigned range = 0;
    for (; range + 1 < ARRAY_LEN(varbit_sizes); range++) {
        int64_t half = (int64_t)1 << (varbit_sizes[range] - 1);
        if (v >= 1 - half && v <= half) break;
    }
    put_ranged(w, (uint64_t)v, range);
}

void bits_put_varbit_u(BitWriter *w, uint64_t v) {
    if (v == 0) {
        bits_put(w, 0, 1);
        return;
    }
    unsigned range = 0;
    while (range + 1 < ARRAY_LEN(varbit_sizes) && v >> varbit_sizes[range]) range++;
    put_ranged(w, v, range);
}

uint64_t bits_get(BitReader *r, unsigned n) {
    ASSERT(n <= 64);
    if (r->bad || r->n_bits - r->at < n) {
        r->bad = true;
        return 0;
    }
    uint64_t v = 0;
    while (n > 0) {
        unsigned left = 8 - (unsigned)(r->at & 7), take = MIN(n, left);
        uint64_t byte = r->p[r->at >> 3];
        v = v << take | ((byte >> (left - take)) & ((1u << take) - 1));
        r->at += take;
        n -= take;
    }
    return v;
}

int64_t bits_get_signed(BitReader *r, unsigned n) {
    uint64_t v = bits_get(r, n);
    if (n < 64 && v > (uint64_t)1 << (n - 1)) v -= (uint64_t)1 << n;
    return (int64_t)v;
}

uint64_t bits_get_uvarint(BitReader *r) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint64_t byte = bits_get(r, 8);
        v |= (byte & 0x7f) << shift;
        if (byte < 0x80) return v;
    }
    r->bad = true;
    return 0;
}

int64_t bits_get_svarint(BitReader *r) {
    uint64_t v = bits_get_uvarint(r);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* -1: zero. */
static int varbit_range(BitReader *r) {
    int ones = 0;
    while (ones < 8 && bits_get(r, 1)) ones++;
    return ones - 1;
}

int64_t bits_get_varbit(BitReader *r) {
    int range = varbit_range(r);
    return range < 0 ? 0 : bits_get_signed(r, varbit_sizes[range]);
}

uint64_t bits_get_varbit_u(BitReader *r) {
    int range = varbit_range(r);
    return range < 0 ? 0 : bits_get(r, varbit_sizes[range]);
}

void bits_put_xor(BitWriter *w, XorState *s, double v) {
    uint64_t x = f64_bits(v) ^ s->bits;
    s->bits = f64_bits(v);
    if (x == 0) {
        bits_put(w, 0, 1);
        return;
    }
    bits_put(w, 1, 1);
    uint8_t leading = (uint8_t)MIN(__builtin_clzll(x), 31), trailing = (uint8_t)__builtin_ctzll(x);
    if (s->leading != 0xff && leading >= s->leading && trailing >= s->trailing) {
        bits_put(w, 0, 1);
    } else {
        s->leading = leading;
        s->trailing = trailing;
        bits_put(w, 1, 1);
        bits_put(w, leading, 5);
        bits_put(w, 64u - leading - trailing, 6); /* 64 does not fit and is written as 0 */
    }
    bits_put(w, x >> s->trailing, 64u - s->leading - s->trailing);
}

double bits_get_xor(BitReader *r, XorState *s) {
    if (bits_get(r, 1)) {
        if (bits_get(r, 1)) {
            s->leading = (uint8_t)bits_get(r, 5);
            unsigned n = (unsigned)bits_get(r, 6);
            if (n == 0) n = 64;
            if (s->leading + n > 64) r->bad = true;
            s->trailing = r->bad ? 0 : (uint8_t)(64 - s->leading - n);
        }
        if (s->leading == 0xff) r->bad = true; /* a window that was never given */
        if (!r->bad) s->bits ^= bits_get(r, 64u - s->leading - s->trailing) << s->trailing;
    }
    return f64_of(s->bits);
}

uint32_t cursor_u32be(Cursor *c) { return __builtin_bswap32(cursor_u32le(c)); }
uint64_t cursor_u64be(Cursor *c) { return __builtin_bswap64(cursor_u64le(c)); }
double cursor_f64be(Cursor *c) { return f64_of(cursor_u64be(c)); }
void buf_put_u16be(Buf *b, uint16_t v) { buf_put_u16le(b, __builtin_bswap16(v)); }
void buf_put_u32be(Buf *b, uint32_t v) { buf_put_u32le(b, __builtin_bswap32(v)); }
void buf_put_u64be(Buf *b, uint64_t v) { buf_put_u64le(b, __builtin_bswap64(v)); }
