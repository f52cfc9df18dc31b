/* scrape_nhcb.h - classic histograms as native ones with custom buckets: a visitor between a parser and a taker.
 *
 * The series of one histogram stand together in every exposition; when another one begins the native histogram is
 * handed on, under the base name with the labels but le. */
#ifndef MEERKAT_METRICS_SCRAPE_SCRAPE_NHCB_H
#define MEERKAT_METRICS_SCRAPE_SCRAPE_NHCB_H

#include "metrics/scrape/promtext.h"

typedef struct Nhcb Nhcb;
/* next gets what is not a classic histogram, the native ones, and with keep_classic the classic series, too. created: a
 * histogram's _created line tells when it began. */
Nhcb *nhcb_create(const PromTextVisitor *next, bool keep_classic, bool created, Arena *arena);
PromTextVisitor nhcb_visitor(Nhcb *n);
/* After the last sample of a good parse: hands the last one on. */
ErrCode nhcb_finish(Nhcb *n, Err *reterr);
void nhcb_free(Nhcb *n);

#endif
