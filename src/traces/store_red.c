#include "traces/store_int.h"

#include <stdlib.h>

/* --- adding up the tables of heads and parts --- */

typedef struct RedQuery {
    int32_t first_slot, end_slot; /* minutes [first, end) */
    int32_t minutes_per_point;    /* 0: no points */
    size_t n_points;
    Map *services; /* name -> number */
    VEC(Str) names;
    RedTable totals, points; /* points: slot is the point's number */
} RedQuery;

static uint32_t service_number(RedQuery *q, Str name) {
    bool fresh;
    uint64_t *at = map_put(q->services, name, &fresh);
    if (fresh) {
        *at = q->names.n;
        vec_push(&q->names, name);
    }
    return (uint32_t)*at;
}

static void add_cell(RedQuery *q, Str service, const RedCell *c) {
    if (c->slot < q->first_slot || c->slot >= q->end_slot) return;
    uint32_t number = service_number(q, service);
    trace_red_table_add_cell(&q->totals, number, 0, c);
    if (q->minutes_per_point) {
        trace_red_table_add_cell(&q->points, number, (c->slot - q->first_slot) / q->minutes_per_point, c);
    }
}

static void add_part(RedQuery *q, const TracePart *p) {
    if (red_slot(p->max_t_ns) < q->first_slot || red_slot(p->min_t_ns) >= q->end_slot) return;
    Cursor c = cursor_of(p->red);
    RedCell cell = {0};
    while (trace_red_cell_decode(&c, &cell)) {
        if (cell.service < p->n_services) add_cell(q, p->services[cell.service], &cell);
    }
    vec_done(&cell.bins);
}

/* The names must stay until the answer is made, so heads and parts are kept meanwhile. */
typedef struct Sources {
    Head *heads[HEADS_MAX];
    size_t n_heads;
    PartSnapshot parts;
} Sources;

static void sources_done(TraceEngine *e, Sources *s) {
    for (size_t i = 0; i < s->n_heads; i++) trace_head_unref(s->heads[i]);
    partset_release(e->parts, &s->parts);
}

static void gather(TraceEngine *e, RedQuery *q, Sources *s) {
    mutex_lock(&e->head_lock);
    s->n_heads = trace_engine_heads(e, s->heads);
    for (size_t i = 0; i < s->n_heads; i++) {
        const Head *h = s->heads[i];
        vec_foreach(const RedCell, c, &h->red.cells) add_cell(q, h->services.v[c->service], c);
    }
    mutex_unlock(&e->head_lock);
    partset_snapshot(e->parts, &s->parts);
    for (size_t i = 0; i < s->parts.n; i++) add_part(q, s->parts.v[i].obj);
}

/* --- answers --- */

static RedCell *find_cell(const RedTable *t, uint32_t service, int32_t slot, uint8_t role) {
    uint64_t *at = u64map_get(t->index, (uint64_t)service << 32 | (uint64_t)((uint32_t)slot << 1 | role));
    return at ? &t->cells.v[*at] : NULL;
}

static int cmp_series(const void *a, const void *b) {
    return str_cmp(((const ServiceRedSeries *)a)->total.service, ((const ServiceRedSeries *)b)->total.service);
}

static bool fill_points(const RedQuery *q, uint32_t service, uint8_t role, Arena *arena, ServiceRedSeries *ret) {
    ret->n_points = q->n_points;
    if (q->n_points == 0) return true;
    ret->points = arena_alloc_zero(arena, q->n_points * sizeof(RedPoint));
    for (size_t i = 0; ret->points && i < q->n_points; i++) {
        RedPoint *p = &ret->points[i];
        p->t_ns = ((int64_t)q->first_slot + (int64_t)i * q->minutes_per_point) * RED_SLOT_NS;
        const RedCell *c = find_cell(&q->points, service, (int32_t)i, role);
        if (!c) continue;
        p->requests = c->requests;
        p->errors = c->errors;
        p->p50_s = trace_red_cell_quantile_s(c, 0.5);
        p->p95_s = trace_red_cell_quantile_s(c, 0.95);
        p->p99_s = trace_red_cell_quantile_s(c, 0.99);
    }
    return ret->points != NULL;
}

