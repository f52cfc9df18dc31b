/* prom_config.h - prometheus.yml, whole.
 *
 * Unknown keys and wrong values are errors, known keys without effect here warnings; all of them are reported at once,
 * each with its place. Defaults are filled in: what is read here can be used as it stands.
 * Source: Prometheus' configuration documentation (3.x). */
#ifndef MEERKAT_METRICS_CONFIG_PROM_CONFIG_H
#define MEERKAT_METRICS_CONFIG_PROM_CONFIG_H

#include "base/diag.h"
#include "metrics/config/sd_config.h"
#include "metrics/relabel.h"

#include <stdatomic.h>

typedef enum ScrapeProtocol {
    PROTOCOL_NONE,
    PROTOCOL_PROTO,
    PROTOCOL_TEXT_004,
    PROTOCOL_TEXT_100,
    PROTOCOL_OPENMETRICS_001,
    PROTOCOL_OPENMETRICS_100
} ScrapeProtocol;
#define SCRAPE_PROTOCOLS_MAX 5

typedef enum NameEscaping {
    ESCAPE_DEFAULT,
    ESCAPE_ALLOW_UTF8,
    ESCAPE_UNDERSCORES,
    ESCAPE_DOTS,
    ESCAPE_VALUES
} NameEscaping;

/* Settings of a job that the global section has defaults for. */
typedef struct PromScrapeLimits {
    uint64_t sample, target, label, label_name_length, label_value_length, body_bytes; /* 0: none */
    uint64_t keep_dropped;                                                             /* 0: all */
} PromScrapeLimits;

typedef struct PromScrapeShared {
    PromScrapeLimits limits;
    uint8_t protocols[SCRAPE_PROTOCOLS_MAX]; /* ScrapeProtocol, the preferred one first */
    uint8_t n_protocols;                     /* global: 0 when not configured */
    bool default_protocols;                  /* not configured */
    NameEscaping escaping;
    bool legacy_names; /* metric_name_validation_scheme: legacy */
    bool native_histograms, convert_to_nhcb, always_classic, extra_metrics;
    Str failure_log_file;
} PromScrapeShared;

typedef struct PromScrapeConfig {
    Str job_name, metrics_path, scheme;
    int64_t interval_ms, timeout_ms;
    PromParams params;
    bool honor_labels, ignore_timestamps /* honor_timestamps: false */, no_compression;
    bool track_timestamps_staleness;
    PromHttpConfig http;
    PromScrapeShared set;
    uint64_t native_bucket_limit;    /* 0: none */
    double native_min_bucket_factor; /* 0: none */
    ScrapeProtocol fallback_protocol;
    RelabelRules relabel, metric_relabel;
    PromSdConfigs sd;
    int line;        /* of the job in its file */
    Str fingerprint; /* all settings but those of discovery and relabel_configs: equal ones scrape alike */
    Str yaml;        /* the job as text, secrets hidden */
} PromScrapeConfig;

typedef struct PromAlertmanagerConfig {
    PromSdConfigs sd;
    PromHttpConfig http;
    Str scheme, path_prefix;
    int64_t timeout_ms;
    RelabelRules relabel;       /* of the Alertmanagers found */
    RelabelRules alert_relabel; /* of the alerts sent to these; after the ones of PromConfig */
    int line;
} PromAlertmanagerConfig;

typedef struct PromQueueConfig {
    int64_t capacity, max_shards, min_shards, max_samples_per_send;
    int64_t batch_send_deadline_ms, min_backoff_ms, max_backoff_ms;
    int64_t sample_age_limit_ms; /* 0: none */
    bool retry_on_429;
} PromQueueConfig;

typedef struct PromRemoteWrite {
    Str url, name; /* name may be empty */
    int64_t timeout_ms;
    bool version_2; /* protobuf_message: io.prometheus.write.v2.Request */
    bool send_exemplars, send_native_histograms, round_robin_dns;
    bool no_metadata; /* metadata_config.send: false */
    int64_t metadata_interval_ms, metadata_max_per_send;
    PromHttpConfig http;
    PromParams headers; /* one value each */
    RelabelRules relabel;
    PromQueueConfig queue;
    int line;
    Str key; /* what it says, whole: equal keys mean the same destination and settings */
} PromRemoteWrite;

