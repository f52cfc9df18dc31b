/* am_cluster.c - two or more servers that notify once: silences, notification log and acknowledgements told to all.
 *
 * Every server posts to every other one: what changed at once, all of it when the other one came back and once in a
 * while. The newest change of a thing wins. Names of those that are alive, sorted, give each its position; who is n-th
 * waits n times the peer timeout before it notifies, and then finds in the log that it need not. Losing a peer, or all
 * of them, costs a notification twice at worst, never one. The messages are described in docs/alerting-cluster.md. */
#include "alert/am_cluster_int.h"

#include "base/log.h"
#include "sys/clock.h"
#include "sys/process.h"

#include <stdlib.h>

#define PEER_TIMEOUT_MS 15000
#define EXCHANGE_MS 60000
#define PROBE_MS 1000
#define RETRY_MS 100 /* it has just spoken, and may not listen yet */
#define ALIVE_NS (5 * NS_PER_S)
#define SETTLE_NS (10 * NS_PER_S)
#define CALL_TIMEOUT_MS 5000
#define CHUNK_BYTES ((size_t)4 << 20)
#define PENDING_MAX ((size_t)16 << 20)
#define PATH "/api/meerkat/v1/alerting/cluster/message"

static const char magic[8] = "MKPEER1";
enum { MSG_WANT_ALL = 1, MSG_END_OF_ALL = 2 };

/* --- who is there --- */

static bool is_alive(const AmPeer *p, int64_t now_ns) { return p->seen_ns + ALIVE_NS > now_ns; }

static size_t position(const AmCluster *c, int64_t now_ns) {
    size_t before = 0;
    for (size_t i = 0; i < c->n; i++) {
        const AmPeer *p = &c->peers[i];
        before += is_alive(p, now_ns) && p->name[0] && str_cmp(str_cstr(p->name), c->name) < 0;
    }
    return before;
}

/* What the others have sent while we were away is known. One that is not there, or does not manage, is not waited for.
 */
static bool is_settled(const AmCluster *c, int64_t now_ns) {
    if (now_ns > c->started_ns + SETTLE_NS) return true;
    for (size_t i = 0; i < c->n; i++) {
        const AmPeer *p = &c->peers[i];
        if (!p->told && (!p->tried || is_alive(p, now_ns))) return false;
    }
    return true;
}

bool am_cluster_settled(Alertmanager *am, int64_t now_ns) { return !am->cluster || is_settled(am->cluster, now_ns); }

int64_t am_cluster_wait_ns(Alertmanager *am) {
    AmCluster *c = am->cluster;
    if (!c) return 0;
    return (int64_t)position(c, clock_now_ns()) * c->peer_timeout_ms * NS_PER_MS;
}

/* --- sending --- */

void am_cluster_tell(Alertmanager *am, uint8_t type, Str record) {
    AmCluster *c = am->cluster;
    for (size_t i = 0; c && i < c->n; i++) {
        AmPeer *p = &c->peers[i];
        if (p->pending.n + record.n > PENDING_MAX) {
            buf_clear(&p->pending);
            p->full_ns = 0; /* all of it instead */
            continue;
        }
        buf_put_char(&p->pending, (char)type);
        buf_put_lenstr(&p->pending, record);
    }
    if (c) cond_broadcast(&c->wake);
}

typedef struct Chunks {
    VEC(Buf) v;
} Chunks;

static void put_chunk(void *to, uint8_t type, Str record) {
    Chunks *c = to;
    if (type != AM_REC_SILENCE && type != AM_REC_NOTE && type != AM_REC_ACK) return;
    if (!c->v.n || vec_last(&c->v)->n + record.n > CHUNK_BYTES) vec_push(&c->v, (Buf){0});
    buf_put_char(vec_last(&c->v), (char)type);
    buf_put_lenstr(vec_last(&c->v), record);
}

