/* alerting_bench.c - rules over a store that takes samples at the same time: does every evaluation come in time, what
 * does it cost, how many alerts are held. One JSON object on stdout.
 * usage: alerting_bench DIR [RULES [SERIES [INTERVAL_S [ROUNDS]]]] (DIR is created, and must not be one with data)
 *
 * SERIES series of SERIES / 100 services get a sample every interval, as from scraping. Of every ten rules four are
 * ratios of two rates of a service, four compare a service's series with a threshold, one records a sum, and one fires
 * for every series of its service: as many alerts are active as there are series when there are as many tens of rules
 * as services. */
#include "alert/rules.h"
#include "base/json.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "sys/random.h"
#include "sys/thread.h"

#include <stdio.h>
#include <stdlib.h>

#define PER_SERVICE 100
#define PER_GROUP 100
#define HISTORY 24 /* samples of each series before the start */

typedef struct Bench {
    MetricsStore *store;
    RuleManager *rules;
    size_t n_rules, n_series, n_groups;
    int64_t interval_ms;
    Label (*labels)[5];
    double *value;
    Arena *strings;
    Rng rng;
    _Atomic uint64_t alerts_sent;
    _Atomic bool stop;
} Bench;

static double cpu_seconds(void) {
    ProcessStats s;
    process_stats(&s);
    return s.cpu_seconds;
}

static void make_series(Bench *b) {
    static const char *const statuses[] = {"200", "404", "500", "503"};
    b->strings = arena_create(ARENA_UNLIMITED);
    b->labels = mem_alloc_array(b->n_series, sizeof *b->labels);
    b->value = mem_alloc_zero(b->n_series * sizeof *b->value);
    for (size_t i = 0; i < b->n_series; i++) {
        size_t service = i / PER_SERVICE, k = i % PER_SERVICE;
        b->labels[i][0] = (Label){STR("__name__"), STR("http_requests_total")};
        b->labels[i][1] = (Label){STR("endpoint"), arena_printf(b->strings, "/api/v1/thing/%zu", k % 5)};
        b->labels[i][2] =
            (Label){STR("instance"), arena_printf(b->strings, "10.0.%zu.%zu:8080", service % 250, k / 20)};
        b->labels[i][3] = (Label){STR("job"), arena_printf(b->strings, "service-%04zu", service)};
        b->labels[i][4] = (Label){STR("status"), str_cstr(statuses[k / 5 % 4])};
    }
}

/* One round of scraping: a batch per service. */
static void scrape(Bench *b, int64_t t_ms) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    for (size_t from = 0; from < b->n_series; from += PER_SERVICE * 10) {
        MetricsBatch batch = {.arena = arena};
        MetricsAppendResult result = {0};
        for (size_t i = from; i < MIN(from + PER_SERVICE * 10, b->n_series); i++) {
            b->value[i] += (double)(rng_u64(&b->rng) % 100);
            (void)metrics_batch_add(&batch, (Labels){b->labels[i], 5}, t_ms, b->value[i]);
        }
        Err err = {0};
        if (b->store->ops->append(b->store, &batch, &result, &err) != OK) fprintf(stderr, "append: %s\n", err.msg);
        arena_reset(arena);
    }
    arena_free(arena);
}

static void scrape_main(void *ctx) {
    Bench *b = ctx;
    while (!atomic_load(&b->stop)) {
        int64_t now = clock_now_ms(), next = now / b->interval_ms * b->interval_ms + b->interval_ms;
        while (!atomic_load(&b->stop) && clock_now_ms() < next) clock_sleep_ms(MIN(next - now, (int64_t)50));
        if (!atomic_load(&b->stop)) scrape(b, next);
    }
}

