/* amtool_personality.c - the whole of amtool's command line, for scripts that have it: `meerkat amtool ...`, or a link
 * of that name to the program. */
#include "cmd/amtool_int.h"

#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX 3

/* amtool's commands, longest first, and what they are here. */
static const struct {
    const char *words[WORDS_MAX]; /* amtool's */
    const char *verb[2];          /* ours; NULL: the default one */
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {{"config", "routes", "test"}, {"routes", "test"}, cmd_alert, "where alerts with these labels go"},
    {{"config", "routes", "show"}, {"routes", "show"}, cmd_alert, "the routing tree"},
    {{"config", "routes"}, {"routes"}, cmd_alert, NULL},
    {{"config", "show"}, {"config"}, cmd_alert, "the running configuration"},
    {{"config"}, {"config"}, cmd_alert, NULL},
    {{"cluster", "show"}, {"cluster"}, cmd_alert, "the cluster's state and peers"},
    {{"cluster"}, {"cluster"}, cmd_alert, NULL},
    {{"alert", "query"}, {"query"}, cmd_alert, "alerts"},
    {{"alert", "add"}, {"add"}, cmd_alert, "a new alert"},
    {{"alert"}, {"query"}, cmd_alert, NULL},
    {{"silence", "query"}, {"query"}, cmd_silence, "silences"},
    {{"silence", "add"}, {"add"}, cmd_silence, "a new silence"},
    {{"silence", "update"}, {"update"}, cmd_silence, "change silences"},
    {{"silence", "expire"}, {"expire"}, cmd_silence, "end silences"},
    {{"silence", "import"}, {"import"}, cmd_silence, "silences from JSON"},
    {{"silence"}, {"query"}, cmd_silence, NULL},
    {{"template", "render"}, {"template", "render"}, cmd_alert, "a template against data"},
    {{"check-config"}, {NULL}, cmd_check_alertmanager, "check configuration files"},
};

static void put_help(FILE *out) {
    fputs("amtool: Alertmanager's command-line tool, as Meerkat has it\n\nUsage: amtool [FLAGS] COMMAND "
          "[ARGS]\n\nCommands:\n",
        out);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (!commands[i].help) continue;
        char name[64] = "";
        for (int k = 0; k < WORDS_MAX && commands[i].words[k]; k++)
            snprintf(name + strlen(name), sizeof name - strlen(name), "%s%s", k ? " " : "", commands[i].words[k]);
        fprintf(out, "  %-20s  %s\n", name, commands[i].help);
    }
    fputs("\nFlags are amtool's; `meerkat alert --help` and `meerkat silence --help` list them.\n", out);
}

typedef struct Line {
    char **argv; /* with room for two verbs, NULL-terminated */
    int n;
    const char *words[WORDS_MAX];
    int n_words; /* leading ones that may name a command */
    int at[WORDS_MAX];
} Line;

/* The first words between the flags, and where they stand. */
static void find_words(Line *l) {
    for (int i = 0; i < l->n && l->n_words < WORDS_MAX; i++) {
        const char *arg = l->argv[i];
        if (strcmp(arg, "--") == 0) return;
        if (arg[0] != '-' || !arg[1]) {
            l->at[l->n_words] = i;
            l->words[l->n_words++] = arg;
        } else if (amtool_takes_value(arg)) {
            i++;
        }
    }
}

static int match(const Line *l, size_t command) {
    int n = 0;
    while (n < WORDS_MAX && commands[command].words[n]) {
        if (n >= l->n_words || strcmp(l->words[n], commands[command].words[n]) != 0) return 0;
        n++;
    }
    return n;
}

static int run(Line *l, size_t command, int n_words) {
    char **argv = mem_alloc_array((size_t)l->n + 3, sizeof *argv);
    int n = 0;
    bool files = commands[command].run == cmd_check_alertmanager; /* it has no flags */
    for (int k = 0; k < 2 && commands[command].verb[k]; k++) argv[n++] = (char *)(uintptr_t)commands[command].verb[k];
    for (int i = 0, w = 0; i < l->n; i++) {
        if (w < n_words && l->at[w] == i)
            w++;
        else if (files && l->argv[i][0] == '-')
            i += amtool_takes_value(l->argv[i]);
        else
            argv[n++] = l->argv[i];
    }
    argv[n] = NULL;
    int code = commands[command].run(n, argv);
    mem_free(argv);
    return code ? 1 : 0; /* amtool has no other */
}

int cmd_amtool(int argc, char **argv) {
    Line l = {.argv = argv, .n = argc};
    amtool_program = "amtool";
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--version") == 0) {
            printf("amtool, version 0.34.0 (Meerkat)\n");
            return 0;
        }
        if (strncmp(argv[i], "--help", 6) == 0 || strcmp(argv[i], "-h") == 0) {
            put_help(stdout);
            return 0;
        }
    }
    find_words(&l);
    if (l.n_words && strcmp(l.words[0], "help") == 0) {
        put_help(stdout);
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        int n = match(&l, i);
        if (n) return run(&l, i, n);
    }
    for (size_t i = 0; l.n_words == 1 && i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].words[0], l.words[0]) == 0)
            return amtool_error("must select a subcommand of '%s'", l.words[0]);
    }
    if (l.n_words)
        fprintf(stderr, "amtool: error: expected command but got \"%s\"\n", l.words[0]);
    else
        put_help(stderr);
    return 1;
}
