/* matching.c - vector matching: series meet by signature, once for all steps; the steps are bits. */
#include "metrics/promql/binary_int.h"
#include "metrics/promql/groups.h"

#include <stdlib.h>

typedef struct Match {
    Ev *ev;
    const Grid *g;
    const PqlNode *n;
    PqlMatrix *many, *one; /* sides as matching sees them: group_right swaps */
    bool swapped;
    const double *fill_many, *fill_one; /* values of a side that is missing, or NULL */
    size_t *many_sig, *one_sig;         /* signature of each series */
    size_t n_sigs;
    PqlMatrix *ret;
    struct StepNote *notes; /* per step; NULL: there are none yet */
} Match;

/* Of all pairs of a step that are to be remarked on, Prometheus tells of the last only. */
typedef struct StepNote {
    BinopNote note;
    size_t order; /* of the pair */
} StepNote;

static bool signatures(Ev *ev, const PqlMatrix *m, GroupMap *map, size_t **ret) {
    *ret = ARENA_ARRAY(ev->arena, size_t, m->n);
    if (!*ret) return ev_no_memory(ev);
    bool is_new;
    for (size_t i = 0; i < m->n; i++) (*ret)[i] = group_map_find(map, m->v[i].labels, &is_new);
    return true;
}

static uint64_t *bitmaps(Ev *ev, size_t n, const Grid *g) {
    uint64_t *b = arena_alloc_array(ev->arena, n, bitmap_words(g->n) * sizeof *b);
    if (b)
        memset(b, 0, n * bitmap_words(g->n) * sizeof *b);
    else
        ev_no_memory(ev);
    return b;
}

/* --- and, or, unless --- */

static uint64_t *sig_presence(Ev *ev, const Grid *g, const PqlMatrix *m, const size_t *sig, size_t n_sigs) {
    size_t words = bitmap_words(g->n);
    uint64_t *seen = bitmaps(ev, n_sigs, g);
    for (size_t i = 0; seen && i < m->n; i++)
        for (size_t w = 0; w < words; w++) seen[sig[i] * words + w] |= m->v[i].present[w];
    return seen;
}

static bool set_operator(Ev *ev, const Grid *g, const PqlNode *n, PqlMatrix *lhs, PqlMatrix *rhs, PqlMatrix *ret) {
    GroupMap *map = group_map_create(&n->binary.labels, n->binary.on, !n->binary.on);
    size_t *ls, *rs, n_sigs, words = bitmap_words(g->n);
    bool ok = signatures(ev, lhs, map, &ls) && signatures(ev, rhs, map, &rs);
    n_sigs = group_map_count(map);
    group_map_free(map);
    if (!ok) return false;
    bool is_or = n->binary.op == TOK_LOR;
    const uint64_t *seen = is_or ? sig_presence(ev, g, lhs, ls, n_sigs) : sig_presence(ev, g, rhs, rs, n_sigs);
    if (!seen) return false;
    PqlMatrix *masked = is_or ? rhs : lhs;
    const size_t *sig = is_or ? rs : ls;
    for (size_t i = 0; i < masked->n; i++)
        for (size_t w = 0; w < words; w++) {
            uint64_t s = seen[sig[i] * words + w];
            masked->v[i].present[w] &= n->binary.op == TOK_LAND ? s : ~s;
        }
    *ret = *lhs;
    for (size_t i = 0; is_or && i < rhs->n; i++)
        if (!avec_push(ev->arena, ret, rhs->v[i])) return ev_no_memory(ev);
    matrix_drop_empty(ret, g);
    return matrix_merge_same(ev, ret, g, false);
}

/* --- arithmetic and comparisons --- */

static Labels match_labels(Ev *ev, const PqlNode *n, Labels l) {
    return n->binary.on ? labels_keep(ev, l, &n->binary.labels) : labels_remove(ev, l, &n->binary.labels, true);
}

