/* config_remote.c - remote_write and remote_read. */
#include "metrics/config/prom_config_int.h"

/* --- remote_write --- */
#define WRITE(field) offsetof(PromRemoteWrite, field)

static void read_queue(ConfigReader *r, const YamlNode *node, void *out) {
#define QUEUE(field) offsetof(PromQueueConfig, field)
    static const ConfigKey keys[] = {
        {STR_INIT("capacity"), CONFIG_INT, QUEUE(capacity), NULL},
        {STR_INIT("max_shards"), CONFIG_INT, QUEUE(max_shards), NULL},
        {STR_INIT("min_shards"), CONFIG_INT, QUEUE(min_shards), NULL},
        {STR_INIT("max_samples_per_send"), CONFIG_INT, QUEUE(max_samples_per_send), NULL},
        {STR_INIT("batch_send_deadline"), CONFIG_DURATION, QUEUE(batch_send_deadline_ms), NULL},
        {STR_INIT("min_backoff"), CONFIG_DURATION, QUEUE(min_backoff_ms), NULL},
        {STR_INIT("max_backoff"), CONFIG_DURATION, QUEUE(max_backoff_ms), NULL},
        {STR_INIT("retry_on_http_429"), CONFIG_BOOL, QUEUE(retry_on_429), NULL},
        {STR_INIT("sample_age_limit"), CONFIG_DURATION, QUEUE(sample_age_limit_ms), NULL},
    };
    PromQueueConfig *q = &((PromRemoteWrite *)out)->queue;
    config_mapping(r, node, STR("queue_config"), keys, ARRAY_LEN(keys), q);
    const struct {
        int64_t value;
        const char *key;
    } positive[] = {{q->max_shards, "max_shards"}, {q->min_shards, "min_shards"},
        {q->max_samples_per_send, "max_samples_per_send"}, {q->capacity, "capacity"}};
    for (size_t i = 0; i < ARRAY_LEN(positive); i++) {
        if (positive[i].value <= 0)
            config_error_key(r, node, positive[i].key, "remote write queue %s must be positive", positive[i].key);
    }
    if (q->min_shards > q->max_shards)
        config_error_key(r, node, "min_shards", "remote write queue min_shards must not be greater than max_shards");
    if (q->max_backoff_ms < q->min_backoff_ms)
        config_error_key(r, node, "max_backoff", "remote write queue max_backoff must not be less than min_backoff");
}

static void read_metadata(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("send"), CONFIG_NOT_BOOL, WRITE(no_metadata), NULL},
        {STR_INIT("send_interval"), CONFIG_DURATION, WRITE(metadata_interval_ms), NULL},
        {STR_INIT("max_samples_per_send"), CONFIG_INT, WRITE(metadata_max_per_send), NULL},
    };
    config_mapping(r, node, STR("metadata_config"), keys, ARRAY_LEN(keys), out);
}

static void read_message(ConfigReader *r, const YamlNode *node, void *out) {
    static const Str words[] = {STR_INIT("prometheus.WriteRequest"), STR_INIT("io.prometheus.write.v2.Request")};
    int i = config_word(r, node, words, ARRAY_LEN(words), "protobuf_message");
    if (i >= 0) ((PromRemoteWrite *)out)->version_2 = i == 1;
}

static void read_write_headers(ConfigReader *r, const YamlNode *node, void *out) {
    PromParams *headers = &((PromRemoteWrite *)out)->headers;
    config_params(r, node, true, headers);
    config_check_headers(r, node, headers, true);
}

/* Signing that is another system's own: refused, because sending without it would only be turned away there. */
static void refuse_signing(ConfigReader *r, const YamlNode *node, void *out) {
    (void)out;
    config_error(r, node->key->line, node->key->col, node->key->len,
        "use basic_auth, authorization or oauth2, or a signing proxy", "%" STR_FMT " is not supported",
        STR_ARG(node->key->text));
}

static const ConfigKey write_keys[] = {
    {STR_INIT("url"), CONFIG_STR, WRITE(url), NULL},
    {STR_INIT("name"), CONFIG_STR, WRITE(name), NULL},
    {STR_INIT("remote_timeout"), CONFIG_DURATION, WRITE(timeout_ms), NULL},
    {STR_INIT("protobuf_message"), CONFIG_CUSTOM, 0, read_message},
    {STR_INIT("headers"), CONFIG_CUSTOM, 0, read_write_headers},
    {STR_INIT("write_relabel_configs"), CONFIG_RELABEL, WRITE(relabel), NULL},
    {STR_INIT("send_exemplars"), CONFIG_BOOL, WRITE(send_exemplars), NULL},
    {STR_INIT("send_native_histograms"), CONFIG_BOOL, WRITE(send_native_histograms), NULL},
    {STR_INIT("round_robin_dns"), CONFIG_BOOL, WRITE(round_robin_dns), NULL},
    {STR_INIT("queue_config"), CONFIG_CUSTOM, 0, read_queue},
    {STR_INIT("metadata_config"), CONFIG_CUSTOM, 0, read_metadata},
    {STR_INIT("failed_request_logging"), CONFIG_UNSUPPORTED, 0, NULL},
    {STR_INIT("sigv4"), CONFIG_CUSTOM, 0, refuse_signing},
    {STR_INIT("azuread"), CONFIG_CUSTOM, 0, refuse_signing},
    {STR_INIT("google_iam"), CONFIG_CUSTOM, 0, refuse_signing},
};

