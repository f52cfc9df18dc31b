/* command.h - the sub-commands of the binary. stdout is data, stderr is talk; exit codes 0 done, 1 failed, 2 usage. */
#ifndef MEERKAT_CMD_COMMAND_H
#define MEERKAT_CMD_COMMAND_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdio.h>

typedef struct Command {
    const char *name;                  /* "serve"; of two words: "debug dump-wal" */
    const char *synopsis;              /* what follows the name */
    const char *summary;               /* one line */
    const char *help;                  /* options and examples; ends with a newline */
    int (*run)(int argc, char **argv); /* arguments after the name */
    bool asks_server;                  /* takes --port-offset N, as the server does */
} Command;

extern const Command command_table[]; /* main.c */
extern const size_t command_table_n;

int cmd_serve(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_check_config(int argc, char **argv);
int cmd_check_rules(int argc, char **argv);
int cmd_test_rules(int argc, char **argv);
int cmd_check_metrics(int argc, char **argv);
int cmd_query_instant(int argc, char **argv);
int cmd_query_range(int argc, char **argv);
int cmd_query_series(int argc, char **argv);
int cmd_query_labels(int argc, char **argv);
int cmd_query_metadata(int argc, char **argv);
int cmd_query_exemplars(int argc, char **argv);
int cmd_query_logs(int argc, char **argv);
int cmd_query_traces(int argc, char **argv);
int cmd_check_alertmanager(int argc, char **argv);
int cmd_alert(int argc, char **argv);
int cmd_amtool(int argc, char **argv);
int cmd_promtool(int argc, char **argv);
int cmd_promtool_verb(
    int argc, char **argv); /* a verb of ours that is promtool's: the arguments begin with its words */
int cmd_alertmanager(int argc, char **argv);
int cmd_prometheus(int argc, char **argv);
int cmd_silence(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_man(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_tsdb_list(int argc, char **argv);
int cmd_tsdb_analyze(int argc, char **argv);
int cmd_tsdb_dump(int argc, char **argv);
int cmd_tsdb_dump_openmetrics(int argc, char **argv);
int cmd_tsdb_create_blocks(int argc, char **argv);
int cmd_tsdb_import(int argc, char **argv);
int cmd_tsdb_export(int argc, char **argv);
int cmd_debug_dump_wal(int argc, char **argv);
int cmd_debug_dump_part(int argc, char **argv);

/* Finds the command and runs it; --help, groups of commands, suggestions. The exit code. */
int command_dispatch(int argc, char **argv);
/* `meerkat help COMMAND`. */
int command_help(int argc, char **argv);
void command_put_overview(FILE *out);
/* Options that the command's own help names ("--step", "-o"), each once; slices of the table. */
size_t command_options(const Command *c, Str *out, size_t max);
/* Whether standard error may be coloured: a terminal, and NO_COLOR is not set (no-color.org). */
bool command_colour(void);
/* "meerkat: message", with the hint on a line of its own; gives the exit code. */
int command_fail(const Err *err);
/* From here on errors come as the originals' tools print theirs: without our name in front. */
void command_errors_plain(void);
/* For wrong usage: message and where to read more; gives 2. */
int command_usage(const char *fmt, ...) ATTR_PRINTF(1, 2);
/* For an option that the command (by its name in the table) does not have: suggests the nearest one it has; gives 2. */
int command_unknown_option(const char *command, const char *arg);
/* An option's value: "--name=value" or "--name value" (then *i moves on). false: arg is another option. A missing value
 * is NULL. */
bool command_option(int argc, char **argv, int *i, const char *name, const char **ret_value);

/* The help text of a command, with the option that all commands that ask a server share. */
void command_put_help(const Command *c, Buf *out);
/* A service's port on this machine, moved as --port-offset or MEERKAT_PORT_OFFSET say. */
int command_server_port(int port);

#endif
