#include "metrics/head_int.h"

#include "storage/column.h"

#define LATE_MAX 512      /* late samples of one series before they are encoded */
#define LATE_PROBE_MAX 16 /* sealed chunks looked into for a duplicate; the rest is settled when reading */

static uint64_t bits_of(double d) {
    uint64_t b;
    memcpy(&b, &d, 8);
    return b;
}

/* --- pool --- */
static unsigned size_class(size_t size_bytes) {
    unsigned c = 0;
    while (((size_t)64 << c) < size_bytes) c++;
    ASSERT(c < POOL_CLASSES);
    return c;
}

static void *pool_alloc(Head *h, size_t size_bytes) {
    unsigned c = size_class(size_bytes);
    void *p = h->pool.free[c];
    if (p) {
        memcpy(&h->pool.free[c], p, sizeof(void *));
    } else {
        p = arena_alloc(h->pool.arena, (size_t)64 << c);
        ASSERT(p);
        h->sample_bytes = arena_used_bytes(h->pool.arena);
    }
    return p;
}

static void pool_give_back(Head *h, void *p, size_t size_bytes) {
    if (!p) return;
    unsigned c = size_class(size_bytes);
    memcpy(p, &h->pool.free[c], sizeof(void *));
    h->pool.free[c] = p;
}

void head_pool_done(HeadPool *p) { p->arena = arena_free(p->arena); }

/* Array of 8-byte items that doubles, from 8 (one size class) up. */
static void *grow_words(Head *h, void *old, size_t n, size_t old_cap, size_t new_cap) {
    void *p = pool_alloc(h, new_cap * 8);
    if (n) memcpy(p, old, n * 8);
    if (old_cap) pool_give_back(h, old, old_cap * 8);
    return p;
}

/* --- open chunk --- */
static int64_t open_t(const OpenChunk *c, size_t i) { return c->t ? c->t[i] : c->first_t + (int64_t)i * c->step_ms; }
static uint64_t open_v(const OpenChunk *c, size_t i) { return c->v ? c->v[i] : c->first_v; }

static void open_make_explicit_t(Head *h, OpenChunk *c) {
    if (c->t) return;
    uint16_t cap = 8;
    while (cap < c->n + 1) cap *= 2;
    int64_t *t = pool_alloc(h, cap * sizeof *t);
    for (size_t i = 0; i < c->n; i++) t[i] = open_t(c, i);
    c->t = t;
    c->t_cap = cap;
}

static void open_make_explicit_v(Head *h, OpenChunk *c) {
    if (c->v) return;
    uint16_t cap = 8;
    while (cap < c->n + 1) cap *= 2;
    uint64_t *v = pool_alloc(h, cap * sizeof *v);
    for (size_t i = 0; i < c->n; i++) v[i] = c->first_v;
    c->v = v;
    c->v_cap = cap;
}

static void open_reserve(Head *h, OpenChunk *c) {
    if (c->t && c->n == c->t_cap) {
        c->t = grow_words(h, c->t, c->n, c->t_cap, c->t_cap * 2);
        c->t_cap *= 2;
    }
    if (c->v && c->n == c->v_cap) {
        c->v = grow_words(h, c->v, c->n, c->v_cap, c->v_cap * 2);
        c->v_cap *= 2;
    }
}

/* t is after everything in the chunk. */
static void open_append(Head *h, OpenChunk *c, int64_t t, uint64_t v) {
    if (c->n == 0) {
        c->first_t = t;
        c->first_v = v;
        c->step_ms = 0;
        c->n = 1;
        return;
    }
    if (!c->t) {
        int64_t step = t - open_t(c, c->n - 1u);
        if (c->n == 1 && step <= INT32_MAX)
            c->step_ms = (int32_t)step;
        else if (step != c->step_ms)
            open_make_explicit_t(h, c);
    }
    if (!c->v && v != c->first_v) open_make_explicit_v(h, c);
    open_reserve(h, c);
    if (c->t) c->t[c->n] = t;
    if (c->v) c->v[c->n] = v;
    c->n++;
}

static void open_insert(Head *h, OpenChunk *c, size_t at, int64_t t, uint64_t v) {
    open_make_explicit_t(h, c);
    open_make_explicit_v(h, c);
    open_reserve(h, c);
    memmove(&c->t[at + 1], &c->t[at], (c->n - at) * sizeof *c->t);
    memmove(&c->v[at + 1], &c->v[at], (c->n - at) * sizeof *c->v);
    c->t[at] = t;
    c->v[at] = v;
    c->n++;
    c->first_t = c->t[0];
}

