/* settings.c - reading a mapping by its table: types, places, globals. */
#include "alert/settings.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "codec/yaml.h"
#include "sys/fs.h"

#include <stdarg.h>
#include <stdio.h>

static bool read_value(SettingsReader *r, const YamlNode *node, const SettingSpec *spec, Setting *s);

void settings_error(SettingsReader *r, const YamlNode *at, const char *fmt, ...) {
    char msg[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    diag_add(r->diags, DIAG_ERROR, at ? at->line : 0, at ? at->col : 0, at ? MAX(at->len, 1) : 1, NULL, "%s", msg);
}

const Setting *settings_get(const Settings *s, const char *key) {
    for (size_t i = 0; i < s->table->n; i++)
        if (strcmp(s->table->v[i].key, key) == 0) return &s->v[i];
    base_panic(__FILE__, __LINE__, __func__, key);
}

static void *need(SettingsReader *r, void *p) {
    if (!p) settings_error(r, NULL, "the configuration is too large");
    return p;
}

/* --- values --- */

static bool scalar(SettingsReader *r, const YamlNode *node, const SettingSpec *spec, Str *ret) {
    if (node->kind == YAML_SEQUENCE || node->kind == YAML_MAPPING) {
        settings_error(r, node, "%s must be a single value", spec->key);
        return false;
    }
    *ret = yaml_is_null(node) ? STR("") : node->text;
    return true;
}

static bool read_url(SettingsReader *r, const YamlNode *node, const SettingSpec *spec, Setting *s) {
    if (!scalar(r, node, spec, &s->text)) return false;
    if (s->text.n == 0 || str_find(s->text, STR("{{")) != SIZE_MAX) return true;
    bool http = str_starts_with(s->text, STR("http://")), https = str_starts_with(s->text, STR("https://"));
    Str rest = http ? str_skip(s->text, 7) : https ? str_skip(s->text, 8) : STR_NULL;
    if (!http && !https) {
        size_t colon = str_find(s->text, STR("://"));
        if (colon == SIZE_MAX || spec->kind == SET_SECRET_URL)
            settings_error(
                r, node, "unsupported scheme \"\" for URL: %s must begin with http:// or https://", spec->key);
        else
            settings_error(
                r, node, "unsupported scheme \"%" STR_FMT "\" for URL", STR_ARG(str_slice(s->text, 0, colon)));
        return false;
    }
    if (rest.n && rest.p[0] != '/' && rest.p[0] != '?') return true;
    settings_error(r, node, "missing host for URL");
    return false;
}

static bool read_host_port(SettingsReader *r, const YamlNode *node, const SettingSpec *spec, Setting *s) {
    if (!scalar(r, node, spec, &s->text)) return false;
    size_t colon = str_rfind_char(s->text, ':');
    if (s->text.n && (colon == SIZE_MAX || colon + 1 == s->text.n)) {
        settings_error(r, node, "address %" STR_FMT ": port cannot be empty", STR_ARG(s->text));
        return false;
    }
    return true;
}

static bool read_file_name(SettingsReader *r, const YamlNode *node, const SettingSpec *spec, Setting *s) {
    if (!scalar(r, node, spec, &s->text)) return false;
    if (s->text.n && s->text.p[0] != '/' && r->base_dir.n) {
        s->text = arena_printf(r->arena, "%" STR_FMT "/%" STR_FMT, STR_ARG(r->base_dir), STR_ARG(s->text));
        if (!need(r, (void *)(uintptr_t)s->text.p)) return false;
    }
    char *name = str_dup_cstr(s->text);
    if (s->text.n && !fs_real()->ops->exists(fs_real(), name))
        diag_add(r->diags, DIAG_WARNING, node->line, node->col, MAX(node->len, 1), "it is read at every use",
            "%s \"%s\": no such file", spec->key, name);
    mem_free(name);
    return true;
}

static bool read_number(SettingsReader *r, const YamlNode *node, const SettingSpec *spec, Setting *s) {
    if (!scalar(r, node, spec, &s->text)) return false;
    bool ok = false, flag = false;
    switch (spec->kind) {
    case SET_BOOL:
        ok = yaml_bool(node, &flag);
        s->i = flag;
        break;
    case SET_INT: ok = num_parse_i64(s->text, &s->i); break;
    case SET_GO_DURATION: ok = duration_parse_go(s->text, &s->i) || str_eq_lit(s->text, "0"); break;
    default: ok = duration_parse_prom(s->text, &s->i); s->i *= NS_PER_MS;
    }
    if (!ok)
        settings_error(r, node, "%s: \"%" STR_FMT "\" is no %s", spec->key, STR_ARG(s->text),
            spec->kind == SET_BOOL  ? "boolean"
            : spec->kind == SET_INT ? "integer"
                                    : "duration");
    return ok;
}

static bool read_list(SettingsReader *r, const YamlNode *node, const SettingSpec *spec) {
    if (node->kind != YAML_SEQUENCE) {
        settings_error(r, node, "%s must be a list", spec->key);
        return false;
    }
    for (const YamlNode *it = node->first; it; it = it->next)
        if (spec->kind == SET_STRINGS && it->kind != YAML_SCALAR)
            settings_error(r, it, "%s must be a list of texts", spec->key);
    return true;
}

static bool read_objects(SettingsReader *r, const YamlNode *node, const SettingSpec *spec, Setting *s) {
    bool one = spec->kind == SET_OBJECT;
    if (!one && !read_list(r, node, spec)) return false;
    Settings *subs = need(r, ARENA_ARRAY(r->arena, Settings, one ? 1 : node->n));
    if (!subs) return false;
    if (one) {
        s->n_subs = 1;
        s->subs = subs;
        if (node->kind == YAML_SCALAR && strcmp(spec->sub->what, "template") == 0) { /* a text in its place */
            return settings_read(r, NULL, spec->sub, NULL, 0, &subs[0]) &&
                   read_value(r, node, &spec->sub->v[0], &subs[0].v[0]);
        }
        return settings_read(r, node, spec->sub, NULL, 0, &subs[0]);
    }
    for (const YamlNode *it = node->first; it; it = it->next)
        if (!settings_read(r, it, spec->sub, NULL, 0, &subs[s->n_subs++])) return false;
    s->subs = subs;
    return true;
}

static bool read_value(SettingsReader *r, const YamlNode *node, const SettingSpec *spec, Setting *s) {
    s->node = node;
    s->set = s->own = true;
    switch (spec->kind) {
    case SET_TEXT:
    case SET_PLAIN:
    case SET_SECRET: return scalar(r, node, spec, &s->text);
    case SET_FILE: return read_file_name(r, node, spec, s);
    case SET_URL:
    case SET_SECRET_URL: return read_url(r, node, spec, s);
    case SET_HOSTPORT: return read_host_port(r, node, spec, s);
    case SET_BOOL:
    case SET_INT:
    case SET_GO_DURATION:
    case SET_PROM_DURATION: return read_number(r, node, spec, s);
    case SET_STRINGS: return read_list(r, node, spec);
    case SET_MAP:
        if (node->kind == YAML_MAPPING) return true;
        settings_error(r, node, "%s must be a mapping", spec->key);
        return false;
    case SET_TREE: return true;
    case SET_OBJECT:
    case SET_OBJECTS: return read_objects(r, node, spec, s);
    case SET_HTTP: {
        PromHttpConfig *http = need(r, ARENA_NEW(r->arena, PromHttpConfig));
        if (!http) return false;
        prom_http_config_read(node, r->base_dir, r->arena, http, r->diags);
        s->http = http;
        return true;
    }
    case SET_TLS: {
        PromTlsConfig *tls = need(r, ARENA_NEW(r->arena, PromTlsConfig));
        if (!tls) return false;
        prom_tls_config_read(node, r->base_dir, r->arena, tls, r->diags);
        s->tls = tls;
        return true;
    }
    }
    UNREACHABLE();
}

/* --- defaults --- */

static void set_default(const SettingSpec *spec, Setting *s) {
    s->text = str_cstr(spec->fallback);
    s->set = true;
    if (spec->kind == SET_BOOL) s->i = str_eq_lit(s->text, "true");
    if (spec->kind == SET_GO_DURATION) (void)!duration_parse_go(s->text, &s->i);
}

/* "api_key" and "api_key_file" are one thing said in two ways. */
static const Setting *twin(const Settings *s, const char *key) {
    Str name = str_cstr(key), other;
    for (size_t i = 0; i < s->table->n; i++) {
        other = str_cstr(s->table->v[i].key);
        bool file = other.n == name.n + 5 && str_starts_with(other, name) && str_ends_with(other, STR("_file"));
        bool of = name.n == other.n + 5 && str_starts_with(name, other) && str_ends_with(name, STR("_file"));
        if (file || of) return &s->v[i];
    }
    return NULL;
}

static void fill_in(SettingsReader *r, Settings *s) {
    for (size_t i = 0; i < s->table->n; i++) {
        const SettingSpec *spec = &s->table->v[i];
        const Setting *other = twin(s, spec->key);
        if (s->v[i].set || (other && other->own)) continue;
        const Setting *global = spec->global && r->global ? settings_get(r->global, spec->global) : NULL;
        if (global && global->set) {
            s->v[i] = *global;
            s->v[i].own = false;
        } else if (spec->fallback) {
            set_default(spec, &s->v[i]);
        }
    }
}

static void check_twins(SettingsReader *r, const Settings *s) {
    for (size_t i = 0; i < s->table->n; i++) {
        const char *key = s->table->v[i].key;
        const Setting *other = str_ends_with(str_cstr(key), STR("_file")) ? NULL : twin(s, key);
        if (other && s->v[i].own && other->own && (s->v[i].text.n || s->v[i].i) && other->text.n)
            settings_error(r, other->node->key ? other->node->key : other->node,
                "at most one of %s & %s_file must be configured", key, key);
    }
}

static bool is_in(Str key, const Str *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(key, list[i])) return true;
    return false;
}

