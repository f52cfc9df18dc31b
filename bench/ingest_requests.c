#include "ingest_requests.h"

#include "codec/compress.h"
#include "codec/proto.h"

#include <stdio.h>
#include <string.h>

/* --- attributes --- */

static size_t begin_attr(Buf *b, uint32_t field, Str key, size_t *ret_value) {
    size_t kv = proto_begin(b, field);
    proto_put_bytes(b, 1, key);
    *ret_value = proto_begin(b, 2);
    return kv;
}

static void put_str(Buf *b, uint32_t field, const char *key, Str v) {
    size_t value, kv = begin_attr(b, field, str_cstr(key), &value);
    proto_put_bytes(b, 1, v);
    proto_end(b, value);
    proto_end(b, kv);
}

static void put_text(Buf *b, uint32_t field, const char *key, const char *v) { put_str(b, field, key, str_cstr(v)); }

static void put_int(Buf *b, uint32_t field, const char *key, int64_t v) {
    size_t value, kv = begin_attr(b, field, str_cstr(key), &value);
    proto_put_varint(b, 3, (uint64_t)v);
    proto_end(b, value);
    proto_end(b, kv);
}

static void put_f64(Buf *b, uint32_t field, const char *key, double v) {
    size_t value, kv = begin_attr(b, field, str_cstr(key), &value);
    proto_put_f64(b, 4, v);
    proto_end(b, value);
    proto_end(b, kv);
}

static const char *const services[] = {"gateway", "chat", "embeddings", "billing", "search", "auth", "files", "agents"};
static const char *const models[] = {"large-2", "small-2", "mini", "embed-3", "vision-1"};
static const char *const routes[] = {"/v1/chat/completions", "/v1/embeddings", "/v1/files/{id}", "/v1/models",
    "/v1/threads/{id}/runs", "/healthz", "/v1/batches", "/v1/images"};
static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};

#define PICK(rng, array) (array)[rng_u64(rng) % ARRAY_LEN(array)]

static void put_resource(Buf *b, uint32_t service, uint32_t instance) {
    char name[32];
    size_t res = proto_begin(b, 1);
    put_text(b, 1, "service.name", services[service % ARRAY_LEN(services)]);
    put_text(b, 1, "service.namespace", "llm");
    (void)snprintf(name, sizeof name, "pod-%04u", instance);
    put_text(b, 1, "service.instance.id", name);
    put_text(b, 1, "k8s.pod.name", name);
    put_text(b, 1, "host.name", "node-07.eu-west.example.org");
    put_text(b, 1, "telemetry.sdk.language", "python");
    put_text(b, 1, "telemetry.sdk.version", "1.27.0");
    proto_end(b, res);
}

static void put_scope(Buf *b) {
    size_t scope = proto_begin(b, 1);
    proto_put_bytes(b, 1, STR("opentelemetry.instrumentation.fastapi"));
    proto_put_bytes(b, 2, STR("0.48b0"));
    proto_end(b, scope);
}

static void put_id(Buf *b, uint32_t field, uint64_t hi, uint64_t lo, size_t n) {
    char id[16];
    memcpy(id, &hi, 8);
    memcpy(id + 8, &lo, 8);
    proto_put_bytes(b, field, str_of(id, n));
}

/* --- traces --- */

