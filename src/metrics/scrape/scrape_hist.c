#include "metrics/scrape/scrape_hist.h"

#include "base/vec.h"

#include <math.h>

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

/* Bucket i of a schema holds (base^(i-1), base^i]: two of them are bucket ceil(i/2) of the next lower schema. */
static bool halve(const HistogramSpan *spans, uint32_t n_spans, const double *counts, Side *ret, Arena *arena) {
    int64_t index = 0;
    size_t k = 0;
    for (uint32_t i = 0; i < n_spans; i++) {
        index += spans[i].offset;
        for (uint32_t j = 0; j < spans[i].length; j++, index++, k++) {
            int64_t half = index > 0 ? (index + 1) / 2 : -(-index / 2);
            if (!put_bucket(ret, half, counts[k], arena)) return false;
        }
    }
    return true;
}

static bool reduce(Histogram *h, Arena *arena) {
    Side pos = {0}, neg = {0};
    if (!halve(h->pos_spans, h->n_pos_spans, h->pos, &pos, arena)) return false;
    if (!halve(h->neg_spans, h->n_neg_spans, h->neg, &neg, arena)) return false;
    h->schema--;
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

ErrCode scrape_histogram_fit(Histogram *h, uint64_t limit, double min_factor, Arena *arena, Err *reterr) {
    bool custom = h->schema == HISTOGRAM_SCHEMA_CUSTOM;
    for (;;) {
        bool many = limit && (uint64_t)h->n_pos + h->n_neg > limit;
        bool fine = !custom && min_factor > 1 && exp2(exp2(-h->schema)) < min_factor && h->schema > HISTOGRAM_SCHEMA_MIN;
        if (!many && !fine) return OK;
        if (custom || h->schema <= HISTOGRAM_SCHEMA_MIN)
            return err_set(reterr, ERR_TOO_LARGE, "histogram bucket limit exceeded");
        if (!reduce(h, arena)) return err_set(reterr, ERR_TOO_LARGE, "the memory budget of the scrape is used up");
    }
}
