#include "collect/otlp_int.h"

typedef struct TraceDecoder {
    OtlpReader r;
    SpansBatch *batch;
} TraceDecoder;

static bool on_resource(void *ctx, const Resource *resource) {
    TraceDecoder *d = ctx;
    return avec_push(d->r.arena, &d->batch->resources, *resource) ? true : otlp_full(&d->r);
}

static bool on_scope(void *ctx, const Scope *scope) {
    TraceDecoder *d = ctx;
    return avec_push(d->r.arena, &d->batch->scopes, *scope) ? true : otlp_full(&d->r);
}

/* Span.Event{time_unix_nano = 1, name = 2, attributes = 3, dropped_attributes_count = 4} */
static bool decode_event(TraceDecoder *d, Str message) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    SpanEvent e = {0};
    size_t first = d->batch->attrs.n;
    while (proto_next(&p, &f)) {
        switch (f.number) {
        case 1: e.t_ns = proto_i64(&f); break;
        case 2: e.name = otlp_text(&d->r, &f); break;
        case 3:
            if (!otlp_key_value(&d->r, f.bytes, first)) return false;
            break;
        case 4: e.dropped_attributes = (uint32_t)f.u64; break;
        default: break;
        }
    }
    if (!otlp_end(&d->r, &p)) return false;
    e.attrs = (AttrRange){(uint32_t)first, (uint32_t)(d->batch->attrs.n - first)};
    return avec_push(d->r.arena, &d->batch->events, e) ? true : otlp_full(&d->r);
}

/* Span.Link{trace_id = 1, span_id = 2, trace_state = 3, attributes = 4, dropped_attributes_count = 5, flags = 6} */
static bool decode_link(TraceDecoder *d, Str message) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    SpanLink l = {0};
    size_t first = d->batch->attrs.n;
    while (proto_next(&p, &f)) {
        switch (f.number) {
        case 1: (void)otlp_trace_id(f.bytes, &l.trace_id); break; /* links to nowhere are legal, if useless */
        case 2: (void)otlp_span_id(f.bytes, &l.span_id); break;
        case 3: l.trace_state = otlp_text(&d->r, &f); break;
        case 4:
            if (!otlp_key_value(&d->r, f.bytes, first)) return false;
            break;
        case 5: l.dropped_attributes = (uint32_t)f.u64; break;
        case 6: l.flags = (uint32_t)f.u64; break;
        default: break;
        }
    }
    if (!otlp_end(&d->r, &p)) return false;
    l.attrs = (AttrRange){(uint32_t)first, (uint32_t)(d->batch->attrs.n - first)};
    return avec_push(d->r.arena, &d->batch->links, l) ? true : otlp_full(&d->r);
}

/* Status{message = 2, code = 3} */
static bool decode_status(TraceDecoder *d, Str message, SpanRow *row) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    while (proto_next(&p, &f)) {
        if (f.number == 2) row->status_message = otlp_text(&d->r, &f);
        if (f.number == 3) row->status = f.u64 <= SPAN_STATUS_ERROR ? (uint8_t)f.u64 : SPAN_STATUS_UNSET;
    }
    return otlp_end(&d->r, &p);
}

typedef struct SpanCounts {
    uint32_t events, links;
} SpanCounts;

