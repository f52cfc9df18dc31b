/* engine_int.h - the evaluator's inside: grids, matrices with presence, labels, annotations. Private to promql. */
#ifndef MEERKAT_METRICS_PROMQL_ENGINE_INT_H
#define MEERKAT_METRICS_PROMQL_ENGINE_INT_H

#include "base/map.h"
#include "metrics/promql/fhist.h"
#include "metrics/promql/function.h"
#include "metrics/promql/lanes.h"
#include "metrics/promql/promql.h"

#include <math.h>

/* The steps a node is evaluated over. */
typedef struct Grid {
    int64_t start_ms, step_ms;
    size_t n; /* may be 0 */
} Grid;

static inline int64_t grid_t(const Grid *g, size_t i) { return g->start_ms + (int64_t)i * g->step_ms; }

/* One column per series: a value per step, with a bit that says whether there is one. NaN is a value. */
typedef struct PqlSeries {
    Labels labels;
    bool drop_name; /* with delayed removal: __name__ goes at the end */
    double *v;
    uint64_t *present; /* bitmap_words(n) words; bits behind n are 0 */
    FHist **h;         /* NULL, or per step: the value is this histogram */
} PqlSeries;

typedef struct PqlMatrix {
    PqlSeries *v;
    size_t n, cap;
} PqlMatrix;

typedef struct PlanNode PlanNode;

typedef struct Ev {
    MetricsStore *store;
    struct View **view; /* of the store: all selectors of a query see the same moment */
    PromqlOptions opts;
    const PromqlQuery *query;
    Arena *arena;
    Str source;
    Err *err;
    ErrCode rc;       /* first error */
    Map *annotations; /* text -> Annotation index + 1 */
    AVEC(struct Annotation) notes;
    uint64_t samples, samples_peak, samples_total, samples_read, series_read; /* see PromqlStats */
    uint64_t *step_total, *step_read; /* the last two per step; NULL: not wanted, or not of the steps now evaluated */
    PlanNode *explain;                /* the operator that works now; NULL: not noted */
    unsigned ticks;
    int64_t gone_asked_ns;
    Arena *scratch; /* for what is of no use after the row that is being worked on; may be the arena */
    /* One that works for another Ev, beside others: */
    _Atomic bool *stop;                /* NULL: it does not; true: one of them wants all to end */
    bool stopped;                      /* ended for this reason */
    size_t beside_bytes;               /* memory of the other Ev */
    const _Atomic size_t *parts_bytes; /* of all that work for it */
    int64_t prepare_ns;
} Ev;

/* --- errors: all give false, so that `return ev_fail(...)` works --- */
bool ev_fail(Ev *ev, const char *fmt, ...) ATTR_PRINTF(2, 3);
bool ev_no_memory(Ev *ev);
/* Marks the selectors of which only count and sum are used; ev_detect_resets gives their samples reset hints. */
void ev_mark_resets(PqlNode *root);
bool ev_detect_resets(Ev *ev, SeriesColumns *cols);
bool ev_detect_column(Ev *ev, SeriesColumn *c);
/* Cancellation and deadline; call once per series. */
bool ev_alive(Ev *ev);
/* The same, with a look at the clock each time: before what may take long for a single series. */
bool ev_alive_now(Ev *ev);
/* For the statistics: at a step so many samples in use, so many of them newly read. */
static inline void ev_note_samples(Ev *ev, size_t step, uint64_t used, uint64_t fresh) {
    ev->samples_total += used;
    ev->samples_read += fresh;
    if (!ev->step_total) return;
    ev->step_total[step] += used;
    ev->step_read[step] += fresh;
}
/* Accounts samples held in memory; fails beyond samples_max. */
bool ev_count_samples(Ev *ev, uint64_t n);

