#include "codec/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MIB ((size_t)1 << 20)

/* A tree as text: [a, 'quoted', ~null, {k: v}]. */
static void show(const YamlNode *n, Buf *out) {
    switch (n->kind) {
    case YAML_NULL: buf_printf(out, "~%" STR_FMT, STR_ARG(n->text)); return;
    case YAML_SCALAR: buf_printf(out, n->quoted ? "'%" STR_FMT "'" : "%" STR_FMT, STR_ARG(n->text)); return;
    default: break;
    }
    size_t count = 0;
    buf_put_char(out, n->kind == YAML_SEQUENCE ? '[' : '{');
    for (const YamlNode *it = n->first; it; it = it->next, count++) {
        if (count) buf_put_lit(out, ", ");
        if (n->kind == YAML_MAPPING) buf_printf(out, "%" STR_FMT ": ", STR_ARG(it->key->text));
        show(it, out);
    }
    buf_put_char(out, n->kind == YAML_SEQUENCE ? ']' : '}');
    assert_int_equal(count, n->n);
}

/* Problems as text: "3:5+2 error: ...; " */
static void show_diags(const DiagList *d, Buf *out) {
    for (size_t i = 0; i < d->items.n; i++) {
        const Diag *it = &d->items.v[i];
        buf_printf(out, "%s%d:%d+%d %s%s", i ? "; " : "", it->line, it->col, it->len,
            it->level == DIAG_WARNING ? "(warning) " : "", it->msg);
    }
}

static const struct {
    const char *in, *want, *problems;
} parse_cases[] = {
    {"", "~", ""},
    {"# nothing\n", "~", ""},
    {"---\n", "~", ""},
    {"a", "a", ""},
    {"a: 1\nb: [x, 'y', \"z\\n\"]\n", "{a: 1, b: [x, 'y', 'z\n']}", ""},
    {"a:\nb: null\nc: ~\nd: 'null'\n", "{a: ~, b: ~null, c: ~~, d: 'null'}", ""},
    {"a: |\n  x\n  y\nb: >-\n  p\n  q\n", "{a: 'x\ny\n', b: 'p q'}", ""},
    {"- a\n- - b\n  - c\n- {k: v}\n", "[a, [b, c], {k: v}]", ""},
    {"\xef\xbb\xbf"
     "a: 1",
        "{a: 1}", ""},
    {"a: 1\r\nb: 2\r\n", "{a: 1, b: 2}", ""},
    {"? a\n: b\n", "{a: b}", ""},
    {"a: !!str 12", "{a: '12'}", ""},
    {"a: !!int 12", "{a: 12}", ""},
    {"a: !env X", "{a: X}", "1:4+1 (warning) tag !env is ignored"},
    {"%YAML 1.1\n---\na", "a", ""},
    {"a\n---\nb\n", "a", "3:1+1 (warning) only the first document is read"},
    /* anchors, aliases, merges */
    {"a: &x [1, 2]\nb: *x\n", "{a: [1, 2], b: [1, 2]}", ""},
    {"a: &x {k: v}\nb: {<<: *x, k: w, l: m}\n", "{a: {k: v}, b: {k: w, l: m}}", ""},
    {"a: &x {k: 1, o: 2}\nb: &y {k: 3, p: 4}\nc:\n  <<: [*x, *y]\n  q: 5\n",
        "{a: {k: 1, o: 2}, b: {k: 3, p: 4}, c: {q: 5, k: 1, o: 2, p: 4}}", ""},
    {"a: {'<<': 1}", "{a: {<<: 1}}", ""},
    {"&k key: 1\nother: *k\n", "{key: 1, other: key}", ""},
    {"a: &x 1\nb: &x 2\nc: *x\n", "{a: 1, b: 2, c: 2}", ""},
    {"a: {<<: 7}\n", NULL, "1:9+1 << takes a mapping or a list of mappings"},
    {"a: *nope\n", NULL, "1:4+5 unknown anchor *nope"},
    {"a: &x [*x]\n", NULL, "1:8+2 unknown anchor *x"},
    {"x: &a {}\n---\ny: *a\n", NULL, "3:4+2 unknown anchor *a"},
    {"a: {<<: {b: 1}, <<: {c: 2}}", NULL, "1:17+2 duplicate key \"<<\""},
    /* problems and their places */
    {"a: 1\nb: 2\na: 3\n", NULL, "3:1+1 duplicate key \"a\", first used in line 1"},
    {"a: 1\na: 2\nb:\n  cc: 1\n  cc: 2\n", NULL,
        "2:1+1 duplicate key \"a\", first used in line 1; 5:3+2 duplicate key \"cc\", first used in line 4"},
    {"\xc3\xa9\xc3\xa9: {a: 1, \xc3\xa9: 1, \xc3\xa9: 2}", NULL,
        "1:21+2 duplicate key \"\xc3\xa9\", first used in line 1"},
    {"[a]: b", NULL, "1:1+1 a key must be a plain value"},
    {"a: [1, 2\nb: 3\n", NULL, "2:2+1 did not find expected ',' or ']' while parsing a flow sequence"},
    {"a: b: c\n", NULL, "1:5+1 mapping values are not allowed in this context"},
    {"a:\n\tb: 1\n", NULL, "2:1+1 found character that cannot start any token while scanning for the next token"},
    {"a: \"x\n", NULL, "2:1+1 found unexpected end of stream while scanning a quoted scalar"},
    {"a: \x01\n", NULL, "1:4+1 control characters are not allowed"},
    {"ab: \xff\n", NULL, "1:5+1 invalid leading UTF-8 octet"},
};

