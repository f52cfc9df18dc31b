/* Appending log records to the embedded store: records per CPU second, bytes per record on disk, and how long typical
 * questions take. One JSON object on stdout. Usage: logs_append_bench [records] [directory] */
#include "logs/logql.h"
#include "sys/clock.h"
#include "sys/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define STREAMS 20
#define BATCH 2000

static double cpu_seconds(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static Str make_line(Arena *arena, Rng *r, uint64_t i) {
    static const char *const models[] = {"gpt-large", "gpt-small", "haiku", "opus", "mixtral"};
    return arena_printf(arena,
        "{\"ts\":%llu,\"level\":\"%s\",\"msg\":\"completion "
        "finished\",\"model\":\"%s\",\"user\":\"user-%05u\",\"duration_ms\":%u,"
        "\"prompt_tokens\":%u,\"completion_tokens\":%u,\"trace_id\":\"%016llx%016llx\"}",
        (unsigned long long)i, rng_u64(r) % 50 ? "info" : "error", models[rng_u64(r) % 5],
        (unsigned)(rng_u64(r) % 50000), (unsigned)(rng_u64(r) % 9000), (unsigned)(rng_u64(r) % 4000),
        (unsigned)(rng_u64(r) % 1000), (unsigned long long)rng_u64(r), (unsigned long long)rng_u64(r));
}

static void make_batch(LogsBatch *b, Rng *r, uint64_t first, int64_t t0, uint64_t *bytes) {
    for (unsigned i = 0; i < STREAMS; i++) {
        Label *l = ARENA_ARRAY(b->arena, Label, 2);
        l[0] = (Label){STR("app"), STR("gateway")};
        l[1] = (Label){STR("pod"), arena_printf(b->arena, "gateway-%02u", i)};
        if (!avec_push(b->arena, &b->streams, ((Labels){l, 2}))) abort();
    }
    for (uint64_t i = first; i < first + BATCH; i++) {
        LogRow row = {
            .stream = (uint32_t)(i % STREAMS), .t_ns = t0 + (int64_t)i * 100000, .line = make_line(b->arena, r, i)};
        *bytes += row.line.n;
        if (!avec_push(b->arena, &b->rows, row)) abort();
    }
}

static void query(LogStore *s, const char *name, const char *text, int64_t start, int64_t end, uint32_t limit) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    const LqExpr *e;
    Err err = {0};
    LogqlStats stats = {0};
    int64_t began = clock_mono_ns();
    if (logql_parse(str_cstr(text), arena, &e, &err) != OK) abort();
    LogqlRequest req = {.store = s, .arena = arena, .start_ns = start, .end_ns = end, .limit = limit, .backward = true};
    ErrCode rc;
    LogqlStreams streams;
    LogqlMatrix matrix;
    if (logql_is_log_query(e)) {
        rc = logql_run_log(&req, e, &streams, &stats, &err);
    } else {
        req.start_ns = end;
        rc = logql_run_metric(&req, e, &matrix, &stats, &err);
    }
    printf(",\"%s_ms\":%.2f,\"%s_rows\":%llu", name, rc ? -1.0 : (double)(clock_mono_ns() - began) / 1e6, name,
        (unsigned long long)stats.scan.rows);
    arena_free(arena);
}

int main(int argc, char **argv) {
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 200000;
    const char *dir = argc > 2 ? argv[2] : "logs-bench.tmp";
    LogStoreOptions opts = {.durable = true};
    LogStore *s;
    Err err = {0};
    if (log_store_open(fs_real(), dir, &opts, &s, &err) != OK) {
        (void)fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    Rng rng;
    rng_seed(&rng, 1);
    int64_t t0 = clock_now_ns() - (int64_t)n * 100000;
    double append_cpu = 0, wall = 0, make_cpu = 0;
    uint64_t bytes = 0;
    double begin = cpu_seconds();
    for (uint64_t i = 0; i < n; i += BATCH) {
        LogsBatch b = {.arena = arena_create(ARENA_UNLIMITED)};
        double before = cpu_seconds();
        make_batch(&b, &rng, i, t0, &bytes);
        make_cpu += cpu_seconds() - before;
        int64_t began = clock_mono_ns();
        LogAppendResult res;
        if (s->ops->append(s, &b, &res, &err) != OK) {
            (void)fprintf(stderr, "%s\n", err.msg);
            return 1;
        }
        wall += (double)(clock_mono_ns() - began) / 1e9;
        arena_free(b.arena);
    }
    append_cpu = cpu_seconds() - begin - make_cpu;
    if (s->ops->flush(s, &err) != OK) return 1;
    double all_cpu = cpu_seconds() - begin - make_cpu;
    LogStoreStats st;
    s->ops->stats(s, &st);
    printf("{\"records\":%llu,\"raw_bytes\":%llu,\"append_wall_s\":%.3f,\"records_per_cpu_s_append\":%.0f,"
           "\"records_per_cpu_s_with_flush\":%.0f,\"disk_bytes_per_record\":%.1f,\"ratio\":%.2f",
        (unsigned long long)n, (unsigned long long)bytes, wall, (double)n / append_cpu, (double)n / all_cpu,
        (double)(st.bytes_on_disk - st.wal_bytes) / (double)st.rows_total,
        (double)bytes / (double)(st.bytes_on_disk - st.wal_bytes));
    int64_t end = t0 + (int64_t)n * 100000;
    query(s, "newest_1000", "{app=\"gateway\"}", t0, end, 1000);
    query(s, "newest_1000_of_pod", "{pod=\"gateway-07\"}", t0, end, 1000);
    query(s, "count_all", "sum(count_over_time({app=\"gateway\"}[1h]))", t0, end, 0);
    query(s, "count_contains", "sum(count_over_time({app=\"gateway\"} |= \"out of memory\" [1h]))", t0, end, 0);
    query(s, "count_regex", "sum(count_over_time({app=\"gateway\"} |~ \"user-0[0-9]+7\" [1h]))", t0, end, 0);
    query(s, "json_filter", "sum(count_over_time({app=\"gateway\"} | json | duration_ms > 5000 [1h]))", t0, end, 0);
    printf("}\n");
    s->ops->close(s);
    return 0;
}
