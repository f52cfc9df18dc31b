#include "traces/trace_part.h"

#include <stdlib.h>

#define BLOCK_ROWS_TARGET 4096u /* cut at the next trace */
#define PARENT_SCAN_MAX 48u     /* traces up to this size find parents by looking at every row */

typedef VEC(uint32_t) U32Vec;

typedef struct BlockNote {
    int64_t min_duration_ns, max_duration_ns;
    size_t ops_at, ops_n, resources_at, resources_n; /* into block_lists */
    bool has_events, has_links, has_rest;
} BlockNote;

struct TracePartBuilder {
    WideWriter *writer;
    VEC(TraceId) traces;
    VEC(int64_t) starts;
    Map *service_index, *op_index, *resource_index, *scope_index, *event_key_index;
    Buf services, ops, resources, scopes, event_keys; /* encoded as they come */
    U32Vec op_seen, resource_seen;                    /* number of the block that saw it last, + 1 */
    U32Vec resource_service;
    U32Vec row_resource, row_scope;    /* the batch's numbers -> the part's, for the trace at hand */
    U32Vec block_ops, block_resources; /* of the open block */
    VEC(BlockNote) blocks;
    BlockNote open;
    Buf block_lists, scratch, key;
    VEC(WideField) fields;
    U32Vec parent;
    RedTable red;
    CallTable calls;
    int64_t min_t, max_t;
    uint64_t rows;
};

static void note_reset(TracePartBuilder *b) {
    b->open = (BlockNote){.min_duration_ns = INT64_MAX, .max_duration_ns = INT64_MIN};
    vec_clear(&b->block_ops);
    vec_clear(&b->block_resources);
}

ErrCode trace_part_builder_create(Fs *fs, const char *path, int zstd_level, TracePartBuilder **ret, Err *reterr) {
    WideWriter *writer;
    ErrCode e = wide_writer_create(fs, path, zstd_level, &writer, reterr);
    if (e) return e;
    TracePartBuilder *b = NEW(TracePartBuilder);
    b->writer = writer;
    b->service_index = map_create(MAP_COPY_KEYS);
    b->op_index = map_create(MAP_COPY_KEYS);
    b->resource_index = map_create(MAP_COPY_KEYS);
    b->scope_index = map_create(MAP_COPY_KEYS);
    b->event_key_index = map_create(MAP_COPY_KEYS);
    trace_red_table_init(&b->red);
    trace_call_table_init(&b->calls);
    b->min_t = INT64_MAX;
    b->max_t = INT64_MIN;
    note_reset(b);
    *ret = b;
    return OK;
}

TracePartBuilder *trace_part_builder_free(TracePartBuilder *b) {
    if (!b) return NULL;
    wide_writer_free(b->writer);
    map_free(b->service_index);
    map_free(b->op_index);
    map_free(b->resource_index);
    map_free(b->scope_index);
    map_free(b->event_key_index);
    Buf *bufs[] = {
        &b->services, &b->ops, &b->resources, &b->scopes, &b->event_keys, &b->block_lists, &b->scratch, &b->key};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++) buf_done(bufs[i]);
    vec_done(&b->traces);
    vec_done(&b->starts);
    vec_done(&b->op_seen);
    vec_done(&b->resource_seen);
    vec_done(&b->resource_service);
    vec_done(&b->row_resource);
    vec_done(&b->row_scope);
    vec_done(&b->block_ops);
    vec_done(&b->block_resources);
    vec_done(&b->blocks);
    vec_done(&b->fields);
    vec_done(&b->parent);
    trace_red_table_done(&b->red);
    trace_call_table_done(&b->calls);
    mem_free(b);
    return NULL;
}

/* --- dictionaries --- */

/* Number of a key; *ret_new when it was not there. */
static uint32_t number_of(Map *map, Str key, bool *ret_new) {
    uint64_t *at = map_put(map, key, ret_new);
    if (*ret_new) *at = map_count(map) - 1;
    return (uint32_t)*at;
}

static uint32_t service_number(TracePartBuilder *b, Str name) {
    bool fresh;
    uint32_t n = number_of(b->service_index, name, &fresh);
    if (fresh) buf_put_lenstr(&b->services, name);
    return n;
}

