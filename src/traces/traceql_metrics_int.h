/* traceql_metrics_int.h - how a metrics query is run. Private to room traces.
 *
 * A leaf (spans | function) is scanned by several workers. Each has a table of accumulators, found by the bytes of the
 * group's values; the tables are added up at the end and become series (traceql_leaf.c). What stands behind and between
 * leaves works on series (traceql_second.c). */
#ifndef MEERKAT_TRACES_TRACEQL_METRICS_INT_H
#define MEERKAT_TRACES_TRACEQL_METRICS_INT_H

#include "base/cursor.h"
#include "base/map.h"
#include "sys/random.h"
#include "traces/traceql_metrics.h"

/* The points of an answer: point i stands for (first + (i - 1) * step, first + i * step]. */
typedef struct TqlGrid {
    int64_t first_ns, step_ns;
    size_t n;
} TqlGrid;
/* SIZE_MAX: outside. */
static inline size_t tql_grid_point(const TqlGrid *g, int64_t t_ns) {
    int64_t since = t_ns - (g->first_ns - g->step_ns);
    size_t i = since <= 0 ? SIZE_MAX : (size_t)((since - 1) / g->step_ns);
    return i < g->n ? i : SIZE_MAX;
}

/* --- accumulators (traceql_cells.c) --- */

typedef enum TqlCellKind { TQL_CELL_COUNT, TQL_CELL_SUM, TQL_CELL_MIN, TQL_CELL_MAX, TQL_CELL_AVG } TqlCellKind;

/* One group's accumulators by point. */
typedef struct TqlCells {
    Str key;   /* what it is found by */
    double *v; /* counts start at 0, others at NaN */
    double *n; /* AVG: how many */
} TqlCells;

typedef struct TqlExemplarSlot {
    uint64_t seen;
    uint32_t cells; /* which group */
    TqlExemplar x;
} TqlExemplarSlot;

typedef struct TqlCellTable {
    TqlCellKind kind;
    const TqlGrid *grid;
    Arena *arena; /* of the accumulators; its budget is the table's limit */
    Map *index;
    VEC(TqlCells) cells;
    uint32_t last; /* the group of the last key: the next span is often one of the same */
    TqlExemplarSlot *slots;
    size_t n_slots;
    Rng rng;
} TqlCellTable;

void tql_cells_init(TqlCellTable *t, TqlCellKind kind, const TqlGrid *grid, size_t memory_bytes, size_t exemplars);
void tql_cells_done(TqlCellTable *t);
/* Number of the group; UINT32_MAX: the budget is used up. */
uint32_t tql_cells_group(TqlCellTable *t, Str key);
void tql_cells_add(TqlCellTable *t, uint32_t group, size_t point, double value);
/* Remembers a span now and then, spread over the points. */
void tql_cells_exemplar(TqlCellTable *t, uint32_t group, size_t point, TraceId id, int64_t t_ns, double value);
/* Adds src's groups to dst. false: the budget is used up. */
ATTR_MUST bool tql_cells_merge(TqlCellTable *dst, const TqlCellTable *src);
/* Averages become averages. */
void tql_cells_finish(TqlCellTable *t);

/* --- keys: values of a group as bytes --- */

void tql_key_put(Buf *key, const TqlValue *v);
/* Strings are slices of the key. */
TqlValue tql_key_next(Cursor *c);

/* --- power-of-two buckets --- */

/* The upper bound of the bucket a number falls into: the next power of two, or 0 for what is not above 0. */
double tql_bucket(double v);
/* By exponential interpolation within the bucket. buckets: upper bounds, ascending. */
double tql_quantile(double q, const double *buckets, const double *counts, size_t n);

/* --- leaves (traceql_leaf.c, traceql_compare.c) --- */

typedef struct TqlRun {
    const TqlMetricsRequest *req;
    TqlGrid grid;
    Arena *arena; /* of the answer */
    TqlScanStats stats;
    bool wants_exemplars;
} TqlRun;

typedef struct TqlVector {
    TqlSeries *v;
    size_t n;
    bool is_scalar; /* a number */
    bool is_int;
    double scalar;
} TqlVector;

/* What a worker does with the rows of one view. */
typedef struct TqlLeafWorker {
    TqlCellTable table;
    Buf key;
    uint64_t calls;
} TqlLeafWorker;
typedef struct TqlLeaf TqlLeaf;
struct TqlLeaf {
    TqlRun *run;
    const TqlMetrics *m;
    const TqlProgram *program;
    size_t arg_field; /* SIZE_MAX: none */
    TqlLeafWorker *workers;
    unsigned n_workers;
    ErrCode (*row)(const TqlLeaf *leaf, TqlLeafWorker *w, const TqlView *v, uint32_t row, Arena *arena, Err *reterr);
};
ErrCode tql_leaf_run(TqlRun *run, const TqlMetrics *m, TqlVector *ret, Err *reterr);
/* Scans; the tables of all workers are in the first one's afterwards. */
ErrCode tql_leaf_scan(TqlLeaf *leaf, TqlCellKind kind, bool all_attributes, Err *reterr);
void tql_leaf_done(TqlLeaf *leaf);
ErrCode tql_out_of_memory(Err *reterr);
ErrCode tql_compare_run(TqlRun *run, const TqlMetrics *m, TqlVector *ret, Err *reterr);

/* --- behind leaves (traceql_second.c) --- */

ErrCode tql_vector_binary(
    TqlRun *run, TqlOp op, const TqlVector *left, const TqlVector *right, TqlVector *ret, Err *reterr);
ErrCode tql_vector_second(TqlRun *run, const TqlSecond *s, TqlVector *v, Err *reterr);
int tql_labels_cmp(const TqlSeries *a, const TqlSeries *b);

#endif
