/* am_alerts.c - the table of alerts: taking them in, merging, forgetting. */
#include "alert/am_int.h"

#include "sys/clock.h"

/* --- text --- */

static size_t labels_bytes(Labels l) {
    size_t n = l.n * sizeof(Label);
    for (size_t i = 0; i < l.n; i++) n += l.v[i].name.n + l.v[i].value.n;
    return n;
}

static Str copy_str(char **at, Str s) {
    Str r = {*at, s.n};
    if (s.n) memcpy(*at, s.p, s.n);
    *at += s.n;
    return r;
}

static Labels copy_labels(Label *to, char **at, Labels l) {
    for (size_t i = 0; i < l.n; i++) to[i] = (Label){copy_str(at, l.v[i].name), copy_str(at, l.v[i].value)};
    return (Labels){to, l.n};
}

AmText *am_text_create(const Alert *a) {
    AmText *t = mem_alloc(sizeof *t + labels_bytes(a->labels) + labels_bytes(a->annotations) + a->generator_url.n);
    atomic_init(&t->refs, 1);
    Label *labels = (Label *)(void *)(t + 1);
    char *at = (char *)(labels + a->labels.n + a->annotations.n);
    t->labels = copy_labels(labels, &at, a->labels);
    t->annotations = copy_labels(labels + a->labels.n, &at, a->annotations);
    t->generator_url = copy_str(&at, a->generator_url);
    return t;
}

AmText *am_text_ref(AmText *t) {
    atomic_fetch_add(&t->refs, 1);
    return t;
}

AmText *am_text_unref(AmText *t) {
    if (t && atomic_fetch_sub(&t->refs, 1) == 1) mem_free(t);
    return NULL;
}

/* --- table --- */

AmAlert *am_alert_find(Alertmanager *am, uint64_t fp) {
    uint64_t *v = u64map_get(am->alerts, fp);
    return v ? (AmAlert *)(uintptr_t)*v : NULL;
}

AmAck *am_ack_free(AmAck *ack) {
    if (ack) {
        mem_free(ack->owner);
        mem_free(ack->comment);
        mem_free(ack);
    }
    return NULL;
}

bool am_acked(const AmAlert *a, int64_t now_ns) {
    return a->ack && (!a->ack->expires_ns || a->ack->expires_ns > now_ns);
}

void am_alert_set_ack(Alertmanager *am, AmAlert *a, AmAck *ack, int64_t at_ns) {
    if (!ack && !a->ack) return;
    am_ack_free(a->ack);
    a->ack = ack;
    a->ack_at_ns = at_ns;
    am_log_ack(am, a);
}

void am_alert_delete(Alertmanager *am, AmAlert *a) {
    while (a->n_members) am_group_remove_alert(am, a->members[0].group, a);
    u64map_remove(am->alerts, a->fp, NULL);
    am_ack_free(a->ack);
    am_text_unref(a->text);
    mem_free(a->members);
    mem_free(a->sil);
    mem_free(a);
}

ErrCode am_alert_prepare(Alertmanager *am, Alert *a, int64_t now_ns, Err *reterr) {
    a->updated_ns = now_ns;
    if (!a->starts_ns) a->starts_ns = a->ends_ns ? a->ends_ns : now_ns;
    if (!a->ends_ns) {
        a->timeout = true;
        a->ends_ns = now_ns + am->config->resolve_timeout_ms * NS_PER_MS;
    }
    if (a->ends_ns > now_ns)
        am->counters.received_firing++;
    else
        am->counters.received_resolved++;
    if (a->ends_ns < a->starts_ns) return err_set(reterr, ERR_INVALID, "start time must be before end time");
    if (!a->labels.n) return err_set(reterr, ERR_INVALID, "at least one label pair required");
    if (labels_bytes(a->labels) + labels_bytes(a->annotations) > AM_TEXT_MAX) {
        return err_set(reterr, ERR_INVALID, "labels and annotations of more than %d bytes", AM_TEXT_MAX);
    }
    if (a->labels.n > AM_LABELS_MAX) return err_set(reterr, ERR_INVALID, "more than %d labels", AM_LABELS_MAX);
    for (int k = 0; k < 2; k++) {
        Labels l = k ? a->annotations : a->labels;
        const char *what = k ? "invalid annotations" : "invalid label set";
        for (size_t i = 0; i < l.n; i++) {
            if (!ammatch_label_name_ok(l.v[i].name, am->mode)) {
                return err_set(reterr, ERR_INVALID, "%s: invalid name \"%" STR_FMT "\"", what, STR_ARG(l.v[i].name));
            }
            if (!str_is_utf8(l.v[i].value)) return err_set(reterr, ERR_INVALID, "%s: invalid value", what);
        }
    }
    return OK;
}

