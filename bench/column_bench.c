/* column_bench.c - size and decode speed of the column codecs on the shapes that telemetry has. One JSON line per
 * shape: bytes per value, nanoseconds per value to encode and decode (best of several rounds). */
#include "base/vec.h"
#include "storage/column.h"
#include "sys/clock.h"
#include "sys/random.h"

#include <math.h>
#include <stdio.h>

#define N 8192
#define BLOCKS 32
#define ROUNDS 9

static double values[BLOCKS][N];
static int64_t ints[BLOCKS][N];
static double back_f64[N];
static int64_t back_i64[N];

typedef void (*Fill)(double *v, Rng *r);

static void constant(double *v, Rng *r) {
    double c = (double)(rng_u64(r) % 1000);
    for (size_t i = 0; i < N; i++) v[i] = c;
}
static void counter(double *v, Rng *r) {
    double x = 1e6;
    for (size_t i = 0; i < N; i++) v[i] = x += floor(300 * (0.7 + 0.6 * rng_f64(r)));
}
static void cpu_seconds(double *v, Rng *r) {
    double x = 0;
    for (size_t i = 0; i < N; i++) v[i] = x = round((x + rng_f64(r) * 15) * 100) / 100;
}
static void gauge_bytes(double *v, Rng *r) {
    double x = 1e5;
    for (size_t i = 0; i < N; i++) v[i] = 4096 * (x += rng_u64(r) % 3 ? floor((rng_f64(r) - 0.5) * 200) : 0);
}
static void three_decimals(double *v, Rng *r) {
    for (size_t i = 0; i < N; i++) v[i] = round((50 + 20 * sin((double)i * 0.01) + rng_f64(r)) * 1000) / 1000;
}
static void full_precision(double *v, Rng *r) {
    for (size_t i = 0; i < N; i++) v[i] = 50 + 20 * sin((double)i * 0.01) + rng_f64(r);
}
static void sticky(double *v, Rng *r) {
    double x = rng_f64(r);
    for (size_t i = 0; i < N; i++) v[i] = x = rng_u64(r) % 8 ? x : rng_f64(r);
}

static void report(const char *kind, const char *name, size_t bytes, int64_t encode_ns, int64_t decode_ns) {
    double total = (double)N * BLOCKS;
    printf("{\"bench\":\"column\",\"kind\":\"%s\",\"shape\":\"%s\",\"bytes_per_value\":%.3f,\"encode_ns\":%.2f,"
           "\"decode_ns\":%.3f,\"decode_g_per_s\":%.2f}\n",
        kind, name, (double)bytes / total, (double)encode_ns / total, (double)decode_ns / total,
        total / (double)decode_ns);
}

static void bench_f64(const char *name, Fill fill) {
    Rng r;
    rng_seed(&r, 1);
    Buf out[BLOCKS] = {0};
    size_t bytes = 0;
    for (size_t b = 0; b < BLOCKS; b++) fill(values[b], &r);
    int64_t start = clock_mono_ns(), best = INT64_MAX;
    for (size_t b = 0; b < BLOCKS; b++) column_encode_f64(&out[b], values[b], N);
    int64_t encode_ns = clock_mono_ns() - start;
    for (size_t b = 0; b < BLOCKS; b++) bytes += out[b].n;
    for (unsigned round = 0; round < ROUNDS; round++) {
        start = clock_mono_ns();
        for (size_t b = 0; b < BLOCKS; b++) ASSERT(column_decode_f64(buf_str(&out[b]), back_f64, N));
        best = MIN(best, clock_mono_ns() - start);
    }
    ASSERT(memcmp(back_f64, values[BLOCKS - 1], sizeof back_f64) == 0);
    report("f64", name, bytes, encode_ns, best);
    for (size_t b = 0; b < BLOCKS; b++) buf_done(&out[b]);
}

static void bench_i64(const char *name, int64_t step, uint64_t jitter) {
    Rng r;
    rng_seed(&r, 2);
    Buf out[BLOCKS] = {0};
    size_t bytes = 0;
    for (size_t b = 0; b < BLOCKS; b++)
        for (size_t i = 0; i < N; i++)
            ints[b][i] = 1700000000000 + (int64_t)i * step + (jitter ? (int64_t)(rng_u64(&r) % jitter) : 0);
    int64_t start = clock_mono_ns(), best = INT64_MAX;
    for (size_t b = 0; b < BLOCKS; b++) column_encode_i64(&out[b], ints[b], N);
    int64_t encode_ns = clock_mono_ns() - start;
    for (size_t b = 0; b < BLOCKS; b++) bytes += out[b].n;
    for (unsigned round = 0; round < ROUNDS; round++) {
        start = clock_mono_ns();
        for (size_t b = 0; b < BLOCKS; b++) ASSERT(column_decode_i64(buf_str(&out[b]), back_i64, N));
        best = MIN(best, clock_mono_ns() - start);
    }
    ASSERT(memcmp(back_i64, ints[BLOCKS - 1], sizeof back_i64) == 0);
    report("i64", name, bytes, encode_ns, best);
    for (size_t b = 0; b < BLOCKS; b++) buf_done(&out[b]);
}

int main(void) {
    bench_i64("grid", 15000, 0);
    bench_i64("grid with jitter", 15000, 9);
    bench_i64("small codes", 0, 200);
    bench_i64("32 random bits", 0, UINT64_C(1) << 32);
    bench_f64("constant", constant);
    bench_f64("counter", counter);
    bench_f64("cpu seconds", cpu_seconds);
    bench_f64("gauge of pages", gauge_bytes);
    bench_f64("three decimals", three_decimals);
    bench_f64("full precision", full_precision);
    bench_f64("full precision, mostly unchanged", sticky);
    return 0;
}
