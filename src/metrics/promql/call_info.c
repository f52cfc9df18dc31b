/* call_info.c - info(v, {selector}): adds the labels of info metrics (target_info) with the same job and instance. */
#include "metrics/promql/stream.h"

typedef AVEC(const Matcher *) MatcherVec;

typedef struct Info {
    Ev *ev;
    const Grid *g;
    MatcherVec names; /* on __name__ */
    MatcherVec data;  /* the others */
    PqlMatrix base, info;
} Info;

static bool push_matcher(Info *c, MatcherVec *v, MatchType type, Str name, Str value) {
    const Matcher *m;
    Err err;
    if (matcher_create(c->ev->arena, type, name, value, &m, &err) != OK) return ev_fail(c->ev, "%s", err.msg);
    return avec_push(c->ev->arena, v, m) || ev_no_memory(c->ev);
}

/* Without a positive matcher on the name: target_info, or any *_info beside the negative ones. */
static bool collect_matchers(Info *c, const PqlNode *n) {
    bool positive = false;
    const PqlNode *sel = n->call.args.n > 1 ? promql_unparen(n->call.args.v[1]) : NULL;
    for (size_t i = 0; sel && i < sel->selector.matchers.n; i++) {
        const Matcher *m = sel->selector.matchers.v[i];
        bool name = str_eq(m->name, LABEL_NAME_METRIC);
        positive |= name && (m->type == MATCH_EQ || m->type == MATCH_RE);
        if (!avec_push(c->ev->arena, name ? &c->names : &c->data, m)) return ev_no_memory(c->ev);
    }
    if (positive) return true;
    if (c->names.n) return push_matcher(c, &c->names, MATCH_RE, LABEL_NAME_METRIC, STR(".+_info"));
    return push_matcher(c, &c->names, MATCH_EQ, LABEL_NAME_METRIC, STR("target_info"));
}

/* The reference time that the selectors of an expression share. */
typedef struct Reference {
    PqlShift first;
    bool found, uniform, free; /* free: some vector comes from no selector, as of the step */
} Reference;

static bool same_shift(const PqlShift *a, const PqlShift *b) {
    bool fixed = a->at != PQL_AT_NONE;
    if (fixed != (b->at != PQL_AT_NONE)) return false;
    int64_t from = fixed ? a->at_ms : 0, to = fixed ? b->at_ms : 0;
    return from - a->offset.ms == to - b->offset.ms;
}

/* around: the subqueries outside, whose offsets add up until an @ makes what is further out of no matter. */
typedef struct Around {
    const PqlShift *shift;
    const struct Around *out;
} Around;

static void refer(Reference *r, PqlShift shift, const Around *around) {
    for (; around && shift.at == PQL_AT_NONE; around = around->out) {
        shift.offset.ms += around->shift->offset.ms;
        shift.at = around->shift->at;
        shift.at_ms = around->shift->at_ms;
    }
    if (r->found)
        r->uniform = r->uniform && same_shift(&r->first, &shift);
    else
        r->first = shift;
    r->found = true;
}

static bool find_reference(Reference *r, const PqlNode *n, const Around *around) {
    PqlType type = promql_type(n);
    bool any = false;
    if (type != PQL_TYPE_VECTOR && type != PQL_TYPE_MATRIX) return false;
    switch (n->kind) {
    case PQL_SELECTOR: refer(r, n->selector.shift, around); return true;
    case PQL_MATRIX: any = find_reference(r, n->matrix.selector, around); break;
    case PQL_SUBQUERY: any = find_reference(r, n->subquery.expr, &(Around){&n->subquery.shift, around}); break;
    case PQL_UNARY: any = find_reference(r, n->unary.expr, around); break;
    case PQL_PAREN: any = find_reference(r, n->paren, around); break;
    case PQL_BINARY:
        any = find_reference(r, n->binary.lhs, around);
        any = find_reference(r, n->binary.rhs, around) || any;
        break;
    case PQL_AGGREGATE:
        any = find_reference(r, n->aggregate.expr, around);
        any = (n->aggregate.param && find_reference(r, n->aggregate.param, around)) || any;
        break;
    case PQL_CALL:
        for (size_t i = 0; i < n->call.args.n && (i == 0 || n->call.fn->id != FN_INFO); i++)
            any = find_reference(r, n->call.args.v[i], around) || any;
        break;
    default: break;
    }
    if (!any) r->free = true;
    return any;
}

