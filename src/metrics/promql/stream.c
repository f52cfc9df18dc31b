/* stream.c - rows in parts: on several threads, with an Ev for each part. */
#include "metrics/promql/stream_int.h"
#include "metrics/promql/workers.h"
#include "sys/thread.h"

#define PART_SERIES 64

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
        if (!ev_alive(ev) || !stream_make_row(s, p, i)) return false;
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
    ev->samples_peak = ev->samples_total = ev->samples_read = ev->series_read = 0;
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
    ev->series_read += w->series_read;
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

void stream_end_plans(Stream *s) {
    if (s->n_plans && s->set) {
        PromqlPlan *plan = plan_of(s->plans[s->n_plans - 1]);
        if (plan) plan->series_matched = s->set->n;
    }
    while (s->n_plans > 0) plan_end(s->ev, s->plans[--s->n_plans]);
}

bool stream_run(Stream *s) {
    s->n_parts = parts_of(s->ev, s->n_series);
    return s->sink->begin(s->sink->ctx, s->ev, s->n_series, s->n_parts) && (s->n_series == 0 || run_parts(s));
}

bool ev_stream(Ev *ev, const Grid *g, PqlNode *n, const StreamSink *sink, bool *ret_clashes) {
    Stream s = {.ev = ev, .g = g, .sink = sink};
    bool ok = stream_find_bottom(&s, n) && stream_open_source(&s);
    *ret_clashes = ok && stream_may_clash(&s);
    if (ok && !*ret_clashes) ok = stream_run(&s);
    stream_end_plans(&s);
    return ok;
}
