/* promqltest.c - runs promqltest scripts (the language of Prometheus' own conformance files) against the engine.
 *
 *   promqltest [--delayed] [--verbose] FILE...          every eval must pass
 *   promqltest --ratchet LIST DIR                        LIST: lines "file.test minimum-of-passed-evals"
 * --threads splits the work between threads, however little it is. Exit code 77 when DIR is missing. */
#include "metrics/promql/promqltest_int.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "codec/regex.h"
#include "sys/thread.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef enum ExpectKind { EXPECT_FAIL, EXPECT_WARN, EXPECT_INFO, EXPECT_NO_WARN, EXPECT_NO_INFO } ExpectKind;

typedef struct Expect {
    ExpectKind kind;
    bool is_regex;
    Str text; /* empty: anything */
} Expect;

typedef struct Eval {
    int line;
    bool range, ordered, has_scalar, has_string, has_vector_range;
    int64_t start_ms, end_ms, step_ms;
    int64_t rv_start_ms, rv_end_ms, rv_step_ms;
    Str expr;
    double scalar;
    Str string;
    SeqLines lines;
    AVEC(Expect) expects;
} Eval;

typedef struct Runner {
    const char *file;
    MetricsStore *store;
    Arena *script; /* lives as long as the file */
    PromqlOptions opts;
    bool verbose;
    unsigned passed, total;
    int line;
    char why[1600];
} Runner;

static bool fail(Runner *r, const char *fmt, ...) ATTR_PRINTF(2, 3);
static bool fail(Runner *r, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->why, sizeof r->why, fmt, ap);
    va_end(ap);
    return false;
}

/* --- comparing --- */

static bool close_enough(double a, double b) {
    if (is_stale_nan(a) || is_stale_nan(b)) return is_stale_nan(a) && is_stale_nan(b);
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    if (a == b) return true;
    const double tiny = 2.2250738585072014e-308;
    double sum = fabs(a) + fabs(b), diff = fabs(a - b);
    if (a == 0 || b == 0 || sum < tiny) return diff < 1e-6 * tiny;
    return diff / fmin(sum, 1.7976931348623157e308) < 1e-6;
}

static bool close_buckets(const FhBuckets *a, const FhBuckets *b) {
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->idx[i] != b->idx[i] || !close_enough(a->v[i], b->v[i])) return false;
    return true;
}

static bool close_histograms(Arena *a, const FHist *want, const Histogram *got, bool hint) {
    FHist *w = fh_copy(a, want), *g = fh_from_model(a, got);
    fh_compact(w);
    fh_compact(g);
    if (w->schema != g->schema || w->zero_threshold != g->zero_threshold || (hint && w->reset != g->reset))
        return false;
    if (!close_enough(w->count, g->count) || !close_enough(w->sum, g->sum) ||
        !close_enough(w->zero_count, g->zero_count))
        return false;
    if (fh_is_custom(w)) {
        if (w->n_bounds != g->n_bounds) return false;
        for (size_t i = 0; i < w->n_bounds; i++)
            if (w->bounds[i] != g->bounds[i]) return false;
    }
    return close_buckets(&w->pos, &g->pos) && close_buckets(&w->neg, &g->neg);
}

static void put_point(Buf *b, const PromqlSeries *s, size_t i) {
    if (s->histogram && s->histogram[i])
        promql_put_histogram_text(b, s->histogram[i]);
    else
        num_put_f64_prom(b, s->value[i]);
}

static void put_series(Buf *b, const PromqlSeries *s) {
    labels_put_text(b, s->labels);
    for (size_t i = 0; i < s->n && i < 12; i++) {
        buf_printf(b, " %lld:", (long long)s->t_ms[i]);
        put_point(b, s, i);
    }
    buf_put_char(b, '\n');
}

static bool point_matches(Arena *a, const SeqItem *want, const PromqlSeries *got, size_t i) {
    const Histogram *h = got->histogram ? got->histogram[i] : NULL;
    if ((h != NULL) != (want->h != NULL)) return false;
    return h ? close_histograms(a, want->h, h, want->hint_set) : close_enough(want->v, got->value[i]);
}

