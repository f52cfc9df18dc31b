/* am_state.c - the state as records: what the journal keeps and what peers tell each other. */
#include "alert/am_int.h"

void am_log(Alertmanager *am, uint8_t type, const Buf *payload) {
    if (am->journal) amjournal_append(am->journal, type, buf_str(payload));
}

void am_put_labels(Buf *b, Labels l) {
    buf_put_uvarint(b, l.n);
    for (size_t i = 0; i < l.n; i++) {
        buf_put_lenstr(b, l.v[i].name);
        buf_put_lenstr(b, l.v[i].value);
    }
}

bool am_take_labels(Cursor *c, Arena *arena, Labels *ret) {
    uint64_t n = cursor_uvarint(c);
    if (c->bad || n > cursor_left(c)) return false;
    Label *v = ARENA_ARRAY(arena, Label, n);
    for (uint64_t i = 0; v && i < n; i++) {
        Str name = cursor_lenstr(c), value = cursor_lenstr(c);
        v[i] = (Label){arena_copy(arena, name), arena_copy(arena, value)};
    }
    *ret = (Labels){v, n};
    return v && !c->bad && !arena_exhausted(arena);
}

static void put_times(Buf *b, const AmAlert *a) {
    buf_put_svarint(b, a->starts_ns);
    buf_put_svarint(b, a->ends_ns);
    buf_put_svarint(b, a->updated_ns);
    buf_put_char(
        b, (char)((a->timeout ? 1 : 0) | (a->settled ? 2 : 0) | (a->seen_resolved ? 4 : 0) | (a->by_name ? 8 : 0)));
}

static void take_times(Cursor *c, AmAlert *a) {
    a->starts_ns = cursor_svarint(c);
    a->ends_ns = cursor_svarint(c);
    a->updated_ns = cursor_svarint(c);
    uint8_t flags = cursor_u8(c);
    a->timeout = flags & 1;
    a->settled = flags & 2;
    a->seen_resolved = flags & 4;
    a->by_name = flags & 8;
}

static void encode_alert(Buf *b, const AmAlert *a) {
    put_times(b, a);
    am_put_labels(b, a->text->labels);
    am_put_labels(b, a->text->annotations);
    buf_put_lenstr(b, a->text->generator_url);
}

static void encode_ack(Buf *b, const AmAlert *a) {
    buf_put_u64le(b, a->fp);
    buf_put_char(b, a->ack != NULL);
    buf_put_svarint(b, a->ack_at_ns);
    if (!a->ack) return;
    buf_put_svarint(b, a->ack->expires_ns);
    buf_put_lenstr(b, str_cstr(a->ack->owner));
    buf_put_lenstr(b, str_cstr(a->ack->comment));
}

void am_log_alert(Alertmanager *am, const AmAlert *a) {
    Buf b = {0};
    encode_alert(&b, a);
    am_log(am, AM_REC_ALERT, &b);
    buf_done(&b);
}

void am_log_touch(Alertmanager *am, const AmAlert *a) {
    Buf b = {0};
    buf_put_u64le(&b, a->fp);
    put_times(&b, a);
    am_log(am, AM_REC_TOUCH, &b);
    buf_done(&b);
}

void am_log_ack(Alertmanager *am, const AmAlert *a) {
    Buf b = {0};
    encode_ack(&b, a);
    am_log(am, AM_REC_ACK, &b);
    am_cluster_tell(am, AM_REC_ACK, buf_str(&b));
    buf_done(&b);
}

void am_log_fp(Alertmanager *am, uint8_t type, uint64_t fp) {
    Buf b = {0};
    buf_put_u64le(&b, fp);
    am_log(am, type, &b);
    buf_done(&b);
}

static void encode_group(Buf *b, uint64_t id, int64_t created, int64_t next, int64_t flushed) {
    buf_put_u64le(b, id);
    buf_put_svarint(b, created);
    buf_put_svarint(b, next);
    buf_put_svarint(b, flushed);
}

void am_group_log(Alertmanager *am, const AmGroup *g) {
    Buf b = {0};
    encode_group(&b, g->id, g->created_ns, g->next_ns, g->flushed_ns);
    am_log(am, AM_REC_GROUP, &b);
    buf_done(&b);
}

/* --- replay --- */

static void apply_alert(Alertmanager *am, Cursor *c) {
    AmAlert times = {0};
    take_times(c, &times);
    Arena *arena = arena_create(16u << 20);
    Alert a = {0};
    bool good = am_take_labels(c, arena, &a.labels) && am_take_labels(c, arena, &a.annotations);
    a.generator_url = cursor_lenstr(c);
    if (good && !c->bad && a.labels.n) {
        uint64_t fp = alert_fingerprint(a.labels);
        AmAlert *old = am_alert_find(am, fp);
        if (!old) {
            old = NEW(AmAlert);
            old->fp = fp;
            *u64map_put(am->alerts, fp, NULL) = (uint64_t)(uintptr_t)old;
        }
        am_text_unref(old->text);
        old->text = am_text_create(&a);
        old->starts_ns = times.starts_ns;
        old->ends_ns = times.ends_ns;
        old->updated_ns = times.updated_ns;
        old->timeout = times.timeout;
        old->settled = times.settled;
        old->seen_resolved = times.seen_resolved;
        old->by_name = times.by_name;
    }
    arena_free(arena);
}

