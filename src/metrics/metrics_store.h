/* metrics_store.h - the interface of a store for samples. The embedded engine is the default
 * implementation; engines and APIs see only this. All calls are thread-safe.
 *
 * Results point into the store's memory as well as into the request's arena; the arena keeps that memory alive until
 * it is reset or freed, which must happen before close. */
#ifndef MEERKAT_METRICS_METRICS_STORE_H
#define MEERKAT_METRICS_METRICS_STORE_H

#include "base/map.h"
#include "model/metrics_batch.h"
#include "sys/fs.h"

typedef struct MetricsStore MetricsStore;
typedef struct SeriesSet SeriesSet;

typedef struct MetricsAppendResult {
    uint64_t samples, histograms, exemplars; /* stored */
    uint64_t duplicates;                     /* same time and same bits: ignored, not an error */
    uint64_t conflicts;                      /* same time, other value (or a histogram and a float): not stored */
    uint64_t quiet; /* of them, with MetricsBatch.complaints: with a sample of the same append, or at a time that
                     * is not the newest of the series. Prometheus passes over these without a word; the others
                     * are an error (duplicate sample for timestamp) */
    uint64_t samples_taken, histograms_taken; /* stored, duplicates and quiet conflicts */
    uint64_t too_old;                         /* before the retention */
    uint64_t too_new;                         /* after MetricsBatch.not_after_ms */
    uint64_t invalid; /* series left out because their labels (MetricsBatch.read_labels) are none */
    uint64_t limited; /* samples of new series that a limit refused */
    uint64_t new_series;
    char first_error[256]; /* of the refused ones, with the series; empty when none */
} MetricsAppendResult;

/* What a series_set reader may give in place of all samples of a block: one of them, at the time of the last, when no
 * cut lies among them. Cuts are first[k] + i * step for i below n: a cut parts samples up to it from later ones. */
typedef struct MetricsDigest {
    enum { DIGEST_NONE, DIGEST_MIN, DIGEST_MAX, DIGEST_FIRST, DIGEST_LAST } kind;
    int64_t first_ms[2], step_ms;
    size_t n;
} MetricsDigest;

typedef struct MetricsSelect {
    Matchers matchers;
    int64_t min_t_ms, max_t_ms; /* inclusive */
    Arena *arena;               /* results live here; its budget bounds the query: ERR_TOO_LARGE */
    uint64_t samples_max;       /* 0: no limit; beyond it ERR_UNPROCESSABLE with Prometheus' text */
    const _Atomic bool *cancel; /* may be NULL; set by a deadline or a vanished client: ERR_CANCELLED */
    MetricsDigest digest;       /* for open only */
    bool starts;                /* start times are wanted */
    bool no_values;             /* for open only: nobody looks at the values of floats that are no stale markers */
    bool any_order;             /* for open only: series need not be sorted */
    struct View **view;         /* for select and open: not NULL: the same moment for all that name it, NULL at first,
                                 * which live as long as the arena of the first of them */
} MetricsSelect;

/* One series' samples in [min_t, max_t], ascending in time, floats and histograms apart. */
typedef struct SeriesColumn {
    Labels labels;
    size_t n;
    const int64_t *t_ms;
    const double *value; /* stale markers included, bit-exact */
    size_t n_histograms;
    const int64_t *histogram_t_ms;
    const Histogram *histograms;
    /* When each began to count (Prometheus: start timestamp), 0: not known. NULL: none is known, or none was wanted. */
    const int64_t *start_ms, *histogram_start_ms;
    uint64_t times_id; /* not 0: columns of one reader with the same id have the same t_ms, value for value */
    bool fresh;        /* it is known that value has no stale markers; value is NULL if nobody wants it */
    bool rising;       /* it is known that no value is less than the one before */
} SeriesColumn;

typedef struct SeriesColumns {
    SeriesColumn *v;
    size_t n;
} SeriesColumns;

/* What an append has taken, for those who pass samples on. */
typedef struct MetricsTaken {
    const MetricsBatch *batch;
    const uint32_t *series;     /* per series of the batch; METRICS_NOT_TAKEN: refused as a whole */
    int64_t min_t_ms, max_t_ms; /* samples before, after them are not taken */
    const U64Map *conflicts; /* indices of samples, and of histograms with METRICS_CONFLICT_HISTOGRAM set, that are not
                              * taken; NULL: all are */
} MetricsTaken;
#define METRICS_NOT_TAKEN UINT32_MAX
#define METRICS_CONFLICT_HISTOGRAM (UINT64_C(1) << 32)
/* Called by the thread that appends, after the samples are durable and before append returns; another code than OK
 * becomes that of the append, whose sender will then repeat it. Repeated samples are handed out again. */