/* Points of got against items at start + i * step. */
static bool series_matches(Arena *a, const SeqLine *want, const PromqlSeries *got, int64_t start, int64_t step) {
    size_t k = 0;
    for (size_t i = 0; i < want->items.n; i++) {
        if (want->items.v[i].omitted) continue;
        if (k >= got->n || got->t_ms[k] != start + (int64_t)i * step || !point_matches(a, &want->items.v[i], got, k))
            return false;
        k++;
    }
    return k == got->n;
}

static bool fail_series(Runner *r, const char *what, const PromqlSeries *s) {
    Buf b = {0};
    put_series(&b, s);
    fail(r, "%s: %s", what, buf_cstr(&b));
    buf_done(&b);
    return false;
}

static bool compare(Runner *r, Arena *a, const Eval *e, const PromqlResult *res, int64_t start, int64_t step) {
    for (size_t i = 0; i < e->lines.n; i++) {
        const SeqLine *want = &e->lines.v[i];
        bool nothing = true;
        for (size_t k = 0; k < want->items.n; k++) nothing = nothing && want->items.v[k].omitted;
        const PromqlSeries *got = NULL;
        for (size_t k = 0; k < res->n; k++)
            if (labels_eq(res->series[k].labels, want->labels)) got = &res->series[k];
        if (!got && nothing) continue;
        if (!got) {
            Buf b = {0};
            labels_put_text(&b, want->labels);
            for (size_t k = 0; k < res->n && b.n < 1200; k++) put_series(&b, &res->series[k]);
            fail(r, "missing series %s", buf_cstr(&b));
            buf_done(&b);
            return false;
        }
        if (!series_matches(a, want, got, start, step)) return fail_series(r, "wrong values, got", got);
        if (e->ordered && (i >= res->n || got != &res->series[i])) return fail_series(r, "out of order", got);
    }
    for (size_t k = 0; k < res->n; k++) {
        bool expected = false;
        for (size_t i = 0; i < e->lines.n; i++) expected |= labels_eq(res->series[k].labels, e->lines.v[i].labels);
        if (!expected) return fail_series(r, "unexpected series", &res->series[k]);
        for (size_t j = 0; j < k; j++)
            if (labels_eq(res->series[j].labels, res->series[k].labels))
                return fail_series(r, "series twice", &res->series[k]);
    }
    return true;
}

/* " (1:6)" at the end, which newer scripts leave out. */
static Str without_place(Str text) {
    size_t i = text.n;
    if (i == 0 || text.p[--i] != ')') return text;
    while (i > 0 && ((text.p[i - 1] >= '0' && text.p[i - 1] <= '9') || text.p[i - 1] == ':')) i--;
    bool is_place = i > 1 && i + 3 < text.n && text.p[i - 1] == '(' && text.p[i - 2] == ' ';
    return is_place ? str_slice(text, 0, i - 2) : text;
}

static bool text_matches(const Expect *x, Str text) {
    Str want = str_trim(x->text);
    if (!x->is_regex)
        return x->text.n == 0 || str_eq(want, str_trim(text)) || str_eq(want, without_place(str_trim(text)));
    Regex *re;
    Err err;
    if (regex_compile(x->text, 0, &re, &err) != OK) return false;
    bool ok = regex_match(re, text);
    regex_free(re);
    return ok;
}

static bool check_annotations(Runner *r, const Eval *e, ExpectKind want, ExpectKind none, const Str *texts, size_t n) {
    size_t wanted = 0;
    for (size_t i = 0; i < e->expects.n; i++) {
        const Expect *x = &e->expects.v[i];
        if (x->kind == none && n) return fail(r, "unexpected annotation: %" STR_FMT, STR_ARG(texts[0]));
        if (x->kind != want) continue;
        wanted++;
        bool found = false;
        for (size_t k = 0; k < n; k++) found |= text_matches(x, texts[k]);
        if (!found)
            return fail(r, "expected annotation \"%" STR_FMT "\" is missing; first of %zu: %" STR_FMT, STR_ARG(x->text),
                n, STR_ARG(n ? texts[0] : STR_NULL));
    }
    for (size_t k = 0; wanted && k < n; k++) {
        bool found = false;
        for (size_t i = 0; i < e->expects.n; i++)
            found |= e->expects.v[i].kind == want && text_matches(&e->expects.v[i], texts[k]);
        if (!found) return fail(r, "annotation not expected: %" STR_FMT, STR_ARG(texts[k]));
    }
    return true;
}

