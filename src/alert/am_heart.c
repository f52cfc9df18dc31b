/* am_heart.c - dead man's switches: calling an outside watcher while all is well, and missing senders that fell silent.
 */
#include "alert/am_api_int.h"

#include "base/log.h"
#include "sys/clock.h"

#define CHECK_MS 1000
#define PING_TIMEOUT_MS 10000
/* Until a Watchdog must have come for the first time. */
#define WATCHDOG_GRACE_NS (300 * NS_PER_S)
#define ALERT_NAME STR("HeartbeatMissing")

typedef struct Beat {
    AlertmanagerHeartbeat conf; /* texts in the Alertmanager's arena */
    int64_t last_ns;            /* in: last seen; out: last call that was answered well */
    int64_t next_ns;            /* out: next call; in: when the alert is told again */
    bool failing;
} Beat;

struct AmHeart {
    Beat *v;
    size_t n;
    Thread *thread;
    Cond wake;
    bool stopping;
};

void am_heart_seen(Alertmanager *am, Str name, int64_t now_ns) {
    AmHeart *h = am->heart;
    for (size_t i = 0; h && i < h->n; i++) {
        if (!h->v[i].conf.url.n && str_eq(h->v[i].conf.name, name)) {
            h->v[i].last_ns = now_ns;
            cond_signal(&h->wake);
        }
    }
}

void alertmanager_expect_watchdog(Alertmanager *am, bool expected) {
    mutex_lock(&am->mutex);
    if (!expected)
        am->watchdog_until_ns = 0;
    else if (!am->watchdog_until_ns)
        am->watchdog_until_ns = clock_now_ns() + WATCHDOG_GRACE_NS;
    mutex_unlock(&am->mutex);
}

void alertmanager_watchdog_seen(Alertmanager *am, int64_t until_ns) {
    mutex_lock(&am->mutex);
    if (am->watchdog_until_ns) am->watchdog_until_ns = MAX(am->watchdog_until_ns, until_ns);
    mutex_unlock(&am->mutex);
}

/* Healthy: the configuration is in effect, the state can be written, and rules are evaluated: their Watchdog arrives.
 */
bool am_heart_is_healthy(Alertmanager *am, int64_t now_ns) {
    AmJournalStats s = {0};
    if (am->journal) amjournal_stats(am->journal, &s);
    return am->running && !s.failing && (!am->watchdog_until_ns || now_ns < am->watchdog_until_ns);
}

/* The mutex is not held. */
static void ping(Alertmanager *am, Beat *b) {
    char *url = str_dup_cstr(b->conf.url);
    HttpClientRequest req = {.method = "GET", .url = url, .timeout_ms = PING_TIMEOUT_MS, .max_body_bytes = 65536};
    int status = 0;
    Buf body = {0};
    Err err = {0};
    bool good = http_client_fetch(am->client, &req, &status, &body, &err) == OK && status / 100 == 2;
    char answer[16];
    snprintf(answer, sizeof answer, "%d", status);
    if (!good && !b->failing)
        log_warn("the heartbeat's watcher does not answer", "status", answer, "error", err.msg, NULL);
    if (good && b->failing) log_info("the heartbeat's watcher answers again", NULL);
    mutex_lock(&am->mutex);
    b->failing = !good;
    if (good) b->last_ns = clock_now_ns();
    mutex_unlock(&am->mutex);
    buf_done(&body);
    mem_free(url);
}

static void send_alert(Alertmanager *am, const Beat *b, bool firing, int64_t now_ns) {
    Buf text = {0}, within = {0};
    duration_put_prom(&within, b->conf.timeout_ms);
    buf_printf(&text, "Nothing was heard of %" STR_FMT " for more than %s: what watches may be down.",
        STR_ARG(b->conf.name), buf_cstr(&within));
    const Label labels[] = {
        {STR("alertname"), ALERT_NAME}, {STR("heartbeat"), b->conf.name}, {STR("severity"), STR("critical")}};
    const Label annotations[] = {
        {STR("description"), buf_str(&text)}, {STR("summary"), STR("An expected heartbeat is missing")}};
    Alert a = {.labels = {labels, 3},
        .annotations = {annotations, 2},
        .starts_ns = b->last_ns + b->conf.timeout_ms * NS_PER_MS,
        .ends_ns = firing ? now_ns + 4 * MAX(b->conf.timeout_ms, 60000) * NS_PER_MS : now_ns};
    if (!firing) a.starts_ns = MIN(a.starts_ns, now_ns - 1);
    alertmanager_receive(am, &a, 1, NULL);
    buf_done(&text);
    buf_done(&within);
}

