/* host_packets.c - packets on their way through the kernel: softnet, connection tracking, neighbours (arp). */
#include "metrics/host/host_int.h"

#define C METRIC_COUNTER
#define G METRIC_GAUGE

/* A line of hexadecimal words for each processor. Its number is the 13th of them; older kernels leave the end out. */
bool host_softnet(HostRound *r) {
    enum { CPU = 12, COLUMNS };
    static const struct {
        const char *name;
        MetricType type;
        size_t column;
    } facts[] = {{"node_softnet_processed_total", C, 0}, {"node_softnet_dropped_total", C, 1},
        {"node_softnet_times_squeezed_total", C, 2}, {"node_softnet_cpu_collision_total", C, 8},
        {"node_softnet_received_rps_total", C, 9}, {"node_softnet_flow_limit_count_total", C, 10},
        {"node_softnet_backlog_len", G, 11}};
    Str text, line, word;
    if (!host_read(r, &text, "%s/net/softnet_stat", r->paths->proc)) return false;
    for (unsigned row = 0; host_next_line(&text, &line); row++) {
        double v[COLUMNS];
        size_t n = 0;
        while (n < COLUMNS && host_next_word(&line, &word)) v[n++] = host_hex(word);
        Str cpu = arena_printf(r->b->arena, "%u", n > CPU ? (unsigned)v[CPU] : row);
        for (size_t i = 0; cpu.p && i < ARRAY_LEN(facts); i++)
            if (facts[i].column < n) host_add(r, facts[i].type, facts[i].name, v[facts[i].column], "cpu", cpu.p, NULL);
    }
    return true;
}

/* Titles, then a line of hexadecimal words for each processor, which are added up. */
static void conntrack_events(HostRound *r) {
    Str text, titles, line, title, word;
    if (!host_read(r, &text, "%s/net/stat/nf_conntrack", r->paths->proc) || !host_next_line(&text, &titles)) return;
    for (size_t column = 0; host_next_word(&titles, &title); column++) {
        if (!host_is_listed("found invalid ignore insert insert_failed drop early_drop search_restart", title))
            continue;
        double sum = 0;
        for (Str rest = text; host_next_line(&rest, &line);) {
            for (size_t i = 0; i < column; i++) (void)host_next_word(&line, &word);
            if (host_next_word(&line, &word)) sum += host_hex(word);
        }
        Str name = arena_printf(r->b->arena, "node_nf_conntrack_stat_%" STR_FMT, STR_ARG(title));
        if (name.p) host_add(r, G, name.p, sum, NULL);
    }
}

bool host_conntrack(HostRound *r) {
    double v;
    if (!host_read_number(r, &v, "%s/sys/net/netfilter/nf_conntrack_count", r->paths->proc)) return false;
    host_add(r, G, "node_nf_conntrack_entries", v, NULL);
    if (host_read_number(r, &v, "%s/sys/net/netfilter/nf_conntrack_max", r->paths->proc))
        host_add(r, G, "node_nf_conntrack_entries_limit", v, NULL);
    conntrack_events(r);
    return true;
}

/* A line for each neighbour; the device is its last word. */
bool host_arp(HostRound *r) {
    enum { DEVICES_MAX = 256 };
    struct {
        Str device;
        double entries;
    } seen[DEVICES_MAX];
    size_t n = 0, at;
    Str text, line, word, device;
    if (!host_read(r, &text, "%s/net/arp", r->paths->proc)) return false;
    (void)host_next_line(&text, &line); /* titles */
    while (host_next_line(&text, &line)) {
        for (device = STR_NULL; host_next_word(&line, &word);) device = word;
        for (at = 0; at < n && !str_eq(seen[at].device, device);) at++;
        if (device.n == 0 || at == DEVICES_MAX) continue;
        if (at == n) seen[n].device = device, seen[n++].entries = 0;
        seen[at].entries++;
    }
    for (at = 0; at < n; at++)
        host_add(r, G, "node_arp_entries", seen[at].entries, "device", host_cstr(r, seen[at].device), NULL);
    return true;
}