static ErrCode answer(const RedQuery *q, Arena *arena, ServiceRedSeries **ret, size_t *ret_n, Err *reterr) {
    ServiceRedSeries *v = arena_alloc_zero(arena, (q->names.n + 1) * sizeof *v);
    bool ok = v != NULL;
    for (uint32_t i = 0; ok && i < q->names.n; i++) {
        uint8_t role = find_cell(&q->totals, i, 0, 0) ? 0 : 1;
        const RedCell *c = find_cell(&q->totals, i, 0, role);
        ASSERT(c);
        v[i].total = (ServiceRed){.service = arena_copy(arena, q->names.v[i]),
            .requests = c->requests,
            .errors = c->errors,
            .p50_s = trace_red_cell_quantile_s(c, 0.5),
            .p95_s = trace_red_cell_quantile_s(c, 0.95),
            .p99_s = trace_red_cell_quantile_s(c, 0.99),
            .last_seen_ns = c->last_ns};
        ok = fill_points(q, i, role, arena, &v[i]);
    }
    if (!ok || arena_exhausted(arena)) return err_set(reterr, ERR_TOO_LARGE, "too many services and points");
    qsort(v, q->names.n, sizeof *v, cmp_series);
    *ret = v;
    *ret_n = q->names.n;
    return OK;
}

static ErrCode plan_points(RedQuery *q, int64_t start_ns, int64_t end_ns, int64_t step_ns, Err *reterr) {
    if (end_ns < start_ns) return err_set(reterr, ERR_INVALID, "the window ends before it begins");
    q->first_slot = red_slot(start_ns);
    q->end_slot = red_slot(end_ns) + (end_ns % RED_SLOT_NS != 0 || end_ns == start_ns);
    if (step_ns <= 0) return OK;
    int64_t minutes = step_ns / RED_SLOT_NS + (step_ns % RED_SLOT_NS != 0),
            slots = (int64_t)q->end_slot - q->first_slot;
    int64_t points = (slots + minutes - 1) / minutes;
    if (points > TRACE_RED_POINTS_MAX) {
        return err_set(reterr, ERR_INVALID, "%lld points are too many, at most %d: use a larger step",
            (long long)points, TRACE_RED_POINTS_MAX);
    }
    q->minutes_per_point = (int32_t)MIN(minutes, slots + 1);
    q->n_points = (size_t)points;
    return OK;
}

ErrCode trace_engine_red_series(TraceStore *s, int64_t start_ns, int64_t end_ns, int64_t step_ns, Arena *arena,
    ServiceRedSeries **ret, size_t *ret_n, Err *reterr) {
    TraceEngine *e = engine_of(s);
    RedQuery q = {0};
    ErrCode code = plan_points(&q, start_ns, end_ns, step_ns, reterr);
    if (code) return code;
    q.services = map_create(MAP_BORROW_KEYS);
    trace_red_table_init(&q.totals);
    trace_red_table_init(&q.points);
    Sources sources = {0};
    gather(e, &q, &sources);
    code = answer(&q, arena, ret, ret_n, reterr);
    sources_done(e, &sources);
    trace_red_table_done(&q.totals);
    trace_red_table_done(&q.points);
    vec_done(&q.names);
    map_free(q.services);
    return code;
}

ErrCode trace_engine_red(
    TraceStore *s, int64_t start_ns, int64_t end_ns, Arena *arena, ServiceRed **ret, size_t *ret_n, Err *reterr) {
    ServiceRedSeries *series;
    ErrCode code = trace_engine_red_series(s, start_ns, end_ns, 0, arena, &series, ret_n, reterr);
    if (code) return code;
    *ret = ARENA_ARRAY(arena, ServiceRed, *ret_n + 1);
    if (!*ret) return err_set(reterr, ERR_TOO_LARGE, "too many services");
    for (size_t i = 0; i < *ret_n; i++) (*ret)[i] = series[i].total;
    return OK;
}

/* --- calls between services --- */

/* A head as its readers saw it: numbers of services by resource, names by number. */
typedef struct HeadCalls {
    uint32_t n_spans;
    uint32_t *service_of;
    Str *names;
} HeadCalls;

static void head_calls_init(HeadCalls *c, const Head *h) {
    c->n_spans = h->n_spans;
    c->service_of = mem_alloc_array(h->resources.n + 1, sizeof(uint32_t));
    c->names = mem_alloc_array(h->services.n + 1, sizeof(Str));
    for (size_t i = 0; i < h->resources.n; i++) c->service_of[i] = h->resources.v[i].service;
    for (size_t i = 0; i < h->services.n; i++) c->names[i] = h->services.v[i];
}

