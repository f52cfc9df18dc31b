#include "metrics/promql/lanes.h"

#define BODY static inline __attribute__((always_inline))

BODY void kahan_add_body(double *restrict sum, double *restrict c, const double *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) kahan_add(x[i], &sum[i], &c[i]);
}

BODY bool any_beyond_body(const double *v, size_t n, double limit) {
    uint64_t any = 0;
    for (size_t i = 0; i < n; i++) any |= fabs(v[i]) <= limit ? 0 : UINT64_MAX;
    return any;
}

BODY bool any_fall_body(const double *v, size_t n) {
    uint64_t any = 0;
    for (size_t i = 1; i < n; i++) any |= v[i] < v[i - 1] ? UINT64_MAX : 0;
    return any;
}

/* The counter's zero is far away when first * sampled > to_start * result; a little more than that is asked. */
BODY bool rates_body(const double *restrict v, const uint32_t *restrict from, const uint32_t *restrict to,
    const double *restrict sampled, const double *restrict to_start, const double *restrict factor, size_t n,
    double *restrict out) {
    uint64_t near = 0;
    for (size_t i = 0; i < n; i++) {
        double first = v[from[i]], result = v[to[i] - 1] - first;
        bool far = first * sampled[i] > to_start[i] * result * 1.0000001, grows = result > 0, positive = first >= 0;
        near |= (uint64_t)(grows & positive & !far);
        out[i] = result * factor[i];
    }
    return !near;
}

#ifdef __x86_64__
#define AVX2 __attribute__((target("avx2"))) static
AVX2 void kahan_add_avx2(double *sum, double *c, const double *x, size_t n) { kahan_add_body(sum, c, x, n); }
AVX2 bool any_beyond_avx2(const double *v, size_t n, double limit) { return any_beyond_body(v, n, limit); }
AVX2 bool any_fall_avx2(const double *v, size_t n) { return any_fall_body(v, n); }
AVX2 bool rates_avx2(const double *v, const uint32_t *from, const uint32_t *to, const double *sampled,
    const double *to_start, const double *factor, size_t n, double *out) {
    return rates_body(v, from, to, sampled, to_start, factor, n, out);
}
static inline bool has_avx2(void) { return __builtin_cpu_supports("avx2"); }
#else
#define kahan_add_avx2 kahan_add_body
#define any_beyond_avx2 any_beyond_body
#define any_fall_avx2 any_fall_body
#define rates_avx2 rates_body
static inline bool has_avx2(void) { return false; }
#endif

void lanes_kahan_add(double *sum, double *c, const double *x, size_t n) {
    if (has_avx2())
        kahan_add_avx2(sum, c, x, n);
    else
        kahan_add_body(sum, c, x, n);
}

bool lanes_any_beyond(const double *v, size_t n, double limit) {
    return has_avx2() ? any_beyond_avx2(v, n, limit) : any_beyond_body(v, n, limit);
}

bool lanes_any_fall(const double *v, size_t n) { return has_avx2() ? any_fall_avx2(v, n) : any_fall_body(v, n); }

bool lanes_rates(const double *v, const uint32_t *from, const uint32_t *to, const double *sampled,
    const double *to_start, const double *factor, size_t n, double *out) {
    return has_avx2() ? rates_avx2(v, from, to, sampled, to_start, factor, n, out)
                      : rates_body(v, from, to, sampled, to_start, factor, n, out);
}