static Labels result_labels(Match *m, Labels many, Labels one) {
    const PqlNode *n = m->n;
    Ev *ev = m->ev;
    Labels l = many;
    bool drop = n->binary.return_bool && !ev->opts.delayed_name_removal;
    if (drop || binop_changes_metric(n->binary.op)) l = labels_without_name(ev, l);
    if (n->binary.card == PQL_ONE_TO_ONE)
        l = n->binary.on ? labels_keep(ev, l, &n->binary.labels) : labels_remove(ev, l, &n->binary.labels, false);
    for (size_t i = 0; i < n->binary.include.n; i++)
        l = labels_with(ev, l, n->binary.include.v[i], labels_get(one, n->binary.include.v[i]));
    return l;
}

static bool fail_duplicates(Match *m, Labels a, Labels b) {
    Buf x = {0}, y = {0}, group = {0};
    promql_put_labels(&group, match_labels(m->ev, m->n, a));
    promql_put_labels(&x, a);
    promql_put_labels(&y, b);
    bool order = str_cmp(buf_str(&x), buf_str(&y)) <= 0;
    ev_fail(m->ev,
        "found duplicate series for the match group %s on the %s hand-side of the operation: [%s, %s];many-to-many "
        "matching not allowed: matching labels must be unique on one side",
        buf_cstr(&group), m->swapped ? "left" : "right", buf_cstr(order ? &x : &y), buf_cstr(order ? &y : &x));
    buf_done(&x);
    buf_done(&y);
    buf_done(&group);
    return false;
}

/* Which two of the one side meet: at the first step where any do, in the order of the series. */
static bool fail_one_side(Match *m, const uint64_t *any) {
    size_t *seen = ARENA_ARRAY(m->ev->arena, size_t, m->n_sigs);
    if (!seen) return ev_no_memory(m->ev);
    for (size_t step = 0; step < m->g->n; step++) {
        if (!bit_get(any, step)) continue;
        memset(seen, 0, m->n_sigs * sizeof *seen);
        for (size_t i = 0; i < m->one->n; i++) {
            if (!bit_get(m->one->v[i].present, step)) continue;
            size_t *first = &seen[m->one_sig[i]];
            if (*first) return fail_duplicates(m, m->one->v[i].labels, m->one->v[*first - 1].labels);
            *first = i + 1;
        }
    }
    UNREACHABLE();
}

/* On the one side a signature may have one sample per step, wherever the other side has anything at all. */
static bool check_one_side(Match *m, const size_t *order, const size_t *first) {
    const Grid *g = m->g;
    size_t words = bitmap_words(g->n);
    bool fill = m->n->binary.has_fill_lhs || m->n->binary.has_fill_rhs;
    uint64_t *any = bitmaps(m->ev, 1, g), *seen = bitmaps(m->ev, 1, g);
    if (!any || !seen) return false;
    for (size_t i = 0; i < m->many->n; i++)
        for (size_t w = 0; w < words; w++) any[w] |= m->many->v[i].present[w];
    if (fill) memset(any, 0xFF, words * sizeof *any);
    for (size_t s = 0; s < m->n_sigs; s++) {
        if (first[s + 1] - first[s] < 2) continue;
        memset(seen, 0, words * sizeof *seen);
        for (size_t k = first[s]; k < first[s + 1]; k++) {
            const uint64_t *present = m->one->v[order[k]].present;
            for (size_t w = 0; w < words; w++) {
                if (seen[w] & present[w] & any[w]) return fail_one_side(m, any);
                seen[w] |= present[w];
            }
        }
    }
    return true;
}

/* Series indices of a side ordered by signature; first[s] is where those of s begin. */
static bool by_signature(Ev *ev, size_t n, const size_t *sig, size_t n_sigs, size_t **ret_order, size_t **ret_first) {
    size_t *order = ARENA_ARRAY(ev->arena, size_t, n),
           *first = arena_alloc_zero(ev->arena, (n_sigs + 2) * sizeof *first);
    if (!order || !first) return ev_no_memory(ev);
    for (size_t i = 0; i < n; i++) first[sig[i] + 2]++;
    for (size_t s = 1; s < n_sigs + 2; s++) first[s] += first[s - 1];
    for (size_t i = 0; i < n; i++) order[first[sig[i] + 1]++] = i;
    *ret_order = order;
    *ret_first = first;
    return true;
}

