/* config_yaml.c - a node of the configuration as text again: to compare, and to show without its secrets. */
#include "metrics/config/prom_config_int.h"
#include "net/http.h"

#include <stdio.h>

typedef enum Hide { HIDE_NOTHING, HIDE_SECRETS, HIDE_ALL } Hide;

/* The value, or, of a list or mapping, every value in it. */
static bool is_secret(Str key) {
    static const char *const names[] = {"password", "credentials", "client_secret", "bearer_token", "token", "key",
        "secret_key", "secrets", "proxy_connect_header"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq(key, str_cstr(names[i]))) return true;
    }
    return false;
}

static bool is_plain(Str s) {
    if (s.n == 0 || s.p[0] == '-' || s.p[0] == '.') return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '/' ||
                  c == '.' || c == '-';
        if (!ok) return false;
    }
    return true;
}

static void put_text(Buf *out, Str s, bool quoted) {
    bool word = is_plain(s) && (!quoted || !(s.p[0] >= '0' && s.p[0] <= '9'));
    if (word) {
        buf_put_str(out, s);
        return;
    }
    buf_put_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '"' || c == '\\')
            buf_put_char(out, '\\'), buf_put_char(out, c);
        else if (c == '\n')
            buf_put_lit(out, "\\n");
        else if ((unsigned char)c < 0x20)
            buf_printf(out, "\\x%02x", (unsigned char)c);
        else
            buf_put_char(out, c);
    }
    buf_put_char(out, '"');
}

/* Passwords stand in URLs, too. */
static void put_scalar(Buf *out, const YamlNode *n, Hide hide) {
    Arena *arena = hide == HIDE_SECRETS ? arena_create(ARENA_UNLIMITED) : NULL;
    if (hide == HIDE_ALL && n->text.n)
        buf_put_lit(out, "<secret>");
    else
        put_text(out, arena ? http_url_redact(arena, n->text) : n->text, n->quoted);
    arena_free(arena);
}

static void put_indent(Buf *out, int depth) {
    for (int i = 0; i < depth; i++) buf_put_lit(out, "  ");
}

static void put(Buf *out, const YamlNode *n, Hide hide, bool (*skip)(Str key), int depth);

static void put_members(Buf *out, const YamlNode *n, Hide hide, bool (*skip)(Str key), int depth, bool inline_first) {
    bool first = inline_first;
    for (const YamlNode *it = n->first; it; it = it->next) {
        if (skip && skip(it->key->text)) continue;
        if (!first) put_indent(out, depth);
        first = false;
        put_text(out, it->key->text, it->key->quoted);
        buf_put_char(out, ':');
        put(out, it, hide && is_secret(it->key->text) ? HIDE_ALL : hide, NULL, depth + 1);
    }
    if (first && inline_first) buf_put_lit(out, "{}\n");
}

/* After "key:" or "-": the value with its line end. */
static void put(Buf *out, const YamlNode *n, Hide hide, bool (*skip)(Str key), int depth) {
    if (n->kind == YAML_NULL) {
        buf_put_lit(out, " null\n");
    } else if (n->kind == YAML_SCALAR) {
        buf_put_char(out, ' ');
        put_scalar(out, n, hide);
        buf_put_char(out, '\n');
    } else if (!n->first) {
        buf_put_str(out, n->kind == YAML_MAPPING ? STR(" {}\n") : STR(" []\n"));
    } else if (n->kind == YAML_MAPPING) {
        buf_put_char(out, '\n');
        put_members(out, n, hide, skip, depth, false);
    } else {
        buf_put_char(out, '\n');
        for (const YamlNode *it = n->first; it; it = it->next) {
            put_indent(out, depth - 1);
            buf_put_char(out, '-');
            if (it->kind == YAML_MAPPING && it->first) {
                buf_put_char(out, ' ');
                put_members(out, it, hide, skip, depth, true);
            } else {
                put(out, it, hide, skip, depth + 1);
            }
        }
    }
}

void config_put_node(Buf *out, const YamlNode *node, bool hide, bool (*skip)(Str key)) {
    Hide what = hide ? HIDE_SECRETS : HIDE_NOTHING;
    if (node->kind == YAML_MAPPING)
        put_members(out, node, what, skip, 0, false);
    else
        put(out, node, what, skip, 1);
}
