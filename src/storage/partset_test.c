#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/vec.h"
#include "storage/partset.h"
#include "sys/clock.h"
#include "sys/random.h"
#include "sys/thread.h"

#include <stdio.h>

/* A store of numbers: a part's only block holds its ids, 8 bytes each. */
static _Atomic int open_objects;

typedef struct Obj {
    uint64_t n;
} Obj;

static ErrCode obj_open(void *ctx, Part *part, const PartInfo *info, void **ret_obj, Err *reterr) {
    (void)ctx, (void)reterr;
    Cursor c = cursor_of(part_footer(part));
    BlockRef ref;
    if (!block_ref_decode(&c, &ref)) return ERR_CORRUPT;
    Obj *o = NEW(Obj);
    o->n = info->rows;
    atomic_fetch_add(&open_objects, 1);
    *ret_obj = o;
    return OK;
}

static void obj_close(void *ctx, void *obj) {
    (void)ctx;
    mem_free(obj);
    atomic_fetch_sub(&open_objects, 1);
}

static const PartOps ops = {obj_open, obj_close};

static PartSet *set_open(Fs *fs) {
    PartSet *s;
    Err err = {0};
    if (partset_open(fs, "parts", &ops, NULL, &s, &err) != OK) fail_msg("%s", err.msg);
    return s;
}

static ErrCode write_ids(PartSet *s, Fs *fs, const uint64_t *ids, size_t n, int64_t t, PartInfo *ret) {
    char path[FS_PATH_MAX];
    PartWriter *w;
    BlockRef ref;
    *ret = (PartInfo){.id = partset_new_id(s, path), .min_t = t, .max_t = t + 9, .rows = n};
    ErrCode rc = part_writer_create(fs, path, &w, NULL);
    if (rc != OK) return rc;
    Buf raw = {0}, footer = {0};
    for (size_t i = 0; i < n; i++) buf_put_u64le(&raw, ids[i]);
    rc = part_writer_block(w, buf_str(&raw), 0, &ref, NULL);
    block_ref_encode(&footer, &ref);
    if (rc == OK) rc = part_writer_finish(w, buf_str(&footer), &ret->size_bytes, NULL);
    part_writer_free(w);
    buf_done(&raw);
    buf_done(&footer);
    return rc;
}

static uint64_t publish_one(PartSet *s, Fs *fs, size_t rows, int64_t t) {
    PartInfo info;
    uint64_t *ids = mem_alloc_zero(MAX(rows, 1) * 8);
    assert_int_equal(write_ids(s, fs, ids, rows, t, &info), OK);
    mem_free(ids);
    assert_int_equal(partset_publish(s, &info, 1, NULL, 0, 0, NULL), OK);
    return info.id;
}

static void part_path_of(uint64_t id, char out[FS_PATH_MAX]) {
    snprintf(out, FS_PATH_MAX, "parts/part-%016llx.mkp", (unsigned long long)id);
}

static bool file_there(Fs *fs, uint64_t id) {
    char path[FS_PATH_MAX];
    part_path_of(id, path);
    return fs->ops->exists(fs, path);
}

static void test_life(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    PartSet *s = set_open(fs);
    uint64_t a = publish_one(s, fs, 10, 100), b = publish_one(s, fs, 10, 50), c = publish_one(s, fs, 10, 50);
    PartSnapshot before, after;
    partset_snapshot(s, &before);
    assert_int_equal(before.n, 3);
    assert_int_equal(before.v[0].info.id, b);
    assert_int_equal(before.v[1].info.id, c);
    assert_int_equal(before.v[2].info.id, a);
    assert_int_equal(((Obj *)before.v[0].obj)->n, 10);
    PartInfo merged;
    uint64_t ids[20] = {0}, gone[] = {b, c};
    assert_int_equal(write_ids(s, fs, ids, 20, 50, &merged), OK);
    assert_int_equal(partset_publish(s, &merged, 1, gone, 2, 77, NULL), OK);
    assert_int_equal(partset_wal_floor(s), 77);
    partset_snapshot(s, &after);
    assert_int_equal(after.n, 2);
    assert_true(file_there(fs, b)); /* still in use */
    Str raw;
    Cursor cur = cursor_of(part_footer(before.v[0].part));
    BlockRef ref;
    assert_true(block_ref_decode(&cur, &ref));
    assert_int_equal(part_block(before.v[0].part, &ref, NULL, &raw, NULL), OK);
    partset_release(s, &before);
    assert_false(file_there(fs, b) || file_there(fs, c));
    partset_release(s, &after);
    assert_int_equal(partset_publish(s, NULL, 0, gone, 1, 0, NULL), ERR_CONFLICT);
    assert_int_equal(partset_publish(s, NULL, 0, NULL, 0, 50, NULL), OK);
    assert_int_equal(partset_wal_floor(s), 77); /* never back */
    uint64_t size = partset_size_bytes(s);
    partset_close(s);
    fs_fault_crash(fs);
    s = set_open(fs);
    assert_int_equal(partset_size_bytes(s), size);
    assert_int_equal(partset_wal_floor(s), 77);
    assert_int_equal(partset_corrupt_count(s), 0);
    char path[FS_PATH_MAX];
    assert_true(partset_new_id(s, path) > merged.id);
    partset_close(s);
    assert_int_equal(atomic_load(&open_objects), 0);
    fs_fault_free(fs);
}

