/* wal_scan.c - reading log segments: headers, the chain between them, frames, and what to do about bad ones. */
#include "storage/wal_int.h"

#include "base/cursor.h"
#include "codec/compress.h"
#include "codec/crc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char wal_magic[8] = "MKWAL1\0";

#define WINDOW_BYTES ((size_t)1 << 20)
#define COPY_TRIES 100
/* Looking for the next good frame after a bad one costs a checksum per plausible header: bounded, so that a
 * hostile file cannot make opening quadratic. */
#define RESYNC_BYTES_MAX ((uint64_t)1 << 30)

void wal_segment_name(char out[WAL_NAME_MAX], uint64_t number) {
    snprintf(out, WAL_NAME_MAX, "wal-%016" PRIx64 ".log", number);
}

static bool parse_segment_name(Str name, uint64_t *ret) {
    if (name.n != 24 || !str_starts_with(name, STR("wal-")) || !str_ends_with(name, STR(".log"))) return false;
    uint64_t v = 0;
    for (size_t i = 4; i < 20; i++) {
        char c = name.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
        v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret = v;
    return v > 0 && v <= UINT32_MAX;
}

void wal_header_encode(Buf *out, const WalSegment *seg) {
    size_t start = out->n;
    buf_put(out, wal_magic, sizeof wal_magic);
    buf_put_u32le(out, WAL_VERSION);
    buf_put_u32le(out, seg->flags);
    buf_put_u64le(out, seg->number);
    buf_put_u64le(out, seg->prev_number);
    buf_put_u64le(out, seg->prev_end);
    buf_put_u32le(out, seg->salt);
    buf_put_u32le(out, crc32c(0, out->p + start, out->n - start));
    ASSERT(out->n - start == WAL_HEADER_COPY_BYTES);
}

static bool header_decode(Str copy, WalSegment *seg) {
    Cursor c = cursor_of(copy);
    Str magic = cursor_bytes(&c, sizeof wal_magic);
    uint32_t version = cursor_u32le(&c), flags = cursor_u32le(&c);
    uint64_t number = cursor_u64le(&c), prev = cursor_u64le(&c), prev_end = cursor_u64le(&c);
    uint32_t salt = cursor_u32le(&c), crc = cursor_u32le(&c);
    if (c.bad || !str_eq(magic, str_of(wal_magic, sizeof wal_magic))) return false;
    if (crc != crc32c(0, copy.p, WAL_HEADER_COPY_BYTES - 4)) return false;
    if (version != WAL_VERSION || number != seg->number || prev >= number) return false;
    seg->flags = flags;
    seg->prev_number = prev;
    seg->prev_end = prev_end;
    seg->salt = salt;
    return true;
}

uint32_t wal_frame_crc(uint32_t salt, const void *fields12, Str payload) {
    return crc32c(crc32c(salt, fields12, 12), payload.p, payload.n);
}

static bool collect_segment(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    WalSegmentVec *v = ctx;
    uint64_t number;
    if (!is_dir && parse_segment_name(name, &number))
        vec_push(v, (WalSegment){.number = number, .size_bytes = size_bytes});
    return true;
}

static int cmp_segment(const void *a, const void *b) {
    const WalSegment *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static ErrCode read_header(Fs *fs, const char *dir, WalSegment *seg, Err *reterr) {
    char name[WAL_NAME_MAX], path[FS_PATH_MAX], head[WAL_HEADER_BYTES];
    wal_segment_name(name, seg->number);
    fs_path_join(path, dir, name);
    File *f;
    size_t n = 0;
    ErrCode rc = fs_open(fs, path, FILE_READ, &f, reterr);
    if (rc != OK) return rc;
    rc = file_read_at(f, 0, head, sizeof head, &n, reterr);
    file_close(f);
    if (rc != OK) return rc;
    for (size_t at = 0; at + WAL_HEADER_COPY_BYTES <= n && !seg->header_ok; at += WAL_HEADER_COPY_BYTES)
        seg->header_ok = header_decode(str_of(head + at, WAL_HEADER_COPY_BYTES), seg);
    return OK;
}

static void apply_chain(WalSegmentVec *v) {
    vec_foreach(WalSegment, seg, v) {
        if (!seg->header_ok) continue;
        for (WalSegment *s = v->v; s < seg; s++) {
            if (s->number > seg->prev_number) s->dead = true;
            if (s->number != seg->prev_number) continue;
            s->limited = true;
            s->recovered = seg->flags & WAL_HEADER_FLAG_RECOVERED;
            s->limit = MIN(seg->prev_end, s->size_bytes);
            s->missing_bytes = seg->prev_end - s->limit;
        }
    }
}

ErrCode wal_list_segments(Fs *fs, const char *dir, WalSegmentVec *out, Err *reterr) {
    vec_clear(out);
    ErrCode rc = fs->ops->list(fs, dir, collect_segment, out, reterr);
    if (out->n > 1) qsort(out->v, out->n, sizeof *out->v, cmp_segment);
    vec_foreach(WalSegment, seg, out) {
        seg->limit = seg->size_bytes;
        if (rc == OK) rc = read_header(fs, dir, seg, reterr);
    }
    if (rc == OK) apply_chain(out);
    return rc;
}

/* --- frames --- */

typedef struct Scan {
    File *file;
    const WalSegment *seg;
    Buf window; /* file bytes from window_at */
    uint64_t window_at;
    Buf raw; /* decompressed payload */
    uint64_t resync_left;
    uint64_t data_end; /* of an open segment, once it is known: zeros from here on; 0: not known */
    WalFrameFn fn;
    void *ctx;
    WalScanResult res;
    /* Gaps before frames of the newest sync epoch: torn or corrupt, known only when a later epoch or the end comes. */
    uint64_t gap_count, gap_bytes;
    uint16_t gap_epoch;
} Scan;

typedef struct Header {
    uint32_t stored_bytes, raw_bytes, crc;
    uint8_t type, flags;
    uint16_t epoch;
} Header;

/* A slice of n file bytes at `at`, valid until the next call. */
static ErrCode scan_bytes(Scan *s, uint64_t at, size_t n, Str *ret, Err *reterr) {
    DASSERT(at + n <= s->seg->limit);
    if (at < s->window_at || at + n > s->window_at + s->window.n) {
        size_t want = (size_t)MIN((uint64_t)MAX(n, WINDOW_BYTES), s->seg->limit - at), got = 0;
        buf_clear(&s->window);
        buf_reserve(&s->window, want);
        s->window_at = at;
        ErrCode rc = file_read_at(s->file, at, s->window.p, want, &got, reterr);
        if (rc != OK) return rc;
        s->window.n = got;
        if (got < n) return err_set(reterr, ERR_IO, "log segment shrank while it was read");
    }
    *ret = str_of(s->window.p + (at - s->window_at), n);
    return OK;
}

static bool header_plausible(const Header *h, uint64_t left) {
    if (h->flags & ~WAL_FLAG_ZSTD || h->raw_bytes > WAL_RECORD_HARD_MAX || h->stored_bytes > left) return false;
    return h->flags & WAL_FLAG_ZSTD ? h->stored_bytes < h->raw_bytes : h->stored_bytes == h->raw_bytes;
}

static Header header_parse(Str b) {
    Cursor c = cursor_of(b);
    Header h = {.stored_bytes = cursor_u32le(&c)};
    h.type = cursor_u8(&c);
    h.flags = cursor_u8(&c);
    h.epoch = cursor_u16le(&c);
    h.raw_bytes = cursor_u32le(&c);
    h.crc = cursor_u32le(&c);
    return h;
}

/* Whether a good frame begins at `at`. */
static ErrCode check_frame(Scan *s, uint64_t at, Header *h, bool *ret_good, Err *reterr) {
    *ret_good = false;
    *h = (Header){0};
    if (s->seg->limit - at < WAL_FRAME_BYTES) return OK;
    Str b;
    ErrCode rc = scan_bytes(s, at, WAL_FRAME_BYTES, &b, reterr);
    if (rc != OK) return rc;
    *h = header_parse(b);
    if (!header_plausible(h, s->seg->limit - at - WAL_FRAME_BYTES)) return OK;
    rc = scan_bytes(s, at, WAL_FRAME_BYTES + h->stored_bytes, &b, reterr);
    if (rc == OK) *ret_good = wal_frame_crc(s->seg->salt, b.p, str_skip(b, WAL_FRAME_BYTES)) == h->crc;
    return rc;
}

static ErrCode emit(Scan *s, uint64_t at, const Header *h, bool want_payload, Err *reterr) {
    Str b;
    ErrCode rc = scan_bytes(s, at, WAL_FRAME_BYTES + h->stored_bytes, &b, reterr);
    if (rc != OK) return rc;
    WalFrame f = {.offset = at, .type = h->type, .payload = str_skip(b, WAL_FRAME_BYTES)};
    if (!want_payload) {
        f.payload = STR_NULL;
    } else if (h->flags & WAL_FLAG_ZSTD) {
        buf_clear(&s->raw);
        buf_reserve(&s->raw, h->raw_bytes);
        if (zstd_block_decode(f.payload, s->raw.p, h->raw_bytes) == OK)
            f.payload = str_of(s->raw.p, h->raw_bytes);
        else
            f = (WalFrame){.offset = at, .type = h->type, .problem = "cannot be decompressed"};
    }
    if (f.problem) {
        s->res.corrupt++;
        s->res.problem_offset = MIN(s->res.problem_offset, at);
    } else {
        s->res.frames++;
    }
    if (!s->fn || !want_payload) return OK;
    return s->fn(s->ctx, &f);
}

static ErrCode emit_problem(Scan *s, uint64_t at, const char *problem) {
    s->res.problem_offset = MIN(s->res.problem_offset, at);
    return s->fn ? s->fn(s->ctx, &(WalFrame){.offset = at, .problem = problem}) : OK;
}

/* Where the zeros at the end of bytes [from, to) of the file begin. */
static ErrCode skip_zeros_back(Scan *s, uint64_t from, uint64_t to, uint64_t *ret, Err *reterr) {
    while (to > from) {
        size_t n = (size_t)MIN(to - from, WINDOW_BYTES), got = 0;
        s->window.n = 0;
        buf_reserve(&s->window, n);
        ErrCode rc = file_read_at(s->file, to - n, s->window.p, n, &got, reterr);
        if (rc != OK) return rc;
        for (n = got; n > 0 && s->window.p[n - 1] == 0;) n--;
        to -= got - n;
        if (n > 0 || got == 0) break;
    }
    *ret = to;
    return OK;
}

/* A segment that no later one limits may end in zeros. Of another all that counts had been written. */
static ErrCode find_data_end(Scan *s, Err *reterr) {
    if (s->data_end) return OK;
    s->data_end = s->seg->limit;
    return s->seg->limited ? OK : skip_zeros_back(s, WAL_HEADER_BYTES, s->seg->limit, &s->data_end, reterr);
}

/* The next good frame after a bad place, or the end of the data. */
static ErrCode find_next(Scan *s, uint64_t from, uint64_t *ret_at, Err *reterr) {
    for (uint64_t at = from; at < s->data_end && at + WAL_FRAME_BYTES <= s->seg->limit; at++) {
        Header h;
        bool good;
        ErrCode rc = check_frame(s, at, &h, &good, reterr);
        if (rc != OK) return rc;
        if (good) {
            *ret_at = at;
            return OK;
        }
        uint64_t left = s->seg->limit - at - WAL_FRAME_BYTES;
        uint64_t cost = 1 + (header_plausible(&h, left) ? h.stored_bytes : 0);
        if (cost > s->resync_left) break;
        s->resync_left -= cost;
    }
    *ret_at = MAX(from, s->data_end);
    return OK;
}

static void settle_gaps(Scan *s, bool torn) {
    if (torn)
        s->res.torn_bytes += s->gap_bytes;
    else
        s->res.corrupt += s->gap_count;
    s->gap_count = s->gap_bytes = 0;
}

static ErrCode scan_frames(Scan *s, uint64_t from_offset, Err *reterr) {
    uint64_t at = WAL_HEADER_BYTES;
    while (at < s->seg->limit) {
        Header h;
        bool good;
        ErrCode rc = check_frame(s, at, &h, &good, reterr);
        if (rc != OK) return rc;
        if (!good) {
            uint64_t next;
            rc = find_data_end(s, reterr);
            if (rc != OK || at >= s->data_end) return rc;
            rc = find_next(s, at + 1, &next, reterr);
            if (rc == OK) rc = emit_problem(s, at, next < s->data_end ? "bad checksum" : "bad or torn tail");
            if (rc != OK) return rc;
            s->gap_count++;
            s->gap_bytes += next - at;
            s->gap_epoch = 0;
            at = next;
            if (at >= s->data_end) break;
            rc = check_frame(s, at, &h, &good, reterr);
            if (rc != OK) return rc;
            ASSERT(good);
            s->gap_epoch = h.epoch;
        }
        if (s->gap_count && h.epoch != s->gap_epoch) settle_gaps(s, false);
        rc = emit(s, at, &h, at >= from_offset, reterr);
        if (rc != OK) return rc;
        at += WAL_FRAME_BYTES + h.stored_bytes;
        s->res.end = at;
    }
    return OK;
}

/* What a segment without a good header is. */
static ErrCode scan_headless(Scan *s) {
    const WalSegment *seg = s->seg;
    if (seg->limit > WAL_HEADER_BYTES || seg->missing_bytes) {
        s->res.corrupt++;
        s->res.end = MAX(seg->limit, (uint64_t)WAL_HEADER_BYTES);
        return emit_problem(s, 0, "bad header");
    }
    /* Its creation was cut short: nothing was ever in it. */
    s->res.torn_bytes += seg->limit;
    return seg->limit ? emit_problem(s, 0, "torn header") : OK;
}

/* What stands behind the bytes that count, and what of these is not there. */
static ErrCode scan_end(Scan *s, Err *reterr) {
    const WalSegment *seg = s->seg;
    if (seg->missing_bytes) {
        s->res.corrupt += s->res.corrupt == 0;
        return emit_problem(s, seg->limit, "cut off: the next segment gives a later end");
    }
    uint64_t end = seg->limit;
    if (seg->size_bytes <= seg->limit) return OK;
    ErrCode rc = skip_zeros_back(s, seg->limit, seg->size_bytes, &end, reterr);
    if (rc != OK || end <= seg->limit) return rc;
    s->res.torn_bytes += end - seg->limit;
    return emit_problem(s, seg->limit, "abandoned: behind the end that the next segment gives");
}

static ErrCode scan_body(Scan *s, uint64_t from_offset, Err *reterr) {
    const WalSegment *seg = s->seg;
    bool closed = seg->limited && !seg->recovered; /* everything up to the limit had been acknowledged */
    if (seg->limit < WAL_HEADER_BYTES || !seg->header_ok) return scan_headless(s);
    ErrCode rc = scan_frames(s, from_offset, reterr);
    if (rc != OK) return rc;
    settle_gaps(s, !closed);
    return scan_end(s, reterr);
}

/* At the first place without a good frame: zeros are the end. Else somebody may just be writing there. */
static ErrCode copy_end(Scan *s, uint64_t *ret, Err *reterr) {
    ErrCode rc = OK;
    *ret = 0;
    uint64_t at = WAL_HEADER_BYTES;
    for (unsigned tries = 0; tries < COPY_TRIES && rc == OK && *ret == 0;) {
        static const char zeros[WAL_FRAME_BYTES];
        Header h;
        bool good;
        Str b = STR_NULL;
        rc = check_frame(s, at, &h, &good, reterr);
        if (rc != OK) break;
        if (good) {
            at += WAL_FRAME_BYTES + h.stored_bytes;
            tries = 0;
            continue;
        }
        if (s->seg->limit - at < WAL_FRAME_BYTES) {
            *ret = at;
            break;
        }
        s->window.n = 0; /* look again at what is there now */
        rc = scan_bytes(s, at, WAL_FRAME_BYTES, &b, reterr);
        if (rc == OK && memcmp(b.p, zeros, WAL_FRAME_BYTES) == 0) *ret = at;
        tries++;
    }
    return rc;
}

uint64_t wal_copy_bytes(Fs *fs, const char *dir, Str name) {
    char path[FS_PATH_MAX], file[WAL_NAME_MAX];
    WalSegment seg = {0};
    uint64_t end = 0;
    if (!parse_segment_name(name, &seg.number)) return 0;
    if (read_header(fs, dir, &seg, NULL) != OK || !seg.header_ok) return 0;
    wal_segment_name(file, seg.number);
    fs_path_join(path, dir, file);
    Scan s = {.seg = &seg};
    if (fs_open(fs, path, FILE_READ, &s.file, NULL) != OK) return 0;
    seg.limit = seg.size_bytes = file_size(s.file);
    if (seg.limit < WAL_HEADER_BYTES || copy_end(&s, &end, NULL) != OK) end = 0;
    file_close(s.file);
    buf_done(&s.window);
    return end;
}

ErrCode wal_scan_segment(Fs *fs, const char *dir, const WalSegment *seg, uint64_t from_offset, WalFrameFn fn, void *ctx,
    WalScanResult *ret, Err *reterr) {
    char name[WAL_NAME_MAX], path[FS_PATH_MAX];
    wal_segment_name(name, seg->number);
    fs_path_join(path, dir, name);
    Scan s = {.seg = seg, .fn = fn, .ctx = ctx, .resync_left = RESYNC_BYTES_MAX};
    s.res = (WalScanResult){.end = WAL_HEADER_BYTES, .problem_offset = UINT64_MAX};
    ErrCode rc = fs_open(fs, path, FILE_READ, &s.file, reterr);
    if (rc != OK) return rc;
    rc = scan_body(&s, from_offset, reterr);
    *ret = s.res;
    file_close(s.file);
    buf_done(&s.window);
    buf_done(&s.raw);
    return rc;
}
