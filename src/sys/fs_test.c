#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The same expectations for both implementations. */
typedef struct Under {
    Fs *fs;
    char dir[64];
} Under;

static int setup_real(void **state) {
    static Under u;
    u.fs = fs_real();
    snprintf(u.dir, sizeof u.dir, "/tmp/meerkat-fs-XXXXXX");
    *state = &u;
    return mkdtemp(u.dir) ? 0 : -1;
}

static int teardown_real(void **state) {
    Under *u = *state;
    return fs_remove_tree(u->fs, u->dir, NULL) == OK ? 0 : -1;
}

static int setup_fault(void **state) {
    static Under u;
    u.fs = fs_fault_create(1);
    snprintf(u.dir, sizeof u.dir, "dir");
    *state = &u;
    return u.fs->ops->make_dir(u.fs, u.dir, NULL) == OK ? 0 : -1;
}

static int teardown_fault(void **state) {
    Under *u = *state;
    if (fs_remove_tree(u->fs, u->dir, NULL) != OK) return -1;
    fs_fault_free(u->fs);
    return 0;
}

static const char *in(const Under *u, const char *name) {
    static char path[4][FS_PATH_MAX];
    static unsigned next;
    char *out = path[next++ % 4];
    fs_path_join(out, u->dir, name);
    return out;
}

static void test_read_write(void **state) {
    Under *u = *state;
    File *f;
    char buf[64];
    size_t n;
    assert_int_equal(fs_open(u->fs, in(u, "f"), FILE_READ, &f, NULL), ERR_NOT_FOUND);
    assert_int_equal(fs_open(u->fs, in(u, "f"), FILE_CREATE_NEW, &f, NULL), OK);
    assert_int_equal(file_write(f, STR("hello "), NULL), OK);
    assert_int_equal(file_write(f, STR("world"), NULL), OK);
    assert_int_equal(file_write_at(f, 0, STR("J"), NULL), OK);
    assert_int_equal(file_size(f), 11);
    assert_int_equal(file_read_at(f, 0, buf, sizeof buf, &n, NULL), OK);
    assert_int_equal(n, 11);
    assert_memory_equal(buf, "Jello world", 11);
    assert_int_equal(file_read_at(f, 20, buf, sizeof buf, &n, NULL), OK);
    assert_int_equal(n, 0);
    assert_int_equal(file_truncate(f, 5, NULL), OK);
    assert_int_equal(file_write(f, STR("!"), NULL), OK);
    assert_int_equal(file_sync(f, NULL), OK);
    file_close(f);
    assert_int_equal(fs_open(u->fs, in(u, "f"), FILE_CREATE_NEW, &f, NULL), ERR_CONFLICT);
    Buf b = {0};
    assert_int_equal(fs_read_file(u->fs, in(u, "f"), 6, &b, NULL), OK);
    assert_true(str_eq_lit(buf_str(&b), "Jello!"));
    assert_int_equal(fs_read_file(u->fs, in(u, "f"), 5, &b, NULL), ERR_TOO_LARGE);
    assert_int_equal(b.n, 6);
    buf_done(&b);
    FileView v;
    assert_int_equal(u->fs->ops->map(u->fs, in(u, "f"), &v, NULL), OK);
    assert_true(str_eq_lit(v.bytes, "Jello!"));
    u->fs->ops->unmap(u->fs, &v);
    assert_int_equal(fs_open(u->fs, in(u, "f"), FILE_APPEND, &f, NULL), OK);
    assert_int_equal(file_write(f, STR("?"), NULL), OK);
    assert_int_equal(file_size(f), 7);
    file_close(f);
}

static bool count_entry(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    size_t *n = ctx;
    n[is_dir]++;
    n[2] += size_bytes;
    return name.n > 0;
}

