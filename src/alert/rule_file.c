/* rule_file.c - reads rule files; every problem is a diagnostic, and reading goes on behind it. */
#include "alert/rule_file.h"

#include "alert/rule_text.h"
#include "base/map.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "metrics/promql/ast.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Reader {
    const RuleFileOptions *opts;
    Arena *arena;
    DiagList *diags;
    Str datasource;   /* what applies where none is named */
    int64_t range_ms; /* likewise; 0: the default */
    const RuleGroupDef *group;
    size_t index; /* of the rule in it, from 1 */
} Reader;

static void ATTR_PRINTF(4, 5) fail(Reader *r, const YamlNode *at, const char *hint, const char *fmt, ...) {
    char msg[700];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    diag_add(r->diags, DIAG_ERROR, at->line, at->col, at->len, hint, "%s", msg);
}

/* The same with promtool's words for the place: group "a", rule 1, "X": ... */
static void ATTR_PRINTF(7, 8)
    fail_rule(Reader *r, const RuleDef *rule, int line, int col, int len, const char *hint, const char *fmt, ...) {
    char msg[700];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    if (r->group->name.p)
        diag_add(r->diags, DIAG_ERROR, line, col, len, hint, "group \"%" STR_FMT "\", rule %zu, \"%" STR_FMT "\": %s",
            STR_ARG(r->group->name), r->index, STR_ARG(rule->name), msg);
    else
        diag_add(r->diags, DIAG_ERROR, line, col, len, hint, "%s", msg);
}

#define FAIL_AT(r, rule, node, hint, ...) fail_rule(r, rule, (node)->line, (node)->col, (node)->len, hint, __VA_ARGS__)

static bool expect(Reader *r, const YamlNode *n, YamlKind kind, const char *what) {
    static const char *const names[] = {"nothing", "a plain value", "a list", "a mapping"};
    if (n->kind == kind) return true;
    fail(r, n, NULL, "%s must be %s, not %s", what, names[kind], names[n->kind]);
    return false;
}

static Str scalar(Reader *r, const YamlNode *n, const char *what) {
    if (n->kind == YAML_NULL) return STR("");
    return expect(r, n, YAML_SCALAR, what) ? n->text : STR("");
}

static void unknown_key(Reader *r, const YamlNode *member, const char *what, const Str *names, size_t n) {
    if (r->opts->ignore_unknown) return;
    char hint[120] = "";
    Str near = diag_suggest(member->key->text, names, n);
    if (near.n) snprintf(hint, sizeof hint, "did you mean \"%.*s\"?", (int)near.n, near.p);
    fail(r, member->key, near.n ? hint : NULL, "field %" STR_FMT " not found in %s", STR_ARG(member->key->text), what);
}

static bool read_duration(Reader *r, const YamlNode *n, const char *what, int64_t *ret) {
    Str s = scalar(r, n, what);
    if (n->kind == YAML_NULL) return true;
    if (duration_parse_prom(s, ret)) return true;
    if (n->kind != YAML_SCALAR) return false;
    if (s.n == 0)
        fail(r, n, NULL, "empty duration string");
    else
        fail(r, n, "durations are written like 30s, 5m, 1h30m", "not a valid duration string: \"%" STR_FMT "\"",
            STR_ARG(s));
    return false;
}

static int label_cmp(const void *a, const void *b) {
    return str_cmp(((const Label *)a)->name, ((const Label *)b)->name);
}

/* A mapping of strings, sorted; names are checked by the caller. */
static Labels read_map(Reader *r, const YamlNode *n, const char *what) {
    if (n->kind == YAML_NULL || !expect(r, n, YAML_MAPPING, what)) return (Labels){0};
    Label *v = ARENA_ARRAY(r->arena, Label, n->n);
    size_t k = 0;
    if (!v) return (Labels){0};
    for (const YamlNode *it = n->first; it; it = it->next) v[k++] = (Label){it->key->text, scalar(r, it, "the value")};
    if (k > 1) qsort(v, k, sizeof *v, label_cmp);
    return (Labels){v, k};
}