typedef ErrCode (*MetricsTapFn)(void *ctx, const MetricsTaken *taken, Err *reterr);

/* The end of an append that nobody waited for; code as append's. Must be quick: it runs on the log's writer thread. */
typedef void (*MetricsDoneFn)(void *ctx, ErrCode code);

/* Why new series are refused. */
typedef enum MetricsRefusal {
    METRICS_REFUSED_TOTAL,  /* too many series in all */
    METRICS_REFUSED_METRIC, /* ... of one metric */
    METRICS_REFUSED_LABELS, /* too many labels, or too long ones */
    METRICS_REFUSAL_COUNT
} MetricsRefusal;

typedef struct MetricsRefused {
    Str metric;
    uint64_t refused; /* attempts, not series */
    int64_t first_ms, last_ms;
    MetricsRefusal why; /* the last time */
} MetricsRefused;

/* One immutable piece of the store on disk. */
typedef struct MetricsPartInfo {
    uint64_t id, samples, size_bytes;
    uint32_t series, level;     /* level 0: from the head; merges add one */
    int64_t min_t_ms, max_t_ms; /* inclusive */
} MetricsPartInfo;

typedef struct MetricsStoreStats {
    uint64_t series_active, samples_total, head_samples, parts, bytes_on_disk, wal_bytes, memory_bytes;
    uint64_t corrupt_parts, wal_corrupt_frames, wal_torn_bytes, out_of_order;
    const char *wal_problem; /* the first: file and place; lives as long as the store, "": none */
    uint64_t rules_parts_rewritten, rules_samples_dropped; /* what MetricsRules have done since the start */
    int64_t min_t_ms, max_t_ms;
    uint64_t series_refused[METRICS_REFUSAL_COUNT];
} MetricsStoreStats;

/* How long the series of a selector are kept: the first rule that matches counts, else the store's retention. Shorter
 * and longer than that are both fine. */
typedef struct MetricsKeepRule {
    Matchers matchers;
    int64_t keep_ms;
} MetricsKeepRule;

/* Of samples older than after_ms, the last one of every resolution_ms (intervals begin at multiples of it since the
 * epoch) stays; of counters (by the name's ending: _total, _count, _sum, _bucket) and native histograms also those on
 * both sides of each reset and each change of the start time, so that increases are not lost. All rules that match are
 * applied. */
typedef struct MetricsDownsampleRule {
    Matchers matchers;
    int64_t after_ms, resolution_ms;
} MetricsDownsampleRule;

typedef struct MetricsRules {
    const MetricsKeepRule *keep;
    size_t n_keep;
    const MetricsDownsampleRule *downsample;
    size_t n_downsample;
} MetricsRules;

/* So many series have this label; told more than once, the numbers add up. Strings live as long as the request's arena.
 */
typedef void (*MetricsCountFn)(void *ctx, Str name, Str value, uint64_t series);

/* The column lives until the function returns; false stops. */
typedef bool (*MetricsVisitFn)(void *ctx, const SeriesColumn *series);