static void test_corrupt_part(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    PartSet *s = set_open(fs);
    uint64_t ids[4];
    for (int64_t i = 0; i < 4; i++) ids[i] = publish_one(s, fs, 5, i * 10);
    partset_close(s);
    char path[FS_PATH_MAX];
    part_path_of(ids[1], path);
    fs_fault_flip_bit(fs, path, 3);
    part_path_of(ids[2], path);
    assert_int_equal(fs->ops->remove(fs, path, NULL), OK);
    s = set_open(fs);
    assert_int_equal(partset_corrupt_count(s), 2);
    PartSnapshot snap;
    partset_snapshot(s, &snap);
    assert_int_equal(snap.n, 2);
    partset_release(s, &snap);
    partset_close(s);
    snprintf(path, sizeof path, "parts/part-%016llx.mkp.bad", (unsigned long long)ids[1]);
    assert_true(fs->ops->exists(fs, path));
    s = set_open(fs); /* told once */
    assert_int_equal(partset_corrupt_count(s), 0);
    partset_close(s);
    assert_true(fs->ops->exists(fs, path));
    fs_fault_free(fs);
}

static void test_manifest_damage(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    PartSet *s = set_open(fs);
    uint64_t a = publish_one(s, fs, 5, 0);
    partset_close(s);
    Buf image = {0};
    assert_int_equal(fs_read_file(fs, "parts/MANIFEST", 1 << 20, &image, NULL), OK);
    for (size_t bit = 0; bit < image.n * 8; bit++) {
        fs_fault_flip_bit(fs, "parts/MANIFEST", bit);
        s = set_open(fs); /* the other copy */
        assert_true(partset_size_bytes(s) > 0);
        partset_close(s);
        fs_fault_flip_bit(fs, "parts/MANIFEST", bit);
    }
    for (size_t n = image.n / 2; n < image.n; n++) { /* the first copy is enough, whatever stands behind it */
        assert_int_equal(fs_write_file_atomic(fs, "parts/MANIFEST", str_of(image.p, n), NULL), OK);
        s = set_open(fs);
        assert_true(partset_size_bytes(s) > 0);
        partset_close(s);
    }
    assert_int_equal(fs_write_file_atomic(fs, "parts/MANIFEST", str_of(image.p, image.n / 2 - 1), NULL), OK);
    assert_int_equal(partset_open(fs, "parts", &ops, NULL, &s, NULL), ERR_CORRUPT);
    assert_int_equal(fs_write_file_atomic(fs, "parts/MANIFEST", buf_str(&image), NULL), OK);
    fs_fault_flip_bit(fs, "parts/MANIFEST", 99);
    fs_fault_flip_bit(fs, "parts/MANIFEST", 99 + image.n * 4);
    assert_int_equal(partset_open(fs, "parts", &ops, NULL, &s, NULL), ERR_CORRUPT);
    assert_true(file_there(fs, a));
    assert_int_equal(fs->ops->remove(fs, "parts/MANIFEST", NULL), OK);
    assert_int_equal(partset_open(fs, "parts", &ops, NULL, &s, NULL), ERR_CORRUPT);
    assert_true(file_there(fs, a));
    buf_done(&image);
    fs_fault_free(fs);
}

