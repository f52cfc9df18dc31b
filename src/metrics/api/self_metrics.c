/* self_metrics.c - /status/self_metrics: the server's own metrics as JSON, in the form protojson gives to a
 * MetricFamily (io.prometheus.client). */
#include "metrics/api/api_int.h"

#include "base/num.h"
#include "codec/regex.h"
#include "sys/clock.h"

#include <math.h>

static const char *const type_names[] = {[METRIC_UNKNOWN] = "UNTYPED",
    [METRIC_COUNTER] = "COUNTER",
    [METRIC_GAUGE] = "GAUGE",
    [METRIC_HISTOGRAM] = "HISTOGRAM",
    [METRIC_GAUGE_HISTOGRAM] = "GAUGE_HISTOGRAM",
    [METRIC_SUMMARY] = "SUMMARY",
    [METRIC_INFO] = "GAUGE",
    [METRIC_STATESET] = "GAUGE"};
static const char *const value_keys[] = {[METRIC_STATESET] = "gauge",
    [METRIC_UNKNOWN] = "untyped",
    [METRIC_COUNTER] = "counter",
    [METRIC_GAUGE] = "gauge",
    [METRIC_INFO] = "gauge"};

static bool is_scalar(MetricType t) {
    return t != METRIC_HISTOGRAM && t != METRIC_GAUGE_HISTOGRAM && t != METRIC_SUMMARY;
}

/* protojson: NaN and the infinities are strings. */
static void put_number(JsonWriter *w, double v) {
    if (isfinite(v))
        json_f64(w, v);
    else
        json_str(w, isnan(v) ? STR("NaN") : v > 0 ? STR("Infinity") : STR("-Infinity"));
}

static void put_labels(JsonWriter *w, Labels l) {
    bool any = false;
    for (size_t i = 0; i < l.n; i++) {
        if (str_eq(l.v[i].name, LABEL_NAME_METRIC)) continue;
        if (!any) {
            json_key_lit(w, "label");
            json_begin_array(w);
        }
        any = true;
        json_begin_object(w);
        json_pair_str(w, "name", l.v[i].name);
        json_pair_str(w, "value", l.v[i].value);
        json_end_object(w);
    }
    if (any) json_end_array(w);
}

static double sample_of(const MetricsBatch *b, size_t i) { return b->value.v[b->series.v[i].first_sample]; }

/* Series whose name is family + suffix; the labels but `skip` are those of `like` (NULL: any). */
static bool is_member(const MetricsBatch *b, size_t i, Str family, const char *suffix, const Labels *like, Str skip) {
    Labels l = b->series.v[i].labels;
    Str name = labels_get(l, LABEL_NAME_METRIC);
    if (!str_starts_with(name, family) || !str_eq(str_skip(name, family.n), str_cstr(suffix))) return false;
    if (!like) return true;
    const Str names[] = {LABEL_NAME_METRIC, skip};
    return labels_hash_for(l, names, 2, false) == labels_hash_for(*like, names, 2, false);
}

static void put_buckets(JsonWriter *w, const MetricsBatch *b, Str family, const Labels *like) {
    json_key_lit(w, "bucket");
    json_begin_array(w);
    for (size_t i = 0; i < b->series.n; i++) {
        if (!is_member(b, i, family, "_bucket", like, STR("le"))) continue;
        double bound;
        Str le = labels_get(b->series.v[i].labels, STR("le"));
        if (!num_parse_f64(le, &bound) || isinf(bound)) continue;
        Buf count = {0};
        json_begin_object(w);
        num_put_u64(&count, (uint64_t)sample_of(b, i));
        json_pair_str(w, "cumulativeCount", buf_str(&count));
        json_key_lit(w, "upperBound");
        put_number(w, bound);
        json_end_object(w);
        buf_done(&count);
    }
    json_end_array(w);
}

static void put_quantiles(JsonWriter *w, const MetricsBatch *b, Str family, const Labels *like) {
    json_key_lit(w, "quantile");
    json_begin_array(w);
    for (size_t i = 0; i < b->series.n; i++) {
        double q;
        if (!is_member(b, i, family, "", like, STR("quantile"))) continue;
        if (!num_parse_f64(labels_get(b->series.v[i].labels, STR("quantile")), &q)) continue;
        json_begin_object(w);
        json_key_lit(w, "quantile");
        put_number(w, q);
        json_key_lit(w, "value");
        put_number(w, sample_of(b, i));
        json_end_object(w);
    }
    json_end_array(w);
}

/* One metric of a histogram or summary, found by its _count series. */
static void put_distribution(JsonWriter *w, const MetricsBatch *b, Str family, bool summary, size_t count_at) {
    Labels like = b->series.v[count_at].labels;
    Buf count = {0};
    num_put_u64(&count, (uint64_t)sample_of(b, count_at));
    json_begin_object(w);
    put_labels(w, like);
    json_key(w, summary ? STR("summary") : STR("histogram"));
    json_begin_object(w);
    json_pair_str(w, "sampleCount", buf_str(&count));
    for (size_t i = 0; i < b->series.n; i++) {
        if (!is_member(b, i, family, "_sum", &like, STR("le"))) continue;
        json_key_lit(w, "sampleSum");
        put_number(w, sample_of(b, i));
        break;
    }
    if (summary)
        put_quantiles(w, b, family, &like);
    else
        put_buckets(w, b, family, &like);
    json_end_object(w);
    json_end_object(w);
    buf_done(&count);
}

static void put_family(JsonWriter *w, const MetricsBatch *b, const MetricMetadata *m) {
    json_begin_object(w);
    json_pair_str(w, "name", m->metric);
    if (m->help.n) json_pair_str(w, "help", m->help);
    json_pair_str(w, "type", str_cstr(type_names[m->type]));
    json_key_lit(w, "metric");
    json_begin_array(w);
    for (size_t i = 0; i < b->series.n; i++) {
        if (!is_scalar(m->type)) {
            if (is_member(b, i, m->metric, "_count", NULL, STR_NULL))
                put_distribution(w, b, m->metric, m->type == METRIC_SUMMARY, i);
            continue;
        }
        if (!is_member(b, i, m->metric, "", NULL, STR_NULL)) continue;
        json_begin_object(w);
        put_labels(w, b->series.v[i].labels);
        json_key(w, str_cstr(value_keys[m->type]));
        json_begin_object(w);
        json_key_lit(w, "value");
        put_number(w, sample_of(b, i));
        json_end_object(w);
        json_end_object(w);
    }
    json_end_array(w);
    json_end_object(w);
}

bool api_self_metrics(ApiCall *c) {
    const PromApiOptions *o = &c->api->opts;
    Str pattern = http_param(c->req, STR("metric_name_pattern"));
    MetricsBatch batch = {.arena = c->req->arena};
    Regex *re = NULL;
    Err err = {0};
    if (pattern.n) {
        pattern = arena_printf(c->req->arena, "^(?:%" STR_FMT ")$", STR_ARG(pattern));
        if (!pattern.p) return api_fail(c, API_EXECUTION, "query needs more memory than it may use");
        if (regex_compile(pattern, 0, &re, &err) != OK)
            return api_fail(c, API_BAD_DATA, "invalid metric_name_pattern: %s", err.msg);
    }
    if (o->gather) o->gather(o->ctx, &batch, clock_now_ms());
    json_begin_array(&c->w);
    for (size_t i = 0; i < batch.metadata.n; i++)
        if (!re || regex_match(re, batch.metadata.v[i].metric)) put_family(&c->w, &batch, &batch.metadata.v[i]);
    json_end_array(&c->w);
    regex_free(re);
    return true;
}
