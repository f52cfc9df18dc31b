/* server_prom.c - what Prometheus' API asks of the rest of the process: targets, configuration, flags, readiness. */
#include "base/timefmt.h"
#include "cmd/server_int.h"
#include "sys/process.h"
#include "sys/signals.h"

#include <stdlib.h>

#define TARGETS_BUDGET (64u << 20)

static bool is_ready(void *ctx) {
    Server *s = ctx;
    return atomic_load(&s->ready);
}

static void put_labels(JsonWriter *w, Labels l) {
    Buf text = {0};
    labels_put_json(&text, l);
    json_raw(w, buf_str(&text));
    buf_done(&text);
}

static void put_time(JsonWriter *w, int64_t t_ms) {
    Buf text = {0};
    if (t_ms == 0) {
        buf_put_lit(&text, "0001-01-01T00:00:00Z"); /* Go's zero time: never */
    } else {
        time_put_rfc3339(&text, t_ms * NS_PER_MS);
    }
    json_str(w, buf_str(&text));
    buf_done(&text);
}

static void put_duration(JsonWriter *w, int64_t ms) {
    Buf text = {0};
    duration_put_prom(&text, ms);
    json_str(w, buf_str(&text));
    buf_done(&text);
}

/* As others see it: a name of this machine for what stands for itself. */
static void put_global_url(JsonWriter *w, Str url) {
    static const Str local[] = {STR_INIT("127.0.0.1"), STR_INIT("localhost"), STR_INIT("[::1]")};
    size_t scheme = str_find(url, STR("://"));
    size_t from = scheme == SIZE_MAX ? 0 : scheme + 3;
    Buf text = {0};
    buf_put_str(&text, str_slice(url, 0, from));
    Str rest = str_skip(url, from);
    for (size_t i = 0; i < ARRAY_LEN(local); i++) {
        if (!str_starts_with(rest, local[i])) continue;
        Str after = str_skip(rest, local[i].n);
        if (after.n && after.p[0] != ':' && after.p[0] != '/') continue;
        process_hostname(&text);
        rest = after;
        break;
    }
    buf_put_str(&text, rest);
    json_str(w, buf_str(&text));
    buf_done(&text);
}

static void put_active(JsonWriter *w, const ScrapeTargetInfo *t) {
    static const Str health[] = {STR_INIT("unknown"), STR_INIT("up"), STR_INIT("down")};
    json_begin_object(w);
    json_key_lit(w, "discoveredLabels");
    put_labels(w, t->discovered);
    json_key_lit(w, "labels");
    put_labels(w, t->labels);
    json_key_lit(w, "scrapePool");
    json_str(w, t->pool);
    json_key_lit(w, "scrapeUrl");
    json_str(w, t->url);
    json_key_lit(w, "globalUrl");
    put_global_url(w, t->url);
    json_key_lit(w, "lastError");
    json_str(w, t->last_error);
    json_key_lit(w, "lastScrape");
    put_time(w, t->last_scrape_ms);
    json_key_lit(w, "lastScrapeDuration");
    json_f64(w, t->last_duration_s);
    json_key_lit(w, "health");
    json_str(w, health[t->health]);
    json_key_lit(w, "scrapeInterval");
    put_duration(w, t->interval_ms);
    json_key_lit(w, "scrapeTimeout");
    put_duration(w, t->timeout_ms);
    json_end_object(w);
}

static void put_dropped(JsonWriter *w, const ScrapeTargetInfo *t) {
    json_begin_object(w);
    json_key_lit(w, "discoveredLabels");
    put_labels(w, t->discovered);
    json_key_lit(w, "scrapePool");
    json_str(w, t->pool);
    json_end_object(w);
}

static void put_dropped_counts(JsonWriter *w, const ScrapePoolInfo *v, size_t n) {
    json_begin_object(w);
    for (size_t i = 0; i < n; i++) {
        json_key(w, v[i].name);
        json_u64(w, v[i].dropped);
    }
    json_end_object(w);
}

static void put_source(JsonWriter *w, Str pool, const SdState *s) {
    json_begin_object(w);
    json_key_lit(w, "scrapePool");
    json_str(w, pool);
    json_key_lit(w, "kind");
    json_str(w, str_cstr(sd_kind_name(s->kind)));
    json_key_lit(w, "targets");
    json_u64(w, s->targets);
    json_key_lit(w, "known");
    json_bool(w, s->known);
    json_key_lit(w, "lastError");
    json_str(w, str_cstr(s->error));
    json_key_lit(w, "lastSuccess");
    put_time(w, s->last_ok_ms);
    json_key_lit(w, "failures");
    json_u64(w, s->failures);
    json_end_object(w);
}

/* Ours: how the sources of each pool fare. */
static void put_discovery(JsonWriter *w, const ScrapePoolInfo *v, size_t n, Str pool) {
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < v[i].n_sources; k++)
            if (pool.n == 0 || str_eq(pool, v[i].name)) put_source(w, v[i].name, &v[i].sources[k]);
    }
    json_end_array(w);
}

