/* read_stream.h - remote read as a stream of chunks. Private. Source: Prometheus' remote.proto, ChunkedReadResponse. */
#ifndef MEERKAT_METRICS_API_READ_STREAM_H
#define MEERKAT_METRICS_API_READ_STREAM_H

#include "metrics/api/api_int.h"
#include "metrics/api/remote_read.h"

/* Frames of at most about max_bytes for one series: labels and as many chunks as fit, each frame preceded by its
 * length (uvarint) and its CRC-32C (big-endian). emit false stops: then this gives false, too. */
bool read_frames(const SeriesColumn *c, Labels external, uint64_t query, size_t max_bytes,
    bool (*emit)(void *ctx, Str frame), void *ctx);

/* Answers by a thread that makes frames as fast as the client takes them, and not faster. */
void read_stream_answer(PromApi *api, HttpRequest *req, HttpResponse *res, const RemoteReadRequest *request);

#endif
