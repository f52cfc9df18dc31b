#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/datadir.h"
#include "storage/part.h"

#include <stdio.h>
#include <stdlib.h>

enum { BLOCKS = 5 };
static const char *const texts[BLOCKS] = {"", "x", "a short one",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "0123456789012345678901234567890123456789012345678901234567890123456789"};

static uint64_t write_part(Fs *fs, const char *path, Buf *footer) {
    PartWriter *w;
    uint64_t size;
    assert_int_equal(part_writer_create(fs, path, &w, NULL), OK);
    for (unsigned i = 0; i < BLOCKS; i++) {
        BlockRef ref;
        assert_int_equal(part_writer_block(w, str_cstr(texts[i]), i % 2 ? 3 : 0, &ref, NULL), OK);
        assert_int_equal(ref.offset % 8, 0);
        block_ref_encode(footer, &ref);
    }
    assert_int_equal(part_writer_finish(w, buf_str(footer), &size, NULL), OK);
    part_writer_free(w);
    return size;
}

/* Blocks that can be read and are right; -1 when the part itself cannot be opened. */
static int read_part(Fs *fs, const char *path) {
    Part *p;
    Err err = {0};
    ErrCode rc = part_open(fs, path, &p, &err);
    if (rc != OK) {
        assert_int_equal(rc, ERR_CORRUPT);
        assert_non_null(strstr(err.msg, path));
        return -1;
    }
    int good = 0;
    Cursor c = cursor_of(part_footer(p));
    Arena *arena = arena_create(1 << 20);
    for (unsigned i = 0; i < BLOCKS; i++) {
        BlockRef ref;
        Str s;
        assert_true(block_ref_decode(&c, &ref));
        for (unsigned again = 0; again < 2; again++) {
            rc = part_block(p, &ref, arena, &s, &err);
            if (rc == OK) {
                assert_true(str_eq(s, str_cstr(texts[i])));
                good += again;
            } else {
                assert_int_equal(rc, ERR_CORRUPT);
                assert_non_null(strstr(err.msg, "offset"));
                assert_true(part_corrupt_count(p) > 0);
            }
        }
    }
    arena_free(arena);
    part_close(p);
    return good;
}

static void test_round_trip(void **state) {
    (void)state;
    Fs *all[] = {fs_fault_create(1), fs_real()};
    char dir[] = "/tmp/meerkat-part-XXXXXX";
    assert_non_null(mkdtemp(dir));
    assert_int_equal(all[0]->ops->make_dir(all[0], dir, NULL), OK);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        char path[FS_PATH_MAX];
        fs_path_join(path, dir, "p");
        Buf footer = {0};
        uint64_t size = write_part(all[i], path, &footer);
        Part *p;
        assert_int_equal(part_open(all[i], path, &p, NULL), OK);
        assert_int_equal(part_size_bytes(p), size);
        assert_true(str_eq(part_footer(p), buf_str(&footer)));
        assert_string_equal(part_path(p), path);
        part_close(p);
        assert_int_equal(read_part(all[i], path), BLOCKS);
        buf_done(&footer);
    }
    assert_int_equal(fs_remove_tree(fs_real(), dir, NULL), OK);
    fs_fault_free(all[0]);
}

static void test_bit_flips(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    Buf footer = {0};
    uint64_t size = write_part(fs, "p", &footer);
    for (uint64_t bit = 0; bit < size * 8; bit++) {
        fs_fault_flip_bit(fs, "p", bit);
        int good = read_part(fs, "p");
        /* In a block: that block; in the padding: nothing; elsewhere: the part. */
        if (good >= 0 && good < BLOCKS - 1) fail_msg("bit %lu: %d blocks left", (unsigned long)bit, good);
        fs_fault_flip_bit(fs, "p", bit);
    }
    assert_int_equal(read_part(fs, "p"), BLOCKS);
    for (uint64_t n = 0; n < size; n++) {
        File *f;
        Buf copy = {0};
        assert_int_equal(fs_read_file(fs, "p", 1 << 20, &copy, NULL), OK);
        (void)fs->ops->remove(fs, "q", NULL);
        assert_int_equal(fs_open(fs, "q", FILE_CREATE_NEW, &f, NULL), OK);
        assert_int_equal(file_write(f, str_of(copy.p, n), NULL), OK);
        file_close(f);
        assert_int_equal(read_part(fs, "q"), -1);
        buf_done(&copy);
    }
    buf_done(&footer);
    fs_fault_free(fs);
}

