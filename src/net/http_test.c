/* http_test.c - percent coding, parameters, headers, bodies. */
#include "net/http.h"

#include "codec/compress.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

static const struct {
    const char *in, *path, *query;
} decodes[] = {
    {"", "", ""},
    {"plain", "plain", "plain"},
    {"a+b%20c", "a+b c", "a b c"},
    {"%41%6a", "Aj", "Aj"},
    {"%", "%", "%"},
    {"%4", "%4", "%4"},
    {"%4g%G1", "%4g%G1", "%4g%G1"},
    {"%%41", "%A", "%A"},
    {"%ff%fe", "\xff\xfe", "\xff\xfe"},
};

static void test_decode(void **state) {
    (void)state;
    Arena *a = arena_create(1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(decodes); i++) {
        Str p = http_url_decode(a, str_cstr(decodes[i].in), false),
            q = http_url_decode(a, str_cstr(decodes[i].in), true);
        if (!str_eq(p, str_cstr(decodes[i].path)) || !str_eq(q, str_cstr(decodes[i].query)))
            fail_msg("\"%s\"", decodes[i].in);
    }
    Buf b = {0};
    http_url_encode(&b, STR("a b/c?~\xc3\xa4"));
    assert_true(str_eq_lit(buf_str(&b), "a+b%2Fc%3F~%C3%A4"));
    buf_done(&b);
    arena_free(a);
}

#define FORM "application/x-www-form-urlencoded; charset=utf-8"
#define MULTIPART "Multipart/form-data; boundary=\"x y\""
#define PART(name, value) "--x y\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"

static const struct {
    HttpMethod method;
    const char *type, *query, *body;
    const char *name, *values; /* joined by | ; NULL: absent */
} params[] = {
    {HTTP_GET, "", "a=1&b=2&a=3", "", "a", "1|3"},
    {HTTP_GET, "", "match[]=up%7Bx%3D%22y%22%7D", "", "match[]", "up{x=\"y\"}"},
    {HTTP_GET, "", "flag&x=", "", "flag", ""},
    {HTTP_GET, "", "flag&x=", "", "x", ""},
    {HTTP_GET, "", "flag", "", "y", NULL},
    {HTTP_GET, "", "&&=v&&", "", "", "v"},
    {HTTP_GET, "", "a=1;b=2&c=3", "", "a", NULL},
    {HTTP_GET, "", "a=b=c", "", "a", "b=c"},
    {HTTP_POST, FORM, "a=query", "a=body", "a", "body|query"},
    {HTTP_PUT, FORM, "", "a=body", "a", "body"},
    {HTTP_GET, FORM, "a=query", "a=body", "a", "query"},
    {HTTP_POST, "application/json", "a=query", "a=body", "a", "query"},
    {HTTP_POST, "Application/X-WWW-Form-Urlencoded", "", "a=x+y", "a", "x y"},
    {HTTP_POST, FORM, "a=%zz&b=1&a=2", "a=3;b&a=4", "a", "4|2"},
    {HTTP_POST, MULTIPART, "a=query", PART("a", "x\r\ny") PART("b", "") "--x y--\r\n", "a", "query|x\r\ny"},
    {HTTP_POST, MULTIPART, "", PART("a", "1") PART("b", "") "--x y--\r\n", "b", ""},
    {HTTP_POST, MULTIPART, "", PART("a\"; filename=\"f", "1") PART("b", "2") "--x y--", "a", NULL},
    {HTTP_POST, MULTIPART, "", PART("a", "cut"), "a", NULL},
    {HTTP_POST, "multipart/form-data", "", PART("a", "1") "--x y--", "a", NULL},
};

static const struct {
    const char *type, *query, *body, *error;
} form_errors[] = {
    {FORM, "a=1", "b=2", ""},
    {FORM, "a=%zz", "b=2", "invalid URL escape \"%zz\""},
    {FORM, "a=%zz", "b=%1", "invalid URL escape \"%1\""},
    {FORM, "", "%x1y=1", "invalid URL escape \"%x1\""},
    {FORM, "a=1;b=2", "", "invalid semicolon separator in query"},
    {";", "a=1", "", "mime: no media type"},
    {"a/b/c", "a=%zz", "", "mime: unexpected content after media subtype"},
    {"a/", "", "", "mime: expected token after slash"},
    {"a b/c", "", "", "mime: expected slash after first token"},
    {"text/plain; x", "", "", ""},
};

