#include "metrics/remote/spool.h"

#include "base/log.h"
#include "base/vec.h"
#include "codec/crc.h"
#include "sys/thread.h"

#include <stdio.h>
#include <stdlib.h>

#define SEGMENT_BYTES (32u << 20)
#define PENDING_BYTES (64u << 20)
static const char magic[8] = "MKRQ0001";

typedef struct Segment {
    uint64_t number, end; /* bytes that count, header included */
} Segment;

/* Appends that are written together. */
typedef struct Batch {
    Buf frames;
    unsigned refs;
    bool done;
    Err err;
} Batch;

struct Spool {
    Fs *fs;
    char dir[FS_PATH_MAX];
    SpoolOptions opts;
    Mutex mutex; /* all that follows */
    Cond written, changed;
    VEC(Segment) segments; /* ascending; the last one may be open */
    File *file;            /* of the last segment; NULL: the next append begins a new one. Used by the writing thread */
    uint64_t next_number;
    Batch *waiting;
    bool writing;
    uint64_t wakes;
};

static SpoolPos pos_of(uint64_t number, uint64_t offset) { return number << 32 | offset; }

static void path_of(const Spool *s, uint64_t number, char out[FS_PATH_MAX]) {
    char name[40];
    snprintf(name, sizeof name, "%016llx.queue", (unsigned long long)number);
    fs_path_join(out, s->dir, name);
}

/* --- opening --- */

static bool note_segment(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    Spool *s = ctx;
    char text[17];
    if (is_dir || name.n != 22 || !str_ends_with(name, STR(".queue"))) return true;
    memcpy(text, name.p, 16);
    text[16] = 0;
    char *end;
    uint64_t number = strtoull(text, &end, 16);
    if (*end || number == 0 || number >> 32) return true;
    vec_push(&s->segments, (Segment){number, MAX(size_bytes, (uint64_t)SPOOL_HEADER_BYTES)});
    return true;
}

static int by_number(const void *a, const void *b) {
    uint64_t x = ((const Segment *)a)->number, y = ((const Segment *)b)->number;
    return (x > y) - (x < y);
}

ErrCode spool_open(Fs *fs, const char *dir, const SpoolOptions *opts, SpoolPos min, Spool **ret, Err *reterr) {
    Spool *s = NEW(Spool);
    *ret = NULL;
    s->fs = fs;
    s->opts = *opts;
    if (s->opts.segment_bytes == 0) s->opts.segment_bytes = SEGMENT_BYTES;
    if (s->opts.pending_bytes_max == 0) s->opts.pending_bytes_max = PENDING_BYTES;
    snprintf(s->dir, sizeof s->dir, "%s", dir);
    mutex_init(&s->mutex);
    cond_init(&s->written);
    cond_init(&s->changed);
    ErrCode r = fs->ops->make_dir(fs, dir, reterr);
    if (r == OK) r = fs->ops->list(fs, dir, note_segment, s, reterr);
    if (r != OK) {
        spool_close(s);
        return r;
    }
    if (s->segments.n > 1) qsort(s->segments.v, s->segments.n, sizeof *s->segments.v, by_number);
    s->next_number = s->segments.n ? vec_last(&s->segments)->number + 1 : 1;
    s->next_number = MAX(s->next_number, (min >> 32) + 1);
    *ret = s;
    return OK;
}

static void batch_unref(Batch *b) {
    if (--b->refs > 0) return;
    buf_done(&b->frames);
    mem_free(b);
}

Spool *spool_close(Spool *s) {
    if (!s) return NULL;
    ASSERT(!s->writing && !s->waiting);
    file_close(s->file);
    vec_done(&s->segments);
    cond_done(&s->written);
    cond_done(&s->changed);
    mutex_done(&s->mutex);
    mem_free(s);
    return NULL;
}

/* --- appending --- */

static ErrCode begin_segment(Spool *s, uint64_t number, Err *reterr) {
    char path[FS_PATH_MAX];
    Buf header = {0};
    path_of(s, number, path);
    ErrCode r = fs_open(s->fs, path, FILE_CREATE_NEW, &s->file, reterr);
    buf_put(&header, magic, sizeof magic);
    buf_put_u64le(&header, number);
    if (r == OK) r = file_write(s->file, buf_str(&header), reterr);
    if (r == OK && s->opts.durable) r = s->fs->ops->sync_dir(s->fs, s->dir, reterr);
    buf_done(&header);
    if (r != OK && s->file) {
        s->file = file_close(s->file);
        (void)s->fs->ops->remove(s->fs, path, NULL);
    }
    return r;
}

/* On the writing thread, without the mutex. What fails is cut off again, or its segment is left behind. */
static ErrCode write_frames(Spool *s, Str frames, uint64_t number, uint64_t at, Err *reterr) {
    if (!s->file) {
        ErrCode r = begin_segment(s, number, reterr);
        if (r != OK) return r;
    }
    ErrCode r = file_write(s->file, frames, reterr);
    if (r == OK && s->opts.durable) r = file_sync(s->file, reterr);
    if (r != OK) {
        (void)file_truncate(s->file, at, NULL);
        s->file = file_close(s->file);
    }
    return r;
}

