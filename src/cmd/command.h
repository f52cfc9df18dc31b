/* command.h - the sub-commands of the binary. stdout is data, stderr is talk; exit codes 0 done, 1 failed, 2 usage. */
#ifndef MEERKAT_CMD_COMMAND_H
#define MEERKAT_CMD_COMMAND_H

#include "base/err.h"
#include "base/str.h"

typedef struct Command {
    const char *name;                  /* "serve"; of two words: "debug dump-wal" */
    const char *synopsis;              /* what follows the name */
    const char *summary;               /* one line */
    const char *help;                  /* options and examples; ends with a newline */
    int (*run)(int argc, char **argv); /* arguments after the name */
} Command;

int cmd_serve(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_check_config(int argc, char **argv);
int cmd_check_rules(int argc, char **argv);
int cmd_query(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_debug_dump_wal(int argc, char **argv);
int cmd_debug_dump_part(int argc, char **argv);

/* "meerkat: message", with the hint on a line of its own; gives the exit code. */
int command_fail(const Err *err);
/* For wrong usage: message and where to read more; gives 2. */
int command_usage(const char *fmt, ...) ATTR_PRINTF(1, 2);
/* An option's value: "--name=value" or "--name value" (then *i moves on). false: arg is another option. A missing value
 * is NULL. */
bool command_option(int argc, char **argv, int *i, const char *name, const char **ret_value);

#endif
