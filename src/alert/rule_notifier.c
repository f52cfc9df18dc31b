/* rule_notifier.c - queues of alerts for other Alertmanagers. */
#include "alert/rule_notifier.h"

#include "base/log.h"
#include "base/timefmt.h"
#include "metrics/prom_http.h"
#include "metrics/sd/sd.h"
#include "sys/thread.h"

#include <stdio.h>

#define TARGETS_BYTES (16u << 20)

/* One Alertmanager; kept over reloads by its URL. */
typedef struct Peer {
    char *url;
    size_t config;  /* index in the configuration */
    PromHttp *http; /* of the configuration in effect */
    int64_t timeout_ms;
    VEC(char *) queue; /* alerts as JSON, the oldest first */
    bool busy;         /* a request is under way */
    bool seen;         /* while the list is renewed */
    uint64_t sent, errors, dropped, requests;
    int64_t total_ns;
} Peer;

/* The Alertmanagers of one section. */
typedef struct Section {
    const PromAlertmanagerConfig *config;
    PromHttp *http;
    VEC(SdSource *) sources;
} Section;

struct RuleNotifier {
    _Atomic unsigned refs; /* the owner's, and one for each request under way */
    HttpClient *client;
    SdManager *sd;
    Mutex mutex; /* all that follows */
    PromConfig *config;
    VEC(Section) sections;
    VEC(Peer *) peers;
    VEC(char *) dropped; /* URLs that relabelling dropped */
    unsigned starting;   /* calls of prom_http_start */
    Cond cond;           /* starting fell to 0 */
    bool closing;
};

static void unref(RuleNotifier *n);

/* --- peers --- */

static void free_peer(Peer *p) {
    for (size_t i = 0; i < p->queue.n; i++) mem_free(p->queue.v[i]);
    vec_done(&p->queue);
    mem_free(p->url);
    mem_free(p);
}

static Peer *peer_of(RuleNotifier *n, size_t config, Str url) {
    for (size_t i = 0; i < n->peers.n; i++)
        if (n->peers.v[i]->config == config && str_eq(str_cstr(n->peers.v[i]->url), url)) return n->peers.v[i];
    Peer *p = NEW(Peer);
    p->url = str_dup_cstr(url);
    p->config = config;
    vec_push(&n->peers, p);
    return p;
}

static Str or_else(Str s, Str fallback) { return s.n ? s : fallback; }

static bool fill_labels(const PromAlertmanagerConfig *c, Labels target, RelabelSet *set) {
    Str path = arena_printf(set->arena, "%s%" STR_FMT "/api/v2/alerts",
        c->path_prefix.n && c->path_prefix.p[0] != '/' ? "/" : "", STR_ARG(c->path_prefix));
    for (size_t i = 0; i < target.n; i++)
        if (!avec_push(set->arena, &set->labels, target.v[i])) return false;
    if (!relabel_get(set, STR("__scheme__")).n && !relabel_set(set, STR("__scheme__"), c->scheme)) return false;
    return relabel_get(set, STR("__alerts_path__")).n || relabel_set(set, STR("__alerts_path__"), path);
}

static Str url_of(const RelabelSet *set) {
    Str address = relabel_get(set, STR("__address__")), scheme = relabel_get(set, STR("__scheme__"));
    bool has_port = str_rfind_char(address, ':') != SIZE_MAX && address.p[address.n - 1] != ']';
    Str port = has_port ? STR("") : str_eq_lit(scheme, "https") ? STR(":443") : STR(":80");
    return arena_printf(set->arena, "%" STR_FMT "://%" STR_FMT "%" STR_FMT "%" STR_FMT,
        STR_ARG(or_else(scheme, STR("http"))), STR_ARG(address), STR_ARG(port),
        STR_ARG(relabel_get(set, STR("__alerts_path__"))));
}

static void take_target(RuleNotifier *n, size_t k, Labels target, Arena *arena) {
    Section *s = &n->sections.v[k];
    RelabelSet set = {.arena = arena};
    if (!fill_labels(s->config, target, &set)) return;
    Str before = url_of(&set);
    bool kept = relabel_apply(s->config->relabel, &set) == RELABEL_KEPT && relabel_get(&set, STR("__address__")).n > 0;
    if (!kept) {
        vec_push(&n->dropped, str_dup_cstr(before));
        return;
    }
    Peer *p = peer_of(n, k, url_of(&set));
    p->http = s->http;
    p->timeout_ms = s->config->timeout_ms;
    p->seen = true;
}

