/* head_samples.c - open and sealed chunks of a series: appending, sealing, reading. */
#include "metrics/head_int.h"

#include "storage/column.h"

static uint64_t bits_of(double d) {
    uint64_t b;
    memcpy(&b, &d, 8);
    return b;
}

/* --- open chunk --- */
static size_t cap_of(const HeadSeries *s) { return (size_t)1 << s->cap_log; }
static size_t array_bytes(const HeadSeries *s) { return (cap_of(s) * 8) << s->irregular; }

/* Gives the open chunk arrays for `cap_log`, values always, times when irregular; what there is moves over. */
static void reshape(Head *h, HeadSeries *s, unsigned cap_log, bool irregular) {
    HeadSeries next = *s;
    next.cap_log = (uint8_t)cap_log;
    next.irregular = irregular;
    next.v = head_alloc(h, array_bytes(&next));
    if (s->v)
        memcpy(next.v, s->v, s->n * sizeof *next.v);
    else
        for (size_t i = 0; i < s->n; i++) next.v[i] = s->first_v;
    if (irregular) {
        int64_t *t = head_open_times(&next);
        for (size_t i = 0; i < s->n; i++) t[i] = head_open_t(s, i);
    }
    if (s->v) head_give_back(h, s->v, array_bytes(s));
    *s = next;
}

/* Room for one more sample, of which the arrays must hold the time (irregular) and the value (varied). */
static void open_reserve(Head *h, HeadSeries *s, bool irregular, bool varied) {
    irregular |= s->irregular;
    if (!irregular && !varied && !s->v) return;
    unsigned cap_log = s->v ? s->cap_log : 3; /* 8 words, the pool's smallest piece */
    while ((size_t)1 << cap_log < s->n + 1u) cap_log++;
    if (!s->v || cap_log != s->cap_log || irregular != s->irregular) reshape(h, s, cap_log, irregular);
}

/* t is after everything in the chunk. */
static void open_append(Head *h, HeadSeries *s, int64_t t, uint64_t v) {
    if (s->n == 0) {
        s->first_t = t;
        s->first_v = v;
        s->step_ms = 0;
        s->n = 1;
        return;
    }
    bool irregular = false;
    if (!s->irregular) {
        int64_t step = t - head_open_t(s, s->n - 1u);
        if (s->n == 1 && step <= INT32_MAX)
            s->step_ms = (int32_t)step;
        else
            irregular = step != s->step_ms;
    }
    open_reserve(h, s, irregular, v != s->first_v);
    if (s->irregular) head_open_times(s)[s->n] = t;
    if (s->v) s->v[s->n] = v;
    s->n++;
}

