/* check_int.h - checks of single kinds of files; private to cmd. */
#ifndef MEERKAT_CMD_CHECK_INT_H
#define MEERKAT_CMD_CHECK_INT_H

#include "base/base.h"

#define CHECK_LINT 3 /* exit code: it loads, but lint has found something */

/* By its name or a top-level key that only prometheus.yml has. */
bool check_is_prometheus(const char *file);
typedef struct CheckPrometheus {
    bool promtool;                /* whatever is wrong goes to standard error */
    bool syntax_only;             /* files that it names are not looked for */
    bool agent;                   /* for a Prometheus in agent mode, which does not know everything */
    int64_t lookback_ms;          /* jobs that scrape no more often are told; 0: they are not */
    const char *const *for_rules; /* arguments for check rules, of the rule files; NULL-terminated, or NULL */
} CheckPrometheus;

/* Prints what is wrong, of the rule files as well; the exit code: CHECK_LINT also without --lint-fatal in for_rules. */
int check_prometheus(const char *file, const CheckPrometheus *opts);

#endif
