/* check_prom.c - `meerkat check config prometheus.yml`: as promtool check config does, every problem at once. */
#include "base/timefmt.h"
#include "base/vec.h"
#include "cmd/check_int.h"
#include "cmd/command.h"
#include "metrics/config/prom_config.h"
#include "metrics/scrape/scrape.h"
#include "metrics/sd/sd.h"
#include "sys/fs.h"
#include "sys/fs_glob.h"

#include <stdio.h>

#define FILE_BYTES_MAX (16u << 20)

/* With --syntax-only nobody asks for files, which most warnings are about. */
static void drop_warnings(DiagList *diags) {
    size_t n = 0;
    vec_foreach(Diag, d, &diags->items) {
        if (d->level == DIAG_ERROR) {
            diags->items.v[n++] = *d;
        } else {
            mem_free(d->msg);
            mem_free(d->hint);
        }
    }
    diags->items.n = n;
}

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

/* --- targets: what relabelling makes of them must be an address --- */

typedef struct Checked {
    const CheckPrometheus *opts;
    const PromConfig *config;
    DiagList *diags;
    Arena *arena;
} Checked;

static void check_targets(const Checked *k, const PromScrapeConfig *job, int line, const Labels *v, size_t n) {
    for (size_t i = 0; job && i < n; i++) {
        Labels discovered, labels;
        const char *why = scrape_target_labels(job, v[i], k->arena, &discovered, &labels);
        Str address = labels_get(v[i], STR("__address__"));
        if (!why) continue;
        diag_add(k->diags, DIAG_ERROR, line, 1, 1, NULL, "job \"%" STR_FMT "\", target \"%" STR_FMT "\": %s",
            STR_ARG(job->job_name), STR_ARG(address), why);
        return;
    }
}

static void check_static(const Checked *k, const PromScrapeConfig *job, const PromSdConfig *c) {
    const Labels *v = NULL;
    size_t n = 0;
    if (sd_static_targets(c, k->arena, &v, &n)) check_targets(k, job, c->line, v, n);
}

static void check_target_file(const Checked *k, const PromScrapeConfig *job, const PromSdConfig *c, Str name) {
    const Labels *v = NULL;
    size_t n = 0;
    Err err = {0};
    if (sd_file_targets(name, k->arena, &v, &n, &err) == OK)
        check_targets(k, job, c->line, v, n);
    else
        diag_add(k->diags, DIAG_ERROR, c->line, 1, 1, NULL, "checking SD file \"%" STR_FMT "\": %s%s", STR_ARG(name),
            err.line ? arena_printf(k->arena, "line %d: ", err.line).p : "", err.msg);
}

/* job: NULL for Alertmanagers. */
static void check_file_sd(const Checked *k, const PromScrapeConfig *job, const PromSdConfig *c, Str pattern) {
    Str *names;
    size_t n = 0;
    Err err = {0};
    if (fs_glob(pattern, k->arena, &names, &n, &err) != OK)
        diag_add(k->diags, DIAG_ERROR, c->line, 1, 1, NULL, "%s", err.msg);
    for (size_t i = 0; i < n; i++) check_target_file(k, job, c, names[i]);
    if (n || err.code) return;
    if (k->opts->promtool && job)
        printf("  WARNING: file \"%.*s\" for file_sd in scrape job \"%.*s\" does not exist\n", (int)pattern.n,
            pattern.p, (int)job->job_name.n, job->job_name.p);
    else if (k->opts->promtool)
        printf(
            "  WARNING: file \"%.*s\" for file_sd in alertmanager config does not exist\n", (int)pattern.n, pattern.p);
    else
        diag_add(k->diags, DIAG_WARNING, c->line, 1, 1, NULL,
            has_wildcard(pattern) ? "the pattern \"%" STR_FMT "\" finds no file"
                                  : "file \"%" STR_FMT "\" for file_sd does not exist yet",
            STR_ARG(pattern));
}

static void check_sd(const Checked *k, const PromScrapeConfig *job, const PromSdConfigs *sd) {
    for (size_t i = 0; i < sd->n; i++) {
        const PromSdConfig *c = &sd->v[i];
        if (c->kind == SD_STATIC) check_static(k, job, c);
        for (size_t f = 0; f < c->files.n && !k->opts->syntax_only; f++) check_file_sd(k, job, c, c->files.v[f]);
    }
}

static void check_files(const Checked *k) {
    const PromConfig *c = k->config;
    for (size_t i = 0; i < c->n_rule_files && !k->opts->syntax_only; i++)
        want_pattern(k->diags, k->arena, 1, "rule_files", c->rule_files[i]);
    for (size_t i = 0; i < c->n_scrapes; i++) check_sd(k, &c->scrapes[i], &c->scrapes[i].sd);
    for (size_t i = 0; i < c->n_alertmanagers; i++) check_sd(k, NULL, &c->alertmanagers[i].sd);
}

