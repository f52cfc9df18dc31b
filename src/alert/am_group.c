/* am_group.c - which group an alert belongs to, and the life of groups. */
#include "alert/am_int.h"

#include "alert/amlabel.h"

#include "base/hash.h"

uint64_t am_group_id(const AmRoute *route, Labels labels) { return hash_xx64(route->id, alert_fingerprint(labels)); }

/* The original's order within a group: job, instance, then all labels. */
int am_alert_order(Labels a, Labels b) {
    const Str first[] = {STR("job"), STR("instance")};
    for (size_t i = 0; i < ARRAY_LEN(first); i++) {
        Str x = labels_get(a, first[i]), y = labels_get(b, first[i]);
        if (!x.p && !y.p) continue;
        if (!x.p || !y.p) return x.p ? -1 : 1;
        int c = str_cmp(x, y);
        if (c) return c;
    }
    return amlabel_cmp_set(a, b);
}

void am_group_schedule(Alertmanager *am, AmGroup *g, int64_t due_ns) {
    g->next_ns = due_ns;
    g->timer = ++am->timer_generation;
    am_timer_add(am, &(AmTimer){.due_ns = due_ns, .kind = AM_TIMER_FLUSH, .group = g->id, .generation = g->timer});
}

/* Labels of l the route groups by; both are sorted. */
static Labels group_labels(const AmRoute *r, Labels l, Label *out) {
    if (r->group_by_all) return l;
    size_t n = 0, k = 0;
    for (size_t i = 0; i < l.n && k < r->n_group_by;) {
        int c = str_cmp(l.v[i].name, r->group_by[k]);
        if (c == 0) out[n++] = l.v[i];
        i += c <= 0;
        k += c >= 0;
    }
    return (Labels){out, n};
}

static AmGroup *group_create(Alertmanager *am, const AmRoute *r, Labels labels, uint64_t id, int64_t now_ns) {
    AmGroup *g = NEW(AmGroup);
    g->id = id;
    g->route = r;
    g->labels = am_text_create(&(Alert){.labels = labels});
    g->created_ns = now_ns;
    g->outcome = "waiting for its first flush";
    Buf key = {0};
    buf_put_str(&key, r->key);
    buf_put_char(&key, ':');
    amlabel_put_set(&key, labels);
    g->key = str_dup_cstr(buf_str(&key));
    buf_done(&key);
    *u64map_put(am->groups, id, NULL) = (uint64_t)(uintptr_t)g;
    return g;
}

/* When the group is new: its timer as the original sets it, or as it was before a restart. */
static void group_begin(Alertmanager *am, AmGroup *g, const AmAlert *first, int64_t now_ns) {
    uint64_t old;
    int64_t due = now_ns + g->route->group_wait_ms * NS_PER_MS;
    if (first->starts_ns + g->route->group_wait_ms * NS_PER_MS < now_ns) due = now_ns;
    if (u64map_remove(am->saved, g->id, &old)) {
        AmSavedGroup *s = (AmSavedGroup *)(uintptr_t)old;
        g->created_ns = s->created_ns;
        g->flushed_ns = s->flushed_ns;
        /* The end may have come between a flush and its notifications: one more look at the log costs nothing. */
        due = s->flushed_ns ? now_ns : MIN(MAX(s->next_ns, now_ns), now_ns + g->route->group_wait_ms * NS_PER_MS);
        mem_free(s);
    }
    am_group_schedule(am, g, due);
    am_group_log(am, g);
}

static void group_insert(AmGroup *g, AmAlert *a) {
    for (uint32_t i = 0; i < a->n_members; i++) {
        if (a->members[i].group == g) return;
    }
    a->members = mem_realloc_array(a->members, a->n_members + 1, sizeof *a->members);
    a->members[a->n_members++] = (AmMember){g, (uint32_t)g->alerts.n};
    vec_push(&g->alerts, a);
}

void am_group_remove_alert(Alertmanager *am, AmGroup *g, AmAlert *a) {
    (void)am;
    uint32_t m = 0;
    while (m < a->n_members && a->members[m].group != g) m++;
    if (m == a->n_members) return;
    uint32_t at = a->members[m].index;
    a->members[m] = a->members[--a->n_members];
    AmAlert *last = vec_pop(&g->alerts);
    if (last == a) return;
    g->alerts.v[at] = last;
    for (uint32_t i = 0; i < last->n_members; i++) {
        if (last->members[i].group == g) last->members[i].index = at;
    }
}

static bool all_resolved(AmGroup *g, int64_t now_ns) {
    for (size_t i = 0; i < g->alerts.n; i++) {
        AmAlert *a = g->alerts.v[i];
        if (am_resolved(a, now_ns)) continue;
        if (i) { /* the next look finds it at once */
            AmAlert *front = g->alerts.v[0];
            for (uint32_t k = 0; k < a->n_members; k++) {
                if (a->members[k].group == g) a->members[k].index = 0;
            }
            for (uint32_t k = 0; k < front->n_members; k++) {
                if (front->members[k].group == g) front->members[k].index = (uint32_t)i;
            }
            g->alerts.v[0] = a;
            g->alerts.v[i] = front;
        }
        return false;
    }
    return g->alerts.n > 0;
}

