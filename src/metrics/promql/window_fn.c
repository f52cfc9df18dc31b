/* window_fn.c - what rate(), changes(), max_over_time() and their kin compute from one window. */
#include "metrics/promql/window_int.h"

/* --- rate, increase, delta --- */

static bool is_float_reset(const Column *c, size_t i) {
    return c->v[i] < c->v[i - 1] || (c->start && float_start_resets(c, i));
}

static bool find_resets(Window *w) {
    Column *c = w->col;
    if (c->have_resets) return true;
    size_t n = 0;
    for (size_t i = 1; i < c->n; i++) n += is_float_reset(c, i);
    uint32_t *at = ARENA_ARRAY(w->ev->scratch, uint32_t, n);
    if (!at) return ev_no_memory(w->ev);
    for (size_t i = 1; i < c->n; i++)
        if (is_float_reset(c, i)) at[c->n_resets++] = (uint32_t)i;
    c->resets = at;
    c->have_resets = true;
    return true;
}

/* First reset at index i or later. */
static size_t reset_from(const Column *c, size_t i) {
    size_t lo = 0, hi = c->n_resets;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (c->resets[mid] < i)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* How far the samples' increase is stretched to the window's ends. */
static double extrapolation(
    const Window *w, int64_t first_t, int64_t last_t, size_t n, bool counter, double first, double increase) {
    double to_start = (double)(first_t - w->min_t) / 1000, to_end = (double)(w->max_t - last_t) / 1000;
    double sampled = (double)(last_t - first_t) / 1000, average = sampled / (double)(n - 1);
    double threshold = average * 1.1;
    if (to_start >= threshold) to_start = average / 2;
    if (counter && increase > 0 && first >= 0) {
        double to_zero = sampled * (first / increase);
        if (to_zero < to_start) to_start = to_zero;
    }
    if (to_end >= threshold) to_end = average / 2;
    return sampled != 0 ? (sampled + to_start + to_end) / sampled : 1;
}

/* The same when it is known where the first sample began to count from 0: nothing is guessed to its left. */
static double extrapolation_from(const Window *w, int64_t start, int64_t first_t, int64_t last_t, size_t n) {
    double to_end = (double)(w->max_t - last_t) / 1000, sampled = (double)(last_t - start) / 1000;
    double average = n > 1 ? (double)(last_t - first_t) / 1000 / (double)(n - 1) : 0;
    if (to_end >= average * 1.1) to_end = average / 2;
    return (sampled + to_end) / sampled; /* start < first_t <= last_t */
}

static bool rate_histograms(Window *w, bool counter, bool per_second, FHist **ret_h) {
    size_t n = histograms(w);
    int64_t start;
    bool started = counter && window_start(w, true, &start);
    if (n < 2 && !started) return false;
    FHist *first = w->col->h[w->h_from];
    FHist *h = n < 2 ? fh_copy(w->ev->arena, first) : window_hist_rate(w, counter);
    if (!h) return n < 2 ? ev_no_memory(w->ev) : false;
    if (started && n > 1 && !window_hist_add(w, h, first)) return false;
    const int64_t *t = w->col->t_h + w->h_from;
    double f = started ? extrapolation_from(w, start, t[0], t[n - 1], n)
                       : extrapolation(w, t[0], t[n - 1], n, counter, first->count, h->count);
    if (per_second) f /= (double)(w->max_t - w->min_t) / 1000;
    fh_scale(h, f);
    *ret_h = h;
    return true;
}

static bool extrapolated(Window *w, bool counter, bool per_second, double *ret, FHist **ret_h) {
    size_t n = floats(w);
    if (n && histograms(w)) return warn_mixed(w);
    if (w->anchored || w->smoothed) return window_extended_rate(w, counter, per_second, ret, ret_h);
    if (!n) return rate_histograms(w, counter, per_second, ret_h);
    int64_t start;
    bool started = counter && window_start(w, false, &start);
    if (n < 2 && !started) return false;
    const double *v = vals(w);
    const int64_t *t = times(w);
    double result = v[n - 1] - v[0];
    if (counter) {
        if (!find_resets(w)) return false;
        const Column *c = w->col;
        for (size_t r = reset_from(c, w->from + 1); r < c->n_resets && c->resets[r] < w->to; r++)
            result += c->v[c->resets[r] - 1];
        if (c->start) window_note_overlap(w, false);
    }
    if (started) result += v[0];
    double f = started ? extrapolation_from(w, start, t[0], t[n - 1], n)
                       : extrapolation(w, t[0], t[n - 1], n, counter, v[0], result);
    if (per_second) f /= (double)(w->max_t - w->min_t) / 1000;
    *ret = result * f;
    return true;
}

static bool fn_rate(Window *w, double *ret, FHist **h) { return extrapolated(w, true, true, ret, h); }
static bool fn_increase(Window *w, double *ret, FHist **h) { return extrapolated(w, true, false, ret, h); }
static bool fn_delta(Window *w, double *ret, FHist **h) { return extrapolated(w, false, false, ret, h); }

/* --- irate, idelta: the last two samples, whatever they are --- */

typedef struct Pick {
    int64_t t;
    double v;
    FHist *h;
    int64_t start;
} Pick;

static Pick pick_float(const Column *c, size_t i) { return (Pick){c->t[i], c->v[i], NULL, c->start ? c->start[i] : 0}; }
static Pick pick_histogram(const Column *c, size_t i) {
    return (Pick){c->t_h[i], 0, c->h[i], c->start_h ? c->start_h[i] : 0};
}
static bool picks_reset(const Pick *prev, const Pick *cur) {
    return start_is_reset(prev->start, prev->t, cur->start, cur->t);
}

/* Sample k from the end, floats and histograms in one order. */
static size_t last_two(const Window *w, Pick out[2]) {
    size_t i = w->to, j = w->h_to, n = 0;
    const Column *c = w->col;
    while (n < 2 && (i > w->from || j > w->h_from)) {
        bool hist = i == w->from || (j > w->h_from && c->t_h[j - 1] >= c->t[i - 1]);
        out[1 - n++] = hist ? pick_histogram(c, j - 1) : pick_float(c, i - 1);
        if (hist)
            j--;
        else
            i--;
    }
    return n;
}

static bool instant_histogram(Window *w, const Pick s[2], bool rate, FHist **ret) {
    Ev *ev = w->ev;
    LangSpan span = w->span;
    bool gauges = s[0].h->reset == HISTOGRAM_RESET_GAUGE && s[1].h->reset == HISTOGRAM_RESET_GAUGE;
    bool any_gauge = s[0].h->reset == HISTOGRAM_RESET_GAUGE || s[1].h->reset == HISTOGRAM_RESET_GAUGE;
    if (rate && any_gauge) ev_warn_metric(ev, span, "this native histogram metric is not a counter:", w->col->labels);
    if (!rate && !gauges) ev_warn_metric(ev, span, "this native histogram metric is not a gauge:", w->col->labels);
    FHist *h = fh_copy(ev->arena, s[1].h);
    if (!h) return ev_no_memory(ev);
    if (!rate || (!picks_reset(&s[0], &s[1]) && !fh_detect_reset(ev->arena, s[1].h, s[0].h))) {
        FhNotes notes = fh_add(ev->arena, h, s[0].h, -1, false);
        if (notes.no_memory) return ev_no_memory(ev);
        if (notes.incompatible) {
            ev_warn_metric(ev, span, WARN_MIXED_SCHEMAS, w->col->labels);
            return false;
        }
        if (notes.bounds_reconciled) ev_info(ev, span, "mismatched custom buckets were reconciled during subtraction");
    }
    h->reset = HISTOGRAM_RESET_GAUGE;
    fh_compact(h);
    if (rate) fh_divide(h, (double)(s[1].t - s[0].t) / 1000);
    *ret = h;
    return true;
}

static bool instant_value(Window *w, bool rate, double *ret, FHist **ret_h) {
    Pick s[2];
    if (last_two(w, s) < 2 || s[1].t == s[0].t) return false;
    if ((s[0].h != NULL) != (s[1].h != NULL)) return warn_mixed(w);
    if (s[0].h) return instant_histogram(w, s, rate, ret_h);
    double v = s[1].v;
    if (!rate || !(s[1].v < s[0].v || picks_reset(&s[0], &s[1]))) v = s[1].v - s[0].v;
    *ret = rate ? v / ((double)(s[1].t - s[0].t) / 1000) : v;
    return true;
}

static bool fn_irate(Window *w, double *ret, FHist **h) { return instant_value(w, true, ret, h); }
static bool fn_idelta(Window *w, double *ret, FHist **h) { return instant_value(w, false, ret, h); }

/* --- changes, resets: every neighbouring pair, floats and histograms in one order --- */

static bool pair_changed(const Pick *a, const Pick *b) {
    if ((a->h != NULL) != (b->h != NULL)) return true;
    if (a->h) return !fh_eq(a->h, b->h);
    return a->v != b->v && !(isnan(a->v) && isnan(b->v));
}

static bool count_pairs(Window *w, bool resets, double *ret) {
    const Column *c = w->col;
    size_t i = w->from, j = w->h_from, count = 0;
    bool have = false;
    Pick prev = {0};
    while (i < w->to || j < w->h_to) {
        bool hist = i >= w->to || (j < w->h_to && c->t_h[j] < c->t[i]);
        Pick cur = hist ? pick_histogram(c, j) : pick_float(c, i);
        if (hist)
            j++;
        else
            i++;
        if (have && !resets) count += pair_changed(&prev, &cur);
        if (have && resets) {
            if ((prev.h != NULL) != (cur.h != NULL))
                count++;
            else
                count +=
                    picks_reset(&prev, &cur) || (cur.h ? fh_detect_reset(w->ev->arena, cur.h, prev.h) : cur.v < prev.v);
        }
        prev = cur;
        have = true;
    }
    *ret = (double)count;
    return true;
}

static bool fn_changes(Window *w, double *ret, FHist **h) {
    (void)h;
    return count_pairs(w, false, ret);
}

static bool fn_resets(Window *w, double *ret, FHist **h) {
    (void)h;
    if (histograms(w)) return count_pairs(w, true, ret);
    if (!find_resets(w)) return false;
    *ret = (double)(reset_from(w->col, w->to) - reset_from(w->col, w->from + 1));
    return true;
}

/* --- counts and positions --- */

static bool fn_count(Window *w, double *ret, FHist **h) {
    (void)h;
    *ret = (double)(floats(w) + histograms(w));
    return true;
}

static bool fn_present(Window *w, double *ret, FHist **h) {
    (void)w;
    (void)h;
    *ret = 1;
    return true;
}

static bool pick(const Window *w, bool last, double *ret, FHist **ret_h, int64_t *ret_t) {
    const Column *c = w->col;
    size_t f = last ? w->to - 1 : w->from, h = last ? w->h_to - 1 : w->h_from;
    bool hist = histograms(w) > 0;
    if (hist && floats(w)) hist = last ? c->t_h[h] >= c->t[f] : c->t_h[h] <= c->t[f];
    *ret_t = hist ? c->t_h[h] : c->t[f];
    if (hist)
        *ret_h = c->h[h];
    else
        *ret = c->v[f];
    return true;
}

static bool fn_first(Window *w, double *ret, FHist **h) {
    int64_t t;
    return pick(w, false, ret, h, &t);
}
static bool fn_last(Window *w, double *ret, FHist **h) {
    int64_t t;
    return pick(w, true, ret, h, &t);
}
static bool pick_time(Window *w, bool last, double *ret) {
    int64_t t;
    double v;
    FHist *h;
    pick(w, last, &v, &h, &t);
    *ret = (double)t / 1000;
    return true;
}
static bool fn_ts_of_first(Window *w, double *ret, FHist **h) {
    (void)h;
    return pick_time(w, false, ret);
}
static bool fn_ts_of_last(Window *w, double *ret, FHist **h) {
    (void)h;
    return pick_time(w, true, ret);
}

/* Index of the extreme; later: the last of equal ones. */
static bool extreme(Window *w, bool max, bool later, size_t *ret) {
    size_t n = floats(w);
    if (!n) return false;
    info_ignored(w);
    const double *v = vals(w);
    size_t best = 0;
    for (size_t i = 0; i < n; i++) {
        bool better = max ? v[i] > v[best] : v[i] < v[best];
        if (better || (later && v[i] == v[best]) || isnan(v[best])) best = i;
    }
    *ret = best;
    return true;
}

static bool fn_max(Window *w, double *ret, FHist **h) {
    size_t i;
    (void)h;
    if (!extreme(w, true, false, &i)) return false;
    *ret = vals(w)[i];
    return true;
}
static bool fn_min(Window *w, double *ret, FHist **h) {
    size_t i;
    (void)h;
    if (!extreme(w, false, false, &i)) return false;
    *ret = vals(w)[i];
    return true;
}
static bool fn_ts_of_max(Window *w, double *ret, FHist **h) {
    size_t i;
    (void)h;
    if (!extreme(w, true, true, &i)) return false;
    *ret = (double)times(w)[i] / 1000;
    return true;
}
static bool fn_ts_of_min(Window *w, double *ret, FHist **h) {
    size_t i;
    (void)h;
    if (!extreme(w, false, true, &i)) return false;
    *ret = (double)times(w)[i] / 1000;
    return true;
}

WindowFn window_fn(PqlFn id) {
    switch (id) {
    case FN_RATE: return fn_rate;
    case FN_INCREASE: return fn_increase;
    case FN_DELTA: return fn_delta;
    case FN_IRATE: return fn_irate;
    case FN_IDELTA: return fn_idelta;
    case FN_CHANGES: return fn_changes;
    case FN_RESETS: return fn_resets;
    case FN_COUNT_OVER_TIME: return fn_count;
    case FN_PRESENT_OVER_TIME: return fn_present;
    case FN_FIRST_OVER_TIME: return fn_first;
    case FN_LAST_OVER_TIME: return fn_last;
    case FN_MAX_OVER_TIME: return fn_max;
    case FN_MIN_OVER_TIME: return fn_min;
    case FN_TS_OF_FIRST_OVER_TIME: return fn_ts_of_first;
    case FN_TS_OF_LAST_OVER_TIME: return fn_ts_of_last;
    case FN_TS_OF_MAX_OVER_TIME: return fn_ts_of_max;
    case FN_TS_OF_MIN_OVER_TIME: return fn_ts_of_min;
    default: return window_stats_fn(id);
    }
}
