/* config_sections.c - otlp, storage and tracing. */
#include "metrics/config/prom_config_int.h"

/* --- otlp --- */
static void read_translation(ConfigReader *r, const YamlNode *node, void *out) {
    static const Str words[] = {STR_INIT("UnderscoreEscapingWithSuffixes"),
        STR_INIT("UnderscoreEscapingWithoutSuffixes"), STR_INIT("NoUTF8EscapingWithSuffixes"),
        STR_INIT("NoTranslation")};
    int i = config_word(r, node, words, ARRAY_LEN(words), "translation_strategy");
    if (i >= 0) ((PromOtlp *)out)->translation = (OtlpTranslation)i;
}

static void check_attributes(ConfigReader *r, const YamlNode *node, const char *key, PromStrings s) {
    for (size_t i = 0; i < s.n; i++) {
        if (str_trim(s.v[i]).n == 0) config_error_key(r, node, key, "invalid '%s': empty OTel resource attribute", key);
        for (size_t k = 0; k < i; k++) {
            if (str_eq(str_trim(s.v[i]), str_trim(s.v[k])))
                config_error_key(r, node, key, "invalid '%s': duplicated OTel resource attribute \"%" STR_FMT "\"", key,
                    STR_ARG(s.v[i]));
        }
    }
}

void config_read_otlp(ConfigReader *r, const YamlNode *node, void *out) {
#define OTLP(field) offsetof(PromOtlp, field)
    static const ConfigKey keys[] = {
        {STR_INIT("promote_all_resource_attributes"), CONFIG_BOOL, OTLP(promote_all), NULL},
        {STR_INIT("promote_resource_attributes"), CONFIG_STRINGS, OTLP(promote), NULL},
        {STR_INIT("ignore_resource_attributes"), CONFIG_STRINGS, OTLP(ignore), NULL},
        {STR_INIT("translation_strategy"), CONFIG_CUSTOM, 0, read_translation},
        {STR_INIT("keep_identifying_resource_attributes"), CONFIG_BOOL, OTLP(keep_identifying), NULL},
        {STR_INIT("convert_histograms_to_nhcb"), CONFIG_BOOL, OTLP(histograms_to_nhcb), NULL},
        {STR_INIT("promote_scope_metadata"), CONFIG_BOOL, OTLP(promote_scope), NULL},
        {STR_INIT("label_name_underscore_sanitization"), CONFIG_NOT_BOOL, OTLP(no_label_underscore_prefix), NULL},
        {STR_INIT("label_name_preserve_multiple_underscores"), CONFIG_NOT_BOOL, OTLP(collapse_label_underscores), NULL},
    };
    PromOtlp *o = &((PromConfig *)out)->otlp;
    o->given = true;
    if (!config_mapping(r, node, STR("otlp"), keys, ARRAY_LEN(keys), o)) return;
    check_attributes(r, node, "promote_resource_attributes", o->promote);
    check_attributes(r, node, "ignore_resource_attributes", o->ignore);
    if (o->promote_all && o->promote.n)
        config_error_key(r, node, "promote_resource_attributes",
            "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously");
    if (!o->promote_all && o->ignore.n)
        config_error_key(r, node, "ignore_resource_attributes",
            "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true");
}

/* --- storage --- */
#define STORAGE(field) offsetof(PromStorage, field)

static void read_retention(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("time"), CONFIG_DURATION, STORAGE(retention_ms), NULL},
        {STR_INIT("size"), CONFIG_SIZE, STORAGE(retention_bytes), NULL},
        {STR_INIT("percentage"), CONFIG_F64, STORAGE(retention_percent), NULL},
    };
    PromStorage *s = out;
    config_mapping(r, node, STR("storage.tsdb.retention"), keys, ARRAY_LEN(keys), out);
    if (s->retention_percent < 0 || s->retention_percent > 100)
        config_error_key(r, node, "percentage",
            "'storage.tsdb.retention.percentage' must be in the range [0, 100], got %g", s->retention_percent);
}