static void put_targets(void *ctx, Str state, Str pool, JsonWriter *w) {
    Server *s = ctx;
    Arena *arena = arena_create(TARGETS_BUDGET);
    ScrapeTargetInfo *v = NULL;
    size_t n = 0;
    ScrapePoolInfo *pools = NULL;
    size_t n_pools = 0;
    if (scrape_manager_targets(s->scraper, arena, &v, &n, NULL) != OK) n = 0;
    if (scrape_manager_pools(s->scraper, arena, &pools, &n_pools, NULL) != OK) n_pools = 0;
    bool any = state.n == 0 || str_eq_nocase(state, STR("any"));
    bool active = any || str_eq_nocase(state, STR("active")), dropped = any || str_eq_nocase(state, STR("dropped"));
    json_begin_object(w);
    json_key_lit(w, "activeTargets");
    json_begin_array(w);
    for (size_t i = 0; active && i < n; i++) {
        if (!v[i].dropped && (pool.n == 0 || str_eq(pool, v[i].pool))) put_active(w, &v[i]);
    }
    json_end_array(w);
    json_key_lit(w, "droppedTargets");
    json_begin_array(w);
    for (size_t i = 0; dropped && i < n; i++) {
        if (v[i].dropped && (pool.n == 0 || str_eq(pool, v[i].pool))) put_dropped(w, &v[i]);
    }
    json_end_array(w);
    json_key_lit(w, "droppedTargetCounts");
    if (dropped)
        put_dropped_counts(w, pools, n_pools);
    else
        json_null(w);
    json_key_lit(w, "discovery");
    put_discovery(w, pools, n_pools, pool);
    json_end_object(w);
    arena_free(arena);
}

static int by_pool(const void *a, const void *b) {
    return str_cmp(((const ScrapePoolInfo *)a)->name, ((const ScrapePoolInfo *)b)->name);
}

static void put_scrape_pools(void *ctx, JsonWriter *w) {
    Server *s = ctx;
    Arena *arena = arena_create(TARGETS_BUDGET);
    ScrapePoolInfo *v = NULL;
    size_t n = 0;
    if (scrape_manager_pools(s->scraper, arena, &v, &n, NULL) != OK) n = 0;
    if (n > 1) qsort(v, n, sizeof *v, by_pool);
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) json_str(w, v[i].name);
    json_end_array(w);
    arena_free(arena);
}

static void put_config(void *ctx, Buf *yaml) {
    Server *s = ctx;
    mutex_lock(&s->scrape_mutex);
    buf_put_str(yaml, buf_str(&s->scrape_text));
    mutex_unlock(&s->scrape_mutex);
}

/* The configuration in effect, parsed once more: its rules live as long as the arena. */
static bool pool_relabel(void *ctx, Str pool, Arena *arena, RelabelRules *ret) {
    Server *s = ctx;
    const PromScrapeConfig *job = scrape_manager_job(s->scraper, pool, arena);
    if (job) *ret = job->relabel;
    return job != NULL;
}

static bool put_pool_config(void *ctx, Str pool, Buf *yaml) {
    Server *s = ctx;
    Arena *arena = arena_create(TARGETS_BUDGET);
    const PromScrapeConfig *job = scrape_manager_job(s->scraper, pool, arena);
    if (job) buf_put_str(yaml, job->yaml);
    arena_free(arena);
    return job != NULL;
}

static ErrCode reload(void *ctx, Err *reterr) { return server_reload(ctx, reterr); }

static void quit(void *ctx) {
    (void)ctx;
    signals_raise(SIGNAL_STOP);
}

static void put_duration_flag(JsonWriter *w, const char *name, int64_t ms) {
    json_key(w, str_cstr(name));
    put_duration(w, ms);
}

static void put_number_flag(JsonWriter *w, const char *name, int64_t v, const char *unit) {
    Buf text = {0};
    buf_printf(&text, "%lld%s", (long long)v, unit);
    json_pair_str(w, name, buf_str(&text));
    buf_done(&text);
}

static void put_address_flag(JsonWriter *w, const Config *c) {
    Buf text = {0};
    Str host = c->web.listen_host.n ? c->web.listen_host : c->server.listen;
    bool v6 = str_find_char(host, ':') != SIZE_MAX;
    buf_printf(&text, v6 ? "[%" STR_FMT "]:%lld" : "%" STR_FMT ":%lld", STR_ARG(host),
        (long long)(c->server.prometheus + c->server.port_offset));
    json_pair_str(w, "web.listen-address", buf_str(&text));
    buf_done(&text);
}

/* Flags whose value here is always the same. */
static void put_constant_flags(JsonWriter *w) {
    static const char *const flags[][2] = {{"agent", "false"}, {"enable-feature", ""},
        {"rules.alert.for-grace-period", "10m"}, {"rules.alert.for-outage-tolerance", "1h"},
        {"rules.alert.resend-delay", "1m"}, {"storage.remote.read-concurrent-limit", "10"},
        {"storage.remote.read-max-bytes-in-frame", "1048576"}, {"storage.remote.read-sample-limit", "50000000"},
        {"storage.tsdb.max-block-duration", "2h"}, {"storage.tsdb.min-block-duration", "2h"}, {"web.config.file", ""},
        {"web.cors.origin", ".*"}, {"web.enable-otlp-receiver", "true"}, {"web.enable-remote-write-receiver", "true"},
        {"web.max-notifications-subscribers", "16"},
        {"web.remote-write-receiver.accepted-protobuf-messages",
            "prometheus.WriteRequest,io.prometheus.write.v2.Request"},
        {"web.search.max-limit", "10000"}};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) json_pair_str(w, flags[i][0], str_cstr(flags[i][1]));
}

