/* probe.h - one look at a server from outside: HTTP, TCP, TLS, ICMP. Modules and metrics under blackbox_exporter's
 * names. */
#ifndef MEERKAT_METRICS_PROBE_PROBE_H
#define MEERKAT_METRICS_PROBE_PROBE_H

#include "base/err.h"
#include "model/metrics_batch.h"
#include "net/client.h"

typedef enum ProbeModule {
    PROBE_HTTP_2XX,
    PROBE_HTTP_POST_2XX,
    PROBE_TCP_CONNECT,
    PROBE_TLS_CONNECT,
    PROBE_ICMP
} ProbeModule;

/* "http_2xx", "http_post_2xx", "tcp_connect", "tls_connect" ("tls" too), "icmp". ERR_UNSUPPORTED: dns, with the reason;
 * ERR_INVALID: no such module. */
ErrCode probe_module_parse(Str name, ProbeModule *ret, Err *reterr);

typedef struct ProbeRequest {
    ProbeModule module;
    Str target; /* a URL (http:// is added where there is no scheme); of tcp and tls: host:port; of icmp: host */
    int64_t timeout_ms;
    const char *ca_file; /* NULL: the system's */
    bool insecure_skip_verify;
} ProbeRequest;

/* ERR_INVALID: not a target for the module. */
ErrCode probe_check_target(ProbeModule module, Str target, Err *reterr);
/* Waits for the outcome and adds probe_* to the batch, each with the given labels (sorted; their strings must outlive
 * it). *ret_error: why it failed, empty when it did not. Not from the client's thread. */
void probe_run(HttpClient *client, const ProbeRequest *req, Labels with, int64_t t_ms, MetricsBatch *b,
    bool *ret_success, char ret_error[256]);

#endif
