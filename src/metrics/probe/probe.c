#include "metrics/probe/probe.h"

#include "sys/thread.h"

#include <stdio.h>
#include <stdlib.h>

#define ANSWER_BYTES ((size_t)16 << 20)

/* --- modules and targets --- */

ErrCode probe_module_parse(Str name, ProbeModule *ret, Err *reterr) {
    static const struct {
        Str name;
        ProbeModule module;
    } modules[] = {{STR_INIT("http_2xx"), PROBE_HTTP_2XX}, {STR_INIT("http_post_2xx"), PROBE_HTTP_POST_2XX},
        {STR_INIT("tcp_connect"), PROBE_TCP_CONNECT}, {STR_INIT("tls_connect"), PROBE_TLS_CONNECT},
        {STR_INIT("tls"), PROBE_TLS_CONNECT}};
    for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
        if (!str_eq(name, modules[i].name)) continue;
        *ret = modules[i].module;
        return OK;
    }
    if (str_eq_lit(name, "icmp"))
        return err_set(reterr, ERR_UNSUPPORTED, "module \"icmp\" is not supported: it would need raw sockets");
    err_set(reterr, ERR_INVALID, "Unknown module \"%" STR_FMT "\"", STR_ARG(name));
    err_hint(reterr, "http_2xx, http_post_2xx, tcp_connect and tls_connect are known");
    return ERR_INVALID;
}

static bool is_http(ProbeModule m) { return m == PROBE_HTTP_2XX || m == PROBE_HTTP_POST_2XX; }

static bool plain_chars(Str s, const char *more) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr(more, c);
        if (!ok || c == 0) return false;
    }
    return true;
}

static bool has_port(Str target) {
    size_t colon = str_rfind_char(target, ':');
    if (colon == SIZE_MAX || colon == 0 || colon + 1 == target.n || target.n - colon > 6) return false;
    unsigned port = 0;
    for (size_t i = colon + 1; i < target.n; i++) {
        if (target.p[i] < '0' || target.p[i] > '9') return false;
        port = port * 10 + (unsigned)(target.p[i] - '0');
    }
    return port >= 1 && port <= 65535;
}

ErrCode probe_check_target(ProbeModule module, Str target, Err *reterr) {
    if (target.n == 0) return err_set(reterr, ERR_INVALID, "Target parameter is missing");
    if (target.n > 2048) return err_set(reterr, ERR_INVALID, "the target is longer than 2048 bytes");
    if (is_http(module)) {
        size_t at = str_find(target, STR("://"));
        Str scheme = at == SIZE_MAX ? STR("http") : str_slice(target, 0, at);
        if (!str_eq_nocase(scheme, STR("http")) && !str_eq_nocase(scheme, STR("https")))
            return err_set(reterr, ERR_INVALID, "only http and https targets are probed by this module");
        return OK;
    }
    if (!plain_chars(target, "-._:[]%") || !has_port(target))
        return err_set(reterr, ERR_INVALID, "the target must be host:port");
    return OK;
}

/* --- metrics --- */

typedef struct Sink {
    MetricsBatch *b;
    Labels with;
    int64_t t_ms;
} Sink;

static int by_name(const void *a, const void *b) { return str_cmp(((const Label *)a)->name, ((const Label *)b)->name); }

static void put_with(const Sink *s, const char *metric, const char *name, Str value, double v) {
    Label *l = ARENA_ARRAY(s->b->arena, Label, s->with.n + 2);
    size_t n = 0;
    if (!l) return;
    l[n++] = (Label){LABEL_NAME_METRIC, str_cstr(metric)};
    if (name) l[n++] = (Label){str_cstr(name), value};
    for (size_t i = 0; i < s->with.n; i++) l[n++] = s->with.v[i];
    qsort(l, n, sizeof *l, by_name);
    (void)metrics_batch_add(s->b, (Labels){l, n}, s->t_ms, v);
}

static void put(const Sink *s, const char *metric, Str help, double v) {
    put_with(s, metric, NULL, STR_NULL, v);
    (void)avec_push(
        s->b->arena, &s->b->metadata, (MetricMetadata){.metric = str_cstr(metric), .type = METRIC_GAUGE, .help = help});
}

/* --- one request --- */

typedef struct Answer {
    Mutex mutex;
    Cond cond;
    bool ready;
    ErrCode code;
    int status;
    size_t body_bytes;
    int64_t duration_ns;
    HttpClientFacts facts;
    char error[256];
} Answer;

static void answered(void *ctx, const HttpClientResponse *res) {
    Answer *a = ctx;
    mutex_lock(&a->mutex);
    a->code = res->code;
    a->status = res->status;
    a->body_bytes = res->body.n;
    a->duration_ns = res->duration_ns;
    a->facts = res->facts;
    snprintf(a->error, sizeof a->error, "%s", res->error);
    a->ready = true;
    cond_signal(&a->cond);
    mutex_unlock(&a->mutex);
}

