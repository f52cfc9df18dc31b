/* notify.c - what an operator should know at once (a reload that failed): /notifications and its live stream. */
#include "metrics/api/notify.h"

#include "base/json.h"
#include "base/timefmt.h"
#include "base/vec.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define SUBSCRIBERS_MAX 16
#define PENDING_BYTES_MAX 16384 /* of one subscriber; a reader that slow misses what comes then */

typedef struct Note {
    char *text;
    int64_t t_ns;
} Note;

typedef struct Subscriber {
    struct ApiNotes *notes;
    HttpWaker *waker;
    Buf pending;
} Subscriber;

struct ApiNotes {
    Mutex lock;
    VEC(Note) active;
    VEC(Subscriber *) subscribers;
    bool closed;
    uint64_t sent, dropped;
};

ApiNotes *api_notes_create(void) {
    ApiNotes *n = NEW(ApiNotes);
    mutex_init(&n->lock);
    return n;
}

ApiNotes *api_notes_free(ApiNotes *n) {
    if (!n) return NULL;
    ASSERT(n->subscribers.n == 0);
    for (size_t i = 0; i < n->active.n; i++) mem_free(n->active.v[i].text);
    vec_done(&n->active);
    vec_done(&n->subscribers);
    mutex_done(&n->lock);
    mem_free(n);
    return NULL;
}

static void put_note(JsonWriter *w, const Note *note, bool active) {
    Buf date = {0};
    time_put_rfc3339(&date, note->t_ns);
    json_begin_object(w);
    json_key_lit(w, "text");
    json_str(w, str_cstr(note->text));
    json_key_lit(w, "date");
    json_str(w, buf_str(&date));
    json_key_lit(w, "active");
    json_bool(w, active);
    json_end_object(w);
    buf_done(&date);
}

static void put_event(Buf *out, const Note *note, bool active) {
    JsonWriter w = json_writer(out);
    buf_put_lit(out, "data: ");
    put_note(&w, note, active);
    buf_put_lit(out, "\n\n");
}

static void tell(ApiNotes *n, const Note *note, bool active) {
    for (size_t i = 0; i < n->subscribers.n; i++) {
        Subscriber *s = n->subscribers.v[i];
        if (s->pending.n < PENDING_BYTES_MAX) {
            put_event(&s->pending, note, active);
            n->sent++;
        } else {
            n->dropped++;
        }
        http_waker_wake(s->waker);
    }
}

void api_notes_set(ApiNotes *n, const char *text, bool active) {
    mutex_lock(&n->lock);
    size_t at = 0;
    while (at < n->active.n && strcmp(n->active.v[at].text, text) != 0) at++;
    if (active && at == n->active.n) vec_push(&n->active, (Note){.text = str_dup_cstr(str_cstr(text))});
    if (at < n->active.n) {
        Note *note = &n->active.v[at];
        if (active) note->t_ns = clock_now_ns();
        tell(n, note, active);
        if (!active) {
            mem_free(note->text);
            memmove(note, note + 1, (n->active.n - at - 1) * sizeof *note);
            n->active.n--;
        }
    }
    mutex_unlock(&n->lock);
}

void api_notes_put(ApiNotes *n, JsonWriter *w) {
    mutex_lock(&n->lock);
    json_begin_array(w);
    for (size_t i = 0; i < n->active.n; i++) put_note(w, &n->active.v[i], true);
    json_end_array(w);
    mutex_unlock(&n->lock);
}

void api_notes_stats(ApiNotes *n, ApiNotesStats *ret) {
    mutex_lock(&n->lock);
    *ret = (ApiNotesStats){n->subscribers.n, n->sent, n->dropped};
    mutex_unlock(&n->lock);
}

/* --- the stream --- */

static ptrdiff_t pull(void *ctx, char *buf, size_t max) {
    Subscriber *s = ctx;
    ptrdiff_t given = HTTP_BODY_WAIT;
    mutex_lock(&s->notes->lock);
    if (s->pending.n) {
        size_t n = MIN(max, s->pending.n);
        memcpy(buf, s->pending.p, n);
        memmove(s->pending.p, s->pending.p + n, s->pending.n - n);
        s->pending.n -= n;
        given = (ptrdiff_t)n;
    } else if (s->notes->closed) {
        given = HTTP_BODY_END;
    }
    mutex_unlock(&s->notes->lock);
    return given;
}

static void unsubscribe(void *ctx) {
    Subscriber *s = ctx;
    ApiNotes *n = s->notes;
    mutex_lock(&n->lock);
    for (size_t i = 0; i < n->subscribers.n; i++) {
        if (n->subscribers.v[i] != s) continue;
        n->subscribers.v[i] = n->subscribers.v[--n->subscribers.n];
        break;
    }
    mutex_unlock(&n->lock);
    http_waker_unref(s->waker);
    buf_done(&s->pending);
    mem_free(s);
}

bool api_notes_stream(ApiNotes *n, HttpResponse *res) {
    mutex_lock(&n->lock);
    bool room = !n->closed && n->subscribers.n < SUBSCRIBERS_MAX;
    if (room) {
        Subscriber *s = NEW(Subscriber);
        *s = (Subscriber){.notes = n, .waker = http_response_waker(res)};
        buf_put_lit(&s->pending, ":\n\n"); /* a comment: the head of the answer goes out at once */
        for (size_t i = 0; i < n->active.n; i++) put_event(&s->pending, &n->active.v[i], true);
        vec_push(&n->subscribers, s);
        http_reply_stream(res, 200, STR("text/event-stream"), pull, unsubscribe, s);
        http_set_header(res, STR("Cache-Control"), STR("no-cache"));
    }
    mutex_unlock(&n->lock);
    return room;
}

void api_notes_close(ApiNotes *n) {
    mutex_lock(&n->lock);
    n->closed = true;
    for (size_t i = 0; i < n->subscribers.n; i++) http_waker_wake(n->subscribers.v[i]->waker);
    mutex_unlock(&n->lock);
}
