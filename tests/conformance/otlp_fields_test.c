/* otlp_fields_test.c - every field of OTLP's .proto files, written as JSON, becomes protobuf with the number, the wire
 * type and the value that the .proto file says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/num.h"
#include "base/vec.h"
#include "codec/proto.h"
#include "collect/otlp_json.h"
#include "sys/fs.h"

#include <stdio.h>
#include <stdlib.h>

#define FIELDS_MAX 32
#define DEPTH_MAX 24

typedef struct ProtoFieldDef {
    Str name, type;
    uint32_t number;
    bool repeated;
} ProtoFieldDef;
typedef struct MessageDef {
    Str name;
    bool is_enum; /* then fields are its names */
    ProtoFieldDef fields[FIELDS_MAX];
    size_t n;
} MessageDef;

typedef struct Schema {
    Arena *arena;
    VEC(MessageDef *) messages;
} Schema;

static const char *data_dir;

/* --- reading .proto files: as much of the language as OTLP uses --- */

typedef struct Source {
    Str rest;
} Source;

static bool is_word_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/* Next token: a word (with dots), a number, or one character; empty at the end. */
static Str next_word(Source *s) {
    for (;;) {
        s->rest = str_trim(s->rest);
        if (!str_starts_with(s->rest, STR("//"))) break;
        size_t line = str_find_char(s->rest, '\n');
        s->rest = line == SIZE_MAX ? STR_NULL : str_skip(s->rest, line);
    }
    size_t n = 0;
    while (n < s->rest.n && is_word_char(s->rest.p[n])) n++;
    if (n == 0 && s->rest.n > 0) n = 1;
    Str word = str_slice(s->rest, 0, n);
    s->rest = str_skip(s->rest, n);
    return word;
}

static void skip_past(Source *s, char end) {
    Str w;
    do w = next_word(s);
    while (w.n > 0 && w.p[0] != end);
}

static Str last_part(Str dotted) {
    size_t dot = str_rfind_char(dotted, '.');
    return dot == SIZE_MAX ? dotted : str_skip(dotted, dot + 1);
}

static void read_body(Schema *schema, Source *s, MessageDef *m);

static MessageDef *read_definition(Schema *schema, Source *s, bool is_enum) {
    MessageDef *m = ARENA_NEW(schema->arena, MessageDef);
    m->name = next_word(s);
    m->is_enum = is_enum;
    vec_push(&schema->messages, m);
    skip_past(s, '{');
    read_body(schema, s, m);
    return m;
}

static void add_field(MessageDef *m, Str type, Str name, bool repeated, Source *s) {
    uint64_t number;
    assert_true(m->n < FIELDS_MAX);
    assert_true(str_eq_lit(next_word(s), "="));
    Str text = next_word(s);
    if (!num_parse_u64(text, &number)) number = strtoul(text.p, NULL, 16); /* 0x...: masks; text goes on behind it */
    m->fields[m->n++] = (ProtoFieldDef){name, last_part(type), (uint32_t)number, repeated};
    skip_past(s, ';');
}

/* Up to the closing brace. */
static void read_body(Schema *schema, Source *s, MessageDef *m) {
    for (Str w = next_word(s); w.n > 0 && w.p[0] != '}'; w = next_word(s)) {
        if (str_eq_lit(w, "message") || str_eq_lit(w, "enum")) {
            (void)read_definition(schema, s, w.p[0] == 'e');
        } else if (str_eq_lit(w, "oneof")) {
            skip_past(s, '{');
            read_body(schema, s, m);
        } else if (str_eq_lit(w, "reserved") || str_eq_lit(w, "option")) {
            skip_past(s, ';');
        } else if (w.p[0] == ';') {
            continue;
        } else if (m->is_enum) {
            add_field(m, STR_NULL, w, false, s);
        } else {
            bool repeated = str_eq_lit(w, "repeated");
            Str type = repeated || str_eq_lit(w, "optional") ? next_word(s) : w;
            add_field(m, type, next_word(s), repeated, s);
        }
    }
}

static void read_file(Schema *schema, const char *name) {
    char path[FS_PATH_MAX];
    Buf text = {0};
    Err err = {0};
    fs_path_join(path, data_dir, name);
    if (fs_read_file(fs_real(), path, 1u << 20, &text, &err)) fail_msg("%s", err.msg);
    Source s = {arena_copy(schema->arena, buf_str(&text))};
    buf_done(&text);
    for (Str w = next_word(&s); w.n > 0; w = next_word(&s)) {
        if (str_eq_lit(w, "message") || str_eq_lit(w, "enum"))
            (void)read_definition(schema, &s, w.p[0] == 'e');
        else if (str_eq_lit(w, "service"))
            skip_past(&s, '}');
        else if (w.p[0] != '}') /* the end of a service */
            skip_past(&s, ';');
    }
}