static void put_span(Buf *b, Rng *rng, const uint64_t trace[2], uint64_t parent, uint64_t id, int64_t t_ns) {
    char text[64];
    size_t span = proto_begin(b, 2);
    uint64_t x = rng_u64(rng);
    int64_t duration_ns = (int64_t)(1000000 + rng_u64(rng) % 900000000);
    put_id(b, 1, trace[0], trace[1], 16);
    put_id(b, 2, id, 0, 8);
    if (parent) put_id(b, 4, parent, 0, 8);
    const char *route = PICK(rng, routes), *method = PICK(rng, methods);
    (void)snprintf(text, sizeof text, "%s %s", method, route);
    proto_put_bytes(b, 5, str_cstr(text));
    proto_put_varint(b, 6, parent ? 3 : 2);
    proto_put_fixed64(b, 7, (uint64_t)t_ns);
    proto_put_fixed64(b, 8, (uint64_t)(t_ns + duration_ns));
    put_text(b, 9, "http.request.method", method);
    put_text(b, 9, "http.route", route);
    put_int(b, 9, "http.response.status_code", x % 50 ? 200 : 503);
    (void)snprintf(text, sizeof text, "user-%05u", (unsigned)(rng_u64(rng) % 20000));
    put_text(b, 9, "enduser.id", text);
    put_text(b, 9, "gen_ai.request.model", models[x >> 8 & 3]);
    put_int(b, 9, "gen_ai.usage.input_tokens", (int64_t)(rng_u64(rng) % 8000));
    put_int(b, 9, "gen_ai.usage.output_tokens", (int64_t)(rng_u64(rng) % 2000));
    put_f64(b, 9, "gen_ai.request.temperature", (double)(x >> 16 & 15) / 10);
    put_text(b, 9, "server.address", "10.42.7.19");
    put_int(b, 9, "server.port", 8443);
    (void)snprintf(text, sizeof text, "req_%016llx", (unsigned long long)rng_u64(rng));
    put_text(b, 9, "request.id", text);
    if (x % 50 == 0) {
        size_t status = proto_begin(b, 15);
        proto_put_bytes(b, 2, STR("upstream overloaded"));
        proto_put_varint(b, 3, 2);
        proto_end(b, status);
    }
    proto_end(b, span);
}

void bench_put_traces(Buf *out, Rng *rng, int64_t t_ns) {
    uint64_t trace[2] = {0}, parent = 0;
    for (uint32_t r = 0; r < 2; r++) {
        size_t rs = proto_begin(out, 1);
        put_resource(out, (uint32_t)rng_u64(rng), (uint32_t)(rng_u64(rng) % 50));
        size_t ss = proto_begin(out, 2);
        put_scope(out);
        for (int i = 0; i < BENCH_SPANS / 2; i++) {
            uint64_t id = rng_u64(rng) | 1;
            if (i % 10 == 0) {
                trace[0] = rng_u64(rng) | 1;
                trace[1] = rng_u64(rng);
                parent = 0;
            }
            put_span(out, rng, trace, parent, id, t_ns + i * INT64_C(100000));
            if (i % 3 == 0) parent = id;
        }
        proto_end(out, ss);
        proto_end(out, rs);
    }
}

/* --- logs --- */

static size_t make_line(char *line, size_t max, Rng *rng) {
    static const char *const verbs[] = {"completed", "queued", "retried", "streamed"};
    int n = snprintf(line, max,
        "request req_%016llx %s for user-%05u on model %s: prompt_tokens=%u completion_tokens=%u latency_ms=%u "
        "queue_ms=%u upstream=10.42.%u.%u:8443 cache=%s attempt=%u region=eu-west-1",
        (unsigned long long)rng_u64(rng), PICK(rng, verbs), (unsigned)(rng_u64(rng) % 20000), PICK(rng, models),
        (unsigned)(rng_u64(rng) % 8000), (unsigned)(rng_u64(rng) % 2000), (unsigned)(rng_u64(rng) % 30000),
        (unsigned)(rng_u64(rng) % 300), (unsigned)(rng_u64(rng) % 8), (unsigned)(rng_u64(rng) % 250),
        rng_u64(rng) & 1 ? "hit" : "miss", (unsigned)(1 + rng_u64(rng) % 3));
    return (size_t)n < max ? (size_t)n : max - 1;
}

