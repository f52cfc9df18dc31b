/* record.h - the metrics store's records in the write-ahead log.
 *
 * A record names the head generation (epoch) it was made for and holds items: symbols (id with bytes), series (id with
 * labels, by symbols), and behind all of these runs of samples by id, histograms, exemplars, metadata. Ids mean
 * something only within their epoch, and a record that uses one comes after (or is) one that defines it, because the
 * log is cut exactly where an epoch ends. */
#ifndef MEERKAT_METRICS_RECORD_H
#define MEERKAT_METRICS_RECORD_H

#include "base/cursor.h"
#include "model/metrics_batch.h"

#define RECORD_METRICS 1 /* WAL record type */

void record_begin(Buf *out, uint64_t epoch);
void record_put_symbol(Buf *out, uint32_t id, Str symbol);
/* names and values: n symbol ids each. */
void record_put_series(Buf *out, uint32_t id, const uint32_t *names, const uint32_t *values, uint32_t n);
/* What the next item is a difference to; zero at the beginning of a record. */
typedef struct RecordState {
    int64_t t, start;
    uint32_t id;
} RecordState;
/* n samples of one series; start_ms NULL: not known. A single one takes 2 to 4 bytes when it is a whole number in a run
 * of series, and no more when its start time is that of the one before. */
void record_put_samples(
    Buf *out, uint32_t id, const int64_t *t_ms, const double *v, const int64_t *start_ms, size_t n, RecordState *state);
void record_put_histogram(Buf *out, uint32_t id, int64_t t_ms, int64_t start_ms, const Histogram *h);
void record_put_exemplar(Buf *out, uint32_t id, const Exemplar *e);
void record_put_metadata(Buf *out, const MetricMetadata *m);

typedef enum RecordItemKind {
    RECORD_SYMBOL = 'Y',
    RECORD_SERIES = 'T',
    RECORD_SAMPLES = 'V',
    RECORD_SAMPLES_STARTED = 'W', /* given as SAMPLES */
    RECORD_HISTOGRAM = 'H',
    RECORD_HISTOGRAM_STARTED = 'G', /* given as HISTOGRAM */
    RECORD_EXEMPLAR = 'E',
    RECORD_METADATA = 'M'
} RecordItemKind;

/* What belongs to the kind is set, nothing else. */
typedef struct RecordItem {
    RecordItemKind kind;
    uint32_t id;                    /* all but METADATA */
    Str symbol;                     /* SYMBOL */
    const uint32_t *names, *values; /* SERIES: n of each */
    const int64_t *t_ms;            /* SAMPLES */
    const double *v;
    const int64_t *start_ms;        /* NULL: not known */
    size_t n;                       /* of SAMPLES; of SERIES */
    int64_t one_t_ms, one_start_ms; /* room for a single sample */
    double one_v;
    int64_t t, start; /* HISTOGRAM */
    Histogram histogram;
    Exemplar exemplar;
    MetricMetadata metadata;
} RecordItem;

typedef struct RecordReader {
    Cursor c;
    Arena *arena; /* arrays; strings are slices of the record */
    uint64_t epoch;
    RecordState state;
} RecordReader;

/* false: not a record of this store, or of another version. */
ATTR_MUST bool record_reader_init(RecordReader *r, Str payload, Arena *arena);
/* Whether a symbol or a series comes next. */
bool record_next_defines(const RecordReader *r);
/* 1: an item; 0: the end; -1: malformed or the arena is exhausted. */
int record_next(RecordReader *r, RecordItem *ret);

/* Label sets as stored in records and side files. */
void labels_encode(Buf *out, Labels l);
ATTR_MUST bool labels_decode(Cursor *c, Arena *arena, Labels *ret);

#endif
