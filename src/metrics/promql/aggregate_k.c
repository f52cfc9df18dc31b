/* aggregate_k.c - topk, bottomk, limitk, limit_ratio: some of the series, as they are. */
#include "metrics/promql/engine_int.h"

#include "base/hash.h"

#include <stdlib.h>

typedef struct Candidate {
    size_t series;
    double v;
} Candidate;

/* The worst of the chosen ones on top: with topk the smallest value, NaN below all. */
static bool worse(const Candidate *a, const Candidate *b, bool top) {
    if (isnan(a->v)) return true;
    return top ? a->v < b->v : a->v > b->v;
}

static void sift_up(Candidate *h, size_t i, bool top) {
    while (i > 0 && worse(&h[i], &h[(i - 1) / 2], top)) {
        Candidate t = h[i];
        h[i] = h[(i - 1) / 2];
        h[(i - 1) / 2] = t;
        i = (i - 1) / 2;
    }
}

static void sift_down(Candidate *h, size_t n, bool top) {
    size_t i = 0;
    for (;;) {
        size_t l = 2 * i + 1, m = l;
        if (l >= n) return;
        if (l + 1 < n && worse(&h[l + 1], &h[l], top)) m = l + 1;
        if (!worse(&h[m], &h[i], top)) return;
        Candidate t = h[i];
        h[i] = h[m];
        h[m] = t;
        i = m;
    }
}

static int cmp_top(const void *a, const void *b) {
    double v = ((const Candidate *)a)->v, w = ((const Candidate *)b)->v;
    if (isnan(v) || isnan(w)) return isnan(v) - isnan(w);
    return (v < w) - (v > w);
}
static int cmp_bottom(const void *a, const void *b) {
    double v = ((const Candidate *)a)->v, w = ((const Candidate *)b)->v;
    if (isnan(v) || isnan(w)) return isnan(v) - isnan(w);
    return (v > w) - (v < w);
}

typedef struct Choice {
    Ev *ev;
    const PqlNode *n;
    const PqlMatrix *in;
    const Groups *groups;
    PqlTok op;
    Candidate *chosen; /* per group: a slice */
    size_t *first, *count;
} Choice;

static void offer(const Choice *c, size_t series, double v, size_t k) {
    size_t group = c->groups->of[series];
    Candidate *h = c->chosen + c->first[group], cand = {series, v};
    size_t *n = &c->count[group];
    bool top = c->op == TOK_TOPK;
    if (*n < k) {
        h[(*n)++] = cand;
        if (c->op != TOK_LIMITK) sift_up(h, *n - 1, top);
    } else if (c->op != TOK_LIMITK && k > 0) {
        bool better = top ? h[0].v < v : h[0].v > v;
        if (!better && !(isnan(h[0].v) && !isnan(v))) return;
        h[0] = cand;
        sift_down(h, *n, top);
    }
}

/* Hash of a label set in the order and encoding of Prometheus' default build, as a fraction of 2^64. */
static double ratio_offset(Labels l) {
    Buf b = {0};
    for (size_t i = 0; i < l.n; i++) {
        const Str parts[] = {l.v[i].name, l.v[i].value};
        for (size_t k = 0; k < 2; k++) {
            size_t n = parts[k].n;
            if (n < 255) {
                buf_put_char(&b, (char)n);
            } else {
                const char size[] = {(char)255, (char)n, (char)(n >> 8), (char)(n >> 16)};
                buf_put(&b, size, sizeof size);
            }
            buf_put_str(&b, parts[k]);
        }
    }
    uint64_t hash = hash_xx64(buf_str(&b), 0);
    buf_done(&b);
    return (double)hash / 18446744073709551616.0;
}

static bool ratio_takes(double ratio, double offset) {
    return (ratio >= 0 && offset < ratio) || (ratio < 0 && offset >= 1 + ratio);
}

static bool check_k(Ev *ev, const Grid *g, const double *k) {
    for (size_t i = 0; i < g->n; i++)
        if (isnan(k[i])) return ev_fail(ev, "Parameter value is NaN");
    for (size_t i = 0; i < g->n; i++) {
        Buf b = {0};
        pql_put_g(&b, k[i]);
        bool ok = true;
        if (k[i] <= -9223372036854775808.0)
            ok = ev_fail(ev, "Scalar value %s underflows int64", buf_cstr(&b));
        else if (k[i] >= 9223372036854775808.0)
            ok = ev_fail(ev, "Scalar value %s overflows int64", buf_cstr(&b));
        buf_done(&b);
        if (!ok) return false;
    }
    return true;
}

static double max_of(const Grid *g, const double *v) {
    double m = -INFINITY;
    bool any = false;
    for (size_t i = 0; i < g->n; i++) {
        if (v[i] > m) m = v[i];
        any |= !isnan(v[i]);
    }
    return any ? m : NAN;
}

static double min_of(const Grid *g, const double *v) {
    double m = INFINITY;
    for (size_t i = 0; i < g->n; i++)
        if (v[i] < m) m = v[i];
    return m;
}

