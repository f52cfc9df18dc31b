/* am_job.c - notifications on their way: queues per integration, attempts, back-off, results. */
#include "alert/am_int.h"

#include "base/log.h"
#include "sys/clock.h"

#define BACKOFF_FIRST_MS 500.0
#define BACKOFF_FACTOR 1.5
#define BACKOFF_MAX_MS 60000.0
#define ATTEMPT_ARENA (256u << 20)

const char *const am_failure_reasons[7] = {
    "clientError", "serverError", "authError", "rateLimited", "contextCanceled", "contextDeadlineExceeded", "other"};

static const double latency_bounds[] = {1, 5, 10, 15, 20};

void am_job_free(AmJob *job) {
    mem_free(job->firing);
    mem_free(job->resolved);
    arena_free(job->arena);
    mem_free(job);
}

/* --- lanes --- */

static bool may_start(const Alertmanager *am, const AmLane *lane) {
    return am->busy < AM_NOTIFY_THREADS && (lane->busy < AM_NOTIFY_SHARE || am->busy < AM_NOTIFY_THREADS / 2);
}

static void start(Alertmanager *am, AmLane *lane) {
    AmJob *job = lane->head;
    lane->head = job->next;
    if (!lane->head) lane->tail = &lane->head;
    job->next = NULL;
    lane->busy++;
    am->busy++;
    am->send(am->send_ctx, job);
}

void am_jobs_start(Alertmanager *am, AmLane *lane) {
    while (lane->head && may_start(am, lane)) start(am, lane);
}

static void start_others(Alertmanager *am) {
    for (size_t i = 0; i < am->n_lanes; i++) am_jobs_start(am, am->lanes[i]);
}

static void finish(Alertmanager *am, AmJob *job, int64_t now_ns) {
    AmFlush *f = job->flush;
    job->note->in_flight--;
    job->note->next_attempt_ns = 0;
    am_job_free(job);
    if (--f->pending == 0) am_flush_end(am, f, now_ns);
}

static void fail(Alertmanager *am, AmJob *job, const char *reason, int64_t now_ns) {
    size_t k = 0;
    while (k < 6 && strcmp(am_failure_reasons[k], reason ? reason : "other") != 0) k++;
    am->counters.failed[job->integration->kind][k]++;
    job->flush->failed = true;
    const AmNote *n = job->note;
    if (!job->flush->group) { /* the configuration was replaced */
        finish(am, job, now_ns);
        return;
    }
    char text[16];
    snprintf(text, sizeof text, "%u", job->attempts);
    Str receiver = am_note_receiver(n);
    char *name = str_dup_cstr(receiver);
    log_warn("notification failed", "receiver", name, "integration", integration_name(job->integration->kind), "group",
        job->flush->group->key, "attempts", text, "error", job->error, NULL);
    mem_free(name);
    const Label fields[] = {{STR("attempts"), str_cstr(text)}, {STR("error"), str_cstr(job->error)},
        {STR("groupKey"), job->flush->key}, {STR("integration"), str_cstr(integration_name(job->integration->kind))},
        {STR("reason"), str_cstr(job->reason)}, {STR("receiver"), receiver}};
    am_history_add(am, AM_EVENT_FAILED, now_ns, 0, job->flush->labels->labels, (Labels){fields, ARRAY_LEN(fields)});
    finish(am, job, now_ns);
}

void am_lanes_make(Alertmanager *am, AmConfig *c) {
    AmLane **old = am->lanes;
    size_t n_old = am->n_lanes, n = 0, it = 0;
    am->lanes = NULL;
    am->n_lanes = 0;
    for (size_t i = 0; i < n_old; i++) {
        AmLane *lane = old[i];
        while (lane->head) {
            AmJob *job = lane->head;
            lane->head = job->next;
            finish(am, job, 0);
        }
        lane->dead = true;
        if (!lane->busy) mem_free(lane);
    }
    mem_free(old);
    for (size_t i = 0; c && i < c->receivers.n; i++) n += c->receivers.v[i].n_integrations;
    if (!n) return;
    am->lanes = mem_alloc_array(n, sizeof *am->lanes);
    for (size_t i = 0; i < c->receivers.n; i++) {
        for (size_t k = 0; k < c->receivers.v[i].n_integrations; k++) {
            AmLane *lane = am->lanes[it++] = NEW(AmLane);
            lane->integration = &c->receivers.v[i].integrations[k];
            lane->receiver = &c->receivers.v[i];
            lane->tail = &lane->head;
        }
    }
    am->n_lanes = n;
}

