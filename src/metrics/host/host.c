/* host.c - the rounds: gather, label, hand over; stale markers at the end. */
#include "metrics/host/host.h"

#include "base/log.h"
#include "base/map.h"
#include "metrics/host/host_int.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define ROUND_BUDGET_BYTES (32u << 20)

void host_gather(Fs *fs, const HostPaths *paths, MetricsBatch *b, int64_t t_ms) {
    static const struct {
        const char *name;
        bool (*fn)(HostRound *r);
    } collectors[] = {{"cpu", host_cpu}, {"loadavg", host_load}, {"pressure", host_pressure}, {"vmstat", host_vmstat},
        {"uname", host_system}, {"meminfo", host_memory}, {"diskstats", host_disks}, {"netdev", host_network},
        {"filesystem", host_filesystems}, {"netstat", host_netstat}, {"sockstat", host_sockets},
        {"udp_queues", host_udp_queues}, {"softnet", host_softnet}, {"conntrack", host_conntrack}, {"arp", host_arp},
        {"timex", host_timex}, {"time", host_clock_sources}, {"entropy", host_entropy}};
    HostRound r = {.fs = fs, .paths = paths, .b = b, .t_ms = t_ms};
    for (size_t i = 0; i < ARRAY_LEN(collectors); i++) {
        int64_t begin = clock_mono_ns();
        bool ok = collectors[i].fn(&r);
        host_add(&r, METRIC_GAUGE, "node_scrape_collector_success", ok, "collector", collectors[i].name, NULL);
        host_add(&r, METRIC_GAUGE, "node_scrape_collector_duration_seconds", (double)(clock_mono_ns() - begin) / 1e9,
            "collector", collectors[i].name, NULL);
    }
}

struct HostCollector {
    HostOptions opts;
    char *proc, *sys, *root, *instance;
    Thread *thread;
    Mutex lock;
    Cond changed;
    bool stopping;
    Arena *last; /* holds the series of the round before */
    Labels *known;
    size_t n_known;
    bool failing;
};

/* job and instance in front of what a round gathered; up says that the round took place. */
static bool add_target_labels(MetricsBatch *b, size_t from, const char *job, const char *instance) {
    for (size_t i = from; i < b->series.n; i++) {
        BatchSeries *s = &b->series.v[i];
        Label *v = ARENA_ARRAY(b->arena, Label, s->labels.n + 2);
        if (!v) return false;
        memcpy(v, s->labels.v, s->labels.n * sizeof *v);
        size_t n = s->labels.n;
        v[n++] = (Label){STR("instance"), str_cstr(instance)};
        v[n++] = (Label){STR("job"), str_cstr(job)};
        if (labels_normalize(v, &n, NULL) != OK) return false;
        s->labels = (Labels){v, n};
    }
    return true;
}

static void gather_job(HostCollector *h, MetricsBatch *b, int64_t t_ms, const char *job,
    void (*gather)(Fs *fs, const HostPaths *paths, MetricsBatch *b, int64_t t_ms)) {
    size_t from = b->series.n;
    gather(fs_real(), &h->opts.paths, b, t_ms);
    metrics_batch_emit(b, t_ms, METRIC_GAUGE, "up", 1, NULL);
    (void)add_target_labels(b, from, job, h->opts.instance);
}

static bool is_in(const MetricsBatch *b, Labels l, uint64_t hash, const U64Map *hashes) {
    uint64_t *at = u64map_get(hashes, hash);
    return at && labels_eq(b->series.v[*at].labels, l);
}

/* Series that were there last time and are not any more (a device was unplugged) get stale markers. */
static void mark_vanished(HostCollector *h, MetricsBatch *b, int64_t t_ms) {
    U64Map *hashes = u64map_create();
    size_t n = b->series.n;
    for (size_t i = 0; i < n; i++) *u64map_put(hashes, labels_hash(b->series.v[i].labels), NULL) = i;
    for (size_t i = 0; i < h->n_known; i++)
        if (!is_in(b, h->known[i], labels_hash(h->known[i]), hashes))
            (void)metrics_batch_add(b, h->known[i], t_ms, stale_nan());
    u64map_free(hashes);
    Arena *arena = arena_create(ROUND_BUDGET_BYTES);
    Labels *known = ARENA_ARRAY(arena, Labels, n + 1);
    size_t kept = 0;
    for (size_t i = 0; known && i < n; i++) {
        known[kept] = labels_copy(arena, b->series.v[i].labels);
        if (known[kept].v) kept++;
    }
    arena_free(h->last);
    h->last = arena;
    h->known = known;
    h->n_known = kept;
}

static void round_once(HostCollector *h, bool last) {
    int64_t t_ms = clock_now_ms();
    Err err = {0};
    MetricsBatch b = {.arena = arena_create(ROUND_BUDGET_BYTES)};
    if (!last && h->opts.host) gather_job(h, &b, t_ms, "node", host_gather);
    if (!last && h->opts.cgroups) gather_job(h, &b, t_ms, "cadvisor", host_gather_cgroups);
    Arena *before = h->last; /* mark_vanished borrows from it until the sink has had the batch */
    h->last = NULL;
    mark_vanished(h, &b, t_ms);
    ErrCode r = h->opts.sink(h->opts.ctx, &b, &err);
    if (r != OK && !h->failing) log_warn("host metrics could not be kept", "error", err.msg, NULL);
    h->failing = r != OK;
    arena_free(b.arena);
    arena_free(before);
}

static void run(void *ctx) {
    HostCollector *h = ctx;
    for (;;) {
        round_once(h, false);
        int64_t now = clock_now_ms(), wait = h->opts.interval_ms - now % h->opts.interval_ms;
        mutex_lock(&h->lock);
        bool stop = h->stopping;
        for (int64_t until = clock_mono_ns() + wait * 1000000; !stop;) {
            int64_t left_ms = (until - clock_mono_ns()) / 1000000;
            if (left_ms <= 0) break;
            (void)cond_wait_ms(&h->changed, &h->lock, left_ms);
            stop = h->stopping;
        }
        mutex_unlock(&h->lock);
        if (stop) break;
    }
    round_once(h, true);
}

HostCollector *host_collector_start(const HostOptions *opts) {
    ASSERT(opts->interval_ms > 0 && opts->sink);
    HostCollector *h = mem_alloc_zero(sizeof *h);
    h->opts = *opts;
    h->opts.paths.proc = h->proc = str_dup_cstr(str_cstr(opts->paths.proc));
    h->opts.paths.sys = h->sys = str_dup_cstr(str_cstr(opts->paths.sys));
    h->opts.paths.root = h->root = str_dup_cstr(str_cstr(opts->paths.root));
    h->opts.instance = h->instance = str_dup_cstr(str_cstr(opts->instance));
    mutex_init(&h->lock);
    cond_init(&h->changed);
    h->thread = thread_start("host", run, h);
    return h->thread ? h : host_collector_stop(h);
}

HostCollector *host_collector_stop(HostCollector *h) {
    if (!h) return NULL;
    mutex_lock(&h->lock);
    h->stopping = true;
    cond_broadcast(&h->changed);
    mutex_unlock(&h->lock);
    thread_join(h->thread);
    cond_done(&h->changed);
    mutex_done(&h->lock);
    arena_free(h->last);
    mem_free(h->proc);
    mem_free(h->sys);
    mem_free(h->root);
    mem_free(h->instance);
    mem_free(h);
    return NULL;
}
