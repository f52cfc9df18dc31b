#include "metrics/record.h"
#include "metrics/store_int.h"

#define REPLAY_ARENA_BYTES ((size_t)512 << 20)

#define UNKNOWN UINT32_MAX
#define WILD_MAX (UINT32_C(1) << 24) /* ids are dense; one that is so far ahead cannot be ours */

/* Ids and symbols of the log mean something within their epoch only; heads that are written out on the way share an
 * index, so what they became stays good. */
typedef struct Replay {
    EmbeddedStore *store;
    Arena *arena; /* one record */
    uint64_t epoch, epoch_max;
    VEC(uint32_t) ids, symbols; /* of the log -> of the index, UNKNOWN: not told */
    VEC(uint32_t) scratch;
    int64_t min_t;
} Replay;

static void begin_epoch(Replay *r, uint64_t epoch) {
    r->epoch = epoch;
    r->epoch_max = MAX(r->epoch_max, epoch);
    vec_clear(&r->ids);
    vec_clear(&r->symbols);
}

typedef VEC(uint32_t) U32Vec;

/* The place for number `at`, made when it is not too far ahead; NULL when it is. */
static uint32_t *place_for(void *vec_, uint32_t at) {
    U32Vec *vec = vec_;
    if (at > vec->n + WILD_MAX) return NULL;
    while (vec->n <= at) vec_push(vec, UNKNOWN);
    return &vec->v[at];
}

static void learn_symbol(Replay *r, const RecordItem *it) {
    uint32_t *place = place_for(&r->symbols, it->id);
    if (place && *place == UNKNOWN) *place = head_intern(r->store->active, it->symbol);
}

static void learn_series(Replay *r, const RecordItem *it) {
    uint32_t *place = place_for(&r->ids, it->id);
    if (!place || *place != UNKNOWN) return;
    vec_clear(&r->scratch);
    for (size_t i = 0; i < 2 * it->n; i++) {
        uint32_t symbol = i < it->n ? it->names[i] : it->values[i - it->n];
        if (symbol >= r->symbols.n || r->symbols.v[symbol] == UNKNOWN) return;
        vec_push(&r->scratch, r->symbols.v[symbol]);
    }
    *place = head_get_or_create_interned(
        r->store->active, (SeriesSymbols){.names = r->scratch.v, .values = r->scratch.v + it->n, .n = (uint32_t)it->n});
}

static void learn_series_in_full(Replay *r, const RecordItem *it) {
    uint32_t *place = place_for(&r->ids, it->id);
    bool created;
    if (place && *place == UNKNOWN) *place = head_get_or_create(r->store->active, it->labels, 0, &created);
}

static void replay_exemplar(Replay *r, uint32_t id, const Exemplar *e) {
    Labels labels = head_labels(r->store->active, id, r->arena);
    if (labels.v) side_add_exemplar(&r->store->side, labels, e);
}

static void replay_item(Replay *r, const RecordItem *it) {
    EmbeddedStore *s = r->store;
    switch (it->kind) {
    case RECORD_METADATA: side_add_metadata(&s->side, &it->metadata); return;
    case RECORD_SYMBOL: learn_symbol(r, it); return;
    case RECORD_SERIES: learn_series(r, it); return;
    case RECORD_SERIES_IN_FULL: learn_series_in_full(r, it); return;
    default: break;
    }
    uint32_t id = it->id < r->ids.n ? r->ids.v[it->id] : UNKNOWN;
    if (id == UNKNOWN) return;
    switch (it->kind) {
    case RECORD_SAMPLES:
        for (size_t i = 0; i < it->n; i++)
            if (it->t_ms[i] >= r->min_t) (void)head_put(s->active, id, it->t_ms[i], it->v[i]);
        break;
    case RECORD_HISTOGRAM:
        if (it->t >= r->min_t) (void)head_put_histogram(s->active, id, it->t, &it->histogram);
        break;
    case RECORD_EXEMPLAR: replay_exemplar(r, id, &it->exemplar); break;
    default: UNREACHABLE();
    }
}

/* A log larger than the head may be: what was read so far goes into parts, the floor stays, so that a crash now
 * only means reading it again (duplicates have equal bits). */
static ErrCode spill(Replay *r, Err *reterr) {
    EmbeddedStore *s = r->store;
    HeadStats stats;
    head_stats(s->active, &stats);
    if (!store_head_is_large(s, &stats, 1)) return OK;
    ErrCode code = store_write_head(s, s->active, 0, reterr);
    if (code != OK) return code;
    Head *next = head_create_after(s->active, true);
    head_unref(s->active);
    s->active = next;
    return OK;
}

static ErrCode replay_record(void *ctx, WalPos pos, uint8_t type, Str payload) {
    Replay *r = ctx;
    RecordReader reader;
    RecordItem item;
    int more = -1;
    (void)pos;
    arena_reset(r->arena);
    if (type != RECORD_METRICS || !record_reader_init(&reader, payload, r->arena))
        return ERR_CORRUPT; /* the frame's checksum held: written by a newer version */
    if (reader.epoch != r->epoch) begin_epoch(r, reader.epoch);
    head_write_begin(r->store->active);
    while ((more = record_next(&reader, &item)) > 0) replay_item(r, &item);
    head_write_end(r->store->active);
    return more < 0 ? ERR_CORRUPT : spill(r, NULL);
}

ErrCode store_replay_wal(EmbeddedStore *s, Err *reterr) {
    char path[FS_PATH_MAX];
    fs_path_join(path, s->dir, "wal");
    Replay r = {.store = s, .arena = arena_create(REPLAY_ARENA_BYTES)};
    r.min_t = store_retention_floor(s);
    ErrCode code = s->fs->ops->make_dir(s->fs, path, reterr);
    if (code == OK)
        code = wal_open(
            s->fs, path, NULL, partset_wal_floor(s->parts), replay_record, &r, &s->wal_report, &s->wal, reterr);
    if (code == OK) {
        /* New records get an epoch of their own: their ids are this head's, not the log's. */
        Head *replayed = s->active;
        head_set_epoch(replayed, r.epoch_max + 1);
        HeadStats stats;
        head_stats(replayed, &stats);
        s->samples_total += stats.samples + stats.histograms;
    }
    vec_done(&r.ids);
    vec_done(&r.symbols);
    vec_done(&r.scratch);
    arena_free(r.arena);
    return code;
}
