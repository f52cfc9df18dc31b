/* otlp_group.h - a batch's rows by resource and scope, as OTLP nests them. Private to room traces. */
#ifndef MEERKAT_TRACES_OTLP_GROUP_H
#define MEERKAT_TRACES_OTLP_GROUP_H

#include "model/spans_batch.h"

typedef struct OtlpGroup {
    uint32_t resource, scope;
    uint32_t first, last;      /* rows + 1, linked by next_row */
    uint32_t next_of_resource; /* group + 1 */
    bool leads;                /* the first of its resource */
    uint32_t last_of_resource;
} OtlpGroup;
typedef VEC(OtlpGroup) OtlpGroups;

/* Groups in the order in which they come up first. next_row: one place per row, filled in: the group's next row + 1, 0
 * at its end. */
void otlp_group_rows(const SpansBatch *b, OtlpGroups *groups, uint32_t *next_row);

#endif
