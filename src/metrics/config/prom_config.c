#include "metrics/config/prom_config_int.h"
#include "sys/fs.h"
#include "sys/fs_glob.h"

#include <stdio.h>

#define CONFIG_BYTES_MAX ((size_t)256 << 20)
#define INCLUDED_BYTES_MAX ((size_t)16 << 20)

/* --- global --- */
#define GLOBAL(field) offsetof(PromConfig, field)
static const ConfigKey global_keys[] = {
    {STR_INIT("scrape_interval"), CONFIG_DURATION, GLOBAL(scrape_interval_ms), NULL},
    {STR_INIT("scrape_timeout"), CONFIG_DURATION, GLOBAL(scrape_timeout_ms), NULL},
    {STR_INIT("evaluation_interval"), CONFIG_DURATION, GLOBAL(evaluation_interval_ms), NULL},
    {STR_INIT("external_labels"), CONFIG_LABELS, GLOBAL(external_labels), NULL},
    {STR_INIT("rule_query_offset"), CONFIG_DURATION, GLOBAL(rule_query_offset_ms), NULL},
    {STR_INIT("query_log_file"), CONFIG_PATH, GLOBAL(query_log_file), NULL},
};

static void read_global(ConfigReader *r, const YamlNode *node, PromConfig *c) {
    const ConfigTable tables[] = {
        {global_keys, ARRAY_LEN(global_keys), 0}, {config_shared_keys, config_shared_keys_n, GLOBAL(set)}};
    if (!config_mapping_of(r, node, STR("global"), tables, ARRAY_LEN(tables), c)) return;
    for (size_t i = 0; i < c->external_labels.n; i++) {
        Str name = c->external_labels.v[i].name;
        if (!str_is_utf8(name) || name.n == 0 || (c->set.legacy_names && !label_name_is_legacy(name)))
            config_error_key(r, node, "external_labels", "\"%" STR_FMT "\" is not a valid label name", STR_ARG(name));
    }
    int64_t interval = c->scrape_interval_ms ? c->scrape_interval_ms : 60000;
    if (c->scrape_timeout_ms > interval)
        config_error_key(r, node, "scrape_timeout", "global scrape timeout greater than scrape interval");
    scrape_shared_check(r, node, &c->set);
}

static void global_defaults(PromConfig *c) {
    if (c->scrape_interval_ms == 0) c->scrape_interval_ms = 60000;
    if (c->evaluation_interval_ms == 0) c->evaluation_interval_ms = 60000;
    if (c->scrape_timeout_ms == 0) c->scrape_timeout_ms = MIN(10000, c->scrape_interval_ms);
    if (c->set.escaping == ESCAPE_DEFAULT) c->set.escaping = ESCAPE_ALLOW_UTF8;
}

/* --- files named by globs --- */
/* A wildcard in the last part only, as Prometheus has it. */
static bool is_pattern(Str s) {
    size_t star = str_find_char(s, '*');
    return s.n > 0 && (star == SIZE_MAX || str_find_char(str_skip(s, star), '/') == SIZE_MAX);
}

static size_t read_patterns(ConfigReader *r, const YamlNode *node, const char *what, Str **ret) {
    size_t n = config_strings(r, node, ret), kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_pattern((*ret)[i]))
            (*ret)[kept++] = config_path(r, (*ret)[i]);
        else
            config_error(
                r, node->line, node->col, 1, NULL, "invalid %s file path \"%" STR_FMT "\"", what, STR_ARG((*ret)[i]));
    }
    return kept;
}

static void read_rule_files(ConfigReader *r, const YamlNode *node, void *out) {
    PromConfig *c = out;
    Str *v;
    c->n_rule_files = read_patterns(r, node, "rule", &v);
    c->rule_files = v;
}

/* --- jobs --- */
/* Appends; the vector lives in the configuration. */
static void add_job(ConfigReader *r, PromConfig *c, const PromScrapeConfig *job, const YamlNode *at) {
    for (size_t i = 0; i < c->n_scrapes; i++) {
        if (str_eq(c->scrapes[i].job_name, job->job_name))
            config_error_key(r, at, "job_name", "found multiple scrape configs with job name \"%" STR_FMT "\"",
                STR_ARG(job->job_name));
    }
    size_t bytes = c->n_scrapes * sizeof *job;
    PromScrapeConfig *v = arena_grow(r->arena, (void *)(uintptr_t)c->scrapes, bytes, bytes + sizeof *job);
    if (!v) return config_exhausted(r);
    v[c->n_scrapes++] = *job;
    c->scrapes = v;
}

static void read_scrapes(ConfigReader *r, const YamlNode *node, void *out) {
    PromConfig *c = out;
    if (!config_expect(r, node, YAML_SEQUENCE, "a list of jobs")) return;
    for (const YamlNode *it = node->first; it; it = it->next) {
        PromScrapeConfig job;
        if (scrape_config_read(r, it, c, &job)) add_job(r, c, &job, it);
    }
}

static Str dir_of(Str path) {
    size_t slash = str_rfind_char(path, '/');
    return slash == SIZE_MAX ? STR("") : slash == 0 ? STR("/") : str_slice(path, 0, slash);
}

/* Problems of an included file are told at the place that names it, with their own place in front. */
static void adopt_diags(ConfigReader *r, const YamlNode *node, Str file, const DiagList *inner) {
    vec_foreach(const Diag, d, &inner->items) {
        diag_add(r->diags, d->level, node->line, node->col, 1, d->hint, "%" STR_FMT ":%d:%d: %s", STR_ARG(file),
            d->line, d->col, d->msg);
    }
}

