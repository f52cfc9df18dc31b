/* fhist.c - histograms as sparse bucket lists: conversion, addition over different layouts, resets. */
#include "metrics/promql/engine_int.h"

#include <float.h>

static bool buckets_alloc(Arena *a, FhBuckets *b, size_t n, bool kahan) {
    b->idx = ARENA_ARRAY(a, int32_t, n);
    b->v = ARENA_ARRAY(a, double, n);
    b->c = kahan ? arena_alloc_zero(a, n * sizeof(double)) : NULL;
    b->n = n;
    return b->idx && b->v && (b->c || !kahan);
}

static bool buckets_copy(Arena *a, const FhBuckets *from, FhBuckets *to) {
    if (!buckets_alloc(a, to, from->n, from->c != NULL)) return false;
    if (from->n == 0) return true;
    memcpy(to->idx, from->idx, from->n * sizeof *to->idx);
    memcpy(to->v, from->v, from->n * sizeof *to->v);
    if (from->c) memcpy(to->c, from->c, from->n * sizeof *to->c);
    return true;
}

static bool buckets_from_spans(
    Arena *a, const HistogramSpan *spans, size_t n_spans, const double *v, size_t n, FhBuckets *out) {
    if (!buckets_alloc(a, out, n, false)) return false;
    int64_t idx = 0;
    size_t k = 0;
    for (size_t s = 0; s < n_spans; s++) {
        idx += spans[s].offset;
        for (uint32_t i = 0; i < spans[s].length && k < n; i++, k++, idx++) {
            out->idx[k] = (int32_t)idx;
            out->v[k] = v[k];
        }
    }
    out->n = k;
    return true;
}

FHist *fh_from_model(Arena *a, const Histogram *h) {
    FHist *f = ARENA_NEW(a, FHist);
    if (!f) return NULL;
    *f = (FHist){.schema = h->schema,
        .reset = h->reset,
        .count = h->count,
        .sum = h->sum,
        .zero_threshold = h->zero_threshold,
        .zero_count = h->zero_count,
        .bounds = h->custom_bounds,
        .n_bounds = h->n_custom_bounds};
    bool ok = buckets_from_spans(a, h->pos_spans, h->n_pos_spans, h->pos, h->n_pos, &f->pos) &&
              buckets_from_spans(a, h->neg_spans, h->n_neg_spans, h->neg, h->n_neg, &f->neg);
    return ok ? f : NULL;
}

static bool spans_from_buckets(Arena *a, const FhBuckets *b, const HistogramSpan **ret, uint32_t *ret_n) {
    uint32_t n = 0;
    for (size_t i = 0; i < b->n; i++) n += i == 0 || b->idx[i] != b->idx[i - 1] + 1;
    HistogramSpan *spans = ARENA_ARRAY(a, HistogramSpan, n);
    if (!spans) return false;
    size_t k = 0;
    int32_t end = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (i == 0 || b->idx[i] != b->idx[i - 1] + 1) spans[k++] = (HistogramSpan){b->idx[i] - end, 0};
        spans[k - 1].length++;
        end = b->idx[i] + 1;
    }
    *ret = spans;
    *ret_n = n;
    return true;
}

Histogram *fh_to_model(Arena *a, const FHist *f) {
    Histogram *h = ARENA_NEW(a, Histogram);
    if (!h) return NULL;
    *h = (Histogram){.schema = (int8_t)f->schema,
        .reset = f->reset,
        .is_float = true,
        .count = f->count,
        .sum = f->sum,
        .zero_threshold = f->zero_threshold,
        .zero_count = f->zero_count,
        .pos = f->pos.v,
        .neg = f->neg.v,
        .n_pos = (uint32_t)f->pos.n,
        .n_neg = (uint32_t)f->neg.n,
        .custom_bounds = f->bounds,
        .n_custom_bounds = (uint32_t)f->n_bounds};
    bool ok = spans_from_buckets(a, &f->pos, &h->pos_spans, &h->n_pos_spans) &&
              spans_from_buckets(a, &f->neg, &h->neg_spans, &h->n_neg_spans);
    return ok ? h : NULL;
}

FHist *fh_copy(Arena *a, const FHist *h) {
    FHist *f = ARENA_NEW(a, FHist);
    if (!f) return NULL;
    *f = *h;
    return buckets_copy(a, &h->pos, &f->pos) && buckets_copy(a, &h->neg, &f->neg) ? f : NULL;
}

