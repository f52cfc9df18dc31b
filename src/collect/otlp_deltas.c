/* otlp_deltas.c - running sums of delta points.
 *
 * Keyed by the hash of the series' labels (64 bits over names and values; a collision among 200,000 series has a
 * chance of about 1e-9). Each entry keeps the newest point's time: a point that is sent again gets the sum it got
 * before (a sender that retries after a lost answer or an overload changes nothing), an older one is refused. A restart
 * begins at zero, which queries see as a counter reset. */
#include "collect/otlp_deltas.h"
#include "base/map.h"
#include "sys/thread.h"

#define DELTAS_DEFAULT_MAX 200000
#define HISTOGRAM_SHARE 16    /* one histogram is remembered per so many numbers: 100 MiB at the default */
#define DELTAS_SPREAD_MAX 320 /* buckets of one side before the scale is halved; below DELTA_BUCKETS_MAX */

typedef struct DeltaEntry {
    uint64_t key;
    double sum;
    int64_t t_ms, start_ms;    /* t_ms INT64_MIN: no point yet */
    uint32_t older, newer;     /* list by last use; 0: none (slot 0 is unused) */
    DeltaHistogram *histogram; /* owned, NULL for plain numbers */
} DeltaEntry;

typedef struct DeltaTable {
    U64Map *index; /* key -> slot */
    VEC(DeltaEntry) entries;
    uint32_t oldest, newest;
    size_t max;
} DeltaTable;

struct OtlpDeltas {
    Mutex mutex;
    DeltaTable numbers;
    DeltaTable histograms; /* apart, and fewer: each takes 8 KiB */
};

static void table_init(DeltaTable *t, size_t max) {
    t->index = u64map_create();
    t->max = max;
    vec_push(&t->entries, (DeltaEntry){0});
}

static void table_done(DeltaTable *t) {
    vec_foreach(DeltaEntry, e, &t->entries) mem_free(e->histogram);
    vec_done(&t->entries);
    u64map_free(t->index);
}

OtlpDeltas *otlp_deltas_create(size_t series_max) {
    OtlpDeltas *d = NEW(OtlpDeltas);
    size_t max = series_max ? series_max : DELTAS_DEFAULT_MAX;
    mutex_init(&d->mutex);
    table_init(&d->numbers, max);
    table_init(&d->histograms, MAX(max / HISTOGRAM_SHARE, (size_t)1));
    return d;
}

OtlpDeltas *otlp_deltas_free(OtlpDeltas *d) {
    if (!d) return NULL;
    table_done(&d->numbers);
    table_done(&d->histograms);
    mutex_done(&d->mutex);
    mem_free(d);
    return NULL;
}

size_t otlp_deltas_count(OtlpDeltas *d) {
    mutex_lock(&d->mutex);
    size_t n = u64map_count(d->numbers.index) + u64map_count(d->histograms.index);
    mutex_unlock(&d->mutex);
    return n;
}

static void unlink_entry(DeltaTable *t, uint32_t slot) {
    DeltaEntry *e = &t->entries.v[slot];
    *(e->older ? &t->entries.v[e->older].newer : &t->oldest) = e->newer;
    *(e->newer ? &t->entries.v[e->newer].older : &t->newest) = e->older;
}

static void link_newest(DeltaTable *t, uint32_t slot) {
    DeltaEntry *e = &t->entries.v[slot];
    e->older = t->newest;
    e->newer = 0;
    *(t->newest ? &t->entries.v[t->newest].newer : &t->oldest) = slot;
    t->newest = slot;
}

static DeltaEntry *entry_of(DeltaTable *t, uint64_t key) {
    uint64_t *found = u64map_get(t->index, key);
    uint32_t slot;
    if (found) {
        slot = (uint32_t)*found;
        unlink_entry(t, slot);
    } else if (u64map_count(t->index) >= t->max) {
        slot = t->oldest;
        unlink_entry(t, slot);
        u64map_remove(t->index, t->entries.v[slot].key, NULL);
        mem_free(t->entries.v[slot].histogram);
        t->entries.v[slot] = (DeltaEntry){.key = key, .t_ms = INT64_MIN};
        *u64map_put(t->index, key, NULL) = slot;
    } else {
        slot = (uint32_t)t->entries.n;
        vec_push(&t->entries, (DeltaEntry){.key = key, .t_ms = INT64_MIN});
        *u64map_put(t->index, key, NULL) = slot;
    }
    link_newest(t, slot);
    return &t->entries.v[slot];
}

