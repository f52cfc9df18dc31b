/* remote_read.h - remote read requests and answers: protobuf, already decompressed. Source: Prometheus' remote read
 * protocol (remote.proto). */
#ifndef MEERKAT_METRICS_API_REMOTE_READ_H
#define MEERKAT_METRICS_API_REMOTE_READ_H

#include "metrics/metrics_store.h"

typedef struct RemoteReadQuery {
    int64_t min_t_ms, max_t_ms; /* inclusive; those of the hints where there are any, as Prometheus reads */
    Matchers matchers;
    bool names_only; /* hinted: nobody looks at the samples */
} RemoteReadQuery;

typedef struct RemoteReadRequest {
    RemoteReadQuery *v;
    size_t n;
    bool chunks;  /* the answer shall be a stream of chunks, not samples */
    bool foreign; /* neither is welcome; then the types are here */
    AVEC(uint64_t) types;
    char bad_matcher[256]; /* what is wrong with the first matcher that is none; empty: all are */
} RemoteReadRequest;

/* Everything lives in the arena and in body. external are the labels that are added to the answer: a matcher that
 * asks for one of them with its value asks the store for series without it. ERR_INVALID: malformed; ERR_TOO_LARGE: the
 * arena is used up. */
ErrCode remote_read_decode(Str body, Labels external, Arena *arena, RemoteReadRequest *ret, Err *reterr);
/* Appends one series to the result of a query; external labels are added where it has none of that name. */
void remote_read_put_series(Buf *out, const SeriesColumn *c, Labels external);
/* Labels as messages under field 1: for samples and chunks alike. */
void remote_read_put_labels(Buf *out, Labels l, Labels external);
/* One sample under field 2, one histogram under the given field: remote read and both versions of remote write alike.
 * start_ms 0: not known; only remote write 2.0 has a place for it. */
void remote_read_put_sample(Buf *out, int64_t t_ms, double v, int64_t start_ms);
void remote_read_put_histogram(Buf *out, uint32_t number, int64_t t_ms, const Histogram *h, int64_t start_ms);

#endif
