/* promtext_strict.c - what OpenMetrics 1.0 asks of an exposition beyond its syntax: families are contiguous and
 * described before their samples, suffixes and labels fit the type, groups are not interleaved, times do not go
 * back, histograms are consistent. Source: the OpenMetrics 1.0 specification. */
#include "base/map.h"
#include "base/num.h"
#include "metrics/scrape/promtext_int.h"

#include <math.h>
#include <stdlib.h>

typedef struct HistogramState {
    bool open, has_bucket, has_count, has_sum, has_gsum, negative_bucket, negative_gsum;
    double last_bound, last_value, count, t;
    bool has_t;
} HistogramState;

struct PromTextStrict {
    Arena *arena;
    Map *names; /* every name a family so far may expose */
    Str family; /* p == NULL: none */
    MetricType type;
    bool has_type, has_help, has_unit, has_samples;
    Str unit;
    Map *groups;    /* of the family: label sets without le, quantile, the stateset's own */
    Buf group, key; /* the current group; scratch */
    bool in_group, group_has_t;
    double group_t;
    HistogramState histogram;
    Buf histogram_group;
};

typedef struct Suffixes {
    const char *v[5];
} Suffixes;
static const Suffixes suffixes[] = {
    [METRIC_UNKNOWN] = {{""}},
    [METRIC_COUNTER] = {{"_total", "_created"}},
    [METRIC_GAUGE] = {{""}},
    [METRIC_HISTOGRAM] = {{"_count", "_sum", "_bucket", "_created"}},
    [METRIC_GAUGE_HISTOGRAM] = {{"_gcount", "_gsum", "_bucket"}},
    [METRIC_SUMMARY] = {{"", "_count", "_sum", "_created"}},
    [METRIC_INFO] = {{"_info"}},
    [METRIC_STATESET] = {{""}},
};

static ErrCode bad(Err *reterr, int line, const char *what) {
    return err_set_at(reterr, ERR_INVALID, line, 1, "%s", what);
}

PromTextStrict *promtext_strict_create(Arena *arena) {
    PromTextStrict *x = NEW(PromTextStrict);
    x->arena = arena;
    x->names = map_create(MAP_COPY_KEYS);
    x->groups = map_create(MAP_COPY_KEYS);
    return x;
}

PromTextStrict *promtext_strict_free(PromTextStrict *x) {
    if (!x) return NULL;
    map_free(x->names);
    map_free(x->groups);
    buf_done(&x->group);
    buf_done(&x->key);
    buf_done(&x->histogram_group);
    mem_free(x);
    return NULL;
}

/* --- histograms --- */
static ErrCode histogram_end(PromTextStrict *x, int line, Err *reterr) {
    HistogramState *h = &x->histogram;
    if (!h->open) return OK;
    h->open = false;
    if (!h->has_bucket || h->last_bound != INFINITY) return bad(reterr, line, "+Inf bucket missing");
    if (h->has_count && h->count != h->last_value) return bad(reterr, line, "_count does not match the +Inf bucket");
    if ((h->has_sum || h->has_gsum) && !h->has_count) return bad(reterr, line, "_sum without _count");
    if (h->has_count && !h->has_sum && !h->has_gsum) return bad(reterr, line, "_count without _sum");
    if (h->negative_bucket && h->has_sum) return bad(reterr, line, "_sum with negative buckets");
    if (!h->negative_bucket && h->negative_gsum) return bad(reterr, line, "negative _gsum without negative buckets");
    return OK;
}

static ErrCode histogram_sample(PromTextStrict *x, const PromTextSample *s, Str suffix, double bound, Err *reterr) {
    HistogramState *h = &x->histogram;
    bool same = h->open && str_eq(buf_str(&x->histogram_group), buf_str(&x->group)) && h->has_t == s->has_t &&
                (!s->has_t || h->t == s->t_s);
    if (!same) {
        ErrCode code = histogram_end(x, s->line, reterr);
        if (code != OK) return code;
        *h = (HistogramState){.open = true, .has_t = s->has_t, .t = s->t_s};
        buf_clear(&x->histogram_group);
        buf_put_str(&x->histogram_group, buf_str(&x->group));
    }
    if (str_eq_lit(suffix, "_bucket")) {
        if (h->has_bucket && bound <= h->last_bound) return bad(reterr, s->line, "buckets out of order");
        if (h->has_bucket && s->value < h->last_value) return bad(reterr, s->line, "bucket values out of order");
        h->negative_bucket |= bound < 0;
        h->has_bucket = true;
        h->last_bound = bound;
        h->last_value = s->value;
    } else if (str_eq_lit(suffix, "_count") || str_eq_lit(suffix, "_gcount")) {
        h->has_count = true;
        h->count = s->value;
    } else if (str_eq_lit(suffix, "_sum")) {
        h->has_sum = true;
    } else if (str_eq_lit(suffix, "_gsum")) {
        h->has_gsum = true;
        h->negative_gsum |= s->value < 0;
    }
    return OK;
}