static bool known_datasource(Reader *r, const YamlNode *n, Str *ret) {
    static const Str names[] = {STR_INIT("prometheus"), STR_INIT("loki"), STR_INIT("tempo")};
    Str s = scalar(r, n, "datasource");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!str_eq_nocase(s, names[i])) continue;
        *ret = i == 0 ? STR("") : names[i];
        return true;
    }
    Str near = diag_suggest(s, names, ARRAY_LEN(names));
    char hint[64];
    snprintf(hint, sizeof hint, "did you mean \"%.*s\"?", (int)near.n, near.p ? near.p : "");
    fail(r, n, near.n ? hint : "it is one of prometheus, loki, tempo", "unknown datasource \"%" STR_FMT "\"",
        STR_ARG(s));
    return false;
}

static void read_range(Reader *r, const YamlNode *n, int64_t *ret) {
    if (read_duration(r, n, "range", ret) && *ret <= 0)
        fail(r, n, "5m looks at the spans of the last five minutes", "range must be longer than 0");
}

/* --- places inside scalars --- */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static size_t offset_of(Str source, int line, int col) {
    size_t at = 0;
    for (int i = 1; i < line; i++) {
        size_t nl = str_find_char(str_skip(source, at), '\n');
        if (nl == SIZE_MAX) return source.n;
        at += nl + 1;
    }
    return MIN(at + (size_t)MAX(col - 1, 0), source.n);
}

/* YAML folds blanks and quotes, but keeps the order of all other characters: those are counted on both sides. */
void rule_locate(Str source, const YamlNode *scalar, size_t offset, int *ret_line, int *ret_col) {
    size_t at = offset_of(source, scalar->line, scalar->col), skip = 0;
    char style = at < source.n ? source.p[at] : 0;
    if (!scalar->quoted) style = 0;
    if (style == '|' || style == '>') {
        size_t nl = str_find_char(str_skip(source, at), '\n');
        at = nl == SIZE_MAX ? source.n : at + nl + 1;
    } else if (style == '"' || style == '\'') {
        at++;
    }
    Str text = scalar->text;
    offset = MIN(offset, text.n);
    for (size_t i = 0; i < offset; i++) skip += !is_blank(text.p[i]);
    bool at_end = offset == text.n;
    while (at < source.n && (skip > 0 || (is_blank(source.p[at]) && !at_end))) {
        bool escape = (style == '"' && source.p[at] == '\\') ||
                      (style == '\'' && source.p[at] == '\'' && at + 1 < source.n && source.p[at + 1] == '\'');
        if (escape) at++;
        if (at < source.n && !is_blank(source.p[at])) skip--;
        at++;
    }
    diag_locate(source, at, ret_line, ret_col);
}

/* --- expressions --- */

static const char *promql_hint(Str msg) {
    if (str_contains(msg, STR("unexpected <by>")) || str_contains(msg, STR("unexpected <without>")))
        return "by and without belong to an aggregation: sum by (label) (...)";
    if (str_contains(msg, STR("unexpected character: '|'")) || str_contains(msg, STR("unexpected character: '`'")))
        return "if this is LogQL, put `datasource: loki` on the rule or its group";
    return NULL;
}

/* Errors of the languages carry a line and a column of the expression. */
static void expr_failed(Reader *r, const RuleDef *rule, const Err *err) {
    int line = rule->expr_node->line, col = rule->expr_node->col;
    if (err->line > 0) {
        Str text = rule->expr_node->text;
        size_t lead = (size_t)(rule->expr.p - text.p);
        rule_locate(r->diags->source, rule->expr_node, lead + offset_of(rule->expr, err->line, err->col), &line, &col);
    }
    const char *hint = err->hint[0] ? err->hint : promql_hint(str_cstr(err->msg));
    fail_rule(r, rule, line, col, 1, hint, "could not parse expression: %s", err->msg);
}

