/* wal.c - writing the log: append, sync, and what happens when the disk says no. */
#include "storage/wal_int.h"

#include "codec/compress.h"
#include "codec/crc.h"
#include "sys/clock.h"
#include "sys/random.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#define SEGMENT_BYTES_DEFAULT ((uint64_t)64 << 20)
#define SEGMENT_BYTES_MAX ((uint64_t)1 << 30)
#define OFFSET_MAX ((uint64_t)3 << 30) /* offsets are 32 bits of a position */
/* Zeros are put behind the end of a segment in such steps, so that a sync finds the file's size and its blocks as they
 * were and has only data to write: a third less work for us and the disk. Batches over a sixteenth of a step are
 * written without: they share the cost among themselves, and the zeros would be as much again. */
#define ROOM_BYTES ((uint64_t)1 << 20)
#define ROOM_BYTES_MIN                                                                                                 \
    ((uint64_t)32 << 10) /* never more than the records before, so that a log of little stays small */
#define ZEROS_BYTES ((size_t)64 << 10)
#define COMPRESS_MIN_BYTES 1024 /* less fits into the page a sync writes anyway */
#define COMPRESS_LEVEL (-1)
/* Compression may take this share of the time (one in so many) and so much at once. It saves the disk two thirds of the
 * writes, but it costs about as much as all else that is done to a record here. A log that grows by up to some
 * 20 MB/s is compressed whole; of a faster one, or on a machine that is busy, only a part. */
#define COMPRESS_TIME_SHARE 32
#define COMPRESS_BURST_NS INT64_C(10000000)

struct Wal {
    Fs *fs;
    char dir[FS_PATH_MAX];
    uint64_t segment_bytes;
    size_t record_bytes_max;
    File *file;      /* NULL: the last segment was abandoned and no new one could be begun yet */
    uint64_t number; /* of file */
    uint32_t salt;
    uint16_t epoch;
    uint64_t end;            /* written */
    uint64_t good;           /* what callers were told is safe */
    uint64_t room;           /* the file is this long: zeros behind end */
    bool no_room;            /* the disk would not give any to this segment */
    bool unsynced;           /* something is written and not synced */
    Buf pending;             /* frames appended and not written */
    Buf compressed;          /* scratch */
    int64_t compress_ns;     /* left to spend */
    int64_t compress_at_ns;  /* when that was reckoned */
    uint64_t next_number;    /* never used before, not even by a failed attempt */
    uint64_t tail, tail_end; /* last segment with records before `file`, and how much of it counts */
    bool recovered;          /* tail was cut at open: said in the next header */
    WalSegmentVec segments;  /* on disk, the current one last */
    _Atomic uint64_t size_bytes;
};

static void segment_path(const Wal *wal, uint64_t number, char out[FS_PATH_MAX]) {
    char name[WAL_NAME_MAX];
    wal_segment_name(name, number);
    fs_path_join(out, wal->dir, name);
}

/* To who wants to store something it is all one why the file system says no, as when the directory is gone: not here,
 * not now. What it is called there would tell a sender that its request was wrong. */
static ErrCode log_failed(ErrCode rc, Err *reterr) {
    if (rc != ERR_NO_SPACE) rc = ERR_IO;
    if (reterr) reterr->code = rc;
    err_prefix(reterr, "write-ahead log");
    return rc;
}

static void publish_size(Wal *wal) {
    uint64_t sum = 0;
    vec_foreach(WalSegment, s, &wal->segments) sum += wal->file && s->number == wal->number ? wal->end : s->size_bytes;
    atomic_store_explicit(&wal->size_bytes, sum, memory_order_relaxed);
}

static ErrCode create_segment(Wal *wal, const WalSegment *seg, File **ret, Err *reterr) {
    char path[FS_PATH_MAX];
    segment_path(wal, seg->number, path);
    Buf head = {0};
    wal_header_encode(&head, seg);
    wal_header_encode(&head, seg);
    ErrCode rc = fs_open(wal->fs, path, FILE_CREATE_NEW, ret, reterr);
    if (rc == OK) {
        rc = file_write(*ret, buf_str(&head), reterr);
        if (rc == OK) rc = file_sync(*ret, reterr);
        if (rc == OK) rc = wal->fs->ops->sync_dir(wal->fs, wal->dir, reterr);
        if (rc != OK) {
            *ret = file_close(*ret);
            (void)wal->fs->ops->remove(wal->fs, path, NULL); /* if it stays, the next one makes it void */
        }
    }
    buf_done(&head);
    return rc;
}

