/* scrape_view.c - targets, pools and counters for those who look on. */
#include "metrics/record.h"
#include "metrics/scrape/scrape_int.h"

#include <stdlib.h>

static int by_labels(const void *a, const void *b) {
    return labels_cmp((*(ScrapeTarget *const *)a)->labels, (*(ScrapeTarget *const *)b)->labels);
}

static Labels decode(Str encoded, Arena *arena) {
    Labels l = {0};
    Cursor c = cursor_of(arena_copy(arena, encoded));
    if (!labels_decode(&c, arena, &l)) return (Labels){0};
    return l;
}

static void describe(const ScrapeTarget *t, Arena *arena, ScrapeTargetInfo *ret) {
    *ret = (ScrapeTargetInfo){.url = arena_copy(arena, str_cstr(t->url)),
        .labels = labels_copy(arena, t->labels),
        .discovered = decode(t->discovered, arena),
        .health = t->health,
        .last_error = arena_copy(arena, str_cstr(t->last_error)),
        .last_scrape_ms = t->last_scrape_ms,
        .last_duration_s = t->last_duration_s,
        .interval_ms = t->interval_ms,
        .timeout_ms = t->timeout_ms,
        .samples = t->last_samples};
}

static ErrCode exhausted(Err *reterr) {
    return err_set(reterr, ERR_TOO_LARGE, "the memory budget of the request is used up");
}

ErrCode scrape_manager_targets(ScrapeManager *m, Arena *arena, ScrapeTargetInfo **ret, size_t *ret_n, Err *reterr) {
    AVEC(ScrapeTargetInfo) v = {0};
    bool ok = true;
    mutex_lock(&m->lock);
    for (size_t i = 0; i < m->pools.n && ok; i++) {
        ScrapePool *p = m->pools.v[i];
        Str name = arena_copy(arena, p->job->job_name);
        size_t n = p->targets.n;
        if (n > 1) qsort(p->targets.v, n, sizeof *p->targets.v, by_labels);
        for (size_t k = 0; k < n && ok; k++) {
            ScrapeTargetInfo x;
            describe(p->targets.v[k], arena, &x);
            x.pool = name;
            ok = avec_push(arena, &v, x);
        }
        for (size_t k = 0; k < p->dropped.n && ok; k++) {
            ScrapeTargetInfo x = {.pool = name,
                .dropped = true,
                .discovered = decode(p->dropped.v[k].discovered, arena),
                .last_error = str_cstr(p->dropped.v[k].why)};
            ok = avec_push(arena, &v, x);
        }
        ok = ok && !arena_exhausted(arena);
    }
    mutex_unlock(&m->lock);
    if (!ok) return exhausted(reterr);
    *ret = v.v;
    *ret_n = v.n;
    return OK;
}

/* Lock held. */
static bool describe_pool(const ScrapePool *p, Arena *arena, ScrapePoolInfo *ret) {
    SdState *sources = ARENA_ARRAY(arena, SdState, p->sources.n);
    *ret = (ScrapePoolInfo){.name = arena_copy(arena, p->job->job_name),
        .active = p->targets.n,
        .dropped = p->n_dropped,
        .sources = sources,
        .n_sources = p->sources.n};
    vec_foreach(ScrapeTarget *, t, &p->targets) ret->up += (*t)->health == SCRAPE_UP;
    for (size_t k = 0; sources && k < p->sources.n; k++) sd_source_state(p->sources.v[k], &sources[k]);
    return sources && ret->name.p;
}

ErrCode scrape_manager_pools(ScrapeManager *m, Arena *arena, ScrapePoolInfo **ret, size_t *ret_n, Err *reterr) {
    mutex_lock(&m->lock);
    size_t n = m->pools.n;
    ScrapePoolInfo *v = ARENA_ARRAY(arena, ScrapePoolInfo, n);
    bool ok = v != NULL;
    for (size_t i = 0; i < n && ok; i++) ok = describe_pool(m->pools.v[i], arena, &v[i]);
    mutex_unlock(&m->lock);
    if (!ok) return exhausted(reterr);
    *ret = v;
    *ret_n = n;
    return OK;
}

