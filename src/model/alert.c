/* alert.c - identity of alerts. */
#include "model/alert.h"

#define FNV_OFFSET UINT64_C(14695981039346656037)
#define FNV_PRIME UINT64_C(1099511628211)

static uint64_t fnv_add(uint64_t h, Str s) {
    for (size_t i = 0; i < s.n; i++) h = (h ^ (uint8_t)s.p[i]) * FNV_PRIME;
    return (h ^ 0xFF) * FNV_PRIME;
}

uint64_t alert_fingerprint(Labels labels) {
    uint64_t h = FNV_OFFSET;
    for (size_t i = 0; i < labels.n; i++) h = fnv_add(fnv_add(h, labels.v[i].name), labels.v[i].value);
    return h;
}
