/* rule_file.c - reads rule files; every problem is a diagnostic, and reading goes on behind it. */
#include "alert/rule_file_int.h"

#include "base/map.h"
#include "base/num.h"

/* --- groups --- */

static const Str group_keys[] = {STR_INIT("name"), STR_INIT("interval"), STR_INIT("query_offset"), STR_INIT("limit"),
    STR_INIT("labels"), STR_INIT("rules"), STR_INIT("datasource"), STR_INIT("range"), STR_INIT("evaluation_delay"),
    STR_INIT("align_evaluation_time_on_interval"), STR_INIT("source_tenants"), STR_INIT("remote_write")};

static void no_effect(RuleReader *r, const YamlNode *it) {
    diag_add(r->diags, DIAG_WARNING, it->key->line, it->key->col, it->key->len, NULL, "%" STR_FMT " has no effect here",
        STR_ARG(it->key->text));
}

static void read_limit(RuleReader *r, const YamlNode *it, int64_t *ret) {
    Str s = rule_read_scalar(r, it, "limit");
    if (s.n && (!num_parse_i64(s, ret) || *ret < 0)) {
        rule_read_fail(r, it, NULL, "limit must be a number of series, not \"%" STR_FMT "\"", STR_ARG(s));
        *ret = 0;
    }
}

/* What a group says besides its rules. */
static const YamlNode *read_group_head(RuleReader *r, const YamlNode *node, RuleGroupDef *g) {
    const YamlNode *rules = NULL, *labels = NULL;
    *g = (RuleGroupDef){
        .query_offset_ms = -1, .line = node->line, .col = node->col, .datasource = r->datasource, .name = STR("")};
    for (const YamlNode *it = node->first; it; it = it->next) {
        Str k = it->key->text;
        if (str_eq_lit(k, "name")) {
            g->name = rule_read_scalar(r, it, "name");
        } else if (str_eq_lit(k, "interval")) {
            rule_read_duration(r, it, "interval", &g->interval_ms);
        } else if (str_eq_lit(k, "query_offset") || str_eq_lit(k, "evaluation_delay")) {
            rule_read_duration(r, it, "query_offset", &g->query_offset_ms);
        } else if (str_eq_lit(k, "limit")) {
            read_limit(r, it, &g->limit);
        } else if (str_eq_lit(k, "labels")) {
            labels = it;
        } else if (str_eq_lit(k, "rules")) {
            rules = it;
        } else if (str_eq_lit(k, "datasource")) {
            (void)rule_read_datasource(r, it, &g->datasource);
        } else if (str_eq_lit(k, "range")) {
            rule_read_range(r, it, &g->range_ms);
        } else if (str_eq_lit(k, "align_evaluation_time_on_interval") || str_eq_lit(k, "source_tenants") ||
                   str_eq_lit(k, "remote_write")) {
            no_effect(r, it);
        } else {
            rule_read_unknown_key(r, it, "type rulefmt.RuleGroup", group_keys, ARRAY_LEN(group_keys));
        }
    }
    if (labels) {
        g->labels = rule_read_map(r, labels, "labels");
        for (size_t i = 0; i < g->labels.n; i++)
            if (!rule_name_is_fine(g->labels.v[i].name) || str_eq(g->labels.v[i].name, LABEL_NAME_METRIC))
                rule_read_fail(r, labels, NULL, "group \"%" STR_FMT "\": invalid label name: %" STR_FMT,
                    STR_ARG(g->name), STR_ARG(g->labels.v[i].name));
    }
    return rules;
}

static void read_group(RuleReader *r, const YamlNode *node, RuleGroupDef *g) {
    *g = (RuleGroupDef){0};
    if (!rule_read_expect(r, node, YAML_MAPPING, "a group")) return;
    Str outer = r->datasource;
    int64_t outer_range_ms = r->range_ms;
    const YamlNode *rules = read_group_head(r, node, g);
    if (g->name.n == 0) rule_read_fail(r, node, NULL, "Groupname must not be empty");
    if (!rules || rules->kind == YAML_NULL || !rule_read_expect(r, rules, YAML_SEQUENCE, "rules")) return;
    RuleDef *v = arena_alloc_zero(r->arena, (rules->n + 1) * sizeof *v);
    if (!v) return;
    r->group = g;
    r->datasource = g->datasource;
    if (g->range_ms) r->range_ms = g->range_ms;
    r->index = 0;
    for (const YamlNode *it = rules->first; it; it = it->next) {
        r->index++;
        rule_read_rule(r, it, &v[g->n_rules++]);
    }
    g->rules = v;
    r->datasource = outer;
    r->range_ms = outer_range_ms;
}

static void read_groups(RuleReader *r, const YamlNode *node, RuleFile *ret) {
    if (node->kind == YAML_NULL || !rule_read_expect(r, node, YAML_SEQUENCE, "groups")) return;
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
        if (!fresh)
            rule_read_fail(r, it, NULL, "groupname: \"%" STR_FMT "\" is repeated in the same file", STR_ARG(g->name));
    }
    map_free(seen);
}

static const Str file_keys[] = {STR_INIT("groups"), STR_INIT("datasource"), STR_INIT("range"), STR_INIT("namespace")};

static void read_file(RuleReader *r, const YamlNode *root, RuleFile *ret) {
    if (root->kind == YAML_NULL) return; /* an empty file has no rules */
    if (root->kind == YAML_SEQUENCE) {
        rule_read_fail(r, root, "rules stand in groups: `groups: [{name: x, rules: [...]}]`",
            "cannot unmarshal !!seq into rulefmt.RuleGroups");
        return;
    }
    if (!rule_read_expect(r, root, YAML_MAPPING, "a rule file")) return;
    const YamlNode *datasource = rule_read_member(root, STR("datasource")),
                   *groups = rule_read_member(root, STR("groups")), *range = rule_read_member(root, STR("range"));
    if (datasource) (void)rule_read_datasource(r, datasource, &r->datasource);
    if (range) rule_read_range(r, range, &r->range_ms);
    for (const YamlNode *it = root->first; it; it = it->next) {
        if (it == datasource || it == groups || it == range || str_eq_lit(it->key->text, "namespace")) continue;
        rule_read_unknown_key(r, it, "type rulefmt.RuleGroups", file_keys, ARRAY_LEN(file_keys));
    }
    if (groups) read_groups(r, groups, ret);
}

static ErrCode finish(RuleReader *r) {
    if (arena_exhausted(r->arena)) {
        diag_add(r->diags, DIAG_ERROR, 0, 0, 1, NULL, "the rules do not fit in memory");
        return ERR_TOO_LARGE;
    }
    return diag_error_count(r->diags) ? ERR_INVALID : OK;
}

ErrCode rule_file_parse(const RuleFileOptions *opts, Arena *arena, RuleFile *ret, DiagList *diags) {
    RuleReader r = {.opts = opts, .arena = arena, .diags = diags, .datasource = opts->datasource};
    YamlNode *root;
    *ret = (RuleFile){0};
    ErrCode code = yaml_parse(diags->source, arena, &root, diags);
    if (code != OK) return code;
    read_file(&r, root, ret);
    return finish(&r);
}

ErrCode rule_group_parse(const RuleFileOptions *opts, Arena *arena, RuleGroupDef *ret, DiagList *diags) {
    RuleReader r = {.opts = opts, .arena = arena, .diags = diags, .datasource = opts->datasource};
    YamlNode *root;
    *ret = (RuleGroupDef){0};
    ErrCode code = yaml_parse(diags->source, arena, &root, diags);
    if (code != OK) return code;
    read_group(&r, root, ret);
    return finish(&r);
}
