/* store_clash.h - samples at a time their series has taken already. */
#ifndef MEERKAT_METRICS_STORE_CLASH_H
#define MEERKAT_METRICS_STORE_CLASH_H

#include "metrics/head.h"

/* All on the writer thread. head_put and head_put_histogram, where a float and a histogram at the newest time of a
 * series are a conflict, too: the first one stays. */
HeadPut clash_put(Head *h, uint32_t id, int64_t t, double v, int64_t start);
HeadPut clash_put_histogram(Head *h, uint32_t id, int64_t t, const Histogram *v, int64_t start);
/* Time of the newest sample or histogram in this head; INT64_MIN: there is none. */
int64_t clash_newest(const Head *h, uint32_t id);
/* "duplicate sample for timestamp ..." as Prometheus puts it; got NULL: a histogram came. */
void clash_put_text(Buf *out, const Head *h, uint32_t id, int64_t t, const double *got);

#endif
