/* sd_dns.c - targets from DNS records: SRV names hosts and ports, the others hosts that share a port. */
#include "metrics/sd/sd_int.h"
#include "net/dns.h"

#define TIMEOUT_MS 20000

static bool cancelled(void *ctx) { return sd_stopping(ctx); }

static Str without_dot(Str s) {
    while (s.n && s.p[s.n - 1] == '.') s.n--;
    return s;
}

static void add_record(SdBuilder *b, const PromSdConfig *c, Str name, const DnsRecord *r) {
    static const Str target_labels[] = {[SD_DNS_A] = STR_INIT(""),
        [SD_DNS_AAAA] = STR_INIT(""),
        [SD_DNS_SRV] = STR_INIT("__meta_dns_srv_record_target"),
        [SD_DNS_MX] = STR_INIT("__meta_dns_mx_record_target"),
        [SD_DNS_NS] = STR_INIT("__meta_dns_ns_record_target")};
    SdDnsType type = c->dns.type;
    sd_target_begin(b);
    sd_target_set(b, STR("__meta_dns_name"), name);
    if (target_labels[type].n) sd_target_set(b, target_labels[type], r->host);
    if (type == SD_DNS_SRV) sd_target_set(b, STR("__meta_dns_srv_record_port"), sd_number(b, r->port));
    sd_target_set(
        b, STR("__address__"), sd_host_port(b, without_dot(r->host), type == SD_DNS_SRV ? r->port : c->dns.port));
    sd_target_end(b);
}

static bool refresh(SdSource *s) {
    static const DnsType types[] = {[SD_DNS_A] = DNS_A,
        [SD_DNS_AAAA] = DNS_AAAA,
        [SD_DNS_SRV] = DNS_SRV,
        [SD_DNS_MX] = DNS_MX,
        [SD_DNS_NS] = DNS_NS};
    const PromSdConfig *c = s->config;
    SdBuilder b = sd_builder();
    for (size_t i = 0; i < c->dns.names.n; i++) {
        DnsRecord *records;
        size_t n;
        Err err = {0};
        if (dns_query(s->manager->dns_servers, c->dns.names.v[i], types[c->dns.type], TIMEOUT_MS, cancelled, s, b.arena,
                &records, &n, &err) != OK) {
            sd_fail(s, "could not resolve \"%" STR_FMT "\": %.150s", STR_ARG(c->dns.names.v[i]), err.msg);
            sd_builder_done(&b);
            return false;
        }
        Str name = sd_copy(&b, c->dns.names.v[i]);
        sd_group_begin(&b);
        for (size_t k = 0; k < n; k++) add_record(&b, c, name, &records[k]);
    }
    return sd_publish(s, &b);
}

void sd_dns_run(SdSource *s) {
    int64_t wait_ms;
    do {
        bool ok = refresh(s);
        wait_ms = ok ? s->config->refresh_ms : MIN(s->config->refresh_ms, SD_RETRY_MS);
    } while (sd_wait(s, MAX(wait_ms, 100)));
}
