/* promtool_backfill.c - promtool tsdb create-blocks-from rules: past values of recording rules.
 *
 * A server that has the data evaluates each rule over windows of two hours, at multiples of its group's interval; what
 * it answers is gathered in a store of its own and written as blocks. Alerting rules are left out. */
#include "alert/rule_file.h"
#include "base/log.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "base/vec.h"
#include "cmd/progress.h"
#include "cmd/promtool_int.h"
#include "cmd/query_int.h"
#include "cmd/rule_query.h"
#include "cmd/tsdb_cmd.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <stdio.h>

#define RULE_FILE_MAX (64u << 20)
#define WINDOW_MS (INT64_C(2) * 3600 * 1000)
#define ANSWER_ARENA ((size_t)1 << 30)
#define DEFAULT_END_NS (INT64_C(3) * 3600 * NS_PER_S) /* back from now: later blocks would meet the server's head */

typedef struct Backfill {
    PtClient client;
    MetricsStore *store;
    const _Atomic bool *cancel;
    int64_t start_ms, end_ms, interval_ms;
    Buf error;
} Backfill;

/* --- one answer --- */

static bool add_point(MetricsBatch *b, BatchSeries *s, const JsonValue *point) {
    const JsonValue *t = point->first, *v = t ? t->next : NULL;
    double seconds, value;
    if (!v || !num_parse_f64(t->text, &seconds) || !num_parse_f64(v->text, &value)) return false;
    s->n_samples++;
    return avec_push(b->arena, &b->t_ms, (int64_t)(seconds * 1000 + 0.5)) && avec_push(b->arena, &b->value, value);
}

/* The rule's labels are put over those of the result; its name is the metric's. */
static bool add_series(MetricsBatch *b, const RuleDef *rule, const JsonValue *series, Err *err) {
    const JsonValue *metric = json_get(series, STR("metric")), *values = json_get(series, STR("values"));
    Label *v = ARENA_ARRAY(b->arena, Label, (metric ? metric->n : 0) + rule->labels.n + 1);
    BatchSeries s = {.first_sample = (uint32_t)b->value.n};
    size_t n = 0;
    if (!v) return false;
    for (const JsonValue *l = metric ? metric->first : NULL; l; l = l->next) {
        bool over = str_eq(l->key, LABEL_NAME_METRIC);
        for (size_t i = 0; i < rule->labels.n; i++) over |= str_eq(l->key, rule->labels.v[i].name);
        if (!over) v[n++] = (Label){l->key, l->text};
    }
    for (size_t i = 0; i < rule->labels.n; i++) v[n++] = rule->labels.v[i];
    v[n++] = (Label){LABEL_NAME_METRIC, rule->name};
    if (labels_normalize(v, &n, err) != OK) return false;
    s.labels = (Labels){v, n};
    for (const JsonValue *p = values ? values->first : NULL; p; p = p->next)
        if (!add_point(b, &s, p)) return false;
    return avec_push(b->arena, &b->series, s);
}

static ErrCode take_answer(Backfill *f, const RuleDef *rule, const JsonValue *data, Err *reterr) {
    MetricsBatch b = {.arena = arena_create(ANSWER_ARENA)};
    MetricsAppendResult r = {0};
    const JsonValue *result = json_get(data, STR("result"));
    ErrCode code = OK;
    if (!str_eq_lit(json_get_str(data, STR("resultType")), "matrix"))
        code = err_set(
            reterr, ERR_INVALID, "rule result is wrong type %" STR_FMT, STR_ARG(json_get_str(data, STR("resultType"))));
    for (const JsonValue *s = result ? result->first : NULL; s && code == OK; s = s->next)
        if (!add_series(&b, rule, s, reterr))
            code = reterr->code ? reterr->code : err_set(reterr, ERR_INVALID, "the answer cannot be read");
    if (code == OK && b.series.n) code = tsdb_append(f->store, &b, &r, reterr);
    if (code == OK && r.conflicts)
        code = err_set(reterr, ERR_INVALID, "two values for the same series and time: %s", r.first_error);
    arena_free(b.arena);
    return code;
}

/* --- rules --- */

/* From start to end, both among the times of the group. */
static ErrCode ask_window(Backfill *f, const RuleDef *rule, int64_t start, int64_t end, int64_t step, Err *reterr) {
    Buf query = {0};
    const char *headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    query_put_param(&query, "query", rule->expr);
    pt_put_time(&query, "start", start * NS_PER_MS);
    pt_put_time(&query, "end", end * NS_PER_MS);
    pt_put_time(&query, "step", step * NS_PER_MS);
    buf_clear(&f->error);
    const JsonValue *data =
        pt_api(&f->client, "POST", "/api/v1/query_range", buf_str(&query), headers, NULL, &f->error);
    ErrCode code = data ? take_answer(f, rule, data, reterr)
                        : err_set(reterr, ERR_UNAVAILABLE, "query range: %s", buf_cstr(&f->error));
    buf_done(&query);
    arena_reset(f->client.answers);
    return code;
}

static int64_t at_or_after(int64_t t, int64_t step) { return (t + step - 1) / step * step; }

