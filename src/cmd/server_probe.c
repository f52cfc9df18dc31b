/* server_probe.c - /probe on request, and the probes of the configuration on a schedule. */
#include "cmd/server_int.h"
#include "metrics/probe/probe.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define ON_REQUEST_MAX 8 /* at once: they hold workers that writes need, which are more than those of queries */
#define TIMEOUT_MS 10000
#define TIMEOUT_MAX_MS 30000
#define PROBE_BYTES ((size_t)1 << 20)
#define WORKERS 8
#define TICK_MS 200

/* --- on request --- */

static int64_t timeout_of(const HttpRequest *req) {
    char text[32];
    Str header = http_header(req, STR("X-Prometheus-Scrape-Timeout-Seconds"));
    if (header.n == 0 || header.n >= sizeof text) return TIMEOUT_MS;
    memcpy(text, header.p, header.n);
    text[header.n] = 0;
    double ms = strtod(text, NULL) * 1000 - 500; /* the answer needs its time, too */
    return ms > 100 ? (int64_t)MIN(ms, (double)TIMEOUT_MAX_MS) : 100;
}

/* A page of another site must not make this machine's browser probe for it. */
static bool is_cross_site(const HttpRequest *req) {
    Str site = http_header(req, STR("Sec-Fetch-Site"));
    return site.n && !str_eq_nocase(site, STR("same-origin")) && !str_eq_nocase(site, STR("none"));
}

static bool read_request(HttpRequest *req, HttpResponse *res, ProbeRequest *ret) {
    Err err = {0};
    Str module = http_param(req, STR("module"));
    ret->target = http_param(req, STR("target"));
    ret->timeout_ms = timeout_of(req);
    if (is_cross_site(req)) {
        http_reply_text(res, 403, "probes are not made for other sites\n");
        return false;
    }
    if (probe_module_parse(module.n ? module : STR("http_2xx"), &ret->module, &err) == OK &&
        probe_check_target(ret->module, ret->target, &err) == OK)
        return true;
    http_reply_text(res, 400, "%s\n", err.msg);
    return false;
}

static void on_probe(void *ctx, HttpRequest *req, HttpResponse *res) {
    Server *s = ctx;
    ProbeRequest probe = {0};
    if (!read_request(req, res, &probe)) return;
    if (atomic_fetch_add(&s->probing, 1) >= ON_REQUEST_MAX) {
        http_reply_text(res, 503, "too many probes at once, retry later\n");
        http_set_header(res, STR("Retry-After"), STR("1"));
    } else {
        MetricsBatch b = {.arena = req->arena};
        bool success;
        char error[256];
        probe_run(s->client, &probe, (Labels){0}, clock_now_ms(), &b, &success, error);
        own_metrics_put_text(&res->body, &b);
        res->status = 200;
        res->content_type = STR("text/plain; version=0.0.4; charset=utf-8");
    }
    atomic_fetch_sub(&s->probing, 1);
}

void server_probe_routes(Server *s, Router *r) {
    router_add(r, &(Route){.methods = HTTP_GET,
                      .pattern = "/probe",
                      .handler = on_probe,
                      .ctx = s,
                      .cls = ROUTE_INGEST,
                      .overloaded_status = 503,
                      .role = ROLE_EDITOR,
                      .arena_bytes = PROBE_BYTES});
}

/* --- on a schedule --- */

typedef struct Scheduled {
    struct ServerProbes *owner;
    const ConfigProbe *config; /* its arena lives as long as the server */
    int64_t due_ns;
    _Atomic bool busy;
    bool failed; /* the last time; for the log */
} Scheduled;

struct ServerProbes {
    Server *server;
    Scheduled *v;
    size_t n;
    HttpClient *client;
    Pool *pool;
    Thread *thread;
    _Atomic bool stop;
};

static void keep(Server *s, const MetricsBatch *b) {
    MetricsAppendResult result;
    Err err = {0};
    if (s->metrics->ops->append(s->metrics, b, &result, &err) != OK)
        log_warn("the outcome of a probe could not be kept", "error", err.msg, NULL);
}

static void say(Scheduled *p, bool success, const char *error) {
    char *name = str_dup_cstr(p->config->name), *target = str_dup_cstr(p->config->target);
    if (!success && !p->failed) log_warn("a probe failed", "probe", name, "target", target, "error", error, NULL);
    if (success && p->failed) log_info("a probe succeeds again", "probe", name, "target", target, NULL);
    p->failed = !success;
    mem_free(name);
    mem_free(target);
}