/* Where the current segment ends, for the next one's header. A segment without records is left out of the chain. */
static void retire_current(Wal *wal) {
    ASSERT(wal->good >= WAL_HEADER_BYTES);
    if (wal->good > WAL_HEADER_BYTES) {
        wal->tail = wal->number;
        wal->tail_end = wal->good;
        wal->recovered = false;
    }
    ASSERT(wal->segments.n > 0);
    WalSegment *last = &wal->segments.v[wal->segments.n - 1];
    ASSERT(last->number == wal->number);
    last->size_bytes = wal->end;
    /* If that fails, the zeros stay: they mean nothing. */
    if (wal->room > wal->end) (void)file_truncate(wal->file, wal->end, NULL);
    wal->file = file_close(wal->file);
    wal->unsynced = false;
    if (wal->good == WAL_HEADER_BYTES) {
        char path[FS_PATH_MAX];
        segment_path(wal, wal->number, path);
        if (wal->fs->ops->remove(wal->fs, path, NULL) == OK) wal->segments.n--;
    }
}

/* One with which zeros are no frame. */
static uint32_t new_salt(void) {
    static const char zeros[12];
    uint32_t salt;
    do salt = (uint32_t)random_u64();
    while (wal_frame_crc(salt, zeros, STR_NULL) == 0);
    return salt;
}

/* The current segment, if any, stays in place until the new one is durable. */
static ErrCode begin_segment(Wal *wal, Err *reterr) {
    ASSERT(wal->pending.n == 0 && wal->next_number <= UINT32_MAX);
    bool has_records = wal->file && wal->good > WAL_HEADER_BYTES;
    WalSegment seg = {
        .number = wal->next_number++,
        .header_ok = true,
        .salt = new_salt(),
        .prev_number = has_records ? wal->number : wal->tail,
        .prev_end = has_records ? wal->good : wal->tail_end,
        .flags = !has_records && wal->recovered ? WAL_HEADER_FLAG_RECOVERED : 0,
        .size_bytes = WAL_HEADER_BYTES,
    };
    File *file;
    ErrCode rc = create_segment(wal, &seg, &file, reterr);
    if (rc != OK) {
        /* The file may be on disk all the same, or come back after a power cut, and its header says where the current
         * segment ends: appending there would put acknowledged records behind that end. The next segment that
         * can be made leaves this one out. */
        if (wal->file) retire_current(wal);
        return log_failed(rc, reterr);
    }
    if (wal->file) retire_current(wal);
    wal->file = file;
    wal->number = seg.number;
    wal->salt = seg.salt;
    wal->epoch = 1;
    wal->end = wal->good = wal->room = WAL_HEADER_BYTES;
    wal->no_room = false;
    wal->unsynced = false;
    vec_push(&wal->segments, seg);
    publish_size(wal);
    return OK;
}

/* After a failed sync nobody knows what is on disk: the kernel may have dropped the dirty pages and called them
 * clean, so trying again would report success for lost data. The segment ends where it was last known good; the
 * next segment's header is what makes that true on disk, cutting the file is a courtesy. */
static void abandon_segment(Wal *wal) {
    if (file_truncate(wal->file, wal->good, NULL) == OK) {
        wal->end = wal->room = wal->good;
        (void)file_sync(wal->file, NULL);
    }
    retire_current(wal);
    (void)begin_segment(wal, NULL); /* else wal_append tries again */
    publish_size(wal);
}

/* Zeros behind the end, for batches to come. A disk that has no room for them may have some for records. */
static void make_room(Wal *wal) {
    static const char zeros[ZEROS_BYTES];
    uint64_t step = MIN(MAX(wal->end, ROOM_BYTES_MIN), ROOM_BYTES), to = MIN(wal->end + step, wal->segment_bytes);
    ErrCode rc = OK;
    while (rc == OK && wal->room < to) {
        size_t n = (size_t)MIN(to - wal->room, ZEROS_BYTES);
        rc = file_write_at(wal->file, wal->room, str_of(zeros, n), NULL);
        if (rc == OK) wal->room += n;
    }
    if (rc == OK) return;
    wal->no_room = true;
    if (file_truncate(wal->file, wal->end, NULL) == OK) wal->room = wal->end;
}