static bool annotations_ok(Runner *r, const Eval *e, const PromqlResult *res) {
    return check_annotations(r, e, EXPECT_WARN, EXPECT_NO_WARN, res->warnings, res->n_warnings) &&
           check_annotations(r, e, EXPECT_INFO, EXPECT_NO_INFO, res->infos, res->n_infos);
}

/* --- running one eval --- */

static const Expect *expected_failure(const Eval *e) {
    for (size_t i = 0; i < e->expects.n; i++)
        if (e->expects.v[i].kind == EXPECT_FAIL) return &e->expects.v[i];
    return NULL;
}

/* *ret_done: the eval is decided (it failed, as expected or not). */
static bool run(Runner *r, Arena *a, const Eval *e, Str expr, int64_t start, int64_t end, int64_t step,
    PromqlResult *res, bool *ret_done) {
    PromqlQuery q = {.start_ms = start, .end_ms = end, .step_ms = step};
    Err err = {0};
    PqlNode *root;
    *ret_done = true;
    if (promql_parse(expr, a, &root, &err) != OK) return fail(r, "parse: %s", err.msg);
    ErrCode rc = promql_eval(r->store, &r->opts, &q, root, expr, a, res, &err);
    const Expect *x = expected_failure(e);
    if (rc != OK) {
        if (!x) return fail(r, "error: %s", err.msg);
        if (!text_matches(x, str_cstr(err.msg))) return fail(r, "other error: %s", err.msg);
        return true;
    }
    if (x) return fail(r, "should have failed");
    *ret_done = false;
    return true;
}

static bool check_instant_value(Runner *r, Arena *a, const Eval *e, const PromqlResult *res, int64_t t) {
    if (e->has_string) return str_eq(res->string, e->string) || fail(r, "string is %" STR_FMT, STR_ARG(res->string));
    if (e->has_scalar) {
        if (res->type != PQL_TYPE_SCALAR || res->n != 1) return fail(r, "not a scalar");
        return close_enough(e->scalar, res->series[0].value[0]) || fail_series(r, "wrong scalar", &res->series[0]);
    }
    if (e->has_vector_range) return compare(r, a, e, res, e->rv_start_ms, e->rv_step_ms);
    if (res->type == PQL_TYPE_MATRIX) return fail(r, "result is a range vector");
    return compare(r, a, e, res, t, 0);
}

/* The same as a range query around t: the point in the middle must be equal. */
static bool run_as_range(Runner *r, Arena *a, const Eval *e, Str expr, int64_t t) {
    if (e->has_string || e->has_vector_range || str_contains(expr, STR("start()")) ||
        str_contains(expr, STR("end()")) || str_contains(expr, STR("range()")) || str_contains(expr, STR("step()")))
        return true;
    PromqlResult res;
    bool done;
    if (!run(r, a, e, expr, t - 60000, t + 60000, 60000, &res, &done)) return false;
    if (done || e->ordered) return true;
    PromqlResult middle = {.type = PQL_TYPE_VECTOR, .series = ARENA_ARRAY(a, PromqlSeries, res.n)};
    for (size_t i = 0; i < res.n; i++) {
        if (i > 0 && labels_cmp(res.series[i - 1].labels, res.series[i].labels) >= 0)
            return fail(r, "matrix is not sorted");
        for (size_t k = 0; k < res.series[i].n; k++) {
            const PromqlSeries *s = &res.series[i];
            if (s->t_ms[k] == t)
                middle.series[middle.n++] =
                    (PromqlSeries){s->labels, 1, s->t_ms + k, s->value + k, s->histogram ? s->histogram + k : NULL};
        }
    }
    if (e->has_scalar)
        return (middle.n == 1 && close_enough(e->scalar, middle.series[0].value[0])) ||
               fail(r, "wrong scalar as a range");
    return compare(r, a, e, &middle, t, 0);
}