static bool read_write(ConfigReader *r, const YamlNode *node, PromRemoteWrite *w) {
    const ConfigTable tables[] = {
        {write_keys, ARRAY_LEN(write_keys), 0}, {config_http_keys, config_http_keys_n, WRITE(http)}};
    *w = (PromRemoteWrite){.timeout_ms = 30000,
        .metadata_interval_ms = 60000,
        .metadata_max_per_send = 2000,
        .line = node->line,
        .http.no_http2 = true};
    w->queue = (PromQueueConfig){.capacity = 10000,
        .max_shards = 50,
        .min_shards = 1,
        .max_samples_per_send = 2000,
        .batch_send_deadline_ms = 5000,
        .min_backoff_ms = 30,
        .max_backoff_ms = 5000,
        .retry_on_429 = true};
    if (!config_item(r, node, "remote write config section")) return false;
    if (!config_mapping_of(r, node, STR("remote_write"), tables, ARRAY_LEN(tables), w)) return false;
    config_check_http(r, node, &w->http);
    if (w->url.n == 0)
        config_error(r, node->line, node->col, 1, NULL, "url for remote_write is empty");
    else
        config_check_url(r, yaml_get(node, STR("url")), w->url, "url", DIAG_WARNING);
    Buf b = {0};
    config_put_node(&b, node, false, NULL);
    w->key = arena_copy(r->arena, buf_str(&b));
    buf_done(&b);
    return true;
}

static void twice(ConfigReader *r, int line, const char *section, Str name) {
    config_error(
        r, line, 1, 1, NULL, "found multiple %s configs with job name \"%" STR_FMT "\"", section, STR_ARG(name));
}

void config_read_remote_write(ConfigReader *r, const YamlNode *node, void *out) {
    PromConfig *c = out;
    if (!config_expect(r, node, YAML_SEQUENCE, "a list of remote write sections")) return;
    PromRemoteWrite *v = ARENA_ARRAY(r->arena, PromRemoteWrite, node->n);
    if (!v) return config_exhausted(r);
    for (const YamlNode *it = node->first; it; it = it->next) {
        PromRemoteWrite *w = &v[c->n_remote_writes];
        if (!read_write(r, it, w)) continue;
        for (size_t i = 0; i < c->n_remote_writes; i++) {
            if (w->name.n && str_eq(v[i].name, w->name)) twice(r, it->line, "remote write", w->name);
        }
        c->n_remote_writes++;
    }
    c->remote_writes = v;
}

/* --- remote_read --- */
#define READ(field) offsetof(PromRemoteRead, field)

static void read_read_headers(ConfigReader *r, const YamlNode *node, void *out) {
    PromParams *headers = &((PromRemoteRead *)out)->headers;
    config_params(r, node, true, headers);
    config_check_headers(r, node, headers, true);
}

static const ConfigKey read_keys[] = {
    {STR_INIT("url"), CONFIG_STR, READ(url), NULL},
    {STR_INIT("name"), CONFIG_STR, READ(name), NULL},
    {STR_INIT("remote_timeout"), CONFIG_DURATION, READ(timeout_ms), NULL},
    {STR_INIT("chunked_read_limit"), CONFIG_UINT, READ(chunked_read_limit), NULL},
    {STR_INIT("headers"), CONFIG_CUSTOM, 0, read_read_headers},
    {STR_INIT("read_recent"), CONFIG_BOOL, READ(read_recent), NULL},
    {STR_INIT("required_matchers"), CONFIG_LABELS, READ(required_matchers), NULL},
    {STR_INIT("filter_external_labels"), CONFIG_NOT_BOOL, READ(keep_external_labels), NULL},
};

static bool read_read(ConfigReader *r, const YamlNode *node, PromRemoteRead *x) {
    const ConfigTable tables[] = {
        {read_keys, ARRAY_LEN(read_keys), 0}, {config_http_keys, config_http_keys_n, READ(http)}};
    *x = (PromRemoteRead){.timeout_ms = 60000, .chunked_read_limit = 50000000, .line = node->line};
    if (!config_item(r, node, "remote read config section")) return false;
    if (!config_mapping_of(r, node, STR("remote_read"), tables, ARRAY_LEN(tables), x)) return false;
    config_check_http(r, node, &x->http);
    if (x->url.n == 0)
        config_error(r, node->line, node->col, 1, NULL, "url for remote_read is empty");
    else
        config_check_url(r, yaml_get(node, STR("url")), x->url, "url", DIAG_WARNING);
    return true;
}

void config_read_remote_read(ConfigReader *r, const YamlNode *node, void *out) {
    PromConfig *c = out;
    if (!config_expect(r, node, YAML_SEQUENCE, "a list of remote read sections")) return;
    PromRemoteRead *v = ARENA_ARRAY(r->arena, PromRemoteRead, node->n);
    if (!v) return config_exhausted(r);
    for (const YamlNode *it = node->first; it; it = it->next) {
        PromRemoteRead *x = &v[c->n_remote_reads];
        if (!read_read(r, it, x)) continue;
        for (size_t i = 0; i < c->n_remote_reads; i++) {
            if (x->name.n && str_eq(v[i].name, x->name)) twice(r, it->line, "remote read", x->name);
        }
        c->n_remote_reads++;
    }
    c->remote_reads = v;
}
