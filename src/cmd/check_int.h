/* check_int.h - checks of single kinds of files; private to cmd. */
#ifndef MEERKAT_CMD_CHECK_INT_H
#define MEERKAT_CMD_CHECK_INT_H

#include "base/base.h"

/* By its name or a top-level key that only prometheus.yml has. */
bool check_is_prometheus(const char *file);
/* Prints what is wrong; the exit code. */
int check_prometheus(const char *file);

#endif
