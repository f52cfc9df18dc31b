#include "metrics/promlint.h"

#include "base/map.h"
#include "metrics/scrape/promtext.h"

#include <stdlib.h>

typedef struct Linter {
    PromLint *out;
    Map *by_name; /* family -> index */
    bool exhausted;
} Linter;

/* --- reading --- */

static PromLintFamily *family_named(Linter *l, Str name) {
    bool inserted;
    uint64_t *at = map_put(l->by_name, name, &inserted);
    if (inserted) {
        *at = l->out->families.n;
        if (!avec_push(l->out->arena, &l->out->families, (PromLintFamily){.name = name})) {
            l->exhausted = true;
            return NULL;
        }
    }
    return &l->out->families.v[*at];
}

static bool is_distribution(MetricType t) { return t == METRIC_HISTOGRAM || t == METRIC_SUMMARY; }

/* x_bucket, x_sum and x_count belong to x when that is a histogram or summary. */
static PromLintFamily *family_of_sample(Linter *l, Str name) {
    static const Str suffixes[] = {STR_INIT("_bucket"), STR_INIT("_sum"), STR_INIT("_count")};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (!str_ends_with(name, suffixes[i])) continue;
        uint64_t *at = map_get(l->by_name, str_slice(name, 0, name.n - suffixes[i].n));
        if (!at) continue;
        PromLintFamily *f = &l->out->families.v[*at];
        if (f->type == METRIC_HISTOGRAM || (f->type == METRIC_SUMMARY && i > 0)) return f;
    }
    return family_named(l, name);
}

static Labels label_set(const PromTextSample *s, MetricType type, Arena *arena) {
    Label *v = ARENA_ARRAY(arena, Label, s->n_labels + 1);
    size_t n, kept = 0;
    if (!v || !promtext_labels(s, arena, v, &n)) return (Labels){0};
    for (size_t i = 0; i < n; i++) {
        bool inner = (type == METRIC_HISTOGRAM && str_eq_lit(v[i].name, "le")) ||
                     (type == METRIC_SUMMARY && str_eq_lit(v[i].name, "quantile"));
        if (!inner && !str_eq(v[i].name, LABEL_NAME_METRIC)) v[kept++] = v[i];
    }
    return labels_normalize(v, &kept, NULL) == OK ? (Labels){v, kept} : (Labels){v, 0};
}

static ErrCode take_sample(void *ctx, const PromTextSample *s, Err *reterr) {
    Linter *l = ctx;
    PromLintFamily *f = family_of_sample(l, s->name);
    Labels labels = f ? label_set(s, f->type, l->out->arena) : (Labels){0};
    if (!f || !labels.v) return err_set(reterr, ERR_TOO_LARGE, "the text needs more memory than it may use");
    f->series++;
    /* Lines of one histogram are one metric. */
    bool known = is_distribution(f->type) && f->metrics.n && labels_eq(f->metrics.v[f->metrics.n - 1], labels);
    if (known || avec_push(l->out->arena, &f->metrics, labels)) return OK;
    return err_set(reterr, ERR_TOO_LARGE, "the text needs more memory than it may use");
}

static ErrCode take_meta(void *ctx, const PromTextMeta *m, Err *reterr) {
    Linter *l = ctx;
    PromLintFamily *f = family_named(l, m->metric);
    if (!f) return err_set(reterr, ERR_TOO_LARGE, "the text needs more memory than it may use");
    if (m->kind == PROMTEXT_HELP) f->has_help = true;
    if (m->kind == PROMTEXT_TYPE) f->type = m->type;
    return OK;
}

/* --- problems --- */

static void problem(Linter *l, const PromLintFamily *f, Str text) {
    if (!text.p || !avec_push(l->out->arena, &l->out->problems, (PromLintProblem){f->name, text})) l->exhausted = true;
}

static Str lower(Linter *l, Str s) {
    char *p = arena_alloc(l->out->arena, s.n + 1);
    if (!p) {
        l->exhausted = true;
        return STR("");
    }
    for (size_t i = 0; i < s.n; i++) p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i];
    return str_of(p, s.n);
}

