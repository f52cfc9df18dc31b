/* rule_eval.c - one evaluation of one group: queries, what they give into the store, alerts on their way.
 *
 * Samples are written once per evaluation, or earlier when a rule reads what a rule before it wrote: each write waits
 * for the disk. A series that a rule gave at the evaluation before and does not give now gets a stale marker; a rule
 * that fails leaves its series alone. Source: Prometheus' rules/group.go, described in its documentation. */
#include "alert/rule_int.h"
#include "base/log.h"
#include "sys/clock.h"

#include <stdio.h>

#define QUERY_TIMEOUT_NS (120 * NS_PER_S)
#define QUERY_BYTES ((size_t)512 << 20)

/* --- queries --- */

int64_t rule_deadline(const RuleManager *m) {
    return clock_mono_ns() + (m->opts.query_timeout_ms ? m->opts.query_timeout_ms * NS_PER_MS : QUERY_TIMEOUT_NS);
}

ErrCode rule_query(RuleEval *e, Rule *r, PromqlResult *ret, Err *reterr) {
    RuleManager *m = e->m;
    if (!r->root) {
        if (!m->opts.query)
            return err_set(reterr, ERR_NOT_IMPLEMENTED, "rules over %" STR_FMT " cannot be evaluated by this server",
                STR_ARG(r->def.datasource));
        return m->opts.query(m->opts.ctx, r->def.datasource, r->def.expr, e->query_ms, r->def.range_ms, &e->g->cancel,
            e->arena, ret, reterr);
    }
    PromqlOptions engine = m->opts.engine;
    if (!engine.subquery_step_ms) engine.subquery_step_ms = m->interval_ns / NS_PER_MS;
    PromqlQuery q = {
        .start_ms = e->query_ms, .end_ms = e->query_ms, .cancel = &e->g->cancel, .deadline_mono_ns = rule_deadline(m)};
    return promql_eval(e->store, &engine, &q, r->root, r->def.expr, e->arena, ret, reterr);
}

/* A scalar is a vector of one series without labels. */
static ErrCode as_vector(PromqlResult *res, Err *reterr) {
    if (res->type == PQL_TYPE_VECTOR || res->type == PQL_TYPE_SCALAR) return OK;
    return err_set(reterr, ERR_UNPROCESSABLE, "rule result is not a vector or scalar");
}

/* --- writing --- */

bool rule_add_sample(RuleEval *e, Labels labels, double value) {
    Labels own = labels_copy(e->pending.arena, labels);
    if (labels.n && !own.v) return false;
    e->samples += !is_stale_nan(value);
    return metrics_batch_add(&e->pending, own, e->query_ms, value);
}

static bool add_histogram(RuleEval *e, Labels labels, const Histogram *h) {
    MetricsBatch *b = &e->pending;
    BatchSeries s = {.labels = labels_copy(b->arena, labels),
        .first_sample = (uint32_t)b->value.n,
        .first_histogram = (uint32_t)b->histograms.n,
        .n_histograms = 1};
    Histogram *copy = histogram_copy(b->arena, h);
    e->samples++;
    return copy && s.labels.v && avec_push(b->arena, &b->histogram_t_ms, e->query_ms) &&
           avec_push(b->arena, &b->histograms, *copy) && avec_push(b->arena, &b->series, s);
}

static void set_error(Rule *r, const char *msg) {
    mem_free(r->last_error);
    r->last_error = msg ? str_dup_cstr(str_cstr(msg)) : NULL;
    r->health = msg ? RULE_HEALTH_ERR : RULE_HEALTH_OK;
}

static void fail_pending(RuleEval *e, const Err *err) {
    mutex_lock(&e->g->mutex);
    for (size_t i = 0; i < e->pending_rules.n; i++) {
        set_error(e->pending_rules.v[i], err->msg);
        e->g->failures++;
    }
    mutex_unlock(&e->g->mutex);
    log_warn("results of rules could not be written", "error", err->msg, NULL);
}

static void clear_pending(RuleEval *e) {
    Arena *arena = e->pending.arena;
    arena_reset(arena);
    e->pending = (MetricsBatch){.arena = arena};
    e->pending_names = (StrVec){0};
    vec_clear(&e->pending_rules);
}

static void write_pending(RuleEval *e) {
    MetricsStore *store = e->m->opts.metrics;
    MetricsAppendResult result = {0};
    Err err = {0};
    if (e->pending.series.n == 0) return;
    if (arena_exhausted(e->pending.arena))
        err_set(&err, ERR_TOO_LARGE, "the results do not fit in memory");
    else
        (void)store->ops->append(store, &e->pending, &result, &err);
    if (err.code) fail_pending(e, &err);
    if (result.conflicts)
        log_debug("rule results with a time that is taken already were left out", "group", "rules", NULL);
    rule_store_forget(e->store, &e->pending_names);
    clear_pending(e);
}

