/* ingest_bench.c - OTLP and remote write requests through decoder and stores inside one process: items per CPU second,
 * bytes per item.
 *
 * usage: ingest_bench [traces|logs|metrics|remote-write|all] [items] [submitters] [directory]
 * Requests are encoded beforehand, round by round; several threads then decode and append them as the server's ingest
 * workers do, with the stores' real log, synced before each acknowledgement. CPU time is that of the whole process
 * (user and system, all threads) less what the encoding of the requests took. Prints one JSON object per signal. */
#include "codec/compress.h"
#include "collect/otlp_decode.h"
#include "ingest_requests.h"
#include "logs/log_store.h"
#include "metrics/api/remote_write.h"
#include "metrics/metrics_store.h"
#include "sys/clock.h"
#include "sys/thread.h"
#include "traces/trace_store.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define ROUND 100 /* requests; for metrics one per instance */
#define SUBMITTERS_MAX 64

typedef enum Signal { TRACES, LOGS, METRICS, REMOTE_WRITE, SIGNALS } Signal;

typedef struct Job {
    Signal signal;
    TraceStore *traces;
    LogStore *logs;
    MetricsStore *metrics;
    OtlpDeltas *deltas;
    Buf requests[ROUND];
    atomic_size_t next;
    _Atomic uint64_t items, retries;
    bool decode_only;
} Job;

static void die(const char *what, const Err *err) {
    (void)fprintf(stderr, "ingest_bench: %s: %s\n", what, err->msg);
    exit(1);
}

