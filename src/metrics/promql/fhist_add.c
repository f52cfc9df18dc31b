/* fhist_add.c - addition of histograms over different layouts, and whether one begins a counter anew. */
#include "metrics/promql/fhist_int.h"
#include "metrics/promql/lanes.h"

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
                if (fh_bound(b->idx[i] - 1, h->schema) >= *threshold) break;
                count += b->v[i] + (b->c ? b->c[i] : 0);
                double upper = fh_bound(b->idx[i], h->schema);
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
        if (whole ? fh_bound(b->idx[i], schema) <= threshold : fh_bound(b->idx[i] - 1, schema) < threshold) continue;
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

static bool merge_buckets(Arena *a, FhBuckets *acc, const FhBuckets *b, double sign, bool kahan) {
    if (kahan && !acc->c && !(acc->c = arena_alloc_zero(a, acc->n * sizeof(double)))) return false;
    if (fh_same_layout(acc, b)) {
        for (size_t i = 0; i < b->n; i++) add_number(sign * b->v[i], kahan, &acc->v[i], acc->c ? &acc->c[i] : NULL);
        return true;
    }
    FhBuckets out;
    if (!fh_buckets_alloc(a, &out, acc->n + b->n, acc->c != NULL)) return false;
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
    if (!fh_buckets_alloc(a, out, h->pos.n, h->pos.c != NULL)) return false;
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
    if (fh_same_bounds(acc, b)) return merge_buckets(a, &acc->pos, &b->pos, sign, kahan);
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
        fh_buckets_coarsen(&acc->pos, acc->schema, b->schema);
        fh_buckets_coarsen(&acc->neg, acc->schema, b->schema);
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
    if (fh_same_bounds(cur, prev)) return buckets_dropped(&cur->pos, &prev->pos);
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