static bool run_instant_at(Runner *r, const Eval *e, Str expr, int64_t t, const char *mode) {
    Arena *a = arena_create(ARENA_UNLIMITED);
    PromqlResult res;
    bool done, ok = run(r, a, e, expr, t, t, 0, &res, &done);
    if (ok && !done) {
        ok = annotations_ok(r, e, &res) && check_instant_value(r, a, e, &res, t);
        if (ok && !run_as_range(r, a, e, expr, t)) {
            ok = false;
            mode = "as a range query";
        }
    }
    if (!ok && *mode) {
        char why[sizeof r->why];
        memcpy(why, r->why, sizeof why);
        fail(r, "%s (%.*s at %lld): %.1200s", mode, (int)MIN(expr.n, (size_t)200), expr.p, (long long)t, why);
    }
    arena_free(a);
    return ok;
}

/* Puts @ t on what has none; false when a function forbids it. */
static bool add_at(PqlNode *n, int64_t t, bool inside) {
    static const PqlFn unsafe[] = {FN_DAYS_IN_MONTH, FN_DAY_OF_MONTH, FN_DAY_OF_WEEK, FN_DAY_OF_YEAR, FN_HOUR,
        FN_MINUTE, FN_MONTH, FN_YEAR, FN_PREDICT_LINEAR, FN_TIME, FN_TIMESTAMP, FN_START, FN_END, FN_STEP, FN_RANGE};
    PqlShift *shift = n->kind == PQL_SELECTOR   ? &n->selector.shift
                      : n->kind == PQL_SUBQUERY ? &n->subquery.shift
                                                : NULL;
    if (shift && !inside && shift->at == PQL_AT_NONE) {
        shift->at = PQL_AT_TIME;
        shift->at_ms = t;
    }
    switch (n->kind) {
    case PQL_MATRIX: return add_at(n->matrix.selector, t, inside);
    case PQL_SUBQUERY: return add_at(n->subquery.expr, t, true);
    case PQL_UNARY: return add_at(n->unary.expr, t, inside);
    case PQL_PAREN: return add_at(n->paren, t, inside);
    case PQL_BINARY: return add_at(n->binary.lhs, t, inside) && add_at(n->binary.rhs, t, inside);
    case PQL_AGGREGATE:
        return add_at(n->aggregate.expr, t, inside) && (!n->aggregate.param || add_at(n->aggregate.param, t, inside));
    case PQL_CALL:
        for (size_t i = 0; i < ARRAY_LEN(unsafe); i++)
            if (n->call.fn->id == unsafe[i]) return false;
        for (size_t i = 0; i < n->call.args.n; i++)
            if (!add_at(n->call.args.v[i], t, inside)) return false;
        return true;
    default: return true;
    }
}

static bool run_with_at(Runner *r, const Eval *e) {
    int64_t t = e->start_ms;
    Arena *a = arena_create(ARENA_UNLIMITED);
    PqlNode *root;
    bool ok = true;
    if (promql_parse(e->expr, a, &root, NULL) == OK && !e->has_vector_range && add_at(root, t, false)) {
        Buf b = {0};
        promql_print(&b, root);
        int64_t times[] = {-10 * t, 0, t / 5, t, 10 * t};
        if (t == 0) {
            times[0] = times[2] = -1000;
            times[3] = times[4] = 1000;
        }
        for (size_t i = 0; ok && i < ARRAY_LEN(times); i++) ok = run_instant_at(r, e, buf_str(&b), times[i], "with @");
        buf_done(&b);
    }
    arena_free(a);
    return ok;
}

static bool run_eval(Runner *r, const Eval *e) {
    if (!e->range) {
        int64_t t = e->has_vector_range ? e->rv_end_ms : e->start_ms;
        return run_instant_at(r, e, e->expr, t, "") && (expected_failure(e) || run_with_at(r, e));
    }
    Arena *a = arena_create(ARENA_UNLIMITED);
    PromqlResult res;
    bool done, ok = run(r, a, e, e->expr, e->start_ms, e->end_ms, e->step_ms, &res, &done);
    if (ok && !done) ok = annotations_ok(r, e, &res) && compare(r, a, e, &res, e->start_ms, e->step_ms);
    arena_free(a);
    return ok;
}

/* --- reading scripts --- */

static Str next_word(Str *s) {
    *s = str_trim(*s);
    size_t end = 0;
    while (end < s->n && s->p[end] != ' ' && s->p[end] != '\t') end++;
    Str w = str_slice(*s, 0, end);
    *s = str_trim(str_skip(*s, end));
    return w;
}

