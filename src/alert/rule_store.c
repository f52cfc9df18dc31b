/* rule_store.c - a store in front of the store, for one evaluation of one group: rules that select the same series
 * over the same time read them once.
 *
 * Results live in an arena of their own that is emptied when it has grown, between queries. Only the engine of one
 * thread uses it. */
#include "alert/rule_int.h"

#define FORGET_BYTES (64u << 20)

typedef struct RuleStore {
    MetricsStore base;
    MetricsStore *inner;
    Arena *arena;
    Map *found; /* matchers and range -> SeriesColumns in the arena */
    Buf key;
} RuleStore;

static void put_key(Buf *out, const MetricsSelect *req) {
    buf_clear(out);
    for (size_t i = 0; i < req->matchers.n; i++) {
        const Matcher *m = req->matchers.v[i];
        buf_put_char(out, (char)('0' + m->type));
        buf_put_lenstr(out, m->name);
        buf_put_lenstr(out, m->value);
    }
    buf_put_svarint(out, req->min_t_ms);
    buf_put_svarint(out, req->max_t_ms);
    buf_put_uvarint(out, req->samples_max);
    buf_put_char(out, (char)req->starts);
}

/* The engine may change the list in place (never what it points to), so it gets its own. */
static ErrCode give(const SeriesColumns *cols, Arena *arena, SeriesColumns *ret, Err *reterr) {
    ret->n = cols->n;
    ret->v = ARENA_ARRAY(arena, SeriesColumn, cols->n);
    if (!ret->v) return err_set(reterr, ERR_TOO_LARGE, "query needs more memory than it may use");
    if (cols->n) memcpy(ret->v, cols->v, cols->n * sizeof *ret->v);
    return OK;
}

static ErrCode store_select(MetricsStore *s, const MetricsSelect *req, SeriesColumns *ret, Err *reterr) {
    RuleStore *r = (RuleStore *)s;
    put_key(&r->key, req);
    SeriesColumns *cols = map_get_ptr(r->found, buf_str(&r->key));
    if (cols) return give(cols, req->arena, ret, reterr);
    MetricsSelect own = *req;
    own.arena = r->arena;
    cols = ARENA_NEW(r->arena, SeriesColumns);
    ErrCode rc = cols ? r->inner->ops->select(r->inner, &own, cols, reterr) : ERR_TOO_LARGE;
    if (rc == ERR_TOO_LARGE) return r->inner->ops->select(r->inner, req, ret, reterr);
    if (rc != OK) return rc;
    map_set_ptr(r->found, buf_str(&r->key), cols);
    return give(cols, req->arena, ret, reterr);
}

/* --- all else goes straight through --- */

static MetricsStore *inner(MetricsStore *s) { return ((RuleStore *)s)->inner; }

static ErrCode store_append(MetricsStore *s, const MetricsBatch *b, MetricsAppendResult *ret, Err *e) {
    return inner(s)->ops->append(inner(s), b, ret, e);
}
static ErrCode store_series(MetricsStore *s, const MetricsSelect *q, size_t limit, Labels **ret, size_t *n, Err *e) {
    return inner(s)->ops->series(inner(s), q, limit, ret, n, e);
}
static ErrCode store_names(MetricsStore *s, const MetricsSelect *q, size_t limit, Str **ret, size_t *n, Err *e) {
    return inner(s)->ops->label_names(inner(s), q, limit, ret, n, e);
}
static ErrCode store_values(
    MetricsStore *s, const MetricsSelect *q, Str name, size_t limit, Str **ret, size_t *n, Err *e) {
    return inner(s)->ops->label_values(inner(s), q, name, limit, ret, n, e);
}
static ErrCode store_metadata(MetricsStore *s, Str metric, Arena *a, MetricMetadata **ret, size_t *n, Err *e) {
    return inner(s)->ops->metadata(inner(s), metric, a, ret, n, e);
}
static ErrCode store_exemplars(
    MetricsStore *s, const MetricsSelect *q, Labels **ret_series, Exemplar **ret, size_t *n, Err *e) {
    return inner(s)->ops->exemplars(inner(s), q, ret_series, ret, n, e);
}
static ErrCode store_delete(MetricsStore *s, const MetricsSelect *q, uint64_t *ret, Err *e) {
    return inner(s)->ops->delete_series(inner(s), q, ret, e);
}
static ErrCode store_visit(
    MetricsStore *s, const MetricsSelect *q, bool skip_head, MetricsVisitFn fn, void *ctx, Err *e) {
    return inner(s)->ops->visit(inner(s), q, skip_head, fn, ctx, e);
}
static ErrCode store_clean(MetricsStore *s, Err *e) { return inner(s)->ops->clean_tombstones(inner(s), e); }
static ErrCode store_set_rules(MetricsStore *s, const MetricsRules *rules, Err *e) {
    return inner(s)->ops->set_rules(inner(s), rules, e);
}
static void store_stats(MetricsStore *s, MetricsStoreStats *ret) { inner(s)->ops->stats(inner(s), ret); }
static ErrCode store_flush(MetricsStore *s, Err *e) { return inner(s)->ops->flush(inner(s), e); }
static void store_close(MetricsStore *s) { (void)rule_store_free(s); }

static const MetricsStoreOps rule_store_ops = {
    .append = store_append,
    .select = store_select,
    .series = store_series,
    .label_names = store_names,
    .label_values = store_values,
    .metadata = store_metadata,
    .exemplars = store_exemplars,
    .visit = store_visit,
    .delete_series = store_delete,
    .clean_tombstones = store_clean,
    .set_rules = store_set_rules,
    .stats = store_stats,
    .flush = store_flush,
    .close = store_close,
};

MetricsStore *rule_store_create(MetricsStore *of, size_t budget_bytes) {
    RuleStore *r = NEW(RuleStore);
    r->base.ops = &rule_store_ops;
    r->inner = of;
    r->arena = arena_create(budget_bytes);
    r->found = map_create(MAP_COPY_KEYS);
    return &r->base;
}

MetricsStore *rule_store_free(MetricsStore *s) {
    if (!s) return NULL;
    RuleStore *r = (RuleStore *)s;
    map_free(r->found);
    arena_free(r->arena);
    buf_done(&r->key);
    mem_free(r);
    return NULL;
}

/* Keys hold the metric's name with its length in front; a name found by accident only costs a second read. */
static bool mentions(Str key, const StrVec *names) {
    for (size_t i = 0; i < names->n; i++)
        if (str_find(key, names->v[i]) != SIZE_MAX) return true;
    return false;
}

static bool forget_one(RuleStore *r, const StrVec *names) {
    size_t it = 0;
    Str key;
    while (map_next(r->found, &it, &key, NULL)) {
        bool named = str_find(key, STR("__name__")) != SIZE_MAX && str_find(key, STR("0\x08__name__")) != SIZE_MAX;
        if (named && !mentions(key, names)) continue;
        (void)map_remove(r->found, key, NULL);
        return true;
    }
    return false;
}

void rule_store_forget(MetricsStore *s, const StrVec *names) {
    RuleStore *r = (RuleStore *)s;
    if (!names || arena_used_bytes(r->arena) > FORGET_BYTES) {
        map_clear(r->found);
        arena_reset(r->arena);
        return;
    }
    while (names->n && forget_one(r, names)) continue;
}
