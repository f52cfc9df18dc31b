#include "self/own_logs.h"

#include "base/log.h"
#include "sys/thread.h"

#include <stdatomic.h>

#define OWN_LOGS_BUDGET (1u << 20)

struct OwnLogs {
    Mutex mutex;
    LogsBatch pending; /* its arena is replaced at every take */
    _Atomic uint64_t dropped;
};

/* Sinks cannot be removed, so the one sink asks here whether somebody still listens. */
static OwnLogs *_Atomic listener;

static bool add_record(LogsBatch *b, LogLevel level, int64_t now_ns, Str msg, const LogField *fields, size_t n) {
    static const Str levels[] = {STR_INIT("debug"), STR_INIT("info"), STR_INIT("warn"), STR_INIT("error")};
    LogRow row = {
        .t_ns = now_ns, .line = arena_copy(b->arena, msg), .metadata = {(uint32_t)b->attrs.n, (uint32_t)n + 1}};
    bool ok = avec_push(b->arena, &b->attrs, (Attr){STR("detected_level"), {.type = ATTR_STR, .s = levels[level]}});
    for (size_t i = 0; ok && i < n; i++) {
        Attr a = {arena_copy(b->arena, fields[i].key), {.type = ATTR_STR, .s = arena_copy(b->arena, fields[i].value)}};
        ok = avec_push(b->arena, &b->attrs, a);
    }
    return ok && !arena_exhausted(b->arena) && avec_push(b->arena, &b->rows, row);
}

static void keep(void *ctx, LogLevel level, int64_t now_ns, Str msg, const LogField *fields, size_t n) {
    (void)ctx;
    OwnLogs *l = atomic_load(&listener);
    if (!l) return;
    mutex_lock(&l->mutex);
    if (l->pending.rows.n >= OWN_LOGS_MAX || !add_record(&l->pending, level, now_ns, msg, fields, n))
        atomic_fetch_add(&l->dropped, 1);
    mutex_unlock(&l->mutex);
}

static void begin(LogsBatch *b) {
    static const Label service[] = {{STR_INIT("service_name"), STR_INIT("meerkat")}};
    *b = (LogsBatch){.arena = arena_create(OWN_LOGS_BUDGET)};
    bool ok = avec_push(b->arena, &b->streams, (Labels){service, 1});
    ASSERT(ok);
}

OwnLogs *own_logs_start(void) {
    ASSERT(!atomic_load(&listener));
    OwnLogs *l = NEW(OwnLogs);
    mutex_init(&l->mutex);
    begin(&l->pending);
    atomic_store(&listener, l);
    log_add_sink(keep, NULL);
    return l;
}

void own_logs_take(OwnLogs *l, LogsBatch *batch) {
    mutex_lock(&l->mutex);
    *batch = l->pending;
    begin(&l->pending);
    mutex_unlock(&l->mutex);
}

uint64_t own_logs_dropped(const OwnLogs *l) { return atomic_load(&l->dropped); }

/* Threads that may log have been joined by now, except for the caller's own. */
OwnLogs *own_logs_stop(OwnLogs *l) {
    if (!l) return NULL;
    atomic_store(&listener, NULL);
    arena_free(l->pending.arena);
    mutex_done(&l->mutex);
    mem_free(l);
    return NULL;
}
