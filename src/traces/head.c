#include "traces/head.h"

#include "base/hash.h"
#include "sys/clock.h"

#define SAME_ID_CHECK_MAX                                                                                              \
    16 /* spans of one id that are compared: a sender that repeats an id for ever is not our cost */
#define SPAN_INDEX_BYTES 48

Head *trace_head_create(void) {
    Head *h = NEW(Head);
    atomic_init(&h->refs, 1);
    h->resource_index = map_create(MAP_BORROW_KEYS);
    h->scope_index = map_create(MAP_BORROW_KEYS);
    h->service_index = map_create(MAP_BORROW_KEYS);
    h->name_index = map_create(MAP_BORROW_KEYS);
    h->op_index = u64map_create();
    h->trace_index = u64map_create();
    h->span_index = u64map_create();
    trace_red_table_init(&h->red);
    h->min_t_ns = INT64_MAX;
    h->max_t_ns = INT64_MIN;
    h->created_mono_ns = clock_mono_ns();
    return h;
}

Head *trace_head_ref(Head *h) {
    atomic_fetch_add(&h->refs, 1);
    return h;
}

Head *trace_head_unref(Head *h) {
    if (!h || atomic_fetch_sub(&h->refs, 1) != 1) return NULL;
    for (HeadChunk *c = h->chunks, *next; c; c = next) {
        next = c->next;
        trace_head_chunk_free(c);
    }
    for (size_t i = 0; i < HEAD_SEGMENTS_MAX; i++) mem_free(h->segments[i]);
    map_free(h->resource_index);
    map_free(h->scope_index);
    map_free(h->service_index);
    map_free(h->name_index);
    u64map_free(h->op_index);
    u64map_free(h->trace_index);
    u64map_free(h->span_index);
    vec_done(&h->resources);
    vec_done(&h->scopes);
    vec_done(&h->services);
    vec_done(&h->names);
    vec_done(&h->ops);
    vec_done(&h->traces);
    trace_red_table_done(&h->red);
    mem_free(h);
    return NULL;
}

HeadChunk *trace_head_chunk_create(Buf *payload) {
    HeadChunk *c = NEW(HeadChunk);
    c->bytes = buf_take(payload, &c->n_bytes);
    if (!span_payload_open(str_of(c->bytes, c->n_bytes), &c->payload)) return trace_head_chunk_free(c);
    const SpanPayload *p = &c->payload;
    size_t n = (size_t)p->n_resources + p->n_scopes + p->n_strings;
    c->resources = mem_alloc_zero((n + 1) * sizeof(uint32_t));
    c->scopes = c->resources + p->n_resources;
    c->names = c->scopes + p->n_scopes;
    return c;
}

HeadChunk *trace_head_chunk_free(HeadChunk *c) {
    if (!c) return NULL;
    span_payload_done(&c->payload);
    mem_free(c->resources);
    mem_free(c->bytes);
    mem_free(c);
    return NULL;
}

/* --- dictionaries --- */

static uint32_t intern_service(Head *h, Str name) {
    bool inserted;
    uint64_t *at = map_put(h->service_index, name, &inserted);
    if (inserted) {
        *at = h->services.n;
        vec_push(&h->services, name);
    }
    return (uint32_t)*at;
}

static uint32_t intern_resource(Head *h, Str bytes) {
    bool inserted;
    uint64_t *at = map_put(h->resource_index, bytes, &inserted);
    if (inserted) {
        *at = h->resources.n;
        uint32_t number = (uint32_t)*at;
        vec_push(&h->resources, (HeadResource){bytes, intern_service(h, span_resource_service(bytes))});
        return number;
    }
    return (uint32_t)*at;
}

static uint32_t intern_scope(Head *h, Str bytes) {
    bool inserted;
    uint64_t *at = map_put(h->scope_index, bytes, &inserted);
    if (inserted) {
        *at = h->scopes.n;
        vec_push(&h->scopes, bytes);
    }
    return (uint32_t)*at;
}

static uint32_t chunk_name(Head *h, HeadChunk *c, uint32_t string) {
    if (c->names[string]) return c->names[string] - 1;
    bool inserted;
    uint64_t *at = map_put(h->name_index, c->payload.strings[string], &inserted);
    if (inserted) {
        *at = h->names.n;
        vec_push(&h->names, c->payload.strings[string]);
    }
    c->names[string] = (uint32_t)*at + 1;
    return (uint32_t)*at;
}

