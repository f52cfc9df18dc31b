/* rule_group.c - groups: made from their definition, handed on when the definition changes. */
#include "alert/rule_int.h"
#include "base/hash.h"
#include "metrics/promql/function.h"
#include "sys/clock.h"

static Str base_name(Str path) {
    size_t slash = str_rfind_char(path, '/');
    return slash == SIZE_MAX ? path : str_skip(path, slash + 1);
}

static void hash_part(uint64_t *h, Str s) { *h = hash_xx64(s, *h + s.n); }

static void hash_labels(uint64_t *h, Labels l) {
    for (size_t i = 0; i < l.n; i++) {
        hash_part(h, l.v[i].name);
        hash_part(h, l.v[i].value);
    }
}

/* --- what a rule reads: writes of the same evaluation that it may see must be in the store before --- */

static bool selector_reads(Arena *arena, RuleReads *reads, const PqlNode *n) {
    for (size_t i = 0; i < n->selector.matchers.n; i++) {
        const Matcher *m = n->selector.matchers.v[i];
        if (m->type == MATCH_EQ && str_eq(m->name, LABEL_NAME_METRIC)) return avec_push(arena, &reads->names, m->value);
    }
    reads->any = true;
    return true;
}

static bool collect_reads(Arena *arena, RuleReads *reads, const PqlNode *n) {
    bool ok = true;
    if (!n) return true;
    switch (n->kind) {
    case PQL_SELECTOR: return selector_reads(arena, reads, n);
    case PQL_MATRIX: return collect_reads(arena, reads, n->matrix.selector);
    case PQL_SUBQUERY: return collect_reads(arena, reads, n->subquery.expr);
    case PQL_UNARY: return collect_reads(arena, reads, n->unary.expr);
    case PQL_PAREN: return collect_reads(arena, reads, n->paren);
    case PQL_BINARY: return collect_reads(arena, reads, n->binary.lhs) && collect_reads(arena, reads, n->binary.rhs);
    case PQL_AGGREGATE:
        return collect_reads(arena, reads, n->aggregate.expr) && collect_reads(arena, reads, n->aggregate.param);
    case PQL_CALL:
        if (str_eq_lit(str_cstr(n->call.fn->name), "info")) reads->any = true;
        for (size_t i = 0; ok && i < n->call.args.n; i++) ok = collect_reads(arena, reads, n->call.args.v[i]);
        return ok;
    default: return true;
    }
}

/* --- creation --- */

static bool has_template(Labels l) {
    for (size_t i = 0; i < l.n; i++)
        if (str_find(l.v[i].value, STR("{{")) != SIZE_MAX) return true;
    return false;
}

/* Of a rule's state on disk: the same after a restart, whatever the working directory. nth: among equals. */
static uint64_t rule_key(const RuleGroup *g, const RuleDef *d, size_t nth) {
    uint64_t h = 0x72756c65;
    hash_part(&h, base_name(g->file));
    hash_part(&h, g->name);
    hash_part(&h, d->name);
    hash_labels(&h, d->labels);
    return h + nth;
}

static bool same_identity(const RuleDef *a, const RuleDef *b) {
    return a->alerting == b->alerting && str_eq(a->name, b->name) && labels_eq(a->labels, b->labels);
}

static void init_rule(RuleGroup *g, Rule *r, const RuleDef *d) {
    Buf text = {0};
    *r = (Rule){.def = *d, .query = d->expr};
    r->plain_labels = !has_template(d->labels);
    r->plain_annotations = !has_template(d->annotations);
    if (d->alerting)
        r->alerts = u64map_create();
    else
        r->written = u64map_create();
    if (d->datasource.n == 0) {
        ErrCode rc = promql_parse(d->expr, g->arena, &r->root, NULL);
        ASSERT(rc == OK); /* the file was checked */
        promql_print(&text, r->root);
        r->query = arena_copy(g->arena, buf_str(&text));
        if (!collect_reads(g->arena, &r->reads, r->root)) r->reads.any = true;
        buf_done(&text);
    }
    size_t nth = 0;
    for (const Rule *it = g->rules; it < r; it++) nth += same_identity(&it->def, d);
    r->key = rule_key(g, d, nth);
}

