/* otlp_logs.c - OTLP log records as Loki keeps them.
 *
 * Source of the mapping: Loki's documented OTLP defaults (index labels, structured metadata, names). */
#include "base/hash.h"
#include "base/json.h"
#include "base/num.h"
#include "collect/otlp_int.h"
#include "collect/otlp_names.h"

/* Resource attributes that become stream labels. */
static const Str index_attributes[] = {
    STR_INIT("service.name"),
    STR_INIT("service.namespace"),
    STR_INIT("service.instance.id"),
    STR_INIT("deployment.environment"),
    STR_INIT("deployment.environment.name"),
    STR_INIT("cloud.region"),
    STR_INIT("cloud.availability_zone"),
    STR_INIT("k8s.cluster.name"),
    STR_INIT("k8s.namespace.name"),
    STR_INIT("k8s.pod.name"),
    STR_INIT("k8s.container.name"),
    STR_INIT("container.name"),
    STR_INIT("k8s.replicaset.name"),
    STR_INIT("k8s.deployment.name"),
    STR_INIT("k8s.statefulset.name"),
    STR_INIT("k8s.daemonset.name"),
    STR_INIT("k8s.cronjob.name"),
    STR_INIT("k8s.job.name"),
};

/* The names of the record before: records of one sender have the same ones, in the same order. A name that comes
 * where it came last time is known to be valid, translated, and another than those before it. */
#define KNOWN_MAX 64
typedef struct KnownNames {
    Str key[KNOWN_MAX], name[KNOWN_MAX]; /* name: as metadata */
    size_t n;                            /* the first n attributes of the record at hand have these keys */
    uint32_t unlike[1 << 9];             /* per set of other fields: with so many attributes (+ 1) no name came twice */
} KnownNames;

typedef struct LogDecoder {
    OtlpReader r;
    AttrPool wire; /* attributes as they came: resource, scope, record */
    LogsBatch *batch;
    int64_t now_ns;
    Resource resource;
    Scope scope;
    uint32_t stream;
    size_t resource_first;
    AttrRange common; /* resource and scope attributes as metadata, in batch->attrs */
    KnownNames known;
} LogDecoder;

typedef struct LogRecord {
    int64_t t_ns, observed_ns;
    uint64_t severity_number;
    Str severity_text, event_name, trace_id, span_id;
    AttrValue body;
    uint32_t flags, dropped_attributes;
} LogRecord;

static bool push_metadata(LogDecoder *d, Str key, AttrValue value) {
    return avec_push(d->r.arena, &d->batch->attrs, (Attr){key, value}) ? true : otlp_full(&d->r);
}

static bool push_text(LogDecoder *d, Str key, Str text) {
    return push_metadata(d, key, (AttrValue){.type = ATTR_STR, .s = text});
}

static bool push_json_value(LogDecoder *d, Str key, const JsonValue *v, unsigned depth);

/* Depth is bounded: the text came from an AnyValue of at most PROTO_DEPTH_MAX levels. */
static void put_json(JsonWriter *w, const JsonValue *v) {
    switch (v->kind) {
    case JSON_K_NULL: json_null(w); return;
    case JSON_K_BOOL: json_bool(w, v->boolean); return;
    case JSON_K_NUMBER: json_raw(w, v->text); return;
    case JSON_K_STRING: json_str(w, v->text); return;
    case JSON_K_ARRAY:
        json_begin_array(w);
        for (const JsonValue *m = v->first; m; m = m->next) put_json(w, m);
        json_end_array(w);
        return;
    case JSON_K_OBJECT:
        json_begin_object(w);
        for (const JsonValue *m = v->first; m; m = m->next) {
            json_key(w, m->key);
            put_json(w, m);
        }
        json_end_object(w);
        return;
    }
    UNREACHABLE();
}

