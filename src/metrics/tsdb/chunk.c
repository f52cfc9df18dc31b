#include "metrics/tsdb/chunk.h"

#include "metrics/tsdb/bits.h"

/* Deltas of deltas of times: prefix of ones and a zero, then the bits. */
static const uint8_t dod_sizes[] = {14, 17, 20, 64};

static void put_dod(BitWriter *w, int64_t v) {
    if (v == 0) {
        bits_put(w, 0, 1);
        return;
    }
    unsigned i = 0;
    for (; i + 1 < ARRAY_LEN(dod_sizes); i++) {
        int64_t half = (int64_t)1 << (dod_sizes[i] - 1);
        if (v >= 1 - half && v <= half) break;
    }
    if (i + 1 == ARRAY_LEN(dod_sizes))
        bits_put(w, 0xf, 4);
    else
        bits_put(w, ((uint64_t)1 << (i + 2)) - 2, i + 2);
    bits_put(w, (uint64_t)v, dod_sizes[i]);
}

static int64_t get_dod(BitReader *r) {
    unsigned ones = 0;
    while (ones < 4 && bits_get(r, 1)) ones++;
    return ones == 0 ? 0 : bits_get_signed(r, dod_sizes[ones - 1]);
}

/* Times are added as unsigned numbers: damaged ones may overflow. */
static int64_t plus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static int64_t minus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }

size_t chunk_encode_floats(Buf *out, const int64_t *t, const double *v, size_t n) {
    ASSERT(n > 0);
    n = MIN(n, CHUNK_SAMPLES);
    buf_put_u16be(out, (uint16_t)n);
    BitWriter w = {.out = out};
    XorState x = {.bits = f64_bits(v[0]), .leading = 0xff};
    int64_t delta = 0;
    bits_put_svarint(&w, t[0]);
    bits_put(&w, x.bits, 64);
    for (size_t i = 1; i < n; i++) {
        int64_t d = minus(t[i], t[i - 1]);
        if (i == 1)
            bits_put_uvarint(&w, (uint64_t)d);
        else
            put_dod(&w, minus(d, delta));
        delta = d;
        bits_put_xor(&w, &x, v[i]);
    }
    return n;
}

static ErrCode decode_floats(Str data, Arena *arena, ChunkSamples *out, Err *reterr) {
    if (data.n < 2) return err_set(reterr, ERR_CORRUPT, "a chunk of %zu bytes", data.n);
    size_t n = (size_t)((uint8_t)data.p[0] << 8 | (uint8_t)data.p[1]);
    BitReader r = bit_reader(str_skip(data, 2));
    XorState x = {.leading = 0xff};
    int64_t t = 0, delta = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0) {
            t = bits_get_svarint(&r);
            x.bits = bits_get(&r, 64);
        } else {
            delta = i == 1 ? (int64_t)bits_get_uvarint(&r) : plus(delta, get_dod(&r));
            t = plus(t, delta);
            (void)bits_get_xor(&r, &x);
        }
        if (r.bad) return err_set(reterr, ERR_CORRUPT, "a chunk ends after %zu of %zu samples", i, n);
        if (!avec_push(arena, &out->t_ms, t) || !avec_push(arena, &out->value, f64_of(x.bits)) ||
            !avec_push(arena, &out->start_ms, (int64_t)0))
            return err_set(reterr, ERR_TOO_LARGE, "the samples of a chunk do not fit into memory");
    }
    return OK;
}

void chunk_samples_filter(ChunkSamples *s, bool (*wanted)(void *ctx, int64_t t_ms), void *ctx) {
    size_t n = 0, m = 0;
    for (size_t i = 0; i < s->t_ms.n; i++) {
        if (!wanted(ctx, s->t_ms.v[i])) continue;
        s->t_ms.v[n] = s->t_ms.v[i];
        s->start_ms.v[n] = s->start_ms.v[i];
        s->value.v[n++] = s->value.v[i];
    }
    for (size_t i = 0; i < s->histograms.n; i++) {
        if (!wanted(ctx, s->histogram_t_ms.v[i])) continue;
        s->histogram_t_ms.v[m] = s->histogram_t_ms.v[i];
        s->histogram_start_ms.v[m] = s->histogram_start_ms.v[i];
        s->histograms.v[m++] = s->histograms.v[i];
    }
    s->t_ms.n = s->value.n = s->start_ms.n = n;
    s->histogram_t_ms.n = s->histograms.n = s->histogram_start_ms.n = m;
}

static const int64_t *known(const int64_t *start, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (start[i]) return start;
    return NULL;
}

SeriesColumn chunk_samples_column(const ChunkSamples *s, Labels labels) {
    return (SeriesColumn){.labels = labels,
        .n = s->t_ms.n,
        .t_ms = s->t_ms.v,
        .value = s->value.v,
        .start_ms = known(s->start_ms.v, s->t_ms.n),
        .n_histograms = s->histograms.n,
        .histogram_t_ms = s->histogram_t_ms.v,
        .histograms = s->histograms.v,
        .histogram_start_ms = known(s->histogram_start_ms.v, s->histograms.n)};
}

size_t chunk_count(uint8_t encoding, Str data) {
    if (data.n < 2) return 0;
    size_t n = (size_t)((uint8_t)data.p[0] << 8 | (uint8_t)data.p[1]);
    bool start = encoding == CHUNK_HISTOGRAM_START || encoding == CHUNK_FLOAT_HISTOGRAM_START;
    return start ? n & 0x3fff : n; /* there the two high bits are the counter reset header */
}

ErrCode chunk_decode(uint8_t encoding, Str data, Arena *arena, ChunkSamples *out, Err *reterr) {
    switch (encoding) {
    case CHUNK_XOR: return decode_floats(data, arena, out, reterr);
    case CHUNK_HISTOGRAM: return chunk_decode_histograms(false, false, data, arena, out, reterr);
    case CHUNK_FLOAT_HISTOGRAM: return chunk_decode_histograms(true, false, data, arena, out, reterr);
    case CHUNK_XOR2: return chunk_decode_xor2(data, arena, out, reterr);
    case CHUNK_HISTOGRAM_START: return chunk_decode_histograms(false, true, data, arena, out, reterr);
    case CHUNK_FLOAT_HISTOGRAM_START: return chunk_decode_histograms(true, true, data, arena, out, reterr);
    default: return err_set(reterr, ERR_CORRUPT, "unknown chunk encoding %d", encoding);
    }
}
