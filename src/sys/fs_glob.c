#include "sys/fs_glob.h"

#include <errno.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

static int stop_on_error(const char *path, int error) {
    (void)path;
    return error != ENOENT && error != ENOTDIR;
}

static ErrCode copy_names(const glob_t *g, Arena *arena, Str **ret, size_t *ret_n, Err *reterr) {
    if (g->gl_pathc > GLOB_NAMES_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "the pattern matches more than %d files", GLOB_NAMES_MAX);
    Str *v = ARENA_ARRAY(arena, Str, g->gl_pathc);
    for (size_t i = 0; v && i < g->gl_pathc; i++) v[i] = arena_copy(arena, str_cstr(g->gl_pathv[i]));
    if (!v || arena_exhausted(arena)) return err_set(reterr, ERR_TOO_LARGE, "too many file names");
    *ret = v;
    *ret_n = g->gl_pathc;
    return OK;
}

ErrCode fs_glob(Str pattern, Arena *arena, Str **ret, size_t *ret_n, Err *reterr) {
    *ret = NULL;
    *ret_n = 0;
    char *text = str_dup_cstr(pattern);
    glob_t g = {0};
    int rc = glob(text, 0, stop_on_error, &g);
    ErrCode code = OK;
    if (rc == 0)
        code = copy_names(&g, arena, ret, ret_n, reterr);
    else if (rc != GLOB_NOMATCH)
        code = err_set(reterr, ERR_IO, "%s: a directory of the pattern cannot be read", text);
    globfree(&g);
    mem_free(text);
    return code;
}

uint64_t fs_stamp(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) return 0;
    const uint64_t parts[] = {(uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size,
        (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec, (uint64_t)st.st_ctim.tv_sec,
        (uint64_t)st.st_ctim.tv_nsec};
    uint64_t h = 1;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) h = (h ^ parts[i]) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    return h | 1;
}
