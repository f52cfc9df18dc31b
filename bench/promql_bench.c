/* promql_bench.c - queries asked of a store in this process: CPU and wall time of each without HTTP, one JSON line per
 * query. The data directory must not be in use.
 * usage: promql_bench DIR QUERIES [ROUNDS [THREADS [NAME]]] (QUERIES as bench/metrics.queries; THREADS 1: no helpers)
 */
#include "base/num.h"
#include "base/vec.h"
#include "metrics/promql/promql.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define QUERIES_BYTES_MAX ((size_t)1 << 20)
#define ARENA_BYTES ((size_t)1 << 30)

typedef struct Bench {
    MetricsStore *store;
    PromqlOptions opts;
    size_t rounds;
    int64_t end_ms;
} Bench;

static int64_t cpu_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static PromqlResult ask(const Bench *b, const PromqlQuery *q, Str text, Arena *arena) {
    PromqlResult r;
    Err err = {0};
    if (promql_exec(b->store, &b->opts, q, text, arena, &r, &err) != OK) {
        fprintf(stderr, "promql_bench: %.*s: %s\n", (int)text.n, text.p, err.msg);
        exit(1);
    }
    return r;
}

static void bench_query(const Bench *b, Str name, int64_t range_ms, int64_t step_ms, Str text) {
    PromqlQuery q = {.start_ms = b->end_ms - range_ms, .end_ms = b->end_ms, .step_ms = step_ms};
    int64_t *wall = mem_alloc_array(b->rounds, sizeof *wall), *cpu = mem_alloc_array(b->rounds, sizeof *cpu);
    PromqlStats stats = {0};
    size_t n = 0;
    for (size_t i = 0; i <= b->rounds; i++) {
        Arena *arena = arena_create(ARENA_BYTES);
        int64_t begin = clock_mono_ns(), begin_cpu = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
        PromqlResult r = ask(b, &q, text, arena);
        size_t at = i ? i - 1 : 0; /* the first one warms up */
        wall[at] = clock_mono_ns() - begin;
        cpu[at] = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - begin_cpu;
        stats = r.stats;
        n = r.n;
        arena_free(arena);
    }
    qsort(wall, b->rounds, sizeof *wall, by_value);
    qsort(cpu, b->rounds, sizeof *cpu, by_value);
    printf("{\"bench\":\"promql\",\"query\":\"%.*s\",\"series\":%zu,\"samples\":%llu,\"wall_us\":%.1f,\"wall_min_us\":%"
           ".1f,"
           "\"cpu_us\":%.1f,\"cpu_min_us\":%.1f,\"prepare_us\":%.1f}\n",
        (int)name.n, name.p, n, (unsigned long long)stats.samples_read, (double)wall[b->rounds / 2] / 1e3,
        (double)wall[0] / 1e3, (double)cpu[b->rounds / 2] / 1e3, (double)cpu[0] / 1e3, (double)stats.prepare_ns / 1e3);
    mem_free(wall);
    mem_free(cpu);
}

static bool bench_line(const Bench *b, Str line, const char *only) {
    Str name, range, step;
    uint64_t range_s, step_s;
    if (line.n == 0 || line.p[0] == '#') return true;
    if (!str_split_next(&line, '\t', &name) || !str_split_next(&line, '\t', &range) ||
        !str_split_next(&line, '\t', &step) || !num_parse_u64(range, &range_s) || !num_parse_u64(step, &step_s))
        return false;
    if (only && !str_eq(name, str_cstr(only))) return true;
    bench_query(b, name, (int64_t)range_s * 1000, range_s ? (int64_t)step_s * 1000 : 0, line);
    return true;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: promql_bench DIR QUERIES [ROUNDS [THREADS [NAME]]]\n");
        return 2;
    }
    Bench b = {.rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 50};
    unsigned threads = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : thread_cpu_count();
    Pool *pool = threads > 1 ? pool_create("promql", threads - 1, 64) : NULL;
    b.opts.pool = pool;
    Err err = {0};
    Buf queries = {0};
    Fs *fs = fs_real();
    MetricsStoreOptions opts = {.no_maintenance = true, .retention_ms = INT64_C(1) << 45};
    if (b.rounds == 0 || fs_read_file(fs, argv[2], QUERIES_BYTES_MAX, &queries, &err) != OK ||
        metrics_store_open(fs, argv[1], &opts, &b.store, &err) != OK) {
        fprintf(stderr, "promql_bench: %s\n", err.msg);
        return 1;
    }
    MetricsStoreStats stats;
    b.store->ops->stats(b.store, &stats);
    b.end_ms = stats.max_t_ms / 1000 * 1000;
    Str all = buf_str(&queries), line;
    bool ok = true;
    while (ok && str_split_next(&all, '\n', &line)) ok = bench_line(&b, line, argc > 5 ? argv[5] : NULL);
    if (!ok) fprintf(stderr, "promql_bench: %s has a malformed line\n", argv[2]);
    b.store->ops->close(b.store);
    pool_free(pool);
    buf_done(&queries);
    return ok ? 0 : 1;
}
