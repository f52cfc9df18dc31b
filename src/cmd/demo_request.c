/* demo_request.c - the story of one request: a clock, spans, events and lines, all in the request's arena. */
#include "cmd/demo.h"

#include "base/num.h"
#include "cmd/demo_int.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_BYTES 1024

double demo_lognormal(Rng *r, double median, double sigma) {
    double u = 1.0 - rng_f64(r), v = rng_f64(r); /* u is never 0 */
    double normal = sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
    return median * exp(sigma * normal);
}

static void fill_id(Rng *r, uint8_t *out, size_t n) {
    for (size_t i = 0; i < n; i += 8) {
        uint64_t v = rng_u64(r) | 1; /* an id of zeros is no id */
        memcpy(out + i, &v, MIN(n - i, (size_t)8));
    }
}

void demo_request_begin(DemoRequest *q, DemoFleet *f, Arena *arena, int64_t wall_ns) {
    *q = (DemoRequest){.fleet = f, .arena = arena, .wall_ns = wall_ns};
    fill_id(&f->rng, q->trace, sizeof q->trace);
}

void demo_request_shift(DemoRequest *q, int64_t by_ns) {
    vec_foreach(DemoSpan *, it, &q->spans) {
        DemoSpan *s = *it;
        ASSERT(s->end_ns >= s->start_ns); /* closed */
        s->start_ns += by_ns;
        s->end_ns += by_ns;
        vec_foreach(DemoEvent, e, &s->events) e->t_ns += by_ns;
    }
    vec_foreach(DemoLog *, l, &q->logs)(*l)->t_ns += by_ns;
    q->now_ns += by_ns;
}

DemoSpan *demo_span_open(DemoRequest *q, const DemoSpan *parent, uint32_t instance, int kind, Str name) {
    DemoSpan *s = ARENA_NEW(q->arena, DemoSpan);
    ASSERT(s && instance < q->fleet->n_instances);
    fill_id(&q->fleet->rng, s->id, sizeof s->id);
    s->parent = parent;
    s->instance = instance;
    s->kind = (uint8_t)kind;
    s->name = name;
    s->start_ns = q->now_ns;
    s->end_ns = INT64_MIN;
    ASSERT(avec_push(q->arena, &q->spans, s));
    return s;
}

void demo_span_close(DemoRequest *q, DemoSpan *s) {
    ASSERT(s->end_ns == INT64_MIN);
    s->end_ns = q->now_ns;
}

void demo_span_link(DemoSpan *s, const DemoIds *to) {
    s->link = *to;
    s->linked = true;
}

static DemoAttr *new_attr(DemoRequest *q, DemoAttrs *a, const char *key, DemoAttrType type) {
    ASSERT(avec_push(q->arena, a, (DemoAttr){.key = str_cstr(key), .type = type}));
    return vec_last(a);
}

void demo_attr_str(DemoRequest *q, DemoAttrs *a, const char *key, Str v) { new_attr(q, a, key, DEMO_ATTR_STR)->s = v; }

void demo_attr_lit(DemoRequest *q, DemoAttrs *a, const char *key, const char *v) {
    demo_attr_str(q, a, key, str_cstr(v));
}

void demo_attr_i64(DemoRequest *q, DemoAttrs *a, const char *key, int64_t v) {
    new_attr(q, a, key, DEMO_ATTR_I64)->i64 = v;
}

void demo_attr_f64(DemoRequest *q, DemoAttrs *a, const char *key, double v) {
    new_attr(q, a, key, DEMO_ATTR_F64)->f64 = v;
}

void demo_attr_bool(DemoRequest *q, DemoAttrs *a, const char *key, bool v) {
    new_attr(q, a, key, DEMO_ATTR_BOOL)->i64 = v;
}

void demo_attr_list(DemoRequest *q, DemoAttrs *a, const char *key, Str only_item) {
    new_attr(q, a, key, DEMO_ATTR_LIST)->s = only_item;
}

DemoAttrs *demo_span_event(DemoRequest *q, DemoSpan *s, Str name) {
    ASSERT(avec_push(q->arena, &s->events, (DemoEvent){.t_ns = q->now_ns, .name = name}));
    return &vec_last(&s->events)->attrs;
}

void demo_span_fail(DemoRequest *q, DemoSpan *s, const char *type, Str message) {
    s->status = 2;
    s->status_message = message;
    demo_attr_lit(q, &s->attrs, "error.type", type);
    DemoAttrs *e = demo_span_event(q, s, STR("exception"));
    demo_attr_lit(q, e, "exception.type", type);
    demo_attr_str(q, e, "exception.message", message);
    Str service = demo_service_name(q->fleet->instances[s->instance].service);
    demo_attr_str(q, e, "exception.stacktrace",
        demo_printf(q, "%s: %" STR_FMT "\n  at %" STR_FMT " (/app/%" STR_FMT "/client.ts:%u:17)", type,
            STR_ARG(message), STR_ARG(s->name), STR_ARG(service), 40 + (unsigned)(s->name.n * 7 % 300)));
}

Str demo_printf(DemoRequest *q, const char *fmt, ...) {
    char text[LINE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    Str copy = arena_copy(q->arena, str_of(text, MIN((size_t)n, sizeof text - 1)));
    ASSERT(copy.p);
    return copy;
}

static DemoLog *put_line(DemoRequest *q, uint32_t instance, DemoSeverity severity, const char *logger, const char *fmt,
    va_list args) ATTR_PRINTF(5, 0);
static DemoLog *put_line(
    DemoRequest *q, uint32_t instance, DemoSeverity severity, const char *logger, const char *fmt, va_list args) {
    char text[LINE_MAX_BYTES];
    int n = vsnprintf(text, sizeof text, fmt, args);
    ASSERT(n >= 0);
    DemoLog *l = ARENA_NEW(q->arena, DemoLog);
    ASSERT(l);
    l->t_ns = q->now_ns;
    l->instance = instance;
    l->severity = severity;
    l->logger = str_cstr(logger);
    l->message = arena_copy(q->arena, str_of(text, MIN((size_t)n, sizeof text - 1)));
    ASSERT(l->message.p && avec_push(q->arena, &q->logs, l));
    return l;
}

DemoAttrs *demo_log_put(
    DemoRequest *q, const DemoSpan *s, DemoSeverity severity, const char *logger, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    DemoLog *l = put_line(q, s->instance, severity, logger, fmt, args);
    va_end(args);
    l->span = s;
    return &l->fields;
}

DemoAttrs *demo_log_machine(
    DemoRequest *q, uint32_t instance, DemoSeverity severity, const char *logger, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    DemoLog *l = put_line(q, instance, severity, logger, fmt, args);
    va_end(args);
    return &l->fields;
}

Str demo_hex_id(DemoRequest *q, const char *prefix, unsigned bytes) {
    uint8_t raw[16];
    ASSERT(bytes <= sizeof raw);
    fill_id(&q->fleet->rng, raw, sizeof raw);
    Buf hex = {0};
    buf_put_str(&hex, str_cstr(prefix));
    num_put_hex(&hex, raw, bytes);
    Str id = arena_copy(q->arena, buf_str(&hex));
    buf_done(&hex);
    ASSERT(id.p);
    return id;
}