/* --- families --- */
static bool claim(PromTextStrict *x, Str name, Str suffix) {
    bool fresh;
    buf_clear(&x->key);
    buf_put_str(&x->key, name);
    buf_put_str(&x->key, suffix);
    (void)map_put(x->names, buf_str(&x->key), &fresh);
    return fresh;
}

static ErrCode family_end(PromTextStrict *x, int line, Err *reterr) {
    if (!x->family.p) return OK;
    ErrCode code = histogram_end(x, line, reterr);
    if (code != OK) return code;
    bool ok = claim(x, x->family, STR_NULL);
    for (size_t i = 0; i < ARRAY_LEN(suffixes[0].v) && ok; i++) {
        const char *suffix = suffixes[x->type].v[i];
        if (suffix && suffix[0]) ok = claim(x, x->family, str_cstr(suffix));
    }
    if (!ok) return bad(reterr, line, "clashing metric name");
    if (x->has_unit && x->unit.n) {
        bool fits = x->family.n > x->unit.n + 1 && str_ends_with(x->family, x->unit) &&
                    x->family.p[x->family.n - x->unit.n - 1] == '_';
        if (!fits) return bad(reterr, line, "unit is not the suffix of the metric name");
        if (x->type == METRIC_INFO || x->type == METRIC_STATESET)
            return bad(reterr, line, "unit on an info or stateset");
    }
    return OK;
}

static ErrCode family_begin(PromTextStrict *x, Str name, int line, Err *reterr) {
    ErrCode code = family_end(x, line, reterr);
    if (code != OK) return code;
    x->family = name;
    x->type = METRIC_UNKNOWN;
    x->has_type = x->has_help = x->has_unit = x->has_samples = x->in_group = false;
    x->histogram = (HistogramState){0};
    map_clear(x->groups);
    return OK;
}

ErrCode promtext_strict_meta(PromTextStrict *x, const PromTextMeta *m, Err *reterr) {
    if (x->family.p && str_eq(m->metric, x->family)) {
        if (x->has_samples) return bad(reterr, m->line, "metadata after samples");
    } else {
        ErrCode code = family_begin(x, m->metric, m->line, reterr);
        if (code != OK) return code;
    }
    bool *seen = m->kind == PROMTEXT_HELP ? &x->has_help : m->kind == PROMTEXT_TYPE ? &x->has_type : &x->has_unit;
    if (*seen) return bad(reterr, m->line, "metadata is repeated");
    *seen = true;
    if (m->kind == PROMTEXT_TYPE) x->type = m->type;
    if (m->kind == PROMTEXT_UNIT) x->unit = m->text;
    return OK;
}

ErrCode promtext_strict_end(PromTextStrict *x, Err *reterr) { return family_end(x, 0, reterr); }

/* --- samples --- */
static bool suffix_allowed(const PromTextStrict *x, Str name, Str *ret_suffix) {
    if (!x->family.p || !str_starts_with(name, x->family)) return false;
    *ret_suffix = str_skip(name, x->family.n);
    if (!x->has_type) return ret_suffix->n == 0;
    for (size_t i = 0; i < ARRAY_LEN(suffixes[0].v); i++) {
        const char *s = suffixes[x->type].v[i];
        if (s && str_eq(*ret_suffix, str_cstr(s))) return true;
    }
    return false;
}

/* Infinities have one spelling; other numbers may be written as they like. */
static bool bound_number(Str s, double *ret) {
    if (!num_parse_f64(s, ret) || isnan(*ret)) return false;
    return isfinite(*ret) || str_eq_lit(s, "+Inf") || str_eq_lit(s, "-Inf");
}

static int label_cmp(const void *a, const void *b) {
    return str_cmp(((const Label *)a)->name, ((const Label *)b)->name);
}

/* The group's identity into x->group; *ret_special gets the label that tells the members apart. */
static void build_group(PromTextStrict *x, const Label *v, size_t n, Str special, Str *ret_special) {
    buf_clear(&x->group);
    *ret_special = STR_NULL;
    if (x->type == METRIC_INFO) return;
    for (size_t i = 0; i < n; i++) {
        if (special.n && str_eq(v[i].name, special)) {
            *ret_special = v[i].value;
            continue;
        }
        if (str_eq(v[i].name, LABEL_NAME_METRIC)) continue;
        buf_put_lenstr(&x->group, v[i].name);
        buf_put_lenstr(&x->group, v[i].value);
    }
}

static ErrCode check_group(PromTextStrict *x, const PromTextSample *s, Str old_group, Err *reterr) {
    Str group = buf_str(&x->group);
    bool fresh;
    bool same = x->in_group && str_eq(old_group, group);
    (void)map_put(x->groups, group, &fresh);
    if (x->in_group && !same && !fresh) return bad(reterr, s->line, "samples of a group are not together");
    if (same) {
        if (s->has_t != x->group_has_t)
            return bad(reterr, s->line, "a group mixes samples with and without timestamps");
        if (s->has_t && x->group_t > s->t_s && x->type != METRIC_INFO)
            return bad(reterr, s->line, "timestamps go back within a group");
    }
    x->in_group = true;
    x->group_has_t = s->has_t;
    x->group_t = s->t_s;
    return OK;
}

