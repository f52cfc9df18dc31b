#include "base/log.h"
#include "metrics/store_int.h"
#include "sys/clock.h"

#include <stdlib.h>

#define MERGE_EVERY_MS 10000
#define MERGE_PARTS_MAX 16
#define EXPIRE_MAX 256
#define MERGED_BYTES_MAX (UINT64_C(2) << 30)
#define UNLOAD_SERIES 16384               /* of an input, after which what has been read of it leaves memory */
#define SCRUB_BYTES ((uint64_t)256 << 20) /* read per round at start */
#define ZSTD_LEVEL 3

typedef struct Input {
    const PartRef *ref;
    MPart *part;
    uint32_t at, n;
    Labels labels; /* of series `at` */
    Arena *arena;  /* holds labels */
    MPartCache cache;
} Input;

typedef struct Merge {
    EmbeddedStore *store;
    Tombstones *tombs;
    Input in[MERGE_PARTS_MAX];
    size_t n;
    Arena *arena;
    SampleBuf samples;
    HistogramRefs histograms;
    StoreRules *rules;
    int64_t now;
} Merge;

static int str_order(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

static Str *merged_symbols(const Merge *m, size_t *ret_n) {
    size_t total = 0, n = 0;
    for (size_t i = 0; i < m->n; i++) total += mpart_symbol_count(m->in[i].part);
    Str *v = mem_alloc_array(MAX(total, 1), sizeof *v);
    for (size_t i = 0; i < m->n; i++) {
        for (size_t k = 0; k < mpart_symbol_count(m->in[i].part); k++) v[n++] = mpart_symbol(m->in[i].part, k);
    }
    if (n) qsort(v, n, sizeof *v, str_order);
    size_t unique = 0;
    for (size_t i = 0; i < n; i++) {
        if (unique == 0 || !str_eq(v[unique - 1], v[i])) v[unique++] = v[i];
    }
    *ret_n = unique;
    return v;
}

static ErrCode input_load(Input *in, Err *reterr) {
    if (in->at % UNLOAD_SERIES == 0 || in->at == in->n) part_unload(in->ref->part);
    if (in->at >= in->n) return OK;
    arena_reset(in->arena);
    return mpart_labels(in->part, in->at, in->arena, &in->labels, reterr);
}

/* Series by series; equal label sets of several inputs become one, the newest part winning equal times. */
static ErrCode merge_series(Merge *m, const Labels *labels, const bool *has, MPartWriter *w, Err *reterr) {
    ErrCode code = OK;
    sample_buf_clear(&m->samples);
    vec_clear(&m->histograms);
    arena_reset(m->arena);
    int64_t min_t = m->now - rules_keep(m->rules, *labels, m->store->opts.retention_ms); /* older is past its time */
    for (size_t i = 0; i < m->n && code == OK; i++) {
        if (!has[i]) continue;
        Input *in = &m->in[i];
        size_t from = m->samples.n, from_h = m->histograms.n;
        code =
            mpart_read(in->part, &in->cache, in->at, min_t, INT64_MAX, &m->samples, &m->histograms, m->arena, reterr);
        if (code == OK && m->tombs->n)
            tombs_apply(m->tombs, in->ref->info.id, *labels, &m->samples, from, &m->histograms, from_h);
    }
    if (code != OK) return code;
    sample_buf_finish(&m->samples);
    histograms_finish(&m->histograms);
    rules_thin(m->rules, *labels, m->now, &m->samples, &m->histograms);
    if (m->samples.n + m->histograms.n == 0) return OK;
    return mpart_writer_series(w, *labels, &m->samples, &m->histograms, reterr);
}

static ErrCode merge_all(Merge *m, MPartWriter *w, Err *reterr) {
    ErrCode code = OK;
    for (size_t i = 0; i < m->n && code == OK; i++) code = input_load(&m->in[i], reterr);
    while (code == OK) {
        const Labels *least = NULL;
        bool has[MERGE_PARTS_MAX] = {false};
        for (size_t i = 0; i < m->n; i++) {
            if (m->in[i].at < m->in[i].n && (!least || labels_cmp(m->in[i].labels, *least) < 0))
                least = &m->in[i].labels;
        }
        if (!least) break;
        for (size_t i = 0; i < m->n; i++) has[i] = m->in[i].at < m->in[i].n && labels_eq(m->in[i].labels, *least);
        code = merge_series(m, least, has, w, reterr);
        for (size_t i = 0; i < m->n && code == OK; i++) {
            if (!has[i]) continue;
            m->in[i].at++;
            code = input_load(&m->in[i], reterr);
        }
        if (m->store->stop) return err_set(reterr, ERR_CANCELLED, "shutting down");
    }
    return code;
}

static int by_order(const void *a, const void *b) {
    const Input *x = a, *y = b;
    return x->ref->info.order < y->ref->info.order ? -1 : x->ref->info.order > y->ref->info.order;
}

static ErrCode write_merged(Merge *m, const char *path, PartInfo *info, bool *ret_empty, Err *reterr) {
    size_t n_symbols;
    for (size_t i = 0; i < m->n; i++) {
        ErrCode load = mpart_load(m->in[i].part, reterr);
        if (load != OK) return load;
    }
    Str *symbols = merged_symbols(m, &n_symbols);
    MPartWriter *w;
    ErrCode code = mpart_writer_create(m->store->fs, path, symbols, n_symbols, ZSTD_LEVEL, &w, reterr);
    if (code == OK) {
        code = merge_all(m, w, reterr);
        *ret_empty = mpart_writer_series_count(w) == 0;
        if (code == OK && !*ret_empty) code = mpart_writer_finish(w, info, reterr);
        mpart_writer_free(w);
    }
    mem_free(symbols);
    return code;
}

static void inputs_open(Merge *m, const PartSnapshot *snap, const uint64_t *ids, size_t n) {
    for (size_t i = 0; i < snap->n; i++) {
        for (size_t k = 0; k < n; k++) {
            if (snap->v[i].info.id != ids[k]) continue;
            Input *in = &m->in[m->n++];
            *in = (Input){.ref = &snap->v[i], .part = snap->v[i].obj, .n = mpart_series_count(snap->v[i].obj)};
            in->arena = arena_create(ARENA_UNLIMITED);
        }
    }
    qsort(m->in, m->n, sizeof m->in[0], by_order);
}

/* The id is reserved and the tombstones are taken in one step: a tombstone covers parts up to its own id, so a
 * merge either has a smaller id (the tombstone is applied when reading) or knows the tombstone. */
static void begin(Merge *m, PartInfo *info, char path[FS_PATH_MAX]) {
    EmbeddedStore *s = m->store;
    mutex_lock(&s->flush_lock);
    info->id = partset_new_id(s->parts, path);
    m->tombs = tombs_ref(s->tombs);
    mutex_unlock(&s->flush_lock);
}

static ErrCode merge_parts(EmbeddedStore *s, const uint64_t *ids, size_t n, PartInfo *ret_info, Err *reterr) {
    Merge m = {.store = s, .arena = arena_create(ARENA_UNLIMITED), .now = clock_now_ms(), .rules = store_rules(s)};
    m.samples.want_starts = true;
    PartSnapshot snap;
    PartInfo info = {0};
    char path[FS_PATH_MAX];
    bool empty = false;
    begin(&m, &info, path);
    partset_snapshot(s->parts, &snap);
    inputs_open(&m, &snap, ids, n);
    ErrCode code = m.n == n ? write_merged(&m, path, &info, &empty, reterr)
                            : err_set(reterr, ERR_NOT_FOUND, "a part to be merged is gone");
    for (size_t i = 0; i < m.n; i++) {
        info.level = MAX(info.level, m.in[i].ref->info.level + 1);
        info.order = MAX(info.order, m.in[i].ref->info.order);
    }
    if (code == OK) code = partset_publish(s->parts, &info, empty ? 0 : 1, ids, n, 0, reterr);
    /* Damaged inputs stay marked: they are served as far as they can be read, and not tried again in this run. */
    if (code != OK && code != ERR_CORRUPT) partset_unmark_merge(s->parts, ids, n);
    for (size_t i = 0; i < m.n; i++) {
        mpart_cache_done(&m.in[i].cache);
        arena_free(m.in[i].arena);
    }
    partset_release(s->parts, &snap);
    tombs_unref(m.tombs);
    rules_unref(m.rules);
    arena_free(m.arena);
    sample_buf_done(&m.samples);
    vec_done(&m.histograms);
    *ret_info = info;
    return code;
}

static ErrCode expire(EmbeddedStore *s, Err *reterr) {
    uint64_t ids[EXPIRE_MAX];
    size_t n = partset_pick_expired(s->parts, store_retention_floor(s), s->opts.retention_bytes, ids, EXPIRE_MAX);
    return n ? partset_publish(s->parts, NULL, 0, ids, n, 0, reterr) : OK;
}

/* One part alone, when the rules ask for it: merging would come too late or never. */
static ErrCode apply_rules(EmbeddedStore *s, bool *ret_did, Err *reterr) {
    int64_t now = clock_now_ms();
    uint64_t id;
    *ret_did = rules_pick(s, now, &id);
    if (!*ret_did) return OK;
    PartInfo info;
    PartSnapshot snap;
    uint64_t before = 0;
    partset_snapshot(s->parts, &snap);
    for (size_t i = 0; i < snap.n; i++) before += snap.v[i].info.id == id ? snap.v[i].info.rows : 0;
    partset_release(s->parts, &snap);
    ErrCode code = merge_parts(s, &id, 1, &info, reterr);
    if (code != OK) return code;
    rules_rewritten(s, id, info.id);
    s->rules_rewritten++;
    s->rules_dropped += before - MIN(before, info.rows);
    return OK;
}

static ErrCode merge_once(EmbeddedStore *s, bool *ret_did, Err *reterr) {
    uint64_t ids[MERGE_PARTS_MAX];
    PartInfo info;
    *ret_did = false;
    ErrCode code = expire(s, reterr);
    if (code != OK) return code;
    size_t n = partset_pick_merge(s->parts, store_merged_ms(s), MERGED_BYTES_MAX, ids, MERGE_PARTS_MAX);
    if (n == 0) {
        code = apply_rules(s, ret_did, reterr);
        return code == OK && !*ret_did ? tombs_prune(s, reterr) : code;
    }
    *ret_did = true;
    return merge_parts(s, ids, n, &info, reterr);
}

ErrCode store_merge_once(EmbeddedStore *s, bool *ret_did, Err *reterr) {
    mutex_lock(&s->merge_lock);
    ErrCode code = merge_once(s, ret_did, reterr);
    mutex_unlock(&s->merge_lock);
    return code;
}

/* --- deleted samples --- */
/* Ids of the parts some tombstone may concern; the caller frees. */
static uint64_t *parts_with_deleted(EmbeddedStore *s, size_t *ret_n) {
    PartSnapshot snap;
    partset_snapshot(s->parts, &snap);
    uint64_t *ids = mem_alloc_array(MAX(snap.n, 1), sizeof *ids);
    *ret_n = 0;
    mutex_lock(&s->flush_lock); /* keeps the table */
    for (size_t i = 0; i < snap.n; i++) {
        bool holds = false;
        for (size_t k = 0; k < s->tombs->n; k++) holds |= tombstone_concerns(&s->tombs->v[k], &snap.v[i].info);
        if (holds) ids[(*ret_n)++] = snap.v[i].info.id;
    }
    mutex_unlock(&s->flush_lock);
    partset_release(s->parts, &snap);
    return ids;
}

ErrCode store_clean_tombstones(MetricsStore *base, Err *reterr) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    size_t n;
    PartInfo info;
    mutex_lock(&s->merge_lock);
    uint64_t *ids = parts_with_deleted(s, &n);
    ErrCode code = OK;
    for (size_t i = 0; i < n; i++) { /* a damaged part does not keep the others from being cleaned */
        ErrCode one = merge_parts(s, &ids[i], 1, &info, code == OK ? reterr : NULL);
        if (code == OK) code = one;
        if (one == ERR_CANCELLED) break;
    }
    mem_free(ids);
    if (code == OK) code = tombs_prune(s, reterr);
    mutex_unlock(&s->merge_lock);
    return code;
}

/* Looks over what is on disk once after the start, so that damage is reported before a query meets it. */
static void scrub(EmbeddedStore *s) {
    for (bool stop = false; !stop && !partset_scrub(s->parts, SCRUB_BYTES);) {
        mutex_lock(&s->wake_lock);
        stop = s->stop;
        mutex_unlock(&s->wake_lock);
    }
}

void store_merger_main(void *ctx) {
    EmbeddedStore *s = ctx;
    bool more = false;
    if (s->opts.no_maintenance) return;
    scrub(s);
    for (;;) {
        mutex_lock(&s->wake_lock);
        if (!s->stop && !more && !s->want_merge) (void)cond_wait_ms(&s->wake, &s->wake_lock, MERGE_EVERY_MS);
        bool stop = s->stop;
        s->want_merge = false;
        mutex_unlock(&s->wake_lock);
        if (stop) return;
        Err err = {0};
        ErrCode code = store_merge_once(s, &more, &err);
        if (code == OK || code == ERR_CANCELLED) continue;
        more = false;
        log_error("metrics: merging parts failed", "error", err.msg, NULL);
    }
}
