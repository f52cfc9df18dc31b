/* store_int.h - inside of the embedded metrics store.
 *
 * Data goes: append (worker) -> WAL -> head (writer thread) -> frozen head -> parts -> merged parts.
 * A reader takes a View: references to the active and the frozen heads first, then a snapshot of the parts. A
 * frozen head leaves only after its parts are published, so a view may see samples twice (removed by merging), but
 * never misses any.
 *
 * Locks, in the order they may be taken: merge_lock, flush_lock, gate, view_lock, undo.apply, undo.lock; index and
 * shard locks of a head innermost. */
#ifndef MEERKAT_METRICS_STORE_INT_H
#define MEERKAT_METRICS_STORE_INT_H

#include "metrics/head.h"
#include "metrics/limits.h"
#include "metrics/metrics_store.h"
#include "metrics/mpart.h"
#include "storage/commit.h"
#include "storage/partset.h"
#include "storage/wal.h"
#include "sys/thread.h"

#define EXEMPLARS_MAX 100000
#define EXEMPLAR_BYTES_MAX ((size_t)128 << 20) /* with the labels of their series; the oldest leave first */
#define METADATA_BYTES_MAX ((size_t)64 << 20)  /* of names, help and units; what goes beyond is not kept */
#define FROZEN_MAX 4                           /* heads waiting to be written; more: appends are refused */

typedef struct FrozenHead {
    Head *head;
    WalPos end; /* where the log of its epoch ends */
} FrozenHead;

/* Appends go through the gate; a freeze closes it and waits for those inside. */
typedef struct Gate {
    Mutex lock;
    Cond changed;
    unsigned inside;
    bool closed;
} Gate;

typedef struct StoredExemplar {
    char *bytes; /* owned: series labels, exemplar labels; value and time beside */
    uint32_t n;
    double value;
    int64_t t_ms;
} StoredExemplar;

/* Exemplars and metadata: small, all in memory, saved beside the parts at every flush. */
typedef struct SideData {
    Mutex lock;
    StoredExemplar *ring;
    size_t first, n_exemplars, ring_cap, exemplar_bytes;
    U64Map *newest;              /* hash of a series -> hash of its newest exemplar, against repetition */
    Map *metadata;               /* metric -> index in entries */
    VEC(MetricMetadata) entries; /* strings owned */
    size_t metadata_bytes;
    bool dirty;
} SideData;

typedef struct Tombstone {
    Matchers matchers; /* in the table's arena */
    int64_t min_t, max_t;
    uint64_t max_part_id; /* later parts are not affected */
} Tombstone;

/* The rules in force; reference-counted, replaced as a whole. */
typedef struct StoreRules {
    _Atomic uint32_t refs;
    Arena *arena;
    MetricsRules r;
} StoreRules;

/* Reference-counted, replaced as a whole. */
typedef struct Tombstones {
    _Atomic uint32_t refs;
    Arena *arena;
    Tombstone *v;
    size_t n;
} Tombstones;

/* How far a series of the active head reached before an append that came while views were open. */
typedef struct UndoNote {
    uint64_t epoch; /* the head's */
    uint32_t series;
    int64_t max_t; /* INT64_MIN: it had nothing */
} UndoNote;

typedef struct UndoLog {
    Mutex apply; /* held during an append's effects on the head */
    Mutex lock;  /* of what follows; innermost */
    VEC(UndoNote) notes;
    uint64_t base;        /* number of the first of them */
    _Atomic uint64_t end; /* number of the next */
    _Atomic unsigned readers;
    struct View *views;
} UndoLog;

