/* amjournal.c - snapshot and log of the Alertmanager's state.
 *
 * snapshot: magic, log position u64, records (type u8, length-prefixed payload), CRC32C of all before it. */
#include "alert/amjournal.h"

#include <stdio.h>

#include "base/cursor.h"
#include "base/log.h"
#include "codec/crc.h"
#include "storage/wal.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define MAGIC "MKAMST1\0"
#define SNAPSHOT_MAX ((size_t)4 << 30)
#define SNAPSHOT_BYTES_DEFAULT ((uint64_t)64 << 20)
#define RETRY_MS 1000

struct AmJournal {
    AmJournalOptions opts;
    Fs *fs;
    char dir[FS_PATH_MAX], snapshot_path[FS_PATH_MAX];
    Wal *wal;
    Thread *thread;
    Mutex mutex; /* guards what follows */
    Cond work, done;
    Buf pending; /* type u8, length u32, payload */
    uint64_t last, finished, mark, failed_from, failed_to;
    size_t mark_bytes;
    Err failure;
    bool stopping;
    AmJournalStats stats;
    /* The writer's own. */
    bool want_snapshot;
    uint64_t log_bytes;
};

/* --- opening --- */

typedef struct Replay {
    AmJournal *j;
    uint64_t records;
} Replay;

static ErrCode replay(void *ctx, WalPos pos, uint8_t type, Str payload) {
    (void)pos;
    Replay *r = ctx;
    r->j->opts.apply(r->j->opts.ctx, type, payload);
    r->j->log_bytes += payload.n;
    return OK;
}

/* A snapshot that does not hold is set aside and said: the log alone may still have something. */
static ErrCode read_snapshot(AmJournal *j, WalPos *ret_from, Err *reterr) {
    *ret_from = 0;
    if (!j->fs->ops->exists(j->fs, j->snapshot_path)) return OK;
    Buf b = {0};
    ErrCode rc = fs_read_file(j->fs, j->snapshot_path, SNAPSHOT_MAX, &b, reterr);
    bool good = !rc && b.n >= 20 && memcmp(b.p, MAGIC, 8) == 0;
    Str body = {0};
    if (good) {
        uint32_t crc;
        memcpy(&crc, b.p + b.n - 4, 4);
        good = crc == crc32c(0, b.p, b.n - 4);
    }
    if (good) {
        memcpy(ret_from, b.p + 8, 8);
        body = str_of(b.p + 16, b.n - 20);
        while (body.n && good) {
            uint8_t type = (uint8_t)body.p[0];
            uint32_t n = 0;
            good = body.n >= 5;
            if (good) memcpy(&n, body.p + 1, 4);
            good = good && body.n - 5 >= n;
            if (!good) break;
            j->opts.apply(j->opts.ctx, type, str_slice(body, 5, 5 + n));
            body = str_skip(body, 5 + n);
        }
    }
    buf_done(&b);
    if (rc || good) return rc;
    char aside[FS_PATH_MAX];
    snprintf(aside, sizeof aside, "%.1000s.damaged", j->snapshot_path);
    j->fs->ops->rename(j->fs, j->snapshot_path, aside, NULL);
    log_error("the snapshot of the alerting state is damaged and was set aside", "file", aside, NULL);
    *ret_from = 0;
    return OK;
}

/* --- the writer --- */

static void frame(void *to, uint8_t type, Str payload) {
    Buf *b = to;
    buf_put_char(b, (char)type);
    buf_put_u32le(b, (uint32_t)payload.n);
    buf_put_str(b, payload);
}

/* Into the log, synced. */
static ErrCode write_records(AmJournal *j, Str records, Err *err) {
    ErrCode rc = OK;
    while (records.n && !rc) {
        uint32_t n;
        memcpy(&n, records.p + 1, 4);
        WalPos pos;
        rc = wal_append(j->wal, (uint8_t)records.p[0], str_slice(records, 5, 5 + n), &pos, err);
        j->log_bytes += 5 + n;
        records = str_skip(records, 5 + n);
    }
    return rc ? rc : wal_sync(j->wal, err);
}

