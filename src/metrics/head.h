/* head.h - the part of the store that is still in memory: series, their index, their newest samples.
 *
 * Two things with different lives:
 *   - the index: symbols, series (numbered by ids), postings. It outlives many heads, so that a series that keeps
 * coming is made once. When most of its series have not come for long, the next head begins an empty one.
 *   - a Head: one generation of samples over an index. Born empty, filled, frozen (another Head over the same index
 *     takes over), written into parts and dropped as a whole: its memory comes from bump allocators. The WAL names
 *     the generation as `epoch` and tells every id and symbol anew in each.
 *
 * Concurrency. Three kinds of threads touch it:
 *   - workers look series up (index lock, read) and create missing ones (index lock, write);
 *   - the one writer thread appends samples, holding the lock of the series' shard;
 *   - queries resolve matchers under the index lock (read) and copy samples out under shard locks.
 * Series, label arrays and symbol bytes never move or vanish while a Head over the index lives, so a query that holds a
 * reference may keep pointers to them. References are counted; the last one frees. */
#ifndef MEERKAT_METRICS_HEAD_H
#define MEERKAT_METRICS_HEAD_H

#include "base/map.h"
#include "metrics/postings.h"
#include "metrics/read_scratch.h"
#include "model/metrics_batch.h"
#include "sys/thread.h"

#define HEAD_NO_SERIES UINT32_MAX

typedef struct Head Head;

ATTR_MUST Head *head_create(uint64_t epoch);
/* The next generation: over the same index, or (unless keep_index) over an empty one when that has become mostly dead.
 */
ATTR_MUST Head *head_create_after(const Head *old, bool keep_index);
/* The head to come after h has an index of its own: no series of h will be looked up by its labels or made any more,
 * and what only that needs is freed. Takes the index lock. */
void head_close_index(Head *h);
bool head_same_index(const Head *a, const Head *b);
Head *head_ref(Head *h);
void head_unref(Head *h); /* NULL is fine */
uint64_t head_epoch(const Head *h);
void head_set_epoch(Head *h, uint64_t epoch); /* before any thread but the opener knows it */

/* --- series --- */
void head_lock_read(Head *h); /* the index lock */
void head_lock_write(Head *h);
void head_unlock(Head *h);
/* With the index lock held (any mode). HEAD_NO_SERIES: not there. after: the id found last (or HEAD_NO_SERIES), because
 * senders keep their order and neighbours share most labels. */
uint32_t head_find_raw(const Head *h, uint64_t raw_hash, uint32_t after);
uint32_t head_find(const Head *h, Labels labels, uint32_t after);
uint32_t head_series_count(const Head *h); /* of the index: ids are less than that */
/* The label array in the arena, strings pointing into the index. .v == NULL: the arena is exhausted. */
Labels head_labels(const Head *h, uint32_t id, Arena *arena);
/* The same as symbols, in the labels' order; pointers stay good as long as the head. */
typedef struct SeriesSymbols {
    const uint32_t *names, *values;
    uint32_t n;
    uint64_t shape; /* series of one source that have the same have the same names */
} SeriesSymbols;
SeriesSymbols head_series_symbols(const Head *h, uint32_t id);
size_t head_symbol_count(const Head *h);
Str head_symbol(const Head *h, uint32_t symbol);
PostingIndex head_postings(Head *h);
/* Whether some series with the value, by its ordinals in the PostingIndex, has samples in this head: the index outlives
 * series. With the index lock held. */
bool head_value_lives(Head *h, size_t name, size_t value);
/* Label names of the index; ordinals are those of the PostingIndex. */
size_t head_name_count(const Head *h);
Str head_name(const Head *h, size_t ordinal);
/* What the WAL of this epoch knows: whether records have told the series' labels, the symbol's bytes. Two have to: when
 * one is damaged, the samples in all the others still find their series. */
bool head_series_logged(const Head *h, uint32_t id);
bool head_symbol_logged(const Head *h, uint32_t symbol);
/* With the index lock held for writing. Labels are copied. raw_hash 0: not known. */
uint32_t head_get_or_create(Head *h, Labels labels, uint64_t raw_hash, bool *ret_created);
uint32_t head_intern(Head *h, Str symbol);
/* By symbols, which head_intern gave. is_new: the caller knows that the series is not there. */
uint32_t head_get_or_create_interned(Head *h, SeriesSymbols symbols, bool is_new);