/* One message; the mutex is not held. */
static bool post(Alertmanager *am, AmPeer *p, Str records, int flags) {
    AmCluster *c = am->cluster;
    Buf body = {0}, url = {0}, secret = {0}, answer = {0};
    buf_put(&body, magic, sizeof magic);
    buf_put_lenstr(&body, c->name);
    buf_put_lenstr(&body, am->external_url);
    buf_put_char(&body, (char)flags);
    buf_put_str(&body, records);
    buf_printf(&url, "%s" PATH, p->url);
    buf_printf(&secret, "X-Meerkat-Cluster: %" STR_FMT, STR_ARG(c->secret));
    const char *const headers[] = {"Content-Type: application/octet-stream", buf_cstr(&secret), NULL};
    HttpClientRequest req = {.method = "POST",
        .url = buf_cstr(&url),
        .headers = headers,
        .body = buf_str(&body),
        .timeout_ms = CALL_TIMEOUT_MS,
        .max_body_bytes = 4096};
    int status = 0;
    Err err = {0};
    ErrCode rc = http_client_fetch(am->client, &req, &status, &answer, &err);
    bool good = rc == OK && status == 200;
    mutex_lock(&am->mutex);
    p->tried = true;
    c->sent += good;
    c->send_failures += !good;
    if (good) {
        Str name = str_trim(buf_str(&answer));
        if (name.n && name.n < sizeof p->name) {
            memcpy(p->name, name.p, name.n);
            p->name[name.n] = 0;
        }
        if (!p->up) log_info("peer is there", "peer", p->url, "name", p->name, NULL);
        p->seen_ns = clock_now_ns();
    } else if (p->up || !p->complained) {
        char text[16];
        snprintf(text, sizeof text, "%d", status);
        log_warn("peer does not answer", "peer", p->url, "status", text, "error", err.msg, NULL);
        p->complained = true;
    }
    if (good && !p->up) p->full_ns = 0;
    p->up = good;
    mutex_unlock(&am->mutex);
    buf_done(&body);
    buf_done(&url);
    buf_done(&secret);
    buf_done(&answer);
    return good;
}

static void peer_thread(void *ctx) {
    AmPeer *p = ctx;
    Alertmanager *am = p->am;
    AmCluster *c = am->cluster;
    mutex_lock(&am->mutex);
    while (!c->stopping) {
        int64_t now = clock_now_ns();
        Chunks chunks = {0};
        bool full = p->up && now >= p->full_ns, ask = !p->asked;
        if (full) {
            am_state_dump(am, put_chunk, &chunks);
            p->full_ns = now + c->exchange_ms * NS_PER_MS;
            buf_clear(&p->pending);
        } else {
            vec_push(&chunks.v, p->pending);
            p->pending = (Buf){0};
        }
        if (!chunks.v.n) vec_push(&chunks.v, (Buf){0});
        mutex_unlock(&am->mutex);
        bool good = true;
        vec_foreach(Buf, b, &chunks.v) {
            bool last = full && b == vec_last(&chunks.v);
            good = good && post(am, p, buf_str(b), (ask ? MSG_WANT_ALL : 0) | (last ? MSG_END_OF_ALL : 0));
            buf_done(b);
        }
        vec_done(&chunks.v);
        mutex_lock(&am->mutex);
        if (good && ask) p->asked = true;
        if (!good) p->full_ns = 0; /* what could not be told is told with all the rest */
        if (!c->stopping && (!p->pending.n || !good) && !(good && p->full_ns == 0)) {
            cond_wait_ms(&c->wake, &am->mutex, !good && is_alive(p, clock_now_ns()) ? RETRY_MS : PROBE_MS);
        }
    }
    mutex_unlock(&am->mutex);
}

/* --- receiving --- */

static bool secret_ok(const AmCluster *c, Str given) {
    uint8_t diff = given.n != c->secret.n;
    for (size_t i = 0; i < given.n; i++) diff |= (uint8_t)(given.p[i] ^ c->secret.p[i % c->secret.n]);
    return !diff;
}

/* Records of others into the state; what was news is kept. */
size_t am_cluster_apply(Alertmanager *am, Cursor *in) {
    size_t news = 0;
    while (cursor_left(in) && !in->bad) {
        uint8_t type = cursor_u8(in);
        Str record = cursor_lenstr(in);
        if (in->bad) break;
        bool fresh = false;
        if (type == AM_REC_SILENCE) {
            AmSilence *s = am_silence_decode(record);
            fresh = s && am_silence_merge(am, s);
        } else if (type == AM_REC_NOTE) {
            fresh = am_take_note(am, record, true);
        } else if (type == AM_REC_ACK) {
            fresh = am_take_ack(am, record, true);
        }
        if (!fresh) continue;
        news++;
        if (am->journal) amjournal_append(am->journal, type, record);
    }
    return news;
}

