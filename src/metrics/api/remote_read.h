/* remote_read.h - remote read requests and answers: protobuf, already decompressed. The answer is made of samples; the
 * streamed answer made of chunks is not offered. Source: Prometheus' remote read protocol (remote.proto). */
#ifndef MEERKAT_METRICS_API_REMOTE_READ_H
#define MEERKAT_METRICS_API_REMOTE_READ_H

#include "metrics/metrics_store.h"

typedef struct RemoteReadQuery {
    int64_t min_t_ms, max_t_ms; /* inclusive */
    Matchers matchers;
} RemoteReadQuery;

typedef struct RemoteReadRequest {
    RemoteReadQuery *v;
    size_t n;
    bool samples; /* an answer of samples is welcome */
} RemoteReadRequest;

/* Everything lives in the arena and in body. external are the labels that remote_read_put adds: a matcher that asks for
 * one of them with its value is left out. ERR_INVALID: malformed; ERR_TOO_LARGE: the arena is used up. */
ErrCode remote_read_decode(Str body, Labels external, Arena *arena, RemoteReadRequest *ret, Err *reterr);
/* Appends the result of one query; external labels are added to the series that have none of that name. */
void remote_read_put(Buf *out, const SeriesColumns *cols, Labels external);

#endif
