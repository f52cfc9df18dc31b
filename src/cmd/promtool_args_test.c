/* promtool_args_test.c - command lines by a table: what is read, what is refused, what help and completion say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/promtool_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int nothing(const PtLine *l) {
    (void)l;
    return 0;
}

static const PtFlag all[] = {{.name = "help", .kind = PT_SWITCH, .brief = 'h', .help = "Help."},
    {.name = "feature", .kind = PT_LIST, .value = "NAME", .help = "Features."}};
static const PtFlag group[] = {
    {.name = "format", .kind = PT_ENUM, .brief = 'o', .fallback = "text", .choices = "text,json", .help = "Form."}};
static const PtFlag flags[] = {{.name = "fatal", .kind = PT_SWITCH, .brief = 'f', .help = "Fatal."},
    {.name = "long", .kind = PT_SWITCH, .brief = 'l', .help = "Long."},
    {.name = "limit", .kind = PT_INT, .fallback = "20", .help = "Limit."},
    {.name = "timeout", .kind = PT_DURATION, .fallback = "30s", .help = "Timeout."},
    {.name = "label", .kind = PT_PAIRS, .fallback = "a=b", .value = "N=V", .help = "Label."},
    {.name = "match", .kind = PT_LIST, .required = true, .value = "S", .help = "Match."}};
static const PtArg args[] = {{.name = "server", .kind = PT_URL, .required = true}, {.name = "file", .many = true}};
static const PtArg one[] = {{.name = "db path", .fallback = "data/"}};
static const PtCommand commands[] = {
    {"query run", nothing, "Runs.", flags, ARRAY_LEN(flags), args, ARRAY_LEN(args), false},
    {"query list", nothing, "Lists.", NULL, 0, one, ARRAY_LEN(one), false},
    {"query make all", nothing, "Makes.", NULL, 0, NULL, 0, false},
};
static const PtGroup groups[] = {{"", "All of it.", all, ARRAY_LEN(all)}, {"query", "Asks.", group, ARRAY_LEN(group)}};
static const PtTable table = {commands, ARRAY_LEN(commands), groups, ARRAY_LEN(groups)};

#define WORDS_MAX 24

/* Blanks part the words. */
static int parse(const char *line, PtLine *ret) {
    static char copies[WORDS_MAX][64];
    char *argv[WORDS_MAX + 1] = {0};
    Str rest = str_cstr(line), word;
    int argc = 0;
    while (rest.n && str_split_next(&rest, ' ', &word)) {
        snprintf(copies[argc], sizeof copies[argc], "%.*s", (int)word.n, word.p);
        argv[argc] = copies[argc];
        argc++;
    }
    return pt_parse(&table, argc, argv, ret);
}

/* What is written to standard error meanwhile. */
static int catch_parse(const char *line, char *text, size_t size) {
    PtLine l;
    FILE *tmp = tmpfile();
    assert_non_null(tmp);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(fileno(tmp), STDERR_FILENO);
    int code = parse(line, &l);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(tmp);
    size_t n = fread(text, 1, size - 1, tmp);
    text[n] = 0;
    fclose(tmp);
    pt_done(&l);
    return code;
}

