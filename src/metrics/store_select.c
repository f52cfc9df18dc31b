#include "metrics/store_int.h"

#include <stdlib.h>

#define CANCEL_EVERY 64

/* --- matching --- */
static ErrCode exhausted(Err *reterr) { return err_set(reterr, ERR_TOO_LARGE, "the query's memory budget is used up"); }

static bool is_cancelled(const MetricsSelect *req) { return req->cancel && *req->cancel; }

static ErrCode match_ids(const PostingIndex *x, const MetricsSelect *req, IdList *ret, Err *reterr) {
    roaring_bitmap_t *set;
    ErrCode code = postings_match(x, req->matchers, req->cancel, &set, reterr);
    if (code != OK) return code;
    ret->n = (size_t)roaring_bitmap_get_cardinality(set);
    ret->v = mem_alloc_array(MAX(ret->n, 1), sizeof *ret->v);
    roaring_bitmap_to_uint32_array(set, ret->v);
    roaring_bitmap_free(set);
    return OK;
}

ErrCode view_match_ids(View *v, size_t source, const MetricsSelect *req, IdList *ret, Err *reterr) {
    *ret = (IdList){0};
    bool is_part = source < v->parts.n;
    const PartRef *ref = is_part ? &v->parts.v[source] : NULL;
    Head *h = is_part ? NULL : v->heads[source - v->parts.n];
    if (is_part && (ref->info.max_t < req->min_t_ms || ref->info.min_t > req->max_t_ms)) return OK;
    ErrCode code = is_part ? mpart_load(ref->obj, reterr) : OK;
    if (code != OK) return code;
    if (h) head_lock_read(h);
    PostingIndex x = is_part ? mpart_postings(ref->obj) : head_postings(h);
    code = match_ids(&x, req, ret, reterr);
    if (h) head_unlock(h);
    if (is_part && code == OK && mpart_all_overlap(ref->obj, req->min_t_ms, req->max_t_ms, ret->n)) return OK;
    size_t n = 0;
    for (size_t i = 0; i < ret->n && code == OK; i++) {
        if (i % CANCEL_EVERY == 0 && is_cancelled(req)) code = err_set(reterr, ERR_CANCELLED, "query cancelled");
        uint32_t id = ret->v[i];
        bool in = is_part ? mpart_overlaps(ref->obj, id, req->min_t_ms, req->max_t_ms)
                          : head_overlaps(h, id, req->min_t_ms, req->max_t_ms);
        if (in) ret->v[n++] = id;
    }
    ret->n = n;
    return code;
}

static ErrCode match_part(View *v, size_t at, const MetricsSelect *req, SourceSeriesVec *out, Err *reterr) {
    const PartRef *ref = &v->parts.v[at];
    if (ref->info.max_t < req->min_t_ms || ref->info.min_t > req->max_t_ms) return OK;
    MPart *p = ref->obj;
    ErrCode code = mpart_load(p, reterr);
    if (code != OK) return code;
    PostingIndex x = mpart_postings(p);
    IdList ids = {0};
    code = match_ids(&x, req, &ids, reterr);
    for (size_t i = 0; i < ids.n && code == OK; i++) {
        if (i % CANCEL_EVERY == 0 && is_cancelled(req)) code = err_set(reterr, ERR_CANCELLED, "query cancelled");
        if (!mpart_overlaps(p, ids.v[i], req->min_t_ms, req->max_t_ms)) continue;
        SourceSeries ss = {.source = (uint32_t)at, .id = ids.v[i]};
        if (code == OK) code = mpart_labels(p, ids.v[i], req->arena, &ss.labels, reterr);
        if (code == OK) vec_push(out, ss);
    }
    mem_free(ids.v);
    return code;
}

static int by_labels(const void *a, const void *b) {
    const SourceSeries *x = a, *y = b;
    int c = labels_cmp(x->labels, y->labels);
    return c ? c : (x->source < y->source ? -1 : x->source > y->source);
}

static ErrCode match_head(View *v, size_t at, const MetricsSelect *req, SourceSeriesVec *out, Err *reterr) {
    Head *h = v->heads[at];
    size_t first = out->n;
    IdList ids = {0};
    head_lock_read(h);
    PostingIndex x = head_postings(h);
    ErrCode code = match_ids(&x, req, &ids, reterr);
    for (size_t i = 0; i < ids.n && code == OK; i++) {
        if (!head_overlaps(h, ids.v[i], req->min_t_ms, req->max_t_ms)) continue;
        SourceSeries ss = {.source = (uint32_t)(v->parts.n + at), .id = ids.v[i]};
        ss.labels = head_labels(h, ids.v[i], req->arena);
        if (!ss.labels.v)
            code = exhausted(reterr);
        else
            vec_push(out, ss);
    }
    head_unlock(h);
    mem_free(ids.v);
    if (out->n > first) qsort(out->v + first, out->n - first, sizeof *out->v, by_labels);
    return code;
}

