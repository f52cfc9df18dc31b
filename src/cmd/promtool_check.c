/* promtool_check.c - promtool check config|rules|metrics, test rules: the checks of `meerkat` in promtool's ways. */
#include "base/timefmt.h"
#include "cmd/check_int.h"
#include "cmd/promtool_int.h"

#include <stdio.h>

/* --- lint --- */

/* What --lint asks for; unknown names are told. */
typedef struct Lint {
    bool duplicates, intervals, none;
} Lint;

static Lint read_lint(const char *text, bool config) {
    Lint l = {0};
    Str rest = str_cstr(text), name;
    Buf unknown = {0};
    while (str_split_next(&rest, ',', &name)) {
        bool all = str_eq_lit(name, "all"), interval = config && str_eq_lit(name, "too-long-scrape-interval");
        bool known = all || interval || !name.n;
        if (str_eq_lit(name, "none"))
            l.none = true;
        else if (all || str_eq_lit(name, "duplicate-rules"))
            l.duplicates = true;
        else if (!known)
            buf_printf(&unknown, "WARNING: unknown lint option: \"%" STR_FMT "\"\n", STR_ARG(name));
        l.intervals |= all || interval;
    }
    bool quiet = l.none && config;
    if (unknown.n && !quiet) printf("%s", buf_cstr(&unknown));
    if (quiet) l.duplicates = l.intervals = false;
    buf_done(&unknown);
    return l;
}

/* Arguments for `check rules`, which ends them with NULL. */
static size_t rules_options(const PtLine *l, const Lint *lint, const char *out[4]) {
    size_t n = 0;
    out[n++] = lint->duplicates ? "--lint=duplicate-rules" : "--lint=none";
    if (pt_switch(l, "lint-fatal")) out[n++] = "--lint-fatal";
    if (pt_switch(l, "ignore-unknown-fields")) out[n++] = "--ignore-unknown-fields";
    out[n] = NULL;
    return n;
}

/* --- commands --- */

int promtool_check_config(const PtLine *l) {
    Lint lint = read_lint(pt_text(l, "lint"), true);
    const char *for_rules[4];
    int64_t lookback_ns = pt_duration_ns(l, "query.lookback-delta");
    bool fatal = pt_switch(l, "lint-fatal"), failed = false, found = false;
    rules_options(l, &lint, for_rules);
    CheckPrometheus opts = {.promtool = true,
        .syntax_only = pt_switch(l, "syntax-only"),
        .agent = pt_switch(l, "agent"),
        .lookback_ms = lint.intervals ? lookback_ns / NS_PER_MS : 0,
        .for_rules = for_rules};
    for (size_t i = 0; i < l->args.n; i++) {
        int code = check_prometheus(l->args.v[i], &opts);
        failed |= code != 0 && code != CHECK_LINT;
        found |= code == CHECK_LINT;
    }
    return failed ? 1 : found && fatal ? CHECK_LINT : 0;
}

static int with_arguments(const PtLine *l, const char *const *options, size_t n, int (*run)(int argc, char **argv)) {
    char **argv = mem_alloc_array(n + l->args.n + 1, sizeof(char *));
    int argc = 0;
    for (size_t i = 0; i < n; i++) argv[argc++] = (char *)(uintptr_t)options[i];
    for (size_t i = 0; i < l->args.n; i++) argv[argc++] = (char *)(uintptr_t)l->args.v[i];
    argv[argc] = NULL;
    int code = run(argc, argv);
    mem_free(argv);
    return code;
}

int promtool_check_rules(const PtLine *l) {
    Lint lint = read_lint(pt_text(l, "lint"), false);
    const char *options[4];
    return with_arguments(l, options, rules_options(l, &lint, options), cmd_check_rules);
}

int promtool_check_metrics(const PtLine *l) {
    const char *options[2];
    size_t n = 0;
    bool lint = strcmp(pt_text(l, "lint"), "none") != 0, extended = pt_switch(l, "extended");
    if (!lint && !extended) {
        fputs("error: at least one of --extended or linting must be enabled\n"
              "Use --extended for cardinality analysis, or remove --lint=none to enable linting\n",
            stderr);
        return 1;
    }
    options[n++] = lint ? "--lint=all" : "--lint=none";
    if (extended) options[n++] = "--extended";
    return with_arguments(l, options, n, cmd_check_metrics);
}

int promtool_test_rules(const PtLine *l) {
    static const char *const switches[] = {"debug", "diff", "ignore-unknown-fields"};
    Arena *arena = arena_create(1u << 20);
    const char *options[80], *run, *list;
    size_t n = 0;
    bool delayed = false;
    for (size_t i = 0; (list = pt_item(l, "enable-feature", i)) != NULL; i++)
        delayed |= strstr(list, "promql-delayed-name-removal") != NULL;
    if (delayed) options[n++] = "--delayed-name-removal";
    for (size_t i = 0; i < ARRAY_LEN(switches); i++)
        if (pt_switch(l, switches[i])) options[n++] = arena_printf(arena, "--%s", switches[i]).p;
    if (pt_text(l, "junit")) options[n++] = arena_printf(arena, "--junit=%s", pt_text(l, "junit")).p;
    for (size_t i = 0; (run = pt_item(l, "run", i)) != NULL && n < ARRAY_LEN(options); i++)
        options[n++] = arena_printf(arena, "--run=%s", run).p;
    int code = with_arguments(l, options, n, cmd_test_rules);
    arena_free(arena);
    return code;
}
