/* promtext_int.h - the OpenMetrics rules beyond syntax, as a listener of the parser. */
#ifndef MEERKAT_METRICS_SCRAPE_PROMTEXT_INT_H
#define MEERKAT_METRICS_SCRAPE_PROMTEXT_INT_H

#include "metrics/scrape/promtext.h"

typedef struct PromTextStrict PromTextStrict;
PromTextStrict *promtext_strict_create(Arena *arena);
PromTextStrict *promtext_strict_free(PromTextStrict *x);
ErrCode promtext_strict_meta(PromTextStrict *x, const PromTextMeta *m, Err *reterr);
ErrCode promtext_strict_sample(PromTextStrict *x, const PromTextSample *s, Err *reterr);
ErrCode promtext_strict_end(PromTextStrict *x, Err *reterr);

/* 1 -> "1.0", 1e6 -> "1e+06", +Inf: canonical le and quantile values. */
void promtext_put_float(Buf *out, double v);
/* Backslash escapes of label values and quoted names; in HELP only \\ and \n (and \" in OpenMetrics). p == NULL:
 * exhausted. */
Str promtext_unescape(Str s, Arena *arena);
Str promtext_unescape_help(Str s, bool openmetrics, Arena *arena);
MetricType promtext_type(Str word, bool *ret_known);

#endif
