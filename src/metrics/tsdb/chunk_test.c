/* Bit streams and chunks: what is written reads back, and known bytes mean what they should. */
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/chunk.h"
#include "sys/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void test_varbits(void **state) {
    (void)state;
    static const int64_t values[] = {0, 1, -1, 3, 4, -3, -4, 31, 32, -31, 255, 256, 257, 2047, 2048, 131071, 131072,
        16777215, 16777216, -16777216, INT64_C(1) << 55, (INT64_C(1) << 55) + 1, -(INT64_C(1) << 55), INT64_MAX,
        INT64_MIN, 1700000000000};
    Buf b = {0};
    BitWriter w = {.out = &b};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        bits_put_varbit(&w, values[i]);
        bits_put_varbit_u(&w, (uint64_t)values[i]);
        bits_put_svarint(&w, values[i]);
        bits_put_uvarint(&w, (uint64_t)values[i]);
    }
    BitReader r = bit_reader(buf_str(&b));
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        assert_int_equal(bits_get_varbit(&r), values[i]);
        assert_int_equal(bits_get_varbit_u(&r), (uint64_t)values[i]);
        assert_int_equal(bits_get_svarint(&r), values[i]);
        assert_int_equal(bits_get_uvarint(&r), (uint64_t)values[i]);
    }
    assert_false(r.bad);
    (void)bits_get(&r, 9);
    assert_true(r.bad);
    buf_done(&b);
}

/* Written down from the description of the format: 1@1000, 1@2000, 2@3000. */
static void test_known_chunk(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0, 3, /* 1000 */ 0xd0, 0x0f, /* 1.0 */ 0x3f, 0xf0, 0, 0, 0, 0, 0, 0,
        /* delta 1000 */ 0xe8, 0x07, /* same value 0, same delta 0, xor 1 1, leading 1 = 00001, significant 11 = 001011,
        then 11111111111 */ 0x30, 0x97, 0xff, 0xc0};
    int64_t t[] = {1000, 2000, 3000};
    double v[] = {1, 1, 2};
    Buf b = {0};
    assert_int_equal(chunk_encode_floats(&b, t, v, 3), 3);
    assert_int_equal(b.n, sizeof bytes);
    assert_memory_equal(b.p, bytes, sizeof bytes);
    buf_done(&b);
}

static double value_of(Rng *rng, int kind, int64_t i) {
    switch (kind) {
    case 0: return 42;
    case 1: return (double)(i * 7);
    case 2: return rng_f64(rng) * 1e6;
    case 3: return rng_u64(rng) % 5 ? -0.0 : INFINITY;
    default: return rng_u64(rng) % 3 ? f64_of(rng_u64(rng)) : stale_nan();
    }
}

static void test_floats(void **state) {
    (void)state;
    Rng rng;
    rng_seed(&rng, 7);
    for (int round = 0; round < 400; round++) {
        int64_t t[150];
        double v[150];
        size_t n = 1 + (size_t)(rng_u64(&rng) % 150);
        t[0] = (int64_t)(rng_u64(&rng) % 4000000000000) - 2000000000000;
        for (size_t i = 0; i < n; i++) {
            if (i) t[i] = t[i - 1] + (round % 3 ? 15000 : 1 + (int64_t)(rng_u64(&rng) >> (rng_u64(&rng) % 44 + 20)));
            v[i] = value_of(&rng, round % 5, (int64_t)i);
        }
        Buf b = {0};
        Arena *arena = arena_create(ARENA_UNLIMITED);
        ChunkSamples s = {0};
        size_t m = chunk_encode_floats(&b, t, v, n);
        assert_int_equal(m, MIN(n, CHUNK_SAMPLES));
        assert_int_equal(chunk_decode(CHUNK_XOR, buf_str(&b), arena, &s, NULL), OK);
        assert_int_equal(s.t_ms.n, m);
        assert_memory_equal(s.t_ms.v, t, m * sizeof *t);
        assert_memory_equal(s.value.v, v, m * sizeof *v);
        /* Every shorter one is refused or gives fewer; never more than was asked for. */
        for (size_t cut = 0; cut < b.n; cut += 7) {
            ChunkSamples part = {0};
            (void)chunk_decode(CHUNK_XOR, str_of(b.p, cut), arena, &part, NULL);
            assert_true(part.t_ms.n <= m);
        }
        arena_free(arena);
        buf_done(&b);
    }
}

typedef struct HistogramCase {
    const char *name;
    bool is_float, reset_in_middle, layout_change, stale_end;
    uint8_t hint;
    int8_t schema;
    size_t chunks; /* expected of 100 samples */
} HistogramCase;

static const HistogramCase histogram_cases[] = {
    {"counter", .schema = 3, .chunks = 1},
    {"float counter", .is_float = true, .schema = 3, .chunks = 1},
    {"gauge falls and rises", .hint = HISTOGRAM_RESET_GAUGE, .reset_in_middle = true, .schema = 0, .chunks = 1},
    {"reset begins a chunk", .reset_in_middle = true, .schema = 8, .chunks = 2},
    {"float reset", .is_float = true, .reset_in_middle = true, .schema = -4, .chunks = 2},
    {"layout", .layout_change = true, .schema = 2, .chunks = 2},
    {"stale", .stale_end = true, .schema = 2, .chunks = 2},
    {"float stale", .is_float = true, .stale_end = true, .schema = 2, .chunks = 2},
    {"custom buckets", .schema = HISTOGRAM_SCHEMA_CUSTOM, .chunks = 1},
    {"float custom buckets", .is_float = true, .schema = HISTOGRAM_SCHEMA_CUSTOM, .chunks = 1},
};