static AmPeer *find_peer(AmCluster *c, Str name, Str address) {
    for (size_t i = 0; i < c->n; i++) {
        if (str_eq(str_cstr(c->peers[i].name), name)) return &c->peers[i];
    }
    for (size_t i = 0; i < c->n; i++) {
        if (str_eq(str_cstr(c->peers[i].url), address)) return &c->peers[i];
    }
    return NULL;
}

static void handle_message(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    AmCluster *c = am->cluster;
    if (!c || !secret_ok(c, http_header(req, STR("X-Meerkat-Cluster")))) {
        http_reply_text(res, c ? 403 : 404, c ? "the cluster's secret is wrong\n" : "this server has no peers\n");
        return;
    }
    Cursor in = cursor_of(req->body);
    Str head = cursor_bytes(&in, sizeof magic), name = cursor_lenstr(&in), address = cursor_lenstr(&in);
    uint8_t flags = cursor_u8(&in);
    if (in.bad || memcmp(head.p, magic, sizeof magic) != 0) {
        http_reply_text(res, 400, "not a message of a peer\n");
        return;
    }
    mutex_lock(&am->mutex);
    c->received++;
    AmPeer *p = find_peer(c, name, address);
    if (p) p->seen_ns = clock_now_ns();
    if (p && (flags & MSG_WANT_ALL)) p->full_ns = 0;
    if (am_cluster_apply(am, &in)) cond_signal(&am->wake);
    if (p && (flags & MSG_END_OF_ALL)) p->told = true;
    if (p && (flags & MSG_WANT_ALL)) cond_broadcast(&c->wake);
    mutex_unlock(&am->mutex);
    http_reply(res, 200, STR("text/plain; charset=utf-8"), c->name);
}

void am_cluster_routes(Alertmanager *am, Router *r) {
    router_add(r, &(Route){.methods = HTTP_POST,
                      .pattern = PATH,
                      .handler = handle_message,
                      .ctx = am,
                      .cls = ROUTE_INGEST,
                      .max_body_bytes = 4 * CHUNK_BYTES,
                      .role = ROLE_NONE});
}

/* --- life --- */

ErrCode am_cluster_create(Alertmanager *am, const AlertmanagerPeers *o, Err *reterr) {
    if (!o->n_urls) return OK;
    if (!o->secret.n) {
        err_set(reterr, ERR_INVALID, "peers need a shared secret");
        err_hint(reterr, "set alerting.peer_secret or peer_secret_file to the same on all of them");
        return ERR_INVALID;
    }
    AmCluster *c = NEW(AmCluster);
    cond_init(&c->wake);
    Str name = o->name;
    if (!name.n) {
        Buf b = {0};
        process_hostname(&b);
        size_t colon = str_rfind_char(am->external_url, ':');
        if (colon != SIZE_MAX) buf_put_str(&b, str_skip(am->external_url, colon));
        name = arena_copy(am->arena, buf_str(&b));
        buf_done(&b);
    }
    c->name = arena_copy(am->arena, name);
    c->secret = arena_copy(am->arena, o->secret);
    c->peer_timeout_ms = o->peer_timeout_ms ? o->peer_timeout_ms : PEER_TIMEOUT_MS;
    c->exchange_ms = o->exchange_ms ? o->exchange_ms : EXCHANGE_MS;
    c->started_ns = clock_now_ns();
    c->n = o->n_urls;
    c->peers = mem_alloc_zero(o->n_urls * sizeof *c->peers);
    am->cluster = c;
    for (size_t i = 0; i < c->n; i++) {
        Str url = o->urls[i];
        while (url.n && url.p[url.n - 1] == '/') url.n--;
        c->peers[i].am = am;
        c->peers[i].url =
            arena_printf(am->arena, "%s%" STR_FMT, str_contains(url, STR("://")) ? "" : "http://", STR_ARG(url)).p;
    }
    for (size_t i = 0; i < c->n; i++) {
        c->peers[i].thread = thread_start("alert-peer", peer_thread, &c->peers[i]);
        if (!c->peers[i].thread) return err_set(reterr, ERR_UNAVAILABLE, "no thread for a peer");
    }
    return OK;
}