/* Bucket i of a finer schema lies in bucket ((i - 1) >> shift) + 1 of the coarser one. */
static void buckets_coarsen(FhBuckets *b, int32_t from, int32_t to) {
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        int32_t idx = ((b->idx[i] - 1) >> (from - to)) + 1;
        if (n > 0 && b->idx[n - 1] == idx) {
            if (b->c) {
                kahan_add(b->v[i], &b->v[n - 1], &b->c[n - 1]);
                b->c[n - 1] += b->c[i];
            } else {
                b->v[n - 1] += b->v[i];
            }
            continue;
        }
        b->idx[n] = idx;
        b->v[n] = b->v[i];
        if (b->c) b->c[n] = b->c[i];
        n++;
    }
    b->n = n;
}

FHist *fh_copy_to_schema(Arena *a, const FHist *h, int32_t schema) {
    FHist *f = fh_copy(a, h);
    if (!f || schema >= h->schema) return f;
    buckets_coarsen(&f->pos, h->schema, schema);
    buckets_coarsen(&f->neg, h->schema, schema);
    f->schema = schema;
    return f;
}

/* Upper bound of a bucket, digit for digit as Prometheus' tables have it: those of a schema were made by multiplying
 * every second bound, which is one of the schema below, by the schema's factor. The factors are 2^(2^-schema), the
 * first one 1 ulp too low. The last bucket of finite values ends at the largest of them. */
static double bound(int32_t idx, int32_t schema) {
    static const double factors[] = {1, 0x1.6a09e667f3bccp+0, 0x1.306fe0a31b715p+0, 0x1.172b83c7d517bp+0,
        0x1.0b5586cf9890fp+0, 0x1.059b0d3158574p+0, 0x1.02c9a3e778061p+0, 0x1.0163da9fb3335p+0, 0x1.00b1afa5abcbfp+0};
    int64_t exponent = schema < 0 ? idx * (INT64_C(1) << -schema) : idx >> schema;
    double frac = 0.5;
    for (int32_t bit = schema - 1; bit >= 0; bit--)
        if (idx >> bit & 1) frac *= factors[schema - bit];
    if (frac == 0.5 && exponent == 1024) return DBL_MAX;
    return ldexp(frac, (int)MAX(MIN(exponent, 2000), -2000) + 1);
}

/* --- zero buckets --- */

/* The zero count when the threshold grows to *threshold, which itself grows to the end of a populated bucket. */
static double zero_count_within(const FHist *h, double *threshold) {
    const FhBuckets *sides[] = {&h->pos, &h->neg};
    if (*threshold == h->zero_threshold) return h->zero_count;
    for (;;) {
        double count = h->zero_count;
        bool again = false;
        for (size_t s = 0; s < 2 && !again; s++) {
            const FhBuckets *b = sides[s];
            for (size_t i = 0; i < b->n; i++) {
                if (bound(b->idx[i] - 1, h->schema) >= *threshold) break;
                count += b->v[i] + (b->c ? b->c[i] : 0);
                double upper = bound(b->idx[i], h->schema);
                if (upper <= *threshold) continue;
                if (b->v[i] != 0) {
                    *threshold = upper;
                    again = s == 1;
                }
                break;
            }
        }
        if (!again) return count;
    }
}

/* Out with the buckets that end (whole) or only begin below the threshold. */
static void drop_inside(FhBuckets *b, int32_t schema, double threshold, bool whole) {
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (whole ? bound(b->idx[i], schema) <= threshold : bound(b->idx[i] - 1, schema) < threshold) continue;
        b->idx[n] = b->idx[i];
        b->v[n] = b->v[i];
        if (b->c) b->c[n] = b->c[i];
        n++;
    }
    b->n = n;
}

/* Brings both to one threshold; acc is changed, other's count is returned. */
static double reconcile_zero(FHist *acc, const FHist *other) {
    double count = other->zero_count, threshold = other->zero_threshold;
    while (threshold != acc->zero_threshold) {
        if (acc->zero_threshold > threshold) {
            threshold = acc->zero_threshold;
            count = zero_count_within(other, &threshold);
        }
        if (threshold > acc->zero_threshold) {
            double grown = threshold;
            acc->zero_count = zero_count_within(acc, &grown);
            acc->zero_threshold = grown;
            drop_inside(&acc->pos, acc->schema, grown, false);
            drop_inside(&acc->neg, acc->schema, grown, false);
        }
    }
    return count;
}

/* --- addition --- */

static void add_number(double inc, bool kahan, double *v, double *c) {
    if (kahan)
        kahan_add(inc, v, c);
    else
        *v += inc;
}

static bool same_layout(const FhBuckets *a, const FhBuckets *b) {
    return a->n == b->n && (a->n == 0 || memcmp(a->idx, b->idx, a->n * sizeof *a->idx) == 0);
}