typedef struct EmbeddedStore {
    MetricsStore base; /* first */
    Fs *fs;
    char dir[FS_PATH_MAX];
    MetricsStoreOptions opts;
    WalReport wal_report;
    Wal *wal;
    CommitQueue *commit;
    PartSet *parts;
    Gate gate;
    UndoLog undo;

    Mutex view_lock;
    Head *active;
    VEC(FrozenHead) frozen; /* oldest first */
    Tombstones *tombs;
    StoreRules *rules;
    int64_t active_since_ms;
    uint64_t series_before; /* of the head frozen last: the active one knows few at first */

    Mutex merge_lock;      /* one thread at a time rewrites parts */
    U64Map *rules_checked; /* part id -> when the rules are to be held against it again; merge_lock */
    Mutex flush_lock;
    SideData side;
    SeriesLimits *limits;
    Mutex wake_lock;
    Cond wake;
    _Atomic bool stop;
    bool want_flush, want_merge;
    Thread *flusher, *merger;
    _Atomic uint64_t samples_total, late_total, corrupt_blocks;
    _Atomic uint64_t rules_rewritten, rules_dropped;
    _Atomic bool rules_changed; /* what is known of parts is about other rules */
    MetricsTapFn tap;           /* NULL: none */
    const _Atomic unsigned *tap_wanted;
    void *tap_ctx;
} EmbeddedStore;

/* --- store_append.c --- */
ErrCode store_append(MetricsStore *s, const MetricsBatch *batch, MetricsAppendResult *ret, Err *reterr);
bool store_append_soon(
    MetricsStore *s, const MetricsBatch *batch, MetricsAppendResult *ret, Err *reterr, MetricsDoneFn done, void *ctx);
void store_set_tap(MetricsStore *s, MetricsTapFn fn, const _Atomic unsigned *wanted, void *ctx);
int64_t store_retention_floor(EmbeddedStore *s); /* older than this nothing is kept */
/* Whether the active head holds more than `times` what it should before it is written out. */
bool store_head_is_large(const EmbeddedStore *s, const HeadStats *stats, unsigned times);

/* --- store_apply.c --- */
void store_apply(void *ctx, WalPos pos, uint8_t type, Str payload, void *item); /* CommitApplyFn */

/* --- store_reach.c --- */
typedef struct StoreReach {
    EmbeddedStore *store;
    Head *head;          /* the active one */
    int64_t older_max_t; /* of frozen heads and parts; once it has been asked for */
    bool older_known;
} StoreReach;
/* Whether anything of the series (an id of the head) is at t or later. What is not in the head counts only if the head
 * has nothing of it, and only with older_too. In doubt there is. */
bool store_reaches(StoreReach *r, uint32_t id, int64_t t, bool older_too);
/* MetricsBatch.newest_only: ids of series that reach the batch's samples become HEAD_NO_SERIES. */
void store_leave_out_old(EmbeddedStore *s, Head *h, const MetricsBatch *b, uint32_t *ids);

/* --- store_replay.c --- */
ErrCode store_replay_wal(EmbeddedStore *s, Err *reterr);

/* --- store_flush.c --- */
ErrCode store_freeze(EmbeddedStore *s, Err *reterr); /* flush_lock held; no-op on an empty head */
ErrCode store_flush(MetricsStore *s, Err *reterr);
/* Writes one head into parts and publishes them; floor 0 leaves the WAL floor. flush_lock held (or opening). */
/* How long the time is that parts are merged up to: whole days where the retention is long enough to be kept by days.
 */
int64_t store_merged_ms(const EmbeddedStore *s);
ErrCode store_write_head(EmbeddedStore *s, Head *h, WalPos floor, Err *reterr);
void store_flusher_main(void *ctx);
void store_wake(EmbeddedStore *s, bool flush, bool merge);

/* --- store_merge.c --- */
void store_merger_main(void *ctx);
ErrCode store_merge_once(EmbeddedStore *s, bool *ret_did, Err *reterr); /* one merge and one retention pass */
ErrCode store_clean_tombstones(MetricsStore *s, Err *reterr);