/* _word_ inside, or _word at the end. */
static bool has_word(Str name, Str word) {
    for (size_t at = 0; at + word.n < name.n; at++) {
        if (name.p[at] != '_' || !str_starts_with(str_skip(name, at + 1), word)) continue;
        size_t end = at + 1 + word.n;
        if (end == name.n || name.p[end] == '_') return true;
    }
    return false;
}

static bool is_camel(Str s) {
    for (size_t i = 1; i < s.n; i++)
        if (s.p[i - 1] >= 'a' && s.p[i - 1] <= 'z' && s.p[i] >= 'A' && s.p[i] <= 'Z') return true;
    return false;
}

static const char *base_unit(Str word) {
    static const char *const units[][2] = {{"amperes", "amperes"}, {"bytes", "bytes"}, {"celsius", "celsius"},
        {"grams", "grams"}, {"joules", "joules"}, {"kelvin", "kelvin"}, {"meters", "meters"}, {"metres", "metres"},
        {"seconds", "seconds"}, {"volts", "volts"}, {"minutes", "seconds"}, {"hours", "seconds"}, {"days", "seconds"},
        {"weeks", "seconds"}, {"kelvins", "kelvin"}, {"fahrenheit", "celsius"}, {"rankine", "celsius"},
        {"inches", "meters"}, {"yards", "meters"}, {"miles", "meters"}, {"bits", "bytes"}, {"calories", "joules"},
        {"pounds", "grams"}, {"ounces", "grams"}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_eq(word, str_cstr(units[i][0]))) return units[i][1];
    return NULL;
}

static const char *base_of_word(Str word) {
    static const char *const prefixes[] = {"pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo",
        "kibi", "mega", "mibi", "giga", "gibi", "tera", "tebi", "peta", "pebi"};
    const char *base = base_unit(word);
    for (size_t i = 0; !base && i < ARRAY_LEN(prefixes); i++)
        if (str_starts_with(word, str_cstr(prefixes[i]))) base = base_unit(str_skip(word, strlen(prefixes[i])));
    return base;
}

static void lint_units(Linter *l, const PromLintFamily *f) {
    static const char *const brief[] = {"s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d"};
    Str rest = f->name, word, name = lower(l, f->name);
    while (rest.p && str_split_next(&rest, '_', &word)) {
        const char *base = base_of_word(word);
        if (!base) continue;
        if (!str_eq(word, str_cstr(base)))
            problem(l, f,
                arena_printf(l->out->arena, "use base unit \"%s\" instead of \"%" STR_FMT "\"", base, STR_ARG(word)));
        break;
    }
    for (size_t i = 0; i < ARRAY_LEN(brief); i++)
        if (has_word(name, str_cstr(brief[i]))) problem(l, f, STR("metric names should not contain abbreviated units"));
}

static void lint_name(Linter *l, const PromLintFamily *f) {
    static const char *const types[] = {[METRIC_COUNTER] = "counter",
        [METRIC_GAUGE] = "gauge",
        [METRIC_HISTOGRAM] = "histogram",
        [METRIC_SUMMARY] = "summary"};
    Str name = lower(l, f->name);
    const char *type = f->type < ARRAY_LEN(types) ? types[f->type] : NULL;
    if (type && has_word(name, str_cstr(type)))
        problem(l, f, arena_printf(l->out->arena, "metric name should not include type '%s'", type));
    if (str_find_char(f->name, ':') != SIZE_MAX) problem(l, f, STR("metric names should not contain ':'"));
    if (is_camel(f->name)) problem(l, f, STR("metric names should be written in 'snake_case' not 'camelCase'"));
    bool total = str_ends_with(f->name, STR("_total"));
    if (f->type == METRIC_COUNTER && !total) problem(l, f, STR("counter metrics should have \"_total\" suffix"));
    if (f->type != METRIC_COUNTER && f->type != METRIC_UNKNOWN && total)
        problem(l, f, STR("non-counter metrics should not have \"_total\" suffix"));
}

