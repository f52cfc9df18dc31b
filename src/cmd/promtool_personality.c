/* promtool_personality.c - promtool's command line, for scripts that have it: `meerkat promtool ...`, or a link of that
 * name to the program. Verbs that `meerkat` has are run as they are: their flags and output are promtool's. */
#include "cmd/check_int.h"
#include "cmd/promtool_int.h"

#include <stdarg.h>
#include <stdlib.h>

#define WORDS_MAX 3

static const struct {
    const char *words[WORDS_MAX];
    int (*run)(int argc, char **argv); /* NULL: there is no such thing here */
    const char *help;
    bool experimental;
} commands[] = {
    {{"check", "config"}, promtool_check_config, "configuration files, and the rule files they name", false},
    {{"check", "rules"}, cmd_check_rules, "rule files", false},
    {{"check", "metrics"}, cmd_check_metrics, "what a target exposes", false},
    {{"check", "healthy"}, promtool_check_healthy, "whether a server is healthy", false},
    {{"check", "ready"}, promtool_check_ready, "whether a server is ready", false},
    {{"check", "web-config"}, NULL, "Meerkat's own configuration has TLS and users: `meerkat check config`", false},
    {{"check", "service-discovery"}, NULL, "a running server tells: /api/v1/targets and its page of targets", false},
    {{"query", "instant"}, cmd_query_instant, "an expression at one time", false},
    {{"query", "range"}, cmd_query_range, "an expression over a range of time", false},
    {{"query", "series"}, cmd_query_series, "series that match", false},
    {{"query", "labels"}, cmd_query_labels, "values of a label", false},
    {{"query", "analyze"}, NULL, "`meerkat query` and the page of cardinality tell what is there", false},
    {{"debug", "pprof"}, NULL, "the server is no Go program; it tells at /debug/pprof/ what to use instead", false},
    {{"debug", "metrics"}, NULL, "curl URL/metrics tells", false},
    {{"debug", "all"}, NULL, "the server is no Go program; it tells at /debug/pprof/ what to use instead", false},
    {{"push", "metrics"}, promtool_push_metrics, "metrics to a remote write receiver", false},
    {{"test", "rules"}, cmd_test_rules, "unit tests of rules", false},
    {{"tsdb", "list"}, cmd_tsdb_list, "blocks", false},
    {{"tsdb", "analyze"}, cmd_tsdb_analyze, "churn and cardinality", false},
    {{"tsdb", "dump"}, cmd_tsdb_dump, "samples", false},
    {{"tsdb", "dump-openmetrics"}, cmd_tsdb_dump_openmetrics, "samples as OpenMetrics text", false},
    {{"tsdb", "create-blocks-from", "openmetrics"}, cmd_tsdb_create_blocks, "blocks from OpenMetrics text", false},
    {{"tsdb", "create-blocks-from", "rules"}, NULL, "past values of rules are not made", false},
    {{"tsdb", "bench", "write"}, NULL, "it measures Prometheus' own database", false},
    {{"promql", "format"}, promtool_format, "an expression, prettily printed", true},
    {{"promql", "label-matchers", "set"}, promtool_matchers_set, "an expression with a matcher in all selectors", true},
    {{"promql", "label-matchers", "delete"}, promtool_matchers_delete, "an expression without a label's matchers",
        true},
};

int promtool_error(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fputs("promtool: error: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputs(", try --help\n", stderr);
    va_end(ap);
    return 1;
}

static void put_name(char *out, size_t size, size_t command) {
    *out = 0;
    for (int k = 0; k < WORDS_MAX && commands[command].words[k]; k++)
        snprintf(out + strlen(out), size - strlen(out), "%s%s", k ? " " : "", commands[command].words[k]);
}

static void put_help(FILE *out) {
    char name[64];
    fputs("promtool: Prometheus' command-line tool, as Meerkat has it\n\nUsage: promtool [FLAGS] COMMAND [ARGS]\n\n"
          "Commands:\n",
        out);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        put_name(name, sizeof name, i);
        if (commands[i].run) fprintf(out, "  %-36s  %s\n", name, commands[i].help);
    }
    fputs("\nFlags are promtool's; `meerkat COMMAND --help` lists those of each.\n", out);
}

static bool takes_value(const char *flag) {
    static const char *const flags[] = {"--time", "--start", "--end", "--step", "--header", "--match", "--url",
        "--lint", "--http.config.file", "--timeout", "--label", "--protobuf_message", "--remote-write.path", "--run",
        "--limit", "--min-time", "--max-time", "--sandbox-dir-root", "--format", "--enable-feature", "-o", "--junit",
        "-t", "--type", "--port-offset", "--datasource", "--server", "--duration", "--output-dir", "--eval-interval",
        "--out", "--metrics", "--scrapes"};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (strcmp(flag, flags[i]) == 0) return true;
    return false;
}

