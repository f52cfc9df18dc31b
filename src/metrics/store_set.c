/* store_set.c - a selection of the embedded store, read series by series. */
#include "metrics/store_set_int.h"

typedef struct EmbeddedReader {
    SeriesReader base; /* first */
    EmbeddedSet *set;
    Gather gather;
    ReadScratch scratch;
    Arena *labels; /* where they are needed: for tombstones */
} EmbeddedReader;

static ErrCode embedded_labels(SeriesSet *base, size_t i, Arena *arena, Labels *ret, Err *reterr) {
    EmbeddedSet *s = CONTAINER_OF(base, EmbeddedSet, base);
    return view_labels(s->view, s->sources[set_first(s, i)], arena, ret, reterr);
}

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
    arena_free(r->labels);
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

/* Whether samples of the series in this part may be deleted. */
static bool may_be_deleted(EmbeddedReader *r, SetSource at) {
    const View *v = r->set->view;
    if (v->tombs->n == 0) return false;
    Labels labels;
    if (!r->labels) r->labels = arena_create(ARENA_UNLIMITED);
    arena_reset(r->labels);
    return view_labels(r->set->view, at, r->labels, &labels, NULL) != OK ||
           tombs_touch(v->tombs, v->parts.v[at.source].info.id, labels);
}

static bool read_source(EmbeddedReader *r, SetSource at) {
    View *v = r->set->view;
    const MetricsSelect *req = &r->set->req;
    if (at.source >= v->parts.n) {
        Head *h = v->heads[at.source - v->parts.n];
        HeadReadStats stats = {0};
        bool ok = head_read_runs(h, at.id, req->min_t_ms, req->max_t_ms, &r->scratch, &stats);
        r->base.stats.samples += stats.samples;
        r->base.stats.blocks += stats.chunks;
        r->base.stats.blocks_decoded += stats.chunks_read;
        r->base.stats.blocks_skipped += stats.chunks - stats.chunks_read;
        int64_t max_t;
        return ok && !view_cut(v, at.source, at.id, &max_t);
    }
    bool tangled = false;
    if (may_be_deleted(r, at)) return false;
    ErrCode code = mpart_read_runs(v->parts.v[at.source].obj, &r->gather.caches[at.source], at.id, req, &r->scratch,
        &r->base.stats, &tangled, NULL);
    return code == OK && !tangled;
}

static bool read_quick(EmbeddedReader *r, const SetSource *group, size_t n, SeriesColumn *ret) {
    ReadScratch *x = &r->scratch;
    read_scratch_begin(x);
    for (size_t i = 0; i < n; i++)
        if (!read_source(r, group[i])) return false;
    if (!read_scratch_finish(x, r->set->req.min_t_ms, r->set->req.max_t_ms, run_times, r)) {
        x->times_id = 0; /* what is left of it is of no use */
        return false;
    }
    ret->n = x->to - x->from;
    ret->t_ms = x->t + x->from;
    ret->value = x->absent ? NULL : x->v + x->from;
    ret->times_id = x->times_id;
    ret->fresh = x->fresh;
    ret->rising = x->rising;
    return true;
}

/* --- any other --- */

static ErrCode read_gathered(EmbeddedReader *r, const SetSource *from, size_t n, SeriesColumn *ret, Err *reterr) {
    Gather *g = &r->gather;
    if (!r->labels) r->labels = arena_create(ARENA_UNLIMITED);
    arena_reset(r->labels);
    SourceSeries *group = ARENA_ARRAY(r->labels, SourceSeries, n);
    Labels labels;
    ErrCode code = view_labels(r->set->view, from[0], r->labels, &labels, reterr);
    for (size_t i = 0; i < n; i++) group[i] = (SourceSeries){labels, from[i].source, from[i].id};
    if (code == OK) code = gather_group(g, group, n, reterr);
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
    size_t first = set_first(s, i), n = set_first(s, i + 1) - first;
    const SetSource *group = s->sources + first;
    SeriesReadStats before = r->base.stats;
    *ret = (SeriesColumn){0};
    if (read_quick(r, group, n, ret)) return OK;
    *ret = (SeriesColumn){0};
    r->base.stats = before;
    return read_gathered(r, group, n, ret, reterr);
}

/* --- opening --- */

ErrCode store_open_set(MetricsStore *base, const MetricsSelect *req, SeriesSet **ret, Err *reterr) {
    static const SeriesSetOps ops = {embedded_labels, embedded_reader, embedded_read, embedded_reader_free};
    EmbeddedSet *s = ARENA_NEW(req->arena, EmbeddedSet);
    if (!s || !(s->view = view_of(CONTAINER_OF(base, EmbeddedStore, base), req)))
        return err_set(reterr, ERR_TOO_LARGE, "the query's memory budget is used up");
    s->base.ops = &ops;
    s->req = *req;
    s->req.samples_max = 0; /* the engine counts what it holds */
    *ret = &s->base;
    return set_fill(s, reterr);
}