static ErrCode backfill_rule(Backfill *f, const RuleDef *rule, int64_t step, Err *reterr) {
    for (int64_t window = f->start_ms / WINDOW_MS * WINDOW_MS; window <= f->end_ms; window += WINDOW_MS) {
        int64_t start = at_or_after(MAX(window, f->start_ms), step), end = MIN(window + WINDOW_MS - 1, f->end_ms);
        if (start > end) continue;
        if (*f->cancel) return err_set(reterr, ERR_CANCELLED, "cancelled");
        ErrCode code = ask_window(f, rule, start, end, step, reterr);
        if (code != OK) return code;
    }
    return OK;
}

static void say(const char *what, const char *key, Str value) {
    fprintf(stderr, "level=INFO msg=\"%s\" component=backfiller %s=%.*s\n", what, key, (int)value.n, value.p);
}

static bool backfill_group(Backfill *f, const RuleGroupDef *g) {
    int64_t step = g->interval_ms ? g->interval_ms : f->interval_ms;
    bool ok = true;
    say("processing group", "name", g->name);
    for (size_t i = 0; i < g->n_rules; i++) {
        Err err = {0};
        const RuleDef *rule = &g->rules[i];
        if (rule->alerting) continue;
        say("processing rule", "name", rule->name);
        if (rule->datasource.n)
            err_set(&err, ERR_UNSUPPORTED, "only rules over metrics can be evaluated for the past");
        else
            (void)backfill_rule(f, rule, step, &err);
        if (err.code) fprintf(stderr, "rule importer error: %s\n", err.msg);
        ok &= !err.code;
    }
    return ok;
}

/* --- files --- */

/* 0, or 1 when it has said what is wrong; parsed: nothing is evaluated before all files are read. */
static bool read_file(const char *name, Arena *arena, RuleFile *ret) {
    Buf text = {0}, out = {0};
    Err err = {0};
    DiagList diags;
    if (fs_read_stream(name, RULE_FILE_MAX, &text, &err) != OK) {
        fprintf(stderr, "rule importer parse error: %s\n", err.msg);
        return buf_done(&text), false;
    }
    Str copy = arena_copy(arena, buf_str(&text));
    buf_done(&text);
    diag_init(&diags, str_cstr(name), copy);
    bool ok = rule_file_parse(&(RuleFileOptions){.check = rule_query_check}, arena, ret, &diags) == OK;
    diag_render(&diags, &out, command_colour());
    if (!ok) fprintf(stderr, "rule importer parse error: %s", buf_cstr(&out));
    buf_done(&out);
    diag_done(&diags);
    return ok;
}

static int backfill_all(Backfill *f, const PtLine *l, Arena *arena) {
    size_t n = l->args.n;
    RuleFile *files = ARENA_ARRAY(arena, RuleFile, n);
    bool ok = files != NULL;
    for (size_t i = 0; i < n && ok; i++) ok = read_file(l->args.v[i], arena, &files[i]);
    if (!ok) return 1;
    for (size_t i = 0; i < n; i++)
        for (size_t g = 0; g < files[i].n_groups; g++) ok &= backfill_group(f, &files[i].groups[g]);
    if (!ok) fputs("error importing rules\n", stderr);
    return ok ? 0 : 1;
}

static int write_blocks(const Backfill *f, const PtLine *l) {
    Buf table = {0};
    Err err = {0};
    ErrCode code =
        tsdb_write_blocks(f->store, pt_text(l, "output-dir"), pt_switch(l, "human-readable"), f->cancel, &table, &err);
    if (code != OK) fprintf(stderr, "%s\n", err.msg);
    buf_done(&table);
    return code == OK ? 0 : 1;
}

static bool read_times(Backfill *f, const PtLine *l) {
    static const char *const names[] = {"end", "start"};
    int64_t ns[2] = {clock_now_ns() - DEFAULT_END_NS, 0};
    for (size_t i = 0; i < 2; i++) {
        const char *text = pt_text(l, names[i]);
        if (!text || (i == 0 && !*text) || pt_time(text, &ns[i])) continue;
        fprintf(stderr, "error parsing %s time: cannot parse \"%s\" to a valid timestamp\n", names[i], text);
        return false;
    }
    f->end_ms = ns[0] / NS_PER_S * 1000;
    f->start_ms = ns[1] / NS_PER_S * 1000;
    f->interval_ms = pt_duration_ns(l, "eval-interval") / NS_PER_MS;
    if (ns[1] < ns[0] && f->interval_ms > 0) return true;
    fputs(f->interval_ms > 0 ? "start time is not before end time\n" : "--eval-interval is no time\n", stderr);
    return false;
}

int promtool_tsdb_create_rules(const PtLine *l) {
    Backfill f = {0};
    TsdbTemp temp;
    Err err = {0};
    if (!read_times(&f, l)) return 1;
    int code = pt_client_open(&f.client, pt_text(l, "url"), pt_text(l, "http.config.file"));
    if (code == 0 && tsdb_temp_open(&temp, &err) != OK) code = fprintf(stderr, "%s\n", err.msg) ? 1 : 1;
    if (code == 0) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        f.store = temp.store;
        f.cancel = progress_watch_signals();
        code = backfill_all(&f, l, arena);
        int written = write_blocks(&f, l); /* what could be evaluated */
        code = MAX(code, written);
        progress_unwatch_signals();
        tsdb_temp_close(&temp);
        arena_free(arena);
    }
    buf_done(&f.error);
    pt_client_close(&f.client);
    return code;
}
