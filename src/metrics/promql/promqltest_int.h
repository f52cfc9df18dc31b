/* promqltest_int.h - promqltest scripts: their series and how those get into a test store, their evals, and how those
 * are run and compared. */
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

/* --- scripts --- */

typedef enum ExpectKind { EXPECT_FAIL, EXPECT_WARN, EXPECT_INFO, EXPECT_NO_WARN, EXPECT_NO_INFO } ExpectKind;

typedef struct Expect {
    ExpectKind kind;
    bool is_regex;
    Str text; /* empty: anything */
} Expect;

typedef struct Eval {
    int line;
    bool range, ordered, has_scalar, has_string, has_vector_range;
    int64_t start_ms, end_ms, step_ms;
    int64_t rv_start_ms, rv_end_ms, rv_step_ms;
    Str expr;
    double scalar;
    Str string;
    SeqLines lines;
    AVEC(Expect) expects;
} Eval;

typedef struct Runner {
    const char *file;
    MetricsStore *store;
    Arena *script; /* lives as long as the file */
    PromqlOptions opts;
    bool verbose;
    unsigned passed, total;
    int line;
    char why[1600];
} Runner;

/* Keeps what is wrong with the present eval; false. */
bool test_fail(Runner *r, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* Whether the result is what the eval expects, its points counted from start. */
bool test_compare(Runner *r, Arena *a, const Eval *e, const PromqlResult *res, int64_t start, int64_t step);
/* The same, with the series shown. */
bool test_fail_series(Runner *r, const char *what, const PromqlSeries *s);
bool test_text_matches(const Expect *x, Str text);
bool test_annotations_ok(Runner *r, const Eval *e, const PromqlResult *res);
bool test_close_enough(double a, double b);
/* In all the ways Prometheus' own runner does it: as it stands, as a range query, with @. */
bool test_run_eval(Runner *r, const Eval *e);

#endif
