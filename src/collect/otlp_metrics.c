/* otlp_metrics.c - ExportMetricsServiceRequest: resources, metrics and the choice of the point decoder. */
#include "collect/otlp_metrics_int.h"

#define TARGET_INFO_STEP_MS                                                                                            \
    150000 /* half of Prometheus' lookback, so that target_info never goes missing between two */
#define TARGET_INFO_MAX 100
#define PROBLEM_BYTES_MAX 65536

/* The first of attributes with this key; ret_has: there is one. */
static Str resource_text(MetricDecoder *d, Str key, bool *ret_has) {
    const AttrValue *v = attr_find(d->wire.v + d->resource.attrs.first, d->resource.attrs.n, key);
    *ret_has = v != NULL;
    if (!v) return STR_NULL;
    buf_clear(&d->r.scratch);
    attr_put_text(&d->r.scratch, v);
    return arena_copy(d->r.arena, buf_str(&d->r.scratch));
}

static bool is_promoted(const OtlpMetricOptions *o, Str key) {
    for (size_t i = 0; i < o->n_attributes; i++)
        if (str_eq(o->attributes[i], key)) return !o->promote_all;
    return o->promote_all;
}

/* Copies those of n attributes at `first` that pass to the end of d->wire. */
static bool select_attrs(
    MetricDecoder *d, AttrRange from, bool (*pass)(const OtlpMetricOptions *, Str), size_t *ret_n) {
    *ret_n = 0;
    for (size_t i = 0; i < from.n; i++) {
        Attr a = d->wire.v[from.first + i];
        if (!pass(d->options, a.key)) continue;
        if (!avec_push(d->r.arena, &d->wire, a)) return otlp_full(&d->r);
        ++*ret_n;
    }
    return true;
}

static bool promote_resource(MetricDecoder *d) {
    size_t first = d->wire.n, n;
    d->promoted = (Labels){0};
    if (!d->options->promote_all && d->options->n_attributes == 0) return true;
    if (!select_attrs(d, d->resource.attrs, is_promoted, &n)) return false;
    bool ok = otlp_promote(d, d->wire.v + first, MIN(n, OTLP_POINT_ATTRS_MAX), STR(""), &d->promoted);
    d->wire.n = first;
    return ok;
}

static bool on_resource(void *ctx, const Resource *resource) {
    MetricDecoder *d = ctx;
    bool has_name, has_space, has_instance;
    d->resource = *resource;
    d->resource_has_points = false;
    d->scope = (Labels){0};
    Str name = resource_text(d, STR("service.name"), &has_name);
    Str space = resource_text(d, STR("service.namespace"), &has_space);
    d->job = has_name && has_space ? arena_printf(d->r.arena, "%" STR_FMT "/%" STR_FMT, STR_ARG(space), STR_ARG(name))
                                   : name;
    d->instance = resource_text(d, STR("service.instance.id"), &has_instance);
    if (arena_exhausted(d->r.arena)) return otlp_full(&d->r);
    bool ok = promote_resource(d);
    d->resource_problem = d->r.problem;
    d->r.problem = NULL;
    return ok;
}

static bool on_scope(void *ctx, const Scope *scope) {
    MetricDecoder *d = ctx;
    d->scope = (Labels){0};
    d->scope_problem = NULL;
    if (!d->options->promote_scope || scope->name.n == 0) return true;
    size_t n = MIN(scope->attrs.n, OTLP_POINT_ATTRS_MAX);
    Labels own;
    if (!otlp_promote(d, d->wire.v + scope->attrs.first, n, STR("otel_scope_"), &own)) return false;
    d->scope_problem = d->r.problem;
    d->r.problem = NULL;
    if (d->scope_problem) return true;
    Label *v = ARENA_ARRAY(d->r.arena, Label, own.n + 3);
    if (!v) return otlp_full(&d->r);
    if (own.n) memcpy(v, own.v, own.n * sizeof *v);
    v[own.n] = (Label){STR("otel_scope_name"), scope->name}; /* each is set where one of its name may be already */
    v[own.n + 1] = (Label){STR("otel_scope_version"), scope->version};
    v[own.n + 2] = (Label){STR("otel_scope_schema_url"), scope->schema_url};
    d->scope = (Labels){v, own.n + 3};
    return true;
}

