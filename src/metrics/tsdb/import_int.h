/* import_int.h - between the files of the import. Private. */
#ifndef MEERKAT_METRICS_TSDB_IMPORT_INT_H
#define MEERKAT_METRICS_TSDB_IMPORT_INT_H

#include "metrics/tsdb/batcher.h"

/* Head chunks, the newest checkpoint, wal and wbl; nothing when they are not there. */
ErrCode import_head(const TsdbImport *im, TsdbImportResult *ret, Err *reterr);

#endif
