#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/vec.h"
#include "storage/wal.h"
#include "storage/wal_int.h"
#include "sys/random.h"

#include <stdio.h>
#include <stdlib.h>

/* Records are "id:xxxx" with a length that depends on the id; replay gives the ids back. */
typedef struct Log {
    Fs *fs;
    Wal *wal;
    WalReport report;
    VEC(uint64_t) seen;
} Log;

static Str record_of(uint64_t id, Buf *b) {
    buf_clear(b);
    buf_put_u64le(b, id);
    uint64_t x = id * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < id % 700; i++) {
        if (id % 2) x ^= x << 13, x ^= x >> 7, x ^= x << 17; /* odd ids do not compress */
        buf_put_char(b, (char)x);
    }
    return buf_str(b);
}

static ErrCode note(void *ctx, WalPos pos, uint8_t type, Str payload) {
    Log *l = ctx;
    assert_true(pos > 0);
    assert_true(payload.n >= 8);
    uint64_t id;
    memcpy(&id, payload.p, 8);
    assert_int_equal(type, (uint8_t)id);
    Buf want = {0};
    assert_true(str_eq(payload, record_of(id, &want)));
    buf_done(&want);
    vec_push(&l->seen, id);
    return OK;
}

static const WalOptions small_segments = {.segment_bytes = 4096};

static ErrCode log_open(Log *l, WalPos from) {
    vec_clear(&l->seen);
    return wal_open(l->fs, "wal", &small_segments, from, note, l, &l->report, &l->wal, NULL);
}

static void log_close(Log *l) { l->wal = wal_close(l->wal); }

static ErrCode append(Log *l, uint64_t id, WalPos *ret_pos) {
    Buf b = {0};
    ErrCode rc = wal_append(l->wal, (uint8_t)id, record_of(id, &b), ret_pos, NULL);
    buf_done(&b);
    return rc;
}

static void log_done(Log *l) {
    log_close(l);
    vec_done(&l->seen);
    fs_fault_free(l->fs);
}

static void expect_ids(const Log *l, uint64_t from, uint64_t to) {
    assert_int_equal(l->seen.n, to - from);
    for (uint64_t i = from; i < to; i++) assert_int_equal(l->seen.v[i - from], i);
}

static void test_round_trip(void **state) {
    (void)state;
    Log l = {.fs = fs_fault_create(1)};
    WalPos pos[300], last = 0;
    assert_int_equal(log_open(&l, 0), OK);
    for (uint64_t id = 0; id < 300; id++) {
        assert_int_equal(append(&l, id, &pos[id]), OK);
        assert_true(pos[id] > last);
        last = pos[id];
        if (id % 7 == 0) assert_int_equal(wal_sync(l.wal, NULL), OK);
    }
    assert_int_equal(wal_sync(l.wal, NULL), OK);
    assert_true(wal_size_bytes(l.wal) > 20000);
    for (unsigned round = 0; round < 3; round++) {
        log_close(&l);
        assert_int_equal(log_open(&l, 0), OK);
        expect_ids(&l, 0, 300);
        assert_int_equal(l.report.corrupt_frames, 0);
        assert_int_equal(l.report.torn_bytes, 0);
        assert_int_equal(l.report.records, 300);
    }
    for (uint64_t id = 0; id < 300; id += 37) { /* from a position in the middle */
        log_close(&l);
        assert_int_equal(log_open(&l, pos[id]), OK);
        expect_ids(&l, id, 300);
    }
    log_done(&l);
}

