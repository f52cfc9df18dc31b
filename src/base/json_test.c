#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/json.h"
#include "base/num.h"

/* The cases of RFC 8259, by category; y: has to be taken, n: has to be refused. Written with the reader's rule that
 * input is UTF-8. */
static const struct {
    char verdict;
    Str text;
} grammar[] = {
    /* structure */
    {'n', STR_INIT("")},
    {'n', STR_INIT(" ")},
    {'n', STR_INIT("\xEF\xBB\xBF")},
    {'n', STR_INIT("\xEF\xBB{}")},
    {'y', STR_INIT("\xEF\xBB\xBF{}")},
    {'y', STR_INIT(" \t\r\n{} \t\r\n")},
    {'n', STR_INIT("\f[]")},
    {'n', STR_INIT("[\v1]")},
    {'n', STR_INIT("\xC2\xA0[]")},
    {'n', STR_INIT("[\xE2\x81\xA0]")},
    {'n', STR_INIT("1 2")},
    {'n', STR_INIT("{}}")},
    {'n', STR_INIT("[]]")},
    {'n', STR_INIT("[][]")},
    {'n', STR_INIT("{} x")},
    {'n', STR_INIT("[1]x")},
    {'n', STR_INIT("\0")},
    {'n', STR_INIT("[]\0")},
    {'n', STR_INIT("[\0]")},
    {'n', STR_INIT("<null>")},
    {'n', STR_INIT("*")},
    {'n', STR_INIT("\xE5")},
    {'n', STR_INIT("\xC3\xA5")},
    {'n', STR_INIT("[")},
    {'n', STR_INIT("]")},
    {'n', STR_INIT("{")},
    {'n', STR_INIT("}")},
    {'n', STR_INIT("{]")},
    {'n', STR_INIT("[}")},
    {'n', STR_INIT("[1}")},
    {'n', STR_INIT("{\"a\":1]")},
    {'n', STR_INIT("/**/{}")},
    {'n', STR_INIT("{}//")},
    {'n', STR_INIT("{}#")},
    {'n', STR_INIT("[1,/*x*/2]")},
    {'n', STR_INIT("[\\u000A\"\"]")},
    {'n', STR_INIT("[\"asd]")},
    {'n', STR_INIT("aa")},
    {'n', STR_INIT("{\"a\":/*c*/\"b\"}")},
    {'n', STR_INIT("[<null>]")},
    {'n', STR_INIT("[[[[[")},
    {'n', STR_INIT("[{\"\":[{\"\":")},
    {'n', STR_INIT("\xFF\xFE[\0]\0")},
    /* lonely values */
    {'y', STR_INIT("1")},
    {'y', STR_INIT("-0.1")},
    {'y', STR_INIT("\"x\"")},
    {'y', STR_INIT("\"\"")},
    {'y', STR_INIT("true")},
    {'y', STR_INIT("false")},
    {'y', STR_INIT("null")},
    {'n', STR_INIT("tru")},
    {'n', STR_INIT("nul")},
    {'n', STR_INIT("truE")},
    {'n', STR_INIT("True")},
    {'n', STR_INIT("NULL")},
    {'n', STR_INIT("nulll")},
    {'n', STR_INIT("[fals]")},
    {'n', STR_INIT("[truth]")},
    /* arrays */
    {'y', STR_INIT("[]")},
    {'y', STR_INIT("[ ]")},
    {'y', STR_INIT("[[]   ]")},
    {'y', STR_INIT("[1,null,\"1\",{}]")},
    {'y', STR_INIT("[1\n]")},
    {'y', STR_INIT(" [1]")},
    {'y', STR_INIT("[2] ")},
    {'y', STR_INIT("[[],[[]]]")},
    {'n', STR_INIT("[,]")},
    {'n', STR_INIT("[1,]")},
    {'n', STR_INIT("[1,,2]")},
    {'n', STR_INIT("[,1]")},
    {'n', STR_INIT("[1 2]")},
    {'n', STR_INIT("[1:2]")},
    {'n', STR_INIT("[\"\",,]")},
    {'n', STR_INIT("[3[4]]")},
    {'n', STR_INIT("[1")},
    {'n', STR_INIT("[1,")},
    {'n', STR_INIT("[1,\n1\n,1")},
    {'n', STR_INIT("[{}")},
    {'n', STR_INIT("[\"a\"")},
    {'n', STR_INIT("[-]")},
    {'n', STR_INIT("['a']")},
    {'n', STR_INIT("[*]")},
    {'n', STR_INIT("[\"x\", truth]")},
    {'n', STR_INIT("[\"\":1]")},
    {'n', STR_INIT("[\xE5]")},
    {'n', STR_INIT("[a\xE5]")},
    {'n', STR_INIT("1]")},
    {'n', STR_INIT("[1]]")},
    {'n', STR_INIT("[\"a\",\n4\n,1,")},
    /* objects */
    {'y', STR_INIT("{}")},
    {'y', STR_INIT("{\"\":0}")},
    {'y', STR_INIT("{\"a\":\"b\",\"a\":\"b\"}")},
    {'y', STR_INIT("{\"a\":[]}")},
    {'y', STR_INIT("{\"a\":{\"b\":{}},\"c\":1}")},
    {'y', STR_INIT("{\n\"a\" : 1\n,\t\"b\":2}")},
    {'y', STR_INIT("{\"f\\u0000b\":1}")},
    {'y', STR_INIT("{\"min\":-1.0e+28,\"max\":1.0e+28}")},
    {'n', STR_INIT("{\"a\"}")},
    {'n', STR_INIT("{\"a\":}")},
    {'n', STR_INIT("{\"a\":1,}")},
    {'n', STR_INIT("{,\"a\":1}")},
    {'n', STR_INIT("{\"a\":1,,\"b\":2}")},
    {'n', STR_INIT("{\"a\" 1}")},
    {'n', STR_INIT("{\"a\"::1}")},
    {'n', STR_INIT("{\"a\":1 \"b\":2}")},
    {'n', STR_INIT("{a:1}")},
    {'n', STR_INIT("{'a':1}")},
    {'n', STR_INIT("{1:1}")},
    {'n', STR_INIT("{null:null}")},
    {'n', STR_INIT("{\"a\",\"b\"}")},
    {'n', STR_INIT("{[:\"x\"}")},
    {'n', STR_INIT("{\"a\":1")},
    {'n', STR_INIT("{\"a\":1,")},
    {'n', STR_INIT("{\"a\":")},
    {'n', STR_INIT("{\"a\"")},
    {'n', STR_INIT("{\"a")},
    {'n', STR_INIT("{\"a\":true} \"x\"")},
    {'n', STR_INIT("{\"a\":\"b\"}/**/")},
    {'n', STR_INIT("{\"a\":\"b\"}#{}")},
    {'n', STR_INIT("{9999E9999:1}")},
    {'n', STR_INIT("{\"id\":0,,,,,}")},
    {'n', STR_INIT("{\"a\":\"a\" 123}")},
    {'n', STR_INIT("{\xF0\x9F\x87\xA8}")},
    {'n', STR_INIT("{\"x\", null}")},
    {'n', STR_INIT("{\"a\": b}")},
    {'n', STR_INIT("{\"\xB9\":\"0\",}")},
    {'n', STR_INIT("{\"a\":1 ]")},
    /* numbers */
    {'y', STR_INIT("[0]")},
    {'y', STR_INIT("[-0]")},
    {'y', STR_INIT("[-1]")},
    {'y', STR_INIT("[123]")},
    {'y', STR_INIT("[0e1]")},
    {'y', STR_INIT("[0e+1]")},
    {'y', STR_INIT("[1E22]")},
    {'y', STR_INIT("[1E-2]")},
    {'y', STR_INIT("[1E+2]")},
    {'y', STR_INIT("[20e1]")},
    {'y', STR_INIT("[123.456e78]")},
    {'y', STR_INIT("[1e-02]")},
    {'y', STR_INIT("[-0.000000000000000000000000000000000000000001]")},
    {'y', STR_INIT("[1e9999]")},
    {'y', STR_INIT("[123456789012345678901234567890]")},
    {'n', STR_INIT("[01]")},
    {'n', STR_INIT("[-01]")},
    {'n', STR_INIT("[00]")},
    {'n', STR_INIT("[+1]")},
    {'n', STR_INIT("[++1]")},
    {'n', STR_INIT("[--1.]")},
    {'n', STR_INIT("[.5]")},
    {'n', STR_INIT("[-.5]")},
    {'n', STR_INIT("[1.]")},
    {'n', STR_INIT("[-2.]")},
    {'n', STR_INIT("[0.e1]")},
    {'n', STR_INIT("[1.e1]")},
    {'n', STR_INIT("[1e]")},
    {'n', STR_INIT("[1e+]")},
    {'n', STR_INIT("[0E]")},
    {'n', STR_INIT("[0E+]")},
    {'n', STR_INIT("[1eE2]")},
    {'n', STR_INIT("[0.3e+]")},
    {'n', STR_INIT("[9.e+]")},
    {'n', STR_INIT("[1+2]")},
    {'n', STR_INIT("[0x1]")},
    {'n', STR_INIT("[0x]")},
    {'n', STR_INIT("[1a]")},
    {'n', STR_INIT("[-1x]")},
    {'n', STR_INIT("[1.2a-3]")},
    {'n', STR_INIT("[- 1]")},
    {'n', STR_INIT("[1 000.0]")},
    {'n', STR_INIT("[0.1.2]")},
    {'n', STR_INIT("[-NaN]")},
    {'n', STR_INIT("[NaN]")},
    {'n', STR_INIT("[Inf]")},
    {'n', STR_INIT("[Infinity]")},
    {'n', STR_INIT("[-Infinity]")},
    {'n', STR_INIT("[\xEF\xBC\x91]")},
    {'n', STR_INIT("[0e\xE5]")},
    {'n', STR_INIT("[123\xE5]")},
    {'n', STR_INIT("[1e1\xE5]")},
    {'n', STR_INIT("-")},
    {'n', STR_INIT("-foo")},
    {'n', STR_INIT("012")},
    {'n', STR_INIT("2.")},
    /* strings */
    {'y', STR_INIT("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]")},
    {'y', STR_INIT("[\"\\u0060\\u012a\\u12AB\"]")},
    {'y', STR_INIT("[\"\\u0000\"]")},
    {'y', STR_INIT("[\"\\uD801\\udc37\"]")},
    {'y', STR_INIT("[\"\\uD800\"]")},
    {'y', STR_INIT("[\"\\uDC00\\uD800\"]")},
    {'y', STR_INIT("[\"\\uD800\\n\"]")},
    {'y', STR_INIT("[\"\\\\u0000\"]")},
    {'y', STR_INIT("[\"a/*b*/c\"]")},
    {'y', STR_INIT("[\"\x7F\"]")},
    {'y', STR_INIT("[\"\xC3\xA9\xE2\x82\xAC\"]")},
    {'y', STR_INIT("[\"\xF0\x9D\x84\x9E\"]")},
    {'y', STR_INIT("[\"\xEF\xBF\xBF\xF4\x8F\xBF\xBF\"]")},
    {'y', STR_INIT("[\"\xE2\x80\xA8\xE2\x80\xA9\"]")},
    {'n', STR_INIT("\"")},
    {'n', STR_INIT("[\"]")},
    {'n', STR_INIT("[\"\\\"]")},
    {'n', STR_INIT("[\"\\")},
    {'n', STR_INIT("[\"\\x00\"]")},
    {'n', STR_INIT("[\"\\a\"]")},
    {'n', STR_INIT("[\"\\u\"]")},
    {'n', STR_INIT("[\"\\u00A\"]")},
    {'n', STR_INIT("[\"\\u00G0\"]")},
    {'n', STR_INIT("[\"\\U0041\"]")},
    {'n', STR_INIT("[\"\\uD834\\uDd\"]")},
    {'n', STR_INIT("[\"\\uD800\\u\"]")},
    {'n', STR_INIT("[\"\\uD800\\u1x\"]")},
    {'n', STR_INIT("[\"\\\0\"]")},
    {'n', STR_INIT("[\"a\0b\"]")},
    {'n', STR_INIT("[\"a\nb\"]")},
    {'n', STR_INIT("[\"\t\"]")},
    {'n', STR_INIT("[\"\x1F\"]")},
    {'n', STR_INIT("['x']")},
    {'n', STR_INIT("[\\n]")},
    {'n', STR_INIT("[\"\\\xF0\x9F\x8C\x80\"]")},
    {'n', STR_INIT("[\"\xFF\"]")},
    {'n', STR_INIT("[\"\xC0\xAF\"]")},
    {'n', STR_INIT("[\"\xED\xA0\x80\"]")},
    {'n', STR_INIT("[\"\xF4\x90\x80\x80\"]")},
    {'n', STR_INIT("[\"\xE6\x97\"]")},
    {'n', STR_INIT("[\"\x81\"]")},
    {'n', STR_INIT("[\"\\u\xE5\"]")},
    {'n', STR_INIT("[\"\xE5\"]")},
    {'n', STR_INIT("[\"\\\x01\"]")},
    {'n', STR_INIT("\"x\" y")},
    {'n', STR_INIT("[\"0123456789abcdef\x01\"]")},
};

