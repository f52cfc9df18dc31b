/* prom_config.h - prometheus.yml: the part of it that Meerkat acts on, with every other key reported.
 *
 * Known keys that have no effect here give a warning, unknown keys and wrong values an error, each with its
 * place; nothing is silently ignored. */
#ifndef MEERKAT_METRICS_CONFIG_PROM_CONFIG_H
#define MEERKAT_METRICS_CONFIG_PROM_CONFIG_H

#include "base/diag.h"
#include "metrics/relabel.h"

typedef struct PromParam {
    Str name;
    const Str *values;
    size_t n;
} PromParam;

/* How to reach a target. Files are read at every use, so that rotated secrets are picked up. Str empty: none. */
typedef struct PromHttpConfig {
    Str username, password, password_file, username_file;
    Str auth_type, credentials, credentials_file; /* Authorization: <type> <credentials>; bearer_token too */
    Str ca_file, cert_file, key_file, server_name, proxy_url;
    bool insecure_skip_verify, no_follow_redirects;
} PromHttpConfig;

typedef struct PromTargetGroup {
    const Str *targets;
    size_t n_targets;
    Labels labels; /* sorted */
} PromTargetGroup;

typedef struct PromScrapeConfig {
    Str job_name, metrics_path, scheme;
    int64_t interval_ms, timeout_ms;
    const PromParam *params;
    size_t n_params;
    bool honor_labels, ignore_timestamps /* honor_timestamps: false */, no_compression;
    bool track_timestamps_staleness;
    PromHttpConfig http;
    uint64_t sample_limit, target_limit, label_limit, label_name_length_limit, label_value_length_limit; /* 0: none */
    uint64_t body_size_limit; /* bytes, 0: none */
    Str fallback_protocol;    /* as written; empty: the body decides */
    RelabelRules relabel, metric_relabel;
    const PromTargetGroup *groups;
    size_t n_groups;
    int line; /* of the job in the file */
} PromScrapeConfig;

typedef struct PromConfig {
    Arena *arena; /* owns everything here */
    int64_t scrape_interval_ms, scrape_timeout_ms, evaluation_interval_ms;
    Labels external_labels;
    const Str *rule_files; /* globs, relative ones joined with base_dir */
    size_t n_rule_files;
    const PromScrapeConfig *scrapes;
    size_t n_scrapes;
} PromConfig;

/* Problems go into diags; on any DIAG_ERROR the result is ERR_INVALID and *ret NULL. base_dir: of relative file names.
 * ${VAR} in scalars is replaced by getenv's answer (not in relabelling rules, whose $ is their own). */
ErrCode prom_config_parse(Str text, Str base_dir, PromConfig **ret, DiagList *diags);
PromConfig *prom_config_free(PromConfig *c); /* NULL is fine */

#endif
