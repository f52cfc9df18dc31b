/* round_send.c - the requests of a round: one under way per shard, repeated with growing pauses until the receiver
 * takes them or says that it never will. */
#include "base/log.h"
#include "codec/compress.h"
#include "metrics/remote/remote_int.h"
#include "sys/clock.h"

#include <stdio.h>

#define WAKE_MS 1000
#define ANSWER_BYTES (64u << 10)
#define RETRY_AFTER_MAX_S 600
#define SAY_EVERY_NS (30 * INT64_C(1000000000))

const double remote_send_bounds[SEND_BUCKETS] = {
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60}; /* seconds */

static void add(RemoteCount *to, const RemoteCount *c) {
    to->samples += c->samples;
    to->histograms += c->histograms;
    to->exemplars += c->exemplars;
}

/* --- making a request --- */

/* The next items that fit; false: there are none. */
static bool make_body(Shard *s) {
    Endpoint *e = s->endpoint;
    RemoteMessage m = {.version_2 = e->write->version_2};
    uint64_t max = (uint64_t)e->write->queue.max_samples_per_send;
    size_t from = s->at;
    s->newest_ms = INT64_MIN;
    for (; s->at < s->items.n; s->at++) {
        RoundItem *item = &s->items.v[s->at];
        if (s->at > from && m.samples + m.histograms + item->series.n + item->series.n_histograms > max) break;
        if (m.version_2)
            item->series.metadata = endpoint_metadata(e, labels_get(item->series.labels, LABEL_NAME_METRIC));
        remote_message_put(&m, &item->series);
        s->newest_ms = MAX(s->newest_ms, item->newest_ms);
    }
    s->count = (RemoteCount){m.samples, m.histograms, m.exemplars};
    buf_clear(&s->body);
    if (s->at > from) {
        Buf raw = {0};
        remote_message_finish(&m, &raw);
        (void)compress(ENCODING_SNAPPY, buf_str(&raw), 0, &s->body);
        buf_done(&raw);
    }
    remote_message_done(&m);
    return s->at > from;
}

/* On the client's thread, or on ours when a secret cannot be read. */
static void answered(void *ctx, const HttpClientResponse *res) {
    Shard *s = ctx;
    Endpoint *e = s->endpoint;
    mutex_lock(&e->mutex);
    s->answered = true;
    s->code = res->code;
    s->status = res->status;
    s->retry_after_s = res->retry_after_s;
    s->duration_ns = res->duration_ns;
    Str said = str_trim(res->body);
    if (res->code != OK)
        snprintf(s->error, sizeof s->error, "%s", res->error);
    else
        snprintf(s->error, sizeof s->error, "%.*s", (int)MIN(said.n, sizeof s->error - 1), said.n ? said.p : "");
    cond_broadcast(&e->answered);
    mutex_unlock(&e->mutex);
}

/* Mutex held on entry and return. */
static void start(Shard *s) {
    Endpoint *e = s->endpoint;
    char attempt[40];
    const char *headers[80];
    size_t n = 0;
    while (e->headers[n] && n < ARRAY_LEN(headers) - 2) {
        headers[n] = e->headers[n];
        n++;
    }
    snprintf(attempt, sizeof attempt, "Retry-Attempt: %u", s->attempt);
    if (s->attempt) headers[n++] = attempt;
    headers[n] = NULL;
    char *url = str_dup_cstr(e->write->url);
    HttpClientRequest req = {.method = "POST",
        .url = url,
        .headers = headers,
        .body = buf_str(&s->body),
        .timeout_ms = e->write->timeout_ms,
        .max_body_bytes = ANSWER_BYTES};
    s->state = SHARD_FLYING;
    s->answered = false;
    mutex_unlock(&e->mutex);
    prom_http_start(e->http, &req, answered, s);
    mutex_lock(&e->mutex);
    mem_free(url);
}

/* --- answers; mutex held --- */

static void next(Shard *s) {
    s->attempt = 0;
    s->backoff_ms = 0;
    buf_clear(&s->body);
    s->state = SHARD_READY;
}

static void note_request(Endpoint *e, const Shard *s) {
    double seconds = (double)s->duration_ns / 1e9;
    size_t i = 0;
    while (i < SEND_BUCKETS && seconds > remote_send_bounds[i]) i++;
    e->stats.buckets[i]++;
    e->stats.seconds += seconds;
    e->stats.requests++;
}

/* The log is told of the first of a kind, and then now and then. */
static bool may_say(int64_t *last_ns) {
    int64_t now = clock_mono_ns();
    if (*last_ns && now - *last_ns < SAY_EVERY_NS) return false;
    *last_ns = now;
    return true;
}

static void say(const Shard *s, const char *what) {
    const Endpoint *e = s->endpoint;
    char status[16], samples[24], attempt[16];
    char *name = str_dup_cstr(e->write->name), *url = http_url_redacted(e->write->url);
    snprintf(status, sizeof status, "%d", s->status);
    snprintf(samples, sizeof samples, "%llu", (unsigned long long)(s->count.samples + s->count.histograms));
    snprintf(attempt, sizeof attempt, "%u", s->attempt);
    log_warn(what, "name", name, "url", url, "status", status, "error", s->error, "samples", samples, "attempt",
        attempt, NULL);
    mem_free(name);
    mem_free(url);
}