static const struct {
    const char *line, *error; /* NULL: it is fine */
} lines[] = {
    {"query run --match x http://s", NULL},
    {"query run http://s a b c --match=x", NULL},
    {"query -o json run --match x s", NULL},
    {"query run -ojson -fl --match x s", NULL},
    {"query run --no-fatal --match x s", NULL},
    {"query run --match x --match y --feature a --feature b s", NULL},
    {"--feature a query run --match x s", NULL},
    {"query run --match x -- s --fatal", NULL},
    {"query run --match x s -", NULL},
    {"query list", NULL},
    {"query make all", NULL},
    {"query", "must select a subcommand of 'query'"},
    {"query make", "must select a subcommand of 'query make'"},
    {"foo", "expected command but got \"foo\""},
    {"query foo", "expected command but got \"foo\""},
    {"query make foo", "expected command but got \"foo\""},
    {"query list a b", "unexpected b"},
    {"query make all a", "unexpected a"},
    {"--format json query list", "unknown long flag '--format'"},
    {"query list --fatal", "unknown long flag '--fatal'"},
    {"query list -x", "unknown short flag '-x'"},
    {"query run --no-limit --match x s", "unknown long flag '--no-limit'"},
    {"query run --limit", "expected argument for flag '--limit'"},
    {"query run --limit -5 --match x s", "expected argument for flag '--limit'"},
    {"query run -o", "expected argument for flag '-o'"},
    {"query run --fatal --fatal --match x s", "flag 'fatal' cannot be repeated"},
    {"query run --fatal --no-fatal --match x s", "flag 'fatal' cannot be repeated"},
    {"query run s", "required flag(s) '--match' not provided"},
    {"query run --match x", "required argument 'server' not provided"},
    {"query run --limit=x", "strconv.ParseInt: parsing \"x\": invalid syntax"},
    {"query run --timeout=5", "time: invalid duration \"5\""},
    {"query run --label x", "expected KEY=VALUE got 'x'"},
    {"query run -oxx", "enum value must be one of text,json, got 'xx'"},
    {"query run --match x :s", "invalid URL: parse \":s\": missing protocol scheme"},
};

static void test_lines(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char text[256], wanted[256] = "";
        int code = catch_parse(lines[i].line, text, sizeof text);
        if (lines[i].error) snprintf(wanted, sizeof wanted, "promtool: error: %s, try --help\n", lines[i].error);
        assert_string_equal(text, wanted);
        assert_int_equal(code, lines[i].error != NULL);
    }
}

static void test_values(void **state) {
    (void)state;
    PtLine l;
    assert_int_equal(parse("query run -f --limit 7 --timeout=1m --label c=d --match x --match y s f g", &l), 0);
    assert_ptr_equal(l.command, &commands[0]);
    assert_true(pt_switch(&l, "fatal"));
    assert_false(pt_switch(&l, "long"));
    assert_int_equal(pt_int(&l, "limit"), 7);
    assert_int_equal(pt_duration_ns(&l, "timeout"), INT64_C(60000000000));
    assert_string_equal(pt_item(&l, "label", 0), "c=d");
    assert_null(pt_item(&l, "label", 1));
    assert_string_equal(pt_item(&l, "match", 1), "y");
    assert_string_equal(pt_text(&l, "format"), "text");
    assert_false(pt_given(&l, "format"));
    assert_null(pt_item(&l, "feature", 0));
    assert_int_equal(l.args.n, 3);
    assert_string_equal(pt_arg(&l, 2), "g");
    assert_null(pt_arg(&l, 3));
    pt_done(&l);
    assert_int_equal(parse("query list", &l), 0);
    assert_string_equal(pt_arg(&l, 0), "data/");
    pt_done(&l);
}

static const struct {
    const char *line, *words; /* what help is of */
    bool all;
} helps[] = {{"", "", false}, {"help", "", false}, {"--help", "", false}, {"--help-long", "", true},
    {"query -h", "query", false}, {"help query run", "query run", false},
    {"query run --limit x --help", "query run", false}};

static void test_help(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(helps); i++) {
        PtLine l;
        Buf out = {0};
        assert_int_equal(parse(helps[i].line, &l), 0);
        assert_true(l.help);
        assert_int_equal(l.help_all, helps[i].all);
        assert_true(str_eq(buf_str(&l.words), str_cstr(helps[i].words)));
        pt_put_help(&table, &l, &out);
        assert_true(str_starts_with(buf_str(&out), STR("usage: promtool")));
        Str rest = buf_str(&out), line;
        while (str_split_next(&rest, '\n', &line)) assert_true(line.n <= 80);
        buf_done(&out);
        pt_done(&l);
    }
    char text[256];
    assert_int_equal(catch_parse("help foo", text, sizeof text), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
