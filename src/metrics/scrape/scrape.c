/* scrape.c - the manager: configurations in, targets in force. */
#include "base/timefmt.h"
#include "metrics/scrape/scrape_int.h"
#include "net/client.h"
#include "sys/clock.h"
#include "sys/process.h"

#define PARSE_QUEUE_MAX 16384
#define PARSE_THREADS 32 /* they mostly wait for a commit, which they share */
#define SYNC_GAP_MS 500
#define SYNC_SHARE 10 /* at most a tenth of the time is spent on making targets */
#define SPARE_CONNECTIONS 64
#define IDLE_WAIT_MS INT64_C(60000)

static int by_due(const void *a, const void *b, void *ctx) {
    const ScrapeTarget *x = a, *y = b;
    (void)ctx;
    return x->due_ms < y->due_ms ? -1 : x->due_ms > y->due_ms;
}

/* --- targets that leave --- */
/* Lock held: when the next of them is to be ended; INT64_MAX: there is none. */
static int64_t next_end_ms(const ScrapeManager *m) {
    int64_t next = INT64_MAX;
    vec_foreach(const LeavingTarget, l, &m->leaving) next = MIN(next, l->write_ms);
    return next;
}

/* Lock held: the targets with a scrape that is out or late, by place. */
static U64Map *late_targets(const ScrapeManager *m, int64_t now_ms) {
    U64Map *late = u64map_create();
    vec_foreach(ScrapePool *const, p, &m->pools) {
        vec_foreach(ScrapeTarget *const, t, &(*p)->targets) {
            if (!(*t)->in_flight && (*t)->due_ms > now_ms) continue;
            *u64map_put(late, (*t)->place, NULL) = (uint64_t)(uintptr_t)*t;
        }
    }
    return late;
}

/* Lock held. A scrape that is still out is waited for; also one of who took its place, or has come back: a machine that
 * is busy brings its samples later, and the end would be where they belong. */
static bool is_awaited(const LeavingTarget *l, const U64Map *late) {
    const uint64_t *t = u64map_get(late, l->target->place);
    return l->target->in_flight || (t && ((const ScrapeTarget *)(uintptr_t)*t)->last_scrape_ms < l->end_ms);
}

/* Lock held, which it lets go meanwhile. */
static void end_targets(ScrapeManager *m, int64_t now_ms) {
    LeavingVec due = {0};
    size_t kept = 0;
    U64Map *late = late_targets(m, now_ms);
    for (size_t i = 0; i < m->leaving.n; i++) {
        LeavingTarget *l = &m->leaving.v[i];
        if (l->write_ms <= now_ms && !is_awaited(l, late))
            vec_push(&due, *l);
        else
            m->leaving.v[kept++] = *l;
    }
    m->leaving.n = kept;
    u64map_free(late);
    mutex_unlock(&m->lock);
    scrape_end(due.v, due.n, m->store);
    vec_foreach(LeavingTarget, l, &due) scrape_target_unref(l->target);
    vec_done(&due);
    mutex_lock(&m->lock);
}

/* Lock held. A connection to each target is kept, as long as a quarter of the files stays for the rest of the server.
 */
static void keep_connections(ScrapeManager *m, size_t targets) {
    uint64_t max_files = process_max_fds(), want = targets + SPARE_CONNECTIONS, most = max_files - max_files / 4;
    http_client_keep(m->client, want, most);
    if (want <= most) return;
    bool told = m->told_short >= targets;
    m->told_short = targets;
    if (!told && m->opts.short_of_files) m->opts.short_of_files(m->opts.ctx, targets, max_files);
}

/* Lock held: the heap anew, as targets in the middle of it may have gone. */
static void rebuild_heap(ScrapeManager *m) {
    heap_done(&m->due);
    m->due = (Heap){.cmp = by_due};
    size_t n = 0;
    vec_foreach(ScrapePool *, p, &m->pools) {
        vec_foreach(ScrapeTarget *, t, &(*p)->targets) heap_push(&m->due, *t);
        n += (*p)->targets.n;
    }
    keep_connections(m, n);
    cond_broadcast(&m->changed);
}

/* --- discovery has news --- */
static void sync_all(ScrapeManager *m) {
    mutex_lock(&m->apply_lock);
    for (size_t i = 0; i < m->pools.n; i++) { /* pools change under apply_lock only */
        ScrapePool *p = m->pools.v[i];
        ScrapeSync fresh;
        if (!scrape_pool_has_news(p)) continue;
        scrape_pool_collect(p, &fresh);
        mutex_lock(&m->lock);
        ScrapeTargetVec old = p->targets;
        p->targets = (ScrapeTargetVec){0};
        scrape_pool_exchange(p, &fresh, &old, clock_now_ms(), &m->leaving);
        rebuild_heap(m);
        mutex_unlock(&m->lock);
    }
    atomic_fetch_add(&m->stats.syncs, 1);
    mutex_unlock(&m->apply_lock);
}

/* Lock held, which it lets go meanwhile. How long to let others have their turn before the next. */
static int64_t sync_now(ScrapeManager *m) {
    m->dirty = false;
    mutex_unlock(&m->lock);
    int64_t start = clock_mono_ns();
    sync_all(m);
    int64_t took_ms = (clock_mono_ns() - start) / NS_PER_MS;
    mutex_lock(&m->lock);
    return MAX((int64_t)SYNC_GAP_MS, took_ms * SYNC_SHARE);
}

