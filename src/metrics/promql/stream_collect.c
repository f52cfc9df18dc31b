/* stream_collect.c - all rows of a stream as a matrix. */
#include "metrics/promql/stream_int.h"

bool stream_keep_labels(Ev *w, Labels l, Labels *ret) {
    Label *v = ARENA_ARRAY(w->arena, Label, l.n);
    if (!v) return ev_no_memory(w);
    if (l.n) memcpy(v, l.v, l.n * sizeof *v);
    *ret = (Labels){v, l.n};
    return true;
}

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
    Labels labels;
    if (!bitmap_any(row->present, n)) return true;
    if (!stream_keep_labels(w, row->labels, &labels)) return false;
    double *v = arena_alloc(w->arena, n * sizeof *v + words * sizeof *row->present);
    if (!v) return ev_no_memory(w);
    uint64_t *present = (uint64_t *)(void *)(v + n);
    memcpy(v, row->v, n * sizeof *v);
    memcpy(present, row->present, words * sizeof *present);
    c->rows[index] = (PqlSeries){labels, row->drop_name, v, present, row->h};
    return true;
}

/* Two series of a range function's result may not have the same labels at all; of other rows, not at one step. */
static bool collect_finish(Stream *s, Collect *c, PqlMatrix *ret) {
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->rows[i].present) c->rows[n++] = c->rows[i];
    *ret = (PqlMatrix){c->rows, n, c->n};
    bool window = s->kind == SOURCE_WINDOW || s->kind == SOURCE_COLUMNS;
    return !stream_may_clash(s) || matrix_merge_same(s->ev, ret, s->g, window);
}

/* Label sets that become equal below a filter are an error even where the filter takes the samples away: what is below
 * the innermost such filter is evaluated, and checked, first. */
static bool check_below_filter(Stream *s) {
    bool drops = s->kind == SOURCE_WINDOW || s->kind == SOURCE_COLUMNS;
    size_t k = s->n_ops;
    while (k > 0 && !(drops && row_filters(s->ops[k - 1].n))) drops |= row_drops_name(s->ops[--k].n);
    if (k == 0 || !stream_may_clash(s)) return true;
    if (!ev_stream_matrix(s->ev, s->g, row_child(s->ops[k - 1].n), &s->matrix)) return false;
    s->kind = SOURCE_MATRIX;
    s->set = NULL;
    s->n_ops = k;
    s->n_series = s->matrix.n;
    return true;
}

static bool collect(Stream *s, PqlMatrix *ret) {
    Collect c = {.g = s->g};
    StreamSink sink = {.ctx = &c, .begin = collect_begin, .row = collect_row};
    s->sink = &sink;
    bool ok = stream_open_source(s) && check_below_filter(s) && stream_run(s) && collect_finish(s, &c, ret);
    stream_end_plans(s);
    return ok;
}

bool ev_stream_matrix(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    Stream s = {.ev = ev, .g = g};
    if (stream_find_bottom(&s, n)) return collect(&s, ret);
    stream_end_plans(&s);
    return false;
}

bool ev_selector(Ev *ev, const Grid *g, PqlNode *n, PqlSample what, PqlMatrix *ret) {
    Stream s = {.ev = ev, .g = g, .kind = SOURCE_SELECTOR, .node = n, .selector = n, .what = what};
    stream_note_plan(&s, n);
    return collect(&s, ret);
}