static uint32_t resource_number(TracePartBuilder *b, const SpansBatch *batch, const SpanRow *r) {
    uint32_t *known = &b->row_resource.v[r->resource];
    if (*known != UINT32_MAX) return *known;
    buf_clear(&b->key);
    span_resource_encode(&b->key, batch, &batch->resources.v[r->resource]);
    bool fresh;
    uint32_t n = number_of(b->resource_index, buf_str(&b->key), &fresh);
    if (fresh) {
        uint32_t service = service_number(b, spans_batch_service(batch, r));
        vec_push(&b->resource_service, service);
        vec_push(&b->resource_seen, 0);
        buf_put_uvarint(&b->resources, service);
        buf_put_lenstr(&b->resources, buf_str(&b->key));
    }
    return *known = n;
}

static uint32_t scope_number(TracePartBuilder *b, const SpansBatch *batch, const SpanRow *r) {
    uint32_t *known = &b->row_scope.v[r->scope];
    if (*known != UINT32_MAX) return *known;
    buf_clear(&b->key);
    span_scope_encode(&b->key, batch, &batch->scopes.v[r->scope]);
    bool fresh;
    uint32_t n = number_of(b->scope_index, buf_str(&b->key), &fresh);
    if (fresh) buf_put_lenstr(&b->scopes, buf_str(&b->key));
    return *known = n;
}

static uint32_t op_number(TracePartBuilder *b, uint32_t service, const SpanRow *r) {
    buf_clear(&b->key);
    buf_put_uvarint(&b->key, service);
    buf_put_char(&b->key, (char)r->kind);
    buf_put_lenstr(&b->key, r->name);
    bool fresh;
    uint32_t n = number_of(b->op_index, buf_str(&b->key), &fresh);
    if (fresh) {
        vec_push(&b->op_seen, 0);
        buf_put_str(&b->ops, buf_str(&b->key));
    }
    return n;
}

static void note_event_keys(TracePartBuilder *b, const SpansBatch *batch, AttrRange attrs) {
    for (uint32_t i = 0; i < attrs.n; i++) {
        bool fresh;
        Str key = batch->attrs.v[attrs.first + i].key;
        (void)number_of(b->event_key_index, key, &fresh);
        if (fresh) buf_put_lenstr(&b->event_keys, key);
    }
}

/* --- rows --- */

static void put_field(TracePartBuilder *b, Str name, WideValue value) {
    vec_push(&b->fields, (WideField){name, value});
}
static void put_i64(TracePartBuilder *b, Str name, int64_t v) {
    put_field(b, name, (WideValue){.type = WIDE_I64, .i = v});
}
static void put_nonzero(TracePartBuilder *b, Str name, int64_t v) {
    if (v) put_i64(b, name, v);
}
static void put_bytes(TracePartBuilder *b, Str name, Str v) {
    put_field(b, name, (WideValue){.type = WIDE_BYTES, .s = v});
}

static WideValue wide_of(const AttrValue *v) {
    switch (v->type) {
    case ATTR_EMPTY: return (WideValue){.type = WIDE_NULL};
    case ATTR_STR: return (WideValue){.type = WIDE_STR, .s = v->s};
    case ATTR_BYTES: return (WideValue){.type = WIDE_BYTES, .s = v->s};
    case ATTR_ARRAY: return (WideValue){.type = WIDE_JSON_ARRAY, .s = v->s};
    case ATTR_MAP: return (WideValue){.type = WIDE_JSON_MAP, .s = v->s};
    case ATTR_BOOL: return (WideValue){.type = WIDE_BOOL, .b = v->b};
    case ATTR_I64: return (WideValue){.type = WIDE_I64, .i = v->i};
    case ATTR_F64: return (WideValue){.type = WIDE_F64, .d = v->d};
    }
    UNREACHABLE();
}

/* Attributes are sorted by key, so repeated keys are neighbours. Gives the count of those no column can hold, encoded
 * at the end of scratch. */
static uint32_t put_attr_fields(TracePartBuilder *b, const SpansBatch *batch, AttrRange range) {
    uint32_t rest = 0;
    const Attr *v = batch->attrs.v + range.first;
    for (uint32_t i = 0; i < range.n; i++) {
        bool odd = v[i].value.type == ATTR_EMPTY || v[i].key.n == 0 || v[i].key.p[0] == '\x01' ||
                   (i > 0 && str_eq(v[i].key, v[i - 1].key));
        if (odd) {
            span_attr_encode(&b->scratch, &v[i]);
            rest++;
        } else {
            put_field(b, v[i].key, wide_of(&v[i].value));
        }
    }
    return rest;
}

typedef struct RowBlobs {
    size_t rest_at, rest_n, events_at, events_n, links_at, links_n; /* in scratch */
} RowBlobs;