static bool put_note(Match *m, const PqlSeries *many, const PqlSeries *one, size_t step, BinopNote note) {
    size_t order = many ? (size_t)(many - m->many->v) : m->many->n + (size_t)(one - m->one->v);
    if (!m->notes) m->notes = arena_alloc_zero(m->ev->arena, m->g->n * sizeof *m->notes);
    if (!m->notes) return ev_no_memory(m->ev);
    StepNote *s = &m->notes[step];
    if (s->note == BINOP_NOTE_NONE || s->order < order) *s = (StepNote){note, order};
    return true;
}

static void annotate(const Match *m) {
    for (size_t i = 0; m->notes && i < m->g->n; i++) binop_annotate(m->ev, m->n, m->notes[i].note);
}

/* The samples of a pair at the steps of `steps`; a missing side has its fill value. Steps at which there is no such
 * operation leave `steps`: they do not count as matched. */
static bool pair_steps(
    Match *m, const PqlSeries *many, const PqlSeries *one, double fill, uint64_t *steps, PqlSeries *out) {
    const Grid *g = m->g;
    bool want_bool = m->n->binary.return_bool;
    BinopNote note;
    for (size_t i = bitmap_next(steps, 0, g->n); i < g->n; i = bitmap_next(steps, i + 1, g->n)) {
        Sample a = many ? (Sample){many->v[i], series_h(many, i)} : (Sample){fill, NULL};
        Sample b = one ? (Sample){one->v[i], series_h(one, i)} : (Sample){fill, NULL}, r = {0};
        BinopResult res = binop_samples(m->ev, m->n, m->swapped ? &b : &a, m->swapped ? &a : &b, &r, &note);
        if (res == BINOP_ERROR || (note && !put_note(m, many, one, i, note))) return false;
        if (res == BINOP_NOTHING) bit_clear(steps, i);
        if (res == BINOP_NOTHING || (res == BINOP_DROP && !want_bool)) continue;
        if (want_bool) r = (Sample){res == BINOP_KEEP ? 1 : 0, NULL};
        if (r.h) {
            if (!series_set_h(m->ev, out, g, i, r.h)) return false;
        } else {
            series_set(out, i, r.v);
        }
    }
    return true;
}

/* One group of results of a signature: labels, and the steps at which they were matched (kept or not). */
typedef struct Matched {
    Labels labels;
    uint64_t *steps;
} Matched;
typedef AVEC(Matched) MatchedVec;

