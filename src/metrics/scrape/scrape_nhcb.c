#include "metrics/scrape/scrape_nhcb.h"

#include "base/num.h"
#include "metrics/scrape/scrape_created.h"

#include <math.h>
#include <stdlib.h>

#define BOUNDS_MAX 10000

typedef struct Bound {
    double le, count; /* cumulative */
} Bound;

struct Nhcb {
    PromTextVisitor next;
    bool keep_classic, created;
    Arena *arena;
    bool open;
    Buf key;               /* base name and labels but le, as written */
    PromTextSample sample; /* of the histogram: name and labels are in the arena */
    VEC(Bound) bounds;
    bool has_count, has_sum;
    double count, sum;
    AVEC(Exemplar) exemplars;
};

Nhcb *nhcb_create(const PromTextVisitor *next, bool keep_classic, bool created, Arena *arena) {
    Nhcb *n = NEW(Nhcb);
    n->next = *next;
    n->keep_classic = keep_classic;
    n->created = created;
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
static int by_bound(const void *a, const void *b) {
    double x = ((const Bound *)a)->le, y = ((const Bound *)b)->le;
    return x < y ? -1 : x > y;
}

/* false: not a histogram one can count on; its classic series are all there is then. */
static bool build(Nhcb *n, Histogram *h) {
    size_t k = n->bounds.n;
    if (k == 0) return false;
    qsort(n->bounds.v, k, sizeof *n->bounds.v, by_bound);
    if (isinf(n->bounds.v[k - 1].le)) {
        if (!n->has_count) n->count = n->bounds.v[k - 1].count;
        k--;
    } else if (!n->has_count) {
        n->count = n->bounds.v[k - 1].count;
    }
    double *bounds = ARENA_ARRAY(n->arena, double, k + 1), *counts = ARENA_ARRAY(n->arena, double, k + 1), before = 0;
    HistogramSpan *span = ARENA_NEW(n->arena, HistogramSpan);
    if (!bounds || !counts || !span) return false;
    bool whole = true;
    for (size_t i = 0; i <= k; i++) {
        double upto = i < k ? n->bounds.v[i].count : n->count;
        if (!(upto >= before)) return false;
        if (i < k) bounds[i] = n->bounds.v[i].le;
        if (i > 0 && i < k && bounds[i] == bounds[i - 1]) return false;
        counts[i] = upto - before;
        whole = whole && counts[i] == floor(counts[i]);
        before = upto;
    }
    *span = (HistogramSpan){0, (uint32_t)(k + 1)};
    *h = (Histogram){.schema = HISTOGRAM_SCHEMA_CUSTOM,
        .is_float = !whole,
        .count = n->count,
        .sum = n->sum,
        .pos_spans = span,
        .n_pos_spans = 1,
        .pos = counts,
        .n_pos = (uint32_t)(k + 1),
        .custom_bounds = bounds,
        .n_custom_bounds = (uint32_t)k,
        .reset = n->sample.type == METRIC_GAUGE_HISTOGRAM ? HISTOGRAM_RESET_GAUGE : HISTOGRAM_RESET_UNKNOWN};
    return true;
}

static ErrCode flush(Nhcb *n, Err *reterr) {
    Histogram h;
    if (!n->open) return OK;
    n->open = false;
    if (!build(n, &h)) return arena_exhausted(n->arena) ? exhausted(reterr) : OK;
    n->sample.histogram = &h;
    n->sample.raw = buf_str(&n->key);
    n->sample.more_exemplars = n->exemplars.v;
    n->sample.n_more_exemplars = n->exemplars.n;
    return n->next.sample(n->next.ctx, &n->sample, reterr);
}

/* --- collecting --- */
typedef enum Part { PART_NONE, PART_BUCKET, PART_COUNT, PART_SUM } Part;

static Part part_of(const PromTextSample *s, Str *ret_base, double *ret_le) {
    static const struct {
        Str suffix;
        Part part;
    } suffixes[] = {{STR_INIT("_bucket"), PART_BUCKET}, {STR_INIT("_gcount"), PART_COUNT},
        {STR_INIT("_gsum"), PART_SUM}, {STR_INIT("_count"), PART_COUNT}, {STR_INIT("_sum"), PART_SUM}};
    if ((s->type != METRIC_HISTOGRAM && s->type != METRIC_GAUGE_HISTOGRAM) || s->histogram || s->name_escaped)
        return PART_NONE;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (!str_ends_with(s->name, suffixes[i].suffix)) continue;
        *ret_base = str_slice(s->name, 0, s->name.n - suffixes[i].suffix.n);
        if (suffixes[i].part != PART_BUCKET) return suffixes[i].part;
        for (size_t k = 0; k < s->n_labels; k++)
            if (str_eq_lit(s->labels[k].name, "le"))
                return num_parse_f64(s->labels[k].value, ret_le) && !isnan(*ret_le) ? PART_BUCKET : PART_NONE;
        return PART_NONE;
    }
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
    n->has_count = n->has_sum = false;
    n->count = n->sum = 0;
    n->open = true;
    return OK;
}

static ErrCode add(Nhcb *n, const PromTextSample *s, Part part, double le, Err *reterr) {
    if (part == PART_COUNT) n->count = s->value, n->has_count = true;
    if (part == PART_SUM) n->sum = s->value, n->has_sum = true;
    if (part != PART_BUCKET) return OK;
    if (n->bounds.n >= BOUNDS_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "a histogram has more than %d buckets", BOUNDS_MAX);
    vec_push(&n->bounds, (Bound){le, s->value});
    if (s->has_exemplar && s->has_exemplar_t && !avec_push(n->arena, &n->exemplars, s->exemplar))
        return exhausted(reterr);
    return OK;
}

/* The start of the histogram at hand. It is a line of its own as well, for the classic series: next may want to see it
 * right after them. */
static bool tell_start(Nhcb *n, const PromTextSample *s) {
    int64_t start_ms;
    if (!n->open || !n->created || s->type != METRIC_HISTOGRAM || !str_ends_with(s->name, STR("_created")))
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

static ErrCode on_sample(void *ctx, const PromTextSample *s, Err *reterr) {
    Nhcb *n = ctx;
    Str base = STR_NULL;
    double le = 0;
    Part part = part_of(s, &base, &le);
    ErrCode code = OK;
    if (part == PART_NONE && tell_start(n, s)) {
        code = n->next.sample(n->next.ctx, s, reterr);
        return code == OK ? flush(n, reterr) : code;
    }
    if (part == PART_NONE) {
        code = flush(n, reterr);
        return code == OK ? n->next.sample(n->next.ctx, s, reterr) : code;
    }
    Buf key = {0};
    put_key(&key, s, base);
    if (!n->open || !str_eq(buf_str(&key), buf_str(&n->key))) {
        code = flush(n, reterr);
        Buf old = n->key;
        n->key = key;
        key = old;
        if (code == OK) code = begin(n, s, base, reterr);
    }
    buf_done(&key);
    if (code == OK) code = add(n, s, part, le, reterr);
    return code == OK && n->keep_classic ? n->next.sample(n->next.ctx, s, reterr) : code;
}

static ErrCode on_meta(void *ctx, const PromTextMeta *m, Err *reterr) {
    Nhcb *n = ctx;
    ErrCode code = flush(n, reterr);
    return code == OK && n->next.meta ? n->next.meta(n->next.ctx, m, reterr) : code;
}

PromTextVisitor nhcb_visitor(Nhcb *n) { return (PromTextVisitor){n, on_sample, on_meta, NULL}; }

ErrCode nhcb_finish(Nhcb *n, Err *reterr) { return flush(n, reterr); }
