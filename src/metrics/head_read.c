/* head_read.c - a head's chunks as runs. */
#include "metrics/head_int.h"
#include "storage/column.h"

/* From the oldest to the newest; the list is newest first. */
static bool add_sealed(const SealedChunk *c, int64_t min_t, int64_t max_t, ReadScratch *out, HeadReadStats *stats) {
    const SealedChunk *local[64], **v = local;
    size_t n = 0, cap = ARRAY_LEN(local);
    bool ok = true;
    for (; c; c = c->older) {
        stats->chunks++;
        if (c->max_t < min_t || c->min_t > max_t) continue;
        if (n == cap) {
            const SealedChunk **more = mem_alloc_array(cap * 2, sizeof *more);
            memcpy(more, v, n * sizeof *v);
            if (v != local) mem_free(v);
            v = more;
            cap *= 2;
        }
        v[n++] = c;
    }
    stats->chunks_read += n;
    while (ok && n-- > 0) {
        stats->samples += v[n]->n;
        TimeRun run = {.first = v[n]->min_t, .last = v[n]->max_t, .n = v[n]->n, .step = v[n]->step_ms};
        if (v[n]->t_bytes) {
            run.kind = RUN_BYTES;
            run.bytes = str_of((const char *)v[n]->data, v[n]->t_bytes);
        }
        double *to = read_scratch_add(out, &run);
        ok = to && column_decode_f64(str_of((const char *)v[n]->data + v[n]->t_bytes, v[n]->v_bytes), to, v[n]->n);
    }
    if (v != local) mem_free(v);
    return ok;
}

static bool add_open(
    const Head *h, const HeadSeries *s, int64_t min_t, int64_t max_t, ReadScratch *out, HeadReadStats *stats) {
    if (s->n == 0) return true;
    stats->chunks++;
    if (s->first_t > max_t) return true;
    TimeRun run = {.first = s->first_t, .n = s->n, .step = s->n > 1 ? s->step_ms : 0};
    run.last = head_open_t(h, s, s->n - 1u);
    if (run.last < min_t) return true;
    int64_t times[HEAD_CHUNK_MAX];
    if (s->irregular) head_open_copy_times(h, s, times);
    double *to = s->irregular ? read_scratch_add_raw(out, times, s->n) : read_scratch_add(out, &run);
    if (!to) return false;
    stats->chunks_read++;
    stats->samples += s->n;
    head_open_copy_values(h, s, to);
    return true;
}

static bool read_runs(
    const Head *h, const HeadSeries *s, int64_t min_t, int64_t max_t, ReadScratch *out, HeadReadStats *stats) {
    int64_t from, to;
    if (!head_range_of(h, s, &from, &to) || to < min_t || from > max_t) return true;
    const HeadExtra *x = head_extra(h, s);
    if (x && (x->n_late || x->n_histograms || (s->started && out->want_starts))) return false;
    return (!x || add_sealed(x->sealed, min_t, max_t, out, stats)) && add_open(h, s, min_t, max_t, out, stats);
}

bool head_read_runs(Head *h, uint32_t id, int64_t min_t, int64_t max_t, ReadScratch *out, HeadReadStats *stats) {
    const HeadSeries *s = head_series(h, id);
    if (!s) return true;
    Mutex *m = head_shard_of(h, id);
    mutex_lock(m);
    bool ok = read_runs(h, s, min_t, max_t, out, stats);
    mutex_unlock(m);
    return ok;
}
