/* rule_file_read.c - what members of rules and groups hold: texts, durations, labels, data sources. */
#include "alert/rule_file_int.h"

#include "base/timefmt.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void ATTR_PRINTF(4, 5) rule_read_fail(RuleReader *r, const YamlNode *at, const char *hint, const char *fmt, ...) {
    char msg[700];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    diag_add(r->diags, DIAG_ERROR, at->line, at->col, at->len, hint, "%s", msg);
}

bool rule_read_expect(RuleReader *r, const YamlNode *n, YamlKind kind, const char *what) {
    static const char *const names[] = {"nothing", "a plain value", "a list", "a mapping"};
    if (n->kind == kind) return true;
    rule_read_fail(r, n, NULL, "%s must be %s, not %s", what, names[kind], names[n->kind]);
    return false;
}

Str rule_read_scalar(RuleReader *r, const YamlNode *n, const char *what) {
    if (n->kind == YAML_NULL) return STR("");
    return rule_read_expect(r, n, YAML_SCALAR, what) ? n->text : STR("");
}

void rule_read_unknown_key(RuleReader *r, const YamlNode *member, const char *what, const Str *names, size_t n) {
    if (r->opts->ignore_unknown) return;
    char hint[120] = "";
    Str near = diag_suggest(member->key->text, names, n);
    if (near.n) snprintf(hint, sizeof hint, "did you mean \"%.*s\"?", (int)near.n, near.p);
    rule_read_fail(
        r, member->key, near.n ? hint : NULL, "field %" STR_FMT " not found in %s", STR_ARG(member->key->text), what);
}

bool rule_read_duration(RuleReader *r, const YamlNode *n, const char *what, int64_t *ret) {
    Str s = rule_read_scalar(r, n, what);
    if (n->kind == YAML_NULL) return true;
    if (duration_parse_prom(s, ret)) return true;
    if (n->kind != YAML_SCALAR) return false;
    if (s.n == 0)
        rule_read_fail(r, n, NULL, "empty duration string");
    else
        rule_read_fail(r, n, "durations are written like 30s, 5m, 1h30m",
            "not a valid duration string: \"%" STR_FMT "\"", STR_ARG(s));
    return false;
}

static int label_cmp(const void *a, const void *b) {
    return str_cmp(((const Label *)a)->name, ((const Label *)b)->name);
}

/* A mapping of strings, sorted; names are checked by the caller. */
Labels rule_read_map(RuleReader *r, const YamlNode *n, const char *what) {
    if (n->kind == YAML_NULL || !rule_read_expect(r, n, YAML_MAPPING, what)) return (Labels){0};
    Label *v = ARENA_ARRAY(r->arena, Label, n->n);
    size_t k = 0;
    if (!v) return (Labels){0};
    for (const YamlNode *it = n->first; it; it = it->next)
        v[k++] = (Label){it->key->text, rule_read_scalar(r, it, "the value")};
    if (k > 1) qsort(v, k, sizeof *v, label_cmp);
    return (Labels){v, k};
}

bool rule_read_datasource(RuleReader *r, const YamlNode *n, Str *ret) {
    static const Str names[] = {STR_INIT("prometheus"), STR_INIT("loki"), STR_INIT("tempo")};
    Str s = rule_read_scalar(r, n, "datasource");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!str_eq_nocase(s, names[i])) continue;
        *ret = i == 0 ? STR("") : names[i];
        return true;
    }
    Str near = diag_suggest(s, names, ARRAY_LEN(names));
    char hint[64];
    snprintf(hint, sizeof hint, "did you mean \"%.*s\"?", (int)near.n, near.p ? near.p : "");
    rule_read_fail(r, n, near.n ? hint : "it is one of prometheus, loki, tempo", "unknown datasource \"%" STR_FMT "\"",
        STR_ARG(s));
    return false;
}

void rule_read_range(RuleReader *r, const YamlNode *n, int64_t *ret) {
    if (rule_read_duration(r, n, "range", ret) && *ret <= 0)
        rule_read_fail(r, n, "5m looks at the spans of the last five minutes", "range must be longer than 0");
}

const YamlNode *rule_read_member(const YamlNode *map, Str name) {
    if (map->kind != YAML_MAPPING) return NULL;
    for (const YamlNode *it = map->first; it; it = it->next)
        if (str_eq(it->key->text, name)) return it;
    return NULL;
}
