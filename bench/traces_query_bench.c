/* traces_query_bench.c - TraceQL over a store of spans: milliseconds a query, and what it looked at.
 *
 * usage: traces_query_bench DIRECTORY [threads, default all processors] [query ...]
 * The directory is one that traces_append_bench has filled. Each query runs once to warm the page cache and then five
 * times; the median counts. Queries that look at spans one by one are measured as metrics queries use them, with a
 * count by service; all of them as searches for 20 traces, newest first. Metrics queries have 60 points over all that
 * there is. Prints one JSON object a line. */
#include "base/json.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "traces/traceql_eval.h"
#include "traces/traceql_metrics.h"

#include <stdio.h>
#include <stdlib.h>

#define RUNS 5

static const char *const queries[] = {
    "{ .attribute.key.7 = \"value-123\" }",
    "{ span.attribute.key.7 = \"value-123\" && .attribute.key.14 = \"value-5\" }",
    "{ .attribute.key.7 = \"nowhere\" }",
    "{ resource.service.name = \"service-3\" && name = \"GET /resource/7\" && status = error }",
    "{ span.attribute.key.7 =~ \"value-12.*\" }",
    "{ duration > 99900us }",
    "{ status = error && kind = server }",
    "{ .attribute.key.7 > 590 }",
    "{ name = \"GET /resource/7\" } >> { status = error }",
    "{ resource.service.name = \"service-3\" } > { resource.service.name = \"service-4\" && status = error }",
    "{ status = error } ~ { status = error }",
    "{ status = error } | count() > 3",
    "{ } | by(resource.service.name) | count() > 6",
    "{ } | avg(duration) > 85ms",
    "{ }",
    "{ } | rate()",
    "{ } | rate() by (resource.service.name)",
    "{ status = error } | rate() by (name)",
    "{ } | quantile_over_time(duration, .5, .99) by (name)",
    "{ } | count_over_time() by (span.attribute.key.7)",
    "{ name = \"GET /resource/7\" } >> { status = error } | rate()",
    "{ } | compare({ status = error })",
};

static void die(const char *what, const Err *err) {
    fprintf(stderr, "%s: %s\n", what, err->msg);
    exit(1);
}

static double now_ms(void) { return (double)clock_mono_ns() / 1e6; }

static int cmp_f64(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* --- as metrics --- */

#define SERVICES_MAX 64
typedef struct Counts { /* of one worker */
    Str names[SERVICES_MAX];
    char bytes[SERVICES_MAX][64];
    uint64_t n[SERVICES_MAX], total;
    size_t used;
} Counts;
typedef struct Counting {
    const TqlProgram *program;
    Counts workers[8];
} Counting;

static void count(Counts *c, Str service) {
    size_t i = 0;
    while (i < c->used && !str_eq(c->names[i], service)) i++;
    if (i == SERVICES_MAX) return;
    if (i == c->used) {
        memcpy(c->bytes[i], service.p, MIN(service.n, sizeof c->bytes[i]));
        c->names[c->used++] = str_of(c->bytes[i], MIN(service.n, sizeof c->bytes[i]));
    }
    c->n[i]++;
    c->total++;
}

static ErrCode on_found(void *ctx, unsigned worker, const TqlView *v, const TqlSpansets *sets, Arena *arena, Err *err) {
    Counting *x = ctx;
    (void)err;
    for (size_t i = 0; i < sets->n; i++) {
        for (uint32_t k = 0; k < sets->v[i].n; k++) {
            TqlValue service = traceql_value(x->program, 0, v, sets->v[i].rows[k], arena);
            count(&x->workers[worker], service.type == TQL_STRING ? service.s : STR("none"));
        }
    }
    return OK;
}

static double run_scan(TraceStore *store, const TraceQl *q, unsigned threads, uint64_t *ret_spans, TqlScanStats *ret) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    TqlExpr by = {.kind = TQL_E_ATTR, .attr = {.scope = TQL_SCOPE_RESOURCE, .name = STR("service.name")}};
    const TqlExpr *fields[] = {&by};
    Counting *x = NEW(Counting);
    Err err = {0};
    double begin = now_ms();
    TqlProgramOptions opts = {.fields = fields, .n_fields = 1};
    if (traceql_program_create(q->pipeline, &opts, arena, &x->program, &err)) die("program", &err);
    TqlScan scan = {.store = store, .program = x->program, .threads = threads};
    if (traceql_scan(&scan, on_found, x, ret, &err)) die("scan", &err);
    double ms = now_ms() - begin;
    *ret_spans = 0;
    for (size_t i = 0; i < ARRAY_LEN(x->workers); i++) *ret_spans += x->workers[i].total;
    mem_free(x);
    arena_free(arena);
    return ms;
}