bool am_take_ack(Alertmanager *am, Str payload, bool merge) {
    Cursor c = cursor_of(payload);
    AmAlert *a = am_alert_find(am, cursor_u64le(&c));
    bool there = cursor_u8(&c);
    int64_t at = cursor_svarint(&c), expires = there ? cursor_svarint(&c) : 0;
    Str owner = there ? cursor_lenstr(&c) : STR_NULL, comment = there ? cursor_lenstr(&c) : STR_NULL;
    if (c.bad || !a || (merge && a->ack_at_ns >= at)) return false;
    a->ack = am_ack_free(a->ack);
    a->ack_at_ns = at;
    if (!there) return true;
    a->ack = NEW(AmAck);
    *a->ack = (AmAck){at, expires, str_dup_cstr(owner), str_dup_cstr(comment)};
    return true;
}

static void apply_group(Alertmanager *am, Cursor *c, bool gone) {
    uint64_t id = cursor_u64le(c), old;
    AmSavedGroup g = {0};
    if (!gone) {
        g.created_ns = cursor_svarint(c);
        g.next_ns = cursor_svarint(c);
        g.flushed_ns = cursor_svarint(c);
    }
    if (c->bad) return;
    if (gone) {
        if (u64map_remove(am->saved, id, &old)) mem_free((void *)(uintptr_t)old);
        return;
    }
    uint64_t *slot = u64map_put(am->saved, id, NULL);
    if (!*slot) *slot = (uint64_t)(uintptr_t)NEW(AmSavedGroup);
    *(AmSavedGroup *)(uintptr_t)*slot = g;
}

void am_state_apply(void *ctx, uint8_t type, Str payload) {
    Alertmanager *am = ctx;
    Cursor c = cursor_of(payload);
    AmAlert *a;
    switch (type) {
    case AM_REC_ALERT: apply_alert(am, &c); break;
    case AM_REC_TOUCH:
        a = am_alert_find(am, cursor_u64le(&c));
        if (a && cursor_left(&c) >= 4) take_times(&c, a);
        break;
    case AM_REC_ALERT_GONE:
        a = am_alert_find(am, cursor_u64le(&c));
        if (a) am_alert_delete(am, a);
        break;
    case AM_REC_SILENCE: {
        AmSilence *s = am_silence_decode(payload);
        if (s) am_silence_merge(am, s);
        break;
    }
    case AM_REC_SILENCE_GONE: {
        AmSilence *s = am_silence_find(am, payload);
        if (s) {
            map_remove(am->silences, payload, NULL);
            for (size_t i = 0; i < am->silence_order.n; i++) {
                if (am->silence_order.v[i] != s) continue;
                memmove(am->silence_order.v + i, am->silence_order.v + i + 1, (--am->silence_order.n - i) * sizeof s);
                break;
            }
            am_silence_free(s);
        }
        break;
    }
    case AM_REC_NOTE: am_take_note(am, payload, false); break;
    case AM_REC_NOTE_GONE: {
        AmNote *n = map_get_ptr(am->notes, payload);
        if (n) am_note_delete(am, n, false);
        break;
    }
    case AM_REC_ACK: am_take_ack(am, payload, false); break;
    case AM_REC_GROUP: apply_group(am, &c, false); break;
    case AM_REC_GROUP_GONE: apply_group(am, &c, true); break;
    case AM_REC_ALIVE: am->alive_ns = MAX(am->alive_ns, cursor_svarint(&c)); break;
    default: break; /* of a later version */
    }
}

void am_state_dump(void *ctx, void (*put)(void *to, uint8_t type, Str payload), void *to) {
    Alertmanager *am = ctx;
    Buf b = {0};
    size_t it = 0;
    uint64_t id, *v;
    Str key;
    while (u64map_next(am->alerts, &it, &id, &v)) {
        const AmAlert *a = (const AmAlert *)(uintptr_t)*v;
        buf_clear(&b);
        encode_alert(&b, a);
        put(to, AM_REC_ALERT, buf_str(&b));
        if (!a->ack_at_ns) continue;
        buf_clear(&b);
        encode_ack(&b, a);
        put(to, AM_REC_ACK, buf_str(&b));
    }
    vec_foreach(AmSilence *, s, &am->silence_order) {
        buf_clear(&b);
        am_silence_encode(&b, *s);
        put(to, AM_REC_SILENCE, buf_str(&b));
    }
    for (it = 0; map_next(am->notes, &it, &key, &v);) {
        const AmNote *n = (const AmNote *)(uintptr_t)*v;
        if (!n->logged) continue;
        buf_clear(&b);
        am_put_note(&b, n);
        put(to, AM_REC_NOTE, buf_str(&b));
    }
    for (it = 0; u64map_next(am->groups, &it, &id, &v);) {
        const AmGroup *g = (const AmGroup *)(uintptr_t)*v;
        buf_clear(&b);
        encode_group(&b, g->id, g->created_ns, g->next_ns, g->flushed_ns);
        put(to, AM_REC_GROUP, buf_str(&b));
    }
    for (it = 0; u64map_next(am->saved, &it, &id, &v);) {
        const AmSavedGroup *g = (const AmSavedGroup *)(uintptr_t)*v;
        buf_clear(&b);
        encode_group(&b, id, g->created_ns, g->next_ns, g->flushed_ns);
        put(to, AM_REC_GROUP, buf_str(&b));
    }
    buf_done(&b);
}