static void test_parse(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(parse_cases); i++) {
        Arena *arena = arena_create(MIB);
        DiagList diags;
        Buf tree = {0}, problems = {0};
        YamlNode *root;
        diag_init(&diags, STR("x.yml"), str_cstr(parse_cases[i].in));
        ErrCode code = yaml_parse(str_cstr(parse_cases[i].in), arena, &root, &diags);
        show_diags(&diags, &problems);
        if (root) show(root, &tree);
        if (strcmp(buf_cstr(&problems), parse_cases[i].problems) != 0)
            fail_msg("%s: %s", parse_cases[i].in, buf_cstr(&problems));
        assert_int_equal(code == OK, parse_cases[i].want != NULL);
        assert_int_equal(root != NULL, parse_cases[i].want != NULL);
        if (root) assert_string_equal(buf_cstr(&tree), parse_cases[i].want);
        buf_done(&tree);
        buf_done(&problems);
        diag_done(&diags);
        arena_free(arena);
    }
}

static YamlNode *must_parse(const char *text, Arena *arena, DiagList *diags) {
    YamlNode *root;
    diag_init(diags, STR("x.yml"), str_cstr(text));
    assert_int_equal(yaml_parse(str_cstr(text), arena, &root, diags), OK);
    return root;
}

static void check_place(const YamlNode *n, int line, int col, int len) {
    assert_non_null(n);
    assert_int_equal(n->line, line);
    assert_int_equal(n->col, col);
    assert_int_equal(n->len, len);
}

static void test_places(void **state) {
    (void)state;
    Arena *arena = arena_create(MIB);
    DiagList diags;
    const YamlNode *root = must_parse("top:\n  - name: \"a b\"\n    \xc3\xbc\xc3\xbc: w\xc3\xb6rd # c\n    text: |\n"
                                      "      block\n  - &x {}\nref: *x\n",
        arena, &diags);
    const YamlNode *list = yaml_get(root, STR("top")), *item = list->first;
    check_place(root, 1, 1, 1);
    check_place(list->key, 1, 1, 3);
    check_place(list, 2, 3, 1);
    check_place(yaml_get(item, STR("name")), 2, 11, 5);
    check_place(yaml_get(item, STR("name"))->key, 2, 5, 4);
    check_place(yaml_get(item, STR("\xc3\xbc\xc3\xbc"))->key, 3, 5, 4);
    check_place(yaml_get(item, STR("\xc3\xbc\xc3\xbc")), 3, 11, 5);
    check_place(yaml_get(item, STR("text")), 4, 11, 1);
    check_place(yaml_get(root, STR("ref")), 7, 6, 2);
    assert_null(yaml_get(root, STR("nope")));
    assert_null(yaml_get(list, STR("name")));
    assert_null(yaml_get(NULL, STR("name")));
    diag_done(&diags);
    arena_free(arena);
}

