/* fhist.c - histograms as sparse bucket lists: conversion, scaling, comparison, buckets in order. */
#include "metrics/promql/fhist_int.h"
#include "metrics/promql/lanes.h"

#include <float.h>
#include <math.h>

bool fh_buckets_alloc(Arena *a, FhBuckets *b, size_t n, bool kahan) {
    b->idx = ARENA_ARRAY(a, int32_t, n);
    b->v = ARENA_ARRAY(a, double, n);
    b->c = kahan ? arena_alloc_zero(a, n * sizeof(double)) : NULL;
    b->n = n;
    return b->idx && b->v && (b->c || !kahan);
}

static bool buckets_copy(Arena *a, const FhBuckets *from, FhBuckets *to) {
    if (!fh_buckets_alloc(a, to, from->n, from->c != NULL)) return false;
    if (from->n == 0) return true;
    memcpy(to->idx, from->idx, from->n * sizeof *to->idx);
    memcpy(to->v, from->v, from->n * sizeof *to->v);
    if (from->c) memcpy(to->c, from->c, from->n * sizeof *to->c);
    return true;
}

static bool buckets_from_spans(
    Arena *a, const HistogramSpan *spans, size_t n_spans, const double *v, size_t n, FhBuckets *out) {
    if (!fh_buckets_alloc(a, out, n, false)) return false;
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
void fh_buckets_coarsen(FhBuckets *b, int32_t from, int32_t to) {
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
    fh_buckets_coarsen(&f->pos, h->schema, schema);
    fh_buckets_coarsen(&f->neg, h->schema, schema);
    f->schema = schema;
    return f;
}

/* Upper bound of a bucket, digit for digit as Prometheus' tables have it: those of a schema were made by multiplying
 * every second bound, which is one of the schema below, by the schema's factor. The factors are 2^(2^-schema), the
 * first one 1 ulp too low. The last bucket of finite values ends at the largest of them. */
double fh_bound(int32_t idx, int32_t schema) {
    static const double factors[] = {1, 0x1.6a09e667f3bccp+0, 0x1.306fe0a31b715p+0, 0x1.172b83c7d517bp+0,
        0x1.0b5586cf9890fp+0, 0x1.059b0d3158574p+0, 0x1.02c9a3e778061p+0, 0x1.0163da9fb3335p+0, 0x1.00b1afa5abcbfp+0};
    int64_t exponent = schema < 0 ? idx * (INT64_C(1) << -schema) : idx >> schema;
    double frac = 0.5;
    for (int32_t bit = schema - 1; bit >= 0; bit--)
        if (idx >> bit & 1) frac *= factors[schema - bit];
    if (frac == 0.5 && exponent == 1024) return DBL_MAX;
    return ldexp(frac, (int)MAX(MIN(exponent, 2000), -2000) + 1);
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
    return fh_same_layout(a, b) && (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof *a->v) == 0);
}

bool fh_eq(const FHist *a, const FHist *b) {
    return a->schema == b->schema && same_bits(a->count, b->count) && same_bits(a->sum, b->sum) &&
           (!fh_is_custom(a) || fh_same_bounds(a, b)) && a->zero_threshold == b->zero_threshold &&
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
        double near = fh_bound(idx - 1, h->schema), far = fh_bound(idx, h->schema);
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
