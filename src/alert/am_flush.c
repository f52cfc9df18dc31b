/* am_flush.c - one flush of one group: muting, deduplication, the jobs, and what follows when they are done.
 *
 * The stages and their order are the original's: inhibition, active times, mute times, silences; then per integration
 * the notification log. */
#include "alert/am_int.h"

#include "sys/clock.h"

#include <stdlib.h>

#define NOTIFY_MIN_NS                                                                                                  \
    (10 * NS_PER_S) /* a receiver may take this long, however short the group's interval is; as in the original */

typedef struct Entry {
    AmAlert *alert;
    bool resolved;
} Entry;

static int by_order(const void *a, const void *b) {
    return am_alert_order(((const Entry *)a)->alert->text->labels, ((const Entry *)b)->alert->text->labels);
}

size_t am_route_muted(const AmRoute *r, int64_t now_ns, Str *out, size_t max, bool *ret_by_active) {
    int64_t now_s = now_ns / NS_PER_S;
    size_t n = 0;
    bool active = r->n_active == 0;
    *ret_by_active = false;
    for (size_t i = 0; i < r->n_active; i++) active = active || timeintervals_contain(r->active[i], now_s);
    if (!active) {
        *ret_by_active = true;
        for (size_t i = 0; i < r->n_active && n < max; i++) out[n++] = r->active[i]->name;
        return n;
    }
    for (size_t i = 0; i < r->n_mute; i++) {
        if (timeintervals_contain(r->mute[i], now_s) && n < max) out[n++] = r->mute[i]->name;
    }
    return n;
}

/* Leaves what is neither inhibited nor muted nor silenced; says why when nothing is left. */
static size_t mute(Alertmanager *am, const AmRoute *r, Entry *v, size_t n, int64_t now_ns, const char **ret_outcome) {
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        if (am_inhibited(am->inhibit, v[i].alert->text->labels, now_ns, NULL))
            am->counters.suppressed[1]++;
        else
            v[left++] = v[i];
    }
    if (!left) {
        *ret_outcome = "inhibited";
        return 0;
    }
    Str names[1];
    bool by_active;
    if (am_route_muted(r, now_ns, names, 1, &by_active)) {
        am->counters.suppressed[by_active ? 3 : 2] += left;
        *ret_outcome = by_active ? "outside of its active time intervals" : "in a mute time interval";
        return 0;
    }
    n = left;
    left = 0;
    int64_t began = clock_mono_ns();
    am->counters.silence_queries += n;
    for (size_t i = 0; i < n; i++) {
        if (am_silenced(am, v[i].alert, now_ns))
            am->counters.suppressed[0]++;
        else
            v[left++] = v[i];
    }
    am->counters.silence_query_sum += (double)(clock_mono_ns() - began) / 1e9;
    if (!left) *ret_outcome = "silenced";
    return left;
}

static void flush_free(AmFlush *f) {
    for (size_t i = 0; i < f->n_texts; i++) am_text_unref(f->texts[i]);
    mem_free(f->texts);
    mem_free(f->alerts);
    mem_free(f->fps);
    mem_free(f->resolved);
    am_text_unref(f->labels);
    amconfig_unref(f->config);
    arena_free(f->arena);
    mem_free(f);
}

static void take_alerts(AmFlush *f, const Entry *v, size_t n) {
    f->alerts = mem_alloc_array(n + 1, sizeof *f->alerts);
    f->fps = mem_alloc_array(n + 1, sizeof *f->fps);
    f->texts = mem_alloc_array(n + 1, sizeof *f->texts);
    size_t firing = 0, acked = 0;
    for (size_t i = 0; i < n; i++) {
        const AmAlert *a = v[i].alert;
        f->texts[i] = am_text_ref(a->text);
        f->fps[i] = a->fp;
        f->alerts[i] = (Alert){.labels = a->text->labels,
            .annotations = a->text->annotations,
            .starts_ns = a->starts_ns,
            .ends_ns = v[i].resolved ? a->ends_ns : 0,
            .updated_ns = a->updated_ns,
            .generator_url = a->text->generator_url};
        firing += !v[i].resolved;
        acked += !v[i].resolved && am_acked(a, f->now_ns);
    }
    f->all_acked = firing > 0 && firing == acked;
    f->n_alerts = f->n_texts = n;
}

