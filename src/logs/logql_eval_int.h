/* logql_eval_int.h - private: evaluation of numbers, all steps of a series at once. */
#ifndef MEERKAT_LOGS_LOGQL_EVAL_INT_H
#define MEERKAT_LOGS_LOGQL_EVAL_INT_H

#include "base/map.h"
#include "logs/payload.h"
#include "logs/pipeline.h"

typedef struct LqEval {
    const LogqlRequest *req;
    size_t n_steps;
    size_t series_max;
    LogqlStats *stats;
    Err *err;
} LqEval;

static inline int64_t lq_step_time(const LqEval *ev, size_t k) {
    return ev->req->start_ns + (int64_t)k * ev->req->step_ns;
}

ErrCode lq_fail_eval_memory(LqEval *ev);
ErrCode lq_fail_series(LqEval *ev);
/* LogSelect.check of a LogqlRequest: ERR_CANCELLED, ERR_TIMEOUT or OK. */
ErrCode lq_check(const void *req, Err *reterr);
/* Arrays of n_steps, absent everywhere; labels are kept as they are. false: memory. */
ATTR_MUST bool lq_series_new(LqEval *ev, Labels labels, LogqlSeries *ret);

/* Labels to series number; labels are copied into the arena when new. */
typedef struct LqSeriesIndex {
    Map *map;
    Buf key;
} LqSeriesIndex;
void lq_index_init(LqSeriesIndex *ix);
void lq_index_done(LqSeriesIndex *ix);
/* Slot for the label set, 0 when it is new (the caller stores its number + 1). */
uint64_t *lq_index_slot(LqSeriesIndex *ix, Labels l);

/* Labels kept by a grouping (by: only those; without: all but those), in the arena. */
ATTR_MUST bool lq_group_labels(const LqGrouping *g, Labels l, Arena *arena, Labels *ret);

ErrCode lq_eval(LqEval *ev, const LqExpr *e, LogqlMatrix *ret);
/* sum: the grouping of a sum around it, done on the way (NULL: none). */
ErrCode lq_eval_range(LqEval *ev, const LqExpr *e, const LqGrouping *sum, LogqlMatrix *ret);
ErrCode lq_eval_agg(LqEval *ev, const LqExpr *e, LogqlMatrix *ret);
ErrCode lq_eval_binary(LqEval *ev, const LqExpr *e, LogqlMatrix *ret);

typedef struct LqSample {
    int64_t t_ns;
    double v;
} LqSample;
/* The value of op over the samples of one window, which end_ns closes; n > 0. */
double lq_window_value(
    const LqExpr *e, const LqSample *v, size_t n, int64_t end_ns, double *scratch, bool *ret_present);

#endif
