/* head_read.c - a head's chunks as runs. */
#include "metrics/head_int.h"
#include "storage/column.h"

/* From the oldest to the newest; the list is newest first. */
static bool add_sealed(const SealedChunk *c, int64_t min_t, int64_t max_t, ReadScratch *out) {
    const SealedChunk *local[64], **v = local;
    size_t n = 0, cap = ARRAY_LEN(local);
    bool ok = true;
    for (; c; c = c->older) {
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
    while (ok && n-- > 0) {
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

static bool add_open(const OpenChunk *c, int64_t min_t, int64_t max_t, ReadScratch *out) {
    if (c->n == 0 || c->first_t > max_t) return true;
    TimeRun run = {.first = c->first_t, .n = c->n, .step = c->n > 1 ? c->step_ms : 0};
    run.last = c->t ? c->t[c->n - 1] : c->first_t + (c->n - 1) * run.step;
    if (run.last < min_t) return true;
    double *to = c->t ? read_scratch_add_raw(out, c->t, c->n) : read_scratch_add(out, &run);
    if (!to) return false;
    if (c->v) {
        memcpy(to, c->v, c->n * sizeof *to);
    } else {
        for (size_t i = 0; i < c->n; i++) memcpy(&to[i], &c->first_v, sizeof *to);
    }
    return true;
}

bool head_read_runs(Head *h, const HeadSeries *s, int64_t min_t, int64_t max_t, ReadScratch *out) {
    Mutex *m = head_shard_of(h, s);
    mutex_lock(m);
    bool ok = true;
    if (s->max_t >= min_t && s->min_t <= max_t) {
        ok = !s->extra || (s->extra->n_late == 0 && s->extra->n_histograms == 0);
        ok = ok && add_sealed(s->sealed, min_t, max_t, out) && add_open(&s->open, min_t, max_t, out);
    }
    mutex_unlock(m);
    return ok;
}
