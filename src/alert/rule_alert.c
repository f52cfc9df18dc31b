/* rule_alert.c - the life of an alert: inactive, pending, firing, resolved; its series; when it is sent.
 * Source: Prometheus' documentation of alerting rules; constants are its defaults. */
#include "alert/rule_int.h"
#include "sys/clock.h"

#include <stdio.h>

const char *rule_state_name(unsigned state) {
    static const char *const names[] = {"inactive", "pending", "firing"};
    return names[state];
}

/* --- series --- */

Labels rule_alert_series(Arena *arena, const Rule *r, Labels labels, RuleAlertState state) {
    Label over[] = {{LABEL_NAME_METRIC, STR("ALERTS")}, {STR("alertname"), r->def.name},
        {STR("alertstate"), str_cstr(rule_state_name(state))}};
    Labels out = {0};
    (void)rule_labels_merge(arena, labels, over, ARRAY_LEN(over), &out);
    return out;
}

Labels rule_alert_for_series(Arena *arena, const Rule *r, Labels labels) {
    Label over[] = {{LABEL_NAME_METRIC, STR("ALERTS_FOR_STATE")}, {STR("alertname"), r->def.name}};
    Labels out = {0};
    (void)rule_labels_merge(arena, labels, over, ARRAY_LEN(over), &out);
    return out;
}

static void write_stale(RuleEval *e, const Rule *r, RuleAlert *a, bool for_state) {
    if (a->written == RULE_INACTIVE) return;
    (void)rule_add_sample(e, rule_alert_series(e->arena, r, a->labels, a->written), stale_nan());
    if (for_state) (void)rule_add_sample(e, rule_alert_for_series(e->arena, r, a->labels), stale_nan());
    a->written = RULE_INACTIVE;
}

static bool write_active(RuleEval *e, const Rule *r, RuleAlert *a) {
    if (a->written != a->state) write_stale(e, r, a, false);
    a->written = a->state;
    return rule_add_sample(e, rule_alert_series(e->arena, r, a->labels, a->state), 1) &&
           rule_add_sample(e, rule_alert_for_series(e->arena, r, a->labels), (double)(a->active_ns / NS_PER_S));
}

/* --- from the query's result to alerts --- */

static ErrCode template_query(void *ctx, Str expr, int64_t t_ms, Arena *arena, PromqlResult *ret, Err *reterr) {
    RuleEval *e = ctx;
    PromqlQuery q = {
        .start_ms = t_ms, .end_ms = t_ms, .cancel = &e->g->cancel, .deadline_mono_ns = rule_deadline(e->m)};
    return promql_exec(e->m->opts.metrics, &e->m->opts.engine, &q, expr, arena, ret, reterr);
}

static RuleTextData text_data(RuleEval *e, const PromqlSeries *s) {
    return (RuleTextData){.labels = s->labels,
        .external_labels = e->m->external_labels,
        .external_url = e->m->opts.external_url,
        .value = s->value[0],
        .histogram = s->histogram ? s->histogram[0] : NULL,
        .t_ms = e->query_ms,
        .query = template_query,
        .ctx = e};
}

static Str template_name(const Rule *r, Arena *arena) {
    return arena_printf(arena, "__alert_%" STR_FMT, STR_ARG(r->def.name));
}

/* The alert's identity: the series' labels without its name, over them the rule's, and alertname. */
static bool alert_labels(RuleEval *e, const Rule *r, const PromqlSeries *s, Labels *ret) {
    Label *over = ARENA_ARRAY(e->arena, Label, r->def.labels.n + 1);
    if (!over) return false;
    size_t n = r->def.labels.n;
    if (n) memcpy(over, r->def.labels.v, n * sizeof *over);
    if (!r->plain_labels) {
        RuleTextData data = text_data(e, s);
        for (size_t i = 0; i < n; i++)
            (void)rule_text_expand(template_name(r, e->arena), over[i].value, &data, e->arena, &over[i].value);
    }
    over[n] = (Label){STR("alertname"), r->def.name};
    return rule_labels_merge(e->arena, s->labels, over, n + 1, ret);
}

static bool alert_annotations(RuleEval *e, const Rule *r, const PromqlSeries *s, Labels *ret) {
    Label *v = ARENA_ARRAY(e->arena, Label, r->def.annotations.n);
    if (!v) return false;
    RuleTextData data = text_data(e, s);
    for (size_t i = 0; i < r->def.annotations.n; i++) {
        v[i] = r->def.annotations.v[i];
        (void)rule_text_expand(template_name(r, e->arena), v[i].value, &data, e->arena, &v[i].value);
    }
    *ret = (Labels){v, r->def.annotations.n};
    return true;
}

