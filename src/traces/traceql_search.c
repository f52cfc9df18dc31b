/* traceql_search.c - the newest traces with what a query selects in them. */
#include "traces/traceql_eval_int.h"

#include "sys/thread.h"

#include <stdlib.h>

#define HIT_BYTES (16u << 20)
#define LIMIT_DEFAULT 20u
#define SPANS_DEFAULT 3u
#define PROGRAM_BYTES (4u << 20)

typedef struct Hit {
    TqlFoundTrace trace;
    Arena *arena;
} Hit;

typedef struct Search {
    const TqlSearch *req;
    const TqlProgram *program;
    uint32_t limit, spans_per_set;
    _Atomic int64_t floor_ns;
    Mutex lock;
    VEC(Hit) hits; /* newest first; at most limit */
} Search;

/* --- copies --- */

static bool copy_str(Arena *arena, Str *s) {
    if (s->n == 0) {
        *s = STR_NULL;
        return true;
    }
    *s = arena_copy(arena, *s);
    return s->p != NULL;
}

static bool copy_value(Arena *arena, TqlValue *v) {
    if (v->type == TQL_STRING) return copy_str(arena, &v->s);
    if (v->type != TQL_ARRAY && v->type != TQL_MANY) return true;
    TqlValue *items = ARENA_ARRAY(arena, TqlValue, v->n + 1);
    if (!items) return false;
    for (uint32_t i = 0; i < v->n; i++) {
        items[i] = v->v[i];
        if (!copy_value(arena, &items[i])) return false;
    }
    v->v = items;
    return true;
}

/* --- summaries --- */

static bool take_fields(
    const Search *x, const TqlView *v, uint32_t row, Arena *scratch, Arena *arena, TqlFoundSpan *ret) {
    const TqlAttr *attrs;
    size_t n = traceql_program_attrs(x->program, &attrs);
    ret->fields = ARENA_ARRAY(arena, TqlField, n + 1);
    if (!ret->fields) return false;
    for (size_t i = 0; i < n; i++) {
        TqlField f = {.attr = attrs[i], .value = traceql_attr_value(&attrs[i], v, row, scratch)};
        if (f.value.type == TQL_NIL) continue;
        if (!copy_str(arena, &f.attr.name) || !copy_value(arena, &f.value)) return false;
        ret->fields[ret->n_fields++] = f;
    }
    return true;
}

static bool take_span(
    const Search *x, const TqlView *v, uint32_t row, Arena *scratch, Arena *arena, TqlFoundSpan *ret) {
    const SpanRow *r = &v->batch->rows.v[row];
    *ret = (TqlFoundSpan){.span_id = r->span_id,
        .start_ns = r->start_ns,
        .duration_ns = (int64_t)((uint64_t)r->end_ns - (uint64_t)r->start_ns),
        .name = r->name};
    return copy_str(arena, &ret->name) && take_fields(x, v, row, scratch, arena, ret);
}

static bool take_set(
    const Search *x, const TqlView *v, const TqlSpanset *s, Arena *scratch, Arena *arena, TqlFoundSet *ret) {
    *ret = (TqlFoundSet){.matched = s->n, .n_spans = MIN(s->n, x->spans_per_set), .n_numbers = s->numbers.n};
    ret->spans = ARENA_ARRAY(arena, TqlFoundSpan, ret->n_spans + 1);
    ret->numbers = ARENA_ARRAY(arena, TqlNumber, ret->n_numbers + 1);
    if (!ret->spans || !ret->numbers) return false;
    for (size_t i = 0; i < ret->n_spans; i++) {
        if (!take_span(x, v, s->rows[i], scratch, arena, &ret->spans[i])) return false;
    }
    for (size_t i = 0; i < ret->n_numbers; i++) {
        ret->numbers[i] = s->numbers.v[i];
        if (!copy_str(arena, &ret->numbers[i].name) || !copy_value(arena, &ret->numbers[i].value)) return false;
    }
    return true;
}

static int cmp_service(const void *a, const void *b) {
    return str_cmp(((const TqlServiceStats *)a)->service, ((const TqlServiceStats *)b)->service);
}

/* Resources of one service are few: a list does. */
static bool take_services(const TqlView *v, Arena *arena, TqlFoundTrace *ret) {
    const SpansBatch *b = v->batch;
    AVEC(TqlServiceStats) list = {0};
    for (size_t i = 0; i < b->rows.n; i++) {
        const SpanRow *r = &b->rows.v[i];
        Str service = spans_batch_service(b, r);
        size_t k = 0;
        while (k < list.n && !str_eq(list.v[k].service, service)) k++;
        if (k == list.n) {
            Str copy = service;
            if (!copy_str(arena, &copy) || !avec_push(arena, &list, (TqlServiceStats){.service = copy})) return false;
        }
        list.v[k].spans++;
        list.v[k].errors += r->status == SPAN_STATUS_ERROR;
    }
    if (list.n) qsort(list.v, list.n, sizeof *list.v, cmp_service);
    ret->services = list.v;
    ret->n_services = list.n;
    return true;
}