/* Source: Prometheus' documentation of agent mode. */
static void check_agent(const Checked *k) {
    const PromConfig *c = k->config;
    const char *wrong = c->n_alertmanagers || c->alert_relabel.n ? "field alerting is not allowed in agent mode"
                        : c->n_rule_files                        ? "field rule_files is not allowed in agent mode"
                        : c->n_remote_reads                      ? "field remote_read is not allowed in agent mode"
                        : c->n_remote_writes == 0 ? "at least one remote_write target must be specified in agent mode"
                                                  : NULL;
    if (wrong) diag_add(k->diags, DIAG_ERROR, 0, 0, 1, NULL, "%s", wrong);
}

/* Between two scrapes a series would vanish from the answers. */
static bool lint_intervals(const Checked *k) {
    for (size_t i = 0; i < k->config->n_scrapes; i++) {
        const PromScrapeConfig *job = &k->config->scrapes[i];
        if (k->opts->lookback_ms == 0 || job->interval_ms < k->opts->lookback_ms) continue;
        Buf interval = {0};
        duration_put_prom(&interval, job->interval_ms);
        fprintf(stderr,
            "  FAILED: too long scrape interval found, data point will be marked as stale - job: %.*s, interval: %s\n",
            (int)job->job_name.n, job->job_name.p, buf_cstr(&interval));
        buf_done(&interval);
        return true;
    }
    return false;
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

/* --- rule files --- */

typedef VEC(char *) Args;

/* What rule_files find, after the options for `check rules`; lint's findings are wanted as an exit code. */
static void find_rule_files(const Checked *k, Args *ret) {
    const PromConfig *c = k->config;
    for (const char *const *o = k->opts->for_rules; o && *o; o++) vec_push(ret, (char *)(uintptr_t)*o);
    if (k->opts->promtool) vec_push(ret, (char *)(uintptr_t) "--lint-fatal");
    for (size_t i = 0; i < c->n_rule_files; i++) {
        Str *names;
        size_t n = 0;
        if (fs_glob(c->rule_files[i], k->arena, &names, &n, NULL) != OK) continue;
        for (size_t f = 0; f < n; f++) vec_push(ret, (char *)(uintptr_t)arena_copy(k->arena, names[f]).p);
    }
}

static int check_rule_files(const Checked *k, const char *file) {
    Args args = {0};
    size_t options = k->opts->promtool;
    for (const char *const *o = k->opts->for_rules; o && *o; o++) options++;
    if (!k->opts->syntax_only) find_rule_files(k, &args);
    bool any = args.n > options;
    if (any) printf("  SUCCESS: %zu rule files found\n", args.n - options);
    printf(" SUCCESS: %s is valid prometheus config file syntax\n\n", file);
    fflush(stdout);
    bool lint = !k->opts->syntax_only && lint_intervals(k);
    int code = any ? cmd_check_rules((int)args.n, args.v) : 0;
    vec_done(&args);
    return code ? code : lint ? CHECK_LINT : 0;
}

/* --- the file --- */

static int check_text(const CheckPrometheus *opts, const char *file, Str text, DiagList *diags) {
    Checked k = {.opts = opts, .diags = diags, .arena = arena_create(256u << 20)};
    PromConfig *config = NULL;
    ErrCode parsed =
        (opts->syntax_only ? prom_config_parse : prom_config_check)(text, dir_of(str_cstr(file)), &config, diags);
    k.config = config;
    if (parsed == OK && opts->agent) check_agent(&k);
    if (parsed == OK && !diag_error_count(diags)) check_files(&k);
    size_t errors = diag_error_count(diags);
    if (opts->promtool && opts->syntax_only) drop_warnings(diags);
    if (errors && opts->promtool) fputs("  FAILED: ", stderr);
    print_diags(diags);
    if (errors && opts->promtool)
        printf("\n");
    else if (errors)
        printf("  FAILED: %zu error%s\n", errors, errors == 1 ? "" : "s");
    int code = errors ? 1 : check_rule_files(&k, file);
    prom_config_free(config);
    arena_free(k.arena);
    return code;
}

int check_prometheus(const char *file, const CheckPrometheus *opts) {
    Buf text = {0};
    Err err = {0};
    DiagList diags;
    printf("Checking %s\n", file);
    fflush(stdout);
    if (fs_read_stream(file, FILE_BYTES_MAX, &text, &err) != OK) {
        fprintf(stderr, "  FAILED: %s\n", err.msg);
        buf_done(&text);
        return 1;
    }
    diag_init(&diags, str_cstr(file), buf_str(&text));
    int code = check_text(opts, file, buf_str(&text), &diags);
    diag_done(&diags);
    buf_done(&text);
    return code;
}