/* No step may be matched twice: with one-to-one by the signature, else by the resulting labels. */
static bool check_unique(Match *m, MatchedVec *seen, Labels labels, const uint64_t *steps) {
    bool one_to_one = m->n->binary.card == PQL_ONE_TO_ONE;
    size_t words = bitmap_words(m->g->n);
    for (size_t k = 0; k < seen->n; k++) {
        if (!one_to_one && !labels_eq(seen->v[k].labels, labels)) continue;
        for (size_t w = 0; w < words; w++) {
            if (!(seen->v[k].steps[w] & steps[w])) {
                seen->v[k].steps[w] |= steps[w];
                continue;
            }
            if (one_to_one)
                return ev_fail(m->ev,
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
            return ev_fail(m->ev, "multiple matches for labels: grouping labels must ensure unique matches");
        }
        return true;
    }
    Matched one = {labels, bitmaps(m->ev, 1, m->g)};
    if (!one.steps) return false;
    memcpy(one.steps, steps, words * sizeof *steps);
    return avec_push(m->ev->arena, seen, one) || ev_no_memory(m->ev);
}

static bool match_pair(
    Match *m, MatchedVec *seen, const PqlSeries *many, const PqlSeries *one, double fill, uint64_t *steps) {
    if (!bitmap_any(steps, m->g->n)) return true;
    Labels fake = many ? (Labels){0} : match_labels(m->ev, m->n, one->labels);
    Labels other = one ? one->labels : match_labels(m->ev, m->n, many->labels);
    Labels labels = result_labels(m, many ? many->labels : fake, other);
    PqlSeries *out = m->ev->rc == OK ? matrix_add(m->ev, m->ret, m->g, labels) : NULL;
    if (!out) return false;
    out->drop_name = m->n->binary.return_bool;
    return pair_steps(m, many, one, fill, steps, out) && check_unique(m, seen, labels, steps);
}

/* All pairs of one signature. */
static bool match_signature(
    Match *m, const size_t *many, size_t n_many, const size_t *one, size_t n_one, uint64_t *scratch) {
    size_t words = bitmap_words(m->g->n);
    uint64_t *both = scratch, *rest = scratch + words, *matched = scratch + 2 * words;
    MatchedVec seen = {0};
    memset(matched, 0, words * sizeof *matched);
    for (size_t i = 0; i < n_many; i++) {
        const PqlSeries *a = &m->many->v[many[i]];
        if (!ev_alive(m->ev)) return false;
        memcpy(rest, a->present, words * sizeof *rest);
        for (size_t j = 0; j < n_one; j++) {
            const PqlSeries *b = &m->one->v[one[j]];
            for (size_t w = 0; w < words; w++) {
                both[w] = a->present[w] & b->present[w];
                rest[w] &= ~both[w];
            }
            if (!match_pair(m, &seen, a, b, 0, both)) return false;
            for (size_t w = 0; w < words; w++) matched[w] |= both[w];
        }
        if (!m->fill_one) continue;
        if (!match_pair(m, &seen, a, NULL, *m->fill_one, rest)) return false;
        for (size_t w = 0; w < words; w++) matched[w] |= rest[w];
    }
    for (size_t j = 0; m->fill_many && j < n_one; j++) {
        const PqlSeries *b = &m->one->v[one[j]];
        for (size_t w = 0; w < words; w++) rest[w] = b->present[w] & ~matched[w];
        if (!match_pair(m, &seen, NULL, b, *m->fill_many, rest)) return false;
    }
    return true;
}

static bool match_all(Match *m) {
    Ev *ev = m->ev;
    size_t *many_order, *many_first, *one_order, *one_first;
    uint64_t *scratch = bitmaps(ev, 3, m->g);
    if (!scratch || !by_signature(ev, m->many->n, m->many_sig, m->n_sigs, &many_order, &many_first) ||
        !by_signature(ev, m->one->n, m->one_sig, m->n_sigs, &one_order, &one_first) ||
        !check_one_side(m, one_order, one_first))
        return false;
    for (size_t s = 0; s < m->n_sigs; s++)
        if (!match_signature(m, many_order + many_first[s], many_first[s + 1] - many_first[s], one_order + one_first[s],
                one_first[s + 1] - one_first[s], scratch))
            return false;
    annotate(m);
    matrix_drop_empty(m->ret, m->g);
    return matrix_merge_same(ev, m->ret, m->g, false);
}

bool ev_binary_vectors(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *lhs, PqlMatrix *rhs, PqlMatrix *ret) {
    if (pql_tok_is_set_op(n->binary.op)) return set_operator(ev, g, n, lhs, rhs, ret);
    Match m = {.ev = ev, .g = g, .n = n, .many = lhs, .one = rhs, .ret = ret};
    m.fill_many = n->binary.has_fill_lhs ? &n->binary.fill_lhs : NULL;
    m.fill_one = n->binary.has_fill_rhs ? &n->binary.fill_rhs : NULL;
    if (n->binary.card == PQL_ONE_TO_MANY) {
        const double *fill = m.fill_many;
        m.fill_many = m.fill_one;
        m.fill_one = fill;
        m.many = rhs;
        m.one = lhs;
        m.swapped = true;
    }
    GroupMap *map = group_map_create(&n->binary.labels, n->binary.on, !n->binary.on);
    bool ok = signatures(ev, m.many, map, &m.many_sig) && signatures(ev, m.one, map, &m.one_sig);
    m.n_sigs = group_map_count(map);
    group_map_free(map);
    return ok && match_all(&m);
}