/* Mutex held on entry and return; between them everything that waits is written. */
static void write_waiting(Spool *s) {
    Batch *b = s->waiting;
    s->waiting = NULL;
    s->writing = true;
    bool fresh = !s->file;
    uint64_t number = fresh ? s->next_number++ : vec_last(&s->segments)->number;
    uint64_t at = fresh ? SPOOL_HEADER_BYTES : vec_last(&s->segments)->end;
    mutex_unlock(&s->mutex);
    ErrCode r = write_frames(s, buf_str(&b->frames), number, at, &b->err);
    mutex_lock(&s->mutex);
    if (r == OK) {
        if (fresh) vec_push(&s->segments, (Segment){number, at});
        vec_last(&s->segments)->end = at + b->frames.n;
        if (at + b->frames.n >= s->opts.segment_bytes) s->file = file_close(s->file);
        cond_broadcast(&s->changed);
    }
    b->err.code = r;
    b->done = true;
    s->writing = false;
    cond_broadcast(&s->written);
}

static void put_frame(Buf *out, Str payload) {
    uint8_t length[4] = {
        (uint8_t)payload.n, (uint8_t)(payload.n >> 8), (uint8_t)(payload.n >> 16), (uint8_t)(payload.n >> 24)};
    uint32_t crc = crc32c(crc32c(0, length, sizeof length), payload.p, payload.n);
    buf_put(out, length, sizeof length);
    buf_put_u32le(out, crc);
    buf_put_str(out, payload);
}

ErrCode spool_append(Spool *s, Str payload, Err *reterr) {
    if (payload.n > SPOOL_RECORD_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "record of %zu bytes is too large", payload.n);
    mutex_lock(&s->mutex);
    if (s->waiting && s->waiting->frames.n > s->opts.pending_bytes_max) {
        mutex_unlock(&s->mutex);
        return err_set(reterr, ERR_OVERLOADED, "the disk is too slow for the queue of remote write");
    }
    if (!s->waiting) s->waiting = NEW(Batch);
    Batch *b = s->waiting;
    b->refs++;
    put_frame(&b->frames, payload);
    while (!b->done) {
        if (s->writing)
            cond_wait(&s->written, &s->mutex);
        else
            write_waiting(s);
    }
    ErrCode r = b->err.code;
    if (r != OK && reterr) *reterr = b->err;
    batch_unref(b);
    mutex_unlock(&s->mutex);
    return r;
}

/* --- positions --- */

static SpoolPos end_of(const Spool *s) {
    return s->segments.n ? pos_of(vec_last(&s->segments)->number, vec_last(&s->segments)->end)
                         : pos_of(s->next_number - 1, SPOOL_HEADER_BYTES);
}

SpoolPos spool_end(Spool *s) {
    mutex_lock(&s->mutex);
    SpoolPos end = end_of(s);
    mutex_unlock(&s->mutex);
    return end;
}

SpoolPos spool_first(Spool *s) {
    mutex_lock(&s->mutex);
    SpoolPos first = s->segments.n ? pos_of(s->segments.v[0].number, SPOOL_HEADER_BYTES) : end_of(s);
    mutex_unlock(&s->mutex);
    return first;
}

static uint64_t bytes_from(const Spool *s, SpoolPos pos) {
    uint64_t sum = 0;
    for (size_t i = 0; i < s->segments.n; i++) {
        const Segment *g = &s->segments.v[i];
        uint64_t from = g->number > pos >> 32 ? SPOOL_HEADER_BYTES : g->number == pos >> 32 ? (uint32_t)pos : g->end;
        if (from < g->end) sum += g->end - from;
    }
    return sum;
}

uint64_t spool_bytes_from(Spool *s, SpoolPos pos) {
    mutex_lock(&s->mutex);
    uint64_t n = bytes_from(s, pos);
    mutex_unlock(&s->mutex);
    return n;
}

SpoolPos spool_within(Spool *s, uint64_t max_bytes) {
    mutex_lock(&s->mutex);
    SpoolPos at = end_of(s);
    uint64_t sum = 0;
    for (size_t i = s->segments.n; i-- > 0;) {
        sum += s->segments.v[i].end - SPOOL_HEADER_BYTES;
        if (sum > max_bytes) break;
        at = pos_of(s->segments.v[i].number, SPOOL_HEADER_BYTES);
    }
    mutex_unlock(&s->mutex);
    return at;
}

