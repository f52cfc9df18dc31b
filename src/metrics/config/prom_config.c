#include "metrics/config/prom_config_int.h"

#include <stdlib.h>

#define CONFIG_BYTES_MAX ((size_t)256 << 20)

/* --- sections that only have scalars are tables of keys --- */
#define GLOBAL(field) offsetof(PromConfig, field)
static const ConfigKey global_keys[] = {
    {STR_INIT("scrape_interval"), CONFIG_DURATION, GLOBAL(scrape_interval_ms), NULL},
    {STR_INIT("scrape_timeout"), CONFIG_DURATION, GLOBAL(scrape_timeout_ms), NULL},
    {STR_INIT("evaluation_interval"), CONFIG_DURATION, GLOBAL(evaluation_interval_ms), NULL},
    {STR_INIT("external_labels"), CONFIG_LABELS, GLOBAL(external_labels), NULL},
    {STR_INIT("rule_query_offset"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("query_log_file"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("scrape_failure_log_file"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("scrape_protocols"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("body_size_limit"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("sample_limit"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("target_limit"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("label_limit"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("label_name_length_limit"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("label_value_length_limit"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("keep_dropped_targets"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("metric_name_validation_scheme"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("metric_name_escaping_scheme"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("scrape_native_histograms"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("convert_classic_histograms_to_nhcb"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("always_scrape_classic_histograms"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("extra_scrape_metrics"), CONFIG_UNSUPPORTED, 0, NULL},
};

static void read_global(ConfigReader *r, const YamlNode *node, void *out) {
    config_mapping(r, node, STR("global"), global_keys, ARRAY_LEN(global_keys), out);
}

static void read_rule_files(ConfigReader *r, const YamlNode *node, void *out) {
    PromConfig *c = out;
    Str *v;
    c->n_rule_files = config_strings(r, node, &v);
    for (size_t i = 0; i < c->n_rule_files; i++) v[i] = config_path(r, v[i]);
    c->rule_files = v;
}

static void read_scrapes(ConfigReader *r, const YamlNode *node, void *out) {
    PromConfig *c = out;
    if (!config_expect(r, node, YAML_SEQUENCE, "a list of jobs")) return;
    PromScrapeConfig *v = ARENA_ARRAY(r->arena, PromScrapeConfig, node->n);
    if (!v) return config_exhausted(r);
    for (const YamlNode *it = node->first; it; it = it->next) {
        if (scrape_config_read(r, it, c, &v[c->n_scrapes])) c->n_scrapes++;
    }
    c->scrapes = v;
    for (size_t i = 0; i < c->n_scrapes; i++) {
        for (size_t k = 0; k < i; k++) {
            if (str_eq(v[i].job_name, v[k].job_name))
                config_error(r, v[i].line, 1, 1, NULL, "found multiple scrape configs with job name \"%" STR_FMT "\"",
                    STR_ARG(v[i].job_name));
        }
    }
}

static const ConfigKey top_keys[] = {
    {STR_INIT("global"), CONFIG_SKIP, 0, NULL}, /* read first: the jobs take their defaults from it */
    {STR_INIT("rule_files"), CONFIG_CUSTOM, 0, read_rule_files},
    {STR_INIT("scrape_configs"), CONFIG_CUSTOM, 0, read_scrapes},
    {STR_INIT("scrape_config_files"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("alerting"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("remote_write"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("remote_read"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("otlp"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("storage"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("tracing"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("runtime"), CONFIG_UNSUPPORTED, 0, NULL},
};

static void read_document(ConfigReader *r, const YamlNode *root, PromConfig *c) {
    c->scrape_interval_ms = c->evaluation_interval_ms = 60000;
    if (yaml_is_null(root)) return;
    if (!config_expect(r, root, YAML_MAPPING, "a mapping with global, scrape_configs, ...")) return;
    const YamlNode *global = yaml_get(root, STR("global"));
    if (!yaml_is_null(global)) read_global(r, global, c);
    if (c->scrape_interval_ms == 0) c->scrape_interval_ms = 60000;
    if (c->evaluation_interval_ms == 0) c->evaluation_interval_ms = 60000;
    if (c->scrape_timeout_ms == 0) c->scrape_timeout_ms = MIN(10000, c->scrape_interval_ms);
    if (c->scrape_timeout_ms > c->scrape_interval_ms)
        config_error(r, global->line, global->col, 1, NULL, "global scrape timeout greater than scrape interval");
    config_mapping(r, root, STR("the configuration"), top_keys, ARRAY_LEN(top_keys), c);
}

/* --- environment --- */
static const char *lookup_env(void *ctx, Str name) {
    (void)ctx;
    char *copy = str_dup_cstr(name);
    const char *value = getenv(copy);
    mem_free(copy);
    return value;
}

static bool names_variable(Str s) {
    size_t at = str_find(s, STR("${"));
    if (at == SIZE_MAX || at + 2 >= s.n) return false;
    char c = s.p[at + 2];
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Only scalars that name a variable are touched: passwords with $ in them stay what they are. */
static void expand_env(YamlNode *n, Arena *arena, DiagList *diags) {
    if (n->kind == YAML_SCALAR) {
        if (names_variable(n->text)) yaml_expand_env(n, arena, lookup_env, NULL, diags);
        return;
    }
    for (YamlNode *it = n->first; it; it = it->next) {
        if (it->key && str_ends_with(it->key->text, STR("relabel_configs"))) continue;
        expand_env(it, arena, diags);
    }
}

ErrCode prom_config_parse(Str text, Str base_dir, PromConfig **ret, DiagList *diags) {
    *ret = NULL;
    Arena *arena = arena_create(CONFIG_BYTES_MAX);
    PromConfig *c = ARENA_NEW(arena, PromConfig);
    ASSERT(c);
    c->arena = arena;
    YamlNode *root;
    ErrCode code = yaml_parse(text, arena, &root, diags);
    if (code == OK) {
        ConfigReader r = {.arena = arena, .diags = diags, .base_dir = arena_copy(arena, base_dir)};
        expand_env(root, arena, diags);
        read_document(&r, root, c);
        if (diag_error_count(diags)) code = ERR_INVALID;
    }
    if (code != OK) {
        arena_free(arena);
        return code;
    }
    *ret = c;
    return OK;
}

PromConfig *prom_config_free(PromConfig *c) {
    if (c) arena_free(c->arena);
    return NULL;
}