static void take_start(DeltaEntry *e, int64_t *start_ms) {
    if (e->t_ms == INT64_MIN) e->start_ms = *start_ms;
    *start_ms = e->start_ms;
}

bool otlp_deltas_add(OtlpDeltas *d, uint64_t key, int64_t t_ms, double delta, double *ret_sum, int64_t *start_ms) {
    mutex_lock(&d->mutex);
    DeltaEntry *e = entry_of(&d->numbers, key);
    bool known = t_ms >= e->t_ms;
    take_start(e, start_ms);
    if (t_ms > e->t_ms) {
        e->t_ms = t_ms;
        e->sum += delta;
    }
    if (known) *ret_sum = e->sum;
    mutex_unlock(&d->mutex);
    return known;
}

/* --- exponential histograms --- */

static void downscale(DeltaBuckets *b, int by) {
    if (b->n == 0 || by == 0) return;
    by = MIN(by, 31); /* all that is left then are indexes 0 and -1, which stay what they are */
    /* Index i of a scale is index floor(i / 2^by) of the coarser one. */
    int32_t offset = b->offset >> by;
    double merged[DELTA_BUCKETS_MAX] = {0};
    int32_t last = (b->offset + (int32_t)b->n - 1) >> by;
    for (uint32_t i = 0; i < b->n; i++) merged[((b->offset + (int32_t)i) >> by) - offset] += b->count[i];
    b->offset = offset;
    b->n = (uint32_t)(last - offset + 1);
    memcpy(b->count, merged, b->n * sizeof *merged);
}

/* How many times both must be halved in scale so that their union fits. */
static int steps_to_fit(const DeltaBuckets *a, const DeltaBuckets *b) {
    if (a->n == 0 || b->n == 0) return 0;
    int by = 0;
    for (;; by++) {
        int64_t lo = MIN(a->offset >> by, b->offset >> by);
        int64_t hi = MAX((a->offset + (int64_t)a->n - 1) >> by, (b->offset + (int64_t)b->n - 1) >> by);
        if (hi - lo + 1 <= DELTAS_SPREAD_MAX) return by;
    }
}

static void add_buckets(DeltaBuckets *to, const DeltaBuckets *from) {
    if (from->n == 0) return;
    if (to->n == 0) {
        *to = *from;
        return;
    }
    int32_t lo = MIN(to->offset, from->offset);
    int32_t hi = MAX(to->offset + (int32_t)to->n, from->offset + (int32_t)from->n);
    ASSERT(hi - lo <= DELTA_BUCKETS_MAX);
    double merged[DELTA_BUCKETS_MAX] = {0};
    for (uint32_t i = 0; i < to->n; i++) merged[to->offset - lo + (int32_t)i] += to->count[i];
    for (uint32_t i = 0; i < from->n; i++) merged[from->offset - lo + (int32_t)i] += from->count[i];
    to->offset = lo;
    to->n = (uint32_t)(hi - lo);
    memcpy(to->count, merged, to->n * sizeof *merged);
}

static void rescale(DeltaHistogram *h, int by) {
    downscale(&h->pos, by);
    downscale(&h->neg, by);
    h->scale -= by;
}

static void accumulate(DeltaHistogram *sum, DeltaHistogram *delta) {
    int scale = MIN(sum->scale, delta->scale);
    rescale(sum, sum->scale - scale);
    rescale(delta, delta->scale - scale);
    int by = MAX(steps_to_fit(&sum->pos, &delta->pos), steps_to_fit(&sum->neg, &delta->neg));
    rescale(sum, by);
    rescale(delta, by);
    add_buckets(&sum->pos, &delta->pos);
    add_buckets(&sum->neg, &delta->neg);
    sum->count += delta->count;
    sum->sum += delta->sum;
    sum->zero_count += delta->zero_count;
    sum->zero_threshold = MAX(sum->zero_threshold, delta->zero_threshold);
}

bool otlp_deltas_add_histogram(OtlpDeltas *d, uint64_t key, int64_t t_ms, DeltaHistogram *h, int64_t *start_ms) {
    mutex_lock(&d->mutex);
    DeltaEntry *e = entry_of(&d->histograms, key);
    bool known = t_ms >= e->t_ms;
    take_start(e, start_ms);
    if (!e->histogram) {
        e->histogram = NEW(DeltaHistogram);
        *e->histogram = *h;
    } else if (t_ms > e->t_ms) {
        accumulate(e->histogram, h);
    }
    if (known) {
        e->t_ms = t_ms;
        *h = *e->histogram;
    }
    mutex_unlock(&d->mutex);
    return known;
}
