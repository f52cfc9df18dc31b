/* store_set_int.h - a selection of the embedded store: which series of which sources. Shared by store_set*.c.
 *
 * Of a series it keeps where it is, not what its labels are: a million series take a few bytes each. */
#ifndef MEERKAT_METRICS_STORE_SET_INT_H
#define MEERKAT_METRICS_STORE_SET_INT_H

#include "metrics/series_set.h"
#include "metrics/store_int.h"

typedef struct SetSource {
    uint32_t source, id; /* as in SourceSeries */
} SetSource;

typedef struct EmbeddedSet {
    SeriesSet base; /* first */
    View *view;
    MetricsSelect req;
    SetSource *sources; /* grouped by series; all in the arena */
    uint32_t *first;    /* n + 1: where a series' sources begin; NULL: one for each */
} EmbeddedSet;

static inline size_t set_first(const EmbeddedSet *s, size_t i) { return s->first ? s->first[i] : i; }

/* The labels as a source knows them. ERR_TOO_LARGE, ERR_CORRUPT. */
ErrCode view_labels(View *v, SetSource at, Arena *arena, Labels *ret, Err *reterr);
/* Finds the series; s->view and s->req are set. */
ErrCode set_fill(EmbeddedSet *s, Err *reterr);

#endif
