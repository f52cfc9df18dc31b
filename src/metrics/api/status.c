/* status.c - /status/..., targets, rules, alerts, alertmanagers: mostly what the process above knows. */
#include "metrics/api/api_int.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static void put_time_pair(JsonWriter *w, const char *key, int64_t t_ns) {
    Buf b = {0};
    time_put_rfc3339(&b, t_ns);
    json_pair_str(w, key, buf_str(&b));
    buf_done(&b);
}

static void put_empty_list(JsonWriter *w, const char *key) {
    json_key(w, str_cstr(key));
    json_begin_array(w);
    json_end_array(w);
}

bool api_buildinfo(ApiCall *c) {
    const PromApiOptions *o = &c->api->opts;
    json_begin_object(&c->w);
    json_pair_str(&c->w, "version", o->version);
    json_pair_str(&c->w, "revision", o->revision);
    json_pair_str(&c->w, "branch", o->branch);
    json_pair_str(&c->w, "buildUser", o->build_user);
    json_pair_str(&c->w, "buildDate", o->build_date);
    json_pair_str(&c->w, "goVersion", STR("")); /* not a Go program */
    json_end_object(&c->w);
    return true;
}

bool api_runtimeinfo(ApiCall *c) {
    const PromApiOptions *o = &c->api->opts;
    JsonWriter *w = &c->w;
    char cwd[PATH_MAX] = "", host[256] = "";
    bool config_ok = true;
    int64_t config_ns = c->api->start_ns;
    MetricsStoreStats stats;
    if (!getcwd(cwd, sizeof cwd)) cwd[0] = '\0';
    if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
    if (o->config_state) o->config_state(o->ctx, &config_ok, &config_ns);
    o->store->ops->stats(o->store, &stats);
    json_begin_object(w);
    put_time_pair(w, "startTime", c->api->start_ns);
    json_pair_str(w, "CWD", str_cstr(cwd));
    json_pair_str(w, "hostname", str_cstr(host));
    put_time_pair(w, "serverTime", clock_now_ns());
    json_key_lit(w, "reloadConfigSuccess");
    json_bool(w, config_ok);
    put_time_pair(w, "lastConfigTime", config_ns);
    json_key_lit(w, "corruptionCount");
    json_u64(w, stats.corrupt_parts + stats.wal_corrupt_frames);
    json_key_lit(w, "goroutineCount");
    json_u64(w, 0);
    json_key_lit(w, "GOMAXPROCS");
    json_u64(w, thread_cpu_count());
    json_key_lit(w, "GOMEMLIMIT");
    json_i64(w, INT64_MAX);
    json_pair_str(w, "GOGC", STR(""));
    json_pair_str(w, "GODEBUG", STR(""));
    json_pair_str(w, "storageRetention", o->storage_retention);
    json_end_object(w);
    return true;
}

bool api_flags(ApiCall *c) {
    const PromApiOptions *o = &c->api->opts;
    if (o->put_flags) {
        o->put_flags(o->ctx, &c->w);
    } else {
        json_begin_object(&c->w);
        json_end_object(&c->w);
    }
    return true;
}

static bool put_yaml(ApiCall *c, void (*put)(void *ctx, Buf *yaml)) {
    Buf yaml = {0};
    if (put) put(c->api->opts.ctx, &yaml);
    json_begin_object(&c->w);
    json_pair_str(&c->w, "yaml", buf_str(&yaml));
    json_end_object(&c->w);
    buf_done(&yaml);
    return true;
}

bool api_config(ApiCall *c) { return put_yaml(c, c->api->opts.put_config); }
bool api_server_config(ApiCall *c) { return put_yaml(c, c->api->opts.put_server_config); }

bool api_walreplay(ApiCall *c) {
    json_begin_object(&c->w);
    static const char *const keys[] = {"min", "max", "current"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        json_key(&c->w, str_cstr(keys[i]));
        json_i64(&c->w, 0);
    }
    json_end_object(&c->w);
    return true;
}

/* --- what other rooms know --- */

bool api_targets(ApiCall *c) {
    const PromApiOptions *o = &c->api->opts;
    if (o->put_targets) {
        o->put_targets(o->ctx, http_param(c->req, STR("state")), http_param(c->req, STR("scrapePool")), &c->w);
        return true;
    }
    json_begin_object(&c->w);
    put_empty_list(&c->w, "activeTargets");
    put_empty_list(&c->w, "droppedTargets");
    json_key_lit(&c->w, "droppedTargetCounts");
    json_begin_object(&c->w);
    json_end_object(&c->w);
    json_end_object(&c->w);
    return true;
}

bool api_scrape_pools(ApiCall *c) {
    const PromApiOptions *o = &c->api->opts;
    json_begin_object(&c->w);
    if (o->put_scrape_pools) {
        json_key_lit(&c->w, "scrapePools");
        o->put_scrape_pools(o->ctx, &c->w);
    } else {
        put_empty_list(&c->w, "scrapePools");
    }
    json_end_object(&c->w);
    return true;
}

bool api_rules(ApiCall *c) {
    const PromApiOptions *o = &c->api->opts;
    if (o->put_rules) {
        Err err = {0};
        if (o->put_rules(o->ctx, c->req, &c->w, &err) == OK) return true;
        return api_fail(c, API_BAD_DATA, "%s", err.msg);
    }
    json_begin_object(&c->w);
    put_empty_list(&c->w, "groups");
    json_end_object(&c->w);
    return true;
}

bool api_alerts(ApiCall *c) {
    const PromApiOptions *o = &c->api->opts;
    if (o->put_alerts) {
        o->put_alerts(o->ctx, &c->w);
        return true;
    }
    json_begin_object(&c->w);
    put_empty_list(&c->w, "alerts");
    json_end_object(&c->w);
    return true;
}

bool api_alertmanagers(ApiCall *c) {
    const PromApiOptions *o = &c->api->opts;
    if (o->put_alertmanagers) {
        o->put_alertmanagers(o->ctx, &c->w);
        return true;
    }
    json_begin_object(&c->w);
    put_empty_list(&c->w, "activeAlertmanagers");
    put_empty_list(&c->w, "droppedAlertmanagers");
    json_end_object(&c->w);
    return true;
}
