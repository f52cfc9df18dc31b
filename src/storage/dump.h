/* dump.h - what is in log segments and parts, for people: the work behind `meerkat debug dump-wal` and `dump-part`.
 *
 * Content that is damaged is shown as such and is no error. Payload bytes are summarised: their length and the first
 * few, escaped. */
#ifndef MEERKAT_STORAGE_DUMP_H
#define MEERKAT_STORAGE_DUMP_H

#include "base/buf.h"
#include "sys/fs.h"

typedef enum DumpFormat { DUMP_TEXT, DUMP_JSON /* one object per line */ } DumpFormat;

/* Takes finished lines, several at a time. False stops (a closed pipe): the dump then ends with OK. */
typedef bool (*DumpSink)(void *ctx, Str text);

typedef struct DumpResult {
    uint64_t good, bad; /* frames or blocks */
} DumpResult;

/* Every frame of every segment in the log's directory. Errors: of the file system. */
ErrCode dump_wal(Fs *fs, const char *dir, DumpFormat format, DumpSink sink, void *ctx, DumpResult *ret, Err *reterr);
/* Footer, trailer and every block that the index names. A part of wide events shows its fields; of other parts only
 * the footer is known. ERR_CORRUPT when the trailer or the footer does not hold: then there is nothing to walk. */
ErrCode dump_part(Fs *fs, const char *path, DumpFormat format, DumpSink sink, void *ctx, DumpResult *ret, Err *reterr);

#endif