typedef struct PromRemoteRead {
    Str url, name;
    int64_t timeout_ms;
    bool read_recent, keep_external_labels /* filter_external_labels: false */;
    uint64_t chunked_read_limit;
    Labels required_matchers;
    PromHttpConfig http;
    PromParams headers;
    int line;
} PromRemoteRead;

typedef enum OtlpTranslation {
    OTLP_UNDERSCORES_SUFFIXES, /* UnderscoreEscapingWithSuffixes */
    OTLP_UNDERSCORES,          /* UnderscoreEscapingWithoutSuffixes */
    OTLP_UTF8_SUFFIXES,        /* NoUTF8EscapingWithSuffixes */
    OTLP_VERBATIM              /* NoTranslation */
} OtlpTranslation;

typedef struct PromOtlp {
    OtlpTranslation translation;
    PromStrings promote, ignore; /* resource attributes */
    bool promote_all, keep_identifying, histograms_to_nhcb, promote_scope;
    bool no_label_underscore_prefix; /* label_name_underscore_sanitization: false */
    bool collapse_label_underscores; /* label_name_preserve_multiple_underscores: false */
    bool given;                      /* the section is in the file */
} PromOtlp;

/* 0 where the file says nothing. */
typedef struct PromStorage {
    int64_t out_of_order_window_ms, retention_ms, max_exemplars /* -1: not given */;
    uint64_t retention_bytes;
    double retention_percent, stale_series_threshold;
} PromStorage;

typedef struct PromTracing {
    bool given, http_client, insecure, gzip;
    Str endpoint;
    double sampling_fraction;
    PromParams headers;
    int64_t timeout_ms;
    PromTlsConfig tls;
} PromTracing;

typedef struct PromConfig {
    _Atomic uint32_t refs;
    Arena *arena; /* owns everything here */
    int64_t scrape_interval_ms, scrape_timeout_ms, evaluation_interval_ms, rule_query_offset_ms;
    Labels external_labels;
    PromScrapeShared set; /* defaults of the jobs */
    Str query_log_file;
    const Str *rule_files; /* globs, relative ones joined with base_dir */
    size_t n_rule_files;
    const PromScrapeConfig *scrapes; /* those of scrape_config_files too */
    size_t n_scrapes;
    RelabelRules alert_relabel;
    const PromAlertmanagerConfig *alertmanagers;
    size_t n_alertmanagers;
    const PromRemoteWrite *remote_writes;
    size_t n_remote_writes;
    const PromRemoteRead *remote_reads;
    size_t n_remote_reads;
    PromOtlp otlp;
    PromStorage storage;
    PromTracing tracing;
} PromConfig;

/* Problems go into diags; on any DIAG_ERROR the result is ERR_INVALID and *ret NULL. base_dir: of relative file names.
 * ${VAR} in scalars is replaced by getenv's answer (not in relabelling rules, whose $ is their own); in external_labels
 * $VAR too, and an unset one is empty there. */
ErrCode prom_config_parse(Str text, Str base_dir, PromConfig **ret, DiagList *diags);
/* The same, but secrets' and certificates' files that are not there are errors, not warnings. */
ErrCode prom_config_check(Str text, Str base_dir, PromConfig **ret, DiagList *diags);
/* The file as text without comments, with <secret> in the place of secrets: for /api/v1/status/config. Nothing when it
 * is no YAML. */
void prom_config_put_safe(Str text, Buf *out);
/* Several may hold one configuration: it is made with one reference. */
PromConfig *prom_config_ref(PromConfig *c);
PromConfig *prom_config_free(PromConfig *c); /* gives a reference back; NULL is fine */

/* "PrometheusText0.0.4", ...; PROTOCOL_NONE: no such protocol. */
ScrapeProtocol scrape_protocol_parse(Str name);
const char *scrape_protocol_name(ScrapeProtocol p);

#endif