/* --- samples: the writer thread only --- */
/* A record that tells these, each once, is in the log. */
void head_mark_logged(Head *h, const uint32_t *series, size_t n_series, const uint32_t *symbols, size_t n_symbols);
typedef enum HeadPut { HEAD_PUT_STORED, HEAD_PUT_LATE, HEAD_PUT_DUPLICATE, HEAD_PUT_CONFLICT } HeadPut;
/* Between begin and end the writer holds the shard lock of the last series it touched. */
void head_write_begin(Head *h);
/* start: when it began to count, 0: not known. A duplicate's is ignored. A float and a histogram at the newest time of
 * a series are a conflict. */
HeadPut head_put(Head *h, uint32_t id, int64_t t, double v, int64_t start);
HeadPut head_put_histogram(Head *h, uint32_t id, int64_t t, const Histogram *v, int64_t start);
void head_write_end(Head *h);
/* Fetches what head_put will touch; wrong guesses cost nothing but time. */
void head_prefetch(const Head *h, uint32_t id);

/* --- reading samples --- */
typedef struct SampleBuf { /* heap scratch, reused from series to series */
    int64_t *t;
    double *v;
    int64_t *start; /* n start times (0: not known), while has_starts */
    size_t n, cap, start_cap;
    bool unsorted; /* something was appended that is not after all before it */
    bool has_starts;
    bool want_starts; /* the owner's: whoever fills it in is to tell them */
} SampleBuf;

void sample_buf_done(SampleBuf *b);
void sample_buf_clear(SampleBuf *b);
void sample_buf_reserve(SampleBuf *b, size_t extra);
/* Appends those of t[0..n) (ascending) that lie in [min_t, max_t]. */
void sample_buf_add(SampleBuf *b, const int64_t *t, const double *v, size_t n, int64_t min_t, int64_t max_t);
/* Start times of the samples from `from` on become known: the caller fills in n - from of them. */
int64_t *sample_buf_starts(SampleBuf *b, size_t from);
/* Sample `from` to place `to`. */
static inline void sample_buf_move(SampleBuf *b, size_t to, size_t from) {
    b->t[to] = b->t[from];
    b->v[to] = b->v[from];
    if (b->has_starts) b->start[to] = b->start[from];
}
/* Sorts by time when needed; of equal times the one appended last stays. */
void sample_buf_finish(SampleBuf *b);
size_t times_lower_bound(const int64_t *t, size_t n, int64_t x); /* the first that is >= x, else n; t ascends */

typedef struct HistogramRef {
    int64_t t;
    Str bytes;
    int64_t start; /* 0: not known */
} HistogramRef;
typedef VEC(HistogramRef) HistogramRefs;
void histograms_finish(HistogramRefs *h); /* as sample_buf_finish */

/* Copies the series' samples in the range; histogram bytes stay in the head. Takes the shard lock. false: a sealed
 * chunk did not decode (memory corruption; cannot happen with sound encoders). */
ATTR_MUST bool head_read(
    Head *h, uint32_t id, int64_t min_t, int64_t max_t, SampleBuf *out, HistogramRefs *ret_histograms);
typedef struct HeadReadStats {
    uint64_t samples, chunks, chunks_read; /* read: those in the range; an open chunk is one, too */
} HeadReadStats;
/* The same without a copy in between; adds to stats. false: the series is not that simple (late samples, histograms,
 * damage) and is for head_read; what was added to out is of no use then. */
ATTR_MUST bool head_read_runs(
    Head *h, uint32_t id, int64_t min_t, int64_t max_t, ReadScratch *out, HeadReadStats *stats);
/* Times of the oldest and newest sample or histogram; false: there is none. Takes the shard lock. */
bool head_series_range(Head *h, uint32_t id, int64_t *ret_min_t, int64_t *ret_max_t);
/* Whether the series has a sample or histogram whose time could lie in the range. */
bool head_overlaps(Head *h, uint32_t id, int64_t min_t, int64_t max_t);

typedef struct HeadStats {
    uint64_t series; /* with samples in this head */
    uint64_t recent; /* of them those that came within the last minutes, or a bit more */
    uint64_t index_series, samples, histograms;
    uint64_t sample_bytes, index_bytes; /* memory */
    int64_t min_t, max_t;               /* INT64_MAX, INT64_MIN when empty */
} HeadStats;
void head_stats(const Head *h, HeadStats *ret);
/* The writer tells the time now and then: what `recent` goes by. */
void head_tick(Head *h, int64_t now_ms);

#endif
