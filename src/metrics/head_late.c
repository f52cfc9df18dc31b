/* head_late.c - samples that come after younger ones. */
#include "metrics/head_int.h"

#define LATE_PROBE_MAX 16 /* sealed chunks looked into for a duplicate; the rest is settled when reading */

/* Array of 8-byte items that doubles, from 8 (one size class) up. */
static void *grow_words(Head *h, void *old, size_t n, size_t old_cap, size_t new_cap) {
    void *p = head_alloc(h, new_cap * 8);
    if (n) memcpy(p, old, n * 8);
    if (old_cap) head_give_back(h, old, old_cap * 8);
    return p;
}

/* Index of the first sample with time >= t. */
static size_t open_lower_bound(const Head *h, const HeadSeries *s, int64_t t) {
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (head_open_t(h, s, mid) < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

HeadExtra *head_extra_of(Head *h, HeadSeries *s) {
    if (!s->extra) {
        s->extra = head_piece_take(h, sizeof(HeadExtra));
        *head_extra(h, s) = (HeadExtra){.min_t = INT64_MAX, .max_t = INT64_MIN};
    }
    return head_extra(h, s);
}

void head_extra_widen(HeadExtra *x, int64_t min_t, int64_t max_t) {
    x->min_t = MIN(x->min_t, min_t);
    x->max_t = MAX(x->max_t, max_t);
}

static size_t late_lower_bound(const HeadExtra *x, int64_t t) {
    size_t lo = 0, hi = x->n_late;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (x->late_t[mid] < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static HeadPut same_time(uint64_t have, uint64_t got) { return have == got ? HEAD_PUT_DUPLICATE : HEAD_PUT_CONFLICT; }

/* Looks for time t in the sealed chunks that cover it. */
static bool sealed_find(const HeadExtra *x, int64_t t, uint64_t *ret_v) {
    int64_t times[LATE_MAX];
    double values[LATE_MAX];
    int probes = 0;
    for (const SealedChunk *c = x ? x->sealed : NULL; c && probes < LATE_PROBE_MAX; c = c->older) {
        if (t < c->min_t || t > c->max_t) continue;
        probes++;
        if (!head_sealed_decode(c, times, values)) return false;
        for (uint32_t i = 0; i < c->n; i++) {
            if (times[i] != t) continue;
            memcpy(ret_v, &values[i], 8);
            return true;
        }
    }
    return false;
}

HeadPut head_put_late(Head *h, HeadSeries *s, int64_t t, uint64_t v) {
    if (s->n && t >= s->first_t) {
        size_t at = open_lower_bound(h, s, t);
        if (at < s->n && head_open_t(h, s, at) == t) return same_time(head_open_v(h, s, at), v);
        head_open_insert(h, s, at, t, v);
        return HEAD_PUT_LATE;
    }
    uint64_t have;
    if (sealed_find(head_extra(h, s), t, &have)) return same_time(have, v);
    HeadExtra *x = head_extra_of(h, s);
    size_t at = late_lower_bound(x, t);
    if (at < x->n_late && x->late_t[at] == t) return same_time(x->late_v[at], v);
    if (x->n_late == x->late_cap) {
        uint32_t cap = x->late_cap ? x->late_cap * 2 : 8;
        x->late_t = grow_words(h, x->late_t, x->n_late, x->late_cap, cap);
        x->late_v = grow_words(h, x->late_v, x->n_late, x->late_cap, cap);
        x->late_cap = cap;
    }
    memmove(&x->late_t[at + 1], &x->late_t[at], (x->n_late - at) * sizeof *x->late_t);
    memmove(&x->late_v[at + 1], &x->late_v[at], (x->n_late - at) * sizeof *x->late_v);
    x->late_t[at] = t;
    x->late_v[at] = v;
    head_extra_widen(x, t, t);
    if (++x->n_late == LATE_MAX) {
        double values[LATE_MAX];
        memcpy(values, x->late_v, sizeof values);
        head_seal(h, s, x->late_t, values, x->n_late);
        x->n_late = 0;
    }
    return HEAD_PUT_LATE;
}