static void put_record(Buf *b, Rng *rng, int64_t t_ns) {
    char text[320];
    size_t rec = proto_begin(b, 2);
    uint64_t x = rng_u64(rng);
    proto_put_fixed64(b, 1, (uint64_t)t_ns);
    proto_put_varint(b, 2, x % 40 ? 9 : 17);
    proto_put_bytes(b, 3, x % 40 ? STR("INFO") : STR("ERROR"));
    size_t body = proto_begin(b, 5);
    proto_put_bytes(b, 1, str_of(text, make_line(text, sizeof text, rng)));
    proto_end(b, body);
    put_text(b, 6, "logger", "app.completions");
    put_text(b, 6, "code.function.name", "finish_request");
    put_int(b, 6, "code.line.number", 100 + (int64_t)(x >> 8 & 63));
    put_text(b, 6, "http.route", PICK(rng, routes));
    put_int(b, 6, "http.response.status_code", x % 40 ? 200 : 500);
    (void)snprintf(text, sizeof text, "user-%05u", (unsigned)(rng_u64(rng) % 20000));
    put_text(b, 6, "enduser.id", text);
    put_text(b, 6, "gen_ai.request.model", PICK(rng, models));
    put_f64(b, 6, "duration", (double)(rng_u64(rng) % 30000) / 1000);
    if (x & 1) {
        put_id(b, 9, rng_u64(rng) | 1, rng_u64(rng), 16);
        put_id(b, 10, rng_u64(rng) | 1, 0, 8);
    }
    proto_put_fixed64(b, 11, (uint64_t)t_ns + 1000);
    proto_end(b, rec);
}

void bench_put_logs(Buf *out, Rng *rng, int64_t t_ns) {
    size_t rl = proto_begin(out, 1);
    put_resource(out, (uint32_t)rng_u64(rng), (uint32_t)(rng_u64(rng) % 50));
    size_t sl = proto_begin(out, 2);
    put_scope(out);
    for (int i = 0; i < BENCH_LOGS; i++) put_record(out, rng, t_ns + i * INT64_C(10000));
    proto_end(out, sl);
    proto_end(out, rl);
}

/* --- metrics --- */

static void put_point_head(Buf *b, uint32_t attrs, int point, int64_t t_ns) {
    proto_put_fixed64(b, 2, (uint64_t)INT64_C(1700000000000000000));
    proto_put_fixed64(b, 3, (uint64_t)t_ns);
    put_text(b, attrs, "http.route", routes[point % 8]);
    put_text(b, attrs, "http.request.method", methods[point / 8 % 4]);
    put_text(b, attrs, "gen_ai.request.model", models[point % 5]);
}

static size_t begin_metric(Buf *b, const char *name, int i, const char *unit) {
    char full[64];
    size_t m = proto_begin(b, 2);
    (void)snprintf(full, sizeof full, "%s.%d", name, i);
    proto_put_bytes(b, 1, str_cstr(full));
    proto_put_bytes(b, 2, STR("What it measures, in a sentence"));
    proto_put_bytes(b, 3, str_cstr(unit));
    return m;
}

static void put_gauge(Buf *b, Rng *rng, int i, int64_t t_ns) {
    size_t m = begin_metric(b, "queue.utilization", i, "1"), g = proto_begin(b, 5);
    for (int p = 0; p < 10; p++) {
        size_t point = proto_begin(b, 1);
        put_point_head(b, 7, p, t_ns);
        proto_put_f64(b, 4, (double)(rng_u64(rng) % 10000) / 100);
        proto_end(b, point);
    }
    proto_end(b, g);
    proto_end(b, m);
}

static void put_counter(Buf *b, int i, uint64_t step, int64_t t_ns) {
    size_t m = begin_metric(b, "http.server.requests", i, "{request}"), s = proto_begin(b, 7);
    for (int p = 0; p < 10; p++) {
        size_t point = proto_begin(b, 1);
        put_point_head(b, 7, p, t_ns);
        proto_put_fixed64(b, 6, step * (uint64_t)(17 + p * 5) + step * step % 13);
        proto_end(b, point);
    }
    proto_put_varint(b, 2, 2);
    proto_put_varint(b, 3, 1);
    proto_end(b, s);
    proto_end(b, m);
}