bool ev_info_reference(const PqlNode *n, PqlShift *ret) {
    Reference r = {.uniform = true};
    find_reference(&r, n, NULL);
    bool shared = r.found && r.uniform && !r.free;
    *ret = shared ? r.first : (PqlShift){0};
    return shared;
}

static bool is_info(const Info *c, Labels l) {
    Str name = labels_metric(l);
    if (!name.p) name = STR("");
    for (size_t i = 0; i < c->names.n; i++)
        if (!matcher_matches(c->names.v[i], name)) return false;
    return true;
}

static bool same_target(Labels a, Labels b) {
    return str_eq(labels_get(a, STR("job")), labels_get(b, STR("job"))) &&
           str_eq(labels_get(a, STR("instance")), labels_get(b, STR("instance")));
}

static bool has_target(Labels l) { return labels_get(l, STR("job")).n || labels_get(l, STR("instance")).n; }

/* Whether some series would take labels from info. */
static bool is_asked_for(const Info *c, Labels info) {
    for (size_t i = 0; i < c->base.n; i++) {
        Labels l = c->base.v[i].labels;
        if (has_target(l) && same_target(l, info) && !is_info(c, l)) return true;
    }
    return false;
}

static bool fetch_info(Info *c, const PqlNode *n) {
    bool any = false;
    for (size_t i = 0; i < c->base.n && !any; i++)
        any = has_target(c->base.v[i].labels) && !is_info(c, c->base.v[i].labels);
    if (!any) return true;
    MatcherVec all = {0};
    for (size_t i = 0; i < c->names.n + c->data.n; i++)
        if (!avec_push(c->ev->arena, &all, i < c->names.n ? c->names.v[i] : c->data.v[i - c->names.n]))
            return ev_no_memory(c->ev);
    PqlNode sel = {.kind = PQL_SELECTOR, .selector = {.matchers = {all.v, all.n}}};
    ev_info_reference(n->call.args.v[0], &sel.selector.shift);
    if (!ev_selector(c->ev, c->g, &sel, SAMPLE_TIME, &c->info)) return false;
    PqlMatrix values = {0}; /* histograms are no info metrics */
    if (!ev_selector(c->ev, c->g, &sel, SAMPLE_VALUE, &values)) return false;
    for (size_t i = 0; i < values.n; i++) {
        if (!values.v[i].h || !is_asked_for(c, values.v[i].labels)) continue;
        Buf text = {0};
        promql_put_labels(&text, values.v[i].labels);
        ev_fail(c->ev, "this should be an info metric, with float samples: %s", buf_cstr(&text));
        buf_done(&text);
        return false;
    }
    return true;
}

/* Per info metric the newest series at the step; chosen holds index + 1 per candidate. */
static bool choose(Info *c, const size_t *cand, size_t n, size_t step, size_t *chosen) {
    memset(chosen, 0, n * sizeof *chosen);
    for (size_t i = 0; i < n; i++) {
        const PqlSeries *s = &c->info.v[cand[i]];
        if (!bit_get(s->present, step)) continue;
        size_t j = 0;
        while (
            j < i && !(chosen[j] && str_eq(labels_metric(c->info.v[chosen[j] - 1].labels), labels_metric(s->labels))))
            j++;
        if (j == i) {
            chosen[i] = cand[i] + 1;
            continue;
        }
        const PqlSeries *old = &c->info.v[chosen[j] - 1];
        if (old->v[step] < s->v[step]) {
            chosen[j] = cand[i] + 1;
        } else if (old->v[step] == s->v[step]) {
            Buf a = {0}, b = {0};
            promql_put_labels(&a, old->labels);
            promql_put_labels(&b, s->labels);
            long long t = (long long)(s->v[step] * 1000);
            ev_fail(c->ev, "found duplicate series for info metric: existing %s @ %lld, new %s @ %lld", buf_cstr(&a), t,
                buf_cstr(&b), t);
            buf_done(&a);
            buf_done(&b);
            return false;
        }
    }
    return true;
}