static bool take_trace(
    const Search *x, const TqlView *v, const TqlSpansets *sets, Arena *scratch, Arena *arena, TqlFoundTrace *ret) {
    *ret = (TqlFoundTrace){.id = v->batch->rows.v[0].trace_id,
        .start_ns = v->min_start_ns,
        .duration_ns = (int64_t)((uint64_t)v->max_end_ns - (uint64_t)v->min_start_ns),
        .n_sets = sets->n};
    if (v->root != TQL_NONE) {
        const SpanRow *root = &v->batch->rows.v[v->root];
        ret->root_name = root->name;
        ret->root_service = spans_batch_service(v->batch, root);
        if (!copy_str(arena, &ret->root_name) || !copy_str(arena, &ret->root_service)) return false;
    }
    ret->sets = ARENA_ARRAY(arena, TqlFoundSet, sets->n + 1);
    if (!ret->sets) return false;
    for (size_t i = 0; i < sets->n; i++) {
        if (!take_set(x, v, &sets->v[i], scratch, arena, &ret->sets[i])) return false;
    }
    return take_services(v, arena, ret);
}

/* --- the newest --- */

static int cmp_traces(const TqlFoundTrace *a, const TqlFoundTrace *b) {
    if (a->start_ns != b->start_ns) return a->start_ns > b->start_ns ? -1 : 1;
    return memcmp(a->id.b, b->id.b, 16);
}

static bool is_wanted(Search *x, const TqlView *v) {
    const TqlSearch *req = x->req;
    int64_t duration = (int64_t)((uint64_t)v->max_end_ns - (uint64_t)v->min_start_ns);
    if (req->min_duration_ns && duration < req->min_duration_ns) return false;
    if (req->max_duration_ns && duration > req->max_duration_ns) return false;
    return v->min_start_ns >= atomic_load(&x->floor_ns);
}

static void insert(Search *x, Hit hit) {
    mutex_lock(&x->lock);
    size_t at = x->hits.n;
    while (at > 0 && cmp_traces(&hit.trace, &x->hits.v[at - 1].trace) < 0) at--;
    vec_reserve(&x->hits, 1);
    memmove(&x->hits.v[at + 1], &x->hits.v[at], (x->hits.n - at) * sizeof(Hit));
    x->hits.v[at] = hit;
    x->hits.n++;
    if (x->hits.n > x->limit) arena_free(x->hits.v[--x->hits.n].arena);
    if (x->hits.n == x->limit) atomic_store(&x->floor_ns, x->hits.v[x->limit - 1].trace.start_ns);
    mutex_unlock(&x->lock);
}

static ErrCode on_found(
    void *ctx, unsigned worker, const TqlView *v, const TqlSpansets *sets, Arena *arena, Err *reterr) {
    Search *x = ctx;
    (void)worker;
    if (!is_wanted(x, v)) return OK;
    Hit hit = {.arena = arena_create(HIT_BYTES)};
    if (take_trace(x, v, sets, arena, hit.arena, &hit.trace)) {
        insert(x, hit);
        return OK;
    }
    arena_free(hit.arena);
    return err_set(reterr, ERR_TOO_LARGE, "the query needs too much memory for one trace");
}

static ErrCode take_result(Search *x, Arena *arena, TqlSearchResult *ret, Err *reterr) {
    ret->n_traces = x->hits.n;
    ret->traces = ARENA_ARRAY(arena, TqlFoundTrace, x->hits.n + 1);
    bool ok = ret->traces != NULL;
    for (size_t i = 0; ok && i < x->hits.n; i++) {
        ret->traces[i] = x->hits.v[i].trace;
        ok = arena_adopt(arena, x->hits.v[i].arena);
        x->hits.v[i].arena = NULL; /* adopted whatever is left of the budget */
    }
    return ok ? OK : err_set(reterr, ERR_TOO_LARGE, "the result is too large");
}

ErrCode traceql_search(const TqlSearch *req, Arena *arena, TqlSearchResult *ret, Err *reterr) {
    if (req->query->is_metrics) return err_set(reterr, ERR_INVALID, "the query gives numbers, not traces");
    Search x = {.req = req,
        .limit = req->limit ? req->limit : LIMIT_DEFAULT,
        .spans_per_set = req->spans_per_set ? req->spans_per_set : SPANS_DEFAULT};
    Arena *plans = arena_create(PROGRAM_BYTES);
    atomic_init(&x.floor_ns, INT64_MIN);
    mutex_init(&x.lock);
    *ret = (TqlSearchResult){0};
    TqlProgramOptions opts = {.summaries = true};
    ErrCode e = traceql_program_create(req->query->pipeline, &opts, plans, &x.program, reterr);
    TqlScan scan = {.store = req->store,
        .program = x.program,
        .start_ns = req->start_ns,
        .end_ns = req->end_ns,
        .threads = req->threads,
        .cancel = req->cancel,
        .deadline_mono_ns = req->deadline_mono_ns,
        .floor_ns = &x.floor_ns};
    if (!e) e = traceql_scan(&scan, on_found, &x, &ret->stats, reterr);
    if (!e) e = take_result(&x, arena, ret, reterr);
    vec_foreach(Hit, h, &x.hits) arena_free(h->arena);
    vec_done(&x.hits);
    mutex_done(&x.lock);
    arena_free(plans);
    return e;
}
