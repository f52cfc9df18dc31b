#include "load_series.h"

#include "base/hash.h"
#include "codec/proto.h"

#include <math.h>
#include <stdio.h>

typedef enum Kind { COUNTER, GAUGE, BUCKET, NOISE } Kind;

/* What of every 100 series has which kind; a metric's series lie together. */
static Kind kind_of(uint32_t number) {
    uint32_t k = number % 100;
    return k < 35 ? COUNTER : k < 60 ? GAUGE : k < 88 ? BUCKET : NOISE;
}

/* --- labels --- */
static const char *const counters[] = {"http_requests_total", "grpc_server_handled_total", "llm_tokens_total",
    "container_network_receive_bytes_total", "process_cpu_seconds_total", "db_queries_total", "cache_hits_total"};
static const char *const gauges[] = {"process_resident_memory_bytes", "go_goroutines", "queue_depth",
    "container_spec_memory_limit_bytes", "node_filesystem_avail_bytes"};
static const char *const noises[] = {"model_temperature_ratio", "gpu_utilization_average", "request_latency_ewma"};
static const char *const bounds[] = {
    "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "20", "40", "+Inf"};
static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH"};
static const char *const regions[] = {"eu-west-1", "us-east-1", "ap-south-1"};
static const char *const routes[] = {"/v1/chat/completions", "/v1/embeddings", "/v1/files/{id}", "/v1/models",
    "/v1/threads/{id}/runs", "/v1/batches", "/v1/images"};

static void put(Buf *b, const char *name, const char *value) {
    size_t label = proto_begin(b, 1);
    proto_put_bytes(b, 1, str_cstr(name));
    proto_put_bytes(b, 2, str_cstr(value));
    proto_end(b, label);
}

static const char *metric_of(uint32_t number) {
    uint32_t k = number % 100;
    switch (kind_of(number)) {
    case COUNTER: return counters[k / 5];
    case GAUGE: return gauges[(k - 35) / 5];
    case BUCKET: return "http_request_duration_seconds_bucket";
    default: return noises[(k - 88) / 4];
    }
}

void load_series_labels(Buf *out, uint32_t number, uint32_t generation) {
    char text[96];
    uint32_t target = number / SERIES_PER_TARGET, of_target = number % SERIES_PER_TARGET, hundred = of_target / 100;
    uint32_t k = number % 100, service = target % 12;
    put(out, "__name__", metric_of(number));
    put(out, "cluster", target % 3 ? "production-blue" : "production-green");
    put(out, "container", service % 2 ? "api-server" : "worker");
    (void)snprintf(text, sizeof text, "10.%u.%u.%u:8443", target / 62500 % 256, target / 250 % 250, target % 250 + 1);
    put(out, "instance", text);
    (void)snprintf(text, sizeof text, "llm-service-%02u", service);
    put(out, "job", text);
    if (kind_of(number) == BUCKET) put(out, "le", bounds[(k - 60) % 14]);
    put(out, "method", methods[kind_of(number) == BUCKET ? hundred : k % 5]);
    (void)snprintf(text, sizeof text, "team-%02u", target % 17);
    put(out, "namespace", text);
    (void)snprintf(text, sizeof text, "llm-service-%02u-%08x-%05x", service, (unsigned)hash_u64(target / 12),
        (unsigned)(hash_u64(((uint64_t)generation << 32) + target + 1) & 0xfffff));
    put(out, "pod", text);
    put(out, "region", regions[target % 3]);
    put(out, "route", routes[kind_of(number) == BUCKET ? (k - 60) / 14 : hundred]);
}

/* --- values --- */
void load_series_init(LoadSeries *s, uint32_t number, uint64_t seed) {
    *s = (LoadSeries){.number = number};
    rng_seed(&s->rng, hash_u64(seed + number));
    s->level = floor(rng_f64(&s->rng) * 1000);
    s->value = floor(rng_f64(&s->rng) * 1e6);
}

static double next_counter(LoadSeries *s) {
    uint32_t k = s->number % 100, rate = (uint32_t)(4 + s->number / 100 * 37 % 120);
    if (k % 4 == 3) return s->value; /* a code or method that does not occur */
    if (k / 5 == 4) {                /* CPU seconds: hundredths */
        s->level += floor(rng_f64(&s->rng) * 300);
        return s->level / 100;
    }
    s->value += k / 5 == 3 ? floor(rng_f64(&s->rng) * 60000) : floor(rng_f64(&s->rng) * rate);
    return s->value;
}

static double next_gauge(LoadSeries *s) {
    uint32_t k = (s->number % 100 - 35) / 5;
    double r = rng_f64(&s->rng);
    switch (k) {
    case 0: s->level += floor(r * 64) - 31; return (20000 + s->level) * 4096; /* pages */
    case 1: s->level += floor(r * 9) - 4; return 2000 + s->level;
    case 2: return r < 0.8 ? floor(s->level / 250) : floor(r * 50);
    case 3: return 2147483648.0; /* limits do not change */
    default: s->value -= r < 0.3 ? floor(r * 1000) : 0; return (10000000 + s->value) * 4096;
    }
}

/* Bucket j of a histogram: what falls below its bound. Neighbours of a histogram share its traffic, not its noise. */
static double next_bucket(LoadSeries *s) {
    uint32_t j = (s->number % 100 - 60) % 14;
    if (j < 2) return floor(s->level / 500); /* nothing is that fast */
    s->value += floor(rng_f64(&s->rng) * (j < 8 ? 3 * j : 24));
    return s->value;
}

static double next_noise(LoadSeries *s, Mix mix) {
    double r = rng_f64(&s->rng);
    if (mix == MIX_DECIMAL) return round((s->level / 10 + r * 10) * 1000) / 1000;
    s->level += (r - 0.5) * 0.1;
    return s->number % 4 == 0 ? r : s->level * 0.01 + r;
}

double load_series_next(LoadSeries *s, Mix mix) {
    switch (kind_of(s->number)) {
    case COUNTER: return next_counter(s);
    case GAUGE: return next_gauge(s);
    case BUCKET: return next_bucket(s);
    default: return next_noise(s, mix);
    }
}

uint32_t load_series_offset_ms(uint32_t number, uint32_t interval_ms) {
    return (uint32_t)(hash_u64(number / SERIES_PER_TARGET + 77) % interval_ms);
}
