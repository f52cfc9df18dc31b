/* promtool_personality.c - promtool's command line, for scripts that have it: `meerkat promtool ...`, or a link of that
 * name to the program. */
#include "cmd/promtool_int.h"

#include <stdio.h>

/* Features that Prometheus wants to be switched on. Here they are always on, but for the one that a run is told by a
 * setting of its own. */
static void check_features(const PtLine *l) {
    static const char *const known[] = {"promql-unquoted-utf8-names", "promql-experimental-functions",
        "promql-delayed-name-removal", "promql-duration-expr", "promql-extended-range-selectors",
        "promql-binop-fill-modifiers", ""};
    const char *list;
    for (size_t i = 0; (list = pt_item(l, "enable-feature", i)) != NULL; i++) {
        Str rest = str_cstr(list), name;
        while (str_split_next(&rest, ',', &name)) {
            size_t k = 0;
            while (k < ARRAY_LEN(known) && !str_eq(name, str_cstr(known[k]))) k++;
            if (k == ARRAY_LEN(known))
                printf("  WARNING: Unknown feature passed to --enable-feature: %.*s", (int)name.n, name.p);
        }
    }
}

static int run(const PtLine *l) {
    check_features(l);
    command_errors_plain();
    if (l->command->experimental && !pt_switch(l, "experimental")) {
        fputs("This command is experimental and requires the --experimental flag to be set.\n", stderr);
        return 1;
    }
    int code = l->command->run(l);
    return code == 2 ? 1 : code; /* promtool has no other for wrong usage */
}

/* Hidden flags that shells ask. */
static bool complete(int argc, char **argv) {
    bool zsh = argc == 1 && strcmp(argv[0], "--completion-script-zsh") == 0;
    bool script = zsh || (argc == 1 && strcmp(argv[0], "--completion-script-bash") == 0);
    bool words = argc > 0 && strcmp(argv[0], "--completion-bash") == 0;
    if (script) pt_put_completion_script(zsh);
    if (words) pt_complete(&promtool_table, argc - 1, argv + 1);
    return script || words;
}

int cmd_promtool(int argc, char **argv) {
    PtLine l;
    if (complete(argc, argv)) return 0;
    int code = pt_parse(&promtool_table, argc, argv, &l);
    if (code == 0 && l.version) {
        printf("promtool, version 3.16.0 (Meerkat)\n");
    } else if (code == 0 && l.help) {
        Buf out = {0};
        pt_put_help(&promtool_table, &l, &out);
        fwrite(out.p, 1, out.n, stdout);
        buf_done(&out);
    } else if (code == 0) {
        code = run(&l);
    }
    pt_done(&l);
    return code;
}

int cmd_promtool_verb(int argc, char **argv) {
    PtLine l;
    pt_program = "meerkat";
    int code = pt_parse(&promtool_table, argc, argv, &l) ? 2 : run(&l); /* 2: wrong usage, as everywhere here */
    pt_done(&l);
    return code;
}
