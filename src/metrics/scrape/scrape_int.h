/* scrape_int.h - pools, targets and the work on one answer. */
#ifndef MEERKAT_METRICS_SCRAPE_SCRAPE_INT_H
#define MEERKAT_METRICS_SCRAPE_SCRAPE_INT_H

#include "base/heap.h"
#include "base/map.h"
#include "metrics/prom_http.h"
#include "metrics/scrape/promtext.h"
#include "metrics/scrape/scrape.h"
#include "sys/thread.h"

/* What a target exposed under one raw text: its final labels, so that parsing it again costs one hash. */
typedef struct CachedSeries {
    struct CachedSeries *next; /* which came after it in the newest scrape: a guess */
    uint64_t hash;             /* of the raw text */
    uint32_t before, seen;     /* numbers of the last scrapes that had it; 0: none */
    uint32_t label_bytes;
    bool dropped : 1;   /* by metric_relabel_configs */
    bool tracked : 1;   /* gets a stale marker when it vanishes */
    bool histogram : 1; /* a native one */
    uint8_t
        rewrites : 2; /* whether its type had a part in its labels, which one: the same text may be another series */
    char labels[];    /* as cached_labels reads them */
} CachedSeries;

typedef struct ScrapeTarget {
    _Atomic uint32_t refs;
    char *url, *unix_socket; /* owned; unix_socket may be NULL */
    Labels labels;           /* owned, one block */
    Str discovered;          /* owned; labels_encode */
    uint64_t id[2];          /* equal ids: the same target with the same settings, over reloads too */
    uint64_t place;          /* of labels and address only; Prometheus: Target.hash */
    uint64_t seed;
    int64_t interval_ms, timeout_ms, offset_ms;
    bool native, to_nhcb, classic; /* kinds of histograms, after the special labels */

    /* manager's lock */
    const PromScrapeConfig *job;
    PromConfig *config; /* keeps job alive */
    PromHttp *http;     /* the pool's; a reference */
    size_t
        over_limit; /* so many targets are more than target_limit: every scrape fails with that error, unsent; 0: no */
    int64_t due_ms;
    bool in_flight;
    ScrapeHealth health;
    char last_error[256];
    int64_t last_scrape_ms;
    double last_duration_s;
    uint64_t last_samples;

    /* whoever has the flight */
    U64Map *cache; /* raw hash -> CachedSeries* */
    CachedSeries *first;
    U64Map *exemplars; /* raw hash -> the newest one of a series; NULL: the target has none */
    uint64_t scrapes;
    uint32_t good; /* number of the last scrape, if its series live: it has not failed */
    size_t n_good; /* series of the last one that had not */
    bool warned;
} ScrapeTarget;
typedef VEC(ScrapeTarget *) ScrapeTargetVec;

void scrape_target_ref(ScrapeTarget *t);
void scrape_target_unref(ScrapeTarget *t);
/* A target that is none any more. Its series have ended when the next scrape would have been, unless it comes back,
 * perhaps with other settings: markers of that time are written when there has been time for another scrape, and only
 * into series that have nothing newer (Prometheus: endOfRunStaleness). */
typedef struct LeavingTarget {
    ScrapeTarget *target;
    int64_t end_ms, write_ms;
} LeavingTarget;
typedef VEC(LeavingTarget) LeavingVec;
/* Manager's lock: takes the pool's reference over. */
void scrape_target_retire(ScrapeTarget *t, LeavingVec *leaving);
/* A discovered label set as a target of the job. NULL: dropped; ret_discovered then is what the rules saw (encoded, on
 * the heap), *ret_why a reason other than the rules or NULL (a static text). scratch is reset. */
ScrapeTarget *scrape_target_create(
    const PromScrapeConfig *job, Labels found, Arena *scratch, Str *ret_discovered, const char **ret_why);
/* Where in its interval a target is scraped: by its place, so that it survives restarts, and by a seed of the host and
 * the external labels, so that two servers of a pair do not ask at the same moment (Prometheus: Target.offset). */
uint64_t scrape_offset_seed(Labels external);
void scrape_target_set_offset(ScrapeTarget *t, uint64_t seed);

typedef struct DroppedTarget {
    Str discovered; /* owned, encoded */
    const char *why;
} DroppedTarget;

/* A job with what discovery gives it. */
typedef struct ScrapePool {
    const PromScrapeConfig *job;
    PromConfig *config;
    HttpClient *client;
    VEC(SdSource *) sources;
    PromHttp *http;
    uint64_t seen; /* of what the sources had at the last collection */
    uint64_t offset_seed;
    /* manager's lock */
    ScrapeTargetVec targets;
    VEC(DroppedTarget) dropped;
    size_t n_dropped;
} ScrapePool;
ScrapePool *scrape_pool_create(const PromScrapeConfig *job, PromConfig *config, SdManager *sd, HttpClient *client);
/* Its targets must have been taken off. */
void scrape_pool_free(ScrapePool *p);
/* All targets the sources know now: fresh objects, each once. */
typedef struct ScrapeSync {
    ScrapeTargetVec targets;
    VEC(DroppedTarget) dropped;
    size_t n_dropped;
    bool partial; /* a source has not answered yet: what is in force stays */
} ScrapeSync;
bool scrape_pool_has_news(const ScrapePool *p);
void scrape_pool_collect(ScrapePool *p, ScrapeSync *ret);
/* Manager's lock: puts the fresh targets in force. Those that stay keep their object, those whose settings have changed
 * their place in time; those that go are added to leaving. */