static bool span_field(TraceDecoder *d, const ProtoField *f, SpanRow *row, SpanCounts *counts, size_t first) {
    OtlpReader *r = &d->r;
    switch (f->number) {
    case 1:
        if (!otlp_trace_id(f->bytes, &row->trace_id)) r->problem = "trace_id must be 16 bytes, not all zero";
        return true;
    case 2:
        if (!otlp_span_id(f->bytes, &row->span_id)) r->problem = "span_id must be 8 bytes, not all zero";
        return true;
    case 3: row->trace_state = otlp_text(r, f); return true;
    case 4:
        if (f->bytes.n > 0 && !otlp_span_id(f->bytes, &row->parent_id) && f->bytes.n != 8)
            r->problem = "parent_span_id must be 8 bytes";
        return true;
    case 5: row->name = otlp_text(r, f); return true;
    case 6: row->kind = f->u64 <= SPAN_CONSUMER ? (uint8_t)f->u64 : SPAN_UNSPECIFIED; return true;
    case 7: row->start_ns = proto_i64(f); return true;
    case 8: row->end_ns = proto_i64(f); return true;
    case 9: return otlp_key_value(r, f->bytes, first);
    case 10: row->dropped_attributes = (uint32_t)f->u64; return true;
    case 11: counts->events++; return true;
    case 12: row->dropped_events = (uint32_t)f->u64; return true;
    case 13: counts->links++; return true;
    case 14: row->dropped_links = (uint32_t)f->u64; return true;
    case 15: return decode_status(d, f->bytes, row);
    case 16: row->flags = (uint32_t)f->u64; return true;
    default: return true;
    }
}

/* Events and links come in a second pass, so that the span's own attributes lie together in the pool. */
static bool decode_children(TraceDecoder *d, Str message, SpanRow *row) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    size_t first_event = d->batch->events.n, first_link = d->batch->links.n;
    while (proto_next(&p, &f)) {
        if (f.number == 11 && !decode_event(d, f.bytes)) return false;
        if (f.number == 13 && !decode_link(d, f.bytes)) return false;
    }
    row->events = (AttrRange){(uint32_t)first_event, (uint32_t)(d->batch->events.n - first_event)};
    row->links = (AttrRange){(uint32_t)first_link, (uint32_t)(d->batch->links.n - first_link)};
    return true;
}

static void check_span(OtlpReader *r, SpanRow *row) {
    if (trace_id_is_zero(row->trace_id) && !r->problem) r->problem = "a span has no trace_id";
    if (span_id_is_zero(row->span_id) && !r->problem) r->problem = "a span has no span_id";
    if ((row->start_ns < 0 || row->end_ns < 0) && !r->problem) r->problem = "a span's time is beyond the year 2262";
    /* Clocks that step back must not make durations negative. */
    if (row->end_ns < row->start_ns) row->end_ns = row->start_ns;
}

static bool on_span(void *ctx, Str message) {
    TraceDecoder *d = ctx;
    SpansBatch *b = d->batch;
    size_t first = b->attrs.n, first_event = b->events.n, first_link = b->links.n;
    SpanRow row = {.resource = (uint32_t)(b->resources.n - 1), .scope = (uint32_t)(b->scopes.n - 1)};
    SpanCounts counts = {0};
    ProtoReader p = proto_reader(message);
    ProtoField f;
    while (proto_next(&p, &f)) {
        if (!span_field(d, &f, &row, &counts, first)) return false;
    }
    if (!otlp_end(&d->r, &p)) return false;
    row.attrs = (AttrRange){(uint32_t)first, (uint32_t)(b->attrs.n - first)};
    if ((counts.events || counts.links) && !decode_children(d, message, &row)) return false;
    check_span(&d->r, &row);
    if (otlp_rejected(&d->r, 1)) {
        b->attrs.n = first;
        b->events.n = first_event;
        b->links.n = first_link;
        return true;
    }
    d->r.rejects->accepted++;
    return avec_push(d->r.arena, &b->rows, row) ? true : otlp_full(&d->r);
}

ErrCode otlp_decode_traces(Str proto, SpansBatch *batch, OtlpRejects *rejects, Err *reterr) {
    ASSERT(batch->arena && batch->rows.n == 0);
    TraceDecoder d = {
        .r = {.arena = batch->arena, .attrs = &batch->attrs, .rejects = rejects, .err = reterr}, .batch = batch};
    OtlpVisitor v = {.resource = on_resource, .scope = on_scope, .record = on_span, .ctx = &d};
    (void)otlp_walk(&d.r, proto, &v);
    buf_done(&d.r.scratch);
    return d.r.code;
}
