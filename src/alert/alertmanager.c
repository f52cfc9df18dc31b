/* alertmanager.c - life of the Alertmanager: opening, loading, the timer thread, taking alerts in. */
#include "alert/am_int.h"

#include "base/log.h"
#include "sys/clock.h"

#include <stdlib.h>

#define RETENTION_DEFAULT_MS INT64_C(432000000)
#define IDLE_MAX_MS 1000
#define INTAKE_BATCH 512
#define TIMERS_BATCH 512
#define ALERTS_MAX 1000000

static const char builtin[] = "route:\n  receiver: default\nreceivers:\n  - name: default\n";

/* --- timers --- */

static int by_due(const void *a, const void *b, void *ctx) {
    (void)ctx;
    int64_t x = ((const AmTimer *)a)->due_ns, y = ((const AmTimer *)b)->due_ns;
    return (x > y) - (x < y);
}

void am_timer_add(Alertmanager *am, const AmTimer *t) {
    AmTimer *copy = NEW(AmTimer);
    *copy = *t;
    heap_push(&am->timers, copy);
    if (heap_peek(&am->timers) == copy) cond_signal(&am->wake);
}

static AmGroup *group_of(Alertmanager *am, uint64_t id) {
    uint64_t *v = u64map_get(am->groups, id);
    return v ? (AmGroup *)(uintptr_t)*v : NULL;
}

static void timer_run(Alertmanager *am, const AmTimer *t, int64_t now_ns) {
    AmGroup *g = t->group ? group_of(am, t->group) : NULL;
    switch (t->kind) {
    case AM_TIMER_FLUSH:
        if (g && g->timer == t->generation) am_flush(am, g, now_ns);
        break;
    case AM_TIMER_DEDUP: am_flush_dedup(am, t->what, now_ns); break;
    case AM_TIMER_RETRY: am_job_retry(am, t->what, now_ns); break;
    case AM_TIMER_EXPIRE:
        if (!g) break;
        g->expiry_armed = false;
        am_group_expire(am, g, now_ns);
        break;
    }
}

int64_t am_step(Alertmanager *am, int64_t now_ns) {
    if (!am->running) return INT64_MAX;
    AmTimer *t;
    size_t budget = TIMERS_BATCH;
    while ((t = heap_peek(&am->timers)) && t->due_ns <= now_ns && budget--) {
        heap_pop(&am->timers);
        timer_run(am, t, now_ns);
        mem_free(t);
    }
    if (now_ns >= am->gc_ns) {
        am->gc_ns = now_ns + AM_GC_INTERVAL_NS;
        am_gc(am, now_ns);
    }
    return t ? t->due_ns : INT64_MAX;
}

static void timer_thread(void *ctx) {
    Alertmanager *am = ctx;
    mutex_lock(&am->mutex);
    while (!am->stopping) {
        int64_t now = clock_now_ns(), next = am_step(am, now);
        int64_t wait_ms = next == INT64_MAX ? IDLE_MAX_MS : (next - clock_now_ns() + NS_PER_MS - 1) / NS_PER_MS;
        if (am->stopping) break;
        if (wait_ms > 0) {
            cond_wait_ms(&am->wake, &am->mutex, MIN(wait_ms, IDLE_MAX_MS));
        } else { /* more is due: let others in between */
            mutex_unlock(&am->mutex);
            clock_sleep_ms(1);
            mutex_lock(&am->mutex);
        }
    }
    mutex_unlock(&am->mutex);
}

/* --- opening --- */

static void dump(void *ctx, AmJournal *j, void (*put)(void *to, uint8_t type, Str payload), void *to) {
    Alertmanager *am = ctx;
    mutex_lock(&am->mutex);
    amjournal_mark(j);
    am_state_dump(am, put, to);
    mutex_unlock(&am->mutex);
}

static ErrCode open_state(Alertmanager *am, Err *reterr) {
    char dir[FS_PATH_MAX];
    fs_path_join(dir, am->dir.p, "history");
    am->history = am_history_create(dir, am->retention_ns, reterr);
    if (!am->history) return ERR_IO;
    fs_path_join(dir, am->dir.p, "state");
    AmJournalOptions opts = {.dir = dir, .apply = am_state_apply, .dump = dump, .ctx = am};
    return amjournal_open(&opts, &am->journal, reterr);
}