static void put_rule(Buf *out, size_t i) {
    size_t service = i / 10;
    int limit = (int)(i % 10) * 50 + 100;
    switch (i % 10) {
    case 0:
    case 1:
    case 2:
    case 3:
        buf_printf(out,
            "  - alert: ErrorRatio%zu\n    expr: sum(rate(http_requests_total{job=\"service-%04zu\", "
            "status=~\"5..\"}[5m])) "
            "/ sum(rate(http_requests_total{job=\"service-%04zu\"}[5m])) > 0.%d9\n    for: 5m\n"
            "    labels: {severity: critical}\n    annotations: {summary: 'ratio {{ $value | humanizePercentage }}'}\n",
            i, service, service, (int)(i % 10) + 5);
        return;
    case 4:
    case 5:
    case 6:
    case 7:
        buf_printf(out,
            "  - alert: Busy%zu\n    expr: sum by (instance) (rate(http_requests_total{job=\"service-%04zu\"}[5m])) > "
            "%d\n"
            "    for: 10m\n    labels: {severity: warning}\n    annotations: {summary: '{{ $labels.instance }} is "
            "busy'}\n",
            i, service, limit * 10);
        return;
    case 8:
        buf_printf(out,
            "  - record: service:http_requests:rate5m\n    expr: sum by (job, endpoint) "
            "(rate(http_requests_total{job=\"service-%04zu\"}[5m]))\n",
            service);
        return;
    default:
        buf_printf(out,
            "  - alert: Seen%zu\n    expr: http_requests_total{job=\"service-%04zu\"} >= 0\n    for: 15s\n"
            "    labels: {severity: info}\n    annotations: {summary: '{{ $labels.instance }} {{ $labels.endpoint "
            "}}'}\n",
            i, service);
    }
}

static void load_rules(Bench *b) {
    Buf text = {0}, out = {0};
    Arena *arena = arena_create(ARENA_UNLIMITED);
    size_t n_files = (b->n_rules + 1999) / 2000;
    RuleText *texts = mem_alloc_array(n_files, sizeof *texts);
    for (size_t f = 0; f < n_files; f++) {
        buf_clear(&text);
        buf_put_lit(&text, "groups:\n");
        for (size_t i = f * 2000; i < MIN((f + 1) * 2000, b->n_rules); i++) {
            if (i % PER_GROUP == 0) {
                buf_printf(&text, "- name: group%zu\n  rules:\n", i / PER_GROUP);
                b->n_groups++;
            }
            put_rule(&text, i);
        }
        texts[f] = (RuleText){arena_printf(arena, "bench%zu.yml", f), arena_copy(arena, buf_str(&text))};
    }
    RuleManagerConfig config = {.texts = texts, .n_texts = n_files, .evaluation_interval_ms = b->interval_ms};
    if (rule_manager_load(b->rules, &config, &out) != OK) {
        fwrite(out.p, 1, MIN(out.n, (size_t)2000), stderr);
        exit(1);
    }
    mem_free(texts);
    arena_free(arena);
    buf_done(&text);
    buf_done(&out);
}

static void on_send(void *ctx, const Alert *alerts, size_t n) {
    Bench *b = ctx;
    (void)alerts;
    atomic_fetch_add(&b->alerts_sent, n);
}

typedef struct Sums {
    double iterations, missed, evaluations, failures, seconds, worst;
} Sums;

static Sums sums(Bench *b) {
    MetricsBatch batch = {.arena = arena_create(ARENA_UNLIMITED)};
    Sums s = {0};
    rule_manager_gather(b->rules, &batch, 0);
    for (size_t i = 0; i < batch.series.n; i++) {
        Str name = labels_get(batch.series.v[i].labels, LABEL_NAME_METRIC);
        double v = batch.value.v[batch.series.v[i].first_sample];
        if (str_eq_lit(name, "prometheus_rule_group_iterations_total")) s.iterations += v;
        if (str_eq_lit(name, "prometheus_rule_group_iterations_missed_total")) s.missed += v;
        if (str_eq_lit(name, "prometheus_rule_evaluations_total")) s.evaluations += v;
        if (str_eq_lit(name, "prometheus_rule_evaluation_failures_total")) s.failures += v;
        if (str_eq_lit(name, "prometheus_rule_group_duration_seconds_sum")) s.seconds += v;
        if (str_eq_lit(name, "prometheus_rule_group_last_duration_seconds")) s.worst = MAX(s.worst, v);
    }
    arena_free(batch.arena);
    return s;
}

