/* debug.c - `meerkat debug ...`: looks into files on disk, read-only, whatever state they are in. */
#include "cmd/command.h"
#include "storage/dump.h"

#include <stdio.h>

static bool print(void *ctx, Str text) {
    (void)ctx;
    return fwrite(text.p, 1, text.n, stdout) == text.n;
}

typedef ErrCode (*Dump)(Fs *, const char *, DumpFormat, DumpSink, void *, DumpResult *, Err *);

/* Exit code 1 when something in the file is damaged, so that scripts can ask. */
static int dump(const char *what, Dump fn, int argc, char **argv) {
    DumpFormat format = DUMP_TEXT;
    const char *path = NULL;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            format = DUMP_JSON;
        else if (argv[i][0] == '-' || path)
            return command_unknown_option(what, argv[i]);
        else
            path = argv[i];
    }
    if (!path) return command_usage("%s wants a path", what);
    DumpResult result = {0};
    Err err = {0};
    ErrCode r = fn(fs_real(), path, format, print, NULL, &result, &err);
    if (r != OK) return command_fail(&err);
    fprintf(stderr, "%llu good, %llu bad\n", (unsigned long long)result.good, (unsigned long long)result.bad);
    return result.bad > 0 ? 1 : 0;
}

int cmd_debug_dump_wal(int argc, char **argv) { return dump("debug dump-wal", dump_wal, argc, argv); }
int cmd_debug_dump_part(int argc, char **argv) { return dump("debug dump-part", dump_part, argc, argv); }
