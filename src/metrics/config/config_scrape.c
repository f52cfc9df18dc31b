#include "metrics/config/prom_config_int.h"

/* --- protocols --- */
static const Str protocol_names[] = {
    [PROTOCOL_NONE] = STR_INIT(""),
    [PROTOCOL_PROTO] = STR_INIT("PrometheusProto"),
    [PROTOCOL_TEXT_004] = STR_INIT("PrometheusText0.0.4"),
    [PROTOCOL_TEXT_100] = STR_INIT("PrometheusText1.0.0"),
    [PROTOCOL_OPENMETRICS_001] = STR_INIT("OpenMetricsText0.0.1"),
    [PROTOCOL_OPENMETRICS_100] = STR_INIT("OpenMetricsText1.0.0"),
};

ScrapeProtocol scrape_protocol_parse(Str name) {
    for (size_t i = PROTOCOL_PROTO; i < ARRAY_LEN(protocol_names); i++) {
        if (str_eq(name, protocol_names[i])) return (ScrapeProtocol)i;
    }
    return PROTOCOL_NONE;
}

const char *scrape_protocol_name(ScrapeProtocol p) { return protocol_names[p].p; }

static ScrapeProtocol read_protocol(ConfigReader *r, const YamlNode *node) {
    int i = config_word(
        r, node, protocol_names + PROTOCOL_PROTO, ARRAY_LEN(protocol_names) - PROTOCOL_PROTO, "scrape protocol");
    return i < 0 ? PROTOCOL_NONE : (ScrapeProtocol)(i + PROTOCOL_PROTO);
}

static void read_protocols(ConfigReader *r, const YamlNode *node, void *out) {
    PromScrapeShared *s = out;
    if (!config_expect(r, node, YAML_SEQUENCE, "a list of scrape protocols")) return;
    s->n_protocols = 0;
    if (node->n == 0) config_error(r, node->line, node->col, 1, NULL, "scrape_protocols cannot be empty");
    for (const YamlNode *it = node->first; it; it = it->next) {
        ScrapeProtocol p = read_protocol(r, it);
        bool twice = memchr(s->protocols, p, s->n_protocols) != NULL;
        if (twice) config_error(r, it->line, it->col, it->len, NULL, "duplicated protocol in scrape_protocols");
        if (p != PROTOCOL_NONE && !twice) s->protocols[s->n_protocols++] = (uint8_t)p;
    }
}

static void read_fallback(ConfigReader *r, const YamlNode *node, void *out) {
    ((PromScrapeConfig *)out)->fallback_protocol = read_protocol(r, node);
}

static void default_protocols(PromScrapeShared *s) {
    static const uint8_t order[] = {
        PROTOCOL_PROTO, PROTOCOL_OPENMETRICS_100, PROTOCOL_OPENMETRICS_001, PROTOCOL_TEXT_100, PROTOCOL_TEXT_004};
    s->default_protocols = true;
    for (size_t i = s->native_histograms ? 0 : 1; i < ARRAY_LEN(order); i++) s->protocols[s->n_protocols++] = order[i];
}

/* --- names --- */
static void read_validation(ConfigReader *r, const YamlNode *node, void *out) {
    static const Str words[] = {STR_INIT("utf8"), STR_INIT("legacy")};
    int i = config_word(r, node, words, ARRAY_LEN(words), "name validation scheme");
    if (i >= 0) ((PromScrapeShared *)out)->legacy_names = i == 1;
}

static void read_escaping(ConfigReader *r, const YamlNode *node, void *out) {
    static const Str words[] = {STR_INIT("allow-utf-8"), STR_INIT("underscores"), STR_INIT("dots"), STR_INIT("values")};
    int i = config_word(r, node, words, ARRAY_LEN(words), "name escaping scheme");
    if (i >= 0) ((PromScrapeShared *)out)->escaping = (NameEscaping)(ESCAPE_ALLOW_UTF8 + i);
}

void scrape_shared_check(ConfigReader *r, const YamlNode *mapping, PromScrapeShared *s) {
    if (s->escaping == ESCAPE_DEFAULT) s->escaping = s->legacy_names ? ESCAPE_UNDERSCORES : ESCAPE_ALLOW_UTF8;
    if (s->escaping == ESCAPE_ALLOW_UTF8 && s->legacy_names)
        config_error_key(r, mapping, "metric_name_escaping_scheme",
            "utf8 metric names requested but validation scheme is not set to UTF8");
}