static uint32_t intern_op(Head *h, uint32_t service, uint32_t name, uint8_t kind) {
    uint64_t key = (uint64_t)service << 35 | (uint64_t)name << 3 | kind; /* both below 2^29: spans in a head are */
    bool inserted;
    uint64_t *at = u64map_put(h->op_index, key, &inserted);
    if (inserted) {
        *at = h->ops.n;
        vec_push(&h->ops, (HeadOp){service, name, kind});
    }
    return (uint32_t)*at;
}

/* --- traces --- */

static uint64_t trace_key(TraceId id) { return hash_bytes(id.b, sizeof id.b, hash_process_seed()); }

HeadTrace *trace_head_trace(const Head *h, TraceId id) {
    uint64_t *at = u64map_get(h->trace_index, trace_key(id));
    for (uint32_t i = at ? (uint32_t)*at : HEAD_NONE; i != HEAD_NONE; i = h->traces.v[i].next_same) {
        if (trace_id_eq(h->traces.v[i].id, id)) return &h->traces.v[i];
    }
    return NULL;
}

static uint32_t trace_put(Head *h, TraceId id) {
    bool inserted;
    uint64_t *at = u64map_put(h->trace_index, trace_key(id), &inserted);
    uint32_t first = inserted ? HEAD_NONE : (uint32_t)*at;
    for (uint32_t i = first; i != HEAD_NONE; i = h->traces.v[i].next_same) {
        if (trace_id_eq(h->traces.v[i].id, id)) return i;
    }
    *at = h->traces.n;
    vec_push(&h->traces, (HeadTrace){.id = id, .last = HEAD_NONE, .next_same = first, .min_start_ns = INT64_MAX});
    h->bytes += sizeof(HeadTrace) + 32;
    return (uint32_t)(h->traces.n - 1);
}

void trace_head_delete_trace(Head *h, TraceId id) {
    HeadTrace *t = trace_head_trace(h, id);
    if (!t) return;
    t->deleted_before = h->n_spans;
    h->has_deletions = true;
}

/* --- spans --- */

static bool same_content(const HeadChunk *a, Str x, const HeadChunk *b, Str y) {
    Arena *arena = arena_create(ARENA_UNLIMITED); /* two rows of payloads that are in memory already */
    SpansBatch batch = {.arena = arena};
    SpanSink sink;
    span_sink_init(&sink, &batch);
    bool same = span_sink_row(&sink, &a->payload, x) && span_sink_row(&sink, &b->payload, y);
    span_sink_done(&sink);
    same = same && span_rows_equal(&batch, &batch.rows.v[0], &batch, &batch.rows.v[1]);
    arena_free(arena);
    return same;
}

/* The newest span with the same key, or HEAD_NONE. *ret_duplicate: one of them is this very span. */
static uint32_t find_same(const Head *h, const HeadChunk *c, Str row, const SpanRowView *v, uint32_t trace,
    uint32_t first, bool *ret_duplicate) {
    *ret_duplicate = false;
    uint32_t checked = 0;
    for (uint32_t i = first; i != HEAD_NONE && checked < SAME_ID_CHECK_MAX; i = head_span(h, i)->prev_same) {
        const HeadSpan *s = head_span(h, i);
        bool same_id = s->trace == trace && memcmp(s->row.p, row.p, SPAN_ROW_ID_BYTES) == 0;
        if (!same_id || i < h->traces.v[trace].deleted_before) continue;
        checked++;
        if (s->start_ns == v->start_ns && s->end_ns == v->end_ns && same_content(s->chunk, s->row, c, row)) {
            *ret_duplicate = true;
            break;
        }
    }
    return first;
}

static HeadSpan *span_slot(Head *h) {
    uint32_t i = h->n_spans, segment = i / HEAD_SEGMENT_SPANS;
    ASSERT(segment < HEAD_SEGMENTS_MAX);
    if (!h->segments[segment]) h->segments[segment] = mem_alloc_array(HEAD_SEGMENT_SPANS, sizeof(HeadSpan));
    return &h->segments[segment][i % HEAD_SEGMENT_SPANS];
}

static void count_request(Head *h, const SpanRowView *v, uint32_t service) {
    bool serves = v->kind == SPAN_SERVER || v->kind == SPAN_CONSUMER;
    if (!serves && !span_id_is_zero(v->parent_id)) return;
    int64_t duration;
    if (__builtin_sub_overflow(v->end_ns, v->start_ns, &duration)) duration = 0;
    trace_red_table_add(
        &h->red, service, red_slot(v->start_ns), serves ? 0 : 1, duration, v->end_ns, v->status == SPAN_STATUS_ERROR);
}

