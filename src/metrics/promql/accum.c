/* accum.c - sum, avg, min, max, count, group, stddev, stdvar over rows as they stream by: per part and group one row of
 * accumulators; the parts' rows are put together in the end. */
#include "metrics/promql/groups.h"
#include "metrics/promql/stream.h"

/* A row: v is the sum, mean or extreme; c its compensation or sum of squares; count where it is needed. */
typedef struct AccRow {
    Labels labels;
    bool drop_name;
    uint64_t *present;
    double *v, *c, *count;
    uint64_t same; /* rows that count does not have yet: they have points where present says */
} AccRow;

typedef struct AccPart {
    GroupMap *groups;
    AVEC(AccRow) rows;
} AccPart;

typedef struct Accum {
    const Grid *g;
    const PqlNode *n;
    PqlTok op;
    AccPart *parts;
    size_t n_parts;
    _Atomic bool unfit; /* there are histograms, or numbers so large that order matters */
} Accum;

static bool needs_c(PqlTok op) { return op == TOK_SUM || op == TOK_AVG || op == TOK_STDDEV || op == TOK_STDVAR; }
static bool needs_count(PqlTok op) { return op == TOK_AVG || op == TOK_COUNT || op == TOK_STDDEV || op == TOK_STDVAR; }

static bool accum_begin(void *ctx, Ev *ev, size_t n_series, size_t n_parts) {
    Accum *a = ctx;
    (void)n_series;
    a->n_parts = n_parts;
    a->parts = arena_alloc_zero(ev->arena, n_parts * sizeof *a->parts);
    if (!a->parts) return ev_no_memory(ev);
    for (size_t k = 0; k < n_parts; k++) {
        bool without = a->n->aggregate.without;
        a->parts[k].groups = group_map_create(&a->n->aggregate.grouping, !without, without);
    }
    return true;
}

static AccRow *row_of(Accum *a, Ev *w, AccPart *p, const PqlSeries *s) {
    bool is_new;
    size_t n = a->g->n, words = bitmap_words(n), group = group_map_find(p->groups, s->labels, &is_new);
    if (!is_new) return &p->rows.v[group];
    AccRow r = {.labels = group_labels(w, a->n, s->labels)};
    if (r.labels.v == s->labels.v && !stream_keep_labels(w, r.labels, &r.labels)) return NULL;
    size_t columns = 1 + needs_c(a->op) + needs_count(a->op);
    double *v = arena_alloc_zero(w->arena, columns * n * sizeof *v + words * sizeof *r.present);
    if (!v) return ev_no_memory(w), NULL;
    r.present = (uint64_t *)(void *)(v + columns * n);
    r.v = v;
    if (needs_c(a->op)) r.c = v + n;
    if (needs_count(a->op)) r.count = v + (columns - 1) * n;
    if (!avec_push(w->arena, &p->rows, r)) return ev_no_memory(w), NULL;
    return &p->rows.v[group];
}

/* --- one row more --- */

/* What a step without a sample before takes over, and the steps that have one. */
#define FOR_ADDED(i, r, s, n, first, again)                                                                            \
    for (size_t w_ = 0; w_ < bitmap_words(n); w_++) {                                                                  \
        uint64_t new_ = (s)->present[w_] & ~(r)->present[w_], old_ = (s)->present[w_] & (r)->present[w_];              \
        (r)->present[w_] |= new_;                                                                                      \
        for (; new_; new_ &= new_ - 1) {                                                                               \
            size_t i = w_ * 64 + (size_t)__builtin_ctzll(new_);                                                        \
            first;                                                                                                     \
        }                                                                                                              \
        if (old_ == UINT64_MAX) {                                                                                      \
            for (size_t i = w_ * 64; i < w_ * 64 + 64; i++) again;                                                     \
        } else {                                                                                                       \
            for (; old_; old_ &= old_ - 1) {                                                                           \
                size_t i = w_ * 64 + (size_t)__builtin_ctzll(old_);                                                    \
                again;                                                                                                 \
            }                                                                                                          \
        }                                                                                                              \
    }