static void test_limits(void **state) {
    (void)state;
    Log l = {.fs = fs_fault_create(1)};
    WalReport rep;
    WalOptions opts = {.record_bytes_max = 100};
    char big[101] = {0};
    assert_int_equal(wal_open(l.fs, "wal", &opts, 0, NULL, NULL, &rep, &l.wal, NULL), OK);
    assert_int_equal(wal_append(l.wal, 1, str_of(big, 101), NULL, NULL), ERR_TOO_LARGE);
    assert_int_equal(wal_append(l.wal, 1, str_of(big, 100), NULL, NULL), OK);
    assert_int_equal(wal_append(l.wal, 1, STR_NULL, NULL, NULL), OK);
    assert_int_equal(wal_sync(l.wal, NULL), OK);
    assert_int_equal(wal_sync(l.wal, NULL), OK);
    log_close(&l);
    assert_int_equal(wal_open(l.fs, "wal", NULL, 0, NULL, NULL, &rep, &l.wal, NULL), OK);
    assert_int_equal(rep.records, 2);
    log_done(&l);
}

static void test_cut_and_truncate(void **state) {
    (void)state;
    Log l = {.fs = fs_fault_create(1)};
    WalPos floor, again;
    assert_int_equal(log_open(&l, 0), OK);
    for (uint64_t id = 0; id < 50; id++) assert_int_equal(append(&l, id, NULL), OK);
    assert_int_equal(wal_cut(l.wal, &floor, NULL), OK);
    assert_int_equal(wal_cut(l.wal, &again, NULL), OK);
    assert_int_equal(floor, again);
    for (uint64_t id = 50; id < 60; id++) assert_int_equal(append(&l, id, NULL), OK);
    assert_int_equal(wal_sync(l.wal, NULL), OK);
    uint64_t before = wal_size_bytes(l.wal);
    assert_int_equal(wal_truncate_before(l.wal, floor, NULL), OK);
    assert_true(wal_size_bytes(l.wal) < before / 2);
    log_close(&l);
    assert_int_equal(log_open(&l, floor), OK);
    expect_ids(&l, 50, 60);
    /* Everything goes: new positions still lie beyond the floor. */
    assert_int_equal(wal_cut(l.wal, &floor, NULL), OK);
    log_close(&l);
    assert_int_equal(fs_remove_tree(l.fs, "wal", NULL), OK);
    assert_int_equal(log_open(&l, floor + 50), OK);
    WalPos pos;
    assert_int_equal(append(&l, 60, &pos), OK);
    assert_true(pos > floor + 50);
    assert_int_equal(wal_sync(l.wal, NULL), OK);
    log_close(&l);
    assert_int_equal(log_open(&l, floor + 50), OK);
    expect_ids(&l, 60, 61);
    log_done(&l);
}

static ErrCode stop(void *ctx, WalPos pos, uint8_t type, Str payload) {
    (void)pos, (void)type, (void)payload;
    return ++*(unsigned *)ctx == 3 ? ERR_CANCELLED : OK;
}

static void test_replay_stops(void **state) {
    (void)state;
    Log l = {.fs = fs_fault_create(1)};
    assert_int_equal(log_open(&l, 0), OK);
    for (uint64_t id = 0; id < 5; id++) assert_int_equal(append(&l, id, NULL), OK);
    assert_int_equal(wal_sync(l.wal, NULL), OK);
    log_close(&l);
    unsigned n = 0;
    assert_int_equal(wal_open(l.fs, "wal", NULL, 0, stop, &n, &l.report, &l.wal, NULL), ERR_CANCELLED);
    log_done(&l);
}

/* A payload that holds a frame is a payload, also when what stands before it is damaged. */
static void test_no_frames_from_payloads(void **state) {
    (void)state;
    Log l = {.fs = fs_fault_create(1)};
    Buf evil = {0};
    buf_put_u64le(&evil, 0);
    for (unsigned i = 0; i < 4; i++) {
        size_t at = evil.n;
        buf_put_u32le(&evil, 3);
        buf_put(&evil, "\1\0\1\0", 4);
        buf_put_u32le(&evil, 3);
        buf_put_u32le(&evil, wal_frame_crc(0, evil.p + at, STR("abc")));
        buf_put_lit(&evil, "abc");
    }
    WalReport rep;
    assert_int_equal(wal_open(l.fs, "wal", NULL, 0, NULL, NULL, &rep, &l.wal, NULL), OK);
    assert_int_equal(wal_append(l.wal, 0, buf_str(&evil), NULL, NULL), OK);
    assert_int_equal(wal_sync(l.wal, NULL), OK);
    log_close(&l);
    char name[WAL_NAME_MAX], path[FS_PATH_MAX];
    wal_segment_name(name, 1);
    fs_path_join(path, "wal", name);
    fs_fault_flip_bit(l.fs, path, (WAL_HEADER_BYTES + WAL_FRAME_BYTES) * 8);
    assert_int_equal(log_open(&l, 0), OK);
    assert_int_equal(l.seen.n, 0);
    assert_true(l.report.torn_bytes > 0);
    buf_done(&evil);
    log_done(&l);
}