/* Maps are flattened: parent_child. */
static bool push_json_map(LogDecoder *d, Str key, const JsonValue *map, unsigned depth) {
    if (depth > PROTO_DEPTH_MAX)
        return otlp_fail(&d->r, ERR_INVALID, "an attribute value is nested deeper than 32 levels");
    for (const JsonValue *m = map->first; m; m = m->next) {
        Str name = arena_printf(d->r.arena, "%" STR_FMT "_%" STR_FMT, STR_ARG(key),
            STR_ARG(otlp_label_name(d->r.arena, &d->r.names.naming, m->key)));
        if (!name.p) return otlp_full(&d->r);
        if (!push_json_value(d, name, m, depth + 1)) return false;
    }
    return true;
}

static bool push_json_value(LogDecoder *d, Str key, const JsonValue *v, unsigned depth) {
    int64_t i;
    double f;
    switch (v->kind) {
    case JSON_K_OBJECT: return push_json_map(d, key, v, depth);
    case JSON_K_STRING: return push_text(d, key, v->text);
    case JSON_K_BOOL: return push_metadata(d, key, (AttrValue){.type = ATTR_BOOL, .b = v->boolean});
    case JSON_K_NUMBER:
        if (num_parse_i64(v->text, &i)) return push_metadata(d, key, (AttrValue){.type = ATTR_I64, .i = i});
        if (num_parse_f64(v->text, &f)) return push_metadata(d, key, (AttrValue){.type = ATTR_F64, .d = f});
        return true;
    case JSON_K_ARRAY: {
        Buf text = {0};
        JsonWriter w = json_writer(&text);
        put_json(&w, v);
        Str copy = arena_copy(d->r.arena, buf_str(&text));
        buf_done(&text);
        return copy.p ? push_metadata(d, key, (AttrValue){.type = ATTR_ARRAY, .s = copy}) : otlp_full(&d->r);
    }
    case JSON_K_NULL: return true;
    }
    UNREACHABLE();
}

static bool push_attr(LogDecoder *d, const Attr *a) {
    Str key = otlp_label_name_cached(&d->r.names, d->r.arena, a->key);
    if (!key.p) return otlp_full(&d->r);
    if (a->value.type == ATTR_EMPTY) return true;
    if (a->value.type != ATTR_MAP) return push_metadata(d, key, a->value);
    JsonValue *map;
    if (json_parse(a->value.s, d->r.arena, &map, NULL) != OK) return otlp_full(&d->r);
    return push_json_map(d, key, map, 1);
}

static bool is_index_attribute(Str key) {
    for (size_t i = 0; i < ARRAY_LEN(index_attributes); i++) {
        if (str_eq(index_attributes[i], key)) return true;
    }
    return false;
}

static bool add_index_label(LogDecoder *d, Label *labels, size_t *n, const Attr *a) {
    Buf text = {0};
    attr_put_text(&text, &a->value);
    labels[*n] =
        (Label){otlp_label_name(d->r.arena, &d->r.names.naming, a->key), arena_copy(d->r.arena, buf_str(&text))};
    buf_done(&text);
    if (!labels[*n].name.p || !labels[*n].value.p) return otlp_full(&d->r);
    (*n)++;
    return true;
}

/* The stream of a resource: its index attributes, or service_name="unknown_service" so that it can be selected. */
static bool make_stream(LogDecoder *d) {
    Label *labels = ARENA_ARRAY(d->r.arena, Label, ARRAY_LEN(index_attributes) + 1);
    if (!labels) return otlp_full(&d->r);
    size_t n = 0;
    const Attr *attrs = d->wire.v + d->resource.attrs.first;
    for (size_t i = 0; i < d->resource.attrs.n; i++) {
        if (is_index_attribute(attrs[i].key) && n < ARRAY_LEN(index_attributes) &&
            !add_index_label(d, labels, &n, &attrs[i]))
            return false;
    }
    if (labels_normalize(labels, &n, NULL) != OK)
        return otlp_fail(&d->r, ERR_INVALID, "resource attributes collide as labels");
    if (labels_get((Labels){labels, n}, STR("service_name")).n == 0) {
        labels[n++] = (Label){STR("service_name"), STR("unknown_service")};
        (void)labels_normalize(labels, &n, NULL); /* the name is new, so nothing collides */
    }
    d->stream = (uint32_t)d->batch->streams.n;
    return avec_push(d->r.arena, &d->batch->streams, (Labels){labels, n}) ? true : otlp_full(&d->r);
}

