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
    BINOP_NOTHING, /* there is no such operation on these; the note says why */
    BINOP_ERROR,
} BinopResult;

/* What is to be remarked on an operation. */
typedef enum BinopNote {
    BINOP_NOTE_NONE,
    BINOP_NOTE_FLOAT_FLOAT, /* the kinds of both sides, which the operator does not take */
    BINOP_NOTE_FLOAT_HISTOGRAM,
    BINOP_NOTE_HISTOGRAM_FLOAT,
    BINOP_NOTE_HISTOGRAM_HISTOGRAM,
    BINOP_NOTE_LAYOUT,     /* exponential and custom buckets */
    BINOP_NOTE_COLLISION,  /* of counter resets */
    BINOP_NOTE_RECONCILED, /* custom buckets with different bounds */
} BinopNote;

BinopResult binop_samples(Ev *ev, const PqlNode *n, const Sample *l, const Sample *r, Sample *out, BinopNote *note);
void binop_annotate(Ev *ev, const PqlNode *n, BinopNote note);
/* Arithmetic gives another metric: the name goes. */
bool binop_changes_metric(PqlTok op);

#endif
