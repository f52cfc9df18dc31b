/* store_reach.c - how far a series goes, wherever its samples are. */
#include "metrics/store_int.h"

static int64_t older_max_t(EmbeddedStore *s) {
    int64_t max_t = INT64_MIN;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    MetricsPartInfo *parts;
    size_t n;
    mutex_lock(&s->view_lock);
    vec_foreach(const FrozenHead, f, &s->frozen) {
        HeadStats stats;
        head_stats(f->head, &stats);
        max_t = MAX(max_t, stats.max_t);
    }
    mutex_unlock(&s->view_lock);
    /* After the heads: one leaves only when its parts are in the set. */
    bool ok = s->base.ops->parts(&s->base, arena, &parts, &n);
    for (size_t i = 0; ok && i < n; i++) max_t = MAX(max_t, parts[i].max_t_ms);
    arena_free(arena);
    return max_t;
}

/* Whether anything of the series outside of the active head is at start or later. In doubt there is. */
static bool older_reaches(StoreReach *r, uint32_t id, int64_t start) {
    if (!r->older_known) r->older_max_t = older_max_t(r->store);
    r->older_known = true;
    if (r->older_max_t < start) return false;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    head_lock_read(r->head);
    Labels l = head_labels(r->head, id, arena);
    head_unlock(r->head);
    const Matcher **v = ARENA_ARRAY(arena, const Matcher *, l.n);
    bool ok = l.v && v;
    for (size_t i = 0; ok && i < l.n; i++)
        ok = matcher_create(arena, MATCH_EQ, l.v[i].name, l.v[i].value, &v[i], NULL) == OK;
    MetricsSelect req = {.matchers = {v, l.n}, .min_t_ms = start, .max_t_ms = INT64_MAX, .arena = arena};
    SeriesColumns columns = {0};
    ok = ok && r->store->base.ops->select(&r->store->base, &req, &columns, NULL) == OK;
    bool found = !ok;
    for (size_t i = 0; ok && i < columns.n; i++) found |= columns.v[i].labels.n == l.n; /* not those with more labels */
    arena_free(arena);
    return found;
}

bool store_reaches(StoreReach *r, uint32_t id, int64_t t, bool older_too) {
    int64_t min_t, max_t;
    if (head_series_range(r->head, id, &min_t, &max_t)) return t <= max_t;
    return older_too && older_reaches(r, id, t);
}

void store_leave_out_old(EmbeddedStore *s, Head *h, const MetricsBatch *b, uint32_t *ids) {
    StoreReach r = {.store = s, .head = h};
    for (size_t i = 0; i < b->series.n; i++) {
        const BatchSeries *bs = &b->series.v[i];
        int64_t first = INT64_MAX;
        if (ids[i] == HEAD_NO_SERIES) continue;
        for (uint32_t k = 0; k < bs->n_samples; k++) first = MIN(first, b->t_ms.v[bs->first_sample + k]);
        for (uint32_t k = 0; k < bs->n_histograms; k++)
            first = MIN(first, b->histogram_t_ms.v[bs->first_histogram + k]);
        if (store_reaches(&r, ids[i], first, true)) ids[i] = HEAD_NO_SERIES;
    }
}