static bool on_resource(void *ctx, const Resource *resource) {
    LogDecoder *d = ctx;
    d->resource = *resource;
    return make_stream(d);
}

/* Names and values that every record of the scope shares are made once here; rows then only copy the slices. */
static bool on_scope(void *ctx, const Scope *scope) {
    LogDecoder *d = ctx;
    d->scope = *scope;
    size_t first = d->batch->attrs.n;
    for (size_t i = 0; i < d->resource.attrs.n; i++) {
        const Attr *a = &d->wire.v[d->resource.attrs.first + i];
        if (!is_index_attribute(a->key) && !push_attr(d, a)) return false;
    }
    if (scope->name.n && !push_text(d, STR("scope_name"), scope->name)) return false;
    if (scope->version.n && !push_text(d, STR("scope_version"), scope->version)) return false;
    if (scope->dropped_attributes && !push_metadata(d, STR("scope_dropped_attributes_count"),
                                         (AttrValue){.type = ATTR_I64, .i = scope->dropped_attributes}))
        return false;
    for (size_t i = 0; i < scope->attrs.n; i++) {
        if (!push_attr(d, &d->wire.v[scope->attrs.first + i])) return false;
    }
    d->common = (AttrRange){(uint32_t)first, (uint32_t)(d->batch->attrs.n - first)};
    memset(d->known.unlike, 0, sizeof d->known.unlike);
    return true;
}

static void learn_name(LogDecoder *d, size_t i, Str key) {
    KnownNames *k = &d->known;
    if (i > k->n) return;
    if (k->n > i) memset(k->unlike, 0, sizeof k->unlike);
    k->n = i;
    if (i == KNOWN_MAX || d->r.problem) return;
    k->key[i] = key;
    k->name[i] = STR_NULL;
    k->n = i + 1;
}

static bool record_attribute(LogDecoder *d, Str message, size_t first) {
    size_t i = d->wire.n - first;
    Attr a;
    if (LIKELY(i < d->known.n && otlp_simple_key_value(message, &a) && str_eq(a.key, d->known.key[i])))
        return avec_push(d->r.arena, &d->wire, a) ? true : otlp_full(&d->r);
    if (!otlp_key_value(&d->r, message, first)) return false;
    if (d->wire.n > first + i) learn_name(d, i, d->wire.v[first + i].key);
    return true;
}

static bool record_field(LogDecoder *d, const ProtoField *f, LogRecord *rec, size_t first) {
    switch (f->number) {
    case 1: rec->t_ns = proto_i64(f); return true;
    case 2: rec->severity_number = f->u64; return true;
    case 3: rec->severity_text = otlp_text(&d->r, f); return true;
    case 5: return otlp_any_value(&d->r, f->bytes, &rec->body);
    case 6: return record_attribute(d, f->bytes, first);
    case 7: rec->dropped_attributes = (uint32_t)f->u64; return true;
    case 8: rec->flags = (uint32_t)f->u64; return true;
    case 9: rec->trace_id = f->bytes; return true;
    case 10: rec->span_id = f->bytes; return true;
    case 11: rec->observed_ns = proto_i64(f); return true;
    case 12: rec->event_name = otlp_text(&d->r, f); return true;
    default: return true;
    }
}

static bool push_hex(LogDecoder *d, Str key, Str id, size_t want) {
    if (id.n != want) return true; /* absent, or not an id */
    char *hex = ARENA_ARRAY(d->r.arena, char, want * 2);
    if (!hex) return otlp_full(&d->r);
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < want; i++) {
        hex[i * 2] = digits[(uint8_t)id.p[i] >> 4];
        hex[i * 2 + 1] = digits[(uint8_t)id.p[i] & 15];
    }
    return push_text(d, key, str_of(hex, want * 2));
}

