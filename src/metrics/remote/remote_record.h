/* remote_record.h - what a record of remote write's queue holds: a count of samples u32, raw length u32, then a Remote
 * Write 2.0 message as one zstd block. */
#ifndef MEERKAT_METRICS_REMOTE_REMOTE_RECORD_H
#define MEERKAT_METRICS_REMOTE_REMOTE_RECORD_H

#include "metrics/metrics_store.h"

/* Nothing to keep: *ret_any false. */
ErrCode remote_record_encode(const MetricsTaken *taken, Buf *out, bool *ret_any, Err *reterr);
uint32_t remote_record_samples(Str record); /* histograms among them; 0: malformed */
/* Strings and arrays live in batch->arena, as batch does. false: malformed, or more than the arena may hold. */
ATTR_MUST bool remote_record_decode(Str record, MetricsBatch *batch);

#endif
