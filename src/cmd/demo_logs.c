/* demo_logs.c - lines as the services write them (JSON or logfmt) in OTLP log records. Field numbers:
 * opentelemetry-proto, logs.proto. */
#include "base/json.h"
#include "base/num.h"
#include "cmd/demo_int.h"
#include "codec/proto.h"

static Str severity_name(DemoSeverity s, bool upper) {
    switch (s) {
    case DEMO_DEBUG: return upper ? STR("DEBUG") : STR("debug");
    case DEMO_WARN: return upper ? STR("WARN") : STR("warn");
    case DEMO_ERROR: return upper ? STR("ERROR") : STR("error");
    case DEMO_INFO: break;
    }
    return upper ? STR("INFO") : STR("info");
}

static Str hex_of(Buf *scratch, const uint8_t *id, size_t n) {
    buf_clear(scratch);
    num_put_hex(scratch, id, n);
    return buf_str(scratch);
}

static void put_json_field(JsonWriter *w, const DemoAttr *a) {
    json_key(w, a->key);
    switch (a->type) {
    case DEMO_ATTR_I64: json_i64(w, a->i64); break;
    case DEMO_ATTR_F64: json_f64(w, a->f64); break;
    case DEMO_ATTR_BOOL: json_bool(w, a->i64 != 0); break;
    case DEMO_ATTR_STR:
    case DEMO_ATTR_LIST: json_str(w, a->s); break;
    }
}

static void put_json_line(Buf *out, Buf *scratch, const DemoFleet *f, const DemoRequest *q, const DemoLog *l) {
    const DemoInstance *in = &f->instances[l->instance];
    JsonWriter w = json_writer(out);
    json_begin_object(&w);
    buf_clear(scratch);
    time_put_rfc3339_ms(scratch, l->t_ns);
    json_key_lit(&w, "timestamp");
    json_str(&w, buf_str(scratch));
    json_key_lit(&w, "level");
    json_str(&w, severity_name(l->severity, false));
    json_key_lit(&w, "logger");
    json_str(&w, l->logger);
    json_key_lit(&w, "message");
    json_str(&w, l->message);
    json_key_lit(&w, "service");
    json_str(&w, demo_service_name(in->service));
    json_key_lit(&w, "pod");
    json_str(&w, in->pod);
    vec_foreach(DemoAttr, a, &l->fields) put_json_field(&w, a);
    if (l->span) {
        json_key_lit(&w, "trace_id");
        json_str(&w, hex_of(scratch, q->trace, sizeof q->trace));
        json_key_lit(&w, "span_id");
        json_str(&w, hex_of(scratch, l->span->id, sizeof l->span->id));
    }
    json_end_object(&w);
}

/* Words stand as they are; what has blanks, quotes or '=' is quoted. */
static void put_logfmt_value(Buf *out, Str v) {
    bool quote = v.n == 0;
    for (size_t i = 0; i < v.n && !quote; i++) quote = v.p[i] <= ' ' || v.p[i] == '"' || v.p[i] == '=';
    if (quote)
        json_put_string(out, v);
    else
        buf_put_str(out, v);
}

static void put_logfmt_field(Buf *out, const DemoAttr *a) {
    buf_put_char(out, ' ');
    buf_put_str(out, a->key);
    buf_put_char(out, '=');
    switch (a->type) {
    case DEMO_ATTR_I64: num_put_i64(out, a->i64); break;
    case DEMO_ATTR_F64: num_put_f64_json(out, a->f64); break;
    case DEMO_ATTR_BOOL: buf_put_str(out, a->i64 ? STR("true") : STR("false")); break;
    case DEMO_ATTR_STR:
    case DEMO_ATTR_LIST: put_logfmt_value(out, a->s); break;
    }
}

static void put_logfmt_line(Buf *out, Buf *scratch, const DemoRequest *q, const DemoLog *l) {
    buf_put_lit(out, "ts=");
    time_put_rfc3339_ms(out, l->t_ns);
    buf_put_lit(out, " level=");
    buf_put_str(out, severity_name(l->severity, false));
    buf_put_lit(out, " logger=");
    buf_put_str(out, l->logger);
    buf_put_lit(out, " msg=");
    put_logfmt_value(out, l->message);
    vec_foreach(DemoAttr, a, &l->fields) put_logfmt_field(out, a);
    if (l->span) {
        buf_put_lit(out, " trace_id=");
        buf_put_str(out, hex_of(scratch, q->trace, sizeof q->trace));
    }
}

/* media-api and template-api write logfmt, all others JSON. */
static bool writes_logfmt(DemoService s) { return s == SVC_MEDIA_API || s == SVC_TEMPLATE_API; }

/* LogRecord{time = 1, severity_number = 2, severity_text = 3, body = 5, attributes = 6, flags = 8, trace_id = 9,
 * span_id = 10, observed_time = 11} */
static void put_record(Buf *out, const DemoFleet *f, const DemoRequest *q, const DemoLog *l, Buf *line, Buf *scratch) {
    buf_clear(line);
    if (writes_logfmt(f->instances[l->instance].service))
        put_logfmt_line(line, scratch, q, l);
    else
        put_json_line(line, scratch, f, q, l);
    size_t mark = proto_begin(out, 2);
    proto_put_fixed64(out, 1, (uint64_t)l->t_ns);
    proto_put_varint(out, 2, (uint64_t)l->severity);
    proto_put_bytes(out, 3, severity_name(l->severity, true));
    size_t body = proto_begin(out, 5);
    proto_put_bytes(out, 1, buf_str(line));
    proto_end(out, body);
    demo_put_str_attr(out, 6, STR("log.logger"), l->logger);
    if (l->span) {
        proto_put_fixed32(out, 8, 1);
        proto_put_bytes(out, 9, str_of((const char *)q->trace, sizeof q->trace));
        proto_put_bytes(out, 10, str_of((const char *)l->span->id, sizeof l->span->id));
    }
    proto_put_fixed64(out, 11, (uint64_t)l->t_ns + 1000000);
    proto_end(out, mark);
}

void demo_logs_encode(DemoFleet *f, const DemoRequest *q) {
    Buf line = {0}, scratch = {0};
    for (size_t i = 0; i < q->logs.n; i++) {
        const DemoLog *l = q->logs.v[i];
        put_record(&f->lines.part[l->instance], f, q, l, &line, &scratch);
    }
    buf_done(&line);
    buf_done(&scratch);
    f->lines.records += q->logs.n;
    f->totals.lines += q->logs.n;
    if (f->lines.records >= DEMO_BATCH_RECORDS) demo_batch_emit(f, &f->lines, DEMO_LOGS);
}