static bool push_number(LogDecoder *d, Str key, int64_t v) {
    return v == 0 ? true : push_metadata(d, key, (AttrValue){.type = ATTR_I64, .i = v});
}

/* Loki's detected_level from the severity number; UNSET gives none here (the log store may look at the line). */
static Str level_of(uint64_t severity) {
    static const Str levels[] = {
        STR_INIT("trace"), STR_INIT("debug"), STR_INIT("info"), STR_INIT("warn"), STR_INIT("error"), STR_INIT("fatal")};
    return severity >= 1 && severity <= 24 ? levels[(severity - 1) / 4] : STR_NULL;
}

static bool is_plain(const AttrValue *v) { return v->type != ATTR_MAP && v->type != ATTR_EMPTY; }

/* The record's attribute number i. */
static bool push_record_attr(LogDecoder *d, const Attr *a, size_t i) {
    if (i >= d->known.n || !is_plain(&a->value)) return push_attr(d, a);
    Str *name = &d->known.name[i];
    if (!name->p) *name = otlp_label_name_cached(&d->r.names, d->r.arena, a->key);
    return name->p ? push_metadata(d, *name, a->value) : otlp_full(&d->r);
}

static bool push_record_metadata(LogDecoder *d, const LogRecord *rec, size_t wire_first) {
    AttrPool *attrs = &d->batch->attrs;
    if (!avec_reserve(d->r.arena, attrs, d->common.n)) return otlp_full(&d->r);
    if (d->common.n > 0) memcpy(attrs->v + attrs->n, attrs->v + d->common.first, d->common.n * sizeof *attrs->v);
    attrs->n += d->common.n;
    for (size_t i = wire_first; i < d->wire.n; i++) {
        if (!push_record_attr(d, &d->wire.v[i], i - wire_first)) return false;
    }
    Str level = level_of(rec->severity_number);
    return push_number(d, STR("severity_number"), (int64_t)rec->severity_number) &&
           (rec->severity_text.n == 0 || push_text(d, STR("severity_text"), rec->severity_text)) &&
           (level.n == 0 || push_text(d, STR("detected_level"), level)) &&
           (rec->event_name.n == 0 || push_text(d, STR("event_name"), rec->event_name)) &&
           push_hex(d, STR("trace_id"), rec->trace_id, 16) && push_hex(d, STR("span_id"), rec->span_id, 8) &&
           push_number(d, STR("flags"), rec->flags) &&
           push_number(d, STR("dropped_attributes_count"), rec->dropped_attributes) &&
           (rec->t_ns == 0 || push_number(d, STR("observed_timestamp"), rec->observed_ns));
}

/* Whether a name comes twice. A filter of 1024 bits spares comparing each with each. */
static bool has_repeated_names(const AttrPool *attrs, size_t first) {
    uint64_t filter[16] = {0};
    for (size_t i = first; i < attrs->n; i++) {
        Str name = attrs->v[i].key;
        uint64_t bit = otlp_key_mix(name) >> 54;
        bool maybe = filter[bit >> 6] >> (bit & 63) & 1;
        filter[bit >> 6] |= UINT64_C(1) << (bit & 63);
        for (size_t j = i; maybe && j > first && j + 64 > i; j--) {
            if (str_eq(attrs->v[j - 1].key, name)) return true;
        }
    }
    return false;
}

/* Which names a record has besides its attributes': a number below 512. */
static size_t other_names(const LogRecord *rec) {
    return (size_t)(rec->severity_number != 0) | (size_t)(rec->severity_text.n > 0) << 1 |
           (size_t)(level_of(rec->severity_number).n > 0) << 2 | (size_t)(rec->event_name.n > 0) << 3 |
           (size_t)(rec->trace_id.n == 16) << 4 | (size_t)(rec->span_id.n == 8) << 5 | (size_t)(rec->flags != 0) << 6 |
           (size_t)(rec->dropped_attributes != 0) << 7 | (size_t)(rec->t_ns != 0 && rec->observed_ns != 0) << 8;
}

