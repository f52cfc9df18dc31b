#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/spans_batch.h"

static void fill(SpansBatch *b) {
    Attr service = {STR("service.name"), {.type = ATTR_STR, .s = STR("llm-api")}};
    Attr n = {STR("n"), {.type = ATTR_I64, .i = INT64_MAX}};
    assert_true(avec_push(b->arena, &b->attrs, service) && avec_push(b->arena, &b->attrs, n));
    assert_true(avec_push(b->arena, &b->resources, (Resource){.attrs = {0, 1}}));
    assert_true(avec_push(b->arena, &b->scopes, (Scope){.name = STR("lib")}));
    assert_true(avec_push(b->arena, &b->events, (SpanEvent){.t_ns = 5, .name = STR("retry"), .attrs = {1, 1}}));
    assert_true(avec_push(b->arena, &b->links, (SpanLink){.trace_state = STR("a=b")}));
    for (int i = 0; i < 3; i++) {
        assert_true(avec_push(b->arena, &b->rows,
            (SpanRow){.name = STR("chat"), .start_ns = i, .attrs = {1, 1}, .events = {0, 1}, .links = {0, 1}}));
    }
}

static void test_append_row_copies_deeply_and_shares_resources(void **state) {
    (void)state;
    SpansBatch src = {.arena = arena_create(ARENA_UNLIMITED)}, dst = {.arena = arena_create(ARENA_UNLIMITED)};
    fill(&src);
    for (size_t i = 0; i < src.rows.n; i++) assert_true(spans_batch_append_row(&dst, &src, i));
    arena_free(src.arena);
    assert_int_equal(dst.rows.n, 3);
    assert_int_equal(dst.resources.n, 1);
    assert_int_equal(dst.scopes.n, 1);
    const SpanRow *r = &dst.rows.v[2];
    assert_true(str_eq_lit(spans_batch_service(&dst, r), "llm-api"));
    assert_int_equal(dst.attrs.v[r->attrs.first].value.i, INT64_MAX);
    assert_true(str_eq_lit(dst.events.v[r->events.first].name, "retry"));
    assert_true(str_eq_lit(dst.links.v[r->links.first].trace_state, "a=b"));
    arena_free(dst.arena);
}

static void test_append_row_reports_exhaustion(void **state) {
    (void)state;
    SpansBatch src = {.arena = arena_create(ARENA_UNLIMITED)}, dst = {.arena = arena_create(256)};
    fill(&src);
    bool ok = true;
    for (int i = 0; ok && i < 100; i++) ok = spans_batch_append_row(&dst, &src, 0);
    assert_false(ok);
    arena_free(src.arena);
    arena_free(dst.arena);
}

static const struct TextCase {
    AttrValue v;
    const char *text, *json;
} text_cases[] = {
    {{.type = ATTR_EMPTY}, "", "null"},
    {{.type = ATTR_STR, .s = STR_INIT("a\"b")}, "a\"b", "\"a\\\"b\""},
    {{.type = ATTR_BOOL, .b = true}, "true", "true"},
    {{.type = ATTR_I64, .i = INT64_MIN}, "-9223372036854775808", "-9223372036854775808"},
    {{.type = ATTR_F64, .d = 0.1}, "0.1", "0.1"},
    {{.type = ATTR_BYTES, .s = STR_INIT("hi")}, "aGk=", "\"aGk=\""},
    {{.type = ATTR_MAP, .s = STR_INIT("{\"a\":1}")}, "{\"a\":1}", "{\"a\":1}"},
};

static void test_attr_text(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(text_cases); i++) {
        Buf b = {0};
        attr_put_text(&b, &text_cases[i].v);
        assert_string_equal(buf_cstr(&b), text_cases[i].text);
        buf_clear(&b);
        attr_put_json(&b, &text_cases[i].v);
        assert_string_equal(buf_cstr(&b), text_cases[i].json);
        buf_done(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_row_copies_deeply_and_shares_resources),
        cmocka_unit_test(test_append_row_reports_exhaustion),
        cmocka_unit_test(test_attr_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
