/* head_start.c - when samples of a head began to count: a step function of time per series. */
#include "metrics/head_int.h"

/* Number of steps at or before t. */
static size_t steps_until(const HeadExtra *x, int64_t t) {
    size_t lo = 0, hi = x->n_starts;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (x->starts[mid].t <= t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The first two, all that most series need, are less than the pool's pieces; very many are more. */
static bool from_pool(size_t cap) { return cap > 2 && cap * sizeof(HeadStart) <= HEAD_POOL_PIECE_MAX; }

static void grow(Head *h, HeadExtra *x) {
    uint32_t cap = x->starts_cap ? x->starts_cap * 2 : 2;
    size_t size_bytes = cap * sizeof(HeadStart);
    HeadStart *p = from_pool(cap) ? head_alloc(h, size_bytes) : arena_alloc(h->pool.arena, size_bytes);
    ASSERT(p);
    if (x->n_starts) memcpy(p, x->starts, x->n_starts * sizeof *p);
    if (from_pool(x->starts_cap)) head_give_back(h, x->starts, x->starts_cap * sizeof *p);
    x->starts = p;
    x->starts_cap = cap;
    head_account(h);
}

static void insert_step(Head *h, HeadExtra *x, size_t at, int64_t t, int64_t start) {
    if (x->n_starts == x->starts_cap) grow(h, x);
    memmove(&x->starts[at + 1], &x->starts[at], (x->n_starts - at) * sizeof *x->starts);
    x->starts[at] = (HeadStart){t, start};
    x->n_starts++;
}

/* At this one time only: what holds before it goes on after it. */
static void set_late(Head *h, HeadExtra *x, int64_t t, int64_t start) {
    size_t at = steps_until(x, t);
    int64_t before = at ? x->starts[at - 1].start : 0;
    if (before == start) return;
    bool ends = t < INT64_MAX && (at == x->n_starts || x->starts[at].t > t + 1);
    if (ends) insert_step(h, x, at, t + 1, before);
    if (at && x->starts[at - 1].t == t)
        x->starts[at - 1].start = start;
    else
        insert_step(h, x, at, t, start);
}

void head_set_start(Head *h, HeadSeries *s, int64_t t, int64_t start, bool newest) {
    HeadExtra *x = head_extra_of(h, s);
    s->started = true;
    if (newest && start == x->last_start) return;
    if (newest && (x->n_starts == 0 || x->starts[x->n_starts - 1].t < t))
        insert_step(h, x, x->n_starts, t, start);
    else
        set_late(h, x, t, start);
    x->last_start = x->starts[x->n_starts - 1].start;
}

void head_read_starts(const HeadExtra *x, SampleBuf *b, size_t from) {
    if (from == b->n) return;
    int64_t *out = sample_buf_starts(b, from);
    size_t at = steps_until(x, b->t[from]);
    for (size_t i = from; i < b->n; i++) {
        int64_t t = b->t[i];
        if (i > from && t < b->t[i - 1]) at = steps_until(x, t); /* late samples stand behind the others */
        while (at < x->n_starts && x->starts[at].t <= t) at++;
        out[i - from] = at ? x->starts[at - 1].start : 0;
    }
}