/* As has_repeated_names for a whole record, remembering the answer for the next one with the same names. */
static bool record_repeats_names(LogDecoder *d, const LogRecord *rec, size_t wire_first, size_t first) {
    size_t n = d->wire.n - wire_first;
    bool known = n <= d->known.n;
    for (size_t i = wire_first; known && i < d->wire.n; i++) known = is_plain(&d->wire.v[i].value);
    uint32_t *unlike = &d->known.unlike[other_names(rec)];
    if (LIKELY(known && *unlike > n)) return false;
    if (has_repeated_names(&d->batch->attrs, first)) return true;
    if (known) *unlike = (uint32_t)n + 1;
    return false;
}

/* Two attributes may become one name (a.b and a_b); the later one wins, as the maps of other implementations do. */
static void drop_repeated_names(AttrPool *attrs, size_t first) {
    size_t out = first;
    for (size_t i = first; i < attrs->n; i++) {
        bool later = false;
        for (size_t j = i + 1; j < attrs->n && j < i + 64; j++) later |= str_eq(attrs->v[j].key, attrs->v[i].key);
        if (!later) attrs->v[out++] = attrs->v[i];
    }
    attrs->n = out;
}

static bool body_text(LogDecoder *d, const AttrValue *body, Str *ret) {
    if (body->type == ATTR_STR || body->type == ATTR_ARRAY || body->type == ATTR_MAP) {
        *ret = body->s;
        return true;
    }
    buf_clear(&d->r.scratch);
    attr_put_text(&d->r.scratch, body);
    *ret = arena_copy(d->r.arena, buf_str(&d->r.scratch));
    return ret->p ? true : otlp_full(&d->r);
}

static bool on_record(void *ctx, Str message) {
    LogDecoder *d = ctx;
    size_t wire_first = d->wire.n, first = d->batch->attrs.n;
    LogRecord rec = {.body.type = ATTR_EMPTY};
    ProtoReader p = proto_reader(message);
    ProtoField f;
    while (proto_next(&p, &f)) {
        if (!record_field(d, &f, &rec, wire_first)) return false;
    }
    if (!otlp_end(&d->r, &p)) return false;
    LogRow row = {.stream = d->stream, .t_ns = rec.t_ns ? rec.t_ns : rec.observed_ns ? rec.observed_ns : d->now_ns};
    if (row.t_ns < 0) d->r.problem = "a log record's time is beyond the year 2262";
    if (!body_text(d, &rec.body, &row.line) || !push_record_metadata(d, &rec, wire_first)) return false;
    bool rejected = otlp_rejected(&d->r, 1);
    if (rejected)
        d->batch->attrs.n = first;
    else if (record_repeats_names(d, &rec, wire_first, first))
        drop_repeated_names(&d->batch->attrs, first);
    d->wire.n = wire_first;
    if (rejected) return true;
    row.metadata = (AttrRange){(uint32_t)first, (uint32_t)(d->batch->attrs.n - first)};
    d->r.rejects->accepted++;
    return avec_push(d->r.arena, &d->batch->rows, row) ? true : otlp_full(&d->r);
}

ErrCode otlp_decode_logs(Str proto, int64_t now_ns, LogsBatch *batch, OtlpRejects *rejects, Err *reterr) {
    ASSERT(batch->arena && batch->rows.n == 0);
    LogDecoder d = {.r = {.arena = batch->arena, .rejects = rejects, .err = reterr}, .batch = batch, .now_ns = now_ns};
    d.r.attrs = &d.wire;
    OtlpVisitor v = {.resource = on_resource, .scope = on_scope, .record = on_record, .ctx = &d};
    (void)otlp_walk(&d.r, proto, &v);
    buf_done(&d.r.scratch);
    return d.r.code;
}
