#include "base/json.h"
#include "base/num.h"
#include "collect/otlp_int.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

bool otlp_fail(OtlpReader *r, ErrCode code, const char *what) {
    if (r->code == OK) r->code = err_set(r->err, code, "%s", what);
    return false;
}

bool otlp_end(OtlpReader *r, const ProtoReader *p) {
    if (LIKELY(!p->error)) return true;
    if (r->code == OK) r->code = err_set(r->err, ERR_INVALID, "malformed protobuf: %s", p->error);
    return false;
}

bool otlp_full(OtlpReader *r) {
    return otlp_fail(r, ERR_TOO_LARGE, "the request needs more memory than one request may use");
}

/* Most texts are short and ASCII: a few overlapping words tell. */
static inline bool is_utf8(Str s) {
    uint64_t all = 0, word;
    if (s.n >= 8) {
        for (size_t i = 0; i + 8 < s.n; i += 8) {
            memcpy(&word, s.p + i, 8);
            all |= word;
        }
        memcpy(&word, s.p + s.n - 8, 8);
        all |= word;
    } else {
        for (size_t i = 0; i < s.n; i++) all |= (uint8_t)s.p[i];
    }
    return !(all & UINT64_C(0x8080808080808080)) || str_is_utf8(s);
}

Str otlp_text(OtlpReader *r, const ProtoField *f) {
    if (UNLIKELY(f->wire != PROTO_BYTES)) {
        r->problem = "a string field has another wire type";
        return STR_NULL;
    }
    if (UNLIKELY(!is_utf8(f->bytes))) r->problem = "a string is not valid UTF-8";
    return f->bytes;
}

void otlp_problem(OtlpReader *r, const char *fmt, ...) {
    if (r->problem) return;
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    Str kept = arena_copy(r->arena, str_of(text, strlen(text) + 1));
    r->problem = kept.p ? kept.p : "the request needs more memory than it may use";
}

bool otlp_rejected(OtlpReader *r, uint64_t records) {
    if (LIKELY(!r->problem)) return false;
    if (r->rejects->count == 0) snprintf(r->rejects->message, sizeof r->rejects->message, "%s", r->problem);
    r->rejects->count += records;
    r->problem = NULL;
    return true;
}

/* --- AnyValue --- */

static bool put_any_json(OtlpReader *r, Str message, unsigned depth);

static bool put_array_json(OtlpReader *r, Str message, unsigned depth) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    bool first = true;
    buf_put_char(&r->scratch, '[');
    while (proto_next(&p, &f)) {
        if (f.number != 1 || f.wire != PROTO_BYTES) continue;
        if (!first) buf_put_char(&r->scratch, ',');
        first = false;
        if (!put_any_json(r, f.bytes, depth + 1)) return false;
    }
    buf_put_char(&r->scratch, ']');
    return otlp_end(r, &p);
}

/* KeyValue{key = 1, value = 2}; either may be absent. */
static bool split_key_value(OtlpReader *r, Str message, Str *ret_key, Str *ret_value) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    *ret_key = *ret_value = STR_NULL;
    while (proto_next(&p, &f)) {
        if (f.number == 1) *ret_key = otlp_text(r, &f);
        if (f.number == 2) *ret_value = f.bytes;
    }
    return otlp_end(r, &p);
}

static bool put_map_json(OtlpReader *r, Str message, unsigned depth) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    bool first = true;
    buf_put_char(&r->scratch, '{');
    while (proto_next(&p, &f)) {
        Str key, value;
        if (f.number != 1 || f.wire != PROTO_BYTES) continue;
        if (!split_key_value(r, f.bytes, &key, &value)) return false;
        if (!first) buf_put_char(&r->scratch, ',');
        first = false;
        json_put_string(&r->scratch, key);
        buf_put_char(&r->scratch, ':');
        if (!put_any_json(r, value, depth + 1)) return false;
    }
    buf_put_char(&r->scratch, '}');
    return otlp_end(r, &p);
}

static void put_f64_json(Buf *out, double d) {
    if (isfinite(d)) {
        num_put_f64_json(out, d);
    } else {
        json_put_string(out, isnan(d) ? STR("NaN") : d > 0 ? STR("Infinity") : STR("-Infinity"));
    }
}

