#include "metrics/scrape/scrape_nhcb.h"

#include "base/num.h"
#include "metrics/scrape/scrape_created.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BOUNDS_MAX 10000

typedef struct Bound {
    double le, count; /* cumulative */
    size_t order;
} Bound;

struct Nhcb {
    NhcbOptions o;
    PromTextVisitor next;
    Arena *arena;
    Str family; /* of the newest TYPE */
    bool open;
    Buf key;               /* base name and labels but le, as written */
    PromTextSample sample; /* of the histogram: name and labels are in the arena */
    VEC(Bound) bounds;
    bool has_count, own_exemplars;
    double count, sum;
    char wrong[128]; /* what was first */
    AVEC(Exemplar) exemplars;
};

Nhcb *nhcb_create(const PromTextVisitor *next, const NhcbOptions *o, Arena *arena) {
    Nhcb *n = NEW(Nhcb);
    n->o = *o;
    n->next = *next;
    n->arena = arena;
    return n;
}

void nhcb_free(Nhcb *n) {
    if (!n) return;
    buf_done(&n->key);
    vec_done(&n->bounds);
    mem_free(n);
}

static ErrCode exhausted(Err *reterr) {
    return err_set(reterr, ERR_TOO_LARGE, "the memory budget of the scrape is used up");
}

/* --- handing on --- */
static bool wrong(Nhcb *n, const char *fmt, ...) ATTR_PRINTF(2, 3);
static bool wrong(Nhcb *n, const char *fmt, ...) {
    va_list args;
    if (n->wrong[0]) return false;
    va_start(args, fmt);
    (void)vsnprintf(n->wrong, sizeof n->wrong, fmt, args);
    va_end(args);
    return false;
}

static int by_bound(const void *a, const void *b) {
    const Bound *x = a, *y = b;
    if (x->le != y->le) return x->le < y->le ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* Sorted, of equal bounds the first one; a last one without an end. */
static bool settle_bounds(Nhcb *n) {
    size_t k = 0;
    if (n->bounds.n) qsort(n->bounds.v, n->bounds.n, sizeof *n->bounds.v, by_bound);
    for (size_t i = 0; i < n->bounds.n; i++)
        if (k == 0 || n->bounds.v[i].le != n->bounds.v[k - 1].le) n->bounds.v[k++] = n->bounds.v[i];
    n->bounds.n = k;
    for (size_t i = 1; i < k; i++)
        if (n->bounds.v[i].count < n->bounds.v[i - 1].count)
            return wrong(n, "count is not cumulative: %g < %g", n->bounds.v[i].count, n->bounds.v[i - 1].count);
    if (!n->has_count && k == 0) return wrong(n, "count must be provided when no buckets are present");
    if (!n->has_count) n->count = n->bounds.v[k - 1].count;
    if (k == 0 || n->bounds.v[k - 1].le != INFINITY) vec_push(&n->bounds, (Bound){INFINITY, n->count, 0});
    double last = n->bounds.v[n->bounds.n - 1].count;
    if (n->count == last) return true;
    return wrong(n, "count mismatch: count=%g != le=+Inf count=%g", n->count, last);
}

/* false: not a histogram one can count on, and n->wrong says why; or the arena is exhausted. */
static bool build(Nhcb *n, Histogram *h) {
    if (n->wrong[0] || !settle_bounds(n)) return false;
    size_t k = n->bounds.n;
    double *bounds = ARENA_ARRAY(n->arena, double, k), *counts = ARENA_ARRAY(n->arena, double, k), before = 0;
    HistogramSpan *span = ARENA_NEW(n->arena, HistogramSpan);
    if (!bounds || !counts || !span) return false;
    bool whole = true;
    for (size_t i = 0; i < k; i++) {
        double upto = n->bounds.v[i].count;
        bounds[i] = n->bounds.v[i].le;
        counts[i] = upto - before;
        whole = whole && upto == floor(upto) && upto < 0x1p63;
        before = upto;
    }
    *span = (HistogramSpan){0, (uint32_t)k};
    *h = (Histogram){.schema = HISTOGRAM_SCHEMA_CUSTOM,
        .is_float = !whole,
        .count = n->count,
        .sum = n->sum,
        .pos_spans = span,
        .n_pos_spans = 1,
        .pos = counts,
        .n_pos = (uint32_t)k,
        .custom_bounds = bounds,
        .n_custom_bounds = (uint32_t)(k - 1),
        .reset = n->sample.type == METRIC_GAUGE_HISTOGRAM ? HISTOGRAM_RESET_GAUGE : HISTOGRAM_RESET_UNKNOWN};
    Err err = {0};
    return histogram_check(h, &err) == OK || wrong(n, "invalid histogram: %s", err.msg);
}

static ErrCode flush(Nhcb *n, Err *reterr) {
    Histogram h;
    if (!n->open) return OK;
    n->open = false;
    if (!build(n, &h)) {
        if (arena_exhausted(n->arena)) return exhausted(reterr);
        return n->o.proto ? err_set(reterr, ERR_INVALID, "%s", n->wrong) : OK;
    }
    n->sample.histogram = &h;
    n->sample.raw = buf_str(&n->key);
    n->sample.more_exemplars = n->exemplars.v;
    n->sample.n_more_exemplars = n->exemplars.n;
    return n->next.sample(n->next.ctx, &n->sample, reterr);
}

/* --- collecting --- */
typedef enum Part { PART_NONE, PART_BUCKET, PART_COUNT, PART_SUM } Part;

static Part suffix_of(Str name, Str *ret_base) {
    static const struct {
        Str suffix;
        Part part;
    } suffixes[] = {{STR_INIT("_bucket"), PART_BUCKET}, {STR_INIT("_count"), PART_COUNT}, {STR_INIT("_sum"), PART_SUM}};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (!str_ends_with(name, suffixes[i].suffix)) continue;
        *ret_base = str_slice(name, 0, name.n - suffixes[i].suffix.n);
        return suffixes[i].part;
    }
    *ret_base = name;
    return PART_NONE;
}

