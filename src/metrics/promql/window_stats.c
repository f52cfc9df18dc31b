/* window_stats.c - sums, means, order statistics and regressions of one window. */
#include "metrics/promql/window_int.h"

/* --- sums --- */

/* Histograms alone: their sum or mean. */
static bool aggregate_histograms(Window *w, bool mean, FHist **ret) {
    Ev *ev = w->ev;
    FHist **h = w->col->h + w->h_from;
    size_t n = histograms(w);
    bool yes = false, no = false, reconciled = false;
    FHist *sum = fh_copy(ev->arena, h[0]);
    if (!sum) return ev_no_memory(ev);
    double count = 1;
    bool incremental = false;
    for (size_t i = 0; i < n; i++) {
        yes |= h[i]->reset == HISTOGRAM_RESET_YES;
        no |= h[i]->reset == HISTOGRAM_RESET_NO;
        if (i == 0) continue;
        FhNotes notes = {0};
        count = (double)(i + 1);
        if (mean && !incremental) {
            FHist *next = fh_copy(ev->arena, sum);
            if (!next) return ev_no_memory(ev);
            notes = fh_add(ev->arena, next, h[i], 1, true);
            incremental = !notes.incompatible && fh_has_overflow(next);
            if (incremental)
                fh_divide(sum, count - 1);
            else
                sum = next;
        } else if (!mean) {
            notes = fh_add(ev->arena, sum, h[i], 1, true);
        }
        if (incremental) {
            FHist *part = fh_copy(ev->arena, h[i]);
            if (!part) return ev_no_memory(ev);
            fh_divide(part, count);
            fh_scale(sum, (count - 1) / count);
            notes = fh_add(ev->arena, sum, part, 1, true);
        }
        if (notes.no_memory) return ev_no_memory(ev);
        if (notes.incompatible) {
            ev_warn_metric(ev, w->span, WARN_MIXED_SCHEMAS, w->col->labels);
            return false;
        }
        reconciled |= notes.bounds_reconciled;
    }
    if (mean && !incremental) fh_divide(sum, count);
    fh_fold(sum);
    if (yes && no) ev_warn(ev, w->span, "conflicting counter resets during histogram aggregation");
    if (reconciled) ev_info(ev, w->span, "mismatched custom buckets were reconciled during aggregation");
    *ret = sum;
    return true;
}

static bool fn_sum(Window *w, double *ret, FHist **h) {
    if (floats(w) && histograms(w)) return warn_mixed(w);
    if (histograms(w)) return aggregate_histograms(w, false, h);
    double sum = 0, c = 0;
    const double *v = vals(w);
    for (size_t i = 0; i < floats(w); i++) kahan_add(v[i], &sum, &c);
    *ret = isinf(sum) ? sum : sum + c;
    return true;
}

static bool fn_avg(Window *w, double *ret, FHist **h) {
    if (floats(w) && histograms(w)) return warn_mixed(w);
    if (histograms(w)) return aggregate_histograms(w, true, h);
    const double *v = vals(w);
    size_t n = floats(w);
    double sum = v[0], c = 0, mean = 0;
    bool incremental = false;
    for (size_t i = 1; i < n; i++) {
        double count = (double)(i + 1);
        if (!incremental) {
            double next = sum, next_c = c;
            kahan_add(v[i], &next, &next_c);
            if (!isinf(next)) {
                sum = next;
                c = next_c;
                continue;
            }
            incremental = true;
            mean = sum / (count - 1);
            c /= count - 1;
        }
        double q = (count - 1) / count;
        mean *= q;
        c *= q;
        kahan_add(v[i] / count, &mean, &c);
    }
    *ret = incremental ? mean + c : sum / (double)n + c / (double)n;
    return true;
}

static bool variance(Window *w, double *ret) {
    if (!floats(w)) return false;
    info_ignored(w);
    const double *v = vals(w);
    double mean = 0, c_mean = 0, aux = 0, c_aux = 0;
    for (size_t i = 0; i < floats(w); i++) {
        double delta = v[i] - (mean + c_mean);
        kahan_add(delta / (double)(i + 1), &mean, &c_mean);
        kahan_add(delta * (v[i] - (mean + c_mean)), &aux, &c_aux);
    }
    *ret = (aux + c_aux) / (double)floats(w);
    return true;
}

static bool fn_stdvar(Window *w, double *ret, FHist **h) {
    (void)h;
    return variance(w, ret);
}
static bool fn_stddev(Window *w, double *ret, FHist **h) {
    (void)h;
    if (!variance(w, ret)) return false;
    *ret = sqrt(*ret);
    return true;
}

/* --- order statistics --- */

static double *copy_values(const Window *w) {
    double *v = mem_alloc_array(floats(w), sizeof *v);
    memcpy(v, vals(w), floats(w) * sizeof *v);
    return v;
}

static bool fn_quantile(Window *w, double *ret, FHist **h) {
    (void)h;
    if (!floats(w)) return false;
    if (isnan(w->p1) || w->p1 < 0 || w->p1 > 1) ev_warn_quantile(w->ev, w->p1_span, w->p1);
    info_ignored(w);
    double *v = copy_values(w);
    *ret = quantile_of(w->p1, v, floats(w));
    mem_free(v);
    return true;
}

static bool fn_mad(Window *w, double *ret, FHist **h) {
    (void)h;
    size_t n = floats(w);
    if (!n) return false;
    info_ignored(w);
    double *v = copy_values(w);
    bool nan = false;
    for (size_t i = 0; i < n; i++) nan |= isnan(v[i]);
    if (nan) {
        *ret = NAN;
    } else {
        double median = quantile_of(0.5, v, n);
        for (size_t i = 0; i < n; i++) v[i] = fabs(v[i] - median);
        *ret = quantile_of(0.5, v, n);
    }
    mem_free(v);
    return true;
}

