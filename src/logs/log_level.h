/* log_level.h - the level of a log line, for Loki's detected_level label. */
#ifndef MEERKAT_LOGS_LOG_LEVEL_H
#define MEERKAT_LOGS_LOG_LEVEL_H

#include "model/attrs.h"
#include "model/labels.h"

/* One of trace debug info warn error critical fatal unknown (static strings): from metadata, stream labels, a JSON
 * (two levels deep) or logfmt field of a usual name, else the first level word in the line. */
Str log_level_detect(Labels stream, const Attr *metadata, size_t n, Str line);
/* "WARNING" -> warn; STR_NULL for what is no level. */
Str log_level_normalize(Str s);

#endif
