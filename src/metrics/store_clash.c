#include "metrics/store_clash.h"

#include "base/num.h"
#include "metrics/head_int.h"

/* The writer is the only one that changes a series: it may look without the shard's lock. */

int64_t clash_newest(const Head *h, uint32_t id) {
    const HeadSeries *s = head_series(h, id);
    int64_t oldest, newest;
    return s && head_range_of(h, s, &oldest, &newest) ? newest : INT64_MIN;
}

static bool sealed_value(const HeadExtra *x, int64_t t, double *ret) {
    int64_t times[LATE_MAX];
    double values[LATE_MAX];
    for (const SealedChunk *c = x ? x->sealed : NULL; c; c = c->older) {
        if (t < c->min_t || t > c->max_t || !head_sealed_decode(c, times, values)) continue;
        for (uint32_t i = 0; i < c->n; i++) {
            if (times[i] != t) continue;
            *ret = values[i];
            return true;
        }
    }
    return false;
}

static bool float_at(const Head *h, const HeadSeries *s, int64_t t, double *ret) {
    for (size_t i = s->n; i-- > 0;) {
        if (head_open_t(h, s, i) != t) continue;
        uint64_t bits = head_open_v(h, s, i);
        memcpy(ret, &bits, sizeof bits);
        return true;
    }
    return sealed_value(head_extra(h, s), t, ret);
}

void clash_put_text(Buf *out, const Head *h, uint32_t id, int64_t t, const double *got) {
    const HeadSeries *s = head_series(h, id);
    double have;
    buf_put_lit(out, "duplicate sample for timestamp");
    if (!got || !s) return;
    buf_printf(out, " %lld; overrides not allowed: existing ", (long long)t);
    if (float_at(h, s, t, &have))
        num_put_f64_go_g(out, have);
    else
        buf_put_lit(out, "is a histogram");
    buf_put_lit(out, ", new value ");
    num_put_f64_go_g(out, *got);
}
