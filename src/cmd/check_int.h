/* check_int.h - checks of single kinds of files; private to cmd. */
#ifndef MEERKAT_CMD_CHECK_INT_H
#define MEERKAT_CMD_CHECK_INT_H

#include "base/base.h"

/* By its name or a top-level key that only prometheus.yml has. */
bool check_is_prometheus(const char *file);
typedef struct CheckPrometheus {
    bool syntax_only;             /* files that it names are not looked for */
    const char *const *for_rules; /* arguments for check rules, of the rule files; NULL-terminated, or NULL */
} CheckPrometheus;

/* Prints what is wrong, of the rule files as well; the exit code. */
int check_prometheus(const char *file, const CheckPrometheus *opts);

#endif
