#include "collect/otlp_json.h"

#include "base/diag.h"
#include "base/json.h"
#include "base/num.h"
#include "codec/proto.h"

/* AnyValue spends two JSON levels per level of nesting; beyond this the decoder would refuse it anyway. */
#define OTLP_JSON_DEPTH 100

typedef enum FieldType {
    F_END,
    F_MESSAGE,
    F_STRING,
    F_HEX,
    F_BYTES,
    F_BOOL,
    F_U32,
    F_ENUM,
    F_I64,
    F_U64,
    F_S32,
    F_FIXED32,
    F_FIXED64,
    F_SFIXED64,
    F_DOUBLE
} FieldType;

typedef struct MessageDef MessageDef;
typedef struct FieldDef {
    Str name;
    uint32_t number;
    FieldType type;
    bool repeated;
    const MessageDef *message;
    const Str *enum_names; /* value i is enum_names[i]; ends with an empty one */
} FieldDef;
struct MessageDef {
    const FieldDef *fields;
};

#define FIELD(n, num, t)                                                                                               \
    { .name = STR_INIT(n), .number = num, .type = t }
#define REPEATED(n, num, t)                                                                                            \
    { .name = STR_INIT(n), .number = num, .type = t, .repeated = true }
#define MESSAGE(n, num, m)                                                                                             \
    { .name = STR_INIT(n), .number = num, .type = F_MESSAGE, .message = &m }
#define MESSAGES(n, num, m)                                                                                            \
    { .name = STR_INIT(n), .number = num, .type = F_MESSAGE, .repeated = true, .message = &m }
#define ENUM(n, num, names)                                                                                            \
    { .name = STR_INIT(n), .number = num, .type = F_ENUM, .enum_names = names }
#define END                                                                                                            \
    { .type = F_END }

static const Str span_kinds[] = {STR_INIT("SPAN_KIND_UNSPECIFIED"), STR_INIT("SPAN_KIND_INTERNAL"),
    STR_INIT("SPAN_KIND_SERVER"), STR_INIT("SPAN_KIND_CLIENT"), STR_INIT("SPAN_KIND_PRODUCER"),
    STR_INIT("SPAN_KIND_CONSUMER"), STR_INIT("")};
static const Str status_codes[] = {
    STR_INIT("STATUS_CODE_UNSET"), STR_INIT("STATUS_CODE_OK"), STR_INIT("STATUS_CODE_ERROR"), STR_INIT("")};
static const Str temporalities[] = {STR_INIT("AGGREGATION_TEMPORALITY_UNSPECIFIED"),
    STR_INIT("AGGREGATION_TEMPORALITY_DELTA"), STR_INIT("AGGREGATION_TEMPORALITY_CUMULATIVE"), STR_INIT("")};
static const Str no_names[] = {STR_INIT("")};

/* Field numbers: opentelemetry-proto v1.11. AnyValue nests itself, so the first definitions are forward ones. */
static const MessageDef any_value, key_value;
static const FieldDef array_value_fields[] = {MESSAGES("values", 1, any_value), END};
static const MessageDef array_value = {array_value_fields};
static const FieldDef kvlist_fields[] = {MESSAGES("values", 1, key_value), END};
static const MessageDef kvlist = {kvlist_fields};
static const FieldDef any_value_fields[] = {FIELD("stringValue", 1, F_STRING), FIELD("boolValue", 2, F_BOOL),
    FIELD("intValue", 3, F_I64), FIELD("doubleValue", 4, F_DOUBLE), MESSAGE("arrayValue", 5, array_value),
    MESSAGE("kvlistValue", 6, kvlist), FIELD("bytesValue", 7, F_BYTES), END};
static const MessageDef any_value = {any_value_fields};
static const FieldDef key_value_fields[] = {FIELD("key", 1, F_STRING), MESSAGE("value", 2, any_value), END};
static const MessageDef key_value = {key_value_fields};

static const FieldDef resource_fields[] = {
    MESSAGES("attributes", 1, key_value), FIELD("droppedAttributesCount", 2, F_U32), END};
static const MessageDef resource = {resource_fields};
static const FieldDef scope_fields[] = {FIELD("name", 1, F_STRING), FIELD("version", 2, F_STRING),
    MESSAGES("attributes", 3, key_value), FIELD("droppedAttributesCount", 4, F_U32), END};
