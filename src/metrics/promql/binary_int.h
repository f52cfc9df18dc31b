/* binary_int.h - one binary operation on two samples. Private to promql. */
#ifndef MEERKAT_METRICS_PROMQL_BINARY_INT_H
#define MEERKAT_METRICS_PROMQL_BINARY_INT_H

#include "metrics/promql/engine_int.h"

typedef struct Sample {
    double v;
    FHist *h; /* NULL: a float */
} Sample;

typedef enum BinopResult {
    BINOP_KEEP,    /* *out is the result */
    BINOP_DROP,    /* a comparison that does not hold; *out is the left side */
    BINOP_NOTHING, /* there is no such operation on these; annotated */
    BINOP_ERROR,
} BinopResult;

BinopResult binop_samples(Ev *ev, const PqlNode *n, const Sample *l, const Sample *r, Sample *out);
/* Arithmetic gives another metric: the name goes. */
bool binop_changes_metric(PqlTok op);

#endif
