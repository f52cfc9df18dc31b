/* amconfig_read.c - typed values out of the YAML tree, with diagnostics. */
#include "alert/amconfig_int.h"

#include "alert/amlabel.h"

#include "base/timefmt.h"
#include "codec/regex.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void amread_error(AmReader *r, const YamlNode *at, const char *hint, const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag_add(r->diags, DIAG_ERROR, at ? at->line : 0, at ? at->col : 0, at ? MAX(at->len, 1) : 1, hint, "%s", text);
}

bool amread_keys(AmReader *r, const YamlNode *n, const char *what, const Str *keys, size_t n_keys) {
    if (n->kind != YAML_MAPPING) {
        amread_error(r, n, NULL, "%s is a mapping", what);
        return false;
    }
    for (const YamlNode *k = n->first; k; k = k->next) {
        size_t i = 0;
        while (i < n_keys && !str_eq(keys[i], k->key->text)) i++;
        if (i < n_keys) continue;
        Str near = diag_suggest(k->key->text, keys, n_keys);
        char hint[128];
        snprintf(hint, sizeof hint, "did you mean \"%" STR_FMT "\"?", STR_ARG(near));
        amread_error(
            r, k->key, near.n ? hint : NULL, "unknown key \"%" STR_FMT "\" in %s", STR_ARG(k->key->text), what);
    }
    return true;
}

Str amread_str(AmReader *r, const YamlNode *mapping, const char *key) {
    const YamlNode *n = yaml_get(mapping, str_cstr(key));
    if (yaml_is_null(n)) return STR_NULL;
    if (n->kind == YAML_SCALAR) return n->text;
    amread_error(r, n, NULL, "%s is a text", key);
    return STR_NULL;
}

bool amread_bool(AmReader *r, const YamlNode *mapping, const char *key, bool fallback) {
    const YamlNode *n = yaml_get(mapping, str_cstr(key));
    bool v = fallback;
    if (!yaml_is_null(n) && !yaml_bool(n, &v)) amread_error(r, n, NULL, "%s is true or false", key);
    return v;
}

int64_t amread_duration(AmReader *r, const YamlNode *mapping, const char *key, int64_t fallback_ms) {
    const YamlNode *n = yaml_get(mapping, str_cstr(key));
    int64_t ms = fallback_ms;
    if (yaml_is_null(n)) return fallback_ms;
    if (n->kind == YAML_SCALAR && duration_parse_prom(n->text, &ms)) return ms;
    amread_error(r, n, "30s, 5m, 1h30m", "not a valid duration string: \"%" STR_FMT "\"", STR_ARG(n->text));
    return fallback_ms;
}

size_t amread_strings(AmReader *r, const YamlNode *list, const Str **ret) {
    *ret = NULL;
    if (yaml_is_null(list)) return 0;
    if (list->kind != YAML_SEQUENCE) {
        amread_error(r, list, NULL, "expected a list of texts");
        return 0;
    }
    Str *v = ARENA_ARRAY(r->arena, Str, list->n);
    size_t n = 0;
    for (const YamlNode *i = list->first; v && i; i = i->next) {
        if (i->kind != YAML_SCALAR)
            amread_error(r, i, NULL, "expected a text");
        else
            v[n++] = i->text;
    }
    *ret = v;
    return n;
}

typedef AVEC(const Matcher *) MatcherVec;

static void read_map(AmReader *r, const YamlNode *map, MatchType type, MatcherVec *out) {
    if (yaml_is_null(map)) return;
    if (map->kind != YAML_MAPPING) {
        amread_error(r, map, NULL, "expected a mapping of label names to values");
        return;
    }
    for (const YamlNode *i = map->first; i; i = i->next) {
        const Matcher *m;
        Err err = {0};
        Str value = i->text;
        Regex *re = NULL; /* as the original has it, for the message */
        /* The original keeps the anchored text, and so do its group keys. */
        if (type == MATCH_RE) value = arena_printf(r->arena, "^(?:%" STR_FMT ")$", STR_ARG(i->text));
        if (!label_name_is_legacy(i->key->text)) {
            amread_error(r, i->key, NULL, "invalid label name \"%" STR_FMT "\"", STR_ARG(i->key->text));
        } else if (i->kind != YAML_SCALAR && i->kind != YAML_NULL) {
            amread_error(r, i, NULL, "expected a text");
        } else if (type == MATCH_RE && i->kind == YAML_NULL) {
            amread_error(r, i, NULL, "invalid regexp value for \"%" STR_FMT "\"", STR_ARG(i->key->text));
        } else if (type == MATCH_RE && regex_compile(value, 0, &re, &err)) {
            amread_error(r, i, NULL, "%s", err.msg);
        } else if (matcher_create(r->arena, type, i->key->text, value, &m, &err)) {
            amread_error(r, i, NULL, "%s", err.msg);
        } else if (!avec_push(r->arena, out, m)) {
            amread_error(r, i, NULL, "the configuration is too large");
        }
        regex_free(re);
    }
}

static void read_list(AmReader *r, const YamlNode *list, MatcherVec *out) {
    if (yaml_is_null(list)) return;
    if (list->kind != YAML_SEQUENCE) {
        amread_error(r, list, "- severity=\"critical\"", "matchers is a list");
        return;
    }
    for (const YamlNode *i = list->first; i; i = i->next) {
        Matchers ms = {0};
        Str suggestion;
        Err err = {0};
        if (i->kind != YAML_SCALAR) {
            amread_error(r, i, "put the matcher in quotes", "a matcher is a text");
            continue;
        }
        if (ammatch_parse_list(i->text, r->mode, r->arena, &ms, &suggestion, &err)) {
            amread_error(r, i, NULL, "%s", err.msg);
            continue;
        }
        if (suggestion.n) {
            char hint[160];
            snprintf(hint, sizeof hint, "write %" STR_FMT, STR_ARG(suggestion));
            diag_add(r->diags, DIAG_WARNING, i->line, i->col, MAX(i->len, 1), hint,
                "the matcher is in the classic syntax only, which may go: quote values and escape backslashes");
        }
        for (size_t k = 0; k < ms.n; k++) {
            if (!avec_push(r->arena, out, ms.v[k])) amread_error(r, i, NULL, "the configuration is too large");
        }
    }
}

static int by_order(const void *a, const void *b) {
    return amlabel_cmp_matcher(*(const Matcher *const *)a, *(const Matcher *const *)b);
}

Matchers amread_matchers(AmReader *r, const YamlNode *mapping, const char *prefix) {
    MatcherVec v = {0};
    char key[32];
    snprintf(key, sizeof key, "%smatch", prefix);
    read_map(r, yaml_get(mapping, str_cstr(key)), MATCH_EQ, &v);
    snprintf(key, sizeof key, "%smatch_re", prefix);
    read_map(r, yaml_get(mapping, str_cstr(key)), MATCH_RE, &v);
    snprintf(key, sizeof key, "%smatchers", prefix);
    read_list(r, yaml_get(mapping, str_cstr(key)), &v);
    if (v.n) qsort(v.v, v.n, sizeof *v.v, by_order);
    return (Matchers){v.v, v.n};
}
