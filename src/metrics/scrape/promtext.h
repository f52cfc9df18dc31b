/* promtext.h - the text formats targets expose: Prometheus text 0.0.4 / 1.0.0 and OpenMetrics 1.0.
 *
 * A hand-written tokenizer over the bytes; samples are handed to a visitor as slices of the input, labels
 * undecoded, so that a caller who knows `raw` already need not look at them. Prometheus' own parser is the
 * measure of tolerance; `strict` additionally enforces the OpenMetrics 1.0 specification (grouping, types,
 * suffixes, histogram consistency), for checkers. */
#ifndef MEERKAT_METRICS_SCRAPE_PROMTEXT_H
#define MEERKAT_METRICS_SCRAPE_PROMTEXT_H

#include "base/arena.h"
#include "base/err.h"
#include "model/metrics_batch.h"

typedef enum PromTextFormat { PROMTEXT_PLAIN, PROMTEXT_OPENMETRICS } PromTextFormat;

#define PROMTEXT_LABELS_MAX 1024 /* per sample */

typedef struct PromTextLabel {
    Str name, value; /* between the quotes, escapes not yet resolved */
    bool name_escaped, value_escaped;
} PromTextLabel;

typedef struct PromTextSample {
    Str raw;  /* the series as written: name and braces */
    Str name; /* metric name; escapes not resolved when name_escaped */
    bool name_escaped;
    const PromTextLabel *labels;
    size_t n_labels;
    MetricType type; /* as the newest TYPE line says */
    double value;
    bool has_t, has_exemplar;
    int64_t t_ms;
    double t_s;        /* OpenMetrics: as written, in seconds */
    int64_t start_ms;  /* when it began to count, 0: not known */
    Exemplar exemplar; /* labels in the parser's arena; t_ms 0 with has_exemplar_t false */
    bool has_exemplar_t;
    /* Protobuf: a native histogram in the place of value, with exemplars that have times. */
    const Histogram *histogram;
    bool native_too; /* of a classic histogram that was given as a native one before */
    const Exemplar *more_exemplars;
    size_t n_more_exemplars;
    bool known; /* visitor->known took the series: name and labels are not filled in */
    int line;
} PromTextSample;

typedef enum PromTextMetaKind { PROMTEXT_HELP, PROMTEXT_TYPE, PROMTEXT_UNIT } PromTextMetaKind;
typedef struct PromTextMeta {
    PromTextMetaKind kind;
    Str metric, text; /* decoded, in the input or the arena; TYPE: as written */
    MetricType type;  /* TYPE */
    int line;
} PromTextMeta;

/* Other codes than OK stop the parse and are returned. NULL functions are skipped. */
typedef struct PromTextVisitor {
    void *ctx;
    ErrCode (*sample)(void *ctx, const PromTextSample *s, Err *reterr);
    ErrCode (*meta)(void *ctx, const PromTextMeta *m, Err *reterr);
    /* Is this the raw text of a series that a parse in the same format gave before? Then its labels are not looked at.
     * (The same bytes up to the closing brace are the same series, wherever they stand.) NULL: never. */
    bool (*known)(void *ctx, Str raw);
} PromTextVisitor;

typedef struct PromTextOptions {
    PromTextFormat format;
    bool strict; /* OPENMETRICS only */
} PromTextOptions;

/* ERR_INVALID with line and column; ERR_TOO_LARGE when the arena is exhausted. What came before the error has
 * been visited: a caller that must take all or nothing collects first. */
ErrCode promtext_parse(
    Str text, const PromTextOptions *opts, const PromTextVisitor *visitor, Arena *arena, Err *reterr);

/* The decoded label set with __name__, unsorted, into out[0 .. n_labels]; le and quantile in canonical float form
 * ("1" becomes "1.0") for histograms and summaries, as Prometheus 3 stores them. false: arena exhausted. */
ATTR_MUST bool promtext_labels(const PromTextSample *s, Arena *arena, Label *out, size_t *ret_n);

/* Adds a HELP, TYPE or UNIT line to the batch's metadata (strings borrowed). false: arena exhausted. */
bool promtext_merge_meta(MetricsBatch *b, const PromTextMeta *m);

/* From a Content-Type header. Blank or unknown: *ret_known is false and the body decides (an "# EOF" line at the end
 * means OpenMetrics). */
PromTextFormat promtext_format(Str content_type, Str body, bool *ret_known);

/* Whole text into a batch; samples without a time get default_t_ms. */
ErrCode promtext_to_batch(Str text, const PromTextOptions *opts, int64_t default_t_ms, MetricsBatch *b, Err *reterr);

#endif
