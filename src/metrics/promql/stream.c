#include "metrics/promql/stream.h"

#include "metrics/promql/explain_int.h"
#include "metrics/promql/rows.h"
#include "metrics/promql/steps.h"
#include "metrics/promql/workers.h"
#include "metrics/series_set.h"
#include "sys/clock.h"

#define ROW_OPS_MAX 16
#define PART_SERIES 64

typedef enum SourceKind {
    SOURCE_SELECTOR, /* an instant vector selector */
    SOURCE_WINDOW,   /* a function of a selector's range */
    SOURCE_COLUMNS,  /* a function of a subquery's range, which is evaluated */
    SOURCE_MATRIX,   /* anything else, which is evaluated */
} SourceKind;

typedef struct Part Part;
typedef struct Stream {
    Ev *ev;
    const Grid *g;
    const StreamSink *sink;
    SourceKind kind;
    PqlNode *node;     /* at the bottom */
    PqlNode *selector; /* SOURCE_SELECTOR, SOURCE_WINDOW */
    PqlSample what;    /* of SOURCE_SELECTOR */
    WindowCall call;
    WindowSpec spec;
    SeriesSet *set;
    Columns columns;
    PqlMatrix matrix;
    RowOp ops[ROW_OPS_MAX];           /* innermost last */
    PlanNode *plans[ROW_OPS_MAX + 2]; /* of the operators, the function at the bottom, its selector */
    size_t n_plans;
    size_t n_ops, n_series, n_parts;
    Part *parts;
    size_t left_bytes; /* of the query's memory, for all parts */
    _Atomic size_t used_bytes;
    _Atomic bool stop;
} Stream;

/* What one thread has for one part. */
struct Part {
    Ev ev;
    Err err;
    SeriesReader *reader;
    PqlSeries row;
    Steps steps;
    BatchScratch batch;
    Str noted;         /* the metric that has been looked at by window_note_gauge */
    size_t used_bytes; /* of the arena, as the Stream knows it */
    uint64_t rows, points;
};

/* --- what is at the bottom --- */

static bool changes_with_steps(const Grid *g, const PqlNode *n) { return !n->invariant || g->n <= 1; }

static bool is_window_call(const PqlNode *n) { return n->kind == PQL_CALL && window_fn(n->call.fn->id); }

bool stream_has_rows(const Grid *g, PqlNode *n) {
    while (n->kind == PQL_PAREN) n = n->paren;
    if (!changes_with_steps(g, n)) return false;
    return n->kind == PQL_SELECTOR || is_window_call(n) || row_child(n);
}

static void plan_streamed(Stream *s, const PqlNode *n) {
    if (s->ev->explain) s->plans[s->n_plans++] = plan_begin(s->ev, n, "streamed", s->g->n);
}

