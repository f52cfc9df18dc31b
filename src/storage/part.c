/* part.c - reading a part: map it, check the trailer, verify blocks on first use. */
#include "storage/part_int.h"

#include "codec/compress.h"
#include "codec/crc.h"

#include <inttypes.h>
#include <stdatomic.h>

/* Which blocks have been verified is remembered in a small direct-mapped table of their hashes: a collision or a
 * lost race only means that a checksum is computed once more. */
#define VERIFIED_MIN 64
#define VERIFIED_MAX 65536
#define VERIFIED_PER_BYTES 16384

struct Part {
    Fs *fs;
    char *path;
    FileView view;
    Str footer;
    uint64_t blocks_end;
    uint32_t body_crc;
    size_t verified_mask;
    _Atomic uint64_t *verified;
    _Atomic uint64_t corrupt;
};

void block_ref_encode(Buf *out, const BlockRef *ref) {
    buf_put_uvarint(out, ref->offset);
    buf_put_uvarint(out, ref->stored_bytes);
    buf_put_uvarint(out, ref->raw_bytes);
    buf_put_u32le(out, ref->crc);
    buf_put_char(out, (char)ref->codec);
}

bool block_ref_decode(Cursor *c, BlockRef *ret) {
    uint64_t offset = cursor_uvarint(c), stored = cursor_uvarint(c), raw = cursor_uvarint(c);
    uint32_t crc = cursor_u32le(c);
    uint8_t codec = cursor_u8(c);
    if (c->bad || stored > UINT32_MAX || raw > PART_BLOCK_BYTES_MAX || codec > PART_CODEC_ZSTD) return false;
    if (codec == PART_CODEC_RAW && stored != raw) return false;
    *ret = (BlockRef){offset, (uint32_t)stored, (uint32_t)raw, crc, codec};
    return true;
}

static ErrCode parse_trailer(Part *p, Err *reterr) {
    Str all = p->view.bytes;
    if (all.n < PART_MAGIC_BYTES + PART_TRAILER_BYTES || memcmp(all.p, part_magic, PART_MAGIC_BYTES) != 0)
        return err_set(reterr, ERR_CORRUPT, "%s: not a part file", p->path);
    uint64_t trailer_at = all.n - PART_TRAILER_BYTES;
    Str trailer = str_skip(all, trailer_at);
    Cursor c = cursor_of(trailer);
    uint64_t offset = cursor_u64le(&c);
    uint32_t length = cursor_u32le(&c), body_crc = cursor_u32le(&c), crc = cursor_u32le(&c), version = cursor_u32le(&c);
    Str magic = cursor_bytes(&c, PART_MAGIC_BYTES);
    if (c.bad || !str_eq(magic, str_of(part_magic, PART_MAGIC_BYTES)))
        return err_set(reterr, ERR_CORRUPT, "%s: no trailer at offset %" PRIu64 ": the file is cut short or damaged",
            p->path, trailer_at);
    if (offset < PART_MAGIC_BYTES || offset > trailer_at || trailer_at - offset != length)
        return err_set(
            reterr, ERR_CORRUPT, "%s: bad footer place in the trailer at offset %" PRIu64, p->path, trailer_at);
    p->footer = str_of(all.p + offset, length);
    p->blocks_end = offset;
    p->body_crc = body_crc;
    if (part_footer_crc(p->footer, offset, body_crc, version) != crc)
        return err_set(reterr, ERR_CORRUPT, "%s: bad checksum of the footer at offset %" PRIu64, p->path, offset);
    if (version != PART_VERSION)
        return err_set(reterr, ERR_UNSUPPORTED,
            "%s: part format version %" PRIu32 " is newer than this program knows (%d)", p->path, version,
            PART_VERSION);
    return OK;
}