static const MessageDef *find_message(const Schema *schema, Str name) {
    for (size_t i = 0; i < schema->messages.n; i++) {
        if (str_eq(schema->messages.v[i]->name, name)) return schema->messages.v[i];
    }
    return NULL;
}

/* --- one field: there and back --- */

typedef struct Walk {
    const Schema *schema;
    OtlpRequest kind;
    const MessageDef *on_path[DEPTH_MAX];
    const ProtoFieldDef *path[DEPTH_MAX];
    size_t depth;
    size_t checked;
    Buf left_out; /* paths that were ignored, each with a space behind it */
} Walk;

static void put_camel(Buf *out, Str snake) {
    for (size_t i = 0; i < snake.n; i++) {
        bool up = snake.p[i] == '_' && i + 1 < snake.n;
        if (up) i++;
        buf_put_char(out, up && snake.p[i] >= 'a' && snake.p[i] <= 'z' ? (char)(snake.p[i] - 32) : snake.p[i]);
    }
}

/* A value in JSON for the type, the wire type it must get, and its bits or bytes. */
typedef struct Sample {
    const char *type, *json;
    ProtoWire wire;
    uint64_t bits;
    Str bytes;
} Sample;

static const Sample samples[] = {
    {"string", "\"x\"", PROTO_BYTES, 0, STR_INIT("x")},
    {"bytes", "\"AQL/\"", PROTO_BYTES, 0, STR_INIT("\x01\x02\xff")},
    {"bool", "true", PROTO_VARINT, 1, STR_INIT("")},
    {"int32", "3", PROTO_VARINT, 3, STR_INIT("")},
    {"uint32", "4000000000", PROTO_VARINT, 4000000000, STR_INIT("")},
    {"sint32", "-3", PROTO_VARINT, 5, STR_INIT("")},
    {"int64", "\"-1\"", PROTO_VARINT, UINT64_MAX, STR_INIT("")},
    {"uint64", "\"18446744073709551615\"", PROTO_VARINT, UINT64_MAX, STR_INIT("")},
    {"fixed32", "257", PROTO_FIXED32, 257, STR_INIT("")},
    {"fixed64", "\"1544712660300000001\"", PROTO_FIXED64, 1544712660300000001, STR_INIT("")},
    {"sfixed64", "\"-2\"", PROTO_FIXED64, UINT64_MAX - 1, STR_INIT("")},
    {"double", "0.5", PROTO_FIXED64, UINT64_C(0x3fe0000000000000), STR_INIT("")},
};
static const Sample id_sample = {"id", "\"0a0B\"", PROTO_BYTES, 0, STR_INIT("\x0a\x0b")};

static const Sample *sample_of(const ProtoFieldDef *f) {
    if (str_eq_lit(f->type, "bytes") && str_ends_with(f->name, STR("_id"))) return &id_sample;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        if (str_eq(str_cstr(samples[i].type), f->type)) return &samples[i];
    }
    fail_msg("no sample of type %" STR_FMT, STR_ARG(f->type));
    return NULL;
}

static void put_document(Buf *out, const Walk *w, const char *leaf) {
    for (size_t i = 0; i < w->depth; i++) {
        buf_put_lit(out, "{\"");
        put_camel(out, w->path[i]->name);
        buf_put_lit(out, "\":");
        if (w->path[i]->repeated) buf_put_char(out, '[');
    }
    buf_put_str(out, str_cstr(leaf));
    for (size_t i = w->depth; i-- > 0;) {
        if (w->path[i]->repeated) buf_put_char(out, ']');
        buf_put_char(out, '}');
    }
}

/* Follows the path's numbers; false: the field is not there. */
static bool follow(const Walk *w, Str proto, ProtoField *ret) {
    for (size_t i = 0; i < w->depth; i++) {
        ProtoReader r = proto_reader(proto);
        if (!proto_next(&r, ret)) return false;
        if (ret->number != w->path[i]->number) fail_msg("number %u at depth %zu", ret->number, i);
        assert_true(r.p == r.end);
        proto = ret->bytes;
    }
    return true;
}

static bool same_value(const ProtoFieldDef *def, const Sample *s, const ProtoField *f) {
    ProtoField v = *f;
    if (def->repeated && s->wire != PROTO_BYTES && f->wire == PROTO_BYTES) { /* packed */
        ProtoReader r = proto_reader(f->bytes);
        bool ok = s->wire == PROTO_VARINT ? proto_packed_varint(&r, &v.u64) : proto_packed_fixed64(&r, &v.u64);
        return ok && r.p == r.end && v.u64 == s->bits;
    }
    return v.wire == s->wire && (s->wire == PROTO_BYTES ? str_eq(v.bytes, s->bytes) : v.u64 == s->bits);
}