/* Operators on rows, from n down to what is none. */
static bool find_bottom(Stream *s, PqlNode *n) {
    for (;;) {
        while (n->kind == PQL_PAREN) n = n->paren;
        PqlNode *child = changes_with_steps(s->g, n) ? row_child(n) : NULL;
        if (!child || s->n_ops == ROW_OPS_MAX) break;
        plan_streamed(s, n);
        if (!row_prepare(s->ev, s->g, n, &s->ops[s->n_ops++])) return false;
        n = child;
    }
    s->node = n;
    s->kind = SOURCE_MATRIX;
    if (!changes_with_steps(s->g, n)) return true;
    if (n->kind == PQL_SELECTOR) {
        s->kind = SOURCE_SELECTOR;
        s->selector = n;
        plan_streamed(s, n);
    } else if (is_window_call(n)) {
        plan_streamed(s, n);
        if (!window_call_init(s->ev, s->g, n, &s->call)) return false;
        s->call.spec = &s->spec;
        s->kind = s->call.matrix->kind == PQL_MATRIX ? SOURCE_WINDOW : SOURCE_COLUMNS;
        if (s->kind == SOURCE_WINDOW) s->selector = s->call.matrix->matrix.selector;
        if (s->kind == SOURCE_WINDOW) plan_streamed(s, s->call.matrix);
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

/* Samples in (first, last]. */
static bool open_set(Stream *s, int64_t first, int64_t last) {
    Ev *ev = s->ev;
    MetricsSelect req = {.matchers = s->selector->selector.matchers,
        .min_t_ms = first == INT64_MAX ? first : first + 1,
        .max_t_ms = last,
        .arena = ev->arena,
        .samples_max = ev->opts.samples_max,
        .cancel = ev->query->cancel,
        .digest = window_digest(s),
        .starts = needs_starts(s)};
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

static bool open_source(Stream *s) {
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

/* --- one row --- */

static bool has_stale(const SeriesColumn *c) {
    uint64_t bits;
    bool any = false;
    for (size_t i = 0; i < c->n; i++) {
        memcpy(&bits, &c->value[i], sizeof bits);
        any |= bits == STALE_NAN_BITS;
    }
    return any;
}

/* Whether start times change anything: not when all samples began to count at one time before the first window. */
static bool starts_matter(const Stream *s, const Column *c) {
    if (!c->start) return false;
    for (size_t i = 1; i < c->n; i++)
        if (c->start[i] != c->start[0]) return true;
    const WindowSpec *w = &s->spec;
    return c->n && c->start[0] > (w->fixed ? w->fixed_ms : grid_t(s->g, 0)) - w->offset_ms - w->range_ms;
}

static bool count_windows(Ev *ev, const Steps *s, size_t n) {
    size_t seen = 0;
    for (size_t i = 0; ev->step_total && i < n; i++) {
        ev->step_total[i] += s->to[i] - s->from[i];
        ev->step_read[i] += s->to[i] - MAX(seen, s->from[i]);
        seen = s->to[i];
    }
    ev->samples_total += s->total;
    ev->samples_read += s->fresh;
    if (ev->samples + s->widest > ev->opts.samples_max) return ev_count_samples(ev, s->widest);
    return true;
}

/* The whole series in one pass; *ret_done false: it has to go window by window. */
static bool window_quick(Stream *s, Part *p, const SeriesColumn *c, const Column *clean, bool *ret_done) {
    PqlFn id = s->call.function->id;
    size_t least = window_batch_least(id);
    *ret_done = least > 0 && !c->n_histograms && !s->spec.anchored && !s->spec.smoothed && clean->n <= UINT32_MAX &&
                !starts_matter(s, clean);
    if (!*ret_done) return true;
    bool shared = clean->n == c->n && c->times_id;
    if (!shared || p->steps.times_id != c->times_id)
        steps_windows(&p->steps, s->g, &s->spec, clean->t, clean->n, least, id == FN_RATE);
    p->steps.times_id = shared ? c->times_id : 0;
    *ret_done = window_batch(
        id, s->g, &p->steps, clean->t, clean->v, clean->n, (double)s->spec.range_ms / 1000, &p->batch, &p->row);
    if (!*ret_done) return true;
    return count_windows(&p->ev, &p->steps, s->g->n) && ev_count_samples(&p->ev, bitmap_count(p->row.present, s->g->n));
}

/* Several series in a row often belong to one metric: it is looked at once. */
static void note_gauge(Stream *s, Part *p) {
    Str name = labels_metric(p->row.labels);
    if (p->noted.p == name.p && p->noted.n == name.n) return;
    if (!bitmap_any(p->row.present, s->g->n)) return;
    if (!p->row.h) p->noted = name;
    window_note_gauge(&p->ev, s->g, &s->call, &p->row);
}

static bool keeps_name(const Stream *s) {
    PqlFn id = s->call.function->id;
    return id == FN_LAST_OVER_TIME || id == FN_FIRST_OVER_TIME;
}

static bool window_row(Stream *s, Part *p, Column *c) {
    note_gauge(s, p);
    p->row.drop_name = c->drop_name;
    return (keeps_name(s) && !c->drop_name) || series_drop_name(&p->ev, &p->row);
}

static bool window_from_store(Stream *s, Part *p, SeriesColumn *c) {
    Column clean;
    bool done;
    if (s->selector->selector.detect_resets && !ev_detect_column(&p->ev, c)) return false;
    if (c->n_histograms == 0 && !has_stale(c))
        clean = (Column){.labels = c->labels, .n = c->n, .t = c->t_ms, .v = c->value, .start = c->start_ms};
    else if (!column_from_store(&p->ev, c, &clean))
        return false;
    if (clean.n + clean.n_h == 0) return true;
    if (!window_quick(s, p, c, &clean, &done)) return false;
    if (!done && !window_series(&p->ev, s->g, &s->call, &clean, &p->row)) return false;
    return window_row(s, p, &clean);
}

static bool selector_from_store(Stream *s, Part *p, SeriesColumn *c) {
    if (s->selector->selector.detect_resets && !ev_detect_column(&p->ev, c)) return false;
    if (c->n_histograms || s->selector->selector.smoothed || c->n > UINT32_MAX)
        return selector_series(&p->ev, s->g, s->selector, c, s->what, &p->row);
    if (!c->times_id || p->steps.times_id != c->times_id)
        steps_instants(&p->steps, s->g, &s->selector->selector.shift, p->ev.opts.lookback_ms, c->t_ms, c->n);
    p->steps.times_id = c->times_id;
    PqlSeries *row = &p->row;
    memcpy(row->present, p->steps.present, bitmap_words(s->g->n) * sizeof *row->present);
    uint64_t points = p->steps.total;
    const uint32_t *pick = p->steps.from;
    if (s->what == SAMPLE_TIME)
        for (size_t i = 0; i < s->g->n; i++) row->v[i] = (double)c->t_ms[pick[i]] / 1000;
    else if (s->what == SAMPLE_START)
        for (size_t i = 0; i < s->g->n; i++) row->v[i] = c->start_ms ? (double)c->start_ms[pick[i]] / 1000 : 0;
    else
        for (size_t i = 0; i < s->g->n; i++) row->v[i] = c->value[pick[i]];
    if (has_stale(c)) {
        FOR_PRESENT(i, row, s->g->n) {
            if (!is_stale_nan(c->value[pick[i]])) continue;
            bit_clear(row->present, i);
            points--;
        }
    }
    p->ev.samples_total += points;
    p->ev.samples_read += points;
    if (p->ev.step_total) {
        FOR_PRESENT(i, row, s->g->n) p->ev.step_total[i]++, p->ev.step_read[i]++;
    }
    return ev_count_samples(&p->ev, points);
}

static bool read_series(Part *p, size_t i, SeriesColumn *ret) {
    Err err = {0};
    ErrCode rc = series_read(p->reader, i, ret, &err);
    if (rc == OK) return true;
    if (p->ev.rc == OK) {
        p->ev.rc = rc;
        *p->ev.err = err;
    }
    return false;
}

static bool make_row(Stream *s, Part *p, size_t i) {
    SeriesColumn c;
    p->row.h = NULL;
    p->row.drop_name = false;
    memset(p->row.present, 0, bitmap_words(s->g->n) * sizeof *p->row.present);
    switch (s->kind) {
    case SOURCE_SELECTOR:
    case SOURCE_WINDOW:
        p->row.labels = s->set->labels[i];
        if (!read_series(p, i, &c)) return false;
        if (c.n + c.n_histograms == 0) return true;
        return s->kind == SOURCE_SELECTOR ? selector_from_store(s, p, &c) : window_from_store(s, p, &c);
    case SOURCE_COLUMNS:
        p->row.labels = s->columns.v[i].labels;
        return window_series(&p->ev, s->g, &s->call, &s->columns.v[i], &p->row) && window_row(s, p, &s->columns.v[i]);
    case SOURCE_MATRIX: {
        const PqlSeries *in = &s->matrix.v[i];
        double *v = p->row.v;
        uint64_t *present = p->row.present;
        memcpy(v, in->v, s->g->n * sizeof *v);
        memcpy(present, in->present, bitmap_words(s->g->n) * sizeof *present);
        p->row = (PqlSeries){in->labels, in->drop_name, v, present, in->h};
        return true;
    }
    }
    UNREACHABLE();
}

/* --- parts --- */

/* The parts' arenas share what is left of the query's. */
static bool memory_left(Stream *s, Part *p) {
    size_t now = arena_used_bytes(p->ev.arena), more = now - p->used_bytes;
    if (more == 0) return true;
    p->used_bytes = now;
    return atomic_fetch_add(&s->used_bytes, more) + more <= s->left_bytes || ev_no_memory(&p->ev);
}

static bool part_rows(Stream *s, Part *p, size_t k) {
    size_t from = s->n_series * k / s->n_parts, to = s->n_series * (k + 1) / s->n_parts;
    Ev *ev = &p->ev;
    for (size_t i = from; i < to; i++) {
        if (!ev_alive(ev) || !make_row(s, p, i)) return false;
        for (size_t o = s->n_ops; o-- > 0;)
            if (!row_apply(ev, s->g, &s->ops[o], &p->row)) return false;
        size_t points = s->n_plans ? bitmap_count(p->row.present, s->g->n) : 0;
        p->rows += points > 0;
        p->points += points;
        if (!s->sink->row(s->sink->ctx, ev, k, i, &p->row) || !memory_left(s, p)) return false;
        arena_reset(ev->scratch);
    }
    return true;
}

static void part_main(void *ctx, size_t k) {
    Stream *s = ctx;
    if (!part_rows(s, &s->parts[k], k)) s->stop = true;
}

static bool part_init(Stream *s, Part *p) {
    *p = (Part){.ev = *s->ev};
    Ev *ev = &p->ev;
    ev->err = &p->err;
    ev->arena = arena_create(s->left_bytes);
    ev->scratch = arena_create(s->left_bytes);
    ev->annotations = map_create(MAP_COPY_KEYS);
    ev->notes.v = NULL;
    ev->notes.n = ev->notes.cap = 0;
    ev->samples_peak = ev->samples_total = ev->samples_read = 0;
    if (ev->step_total) {
        ev->step_total = arena_alloc_zero(ev->arena, 2 * s->g->n * sizeof *ev->step_total);
        if (!ev->step_total) return ev_no_memory(ev);
        ev->step_read = ev->step_total + s->g->n;
    }
    ev->stop = &s->stop;
    ev->explain = NULL;
    ev->beside_bytes = arena_used_bytes(s->ev->arena);
    ev->parts_bytes = &s->used_bytes;
    p->row.v = arena_alloc_zero(ev->arena, s->g->n * sizeof *p->row.v);
    p->row.present = arena_alloc_zero(ev->arena, bitmap_words(s->g->n) * sizeof *p->row.present);
    if (s->set) p->reader = series_reader_create(s->set, ev->arena);
    return (p->row.v && p->row.present) || ev_no_memory(ev);
}

static void plan_part(Stream *s, const Part *p) {
    for (size_t i = 0; i < s->n_plans; i++) {
        PromqlPlan *plan = plan_of(s->plans[i]);
        if (!plan) continue;
        plan->series += p->rows;
        plan->points += p->points;
        plan->threads = s->ev->opts.pool ? MIN(thread_cpu_count(), (unsigned)s->n_parts) : 1;
        if (i + 1 < s->n_plans || !p->reader) continue;
        const SeriesReadStats *r = &p->reader->stats;
        plan->samples_decoded += r->samples;
        plan->blocks += r->blocks;
        plan->blocks_decoded += r->blocks_decoded;
        plan->blocks_skipped += r->blocks_skipped;
    }
}

/* What the part found becomes the query's. */
static void part_done(Stream *s, Part *p) {
    Ev *ev = s->ev, *w = &p->ev;
    plan_part(s, p);
    if (ev->rc == OK && w->rc != OK && !w->stopped) {
        ev->rc = w->rc;
        if (ev->err) *ev->err = p->err;
    }
    ev_annotations_merge(ev, w);
    ev->samples_peak = MAX(ev->samples_peak, w->samples_peak);
    ev->samples_total += w->samples_total;
    ev->samples_read += w->samples_read;
    for (size_t i = 0; ev->step_total && w->step_total && i < s->g->n; i++) {
        ev->step_total[i] += w->step_total[i];
        ev->step_read[i] += w->step_read[i];
    }
    series_reader_free(p->reader);
    steps_done(&p->steps);
    batch_scratch_done(&p->batch);
    map_free(w->annotations);
    arena_free(w->scratch);
    if (!arena_adopt(ev->arena, w->arena)) ev_no_memory(ev);
}

static bool run_parts(Stream *s) {
    Ev *ev = s->ev;
    uint64_t before = ev->samples, added = 0;
    bool ok = true;
    s->left_bytes = arena_left_bytes(ev->arena);
    s->parts = mem_alloc_array(s->n_parts, sizeof *s->parts);
    for (size_t k = 0; k < s->n_parts; k++) ok = part_init(s, &s->parts[k]) && ok;
    if (ok) promql_parallel(ev->opts.pool, s->n_parts, part_main, s);
    for (size_t k = 0; k < s->n_parts; k++) {
        added += s->parts[k].ev.samples - before;
        part_done(s, &s->parts[k]);
    }
    mem_free(s->parts);
    return ev_count_samples(ev, added) && ev->rc == OK;
}

static size_t parts_of(const Ev *ev, size_t n_series) {
    size_t worth = ev->opts.part_series ? ev->opts.part_series : PART_SERIES;
    return MAX(1, MIN(n_series / worth, STREAM_PARTS_MAX));
}

/* --- label sets that may become equal --- */

static bool fixes_name(const Stream *s) {
    Matchers ms = s->selector->selector.matchers;
    for (size_t i = 0; i < ms.n; i++)
        if (ms.v[i]->type == MATCH_EQ && str_eq(ms.v[i]->name, LABEL_NAME_METRIC)) return true;
    return false;
}

/* Whether two series have the same labels but for those that go with the name. */
static bool has_twins(const Stream *s) {
    static const Str metadata[] = {{"__type__", 8}, {"__unit__", 8}};
    U64Map *seen = u64map_create();
    bool twins = false;
    for (size_t i = 0; !twins && i < s->n_series; i++) {
        bool is_new;
        (void)u64map_put(seen, labels_hash_for(s->set->labels[i], metadata, ARRAY_LEN(metadata), false), &is_new);
        twins = !is_new;
    }
    u64map_free(seen);
    return twins;
}

/* Labels beside the name that go with it. */
static bool has_metadata_labels(const Stream *s) {
    for (size_t i = 0; i < s->n_series; i++) {
        Labels l = s->set->labels[i];
        for (size_t k = 0; k < l.n && l.v[k].name.n > 2 && l.v[k].name.p[0] <= '_'; k++)
            if (str_eq_lit(l.v[k].name, "__type__") || str_eq_lit(l.v[k].name, "__unit__")) return true;
    }
    return false;
}

static bool may_clash(const Stream *s) {
    bool drops = (s->kind == SOURCE_WINDOW || s->kind == SOURCE_COLUMNS) && !keeps_name(s);
    for (size_t i = 0; i < s->n_ops; i++) drops |= row_drops_name(s->ops[i].n);
    if (!drops || s->ev->opts.delayed_name_removal || s->n_series < 2) return false;
    if (s->set && fixes_name(s) && !has_metadata_labels(s)) return false;
    return !s->set || has_twins(s);
}

static void plan_done(Stream *s) {
    if (s->n_plans && s->set) {
        PromqlPlan *plan = plan_of(s->plans[s->n_plans - 1]);
        if (plan) plan->series_matched = s->set->n;
    }
    while (s->n_plans > 0) plan_end(s->ev, s->plans[--s->n_plans]);
}

static bool stream_run(Stream *s) {
    s->n_parts = parts_of(s->ev, s->n_series);
    return s->sink->begin(s->sink->ctx, s->ev, s->n_series, s->n_parts) && (s->n_series == 0 || run_parts(s));
}

bool ev_stream(Ev *ev, const Grid *g, PqlNode *n, const StreamSink *sink, bool *ret_clashes) {
    Stream s = {.ev = ev, .g = g, .sink = sink};
    bool ok = find_bottom(&s, n) && open_source(&s);
    *ret_clashes = ok && may_clash(&s);
    if (ok && !*ret_clashes) ok = stream_run(&s);
    plan_done(&s);
    return ok;
}

/* --- all rows --- */

typedef struct Collect {
    const Grid *g;
    PqlSeries *rows; /* per series */
    size_t n;
} Collect;

static bool collect_begin(void *ctx, Ev *ev, size_t n_series, size_t n_parts) {
    Collect *c = ctx;
    (void)n_parts;
    c->n = n_series;
    c->rows = arena_alloc_zero(ev->arena, n_series * sizeof *c->rows);
    return c->rows || ev_no_memory(ev);
}

static bool collect_row(void *ctx, Ev *w, size_t part, size_t index, PqlSeries *row) {
    Collect *c = ctx;
    (void)part;
    size_t words = bitmap_words(c->g->n), n = c->g->n;
    if (!bitmap_any(row->present, n)) return true;
    double *v = arena_alloc(w->arena, n * sizeof *v + words * sizeof *row->present);
    if (!v) return ev_no_memory(w);
    uint64_t *present = (uint64_t *)(void *)(v + n);
    memcpy(v, row->v, n * sizeof *v);
    memcpy(present, row->present, words * sizeof *present);
    c->rows[index] = (PqlSeries){row->labels, row->drop_name, v, present, row->h};
    return true;
}

/* Two series of a range function's result may not have the same labels at all; of other rows, not at one step. */
static bool collect_finish(Stream *s, Collect *c, PqlMatrix *ret) {
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->rows[i].present) c->rows[n++] = c->rows[i];
    *ret = (PqlMatrix){c->rows, n, c->n};
    bool window = s->kind == SOURCE_WINDOW || s->kind == SOURCE_COLUMNS;
    return !may_clash(s) || matrix_merge_same(s->ev, ret, s->g, window);
}

/* Label sets that become equal below a filter are an error even where the filter takes the samples away: what is below
 * the innermost such filter is evaluated, and checked, first. */
static bool check_below_filter(Stream *s) {
    bool drops = s->kind == SOURCE_WINDOW || s->kind == SOURCE_COLUMNS;
    size_t k = s->n_ops;
    while (k > 0 && !(drops && row_filters(s->ops[k - 1].n))) drops |= row_drops_name(s->ops[--k].n);
    if (k == 0 || !may_clash(s)) return true;
    if (!ev_stream_matrix(s->ev, s->g, row_child(s->ops[k - 1].n), &s->matrix)) return false;
    s->kind = SOURCE_MATRIX;
    s->set = NULL;
    s->n_ops = k;
    s->n_series = s->matrix.n;
    return true;
}

static bool collect(Stream *s, PqlMatrix *ret) {
    Collect c = {.g = s->g};
    StreamSink sink = {&c, collect_begin, collect_row};
    s->sink = &sink;
    bool ok = open_source(s) && check_below_filter(s) && stream_run(s) && collect_finish(s, &c, ret);
    plan_done(s);
    return ok;
}

bool ev_stream_matrix(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    Stream s = {.ev = ev, .g = g};
    if (find_bottom(&s, n)) return collect(&s, ret);
    plan_done(&s);
    return false;
}

bool ev_selector(Ev *ev, const Grid *g, PqlNode *n, PqlSample what, PqlMatrix *ret) {
    Stream s = {.ev = ev, .g = g, .kind = SOURCE_SELECTOR, .node = n, .selector = n, .what = what};
    plan_streamed(&s, n);
    return collect(&s, ret);
}
