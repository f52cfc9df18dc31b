/* otlp_test.c - the examples of opentelemetry-proto come out with the counts and values that stand in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/num.h"
#include "collect/otlp_decode.h"
#include "collect/otlp_json.h"
#include "sys/fs.h"

#include <stdio.h>

static const char *data_dir;

/* --- decoded batches as text: one line per span, sample or record --- */

static void put_hex(Buf *out, const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++) buf_printf(out, "%02x", p[i]);
}

static void put_attrs(Buf *out, const AttrPool *pool, AttrRange r) {
    for (uint32_t i = 0; i < r.n; i++) {
        const Attr *a = &pool->v[r.first + i];
        buf_printf(out, " %" STR_FMT "=", STR_ARG(a->key));
        attr_put_text(out, &a->value);
    }
}

static ErrCode spans_text(Str proto, Arena *arena, Buf *out, OtlpRejects *rejects) {
    SpansBatch b = {.arena = arena};
    ErrCode r = otlp_decode_traces(proto, &b, rejects, NULL);
    for (size_t i = 0; i < b.rows.n; i++) {
        const SpanRow *s = &b.rows.v[i];
        const Scope *scope = &b.scopes.v[s->scope];
        put_hex(out, s->trace_id.b, 16);
        buf_put_char(out, ' ');
        put_hex(out, s->span_id.b, 8);
        buf_put_char(out, ' ');
        put_hex(out, s->parent_id.b, 8);
        buf_printf(out, " \"%" STR_FMT "\" %s %lld+%lld", STR_ARG(s->name), span_kind_name((SpanKind)s->kind),
            (long long)s->start_ns, (long long)(s->end_ns - s->start_ns));
        put_attrs(out, &b.attrs, s->attrs);
        buf_put_lit(out, " |");
        put_attrs(out, &b.attrs, b.resources.v[s->resource].attrs);
        buf_printf(out, " | %" STR_FMT " %" STR_FMT, STR_ARG(scope->name), STR_ARG(scope->version));
        put_attrs(out, &b.attrs, scope->attrs);
        buf_put_char(out, '\n');
    }
    return r;
}

static ErrCode records_text(Str proto, Arena *arena, Buf *out, OtlpRejects *rejects) {
    LogsBatch b = {.arena = arena};
    ErrCode r = otlp_decode_logs(proto, 1, &b, rejects, NULL);
    for (size_t i = 0; i < b.rows.n; i++) {
        const LogRow *row = &b.rows.v[i];
        labels_put_text(out, b.streams.v[row->stream]);
        buf_printf(out, " %lld %" STR_FMT " |", (long long)row->t_ns, STR_ARG(row->line));
        put_attrs(out, &b.attrs, row->metadata);
        buf_put_char(out, '\n');
    }
    return r;
}

static void put_histogram(Buf *out, const Histogram *h) {
    buf_printf(out, " schema=%d count=%g sum=%g zero=%g", h->schema, h->count, h->sum, h->zero_count);
    uint32_t bucket = 0;
    int32_t index = 0;
    for (uint32_t i = 0; i < h->n_pos_spans; i++) {
        index += h->pos_spans[i].offset;
        for (uint32_t j = 0; j < h->pos_spans[i].length; j++) buf_printf(out, " [%d]=%g", index++, h->pos[bucket++]);
    }
}

static ErrCode samples_text(Str proto, Arena *arena, Buf *out, OtlpRejects *rejects) {
    MetricsBatch b = {.arena = arena};
    OtlpDeltas *deltas = otlp_deltas_create(0);
    ErrCode r = otlp_decode_metrics(proto, 1, NULL, deltas, &b, rejects, NULL);
    for (size_t i = 0; i < b.series.n; i++) {
        const BatchSeries *s = &b.series.v[i];
        labels_put_text(out, s->labels);
        for (uint32_t j = 0; j < s->n_samples; j++) {
            buf_printf(out, " %lld ", (long long)b.t_ms.v[s->first_sample + j]);
            num_put_f64_prom(out, b.value.v[s->first_sample + j]);
        }
        for (uint32_t j = 0; j < s->n_histograms; j++) {
            buf_printf(out, " %lld", (long long)b.histogram_t_ms.v[s->first_histogram + j]);
            put_histogram(out, &b.histograms.v[s->first_histogram + j]);
        }
        buf_put_char(out, '\n');
    }
    for (size_t i = 0; i < b.metadata.n; i++) {
        const MetricMetadata *m = &b.metadata.v[i];
        buf_printf(out, "%" STR_FMT ": %s \"%" STR_FMT "\" %" STR_FMT "\n", STR_ARG(m->metric),
            metric_type_name(m->type), STR_ARG(m->help), STR_ARG(m->unit));
    }
    otlp_deltas_free(deltas);
    return r;
}

/* --- the examples --- */

