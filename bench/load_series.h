/* load_series.h - the series and values a load generator sends: what a fleet of services exposes to scrapes.
 *
 * Series are numbered; SERIES_PER_TARGET in a row belong to one target (pod), carry its labels and its scrape times.
 * Everything follows from the series' number and the seed, so that every system under test gets the same bytes. Of
 * every 100 series
 *   35 are counters: integers, a quarter of them idle, some in hundredths of a second (CPU time);
 *   25 are gauges: constants, small integers, sizes in pages, decimals;
 *   28 are buckets of cumulative histograms: counters of which neighbours move together and many stand still;
 *   12 are full-precision noise (MIX_REAL) or values with three decimals (MIX_DECIMAL). */
#ifndef MEERKAT_BENCH_LOAD_SERIES_H
#define MEERKAT_BENCH_LOAD_SERIES_H

#include "base/buf.h"
#include "sys/random.h"

#define SERIES_PER_TARGET 500

typedef enum Mix { MIX_REAL, MIX_DECIMAL } Mix;

typedef struct LoadSeries {
    Rng rng;
    double value, level; /* level: what the kind keeps beside its value */
    uint32_t number;
} LoadSeries;

void load_series_init(LoadSeries *s, uint32_t number, uint64_t seed);
/* The label messages of a remote write 1.0 TimeSeries: ten labels. generation counts the target's lives: each has a
 * pod name of its own. */
void load_series_labels(Buf *out, uint32_t number, uint32_t generation);
/* The next value. */
double load_series_next(LoadSeries *s, Mix mix);
/* When the target of this series is scraped within an interval. */
uint32_t load_series_offset_ms(uint32_t number, uint32_t interval_ms);

#endif
