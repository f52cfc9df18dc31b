/* demo_test.c - the simulated fleet by itself: what it sends is decoded as a server would, and looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "cmd/demo.h"
#include "collect/otlp_decode.h"

#include <stdio.h>

#define T0_NS (INT64_C(1763640000) * NS_PER_S)
#define MINUTE_NS (60 * NS_PER_S)
#define MINUTE_MS INT64_C(60000)

typedef struct Run {
    Arena *arena; /* bodies and decoded batches */
    VEC(SpansBatch *) spans;
    VEC(LogsBatch *) lines;
    VEC(MetricsBatch *) points;
    OtlpDeltas *deltas;
    uint64_t hash, n_spans, n_lines, n_points, records[DEMO_SIGNALS];
    int64_t end_ns;
    bool only_hash;
    DemoTotals totals;
} Run;

static void take(void *ctx, DemoSignal signal, unsigned lane, Buf *body, size_t records) {
    Run *r = ctx;
    assert_true(lane < DEMO_METRIC_LANES && records > 0);
    r->records[signal] += records;
    r->hash = hash_xx64(buf_str(body), r->hash + signal);
    Str copy = r->only_hash ? STR_NULL : arena_copy(r->arena, buf_str(body));
    buf_done(body);
    if (r->only_hash) return;
    OtlpRejects rejects = {0};
    Err err = {0};
    ErrCode code = OK;
    if (signal == DEMO_TRACES) {
        SpansBatch *b = ARENA_NEW(r->arena, SpansBatch);
        b->arena = r->arena;
        code = otlp_decode_traces(copy, b, &rejects, &err);
        r->n_spans += b->rows.n;
        vec_push(&r->spans, b);
    } else if (signal == DEMO_LOGS) {
        LogsBatch *b = ARENA_NEW(r->arena, LogsBatch);
        b->arena = r->arena;
        code = otlp_decode_logs(copy, T0_NS, b, &rejects, &err);
        r->n_lines += b->rows.n;
        vec_push(&r->lines, b);
    } else {
        MetricsBatch *b = ARENA_NEW(r->arena, MetricsBatch);
        b->arena = r->arena;
        code = otlp_decode_metrics(copy, T0_NS / NS_PER_MS, NULL, r->deltas, b, &rejects, &err);
        r->n_points += rejects.accepted;
        vec_push(&r->points, b);
    }
    if (code != OK) fail_msg("%s", err.msg);
    if (rejects.count > 0) fail_msg("%s", rejects.message);
    assert_int_equal(rejects.accepted, records);
}

static Run *play(DemoScenario scenario, uint64_t seed, int64_t minutes, int64_t slice_ns, bool only_hash) {
    Run *r = NEW(Run);
    r->arena = arena_create(ARENA_UNLIMITED);
    r->deltas = otlp_deltas_create(0);
    r->only_hash = only_hash;
    r->end_ns = T0_NS + minutes * MINUTE_NS;
    DemoOptions opts = {.seed = seed,
        .rate = 0.75,
        .scenario = scenario,
        .start_ns = T0_NS,
        .backfill_ns = minutes * MINUTE_NS,
        .emit = take,
        .emit_ctx = r};
    DemoFleet *f = demo_fleet_create(&opts);
    for (int64_t t = T0_NS; t < r->end_ns; t += slice_ns) demo_fleet_advance(f, MIN(t + slice_ns, r->end_ns));
    demo_fleet_flush(f);
    r->totals = demo_fleet_totals(f);
    demo_fleet_free(f);
    return r;
}

static void run_free(Run *r) {
    vec_done(&r->spans);
    vec_done(&r->lines);
    vec_done(&r->points);
    otlp_deltas_free(r->deltas);
    arena_free(r->arena);
    mem_free(r);
}

static uint64_t hash_of(uint64_t seed, int64_t slice_ns) {
    Run *r = play(DEMO_HEALTHY, seed, 10, slice_ns, true);
    uint64_t h = r->hash;
    run_free(r);
    return h;
}

