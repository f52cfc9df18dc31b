/* dns.h - DNS questions of any type, on c-ares: over UDP, over TCP when the answer is cut, to the servers of
 * /etc/resolv.conf or to others. */
#ifndef MEERKAT_NET_DNS_H
#define MEERKAT_NET_DNS_H

#include "base/arena.h"
#include "base/err.h"

typedef enum DnsType { DNS_A, DNS_AAAA, DNS_SRV, DNS_MX, DNS_NS } DnsType;

typedef struct DnsRecord {
    Str host;                        /* A, AAAA: the address as text; else the name, ending in a dot */
    uint16_t port, priority, weight; /* SRV; MX: priority */
} DnsRecord;

/* Asks for name, with the search domains of the system as it is configured. servers: "10.0.0.1,10.0.0.2:5353" or NULL
 * for the system's. Blocks; cancel (may be NULL) is looked at ten times a second. A name that does not exist gives no
 * records and OK; ERR_UNAVAILABLE: no server gave an answer; ERR_TIMEOUT; ERR_CANCELLED. */
ErrCode dns_query(const char *servers, Str name, DnsType type, int64_t timeout_ms, bool (*cancel)(void *ctx),
    void *cancel_ctx, Arena *arena, DnsRecord **ret, size_t *ret_n, Err *reterr);

/* The records of that type in a whole DNS message, for tests and fuzzing. ERR_INVALID: malformed. */
ErrCode dns_parse(const void *msg, size_t n, DnsType type, Arena *arena, DnsRecord **ret, size_t *ret_n, Err *reterr);

#endif