void am_cluster_free(Alertmanager *am) {
    AmCluster *c = am->cluster;
    if (!c) return;
    mutex_lock(&am->mutex);
    c->stopping = true;
    cond_broadcast(&c->wake);
    mutex_unlock(&am->mutex);
    for (size_t i = 0; i < c->n; i++) {
        thread_join(c->peers[i].thread);
        buf_done(&c->peers[i].pending);
    }
    am->cluster = NULL;
    cond_done(&c->wake);
    mem_free(c->peers);
    mem_free(c);
}

/* --- what is shown --- */

static int by_name(const void *a, const void *b) {
    return str_cmp(((const AmPeerShown *)a)->name, ((const AmPeerShown *)b)->name);
}

void am_cluster_put_status(Alertmanager *am, JsonWriter *w) {
    AmCluster *c = am->cluster;
    int64_t now = clock_now_ns();
    size_t n = 0;
    AmPeerShown *v = mem_alloc_array(1 + (c ? c->n : 0), sizeof *v);
    v[n++] = (AmPeerShown){c ? c->name : STR("meerkat"), am->external_url};
    for (size_t i = 0; c && i < c->n; i++) {
        if (is_alive(&c->peers[i], now)) v[n++] = (AmPeerShown){str_cstr(c->peers[i].name), str_cstr(c->peers[i].url)};
    }
    qsort(v, n, sizeof *v, by_name);
    json_begin_object(w);
    json_key_lit(w, "name");
    json_str(w, c ? c->name : STR("meerkat"));
    json_key_lit(w, "peers");
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        size_t scheme = str_find(v[i].address, STR("://"));
        json_begin_object(w);
        json_key_lit(w, "address");
        Str host = scheme == SIZE_MAX ? v[i].address : str_skip(v[i].address, scheme + 3);
        json_str(w, str_slice(host, 0, MIN(str_find_char(host, '/'), host.n)));
        json_key_lit(w, "name");
        json_str(w, v[i].name);
        json_end_object(w);
    }
    json_end_array(w);
    json_key_lit(w, "status");
    json_str(w, !c || is_settled(c, now) ? STR("ready") : STR("settling"));
    json_end_object(w);
    mem_free(v);
}

void am_cluster_gather(Alertmanager *am, MetricsBatch *b, int64_t t) {
    AmCluster *c = am->cluster;
    int64_t now = clock_now_ns();
    size_t alive = 1;
    for (size_t i = 0; c && i < c->n; i++) alive += is_alive(&c->peers[i], now);
    metrics_batch_emit(b, t, METRIC_GAUGE, "alertmanager_cluster_enabled", c != NULL, NULL);
    metrics_batch_emit(b, t, METRIC_GAUGE, "alertmanager_cluster_members", (double)alive, NULL);
    metrics_batch_emit(
        b, t, METRIC_GAUGE, "alertmanager_cluster_failed_peers", c ? (double)(c->n + 1 - alive) : 0, NULL);
    metrics_batch_emit(
        b, t, METRIC_GAUGE, "alertmanager_cluster_health_score", c ? (double)(c->n + 1 - alive) : 0, NULL);
    metrics_batch_emit(b, t, METRIC_GAUGE, "alertmanager_peer_position", c ? (double)position(c, now) : 0, NULL);
    if (!c) return;
    metrics_batch_emit(b, t, METRIC_COUNTER, "alertmanager_cluster_messages_sent_total", (double)c->sent, NULL);
    metrics_batch_emit(b, t, METRIC_COUNTER, "alertmanager_cluster_messages_received_total", (double)c->received, NULL);
    metrics_batch_emit(
        b, t, METRIC_COUNTER, "alertmanager_cluster_messages_failed_total", (double)c->send_failures, NULL);
}