static void put_histogram_point(Buf *b, int p, uint64_t step, int64_t t_ns) {
    static const double bounds[12] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5};
    uint64_t counts[13], total = 0;
    for (uint64_t i = 0; i < 13; i++) total += counts[i] = step * (13 - i) + step * step % (7 + i);
    size_t point = proto_begin(b, 1);
    put_point_head(b, 9, p, t_ns);
    proto_put_fixed64(b, 4, total);
    proto_put_f64(b, 5, (double)total * 0.21);
    proto_put_bytes(b, 6, str_of((const char *)counts, sizeof counts));
    proto_put_bytes(b, 7, str_of((const char *)bounds, sizeof bounds));
    proto_end(b, point);
}

static void put_histogram(Buf *b, int i, uint64_t step, int64_t t_ns) {
    size_t m = begin_metric(b, "http.server.request.duration", i, "s"), h = proto_begin(b, 9);
    for (int p = 0; p < 5; p++) put_histogram_point(b, p, step, t_ns);
    proto_put_varint(b, 2, 2);
    proto_end(b, h);
    proto_end(b, m);
}

void bench_put_metrics(Buf *out, Rng *rng, uint32_t instance, uint64_t step, int64_t t_ns) {
    size_t rm = proto_begin(out, 1);
    put_resource(out, instance, instance);
    size_t sm = proto_begin(out, 2);
    put_scope(out);
    for (int i = 0; i < 10; i++) put_gauge(out, rng, i, t_ns);
    for (int i = 0; i < 10; i++) put_counter(out, i, step, t_ns);
    for (int i = 0; i < 4; i++) put_histogram(out, i, step, t_ns);
    proto_end(out, sm);
    proto_end(out, rm);
}

/* --- remote write --- */

/* name="<prefix><number><suffix>" */
static void put_label(Buf *b, Str name, const char *prefix, uint64_t v, const char *suffix) {
    char text[64];
    int n = snprintf(text, sizeof text, "%s%llu%s", prefix, (unsigned long long)v, suffix);
    size_t label = proto_begin(b, 1);
    proto_put_bytes(b, 1, name);
    proto_put_bytes(b, 2, str_of(text, (size_t)n));
    proto_end(b, label);
}

static void put_series(Buf *b, Rng *rng, uint32_t instance, uint32_t series, uint64_t step, int64_t t_ms) {
    size_t ts = proto_begin(b, 1);
    put_label(b, STR("__name__"), "app_metric_", series / 10, "_total");
    put_label(b, STR("cluster"), "production-", instance % 3, "");
    put_label(b, STR("code"), "", 200 + series % 10, "");
    put_label(b, STR("instance"), "10.0.0.", instance, ":8080");
    put_label(b, STR("job"), "llm-api-", instance % 7, "");
    put_label(b, STR("method"), series % 2 ? "POST-" : "GET-", series % 4, "");
    put_label(b, STR("model"), "gpt-4o-", series % 5, "");
    put_label(b, STR("namespace"), "team-", instance % 11, "");
    size_t sample = proto_begin(b, 2);
    double gauge = (double)(rng_u64(rng) % 100000) / 100, noise = rng_f64(rng);
    proto_put_f64(b, 1, series % 3 == 0 ? gauge : series % 3 == 1 ? (double)(step * (series + 3)) : noise);
    proto_put_varint(b, 2, (uint64_t)t_ms);
    proto_end(b, sample);
    proto_end(b, ts);
}

void bench_put_remote_write(Buf *out, Rng *rng, uint32_t instance, uint64_t step, int64_t t_ms) {
    Buf raw = {0};
    for (uint32_t i = 0; i < BENCH_SAMPLES; i++) put_series(&raw, rng, instance, i, step, t_ms);
    ErrCode r = compress(ENCODING_SNAPPY, buf_str(&raw), 0, out);
    ASSERT(r == OK);
    buf_done(&raw);
}
