#include "net/ping.h"

#include "net/client_int.h"
#include "sys/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const char payload[] = "Meerkat looks whether you are there";

typedef struct Ping {
    struct sockaddr_storage to;
    socklen_t to_n;
    bool v6, raw;
    int fd;
    uint16_t id, seq;
    uint8_t packet[8 + sizeof payload];
} Ping;

static ErrCode resolve(Ping *p, Str host, PingFacts *ret, Err *reterr) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM}, *all = NULL, *best;
    int64_t begin = clock_mono_ns();
    char *name = str_dup_cstr(host);
    int code = getaddrinfo(name, NULL, &hints, &all);
    mem_free(name);
    ret->resolve_ns = clock_mono_ns() - begin;
    if (code != 0) return err_set(reterr, ERR_UNAVAILABLE, "%" STR_FMT ": %s", STR_ARG(host), gai_strerror(code));
    for (best = all; best->ai_family != AF_INET6 && best->ai_next;) best = best->ai_next;
    if (best->ai_family != AF_INET6) best = all;
    p->v6 = best->ai_family == AF_INET6;
    p->to_n = best->ai_addrlen;
    memcpy(&p->to, best->ai_addr, best->ai_addrlen);
    freeaddrinfo(all);
    char text[INET6_ADDRSTRLEN] = "";
    const void *address = p->v6 ? (const void *)&((struct sockaddr_in6 *)&p->to)->sin6_addr
                                : (const void *)&((struct sockaddr_in *)&p->to)->sin_addr;
    ret->ip_version = p->v6 ? 6 : 4;
    ret->ip_hash = inet_ntop(p->v6 ? AF_INET6 : AF_INET, address, text, sizeof text) ? ip_text_hash(text) : 0;
    return OK;
}

static ErrCode open_socket(Ping *p, Err *reterr) {
    int family = p->v6 ? AF_INET6 : AF_INET, protocol = p->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, on = 1;
    p->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, protocol);
    p->raw = p->fd < 0;
    if (p->raw) p->fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (p->fd < 0 && (errno == EPERM || errno == EACCES)) {
        err_set(reterr, ERR_FORBIDDEN,
            "neither unprivileged nor raw ICMP sockets are allowed: put the server's group into "
            "net.ipv4.ping_group_range, "
            "or give it CAP_NET_RAW");
        return ERR_FORBIDDEN;
    }
    if (p->fd < 0) return err_set(reterr, ERR_UNAVAILABLE, "no ICMP socket: %s", strerror(errno));
    (void)setsockopt(p->fd, p->v6 ? IPPROTO_IPV6 : IPPROTO_IP, p->v6 ? IPV6_RECVHOPLIMIT : IP_RECVTTL, &on, sizeof on);
    return OK;
}

/* Internet checksum; the kernel makes that of ICMPv6, and of unprivileged sockets. */
static uint16_t checksum(const uint8_t *p, size_t n) {
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void make_packet(Ping *p) {
    static _Atomic uint16_t next;
    p->id = (uint16_t)getpid();
    p->seq = (uint16_t)(atomic_fetch_add(&next, 1) + 1);
    uint8_t *b = p->packet;
    b[0] = p->v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
    b[4] = (uint8_t)(p->id >> 8), b[5] = (uint8_t)p->id;
    b[6] = (uint8_t)(p->seq >> 8), b[7] = (uint8_t)p->seq;
    memcpy(b + 8, payload, sizeof payload);
    uint16_t sum = checksum(b, sizeof p->packet);
    b[2] = (uint8_t)(sum >> 8), b[3] = (uint8_t)sum;
}

/* Whether the packet is the answer: raw sockets of IPv4 see the IP header too, and everybody's packets. */
static bool is_answer(const Ping *p, const uint8_t *b, size_t n) {
    if (p->raw && !p->v6) {
        size_t head = n > 0 ? (size_t)(b[0] & 15) * 4 : 0;
        if (n < head) return false;
        b += head, n -= head;
    }
    if (n != sizeof p->packet || b[0] != (p->v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY)) return false;
    bool id = !p->raw || memcmp(b + 4, p->packet + 4, 2) == 0; /* the kernel has an id of its own else */
    return id && memcmp(b + 6, p->packet + 6, n - 6) == 0;
}

static int hop_limit_of(struct msghdr *m) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL;
        bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT;
        int value;
        if (!v4 && !v6) continue;
        memcpy(&value, CMSG_DATA(c), sizeof value);
        return value;
    }
    return -1;
}

static bool take_answer(Ping *p, PingFacts *ret) {
    uint8_t bytes[512];
    union {
        struct cmsghdr align;
        char room[128];
    } control;
    struct iovec v = {bytes, sizeof bytes};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(p->fd, &m, MSG_DONTWAIT);
    if (n <= 0 || !is_answer(p, bytes, (size_t)n)) return false;
    ret->hop_limit = hop_limit_of(&m);
    return true;
}

static ErrCode ask(Ping *p, int64_t deadline, PingFacts *ret, Err *reterr) {
    int64_t begin = clock_mono_ns();
    if (sendto(p->fd, p->packet, sizeof p->packet, 0, (struct sockaddr *)&p->to, p->to_n) < 0)
        return err_set(reterr, ERR_UNAVAILABLE, "sending the echo request: %s", strerror(errno));
    for (;;) {
        int64_t left_ms = (deadline - clock_mono_ns() + 999999) / 1000000;
        if (left_ms <= 0) return err_set(reterr, ERR_TIMEOUT, "no answer came in time");
        struct pollfd fd = {.fd = p->fd, .events = POLLIN};
        (void)poll(&fd, 1, (int)MIN(left_ms, 60000));
        if (!take_answer(p, ret)) continue;
        ret->rtt_ns = clock_mono_ns() - begin;
        return OK;
    }
}

ErrCode ping_host(Str host, int64_t timeout_ms, PingFacts *ret, Err *reterr) {
    Ping p = {.fd = -1};
    int64_t deadline = clock_mono_ns() + timeout_ms * 1000000;
    *ret = (PingFacts){.hop_limit = -1};
    ErrCode code = resolve(&p, host, ret, reterr);
    int64_t begin = clock_mono_ns();
    if (code == OK) code = open_socket(&p, reterr);
    if (code == OK) {
        make_packet(&p);
        ret->setup_ns = clock_mono_ns() - begin;
        code = ask(&p, deadline, ret, reterr);
    }
    if (p.fd >= 0) close(p.fd);
    return code;
}
