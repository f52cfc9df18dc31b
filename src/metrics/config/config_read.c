#include "base/num.h"
#include "base/timefmt.h"
#include "metrics/config/prom_config_int.h"
#include "sys/fs.h"

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

void config_error_key(ConfigReader *r, const YamlNode *mapping, const char *key, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const YamlNode *at = mapping->kind == YAML_MAPPING ? yaml_get(mapping, str_cstr(key)) : NULL;
    if (!at) at = mapping;
    config_error(r, at->line, at->col, MAX(at->len, 1), NULL, "%s", text);
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

/* promtool's names of some. */
static Str file_of(ConfigReader *r, Str key) {
    static const struct {
        const char *key, *what;
    } names[] = {{"credentials_file", "authorization credentials or bearer token"},
        {"bearer_token_file", "authorization credentials or bearer token"}, {"cert_file", "TLS certificate"},
        {"key_file", "TLS key"}, {"ca_file", "TLS CA"}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(key, str_cstr(names[i].key))) return str_cstr(names[i].what);
    Str what = arena_copy(r->arena, str_ends_with(key, STR("_file")) ? str_slice(key, 0, key.n - 5) : key);
    for (size_t i = 0; i < what.n; i++)
        if (what.p[i] == '_') ((char *)(uintptr_t)what.p)[i] = ' ';
    return what;
}

void config_want_file(ConfigReader *r, const YamlNode *node, Str key, Str path) {
    if (!path.n) return;
    char *name = str_dup_cstr(path);
    bool error = r->strict && !str_eq_lit(key, "ca_file");
    if (!fs_real()->ops->exists(fs_real(), name))
        diag_add(r->diags, error ? DIAG_ERROR : DIAG_WARNING, node->line, node->col, MAX(node->len, 1),
            error ? NULL : "it is read at every use", "error checking %" STR_FMT " file \"%s\": no such file",
            STR_ARG(file_of(r, key)), name);
    mem_free(name);
}

bool config_item(ConfigReader *r, const YamlNode *item, const char *what) {
    if (!yaml_is_null(item)) return true;
    config_error(r, item->line, item->col, 1, NULL, "empty or null %s", what);
    return false;
}

size_t config_strings(ConfigReader *r, const YamlNode *node, Str **ret) {
    *ret = NULL;
    if (!config_expect(r, node, YAML_SEQUENCE, "a list of strings")) return 0;
    Str *v = ARENA_ARRAY(r->arena, Str, node->n);
    if (!v) return config_exhausted(r), 0;
    size_t n = 0;
    for (const YamlNode *it = node->first; it; it = it->next) {
        if (it->kind == YAML_NULL)
            v[n++] = STR("");
        else if (config_expect(r, it, YAML_SCALAR, "a string"))
            v[n++] = it->text;
    }
    *ret = v;
    return n;
}

void config_params(ConfigReader *r, const YamlNode *node, bool single, PromParams *ret) {
    if (!config_expect(r, node, YAML_MAPPING, single ? "a mapping of strings" : "a mapping of lists")) return;
    PromParam *v = ARENA_ARRAY(r->arena, PromParam, node->n);
    if (!v) return config_exhausted(r);
    size_t n = 0;
    for (const YamlNode *it = node->first; it; it = it->next) {
        Str *values;
        size_t n_values = 1;
        if (single) {
            if (it->kind != YAML_NULL && !config_expect(r, it, YAML_SCALAR, "a string")) continue;
            values = ARENA_NEW(r->arena, Str);
            if (!values) return config_exhausted(r);
            *values = it->text;
        } else {
            n_values = yaml_is_null(it) ? 0 : config_strings(r, it, &values);
        }
        v[n++] = (PromParam){it->key->text, n_values ? values : NULL, n_values};
    }
    *ret = (PromParams){v, n};
}

void config_check_url(ConfigReader *r, const YamlNode *node, Str url, const char *what, DiagLevel level) {
    static const Str schemes[] = {STR_INIT("http://"), STR_INIT("https://")};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (!str_starts_with(url, schemes[i])) continue;
        Str rest = str_skip(url, schemes[i].n);
        if (rest.n && rest.p[0] != '/' && rest.p[0] != '?') return;
        diag_add(r->diags, level, node->line, node->col, node->len, NULL, "host is missing in %s", what);
        return;
    }
    diag_add(r->diags, level, node->line, node->col, node->len, NULL, "%s must begin with http:// or https://", what);
}

