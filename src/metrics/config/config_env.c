/* config_env.c - environment variables in the configuration. */
#include "metrics/config/prom_config_int.h"

#include <stdlib.h>

static const char *lookup_env(void *ctx, Str name) {
    (void)ctx;
    char *copy = str_dup_cstr(name);
    const char *value = getenv(copy);
    mem_free(copy);
    return value;
}

static bool is_name_char(char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static bool names_variable(Str s) {
    size_t at = str_find(s, STR("${"));
    return at != SIZE_MAX && at + 2 < s.n && is_name_char(s.p[at + 2], true);
}

/* $VAR and ${VAR} as Go's os.Expand reads them; ${VAR:-default} too; an unset variable is empty, with a warning. */
static void expand_label(YamlNode *n, Arena *arena, DiagList *diags) {
    if (n->kind != YAML_SCALAR || str_find_char(n->text, '$') == SIZE_MAX) return;
    Buf b = {0};
    for (size_t i = 0; i < n->text.n;) {
        if (n->text.p[i] != '$') {
            buf_put_char(&b, n->text.p[i++]);
            continue;
        }
        bool braces = ++i < n->text.n && n->text.p[i] == '{';
        size_t from = i + braces, to = from;
        while (to < n->text.n && (braces ? n->text.p[to] != '}' : is_name_char(n->text.p[to], to == from))) to++;
        Str name = str_slice(n->text, MIN(from, n->text.n), to), otherwise = STR_NULL;
        i = MIN(to + braces, n->text.n);
        if (!braces && name.n == 0) { /* "$$" is a dollar sign */
            buf_put_char(&b, '$');
            if (i < n->text.n && n->text.p[i] == '$') i++;
            continue;
        }
        size_t dash = str_find(name, STR(":-"));
        if (dash != SIZE_MAX) otherwise = str_skip(name, dash + 2), name = str_slice(name, 0, dash);
        const char *value = lookup_env(NULL, name);
        if (!value && dash == SIZE_MAX)
            diag_add(diags, DIAG_WARNING, n->line, n->col, MAX(n->len, 1), NULL,
                "the environment variable %" STR_FMT " is not set: empty here", STR_ARG(name));
        buf_put_str(&b, value ? str_cstr(value) : otherwise);
    }
    n->text = arena_copy(arena, buf_str(&b));
    buf_done(&b);
}

/* Only scalars that name a variable are touched: passwords with $ in them stay what they are. */
static void expand(YamlNode *n, Arena *arena, DiagList *diags) {
    if (n->kind == YAML_SCALAR) {
        if (!names_variable(n->text)) return;
        YamlNode *next = n->next;
        n->next = NULL; /* this one only */
        yaml_expand_env(n, arena, lookup_env, NULL, diags);
        n->next = next;
        return;
    }
    for (YamlNode *it = n->first; it; it = it->next) {
        if (it->key && str_ends_with(it->key->text, STR("relabel_configs"))) continue;
        expand(it, arena, diags);
    }
}

void config_expand_env(YamlNode *root, Arena *arena, DiagList *diags) {
    const YamlNode *global = root->kind == YAML_MAPPING ? yaml_get(root, STR("global")) : NULL;
    const YamlNode *external = global && global->kind == YAML_MAPPING ? yaml_get(global, STR("external_labels")) : NULL;
    for (YamlNode *it = external && external->kind == YAML_MAPPING ? external->first : NULL; it; it = it->next)
        expand_label(it, arena, diags);
    for (YamlNode *it = root->first; it; it = it->next) {
        if (it != global) {
            if (!it->key || !str_ends_with(it->key->text, STR("relabel_configs"))) expand(it, arena, diags);
            continue;
        }
        for (YamlNode *m = it->first; m; m = m->next) {
            if (m != external) expand(m, arena, diags);
        }
    }
}