static ErrCode write_pending(Wal *wal, Err *reterr) {
    if (wal->pending.n == 0) return OK;
    ASSERT(wal->file);
    Err err = {0};
    ErrCode rc = file_write_at(wal->file, wal->end, buf_str(&wal->pending), &err);
    if (rc == OK) {
        wal->end += wal->pending.n;
        wal->room = MAX(wal->room, wal->end);
        wal->unsynced = true;
        buf_clear(&wal->pending);
        publish_size(wal);
        return OK;
    }
    if (reterr) *reterr = err;
    rc = log_failed(rc, reterr);
    buf_clear(&wal->pending);
    wal->end = wal->room = file_size(wal->file);
    /* A full disk took nothing back that it had promised: the segment goes on once its end is clean again. */
    if (rc == ERR_NO_SPACE && wal->end >= wal->good && file_truncate(wal->file, wal->good, NULL) == OK)
        wal->end = wal->room = wal->good;
    else
        abandon_segment(wal);
    publish_size(wal);
    return rc;
}

ErrCode wal_write(Wal *wal, Err *reterr) {
    ErrCode rc = write_pending(wal, reterr);
    if (rc == OK) wal->good = wal->end;
    return rc;
}

ErrCode wal_sync(Wal *wal, Err *reterr) {
    size_t batch_bytes = wal->pending.n;
    ErrCode rc = write_pending(wal, reterr);
    if (rc != OK || !wal->unsynced) return rc;
    if (batch_bytes && batch_bytes <= ROOM_BYTES / 16 && wal->end == wal->room && !wal->no_room) make_room(wal);
    ASSERT(wal->file); /* what is unsynced is in it: an abandoned segment has nothing left to sync */
    rc = file_sync(wal->file, reterr);
    if (rc != OK) {
        rc = log_failed(rc, reterr);
        abandon_segment(wal);
        return rc;
    }
    wal->good = wal->end;
    wal->unsynced = false;
    wal->epoch++;
    return OK;
}

/* A file to append to, rotated when it is full. */
static ErrCode ready_segment(Wal *wal, Err *reterr) {
    if (!wal->file) return begin_segment(wal, reterr);
    if (wal->pending.n > 0 || wal->end < wal->segment_bytes) return OK;
    ErrCode rc = wal_sync(wal, reterr);
    if (rc != OK) return rc;
    return begin_segment(wal, reterr);
}

static void put_frame(Wal *wal, uint8_t type, uint8_t flags, size_t raw_bytes, Str stored) {
    Buf *b = &wal->pending;
    size_t start = b->n;
    buf_reserve(b, WAL_FRAME_BYTES + stored.n);
    buf_put_u32le(b, (uint32_t)stored.n);
    buf_put_char(b, (char)type);
    buf_put_char(b, (char)flags);
    buf_put_u16le(b, wal->epoch);
    buf_put_u32le(b, (uint32_t)raw_bytes);
    buf_put_u32le(b, wal_frame_crc(wal->salt, b->p + start, stored));
    buf_put_str(b, stored);
}

static bool may_compress(Wal *wal) {
    int64_t now = clock_mono_ns(), earned = MAX(now - wal->compress_at_ns, 0) / COMPRESS_TIME_SHARE;
    wal->compress_at_ns = now;
    wal->compress_ns = MIN(wal->compress_ns + earned, COMPRESS_BURST_NS);
    return wal->compress_ns > 0;
}

/* The payload as it is to be stored: compressed when that is worth it. */
static Str compress_payload(Wal *wal, Str payload, uint8_t *ret_flags) {
    *ret_flags = 0;
    if (payload.n < COMPRESS_MIN_BYTES || !may_compress(wal)) return payload;
    buf_clear(&wal->compressed);
    zstd_block_encode(payload, COMPRESS_LEVEL, &wal->compressed);
    int64_t now = clock_mono_ns();
    wal->compress_ns -= MAX(now - wal->compress_at_ns, 0);
    wal->compress_at_ns = now;
    if (wal->compressed.n >= payload.n - payload.n / 16) return payload;
    *ret_flags = WAL_FLAG_ZSTD;
    return buf_str(&wal->compressed);
}

