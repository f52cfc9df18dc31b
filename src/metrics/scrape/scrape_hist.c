#include "metrics/scrape/scrape_hist.h"

#include <math.h>

/* Empty ones take no place where they are kept. */
static uint64_t buckets(const Histogram *h) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < h->n_pos; i++) n += h->pos[i] != 0;
    for (uint32_t i = 0; i < h->n_neg; i++) n += h->neg[i] != 0;
    return n;
}

/* As Go computes it: the last digit decides for factors that are those of a schema. */
static double log2_go(double v) {
    int exp2;
    double part = frexp(v, &exp2);
    return part == 0.5 ? exp2 - 1 : log(part) * (1 / M_LN2) + exp2;
}

/* The highest resolution whose buckets grow by at least the factor (Prometheus: pickSchema). */
static double schema_for(double min_factor) { return floor(-log2_go(log2_go(min_factor))); }

ErrCode scrape_histogram_fit(
    Histogram *h, uint64_t limit, double min_factor, Arena *arena, bool *ret_too_many, Err *reterr) {
    bool custom = h->schema == HISTOGRAM_SCHEMA_CUSTOM, choosy = !custom && min_factor > 1;
    double highest = choosy ? schema_for(min_factor) : HISTOGRAM_SCHEMA_MAX;
    *ret_too_many = false;
    for (;;) {
        bool many = limit && buckets(h) > limit,
             fine = choosy && h->schema > highest && h->schema > HISTOGRAM_SCHEMA_MIN;
        if (!many && !fine) return OK;
        *ret_too_many =
            many && !fine && (custom || h->schema <= HISTOGRAM_SCHEMA_MIN || h->schema > HISTOGRAM_SCHEMA_MAX);
        if (*ret_too_many) return OK;
        if (!histogram_reduce(h, 1, arena))
            return err_set(reterr, ERR_TOO_LARGE, "the memory budget of the scrape is used up");
    }
}