static bool put_any_json(OtlpReader *r, Str message, unsigned depth) {
    if (depth > PROTO_DEPTH_MAX) return otlp_fail(r, ERR_INVALID, "an attribute value is nested deeper than 32 levels");
    ProtoReader p = proto_reader(message);
    ProtoField f, last = {0};
    while (proto_next(&p, &f)) last = f; /* a oneof: the last one counts */
    if (!otlp_end(r, &p)) return false;
    switch (last.number) {
    case 1: json_put_string(&r->scratch, otlp_text(r, &last)); return true;
    case 2: buf_put_str(&r->scratch, last.u64 ? STR("true") : STR("false")); return true;
    case 3: num_put_i64(&r->scratch, proto_i64(&last)); return true;
    case 4: put_f64_json(&r->scratch, proto_f64(&last)); return true;
    case 5: return put_array_json(r, last.bytes, depth);
    case 6: return put_map_json(r, last.bytes, depth);
    case 7:
        buf_put_char(&r->scratch, '"');
        num_put_base64(&r->scratch, last.bytes.p, last.bytes.n);
        buf_put_char(&r->scratch, '"');
        return true;
    default: buf_put_lit(&r->scratch, "null"); return true;
    }
}

static bool nested_value(OtlpReader *r, const ProtoField *f, AttrValue *ret) {
    buf_clear(&r->scratch);
    ret->type = f->number == 5 ? ATTR_ARRAY : ATTR_MAP;
    if (f->number == 5 ? !put_array_json(r, f->bytes, 1) : !put_map_json(r, f->bytes, 1)) return false;
    ret->s = arena_copy(r->arena, buf_str(&r->scratch));
    return ret->s.p ? true : otlp_full(r);
}

bool otlp_any_value(OtlpReader *r, Str message, AttrValue *ret) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    *ret = (AttrValue){.type = ATTR_EMPTY};
    while (proto_next(&p, &f)) {
        switch (f.number) {
        case 1: *ret = (AttrValue){.type = ATTR_STR, .s = otlp_text(r, &f)}; break;
        case 2: *ret = (AttrValue){.type = ATTR_BOOL, .b = f.u64 != 0}; break;
        case 3: *ret = (AttrValue){.type = ATTR_I64, .i = proto_i64(&f)}; break;
        case 4: *ret = (AttrValue){.type = ATTR_F64, .d = proto_f64(&f)}; break;
        case 5:
        case 6:
            if (!nested_value(r, &f, ret)) return false;
            break;
        case 7: *ret = (AttrValue){.type = ATTR_BYTES, .s = f.bytes}; break;
        default: break;
        }
    }
    return otlp_end(r, &p);
}

/* Looks for the key among the record's attributes so far. Beyond a few dozen the specification's promise of
 * unique keys is taken on trust, which keeps a hostile record from costing quadratic time. */
static Attr *find_key(AttrPool *attrs, size_t first, Str key) {
    for (size_t i = first; i < attrs->n && i < first + 64; i++) {
        if (str_eq(attrs->v[i].key, key)) return &attrs->v[i];
    }
    return NULL;
}

/* AnyValue with one field. */
static bool simple_value(const uint8_t *p, size_t n, AttrValue *ret) {
    ProtoReader r = {p + 1, p + n, NULL};
    uint64_t u;
    switch (p[0]) {
    case 1 << 3 | PROTO_BYTES:
        if (p[1] != n - 2) return false;
        *ret = (AttrValue){.type = ATTR_STR, .s = {(const char *)p + 2, n - 2}};
        return is_utf8(ret->s);
    case 2 << 3 | PROTO_VARINT: *ret = (AttrValue){.type = ATTR_BOOL, .b = p[1] == 1}; return n == 2 && p[1] <= 1;
    case 3 << 3 | PROTO_VARINT:
        if (!proto_varint_(&r, &u) || r.p != p + n) return false;
        *ret = (AttrValue){.type = ATTR_I64, .i = (int64_t)u};
        return true;
    case 4 << 3 | PROTO_FIXED64:
        if (n != 9) return false;
        ret->type = ATTR_F64;
        memcpy(&ret->d, p + 1, 8);
        return true;
    default: return false;
    }
}

bool otlp_simple_key_value(Str message, Attr *ret) {
    const uint8_t *p = (const uint8_t *)message.p;
    if (message.n < 6 || p[0] != (1 << 3 | PROTO_BYTES) || p[1] >= 0x80) return false;
    size_t key_n = p[1];
    if (message.n < key_n + 6) return false;
    ret->key = str_of(message.p + 2, key_n);
    p += 2 + key_n;
    size_t value_n = message.n - key_n - 4;
    if (p[0] != (2 << 3 | PROTO_BYTES) || value_n >= 0x80 || p[1] != value_n) return false;
    return simple_value(p + 2, value_n, &ret->value);
}

bool otlp_key_value(OtlpReader *r, Str message, size_t first) {
    Attr a = {.value.type = ATTR_EMPTY};
    Str value;
    if (!otlp_simple_key_value(message, &a) || !is_utf8(a.key)) {
        if (!split_key_value(r, message, &a.key, &value)) return false;
        if (!otlp_any_value(r, value, &a.value)) return false;
    }
    Attr *old = r->repeats ? NULL : find_key(r->attrs, first, a.key);
    if (old) {
        *old = a;
        return true;
    }
    return avec_push(r->arena, r->attrs, a) ? true : otlp_full(r);
}

