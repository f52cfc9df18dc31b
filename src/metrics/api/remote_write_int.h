/* remote_write_int.h - the decoder of remote write requests, shared by its files. Private. */
#ifndef MEERKAT_METRICS_API_REMOTE_WRITE_INT_H
#define MEERKAT_METRICS_API_REMOTE_WRITE_INT_H

#include "codec/proto.h"
#include "metrics/api/remote_write.h"

typedef struct RwDecoder {
    MetricsBatch *batch;
    Arena *arena;
    RemoteWriteVersion version;
    AVEC(Str) symbols;
    AVEC(uint64_t) symbol_hashes;
    AVEC(Label) labels; /* of the series being read */
    Labels previous;    /* of the last good series as they came: what is the same needs no second look */
    bool lazy;
    uint64_t skipped;
    size_t histograms_refused; /* of the series being read */
    bool refused;              /* rw_refuse: what is being read is left out */
    bool told;                 /* ... and err has the reason */
    Str reason;                /* ... for a complaint that is still to be made */
    Str label_problem;
    Err *err;
    ErrCode rc;
} RwDecoder;

/* All functions: false with d->rc set when the message is malformed or the arena is used up. */
bool rw_no_memory(RwDecoder *d);
bool rw_malformed(RwDecoder *d, const char *what);
/* Something a sender got wrong in one series. Version 1: as malformed, with this text alone. Version 2: the series, or
 * the part of it that is being read, is left out (d->refused, d->rc stays OK) and the first such text is the answer's.
 * Prometheus does the same. */
bool rw_refuse(RwDecoder *d, const char *fmt, ...) ATTR_PRINTF(2, 3);
bool rw_check(RwDecoder *d, const ProtoReader *r); /* r ended without an error */
/* A repeated scalar, packed or not, appended. */
typedef AVEC(double) RwDoubles;
typedef AVEC(uint64_t) RwVarints;
bool rw_put_f64s(RwDecoder *d, const ProtoField *f, RwDoubles *out);
bool rw_put_varints(RwDecoder *d, const ProtoField *f, RwVarints *out);

/* --- remote_write_histogram.c --- */
bool rw_read_histogram(RwDecoder *d, Str bytes, BatchSeries *s);

/* --- remote_write_labels.c --- */
/* Complains about a part of a series, or the series, with the reason that was just told: " for series ..." behind it.
 * run: its labels as bytes, or empty: they are in labels. */
void rw_tell_series(RwDecoder *d, MetricsComplaintStage stage, Str run, Labels labels);
/* Appends to d->labels: one label message (1.0), label references (2.0). */
bool rw_read_label_field(RwDecoder *d, const ProtoField *f);
/* A copy of d->labels, normalized; *ret_ok false (not an error): they are no label set. */
bool rw_take_labels(RwDecoder *d, Labels *ret, bool *ret_ok);
/* Whether the labels are good and name a metric; *good likewise. */
bool rw_check_name(RwDecoder *d, Labels labels, bool *good);
uint64_t rw_labels_hash(const RwDecoder *d); /* of d->labels, where their bytes do not lie together */
/* The fields with number 1 a series begins with: all its labels, as every sender writes them. */
Str rw_label_run(Str series);
bool rw_run_hash(RwDecoder *d, Str run, uint64_t *ret);
bool rw_read_run(RwDecoder *d, Str run);                             /* into d->labels */
ErrCode rw_read_wire_labels(void *ctx, BatchSeries *s, Err *reterr); /* MetricsBatch.read_labels; ctx: RwDecoder */

#endif
