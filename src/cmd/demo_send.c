#include "cmd/demo_send.h"

#include "codec/compress.h"
#include "codec/proto.h"
#include "net/client.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define LANE_METRICS 0 /* and the next DEMO_METRIC_LANES - 1 */
#define LANE_TRACES DEMO_METRIC_LANES
#define LANE_LOGS (DEMO_METRIC_LANES + 1)
#define LANES (DEMO_METRIC_LANES + 2)
#define LANE_ITEMS 4 /* requests waiting per lane: bounds memory and keeps the lanes together in time */
#define REQUEST_TIMEOUT_MS 30000
#define RETRY_FIRST_MS 100
#define RETRY_LONGEST_MS 5000
#define RETRY_GIVE_UP_MS 60000
#define ANSWER_MAX_BYTES 65536

typedef struct Item {
    DemoSignal signal;
    Buf body;
} Item;

typedef struct Lane {
    DemoSender *sender;
    Thread *thread;
    Item items[LANE_ITEMS];
    size_t head, n;
    bool busy;
    /* the request under way */
    bool answered;
    ErrCode code;
    int status;
    int64_t retry_after_s;
    char error[256];
    uint64_t rejected;
    char reason[256];
} Lane;

struct DemoSender {
    char *endpoint;
    HttpClient *client;
    Mutex lock;
    Cond changed;
    bool stopping, failed, reached; /* reached: some request has been answered well */
    Err err;
    uint64_t rejected;
    char reason[256];
    Lane lanes[LANES];
};

static const char *const paths[DEMO_SIGNALS] = {"/v1/traces", "/v1/logs", "/v1/metrics"};

/* Export*ServiceResponse{partial_success = 1 {rejected = 1, error_message = 2}} */
static void read_partial_success(Lane *l, Str body) {
    ProtoReader p = proto_reader(body);
    ProtoField f, g;
    while (proto_next(&p, &f)) {
        if (f.number != 1 || f.wire != PROTO_BYTES) continue;
        ProtoReader inner = proto_reader(f.bytes);
        while (proto_next(&inner, &g)) {
            if (g.number == 1 && g.wire == PROTO_VARINT) l->rejected = g.u64;
            if (g.number == 2 && g.wire == PROTO_BYTES) {
                size_t n = MIN(g.bytes.n, (size_t)200);
                memcpy(l->reason, g.bytes.p, n);
                l->reason[n] = 0;
            }
        }
    }
}

/* google.rpc.Status{message = 2} of an error, or its text. */
static void read_error(Lane *l, Str body) {
    ProtoReader p = proto_reader(body);
    ProtoField f;
    Str text = STR_NULL;
    while (proto_next(&p, &f)) {
        if (f.number == 2 && f.wire == PROTO_BYTES) text = f.bytes;
    }
    if (p.error || !str_is_utf8(text)) text = str_is_utf8(body) ? body : STR_NULL;
    size_t n = MIN(text.n, sizeof l->error - 1);
    if (n > 0) memcpy(l->error, text.p, n);
    l->error[n] = 0;
}

static void on_answer(void *ctx, const HttpClientResponse *res) {
    Lane *l = ctx;
    DemoSender *s = l->sender;
    mutex_lock(&s->lock);
    l->code = res->code;
    l->status = res->status;
    l->retry_after_s = res->retry_after_s;
    l->rejected = 0;
    memcpy(l->error, res->error, sizeof l->error);
    if (res->code == OK && res->status == 200)
        read_partial_success(l, res->body);
    else if (res->code == OK)
        read_error(l, res->body);
    l->answered = true;
    cond_broadcast(&s->changed);
    mutex_unlock(&s->lock);
}

/* One POST; returns with the lock held and the lane's answer filled in. false: stopping. */
static bool post_locked(Lane *l, DemoSignal signal, Str body) {
    static const char *const headers[] = {"Content-Type: application/x-protobuf", "Content-Encoding: gzip", NULL};
    DemoSender *s = l->sender;
    Buf url = {0};
    buf_printf(&url, "%s%s", s->endpoint, paths[signal]);
    HttpClientRequest req = {.method = "POST",
        .url = buf_cstr(&url),
        .headers = headers,
        .body = body,
        .timeout_ms = REQUEST_TIMEOUT_MS,
        .max_body_bytes = ANSWER_MAX_BYTES};
    mutex_lock(&s->lock);
    l->answered = false;
    bool go = !s->stopping;
    if (go) http_client_start(s->client, &req, on_answer, l); /* under the lock: never after the client has gone */
    while (go && !l->answered) cond_wait(&s->changed, &s->lock);
    buf_done(&url);
    return go;
}