static void read_encoding_word(ConfigReader *r, const YamlNode *node, void *out) {
    static const Str words[] = {STR_INIT("xor"), STR_INIT("xor2")};
    (void)out;
    config_word(
        r, node, words, ARRAY_LEN(words), "float chunk encoding"); /* of Prometheus' blocks; ours are other ones */
}

static void read_encoding(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {{STR_INIT("floats"), CONFIG_CUSTOM, 0, read_encoding_word}};
    config_mapping(r, node, STR("storage.tsdb.chunk_encoding"), keys, ARRAY_LEN(keys), out);
}

static void read_tsdb(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("out_of_order_time_window"), CONFIG_DURATION, STORAGE(out_of_order_window_ms), NULL},
        {STR_INIT("stale_series_compaction_threshold"), CONFIG_F64, STORAGE(stale_series_threshold), NULL},
        {STR_INIT("retention"), CONFIG_CUSTOM, 0, read_retention},
        {STR_INIT("chunk_encoding"), CONFIG_CUSTOM, 0, read_encoding},
    };
    config_mapping(r, node, STR("storage.tsdb"), keys, ARRAY_LEN(keys), out);
}

static void read_exemplars(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {{STR_INIT("max_exemplars"), CONFIG_INT, STORAGE(max_exemplars), NULL}};
    config_mapping(r, node, STR("storage.exemplars"), keys, ARRAY_LEN(keys), out);
}

void config_read_storage(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("tsdb"), CONFIG_CUSTOM, 0, read_tsdb},
        {STR_INIT("exemplars"), CONFIG_CUSTOM, 0, read_exemplars},
    };
    config_mapping(r, node, STR("storage"), keys, ARRAY_LEN(keys), &((PromConfig *)out)->storage);
}

/* --- tracing --- */
#define TRACING(field) offsetof(PromTracing, field)

static void read_client_type(ConfigReader *r, const YamlNode *node, void *out) {
    static const Str words[] = {STR_INIT("grpc"), STR_INIT("http")};
    int i = config_word(r, node, words, ARRAY_LEN(words), "tracing client type");
    if (i >= 0) ((PromTracing *)out)->http_client = i == 1;
}

static void read_compression(ConfigReader *r, const YamlNode *node, void *out) {
    static const Str words[] = {STR_INIT("gzip")};
    ((PromTracing *)out)->gzip = config_word(r, node, words, ARRAY_LEN(words), "compression type") == 0;
}

static void read_tracing_headers(ConfigReader *r, const YamlNode *node, void *out) {
    PromParams *headers = &((PromTracing *)out)->headers;
    config_params(r, node, true, headers);
    config_check_headers(r, node, headers, true);
}

static void read_tracing_tls(ConfigReader *r, const YamlNode *node, void *out) {
    config_mapping(r, node, STR("tls_config"), config_tls_keys, config_tls_keys_n, &((PromTracing *)out)->tls);
}

void config_read_tracing(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("client_type"), CONFIG_CUSTOM, 0, read_client_type},
        {STR_INIT("endpoint"), CONFIG_STR, TRACING(endpoint), NULL},
        {STR_INIT("sampling_fraction"), CONFIG_F64, TRACING(sampling_fraction), NULL},
        {STR_INIT("insecure"), CONFIG_BOOL, TRACING(insecure), NULL},
        {STR_INIT("compression"), CONFIG_CUSTOM, 0, read_compression},
        {STR_INIT("timeout"), CONFIG_DURATION, TRACING(timeout_ms), NULL},
        {STR_INIT("headers"), CONFIG_CUSTOM, 0, read_tracing_headers},
        {STR_INIT("tls_config"), CONFIG_CUSTOM, 0, read_tracing_tls},
    };
    PromTracing *t = &((PromConfig *)out)->tracing;
    t->given = true;
    if (!config_mapping(r, node, STR("tracing"), keys, ARRAY_LEN(keys), t)) return;
    if (t->endpoint.n == 0) config_error(r, node->line, node->col, 1, NULL, "tracing endpoint must be set");
}
