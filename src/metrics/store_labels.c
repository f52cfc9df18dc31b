#include "metrics/store_int.h"

#include <stdlib.h>

#define LIMIT_MAX 100000 /* of a limit that is worth picking label sets by */
#define LIMIT_BATCH_MIN 64

static ErrCode exhausted(Err *reterr) { return err_set(reterr, ERR_TOO_LARGE, "the query's memory budget is used up"); }

ErrCode store_series(
    MetricsStore *base, const MetricsSelect *req, size_t limit, Labels **ret, size_t *ret_n, Err *reterr) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    *ret = NULL;
    *ret_n = 0;
    View *v = view_open(s, req->arena);
    if (!v) return exhausted(reterr);
    if (limit && v->tombs->n == 0 && limit <= LIMIT_MAX) return view_series_limited(v, req, limit, ret, ret_n, reterr);
    SourceSeriesVec all = {0};
    ErrCode code = view_match(v, req, &all, reterr);
    if (code == OK && v->tombs->n) code = view_drop_deleted(v, req, &all, reterr);
    if (code == OK) {
        Labels *out = ARENA_ARRAY(req->arena, Labels, all.n);
        size_t n = 0;
        for (size_t i = 0; i < all.n && out && (!limit || n < limit); i++) {
            if (n == 0 || !labels_eq(out[n - 1], all.v[i].labels)) out[n++] = all.v[i].labels;
        }
        code = out ? OK : exhausted(reterr);
        *ret = out;
        *ret_n = out ? n : 0;
    }
    vec_done(&all);
    return code;
}

/* --- collecting strings --- */
typedef struct StrSet {
    Arena *arena;
    size_t limit;   /* 0: all; else the first so many are looked for */
    Map *seen;      /* without a limit; borrowed keys: the view is kept as long as the arena */
    VEC(Str) list;  /* with a limit: with some of them twice, up to twice the limit */
    size_t n_first; /* with a limit: so many at the list's beginning are sorted and unique */
} StrSet;