/* The flags that clients of Prometheus look at, with the values that hold here. */
static void put_flags(void *ctx, JsonWriter *w) {
    const Config *c = ((Server *)ctx)->config;
    json_begin_object(w);
    put_constant_flags(w);
    json_pair_str(w, "config.file", c->files.prometheus);
    json_pair_str(w, "log.format", c->log.format);
    json_pair_str(w, "log.level", c->log.level);
    put_duration_flag(w, "query.lookback-delta", c->query.lookback_ms);
    put_number_flag(w, "query.max-concurrency", c->query.concurrency, "");
    put_number_flag(w, "query.max-samples", c->query.max_samples, "");
    put_duration_flag(w, "query.timeout", c->query.timeout_ms);
    json_pair_str(w, "storage.tsdb.path", c->storage.data_dir);
    put_number_flag(w, "storage.tsdb.retention.size", c->storage.metrics_retention_bytes, "B");
    put_duration_flag(w, "storage.tsdb.retention.time", c->storage.metrics_retention_ms);
    put_address_flag(w, c);
    json_pair_str(w, "web.enable-admin-api", c->web.enable_admin_api ? STR("true") : STR("false"));
    json_pair_str(w, "web.enable-lifecycle", c->web.enable_lifecycle ? STR("true") : STR("false"));
    json_pair_str(w, "web.external-url", c->web.external_url);
    Str prefix = config_route_prefix(c->web.external_url, c->web.route_prefix);
    json_pair_str(w, "web.route-prefix", prefix.n ? prefix : STR("/"));
    put_number_flag(w, "web.max-connections", c->server.max_connections, "");
    json_end_object(w);
}

/* meerkat.yml as it is in effect, for the UI. */
static void put_server_config(void *ctx, Buf *yaml) { config_put_yaml(yaml, ((Server *)ctx)->config); }

static ErrCode put_rules(void *ctx, HttpRequest *req, JsonWriter *w, Err *reterr) {
    Server *s = ctx;
    return rule_manager_put_rules(s->rules, req, w, reterr);
}

static void put_alerts(void *ctx, JsonWriter *w) {
    Server *s = ctx;
    rule_manager_put_alerts(s->rules, w);
}

static void config_state(void *ctx, bool *ret_ok, int64_t *ret_t_ns) {
    Server *s = ctx;
    *ret_ok = atomic_load(&s->config_ok);
    *ret_t_ns = atomic_load(&s->config_ns);
}

void server_open_prom_api(Server *s) {
    Buf retention = {0}, snapshots = {0};
    buf_put_str(&snapshots, s->config->storage.data_dir);
    buf_put_lit(&snapshots, "/snapshots");
    duration_put_prom(&retention, s->config->storage.metrics_retention_ms);
    unsigned cpus = thread_cpu_count();
    if (cpus > 1) s->query_helpers = pool_create("promql", cpus - 1, 4 * (size_t)cpus);
    s->prom_api = prom_api_create(&(PromApiOptions){
        .store = s->metrics,
        .engine = {.lookback_ms = s->config->query.lookback_ms,
            .samples_max = (uint64_t)s->config->query.max_samples,
            .delayed_name_removal = s->config->query.delayed_name_removal,
            .use_start_timestamps = s->config->query.use_start_timestamps,
            .pool = s->query_helpers},
        .query_timeout_ms = s->config->query.timeout_ms,
        .query_arena_bytes = (size_t)s->config->query.memory_bytes,
        .query_concurrency = (unsigned)s->config->query.concurrency,
        .query_total_bytes = (uint64_t)s->config->query.total_memory_bytes,
        .slow_query_ms = s->config->query.slow_ms,
        .slow_query_max = (size_t)s->config->query.slow_max,
        .limits = server_metrics_limits(s->config),
        .zero_starts = s->config->scrape.zero_starts,
        .storage_retention = buf_str(&retention),
        .ctx = s,
        .ready = is_ready,
        .put_targets = put_targets,
        .put_scrape_pools = put_scrape_pools,
        .put_rules = put_rules,
        .put_alerts = put_alerts,
        .put_alertmanagers = server_put_alertmanagers,
        .put_config = put_config,
        .put_flags = put_flags,
        .put_server_config = put_server_config,
        .config_state = config_state,
        .admin_api = s->config->web.enable_admin_api,
        .snapshot_dir = buf_str(&snapshots),
        .lifecycle = s->config->web.enable_lifecycle,
        .reload = reload,
        .quit = quit,
        .pool_relabel = pool_relabel,
        .put_pool_config = put_pool_config,
        .gather = server_gather,
    });
    buf_done(&retention);
    buf_done(&snapshots);
}