static inline void welford(AccRow *r, size_t i, double x) {
    double delta = x - r->v[i];
    r->count[i]++;
    r->v[i] += delta / r->count[i];
    r->c[i] += delta * (x - r->v[i]);
}

/* Rows that were only counted, so far, are counted at their steps. */
static void count_rows(AccRow *r, size_t n) {
    if (!r->same) return;
    for (size_t i = bitmap_next(r->present, 0, n); i < n; i = bitmap_next(r->present, i + 1, n))
        r->count[i] += (double)r->same;
    r->same = 0;
}

/* A row with points at just those steps that have had some: what most are. false: it is not, or its steps are
 * scattered. */
static bool add_same(PqlTok op, AccRow *r, const PqlSeries *s, size_t n) {
    size_t from, to;
    if (op != TOK_SUM && op != TOK_AVG && op != TOK_COUNT) return false;
    if (memcmp(r->present, s->present, bitmap_words(n) * sizeof *r->present) != 0) return false;
    if (op != TOK_COUNT && !bitmap_run(s->present, n, &from, &to)) return false;
    if (op != TOK_COUNT) lanes_kahan_add(r->v + from, r->c + from, s->v + from, to - from);
    if (op != TOK_SUM) r->same++;
    return true;
}

static void add_row(PqlTok op, AccRow *r, const PqlSeries *s, size_t n) {
    double *v = r->v, *c = r->c, *count = r->count;
    const double *x = s->v;
    if (add_same(op, r, s, n)) return;
    count_rows(r, n);
    switch (op) {
    case TOK_SUM: FOR_ADDED(i, r, s, n, v[i] = x[i], kahan_add(x[i], &v[i], &c[i])); return;
    case TOK_AVG:
        FOR_ADDED(i, r, s, n, (v[i] = x[i], count[i] = 1), (count[i]++, kahan_add(x[i], &v[i], &c[i])));
        return;
    case TOK_MAX: FOR_ADDED(i, r, s, n, v[i] = x[i], v[i] = v[i] < x[i] || isnan(v[i]) ? x[i] : v[i]); return;
    case TOK_MIN: FOR_ADDED(i, r, s, n, v[i] = x[i], v[i] = v[i] > x[i] || isnan(v[i]) ? x[i] : v[i]); return;
    case TOK_COUNT: FOR_ADDED(i, r, s, n, count[i] = 1, count[i]++); return;
    case TOK_GROUP: FOR_ADDED(i, r, s, n, v[i] = 1, (void)i); return;
    default:
        ASSERT(op == TOK_STDDEV || op == TOK_STDVAR);
        FOR_ADDED(i, r, s, n, (v[i] = x[i], c[i] = isfinite(x[i]) ? 0 : NAN, count[i] = 1), welford(r, i, x[i]));
    }
}

static bool accum_row(void *ctx, Ev *w, size_t part, size_t index, PqlSeries *s) {
    Accum *a = ctx;
    (void)index;
    if (s->h) {
        a->unfit = true;
        return false;
    }
    if (!bitmap_any(s->present, a->g->n)) return true;
    AccRow *r = row_of(a, w, &a->parts[part], s);
    if (!r) return false;
    r->drop_name |= s->drop_name;
    add_row(a->op, r, s, a->g->n);
    return true;
}

/* --- parts together --- */

/* Chan's formula for the mean and the squares of two sets. */
static void join_squares(AccRow *r, const AccRow *s, size_t i) {
    double n = r->count[i], m = s->count[i], delta = s->v[i] - r->v[i], all = n + m;
    r->v[i] += delta * m / all;
    r->c[i] += s->c[i] + delta * delta * n * m / all;
    r->count[i] = all;
}

