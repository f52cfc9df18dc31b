/* checkpoint.c - how far an endpoint is. Two slots of 40 bytes, written in turn: magic u32, CRC-32C u32 of the rest,
 * sequence u64, acked u64, sending u64, shards u64. The newest good slot counts. Not every change is synced: after
 * a power cut some requests are made again, whose samples the receiver knows. */
#include "codec/crc.h"
#include "metrics/remote/remote_int.h"
#include "sys/clock.h"

#define MAGIC 0x31434b4d /* MKC1 */
#define SLOT_BYTES 40
#define SYNC_NS (1000 * INT64_C(1000000))

static void put_slot(Buf *out, uint64_t seq, const Checkpoint *v) {
    Buf rest = {0};
    buf_put_u64le(&rest, seq);
    buf_put_u64le(&rest, v->acked);
    buf_put_u64le(&rest, v->sending);
    buf_put_u64le(&rest, v->shards);
    buf_put_u32le(out, MAGIC);
    buf_put_u32le(out, crc32c(0, rest.p, rest.n));
    buf_put_str(out, buf_str(&rest));
    buf_done(&rest);
}

static void read_slot(Str bytes, CheckpointFile *c, Checkpoint *ret) {
    Cursor s = cursor_of(bytes);
    uint32_t magic = cursor_u32le(&s), crc = cursor_u32le(&s);
    if (s.bad || bytes.n < SLOT_BYTES || magic != MAGIC || crc32c(0, bytes.p + 8, SLOT_BYTES - 8) != crc) return;
    uint64_t seq = cursor_u64le(&s);
    if (seq <= c->seq) return;
    c->seq = seq;
    ret->acked = cursor_u64le(&s);
    ret->sending = cursor_u64le(&s);
    ret->shards = cursor_u64le(&s);
}

ErrCode checkpoint_open(Fs *fs, const char *path, SpoolPos first, CheckpointFile *c, Checkpoint *ret, Err *reterr) {
    Buf bytes = {0};
    *c = (CheckpointFile){0};
    *ret = (Checkpoint){.acked = first};
    ErrCode r = OK;
    if (fs->ops->exists(fs, path)) r = fs_read_file(fs, path, 4096, &bytes, reterr);
    if (r == OK) {
        read_slot(str_slice(buf_str(&bytes), 0, MIN(bytes.n, (size_t)SLOT_BYTES)), c, ret);
        read_slot(str_skip(buf_str(&bytes), MIN(bytes.n, (size_t)SLOT_BYTES)), c, ret);
    }
    if (r == OK && c->seq == 0) {
        buf_clear(&bytes);
        put_slot(&bytes, ++c->seq, ret);
        put_slot(&bytes, c->seq, ret);
        r = fs_write_file_atomic(fs, path, buf_str(&bytes), reterr);
    }
    if (r == OK) r = fs_open(fs, path, FILE_WRITE, &c->file, reterr);
    buf_done(&bytes);
    return r;
}

ErrCode checkpoint_write(CheckpointFile *c, const Checkpoint *value, Err *reterr) {
    Buf slot = {0};
    uint64_t seq = c->seq + 1;
    put_slot(&slot, seq, value);
    ErrCode r = file_write_at(c->file, seq % 2 * SLOT_BYTES, buf_str(&slot), reterr);
    if (r == OK) c->seq = seq;
    int64_t now = clock_mono_ns();
    if (r == OK && now - c->synced_ns > SYNC_NS) {
        r = file_sync(c->file, reterr);
        c->synced_ns = now;
    }
    buf_done(&slot);
    return r;
}

void checkpoint_close(CheckpointFile *c) {
    if (c->file) (void)file_sync(c->file, NULL);
    c->file = file_close(c->file);
}
