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
    static const uint8_t
        bytes
            [] =
                {0, 3, /* 1000 */ 0xd0, 0x0f, /* 1.0 */ 0x3f, 0xf0, 0, 0, 0, 0, 0, 0,
                    /* delta 1000 */ 0xe8, 0x07,
                    /* same value 0, same delta 0, xor 1 1, leading 1 = 00001, significant 11 = 001011,
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
            if (chunk_decode((uint8_t)encoding, buf_str(&b), arena, &s, &err) != OK)
                fail_msg("%s: %s", hc->name, err.msg);
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
        {2, "\0\1\0", 3, ERR_CORRUPT}, {3, "\0\1\0\0", 4, ERR_CORRUPT}, {4, "\0\1", 2, ERR_CORRUPT},
        {4, "\0\0\0", 3, OK}, {5, "\x40\0\0", 3, OK}, {9, "\0\1", 2, ERR_CORRUPT},
        {2, "\xff\xff\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 15, ERR_CORRUPT}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(1 << 20);
        ChunkSamples s = {0};
        ErrCode got = chunk_decode(cases[i].encoding, str_of(cases[i].bytes, cases[i].n), arena, &s, NULL);
        if (got != cases[i].want) fail_msg("case %zu: %d", i, got);
        arena_free(arena);
    }
}

/* Written by Prometheus 3.16. */
static void test_starts(void **state) {
    (void)state;
    static const struct {
        uint8_t encoding;
        const char *bytes;
        size_t n, samples;
        int64_t start_ms[6];
    } cases[] = {
        {CHUNK_XOR2, "\x00\x03\x80\xa0\x1f\x3f\xf0\x00\x00\x00\x00\x00\x00\xd0\x0f\xe8\x07\xc1\x2f\xff\xd6\x03", 22, 3,
            {1000, 1000, 1000}},
        {CHUNK_XOR2,
            "\x00\x06\x02\xa0\x1f\x3f\xf0\x00\x00\x00\x00\x00\x00\xe8\x07\xc1\x2f\xff\xd6\x03\xf0\xfa\x60\x32"
            "\x60\x99\xff\xfe\xe7\x0d\xf3\x88\x00\x7c\x89\x98\x0c\x97\xff\xfc\x09\x60\x00",
            43, 6, {0, 0, 2500, 3900, 3900, 0}},
        {CHUNK_XOR2,
            "\x00\x04\x81\xd0\x0f\x3f\xf0\x00\x00\x00\x00\x00\x00\xe8\x07\xe8\x07\x7b\x83\x0a\x12\xff\xff\x8f"
            "\xa0",
            25, 4, {500, 1500, 2500, 2500}},
        {CHUNK_HISTOGRAM_START,
            "\x00\x04\x82\xff\x3f\x50\x62\x4d\xd2\xf1\xa9\xfc\x8c\xa4\x94\x65\x24\xa3\xe3\xe8\xc6\x49\x00\xc9"
            "\x99\x99\x99\x99\x99\x9a\x31\xba\x31\xbb\xb0\x3b\xc7\xd1\x89\x8e\x90\xfc\x44\x40\xd9\xa4\xff\xff"
            "\xff\xff\xff\xff\x80\x71\x90\x6b\xd7\x3f\xff\xff\xff\xff\xff\xe0\x1e\x3e\x80",
            67, 4, {50, 50, 1900, 1900}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(1 << 20);
        ChunkSamples s = {0};
        assert_int_equal(chunk_decode(cases[i].encoding, str_of(cases[i].bytes, cases[i].n), arena, &s, NULL), OK);
        const int64_t *got = s.t_ms.n ? s.start_ms.v : s.histogram_start_ms.v;
        assert_int_equal(s.t_ms.n + s.histograms.n, cases[i].samples);
        assert_memory_equal(got, cases[i].start_ms, cases[i].samples * sizeof *got);
        arena_free(arena);
    }
}

/* 140 samples whose start changes at the 131st: more than the header can tell of. */
static void test_late_start(void **state) {
    (void)state;
    static const char bytes[] =
        "\x00\x8c\xff\xd0\x0f\x00\x00\x00\x00\x00\x00\x00\x00\x88\x0e\xe8\x07\xc2\x2b\xff\xa1\x2f\xff\xd6"
        "\x03\xab\x0b\xab\x0c\xc7\x0d\x50\x9f\x54\x28\x60\xe0\x61\xe0\x60\xe0\x63\xea\x86\x06\x07\x01\x83"
        "\xc0\x60\x70\x18\x7c\x06\x07\x01\x83\xc0\x60\x70\x1a\x91\xff\xd8\x03\xaf\x0b\x8d\x70\x7e\x18\xe1"
        "\xad\x13\xe0\xc3\x83\x1e\x0c\x38\x35\x82\xfe\x06\x0e\x06\x1e\x06\x0e\x06\x3e\x06\x0e\x06\x1e\x06"
        "\x0e\x06\xac\x6f\xec\x41\xd8\x05\xc6\xbc\x3f\x0c\x70\xd7\x09\xf0\x61\xc1\x8f\x06\x1c\x1a\xd1\x7f"
        "\x03\x07\x03\x0f\x03\x07\x03\x1f\x03\x07\x03\x0f\x03\x07\x03\x58\x37\xf0\x18\x1c\x06\x0f\x01\x81"
        "\xc0\x61\xf0\x18\x1c\x06\x0f\x01\x81\xc0\x63\xf0\x18\x1c\x06\x0f\x01\x81\xc0\x61\xf0\x18\x1c\x06"
        "\x0f\x01\x81\xc0\x7e\x7b\xed\x2a\x88\xff\xf1\xf4\x59\x03\xf1\xf4\x58\x85\xfd\x3e\x95\x47\xc7\xcf"
        "\x60\x1f\xf1\xf3\xc3\xe3\xe7\x8f\xc7\xcf\x0f\x8f\x9e\xbc\x4f\xf1\xf3\xc1\xf1\xf3\xc3\xf1\xf3\xc1"
        "\xf1\xf3\x80";
    Arena *arena = arena_create(1 << 20);
    ChunkSamples s = {0};
    assert_int_equal(chunk_decode(CHUNK_XOR2, str_of(bytes, sizeof bytes - 1), arena, &s, NULL), OK);
    assert_int_equal(s.start_ms.n, 140);
    for (int64_t i = 0; i < 140; i++) assert_int_equal(s.start_ms.v[i], i >= 130 ? 100000 + i : 100);
    arena_free(arena);
}

static bool after_4(void *ctx, int64_t t) { return *(int *)ctx += 1, t > 4; }

static void test_filter(void **state) {
    (void)state;
    Arena *arena = arena_create(1 << 20);
    ChunkSamples s = {0};
    int asked = 0;
    for (int64_t i = 0; i < 6; i++)
        assert_true(avec_push(arena, &s.t_ms, i * 2) && avec_push(arena, &s.value, (double)i) &&
                    avec_push(arena, &s.start_ms, i == 1));
    SeriesColumn all = chunk_samples_column(&s, (Labels){0});
    assert_true(all.n == 6 && all.start_ms && all.start_ms[1] == 1);
    chunk_samples_filter(&s, after_4, &asked);
    SeriesColumn some = chunk_samples_column(&s, (Labels){0});
    assert_true(asked == 6 && some.n == 3 && some.t_ms[0] == 6 && some.value[0] == 3);
    assert_null(some.start_ms); /* none of those that are left has one */
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varbits),
        cmocka_unit_test(test_known_chunk),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_histograms),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_starts),
        cmocka_unit_test(test_late_start),
        cmocka_unit_test(test_filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
