#include "logs/scan_int.h"

static ErrCode exhausted(Err *reterr) {
    return err_set(reterr, ERR_TOO_LARGE, "the query needs more memory than it is allowed");
}

/* --- heads --- */

static uint32_t chunk_rows(const Source *src, const HeadChunk *c) { return c == src->last ? src->last_n : c->n; }

bool chain_advance(const Scan *sc, Source *src) {
    if (sc->req->backward) {
        if (src->at == 0) {
            src->chunk = src->chunk->prev;
            if (!src->chunk) return false;
            src->at = chunk_rows(src, src->chunk);
        }
        src->at--;
        return chain_row(src)->t_ns >= sc->start_ns;
    }
    if (++src->at == chunk_rows(src, src->chunk)) {
        if (src->chunk == src->last) return false;
        src->chunk = src->chunk->next;
        src->at = 0;
    }
    return chain_row(src)->t_ns < sc->end_ns;
}

/* First row in c with a time >= t. */
static size_t chunk_lower(const Source *src, const HeadChunk *c, int64_t t) {
    size_t lo = 0, hi = chunk_rows(src, c);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c->rows[mid].t_ns < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Stands at the first row to visit; false when none is in the range. */
static bool chain_seek(const Scan *sc, Source *src) {
    int64_t t = sc->req->backward ? sc->end_ns : sc->start_ns;
    const HeadChunk *c = src->last; /* the chunk that holds the last row before t, or the first one */
    while (c->prev && c->rows[0].t_ns >= t) c = c->prev;
    size_t at = chunk_lower(src, c, t);
    if (sc->req->backward) {
        if (at == 0) return false;
        src->chunk = c;
        src->at = at - 1;
        return chain_row(src)->t_ns >= sc->start_ns;
    }
    if (at == chunk_rows(src, c)) {
        if (c == src->last) return false;
        c = c->next;
        at = 0;
    }
    src->chunk = c;
    src->at = at;
    return chain_row(src)->t_ns < sc->end_ns;
}

static int cmp_late(const void *a, const void *b) {
    int64_t x = (*(const HeadRow *const *)a)->t_ns, y = (*(const HeadRow *const *)b)->t_ns;
    return (x > y) - (x < y);
}

static int cmp_late_backward(const void *a, const void *b) { return cmp_late(b, a); }

static ErrCode add_late(Scan *sc, const HeadStreamView *v, Err *reterr) {
    AVEC(const HeadRow *) rows = {0};
    for (const HeadChunk *c = v->late_last; c; c = c->prev) {
        uint32_t n = c == v->late_last ? v->late_n : c->n;
        for (uint32_t i = 0; i < n; i++) {
            if (c->rows[i].t_ns < sc->start_ns || c->rows[i].t_ns >= sc->end_ns) continue;
            if (!avec_push(sc->tables, &rows, &c->rows[i])) return exhausted(reterr);
        }
    }
    if (rows.n == 0) return OK;
    if (!sc->req->any_order) qsort(rows.v, rows.n, sizeof *rows.v, sc->req->backward ? cmp_late_backward : cmp_late);
    Source *src = scan_source(sc, SOURCE_LATE, rows.v[0]->t_ns);
    if (!src) return exhausted(reterr);
    src->stream = v->stream;
    src->late = rows.v;
    src->n = rows.n;
    return OK;
}

static ErrCode add_stream(Scan *sc, const HeadStreamView *v, Err *reterr) {
    if (v->main_last) {
        Source probe = {.stream = v->stream, .last = v->main_last, .last_n = v->main_n};
        if (chain_seek(sc, &probe)) {
            Source *src = scan_source(sc, SOURCE_CHAIN, chain_row(&probe)->t_ns);
            if (!src) return exhausted(reterr);
            src->stream = v->stream;
            src->last = probe.last;
            src->last_n = probe.last_n;
            src->chunk = probe.chunk;
            src->at = probe.at;
        }
    }
    return v->late_last ? add_late(sc, v, reterr) : OK;
}

ErrCode scan_add_head(Scan *sc, LogHead *h, Err *reterr) {
    HeadStreamView *v;
    size_t n;
    if (!head_view(h, sc->tables, &v, &n)) return exhausted(reterr);
    for (size_t i = 0; i < n; i++) {
        if (v[i].min_t >= sc->end_ns || v[i].max_t < sc->start_ns) continue;
        if (!matchers_match(sc->req->matchers, v[i].stream->labels)) continue;
        ErrCode rc = add_stream(sc, &v[i], reterr);
        if (rc) return rc;
    }
    return OK;
}

/* --- parts --- */

static bool block_has_stream(const uint64_t *match, const WideBlockInfo *info, size_t n_streams) {
    for (uint64_t g = info->min_group; g <= info->max_group && g < n_streams;) {
        uint64_t word = match[g / 64] >> (g % 64);
        if (word) return g + (uint64_t)__builtin_ctzll(word) <= info->max_group;
        g = (g / 64 + 1) * 64;
    }
    return false;
}

static bool block_wanted(
    const Scan *sc, const LogPart *p, const uint64_t *match, size_t block, const WideBlockInfo *info) {
    if (info->rows == 0 || info->min_t >= sc->end_ns || info->max_t < sc->start_ns) return false;
    if (!block_has_stream(match, info, p->n_streams)) return false;
    for (size_t i = 0; i < sc->req->n_hints; i++)
        if (!wide_part_may_contain(p->wide, block, LOG_LINE_FIELD, sc->req->hints[i].contains)) return false;
    return true;
}

ErrCode scan_add_part(Scan *sc, const PartRef *ref, Err *reterr) {
    if (ref->info.min_t >= sc->end_ns || ref->info.max_t < sc->start_ns) return OK;
    const LogPart *p = ref->obj;
    size_t n_match;
    uint64_t *match = logpart_match(p, sc->req->matchers, sc->start_ns, sc->end_ns, sc->tables, &n_match);
    if (!match) return exhausted(reterr);
    if (n_match == 0) return OK;
    for (size_t i = 0, n = wide_part_block_count(p->wide); i < n; i++) {
        WideBlockInfo info = wide_part_block_info(p->wide, i);
        if (!block_wanted(sc, p, match, i, &info)) {
            sc->stats->blocks_skipped++;
            continue;
        }
        int64_t key = sc->req->backward ? MIN(info.max_t, sc->end_ns - 1) : MAX(info.min_t, sc->start_ns);
        Source *src = scan_source(sc, SOURCE_BLOCK, key);
        if (!src) return exhausted(reterr);
        src->part = p;
        src->match = match;
        src->block_no = i;
    }
    return OK;
}

/* Bottom-up merge of the ascending runs that a block's streams are: nothing to do for one stream. */
static bool sort_rows(Source *src) {
    size_t n = src->n;
    uint32_t *rows = src->rows, *tmp = ARENA_ARRAY(src->arena, uint32_t, n);
    size_t *runs = ARENA_ARRAY(src->arena, size_t, n + 1);
    if (!tmp || !runs) return false;
    const int64_t *t = src->times;
    size_t n_runs = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || t[rows[i]] < t[rows[i - 1]]) runs[n_runs++] = i;
    runs[n_runs] = n;
    while (n_runs > 1) {
        size_t out_runs = 0;
        for (size_t r = 0; r < n_runs; r += 2) {
            size_t a = runs[r], mid = r + 1 < n_runs ? runs[r + 1] : n, b = mid;
            size_t end = r + 2 <= n_runs ? runs[r + 2] : n, out = a;
            size_t begin = a;
            while (a < mid && b < end) tmp[out++] = t[rows[a]] <= t[rows[b]] ? rows[a++] : rows[b++];
            while (a < mid) tmp[out++] = rows[a++];
            while (b < end) tmp[out++] = rows[b++];
            runs[out_runs++] = begin;
        }
        runs[out_runs] = n;
        n_runs = out_runs;
        uint32_t *swap = rows;
        rows = tmp;
        tmp = swap;
    }
    src->rows = rows;
    return true;
}