void am_flush(Alertmanager *am, AmGroup *g, int64_t now_ns) {
    if (g->flush) { /* the one before is just ending */
        g->flush_again = true;
        return;
    }
    g->flush_again = false;
    g->flushed_ns = now_ns;
    am_group_schedule(am, g, now_ns + g->route->group_interval_ms * NS_PER_MS);
    am_group_log(am, g);
    size_t n = g->alerts.n, n_resolved = 0;
    Entry *v = mem_alloc_array(n + 1, sizeof *v);
    AmFlush *f = NEW(AmFlush);
    f->resolved = mem_alloc_array(n + 1, sizeof *f->resolved);
    for (size_t i = 0; i < n; i++) {
        AmAlert *a = g->alerts.v[i];
        v[i] = (Entry){a, am_resolved(a, now_ns)};
        if (v[i].resolved) f->resolved[n_resolved++] = (AmSent){a, a->fp, a->updated_ns};
    }
    f->group = g;
    f->route = g->route;
    f->config = amconfig_ref(am->config);
    f->labels = am_text_ref(g->labels);
    f->arena = arena_create(1 << 20);
    f->key = arena_copy(f->arena, str_cstr(g->key));
    f->n_resolved = n_resolved;
    f->now_ns = now_ns;
    f->dedup_ns = now_ns + am_cluster_wait_ns(am);
    f->deadline_ns = f->dedup_ns + MAX(g->route->group_interval_ms * NS_PER_MS, NOTIFY_MIN_NS);
    g->flush = f;
    const char *outcome = NULL;
    n = mute(am, g->route, v, n, now_ns, &outcome);
    if (n) {
        qsort(v, n, sizeof *v, by_order);
        take_alerts(f, v, n);
    }
    mem_free(v);
    if (outcome) g->outcome = outcome;
    if (!n)
        am_flush_end(am, f, now_ns);
    else if (f->dedup_ns > now_ns)
        am_timer_add(am, &(AmTimer){.due_ns = f->dedup_ns, .kind = AM_TIMER_DEDUP, .what = f});
    else
        am_flush_dedup(am, f, now_ns);
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static AmJob *job_create(Alertmanager *am, AmFlush *f, AmLane *lane, AmNote *note) {
    AmJob *job = NEW(AmJob);
    job->am = am;
    job->flush = f;
    job->lane = lane;
    job->note = note;
    job->integration = lane->integration;
    job->deadline_ns = f->deadline_ns;
    job->firing = mem_alloc_array(f->n_alerts + 1, sizeof(uint64_t));
    job->resolved = mem_alloc_array(f->n_alerts + 1, sizeof(uint64_t));
    for (size_t i = 0; i < f->n_alerts; i++) {
        if (f->alerts[i].ends_ns)
            job->resolved[job->n_resolved++] = f->fps[i];
        else
            job->firing[job->n_firing++] = f->fps[i];
    }
    qsort(job->firing, job->n_firing, sizeof(uint64_t), by_value);
    qsort(job->resolved, job->n_resolved, sizeof(uint64_t), by_value);
    return job;
}

static AmLane *find_lane(Alertmanager *am, const Integration *i) {
    for (size_t k = 0; k < am->n_lanes; k++) {
        if (am->lanes[k]->integration == i) return am->lanes[k];
    }
    return NULL;
}

/* What others have notified of may not be known yet. */
static bool wait_for_peers(Alertmanager *am, AmFlush *f, int64_t now_ns) {
    if (am_cluster_settled(am, now_ns)) return false;
    f->deadline_ns += AM_BUSY_RETRY_NS;
    am_timer_add(am, &(AmTimer){.due_ns = now_ns + AM_BUSY_RETRY_NS, .kind = AM_TIMER_DEDUP, .what = f});
    return true;
}

/* An earlier notification about the group may still be on its way, from before a reload: its entry decides. */
static bool wait_for_earlier(Alertmanager *am, AmFlush *f, int64_t now_ns) {
    const Receiver *r = f->route->receiver;
    for (size_t i = 0; i < r->n_integrations; i++) {
        const AmNote *n = am_note_find(am, f->key, r->name, &r->integrations[i], false);
        if (!n || !n->in_flight || now_ns + AM_BUSY_RETRY_NS >= f->deadline_ns) continue;
        am_timer_add(am, &(AmTimer){.due_ns = now_ns + AM_BUSY_RETRY_NS, .kind = AM_TIMER_DEDUP, .what = f});
        return true;
    }
    return false;
}

/* While this server waited its turn another one has told something else than what the group was then: it may know it
 * better (the end of an alert, say). What the group is now decides, after another wait. */
static void look_again(AmFlush *f, AmNote *note, int64_t now_ns) {
    note->decided_ns = now_ns;
    note->decision = "another server has just notified";
    f->stale = true;
    f->group->flush_again = true;
}

void am_flush_dedup(Alertmanager *am, AmFlush *f, int64_t now_ns) {
    if (f->group && (wait_for_peers(am, f, now_ns) || wait_for_earlier(am, f, now_ns))) return;
    const Receiver *r = f->route->receiver;
    bool sent = false;
    f->pending = 1; /* until all are looked at */
    for (size_t i = 0; f->group && i < r->n_integrations; i++) {
        AmLane *lane = find_lane(am, &r->integrations[i]);
        if (!lane) continue;
        AmNote *note = am_note_find(am, f->key, r->name, &r->integrations[i], true);
        AmJob *job = job_create(am, f, lane, note);
        int64_t began = clock_mono_ns();
        job->reason = am_note_reason(note, job->firing, job->n_firing, job->resolved, job->n_resolved,
            r->integrations[i].send_resolved, f->all_acked, f->route->repeat_interval_ms * NS_PER_MS, f->now_ns);
        am->counters.nflog_queries++;
        am->counters.nflog_query_sum += (double)(clock_mono_ns() - began) / 1e9;
        if (job->reason && note->heard_ns > f->now_ns) {
            look_again(f, note, now_ns);
            am_job_free(job);
            continue;
        }
        note->decided_ns = now_ns;
        note->decision = job->reason ? job->reason : f->all_acked && job->n_firing ? "acknowledged" : "none";
        if (!job->reason) {
            /* The entry must outlive the acknowledgement, or its end would look like a first notification. */
            int64_t life = AM_REPEAT_FACTOR * f->route->repeat_interval_ms * NS_PER_MS;
            if (f->all_acked && job->n_firing && note->logged && note->expires_ns < now_ns + life / 2) {
                note->expires_ns = now_ns + life;
                am_note_log(am, note);
            }
            am_job_free(job);
            continue;
        }
        sent = true;
        f->pending++;
        note->in_flight++;
        note->attempts = 0;
        am->counters.notifications[r->integrations[i].kind]++;
        if (!job->n_firing && !r->integrations[i].send_resolved) { /* only for the log */
            job->result.ok = true;
            lane->busy++;
            am->busy++;
            am_job_done(am, job, now_ns);
            continue;
        }
        *lane->tail = job;
        lane->tail = &job->next;
        am_jobs_start(am, lane);
    }
    if (f->group)
        f->group->outcome = sent ? "notified" : f->all_acked ? "acknowledged: not repeated" : "nothing new to say";
    if (--f->pending == 0) am_flush_end(am, f, now_ns);
}

void am_flush_end(Alertmanager *am, AmFlush *f, int64_t now_ns) {
    AmGroup *g = f->group;
    for (size_t i = 0; g && !f->failed && !f->stale && i < f->n_resolved; i++) {
        AmAlert *a = am_alert_find(am, f->resolved[i].fp);
        if (!a || a->updated_ns != f->resolved[i].updated_ns || !am_resolved(a, now_ns)) continue;
        am_group_remove_alert(am, g, a);
        if (a->n_members) continue;
        a->settled = true;
        am_log_touch(am, a);
    }
    if (g) {
        g->flush = NULL;
        if (f->failed) g->outcome = "a notification failed";
        if (!g->alerts.n)
            am_group_done(am, g);
        else if (g->flush_again)
            am_group_schedule(am, g, now_ns);
        else if (!f->failed)
            am_group_expire(am, g, now_ns); /* the last ones may have resolved meanwhile */
    }
    flush_free(f);
}