static double clock_s(clockid_t id) {
    struct timespec ts;
    (void)clock_gettime(id, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double process_cpu_s(void) {
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* --- one request --- */

static ErrCode submit_traces(Job *j, Str proto, Arena *arena, OtlpRejects *rejects, Err *err) {
    SpansBatch b = {.arena = arena};
    TraceAppendResult r;
    ErrCode e = otlp_decode_traces(proto, &b, rejects, err);
    return e || j->decode_only ? e : j->traces->ops->append(j->traces, &b, &r, err);
}

static ErrCode submit_logs(Job *j, Str proto, Arena *arena, OtlpRejects *rejects, Err *err) {
    LogsBatch b = {.arena = arena};
    LogAppendResult r;
    ErrCode e = otlp_decode_logs(proto, clock_now_ns(), &b, rejects, err);
    return e || j->decode_only ? e : j->logs->ops->append(j->logs, &b, &r, err);
}

static ErrCode submit_metrics(Job *j, Str proto, Arena *arena, OtlpRejects *rejects, Err *err) {
    MetricsBatch b = {.arena = arena};
    MetricsAppendResult r;
    ErrCode e = otlp_decode_metrics(proto, clock_now_ms(), NULL, j->deltas, &b, rejects, err);
    rejects->accepted = b.value.n; /* samples, of which a histogram point has many */
    return e || j->decode_only ? e : j->metrics->ops->append(j->metrics, &b, &r, err);
}

/* As it comes over the wire: snappy and all. */
static ErrCode submit_remote_write(Job *j, Str body, Arena *arena, OtlpRejects *rejects, Err *err) {
    MetricsBatch b = {.arena = arena};
    MetricsAppendResult r;
    Str proto;
    ErrCode e = decompress(ENCODING_SNAPPY, body, 64u << 20, arena, &proto, err);
    if (e == OK) e = remote_write_decode(proto, REMOTE_WRITE_1, &b, &rejects->count, err);
    rejects->accepted = b.value.n;
    return e || j->decode_only ? e : j->metrics->ops->append(j->metrics, &b, &r, err);
}

static void submit_one(Job *j, Str proto) {
    static ErrCode (*const submits[])(Job *, Str, Arena *, OtlpRejects *, Err *) = {
        submit_traces, submit_logs, submit_metrics, submit_remote_write};
    for (;;) {
        Arena *arena = arena_create(ARENA_UNLIMITED); /* per request, as the server does */
        OtlpRejects rejects = {0};
        Err err = {0};
        ErrCode e = submits[j->signal](j, proto, arena, &rejects, &err);
        arena_free(arena);
        if (e == OK) {
            if (rejects.count) die("refused", &(Err){.msg = "a record"});
            atomic_fetch_add(&j->items, rejects.accepted);
            return;
        }
        if (e != ERR_OVERLOADED) die("append", &err);
        atomic_fetch_add(&j->retries, 1);
        clock_sleep_ms(5);
    }
}

static void submitter(void *ctx) {
    Job *j = ctx;
    size_t i;
    while ((i = atomic_fetch_add(&j->next, 1)) < ROUND) submit_one(j, buf_str(&j->requests[i]));
}

/* --- rounds --- */

static void encode_round(Job *j, Rng *rng, uint64_t round, int64_t t0_ns, uint64_t *bytes) {
    for (uint32_t i = 0; i < ROUND; i++) {
        Buf *b = &j->requests[i];
        uint64_t request = round * ROUND + i;
        buf_clear(b);
        switch (j->signal) {
        case TRACES: bench_put_traces(b, rng, t0_ns + (int64_t)request * 100000000); break;
        case LOGS: bench_put_logs(b, rng, t0_ns + (int64_t)request * 10000000); break;
        case REMOTE_WRITE:
            bench_put_remote_write(b, rng, i, round + 1, t0_ns / 1000000 + (int64_t)round * BENCH_STEP_MS);
            break;
        default: bench_put_metrics(b, rng, i, round + 1, t0_ns + (int64_t)round * BENCH_STEP_MS * 1000000);
        }
        *bytes += b->n;
    }
}

static void run_round(Job *j, unsigned submitters) {
    Thread *threads[SUBMITTERS_MAX];
    atomic_store(&j->next, 0);
    for (unsigned i = 0; i < submitters; i++) threads[i] = thread_start("submit", submitter, j);
    for (unsigned i = 0; i < submitters; i++) thread_join(threads[i]);
}

/* --- stores --- */

static void open_store(Job *j, const char *dir) {
    Err err = {0};
    ErrCode e;
    switch (j->signal) {
    case TRACES: e = trace_store_open(fs_real(), dir, &(TraceStoreOptions){.durable = true}, &j->traces, &err); break;
    case LOGS: e = log_store_open(fs_real(), dir, &(LogStoreOptions){.durable = true}, &j->logs, &err); break;
    default: e = metrics_store_open(fs_real(), dir, &(MetricsStoreOptions){.durable = true}, &j->metrics, &err);
    }
    if (e) die("open", &err);
}

static void flush_store(Job *j) {
    Err err = {0};
    ErrCode e = j->signal == TRACES ? j->traces->ops->flush(j->traces, &err)
                : j->signal == LOGS ? j->logs->ops->flush(j->logs, &err)
                                    : j->metrics->ops->flush(j->metrics, &err);
    if (e) die("flush", &err);
}

static void close_store(Job *j) {
    if (j->traces) j->traces->ops->close(j->traces);
    if (j->logs) j->logs->ops->close(j->logs);
    if (j->metrics) j->metrics->ops->close(j->metrics);
}

static uint64_t tree_bytes;

static int add_file(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)path, (void)ftw;
    if (type == FTW_F) tree_bytes += (uint64_t)st->st_size;
    return 0;
}

/* --- one signal --- */

typedef struct Result {
    double encode_cpu_s, decode_cpu_s, ingest_cpu_s, flush_cpu_s, wall_s;
    uint64_t items, wire_bytes, disk_bytes, decoded;
} Result;

static void measure(Job *j, uint64_t items, unsigned submitters, Result *r) {
    Rng rng;
    rng_seed(&rng, 42);
    uint64_t per_request = j->signal == TRACES ? BENCH_SPANS : j->signal == LOGS ? BENCH_LOGS : BENCH_SAMPLES;
    uint64_t rounds = (items + per_request * ROUND - 1) / (per_request * ROUND);
    int64_t t0_ns = clock_now_ns() - (int64_t)rounds * BENCH_STEP_MS * 1000000;
    double begin = process_cpu_s();
    for (uint64_t round = 0; round < rounds; round++) {
        double cpu = clock_s(CLOCK_THREAD_CPUTIME_ID);
        encode_round(j, &rng, round, t0_ns, &r->wire_bytes);
        r->encode_cpu_s += clock_s(CLOCK_THREAD_CPUTIME_ID) - cpu;
        int64_t wall = clock_mono_ns();
        run_round(j, submitters);
        r->wall_s += (double)(clock_mono_ns() - wall) / 1e9;
    }
    r->ingest_cpu_s = process_cpu_s() - begin - r->encode_cpu_s;
    r->items = atomic_load(&j->items);
    begin = process_cpu_s();
    flush_store(j);
    r->flush_cpu_s = process_cpu_s() - begin;
}

/* The last round once more, without the store: what the decoder costs. */
static void measure_decoder(Job *j, Result *r) {
    j->decode_only = true;
    atomic_store(&j->items, 0);
    double cpu = clock_s(CLOCK_THREAD_CPUTIME_ID);
    for (int again = 0; again < 10; again++) {
        atomic_store(&j->next, 0);
        submitter(j);
    }
    r->decode_cpu_s = clock_s(CLOCK_THREAD_CPUTIME_ID) - cpu;
    r->decoded = atomic_load(&j->items);
}

static void print_result(const Job *j, unsigned submitters, const Result *r) {
    static const char *const names[] = {"traces", "logs", "metrics", "remote-write"};
    static const char *const items[] = {"spans", "records", "samples", "samples"};
    double n = (double)r->items;
    printf("{\"bench\": \"ingest\", \"signal\": \"%s\", \"item\": \"%s\", \"items\": %llu, \"submitters\": %u, "
           "\"items_per_cpu_s\": %.0f, \"items_per_wall_s\": %.0f, \"decode_ns_per_item\": %.0f, "
           "\"ingest_ns_per_item\": %.0f, \"flush_ns_per_item\": %.0f, \"wire_bytes_per_item\": %.1f, "
           "\"disk_bytes_per_item\": %.2f, \"retries\": %llu}\n",
        names[j->signal], items[j->signal], (unsigned long long)r->items, submitters,
        n / (r->ingest_cpu_s + r->flush_cpu_s), n / r->wall_s, r->decode_cpu_s * 1e9 / (double)r->decoded,
        r->ingest_cpu_s * 1e9 / n, r->flush_cpu_s * 1e9 / n, (double)r->wire_bytes / n, (double)r->disk_bytes / n,
        (unsigned long long)atomic_load(&j->retries));
    (void)fflush(stdout);
}

static void run_signal(Signal signal, uint64_t items, unsigned submitters, const char *parent) {
    Job *j = NEW(Job);
    Result r = {0};
    Err err = {0};
    char dir[512];
    (void)snprintf(dir, sizeof dir, "%s/ingest-bench-XXXXXX", parent);
    if (!mkdtemp(dir)) die("directory", &(Err){.msg = "cannot be made"});
    j->signal = signal;
    j->deltas = otlp_deltas_create(0);
    open_store(j, dir);
    measure(j, items, submitters, &r);
    tree_bytes = 0;
    (void)nftw(dir, add_file, 16, FTW_PHYS);
    r.disk_bytes = tree_bytes;
    measure_decoder(j, &r);
    print_result(j, submitters, &r);
    close_store(j);
    if (fs_remove_tree(fs_real(), dir, &err)) die("clean up", &err);
    for (size_t i = 0; i < ROUND; i++) buf_done(&j->requests[i]);
    otlp_deltas_free(j->deltas);
    mem_free(j);
}

int main(int argc, char **argv) {
    static const char *const names[] = {"traces", "logs", "metrics", "remote-write"};
    static const uint64_t defaults[] = {300000, 500000, 3000000, 5000000};
    Str which = argc > 1 ? str_cstr(argv[1]) : STR("all");
    uint64_t items = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    unsigned submitters = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 8;
    const char *tmp = getenv("TMPDIR"), *parent = argc > 4 ? argv[4] : tmp ? tmp : "/tmp";
    bool known = str_eq_lit(which, "all");
    if (submitters == 0 || submitters > SUBMITTERS_MAX) submitters = 8;
    for (int i = 0; i < SIGNALS; i++) {
        bool one = str_eq(which, str_cstr(names[i]));
        known |= one;
        if (one || str_eq_lit(which, "all")) run_signal((Signal)i, items ? items : defaults[i], submitters, parent);
    }
    if (!known)
        (void)fprintf(
            stderr, "usage: ingest_bench [traces|logs|metrics|remote-write|all] [items] [submitters] [directory]\n");
    return known ? 0 : 2;
}