static size_t count_alerts(Bench *b) {
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    rule_manager_put_alerts(b->rules, &w);
    size_t n = 0;
    for (Str rest = buf_str(&out); str_find(rest, STR("\"activeAt\"")) != SIZE_MAX; n++)
        rest = str_skip(rest, str_find(rest, STR("\"activeAt\"")) + 10);
    buf_done(&out);
    return n;
}

static void report(Bench *b, const Sums *from, double cpu, double wall) {
    Sums to = sums(b);
    ProcessStats p;
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    process_stats(&p);
    const struct {
        const char *key;
        double value;
    } figures[] = {{"rules", (double)b->n_rules}, {"groups", (double)b->n_groups}, {"series", (double)b->n_series},
        {"interval_s", (double)b->interval_ms / 1000}, {"wall_s", wall},
        {"iterations", to.iterations - from->iterations}, {"iterations_missed", to.missed - from->missed},
        {"evaluations", to.evaluations - from->evaluations}, {"evaluation_failures", to.failures - from->failures},
        {"evaluation_ms_mean", (to.seconds - from->seconds) * 1000 / MAX(to.evaluations - from->evaluations, 1)},
        {"group_s_worst_last", to.worst}, {"cpu_share_of_one_core", cpu / wall},
        {"active_alerts", (double)count_alerts(b)}, {"alerts_sent", (double)atomic_load(&b->alerts_sent)},
        {"rss_mib", (double)p.rss_bytes / (1 << 20)}};
    json_begin_object(&w);
    for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
        json_key(&w, str_cstr(figures[i].key));
        json_f64(&w, figures[i].value);
    }
    json_end_object(&w);
    printf("%s\n", buf_cstr(&out));
    buf_done(&out);
}

static size_t arg(int argc, char **argv, int i, size_t missing) {
    return argc > i ? (size_t)strtoull(argv[i], NULL, 10) : missing;
}

int main(int argc, char **argv) {
    Bench b = {.n_rules = arg(argc, argv, 2, 10000), .n_series = arg(argc, argv, 3, 100000)};
    size_t rounds = arg(argc, argv, 5, 6);
    char path[512];
    Err err = {0};
    if (argc < 2) {
        fputs("usage: alerting_bench DIR [RULES [SERIES [INTERVAL_S [ROUNDS]]]]\n", stderr);
        return 2;
    }
    b.interval_ms = (int64_t)arg(argc, argv, 4, 15) * 1000;
    rng_seed(&b.rng, 1);
    snprintf(path, sizeof path, "%s/metrics", argv[1]);
    ErrCode r = fs_real()->ops->make_dir(fs_real(), argv[1], &err);
    if (r == OK) r = metrics_store_open(fs_real(), path, &(MetricsStoreOptions){.durable = true}, &b.store, &err);
    snprintf(path, sizeof path, "%s/rules", argv[1]);
    RuleManagerOptions opts = {
        .dir = path, .metrics = b.store, .external_url = STR("http://localhost:9090"), .send = on_send, .ctx = &b};
    if (r == OK) r = rule_manager_create(&opts, &b.rules, &err);
    if (r != OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    make_series(&b);
    int64_t now = clock_now_ms() / b.interval_ms * b.interval_ms;
    for (int64_t k = HISTORY; k >= 0; k--) scrape(&b, now - k * b.interval_ms);
    Thread *scraper = thread_start("scraper", scrape_main, &b);
    load_rules(&b);
    /* The first rounds make 100,000 alerts pending, then firing; what is measured is the course after that, and they.
     */
    Sums from = sums(&b);
    double cpu = cpu_seconds();
    int64_t begin = clock_mono_ns();
    clock_sleep_ms((int64_t)rounds * b.interval_ms);
    report(&b, &from, cpu_seconds() - cpu, (double)(clock_mono_ns() - begin) / 1e9);
    atomic_store(&b.stop, true);
    thread_join(scraper);
    rule_manager_free(b.rules);
    b.store->ops->close(b.store);
    arena_free(b.strings);
    mem_free(b.labels);
    mem_free(b.value);
    return 0;
}