static void ask(HttpClient *client, const ProbeRequest *r, Answer *a) {
    Buf url = {0};
    bool http = is_http(r->module), has_scheme = str_find(r->target, STR("://")) != SIZE_MAX;
    const char *scheme = r->module == PROBE_TLS_CONNECT ? "https://" : http && has_scheme ? "" : "http://";
    buf_printf(&url, "%s%" STR_FMT "%s", scheme, STR_ARG(r->target), http ? "" : "/");
    HttpClientRequest req = {.method = r->module == PROBE_HTTP_POST_2XX ? "POST" : "GET",
        .url = buf_cstr(&url),
        .timeout_ms = r->timeout_ms,
        .max_body_bytes = ANSWER_BYTES,
        .ca_file = r->ca_file,
        .insecure_skip_verify = r->insecure_skip_verify,
        .facts = true,
        .connect_only = !http};
    mutex_init(&a->mutex);
    cond_init(&a->cond);
    http_client_start(client, &req, answered, a);
    mutex_lock(&a->mutex);
    while (!a->ready) cond_wait(&a->cond, &a->mutex);
    mutex_unlock(&a->mutex);
    mutex_done(&a->mutex);
    cond_done(&a->cond);
    buf_done(&url);
}

static double seconds(int64_t from_ns, int64_t to_ns) { return to_ns > from_ns ? (double)(to_ns - from_ns) / 1e9 : 0; }

static void put_http(const Sink *s, const Answer *a) {
    const HttpClientFacts *f = &a->facts;
    int64_t handshaken = MAX(f->tls_ns, f->connect_ns);
    const struct {
        Str phase;
        double seconds;
    } phases[] = {{STR("resolve"), seconds(0, f->resolve_ns)}, {STR("connect"), seconds(f->resolve_ns, f->connect_ns)},
        {STR("tls"), seconds(f->connect_ns, f->tls_ns)}, {STR("processing"), seconds(handshaken, f->first_byte_ns)},
        {STR("transfer"), f->first_byte_ns ? seconds(f->first_byte_ns, f->total_ns) : 0}};
    for (size_t i = 0; i < ARRAY_LEN(phases); i++)
        put_with(s, "probe_http_duration_seconds", "phase", phases[i].phase, phases[i].seconds);
    (void)avec_push(s->b->arena, &s->b->metadata,
        (MetricMetadata){.metric = STR("probe_http_duration_seconds"),
            .type = METRIC_GAUGE,
            .help = STR("Duration of the request by phase, with all redirects")});
    put(s, "probe_http_status_code", STR("Status of the answer"), a->status);
    put(s, "probe_http_content_length", STR("Length of the answer's content as it said"),
        a->code == OK ? (double)f->content_length : 0);
    put(s, "probe_http_uncompressed_body_length", STR("Length of the answer's body"), (double)a->body_bytes);
    put(s, "probe_http_redirects", STR("Redirects that were followed"), f->redirects);
    put(s, "probe_http_ssl", STR("Whether the last request was under TLS"), f->tls && f->tls_ns > 0);
    put(s, "probe_http_version", STR("HTTP version of the answer"), f->http_version);
}

static void put_tls(const Sink *s, const HttpClientFacts *f) {
    if (f->certificate_expiry_s) {
        put(s, "probe_ssl_earliest_cert_expiry", STR("When the first certificate expires, in Unix time"),
            (double)f->certificate_expiry_s);
        put(s, "probe_ssl_last_chain_expiry_timestamp_seconds", STR("When the chain expires, in Unix time"),
            (double)f->certificate_expiry_s);
    }
    if (!f->tls_version[0]) return;
    put_with(s, "probe_tls_version_info", "version", arena_copy(s->b->arena, str_cstr(f->tls_version)), 1);
    (void)avec_push(s->b->arena, &s->b->metadata,
        (MetricMetadata){.metric = STR("probe_tls_version_info"),
            .type = METRIC_GAUGE,
            .help = STR("TLS version that was agreed on")});
}

void probe_run(HttpClient *client, const ProbeRequest *req, Labels with, int64_t t_ms, MetricsBatch *b,
    bool *ret_success, char ret_error[256]) {
    Answer a = {0};
    Sink s = {b, with, t_ms};
    ask(client, req, &a);
    bool http = is_http(req->module);
    *ret_success = a.code == OK && (!http || a.status / 100 == 2);
    ret_error[0] = 0;
    if (a.code != OK)
        snprintf(ret_error, 256, "%s", a.error);
    else if (!*ret_success)
        snprintf(ret_error, 256, "status %d", a.status);
    put(&s, "probe_dns_lookup_time_seconds", STR("How long it took to find the address"),
        seconds(0, a.facts.resolve_ns));
    if (http) put_http(&s, &a);
    put_tls(&s, &a.facts);
    /* Modules here have no expressions and no limits of bytes that could be what made them fail. */
    put(&s, "probe_failed_due_to_regex", STR("Whether an expression made the probe fail"), 0);
    if (!http) put(&s, "probe_failed_due_to_bytes", STR("Whether too many bytes made the probe fail"), 0);
    put(&s, "probe_ip_addr_hash", STR("Hash of the address: another value is another address"), a.facts.ip_hash);
    put(&s, "probe_timeout_seconds", STR("How long the probe was allowed to take"), (double)req->timeout_ms / 1000);
    put(&s, "probe_ip_protocol", STR("Whether the address was of IPv4 or IPv6"), a.facts.ip_version);
    put(&s, "probe_duration_seconds", STR("How long the probe took"), (double)a.duration_ns / 1e9);
    put(&s, "probe_success", STR("Whether the probe was a success"), *ret_success);
}
