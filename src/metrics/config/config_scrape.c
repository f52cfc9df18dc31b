#include "metrics/config/prom_config_int.h"

/* --- authentication, TLS --- */
#define HTTP(field) offsetof(PromScrapeConfig, http.field)

static void read_basic_auth(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("username"), CONFIG_STR, HTTP(username), NULL},
        {STR_INIT("username_file"), CONFIG_PATH, HTTP(username_file), NULL},
        {STR_INIT("password"), CONFIG_STR, HTTP(password), NULL},
        {STR_INIT("password_file"), CONFIG_PATH, HTTP(password_file), NULL},
    };
    config_mapping(r, node, STR("basic_auth"), keys, ARRAY_LEN(keys), out);
}

static void read_authorization(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("type"), CONFIG_STR, HTTP(auth_type), NULL},
        {STR_INIT("credentials"), CONFIG_STR, HTTP(credentials), NULL},
        {STR_INIT("credentials_file"), CONFIG_PATH, HTTP(credentials_file), NULL},
    };
    PromScrapeConfig *c = out;
    config_mapping(r, node, STR("authorization"), keys, ARRAY_LEN(keys), out);
    if (c->http.auth_type.n == 0) c->http.auth_type = STR("Bearer");
}

static void read_tls(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("ca_file"), CONFIG_PATH, HTTP(ca_file), NULL},
        {STR_INIT("cert_file"), CONFIG_PATH, HTTP(cert_file), NULL},
        {STR_INIT("key_file"), CONFIG_PATH, HTTP(key_file), NULL},
        {STR_INIT("server_name"), CONFIG_STR, HTTP(server_name), NULL},
        {STR_INIT("insecure_skip_verify"), CONFIG_BOOL, HTTP(insecure_skip_verify), NULL},
        {STR_INIT("ca"), CONFIG_UNSUPPORTED, 0, NULL},
        {STR_INIT("cert"), CONFIG_UNSUPPORTED, 0, NULL},
        {STR_INIT("key"), CONFIG_UNSUPPORTED, 0, NULL},
        {STR_INIT("min_version"), CONFIG_UNSUPPORTED, 0, NULL},
        {STR_INIT("max_version"), CONFIG_UNSUPPORTED, 0, NULL},
    };
    config_mapping(r, node, STR("tls_config"), keys, ARRAY_LEN(keys), out);
}

/* --- targets --- */
static void read_targets(ConfigReader *r, const YamlNode *node, void *out) {
    PromTargetGroup *g = out;
    Str *v;
    g->n_targets = config_strings(r, node, &v);
    g->targets = v;
}

static void read_static(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("targets"), CONFIG_CUSTOM, 0, read_targets},
        {STR_INIT("labels"), CONFIG_LABELS, offsetof(PromTargetGroup, labels), NULL},
    };
    PromScrapeConfig *c = out;
    if (!config_expect(r, node, YAML_SEQUENCE, "a list of target groups")) return;
    PromTargetGroup *v = ARENA_ARRAY(r->arena, PromTargetGroup, node->n);
    if (!v) return config_exhausted(r);
    for (const YamlNode *it = node->first; it; it = it->next) {
        v[c->n_groups] = (PromTargetGroup){0};
        if (config_mapping(r, it, STR("static_configs"), keys, ARRAY_LEN(keys), &v[c->n_groups])) c->n_groups++;
    }
    c->groups = v;
}

static void read_params(ConfigReader *r, const YamlNode *node, void *out) {
    PromScrapeConfig *c = out;
    if (!config_expect(r, node, YAML_MAPPING, "a mapping of lists")) return;
    PromParam *v = ARENA_ARRAY(r->arena, PromParam, node->n);
    if (!v) return config_exhausted(r);
    for (const YamlNode *it = node->first; it; it = it->next) {
        Str *values;
        size_t n = config_strings(r, it, &values);
        v[c->n_params++] = (PromParam){it->key->text, values, n};
    }
    c->params = v;
}

static void read_relabel(ConfigReader *r, const YamlNode *node, void *out) {
    config_relabel(r, node, &((PromScrapeConfig *)out)->relabel);
}

static void read_metric_relabel(ConfigReader *r, const YamlNode *node, void *out) {
    config_relabel(r, node, &((PromScrapeConfig *)out)->metric_relabel);
}