static void clear_dropped(RuleNotifier *n) {
    for (size_t i = 0; i < n->dropped.n; i++) mem_free(n->dropped.v[i]);
    vec_clear(&n->dropped);
}

/* What discovery knows now. Peers that are gone keep nothing. */
static void renew_peers(RuleNotifier *n) {
    Arena *arena = arena_create(TARGETS_BYTES);
    clear_dropped(n);
    for (size_t i = 0; i < n->peers.n; i++) n->peers.v[i]->seen = false;
    for (size_t k = 0; k < n->sections.n; k++)
        for (size_t i = 0; i < n->sections.v[k].sources.n; i++) {
            SdTargets *t = sd_source_targets(n->sections.v[k].sources.v[i]);
            for (size_t j = 0; t && j < t->n; j++) take_target(n, k, t->v[j], arena);
            sd_targets_unref(t);
        }
    size_t kept = 0;
    for (size_t i = 0; i < n->peers.n; i++) {
        Peer *p = n->peers.v[i];
        if (p->seen || p->busy)
            n->peers.v[kept++] = p;
        else
            free_peer(p);
    }
    n->peers.n = kept;
    arena_free(arena);
}

/* --- one request --- */

typedef struct Flight {
    RuleNotifier *n;
    Peer *peer;
    PromConfig *config; /* keeps what the request was made of */
    size_t alerts;
} Flight;

static void kick(RuleNotifier *n, Peer *p);

/* On the client's thread. */
static void done(void *ctx, const HttpClientResponse *res) {
    Flight *f = ctx;
    RuleNotifier *n = f->n;
    bool ok = res->code == OK && res->status / 100 == 2;
    mutex_lock(&n->mutex);
    f->peer->busy = false;
    f->peer->requests++;
    f->peer->total_ns += res->duration_ns;
    f->peer->sent += f->alerts;
    if (!ok) {
        f->peer->errors += f->alerts;
        f->peer->dropped += f->alerts;
    }
    if (!ok && !n->closing) {
        char status[16];
        snprintf(status, sizeof status, "%d", res->status);
        log_warn("sending alerts failed", "alertmanager", f->peer->url, "status", status, "error", res->error, NULL);
    }
    kick(n, f->peer);
    mutex_unlock(&n->mutex);
    prom_config_free(f->config);
    mem_free(f);
    unref(n);
}

static void put_body(Buf *out, Peer *p, size_t n) {
    buf_put_char(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i) buf_put_char(out, ',');
        buf_put_str(out, str_cstr(p->queue.v[i]));
        mem_free(p->queue.v[i]);
    }
    buf_put_char(out, ']');
    p->queue.n -= n;
    if (p->queue.n) memmove(p->queue.v, p->queue.v + n, p->queue.n * sizeof *p->queue.v);
}

/* Mutex held on entry and return. prom_http_start may call done on this thread (a secret's file cannot be read), so the
 * mutex is given back around it; the configuration waits for `starting` before it takes the sections away. */
static void kick(RuleNotifier *n, Peer *p) {
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    if (p->busy || p->queue.n == 0 || n->closing || !p->http) return;
    Buf body = {0};
    Flight *f = NEW(Flight);
    *f = (Flight){n, p, prom_config_ref(n->config), MIN(p->queue.n, (size_t)RULE_NOTIFIER_BATCH_MAX)};
    put_body(&body, p, f->alerts);
    p->busy = true;
    char *url = str_dup_cstr(str_cstr(p->url)); /* the peer may be gone when the request is */
    atomic_fetch_add(&n->refs, 1);
    HttpClientRequest req = {.method = "POST",
        .url = url,
        .headers = headers,
        .body = buf_str(&body),
        .timeout_ms = p->timeout_ms,
        .max_body_bytes = 1u << 20};
    PromHttp *http = p->http;
    n->starting++;
    mutex_unlock(&n->mutex);
    prom_http_start(http, &req, done, f);
    mutex_lock(&n->mutex);
    if (--n->starting == 0) cond_broadcast(&n->cond);
    mem_free(url);
    buf_done(&body);
}

/* --- alerts --- */

static void put_map(JsonWriter *w, const char *key, Labels l) {
    json_key(w, str_cstr(key));
    json_begin_object(w);
    for (size_t i = 0; i < l.n; i++) {
        json_key(w, l.v[i].name);
        json_str(w, l.v[i].value);
    }
    json_end_object(w);
}

