/* config.h - the server's configuration: one struct, described by one table.
 *
 * Values come from, later ones winning: the table's defaults, meerkat.yml (with ${VAR}), environment
 * variables, flags. Every key, its type, default, range, flag, environment variable and documentation stand in
 * config_table.c and nowhere else; parsing, validation, --help and docs/configuration.md are made from it. */
#ifndef MEERKAT_CMD_CONFIG_H
#define MEERKAT_CMD_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"

#define CONFIG_LIST_MAX 64

typedef struct ConfigList {
    Str v[CONFIG_LIST_MAX];
    size_t n;
} ConfigList;

typedef struct ConfigRecords {
    void *v; /* array of the items' struct */
    size_t n;
} ConfigRecords;

typedef struct ConfigKeep { /* items of retention */
    Str selector;
    int64_t keep_ms;
} ConfigKeep;

typedef struct ConfigDownsample { /* items of downsample */
    Str selector;
    int64_t after_ms, resolution_ms;
} ConfigDownsample;

typedef struct ConfigProbe { /* items of probes */
    Str name, module, target, ca_file;
    int64_t interval_ms, timeout_ms;
    bool insecure_skip_verify;
} ConfigProbe;

typedef struct Config {
    Arena *arena; /* borrowed; holds every string and the struct itself */
    struct {
        Str listen;
        int64_t port_offset;
        int64_t ui, prometheus, otlp_grpc, otlp_http, jaeger, jaeger_collector, jaeger_admin, jaeger_sampling;
        int64_t zipkin, loki, tempo, alertmanager, health, exporter, own_metrics; /* ports; 0 closes one */
        Str tls_cert_file, tls_key_file;
        int64_t max_connections, max_request_bytes, request_memory_bytes, drain_timeout_ms;
        int64_t ingest_workers, query_workers;
    } server;
    struct {
        Str data_dir, durability;
        int64_t metrics_retention_ms, metrics_retention_bytes, metrics_head_bytes;
        int64_t metrics_series_max, metrics_series_per_metric_max, metrics_labels_max, metrics_label_name_bytes_max,
            metrics_label_value_bytes_max;
        int64_t logs_retention_ms, logs_retention_bytes, logs_head_bytes;
        int64_t traces_retention_ms, traces_retention_bytes, traces_head_bytes;
    } storage;
    ConfigRecords retention, downsample, probes;
    struct {
        int64_t timeout_ms, max_samples, memory_bytes, lookback_ms;
        int64_t concurrency, total_memory_bytes, slow_ms, slow_max;
        bool delayed_name_removal, use_start_timestamps;
    } query;
    struct {
        Str admin_user, admin_password, admin_password_file, api_token, api_token_file;
        bool loopback_open;
    } auth;
    struct {
        Str level, format;
    } log;
    struct {
        Str prometheus, alertmanager, collector, provisioning;
        ConfigList runbooks;
    } files;
    struct {
        bool enable_lifecycle, enable_admin_api;
        Str external_url, route_prefix, listen_address, listen_host; /* host: of the address, "" without one */
        bool open;
    } web;
    struct {
        Str external_url, route_prefix;
    } ui;
    struct {
        Str external_url, route_prefix, listen_address, listen_host, matchers, peer_name, peer_secret, peer_secret_file;
        int64_t retention_ms, alerts_max, silences_max, silence_matches_max, silence_max_ms, peer_timeout_ms;
        bool silence_comment_required, open;
        ConfigList peers, heartbeats;
    } alerting;
    struct {
        ConfigList files, packs;
        Str watchdog;
        int64_t interval_ms;
    } rules;
    struct {
        Str dns_servers;
        bool start_timestamps, zero_starts;
    } scrape;
    struct {
        bool metrics, cgroups;
        int64_t interval_ms;
        Str procfs, sysfs, rootfs;
    } host;
    struct {
        int64_t queue_bytes;
    } remote_write;
    struct {
        int64_t interval_ms;
    } self;
} Config;

/* A flag as given: "--storage.data-dir" or the short one of the table, with its value. */
typedef struct ConfigFlag {
    Str name, value;
} ConfigFlag;

/* Builds a whole configuration in the arena (unlimited; the file's text stays there for diags' source lines). file
 * NULL: no file. Every problem of file, environment and flags is added to diags. NULL when there is an error. */
Config *config_load(const char *file, const ConfigFlag *flags, size_t n_flags, Arena *arena, DiagList *diags);

#define CONFIG_URL_MAX 320
/* The prefix of a listener's paths, "/monitoring" or "": route_prefix, where that is empty the path of the external
 * URL. */
Str config_route_prefix(Str external_url, Str route_prefix);
/* The external URL without a slash at the end; where it is empty this machine's port, with the prefix, in buf: under
 * the machine's name when it listens beyond loopback. */
Str config_external_url(Str external_url, Str route_prefix, Str listen, int64_t port, char buf[CONFIG_URL_MAX]);

/* Whether name (without value) is a flag of the table; boolean flags take no value. */
bool config_is_flag(Str name, bool *ret_takes_value);
/* The nearest flag's name for "did you mean", or STR_NULL. */
Str config_suggest_flag(Str name);
void config_put_help(Buf *out);                  /* the options part of `meerkat serve --help` */
void config_put_flags(Buf *out);                 /* "--listen --data-dir ... ", for completion */
void config_put_markdown(Buf *out);              /* docs/configuration.md */
void config_put_yaml(Buf *out, const Config *c); /* effective configuration; secrets as <secret> */

#endif