typedef struct Found {
    Labels labels;
    uint64_t hash;
} Found;

static ErrCode no_memory(Err *reterr) { return err_set(reterr, ERR_TOO_LARGE, "the alerts do not fit in memory"); }

static ErrCode find_all(RuleEval *e, const Rule *r, const PromqlResult *res, Found **ret, Err *reterr) {
    Found *v = ARENA_ARRAY(e->arena, Found, res->n);
    U64Map *seen = u64map_create();
    ErrCode rc = v ? OK : no_memory(reterr);
    for (size_t i = 0; rc == OK && i < res->n; i++) {
        bool fresh = true;
        if (!alert_labels(e, r, &res->series[i], &v[i].labels)) {
            rc = no_memory(reterr);
            break;
        }
        v[i].hash = labels_hash(v[i].labels);
        (void)u64map_put(seen, v[i].hash, &fresh);
        if (!fresh)
            rc = err_set(reterr, ERR_UNPROCESSABLE,
                "vector contains metrics with the same labelset after applying alert labels");
    }
    u64map_free(seen);
    *ret = v;
    return rc;
}

static RuleAlert *new_alert(RuleEval *e, const Found *f) {
    RuleAlert *a = NEW(RuleAlert);
    a->labels = rule_labels_dup(f->labels);
    a->hash = f->hash;
    a->active_ns = e->t_ns;
    a->state = RULE_PENDING;
    a->dirty = true;
    return a;
}

static void renew(RuleEval *e, RuleAlert *a) {
    a->active_ns = e->t_ns;
    a->fired_ns = a->resolved_ns = a->keep_since_ns = a->sent_ns = a->valid_until_ns = 0;
    a->state = RULE_PENDING;
    a->dirty = true;
}

/* Value and annotations are the newest; an alert that is not active (any more) begins. */
static bool take_result(RuleEval *e, Rule *r, const Found *f, const PromqlSeries *s) {
    bool fresh;
    uint64_t *slot = u64map_put(r->alerts, f->hash, &fresh);
    if (fresh) *slot = (uint64_t)(uintptr_t)new_alert(e, f);
    RuleAlert *a = (RuleAlert *)(uintptr_t)*slot;
    if (a->state == RULE_INACTIVE) renew(e, a);
    a->in_result = true;
    a->restored = false;
    a->value = s->value[0];
    Labels annotations;
    if (r->plain_annotations && (a->annotations.v || r->def.annotations.n == 0)) return true;
    if (!alert_annotations(e, r, s, &annotations)) return false;
    if (labels_eq(a->annotations, annotations)) return true;
    rule_labels_free(a->annotations);
    a->annotations = rule_labels_dup(annotations);
    return true;
}

/* --- state --- */

typedef struct AlertStep {
    RuleEval *e;
    Rule *r;
    size_t n_active;
    VEC(uint64_t) gone; /* hashes */
} AlertStep;

/* false: the alert is not active. */
static bool absent(AlertStep *st, RuleAlert *a) {
    int64_t t = st->e->t_ns;
    bool keep = false;
    if (a->state == RULE_FIRING && st->r->def.keep_firing_for_ms > 0) {
        if (!a->keep_since_ns) {
            a->keep_since_ns = t;
            a->dirty = true;
        }
        keep = t - a->keep_since_ns < st->r->def.keep_firing_for_ms * NS_PER_MS;
    }
    if (a->restored && t < a->hold_until_ns && a->state != RULE_INACTIVE) return true;
    if (keep) return true;
    write_stale(st->e, st->r, a, true);
    bool forget = a->state == RULE_PENDING ||
                  (a->state == RULE_INACTIVE && a->resolved_ns && t - a->resolved_ns > RULE_RESOLVED_KEPT_NS);
    if (forget) vec_push(&st->gone, a->hash);
    if (a->state != RULE_INACTIVE) {
        a->state = RULE_INACTIVE;
        a->resolved_ns = t;
        a->dirty = true;
    }
    return false;
}

static bool step(AlertStep *st, RuleAlert *a) {
    bool in_result = a->in_result;
    a->in_result = false;
    if (in_result) {
        a->dirty |= a->keep_since_ns != 0;
        a->keep_since_ns = 0;
    } else if (!absent(st, a)) {
        return true;
    }
    st->n_active++;
    if (a->state == RULE_PENDING && st->e->t_ns - a->active_ns >= st->r->def.for_ms * NS_PER_MS) {
        a->state = RULE_FIRING;
        a->fired_ns = st->e->t_ns;
        a->dirty = true;
    }
    return write_active(st->e, st->r, a);
}