static void check(Alertmanager *am, Beat *b, int64_t now_ns) {
    if (b->conf.url.n) {
        if (now_ns < b->next_ns || !am_heart_is_healthy(am, now_ns)) return;
        b->next_ns = now_ns + b->conf.interval_ms * NS_PER_MS;
        mutex_unlock(&am->mutex);
        ping(am, b);
        mutex_lock(&am->mutex);
        return;
    }
    bool missing = b->last_ns + b->conf.timeout_ms * NS_PER_MS < now_ns;
    if (missing == b->failing && !(missing && now_ns >= b->next_ns)) return;
    if (!am->running) return;
    Beat copy = *b;
    b->failing = missing;
    b->next_ns = now_ns + 60 * NS_PER_S;
    mutex_unlock(&am->mutex);
    send_alert(am, &copy, missing, now_ns);
    mutex_lock(&am->mutex);
}

static void heart_thread(void *ctx) {
    Alertmanager *am = ctx;
    AmHeart *h = am->heart;
    mutex_lock(&am->mutex);
    while (!h->stopping) {
        for (size_t i = 0; i < h->n && !h->stopping; i++) check(am, &h->v[i], clock_now_ns());
        if (!h->stopping) cond_wait_ms(&h->wake, &am->mutex, CHECK_MS);
    }
    mutex_unlock(&am->mutex);
}

ErrCode am_heart_create(Alertmanager *am, const AlertmanagerHeartbeat *v, size_t n, Err *reterr) {
    if (!n) return OK;
    AmHeart *h = NEW(AmHeart);
    cond_init(&h->wake);
    h->n = n;
    h->v = mem_alloc_zero(n * sizeof *h->v);
    for (size_t i = 0; i < n; i++) {
        h->v[i].conf = v[i];
        h->v[i].conf.name = arena_copy(am->arena, v[i].name);
        h->v[i].conf.url = arena_copy(am->arena, v[i].url);
        if (!v[i].url.n) h->v[i].last_ns = am->started_ns; /* the time counts from the start */
    }
    am->heart = h;
    h->thread = thread_start("alert-heart", heart_thread, am);
    return h->thread ? OK : err_set(reterr, ERR_UNAVAILABLE, "no thread for heartbeats");
}

void am_heart_free(Alertmanager *am) {
    AmHeart *h = am->heart;
    if (!h) return;
    mutex_lock(&am->mutex);
    h->stopping = true;
    cond_signal(&h->wake);
    mutex_unlock(&am->mutex);
    thread_join(h->thread);
    am->heart = NULL;
    cond_done(&h->wake);
    mem_free(h->v);
    mem_free(h);
}

/* --- HTTP --- */

static void get_beats(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    (void)req;
    JsonWriter w = json_writer(&res->body);
    json_begin_array(&w);
    mutex_lock(&am->mutex);
    for (size_t i = 0; am->heart && i < am->heart->n; i++) {
        const Beat *b = &am->heart->v[i];
        bool out = b->conf.url.n > 0;
        json_begin_object(&w);
        json_key_lit(&w, "name");
        /* The address of a watcher is its secret. */
        size_t slash = out ? str_find_char(str_skip(b->conf.url, 8), '/') : SIZE_MAX;
        json_str(&w, !out ? b->conf.name : slash == SIZE_MAX ? b->conf.url : str_slice(b->conf.url, 0, slash + 8));
        json_key_lit(&w, "direction");
        json_str(&w, out ? STR("out") : STR("in"));
        am_put_key_time(&w, "lastSeen", b->last_ns);
        am_put_duration(&w, out ? "interval" : "timeout", out ? b->conf.interval_ms : b->conf.timeout_ms);
        json_key_lit(&w, "state");
        json_str(&w, b->failing ? out ? STR("failing") : STR("missing") : STR("ok"));
        json_end_object(&w);
    }
    mutex_unlock(&am->mutex);
    json_end_array(&w);
    am_api_json(res, 200);
}

static void post_beat(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    Str name = http_path_param(req, STR("name"));
    bool known = false;
    mutex_lock(&am->mutex);
    for (size_t i = 0; am->heart && i < am->heart->n; i++) {
        known = known || (!am->heart->v[i].conf.url.n && str_eq(am->heart->v[i].conf.name, name));
    }
    if (known) am_heart_seen(am, name, clock_now_ns());
    mutex_unlock(&am->mutex);
    if (known)
        res->status = 204;
    else
        http_reply_text(
            res, 404, "no heartbeat of this name is expected (alerting.heartbeats: \"expect NAME within 5m\")\n");
}

void am_heart_routes(Alertmanager *am, Router *r) {
    static const char path[] = "/api/meerkat/v1/alerting/heartbeats";
    router_add(r, &(Route){.methods = HTTP_GET,
                      .pattern = path,
                      .handler = get_beats,
                      .ctx = am,
                      .cls = ROUTE_QUERY,
                      .role = ROLE_VIEWER});
    router_add(r, &(Route){.methods = HTTP_POST | HTTP_GET,
                      .pattern = "/api/meerkat/v1/alerting/heartbeats/{name}",
                      .handler = post_beat,
                      .ctx = am,
                      .cls = ROUTE_QUERY,
                      .role = ROLE_EDITOR});
}