ErrCode part_open(Fs *fs, const char *path, Part **ret, Err *reterr) {
    FileView view;
    ErrCode rc = fs->ops->map(fs, path, &view, reterr);
    if (rc != OK) return rc;
    Part *p = NEW(Part);
    p->fs = fs;
    p->path = str_dup_cstr(str_cstr(path));
    p->view = view;
    rc = parse_trailer(p, reterr);
    if (rc != OK) {
        part_close(p);
        return rc;
    }
    size_t slots = VERIFIED_MIN;
    while (slots < VERIFIED_MAX && slots < p->blocks_end / VERIFIED_PER_BYTES) slots *= 2;
    p->verified = mem_alloc_zero(slots * sizeof *p->verified);
    p->verified_mask = slots - 1;
    *ret = p;
    return OK;
}

Part *part_close(Part *p) {
    if (!p) return NULL;
    p->fs->ops->unmap(p->fs, &p->view);
    mem_free((void *)(uintptr_t)p->verified);
    mem_free(p->path);
    mem_free(p);
    return NULL;
}

Str part_footer(const Part *p) { return p->footer; }
uint64_t part_size_bytes(const Part *p) { return p->view.bytes.n; }
const char *part_path(const Part *p) { return p->path; }
uint64_t part_corrupt_count(const Part *p) { return atomic_load_explicit(&p->corrupt, memory_order_relaxed); }

void part_unload(const Part *p) { p->fs->ops->unload(p->fs, &p->view); }

ErrCode part_verify(const Part *p, Err *reterr) {
    if (crc32c(0, p->view.bytes.p, p->blocks_end) == p->body_crc) return OK;
    return err_set(reterr, ERR_CORRUPT, "%s: bad checksum of the blocks: some of it is damaged", p->path);
}

static ErrCode corrupt(const Part *p, const BlockRef *ref, const char *what, Err *reterr) {
    /* Counting is not a change of the part in any sense its readers care about. */
    Part *counted = (Part *)(uintptr_t)p;
    atomic_fetch_add_explicit(&counted->corrupt, 1, memory_order_relaxed);
    return err_set(reterr, ERR_CORRUPT, "%s: %s of the block at offset %" PRIu64, p->path, what, ref->offset);
}

/* Whole identity of the block, so that a wrong reference to a verified place is not taken for verified. */
static uint64_t block_mark(const BlockRef *ref) {
    uint64_t h = (ref->offset + 1) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= ((uint64_t)ref->stored_bytes << 32 | ref->crc) * UINT64_C(0xc2b2ae3d27d4eb4f);
    h ^= h >> 29;
    return h | 1; /* never an empty slot */
}

static bool block_verify(const Part *p, const BlockRef *ref, Str stored) {
    uint64_t mark = block_mark(ref);
    _Atomic uint64_t *slot = &p->verified[(ref->offset >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 40 & p->verified_mask];
    if (atomic_load_explicit(slot, memory_order_relaxed) == mark) return true;
    if (crc32c(0, stored.p, stored.n) != ref->crc) return false;
    atomic_store_explicit(slot, mark, memory_order_relaxed);
    return true;
}

ErrCode part_block(const Part *p, const BlockRef *ref, Arena *arena, Str *ret, Err *reterr) {
    if (ref->offset < PART_MAGIC_BYTES || ref->offset > p->blocks_end ||
        p->blocks_end - ref->offset < ref->stored_bytes)
        return corrupt(p, ref, "place outside the file", reterr);
    Str stored = str_of(p->view.bytes.p + ref->offset, ref->stored_bytes);
    if (!block_verify(p, ref, stored)) return corrupt(p, ref, "bad checksum", reterr);
    if (ref->codec == PART_CODEC_RAW) {
        if (ref->raw_bytes != ref->stored_bytes) return corrupt(p, ref, "bad length", reterr);
        *ret = stored;
        return OK;
    }
    char *raw = arena_alloc(arena, ref->raw_bytes);
    if (!raw)
        return err_set(reterr, ERR_TOO_LARGE,
            "the memory budget of the request does not allow another block of %" PRIu32 " bytes", ref->raw_bytes);
    if (ref->codec != PART_CODEC_ZSTD || zstd_block_decode(stored, raw, ref->raw_bytes) != OK)
        return corrupt(p, ref, "bad compressed bytes", reterr);
    *ret = str_of(raw, ref->raw_bytes);
    return OK;
}
