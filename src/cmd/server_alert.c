/* server_alert.c - the Alertmanager: its file, its port, what the rest of the process tells it. */
#include "cmd/server_int.h"
#include "sys/fs.h"

#include "base/timefmt.h"

#include <stdio.h>
#include <unistd.h>

#define ALERT_CONFIG_MAX (16u << 20)
#define HEARTBEATS_MAX 64

static AmMatchMode match_mode(const Config *c) {
    if (str_eq_lit(c->alerting.matchers, "utf8-strict-mode")) return AM_MATCH_UTF8;
    return str_eq_lit(c->alerting.matchers, "classic-mode") ? AM_MATCH_CLASSIC : AM_MATCH_FALLBACK;
}

Str server_alert_url(const Server *s, char buf[CONFIG_URL_MAX]) {
    const Config *c = s->config;
    return config_external_url(c->alerting.external_url, c->alerting.route_prefix,
        c->alerting.listen_host.n ? c->alerting.listen_host : c->server.listen,
        c->server.alertmanager + c->server.port_offset, buf);
}

/* The word before the next blank; *s is what follows. */
static Str word(Str *s) {
    Str rest = str_trim(*s);
    size_t end = str_find_char(rest, ' ');
    Str w = end == SIZE_MAX ? rest : str_slice(rest, 0, end);
    *s = str_skip(rest, w.n);
    return w;
}

/* "ping URL every 1m", "expect NAME within 5m". */
static bool parse_heartbeat(Str text, AlertmanagerHeartbeat *h) {
    Str verb = word(&text), what = word(&text), how = word(&text), time = word(&text);
    int64_t ms;
    *h = (AlertmanagerHeartbeat){.name = what};
    if (!what.n || !duration_parse_prom(time, &ms) || ms < 1000 || str_trim(text).n) return false;
    if (str_eq_lit(verb, "ping") && str_eq_lit(how, "every")) {
        h->url = what;
        h->interval_ms = ms;
        return str_starts_with(what, STR("http://")) || str_starts_with(what, STR("https://"));
    }
    h->timeout_ms = ms;
    return str_eq_lit(verb, "expect") && str_eq_lit(how, "within");
}

static ErrCode parse_heartbeats(const Config *c, AlertmanagerHeartbeat *v, size_t *n, Err *reterr) {
    *n = 0;
    for (size_t i = 0; i < c->alerting.heartbeats.n && *n < HEARTBEATS_MAX; i++) {
        if (parse_heartbeat(c->alerting.heartbeats.v[i], &v[*n])) {
            (*n)++;
            continue;
        }
        err_set(reterr, ERR_INVALID, "alerting.heartbeats: \"%" STR_FMT "\" is not understood",
            STR_ARG(c->alerting.heartbeats.v[i]));
        err_hint(reterr, "\"ping https://... every 1m\" or \"expect NAME within 5m\"");
        return ERR_INVALID;
    }
    return OK;
}

ErrCode server_open_alerts(Server *s, Err *reterr) {
    const Config *c = s->config;
    char dir[1024], url[CONFIG_URL_MAX];
    AlertmanagerHeartbeat heartbeats[HEARTBEATS_MAX];
    size_t n;
    ErrCode r = parse_heartbeats(c, heartbeats, &n, reterr);
    if (r != OK) return r;
    snprintf(dir, sizeof dir, "%.*s/alertmanager", (int)MIN(c->storage.data_dir.n, 1000), c->storage.data_dir.p);
    AlertmanagerOptions o = {.dir = dir,
        .client = s->client,
        .external_url = server_alert_url(s, url),
        .version = STR("0.34.0"), /* whose API this is; clients look at it */
        .retention_ms = c->alerting.retention_ms,
        .match_mode = match_mode(c),
        .alerts_max = (size_t)c->alerting.alerts_max,
        .silences_max = (size_t)c->alerting.silences_max,
        .guards = {.silence_matches_max = (size_t)c->alerting.silence_matches_max,
            .silence_max_ms = c->alerting.silence_max_ms,
            .comment_required = c->alerting.silence_comment_required},
        .peers = {.urls = c->alerting.peers.v,
            .n_urls = c->alerting.peers.n,
            .name = c->alerting.peer_name,
            .secret = c->alerting.peer_secret,
            .peer_timeout_ms = c->alerting.peer_timeout_ms},
        .heartbeats = heartbeats,
        .n_heartbeats = n};
    return alertmanager_create(&o, &s->alertmanager, reterr);
}