void scrape_pool_exchange(ScrapePool *p, ScrapeSync *fresh, ScrapeTargetVec *old, int64_t now_ms, LeavingVec *leaving);
void scrape_sync_done(ScrapeSync *s);

typedef struct ScrapeStats {
    _Atomic uint64_t scrapes, failed, duplicates, out_of_order, limit_hits, body_limit_hits, syncs, reloads, skipped;
} ScrapeStats;

struct ScrapeManager {
    ScrapeManagerOptions opts;
    MetricsStore *store;
    HttpClient *client;
    SdManager *sd;
    Pool *workers;
    Thread *timer, *syncer;
    struct ScrapeLog *log;
    Mutex lock;
    Cond changed;
    Mutex apply_lock; /* one configuration or sync at a time */
    bool dirty;
    _Atomic bool stop; /* set under the lock */
    size_t flights;
    VEC(ScrapePool *) pools;
    Heap due; /* targets by due_ms */
    LeavingVec leaving;
    size_t told_short; /* number of targets for which short_of_files was called last */
    ScrapeStats stats;
};
int64_t scrape_next_due(const ScrapeTarget *t, int64_t after_ms);
void scrape_timer_main(void *manager);

/* One answer. body is the decoded text; code/error say when there was none. */
typedef struct ScrapeAnswer {
    ErrCode code;
    char error[256];
    int status;
    char status_text[64]; /* as the target said it; empty: it did not */
    Str body, content_type;
    int64_t t_ms; /* timestamp of the samples */
    double duration_s;
} ScrapeAnswer;
typedef struct ScrapeOutcome {
    bool up, over_body_limit;
    char error[256], warning[128];
    uint64_t scraped, kept, added, duplicates, too_old; /* or too new */
} ScrapeOutcome;
#define SCRAPE_BODY_LIMIT "body size limit exceeded"
/* Why no answer came, in Prometheus' words where curl's differ (scrape_error.c). */
void scrape_put_error(const HttpClientResponse *res, const char *url, char *out, size_t size);
/* The labels of a series the target has not had before, in the arena. Its strings may be the sample's. */
ErrCode scrape_labels(const ScrapeTarget *t, const PromScrapeConfig *job, const PromTextSample *sample, Arena *arena,
    Labels *ret, bool *ret_dropped, Err *reterr);
/* Is it one a store takes, and not one the series had in an earlier scrape? Then it is its newest now. series: hash of
 * the raw text. */
bool scrape_exemplar_is_news(ScrapeTarget *t, uint64_t series, const Exemplar *e, bool has_t);
/* In the order in which the ones of a series are to be asked about. */
void scrape_exemplars_sort(Exemplar *v, size_t n);
void scrape_exemplar_forget(ScrapeTarget *t, uint64_t series);
void scrape_exemplars_forget_all(ScrapeTarget *t);
/* Parses, relabels, appends samples, stale markers and the report series. Only by who has the flight. created: the
 * _created lines of OpenMetrics are start times. */
void scrape_take(ScrapeTarget *t, const PromScrapeConfig *job, MetricsStore *store, bool created,
    const ScrapeAnswer *answer, ScrapeOutcome *ret);
/* Stale markers for everything the targets had, their report series included. */
void scrape_end(const LeavingTarget *v, size_t n, MetricsStore *store);

/* "Accept: ..." of the job's protocols. starts: protobuf comes first where none are configured: it has start times. */
void scrape_put_accept(Buf *b, const PromScrapeShared *s, bool starts);
typedef enum ScrapeFormat { FORMAT_TEXT, FORMAT_OPENMETRICS, FORMAT_PROTO } ScrapeFormat;
/* From the Content-Type; else the fallback; else the body (then *ret_guessed). */
ScrapeFormat scrape_format(Str content_type, ScrapeProtocol fallback, Str body, bool *ret_guessed);

/* scrape_failure_log_file: one JSON object per failed scrape. */
typedef struct ScrapeLog ScrapeLog;
ScrapeLog *scrape_log_create(void);
ScrapeLog *scrape_log_free(ScrapeLog *l);
void scrape_log_put(ScrapeLog *l, Str file, Str job, const char *url, const char *error);
/* The files are opened afresh at the next line (rotation). */
void scrape_log_reopen(ScrapeLog *l);

#endif
