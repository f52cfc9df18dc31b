#include "net/dns.h"

#include "base/timefmt.h"
#include "base/vec.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <ares.h>
#include <ares_nameser.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>

#define POLL_MS 100
#define TRY_MS 2000
#define TRIES 3

static pthread_once_t ares_once = PTHREAD_ONCE_INIT;
static void ares_begin(void) { ares_library_init(ARES_LIB_INIT_ALL); }

typedef struct Query {
    DnsType type;
    Arena *arena;
    bool done;
    ErrCode code;
    Err *reterr;
    DnsRecord *records;
    size_t n;
} Query;

/* --- answers --- */
typedef AVEC(DnsRecord) Records;

static bool add(Records *r, Arena *arena, Str host, unsigned port, unsigned priority, unsigned weight) {
    DnsRecord x = {arena_copy(arena, host), (uint16_t)port, (uint16_t)priority, (uint16_t)weight};
    return x.host.p && avec_push(arena, r, x);
}

/* With the dot that makes it whole. */
static bool add_name(Records *r, Arena *arena, const char *name, unsigned port, unsigned priority, unsigned weight) {
    size_t n = strlen(name);
    Str host = arena_printf(arena, n && name[n - 1] == '.' ? "%s" : "%s.", name);
    return host.p && add(r, arena, host, port, priority, weight);
}

static int parse_addresses(const unsigned char *msg, int n, bool v6, Arena *arena, Records *r) {
    struct hostent *h = NULL;
    int rc = v6 ? ares_parse_aaaa_reply(msg, n, &h, NULL, NULL) : ares_parse_a_reply(msg, n, &h, NULL, NULL);
    for (char **a = rc == ARES_SUCCESS ? h->h_addr_list : NULL; a && *a; a++) {
        char text[INET6_ADDRSTRLEN];
        if (inet_ntop(v6 ? AF_INET6 : AF_INET, *a, text, sizeof text)) (void)add(r, arena, str_cstr(text), 0, 0, 0);
    }
    if (h) ares_free_hostent(h);
    return rc;
}

static int parse_srv(const unsigned char *msg, int n, Arena *arena, Records *r) {
    struct ares_srv_reply *list = NULL;
    int rc = ares_parse_srv_reply(msg, n, &list);
    for (struct ares_srv_reply *x = list; x; x = x->next)
        (void)add_name(r, arena, x->host, x->port, x->priority, x->weight);
    if (list) ares_free_data(list);
    return rc;
}

static int parse_mx(const unsigned char *msg, int n, Arena *arena, Records *r) {
    struct ares_mx_reply *list = NULL;
    int rc = ares_parse_mx_reply(msg, n, &list);
    for (struct ares_mx_reply *x = list; x; x = x->next) (void)add_name(r, arena, x->host, 0, x->priority, 0);
    if (list) ares_free_data(list);
    return rc;
}

static int parse_ns(const unsigned char *msg, int n, Arena *arena, Records *r) {
    struct hostent *h = NULL;
    int rc = ares_parse_ns_reply(msg, n, &h);
    for (char **a = rc == ARES_SUCCESS ? h->h_aliases : NULL; a && *a; a++) (void)add_name(r, arena, *a, 0, 0, 0);
    if (h) ares_free_hostent(h);
    return rc;
}

ErrCode dns_parse(const void *msg, size_t n, DnsType type, Arena *arena, DnsRecord **ret, size_t *ret_n, Err *reterr) {
    Records r = {0};
    int rc = ARES_EBADRESP, len = n > 65535 ? 65535 : (int)n;
    switch (type) {
    case DNS_A:
    case DNS_AAAA: rc = parse_addresses(msg, len, type == DNS_AAAA, arena, &r); break;
    case DNS_SRV: rc = parse_srv(msg, len, arena, &r); break;
    case DNS_MX: rc = parse_mx(msg, len, arena, &r); break;
    case DNS_NS: rc = parse_ns(msg, len, arena, &r); break;
    }
    *ret = r.v;
    *ret_n = r.n;
    if (arena_exhausted(arena)) return err_set(reterr, ERR_TOO_LARGE, "the DNS answer is too large");
    if (rc == ARES_SUCCESS || rc == ARES_ENODATA) return OK;
    return err_set(reterr, ERR_INVALID, "malformed DNS answer: %s", ares_strerror(rc));
}

