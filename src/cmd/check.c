/* check.c - `meerkat check ...`: says what is wrong with a file before it is used. */
#include "cmd/check_int.h"
#include "cmd/command.h"
#include "cmd/config.h"

#include <stdio.h>

static int check_file(const char *file) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    DiagList diags;
    diag_init(&diags, str_cstr(file), STR_NULL);
    bool ok = config_load(file, NULL, 0, arena, &diags) != NULL;
    Buf out = {0};
    diag_render(&diags, &out, command_colour());
    if (out.n) fwrite(out.p, 1, out.n, stderr);
    if (ok) printf("%s: fine\n", file);
    buf_done(&out);
    diag_done(&diags);
    arena_free(arena);
    return ok ? 0 : 1;
}

int cmd_check_config(int argc, char **argv) {
    int worst = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--markdown") == 0) {
            Buf out = {0};
            config_put_markdown(&out);
            fwrite(out.p, 1, out.n, stdout);
            buf_done(&out);
            return 0;
        }
        if (argv[i][0] == '-') return command_unknown_option("check config", argv[i]);
    }
    for (int i = 0; i < argc; i++) {
        int code =
            check_is_prometheus(argv[i]) ? check_prometheus(argv[i], &(CheckPrometheus){0}) : check_file(argv[i]);
        worst = MAX(worst, code);
    }
    return argc ? worst : check_file("meerkat.yml");
}
