/* client_lanes.c - curl's multi handles under one epoll.
 *
 * Work is per socket that is ready and per timer that is due, never per transfer in flight. There are many multi
 * handles because curl walks its connections one after the other in several places (a hash of 97 chains to find one by
 * its host, a look at every idle one each second): a host always has the same lane, so its connection is found again,
 * and each lane has few. */
#include "net/client_int.h"

#include "base/hash.h"
#include "sys/clock.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 128
#define WAKE_DATA UINT64_MAX
#define SPARE_PER_LANE 16u /* hosts do not spread evenly */

/* The marker behind a socket that epoll knows. */
static int known_socket;

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known) {
    Lane *l = ctx;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(l->client->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        curl_multi_assign(l->multi, fd, NULL);
        return 0;
    }
    uint64_t index = (uint64_t)(l - l->client->lanes);
    struct epoll_event e = {.data.u64 = index << 32 | (uint32_t)fd};
    if (what & CURL_POLL_IN) e.events |= EPOLLIN;
    if (what & CURL_POLL_OUT) e.events |= EPOLLOUT;
    int rc = epoll_ctl(l->client->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e);
    /* A descriptor that was closed and opened again without a word is gone from epoll, one that was duplicated is not.
     */
    if (rc < 0 && (errno == ENOENT || errno == EEXIST))
        epoll_ctl(l->client->epoll_fd, errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e);
    curl_multi_assign(l->multi, fd, &known_socket);
    return 0;
}

/* Asked after everything that may have changed it, rather than told by curl's callback, which is silent when a timer is
 * set anew for the same moment. */
static void note_timer(Lane *l) {
    long timeout_ms = -1;
    curl_multi_timeout(l->multi, &timeout_ms);
    l->due_ns = timeout_ms < 0 ? INT64_MAX : clock_mono_ns() + timeout_ms * 1000000;
}

static void lane_keep(Lane *l, size_t connections) {
    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)connections);
}

static bool lane_open(HttpClient *c, Lane *l) {
    if (l->multi) return true;
    l->multi = curl_multi_init();
    if (!l->multi) return false;
    l->client = c;
    l->due_ns = INT64_MAX;
    curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
    lane_keep(l, c->kept);
    return true;
}

/* Scheme, host and port: what a connection is for. */
static Str authority_of(const char *url) {
    Str s = str_cstr(url);
    size_t scheme = str_find(s, STR("://"));
    size_t from = scheme == SIZE_MAX ? 0 : scheme + 3, to = from;
    while (to < s.n && s.p[to] != '/' && s.p[to] != '?' && s.p[to] != '#') to++;
    return str_slice(s, 0, to);
}

bool lanes_add(HttpClient *c, Transfer *t) {
    Lane *l = &c->lanes[hash_xx64(authority_of(t->req.url), 0) % CLIENT_LANES];
    if (!lane_open(c, l) || curl_multi_add_handle(l->multi, t->easy) != CURLM_OK) return false;
    t->lane = l;
    l->n_http2 += t->may_http2;
    note_timer(l);
    return true;
}

void lanes_remove(Transfer *t) {
    curl_multi_remove_handle(t->lane->multi, t->easy);
    t->lane->n_http2 -= t->may_http2;
    t->lane->progress++;
}

static void take_finished(Lane *l) {
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(l->multi, &left))) {
        if (msg->msg != CURLMSG_DONE) continue;
        CURLcode result = msg->data.result;
        void *transfer = NULL;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &transfer);
        client_finished(l->client, transfer, result);
    }
}

/* With HTTP/2, curl 7.88 may leave a part of what it has read in a buffer of its own, of which no socket tells: as long
 * as there is progress it is asked again. */
static void act(Lane *l, curl_socket_t fd, int events) {
    int running;
    uint64_t before;
    do {
        before = l->progress;
        curl_multi_socket_action(l->multi, fd, events, &running);
        take_finished(l);
        events = CURL_CSELECT_IN;
    } while (fd != CURL_SOCKET_TIMEOUT && l->n_http2 && l->progress != before);
    note_timer(l);
}

/* Runs what is due; how long until the next timer, -1: there is none. A lane whose timer keeps saying "now" gets its
 * turn once in a round, so that the sockets of others get theirs. */
static int run_timers(HttpClient *c) {
    int64_t now = clock_mono_ns(), next = INT64_MAX;
    for (size_t i = 0; i < CLIENT_LANES; i++) {
        Lane *l = &c->lanes[i];
        if (!l->multi) continue;
        if (l->due_ns <= now) act(l, CURL_SOCKET_TIMEOUT, 0);
        next = MIN(next, l->due_ns);
    }
    if (next == INT64_MAX) return -1;
    return next <= now ? 0 : (int)MIN((next - now + 999999) / 1000000, (int64_t)60000);
}

static void on_event(HttpClient *c, const struct epoll_event *e) {
    if (e->data.u64 == WAKE_DATA) {
        uint64_t n;
        ssize_t got = read(c->wake_fd, &n, sizeof n);
        (void)got;
        return;
    }
    Lane *l = &c->lanes[e->data.u64 >> 32];
    int what = 0;
    if (e->events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP)) what |= CURL_CSELECT_IN;
    if (e->events & EPOLLOUT) what |= CURL_CSELECT_OUT;
    if (e->events & EPOLLERR) what |= CURL_CSELECT_ERR;
    act(l, (curl_socket_t)(e->data.u64 & UINT32_MAX), what);
}

void lanes_run(HttpClient *c) {
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(c->epoll_fd, events, EVENTS_MAX, run_timers(c));
    for (int i = 0; i < n; i++) on_event(c, &events[i]);
}

void lanes_wake(HttpClient *c) {
    uint64_t one = 1;
    ssize_t put = write(c->wake_fd, &one, sizeof one);
    (void)put; /* full: it is awake anyway */
}

size_t lanes_share(size_t connections, size_t most) {
    return MAX(MIN(connections / CLIENT_LANES * 2 + SPARE_PER_LANE, most / CLIENT_LANES), (size_t)1);
}

void lanes_keep(HttpClient *c, size_t per_lane) {
    c->kept = per_lane;
    for (size_t i = 0; i < CLIENT_LANES; i++)
        if (c->lanes[i].multi) lane_keep(&c->lanes[i], per_lane);
}

bool lanes_open(HttpClient *c) {
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = WAKE_DATA};
    c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->epoll_fd >= 0 && c->wake_fd >= 0 && epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->wake_fd, &e) == 0) return true;
    lanes_close(c);
    return false;
}

void lanes_close(HttpClient *c) {
    for (size_t i = 0; i < CLIENT_LANES; i++) {
        if (!c->lanes[i].multi) continue;
        curl_multi_cleanup(c->lanes[i].multi); /* its connections take themselves off epoll */
        c->lanes[i].multi = NULL;
    }
    if (c->epoll_fd >= 0) close(c->epoll_fd);
    if (c->wake_fd >= 0) close(c->wake_fd);
    c->epoll_fd = c->wake_fd = -1;
}