/* The original's rules for two reports of one alert whose times overlap; b is the younger. */
static void merge(const AmAlert *old, Alert *b, int64_t now_ns) {
    b->starts_ns = MIN(b->starts_ns, old->starts_ns);
    if (b->ends_ns <= now_ns) {
        if (am_resolved(old, now_ns)) b->ends_ns = MAX(b->ends_ns, old->ends_ns);
    } else if (old->ends_ns > b->ends_ns && !old->timeout) {
        b->ends_ns = old->ends_ns;
        b->timeout = old->timeout;
    }
}

static bool overlaps(const AmAlert *old, const Alert *b) {
    return (b->ends_ns > old->starts_ns && b->ends_ns < old->ends_ns) ||
           (b->starts_ns > old->starts_ns && b->starts_ns < old->ends_ns);
}

static bool text_equal(const AmText *t, const Alert *a) {
    return labels_eq(t->annotations, a->annotations) && str_eq(t->generator_url, a->generator_url);
}

void am_put_alert(Alertmanager *am, const Alert *given, int64_t now_ns) {
    Alert b = *given;
    uint64_t fp = alert_fingerprint(b.labels);
    AmAlert *a = am_alert_find(am, fp);
    bool fresh = !a, was_resolved = a && am_resolved(a, now_ns), new_text = true;
    if (fresh) {
        a = NEW(AmAlert);
        a->fp = fp;
        a->text = am_text_create(&b);
        *u64map_put(am->alerts, fp, NULL) = (uint64_t)(uintptr_t)a;
    } else {
        if (overlaps(a, &b)) merge(a, &b, now_ns);
        new_text = !text_equal(a->text, &b);
        if (new_text) {
            b.labels = a->text->labels; /* the same by identity; the old text lives until the new one is made */
            AmText *t = am_text_create(&b);
            am_text_unref(a->text);
            a->text = t;
        }
    }
    bool resolved = b.ends_ns != 0 && b.ends_ns <= now_ns;
    a->starts_ns = b.starts_ns;
    a->ends_ns = b.ends_ns;
    a->updated_ns = b.updated_ns;
    a->timeout = b.timeout;
    a->by_name = b.by_name && (fresh || a->by_name); /* a sender of the same alert wants it told as any other */
    if (!resolved) {
        a->settled = false;
        if (fresh || was_resolved || a->seen_resolved) {
            a->seen_resolved = false;
            am_alert_set_ack(am, a, NULL, now_ns);
            am_history_add(am, AM_EVENT_FIRING, a->starts_ns, fp, a->text->labels, (Labels){0});
        }
    } else if (!a->seen_resolved && !fresh) {
        a->seen_resolved = true;
        am_history_add(am, AM_EVENT_RESOLVED, a->ends_ns, fp, a->text->labels, (Labels){0});
    }
    if (!resolved && am->heart) am_heart_seen(am, labels_get(a->text->labels, STR("alertname")), now_ns);
    if (fresh) am_inhibit_add(am->inhibit, a);
    if (new_text)
        am_log_alert(am, a);
    else
        am_log_touch(am, a);
    if (!resolved || !a->settled) am_route_alert(am, a, now_ns);
}

/* Alerts that ended by themselves get into the history; those that are over are forgotten. */
void am_gc(Alertmanager *am, int64_t now_ns) {
    int64_t began = clock_mono_ns();
    VEC(AmAlert *) old = {0};
    size_t it = 0;
    uint64_t fp, *v;
    while (u64map_next(am->alerts, &it, &fp, &v)) {
        AmAlert *a = (AmAlert *)(uintptr_t)*v;
        if (!am_resolved(a, now_ns)) continue;
        if (!a->seen_resolved) {
            a->seen_resolved = true;
            am_history_add(am, AM_EVENT_RESOLVED, a->ends_ns, fp, a->text->labels, (Labels){0});
        }
        if (!a->n_members && a->ends_ns + AM_ALERT_KEEP_NS <= now_ns) vec_push(&old, a);
    }
    vec_foreach(AmAlert *, a, &old)(*a)->doomed = true;
    if (old.n) am_inhibit_sweep(am->inhibit);
    vec_foreach(AmAlert *, a, &old) {
        am_log_fp(am, AM_REC_ALERT_GONE, (*a)->fp);
        am_alert_delete(am, *a);
    }
    vec_done(&old);
    VEC(AmNote *) gone = {0};
    Str key;
    it = 0;
    while (map_next(am->notes, &it, &key, &v)) {
        AmNote *n = (AmNote *)(uintptr_t)*v;
        if (n->logged ? n->expires_ns <= now_ns : n->decided_ns + am->retention_ns <= now_ns) vec_push(&gone, n);
    }
    vec_foreach(AmNote *, n, &gone) am_note_delete(am, *n, (*n)->logged);
    vec_done(&gone);
    am_silences_gc(am, now_ns);
    Buf alive = {0};
    buf_put_svarint(&alive, now_ns);
    am_log(am, AM_REC_ALIVE, &alive);
    buf_done(&alive);
    am_history_gc(am->history, now_ns);
    am->counters.gcs++;
    am->counters.gc_sum += (double)(clock_mono_ns() - began) / 1e9;
}