static void test_failed_publish(void **state) {
    (void)state;
    for (uint64_t nth = 1; nth <= 6; nth++) {
        Fs *fs = fs_fault_create(nth);
        PartSet *s = set_open(fs);
        uint64_t a = publish_one(s, fs, 5, 0), id = 1;
        PartInfo info;
        assert_int_equal(write_ids(s, fs, &id, 1, 0, &info), OK);
        fs_fault_arm(fs, FAULT_EIO, nth, false);
        ErrCode rc = partset_publish(s, &info, 1, &a, 1, 9, NULL);
        fs_fault_arm(fs, FAULT_NONE, 0, false);
        PartSnapshot snap;
        partset_snapshot(s, &snap);
        assert_int_equal(snap.n, 1);
        assert_int_equal(snap.v[0].info.id, rc == OK ? info.id : a);
        partset_release(s, &snap);
        uint64_t b = publish_one(s, fs, 5, 0); /* clears up */
        if (rc != OK) assert_false(file_there(fs, info.id));
        assert_true(file_there(fs, b));
        partset_close(s);
        s = set_open(fs);
        assert_int_equal(partset_corrupt_count(s), 0);
        partset_close(s);
        fs_fault_free(fs);
    }
}

static void test_pick(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    PartSet *s = set_open(fs);
    uint64_t ids[20], picked[20], again[20];
    assert_int_equal(partset_pick_merge(s, 100, 0, picked, 20), 0);
    for (int64_t i = 0; i < 20; i++) ids[i] = publish_one(s, fs, 10, i < 18 ? i : 1000 + i * 100);
    size_t n = partset_pick_merge(s, 100, 0, picked, 20);
    assert_int_equal(n, 16);
    size_t rest = partset_pick_merge(s, 100, 0, again, 20);
    assert_int_equal(rest, 2); /* 16 are marked; the last two are alone in their partitions */
    assert_int_equal(partset_pick_merge(s, 100, 0, again, 20), 0);
    /* Parts in a merge do not expire. */
    uint64_t expired[20];
    assert_int_equal(partset_pick_expired(s, INT64_MAX, 0, expired, 20), 2);
    assert_int_equal(expired[0], ids[18]);
    partset_unmark_merge(s, picked, n);
    partset_unmark_merge(s, ids, 20);
    assert_int_equal(partset_pick_expired(s, 12, 0, expired, 20), 3); /* max_t 9, 10, 11 */
    uint64_t size = partset_size_bytes(s);
    n = partset_pick_expired(s, INT64_MIN, size / 2, expired, 20);
    assert_int_equal(n, 10);
    assert_int_equal(expired[0], ids[0]);
    assert_int_equal(partset_pick_expired(s, INT64_MIN, size / 2, expired, 4), 4);
    /* A large part and a small one are not alike; a limit on the result holds. */
    assert_int_equal(partset_publish(s, NULL, 0, ids, 20, 0, NULL), OK);
    publish_one(s, fs, 200000, 0);
    publish_one(s, fs, 10, 1);
    assert_int_equal(partset_pick_merge(s, 100, 0, picked, 20), 0);
    publish_one(s, fs, 190000, -5);
    assert_int_equal(partset_pick_merge(s, 0, 1000000, picked, 20), 0);
    assert_int_equal(partset_pick_merge(s, 100, 0, picked, 20), 0); /* -5 is another partition */
    assert_true(partset_pick_merge(s, 0, 0, picked, 20) >= 2);
    partset_close(s);
    fs_fault_free(fs);
}

static uint64_t publish_span(PartSet *s, Fs *fs, int64_t min_t, int64_t max_t, uint64_t order) {
    PartInfo info;
    uint64_t id = 0;
    assert_int_equal(write_ids(s, fs, &id, 1, min_t, &info), OK);
    info.max_t = max_t;
    info.order = order;
    assert_int_equal(partset_publish(s, &info, 1, NULL, 0, 0, NULL), OK);
    return info.id;
}