static void check_expr(Reader *r, const RuleDef *rule) {
    Err err = {0};
    if (rule->expr.n == 0) {
        fail_rule(r, rule, rule->line, rule->col, 1, NULL, "field 'expr' must be set in rule");
        return;
    }
    if (rule->datasource.n) {
        if (r->opts->check && r->opts->check(r->opts->ctx, rule->datasource, rule->expr, &err) != OK)
            expr_failed(r, rule, &err);
        return;
    }
    Arena *scratch = arena_create(32u << 20);
    PqlNode *root;
    if (promql_parse(rule->expr, scratch, &root, &err) != OK) {
        expr_failed(r, rule, &err);
    } else if (promql_type(root) != PQL_TYPE_VECTOR && promql_type(root) != PQL_TYPE_SCALAR) {
        FAIL_AT(r, rule, rule->expr_node, "a rule needs one value per series: put a function around it",
            "the expression gives a %s, not an instant vector", promql_type_documented(promql_type(root)));
    }
    arena_free(scratch);
}

/* --- names --- */

/* As Prometheus 3: any UTF-8, blanks, dashes and leading digits too. */
static bool name_is_fine(Str s) { return s.n > 0 && str_is_utf8(s); }

/* --- one rule --- */

static const Str rule_keys[] = {STR_INIT("record"), STR_INIT("alert"), STR_INIT("expr"), STR_INIT("for"),
    STR_INIT("keep_firing_for"), STR_INIT("labels"), STR_INIT("annotations"), STR_INIT("datasource"),
    STR_INIT("range")};

typedef struct RuleNodes {
    const YamlNode *record, *alert, *expr, *hold, *keep, *labels, *annotations, *range;
} RuleNodes;

static const YamlNode *member_of(const YamlNode *map, Str name) {
    if (map->kind != YAML_MAPPING) return NULL;
    for (const YamlNode *it = map->first; it; it = it->next)
        if (str_eq(it->key->text, name)) return it;
    return NULL;
}

static void check_labels(Reader *r, const RuleDef *rule, const YamlNode *map, Labels labels) {
    for (size_t i = 0; i < labels.n; i++) {
        const YamlNode *at = member_of(map, labels.v[i].name);
        if (!at) continue; /* the group's: checked there */
        Str name = labels.v[i].name;
        if (str_eq(name, LABEL_NAME_METRIC) || !name_is_fine(name))
            FAIL_AT(r, rule, at->key, NULL, "invalid label name: %" STR_FMT, STR_ARG(name));
        if (!str_is_utf8(labels.v[i].value))
            FAIL_AT(r, rule, at, NULL, "invalid label value: %" STR_FMT, STR_ARG(labels.v[i].value));
    }
}

static void check_template(Reader *r, const RuleDef *rule, const char *kind, Str name, const YamlNode *at, Str text) {
    Err err = {0};
    char full[200];
    snprintf(full, sizeof full, "__alert_%.*s", (int)MIN(rule->name.n, 150), rule->name.p ? rule->name.p : "");
    if (rule_text_check(str_cstr(full), text, &err) != OK)
        FAIL_AT(r, rule, at, err.hint[0] ? err.hint : NULL, "%s \"%" STR_FMT "\": %s", kind, STR_ARG(name), err.msg);
}

static void check_alert(Reader *r, const RuleDef *rule, const RuleNodes *n) {
    for (size_t i = 0; i < rule->annotations.n; i++) {
        const YamlNode *at = member_of(n->annotations, rule->annotations.v[i].name);
        Str name = rule->annotations.v[i].name;
        if (!name_is_fine(name))
            FAIL_AT(r, rule, at->key, NULL, "invalid annotation name: %" STR_FMT, STR_ARG(name));
        check_template(r, rule, "annotation", name, at, rule->annotations.v[i].value);
    }
    for (size_t i = 0; n->labels && i < rule->labels.n; i++) {
        const YamlNode *at = member_of(n->labels, rule->labels.v[i].name);
        if (at) check_template(r, rule, "label", rule->labels.v[i].name, at, rule->labels.v[i].value);
    }
}

