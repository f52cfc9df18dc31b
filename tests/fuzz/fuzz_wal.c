/* Log segments of any content: opening never fails on them, what it serves once it serves again, and appending goes
 * on behind it. */
#include "storage/wal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ErrCode count(void *ctx, WalPos pos, uint8_t type, Str payload) {
    uint64_t *sum = ctx;
    sum[0]++;
    sum[1] += pos ^ type;
    for (size_t i = 0; i < payload.n; i++) sum[1] = sum[1] * 31 + (uint8_t)payload.p[i];
    return OK;
}

static void ignore(void *ctx, const char *file, uint64_t offset, uint8_t type, Str payload, const char *problem) {
    (void)file, (void)offset, (void)type;
    ASSERT(!problem || payload.n == 0);
    ++*(uint64_t *)ctx;
}

static void put_segment(Fs *fs, const char *path, Str bytes) {
    File *f;
    ASSERT(fs_open(fs, path, FILE_CREATE_NEW, &f, NULL) == OK && file_write(f, bytes, NULL) == OK);
    file_close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    /* The first byte says where a second segment begins, so that the chain between them is tried as well. */
    Str all = str_of((const char *)data + 1, size - 1);
    size_t split = all.n - all.n * data[0] / 512;
    Fs *fs = fs_fault_create(1);
    ASSERT(fs->ops->make_dir(fs, "wal", NULL) == OK);
    put_segment(fs, "wal/wal-0000000000000001.log", str_slice(all, 0, split));
    if (split < all.n) put_segment(fs, "wal/wal-0000000000000002.log", str_skip(all, split));
    uint64_t first[2] = {0}, second[2] = {0}, frames = 0;
    WalReport rep;
    Wal *wal;
    ASSERT(wal_copy_bytes(fs, "wal", STR("wal-0000000000000001.log")) <= split);
    ASSERT(wal_dump(fs, "wal", ignore, &frames, NULL) == OK);
    ASSERT(wal_open(fs, "wal", NULL, 0, count, first, &rep, &wal, NULL) == OK);
    wal_close(wal);
    ASSERT(wal_open(fs, "wal", NULL, 0, count, second, &rep, &wal, NULL) == OK);
    ASSERT(first[0] == second[0] && first[1] == second[1]);
    ASSERT(wal_append(wal, 1, STR("more"), NULL, NULL) == OK && wal_sync(wal, NULL) == OK);
    wal_close(wal);
    second[0] = 0;
    ASSERT(wal_open(fs, "wal", NULL, 0, count, second, &rep, &wal, NULL) == OK && second[0] == first[0] + 1);
    wal_close(wal);
    fs_fault_free(fs);
    return 0;
}
