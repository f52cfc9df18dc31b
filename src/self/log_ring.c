#include "self/log_ring.h"

#include "base/buf.h"
#include "base/timefmt.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define RING_RECORDS 64
#define RING_TEXT_MAX 240

static char ring[RING_RECORDS][RING_TEXT_MAX];
static _Atomic uint64_t ring_next;
static _Atomic uint64_t counts[4];

static void keep(void *ctx, LogLevel level, int64_t now_ns, Str msg, const LogField *fields, size_t n) {
    (void)ctx;
    static const char *const names[] = {"debug", "info", "warn", "error"};
    atomic_fetch_add(&counts[level], 1);
    Buf b = {0};
    time_put_rfc3339_ms(&b, now_ns);
    buf_printf(&b, " %s %" STR_FMT, names[level], STR_ARG(msg));
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, " %" STR_FMT "=%" STR_FMT, STR_ARG(fields[i].key), STR_ARG(fields[i].value));
    char *slot = ring[atomic_fetch_add(&ring_next, 1) % RING_RECORDS];
    snprintf(slot, RING_TEXT_MAX, "%s", buf_cstr(&b));
    buf_done(&b);
}

void log_ring_install(void) { log_add_sink(keep, NULL); }

void log_ring_write(int fd) {
    uint64_t next = atomic_load(&ring_next);
    for (uint64_t i = next > RING_RECORDS ? next - RING_RECORDS : 0; i < next; i++) {
        const char *text = ring[i % RING_RECORDS];
        if (write(fd, text, strnlen(text, RING_TEXT_MAX)) < 0 || write(fd, "\n", 1) < 0) return;
    }
}

uint64_t log_ring_count(LogLevel level) { return atomic_load(&counts[level]); }