static const struct Example {
    const char *file;
    OtlpRequest kind;
    uint64_t items;
    const char *text;
} examples[] = {
    {"trace.json", OTLP_REQUEST_TRACES, 1,
        "5b8efff798038103d269b633813fc60c eee19b7ec3c1b174 eee19b7ec3c1b173 \"I'm a server span\" server "
        "1544712660000000000+1000000000 my.span.attr=some value | service.name=my.service | my.library 1.0.0 "
        "my.scope.attribute=some scope attribute\n"},
    {"logs.json", OTLP_REQUEST_LOGS, 1,
        "{service_name=\"my.service\"} 1544712660300000000 Example log record | scope_name=my.library "
        "scope_version=1.0.0 my_scope_attribute=some scope attribute string_attribute=some string "
        "boolean_attribute=true int_attribute=10 double_attribute=637.704 array_attribute=[\"many\",\"values\"] "
        "map_attribute_some_map_key=some value severity_number=10 severity_text=Information detected_level=info "
        "trace_id=5b8efff798038103d269b633813fc60c span_id=eee19b7ec3c1b174 "
        "observed_timestamp=1544712660300000000\n"},
    {"events.json", OTLP_REQUEST_LOGS, 1,
        "{service_name=\"my.service\"} 1544712660300000000 "
        "{\"type\":0,\"url\":\"https://www.guidgenerator.com/online-guid-generator.aspx\","
        "\"referrer\":\"https://wwww.google.com\",\"title\":\"Free Online GUID Generator\"} | scope_name=my.library "
        "scope_version=1.0.0 my_scope_attribute=some scope attribute event_attribute=some event attribute "
        "severity_number=9 severity_text=test severity text detected_level=info event_name=browser.page_view "
        "observed_timestamp=1544712660300000000\n"},
    {"metrics.json", OTLP_REQUEST_METRICS, 4,
        "my_counter_total{job=\"my.service\", my_counter_attr=\"some value\"} 1544712660300 5\n"
        "my_gauge_ratio{job=\"my.service\", my_gauge_attr=\"some value\"} 1544712660300 10\n"
        "my_histogram_bucket{job=\"my.service\", le=\"1\", my_histogram_attr=\"some value\"} 1544712660300 1\n"
        "my_histogram_bucket{job=\"my.service\", le=\"+Inf\", my_histogram_attr=\"some value\"} 1544712660300 2\n"
        "my_histogram_sum{job=\"my.service\", my_histogram_attr=\"some value\"} 1544712660300 2\n"
        "my_histogram_count{job=\"my.service\", my_histogram_attr=\"some value\"} 1544712660300 2\n"
        "my_exponential_histogram{job=\"my.service\", my_exponential_histogram_attr=\"some value\"} 1544712660300 "
        "schema=0 count=3 sum=10 zero=1 [3]=2\n"
        "my_counter_total: counter \"I am a Counter\" 1\nmy_gauge_ratio: gauge \"I am a Gauge\" 1\n"
        "my_histogram: histogram \"I am a Histogram\" 1\n"
        "my_exponential_histogram: histogram \"I am an Exponential Histogram\" 1\n"},
};

static void check_example(const struct Example *e) {
    static ErrCode (*const decoders[])(Str, Arena *, Buf *, OtlpRejects *) = {spans_text, samples_text, records_text};
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Buf json = {0}, proto = {0}, text = {0};
    OtlpRejects rejects = {0};
    Err err = {0};
    char path[FS_PATH_MAX], name[64];
    (void)snprintf(name, sizeof name, "examples/%s", e->file);
    fs_path_join(path, data_dir, name);
    if (fs_read_file(fs_real(), path, 1u << 20, &json, &err)) fail_msg("%s", err.msg);
    if (otlp_json_to_proto(e->kind, buf_str(&json), arena, &proto, &err)) fail_msg("%s: %s", e->file, err.msg);
    assert_int_equal(decoders[e->kind](buf_str(&proto), arena, &text, &rejects), OK);
    if (!str_eq(buf_str(&text), str_cstr(e->text))) fail_msg("%s:\n%s", e->file, buf_cstr(&text));
    assert_int_equal(rejects.accepted, e->items);
    assert_int_equal(rejects.count, 0);
    buf_done(&json);
    buf_done(&proto);
    buf_done(&text);
    arena_free(arena);
}

static void test_examples(void **state) {
    (void)state;
    if (!data_dir || !fs_real()->ops->exists(fs_real(), data_dir)) {
        printf("conformance: OTLP examples: no data in %s, nothing was checked\n", data_dir ? data_dir : "(none)");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) check_example(&examples[i]);
    printf("conformance: OTLP examples: %zu of %zu decode as expected\n", ARRAY_LEN(examples), ARRAY_LEN(examples));
}

int main(int argc, char **argv) {
    data_dir = argc > 1 ? argv[1] : NULL;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