ErrCode wal_append(Wal *wal, uint8_t type, Str payload, WalPos *ret_pos, Err *reterr) {
    if (payload.n > wal->record_bytes_max)
        return err_set(reterr, ERR_TOO_LARGE, "record of %zu bytes is larger than the log's limit of %zu", payload.n,
            wal->record_bytes_max);
    ErrCode rc = ready_segment(wal, reterr);
    if (rc != OK) return rc;
    uint64_t at = wal->end + wal->pending.n;
    if (at + payload.n > OFFSET_MAX)
        return err_set(reterr, ERR_OVERLOADED, "too much is waiting to be written to the log");
    uint8_t flags;
    Str stored = compress_payload(wal, payload, &flags);
    put_frame(wal, type, flags, payload.n, stored);
    if (ret_pos) *ret_pos = wal->number << 32 | at;
    return OK;
}

ErrCode wal_cut(Wal *wal, WalPos *ret_pos, Err *reterr) {
    ErrCode rc = wal_sync(wal, reterr);
    if (rc != OK) return rc;
    if (!wal->file || wal->good > WAL_HEADER_BYTES) rc = begin_segment(wal, reterr);
    if (rc == OK) *ret_pos = wal->number << 32;
    return rc;
}

ErrCode wal_truncate_before(Wal *wal, WalPos pos, Err *reterr) {
    size_t n = 0;
    ErrCode rc = OK;
    while (n < wal->segments.n && rc == OK) {
        const WalSegment *s = &wal->segments.v[n];
        if (s->number >= pos >> 32 || (wal->file && s->number == wal->number)) break;
        char path[FS_PATH_MAX];
        segment_path(wal, s->number, path);
        rc = wal->fs->ops->remove(wal->fs, path, reterr);
        if (rc == ERR_NOT_FOUND) rc = OK;
        if (rc == OK) n++;
    }
    if (n == 0) return rc;
    wal->segments.n -= n;
    memmove(wal->segments.v, wal->segments.v + n, wal->segments.n * sizeof *wal->segments.v);
    publish_size(wal);
    if (rc != OK) return rc;
    return wal->fs->ops->sync_dir(wal->fs, wal->dir, reterr);
}

uint64_t wal_size_bytes(const Wal *wal) { return atomic_load_explicit(&wal->size_bytes, memory_order_relaxed); }

Wal *wal_close(Wal *wal) {
    if (!wal) return NULL;
    if (wal->file && wal->room > wal->end) (void)file_truncate(wal->file, wal->end, NULL);
    if (wal->file && wal->unsynced) (void)file_sync(wal->file, NULL);
    file_close(wal->file);
    buf_done(&wal->pending);
    buf_done(&wal->compressed);
    vec_done(&wal->segments);
    mem_free(wal);
    return NULL;
}

/* --- open --- */

typedef struct Replay {
    uint64_t number;
    WalReplayFn fn;
    void *ctx;
    WalPos refused; /* by fn */
} Replay;

ErrCode wal_refused(const char *dir, WalPos pos, ErrCode code, Err *reterr) {
    char name[WAL_NAME_MAX];
    wal_segment_name(name, pos >> 32);
    code = err_set(reterr, code, "%s/%s: the record at offset %" PRIu64 " is none that this program can read", dir,
        name, pos & UINT32_MAX);
    err_hint(
        reterr, "another version of the program wrote it: use that one, or move the file away and lose what is in it");
    return code;
}

static ErrCode replay_frame(void *ctx, const WalFrame *f) {
    Replay *r = ctx;
    if (f->problem || !r->fn) return OK;
    WalPos pos = r->number << 32 | f->offset;
    ErrCode rc = r->fn(r->ctx, pos, f->type, f->payload);
    if (rc != OK) r->refused = pos;
    return rc;
}

static void note_problem(WalReport *rep, uint64_t number, const WalScanResult *res) {
    if (rep->detail[0] || res->problem_offset == UINT64_MAX) return;
    char name[WAL_NAME_MAX];
    wal_segment_name(name, number);
    snprintf(rep->detail, sizeof rep->detail, "%s: bad bytes at offset %" PRIu64 "%s", name, res->problem_offset,
        res->corrupt ? "" : " (never acknowledged)");
}