static void run_one(void *ctx) {
    Scheduled *p = ctx;
    const ConfigProbe *c = p->config;
    Arena *arena = arena_create(PROBE_BYTES);
    MetricsBatch b = {.arena = arena};
    Label with[] = {{STR("instance"), c->target}, {STR("job"), c->name}};
    char *ca = c->ca_file.n ? str_dup_cstr(c->ca_file) : NULL;
    ProbeRequest req = {.target = c->target,
        .timeout_ms = MIN(c->timeout_ms, c->interval_ms),
        .ca_file = ca,
        .insecure_skip_verify = c->insecure_skip_verify};
    bool success = false;
    char error[256];
    if (probe_module_parse(c->module, &req.module, NULL) == OK) {
        probe_run(p->owner->client, &req, (Labels){with, 2}, clock_now_ms(), &b, &success, error);
        if (!atomic_load(&p->owner->stop)) {
            keep(p->owner->server, &b);
            say(p, success, error);
        }
    }
    mem_free(ca);
    arena_free(arena);
    atomic_store(&p->busy, false);
}

static void tick(struct ServerProbes *o) {
    int64_t now = clock_mono_ns();
    for (size_t i = 0; i < o->n; i++) {
        Scheduled *p = &o->v[i];
        int64_t interval = p->config->interval_ms * 1000000;
        if (p->due_ns > now) continue;
        p->due_ns += interval * ((now - p->due_ns) / interval + 1);
        if (atomic_exchange(&p->busy, true)) continue; /* the last one takes long still */
        if (pool_submit(o->pool, run_one, p) != OK) atomic_store(&p->busy, false);
    }
}

static void run(void *ctx) {
    struct ServerProbes *o = ctx;
    while (!atomic_load(&o->stop)) {
        tick(o);
        clock_sleep_ms(TICK_MS);
    }
}

void server_close_probes(Server *s) {
    struct ServerProbes *o = s->probes;
    if (!o) return;
    s->probes = NULL;
    atomic_store(&o->stop, true);
    thread_join(o->thread);
    http_client_stop(o->client);
    pool_free(o->pool);
    http_client_free(o->client);
    mem_free(o->v);
    mem_free(o);
}

static bool same(const ConfigProbe *a, const ConfigProbe *b) {
    return str_eq(a->name, b->name) && str_eq(a->module, b->module) && str_eq(a->target, b->target) &&
           str_eq(a->ca_file, b->ca_file) && a->interval_ms == b->interval_ms && a->timeout_ms == b->timeout_ms &&
           a->insecure_skip_verify == b->insecure_skip_verify;
}

static bool unchanged(const struct ServerProbes *o, const ConfigProbe *v, size_t n) {
    bool all = (o ? o->n : 0) == n;
    for (size_t i = 0; i < n && all; i++) all = same(o->v[i].config, &v[i]);
    return all;
}

ErrCode server_load_probes(Server *s, Err *reterr) {
    const ConfigProbe *v = s->config->probes.v;
    size_t n = s->config->probes.n;
    for (size_t i = 0; i < n; i++) {
        ProbeModule module;
        ErrCode r = probe_module_parse(v[i].module, &module, reterr);
        if (r == OK) r = probe_check_target(module, v[i].target, reterr);
        if (r != OK) return r;
    }
    if (unchanged(s->probes, v, n)) return OK;
    server_close_probes(s);
    if (n == 0) return OK;
    struct ServerProbes *o = s->probes = NEW(struct ServerProbes);
    o->server = s;
    o->v = mem_alloc_array(MAX(n, 1), sizeof *o->v);
    o->n = n;
    for (size_t i = 0; i < n; i++)
        o->v[i] = (Scheduled){.owner = o, .config = &v[i], .due_ns = clock_mono_ns() + (int64_t)i * 100000000};
    o->client = http_client_create("Meerkat");
    o->pool = pool_create("probe", WORKERS, MAX(n, 1));
    o->thread = thread_start("probes", run, o);
    return o->thread ? OK : err_set(reterr, ERR_UNAVAILABLE, "the system refuses another thread");
}
