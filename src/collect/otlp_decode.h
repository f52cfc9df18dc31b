/* otlp_decode.h - OTLP requests straight into model batches: one pass over the protobuf, no tree.
 *
 * OTLP/JSON is first rewritten as protobuf (otlp_json.h), so that both encodings have one meaning. A batch's
 * strings are slices of the request, which must outlive it. A malformed request is ERR_INVALID, one that does not
 * fit the arena's budget ERR_TOO_LARGE; then nothing of it may be stored. A record that is well-formed but not
 * acceptable (bad ids, invalid UTF-8, impossible buckets) is counted in OtlpRejects and the rest is taken: that is
 * OTLP's partial success. Source: opentelemetry-proto v1.11, OTLP specification 1.11. */
#ifndef MEERKAT_COLLECT_OTLP_DECODE_H
#define MEERKAT_COLLECT_OTLP_DECODE_H

#include "base/err.h"
#include "model/logs_batch.h"
#include "model/metrics_batch.h"
#include "model/spans_batch.h"

typedef struct OtlpRejects {
    uint64_t accepted; /* spans, data points or log records in the batch */
    uint64_t count;    /* those that were refused */
    char message[256]; /* the first reason */
    Buf *all; /* not NULL: the first reason of every metric, a line each, and what else is wrong; up to 64 KiB */
} OtlpRejects;

/* ExportTraceServiceRequest. */
ErrCode otlp_decode_traces(Str proto, SpansBatch *batch, OtlpRejects *rejects, Err *reterr);

/* ExportLogsServiceRequest, mapped to streams as Loki does: 18 resource attributes become stream labels, all else
 * structured metadata, the body the line. now_ns stands in where a record has no time. */
ErrCode otlp_decode_logs(Str proto, int64_t now_ns, LogsBatch *batch, OtlpRejects *rejects, Err *reterr);

/* Running sums of delta points, so that they can be kept as Prometheus keeps counters. Thread-safe; at most
 * `series_max` series are remembered (0: 200,000), and a sixteenth as many exponential histograms; the longest unseen
 * ones are forgotten first. */
typedef struct OtlpDeltas OtlpDeltas;
OtlpDeltas *otlp_deltas_create(size_t series_max);
OtlpDeltas *otlp_deltas_free(OtlpDeltas *d);
size_t otlp_deltas_count(OtlpDeltas *d);

/* Prometheus' translation_strategy. */
typedef enum OtlpTranslationKind {
    OTLP_ESCAPED_WITH_SUFFIXES,
    OTLP_ESCAPED_WITHOUT_SUFFIXES,
    OTLP_UTF8_WITH_SUFFIXES,
    OTLP_AS_IT_IS
} OtlpTranslationKind;
/* Prometheus' section otlp. Zero is its default. */
typedef struct OtlpMetricOptions {
    OtlpTranslationKind translation;
    bool promote_all; /* all resource attributes but `attributes` become labels of every series, else these alone */
    const Str *attributes;
    size_t n_attributes;
    bool keep_identifying;                      /* service.name and such stay on target_info */
    bool histograms_to_nhcb;                    /* explicit histograms become native ones with custom buckets */
    bool promote_scope;                         /* otel_scope_* labels on every series */
    bool no_label_prefix, collapse_underscores; /* of label names */
} OtlpMetricOptions;

/* ExportMetricsServiceRequest, mapped to series as Prometheus does, with target_info; delta temporality is summed up
 * through deltas. options NULL: the defaults; borrowed. */
ErrCode otlp_decode_metrics(Str proto, int64_t now_ms, const OtlpMetricOptions *options, OtlpDeltas *deltas,
    MetricsBatch *batch, OtlpRejects *rejects, Err *reterr);

#endif