static JsonToken run_through(Str text, Arena *a, bool skip, JsonReader *r) {
    json_reader_init(r, text, a, 0);
    if (skip) json_skip(r);
    JsonToken t;
    do t = json_next(r);
    while (t != JSON_END && t != JSON_ERROR);
    return t;
}

static void test_grammar(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(grammar); i++) {
        Arena *a = arena_create(1 << 20);
        JsonReader r;
        /* A copy of its own size on the heap: a read beyond the end is seen. */
        char *copy = mem_alloc(grammar[i].text.n);
        if (grammar[i].text.n) memcpy(copy, grammar[i].text.p, grammar[i].text.n);
        Str text = str_of(copy, grammar[i].text.n);
        JsonToken want = grammar[i].verdict == 'y' ? JSON_END : JSON_ERROR;
        JsonToken read = run_through(text, a, false, &r), skipped = run_through(text, a, true, &r);
        if (read != want || skipped != want) fail_msg("%zu: %" STR_FMT ": %s", i, STR_ARG(text), r.err.msg);
        if (want == JSON_ERROR) {
            assert_true(r.err.code == ERR_INVALID && r.err.line >= 1 && r.err.col >= 1 && r.err.msg[0]);
            assert_true(json_next(&r) == JSON_ERROR);
        }
        JsonValue *tree;
        assert_true((json_parse(text, a, &tree, NULL) == OK) == (want == JSON_END));
        mem_free(copy);
        arena_free(a);
    }
}