/* false: the span was there already. */
static bool apply_row(Head *h, HeadChunk *c, Str row) {
    SpanRowView v;
    bool ok = span_row_view(row, &v);
    ASSERT(ok); /* span_payload_open has checked every row */
    uint32_t trace = trace_put(h, v.trace_id);
    uint64_t id, key;
    memcpy(&id, v.span_id.b, 8);
    key = hash_u64(id ^ hash_u64(trace));
    bool inserted, duplicate = false;
    uint64_t *at = u64map_put(h->span_index, key, &inserted);
    uint32_t same = inserted ? HEAD_NONE : find_same(h, c, row, &v, trace, (uint32_t)*at, &duplicate);
    if (duplicate) return false;
    *at = h->n_spans;
    uint32_t service = h->resources.v[c->resources[v.resource]].service;
    HeadTrace *t = &h->traces.v[trace];
    *span_slot(h) = (HeadSpan){.start_ns = v.start_ns,
        .end_ns = v.end_ns,
        .chunk = c,
        .row = row,
        .trace = trace,
        .op = intern_op(h, service, chunk_name(h, c, v.name), v.kind),
        .prev_in_trace = t->last,
        .prev_same = same};
    t->last = h->n_spans++;
    t->n++;
    t->min_start_ns = MIN(t->min_start_ns, v.start_ns);
    h->min_t_ns = MIN(h->min_t_ns, v.start_ns);
    h->max_t_ns = MAX(h->max_t_ns, v.start_ns);
    count_request(h, &v, service);
    return true;
}

bool trace_head_has_room(const Head *h, uint32_t n_rows) {
    return n_rows <= HEAD_SEGMENTS_MAX * HEAD_SEGMENT_SPANS - h->n_spans;
}

uint32_t trace_head_apply(Head *h, HeadChunk *c) {
    const SpanPayload *p = &c->payload;
    ASSERT(trace_head_has_room(h, p->n_rows));
    for (uint32_t i = 0; i < p->n_resources; i++) c->resources[i] = intern_resource(h, p->resources[i]);
    for (uint32_t i = 0; i < p->n_scopes; i++) c->scopes[i] = intern_scope(h, p->scopes[i]);
    c->next = h->chunks;
    h->chunks = c;
    Cursor rows = cursor_of(p->rows);
    size_t red_before = h->red.memory_bytes;
    uint32_t duplicates = 0;
    for (uint32_t i = 0; i < p->n_rows; i++) duplicates += !apply_row(h, c, cursor_lenstr(&rows));
    h->bytes += c->n_bytes + sizeof(HeadChunk) + ((size_t)p->n_strings + p->n_resources + p->n_scopes) * 20 +
                (size_t)(p->n_rows - duplicates) * (sizeof(HeadSpan) + SPAN_INDEX_BYTES) + h->red.memory_bytes -
                red_before;
    return duplicates;
}

bool trace_head_read_chain(const Head *h, uint32_t last, uint32_t deleted_before, SpanSink *sink) {
    for (uint32_t i = last; i != HEAD_NONE && i >= deleted_before;) {
        const HeadSpan *s = head_span(h, i);
        if (!span_sink_row(sink, &s->chunk->payload, s->row)) return false;
        i = s->prev_in_trace;
    }
    return true;
}

/* --- calls --- */

static uint64_t call_key(uint32_t trace, const uint8_t *span_id) {
    uint64_t id;
    memcpy(&id, span_id, 8);
    return hash_u64(id ^ hash_u64(trace));
}

void trace_head_calls(
    const Head *h, const uint32_t *service_of, uint32_t n_spans, int64_t start_ns, int64_t end_ns, CallTable *ret) {
    U64Map *owner = u64map_create(); /* span -> service */
    SpanRowView v;
    for (uint32_t i = 0; i < n_spans; i++) {
        const HeadSpan *s = head_span(h, i);
        if (!span_row_view(s->row, &v)) continue;
        *u64map_put(owner, call_key(s->trace, v.span_id.b), NULL) = service_of[s->chunk->resources[v.resource]];
    }
    for (uint32_t i = 0; i < n_spans; i++) {
        const HeadSpan *s = head_span(h, i);
        if (s->start_ns < start_ns || s->start_ns > end_ns || !span_row_view(s->row, &v)) continue;
        if (span_id_is_zero(v.parent_id)) continue;
        uint64_t *parent = u64map_get(owner, call_key(s->trace, v.parent_id.b));
        if (!parent) continue;
        uint32_t child = service_of[s->chunk->resources[v.resource]];
        trace_call_table_add(ret, (uint32_t)*parent, child, red_slot(s->start_ns), 1);
    }
    u64map_free(owner);
}