#define JOB(field) offsetof(PromScrapeConfig, field)
#define UNSUPPORTED(name)                                                                                              \
    { STR_INIT(name), CONFIG_UNSUPPORTED, 0, NULL }
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
    {STR_INIT("static_configs"), CONFIG_CUSTOM, 0, read_static},
    {STR_INIT("relabel_configs"), CONFIG_CUSTOM, 0, read_relabel},
    {STR_INIT("metric_relabel_configs"), CONFIG_CUSTOM, 0, read_metric_relabel},
    {STR_INIT("basic_auth"), CONFIG_CUSTOM, 0, read_basic_auth},
    {STR_INIT("authorization"), CONFIG_CUSTOM, 0, read_authorization},
    {STR_INIT("bearer_token"), CONFIG_STR, HTTP(credentials), NULL},
    {STR_INIT("bearer_token_file"), CONFIG_PATH, HTTP(credentials_file), NULL},
    {STR_INIT("tls_config"), CONFIG_CUSTOM, 0, read_tls},
    {STR_INIT("proxy_url"), CONFIG_STR, HTTP(proxy_url), NULL},
    {STR_INIT("follow_redirects"), CONFIG_NOT_BOOL, HTTP(no_follow_redirects), NULL},
    {STR_INIT("fallback_scrape_protocol"), CONFIG_STR, JOB(fallback_protocol), NULL},
    {STR_INIT("sample_limit"), CONFIG_UINT, JOB(sample_limit), NULL},
    {STR_INIT("target_limit"), CONFIG_UINT, JOB(target_limit), NULL},
    {STR_INIT("label_limit"), CONFIG_UINT, JOB(label_limit), NULL},
    {STR_INIT("label_name_length_limit"), CONFIG_UINT, JOB(label_name_length_limit), NULL},
    {STR_INIT("label_value_length_limit"), CONFIG_UINT, JOB(label_value_length_limit), NULL},
    {STR_INIT("body_size_limit"), CONFIG_SIZE, JOB(body_size_limit), NULL},
    UNSUPPORTED("scrape_protocols"),
    UNSUPPORTED("enable_http2"),
    UNSUPPORTED("http_headers"),
    UNSUPPORTED("oauth2"),
    UNSUPPORTED("no_proxy"),
    UNSUPPORTED("proxy_from_environment"),
    UNSUPPORTED("proxy_connect_header"),
    UNSUPPORTED("keep_dropped_targets"),
    UNSUPPORTED("native_histogram_bucket_limit"),
    UNSUPPORTED("native_histogram_min_bucket_factor"),
    UNSUPPORTED("scrape_native_histograms"),
    UNSUPPORTED("convert_classic_histograms_to_nhcb"),
    UNSUPPORTED("always_scrape_classic_histograms"),
    UNSUPPORTED("scrape_classic_histograms"),
    UNSUPPORTED("extra_scrape_metrics"),
    UNSUPPORTED("scrape_failure_log_file"),
    UNSUPPORTED("metric_name_validation_scheme"),
    UNSUPPORTED("metric_name_escaping_scheme"),
    UNSUPPORTED("file_sd_configs"),
    UNSUPPORTED("http_sd_configs"),
    UNSUPPORTED("dns_sd_configs"),
    UNSUPPORTED("kubernetes_sd_configs"),
    UNSUPPORTED("docker_sd_configs"),
    UNSUPPORTED("dockerswarm_sd_configs"),
    UNSUPPORTED("consul_sd_configs"),
    UNSUPPORTED("ec2_sd_configs"),
    UNSUPPORTED("azure_sd_configs"),
    UNSUPPORTED("gce_sd_configs"),
    UNSUPPORTED("nomad_sd_configs"),
    UNSUPPORTED("openstack_sd_configs"),
    UNSUPPORTED("digitalocean_sd_configs"),
    UNSUPPORTED("eureka_sd_configs"),
    UNSUPPORTED("hetzner_sd_configs"),
    UNSUPPORTED("ionos_sd_configs"),
    UNSUPPORTED("kuma_sd_configs"),
    UNSUPPORTED("lightsail_sd_configs"),
    UNSUPPORTED("linode_sd_configs"),
    UNSUPPORTED("marathon_sd_configs"),
    UNSUPPORTED("nerve_sd_configs"),
    UNSUPPORTED("oci_sd_configs"),
    UNSUPPORTED("ovhcloud_sd_configs"),
    UNSUPPORTED("puppetdb_sd_configs"),
    UNSUPPORTED("scaleway_sd_configs"),
    UNSUPPORTED("serverset_sd_configs"),
    UNSUPPORTED("stackit_sd_configs"),
    UNSUPPORTED("triton_sd_configs"),
    UNSUPPORTED("uyuni_sd_configs"),
    UNSUPPORTED("vultr_sd_configs"),
};

bool scrape_config_read(ConfigReader *r, const YamlNode *node, const PromConfig *global, PromScrapeConfig *ret) {
    *ret = (PromScrapeConfig){.metrics_path = STR("/metrics"), .scheme = STR("http"), .line = node->line};
    if (!config_mapping(r, node, STR("scrape_configs"), job_keys, ARRAY_LEN(job_keys), ret)) return false;
    size_t errors = diag_error_count(r->diags);
    if (ret->job_name.n == 0) config_error(r, node->line, node->col, 1, NULL, "job_name is empty");
    if (ret->interval_ms == 0) ret->interval_ms = global->scrape_interval_ms;
    if (ret->timeout_ms > ret->interval_ms)
        config_error(r, node->line, node->col, 1, NULL,
            "scrape timeout greater than scrape interval for scrape config with job name \"%" STR_FMT "\"",
            STR_ARG(ret->job_name));
    if (ret->timeout_ms == 0) ret->timeout_ms = MIN(global->scrape_timeout_ms, ret->interval_ms);
    if (!str_eq_lit(ret->scheme, "http") && !str_eq_lit(ret->scheme, "https"))
        config_error(r, node->line, node->col, 1, NULL, "scheme \"%" STR_FMT "\" is neither http nor https",
            STR_ARG(ret->scheme));
    if (ret->http.auth_type.n == 0 && (ret->http.credentials.n || ret->http.credentials_file.n))
        ret->http.auth_type = STR("Bearer");
    if (ret->http.auth_type.n && (ret->http.username.n || ret->http.username_file.n))
        config_error(r, node->line, node->col, 1, NULL,
            "at most one of basic_auth, authorization and bearer_token can be given");
    return diag_error_count(r->diags) == errors;
}