static void check_recording(Reader *r, const RuleDef *rule, const RuleNodes *n) {
    static const char text[] = "invalid field '%s' in recording rule";
    if (n->annotations && rule->annotations.n)
        FAIL_AT(r, rule, n->annotations->key, "annotations belong to alerts", text, "annotations");
    if (n->hold && rule->for_ms) FAIL_AT(r, rule, n->hold->key, NULL, text, "for");
    if (n->keep && rule->keep_firing_for_ms) FAIL_AT(r, rule, n->keep->key, NULL, text, "keep_firing_for");
    if (rule->name.n && !name_is_fine(rule->name))
        FAIL_AT(r, rule, n->record, NULL, "invalid recording rule name: %" STR_FMT, STR_ARG(rule->name));
    else if (str_find_char(rule->name, '{') != SIZE_MAX || str_find_char(rule->name, '}') != SIZE_MAX)
        FAIL_AT(r, rule, n->record, NULL, "braces present in the recording rule name; should it be in expr?: %" STR_FMT, STR_ARG(rule->name));
}

/* The group's labels, over them the rule's. */
static Labels merged(Reader *r, Labels group, Labels own) {
    if (group.n == 0) return own;
    Label *v = ARENA_ARRAY(r->arena, Label, group.n + own.n);
    size_t n = 0, i = 0, j = 0;
    if (!v) return own;
    while (i < group.n || j < own.n) {
        int c = i == group.n ? 1 : j == own.n ? -1 : str_cmp(group.v[i].name, own.v[j].name);
        v[n++] = c < 0 ? group.v[i] : own.v[j];
        i += c <= 0;
        j += c >= 0;
    }
    return (Labels){v, n};
}

static void take_member(Reader *r, const YamlNode *it, RuleNodes *n, RuleDef *rule) {
    Str k = it->key->text;
    if (str_eq_lit(k, "record")) {
        n->record = it;
    } else if (str_eq_lit(k, "alert")) {
        n->alert = it;
    } else if (str_eq_lit(k, "expr")) {
        n->expr = it;
        rule->expr_node = it;
        rule->expr = str_trim(scalar(r, it, "expr"));
    } else if (str_eq_lit(k, "for")) {
        n->hold = it;
        read_duration(r, it, "for", &rule->for_ms);
    } else if (str_eq_lit(k, "keep_firing_for")) {
        n->keep = it;
        read_duration(r, it, "keep_firing_for", &rule->keep_firing_for_ms);
    } else if (str_eq_lit(k, "labels")) {
        n->labels = it;
        rule->labels = read_map(r, it, "labels");
    } else if (str_eq_lit(k, "annotations")) {
        n->annotations = it;
        rule->annotations = read_map(r, it, "annotations");
    } else if (str_eq_lit(k, "datasource")) {
        (void)known_datasource(r, it, &rule->datasource);
    } else if (str_eq_lit(k, "range")) {
        n->range = it;
        read_range(r, it, &rule->range_ms);
    } else {
        unknown_key(r, it, "type rulefmt.Rule", rule_keys, ARRAY_LEN(rule_keys));
    }
}

static void read_rule(Reader *r, const YamlNode *node, RuleDef *rule) {
    RuleNodes n = {0};
    *rule = (RuleDef){.datasource = r->datasource, .range_ms = r->range_ms, .line = node->line, .col = node->col};
    if (!expect(r, node, YAML_MAPPING, "a rule")) return;
    for (const YamlNode *it = node->first; it; it = it->next) take_member(r, it, &n, rule);
    bool over_traces = str_eq_lit(rule->datasource, "tempo");
    if (!over_traces)
        rule->range_ms = 0;
    else if (!rule->range_ms)
        rule->range_ms = RULE_RANGE_MS_DEFAULT;
    Str record = n.record ? scalar(r, n.record, "record") : STR("");
    Str alert = n.alert ? scalar(r, n.alert, "alert") : STR("");
    rule->alerting = alert.n > 0 || (n.alert && record.n == 0);
    rule->name = rule->alerting ? alert : record;
    const YamlNode *name = rule->alerting ? n.alert : n.record;
    if (name) rule->line = name->line, rule->col = name->col;
    if (record.n && alert.n)
        FAIL_AT(r, rule, n.alert->key, NULL, "only one of 'record' and 'alert' must be set");
    else if (record.n == 0 && alert.n == 0)
        fail_rule(r, rule, rule->line, rule->col, 1, NULL, "one of 'record' or 'alert' must be set");
    if (n.range && !over_traces)
        FAIL_AT(r, rule, n.range->key, "PromQL and LogQL say it in the expression: [5m]",
            "'range' is for rules over tempo only");
    check_expr(r, rule);
    if (n.labels) check_labels(r, rule, n.labels, rule->labels);
    if (rule->alerting)
        check_alert(r, rule, &n);
    else
        check_recording(r, rule, &n);
    rule->labels = merged(r, r->group->labels, rule->labels);
}

