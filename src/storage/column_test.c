#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/vec.h"
#include "storage/column.h"
#include "sys/random.h"

#include <math.h>
#include <stdio.h>

#define N_MAX 8192

/* A shape fills v[0..n) from a generator. `limit` is the most bytes per value it may take at 8192 values. */
typedef struct IntShape {
    const char *name;
    void (*fill)(int64_t *v, size_t n, Rng *r);
    double limit;
} IntShape;

static void i_const(int64_t *v, size_t n, Rng *r) {
    int64_t c = (int64_t)rng_u64(r);
    for (size_t i = 0; i < n; i++) v[i] = c;
}
static void i_grid(int64_t *v, size_t n, Rng *r) {
    int64_t t = (int64_t)(rng_u64(r) % 1700000000000u);
    for (size_t i = 0; i < n; i++) v[i] = t + (int64_t)i * 15000;
}
static void i_jitter(int64_t *v, size_t n, Rng *r) {
    for (size_t i = 0; i < n; i++) v[i] = 1700000000000 + (int64_t)i * 15000 + (int64_t)(rng_u64(r) % 9) - 4;
}
static void i_counter_reset(int64_t *v, size_t n, Rng *r) {
    int64_t x = 0;
    for (size_t i = 0; i < n; i++) v[i] = x = i % 4000 == 3999 ? 0 : x + (int64_t)(rng_u64(r) % 100);
}
static void i_pages(int64_t *v, size_t n, Rng *r) {
    for (size_t i = 0; i < n; i++) v[i] = (int64_t)(rng_u64(r) % 1000) * 4096;
}
static void i_parabola(int64_t *v, size_t n, Rng *r) {
    for (size_t i = 0; i < n; i++) v[i] = (int64_t)(i * i * 1000 + rng_u64(r) % 2);
}
static void i_outliers(int64_t *v, size_t n, Rng *r) {
    for (size_t i = 0; i < n; i++) v[i] = i % 100 == 7 ? (int64_t)rng_u64(r) : (int64_t)(rng_u64(r) % 16);
}
static void i_random(int64_t *v, size_t n, Rng *r) {
    for (size_t i = 0; i < n; i++) v[i] = (int64_t)rng_u64(r);
}
static void i_extremes(int64_t *v, size_t n, Rng *r) {
    for (size_t i = 0; i < n; i++) v[i] = rng_u64(r) & 1 ? INT64_MIN : INT64_MAX;
}
static void i_extremes_even(int64_t *v, size_t n, Rng *r) {
    for (size_t i = 0; i < n; i++) v[i] = (int64_t)(rng_u64(r) % 3) * (INT64_MAX / 2) - INT64_MAX / 2 * 2;
}

static const IntShape int_shapes[] = {
    {"const", i_const, 0.01},
    {"grid", i_grid, 0.01},
    {"jitter", i_jitter, 0.7},
    {"counter with resets", i_counter_reset, 0.95},
    {"multiples of 4096", i_pages, 1.3},
    {"parabola", i_parabola, 0.5},
    {"outliers", i_outliers, 0.7},
    {"random", i_random, 8.01},
    {"extremes", i_extremes, 8.01},
    {"extremes with a factor", i_extremes_even, 8.01},
};

static const size_t sizes[] = {0, 1, 2, 3, 5, 63, 120, 255, 256, 257, 600, 1024, 5000, N_MAX};

static void test_i64_round_trip(void **state) {
    (void)state;
    int64_t *v = mem_alloc(N_MAX * 8), *w = mem_alloc(N_MAX * 8);
    Buf b = {0};
    Rng r;
    rng_seed(&r, 1);
    for (size_t s = 0; s < ARRAY_LEN(int_shapes); s++) {
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
            size_t n = sizes[k];
            int_shapes[s].fill(v, n, &r);
            buf_clear(&b);
            column_encode_i64(&b, v, n);
            memset(w, 0xa5, N_MAX * 8);
            if (!column_decode_i64(buf_str(&b), w, n)) fail_msg("%s n=%zu: refused", int_shapes[s].name, n);
            for (size_t i = 0; i < n; i++)
                if (v[i] != w[i]) fail_msg("%s n=%zu: differs at %zu", int_shapes[s].name, n, i);
            if (n == N_MAX && (double)b.n / N_MAX > int_shapes[s].limit)
                fail_msg("%s: %.3f bytes per value", int_shapes[s].name, (double)b.n / N_MAX);
        }
    }
    buf_done(&b);
    mem_free(v);
    mem_free(w);
}