static void test_unfinished_leaves_nothing(void **state) {
    (void)state;
    for (uint64_t nth = 1; nth < 4; nth++) {
        Fs *fs = fs_fault_create(1);
        PartWriter *w;
        BlockRef ref;
        uint64_t size;
        fs_fault_arm(fs, FAULT_ENOSPC, nth, false);
        ErrCode rc = part_writer_create(fs, "p", &w, NULL);
        if (rc == OK) {
            rc = part_writer_block(w, STR("abc"), 0, &ref, NULL);
            if (rc == OK) rc = part_writer_finish(w, STR("f"), &size, NULL);
            part_writer_free(w);
        }
        assert_int_equal(rc, ERR_NO_SPACE);
        assert_false(fs->ops->exists(fs, "p"));
        fs_fault_free(fs);
    }
}

static void test_bad_refs(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    Buf footer = {0};
    write_part(fs, "p", &footer);
    Part *p;
    Str s;
    assert_int_equal(part_open(fs, "p", &p, NULL), OK);
    static const BlockRef refs[] = {{0, 4, 4, 0, 0}, {8, UINT32_MAX, UINT32_MAX, 0, 0}, {UINT64_MAX - 8, 16, 16, 0, 0},
        {8, 4, 4, 1, 0}, {8, 4, 8, 0, 7}};
    for (size_t i = 0; i < ARRAY_LEN(refs); i++) assert_int_equal(part_block(p, &refs[i], NULL, &s, NULL), ERR_CORRUPT);
    assert_int_equal(part_corrupt_count(p), ARRAY_LEN(refs));
    part_close(p);
    buf_done(&footer);
    fs_fault_free(fs);
}

/* --- the data directory --- */

static void test_datadir(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    DataDir *d, *other;
    Err err = {0};
    char sub[FS_PATH_MAX];
    assert_int_equal(datadir_open(fs, "data", &d, NULL), OK);
    assert_int_equal(datadir_open(fs, "data", &other, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "pid "));
    assert_int_equal(datadir_sub(d, "logs", sub, NULL), OK);
    assert_string_equal(sub, "data/logs");
    assert_true(fs->ops->exists(fs, sub));
    assert_ptr_equal(datadir_fs(d), fs);
    datadir_close(d);
    static const struct {
        const char *version;
        ErrCode want;
    } versions[] = {{"meerkat data 1\n", OK}, {"meerkat data 2\n", ERR_UNSUPPORTED}, {"meerkat data 0\n", ERR_CORRUPT},
        {"", ERR_CORRUPT}, {"9.3\n", ERR_CORRUPT}, {"meerkat data 1x\n", ERR_CORRUPT}};
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        assert_int_equal(fs_write_file_atomic(fs, "data/VERSION", str_cstr(versions[i].version), NULL), OK);
        ErrCode rc = datadir_open(fs, "data", &d, NULL);
        assert_int_equal(rc, versions[i].want);
        if (rc == OK) datadir_close(d);
    }
    assert_int_equal(datadir_open(fs, "", &d, NULL), ERR_INVALID);
    fs_fault_free(fs);
}

/* Whatever bit of the file is flipped: opening refuses it, or reading it whole finds it. */
static void test_verify_finds_every_flip(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    Buf footer = {0};
    uint64_t size = write_part(fs, "p", &footer);
    for (uint64_t bit = 0; bit <= size * 8; bit++) {
        if (bit < size * 8) fs_fault_flip_bit(fs, "p", bit);
        Part *p = NULL;
        ErrCode rc = part_open(fs, "p", &p, NULL);
        if (rc == OK) rc = part_verify(p, NULL);
        assert_int_equal(rc, bit < size * 8 ? ERR_CORRUPT : OK);
        part_close(p);
        if (bit < size * 8) fs_fault_flip_bit(fs, "p", bit);
    }
    buf_done(&footer);
    fs_fault_free(fs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_verify_finds_every_flip),
        cmocka_unit_test(test_unfinished_leaves_nothing),
        cmocka_unit_test(test_bad_refs),
        cmocka_unit_test(test_datadir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
