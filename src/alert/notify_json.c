/* notify_json.c - JSON as Go's encoding/json writes it, because receivers may depend on the bytes. */
#include "alert/notify_int.h"
#include "base/json.h"
#include "base/num.h"

#include <math.h>
#include <stdlib.h>

#define DEPTH_MAX 64

void gojson_str(JsonWriter *w, Str s) { json_str(w, s); }

void gojson_key_str(JsonWriter *w, Str key, Str s) {
    json_key(w, key);
    json_str(w, s);
}

void gojson_opt(JsonWriter *w, Str key, Str s) {
    if (s.n) gojson_key_str(w, key, s);
}

void gojson_finish(Buf *b) {
    Buf out = {0};
    for (size_t i = 0; i < b->n; i++) {
        char c = b->p[i];
        if (c == '<' || c == '>' || c == '&') {
            buf_printf(&out, "\\u%04x", (unsigned char)c);
        } else if (c == '\xE2' && i + 2 < b->n && b->p[i + 1] == '\x80' && (b->p[i + 2] == '\xA8' || b->p[i + 2] == '\xA9')) {
            buf_printf(&out, "\\u202%c", b->p[i + 2] == '\xA8' ? '8' : '9');
            i += 2;
        } else {
            buf_put_char(&out, c);
        }
    }
    buf_put_char(&out, '\n');
    buf_done(b);
    *b = out;
}

/* Fields of the template's data carry the webhook's names; those of other types their own. */
static void put_field_name(Buf *b, const GoType *type, Str name) {
    bool own = str_starts_with(str_cstr(type->name), STR("template.Pair"));
    buf_put_char(b, '"');
    if (str_eq_lit(name, "NotificationReason"))
        buf_put_lit(b, "notification_reason");
    else if (own)
        buf_put_str(b, name);
    else {
        buf_put_char(b, (char)(name.p[0] | 0x20));
        buf_put_str(b, str_skip(name, 1));
    }
    buf_put_lit(b, "\":");
}

static void put_struct(Buf *b, GoValue v, int depth) {
    if (v.type == go_time) {
        buf_put_char(b, '"');
        go_time_put_rfc3339(b, v.obj);
        buf_put_char(b, '"');
        return;
    }
    Arena *arena = arena_create(16u << 20);
    buf_put_char(b, '{');
    for (size_t i = 0; i < v.type->n_fields; i++) {
        if (i) buf_put_char(b, ',');
        put_field_name(b, v.type, v.type->fields[i].name);
        gojson_value(b, v.type->fields[i].get(v.obj, arena), depth + 1);
    }
    buf_put_char(b, '}');
    arena_free(arena);
}

void gojson_value(Buf *b, GoValue v, int depth) {
    if (!v.type || depth > DEPTH_MAX) {
        buf_put_lit(b, "null");
        return;
    }
    switch (v.type->kind) {
    case GO_BOOL: buf_put_str(b, v.b ? STR("true") : STR("false")); break;
    case GO_INT: num_put_i64(b, v.i); break;
    case GO_UINT: num_put_u64(b, v.u); break;
    case GO_FLOAT:
        if (isfinite(v.f))
            num_put_f64_json(b, v.f);
        else
            buf_put_lit(b, "null");
        break;
    case GO_STRING: json_put_string(b, v.s); break;
    case GO_LIST:
        buf_put_char(b, '[');
        for (size_t i = 0; i < go_len(v); i++) {
            if (i) buf_put_char(b, ',');
            gojson_value(b, v.list->v[i], depth + 1);
        }
        buf_put_char(b, ']');
        break;
    case GO_MAP:
        buf_put_char(b, '{');
        for (size_t i = 0; i < go_len(v); i++) {
            if (i) buf_put_char(b, ',');
            json_put_string(b, v.map->v[i].key);
            buf_put_char(b, ':');
            gojson_value(b, v.map->v[i].value, depth + 1);
        }
        buf_put_char(b, '}');
        break;
    case GO_STRUCT: put_struct(b, v, depth); break;
    case GO_FUNC:
    case GO_ANY: buf_put_lit(b, "null");
    }
}

/* --- YAML with templates as JSON --- */

