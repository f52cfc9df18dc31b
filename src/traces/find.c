#include "traces/find.h"

#include <stdlib.h>

#define COMPACT_MIN 512u

/* --- the newest traces --- */

static int cmp_by_id(const void *a, const void *b) {
    const TopHit *x = a, *y = b;
    int c = memcmp(x->id.b, y->id.b, 16);
    if (c) return c;
    return x->start_ns > y->start_ns ? -1 : x->start_ns < y->start_ns;
}

static int cmp_newest(const void *a, const void *b) {
    const TopHit *x = a, *y = b;
    if (x->start_ns != y->start_ns) return x->start_ns > y->start_ns ? -1 : 1;
    return memcmp(x->id.b, y->id.b, 16);
}

void trace_top_compact(TopTraces *t) {
    if (t->sorted == t->hits.n) return;
    qsort(t->hits.v, t->hits.n, sizeof(TopHit), cmp_by_id);
    size_t n = 0;
    for (size_t i = 0; i < t->hits.n; i++) {
        if (n == 0 || !trace_id_eq(t->hits.v[n - 1].id, t->hits.v[i].id)) t->hits.v[n++] = t->hits.v[i];
    }
    qsort(t->hits.v, n, sizeof(TopHit), cmp_newest);
    if (t->limit && n >= t->limit) {
        n = t->limit;
        t->at_least_ns = t->hits.v[n - 1].start_ns;
    }
    t->sorted = t->hits.n = n;
}

void trace_top_add(TopTraces *t, TraceId id, int64_t start_ns) {
    if (start_ns < t->at_least_ns) return;
    vec_push(&t->hits, (TopHit){id, start_ns});
    if (t->hits.n - t->sorted >= MAX(t->sorted, COMPACT_MIN)) trace_top_compact(t);
}

bool trace_is_deleted(TraceDeletions d, TraceId id, uint64_t part_id) {
    for (size_t i = 0; i < d.n; i++) {
        if (part_id <= d.v[i].part_id_max && trace_id_eq(d.v[i].id, id)) return true;
    }
    return false;
}

void trace_find_query_init(FindQuery *q, const TraceFind *req) {
    *q = (FindQuery){.req = req, .top = {.limit = req->limit, .at_least_ns = INT64_MIN}};
    q->tags = mem_alloc_array(req->n_tags + 1, sizeof(TagQuery));
    for (size_t i = 0; i < req->n_tags; i++) trace_tag_query_init(&q->tags[i], &req->tags[i]);
}

void trace_find_query_done(FindQuery *q) {
    for (size_t i = 0; i < q->req->n_tags; i++) trace_tag_query_done(&q->tags[i]);
    mem_free(q->tags);
    vec_done(&q->top.hits);
}

/* --- the head --- */

static bool op_matches(const TraceFind *req, Str service, Str name) {
    return (req->service.n == 0 || str_eq(req->service, service)) &&
           (req->operation.n == 0 || str_eq(req->operation, name));
}

void trace_head_view_init(HeadView *v, Head *h, FindQuery *q) {
    const TraceFind *req = q->req;
    *v = (HeadView){.head = trace_head_ref(h),
        .n_spans = h->n_spans,
        .min_t_ns = h->min_t_ns,
        .max_t_ns = h->max_t_ns,
        .n_resources = (uint32_t)h->resources.n,
        .n_scopes = (uint32_t)h->scopes.n};
    v->ops = mem_alloc_zero(h->ops.n + 1);
    for (size_t i = 0; i < h->ops.n; i++) {
        const HeadOp *o = &h->ops.v[i];
        v->ops[i] = op_matches(req, h->services.v[o->service], h->names.v[o->name]);
        v->any_op |= v->ops[i];
    }
    v->resource_tags = mem_alloc_zero(req->n_tags * v->n_resources + 1);
    v->scope_tags = mem_alloc_zero(req->n_tags * v->n_scopes + 1);
    for (size_t t = 0; v->any_op && t < req->n_tags; t++) {
        for (size_t i = 0; i < v->n_resources; i++) {
            v->resource_tags[t * v->n_resources + i] = trace_tag_matches_resource(&q->tags[t], h->resources.v[i].bytes);
        }
        for (size_t i = 0; i < v->n_scopes; i++) {
            v->scope_tags[t * v->n_scopes + i] = trace_tag_matches_scope(&q->tags[t], h->scopes.v[i]);
        }
    }
    if (!h->has_deletions) return;
    v->deleted_before = mem_alloc_array(h->traces.n + 1, sizeof(uint32_t));
    for (size_t i = 0; i < h->traces.n; i++) v->deleted_before[i] = h->traces.v[i].deleted_before;
}

void trace_head_view_done(HeadView *v) {
    mem_free(v->ops);
    mem_free(v->resource_tags);
    mem_free(v->scope_tags);
    mem_free(v->deleted_before);
    v->head = trace_head_unref(v->head);
}

static bool duration_matches(const TraceFind *req, int64_t start_ns, int64_t end_ns) {
    int64_t d = (int64_t)((uint64_t)end_ns - (uint64_t)start_ns);
    return (req->min_duration_ns == 0 || d >= req->min_duration_ns) &&
           (req->max_duration_ns == 0 || d <= req->max_duration_ns);
}

static bool row_has_tag(const HeadView *v, size_t t, TagQuery *q, const HeadSpan *s, const SpanRowView *row) {
    const SpanPayload *p = &s->chunk->payload;
    if (v->resource_tags[t * v->n_resources + s->chunk->resources[row->resource]]) return true;
    if (v->scope_tags[t * v->n_scopes + s->chunk->scopes[row->scope]]) return true;
    if (trace_tag_matches_fields(q, row->kind, row->status)) return true;
    Cursor c = row->rest;
    if (trace_tag_matches_attrs(q, &c, p->strings, p->n_strings)) return true;
    SpanExtra x;
    if (!row->has_extra || !span_extra_read(&c, &x)) return false;
    return trace_tag_matches_texts(q, x.status_message, x.trace_state) ||
           trace_tag_matches_events(q, &c, p->strings, p->n_strings) ||
           trace_tag_matches_links(q, &c, p->strings, p->n_strings);
}

static bool row_has_tags(const HeadView *v, FindQuery *q, const HeadSpan *s) {
    if (q->req->n_tags == 0) return true;
    SpanRowView row;
    if (!span_row_view(s->row, &row)) return false;
    for (size_t t = 0; t < q->req->n_tags; t++) {
        if (!row_has_tag(v, t, &q->tags[t], s, &row)) return false;
    }
    return true;
}

ErrCode trace_head_find(const HeadView *v, FindQuery *q, Err *reterr) {
    const TraceFind *req = q->req;
    if (!v->any_op || v->max_t_ns < req->start_ns || v->min_t_ns > req->end_ns) return OK;
    for (uint32_t i = v->n_spans; i-- > 0;) {
        const HeadSpan *s = head_span(v->head, i);
        if ((i & 4095) == 0 && req->cancel && atomic_load(req->cancel)) {
            return err_set(reterr, ERR_CANCELLED, "the search was cancelled");
        }
        if (s->start_ns < req->start_ns || s->start_ns > req->end_ns || s->start_ns < q->top.at_least_ns) continue;
        if (!v->ops[s->op] || !duration_matches(req, s->start_ns, s->end_ns)) continue;
        if (v->deleted_before && i < v->deleted_before[s->trace]) continue;
        if (!row_has_tags(v, q, s)) continue;
        TraceId id;
        memcpy(id.b, s->row.p, 16);
        trace_top_add(&q->top, id, s->start_ns);
    }
    trace_top_compact(&q->top);
    return OK;
}