static bool is_whole(double v) { return isfinite(v) && v == floor(v); }

static ErrCode check_value(const PromTextStrict *x, const PromTextSample *s, Str suffix, Err *reterr) {
    bool bucket = str_eq_lit(suffix, "_bucket"), sum = str_eq_lit(suffix, "_sum"), total = str_eq_lit(suffix, "_total");
    bool count = str_eq_lit(suffix, "_count") || str_eq_lit(suffix, "_gcount"), gsum = str_eq_lit(suffix, "_gsum");
    if (x->type == METRIC_STATESET && s->value != 0 && s->value != 1)
        return bad(reterr, s->line, "stateset value must be 0 or 1");
    if (x->type == METRIC_INFO && s->value != 1) return bad(reterr, s->line, "info value must be 1");
    if ((bucket || count) && !is_whole(s->value)) return bad(reterr, s->line, "counts must be integers");
    if (x->type == METRIC_SUMMARY && suffix.n == 0 && s->value < 0)
        return bad(reterr, s->line, "quantile value is negative");
    if ((bucket || sum || total || count || gsum) && isnan(s->value))
        return bad(reterr, s->line, "counter-like value is NaN");
    if ((bucket || sum || total || count) && s->value < 0)
        return bad(reterr, s->line, "counter-like value is negative");
    bool may_have_exemplar = (bucket && (x->type == METRIC_HISTOGRAM || x->type == METRIC_GAUGE_HISTOGRAM)) ||
                             (total && x->type == METRIC_COUNTER);
    if (s->has_exemplar && !may_have_exemplar) return bad(reterr, s->line, "exemplar on a sample that cannot have one");
    return OK;
}

static Str special_label(const PromTextStrict *x, Str suffix) {
    bool histogram = x->type == METRIC_HISTOGRAM || x->type == METRIC_GAUGE_HISTOGRAM;
    if (histogram && str_eq_lit(suffix, "_bucket")) return STR("le");
    if (x->type == METRIC_SUMMARY && suffix.n == 0) return STR("quantile");
    return x->type == METRIC_STATESET ? x->family : STR_NULL;
}

static ErrCode check_special(
    const PromTextStrict *x, const PromTextSample *s, Str special, Str value, double *ret, Err *reterr) {
    *ret = 0;
    if (!special.n) return OK;
    if (!value.p) return bad(reterr, s->line, "a sample lacks the label its type requires");
    if (x->type == METRIC_STATESET) return OK;
    if (!bound_number(value, ret)) return bad(reterr, s->line, "le or quantile is not a number");
    if (x->type == METRIC_SUMMARY && !(*ret >= 0 && *ret <= 1)) return bad(reterr, s->line, "quantile is not in 0..1");
    return OK;
}

/* The label set as written, sorted; le and quantile are judged as written too. */
static ErrCode decode(PromTextStrict *x, const PromTextSample *s, Label **ret, size_t *ret_n, Err *reterr) {
    PromTextSample as_written = *s;
    as_written.type = METRIC_UNKNOWN;
    Label *v = ARENA_ARRAY(x->arena, Label, s->n_labels + 1);
    if (!v || !promtext_labels(&as_written, x->arena, v, ret_n))
        return err_set(reterr, ERR_TOO_LARGE, "the memory budget for parsing is used up");
    qsort(v, *ret_n, sizeof *v, label_cmp);
    for (size_t i = 1; i < *ret_n; i++) {
        if (str_eq(v[i].name, v[i - 1].name)) return bad(reterr, s->line, "a label appears twice");
    }
    *ret = v;
    return OK;
}

ErrCode promtext_strict_sample(PromTextStrict *x, const PromTextSample *s, Err *reterr) {
    Label *labels = NULL;
    size_t n = 0;
    ErrCode code = decode(x, s, &labels, &n, reterr);
    if (code != OK) return code;
    Str name = s->name_escaped ? promtext_unescape(s->name, x->arena) : s->name, suffix = STR_NULL;
    if (!suffix_allowed(x, name, &suffix)) {
        code = family_begin(x, name, s->line, reterr);
        if (code != OK) return code;
        suffix = STR_NULL;
    }
    x->has_samples = true;
    Buf old = x->group;
    x->group = (Buf){0};
    Str special = special_label(x, suffix), value;
    build_group(x, labels, n, special, &value);
    double number = 0;
    code = check_special(x, s, special, value, &number, reterr);
    if (code == OK) code = check_group(x, s, buf_str(&old), reterr);
    buf_done(&old);
    if (code == OK) code = check_value(x, s, suffix, reterr);
    bool histogram = x->type == METRIC_HISTOGRAM || x->type == METRIC_GAUGE_HISTOGRAM;
    if (code == OK && histogram) code = histogram_sample(x, s, suffix, number, reterr);
    return code;
}
