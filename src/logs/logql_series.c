#include "logs/logql_eval_int.h"

ErrCode lq_fail_eval_memory(LqEval *ev) {
    return err_set(ev->err, ERR_TOO_LARGE,
        "the query needs more memory than it is allowed: narrow the range, raise the step or aggregate");
}

ErrCode lq_fail_series(LqEval *ev) {
    return err_set(ev->err, ERR_INVALID,
        "maximum number of series (%zu) reached for a single query; consider reducing query cardinality by adding more "
        "specific stream selectors, reducing the time range, or aggregating results with functions like sum, count or "
        "topk",
        ev->series_max);
}

bool lq_series_new(LqEval *ev, Labels labels, LogqlSeries *ret) {
    ret->labels = labels;
    ret->v = arena_alloc_zero(ev->req->arena, ev->n_steps * sizeof(double));
    ret->present = arena_alloc_zero(ev->req->arena, ev->n_steps);
    return ret->v && ret->present;
}

void lq_index_init(LqSeriesIndex *ix) { *ix = (LqSeriesIndex){.map = map_create(MAP_COPY_KEYS)}; }

void lq_index_done(LqSeriesIndex *ix) {
    ix->map = map_free(ix->map);
    buf_done(&ix->key);
}

uint64_t *lq_index_slot(LqSeriesIndex *ix, Labels l) {
    buf_clear(&ix->key);
    log_stream_key_encode(&ix->key, l);
    return map_put(ix->map, buf_str(&ix->key), NULL);
}

static bool names_have(const Str *v, size_t n, Str name) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(v[i], name)) return true;
    return false;
}

bool lq_group_labels(const LqGrouping *g, Labels l, Arena *arena, Labels *ret) {
    if (!g->set || (!g->without && g->names.n == 0)) {
        *ret = (Labels){0};
        return true;
    }
    Label *v = ARENA_ARRAY(arena, Label, l.n);
    if (!v) return false;
    size_t n = 0;
    for (size_t i = 0; i < l.n; i++)
        if (names_have(g->names.v, g->names.n, l.v[i].name) != g->without) v[n++] = l.v[i];
    *ret = (Labels){v, n};
    return true;
}
