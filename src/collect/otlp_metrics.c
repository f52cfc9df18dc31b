/* otlp_metrics.c - ExportMetricsServiceRequest: resources, metrics and the choice of the point decoder. */
#include "collect/otlp_metrics_int.h"

#define TARGET_INFO_STEP_MS                                                                                            \
    150000 /* half of Prometheus' lookback, so that target_info never goes missing between two */
#define TARGET_INFO_MAX 100

static Str resource_text(MetricDecoder *d, Str key) {
    const AttrValue *v = attr_find(d->wire.v + d->resource.attrs.first, d->resource.attrs.n, key);
    if (!v) return STR_NULL;
    buf_clear(&d->r.scratch);
    attr_put_text(&d->r.scratch, v);
    return arena_copy(d->r.arena, buf_str(&d->r.scratch));
}

static bool on_resource(void *ctx, const Resource *resource) {
    MetricDecoder *d = ctx;
    d->resource = *resource;
    d->resource_has_points = false;
    Str name = resource_text(d, STR("service.name")), space = resource_text(d, STR("service.namespace"));
    d->job =
        name.n && space.n ? arena_printf(d->r.arena, "%" STR_FMT "/%" STR_FMT, STR_ARG(space), STR_ARG(name)) : name;
    d->instance = resource_text(d, STR("service.instance.id"));
    return arena_exhausted(d->r.arena) ? otlp_full(&d->r) : true;
}

static bool on_scope(void *ctx, const Scope *scope) {
    (void)ctx;
    (void)scope; /* scope labels are not promoted by default */
    return true;
}

static bool is_identifying(Str key) {
    return str_eq_lit(key, "service.name") || str_eq_lit(key, "service.namespace") ||
           str_eq_lit(key, "service.instance.id");
}

/* target_info{job, instance, other resource attributes} = 1, as often as queries need it within the request's span. */
static bool on_resource_end(void *ctx) {
    MetricDecoder *d = ctx;
    if (!d->resource_has_points || (d->job.n == 0 && d->instance.n == 0)) return true;
    OtlpPoint p = {.wire_first = d->wire.n};
    for (size_t i = 0; i < d->resource.attrs.n; i++) {
        Attr a = d->wire.v[d->resource.attrs.first + i];
        if (is_identifying(a.key)) continue;
        if (!avec_push(d->r.arena, &d->wire, a)) return otlp_full(&d->r);
    }
    if (d->wire.n == p.wire_first) return true;
    d->wire.n = MIN(d->wire.n, p.wire_first + OTLP_POINT_ATTRS_MAX);
    int64_t first = d->min_t_ms, last = d->max_t_ms;
    if (!otlp_point_labels(d, &p, last * 1000000)) return false;
    d->metric = (OtlpMetric){.prom_name = STR("target_info"), .kind = OTLP_GAUGE};
    int64_t step = MAX(TARGET_INFO_STEP_MS, (last - first) / TARGET_INFO_MAX + 1);
    for (p.t_ms = first; p.t_ms < last; p.t_ms += step) {
        if (!otlp_emit(d, &p, OTLP_AS_IS, (Label){0}, 1, 0, 0)) return false;
    }
    p.t_ms = last;
    return otlp_emit(d, &p, OTLP_AS_IS, (Label){0}, 1, 0, 0);
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

/* Sum{data_points = 1, aggregation_temporality = 2, is_monotonic = 3}; histograms have the first two. */
static bool read_temporality(MetricDecoder *d, OtlpMetric *m) {
    ProtoReader p = proto_reader(m->data);
    ProtoField f;
    uint64_t temporality = 2;
    bool carries = m->kind == OTLP_SUM || m->kind == OTLP_HISTOGRAM || m->kind == OTLP_EXP_HISTOGRAM;
    while (carries && proto_next(&p, &f)) {
        if (f.number == 2) temporality = f.u64;
        if (f.number == 3) m->is_monotonic = f.u64 != 0;
    }
    m->is_delta = temporality == 1;
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

static bool on_metric(void *ctx, Str message) {
    MetricDecoder *d = ctx;
    OtlpMetric m = {0};
    if (!read_metric(d, message, &m)) return false;
    if (m.kind == OTLP_NONE) {
        d->r.problem = NULL;
        return true; /* a metric without data is legal and means nothing */
    }
    m.type = prom_type(&m);
    m.prom_name = m.name.n > 0 ? otlp_metric_name(d->r.arena, m.name, m.unit, m.type) : STR("");
    if (!m.prom_name.p) return otlp_full(&d->r);
    if (m.prom_name.n == 0 && !d->r.problem) d->r.problem = "a metric has no name";
    const char *bad = d->r.problem;
    d->metric = m;
    ProtoReader p = proto_reader(m.data);
    ProtoField f;
    while (proto_next(&p, &f)) {
        if (f.number != 1) continue;
        if (f.wire != PROTO_BYTES)
            return otlp_fail(&d->r, ERR_INVALID, "malformed protobuf: a data point has another wire type");
        d->r.problem = bad;
        if (bad ? (otlp_rejected(&d->r, 1), false) : !one_point(d, f.bytes)) return false;
    }
    d->r.problem = NULL;
    return otlp_end(&d->r, &p) && (bad || add_metadata(d, &m));
}

ErrCode otlp_decode_metrics(
    Str proto, int64_t now_ms, OtlpDeltas *deltas, MetricsBatch *batch, OtlpRejects *rejects, Err *reterr) {
    ASSERT(batch->arena && batch->series.n == 0);
    MetricDecoder d = {.r = {.arena = batch->arena, .rejects = rejects, .err = reterr},
        .batch = batch,
        .deltas = deltas,
        .now_ms = now_ms};
    d.r.attrs = &d.wire;
    OtlpVisitor v = {
        .resource = on_resource, .scope = on_scope, .record = on_metric, .resource_end = on_resource_end, .ctx = &d};
    (void)otlp_walk(&d.r, proto, &v);
    buf_done(&d.r.scratch);
    return d.r.code;
}