/* --- groups --- */

static const Str group_keys[] = {STR_INIT("name"), STR_INIT("interval"), STR_INIT("query_offset"), STR_INIT("limit"),
    STR_INIT("labels"), STR_INIT("rules"), STR_INIT("datasource"), STR_INIT("range"), STR_INIT("evaluation_delay"),
    STR_INIT("align_evaluation_time_on_interval"), STR_INIT("source_tenants"), STR_INIT("remote_write")};

static void no_effect(Reader *r, const YamlNode *it) {
    diag_add(r->diags, DIAG_WARNING, it->key->line, it->key->col, it->key->len, NULL, "%" STR_FMT " has no effect here",
        STR_ARG(it->key->text));
}

static void read_limit(Reader *r, const YamlNode *it, int64_t *ret) {
    Str s = scalar(r, it, "limit");
    if (s.n && (!num_parse_i64(s, ret) || *ret < 0)) {
        fail(r, it, NULL, "limit must be a number of series, not \"%" STR_FMT "\"", STR_ARG(s));
        *ret = 0;
    }
}

/* What a group says besides its rules. */
static const YamlNode *read_group_head(Reader *r, const YamlNode *node, RuleGroupDef *g) {
    const YamlNode *rules = NULL, *labels = NULL;
    *g = (RuleGroupDef){
        .query_offset_ms = -1, .line = node->line, .col = node->col, .datasource = r->datasource, .name = STR("")};
    for (const YamlNode *it = node->first; it; it = it->next) {
        Str k = it->key->text;
        if (str_eq_lit(k, "name")) {
            g->name = scalar(r, it, "name");
        } else if (str_eq_lit(k, "interval")) {
            read_duration(r, it, "interval", &g->interval_ms);
        } else if (str_eq_lit(k, "query_offset") || str_eq_lit(k, "evaluation_delay")) {
            read_duration(r, it, "query_offset", &g->query_offset_ms);
        } else if (str_eq_lit(k, "limit")) {
            read_limit(r, it, &g->limit);
        } else if (str_eq_lit(k, "labels")) {
            labels = it;
        } else if (str_eq_lit(k, "rules")) {
            rules = it;
        } else if (str_eq_lit(k, "datasource")) {
            (void)known_datasource(r, it, &g->datasource);
        } else if (str_eq_lit(k, "range")) {
            read_range(r, it, &g->range_ms);
        } else if (str_eq_lit(k, "align_evaluation_time_on_interval") || str_eq_lit(k, "source_tenants") ||
                   str_eq_lit(k, "remote_write")) {
            no_effect(r, it);
        } else {
            unknown_key(r, it, "type rulefmt.RuleGroup", group_keys, ARRAY_LEN(group_keys));
        }
    }
    if (labels) {
        g->labels = read_map(r, labels, "labels");
        for (size_t i = 0; i < g->labels.n; i++)
            if (!name_is_fine(g->labels.v[i].name) || str_eq(g->labels.v[i].name, LABEL_NAME_METRIC))
                fail(r, labels, NULL, "group \"%" STR_FMT "\": invalid label name: %" STR_FMT, STR_ARG(g->name),
                    STR_ARG(g->labels.v[i].name));
    }
    return rules;
}