static void put_time(JsonWriter *w, const char *key, int64_t ns) {
    Buf text = {0};
    time_put_rfc3339(&text, ns);
    json_key(w, str_cstr(key));
    json_str(w, buf_str(&text));
    buf_done(&text);
}

static char *alert_json(const Alert *a, Labels labels) {
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    json_begin_object(&w);
    put_map(&w, "annotations", a->annotations);
    if (a->ends_ns) put_time(&w, "endsAt", a->ends_ns);
    if (a->starts_ns) put_time(&w, "startsAt", a->starts_ns);
    json_key_lit(&w, "generatorURL");
    json_str(&w, a->generator_url);
    put_map(&w, "labels", labels);
    json_end_object(&w);
    char *json = str_dup_cstr(buf_str(&out));
    buf_done(&out);
    return json;
}

static bool relabelled(const PromAlertmanagerConfig *c, const Alert *a, Arena *arena, Labels *ret) {
    RelabelSet set = {.arena = arena};
    for (size_t i = 0; i < a->labels.n; i++)
        if (!avec_push(arena, &set.labels, a->labels.v[i])) return false;
    if (relabel_apply(c->alert_relabel, &set) != RELABEL_KEPT) return false;
    if (labels_normalize(set.labels.v, &set.labels.n, NULL) != OK || set.labels.n == 0) return false;
    *ret = (Labels){set.labels.v, set.labels.n};
    return true;
}

static void enqueue(Peer *p, const char *json) {
    if (p->queue.n == RULE_NOTIFIER_QUEUE_MAX) {
        mem_free(p->queue.v[0]);
        memmove(p->queue.v, p->queue.v + 1, --p->queue.n * sizeof *p->queue.v);
        p->dropped++;
    }
    vec_push(&p->queue, str_dup_cstr(str_cstr(json)));
}

/* The newest ones that fit; a flood of more than a queue never gets past its end. */
static void send_section(RuleNotifier *n, size_t k, const Alert *alerts, size_t count, Arena *arena) {
    size_t from = count > RULE_NOTIFIER_QUEUE_MAX ? count - RULE_NOTIFIER_QUEUE_MAX : 0;
    for (size_t i = 0; i < n->peers.n; i++)
        if (n->peers.v[i]->config == k) n->peers.v[i]->dropped += from;
    for (size_t a = from; a < count; a++) {
        Labels labels;
        if (!relabelled(n->sections.v[k].config, &alerts[a], arena, &labels)) continue;
        char *json = alert_json(&alerts[a], labels);
        for (size_t i = 0; i < n->peers.n; i++)
            if (n->peers.v[i]->config == k && n->peers.v[i]->seen) enqueue(n->peers.v[i], json);
        mem_free(json);
        arena_reset(arena);
    }
}

void rule_notifier_send(RuleNotifier *n, const Alert *alerts, size_t n_alerts) {
    mutex_lock(&n->mutex);
    if (n->sections.n > 0 && !n->closing) {
        Arena *arena = arena_create(TARGETS_BYTES);
        renew_peers(n);
        for (size_t k = 0; k < n->sections.n; k++) send_section(n, k, alerts, n_alerts, arena);
        for (size_t i = 0; i < n->peers.n; i++) kick(n, n->peers.v[i]);
        arena_free(arena);
    }
    mutex_unlock(&n->mutex);
}

/* --- configuration --- */

static void drop_sections(RuleNotifier *n) {
    while (n->starting > 0) cond_wait(&n->cond, &n->mutex);
    for (size_t k = 0; k < n->sections.n; k++) {
        Section *s = &n->sections.v[k];
        for (size_t i = 0; i < s->sources.n; i++) sd_source_release(s->sources.v[i]);
        vec_done(&s->sources);
        prom_http_free(s->http);
    }
    vec_done(&n->sections);
    for (size_t i = 0; i < n->peers.n; i++) n->peers.v[i]->http = NULL;
}

void rule_notifier_apply(RuleNotifier *n, PromConfig *config) {
    PromConfig *old;
    mutex_lock(&n->mutex);
    drop_sections(n);
    old = n->config;
    n->config = config ? prom_config_ref(config) : NULL;
    for (size_t k = 0; config && k < config->n_alertmanagers; k++) {
        const PromAlertmanagerConfig *c = &config->alertmanagers[k];
        Section s = {.config = c, .http = prom_http_create(n->client, &c->http)};
        for (size_t i = 0; i < c->sd.n; i++) {
            SdSource *source = sd_source_acquire(n->sd, &c->sd.v[i], config);
            if (source) vec_push(&s.sources, source);
        }
        vec_push(&n->sections, s);
    }
    renew_peers(n);
    mutex_unlock(&n->mutex);
    prom_config_free(old);
}

