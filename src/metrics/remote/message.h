/* message.h - writes remote write requests: prometheus.WriteRequest (1.0) and io.prometheus.write.v2.Request.
 * Source: the Remote Write 1.0 and 2.0 specifications. */
#ifndef MEERKAT_METRICS_REMOTE_MESSAGE_H
#define MEERKAT_METRICS_REMOTE_MESSAGE_H

#include "base/map.h"
#include "model/metrics_batch.h"

/* Zero-initialised with version_2 set. What is put must live until remote_message_done. */
typedef struct RemoteMessage {
    bool version_2;
    Buf series, symbols; /* of the message as it will be */
    Buf refs;            /* scratch */
    Map *symbol_ids;     /* version 2: text -> number */
    uint64_t samples, histograms, exemplars, metadata;
} RemoteMessage;

typedef struct RemoteSeries {
    Labels labels;
    const int64_t *t_ms;
    const double *value;
    size_t n;
    const int64_t *histogram_t_ms;
    const Histogram *histograms;
    size_t n_histograms;
    const int64_t *start_ms, *histogram_start_ms; /* NULL: not known; version 1 has no place for them */
    const Exemplar *exemplars;
    size_t n_exemplars;
    const MetricMetadata *metadata; /* version 2; may be NULL */
} RemoteSeries;

void remote_message_put(RemoteMessage *m, const RemoteSeries *s);
void remote_message_put_metadata(RemoteMessage *m, const MetricMetadata *d); /* version 1 */
/* Appends the whole message, uncompressed. */
void remote_message_finish(RemoteMessage *m, Buf *out);
void remote_message_done(RemoteMessage *m); /* may be filled again afterwards */

#endif