int config_word(ConfigReader *r, const YamlNode *node, const Str *words, size_t n, const char *what) {
    if (!config_expect(r, node, YAML_SCALAR, what)) return -1;
    for (size_t i = 0; i < n; i++) {
        if (str_eq(node->text, words[i])) return (int)i;
    }
    Str near = diag_suggest(node->text, words, n);
    char hint[128];
    snprintf(hint, sizeof hint, "did you mean \"%" STR_FMT "\"?", STR_ARG(near));
    config_error(r, node->line, node->col, node->len, near.n ? hint : NULL, "unknown %s \"%" STR_FMT "\"", what,
        STR_ARG(node->text));
    return -1;
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

static void read_strings(ConfigReader *r, const YamlNode *node, ConfigKind kind, PromStrings *ret) {
    Str *v;
    ret->n = config_strings(r, node, &v);
    for (size_t i = 0; kind != CONFIG_STRINGS && i < ret->n; i++) v[i] = config_path(r, v[i]);
    const YamlNode *it = kind == CONFIG_FILES ? node->first : NULL;
    for (size_t i = 0; it && i < ret->n; i++, it = it->next) config_want_file(r, it, STR("header"), v[i]);
    ret->v = v;
}

/* Kinds that are a number in a single value. */
static void read_number(ConfigReader *r, ConfigKind kind, const YamlNode *node, char *field) {
    uint64_t u;
    int64_t i;
    double d;
    switch (kind) {
    case CONFIG_SIZE:
        if (!num_parse_size(node->text, &u)) return wrong(r, node, "a size like 10MB");
        if (u && node->text.p[node->text.n - 1] >= '0' && node->text.p[node->text.n - 1] <= '9')
            return wrong(r, node, "a size like 10MB: the unit is missing");
        memcpy(field, &u, sizeof u);
        break;
    case CONFIG_UINT:
        if (!num_parse_u64(node->text, &u)) return wrong(r, node, "a whole number");
        memcpy(field, &u, sizeof u);
        break;
    case CONFIG_INT:
        if (!num_parse_i64(node->text, &i)) return wrong(r, node, "a whole number");
        memcpy(field, &i, sizeof i);
        break;
    case CONFIG_PORT: {
        if (!num_parse_u64(node->text, &u) || u > UINT16_MAX) return wrong(r, node, "a port number");
        uint16_t port = (uint16_t)u;
        memcpy(field, &port, sizeof port);
        break;
    }
    default:
        if (!num_parse_f64(node->text, &d)) return wrong(r, node, "a number");
        memcpy(field, &d, sizeof d);
        break;
    }
}

static void read_value(ConfigReader *r, const ConfigKey *key, const YamlNode *node, void *object) {
    char *field = (char *)object + key->offset;
    int64_t ms;
    bool flag;
    if (key->kind <= CONFIG_F64 && !config_expect(r, node, YAML_SCALAR, "a single value")) return;
    switch (key->kind) {
    case CONFIG_STR: memcpy(field, &node->text, sizeof(Str)); break;
    case CONFIG_FILE:
    case CONFIG_PATH: {
        Str path = config_path(r, node->text);
        if (key->kind == CONFIG_FILE) config_want_file(r, node, key->name, path);
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
    case CONFIG_UINT:
    case CONFIG_INT:
    case CONFIG_PORT:
    case CONFIG_F64: read_number(r, key->kind, node, field); break;
    case CONFIG_STRINGS:
    case CONFIG_FILES:
    case CONFIG_PATHS: read_strings(r, node, key->kind, (PromStrings *)(void *)field); break;
    case CONFIG_RELABEL: config_relabel(r, node, (RelabelRules *)(void *)field); break;
    case CONFIG_LABELS: config_labels(r, node, (Labels *)(void *)field); break;
    case CONFIG_CUSTOM: key->read(r, node, object); break;
    case CONFIG_UNSUPPORTED:
        diag_add(r->diags, DIAG_WARNING, node->key->line, node->key->col, node->key->len, NULL,
            "%" STR_FMT " is not supported and has no effect", STR_ARG(key->name));
        break;
    case CONFIG_SKIP: break;
    }
}

static void unknown_key(ConfigReader *r, const YamlNode *key, Str what, const ConfigTable *tables, size_t n_tables) {
    Str names[192], near;
    size_t n = 0;
    for (size_t t = 0; t < n_tables; t++) {
        for (size_t i = 0; i < tables[t].n; i++) {
            ASSERT(n < ARRAY_LEN(names));
            names[n++] = tables[t].keys[i].name;
        }
    }
    near = diag_suggest(key->text, names, n);
    char hint[128];
    snprintf(hint, sizeof hint, "did you mean \"%" STR_FMT "\"?", STR_ARG(near));
    config_error(r, key->line, key->col, key->len, near.n ? hint : NULL, "unknown key \"%" STR_FMT "\" in %" STR_FMT,
        STR_ARG(key->text), STR_ARG(what));
}

static const ConfigKey *find_key(const ConfigTable *tables, size_t n_tables, Str name, size_t *ret_base) {
    for (size_t t = 0; t < n_tables; t++) {
        for (size_t i = 0; i < tables[t].n; i++) {
            *ret_base = tables[t].base;
            if (str_eq(tables[t].keys[i].name, name)) return &tables[t].keys[i];
        }
    }
    return NULL;
}

bool config_mapping_of(
    ConfigReader *r, const YamlNode *node, Str what, const ConfigTable *tables, size_t n_tables, void *object) {
    if (!config_expect(r, node, YAML_MAPPING, "a mapping")) return false;
    for (const YamlNode *it = node->first; it; it = it->next) {
        size_t base;
        const ConfigKey *key = find_key(tables, n_tables, it->key->text, &base);
        if (!key)
            unknown_key(r, it->key, what, tables, n_tables);
        else if (!yaml_is_null(it) || key->kind == CONFIG_UNSUPPORTED)
            read_value(r, key, it, (char *)object + base);
    }
    return true;
}

bool config_mapping(ConfigReader *r, const YamlNode *node, Str what, const ConfigKey *keys, size_t n, void *object) {
    return config_mapping_of(r, node, what, &(ConfigTable){keys, n, 0}, 1, object);
}