/* --- annotations (annot.c) --- */
typedef struct Annotation {
    bool info;
    LangSpan span;
    Str text;
    bool monotonicity; /* the one that collects numbers */
    double min_bucket, max_bucket, max_diff;
    int64_t first_ms, last_ms;
    uint64_t count;
    bool counted; /* the text says how often */
} Annotation;
void ev_warn(Ev *ev, LangSpan span, const char *fmt, ...) ATTR_PRINTF(3, 4);
void ev_info(Ev *ev, LangSpan span, const char *fmt, ...) ATTR_PRINTF(3, 4);
void ev_warn_quantile(Ev *ev, LangSpan span, double q);
void ev_info_monotonicity(Ev *ev, LangSpan span, Str metric, int64_t t_ms, double min_b, double max_b, double max_diff);
/* Texts with quoted names: `fmt` ends where the quoted name begins. */
void ev_warn_metric(Ev *ev, LangSpan span, const char *text, Labels labels);
void ev_info_metric(Ev *ev, LangSpan span, const char *text, Labels labels);
/* A sample began to count before the one before it was taken. Once per series and step. */
void ev_warn_start_overlap(Ev *ev, LangSpan span, Labels labels);
/* " for metric name "x"" is added only when the metric has a name. */
void ev_note_maybe_metric(Ev *ev, bool info, LangSpan span, const char *text, Str metric);
/* As Go's %g with the shortest digits. */
void pql_put_g(Buf *out, double v);
/* What w has noted, to ev. */
void ev_annotations_merge(Ev *ev, const Ev *w);
bool ev_annotations_result(Ev *ev, PromqlResult *ret);
#define WARN_MIXED_FLOATS "encountered a mix of histograms and floats for metric name"
#define WARN_MIXED_SCHEMAS                                                                                             \
    "vector contains a mix of histograms with exponential and custom buckets schemas for metric name"
#define INFO_IGNORED_RANGE "ignored histograms in a range containing both floats and histograms for metric name"

/* --- bitmaps --- */
static inline size_t bitmap_words(size_t n) { return (n + 63) / 64; }
static inline bool bit_get(const uint64_t *b, size_t i) { return b[i / 64] >> (i % 64) & 1; }
static inline void bit_set(uint64_t *b, size_t i) { b[i / 64] |= UINT64_C(1) << (i % 64); }
static inline void bit_clear(uint64_t *b, size_t i) { b[i / 64] &= ~(UINT64_C(1) << (i % 64)); }
bool bitmap_any(const uint64_t *b, size_t n);
size_t bitmap_count(const uint64_t *b, size_t n);
/* Whether the set bits are neighbours, and there are some: [*ret_from, *ret_to). */
bool bitmap_run(const uint64_t *b, size_t n, size_t *ret_from, size_t *ret_to);
/* Next set bit at or after i, or n. */
static inline size_t bitmap_next(const uint64_t *b, size_t i, size_t n) {
    if (i >= n) return n;
    size_t w = i / 64;
    uint64_t bits = b[w] >> (i % 64) << (i % 64);
    while (!bits) {
        if (++w >= bitmap_words(n)) return n;
        bits = b[w];
    }
    return w * 64 + (size_t)__builtin_ctzll(bits);
}
#define FOR_PRESENT(i, series, n)                                                                                      \
    for (size_t i = bitmap_next((series)->present, 0, (n)); i < (n); i = bitmap_next((series)->present, i + 1, (n)))

/* --- matrices (matrix.c) --- */
/* A new empty column; NULL on exhaustion. */
PqlSeries *matrix_add(Ev *ev, PqlMatrix *m, const Grid *g, Labels labels);
bool series_want_histograms(Ev *ev, PqlSeries *s, const Grid *g);
static inline void series_set(PqlSeries *s, size_t i, double v) {
    s->v[i] = v;
    bit_set(s->present, i);
}
static inline FHist *series_h(const PqlSeries *s, size_t i) { return s->h ? s->h[i] : NULL; }
/* Histogram columns of a matrix are made on demand; sets the point. */
bool series_set_h(Ev *ev, PqlSeries *s, const Grid *g, size_t i, FHist *h);
void matrix_drop_empty(PqlMatrix *m, const Grid *g);
/* Series with the same labels become one; two points at one step are the labelset error. strict: any two are. */
bool matrix_merge_same(Ev *ev, PqlMatrix *m, const Grid *g, bool strict);
bool matrix_scalar(Ev *ev, const Grid *g, double v, PqlMatrix *ret);
int series_labels_cmp(const void *a, const void *b);

/* --- labels --- */
Labels labels_without_name(Ev *ev, Labels l); /* without __name__, __type__, __unit__ */
/* Keeps (on) or removes (!on) the names; without also drops what goes with the name. .v NULL with n > 0 never happens: on exhaustion
 * the error is set and the result is empty. */