/* Every width from 0 to 64, as values, so that each unpacking path runs. */
static void test_i64_widths(void **state) {
    (void)state;
    int64_t v[700], w[700];
    Buf b = {0};
    Rng r;
    rng_seed(&r, 2);
    for (unsigned width = 0; width <= 64; width++) {
        uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
        for (size_t i = 0; i < ARRAY_LEN(v); i++) v[i] = (int64_t)(rng_u64(&r) & mask);
        buf_clear(&b);
        column_encode_i64(&b, v, ARRAY_LEN(v));
        assert_true(column_decode_i64(buf_str(&b), w, ARRAY_LEN(w)));
        assert_memory_equal(v, w, sizeof v);
        assert_true(b.n <= ARRAY_LEN(v) * width / 8 + 40);
    }
    buf_done(&b);
}

/* Ranges of every kind of radix, lengths around words and groups, values beyond the range, values that repeat. */
static void test_i64_dense(void **state) {
    (void)state;
    static const uint64_t ranges[] = {2, 3, 5, 10, 100, 150, 1000, 1300, 40000, 1500000, 3000000};
    static const unsigned other_of_16[] = {16, 9, 4, 1}; /* so many of 16 values are not the common one */
    enum { N = 1100 };
    int64_t *v = mem_alloc(N * 8), *w = mem_alloc(N * 8);
    Buf b = {0};
    Rng r;
    rng_seed(&r, 3);
    for (size_t k = 0; k < ARRAY_LEN(ranges); k++) {
        for (size_t o = 0; o < ARRAY_LEN(other_of_16); o++) {
            double share = other_of_16[o] / 16.0, bits = log2((double)ranges[k]) * share + (share < 1);
            double bytes = 0, limit = 0; /* over all lengths: what is common is guessed from a sample */
            for (size_t n = 1; n <= N; n += n < 80 ? 1 : 17) {
                for (size_t i = 0; i < n; i++) {
                    v[i] = rng_u64(&r) % 16 < other_of_16[o] ? (int64_t)(rng_u64(&r) % ranges[k]) : 1;
                    if (rng_u64(&r) % 400 == 0) v[i] = (int64_t)(rng_u64(&r) >> 20);
                }
                buf_clear(&b);
                column_encode_i64(&b, v, n);
                if (!column_decode_i64(buf_str(&b), w, n)) fail_msg("%zu of %zu: refused", n, (size_t)ranges[k]);
                assert_memory_equal(v, w, n * sizeof *v);
                bytes += (double)b.n;
                limit += (double)n * (bits * 1.1 + 0.5) / 8 + 40;
            }
            if (bytes > limit) fail_msg("range %zu, %g others: %g bytes", (size_t)ranges[k], share, bytes);
        }
    }
    buf_done(&b);
    mem_free(v);
    mem_free(w);
}

typedef struct FloatShape {
    const char *name;
    void (*fill)(double *v, size_t n, Rng *r);
    double limit;
} FloatShape;

static double from_bits(uint64_t u) {
    double d;
    memcpy(&d, &u, 8);
    return d;
}

static void f_const(double *v, size_t n, Rng *r) {
    (void)r;
    for (size_t i = 0; i < n; i++) v[i] = from_bits(UINT64_C(0x7ff0000000000002)); /* the stale marker */
}
static void f_counter(double *v, size_t n, Rng *r) {
    double x = 1e6;
    for (size_t i = 0; i < n; i++) v[i] = x += (double)(rng_u64(r) % 100);
}
static void f_cpu(double *v, size_t n, Rng *r) {
    double x = 0;
    for (size_t i = 0; i < n; i++) v[i] = round((x += (double)(rng_u64(r) % 1500) / 100) * 100) / 100, x = v[i];
}
static void f_bytes(double *v, size_t n, Rng *r) {
    for (size_t i = 0; i < n; i++) v[i] = 4096.0 * (double)(100000 + rng_u64(r) % 200);
}
static void f_huge(double *v, size_t n, Rng *r) {
    for (size_t i = 0; i < n; i++) v[i] = 1.7e18 + 1024.0 * (double)(rng_u64(r) % 1000);
}
static void f_full(double *v, size_t n, Rng *r) {
    for (size_t i = 0; i < n; i++) v[i] = 50 + 20 * sin((double)i * 0.01) + rng_f64(r);
}
static void f_full_sticky(double *v, size_t n, Rng *r) {
    double x = rng_f64(r);
    for (size_t i = 0; i < n; i++) v[i] = x = rng_u64(r) % 8 ? x : rng_f64(r);
}
static void f_specials(double *v, size_t n, Rng *r) {
    static const uint64_t odd[] = {0, UINT64_C(0x8000000000000000), UINT64_C(0x7ff0000000000000),
        UINT64_C(0xfff0000000000000), UINT64_C(0x7ff8000000000001), UINT64_C(0x7ff0000000000002), 1,
        UINT64_C(0x7fefffffffffffff), UINT64_C(0xffffffffffffffff), UINT64_C(0x000fffffffffffff)};
    for (size_t i = 0; i < n; i++) v[i] = from_bits(odd[rng_u64(r) % ARRAY_LEN(odd)]);
}
static void f_stale_gaps(double *v, size_t n, Rng *r) {
    for (size_t i = 0; i < n; i++)
        v[i] = i % 500 == 9 ? from_bits(UINT64_C(0x7ff0000000000002)) : (double)(rng_u64(r) % 50) / 10;
}
static void f_random_bits(double *v, size_t n, Rng *r) {
    for (size_t i = 0; i < n; i++) v[i] = from_bits(rng_u64(r));
}
static void f_limits(double *v, size_t n, Rng *r) {
    static const double edge[] = {9007199254740991, 9007199254740992, -9007199254740992, 2251799813685248,
        2251799813685247, -2251799813685248, 9223372036854774784.0, 9223372036854775808.0, -9223372036854775808.0};
    for (size_t i = 0; i < n; i++) v[i] = edge[rng_u64(r) % ARRAY_LEN(edge)];
}

