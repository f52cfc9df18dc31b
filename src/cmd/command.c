/* command.c - the table of commands at work: finding one, helping, suggesting what was meant. */
#include "cmd/command.h"

#include "base/diag.h"
#include "base/num.h"
#include "cmd/config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#define OPTIONS_MAX 64
#define OFFSET_ENV "MEERKAT_PORT_OFFSET"
#define OFFSET_MAX 50000
#define OFFSET_HELP "  --port-offset N    the server's ports are moved by N (also: " OFFSET_ENV ")\n\n"

bool command_colour(void) {
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDERR_FILENO) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

static bool plain; /* errors come without our name */

void command_errors_plain(void) { plain = true; }

int command_fail(const Err *err) {
    fprintf(stderr, "%s%s\n", plain ? "" : "meerkat: ", err->msg);
    if (err->hint[0]) fprintf(stderr, "  help: %s\n", err->hint);
    return err_exit_code(err->code);
}

static const Command *running; /* what the arguments are for, once that is known */

int command_usage(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fputs(plain ? "" : "meerkat: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    if (!plain) fprintf(stderr, "  help: meerkat %s%s--help\n", running ? running->name : "", running ? " " : "");
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

/* --- which server --- */

static bool parse_offset(const char *text, int64_t *ret) {
    return num_parse_i64(str_cstr(text), ret) && *ret >= 0 && *ret <= OFFSET_MAX;
}

int command_server_port(int port) {
    const char *text = getenv(OFFSET_ENV);
    int64_t offset = 0;
    return text && parse_offset(text, &offset) ? port + (int)offset : port;
}

/* Takes --port-offset out of the arguments; from here on it is the environment's. 0, or the exit code. */
static int take_port_offset(const Command *c, int *argc, char **argv) {
    const char *value = getenv(OFFSET_ENV), *name = OFFSET_ENV;
    int n = 0;
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            while (i < *argc) argv[n++] = argv[i++];
            break;
        }
        if (!command_option(*argc, argv, &i, "--port-offset", &value)) {
            argv[n++] = argv[i];
            continue;
        }
        name = "--port-offset";
        if (!value) return command_usage("%s: --port-offset wants a value", c->name);
    }
    *argc = n;
    int64_t offset = 0;
    if (value && *value && !parse_offset(value, &offset))
        return command_usage("%s: %s is a number of ports from 0 to %d, not \"%s\"", c->name, name, OFFSET_MAX, value);
    if (value) setenv(OFFSET_ENV, value, 1);
    return 0;
}

/* --- options, as the help texts name them --- */

static bool is_option_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static void collect_options(Str text, Str *out, size_t *n, size_t max) {
    for (size_t at = 0, len; at < text.n; at += len) {
        bool starts = text.p[at] == '-' && (at == 0 || strchr(" [|\n,(", text.p[at - 1]));
        len = 1;
        if (!starts) continue;
        while (at + len < text.n && is_option_char(text.p[at + len])) len++;
        Str option = str_slice(text, at, at + len);
        while (str_ends_with(option, STR("."))) option.n--;
        bool full = option.n > 3 && option.p[1] == '-', brief = option.n == 2 && option.p[1] != '-', seen = false;
        for (size_t i = 0; i < *n; i++) seen |= str_eq(out[i], option);
        if ((brief || full) && !seen && *n < max) out[(*n)++] = option;
    }
}

size_t command_options(const Command *c, Str *out, size_t max) {
    size_t n = 0;
    Str help = str_cstr(c->help);
    size_t examples = str_find(help, STR("Examples:")); /* they name options of other programs, too */
    collect_options(str_cstr(c->synopsis), out, &n, max);
    collect_options(str_slice(help, 0, MIN(examples, help.n)), out, &n, max);
    if (c->asks_server) collect_options(STR(OFFSET_HELP), out, &n, max);
    return n;
}

static const Command *find_command(const char *name) {
    for (size_t i = 0; i < command_table_n; i++)
        if (strcmp(command_table[i].name, name) == 0) return &command_table[i];
    return NULL;
}

int command_unknown_option(const char *command, const char *arg) {
    Str options[OPTIONS_MAX];
    const Command *c = find_command(command);
    size_t n = c ? command_options(c, options, OPTIONS_MAX) : 0;
    Str given = str_of(arg, strcspn(arg, "=")), near = diag_suggest(given, options, n);
    fprintf(stderr, "meerkat: %s does not know \"%s\"", command, arg);
    if (near.n) fprintf(stderr, "; did you mean \"%.*s\"?", (int)near.n, near.p);
    fprintf(stderr, "\n  help: meerkat %s --help\n", command);
    return 2;
}

/* --- help --- */

static int name_width(void) {
    size_t width = 0;
    for (size_t i = 0; i < command_table_n; i++) width = MAX(width, strlen(command_table[i].name));
    return (int)width;
}

void command_put_overview(FILE *out) {
    fputs("Meerkat: metrics, logs and traces in one process.\n\nUsage: meerkat COMMAND [OPTIONS]\n\nCommands:\n", out);
    for (size_t i = 0; i < command_table_n; i++)
        fprintf(out, "  %-*s  %s\n", name_width(), command_table[i].name, command_table[i].summary);
    fputs("\n`meerkat COMMAND --help` (or `meerkat help COMMAND`) explains one. `meerkat --version` prints the "
          "version.\n\n"
          "Examples:\n  meerkat serve                     # everything on its usual ports, data in ./meerkat-data\n"
          "  meerkat demo                      # a simulated fleet to look at\n"
          "  meerkat query instant up\n",
        out);
}