typedef struct CallQuery {
    RedQuery names; /* only its dictionary and window */
    CallTable totals;
} CallQuery;

static void add_call(CallQuery *q, Str parent, Str child, uint64_t calls) {
    uint32_t p = service_number(&q->names, parent), c = service_number(&q->names, child);
    trace_call_table_add(&q->totals, p, c, 0, calls);
}

static void add_head_calls(CallQuery *q, const Head *h, const HeadCalls *c, int64_t start_ns, int64_t end_ns) {
    CallTable calls;
    trace_call_table_init(&calls);
    trace_head_calls(h, c->service_of, c->n_spans, start_ns, end_ns, &calls);
    vec_foreach(const CallCell, cell, &calls.cells)
        add_call(q, c->names[cell->parent], c->names[cell->child], cell->calls);
    trace_call_table_done(&calls);
}

static void add_part_calls(CallQuery *q, const TracePart *p) {
    if (red_slot(p->max_t_ns) < q->names.first_slot || red_slot(p->min_t_ns) >= q->names.end_slot) return;
    Cursor c = cursor_of(p->calls);
    CallCell cell;
    while (trace_call_cell_decode(&c, &cell)) {
        if (cell.slot < q->names.first_slot || cell.slot >= q->names.end_slot) continue;
        if (cell.parent >= p->n_services || cell.child >= p->n_services) continue;
        add_call(q, p->services[cell.parent], p->services[cell.child], cell.calls);
    }
}

static int cmp_dependency(const void *a, const void *b) {
    const TraceDependency *x = a, *y = b;
    int c = str_cmp(x->parent, y->parent);
    return c ? c : str_cmp(x->child, y->child);
}

static ErrCode answer_calls(
    const CallQuery *q, Str service, Arena *arena, TraceDependency **ret, size_t *ret_n, Err *reterr) {
    TraceDependency *v = ARENA_ARRAY(arena, TraceDependency, q->totals.cells.n + 1);
    size_t n = 0;
    vec_foreach(const CallCell, c, &q->totals.cells) {
        Str parent = q->names.names.v[c->parent], child = q->names.names.v[c->child];
        if (!v || (service.n && !str_eq(parent, service) && !str_eq(child, service))) continue;
        v[n++] = (TraceDependency){arena_copy(arena, parent), arena_copy(arena, child), c->calls};
    }
    if (!v || arena_exhausted(arena)) return err_set(reterr, ERR_TOO_LARGE, "too many dependencies");
    qsort(v, n, sizeof *v, cmp_dependency);
    *ret = v;
    *ret_n = n;
    return OK;
}

ErrCode trace_engine_dependencies(TraceStore *s, int64_t start_ns, int64_t end_ns, Str service, Arena *arena,
    TraceDependency **ret, size_t *ret_n, Err *reterr) {
    TraceEngine *e = engine_of(s);
    CallQuery q = {0};
    ErrCode code = plan_points(&q.names, start_ns, end_ns, 0, reterr);
    if (code) return code;
    q.names.services = map_create(MAP_BORROW_KEYS);
    trace_call_table_init(&q.totals);
    Sources sources = {0};
    HeadCalls views[HEADS_MAX];
    mutex_lock(&e->head_lock);
    sources.n_heads = trace_engine_heads(e, sources.heads);
    for (size_t i = 0; i < sources.n_heads; i++) head_calls_init(&views[i], sources.heads[i]);
    mutex_unlock(&e->head_lock);
    partset_snapshot(e->parts, &sources.parts);
    for (size_t i = 0; i < sources.n_heads; i++) add_head_calls(&q, sources.heads[i], &views[i], start_ns, end_ns);
    for (size_t i = 0; i < sources.parts.n; i++) add_part_calls(&q, sources.parts.v[i].obj);
    code = answer_calls(&q, service, arena, ret, ret_n, reterr);
    for (size_t i = 0; i < sources.n_heads; i++) {
        mem_free(views[i].service_of);
        mem_free(views[i].names);
    }
    sources_done(e, &sources);
    trace_call_table_done(&q.totals);
    vec_done(&q.names.names);
    map_free(q.names.services);
    return code;
}
