/* Part files of any content, and any footer under a trailer that holds: errors, never a crash; blocks never reach
 * outside the file. */
#include "codec/crc.h"
#include "storage/part_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(Fs *fs, Str file) {
    File *f;
    Part *part;
    ASSERT(fs_open(fs, "p", FILE_CREATE_NEW, &f, NULL) == OK && file_write(f, file, NULL) == OK);
    file_close(f);
    ErrCode rc = part_open(fs, "p", &part, NULL);
    ASSERT(rc == OK || rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED);
    if (rc == OK) {
        Arena *arena = arena_create(1 << 20);
        Cursor c = cursor_of(part_footer(part));
        BlockRef ref;
        Str raw;
        while (cursor_left(&c) && block_ref_decode(&c, &ref)) {
            rc = part_block(part, &ref, arena, &raw, NULL);
            ASSERT(rc == OK || rc == ERR_CORRUPT || rc == ERR_TOO_LARGE);
            ASSERT(rc != OK || raw.n == ref.raw_bytes);
        }
        arena_free(arena);
        part_close(part);
    }
    ASSERT(fs->ops->remove(fs, "p", NULL) == OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Fs *fs = fs_fault_create(1);
    Str all = str_of((const char *)data, size);
    walk(fs, all);
    if (size > 0) {
        /* The first byte: how much of the rest is blocks, the remainder is footer. */
        Str rest = str_skip(all, 1);
        size_t blocks = rest.n * data[0] / 256;
        Str footer = str_skip(rest, blocks);
        Buf b = {0};
        buf_put(&b, part_magic, PART_MAGIC_BYTES);
        buf_put_str(&b, str_slice(rest, 0, blocks));
        uint64_t offset = b.n;
        buf_put_str(&b, footer);
        buf_put_u64le(&b, offset);
        buf_put_u32le(&b, (uint32_t)footer.n);
        uint32_t body_crc = size % 2 ? crc32c(0, b.p, offset) : 0; /* right or wrong */
        buf_put_u32le(&b, body_crc);
        buf_put_u32le(&b, part_footer_crc(footer, offset, body_crc, PART_VERSION));
        buf_put_u32le(&b, PART_VERSION);
        buf_put(&b, part_magic, PART_MAGIC_BYTES);
        walk(fs, buf_str(&b));
        buf_done(&b);
    }
    fs_fault_free(fs);
    return 0;
}