typedef struct MetricsStoreOps {
    /* Returns when durable and visible. ERR_OVERLOADED: retry later. Refused samples are counted, not an error. */
    ErrCode (*append)(MetricsStore *s, const MetricsBatch *batch, MetricsAppendResult *ret, Err *reterr);
    /* Series that match and have samples in the range, sorted by labels. */
    ErrCode (*select)(MetricsStore *s, const MetricsSelect *req, SeriesColumns *ret, Err *reterr);
    /* Label sets only. limit 0: none. */
    ErrCode (*series)(
        MetricsStore *s, const MetricsSelect *req, size_t limit, Labels **ret, size_t *ret_n, Err *reterr);
    /* Sorted, unique; matchers may be empty (all series). */
    ErrCode (*label_names)(
        MetricsStore *s, const MetricsSelect *req, size_t limit, Str **ret, size_t *ret_n, Err *reterr);
    ErrCode (*label_values)(
        MetricsStore *s, const MetricsSelect *req, Str name, size_t limit, Str **ret, size_t *ret_n, Err *reterr);
    /* metric empty: all. */
    ErrCode (*metadata)(MetricsStore *s, Str metric, Arena *arena, MetricMetadata **ret, size_t *ret_n, Err *reterr);
    ErrCode (*exemplars)(
        MetricsStore *s, const MetricsSelect *req, Labels **ret_series, Exemplar **ret, size_t *ret_n, Err *reterr);
    /* As select, but hands out one series after the other, whose samples need not fit into memory together (export,
     * dump). The labels of all of them are in the request's arena. skip_head: only what is in parts. */
    ErrCode (*visit)(
        MetricsStore *s, const MetricsSelect *req, bool skip_head, MetricsVisitFn fn, void *ctx, Err *reterr);
    ErrCode (*delete_series)(MetricsStore *s, const MetricsSelect *req, uint64_t *ret_deleted, Err *reterr);
    /* Rewrites every part that still holds deleted samples; returns when they are gone from the disk. */
    ErrCode (*clean_tombstones)(MetricsStore *s, Err *reterr);
    /* Replaces the rules (copied). They are applied in the background, also to parts that have been merged long ago. */
    ErrCode (*set_rules)(MetricsStore *s, const MetricsRules *rules, Err *reterr);
    void (*stats)(MetricsStore *s, MetricsStoreStats *ret);
    ErrCode (*flush)(MetricsStore *s, Err *reterr); /* head to parts now (tests, shutdown, backup) */
    void (*close)(MetricsStore *s);
    /* append reads labels itself where it needs them (MetricsBatch.read_labels). A wrapper that looks at the labels
     * of batches leaves it false and gets them all. */
    bool takes_wire_labels;
    /* What is on disk, oldest first; may be NULL. false: the arena is used up. */
    bool (*parts)(MetricsStore *s, Arena *arena, MetricsPartInfo **ret, size_t *ret_n);
    /* Metrics whose new series limits have refused, most first; may be NULL. false: the arena is used up. */
    bool (*refused)(MetricsStore *s, Arena *arena, MetricsRefused **ret, size_t *ret_n);
    /* select in two steps (series_set.h): the series now, samples later, one series at a time and
     * from several threads. Series without samples in the range may be among them. NULL: made out of select. */
    ErrCode (*open)(MetricsStore *s, const MetricsSelect *req, SeriesSet **ret, Err *reterr);
    /* How many series match, in all and with each label. NULL: made out of series. */
    ErrCode (*count)(
        MetricsStore *s, const MetricsSelect *req, MetricsCountFn fn, void *ctx, uint64_t *ret_series, Err *reterr);
    /* Sets who is told of appends; before the first of them, or with fn NULL after the last. wanted (NULL: always):
     * while it is 0, nobody needs to be told. May be NULL. */
    void (*set_tap)(MetricsStore *s, MetricsTapFn fn, const _Atomic unsigned *wanted, void *ctx);
    /* As append, but returns at once: true, done(ctx, code) will be called by another thread, perhaps before this
     * returns; batch, its arena, ret and reterr are borrowed until then. false: nothing was done, because something
     * would have to be waited for, or made first (series that are new): append does it. May be NULL. */
    bool (*append_soon)(MetricsStore *s, const MetricsBatch *batch, MetricsAppendResult *ret, Err *reterr,
        MetricsDoneFn done, void *ctx);
} MetricsStoreOps;

struct MetricsStore {
    const MetricsStoreOps *ops;
};

/* For series that are new; 0: no limit. */
typedef struct MetricsLimits {
    uint64_t series_max, series_per_metric_max; /* active: in the head */
    uint64_t labels_max, name_bytes_max, value_bytes_max;
} MetricsLimits;

typedef struct MetricsStoreOptions {
    bool durable;             /* fsync before the acknowledgement */
    int64_t retention_ms;     /* 0: 15 days */
    uint64_t retention_bytes; /* 0: no limit */
    size_t head_bytes_max;    /* 0: 128 MiB; beyond it the head is flushed early */
    int64_t partition_ms;     /* 0: 2 h time partitions */
    MetricsRules rules;       /* copied */
    bool no_maintenance;      /* for looking into a store: nothing is merged, thinned or expired */
    MetricsLimits limits;
    bool zero_starts; /* a sample of 0 is put where a counter or histogram began (store_zero.h) */
} MetricsStoreOptions;

/* The embedded engine, in directory dir. */
ErrCode metrics_store_open(Fs *fs, const char *dir, const MetricsStoreOptions *opts, MetricsStore **ret, Err *reterr);

#endif