/* resolve_immediately: looks again when the last of the group's alerts would time out. */
static void arm_expiry(Alertmanager *am, AmGroup *g, int64_t now_ns) {
    int64_t latest = 0;
    if (g->expiry_armed) return;
    vec_foreach(AmAlert *, a, &g->alerts) latest = MAX(latest, (*a)->ends_ns);
    g->expiry_armed = latest > now_ns;
    if (g->expiry_armed) am_timer_add(am, &(AmTimer){.due_ns = latest, .kind = AM_TIMER_EXPIRE, .group = g->id});
}

void am_group_expire(Alertmanager *am, AmGroup *g, int64_t now_ns) {
    if (!g->route->resolve_immediately || g->flush) return;
    if (all_resolved(g, now_ns))
        am_group_schedule(am, g, now_ns);
    else
        arm_expiry(am, g, now_ns);
}

size_t am_alert_routes(Alertmanager *am, Labels l, bool by_name, const AmRoute **out, size_t max) {
    size_t n = amroute_match(am->config->root, l, out, max), kept = 0;
    if (!by_name) return n;
    Str name = labels_get(l, STR("alertname"));
    for (size_t i = 0; i < n; i++)
        if (amroute_names(out[i], name)) out[kept++] = out[i];
    return kept;
}

void am_route_alert(Alertmanager *am, AmAlert *a, int64_t now_ns) {
    if (!am->running) return;
    const AmRoute *routes[AM_ROUTES_MAX];
    Label buf[AM_LABELS_MAX];
    Labels l = a->text->labels;
    size_t n = am_alert_routes(am, l, a->by_name, routes, ARRAY_LEN(routes));
    for (size_t i = 0; i < n; i++) {
        Labels labels = group_labels(routes[i], l, buf);
        uint64_t id = am_group_id(routes[i], labels), *slot = u64map_get(am->groups, id);
        AmGroup *g = slot ? (AmGroup *)(uintptr_t)*slot : group_create(am, routes[i], labels, id, now_ns);
        group_insert(g, a);
        if (!slot) {
            group_begin(am, g, a, now_ns);
            if (g->route->resolve_immediately) arm_expiry(am, g, now_ns);
        } else if (g->route->resolve_immediately && am_resolved(a, now_ns) && g->flushed_ns) {
            am_group_expire(am, g, now_ns);
        }
    }
}

static void group_free(AmGroup *g) {
    for (size_t i = 0; i < g->alerts.n; i++) {
        AmAlert *a = g->alerts.v[i];
        for (uint32_t k = 0; k < a->n_members; k++) {
            if (a->members[k].group == g) {
                a->members[k] = a->members[--a->n_members];
                break;
            }
        }
    }
    if (g->flush) g->flush->group = NULL;
    am_text_unref(g->labels);
    mem_free(g->key);
    vec_done(&g->alerts);
    mem_free(g);
}

void am_group_done(Alertmanager *am, AmGroup *g) {
    am_log_fp(am, AM_REC_GROUP_GONE, g->id);
    u64map_remove(am->groups, g->id, NULL);
    group_free(g);
}

void am_groups_clear(Alertmanager *am, bool log) {
    size_t it = 0;
    uint64_t id, *v;
    while (u64map_next(am->groups, &it, &id, &v)) {
        if (log) am_log_fp(am, AM_REC_GROUP_GONE, id);
        group_free((AmGroup *)(uintptr_t)*v);
    }
    u64map_clear(am->groups);
}

void am_groups_rebuild(Alertmanager *am, int64_t now_ns, bool first) {
    am_groups_clear(am, true);
    am_inhibit_free(am->inhibit);
    am->inhibit = am_inhibit_create(am->config);
    size_t it = 0;
    uint64_t id, *v, alive_ns = (uint64_t)am->alive_ns;
    while (first && u64map_next(am->alerts, &it, &id, &v)) {
        alive_ns = MAX(alive_ns, (uint64_t)((AmAlert *)(uintptr_t)*v)->updated_ns);
    }
    for (it = 0; first && u64map_next(am->saved, &it, &id, &v);) {
        alive_ns = MAX(alive_ns, (uint64_t)((AmSavedGroup *)(uintptr_t)*v)->flushed_ns);
    }
    for (it = 0; u64map_next(am->alerts, &it, &id, &v);) {
        AmAlert *a = (AmAlert *)(uintptr_t)*v;
        /* What was firing when the process ended did not resolve while nobody could be told that it goes on. */
        if (first && !a->settled && a->ends_ns > (int64_t)alive_ns && a->ends_ns < now_ns + AM_RESTART_GRACE_NS) {
            a->ends_ns = now_ns + AM_RESTART_GRACE_NS;
        }
        am_inhibit_add(am->inhibit, a);
        if (!am_resolved(a, now_ns) || !a->settled) am_route_alert(am, a, now_ns);
    }
    for (it = 0; u64map_next(am->saved, &it, &id, &v);) {
        am_log_fp(am, AM_REC_GROUP_GONE, id);
        mem_free((void *)(uintptr_t)*v);
    }
    u64map_clear(am->saved);
}
