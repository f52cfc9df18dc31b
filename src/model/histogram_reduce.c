/* histogram_reduce.c - native histograms of lower resolutions. */
#include "base/vec.h"
#include "model/histogram.h"

typedef struct Side {
    AVEC(HistogramSpan) spans;
    AVEC(double) counts;
    int64_t end; /* index after the last bucket */
} Side;

static bool put_bucket(Side *s, int64_t index, double count, Arena *arena) {
    if (s->counts.n && index == s->end - 1) {
        s->counts.v[s->counts.n - 1] += count;
        return true;
    }
    if (s->spans.n && index == s->end)
        s->spans.v[s->spans.n - 1].length++;
    else if (!avec_push(arena, &s->spans, (HistogramSpan){(int32_t)(s->spans.n ? index - s->end : index), 1}))
        return false;
    s->end = index + 1;
    return avec_push(arena, &s->counts, count);
}

/* Bucket i of a schema holds (base^(i-1), base^i]: 2^by of them are bucket ceil(i / 2^by) of the schema that is lower
 * by `by`. */
static bool merge(
    const HistogramSpan *spans, uint32_t n_spans, const double *counts, unsigned by, Side *ret, Arena *arena) {
    int64_t index = 0;
    size_t k = 0;
    for (uint32_t i = 0; i < n_spans; i++) {
        index += spans[i].offset;
        for (uint32_t j = 0; j < spans[i].length; j++, index++, k++)
            if (!put_bucket(ret, ((index - 1) >> by) + 1, counts[k], arena)) return false;
    }
    return true;
}

bool histogram_reduce(Histogram *h, unsigned by, Arena *arena) {
    Side pos = {0}, neg = {0};
    ASSERT(h->schema != HISTOGRAM_SCHEMA_CUSTOM && by < 63);
    if (!merge(h->pos_spans, h->n_pos_spans, h->pos, by, &pos, arena)) return false;
    if (!merge(h->neg_spans, h->n_neg_spans, h->neg, by, &neg, arena)) return false;
    h->schema = (int8_t)(h->schema - (int)by);
    h->pos_spans = pos.spans.v;
    h->n_pos_spans = (uint32_t)pos.spans.n;
    h->pos = pos.counts.v;
    h->n_pos = (uint32_t)pos.counts.n;
    h->neg_spans = neg.spans.v;
    h->n_neg_spans = (uint32_t)neg.spans.n;
    h->neg = neg.counts.v;
    h->n_neg = (uint32_t)neg.counts.n;
    return true;
}

static ErrCode check_side(const HistogramSpan *spans, uint32_t n_spans, uint32_t n_buckets, Err *reterr) {
    uint64_t need = 0;
    for (uint32_t i = 0; i < n_spans; i++) {
        if (i > 0 && spans[i].offset < 0)
            return err_set(reterr, ERR_INVALID,
                "span number %u with offset %d: histogram has a span whose offset is negative", i + 1, spans[i].offset);
        need += spans[i].length;
        if (need > n_buckets)
            return err_set(reterr, ERR_INVALID,
                "have %u buckets but spans need more: histogram spans specify different number of buckets than "
                "provided",
                n_buckets);
    }
    if (need == n_buckets) return OK;
    return err_set(reterr, ERR_INVALID,
        "spans need %llu buckets, have %u buckets: histogram spans specify different number of buckets than provided",
        (unsigned long long)need, n_buckets);
}

ErrCode histogram_fit_schema(Histogram *h, Arena *arena, Err *reterr) {
    if (h->schema <= HISTOGRAM_SCHEMA_MAX || h->schema > HISTOGRAM_SCHEMA_KNOWN_MAX) return OK;
    ErrCode code = check_side(h->pos_spans, h->n_pos_spans, h->n_pos, reterr);
    if (code == OK) code = check_side(h->neg_spans, h->n_neg_spans, h->n_neg, reterr);
    if (code != OK) return code;
    if (histogram_reduce(h, (unsigned)(h->schema - HISTOGRAM_SCHEMA_MAX), arena)) return OK;
    return err_set(reterr, ERR_TOO_LARGE, "a histogram needs more memory than it may use");
}