typedef struct DumpCount {
    unsigned good, bad;
} DumpCount;

static void count_frame(void *ctx, const char *file, uint64_t offset, uint8_t type, Str payload, const char *problem) {
    DumpCount *c = ctx;
    assert_true(str_starts_with(str_cstr(file), STR("wal-")));
    (void)offset, (void)type;
    assert_true(!problem || payload.n == 0);
    if (problem)
        c->bad++;
    else
        c->good++;
}

/* One bit anywhere: no crash, the damage is reported, all other records are served in order. */
static void test_bit_flips(void **state) {
    (void)state;
    Log l = {.fs = fs_fault_create(1)};
    assert_int_equal(log_open(&l, 0), OK);
    enum { N = 12 };
    for (uint64_t id = 0; id < N; id++) {
        assert_int_equal(append(&l, 20 + id, NULL), OK);
        assert_int_equal(wal_sync(l.wal, NULL), OK);
    }
    log_close(&l);
    char name[WAL_NAME_MAX], path[FS_PATH_MAX];
    wal_segment_name(name, 1);
    fs_path_join(path, "wal", name);
    Buf image = {0};
    assert_int_equal(fs_read_file(l.fs, path, 1 << 20, &image, NULL), OK);
    for (size_t bit = 0; bit < image.n * 8; bit += bit < 1600 ? 1 : 3) {
        Log d = {.fs = fs_fault_create(1)};
        assert_int_equal(d.fs->ops->make_dir(d.fs, "wal", NULL), OK);
        assert_int_equal(fs_write_file_atomic(d.fs, path, buf_str(&image), NULL), OK);
        fs_fault_flip_bit(d.fs, path, bit);
        DumpCount c = {0};
        assert_int_equal(wal_dump(d.fs, "wal", count_frame, &c, NULL), OK);
        assert_int_equal(log_open(&d, 0), OK);
        assert_int_equal(d.seen.n, c.good);
        bool header = bit < WAL_HEADER_BYTES * 8; /* there are two of them */
        assert_int_equal(d.seen.n, header ? N : N - 1);
        assert_true(header || d.report.corrupt_frames + d.report.torn_bytes > 0);
        assert_true(header || d.report.detail[0]);
        assert_true(header || c.bad > 0);
        for (size_t i = 1; i < d.seen.n; i++) assert_true(d.seen.v[i] > d.seen.v[i - 1]);
        /* The log goes on, and what was read once is read again. */
        size_t n = d.seen.n;
        assert_int_equal(append(&d, 99, NULL), OK);
        assert_int_equal(wal_sync(d.wal, NULL), OK);
        log_close(&d);
        assert_int_equal(log_open(&d, 0), OK);
        assert_int_equal(d.seen.n, n + 1);
        log_done(&d);
    }
    buf_done(&image);
    log_done(&l);
}

/* Both header copies gone: the records cannot be told from noise, which is said and not hidden. */
static void test_header_lost(void **state) {
    (void)state;
    Log l = {.fs = fs_fault_create(1)};
    assert_int_equal(log_open(&l, 0), OK);
    assert_int_equal(append(&l, 9, NULL), OK);
    assert_int_equal(wal_sync(l.wal, NULL), OK);
    log_close(&l);
    fs_fault_flip_bit(l.fs, "wal/wal-0000000000000001.log", 40);
    fs_fault_flip_bit(l.fs, "wal/wal-0000000000000001.log", 40 + WAL_HEADER_COPY_BYTES * 8);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(log_open(&l, 0), OK);
        assert_int_equal(l.seen.n, 0);
        assert_int_equal(l.report.corrupt_frames, 1);
        log_close(&l);
    }
    log_done(&l);
}

