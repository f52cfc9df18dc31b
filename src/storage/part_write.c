/* part_write.c - writing a part: blocks through a buffer, then footer and trailer. */
#include "storage/part_int.h"

#include "codec/compress.h"
#include "codec/crc.h"

#include <stdio.h>

#define WRITE_BUFFER_BYTES ((size_t)1 << 20)

const char part_magic[PART_MAGIC_BYTES] = "MKPART1";

struct PartWriter {
    Fs *fs;
    char *path;
    File *file;
    Buf buf; /* not yet in the file */
    uint64_t flushed;
    uint32_t body_crc; /* of what has been flushed: everything before the footer */
    Buf compressed;    /* scratch */
    bool finished, failed;
};

uint32_t part_footer_crc(Str footer, uint64_t offset, uint32_t body_crc, uint32_t version) {
    Buf b = {0};
    buf_put_u64le(&b, offset);
    buf_put_u32le(&b, (uint32_t)footer.n);
    buf_put_u32le(&b, body_crc);
    buf_put_u32le(&b, version);
    uint32_t crc = crc32c(crc32c(0, footer.p, footer.n), b.p, b.n);
    buf_done(&b);
    return crc;
}

ErrCode part_writer_create(Fs *fs, const char *path, PartWriter **ret, Err *reterr) {
    File *file;
    ErrCode rc = fs_open(fs, path, FILE_CREATE_NEW, &file, reterr);
    if (rc != OK) return rc;
    PartWriter *w = NEW(PartWriter);
    w->fs = fs;
    w->path = str_dup_cstr(str_cstr(path));
    w->file = file;
    buf_put(&w->buf, part_magic, PART_MAGIC_BYTES);
    *ret = w;
    return OK;
}

static ErrCode write_out(PartWriter *w, Str bytes, Err *reterr) {
    if (bytes.n == 0) return OK;
    ErrCode rc = file_write(w->file, bytes, reterr);
    if (rc != OK) {
        w->failed = true; /* what follows would stand at wrong offsets */
        return rc;
    }
    w->body_crc = crc32c(w->body_crc, bytes.p, bytes.n);
    w->flushed += bytes.n;
    return OK;
}

static ErrCode flush(PartWriter *w, Err *reterr) {
    ErrCode rc = write_out(w, buf_str(&w->buf), reterr);
    if (rc == OK) buf_clear(&w->buf);
    return rc;
}

static ErrCode put(PartWriter *w, Str bytes, Err *reterr) {
    if (bytes.n >= WRITE_BUFFER_BYTES) { /* an index of many series: not once more in memory */
        ErrCode rc = flush(w, reterr);
        return rc == OK ? write_out(w, bytes, reterr) : rc;
    }
    buf_put_str(&w->buf, bytes);
    return w->buf.n >= WRITE_BUFFER_BYTES ? flush(w, reterr) : OK;
}

ErrCode part_writer_block(PartWriter *w, Str raw, int level, BlockRef *ret, Err *reterr) {
    ASSERT(!w->finished);
    if (w->failed) return err_set(reterr, ERR_IO, "%s: an earlier write failed", w->path);
    if (raw.n > PART_BLOCK_BYTES_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "%s: a block of %zu bytes is over the limit", w->path, raw.n);
    static const char zero[8];
    uint64_t at = w->flushed + w->buf.n;
    buf_put(&w->buf, zero, (size_t)(-at & 7));
    Str stored = raw;
    uint8_t codec = PART_CODEC_RAW;
    if (level > 0 && raw.n > 0) {
        buf_clear(&w->compressed);
        zstd_block_encode(raw, level, &w->compressed);
        if (w->compressed.n <= raw.n - (raw.n + 15) / 16) {
            stored = buf_str(&w->compressed);
            codec = PART_CODEC_ZSTD;
        }
    }
    *ret = (BlockRef){
        .offset = w->flushed + w->buf.n,
        .stored_bytes = (uint32_t)stored.n,
        .raw_bytes = (uint32_t)raw.n,
        .crc = crc32c(0, stored.p, stored.n),
        .codec = codec,
    };
    return put(w, stored, reterr);
}

ErrCode part_writer_finish(PartWriter *w, Str footer, uint64_t *ret_size_bytes, Err *reterr) {
    ASSERT(!w->finished);
    if (w->failed) return err_set(reterr, ERR_IO, "%s: an earlier write failed", w->path);
    if (footer.n > PART_BLOCK_BYTES_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "%s: a footer of %zu bytes is over the limit", w->path, footer.n);
    static const char zero[8];
    buf_put(&w->buf, zero, (size_t)(-(w->flushed + w->buf.n) & 7));
    uint64_t offset = w->flushed + w->buf.n;
    ErrCode rc = flush(w, reterr); /* so that body_crc is whole */
    if (rc != OK) return rc;
    uint32_t body_crc = w->body_crc;
    rc = put(w, footer, reterr);
    if (rc != OK) return rc;
    buf_put_u64le(&w->buf, offset);
    buf_put_u32le(&w->buf, (uint32_t)footer.n);
    buf_put_u32le(&w->buf, body_crc);
    buf_put_u32le(&w->buf, part_footer_crc(footer, offset, body_crc, PART_VERSION));
    buf_put_u32le(&w->buf, PART_VERSION);
    buf_put(&w->buf, part_magic, PART_MAGIC_BYTES);
    rc = flush(w, reterr);
    if (rc == OK) rc = file_sync(w->file, reterr);
    if (rc != OK) {
        w->failed = true;
        return rc;
    }
    w->file = file_close(w->file);
    w->finished = true;
    if (ret_size_bytes) *ret_size_bytes = w->flushed;
    return OK;
}

PartWriter *part_writer_free(PartWriter *w) {
    if (!w) return NULL;
    file_close(w->file);
    if (!w->finished) (void)w->fs->ops->remove(w->fs, w->path, NULL);
    buf_done(&w->buf);
    buf_done(&w->compressed);
    mem_free(w->path);
    mem_free(w);
    return NULL;
}