/* May it be a series of a classic histogram? In text those of gauges stay as they are, as in Prometheus. */
static bool is_classic(const Nhcb *n, const PromTextSample *s) {
    bool typed = s->type == METRIC_HISTOGRAM || (n->o.proto && s->type == METRIC_GAUGE_HISTOGRAM);
    return typed && !s->histogram && !s->native_too && !s->name_escaped;
}

static Part part_of(const Nhcb *n, const PromTextSample *s, Str *ret_base, double *ret_le) {
    Part part = suffix_of(s->name, ret_base);
    if (!str_eq(*ret_base, n->family)) return PART_NONE;
    if (part != PART_BUCKET) return part;
    for (size_t k = 0; k < s->n_labels; k++)
        if (str_eq_lit(s->labels[k].name, "le"))
            return num_parse_f64(s->labels[k].value, ret_le) && (n->o.proto || !isnan(*ret_le)) ? PART_BUCKET
                                                                                                : PART_NONE;
    return PART_NONE;
}

static bool is_le(const PromTextLabel *l) { return str_eq_lit(l->name, "le"); }

static void put_key(Buf *b, const PromTextSample *s, Str base) {
    buf_put_char(b, 'N');
    buf_put_str(b, base);
    for (size_t i = 0; i < s->n_labels; i++) {
        if (is_le(&s->labels[i])) continue;
        buf_put_char(b, (char)0xff);
        buf_put_str(b, s->labels[i].name);
        buf_put_char(b, (char)0xff);
        buf_put_str(b, s->labels[i].value);
    }
    if (s->has_t) buf_printf(b, "\xff%lld", (long long)s->t_ms);
}

static ErrCode begin(Nhcb *n, const PromTextSample *s, Str base, Err *reterr) {
    PromTextLabel *v = ARENA_ARRAY(n->arena, PromTextLabel, s->n_labels);
    size_t k = 0;
    Str name = arena_copy(n->arena, base);
    if (!v || !name.p) return exhausted(reterr);
    for (size_t i = 0; i < s->n_labels; i++) {
        if (is_le(&s->labels[i])) continue;
        v[k] = s->labels[i];
        v[k].name = arena_copy(n->arena, v[k].name);
        v[k].value = arena_copy(n->arena, v[k].value);
        if (!v[k].name.p || !v[k].value.p) return exhausted(reterr);
        k++;
    }
    n->sample = (PromTextSample){.name = name,
        .labels = v,
        .n_labels = k,
        .type = s->type,
        .has_t = s->has_t,
        .t_ms = s->t_ms,
        .start_ms = s->start_ms,
        .line = s->line};
    vec_clear(&n->bounds);
    n->exemplars.v = NULL;
    n->exemplars.n = n->exemplars.cap = 0;
    n->has_count = n->own_exemplars = false;
    n->wrong[0] = 0;
    n->count = n->sum = 0;
    n->open = true;
    return OK;
}

