/* promqltest_int.h - the series notation of promqltest scripts, and how its series get into a test store. */
#ifndef MEERKAT_METRICS_PROMQL_PROMQLTEST_INT_H
#define MEERKAT_METRICS_PROMQL_PROMQLTEST_INT_H

#include "metrics/promql/engine_int.h"
#include "metrics/promql/test_store.h"

typedef struct SeqItem {
    bool omitted, hint_set;
    double v;
    FHist *h; /* NULL: a float */
} SeqItem;

typedef AVEC(double) SeqNumbers;

typedef struct SeqLine {
    Labels labels;
    AVEC(SeqItem) items;
} SeqLine;

typedef AVEC(SeqLine) SeqLines;

/* `name{a="b"} 1 2x3 {{sum:4}}`; false with a message in err. */
bool seq_parse_line(Arena *a, Str line, SeqLine *ret, Err *err);
bool seq_parse_number(Str s, double *ret);
void seq_set_buckets(Arena *a, FhBuckets *b, const SeqNumbers *v, int32_t offset);
/* Stores the lines at i * step; with nhcb also native histograms with custom buckets made of classic ones. */
void seq_load(MetricsStore *store, Arena *a, const SeqLines *lines, int64_t step_ms, bool nhcb);

#endif