static const MessageDef scope = {scope_fields};

static const FieldDef event_fields[] = {FIELD("timeUnixNano", 1, F_FIXED64), FIELD("name", 2, F_STRING),
    MESSAGES("attributes", 3, key_value), FIELD("droppedAttributesCount", 4, F_U32), END};
static const MessageDef event = {event_fields};
static const FieldDef link_fields[] = {FIELD("traceId", 1, F_HEX), FIELD("spanId", 2, F_HEX),
    FIELD("traceState", 3, F_STRING), MESSAGES("attributes", 4, key_value), FIELD("droppedAttributesCount", 5, F_U32),
    FIELD("flags", 6, F_FIXED32), END};
static const MessageDef span_link = {link_fields};
static const FieldDef status_fields[] = {FIELD("message", 2, F_STRING), ENUM("code", 3, status_codes), END};
static const MessageDef status = {status_fields};
static const FieldDef span_fields[] = {FIELD("traceId", 1, F_HEX), FIELD("spanId", 2, F_HEX),
    FIELD("traceState", 3, F_STRING), FIELD("parentSpanId", 4, F_HEX), FIELD("name", 5, F_STRING),
    ENUM("kind", 6, span_kinds), FIELD("startTimeUnixNano", 7, F_FIXED64), FIELD("endTimeUnixNano", 8, F_FIXED64),
    MESSAGES("attributes", 9, key_value), FIELD("droppedAttributesCount", 10, F_U32), MESSAGES("events", 11, event),
    FIELD("droppedEventsCount", 12, F_U32), MESSAGES("links", 13, span_link), FIELD("droppedLinksCount", 14, F_U32),
    MESSAGE("status", 15, status), FIELD("flags", 16, F_FIXED32), END};
static const MessageDef span = {span_fields};
static const FieldDef scope_spans_fields[] = {
    MESSAGE("scope", 1, scope), MESSAGES("spans", 2, span), FIELD("schemaUrl", 3, F_STRING), END};
static const MessageDef scope_spans = {scope_spans_fields};
static const FieldDef resource_spans_fields[] = {
    MESSAGE("resource", 1, resource), MESSAGES("scopeSpans", 2, scope_spans), FIELD("schemaUrl", 3, F_STRING), END};
static const MessageDef resource_spans = {resource_spans_fields};
static const FieldDef traces_fields[] = {MESSAGES("resourceSpans", 1, resource_spans), END};

static const FieldDef log_record_fields[] = {FIELD("timeUnixNano", 1, F_FIXED64), ENUM("severityNumber", 2, no_names),
    FIELD("severityText", 3, F_STRING), MESSAGE("body", 5, any_value), MESSAGES("attributes", 6, key_value),
    FIELD("droppedAttributesCount", 7, F_U32), FIELD("flags", 8, F_FIXED32), FIELD("traceId", 9, F_HEX),
    FIELD("spanId", 10, F_HEX), FIELD("observedTimeUnixNano", 11, F_FIXED64), FIELD("eventName", 12, F_STRING), END};
static const MessageDef log_record = {log_record_fields};
static const FieldDef scope_logs_fields[] = {
    MESSAGE("scope", 1, scope), MESSAGES("logRecords", 2, log_record), FIELD("schemaUrl", 3, F_STRING), END};
static const MessageDef scope_logs = {scope_logs_fields};
static const FieldDef resource_logs_fields[] = {
    MESSAGE("resource", 1, resource), MESSAGES("scopeLogs", 2, scope_logs), FIELD("schemaUrl", 3, F_STRING), END};
static const MessageDef resource_logs = {resource_logs_fields};
static const FieldDef logs_fields[] = {MESSAGES("resourceLogs", 1, resource_logs), END};

static const FieldDef exemplar_fields[] = {FIELD("timeUnixNano", 2, F_FIXED64), FIELD("asDouble", 3, F_DOUBLE),
    FIELD("spanId", 4, F_HEX), FIELD("traceId", 5, F_HEX), FIELD("asInt", 6, F_SFIXED64),
    MESSAGES("filteredAttributes", 7, key_value), END};
