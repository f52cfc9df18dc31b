/* store_replay.c - reading the log at the start: three stages that run side by side, a record at a time.
 *
 *   the caller    scans the segments: checksums, decompression
 *   "…-index"     makes the series of a record, which stand first in it
 *   "…-samples"   puts the rest into the head, and the head into parts when it becomes too large
 *
 * The lanes between them hold a few records each, so memory stays bounded however long the log is. */
#include "metrics/record.h"
#include "metrics/store_int.h"

#include <stdio.h>

#define REPLAY_ARENA_BYTES ((size_t)512 << 20)
#define UNKNOWN UINT32_MAX
#define WILD_MAX (UINT32_C(1) << 24) /* ids are dense; one that is so far ahead cannot be ours */
#define SPILL_HEADS 3
#define LANE_RECORDS 16
#define LANE_BYTES ((size_t)16 << 20) /* of records; a larger one goes alone */

/* A number of the log and what it is in the index. */
typedef struct Told {
    uint32_t id, series;
} Told;

/* A record on its way. */
typedef struct Replayed {
    Arena *arena;
    WalPos pos;
    Str payload;
    RecordReader rest; /* behind symbols and series */
    VEC(Told) told;
} Replayed;

typedef struct Lane {
    Mutex lock;
    Cond changed;
    Replayed *slots[LANE_RECORDS];
    size_t first, n, bytes;
    bool closed;
} Lane;

typedef VEC(uint32_t) U32Vec;

/* Ids and symbols of the log mean something within their epoch only; heads that are written out on the way share an
 * index, so what they became stays good. */
typedef struct Replay {
    EmbeddedStore *store;
    Head *head; /* the first one, for its index; its samples belong to the last stage */
    Lane to_index, to_samples;
    /* the stage of the index */
    uint64_t epoch, epoch_max;
    bool first_epoch;
    U32Vec ids, symbols; /* of the log -> of the index, UNKNOWN: not told */
    U32Vec scratch;
    /* the stage of the samples */
    uint64_t put_epoch;
    U32Vec put_ids; /* as ids */
    int64_t min_t;
    bool no_room; /* for parts */
    char dir[FS_PATH_MAX];
    _Atomic int failed; /* ErrCode of the first stage that failed; the others drain */
    Err err;            /* its own */
} Replay;

/* --- lanes --- */
static void lane_init(Lane *l) {
    mutex_init(&l->lock);
    cond_init(&l->changed);
}

static void lane_done(Lane *l) {
    ASSERT(l->n == 0);
    cond_done(&l->changed);
    mutex_done(&l->lock);
}

static void lane_put(Lane *l, Replayed *x) {
    mutex_lock(&l->lock);
    while (l->n == LANE_RECORDS || (l->n && l->bytes + x->payload.n > LANE_BYTES)) cond_wait(&l->changed, &l->lock);
    l->bytes += x->payload.n;
    l->slots[(l->first + l->n++) % LANE_RECORDS] = x;
    cond_signal(&l->changed);
    mutex_unlock(&l->lock);
}

/* NULL: closed and empty. */
static Replayed *lane_take(Lane *l) {
    mutex_lock(&l->lock);
    while (l->n == 0 && !l->closed) cond_wait(&l->changed, &l->lock);
    Replayed *x = l->n ? l->slots[l->first] : NULL;
    if (x) {
        l->first = (l->first + 1) % LANE_RECORDS;
        l->n--;
        l->bytes -= x->payload.n;
        cond_signal(&l->changed);
    }
    mutex_unlock(&l->lock);
    return x;
}

static void lane_close(Lane *l) {
    mutex_lock(&l->lock);
    l->closed = true;
    cond_broadcast(&l->changed);
    mutex_unlock(&l->lock);
}

static void replayed_free(Replayed *x) {
    vec_done(&x->told);
    arena_free(x->arena); /* x and its bytes are in it */
}

/* err NULL: the record is none of ours. */
static void fail(Replay *r, const Replayed *x, ErrCode code, const Err *err) {
    int none = OK;
    if (!atomic_compare_exchange_strong(&r->failed, &none, (int)code)) return;
    if (err)
        r->err = *err;
    else
        (void)wal_refused(r->dir, x->pos, code, &r->err);
}

/* --- series --- */
static void begin_epoch(Replay *r, uint64_t epoch) {
    r->first_epoch = r->epoch == 0;
    r->epoch = epoch;
    r->epoch_max = MAX(r->epoch_max, epoch);
    vec_clear(&r->ids);
    vec_clear(&r->symbols);
}