/* --- results --- */

static uint64_t *copy_set(const uint64_t *v, size_t n) {
    uint64_t *r = mem_alloc_array(n + 1, sizeof *r);
    if (n) memcpy(r, v, n * sizeof *r);
    return r;
}

static void succeed(Alertmanager *am, AmJob *job, int64_t now_ns) {
    AmNote *n = job->note;
    int64_t life = MIN(AM_REPEAT_FACTOR * job->flush->route->repeat_interval_ms * NS_PER_MS, am->retention_ns);
    mem_free(n->firing);
    mem_free(n->resolved);
    n->logged = true;
    n->at_ns = now_ns;
    n->expires_ns = now_ns + life;
    n->firing = copy_set(job->firing, job->n_firing);
    n->n_firing = (uint32_t)job->n_firing;
    n->resolved = copy_set(job->resolved, job->n_resolved);
    n->n_resolved = (uint32_t)job->n_resolved;
    bool told = job->n_firing || job->integration->send_resolved;
    if (told) {
        Buf state = {0};
        if (job->result.state.n) am_put_labels(&state, job->result.state);
        mem_free(n->state);
        n->state = buf_take(&state, &n->state_n);
        n->success_ns = now_ns;
        n->error[0] = 0;
        n->status = job->result.status;
        char count[24];
        snprintf(count, sizeof count, "%zu", job->flush->n_alerts);
        const Label fields[] = {{STR("alerts"), str_cstr(count)}, {STR("groupKey"), job->flush->key},
            {STR("integration"), str_cstr(integration_name(job->integration->kind))},
            {STR("reason"), str_cstr(job->reason)}, {STR("receiver"), am_note_receiver(n)}};
        am_history_add(
            am, AM_EVENT_NOTIFIED, now_ns, 0, job->flush->labels->labels, (Labels){fields, ARRAY_LEN(fields)});
    }
    am_note_log(am, n);
    finish(am, job, now_ns);
}

static void count_attempt(Alertmanager *am, const AmJob *job, int64_t now_ns) {
    IntegrationKind k = job->integration->kind;
    double s = (double)(now_ns - job->started_ns) / 1e9;
    size_t b = 0;
    while (b < ARRAY_LEN(latency_bounds) && s > latency_bounds[b]) b++;
    am->counters.latency_bucket[k][b]++;
    am->counters.latency_count[k]++;
    am->counters.latency_sum[k] += s;
    am->counters.requests[k]++;
    if (!job->result.ok) am->counters.requests_failed[k]++;
}

void am_job_done(Alertmanager *am, AmJob *job, int64_t now_ns) {
    AmLane *lane = job->lane;
    lane->busy--;
    am->busy--;
    if (lane->dead && !lane->busy) mem_free(lane);
    const NotifyResult *r = &job->result;
    AmNote *n = job->note;
    if (job->attempts) count_attempt(am, job, now_ns);
    if (r->ok) {
        succeed(am, job, now_ns);
    } else {
        n->status = r->status;
        snprintf(n->error, sizeof n->error, "%.255s", r->error);
        snprintf(job->error, sizeof job->error, "%.255s", r->error);
        double wait_ms = job->backoff_ms ? MIN(job->backoff_ms * BACKOFF_FACTOR, BACKOFF_MAX_MS) : BACKOFF_FIRST_MS;
        int64_t due = now_ns + (int64_t)(wait_ms * (0.5 + rng_f64(&am->rng)) * 1e6);
        job->backoff_ms = wait_ms;
        if (r->retry && due < job->deadline_ns && job->flush->group && am->running) {
            n->next_attempt_ns = due;
            am_timer_add(am, &(AmTimer){.due_ns = due, .kind = AM_TIMER_RETRY, .what = job});
        } else {
            fail(am, job, !job->flush->group ? "contextCanceled" : r->reason, now_ns);
        }
    }
    start_others(am);
}

