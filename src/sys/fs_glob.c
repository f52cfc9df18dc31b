#include "sys/fs_glob.h"

#include <errno.h>
#include <glob.h>
#include <string.h>

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
