/* A store in miniature on log and parts (append, flush, merge), with every fault at every call of the disk, against an
 * oracle: what was acknowledged is there exactly once, what was not is there at most once, before and after a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/vec.h"
#include "storage/partset.h"
#include "storage/wal.h"
#include "sys/random.h"

#include <stdio.h>

#define IDS_MAX 600

typedef struct Store {
    Fs *fs;
    Wal *wal;
    PartSet *parts;
    VEC(uint64_t) head;
    Rng rng;
    uint64_t next_id;
    bool acked[IDS_MAX];
} Store;

typedef VEC(uint64_t) IdVec;

static void read_ids(const Part *part, IdVec *out) {
    Cursor c = cursor_of(part_footer(part));
    BlockRef ref;
    Str raw;
    Arena *arena = arena_create(1 << 20);
    assert_true(block_ref_decode(&c, &ref));
    assert_int_equal(part_block(part, &ref, arena, &raw, NULL), OK);
    Cursor ids = cursor_of(raw);
    while (cursor_left(&ids)) vec_push(out, cursor_u64le(&ids));
    arena_free(arena);
}

static ErrCode no_open(void *ctx, Part *part, const PartInfo *info, void **ret_obj, Err *reterr) {
    (void)ctx, (void)part, (void)info, (void)reterr;
    *ret_obj = NULL;
    return OK;
}
static void no_close(void *ctx, void *obj) { (void)ctx, (void)obj; }
static const PartOps ops = {no_open, no_close};

static ErrCode replay(void *ctx, WalPos pos, uint8_t type, Str payload) {
    Store *s = ctx;
    (void)pos, (void)type;
    Cursor c = cursor_of(payload);
    vec_push(&s->head, cursor_u64le(&c));
    return OK;
}

static ErrCode store_open(Store *s, bool *ret_clean) {
    WalReport rep;
    vec_clear(&s->head);
    ErrCode rc = partset_open(s->fs, "store/parts", &ops, NULL, &s->parts, NULL);
    if (rc != OK) return rc;
    WalOptions opts = {.segment_bytes = 1024};
    rc = wal_open(s->fs, "store/wal", &opts, partset_wal_floor(s->parts), replay, s, &rep, &s->wal, NULL);
    if (rc != OK) {
        s->parts = partset_close(s->parts);
        return rc;
    }
    *ret_clean = partset_corrupt_count(s->parts) == 0 && rep.corrupt_frames == 0;
    return OK;
}

static void store_close(Store *s) {
    s->wal = wal_close(s->wal);
    s->parts = partset_close(s->parts);
}

static void store_append(Store *s) {
    uint64_t first = s->next_id, n = 1 + rng_u64(&s->rng) % 4;
    if (first + n > IDS_MAX) return;
    bool appended[4] = {0};
    for (uint64_t i = 0; i < n; i++) {
        Buf b = {0};
        buf_put_u64le(&b, s->next_id++);
        for (uint64_t k = rng_u64(&s->rng) % 400; k > 0; k--) buf_put_char(&b, (char)rng_u64(&s->rng));
        appended[i] = wal_append(s->wal, 1, buf_str(&b), NULL, NULL) == OK;
        buf_done(&b);
    }
    if (wal_sync(s->wal, NULL) != OK) return;
    for (uint64_t i = 0; i < n; i++) {
        if (!appended[i]) continue;
        s->acked[first + i] = true;
        vec_push(&s->head, first + i);
    }
}

static ErrCode write_ids(Store *s, const uint64_t *ids, size_t n, PartInfo *ret) {
    char path[FS_PATH_MAX];
    PartWriter *w;
    BlockRef ref;
    *ret = (PartInfo){.id = partset_new_id(s->parts, path), .max_t = (int64_t)n, .rows = n};
    ErrCode rc = part_writer_create(s->fs, path, &w, NULL);
    if (rc != OK) return rc;
    Buf raw = {0}, footer = {0};
    for (size_t i = 0; i < n; i++) buf_put_u64le(&raw, ids[i]);
    rc = part_writer_block(w, buf_str(&raw), 1, &ref, NULL);
    block_ref_encode(&footer, &ref);
    if (rc == OK) rc = part_writer_finish(w, buf_str(&footer), &ret->size_bytes, NULL);
    part_writer_free(w);
    buf_done(&raw);
    buf_done(&footer);
    return rc;
}

static void store_flush(Store *s) {
    WalPos floor;
    PartInfo info;
    if (s->head.n == 0 || wal_cut(s->wal, &floor, NULL) != OK) return;
    if (write_ids(s, s->head.v, s->head.n, &info) != OK) return;
    if (partset_publish(s->parts, &info, 1, NULL, 0, floor, NULL) != OK) return;
    vec_clear(&s->head);
    (void)wal_truncate_before(s->wal, floor, NULL);
}

static void store_merge(Store *s) {
    uint64_t picked[16];
    size_t n = partset_pick_merge(s->parts, 0, 0, picked, 16);
    if (n == 0) return;
    PartSnapshot snap;
    IdVec ids = {0};
    partset_snapshot(s->parts, &snap);
    for (size_t i = 0; i < snap.n; i++)
        for (size_t k = 0; k < n; k++)
            if (snap.v[i].info.id == picked[k]) read_ids(snap.v[i].part, &ids);
    partset_release(s->parts, &snap);
    PartInfo info;
    if (write_ids(s, ids.v, ids.n, &info) != OK || partset_publish(s->parts, &info, 1, picked, n, 0, NULL) != OK)
        partset_unmark_merge(s->parts, picked, n);
    vec_done(&ids);
}

static void store_step(Store *s) {
    uint64_t dice = rng_u64(&s->rng) % 10;
    if (dice < 7)
        store_append(s);
    else if (dice < 9)
        store_flush(s);
    else
        store_merge(s);
}

static void check(Store *s, const char *what, uint64_t nth) {
    unsigned count[IDS_MAX] = {0};
    PartSnapshot snap;
    IdVec ids = {0};
    partset_snapshot(s->parts, &snap);
    for (size_t i = 0; i < snap.n; i++) read_ids(snap.v[i].part, &ids);
    partset_release(s->parts, &snap);
    for (size_t i = 0; i < ids.n; i++) count[ids.v[i]]++;
    for (size_t i = 0; i < s->head.n; i++) {
        if (i && s->head.v[i] <= s->head.v[i - 1]) fail_msg("%s at %lu: order", what, (unsigned long)nth);
        count[s->head.v[i]]++;
    }
    for (uint64_t id = 0; id < IDS_MAX; id++) {
        if (s->acked[id] && count[id] != 1)
            fail_msg("%s at %lu: acknowledged %lu is there %u times", what, (unsigned long)nth, (unsigned long)id,
                count[id]);
        if (count[id] > 1)
            fail_msg("%s at %lu: %lu is there %u times", what, (unsigned long)nth, (unsigned long)id, count[id]);
        if (count[id]) s->acked[id] = true; /* what came back must stay */
    }
    vec_done(&ids);
}

