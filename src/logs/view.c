#include "logs/store_int.h"
#include "sys/clock.h"

int64_t store_oldest_ns(const Store *s) { return clock_now_ns() - s->opts.retention_ms * INT64_C(1000000); }

/* A head that is being published stands twice for a moment: as `frozen` and as its parts. It is frozen until after
 * the publication and its parts cannot be merged before, so its part ids tell. */
static bool is_published(const LogHead *h, const PartSnapshot *parts) {
    for (size_t i = 0; i < h->n_part_ids; i++)
        for (size_t k = 0; k < parts->n; k++)
            if (parts->v[k].info.id == h->part_ids[i]) return true;
    return false;
}

void store_view_take(Store *s, StoreView *ret) {
    *ret = (StoreView){0};
    mutex_lock(&s->lock);
    ret->heads[ret->n_heads++] = log_head_ref(s->active);
    partset_snapshot(s->parts, &ret->parts);
    if (s->frozen && !is_published(s->frozen, &ret->parts)) ret->heads[ret->n_heads++] = log_head_ref(s->frozen);
    mutex_unlock(&s->lock);
}

void store_view_release(Store *s, StoreView *v) {
    for (size_t i = 0; i < v->n_heads; i++) log_head_unref(v->heads[i]);
    partset_release(s->parts, &v->parts);
    *v = (StoreView){0};
}
