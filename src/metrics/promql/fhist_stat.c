/* fhist_stat.c - what one histogram says: quantiles, fractions, variance; trimming; its text. */
#include "metrics/promql/engine_int.h"

/* A zero bucket of a histogram with observations on one side only reaches from 0. */
static void clip_zero_bucket(const FHist *h, FhBucket *b) {
    if (h->neg.n == 0 && h->pos.n > 0)
        b->lower = 0;
    else if (h->pos.n == 0 && h->neg.n > 0)
        b->upper = 0;
}

static double interpolate_exponential(const FhBucket *b, double fraction) {
    double lower = log2(fabs(b->lower)), upper = log2(fabs(b->upper));
    if (b->lower > 0) return exp2(lower + (upper - lower) * fraction);
    return -exp2(upper + (lower - upper) * (1 - fraction));
}

double fh_quantile(const FHist *h, double q, bool *ret_nan_result, bool *ret_nan_skew) {
    *ret_nan_result = *ret_nan_skew = false;
    if (q < 0) return -INFINITY;
    if (q > 1) return INFINITY;
    if (h->count == 0 || isnan(q)) return NAN;
    bool forward = isnan(h->sum) || q < 0.5;
    double rank = (forward ? q : 1 - q) * h->count, count = 0;
    FhIter it = fh_iter(h);
    FhBucket b = {0}, next;
    while (forward ? fh_next(&it, &next) : fh_next_reverse(&it, &next)) {
        b = next;
        if (b.count == 0) continue;
        count += b.count;
        if (count >= rank) break;
    }
    bool custom = fh_is_custom(h);
    if (!custom && b.lower < 0 && b.upper > 0) {
        clip_zero_bucket(h, &b);
    } else if (custom && b.lower == -INFINITY) {
        if (b.upper <= 0) return b.upper;
        b.lower = 0;
    } else if (custom && b.upper == INFINITY) {
        return b.lower;
    }
    if (count > h->count) count = h->count;
    if (count < rank) {
        *ret_nan_result = isnan(h->sum);
        return *ret_nan_result ? NAN : b.upper;
    }
    rank = forward ? rank - (count - b.count) : count - rank;
    if (isnan(h->sum)) {
        double total = count;
        while (fh_next(&it, &next)) total += next.count;
        *ret_nan_skew = total < h->count;
    }
    double fraction = rank / b.count;
    if (custom || (b.lower <= 0 && b.upper >= 0)) return b.lower + (b.upper - b.lower) * fraction;
    return interpolate_exponential(&b, fraction);
}

/* Part of the bucket's width at or below v, which lies inside. */
static double fraction_below(const FhBucket *b, double v, bool linear) {
    if (linear) return (v - b->lower) / (b->upper - b->lower);
    double lower = log2(fabs(b->lower)), upper = log2(fabs(b->upper)), at = log2(fabs(v));
    return v > 0 ? (at - lower) / (upper - lower) : 1 - (at - upper) / (lower - upper);
}

/* Observations at or below v, which lies strictly inside b; rank: those below b. */
static double rank_inside(const FHist *h, const FhBucket *b, bool zero, double rank, double v) {
    bool linear = fh_is_custom(h) || zero;
    if (linear && b->lower == -INFINITY) return b->count;
    return rank + b->count * fraction_below(b, v, linear);
}