/* The sources' lists lie one after the other, each sorted: bottom-up merge of neighbours. */
static void merge_runs(SourceSeriesVec *all, size_t *bounds, size_t n_runs) {
    if (n_runs < 2) return;
    SourceSeries *to = mem_alloc_array(all->n, sizeof *to), *from = all->v;
    while (n_runs > 1) {
        size_t out_runs = 0;
        for (size_t r = 0; r < n_runs; r += 2) {
            size_t i = bounds[r], mid = bounds[r + 1], j = mid, end = r + 1 < n_runs ? bounds[r + 2] : mid, o = i;
            while (i < mid && j < end) to[o++] = by_labels(&from[i], &from[j]) <= 0 ? from[i++] : from[j++];
            while (i < mid) to[o++] = from[i++];
            while (j < end) to[o++] = from[j++];
            bounds[out_runs++] = bounds[r];
        }
        bounds[out_runs] = all->n;
        n_runs = out_runs;
        SourceSeries *swap = to;
        to = from;
        from = swap;
    }
    mem_free(to);
    all->v = from;
    all->cap = all->n;
}

ErrCode view_match(View *v, const MetricsSelect *req, SourceSeriesVec *ret, Err *reterr) {
    size_t n_sources = v->parts.n + v->n_heads, n_runs = 0;
    size_t *bounds = mem_alloc_array(n_sources + 2, sizeof *bounds);
    ErrCode code = OK;
    for (size_t i = 0; i < n_sources && code == OK; i++) {
        size_t before = ret->n;
        if (i < v->parts.n)
            code = match_part(v, i, req, ret, reterr);
        else
            code = match_head(v, i - v->parts.n, req, ret, reterr);
        if (code == ERR_CORRUPT) { /* the rest is served; counted, see MetricsStoreStats */
            v->store->corrupt_blocks++;
            code = OK;
        }
        if (ret->n > before) bounds[n_runs++] = before;
    }
    bounds[n_runs] = ret->n;
    if (code == OK) merge_runs(ret, bounds, n_runs);
    mem_free(bounds);
    return code;
}

ErrCode view_drop_deleted(View *v, const MetricsSelect *req, SourceSeriesVec *all, Err *reterr) {
    SampleBuf samples = {0};
    HistogramRefs histograms = {0};
    MPartCache cache = {0};
    Arena *scratch = arena_create(ARENA_UNLIMITED);
    uint32_t cache_of = UINT32_MAX;
    size_t n = 0;
    ErrCode code = OK;
    for (size_t i = 0; i < all->n && code == OK; i++) {
        const SourceSeries *s = &all->v[i];
        bool left = s->source >= v->parts.n || !tombs_touch(v->tombs, v->parts.v[s->source].info.id, s->labels);
        if (!left) { /* only what a tombstone names is read */
            const PartRef *ref = &v->parts.v[s->source];
            if (cache_of != s->source) mpart_cache_done(&cache);
            cache_of = s->source;
            sample_buf_clear(&samples);
            vec_clear(&histograms);
            arena_reset(scratch);
            code = mpart_read(
                ref->obj, &cache, s->id, req->min_t_ms, req->max_t_ms, &samples, &histograms, scratch, reterr);
            tombs_apply(v->tombs, ref->info.id, s->labels, &samples, 0, &histograms, 0);
            /* Damaged: what is deleted of it cannot be told, and the others are not to suffer. */
            left = code == ERR_CORRUPT || samples.n + histograms.n > 0;
            if (code == ERR_CORRUPT) code = OK;
        }
        if (left) all->v[n++] = *s;
    }
    all->n = n;
    mpart_cache_done(&cache);
    arena_free(scratch);
    sample_buf_done(&samples);
    vec_done(&histograms);
    return code;
}

/* --- gathering --- */
/* Takes away what came after the view was opened, of the samples from `first` on. */
static void cut_behind(Gather *g, size_t first, size_t first_h, int64_t max_t) {
    SampleBuf *b = &g->samples;
    size_t n = first;
    for (size_t i = first; i < b->n; i++) {
        if (b->t[i] > max_t) continue;
        b->t[n] = b->t[i];
        if (b->has_starts) b->start[n] = b->start[i];
        b->v[n++] = b->v[i];
    }
    b->n = n;
    n = first_h;
    for (size_t i = first_h; i < g->histograms.n; i++)
        if (g->histograms.v[i].t <= max_t) g->histograms.v[n++] = g->histograms.v[i];
    g->histograms.n = n;
}

