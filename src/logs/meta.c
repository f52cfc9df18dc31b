/* What streams and labels there are: from the heads' stream tables and the parts' dictionaries, never from rows. */
#include "logs/store_int.h"

#include <stdlib.h>

typedef struct Range {
    int64_t start, end;
} Range;

/* Called for every stream with rows in the range that matches; false stops with ERR_TOO_LARGE. */
typedef bool (*StreamFn)(void *ctx, Labels l, uint64_t entries, uint64_t bytes);

static uint64_t in_proportion(uint64_t n, int64_t min_t, int64_t max_t, Range r) {
    int64_t from = MAX(min_t, r.start), to = MIN(max_t, r.end - 1);
    if (from <= min_t && to >= max_t) return n;
    double share = ((double)to - (double)from + 1) / ((double)max_t - (double)min_t + 1);
    uint64_t part = (uint64_t)((double)n * share + 0.5);
    return MIN(MAX(part, UINT64_C(1)), n);
}

static bool visit_part(const LogPart *p, const LogSelect *req, Range r, StreamFn fn, void *ctx) {
    size_t n;
    uint64_t *bits = logpart_match(p, req->matchers, r.start, r.end, req->arena, &n);
    if (!bits) return false;
    for (size_t i = 0; n > 0 && i < p->n_streams; i++) {
        const LogPartStream *st = &p->streams[i];
        if (!bit_get(bits, i)) continue;
        if (!fn(ctx, st->labels, in_proportion(st->rows, st->min_t, st->max_t, r),
                in_proportion(st->bytes, st->min_t, st->max_t, r)))
            return false;
    }
    return true;
}

static void count_chunks(const HeadChunk *last, uint32_t last_n, Range r, uint64_t *rows, uint64_t *bytes) {
    for (const HeadChunk *c = last; c; c = c->prev) {
        uint32_t n = c == last ? last_n : c->n;
        for (uint32_t i = 0; i < n; i++) {
            if (c->rows[i].t_ns < r.start || c->rows[i].t_ns >= r.end) continue;
            ++*rows;
            *bytes += c->rows[i].line_n;
        }
    }
}

static bool visit_head(LogHead *h, const LogSelect *req, Range r, bool count, StreamFn fn, void *ctx) {
    HeadStreamView *v;
    size_t n;
    if (!head_view(h, req->arena, &v, &n)) return false;
    for (size_t i = 0; i < n; i++) {
        if (v[i].min_t >= r.end || v[i].max_t < r.start) continue;
        if (!matchers_match(req->matchers, v[i].stream->labels)) continue;
        uint64_t rows = 0, bytes = 0;
        if (count) {
            count_chunks(v[i].main_last, v[i].main_n, r, &rows, &bytes);
            count_chunks(v[i].late_last, v[i].late_n, r, &rows, &bytes);
            if (rows == 0) continue;
        }
        if (!fn(ctx, v[i].stream->labels, rows, bytes)) return false;
    }
    return true;
}

static ErrCode visit_streams(Store *s, const LogSelect *req, bool count, StreamFn fn, void *ctx, Err *reterr) {
    Range r = {MAX(req->start_ns, store_oldest_ns(s)), req->end_ns};
    StoreView view;
    store_view_take(s, &view);
    bool ok = true;
    for (size_t i = 0; i < view.n_heads && ok; i++) ok = visit_head(view.heads[i], req, r, count, fn, ctx);
    for (size_t i = 0; i < view.parts.n && ok; i++) {
        const PartInfo *info = &view.parts.v[i].info;
        if (info->min_t < r.end && info->max_t >= r.start) ok = visit_part(view.parts.v[i].obj, req, r, fn, ctx);
    }
    store_view_release(s, &view);
    return ok ? OK : err_set(reterr, ERR_TOO_LARGE, "the query needs more memory than it is allowed");
}

/* --- streams and their statistics --- */

typedef struct StreamSet {
    Arena *arena;
    Map *index;
    AVEC(LogStreamStat) v;
    Buf key;
} StreamSet;