static bool is_retryable(const DemoSender *s, const Lane *l) {
    if (l->code == OK) return l->status == 429 || (l->status >= 502 && l->status <= 504);
    return s->reached && (l->code == ERR_UNAVAILABLE || l->code == ERR_TIMEOUT || l->code == ERR_IO);
}

static void fail_locked(DemoSender *s, const Lane *l, DemoSignal signal) {
    if (s->failed || s->stopping) return;
    s->failed = true;
    if (l->code != OK) {
        err_set(&s->err, l->code, "sending to %s%s failed: %s", s->endpoint, paths[signal], l->error);
        err_hint(&s->err, "is the server running? start it with `meerkat serve`, or name another one with --endpoint");
        return;
    }
    err_set(&s->err, l->status == 429 || l->status >= 500 ? ERR_UNAVAILABLE : ERR_INVALID, "%s%s answered %d: %s",
        s->endpoint, paths[signal], l->status, l->error[0] ? l->error : "no text");
    if (l->status == 404)
        err_hint(&s->err, "is this an OTLP/HTTP port? the server's is 4318 plus its port offset");
    else if (is_retryable(s, l))
        err_hint(&s->err, "the server was overloaded for over a minute; see its log");
    else if (l->status == 401 || l->status == 403)
        err_hint(&s->err, "the port asks for a login, which the demo cannot give");
    else
        err_hint(&s->err, "--endpoint must name an OTLP/HTTP receiver that takes protobuf with gzip");
}

/* Sends until it is taken, or for good refused. */
static void deliver(Lane *l, DemoSignal signal, Str body) {
    DemoSender *s = l->sender;
    int64_t begun_ns = clock_mono_ns(), pause_ms = RETRY_FIRST_MS;
    while (post_locked(l, signal, body)) { /* the lock is held from here */
        if (l->code == OK && l->status >= 200 && l->status < 300) {
            s->reached = true;
            if (l->rejected > 0 && s->rejected == 0) memcpy(s->reason, l->reason, sizeof s->reason);
            s->rejected += l->rejected;
            break;
        }
        if (!is_retryable(s, l) || s->failed || clock_mono_ns() - begun_ns > RETRY_GIVE_UP_MS * NS_PER_MS) {
            fail_locked(s, l, signal);
            break;
        }
        int64_t until_ns =
            clock_mono_ns() + MAX(pause_ms, MIN(l->retry_after_s * MS_PER_S, RETRY_LONGEST_MS)) * NS_PER_MS;
        for (int64_t now; !s->stopping && (now = clock_mono_ns()) < until_ns;) {
            (void)cond_wait_ms(&s->changed, &s->lock, (until_ns - now) / NS_PER_MS + 1);
        }
        pause_ms = MIN(pause_ms * 2, RETRY_LONGEST_MS);
        mutex_unlock(&s->lock);
    }
    mutex_unlock(&s->lock);
}

static void run_lane(void *ctx) {
    Lane *l = ctx;
    DemoSender *s = l->sender;
    Buf packed = {0};
    for (;;) {
        mutex_lock(&s->lock);
        l->busy = false;
        cond_broadcast(&s->changed);
        while (l->n == 0 && !s->stopping) cond_wait(&s->changed, &s->lock);
        if (s->stopping) break;
        Item item = l->items[l->head];
        l->head = (l->head + 1) % LANE_ITEMS;
        l->n--;
        l->busy = true;
        bool drop = s->failed;
        cond_broadcast(&s->changed);
        mutex_unlock(&s->lock);
        buf_clear(&packed);
        if (!drop && compress(ENCODING_GZIP, buf_str(&item.body), 1, &packed) == OK)
            deliver(l, item.signal, buf_str(&packed));
        buf_done(&item.body);
    }
    mutex_unlock(&s->lock);
    buf_done(&packed);
}