#define SHARED(field) offsetof(PromScrapeShared, field)
const ConfigKey config_shared_keys[] = {
    {STR_INIT("scrape_protocols"), CONFIG_CUSTOM, 0, read_protocols},
    {STR_INIT("scrape_failure_log_file"), CONFIG_PATH, SHARED(failure_log_file), NULL},
    {STR_INIT("body_size_limit"), CONFIG_SIZE, SHARED(limits.body_bytes), NULL},
    {STR_INIT("sample_limit"), CONFIG_UINT, SHARED(limits.sample), NULL},
    {STR_INIT("target_limit"), CONFIG_UINT, SHARED(limits.target), NULL},
    {STR_INIT("label_limit"), CONFIG_UINT, SHARED(limits.label), NULL},
    {STR_INIT("label_name_length_limit"), CONFIG_UINT, SHARED(limits.label_name_length), NULL},
    {STR_INIT("label_value_length_limit"), CONFIG_UINT, SHARED(limits.label_value_length), NULL},
    {STR_INIT("keep_dropped_targets"), CONFIG_UINT, SHARED(limits.keep_dropped), NULL},
    {STR_INIT("metric_name_validation_scheme"), CONFIG_CUSTOM, 0, read_validation},
    {STR_INIT("metric_name_escaping_scheme"), CONFIG_CUSTOM, 0, read_escaping},
    {STR_INIT("scrape_native_histograms"), CONFIG_BOOL, SHARED(native_histograms), NULL},
    {STR_INIT("convert_classic_histograms_to_nhcb"), CONFIG_BOOL, SHARED(convert_to_nhcb), NULL},
    {STR_INIT("always_scrape_classic_histograms"), CONFIG_BOOL, SHARED(always_classic), NULL},
    {STR_INIT("extra_scrape_metrics"), CONFIG_BOOL, SHARED(extra_metrics), NULL},
};
const size_t config_shared_keys_n = ARRAY_LEN(config_shared_keys);

/* 0 in a job means the global limit. */
static void inherit_limits(PromScrapeLimits *l, const PromScrapeLimits *global) {
    uint64_t *const mine[] = {&l->sample, &l->target, &l->label, &l->label_name_length, &l->label_value_length,
        &l->body_bytes, &l->keep_dropped};
    const uint64_t theirs[] = {global->sample, global->target, global->label, global->label_name_length,
        global->label_value_length, global->body_bytes, global->keep_dropped};
    for (size_t i = 0; i < ARRAY_LEN(mine); i++) {
        if (*mine[i] == 0) *mine[i] = theirs[i];
    }
}

/* --- a job --- */
static void read_params(ConfigReader *r, const YamlNode *node, void *out) {
    config_params(r, node, false, &((PromScrapeConfig *)out)->params);
}

#define JOB(field) offsetof(PromScrapeConfig, field)
static const ConfigKey job_keys[] = {
    {STR_INIT("job_name"), CONFIG_STR, JOB(job_name), NULL},
    {STR_INIT("scrape_interval"), CONFIG_DURATION, JOB(interval_ms), NULL},
    {STR_INIT("scrape_timeout"), CONFIG_DURATION, JOB(timeout_ms), NULL},
    {STR_INIT("metrics_path"), CONFIG_STR, JOB(metrics_path), NULL},
    {STR_INIT("scheme"), CONFIG_STR, JOB(scheme), NULL},
    {STR_INIT("params"), CONFIG_CUSTOM, 0, read_params},
    {STR_INIT("honor_labels"), CONFIG_BOOL, JOB(honor_labels), NULL},
    {STR_INIT("honor_timestamps"), CONFIG_NOT_BOOL, JOB(ignore_timestamps), NULL},
    {STR_INIT("track_timestamps_staleness"), CONFIG_BOOL, JOB(track_timestamps_staleness), NULL},
    {STR_INIT("enable_compression"), CONFIG_NOT_BOOL, JOB(no_compression), NULL},
    {STR_INIT("fallback_scrape_protocol"), CONFIG_CUSTOM, 0, read_fallback},
    {STR_INIT("native_histogram_bucket_limit"), CONFIG_UINT, JOB(native_bucket_limit), NULL},
    {STR_INIT("native_histogram_min_bucket_factor"), CONFIG_F64, JOB(native_min_bucket_factor), NULL},
    /* The name always_scrape_classic_histograms had in Prometheus 2. */
    {STR_INIT("scrape_classic_histograms"), CONFIG_BOOL, JOB(set.always_classic), NULL},
    {STR_INIT("relabel_configs"), CONFIG_RELABEL, JOB(relabel), NULL},
    {STR_INIT("metric_relabel_configs"), CONFIG_RELABEL, JOB(metric_relabel), NULL},
};