/* Writes the blobs of a row to scratch; slices are taken only when scratch has stopped growing. */
static RowBlobs put_blobs(TracePartBuilder *b, const SpansBatch *batch, const SpanRow *r) {
    RowBlobs x = {0};
    buf_clear(&b->scratch);
    uint32_t rest = put_attr_fields(b, batch, r->attrs);
    size_t body = b->scratch.n;
    x.rest_at = body;
    if (rest) {
        buf_put_uvarint(&b->scratch, rest);
        buf_reserve(&b->scratch, body);
        buf_put(&b->scratch, b->scratch.p, body);
        x.rest_n = b->scratch.n - x.rest_at;
    }
    x.events_at = b->scratch.n;
    if (r->events.n) span_events_encode(&b->scratch, batch, r->events, r->start_ns);
    x.events_n = b->scratch.n - x.events_at;
    x.links_at = b->scratch.n;
    if (r->links.n) span_links_encode(&b->scratch, batch, r->links);
    x.links_n = b->scratch.n - x.links_at;
    return x;
}

static void put_blob_fields(TracePartBuilder *b, const RowBlobs *x) {
    const char *p = b->scratch.p;
    if (x->rest_n) put_bytes(b, FIELD_REST, str_of(p + x->rest_at, x->rest_n));
    if (x->events_n) put_bytes(b, FIELD_EVENTS, str_of(p + x->events_at, x->events_n));
    if (x->links_n) put_bytes(b, FIELD_LINKS, str_of(p + x->links_at, x->links_n));
}

static void note_number(uint32_t *seen, uint32_t number, uint32_t block, U32Vec *list) {
    if (seen[number] == block + 1) return;
    seen[number] = block + 1;
    vec_push(list, number);
}