/* Which parts are merged when one of another partition reaches into theirs. */
static void test_order(void **state) {
    (void)state;
    static const struct {
        int64_t a_max, x_min;
        uint64_t a, b, x; /* orders: a and b in one partition, x in the next */
        bool may;
    } rows[] = {
        {150, 120, 1, 3, 2, false}, /* x is right about what it shares with a; b's age would hide it */
        {150, 120, 1, 2, 3, true},  /* x is younger than both */
        {150, 120, 2, 3, 1, true},  /* older than both */
        {110, 120, 1, 3, 2, true},  /* shares nothing with the older one */
        {150, 120, 3, 1, 2, true},  /* only the younger one overlaps */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Fs *fs = fs_fault_create(1);
        PartSet *s = set_open(fs);
        uint64_t picked[4], a = publish_span(s, fs, 0, rows[i].a_max, rows[i].a);
        uint64_t b = publish_span(s, fs, 10, 20, rows[i].b), x = publish_span(s, fs, rows[i].x_min, 180, rows[i].x);
        partset_close(s);
        s = set_open(fs); /* the order is kept */
        size_t n = partset_pick_merge(s, 100, 0, picked, 4);
        assert_int_equal(n, rows[i].may ? 2 : 0);
        for (size_t k = 0; k < n; k++) assert_true(picked[k] == a || picked[k] == b);
        partset_unmark_merge(s, picked, n);
        assert_int_equal(partset_pick_merge(s, 0, 0, picked, 4), 3); /* together they can always go */
        uint64_t orders[4] = {0};
        PartSnapshot snap;
        partset_snapshot(s, &snap);
        for (size_t k = 0; k < snap.n; k++) orders[snap.v[k].info.order] = snap.v[k].info.id;
        partset_release(s, &snap);
        assert_true(orders[rows[i].a] == a && orders[rows[i].b] == b && orders[rows[i].x] == x);
        for (size_t k = 0; k < 3; k++) assert_int_equal(picked[k], orders[k + 1]);
        partset_close(s);
        fs_fault_free(fs);
    }
}

/* --- snapshots against publishing --- */

typedef struct Race {
    PartSet *s;
    _Atomic bool stop;
    _Atomic uint64_t looks;
    _Atomic unsigned wrong;
} Race;

static void reader_main(void *ctx) {
    Race *r = ctx;
    while (!atomic_load(&r->stop)) {
        PartSnapshot snap;
        partset_snapshot(r->s, &snap);
        uint64_t rows = 0;
        for (size_t i = 0; i < snap.n; i++) {
            Cursor c = cursor_of(part_footer(snap.v[i].part));
            BlockRef ref;
            Str raw;
            if (!block_ref_decode(&c, &ref) || part_block(snap.v[i].part, &ref, NULL, &raw, NULL) != OK)
                atomic_fetch_add(&r->wrong, 1);
            rows += ((Obj *)snap.v[i].obj)->n;
        }
        if (rows % 10 != 0) atomic_fetch_add(&r->wrong, 1);
        partset_release(r->s, &snap);
        atomic_fetch_add(&r->looks, 1);
    }
}

static void merger_main(void *ctx) {
    Race *r = ctx;
    uint64_t ids[16];
    while (!atomic_load(&r->stop)) {
        (void)partset_size_bytes(r->s);
        size_t n = partset_pick_merge(r->s, 0, 0, ids, 16);
        partset_unmark_merge(r->s, ids, n);
    }
}

static void test_concurrent(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    Race r = {.s = set_open(fs)};
    Thread *readers[3], *merger;
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) readers[i] = thread_start("reader", reader_main, &r);
    merger = thread_start("merger", merger_main, &r);
    uint64_t live[8] = {0};
    for (unsigned i = 0; i < 150; i++) {
        PartInfo info;
        uint64_t ids[10] = {0}, old = live[i % 8];
        assert_int_equal(write_ids(r.s, fs, ids, 10, (int64_t)i, &info), OK);
        assert_int_equal(partset_publish(r.s, &info, 1, &old, old ? 1 : 0, i, NULL), OK);
        live[i % 8] = info.id;
    }
    while (atomic_load(&r.looks) < 20) clock_sleep_ms(1);
    atomic_store(&r.stop, true);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) thread_join(readers[i]);
    thread_join(merger);
    assert_int_equal(atomic_load(&r.wrong), 0);
    partset_close(r.s);
    assert_int_equal(atomic_load(&open_objects), 0);
    fs_fault_free(fs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_corrupt_part),
        cmocka_unit_test(test_manifest_damage),
        cmocka_unit_test(test_failed_publish),
        cmocka_unit_test(test_pick),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_concurrent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