static ErrCode write_snapshot(AmJournal *j, const Buf *state, Err *err) {
    WalPos pos;
    ErrCode rc = wal_cut(j->wal, &pos, err);
    if (rc) return rc;
    Buf b = {0};
    buf_reserve(&b, state->n + 32);
    buf_put(&b, MAGIC, 8);
    buf_put_u64le(&b, pos);
    buf_put(&b, state->p, state->n);
    buf_put_u32le(&b, crc32c(0, b.p, b.n));
    rc = fs_write_file_atomic(j->fs, j->snapshot_path, buf_str(&b), err);
    if (!rc) {
        j->log_bytes = 0;
        wal_truncate_before(j->wal, pos, NULL);
        mutex_lock(&j->mutex);
        j->stats.snapshots++;
        j->stats.snapshot_bytes = b.n;
        mutex_unlock(&j->mutex);
    }
    buf_done(&b);
    return rc;
}

void amjournal_mark(AmJournal *j) {
    mutex_lock(&j->mutex);
    j->mark = j->last;
    j->mark_bytes = j->pending.n;
    mutex_unlock(&j->mutex);
}

static void finish(AmJournal *j, uint64_t upto, ErrCode rc, const Err *err) {
    mutex_lock(&j->mutex);
    if (rc) {
        if (j->failed_to != j->finished) j->failed_from = j->finished;
        j->failed_to = upto;
        j->failure = *err;
        j->stats.failures++;
    } else {
        j->stats.syncs++;
    }
    j->finished = MAX(j->finished, upto);
    cond_broadcast(&j->done);
    mutex_unlock(&j->mutex);
}

/* Everything pending, or only its first bytes (upto: the number of the last record among them). */
static ErrCode write_pending(AmJournal *j, size_t bytes, uint64_t upto) {
    mutex_lock(&j->mutex);
    Buf taken = {0};
    if (bytes >= j->pending.n) {
        taken = j->pending;
        j->pending = (Buf){0};
    } else {
        buf_put(&taken, j->pending.p, bytes);
        memmove(j->pending.p, j->pending.p + bytes, j->pending.n - bytes);
        j->pending.n -= bytes;
    }
    mutex_unlock(&j->mutex);
    Err err = {0};
    ErrCode rc = write_records(j, buf_str(&taken), &err);
    if (rc) {
        if (!j->want_snapshot) log_error("the alerting state cannot be written", "error", err.msg, NULL);
        j->want_snapshot = true;
    }
    finish(j, upto, rc, &err);
    buf_done(&taken);
    return rc;
}

static void snapshot(AmJournal *j) {
    Buf state = {0};
    Err err = {0};
    int64_t began = clock_mono_ns();
    j->opts.dump(j->opts.ctx, j, frame, &state);
    bool failed_before = j->want_snapshot;
    ErrCode rc = write_pending(j, j->mark_bytes, j->mark);
    if (!rc) rc = write_snapshot(j, &state, &err);
    if (!rc && failed_before) log_info("the alerting state is on disk again", NULL);
    j->want_snapshot = rc != OK;
    buf_done(&state);
    mutex_lock(&j->mutex);
    j->stats.snapshot_ns = clock_mono_ns() - began;
    j->stats.snapshot_sum_ns += j->stats.snapshot_ns;
    mutex_unlock(&j->mutex);
}

