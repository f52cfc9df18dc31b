/* store_set.c - a selection of the embedded store, read series by series. */
#include "metrics/series_set.h"
#include "metrics/store_int.h"

typedef struct EmbeddedSet {
    SeriesSet base; /* first */
    View *view;
    MetricsSelect req;
    SourceSeries *sources; /* grouped by series, in the arena */
    uint32_t *first;       /* n + 1: where a series' sources begin */
} EmbeddedSet;

typedef struct EmbeddedReader {
    SeriesReader base; /* first */
    EmbeddedSet *set;
    Gather gather;
    ReadScratch scratch;
} EmbeddedReader;

static SeriesReader *embedded_reader(SeriesSet *s, Arena *arena) {
    EmbeddedReader *r = NEW(EmbeddedReader);
    r->base = (SeriesReader){.set = s, .arena = arena};
    r->set = CONTAINER_OF(s, EmbeddedSet, base);
    gather_begin(&r->gather, r->set->view, &r->set->req, arena);
    r->scratch.want_starts = r->set->req.starts;
    return &r->base;
}

static void embedded_reader_free(SeriesReader *base) {
    EmbeddedReader *r = CONTAINER_OF(base, EmbeddedReader, base);
    gather_end(&r->gather);
    read_scratch_done(&r->scratch);
    mem_free(r);
}

/* --- the quick way: runs one behind the other --- */

static bool run_times(void *ctx, const TimeRun *run, int64_t *out) {
    EmbeddedReader *r = ctx;
    const View *v = r->set->view;
    size_t i = 0;
    while (i < v->parts.n && v->parts.v[i].obj != run->source) i++;
    return i < v->parts.n && mpart_run_times(v->parts.v[i].obj, &r->gather.caches[i], run, out);
}

static bool read_source(EmbeddedReader *r, const SourceSeries *s) {
    View *v = r->set->view;
    const MetricsSelect *req = &r->set->req;
    if (s->source >= v->parts.n) {
        Head *h = v->heads[s->source - v->parts.n];
        return head_read_runs(h, s->id, req->min_t_ms, req->max_t_ms, &r->scratch);
    }
    const PartRef *ref = &v->parts.v[s->source];
    bool tangled = false;
    if (v->tombs->n && tombs_touch(v->tombs, ref->info.id, s->labels)) return false;
    ErrCode code = mpart_read_runs(
        ref->obj, &r->gather.caches[s->source], s->id, req, &r->scratch, &r->base.stats, &tangled, NULL);
    return code == OK && !tangled;
}

static bool read_quick(EmbeddedReader *r, const SourceSeries *group, size_t n, SeriesColumn *ret) {
    ReadScratch *x = &r->scratch;
    read_scratch_begin(x);
    for (size_t i = 0; i < n; i++)
        if (!read_source(r, &group[i])) return false;
    if (!read_scratch_finish(x, r->set->req.min_t_ms, r->set->req.max_t_ms, run_times, r)) {
        x->times_id = 0; /* what is left of it is of no use */
        return false;
    }
    ret->n = x->to - x->from;
    ret->t_ms = x->t + x->from;
    ret->value = x->v + x->from;
    ret->times_id = x->times_id;
    return true;
}

/* --- any other --- */

static ErrCode read_gathered(EmbeddedReader *r, SourceSeries *group, size_t n, SeriesColumn *ret, Err *reterr) {
    Gather *g = &r->gather;
    ErrCode code = gather_group(g, group, n, reterr);
    if (code != OK) return code;
    r->base.stats.samples += g->samples.n + g->histograms.n;
    ret->n = g->samples.n;
    ret->t_ms = g->samples.t;
    ret->value = g->samples.v;
    ret->start_ms = g->samples.has_starts ? g->samples.start : NULL;
    return gather_histograms(g, ret, reterr);
}

static ErrCode embedded_read(SeriesReader *base, size_t i, SeriesColumn *ret, Err *reterr) {
    EmbeddedReader *r = CONTAINER_OF(base, EmbeddedReader, base);
    EmbeddedSet *s = r->set;
    SourceSeries *group = s->sources + s->first[i];
    size_t n = s->first[i + 1] - s->first[i];
    *ret = (SeriesColumn){.labels = s->base.labels[i]};
    if (read_quick(r, group, n, ret)) return OK;
    *ret = (SeriesColumn){.labels = s->base.labels[i]};
    return read_gathered(r, group, n, ret, reterr);
}

/* --- opening --- */

static bool group_sources(EmbeddedSet *s, const SourceSeriesVec *all, Arena *arena) {
    size_t n = 0;
    s->sources = ARENA_ARRAY(arena, SourceSeries, all->n);
    s->first = ARENA_ARRAY(arena, uint32_t, all->n + 1);
    Labels *labels = ARENA_ARRAY(arena, Labels, all->n);
    if (!s->sources || !s->first || !labels) return false;
    if (all->n) memcpy(s->sources, all->v, all->n * sizeof *all->v);
    for (size_t i = 0; i < all->n; i = source_group_end(all, i), n++) {
        s->first[n] = (uint32_t)i;
        labels[n] = all->v[i].labels;
    }
    s->first[n] = (uint32_t)all->n;
    s->base.labels = labels;
    s->base.n = n;
    return true;
}

ErrCode store_open_set(MetricsStore *base, const MetricsSelect *req, SeriesSet **ret, Err *reterr) {
    static const SeriesSetOps ops = {embedded_reader, embedded_read, embedded_reader_free};
    EmbeddedSet *s = ARENA_NEW(req->arena, EmbeddedSet);
    if (!s || !(s->view = view_open(CONTAINER_OF(base, EmbeddedStore, base), req->arena)))
        return err_set(reterr, ERR_TOO_LARGE, "the query's memory budget is used up");
    s->base.ops = &ops;
    s->req = *req;
    s->req.samples_max = 0; /* the engine counts what it holds */
    SourceSeriesVec all = {0};
    ErrCode code = view_match(s->view, req, &all, reterr);
    if (code == OK && !group_sources(s, &all, req->arena))
        code = err_set(reterr, ERR_TOO_LARGE, "the query's memory budget is used up");
    vec_done(&all);
    *ret = &s->base;
    return code;
}