Labels labels_keep(Ev *ev, Labels l, const StrVec *names);
Labels labels_remove(Ev *ev, Labels l, const StrVec *names, bool also_name);
Labels labels_with(Ev *ev, Labels l, Str name, Str value); /* empty value removes */
/* Now or at the end, as the engine is set. The new array is in ev->scratch. */
bool series_drop_name(Ev *ev, PqlSeries *s);
static inline Str labels_metric(Labels l) { return labels_get(l, LABEL_NAME_METRIC); }
/* {__name__="x", a="b"}: as messages print label sets. */
void promql_put_labels(Buf *out, Labels l);
/* Unambiguous bytes of a label set in b (cleared first): key for maps. */
void labels_key(Buf *b, Labels l, const StrVec *names, bool on, bool drop_name);

/* --- evaluation --- */
bool ev_eval(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret);
bool ev_call(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret);
bool ev_aggregate(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret);
bool ev_aggregate_k(Ev *ev, const Grid *g, PqlNode *n, const PqlMatrix *in, const double *param, PqlMatrix *ret);
bool ev_count_values(Ev *ev, const Grid *g, PqlNode *n, const PqlMatrix *in, PqlMatrix *ret);
bool ev_binary(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret);
bool ev_binary_vectors(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *lhs, PqlMatrix *rhs, PqlMatrix *ret);
bool ev_histogram_call(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret);
bool ev_label_call(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret);
bool ev_info_call(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret);
/* The reference time that all selectors of an expression share (call_info.c); false: there is none, ret is empty. */
bool ev_info_reference(const PqlNode *n, PqlShift *ret);
bool ev_date_call(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret);
bool ev_sort_call(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret);
/* A scalar argument as a column. */
bool ev_scalar_arg(Ev *ev, const Grid *g, PqlNode *n, const double **ret);
static inline bool aggregate_is_k(PqlTok op) {
    return op == TOK_TOPK || op == TOK_BOTTOMK || op == TOK_LIMITK || op == TOK_LIMIT_RATIO;
}
/* Groups of an aggregation: group number per series, labels per group. */
typedef struct Groups {
    size_t *of; /* per series of the input */
    Labels *labels;
    size_t n;
} Groups;
Labels group_labels(Ev *ev, const PqlNode *n, Labels l); /* of the group that a series belongs to */
/* Adds series by series, without holding them all. *ret_done false: this needs all of them (ret is of no use). */
bool ev_aggregate_stream(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret, bool *ret_done);
bool ev_groups(Ev *ev, const PqlNode *n, const PqlMatrix *in, bool want_labels, Groups *ret);
double go_max(double a, double b); /* as Go's math.Max and Min */
double go_min(double a, double b);
/* Result of one binary operator on floats: value, and whether a filter keeps it. */
double binop_float(PqlTok op, double l, double r, bool *ret_keep);

/* --- range vectors (window.c) --- */
typedef struct Column { /* samples of one series without stale markers */
    Labels labels;
    bool drop_name;
    size_t n, n_h;
    const int64_t *t, *t_h;
    const double *v;
    FHist **h;
    const int64_t *start, *start_h; /* start times of both, 0: not known; NULL: none is known */
    const uint32_t *resets;         /* indices of v where the counter began anew, made on demand */
    size_t n_resets;
    bool have_resets;
} Column;
typedef struct Columns {
    Column *v;
    size_t n;
} Columns;

