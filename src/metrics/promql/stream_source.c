/* stream_source.c - what is at the bottom of a stream: a selector, a function of its range, or something evaluated
 * before. */
#include "metrics/promql/stream_int.h"
#include "sys/clock.h"

static bool changes_with_steps(const Grid *g, const PqlNode *n) { return !n->invariant || g->n <= 1; }

static bool is_window_call(const PqlNode *n) { return n->kind == PQL_CALL && window_fn(n->call.fn->id); }

bool stream_has_rows(const Grid *g, PqlNode *n) {
    while (n->kind == PQL_PAREN) n = n->paren;
    if (!changes_with_steps(g, n)) return false;
    return n->kind == PQL_SELECTOR || is_window_call(n) || row_child(n);
}

void stream_note_plan(Stream *s, const PqlNode *n) {
    if (s->ev->explain) s->plans[s->n_plans++] = plan_begin(s->ev, n, "streamed", s->g->n);
}

/* Operators on rows, from n down to what is none. */
bool stream_find_bottom(Stream *s, PqlNode *n) {
    for (;;) {
        while (n->kind == PQL_PAREN) n = n->paren;
        PqlNode *child = changes_with_steps(s->g, n) ? row_child(n) : NULL;
        if (!child || s->n_ops == ROW_OPS_MAX) break;
        stream_note_plan(s, n);
        if (!row_prepare(s->ev, s->g, n, &s->ops[s->n_ops++])) return false;
        n = child;
    }
    s->node = n;
    s->kind = SOURCE_MATRIX;
    if (!changes_with_steps(s->g, n)) return true;
    if (n->kind == PQL_SELECTOR) {
        s->kind = SOURCE_SELECTOR;
        s->selector = n;
        stream_note_plan(s, n);
    } else if (is_window_call(n)) {
        stream_note_plan(s, n);
        if (!window_call_init(s->ev, s->g, n, &s->call)) return false;
        s->call.spec = &s->spec;
        s->kind = s->call.matrix->kind == PQL_MATRIX ? SOURCE_WINDOW : SOURCE_COLUMNS;
        if (s->kind == SOURCE_WINDOW) s->selector = s->call.matrix->matrix.selector;
        if (s->kind == SOURCE_WINDOW) stream_note_plan(s, s->call.matrix);
    }
    return true;
}

/* What a function needs of a block that lies whole in every window it is in. Not with statistics per step, which tell
 * how many samples there are. */
static MetricsDigest window_digest(const Stream *s) {
    static const struct {
        PqlFn id;
        int kind;
    } kinds[] = {{FN_MIN_OVER_TIME, DIGEST_MIN}, {FN_MAX_OVER_TIME, DIGEST_MAX}, {FN_FIRST_OVER_TIME, DIGEST_FIRST},
        {FN_LAST_OVER_TIME, DIGEST_LAST}, {FN_PRESENT_OVER_TIME, DIGEST_LAST}};
    MetricsDigest d = {.step_ms = s->g->step_ms, .n = s->g->n};
    if (s->kind != SOURCE_WINDOW || s->spec.anchored || s->spec.smoothed || s->ev->query->step_stats) return d;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].id == s->call.function->id) d.kind = kinds[i].kind;
    if (s->spec.fixed) d.n = 1;
    d.first_ms[1] = (s->spec.fixed ? s->spec.fixed_ms : grid_t(s->g, 0)) - s->spec.offset_ms;
    d.first_ms[0] = d.first_ms[1] - s->spec.range_ms;
    return d;
}

static bool needs_starts(const Stream *s) {
    if (!s->ev->opts.use_start_timestamps) return false;
    if (s->kind != SOURCE_WINDOW) return s->what == SAMPLE_START;
    PqlFn id = s->call.function->id;
    return id == FN_RATE || id == FN_IRATE || id == FN_INCREASE || id == FN_RESETS;
}

/* The metric's name, when the selector asks for one. */
static bool fixed_name(const Stream *s, Label *ret) {
    Matchers ms = s->selector->selector.matchers;
    for (size_t i = 0; i < ms.n; i++) {
        if (ms.v[i]->type != MATCH_EQ || !str_eq(ms.v[i]->name, LABEL_NAME_METRIC) || ms.v[i]->value.n == 0) continue;
        *ret = (Label){LABEL_NAME_METRIC, ms.v[i]->value};
        return true;
    }
    return false;
}

/* Which of what a row has nobody looks at. */
static void leave_out(Stream *s, MetricsSelect *req) {
    const PqlNode *n = s->selector;
    bool named = fixed_name(s, &s->name), selects = s->kind == SOURCE_SELECTOR, notes_name = false;
    if (!selects) { /* window_note_gauge */
        PqlFn id = s->call.function->id;
        notes_name = id == FN_RATE || id == FN_INCREASE;
    }
    s->no_labels = s->sink->no_labels && (named || !notes_name);
    if (!named) s->name = (Label){0};
    req->no_values = s->sink->no_values && selects && s->n_ops == 0 && s->what == SAMPLE_VALUE &&
                     !n->selector.detect_resets && !n->selector.smoothed;
    req->any_order = req->no_values && s->no_labels;
}

