/* promqltest_compare.c - whether a result is what an eval of a promqltest script expects. */
#include "base/num.h"
#include "codec/regex.h"
#include "metrics/promql/promqltest_int.h"

#include <stdarg.h>
#include <stdio.h>

bool test_fail(Runner *r, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->why, sizeof r->why, fmt, ap);
    va_end(ap);
    return false;
}

bool test_close_enough(double a, double b) {
    if (is_stale_nan(a) || is_stale_nan(b)) return is_stale_nan(a) && is_stale_nan(b);
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    if (a == b) return true;
    const double tiny = 2.2250738585072014e-308;
    double sum = fabs(a) + fabs(b), diff = fabs(a - b);
    if (a == 0 || b == 0 || sum < tiny) return diff < 1e-6 * tiny;
    return diff / fmin(sum, 1.7976931348623157e308) < 1e-6;
}

static bool close_buckets(const FhBuckets *a, const FhBuckets *b) {
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->idx[i] != b->idx[i] || !test_close_enough(a->v[i], b->v[i])) return false;
    return true;
}

static bool close_histograms(Arena *a, const FHist *want, const Histogram *got, bool hint) {
    FHist *w = fh_copy(a, want), *g = fh_from_model(a, got);
    fh_compact(w);
    fh_compact(g);
    if (w->schema != g->schema || w->zero_threshold != g->zero_threshold || (hint && w->reset != g->reset))
        return false;
    if (!test_close_enough(w->count, g->count) || !test_close_enough(w->sum, g->sum) ||
        !test_close_enough(w->zero_count, g->zero_count))
        return false;
    if (fh_is_custom(w)) {
        if (w->n_bounds != g->n_bounds) return false;
        for (size_t i = 0; i < w->n_bounds; i++)
            if (w->bounds[i] != g->bounds[i]) return false;
    }
    return close_buckets(&w->pos, &g->pos) && close_buckets(&w->neg, &g->neg);
}

static void put_point(Buf *b, const PromqlSeries *s, size_t i) {
    if (s->histogram && s->histogram[i])
        promql_put_histogram_text(b, s->histogram[i]);
    else
        num_put_f64_prom(b, s->value[i]);
}

static void put_series(Buf *b, const PromqlSeries *s) {
    labels_put_text(b, s->labels);
    for (size_t i = 0; i < s->n && i < 12; i++) {
        buf_printf(b, " %lld:", (long long)s->t_ms[i]);
        put_point(b, s, i);
    }
    buf_put_char(b, '\n');
}

static bool point_matches(Arena *a, const SeqItem *want, const PromqlSeries *got, size_t i) {
    const Histogram *h = got->histogram ? got->histogram[i] : NULL;
    if ((h != NULL) != (want->h != NULL)) return false;
    return h ? close_histograms(a, want->h, h, want->hint_set) : test_close_enough(want->v, got->value[i]);
}

/* Points of got against items at start + i * step. */
static bool series_matches(Arena *a, const SeqLine *want, const PromqlSeries *got, int64_t start, int64_t step) {
    size_t k = 0;
    for (size_t i = 0; i < want->items.n; i++) {
        if (want->items.v[i].omitted) continue;
        if (k >= got->n || got->t_ms[k] != start + (int64_t)i * step || !point_matches(a, &want->items.v[i], got, k))
            return false;
        k++;
    }
    return k == got->n;
}

bool test_fail_series(Runner *r, const char *what, const PromqlSeries *s) {
    Buf b = {0};
    put_series(&b, s);
    test_fail(r, "%s: %s", what, buf_cstr(&b));
    buf_done(&b);
    return false;
}

