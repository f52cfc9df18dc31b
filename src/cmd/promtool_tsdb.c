/* promtool_tsdb.c - promtool tsdb list|analyze|dump|create-blocks-from openmetrics: the commands of `meerkat tsdb`. */
#include "cmd/promtool_int.h"
#include "cmd/tsdb_cmd.h"
#include "sys/fs.h"

#include <stdio.h>

/* promtool's directory; Meerkat's own where that is not there. */
static const char *directory(const PtLine *l) {
    const char *given = pt_arg(l, 0);
    if (given) return given;
    bool own = !fs_real()->ops->exists(fs_real(), "data") && fs_real()->ops->exists(fs_real(), "meerkat-data");
    return own ? "meerkat-data" : "data/";
}

/* The given flags but those that mean nothing here, then the arguments from `first` on. */
static int forward(const PtLine *l, const char *dir, size_t first, int (*run)(int argc, char **argv)) {
    static const char *const without[] = {"sandbox-dir-root", "max-block-duration", "allow-incompatible-block-duration",
        "enable-feature", "experimental"};
    Arena *arena = arena_create(1u << 20);
    char **argv = mem_alloc_array(l->given.n + l->args.n + 2, sizeof(char *));
    int argc = 0;
    for (size_t i = 0; i < l->given.n; i++) {
        const PtGiven *g = &l->given.v[i];
        bool skip = g->flag->kind == PT_SWITCH && strcmp(g->text, "true") != 0;
        for (size_t k = 0; k < ARRAY_LEN(without); k++) skip |= strcmp(g->flag->name, without[k]) == 0;
        if (skip) continue;
        Str arg = g->flag->kind == PT_SWITCH ? arena_printf(arena, "--%s", g->flag->name)
                                             : arena_printf(arena, "--%s=%s", g->flag->name, g->text);
        argv[argc++] = (char *)(uintptr_t)arg.p;
    }
    if (dir) argv[argc++] = (char *)(uintptr_t)dir;
    for (size_t i = first; i < l->args.n; i++) argv[argc++] = (char *)(uintptr_t)l->args.v[i];
    argv[argc] = NULL;
    int code = run(argc, argv);
    mem_free(argv);
    arena_free(arena);
    return code ? 1 : 0;
}

static int forward_db(const PtLine *l, int (*run)(int argc, char **argv)) {
    const char *dir = directory(l);
    if (fs_real()->ops->exists(fs_real(), dir)) return forward(l, dir, 1, run);
    fprintf(stderr, "opening the db dir: stat %s: no such file or directory\n", dir);
    return 1;
}

int promtool_tsdb_analyze(const PtLine *l) { return forward_db(l, cmd_tsdb_analyze); }

/* A directory without blocks has a list all the same. */
int promtool_tsdb_list(const PtLine *l) {
    const char *dir = directory(l);
    Buf out = {0};
    Err err = {0};
    if (!fs_real()->ops->exists(fs_real(), dir) || tsdb_kind(dir) != TSDB_NEITHER) return forward_db(l, cmd_tsdb_list);
    ErrCode code = tsdb_blocks_list(dir, STR_NULL, false, &out, &err);
    if (code == OK)
        fwrite(out.p, 1, out.n, stdout);
    else
        fprintf(stderr, "%s\n", err.msg);
    buf_done(&out);
    return code == OK ? 0 : 1;
}

int promtool_tsdb_dump(const PtLine *l) { return forward_db(l, cmd_tsdb_dump); }
int promtool_tsdb_dump_openmetrics(const PtLine *l) { return forward_db(l, cmd_tsdb_dump_openmetrics); }
int promtool_tsdb_create_openmetrics(const PtLine *l) { return forward(l, NULL, 0, cmd_tsdb_create_blocks); }