/* The command that the first words between the flags name, and where they stand; -1: none. */
static int find_command(int argc, char **argv, int at[WORDS_MAX], int *ret_n, const char *ret_words[2]) {
    const char *words[WORDS_MAX] = {0};
    int n = 0, best = -1;
    *ret_n = 0;
    for (int i = 0; i < argc && n < WORDS_MAX && strcmp(argv[i], "--") != 0; i++) {
        if (argv[i][0] == '-' && argv[i][1])
            i += takes_value(argv[i]);
        else
            at[n] = i, words[n++] = argv[i];
    }
    ret_words[0] = words[0];
    ret_words[1] = words[1];
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        int k = 0;
        while (k < WORDS_MAX && commands[i].words[k] && words[k] && strcmp(commands[i].words[k], words[k]) == 0) k++;
        bool whole = k == WORDS_MAX || !commands[i].words[k];
        if (whole && k > *ret_n) best = (int)i, *ret_n = k;
    }
    return best;
}

/* The command's own arguments: without its words and what promtool's global flags say. */
static int run(int argc, char **argv, int command, const int at[WORDS_MAX], int n_words) {
    char **own = mem_alloc_array((size_t)argc + 1, sizeof *own);
    int n = 0, w = 0;
    bool experimental = false;
    const char *value;
    for (int i = 0; i < argc; i++) {
        if (w < n_words && at[w] == i)
            w++;
        else if (strcmp(argv[i], "--experimental") == 0)
            experimental = true;
        else if (!command_option(argc, argv, &i, "--enable-feature", &value) &&
                 !command_option(argc, argv, &i, "--sandbox-dir-root", &value))
            own[n++] = argv[i];
    }
    own[n] = NULL;
    int code = 1;
    if (commands[command].experimental && !experimental)
        fputs("This command is experimental and requires the --experimental flag to be set.\n", stderr);
    else
        code = commands[command].run(n, own);
    mem_free(own);
    return code == 2 ? 1 : code; /* promtool has no other for wrong usage */
}

int cmd_promtool(int argc, char **argv) {
    int at[WORDS_MAX] = {0}, n;
    const char *words[2], *word;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0) return printf("promtool, version 3.16.0 (Meerkat)\n") < 0;
        if (strncmp(argv[i], "--help", 6) == 0 || strcmp(argv[i], "-h") == 0) return put_help(stdout), 0;
    }
    int command = find_command(argc, argv, at, &n, words);
    if (command >= 0 && commands[command].run) return run(argc, argv, command, at, n);
    if (command >= 0) {
        char name[64];
        put_name(name, sizeof name, (size_t)command);
        fprintf(stderr, "promtool: error: Meerkat has no \"%s\": %s\n", name, commands[command].help);
        return 1;
    }
    word = words[0];
    if (!word) return put_help(stderr), 1;
    if (strcmp(word, "help") == 0) return put_help(stdout), 0;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (!words[1] && strcmp(commands[i].words[0], word) == 0)
            return promtool_error("must select a subcommand of '%s'", word);
    for (size_t i = 0; words[1] && i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].words[0], word) == 0) return promtool_error("expected command but got \"%s\"", words[1]);
    return promtool_error("expected command but got \"%s\"", word);
}

int promtool_check_config(int argc, char **argv) {
    const char *for_rules[4] = {"--lint=duplicate-rules"};
    size_t n_rules = 1;
    CheckPrometheus opts = {.for_rules = for_rules};
    int n = 0, worst = 0;
    const char *value;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--syntax-only") == 0)
            opts.syntax_only = true;
        else if (strcmp(argv[i], "--lint-fatal") == 0 || strcmp(argv[i], "--ignore-unknown-fields") == 0)
            for_rules[n_rules++] = argv[i], n_rules = MIN(n_rules, (size_t)2);
        else if (command_option(argc, argv, &i, "--lint", &value))
            for_rules[0] = value && strcmp(value, "none") == 0 ? "--lint=none" : "--lint=duplicate-rules";
        else if (argv[i][0] == '-' && strcmp(argv[i], "--agent") != 0)
            return promtool_error("unknown long flag '%s'", argv[i]);
        else if (argv[i][0] != '-')
            argv[n++] = argv[i];
    }
    if (n == 0) return promtool_error("required argument 'config-files' not provided");
    for (int i = 0; i < n; i++) {
        int code = check_prometheus(argv[i], &opts);
        worst = MAX(worst, code);
    }
    return worst;
}
