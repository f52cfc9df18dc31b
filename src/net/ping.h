/* ping.h - one ICMP echo: whether a host answers, and how fast. */
#ifndef MEERKAT_NET_PING_H
#define MEERKAT_NET_PING_H

#include "base/err.h"
#include "base/str.h"

typedef struct PingFacts {
    int64_t resolve_ns, setup_ns, rtt_ns; /* of each step; 0: it was not come to */
    int ip_version;                       /* 4 or 6; 0: there is no address */
    uint32_t ip_hash;                     /* as HttpClientFacts has it */
    int hop_limit;                        /* of the answer; -1: not known */
} PingFacts;

/* Blocks for up to timeout_ms, and as long as the system's resolver takes beyond that. host: a name or an address; IPv6
 * is preferred. Unprivileged sockets are tried first (net.ipv4.ping_group_range), then raw ones. ERR_FORBIDDEN: neither
 * is allowed, with what to do; ERR_UNAVAILABLE: no address, no way; ERR_TIMEOUT: no answer. */
ErrCode ping_host(Str host, int64_t timeout_ms, PingFacts *ret, Err *reterr);

#endif