static void test_depth(void **state) {
    (void)state;
    char text[2 * JSON_DEPTH_MAX + 2];
    for (int extra = 0; extra < 2; extra++) {
        size_t n = JSON_DEPTH_MAX + (size_t)extra;
        memset(text, '[', n), memset(text + n, ']', n);
        JsonReader r;
        assert_true(run_through(str_of(text, 2 * n), NULL, false, &r) == (extra ? JSON_ERROR : JSON_END));
        if (extra) assert_true(r.err.code == ERR_TOO_LARGE);
    }
    JsonReader r;
    json_reader_init(&r, STR("[[1]]"), NULL, 1);
    assert_true(json_next(&r) == JSON_ARRAY_BEGIN && json_next(&r) == JSON_ERROR);
}

static void test_tokens(void **state) {
    (void)state;
    Arena *a = arena_create(1 << 16);
    JsonReader r;
    Str in = STR("{\"a\\u0062\": [1, -2.5e3, \"x\", \"\\uD83D\\uDE00\\uD800z\\/\", true, false, null], \"c\": {}}");
    json_reader_init(&r, in, a, 0);
    static const struct {
        JsonToken token;
        const char *text;
    } want[] = {{JSON_OBJECT_BEGIN, NULL}, {JSON_KEY, "ab"}, {JSON_ARRAY_BEGIN, NULL}, {JSON_NUMBER, "1"},
        {JSON_NUMBER, "-2.5e3"}, {JSON_STRING, "x"}, {JSON_STRING, "\xF0\x9F\x98\x80\xEF\xBF\xBDz/"}, {JSON_TRUE, NULL},
        {JSON_FALSE, NULL}, {JSON_NULL, NULL}, {JSON_ARRAY_END, NULL}, {JSON_KEY, "c"}, {JSON_OBJECT_BEGIN, NULL},
        {JSON_OBJECT_END, NULL}, {JSON_OBJECT_END, NULL}, {JSON_END, NULL}, {JSON_END, NULL}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_int_equal(json_next(&r), want[i].token);
        assert_int_equal(r.token, want[i].token);
        if (want[i].text) assert_true(str_eq(r.text, str_cstr(want[i].text)));
        if (want[i].token == JSON_STRING && str_eq_lit(r.text, "x"))
            assert_true(r.text.p > in.p && r.text.p < in.p + in.n);
    }
    arena_free(a);
}