Alertmanager *am_new(const AlertmanagerOptions *o) {
    Alertmanager *am = NEW(Alertmanager);
    mutex_init(&am->mutex);
    cond_init(&am->wake);
    am->arena = arena_create(ARENA_UNLIMITED);
    am->external_url = arena_copy(am->arena, o->external_url);
    am->version = arena_copy(am->arena, o->version);
    am->dir = arena_copy(am->arena, str_cstr(o->dir));
    am->client = o->client;
    am->retention_ns = (o->retention_ms ? o->retention_ms : RETENTION_DEFAULT_MS) * NS_PER_MS;
    am->started_ns = clock_now_ns();
    am->mode = o->match_mode;
    am->silences_max = o->silences_max;
    am->alerts_max = o->alerts_max ? o->alerts_max : ALERTS_MAX;
    am->guards = o->guards;
    am->alerts = u64map_create();
    am->groups = u64map_create();
    am->saved = u64map_create();
    am->silences = map_create(MAP_COPY_KEYS);
    am->notes = map_create(MAP_COPY_KEYS);
    am->silence_epoch = 1;
    rng_seed(&am->rng, (uint64_t)am->started_ns);
    am->timers = (Heap){.cmp = by_due};
    am->send = am_send_on_pool;
    am->send_ctx = am;
    DiagList diags;
    diag_init(&diags, STR("built-in"), str_cstr(builtin));
    ErrCode rc = amconfig_parse(STR("built-in"), str_cstr(builtin), am->mode, &am->config, &diags);
    ASSERT(rc == OK);
    diag_done(&diags);
    return am;
}

ErrCode alertmanager_create(const AlertmanagerOptions *opts, Alertmanager **ret, Err *reterr) {
    *ret = NULL;
    Alertmanager *am = am_new(opts);
    ErrCode rc = open_state(am, reterr);
    if (!rc) rc = am_cluster_create(am, &opts->peers, reterr);
    if (!rc) rc = am_heart_create(am, opts->heartbeats, opts->n_heartbeats, reterr);
    if (!rc) {
        am->pool = pool_create("notify", AM_NOTIFY_THREADS, 1u << 20);
        am->thread = thread_start("alertmanager", timer_thread, am);
        if (!am->pool || !am->thread) rc = err_set(reterr, ERR_UNAVAILABLE, "no threads for the Alertmanager");
    }
    if (rc) {
        alertmanager_free(am);
        return rc;
    }
    *ret = am;
    return OK;
}

/* Ends what waits for a timer. The groups are gone already. */
static void timers_done(Alertmanager *am) {
    AmTimer *t;
    while ((t = heap_pop(&am->timers))) {
        if (t->kind == AM_TIMER_DEDUP || t->kind == AM_TIMER_RETRY) timer_run(am, t, clock_now_ns());
        mem_free(t);
    }
}

static void free_state(Alertmanager *am) {
    size_t it = 0;
    uint64_t id, *v;
    Str key;
    while (u64map_next(am->saved, &it, &id, &v)) mem_free((void *)(uintptr_t)*v);
    VEC(void *) all = {0};
    for (it = 0; u64map_next(am->alerts, &it, &id, &v);) vec_push(&all, (void *)(uintptr_t)*v);
    vec_foreach(void *, a, &all) am_alert_delete(am, *a);
    vec_clear(&all);
    for (it = 0; map_next(am->notes, &it, &key, &v);) vec_push(&all, (void *)(uintptr_t)*v);
    vec_foreach(void *, n, &all) am_note_delete(am, *n, false);
    vec_done(&all);
    vec_foreach(AmSilence *, s, &am->silence_order) am_silence_free(*s);
    vec_done(&am->silence_order);
    u64map_free(am->alerts);
    u64map_free(am->groups);
    u64map_free(am->saved);
    map_free(am->silences);
    map_free(am->notes);
}

Alertmanager *alertmanager_free(Alertmanager *am) {
    if (!am) return NULL;
    am_heart_free(am);
    mutex_lock(&am->mutex);
    am->stopping = true;
    cond_broadcast(&am->wake);
    mutex_unlock(&am->mutex);
    thread_join(am->thread);
    if (am->pool) pool_stop(am->pool); /* notifications under way end, and are logged */
    pool_free(am->pool);
    am_cluster_free(am); /* not before: those two look at the peers, and tell them */
    am->journal = amjournal_close(am->journal);
    am->history = am_history_free(am->history);
    am->running = false;
    am_groups_clear(am, false);
    am_lanes_make(am, NULL);
    timers_done(am);
    heap_done(&am->timers);
    am_inhibit_free(am->inhibit);
    free_state(am);
    amconfig_unref(am->config);
    cond_done(&am->wake);
    mutex_done(&am->mutex);
    arena_free(am->arena);
    mem_free(am);
    return NULL;
}

