/* partset_pick.c - which parts to merge, which to let go. */
#include "storage/partset_int.h"

#include "base/log.h"

#include <stdlib.h>

#define MERGE_MAX 16
/* A merge must be worth its writes: all inputs together over the largest one. Two equal parts give 2. */
#define MERGE_GAIN_MIN 1.7
/* Little data is cheap to rewrite, and of small parts the index is a large share: there less gain is enough. */
#define MERGE_GAIN_MIN_SMALL 1.2
#define MERGE_SMALL_BYTES ((uint64_t)48 << 20)
/* Below this size parts count as equal: what they cost is opening them, not rewriting them. */
#define MERGE_SIZE_FLOOR ((double)(256 << 10))

static int64_t partition_of(int64_t t, int64_t len) {
    if (len <= 0) return 0;
    int64_t q = t / len;
    return t % len < 0 ? q - 1 : q;
}

typedef struct Candidate {
    PartEntry *entry;
    int64_t partition;
} Candidate;

static int cmp_candidate(const void *a, const void *b) {
    const Candidate *x = a, *y = b;
    if (x->partition != y->partition) return x->partition < y->partition ? -1 : 1;
    return x->entry->info.order < y->entry->info.order ? -1 : x->entry->info.order > y->entry->info.order;
}

/* All parts, those of a partition by order. */
static Candidate *candidates(const PartVersion *v, int64_t partition_len) {
    Candidate *c = mem_alloc_array(MAX(v->n, 1), sizeof *c);
    for (size_t i = 0; i < v->n; i++)
        c[i] = (Candidate){v->entries[i], partition_of(v->entries[i]->info.min_t, partition_len)};
    if (v->n > 1) qsort(c, v->n, sizeof *c, cmp_candidate);
    return c;
}

static bool in_run(const Candidate *run, size_t n, const PartInfo *p) {
    for (size_t i = 0; i < n; i++)
        if (&run[i].entry->info == p) return true;
    return false;
}

/* Whether a part of another partition stands between some of the n neighbours: younger than one that it overlaps, but
 * older than the last. */
static bool some_between(const PartVersion *v, const Candidate *run, size_t n) {
    for (size_t i = 0; i < v->n; i++) {
        const PartInfo *x = &v->entries[i]->info;
        if (x->order >= run[n - 1].entry->info.order) continue;
        for (size_t k = 0; k + 1 < n; k++) {
            const PartInfo *p = &run[k].entry->info;
            if (p->order < x->order && p->min_t <= x->max_t && x->min_t <= p->max_t && !in_run(run, n, x)) return true;
        }
    }
    return false;
}

/* The best run of neighbours: the one with the highest gain. */
static size_t best_run(const PartVersion *v, const Candidate *c, uint64_t size_max, size_t max, size_t *ret_first) {
    double best = 0;
    size_t best_n = 0;
    for (size_t i = 0; i < v->n; i++) {
        double sum = 0, largest = 0;
        uint64_t bytes = 0;
        for (size_t n = 1; n <= max && i + n <= v->n; n++) {
            const PartEntry *e = c[i + n - 1].entry;
            if (e->merging || c[i + n - 1].partition != c[i].partition) break;
            bytes += e->info.size_bytes;
            if (size_max && bytes > size_max) break;
            double size = MAX((double)e->info.size_bytes, MERGE_SIZE_FLOOR);
            sum += size;
            largest = MAX(largest, size);
            double gain = sum / largest;
            if (n < 2 || gain < best || gain < (bytes <= MERGE_SMALL_BYTES ? MERGE_GAIN_MIN_SMALL : MERGE_GAIN_MIN))
                continue;
            if (some_between(v, &c[i], n)) continue;
            best = gain;
            best_n = n;
            *ret_first = i;
        }
    }
    return best_n;
}

size_t partset_pick_merge(PartSet *s, int64_t partition_len, uint64_t size_bytes_max, uint64_t *ret_ids, size_t max) {
    size_t first = 0;
    mutex_lock(&s->mutex);
    Candidate *c = candidates(s->current, partition_len);
    size_t n = best_run(s->current, c, size_bytes_max, MIN(max, MERGE_MAX), &first);
    for (size_t i = 0; i < n; i++) {
        c[first + i].entry->merging = true;
        ret_ids[i] = c[first + i].entry->info.id;
    }
    mutex_unlock(&s->mutex);
    mem_free(c);
    return n;
}

void partset_unmark_merge(PartSet *s, const uint64_t *ids, size_t n) {
    mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->current->n; i++) {
        PartEntry *e = s->current->entries[i];
        for (size_t k = 0; k < n; k++)
            if (e->info.id == ids[k]) e->merging = false;
    }
    mutex_unlock(&s->mutex);
}

static int cmp_age(const void *a, const void *b) {
    const PartInfo *x = a, *y = b;
    if (x->max_t != y->max_t) return x->max_t < y->max_t ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

size_t partset_pick_expired(PartSet *s, int64_t min_t, uint64_t size_bytes_max, uint64_t *ret_ids, size_t max) {
    mutex_lock(&s->mutex);
    uint64_t left = s->size_bytes;
    size_t n = 0, out = 0;
    PartInfo *idle = mem_alloc_array(MAX(s->current->n, 1), sizeof *idle);
    /* Parts in a merge are left alone: the result is looked at when it is there. */
    for (size_t i = 0; i < s->current->n; i++)
        if (!s->current->entries[i]->merging) idle[n++] = s->current->entries[i]->info;
    mutex_unlock(&s->mutex);
    if (n > 1) qsort(idle, n, sizeof *idle, cmp_age);
    for (size_t i = 0; i < n && out < max; i++) {
        bool old = idle[i].max_t < min_t, over = size_bytes_max && left > size_bytes_max;
        if (!old && !over) break;
        left -= idle[i].size_bytes;
        ret_ids[out++] = idle[i].id;
    }
    mem_free(idle);
    return out;
}

/* --- scrubbing --- */

static bool take_unverified(PartSet *s, const PartVersion *v, size_t i) {
    mutex_lock(&s->mutex);
    bool take = !v->entries[i]->verified;
    v->entries[i]->verified = true;
    mutex_unlock(&s->mutex);
    return take;
}

bool partset_scrub(PartSet *s, uint64_t budget_bytes) {
    PartSnapshot snap;
    partset_snapshot(s, &snap);
    const PartVersion *v = snap.impl;
    uint64_t done = 0;
    size_t i = 0;
    for (; i < v->n && done < budget_bytes; i++) {
        if (!take_unverified(s, v, i)) continue;
        done += v->entries[i]->info.size_bytes;
        Err err = {0};
        if (part_verify(v->entries[i]->part, &err) == OK) continue;
        s->corrupt++;
        log_error("a part is damaged: what is good in it is served", "error", err.msg, NULL);
    }
    bool all = i == v->n;
    partset_release(s, &snap);
    return all;
}
