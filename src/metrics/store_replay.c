#include "metrics/record.h"
#include "metrics/store_int.h"

#define REPLAY_ARENA_BYTES ((size_t)512 << 20)

typedef struct KnownSeries {
    Labels labels;      /* in Replay.labels_arena */
    HeadSeries *series; /* in head number `head`, else to be made again */
    uint32_t head;
} KnownSeries;

/* Ids mean something within their epoch only; labels outlive the heads that were written out on the way. */
typedef struct Replay {
    EmbeddedStore *store;
    Arena *arena;        /* one record */
    Arena *labels_arena; /* one epoch */
    uint64_t epoch, epoch_max;
    VEC(KnownSeries) known;
    uint32_t head;
    int64_t min_t;
} Replay;

static void begin_epoch(Replay *r, uint64_t epoch) {
    r->epoch = epoch;
    r->epoch_max = MAX(r->epoch_max, epoch);
    vec_clear(&r->known);
    arena_reset(r->labels_arena);
}

static void learn_series(Replay *r, uint32_t id, Labels labels) {
    if (id > r->known.n + (UINT32_C(1) << 24)) return; /* ids are dense; a wild one cannot be ours */
    while (r->known.n <= id) vec_push(&r->known, (KnownSeries){.head = UINT32_MAX});
    if (r->known.v[id].labels.n) return;
    Labels copy = {ARENA_ARRAY(r->labels_arena, Label, labels.n), labels.n};
    ASSERT(copy.v);
    for (size_t i = 0; i < labels.n; i++) {
        Label *l = (Label *)(uintptr_t)&copy.v[i];
        l->name = arena_copy(r->labels_arena, labels.v[i].name);
        l->value = arena_copy(r->labels_arena, labels.v[i].value);
    }
    r->known.v[id].labels = copy;
}

static HeadSeries *series_of(Replay *r, uint32_t id) {
    if (id >= r->known.n || r->known.v[id].labels.n == 0) return NULL;
    KnownSeries *k = &r->known.v[id];
    if (k->head != r->head) {
        bool created;
        k->series = head_get_or_create(r->store->active, k->labels, 0, &created);
        k->head = r->head;
    }
    return k->series;
}

static void replay_item(Replay *r, const RecordItem *it) {
    EmbeddedStore *s = r->store;
    if (it->kind == RECORD_METADATA) {
        side_add_metadata(&s->side, &it->metadata);
        return;
    }
    if (it->kind == RECORD_SERIES) {
        learn_series(r, it->id, it->labels);
        return;
    }
    HeadSeries *series = series_of(r, it->id);
    if (!series) return;
    switch (it->kind) {
    case RECORD_SAMPLES:
        for (size_t i = 0; i < it->n; i++)
            if (it->t_ms[i] >= r->min_t) (void)head_put(s->active, series, it->t_ms[i], it->v[i]);
        break;
    case RECORD_HISTOGRAM: (void)head_put_histogram(s->active, series, it->t, &it->histogram); break;
    case RECORD_EXEMPLAR: side_add_exemplar(&s->side, r->known.v[it->id].labels, &it->exemplar); break;
    default: UNREACHABLE();
    }
}

/* A log larger than the head may be: what was read so far goes into parts, the floor stays, so that a crash now
 * only means reading it again (duplicates have equal bits). */
static ErrCode spill(Replay *r, Err *reterr) {
    EmbeddedStore *s = r->store;
    HeadStats stats;
    head_stats(s->active, &stats);
    if (stats.bytes <= s->opts.head_bytes_max) return OK;
    ErrCode code = store_write_head(s, s->active, 0, reterr);
    if (code != OK) return code;
    head_unref(s->active);
    s->active = head_create(1);
    r->head++;
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
    Replay r = {.store = s, .arena = arena_create(REPLAY_ARENA_BYTES), .labels_arena = arena_create(ARENA_UNLIMITED)};
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
    vec_done(&r.known);
    arena_free(r.arena);
    arena_free(r.labels_arena);
    return code;
}