static void join_row(PqlTok op, AccRow *r, const AccRow *s, size_t n) {
    r->drop_name |= s->drop_name;
    for (size_t i = bitmap_next(s->present, 0, n); i < n; i = bitmap_next(s->present, i + 1, n)) {
        if (!bit_get(r->present, i)) {
            bit_set(r->present, i);
            r->v[i] = s->v[i];
            if (r->c) r->c[i] = s->c[i];
            if (r->count) r->count[i] = s->count[i];
            continue;
        }
        switch (op) {
        case TOK_AVG:
        case TOK_SUM:
            kahan_add(s->v[i], &r->v[i], &r->c[i]);
            r->c[i] += s->c[i];
            if (op == TOK_AVG) r->count[i] += s->count[i];
            break;
        case TOK_MAX: r->v[i] = r->v[i] < s->v[i] || isnan(r->v[i]) ? s->v[i] : r->v[i]; break;
        case TOK_MIN: r->v[i] = r->v[i] > s->v[i] || isnan(r->v[i]) ? s->v[i] : r->v[i]; break;
        case TOK_COUNT: r->count[i] += s->count[i]; break;
        case TOK_GROUP: break;
        default: join_squares(r, s, i);
        }
    }
}

static bool join_parts(Accum *a, Ev *ev) {
    AccPart *first = &a->parts[0];
    for (size_t k = 0; k < a->n_parts; k++)
        for (size_t j = 0; j < a->parts[k].rows.n; j++) count_rows(&a->parts[k].rows.v[j], a->g->n);
    for (size_t k = 1; k < a->n_parts; k++) {
        AccPart *p = &a->parts[k];
        for (size_t j = 0; j < p->rows.n; j++) {
            bool is_new;
            size_t group = group_map_find(first->groups, p->rows.v[j].labels, &is_new);
            if (!is_new)
                join_row(a->op, &first->rows.v[group], &p->rows.v[j], a->g->n);
            else if (!avec_push(ev->arena, &first->rows, p->rows.v[j]))
                return ev_no_memory(ev);
        }
    }
    return true;
}

/* In place; false: a sum has overflown, which Prometheus' way of averaging may not. */
static bool finish_row(PqlTok op, AccRow *r, size_t n) {
    for (size_t i = bitmap_next(r->present, 0, n); i < n; i = bitmap_next(r->present, i + 1, n)) {
        double *v = &r->v[i];
        switch (op) {
        case TOK_SUM: *v += r->c[i]; break;
        case TOK_AVG:
            if (isinf(*v)) return false;
            *v = *v / r->count[i] + r->c[i] / r->count[i];
            break;
        case TOK_COUNT: *v = r->count[i]; break;
        case TOK_STDVAR: *v = r->c[i] / r->count[i]; break;
        case TOK_STDDEV: *v = sqrt(r->c[i] / r->count[i]); break;
        default: break;
        }
    }
    return true;
}

static bool accum_finish(Accum *a, Ev *ev, PqlMatrix *ret) {
    if (a->unfit || !join_parts(a, ev)) return false;
    AccPart *p = &a->parts[0];
    for (size_t j = 0; j < p->rows.n; j++) {
        AccRow *r = &p->rows.v[j];
        if (!finish_row(a->op, r, a->g->n)) {
            a->unfit = true;
            return false;
        }
        if (!avec_push(ev->arena, ret, (PqlSeries){r->labels, r->drop_name, r->v, r->present, NULL}))
            return ev_no_memory(ev);
    }
    return true;
}

static bool op_streams(PqlTok op) {
    switch (op) {
    case TOK_SUM:
    case TOK_AVG:
    case TOK_MIN:
    case TOK_MAX:
    case TOK_COUNT:
    case TOK_GROUP:
    case TOK_STDDEV:
    case TOK_STDVAR: return true;
    default: return false;
    }
}

bool ev_aggregate_stream(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret, bool *ret_done) {
    *ret_done = false;
    if (!op_streams(n->aggregate.op)) return true;
    Accum a = {.g = g, .n = n, .op = n->aggregate.op};
    bool one_group = !n->aggregate.without && n->aggregate.grouping.n == 0;
    bool counts = a.op == TOK_COUNT || a.op == TOK_GROUP;
    StreamSink sink = {.ctx = &a, .no_labels = one_group, .no_values = counts, .begin = accum_begin, .row = accum_row};
    bool clashes = false;
    bool ok = ev_stream(ev, g, n->aggregate.expr, &sink, &clashes) && !clashes && accum_finish(&a, ev, ret);
    for (size_t k = 0; a.parts && k < a.n_parts; k++) group_map_free(a.parts[k].groups);
    if (ev->rc != OK) return false;
    *ret_done = ok;
    return true;
}