static bool may_read(const Rule *r, const StrVec *names) {
    if (names->n && (r->reads.any || !r->root)) return true;
    for (size_t i = 0; i < r->reads.names.n; i++)
        for (size_t k = 0; k < names->n; k++)
            if (str_eq(r->reads.names.v[i], names->v[k])) return true;
    return false;
}

static void note_written(RuleEval *e, Rule *r) {
    static const Str alert_names[] = {STR_INIT("ALERTS"), STR_INIT("ALERTS_FOR_STATE")};
    const Str *names = r->def.alerting ? alert_names : &r->def.name;
    for (size_t i = 0; i < (r->def.alerting ? ARRAY_LEN(alert_names) : 1); i++) {
        bool there = false;
        for (size_t k = 0; k < e->pending_names.n; k++) there |= str_eq(e->pending_names.v[k], names[i]);
        if (!there && !avec_push(e->pending.arena, &e->pending_names, names[i])) return;
    }
    vec_push(&e->pending_rules, r);
}

/* --- recording rules --- */

static ErrCode no_memory(Err *reterr) { return err_set(reterr, ERR_TOO_LARGE, "the results do not fit in memory"); }

/* Labels of all series, checked before any state changes. */
static ErrCode record_labels(RuleEval *e, Rule *r, const PromqlResult *res, Labels **ret, Err *reterr) {
    Labels *out = ARENA_ARRAY(e->arena, Labels, res->n);
    Label *over = ARENA_ARRAY(e->arena, Label, r->def.labels.n + 1);
    U64Map *seen = u64map_create();
    ErrCode rc = out && over ? OK : no_memory(reterr);
    for (size_t i = 0; rc == OK && i < res->n; i++) {
        bool fresh = true;
        over[0] = (Label){LABEL_NAME_METRIC, r->def.name};
        for (size_t k = 0; k < r->def.labels.n; k++) over[k + 1] = r->def.labels.v[k];
        if (!rule_labels_merge(e->arena, res->series[i].labels, over, r->def.labels.n + 1, &out[i]))
            rc = no_memory(reterr);
        else
            (void)u64map_put(seen, labels_hash(out[i]), &fresh);
        if (!fresh)
            rc = err_set(
                reterr, ERR_UNPROCESSABLE, "vector contains metrics with the same labelset after applying rule labels");
    }
    u64map_free(seen);
    if (rc == OK && e->g->limit > 0 && (int64_t)res->n > e->g->limit)
        rc = err_set(
            reterr, ERR_UNPROCESSABLE, "exceeded limit of %lld with %zu series", (long long)e->g->limit, res->n);
    *ret = out;
    return rc;
}

static bool record_series(RuleEval *e, Rule *r, Labels labels, const PromqlSeries *s) {
    bool fresh;
    uint64_t *slot = u64map_put(r->written, labels_hash(labels), &fresh);
    if (fresh) {
        RuleSeries *series = NEW(RuleSeries);
        series->labels = rule_labels_dup(labels);
        *slot = (uint64_t)(uintptr_t)series;
    }
    ((RuleSeries *)(uintptr_t)*slot)->round = r->round;
    const Histogram *h = s->histogram ? s->histogram[0] : NULL;
    return h ? add_histogram(e, labels, h) : rule_add_sample(e, labels, s->value[0]);
}

/* Stale markers for what was there and is not any more. */
static void record_vanished(RuleEval *e, Rule *r) {
    VEC(uint64_t) gone = {0};
    size_t it = 0;
    uint64_t key, *v;
    while (u64map_next(r->written, &it, &key, &v))
        if (((RuleSeries *)(uintptr_t)*v)->round != r->round) vec_push(&gone, key);
    for (size_t i = 0; i < gone.n; i++) {
        uint64_t value = 0;
        (void)u64map_remove(r->written, gone.v[i], &value);
        RuleSeries *s = (RuleSeries *)(uintptr_t)value;
        (void)rule_add_sample(e, s->labels, stale_nan());
        rule_series_free(s);
    }
    vec_done(&gone);
}