static void test_budget(void **state) {
    (void)state;
    Arena *a = arena_create(16);
    JsonReader r;
    assert_true(run_through(STR("[\"\\n23456789012345678901234567890\"]"), a, false, &r) == JSON_ERROR);
    assert_true(r.err.code == ERR_TOO_LARGE);
    assert_true(run_through(STR("[\"\\n23456789012345678901234567890\"]"), a, true, &r) == JSON_END);
    JsonValue *tree;
    assert_int_equal(json_parse(STR("[1]"), a, &tree, NULL), ERR_TOO_LARGE);
    arena_free(a);
}

static void test_skip(void **state) {
    (void)state;
    JsonReader r;
    json_reader_init(&r, STR("{\"a\":{\"x\":[1,{\"y\":\"\\n\"}]},\"b\":[[],2],\"c\":3}"), NULL, 0);
    assert_int_equal(json_next(&r), JSON_OBJECT_BEGIN);
    assert_int_equal(json_next(&r), JSON_KEY);
    json_skip(&r);
    assert_int_equal(json_next(&r), JSON_KEY);
    assert_true(str_eq_lit(r.text, "b"));
    assert_int_equal(json_next(&r), JSON_ARRAY_BEGIN);
    json_skip(&r);
    assert_int_equal(json_next(&r), JSON_NUMBER);
    json_skip_open(&r);
    assert_int_equal(json_next(&r), JSON_KEY);
    json_skip(&r);
    assert_int_equal(json_next(&r), JSON_OBJECT_END);
    assert_int_equal(json_next(&r), JSON_END);
    json_reader_init(&r, STR("[{\"a\":1},2]"), NULL, 0);
    assert_int_equal(json_next(&r), JSON_ARRAY_BEGIN);
    assert_int_equal(json_next(&r), JSON_OBJECT_BEGIN);
    json_skip_open(&r);
    assert_int_equal(json_next(&r), JSON_NUMBER);
}