/* --- what others ask for --- */

static void put_urls(JsonWriter *w, const char *key, char *const *v, size_t n) {
    json_key(w, str_cstr(key));
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(w);
        json_key_lit(w, "url");
        json_str(w, str_cstr(v[i]));
        json_end_object(w);
    }
    json_end_array(w);
}

void rule_notifier_put_alertmanagers(RuleNotifier *n, Str own, JsonWriter *w) {
    VEC(char *) active = {0};
    char *first = own.n ? str_dup_cstr(own) : NULL;
    if (first) vec_push(&active, first);
    mutex_lock(&n->mutex);
    renew_peers(n);
    for (size_t i = 0; i < n->peers.n; i++)
        if (n->peers.v[i]->seen) vec_push(&active, n->peers.v[i]->url);
    json_begin_object(w);
    put_urls(w, "activeAlertmanagers", active.v, active.n);
    put_urls(w, "droppedAlertmanagers", n->dropped.v, n->dropped.n);
    json_end_object(w);
    mutex_unlock(&n->mutex);
    vec_done(&active);
    mem_free(first);
}

static void gather_peer(const Peer *p, MetricsBatch *b, int64_t t_ms) {
    const char *url = arena_copy(b->arena, str_cstr(p->url)).p;
    if (!url) return;
    const struct {
        MetricType type;
        const char *name;
        double value;
    } of_peer[] = {
        {METRIC_COUNTER, "prometheus_notifications_sent_total", (double)p->sent},
        {METRIC_COUNTER, "prometheus_notifications_errors_total", (double)p->errors},
        {METRIC_COUNTER, "prometheus_notifications_dropped_total", (double)p->dropped},
        {METRIC_GAUGE, "prometheus_notifications_queue_length", (double)p->queue.n},
        {METRIC_SUMMARY, "prometheus_notifications_latency_seconds_sum", (double)p->total_ns / 1e9},
        {METRIC_SUMMARY, "prometheus_notifications_latency_seconds_count", (double)p->requests},
    };
    for (size_t i = 0; i < ARRAY_LEN(of_peer); i++)
        metrics_batch_emit(b, t_ms, of_peer[i].type, of_peer[i].name, of_peer[i].value, "alertmanager", url, NULL);
}

void rule_notifier_gather(RuleNotifier *n, MetricsBatch *b, int64_t t_ms) {
    mutex_lock(&n->mutex);
    for (size_t i = 0; i < n->peers.n; i++) gather_peer(n->peers.v[i], b, t_ms);
    metrics_batch_emit(b, t_ms, METRIC_GAUGE, "prometheus_notifications_queue_capacity", RULE_NOTIFIER_QUEUE_MAX, NULL);
    metrics_batch_emit(
        b, t_ms, METRIC_GAUGE, "prometheus_notifications_alertmanagers_discovered", (double)n->peers.n, NULL);
    mutex_unlock(&n->mutex);
}

/* --- life --- */

RuleNotifier *rule_notifier_create(HttpClient *client) {
    RuleNotifier *n = NEW(RuleNotifier);
    n->client = client;
    n->sd = sd_manager_create(&(SdManagerOptions){0});
    mutex_init(&n->mutex);
    cond_init(&n->cond);
    atomic_store(&n->refs, 1);
    return n;
}

static void unref(RuleNotifier *n) {
    if (atomic_fetch_sub(&n->refs, 1) > 1) return;
    for (size_t i = 0; i < n->peers.n; i++) free_peer(n->peers.v[i]);
    vec_done(&n->peers);
    clear_dropped(n);
    vec_done(&n->dropped);
    cond_done(&n->cond);
    mutex_done(&n->mutex);
    mem_free(n);
}

RuleNotifier *rule_notifier_free(RuleNotifier *n) {
    if (!n) return NULL;
    mutex_lock(&n->mutex);
    n->closing = true;
    drop_sections(n);
    PromConfig *config = n->config;
    n->config = NULL;
    mutex_unlock(&n->mutex);
    n->sd = sd_manager_free(n->sd);
    prom_config_free(config);
    unref(n);
    return NULL;
}