static const MessageDef exemplar = {exemplar_fields};
static const FieldDef number_fields[] = {FIELD("startTimeUnixNano", 2, F_FIXED64), FIELD("timeUnixNano", 3, F_FIXED64),
    FIELD("asDouble", 4, F_DOUBLE), MESSAGES("exemplars", 5, exemplar), FIELD("asInt", 6, F_SFIXED64),
    MESSAGES("attributes", 7, key_value), FIELD("flags", 8, F_U32), END};
static const MessageDef number_point = {number_fields};
static const FieldDef histogram_point_fields[] = {FIELD("startTimeUnixNano", 2, F_FIXED64),
    FIELD("timeUnixNano", 3, F_FIXED64), FIELD("count", 4, F_FIXED64), FIELD("sum", 5, F_DOUBLE),
    REPEATED("bucketCounts", 6, F_FIXED64), REPEATED("explicitBounds", 7, F_DOUBLE), MESSAGES("exemplars", 8, exemplar),
    MESSAGES("attributes", 9, key_value), FIELD("flags", 10, F_U32), FIELD("min", 11, F_DOUBLE),
    FIELD("max", 12, F_DOUBLE), END};
static const MessageDef histogram_point = {histogram_point_fields};
static const FieldDef buckets_fields[] = {FIELD("offset", 1, F_S32), REPEATED("bucketCounts", 2, F_U64), END};
static const MessageDef exp_buckets = {buckets_fields};
static const FieldDef exp_point_fields[] = {MESSAGES("attributes", 1, key_value),
    FIELD("startTimeUnixNano", 2, F_FIXED64), FIELD("timeUnixNano", 3, F_FIXED64), FIELD("count", 4, F_FIXED64),
    FIELD("sum", 5, F_DOUBLE), FIELD("scale", 6, F_S32), FIELD("zeroCount", 7, F_FIXED64),
    MESSAGE("positive", 8, exp_buckets), MESSAGE("negative", 9, exp_buckets), FIELD("flags", 10, F_U32),
    MESSAGES("exemplars", 11, exemplar), FIELD("min", 12, F_DOUBLE), FIELD("max", 13, F_DOUBLE),
    FIELD("zeroThreshold", 14, F_DOUBLE), END};
static const MessageDef exp_point = {exp_point_fields};
static const FieldDef quantile_fields[] = {FIELD("quantile", 1, F_DOUBLE), FIELD("value", 2, F_DOUBLE), END};
static const MessageDef quantile_value = {quantile_fields};
static const FieldDef summary_point_fields[] = {FIELD("startTimeUnixNano", 2, F_FIXED64),
    FIELD("timeUnixNano", 3, F_FIXED64), FIELD("count", 4, F_FIXED64), FIELD("sum", 5, F_DOUBLE),
    MESSAGES("quantileValues", 6, quantile_value), MESSAGES("attributes", 7, key_value), FIELD("flags", 8, F_U32), END};
static const MessageDef summary_point = {summary_point_fields};
static const FieldDef gauge_fields[] = {MESSAGES("dataPoints", 1, number_point), END};
static const MessageDef gauge = {gauge_fields};
static const FieldDef sum_fields[] = {MESSAGES("dataPoints", 1, number_point),
    ENUM("aggregationTemporality", 2, temporalities), FIELD("isMonotonic", 3, F_BOOL), END};
static const MessageDef sum = {sum_fields};
static const FieldDef histogram_fields[] = {
    MESSAGES("dataPoints", 1, histogram_point), ENUM("aggregationTemporality", 2, temporalities), END};
static const MessageDef histogram = {histogram_fields};
static const FieldDef exp_histogram_fields[] = {
    MESSAGES("dataPoints", 1, exp_point), ENUM("aggregationTemporality", 2, temporalities), END};
static const MessageDef exp_histogram = {exp_histogram_fields};
static const FieldDef summary_fields[] = {MESSAGES("dataPoints", 1, summary_point), END};
static const MessageDef summary = {summary_fields};
static const FieldDef metric_fields[] = {FIELD("name", 1, F_STRING), FIELD("description", 2, F_STRING),
    FIELD("unit", 3, F_STRING), MESSAGE("gauge", 5, gauge), MESSAGE("sum", 7, sum), MESSAGE("histogram", 9, histogram),
    MESSAGE("exponentialHistogram", 10, exp_histogram), MESSAGE("summary", 11, summary), END};