static void test_numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool i64, u64, f64;
        int64_t i;
    } cases[] = {
        {"0", true, true, true, 0},
        {"-0", true, true, true, 0},
        {"9223372036854775807", true, true, true, INT64_MAX},
        {"-9223372036854775808", true, false, true, INT64_MIN},
        {"9223372036854775808", false, true, true, 0},
        {"18446744073709551616", false, false, true, 0},
        {"1.0", true, true, true, 1},
        {"1.5", false, false, true, 0},
        {"12e3", true, true, true, 12000},
        {"1.25e2", true, true, true, 125},
        {"1200e-2", true, true, true, 12},
        {"1e-1", false, false, true, 0},
        {"1e19", false, true, true, 0},
        {"1e20", false, false, true, 0},
        {"1e400", false, false, false, 0},
        {"9223372036854775807.0", true, true, true, INT64_MAX},
        {"0e999999999999", true, true, true, 0},
        {"0.0e5", true, true, true, 0},
        {"\"42\"", true, true, true, 42},
        {"\"-1\"", true, false, true, -1},
        {"\"NaN\"", false, false, true, 0},
        {"\"-Infinity\"", false, false, true, 0},
        {"\"Inf\"", false, false, false, 0},
        {"\"0x10\"", false, false, false, 0},
        {"\"\"", false, false, false, 0},
        {"\"1 \"", false, false, false, 0},
        {"\"0.0.0\"", false, false, false, 0},
        {"\"007\"", false, false, false, 0},
        {"\"-\"", false, false, false, 0},
        {"\"1e5\"", true, true, true, 100000},
        {"\"+1\"", false, false, false, 0},
        {"\"0.0.0\"", false, false, false, 0},
        {"\"007\"", false, false, false, 0},
        {"\"-\"", false, false, false, 0},
        {"\"1e5\"", true, true, true, 100000},
        {"true", false, false, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        JsonReader r;
        json_reader_init(&r, str_cstr(cases[i].text), NULL, 0);
        assert_true(json_next(&r) != JSON_ERROR);
        int64_t iv;
        uint64_t uv;
        double dv;
        bool i64 = json_token_i64(&r, &iv), u64 = json_token_u64(&r, &uv), f64 = json_token_f64(&r, &dv);
        if (i64 != cases[i].i64 || u64 != cases[i].u64 || f64 != cases[i].f64)
            fail_msg("%s: %d %d %d", cases[i].text, i64, u64, f64);
        if (i64) assert_true(iv == cases[i].i);
        if (i64 && u64) assert_true(uv == (uint64_t)cases[i].i);
    }
}

