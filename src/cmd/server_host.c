/* server_host.c - the machine's own metrics into the store, when the configuration asks for them. */
#include "cmd/server_int.h"
#include "sys/process.h"

static ErrCode keep(void *ctx, const MetricsBatch *batch, Err *reterr) {
    Server *s = ctx;
    MetricsAppendResult result = {0};
    return s->metrics->ops->append(s->metrics, batch, &result, reterr);
}

void server_open_host(Server *s) {
    const Config *c = s->config;
    if (!c->host.metrics && !c->host.cgroups) return;
    Buf instance = {0};
    process_hostname(&instance);
    char *proc = str_dup_cstr(c->host.procfs), *sys = str_dup_cstr(c->host.sysfs), *root = str_dup_cstr(c->host.rootfs);
    s->host = host_collector_start(&(HostOptions){
        .paths = {.proc = proc, .sys = sys, .root = root},
        .instance = buf_cstr(&instance),
        .interval_ms = c->host.interval_ms,
        .host = c->host.metrics,
        .cgroups = c->host.cgroups,
        .sink = keep,
        .ctx = s,
    });
    if (!s->host) log_warn("host metrics are not collected: the system refused a thread", NULL);
    mem_free(proc);
    mem_free(sys);
    mem_free(root);
    buf_done(&instance);
}