static ErrCode replay_segment(
    Wal *wal, const WalSegment *seg, WalPos from, Replay *replay, WalReport *rep, Err *reterr) {
    uint64_t from_offset = seg->number == from >> 32 ? from & UINT32_MAX : 0;
    replay->number = seg->number;
    WalScanResult res;
    ErrCode rc = wal_scan_segment(wal->fs, wal->dir, seg, from_offset, replay_frame, replay, &res, reterr);
    if (replay->refused) return wal_refused(wal->dir, replay->refused, rc, reterr);
    if (rc != OK) return rc;
    rep->segments++;
    rep->records += res.frames;
    rep->bytes += res.end;
    rep->corrupt_frames += res.corrupt;
    rep->torn_bytes += res.torn_bytes;
    note_problem(rep, seg->number, &res);
    if (res.end > WAL_HEADER_BYTES || res.corrupt) { /* a damaged segment stays on the chain: it is evidence */
        wal->tail = seg->number;
        wal->tail_end = seg->limited ? seg->limit : res.end;
        wal->recovered = !seg->limited || seg->recovered;
    }
    return OK;
}

/* A segment names the one before it. That one may have gone only when all of it lies before `from`. */
static void note_missing(const WalSegmentVec *found, const WalSegment *seg, WalPos from, WalReport *rep) {
    if (!seg->header_ok || seg->prev_number == 0 || seg->prev_number < from >> 32) return;
    vec_foreach(const WalSegment, s, found) if (s->number == seg->prev_number) return;
    rep->corrupt_frames++;
    if (rep->detail[0]) return;
    char name[WAL_NAME_MAX];
    wal_segment_name(name, seg->prev_number);
    snprintf(rep->detail, sizeof rep->detail, "%s is missing", name);
}

static ErrCode replay_all(Wal *wal, const WalOptions *opts, WalPos from, Replay *replay, WalReport *rep, Err *reterr) {
    WalSegmentVec found = {0};
    ErrCode rc = wal_list_segments(wal->fs, wal->dir, &found, reterr);
    vec_foreach(WalSegment, seg, &found) {
        if (rc != OK) break;
        wal->next_number = MAX(wal->next_number, seg->number + 1);
        if (seg->dead || seg->number < from >> 32) {
            /* Void, or wholly in parts already: a truncation was cut short. */
            if (seg->number > wal->tail && !seg->dead) wal->tail = seg->number, wal->tail_end = seg->limit;
            char path[FS_PATH_MAX];
            segment_path(wal, seg->number, path);
            if (wal->fs->ops->remove(wal->fs, path, NULL) != OK) vec_push(&wal->segments, *seg);
            continue;
        }
        if (seg > found.v || !opts || !opts->no_floor) note_missing(&found, seg, from, rep);
        rc = replay_segment(wal, seg, from, replay, rep, reterr);
        vec_push(&wal->segments, *seg);
    }
    vec_done(&found);
    return rc;
}

ErrCode wal_open(Fs *fs, const char *dir, const WalOptions *opts, WalPos from, WalReplayFn fn, void *ctx,
    WalReport *ret_report, Wal **ret, Err *reterr) {
    *ret_report = (WalReport){0};
    ErrCode rc = fs->ops->make_dir(fs, dir, reterr);
    if (rc != OK) return rc;
    Wal *wal = NEW(Wal);
    wal->fs = fs;
    wal->compress_ns = COMPRESS_BURST_NS;
    wal->compress_at_ns = clock_mono_ns();
    ASSERT(strlen(dir) + WAL_NAME_MAX < FS_PATH_MAX);
    memcpy(wal->dir, dir, strlen(dir) + 1);
    uint64_t segment_bytes = opts && opts->segment_bytes ? opts->segment_bytes : SEGMENT_BYTES_DEFAULT;
    size_t record_max = opts && opts->record_bytes_max ? opts->record_bytes_max : (size_t)64 << 20;
    wal->segment_bytes = MIN(segment_bytes, SEGMENT_BYTES_MAX);
    wal->record_bytes_max = MIN(record_max, WAL_RECORD_HARD_MAX);
    /* Positions below `from` count as already in parts: never hand one out again. */
    wal->next_number = MAX(1, (from >> 32) + ((from & UINT32_MAX) != 0));
    Replay replay = {.fn = fn, .ctx = ctx};
    rc = replay_all(wal, opts, from, &replay, ret_report, reterr);
    /* A full disk must not keep what is stored from being read: appending begins when there is room. */
    bool replayed = rc == OK;
    if (replayed) rc = begin_segment(wal, reterr);
    if (!replayed || (rc != OK && rc != ERR_NO_SPACE)) {
        wal_close(wal);
        return rc;
    }
    *ret = wal;
    return OK;
}