static bool is_identifying(Str key) {
    return str_eq_lit(key, "service.name") || str_eq_lit(key, "service.namespace") ||
           str_eq_lit(key, "service.instance.id");
}

static bool goes_to_target_info(const OtlpMetricOptions *o, Str key) {
    return o->keep_identifying || !is_identifying(key);
}

static bool has_label(const OtlpPoint *p, Str name) { return labels_get((Labels){p->labels, p->n_labels}, name).n > 0; }

/* Adds what is wrong to the texts of all; it refuses no point of its own. */
static void tell_problem(MetricDecoder *d) {
    Buf *all = d->r.rejects->all;
    if (all && d->r.problem && all->n < PROBLEM_BYTES_MAX) buf_printf(all, "%s\n", d->r.problem);
}

static bool emit_target_info(MetricDecoder *d, OtlpPoint *p) {
    int64_t first = d->min_t_ms, last = d->max_t_ms;
    d->promoted = d->scope = (Labels){0};
    if (!otlp_point_labels(d, p, last * 1000000)) return false;
    tell_problem(d);
    bool known = has_label(p, STR("job")) || has_label(p, STR("instance"));
    if (d->r.problem || !known) {
        d->r.problem = NULL;
        return true;
    }
    d->metric = (OtlpMetric){.prom_name = STR("target_info"), .kind = OTLP_GAUGE};
    int64_t step = MAX(TARGET_INFO_STEP_MS, (last - first) / TARGET_INFO_MAX + 1);
    for (p->t_ms = first; p->t_ms < last; p->t_ms += step) {
        if (!otlp_emit(d, p, OTLP_AS_IS, (Label){0}, 1, 0, 0)) return false;
    }
    p->t_ms = last;
    return otlp_emit(d, p, OTLP_AS_IS, (Label){0}, 1, 0, 0);
}

/* target_info{job, instance, other resource attributes} = 1, as often as queries need it within the request's span. */
static bool on_resource_end(void *ctx) {
    MetricDecoder *d = ctx;
    if (!d->resource_has_points || d->resource_problem) return true;
    OtlpPoint p = {.wire_first = d->wire.n};
    size_t n, others = 0;
    for (size_t i = 0; i < d->resource.attrs.n; i++)
        others += !is_identifying(d->wire.v[d->resource.attrs.first + i].key);
    if (others == 0) return true; /* nothing but job and instance: it would tell nothing */
    if (!select_attrs(d, d->resource.attrs, goes_to_target_info, &n)) return false;
    d->wire.n = MIN(d->wire.n, p.wire_first + OTLP_POINT_ATTRS_MAX);
    return emit_target_info(d, &p);
}

static MetricType prom_type(const OtlpMetric *m) {
    switch (m->kind) {
    case OTLP_SUM: return m->is_monotonic ? METRIC_COUNTER : METRIC_GAUGE;
    case OTLP_HISTOGRAM:
    case OTLP_EXP_HISTOGRAM: return METRIC_HISTOGRAM;
    case OTLP_SUMMARY: return METRIC_SUMMARY;
    default: return METRIC_GAUGE;
    }
}

enum { TEMPORALITY_NONE, TEMPORALITY_DELTA, TEMPORALITY_CUMULATIVE };

/* Sum{data_points = 1, aggregation_temporality = 2, is_monotonic = 3}; histograms have the first two. */
static bool read_temporality(MetricDecoder *d, OtlpMetric *m) {
    ProtoReader p = proto_reader(m->data);
    ProtoField f;
    bool carries = m->kind == OTLP_SUM || m->kind == OTLP_HISTOGRAM || m->kind == OTLP_EXP_HISTOGRAM;
    m->temporality = carries ? TEMPORALITY_NONE : TEMPORALITY_CUMULATIVE;
    while (carries && proto_next(&p, &f)) {
        if (f.number == 2) m->temporality = f.u64;
        if (f.number == 3) m->is_monotonic = f.u64 != 0;
    }
    m->is_delta = m->temporality == TEMPORALITY_DELTA;
    return otlp_end(&d->r, &p);
}