static void test_positions(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int line, col;
    } cases[] = {{"{\n  \"a\": 1,\n  b: 2}", 3, 3}, {"[1,\n 2", 2, 3}, {"", 1, 1}, {"[01]", 1, 3}, {"[\"a\\x\"]", 1, 4},
        {"{\"a\":nul}", 1, 6}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        JsonReader r;
        assert_true(run_through(str_cstr(cases[i].text), NULL, false, &r) == JSON_ERROR);
        if (r.err.line != cases[i].line || r.err.col != cases[i].col)
            fail_msg("%s: %d:%d", cases[i].text, r.err.line, r.err.col);
    }
}

static void test_tree(void **state) {
    (void)state;
    Arena *a = arena_create(1 << 16);
    JsonValue *v;
    Err err;
    assert_int_equal(
        json_parse(STR(" {\"a\": 1, \"b\" : [true, \"x\\n\", {\"c\":null}], \"a\": 2.0, \"s\":\"t\"}"), a, &v, &err),
        OK);
    assert_true(v->kind == JSON_K_OBJECT && v->n == 4 && v->pos == 1);
    int64_t i;
    double d;
    assert_true(json_get_i64(v, STR("a"), &i) && i == 2);
    assert_true(json_get_f64(v, STR("a"), &d) && d == 2);
    assert_true(str_eq_lit(json_get_str(v, STR("s")), "t") && json_get(v, STR("s"))->pos == 57);
    const JsonValue *b = json_get(v, STR("b"));
    assert_true(b->kind == JSON_K_ARRAY && b->n == 3 && b->first->kind == JSON_K_BOOL && b->first->boolean);
    assert_true(str_eq_lit(b->first->next->text, "x\n") && b->first->next->next->first->kind == JSON_K_NULL);
    assert_null(json_get(v, STR("z")));
    assert_null(json_get(b, STR("a")));
    assert_null(json_get_str(v, STR("a")).p);
    assert_int_equal(json_parse(STR("[1,\n}"), a, &v, &err), ERR_INVALID);
    assert_true(err.line == 2 && err.col == 1);
    arena_free(a);
}

