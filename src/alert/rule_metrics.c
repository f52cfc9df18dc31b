/* rule_metrics.c - prometheus_rule_* metrics, under the names and labels that dashboards of Prometheus use. */
#include "alert/rule_int.h"

typedef struct Gather {
    MetricsBatch *b;
    int64_t t_ms;
    const char *group;            /* "file;name"; "": all together */
    double seconds, rule_seconds; /* of all groups */
    uint64_t iterations, evaluations;
} Gather;

static void put(const Gather *g, MetricType type, const char *name, double value) {
    metrics_batch_emit(g->b, g->t_ms, type, name, value, "rule_group", g->group, NULL);
}

static void gather_group(Gather *g, RuleGroup *r) {
    mutex_lock(&r->mutex);
    uint64_t iterations = r->iterations, missed = atomic_load(&r->missed), evaluations = r->evaluations,
             failures = r->failures;
    int64_t evaluated = r->evaluated_ns, took = r->took_ns, samples = (int64_t)r->samples;
    g->seconds += (double)r->total_ns / 1e9;
    g->iterations += r->iterations;
    g->rule_seconds += (double)r->rules_ns / 1e9;
    g->evaluations += r->evaluations;
    double last_rules = (double)r->last_rules_ns / 1e9;
    mutex_unlock(&r->mutex);
    put(g, METRIC_COUNTER, "prometheus_rule_evaluations_total", (double)evaluations);
    put(g, METRIC_COUNTER, "prometheus_rule_evaluation_failures_total", (double)failures);
    put(g, METRIC_COUNTER, "prometheus_rule_group_iterations_total", (double)(iterations + missed));
    put(g, METRIC_COUNTER, "prometheus_rule_group_iterations_missed_total", (double)missed);
    put(g, METRIC_GAUGE, "prometheus_rule_group_interval_seconds", (double)r->interval_ns / 1e9);
    put(g, METRIC_GAUGE, "prometheus_rule_group_last_duration_seconds", (double)took / 1e9);
    put(g, METRIC_GAUGE, "prometheus_rule_group_last_evaluation_timestamp_seconds", (double)evaluated / 1e9);
    put(g, METRIC_GAUGE, "prometheus_rule_group_last_evaluation_samples", (double)samples);
    put(g, METRIC_GAUGE, "prometheus_rule_group_last_rule_duration_sum_seconds", last_rules);
    put(g, METRIC_GAUGE, "prometheus_rule_group_rules", (double)r->n_rules);
}

void rule_manager_gather(RuleManager *m, MetricsBatch *batch, int64_t t_ms) {
    RuleGroup **groups;
    Gather g = {.b = batch, .t_ms = t_ms};
    size_t n = rule_manager_snapshot(m, &groups);
    for (size_t i = 0; i < n; i++) {
        Str name =
            arena_printf(batch->arena, "%" STR_FMT ";%" STR_FMT, STR_ARG(groups[i]->file), STR_ARG(groups[i]->name));
        if (!name.p) break;
        g.group = name.p;
        gather_group(&g, groups[i]);
    }
    g.group = "";
    put(&g, METRIC_SUMMARY, "prometheus_rule_group_duration_seconds_sum", g.seconds);
    put(&g, METRIC_SUMMARY, "prometheus_rule_group_duration_seconds_count", (double)g.iterations);
    put(&g, METRIC_SUMMARY, "prometheus_rule_evaluation_duration_seconds_sum", g.rule_seconds);
    put(&g, METRIC_SUMMARY, "prometheus_rule_evaluation_duration_seconds_count", (double)g.evaluations);
    rule_manager_release(groups, n);
}
