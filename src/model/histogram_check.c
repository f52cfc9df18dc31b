/* histogram_check.c - what makes a native histogram one, with Prometheus' texts (model/histogram: Validate). */
#include "base/num.h"
#include "model/histogram.h"

#include <math.h>
#include <stdio.h>

#define EXACT_MAX 9007199254740992.0 /* 2^53: counts beyond it are rounded here, and comparing them says nothing */

/* A count as Go prints it: whole ones of integer histograms without exponent. */
static const char *count_text(const Histogram *h, double v, char text[32]) {
    if (!h->is_float && fabs(v) <= EXACT_MAX) {
        snprintf(text, 32, "%lld", (long long)v);
        return text;
    }
    Buf b = {0};
    num_put_f64_go_g(&b, v);
    snprintf(text, 32, "%s", buf_cstr(&b));
    buf_done(&b);
    return text;
}

static ErrCode check_spans(
    const HistogramSpan *spans, uint32_t n, uint32_t n_buckets, bool custom, const char *side, Err *e) {
    static const char beyond[] =
        "%s: span number %u %s at bucket index %lld: histogram has a span whose bucket index is "
        "out of range";
    uint64_t need = 0;
    int64_t end = 0; /* bucket indexes are int32 */
    for (uint32_t i = 0; i < n; i++) {
        if (spans[i].offset < 0 && (i > 0 || custom))
            return err_set(e, ERR_INVALID,
                "%s: span number %u with offset %d: histogram has a span whose offset is negative", side, i + 1,
                spans[i].offset);
        if (spans[i].offset == INT32_MIN)
            return err_set(e, ERR_INVALID, beyond, side, i + 1, "starts", (long long)INT32_MIN);
        need += spans[i].length;
        end += (int64_t)spans[i].offset + spans[i].length;
        if (end - 1 > INT32_MAX) return err_set(e, ERR_INVALID, beyond, side, i + 1, "ends", (long long)end - 1);
    }
    if (need == n_buckets) return OK;
    return err_set(e, ERR_INVALID,
        "%s: spans need %llu buckets, have %u buckets: histogram spans specify different number of buckets than "
        "provided",
        side, (unsigned long long)need, n_buckets);
}

static ErrCode check_buckets(const Histogram *h, const double *v, uint32_t n, const char *side, double *sum, Err *e) {
    char text[32];
    for (uint32_t i = 0; i < n; i++) {
        *sum += v[i];
        if (v[i] < 0)
            return err_set(e, ERR_INVALID,
                "%s: bucket number %u has observation count of %s: histogram has a bucket whose observation count is "
                "negative",
                side, i + 1, count_text(h, v[i], text));
    }
    return OK;
}

static ErrCode check_bounds(const Histogram *h, Err *e) {
    double before = -INFINITY;
    for (uint32_t i = 0; i < h->n_custom_bounds; i++) {
        double bound = h->custom_bounds[i];
        if (isnan(bound)) return err_set(e, ERR_INVALID, "custom buckets: histogram custom bounds must not be NaN");
        if (i > 0 && bound <= before)
            return err_set(e, ERR_INVALID,
                "custom buckets: previous bound is %f and current is %f: histogram custom bounds must be in strictly "
                "increasing order",
                before, bound);
        before = bound;
    }
    if (before == INFINITY)
        return err_set(e, ERR_INVALID,
            "custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be finite");
    ErrCode code = check_spans(h->pos_spans, h->n_pos_spans, h->n_pos, true, "custom buckets", e);
    uint64_t reach = 0;
    for (uint32_t i = 0; code == OK && i < h->n_pos_spans; i++)
        reach += h->pos_spans[i].length + (uint64_t)h->pos_spans[i].offset;
    if (code == OK && h->n_custom_bounds + UINT64_C(1) < reach)
        return err_set(e, ERR_INVALID,
            "custom buckets: only %u custom bounds defined which is insufficient to cover total span length of %llu: "
            "histogram custom bounds are too few",
            h->n_custom_bounds, (unsigned long long)reach);
    return code;
}

static ErrCode check_custom(const Histogram *h, Err *e) {
    ErrCode code = check_bounds(h, e);
    if (code != OK) return code;
    if (h->zero_count != 0) return err_set(e, ERR_INVALID, "custom buckets: must have zero count of 0");
    if (h->zero_threshold != 0) return err_set(e, ERR_INVALID, "custom buckets: must have zero threshold of 0");
    if (h->n_neg_spans) return err_set(e, ERR_INVALID, "custom buckets: must not have negative spans");
    if (h->n_neg) return err_set(e, ERR_INVALID, "custom buckets: must not have negative buckets");
    return OK;
}

/* Float counts are sums that have been rounded: they are not compared. */
static ErrCode check_count(const Histogram *h, double sum, Err *e) {
    char a[32], b[32];
    if (h->is_float || h->count > EXACT_MAX || sum > EXACT_MAX) return OK;
    bool wrong = isnan(h->sum) ? sum > h->count : sum != h->count;
    if (!wrong) return OK;
    return err_set(e, ERR_INVALID, "%s observations found in buckets, but the Count field is %s: %s",
        count_text(h, sum, a), count_text(h, h->count, b),
        isnan(h->sum)
            ? "histogram's observation count should be at least the number of observations found in the buckets"
            : "histogram's observation count should equal the number of observations found in the "
              "buckets (in absence of NaN)");
}

static ErrCode bad_schema(int64_t schema, Err *reterr) {
    return err_set(reterr, ERR_INVALID,
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom "
        "buckets, got schema %lld",
        (long long)schema);
}

ErrCode histogram_check_schema(int64_t schema, Err *reterr) {
    if (schema == HISTOGRAM_SCHEMA_CUSTOM) return OK;
    if (schema >= HISTOGRAM_SCHEMA_MIN && schema <= HISTOGRAM_SCHEMA_KNOWN_MAX) return OK;
    return bad_schema(schema, reterr);
}

ErrCode histogram_check(const Histogram *h, Err *reterr) {
    ErrCode code;
    double sum = h->zero_count;
    char text[32];
    if (h->schema == HISTOGRAM_SCHEMA_CUSTOM) {
        code = check_custom(h, reterr);
    } else if (h->schema >= HISTOGRAM_SCHEMA_MIN && h->schema <= HISTOGRAM_SCHEMA_MAX) {
        code = check_spans(h->pos_spans, h->n_pos_spans, h->n_pos, false, "positive side", reterr);
        if (code == OK) code = check_spans(h->neg_spans, h->n_neg_spans, h->n_neg, false, "negative side", reterr);
        if (code == OK) code = check_buckets(h, h->neg, h->n_neg, "negative side", &sum, reterr);
        if (code == OK && h->zero_count < 0)
            code = err_set(reterr, ERR_INVALID,
                "zero bucket has observation count of %s: histogram has a bucket whose observation count is negative",
                count_text(h, h->zero_count, text));
        if (code == OK && h->n_custom_bounds)
            code = err_set(reterr, ERR_INVALID, "histogram with exponential schema must not have custom bounds");
    } else {
        return bad_schema(h->schema, reterr);
    }
    if (code == OK && h->count < 0)
        code = err_set(reterr, ERR_INVALID, "observation count is  %s: histogram's observation count is negative",
            count_text(h, h->count, text));
    if (code == OK) code = check_buckets(h, h->pos, h->n_pos, "positive side", &sum, reterr);
    return code == OK ? check_count(h, sum, reterr) : code;
}