enum { PERSISTENT = 1, CRASH = 2, MODES = 4, STEPS = 25 };

static bool run(FaultKind kind, unsigned mode, uint64_t nth, uint64_t seed) {
    Store s = {.fs = fs_fault_create(seed)};
    bool clean = false, opened;
    char what[64];
    snprintf(what, sizeof what, "kind %d mode %u seed %lu", kind, mode, (unsigned long)seed);
    rng_seed(&s.rng, seed / 10000); /* the same story for every nth */
    fs_fault_arm(s.fs, kind, nth, mode & PERSISTENT);
    opened = store_open(&s, &clean) == OK;
    for (unsigned i = 0; i < STEPS && opened; i++) store_step(&s);
    bool reached = fs_fault_calls(s.fs) >= nth;
    if (opened && !(mode & PERSISTENT)) check(&s, what, nth);
    for (unsigned round = 0; round < 3; round++) {
        bool crash_first = mode & CRASH && round % 2 == 0;
        if (crash_first) fs_fault_crash(s.fs);
        if (opened) store_close(&s);
        if (mode & CRASH && !crash_first) fs_fault_crash(s.fs);
        fs_fault_arm(s.fs, FAULT_NONE, 0, false);
        assert_int_equal(store_open(&s, &clean), OK);
        opened = true;
        if (!clean) fail_msg("%s at %lu: damage reported where there is none", what, (unsigned long)nth);
        check(&s, what, nth);
        for (unsigned i = 0; i < 8; i++) store_step(&s);
        check(&s, what, nth);
    }
    store_close(&s);
    vec_done(&s.head);
    fs_fault_free(s.fs);
    return reached;
}

static void test_every_fault(void **state) {
    (void)state;
    static const FaultKind kinds[] = {FAULT_EIO, FAULT_ENOSPC, FAULT_SHORT_WRITE};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
        for (unsigned mode = 0; mode < MODES; mode++)
            for (uint64_t seed = 1; seed <= 2; seed++)
                for (uint64_t nth = 1; run(kinds[k], mode, nth, seed * 10000 + nth); nth++) {
                }
}

/* No faults but power cuts, longer stories. */
static void test_random_crashes(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        Store s = {.fs = fs_fault_create(seed)};
        bool clean;
        rng_seed(&s.rng, seed);
        assert_int_equal(store_open(&s, &clean), OK);
        for (unsigned round = 0; round < 8; round++) {
            for (uint64_t n = rng_u64(&s.rng) % 20; n > 0; n--) store_step(&s);
            check(&s, "before the crash", round);
            fs_fault_crash(s.fs);
            store_close(&s);
            assert_int_equal(store_open(&s, &clean), OK);
            assert_true(clean);
            check(&s, "after the crash", round);
        }
        store_close(&s);
        vec_done(&s.head);
        fs_fault_free(s.fs);
    }
}

/* A small disk: it fills up, everything stays readable, and when there is room again the store goes on. */
static void test_disk_full(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        Store s = {.fs = fs_fault_create(seed)};
        bool clean;
        rng_seed(&s.rng, seed);
        fs_fault_set_capacity(s.fs, 3000 + seed * 50);
        assert_int_equal(store_open(&s, &clean), OK);
        for (unsigned i = 0; i < 60; i++) store_step(&s);
        check(&s, "full", seed);
        store_close(&s);
        assert_int_equal(store_open(&s, &clean), OK);
        check(&s, "full, opened again", seed);
        fs_fault_set_capacity(s.fs, 0);
        uint64_t before = s.next_id;
        for (unsigned i = 0; i < 20; i++) store_step(&s);
        for (uint64_t id = before; id < s.next_id; id++) assert_true(s.acked[id]);
        check(&s, "room again", seed);
        store_close(&s);
        vec_done(&s.head);
        fs_fault_free(s.fs);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_fault),
        cmocka_unit_test(test_random_crashes),
        cmocka_unit_test(test_disk_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
