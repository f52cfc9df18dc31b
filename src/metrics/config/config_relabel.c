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

static bool is_default(const RelabelRule *x) {
    return str_eq_lit(x->regex_text, "(.*)") && str_eq_lit(x->separator, ";") && str_eq_lit(x->replacement, "$1") &&
           x->modulus == 0;
}

/* What the action needs and must not have; NULL when all is well. */
static const char *complaint(const RelabelRule *x) {
    if (x->action == RELABEL_HASHMOD && x->modulus == 0)
        return "relabel configuration for hashmod requires non-zero modulus";
    switch (x->action) {
    case RELABEL_HASHMOD:
    case RELABEL_REPLACE:
    case RELABEL_LOWERCASE:
    case RELABEL_UPPERCASE:
        return x->target_label.n ? NULL : "relabel configuration for this action requires 'target_label' value";
    case RELABEL_KEEPEQUAL:
    case RELABEL_DROPEQUAL:
        if (!x->target_label.n) return "relabel configuration for this action requires 'target_label' value";
        return is_default(x) ? NULL : "keepequal and dropequal take only 'source_labels' and 'target_label'";
    case RELABEL_LABELDROP:
    case RELABEL_LABELKEEP:
        return x->n_source_labels || x->target_label.n ? "labeldrop and labelkeep take only 'regex'" : NULL;
    default: return NULL;
    }
}

static bool read_rule(ConfigReader *r, const YamlNode *node, RelabelRule *ret) {
    RuleText t = {
        .rule = {.separator = STR(";"), .regex_text = STR("(.*)"), .replacement = STR("$1")}, .action = STR("replace")};
    if (!config_mapping(r, node, STR("a relabelling rule"), rule_keys, ARRAY_LEN(rule_keys), &t)) return false;
    /* An empty string is a value here, other than an absent key. */
    if (!relabel_action_parse(t.action, &t.rule.action)) {
        config_error(r, node->line, node->col, 1, NULL, "unknown relabel action \"%" STR_FMT "\"", STR_ARG(t.action));
        return false;
    }
    const char *bad = complaint(&t.rule);
    if (bad) {
        config_error(r, node->line, node->col, 1, NULL, "%s", bad);
        return false;
    }
    Regex *re;
    Err err;
    if (regex_compile(t.rule.regex_text, REGEX_ANCHORED, &re, &err) != OK) {
        config_error(r, node->line, node->col, 1, NULL, "regex: %s", err.msg);
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