static void read_group(Reader *r, const YamlNode *node, RuleGroupDef *g) {
    *g = (RuleGroupDef){0};
    if (!expect(r, node, YAML_MAPPING, "a group")) return;
    Str outer = r->datasource;
    int64_t outer_range_ms = r->range_ms;
    const YamlNode *rules = read_group_head(r, node, g);
    if (g->name.n == 0) fail(r, node, NULL, "Groupname must not be empty");
    if (!rules || rules->kind == YAML_NULL || !expect(r, rules, YAML_SEQUENCE, "rules")) return;
    RuleDef *v = arena_alloc_zero(r->arena, (rules->n + 1) * sizeof *v);
    if (!v) return;
    r->group = g;
    r->datasource = g->datasource;
    if (g->range_ms) r->range_ms = g->range_ms;
    r->index = 0;
    for (const YamlNode *it = rules->first; it; it = it->next) {
        r->index++;
        read_rule(r, it, &v[g->n_rules++]);
    }
    g->rules = v;
    r->datasource = outer;
    r->range_ms = outer_range_ms;
}

static void read_groups(Reader *r, const YamlNode *node, RuleFile *ret) {
    if (node->kind == YAML_NULL || !expect(r, node, YAML_SEQUENCE, "groups")) return;
    RuleGroupDef *v = arena_alloc_zero(r->arena, (node->n + 1) * sizeof *v);
    if (!v) return;
    Map *seen = map_create(MAP_BORROW_KEYS);
    ret->groups = v;
    for (const YamlNode *it = node->first; it; it = it->next) {
        RuleGroupDef *g = &v[ret->n_groups++];
        read_group(r, it, g);
        ret->n_rules += g->n_rules;
        bool fresh = true;
        if (g->name.n) (void)map_put(seen, g->name, &fresh);
        if (!fresh) fail(r, it, NULL, "groupname: \"%" STR_FMT "\" is repeated in the same file", STR_ARG(g->name));
    }
    map_free(seen);
}

static const Str file_keys[] = {STR_INIT("groups"), STR_INIT("datasource"), STR_INIT("range"), STR_INIT("namespace")};

static void read_file(Reader *r, const YamlNode *root, RuleFile *ret) {
    if (root->kind == YAML_NULL) return; /* an empty file has no rules */
    if (root->kind == YAML_SEQUENCE) {
        fail(r, root, "rules stand in groups: `groups: [{name: x, rules: [...]}]`",
            "cannot unmarshal !!seq into rulefmt.RuleGroups");
        return;
    }
    if (!expect(r, root, YAML_MAPPING, "a rule file")) return;
    const YamlNode *datasource = member_of(root, STR("datasource")), *groups = member_of(root, STR("groups")),
                   *range = member_of(root, STR("range"));
    if (datasource) (void)known_datasource(r, datasource, &r->datasource);
    if (range) read_range(r, range, &r->range_ms);
    for (const YamlNode *it = root->first; it; it = it->next) {
        if (it == datasource || it == groups || it == range || str_eq_lit(it->key->text, "namespace")) continue;
        unknown_key(r, it, "type rulefmt.RuleGroups", file_keys, ARRAY_LEN(file_keys));
    }
    if (groups) read_groups(r, groups, ret);
}

static ErrCode finish(Reader *r) {
    if (arena_exhausted(r->arena)) {
        diag_add(r->diags, DIAG_ERROR, 0, 0, 1, NULL, "the rules do not fit in memory");
        return ERR_TOO_LARGE;
    }
    return diag_error_count(r->diags) ? ERR_INVALID : OK;
}

ErrCode rule_file_parse(const RuleFileOptions *opts, Arena *arena, RuleFile *ret, DiagList *diags) {
    Reader r = {.opts = opts, .arena = arena, .diags = diags, .datasource = opts->datasource};
    YamlNode *root;
    *ret = (RuleFile){0};
    ErrCode code = yaml_parse(diags->source, arena, &root, diags);
    if (code != OK) return code;
    read_file(&r, root, ret);
    return finish(&r);
}

ErrCode rule_group_parse(const RuleFileOptions *opts, Arena *arena, RuleGroupDef *ret, DiagList *diags) {
    Reader r = {.opts = opts, .arena = arena, .diags = diags, .datasource = opts->datasource};
    YamlNode *root;
    *ret = (RuleGroupDef){0};
    ErrCode code = yaml_parse(diags->source, arena, &root, diags);
    if (code != OK) return code;
    read_group(&r, root, ret);
    return finish(&r);
}
