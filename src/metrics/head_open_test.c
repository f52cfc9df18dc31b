#include "metrics/head_int.h"

#include "base/num.h"
#include "sys/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The open chunk beside two plain arrays. */
typedef struct World {
    Head *head;
    HeadSeries *series;
    int64_t t[HEAD_CHUNK_MAX];
    uint64_t v[HEAD_CHUNK_MAX];
    size_t n;
    Rng rng;
} World;

static void world_init(World *w, uint64_t seed) {
    *w = (World){.head = head_create(1)};
    w->series = head_series_make(w->head, 7);
    rng_seed(&w->rng, seed);
}

static void world_done(World *w) { head_unref(w->head); }

static void check(World *w) {
    int64_t t[HEAD_CHUNK_MAX];
    double v[HEAD_CHUNK_MAX];
    assert_int_equal(w->series->n, w->n);
    head_open_copy_times(w->head, w->series, t);
    head_open_copy_values(w->head, w->series, v);
    for (size_t i = 0; i < w->n; i++) {
        assert_true(t[i] == w->t[i] && head_open_t(w->head, w->series, i) == w->t[i]);
        assert_true(memcmp(&v[i], &w->v[i], 8) == 0 && head_open_v(w->head, w->series, i) == w->v[i]);
    }
}

static void put(World *w, size_t at, int64_t t, uint64_t v) {
    if (at == w->n)
        head_open_append(w->head, w->series, t, v);
    else
        head_open_insert(w->head, w->series, at, t, v);
    memmove(&w->t[at + 1], &w->t[at], (w->n - at) * sizeof *w->t);
    memmove(&w->v[at + 1], &w->v[at], (w->n - at) * sizeof *w->v);
    w->t[at] = t;
    w->v[at] = v;
    w->n++;
}

static uint64_t some_value(World *w, int kind, uint64_t first) {
    static const uint64_t odd[] = {STALE_NAN_BITS, UINT64_C(0x7ff8000000000001), UINT64_C(0x7ff0000000000000),
        UINT64_C(0x8000000000000000), 0, 1, UINT64_C(0x7fefffffffffffff), UINT64_C(0x7ff0000000000001)};
    double base;
    memcpy(&base, &first, 8);
    uint64_t r = rng_u64(&w->rng);
    switch (kind) {
    case 0: return first;
    case 1: return f64_bits((double)(r % 100000));
    case 2: return r % 10 ? f64_bits((double)(r % 1000)) : STALE_NAN_BITS;
    case 3: return f64_bits(base + (double)(r % 7) * 2147483647.0);
    case 4: return f64_bits(base - 2147483648.0 - (double)(r % 3));
    case 5: return f64_bits((double)(r % 1000) / 100);
    case 6: return r;
    default: return odd[r % ARRAY_LEN(odd)];
    }
}

/* Each kind of values, times on a grid or off it, some between others; kinds may change on the way. */
static void test_against_arrays(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        World w;
        world_init(&w, seed);
        int kind = (int)(seed % 8);
        bool grid = seed / 8 % 2, late = seed / 16 % 2, mixed = seed / 32 % 2;
        int64_t t = seed % 3 ? INT64_C(1700000000000) : -5;
        size_t end = 1 + rng_u64(&w.rng) % (HEAD_CHUNK_MAX - 1);
        while (w.n < end) {
            if (mixed && rng_u64(&w.rng) % 20 == 0) kind = (int)(rng_u64(&w.rng) % 8);
            uint64_t v = some_value(&w, w.n ? kind : 1 + kind % 7, w.n ? w.v[0] : f64_bits(1000));
            size_t at = late && w.n > 1 ? 1 + rng_u64(&w.rng) % (w.n - 1) : w.n;
            if (at < w.n && w.t[at] - w.t[at - 1] > 1) {
                put(&w, at, w.t[at] - 1, v);
            } else {
                t += grid ? 15000 : 1 + (int64_t)(rng_u64(&w.rng) % 100000);
                put(&w, w.n, t, v);
            }
            if (w.n % 16 == 0) check(&w);
        }
        check(&w);
        head_open_clear(w.head, w.series);
        w.n = 0;
        put(&w, 0, t, 5);
        check(&w);
        world_done(&w);
    }
}

/* What takes 32 bits, and what may not. */
static void test_forms(void **state) {
    (void)state;
    static const struct {
        double first;
        uint64_t second;
        bool wide;
    } cases[] = {
        {5, 0x4014000000000000, false},                            /* 5: nothing at all */
        {5, 0x4018000000000000, false},                            /* 6 */
        {5, STALE_NAN_BITS, false}, {5, 0x8000000000000000, true}, /* -0 */
        {5, 0, false},                                             /* 0 */
        {0.5, 0x3ff8000000000000, false},                          /* 1.5 */
        {0.5, 0x3fe199999999999a, true},                           /* 0.55 */
        {0, 0x41dfffffffc00000, false},                            /* 2147483647 */
        {0, 0x41e0000000000000, true},                             /* 2147483648 */
        {0, 0xc1e0000000000000, true},                             /* -2147483648 */
        {1e300, 0x7ff0000000000000, true},                         /* +Inf */
        {9007199254740992, 0x4340000000000001, false},             /* 2^53 + 2 */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        World w;
        world_init(&w, 1);
        put(&w, 0, 10, f64_bits(cases[i].first));
        put(&w, 1, 20, cases[i].second);
        assert_int_equal(w.series->wide, cases[i].wide);
        check(&w);
        world_done(&w);
    }
}

/* Times of a chunk are told in 32 bits: what is further away is for the next one. */
static void test_far_times(void **state) {
    (void)state;
    World w;
    world_init(&w, 1);
    put(&w, 0, INT64_MIN, 1);
    assert_true(head_open_takes(w.series, INT64_MIN + (int64_t)UINT32_MAX));
    assert_false(head_open_takes(w.series, INT64_MIN + (int64_t)UINT32_MAX + 1));
    assert_false(head_open_takes(w.series, INT64_MAX));
    put(&w, 1, INT64_MIN + (int64_t)UINT32_MAX, 2);
    put(&w, 1, INT64_MIN + 1, 3);
    check(&w);
    world_done(&w);

    Head *h = head_create(1);
    static const int64_t t[] = {INT64_MIN, -1, 0, UINT32_MAX, INT64_C(1) << 40, INT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        head_write_begin(h);
        assert_int_equal(head_put(h, 3, t[i], (double)i, 0), HEAD_PUT_STORED);
        head_write_end(h);
    }
    SampleBuf samples = {0};
    HistogramRefs histograms = {0};
    assert_true(head_read(h, 3, INT64_MIN, INT64_MAX, &samples, &histograms));
    assert_int_equal(samples.n, ARRAY_LEN(t));
    for (size_t i = 0; i < samples.n; i++) assert_true(samples.t[i] == t[i] && samples.v[i] == (double)i);
    sample_buf_done(&samples);
    head_unref(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_arrays),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_far_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