static const FloatShape float_shapes[] = {
    {"stale markers", f_const, 0.01},
    {"counter", f_counter, 0.95},
    {"cpu seconds", f_cpu, 1.5},
    {"pages", f_bytes, 1.1},
    {"huge integers", f_huge, 1.4},
    {"full precision", f_full, 7.2},
    {"full precision, mostly unchanged", f_full_sticky, 1.7},
    {"specials", f_specials, 8.01},
    {"decimals with stale markers", f_stale_gaps, 0.9},
    {"random bits", f_random_bits, 8.01},
    {"limits", f_limits, 8.01},
};

static void test_f64_round_trip(void **state) {
    (void)state;
    double *v = mem_alloc(N_MAX * 8), *w = mem_alloc(N_MAX * 8);
    Buf b = {0};
    Rng r;
    rng_seed(&r, 3);
    for (size_t s = 0; s < ARRAY_LEN(float_shapes); s++) {
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
            size_t n = sizes[k];
            float_shapes[s].fill(v, n, &r);
            buf_clear(&b);
            column_encode_f64(&b, v, n);
            memset(w, 0xa5, N_MAX * 8);
            if (!column_decode_f64(buf_str(&b), w, n)) fail_msg("%s n=%zu: refused", float_shapes[s].name, n);
            if (n && memcmp(v, w, n * 8) != 0) fail_msg("%s n=%zu: differs", float_shapes[s].name, n);
            if (n == N_MAX && (double)b.n / N_MAX > float_shapes[s].limit)
                fail_msg("%s: %.3f bytes per value", float_shapes[s].name, (double)b.n / N_MAX);
        }
    }
    buf_done(&b);
    mem_free(v);
    mem_free(w);
}

/* What test_i64_dense packs, as floats: digits, common values left out, values beyond the range; as differences, too.
 */
static void f_dense(double *v, size_t n, Rng *r) {
    static const uint64_t ranges[] = {2, 3, 10, 100, 1300, 1500000};
    uint64_t range = ranges[rng_u64(r) % ARRAY_LEN(ranges)], other_of_16 = rng_u64(r) % 16 + 1;
    bool sum = rng_u64(r) % 2, far = rng_u64(r) % 2;
    double x = 0;
    for (size_t i = 0; i < n; i++) {
        double d = rng_u64(r) % 16 < other_of_16 ? (double)(rng_u64(r) % range) : 1;
        if (far && rng_u64(r) % 300 == 0) d = (double)(rng_u64(r) >> 20);
        x = sum ? x + d : d;
        v[i] = x;
    }
}

static void check_range(const char *name, Str column, const double *v, size_t n, size_t from, size_t to, double *w) {
    for (unsigned know = 0; know < 2; know++) {
        memset(w, 0xa5, (to - from) * 8);
        if (!column_decode_f64_range(column, n, from, to, know ? &v[n - 1] : NULL, w))
            fail_msg("%s n=%zu [%zu, %zu): refused", name, n, from, to);
        if (memcmp(v + from, w, (to - from) * 8) != 0) fail_msg("%s n=%zu [%zu, %zu): differs", name, n, from, to);
    }
}