ErrCode demo_sender_create(const char *endpoint, DemoSender **ret, Err *reterr) {
    DemoSender *s = NEW(DemoSender);
    Str base = str_cstr(endpoint);
    while (base.n > 0 && base.p[base.n - 1] == '/') base.n--;
    s->endpoint = str_dup_cstr(base);
    s->client = http_client_create("meerkat-demo");
    mutex_init(&s->lock);
    cond_init(&s->changed);
    for (size_t i = 0; i < LANES; i++) {
        s->lanes[i].sender = s;
        s->lanes[i].thread = thread_start("demo-send", run_lane, &s->lanes[i]);
        if (s->lanes[i].thread) continue;
        demo_sender_free(s);
        return err_set(reterr, ERR_UNAVAILABLE, "the system refuses another thread");
    }
    *ret = s;
    return OK;
}

void demo_sender_stop(DemoSender *s) {
    mutex_lock(&s->lock);
    s->stopping = true;
    cond_broadcast(&s->changed);
    mutex_unlock(&s->lock);
}

DemoSender *demo_sender_free(DemoSender *s) {
    if (!s) return NULL;
    demo_sender_stop(s);
    http_client_free(s->client); /* what is under way ends as cancelled */
    for (size_t i = 0; i < LANES; i++) {
        Lane *l = &s->lanes[i];
        thread_join(l->thread);
        for (; l->n > 0; l->n--, l->head = (l->head + 1) % LANE_ITEMS) buf_done(&l->items[l->head].body);
    }
    cond_done(&s->changed);
    mutex_done(&s->lock);
    mem_free(s->endpoint);
    mem_free(s);
    return NULL;
}

void demo_sender_put(void *sender, DemoSignal signal, unsigned lane, Buf *body, size_t records) {
    (void)records;
    DemoSender *s = sender;
    ASSERT(signal < DEMO_SIGNALS && lane < DEMO_METRIC_LANES);
    Lane *l = &s->lanes[signal == DEMO_TRACES ? LANE_TRACES : signal == DEMO_LOGS ? LANE_LOGS : LANE_METRICS + lane];
    mutex_lock(&s->lock);
    while (l->n == LANE_ITEMS && !s->failed && !s->stopping) cond_wait(&s->changed, &s->lock);
    if (s->failed || s->stopping) {
        buf_done(body);
    } else {
        l->items[(l->head + l->n++) % LANE_ITEMS] = (Item){signal, *body};
        *body = (Buf){0};
        cond_broadcast(&s->changed);
    }
    mutex_unlock(&s->lock);
}

static bool idle_locked(const DemoSender *s) {
    for (size_t i = 0; i < LANES; i++) {
        if (s->lanes[i].n > 0 || s->lanes[i].busy) return false;
    }
    return true;
}

ErrCode demo_sender_wait(DemoSender *s, int64_t timeout_ms, Err *reterr) {
    int64_t until_ns = clock_mono_ns() + timeout_ms * NS_PER_MS;
    ErrCode r = OK;
    mutex_lock(&s->lock);
    while (r == OK && !s->failed && !s->stopping && !idle_locked(s)) {
        int64_t left_ms = timeout_ms < 0 ? 1000 : (until_ns - clock_mono_ns()) / NS_PER_MS;
        if (timeout_ms >= 0 && left_ms <= 0)
            r = err_set(reterr, ERR_TIMEOUT, "some requests were not answered in time");
        else
            (void)cond_wait_ms(&s->changed, &s->lock, left_ms);
    }
    mutex_unlock(&s->lock);
    return r == OK ? demo_sender_error(s, reterr) : r;
}

ErrCode demo_sender_error(DemoSender *s, Err *reterr) {
    mutex_lock(&s->lock);
    ErrCode r = s->failed ? s->err.code : OK;
    if (s->failed && reterr) *reterr = s->err;
    mutex_unlock(&s->lock);
    return r;
}

uint64_t demo_sender_rejected(DemoSender *s, char ret_reason[256]) {
    mutex_lock(&s->lock);
    uint64_t n = s->rejected;
    memcpy(ret_reason, s->reason, sizeof s->reason);
    mutex_unlock(&s->lock);
    return n;
}
