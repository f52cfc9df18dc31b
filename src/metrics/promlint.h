/* promlint.h - what is against Prometheus' conventions in an exposition, in the words that promtool has for it.
 * Source: the naming and exposition conventions of prometheus.io and promtool check metrics. */
#ifndef MEERKAT_METRICS_PROMLINT_H
#define MEERKAT_METRICS_PROMLINT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "model/metrics_batch.h"

typedef struct PromLintProblem {
    Str metric;
    Str text;
} PromLintProblem;

typedef struct PromLintFamily {
    Str name;
    MetricType type;
    bool has_help;
    AVEC(Labels) metrics; /* without le and quantile where they are no labels */
    uint64_t series;      /* lines */
} PromLintFamily;

typedef struct PromLint {
    Arena *arena;
    AVEC(PromLintFamily) families;  /* in order of appearance */
    AVEC(PromLintProblem) problems; /* by metric, then text */
} PromLint;

/* Reads text format 0.0.4. ERR_INVALID: "text format parsing error in line N: ..."; ERR_TOO_LARGE. Everything is in
 * the arena or in text. */
ErrCode promlint_run(Str text, Arena *arena, PromLint *ret, Err *reterr);

#endif