static void test_all_documents(void **state) {
    (void)state;
    Arena *arena = arena_create(MIB);
    DiagList diags;
    YamlNode *doc;
    diag_init(&diags, STR("x"), STR_NULL);
    assert_int_equal(yaml_parse_all(STR("a: 1\n---\n---\n- b\n...\n"), arena, &doc, &diags), OK);
    static const char *const want[] = {"{a: 1}", "~", "[b]"};
    for (size_t i = 0; i < ARRAY_LEN(want); i++, doc = doc->next) {
        Buf out = {0};
        assert_non_null(doc);
        show(doc, &out);
        assert_string_equal(buf_cstr(&out), want[i]);
        buf_done(&out);
    }
    assert_null(doc);
    assert_int_equal(yaml_parse_all(STR(""), arena, &doc, &diags), OK);
    assert_true(doc->kind == YAML_NULL && !doc->next);
    diag_done(&diags);
    arena_free(arena);
}

static void check_limit(Str text, size_t budget, const char *want) {
    Arena *arena = arena_create(budget);
    DiagList diags;
    YamlNode *root;
    diag_init(&diags, STR("x"), STR_NULL);
    assert_int_equal(yaml_parse(text, arena, &root, &diags), ERR_TOO_LARGE);
    assert_null(root);
    assert_int_equal(diags.items.n, 1);
    assert_non_null(strstr(diags.items.v[0].msg, want));
    diag_done(&diags);
    arena_free(arena);
}

static void test_limits(void **state) {
    (void)state;
    Buf b = {0};
    buf_put_lit(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 9; i++) { /* each ten times the one before */
        buf_printf(&b, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++) buf_printf(&b, "%s*a%d", j ? ", " : "", i - 1);
        buf_put_lit(&b, "]\n");
    }
    check_limit(buf_str(&b), 64 * MIB, "nodes");
    check_limit(buf_str(&b), MIB, "");
    buf_clear(&b);
    for (int i = 0; i < 70; i++) buf_put_lit(&b, "[");
    check_limit(buf_str(&b), MIB, "nesting");
    buf_clear(&b);
    buf_put_lit(&b, "a0: &a0 [x]\n");
    for (int i = 1; i < 80; i++) buf_printf(&b, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    check_limit(buf_str(&b), MIB, "nesting");
    buf_clear(&b);
    for (int i = 0; i < 10000; i++) buf_printf(&b, "key%d: value\n", i);
    check_limit(buf_str(&b), 100000, "");
    Arena *arena = arena_create(64 * MIB);
    DiagList diags;
    YamlNode *root = must_parse(buf_cstr(&b), arena, &diags);
    assert_int_equal(root->n, 10000);
    diag_done(&diags);
    buf_put_lit(&b, "key7: again\n");
    diag_init(&diags, STR("x"), STR_NULL);
    assert_int_equal(yaml_parse(buf_str(&b), arena, &root, &diags), ERR_INVALID);
    assert_string_equal(diags.items.v[0].msg, "duplicate key \"key7\", first used in line 8");
    diag_done(&diags);
    arena_free(arena);
    buf_done(&b);
}

static void test_scalars(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int want; /* 1, 0, -1: no boolean */
    } bools[] = {{"true", 1}, {"True", 1}, {"TRUE", 1}, {"yes", 1}, {"On", 1}, {"y", 1}, {"false", 0}, {"No", 0},
        {"OFF", 0}, {"N", 0}, {"tRue", -1}, {"TRue", -1}, {"1", -1}, {"'true'", -1}, {"\"yes\"", -1}, {"", -1},
        {"[true]", -1}, {"truex", -1}};
    for (size_t i = 0; i < ARRAY_LEN(bools); i++) {
        Arena *arena = arena_create(MIB);
        DiagList diags;
        bool got = false;
        const YamlNode *root = must_parse(bools[i].text, arena, &diags);
        assert_int_equal(yaml_bool(root, &got), bools[i].want >= 0);
        assert_int_equal(got, bools[i].want == 1);
        diag_done(&diags);
        arena_free(arena);
    }
    bool b;
    assert_false(yaml_bool(NULL, &b));
    assert_true(yaml_is_null(NULL));
    YamlNode n = {.kind = YAML_SCALAR, .text = STR("null")};
    assert_true(yaml_is_null(&n));
    n.quoted = true;
    assert_false(yaml_is_null(&n));
}

