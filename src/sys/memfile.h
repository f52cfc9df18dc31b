/* memfile.h - a file in memory with a name, for libraries that only take names (PEM texts that stand in a
 * configuration). */
#ifndef MEERKAT_SYS_MEMFILE_H
#define MEERKAT_SYS_MEMFILE_H

#include "base/err.h"

typedef struct MemFile {
    int fd;
    char path[32]; /* readable by this process as long as the file is open */
} MemFile;

ErrCode memfile_create(Str data, MemFile *ret, Err *reterr);
void memfile_close(MemFile *f); /* NULL is fine */

#endif