/* --- resource, scope, ids --- */

bool otlp_resource(OtlpReader *r, Str message, Resource *ret) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    size_t first = r->attrs->n;
    *ret = (Resource){0};
    while (proto_next(&p, &f)) {
        if (f.number == 1 && !otlp_key_value(r, f.bytes, first)) return false;
        if (f.number == 2) ret->dropped_attributes = (uint32_t)f.u64;
    }
    ret->attrs = (AttrRange){(uint32_t)first, (uint32_t)(r->attrs->n - first)};
    return otlp_end(r, &p);
}

bool otlp_scope(OtlpReader *r, Str message, Scope *ret) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    size_t first = r->attrs->n;
    *ret = (Scope){0};
    while (proto_next(&p, &f)) {
        if (f.number == 1) ret->name = otlp_text(r, &f);
        if (f.number == 2) ret->version = otlp_text(r, &f);
        if (f.number == 3 && !otlp_key_value(r, f.bytes, first)) return false;
        if (f.number == 4) ret->dropped_attributes = (uint32_t)f.u64;
    }
    ret->attrs = (AttrRange){(uint32_t)first, (uint32_t)(r->attrs->n - first)};
    return otlp_end(r, &p);
}

bool otlp_trace_id(Str bytes, TraceId *ret) {
    if (bytes.n != sizeof ret->b) return false;
    memcpy(ret->b, bytes.p, sizeof ret->b);
    return !trace_id_is_zero(*ret);
}

bool otlp_span_id(Str bytes, SpanId *ret) {
    if (bytes.n != sizeof ret->b) return false;
    memcpy(ret->b, bytes.p, sizeof ret->b);
    return !span_id_is_zero(*ret);
}

/* --- the common skeleton --- */

static bool is_message(OtlpReader *r, const ProtoField *f) {
    return f->wire == PROTO_BYTES
               ? true
               : otlp_fail(r, ERR_INVALID, "malformed protobuf: a message field has another wire type");
}

/* Stepping from record to record waits for memory at each. Records are alike in length: while one is stepped over, the
 * next one is asked for where it probably is, so that it has arrived when it is read. */
static inline void prefetch_next(const ProtoReader *p, size_t record_bytes) {
    size_t n = MIN(MIN(record_bytes + 64, (size_t)1024), (size_t)(p->end - p->p));
    for (size_t i = 0; i < n; i += 64) __builtin_prefetch(p->p + i);
}

static bool walk_scope(OtlpReader *r, Str message, const OtlpVisitor *v, const char *bad) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    Scope scope = {0};
    Str schema_url = STR_NULL;
    while (proto_next(&p, &f)) {
        if (f.number == 1 && (!is_message(r, &f) || !otlp_scope(r, f.bytes, &scope))) return false;
        if (f.number == 2) prefetch_next(&p, f.bytes.n);
        if (f.number == 3) schema_url = otlp_text(r, &f);
    }
    if (!otlp_end(r, &p)) return false;
    scope.schema_url = schema_url;
    if (r->problem) bad = r->problem;
    r->problem = NULL;
    if (!v->scope(v->ctx, &scope)) return false;
    p = proto_reader(message);
    while (proto_next(&p, &f)) {
        if (f.number != 2) continue;
        r->problem = bad;
        if (!is_message(r, &f) || !v->record(v->ctx, f.bytes)) return false;
    }
    r->problem = NULL;
    return true;
}

static bool walk_resource(OtlpReader *r, Str message, const OtlpVisitor *v) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    Resource resource = {0};
    Str schema_url = STR_NULL;
    while (proto_next(&p, &f)) {
        if (f.number == 1 && (!is_message(r, &f) || !otlp_resource(r, f.bytes, &resource))) return false;
        if (f.number == 3) schema_url = otlp_text(r, &f);
    }
    if (!otlp_end(r, &p)) return false;
    resource.schema_url = schema_url;
    const char *bad = r->problem;
    r->problem = NULL;
    if (!v->resource(v->ctx, &resource)) return false;
    p = proto_reader(message);
    while (proto_next(&p, &f)) {
        if (f.number == 2 && (!is_message(r, &f) || !walk_scope(r, f.bytes, v, bad))) return false;
    }
    return v->resource_end ? v->resource_end(v->ctx) : true;
}

bool otlp_walk(OtlpReader *r, Str request, const OtlpVisitor *v) {
    ProtoReader p = proto_reader(request);
    ProtoField f;
    while (proto_next(&p, &f)) {
        if (f.number == 1 && (!is_message(r, &f) || !walk_resource(r, f.bytes, v))) return false;
    }
    return otlp_end(r, &p);
}
