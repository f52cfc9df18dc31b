/* read_frames.c - one series as frames of a ChunkedReadResponse. */
#include "metrics/api/read_stream.h"

#include "codec/crc.h"
#include "codec/proto.h"
#include "metrics/tsdb/chunk.h"

typedef struct Frames {
    const SeriesColumn *series;
    Labels external;
    uint64_t query;
    size_t bytes_max;
    Buf chunks; /* messages of the frame in the making */
    bool (*emit)(void *ctx, Str frame);
    void *ctx;
    bool stopped;
} Frames;

static void finish_frame(Frames *f) {
    Buf message = {0}, frame = {0};
    if (f->chunks.n == 0 || f->stopped) return;
    size_t series = proto_begin(&message, 1);
    remote_read_put_labels(&message, f->series->labels, f->external);
    buf_put_str(&message, buf_str(&f->chunks));
    proto_end(&message, series);
    if (f->query) proto_put_varint(&message, 2, f->query);
    uint32_t crc = crc32c(0, message.p, message.n);
    buf_put_uvarint(&frame, message.n);
    for (int shift = 24; shift >= 0; shift -= 8) buf_put_char(&frame, (char)(crc >> shift & 0xff));
    buf_put_str(&frame, buf_str(&message));
    f->stopped = !f->emit(f->ctx, buf_str(&frame));
    buf_clear(&f->chunks);
    buf_done(&message);
    buf_done(&frame);
}

static void put_chunk(Frames *f, ChunkEncoding encoding, int64_t min_t, int64_t max_t, Str data) {
    size_t mark = proto_begin(&f->chunks, 2);
    if (min_t) proto_put_varint(&f->chunks, 1, (uint64_t)min_t);
    if (max_t) proto_put_varint(&f->chunks, 2, (uint64_t)max_t);
    proto_put_varint(&f->chunks, 3, encoding);
    proto_put_bytes(&f->chunks, 4, data);
    proto_end(&f->chunks, mark);
    if (f->chunks.n >= f->bytes_max) finish_frame(f);
}

bool read_frames(const SeriesColumn *c, Labels external, uint64_t query, size_t max_bytes,
    bool (*emit)(void *ctx, Str frame), void *ctx) {
    Frames f = {.series = c, .external = external, .query = query, .bytes_max = max_bytes, .emit = emit, .ctx = ctx};
    Buf data = {0};
    for (size_t at = 0, n; at < c->n && !f.stopped; at += n) {
        buf_clear(&data);
        n = chunk_encode_floats(&data, c->t_ms + at, c->value + at, c->n - at);
        put_chunk(&f, CHUNK_XOR, c->t_ms[at], c->t_ms[at + n - 1], buf_str(&data));
    }
    for (size_t at = 0, n; at < c->n_histograms && !f.stopped; at += n) {
        ChunkEncoding encoding;
        buf_clear(&data);
        n = chunk_encode_histograms(&data, c->histogram_t_ms + at, c->histograms + at, c->n_histograms - at, &encoding);
        put_chunk(&f, encoding, c->histogram_t_ms[at], c->histogram_t_ms[at + n - 1], buf_str(&data));
    }
    finish_frame(&f);
    buf_done(&data);
    buf_done(&f.chunks);
    return !f.stopped;
}
