#include "metrics/tsdb/twal.h"

#include "codec/compress.h"
#include "codec/crc.h"
#include "metrics/tsdb/bits.h"

#define PAGE_BYTES 32768u
#define FRAGMENT_HEADER 7u
#define RECORD_BYTES_MAX ((size_t)256 << 20)
enum { FRAGMENT_NONE, FRAGMENT_FULL, FRAGMENT_FIRST, FRAGMENT_MIDDLE, FRAGMENT_LAST };
enum { FLAG_SNAPPY = 8, FLAG_ZSTD = 16, TYPE_MASK = 7 };

typedef struct SegmentReader {
    Str file;
    size_t at;
    Buf record; /* fragments gathered so far */
    bool open;  /* a first fragment was seen */
    uint8_t flags;
    Arena *arena;
    TsdbProblems *problems;
} SegmentReader;

static void problem(SegmentReader *r, const char *what) {
    r->open = false;
    if (r->problems) r->problems->records++;
    tsdb_note(r->problems, "write-ahead log: %s at offset %zu of a segment", what, r->at);
}

static size_t page_left(const SegmentReader *r) { return PAGE_BYTES - r->at % PAGE_BYTES; }

static ErrCode decompressed(SegmentReader *r, Str *ret, Err *reterr) {
    *ret = buf_str(&r->record);
    if (!(r->flags & (FLAG_SNAPPY | FLAG_ZSTD))) return OK;
    arena_reset(r->arena);
    return decompress(r->flags & FLAG_ZSTD ? ENCODING_ZSTD : ENCODING_SNAPPY, buf_str(&r->record), RECORD_BYTES_MAX,
        r->arena, ret, reterr);
}

typedef ErrCode (*RecordFn)(void *ctx, Str record, Err *reterr);

static ErrCode record_done(SegmentReader *r, RecordFn fn, void *ctx, Err *reterr) {
    Str record;
    Err err = {0};
    r->open = false;
    if (decompressed(r, &record, &err) != OK) {
        problem(r, err.msg);
        return OK;
    }
    return record.n ? fn(ctx, record, reterr) : OK;
}

/* The fragment's place in its record must fit what came before. */
static bool take(SegmentReader *r, uint8_t type, uint8_t flags, Str data) {
    bool begins = type == FRAGMENT_FULL || type == FRAGMENT_FIRST;
    if (begins == r->open || r->record.n + data.n > RECORD_BYTES_MAX) return false;
    if (begins) {
        buf_clear(&r->record);
        r->flags = flags;
        r->open = true;
    }
    buf_put_str(&r->record, data);
    return true;
}

/* One fragment, or the empty rest of a page. false: the segment ends here. */
static bool step(SegmentReader *r, bool is_last, RecordFn fn, void *ctx, ErrCode *ret_code, Err *reterr) {
    size_t left = page_left(r), in_file = r->file.n - r->at;
    uint8_t head = (uint8_t)r->file.p[r->at], type = head & TYPE_MASK;
    if (left < FRAGMENT_HEADER || type == FRAGMENT_NONE) {
        if (head != 0) problem(r, "unexpected bytes in the padding of a page");
        r->at += MIN(left, in_file);
        return true;
    }
    Cursor c = cursor_of(str_skip(r->file, r->at + 1));
    size_t n = __builtin_bswap16(cursor_u16le(&c));
    uint32_t crc = cursor_u32be(&c);
    if (c.bad || n > cursor_left(&c)) {
        if (!is_last) problem(r, "a fragment that is cut off");
        return false;
    }
    Str data = cursor_bytes(&c, n);
    bool good = type <= FRAGMENT_LAST && n + FRAGMENT_HEADER <= left && crc == crc32c(0, data.p, data.n);
    if (!good || !take(r, type, head, data)) {
        problem(r, good ? "a fragment out of place" : "a bad fragment");
        if (!good)
            r->at += MIN(left, in_file);
        else
            r->at += FRAGMENT_HEADER + n;
        return true;
    }
    r->at += FRAGMENT_HEADER + n;
    if (type == FRAGMENT_FULL || type == FRAGMENT_LAST) *ret_code = record_done(r, fn, ctx, reterr);
    return *ret_code == OK;
}

ErrCode wal_segment_read(Str file, bool is_last, RecordFn fn, void *ctx, TsdbProblems *problems, Err *reterr) {
    SegmentReader r = {.file = file, .problems = problems, .arena = arena_create(ARENA_UNLIMITED)};
    ErrCode code = OK;
    while (r.at < file.n && step(&r, is_last, fn, ctx, &code, reterr)) {
    }
    if (code == OK && r.open && !is_last) problem(&r, "an unfinished record");
    buf_done(&r.record);
    arena_free(r.arena);
    return code;
}

/* --- head chunks: header of 8 bytes, then chunks; zeros after the last one --- */
ErrCode head_chunks_read(Str file, bool (*fn)(void *ctx, const HeadChunk *c), void *ctx, Err *reterr) {
    enum { OUT_OF_ORDER = 0x80, CHUNK_FIXED = 8 + 8 + 8 + 1 };
    Cursor c = cursor_of(file);
    if (cursor_u32be(&c) != TSDB_HEAD_CHUNKS_MAGIC || cursor_u8(&c) != 1)
        return file.n == 0 ? OK : err_set(reterr, ERR_CORRUPT, "no head chunk file");
    (void)cursor_bytes(&c, 3);
    while (!c.bad && cursor_left(&c) > CHUNK_FIXED) {
        const char *start = (const char *)c.p;
        HeadChunk h = {.series = cursor_u64be(&c)};
        h.min_t = (int64_t)cursor_u64be(&c);
        h.max_t = (int64_t)cursor_u64be(&c);
        uint8_t encoding = cursor_u8(&c);
        uint64_t n = cursor_uvarint(&c);
        if (h.series == 0 && h.min_t == 0 && h.max_t == 0 && encoding == 0 && n == 0) return OK; /* preallocated rest */
        if (c.bad || n > cursor_left(&c)) return err_set(reterr, ERR_CORRUPT, "a head chunk is cut off");
        h.data = cursor_bytes(&c, n);
        size_t checked = (size_t)((const char *)c.p - start);
        if (cursor_u32be(&c) != crc32c(0, start, checked) || c.bad)
            return err_set(reterr, ERR_CORRUPT, "checksum of a head chunk at offset %zu", (size_t)(start - file.p));
        h.encoding = encoding & (uint8_t)~OUT_OF_ORDER;
        h.out_of_order = encoding & OUT_OF_ORDER;
        if (!fn(ctx, &h)) return OK;
    }
    return OK;
}
