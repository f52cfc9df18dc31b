/* store_scan_cond.c - which rows meet the conditions: in tables, in filters, in columns, in heads. */
#include "traces/store_scan_int.h"

#include "base/num.h"

/* --- tables --- */

static bool attrs_match(const TraceCond *c, Cursor *at, const Str *strings, uint32_t n_strings, bool *ret_found) {
    uint32_t n = span_attrs_begin(at);
    Attr a;
    *ret_found = false;
    for (uint32_t i = 0; i < n && span_attr_next(at, strings, n_strings, &a); i++) {
        if (!str_eq(a.key, c->key)) continue;
        *ret_found = true;
        if (a.value.type == ATTR_EMPTY || c->match(c->ctx, &a.value)) return true;
    }
    return false;
}

static bool resource_matches(const TraceCond *c, Str bytes) {
    Cursor at;
    bool found;
    return span_resource_head(bytes, &at) && attrs_match(c, &at, NULL, 0, &found);
}

static bool name_matches(const TraceCond *c, Str name) {
    return c->match(c->ctx, &(AttrValue){.type = ATTR_STR, .s = name});
}

static bool asks_resource(const TraceCond *c) { return c->field == TRACE_COND_RESOURCE || c->field == TRACE_COND_ANY; }

ErrCode scan_plan_part(Scan *s, const TracePart *p, ScanPart *ret, Err *reterr) {
    ret->part = p;
    ret->tables = arena_alloc_zero(s->tables, (s->n_conds + 1) * sizeof(ScanTable));
    for (size_t i = 0; ret->tables && i < s->n_conds; i++) {
        const TraceCond *c = s->conds[i];
        ScanTable *t = &ret->tables[i];
        if (asks_resource(c)) {
            if (!(t->resources = arena_alloc_zero(s->tables, p->n_resources + 1))) break;
            for (uint32_t k = 0; k < p->n_resources; k++) t->resources[k] = resource_matches(c, p->resources[k].bytes);
        } else if (c->field == TRACE_COND_NAME || c->field == TRACE_COND_KIND) {
            if (!(t->ops = arena_alloc_zero(s->tables, p->n_ops + 1))) break;
            for (uint32_t k = 0; k < p->n_ops; k++)
                t->ops[k] =
                    c->field == TRACE_COND_NAME ? name_matches(c, p->ops[k].name) : c->mask >> p->ops[k].kind & 1;
        }
    }
    if (arena_exhausted(s->tables)) return err_set(reterr, ERR_TOO_LARGE, "the query needs too much memory");
    return OK;
}

ErrCode scan_plan_head(Scan *s, ScanHead *h, Err *reterr) {
    h->tables = arena_alloc_zero(s->tables, (s->n_conds + 1) * sizeof(ScanTable));
    for (size_t i = 0; h->tables && i < s->n_conds; i++) {
        if (!asks_resource(s->conds[i])) continue;
        if (!(h->tables[i].resources = arena_alloc_zero(s->tables, h->n_resources + 1))) break;
        for (uint32_t k = 0; k < h->n_resources; k++)
            h->tables[i].resources[k] = resource_matches(s->conds[i], h->resources[k].bytes);
    }
    if (arena_exhausted(s->tables)) return err_set(reterr, ERR_TOO_LARGE, "the query needs too much memory");
    return OK;
}

/* --- blocks unopened --- */

static bool attr_may_match(const ScanPart *p, size_t block, const TraceCond *c) {
    if (p->part->blocks[block].has_rest || c->key.n == 0 || c->key.p[0] == '\x01') return true;
    unsigned types = wide_part_field_types(p->part->wide, block, c->key);
    if (types == 0) return false;
    if (types & 1u << WIDE_JSON_ARRAY || c->equal.n == 0) return true;
    return wide_part_may_equal(p->part->wide, block, c->key, c->equal);
}

static bool may_match(const ScanPart *p, size_t block, const TraceCond *c, const ScanTable *t) {
    const TracePartBlock *b = &p->part->blocks[block];
    switch (c->field) {
    case TRACE_COND_SPAN: return attr_may_match(p, block, c);
    case TRACE_COND_RESOURCE: return trace_part_any_number(b->resources, t->resources, p->part->n_resources);
    case TRACE_COND_ANY:
        return trace_part_any_number(b->resources, t->resources, p->part->n_resources) || attr_may_match(p, block, c);
    case TRACE_COND_NAME:
    case TRACE_COND_KIND: return trace_part_any_number(b->ops, t->ops, p->part->n_ops);
    case TRACE_COND_DURATION: return b->max_duration_ns >= c->min && b->min_duration_ns <= c->max;
    case TRACE_COND_STATUS:
        return c->mask & 1u << SPAN_STATUS_UNSET || wide_part_field_types(p->part->wide, block, FIELD_STATUS) != 0;
    case TRACE_COND_EVENTS: return b->has_events;
    case TRACE_COND_LINKS: return b->has_links;
    }
    return true;
}

