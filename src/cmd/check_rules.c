/* check_rules.c - `meerkat check rules`: promtool's words and exit codes, with places and our own warnings. */
#include "alert/rule_file.h"
#include "alert/rule_packs.h"
#include "cmd/command.h"
#include "cmd/rule_query.h"
#include "sys/fs.h"

#include <stdio.h>
#include <unistd.h>

#define RULE_FILE_MAX (64u << 20)

typedef struct CheckRules {
    bool duplicates, traps, fatal, ignore_unknown;
    bool failed, lint;
    Str datasource;
} CheckRules;

static void put_err(const Buf *b) { fwrite(b->p ? b->p : "", 1, b->n, stderr); }

/* false: there are errors. */
static bool check_text(CheckRules *c, const char *name, Str text) {
    Arena *arena = arena_create(512u << 20);
    RuleFile file;
    DiagList diags;
    Buf out = {0}, twice = {0};
    diag_init(&diags, str_cstr(name), text);
    RuleFileOptions opts = {
        .datasource = c->datasource, .check = rule_query_check, .ignore_unknown = c->ignore_unknown};
    ErrCode code = rule_file_parse(&opts, arena, &file, &diags);
    size_t n = code == OK && c->duplicates ? rule_file_duplicates(&file, &twice) : 0;
    if (code != OK || n > 0)
        fputs("  FAILED:\n", stderr);
    else
        printf("  SUCCESS: %zu rules found\n", file.n_rules);
    if (n > 0) {
        fprintf(stderr, "lint error %zu duplicate rule(s) found.\n", n);
        put_err(&twice);
        fputs("Might cause inconsistency while recording expressions\n", stderr);
    }
    size_t before = diags.items.n;
    if (code == OK && c->traps) rule_file_lint(&file, &diags);
    c->failed |= code != OK;
    c->lint |= n > 0 || diags.items.n > before;
    diag_render(&diags, &out, command_colour());
    put_err(&out);
    buf_done(&out);
    buf_done(&twice);
    diag_done(&diags);
    arena_free(arena);
    return code == OK;
}

static int list_packs(void) {
    size_t n;
    const RuleText *v = rule_packs(&n);
    for (size_t i = 0; i < n; i++) printf("%s\n", v[i].name.p + 5);
    return 0;
}

/* "pack:NAME" is a pack that comes with the program. */
static void check_file(CheckRules *c, const char *name) {
    Buf text = {0};
    Err err = {0};
    printf("Checking %s\n", name);
    fflush(stdout);
    RuleText pack;
    Str near;
    bool good = false;
    if (strncmp(name, "pack:", 5) == 0 && rule_pack_find(str_cstr(name + 5), &pack, &near)) {
        good = check_text(c, name, pack.text);
    } else if (fs_read_stream(name, RULE_FILE_MAX, &text, &err) == OK) {
        good = check_text(c, name, buf_str(&text));
    } else {
        fprintf(stderr, "  FAILED:\n%s\n", err.msg);
        c->failed = true;
    }
    if (good) printf("\n");
    fflush(stdout);
    buf_done(&text);
}

/* What is not named stands on standard input. */
static void check_stdin(CheckRules *c) {
    Buf text = {0};
    char piece[8192];
    for (size_t n; text.n <= RULE_FILE_MAX && (n = fread(piece, 1, sizeof piece, stdin)) > 0;) buf_put(&text, piece, n);
    printf("Checking standard input\n");
    fflush(stdout);
    if (text.n <= RULE_FILE_MAX) {
        if (check_text(c, "standard input", buf_str(&text))) printf("\n");
    } else {
        fprintf(stderr, "  FAILED:\nmore than %u bytes\n", RULE_FILE_MAX);
        c->failed = true;
    }
    buf_done(&text);
}

static int set_lint(CheckRules *c, const char *what) {
    bool all = what && strcmp(what, "all") == 0;
    c->duplicates = all || (what && strcmp(what, "duplicate-rules") == 0);
    c->traps = all || (what && strcmp(what, "traps") == 0);
    if (c->duplicates || c->traps || (what && strcmp(what, "none") == 0)) return 0;
    return command_usage("--lint is one of all, duplicate-rules, traps, none");
}

int cmd_check_rules(int argc, char **argv) {
    CheckRules c = {.duplicates = true, .traps = true};
    const char *value = NULL;
    int n = 0;
    for (int i = 0; i < argc; i++) {
        if (command_option(argc, argv, &i, "--lint", &value)) {
            int code = set_lint(&c, value);
            if (code) return code;
        } else if (strcmp(argv[i], "--ignore-unknown-fields") == 0) {
            c.ignore_unknown = true;
        } else if (strcmp(argv[i], "--packs") == 0) {
            return list_packs();
        } else if (strcmp(argv[i], "--lint-fatal") == 0) {
            c.fatal = true;
        } else if (command_option(argc, argv, &i, "--datasource", &value)) {
            if (!value) return command_usage("--datasource wants a name");
            c.datasource = strcmp(value, "prometheus") == 0 ? STR("") : str_cstr(value);
        } else if (argv[i][0] == '-' && argv[i][1] != 0) {
            return command_unknown_option("check rules", argv[i]);
        } else {
            argv[n++] = argv[i];
        }
    }
    if (n == 0 && isatty(STDIN_FILENO))
        return command_usage("check rules takes rule files, or rules on standard input");
    if (n == 0) check_stdin(&c);
    for (int i = 0; i < n; i++) check_file(&c, argv[i]);
    return c.failed ? 1 : c.lint && c.fatal ? 3 : 0;
}