static void test_f64_ranges(void **state) {
    (void)state;
    enum { N = 1100 };
    double *v = mem_alloc(N * 8), *w = mem_alloc(N * 8);
    Buf b = {0};
    Rng r;
    rng_seed(&r, 5);
    for (size_t round = 0; round < 600; round++) {
        size_t shape = rng_u64(&r) % (2 * ARRAY_LEN(float_shapes)), n = 1 + rng_u64(&r) % N;
        bool dense = shape >= ARRAY_LEN(float_shapes);
        (dense ? f_dense : float_shapes[shape].fill)(v, n, &r);
        buf_clear(&b);
        column_encode_f64(&b, v, n);
        for (size_t i = 0; i < 40; i++) {
            size_t from = rng_u64(&r) % n, to = i % 4 ? from + 1 + rng_u64(&r) % (n - from) : n;
            check_range(dense ? "dense" : float_shapes[shape].name, buf_str(&b), v, n, from, to, w);
        }
    }
    buf_done(&b);
    mem_free(v);
    mem_free(w);
}

static void test_str_round_trip(void **state) {
    (void)state;
    static char text[N_MAX][16];
    static Str v[N_MAX], w[N_MAX];
    Buf b = {0};
    for (unsigned shape = 0; shape < 5; shape++) {
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
            size_t n = sizes[k];
            for (size_t i = 0; i < n; i++) {
                unsigned x = shape == 0 ? 7 : shape == 1 ? (unsigned)i % 20 : (unsigned)(i * 2654435761u);
                int len = snprintf(text[i], sizeof text[i], shape == 3 ? "%08x" : "%u", x);
                v[i] = shape == 4 && i % 3 ? STR_NULL : str_of(text[i], (size_t)len);
            }
            buf_clear(&b);
            column_encode_str(&b, v, n);
            assert_true(column_decode_str(buf_str(&b), w, n));
            for (size_t i = 0; i < n; i++) assert_true(str_eq(v[i], w[i]));
        }
    }
    buf_done(&b);
}

/* Sparse columns are stored as if they had been written out in full. */
static void test_u32_sparse(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 63, 255, 256, 257, 1000, 4096, 5001};
    static const uint32_t every[] = {1, 2, 7, 60, 900}, largest[] = {1, 2, 7, 255, UINT32_MAX};
    Rng r;
    rng_seed(&r, 3);
    uint32_t *dense = mem_alloc_array(5001, 4), *at = mem_alloc_array(5001, 4), *v = mem_alloc_array(5001, 4);
    for (unsigned round = 0; round < 1500; round++) {
        size_t n = lengths[rng_u64(&r) % ARRAY_LEN(lengths)], k = 0;
        uint32_t step = every[rng_u64(&r) % ARRAY_LEN(every)], max = largest[rng_u64(&r) % ARRAY_LEN(largest)];
        bool runs = rng_u64(&r) % 3 == 0;
        for (size_t i = 0; i < n; i++) {
            bool set = runs ? i / 97 % step == 0 : rng_u64(&r) % step == 0;
            dense[i] = !set ? 0 : runs ? (uint32_t)(i / 200) % max : (uint32_t)(rng_u64(&r) % ((uint64_t)max + 1));
            if (!set) continue;
            at[k] = (uint32_t)i;
            v[k++] = dense[i];
        }
        Buf want = {0}, got = {0};
        column_encode_u32(&want, dense, n);
        column_encode_u32_sparse(&got, at, v, k, n);
        if (!str_eq(buf_str(&want), buf_str(&got))) fail_msg("round %u: n %zu k %zu", round, n, k);
        buf_done(&want);
        buf_done(&got);
    }
    mem_free(dense);
    mem_free(at);
    mem_free(v);
}

static void test_u32_round_trip(void **state) {
    (void)state;
    static uint32_t v[N_MAX], w[N_MAX];
    Buf b = {0};
    Rng r;
    rng_seed(&r, 4);
    static const uint32_t masks[] = {0, 1, 7, 255, 0xffff, UINT32_MAX};
    for (size_t m = 0; m < ARRAY_LEN(masks); m++) {
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
            for (unsigned run = 1; run < 100; run += 70) {
                size_t n = sizes[k];
                for (size_t i = 0; i < n; i++) v[i] = i % run ? v[i - 1] : (uint32_t)rng_u64(&r) & masks[m];
                buf_clear(&b);
                column_encode_u32(&b, v, n);
                assert_true(column_decode_u32(buf_str(&b), w, n));
                assert_memory_equal(v, w, n * 4);
            }
        }
    }
    buf_done(&b);
}

