#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "lang/langerr.h"
#include "lang/pratt.h"

/* A language of one-letter operands: + - left, ^ right and above unary minus. The node is its text with parentheses. */
typedef struct Mini {
    const char *p;
    Pratt pratt;
    char *nodes[64];
    size_t n;
    bool deep;
} Mini;

static void *mini_node(Mini *m, const char *fmt, const char *a, char op, const char *b) {
    Buf out = {0};
    (void)fmt;
    buf_printf(&out, "(%s%c%s)", a, op, b);
    buf_put_char(&out, '\0');
    return m->nodes[m->n++] = buf_take(&out, NULL);
}
static int mini_peek(void *ctx) { return *((Mini *)ctx)->p; }
static void mini_deep(void *ctx) { ((Mini *)ctx)->deep = true; }
static void *mini_prefix(void *ctx) {
    Mini *m = ctx;
    if (*m->p == '(') {
        m->p++;
        void *inner = pratt_parse(&m->pratt, 0);
        if (inner) m->p++;
        return inner;
    }
    if (*m->p == '-') {
        m->p++;
        char *right = pratt_parse(&m->pratt, 20);
        return right ? mini_node(m, "", "", '-', right) : NULL;
    }
    char name[2] = {*m->p++, 0};
    return m->nodes[m->n++] = str_dup_cstr(str_cstr(name));
}
static void *mini_infix(void *ctx, void *left, const PrattInfix *op) {
    Mini *m = ctx;
    m->p++;
    char *right = pratt_parse(&m->pratt, op->right_bp);
    return right ? mini_node(m, "", left, (char)op->op, right) : NULL;
}
static const PrattInfix mini_table[] = {{'+', 10, 11}, {'-', 10, 11}, {'*', 12, 13}, {'^', 30, 30}};
static const PrattSyntax mini_syntax = {
    mini_table, ARRAY_LEN(mini_table), mini_peek, mini_prefix, mini_infix, mini_deep};

static void test_precedence(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {{"a+b*c", "(a+(b*c))"}, {"a-b-c", "((a-b)-c)"}, {"a^b^c", "(a^(b^c))"}, {"-a^b", "(-(a^b))"},
        {"-a*b", "((-a)*b)"}, {"(a+b)*c", "((a+b)*c)"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Mini m = {.p = cases[i].in};
        m.pratt = (Pratt){&mini_syntax, &m, 0};
        assert_string_equal(pratt_parse(&m.pratt, 0), cases[i].out);
        while (m.n) mem_free(m.nodes[--m.n]);
    }
}

static void test_depth(void **state) {
    (void)state;
    char deep[200];
    memset(deep, '(', sizeof deep);
    Mini m = {.p = deep};
    m.pratt = (Pratt){&mini_syntax, &m, 0};
    assert_null(pratt_parse(&m.pratt, 0));
    assert_true(m.deep);
    assert_int_equal(m.pratt.depth, 0);
}

static void test_errors(void **state) {
    (void)state;
    LangError e = {0};
    assert_false(lang_fail(&e, (LangSpan){4, 5}, "unexpected %s", "x"));
    lang_fail(&e, (LangSpan){0, 1}, "second");
    Err err;
    assert_int_equal(lang_error_prom(&e, STR("a\nb + c"), &err), ERR_INVALID);
    assert_string_equal(err.msg, "2:3: parse error: unexpected x");
    lang_error_loki(&e, STR("a\nb + c"), &err);
    assert_string_equal(err.msg, "parse error at line 2, col 3: syntax error: unexpected x");
    Buf out = {0};
    lang_error_caret(&e, STR("query"), STR("a\nb + c"), &out, false);
    assert_true(str_contains(buf_str(&out), STR("^")));
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence), cmocka_unit_test(test_depth), cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