void am_job_retry(Alertmanager *am, AmJob *job, int64_t now_ns) {
    if (!job->flush->group) {
        finish(am, job, now_ns);
        return;
    }
    AmLane *lane = job->lane; /* alive: the group is of this configuration */
    *lane->tail = job;
    lane->tail = &job->next;
    am_jobs_start(am, lane);
}

/* --- on the pool --- */

static const Alert *wanted_alerts(const AmJob *job, Arena *arena, size_t *ret_n) {
    const AmFlush *f = job->flush;
    *ret_n = f->n_alerts;
    if (job->integration->send_resolved || !job->n_resolved) return f->alerts;
    Alert *v = ARENA_ARRAY(arena, Alert, f->n_alerts);
    size_t n = 0;
    for (size_t i = 0; v && i < f->n_alerts; i++) {
        if (!f->alerts[i].ends_ns) v[n++] = f->alerts[i];
    }
    *ret_n = n;
    return v;
}

Labels am_route_labels(const NotifyRequest *req, Arena *arena) {
    Labels l = req->route_labels;
    Label *v = l.n ? ARENA_ARRAY(arena, Label, l.n) : NULL;
    for (size_t i = 0; v && i < l.n; i++) {
        v[i] = l.v[i];
        if (str_contains(l.v[i].value, STR("{{")))
            (void)!notify_expand(req, l.v[i].value, false, arena, &v[i].value, NULL);
    }
    return v ? (Labels){v, l.n} : l;
}

static void run(void *ctx) {
    AmJob *job = ctx;
    Alertmanager *am = job->am;
    const AmFlush *f = job->flush;
    size_t n;
    int64_t left_ms = (job->deadline_ns - clock_now_ns()) / NS_PER_MS;
    job->arena = arena_free(job->arena);
    job->arena = arena_create(ATTEMPT_ARENA);
    mutex_lock(&am->mutex);
    job->attempts++;
    job->note->attempts = job->attempts;
    job->started_ns = job->note->attempt_ns = clock_now_ns();
    Labels state = {0};
    if (job->note->state_n && strcmp(job->reason, "first notification") != 0) {
        Cursor c = cursor_of(str_of(job->note->state, job->note->state_n));
        if (!am_take_labels(&c, job->arena, &state)) state = (Labels){0};
    }
    mutex_unlock(&am->mutex);
    const Alert *alerts = wanted_alerts(job, job->arena, &n);
    job->result = (NotifyResult){.reason = "contextDeadlineExceeded", .error = "context deadline exceeded"};
    if (alerts && left_ms > 0) {
        NotifyRequest req = {.integration = job->integration,
            .receiver = f->route->receiver->name,
            .group_key = f->key,
            .group_labels = f->labels->labels,
            .route_labels = f->route->labels,
            .reason = str_cstr(job->reason),
            .alerts = alerts,
            .n_alerts = n,
            .now_ns = f->now_ns,
            .timeout_ms = left_ms,
            .external_url = am->external_url,
            .templates = f->config->templates,
            .state = state};
        req.route_labels = am_route_labels(&req, job->arena);
        notify_send(am->client, &req, job->arena, &job->result);
    }
    mutex_lock(&am->mutex);
    am_job_done(am, job, clock_now_ns());
    cond_signal(&am->wake);
    mutex_unlock(&am->mutex);
}

void am_send_on_pool(void *ctx, AmJob *job) {
    Alertmanager *am = ctx;
    if (pool_submit(am->pool, run, job) == OK) return;
    job->result = (NotifyResult){.retry = true, .reason = "other", .error = "no thread for the notification"};
    am_job_done(am, job, clock_now_ns());
}