static const MessageDef metric = {metric_fields};
static const FieldDef scope_metrics_fields[] = {
    MESSAGE("scope", 1, scope), MESSAGES("metrics", 2, metric), FIELD("schemaUrl", 3, F_STRING), END};
static const MessageDef scope_metrics = {scope_metrics_fields};
static const FieldDef resource_metrics_fields[] = {
    MESSAGE("resource", 1, resource), MESSAGES("scopeMetrics", 2, scope_metrics), FIELD("schemaUrl", 3, F_STRING), END};
static const MessageDef resource_metrics = {resource_metrics_fields};
static const FieldDef metrics_fields[] = {MESSAGES("resourceMetrics", 1, resource_metrics), END};

static const MessageDef requests[] = {{traces_fields}, {metrics_fields}, {logs_fields}};

typedef struct Transcoder {
    JsonReader json;
    Arena *arena;
    Buf *out;
    Buf scratch;
    Err *err;
    ErrCode code;
} Transcoder;

static bool fail(Transcoder *t, ErrCode code, const char *what, Str field) {
    if (t->code != OK) return false;
    int line, col;
    diag_locate(t->json.input, t->json.pos, &line, &col);
    t->code = err_set_at(t->err, code, line, col, "%s%s%" STR_FMT, what, field.n ? ": " : "", STR_ARG(field));
    return false;
}

static bool fail_json(Transcoder *t) {
    if (t->code == OK) {
        t->code = t->json.err.code;
        if (t->err) *t->err = t->json.err;
    }
    return false;
}

/* camelCase and snake_case name the same field. */
static bool same_name(Str camel, Str given) {
    size_t i = 0;
    for (size_t j = 0; j < given.n; j++) {
        char c = given.p[j];
        if (c == '_' && j + 1 < given.n) {
            c = given.p[++j];
            if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        }
        if (i >= camel.n || camel.p[i++] != c) return false;
    }
    return i == camel.n;
}

static const FieldDef *find_field(const MessageDef *m, Str name) {
    for (const FieldDef *f = m->fields; f->type != F_END; f++) {
        if (str_eq(f->name, name)) return f;
    }
    for (const FieldDef *f = m->fields; str_find_char(name, '_') != SIZE_MAX && f->type != F_END; f++) {
        if (same_name(f->name, name)) return f;
    }
    return NULL;
}

static bool put_message(Transcoder *t, const MessageDef *m);

static bool put_nested(Transcoder *t, const FieldDef *f) {
    if (t->json.token != JSON_OBJECT_BEGIN) return fail(t, ERR_INVALID, "expected an object", f->name);
    size_t mark = proto_begin(t->out, f->number);
    if (!put_message(t, f->message)) return false;
    proto_end(t->out, mark);
    return true;
}

static bool put_enum(Transcoder *t, const FieldDef *f) {
    int64_t v;
    if (json_token_i64(&t->json, &v)) {
        proto_put_varint(t->out, f->number, (uint64_t)v);
        return true;
    }
    for (size_t i = 0; f->enum_names && t->json.token == JSON_STRING && f->enum_names[i].n; i++) {
        if (!str_eq(f->enum_names[i], t->json.text)) continue;
        proto_put_varint(t->out, f->number, i);
        return true;
    }
    return fail(t, ERR_INVALID, "expected an enum's number", f->name);
}

static bool put_hex(Transcoder *t, const FieldDef *f) {
    uint8_t id[16];
    Str text = t->json.text;
    if (t->json.token != JSON_STRING || text.n > 32 || text.n % 2 != 0 || !num_parse_hex(text, id, text.n / 2)) {
        return fail(t, ERR_INVALID, "expected an id in hex", f->name);
    }
    proto_put_bytes(t->out, f->number, str_of((const char *)id, text.n / 2));
    return true;
}

static bool put_base64(Transcoder *t, const FieldDef *f) {
    buf_clear(&t->scratch);
    if (t->json.token != JSON_STRING || !num_parse_base64(t->json.text, &t->scratch))
        return fail(t, ERR_INVALID, "expected base64", f->name);
    proto_put_bytes(t->out, f->number, buf_str(&t->scratch));
    return true;
}

