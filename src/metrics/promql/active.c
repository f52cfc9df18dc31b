#include "metrics/promql/active.h"

#include "base/vec.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define CONCURRENCY_DEFAULT 20
#define SLOW_MS_DEFAULT 1000
#define SLOW_MAX_DEFAULT 200
#define SHORT_NS (INT64_C(100) * 1000000)
#define REST_MS 100   /* how often who rests looks whether its client is there */
#define TEXT_MAX 4096 /* of a query's text and error that is kept */

struct PromqlTicket {
    PromqlActive *owner;
    PromqlActiveInfo info; /* written under the lock once it is listed; strings in arena */
    Arena *arena;
    int64_t begin_mono_ns, run_mono_ns;
    const void *home; /* the thread that took it */
    bool is_long;     /* written by that thread, under the lock */
    bool rests;       /* under the lock */
    _Atomic uint64_t samples, memory_bytes;
    _Atomic uint64_t memory_peak;
    _Atomic bool killed;
};

struct PromqlActive {
    PromqlActiveOptions opts;
    Mutex lock;
    Cond changed;                            /* a place is free, or a queued query was killed */
    VEC(PromqlTicket *) tickets;             /* oldest first */
    unsigned running, running_long, resting; /* running: those at a place; they are short or long */
    unsigned short_places;
    uint64_t next_id;
    PromqlTicket **slow; /* a ring of slow_max */
    size_t slow_next, n_slow;
    _Atomic uint64_t memory_bytes; /* of all tickets */
};

PromqlActive *promql_active_create(const PromqlActiveOptions *opts) {
    PromqlActive *a = NEW(PromqlActive);
    if (opts) a->opts = *opts;
    if (!a->opts.concurrency_max) a->opts.concurrency_max = CONCURRENCY_DEFAULT;
    a->short_places = a->opts.concurrency_max < 4 ? 0 : MAX(1, a->opts.concurrency_max / 5);
    if (!a->opts.slow_ms) a->opts.slow_ms = SLOW_MS_DEFAULT;
    if (!a->opts.slow_max) a->opts.slow_max = SLOW_MAX_DEFAULT;
    a->slow = mem_alloc_array(a->opts.slow_max, sizeof(PromqlTicket *));
    a->next_id = 1;
    mutex_init(&a->lock);
    cond_init(&a->changed);
    return a;
}

static void ticket_free(PromqlTicket *t) {
    arena_free(t->arena);
    mem_free(t);
}

PromqlActive *promql_active_free(PromqlActive *a) {
    if (!a) return NULL;
    ASSERT(a->tickets.n == 0);
    for (size_t i = 0; i < a->n_slow; i++) ticket_free(a->slow[i]);
    mem_free(a->slow);
    vec_done(&a->tickets);
    cond_done(&a->changed);
    mutex_done(&a->lock);
    mem_free(a);
    return NULL;
}

static Str keep_text(PromqlTicket *t, Str s) {
    Str copy = arena_copy(t->arena, str_slice(s, 0, MIN(s.n, TEXT_MAX)));
    ASSERT(copy.p);
    return copy;
}

static PromqlTicket *ticket_create(PromqlActive *a, const PromqlActiveQuery *query) {
    PromqlTicket *t = NEW(PromqlTicket);
    t->owner = a;
    t->arena = arena_create(ARENA_UNLIMITED); /* bounded by TEXT_MAX */
    t->begin_mono_ns = clock_mono_ns();
    t->info = (PromqlActiveInfo){.state = PROMQL_QUEUED, .query = *query, .begin_unix_ns = clock_now_ns()};
    t->info.query.text = keep_text(t, query->text);
    t->info.query.origin = keep_text(t, query->origin);
    t->info.query.user = keep_text(t, query->user);
    return t;
}

static void drop_ticket(PromqlActive *a, PromqlTicket *t) {
    size_t i = 0;
    while (a->tickets.v[i] != t) i++;
    memmove(&a->tickets.v[i], &a->tickets.v[i + 1], (a->tickets.n - i - 1) * sizeof *a->tickets.v);
    a->tickets.n--;
}

/* --- places, with the lock held --- */

/* Tickets lie in the order in which they came. */
static bool is_first_queued(const PromqlActive *a, const PromqlTicket *t) {
    size_t i = 0;
    while (a->tickets.v[i]->info.state != PROMQL_QUEUED) i++;
    return a->tickets.v[i] == t;
}

static bool is_first_resting(const PromqlActive *a, const PromqlTicket *t) {
    size_t i = 0;
    while (!a->tickets.v[i]->rests) i++;
    return a->tickets.v[i] == t;
}