static void test_same_seed_same_bytes(void **state) {
    (void)state;
    uint64_t h = hash_of(7, MINUTE_NS);
    assert_true(h == hash_of(7, MINUTE_NS));
    assert_true(h == hash_of(7, NS_PER_S)); /* however time is cut */
    assert_true(h != hash_of(8, MINUTE_NS));
}

/* --- traces --- */

static Str span_key(char out[24], const SpanRow *s, SpanId id) {
    memcpy(out, s->trace_id.b, 16);
    memcpy(out + 16, id.b, 8);
    return str_of(out, 24);
}

static Map *spans_by_id(const Run *r) {
    Map *m = map_create(MAP_COPY_KEYS);
    char key[24];
    vec_foreach(SpansBatch *, b, &r->spans) {
        vec_foreach(SpanRow, s, &(*b)->rows) {
            bool inserted;
            *map_put(m, span_key(key, s, s->span_id), &inserted) = (uint64_t)(uintptr_t)s;
            assert_true(inserted);
        }
    }
    return m;
}

static void check_chat(const SpansBatch *b, const SpanRow *s) {
    static const char *const needed[] = {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model",
        "gen_ai.response.model", "gen_ai.response.id", "gen_ai.response.finish_reasons", "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens", "gen_ai.conversation.id", "gen_ai.usage.cost"};
    const Attr *attrs = b->attrs.v + s->attrs.first;
    bool failed = s->status == SPAN_STATUS_ERROR;
    assert_int_equal(s->kind, SPAN_CLIENT);
    for (size_t i = 0; i < ARRAY_LEN(needed) && !failed; i++) {
        if (!attr_find(attrs, s->attrs.n, str_cstr(needed[i]))) fail_msg("no %s", needed[i]);
    }
    if (!failed) return;
    assert_non_null(attr_find(attrs, s->attrs.n, STR("error.type")));
    assert_int_equal(s->events.n, 1);
    assert_true(str_eq_lit(b->events.v[s->events.first].name, "exception"));
}

static void check_span(const Run *r, const Map *all, const SpansBatch *b, const SpanRow *s, size_t *links) {
    char key[24];
    assert_true(s->start_ns <= s->end_ns && s->end_ns <= r->end_ns && s->start_ns > T0_NS - MINUTE_NS);
    if (!span_id_is_zero(s->parent_id)) {
        const SpanRow *parent = map_get_ptr(all, span_key(key, s, s->parent_id));
        assert_non_null(parent);
        assert_true(parent->start_ns <= s->start_ns && s->end_ns <= parent->end_ns);
    }
    for (uint32_t i = 0; i < s->events.n; i++) {
        int64_t t = b->events.v[s->events.first + i].t_ns;
        assert_true(s->start_ns <= t && t <= s->end_ns);
    }
    if (str_starts_with(s->name, STR("chat "))) check_chat(b, s);
    if (s->kind != SPAN_CONSUMER) return;
    assert_int_equal(s->links.n, 1);
    SpanRow to = {.trace_id = b->links.v[s->links.first].trace_id};
    const SpanRow *producer = map_get_ptr(all, span_key(key, &to, b->links.v[s->links.first].span_id));
    assert_non_null(producer);
    assert_int_equal(producer->kind, SPAN_PRODUCER);
    assert_true(producer->end_ns <= s->start_ns);
    ++*links;
}

static void test_traces_are_well_formed(void **state) {
    (void)state;
    Run *r = play(DEMO_LLM_LATENCY, 3, 30, MINUTE_NS, false);
    Map *all = spans_by_id(r);
    size_t links = 0;
    vec_foreach(SpansBatch *, b, &r->spans) { vec_foreach(SpanRow, s, &(*b)->rows) check_span(r, all, *b, s, &links); }
    assert_int_equal(map_count(all), r->totals.spans);
    assert_true(links > 50 && r->totals.requests > 900 && r->totals.jobs >= links);
    map_free(all);
    run_free(r);
}

/* --- lines --- */