static void forget_gone(AlertStep *st) {
    for (size_t i = 0; i < st->gone.n; i++) {
        uint64_t value = 0;
        (void)u64map_remove(st->r->alerts, st->gone.v[i], &value);
        RuleAlert *a = (RuleAlert *)(uintptr_t)value;
        rule_state_put_gone(&st->e->state, st->r->key, a);
        rule_alert_free(a);
    }
    vec_done(&st->gone);
}

/* The limit is exceeded: nothing of the rule is left, and what was written gets its marker when it is well again. */
static void drop_all(RuleEval *e, Rule *r) {
    size_t it = 0;
    uint64_t *v;
    while (u64map_next(r->alerts, &it, NULL, &v)) {
        RuleAlert *a = (RuleAlert *)(uintptr_t)*v;
        if (a->written != RULE_INACTIVE) {
            vec_push(&r->lost, rule_labels_dup(rule_alert_series(e->arena, r, a->labels, a->written)));
            vec_push(&r->lost, rule_labels_dup(rule_alert_for_series(e->arena, r, a->labels)));
        }
        rule_state_put_gone(&e->state, r->key, a);
        rule_alert_free(a);
    }
    u64map_clear(r->alerts);
}

static void note_changes(RuleEval *e, Rule *r) {
    size_t it = 0;
    uint64_t *v;
    while (u64map_next(r->alerts, &it, NULL, &v)) {
        RuleAlert *a = (RuleAlert *)(uintptr_t)*v;
        if (!a->dirty) continue;
        rule_state_put(&e->state, r->key, a);
        a->dirty = false;
    }
}

/* What an alerting rule would have, were the limit not there. */
static size_t count_active(const Rule *r, const Found *found, size_t n) {
    size_t active = n, it = 0;
    uint64_t *v;
    (void)found;
    while (u64map_next(r->alerts, &it, NULL, &v)) {
        const RuleAlert *a = (const RuleAlert *)(uintptr_t)*v;
        active += !a->in_result && a->state == RULE_FIRING && r->def.keep_firing_for_ms > 0;
    }
    return active;
}

ErrCode rule_alert_eval(RuleEval *e, Rule *r, const PromqlResult *res, Err *reterr) {
    Found *found;
    AlertStep st = {.e = e, .r = r};
    ErrCode rc = find_all(e, r, res, &found, reterr);
    if (rc != OK) return rc;
    for (size_t i = 0; rc == OK && i < res->n; i++)
        if (!take_result(e, r, &found[i], &res->series[i])) rc = no_memory(reterr);
    size_t limit_count = rc == OK ? count_active(r, found, res->n) : 0;
    if (rc == OK && e->g->limit > 0 && (int64_t)limit_count > e->g->limit) {
        drop_all(e, r);
        return err_set(
            reterr, ERR_UNPROCESSABLE, "exceeded limit of %lld with %zu alerts", (long long)e->g->limit, limit_count);
    }
    size_t it = 0;
    uint64_t *v;
    while (rc == OK && u64map_next(r->alerts, &it, NULL, &v))
        if (!step(&st, (RuleAlert *)(uintptr_t)*v)) rc = no_memory(reterr);
    forget_gone(&st);
    note_changes(e, r);
    return rc;
}

/* --- sending --- */

static bool is_due(const RuleAlert *a, int64_t t_ns) {
    if (a->state == RULE_PENDING) return false;
    if (a->resolved_ns > a->sent_ns) return true;
    return a->sent_ns + RULE_RESEND_NS < t_ns;
}

/* /graph?g0.expr=...&g0.tab=1 */
static Str generator_url(RuleEval *e, const Rule *r) {
    Buf url = {0};
    buf_put_str(&url, e->m->opts.external_url);
    buf_put_lit(&url, "/graph?g0.expr=");
    http_url_encode(&url, r->query);
    buf_put_lit(&url, "&g0.tab=1");
    Str out = arena_copy(e->arena, buf_str(&url));
    buf_done(&url);
    return out;
}

/* External labels where the alert has none of that name, then alert_relabel_configs; false: it is dropped. */
static bool outgoing_labels(RuleEval *e, Labels labels, Labels *ret) {
    RelabelSet set = {.arena = e->arena};
    const Labels ext = e->m->external_labels;
    for (size_t i = 0; i < labels.n; i++)
        if (!avec_push(e->arena, &set.labels, labels.v[i])) return false;
    for (size_t i = 0; i < ext.n; i++)
        if (!labels_get(labels, ext.v[i].name).p && !avec_push(e->arena, &set.labels, ext.v[i])) return false;
    if (relabel_apply(e->m->alert_relabel, &set) != RELABEL_KEPT) return false;
    if (labels_normalize(set.labels.v, &set.labels.n, NULL) != OK) return false;
    *ret = labels_copy(e->arena, (Labels){set.labels.v, set.labels.n});
    return ret->v != NULL;
}

