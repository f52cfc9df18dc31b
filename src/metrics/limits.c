#include "metrics/limits.h"

#include "base/map.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <stdlib.h>

#define CULPRITS_MAX 100 /* metrics whose refusals are told apart */

typedef struct Culprit {
    uint64_t refused;
    int64_t first_ms, last_ms;
    MetricsRefusal why;
} Culprit;

struct SeriesLimits {
    MetricsLimits limits;
    Mutex lock;
    uint64_t epoch; /* of the head that is counted */
    bool counted;
    Map *per_metric; /* series by metric name; only when there is a limit for them */
    Map *culprits;   /* metric -> index in found */
    VEC(Culprit) found;
    uint64_t refused[METRICS_REFUSAL_COUNT];
};

SeriesLimits *series_limits_create(const MetricsLimits *limits) {
    SeriesLimits *l = NEW(SeriesLimits);
    l->limits = *limits;
    l->per_metric = map_create(MAP_COPY_KEYS);
    l->culprits = map_create(MAP_COPY_KEYS);
    mutex_init(&l->lock);
    return l;
}

SeriesLimits *series_limits_free(SeriesLimits *l) {
    if (!l) return NULL;
    map_free(l->per_metric);
    map_free(l->culprits);
    vec_done(&l->found);
    mutex_done(&l->lock);
    mem_free(l);
    return NULL;
}

/* Another head: what the log brought back counts, too. */
static void recount(SeriesLimits *l, Head *h) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    map_clear(l->per_metric);
    for (uint32_t i = 0; i < head_series_count(h); i++) {
        Labels labels = head_labels(h, i, arena);
        ++*map_put(l->per_metric, labels_get(labels, LABEL_NAME_METRIC), NULL);
        if (i % 1024 == 1023) arena_reset(arena);
    }
    arena_free(arena);
    l->epoch = head_epoch(h);
    l->counted = true;
}

static void note(SeriesLimits *l, Str metric, MetricsRefusal why) {
    int64_t now = clock_now_ms();
    l->refused[why]++;
    uint64_t *at = map_get(l->culprits, metric);
    if (!at) {
        if (l->found.n == CULPRITS_MAX) return;
        at = map_put(l->culprits, metric, NULL);
        *at = l->found.n;
        vec_push(&l->found, (Culprit){.first_ms = now});
    }
    Culprit *c = &l->found.v[*at];
    c->refused++;
    c->last_ms = now;
    c->why = why;
}

static ErrCode refuse(SeriesLimits *l, MetricsRefusal why, Labels labels, Err *err, const char *rule, uint64_t max) {
    Str metric = labels_get(labels, LABEL_NAME_METRIC);
    Buf text = {0};
    labels_put_text(&text, labels);
    note(l, metric, why);
    err_set(err, ERR_UNPROCESSABLE, "new series of metric \"%.*s\" refused: %s %llu; series %.*s",
        (int)MIN(metric.n, (size_t)100), metric.p ? metric.p : "", rule, (unsigned long long)max,
        (int)MIN(text.n, (size_t)200), text.p);
    buf_done(&text);
    return ERR_UNPROCESSABLE;
}

/* Of names and values the first one that is too long. */
static ErrCode check_labels(SeriesLimits *l, Labels labels, Err *err) {
    const MetricsLimits *m = &l->limits;
    if (m->labels_max && labels.n > m->labels_max)
        return refuse(l, METRICS_REFUSED_LABELS, labels, err, "it has more labels than", m->labels_max);
    for (size_t i = 0; i < labels.n; i++) {
        if (m->name_bytes_max && labels.v[i].name.n > m->name_bytes_max)
            return refuse(l, METRICS_REFUSED_LABELS, labels, err, "a label name is longer than", m->name_bytes_max);
        if (m->value_bytes_max && labels.v[i].value.n > m->value_bytes_max)
            return refuse(l, METRICS_REFUSED_LABELS, labels, err, "a label value is longer than", m->value_bytes_max);
    }
    return OK;
}

static ErrCode check_counts(SeriesLimits *l, Head *h, Labels labels, Err *err) {
    const MetricsLimits *m = &l->limits;
    if (m->series_max && head_series_count(h) >= m->series_max)
        return refuse(
            l, METRICS_REFUSED_TOTAL, labels, err, "active series of all metrics have reached", m->series_max);
    if (!m->series_per_metric_max) return OK;
    if (!l->counted || l->epoch != head_epoch(h)) recount(l, h);
    uint64_t *n = map_put(l->per_metric, labels_get(labels, LABEL_NAME_METRIC), NULL);
    if (*n >= m->series_per_metric_max)
        return refuse(
            l, METRICS_REFUSED_METRIC, labels, err, "its active series have reached", m->series_per_metric_max);
    ++*n;
    return OK;
}

ErrCode series_limits_admit(SeriesLimits *l, Head *h, Labels labels, Err *reterr) {
    mutex_lock(&l->lock);
    ErrCode code = check_labels(l, labels, reterr);
    if (code == OK) code = check_counts(l, h, labels, reterr);
    mutex_unlock(&l->lock);
    return code;
}

void series_limits_stats(SeriesLimits *l, MetricsStoreStats *ret) {
    mutex_lock(&l->lock);
    memcpy(ret->series_refused, l->refused, sizeof l->refused);
    mutex_unlock(&l->lock);
}

static int by_refusals(const void *a, const void *b) {
    const MetricsRefused *x = a, *y = b;
    return x->refused != y->refused ? (x->refused < y->refused ? 1 : -1) : str_cmp(x->metric, y->metric);
}

bool series_limits_refused(SeriesLimits *l, Arena *arena, MetricsRefused **ret, size_t *ret_n) {
    mutex_lock(&l->lock);
    size_t n = 0, it = 0;
    MetricsRefused *v = ARENA_ARRAY(arena, MetricsRefused, MAX(l->found.n, (size_t)1));
    Str metric;
    uint64_t *at;
    bool ok = v != NULL;
    while (ok && map_next(l->culprits, &it, &metric, &at)) {
        const Culprit *c = &l->found.v[*at];
        v[n++] = (MetricsRefused){arena_copy(arena, metric), c->refused, c->first_ms, c->last_ms, c->why};
        ok = v[n - 1].metric.p != NULL;
    }
    mutex_unlock(&l->lock);
    if (n > 1) qsort(v, n, sizeof *v, by_refusals);
    *ret = v;
    *ret_n = n;
    return ok;
}
