/* head_samples.c - samples of a series: appending, sealing, reading. */
#include "metrics/head_int.h"

#include "base/num.h"

#include "storage/column.h"

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

void head_seal(Head *h, HeadSeries *s, const int64_t *t, const double *v, size_t n) {
    ASSERT(n > 0 && n <= LATE_MAX);
    int32_t step = 0;
    buf_clear(&h->scratch);
    if (!regular_step(t, n, &step)) column_encode_i64(&h->scratch, t, n);
    size_t t_bytes = h->scratch.n;
    column_encode_f64(&h->scratch, v, n);
    HeadExtra *x = head_extra_of(h, s);
    SealedChunk *c = arena_alloc(h->pool.arena, sizeof *c + h->scratch.n);
    ASSERT(c);
    *c = (SealedChunk){.older = x->sealed, .min_t = t[0], .max_t = t[n - 1], .step_ms = step, .n = (uint32_t)n};
    c->t_bytes = (uint32_t)t_bytes;
    c->v_bytes = (uint32_t)(h->scratch.n - t_bytes);
    memcpy(c->data, h->scratch.p, h->scratch.n);
    x->sealed = c;
    head_extra_widen(x, c->min_t, c->max_t);
    head_account(h);
}

static void seal_open(Head *h, HeadSeries *s) {
    int64_t t[HEAD_CHUNK_MAX];
    double v[HEAD_CHUNK_MAX];
    head_open_copy_times(h, s, t);
    head_open_copy_values(h, s, v);
    head_seal(h, s, t, v, s->n);
    head_open_clear(h, s);
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

static void note(Head *h, HeadSeries *s, int64_t t) {
    if (t < h->min_t) h->min_t = t;
    if (t > h->max_t) h->max_t = t;
    if (s->tick != h->tick) note_active(h, s);
}

/* t is after all that the series has. */
static bool is_newest(const Head *h, const HeadSeries *s, int64_t t) {
    if (s->n) return t > head_open_t(h, s, s->n - 1u);
    const HeadExtra *x = head_extra(h, s);
    return !x || !x->sealed || t > x->max_t;
}

/* A float and a histogram at the newest time of a series are a conflict: the first one stays. */
static bool ends_with_histogram(const HeadExtra *x, int64_t t) {
    return x && x->n_histograms && x->histograms[x->n_histograms - 1].t == t;
}

static bool ends_with_float(const Head *h, const HeadSeries *s, int64_t t) {
    if (s->n) return head_open_t(h, s, s->n - 1u) == t;
    const HeadExtra *x = head_extra(h, s);
    for (const SealedChunk *c = x ? x->sealed : NULL; c; c = c->older)
        if (c->max_t == t) return true;
    return false;
}

HeadPut head_put(Head *h, uint32_t id, int64_t t, double value, int64_t start) {
    HeadSeries *s = head_series_make(h, id);
    hold_shard(h, id);
    if (UNLIKELY(s->extra) && ends_with_histogram(head_extra(h, s), t)) return HEAD_PUT_CONFLICT;
    uint64_t v = f64_bits(value);
    HeadPut put = HEAD_PUT_STORED;
    bool newest = is_newest(h, s, t);
    if (newest) {
        if (UNLIKELY(!head_open_takes(s, t))) seal_open(h, s);
        head_open_append(h, s, t, v);
    } else {
        put = head_put_late(h, s, t, v);
    }
    if (put == HEAD_PUT_DUPLICATE || put == HEAD_PUT_CONFLICT) return put;
    if (s->n >= h->chunk_max) seal_open(h, s);
    if (start || s->started) head_set_start(h, s, t, start, newest);
    note(h, s, t);
    h->pending_samples++;
    return put;
}

HeadPut head_put_histogram(Head *h, uint32_t id, int64_t t, const Histogram *v, int64_t start) {
    HeadSeries *s = head_series_make(h, id);
    hold_shard(h, id);
    if (ends_with_float(h, s, t)) return HEAD_PUT_CONFLICT;
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
    head_extra_widen(x, t, t);
    head_account(h);
    note(h, s, t);
    h->n_histograms++;
    return late ? HEAD_PUT_LATE : HEAD_PUT_STORED;
}

/* --- reading --- */
static bool read_sealed(const HeadExtra *x, int64_t min_t, int64_t max_t, SampleBuf *out) {
    int64_t t[LATE_MAX];
    double v[LATE_MAX];
    VEC(const SealedChunk *) chunks = {0};
    for (const SealedChunk *c = x->sealed; c; c = c->older) {
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

static void read_open(const Head *h, const HeadSeries *s, int64_t min_t, int64_t max_t, SampleBuf *out) {
    int64_t t[HEAD_CHUNK_MAX];
    double v[HEAD_CHUNK_MAX];
    head_open_copy_times(h, s, t);
    head_open_copy_values(h, s, v);
    sample_buf_add(out, t, v, s->n, min_t, max_t);
}

static void read_late(const HeadExtra *x, int64_t min_t, int64_t max_t, SampleBuf *out) {
    double v[LATE_MAX];
    if (x->n_late == 0) return;
    memcpy(v, x->late_v, x->n_late * sizeof *v);
    sample_buf_add(out, x->late_t, v, x->n_late, min_t, max_t);
}

static void read_histograms(const HeadExtra *x, int64_t min_t, int64_t max_t, HistogramRefs *out) {
    for (uint32_t i = 0; i < x->n_histograms; i++) {
        const HeadHistogram *g = &x->histograms[i];
        if (g->t >= min_t && g->t <= max_t) vec_push(out, (HistogramRef){g->t, g->bytes, g->start});
    }
}

bool head_range_of(const Head *h, const HeadSeries *s, int64_t *ret_min_t, int64_t *ret_max_t) {
    const HeadExtra *x = head_extra(h, s);
    *ret_min_t = x ? x->min_t : INT64_MAX;
    *ret_max_t = x ? x->max_t : INT64_MIN;
    if (s->n) {
        *ret_min_t = MIN(*ret_min_t, s->first_t);
        *ret_max_t = MAX(*ret_max_t, head_open_t(h, s, s->n - 1u));
    }
    return *ret_min_t <= *ret_max_t;
}

static bool read_series(
    const Head *h, const HeadSeries *s, int64_t min_t, int64_t max_t, SampleBuf *out, HistogramRefs *ret_histograms) {
    int64_t from, to;
    size_t first = out->n;
    if (!head_range_of(h, s, &from, &to) || to < min_t || from > max_t) return true;
    const HeadExtra *x = head_extra(h, s);
    bool ok = !x || read_sealed(x, min_t, max_t, out);
    read_open(h, s, min_t, max_t, out);
    if (!x) return ok;
    read_late(x, min_t, max_t, out);
    if (s->started && out->want_starts) head_read_starts(x, out, first);
    read_histograms(x, min_t, max_t, ret_histograms);
    return ok;
}

bool head_read(Head *h, uint32_t id, int64_t min_t, int64_t max_t, SampleBuf *out, HistogramRefs *ret_histograms) {
    const HeadSeries *s = head_series(h, id);
    if (!s) return true;
    Mutex *m = head_shard_of(h, id);
    mutex_lock(m);
    bool ok = read_series(h, s, min_t, max_t, out, ret_histograms);
    mutex_unlock(m);
    return ok;
}

bool head_series_range(Head *h, uint32_t id, int64_t *ret_min_t, int64_t *ret_max_t) {
    const HeadSeries *s = head_series(h, id);
    if (!s) return false;
    Mutex *m = head_shard_of(h, id);
    mutex_lock(m);
    bool any = head_range_of(h, s, ret_min_t, ret_max_t);
    mutex_unlock(m);
    return any;
}

bool head_overlaps(Head *h, uint32_t id, int64_t min_t, int64_t max_t) {
    int64_t from, to;
    return head_series_range(h, id, &from, &to) && to >= min_t && from <= max_t;
}
