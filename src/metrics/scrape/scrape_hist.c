#include "metrics/scrape/scrape_hist.h"

#include <math.h>

ErrCode scrape_histogram_fit(
    Histogram *h, uint64_t limit, double min_factor, Arena *arena, bool *ret_too_many, Err *reterr) {
    bool custom = h->schema == HISTOGRAM_SCHEMA_CUSTOM;
    *ret_too_many = false;
    for (;;) {
        bool many = limit && (uint64_t)h->n_pos + h->n_neg > limit;
        bool fine =
            !custom && min_factor > 1 && exp2(exp2(-h->schema)) < min_factor && h->schema > HISTOGRAM_SCHEMA_MIN;
        if (!many && !fine) return OK;
        *ret_too_many = many && (custom || h->schema <= HISTOGRAM_SCHEMA_MIN || h->schema > HISTOGRAM_SCHEMA_MAX);
        if (*ret_too_many) return OK;
        if (!histogram_reduce(h, 1, arena))
            return err_set(reterr, ERR_TOO_LARGE, "the memory budget of the scrape is used up");
    }
}
