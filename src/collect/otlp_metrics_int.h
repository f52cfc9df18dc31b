/* otlp_metrics_int.h - state shared by the files that turn OTLP data points into series. */
#ifndef MEERKAT_COLLECT_OTLP_METRICS_INT_H
#define MEERKAT_COLLECT_OTLP_METRICS_INT_H

#include "collect/otlp_deltas.h"
#include "collect/otlp_int.h"
#include "collect/otlp_names.h"

typedef enum OtlpKind { OTLP_NONE, OTLP_GAUGE, OTLP_SUM, OTLP_HISTOGRAM, OTLP_EXP_HISTOGRAM, OTLP_SUMMARY } OtlpKind;

typedef struct OtlpMetric {
    Str name, unit, description;
    Str prom_name; /* translated */
    OtlpKind kind;
    bool is_delta, is_monotonic;
    MetricType type;
    Str data; /* bytes of the Gauge, Sum... message */
} OtlpMetric;

typedef struct MetricDecoder {
    OtlpReader r;
    AttrPool wire; /* attributes as they came */
    MetricsBatch *batch;
    OtlpDeltas *deltas;
    int64_t now_ms;
    Str job, instance; /* of the resource at hand; may be empty */
    Resource resource;
    bool resource_has_points;
    int64_t min_t_ms, max_t_ms; /* of the resource's points */
    OtlpMetric metric;
} MetricDecoder;

/* One data point after its common fields: labels without __name__, sorted. */
typedef struct OtlpPoint {
    Label *labels;
    size_t n_labels;
    size_t wire_first; /* its attributes in d->wire */
    int64_t t_ms;
    bool no_value;                        /* flag NO_RECORDED_VALUE */
    uint32_t first_exemplar, n_exemplars; /* in d->batch->exemplars */
} OtlpPoint;

/* The decoders of one data point message each. */
bool otlp_number_point(MetricDecoder *d, Str message);
bool otlp_histogram_point(MetricDecoder *d, Str message);
bool otlp_exp_histogram_point(MetricDecoder *d, Str message);
bool otlp_summary_point(MetricDecoder *d, Str message);

/* Exemplar message into the batch; a malformed one is left out. */
bool otlp_exemplar(MetricDecoder *d, Str message);
/* Turns the wire attributes from wire_first on into p->labels (with job and instance) and sets the time. */
bool otlp_point_labels(MetricDecoder *d, OtlpPoint *p, int64_t time_ns);
/* The series `prom_name + suffix` {labels, extra}; extra.name empty: none. */
bool otlp_series_labels(MetricDecoder *d, const OtlpPoint *p, const char *suffix, Label extra, Labels *ret);
/* Adds the sample, summed up when the metric is a delta. Exemplars first..first+n go with it. */
bool otlp_emit(MetricDecoder *d, const OtlpPoint *p, const char *suffix, Label extra, double value,
    uint32_t first_exemplar, uint32_t n_exemplars);

#endif
