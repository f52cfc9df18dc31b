/* check_metrics.c - `meerkat check metrics`: an exposition on standard input against the conventions. */
#include "cmd/command.h"

#include "base/buf.h"
#include "metrics/promlint.h"

#include <stdlib.h>

#define TEXT_BYTES_MAX ((size_t)1 << 30)

static bool read_input(Buf *out) {
    char block[65536];
    size_t n;
    while ((n = fread(block, 1, sizeof block, stdin)) > 0) {
        buf_put(out, block, n);
        if (out->n > TEXT_BYTES_MAX) return false;
    }
    return !ferror(stdin);
}

static int by_series(const void *a, const void *b) {
    const PromLintFamily *x = a, *y = b;
    return x->series != y->series ? (x->series < y->series ? 1 : -1) : str_cmp(x->name, y->name);
}

/* promtool's table: columns four blanks apart. */
static void put_row(int width, const char *name, int name_len, const char *count, const char *percent) {
    printf("%-*.*s%-15s%-14s\n", width, name_len, name, count, percent);
}

static void put_cardinality(PromLint *lint) {
    uint64_t total = 0;
    size_t width = strlen("Metric");
    char count[24], percent[24];
    for (size_t i = 0; i < lint->families.n; i++) {
        total += lint->families.v[i].series;
        width = MAX(width, lint->families.v[i].name.n);
    }
    if (lint->families.n > 1) qsort(lint->families.v, lint->families.n, sizeof *lint->families.v, by_series);
    put_row((int)width + 4, "Metric", 6, "Cardinality", "Percentage");
    for (size_t i = 0; i < lint->families.n; i++) {
        const PromLintFamily *f = &lint->families.v[i];
        if (f->series == 0) continue;
        snprintf(count, sizeof count, "%llu", (unsigned long long)f->series);
        snprintf(percent, sizeof percent, "%.2f%%", 100.0 * (double)f->series / (double)total);
        put_row((int)width + 4, f->name.p, (int)f->name.n, count, percent);
    }
    snprintf(count, sizeof count, "%llu", (unsigned long long)total);
    put_row((int)width + 4, "Total", 5, count, "100%");
}

static int check(Str text, bool extended, bool lint_on) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    PromLint lint;
    Err err = {0};
    int code = 0;
    if (promlint_run(text, arena, &lint, &err) != OK) {
        fprintf(stderr, "error while linting: %s\n", err.msg);
        code = 1;
    }
    for (size_t i = 0; code != 1 && lint_on && i < lint.problems.n; i++) {
        const PromLintProblem *p = &lint.problems.v[i];
        fprintf(stderr, "%.*s %.*s\n", (int)p->metric.n, p->metric.p, (int)p->text.n, p->text.p);
        code = 3;
    }
    if (code != 1 && extended) put_cardinality(&lint);
    arena_free(arena);
    return code;
}

int cmd_check_metrics(int argc, char **argv) {
    bool extended = false, lint = true;
    const char *value;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--extended") == 0)
            extended = true;
        else if (command_option(argc, argv, &i, "--lint", &value)) {
            lint = value && strcmp(value, "all") == 0;
            if (!value || (!lint && strcmp(value, "none") != 0)) return command_usage("--lint is one of all, none");
        } else if (argv[i][0] == '-')
            return command_unknown_option("check metrics", argv[i]);
        else
            return command_usage("check metrics reads standard input: meerkat check metrics < \"%s\"", argv[i]);
    }
    if (!extended && !lint) return command_usage("check metrics --lint=none has nothing to do without --extended");
    Buf text = {0};
    int code = 1;
    if (read_input(&text))
        code = check(buf_str(&text), extended, lint);
    else
        fputs("meerkat: standard input cannot be read, or is longer than 1 GiB\n", stderr);
    buf_done(&text);
    return code;
}