static void check_line(const LogsBatch *b, const LogRow *l, const Map *traces, Arena *arena, size_t *with_trace) {
    Str service = labels_get(b->streams.v[l->stream], STR("service_name"));
    assert_true(service.n > 0 && l->line.n > 0);
    JsonValue *json;
    if (str_eq_lit(service, "media-api") || str_eq_lit(service, "template-api")) {
        assert_true(str_starts_with(l->line, STR("ts=")) && str_contains(l->line, STR(" level=")));
        return;
    }
    assert_int_equal(json_parse(l->line, arena, &json, NULL), OK);
    assert_true(str_eq(json_get_str(json, STR("service")), service));
    Str trace = json_get_str(json, STR("trace_id"));
    if (trace.n == 0) return;
    if (map_get(traces, trace))
        ++*with_trace;
    else
        fail_msg("a line of trace %" STR_FMT " that is not there", STR_ARG(trace));
}

static void test_lines_belong_to_traces(void **state) {
    (void)state;
    Run *r = play(DEMO_HEALTHY, 5, 20, MINUTE_NS, false);
    Map *traces = map_create(MAP_COPY_KEYS);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    vec_foreach(SpansBatch *, b, &r->spans) {
        vec_foreach(SpanRow, s, &(*b)->rows) {
            char hex[33];
            for (int i = 0; i < 16; i++) snprintf(hex + 2 * i, 3, "%02x", s->trace_id.b[i]);
            (void)map_put(traces, str_of(hex, 32), NULL);
        }
    }
    size_t with_trace = 0;
    vec_foreach(LogsBatch *, b, &r->lines) {
        vec_foreach(LogRow, l, &(*b)->rows) check_line(*b, l, traces, arena, &with_trace);
    }
    assert_true(with_trace > 1000);
    map_free(traces);
    arena_free(arena);
    run_free(r);
}

/* --- metrics --- */

/* Sum over the series of that name (and, when given, those labels) at t_ms; *ret_n counts them. */
typedef struct Want {
    const char *name, *key, *value, *key2, *value2;
} Want;

static bool wanted(Labels l, const Want *w) {
    if (!str_eq(labels_get(l, LABEL_NAME_METRIC), str_cstr(w->name))) return false;
    if (w->key && !str_eq(labels_get(l, str_cstr(w->key)), str_cstr(w->value))) return false;
    return !w->key2 || str_eq(labels_get(l, str_cstr(w->key2)), str_cstr(w->value2));
}

static double sum_at(const Run *r, Want w, int64_t t_ms, size_t *ret_n) {
    double sum = 0;
    size_t n = 0;
    vec_foreach(MetricsBatch *, b, &r->points) {
        vec_foreach(BatchSeries, s, &(*b)->series) {
            if (s->n_samples == 0 || (*b)->t_ms.v[s->first_sample] != t_ms || !wanted(s->labels, &w)) continue;
            for (uint32_t i = 0; i < s->n_samples; i++) sum += (*b)->value.v[s->first_sample + i];
            n++;
        }
    }
    if (ret_n) *ret_n = n;
    return sum;
}

static double increase(const Run *r, Want w) {
    int64_t end_ms = r->end_ns / NS_PER_MS;
    return sum_at(r, w, end_ms, NULL) - sum_at(r, w, end_ms - 5 * MINUTE_MS, NULL);
}

static double ratio(const Run *r, const char *errors, const char *all) {
    double n = increase(r, (Want){all});
    assert_true(n > 0);
    return increase(r, (Want){errors}) / n;
}

/* The upper bound of the bucket that holds the p95 of the last five minutes. */
static double p95(const Run *r, const char *job) {
    static const char *const bounds[] = {"0.25", "0.5", "0.75", "1", "1.5", "2", "2.5", "5", "7.5", "10", "30", "+Inf"};
    static const double values[] = {0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 5, 7.5, 10, 30, 1e9};
    double all = increase(r, (Want){"http_request_duration_seconds_count", "job", job});
    assert_true(all > 20);
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
        double below = increase(r, (Want){"http_request_duration_seconds_bucket", "job", job, "le", bounds[i]});
        if (below >= 0.95 * all) return values[i];
    }
    fail_msg("the last bucket is not full");
    return 0;
}