static bool check_ratio(Ev *ev, const Grid *g, const PqlNode *param, const double *r) {
    for (size_t i = 0; i < g->n; i++)
        if (isnan(r[i])) return ev_fail(ev, "Ratio value is NaN");
    double max = max_of(g, r), min = min_of(g, r);
    for (int k = 0; k < 2; k++) {
        if (k == 0 ? !(max > 1) : !(min < -1)) continue;
        Buf b = {0};
        pql_put_g(&b, k == 0 ? max : min);
        ev_warn(ev, param->span, "ratio value should be between -1 and 1, got %s, capping to %s", buf_cstr(&b),
            k == 0 ? "1" : "-1");
        buf_done(&b);
    }
    return true;
}

static bool copy_column(Ev *ev, const Grid *g, const PqlSeries *s, PqlMatrix *ret, PqlSeries **out) {
    *out = matrix_add(ev, ret, g, s->labels);
    if (!*out) return false;
    (*out)->drop_name = s->drop_name;
    (*out)->v = s->v;
    (*out)->h = s->h;
    return true;
}

static bool limit_ratio(Choice *c, const Grid *g, const double *ratio, PqlMatrix *ret) {
    for (size_t k = 0; k < c->in->n; k++) {
        const PqlSeries *s = &c->in->v[k];
        PqlSeries *out;
        double offset = ratio_offset(s->labels);
        if (!copy_column(c->ev, g, s, ret, &out)) return false;
        FOR_PRESENT(i, s, g->n) {
            double r = fmax(-1, fmin(1, ratio[i]));
            if (r != 0 && ratio_takes(r, offset)) bit_set(out->present, i);
        }
    }
    matrix_drop_empty(ret, g);
    return true;
}

/* Chooses at one step; the chosen are sorted, best first. */
static void choose_step(Choice *c, size_t i, double k) {
    memset(c->count, 0, c->groups->n * sizeof *c->count);
    if (k < 1) return;
    size_t limit = k >= (double)c->in->n ? c->in->n : (size_t)k;
    for (size_t s = 0; s < c->in->n; s++) {
        if (!bit_get(c->in->v[s].present, i)) continue;
        if (c->op != TOK_LIMITK && series_h(&c->in->v[s], i)) {
            ev_info(c->ev, c->n->span, "ignored histogram in %s aggregation", pql_tok_text(c->op));
            continue;
        }
        offer(c, s, c->in->v[s].v[i], limit);
    }
    for (size_t j = 0; c->op != TOK_LIMITK && j < c->groups->n; j++)
        qsort(c->chosen + c->first[j], c->count[j], sizeof(Candidate), c->op == TOK_TOPK ? cmp_top : cmp_bottom);
}

static bool choose(Choice *c, const Grid *g, const double *k, PqlMatrix *ret) {
    PqlMatrix all = {0};
    for (size_t s = 0; s < c->in->n; s++) {
        PqlSeries *out;
        if (!copy_column(c->ev, g, &c->in->v[s], &all, &out)) return false;
    }
    for (size_t i = 0; i < g->n; i++) {
        if (!ev_alive(c->ev)) return false;
        choose_step(c, i, k[i]);
        for (size_t j = 0; j < c->groups->n; j++)
            for (size_t m = 0; m < c->count[j]; m++) bit_set(all.v[c->chosen[c->first[j] + m].series].present, i);
    }
    if (g->n > 1) {
        *ret = all;
        matrix_drop_empty(ret, g);
        return true;
    }
    for (size_t j = 0; j < c->groups->n; j++)
        for (size_t m = 0; m < c->count[j]; m++)
            if (!avec_push(c->ev->arena, ret, all.v[c->chosen[c->first[j] + m].series])) return ev_no_memory(c->ev);
    return true;
}

bool ev_aggregate_k(Ev *ev, const Grid *g, PqlNode *n, const PqlMatrix *in, const double *param, PqlMatrix *ret) {
    Groups groups;
    Choice c = {.ev = ev, .n = n, .in = in, .groups = &groups, .op = n->aggregate.op};
    if (c.op == TOK_LIMIT_RATIO) {
        bool all_zero = max_of(g, param) == 0 && min_of(g, param) == 0;
        return all_zero ||
               (check_ratio(ev, g, promql_unparen(n->aggregate.param), param) && limit_ratio(&c, g, param, ret));
    }
    if (max_of(g, param) < 1) return true;
    if (!check_k(ev, g, param) || !ev_groups(ev, n, in, false, &groups)) return false;
    c.chosen = ARENA_ARRAY(ev->arena, Candidate, in->n);
    c.first = arena_alloc_zero(ev->arena, (groups.n + 1) * sizeof *c.first);
    c.count = ARENA_ARRAY(ev->arena, size_t, groups.n);
    if (!c.chosen || !c.first || !c.count) return ev_no_memory(ev);
    for (size_t s = 0; s < in->n; s++) c.first[groups.of[s] + 1]++;
    for (size_t j = 0; j < groups.n; j++) c.first[j + 1] += c.first[j];
    return choose(&c, g, param, ret);
}
