/* Backups: staging, copying only what is new, damage found at restore, interruptions. */
#include "storage/backup.h"
#include "storage/backup_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct World {
    Fs *fs;
    char root[64], data[128], stage[160], dest[128], back[128];
} World;

static void put(World *w, const char *dir, const char *name, const char *text) {
    char path[FS_PATH_MAX], parent[FS_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    backup_parent(parent, path);
    assert_int_equal(w->fs->ops->make_dir(w->fs, parent, NULL), OK);
    assert_int_equal(fs_write_file_atomic(w->fs, path, str_cstr(text), NULL), OK);
}

static void expect(World *w, const char *dir, const char *name, const char *text) {
    char path[FS_PATH_MAX];
    Buf b = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ErrCode code = fs_read_file(w->fs, path, 1 << 20, &b, NULL);
    assert_int_equal(code, text ? OK : ERR_NOT_FOUND);
    if (text && !str_eq(buf_str(&b), str_cstr(text))) fail_msg("%s holds %s", name, buf_cstr(&b));
    buf_done(&b);
}

#define TAIL "0123456789012345678901234567890123456789012345678901234567890123456789"

static World world_new(void) {
    World w = {.fs = fs_real()};
    snprintf(w.root, sizeof w.root, "/tmp/meerkat-backup-XXXXXX");
    assert_non_null(mkdtemp(w.root));
    snprintf(w.data, sizeof w.data, "%s/data", w.root);
    snprintf(w.stage, sizeof w.stage, "%s/" BACKUP_STAGE_DIR "/x", w.data);
    snprintf(w.dest, sizeof w.dest, "%s/dest", w.root);
    snprintf(w.back, sizeof w.back, "%s/back", w.root);
    put(&w, w.data, "VERSION", "meerkat data 1\n");
    put(&w, w.data, "LOCK", "1");
    put(&w, w.data, "meta.db", "database");
    put(&w, w.data, "meta.db-wal", "of SQLite");
    put(&w, w.data, "crash-1.txt", "report");
    put(&w, w.data, "snapshots/a/meta.json", "{}");
    put(&w, w.data, "metrics/wal/wal-0000000000000001.log", "sealed");
    put(&w, w.data, "metrics/wal/wal-0000000000000002.log", "open");
    put(&w, w.data, "metrics/parts/part-0000000000000001.mkp", "first" TAIL);
    put(&w, w.data, "metrics/parts/MANIFEST", "lists 1");
    put(&w, w.data, "metrics/TOMBSTONES", "none");
    return w;
}

static void world_free(World *w) { assert_int_equal(fs_remove_tree(w->fs, w->root, NULL), OK); }

static ErrCode copy_db(void *ctx, const char *from, const char *to, Err *reterr) {
    (void)ctx;
    (void)from;
    File *f;
    ErrCode code = fs_open(fs_real(), to, FILE_CREATE_NEW, &f, reterr);
    if (code == OK) code = file_write(f, STR("a copy of the database"), reterr);
    if (code == OK) file_close(f);
    return code;
}

static void stage(World *w) { assert_int_equal(backup_stage(w->fs, w->data, w->stage, copy_db, NULL, NULL), OK); }

static BackupResult backup(World *w) {
    BackupJob job = {.fs = w->fs, .from = w->stage, .to = w->dest};
    BackupResult r;
    Err err = {0};
    stage(w);
    if (backup_write(&job, 5, &r, &err) != OK) fail_msg("%s", err.msg);
    assert_int_equal(fs_remove_tree(w->fs, w->stage, NULL), OK);
    return r;
}

static ErrCode restore(World *w, Err *err) {
    BackupJob job = {.fs = w->fs, .from = w->dest, .to = w->back};
    BackupResult r;
    return backup_restore(&job, &r, err);
}

static void test_round_trip(void **state) {
    (void)state;
    World w = world_new();
    stage(&w);
    /* What happens to the directory now is not in the copy. */
    put(&w, w.data, "metrics/parts/MANIFEST", "lists 9");
    put(&w, w.data, "metrics/wal/wal-0000000000000002.log", "open and longer");
    BackupJob job = {.fs = w.fs, .from = w.stage, .to = w.dest};
    BackupResult r;
    assert_int_equal(backup_write(&job, 5, &r, NULL), OK);
    assert_int_equal(r.files, 7);
    Err err = {0};
    if (restore(&w, &err) != OK) fail_msg("%s", err.msg);
    expect(&w, w.back, "VERSION", "meerkat data 1\n");
    expect(&w, w.back, "meta.db", "a copy of the database");
    expect(&w, w.back, "metrics/wal/wal-0000000000000001.log", "sealed");
    expect(&w, w.back, "metrics/wal/wal-0000000000000002.log", "open");
    expect(&w, w.back, "metrics/parts/MANIFEST", "lists 1");
    expect(&w, w.back, "metrics/parts/part-0000000000000001.mkp", "first" TAIL);
    static const char *const absent[] = {
        "LOCK", "meta.db-wal", "crash-1.txt", "snapshots/a/meta.json", BACKUP_STAGE_DIR};
    for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
        char path[FS_PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", w.back, absent[i]);
        assert_false(w.fs->ops->exists(w.fs, path));
    }
    /* Not twice into the same place. */
    assert_int_equal(restore(&w, &err), ERR_CONFLICT);
    assert_int_equal(backup_stage(w.fs, w.data, w.stage, copy_db, NULL, NULL), ERR_CONFLICT);
    world_free(&w);
}

static void test_second_backup_copies_new_parts_only(void **state) {
    (void)state;
    World w = world_new();
    BackupResult first = backup(&w);
    assert_int_equal(first.copied_files, first.files);
    put(&w, w.data, "metrics/parts/part-0000000000000002.mkp", "second" TAIL);
    put(&w, w.data, "metrics/parts/MANIFEST", "lists 1 and 2");
    BackupResult second = backup(&w);
    assert_int_equal(second.files, first.files + 1);
    assert_int_equal(second.copied_files, second.files - 1);
    Err err = {0};
    if (restore(&w, &err) != OK) fail_msg("%s", err.msg);
    expect(&w, w.back, "metrics/parts/MANIFEST", "lists 1 and 2");
    expect(&w, w.back, "metrics/parts/part-0000000000000001.mkp", "first" TAIL);
    expect(&w, w.back, "metrics/parts/part-0000000000000002.mkp", "second" TAIL);
    /* Another directory's part of the same name and size is not taken for the old one. */
    put(&w, w.data, "metrics/parts/part-0000000000000001.mkp", "FIRST" TAIL "");
    put(&w, w.data, "metrics/parts/part-0000000000000002.mkp",
        "second"
        "X123456789012345678901234567890123456789012345678901234567890123456789");
    BackupResult third = backup(&w);
    assert_int_equal(third.files, second.files);
    BackupManifest there;
    char files[FS_PATH_MAX];
    fs_path_join(files, w.dest, "files");
    assert_int_equal(backup_walk(w.fs, files, &there, NULL), OK);
    assert_int_equal(there.files.n, third.files); /* what the manifest does not name is gone */
    manifest_done(&there);
    world_free(&w);
}

static void flip(World *w, const char *path, size_t byte) {
    File *f;
    char c;
    size_t n;
    assert_int_equal(fs_open(w->fs, path, FILE_WRITE, &f, NULL), OK);
    assert_int_equal(file_read_at(f, byte, &c, 1, &n, NULL), OK);
    c ^= 4;
    assert_int_equal(file_write_at(f, byte, str_of(&c, 1), NULL), OK);
    file_close(f);
}

static void test_damage_is_found(void **state) {
    (void)state;
    World w = world_new();
    (void)backup(&w);
    BackupManifest there;
    assert_int_equal(backup_walk(w.fs, w.dest, &there, NULL), OK);
    size_t tried = 0;
    for (size_t i = 0; i < there.files.n; i++) {
        char path[FS_PATH_MAX];
        if (str_eq_lit(there.files.v[i].path, "LOCK") || there.files.v[i].size == 0) continue;
        assert_int_equal(backup_join(path, w.dest, there.files.v[i].path, NULL), OK);
        for (size_t byte = 0; byte < there.files.v[i].size; byte += 37) {
            Err err = {0};
            flip(&w, path, byte);
            if (restore(&w, &err) != ERR_CORRUPT) fail_msg("%s, byte %zu: %s", path, byte, err.msg);
            assert_non_null(strstr(err.msg, w.dest)); /* says which file */
            assert_false(w.fs->ops->exists(w.fs, w.back));
            flip(&w, path, byte);
            tried++;
        }
    }
    assert_true(tried > 10);
    manifest_done(&there);
    assert_int_equal(restore(&w, NULL), OK);
    world_free(&w);
}

static void stop_in_the_middle(void *ctx, const char *file, uint64_t done, uint64_t total) {
    (void)file;
    (void)total;
    if (done > 60) *(_Atomic bool *)ctx = true;
}

static void test_interrupted(void **state) {
    (void)state;
    World w = world_new();
    (void)backup(&w);
    put(&w, w.data, "metrics/TOMBSTONES", "some more than before, so that something is copied" TAIL TAIL TAIL);
    stage(&w);
    _Atomic bool cancel = false;
    BackupJob job = {.fs = w.fs, .from = w.stage, .to = w.dest, .cancel = &cancel, .progress = stop_in_the_middle};
    job.ctx = &cancel;
    BackupResult r;
    assert_int_equal(backup_write(&job, 6, &r, NULL), ERR_CANCELLED);
    assert_int_equal(restore(&w, NULL), OK); /* the one before */
    expect(&w, w.back, "metrics/TOMBSTONES", "none");
    assert_int_equal(fs_remove_tree(w.fs, w.back, NULL), OK);
    job.cancel = NULL;
    assert_int_equal(backup_write(&job, 7, &r, NULL), OK);
    BackupJob stopped = {.fs = w.fs, .from = w.dest, .to = w.back, .cancel = &cancel};
    assert_int_equal(backup_restore(&stopped, &r, NULL), ERR_CANCELLED);
    assert_false(w.fs->ops->exists(w.fs, w.back));
    /* What an interrupted restore left does not stand in the way. */
    char left[FS_PATH_MAX];
    snprintf(left, sizeof left, "%s.restoring", w.back);
    put(&w, left, "half", "a file");
    assert_int_equal(restore(&w, NULL), OK);
    expect(&w, w.back, "half", NULL);
    world_free(&w);
}

static void test_refusals(void **state) {
    (void)state;
    World w = world_new();
    put(&w, w.dest, "something.txt", "of somebody else");
    stage(&w);
    BackupJob job = {.fs = w.fs, .from = w.stage, .to = w.dest};
    BackupResult r;
    Err err = {0};
    assert_int_equal(backup_write(&job, 1, &r, &err), ERR_CONFLICT);
    assert_true(err.hint[0]);
    assert_int_equal(restore(&w, &err), ERR_NOT_FOUND);
    /* Paths that lead elsewhere. */
    static const char *const bad[] = {"../x", "/etc/passwd", "a//b", "a/./b", "", "a/.."};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        BackupManifest m = {0}, back;
        vec_push(&m.files, (BackupFile){.path = str_cstr(bad[i]), .stored = STR("files/x")});
        assert_int_equal(backup_manifest_write(w.fs, w.dest, &m, NULL), OK);
        assert_int_equal(backup_manifest_read(w.fs, w.dest, &back, NULL), ERR_CORRUPT);
        vec_done(&m.files);
    }
    world_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_second_backup_copies_new_parts_only),
        cmocka_unit_test(test_damage_is_found),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