static bool is_discovery(Str key) {
    return str_ends_with(key, STR("_sd_configs")) || str_eq_lit(key, "static_configs") ||
           str_eq_lit(key, "relabel_configs");
}

static void put_shared(Buf *b, const PromScrapeShared *s) {
    const uint64_t numbers[] = {s->limits.sample, s->limits.label, s->limits.label_name_length,
        s->limits.label_value_length, s->limits.body_bytes, s->escaping, s->legacy_names, s->native_histograms,
        s->convert_to_nhcb, s->always_classic, s->extra_metrics};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) buf_put_uvarint(b, numbers[i]);
    buf_put(b, s->protocols, s->n_protocols);
    buf_put_lenstr(b, s->failure_log_file);
}

static void describe(ConfigReader *r, const YamlNode *node, PromScrapeConfig *c) {
    Buf b = {0};
    put_shared(&b, &c->set);
    config_put_node(&b, node, false, is_discovery);
    c->fingerprint = arena_copy(r->arena, buf_str(&b));
    buf_clear(&b);
    config_put_node(&b, node, true, NULL);
    c->yaml = arena_copy(r->arena, buf_str(&b));
    buf_done(&b);
    if (!c->fingerprint.p || !c->yaml.p) config_exhausted(r);
}

static void check_job(ConfigReader *r, const YamlNode *node, const PromConfig *global, PromScrapeConfig *c) {
    if (c->job_name.n == 0) config_error_key(r, node, "job_name", "job_name is empty");
    if (c->interval_ms == 0) c->interval_ms = global->scrape_interval_ms;
    if (c->timeout_ms > c->interval_ms)
        config_error_key(r, node, "scrape_timeout",
            "scrape timeout greater than scrape interval for scrape config with job name \"%" STR_FMT "\"",
            STR_ARG(c->job_name));
    if (c->timeout_ms == 0) c->timeout_ms = MIN(global->scrape_timeout_ms, c->interval_ms);
    if (!str_eq_lit(c->scheme, "http") && !str_eq_lit(c->scheme, "https"))
        config_error_key(r, node, "scheme", "scheme \"%" STR_FMT "\" is neither http nor https", STR_ARG(c->scheme));
    config_check_http(r, node, &c->http);
    config_check_targets(r, &c->sd, c->relabel);
}

bool scrape_config_read(ConfigReader *r, const YamlNode *node, const PromConfig *global, PromScrapeConfig *ret) {
    const ConfigTable tables[] = {{job_keys, ARRAY_LEN(job_keys), 0},
        {config_shared_keys, config_shared_keys_n, JOB(set)}, {config_http_keys, config_http_keys_n, JOB(http)},
        {config_sd_keys, config_sd_keys_n, JOB(sd)}};
    size_t errors = diag_error_count(r->diags);
    *ret = (PromScrapeConfig){.metrics_path = STR("/metrics"), .scheme = STR("http"), .line = node->line};
    if (!config_item(r, node, "scrape config section")) return false;
    ret->set = global->set;
    ret->set.limits = (PromScrapeLimits){0};
    /* A scheme of its own has its own default. */
    if (node->kind == YAML_MAPPING && yaml_get(node, STR("metric_name_validation_scheme")))
        ret->set.escaping = ESCAPE_DEFAULT;
    if (!config_mapping_of(r, node, STR("scrape_configs"), tables, ARRAY_LEN(tables), ret)) return false;
    check_job(r, node, global, ret);
    scrape_shared_check(r, node, &ret->set);
    inherit_limits(&ret->set.limits, &global->set.limits);
    if (ret->set.n_protocols == 0) default_protocols(&ret->set);
    describe(r, node, ret);
    return diag_error_count(r->diags) == errors;
}