static ErrCode gather_one(Gather *g, const SourceSeries *s, Err *reterr) {
    const MetricsSelect *req = g->req;
    View *v = g->view;
    if (s->source >= v->parts.n) {
        Head *h = v->heads[s->source - v->parts.n];
        size_t first = g->samples.n, first_h = g->histograms.n;
        bool ok = head_read(h, s->id, req->min_t_ms, req->max_t_ms, &g->samples, &g->histograms);
        int64_t max_t;
        if (ok && view_cut(v, s->source, s->id, &max_t)) cut_behind(g, first, first_h, max_t);
        return ok ? OK : err_set(reterr, ERR_CORRUPT, "a chunk of the head does not decode");
    }
    const PartRef *ref = &v->parts.v[s->source];
    size_t from = g->samples.n, from_h = g->histograms.n;
    ErrCode code = mpart_read(ref->obj, &g->caches[s->source], s->id, req->min_t_ms, req->max_t_ms, &g->samples,
        &g->histograms, g->out, reterr);
    if (code == ERR_CORRUPT) {
        g->samples.n = from;
        g->histograms.n = from_h;
        v->store->corrupt_blocks++;
        return OK;
    }
    if (code == OK && v->tombs->n)
        tombs_apply(v->tombs, ref->info.id, s->labels, &g->samples, from, &g->histograms, from_h);
    return code;
}

static int by_age(const void *a, const void *b, void *ctx) {
    const Gather *g = ctx;
    const SourceSeries *x = a, *y = b;
    size_t n = g->view->parts.n;
    uint64_t ix =
        x->source < n ? g->view->parts.v[x->source].info.order : UINT64_MAX - n - g->view->n_heads + x->source;
    uint64_t iy =
        y->source < n ? g->view->parts.v[y->source].info.order : UINT64_MAX - n - g->view->n_heads + y->source;
    return ix < iy ? -1 : ix > iy;
}

ErrCode gather_group(Gather *g, SourceSeries *group, size_t n, Err *reterr) {
    ErrCode code = OK;
    for (int pass = 0; pass < 2; pass++) {
        sample_buf_clear(&g->samples);
        vec_clear(&g->histograms);
        for (size_t i = 0; i < n && code == OK; i++) code = gather_one(g, &group[i], reterr);
        bool tangled = g->samples.unsorted || (n > 1 && g->histograms.n);
        if (code != OK || !tangled) break;
        /* Overlap: once more from the oldest source to the newest, so that of equal times the newest stays. */
        if (pass == 0) qsort_r(group, n, sizeof *group, by_age, g);
    }
    if (code != OK) return code;
    sample_buf_finish(&g->samples);
    histograms_finish(&g->histograms);
    g->n_samples += g->samples.n + g->histograms.n;
    if (g->req->samples_max && g->n_samples > g->req->samples_max)
        return err_set(
            reterr, ERR_UNPROCESSABLE, "query processing would load too many samples into memory in query execution");
    return OK;
}

static ErrCode emit_floats(Gather *g, SeriesColumn *out, Err *reterr) {
    size_t n = g->samples.n;
    out->n = n;
    if (n == 0) return OK;
    double *v = ARENA_ARRAY(g->out, double, n);
    if (!v) return exhausted(reterr);
    memcpy(v, g->samples.v, n * sizeof *v);
    out->value = v;
    if (g->last_n != n || memcmp(g->last_t, g->samples.t, n * sizeof *g->last_t) != 0) {
        int64_t *t = ARENA_ARRAY(g->out, int64_t, n);
        if (!t) return exhausted(reterr);
        memcpy(t, g->samples.t, n * sizeof *t);
        g->last_t = t;
        g->last_n = n;
    }
    out->t_ms = g->last_t;
    if (!g->samples.has_starts) return OK;
    int64_t *start = ARENA_ARRAY(g->out, int64_t, n);
    if (!start) return exhausted(reterr);
    memcpy(start, g->samples.start, n * sizeof *start);
    out->start_ms = start;
    return OK;
}

static ErrCode emit_histogram_starts(Gather *g, SeriesColumn *out, Err *reterr) {
    bool any = false;
    for (size_t i = 0; g->samples.want_starts && i < g->histograms.n; i++) any |= g->histograms.v[i].start != 0;
    if (!any) return OK;
    int64_t *start = ARENA_ARRAY(g->out, int64_t, g->histograms.n);
    if (!start) return exhausted(reterr);
    for (size_t i = 0; i < g->histograms.n; i++) start[i] = g->histograms.v[i].start;
    out->histogram_start_ms = start;
    return OK;
}