static bool wanted(const Info *c, Str label) {
    if (label_name_is_metadata(label)) return false;
    for (size_t i = 0; i < c->data.n; i++)
        if (str_eq(c->data.v[i]->name, label)) return true;
    return c->data.n == 0;
}

/* *ret_skip: nothing was found although the selector asks for something. */
static bool combined_labels(Info *c, Labels base, const size_t *chosen, size_t n, Labels *ret, bool *ret_skip) {
    bool any = false, empty_ok = true;
    *ret = base;
    for (size_t i = 0; i < n; i++) {
        if (!chosen[i]) continue;
        any = true;
        Labels l = c->info.v[chosen[i] - 1].labels;
        for (size_t k = 0; k < l.n; k++) {
            if (!wanted(c, l.v[k].name) || labels_get(base, l.v[k].name).p) continue;
            Str have = labels_get(*ret, l.v[k].name);
            if (have.n && !str_eq(have, l.v[k].value))
                return ev_fail(c->ev, "conflicting label: %" STR_FMT, STR_ARG(l.v[k].name));
            *ret = labels_with(c->ev, *ret, l.v[k].name, l.v[k].value);
        }
    }
    for (size_t i = 0; i < c->data.n; i++) empty_ok = empty_ok && matcher_matches_empty(c->data.v[i]);
    *ret_skip = !any && !empty_ok;
    return c->ev->rc == OK;
}

static bool combine(Info *c, const PqlSeries *s, PqlMatrix *ret) {
    Ev *ev = c->ev;
    size_t n = 0, *cand = ARENA_ARRAY(ev->arena, size_t, c->info.n);
    size_t *chosen = ARENA_ARRAY(ev->arena, size_t, c->info.n), *last = ARENA_ARRAY(ev->arena, size_t, c->info.n);
    if (!cand || !chosen || !last) return ev_no_memory(ev);
    for (size_t i = 0; i < c->info.n; i++)
        if (same_target(c->info.v[i].labels, s->labels)) cand[n++] = i;
    size_t out = SIZE_MAX;
    bool have = false;
    FOR_PRESENT(i, s, c->g->n) {
        if (!choose(c, cand, n, i, chosen)) return false;
        if (!have || memcmp(chosen, last, n * sizeof *last) != 0) {
            Labels labels;
            bool skip = true;
            if (!combined_labels(c, s->labels, chosen, n, &labels, &skip)) return false;
            out = skip ? SIZE_MAX : ret->n;
            if (!skip && !matrix_add(ev, ret, c->g, labels)) return false;
            if (!skip) ret->v[out].drop_name = s->drop_name;
            memcpy(last, chosen, n * sizeof *last);
            have = true;
        }
        if (out == SIZE_MAX) continue;
        if (series_h(s, i)) {
            if (!series_set_h(ev, &ret->v[out], c->g, i, s->h[i])) return false;
        } else {
            series_set(&ret->v[out], i, s->v[i]);
        }
    }
    return true;
}

bool ev_info_call(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    Info c = {.ev = ev, .g = g};
    if (!ev_eval(ev, g, n->call.args.v[0], &c.base) || !collect_matchers(&c, n) || !fetch_info(&c, n)) return false;
    for (size_t i = 0; i < c.base.n; i++) {
        if (!ev_alive(ev)) return false;
        if (is_info(&c, c.base.v[i].labels)) {
            if (!avec_push(ev->arena, ret, c.base.v[i])) return ev_no_memory(ev);
        } else if (!combine(&c, &c.base.v[i], ret)) {
            return false;
        }
    }
    return matrix_merge_same(ev, ret, g, false);
}
