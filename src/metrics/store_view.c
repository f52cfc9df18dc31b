/* store_view.c - what a reader sees: references to heads and parts, and of each append all or nothing.
 *
 * A query reads its series one after the other while the writer goes on. Appends that come after the view was opened
 * are hidden by what they leave behind: while any view is open, the writer notes of every series it is about to touch
 * how far it reached before. A reader that finds such a note of the time after its view cuts the series there. (A
 * sample that is late, at a time the series had already passed, is not hidden: it is one place in the past.) */
#include "metrics/store_int.h"

#define UNDO_MAX ((size_t)4 << 20) /* notes; with more, the oldest views see what is appended meanwhile */

/* --- the writer's side --- */

void undo_init(UndoLog *u) {
    mutex_init(&u->apply);
    mutex_init(&u->lock);
    atomic_init(&u->end, 0);
    atomic_init(&u->readers, 0);
}

void undo_done(UndoLog *u) {
    mutex_done(&u->apply);
    mutex_done(&u->lock);
    vec_done(&u->notes);
}

void undo_note(UndoLog *u, Head *h, const uint32_t *series, size_t n) {
    if (atomic_load(&u->readers) == 0) return;
    mutex_lock(&u->lock);
    if (u->notes.n + n > UNDO_MAX) {
        u->base += u->notes.n;
        vec_clear(&u->notes);
    }
    uint64_t epoch = head_epoch(h);
    for (size_t i = 0; i < n; i++) {
        int64_t min_t, max_t = INT64_MIN;
        if (series[i] == HEAD_NO_SERIES) continue;
        if (!head_series_range(h, series[i], &min_t, &max_t)) max_t = INT64_MIN;
        UndoNote note = {epoch, series[i], max_t};
        vec_push(&u->notes, note);
    }
    atomic_store(&u->end, u->base + u->notes.n);
    mutex_unlock(&u->lock);
}

/* --- the reader's side --- */

static void undo_enter(UndoLog *u, View *v) {
    mutex_lock(&u->apply); /* not in the middle of an append */
    mutex_lock(&u->lock);
    atomic_fetch_add(&u->readers, 1);
    v->undo_from = v->undo_seen = atomic_load(&u->end);
    v->undo_next = u->views;
    if (u->views) u->views->undo_prev = v;
    u->views = v;
    mutex_unlock(&u->lock);
    mutex_unlock(&u->apply);
}

/* Forgets what was noted before the oldest view. */
static void undo_trim(UndoLog *u) {
    uint64_t oldest = atomic_load(&u->end);
    for (const View *v = u->views; v; v = v->undo_next) oldest = MIN(oldest, v->undo_from);
    size_t gone = oldest > u->base ? (size_t)(oldest - u->base) : 0;
    if (gone == 0 || (gone < u->notes.n && gone < u->notes.n / 2)) return;
    u->notes.n -= gone;
    if (u->notes.n) memmove(u->notes.v, u->notes.v + gone, u->notes.n * sizeof *u->notes.v);
    u->base += gone;
    if (u->notes.n == 0 && u->notes.cap > 65536) vec_done(&u->notes);
}

static void undo_leave(UndoLog *u, View *v) {
    mutex_lock(&u->lock);
    if (v->undo_prev) v->undo_prev->undo_next = v->undo_next;
    if (v->undo_next) v->undo_next->undo_prev = v->undo_prev;
    if (u->views == v) u->views = v->undo_next;
    atomic_fetch_sub(&u->readers, 1);
    undo_trim(u);
    mutex_unlock(&u->lock);
}

/* What was noted since the last look, into the view's own table: of a series the first note counts. */
static void undo_follow(View *v) {
    UndoLog *u = &v->store->undo;
    uint64_t active = head_epoch(v->heads[v->n_heads - 1]);
    mutex_lock(&u->lock);
    if (!v->cuts) v->cuts = u64map_create();
    uint64_t from = MAX(v->undo_seen, u->base), end = u->base + u->notes.n;
    for (uint64_t i = from; i < end; i++) {
        const UndoNote *note = &u->notes.v[i - u->base];
        bool is_new;
        if (note->epoch != active) continue;
        uint64_t *slot = u64map_put(v->cuts, note->series, &is_new);
        if (is_new) *slot = (uint64_t)note->max_t;
    }
    v->undo_seen = end;
    mutex_unlock(&u->lock);
}

bool view_cut(View *v, size_t source, uint32_t id, int64_t *ret_max_t) {
    if (source != v->parts.n + v->n_heads - 1) return false;
    if (atomic_load(&v->store->undo.end) == v->undo_from) return false;
    mutex_lock(&v->cuts_lock); /* several threads read */
    undo_follow(v);
    const uint64_t *found = u64map_get(v->cuts, id);
    if (found) *ret_max_t = (int64_t)*found;
    mutex_unlock(&v->cuts_lock);
    return found != NULL;
}

/* --- views --- */

static void view_close(void *ctx) {
    View *v = ctx;
    undo_leave(&v->store->undo, v);
    u64map_free(v->cuts);
    mutex_done(&v->cuts_lock);
    for (size_t i = 0; i < v->n_heads; i++) head_unref(v->heads[i]);
    partset_release(v->store->parts, &v->parts);
    tombs_unref(v->tombs);
}

View *view_open(EmbeddedStore *s, Arena *arena) {
    View *v = ARENA_NEW(arena, View);
    if (!v) return NULL;
    v->store = s;
    mutex_init(&v->cuts_lock);
    mutex_lock(&s->view_lock);
    ASSERT(s->frozen.n <= FROZEN_MAX);
    for (size_t i = 0; i < s->frozen.n; i++) v->heads[v->n_heads++] = head_ref(s->frozen.v[i].head);
    v->heads[v->n_heads++] = head_ref(s->active);
    v->tombs = tombs_ref(s->tombs);
    mutex_unlock(&s->view_lock);
    /* After the heads: a head leaves only when its parts are in the set. */
    partset_snapshot(s->parts, &v->parts);
    /* After the parts: what is in them is not to be hidden. */
    undo_enter(&s->undo, v);
    arena_defer(arena, view_close, v);
    return v;
}

View *view_of(EmbeddedStore *s, const MetricsSelect *req) {
    if (!req->view) return view_open(s, req->arena);
    if (!*req->view) *req->view = view_open(s, req->arena);
    return *req->view;
}
