/* workers.h - one query's work on several threads. Private to promql. */
#ifndef MEERKAT_METRICS_PROMQL_WORKERS_H
#define MEERKAT_METRICS_PROMQL_WORKERS_H

#include "sys/thread.h"

/* Calls fn(ctx, k) once for every k in [0, n), in no particular order, on this thread and on those that pool can spare
 * (NULL: on this thread alone); returns when all calls have. */
void promql_parallel(Pool *pool, size_t n, void (*fn)(void *ctx, size_t k), void *ctx);

#endif
