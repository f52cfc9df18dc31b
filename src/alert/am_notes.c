/* am_notes.c - the notification log: who was told what, and when it has to be told again. */
#include "alert/am_int.h"

#include "sys/clock.h"

static void make_key(Buf *b, Str group_key, Str receiver, Str integration, unsigned index) {
    buf_put_str(b, group_key);
    buf_put_char(b, 0);
    buf_put_str(b, receiver);
    buf_put_char(b, 0);
    buf_put_str(b, integration);
    buf_put_char(b, 0);
    buf_printf(b, "%u", index);
}

static AmNote *note_of_key(Alertmanager *am, Str key, bool create) {
    AmNote *n = map_get_ptr(am->notes, key);
    if (n || !create) return n;
    size_t a = str_find_char(key, 0), b = a == SIZE_MAX ? a : str_find_char(str_skip(key, a + 1), 0);
    if (b == SIZE_MAX) return NULL;
    n = NEW(AmNote);
    n->key = mem_alloc(key.n);
    memcpy(n->key, key.p, key.n);
    n->key_n = key.n;
    n->receiver_at = (uint32_t)a + 1;
    n->integration_at = (uint32_t)(a + 1 + b + 1);
    map_set_ptr(am->notes, key, n);
    return n;
}

AmNote *am_note_find(Alertmanager *am, Str group_key, Str receiver, const Integration *i, bool create) {
    Buf b = {0};
    make_key(&b, group_key, receiver, str_cstr(integration_name(i->kind)), i->index);
    AmNote *n = note_of_key(am, buf_str(&b), create);
    if (n) n->index = i->index;
    buf_done(&b);
    return n;
}

Str am_note_group_key(const AmNote *n) { return str_of(n->key, n->receiver_at - 1u); }
Str am_note_receiver(const AmNote *n) {
    return str_of(n->key + n->receiver_at, n->integration_at - n->receiver_at - 1u);
}
Str am_note_integration(const AmNote *n) {
    Str rest = str_of(n->key + n->integration_at, n->key_n - n->integration_at);
    size_t end = str_find_char(rest, 0);
    return end == SIZE_MAX ? rest : str_slice(rest, 0, end);
}

void am_put_note(Buf *b, const AmNote *n) {
    buf_put_lenstr(b, str_of(n->key, n->key_n));
    buf_put_svarint(b, n->at_ns);
    buf_put_svarint(b, n->expires_ns);
    buf_put_uvarint(b, n->n_firing);
    for (uint32_t i = 0; i < n->n_firing; i++) buf_put_u64le(b, n->firing[i]);
    buf_put_uvarint(b, n->n_resolved);
    for (uint32_t i = 0; i < n->n_resolved; i++) buf_put_u64le(b, n->resolved[i]);
    buf_put_lenstr(b, str_of(n->state, n->state_n));
}

static bool take_set(Cursor *c, uint64_t **ret, uint32_t *ret_n) {
    uint64_t n = cursor_uvarint(c);
    if (c->bad || n > cursor_left(c) / 8) return false;
    *ret = mem_alloc_array(n + 1, sizeof **ret);
    for (uint64_t i = 0; i < n; i++) {
        (*ret)[i] = cursor_u64le(c);
        if (i && (*ret)[i] <= (*ret)[i - 1]) c->bad = true;
    }
    *ret_n = (uint32_t)n;
    return !c->bad;
}

bool am_take_note(Alertmanager *am, Str payload, bool merge) {
    Cursor c = cursor_of(payload);
    Str key = cursor_lenstr(&c);
    AmNote in = {.at_ns = cursor_svarint(&c), .expires_ns = cursor_svarint(&c)};
    bool good = take_set(&c, &in.firing, &in.n_firing) && take_set(&c, &in.resolved, &in.n_resolved);
    Str state = cursor_lenstr(&c);
    AmNote *n = good && !c.bad ? note_of_key(am, key, true) : NULL;
    if (!n || (merge && n->logged && n->at_ns >= in.at_ns)) {
        mem_free(in.firing);
        mem_free(in.resolved);
        return false;
    }
    mem_free(n->firing);
    mem_free(n->resolved);
    mem_free(n->state);
    n->logged = true;
    if (merge) n->heard_ns = clock_now_ns();
    n->at_ns = in.at_ns;
    n->expires_ns = in.expires_ns;
    n->firing = in.firing;
    n->n_firing = in.n_firing;
    n->resolved = in.resolved;
    n->n_resolved = in.n_resolved;
    n->state = mem_alloc(state.n + 1);
    if (state.n) memcpy(n->state, state.p, state.n);
    n->state_n = state.n;
    return true;
}

void am_note_log(Alertmanager *am, AmNote *n) {
    Buf b = {0};
    am_put_note(&b, n);
    am_log(am, AM_REC_NOTE, &b);
    am_cluster_tell(am, AM_REC_NOTE, buf_str(&b));
    buf_done(&b);
}

void am_note_delete(Alertmanager *am, AmNote *n, bool log) {
    if (n->in_flight) return;
    Buf key = {0};
    buf_put(&key, n->key, n->key_n);
    if (log) am_log(am, AM_REC_NOTE_GONE, &key);
    map_remove(am->notes, buf_str(&key), NULL);
    buf_done(&key);
    mem_free(n->key);
    mem_free(n->firing);
    mem_free(n->resolved);
    mem_free(n->state);
    mem_free(n);
}

/* Every one of a is in b; both sorted. */
static bool subset(const uint64_t *a, size_t n, const uint64_t *b, size_t m) {
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        while (k < m && b[k] < a[i]) k++;
        if (k == m || b[k] != a[i]) return false;
    }
    return true;
}

/* The original's needsUpdate; beyond it, what somebody has acknowledged is not repeated. NULL: nothing to send. */
const char *am_note_reason(const AmNote *n, const uint64_t *firing, size_t n_firing, const uint64_t *resolved,
    size_t n_resolved, bool send_resolved, bool all_acked, int64_t repeat_ns, int64_t now_ns) {
    if (!n->logged || (n->expires_ns <= now_ns && !all_acked)) return n_firing ? "first notification" : NULL;
    if (!subset(firing, n_firing, n->firing, n->n_firing)) {
        return n->n_firing ? "new alerts added" : "first notification";
    }
    if (!n_firing) return n->n_firing ? "all alerts resolved" : NULL;
    if (send_resolved && !subset(resolved, n_resolved, n->resolved, n->n_resolved)) return "some alerts resolved";
    if (all_acked) return NULL;
    return n->at_ns < now_ns - repeat_ns ? "repeat interval elapsed" : NULL;
}
