/* otlp_metrics_int.h - state shared by the files that turn OTLP data points into series. */
#ifndef MEERKAT_COLLECT_OTLP_METRICS_INT_H
#define MEERKAT_COLLECT_OTLP_METRICS_INT_H

#include "collect/otlp_deltas.h"
#include "collect/otlp_int.h"
#include "collect/otlp_names.h"

typedef enum OtlpKind { OTLP_NONE, OTLP_GAUGE, OTLP_SUM, OTLP_HISTOGRAM, OTLP_EXP_HISTOGRAM, OTLP_SUMMARY } OtlpKind;

/* Labels are sorted and compared pairwise; a point with more is refused. */
#define OTLP_POINT_ATTRS_MAX 256

/* What a metric's name gets at its end. */
typedef enum OtlpSuffix { OTLP_AS_IS, OTLP_BUCKET, OTLP_TOTAL_SUM, OTLP_COUNT, OTLP_SUFFIXES } OtlpSuffix;

typedef struct OtlpMetric {
    Str name, unit, description;
    Str prom_name;                   /* translated */
    Str series_names[OTLP_SUFFIXES]; /* with suffix; made when first needed */
    OtlpKind kind;
    bool is_delta, is_monotonic;
    uint64_t temporality;
    MetricType type;
    Str data; /* bytes of the Gauge, Sum... message */
} OtlpMetric;

typedef struct MetricDecoder {
    OtlpReader r;
    AttrPool wire; /* attributes as they came */
    MetricsBatch *batch;
    OtlpDeltas *deltas;
    int64_t now_ms;
    const OtlpMetricOptions *options;
    Str job, instance; /* of the resource at hand; may be empty */
    Labels promoted;   /* of its attributes; sorted */
    Labels scope;      /* otel_scope_* of the scope at hand; sorted */
    const char *resource_problem, *scope_problem;
    Resource resource;
    bool resource_has_points;
    bool told;                  /* of the metric at hand */
    int64_t min_t_ms, max_t_ms; /* of the resource's points */
    OtlpMetric metric;
    /* Texts of the bucket bounds seen last: the points of a metric share them. */
    AVEC(double) bounds;
    AVEC(Str) bound_texts;
} MetricDecoder;

/* One data point after its common fields: labels without __name__, sorted. */
typedef struct OtlpPoint {
    Label *labels;
    size_t n_labels;
    size_t name_at; /* where __name__ goes */
    uint64_t hash;  /* of the labels, with the process' seed */
    Str extra;      /* name of the extra label seen last, its place, and whether it takes that label's place */
    size_t extra_at;
    bool extra_replaces;
    size_t wire_first;                    /* its attributes in d->wire */
    int64_t t_ms, start_ms;               /* start: when it began to count, 0: not known */
    bool no_value;                        /* flag NO_RECORDED_VALUE */
    uint32_t first_exemplar, n_exemplars; /* in d->batch->exemplars */
} OtlpPoint;

/* The decoders of one data point message each. */
bool otlp_number_point(MetricDecoder *d, Str message);
bool otlp_histogram_point(MetricDecoder *d, Str message);
bool otlp_exp_histogram_point(MetricDecoder *d, Str message);
bool otlp_summary_point(MetricDecoder *d, Str message);

/* start_time_unix_nano: 0, not known, when beyond the year 2262. */
static inline int64_t otlp_start_ms(const ProtoField *f) { return MAX(proto_i64(f), 0) / 1000000; }
/* Exemplar message into the batch; a malformed one is left out. */
bool otlp_exemplar(MetricDecoder *d, Str message);
/* Turns the wire attributes from wire_first on into p->labels (with job and instance) and sets the time. */
bool otlp_point_labels(MetricDecoder *d, OtlpPoint *p, int64_t time_ns);
/* Attributes with names made from prefix + key: sorted, unique, without empty values; the last of those that share a
 * name stays. A bad name is a problem. */
bool otlp_promote(MetricDecoder *d, const Attr *attrs, size_t n, Str prefix, Labels *ret);
/* The series `prom_name + suffix` {labels, extra} and the hash it is found by; extra.name empty: none. */
bool otlp_series_labels(
    MetricDecoder *d, OtlpPoint *p, OtlpSuffix suffix, Label extra, Labels *ret, uint64_t *ret_raw_hash);
/* Adds the sample, summed up when the metric is a delta. Exemplars first..first+n go with it. */
/* The same for a native histogram; exemplars are those of p. One that makes no sense is a problem. */
bool otlp_emit_histogram(MetricDecoder *d, OtlpPoint *p, const Histogram *h);
bool otlp_emit(MetricDecoder *d, OtlpPoint *p, OtlpSuffix suffix, Label extra, double value, uint32_t first_exemplar,
    uint32_t n_exemplars);

#endif