void command_put_help(const Command *c, Buf *out) {
    Str help = str_cstr(c->help);
    size_t examples = c->asks_server ? str_find(help, STR("Examples:")) : help.n;
    buf_put_str(out, str_slice(help, 0, MIN(examples, help.n)));
    if (c->asks_server) buf_put_lit(out, OFFSET_HELP);
    if (examples < help.n) buf_put_str(out, str_skip(help, examples));
}

static void put_command_help(const Command *c) {
    Buf b = {0};
    buf_printf(
        &b, "%s: %s\n\nUsage: meerkat %s%s%s\n\n", c->name, c->summary, c->name, *c->synopsis ? " " : "", c->synopsis);
    if (c->help) command_put_help(c, &b);
    if (c->run == cmd_serve) {
        buf_put_lit(&b, "Options (all of them as well in the file given by --config, and in the environment):\n  "
                        "--config FILE\n        meerkat.yml\n");
        config_put_help(&b);
        buf_put_lit(&b, "\nExamples:\n  meerkat serve --data-dir /var/lib/meerkat --prometheus.config prometheus.yml\n "
                        " meerkat serve --port-offset 100\n");
    }
    fwrite(b.p, 1, b.n, stdout);
    buf_done(&b);
}

static bool in_group(const Command *c, const char *group) {
    size_t n = strlen(group);
    return strncmp(c->name, group, n) == 0 && c->name[n] == ' ';
}

static bool is_group(const char *word) {
    for (size_t i = 0; i < command_table_n; i++)
        if (in_group(&command_table[i], word)) return true;
    return false;
}

/* "query" alone: what there is, and the examples of each. */
static void put_group_help(FILE *out, const char *group) {
    fprintf(out, "Usage: meerkat %s COMMAND [OPTIONS]\n\nCommands:\n", group);
    for (size_t i = 0; i < command_table_n; i++)
        if (in_group(&command_table[i], group))
            fprintf(out, "  %-*s  %s\n", name_width(), command_table[i].name, command_table[i].summary);
    fprintf(out, "\n`meerkat %s COMMAND --help` explains one.\n\nExamples:\n", group);
    for (size_t i = 0; i < command_table_n; i++) {
        const Command *c = &command_table[i];
        const char *examples = in_group(c, group) && c->help ? strstr(c->help, "Examples:\n") : NULL;
        if (!examples) continue;
        examples += strlen("Examples:\n");
        fprintf(out, "%.*s\n", (int)strcspn(examples, "\n"), examples);
    }
}

/* --- dispatch --- */

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

/* What was given, of one word or of two, against all names and groups. */
static int unknown_command(int argc, char **argv) {
    Str names[256];
    size_t n = 0;
    char given[128];
    bool group = is_group(argv[0]);
    snprintf(given, sizeof given, "%s%s%s", argv[0], argc > 1 && argv[1][0] != '-' ? " " : "",
        argc > 1 && argv[1][0] != '-' ? argv[1] : "");
    for (size_t i = 0; i < command_table_n && n < ARRAY_LEN(names); i++) names[n++] = str_cstr(command_table[i].name);
    Str near = diag_suggest(str_cstr(given), names, n);
    if (near.n == 0 && !group) {
        for (size_t i = 0; i < n; i++) names[i] = str_slice(names[i], 0, strcspn(command_table[i].name, " "));
        near = diag_suggest(str_cstr(argv[0]), names, n);
    }
    const char *shown = group ? given : argv[0];
    if (near.n > 0) return command_usage("unknown command \"%s\"; did you mean \"%.*s\"?", shown, (int)near.n, near.p);
    return command_usage("unknown command \"%s\"", shown);
}

/* Some have their options in files of their own, and commands below them. */
static bool helps_itself(const Command *c, int n_args) {
    if (c->run == cmd_demo || c->run == cmd_prometheus || c->run == cmd_alertmanager) return true;
    return c->run == cmd_promtool || (c->run == cmd_amtool && n_args > 1);
}

int command_help(int argc, char **argv) {
    char **with = mem_alloc_array((size_t)argc + 2, sizeof(char *));
    static char help[] = "--help";
    memcpy(with, argv, (size_t)argc * sizeof(char *));
    with[argc] = help;
    with[argc + 1] = NULL;
    int code = command_dispatch(argc + 1, with);
    mem_free(with);
    return code;
}

int command_dispatch(int argc, char **argv) {
    for (size_t i = 0; i < command_table_n; i++) {
        const Command *c = &command_table[i];
        int n = match_command(c, argc, argv);
        if (n == 0) continue;
        if (wants_help(argc - n, argv + n) && !helps_itself(c, argc - n)) {
            put_command_help(c);
            return 0;
        }
        running = c;
        int rest = argc - n, code = c->asks_server ? take_port_offset(c, &rest, argv + n) : 0;
        if (code) return code;
        return c->run == cmd_promtool_verb ? c->run(rest + n, argv) : c->run(rest, argv + n);
    }
    bool asked = wants_help(argc - 1, argv + 1);
    if (!is_group(argv[0]) || (argc > 1 && !asked)) return unknown_command(argc, argv);
    put_group_help(asked ? stdout : stderr, argv[0]);
    return asked ? 0 : 2;
}