static Histogram make_histogram(Arena *a, const HistogramCase *c, int i) {
    static const double bounds[] = {0.005, 0.01, 2.5, 1e9, 0.1234567};
    int k = c->reset_in_middle && i >= 50 ? i - 50 : i;
    bool custom = c->schema == HISTOGRAM_SCHEMA_CUSTOM;
    uint32_t n = c->layout_change && i >= 50 ? 5 : 4;
    HistogramSpan *spans = ARENA_ARRAY(a, HistogramSpan, 2);
    double *pos = ARENA_ARRAY(a, double, n), *neg = ARENA_ARRAY(a, double, 1);
    spans[0] = (HistogramSpan){custom ? 0 : -2, 2};
    spans[1] = (HistogramSpan){custom ? 1 : 3, n - 2};
    Histogram h = {.schema = c->schema, .reset = c->hint, .is_float = c->is_float, .sum = k * 1.7};
    h.zero_threshold = custom ? 0 : 0.001;
    if (c->stale_end && i == 49) return (Histogram){.is_float = c->is_float, .sum = stale_nan()};
    for (uint32_t j = 0; j < n; j++) pos[j] = (double)(k * (int)(j + 1)) + (c->is_float ? 0.25 : 0);
    neg[0] = k / 3;
    h.pos_spans = spans;
    h.n_pos_spans = 2;
    h.pos = pos;
    h.n_pos = n;
    for (uint32_t j = 0; j < n; j++) h.count += pos[j];
    if (custom) {
        h.custom_bounds = bounds;
        h.n_custom_bounds = 5;
    } else {
        h.neg_spans = spans;
        h.n_neg_spans = 1;
        neg = ARENA_ARRAY(a, double, 2);
        neg[0] = neg[1] = k;
        h.neg = neg;
        h.n_neg = 2;
        h.zero_count = k;
        h.count += 3.0 * k;
    }
    return h;
}

static void test_histograms(void **state) {
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(histogram_cases); c++) {
        const HistogramCase *hc = &histogram_cases[c];
        Arena *arena = arena_create(ARENA_UNLIMITED);
        int64_t t[100];
        Histogram h[100];
        for (int i = 0; i < 100; i++) {
            t[i] = 1700000000000 + i * 15000 + i % 3;
            h[i] = make_histogram(arena, hc, i);
        }
        ChunkSamples s = {0};
        size_t chunks = 0;
        for (size_t i = 0, m; i < 100; i += m, chunks++) {
            Buf b = {0};
            ChunkEncoding encoding;
            m = chunk_encode_histograms(&b, t + i, h + i, 100 - i, &encoding);
            assert_int_equal(encoding, hc->is_float ? CHUNK_FLOAT_HISTOGRAM : CHUNK_HISTOGRAM);
            Err err = {0};
            if (chunk_decode((uint8_t)encoding, buf_str(&b), arena, &s, &err) != OK) fail_msg("%s: %s", hc->name, err.msg);
            buf_done(&b);
        }
        if (chunks != hc->chunks) fail_msg("%s: %zu chunks", hc->name, chunks);
        assert_int_equal(s.histograms.n, 100);
        assert_memory_equal(s.histogram_t_ms.v, t, sizeof t);
        for (int i = 0; i < 100; i++) {
            Histogram want = h[i];
            want.reset = s.histograms.v[i].reset; /* only a gauge is told from a counter */
            assert_int_equal(want.reset, hc->hint);
            if (!histogram_eq(&want, &s.histograms.v[i])) fail_msg("%s: sample %d", hc->name, i);
        }
        arena_free(arena);
    }
}

static void test_foreign(void **state) {
    (void)state;
    static const struct {
        uint8_t encoding;
        const char *bytes;
        size_t n;
        ErrCode want;
    } cases[] = {{1, "", 0, ERR_CORRUPT}, {1, "\0\0", 2, OK}, {1, "\0\1", 2, ERR_CORRUPT}, {2, "\0\0\0", 3, OK},
        {2, "\0\1\0", 3, ERR_CORRUPT}, {3, "\0\1\0\0", 4, ERR_CORRUPT}, {4, "\0\1", 2, ERR_CORRUPT}, {4, "\0\0\0", 3, OK}, {5, "\x40\0\0", 3, OK},
        {9, "\0\1", 2, ERR_CORRUPT}, {2, "\xff\xff\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 15, ERR_CORRUPT}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(1 << 20);
        ChunkSamples s = {0};
        ErrCode got = chunk_decode(cases[i].encoding, str_of(cases[i].bytes, cases[i].n), arena, &s, NULL);
        if (got != cases[i].want) fail_msg("case %zu: %d", i, got);
        arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varbits),
        cmocka_unit_test(test_known_chunk),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_histograms),
        cmocka_unit_test(test_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