static ErrCode add_exemplars(Nhcb *n, const PromTextSample *s, Err *reterr) {
    for (size_t i = 0; i < s->n_more_exemplars; i++) /* its own; those of the buckets are older ones then */
        if (!avec_push(n->arena, &n->exemplars, s->more_exemplars[i])) return exhausted(reterr);
    n->own_exemplars |= s->n_more_exemplars > 0;
    if (n->own_exemplars) return OK;
    bool placed = s->has_exemplar && s->has_exemplar_t; /* without a time it has no place in a histogram */
    return !placed || avec_push(n->arena, &n->exemplars, s->exemplar) ? OK : exhausted(reterr);
}

static ErrCode add(Nhcb *n, const PromTextSample *s, Part part, double le, Err *reterr) {
    switch (part) {
    case PART_NONE: return OK;
    case PART_COUNT:
        n->count = s->value;
        n->has_count = true;
        if (s->value < 0) (void)wrong(n, "count must be non-negative: count=%g", s->value);
        break;
    case PART_SUM: n->sum = s->value; break;
    case PART_BUCKET:
        if (n->bounds.n >= BOUNDS_MAX)
            return err_set(reterr, ERR_TOO_LARGE, "a histogram has more than %d buckets", BOUNDS_MAX);
        if (isnan(le)) (void)wrong(n, "bucket boundary must not be NaN");
        if (s->value < 0) (void)wrong(n, "bucket count must be non-negative: le=%g, count=%g", le, s->value);
        vec_push(&n->bounds, (Bound){le, s->value, n->bounds.n});
        break;
    }
    return add_exemplars(n, s, reterr);
}

/* The start of the histogram at hand. It is a line of its own as well, for the classic series: next may want to see it
 * right after them. */
static bool tell_start(Nhcb *n, const PromTextSample *s) {
    int64_t start_ms;
    if (!n->open || !n->o.created || s->type != METRIC_HISTOGRAM || !str_ends_with(s->name, STR("_created")))
        return false;
    if (!created_start(s->value, &start_ms)) return false;
    PromTextSample as_theirs = *s;
    Buf key = {0};
    as_theirs.has_t = n->sample.has_t; /* whether it has a time does not matter */
    as_theirs.t_ms = n->sample.t_ms;
    put_key(&key, &as_theirs, str_slice(s->name, 0, s->name.n - STR("_created").n));
    bool same = str_eq(buf_str(&key), buf_str(&n->key));
    if (same) n->sample.start_ms = start_ms;
    buf_done(&key);
    return same;
}

/* Something between the series of a histogram, of its name and labels but not of it, does not end it. */
static ErrCode hand_on(Nhcb *n, const PromTextSample *s, bool of_it, Err *reterr) {
    ErrCode code = OK;
    if (tell_start(n, s)) {
        code = n->next.sample(n->next.ctx, s, reterr);
        return code == OK ? flush(n, reterr) : code;
    }
    if (!of_it) code = flush(n, reterr);
    return code == OK ? n->next.sample(n->next.ctx, s, reterr) : code;
}

static ErrCode on_sample(void *ctx, const PromTextSample *s, Err *reterr) {
    Nhcb *n = ctx;
    Str base = STR_NULL;
    double le = 0;
    if (!is_classic(n, s)) return hand_on(n, s, false, reterr);
    Part part = part_of(n, s, &base, &le);
    Buf key = {0};
    put_key(&key, s, base);
    bool same = n->open && str_eq(buf_str(&key), buf_str(&n->key));
    if (part == PART_NONE) {
        buf_done(&key);
        return hand_on(n, s, same, reterr);
    }
    ErrCode code = OK;
    if (!same) {
        code = flush(n, reterr);
        Buf old = n->key;
        n->key = key;
        key = old;
        if (code == OK) code = begin(n, s, base, reterr);
    }
    buf_done(&key);
    if (code == OK) code = add(n, s, part, le, reterr);
    if (code != OK || !n->o.keep_classic) return code;
    PromTextSample classic = *s;
    classic.n_more_exemplars = 0;
    return n->next.sample(n->next.ctx, &classic, reterr);
}

static ErrCode on_meta(void *ctx, const PromTextMeta *m, Err *reterr) {
    Nhcb *n = ctx;
    ErrCode code = flush(n, reterr);
    if (m->kind == PROMTEXT_TYPE) n->family = m->metric;
    return code == OK && n->next.meta ? n->next.meta(n->next.ctx, m, reterr) : code;
}

PromTextVisitor nhcb_visitor(Nhcb *n) { return (PromTextVisitor){n, on_sample, on_meta, NULL}; }

ErrCode nhcb_finish(Nhcb *n, Err *reterr) { return flush(n, reterr); }
