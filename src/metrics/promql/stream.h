/* stream.h - rows of an expression, one series at a time and on several threads, into what is above: an aggregation
 * takes them as they come and never holds them all. Private to promql. */
#ifndef MEERKAT_METRICS_PROMQL_STREAM_H
#define MEERKAT_METRICS_PROMQL_STREAM_H

#include "metrics/promql/engine_int.h"

#define STREAM_PARTS_MAX 8

/* Series are split into parts of neighbours; the rows of one part come in the series' order on one thread. How many
 * parts there are depends on the number of series alone, so that sums are the same on every machine. */
typedef struct StreamSink {
    void *ctx;
    bool no_labels; /* rows' labels are not looked at, unless they have histograms: they may be anything */
    bool no_values; /* of rows without histograms only where there are points */
    /* Before all rows. */
    bool (*begin)(void *ctx, Ev *ev, size_t n_series, size_t n_parts);
    /* row is scratch memory, its array of labels as well, but not their strings and its histograms; index is the
     * series' place among all. w is the part's own Ev, its arena is kept. May be called with a row without any point.
     */
    bool (*row)(void *ctx, Ev *w, size_t part, size_t index, PqlSeries *row);
} StreamSink;

/* Labels of a row, to be kept beyond it. */
bool stream_keep_labels(Ev *w, Labels l, Labels *ret);
/* Whether the rows of n come from a selector, a function of a range vector, or an operator on such rows. */
bool stream_has_rows(const Grid *g, PqlNode *n);
/* The same for any expression; those without rows of their own are evaluated first. *ret_clashes: dropping __name__
 * made label sets equal that were not (never, when it comes from a selector that fixes the name): the caller has to
 * look. */
bool ev_stream(Ev *ev, const Grid *g, PqlNode *n, const StreamSink *sink, bool *ret_clashes);
/* All rows as a matrix, with the check for equal label sets. */
bool ev_stream_matrix(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret);
/* A selector's rows. */
bool ev_selector(Ev *ev, const Grid *g, PqlNode *n, PqlSample what, PqlMatrix *ret);

#endif