static ErrCode record_eval(RuleEval *e, Rule *r, const PromqlResult *res, Err *reterr) {
    Labels *labels;
    ErrCode rc = record_labels(e, r, res, &labels, reterr);
    if (rc != OK) return rc;
    r->round++;
    for (size_t i = 0; i < res->n; i++)
        if (!record_series(e, r, labels[i], &res->series[i])) return no_memory(reterr);
    record_vanished(e, r);
    return OK;
}

/* --- one rule --- */

static void write_lost(RuleEval *e, Rule *r) {
    for (size_t i = 0; i < r->lost.n; i++) {
        (void)rule_add_sample(e, r->lost.v[i], stale_nan());
        rule_labels_free(r->lost.v[i]);
    }
    vec_clear(&r->lost);
}

static void eval_rule(RuleEval *e, Rule *r) {
    PromqlResult res = {0};
    Err err = {0};
    int64_t begin = clock_mono_ns();
    if (may_read(r, &e->pending_names)) write_pending(e);
    ErrCode rc = rule_query(e, r, &res, &err);
    if (rc == ERR_CANCELLED && atomic_load(&e->g->cancel)) return;
    mutex_lock(&e->g->mutex);
    if (rc == OK) rc = as_vector(&res, &err);
    if (rc == OK) rc = r->def.alerting ? rule_alert_eval(e, r, &res, &err) : record_eval(e, r, &res, &err);
    if (rc == OK) write_lost(e, r);
    bool news = rc != OK && (!r->last_error || strcmp(r->last_error, err.msg) != 0);
    set_error(r, rc == OK ? NULL : err.msg);
    r->evaluated_ns = e->t_ns;
    r->took_ns = clock_mono_ns() - begin;
    e->g->evaluations++;
    e->rules_ns += r->took_ns;
    e->g->failures += rc != OK;
    mutex_unlock(&e->g->mutex);
    if (rc == OK) note_written(e, r);
    if (news) { /* once: the API and the metrics say that it goes on */
        char *name = str_dup_cstr(r->def.name), *group = str_dup_cstr(e->g->name);
        log_warn("evaluating a rule failed", "rule", name, "group", group, "error", err.msg, NULL);
        mem_free(name);
        mem_free(group);
    }
}

static void keep_state(RuleEval *e) {
    Err err = {0};
    if (e->state.n == 0 || !e->m->state) return;
    if (rule_state_commit(e->m->state, buf_str(&e->state), &err) != OK)
        log_error("the state of alerts could not be kept", "error", err.msg, NULL);
}

static void write_orphans(RuleEval *e) {
    mutex_lock(&e->g->mutex);
    for (size_t i = 0; i < e->g->orphans.n; i++) {
        (void)rule_add_sample(e, e->g->orphans.v[i], stale_nan());
        rule_labels_free(e->g->orphans.v[i]);
    }
    vec_clear(&e->g->orphans);
    mutex_unlock(&e->g->mutex);
}

static void eval_all(RuleEval *e) {
    RuleGroup *g = e->g;
    write_orphans(e);
    for (size_t i = 0; i < g->n_rules && !atomic_load(&g->cancel); i++) {
        Rule *r = &g->rules[i];
        eval_rule(e, r);
        if (r->try_foreign) rule_alert_restore_foreign(e, r);
        arena_reset(e->arena);
        rule_store_forget(e->store, &(StrVec){0});
    }
    write_pending(e);
    keep_state(e);
    for (size_t i = 0; i < g->n_rules; i++) {
        if (!g->rules[i].def.alerting) continue;
        rule_alert_send(e, &g->rules[i]);
        arena_reset(e->arena);
    }
}

void rule_group_eval(RuleManager *m, RuleGroup *g, int64_t t_ns) {
    size_t budget = m->opts.query_memory_bytes ? m->opts.query_memory_bytes : QUERY_BYTES;
    RuleEval e = {.m = m, .g = g, .t_ns = t_ns, .query_ms = t_ns / NS_PER_MS - g->query_offset_ms};
    int64_t begin = clock_mono_ns();
    e.store = rule_store_create(m->opts.metrics, budget);
    e.arena = arena_create(budget);
    e.pending.arena = arena_create(budget);
    eval_all(&e);
    mutex_lock(&g->mutex);
    g->evaluated_ns = t_ns;
    g->took_ns = clock_mono_ns() - begin;
    g->total_ns += g->took_ns;
    g->rules_ns += e.rules_ns;
    g->last_rules_ns = e.rules_ns;
    g->samples = e.samples;
    g->iterations++;
    mutex_unlock(&g->mutex);
    vec_done(&e.pending_rules);
    buf_done(&e.state);
    rule_store_free(e.store);
    arena_free(e.pending.arena);
    arena_free(e.arena);
}
