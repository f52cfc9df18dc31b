/* store_scan_rows.c - batches of rows from columns and heads, with what the request needs and nothing else. Texts are
 * slices of the block or the head: nothing is copied. */
#include "traces/store_scan_int.h"

struct ScanColumns {
    const ScanPart *part;
    const int64_t *t;
    const uint64_t *groups;
    uint32_t rows;
    const WideValue *op, *resource, *scope, *duration, *status, *span_id, *parent, *parent_id, *message, *events,
        *links, *rest;
    Str *keys; /* of attrs */
    const WideValue **attrs;
    size_t n_attrs;
};

ErrCode scan_no_memory(ScanWorker *w) {
    return err_set(w->err, ERR_TOO_LARGE, "the query needs too much memory for one trace or block");
}

static ErrCode corrupt(ScanWorker *w) { return err_set(w->err, ERR_CORRUPT, "a span's row does not hold"); }

/* --- columns --- */

static size_t list_keys(const ScanWorker *w, const ScanPart *p, size_t block, Str *ret) {
    const TraceNeed *need = &w->scan->req->need;
    if (!need->everything) {
        for (size_t i = 0; i < need->n_keys; i++) ret[i] = need->keys[i];
        return need->n_keys;
    }
    size_t n = 0;
    for (size_t i = 0; i < wide_part_field_count(p->part->wide, block); i++) {
        Str name = wide_part_field_name(p->part->wide, block, i);
        if (name.n && name.p[0] != '\x01') ret[n++] = name;
    }
    return n;
}

static ErrCode open_attrs(ScanWorker *w, const ScanPart *p, size_t block, WideBlock *wide, ScanColumns *c) {
    const TraceNeed *need = &w->scan->req->need;
    size_t max = need->everything ? wide_part_field_count(p->part->wide, block) : need->n_keys;
    c->keys = ARENA_ARRAY(w->block_arena, Str, max + 1);
    c->attrs = arena_alloc_zero(w->block_arena, (max + 1) * sizeof *c->attrs);
    if (!c->keys || !c->attrs) return scan_no_memory(w);
    size_t n = list_keys(w, p, block, c->keys);
    for (size_t i = 0; i < n; i++) {
        if (c->keys[i].n && c->keys[i].p[0] == '\x01') continue; /* those are in the rest */
        c->keys[c->n_attrs] = c->keys[i];
        ErrCode e = wide_block_column(wide, c->keys[i], &c->attrs[c->n_attrs], w->err);
        if (e) return e;
        if (c->attrs[c->n_attrs]) c->n_attrs++;
    }
    return OK;
}

ErrCode scan_columns_open(ScanWorker *w, const ScanPart *p, size_t block, WideBlock *wide, ScanColumns **ret) {
    const TraceNeed *need = &w->scan->req->need;
    const TracePartBlock *b = &p->part->blocks[block];
    ScanColumns *c = ARENA_NEW(w->block_arena, ScanColumns);
    if (!c) return scan_no_memory(w);
    bool all = need->everything, attrs = all || need->n_keys;
    c->part = p;
    c->rows = wide_part_block_info(p->part->wide, block).rows;
    const struct {
        bool wanted;
        Str field;
        const WideValue **ret;
    } wanted[] = {
        {true, FIELD_OP, &c->op},
        {true, FIELD_RESOURCE, &c->resource},
        {true, FIELD_DURATION, &c->duration},
        {true, FIELD_STATUS, &c->status},
        {all || need->scope, FIELD_SCOPE, &c->scope},
        {all || need->ids, FIELD_SPAN_ID, &c->span_id},
        {all || need->ids, FIELD_PARENT, &c->parent},
        {all || need->ids, FIELD_PARENT_ID, &c->parent_id},
        {all || need->texts, FIELD_MESSAGE, &c->message},
        {(all || need->events) && b->has_events, FIELD_EVENTS, &c->events},
        {(all || need->links) && b->has_links, FIELD_LINKS, &c->links},
        {attrs && b->has_rest, FIELD_REST, &c->rest},
    };
    ErrCode e = wide_block_times(wide, &c->t, w->err);
    if (!e) e = wide_block_groups(wide, &c->groups, w->err);
    for (size_t i = 0; !e && i < ARRAY_LEN(wanted); i++) {
        if (wanted[i].wanted) e = wide_block_column(wide, wanted[i].field, wanted[i].ret, w->err);
    }
    if (!e && (!c->op || !c->resource || !c->duration)) e = corrupt(w);
    if (!e) e = open_attrs(w, p, block, wide, c);
    *ret = c;
    return e;
}