/* The place for number `at`, made when it is not too far ahead; NULL when it is. */
static uint32_t *place_for(U32Vec *vec, uint32_t at) {
    if (at > vec->n + WILD_MAX) return NULL;
    while (vec->n <= at) vec_push(vec, UNKNOWN);
    return &vec->v[at];
}

static void learn_symbol(Replay *r, const RecordItem *it) {
    uint32_t *place = place_for(&r->symbols, it->id);
    if (place && *place == UNKNOWN) *place = head_intern(r->head, it->symbol);
}

static void learn_series(Replay *r, Replayed *x, const RecordItem *it) {
    uint32_t *place = place_for(&r->ids, it->id);
    if (!place || *place != UNKNOWN) return;
    vec_clear(&r->scratch);
    for (size_t i = 0; i < 2 * it->n; i++) {
        uint32_t symbol = i < it->n ? it->names[i] : it->values[i - it->n];
        if (symbol >= r->symbols.n || r->symbols.v[symbol] == UNKNOWN) return;
        vec_push(&r->scratch, r->symbols.v[symbol]);
    }
    SeriesSymbols s = {.names = r->scratch.v, .values = r->scratch.v + it->n, .n = (uint32_t)it->n};
    /* An epoch has one number for a series, and the index was empty before the first one. */
    *place = head_get_or_create_interned(r->head, s, r->first_epoch);
    vec_push(&x->told, (Told){it->id, *place});
}

static ErrCode index_record(Replay *r, Replayed *x) {
    RecordItem item;
    int more = 1;
    if (!record_reader_init(&x->rest, x->payload, x->arena)) return ERR_CORRUPT; /* written by a newer version */
    if (x->rest.epoch != r->epoch) begin_epoch(r, x->rest.epoch);
    if (!record_next_defines(&x->rest)) return OK;
    head_lock_write(r->head); /* the last stage may be writing a head out, whose labels it reads */
    while (record_next_defines(&x->rest) && (more = record_next(&x->rest, &item)) > 0) {
        if (item.kind == RECORD_SYMBOL)
            learn_symbol(r, &item);
        else
            learn_series(r, x, &item);
    }
    head_unlock(r->head);
    return more < 0 ? ERR_CORRUPT : OK;
}

static void index_main(void *ctx) {
    Replay *r = ctx;
    for (Replayed *x; (x = lane_take(&r->to_index));) {
        ErrCode code = r->failed ? OK : index_record(r, x);
        if (code != OK) fail(r, x, code, NULL);
        if (r->failed)
            replayed_free(x);
        else
            lane_put(&r->to_samples, x);
    }
    lane_close(&r->to_samples);
}

/* --- the stage of the samples --- */
/* A log larger than what memory usually held before the end, a head being written and the active one at its fullest:
 * what was read so far goes into parts, the floor stays, so that a crash now only means reading it again (duplicates
 * have equal bits). What is not that large is left to the flusher, and nobody waits for it. A full disk must not keep
 * a store from being read: the log of one that had no room for parts is as large as FROZEN_MAX heads allow. */
static ErrCode spill(Replay *r, Err *reterr) {
    EmbeddedStore *s = r->store;
    HeadStats stats;
    head_stats(s->active, &stats);
    if (r->no_room || !store_head_is_large(s, &stats, SPILL_HEADS)) return OK;
    ErrCode code = store_write_head(s, s->active, 0, reterr);
    r->no_room = code == ERR_NO_SPACE;
    if (code != OK) return r->no_room ? OK : code;
    Head *next = head_create_after(s->active, true);
    head_unref(s->active);
    s->active = next;
    return OK;
}

static void learn_told(Replay *r, const Replayed *x) {
    if (x->rest.epoch != r->put_epoch) vec_clear(&r->put_ids);
    r->put_epoch = x->rest.epoch;
    vec_foreach(const Told, t, &x->told) {
        uint32_t *place = place_for(&r->put_ids, t->id);
        if (place) *place = t->series;
    }
}

static void put_exemplar(Replay *r, uint32_t id, const Exemplar *e, Arena *arena) {
    head_write_end(r->store->active); /* the index lock comes before those of shards */
    head_lock_read(r->head);
    Labels labels = head_labels(r->head, id, arena);
    head_unlock(r->head);
    if (labels.v) side_add_exemplar(&r->store->side, labels, e);
}