static bool merge_buckets(Arena *a, FhBuckets *acc, const FhBuckets *b, double sign, bool kahan) {
    if (kahan && !acc->c && !(acc->c = arena_alloc_zero(a, acc->n * sizeof(double)))) return false;
    if (same_layout(acc, b)) {
        for (size_t i = 0; i < b->n; i++) add_number(sign * b->v[i], kahan, &acc->v[i], acc->c ? &acc->c[i] : NULL);
        return true;
    }
    FhBuckets out;
    if (!buckets_alloc(a, &out, acc->n + b->n, acc->c != NULL)) return false;
    size_t i = 0, j = 0, n = 0;
    while (i < acc->n || j < b->n) {
        bool left = j >= b->n || (i < acc->n && acc->idx[i] <= b->idx[j]);
        bool right = i >= acc->n || (j < b->n && b->idx[j] <= acc->idx[i]);
        out.idx[n] = left ? acc->idx[i] : b->idx[j];
        out.v[n] = left ? acc->v[i] : 0;
        if (out.c) out.c[n] = left ? acc->c[i] : 0;
        if (right) add_number(sign * b->v[j], kahan, &out.v[n], out.c ? &out.c[n] : NULL);
        i += left;
        j += right;
        n++;
    }
    out.n = n;
    *acc = out;
    return true;
}

static bool same_bounds(const FHist *a, const FHist *b) {
    return a->n_bounds == b->n_bounds &&
           (a->n_bounds == 0 || memcmp(a->bounds, b->bounds, a->n_bounds * sizeof(double)) == 0);
}

/* The bounds both have. */
static double *common_bounds(Arena *a, const FHist *x, const FHist *y, size_t *ret_n) {
    double *out = ARENA_ARRAY(a, double, MIN(x->n_bounds, y->n_bounds));
    size_t n = 0, i = 0, j = 0;
    if (!out) return NULL;
    while (i < x->n_bounds && j < y->n_bounds) {
        if (x->bounds[i] == y->bounds[j]) {
            out[n++] = x->bounds[i++];
            j++;
        } else if (x->bounds[i] < y->bounds[j]) {
            i++;
        } else {
            j++;
        }
    }
    *ret_n = n;
    return out;
}

/* Moves every bucket to the first target bound that is not below its own. */
static bool remap_custom(Arena *a, const FHist *h, const double *bounds, size_t n_bounds, FhBuckets *out) {
    if (!buckets_alloc(a, out, h->pos.n, h->pos.c != NULL)) return false;
    size_t target = 0, n = 0;
    for (size_t i = 0; i < h->pos.n; i++) {
        size_t src = (size_t)MAX(h->pos.idx[i], 0);
        if (src >= h->n_bounds) target = n_bounds;
        while (target < n_bounds && bounds[target] < h->bounds[src]) target++;
        bool same = n > 0 && (size_t)out->idx[n - 1] == target;
        if (!same) {
            out->idx[n] = (int32_t)target;
            out->v[n] = 0;
            if (out->c) out->c[n] = 0;
            n++;
        }
        out->v[n - 1] += h->pos.v[i];
        if (out->c) out->c[n - 1] += h->pos.c[i];
    }
    out->n = n;
    return true;
}

static bool add_custom(Arena *a, FHist *acc, const FHist *b, double sign, bool kahan, FhNotes *notes) {
    if (same_bounds(acc, b)) return merge_buckets(a, &acc->pos, &b->pos, sign, kahan);
    notes->bounds_reconciled = true;
    size_t n;
    double *bounds = common_bounds(a, acc, b, &n);
    FhBuckets mine, theirs;
    if (!bounds || !remap_custom(a, acc, bounds, n, &mine) || !remap_custom(a, b, bounds, n, &theirs)) return false;
    acc->pos = mine;
    acc->bounds = bounds;
    acc->n_bounds = n;
    if (!merge_buckets(a, &acc->pos, &theirs, sign, kahan)) return false;
    fh_compact(acc);
    return true;
}

static bool add_exponential(Arena *a, FHist *acc, const FHist *b, double sign, bool kahan) {
    if (b->schema < acc->schema) {
        buckets_coarsen(&acc->pos, acc->schema, b->schema);
        buckets_coarsen(&acc->neg, acc->schema, b->schema);
        acc->schema = b->schema;
    }
    FHist *other = fh_copy_to_schema(a, b, acc->schema);
    if (!other) return false;
    drop_inside(&other->pos, other->schema, acc->zero_threshold, true);
    drop_inside(&other->neg, other->schema, acc->zero_threshold, true);
    return merge_buckets(a, &acc->pos, &other->pos, sign, kahan) &&
           merge_buckets(a, &acc->neg, &other->neg, sign, kahan);
}