static void check_leaf(Walk *w, const Sample *s) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Buf json = {0}, proto = {0};
    Err err = {0};
    ProtoField f;
    put_document(&json, w, s->json);
    if (otlp_json_to_proto(w->kind, buf_str(&json), arena, &proto, &err)) fail_msg("%s: %s", err.msg, buf_cstr(&json));
    if (!follow(w, buf_str(&proto), &f)) {
        for (size_t i = 0; i < w->depth; i++)
            buf_printf(&w->left_out, "%s%" STR_FMT, i ? "." : "", STR_ARG(w->path[i]->name));
        buf_put_char(&w->left_out, ' ');
    } else {
        if (!same_value(w->path[w->depth - 1], s, &f)) fail_msg("another value or wire type: %s", buf_cstr(&json));
        w->checked++;
    }
    buf_done(&json);
    buf_done(&proto);
    arena_free(arena);
}

static void check_enum(Walk *w, const MessageDef *names) {
    for (size_t i = 0; i < names->n; i++) {
        char json[128];
        uint32_t number = names->fields[i].number;
        Sample s = {"enum", json, PROTO_VARINT, number, STR_NULL};
        (void)snprintf(json, sizeof json, "%u", number);
        check_leaf(w, &s);
    }
}

static bool is_on_path(const Walk *w, const MessageDef *m) {
    for (size_t i = 0; i < w->depth; i++) {
        if (w->on_path[i] == m) return true;
    }
    return false;
}

static void walk_message(Walk *w, const MessageDef *m) {
    for (size_t i = 0; i < m->n; i++) {
        const ProtoFieldDef *f = &m->fields[i];
        const MessageDef *type = find_message(w->schema, f->type);
        assert_true(w->depth < DEPTH_MAX);
        w->on_path[w->depth] = m;
        w->path[w->depth++] = f;
        if (!type)
            check_leaf(w, sample_of(f));
        else if (type->is_enum)
            check_enum(w, type);
        else if (!is_on_path(w, type))
            walk_message(w, type);
        w->depth--;
    }
}

/* Each of these has a reason: strindex fields belong to profiles, entity references are in development, and a metric's
 * metadata is for those who translate it back; no store keeps them. */
static const char *const may_be_left_out[] = {
    ".string_value_strindex", ".key_strindex", ".entity_refs.", ".metrics.metadata."};

static void check_left_out(Str names) {
    Str name;
    while (str_split_next(&names, ' ', &name)) {
        bool known = name.n == 0;
        for (size_t i = 0; i < ARRAY_LEN(may_be_left_out); i++)
            known |= str_contains(name, str_cstr(may_be_left_out[i]));
        if (!known) fail_msg("ignored: %" STR_FMT, STR_ARG(name));
    }
}

static void test_fields(void **state) {
    (void)state;
    static const char *const files[] = {"common/v1/common.proto", "resource/v1/resource.proto", "trace/v1/trace.proto",
        "metrics/v1/metrics.proto", "logs/v1/logs.proto", "collector/trace/v1/trace_service.proto",
        "collector/metrics/v1/metrics_service.proto", "collector/logs/v1/logs_service.proto"};
    static const char *const roots[] = {
        "ExportTraceServiceRequest", "ExportMetricsServiceRequest", "ExportLogsServiceRequest"};
    if (!data_dir || !fs_real()->ops->exists(fs_real(), data_dir)) {
        printf("conformance: OTLP fields: no data in %s, nothing was checked\n", data_dir ? data_dir : "(none)");
        return;
    }
    Schema schema = {.arena = arena_create(ARENA_UNLIMITED)};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "opentelemetry/proto/%s", files[i]);
        read_file(&schema, name);
    }
    size_t checked = 0;
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        Walk w = {.schema = &schema, .kind = (OtlpRequest)i};
        const MessageDef *root = find_message(&schema, str_cstr(roots[i]));
        assert_non_null(root);
        walk_message(&w, root);
        check_left_out(buf_str(&w.left_out));
        assert_true(w.checked > 50);
        checked += w.checked;
        buf_done(&w.left_out);
    }
    printf("conformance: OTLP fields: %zu places of %zu messages and enums go through JSON unchanged\n", checked,
        schema.messages.n);
    vec_done(&schema.messages);
    arena_free(schema.arena);
}

int main(int argc, char **argv) {
    data_dir = argc > 1 ? argv[1] : NULL;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