bool test_compare(Runner *r, Arena *a, const Eval *e, const PromqlResult *res, int64_t start, int64_t step) {
    for (size_t i = 0; i < e->lines.n; i++) {
        const SeqLine *want = &e->lines.v[i];
        bool nothing = true;
        for (size_t k = 0; k < want->items.n; k++) nothing = nothing && want->items.v[k].omitted;
        const PromqlSeries *got = NULL;
        for (size_t k = 0; k < res->n; k++)
            if (labels_eq(res->series[k].labels, want->labels)) got = &res->series[k];
        if (!got && nothing) continue;
        if (!got) {
            Buf b = {0};
            labels_put_text(&b, want->labels);
            for (size_t k = 0; k < res->n && b.n < 1200; k++) put_series(&b, &res->series[k]);
            test_fail(r, "missing series %s", buf_cstr(&b));
            buf_done(&b);
            return false;
        }
        if (!series_matches(a, want, got, start, step)) return test_fail_series(r, "wrong values, got", got);
        if (e->ordered && (i >= res->n || got != &res->series[i])) return test_fail_series(r, "out of order", got);
    }
    for (size_t k = 0; k < res->n; k++) {
        bool expected = false;
        for (size_t i = 0; i < e->lines.n; i++) expected |= labels_eq(res->series[k].labels, e->lines.v[i].labels);
        if (!expected) return test_fail_series(r, "unexpected series", &res->series[k]);
        for (size_t j = 0; j < k; j++)
            if (labels_eq(res->series[j].labels, res->series[k].labels))
                return test_fail_series(r, "series twice", &res->series[k]);
    }
    return true;
}

/* " (1:6)" at the end, which newer scripts leave out. */
static Str without_place(Str text) {
    size_t i = text.n;
    if (i == 0 || text.p[--i] != ')') return text;
    while (i > 0 && ((text.p[i - 1] >= '0' && text.p[i - 1] <= '9') || text.p[i - 1] == ':')) i--;
    bool is_place = i > 1 && i + 3 < text.n && text.p[i - 1] == '(' && text.p[i - 2] == ' ';
    return is_place ? str_slice(text, 0, i - 2) : text;
}

bool test_text_matches(const Expect *x, Str text) {
    Str want = str_trim(x->text);
    if (!x->is_regex)
        return x->text.n == 0 || str_eq(want, str_trim(text)) || str_eq(want, without_place(str_trim(text)));
    Regex *re;
    Err err;
    if (regex_compile(x->text, 0, &re, &err) != OK) return false;
    bool ok = regex_match(re, text);
    regex_free(re);
    return ok;
}

static bool check_annotations(Runner *r, const Eval *e, ExpectKind want, ExpectKind none, const Str *texts, size_t n) {
    size_t wanted = 0;
    for (size_t i = 0; i < e->expects.n; i++) {
        const Expect *x = &e->expects.v[i];
        if (x->kind == none && n) return test_fail(r, "unexpected annotation: %" STR_FMT, STR_ARG(texts[0]));
        if (x->kind != want) continue;
        wanted++;
        bool found = false;
        for (size_t k = 0; k < n; k++) found |= test_text_matches(x, texts[k]);
        if (!found)
            return test_fail(r, "expected annotation \"%" STR_FMT "\" is missing; first of %zu: %" STR_FMT,
                STR_ARG(x->text), n, STR_ARG(n ? texts[0] : STR_NULL));
    }
    for (size_t k = 0; wanted && k < n; k++) {
        bool found = false;
        for (size_t i = 0; i < e->expects.n; i++)
            found |= e->expects.v[i].kind == want && test_text_matches(&e->expects.v[i], texts[k]);
        if (!found) return test_fail(r, "annotation not expected: %" STR_FMT, STR_ARG(texts[k]));
    }
    return true;
}

bool test_annotations_ok(Runner *r, const Eval *e, const PromqlResult *res) {
    return check_annotations(r, e, EXPECT_WARN, EXPECT_NO_WARN, res->warnings, res->n_warnings) &&
           check_annotations(r, e, EXPECT_INFO, EXPECT_NO_INFO, res->infos, res->n_infos);
}
