/* stream_row.c - one series of the source as a row of points. */
#include "metrics/promql/stream_int.h"

static bool store_failed(Part *p, ErrCode rc, const Err *err) {
    if (p->ev.rc == OK) {
        p->ev.rc = rc;
        *p->ev.err = *err;
    }
    return false;
}

/* Series i's labels, in scratch memory. */
static bool read_labels(Stream *s, Part *p, size_t i) {
    Err err = {0};
    ErrCode rc = series_labels(s->set, i, p->ev.scratch, &p->row.labels, &err);
    return rc == OK || store_failed(p, rc, &err);
}

static bool has_stale(const SeriesColumn *c) { return !c->fresh && stale_nan_among(c->value, c->n); }

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
    const WindowBatch batch = {
        id, s->g, &p->steps, clean->t, clean->v, clean->n, c->rising, (double)s->spec.range_ms / 1000};
    *ret_done = window_batch(&batch, &p->batch, &p->row);
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

bool stream_keeps_name(const Stream *s) {
    PqlFn id = s->call.function->id;
    return id == FN_LAST_OVER_TIME || id == FN_FIRST_OVER_TIME;
}

static bool window_row(Stream *s, Part *p, Column *c) {
    note_gauge(s, p);
    p->row.drop_name = c->drop_name;
    return (stream_keeps_name(s) && !c->drop_name) || series_drop_name(&p->ev, &p->row);
}

static bool window_from_store(Stream *s, Part *p, size_t i, SeriesColumn *c) {
    Column clean;
    bool done;
    if (s->selector->selector.detect_resets && !ev_detect_column(&p->ev, c)) return false;
    if (c->n_histograms == 0 && !has_stale(c))
        clean = (Column){.labels = c->labels, .n = c->n, .t = c->t_ms, .v = c->value, .start = c->start_ms};
    else if (!column_from_store(&p->ev, c, &clean))
        return false;
    if (clean.n + clean.n_h == 0) return true;
    if (!window_quick(s, p, c, &clean, &done)) return false;
    if (!done) {
        if (s->no_labels && !read_labels(s, p, i)) return false;
        clean.labels = p->row.labels;
        if (!window_series(&p->ev, s->g, &s->call, &clean, &p->row)) return false;
    }
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
        for (size_t i = 0; c->value && i < s->g->n; i++) row->v[i] = c->value[pick[i]];
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
    p->ev.series_read++;
    return rc == OK || store_failed(p, rc, &err);
}

bool stream_make_row(Stream *s, Part *p, size_t i) {
    SeriesColumn c;
    p->row.h = NULL;
    p->row.drop_name = false;
    memset(p->row.present, 0, bitmap_words(s->g->n) * sizeof *p->row.present);
    switch (s->kind) {
    case SOURCE_SELECTOR:
    case SOURCE_WINDOW:
        p->row.labels = (Labels){&s->name, s->name.name.n > 0};
        if (!read_series(p, i, &c)) return false;
        if (c.n + c.n_histograms == 0) return true;
        if ((!s->no_labels || c.n_histograms) && !read_labels(s, p, i)) return false;
        c.labels = p->row.labels;
        return s->kind == SOURCE_SELECTOR ? selector_from_store(s, p, &c) : window_from_store(s, p, i, &c);
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