/* What rests holds memory: no more is begun beside it when half of what there is has gone. */
static bool may_begin(const PromqlActive *a, const PromqlTicket *t) {
    if (a->running >= a->opts.concurrency_max || !is_first_queued(a, t)) return false;
    if (!a->resting) return true;
    bool memory = !a->opts.memory_max_bytes || atomic_load(&a->memory_bytes) < a->opts.memory_max_bytes / 2;
    return memory && a->running - a->running_long < a->short_places;
}

static bool may_be_long(const PromqlActive *a) { return a->running_long < a->opts.concurrency_max - a->short_places; }

static ErrCode wait_for_place(PromqlActive *a, PromqlTicket *t, int64_t deadline_mono_ns, Err *reterr) {
    while (!may_begin(a, t)) {
        if (t->killed) return err_set(reterr, ERR_CANCELLED, "query was canceled in query queue");
        if (!deadline_mono_ns) {
            cond_wait(&a->changed, &a->lock);
            continue;
        }
        int64_t left_ms = (deadline_mono_ns - clock_mono_ns() + 999999) / 1000000;
        if (left_ms <= 0 || (!cond_wait_ms(&a->changed, &a->lock, left_ms) && clock_mono_ns() >= deadline_mono_ns))
            return err_set(reterr, ERR_TIMEOUT, "query timed out in query queue");
    }
    return OK;
}

/* The address is another on each thread. */
static const void *this_thread(void) {
    static _Thread_local char here;
    return &here;
}

/* Gives the place back until there is one for long queries. */
static void rest(PromqlActive *a, PromqlTicket *t, bool (*gone)(void *ctx), void *gone_ctx, int64_t deadline_mono_ns) {
    bool left = false;
    t->rests = true;
    a->running--;
    a->resting++;
    cond_broadcast(&a->changed);
    while (
        !t->killed && !left && (!may_be_long(a) || a->running >= a->opts.concurrency_max || !is_first_resting(a, t))) {
        (void)cond_wait_ms(&a->changed, &a->lock, REST_MS);
        if (deadline_mono_ns && clock_mono_ns() > deadline_mono_ns) break;
        if (!gone) continue;
        mutex_unlock(&a->lock); /* a system call */
        left = gone(gone_ctx);
        mutex_lock(&a->lock);
    }
    t->rests = false;
    a->running++;
    a->resting--;
    cond_broadcast(&a->changed);
}

ErrCode promql_ticket_take_turn(PromqlTicket *t, bool (*gone)(void *ctx), void *gone_ctx, int64_t deadline_mono_ns) {
    PromqlActive *a = t->owner;
    if (t->home != this_thread() || t->is_long || !a->short_places) return OK;
    if (clock_mono_ns() - t->run_mono_ns < SHORT_NS) return OK;
    mutex_lock(&a->lock);
    if (!may_be_long(a) || (a->resting && !is_first_resting(a, t))) rest(a, t, gone, gone_ctx, deadline_mono_ns);
    t->is_long = true; /* also when it is about to end: it is not asked again */
    a->running_long++;
    mutex_unlock(&a->lock);
    return t->killed ? ERR_CANCELLED : OK;
}

ErrCode promql_active_begin(
    PromqlActive *a, const PromqlActiveQuery *query, int64_t deadline_mono_ns, PromqlTicket **ret, Err *reterr) {
    *ret = NULL;
    if (!a) return OK;
    PromqlTicket *t = ticket_create(a, query);
    mutex_lock(&a->lock);
    t->home = this_thread();
    t->info.id = a->next_id++;
    vec_push(&a->tickets, t);
    ErrCode rc = wait_for_place(a, t, deadline_mono_ns, reterr);
    t->run_mono_ns = clock_mono_ns();
    t->info.queue_ns = t->run_mono_ns - t->begin_mono_ns;
    if (rc == OK) {
        t->info.state = PROMQL_RUNNING;
        a->running++;
    } else {
        drop_ticket(a, t);
    }
    cond_broadcast(&a->changed); /* another one is the first now */
    mutex_unlock(&a->lock);
    if (rc == OK)
        *ret = t;
    else
        ticket_free(t);
    return rc;
}

/* With the lock held: the ticket becomes an entry of the slow list. */
static void keep_slow(PromqlActive *a, PromqlTicket *t) {
    if (a->n_slow == a->opts.slow_max)
        ticket_free(a->slow[a->slow_next]);
    else
        a->n_slow++;
    a->slow[a->slow_next] = t;
    a->slow_next = (a->slow_next + 1) % a->opts.slow_max;
}