static void test_metric_names(void **state) {
    static const char *const names[] = {"up", "http_requests_total", "http_request_duration_seconds_bucket",
        "http_server_request_duration_seconds_bucket", "gen_ai_client_token_usage_bucket",
        "gen_ai_client_operation_duration_seconds_bucket", "gen_ai_server_time_to_first_token_seconds_count",
        "queue_depth", "workers_active", "workers_idle", "s3_requests_total", "s3_errors_total",
        "classifier_runs_total", "classifier_errors_total", "tool_executions_total",
        "tool_execution_duration_seconds_sum", "rate_limit_utilization", "rate_limit_hits_total",
        "db_connections_active", "db_connections_idle", "db_query_duration_seconds_sum",
        "process_resident_memory_bytes", "memory_usage_bytes", "process_cpu_seconds_total", "cpu_usage_percent",
        "cost_usd_total", "otelcol_exporter_send_failed_spans_total", "jaeger_collector_spans_received_total",
        "llm_integration_requests_total", "llm_integration_requests_failed",
        "llm_integration_latency_milliseconds_bucket", "llm_integration_latency_milliseconds_total",
        "llm_integration_latency_milliseconds_p95", "incident_manager_memory_usage_bytes",
        "incident_manager_enrichment_cache_hit_rate", "container_memory_usage_bytes",
        "container_spec_memory_limit_bytes", "container_cpu_usage_seconds_total",
        "container_cpu_cfs_throttled_seconds_total", "node_cpu_seconds_total", "node_memory_MemAvailable_bytes",
        "node_memory_MemTotal_bytes", "kube_pod_status_phase", "speculation_accuracy_ratio", "target_info"};
    (void)state;
    Run *r = play(DEMO_HEALTHY, 1, 20, MINUTE_NS, false);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t n;
        (void)sum_at(r, (Want){names[i]}, r->end_ns / NS_PER_MS, &n);
        if (n == 0) fail_msg("no series %s", names[i]);
    }
    run_free(r);
}

static double native_total(const Histogram *h) {
    double n = h->zero_count;
    for (uint32_t i = 0; i < h->n_pos; i++) n += h->pos[i];
    return n;
}

/* Counters never fall, every histogram's last bucket is its count, buckets rise with le, exemplars name a trace. */
static void test_series_are_consistent(void **state) {
    (void)state;
    Run *r = play(DEMO_HEALTHY, 2, 20, MINUTE_NS, false);
    Map *last = map_create(MAP_COPY_KEYS);
    Buf key = {0};
    size_t natives = 0, exemplars = 0;
    vec_foreach(MetricsBatch *, b, &r->points) {
        vec_foreach(BatchSeries, s, &(*b)->series) {
            Str name = labels_get(s->labels, LABEL_NAME_METRIC);
            if (s->n_samples == 0 || !(str_ends_with(name, STR("_total")) || str_ends_with(name, STR("_bucket"))))
                continue;
            buf_clear(&key);
            labels_put_text(&key, s->labels);
            double *before = (double *)(void *)map_put(last, buf_str(&key), NULL);
            assert_true((*b)->value.v[s->first_sample] >= *before);
            *before = (*b)->value.v[s->first_sample];
        }
        vec_foreach(Histogram, h, &(*b)->histograms) {
            assert_true(native_total(h) == h->count);
            natives++;
        }
        vec_foreach(Exemplar, e, &(*b)->exemplars) {
            assert_int_equal(labels_get(e->labels, STR("trace_id")).n, 32);
            exemplars++;
        }
    }
    assert_true(natives > 0 && exemplars > 100);
    int64_t t = r->end_ns / NS_PER_MS;
    static const char *const histograms[][2] = {
        {"http_request_duration_seconds_bucket", "http_request_duration_seconds_count"},
        {"gen_ai_client_token_usage_bucket", "gen_ai_client_token_usage_count"},
        {"db_query_duration_seconds_bucket", "db_query_duration_seconds_count"}};
    for (size_t i = 0; i < ARRAY_LEN(histograms); i++) {
        double count = sum_at(r, (Want){histograms[i][1]}, t, NULL);
        assert_true(count > 0 && sum_at(r, (Want){histograms[i][0], "le", "+Inf"}, t, NULL) == count);
    }
    /* every request is counted once: what the traces hold as server spans with that route is what the counter says */
    size_t chats = 0;
    vec_foreach(SpansBatch *, b, &r->spans) {
        vec_foreach(SpanRow, s, &(*b)->rows) {
            chats += s->kind == SPAN_SERVER && str_eq_lit(s->name, "POST /v1/media");
        }
    }
    assert_true(sum_at(r, (Want){"http_requests_total", "endpoint", "/v1/media"}, t, NULL) == (double)chats);
    buf_done(&key);
    map_free(last);
    run_free(r);
}

