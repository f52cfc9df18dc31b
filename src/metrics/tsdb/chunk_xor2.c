/* chunk_xor2.c - Prometheus 3's second encoding of floats: time and value share control bits, stale markers are short,
 * start times may stand behind samples. Source: tsdb/docs/format/chunks.md and the description of its XOR2 chunk. */
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/chunk.h"

static int64_t minus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }

int64_t chunk_next_start(ChunkStarts *s, BitReader *r, size_t i, int64_t t, int64_t before) {
    uint8_t changes_from = s->header & 0x7f;
    if (i == 0) {
        if (s->header & 0x80) s->start = minus(t, bits_get_svarint(r));
    } else if (changes_from && i >= changes_from) {
        if (i == changes_from) s->distance = 0;
        s->distance = (int64_t)((uint64_t)s->distance + (uint64_t)bits_get_varbit(r));
        s->start = minus(before, s->distance);
    }
    return s->start;
}

typedef struct Xor2 {
    BitReader r;
    int64_t t, delta;
    uint64_t v, base; /* base: the newest value that is no stale marker */
    uint8_t leading, trailing;
} Xor2;

static void take_window(Xor2 *x) {
    if (x->leading == 0xff) {
        x->r.bad = true; /* a window that was never given */
        return;
    }
    x->base ^= bits_get(&x->r, 64u - x->leading - x->trailing) << x->trailing;
    x->v = x->base;
}

static void new_window(Xor2 *x) {
    unsigned leading = (unsigned)bits_get(&x->r, 5), n = (unsigned)bits_get(&x->r, 6);
    if (n == 0) n = 64;
    if (leading + n > 64) {
        x->r.bad = true;
        return;
    }
    x->leading = (uint8_t)leading;
    x->trailing = (uint8_t)(64 - leading - n);
    take_window(x);
}

/* 0: as before, 10: old window, 110: new window, 111: stale marker. */
static void get_value(Xor2 *x) {
    if (!bits_get(&x->r, 1))
        x->v = x->base;
    else if (!bits_get(&x->r, 1))
        take_window(x);
    else if (!bits_get(&x->r, 1))
        new_window(x);
    else
        x->v = STALE_NAN_BITS;
}

/* Two's complement, unlike the ranges of the first encoding. */
static void get_dod(Xor2 *x, unsigned n) {
    uint64_t d = bits_get(&x->r, n);
    if (n < 64 && d >> (n - 1)) d -= UINT64_C(1) << n;
    x->delta = (int64_t)((uint64_t)x->delta + d);
}

/* 0: on the grid, as before; 10: on the grid; 110, 1110, 11110: off the grid by 13, 20, 64 bits; 11111: on the grid, a
 * stale marker. */
static void get_joint(Xor2 *x) {
    static const uint8_t sizes[] = {13, 20, 64};
    unsigned ones = 0;
    while (ones < 5 && bits_get(&x->r, 1)) ones++;
    if (ones >= 2 && ones <= 4) get_dod(x, sizes[ones - 2]);
    x->t = (int64_t)((uint64_t)x->t + (uint64_t)x->delta);
    if (ones == 0)
        x->v = x->base;
    else if (ones == 5)
        x->v = STALE_NAN_BITS;
    else if (ones > 1)
        get_value(x);
    else if (bits_get(&x->r, 1))
        new_window(x);
    else
        take_window(x);
}

static void get_sample(Xor2 *x, size_t i) {
    if (i == 0) {
        x->t = bits_get_svarint(&x->r);
        x->v = bits_get(&x->r, 64);
        if (x->v != STALE_NAN_BITS) x->base = x->v;
    } else if (i == 1) {
        x->delta = (int64_t)bits_get_uvarint(&x->r);
        x->t = (int64_t)((uint64_t)x->t + (uint64_t)x->delta);
        get_value(x);
    } else {
        get_joint(x);
    }
}

ErrCode chunk_decode_xor2(Str data, Arena *arena, ChunkSamples *out, Err *reterr) {
    if (data.n < 3) return err_set(reterr, ERR_CORRUPT, "a chunk of %zu bytes", data.n);
    size_t n = chunk_count(CHUNK_XOR2, data);
    ChunkStarts starts = {.header = (uint8_t)data.p[2]};
    Xor2 x = {.r = bit_reader(str_skip(data, 3)), .leading = 0xff};
    for (size_t i = 0; i < n; i++) {
        int64_t before = x.t;
        get_sample(&x, i);
        int64_t start = chunk_next_start(&starts, &x.r, i, x.t, before);
        if (x.r.bad) return err_set(reterr, ERR_CORRUPT, "a chunk ends after %zu of %zu samples", i, n);
        if (!avec_push(arena, &out->t_ms, x.t) || !avec_push(arena, &out->value, f64_of(x.v)) ||
            !avec_push(arena, &out->start_ms, start))
            return err_set(reterr, ERR_TOO_LARGE, "the samples of a chunk do not fit into memory");
    }
    return OK;
}