static void answered(void *ctx, int status, int timeouts, unsigned char *msg, int n) {
    Query *q = ctx;
    (void)timeouts;
    q->done = true;
    if (status == ARES_SUCCESS)
        q->code = dns_parse(msg, (size_t)n, q->type, q->arena, &q->records, &q->n, q->reterr);
    else if (status == ARES_ENOTFOUND || status == ARES_ENODATA)
        q->code = OK;
    else if (status == ARES_ETIMEOUT)
        q->code = err_set(q->reterr, ERR_TIMEOUT, "no DNS server answered in time");
    else
        q->code = err_set(q->reterr, ERR_UNAVAILABLE, "DNS: %s", ares_strerror(status));
}

/* --- the wait --- */
static void wait_sockets(ares_channel channel, int wait_ms) {
    ares_socket_t socks[ARES_GETSOCK_MAXNUM];
    struct pollfd fds[ARES_GETSOCK_MAXNUM];
    int bits = ares_getsock(channel, socks, ARES_GETSOCK_MAXNUM);
    nfds_t n = 0;
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        bool in = ARES_GETSOCK_READABLE(bits, i), out = ARES_GETSOCK_WRITABLE(bits, i);
        if (in || out)
            fds[n++] = (struct pollfd){.fd = socks[i], .events = (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0))};
    }
    poll(fds, n, wait_ms);
    if (n == 0) ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* its timers */
    for (nfds_t i = 0; i < n; i++) {
        bool in = (fds[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0, out = (fds[i].revents & POLLOUT) != 0;
        ares_process_fd(channel, in ? fds[i].fd : ARES_SOCKET_BAD, out ? fds[i].fd : ARES_SOCKET_BAD);
    }
}

static int type_number(DnsType type) {
    static const int numbers[] = {[DNS_A] = 1, [DNS_AAAA] = 28, [DNS_SRV] = 33, [DNS_MX] = 15, [DNS_NS] = 2};
    return numbers[type];
}

ErrCode dns_query(const char *servers, Str name, DnsType type, int64_t timeout_ms, bool (*cancel)(void *ctx),
    void *cancel_ctx, Arena *arena, DnsRecord **ret, size_t *ret_n, Err *reterr) {
    *ret = NULL;
    *ret_n = 0;
    pthread_once(&ares_once, ares_begin);
    ares_channel channel;
    struct ares_options o = {.timeout = TRY_MS, .tries = TRIES};
    int rc = ares_init_options(&channel, &o, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (rc != ARES_SUCCESS) return err_set(reterr, ERR_UNAVAILABLE, "DNS: %s", ares_strerror(rc));
    if (servers && (rc = ares_set_servers_ports_csv(channel, servers)) != ARES_SUCCESS) {
        ares_destroy(channel);
        return err_set(reterr, ERR_INVALID, "DNS servers \"%s\": %s", servers, ares_strerror(rc));
    }
    Query q = {.type = type, .arena = arena, .reterr = reterr};
    int64_t until = clock_mono_ns() + timeout_ms * NS_PER_MS;
    ErrCode code = OK;
    ares_search(channel, arena_copy(arena, name).p, 1 /* IN */, type_number(type), answered, &q);
    while (!q.done && code == OK) {
        wait_sockets(channel, POLL_MS);
        if (q.done) break;
        if (cancel && cancel(cancel_ctx))
            code = err_set(reterr, ERR_CANCELLED, "cancelled");
        else if (clock_mono_ns() > until)
            code = err_set(reterr, ERR_TIMEOUT, "no DNS server answered in time");
    }
    q.reterr = NULL; /* what ares says when it is torn down is no news */
    bool done = q.done;
    ErrCode answer = q.code;
    ares_destroy(channel);
    if (!done) return code;
    *ret = q.records;
    *ret_n = q.n;
    return answer;
}