/* --- resources and scopes --- */

static uint32_t *new_numbers(Arena *arena, uint32_t n) {
    uint32_t *v = ARENA_ARRAY(arena, uint32_t, (size_t)n + 1);
    if (v) memset(v, 0xff, ((size_t)n + 1) * sizeof *v);
    return v;
}

ErrCode scan_batch_begin(ScanWorker *w, uint32_t n_resources, uint32_t n_scopes) {
    arena_reset(w->batch_arena);
    w->batch = (ScanBatch){.b = {.arena = w->batch_arena}, .arena = w->batch_arena};
    w->batch.resource_at = new_numbers(w->batch_arena, n_resources);
    w->batch.scope_at = new_numbers(w->batch_arena, n_scopes);
    return w->batch.resource_at && w->batch.scope_at ? OK : scan_no_memory(w);
}

void scan_batch_clear(ScanBatch *x) {
    x->b.rows.n = x->b.events.n = x->b.links.n = 0;
    x->b.attrs.n = x->base_attrs;
}

static bool take_attrs(SpansBatch *b, Cursor *c, const Str *strings, uint32_t n_strings, AttrRange *ret) {
    uint32_t n = span_attrs_begin(c);
    Attr a;
    *ret = (AttrRange){(uint32_t)b->attrs.n, n};
    for (uint32_t i = 0; i < n; i++) {
        if (!span_attr_next(c, strings, n_strings, &a) || !avec_push(b->arena, &b->attrs, a)) return false;
    }
    return !c->bad;
}

/* Only while the batch has no rows: attributes of resources come before those of rows. */
static bool take_resource(ScanBatch *x, uint32_t number, Str bytes) {
    SpansBatch *b = &x->b;
    if (x->resource_at[number] != UINT32_MAX) return true;
    ASSERT(b->rows.n == 0);
    Cursor c = cursor_of(bytes);
    Resource r = {.schema_url = cursor_lenstr(&c)};
    r.dropped_attributes = (uint32_t)cursor_uvarint(&c);
    if (!take_attrs(b, &c, NULL, 0, &r.attrs)) return false;
    x->resource_at[number] = (uint32_t)b->resources.n;
    x->base_attrs = b->attrs.n;
    return avec_push(b->arena, &b->resources, r);
}

static bool take_scope(ScanBatch *x, uint32_t number, Str bytes) {
    SpansBatch *b = &x->b;
    if (x->scope_at[number] != UINT32_MAX) return true;
    ASSERT(b->rows.n == 0);
    Cursor c;
    Scope s = {0};
    if (!span_scope_head(bytes, &s.name, &s.version, &c) || !take_attrs(b, &c, NULL, 0, &s.attrs)) return false;
    x->scope_at[number] = (uint32_t)b->scopes.n;
    x->base_attrs = b->attrs.n;
    return avec_push(b->arena, &b->scopes, s);
}

/* One scope for all, where nobody asks for it. */
static bool take_no_scope(ScanBatch *x) { return x->b.scopes.n > 0 || avec_push(x->arena, &x->b.scopes, (Scope){0}); }

static bool number_of(const WideValue *v, uint32_t n, uint32_t *ret) {
    *ret = v->type == WIDE_I64 && v->i >= 0 && v->i < n ? (uint32_t)v->i : UINT32_MAX;
    return *ret != UINT32_MAX;
}

static ErrCode failed(ScanWorker *w) { return arena_exhausted(w->batch_arena) ? scan_no_memory(w) : corrupt(w); }

static ErrCode prepare_row(ScanWorker *w, const ScanColumns *c, uint32_t row) {
    const TracePart *p = c->part->part;
    uint32_t resource, scope;
    if (!number_of(&c->resource[row], p->n_resources, &resource)) return corrupt(w);
    if (!take_resource(&w->batch, resource, p->resources[resource].bytes)) return failed(w);
    if (!c->scope) return take_no_scope(&w->batch) ? OK : failed(w);
    if (!number_of(&c->scope[row], p->n_scopes, &scope)) return corrupt(w);
    return take_scope(&w->batch, scope, p->scopes[scope]) ? OK : failed(w);
}