static int cmp_u32(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void put_numbers(Buf *out, uint32_t *v, size_t n) {
    qsort(v, n, sizeof *v, cmp_u32);
    for (size_t i = 0; i < n; i++) buf_put_uvarint(out, v[i] - (i ? v[i - 1] : 0));
}

static void block_closed(TracePartBuilder *b) {
    BlockNote *n = &b->open;
    n->ops_at = b->block_lists.n;
    put_numbers(&b->block_lists, b->block_ops.v, b->block_ops.n);
    n->ops_n = b->block_lists.n - n->ops_at;
    n->resources_at = b->block_lists.n;
    put_numbers(&b->block_lists, b->block_resources.v, b->block_resources.n);
    n->resources_n = b->block_lists.n - n->resources_at;
    vec_push(&b->blocks, *n);
    note_reset(b);
}

static void note_row(TracePartBuilder *b, int64_t duration, uint32_t op, uint32_t resource, const RowBlobs *x) {
    uint32_t block = (uint32_t)b->blocks.n;
    b->open.min_duration_ns = MIN(b->open.min_duration_ns, duration);
    b->open.max_duration_ns = MAX(b->open.max_duration_ns, duration);
    b->open.has_events |= x->events_n > 0;
    b->open.has_links |= x->links_n > 0;
    b->open.has_rest |= x->rest_n > 0;
    note_number(b->op_seen.v, op, block, &b->block_ops);
    note_number(b->resource_seen.v, resource, block, &b->block_resources);
}

/* Every row has these; the writer is fastest when the columns of a row come as in the row before. */
static void put_fixed_fields(
    TracePartBuilder *b, const SpanRow *r, int64_t duration, uint32_t op, uint32_t resource, uint32_t scope) {
    put_bytes(b, FIELD_SPAN_ID, str_of((const char *)r->span_id.b, 8));
    put_i64(b, FIELD_DURATION, duration);
    put_i64(b, FIELD_OP, op);
    put_i64(b, FIELD_RESOURCE, resource);
    put_i64(b, FIELD_SCOPE, scope);
}

static void put_rare_fields(TracePartBuilder *b, const SpanRow *r, uint32_t i) {
    if (!span_id_is_zero(r->parent_id)) {
        if (b->parent.v[i] != UINT32_MAX) {
            put_i64(b, FIELD_PARENT, (int64_t)b->parent.v[i] - (int64_t)i);
        } else {
            put_bytes(b, FIELD_PARENT_ID, str_of((const char *)r->parent_id.b, 8));
        }
    }
    put_nonzero(b, FIELD_STATUS, r->status);
    put_nonzero(b, FIELD_FLAGS, r->flags);
    put_nonzero(b, FIELD_DROPPED_ATTRS, r->dropped_attributes);
    put_nonzero(b, FIELD_DROPPED_EVENTS, r->dropped_events);
    put_nonzero(b, FIELD_DROPPED_LINKS, r->dropped_links);
    if (r->status_message.n) put_field(b, FIELD_MESSAGE, (WideValue){.type = WIDE_STR, .s = r->status_message});
    if (r->trace_state.n) put_field(b, FIELD_TRACE_STATE, (WideValue){.type = WIDE_STR, .s = r->trace_state});
}

static ErrCode write_row(TracePartBuilder *b, const SpansBatch *batch, uint32_t i, Err *reterr) {
    const SpanRow *r = &batch->rows.v[i];
    int64_t duration = (int64_t)((uint64_t)r->end_ns - (uint64_t)r->start_ns);
    uint32_t resource = resource_number(b, batch, r), scope = scope_number(b, batch, r);
    uint32_t op = op_number(b, b->resource_service.v[resource], r);
    vec_clear(&b->fields);
    put_fixed_fields(b, r, duration, op, resource, scope);
    RowBlobs blobs = put_blobs(b, batch, r);
    put_rare_fields(b, r, i);
    put_blob_fields(b, &blobs);
    for (uint32_t k = 0; k < r->events.n; k++) note_event_keys(b, batch, batch->events.v[r->events.first + k].attrs);
    for (uint32_t k = 0; k < r->links.n; k++) note_event_keys(b, batch, batch->links.v[r->links.first + k].attrs);
    size_t before = wide_writer_block_rows(b->writer);
    ErrCode e = wide_writer_row(b->writer, r->start_ns, b->traces.n - 1, b->fields.v, b->fields.n, reterr);
    if (e) return e;
    size_t after = wide_writer_block_rows(b->writer);
    bool cut_before = before > 0 && after == 1;
    if (cut_before) block_closed(b);
    note_row(b, duration, op, resource, &blobs);
    if (after == 0) block_closed(b);
    ASSERT(after == before + 1 || after <= 1);
    b->rows++;
    b->min_t = MIN(b->min_t, r->start_ns);
    b->max_t = MAX(b->max_t, r->start_ns);
    return OK;
}

/* --- traces --- */

static void find_parents(TracePartBuilder *b, const SpansBatch *batch) {
    uint32_t n = (uint32_t)batch->rows.n;
    vec_clear(&b->parent);
    vec_reserve(&b->parent, n);
    b->parent.n = n;
    U64Map *index = n > PARENT_SCAN_MAX ? u64map_create() : NULL;
    for (uint32_t i = 0; index && i < n; i++) {
        uint64_t id;
        memcpy(&id, batch->rows.v[i].span_id.b, 8);
        bool inserted;
        uint64_t *at = u64map_put(index, id, &inserted);
        if (inserted) *at = i;
    }
    for (uint32_t i = 0; i < n; i++) {
        b->parent.v[i] = UINT32_MAX;
        const SpanRow *r = &batch->rows.v[i];
        if (span_id_is_zero(r->parent_id)) continue;
        if (index) {
            uint64_t id;
            memcpy(&id, r->parent_id.b, 8);
            uint64_t *at = u64map_get(index, id);
            if (at) b->parent.v[i] = (uint32_t)*at;
        }
        for (uint32_t j = 0; !index && j < n && b->parent.v[i] == UINT32_MAX; j++) {
            if (span_id_eq(batch->rows.v[j].span_id, r->parent_id)) b->parent.v[i] = j;
        }
        if (b->parent.v[i] == i) b->parent.v[i] = UINT32_MAX; /* a span that names itself keeps the id written out */
    }
    u64map_free(index);
}

static void count_row(TracePartBuilder *b, const SpansBatch *batch, uint32_t i) {
    const SpanRow *r = &batch->rows.v[i];
    uint32_t service = b->resource_service.v[resource_number(b, batch, r)];
    bool serves = r->kind == SPAN_SERVER || r->kind == SPAN_CONSUMER;
    if (serves || span_id_is_zero(r->parent_id)) {
        int64_t duration;
        if (__builtin_sub_overflow(r->end_ns, r->start_ns, &duration)) duration = 0;
        trace_red_table_add(&b->red, service, red_slot(r->start_ns), serves ? 0 : 1, duration, r->end_ns,
            r->status == SPAN_STATUS_ERROR);
    }
    if (b->parent.v[i] == UINT32_MAX) return;
    uint32_t parent = b->resource_service.v[resource_number(b, batch, &batch->rows.v[b->parent.v[i]])];
    trace_call_table_add(&b->calls, parent, service, red_slot(r->start_ns), 1);
}

static void forget_numbers(U32Vec *v, size_t n) {
    vec_clear(v);
    vec_reserve(v, n);
    v->n = n;
    for (size_t i = 0; i < n; i++) v->v[i] = UINT32_MAX;
}

ErrCode trace_part_builder_add(TracePartBuilder *b, const SpansBatch *batch, Err *reterr) {
    ASSERT(batch->rows.n > 0 && batch->rows.n < UINT32_MAX);
    size_t open = wide_writer_block_rows(b->writer);
    if (open && open + batch->rows.n > BLOCK_ROWS_TARGET) {
        ErrCode e = wide_writer_cut(b->writer, reterr);
        if (e) return e;
        block_closed(b);
    }
    vec_push(&b->traces, batch->rows.v[0].trace_id);
    vec_push(&b->starts, batch->rows.v[0].start_ns);
    forget_numbers(&b->row_resource, batch->resources.n);
    forget_numbers(&b->row_scope, batch->scopes.n);
    find_parents(b, batch);
    for (uint32_t i = 0; i < batch->rows.n; i++) {
        ErrCode e = write_row(b, batch, i, reterr);
        if (e) return e;
        count_row(b, batch, i);
    }
    return OK;
}

/* --- the user blob --- */

typedef struct IdOrder {
    TraceId id;
    uint32_t number;
} IdOrder;

static int cmp_id(const void *a, const void *b) {
    return memcmp(((const IdOrder *)a)->id.b, ((const IdOrder *)b)->id.b, 16);
}

static void put_trace_table(const TracePartBuilder *b, Buf *out) {
    size_t n = b->traces.n;
    buf_put_u32le(out, (uint32_t)n);
    buf_put(out, b->traces.v, n * sizeof(TraceId));
    IdOrder *order = mem_alloc_array(n + 1, sizeof(IdOrder));
    for (size_t i = 0; i < n; i++) order[i] = (IdOrder){b->traces.v[i], (uint32_t)i};
    qsort(order, n, sizeof *order, cmp_id);
    for (size_t i = 0; i < n; i++) buf_put_u32le(out, order[i].number);
    mem_free(order);
    Buf starts = {0};
    for (size_t i = 0; i < n; i++) {
        buf_put_svarint(&starts, (int64_t)((uint64_t)b->starts.v[i] - (i ? (uint64_t)b->starts.v[i - 1] : 0)));
    }
    buf_put_lenstr(out, buf_str(&starts));
    buf_done(&starts);
}

static void put_dictionary(Buf *out, const Map *map, const Buf *entries) {
    buf_put_uvarint(out, map_count(map));
    buf_put_lenstr(out, buf_str(entries));
}

static void put_block_notes(const TracePartBuilder *b, Buf *out) {
    buf_put_uvarint(out, b->blocks.n);
    vec_foreach(const BlockNote, n, &b->blocks) {
        buf_put_svarint(out, n->min_duration_ns);
        buf_put_svarint(out, n->max_duration_ns);
        buf_put_char(out, (char)(n->has_events | n->has_links << 1 | n->has_rest << 2));
        buf_put_lenstr(out, str_of(b->block_lists.p + n->ops_at, n->ops_n));
        buf_put_lenstr(out, str_of(b->block_lists.p + n->resources_at, n->resources_n));
    }
}

ErrCode trace_part_builder_finish(TracePartBuilder *b, PartInfo *info, Err *reterr) {
    if (wide_writer_block_rows(b->writer)) {
        ErrCode e = wide_writer_cut(b->writer, reterr);
        if (e) return e;
        block_closed(b);
    }
    Buf user = {0}, table = {0};
    buf_put_char(&user, 1); /* version */
    put_trace_table(b, &user);
    put_dictionary(&user, b->service_index, &b->services);
    put_dictionary(&user, b->op_index, &b->ops);
    put_dictionary(&user, b->resource_index, &b->resources);
    put_dictionary(&user, b->scope_index, &b->scopes);
    put_dictionary(&user, b->event_key_index, &b->event_keys);
    put_block_notes(b, &user);
    trace_red_table_encode(&b->red, &table);
    buf_put_lenstr(&user, buf_str(&table));
    buf_clear(&table);
    trace_call_table_encode(&b->calls, &table);
    buf_put_lenstr(&user, buf_str(&table));
    ErrCode e = wide_writer_finish(b->writer, buf_str(&user), &info->size_bytes, reterr);
    buf_done(&user);
    buf_done(&table);
    info->rows = b->rows;
    info->min_t = b->min_t;
    info->max_t = b->max_t;
    return e;
}
