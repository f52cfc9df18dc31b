/* store_clash.h - samples at a time their series has taken already. */
#ifndef MEERKAT_METRICS_STORE_CLASH_H
#define MEERKAT_METRICS_STORE_CLASH_H

#include "metrics/head.h"

/* Both on the writer thread. */
/* Time of the newest sample or histogram in this head; INT64_MIN: there is none. */
int64_t clash_newest(const Head *h, uint32_t id);
/* "duplicate sample for timestamp ..." as Prometheus puts it; got NULL: a histogram came. */
void clash_put_text(Buf *out, const Head *h, uint32_t id, int64_t t, const double *got);

#endif
