#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alert/rule_text.h"
#include "sys/fs.h"

static const Label up_a[] = {{STR_INIT("instance"), STR_INIT("a")}};
static const Label up_host[] = {
    {STR_INIT("instance"), STR_INIT("host.example.com:9090")}, {STR_INIT("severity"), STR_INIT("page")}};
static const Label external[] = {{STR_INIT("cluster"), STR_INIT("c1")}};

static ErrCode query(void *ctx, Str expr, int64_t t_ms, Arena *arena, PromqlResult *ret, Err *reterr) {
    (void)ctx;
    static const double one = 1, five = 5;
    static int64_t at = 60000;
    assert_int_equal(t_ms, at);
    if (str_eq_lit(expr, "sum(")) return err_set(reterr, ERR_INVALID, "1:5: parse error: unclosed left parenthesis");
    if (str_eq_lit(expr, "nope")) return OK;
    bool vector = str_eq_lit(expr, "vector(5)");
    PromqlSeries *s = ARENA_ARRAY(arena, PromqlSeries, 2);
    s[0] = (PromqlSeries){{up_host, 2}, 1, &at, &one, NULL};
    s[1] = (PromqlSeries){{up_a, 1}, 1, &at, &one, NULL};
    if (vector) s[0] = (PromqlSeries){{NULL, 0}, 1, &at, &five, NULL};
    *ret = (PromqlResult){.series = s, .n = vector ? 1 : 2};
    return OK;
}

static Str part(Str *rest, Str mark) {
    size_t n = MIN(str_find(*rest, mark), rest->n - 1);
    Str p = str_slice(*rest, 0, n);
    *rest = str_skip(*rest, n + 1);
    return p;
}

/* What Prometheus' own promtool makes of annotations (tests/gotmpl/rules.txt). */
static void prometheus_agrees(void **state) {
    (void)state;
    Buf file = {0};
    assert_int_equal(fs_read_file(fs_real(), "tests/gotmpl/rules.txt", 1u << 20, &file, NULL), OK);
    RuleTextData data = {.labels = {up_host, 2},
        .external_labels = {external, 1},
        .external_url = STR("http://prom.example/p/x"),
        .value = 12345.678,
        .t_ms = 60000,
        .query = query};
    Str rest = buf_str(&file);
    size_t wrong = 0, n = 0;
    for (; rest.n; n++) {
        part(&rest, STR("\n"));
        Str text = part(&rest, STR("\n-- ok"));
        part(&rest, STR("\n"));
        Str want = part(&rest, STR("\n==\n")), got;
        Arena *arena = arena_create(1u << 20);
        Str name = arena_printf(arena, "__alert_A%zu", n);
        assert_int_equal(rule_text_check(name, text, NULL), OK);
        (void)rule_text_expand(name, text, &data, arena, &got);
        if (!str_eq(got, want)) {
            wrong++;
            print_error(
                "%" STR_FMT "\n want %" STR_FMT "\n got  %" STR_FMT "\n", STR_ARG(text), STR_ARG(want), STR_ARG(got));
        }
        arena_free(arena);
    }
    assert_true(n > 35);
    assert_int_equal(wrong, 0);
    buf_done(&file);
}

static void broken_templates_are_told(void **state) {
    (void)state;
    Err err = {0};
    assert_int_equal(rule_text_check(STR("__alert_x"), STR("{{ nope }}"), &err), ERR_INVALID);
    assert_string_equal(err.msg, "template: __alert_x:1: function \"nope\" not defined");
    assert_int_equal(rule_text_check(STR("__alert_x"), STR("a {{ $value"), &err), ERR_INVALID);
    assert_string_equal(err.msg, "template: __alert_x:1: unclosed action");
    assert_int_equal(rule_text_check(STR("x"), STR("plain } text"), NULL), OK);
}

/* Each of them would make terabytes: they end with an error, and soon. */
static void values_do_not_grow_without_end(void **state) {
    (void)state;
    static const struct {
        const char *first, *again; /* again: ten times */
    } cases[] = {
        {"{{ $x := \"aaaaaaaaaa\" }}", "{{ $x = reReplaceAll \"a\" \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" $x }}"},
        {"{{ $x := \"aaaaaaaaaa\" }}",
            "{{ $x = reReplaceAll \"(.*)\" \"$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1\" $x }}"},
        {"{{ $x := \"aaaaaaaaaa\" }}", "{{ $x = printf \"%s%s%s%s%s%s%s%s%s%s\" $x $x $x $x $x $x $x $x $x $x }}"},
        {"{{ $x := \"aaaaaaaaaa\" }}",
            "{{ $x = print $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x $x }}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf text = {0};
        Str got;
        Arena *arena = arena_create((size_t)1 << 30);
        buf_put_str(&text, str_cstr(cases[i].first));
        for (int k = 0; k < 10; k++) buf_put_str(&text, str_cstr(cases[i].again));
        buf_put_lit(&text, "{{ len $x }}");
        RuleTextData data = {.t_ms = 60000, .query = query};
        assert_false(rule_text_expand(STR("t"), buf_str(&text), &data, arena, &got));
        assert_true(str_find(got, STR("too large")) != SIZE_MAX || str_find(got, STR("memory")) != SIZE_MAX);
        assert_true(arena_used_bytes(arena) < 1u << 20);
        buf_done(&text);
        arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(prometheus_agrees), cmocka_unit_test(broken_templates_are_told),
        cmocka_unit_test(values_do_not_grow_without_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
