/* metrics_batch.h - what scrapes, OTLP and remote write hand to a metrics store: series with samples. */
#ifndef MEERKAT_MODEL_METRICS_BATCH_H
#define MEERKAT_MODEL_METRICS_BATCH_H

#include "base/vec.h"
#include "model/histogram.h"
#include "model/labels.h"

/* Prometheus' stale marker: exactly these bits; every other NaN is an ordinary value. */
#define STALE_NAN_BITS UINT64_C(0x7ff0000000000002)
#define NORMAL_NAN_BITS UINT64_C(0x7ff8000000000001)
static inline double stale_nan(void) {
    uint64_t b = STALE_NAN_BITS;
    double d;
    memcpy(&d, &b, 8);
    return d;
}
/* Whether one of n values is the stale marker. */
bool stale_nan_among(const double *v, size_t n);
static inline bool is_stale_nan(double d) {
    uint64_t b;
    memcpy(&b, &d, 8);
    return b == STALE_NAN_BITS;
}

typedef enum MetricType {
    METRIC_UNKNOWN,
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM,
    METRIC_GAUGE_HISTOGRAM,
    METRIC_SUMMARY,
    METRIC_INFO,
    METRIC_STATESET
} MetricType;
const char *metric_type_name(MetricType t); /* "counter", "gaugehistogram", ... "unknown" */

typedef struct Exemplar {
    Labels labels;
    double value;
    int64_t t_ms;
} Exemplar;

/* Longest label set of an exemplar: names and values, in characters (OpenMetrics 1.0, "Exemplars"). */
#define EXEMPLAR_LENGTH_MAX 128
size_t exemplar_length(const Exemplar *e);

typedef struct BatchSeries {
    Labels labels;                          /* sorted, unique, includes __name__; .v == NULL: see read_labels */
    uint64_t raw_hash;                      /* hash of the label bytes as they came, 0: not computed */
    Str wire;                               /* those bytes, while labels.v == NULL */
    uint32_t first_sample, n_samples;       /* into t_ms / value */
    uint32_t first_histogram, n_histograms; /* into histogram_t_ms / histograms */
    uint32_t first_exemplar, n_exemplars;
} BatchSeries;

typedef struct MetricMetadata {
    Str metric;
    MetricType type;
    Str help, unit;
} MetricMetadata;

/* Why something of a request was not taken, in Prometheus' words. */
typedef enum MetricsComplaintStage { COMPLAINT_LABELS, COMPLAINT_STORE, COMPLAINT_PART } MetricsComplaintStage;
typedef struct MetricsComplaint {
    uint32_t series;             /* of the batch; COMPLAINT_LABELS: or one before it that is not in the batch */
    MetricsComplaintStage stage; /* of one series the store's come before those of a part that could not be read */
    uint32_t number;             /* used by metrics_complaints_sort */
    Str text, labels;            /* labels: of the series as Prometheus writes them, empty: they are in the text */
} MetricsComplaint;
typedef struct MetricsComplaints {
    AVEC(MetricsComplaint) list;
    uint64_t left_out; /* further ones */
} MetricsComplaints;
#define METRICS_COMPLAINTS_MAX 1000

/* Arrays live in `arena`. Samples of a series lie together; times need not be sorted. */
typedef struct MetricsBatch {
    Arena *arena;
    /* Only in batches for stores that take them (MetricsStoreOps.takes_wire_labels): the labels of some series are
     * still the bytes that came (labels.v == NULL, raw_hash set). A store that knows the hash has seen these very
     * bytes and needs no more; for others this makes the labels, in the arena. ERR_UNPROCESSABLE: they are no label
     * set, the series is to be left out; whatever else fails the whole batch. */
    ErrCode (*read_labels)(void *ctx, BatchSeries *series, Err *reterr);
    void *read_ctx;
    AVEC(BatchSeries) series;
    AVEC(int64_t) t_ms;
    AVEC(double) value; /* same length as t_ms */
    AVEC(int64_t) histogram_t_ms;
    AVEC(Histogram) histograms;
    /* When each sample and histogram began to count (Prometheus: start timestamp), 0: not known. Shorter than the
     * others, or empty: not known from there on; for the samples of one series there are all or none. */
    AVEC(int64_t) start_ms, histogram_start_ms;
    AVEC(Exemplar) exemplars;
    AVEC(MetricMetadata) metadata;
    /* Series that have something at the time of a sample of theirs here, or later, are left out and counted nowhere
     * (Prometheus: DiscardOutOfOrder): markers of an end that may not have been one. */
    bool newest_only;
    /* Nobody is kept waiting: the append may take some 20 ms, to share a sync with others (scrapes). */
    bool patient;
    /* Samples later than this are refused; 0: none are. What strangers send gets now + METRICS_AHEAD_MAX_MS. */
    int64_t not_after_ms;
    /* Not NULL: whoever refuses something adds why (metrics_batch_complain), and the store tells conflicts that are an
     * error to Prometheus from those it passes over (MetricsAppendResult.quiet). */
    MetricsComplaints *complaints;
} MetricsBatch;

/* How far ahead of our clock a sender's may be (Prometheus: maxAheadTime). */
#define METRICS_AHEAD_MAX_MS (INT64_C(10) * 60 * 1000)

/* Convenience for one sample; false when the arena's budget is used up. labels are borrowed. */
bool metrics_batch_add(MetricsBatch *b, Labels labels, int64_t t_ms, double value);
/* Start times of the sample, the histogram that was pushed last; those of a series have to be told for all of them.
 * false: the arena's budget is used up. */
bool metrics_batch_set_start(MetricsBatch *b, int64_t start_ms);
bool metrics_batch_set_histogram_start(MetricsBatch *b, int64_t start_ms);
/* After samples or histograms at the end have been taken back. */
void metrics_batch_trim_starts(MetricsBatch *b);
/* Of n samples, histograms from `first` on, all of one series; NULL: none is known. */
const int64_t *metrics_batch_starts(const MetricsBatch *b, size_t first, size_t n);
const int64_t *metrics_batch_histogram_starts(const MetricsBatch *b, size_t first, size_t n);
/* Texts are copied into the batch's arena; nothing happens when nobody wants complaints. */
void metrics_batch_complain(
    const MetricsBatch *b, uint32_t series, MetricsComplaintStage stage, Str text, const Labels *labels);
/* In the order of the request. */
void metrics_complaints_sort(MetricsComplaints *c);
/* One sample of a metric of our own, with its type. Pairs: label name, value, ..., NULL; at most 11; empty values are
 * no labels. All strings are borrowed. Beyond the budget it is left out. A family is described once; x_bucket, x_sum
 * and x_count of a histogram or summary are the family x. */
void metrics_batch_emit(MetricsBatch *b, int64_t t_ms, MetricType type, const char *name, double value, ...)
    __attribute__((sentinel));

#endif
