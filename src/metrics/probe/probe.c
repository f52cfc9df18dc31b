#include "metrics/probe/probe.h"

#include "net/ping.h"
#include "sys/clock.h"
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
        {STR_INIT("tls"), PROBE_TLS_CONNECT}, {STR_INIT("icmp"), PROBE_ICMP}};
    for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
        if (!str_eq(name, modules[i].name)) continue;
        *ret = modules[i].module;
        return OK;
    }
    if (str_eq_lit(name, "dns"))
        return err_set(
            reterr, ERR_UNSUPPORTED, "module \"dns\" is not supported: there is no place for the name to ask for");
    err_set(reterr, ERR_INVALID, "Unknown module \"%" STR_FMT "\"", STR_ARG(name));
    err_hint(reterr, "http_2xx, http_post_2xx, tcp_connect, tls_connect and icmp are known");
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
    if (module == PROBE_ICMP) {
        if (plain_chars(target, "-._:%")) return OK;
        return err_set(reterr, ERR_INVALID, "the target must be a host's name or its address");
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

#define OWN_LABELS_MAX 5

/* Labels of its own; those without a value are none. */
static void put_labelled(const Sink *s, const char *metric, const Label *own, size_t n_own, double v) {
    Label *l = ARENA_ARRAY(s->b->arena, Label, s->with.n + OWN_LABELS_MAX + 1);
    size_t n = 0;
    ASSERT(n_own <= OWN_LABELS_MAX);
    if (!l) return;
    l[n++] = (Label){LABEL_NAME_METRIC, str_cstr(metric)};
    for (size_t i = 0; i < n_own; i++)
        if (own[i].value.n) l[n++] = own[i];
    for (size_t i = 0; i < s->with.n; i++) l[n++] = s->with.v[i];
    qsort(l, n, sizeof *l, by_name);
    (void)metrics_batch_add(s->b, (Labels){l, n}, s->t_ms, v);
}

static void put_with(const Sink *s, const char *metric, const char *name, Str value, double v) {
    put_labelled(s, metric, &(Label){str_cstr(name), value}, 1, v);
}

static void put_help(const Sink *s, const char *metric, Str help) {
    (void)avec_push(
        s->b->arena, &s->b->metadata, (MetricMetadata){.metric = str_cstr(metric), .type = METRIC_GAUGE, .help = help});
}

static void put(const Sink *s, const char *metric, Str help, double v) {
    put_labelled(s, metric, NULL, 0, v);
    put_help(s, metric, help);
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
    HttpClientCertificate certificate; /* facts.certificate */
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
    if (res->facts.certificate) {
        a->certificate = *res->facts.certificate;
        a->facts.certificate = &a->certificate;
    }
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

static void put_certificate(const Sink *s, const HttpClientCertificate *c) {
    Arena *arena = s->b->arena;
    if (!c) return;
    const Label own[] = {{STR("fingerprint_sha256"), arena_copy(arena, str_cstr(c->fingerprint_sha256))},
        {STR("subject"), arena_copy(arena, str_cstr(c->subject))},
        {STR("issuer"), arena_copy(arena, str_cstr(c->issuer))},
        {STR("subjectalternative"), arena_copy(arena, str_cstr(c->dns_names))},
        {STR("serialnumber"), arena_copy(arena, str_cstr(c->serial))}};
    put_labelled(s, "probe_ssl_last_chain_info", own, ARRAY_LEN(own), 1);
    put_help(s, "probe_ssl_last_chain_info", STR("The certificate of the server"));
    if (!c->cipher[0]) return;
    put_with(s, "probe_tls_cipher_info", "cipher", arena_copy(arena, str_cstr(c->cipher)), 1);
    put_help(s, "probe_tls_cipher_info", STR("Cipher suite that was agreed on"));
}

static void put_tls(const Sink *s, const HttpClientFacts *f) {
    if (f->certificate_expiry_s) {
        put(s, "probe_ssl_earliest_cert_expiry", STR("When the first certificate expires, in Unix time"),
            (double)f->certificate_expiry_s);
        put(s, "probe_ssl_last_chain_expiry_timestamp_seconds", STR("When the chain expires, in Unix time"),
            (double)f->certificate_expiry_s);
    }
    put_certificate(s, f->certificate);
    if (!f->tls_version[0]) return;
    put_with(s, "probe_tls_version_info", "version", arena_copy(s->b->arena, str_cstr(f->tls_version)), 1);
    put_help(s, "probe_tls_version_info", STR("TLS version that was agreed on"));
}

/* --- ICMP --- */
static void put_address(const Sink *s, int ip_version, uint32_t ip_hash) {
    put(s, "probe_ip_addr_hash", STR("Hash of the address: another value is another address"), ip_hash);
    put(s, "probe_ip_protocol", STR("Whether the address was of IPv4 or IPv6"), ip_version);
}

static void put_outcome(const Sink *s, const ProbeRequest *req, int64_t duration_ns, bool success) {
    put(s, "probe_timeout_seconds", STR("How long the probe was allowed to take"), (double)req->timeout_ms / 1000);
    put(s, "probe_duration_seconds", STR("How long the probe took"), (double)duration_ns / 1e9);
    put(s, "probe_success", STR("Whether the probe was a success"), success);
}

static bool run_icmp(const Sink *s, const ProbeRequest *req, char ret_error[256]) {
    PingFacts f;
    Err err = {0};
    int64_t begin = clock_mono_ns();
    ErrCode code = ping_host(req->target, req->timeout_ms, &f, &err);
    int64_t duration = clock_mono_ns() - begin;
    snprintf(ret_error, 256, "%.255s", code == OK ? "" : err.msg);
    put(s, "probe_dns_lookup_time_seconds", STR("How long it took to find the address"), (double)f.resolve_ns / 1e9);
    put_with(s, "probe_icmp_duration_seconds", "phase", STR("resolve"), (double)f.resolve_ns / 1e9);
    put_with(s, "probe_icmp_duration_seconds", "phase", STR("setup"), (double)f.setup_ns / 1e9);
    put_with(s, "probe_icmp_duration_seconds", "phase", STR("rtt"), (double)f.rtt_ns / 1e9);
    put_help(s, "probe_icmp_duration_seconds", STR("Duration of the echo by phase"));
    if (f.hop_limit >= 0)
        put(s, "probe_icmp_reply_hop_limit", STR("Hop limit (TTL) that the answer came with"), f.hop_limit);
    put_address(s, f.ip_version, f.ip_hash);
    put_outcome(s, req, duration, code == OK);
    return code == OK;
}

/* --- all --- */
void probe_run(HttpClient *client, const ProbeRequest *req, Labels with, int64_t t_ms, MetricsBatch *b,
    bool *ret_success, char ret_error[256]) {
    Answer a = {0};
    Sink s = {b, with, t_ms};
    if (req->module == PROBE_ICMP) {
        *ret_success = run_icmp(&s, req, ret_error);
        return;
    }
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
    put_address(&s, a.facts.ip_version, a.facts.ip_hash);
    put_outcome(&s, req, a.duration_ns, *ret_success);
}