static void lint_reserved(Linter *l, const PromLintFamily *f) {
    bool histogram = f->type == METRIC_HISTOGRAM, summary = f->type == METRIC_SUMMARY;
    if (f->type == METRIC_UNKNOWN) return;
    if (!histogram && str_ends_with(f->name, STR("_bucket")))
        problem(l, f, STR("non-histogram metrics should not have \"_bucket\" suffix"));
    if (!histogram && !summary && str_ends_with(f->name, STR("_count")))
        problem(l, f, STR("non-histogram and non-summary metrics should not have \"_count\" suffix"));
    if (!histogram && !summary && str_ends_with(f->name, STR("_sum")))
        problem(l, f, STR("non-histogram and non-summary metrics should not have \"_sum\" suffix"));
}

static void lint_labels(Linter *l, const PromLintFamily *f, Labels labels) {
    bool typed = f->type != METRIC_UNKNOWN;
    for (size_t i = 0; i < labels.n; i++) {
        Str name = labels.v[i].name;
        if (is_camel(name)) problem(l, f, STR("label names should be written in 'snake_case' not 'camelCase'"));
        if (typed && f->type != METRIC_HISTOGRAM && str_eq_lit(name, "le"))
            problem(l, f, STR("non-histogram metrics should not have \"le\" label"));
        if (typed && f->type != METRIC_SUMMARY && str_eq_lit(name, "quantile"))
            problem(l, f, STR("non-summary metrics should not have \"quantile\" label"));
    }
}

static int cmp_labels(const void *a, const void *b) { return labels_cmp(*(const Labels *)a, *(const Labels *)b); }

/* Equal label sets, each but the last one of them. */
static void lint_duplicates(Linter *l, const PromLintFamily *f) {
    Labels *sorted = ARENA_ARRAY(l->out->arena, Labels, f->metrics.n + 1);
    if (!sorted) {
        l->exhausted = true;
        return;
    }
    if (f->metrics.n) memcpy(sorted, f->metrics.v, f->metrics.n * sizeof *sorted);
    qsort(sorted, f->metrics.n, sizeof *sorted, cmp_labels);
    for (size_t i = 1; !is_distribution(f->type) && i < f->metrics.n; i++)
        if (labels_eq(sorted[i - 1], sorted[i])) problem(l, f, STR("metric not unique"));
}

static void lint_family(Linter *l, const PromLintFamily *f) {
    if (!f->has_help) problem(l, f, STR("no help text"));
    lint_units(l, f);
    lint_name(l, f);
    lint_reserved(l, f);
    for (size_t i = 0; i < f->metrics.n; i++) lint_labels(l, f, f->metrics.v[i]);
    lint_duplicates(l, f);
}

static int by_metric(const void *a, const void *b) {
    const PromLintProblem *x = a, *y = b;
    int c = str_cmp(x->metric, y->metric);
    return c ? c : str_cmp(x->text, y->text);
}

ErrCode promlint_run(Str text, Arena *arena, PromLint *ret, Err *reterr) {
    *ret = (PromLint){.arena = arena};
    Linter l = {.out = ret, .by_name = map_create(MAP_BORROW_KEYS)};
    PromTextVisitor visitor = {.ctx = &l, .sample = take_sample, .meta = take_meta};
    Err err = {0};
    ErrCode rc = promtext_parse(text, &(PromTextOptions){.format = PROMTEXT_PLAIN}, &visitor, arena, &err);
    map_free(l.by_name);
    if (rc == ERR_INVALID) return err_set(reterr, rc, "text format parsing error in line %d: %s", err.line, err.msg);
    for (size_t i = 0; rc == OK && i < ret->families.n; i++)
        if (ret->families.v[i].metrics.n) lint_family(&l, &ret->families.v[i]);
    if (l.exhausted) rc = err_set(&err, ERR_TOO_LARGE, "the text needs more memory than it may use");
    if (ret->problems.n > 1) qsort(ret->problems.v, ret->problems.n, sizeof *ret->problems.v, by_metric);
    if (rc != OK && reterr) *reterr = err;
    return rc;
}