double fh_fraction(const FHist *h, double lower, double upper, bool *ret_nans) {
    *ret_nans = false;
    if (h->count == 0 || isnan(lower) || isnan(upper)) return NAN;
    if (lower >= upper) return 0;
    double limits[2] = {lower, upper}, ranks[2] = {0, 0}, rank = 0, count = 0;
    bool set[2] = {false, false};
    FhIter it = fh_iter(h);
    FhBucket b;
    while (!(set[0] && set[1]) && fh_next(&it, &b)) {
        count += b.count;
        bool zero = !fh_is_custom(h) && b.lower <= 0 && b.upper >= 0;
        if (zero) clip_zero_bucket(h, &b);
        if (fh_is_custom(h) && b.lower == -INFINITY && b.upper > 0) b.lower = 0; /* as of classic histograms */
        for (int k = 0; k < 2; k++) {
            if (set[k]) continue;
            if (b.lower >= limits[k])
                ranks[k] = rank;
            else if (b.upper > limits[k])
                ranks[k] = rank_inside(h, &b, zero, rank, limits[k]);
            else
                continue;
            set[k] = true;
        }
        if (!(set[0] && set[1])) rank += b.count;
    }
    if (isnan(h->sum)) {
        while (fh_next(&it, &b)) count += b.count;
        *ret_nans = count < h->count;
    } else {
        count = h->count;
    }
    for (int k = 0; k < 2; k++)
        if (!set[k] || ranks[k] > count) ranks[k] = count;
    return (ranks[1] - ranks[0]) / h->count;
}

double fh_variance(const FHist *h) {
    double mean = h->sum / h->count, variance = 0, c = 0;
    FhIter it = fh_iter(h);
    FhBucket b;
    while (fh_next(&it, &b)) {
        if (b.count == 0) continue;
        double v;
        if (fh_is_custom(h))
            v = (b.upper + b.lower) / 2;
        else if (b.lower <= 0 && b.upper >= 0)
            v = 0;
        else
            v = copysign(sqrt(b.upper * b.lower), b.upper);
        double delta = v - mean;
        kahan_add(b.count * delta * delta, &variance, &c);
    }
    return (variance + c) / h->count;
}

/* --- trimming: h </ 5 keeps what lies below --- */

static double midpoint(double lower, double upper, bool positive, bool linear) {
    if (isinf(lower)) return isinf(upper) ? 0 : upper > 0 ? upper / 2 : upper;
    if (isinf(upper)) return lower;
    if (linear) return (lower + upper) / 2;
    double mean = sqrt(fabs(lower * upper));
    return positive ? mean : -mean;
}

static double finite_or_0(double v) { return isinf(v) ? 0 : v; }

/* A bucket without an end: what is kept, and the value it is taken for. */
static double trim_infinite(const FhBucket *b, double at, bool upper, double *ret_mid) {
    *ret_mid = 0;
    if (b->lower == -INFINITY) {
        bool ends = !isinf(b->upper);
        if (upper) {
            if (at >= b->upper) return b->count;
            *ret_mid = at > 0 && b->upper > 0 && ends ? at / 2 : b->upper <= 0 ? at : finite_or_0(b->upper);
            if (at > 0 && b->upper > 0 && ends) return b->count * at / b->upper;
            return b->upper <= 0 ? b->count : 0;
        }
        if (at <= b->lower) return b->count;
        bool inside = at >= 0 && b->upper > at && ends;
        *ret_mid = inside ? (at + b->upper) / 2 : finite_or_0(b->upper);
        return inside ? b->count * (1 - at / b->upper) : 0;
    }
    *ret_mid = !upper && at >= b->lower ? at : finite_or_0(b->lower);
    return !upper && at >= b->lower ? b->count : 0;
}

static double trim_bucket(const FhBucket *b, double at, bool upper, bool positive, bool linear, double *ret_mid) {
    if (upper ? b->upper <= at : b->lower >= at) {
        *ret_mid = midpoint(b->lower, b->upper, positive, linear);
        return b->count;
    }
    if (!(upper ? b->lower < at : b->upper > at)) { /* or at is NaN */
        *ret_mid = 0;
        return 0;
    }
    if (isinf(b->lower) || isinf(b->upper)) return trim_infinite(b, at, upper, ret_mid);
    double under = b->count * fraction_below(b, at, linear);
    *ret_mid = upper ? midpoint(b->lower, at, positive, linear) : midpoint(at, b->upper, positive, linear);
    return upper ? under : b->count - under;
}

