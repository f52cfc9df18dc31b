/* rule_unit.c - a file of unit tests: read, its rule files found, its tests run. */
#include "alert/rule_unit_int.h"
#include "codec/regex.h"
#include "sys/fs.h"
#include "sys/fs_glob.h"

#include <stdio.h>

#define FILE_BYTES_MAX (64u << 20)

/* --- which tests --- */

static bool matches(const RuleUnitOptions *opts, Str name) {
    bool any = opts->n_run == 0;
    for (size_t i = 0; i < opts->n_run && !any; i++) {
        Regex *re = NULL;
        if (regex_compile(opts->run[i], 0, &re, NULL) == OK) any = regex_match(re, name);
        regex_free(re);
    }
    return any;
}

static bool check_patterns(UnitRun *r) {
    for (size_t i = 0; i < r->opts->n_run; i++) {
        Regex *re = NULL;
        Err err = {0};
        if (regex_compile(r->opts->run[i], 0, &re, &err) != OK) {
            rule_unit_fail(r, "invalid --run regular expression: %s", err.msg);
            return false;
        }
        regex_free(re);
    }
    return true;
}

/* --- rule files --- */

static Str joined(Arena *a, Str dir, Str name) {
    if (dir.n == 0 || str_eq_lit(dir, ".") || (name.n && name.p[0] == '/')) return name;
    return arena_printf(a, "%" STR_FMT "/%" STR_FMT, STR_ARG(dir), STR_ARG(name));
}

static bool find_rule_files(UnitRun *r, Str dir, StrList *out, Buf *warnings) {
    for (size_t i = 0; i < r->file->n_rule_files; i++) {
        Str pattern = joined(r->arena, dir, r->file->rule_files[i]), *names;
        size_t n;
        Err err = {0};
        if (fs_glob(pattern, r->arena, &names, &n, &err) != OK) {
            rule_unit_fail(r, "%s", err.msg);
            return false;
        }
        if (n == 0) buf_printf(warnings, "  WARNING: no file match pattern %" STR_FMT "\n", STR_ARG(pattern));
        for (size_t k = 0; k < n; k++)
            if (!avec_push(r->arena, out, names[k])) return false;
    }
    return true;
}

/* --- the file --- */

static void fail_diags(UnitRun *r, const DiagList *diags) {
    Buf out = {0};
    diag_render(diags, &out, r->opts->colour);
    while (out.n && out.p[out.n - 1] == '\n') out.n--;
    rule_unit_fail_buf(r, &out);
}

static bool run_tests(UnitRun *r, RuleUnitResult *ret) {
    RuleUnitCase *cases = arena_alloc_zero(r->arena, (r->file->n_tests + 1) * sizeof *cases);
    bool ok = cases != NULL;
    for (size_t i = 0; ok && i < r->file->n_tests; i++) {
        const UnitTest *t = &r->file->tests[i];
        if (!matches(r->opts, t->name)) continue;
        StrList failures = {0};
        UnitRun one = *r;
        one.failures = &failures;
        Str name = t->name.n ? t->name : arena_printf(r->arena, "unnamed#%zu", i);
        rule_unit_test(&one, t, name);
        cases[ret->n_cases++] = (RuleUnitCase){name, failures.v, failures.n};
    }
    ret->cases = cases;
    for (size_t i = 0; i < ret->n_cases; i++) ok = ok && cases[i].n_failures == 0;
    return ok;
}

bool rule_unit_run_text(Str file, Str dir, Str text, const RuleUnitOptions *opts, Arena *arena, RuleUnitResult *ret) {
    UnitFile parsed;
    StrList failures = {0}, rule_files = {0};
    UnitRun r = {.opts = opts, .file = &parsed, .arena = arena, .failures = &failures};
    DiagList diags;
    Buf warnings = {0};
    *ret = (RuleUnitResult){0};
    diag_init(&diags, file, text);
    bool ok = check_patterns(&r);
    if (ok && rule_unit_parse(arena, opts->ignore_unknown, &parsed, &diags) != OK) {
        fail_diags(&r, &diags);
        ok = false;
    }
    ok = ok && find_rule_files(&r, dir, &rule_files, &warnings);
    r.rule_files = rule_files.v;
    r.n_rule_files = rule_files.n;
    ok = ok && run_tests(&r, ret);
    ret->failures = failures.v;
    ret->n_failures = failures.n;
    ret->warnings = arena_copy(arena, buf_str(&warnings));
    buf_done(&warnings);
    diag_done(&diags);
    return ok;
}

static Str dir_of(Str path) {
    size_t slash = str_rfind_char(path, '/');
    return slash == SIZE_MAX ? STR(".") : slash == 0 ? STR("/") : str_slice(path, 0, slash);
}

bool rule_unit_run(const char *file, const RuleUnitOptions *opts, Arena *arena, RuleUnitResult *ret) {
    Buf text = {0};
    Err err = {0};
    *ret = (RuleUnitResult){0};
    if (fs_read_stream(file, FILE_BYTES_MAX, &text, &err) != OK) {
        Str *one = ARENA_NEW(arena, Str);
        if (one) {
            *one = arena_copy(arena, str_cstr(err.msg));
            ret->failures = one;
            ret->n_failures = 1;
        }
        return false;
    }
    Str copy = arena_copy(arena, buf_str(&text));
    buf_done(&text);
    return rule_unit_run_text(str_cstr(file), dir_of(str_cstr(file)), copy, opts, arena, ret);
}
