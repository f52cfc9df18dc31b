/* scrape_nhcb.h - classic histograms as native ones with custom buckets: a visitor between a parser and a taker.
 *
 * The series of one histogram stand together in every exposition; when another one begins the native histogram is
 * handed on, under the base name with the labels but le. */
#ifndef MEERKAT_METRICS_SCRAPE_SCRAPE_NHCB_H
#define MEERKAT_METRICS_SCRAPE_SCRAPE_NHCB_H

#include "metrics/scrape/promtext.h"

typedef struct Nhcb Nhcb;
typedef struct NhcbOptions {
    bool keep_classic; /* the classic series are handed on, too */
    bool created;      /* a histogram's _created line tells when it began */
    bool proto;        /* the exposition is protobuf: histograms that make no sense are errors; in text they vanish */
} NhcbOptions;
/* next gets what is not of a classic histogram, and the native ones. */
Nhcb *nhcb_create(const PromTextVisitor *next, const NhcbOptions *o, Arena *arena);
PromTextVisitor nhcb_visitor(Nhcb *n);
/* After the last sample of a good parse: hands the last one on. */
ErrCode nhcb_finish(Nhcb *n, Err *reterr);
void nhcb_free(Nhcb *n);

#endif
