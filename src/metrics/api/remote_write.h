/* remote_write.h - decodes remote write requests (already decompressed) straight into a metrics batch.
 * Source: the Remote Write 1.0 and 2.0 specifications. */
#ifndef MEERKAT_METRICS_API_REMOTE_WRITE_H
#define MEERKAT_METRICS_API_REMOTE_WRITE_H

#include "base/err.h"
#include "model/metrics_batch.h"

typedef enum RemoteWriteVersion { REMOTE_WRITE_1, REMOTE_WRITE_2 } RemoteWriteVersion;

/* batch->arena is set by the caller and bounds the decoding; strings are slices of body. Series without __name__ or
 * with malformed labels are left out and counted in *ret_skipped, the first reason in reterr->msg (the result is OK).
 * ERR_INVALID: malformed message; ERR_TOO_LARGE: the arena is used up. */
ErrCode remote_write_decode(
    Str body, RemoteWriteVersion version, MetricsBatch *batch, uint64_t *ret_skipped, Err *reterr);
/* The same, but labels stay bytes where that can be (MetricsBatch.read_labels): for stores that take them. */
ErrCode remote_write_decode_lazily(
    Str body, RemoteWriteVersion version, MetricsBatch *batch, uint64_t *ret_skipped, Err *reterr);

#endif
