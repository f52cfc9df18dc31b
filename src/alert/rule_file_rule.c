/* rule_file_rule.c - one rule of a file: its members, its expression, its labels and texts. */
#include "alert/rule_file_int.h"
#include "alert/rule_text.h"
#include "metrics/promql/ast.h"

#include <stdarg.h>
#include <stdio.h>

/* The same with promtool's words for the place: group "a", rule 1, "X": ... */
static void ATTR_PRINTF(7, 8)
    fail_rule(RuleReader *r, const RuleDef *rule, int line, int col, int len, const char *hint, const char *fmt, ...) {
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
static void expr_failed(RuleReader *r, const RuleDef *rule, const Err *err) {
    int line = rule->expr_node->line, col = rule->expr_node->col;
    if (err->line > 0) {
        Str text = rule->expr_node->text;
        size_t lead = (size_t)(rule->expr.p - text.p);
        rule_locate(r->diags->source, rule->expr_node, lead + offset_of(rule->expr, err->line, err->col), &line, &col);
    }
    const char *hint = err->hint[0] ? err->hint : promql_hint(str_cstr(err->msg));
    fail_rule(r, rule, line, col, 1, hint, "could not parse expression: %s", err->msg);
}

static void check_expr(RuleReader *r, const RuleDef *rule) {
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

/* --- one rule --- */

static const Str rule_keys[] = {STR_INIT("record"), STR_INIT("alert"), STR_INIT("expr"), STR_INIT("for"),
    STR_INIT("keep_firing_for"), STR_INIT("labels"), STR_INIT("annotations"), STR_INIT("datasource"),
    STR_INIT("range")};

typedef struct RuleNodes {
    const YamlNode *record, *alert, *expr, *hold, *keep, *labels, *annotations, *range;
} RuleNodes;

static void check_labels(RuleReader *r, const RuleDef *rule, const YamlNode *map, Labels labels) {
    for (size_t i = 0; i < labels.n; i++) {
        const YamlNode *at = rule_read_member(map, labels.v[i].name);
        if (!at) continue; /* the group's: checked there */
        Str name = labels.v[i].name;
        if (str_eq(name, LABEL_NAME_METRIC) || !rule_name_is_fine(name))
            FAIL_AT(r, rule, at->key, NULL, "invalid label name: %" STR_FMT, STR_ARG(name));
        if (!str_is_utf8(labels.v[i].value))
            FAIL_AT(r, rule, at, NULL, "invalid label value: %" STR_FMT, STR_ARG(labels.v[i].value));
    }
}

static void check_template(
    RuleReader *r, const RuleDef *rule, const char *kind, Str name, const YamlNode *at, Str text) {
    Err err = {0};
    char full[200];
    snprintf(full, sizeof full, "__alert_%.*s", (int)MIN(rule->name.n, 150), rule->name.p ? rule->name.p : "");
    if (rule_text_check(str_cstr(full), text, &err) != OK)
        FAIL_AT(r, rule, at, err.hint[0] ? err.hint : NULL, "%s \"%" STR_FMT "\": %s", kind, STR_ARG(name), err.msg);
}

static void check_alert(RuleReader *r, const RuleDef *rule, const RuleNodes *n) {
    for (size_t i = 0; i < rule->annotations.n; i++) {
        const YamlNode *at = rule_read_member(n->annotations, rule->annotations.v[i].name);
        Str name = rule->annotations.v[i].name;
        if (!rule_name_is_fine(name))
            FAIL_AT(r, rule, at->key, NULL, "invalid annotation name: %" STR_FMT, STR_ARG(name));
        check_template(r, rule, "annotation", name, at, rule->annotations.v[i].value);
    }
    for (size_t i = 0; n->labels && i < rule->labels.n; i++) {
        const YamlNode *at = rule_read_member(n->labels, rule->labels.v[i].name);
        if (at) check_template(r, rule, "label", rule->labels.v[i].name, at, rule->labels.v[i].value);
    }
}

static void check_recording(RuleReader *r, const RuleDef *rule, const RuleNodes *n) {
    static const char text[] = "invalid field '%s' in recording rule";
    if (n->annotations && rule->annotations.n)
        FAIL_AT(r, rule, n->annotations->key, "annotations belong to alerts", text, "annotations");
    if (n->hold && rule->for_ms) FAIL_AT(r, rule, n->hold->key, NULL, text, "for");
    if (n->keep && rule->keep_firing_for_ms) FAIL_AT(r, rule, n->keep->key, NULL, text, "keep_firing_for");
    if (rule->name.n && !rule_name_is_fine(rule->name))
        FAIL_AT(r, rule, n->record, NULL, "invalid recording rule name: %" STR_FMT, STR_ARG(rule->name));
    else if (str_find_char(rule->name, '{') != SIZE_MAX || str_find_char(rule->name, '}') != SIZE_MAX)
        FAIL_AT(r, rule, n->record, NULL, "braces present in the recording rule name; should it be in expr?: %" STR_FMT,
            STR_ARG(rule->name));
}

/* The group's labels, over them the rule's. */
static Labels merged(RuleReader *r, Labels group, Labels own) {
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

static void take_member(RuleReader *r, const YamlNode *it, RuleNodes *n, RuleDef *rule) {
    Str k = it->key->text;
    if (str_eq_lit(k, "record")) {
        n->record = it;
    } else if (str_eq_lit(k, "alert")) {
        n->alert = it;
    } else if (str_eq_lit(k, "expr")) {
        n->expr = it;
        rule->expr_node = it;
        rule->expr = str_trim(rule_read_scalar(r, it, "expr"));
    } else if (str_eq_lit(k, "for")) {
        n->hold = it;
        rule_read_duration(r, it, "for", &rule->for_ms);
    } else if (str_eq_lit(k, "keep_firing_for")) {
        n->keep = it;
        rule_read_duration(r, it, "keep_firing_for", &rule->keep_firing_for_ms);
    } else if (str_eq_lit(k, "labels")) {
        n->labels = it;
        rule->labels = rule_read_map(r, it, "labels");
    } else if (str_eq_lit(k, "annotations")) {
        n->annotations = it;
        rule->annotations = rule_read_map(r, it, "annotations");
    } else if (str_eq_lit(k, "datasource")) {
        (void)rule_read_datasource(r, it, &rule->datasource);
    } else if (str_eq_lit(k, "range")) {
        n->range = it;
        rule_read_range(r, it, &rule->range_ms);
    } else {
        rule_read_unknown_key(r, it, "type rulefmt.Rule", rule_keys, ARRAY_LEN(rule_keys));
    }
}

void rule_read_rule(RuleReader *r, const YamlNode *node, RuleDef *rule) {
    RuleNodes n = {0};
    *rule = (RuleDef){.datasource = r->datasource, .range_ms = r->range_ms, .line = node->line, .col = node->col};
    if (!rule_read_expect(r, node, YAML_MAPPING, "a rule")) return;
    for (const YamlNode *it = node->first; it; it = it->next) take_member(r, it, &n, rule);
    bool over_traces = str_eq_lit(rule->datasource, "tempo");
    if (!over_traces)
        rule->range_ms = 0;
    else if (!rule->range_ms)
        rule->range_ms = RULE_RANGE_MS_DEFAULT;
    Str record = n.record ? rule_read_scalar(r, n.record, "record") : STR("");
    Str alert = n.alert ? rule_read_scalar(r, n.alert, "alert") : STR("");
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