static bool adjust_reset(FHist *acc, const FHist *b) {
    if (acc->reset == b->reset || acc->reset == HISTOGRAM_RESET_GAUGE) return false;
    if (b->reset == HISTOGRAM_RESET_GAUGE) {
        acc->reset = HISTOGRAM_RESET_GAUGE;
        return false;
    }
    bool collision = acc->reset != HISTOGRAM_RESET_UNKNOWN && b->reset != HISTOGRAM_RESET_UNKNOWN;
    acc->reset = HISTOGRAM_RESET_UNKNOWN;
    return collision;
}

FhNotes fh_add(Arena *a, FHist *acc, const FHist *b, double sign, bool kahan) {
    FhNotes notes = {0};
    if (fh_is_custom(acc) != fh_is_custom(b)) {
        notes.incompatible = true;
        return notes;
    }
    notes.reset_collision = adjust_reset(acc, b);
    if (!fh_is_custom(acc)) add_number(sign * reconcile_zero(acc, b), kahan, &acc->zero_count, &acc->zero_c);
    add_number(sign * b->count, kahan, &acc->count, &acc->count_c);
    add_number(sign * b->sum, kahan, &acc->sum, &acc->sum_c);
    notes.no_memory =
        fh_is_custom(acc) ? !add_custom(a, acc, b, sign, kahan, &notes) : !add_exponential(a, acc, b, sign, kahan);
    return notes;
}

static void fold_buckets(FhBuckets *b) {
    for (size_t i = 0; b->c && i < b->n; i++) b->v[i] += b->c[i];
    b->c = NULL;
}

void fh_fold(FHist *h) {
    fold_buckets(&h->pos);
    fold_buckets(&h->neg);
    h->count += h->count_c;
    h->sum += h->sum_c;
    h->zero_count += h->zero_c;
    h->count_c = h->sum_c = h->zero_c = 0;
}

/* --- scaling, comparing --- */

static void scale_buckets(FhBuckets *b, double f, bool divide) {
    for (size_t i = 0; i < b->n; i++) {
        b->v[i] = divide ? b->v[i] / f : b->v[i] * f;
        if (b->c) b->c[i] = divide ? b->c[i] / f : b->c[i] * f;
    }
}

static void scale_numbers(FHist *h, double f, bool divide) {
    double *numbers[] = {&h->count, &h->sum, &h->zero_count, &h->count_c, &h->sum_c, &h->zero_c};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (i >= 3 && *numbers[i] == 0) continue; /* no compensation: 0/0 must not make one */
        *numbers[i] = divide ? *numbers[i] / f : *numbers[i] * f;
    }
    if (f < 0) h->reset = HISTOGRAM_RESET_GAUGE;
}

void fh_scale(FHist *h, double f) {
    scale_numbers(h, f, false);
    scale_buckets(&h->pos, f, false);
    scale_buckets(&h->neg, f, false);
}

void fh_divide(FHist *h, double f) {
    scale_numbers(h, f, true);
    if (f == 0) h->pos.n = h->neg.n = 0;
    scale_buckets(&h->pos, f, true);
    scale_buckets(&h->neg, f, true);
}

static void compact_buckets(FhBuckets *b) {
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (b->v[i] == 0 && (!b->c || b->c[i] == 0)) continue;
        b->idx[n] = b->idx[i];
        b->v[n] = b->v[i];
        if (b->c) b->c[n] = b->c[i];
        n++;
    }
    b->n = n;
}

void fh_compact(FHist *h) {
    compact_buckets(&h->pos);
    compact_buckets(&h->neg);
}

static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }

static bool same_buckets(const FhBuckets *a, const FhBuckets *b) {
    return same_layout(a, b) && (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof *a->v) == 0);
}

bool fh_eq(const FHist *a, const FHist *b) {
    return a->schema == b->schema && same_bits(a->count, b->count) && same_bits(a->sum, b->sum) &&
           (!fh_is_custom(a) || same_bounds(a, b)) && a->zero_threshold == b->zero_threshold &&
           same_bits(a->zero_count, b->zero_count) && same_buckets(&a->neg, &b->neg) && same_buckets(&a->pos, &b->pos);
}

static bool buckets_overflow(const FhBuckets *b) {
    for (size_t i = 0; i < b->n; i++)
        if (isinf(b->v[i])) return true;
    return false;
}