/* What a later segment says to be there and is not: it had been acknowledged. */
static void test_lost_pieces(void **state) {
    (void)state;
    for (unsigned segment = 1; segment <= 3; segment++) {
        for (unsigned cut = 0; cut < 3; cut++) { /* gone; cut off behind the first frame; in its middle */
            Log l = {.fs = fs_fault_create(1)};
            char name[WAL_NAME_MAX], path[FS_PATH_MAX];
            WalPos floor[5];
            assert_int_equal(log_open(&l, 0), OK);
            for (uint64_t id = 0; id < 8; id++) {
                if (id % 2 == 0) assert_int_equal(wal_cut(l.wal, &floor[id / 2], NULL), OK);
                assert_int_equal(append(&l, id, NULL), OK);
                assert_int_equal(wal_sync(l.wal, NULL), OK);
            }
            log_close(&l);
            wal_segment_name(name, (floor[0] >> 32) + segment - 1);
            fs_path_join(path, "wal", name);
            Buf b = {0};
            assert_int_equal(fs_read_file(l.fs, path, 1 << 20, &b, NULL), OK);
            size_t whole = WAL_HEADER_BYTES + WAL_FRAME_BYTES + 8 + (segment - 1) * 2;
            if (cut) assert_int_equal(fs_write_file_atomic(l.fs, path, str_of(b.p, whole - (cut == 2)), NULL), OK);
            if (!cut) assert_int_equal(l.fs->ops->remove(l.fs, path, NULL), OK);
            buf_done(&b);
            for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(log_open(&l, 0), OK);
                assert_int_equal(l.seen.n, cut == 1 ? 7 : 6);
                assert_int_equal(l.report.corrupt_frames, 1);
                assert_true(str_contains(str_cstr(l.report.detail), str_cstr(name)));
                log_close(&l);
            }
            /* Behind it the log is whole: what is in parts may go. */
            assert_int_equal(log_open(&l, floor[segment]), OK);
            assert_int_equal(l.report.corrupt_frames, 0);
            log_done(&l);
        }
    }
}

/* Who truncates and keeps no position finds the log whole from its first segment on. */
static void test_no_floor(void **state) {
    (void)state;
    Log l = {.fs = fs_fault_create(1)};
    WalOptions opts = {.no_floor = true};
    WalPos pos;
    for (unsigned i = 0; i < 4; i++) {
        vec_clear(&l.seen);
        assert_int_equal(wal_open(l.fs, "wal", &opts, 0, note, &l, &l.report, &l.wal, NULL), OK);
        assert_int_equal(l.report.corrupt_frames, 0);
        assert_int_equal(l.seen.n, i > 0);
        assert_int_equal(wal_cut(l.wal, &pos, NULL), OK);
        assert_int_equal(append(&l, i, NULL), OK);
        assert_int_equal(wal_sync(l.wal, NULL), OK);
        assert_int_equal(wal_truncate_before(l.wal, pos, NULL), OK);
        log_close(&l);
    }
    log_done(&l);
}

/* --- every fault at every call --- */

typedef struct Fate {
    bool acked, failed, before_floor, later_ack; /* later_ack: something was acknowledged after it failed */
} Fate;

typedef struct Run {
    Log log;
    Fate fate[400];
    uint64_t next_id;
    WalPos floor;
    bool burst; /* the disk works again after the first batch that failed */
    bool flushes;
} Run;

