/* client.c - requests in, answers out; one thread has all transfers (client_lanes.c). */
#include "net/client_int.h"

#include "sys/clock.h"

#include <stdio.h>

#define CONNECTIONS_KEPT 256

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static void curl_begin(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

static void finish(Transfer *t, CURLcode result) {
    HttpClientResponse res = {.duration_ns = clock_mono_ns() - t->start_ns};
    transfer_result(t, result, &res);
    t->done(t->ctx, &res);
    transfer_free(t);
}

static void cancel(Transfer *t, ErrCode code, const char *why) {
    HttpClientResponse res = {.code = code};
    snprintf(res.error, sizeof res.error, "%s", why);
    t->done(t->ctx, &res);
    transfer_free(t);
}

static void cancel_stopping(Transfer *t) { cancel(t, ERR_CANCELLED, "the client is shutting down"); }

static void link_active(HttpClient *c, Transfer *t) {
    t->next = c->active;
    if (c->active) c->active->prev = t;
    c->active = t;
}

static void unlink_active(HttpClient *c, Transfer *t) {
    lanes_remove(t);
    if (t->prev)
        t->prev->next = t->next;
    else
        c->active = t->next;
    if (t->next) t->next->prev = t->prev;
    t->next = t->prev = NULL;
}

void client_finished(HttpClient *c, Transfer *t, CURLcode result) {
    unlink_active(c, t);
    finish(t, result);
}

static void begin(HttpClient *c, Transfer *t) {
    ErrCode code = transfer_setup(t, c->user_agent);
    if (code != OK || !lanes_add(c, t))
        finish(t, code == OK ? CURLE_FAILED_INIT : CURLE_URL_MALFORMAT);
    else
        link_active(c, t);
}

/* Takes what was queued; false: time to stop. */
static bool take_queued(HttpClient *c) {
    mutex_lock(&c->lock);
    Transfer *list = c->queued;
    c->queued = NULL;
    c->queued_tail = &c->queued;
    bool stop = c->stop;
    size_t keep = c->keep;
    c->keep = 0;
    mutex_unlock(&c->lock);
    if (keep) lanes_keep(c, keep);
    while (list) {
        Transfer *t = list;
        list = t->next;
        t->next = NULL;
        if (stop)
            cancel_stopping(t);
        else
            begin(c, t);
    }
    return !stop;
}

static void client_main(void *ctx) {
    HttpClient *c = ctx;
    while (take_queued(c)) lanes_run(c);
    while (c->active) {
        Transfer *t = c->active;
        unlink_active(c, t);
        cancel_stopping(t);
    }
}

HttpClient *http_client_create(const char *user_agent) {
    pthread_once(&curl_once, curl_begin);
    HttpClient *c = NEW(HttpClient);
    c->user_agent = str_dup_cstr(str_cstr(user_agent));
    c->queued_tail = &c->queued;
    c->epoll_fd = c->wake_fd = -1;
    c->kept = lanes_share(CONNECTIONS_KEPT, SIZE_MAX);
    mutex_init(&c->lock);
    return c;
}

void http_client_stop(HttpClient *c) {
    mutex_lock(&c->lock);
    c->stop = true;
    Thread *thread = c->thread;
    c->thread = NULL;
    mutex_unlock(&c->lock);
    if (thread) lanes_wake(c);
    thread_join(thread);
    take_queued(c);
}

HttpClient *http_client_free(HttpClient *c) {
    if (!c) return NULL;
    http_client_stop(c);
    lanes_close(c);
    mutex_done(&c->lock);
    mem_free(c->user_agent);
    mem_free(c);
    return NULL;
}

void http_client_keep(HttpClient *c, size_t connections, size_t most) {
    mutex_lock(&c->lock);
    c->keep = lanes_share(MAX(connections, (size_t)CONNECTIONS_KEPT), most);
    mutex_unlock(&c->lock);
}

/* Lock held. The thread exists from the first request on: a process that never asks anybody has none. */
static bool run_thread(HttpClient *c) {
    if (c->thread) return true;
    if (c->epoll_fd < 0 && !lanes_open(c)) return false;
    c->thread = thread_start("net-client", client_main, c);
    return c->thread != NULL;
}

void http_client_start(HttpClient *c, const HttpClientRequest *req, HttpClientDone done, void *ctx) {
    Transfer *t = transfer_create(req, done, ctx);
    t->start_ns = clock_mono_ns();
    mutex_lock(&c->lock);
    bool stop = c->stop, runs = !stop && run_thread(c), wake = runs && !c->queued;
    if (runs) {
        *c->queued_tail = t;
        c->queued_tail = &t->next;
    }
    mutex_unlock(&c->lock);
    if (wake) lanes_wake(c);
    if (stop)
        cancel_stopping(t);
    else if (!runs)
        cancel(t, ERR_UNAVAILABLE, "no thread or file descriptor is left for requests");
}

typedef struct Wait {
    Mutex lock;
    Cond done;
    bool ready;
    HttpFetched *out;
    Err err;
} Wait;

static void wait_done(void *ctx, const HttpClientResponse *res) {
    Wait *w = ctx;
    mutex_lock(&w->lock);
    HttpFetched *out = w->out;
    out->status = res->status;
    w->err.code = res->code;
    snprintf(w->err.msg, sizeof(w->err.msg), "%s", res->error);
    if (out->body) buf_put_str(out->body, res->body);
    if (out->content_type) buf_put_str(out->content_type, res->content_type);
    if (out->header) buf_put_str(out->header, http_client_header(res, out->header_name));
    w->ready = true;
    cond_signal(&w->done);
    mutex_unlock(&w->lock);
}

ErrCode http_client_wait(
    HttpClientStart start, void *starter, const HttpClientRequest *req, HttpFetched *ret, Err *reterr) {
    Wait w = {.out = ret};
    mutex_init(&w.lock);
    cond_init(&w.done);
    start(starter, req, wait_done, &w);
    mutex_lock(&w.lock);
    while (!w.ready) cond_wait(&w.done, &w.lock);
    mutex_unlock(&w.lock);
    mutex_done(&w.lock);
    cond_done(&w.done);
    if (reterr && w.err.code != OK) *reterr = w.err;
    return w.err.code;
}

static void start_here(void *client, const HttpClientRequest *req, HttpClientDone done, void *ctx) {
    http_client_start(client, req, done, ctx);
}

ErrCode http_client_fetch(HttpClient *c, const HttpClientRequest *req, int *ret_status, Buf *ret_body, Err *reterr) {
    HttpFetched out = {.body = ret_body};
    ErrCode code = http_client_wait(start_here, c, req, &out, reterr);
    if (ret_status) *ret_status = out.status;
    return code;
}

Str http_client_header(const HttpClientResponse *res, Str name) {
    Str rest = res->headers, line;
    while (str_split_next(&rest, '\n', &line)) {
        size_t colon = str_find_char(line, ':');
        if (colon != SIZE_MAX && str_eq_nocase(str_slice(line, 0, colon), name))
            return str_trim(str_skip(line, colon + 1));
    }
    return STR_NULL;
}