static void free_config(void *config) { prom_config_free(config); }

const PromScrapeConfig *scrape_manager_job(ScrapeManager *m, Str name, Arena *arena) {
    const PromScrapeConfig *job = NULL;
    mutex_lock(&m->lock);
    for (size_t i = 0; i < m->pools.n && !job; i++) {
        if (!str_eq(m->pools.v[i]->job->job_name, name)) continue;
        job = m->pools.v[i]->job;
        arena_defer(arena, free_config, prom_config_ref(m->pools.v[i]->config));
    }
    mutex_unlock(&m->lock);
    return job;
}

/* --- own metrics --- */
static void put_pool(MetricsBatch *b, int64_t t_ms, const ScrapePoolInfo *p, uint64_t limit) {
    const char *name = arena_copy(b->arena, p->name).p;
    size_t found = 0;
    if (!name) return;
    for (size_t i = 0; i < p->n_sources; i++) found += p->sources[i].targets;
    metrics_batch_emit(
        b, t_ms, METRIC_GAUGE, "prometheus_target_scrape_pool_targets", (double)p->active, "scrape_job", name, NULL);
    metrics_batch_emit(
        b, t_ms, METRIC_GAUGE, "prometheus_target_scrape_pool_target_limit", (double)limit, "scrape_job", name, NULL);
    metrics_batch_emit(b, t_ms, METRIC_GAUGE, "prometheus_sd_discovered_targets", (double)found, "config", name, NULL);
}

void scrape_manager_gather(ScrapeManager *m, MetricsBatch *b, int64_t t_ms) {
    const struct {
        const char *name;
        uint64_t value;
    } totals[] = {
        {"prometheus_target_scrapes_total", atomic_load(&m->stats.scrapes)},
        {"prometheus_target_scrapes_failed_total", atomic_load(&m->stats.failed)},
        {"prometheus_target_scrapes_skipped_total", atomic_load(&m->stats.skipped)},
        {"prometheus_target_scrapes_sample_duplicate_timestamp_total", atomic_load(&m->stats.duplicates)},
        {"prometheus_target_scrapes_sample_out_of_bounds_total", atomic_load(&m->stats.out_of_order)},
        {"prometheus_target_scrapes_exceeded_sample_limit_total", atomic_load(&m->stats.limit_hits)},
        {"prometheus_target_scrapes_exceeded_body_size_limit_total", atomic_load(&m->stats.body_limit_hits)},
        {"prometheus_target_scrape_pool_sync_total", atomic_load(&m->stats.syncs)},
        {"prometheus_target_scrape_pool_reloads_total", atomic_load(&m->stats.reloads)},
    };
    for (size_t i = 0; i < ARRAY_LEN(totals); i++)
        metrics_batch_emit(b, t_ms, METRIC_COUNTER, totals[i].name, (double)totals[i].value, NULL);
    Arena *arena = arena_create((size_t)64 << 20);
    ScrapePoolInfo *pools = NULL;
    size_t n = 0;
    uint64_t failed = 0;
    if (scrape_manager_pools(m, arena, &pools, &n, NULL) != OK) n = 0;
    for (size_t i = 0; i < n; i++) {
        const PromScrapeConfig *job = scrape_manager_job(m, pools[i].name, arena);
        put_pool(b, t_ms, &pools[i], job ? job->set.limits.target : 0);
        for (size_t k = 0; k < pools[i].n_sources; k++) failed += pools[i].sources[k].error[0] != 0;
    }
    metrics_batch_emit(b, t_ms, METRIC_GAUGE, "prometheus_sd_failed_configs", (double)failed, NULL);
    arena_free(arena);
}