/* --- rows of a block --- */

static bool is_needed(const TraceNeed *need, Str key) {
    for (size_t i = 0; i < need->n_keys; i++) {
        if (str_eq(need->keys[i], key)) return true;
    }
    return need->everything;
}

/* Attributes that are in no column of their own. */
static bool put_rest(ScanWorker *w, const WideValue *v, AttrRange *range) {
    if (v->type != WIDE_BYTES) return true;
    SpansBatch *b = &w->batch.b;
    Cursor c = cursor_of(v->s);
    uint32_t n = span_attrs_begin(&c);
    Attr a;
    for (uint32_t i = 0; i < n; i++) {
        if (!span_attr_next(&c, NULL, 0, &a)) return false;
        if (!is_needed(&w->scan->req->need, a.key)) continue;
        if (!avec_push(b->arena, &b->attrs, a)) return false;
        range->n++;
    }
    return !c.bad;
}

static bool put_attrs(ScanWorker *w, const ScanColumns *c, uint32_t row, AttrRange *ret) {
    SpansBatch *b = &w->batch.b;
    *ret = (AttrRange){(uint32_t)b->attrs.n, 0};
    if (!avec_reserve(b->arena, &b->attrs, c->n_attrs)) return false;
    for (size_t i = 0; i < c->n_attrs; i++) {
        const WideValue *v = &c->attrs[i][row];
        if (v->type == WIDE_NULL) continue;
        b->attrs.v[b->attrs.n++] = (Attr){c->keys[i], trace_part_value(v)};
        ret->n++;
    }
    return !c->rest || put_rest(w, &c->rest[row], ret);
}

static bool take_events(
    SpansBatch *b, Cursor *c, const Str *strings, uint32_t n_strings, int64_t start_ns, AttrRange *ret) {
    uint32_t n = span_events_begin(c);
    *ret = (AttrRange){(uint32_t)b->events.n, n};
    for (uint32_t i = 0; i < n; i++) {
        SpanEvent e;
        if (!span_event_next(c, strings, n_strings, start_ns, &e) || !take_attrs(b, c, strings, n_strings, &e.attrs) ||
            !avec_push(b->arena, &b->events, e)) {
            return false;
        }
    }
    return !c->bad;
}

static bool take_links(SpansBatch *b, Cursor *c, const Str *strings, uint32_t n_strings, AttrRange *ret) {
    uint32_t n = span_events_begin(c);
    *ret = (AttrRange){(uint32_t)b->links.n, n};
    for (uint32_t i = 0; i < n; i++) {
        SpanLink l;
        if (!span_link_next(c, &l) || !take_attrs(b, c, strings, n_strings, &l.attrs) ||
            !avec_push(b->arena, &b->links, l)) {
            return false;
        }
    }
    return !c->bad;
}

static bool take_id(const WideValue *v, SpanId *ret) {
    if (!v || v->type != WIDE_BYTES) return true;
    if (v->s.n != 8) return false;
    memcpy(ret->b, v->s.p, 8);
    return true;
}

/* The parent is a row of the same trace, so many rows away, or an id. */
static bool take_parent(const ScanColumns *c, uint32_t row, SpanId *ret) {
    if (!c->parent || c->parent[row].type != WIDE_I64) return take_id(c->parent_id ? &c->parent_id[row] : NULL, ret);
    int64_t at;
    if (__builtin_add_overflow((int64_t)row, c->parent[row].i, &at) || at < 0 || at >= c->rows) return false;
    return c->groups[at] == c->groups[row] && take_id(&c->span_id[at], ret);
}