static double trim_zero(const FHist *h, double at, bool upper, bool has_neg, bool has_pos, double *ret_mid) {
    double lo = has_pos && !has_neg ? 0 : -h->zero_threshold, hi = has_neg && !has_pos ? 0 : h->zero_threshold;
    bool all = upper ? at >= hi : at <= lo, none = upper ? at <= lo : at >= hi;
    /* The empty side is asked first, as the bounds may coincide. */
    if (upper ? none : none && !all) {
        *ret_mid = 0;
        return 0;
    }
    *ret_mid = all ? (lo + hi) / 2 : upper ? (lo + at) / 2 : (at + hi) / 2;
    if (all) return h->zero_count;
    return h->zero_count * (upper ? (at - lo) / (hi - lo) : (hi - at) / (hi - lo));
}

FHist *fh_trim(Arena *a, const FHist *h, double at, bool upper) {
    FHist *out = fh_copy(a, h);
    if (!out) return NULL;
    double count = 0, sum = 0;
    bool changed = false, has[2] = {false, false};
    FhBuckets *sides[2] = {&out->neg, &out->pos};
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < sides[s]->n; i++) {
            FhBucket b = fh_bucket(h, s == 1, i);
            if (b.count == 0) continue;
            has[s] = true;
            double mid, keep = trim_bucket(&b, at, upper, s == 1, fh_is_custom(h), &mid);
            count += keep;
            sum += mid * keep;
            changed |= keep != b.count;
            sides[s]->v[i] = keep;
        }
    }
    if (h->zero_count > 0) {
        double mid, keep = trim_zero(h, at, upper, has[0], has[1], &mid);
        changed |= keep != h->zero_count;
        out->zero_count = keep;
        count += keep;
        sum += mid * keep;
    }
    if (changed) {
        out->count = count;
        out->sum = sum;
        fh_compact(out);
    }
    return out;
}

/* --- text and buckets for the outside --- */

static void put_bucket(Buf *out, const FhBucket *b) {
    if (b->count == 0) return;
    buf_printf(out, ", %c", b->lower_inclusive ? '[' : '(');
    pql_put_g(out, b->lower);
    buf_put_char(out, ',');
    pql_put_g(out, b->upper);
    buf_printf(out, "%c:", b->upper_inclusive ? ']' : ')');
    pql_put_g(out, b->count);
}

/* Other than the JSON, the text has buckets with their own bounds, and a zero bucket below 0. */
void promql_put_histogram_text(Buf *out, const Histogram *model) {
    Arena *a = arena_create(ARENA_UNLIMITED);
    FHist *h = fh_from_model(a, model);
    ASSERT(h);
    buf_put_lit(out, "{count:");
    pql_put_g(out, h->count);
    buf_put_lit(out, ", sum:");
    pql_put_g(out, h->sum);
    for (size_t i = h->neg.n; i-- > 0;) {
        FhBucket b = fh_bucket(h, false, i);
        put_bucket(out, &b);
    }
    FhBucket zero = {-h->zero_threshold, h->zero_threshold, h->zero_count, true, true, 0};
    if (!fh_is_custom(h)) put_bucket(out, &zero);
    for (size_t i = 0; i < h->pos.n; i++) {
        FhBucket b = fh_bucket(h, true, i);
        put_bucket(out, &b);
    }
    buf_put_char(out, '}');
    arena_free(a);
}

void promql_each_bucket(
    const Histogram *h, void (*fn)(void *ctx, int bounds, double lower, double upper, double count), void *ctx) {
    Arena *a = arena_create(ARENA_UNLIMITED);
    FHist *f = fh_from_model(a, h);
    ASSERT(f);
    FhIter it = fh_iter(f);
    FhBucket b;
    while (fh_next(&it, &b)) {
        if (b.count == 0) continue;
        fn(ctx, b.lower_inclusive && b.upper_inclusive ? 3 : b.lower_inclusive ? 1 : 0, b.lower, b.upper, b.count);
    }
    arena_free(a);
}
