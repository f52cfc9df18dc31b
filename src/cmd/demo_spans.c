/* demo_spans.c - spans as OTLP, and the batches that spans and lines are collected in. Field numbers:
 * opentelemetry-proto, trace.proto and common.proto. */
#include "cmd/demo_int.h"
#include "codec/proto.h"

#define FLAG_SAMPLED 1

static void put_value(Buf *out, uint32_t field, const DemoAttr *a) {
    size_t mark = proto_begin(out, field);
    switch (a->type) {
    case DEMO_ATTR_STR: proto_put_bytes(out, 1, a->s); break;
    case DEMO_ATTR_BOOL: proto_put_varint(out, 2, (uint64_t)a->i64); break;
    case DEMO_ATTR_I64: proto_put_varint(out, 3, (uint64_t)a->i64); break;
    case DEMO_ATTR_F64: proto_put_f64(out, 4, a->f64); break;
    case DEMO_ATTR_LIST: {
        size_t array = proto_begin(out, 5), item = proto_begin(out, 1);
        proto_put_bytes(out, 1, a->s);
        proto_end(out, item);
        proto_end(out, array);
        break;
    }
    }
    proto_end(out, mark);
}

void demo_put_attr(Buf *out, uint32_t field, const DemoAttr *a) {
    size_t mark = proto_begin(out, field);
    proto_put_bytes(out, 1, a->key);
    put_value(out, 2, a);
    proto_end(out, mark);
}

void demo_put_str_attr(Buf *out, uint32_t field, Str key, Str value) {
    DemoAttr a = {.key = key, .s = value, .type = DEMO_ATTR_STR};
    demo_put_attr(out, field, &a);
}

/* Event{time = 1, name = 2, attributes = 3} */
static void put_event(Buf *out, const DemoEvent *e) {
    size_t mark = proto_begin(out, 11);
    proto_put_fixed64(out, 1, (uint64_t)e->t_ns);
    proto_put_bytes(out, 2, e->name);
    vec_foreach(DemoAttr, a, &e->attrs) demo_put_attr(out, 3, a);
    proto_end(out, mark);
}

/* Link{trace_id = 1, span_id = 2} */
static void put_link(Buf *out, const DemoIds *to) {
    size_t mark = proto_begin(out, 13);
    proto_put_bytes(out, 1, str_of((const char *)to->trace, sizeof to->trace));
    proto_put_bytes(out, 2, str_of((const char *)to->span, sizeof to->span));
    proto_end(out, mark);
}

static void put_status(Buf *out, const DemoSpan *s) {
    size_t mark = proto_begin(out, 15);
    if (s->status_message.n > 0) proto_put_bytes(out, 2, s->status_message);
    proto_put_varint(out, 3, s->status);
    proto_end(out, mark);
}

static void put_span(Buf *out, const DemoRequest *q, const DemoSpan *s) {
    size_t mark = proto_begin(out, 2);
    proto_put_bytes(out, 1, str_of((const char *)q->trace, sizeof q->trace));
    proto_put_bytes(out, 2, str_of((const char *)s->id, sizeof s->id));
    if (s->parent) proto_put_bytes(out, 4, str_of((const char *)s->parent->id, sizeof s->parent->id));
    proto_put_bytes(out, 5, s->name);
    proto_put_varint(out, 6, s->kind);
    proto_put_fixed64(out, 7, (uint64_t)s->start_ns);
    proto_put_fixed64(out, 8, (uint64_t)s->end_ns);
    vec_foreach(DemoAttr, a, &s->attrs) demo_put_attr(out, 9, a);
    vec_foreach(DemoEvent, e, &s->events) put_event(out, e);
    if (s->linked) put_link(out, &s->link);
    if (s->status) put_status(out, s);
    proto_put_fixed32(out, 16, FLAG_SAMPLED);
    proto_end(out, mark);
}

void demo_spans_encode(DemoFleet *f, const DemoRequest *q) {
    for (size_t i = 0; i < q->spans.n; i++) {
        const DemoSpan *s = q->spans.v[i];
        put_span(&f->spans.part[s->instance], q, s);
    }
    f->spans.records += q->spans.n;
    f->totals.spans += q->spans.n;
    if (f->spans.records >= DEMO_BATCH_RECORDS) demo_batch_emit(f, &f->spans, DEMO_TRACES);
}

/* ResourceSpans and ResourceLogs alike: {resource = 1, scope = 2 {scope = 1 {name = 1, version = 2}, records = 2}} */
void demo_batch_emit(DemoFleet *f, DemoBatch *b, DemoSignal signal) {
    if (b->records == 0) return;
    Buf body = {0};
    for (uint32_t i = 0; i < f->n_instances; i++) {
        if (b->part[i].n == 0) continue;
        size_t mark = proto_begin(&body, 1);
        proto_put_bytes(&body, 1, f->instances[i].resource);
        size_t records = proto_begin(&body, 2), scope = proto_begin(&body, 1);
        proto_put_bytes(&body, 1, demo_service_name(f->instances[i].service));
        proto_end(&body, scope);
        buf_put_str(&body, buf_str(&b->part[i]));
        proto_end(&body, records);
        proto_end(&body, mark);
        buf_clear(&b->part[i]);
    }
    f->opts.emit(f->opts.emit_ctx, signal, 0, &body, b->records);
    b->records = 0;
}