static void reverse_rows(Source *src) {
    for (size_t i = 0, k = src->n; i + 1 < k; i++) {
        k--;
        uint32_t x = src->rows[i];
        src->rows[i] = src->rows[k];
        src->rows[k] = x;
    }
}

ErrCode block_open(Scan *sc, Source *src, Err *reterr) {
    sc->stats->blocks++;
    src->arena = scan_arena_take(sc);
    ErrCode rc = wide_block_open(src->part->wide, src->block_no, src->arena, &src->block, reterr);
    if (rc == OK) rc = wide_block_times(src->block, &src->times, reterr);
    if (rc == OK) rc = wide_block_groups(src->block, &src->groups, reterr);
    if (rc) return rc;
    uint32_t n = wide_part_block_info(src->part->wide, src->block_no).rows;
    src->rows = ARENA_ARRAY(src->arena, uint32_t, n);
    if (!src->rows) return exhausted(reterr);
    src->n = src->at = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (src->times[i] < sc->start_ns || src->times[i] >= sc->end_ns) continue;
        if (src->groups[i] >= src->part->n_streams) return err_set(reterr, ERR_CORRUPT, "a log row of no stream");
        if (bit_get(src->match, src->groups[i])) src->rows[src->n++] = i;
    }
    src->more = src->n > 0;
    if (!src->more) return OK;
    if (!sc->req->any_order) {
        if (!sort_rows(src)) return exhausted(reterr);
        if (sc->req->backward) reverse_rows(src);
    }
    src->key = src->times[src->rows[0]];
    return OK;
}