void promql_active_end(PromqlTicket *t, ErrCode code, const Err *err) {
    if (!t) return;
    PromqlActive *a = t->owner;
    a->memory_bytes -= t->memory_bytes;
    int64_t run_ns = clock_mono_ns() - t->run_mono_ns;
    bool slow = run_ns >= a->opts.slow_ms * 1000000;
    mutex_lock(&a->lock); /* promql_active_list reads the ticket until it is dropped */
    t->info.run_ns = run_ns;
    t->info.code = code;
    if (code != OK && err) t->info.error = keep_text(t, str_cstr(err->msg));
    t->info.state = PROMQL_FINISHED;
    atomic_store(&t->memory_bytes, atomic_load(&t->memory_peak));
    drop_ticket(a, t);
    a->running--;
    a->running_long -= t->is_long;
    if (slow) keep_slow(a, t);
    cond_broadcast(&a->changed);
    mutex_unlock(&a->lock);
    if (!slow) ticket_free(t);
}

uint64_t promql_ticket_id(const PromqlTicket *t) { return t ? t->info.id : 0; }
int64_t promql_ticket_queue_ns(const PromqlTicket *t) { return t ? t->info.queue_ns : 0; }

ErrCode promql_ticket_update(PromqlTicket *t, uint64_t samples, uint64_t memory_bytes) {
    PromqlActive *a = t->owner;
    t->samples = samples;
    uint64_t before = atomic_exchange(&t->memory_bytes, memory_bytes);
    uint64_t all = atomic_fetch_add(&a->memory_bytes, memory_bytes - before) + memory_bytes - before;
    uint64_t peak = t->memory_peak;
    while (peak < memory_bytes && !atomic_compare_exchange_weak(&t->memory_peak, &peak, memory_bytes)) continue;
    if (t->killed) return ERR_CANCELLED;
    /* Of many the large ones go: a small query does not die of its neighbours. */
    uint64_t max = a->opts.memory_max_bytes;
    return max && all > max && memory_bytes > max / a->opts.concurrency_max ? ERR_TOO_LARGE : OK;
}

bool promql_active_kill(PromqlActive *a, uint64_t id) {
    bool found = false;
    mutex_lock(&a->lock);
    vec_foreach(PromqlTicket *, t, &a->tickets) {
        if ((*t)->info.id != id) continue;
        (*t)->killed = true;
        found = true;
    }
    cond_broadcast(&a->changed);
    mutex_unlock(&a->lock);
    return found;
}

/* With the lock held: tickets come and go under it. */
static bool put_info(const PromqlTicket *t, Arena *arena, PromqlActiveInfo *out) {
    int64_t now = clock_mono_ns();
    *out = t->info;
    out->query.text = arena_copy(arena, t->info.query.text);
    out->query.origin = arena_copy(arena, t->info.query.origin);
    out->query.user = arena_copy(arena, t->info.query.user);
    out->error = arena_copy(arena, t->info.error);
    if (t->info.state == PROMQL_QUEUED) out->queue_ns = now - t->begin_mono_ns;
    if (t->info.state == PROMQL_RUNNING) out->run_ns = now - t->run_mono_ns;
    out->samples = t->samples;
    out->memory_bytes = t->memory_bytes;
    out->killed = t->killed;
    return out->query.text.p && out->query.origin.p && out->query.user.p && out->error.p;
}

bool promql_active_list(PromqlActive *a, Arena *arena, PromqlActiveInfo **ret, size_t *ret_n) {
    mutex_lock(&a->lock);
    *ret_n = a->tickets.n;
    *ret = ARENA_ARRAY(arena, PromqlActiveInfo, *ret_n);
    bool ok = *ret != NULL;
    for (size_t i = 0; ok && i < *ret_n; i++) ok = put_info(a->tickets.v[i], arena, &(*ret)[i]);
    mutex_unlock(&a->lock);
    return ok;
}

bool promql_active_slow(PromqlActive *a, Arena *arena, PromqlActiveInfo **ret, size_t *ret_n) {
    mutex_lock(&a->lock);
    *ret_n = a->n_slow;
    *ret = ARENA_ARRAY(arena, PromqlActiveInfo, *ret_n);
    bool ok = *ret != NULL;
    for (size_t i = 0; ok && i < *ret_n; i++) {
        size_t at = (a->slow_next + a->opts.slow_max - 1 - i) % a->opts.slow_max;
        ok = put_info(a->slow[at], arena, &(*ret)[i]);
    }
    mutex_unlock(&a->lock);
    return ok;
}