static void put_item(Replay *r, const Replayed *x, const RecordItem *it) {
    Head *h = r->store->active;
    if (it->kind == RECORD_METADATA) side_add_metadata(&r->store->side, &it->metadata);
    if (it->kind == RECORD_METADATA || it->id >= r->put_ids.n) return;
    uint32_t id = r->put_ids.v[it->id];
    if (id == UNKNOWN) return;
    switch (it->kind) {
    case RECORD_SAMPLES:
        for (size_t i = 0; i < it->n; i++) {
            if (it->t_ms[i] < r->min_t) continue;
            (void)head_put(h, id, it->t_ms[i], it->v[i], it->start_ms ? it->start_ms[i] : 0);
        }
        break;
    case RECORD_HISTOGRAM:
        if (it->t >= r->min_t) (void)head_put_histogram(h, id, it->t, &it->histogram, it->start);
        break;
    case RECORD_EXEMPLAR: put_exemplar(r, id, &it->exemplar, x->arena); break;
    default: break; /* of series and symbols that stand behind something else */
    }
}

static void put_record(Replay *r, Replayed *x) {
    RecordItem item;
    Err err = {0};
    int more;
    learn_told(r, x);
    head_write_begin(r->store->active);
    while ((more = record_next(&x->rest, &item)) > 0) put_item(r, x, &item);
    head_write_end(r->store->active);
    ErrCode code = more < 0 ? ERR_CORRUPT : spill(r, &err);
    if (code != OK) fail(r, x, code, more < 0 ? NULL : &err);
}

static void samples_main(void *ctx) {
    Replay *r = ctx;
    for (Replayed *x; (x = lane_take(&r->to_samples)); replayed_free(x))
        if (!r->failed) put_record(r, x);
}

/* --- the stage of the log --- */
static ErrCode scan_record(void *ctx, WalPos pos, uint8_t type, Str payload) {
    Replay *r = ctx;
    if (r->failed) return (ErrCode)r->failed;
    if (type != RECORD_METRICS) return ERR_CORRUPT; /* the frame's checksum held: written by a newer version */
    Arena *arena = arena_create(REPLAY_ARENA_BYTES);
    Replayed *x = ARENA_NEW(arena, Replayed);
    ASSERT(x);
    x->arena = arena;
    x->pos = pos;
    x->payload = arena_copy(arena, payload);
    if (!x->payload.p) {
        arena_free(arena);
        return ERR_TOO_LARGE;
    }
    lane_put(&r->to_index, x);
    return OK;
}

static ErrCode run_stages(Replay *r, const char *path, Err *reterr) {
    EmbeddedStore *s = r->store;
    Thread *index = thread_start("metrics-index", index_main, r);
    Thread *samples = thread_start("metrics-samples", samples_main, r);
    ErrCode code = OK;
    if (index && samples)
        code =
            wal_open(s->fs, path, NULL, partset_wal_floor(s->parts), scan_record, r, &s->wal_report, &s->wal, reterr);
    else
        code = err_set(reterr, ERR_UNAVAILABLE, "metrics store: the system refuses another thread");
    lane_close(&r->to_index);
    thread_join(index);
    if (!index) lane_close(&r->to_samples);
    thread_join(samples);
    if (r->failed && reterr) *reterr = r->err;
    return r->failed ? (ErrCode)r->failed : code;
}

ErrCode store_replay_wal(EmbeddedStore *s, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, s->dir, "wal");
    ErrCode code = s->fs->ops->make_dir(s->fs, path, reterr);
    if (code != OK) return code;
    Replay r = {.store = s, .head = head_ref(s->active), .min_t = store_retention_floor(s)};
    snprintf(r.dir, sizeof r.dir, "%s", path);
    lane_init(&r.to_index);
    lane_init(&r.to_samples);
    code = run_stages(&r, path, reterr);
    if (code == OK) {
        /* New records get an epoch of their own: their ids are this head's, not the log's. */
        Head *replayed = s->active;
        head_set_epoch(replayed, r.epoch_max + 1);
        HeadStats stats;
        head_stats(replayed, &stats);
        s->samples_total += stats.samples + stats.histograms;
    }
    lane_done(&r.to_index);
    lane_done(&r.to_samples);
    head_unref(r.head);
    vec_done(&r.ids);
    vec_done(&r.symbols);
    vec_done(&r.put_ids);
    vec_done(&r.scratch);
    return code;
}
