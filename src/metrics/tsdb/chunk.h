/* chunk.h - Prometheus' chunks: up to a few hundred samples of one series as bits. Shared by metrics/tsdb and the
 * streamed remote read. Source: tsdb/docs/format/chunks.md of Prometheus. */
#ifndef MEERKAT_METRICS_TSDB_CHUNK_H
#define MEERKAT_METRICS_TSDB_CHUNK_H

#include "base/err.h"
#include "base/vec.h"
#include "metrics/metrics_store.h"

/* As in files. Those from XOR2 on are of Prometheus 3.x; they may carry start times. They are read, but not
 * written: older programs do not know them. */
typedef enum ChunkEncoding {
    CHUNK_XOR = 1,
    CHUNK_HISTOGRAM = 2,
    CHUNK_FLOAT_HISTOGRAM = 3,
    CHUNK_XOR2 = 4,
    CHUNK_HISTOGRAM_START = 5,
    CHUNK_FLOAT_HISTOGRAM_START = 6,
} ChunkEncoding;

#define CHUNK_SAMPLES 120 /* what Prometheus aims at */

/* Decoded samples, floats and histograms apart; in an arena. Each has a start time, 0: not known. */
typedef struct ChunkSamples {
    AVEC(int64_t) t_ms, start_ms;
    AVEC(double) value;
    AVEC(int64_t) histogram_t_ms, histogram_start_ms;
    AVEC(Histogram) histograms;
} ChunkSamples;

/* Keeps those whose time `wanted` takes. */
void chunk_samples_filter(ChunkSamples *s, bool (*wanted)(void *ctx, int64_t t_ms), void *ctx);
/* The samples as a column of the series. */
SeriesColumn chunk_samples_column(const ChunkSamples *s, Labels labels);

/* Appends what the chunk holds. ERR_CORRUPT (also an encoding nobody knows), ERR_TOO_LARGE (the arena). */
ErrCode chunk_decode(uint8_t encoding, Str data, Arena *arena, ChunkSamples *out, Err *reterr);

/* Puts the first samples (at most CHUNK_SAMPLES) into one chunk; gives how many. n > 0. */
size_t chunk_encode_floats(Buf *out, const int64_t *t, const double *v, size_t n);
/* Likewise; a chunk ends where the layout of buckets changes, after a stale marker and before a counter reset. */
size_t chunk_encode_histograms(Buf *out, const int64_t *t, const Histogram *h, size_t n, ChunkEncoding *ret_encoding);

/* How many samples a chunk says it has. */
size_t chunk_count(uint8_t encoding, Str data);

/* --- private to chunk*.c --- */
ErrCode chunk_decode_histograms(bool is_float, bool with_start, Str data, Arena *arena, ChunkSamples *out, Err *reterr);
ErrCode chunk_decode_xor2(Str data, Arena *arena, ChunkSamples *out, Err *reterr);
struct BitReader;
/* Start times stand behind samples: of the first as a distance to its own time, of later ones, from the first that
 * changes on, to the time of the sample before, as changes of that distance. */
typedef struct ChunkStarts {
    uint8_t header; /* 0x80: the first is known; the rest: from which sample on they change, 0: never */
    int64_t start, distance;
} ChunkStarts;
/* Of sample i at time t; before: the time of the sample before. 0: not known. */
int64_t chunk_next_start(ChunkStarts *s, struct BitReader *r, size_t i, int64_t t, int64_t before);

#endif
