/* Functions over all windows in one pass against the same functions window by window, on random series. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/promql/steps.h"
#include "sys/random.h"

#include <stdlib.h>

#define N_MAX 300
#define STEPS_MAX 200

static const PqlFn functions[] = {FN_RATE, FN_INCREASE, FN_DELTA, FN_IRATE, FN_IDELTA, FN_MAX_OVER_TIME,
    FN_MIN_OVER_TIME, FN_SUM_OVER_TIME, FN_AVG_OVER_TIME, FN_CHANGES, FN_RESETS, FN_FIRST_OVER_TIME, FN_LAST_OVER_TIME,
    FN_COUNT_OVER_TIME, FN_PRESENT_OVER_TIME};

typedef struct Case {
    Rng rng;
    int64_t t[N_MAX];
    double v[N_MAX];
    size_t n;
    Grid g;
    WindowSpec spec;
} Case;

static uint64_t below(Case *c, uint64_t n) { return rng_u64(&c->rng) % n; }

/* kind 0: a counter with resets; 1: a gauge; 2: few values, so that many are equal; 3: NaN, infinities, huge ones; 4: a
 * counter that never falls. */
static double next_value(Case *c, unsigned kind, double prev) {
    static const double odd[] = {NAN, INFINITY, -INFINITY, 1e308, -1e308, 0.0, -0.0, 1};
    switch (kind) {
    case 0: return below(c, 30) == 0 ? (double)below(c, 5) : prev + (double)below(c, 100) / 7;
    case 1: return rng_f64(&c->rng) * 1e6 - 5e5;
    case 2: return (double)below(c, 3);
    case 4: return prev + (double)below(c, 100);
    default: return odd[below(c, ARRAY_LEN(odd))];
    }
}

static void make_case(Case *c, uint64_t seed) {
    rng_seed(&c->rng, seed);
    c->n = 1 + below(c, N_MAX);
    unsigned kind = (unsigned)below(c, 5);
    bool regular = below(c, 2);
    int64_t t = 1000000;
    double v = (double)below(c, 1000);
    for (size_t i = 0; i < c->n; i++) {
        t += regular ? 15000 : 1 + (int64_t)below(c, 40000);
        if (below(c, 40) == 0) t += 400000;
        c->t[i] = t;
        c->v[i] = v = next_value(c, kind, v);
    }
    c->g = (Grid){1000000 - 60000, 1 + (int64_t)below(c, 90000), 1 + below(c, STEPS_MAX)};
    c->spec = (WindowSpec){.range_ms = 1000 + (int64_t)below(c, 900000), .offset_ms = (int64_t)below(c, 3) * 30000};
}

static bool close_enough(double a, double b) {
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    if (a == b) return true;
    return fabs(a - b) <= 1e-12 * fmax(fabs(a), fabs(b));
}

/* Said when it is so for every other length. */
static bool never_falls(const Case *c) {
    for (size_t i = 1; i < c->n; i++)
        if (c->v[i] < c->v[i - 1]) return false;
    return c->n % 2;
}

static void compare(Case *c, PqlFn id, Ev *ev) {
    static PqlNode matrix = {.kind = PQL_MATRIX};
    static PqlFunction function = {.name = "f"};
    double v1[STEPS_MAX], v2[STEPS_MAX];
    uint64_t p1[(STEPS_MAX + 63) / 64], p2[(STEPS_MAX + 63) / 64];
    memset(p1, 0, sizeof p1);
    memset(p2, 0, sizeof p2);
    function.id = id;
    PqlSeries quick = {.v = v1, .present = p1}, slow = {.v = v2, .present = p2};
    Steps steps = {0};
    BatchScratch scratch = {0};
    steps_windows(&steps, &c->g, &c->spec, c->t, c->n, window_batch_least(id), id == FN_RATE);
    WindowBatch batch = {id, &c->g, &steps, c->t, c->v, c->n, never_falls(c), (double)c->spec.range_ms / 1000};
    bool done = window_batch(&batch, &scratch, &quick);
    WindowCall call = {.spec = &c->spec, .function = &function, .fn = window_fn(id), .matrix = &matrix};
    Column column = {.n = c->n, .t = c->t, .v = c->v};
    assert_true(window_series(ev, &c->g, &call, &column, &slow));
    for (size_t i = 0; done && i < c->g.n; i++) {
        assert_int_equal(bit_get(p1, i), bit_get(p2, i));
        if (bit_get(p1, i) && !close_enough(v1[i], v2[i]))
            fail_msg("function %d, step %zu: %.17g in one pass, %.17g by itself", (int)id, i, v1[i], v2[i]);
    }
    steps_done(&steps);
    batch_scratch_done(&scratch);
}

static void test_same_as_window_by_window(void **state) {
    (void)state;
    static Case c;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        make_case(&c, seed);
        for (size_t f = 0; f < ARRAY_LEN(functions); f++) {
            Arena *arena = arena_create(ARENA_UNLIMITED);
            PromqlQuery query = {0};
            Ev ev = {.arena = arena, .scratch = arena, .query = &query, .opts = {.samples_max = UINT64_MAX / 2}};
            ev.annotations = map_create(MAP_COPY_KEYS);
            compare(&c, functions[f], &ev);
            map_free(ev.annotations);
            arena_free(arena);
        }
    }
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y)) return isnan(y) - isnan(x);
    return (x > y) - (x < y);
}

/* Selected ranks are those of the sorted values. */
static void test_quantile_selects(void **state) {
    (void)state;
    static Case c;
    double sorted[N_MAX];
    for (uint64_t seed = 1; seed <= 300; seed++) {
        make_case(&c, seed);
        memcpy(sorted, c.v, c.n * sizeof *sorted);
        qsort(sorted, c.n, sizeof *sorted, by_value);
        for (int k = 0; k <= 10; k++) {
            double q = k / 10.0, rank = q * ((double)c.n - 1), weight = rank - floor(rank);
            size_t lower = (size_t)floor(rank), upper = MIN(c.n - 1, lower + 1);
            /* An exact rank is that value, be it infinite. */
            double want = weight == 0 ? sorted[lower] : sorted[lower] * (1 - weight) + sorted[upper] * weight;
            assert_true(close_enough(quantile_of(q, c.v, c.n), want));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_window_by_window),
        cmocka_unit_test(test_quantile_selects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