static void run_batch(Run *r, unsigned n) {
    uint64_t first = r->next_id;
    bool any = false;
    for (unsigned i = 0; i < n; i++) {
        uint64_t id = r->next_id++;
        if (append(&r->log, id, NULL) == OK)
            any = true;
        else
            r->fate[id].failed = true;
    }
    ErrCode rc = any ? wal_sync(r->log.wal, NULL) : ERR_IO;
    if (rc != OK && r->burst) fs_fault_arm(r->log.fs, FAULT_NONE, 0, false);
    for (uint64_t id = first; id < r->next_id; id++) {
        if (r->fate[id].failed) continue;
        r->fate[id].acked = rc == OK;
        r->fate[id].failed = rc != OK;
    }
    if (rc != OK) return;
    for (uint64_t id = 0; id < first; id++)
        if (r->fate[id].failed) r->fate[id].later_ack = true;
}

static void run_workload(Run *r, unsigned batches) {
    for (unsigned i = 0; i < batches && r->next_id + 5 < ARRAY_LEN(r->fate); i++) {
        run_batch(r, 1 + i % 3);
        if (!r->flushes || i != 4) continue;
        /* A flush: what is in the log so far goes to parts, in one step that works. */
        WalPos pos;
        if (wal_cut(r->log.wal, &pos, NULL) != OK) continue;
        r->floor = pos;
        for (uint64_t id = 0; id < r->next_id; id++) r->fate[id].before_floor = true;
        (void)wal_truncate_before(r->log.wal, pos, NULL);
    }
}

static void check_run(const Run *r, const char *what, uint64_t nth) {
    const Log *l = &r->log;
    unsigned count[400] = {0};
    for (size_t i = 0; i < l->seen.n; i++) {
        uint64_t id = l->seen.v[i];
        if (id >= r->next_id) fail_msg("%s at %lu: unknown record", what, (unsigned long)nth);
        if (i && id <= l->seen.v[i - 1]) fail_msg("%s at %lu: order", what, (unsigned long)nth);
        count[id]++;
    }
    for (uint64_t id = 0; id < r->next_id; id++) {
        const Fate *f = &r->fate[id];
        if (f->before_floor && count[id])
            fail_msg("%s at %lu: %lu is in parts already", what, (unsigned long)nth, (unsigned long)id);
        if (f->before_floor) continue;
        if (f->acked && count[id] != 1)
            fail_msg("%s at %lu: acknowledged %lu is lost", what, (unsigned long)nth, (unsigned long)id);
        if (f->later_ack && count[id])
            fail_msg("%s at %lu: refused %lu came back", what, (unsigned long)nth, (unsigned long)id);
    }
    if (l->report.corrupt_frames) fail_msg("%s at %lu: false alarm: %s", what, (unsigned long)nth, l->report.detail);
}

enum { PERSISTENT = 1, CRASH = 2, BURST = 4, FLUSHES = 8, MODES = 16 };

static bool run_fault(FaultKind kind, unsigned mode, uint64_t nth, uint64_t seed) {
    Run r = {.log.fs = fs_fault_create(seed), .burst = mode & BURST, .flushes = mode & FLUSHES};
    bool crash = mode & CRASH;
    assert_int_equal(log_open(&r.log, 0), OK);
    uint64_t before = fs_fault_calls(r.log.fs);
    fs_fault_arm(r.log.fs, kind, nth, mode & (PERSISTENT | BURST));
    run_workload(&r, 12);
    bool reached = fs_fault_calls(r.log.fs) - before >= nth;
    if (!(mode & PERSISTENT)) run_workload(&r, 4);
    for (unsigned again = 0; again < 3; again++) {
        if (again != 1) log_close(&r.log);
        if (crash) fs_fault_crash(r.log.fs);
        if (again == 1) log_close(&r.log);
        fs_fault_arm(r.log.fs, FAULT_NONE, 0, false);
        assert_int_equal(log_open(&r.log, r.floor), OK);
        char what[64];
        snprintf(what, sizeof what, "kind %d mode %u seed %lu round %u", kind, mode, (unsigned long)seed, again);
        check_run(&r, what, nth);
        /* Whatever was brought back stays: from here on it counts as acknowledged. */
        for (size_t i = 0; i < r.log.seen.n; i++) r.fate[r.log.seen.v[i]] = (Fate){.acked = true};
        run_workload(&r, 4);
    }
    log_done(&r.log);
    return reached;
}

