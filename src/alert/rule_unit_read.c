/* rule_unit_read.c - the YAML of unit test files. */
#include "alert/rule_unit_read.h"
#include "base/num.h"
#include "codec/yaml.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Reader {
    Arena *arena;
    DiagList *diags;
    bool ignore_unknown;
} Reader;

typedef void (*ReadFn)(Reader *r, const YamlNode *n, void *to);
typedef struct Key {
    const char *name;
    ReadFn read;
    size_t offset;
} Key;

static void fail(Reader *r, const YamlNode *n, const char *hint, const char *msg) {
    diag_add(r->diags, DIAG_ERROR, n->line, n->col, n->len, hint, "%s", msg);
}

static void unknown(Reader *r, const YamlNode *it, const char *type, const Key *keys, size_t n) {
    Str names[16];
    char msg[200], hint[100];
    for (size_t i = 0; i < n && i < ARRAY_LEN(names); i++) names[i] = str_cstr(keys[i].name);
    Str near = diag_suggest(it->key->text, names, MIN(n, ARRAY_LEN(names)));
    snprintf(msg, sizeof msg, "field %.*s not found in type %s", (int)MIN(it->key->text.n, 100), it->key->text.p, type);
    snprintf(hint, sizeof hint, "did you mean \"%.*s\"?", (int)near.n, near.p ? near.p : "");
    fail(r, it->key, near.n ? hint : NULL, msg);
}

static void read_mapping(Reader *r, const YamlNode *n, const char *type, const Key *keys, size_t n_keys, void *to) {
    if (n->kind == YAML_NULL) return;
    if (n->kind != YAML_MAPPING) {
        fail(r, n, NULL, "a mapping is wanted here");
        return;
    }
    for (const YamlNode *it = n->first; it; it = it->next) {
        size_t i = 0;
        while (i < n_keys && !str_eq(it->key->text, str_cstr(keys[i].name))) i++;
        if (i < n_keys)
            keys[i].read(r, it, (char *)to + keys[i].offset);
        else if (!r->ignore_unknown)
            unknown(r, it, type, keys, n_keys);
    }
}

/* A list of what fn reads, of `size` bytes each; its number stands in *ret_n. */
static void *read_list(Reader *r, const YamlNode *n, ReadFn fn, size_t size, size_t *ret_n) {
    *ret_n = 0;
    if (n->kind == YAML_NULL) return NULL;
    if (n->kind != YAML_SEQUENCE) {
        fail(r, n, NULL, "a list is wanted here");
        return NULL;
    }
    char *v = arena_alloc_zero(r->arena, (n->n + 1) * size);
    if (!v) return NULL;
    for (const YamlNode *it = n->first; it; it = it->next) fn(r, it, v + size * (*ret_n)++);
    return v;
}

/* --- scalars --- */

static void read_str(Reader *r, const YamlNode *n, void *to) {
    if (n->kind > YAML_SCALAR)
        fail(r, n, NULL, "a plain value is wanted here");
    else
        *(Str *)to = n->kind == YAML_NULL ? STR("") : n->text;
}

static void read_duration(Reader *r, const YamlNode *n, void *to) {
    char msg[120];
    Str s = STR("");
    read_str(r, n, &s);
    if (duration_parse_prom(s, to)) return;
    snprintf(msg, sizeof msg, s.n ? "not a valid duration string: \"%.*s\"" : "empty duration string",
        (int)MIN(s.n, 60), s.p ? s.p : "");
    fail(r, n, NULL, msg);
}

static void read_bool(Reader *r, const YamlNode *n, void *to) {
    if (!yaml_bool(n, to)) fail(r, n, NULL, "true or false is wanted here");
}

static void read_number(Reader *r, const YamlNode *n, void *to) {
    Str s = STR("");
    double *v = to;
    read_str(r, n, &s);
    if (str_eq_nocase(s, STR(".nan")))
        *v = NAN;
    else if (str_eq_nocase(s, STR(".inf")) || str_eq_nocase(s, STR("+.inf")))
        *v = INFINITY;
    else if (str_eq_nocase(s, STR("-.inf")))
        *v = -INFINITY;
    else if (!num_parse_f64(s.n > 1 && s.p[0] == '+' ? str_skip(s, 1) : s, v))
        fail(r, n, NULL, "a number is wanted here");
}