/* Metric{name = 1, description = 2, unit = 3, gauge = 5, sum = 7, histogram = 9, exponential_histogram = 10, summary =
 * 11} */
static bool read_metric(MetricDecoder *d, Str message, OtlpMetric *m) {
    static const struct {
        uint32_t field;
        OtlpKind kind;
    } kinds[] = {{5, OTLP_GAUGE}, {7, OTLP_SUM}, {9, OTLP_HISTOGRAM}, {10, OTLP_EXP_HISTOGRAM}, {11, OTLP_SUMMARY}};
    ProtoReader p = proto_reader(message);
    ProtoField f;
    while (proto_next(&p, &f)) {
        if (f.number == 1) m->name = otlp_text(&d->r, &f);
        if (f.number == 2) m->description = otlp_text(&d->r, &f);
        if (f.number == 3) m->unit = otlp_text(&d->r, &f);
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
            if (kinds[i].field == f.number) m->kind = kinds[i].kind, m->data = f.bytes;
        }
    }
    return otlp_end(&d->r, &p) && read_temporality(d, m);
}

static bool decode_point(MetricDecoder *d, Str message) {
    switch (d->metric.kind) {
    case OTLP_GAUGE:
    case OTLP_SUM: return otlp_number_point(d, message);
    case OTLP_HISTOGRAM: return otlp_histogram_point(d, message);
    case OTLP_EXP_HISTOGRAM: return otlp_exp_histogram_point(d, message);
    case OTLP_SUMMARY: return otlp_summary_point(d, message);
    case OTLP_NONE: break;
    }
    UNREACHABLE();
}

/* A refused point leaves nothing behind: series, samples and exemplars go back to where they were. */
static bool one_point(MetricDecoder *d, Str message) {
    MetricsBatch *b = d->batch;
    size_t series = b->series.n, samples = b->value.n, histograms = b->histograms.n, exemplars = b->exemplars.n,
           wire = d->wire.n;
    if (!decode_point(d, message)) return false;
    d->wire.n = wire;
    if (d->r.problem && !d->told) tell_problem(d);
    d->told |= d->r.problem != NULL;
    if (!otlp_rejected(&d->r, 1)) {
        d->r.rejects->accepted++;
        return true;
    }
    b->series.n = series;
    b->t_ms.n = b->value.n = samples;
    b->histogram_t_ms.n = b->histograms.n = histograms;
    b->exemplars.n = exemplars;
    metrics_batch_trim_starts(b);
    return true;
}

static bool add_metadata(MetricDecoder *d, const OtlpMetric *m) {
    MetricMetadata meta = {.metric = m->prom_name, .type = m->type, .help = m->description, .unit = m->unit};
    return avec_push(d->r.arena, &d->batch->metadata, meta) ? true : otlp_full(&d->r);
}

/* Underscores alone are a name only for who sent it like that. */
static bool is_bad_name(const OtlpMetric *m) {
    size_t i = 0;
    while (i < m->prom_name.n && m->prom_name.p[i] == '_') i++;
    return i == m->prom_name.n && (i == 0 || !str_eq(m->prom_name, m->name));
}

