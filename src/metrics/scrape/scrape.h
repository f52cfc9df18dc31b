/* scrape.h - fetches the targets of prometheus.yml on their schedule and appends what they expose.
 *
 * One timer thread starts requests on the HTTP client (many in flight, never two for one target), a small pool
 * parses and appends. A target's requests are spread over its interval by a hash of the target, and their
 * timestamps lie on that grid when they are at most 2 ms off it, so that time columns compress to nothing. */
#ifndef MEERKAT_METRICS_SCRAPE_SCRAPE_H
#define MEERKAT_METRICS_SCRAPE_SCRAPE_H

#include "metrics/metrics_store.h"
#include "metrics/config/prom_config.h"

typedef struct ScrapeManager ScrapeManager;

typedef struct ScrapeManagerOptions {
    const char *user_agent; /* NULL: "Meerkat" */
    unsigned parse_threads; /* 0: 2 */
} ScrapeManagerOptions;

/* store is borrowed and must outlive the manager. */
ErrCode scrape_manager_create(MetricsStore *store, const ScrapeManagerOptions *opts, ScrapeManager **ret, Err *reterr);
/* Takes the configuration over (at a reload too). Targets whose labels, address and settings stay the same go on
 * undisturbed; series of targets that vanish get stale markers. NULL stops all scraping. */
void scrape_manager_apply(ScrapeManager *m, PromConfig *config);
/* Stops, waits for what is being parsed, writes stale markers. NULL is fine. */
ScrapeManager *scrape_manager_free(ScrapeManager *m);

typedef enum ScrapeHealth { SCRAPE_UNKNOWN, SCRAPE_UP, SCRAPE_DOWN } ScrapeHealth;

typedef struct ScrapeTargetInfo {
    Str pool; /* job_name */
    Str url;
    Labels labels, discovered; /* after and before relabelling */
    bool dropped;              /* by relabelling: only pool and discovered are meant */
    ScrapeHealth health;
    Str last_error;
    int64_t last_scrape_ms; /* start; 0: never */
    double last_duration_s;
    int64_t interval_ms, timeout_ms;
    uint64_t samples; /* of the newest scrape, after relabelling */
} ScrapeTargetInfo;

/* For /api/v1/targets: by job in file order, then by labels. Copies into the arena; ERR_TOO_LARGE. */
ErrCode scrape_manager_targets(ScrapeManager *m, Arena *arena, ScrapeTargetInfo **ret, size_t *ret_n, Err *reterr);

#endif
