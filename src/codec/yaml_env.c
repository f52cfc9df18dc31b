/* ${VAR} in the scalars of a configuration. */
#include "base/buf.h"
#include "codec/yaml.h"

#include <stdarg.h>
#include <stdio.h>

#define DEFAULT_DEPTH_MAX 8 /* ${A:-${B:-...}} */

typedef struct Expander {
    Arena *arena;
    const char *(*lookup)(void *ctx, Str name);
    void *ctx;
    DiagList *diags;
    const YamlNode *node; /* where problems are reported */
} Expander;

static bool is_name_char(char c, bool first) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    return letter || (!first && c >= '0' && c <= '9');
}

static size_t name_length(Str s) {
    size_t n = 0;
    while (n < s.n && is_name_char(s.p[n], n == 0)) n++;
    return n;
}

static void __attribute__((format(printf, 3, 4))) fail(Expander *x, const char *hint, const char *fmt, ...) {
    va_list args;
    char msg[256];
    va_start(args, fmt);
    vsnprintf(msg, sizeof msg, fmt, args);
    va_end(args);
    diag_add(x->diags, DIAG_ERROR, x->node->line, x->node->col, MAX(x->node->len, 1), hint, "%s", msg);
}

/* Length of what stands between "${" and its "}", braces of inner references counted; SIZE_MAX without an end. */
static size_t inner_length(Str s) {
    size_t depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '{' && i > 0 && s.p[i - 1] == '$') depth++;
        if (s.p[i] != '}') continue;
        if (depth == 0) return i;
        depth--;
    }
    return SIZE_MAX;
}

static void expand_text(Expander *x, Str s, unsigned depth, Buf *out);

/* "VAR", "VAR:-default", "env:VAR", "env:VAR:-default"; false when it is nothing of ours ("1" of a relabel rule). */
static bool expand_reference(Expander *x, Str inner, unsigned depth, Buf *out) {
    if (str_starts_with(inner, STR("env:"))) inner = str_skip(inner, 4);
    size_t n = name_length(inner);
    Str name = str_slice(inner, 0, n), rest = str_skip(inner, n);
    if (n == 0) return false;
    if (rest.n > 0 && rest.p[0] == ':' && !str_starts_with(rest, STR(":-"))) {
        fail(x, "only ${VAR}, ${VAR:-default} and ${env:VAR} are known", "cannot resolve ${%" STR_FMT "}",
            STR_ARG(inner));
        return true;
    }
    if (rest.n > 0 && rest.p[0] != ':') return false;
    const char *value = x->lookup(x->ctx, name);
    if (value)
        buf_put_str(out, str_cstr(value));
    else if (rest.n > 0)
        expand_text(x, str_skip(rest, 2), depth + 1, out);
    else
        fail(x, "set it, or give a default: ${VAR:-default}", "environment variable %" STR_FMT " is not set",
            STR_ARG(name));
    return true;
}

static void expand_text(Expander *x, Str s, unsigned depth, Buf *out) {
    for (size_t dollar; (dollar = str_find_char(s, '$')) != SIZE_MAX;) {
        buf_put_str(out, str_slice(s, 0, dollar));
        s = str_skip(s, dollar + 1);
        if (s.n > 0 && s.p[0] == '$') {
            buf_put_char(out, '$');
            s = str_skip(s, 1);
            continue;
        }
        size_t n = s.n > 0 && s.p[0] == '{' && depth < DEFAULT_DEPTH_MAX ? inner_length(str_skip(s, 1)) : SIZE_MAX;
        if (n != SIZE_MAX && expand_reference(x, str_slice(s, 1, 1 + n), depth, out))
            s = str_skip(s, n + 2);
        else
            buf_put_char(out, '$'); /* stands for itself */
    }
    if (s.n) buf_put_str(out, s);
}

static void expand_scalar(Expander *x, YamlNode *node) {
    if (str_find_char(node->text, '$') == SIZE_MAX) return;
    Buf out = {0};
    x->node = node;
    expand_text(x, node->text, 0, &out);
    Str text = arena_copy(x->arena, buf_str(&out));
    if (text.p)
        node->text = text;
    else
        fail(x, NULL, "the document does not fit in memory");
    buf_done(&out);
}

static void expand_node(Expander *x, YamlNode *node) {
    if (node->kind == YAML_SCALAR) expand_scalar(x, node);
    for (YamlNode *it = node->first; it; it = it->next) expand_node(x, it);
}

void yaml_expand_env(
    YamlNode *root, Arena *arena, const char *(*lookup)(void *ctx, Str name), void *ctx, DiagList *diags) {
    Expander x = {.arena = arena, .lookup = lookup, .ctx = ctx, .diags = diags};
    for (YamlNode *doc = root; doc; doc = doc->next) expand_node(&x, doc);
}