/* --- store_rules.c --- */
ErrCode rules_create(const MetricsRules *from, StoreRules **ret, Err *reterr);
StoreRules *rules_ref(StoreRules *r);
void rules_unref(StoreRules *r);
StoreRules *store_rules(EmbeddedStore *s); /* a reference to those in force */
ErrCode store_set_rules(MetricsStore *s, const MetricsRules *rules, Err *reterr);
/* The longest time anything is kept. */
int64_t rules_keep_max(const StoreRules *r, int64_t retention_ms);
int64_t rules_keep(const StoreRules *r, Labels labels, int64_t retention_ms);
/* Thins out what has come of age. Sorted by time, unique. */
void rules_thin(const StoreRules *r, Labels labels, int64_t now_ms, SampleBuf *b, HistogramRefs *h);
/* A part that the rules have something to do for, by its infos and index; false: none now. merge_lock held. */
bool rules_pick(EmbeddedStore *s, int64_t now_ms, uint64_t *ret_id);
void rules_rewritten(EmbeddedStore *s, uint64_t old_id, uint64_t new_id); /* what is known of one goes to the other */

/* --- store_view.c, store_select.c, store_labels.c --- */
typedef struct View {
    EmbeddedStore *store;
    Head *heads[FROZEN_MAX + 1]; /* oldest first, the active one last */
    size_t n_heads;
    PartSnapshot parts;
    Tombstones *tombs;
    uint64_t undo_from, undo_seen; /* numbers of notes: when it was opened; looked at so far */
    struct View *undo_next, *undo_prev;
    Mutex cuts_lock;
    U64Map *cuts; /* series of the newest head -> where it is to be cut; NULL: none yet */
} View;
/* In the request's arena and released with it. NULL: arena exhausted. */
View *view_open(EmbeddedStore *s, Arena *arena);
View *view_of(EmbeddedStore *s, const MetricsSelect *req); /* a new one, or the one the request names */
/* After reading a series of a source: whether, and behind which time, what was read came after the view was opened. */
bool view_cut(View *v, size_t source, uint32_t id, int64_t *ret_max_t);
void undo_init(UndoLog *u);
void undo_done(UndoLog *u);
/* The series are about to be appended to, with undo.apply held; HEAD_NO_SERIES among them are skipped. */
void undo_note(UndoLog *u, Head *h, const uint32_t *series, size_t n);
/* A series as the sources of a view know it. */
typedef struct SourceSeries {
    Labels labels;
    uint32_t source; /* part index, or parts.n + head index */
    uint32_t id;
} SourceSeries;
typedef VEC(SourceSeries) SourceSeriesVec;
/* Every source's series that match and overlap the range, sorted by labels, then source. Heap vector: caller's. */
ErrCode view_match(View *v, const MetricsSelect *req, SourceSeriesVec *ret, Err *reterr);
/* One source's series (a part, or head number source - parts.n) that match and overlap the range, ascending: in a part
 * that is the order of labels, in a head it is none. v: the caller's to mem_free, on errors too. */
typedef struct IdList {
    uint32_t *v;
    size_t n;
} IdList;
ErrCode view_match_ids(View *v, size_t source, const MetricsSelect *req, IdList *ret, Err *reterr);
/* Drops the series of parts of which tombstones leave nothing in the range. */
ErrCode view_drop_deleted(View *v, const MetricsSelect *req, SourceSeriesVec *all, Err *reterr);
ErrCode store_select(MetricsStore *s, const MetricsSelect *req, SeriesColumns *ret, Err *reterr);
ErrCode store_open_set(MetricsStore *s, const MetricsSelect *req, SeriesSet **ret, Err *reterr);
/* Samples of a view's series, one group of sources after the other. */
typedef struct Gather {
    View *view;
    const MetricsSelect *req;
    Arena *out;         /* for what is handed out */
    MPartCache *caches; /* per part */
    SampleBuf samples;
    HistogramRefs histograms;
    uint64_t n_samples;
    const int64_t *last_t; /* the times of the series before: scraped together, they are often the same */
    size_t last_n;
} Gather;
void gather_begin(Gather *g, View *v, const MetricsSelect *req, Arena *out);
void gather_end(Gather *g);
/* All samples of the group of sources that share one label set, into samples and histograms; the sources are put into
 * order of age. */