bool fh_has_overflow(const FHist *h) {
    return isinf(h->zero_count) || isinf(h->count) || isinf(h->sum) || buckets_overflow(&h->pos) ||
           buckets_overflow(&h->neg);
}

/* --- counter resets --- */

/* Has any bucket fewer observations than before? */
static bool buckets_dropped(const FhBuckets *cur, const FhBuckets *prev) {
    size_t i = 0;
    for (size_t j = 0; j < prev->n; j++) {
        while (i < cur->n && cur->idx[i] < prev->idx[j]) i++;
        bool found = i < cur->n && cur->idx[i] == prev->idx[j];
        if (found ? cur->v[i] < prev->v[j] : prev->v[j] != 0) return true;
    }
    return false;
}

static bool custom_dropped(Arena *a, const FHist *cur, const FHist *prev) {
    if (same_bounds(cur, prev)) return buckets_dropped(&cur->pos, &prev->pos);
    size_t n;
    FhBuckets c, p;
    double *bounds = common_bounds(a, cur, prev, &n);
    if (!bounds || !remap_custom(a, cur, bounds, n, &c) || !remap_custom(a, prev, bounds, n, &p)) return false;
    return buckets_dropped(&c, &p);
}

bool fh_detect_reset(Arena *a, const FHist *cur, const FHist *prev) {
    if (cur->reset == HISTOGRAM_RESET_YES) return true;
    if (cur->reset == HISTOGRAM_RESET_NO) return false;
    if (cur->count < prev->count) return true;
    if (fh_is_custom(cur)) return !fh_is_custom(prev) || custom_dropped(a, cur, prev);
    if (cur->schema > prev->schema || cur->zero_threshold < prev->zero_threshold) return true;
    double threshold = cur->zero_threshold;
    double zero = zero_count_within(prev, &threshold);
    if (threshold != cur->zero_threshold || cur->zero_count < zero) return true;
    FHist *coarse = fh_copy_to_schema(a, prev, cur->schema);
    if (!coarse) return false;
    drop_inside(&coarse->pos, coarse->schema, threshold, true);
    drop_inside(&coarse->neg, coarse->schema, threshold, true);
    return buckets_dropped(&cur->pos, &coarse->pos) || buckets_dropped(&cur->neg, &coarse->neg);
}

/* --- buckets in order --- */

static bool has_zero_bucket(const FHist *h) { return !fh_is_custom(h) && h->zero_count > 0; }

FhIter fh_iter(const FHist *h) {
    /* negative buckets, the zero bucket where there is one, positive buckets */
    return (FhIter){h, 0, h->neg.n + has_zero_bucket(h) + h->pos.n};
}

FhBucket fh_bucket(const FHist *h, bool positive, size_t k) {
    const FhBuckets *b = positive ? &h->pos : &h->neg;
    int32_t idx = b->idx[k];
    if (!fh_is_custom(h)) {
        double near = bound(idx - 1, h->schema), far = bound(idx, h->schema);
        return positive ? (FhBucket){near, far, b->v[k], false, true, idx}
                        : (FhBucket){-far, -near, b->v[k], true, false, idx};
    }
    double lower = idx <= 0 ? -INFINITY : (size_t)idx <= h->n_bounds ? h->bounds[idx - 1] : INFINITY;
    double upper = idx >= 0 && (size_t)idx < h->n_bounds ? h->bounds[idx] : INFINITY;
    return (FhBucket){lower, upper, b->v[k], idx <= 0, true, idx};
}

/* A bucket that reaches into the zero bucket begins where that ends. */
static FhBucket bucket_at(const FHist *h, size_t i) {
    bool zero = has_zero_bucket(h);
    if (zero && i == h->neg.n) return (FhBucket){-h->zero_threshold, h->zero_threshold, h->zero_count, true, true, 0};
    bool positive = i >= h->neg.n;
    FhBucket b = fh_bucket(h, positive, positive ? i - h->neg.n - zero : h->neg.n - 1 - i);
    if (b.lower > 0 && b.lower < h->zero_threshold) b.lower = h->zero_threshold;
    if (b.upper < 0 && b.upper > -h->zero_threshold) b.upper = -h->zero_threshold;
    return b;
}

bool fh_next(FhIter *it, FhBucket *ret) {
    if (it->i >= it->n) return false;
    *ret = bucket_at(it->h, it->i++);
    return true;
}

bool fh_next_reverse(FhIter *it, FhBucket *ret) {
    if (it->n == 0) return false;
    *ret = bucket_at(it->h, --it->n);
    return true;
}