static void test_names(void **state) {
    Under *u = *state;
    FsOps const *ops = u->fs->ops;
    assert_int_equal(ops->make_dir(u->fs, in(u, "a/b/c"), NULL), OK);
    assert_int_equal(ops->make_dir(u->fs, in(u, "a/b/c"), NULL), OK);
    assert_int_equal(fs_write_file_atomic(u->fs, in(u, "a/x"), STR("1"), NULL), OK);
    assert_int_equal(fs_write_file_atomic(u->fs, in(u, "a/x"), STR("22"), NULL), OK);
    size_t seen[3] = {0};
    assert_int_equal(ops->list(u->fs, in(u, "a"), count_entry, seen, NULL), OK);
    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[1], 1);
    assert_int_equal(seen[2], 2);
    assert_int_equal(ops->list(u->fs, in(u, "nowhere"), count_entry, seen, NULL), ERR_NOT_FOUND);
    assert_int_equal(ops->rename(u->fs, in(u, "a/x"), in(u, "a/y"), NULL), OK);
    assert_false(ops->exists(u->fs, in(u, "a/x")));
    assert_true(ops->exists(u->fs, in(u, "a/y")));
    assert_int_equal(ops->remove(u->fs, in(u, "a/b"), NULL), ERR_CONFLICT);
    assert_int_equal(ops->remove(u->fs, in(u, "a/x"), NULL), ERR_NOT_FOUND);
    assert_int_equal(ops->sync_dir(u->fs, in(u, "a"), NULL), OK);
    assert_int_equal(fs_remove_tree(u->fs, in(u, "a"), NULL), OK);
    assert_false(ops->exists(u->fs, in(u, "a")));
    FsUsage usage;
    assert_int_equal(ops->usage(u->fs, u->dir, &usage, NULL), OK);
    assert_true(usage.total_bytes >= usage.free_bytes && usage.free_bytes > 0);
}

static void test_lock(void **state) {
    Under *u = *state;
    File *a, *b;
    Err err;
    assert_int_equal(u->fs->ops->lock(u->fs, in(u, "LOCK"), &a, NULL), OK);
    assert_int_equal(u->fs->ops->lock(u->fs, in(u, "LOCK"), &b, &err), ERR_CONFLICT);
    char pid[32];
    snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    assert_non_null(strstr(err.msg, pid));
    file_close(a);
    assert_int_equal(u->fs->ops->lock(u->fs, in(u, "LOCK"), &a, NULL), OK);
    file_close(a);
}

/* --- the double's own promises --- */

static void test_crash_keeps_synced(void **state) {
    (void)state;
    bool lost = false, torn = false, kept = false, undone = false;
    for (uint64_t seed = 0; seed < 200; seed++) {
        Fs *fs = fs_fault_create(seed);
        File *f;
        char data[2048], back[4096];
        size_t n;
        memset(data, 'a', sizeof data);
        assert_int_equal(fs->ops->make_dir(fs, "d", NULL), OK);
        assert_int_equal(fs_open(fs, "d/f", FILE_CREATE_NEW, &f, NULL), OK);
        assert_int_equal(file_write(f, str_of(data, sizeof data), NULL), OK);
        assert_int_equal(file_sync(f, NULL), OK);
        assert_int_equal(fs->ops->sync_dir(fs, "d", NULL), OK);
        memset(data, 'b', sizeof data);
        assert_int_equal(file_write(f, str_of(data, sizeof data), NULL), OK);
        assert_int_equal(fs->ops->rename(fs, "d/f", "d/g", NULL), OK);
        fs_fault_crash(fs);
        assert_int_equal(file_write(f, STR("x"), NULL), ERR_IO);
        file_close(f);
        undone |= fs->ops->exists(fs, "d/f");
        const char *name = fs->ops->exists(fs, "d/f") ? "d/f" : "d/g";
        assert_int_equal(fs_open(fs, name, FILE_READ, &f, NULL), OK);
        assert_int_equal(file_read_at(f, 0, back, sizeof back, &n, NULL), OK);
        assert_true(n >= sizeof data);
        for (size_t i = 0; i < sizeof data; i++) assert_int_equal(back[i], 'a');
        size_t b = 0;
        for (size_t i = sizeof data; i < n; i++) b += back[i] == 'b';
        lost |= b == 0;
        torn |= b > 0 && b < sizeof data;
        kept |= b == sizeof data;
        file_close(f);
        fs_fault_free(fs);
    }
    assert_true(lost && torn && kept && undone);
}

static void test_failed_sync_forgets(void **state) {
    (void)state;
    bool lost = false;
    for (uint64_t seed = 0; seed < 50; seed++) {
        Fs *fs = fs_fault_create(seed);
        File *f;
        Buf b = {0};
        assert_int_equal(fs->ops->make_dir(fs, "d", NULL), OK);
        assert_int_equal(fs_open(fs, "d/f", FILE_CREATE_NEW, &f, NULL), OK);
        assert_int_equal(fs->ops->sync_dir(fs, "d", NULL), OK);
        assert_int_equal(file_write(f, STR("precious"), NULL), OK);
        fs_fault_arm(fs, FAULT_EIO, 1, false);
        assert_int_equal(file_sync(f, NULL), ERR_IO);
        assert_int_equal(file_sync(f, NULL), OK); /* and yet */
        file_close(f);
        fs_fault_crash(fs);
        assert_int_equal(fs_read_file(fs, "d/f", 100, &b, NULL), OK);
        lost |= !str_eq_lit(buf_str(&b), "precious");
        buf_done(&b);
        fs_fault_free(fs);
    }
    assert_true(lost);
}