static double run_search(
    TraceStore *store, const TraceQl *q, unsigned threads, uint64_t *ret_traces, TqlScanStats *ret) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    TqlSearchResult result;
    Err err = {0};
    double begin = now_ms();
    TqlSearch search = {.store = store, .query = q, .threads = threads};
    if (traceql_search(&search, arena, &result, &err)) die("search", &err);
    double ms = now_ms() - begin;
    *ret_traces = result.n_traces;
    *ret = result.stats;
    arena_free(arena);
    return ms;
}

static double run_metrics(
    TraceStore *store, const TraceQl *q, unsigned threads, uint64_t *ret_series, TqlScanStats *ret) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    TraceStoreStats stats;
    TqlMatrix m;
    Err err = {0};
    store->ops->stats(store, &stats);
    int64_t step = (stats.max_t_ns - stats.min_t_ns) / 59 + 1;
    TqlMetricsRequest req = {.store = store,
        .query = q,
        .threads = threads,
        .start_ns = stats.min_t_ns,
        .end_ns = stats.min_t_ns + 60 * step,
        .step_ns = step};
    double begin = now_ms();
    if (traceql_metrics(&req, arena, &m, &err)) die("metrics", &err);
    double ms = now_ms() - begin;
    *ret_series = m.n;
    *ret = m.stats;
    arena_free(arena);
    return ms;
}

typedef double (*RunFn)(TraceStore *, const TraceQl *, unsigned, uint64_t *, TqlScanStats *);

static void measure(JsonWriter *w, const char *what, RunFn run, TraceStore *store, const TraceQl *q, unsigned threads) {
    double ms[RUNS];
    uint64_t found;
    TqlScanStats stats;
    (void)run(store, q, threads, &found, &stats);
    for (int i = 0; i < RUNS; i++) ms[i] = run(store, q, threads, &found, &stats);
    qsort(ms, RUNS, sizeof *ms, cmp_f64);
    json_key(w, str_cstr(what));
    json_begin_object(w);
    json_key_lit(w, "ms");
    json_f64(w, (double)(int64_t)(ms[RUNS / 2] * 100) / 100);
    json_pair_u64(w, "found", found);
    json_pair_u64(w, "spans_looked_at", stats.spans);
    json_pair_u64(w, "blocks", stats.blocks);
    json_pair_u64(w, "skipped", stats.skipped);
    json_end_object(w);
}

static void bench_query(TraceStore *store, const char *text, unsigned threads) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    const TraceQl *q;
    Err err = {0};
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    if (traceql_parse(str_cstr(text), arena, &q, &err)) die(text, &err);
    json_begin_object(&w);
    json_pair_str(&w, "query", str_cstr(text));
    if (q->is_metrics) {
        measure(&w, "metrics", run_metrics, store, q, threads);
    } else {
        measure(&w, "search", run_search, store, q, threads);
        measure(&w, "every_span", run_scan, store, q, threads);
    }
    ProcessStats st;
    process_stats(&st);
    json_pair_u64(&w, "rss_mb", st.rss_bytes >> 20);
    json_end_object(&w);
    printf("%s\n", buf_cstr(&out));
    fflush(stdout);
    buf_done(&out);
    arena_free(arena);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: traces_query_bench DIRECTORY [threads] [query ...]\n");
        return 2;
    }
    unsigned threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    TraceStore *store;
    Err err = {0};
    if (trace_store_open(fs_real(), argv[1], &(TraceStoreOptions){.durable = false}, &store, &err)) die("open", &err);
    for (int i = 3; i < argc; i++) bench_query(store, argv[i], threads);
    for (size_t i = 0; argc <= 3 && i < ARRAY_LEN(queries); i++) bench_query(store, queries[i], threads);
    store->ops->close(store);
    return 0;
}