/* News of discovery often come in bursts, and targets leave in crowds: either is looked after once per gap. */
static void sync_main(void *ctx) {
    ScrapeManager *m = ctx;
    int64_t sync_from_ms = 0, end_from_ms = 0; /* monotonic */
    mutex_lock(&m->lock);
    while (!m->stop) {
        int64_t mono = clock_mono_ns() / NS_PER_MS, now = clock_now_ms(), end = next_end_ms(m);
        int64_t sync_in = m->dirty ? sync_from_ms - mono : IDLE_WAIT_MS;
        int64_t end_in = end == INT64_MAX ? IDLE_WAIT_MS : MAX(end - now, end_from_ms - mono);
        if (sync_in <= 0) {
            sync_from_ms = mono + sync_now(m);
        } else if (end_in <= 0) {
            end_targets(m, now);
            end_from_ms = mono + SYNC_GAP_MS;
        } else {
            (void)cond_wait_ms(&m->changed, &m->lock, MIN(MIN(sync_in, end_in), IDLE_WAIT_MS));
        }
    }
    mutex_unlock(&m->lock);
}

static void discovery_changed(void *ctx) {
    ScrapeManager *m = ctx;
    mutex_lock(&m->lock);
    m->dirty = true;
    cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
}

/* --- configuration --- */
static void take_old(ScrapePool *fresh, ScrapeManager *m, ScrapeTargetVec *ret) {
    for (size_t i = 0; i < m->pools.n; i++) {
        if (!str_eq(m->pools.v[i]->job->job_name, fresh->job->job_name)) continue;
        *ret = m->pools.v[i]->targets;
        m->pools.v[i]->targets = (ScrapeTargetVec){0};
        return;
    }
}

void scrape_manager_apply(ScrapeManager *m, PromConfig *config) {
    size_t n = config ? config->n_scrapes : 0;
    VEC(ScrapePool *) pools = {0};
    mutex_lock(&m->apply_lock);
    for (size_t i = 0; i < n; i++) vec_push(&pools, scrape_pool_create(&config->scrapes[i], config, m->sd, m->client));
    ScrapeSync *fresh = n ? mem_alloc(n * sizeof *fresh) : NULL;
    for (size_t i = 0; i < n; i++) scrape_pool_collect(pools.v[i], &fresh[i]);
    mutex_lock(&m->lock);
    for (size_t i = 0; i < n; i++) {
        ScrapeTargetVec old = {0};
        take_old(pools.v[i], m, &old);
        scrape_pool_exchange(pools.v[i], &fresh[i], &old, clock_now_ms(), &m->leaving);
    }
    for (size_t i = 0; i < m->pools.n; i++) { /* jobs that are no more */
        vec_foreach(ScrapeTarget *, t, &m->pools.v[i]->targets) scrape_target_retire(*t, &m->leaving);
        vec_done(&m->pools.v[i]->targets);
    }
    VEC(ScrapePool *) before = {0};
    memcpy(&before, &m->pools, sizeof before);
    memcpy(&m->pools, &pools, sizeof m->pools);
    rebuild_heap(m);
    mutex_unlock(&m->lock);
    vec_foreach(ScrapePool *, p, &before) scrape_pool_free(*p);
    vec_done(&before);
    mem_free(fresh);
    scrape_log_reopen(m->log);
    atomic_fetch_add(&m->stats.reloads, 1);
    prom_config_free(config);
    mutex_unlock(&m->apply_lock);
}

/* --- life --- */
ErrCode scrape_manager_create(MetricsStore *store, const ScrapeManagerOptions *opts, ScrapeManager **ret, Err *reterr) {
    static const ScrapeManagerOptions none;
    ScrapeManager *m = NEW(ScrapeManager);
    m->opts = opts ? *opts : none;
    m->store = store;
    m->due.cmp = by_due;
    mutex_init(&m->lock);
    mutex_init(&m->apply_lock);
    cond_init(&m->changed);
    const char *agent = m->opts.user_agent ? m->opts.user_agent : "Meerkat";
    m->log = scrape_log_create();
    m->sd = sd_manager_create(&(SdManagerOptions){
        .user_agent = agent, .dns_servers = m->opts.dns_servers, .changed = discovery_changed, .ctx = m});
    m->client = http_client_create(agent);
    m->workers = pool_create("scrape", m->opts.parse_threads ? m->opts.parse_threads : PARSE_THREADS, PARSE_QUEUE_MAX);
    m->timer = thread_start("scrape-timer", scrape_timer_main, m);
    m->syncer = thread_start("scrape-sync", sync_main, m);
    if (!m->client || !m->workers || !m->timer || !m->syncer) {
        scrape_manager_free(m);
        return err_set(reterr, ERR_UNAVAILABLE, "scraping: the system refuses another thread");
    }
    *ret = m;
    return OK;
}

ScrapeManager *scrape_manager_free(ScrapeManager *m) {
    if (!m) return NULL;
    mutex_lock(&m->lock);
    m->stop = true;
    cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
    thread_join(m->timer);
    thread_join(m->syncer);
    if (m->client) http_client_stop(m->client); /* pending requests end as cancelled */
    scrape_manager_apply(m, NULL);
    mutex_lock(&m->lock);
    while (m->flights) cond_wait(&m->changed, &m->lock);
    mutex_unlock(&m->lock);
    pool_free(m->workers);
    http_client_free(m->client);
    sd_manager_free(m->sd);
    scrape_log_free(m->log);
    vec_foreach(LeavingTarget, l, &m->leaving) scrape_target_unref(l->target); /* as Prometheus: no end is told */
    vec_done(&m->leaving);
    heap_done(&m->due);
    vec_done(&m->pools);
    cond_done(&m->changed);
    mutex_done(&m->lock);
    mutex_done(&m->apply_lock);
    mem_free(m);
    return NULL;
}