static void test_redact(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"http://u:p@h/x", "http://u:xxxxx@h/x"},
        {"http://u:p:@q@h", "http://u:xxxxx@h"}, {"http://u@h/a:b@c", "http://u@h/a:b@c"},
        {"http://h:80/u:p@x", "http://h:80/u:p@x"}, {"u:p@h", "u:p@h"}, {"", ""},
        {"http://:p@h?q", "http://:xxxxx@h?q"}, {"https://u:@h", "https://u:xxxxx@h"}, {"x://", "x://"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *shown = http_url_redacted(str_cstr(cases[i][0]));
        assert_string_equal(shown, cases[i][1]);
        mem_free(shown);
    }
}

static void test_form_errors(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(form_errors); i++) {
        Arena *a = arena_create(1 << 16);
        HttpHeader h = {STR("Content-Type"), str_cstr(form_errors[i].type)};
        HttpRequest req = {.method = HTTP_POST,
            .query = str_cstr(form_errors[i].query),
            .body = str_cstr(form_errors[i].body),
            .headers = &h,
            .n_headers = 1,
            .arena = a};
        Str e = http_form_error(&req);
        if (!str_eq(e, str_cstr(form_errors[i].error))) fail_msg("case %zu: %" STR_FMT, i, STR_ARG(e));
        arena_free(a);
    }
}

static void test_params(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        Arena *a = arena_create(1 << 16);
        HttpHeader h = {STR("Content-Type"), str_cstr(params[i].type)};
        HttpRequest req = {.method = params[i].method,
            .query = str_cstr(params[i].query),
            .body = str_cstr(params[i].body),
            .headers = &h,
            .n_headers = 1,
            .arena = a};
        Str v[8];
        size_t n = http_params(&req, str_cstr(params[i].name), v, ARRAY_LEN(v));
        Buf joined = {0};
        for (size_t k = 0; k < n; k++) {
            if (k) buf_put_char(&joined, '|');
            buf_put_str(&joined, v[k]);
        }
        bool has = http_has_param(&req, str_cstr(params[i].name));
        if (has != (params[i].values != NULL) || !str_eq(buf_str(&joined), str_cstr(params[i].values)))
            fail_msg("case %zu: %" STR_FMT, i, STR_ARG(buf_str(&joined)));
        assert_int_equal(has, http_param(&req, str_cstr(params[i].name)).p != NULL);
        buf_done(&joined);
        arena_free(a);
    }
}

static void test_body_decoded(void **state) {
    (void)state;
    Buf text = {0}, zipped = {0};
    for (int i = 0; i < 1000; i++) buf_printf(&text, "%d ", i);
    assert_int_equal(compress(ENCODING_GZIP, buf_str(&text), 0, &zipped), OK);
    Arena *a = arena_create(1 << 20);
    HttpHeader h = {STR("content-encoding"), STR("gzip")};
    HttpRequest req = {.body = buf_str(&zipped), .headers = &h, .n_headers = 1, .arena = a};
    Str out;
    assert_int_equal(http_body_decoded(&req, 1 << 20, &out, NULL), OK);
    assert_true(str_eq(out, buf_str(&text)));
    assert_int_equal(http_body_decoded(&req, 100, &out, NULL), ERR_TOO_LARGE);
    h.value = STR("br");
    assert_int_equal(http_body_decoded(&req, 1 << 20, &out, NULL), ERR_UNSUPPORTED);
    req.n_headers = 0;
    assert_int_equal(http_body_decoded(&req, 1 << 20, &out, NULL), OK);
    assert_int_equal(http_body_decoded(&req, 10, &out, NULL), ERR_TOO_LARGE);
    arena_free(a);
    buf_done(&text);
    buf_done(&zipped);
}

static void test_replies(void **state) {
    (void)state;
    HttpResponse res = {0};
    http_reply_error(&res, &(Err){.code = ERR_UNAVAILABLE, .msg = "not ready"});
    assert_int_equal(res.status, 503);
    assert_true(str_eq_lit(buf_str(&res.body), "not ready\n"));
    assert_true(str_eq_lit(res.headers[0].name, "Retry-After"));
    http_set_header(&res, STR("retry-after"), STR("9"));
    assert_int_equal(res.n_headers, 1);
    http_add_header(&res, STR("Set-Cookie"), STR("a=b"));
    http_add_header(&res, STR("Set-Cookie"), STR("c=d"));
    assert_int_equal(res.n_headers, 3);
    assert_string_equal(http_status_text(404), "Not Found");
    assert_int_equal(http_method_parse(STR("get")), 0);
    buf_done(&res.body);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_decode), cmocka_unit_test(test_params),
        cmocka_unit_test(test_form_errors), cmocka_unit_test(test_redact), cmocka_unit_test(test_body_decoded),
        cmocka_unit_test(test_replies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
