#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "lang/gotmpl_fixture_test.h"

/* One case of tests/gotmpl/cases.txt: what Go's own packages make of a template. */
typedef struct Case {
    Str flags, text, kind, expected;
} Case;

static char *read_file(const char *path, size_t *ret_n) {
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("%s: run from the project's root", path);
    Buf b = {0};
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0) buf_put(&b, chunk, n);
    fclose(f);
    return buf_take(&b, ret_n);
}

static Str until(Str *rest, Str mark) {
    size_t n = MIN(str_find(*rest, mark), rest->n - 1); /* the file ends in a newline */
    Str part = str_slice(*rest, 0, n);
    *rest = str_skip(*rest, n + 1);
    return part;
}

static Str line(Str *rest) {
    Str l;
    str_split_next(rest, '\n', &l);
    return l;
}

static bool next_case(Str *rest, Case *ret) {
    if (!rest->n) return false;
    ret->flags = str_skip(line(rest), 2);
    ret->text = until(rest, STR("\n-- "));
    ret->kind = str_skip(line(rest), 3);
    ret->expected = until(rest, STR("\n=="));
    return true;
}

static bool run(const Case *c, Buf *out) {
    Arena *arena = arena_create(8u << 20);
    GoTmpl *t = gotmpl_create(fx_funcs, ARRAY_LEN(fx_funcs), str_contains(c->flags, STR("zero")));
    Err err = {0};
    ErrCode code = gotmpl_parse(t, STR("t"), c->text, &err);
    Str kind = STR("parse");
    if (!code) {
        GoTmplExec opts = {.arena = arena, .html = str_contains(c->flags, STR("html"))};
        code = gotmpl_exec(t, STR("t"), go_of_obj(data_type, "data"), &opts, out, &err);
        kind = code ? STR("error") : STR("ok");
    }
    if (code) {
        buf_clear(out);
        buf_printf(out, "%s", err.msg);
    }
    bool ok = str_eq(kind, c->kind) && str_eq(buf_str(out), c->expected);
    if (!ok)
        print_error("case: %" STR_FMT "\n%" STR_FMT "\n  want %" STR_FMT ": %" STR_FMT "\n  got  %" STR_FMT
                    ": %" STR_FMT "\n",
            STR_ARG(c->flags), STR_ARG(c->text), STR_ARG(c->kind), STR_ARG(c->expected), STR_ARG(kind),
            STR_ARG(buf_str(out)));
    gotmpl_free(t);
    arena_free(arena);
    return ok;
}

static void go_agrees(void **state) {
    (void)state;
    size_t n, wrong = 0, all = 0;
    char *text = read_file("tests/gotmpl/cases.txt", &n);
    Str rest = str_of(text, n);
    Case c;
    while (next_case(&rest, &c)) {
        Buf out = {0};
        wrong += !run(&c, &out);
        all++;
        buf_done(&out);
    }
    mem_free(text);
    assert_true(all > 400);
    assert_int_equal(wrong, 0);
}

/* What a hostile template may cost. */
static void limits_hold(void **state) {
    (void)state;
    static const struct {
        const char *text, *error;
    } table[] = {
        {"{{define \"t\"}}{{template \"t\"}}{{end}}{{template \"t\"}}", "exceeded maximum template depth"},
        {"{{range 100000000000}}{{end}}", "runs too long"},
        {"{{range 1000000}}0123456789{{end}}", "writes too much"},
        {"{{$x := \"0123456789\"}}{{range 60}}{{$x = print $x $x}}{{end}}", "too"},
        {"{{$x := list 1}}{{range 100000}}{{$x = list $x}}{{end}}{{$x}}", ""},
        {"{{printf \"%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d%1000000d\" 1 1 1 1 1 1 1}}", "too"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        Arena *arena = arena_create(16u << 20);
        GoTmpl *t = gotmpl_create(fx_funcs, ARRAY_LEN(fx_funcs), false);
        Err err = {0};
        Buf out = {0};
        assert_int_equal(gotmpl_parse(t, STR("main"), str_cstr(table[i].text), &err), OK);
        GoTmplExec opts = {.arena = arena};
        ErrCode code = gotmpl_exec(t, STR("main"), go_nil(), &opts, &out, &err);
        if (*table[i].error) {
            assert_int_equal(code, ERR_TOO_LARGE);
            assert_non_null(strstr(err.msg, table[i].error));
        }
        buf_done(&out);
        gotmpl_free(t);
        arena_free(arena);
    }
}

static void nesting_is_bounded(void **state) {
    (void)state;
    const char *open[] = {"{{if 1}}", "{{(", "{{range 1}}", "{{if 0}}{{else if 1}}"};
    for (size_t k = 0; k < ARRAY_LEN(open); k++) {
        Buf b = {0};
        for (int i = 0; i < 3000; i++) buf_put(&b, k == 1 && i ? "(" : open[k], k == 1 && i ? 1 : strlen(open[k]));
        GoTmpl *t = gotmpl_create(NULL, 0, false);
        Err err = {0};
        assert_int_equal(gotmpl_parse(t, STR("x"), buf_str(&b), &err), ERR_INVALID);
        gotmpl_free(t);
        buf_done(&b);
    }
}

static void a_set_on_a_set(void **state) {
    (void)state;
    Arena *arena = arena_create(1u << 20);
    GoTmpl *base = gotmpl_create(NULL, 0, true);
    assert_int_equal(gotmpl_parse(base, STR("f"),
                         STR("{{define \"a\"}}base{{end}}{{define \"b\"}}[{{template \"a\"}}]{{end}}"), NULL),
        OK);
    GoTmpl *own = gotmpl_create_on(base);
    assert_int_equal(gotmpl_parse(own, STR("g"), STR("{{define \"a\"}}own{{end}}"), NULL), OK);
    GoTmplExec opts = {.arena = arena};
    Buf out = {0};
    assert_int_equal(gotmpl_exec(own, STR("b"), go_nil(), &opts, &out, NULL), OK);
    assert_int_equal(gotmpl_expand(base, STR(""), STR("{{template \"b\"}}"), go_nil(), &opts, &out, NULL), OK);
    assert_true(str_eq_lit(buf_str(&out), "[own][base]"));
    Err err = {0};
    assert_int_equal(
        gotmpl_expand(base, STR(""), STR("{{.a}}{{template \"zz\"}}"), go_nil(), &opts, &out, &err), ERR_UNPROCESSABLE);
    assert_string_equal(
        err.msg, "template: :1:17: executing \"\" at <{{template \"zz\"}}>: template \"zz\" not defined");
    buf_done(&out);
    gotmpl_free(own);
    gotmpl_free(base);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(go_agrees), cmocka_unit_test(limits_hold),
        cmocka_unit_test(nesting_is_bounded), cmocka_unit_test(a_set_on_a_set)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