static uint64_t content_of(const RuleManager *m, const RuleGroup *g, const RuleGroupDef *def) {
    Buf text = {0};
    rule_group_put_yaml(&text, def, 0);
    buf_printf(&text, "%lld %lld", (long long)g->interval_ns, (long long)g->query_offset_ms);
    uint64_t h = hash_xx64(buf_str(&text), 0);
    buf_done(&text);
    hash_labels(&h, m->external_labels);
    return h;
}

RuleSource *rule_source_create(Arena *arena) {
    RuleSource *s = NEW(RuleSource);
    s->arena = arena;
    atomic_store(&s->refs, 1);
    return s;
}

RuleSource *rule_source_unref(RuleSource *s) {
    if (!s || atomic_fetch_sub(&s->refs, 1) > 1) return NULL;
    arena_free(s->arena);
    mem_free(s);
    return NULL;
}

RuleGroup *rule_group_create(RuleManager *m, Str file, const RuleGroupDef *def, RuleSource *source) {
    RuleGroup *g = NEW(RuleGroup);
    g->source = source;
    atomic_fetch_add(&source->refs, 1);
    g->arena = arena_create(ARENA_UNLIMITED);
    g->file = file;
    g->name = def->name;
    g->interval_ns = def->interval_ms ? def->interval_ms * NS_PER_MS : m->interval_ns;
    g->query_offset_ms = def->query_offset_ms >= 0 ? def->query_offset_ms : m->query_offset_ms;
    g->limit = def->limit;
    g->line = def->line;
    g->content = content_of(m, g, def);
    uint64_t h = 0;
    hash_part(&h, g->file);
    hash_part(&h, g->name);
    g->phase_ns = (int64_t)(h % (uint64_t)(g->interval_ns / NS_PER_MS)) * NS_PER_MS;
    g->rules = mem_alloc_zero((def->n_rules + 1) * sizeof *g->rules);
    mutex_init(&g->mutex);
    for (; g->n_rules < def->n_rules; g->n_rules++) init_rule(g, &g->rules[g->n_rules], &def->rules[g->n_rules]);
    atomic_store(&g->refs, 1);
    return g;
}

void rule_alert_free(RuleAlert *a) {
    rule_labels_free(a->labels);
    rule_labels_free(a->annotations);
    mem_free(a);
}

void rule_series_free(RuleSeries *s) {
    rule_labels_free(s->labels);
    mem_free(s);
}

static void free_rule(Rule *r) {
    size_t it = 0;
    uint64_t *v;
    while (r->alerts && u64map_next(r->alerts, &it, NULL, &v)) rule_alert_free((RuleAlert *)(uintptr_t)*v);
    it = 0;
    while (r->written && u64map_next(r->written, &it, NULL, &v)) rule_series_free((RuleSeries *)(uintptr_t)*v);
    for (size_t i = 0; i < r->lost.n; i++) rule_labels_free(r->lost.v[i]);
    vec_done(&r->lost);
    u64map_free(r->alerts);
    u64map_free(r->written);
    mem_free(r->last_error);
}

RuleGroup *rule_group_unref(RuleGroup *g) {
    if (!g || atomic_fetch_sub(&g->refs, 1) > 1) return NULL;
    for (size_t i = 0; i < g->n_rules; i++) free_rule(&g->rules[i]);
    for (size_t i = 0; i < g->orphans.n; i++) rule_labels_free(g->orphans.v[i]);
    vec_done(&g->orphans);
    mutex_done(&g->mutex);
    mem_free(g->rules);
    arena_free(g->arena);
    rule_source_unref(g->source);
    mem_free(g);
    return NULL;
}

int64_t rule_group_next(const RuleGroup *g, int64_t t_ns) {
    int64_t t = t_ns - g->phase_ns;
    return t - t % g->interval_ns + g->interval_ns + g->phase_ns;
}

/* --- handing on --- */

