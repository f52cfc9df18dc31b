/* promproto.h - the protobuf exposition: length-delimited io.prometheus.client.MetricFamily messages.
 * Source: prometheus/client_model, metrics.proto. */
#ifndef MEERKAT_METRICS_SCRAPE_PROMPROTO_H
#define MEERKAT_METRICS_SCRAPE_PROMPROTO_H

#include "metrics/scrape/promtext.h"

typedef struct PromProtoOptions {
    bool native;         /* native histograms are taken; else only their classic buckets */
    bool always_classic; /* classic buckets of a native histogram, too */
    bool to_nhcb; /* classic histograms will become native ones: their _count has the exemplars of the histogram */
} PromProtoOptions;

/* Visits as promtext_parse does: samples with a synthetic `raw` that is unique to the series, families as HELP, TYPE
 * and UNIT. Strings are slices of the body. ERR_INVALID: malformed; ERR_TOO_LARGE: the arena is exhausted. */
ErrCode promproto_parse(
    Str body, const PromProtoOptions *opts, const PromTextVisitor *visitor, Arena *arena, Err *reterr);

#endif
