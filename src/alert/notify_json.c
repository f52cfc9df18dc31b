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
        } else if (c == '\xE2' && i + 2 < b->n && b->p[i + 1] == '\x80' &&
                   (b->p[i + 2] == '\xA8' || b->p[i + 2] == '\xA9')) {
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

/* Integers as Go's yaml takes them: underscores between digits, 0x, 0o, 0b, and 0 for octal. */
static bool parse_yaml_int(Str s, bool *ret_negative, uint64_t *ret) {
    unsigned base = 10;
    *ret = 0;
    *ret_negative = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) s = str_skip(s, 1);
    if (!s.n || s.p[0] < '0' || s.p[0] > '9') return false;
    if (s.n > 1 && s.p[0] == '0') {
        char c = (char)(s.p[1] | 0x20);
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        s = str_skip(s, c == 'x' || c == 'b' || c == 'o' ? 2 : 1);
    }
    if (!s.n) return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = (char)(s.p[i] | 0x20);
        unsigned digit = s.p[i] <= '9'          ? (unsigned)(s.p[i] - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                                : 99;
        if (s.p[i] == '_') continue;
        if (digit >= base || __builtin_mul_overflow(*ret, base, ret) || __builtin_add_overflow(*ret, digit, ret))
            return false;
    }
    return !*ret_negative || *ret <= (uint64_t)INT64_MAX + 1;
}

static bool parse_yaml_float(Str s, double *ret) {
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("0123456789+-.eE", s.p[i])) return false;
    return num_parse_f64(s, ret) && isfinite(*ret);
}

/* Numbers, booleans and null of a plain scalar as YAML 1.1 has them. w: NULL: only says whether it is one. */
static bool put_yaml_value(JsonWriter *w, const YamlNode *n) {
    uint64_t u;
    double f;
    bool b;
    if (n->quoted) return false;
    if (yaml_is_null(n)) {
        if (w) json_null(w);
    } else if (parse_yaml_int(n->text, &b, &u)) {
        if (w && b) json_i64(w, (int64_t)(0 - u));
        if (w && !b) json_u64(w, u);
    } else if (yaml_bool(n, &b)) {
        if (w) json_bool(w, b);
    } else if (parse_yaml_float(n->text, &f)) {
        if (w) json_f64(w, f);
    } else {
        return false;
    }
    return true;
}

typedef struct Member {
    Str key;
    const YamlNode *node;
} Member;

static int compare_members(const void *a, const void *b) {
    return str_cmp(((const Member *)a)->key, ((const Member *)b)->key);
}

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
    if (node->kind == YAML_SCALAR) {
        if (!put_yaml_value(w, node)) json_str(w, node->text);
        return;
    }
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

/* What a text became may itself be data; of nothing becomes null, and what is YAML of a text stays as it is. */
void notify_put_rendered(Notify *n, JsonWriter *w, Str text) {
    DiagList diags;
    YamlNode *root = NULL;
    diag_init(&diags, STR("text"), text);
    bool parsed = yaml_parse(text, n->arena, &root, &diags) == OK;
    diag_done(&diags);
    if (!str_trim(text).n || (parsed && !root))
        json_null(w);
    else if (!parsed)
        json_str(w, text);
    else if (root->kind != YAML_SCALAR)
        put_plain_tree(n, w, root, 0);
    else if (!put_yaml_value(w, root))
        json_str(w, text);
}

bool notify_put_tree(Notify *n, JsonWriter *w, const YamlNode *node) {
    if (yaml_is_null(node)) {
        json_null(w);
        return true;
    }
    if (node->kind == YAML_SCALAR) {
        if (!put_yaml_value(w, node)) notify_put_rendered(n, w, notify_expand_text(n, node->text));
        return true;
    }
    if (node->kind == YAML_SEQUENCE) {
        json_begin_array(w);
        for (const YamlNode *it = node->first; it; it = it->next) notify_put_tree(n, w, it);
        json_end_array(w);
        return true;
    }
    Member *v = sorted_members(n, node);
    json_begin_object(w);
    for (size_t i = 0; v && i < node->n; i++) {
        json_key(w, v[i].key);
        notify_put_tree(n, w, v[i].node);
    }
    json_end_object(w);
    return v != NULL;
}

bool notify_put_map(Notify *n, JsonWriter *w, const YamlNode *node) {
    Member *v = sorted_members(n, node);
    for (size_t i = 0; v && i < node->n; i++) gojson_key_str(w, v[i].key, notify_expand_text(n, v[i].node->text));
    return v != NULL;
}

void notify_put_objects(Notify *n, JsonWriter *w, const Settings *s, const char *key,
    void (*put)(Notify *n, JsonWriter *w, const Settings *one)) {
    const Setting *list = settings_get(s, key);
    if (!list->n_subs) return;
    json_key(w, str_cstr(key));
    json_begin_array(w);
    for (size_t i = 0; i < list->n_subs; i++) {
        json_begin_object(w);
        put(n, w, &list->subs[i]);
        json_end_object(w);
    }
    json_end_array(w);
}

void notify_put_short(Notify *n, JsonWriter *w, const Settings *field) {
    const Setting *own = settings_get(field, "short");
    json_key_lit(w, "short");
    json_bool(w, own->set ? own->i != 0 : settings_bool(n->s, "short_fields"));
}