static bool put_row(ScanWorker *w, const ScanColumns *c, uint32_t row) {
    const TracePart *p = c->part->part;
    SpansBatch *b = &w->batch.b;
    uint32_t op, resource, scope = 0;
    if (!number_of(&c->op[row], p->n_ops, &op) || !number_of(&c->resource[row], p->n_resources, &resource))
        return false;
    if (c->scope && !number_of(&c->scope[row], p->n_scopes, &scope)) return false;
    SpanRow r = {.trace_id = trace_part_id(p, c->groups[row]),
        .start_ns = c->t[row],
        .end_ns = (int64_t)((uint64_t)c->t[row] + (uint64_t)c->duration[row].i),
        .name = p->ops[op].name,
        .kind = p->ops[op].kind,
        .status = c->status && c->status[row].type == WIDE_I64 ? (uint8_t)c->status[row].i : SPAN_STATUS_UNSET,
        .resource = w->batch.resource_at[resource],
        .scope = c->scope ? w->batch.scope_at[scope] : 0};
    if (c->span_id && (!take_id(&c->span_id[row], &r.span_id) || !take_parent(c, row, &r.parent_id))) return false;
    if (c->message && c->message[row].type == WIDE_STR) r.status_message = c->message[row].s;
    if (!put_attrs(w, c, row, &r.attrs)) return false;
    if (c->events && c->events[row].type == WIDE_BYTES) {
        Cursor at = cursor_of(c->events[row].s);
        if (!take_events(b, &at, NULL, 0, r.start_ns, &r.events)) return false;
    }
    if (c->links && c->links[row].type == WIDE_BYTES) {
        Cursor at = cursor_of(c->links[row].s);
        if (!take_links(b, &at, NULL, 0, &r.links)) return false;
    }
    return avec_push(b->arena, &b->rows, r);
}

ErrCode scan_put_rows(ScanWorker *w, const ScanColumns *c, const uint8_t *keep, uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) {
        ErrCode e = !keep || keep[i] ? prepare_row(w, c, i) : OK;
        if (e) return e;
    }
    for (uint32_t i = from; i < to; i++) {
        if ((!keep || keep[i]) && !put_row(w, c, i)) return failed(w);
    }
    return OK;
}

/* --- rows of a head --- */

ErrCode scan_prepare_head_row(ScanWorker *w, const ScanHead *h, const HeadSpan *span) {
    const SpanPayload *p = &span->chunk->payload;
    SpanRowView v;
    (void)h;
    if (!span_row_view(span->row, &v)) return corrupt(w);
    if (!take_resource(&w->batch, span->chunk->resources[v.resource], p->resources[v.resource])) return failed(w);
    const TraceNeed *need = &w->scan->req->need;
    bool scope = need->everything || need->scope;
    if (!scope) return take_no_scope(&w->batch) ? OK : failed(w);
    return take_scope(&w->batch, span->chunk->scopes[v.scope], p->scopes[v.scope]) ? OK : failed(w);
}

static bool put_head_attrs(ScanWorker *w, Cursor *c, const SpanPayload *p, AttrRange *ret) {
    const TraceNeed *need = &w->scan->req->need;
    SpansBatch *b = &w->batch.b;
    uint32_t n = span_attrs_begin(c);
    Attr a;
    *ret = (AttrRange){(uint32_t)b->attrs.n, 0};
    for (uint32_t i = 0; i < n; i++) {
        if (!span_attr_next(c, p->strings, p->n_strings, &a)) return false;
        if (!is_needed(need, a.key)) continue;
        if (!avec_push(b->arena, &b->attrs, a)) return false;
        ret->n++;
    }
    return !c->bad;
}

static bool put_head_row(ScanWorker *w, const HeadSpan *span) {
    const TraceNeed *need = &w->scan->req->need;
    const SpanPayload *p = &span->chunk->payload;
    SpansBatch *b = &w->batch.b;
    SpanRowView v;
    if (!span_row_view(span->row, &v)) return false;
    bool scope = need->everything || need->scope;
    SpanRow r = {.trace_id = v.trace_id,
        .span_id = v.span_id,
        .parent_id = v.parent_id,
        .start_ns = v.start_ns,
        .end_ns = v.end_ns,
        .name = p->strings[v.name],
        .kind = v.kind,
        .status = v.status,
        .resource = w->batch.resource_at[span->chunk->resources[v.resource]],
        .scope = scope ? w->batch.scope_at[span->chunk->scopes[v.scope]] : 0};
    if (!put_head_attrs(w, &v.rest, p, &r.attrs)) return false;
    if (v.has_extra) {
        SpanExtra x;
        if (!span_extra_read(&v.rest, &x) ||
            !take_events(b, &v.rest, p->strings, p->n_strings, v.start_ns, &r.events) ||
            !take_links(b, &v.rest, p->strings, p->n_strings, &r.links)) {
            return false;
        }
        r.status_message = x.status_message;
    }
    return avec_push(b->arena, &b->rows, r);
}

ErrCode scan_put_head_row(ScanWorker *w, const ScanHead *h, const HeadSpan *span) {
    (void)h;
    return put_head_row(w, span) ? OK : failed(w);
}