void server_close_alerts(Server *s) {
    if (s->client) http_client_stop(s->client); /* a receiver that hangs does not hold up the end */
    s->alertmanager = alertmanager_free(s->alertmanager);
}

static ErrCode load_text(Server *s, const char *path, Str text, Err *reterr) {
    DiagList diags;
    diag_init(&diags, str_cstr(path), text);
    ErrCode r = alertmanager_load(s->alertmanager, str_cstr(path), text, &diags);
    Buf out = {0};
    diag_render(&diags, &out, isatty(STDERR_FILENO) != 0);
    fwrite(out.p ? out.p : "", 1, out.n, stderr);
    if (r != OK) {
        const Diag *first = NULL;
        vec_foreach(Diag, d, &diags.items) first = !first && d->level == DIAG_ERROR ? d : first;
        err_set(reterr, r, "%s:%d:%d: %s", path, first ? first->line : 0, first ? first->col : 0,
            first ? first->msg : "not usable");
    }
    buf_done(&out);
    diag_done(&diags);
    return r;
}

ErrCode server_load_alerts(Server *s, Err *reterr) {
    Buf text = {0};
    char *path = str_dup_cstr(s->config->files.alertmanager);
    ErrCode r = *path ? fs_read_file(fs_real(), path, ALERT_CONFIG_MAX, &text, reterr) : OK;
    if (r == OK && *path && !str_trim(buf_str(&text)).n) buf_put_lit(&text, "# empty\n"); /* not the built-in one */
    if (r == OK) r = load_text(s, path, buf_str(&text), reterr);
    mem_free(path);
    buf_done(&text);
    return r;
}

/* --- port --- */

static void handle_ok(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)req;
    Server *s = ctx;
    if (atomic_load(&s->ready))
        http_reply_text(res, 200, "OK");
    else
        http_reply_text(res, 503, "starting\n");
}

static void handle_reload(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)req;
    Server *s = ctx;
    Err err = {0};
    mutex_lock(&s->reload_mutex);
    ErrCode r = server_load_alerts(s, &err);
    if (r == OK) r = server_renew_watchdog(s, &err);
    mutex_unlock(&s->reload_mutex);
    if (r == OK)
        log_info("alertmanager.yml reloaded", NULL);
    else
        log_error("the new alertmanager.yml is bad; the old one stays", "error", err.msg, NULL);
    if (r != OK) http_reply_text(res, 500, "failed to reload config: %s\n", err.msg);
}

void server_alert_port(Server *s, Router *r) {
    static const char *const pages[] = {"/alerts", "/silences"};
    alertmanager_routes(s->alertmanager, r);
    alertmanager_v1_routes(r);
    const char *const probes[] = {"/-/healthy", "/-/ready"};
    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        router_add(r,
            &(Route){.methods = HTTP_GET, .pattern = probes[i], .handler = handle_ok, .ctx = s, .cls = ROUTE_INSTANT});
    }
    router_add(r, &(Route){.methods = HTTP_POST,
                      .pattern = "/-/reload",
                      .handler = handle_reload,
                      .ctx = s,
                      .cls = ROUTE_QUERY,
                      .role = ROLE_ADMIN});
    dash_redirect_routes(s->dash, r, "/", pages, ARRAY_LEN(pages)); /* /#/alerts keeps its fragment */
}

/* The one in this process is the first. */
void server_put_alertmanagers(void *ctx, JsonWriter *w) {
    Server *s = ctx;
    char buf[CONFIG_URL_MAX];
    Buf url = {0};
    buf_put_str(&url, server_alert_url(s, buf));
    buf_put_lit(&url, "/api/v2/alerts");
    rule_notifier_put_alertmanagers(s->notifier, buf_str(&url), w);
    buf_done(&url);
}