/* --- scenarios --- */

typedef struct Facts {
    double llm_p95, queue, idle, failed_jobs, s3, classifier, export_failures, up, spans_late, timeouts;
} Facts;

static Facts facts_of(const Run *r) {
    int64_t t = r->end_ns / NS_PER_MS;
    Facts f = {.queue = sum_at(r, (Want){"queue_depth", "queue", "background_jobs"}, t, NULL) / 2,
        .idle = sum_at(r, (Want){"workers_idle"}, t, NULL),
        .up = sum_at(r, (Want){"up", "job", "otel-collector"}, t, NULL)};
    vec_foreach(SpansBatch *, b, &r->spans) {
        vec_foreach(SpanRow, s, &(*b)->rows) f.spans_late += s->end_ns > r->end_ns - 3 * MINUTE_NS;
    }
    if (f.up == 0) return f; /* nothing else came */
    f.llm_p95 = p95(r, "llm-api");
    f.failed_jobs = increase(r, (Want){"background_jobs_total", "status", "failed"});
    f.s3 = ratio(r, "s3_errors_total", "s3_requests_total");
    f.classifier = ratio(r, "classifier_errors_total", "classifier_runs_total");
    f.export_failures = increase(r, (Want){"otelcol_exporter_send_failed_spans_total"}) / 300;
    f.timeouts = increase(r, (Want){"llm_requests_total", "status", "timeout"});
    return f;
}

static void check_scenario(DemoScenario s, uint64_t seed) {
    Run *r = play(s, seed, 40, MINUTE_NS, false);
    Facts f = facts_of(r);
    bool down = s == DEMO_COLLECTOR_DOWN;
    print_message(
        "%s: p95 <= %g s, queue %g, idle %g, failed jobs %g, s3 %.3f, classifier %.3f, export %.1f/s, up %g\n",
        demo_scenario_names[s], f.llm_p95, f.queue, f.idle, f.failed_jobs, f.s3, f.classifier, f.export_failures, f.up);
    assert_true(f.up == (down ? 0 : 1));
    assert_true((f.spans_late == 0) == down);
    if (!down) {
        assert_true((f.llm_p95 > 2) == (s == DEMO_LLM_LATENCY));
        assert_true((f.timeouts > 2) == (s == DEMO_LLM_LATENCY));
        assert_true((f.queue > 100) == (s == DEMO_QUEUE_BACKLOG));
        assert_true((f.idle == 0) == (s == DEMO_QUEUE_BACKLOG));
        assert_true((f.failed_jobs > 5) == (s == DEMO_QUEUE_BACKLOG));
        assert_true((f.s3 > 0.1) == (s == DEMO_STORAGE_FAILURE));
        assert_true((f.classifier > 0.05) == (s == DEMO_CLASSIFIER_ERRORS));
        assert_true((f.export_failures > 10) == (s == DEMO_EXPORT_FAILURE));
    }
    run_free(r);
}

static void test_scenarios(void **state) {
    (void)state;
    for (int s = 0; s < DEMO_SCENARIOS; s++) check_scenario((DemoScenario)s, 1);
}

static void test_scenario_names(void **state) {
    (void)state;
    DemoScenario s;
    for (int i = 0; i < DEMO_SCENARIOS; i++) {
        assert_true(demo_scenario_find(str_cstr(demo_scenario_names[i]), &s));
        assert_int_equal(s, i);
    }
    assert_false(demo_scenario_find(STR("llm"), &s));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_seed_same_bytes),
        cmocka_unit_test(test_traces_are_well_formed), cmocka_unit_test(test_lines_belong_to_traces),
        cmocka_unit_test(test_metric_names), cmocka_unit_test(test_series_are_consistent),
        cmocka_unit_test(test_scenarios), cmocka_unit_test(test_scenario_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