bool scan_block_may_match(const Scan *s, const ScanPart *p, size_t block) {
    const TraceScan *req = s->req;
    if (req->n_clauses == 0) return true;
    bool some = false, every = true;
    size_t at = 0;
    for (size_t k = 0; k < req->n_clauses; k++) {
        bool clause = false;
        for (size_t a = 0; a < req->clauses[k].n; a++) {
            const TraceConds *alt = &req->clauses[k].v[a];
            bool may = true;
            for (size_t i = 0; may && i < alt->n; i++) may = may_match(p, block, &alt->v[i], &p->tables[at + i]);
            at += alt->n;
            clause |= may;
        }
        some |= clause;
        every &= clause;
    }
    return req->whole ? some : every;
}

/* --- columns --- */

static bool value_matches(const TraceCond *c, const WideValue *v) {
    AttrValue a = trace_part_value(v);
    return c->match(c->ctx, &a);
}

typedef struct CondColumns {
    const WideValue *attr, *resource, *rest, *op, *other;
} CondColumns;

static ErrCode open_columns(
    ScanWorker *w, const ScanPart *p, size_t block, WideBlock *wide, const TraceCond *c, CondColumns *ret) {
    bool attr = c->field == TRACE_COND_SPAN || c->field == TRACE_COND_ANY;
    bool own_key = c->key.n && c->key.p[0] != '\x01';
    const struct {
        bool wanted;
        Str field;
        const WideValue **ret;
    } wanted[] = {
        {attr && own_key, c->key, &ret->attr},
        {attr && p->part->blocks[block].has_rest, FIELD_REST, &ret->rest},
        {asks_resource(c), FIELD_RESOURCE, &ret->resource},
        {c->field == TRACE_COND_NAME || c->field == TRACE_COND_KIND, FIELD_OP, &ret->op},
        {c->field == TRACE_COND_DURATION, FIELD_DURATION, &ret->other},
        {c->field == TRACE_COND_STATUS, FIELD_STATUS, &ret->other},
        {c->field == TRACE_COND_EVENTS, FIELD_EVENTS, &ret->other},
        {c->field == TRACE_COND_LINKS, FIELD_LINKS, &ret->other},
    };
    *ret = (CondColumns){0};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        ErrCode e = wanted[i].wanted ? wide_block_column(wide, wanted[i].field, wanted[i].ret, w->err) : OK;
        if (e) return e;
    }
    return OK;
}

static bool number_in(const WideValue *v, const bool *wanted, uint32_t n) {
    return v->type == WIDE_I64 && v->i >= 0 && v->i < n && wanted[v->i];
}

static bool row_matches(const ScanPart *p, const TraceCond *c, const ScanTable *t, const CondColumns *x, uint32_t row) {
    switch (c->field) {
    case TRACE_COND_SPAN:
    case TRACE_COND_ANY:
        if (x->rest && x->rest[row].type != WIDE_NULL) return true;
        if (x->attr && x->attr[row].type != WIDE_NULL) return value_matches(c, &x->attr[row]);
        return c->field == TRACE_COND_ANY && x->resource &&
               number_in(&x->resource[row], t->resources, p->part->n_resources);
    case TRACE_COND_RESOURCE: return x->resource && number_in(&x->resource[row], t->resources, p->part->n_resources);
    case TRACE_COND_NAME:
    case TRACE_COND_KIND: return x->op && number_in(&x->op[row], t->ops, p->part->n_ops);
    case TRACE_COND_DURATION:
        return x->other && x->other[row].type == WIDE_I64 && x->other[row].i >= c->min && x->other[row].i <= c->max;
    case TRACE_COND_STATUS: {
        int64_t status = x->other && x->other[row].type == WIDE_I64 ? x->other[row].i : SPAN_STATUS_UNSET;
        return status >= 0 && status < 32 && c->mask >> status & 1;
    }
    case TRACE_COND_EVENTS:
    case TRACE_COND_LINKS: return x->other && x->other[row].type != WIDE_NULL;
    }
    return true;
}

/* Keeps of left those rows that meet the condition. */
static ErrCode narrow(ScanWorker *w, const ScanPart *p, size_t block, WideBlock *wide, size_t cond, uint8_t *left,
    uint32_t rows, bool *ret_any) {
    const TraceCond *c = w->scan->conds[cond];
    CondColumns x;
    *ret_any = false;
    ErrCode e = open_columns(w, p, block, wide, c, &x);
    if (e) return e;
    uint8_t any = 0;
    for (uint32_t i = 0; i < rows; i++) {
        if (left[i]) any |= left[i] = row_matches(p, c, &p->tables[cond], &x, i);
    }
    *ret_any = any;
    return OK;
}