static bool stream_set_add(void *ctx, Labels l, uint64_t entries, uint64_t bytes) {
    StreamSet *set = ctx;
    buf_clear(&set->key);
    log_stream_key_encode(&set->key, l);
    bool inserted;
    uint64_t *slot = map_put(set->index, buf_str(&set->key), &inserted);
    if (inserted) {
        *slot = set->v.n;
        Labels copy = labels_copy(set->arena, l);
        if (l.n > 0 && !copy.v) return false;
        if (!avec_push(set->arena, &set->v, (LogStreamStat){.stream = copy})) return false;
    }
    LogStreamStat *st = &set->v.v[*slot];
    st->entries += entries;
    st->bytes += bytes;
    st->chunks++;
    return true;
}

static int cmp_stats(const void *a, const void *b) {
    return labels_cmp(((const LogStreamStat *)a)->stream, ((const LogStreamStat *)b)->stream);
}

static ErrCode collect_streams(
    LogStore *ls, const LogSelect *req, bool count, LogStreamStat **ret, size_t *ret_n, Err *reterr) {
    StreamSet set = {.arena = req->arena, .index = map_create(MAP_COPY_KEYS)};
    ErrCode rc = visit_streams(CONTAINER_OF(ls, Store, base), req, count, stream_set_add, &set, reterr);
    map_free(set.index);
    buf_done(&set.key);
    if (rc == OK && set.v.n > 1) qsort(set.v.v, set.v.n, sizeof *set.v.v, cmp_stats);
    *ret = set.v.v;
    *ret_n = set.v.n;
    return rc;
}

ErrCode store_stream_stats(LogStore *ls, const LogSelect *req, LogStreamStat **ret, size_t *ret_n, Err *reterr) {
    return collect_streams(ls, req, true, ret, ret_n, reterr);
}

ErrCode store_streams(LogStore *ls, const LogSelect *req, Labels **ret, size_t *ret_n, Err *reterr) {
    LogStreamStat *v;
    size_t n;
    ErrCode rc = collect_streams(ls, req, false, &v, &n, reterr);
    if (rc) return rc;
    *ret = ARENA_ARRAY(req->arena, Labels, n);
    if (!*ret) return err_set(reterr, ERR_TOO_LARGE, "the query needs more memory than it is allowed");
    for (size_t i = 0; i < n; i++) (*ret)[i] = v[i].stream;
    *ret_n = n;
    return OK;
}

/* --- names and values --- */

typedef struct NameSet {
    Arena *arena;
    Map *index;
    AVEC(Str) v;
    Str of; /* values of this name; p == NULL: the names */
} NameSet;

static bool name_set_put(NameSet *set, Str s) {
    bool inserted;
    map_put(set->index, s, &inserted);
    if (!inserted) return true;
    Str copy = arena_copy(set->arena, s);
    return copy.p && avec_push(set->arena, &set->v, copy);
}

static bool name_set_add(void *ctx, Labels l, uint64_t entries, uint64_t bytes) {
    (void)entries;
    (void)bytes;
    NameSet *set = ctx;
    if (set->of.p) {
        Str value = labels_get(l, set->of);
        return value.n == 0 || name_set_put(set, value);
    }
    for (size_t i = 0; i < l.n; i++)
        if (!name_set_put(set, l.v[i].name)) return false;
    return true;
}

static int cmp_strs(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

static ErrCode collect_names(LogStore *ls, const LogSelect *req, Str of, Str **ret, size_t *ret_n, Err *reterr) {
    NameSet set = {.arena = req->arena, .index = map_create(MAP_COPY_KEYS), .of = of};
    ErrCode rc = visit_streams(CONTAINER_OF(ls, Store, base), req, false, name_set_add, &set, reterr);
    map_free(set.index);
    if (rc == OK && set.v.n > 1) qsort(set.v.v, set.v.n, sizeof *set.v.v, cmp_strs);
    *ret = set.v.v;
    *ret_n = set.v.n;
    return rc;
}

ErrCode log_store_label_names(LogStore *ls, const LogSelect *req, Str **ret, size_t *ret_n, Err *reterr) {
    return collect_names(ls, req, STR_NULL, ret, ret_n, reterr);
}

ErrCode log_store_label_values(LogStore *ls, const LogSelect *req, Str name, Str **ret, size_t *ret_n, Err *reterr) {
    return collect_names(ls, req, name.p ? name : STR(""), ret, ret_n, reterr);
}