/* Seconds since the epoch, or RFC 3339. */
static void read_time(Reader *r, const YamlNode *n, void *to) {
    Str s = STR("");
    double seconds;
    int64_t ns, *ms = to;
    read_str(r, n, &s);
    if (num_parse_f64(s, &seconds) && fabs(seconds) < 1e11)
        *ms = (int64_t)(seconds * 1000);
    else if (time_parse_rfc3339(s, &ns))
        *ms = ns / NS_PER_MS;
    else
        fail(r, n, "Unix seconds or RFC 3339, as 2025-11-20T13:00:00Z", "not a time");
}

static int label_cmp(const void *a, const void *b) {
    return str_cmp(((const Label *)a)->name, ((const Label *)b)->name);
}

static void read_labels(Reader *r, const YamlNode *n, void *to) {
    Labels *out = to;
    if (n->kind == YAML_NULL) return;
    if (n->kind != YAML_MAPPING) {
        fail(r, n, NULL, "a mapping is wanted here");
        return;
    }
    Label *v = ARENA_ARRAY(r->arena, Label, n->n);
    size_t k = 0;
    if (!v) return;
    for (const YamlNode *it = n->first; it; it = it->next) {
        v[k] = (Label){it->key->text, STR("")};
        read_str(r, it, &v[k++].value);
    }
    if (k > 1) qsort(v, k, sizeof *v, label_cmp);
    *out = (Labels){v, k};
}

/* --- objects; each list's length field follows in the struct, so it is read by hand --- */

static void read_series(Reader *r, const YamlNode *n, void *to) {
    static const Key keys[] = {
        {"series", read_str, offsetof(UnitSeries, series)}, {"values", read_str, offsetof(UnitSeries, values)}};
    read_mapping(r, n, "main.series", keys, ARRAY_LEN(keys), to);
}

static void read_exp_alert(Reader *r, const YamlNode *n, void *to) {
    static const Key keys[] = {{"exp_labels", read_labels, offsetof(UnitExpAlert, labels)},
        {"exp_annotations", read_labels, offsetof(UnitExpAlert, annotations)}};
    read_mapping(r, n, "main.alert", keys, ARRAY_LEN(keys), to);
}

static void read_exp_alerts(Reader *r, const YamlNode *n, void *to) {
    UnitAlertTest *t = to;
    t->exp = read_list(r, n, read_exp_alert, sizeof *t->exp, &t->n_exp);
}

static void read_alert_test(Reader *r, const YamlNode *n, void *to) {
    static const Key keys[] = {{"eval_time", read_duration, offsetof(UnitAlertTest, eval_ms)},
        {"alertname", read_str, offsetof(UnitAlertTest, alertname)}, {"exp_alerts", read_exp_alerts, 0}};
    read_mapping(r, n, "main.alertTestCase", keys, ARRAY_LEN(keys), to);
}

static void read_sample(Reader *r, const YamlNode *n, void *to) {
    static const Key keys[] = {{"labels", read_str, offsetof(UnitSample, labels)},
        {"value", read_number, offsetof(UnitSample, value)}, {"histogram", read_str, offsetof(UnitSample, histogram)}};
    read_mapping(r, n, "main.sample", keys, ARRAY_LEN(keys), to);
}

static void read_samples(Reader *r, const YamlNode *n, void *to) {
    UnitExprTest *t = to;
    t->exp = read_list(r, n, read_sample, sizeof *t->exp, &t->n_exp);
}

static void read_expr_test(Reader *r, const YamlNode *n, void *to) {
    static const Key keys[] = {{"expr", read_str, offsetof(UnitExprTest, expr)},
        {"eval_time", read_duration, offsetof(UnitExprTest, eval_ms)}, {"exp_samples", read_samples, 0}};
    read_mapping(r, n, "main.promqlTestCase", keys, ARRAY_LEN(keys), to);
}