/* --- configuration --- */

void am_use_config(Alertmanager *am, AmConfig *c, int64_t now_ns) {
    bool first = !am->running;
    am_groups_clear(am, !first);
    AmConfig *old = am->config;
    am->config = c;
    am->running = true;
    am_lanes_make(am, c);
    am_groups_rebuild(am, now_ns, first);
    amconfig_unref(old);
    cond_signal(&am->wake);
}

ErrCode alertmanager_load(Alertmanager *am, Str file, Str text, DiagList *diags) {
    AmConfig *c;
    bool empty = str_trim(text).n == 0;
    ErrCode rc = amconfig_parse(empty ? STR("built-in") : file, empty ? str_cstr(builtin) : text, am->mode, &c, diags);
    int64_t now = clock_now_ns();
    mutex_lock(&am->mutex);
    am->reload_ok = rc == OK;
    if (rc == OK) {
        am->reload_ns = now;
        am_use_config(am, c, now);
    } else if (!am->running) {
        am_use_config(am, amconfig_ref(am->config), now); /* alerts are kept; there is nobody to tell */
    }
    mutex_unlock(&am->mutex);
    return rc;
}

ErrCode alertmanager_check(Str file, Str text, AlertmanagerSummary *ret, DiagList *diags) {
    AmConfig *c;
    *ret = (AlertmanagerSummary){0};
    ErrCode rc = amconfig_parse(file, text, AM_MATCH_FALLBACK, &c, diags);
    if (rc) return rc;
    *ret = (AlertmanagerSummary){c->n_inhibit, c->receivers.n, c->n_templates};
    amconfig_unref(c);
    return OK;
}

Str alertmanager_config_text(Alertmanager *am, Arena *arena) {
    mutex_lock(&am->mutex);
    Str s = arena_copy(arena, am->config->shown);
    mutex_unlock(&am->mutex);
    return s;
}

/* --- alerts --- */

ErrCode am_commit(Alertmanager *am, Err *reterr) {
    if (!am->journal) return OK;
    return amjournal_wait(am->journal, amjournal_last(am->journal), reterr);
}

static bool is_asked_for(Alertmanager *am, const Alert *a) {
    const AmRoute *routes[AM_ROUTES_MAX];
    return am->running && am_alert_routes(am, a->labels, true, routes, ARRAY_LEN(routes)) > 0;
}

bool alertmanager_names(Alertmanager *am, Str alertname) {
    bool found = false;
    mutex_lock(&am->mutex);
    for (size_t i = 0; am->running && i < am->config->n_routes; i++)
        found |= amroute_names(am->config->routes[i], alertname);
    mutex_unlock(&am->mutex);
    return found;
}

ErrCode alertmanager_receive(Alertmanager *am, const Alert *alerts, size_t n, Err *reterr) {
    ErrCode rc = OK;
    Buf problems = {0};
    mutex_lock(&am->mutex);
    int64_t now = clock_now_ns();
    for (size_t i = 0; i < n; i++) {
        Alert a = alerts[i];
        Err err = {0};
        if (i && i % INTAKE_BATCH == 0) { /* others want to get in */
            mutex_unlock(&am->mutex);
            mutex_lock(&am->mutex);
        }
        if (a.by_name && !is_asked_for(am, &a)) continue;
        ErrCode one = am_alert_prepare(am, &a, now, &err);
        if (one == OK && u64map_count(am->alerts) >= am->alerts_max &&
            !am_alert_find(am, alert_fingerprint(a.labels))) {
            am->counters.limited++;
            one = err_set(&err, ERR_OVERLOADED, "too many alerts: %zu are held (alerting.max_alerts)", am->alerts_max);
        }
        if (one == OK) {
            int64_t began = clock_mono_ns();
            am_put_alert(am, &a, now);
            am->counters.processed++;
            am->counters.processing_sum += (double)(clock_mono_ns() - began) / 1e9;
            continue;
        }
        am->counters.invalid += one == ERR_INVALID;
        rc = rc == OK || one != ERR_INVALID ? one : rc;
        if (problems.n && problems.n < 400) buf_put_char(&problems, '\n');
        if (problems.n < 400) buf_put_str(&problems, str_cstr(err.msg));
    }
    mutex_unlock(&am->mutex);
    Err io = {0};
    ErrCode disk = am_commit(am, &io);
    if (disk)
        rc = err_set(reterr, disk, "%s", io.msg);
    else if (rc)
        err_set(reterr, rc, "%s", buf_cstr(&problems));
    buf_done(&problems);
    return rc;
}
