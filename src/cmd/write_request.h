/* write_request.h - batches for remote write by a command; private to cmd. */
#ifndef MEERKAT_CMD_WRITE_REQUEST_H
#define MEERKAT_CMD_WRITE_REQUEST_H

#include "model/metrics_batch.h"

/* Appends a prometheus.WriteRequest of version 1.0, not compressed. */
void write_request_encode(const MetricsBatch *b, Buf *out);

#endif
