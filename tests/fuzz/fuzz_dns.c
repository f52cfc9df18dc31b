/* DNS messages: the first byte chooses the type. */
#include "net/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    Arena *arena = arena_create((size_t)4 << 20);
    DnsRecord *v;
    size_t n;
    if (dns_parse(data + 1, size - 1, (DnsType)(data[0] % 5), arena, &v, &n, NULL) == OK)
        for (size_t i = 0; i < n; i++) ASSERT(v[i].host.p && v[i].host.n > 0);
    arena_free(arena);
    return 0;
}