static void test_writer(void **state) {
    (void)state;
    Buf b = {0};
    JsonWriter w = json_writer(&b);
    json_begin_object(&w);
    json_key_lit(&w, "a"), json_i64(&w, -5);
    json_key_lit(&w, "b"), json_begin_array(&w), json_end_array(&w);
    json_key_lit(&w, "c"), json_begin_array(&w);
    json_f64(&w, 1e-7), json_f64(&w, __builtin_nan("")), json_bool(&w, true), json_null(&w), json_u64(&w, UINT64_MAX);
    json_raw(&w, STR("{\"r\":1}"));
    json_begin_object(&w), json_end_object(&w);
    json_str(&w, STR("x"));
    json_end_array(&w);
    json_key_lit(&w, "d"), json_bool(&w, false);
    json_end_object(&w);
    assert_string_equal(buf_cstr(&b),
        "{\"a\":-5,\"b\":[],\"c\":[1e-7,null,true,null,18446744073709551615,{\"r\":1},{},\"x\"],\"d\":false}");
    buf_done(&b);
}

static void test_put_string(void **state) {
    (void)state;
    static const struct {
        Str in;
        const char *want;
    } cases[] = {
        {STR_INIT(""), "\"\""},
        {STR_INIT("plain text longer than one vector, <&>"), "\"plain text longer than one vector, <&>\""},
        {STR_INIT("\"\\/\b\f\n\r\t\0\x1f\x7f"), "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\""},
        {STR_INIT("\xC3\xA9 \xF0\x9F\x98\x80"), "\"\xC3\xA9 \xF0\x9F\x98\x80\""},
        {STR_INIT("a\xFF\xC3(\xC3\xA9"), "\"a\xEF\xBF\xBD\xEF\xBF\xBD(\xC3\xA9\""},
        {STR_INIT("0123456789abcdef\"0123456789abcde\xE2\x82\xAC"),
            "\"0123456789abcdef\\\"0123456789abcde\xE2\x82\xAC\""},
    };
    Buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        buf_clear(&b);
        json_put_string(&b, cases[i].in);
        assert_string_equal(buf_cstr(&b), cases[i].want);
    }
    buf_done(&b);
}

/* Specials at every place of a vector, in strings of every length around it. */
static void test_scan_alignment(void **state) {
    (void)state;
    static const char *const specials[] = {"\"", "\\", "\n", "\xC3\xA9", "\x1f"};
    Arena *a = arena_create(ARENA_UNLIMITED);
    Buf b = {0};
    for (size_t s = 0; s < ARRAY_LEN(specials); s++)
        for (size_t n = 0; n < 40; n++)
            for (size_t at = 0; at <= n; at++) {
                char text[64];
                size_t k = strlen(specials[s]);
                memset(text, 'x', sizeof text);
                memcpy(text + at, specials[s], k);
                buf_clear(&b);
                json_put_string(&b, str_of(text, n + k));
                JsonReader r;
                json_reader_init(&r, buf_str(&b), a, 0);
                assert_int_equal(json_next(&r), JSON_STRING);
                assert_true(str_eq(r.text, str_of(text, n + k)));
            }
    buf_done(&b);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_put_string),
        cmocka_unit_test(test_scan_alignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
