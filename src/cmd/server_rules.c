/* server_rules.c - rules between their files, the stores and those who are told of alerts. */
#include "alert/rule_packs.h"
#include "alert/rules.h"
#include "cmd/rule_query.h"
#include "cmd/server_int.h"
#include "sys/clock.h"

#include <stdio.h>
#include <unistd.h>

static ErrCode run_query(void *ctx, Str datasource, Str expr, int64_t t_ms, int64_t range_ms,
    const _Atomic bool *cancel, Arena *arena, PromqlResult *ret, Err *reterr) {
    Server *s = ctx;
    RuleQuery q = {.logs = s->logs,
        .traces = s->traces,
        .datasource = datasource,
        .expr = expr,
        .t_ms = t_ms,
        .range_ms = range_ms,
        .deadline_mono_ns = clock_mono_ns() + s->config->query.timeout_ms * 1000000,
        .memory_bytes = (size_t)s->config->query.memory_bytes,
        .cancel = cancel};
    return rule_query_run(&q, arena, ret, reterr);
}

static void send_alerts(void *ctx, const Alert *alerts, size_t n) {
    Server *s = ctx;
    Err err = {0};
    if (alertmanager_receive(s->alertmanager, alerts, n, &err) != OK) {
        log_error("alerts of rules were refused", "error", err.msg, NULL);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (!alert_is_resolved(&alerts[i], alerts[i].updated_ns) &&
            str_eq(labels_get(alerts[i].labels, STR("alertname")), RULE_WATCHDOG))
            alertmanager_watchdog_seen(s->alertmanager, alerts[i].ends_ns);
}

/* Other Alertmanagers have routes we do not know: what is built in stays here. Alerts of one call are of one rule. */
static void send_everywhere(void *ctx, const Alert *alerts, size_t n) {
    Server *s = ctx;
    send_alerts(s, alerts, n);
    if (!alerts[0].by_name) rule_notifier_send(s->notifier, alerts, n);
}

ErrCode server_open_rules(Server *s, Err *reterr) {
    s->notifier = rule_notifier_create(s->client);
    char dir[1024], url[CONFIG_URL_MAX];
    snprintf(
        dir, sizeof dir, "%.*s/rules", (int)MIN(s->config->storage.data_dir.n, 1000), s->config->storage.data_dir.p);
    Str external = config_external_url(s->config->web.external_url, s->config->web.route_prefix,
        s->config->web.listen_host.n ? s->config->web.listen_host : s->config->server.listen,
        s->config->server.prometheus + s->config->server.port_offset, url);
    return rule_manager_create(&(RuleManagerOptions){.dir = dir,
                                   .metrics = s->metrics,
                                   .engine = {.lookback_ms = s->config->query.lookback_ms,
                                       .samples_max = (uint64_t)s->config->query.max_samples,
                                       .delayed_name_removal = s->config->query.delayed_name_removal,
                                       .use_start_timestamps = s->config->query.use_start_timestamps},
                                   .query_timeout_ms = s->config->query.timeout_ms,
                                   .query_memory_bytes = (size_t)s->config->query.memory_bytes,
                                   .external_url = external,
                                   .query = run_query,
                                   .check = rule_query_check,
                                   .send = send_everywhere,
                                   .ctx = s},
        &s->rules, reterr);
}

void server_close_rules(Server *s) {
    s->rules = rule_manager_free(s->rules);
    s->notifier = rule_notifier_free(s->notifier);
    s->rules_config = prom_config_free(s->rules_config);
}

/* Rule packs by name; false: there is no such pack. */
static bool find_packs(const Config *c, RuleText *out, Err *reterr) {
    for (size_t i = 0; i < c->rules.packs.n; i++) {
        Str name = c->rules.packs.v[i], near;
        if (rule_pack_find(name, &out[i], &near)) continue;
        err_set(reterr, ERR_INVALID, "there is no rule pack \"%" STR_FMT "\"", STR_ARG(name));
        if (near.n)
            err_hint(reterr, "did you mean \"%" STR_FMT "\"?", STR_ARG(near));
        else
            err_hint(reterr, "`meerkat check rules --packs` lists them");
        return false;
    }
    return true;
}

/* A server with neither rules nor routes shows that alerting works. With an alertmanager.yml and without rules a route
 * that names the Watchdog waits for somebody else's: ours must not stand in for it. */
static bool wants_watchdog(Server *s, bool has_rules) {
    const Config *c = s->config;
    if (!str_eq_lit(c->rules.watchdog, "auto")) return str_eq_lit(c->rules.watchdog, "on");
    if (!has_rules && !c->files.alertmanager.n) return true;
    for (size_t i = 0; i < c->alerting.heartbeats.n; i++)
        if (str_starts_with(str_trim(c->alerting.heartbeats.v[i]), STR("ping "))) return true;
    return has_rules && alertmanager_names(s->alertmanager, RULE_WATCHDOG);
}

static void print(const Buf *out) { fwrite(out->p ? out->p : "", 1, out->n, stderr); }

ErrCode server_renew_watchdog(Server *s, Err *reterr) {
    const PromConfig *p = s->rules_config;
    bool has_rules = (p ? p->n_rule_files : 0) + s->config->rules.files.n + s->config->rules.packs.n > 0;
    return wants_watchdog(s, has_rules) == s->watchdog ? OK : server_load_rules(s, s->rules_config, reterr);
}

ErrCode server_load_rules(Server *s, PromConfig *config, Err *reterr) {
    const Config *c = s->config;
    RuleText packs[CONFIG_LIST_MAX];
    Buf out = {0};
    if (!find_packs(c, packs, reterr)) return ERR_INVALID;
    size_t n_prom = config ? config->n_rule_files : 0;
    Str *files = mem_alloc_array(n_prom + c->rules.files.n + 1, sizeof *files);
    for (size_t i = 0; i < n_prom; i++) files[i] = config->rule_files[i];
    for (size_t i = 0; i < c->rules.files.n; i++) files[n_prom + i] = c->rules.files.v[i];
    RuleManagerConfig rules = {.files = files,
        .n_files = n_prom + c->rules.files.n,
        .texts = packs,
        .n_texts = c->rules.packs.n,
        .watchdog = wants_watchdog(s, n_prom + c->rules.files.n + c->rules.packs.n > 0),
        .evaluation_interval_ms = config ? config->evaluation_interval_ms : c->rules.interval_ms};
    if (config) {
        rules.query_offset_ms = config->rule_query_offset_ms;
        rules.external_labels = config->external_labels;
        rules.alert_relabel = config->alert_relabel;
    }
    ErrCode r = rule_manager_load(s->rules, &rules, &out);
    print(&out);
    if (r != OK) err_set(reterr, r, "the rule files are not usable; %s", "see the messages above");
    if (r == OK) {
        PromConfig *old = s->rules_config;
        s->rules_config = config ? prom_config_ref(config) : NULL;
        prom_config_free(old);
        rule_notifier_apply(s->notifier, config);
        s->watchdog = rules.watchdog;
        alertmanager_expect_watchdog(s->alertmanager, rule_manager_has_alert(s->rules, RULE_WATCHDOG));
    }
    mem_free(files);
    buf_done(&out);
    return r;
}