/* The directory is gone: the disk's matter, not the sender's, and it goes on when it is back. */
static void test_directory_gone(void **state) {
    (void)state;
    char dir[] = "/tmp/meerkat-wal-XXXXXX", wal_dir[64], away[64];
    WalReport report;
    Wal *wal;
    Err err = {0};
    assert_non_null(mkdtemp(dir));
    snprintf(wal_dir, sizeof wal_dir, "%s/wal", dir);
    snprintf(away, sizeof away, "%s/away", dir);
    WalPos pos;
    assert_int_equal(wal_open(fs_real(), wal_dir, NULL, 0, NULL, NULL, &report, &wal, NULL), OK);
    assert_int_equal(wal_append(wal, 1, STR("one"), NULL, NULL), OK);
    assert_int_equal(wal_sync(wal, NULL), OK);
    assert_int_equal(fs_real()->ops->rename(fs_real(), wal_dir, away, NULL), OK);
    assert_int_equal(wal_cut(wal, &pos, &err), ERR_IO);
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(wal_append(wal, 1, STR("two"), NULL, &err), ERR_IO);
    assert_int_equal(fs_real()->ops->rename(fs_real(), away, wal_dir, NULL), OK);
    assert_int_equal(wal_append(wal, 1, STR("three"), NULL, NULL), OK);
    assert_int_equal(wal_sync(wal, NULL), OK);
    wal_close(wal);
    assert_int_equal(wal_open(fs_real(), wal_dir, NULL, 0, NULL, NULL, &report, &wal, NULL), OK);
    assert_true(report.records == 2 && report.corrupt_frames == 0);
    wal_close(wal);
    assert_int_equal(fs_remove_tree(fs_real(), dir, NULL), OK);
}

static void test_every_fault(void **state) {
    (void)state;
    static const FaultKind kinds[] = {FAULT_EIO, FAULT_ENOSPC, FAULT_SHORT_WRITE};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
        for (unsigned mode = 0; mode < MODES; mode++)
            for (uint64_t seed = 1; seed <= 3; seed++)
                for (uint64_t nth = 1; run_fault(kinds[k], mode, nth, seed * 1000 + nth); nth++) {
                }
}

/* The disk is full, then there is room again. */
static void test_no_space(void **state) {
    (void)state;
    Log l = {.fs = fs_fault_create(1)};
    assert_int_equal(log_open(&l, 0), OK);
    for (uint64_t id = 100; id < 110; id++) assert_int_equal(append(&l, id, NULL), OK);
    assert_int_equal(wal_sync(l.wal, NULL), OK);
    fs_fault_set_capacity(l.fs, wal_size_bytes(l.wal) + 300);
    for (unsigned i = 0; i < 5; i++) {
        for (uint64_t id = 0; id < 9; id++) {
            Err err = {0};
            Buf b = {0};
            ErrCode rc = wal_append(l.wal, 1, record_of(501, &b), NULL, &err);
            if (rc != OK) assert_int_equal(rc, ERR_NO_SPACE);
            buf_done(&b);
        }
        assert_int_equal(wal_sync(l.wal, NULL), ERR_NO_SPACE);
    }
    fs_fault_set_capacity(l.fs, 0);
    for (uint64_t id = 110; id < 120; id++) assert_int_equal(append(&l, id, NULL), OK);
    assert_int_equal(wal_sync(l.wal, NULL), OK);
    log_close(&l);
    assert_int_equal(log_open(&l, 0), OK);
    expect_ids(&l, 100, 120);
    /* Reading works on a full disk, too. */
    log_close(&l);
    fs_fault_set_capacity(l.fs, 1);
    assert_int_equal(log_open(&l, 0), OK);
    expect_ids(&l, 100, 120);
    assert_int_equal(append(&l, 120, NULL), ERR_NO_SPACE);
    fs_fault_set_capacity(l.fs, 0);
    assert_int_equal(append(&l, 120, NULL), OK);
    assert_int_equal(wal_sync(l.wal, NULL), OK);
    log_done(&l);
}