static const char *lookup(void *ctx, Str name) {
    (void)ctx;
    if (str_eq_lit(name, "HOST")) return "db";
    if (str_eq_lit(name, "EMPTY")) return "";
    if (str_eq_lit(name, "TRICKY")) return "$HOST ${HOST} $$";
    return NULL;
}

static void test_expand_env(void **state) {
    (void)state;
    static const struct {
        const char *in, *want, *problem;
    } cases[] = {
        {"plain", "plain", NULL},
        {"${HOST}:1", "db:1", NULL},
        {"${env:HOST}", "db", NULL},
        {"${HOST:-x}${NO:-x}${env:NO:-y}", "dbxy", NULL},
        {"a${EMPTY}b${EMPTY:-no}", "ab", NULL},
        {"${NO:-${HOST}}!", "db!", NULL},
        {"${NO:-}", "", NULL},
        {"${TRICKY}", "$HOST ${HOST} $$", NULL}, /* values are not looked into */
        {"$$ $${HOST} $HOST ${1} $1 ${ ${} ${HOST", "$ ${HOST} $HOST ${1} $1 ${ ${} ${HOST", NULL},
        {"a$", "a$", NULL},
        {"x${NO}y", "xy", "environment variable NO is not set"},
        {"${file:/etc/x}", "", "cannot resolve ${file:/etc/x}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(MIB);
        DiagList diags;
        Buf text = {0};
        buf_printf(&text, "k:\n  - '%s'\n", cases[i].in);
        YamlNode *root = must_parse(buf_cstr(&text), arena, &diags);
        yaml_expand_env(root, arena, lookup, NULL, &diags);
        const YamlNode *got = yaml_get(root, STR("k"))->first;
        if (!str_eq(got->text, str_cstr(cases[i].want))) fail_msg("%s: %" STR_FMT, cases[i].in, STR_ARG(got->text));
        assert_int_equal(diags.items.n, cases[i].problem ? 1 : 0);
        if (cases[i].problem) {
            assert_string_equal(diags.items.v[0].msg, cases[i].problem);
            assert_int_equal(diags.items.v[0].line, 2);
            assert_int_equal(diags.items.v[0].col, 5);
        }
        diag_done(&diags);
        buf_done(&text);
        arena_free(arena);
    }
}

/* An alias is a copy: each place is expanded once. */
static void test_expand_alias(void **state) {
    (void)state;
    Arena *arena = arena_create(MIB);
    DiagList diags;
    YamlNode *root = must_parse("a: &x {p: \"$$${HOST}\"}\nb: *x\nc: {<<: *x}\n", arena, &diags);
    yaml_expand_env(root, arena, lookup, NULL, &diags);
    Buf out = {0};
    show(root, &out);
    assert_string_equal(buf_cstr(&out), "{a: {p: '$db'}, b: {p: '$db'}, c: {p: '$db'}}");
    buf_done(&out);
    diag_done(&diags);
    arena_free(arena);
}

/* Places in a line that holds the whole document, and its end in time. */
static void test_one_line(void **state) {
    (void)state;
    enum { N = 30000 };
    Buf text = {0};
    buf_put_lit(&text, "{\"\xc3\xa4\": 1");
    for (int i = 0; i < N; i++) buf_printf(&text, ", k%06d: 1", i);
    buf_put_lit(&text, "}");
    Arena *arena = arena_create(ARENA_UNLIMITED);
    DiagList diags;
    diag_init(&diags, STR("x"), buf_str(&text));
    YamlNode *root = NULL;
    assert_int_equal(yaml_parse(buf_str(&text), arena, &root, &diags), OK);
    const YamlNode *last = yaml_get(root, STR("k029999"));
    assert_true(last && last->key->line == 1 && last->key->col == (int)text.n - 10 && last->col == (int)text.n - 1);
    diag_done(&diags);
    arena_free(arena);
    buf_done(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse), cmocka_unit_test(test_places),
        cmocka_unit_test(test_all_documents), cmocka_unit_test(test_limits), cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_expand_env), cmocka_unit_test(test_expand_alias), cmocka_unit_test(test_one_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
