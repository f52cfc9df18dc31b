/* fs_glob.h - file names by pattern: *, ?, [a-z], as in rule_files and the files of service discovery. */
#ifndef MEERKAT_SYS_FS_GLOB_H
#define MEERKAT_SYS_FS_GLOB_H

#include "base/arena.h"
#include "base/err.h"

/* Existing files and directories that match, sorted; none is not an error. A pattern without wildcards is a name. The
 * names are NUL-terminated and live in the arena. ERR_TOO_LARGE: more than GLOB_NAMES_MAX, or the arena is used up;
 * ERR_IO: a directory cannot be read. */
#define GLOB_NAMES_MAX 100000
ErrCode fs_glob(Str pattern, Arena *arena, Str **ret, size_t *ret_n, Err *reterr);
/* Changes when the file is written, replaced or removed: device, inode, size and times in one number. 0: not there. */
uint64_t fs_stamp(const char *path);

#endif