void head_open_insert(Head *h, HeadSeries *s, size_t at, int64_t t, uint64_t v) {
    open_reserve(h, s, true, true);
    int64_t *times = head_open_times(s);
    memmove(&times[at + 1], &times[at], (s->n - at) * sizeof *times);
    memmove(&s->v[at + 1], &s->v[at], (s->n - at) * sizeof *s->v);
    times[at] = t;
    s->v[at] = v;
    s->n++;
    s->first_t = times[0];
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

void head_seal(Head *h, HeadSeries *s, const int64_t *t, const uint64_t *v, size_t n) {
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
    head_account(h);
}

static void seal_open(Head *h, HeadSeries *s) {
    int64_t t[HEAD_CHUNK_MAX];
    uint64_t v[HEAD_CHUNK_MAX];
    for (size_t i = 0; i < s->n; i++) {
        t[i] = head_open_t(s, i);
        v[i] = head_open_v(s, i);
    }
    head_seal(h, s, t, v, s->n);
    if (s->v) head_give_back(h, s->v, array_bytes(s));
    s->v = NULL;
    s->cap_log = 0;
    s->irregular = false;
    s->n = 0;
}

bool head_sealed_decode(const SealedChunk *c, int64_t *t, double *v) {
    if (c->t_bytes == 0) {
        for (uint32_t i = 0; i < c->n; i++) t[i] = c->min_t + (int64_t)i * c->step_ms;
    } else if (!column_decode_i64(str_of((const char *)c->data, c->t_bytes), t, c->n)) {
        return false;
    }
    return column_decode_f64(str_of((const char *)c->data + c->t_bytes, c->v_bytes), v, c->n);
}

/* --- writing --- */
static void hold_shard(Head *h, uint32_t id) {
    Mutex *m = head_shard_of(h, id);
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

static void note_active(Head *h, HeadSeries *s) {
    if (s->tick == 0) h->n_active++;
    s->tick = h->tick & 0x7f;
    h->n_this_tick++;
}

static void widen(Head *h, HeadSeries *s, int64_t t) {
    if (t < s->min_t) s->min_t = t;
    if (t > s->max_t) s->max_t = t;
    if (t < h->min_t) h->min_t = t;
    if (t > h->max_t) h->max_t = t;
    if (s->tick != h->tick) note_active(h, s);
}

HeadPut head_put(Head *h, uint32_t id, int64_t t, double value, int64_t start) {
    HeadSeries *s = head_series_make(h, id);
    hold_shard(h, id);
    uint64_t v = bits_of(value);
    HeadPut put = HEAD_PUT_STORED;
    bool newest = s->n ? t > head_open_t(s, s->n - 1u) : !s->sealed || t > s->max_t;
    if (newest)
        open_append(h, s, t, v);
    else
        put = head_put_late(h, s, t, v);
    if (put == HEAD_PUT_DUPLICATE || put == HEAD_PUT_CONFLICT) return put;
    if (s->n >= h->chunk_max) seal_open(h, s);
    if (start || s->started) head_set_start(h, s, t, start, newest);
    widen(h, s, t);
    h->pending_samples++;
    return put;
}

HeadPut head_put_histogram(Head *h, uint32_t id, int64_t t, const Histogram *v, int64_t start) {
    HeadSeries *s = head_series_make(h, id);
    hold_shard(h, id);
    HeadExtra *x = head_extra_of(h, s);
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
    x->histograms[at] = (HeadHistogram){t, start, bytes};
    bool late = at < x->n_histograms++;
    head_account(h);
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
        ok = head_sealed_decode(c, t, v);
        if (ok) sample_buf_add(out, t, v, c->n, min_t, max_t);
    }
    vec_done(&chunks);
    return ok;
}

static void read_open(const HeadSeries *s, int64_t min_t, int64_t max_t, SampleBuf *out) {
    int64_t t[HEAD_CHUNK_MAX];
    double v[HEAD_CHUNK_MAX];
    for (size_t i = 0; i < s->n; i++) {
        uint64_t bits = head_open_v(s, i);
        t[i] = head_open_t(s, i);
        memcpy(&v[i], &bits, 8);
    }
    sample_buf_add(out, t, v, s->n, min_t, max_t);
}

bool head_read(Head *h, uint32_t id, int64_t min_t, int64_t max_t, SampleBuf *out, HistogramRefs *ret_histograms) {
    const HeadSeries *s = head_series(h, id);
    if (!s) return true;
    Mutex *m = head_shard_of(h, id);
    mutex_lock(m);
    bool ok = true;
    size_t first = out->n;
    if (s->max_t >= min_t && s->min_t <= max_t) {
        ok = read_sealed(s, min_t, max_t, out);
        read_open(s, min_t, max_t, out);
        const HeadExtra *x = s->extra;
        if (x && x->n_late) {
            double v[LATE_MAX];
            memcpy(v, x->late_v, x->n_late * sizeof *v);
            sample_buf_add(out, x->late_t, v, x->n_late, min_t, max_t);
        }
        if (s->started && out->want_starts) head_read_starts(x, out, first);
        for (uint32_t i = 0; x && i < x->n_histograms; i++) {
            if (x->histograms[i].t >= min_t && x->histograms[i].t <= max_t)
                vec_push(
                    ret_histograms, (HistogramRef){x->histograms[i].t, x->histograms[i].bytes, x->histograms[i].start});
        }
    }
    mutex_unlock(m);
    return ok;
}

bool head_series_range(Head *h, uint32_t id, int64_t *ret_min_t, int64_t *ret_max_t) {
    const HeadSeries *s = head_series(h, id);
    if (!s) return false;
    Mutex *m = head_shard_of(h, id);
    mutex_lock(m);
    *ret_min_t = s->min_t;
    *ret_max_t = s->max_t;
    mutex_unlock(m);
    return *ret_min_t <= *ret_max_t;
}

bool head_overlaps(Head *h, uint32_t id, int64_t min_t, int64_t max_t) {
    int64_t from, to;
    return head_series_range(h, id, &from, &to) && to >= min_t && from <= max_t;
}