static int str_order(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

/* Whether the string can be among the first. */
static bool set_wants(const StrSet *x, Str s) {
    return x->limit == 0 || x->n_first < x->limit || str_cmp(s, x->list.v[x->limit - 1]) < 0;
}

static void set_compact(StrSet *x) {
    size_t n = 0;
    if (x->list.n) qsort(x->list.v, x->list.n, sizeof *x->list.v, str_order);
    for (size_t i = 0; i < x->list.n && n < x->limit; i++)
        if (n == 0 || !str_eq(x->list.v[n - 1], x->list.v[i])) x->list.v[n++] = x->list.v[i];
    x->list.n = x->n_first = n;
}

static void set_add(void *set, Str s) {
    StrSet *x = set;
    bool is_new = true;
    if (!set_wants(x, s)) return;
    if (!x->limit) (void)map_put(x->seen, s, &is_new);
    if (is_new) vec_push(&x->list, s);
    if (x->limit && x->list.n / 2 >= MAX(x->limit, (size_t)LIMIT_BATCH_MIN)) set_compact(x);
}

static ErrCode set_finish(StrSet *x, ErrCode code, Str **ret, size_t *ret_n, Err *reterr) {
    if (code == OK) {
        if (x->limit)
            set_compact(x);
        else if (x->list.n)
            qsort(x->list.v, x->list.n, sizeof *x->list.v, str_order);
        size_t n = x->list.n;
        Str *out = ARENA_ARRAY(x->arena, Str, n);
        if (out && n) memcpy(out, x->list.v, n * sizeof *out);
        *ret = out;
        *ret_n = out ? n : 0;
        if (!out) code = exhausted(reterr);
    }
    map_free(x->seen);
    vec_done(&x->list);
    return code;
}

static bool range_hits(int64_t min_t, int64_t max_t, const MetricsSelect *req) {
    return max_t >= req->min_t_ms && min_t <= req->max_t_ms;
}

/* Without matchers the indexes answer; a whole part or head counts when its range overlaps, as in Prometheus. Of a
 * head's index, which knows more, only what has samples in the head. */
static void values_of_head(Head *h, const PostingIndex *p, size_t name, StrSet *x) {
    for (size_t i = 0, n = p->value_count(p->ctx, name); i < n; i++) {
        Str value = p->value_at(p->ctx, name, i);
        if (set_wants(x, value) && head_value_lives(h, name, i)) set_add(x, value);
    }
}

static bool name_lives(Head *h, const PostingIndex *p, size_t name) {
    for (size_t i = 0, n = p->value_count(p->ctx, name); i < n; i++)
        if (head_value_lives(h, name, i)) return true;
    return false;
}

static void names_of_head(Head *h, const MetricsSelect *req, const Str *values_of, StrSet *x) {
    HeadStats stats;
    head_stats(h, &stats);
    if (!range_hits(stats.min_t, stats.max_t, req)) return;
    head_lock_read(h);
    PostingIndex p = head_postings(h);
    if (values_of) {
        size_t name = p.name_find(p.ctx, *values_of);
        if (name != POSTINGS_NONE) values_of_head(h, &p, name, x);
    } else {
        for (size_t i = 0; i < head_name_count(h); i++)
            if (name_lives(h, &p, i)) set_add(x, head_name(h, i));
    }
    head_unlock(h);
}

static void names_of_part(const PartRef *ref, const MetricsSelect *req, const Str *values_of, StrSet *x) {
    if (!range_hits(ref->info.min_t, ref->info.max_t, req)) return;
    MPart *part = ref->obj;
    PostingIndex p = mpart_postings(part);
    if (p.n_series == 0) return;
    if (values_of) {
        size_t name = p.name_find(p.ctx, *values_of), n = name == POSTINGS_NONE ? 0 : p.value_count(p.ctx, name);
        for (size_t i = 0; i < n; i++) { /* in order */
            Str value = p.value_at(p.ctx, name, i);
            if (!set_wants(x, value)) break;
            set_add(x, value);
        }
    } else {
        for (size_t i = 0; i < mpart_name_count(part); i++) set_add(x, mpart_name(part, i));
    }
}

/* With matchers: from the series they leave. */
static ErrCode names_of_matching(View *v, const MetricsSelect *req, const Str *values_of, StrSet *x, Err *reterr) {
    if (v->tombs->n == 0) return view_names(v, req, values_of, set_add, x, reterr);
    SourceSeriesVec all = {0};
    ErrCode code = view_match(v, req, &all, reterr);
    if (code == OK) code = view_drop_deleted(v, req, &all, reterr);
    for (size_t i = 0; i < all.n && code == OK; i++) {
        Labels l = all.v[i].labels;
        for (size_t k = 0; k < l.n; k++) {
            if (!values_of)
                set_add(x, l.v[k].name);
            else if (str_eq(l.v[k].name, *values_of))
                set_add(x, l.v[k].value);
        }
    }
    vec_done(&all);
    return code;
}

static ErrCode collect(MetricsStore *base, const MetricsSelect *req, const Str *values_of, size_t limit, Str **ret,
    size_t *ret_n, Err *reterr) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    *ret = NULL;
    *ret_n = 0;
    View *v = view_open(s, req->arena);
    if (!v) return exhausted(reterr);
    StrSet x = {.arena = req->arena, .limit = limit, .seen = limit ? NULL : map_create(MAP_BORROW_KEYS)};
    ErrCode code = OK;
    if (req->matchers.n || v->tombs->n) {
        code = names_of_matching(v, req, values_of, &x, reterr);
    } else {
        for (size_t i = 0; i < v->parts.n; i++) names_of_part(&v->parts.v[i], req, values_of, &x);
        for (size_t i = 0; i < v->n_heads; i++) names_of_head(v->heads[i], req, values_of, &x);
    }
    return set_finish(&x, code, ret, ret_n, reterr);
}

ErrCode store_label_names(
    MetricsStore *s, const MetricsSelect *req, size_t limit, Str **ret, size_t *ret_n, Err *reterr) {
    return collect(s, req, NULL, limit, ret, ret_n, reterr);
}

ErrCode store_label_values(
    MetricsStore *s, const MetricsSelect *req, Str name, size_t limit, Str **ret, size_t *ret_n, Err *reterr) {
    return collect(s, req, &name, limit, ret, ret_n, reterr);
}
