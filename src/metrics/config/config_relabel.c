#include "metrics/config/prom_config_int.h"

typedef struct RuleText {
    RelabelRule rule;
    Str action;
} RuleText;

static void read_sources(ConfigReader *r, const YamlNode *node, void *out) {
    RelabelRule *rule = &((RuleText *)out)->rule;
    Str *v;
    rule->n_source_labels = config_strings(r, node, &v);
    rule->source_labels = v;
}

#define RULE(field) offsetof(RuleText, rule.field)
static const ConfigKey rule_keys[] = {
    {STR_INIT("source_labels"), CONFIG_CUSTOM, 0, read_sources},
    {STR_INIT("separator"), CONFIG_STR, RULE(separator), NULL},
    {STR_INIT("regex"), CONFIG_STR, RULE(regex_text), NULL},
    {STR_INIT("modulus"), CONFIG_UINT, RULE(modulus), NULL},
    {STR_INIT("target_label"), CONFIG_STR, RULE(target_label), NULL},
    {STR_INIT("replacement"), CONFIG_STR, RULE(replacement), NULL},
    {STR_INIT("action"), CONFIG_STR, offsetof(RuleText, action), NULL},
};

static void free_regex(void *ctx) { regex_free(ctx); }

static bool has_variable(Str s) {
    size_t at = str_find_char(s, '$');
    return at != SIZE_MAX && at + 1 < s.n;
}

/* With UTF-8 names anything that is UTF-8 and not empty is a label's name. */
static bool is_label_name(Str s) { return s.n > 0 && str_is_utf8(s); }

static void complain(ConfigReader *r, const YamlNode *rule, const char *key, const RuleText *t, const char *what) {
    config_error_key(r, rule, key, "%s %" STR_FMT " action", what, STR_ARG(t->action));
}

/* What the action needs and must not have. */
static bool check_rule(ConfigReader *r, const YamlNode *node, const RuleText *t) {
    const RelabelRule *x = &t->rule;
    size_t before = diag_error_count(r->diags);
    bool equal = x->action == RELABEL_KEEPEQUAL || x->action == RELABEL_DROPEQUAL;
    bool change = equal || x->action == RELABEL_LOWERCASE || x->action == RELABEL_UPPERCASE;
    bool target = change || x->action == RELABEL_REPLACE || x->action == RELABEL_HASHMOD;
    bool names = x->action == RELABEL_LABELDROP || x->action == RELABEL_LABELKEEP;
    bool separator = !str_eq_lit(x->separator, ";"), replacement = !str_eq_lit(x->replacement, "$1");
    bool regex = !str_eq_lit(x->regex_text, "(.*)");
    if (x->action == RELABEL_HASHMOD && x->modulus == 0)
        config_error_key(r, node, "modulus", "relabel configuration for hashmod requires non-zero modulus");
    if (target && x->target_label.n == 0)
        config_error_key(r, node, "action",
            "relabel configuration for %" STR_FMT " action requires 'target_label' value", STR_ARG(t->action));
    else if (target && !has_variable(x->target_label) && !is_label_name(x->target_label))
        complain(r, node, "target_label", t, "the 'target_label' is invalid for");
    if (equal && (regex || x->modulus || separator || replacement))
        complain(r, node, "action", t, "only 'source_labels' and 'target_label', and no other fields, are for");
    else if (change && replacement)
        complain(r, node, "replacement", t, "'replacement' can not be set for");
    if (x->action == RELABEL_LABELMAP && !is_label_name(x->replacement))
        complain(r, node, "replacement", t, "the 'replacement' is invalid for");
    if (names && (x->n_source_labels || x->target_label.n || x->modulus || separator || replacement))
        complain(r, node, "action", t, "only 'regex', and no other fields, is for");
    return diag_error_count(r->diags) == before;
}

static bool read_rule(ConfigReader *r, const YamlNode *node, RelabelRule *ret) {
    RuleText t = {
        .rule = {.separator = STR(";"), .regex_text = STR("(.*)"), .replacement = STR("$1")}, .action = STR("replace")};
    if (!config_item(r, node, "relabeling rule")) return false;
    if (!config_mapping(r, node, STR("a relabelling rule"), rule_keys, ARRAY_LEN(rule_keys), &t)) return false;
    /* An empty string is a value here, other than an absent key. */
    const YamlNode *regex = yaml_get(node, STR("regex"));
    if (regex && regex->kind == YAML_NULL) t.rule.regex_text = STR("");
    const YamlNode *action = yaml_get(node, STR("action"));
    if (action && action->kind == YAML_NULL) t.action = STR("");
    if (!relabel_action_parse(t.action, &t.rule.action)) {
        config_error_key(r, node, "action", "unknown relabel action \"%" STR_FMT "\"", STR_ARG(t.action));
        return false;
    }
    if (!check_rule(r, node, &t)) return false;
    Regex *re;
    Err err;
    if (regex_compile(t.rule.regex_text, REGEX_ANCHORED, &re, &err) != OK) {
        config_error_key(r, node, "regex", "%s", err.msg);
        return false;
    }
    arena_defer(r->arena, free_regex, re);
    t.rule.regex = re;
    *ret = t.rule;
    return true;
}

void config_relabel(ConfigReader *r, const YamlNode *node, RelabelRules *ret) {
    if (!config_expect(r, node, YAML_SEQUENCE, "a list of relabelling rules")) return;
    RelabelRule *v = ARENA_ARRAY(r->arena, RelabelRule, node->n);
    if (!v) return config_exhausted(r);
    size_t n = 0;
    for (const YamlNode *it = node->first; it; it = it->next) n += read_rule(r, it, &v[n]);
    *ret = (RelabelRules){v, n};
}