static void read_all_series(Reader *r, const YamlNode *n, void *to) {
    UnitTest *t = to;
    t->series = read_list(r, n, read_series, sizeof *t->series, &t->n_series);
}
static void read_alert_tests(Reader *r, const YamlNode *n, void *to) {
    UnitTest *t = to;
    t->alerts = read_list(r, n, read_alert_test, sizeof *t->alerts, &t->n_alerts);
}
static void read_expr_tests(Reader *r, const YamlNode *n, void *to) {
    UnitTest *t = to;
    t->exprs = read_list(r, n, read_expr_test, sizeof *t->exprs, &t->n_exprs);
}

/* They are another room's business. */
static void read_spans(Reader *r, const YamlNode *n, void *to) {
    (void)r;
    ((UnitTest *)to)->spans = n;
}
static void read_logs(Reader *r, const YamlNode *n, void *to) {
    (void)r;
    ((UnitTest *)to)->logs = n;
}

static void read_test(Reader *r, const YamlNode *n, void *to) {
    static const Key keys[] = {{"name", read_str, offsetof(UnitTest, name)},
        {"interval", read_duration, offsetof(UnitTest, interval_ms)},
        {"start_timestamp", read_time, offsetof(UnitTest, start_ms)}, {"input_series", read_all_series, 0},
        {"input_spans", read_spans, 0}, {"input_logs", read_logs, 0}, {"alert_rule_test", read_alert_tests, 0},
        {"promql_expr_test", read_expr_tests, 0}, {"external_labels", read_labels, offsetof(UnitTest, external_labels)},
        {"external_url", read_str, offsetof(UnitTest, external_url)}};
    read_mapping(r, n, "main.testGroup", keys, ARRAY_LEN(keys), to);
}

static void read_rule_files(Reader *r, const YamlNode *n, void *to) {
    UnitFile *f = to;
    f->rule_files = read_list(r, n, read_str, sizeof *f->rule_files, &f->n_rule_files);
}
static void read_order(Reader *r, const YamlNode *n, void *to) {
    UnitFile *f = to;
    f->order = read_list(r, n, read_str, sizeof *f->order, &f->n_order);
    for (size_t i = 0; i < f->n_order; i++)
        for (size_t k = 0; k < i; k++) {
            char msg[200];
            if (!str_eq(f->order[i], f->order[k])) continue;
            snprintf(msg, sizeof msg, "group name repeated in evaluation order: %.*s", (int)MIN(f->order[i].n, 100),
                f->order[i].p);
            fail(r, n, NULL, msg);
        }
}
static void read_tests(Reader *r, const YamlNode *n, void *to) {
    UnitFile *f = to;
    f->tests = read_list(r, n, read_test, sizeof *f->tests, &f->n_tests);
}

ErrCode rule_unit_parse(Arena *arena, bool ignore_unknown, UnitFile *ret, DiagList *diags) {
    static const Key keys[] = {{"rule_files", read_rule_files, 0},
        {"evaluation_interval", read_duration, offsetof(UnitFile, interval_ms)}, {"group_eval_order", read_order, 0},
        {"tests", read_tests, 0}, {"fuzzy_compare", read_bool, offsetof(UnitFile, fuzzy)}};
    Reader r = {arena, diags, ignore_unknown};
    YamlNode *root;
    *ret = (UnitFile){0};
    ErrCode code = yaml_parse(diags->source, arena, &root, diags);
    if (code != OK) return code;
    read_mapping(&r, root, "main.unitTestFile", keys, ARRAY_LEN(keys), ret);
    if (ret->interval_ms == 0) ret->interval_ms = 60000;
    for (size_t i = 0; i < ret->n_tests; i++)
        if (ret->tests[i].interval_ms == 0) ret->tests[i].interval_ms = ret->interval_ms;
    if (arena_exhausted(arena)) {
        diag_add(diags, DIAG_ERROR, 0, 0, 1, NULL, "the file does not fit in memory");
        return ERR_TOO_LARGE;
    }
    return diag_error_count(diags) ? ERR_INVALID : OK;
}