/* What refuses all points of the metric, in Prometheus' words. */
static void check_metric(MetricDecoder *d, const OtlpMetric *m) {
    if (d->resource_problem || d->scope_problem)
        otlp_problem(&d->r, "%s", d->resource_problem ? d->resource_problem : d->scope_problem);
    if (m->temporality != TEMPORALITY_CUMULATIVE && m->temporality != TEMPORALITY_DELTA)
        otlp_problem(&d->r, "invalid temporality and type combination for metric \"%" STR_FMT "\"", STR_ARG(m->name));
    if (is_bad_name(m) && m->prom_name.n == 0)
        otlp_problem(&d->r, "normalization for metric \"%" STR_FMT "\" resulted in empty name", STR_ARG(m->name));
    else if (is_bad_name(m))
        otlp_problem(&d->r, "normalization for metric \"%" STR_FMT "\" resulted in invalid name \"%" STR_FMT "\"",
            STR_ARG(m->name), STR_ARG(m->prom_name));
}

static bool name_metric(MetricDecoder *d, OtlpMetric *m) {
    m->type = prom_type(m);
    OtlpNameKind kind = m->type == METRIC_COUNTER ? OTLP_NAME_COUNTER
                        : m->kind == OTLP_GAUGE   ? OTLP_NAME_GAUGE
                                                  : OTLP_NAME_OTHER;
    m->prom_name = otlp_metric_name(d->r.arena, &d->r.names.naming, m->name, m->unit, kind);
    return m->prom_name.p ? true : otlp_full(&d->r);
}

static bool read_points(MetricDecoder *d, const char *bad) {
    ProtoReader p = proto_reader(d->metric.data);
    ProtoField f;
    while (proto_next(&p, &f)) {
        if (f.number != 1) continue;
        if (f.wire != PROTO_BYTES)
            return otlp_fail(&d->r, ERR_INVALID, "malformed protobuf: a data point has another wire type");
        d->r.problem = bad;
        if (bad)
            (void)otlp_rejected(&d->r, 1);
        else if (!one_point(d, f.bytes))
            return false;
    }
    d->r.problem = NULL;
    return otlp_end(&d->r, &p);
}

static bool on_metric(void *ctx, Str message) {
    MetricDecoder *d = ctx;
    OtlpMetric m = {0};
    if (!read_metric(d, message, &m)) return false;
    if (m.kind == OTLP_NONE) { /* legal, and means nothing; Prometheus tells it */
        otlp_problem(&d->r,
            "could not get aggregation temporality for %" STR_FMT " as it has unsupported metric type Empty",
            STR_ARG(m.name));
        tell_problem(d);
        d->r.problem = NULL;
        return true;
    }
    if (!name_metric(d, &m)) return false;
    check_metric(d, &m);
    const char *bad = d->r.problem;
    d->told = bad != NULL;
    tell_problem(d);
    d->metric = m;
    return read_points(d, bad) && (bad || add_metadata(d, &m));
}

static OtlpNaming naming_of(const OtlpMetricOptions *o) {
    return (OtlpNaming){.utf8 = o->translation == OTLP_UTF8_WITH_SUFFIXES || o->translation == OTLP_AS_IT_IS,
        .no_suffixes = o->translation == OTLP_ESCAPED_WITHOUT_SUFFIXES || o->translation == OTLP_AS_IT_IS,
        .keep_underscores = !o->collapse_underscores,
        .no_key_prefix = o->no_label_prefix};
}

ErrCode otlp_decode_metrics(Str proto, int64_t now_ms, const OtlpMetricOptions *options, OtlpDeltas *deltas,
    MetricsBatch *batch, OtlpRejects *rejects, Err *reterr) {
    static const OtlpMetricOptions defaults;
    ASSERT(batch->arena && batch->series.n == 0);
    MetricDecoder d = {.r = {.arena = batch->arena, .rejects = rejects, .err = reterr, .repeats = true},
        .batch = batch,
        .deltas = deltas,
        .options = options ? options : &defaults,
        .now_ms = now_ms};
    d.r.names.naming = naming_of(d.options);
    d.r.attrs = &d.wire;
    OtlpVisitor v = {
        .resource = on_resource, .scope = on_scope, .record = on_metric, .resource_end = on_resource_end, .ctx = &d};
    (void)otlp_walk(&d.r, proto, &v);
    buf_done(&d.r.scratch);
    return d.r.code;
}
