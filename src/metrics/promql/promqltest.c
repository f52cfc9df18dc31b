/* promqltest.c - runs promqltest scripts (the language of Prometheus' own conformance files) against the engine.
 *
 *   promqltest [--delayed] [--verbose] FILE...          every eval must pass
 *   promqltest --ratchet LIST DIR                        LIST: lines "file.test minimum-of-passed-evals"
 * --threads splits the work between threads, however little it is. Exit code 77 when DIR is missing. */
#include "metrics/promql/promqltest_int.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "sys/thread.h"

#include <stdio.h>
#include <stdlib.h>

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
    return ok || test_fail(r, "bad eval line");
}

static bool parse_eval_line(Runner *r, Eval *e, Str line) {
    Err err = {0};
    if (str_starts_with(line, STR("expected_fail_message ")) || str_starts_with(line, STR("expected_fail_regexp "))) {
        if (!e->expects.n) return test_fail(r, "expected_fail without eval_fail");
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
    if (!seq_parse_line(r->script, line, &s, &err)) return test_fail(r, "%s", err.msg);
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
    ok = ok && test_run_eval(r, &e);
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
