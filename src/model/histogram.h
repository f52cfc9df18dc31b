/* histogram.h - native histogram samples (Prometheus' float histogram form; integer counts are exact to 2^53). */
#ifndef MEERKAT_MODEL_HISTOGRAM_H
#define MEERKAT_MODEL_HISTOGRAM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define HISTOGRAM_SCHEMA_MIN (-4)
#define HISTOGRAM_SCHEMA_MAX 8
#define HISTOGRAM_SCHEMA_KNOWN_MAX 52 /* what senders may use; kept with a lower resolution */
#define HISTOGRAM_SCHEMA_CUSTOM (-53)

typedef enum HistogramReset {
    HISTOGRAM_RESET_UNKNOWN,
    HISTOGRAM_RESET_YES,
    HISTOGRAM_RESET_NO,
    HISTOGRAM_RESET_GAUGE
} HistogramReset;

typedef struct HistogramSpan {
    int32_t offset;
    uint32_t length;
} HistogramSpan; /* offset: gap to the previous span's end */

typedef struct Histogram {
    int8_t schema;
    uint8_t reset; /* HistogramReset */
    bool is_float; /* came as a float histogram */
    double count, sum, zero_threshold, zero_count;
    const HistogramSpan *pos_spans, *neg_spans;
    const double *pos, *neg; /* absolute counts per bucket in span order */
    uint32_t n_pos_spans, n_neg_spans, n_pos, n_neg;
    const double *custom_bounds; /* schema -53: upper bounds without +Inf */
    uint32_t n_custom_bounds;
} Histogram;

Histogram *histogram_copy(Arena *arena, const Histogram *h); /* NULL on exhaustion */
bool histogram_eq(const Histogram *a, const Histogram *b);   /* bitwise on floats */
/* A stale marker is a histogram whose sum is the stale NaN. */
bool histogram_is_stale(const Histogram *h);
/* Whether a sender's schema is one at all, before it is cut to eight bits; ERR_INVALID as histogram_check. */
ErrCode histogram_check_schema(int64_t schema, Err *reterr);
/* ERR_INVALID: spans, counts and bounds do not fit together; in Prometheus' words (Histogram.Validate). After
 * histogram_fit_schema. Stores take what passes, and readers count on it. */
ErrCode histogram_check(const Histogram *h, Err *reterr);
/* Merges 2^by neighbouring buckets into one: the schema becomes lower by `by`. Exponential buckets that passed
 * histogram_check, or whose spans fit them. h's arrays are replaced by ones in the arena; false: it is used up. */
bool histogram_reduce(Histogram *h, unsigned by, Arena *arena);
/* A schema above 8, up to 52, becomes 8 (Prometheus: IsExponentialSchemaReserved); others are left for histogram_check.
 * ERR_INVALID: its spans do not fit, in Prometheus' words. ERR_TOO_LARGE: the arena is used up. */
ErrCode histogram_fit_schema(Histogram *h, Arena *arena, Err *reterr);
/* Compact binary form for logs and parts; decode gives false on malformed bytes. */
void histogram_encode(Buf *out, const Histogram *h);
bool histogram_decode(Str in, Arena *arena, Histogram *ret, size_t *ret_used);

#endif
