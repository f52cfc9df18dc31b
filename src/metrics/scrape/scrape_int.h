/* scrape_int.h - targets and the work on one answer. */
#ifndef MEERKAT_METRICS_SCRAPE_SCRAPE_INT_H
#define MEERKAT_METRICS_SCRAPE_SCRAPE_INT_H

#include "base/map.h"
#include "metrics/scrape/promtext.h"
#include "metrics/scrape/scrape.h"
#include "sys/thread.h"

/* The configuration is shared by the targets made from it. */
typedef struct ScrapeConfigRef {
    _Atomic uint32_t refs;
    PromConfig *config;
} ScrapeConfigRef;
ScrapeConfigRef *scrape_config_ref(ScrapeConfigRef *c);
void scrape_config_unref(ScrapeConfigRef *c);

/* What a target exposed under one raw text: its final labels, so that parsing it again costs one hash. */
typedef struct CachedSeries {
    uint64_t born, seen; /* number of the scrape that had it first, last */
    bool dropped;        /* by metric_relabel_configs */
    bool tracked;        /* gets a stale marker when it vanishes */
    uint32_t n;
    char bytes[]; /* labels_encode */
} CachedSeries;

typedef struct ScrapeTarget {
    _Atomic uint32_t refs;
    Arena *arena; /* of the strings here */
    Str url, key; /* key: identity over reloads */
    Labels labels, discovered;
    bool dropped;
    bool over_limit; /* target_limit: every scrape fails with that error, unsent */
    uint64_t seed;
    int64_t interval_ms, timeout_ms, offset_ms;

    /* manager's lock */
    const PromScrapeConfig *job;
    ScrapeConfigRef *config;
    size_t order; /* job's place in the file */
    int64_t due_ms;
    bool in_flight, removed;
    ScrapeHealth health;
    char last_error[256];
    int64_t last_scrape_ms;
    double last_duration_s;
    uint64_t last_samples;

    /* whoever has the flight */
    U64Map *cache; /* raw hash -> CachedSeries* */
    uint64_t scrapes;
} ScrapeTarget;

void scrape_target_unref(ScrapeTarget *t);
/* All targets of a job, dropped ones too, appended to out. Problems (no address) make a target dropped. */
typedef VEC(ScrapeTarget *) ScrapeTargetVec;
void scrape_targets_build(const PromScrapeConfig *job, ScrapeConfigRef *config, ScrapeTargetVec *out);

/* One answer. body is the decoded text; code/error say when there was none. */
typedef struct ScrapeAnswer {
    ErrCode code;
    char error[256];
    int status;
    Str body, content_type;
    int64_t t_ms; /* timestamp of the samples */
    double duration_s;
} ScrapeAnswer;
typedef struct ScrapeOutcome {
    bool up;
    char error[256];
    uint64_t scraped, kept, added;
} ScrapeOutcome;
/* Parses, relabels, appends samples, stale markers and the report series. Only by who has the flight. */
void scrape_take(
    ScrapeTarget *t, const PromScrapeConfig *job, MetricsStore *store, const ScrapeAnswer *answer, ScrapeOutcome *ret);
/* Stale markers for everything the target had, its report series included. */
void scrape_end(ScrapeTarget *t, MetricsStore *store, int64_t t_ms);

#endif
