/* mpart.h - a metrics part: one immutable file with the samples of a time range and their index.
 *
 * Sections, each a checksummed block of storage/part.h, all but the data read in place from the mapping (the index of a
 * small part is packed, see mpart_pack.h, and brought into this form when it is read first):
 *   symbols   every label name and value once, sorted: a symbol id orders like its string
 *   shapes    lists of label names; series of one metric share one
 *   series    per series (sorted by labels): shape, value symbols, its blocks; in chunks
 *   times     one entry per distinct time column; series scraped together share it
 *   postings  per label name the value symbols, per value the series
 *   groups    encoded columns, collected to about 64 KiB; small value columns stand in the series entry instead
 * A block is up to MPART_BLOCK_SAMPLES samples of one series; long ones carry statistics. Start times, where they are
 * known, stand behind a block's values (mpart_start.c). */
#ifndef MEERKAT_METRICS_MPART_H
#define MEERKAT_METRICS_MPART_H

#include "metrics/head.h"
#include "metrics/postings.h"
#include "metrics/series_set.h"
#include "storage/partset.h"

#define MPART_BLOCK_SAMPLES 4096
#define MPART_STATS_SAMPLES 512 /* blocks from this size on carry MBlockStats */

/* --- writing --- */
typedef struct MPartWriter MPartWriter;

/* symbols: sorted, unique, with every name and value that will come; borrowed until finish. zstd_level 0: none. */
ErrCode mpart_writer_create(
    Fs *fs, const char *path, const Str *symbols, size_t n_symbols, int zstd_level, MPartWriter **ret, Err *reterr);
/* In labels order. Times ascending, unique. Histograms likewise, bytes as histogram_encode wrote them. */
ErrCode mpart_writer_series(
    MPartWriter *w, Labels labels, const SampleBuf *samples, const HistogramRefs *histograms, Err *reterr);
/* The same with labels as places in the writer's symbols, n_labels of each: for callers that have them. */
ErrCode mpart_writer_series_ranked(MPartWriter *w, const uint32_t *names, const uint32_t *values, uint32_t n_labels,
    const SampleBuf *samples, const HistogramRefs *histograms, Err *reterr);
size_t mpart_writer_series_count(const MPartWriter *w);
/* Fills min_t, max_t, rows and size_bytes; id and level are the caller's. */
ErrCode mpart_writer_finish(MPartWriter *w, PartInfo *ret_info, Err *reterr);
MPartWriter *mpart_writer_free(MPartWriter *w); /* unfinished: removes the file */

/* --- reading; thread-safe --- */
typedef struct MPart MPart;

ErrCode mpart_open(Part *part, MPart **ret, Err *reterr);
MPart *mpart_close(MPart *p);
uint32_t mpart_series_count(const MPart *p);
/* Reads and checks the index now; everything else below does so at its first use. */
ErrCode mpart_load(MPart *p, Err *reterr);
/* After mpart_load; sorted. */
size_t mpart_symbol_count(const MPart *p);
Str mpart_symbol(const MPart *p, size_t i);
PostingIndex mpart_postings(MPart *p);
/* Names in the part; ordinals are those of the PostingIndex. */
size_t mpart_name_count(const MPart *p);
Str mpart_name(const MPart *p, size_t ordinal);

/* The array from the arena, the strings in the part's mapping. ERR_TOO_LARGE, ERR_CORRUPT. */
ErrCode mpart_labels(const MPart *p, uint32_t series, Arena *arena, Labels *ret, Err *reterr);
/* The same as symbols (mpart_symbol). Values are appended; names are read again only when the series' shape is not the
 * one they were read for, *shape: MPART_NO_SHAPE at first. After mpart_load. */
typedef VEC(uint32_t) SymbolVec;
#define MPART_NO_SHAPE UINT64_MAX
ErrCode mpart_label_symbols(
    const MPart *p, uint32_t series, uint64_t *shape, SymbolVec *names, SymbolVec *values, Err *reterr);
/* Whether it is known that every series has a sample in the range, without looking at them; few: so many things may be
 * looked at for it. After mpart_load. */
bool mpart_all_overlap(const MPart *p, int64_t min_t, int64_t max_t, size_t few);
/* Whether a block of the series overlaps the range. */
bool mpart_overlaps(const MPart *p, uint32_t series, int64_t min_t, int64_t max_t);

typedef struct MBlockStats {
    double min, max, first, last;
    uint32_t resets;
} MBlockStats; /* stale markers are not counted */

typedef struct MBlock {
    uint32_t n, time_column;
    int64_t min_t, max_t;
    bool is_histogram, has_stats;
    bool fresh; /* floats, none of them a stale marker */
    MBlockStats stats;
    uint32_t group, offset, length; /* of the encoded values, when in_place.p == NULL */
    uint32_t start_bytes;           /* of them those at the end, which are start times; 0: not known */
    Str in_place;
} MBlock;
/* Calls fn for each block of the series, in time order; false from fn stops. ERR_CORRUPT. */
ErrCode mpart_blocks(const MPart *p, uint32_t series, bool (*fn)(void *ctx, const MBlock *b), void *ctx, Err *reterr);

/* Decompressed groups and decoded time columns a query has seen; one per query and part. */
typedef struct MPartCache {
    Arena *groups[2]; /* times, values: the newest group of each kind */
    uint32_t group_id[2];
    Str group[2];
    Arena *times;
    U64Map *time_columns; /* id -> int64_t* */
    double *values;
    int64_t *starts; /* made on demand */
    size_t values_cap;
    /* Which samples of a time column lie in a range: the column asked for last. */
    uint32_t cut_column, cut_from, cut_to;
    int64_t cut_min_t, cut_max_t;
} MPartCache;
void mpart_cache_done(MPartCache *c);

/* Appends the samples in the range; histogram bytes are copied into the arena. ERR_CORRUPT, ERR_TOO_LARGE. */
ErrCode mpart_read(MPart *p, MPartCache *cache, uint32_t series, int64_t min_t, int64_t max_t, SampleBuf *out,
    HistogramRefs *ret_histograms, Arena *arena, Err *reterr);

/* The same without a copy in between; the runs are RUN_NAMED, of source p. *ret_tangled: the series has histograms, or
 * blocks that overlap what is in out, and is for mpart_read; what was added to out is of no use then. */
ErrCode mpart_read_runs(MPart *p, MPartCache *cache, uint32_t series, const MetricsSelect *req, ReadScratch *out,
    SeriesReadStats *stats, bool *ret_tangled, Err *reterr);
bool mpart_run_times(MPart *p, MPartCache *cache, const TimeRun *run, int64_t *out);

#endif
