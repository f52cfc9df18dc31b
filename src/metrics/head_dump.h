/* head_dump.h - a head's series in the order of their labels, as a part wants them. */
#ifndef MEERKAT_METRICS_HEAD_DUMP_H
#define MEERKAT_METRICS_HEAD_DUMP_H

#include "metrics/head.h"

typedef struct HeadDump HeadDump;

/* Of a head that gets no more samples (its index may grow meanwhile). Holds a reference. */
ATTR_MUST HeadDump *head_dump_create(Head *h);
HeadDump *head_dump_free(HeadDump *d); /* NULL is fine; returns NULL */
/* The series with samples. */
size_t head_dump_count(const HeadDump *d);
uint32_t head_dump_id(const HeadDump *d, size_t i);
/* Label names and values as places in the sorted symbols; n of each, valid until the next call. */
void head_dump_labels(HeadDump *d, size_t i, const uint32_t **ret_names, const uint32_t **ret_values, uint32_t *ret_n);
/* Every symbol of these series, sorted, unique. */
const Str *head_dump_symbols(const HeadDump *d, size_t *ret_n);

#endif
