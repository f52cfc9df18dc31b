/* scrape_labels.c - the labels under which a new series of a target is kept: its own and the target's, relabelled,
 * within the job's limits. Source: Prometheus' mutateSampleLabels and what it checks after it. */
#include "metrics/scrape/scrape_int.h"

#include <stdlib.h>

static ErrCode exhausted(Err *reterr) {
    return err_set(reterr, ERR_TOO_LARGE, "the memory budget of the scrape is used up");
}

/* --- whose label is it? --- */
/* Those of the target that the series does not name itself. An empty value is named, too: it keeps the label off. */
static bool add_unnamed(RelabelSet *s, Labels target) {
    bool ok = true;
    for (size_t i = 0, n = s->labels.n; i < target.n && ok; i++) {
        bool theirs = false;
        for (size_t k = 0; k < n && !theirs; k++) theirs = str_eq(s->labels.v[k].name, target.v[i].name);
        ok = theirs || relabel_set(s, target.v[i].name, target.v[i].value);
    }
    return ok;
}

static int by_name_length(const void *a, const void *b) {
    const Label *x = a, *y = b;
    return x->name.n != y->name.n ? (x->name.n < y->name.n ? -1 : 1) : str_cmp(x->name, y->name);
}

/* All of the target's. What the series had under their names becomes exported_<name>, once more if that is taken too;
 * short names first, as Prometheus does. */
static bool add_target_labels(RelabelSet *s, Labels target) {
    Label *theirs = ARENA_ARRAY(s->arena, Label, target.n);
    size_t n = 0;
    bool ok = theirs != NULL;
    for (size_t i = 0; i < target.n && ok; i++) {
        Str value = relabel_get(s, target.v[i].name);
        if (value.n) theirs[n++] = (Label){target.v[i].name, value};
        ok = relabel_set(s, target.v[i].name, target.v[i].value);
    }
    if (n > 1) qsort(theirs, n, sizeof *theirs, by_name_length);
    for (size_t i = 0; i < n && ok; i++) {
        Str name = theirs[i].name;
        do name = arena_printf(s->arena, "exported_%" STR_FMT, STR_ARG(name));
        while (name.p && relabel_get(s, name).n);
        ok = name.p && relabel_set(s, name, theirs[i].value);
    }
    return ok;
}

/* --- what a series may be called --- */
/* Fifty characters, as Prometheus does: a limit is there because of names that are too long to be shown. */
static Str start_of(Str s) {
    size_t at = 0;
    for (int i = 0; i < 50 && at < s.n; i++) do
            at++;
        while (at < s.n && (s.p[at] & 0xc0) == 0x80);
    return str_slice(s, 0, at);
}

static ErrCode check_limits(const PromScrapeLimits *limits, Labels l, Err *reterr) {
    Str metric = labels_get(l, LABEL_NAME_METRIC);
    if (limits->label && l.n > limits->label)
        return err_set(reterr, ERR_INVALID,
            "label_limit exceeded (metric: %" STR_FMT ", number of labels: %zu, limit: %llu)",
            STR_ARG(start_of(metric)), l.n, (unsigned long long)limits->label);
    if (!limits->label_name_length && !limits->label_value_length) return OK;
    for (size_t i = 0; i < l.n; i++) {
        Str name = l.v[i].name, value = l.v[i].value;
        if (limits->label_name_length && name.n > limits->label_name_length)
            return err_set(reterr, ERR_INVALID,
                "label_name_length_limit exceeded (metric: %" STR_FMT ", label name: %" STR_FMT
                ", length: %zu, limit: %llu)",
                STR_ARG(start_of(metric)), STR_ARG(start_of(name)), name.n,
                (unsigned long long)limits->label_name_length);
        if (limits->label_value_length && value.n > limits->label_value_length)
            return err_set(reterr, ERR_INVALID,
                "label_value_length_limit exceeded (metric: %" STR_FMT ", label name: %" STR_FMT ", value: \"%" STR_FMT
                "\", length: %zu, limit: %llu)",
                STR_ARG(start_of(metric)), STR_ARG(start_of(name)), STR_ARG(start_of(value)), value.n,
                (unsigned long long)limits->label_value_length);
    }
    return OK;
}

/* A name may be anything in UTF-8 but empty, or what the job's scheme allows; a value anything in UTF-8. */
static bool label_is_valid(const Label *l, bool legacy) {
    bool metric = str_eq(l->name, LABEL_NAME_METRIC);
    if (legacy && (metric ? !metric_name_is_legacy(l->value) : !label_name_is_legacy(l->name))) return false;
    return l->name.n && str_is_utf8(l->name) && str_is_utf8(l->value);
}

static ErrCode check_names(Labels l, bool legacy, Err *reterr) {
    if (!labels_get(l, LABEL_NAME_METRIC).n)
        return err_set(reterr, ERR_INVALID, "missing metric name (__name__ label)");
    for (size_t i = 0; i < l.n; i++) {
        if (label_is_valid(&l.v[i], legacy)) continue;
        Buf b = {0};
        labels_put_set(&b, l);
        ErrCode code = err_set(reterr, ERR_INVALID, "invalid metric name or label names: %s", buf_cstr(&b));
        buf_done(&b);
        return code;
    }
    return OK;
}

/* --- all together --- */
/* Sorts, takes empty values off. The name that stands there twice, or STR_NULL: that matters only if the series is
 * kept. */
static Str normalize(RelabelSet *s) {
    size_t n = s->labels.n;
    if (labels_normalize(s->labels.v, &n, NULL) == OK) {
        s->labels.n = n;
        return STR_NULL;
    }
    const Label *v = s->labels.v;
    for (size_t i = 1; i < n; i++)
        if (str_eq(v[i].name, v[i - 1].name)) return v[i].name;
    return STR_NULL;
}

static ErrCode check_labels(const PromScrapeConfig *job, Labels l, Str twice, Err *reterr) {
    ErrCode code = check_names(l, job->set.legacy_names, reterr);
    if (code == OK) code = check_limits(&job->set.limits, l, reterr);
    if (code == OK && twice.p)
        return err_set(
            reterr, ERR_INVALID, "label name \"%" STR_FMT "\" is not unique: invalid sample", STR_ARG(twice));
    return code;
}

ErrCode scrape_labels(const ScrapeTarget *t, const PromScrapeConfig *job, const PromTextSample *sample, Arena *arena,
    Labels *ret, bool *ret_dropped, Err *reterr) {
    RelabelSet s = {.arena = arena, .legacy_names = job->set.legacy_names};
    size_t n;
    if (!avec_reserve(arena, &s.labels, sample->n_labels + 1 + t->labels.n)) return exhausted(reterr);
    if (!promtext_labels(sample, arena, s.labels.v, &n)) return exhausted(reterr);
    s.labels.n = n;
    if (job->honor_labels && !add_unnamed(&s, t->labels)) return exhausted(reterr);
    (void)normalize(&s);
    if (!job->honor_labels && !add_target_labels(&s, t->labels)) return exhausted(reterr);
    switch (relabel_apply(job->metric_relabel, &s)) {
    case RELABEL_DROPPED: *ret_dropped = true; return OK;
    case RELABEL_EXHAUSTED: return exhausted(reterr);
    case RELABEL_KEPT: break;
    }
    Str twice = normalize(&s);
    *ret = (Labels){s.labels.v, s.labels.n};
    *ret_dropped = s.labels.n == 0;
    return *ret_dropped ? OK : check_labels(job, *ret, twice, reterr);
}