static void put_yaml_scalar(JsonWriter *w, const YamlNode *n) {
    int64_t i;
    double f;
    bool b;
    if (yaml_is_null(n))
        json_null(w);
    else if (n->quoted)
        json_str(w, n->text);
    else if (num_parse_i64(n->text, &i))
        json_i64(w, i);
    else if (yaml_bool(n, &b))
        json_bool(w, b);
    else if (num_parse_f64(n->text, &f) && isfinite(f))
        json_f64(w, f);
    else
        json_str(w, n->text);
}

typedef struct Member {
    Str key;
    const YamlNode *node;
} Member;

static int compare_members(const void *a, const void *b) { return str_cmp(((const Member *)a)->key, ((const Member *)b)->key); }

/* Go sorts the keys of maps. */
static Member *sorted_members(Notify *n, const YamlNode *node) {
    Member *v = ARENA_ARRAY(n->arena, Member, node->n);
    size_t k = 0;
    for (const YamlNode *it = v ? node->first : NULL; it; it = it->next)
        v[k++] = (Member){notify_expand_text(n, it->key->text), it};
    if (v && k) qsort(v, k, sizeof *v, compare_members);
    return v;
}

static void put_plain_tree(Notify *n, JsonWriter *w, const YamlNode *node, int depth) {
    if (depth > DEPTH_MAX || yaml_is_null(node)) return json_null(w);
    if (node->kind == YAML_SCALAR) return put_yaml_scalar(w, node);
    bool list = node->kind == YAML_SEQUENCE;
    if (list)
        json_begin_array(w);
    else
        json_begin_object(w);
    Member *v = list ? NULL : ARENA_ARRAY(n->arena, Member, node->n);
    size_t k = 0;
    for (const YamlNode *it = node->first; it; it = it->next) {
        if (list)
            put_plain_tree(n, w, it, depth + 1);
        else if (v)
            v[k++] = (Member){it->key->text, it};
    }
    if (k) qsort(v, k, sizeof *v, compare_members);
    for (size_t i = 0; i < k; i++) {
        json_key(w, v[i].key);
        put_plain_tree(n, w, v[i].node, depth + 1);
    }
    if (list)
        json_end_array(w);
    else
        json_end_object(w);
}

/* What a text became may itself be data. */
static void put_rendered(Notify *n, JsonWriter *w, Str text) {
    DiagList diags;
    YamlNode *root = NULL;
    diag_init(&diags, STR("text"), text);
    bool parsed = text.n && yaml_parse(text, n->arena, &root, &diags) == OK && root;
    diag_done(&diags);
    bool data = parsed && (root->kind == YAML_MAPPING || root->kind == YAML_SEQUENCE ||
                              (root->kind == YAML_SCALAR && !root->quoted));
    JsonValue *json;
    if (data)
        put_plain_tree(n, w, root, 0);
    else if (parsed && root->quoted && json_parse(text, n->arena, &json, NULL) == OK)
        json_str(w, root->text); /* a JSON text */
    else if (parsed && yaml_is_null(root) && !root->quoted)
        json_null(w);
    else
        json_str(w, text);
}

bool notify_put_tree(Notify *n, JsonWriter *w, const YamlNode *node, bool inlined) {
    if (yaml_is_null(node)) {
        json_null(w);
        return true;
    }
    if (node->kind == YAML_SCALAR) {
        int64_t i;
        double f;
        bool b, plain = !node->quoted && (num_parse_i64(node->text, &i) || num_parse_f64(node->text, &f) || yaml_bool(node, &b));
        if (plain) {
            put_yaml_scalar(w, node);
            return true;
        }
        Str text = notify_expand_text(n, node->text);
        if (inlined && str_find(node->text, STR("{{")) != SIZE_MAX)
            put_rendered(n, w, text);
        else
            json_str(w, text);
        return true;
    }
    if (node->kind == YAML_SEQUENCE) {
        json_begin_array(w);
        for (const YamlNode *it = node->first; it; it = it->next) notify_put_tree(n, w, it, inlined);
        json_end_array(w);
        return true;
    }
    Member *v = sorted_members(n, node);
    json_begin_object(w);
    for (size_t i = 0; v && i < node->n; i++) {
        json_key(w, v[i].key);
        notify_put_tree(n, w, v[i].node, inlined);
    }
    json_end_object(w);
    return v != NULL;
}

bool notify_put_map(Notify *n, JsonWriter *w, const YamlNode *node) {
    Member *v = sorted_members(n, node);
    for (size_t i = 0; v && i < node->n; i++) gojson_key_str(w, v[i].key, notify_expand_text(n, v[i].node->text));
    return v != NULL;
}