ErrCode gather_histograms(Gather *g, SeriesColumn *out, Err *reterr) {
    size_t n = g->histograms.n;
    if (n == 0) return OK;
    int64_t *t = ARENA_ARRAY(g->out, int64_t, n);
    Histogram *h = ARENA_ARRAY(g->out, Histogram, n);
    if (!t || !h) return exhausted(reterr);
    for (size_t i = 0; i < n; i++) {
        size_t used;
        t[i] = g->histograms.v[i].t;
        if (!histogram_decode(g->histograms.v[i].bytes, g->out, &h[i], &used))
            return arena_exhausted(g->out) ? exhausted(reterr)
                                           : err_set(reterr, ERR_CORRUPT, "a stored histogram does not decode");
    }
    out->n_histograms = n;
    out->histogram_t_ms = t;
    out->histograms = h;
    return emit_histogram_starts(g, out, reterr);
}

size_t source_group_end(const SourceSeriesVec *all, size_t from) {
    size_t to = from + 1;
    while (to < all->n && labels_eq(all->v[from].labels, all->v[to].labels)) to++;
    return to;
}

static ErrCode gather_all(Gather *g, SourceSeriesVec *all, SeriesColumns *ret, Err *reterr) {
    size_t groups = 0;
    for (size_t i = 0; i < all->n; i = source_group_end(all, i)) groups++;
    SeriesColumn *out = ARENA_ARRAY(g->req->arena, SeriesColumn, groups);
    if (!out) return exhausted(reterr);
    size_t n = 0;
    ErrCode code = OK;
    for (size_t i = 0, end; i < all->n && code == OK; i = end) {
        end = source_group_end(all, i);
        if (is_cancelled(g->req)) return err_set(reterr, ERR_CANCELLED, "query cancelled");
        code = gather_group(g, &all->v[i], end - i, reterr);
        if (code != OK || g->samples.n + g->histograms.n == 0) continue;
        out[n] = (SeriesColumn){.labels = all->v[i].labels};
        code = emit_floats(g, &out[n], reterr);
        if (code == OK) code = gather_histograms(g, &out[n], reterr);
        n++;
    }
    *ret = (SeriesColumns){out, n};
    return code;
}

void gather_begin(Gather *g, View *v, const MetricsSelect *req, Arena *out) {
    *g = (Gather){.view = v, .req = req, .out = out};
    g->samples.want_starts = req->starts;
    g->caches = mem_alloc_array(MAX(v->parts.n, 1), sizeof *g->caches);
    memset(g->caches, 0, v->parts.n * sizeof *g->caches);
}

void gather_end(Gather *g) {
    for (size_t i = 0; i < g->view->parts.n; i++) mpart_cache_done(&g->caches[i]);
    mem_free(g->caches);
    sample_buf_done(&g->samples);
    vec_done(&g->histograms);
}

ErrCode store_select(MetricsStore *base, const MetricsSelect *req, SeriesColumns *ret, Err *reterr) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    *ret = (SeriesColumns){0};
    View *v = view_of(s, req);
    if (!v) return exhausted(reterr);
    SourceSeriesVec all = {0};
    ErrCode code = view_match(v, req, &all, reterr);
    if (code == OK) {
        Gather g;
        gather_begin(&g, v, req, req->arena);
        code = gather_all(&g, &all, ret, reterr);
        gather_end(&g);
    }
    vec_done(&all);
    return code;
}

/* --- visiting --- */
static ErrCode visit_all(Gather *g, SourceSeriesVec *all, MetricsVisitFn fn, void *ctx, Err *reterr) {
    ErrCode code = OK;
    for (size_t i = 0, end; i < all->n && code == OK; i = end) {
        end = source_group_end(all, i);
        if (is_cancelled(g->req)) return err_set(reterr, ERR_CANCELLED, "cancelled");
        arena_reset(g->out);
        g->last_n = 0;
        g->n_samples = 0; /* the limit is for one series */
        code = gather_group(g, &all->v[i], end - i, reterr);
        if (code != OK || g->samples.n + g->histograms.n == 0) continue;
        SeriesColumn column = {.labels = all->v[i].labels};
        code = emit_floats(g, &column, reterr);
        if (code == OK) code = gather_histograms(g, &column, reterr);
        if (code == OK && !fn(ctx, &column)) break;
    }
    return code;
}

ErrCode store_visit(
    MetricsStore *base, const MetricsSelect *req, bool skip_head, MetricsVisitFn fn, void *ctx, Err *reterr) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    View *v = view_open(s, req->arena);
    if (!v) return exhausted(reterr);
    while (skip_head && v->n_heads > 0) head_unref(v->heads[--v->n_heads]);
    SourceSeriesVec all = {0};
    ErrCode code = view_match(v, req, &all, reterr);
    if (code == OK) {
        Arena *scratch = arena_create(ARENA_UNLIMITED);
        Gather g;
        gather_begin(&g, v, req, scratch);
        code = visit_all(&g, &all, fn, ctx, reterr);
        gather_end(&g);
        arena_free(scratch);
    }
    vec_done(&all);
    return code;
}