/* A segment that had to be abandoned and a disk that has no room for the next one: every call is an error until
 * there is room, none of them is a crash, and what had been synced before is kept. */
static void test_no_segment(void **state) {
    (void)state;
    static const FaultKind kinds[] = {FAULT_EIO, FAULT_ENOSPC, FAULT_SHORT_WRITE};
    for (unsigned round = 0; round < ARRAY_LEN(kinds) * 8; round++) {
        Log l = {.fs = fs_fault_create(round + 1)};
        WalPos pos;
        assert_int_equal(log_open(&l, 0), OK);
        assert_int_equal(append(&l, 100, NULL), OK);
        assert_int_equal(wal_sync(l.wal, NULL), OK);
        /* Without durability: written, said to be good, and then the sync fails. */
        assert_int_equal(append(&l, 101, NULL), OK);
        assert_int_equal(wal_write(l.wal, NULL), OK);
        fs_fault_arm(l.fs, kinds[round / 8], 1 + round % 8, true);
        for (unsigned i = 0; i < 10; i++) {
            (void)wal_sync(l.wal, NULL);
            (void)wal_write(l.wal, NULL);
            (void)wal_cut(l.wal, &pos, NULL);
            (void)wal_sync(l.wal, NULL);
            if (append(&l, 103, NULL) == OK) (void)(i % 2 ? wal_write(l.wal, NULL) : wal_sync(l.wal, NULL));
        }
        assert_int_not_equal(wal_cut(l.wal, &pos, NULL), OK);
        fs_fault_arm(l.fs, FAULT_NONE, 0, false);
        assert_int_equal(wal_sync(l.wal, NULL), OK);
        assert_int_equal(wal_cut(l.wal, &pos, NULL), OK);
        assert_int_equal(append(&l, 104, NULL), OK);
        assert_int_equal(wal_sync(l.wal, NULL), OK);
        log_close(&l);
        assert_int_equal(log_open(&l, 0), OK);
        assert_true(l.seen.n >= 3 && l.seen.v[0] == 100 && l.seen.v[1] == 101 && l.seen.v[l.seen.n - 1] == 104);
        log_done(&l);
    }
}

/* --- room --- */

static uint64_t size_of(Fs *fs, const char *path) {
    File *f;
    assert_int_equal(fs_open(fs, path, FILE_READ, &f, NULL), OK);
    uint64_t n = file_size(f);
    file_close(f);
    return n;
}

static const char first_segment[] = "wal/wal-0000000000000001.log";

static void room_open(Log *l) {
    vec_clear(&l->seen);
    assert_int_equal(wal_open(l->fs, "wal", NULL, 0, note, l, &l->report, &l->wal, NULL), OK);
}

/* Zeros behind the end are made by the first sync, used by later ones, and mean nothing to a reader. */
static void test_room(void **state) {
    (void)state;
    Log l = {.fs = fs_fault_create(1)};
    room_open(&l);
    for (uint64_t id = 0; id < 20; id++) {
        assert_int_equal(append(&l, id, NULL), OK);
        assert_int_equal(wal_sync(l.wal, NULL), OK);
        assert_true(size_of(l.fs, first_segment) > 32 << 10);
    }
    uint64_t end = wal_size_bytes(l.wal), calls = fs_fault_calls(l.fs);
    assert_true(end < 10000);
    assert_int_equal(wal_copy_bytes(l.fs, "wal", STR("wal-0000000000000001.log")), end);
    assert_int_equal(append(&l, 20, NULL), OK);
    assert_int_equal(wal_sync(l.wal, NULL), OK);
    assert_int_equal(fs_fault_calls(l.fs), calls + 2); /* a write and a sync */
    fs_fault_crash(l.fs);
    log_close(&l);
    assert_true(size_of(l.fs, first_segment) > 32 << 10);
    for (unsigned round = 0; round < 2; round++) {
        room_open(&l);
        expect_ids(&l, 0, 21);
        assert_int_equal(l.report.torn_bytes + l.report.corrupt_frames, 0);
        assert_int_equal(append(&l, 21, NULL), OK);
        log_close(&l); /* without a sync: dropped */
    }
    log_done(&l);
}

