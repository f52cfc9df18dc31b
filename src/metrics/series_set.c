#include "metrics/series_set.h"

/* --- a set made out of select: everything is read at once --- */

typedef struct SelectedSet {
    SeriesSet base; /* first */
    SeriesColumns columns;
} SelectedSet;

static ErrCode selected_labels(SeriesSet *s, size_t i, Arena *arena, Labels *ret, Err *reterr) {
    Labels from = CONTAINER_OF(s, SelectedSet, base)->columns.v[i].labels;
    Label *v = ARENA_ARRAY(arena, Label, from.n);
    if (!v) return err_set(reterr, ERR_TOO_LARGE, "query needs more memory than it may use");
    if (from.n) memcpy(v, from.v, from.n * sizeof *v);
    *ret = (Labels){v, from.n};
    return OK;
}

static SeriesReader *selected_reader(SeriesSet *s, Arena *arena) {
    SeriesReader *r = NEW(SeriesReader);
    *r = (SeriesReader){.set = s, .arena = arena};
    return r;
}

static ErrCode selected_read(SeriesReader *r, size_t i, SeriesColumn *ret, Err *reterr) {
    (void)reterr;
    *ret = CONTAINER_OF(r->set, SelectedSet, base)->columns.v[i];
    ret->labels = (Labels){0};
    r->stats.samples += ret->n + ret->n_histograms;
    return OK;
}

static void selected_reader_free(SeriesReader *r) { mem_free(r); }

static ErrCode open_selected(MetricsStore *store, const MetricsSelect *req, SeriesSet **ret, Err *reterr) {
    static const SeriesSetOps ops = {selected_labels, selected_reader, selected_read, selected_reader_free};
    SelectedSet *s = ARENA_NEW(req->arena, SelectedSet);
    if (!s) return err_set(reterr, ERR_TOO_LARGE, "query needs more memory than it may use");
    ErrCode rc = store->ops->select(store, req, &s->columns, reterr);
    if (rc != OK) return rc;
    s->base = (SeriesSet){&ops, s->columns.n, true};
    *ret = &s->base;
    return OK;
}

ErrCode metrics_store_open_set(MetricsStore *store, const MetricsSelect *req, SeriesSet **ret, Err *reterr) {
    if (store->ops->open) return store->ops->open(store, req, ret, reterr);
    return open_selected(store, req, ret, reterr);
}

ErrCode series_labels(SeriesSet *s, size_t i, Arena *arena, Labels *ret, Err *reterr) {
    DASSERT(i < s->n);
    return s->ops->labels(s, i, arena, ret, reterr);
}

SeriesReader *series_reader_create(SeriesSet *s, Arena *arena) { return s->ops->reader(s, arena); }

ErrCode series_read(SeriesReader *r, size_t i, SeriesColumn *ret, Err *reterr) {
    DASSERT(i < r->set->n);
    return r->set->ops->read(r, i, ret, reterr);
}

SeriesReader *series_reader_free(SeriesReader *r) {
    if (r) r->set->ops->reader_free(r);
    return NULL;
}