static void unknown_key(SettingsReader *r, const YamlNode *key, const SettingTable *table) {
    Str names[64];
    size_t n = 0;
    for (size_t i = 0; i < table->n && n < ARRAY_LEN(names); i++) names[n++] = str_cstr(table->v[i].key);
    Str near = diag_suggest(key->text, names, n);
    char hint[120];
    snprintf(hint, sizeof hint, "did you mean \"%" STR_FMT "\"?", STR_ARG(near));
    diag_add(r->diags, DIAG_ERROR, key->line, key->col, MAX(key->len, 1), near.n ? hint : NULL,
        "field %" STR_FMT " not found in %s", STR_ARG(key->text), table->what);
}

bool settings_read(
    SettingsReader *r, const YamlNode *node, const SettingTable *table, const Str *skip, size_t n_skip, Settings *ret) {
    *ret = (Settings){.table = table, .node = node};
    ret->v = need(r, arena_alloc_zero(r->arena, table->n * sizeof *ret->v));
    if (!ret->v) return false;
    bool ok = true;
    if (node && !yaml_is_null(node) && node->kind != YAML_MAPPING) {
        settings_error(r, node, "%s must be a mapping", table->what);
        ok = false;
    }
    for (const YamlNode *it = node && node->kind == YAML_MAPPING ? node->first : NULL; it; it = it->next) {
        if (is_in(it->key->text, skip, n_skip)) continue;
        size_t i = 0;
        while (i < table->n && !str_eq(it->key->text, str_cstr(table->v[i].key))) i++;
        if (i == table->n)
            unknown_key(r, it->key, table);
        else if (!yaml_is_null(it) && !read_value(r, it, &table->v[i], &ret->v[i]))
            ok = false;
    }
    check_twins(r, ret);
    fill_in(r, ret);
    return ok;
}