static void test_room_is_left(void **state) {
    (void)state;
    Log l = {.fs = fs_fault_create(1)};
    room_open(&l);
    assert_int_equal(append(&l, 0, NULL), OK);
    assert_int_equal(wal_sync(l.wal, NULL), OK);
    uint64_t end = wal_size_bytes(l.wal);
    WalPos pos;
    assert_int_equal(wal_cut(l.wal, &pos, NULL), OK);
    assert_int_equal(size_of(l.fs, first_segment), end);
    assert_int_equal(append(&l, 1, NULL), OK);
    assert_int_equal(wal_sync(l.wal, NULL), OK);
    log_close(&l);
    assert_int_equal(size_of(l.fs, "wal/wal-0000000000000002.log"), WAL_HEADER_BYTES + WAL_FRAME_BYTES + 9);
    log_done(&l);
}

/* What is torn is told from room, and a lost frame before others from both. */
static void test_room_damaged(void **state) {
    (void)state;
    for (unsigned what = 0; what < 3; what++) {
        Log l = {.fs = fs_fault_create(1)};
        WalPos pos[3];
        room_open(&l);
        for (uint64_t id = 0; id < 3; id++) {
            assert_int_equal(append(&l, id, &pos[id]), OK);
            assert_int_equal(wal_sync(l.wal, NULL), OK);
        }
        uint64_t end = wal_size_bytes(l.wal);
        fs_fault_crash(l.fs);
        log_close(&l);
        if (what == 0) fs_fault_flip_bit(l.fs, first_segment, (end + 3000) * 8); /* a piece of a torn write */
        if (what == 1) fs_fault_flip_bit(l.fs, first_segment, (pos[2] & UINT32_MAX) * 8 + 150);
        if (what == 2) fs_fault_flip_bit(l.fs, first_segment, (pos[0] & UINT32_MAX) * 8 + 150);
        uint64_t copy = wal_copy_bytes(l.fs, "wal", STR("wal-0000000000000001.log"));
        assert_int_equal(copy, what == 0 ? end : 0);
        room_open(&l);
        assert_int_equal(l.report.corrupt_frames, what == 2);
        assert_int_equal(l.report.torn_bytes, what == 0 ? 3001 : what == 1 ? end - (pos[2] & UINT32_MAX) : 0);
        assert_int_equal(l.seen.n, what == 0 ? 3 : 2);
        log_done(&l);
    }
}

/* A disk that has room for records and not for more takes the records. */
static void test_no_room(void **state) {
    (void)state;
    Log l = {.fs = fs_fault_create(1)};
    room_open(&l);
    fs_fault_set_capacity(l.fs, 25000);
    for (uint64_t id = 0; id < 30; id++) {
        assert_int_equal(append(&l, id, NULL), OK);
        assert_int_equal(wal_sync(l.wal, NULL), OK);
        assert_int_equal(size_of(l.fs, first_segment), wal_size_bytes(l.wal));
    }
    fs_fault_crash(l.fs);
    log_close(&l);
    room_open(&l);
    expect_ids(&l, 0, 30);
    log_done(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_cut_and_truncate),
        cmocka_unit_test(test_replay_stops),
        cmocka_unit_test(test_no_frames_from_payloads),
        cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_header_lost),
        cmocka_unit_test(test_lost_pieces),
        cmocka_unit_test(test_no_floor),
        cmocka_unit_test(test_directory_gone),
        cmocka_unit_test(test_every_fault),
        cmocka_unit_test(test_no_space),
        cmocka_unit_test(test_no_segment),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_room_is_left),
        cmocka_unit_test(test_room_damaged),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