static void decode_all(Str in, size_t n) {
    int64_t *i64 = mem_alloc(MAX(n, 1) * 8);
    double *f64 = mem_alloc(MAX(n, 1) * 8);
    Str *str = mem_alloc(MAX(n, 1) * sizeof *str);
    uint32_t *u32 = mem_alloc(MAX(n, 1) * 4);
    (void)!column_decode_i64(in, i64, n);
    (void)!column_decode_f64(in, f64, n);
    if (n > 1) (void)!column_decode_f64_range(in, n, n / 3, n - 1, NULL, f64);
    if (n > 1) (void)!column_decode_f64_range(in, n, n / 2, n, f64, f64);
    if (column_decode_str(in, str, n))
        for (size_t i = 0; i < n; i++)
            assert_true(str[i].n == 0 || (str[i].p >= in.p && str[i].p + str[i].n <= in.p + in.n));
    (void)!column_decode_u32(in, u32, n);
    mem_free(i64);
    mem_free(f64);
    mem_free(str);
    mem_free(u32);
}

/* Cut short: refused. Flipped: refused or some other values, but never a crash (the sanitizers watch). */
static void damage(const Buf *good, size_t n) {
    for (size_t cut = 0; cut < good->n; cut++) {
        char *copy = mem_alloc(MAX(cut, 1)); /* its own allocation, so that reading past the end is seen */
        memcpy(copy, good->p, cut);
        decode_all(str_of(copy, cut), n);
        mem_free(copy);
    }
    char *copy = mem_alloc(good->n);
    for (size_t bit = 0; bit < good->n * 8; bit++) {
        memcpy(copy, good->p, good->n);
        copy[bit / 8] = (char)((unsigned char)copy[bit / 8] ^ 1u << bit % 8);
        decode_all(str_of(copy, good->n), n);
        decode_all(str_of(copy, good->n), n + 300);
    }
    mem_free(copy);
}

static void test_damage(void **state) {
    (void)state;
    enum { N = 300 };
    int64_t v[N];
    double d[N];
    Str s[N];
    uint32_t u[N];
    char text[N][8];
    Buf b = {0};
    Rng r;
    rng_seed(&r, 5);
    for (size_t k = 0; k < ARRAY_LEN(int_shapes); k++) {
        if (int_shapes[k].limit > 8) continue; /* long and without structure */
        int_shapes[k].fill(v, N, &r);
        buf_clear(&b);
        column_encode_i64(&b, v, N);
        for (size_t cut = 0; cut < b.n; cut++) assert_false(column_decode_i64(str_of(b.p, cut), v, N));
        damage(&b, N);
    }
    for (size_t k = 0; k < ARRAY_LEN(float_shapes); k++) {
        if (float_shapes[k].limit > 8) continue;
        float_shapes[k].fill(d, N, &r);
        buf_clear(&b);
        column_encode_f64(&b, d, N);
        for (size_t cut = 0; cut < b.n; cut++) assert_false(column_decode_f64(str_of(b.p, cut), d, N));
        damage(&b, N);
    }
    for (uint64_t range = 3; range < 100000; range = range * 5 + 2) { /* digits */
        for (size_t i = 0; i < N; i++) v[i] = i == 70 ? INT64_C(1) << 40 : (int64_t)(rng_u64(&r) % range);
        buf_clear(&b);
        column_encode_i64(&b, v, N);
        for (size_t cut = 0; cut < b.n; cut++) assert_false(column_decode_i64(str_of(b.p, cut), v, N));
        damage(&b, N);
    }
    for (unsigned mod = 10; mod < 1000; mod *= 20) {
        for (size_t i = 0; i < N; i++) {
            u[i] = (uint32_t)i % mod;
            s[i] = str_of(text[i], (size_t)snprintf(text[i], sizeof text[i], "%u", u[i]));
        }
        buf_clear(&b);
        column_encode_str(&b, s, N);
        damage(&b, N);
        buf_clear(&b);
        column_encode_u32(&b, u, N);
        damage(&b, N);
    }
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_i64_round_trip),
        cmocka_unit_test(test_i64_widths),
        cmocka_unit_test(test_i64_dense),
        cmocka_unit_test(test_f64_round_trip),
        cmocka_unit_test(test_f64_ranges),
        cmocka_unit_test(test_str_round_trip),
        cmocka_unit_test(test_u32_round_trip),
        cmocka_unit_test(test_u32_sparse),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