static void test_faults(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(3);
    File *f;
    assert_int_equal(fs->ops->make_dir(fs, "d", NULL), OK);
    assert_int_equal(fs_open(fs, "d/f", FILE_CREATE_NEW, &f, NULL), OK);
    assert_int_equal(fs_fault_calls(fs), 2);
    fs_fault_arm(fs, FAULT_EIO, 2, false);
    assert_int_equal(file_write(f, STR("1"), NULL), OK);
    assert_int_equal(file_write(f, STR("2"), NULL), ERR_IO);
    assert_int_equal(file_write(f, STR("3"), NULL), OK);
    fs_fault_arm(fs, FAULT_ENOSPC, 1, true);
    assert_int_equal(file_write(f, STR("4"), NULL), ERR_NO_SPACE);
    assert_int_equal(file_sync(f, NULL), ERR_NO_SPACE);
    fs_fault_arm(fs, FAULT_NONE, 0, false);
    assert_int_equal(file_size(f), 2);
    fs_fault_set_capacity(fs, 10);
    assert_int_equal(file_write(f, STR("0123456789"), NULL), ERR_NO_SPACE);
    assert_int_equal(file_size(f), 10); /* what fitted */
    assert_int_equal(file_write_at(f, 0, STR("9876543210"), NULL), OK);
    assert_int_equal(file_truncate(f, 0, NULL), OK);
    assert_int_equal(file_write(f, STR("0123456789"), NULL), OK);
    fs_fault_set_capacity(fs, 0);
    fs_fault_arm(fs, FAULT_SHORT_WRITE, 1, false);
    assert_int_equal(file_write(f, STR("0123456789"), NULL), ERR_IO);
    assert_true(file_size(f) <= 20);
    fs_fault_flip_bit(fs, "d/f", 0);
    char c;
    size_t n;
    assert_int_equal(file_read_at(f, 0, &c, 1, &n, NULL), OK);
    assert_int_equal(c, '0' ^ 1);
    file_close(f);
    fs_fault_free(fs);
}

/* Pipes and devices are read to their end, directories are none. */
static void test_streams(void **state) {
    const Under *u = *state;
    char path[128], missing[128];
    Buf out = {0};
    Err err = {0};
    snprintf(path, sizeof path, "%s/file", u->dir);
    snprintf(missing, sizeof missing, "%s/missing", u->dir);
    assert_int_equal(fs_write_file_atomic(u->fs, path, STR("0123456789"), NULL), OK);
    assert_int_equal(fs_read_stream(path, 10, &out, &err), OK);
    assert_true(str_eq_lit(buf_str(&out), "0123456789"));
    assert_int_equal(fs_read_stream(path, 9, &out, &err), ERR_TOO_LARGE);
    assert_int_equal(out.n, 10); /* as it was */
    assert_int_equal(fs_read_stream(missing, 9, &out, &err), ERR_NOT_FOUND);
    assert_int_equal(fs_read_stream(u->dir, 9, &out, &err), ERR_IO);
    assert_int_equal(fs_read_stream("/dev/null", 9, &out, &err), OK);
    assert_int_equal(out.n, 10);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    buf_clear(&out);
    assert_int_equal(fs_read_stream(path, 3, &out, &err), OK);
    assert_true(str_eq_lit(buf_str(&out), "abc"));
    close(ends[0]);
    buf_done(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_write, setup_real, teardown_real),
        cmocka_unit_test_setup_teardown(test_streams, setup_real, teardown_real),
        cmocka_unit_test_setup_teardown(test_read_write, setup_fault, teardown_fault),
        cmocka_unit_test_setup_teardown(test_names, setup_real, teardown_real),
        cmocka_unit_test_setup_teardown(test_names, setup_fault, teardown_fault),
        cmocka_unit_test_setup_teardown(test_lock, setup_real, teardown_real),
        cmocka_unit_test_setup_teardown(test_lock, setup_fault, teardown_fault),
        cmocka_unit_test(test_crash_keeps_synced),
        cmocka_unit_test(test_failed_sync_forgets),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