/* Index of the first sample with time >= t. */
static size_t open_lower_bound(const OpenChunk *c, int64_t t) {
    size_t lo = 0, hi = c->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (open_t(c, mid) < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* --- sealing --- */
static bool regular_step(const int64_t *t, size_t n, int32_t *ret_step) {
    int64_t step = n > 1 ? t[1] - t[0] : 0;
    if (step > INT32_MAX) return false;
    for (size_t i = 2; i < n; i++) {
        if (t[i] - t[i - 1] != step) return false;
    }
    *ret_step = (int32_t)step;
    return true;
}

static void seal(Head *h, HeadSeries *s, const int64_t *t, const uint64_t *v, size_t n) {
    double values[LATE_MAX];
    ASSERT(n > 0 && n <= LATE_MAX);
    memcpy(values, v, n * sizeof *v);
    int32_t step = 0;
    buf_clear(&h->scratch);
    if (!regular_step(t, n, &step)) column_encode_i64(&h->scratch, t, n);
    size_t t_bytes = h->scratch.n;
    column_encode_f64(&h->scratch, values, n);
    SealedChunk *c = arena_alloc(h->pool.arena, sizeof *c + h->scratch.n);
    ASSERT(c);
    *c = (SealedChunk){.older = s->sealed, .min_t = t[0], .max_t = t[n - 1], .step_ms = step, .n = (uint32_t)n};
    c->t_bytes = (uint32_t)t_bytes;
    c->v_bytes = (uint32_t)(h->scratch.n - t_bytes);
    memcpy(c->data, h->scratch.p, h->scratch.n);
    s->sealed = c;
    h->sample_bytes = arena_used_bytes(h->pool.arena);
}

static void seal_open(Head *h, HeadSeries *s) {
    OpenChunk *c = &s->open;
    int64_t t[HEAD_CHUNK_SAMPLES];
    uint64_t v[HEAD_CHUNK_SAMPLES];
    for (size_t i = 0; i < c->n; i++) {
        t[i] = open_t(c, i);
        v[i] = open_v(c, i);
    }
    seal(h, s, t, v, c->n);
    if (c->t) pool_give_back(h, c->t, c->t_cap * sizeof *c->t);
    if (c->v) pool_give_back(h, c->v, c->v_cap * sizeof *c->v);
    *c = (OpenChunk){0};
}

static bool sealed_decode(const SealedChunk *c, int64_t *t, double *v) {
    if (c->t_bytes == 0) {
        for (uint32_t i = 0; i < c->n; i++) t[i] = c->min_t + (int64_t)i * c->step_ms;
    } else if (!column_decode_i64(str_of((const char *)c->data, c->t_bytes), t, c->n)) {
        return false;
    }
    return column_decode_f64(str_of((const char *)c->data + c->t_bytes, c->v_bytes), v, c->n);
}

/* --- late samples --- */
static HeadExtra *extra_of(Head *h, HeadSeries *s) {
    if (!s->extra) {
        s->extra = pool_alloc(h, sizeof *s->extra);
        *s->extra = (HeadExtra){0};
    }
    return s->extra;
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
static bool sealed_find(const HeadSeries *s, int64_t t, uint64_t *ret_v) {
    int64_t times[LATE_MAX];
    double values[LATE_MAX];
    int probes = 0;
    for (const SealedChunk *c = s->sealed; c && probes < LATE_PROBE_MAX; c = c->older) {
        if (t < c->min_t || t > c->max_t) continue;
        probes++;
        if (!sealed_decode(c, times, values)) return false;
        for (uint32_t i = 0; i < c->n; i++) {
            if (times[i] != t) continue;
            *ret_v = bits_of(values[i]);
            return true;
        }
    }
    return false;
}

static HeadPut put_late(Head *h, HeadSeries *s, int64_t t, uint64_t v) {
    OpenChunk *c = &s->open;
    if (c->n && t >= c->first_t) {
        size_t at = open_lower_bound(c, t);
        if (at < c->n && open_t(c, at) == t) return same_time(open_v(c, at), v);
        open_insert(h, c, at, t, v);
        return HEAD_PUT_LATE;
    }
    uint64_t have;
    if (sealed_find(s, t, &have)) return same_time(have, v);
    HeadExtra *x = extra_of(h, s);
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
    if (++x->n_late == LATE_MAX) {
        seal(h, s, x->late_t, x->late_v, x->n_late);
        x->n_late = 0;
    }
    return HEAD_PUT_LATE;
}

/* --- writing --- */
static void hold_shard(Head *h, const HeadSeries *s) {
    Mutex *m = head_shard_of(h, s);
    if (h->held == m) return;
    if (h->held) mutex_unlock(h->held);
    mutex_lock(m);
    h->held = m;
}

void head_write_begin(Head *h) { ASSERT(!h->held); }

void head_write_end(Head *h) {
    if (h->held) mutex_unlock(h->held);
    h->held = NULL;
    h->n_samples += h->pending_samples;
    h->pending_samples = 0;
}

static void widen(Head *h, HeadSeries *s, int64_t t) {
    if (t < s->min_t) s->min_t = t;
    if (t > s->max_t) s->max_t = t;
    if (t < h->min_t) h->min_t = t;
    if (t > h->max_t) h->max_t = t;
}

HeadPut head_put(Head *h, HeadSeries *s, int64_t t, double value) {
    hold_shard(h, s);
    uint64_t v = bits_of(value);
    OpenChunk *c = &s->open;
    HeadPut put = HEAD_PUT_STORED;
    bool newest = c->n ? t > open_t(c, c->n - 1u) : !s->sealed || t > s->max_t;
    if (newest)
        open_append(h, c, t, v);
    else
        put = put_late(h, s, t, v);
    if (put == HEAD_PUT_DUPLICATE || put == HEAD_PUT_CONFLICT) return put;
    if (c->n == HEAD_CHUNK_SAMPLES) seal_open(h, s);
    widen(h, s, t);
    h->pending_samples++;
    return put;
}

HeadPut head_put_histogram(Head *h, HeadSeries *s, int64_t t, const Histogram *v) {
    hold_shard(h, s);
    HeadExtra *x = extra_of(h, s);
    buf_clear(&h->scratch);
    histogram_encode(&h->scratch, v);
    size_t at = x->n_histograms;
    while (at > 0 && x->histograms[at - 1].t >= t) at--;
    if (at < x->n_histograms && x->histograms[at].t == t)
        return str_eq(x->histograms[at].bytes, buf_str(&h->scratch)) ? HEAD_PUT_DUPLICATE : HEAD_PUT_CONFLICT;
    if (x->n_histograms == x->histogram_cap) {
        uint32_t cap = x->histogram_cap ? x->histogram_cap * 2 : 4;
        HeadHistogram *p = arena_alloc(h->pool.arena, cap * sizeof *p);
        ASSERT(p);
        if (x->n_histograms) memcpy(p, x->histograms, x->n_histograms * sizeof *p);
        x->histograms = p;
        x->histogram_cap = cap;
    }
    Str bytes = arena_copy(h->pool.arena, buf_str(&h->scratch));
    ASSERT(bytes.p);
    memmove(&x->histograms[at + 1], &x->histograms[at], (x->n_histograms - at) * sizeof *x->histograms);
    x->histograms[at] = (HeadHistogram){t, bytes};
    bool late = at < x->n_histograms++;
    h->sample_bytes = arena_used_bytes(h->pool.arena);
    widen(h, s, t);
    h->n_histograms++;
    return late ? HEAD_PUT_LATE : HEAD_PUT_STORED;
}

/* --- reading --- */
static bool read_sealed(const HeadSeries *s, int64_t min_t, int64_t max_t, SampleBuf *out) {
    int64_t t[LATE_MAX];
    double v[LATE_MAX];
    VEC(const SealedChunk *) chunks = {0};
    for (const SealedChunk *c = s->sealed; c; c = c->older) {
        if (c->max_t >= min_t && c->min_t <= max_t) vec_push(&chunks, c);
    }
    bool ok = true;
    for (size_t i = chunks.n; ok && i-- > 0;) {
        const SealedChunk *c = chunks.v[i]; /* oldest first: nearly always in order */
        ok = sealed_decode(c, t, v);
        if (ok) sample_buf_add(out, t, v, c->n, min_t, max_t);
    }
    vec_done(&chunks);
    return ok;
}

static void read_open(const HeadSeries *s, int64_t min_t, int64_t max_t, SampleBuf *out) {
    int64_t t[HEAD_CHUNK_SAMPLES];
    double v[HEAD_CHUNK_SAMPLES];
    for (size_t i = 0; i < s->open.n; i++) {
        uint64_t bits = open_v(&s->open, i);
        t[i] = open_t(&s->open, i);
        memcpy(&v[i], &bits, 8);
    }
    sample_buf_add(out, t, v, s->open.n, min_t, max_t);
}

bool head_read(
    Head *h, const HeadSeries *s, int64_t min_t, int64_t max_t, SampleBuf *out, HistogramRefs *ret_histograms) {
    Mutex *m = head_shard_of(h, s);
    mutex_lock(m);
    bool ok = true;
    if (s->max_t >= min_t && s->min_t <= max_t) {
        ok = read_sealed(s, min_t, max_t, out);
        read_open(s, min_t, max_t, out);
        const HeadExtra *x = s->extra;
        if (x && x->n_late) {
            double v[LATE_MAX];
            memcpy(v, x->late_v, x->n_late * sizeof *v);
            sample_buf_add(out, x->late_t, v, x->n_late, min_t, max_t);
        }
        for (uint32_t i = 0; x && i < x->n_histograms; i++) {
            if (x->histograms[i].t >= min_t && x->histograms[i].t <= max_t)
                vec_push(ret_histograms, (HistogramRef){x->histograms[i].t, x->histograms[i].bytes});
        }
    }
    mutex_unlock(m);
    return ok;
}

bool head_overlaps(Head *h, const HeadSeries *s, int64_t min_t, int64_t max_t) {
    Mutex *m = head_shard_of(h, s);
    mutex_lock(m);
    bool yes = s->max_t >= min_t && s->min_t <= max_t;
    mutex_unlock(m);
    return yes;
}
