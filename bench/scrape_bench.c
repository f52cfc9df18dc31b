/* scrape_bench.c - reading expositions: bytes per CPU second of the parser alone, of a scrape whose series are known
 * (labels from the cache, into a store that takes everything), and of one whose series are new. One JSON object on
 * stdout. usage: scrape_bench [SERIES [ROUNDS]] */
#include "base/json.h"
#include "metrics/scrape/scrape_int.h"
#include "sys/process.h"

#include <stdio.h>
#include <stdlib.h>

/* node_exporter's kind of lines: five labels, counters and gauges, some floats. */
static void make_body(Buf *b, size_t n, unsigned round) {
    for (size_t i = 0; i < n; i++) {
        if (i % 40 == 0)
            buf_printf(b, "# HELP bench_metric_%zu_total What it counts.\n# TYPE bench_metric_%zu_total counter\n",
                i / 40, i / 40);
        buf_printf(b,
            "bench_metric_%zu_total{cpu=\"%zu\",device=\"disk-%zu\",mode=\"some_mode\",path=\"/var/lib/data\"} ",
            i / 40, i % 40, i % 7);
        if (i % 5 == 0)
            buf_printf(b, "%.17g\n", (double)(i * 7919 + round) / 977);
        else
            buf_printf(b, "%zu\n", i * 31 + round);
    }
}

static ErrCode take_all(MetricsStore *s, const MetricsBatch *b, MetricsAppendResult *ret, Err *reterr) {
    (void)s, (void)reterr;
    ret->samples = b->value.n;
    return OK;
}

static ErrCode count_sample(void *ctx, const PromTextSample *s, Err *reterr) {
    (void)s, (void)reterr;
    ++*(size_t *)ctx;
    return OK;
}

/* CPU seconds: machines are shared. */
static double cpu_now(void) {
    ProcessStats s;
    process_stats(&s);
    return s.cpu_seconds;
}
static double seconds(double from) { return cpu_now() - from; }

static double bench_parser(Str body, size_t rounds) {
    size_t n = 0;
    PromTextVisitor v = {&n, count_sample, NULL, NULL};
    PromTextOptions o = {PROMTEXT_PLAIN, false};
    double start = cpu_now();
    for (size_t r = 0; r < rounds; r++) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        ErrCode code = promtext_parse(body, &o, &v, arena, NULL);
        ASSERT(code == OK);
        arena_free(arena);
    }
    return seconds(start);
}

int main(int argc, char **argv) {
    size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000, rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 200;
    static const MetricsStoreOps ops = {.append = take_all, .takes_wire_labels = true};
    MetricsStore store = {&ops};
    PromConfig *config;
    DiagList diags;
    static const char yaml[] = "scrape_configs: [{job_name: bench, static_configs: [{targets: ['h:1']}]}]\n";
    diag_init(&diags, STR("x"), str_cstr(yaml));
    ErrCode code = prom_config_parse(str_cstr(yaml), STR(""), &config, &diags);
    ASSERT(code == OK);
    Arena *scratch = arena_create(ARENA_UNLIMITED);
    Str discovered;
    const char *why;
    Label address = {STR("__address__"), STR("h:1")};
    ScrapeTarget *t = scrape_target_create(&config->scrapes[0], (Labels){&address, 1}, scratch, &discovered, &why);
    ASSERT(t);
    t->job = &config->scrapes[0];
    Buf bodies[2] = {{0}};
    for (unsigned i = 0; i < 2; i++) make_body(&bodies[i], n, i);
    ScrapeAnswer a = {
        .status = 200, .content_type = STR("text/plain; version=0.0.4"), .body = buf_str(&bodies[0]), .t_ms = 1};
    ScrapeOutcome out;
    double start = cpu_now();
    scrape_take(t, t->job, &store, false, &a, &out);
    double first_s = seconds(start);
    ASSERT(out.up && out.kept == n);
    start = cpu_now();
    for (size_t r = 0; r < rounds; r++) {
        a.body = buf_str(&bodies[r % 2]);
        a.t_ms++;
        scrape_take(t, t->job, &store, false, &a, &out);
    }
    double known_s = seconds(start), parse_s = bench_parser(buf_str(&bodies[0]), rounds);
    double bytes = (double)bodies[0].n;
    printf("{\"series\": %zu, \"bytes_per_line\": %.0f, \"parse_mb_per_s\": %.0f, \"known_mb_per_s\": %.0f, "
           "\"known_ns_per_sample\": %.0f, \"new_mb_per_s\": %.0f}\n",
        n, bytes / (double)n, bytes * (double)rounds / parse_s / 1e6, bytes * (double)rounds / known_s / 1e6,
        known_s * 1e9 / (double)rounds / (double)n, bytes / first_s / 1e6);
    return 0;
}
