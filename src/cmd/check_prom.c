/* check_prom.c - `meerkat check config prometheus.yml`: as promtool check config does, every problem at once. */
#include "base/vec.h"
#include "cmd/check_int.h"
#include "cmd/command.h"
#include "metrics/config/prom_config.h"
#include "sys/fs.h"
#include "sys/fs_glob.h"

#include <stdio.h>

#define FILE_BYTES_MAX (16u << 20)

static void print_diags(const DiagList *diags) {
    Buf out = {0};
    diag_render(diags, &out, command_colour());
    fwrite(out.p ? out.p : "", 1, out.n, stderr);
    buf_done(&out);
}

static bool has_wildcard(Str s) {
    return str_find_char(s, '*') != SIZE_MAX || str_find_char(s, '?') != SIZE_MAX || str_find_char(s, '[') != SIZE_MAX;
}

/* A name without wildcards must be there; a pattern that finds nothing is only worth a word. */
static void want_pattern(DiagList *diags, Arena *arena, int line, const char *what, Str pattern) {
    Str *names;
    size_t n = 0;
    Err err = {0};
    if (fs_glob(pattern, arena, &names, &n, &err) != OK)
        diag_add(diags, DIAG_ERROR, line, 1, 1, NULL, "%s", err.msg);
    else if (n == 0 && !has_wildcard(pattern))
        diag_add(diags, DIAG_ERROR, line, 1, 1, NULL, "\"%" STR_FMT "\" does not point to an existing file",
            STR_ARG(pattern));
    else if (n == 0)
        diag_add(diags, DIAG_WARNING, line, 1, 1, NULL, "%s \"%" STR_FMT "\" finds no file", what, STR_ARG(pattern));
}

static void check_sd(DiagList *diags, Arena *arena, const PromSdConfigs *sd) {
    for (size_t i = 0; i < sd->n; i++) {
        const PromSdConfig *c = &sd->v[i];
        for (size_t k = 0; k < c->files.n; k++) {
            if (has_wildcard(c->files.v[k]))
                want_pattern(diags, arena, c->line, "the pattern", c->files.v[k]);
            else if (!fs_real()->ops->exists(fs_real(), arena_copy(arena, c->files.v[k]).p))
                diag_add(diags, DIAG_WARNING, c->line, 1, 1, NULL,
                    "file \"%" STR_FMT "\" for file_sd does not exist yet", STR_ARG(c->files.v[k]));
        }
    }
}

static void check_files(const PromConfig *c, DiagList *diags, Arena *arena) {
    for (size_t i = 0; i < c->n_rule_files; i++) want_pattern(diags, arena, 1, "rule_files", c->rule_files[i]);
    for (size_t i = 0; i < c->n_scrapes; i++) check_sd(diags, arena, &c->scrapes[i].sd);
    for (size_t i = 0; i < c->n_alertmanagers; i++) check_sd(diags, arena, &c->alertmanagers[i].sd);
}

static Str dir_of(Str path) {
    size_t slash = str_rfind_char(path, '/');
    return slash == SIZE_MAX ? STR("") : slash == 0 ? STR("/") : str_slice(path, 0, slash);
}

bool check_is_prometheus(const char *file) {
    static const char *const keys[] = {"global", "scrape_configs", "scrape_config_files", "rule_files", "alerting",
        "remote_write", "remote_read", "otlp", "tracing", "runtime", "  tsdb", "  exemplars"};
    Buf text = {0};
    bool found = str_contains(str_cstr(file), STR("prometheus"));
    if (fs_read_file(fs_real(), file, FILE_BYTES_MAX, &text, NULL) == OK) {
        Str rest = buf_str(&text), line;
        while (!found && str_split_next(&rest, '\n', &line)) {
            size_t colon = str_find_char(line, ':');
            for (size_t i = 0; colon != SIZE_MAX && i < ARRAY_LEN(keys); i++)
                found = found || str_eq(str_slice(line, 0, colon), str_cstr(keys[i]));
        }
    }
    buf_done(&text);
    return found;
}

/* What rule_files find, after the options for `check rules`. */
typedef VEC(char *) Args;

static void find_rule_files(const PromConfig *c, const CheckPrometheus *opts, Arena *arena, Args *ret) {
    for (const char *const *o = opts->for_rules; o && *o; o++) vec_push(ret, (char *)(uintptr_t)*o);
    for (size_t i = 0; i < c->n_rule_files; i++) {
        Str *names;
        size_t n = 0;
        if (fs_glob(c->rule_files[i], arena, &names, &n, NULL) != OK) continue;
        for (size_t k = 0; k < n; k++) vec_push(ret, (char *)(uintptr_t)arena_copy(arena, names[k]).p);
    }
}

static int check_rule_files(const PromConfig *c, const CheckPrometheus *opts, const char *file, Arena *arena) {
    Args args = {0};
    size_t options = 0;
    for (const char *const *o = opts->for_rules; o && *o; o++) options++;
    find_rule_files(c, opts, arena, &args);
    bool any = args.n > options;
    if (any) printf("  SUCCESS: %zu rule files found\n", args.n - options);
    printf(" SUCCESS: %s is valid prometheus config file syntax\n\n", file);
    fflush(stdout);
    int code = any ? cmd_check_rules((int)args.n, args.v) : 0;
    vec_done(&args);
    return code;
}

int check_prometheus(const char *file, const CheckPrometheus *opts) {
    Buf text = {0};
    Err err = {0};
    DiagList diags;
    PromConfig *config = NULL;
    printf("Checking %s\n", file);
    if (fs_read_file(fs_real(), file, FILE_BYTES_MAX, &text, &err) != OK) {
        fprintf(stderr, "  FAILED: %s\n", err.msg);
        buf_done(&text);
        return 1;
    }
    diag_init(&diags, str_cstr(file), buf_str(&text));
    Arena *arena = arena_create(64u << 20);
    if (prom_config_check(buf_str(&text), dir_of(str_cstr(file)), &config, &diags) == OK)
        if (!opts->syntax_only) check_files(config, &diags, arena);
    size_t errors = diag_error_count(&diags);
    print_diags(&diags);
    int code = 1;
    if (errors)
        printf("  FAILED: %zu error%s\n", errors, errors == 1 ? "" : "s");
    else if (opts->syntax_only)
        code = printf(" SUCCESS: %s is valid prometheus config file syntax\n\n", file) < 0;
    else
        code = check_rule_files(config, opts, file, arena);
    prom_config_free(config);
    arena_free(arena);
    diag_done(&diags);
    buf_done(&text);
    return code;
}