typedef struct Window {
    Ev *ev;
    const PqlNode *arg; /* the range vector argument */
    LangSpan span;      /* its place, for annotations */
    Column *col;
    size_t from, to; /* floats: [from, to) */
    size_t h_from, h_to;
    int64_t t_ms;              /* of the step */
    int64_t min_t, max_t;      /* (min_t, max_t] */
    double p1, p2;             /* scalar arguments */
    LangSpan p1_span, p2_span; /* of the first and the second argument */
    bool anchored, smoothed;
} Window;
/* What integral() takes for the value between two samples: the left one's, the right one's, the mean of both. */
enum { INTEGRAL_LEFT, INTEGRAL_RIGHT, INTEGRAL_TRAPEZOIDAL };
/* false: no value (or an error in ev->rc). *ret_h is set for a histogram result. */
typedef bool (*WindowFn)(Window *w, double *ret, FHist **ret_h);
WindowFn window_fn(PqlFn id); /* NULL when the function takes no range vector */
typedef struct WindowSpec WindowSpec;
/* A call of such a function, ready for series after series. */
typedef struct WindowCall {
    const WindowSpec *spec;
    const PqlFunction *function;
    WindowFn fn;
    const double *p1, *p2;
    PqlNode *matrix;           /* the argument, without parentheses */
    LangSpan span;             /* its place, for annotations */
    LangSpan p1_span, p2_span; /* of the first and the second argument */
} WindowCall;
bool window_call_init(Ev *ev, const Grid *g, PqlNode *n, WindowCall *ret); /* all but spec */
bool window_check_extended(Ev *ev, const WindowCall *call);
/* All steps of one series; out has no points yet. */
bool window_series(Ev *ev, const Grid *g, const WindowCall *call, Column *c, PqlSeries *out);
/* A function of the name's type of metric, used on one that does not look like it. */
void window_note_gauge(Ev *ev, const Grid *g, const WindowCall *call, const PqlSeries *s);
void ev_window_spec(
    Ev *ev, const Grid *g, const PqlNode *matrix, WindowSpec *ret, int64_t *ret_first, int64_t *ret_last);
/* What of a column of the store has no stale markers; floats may be the column's own arrays. */
bool column_from_store(Ev *ev, const SeriesColumn *c, Column *ret);
/* What an instant vector is made of: the samples, or what timestamp(), start_timestamp() tell of them. */
typedef enum PqlSample { SAMPLE_VALUE, SAMPLE_TIME, SAMPLE_START } PqlSample;
/* One series of an instant vector. */
bool selector_series(Ev *ev, const Grid *g, const PqlNode *n, const SeriesColumn *c, PqlSample what, PqlSeries *s);
void selector_range(Ev *ev, const Grid *g, const PqlNode *n, int64_t *ret_first, int64_t *ret_last);
/* Samples of a matrix selector or subquery for the windows of g; *ret_windows gives range, reference times. */
struct WindowSpec {
    int64_t range_ms, offset_ms;
    bool fixed; /* @: one window for all steps */
    int64_t fixed_ms;
    bool anchored, smoothed;
};
bool ev_range_vector(Ev *ev, const Grid *g, PqlNode *n, Columns *ret, WindowSpec *ret_spec);
bool ev_matrix_result(Ev *ev, PqlNode *n, PromqlResult *ret); /* instant query whose value is a range vector */
bool ev_absent_call(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret);
/* window_start.c: resets that start times tell of; false where these are not known. */
bool start_is_reset(int64_t prev_start, int64_t prev_t, int64_t start, int64_t t);
bool float_start_resets(const Column *c, size_t i); /* sample i against the one before */
bool histogram_start_resets(const Column *c, size_t i);
/* Where the window's first sample begins to count from 0 inside the window, in place of a guess. */
bool window_start(const Window *w, bool histograms, int64_t *ret_ms);
/* Warns when some sample of the window began to count before the one before it was taken. */
void window_note_overlap(const Window *w, bool histograms);
/* window_hist.c */
FHist *window_hist_rate(Window *w, bool counter);
bool window_hist_add(Window *w, FHist *acc, const FHist *h); /* false: schemas that do not go together, warned of */
/* window_extended.c */
bool selector_smooth(Ev *ev, const Grid *g, const PqlNode *n, const Column *c, PqlSeries *s);
/* The column's samples become those of the range, with one at each of its ends. */
bool window_extend(Ev *ev, const PqlNode *n, const WindowSpec *spec, Column *c, int64_t min_t, int64_t max_t);
bool window_extended_rate(Window *w, bool counter, bool per_second, double *ret, FHist **ret_h);

/* --- numbers --- */
/* q-quantile of n values, which are sorted here (NaN first). */
double quantile_of(double q, double *values, size_t n);
typedef struct ClassicBucket {
    double upper, count;
} ClassicBucket;
/* Buckets sorted by upper; changed. *ret_forced with the three numbers when counts had to be made monotonic. */
double classic_quantile(
    double q, ClassicBucket *b, size_t n, bool *ret_forced, double *min_b, double *max_b, double *max_diff);
double classic_fraction(double lower, double upper, ClassicBucket *b, size_t n);

#endif