/* Every series that the rule's last evaluation wrote. */
static void each_series(Rule *r, Arena *arena, void (*fn)(void *ctx, Labels l), void *ctx) {
    size_t it = 0;
    uint64_t *v;
    while (r->written && u64map_next(r->written, &it, NULL, &v)) fn(ctx, ((RuleSeries *)(uintptr_t)*v)->labels);
    it = 0;
    while (r->alerts && u64map_next(r->alerts, &it, NULL, &v)) {
        const RuleAlert *a = (const RuleAlert *)(uintptr_t)*v;
        if (a->written == RULE_INACTIVE) continue;
        fn(ctx, rule_alert_series(arena, r, a->labels, a->written));
        fn(ctx, rule_alert_for_series(arena, r, a->labels));
    }
    for (size_t i = 0; i < r->lost.n; i++) fn(ctx, r->lost.v[i]);
}

static void push_orphan(void *ctx, Labels l) {
    RuleGroup *g = ctx;
    vec_push(&g->orphans, rule_labels_dup(l));
}

static void take_state(Rule *r, Rule *old) {
    U64Map *alerts = r->alerts, *written = r->written;
    r->alerts = old->alerts;
    r->written = old->written;
    old->alerts = alerts;
    old->written = written;
    for (size_t i = 0; i < old->lost.n; i++) vec_push(&r->lost, old->lost.v[i]);
    vec_clear(&old->lost);
    r->round = old->round;
    r->health = old->health;
    r->last_error = old->last_error;
    r->evaluated_ns = old->evaluated_ns;
    r->took_ns = old->took_ns;
    old->last_error = NULL;
}

void rule_group_inherit(RuleGroup *g, RuleGroup *old) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    bool *taken = mem_alloc_zero(old->n_rules + 1);
    for (size_t i = 0; i < g->n_rules; i++)
        for (size_t k = 0; k < old->n_rules; k++) {
            if (taken[k] || !same_identity(&g->rules[i].def, &old->rules[k].def)) continue;
            take_state(&g->rules[i], &old->rules[k]);
            taken[k] = true;
            break;
        }
    for (size_t k = 0; k < old->n_rules; k++)
        if (!taken[k]) each_series(&old->rules[k], arena, push_orphan, g);
    for (size_t i = 0; i < old->orphans.n; i++) vec_push(&g->orphans, old->orphans.v[i]);
    vec_clear(&old->orphans);
    g->evaluated_ns = old->evaluated_ns;
    g->took_ns = old->took_ns;
    mem_free(taken);
    arena_free(arena);
}

void rule_group_adopt(RuleGroup *g, RuleGroup *old) {
    for (size_t i = 0; i < g->n_rules; i++) {
        Rule *r = &g->rules[i];
        if (r->def.alerting || r->evaluated_ns || u64map_count(r->written)) continue;
        for (size_t k = 0; k < old->n_rules; k++) {
            Rule *from = &old->rules[k];
            if (!same_identity(&r->def, &from->def) || !u64map_count(from->written)) continue;
            U64Map *written = r->written;
            r->written = from->written;
            from->written = written;
            r->round = from->round;
            break;
        }
    }
}

typedef struct Retire {
    MetricsBatch batch;
    int64_t t_ms;
} Retire;

static void add_stale(void *ctx, Labels l) {
    Retire *r = ctx;
    (void)metrics_batch_add(&r->batch, labels_copy(r->batch.arena, l), r->t_ms, stale_nan());
}

void rule_group_retire(RuleManager *m, RuleGroup *g, int64_t t_ns) {
    Retire r = {.batch = {.arena = arena_create(ARENA_UNLIMITED)},
        .t_ms = MAX(t_ns, g->evaluated_ns + NS_PER_MS) / NS_PER_MS - g->query_offset_ms};
    Buf gone = {0};
    MetricsAppendResult result = {0};
    for (size_t i = 0; i < g->n_rules; i++) {
        size_t it = 0;
        uint64_t *v;
        each_series(&g->rules[i], r.batch.arena, add_stale, &r);
        while (g->rules[i].alerts && u64map_next(g->rules[i].alerts, &it, NULL, &v))
            rule_state_put_gone(&gone, g->rules[i].key, (const RuleAlert *)(uintptr_t)*v);
    }
    for (size_t i = 0; i < g->orphans.n; i++) add_stale(&r, g->orphans.v[i]);
    if (r.batch.series.n) (void)m->opts.metrics->ops->append(m->opts.metrics, &r.batch, &result, NULL);
    if (m->state && gone.n) (void)rule_state_commit(m->state, buf_str(&gone), NULL);
    buf_done(&gone);
    arena_free(r.batch.arena);
}
