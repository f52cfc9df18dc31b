/* promtool_int.h - what promtool has and `meerkat` has no verb of its own for; private to cmd. */
#ifndef MEERKAT_CMD_PROMTOOL_INT_H
#define MEERKAT_CMD_PROMTOOL_INT_H

#include "cmd/command.h"

int promtool_error(const char *fmt, ...) ATTR_PRINTF(1, 2); /* "promtool: error: ..., try --help"; gives 1 */
int promtool_check_config(int argc, char **argv);
int promtool_check_healthy(int argc, char **argv);
int promtool_check_ready(int argc, char **argv);
int promtool_push_metrics(int argc, char **argv);
int promtool_format(int argc, char **argv);
int promtool_matchers_set(int argc, char **argv);
int promtool_matchers_delete(int argc, char **argv);

#endif
