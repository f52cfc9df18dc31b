/* promqltest_int.h - the series notation of promqltest scripts, and how its series get into a test store. */
#ifndef MEERKAT_METRICS_PROMQL_PROMQLTEST_INT_H
#define MEERKAT_METRICS_PROMQL_PROMQLTEST_INT_H

#include "metrics/promql/engine_int.h"
#include "metrics/promql/test_store.h"

typedef struct SeqItem {
    bool omitted, hint_set, started;
    double v;
    FHist *h;         /* NULL: a float */
    int64_t start_ms; /* when started: to the sample's time */
} SeqItem;

typedef AVEC(double) SeqNumbers;

typedef struct SeqLine {
    Labels labels;
    AVEC(SeqItem) items;
} SeqLine;

typedef AVEC(SeqLine) SeqLines;

/* `name{a="b"} 1 2x3 {{sum:4}}`; false with a message in err. */
bool seq_parse_line(Arena *a, Str line, SeqLine *ret, Err *err);
/* `name{a="b"}@st -1m 0x3 -1s-1mx2 _`: start times of the samples of the next line, as distances to their times.
 * *ret_is false: it is no such line. */
bool seq_parse_starts(Arena *a, Str line, bool *ret_is, SeqLine *ret, Err *err);
bool seq_take_starts(SeqLine *line, const SeqLine *starts, Err *err);
bool seq_parse_number(Str s, double *ret);
void seq_set_buckets(Arena *a, FhBuckets *b, const SeqNumbers *v, int32_t offset);
/* Stores the lines at i * step; with nhcb also native histograms with custom buckets made of classic ones. */
void seq_load(MetricsStore *store, Arena *a, const SeqLines *lines, int64_t step_ms, bool nhcb);

#endif
