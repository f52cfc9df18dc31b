#include "base/num.h"
#include "base/timefmt.h"
#include "metrics/config/prom_config_int.h"

#include <stdarg.h>
#include <stdio.h>

void config_error(ConfigReader *r, int line, int col, int len, const char *hint, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag_add(r->diags, DIAG_ERROR, line, col, len, hint, "%s", text);
}

void config_exhausted(ConfigReader *r) { config_error(r, 0, 0, 1, NULL, "the configuration is too large"); }

bool config_expect(ConfigReader *r, const YamlNode *node, YamlKind kind, const char *what) {
    if (node->kind == kind) return true;
    config_error(r, node->line, node->col, node->len, NULL, "expected %s", what);
    return false;
}

static void wrong(ConfigReader *r, const YamlNode *node, const char *what) {
    config_error(r, node->line, node->col, node->len, NULL, "\"%" STR_FMT "\" is not %s", STR_ARG(node->text), what);
}

Str config_path(ConfigReader *r, Str path) {
    if (path.n == 0 || path.p[0] == '/' || r->base_dir.n == 0) return path;
    return arena_printf(r->arena, "%" STR_FMT "/%" STR_FMT, STR_ARG(r->base_dir), STR_ARG(path));
}

size_t config_strings(ConfigReader *r, const YamlNode *node, Str **ret) {
    *ret = NULL;
    if (!config_expect(r, node, YAML_SEQUENCE, "a list of strings")) return 0;
    Str *v = ARENA_ARRAY(r->arena, Str, node->n);
    if (!v) return config_exhausted(r), 0;
    size_t n = 0;
    for (const YamlNode *it = node->first; it; it = it->next) {
        if (config_expect(r, it, YAML_SCALAR, "a string")) v[n++] = it->text;
    }
    *ret = v;
    return n;
}

void config_labels(ConfigReader *r, const YamlNode *node, Labels *ret) {
    if (!config_expect(r, node, YAML_MAPPING, "a mapping of labels")) return;
    Label *v = ARENA_ARRAY(r->arena, Label, node->n);
    if (!v) return config_exhausted(r);
    size_t n = 0;
    for (const YamlNode *it = node->first; it; it = it->next) {
        if (it->kind != YAML_SCALAR && it->kind != YAML_NULL) {
            config_expect(r, it, YAML_SCALAR, "a label value");
            continue;
        }
        v[n++] = (Label){it->key->text, it->text};
    }
    Err err;
    if (labels_normalize(v, &n, &err) != OK) config_error(r, node->line, node->col, 1, NULL, "%s", err.msg);
    *ret = (Labels){v, n};
}

static void read_value(ConfigReader *r, const ConfigKey *key, const YamlNode *node, void *object) {
    char *field = (char *)object + key->offset;
    int64_t ms;
    bool flag;
    if (key->kind <= CONFIG_UINT && !config_expect(r, node, YAML_SCALAR, "a single value")) return;
    switch (key->kind) {
    case CONFIG_STR: memcpy(field, &node->text, sizeof(Str)); break;
    case CONFIG_PATH: {
        Str path = config_path(r, node->text);
        memcpy(field, &path, sizeof path);
        break;
    }
    case CONFIG_BOOL:
    case CONFIG_NOT_BOOL:
        if (!yaml_bool(node, &flag)) return wrong(r, node, "a boolean");
        *(bool *)(void *)field = key->kind == CONFIG_BOOL ? flag : !flag;
        break;
    case CONFIG_DURATION:
        if (!duration_parse_prom(node->text, &ms) || ms < 0) return wrong(r, node, "a duration like 15s or 1m30s");
        memcpy(field, &ms, sizeof ms);
        break;
    case CONFIG_SIZE:
        if (!num_parse_size(node->text, (uint64_t *)(void *)field)) wrong(r, node, "a size like 10MB");
        break;
    case CONFIG_UINT:
        if (!num_parse_u64(node->text, (uint64_t *)(void *)field)) wrong(r, node, "a whole number");
        break;
    case CONFIG_LABELS: config_labels(r, node, (Labels *)(void *)field); break;
    case CONFIG_CUSTOM: key->read(r, node, object); break;
    case CONFIG_UNSUPPORTED:
        diag_add(r->diags, DIAG_WARNING, node->key->line, node->key->col, node->key->len, NULL,
            "%" STR_FMT " is not supported and has no effect", STR_ARG(key->name));
        break;
    case CONFIG_SKIP: break;
    }
}

static void unknown_key(ConfigReader *r, const YamlNode *key, Str what, const ConfigKey *keys, size_t n) {
    Str names[128], near;
    ASSERT(n <= ARRAY_LEN(names));
    for (size_t i = 0; i < n; i++) names[i] = keys[i].name;
    near = diag_suggest(key->text, names, n);
    char hint[128];
    snprintf(hint, sizeof hint, "did you mean \"%" STR_FMT "\"?", STR_ARG(near));
    config_error(r, key->line, key->col, key->len, near.n ? hint : NULL, "unknown key \"%" STR_FMT "\" in %" STR_FMT,
        STR_ARG(key->text), STR_ARG(what));
}

bool config_mapping(ConfigReader *r, const YamlNode *node, Str what, const ConfigKey *keys, size_t n, void *object) {
    if (!config_expect(r, node, YAML_MAPPING, "a mapping")) return false;
    for (const YamlNode *it = node->first; it; it = it->next) {
        size_t k = 0;
        while (k < n && !str_eq(keys[k].name, it->key->text)) k++;
        if (k == n)
            unknown_key(r, it->key, what, keys, n);
        else if (!yaml_is_null(it) || keys[k].kind == CONFIG_UNSUPPORTED)
            read_value(r, &keys[k], it, object);
    }
    return true;
}