/* The last segment stays: positions go on from it. Files are removed without the mutex. */
void spool_trim(Spool *s, SpoolPos pos) {
    VEC(uint64_t) gone = {0};
    mutex_lock(&s->mutex);
    size_t n = 0;
    while (n + 1 < s->segments.n && s->segments.v[n].number < pos >> 32) vec_push(&gone, s->segments.v[n++].number);
    s->segments.n -= n;
    if (n) memmove(s->segments.v, s->segments.v + n, s->segments.n * sizeof *s->segments.v);
    mutex_unlock(&s->mutex);
    for (size_t i = 0; i < gone.n; i++) {
        char path[FS_PATH_MAX];
        path_of(s, gone.v[i], path);
        (void)s->fs->ops->remove(s->fs, path, NULL);
    }
    vec_done(&gone);
}

void spool_wait(Spool *s, SpoolPos pos, int64_t timeout_ms) {
    mutex_lock(&s->mutex);
    uint64_t wakes = s->wakes;
    while (bytes_from(s, pos) == 0 && s->wakes == wakes)
        if (!cond_wait_ms(&s->changed, &s->mutex, timeout_ms)) break;
    mutex_unlock(&s->mutex);
}

void spool_wake(Spool *s) {
    mutex_lock(&s->mutex);
    s->wakes++;
    cond_broadcast(&s->changed);
    mutex_unlock(&s->mutex);
}

/* --- reading --- */

SpoolReader spool_reader(Spool *s, SpoolPos pos) { return (SpoolReader){.spool = s, .pos = pos}; }

void spool_reader_done(SpoolReader *r) { r->file = file_close(r->file); }

/* The segment of the position, or the first one after it; false: there is nothing to read. */
static bool find_segment(SpoolReader *r, Segment *ret) {
    Spool *s = r->spool;
    bool found = false;
    mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->segments.n && !found; i++) {
        Segment *g = &s->segments.v[i];
        uint64_t number = r->pos >> 32;
        if (g->number < number || (g->number == number && (uint32_t)r->pos >= g->end)) continue;
        if (g->number > number || (uint32_t)r->pos < SPOOL_HEADER_BYTES) r->pos = pos_of(g->number, SPOOL_HEADER_BYTES);
        found = r->pos >> 32 == g->number && (uint32_t)r->pos < g->end;
        *ret = *g;
    }
    mutex_unlock(&s->mutex);
    return found;
}

size_t spool_frame(Str bytes, Str *ret_payload) {
    Cursor c = cursor_of(bytes);
    uint32_t n = cursor_u32le(&c), crc = cursor_u32le(&c);
    Str payload = cursor_bytes(&c, n);
    if (c.bad || n > SPOOL_RECORD_MAX) return 0;
    if (crc32c(crc32c(0, bytes.p, 4), payload.p, payload.n) != crc) return 0;
    *ret_payload = payload;
    return SPOOL_FRAME_BYTES + payload.n;
}

static ErrCode open_segment(SpoolReader *r, uint64_t number, Err *reterr) {
    char path[FS_PATH_MAX];
    if (r->file && r->number == number) return OK;
    r->file = file_close(r->file);
    path_of(r->spool, number, path);
    r->number = number;
    return fs_open(r->spool->fs, path, FILE_READ, &r->file, reterr);
}

static ErrCode read_frame(SpoolReader *r, const Segment *g, Buf *frame, Err *reterr) {
    uint64_t at = (uint32_t)r->pos;
    uint8_t length[4];
    size_t got = 0;
    ErrCode code = file_read_at(r->file, at, length, sizeof length, &got, reterr);
    if (code != OK || got < sizeof length) return code;
    uint64_t n = length[0] | length[1] << 8 | length[2] << 16 | (uint64_t)length[3] << 24;
    if (n > SPOOL_RECORD_MAX || at + SPOOL_FRAME_BYTES + n > g->end) return OK; /* the frame stays empty: bad */
    buf_reserve(frame, SPOOL_FRAME_BYTES + n);
    code = file_read_at(r->file, at, frame->p, SPOOL_FRAME_BYTES + n, &frame->n, reterr);
    return code;
}

static void skip_segment(SpoolReader *r, const Segment *g) {
    char bytes[24];
    uint64_t left = g->end - (uint32_t)r->pos;
    snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)left);
    log_warn("the queue of remote write ends early in a segment, as after a crash; going on with the next one", "bytes",
        bytes, NULL);
    r->bad_bytes += left;
    r->pos = pos_of(g->number, g->end);
}

int spool_read(SpoolReader *r, Buf *out, Err *reterr) {
    Segment g;
    Buf frame = {0};
    int result = 0;
    buf_clear(out);
    while (result == 0 && find_segment(r, &g)) {
        Str payload;
        frame.n = 0;
        ErrCode code = open_segment(r, g.number, reterr);
        if (code == ERR_NOT_FOUND) {
            skip_segment(r, &g);
            continue;
        }
        if (code == OK) code = read_frame(r, &g, &frame, reterr);
        size_t n = code == OK ? spool_frame(buf_str(&frame), &payload) : 0;
        if (code != OK) {
            result = -1;
        } else if (n == 0) {
            skip_segment(r, &g);
        } else {
            buf_put_str(out, payload);
            r->pos += n;
            result = 1;
        }
    }
    buf_done(&frame);
    return result;
}