static bool time_word(Str *s, int64_t *ret) { return duration_parse_prom(next_word(s), ret); }

static void add_expect(Runner *r, Eval *e, ExpectKind kind, Str rest) {
    Expect x = {.kind = kind};
    rest = str_trim(rest);
    if (str_starts_with(rest, STR("msg:"))) x.text = str_trim(str_skip(rest, 4));
    if (str_starts_with(rest, STR("regex:"))) {
        x.is_regex = true;
        x.text = str_trim(str_skip(rest, 6));
    }
    if (!avec_push(r->script, &e->expects, x)) abort();
}

static bool parse_expect(Runner *r, Eval *e, Str rest) {
    static const struct {
        const char *word;
        ExpectKind kind;
    } kinds[] = {{"fail", EXPECT_FAIL}, {"warn", EXPECT_WARN}, {"info", EXPECT_INFO}, {"no_warn", EXPECT_NO_WARN},
        {"no_info", EXPECT_NO_INFO}};
    Str word = next_word(&rest);
    if (str_eq_lit(word, "ordered")) {
        e->ordered = true;
        return true;
    }
    if (str_eq_lit(word, "string")) {
        e->has_string = true;
        return rest.n >= 2 && lang_unquote(rest, r->script, &e->string);
    }
    if (str_eq_lit(word, "range")) {
        e->has_vector_range = true;
        next_word(&rest); /* vector */
        next_word(&rest); /* from */
        bool ok = time_word(&rest, &e->rv_start_ms);
        next_word(&rest);
        ok = ok && time_word(&rest, &e->rv_end_ms);
        next_word(&rest);
        return ok && time_word(&rest, &e->rv_step_ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(word, str_cstr(kinds[i].word))) {
            add_expect(r, e, kinds[i].kind, rest);
            return true;
        }
    return false;
}

static bool parse_eval_head(Runner *r, Str line, Eval *e) {
    Str word = next_word(&line);
    if (str_eq_nocase(word, STR("eval_fail"))) add_expect(r, e, EXPECT_FAIL, STR_NULL);
    if (str_eq_nocase(word, STR("eval_warn"))) add_expect(r, e, EXPECT_WARN, STR_NULL);
    if (str_eq_nocase(word, STR("eval_info"))) add_expect(r, e, EXPECT_INFO, STR_NULL);
    e->ordered = str_eq_nocase(word, STR("eval_ordered"));
    e->range = str_eq_lit(next_word(&line), "range");
    next_word(&line); /* at, from */
    bool ok = time_word(&line, &e->start_ms);
    e->end_ms = e->start_ms;
    if (e->range) {
        next_word(&line);
        ok = ok && time_word(&line, &e->end_ms);
        next_word(&line);
        ok = ok && time_word(&line, &e->step_ms);
    }
    e->expr = line;
    return ok || fail(r, "bad eval line");
}

static bool parse_eval_line(Runner *r, Eval *e, Str line) {
    Err err = {0};
    if (str_starts_with(line, STR("expected_fail_message ")) || str_starts_with(line, STR("expected_fail_regexp "))) {
        if (!e->expects.n) return fail(r, "expected_fail without eval_fail");
        e->expects.v[0].is_regex = line.p[14] == 'r';
        e->expects.v[0].text = str_trim(str_skip(line, 21));
        return true;
    }
    if (str_starts_with(line, STR("expect ")) && parse_expect(r, e, str_skip(line, 7))) return true;
    if (!e->range && seq_parse_number(line, &e->scalar)) {
        e->has_scalar = true;
        return true;
    }
    SeqLine s;
    if (!seq_parse_line(r->script, line, &s, &err)) return fail(r, "%s", err.msg);
    if (!avec_push(r->script, &e->lines, s)) abort();
    return true;
}

/* The next line, trimmed, comments empty; false at the end. */
static bool next_line(Runner *r, Str *rest, Str *ret) {
    if (!str_split_next(rest, '\n', ret)) return false;
    r->line++;
    *ret = str_trim(*ret);
    if (ret->n && ret->p[0] == '#') *ret = STR_NULL;
    return true;
}

static void do_load(Runner *r, Str head, Str *rest) {
    bool nhcb = str_eq_nocase(next_word(&head), STR("load_with_nhcb"));
    int64_t step = 0;
    Str line;
    SeqLines lines = {0};
    SeqLine starts;
    bool started = false; /* the line before told start times */
    if (!time_word(&head, &step)) fprintf(stderr, "%s:%d: bad load\n", r->file, r->line);
    while (next_line(r, rest, &line) && line.n) {
        SeqLine s;
        Err err = {0};
        bool is_starts;
        if (!seq_parse_starts(r->script, line, &is_starts, &s, &err)) {
            fprintf(stderr, "%s:%d: %s\n", r->file, r->line, err.msg);
        } else if (is_starts) {
            starts = s;
            started = true;
        } else if (!seq_parse_line(r->script, line, &s, &err) || (started && !seq_take_starts(&s, &starts, &err))) {
            fprintf(stderr, "%s:%d: %s\n", r->file, r->line, err.msg);
        } else {
            if (!avec_push(r->script, &lines, s)) abort();
            started = false;
        }
    }
    seq_load(r->store, r->script, &lines, step, nhcb);
}

static void do_eval(Runner *r, Str head, Str *rest) {
    Eval e = {.line = r->line};
    Str line;
    bool ok = parse_eval_head(r, head, &e);
    while (next_line(r, rest, &line) && line.n) ok = ok && parse_eval_line(r, &e, line);
    r->total++;
    ok = ok && run_eval(r, &e);
    r->passed += ok;
    if (!ok && r->verbose) printf("%s:%d: %.*s\n    %s\n", r->file, e.line, (int)e.expr.n, e.expr.p, r->why);
}

static bool run_file(Runner *r, const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    Buf text = {0};
    char chunk[65536];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0) buf_put(&text, chunk, n);
    fclose(f);
    r->file = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    r->store = test_store_create();
    r->script = arena_create(ARENA_UNLIMITED);
    r->passed = r->total = 0;
    r->line = 0;
    Str rest = buf_str(&text), line;
    while (next_line(r, &rest, &line)) {
        if (!line.n) continue;
        if (str_eq_nocase(line, STR("clear")))
            test_store_clear(r->store);
        else if (str_starts_with(line, STR("load")))
            do_load(r, line, &rest);
        else
            do_eval(r, line, &rest);
    }
    r->store->ops->close(r->store);
    arena_free(r->script);
    buf_done(&text);
    return true;
}