static void writer(void *ctx) {
    AmJournal *j = ctx;
    uint64_t limit = j->opts.snapshot_bytes ? j->opts.snapshot_bytes : SNAPSHOT_BYTES_DEFAULT;
    for (;;) {
        mutex_lock(&j->mutex);
        while (!j->pending.n && !j->stopping && !j->want_snapshot) cond_wait(&j->work, &j->mutex);
        if (j->want_snapshot && !j->stopping) cond_wait_ms(&j->work, &j->mutex, RETRY_MS);
        bool stop = j->stopping && !j->pending.n;
        uint64_t upto = j->last, snapshot_bytes = j->stats.snapshot_bytes;
        j->stats.log_bytes = j->log_bytes;
        mutex_unlock(&j->mutex);
        if (stop) break;
        if (j->want_snapshot || j->log_bytes > MAX(limit, 2 * snapshot_bytes))
            snapshot(j);
        else
            write_pending(j, SIZE_MAX, upto);
        if (j->want_snapshot && j->stopping) break;
    }
}

/* --- interface --- */

ErrCode amjournal_open(const AmJournalOptions *opts, AmJournal **ret, Err *reterr) {
    AmJournal *j = NEW(AmJournal);
    *ret = NULL;
    j->opts = *opts;
    j->fs = opts->fs ? opts->fs : fs_real();
    snprintf(j->dir, sizeof j->dir, "%s", opts->dir);
    fs_path_join(j->snapshot_path, j->dir, "snapshot");
    char log_dir[FS_PATH_MAX];
    fs_path_join(log_dir, j->dir, "log");
    WalPos from = 0;
    ErrCode rc = j->fs->ops->make_dir(j->fs, j->dir, reterr);
    if (!rc) rc = read_snapshot(j, &from, reterr);
    Replay r = {.j = j};
    WalReport report = {0};
    if (!rc) rc = wal_open(j->fs, log_dir, NULL, from, replay, &r, &report, &j->wal, reterr);
    if (rc) {
        mem_free(j);
        return rc;
    }
    if (report.corrupt_frames) log_error("records of the alerting state are damaged", "first", report.detail, NULL);
    if (report.torn_bytes)
        log_warn("an unfinished write at the log's end was cut off; it had not been acknowledged", "of",
            "the alerting state", "first", report.detail, NULL);
    mutex_init(&j->mutex);
    cond_init(&j->work);
    cond_init(&j->done);
    j->thread = thread_start("alert-journal", writer, j);
    ASSERT(j->thread);
    *ret = j;
    return OK;
}

AmJournal *amjournal_close(AmJournal *j) {
    if (!j) return NULL;
    mutex_lock(&j->mutex);
    j->stopping = true;
    cond_broadcast(&j->work);
    mutex_unlock(&j->mutex);
    thread_join(j->thread);
    wal_close(j->wal);
    buf_done(&j->pending);
    cond_done(&j->work);
    cond_done(&j->done);
    mutex_done(&j->mutex);
    mem_free(j);
    return NULL;
}

uint64_t amjournal_append(AmJournal *j, uint8_t type, Str payload) {
    mutex_lock(&j->mutex);
    frame(&j->pending, type, payload);
    uint64_t n = ++j->last;
    j->stats.records++;
    j->stats.bytes += payload.n;
    cond_signal(&j->work);
    mutex_unlock(&j->mutex);
    return n;
}

uint64_t amjournal_last(AmJournal *j) {
    mutex_lock(&j->mutex);
    uint64_t n = j->last;
    mutex_unlock(&j->mutex);
    return n;
}

ErrCode amjournal_wait(AmJournal *j, uint64_t number, Err *reterr) {
    mutex_lock(&j->mutex);
    while (j->finished < number) cond_wait(&j->done, &j->mutex);
    bool failed = number > j->failed_from && number <= j->failed_to;
    Err failure = j->failure;
    mutex_unlock(&j->mutex);
    return failed ? err_set(reterr, failure.code ? failure.code : ERR_IO, "%s", failure.msg) : OK;
}

void amjournal_stats(AmJournal *j, AmJournalStats *ret) {
    mutex_lock(&j->mutex);
    *ret = j->stats;
    ret->failing = j->failed_to == j->finished && j->failed_to > 0;
    mutex_unlock(&j->mutex);
}