typedef AVEC(Alert) AlertVec;

static void push_due(RuleEval *e, const Rule *r, RuleAlert *a, Str url, AlertVec *out) {
    int64_t step_ns = MAX(e->g->interval_ns, RULE_RESEND_NS);
    a->sent_ns = e->t_ns;
    a->valid_until_ns = e->t_ns + 4 * step_ns;
    Alert alert = {.starts_ns = a->fired_ns,
        .ends_ns = a->resolved_ns ? a->resolved_ns : a->valid_until_ns,
        .updated_ns = e->t_ns,
        .generator_url = url,
        .annotations = labels_copy(e->arena, a->annotations),
        .by_name = str_eq_lit(e->g->file, RULE_BUILTIN_WATCHDOG)};
    (void)r;
    if (outgoing_labels(e, a->labels, &alert.labels)) (void)avec_push(e->arena, out, alert);
}

void rule_alert_send(RuleEval *e, Rule *r) {
    AlertVec out = {0};
    Str url = STR_NULL;
    size_t it = 0;
    uint64_t *v;
    mutex_lock(&e->g->mutex);
    while (u64map_next(r->alerts, &it, NULL, &v)) {
        RuleAlert *a = (RuleAlert *)(uintptr_t)*v;
        if (!is_due(a, e->t_ns)) continue;
        if (!url.p) url = generator_url(e, r);
        push_due(e, r, a, url, &out);
    }
    mutex_unlock(&e->g->mutex);
    if (out.n && e->m->opts.send) e->m->opts.send(e->m->opts.ctx, out.v, out.n);
}

/* --- alerts that another server, or this one without its state, has left in ALERTS_FOR_STATE --- */

static ErrCode select_for_state(RuleEval *e, const Rule *r, SeriesColumns *ret) {
    const Matcher *ms[2];
    MetricsStore *store = e->m->opts.metrics;
    int64_t now_ms = e->t_ns / NS_PER_MS;
    if (matcher_create(e->arena, MATCH_EQ, STR("alertname"), r->def.name, &ms[0], NULL) != OK ||
        matcher_create(e->arena, MATCH_EQ, LABEL_NAME_METRIC, STR("ALERTS_FOR_STATE"), &ms[1], NULL) != OK)
        return ERR_INVALID;
    MetricsSelect req = {.matchers = {ms, 2},
        .min_t_ms = now_ms - RULE_OUTAGE_TOLERANCE_NS / NS_PER_MS,
        .max_t_ms = now_ms - 1,
        .arena = e->arena};
    return store->ops->select(store, &req, ret, NULL);
}

static void restore_one(RuleEval *e, const Rule *r, RuleAlert *a, int64_t down_ns, int64_t active_ns) {
    int64_t hold = r->def.for_ms * NS_PER_MS, left = hold - (down_ns - active_ns);
    if (left <= 0)
        a->active_ns = active_ns; /* it was firing */
    else if (left < RULE_GRACE_NS)
        a->active_ns = e->t_ns + RULE_GRACE_NS - hold;
    else
        a->active_ns = active_ns + (e->t_ns - down_ns);
    a->dirty = true;
}

void rule_alert_restore_foreign(RuleEval *e, Rule *r) {
    SeriesColumns cols = {0};
    r->try_foreign = false;
    if (r->def.for_ms * NS_PER_MS < RULE_GRACE_NS || u64map_count(r->alerts) == 0) return;
    if (select_for_state(e, r, &cols) != OK) return;
    mutex_lock(&e->g->mutex);
    for (size_t i = 0; i < cols.n; i++) {
        const SeriesColumn *c = &cols.v[i];
        Labels labels;
        if (c->n == 0 || is_stale_nan(c->value[c->n - 1])) continue;
        if (!rule_labels_merge(e->arena, c->labels, NULL, 0, &labels)) break;
        uint64_t *slot = u64map_get(r->alerts, labels_hash(labels));
        RuleAlert *a = slot ? (RuleAlert *)(uintptr_t)*slot : NULL;
        if (a && a->state == RULE_PENDING)
            restore_one(e, r, a, c->t_ms[c->n - 1] * NS_PER_MS, (int64_t)c->value[c->n - 1] * NS_PER_S);
    }
    note_changes(e, r);
    mutex_unlock(&e->g->mutex);
}