static ErrCode mask_alternative(ScanWorker *w, const ScanPart *p, size_t block, WideBlock *wide, const TraceConds *alt,
    size_t at, uint8_t bit, uint32_t rows) {
    bool may = true, any = true;
    for (size_t i = 0; may && i < alt->n; i++) may = may_match(p, block, &alt->v[i], &p->tables[at + i]);
    if (!may) return OK;
    memcpy(w->rest, w->keep, rows);
    for (size_t i = 0; any && i < alt->n; i++) {
        ErrCode e = narrow(w, p, block, wide, at + i, w->rest, rows, &any);
        if (e) return e;
    }
    for (uint32_t i = 0; any && i < rows; i++) w->mask[i] |= w->rest[i] ? bit : 0;
    return OK;
}

ErrCode scan_block_masks(ScanWorker *w, const ScanPart *p, size_t block, WideBlock *wide, bool in_window) {
    const Scan *s = w->scan;
    uint32_t rows = wide_part_block_info(p->part->wide, block).rows;
    memset(w->keep, 1, rows);
    memset(w->mask, s->req->n_clauses == 0, rows);
    if (in_window) {
        const int64_t *t;
        ErrCode e = wide_block_times(wide, &t, w->err);
        if (e) return e;
        for (uint32_t i = 0; i < rows; i++) w->keep[i] = scan_in_window(s, t[i]);
        for (uint32_t i = 0; s->req->n_clauses == 0 && i < rows; i++) w->mask[i] = w->keep[i];
    }
    size_t at = 0;
    for (size_t k = 0; k < s->req->n_clauses; k++) {
        const TraceClause *clause = &s->req->clauses[k];
        for (size_t a = 0; a < clause->n; a++) {
            ErrCode e = mask_alternative(w, p, block, wide, &clause->v[a], at, (uint8_t)(1u << k), rows);
            if (e) return e;
            at += clause->v[a].n;
        }
        if (!in_window) continue;
        for (uint32_t i = 0; i < rows; i++)
            w->keep[i] = w->keep[i] && w->mask[i] >> k & 1; /* the next ones need this one */
    }
    return OK;
}

/* --- heads --- */

static bool head_attr_matches(const TraceCond *c, const HeadSpan *span, const SpanRowView *v, bool *ret_found) {
    const SpanPayload *p = &span->chunk->payload;
    Cursor at = v->rest;
    return attrs_match(c, &at, p->strings, p->n_strings, ret_found);
}

/* Events and links of a span in a head, if it has any. */
static bool head_has_any(const HeadSpan *span, const SpanRowView *v, bool links) {
    const SpanPayload *p = &span->chunk->payload;
    if (!v->has_extra) return false;
    Cursor at = v->rest;
    Attr a;
    SpanExtra x;
    for (uint32_t n = span_attrs_begin(&at); n > 0 && span_attr_next(&at, p->strings, p->n_strings, &a);) n--;
    if (!span_extra_read(&at, &x)) return false;
    return links || span_events_begin(&at) > 0; /* links lie behind the events: certainly not without extras */
}

static bool head_matches(
    const ScanHead *h, const TraceCond *c, const ScanTable *t, const HeadSpan *span, const SpanRowView *v) {
    bool found;
    uint32_t resource = span->chunk->resources[v->resource];
    bool by_resource = t->resources && (resource >= h->n_resources || t->resources[resource]);
    int64_t duration = (int64_t)((uint64_t)span->end_ns - (uint64_t)span->start_ns);
    switch (c->field) {
    case TRACE_COND_SPAN: return head_attr_matches(c, span, v, &found);
    case TRACE_COND_RESOURCE: return by_resource;
    case TRACE_COND_ANY: return head_attr_matches(c, span, v, &found) || (!found && by_resource);
    case TRACE_COND_NAME: return name_matches(c, span->chunk->payload.strings[v->name]);
    case TRACE_COND_DURATION: return duration >= c->min && duration <= c->max;
    case TRACE_COND_STATUS: return c->mask >> v->status & 1;
    case TRACE_COND_KIND: return c->mask >> v->kind & 1;
    case TRACE_COND_EVENTS: return head_has_any(span, v, false);
    case TRACE_COND_LINKS: return head_has_any(span, v, true);
    }
    return true;
}

uint8_t scan_head_mask(const Scan *s, const ScanHead *h, const HeadSpan *span) {
    SpanRowView v;
    if (s->req->n_clauses == 0) return 1;
    if (!span_row_view(span->row, &v)) return 0;
    uint8_t mask = 0;
    size_t at = 0;
    for (size_t k = 0; k < s->req->n_clauses; k++) {
        for (size_t a = 0; a < s->req->clauses[k].n; a++) {
            const TraceConds *alt = &s->req->clauses[k].v[a];
            bool ok = !(mask >> k & 1);
            for (size_t i = 0; ok && i < alt->n; i++) ok = head_matches(h, &alt->v[i], &h->tables[at + i], span, &v);
            if (ok) mask |= (uint8_t)(1u << k);
            at += alt->n;
        }
    }
    return mask;
}
