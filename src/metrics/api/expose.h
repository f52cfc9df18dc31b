/* expose.h - exposition of families to a scraper that says what it takes: text or delimited protobuf, and how names
 * beyond the classic characters are written. Private.
 * Source: Prometheus' content negotiation and escaping schemes; io.prometheus.client's metrics.proto. */
#ifndef MEERKAT_METRICS_API_EXPOSE_H
#define MEERKAT_METRICS_API_EXPOSE_H

#include "metrics/metrics_store.h"

typedef enum ExposeEscaping { EXPOSE_UNDERSCORES, EXPOSE_AS_IS, EXPOSE_DOTS, EXPOSE_VALUES } ExposeEscaping;

typedef struct ExposeFormat {
    bool protobuf;
    ExposeEscaping escaping;
} ExposeFormat;

/* accept: the header; protobuf: delimited protobuf may be answered, else text alone. A scheme that an earlier choice
 * asked for counts although the choice does not fit. */
ExposeFormat expose_negotiate(Str accept, bool protobuf);
Str expose_content_type(const ExposeFormat *f, Arena *arena);

/* One sample: a float, or a native histogram. */
typedef struct ExposeSample {
    Labels labels; /* with __name__ */
    int64_t t_ms;
    double value;
    const Histogram *histogram; /* NULL: value */
} ExposeSample;

/* Writes samples sorted by name as families; extra labels go behind those of a series that has none of that name.
 * Histograms with exponential buckets are left out of text, which cannot carry them. */
void expose_put(Buf *out, const ExposeFormat *f, const ExposeSample *v, size_t n, Labels extra);

/* expose_proto.c */
void expose_put_proto(Buf *out, const ExposeFormat *f, const ExposeSample *v, size_t n, Labels extra);
/* The name as the scheme writes it. */
void expose_put_name(Buf *out, ExposeEscaping scheme, Str name);

#endif
