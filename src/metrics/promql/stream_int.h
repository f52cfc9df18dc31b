/* stream_int.h - a stream's inside: what is at its bottom (stream_source.c), how a row is made (stream_row.c), how many
 * are run in parts (stream.c), how all are collected (stream_collect.c). Private to stream*.c. */
#ifndef MEERKAT_METRICS_PROMQL_STREAM_INT_H
#define MEERKAT_METRICS_PROMQL_STREAM_INT_H

#include "metrics/promql/explain_int.h"
#include "metrics/promql/rows.h"
#include "metrics/promql/steps.h"
#include "metrics/promql/stream.h"
#include "metrics/series_set.h"

#define ROW_OPS_MAX 16

typedef enum SourceKind {
    SOURCE_SELECTOR, /* an instant vector selector */
    SOURCE_WINDOW,   /* a function of a selector's range */
    SOURCE_COLUMNS,  /* a function of a subquery's range, which is evaluated */
    SOURCE_MATRIX,   /* anything else, which is evaluated */
} SourceKind;

typedef struct Part Part;
typedef struct Stream {
    Ev *ev;
    const Grid *g;
    const StreamSink *sink;
    SourceKind kind;
    PqlNode *node;     /* at the bottom */
    PqlNode *selector; /* SOURCE_SELECTOR, SOURCE_WINDOW */
    PqlSample what;    /* of SOURCE_SELECTOR */
    bool no_labels;    /* those of the rows are `name` alone, unless there are histograms */
    Label name;
    WindowCall call;
    WindowSpec spec;
    SeriesSet *set;
    Columns columns;
    PqlMatrix matrix;
    RowOp ops[ROW_OPS_MAX];           /* innermost last */
    PlanNode *plans[ROW_OPS_MAX + 2]; /* of the operators, the function at the bottom, its selector */
    size_t n_plans;
    size_t n_ops, n_series, n_parts;
    Part *parts;
    size_t left_bytes; /* of the query's memory, for all parts */
    _Atomic size_t used_bytes;
    _Atomic bool stop;
} Stream;

/* What one thread has for one part. */
struct Part {
    Ev ev;
    Err err;
    SeriesReader *reader;
    PqlSeries row;
    Steps steps;
    BatchScratch batch;
    Str noted;         /* the metric that has been looked at by window_note_gauge */
    size_t used_bytes; /* of the arena, as the Stream knows it */
    uint64_t rows, points;
};

/* --- stream_source.c --- */
/* Operators on rows, from n down to what is none; ret is zeroed but for ev, g, sink. */
bool stream_find_bottom(Stream *s, PqlNode *n);
bool stream_open_source(Stream *s);
void stream_note_plan(Stream *s, const PqlNode *n); /* begins the plan of n, the innermost so far */
/* Whether label sets that differ may become equal without __name__. */
bool stream_may_clash(Stream *s);

/* --- stream_row.c --- */
/* Series i as the part's row, before the operators. */
bool stream_make_row(Stream *s, Part *p, size_t i);
/* Whether the function at the bottom leaves __name__ alone. */
bool stream_keeps_name(const Stream *s);

/* --- stream.c --- */
bool stream_run(Stream *s); /* all rows into the sink */
void stream_end_plans(Stream *s);

#endif
