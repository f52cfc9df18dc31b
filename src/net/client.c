/* client.c - one thread drives all transfers through curl's multi interface. */
#include "net/client_int.h"

#include "sys/clock.h"

#include <stdio.h>

#define CONNECTIONS_KEPT 256L
#define WAIT_MS 1000

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static void curl_begin(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

static void finish(Transfer *t, CURLcode result) {
    HttpClientResponse res = {.duration_ns = clock_mono_ns() - t->start_ns};
    transfer_result(t, result, &res);
    t->done(t->ctx, &res);
    transfer_free(t);
}

static void cancel(Transfer *t) {
    HttpClientResponse res = {.code = ERR_CANCELLED, .error = "the client is shutting down"};
    t->done(t->ctx, &res);
    transfer_free(t);
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
    if (keep) curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)keep);
    while (list) {
        Transfer *t = list;
        list = t->next;
        t->next = NULL;
        if (stop) {
            cancel(t);
            continue;
        }
        ErrCode code = transfer_setup(t, c->user_agent);
        if (code != OK || curl_multi_add_handle(c->multi, t->easy) != CURLM_OK) {
            finish(t, code == OK ? CURLE_FAILED_INIT : CURLE_URL_MALFORMAT);
            continue;
        }
        t->next = c->active;
        if (c->active) c->active->prev = t;
        c->active = t;
    }
    return !stop;
}

static void unlink_active(HttpClient *c, Transfer *t) {
    curl_multi_remove_handle(c->multi, t->easy);
    if (t->prev)
        t->prev->next = t->next;
    else
        c->active = t->next;
    if (t->next) t->next->prev = t->prev;
    t->next = t->prev = NULL;
}

static void take_finished(HttpClient *c) {
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(c->multi, &left))) {
        if (msg->msg != CURLMSG_DONE) continue;
        CURLcode result = msg->data.result;
        void *private = NULL;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);
        unlink_active(c, private);
        finish(private, result);
    }
}

static void client_main(void *ctx) {
    HttpClient *c = ctx;
    while (take_queued(c)) {
        int running;
        curl_multi_perform(c->multi, &running);
        take_finished(c);
        curl_multi_poll(c->multi, NULL, 0, WAIT_MS, NULL);
    }
    while (c->active) {
        Transfer *t = c->active;
        unlink_active(c, t);
        cancel(t);
    }
}

HttpClient *http_client_create(const char *user_agent) {
    pthread_once(&curl_once, curl_begin);
    HttpClient *c = NEW(HttpClient);
    c->user_agent = str_dup_cstr(str_cstr(user_agent));
    c->queued_tail = &c->queued;
    mutex_init(&c->lock);
    c->multi = curl_multi_init();
    ASSERT(c->multi);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
    curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    return c;
}

void http_client_stop(HttpClient *c) {
    mutex_lock(&c->lock);
    c->stop = true;
    Thread *thread = c->thread;
    c->thread = NULL;
    mutex_unlock(&c->lock);
    curl_multi_wakeup(c->multi);
    thread_join(thread);
    take_queued(c);
}

HttpClient *http_client_free(HttpClient *c) {
    if (!c) return NULL;
    http_client_stop(c);
    curl_multi_cleanup(c->multi);
    mutex_done(&c->lock);
    mem_free(c->user_agent);
    mem_free(c);
    return NULL;
}

void http_client_keep(HttpClient *c, size_t connections) {
    mutex_lock(&c->lock);
    c->keep = MAX(connections, (size_t)CONNECTIONS_KEPT);
    mutex_unlock(&c->lock);
}

void http_client_start(HttpClient *c, const HttpClientRequest *req, HttpClientDone done, void *ctx) {
    Transfer *t = transfer_create(req, done, ctx);
    t->start_ns = clock_mono_ns();
    mutex_lock(&c->lock);
    if (c->stop) {
        mutex_unlock(&c->lock);
        cancel(t);
        return;
    }
    *c->queued_tail = t;
    c->queued_tail = &t->next;
    /* The thread exists from the first request on: a process that never asks anybody has none. */
    if (!c->thread) c->thread = thread_start("net-client", client_main, c);
    mutex_unlock(&c->lock);
    curl_multi_wakeup(c->multi);
}

typedef struct Fetch {
    Mutex lock;
    Cond done;
    bool ready;
    int status;
    Buf *body;
    Err err;
} Fetch;

static void fetch_done(void *ctx, const HttpClientResponse *res) {
    Fetch *f = ctx;
    mutex_lock(&f->lock);
    f->status = res->status;
    f->err.code = res->code;
    snprintf(f->err.msg, sizeof(f->err.msg), "%s", res->error);
    if (f->body) buf_put_str(f->body, res->body);
    f->ready = true;
    cond_signal(&f->done);
    mutex_unlock(&f->lock);
}

ErrCode http_client_fetch(HttpClient *c, const HttpClientRequest *req, int *ret_status, Buf *ret_body, Err *reterr) {
    Fetch f = {.body = ret_body};
    mutex_init(&f.lock);
    cond_init(&f.done);
    http_client_start(c, req, fetch_done, &f);
    mutex_lock(&f.lock);
    while (!f.ready) cond_wait(&f.done, &f.lock);
    mutex_unlock(&f.lock);
    mutex_done(&f.lock);
    cond_done(&f.done);
    if (ret_status) *ret_status = f.status;
    if (reterr && f.err.code != OK) *reterr = f.err;
    return f.err.code;
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
