/* main.c - picks the sub-command. */
#include "base/buf.h"
#include "base/hash.h"
#include "cmd/command.h"
#include "cmd/config.h"
#include "cmd/version.h"
#include "self/crash.h"
#include "self/log_ring.h"
#include "sys/random.h"
#include "sys/signals.h"

#include <stdarg.h>
#include <stdio.h>

/* Read by jemalloc at start: what a burst needed goes back to the system within seconds, also when nothing allocates. */
extern const char *malloc_conf;
const char *malloc_conf = "background_thread:true,dirty_decay_ms:2000,muzzy_decay_ms:0";

static const Command commands[] = {
    {"serve", "[--config FILE] [OPTIONS]", "run the server", NULL, cmd_serve},
    {"status", "[--json]", "ask every port of a running server",
        "Prints the address of every service and whether it answers. Exit code 1 when one does not.\n"
        "Ports come from the same configuration as `meerkat serve` uses.\n\n"
        "Examples:\n  meerkat status\n  MEERKAT_PORT_OFFSET=100 meerkat status --json\n",
        cmd_status},
    {"query", "instant|range|labels|series|logs|traces ...", "ask a running server",
        "  meerkat query instant [--server URL] [--time T] EXPR\n"
        "  meerkat query range [--server URL] [--start T] [--end T] [--step D] EXPR\n"
        "  meerkat query labels [NAME]\n"
        "  meerkat query series MATCHER...\n"
        "  meerkat query logs [--since D] [--limit N] LOGQL\n"
        "  meerkat query traces [--limit N] SERVICE\n\n"
        "T is RFC 3339, Unix seconds, or a duration back from now (15m). --json prints the server's answer as it "
        "is.\n\n"
        "Examples:\n  meerkat query instant 'sum(rate(http_requests_total[5m]))'\n"
        "  meerkat query logs --since 1h '{service_name=\"llm-api\"} |= \"timeout\"'\n",
        cmd_query},
    {"check config", "[--markdown] [FILE...]", "check a meerkat.yml or prometheus.yml",
        "Reports every problem with file, line and column. --markdown prints the reference of all keys instead.\n\n"
        "Examples:\n  meerkat check config meerkat.yml\n  meerkat check config prometheus.yml\n",
        cmd_check_config},
    {"check rules", "[--lint all|duplicate-rules|traps|none] [--lint-fatal] FILE...", "check rule files",
        "Prometheus' rule files, and Loki's (with a datasource key, or --datasource loki). Errors come with file, line and\n"
        "column; warnings name rules that load and do not do what they seem to (traps) or are there twice.\n"
        "Exit codes: 0 fine, 1 an error, 3 a warning with --lint-fatal.\n\n"
        "--packs lists the rule packs that come with the program; pack:NAME stands for one of them.\n\n"
        "Examples:\n  meerkat check rules rules/*.yml\n  meerkat check rules pack:llm\n",
        cmd_check_rules},
    {"demo", "[--once] [--scenario NAME] [OPTIONS]", "send a simulated fleet's telemetry to a running server", NULL,
        cmd_demo},
    {"debug dump-wal", "[--json] DIR", "print the frames of a write-ahead log",
        "Examples:\n  meerkat debug dump-wal meerkat-data/metrics/wal\n", cmd_debug_dump_wal},
    {"debug dump-part", "[--json] FILE", "print the blocks of a part",
        "Examples:\n  meerkat debug dump-part meerkat-data/logs/parts/part-0000000000000001.mkp\n",
        cmd_debug_dump_part},
};

int command_fail(const Err *err) {
    fprintf(stderr, "meerkat: %s\n", err->msg);
    if (err->hint[0]) fprintf(stderr, "  help: %s\n", err->hint);
    return err_exit_code(err->code);
}

int command_usage(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fputs("meerkat: ", stderr);
    vfprintf(stderr, fmt, args);
    fputs("\n  help: meerkat --help\n", stderr);
    va_end(args);
    return 2;
}

bool command_option(int argc, char **argv, int *i, const char *name, const char **ret_value) {
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n) != 0) return false;
    if (argv[*i][n] == '=') {
        *ret_value = argv[*i] + n + 1;
        return true;
    }
    if (argv[*i][n] != 0) return false;
    *ret_value = *i + 1 < argc ? argv[++*i] : NULL;
    return true;
}

static void put_overview(FILE *out) {
    fputs(
        "Meerkat: metrics, logs and traces in one process.\n\nUsage: meerkat COMMAND [OPTIONS]\n\nCommands:\n",
        out);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(out, "  %-16s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`meerkat COMMAND --help` explains one. `meerkat --version` prints the version.\n\n"
          "Examples:\n  meerkat serve                     # everything on its usual ports, data in ./meerkat-data\n"
          "  meerkat demo                      # a simulated fleet to look at\n"
          "  meerkat query instant up\n",
        out);
}

static void put_command_help(const Command *c) {
    printf("%s: %s\n\nUsage: meerkat %s %s\n\n", c->name, c->summary, c->name, c->synopsis);
    if (c->help) fputs(c->help, stdout);
    if (c->run == cmd_serve) {
        Buf b = {0};
        buf_put_lit(&b, "Options (all of them as well in the file given by --config, and in the environment):\n  "
                        "--config FILE\n        meerkat.yml\n");
        config_put_help(&b);
        buf_put_lit(&b, "\nExamples:\n  meerkat serve --data-dir /var/lib/meerkat --prometheus.config prometheus.yml\n "
                        " meerkat serve --port-offset 100\n");
        fwrite(b.p, 1, b.n, stdout);
        buf_done(&b);
    }
}

/* How many arguments the command's name takes up; 0: not this command. */
static int match_command(const Command *c, int argc, char **argv) {
    Str rest = str_cstr(c->name), word;
    int n = 0;
    while (str_split_next(&rest, ' ', &word)) {
        if (n >= argc || !str_eq(str_cstr(argv[n]), word)) return 0;
        n++;
    }
    return n;
}

static bool wants_help(int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    }
    return false;
}

static int unknown_command(const char *given) {
    Str names[ARRAY_LEN(commands)];
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) names[i] = str_cstr(commands[i].name);
    Str near = diag_suggest(str_cstr(given), names, ARRAY_LEN(names));
    if (near.n > 0) return command_usage("unknown command \"%s\"; did you mean \"%.*s\"?", given, (int)near.n, near.p);
    return command_usage("unknown command \"%s\"", given);
}

static int print_version(void) {
    printf("meerkat %s (build %s)\n", MEERKAT_VERSION, crash_build_id()[0] ? crash_build_id() : "unknown");
    return 0;
}

static int dispatch(int argc, char **argv) {
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        int n = match_command(&commands[i], argc, argv);
        if (n == 0) continue;
        /* The demo's options belong to its own file, which explains them itself. */
        if (wants_help(argc - n, argv + n) && commands[i].run != cmd_demo) {
            put_command_help(&commands[i]);
            return 0;
        }
        return commands[i].run(argc - n, argv + n);
    }
    return unknown_command(argv[0]);
}

int main(int argc, char **argv) {
    hash_set_process_seed(random_u64());
    signals_block();
    crash_install(MEERKAT_VERSION);
    log_ring_install();
    if (argc < 2) {
        put_overview(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        put_overview(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) return print_version();
    return dispatch(argc - 1, argv + 1);
}