static int run_ratchet(Runner *r, const char *list, const char *dir) {
    char path[2048], name[256];
    unsigned least, passed = 0, total = 0;
    int bad = 0;
    FILE *f = fopen(list, "r");
    if (!f) {
        perror(list);
        return 1;
    }
    while (fscanf(f, "%255s %u", name, &least) == 2) {
        snprintf(path, sizeof path, "%s/%s", dir, name);
        if (!run_file(r, path)) {
            printf("%s is not there: nothing was tested\n", path);
            fclose(f);
            return 77;
        }
        printf("%-26s %4u of %4u evals pass (at least %u must)%s\n", name, r->passed, r->total, least,
            r->passed < least ? "  FAILED" : "");
        bad += r->passed < least;
        passed += r->passed;
        total += r->total;
    }
    fclose(f);
    printf("%-26s %4u of %4u\n", "total", passed, total);
    return bad != 0;
}

static int run_args(Runner *r, int argc, char **argv) {
    int bad = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--delayed") == 0) {
            r->opts.delayed_name_removal = true;
        } else if (strcmp(argv[i], "--verbose") == 0) {
            r->verbose = true;
        } else if (strcmp(argv[i], "--threads") == 0) {
            if (!r->opts.pool) r->opts.pool = pool_create("promql", 3, 64);
            r->opts.part_series = 1;
        } else if (strcmp(argv[i], "--ratchet") == 0 && i + 2 < argc) {
            return run_ratchet(r, argv[i + 1], argv[i + 2]);
        } else {
            bool there = run_file(r, argv[i]);
            if (!there) perror(argv[i]);
            printf("%-26s %4u of %4u evals pass\n", argv[i], r->passed, r->total);
            bad += !there || r->passed < r->total;
        }
    }
    return bad != 0;
}

int main(int argc, char **argv) {
    Runner r = {.opts = {.samples_max = 10000, .use_start_timestamps = true}};
    int code = run_args(&r, argc, argv);
    pool_free(r.opts.pool);
    return code;
}