static bool put_integer(Transcoder *t, const FieldDef *f) {
    int64_t i = 0;
    uint64_t u = 0;
    bool is_unsigned = f->type == F_U64 || f->type == F_FIXED64 || f->type == F_U32 || f->type == F_FIXED32;
    bool ok = is_unsigned ? json_token_u64(&t->json, &u) : json_token_i64(&t->json, &i);
    if ((f->type == F_U32 || f->type == F_FIXED32) && u > UINT32_MAX) ok = false;
    if (f->type == F_S32 && (i < INT32_MIN || i > INT32_MAX)) ok = false;
    if (!ok) return fail(t, ERR_INVALID, "expected an integer", f->name);
    switch (f->type) {
    case F_FIXED64: proto_put_fixed64(t->out, f->number, u); return true;
    case F_SFIXED64: proto_put_fixed64(t->out, f->number, (uint64_t)i); return true;
    case F_FIXED32: proto_put_fixed32(t->out, f->number, (uint32_t)u); return true;
    case F_S32: proto_put_sint(t->out, f->number, i); return true;
    case F_I64: proto_put_varint(t->out, f->number, (uint64_t)i); return true;
    default: proto_put_varint(t->out, f->number, u); return true;
    }
}

static bool put_scalar(Transcoder *t, const FieldDef *f) {
    double d;
    switch (f->type) {
    case F_MESSAGE: return put_nested(t, f);
    case F_STRING:
        if (t->json.token != JSON_STRING) return fail(t, ERR_INVALID, "expected a string", f->name);
        proto_put_bytes(t->out, f->number, t->json.text);
        return true;
    case F_HEX: return put_hex(t, f);
    case F_BYTES: return put_base64(t, f);
    case F_BOOL:
        if (t->json.token != JSON_TRUE && t->json.token != JSON_FALSE)
            return fail(t, ERR_INVALID, "expected true or false", f->name);
        proto_put_varint(t->out, f->number, t->json.token == JSON_TRUE);
        return true;
    case F_ENUM: return put_enum(t, f);
    case F_DOUBLE:
        if (!json_token_f64(&t->json, &d)) return fail(t, ERR_INVALID, "expected a number", f->name);
        proto_put_f64(t->out, f->number, d);
        return true;
    default: return put_integer(t, f);
    }
}

static bool put_field(Transcoder *t, const FieldDef *f) {
    JsonToken token = json_next(&t->json);
    if (token == JSON_ERROR) return fail_json(t);
    if (token == JSON_NULL) return true; /* as if it were absent */
    if (!f->repeated) return put_scalar(t, f);
    if (token != JSON_ARRAY_BEGIN) return fail(t, ERR_INVALID, "expected an array", f->name);
    while ((token = json_next(&t->json)) != JSON_ARRAY_END) {
        if (token == JSON_ERROR) return fail_json(t);
        if (!put_scalar(t, f)) return false;
    }
    return true;
}

/* The opening brace has been read. Recursion follows the JSON's nesting, which the reader limits. */
static bool put_message(Transcoder *t, const MessageDef *m) {
    JsonToken token;
    while ((token = json_next(&t->json)) == JSON_KEY) {
        const FieldDef *f = find_field(m, t->json.text);
        if (f) {
            if (!put_field(t, f)) return false;
        } else {
            json_skip(&t->json);
        }
    }
    return token == JSON_OBJECT_END ? true : fail_json(t);
}

ErrCode otlp_json_to_proto(OtlpRequest kind, Str json, Arena *arena, Buf *out, Err *reterr) {
    Transcoder t = {.arena = arena, .out = out, .err = reterr};
    json_reader_init(&t.json, json, arena, OTLP_JSON_DEPTH);
    JsonToken token = json_next(&t.json);
    if (token == JSON_ERROR) {
        fail_json(&t);
    } else if (token != JSON_OBJECT_BEGIN) {
        fail(&t, ERR_INVALID, "expected an object", STR_NULL);
    } else if (put_message(&t, &requests[kind]) && json_next(&t.json) != JSON_END) {
        fail_json(&t);
    }
    buf_done(&t.scratch);
    return t.code;
}