/* Samples in (first, last]. */
static bool open_set(Stream *s, int64_t first, int64_t last) {
    Ev *ev = s->ev;
    MetricsSelect req = {.matchers = s->selector->selector.matchers,
        .min_t_ms = first == INT64_MAX ? first : first + 1,
        .max_t_ms = last,
        .arena = ev->arena,
        .samples_max = ev->opts.samples_max,
        .view = ev->view,
        .cancel = ev->query->cancel,
        .digest = window_digest(s),
        .starts = needs_starts(s)};
    leave_out(s, &req);
    static SeriesSet nothing;
    s->set = &nothing;
    if (req.min_t_ms > req.max_t_ms) return true;
    Err err = {0};
    if (s->n_plans) {
        PromqlPlan *plan = plan_of(s->plans[s->n_plans - 1]);
        if (plan) plan->min_t_ms = req.min_t_ms;
        if (plan) plan->max_t_ms = req.max_t_ms;
    }
    int64_t begin = clock_mono_ns();
    ErrCode rc = metrics_store_open_set(ev->store, &req, &s->set, &err);
    ev->prepare_ns += clock_mono_ns() - begin;
    s->n_series = s->set->n;
    if (rc == OK) return true;
    if (ev->rc == OK) {
        ev->rc = rc;
        if (ev->err) *ev->err = err;
    }
    return false;
}

bool stream_open_source(Stream *s) {
    int64_t first, last;
    switch (s->kind) {
    case SOURCE_SELECTOR: selector_range(s->ev, s->g, s->selector, &first, &last); return open_set(s, first, last);
    case SOURCE_WINDOW:
        ev_window_spec(s->ev, s->g, s->call.matrix, &s->spec, &first, &last);
        return window_check_extended(s->ev, &s->call) && open_set(s, first, last);
    case SOURCE_COLUMNS:
        if (!ev_range_vector(s->ev, s->g, s->call.matrix, &s->columns, &s->spec)) return false;
        s->n_series = s->columns.n;
        return window_check_extended(s->ev, &s->call);
    case SOURCE_MATRIX:
        if (!ev_eval(s->ev, s->g, s->node, &s->matrix)) return false;
        s->n_series = s->matrix.n;
        return true;
    }
    UNREACHABLE();
}

/* --- label sets that may become equal --- */

typedef bool (*LabelsFn)(void *ctx, Labels l);

/* Calls fn for the series' labels, until it says true: that is the answer. On errors true, too. */
static bool any_labels(Stream *s, LabelsFn fn, void *ctx) {
    Arena *scratch = arena_create(ARENA_UNLIMITED);
    Err err = {0};
    bool found = false;
    for (size_t i = 0; i < s->n_series && !found; i++) {
        Labels l;
        arena_reset(scratch);
        ErrCode rc = ev_alive(s->ev) ? series_labels(s->set, i, scratch, &l, &err) : s->ev->rc;
        if (rc != OK && s->ev->rc == OK) {
            s->ev->rc = rc;
            if (s->ev->err) *s->ev->err = err;
        }
        found = rc != OK || fn(ctx, l);
    }
    arena_free(scratch);
    return found;
}

static bool seen_before(void *seen, Labels l) {
    static const Str metadata[] = {{"__type__", 8}, {"__unit__", 8}};
    bool is_new;
    (void)u64map_put(seen, labels_hash_for(l, metadata, ARRAY_LEN(metadata), false), &is_new);
    return !is_new;
}

/* Whether two series have the same labels but for those that go with the name. */
static bool has_twins(Stream *s) {
    U64Map *seen = u64map_create();
    bool twins = any_labels(s, seen_before, seen);
    u64map_free(seen);
    return twins;
}

static bool is_typed(void *ctx, Labels l) {
    (void)ctx;
    for (size_t k = 0; k < l.n && l.v[k].name.n > 2 && l.v[k].name.p[0] <= '_'; k++)
        if (label_name_is_metadata(l.v[k].name) && !str_eq(l.v[k].name, LABEL_NAME_METRIC)) return true;
    return false;
}

/* Labels beside the name that go with it. */
static bool has_metadata_labels(Stream *s) { return s->set->typed && any_labels(s, is_typed, NULL); }

bool stream_may_clash(Stream *s) {
    Label name;
    bool drops = (s->kind == SOURCE_WINDOW || s->kind == SOURCE_COLUMNS) && !stream_keeps_name(s);
    for (size_t i = 0; i < s->n_ops; i++) drops |= row_drops_name(s->ops[i].n);
    if (!drops || s->ev->opts.delayed_name_removal || s->n_series < 2) return false;
    if (s->set && fixed_name(s, &name) && !has_metadata_labels(s)) return false;
    return !s->set || has_twins(s);
}
