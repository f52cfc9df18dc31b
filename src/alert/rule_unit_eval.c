/* rule_unit_eval.c - one unit test: series in, rules evaluated step by step, alerts and values compared. */
#include "alert/rule_int.h"
#include "alert/rule_unit_int.h"
#include "base/num.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define STEPS_MAX 1000000
#define QUERY_BYTES ((size_t)512 << 20)

typedef struct World {
    UnitRun *run;
    const UnitTest *test;
    Fs *fs;
    MetricsStore *store;
    RuleManager *m;
    RuleGroup **groups; /* in the order of evaluation */
    size_t n_groups;
    Arena *arena; /* of one comparison */
} World;

void rule_unit_fail(UnitRun *r, const char *fmt, ...) {
    va_list ap;
    Buf b = {0};
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    buf_reserve(&b, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(b.p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b.n = (size_t)n;
    rule_unit_fail_buf(r, &b);
}

void rule_unit_fail_buf(UnitRun *r, Buf *text) {
    (void)avec_push(r->arena, r->failures, arena_copy(r->arena, buf_str(text)));
    buf_done(text);
}

static void put_duration(Buf *b, int64_t ms) {
    if (ms < 0) buf_put_char(b, '-');
    duration_put_prom(b, ms < 0 ? -ms : ms);
}

/* --- loading --- */

static bool add_noted(MetricsBatch *b, const NotedSeries *s, int64_t start_ms, int64_t step_ms) {
    BatchSeries out = {
        .labels = s->labels, .first_sample = (uint32_t)b->value.n, .first_histogram = (uint32_t)b->histograms.n};
    for (size_t i = 0; i < s->n; i++) {
        int64_t t = start_ms + (int64_t)i * step_ms;
        bool ok = true;
        if (s->v[i].omitted) continue;
        if (s->v[i].histogram) {
            ok = avec_push(b->arena, &b->histogram_t_ms, t) && avec_push(b->arena, &b->histograms, *s->v[i].histogram);
            out.n_histograms++;
        } else {
            ok = avec_push(b->arena, &b->t_ms, t) && avec_push(b->arena, &b->value, s->v[i].value);
            out.n_samples++;
        }
        if (!ok) return false;
    }
    return avec_push(b->arena, &b->series, out);
}

static bool load_series(World *w) {
    MetricsBatch b = {.arena = arena_create((size_t)1 << 30)};
    MetricsAppendResult result = {0};
    Buf line = {0};
    Err err = {0};
    for (size_t i = 0; i < w->test->n_series && !err.code; i++) {
        NotedSeries s;
        buf_clear(&line);
        buf_put_str(&line, w->test->series[i].series);
        buf_put_char(&line, ' ');
        buf_put_str(&line, w->test->series[i].values);
        if (promql_parse_noted(arena_copy(b.arena, buf_str(&line)), b.arena, &s, &err) != OK) break;
        if (!add_noted(&b, &s, w->test->start_ms, w->test->interval_ms))
            err_set(&err, ERR_TOO_LARGE, "the input series do not fit in memory");
    }
    if (!err.code && b.series.n) (void)w->store->ops->append(w->store, &b, &result, &err);
    if (err.code) rule_unit_fail(w->run, "%s", err.msg);
    buf_done(&line);
    arena_free(b.arena);
    return !err.code;
}

/* --- opening --- */

static size_t order_of(const UnitFile *f, Str name) {
    for (size_t i = 0; i < f->n_order; i++)
        if (str_eq(f->order[i], name)) return i;
    return 0; /* as promtool: unnamed groups stand with the first */
}

static const UnitFile *sort_file;

static int group_cmp(const void *a, const void *b) {
    const RuleGroup *x = *(RuleGroup *const *)a, *y = *(RuleGroup *const *)b;
    size_t i = order_of(sort_file, x->name), k = order_of(sort_file, y->name);
    if (i != k) return i < k ? -1 : 1;
    int c = str_cmp(x->file, y->file);
    return c ? c : (x->line > y->line) - (x->line < y->line);
}

static bool load_rules(World *w) {
    Buf out = {0};
    RuleManagerConfig config = {.files = w->run->rule_files,
        .n_files = w->run->n_rule_files,
        .evaluation_interval_ms = w->test->interval_ms,
        .external_labels = w->test->external_labels,
        .ignore_unknown = w->run->opts->ignore_unknown};
    ErrCode r = rule_manager_load(w->m, &config, &out);
    if (r != OK) {
        while (out.n && out.p[out.n - 1] == '\n') out.n--;
        rule_unit_fail_buf(w->run, &out);
        return false;
    }
    buf_done(&out);
    w->n_groups = rule_manager_snapshot(w->m, &w->groups);
    sort_file = w->run->file;
    if (w->n_groups > 1) qsort(w->groups, w->n_groups, sizeof *w->groups, group_cmp);
    return true;
}

static bool load_input(World *w) {
    const RuleUnitOptions *o = w->run->opts;
    RuleUnitInput input = {w->test->spans, w->test->logs, w->test->start_ms};
    Err err = {0};
    if (!o->load) {
        bool any = input.spans || input.logs;
        if (any) rule_unit_fail(w->run, "input_spans and input_logs cannot be loaded here");
        return !any;
    }
    if (o->load(o->ctx, &input, &err) == OK) return true;
    rule_unit_fail(w->run, "%d:%d: %s", err.line, err.col, err.msg);
    return false;
}

static bool world_open(World *w) {
    Err err = {0};
    const RuleUnitOptions *o = w->run->opts;
    w->arena = arena_create(QUERY_BYTES);
    w->fs = fs_fault_create(1);
    MetricsStoreOptions store = {.retention_ms = INT64_C(300) * 365 * 86400000, .head_bytes_max = (size_t)1 << 30};
    RuleManagerOptions rules = {
        .manual = true, .external_url = w->test->external_url, .query = o->query, .check = o->check, .ctx = o->ctx};
    ErrCode r = metrics_store_open(w->fs, "/unit", &store, &w->store, &err);
    rules.metrics = w->store;
    rules.engine.delayed_name_removal = o->delayed_name_removal;
    if (r == OK) r = rule_manager_create(&rules, &w->m, &err);
    if (r != OK) rule_unit_fail(w->run, "%s", err.msg);
    return r == OK && load_series(w) && load_input(w) && load_rules(w);
}

static void world_close(World *w) {
    if (w->groups) rule_manager_release(w->groups, w->n_groups);
    rule_manager_free(w->m);
    arena_free(w->arena);
    if (w->store) w->store->ops->close(w->store);
    fs_fault_free(w->fs);
}

/* --- evaluation --- */

static bool eval_groups(World *w, int64_t t_ms) {
    bool ok = true;
    for (size_t i = 0; i < w->n_groups; i++) {
        RuleGroup *g = w->groups[i];
        rule_group_eval(w->m, g, t_ms * NS_PER_MS);
        for (size_t k = 0; k < g->n_rules; k++) {
            if (!g->rules[k].last_error) continue;
            Buf text = {0};
            buf_printf(&text, "    rule: %" STR_FMT ", time: ", STR_ARG(g->rules[k].def.name));
            duration_put_go(&text, t_ms * NS_PER_MS);
            buf_printf(&text, ", err: %s", g->rules[k].last_error);
            rule_unit_fail_buf(w->run, &text);
            ok = false;
        }
    }
    return ok;
}

/* --- alerts --- */

typedef AVEC(UnitExpAlert) AlertSet;

static void collect_rule(World *w, const Rule *r, AlertSet *out) {
    size_t it = 0;
    uint64_t *v;
    while (u64map_next(r->alerts, &it, NULL, &v)) {
        const RuleAlert *a = (const RuleAlert *)(uintptr_t)*v;
        if (a->state == RULE_FIRING) (void)avec_push(w->arena, out, (UnitExpAlert){a->labels, a->annotations});
    }
}

static AlertSet firing(World *w, Str name) {
    AlertSet out = {0};
    for (size_t i = 0; i < w->n_groups; i++)
        for (size_t k = 0; k < w->groups[i]->n_rules; k++) {
            const Rule *r = &w->groups[i]->rules[k];
            if (r->def.alerting && str_eq(r->def.name, name)) collect_rule(w, r, &out);
        }
    return out;
}

static int exp_alert_cmp(const void *a, const void *b) {
    const UnitExpAlert *x = a, *y = b;
    int c = labels_cmp(x->labels, y->labels);
    return c ? c : labels_cmp(x->annotations, y->annotations);
}

static bool alerts_eq(const AlertSet *a, const AlertSet *b) {
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (exp_alert_cmp(&a->v[i], &b->v[i]) != 0) return false;
    return true;
}

static void put_alerts(Buf *out, const AlertSet *s) {
    buf_put_char(out, '[');
    for (size_t i = 0; i < s->n; i++) {
        buf_printf(out, "\n            %zu:\n              Labels:", i);
        labels_put_text(out, s->v[i].labels);
        buf_put_lit(out, "\n              Annotations:");
        labels_put_text(out, s->v[i].annotations);
    }
    buf_put_str(out, s->n ? STR("\n            ]") : STR("]"));
}

/* Lines that only one side has, with - and +. */
static void put_diff(Buf *out, Str exp, Str got, bool colour) {
    Str rest[2] = {exp, got}, line;
    static const char *const on[] = {"\033[31m", "\033[32m"};
    for (int side = 0; side < 2; side++)
        while (str_split_next(&rest[side], '\n', &line)) {
            Str other = side ? exp : got, l;
            bool there = false;
            while (!there && str_split_next(&other, '\n', &l)) there = str_eq(l, line);
            if (there) continue;
            buf_printf(out, "\n        %s%c %" STR_FMT "%s", colour ? on[side] : "", side ? '+' : '-',
                STR_ARG(str_trim(line)), colour ? "\033[0m" : "");
        }
}

static void alerts_differ(World *w, const UnitAlertTest *t, const AlertSet *exp, const AlertSet *got) {
    Buf text = {0}, e = {0}, g = {0};
    put_alerts(&e, exp);
    put_alerts(&g, got);
    if (w->test->name.n) buf_printf(&text, "    name: %" STR_FMT ",\n", STR_ARG(w->test->name));
    buf_printf(&text, "    alertname: %" STR_FMT ", time: ", STR_ARG(t->alertname));
    put_duration(&text, t->eval_ms);
    if (w->run->opts->diff) {
        buf_put_lit(&text, ", \n        diff:");
        put_diff(&text, buf_str(&e), buf_str(&g), w->run->opts->colour);
    } else {
        buf_printf(
            &text, ", \n        exp:%" STR_FMT ", \n        got:%" STR_FMT, STR_ARG(buf_str(&e)), STR_ARG(buf_str(&g)));
    }
    rule_unit_fail_buf(w->run, &text);
    buf_done(&e);
    buf_done(&g);
}

/* The user gives the labels without alertname. */
static void check_alert(World *w, const UnitAlertTest *t) {
    AlertSet got = firing(w, t->alertname), exp = {0};
    for (size_t i = 0; i < t->n_exp; i++) {
        Labels l = rule_labels_with(w->arena, t->exp[i].labels, STR("alertname"), t->alertname);
        (void)avec_push(w->arena, &exp, (UnitExpAlert){l, t->exp[i].annotations});
    }
    if (got.n > 1) qsort(got.v, got.n, sizeof *got.v, exp_alert_cmp);
    if (exp.n > 1) qsort(exp.v, exp.n, sizeof *exp.v, exp_alert_cmp);
    if (!alerts_eq(&exp, &got)) alerts_differ(w, t, &exp, &got);
    arena_reset(w->arena);
}

/* Those of the interval that begins at t: they see the evaluation at t. In the order of their time, then of the file.
 */
static void check_alerts(World *w, int64_t t_ms, int64_t step_ms) {
    int64_t at = t_ms;
    for (;;) {
        int64_t next = INT64_MAX;
        for (size_t i = 0; i < w->test->n_alerts; i++) {
            const UnitAlertTest *a = &w->test->alerts[i];
            if (a->eval_ms == at) check_alert(w, a);
            if (a->eval_ms > at) next = MIN(next, a->eval_ms);
        }
        if (next >= t_ms + step_ms) return;
        at = next;
    }
}

/* --- expressions --- */

typedef struct Value {
    Labels labels;
    double v;
    Str histogram;
} Value;
typedef AVEC(Value) Values;

static int value_cmp(const void *a, const void *b) {
    return labels_cmp(((const Value *)a)->labels, ((const Value *)b)->labels);
}

static Str histogram_text(World *w, const Histogram *h, bool with_hint) {
    Buf b = {0};
    promql_put_noted_histogram(&b, h, with_hint);
    Str out = arena_copy(w->arena, buf_str(&b));
    buf_done(&b);
    return out;
}

static bool floats_eq(const UnitFile *f, double a, double b) {
    if (a == b || (isnan(a) && isnan(b))) return true;
    return f->fuzzy && (nextafter(a, -INFINITY) == b || nextafter(a, INFINITY) == b);
}

/* A store need not know whether a counter has gone on; only what it says to the contrary counts. */
static bool histograms_eq(Str a, Str b) {
    Str hint = STR(" counter_reset_hint:not_reset"), *v[] = {&a, &b};
    Buf kept[2] = {0};
    for (int i = 0; i < 2; i++) {
        size_t at = str_find(*v[i], hint);
        buf_put_str(&kept[i], str_slice(*v[i], 0, at == SIZE_MAX ? v[i]->n : at));
        if (at != SIZE_MAX) buf_put_str(&kept[i], str_skip(*v[i], at + hint.n));
    }
    bool eq = str_eq(buf_str(&kept[0]), buf_str(&kept[1]));
    buf_done(&kept[0]);
    buf_done(&kept[1]);
    return eq;
}

static bool values_eq(const UnitFile *f, const Values *a, const Values *b) {
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (!labels_eq(a->v[i].labels, b->v[i].labels) || !floats_eq(f, a->v[i].v, b->v[i].v) ||
            !histograms_eq(a->v[i].histogram, b->v[i].histogram))
            return false;
    return true;
}

/* 1E+00 */
static void put_number(Buf *b, double v) {
    if (v != v || isinf(v)) {
        num_put_f64_prom(b, v);
        return;
    }
    uint64_t digits;
    int exp10;
    bool negative;
    char d[24];
    num_shortest_f64(v, &digits, &exp10, &negative);
    int n = snprintf(d, sizeof d, "%llu", (unsigned long long)digits), e = digits ? exp10 + n - 1 : 0;
    buf_printf(b, "%s%c%s%sE%c%02d", negative ? "-" : "", d[0], n > 1 ? "." : "", d + 1, e < 0 ? '-' : '+', abs(e));
}

/* promtool shows the name as the label that it is. */
static void put_label_set(Buf *b, Labels l) {
    buf_put_char(b, '{');
    for (size_t i = 0; i < l.n; i++) {
        buf_printf(b, "%s%" STR_FMT "=", i ? ", " : "", STR_ARG(l.v[i].name));
        json_put_string(b, l.v[i].value);
    }
    buf_put_char(b, '}');
}

static void put_values(Buf *b, const Values *s) {
    if (s->n == 0) buf_put_lit(b, "nil");
    for (size_t i = 0; i < s->n; i++) {
        if (i) buf_put_lit(b, ", ");
        put_label_set(b, s->v[i].labels);
        buf_put_char(b, ' ');
        if (s->v[i].histogram.n)
            buf_put_str(b, s->v[i].histogram);
        else
            put_number(b, s->v[i].v);
    }
}

static void begin_expr(Buf *b, const UnitExprTest *t) {
    buf_put_lit(b, "    expr: ");
    json_put_string(b, t->expr);
    buf_put_lit(b, ", time: ");
    put_duration(b, t->eval_ms);
    buf_put_lit(b, ",");
}

static bool expected(World *w, const UnitExprTest *t, Values *out, bool *ret_hints, Err *err) {
    for (size_t i = 0; i < t->n_exp; i++) {
        const UnitSample *s = &t->exp[i];
        NotedSeries noted;
        Value v = {.v = s->value};
        Str labels = str_trim(s->labels).n ? s->labels : STR("{}");
        if (promql_parse_noted(labels, w->arena, &noted, err) != OK) {
            err_prefix(err, "labels \"%.*s\"", (int)MIN(s->labels.n, 200), s->labels.p);
            return false;
        }
        v.labels = noted.labels;
        if (s->histogram.n) {
            Str line = arena_printf(w->arena, "{} %" STR_FMT, STR_ARG(s->histogram));
            if (promql_parse_noted(line, w->arena, &noted, err) != OK || noted.n != 1 || !noted.v[0].histogram) {
                if (!err->code) err_set(err, ERR_INVALID, "expected 1 histogram");
                err_prefix(err, "labels \"%.*s\"", (int)MIN(s->labels.n, 200), s->labels.p);
                return false;
            }
            *ret_hints |= str_contains(s->histogram, STR("counter_reset_hint"));
            v.histogram = histogram_text(w, noted.v[0].histogram, true);
        }
        if (!avec_push(w->arena, out, v)) return false;
    }
    return true;
}

static bool asked(World *w, const UnitExprTest *t, bool hints, Values *out, Err *err) {
    PromqlResult r;
    int64_t at = w->test->start_ms + t->eval_ms;
    PromqlQuery q = {.start_ms = at, .end_ms = at};
    PromqlOptions engine = {
        .subquery_step_ms = w->run->file->interval_ms, .delayed_name_removal = w->run->opts->delayed_name_removal};
    if (promql_exec(w->store, &engine, &q, t->expr, w->arena, &r, err) != OK) return false;
    for (size_t i = 0; i < r.n; i++) {
        const Histogram *h = r.series[i].histogram ? r.series[i].histogram[0] : NULL;
        Value v = {r.series[i].labels, h ? 0 : r.series[i].value[0], h ? histogram_text(w, h, hints) : STR_NULL};
        if (!avec_push(w->arena, out, v)) return false;
    }
    return true;
}

static void check_expr(World *w, const UnitExprTest *t) {
    Values exp = {0}, got = {0};
    Err err = {0};
    bool hints = false;
    Buf text = {0}, e = {0}, g = {0};
    if (!expected(w, t, &exp, &hints, &err) || !asked(w, t, hints, &got, &err)) {
        begin_expr(&text, t);
        buf_printf(&text, " err: %s", err.msg);
        rule_unit_fail_buf(w->run, &text);
        return;
    }
    if (exp.n > 1) qsort(exp.v, exp.n, sizeof *exp.v, value_cmp);
    if (got.n > 1) qsort(got.v, got.n, sizeof *got.v, value_cmp);
    if (values_eq(w->run->file, &exp, &got)) return;
    begin_expr(&text, t);
    put_values(&e, &exp);
    put_values(&g, &got);
    buf_printf(
        &text, "\n        exp: %" STR_FMT "\n        got: %" STR_FMT, STR_ARG(buf_str(&e)), STR_ARG(buf_str(&g)));
    rule_unit_fail_buf(w->run, &text);
    buf_done(&e);
    buf_done(&g);
}

/* --- all of it --- */

static int64_t last_eval_ms(const UnitTest *t) {
    int64_t last = 0;
    for (size_t i = 0; i < t->n_alerts; i++) last = MAX(last, t->alerts[i].eval_ms);
    for (size_t i = 0; i < t->n_exprs; i++) last = MAX(last, t->exprs[i].eval_ms);
    return last;
}

static void run_steps(World *w) {
    int64_t step = w->run->file->interval_ms, last = last_eval_ms(w->test);
    if (last / step > STEPS_MAX) {
        rule_unit_fail(w->run, "more than %d evaluations", STEPS_MAX);
        return;
    }
    for (int64_t t = 0; t <= last; t += step) {
        if (!eval_groups(w, w->test->start_ms + t)) return;
        check_alerts(w, t, step);
    }
    for (size_t i = 0; i < w->test->n_exprs; i++) {
        check_expr(w, &w->test->exprs[i]);
        arena_reset(w->arena);
    }
}

/* --- --debug --- */

static void tell(const UnitRun *r, Buf *text) {
    r->opts->debug(r->opts->ctx, buf_str(text));
    buf_done(text);
}

static void put_points(Buf *out, const PromqlSeries *s, bool histograms) {
    for (size_t i = 0; i < s->n; i++) {
        const Histogram *h = s->histogram ? s->histogram[i] : NULL;
        if ((h != NULL) != histograms) continue;
        buf_put_char(out, '\n');
        if (h)
            promql_put_histogram_text(out, h);
        else
            num_put_f64_plain(out, s->value[i]);
        buf_printf(out, " @[%lld]", (long long)s->t_ms[i]);
    }
}

/* Up to the next whole second after the last time that is looked at. */
static void dump_all(World *w) {
    Buf out = {0}, expr = {0};
    Err err = {0};
    PromqlResult result;
    int64_t range_ns = (last_eval_ms(w->test) / 1000 + 1) * NS_PER_S, at = w->test->start_ms + range_ns / NS_PER_MS;
    PromqlQuery q = {.start_ms = at, .end_ms = at};
    PromqlOptions engine = {.subquery_step_ms = w->run->file->interval_ms};
    buf_put_lit(&expr, "{__name__=~\".+\"}[");
    duration_put_go(&expr, range_ns);
    buf_put_char(&expr, ']');
    if (promql_exec(w->store, &engine, &q, buf_str(&expr), w->arena, &result, &err) == OK) {
        buf_put_lit(&out, "DEBUG: Dump of all data (input_series and rules) at ");
        duration_put_go(&out, range_ns);
        buf_put_lit(&out, ":\n");
        for (size_t i = 0; i < result.n; i++) {
            if (i) buf_put_char(&out, '\n');
            put_label_set(&out, result.series[i].labels);
            buf_put_lit(&out, " =>");
            put_points(&out, &result.series[i], false);
            put_points(&out, &result.series[i], true);
        }
    } else {
        buf_printf(&out, "DEBUG: Failed query exec, expr: \"%s\", err: %s", buf_cstr(&expr), err.msg);
    }
    buf_put_char(&out, '\n');
    tell(w->run, &out);
    buf_done(&expr);
}

void rule_unit_test(UnitRun *r, const UnitTest *t, Str name) {
    World w = {.run = r, .test = t};
    int64_t begun_ns = clock_mono_ns();
    Buf text = {0};
    if (r->opts->debug) {
        buf_printf(&text, "DEBUG: Starting test %" STR_FMT "\n", STR_ARG(name));
        tell(r, &text);
    }
    bool open = world_open(&w);
    if (open) run_steps(&w);
    if (open && r->opts->debug) dump_all(&w);
    world_close(&w);
    if (r->opts->debug) {
        buf_printf(&text, "DEBUG: Test %" STR_FMT " finished, took ", STR_ARG(name));
        duration_put_go(&text, clock_mono_ns() - begun_ns);
        buf_put_char(&text, '\n');
        tell(r, &text);
    }
}
