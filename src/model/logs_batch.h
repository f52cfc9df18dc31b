/* logs_batch.h - what Loki push, OTLP and syslog hand to a log store: lines in streams. */
#ifndef MEERKAT_MODEL_LOGS_BATCH_H
#define MEERKAT_MODEL_LOGS_BATCH_H

#include "base/vec.h"
#include "model/attrs.h"
#include "model/labels.h"

typedef struct LogRow {
    uint32_t stream; /* into streams */
    int64_t t_ns;
    Str line;
    AttrRange metadata; /* structured metadata: keys are label names, typed values */
} LogRow;

typedef struct LogsBatch {
    Arena *arena;
    AVEC(Labels) streams; /* index labels, sorted, unique */
    AVEC(LogRow) rows;
    AttrPool attrs;
} LogsBatch;

#endif
