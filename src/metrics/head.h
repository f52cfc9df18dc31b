/* head.h - the part of the store that is still in memory: series, their index, their newest samples.
 *
 * A Head is one generation: it is born empty, filled, frozen (a new Head takes over), written into parts and
 * dropped as a whole. So memory comes from bump allocators, vanished series cost nothing after the next
 * freeze, and series ids are the generation's own (the WAL names the generation as `epoch`).
 *
 * Concurrency. Three kinds of threads touch it:
 *   - workers look series up (index lock, read) and create missing ones (index lock, write);
 *   - the one writer thread appends samples, holding the lock of the series' shard;
 *   - queries resolve matchers under the index lock (read) and copy samples out under shard locks.
 * Series, label arrays and symbol bytes never move or vanish while the Head lives, so a query that holds a
 * reference may keep pointers to them. References are counted; the last one frees. */
#ifndef MEERKAT_METRICS_HEAD_H
#define MEERKAT_METRICS_HEAD_H

#include "base/map.h"
#include "metrics/postings.h"
#include "metrics/read_scratch.h"
#include "model/metrics_batch.h"
#include "sys/thread.h"

#define HEAD_CHUNK_SAMPLES 64 /* an open chunk is encoded when it has that many */
#define HEAD_SHARDS 64

/* An encoded, immutable run of samples; times ascending. Encoded times (none when regular), then values. */
typedef struct SealedChunk {
    struct SealedChunk *older;
    int64_t min_t, max_t;
    uint32_t t_bytes, v_bytes; /* t_bytes 0: t[i] = min_t + i * step_ms */
    int32_t step_ms;
    uint32_t n;
    uint8_t data[];
} SealedChunk;

/* Samples ascending in time. The usual cases take no array: a regular grid has t == NULL, a constant value v == NULL.
 */
typedef struct OpenChunk {
    int64_t first_t;
    uint64_t first_v; /* bits */
    uint64_t *v;      /* bits */
    int64_t *t;
    int32_t step_ms; /* when t == NULL and n >= 2 */
    uint16_t n, v_cap, t_cap;
} OpenChunk;

typedef struct HeadHistogram {
    int64_t t;
    Str bytes; /* histogram_encode */
} HeadHistogram;

/* What few series need: samples that came late, native histograms. */
typedef struct HeadExtra {
    int64_t *late_t; /* sorted */
    uint64_t *late_v;
    uint32_t n_late, late_cap;
    uint32_t n_histograms, histogram_cap;
    HeadHistogram *histograms; /* sorted by t */
} HeadExtra;

typedef struct HeadSeries {
    const uint32_t *pairs; /* n_labels x (name, value) symbols, in the labels' order */
    uint64_t raw_hash;     /* of the last bytes its labels came as; 0: none */
    uint32_t id, n_labels;
    uint32_t same_hash;  /* next series with the same labels_hash, UINT32_MAX: none */
    _Atomic bool logged; /* the WAL of this epoch has its labels */
    OpenChunk open;
    SealedChunk *sealed; /* newest first */
    HeadExtra *extra;
    int64_t min_t, max_t; /* of everything stored; min_t > max_t: nothing */
} HeadSeries;

typedef struct Head Head;

ATTR_MUST Head *head_create(uint64_t epoch);
Head *head_ref(Head *h);
void head_unref(Head *h); /* NULL is fine */
uint64_t head_epoch(const Head *h);
void head_set_epoch(Head *h, uint64_t epoch); /* before any thread but the opener knows it */

/* --- series --- */
/* The series of these labels, NULL when it is not there. raw_hash 0: not known. Caller holds no lock. */
void head_lock_read(Head *h);
void head_lock_write(Head *h);
void head_unlock(Head *h);
/* With the index lock held (any mode). after: the series found last (may be NULL), because senders keep their order. */
HeadSeries *head_find_raw(Head *h, uint64_t raw_hash, const HeadSeries *after);
HeadSeries *head_find(Head *h, Labels labels);
uint32_t head_series_count(const Head *h);
HeadSeries *head_series_at(const Head *h, uint32_t id);
/* The label array in the arena, strings pointing into the head. .v == NULL: the arena is exhausted. */
Labels head_labels(const Head *h, const HeadSeries *s, Arena *arena);
PostingIndex head_postings(Head *h);
/* All symbols, unsorted; the array from the arena, the bytes the head's. */
Str *head_symbols(const Head *h, Arena *arena, size_t *ret_n);
/* Label names of the index; ordinals are those of the PostingIndex. */
size_t head_name_count(const Head *h);
Str head_name(const Head *h, size_t ordinal);
/* With the index lock held for writing. Labels are copied. */
HeadSeries *head_get_or_create(Head *h, Labels labels, uint64_t raw_hash, bool *ret_created);

/* --- samples: the writer thread only --- */
typedef enum HeadPut { HEAD_PUT_STORED, HEAD_PUT_LATE, HEAD_PUT_DUPLICATE, HEAD_PUT_CONFLICT } HeadPut;
/* Between begin and end the writer holds the shard lock of the last series it touched. */
void head_write_begin(Head *h);
HeadPut head_put(Head *h, HeadSeries *s, int64_t t, double v);
HeadPut head_put_histogram(Head *h, HeadSeries *s, int64_t t, const Histogram *v);
void head_write_end(Head *h);

/* --- reading samples --- */
typedef struct SampleBuf { /* heap scratch, reused from series to series */
    int64_t *t;
    double *v;
    size_t n, cap;
    bool unsorted; /* something was appended that is not after all before it */
} SampleBuf;

void sample_buf_done(SampleBuf *b);
void sample_buf_clear(SampleBuf *b);
void sample_buf_reserve(SampleBuf *b, size_t extra);
/* Appends those of t[0..n) (ascending) that lie in [min_t, max_t]. */
void sample_buf_add(SampleBuf *b, const int64_t *t, const double *v, size_t n, int64_t min_t, int64_t max_t);
/* Sorts by time when needed; of equal times the one appended last stays. */
void sample_buf_finish(SampleBuf *b);

typedef struct HistogramRef {
    int64_t t;
    Str bytes;
} HistogramRef;
typedef VEC(HistogramRef) HistogramRefs;
void histograms_finish(HistogramRefs *h); /* as sample_buf_finish */

/* Copies the series' samples in the range; histogram bytes stay in the head. Takes the shard lock. false: a sealed
 * chunk did not decode (memory corruption; cannot happen with sound encoders). */
ATTR_MUST bool head_read(
    Head *h, const HeadSeries *s, int64_t min_t, int64_t max_t, SampleBuf *out, HistogramRefs *ret_histograms);
/* The same without a copy in between. false: the series is not that simple (late samples, histograms, damage) and is
 * for head_read; what was added to out is of no use then. */
ATTR_MUST bool head_read_runs(Head *h, const HeadSeries *s, int64_t min_t, int64_t max_t, ReadScratch *out);
/* Whether the series has a sample or histogram whose time could lie in the range. */
bool head_overlaps(Head *h, const HeadSeries *s, int64_t min_t, int64_t max_t);

typedef struct HeadStats {
    uint64_t series, samples, histograms, bytes;
    int64_t min_t, max_t; /* INT64_MAX, INT64_MIN when empty */
} HeadStats;
void head_stats(const Head *h, HeadStats *ret);

#endif
