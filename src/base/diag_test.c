#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/diag.h"
#include "base/log.h"

static void test_render(void **state) {
    (void)state;
    DiagList d;
    Str source = STR("storage:\n\n  retntion: 15d\r\n\tl\xC3\xA4nge: x");
    diag_init(&d, STR("meerkat.yml"), source);
    diag_add(&d, DIAG_ERROR, 3, 3, 8, "did you mean \"retention\"?", "unknown key \"%s\" in %s", "retntion", "storage");
    diag_add(&d, DIAG_WARNING, 4, 2, 6, NULL, "odd");
    diag_add(&d, DIAG_NOTE, 0, 0, 0, NULL, "whole file");
    diag_add(&d, DIAG_ERROR, 99, 1, 1, NULL, "beyond");
    diag_add(&d, DIAG_ERROR, 1, 99, 5, NULL, "at the end");
    assert_int_equal(diag_error_count(&d), 3);
    Buf b = {0};
    diag_render(&d, &b, false);
    assert_string_equal(buf_cstr(&b), "meerkat.yml:3:3: error: unknown key \"retntion\" in storage\n"
                                      "     3 |   retntion: 15d\n"
                                      "       |   ^^^^^^^^\n"
                                      "       = help: did you mean \"retention\"?\n"
                                      "meerkat.yml:4:2: warning: odd\n"
                                      "     4 | \tl\xC3\xA4nge: x\n"
                                      "       | \t^^^^^\n"
                                      "meerkat.yml: note: whole file\n"
                                      "meerkat.yml:99:1: error: beyond\n"
                                      "meerkat.yml:1:99: error: at the end\n"
                                      "     1 | storage:\n"
                                      "       |         ^\n");
    buf_clear(&b);
    diag_render(&d, &b, true);
    assert_true(str_contains(buf_str(&b), STR("\033[1;31merror\033[0m: unknown")));
    buf_done(&b);
    diag_done(&d);
}

static void test_secrets(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"password: s3cret", "password: ******"},
        {"  basic_auth: {password: 'a, b', username: u}", "  basic_auth: {password: ******, username: u}"},
        {"- api_key: \"x\\t\" # why", "- api_key: ***** # why"},
        {"{secrets: [a, b], files: [c]}", "{secrets: ******, files: [c]}"},
        {"slack_api_url: http://h/x", "slack_api_url: **********"},
        {"proxy_url: http://me:p\xC3\xA4ss@h:1/a:b", "proxy_url: http://me:****@h:1/a:b"},
        {"http://u:a@x http://v:b@y, key: z}", "http://u:*@x http://v:*@y, key: *}"},
        {"password_file: /a", "password_file: /a"},
        {"token: ${TOKEN}", "token: ${TOKEN}"},
        {"token: \"${TOKEN}\"", "token: \"${TOKEN}\""},
        {"key: |", "key: |"},
        {"keys: a, monkey: b, url: http://h:1/@", "keys: a, monkey: b, url: http://h:1/@"},
        {"password:", "password:"},
        {"password: ", "password: "},
        {"'token': x", "'token': *"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        DiagList d;
        Buf b = {0}, want = {0};
        diag_init(&d, STR("f"), str_cstr(cases[i][0]));
        diag_add(&d, DIAG_ERROR, 1, 1, 1, NULL, "e");
        diag_render(&d, &b, false);
        buf_printf(&want, "f:1:1: error: e\n     1 | %s\n       | ^\n", cases[i][1]);
        assert_string_equal(buf_cstr(&b), buf_cstr(&want));
        buf_done(&b);
        buf_done(&want);
        diag_done(&d);
    }
}

static void test_locate(void **state) {
    (void)state;
    static const struct {
        size_t offset;
        int line, col;
    } cases[] = {{0, 1, 1}, {2, 1, 3}, {3, 2, 1}, {4, 3, 1}, {6, 3, 3}, {99, 3, 3}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int line, col;
        diag_locate(STR("ab\n\ncd"), cases[i].offset, &line, &col);
        assert_true(line == cases[i].line && col == cases[i].col);
    }
}

static void test_suggest(void **state) {
    (void)state;
    static const Str names[] = {STR_INIT("retention"), STR_INIT("storage"), STR_INIT("sum"), STR_INIT("min")};
    static const struct {
        const char *wrong, *want;
    } cases[] = {{"retntion", "retention"}, {"stroage", "storage"}, {"smu", "sum"}, {"xyz", NULL}, {"s", NULL},
        {"", NULL}, {"nonsense", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Str got = diag_suggest(str_cstr(cases[i].wrong), names, ARRAY_LEN(names));
        if (!str_eq(got, str_cstr(cases[i].want))) fail_msg("%s: %" STR_FMT, cases[i].wrong, STR_ARG(got));
    }
}

typedef struct Seen {
    int calls;
    LogLevel level;
    char text[128];
} Seen;

static void sink(void *ctx, LogLevel level, int64_t now_ns, Str msg, const LogField *fields, size_t n) {
    Seen *s = ctx;
    s->calls++;
    s->level = level;
    assert_true(now_ns > INT64_C(1600000000) * 1000000000 && n <= 2);
    memcpy(s->text, msg.p, msg.n);
    s->text[msg.n] = '\0';
    for (size_t i = 0; i < n; i++)
        strncat(s->text, fields[i].key.p, fields[i].key.n), strncat(s->text, fields[i].value.p, fields[i].value.n);
}

static void test_log(void **state) {
    (void)state;
    Seen seen = {0};
    log_set_stderr(false, false, false);
    log_add_sink(sink, &seen);
    log_info("hello", "a", "1", "b", NULL, NULL);
    log_debug("not shown", NULL);
    assert_true(seen.calls == 1 && seen.level == LOG_INFO);
    assert_string_equal(seen.text, "helloa1b(null)");
    log_set_level(LOG_DEBUG);
    log_debug("shown", NULL);
    assert_true(seen.calls == 2 && log_level() == LOG_DEBUG);
    log_set_level(LOG_ERROR);
    log_warn("not shown", NULL);
    log_set_stderr(true, false, true);
    log_error("a line for people", "key", "two words", NULL);
    log_set_stderr(true, true, false);
    log_error("a line for machines", "key", "\"quoted\"", NULL);
    assert_true(seen.calls == 4);
}

/* A line of megabytes with a mistake in each word, and a message that quotes all of it. */
static void test_many(void **state) {
    (void)state;
    enum { N = 20000 };
    Buf source = {0}, out = {0};
    DiagList d;
    for (int i = 0; i < N; i++) buf_put_lit(&source, "a: ://b, ");
    diag_init(&d, STR("x.yml"), buf_str(&source));
    for (int i = 0; i < N; i++)
        diag_add(&d, i % 2 ? DIAG_ERROR : DIAG_WARNING, 1, 9 * i + 1, 1, NULL, "unknown key %s", buf_cstr(&source));
    assert_int_equal(diag_error_count(&d), N / 2);
    diag_render(&d, &out, false);
    assert_true(out.n > 100000 && out.n < 2u << 20);
    assert_non_null(strstr(buf_cstr(&out), "... and 9800 more of level error\n"));
    assert_non_null(strstr(buf_cstr(&out), "x.yml:1:10: error: unknown key a: ://b, a"));
    buf_done(&source);
    buf_done(&out);
    diag_done(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_render), cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_many), cmocka_unit_test(test_locate), cmocka_unit_test(test_suggest),
        cmocka_unit_test(test_log)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
