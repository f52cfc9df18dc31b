/* endpoint_metadata.c - types, help and units of metrics: with the series in version 2.0, in requests of their own
 * in 1.0. */
#include "base/log.h"
#include "codec/compress.h"
#include "metrics/remote/remote_int.h"
#include "sys/clock.h"

#define REFRESH_NS (15 * INT64_C(1000000000))
#define METADATA_BYTES ((size_t)64 << 20)

/* What is remembered is forgotten from time to time: it may have changed. */
void endpoint_refresh_metadata(Endpoint *e) {
    int64_t now = clock_mono_ns();
    if (e->metadata && now - e->metadata_read_ns < REFRESH_NS) return;
    e->metadata_read_ns = now;
    map_free(e->metadata);
    arena_free(e->metadata_arena);
    e->metadata = map_create(MAP_BORROW_KEYS);
    e->metadata_arena = arena_create(METADATA_BYTES);
}

static const MetricMetadata *look_up(Endpoint *e, Str metric) {
    MetricsStore *store = e->out->opts.store;
    MetricMetadata *v = NULL;
    size_t n = 0;
    const MetricMetadata *m = map_get_ptr(e->metadata, metric);
    if (m || store->ops->metadata(store, metric, e->metadata_arena, &v, &n, NULL) != OK || n == 0) return m;
    map_set_ptr(e->metadata, v->metric, v);
    return v;
}

/* Parts of histograms and summaries are described under the name of the family. */
const MetricMetadata *endpoint_metadata(Endpoint *e, Str metric) {
    static const Str endings[] = {STR_INIT("_bucket"), STR_INIT("_count"), STR_INIT("_sum"), STR_INIT("_total")};
    if (!metric.n) return NULL;
    const MetricMetadata *m = look_up(e, metric);
    for (size_t i = 0; !m && i < ARRAY_LEN(endings); i++)
        if (metric.n > endings[i].n && str_ends_with(metric, endings[i]))
            m = look_up(e, str_slice(metric, 0, metric.n - endings[i].n));
    return m;
}

static bool send_some(Endpoint *e, const MetricMetadata *v, size_t n) {
    RemoteMessage m = {0};
    Buf raw = {0}, body = {0}, answer = {0};
    Err err = {0};
    int status = 0;
    for (size_t i = 0; i < n; i++) remote_message_put_metadata(&m, &v[i]);
    remote_message_finish(&m, &raw);
    (void)compress(ENCODING_SNAPPY, buf_str(&raw), 0, &body);
    char *url = str_dup_cstr(e->write->url);
    HttpClientRequest req = {.method = "POST",
        .url = url,
        .headers = e->headers,
        .body = buf_str(&body),
        .timeout_ms = e->write->timeout_ms,
        .max_body_bytes = 64u << 10};
    bool ok = prom_http_fetch(e->http, &req, &status, NULL, &answer, &err) == OK && status / 100 == 2;
    mutex_lock(&e->mutex);
    *(ok ? &e->stats.metadata : &e->stats.metadata_failed) += n;
    if (ok) e->stats.metadata_bytes += body.n;
    mutex_unlock(&e->mutex);
    if (!ok && !atomic_load(&e->stop)) {
        char *shown = http_url_redacted(e->write->url);
        log_warn(
            "remote write: metadata could not be sent; it is tried again later", "url", shown, "error", err.msg, NULL);
        mem_free(shown);
    }
    mem_free(url);
    buf_done(&raw);
    buf_done(&body);
    buf_done(&answer);
    remote_message_done(&m);
    return ok;
}

void endpoint_send_metadata(Endpoint *e) {
    MetricsStore *store = e->out->opts.store;
    Arena *arena = arena_create(METADATA_BYTES);
    MetricMetadata *v = NULL;
    size_t n = 0, max = (size_t)MAX(e->write->metadata_max_per_send, INT64_C(1));
    if (store->ops->metadata(store, STR(""), arena, &v, &n, NULL) == OK) {
        for (size_t at = 0; at < n && !atomic_load(&e->stop); at += max)
            if (!send_some(e, v + at, MIN(max, n - at))) break;
    }
    arena_free(arena);
}