ErrCode gather_group(Gather *g, SourceSeries *group, size_t n, Err *reterr);
ErrCode gather_histograms(Gather *g, SeriesColumn *out, Err *reterr);
size_t source_group_end(const SourceSeriesVec *all, size_t from);
ErrCode store_visit(
    MetricsStore *s, const MetricsSelect *req, bool skip_head, MetricsVisitFn fn, void *ctx, Err *reterr);
/* --- store_names.c: what need not look at the labels of every series as strings --- */
/* A part or a head, as far as symbols go. A head's index lock is held meanwhile. */
typedef struct SymbolSource {
    MPart *part;
    Head *head;
    uint64_t shape;          /* whose names a part's names are */
    SymbolVec names, values; /* of a part's series asked for last */
} SymbolSource;
SymbolSource symbol_source_open(View *v, size_t at);
void symbol_source_close(SymbolSource *s);
size_t symbol_source_count(const SymbolSource *s);
Str symbol_source_text(const SymbolSource *s, uint32_t symbol);
/* Good until the next call. */
ErrCode symbol_source_series(SymbolSource *s, uint32_t id, SeriesSymbols *ret, Err *reterr);
/* The first label sets in order, each once, of at most `limit` (not 0). No tombstones. */
ErrCode view_series_limited(View *v, const MetricsSelect *req, size_t limit, Labels **ret, size_t *ret_n, Err *reterr);
/* Calls fn for each name, or each value of the name, that a matching series has; some of them more than once. Strings
 * live as long as the view. No tombstones. */
ErrCode view_names(
    View *v, const MetricsSelect *req, const Str *values_of, void (*fn)(void *ctx, Str s), void *ctx, Err *reterr);
ErrCode store_series(MetricsStore *s, const MetricsSelect *req, size_t limit, Labels **ret, size_t *ret_n, Err *reterr);
ErrCode store_label_names(
    MetricsStore *s, const MetricsSelect *req, size_t limit, Str **ret, size_t *ret_n, Err *reterr);
ErrCode store_label_values(
    MetricsStore *s, const MetricsSelect *req, Str name, size_t limit, Str **ret, size_t *ret_n, Err *reterr);
/* --- store_count.c: as MetricsStoreOps.count --- */
ErrCode store_count(
    MetricsStore *s, const MetricsSelect *req, MetricsCountFn fn, void *ctx, uint64_t *ret_series, Err *reterr);

/* --- store_tombs.c --- */
Tombstones *tombs_ref(Tombstones *t);
void tombs_unref(Tombstones *t);
ErrCode tombs_load(EmbeddedStore *s, Err *reterr);
/* Drops those no part can need any more. view_lock not held. */
ErrCode tombs_prune(EmbeddedStore *s, Err *reterr);
ErrCode store_delete_series(MetricsStore *s, const MetricsSelect *req, uint64_t *ret_deleted, Err *reterr);
bool tombstone_concerns(const Tombstone *t, const PartInfo *p);         /* by id and time range */
bool tombs_touch(const Tombstones *t, uint64_t part_id, Labels labels); /* whether any names this series */
/* Removes deleted samples of a part's series from the buffers [from_*, n). */
void tombs_apply(
    const Tombstones *t, uint64_t part_id, Labels labels, SampleBuf *b, size_t from, HistogramRefs *h, size_t from_h);

/* --- store_side.c, store_side_file.c --- */
void side_init(SideData *d);
void side_done(SideData *d);
void side_add_exemplar(SideData *d, Labels series, const Exemplar *e);
StoredExemplar *side_exemplar_at(SideData *d, size_t i); /* oldest first; d->lock held */
void side_add_metadata(SideData *d, const MetricMetadata *m);
bool side_metadata_known(SideData *d, const MetricMetadata *m);
ErrCode side_load(EmbeddedStore *s, Err *reterr);
ErrCode side_save(EmbeddedStore *s, Err *reterr);
ErrCode store_metadata(MetricsStore *s, Str metric, Arena *arena, MetricMetadata **ret, size_t *ret_n, Err *reterr);
ErrCode store_exemplars(
    MetricsStore *s, const MetricsSelect *req, Labels **ret_series, Exemplar **ret, size_t *ret_n, Err *reterr);

#endif