/* --- integrals --- */

static int integral_strategy(const Window *w) {
    double p = w->p1;
    if (p == INTEGRAL_LEFT || p == INTEGRAL_RIGHT || p == INTEGRAL_TRAPEZOIDAL) return (int)p;
    Buf b = {0};
    pql_put_g(&b, p);
    ev_warn(w->ev, w->p2_span, "strategy should be 0, 1, or 2 (default), using 2, got %s", buf_cstr(&b));
    buf_done(&b);
    return INTEGRAL_TRAPEZOIDAL;
}

/* The mean of two, with its rounding error: halves are taken first only where the sum would overflow. */
static double mean_of_two(double a, double b, double *ret_c) {
    double sum = a, c = 0;
    kahan_add(b, &sum, &c);
    if (isinf(sum) && !isinf(a) && !isinf(b)) {
        sum = a / 2;
        c = 0;
        kahan_add(b / 2, &sum, &c);
        *ret_c = c;
        return sum;
    }
    *ret_c = c / 2;
    return sum / 2;
}

/* NaN counts as 0. */
static bool fn_integral(Window *w, double *ret, FHist **h) {
    (void)h;
    size_t n = floats(w);
    const double *v = vals(w);
    const int64_t *t = times(w);
    double sum = 0, c = 0;
    if (!n) return false;
    info_ignored(w);
    int strategy = integral_strategy(w);
    for (size_t i = 1; i < n; i++) {
        double left = isnan(v[i - 1]) ? 0 : v[i - 1], right = isnan(v[i]) ? 0 : v[i], rounded = 0;
        double value = strategy == INTEGRAL_LEFT    ? left
                       : strategy == INTEGRAL_RIGHT ? right
                                                    : mean_of_two(left, right, &rounded);
        double seconds = (double)(t[i] - t[i - 1]) / 1000;
        if (value == 0 && rounded == 0) continue;
        c += rounded * seconds;
        kahan_add(value * seconds, &sum, &c);
    }
    *ret = isinf(sum) ? sum : sum + c;
    return true;
}

/* --- regressions --- */

static void regression(const double *v, const int64_t *t, size_t n, int64_t origin, double *slope, double *intercept) {
    double sx = 0, cx = 0, sy = 0, cy = 0, sxy = 0, cxy = 0, sx2 = 0, cx2 = 0;
    bool constant = true;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && v[i] != v[0]) constant = false;
        double x = (double)(t[i] - origin) / 1e3;
        kahan_add(x, &sx, &cx);
        kahan_add(v[i], &sy, &cy);
        kahan_add(x * v[i], &sxy, &cxy);
        kahan_add(x * x, &sx2, &cx2);
    }
    if (constant) {
        *slope = isinf(v[0]) ? NAN : 0;
        *intercept = isinf(v[0]) ? NAN : v[0];
        return;
    }
    double count = (double)n;
    sx += cx;
    sy += cy;
    double cov = sxy + cxy - sx * sy / count, var = sx2 + cx2 - sx * sx / count;
    *slope = cov / var;
    *intercept = sy / count - *slope * sx / count;
}

/* At least two floats; a single one among histograms is worth a note. */
static bool enough(const Window *w) {
    if (floats(w) >= 1) info_ignored(w);
    return floats(w) >= 2;
}

static bool fn_deriv(Window *w, double *ret, FHist **h) {
    double intercept;
    (void)h;
    if (!enough(w)) return false;
    regression(vals(w), times(w), floats(w), times(w)[0], ret, &intercept);
    return true;
}

static bool fn_predict(Window *w, double *ret, FHist **h) {
    double slope, intercept;
    (void)h;
    if (!enough(w)) return false;
    regression(vals(w), times(w), floats(w), w->t_ms, &slope, &intercept);
    *ret = slope * w->p1 + intercept;
    return true;
}

static bool fail_factor(Window *w, const char *what, double got) {
    if (isinf(got)) return ev_fail(w->ev, "invalid %s, got: %s", what, got > 0 ? "+Inf" : "-Inf");
    return ev_fail(w->ev, "invalid %s, got: %f", what, got);
}

static bool fn_smoothing(Window *w, double *ret, FHist **h) {
    (void)h;
    double sf = w->p1, tf = w->p2;
    if (sf <= 0 || sf >= 1) return fail_factor(w, "smoothing factor. Expected: 0 < sf < 1", sf);
    if (tf <= 0 || tf >= 1) return fail_factor(w, "trend factor. Expected: 0 < tf < 1", tf);
    if (!enough(w)) return false;
    const double *v = vals(w);
    double s0 = 0, s1 = v[0], b = v[1] - v[0];
    for (size_t i = 1; i < floats(w); i++) {
        if (i > 1) b = tf * (s1 - s0) + (1 - tf) * b;
        double next = sf * v[i] + (1 - sf) * (s1 + b);
        s0 = s1;
        s1 = next;
    }
    *ret = s1;
    return true;
}

WindowFn window_stats_fn(PqlFn id) {
    switch (id) {
    case FN_SUM_OVER_TIME: return fn_sum;
    case FN_AVG_OVER_TIME: return fn_avg;
    case FN_STDVAR_OVER_TIME: return fn_stdvar;
    case FN_STDDEV_OVER_TIME: return fn_stddev;
    case FN_QUANTILE_OVER_TIME: return fn_quantile;
    case FN_MAD_OVER_TIME: return fn_mad;
    case FN_INTEGRAL: return fn_integral;
    case FN_DERIV: return fn_deriv;
    case FN_PREDICT_LINEAR: return fn_predict;
    case FN_DOUBLE_EXPONENTIAL_SMOOTHING: return fn_smoothing;
    default: return NULL;
    }
}
