/* store_int.h - private: the embedded log store.
 *
 * Threads: the commit thread (writer) is the only one that changes `active` and its rows; one maintenance thread
 * turns frozen heads into parts, merges and expires them; readers take a view of heads and parts under `lock`. */
#ifndef MEERKAT_LOGS_STORE_INT_H
#define MEERKAT_LOGS_STORE_INT_H

#include "logs/head.h"
#include "logs/logpart.h"
#include "storage/commit.h"

#define LOG_DAY_NS INT64_C(86400000000000)
#define LOG_MERGE_BYTES_MAX (UINT64_C(256) << 20)

typedef struct Store {
    LogStore base;
    Fs *fs;
    char dir[FS_PATH_MAX];
    LogStoreOptions opts;
    Wal *wal;
    CommitQueue *commit;
    PartSet *parts;
    LogRecent recent;
    WalReport wal_report;

    Mutex lock; /* active, frozen */
    LogHead *active, *frozen;

    Mutex maintenance; /* held by whoever flushes, merges, deletes; taken before lock, never inside it */
    Mutex wake_lock;
    Cond wake;
    bool stop, work; /* under wake_lock */
    Thread *thread;
    _Atomic uint64_t flushes, merges, maintenance_errors;
    _Atomic uint64_t head_bytes; /* of the active head, for admission */
    _Atomic bool frozen_present;
    /* Maintenance thread only. */
    int64_t next_retry_mono_ns;
    VEC(uint64_t) unreadable; /* parts with damaged blocks: not merged */
} Store;

/* --- view.c: what a query sees --- */
typedef struct StoreView {
    LogHead *heads[2];
    size_t n_heads;
    PartSnapshot parts;
} StoreView;
void store_view_take(Store *s, StoreView *ret);
void store_view_release(Store *s, StoreView *v);
/* start of the retention window: rows before it are not shown. */
int64_t store_oldest_ns(const Store *s);

/* --- scan.c --- */
ErrCode log_store_select(LogStore *ls, const LogSelect *req, LogVisitFn fn, void *ctx, LogScanStats *ret, Err *reterr);
/* Over given parts only (merging), in time order, without regard to retention. */
ErrCode scan_parts(
    const PartRef *parts, size_t n, const LogSelect *req, LogVisitFn fn, void *ctx, LogScanStats *ret, Err *reterr);

/* --- meta.c --- */
ErrCode store_streams(LogStore *ls, const LogSelect *req, Labels **ret, size_t *ret_n, Err *reterr);
ErrCode log_store_label_names(LogStore *ls, const LogSelect *req, Str **ret, size_t *ret_n, Err *reterr);
ErrCode log_store_label_values(LogStore *ls, const LogSelect *req, Str name, Str **ret, size_t *ret_n, Err *reterr);
ErrCode store_stream_stats(LogStore *ls, const LogSelect *req, LogStreamStat **ret, size_t *ret_n, Err *reterr);

/* --- maintain.c --- */
void maintain_main(void *ctx); /* the thread */
void maintain_wake(Store *s);
ErrCode log_store_flush(LogStore *ls, Err *reterr);
ErrCode store_delete_rows(LogStore *ls, const LogSelect *req, uint64_t *ret_deleted, Err *reterr);
/* On the writer thread: freezes the active head when none is frozen. */
void store_rotate(void *ctx);

/* --- rewrite.c --- */
/* Turns a frozen head into parts and publishes them with its WAL floor. Under `maintenance`. */
ErrCode rewrite_head(Store *s, LogHead *h, Err *reterr);
/* Replaces parts by one without the rows that drop selects (NULL: all rows stay). Under `maintenance`. */
ErrCode rewrite_parts(
    Store *s, const PartRef *parts, size_t n, const LogSelect *drop, uint64_t *ret_dropped, Err *reterr);

#endif