static void read_included(ConfigReader *r, const YamlNode *node, Str file, PromConfig *c) {
    static const ConfigKey keys[] = {{STR_INIT("scrape_configs"), CONFIG_CUSTOM, 0, read_scrapes}};
    Buf raw = {0};
    Err err = {0};
    if (fs_read_file(fs_real(), file.p, INCLUDED_BYTES_MAX, &raw, &err) != OK) {
        config_error(r, node->line, node->col, 1, NULL, "%s", err.msg);
        buf_done(&raw);
        return;
    }
    DiagList diags;
    Str text = arena_copy(r->arena, buf_str(&raw));
    buf_done(&raw);
    diag_init(&diags, file, text);
    YamlNode *root;
    ConfigReader inner = {
        .arena = r->arena, .diags = &diags, .base_dir = arena_copy(r->arena, dir_of(file)), .strict = r->strict};
    if (yaml_parse(text, r->arena, &root, &diags) == OK && !yaml_is_null(root)) {
        config_expand_env(root, r->arena, &diags);
        config_mapping(&inner, root, STR("a scrape config file"), keys, ARRAY_LEN(keys), c);
    }
    adopt_diags(r, node, file, &diags);
    diag_done(&diags);
}

static void read_scrape_files(ConfigReader *r, const YamlNode *node, PromConfig *c) {
    Str *patterns, *files;
    size_t n = read_patterns(r, node, "scrape config", &patterns), n_files;
    for (size_t i = 0; i < n; i++) {
        Err err = {0};
        if (fs_glob(patterns[i], r->arena, &files, &n_files, &err) != OK)
            config_error(r, node->line, node->col, 1, NULL, "%s", err.msg);
        for (size_t k = 0; k < n_files; k++) read_included(r, node, files[k], c);
    }
}

/* --- the document --- */
static void read_runtime(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {{STR_INIT("gogc"), CONFIG_UNSUPPORTED, 0, NULL}};
    config_mapping(r, node, STR("runtime"), keys, ARRAY_LEN(keys), out);
}

static const ConfigKey top_keys[] = {
    {STR_INIT("global"), CONFIG_SKIP, 0, NULL}, /* read first: the jobs take their defaults from it */
    {STR_INIT("rule_files"), CONFIG_CUSTOM, 0, read_rule_files},
    {STR_INIT("scrape_configs"), CONFIG_CUSTOM, 0, read_scrapes},
    {STR_INIT("scrape_config_files"), CONFIG_SKIP, 0, NULL}, /* after the main file's jobs */
    {STR_INIT("alerting"), CONFIG_CUSTOM, 0, config_read_alerting},
    {STR_INIT("remote_write"), CONFIG_CUSTOM, 0, config_read_remote_write},
    {STR_INIT("remote_read"), CONFIG_CUSTOM, 0, config_read_remote_read},
    {STR_INIT("otlp"), CONFIG_CUSTOM, 0, config_read_otlp},
    {STR_INIT("storage"), CONFIG_CUSTOM, 0, config_read_storage},
    {STR_INIT("tracing"), CONFIG_CUSTOM, 0, config_read_tracing},
    {STR_INIT("runtime"), CONFIG_CUSTOM, 0, read_runtime},
};

static void read_document(ConfigReader *r, const YamlNode *root, PromConfig *c) {
    c->storage.max_exemplars = -1;
    bool mapping =
        !yaml_is_null(root) && config_expect(r, root, YAML_MAPPING, "a mapping with global, scrape_configs, ...");
    const YamlNode *global = mapping ? yaml_get(root, STR("global")) : NULL;
    if (!yaml_is_null(global)) read_global(r, global, c);
    global_defaults(c);
    if (!mapping) return;
    config_mapping(r, root, STR("the configuration"), top_keys, ARRAY_LEN(top_keys), c);
    const YamlNode *files = yaml_get(root, STR("scrape_config_files"));
    if (!yaml_is_null(files)) read_scrape_files(r, files, c);
}

static ErrCode parse(Str text, Str base_dir, bool strict, PromConfig **ret, DiagList *diags) {
    *ret = NULL;
    Arena *arena = arena_create(CONFIG_BYTES_MAX);
    PromConfig *c = ARENA_NEW(arena, PromConfig);
    ASSERT(c);
    c->arena = arena;
    atomic_init(&c->refs, 1);
    YamlNode *root;
    ErrCode code = yaml_parse(text, arena, &root, diags);
    if (code == OK) {
        ConfigReader r = {.arena = arena, .diags = diags, .base_dir = arena_copy(arena, base_dir), .strict = strict};
        config_expand_env(root, arena, diags);
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

ErrCode prom_config_parse(Str text, Str base_dir, PromConfig **ret, DiagList *diags) {
    return parse(text, base_dir, false, ret, diags);
}

ErrCode prom_config_check(Str text, Str base_dir, PromConfig **ret, DiagList *diags) {
    return parse(text, base_dir, true, ret, diags);
}

PromConfig *prom_config_ref(PromConfig *c) {
    atomic_fetch_add(&c->refs, 1);
    return c;
}

PromConfig *prom_config_free(PromConfig *c) {
    if (c && atomic_fetch_sub(&c->refs, 1) == 1) arena_free(c->arena);
    return NULL;
}
