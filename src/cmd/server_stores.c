/* server_stores.c - the data directory and the three stores. */
#include "cmd/server_int.h"
#include "sys/process.h"

#include <stdio.h>

#define SERIES_BYTES 1024 /* what an active series takes, indexes included */

MetricsLimits server_metrics_limits(const Config *c) {
    uint64_t fitting = process_memory_bytes() / 4 / SERIES_BYTES;
    return (MetricsLimits){
        .series_max = c->storage.metrics_series_max ? (uint64_t)c->storage.metrics_series_max : fitting,
        .series_per_metric_max = (uint64_t)c->storage.metrics_series_per_metric_max,
        .labels_max = (uint64_t)c->storage.metrics_labels_max,
        .name_bytes_max = (uint64_t)c->storage.metrics_label_name_bytes_max,
        .value_bytes_max = (uint64_t)c->storage.metrics_label_value_bytes_max};
}

ErrCode server_metrics_rules(const Config *c, Arena *arena, MetricsRules *ret, Err *reterr) {
    const ConfigKeep *k = c->retention.v;
    const ConfigDownsample *d = c->downsample.v;
    MetricsKeepRule *keep = ARENA_ARRAY(arena, MetricsKeepRule, c->retention.n);
    MetricsDownsampleRule *thin = ARENA_ARRAY(arena, MetricsDownsampleRule, c->downsample.n);
    ASSERT(keep && thin);
    ErrCode r = OK;
    for (size_t i = 0; i < c->retention.n && r == OK; i++) {
        keep[i].keep_ms = k[i].keep_ms;
        r = promql_parse_selector(k[i].selector, arena, &keep[i].matchers, reterr);
    }
    for (size_t i = 0; i < c->downsample.n && r == OK; i++) {
        thin[i] = (MetricsDownsampleRule){.after_ms = d[i].after_ms, .resolution_ms = d[i].resolution_ms};
        r = promql_parse_selector(d[i].selector, arena, &thin[i].matchers, reterr);
    }
    *ret = (MetricsRules){keep, c->retention.n, thin, c->downsample.n};
    return r;
}

static ErrCode open_metrics(Server *s, bool durable, Err *reterr) {
    char dir[FS_PATH_MAX];
    MetricsStoreOptions o = {.durable = durable,
        .retention_ms = s->config->storage.metrics_retention_ms,
        .retention_bytes = (uint64_t)s->config->storage.metrics_retention_bytes,
        .head_bytes_max = (size_t)s->config->storage.metrics_head_bytes,
        .limits = server_metrics_limits(s->config),
        .zero_starts = s->config->scrape.zero_starts};
    Arena *arena = arena_create(ARENA_UNLIMITED);
    ErrCode r = server_metrics_rules(s->config, arena, &o.rules, reterr);
    if (r == OK) r = datadir_sub(s->dir, "metrics", dir, reterr);
    if (r == OK) r = metrics_store_open(datadir_fs(s->dir), dir, &o, &s->metrics, reterr);
    arena_free(arena);
    return r;
}

static ErrCode open_logs(Server *s, bool durable, Err *reterr) {
    char dir[FS_PATH_MAX];
    LogStoreOptions o = {.durable = durable,
        .retention_ms = s->config->storage.logs_retention_ms,
        .retention_bytes = (uint64_t)s->config->storage.logs_retention_bytes,
        .head_bytes_max = (size_t)s->config->storage.logs_head_bytes};
    ErrCode r = datadir_sub(s->dir, "logs", dir, reterr);
    return r == OK ? log_store_open(datadir_fs(s->dir), dir, &o, &s->logs, reterr) : r;
}

static ErrCode open_traces(Server *s, bool durable, Err *reterr) {
    char dir[FS_PATH_MAX];
    TraceStoreOptions o = {.durable = durable,
        .retention_ms = s->config->storage.traces_retention_ms,
        .retention_bytes = (uint64_t)s->config->storage.traces_retention_bytes,
        .head_bytes_max = (size_t)s->config->storage.traces_head_bytes};
    ErrCode r = datadir_sub(s->dir, "traces", dir, reterr);
    return r == OK ? trace_store_open(datadir_fs(s->dir), dir, &o, &s->traces, reterr) : r;
}

/* What opening found broken is said once, where the operator looks first. */
static void report_damage(
    const char *store, uint64_t corrupt_parts, uint64_t corrupt_frames, uint64_t torn_bytes, const char *log_problem) {
    char parts[24], frames[24], torn[24];
    snprintf(parts, sizeof parts, "%llu", (unsigned long long)corrupt_parts);
    snprintf(frames, sizeof frames, "%llu", (unsigned long long)corrupt_frames);
    snprintf(torn, sizeof torn, "%llu", (unsigned long long)torn_bytes);
    if (corrupt_parts + corrupt_frames > 0) {
        log_error("damaged data was found; the rest is served", "store", store, "corrupt_parts", parts,
            "corrupt_wal_frames", frames, "log", log_problem, NULL);
    }
    if (torn_bytes > 0)
        log_warn("an unfinished write at the log's end was cut off; it had not been acknowledged", "store", store,
            "bytes", torn, "log", log_problem, NULL);
}

void server_report_damage(Server *s) {
    MetricsStoreStats m;
    LogStoreStats l;
    TraceStoreStats t;
    s->metrics->ops->stats(s->metrics, &m);
    s->logs->ops->stats(s->logs, &l);
    s->traces->ops->stats(s->traces, &t);
    uint64_t now[3] = {m.corrupt_parts + m.wal_corrupt_frames + m.wal_torn_bytes,
        l.corrupt_parts + l.wal_corrupt_frames + l.wal_torn_bytes,
        t.corrupt_parts + t.wal_corrupt_frames + t.wal_torn_bytes};
    if (now[0] != s->damage[0])
        report_damage("metrics", m.corrupt_parts, m.wal_corrupt_frames, m.wal_torn_bytes, m.wal_problem);
    if (now[1] != s->damage[1])
        report_damage("logs", l.corrupt_parts, l.wal_corrupt_frames, l.wal_torn_bytes, l.wal_problem);
    if (now[2] != s->damage[2])
        report_damage("traces", t.corrupt_parts, t.wal_corrupt_frames, t.wal_torn_bytes, t.wal_problem);
    memcpy(s->damage, now, sizeof now);
}

ErrCode server_open_stores(Server *s, Err *reterr) {
    char *path = str_dup_cstr(s->config->storage.data_dir);
    ErrCode r = datadir_open(fs_real(), path, &s->dir, reterr);
    bool durable = str_eq_lit(s->config->storage.durability, "fsync");
    if (r == OK) server_clear_stages(s);
    if (r == OK) r = open_metrics(s, durable, reterr);
    if (r == OK) r = open_logs(s, durable, reterr);
    if (r == OK) r = open_traces(s, durable, reterr);
    if (r == OK) server_report_damage(s);
    mem_free(path);
    return r;
}

void server_close_stores(Server *s) {
    if (s->metrics) s->metrics->ops->close(s->metrics);
    if (s->logs) s->logs->ops->close(s->logs);
    if (s->traces) s->traces->ops->close(s->traces);
    s->metrics = NULL;
    s->logs = NULL;
    s->traces = NULL;
    s->dir = datadir_close(s->dir);
}
