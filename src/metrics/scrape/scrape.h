/* scrape.h - fetches the targets of prometheus.yml on their schedule and appends what they expose.
 *
 * Jobs get their targets from service discovery (sd/sd.h). One timer thread starts requests on the HTTP client (many in
 * flight, never two for one target), a small pool parses and appends. A target's requests are spread over its interval
 * by a hash of the target, and their timestamps lie on that grid when they are at most 2 ms off it, so that time
 * columns compress to nothing. */
#ifndef MEERKAT_METRICS_SCRAPE_SCRAPE_H
#define MEERKAT_METRICS_SCRAPE_SCRAPE_H

#include "metrics/config/prom_config.h"
#include "metrics/metrics_store.h"
#include "metrics/sd/sd.h"

typedef struct ScrapeManager ScrapeManager;

typedef struct ScrapeManagerOptions {
    const char *user_agent;  /* NULL: "Meerkat" */
    unsigned parse_threads;  /* 0: 32 (they mostly wait for the disk) */
    bool created;            /* OpenMetrics' _created lines are start times, not series; protobuf is asked for first */
    const char *dns_servers; /* for dns_sd_configs: NULL: the system's */
    /* Something a person should know, once per target; on a worker thread. May be NULL. */
    void (*warn)(void *ctx, Str pool, Str url, const char *text);
    /* This process may open fewer files than it keeps connections to targets: those beyond it are made anew for every
     * scrape. Told once per such number of targets. May be NULL. */
    void (*short_of_files)(void *ctx, size_t targets, uint64_t max_files);
    void *ctx;
} ScrapeManagerOptions;

/* store is borrowed and must outlive the manager. */
ErrCode scrape_manager_create(MetricsStore *store, const ScrapeManagerOptions *opts, ScrapeManager **ret, Err *reterr);
/* Takes the caller's reference to the configuration over (at a reload too). Targets whose labels, address and settings
 * stay the same go on undisturbed, as do sources of discovery; series of targets that vanish get stale markers. NULL
 * stops all scraping. Static targets are there when it returns. */
void scrape_manager_apply(ScrapeManager *m, PromConfig *config);
/* Stops and waits for what is being parsed. No stale markers: the next start goes on where this one ended. NULL is
 * fine. */
ScrapeManager *scrape_manager_free(ScrapeManager *m);

typedef enum ScrapeHealth { SCRAPE_UNKNOWN, SCRAPE_UP, SCRAPE_DOWN } ScrapeHealth;

typedef struct ScrapeTargetInfo {
    Str pool; /* job_name */
    Str url;
    Labels labels, discovered; /* after and before relabelling */
    bool dropped; /* by relabelling: only pool, discovered and last_error (why, if not by a rule) are meant */
    ScrapeHealth health;
    Str last_error;
    int64_t last_scrape_ms; /* start; 0: never */
    double last_duration_s;
    int64_t interval_ms, timeout_ms;
    uint64_t samples; /* of the newest scrape, after relabelling */
} ScrapeTargetInfo;

/* For /api/v1/targets: by job in file order, in it the active ones by labels, then the dropped ones that are kept
 * (keep_dropped_targets). Copies into the arena; ERR_TOO_LARGE. */
ErrCode scrape_manager_targets(ScrapeManager *m, Arena *arena, ScrapeTargetInfo **ret, size_t *ret_n, Err *reterr);

typedef struct ScrapePoolInfo {
    Str name;
    size_t active, up, dropped; /* dropped: all of them, kept or not */
    const SdState *sources;
    size_t n_sources;
} ScrapePoolInfo;
/* In file order; ERR_TOO_LARGE. */
ErrCode scrape_manager_pools(ScrapeManager *m, Arena *arena, ScrapePoolInfo **ret, size_t *ret_n, Err *reterr);

/* The job of that name as it is in effect, its relabelling rules and its text (yaml) included; the arena keeps it
 * alive. NULL: there is none. */
const PromScrapeConfig *scrape_manager_job(ScrapeManager *m, Str name, Arena *arena);

/* prometheus_target_* and prometheus_sd_* metrics. */
void scrape_manager_gather(ScrapeManager *m, MetricsBatch *batch, int64_t t_ms);

/* What a job makes of a label set that discovery found, all in the arena, sorted: the labels before relabelling, and
 * those that a target has then, without __meta_ ones; none when a rule drops it. Not NULL: why it can be no target. */
const char *scrape_target_labels(
    const PromScrapeConfig *job, Labels found, Arena *arena, Labels *ret_discovered, Labels *ret_labels);

#endif