static void drop(Shard *s, DropReason why) {
    add(&s->endpoint->stats.dropped[why], &s->count);
    next(s);
}

/* The disk queue is there to wait, so 429 is repeated unless retry_on_http_429 says otherwise. */
static bool is_passing(const Endpoint *e, const Shard *s) {
    return s->code != OK || s->status / 100 == 5 || (s->status == 429 && e->write->queue.retry_on_429);
}

static void again(Shard *s) {
    Endpoint *e = s->endpoint;
    const PromQueueConfig *q = &e->write->queue;
    int64_t limit = q->sample_age_limit_ms;
    if (may_say(&e->said_failing_ns)) say(s, "remote write: a request failed and will be sent again");
    if (limit && s->newest_ms < clock_now_ms() - limit) return drop(s, DROP_TOO_OLD);
    if (endpoint_is_too_far_behind(e)) return drop(s, DROP_QUEUE_FULL);
    add(&e->stats.retried, &s->count);
    s->attempt++;
    s->backoff_ms = MIN(MAX(s->backoff_ms * 2, MAX(q->min_backoff_ms, INT64_C(1))), MAX(q->max_backoff_ms, INT64_C(1)));
    int64_t pause_ms = s->backoff_ms;
    if (s->code == OK && s->retry_after_s > 0) pause_ms = MIN(s->retry_after_s, (int64_t)RETRY_AFTER_MAX_S) * 1000;
    s->due_ns = clock_mono_ns() + pause_ms * 1000000;
    s->state = SHARD_WAITING;
}

static void take_answer(Round *r, Shard *s) {
    Endpoint *e = s->endpoint;
    note_request(e, s);
    if (s->code == OK && s->status / 100 == 2) {
        if (e->said_failing_ns) say(s, "remote write: the receiver takes samples again");
        e->said_failing_ns = 0;
        add(&e->stats.sent, &s->count);
        e->stats.bytes += s->body.n;
        e->stats.highest_ms = MAX(e->stats.highest_ms, s->newest_ms);
        next(s);
    } else if (is_passing(e, s)) {
        r->trouble = true;
        again(s);
    } else {
        if (may_say(&e->said_refused_ns))
            say(s,
                r->repeated
                    ? "remote write: a request that was under way at the end of the last run was refused; the receiver "
                      "may have had it already"
                    : "remote write: the receiver refused a request; its samples are dropped");
        add(&e->stats.failed, &s->count);
        next(s);
    }
}

/* --- the round --- */

typedef struct Standing {
    size_t flying, waiting;
    int64_t due_ns; /* of the first that waits */
} Standing;

static Standing step(Round *r) {
    Standing now = {.due_ns = INT64_MAX};
    Endpoint *e = r->endpoint;
    bool stop = atomic_load(&e->stop);
    for (size_t i = 0; i < r->n_shards; i++) {
        Shard *s = &r->shards[i];
        if (s->state == SHARD_FLYING && s->answered) {
            if (stop && s->code == ERR_CANCELLED)
                s->state = SHARD_WAITING;
            else
                take_answer(r, s);
        }
        if (s->state == SHARD_WAITING && !stop && s->due_ns <= clock_mono_ns()) s->state = SHARD_READY;
        if (s->state == SHARD_READY && !stop) {
            if (s->body.n > 0 || make_body(s))
                start(s);
            else
                s->state = SHARD_DONE;
        }
        now.flying += s->state == SHARD_FLYING;
        now.waiting += s->state == SHARD_WAITING || s->state == SHARD_READY;
        /* At the end nobody's turn comes any more: that of one would be in the past, and never be waited for. */
        if (s->state == SHARD_WAITING && !stop) now.due_ns = MIN(now.due_ns, s->due_ns);
    }
    return now;
}

bool round_send(Round *r) {
    Endpoint *e = r->endpoint;
    bool all = false;
    mutex_lock(&e->mutex);
    e->stats.shards = r->n_shards;
    e->stats.pending.samples = r->samples;
    for (;;) {
        Standing now = step(r);
        all = now.flying + now.waiting == 0;
        bool give_up = atomic_load(&e->stop) || (atomic_load(&e->drain) && now.waiting > 0);
        if (now.flying == 0 && (all || give_up)) break;
        int64_t wait_ms = WAKE_MS;
        if (now.due_ns != INT64_MAX) wait_ms = MIN(wait_ms, (now.due_ns - clock_mono_ns()) / 1000000 + 1);
        bool have = false; /* an answer that came while another request was started */
        for (size_t i = 0; i < r->n_shards; i++) have |= r->shards[i].state == SHARD_FLYING && r->shards[i].answered;
        if (!have && wait_ms > 0) cond_wait_ms(&e->answered, &e->mutex, wait_ms);
    }
    e->stats.pending.samples = 0;
    mutex_unlock(&e->mutex);
    return all;
}
