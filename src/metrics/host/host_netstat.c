/* host_netstat.c - the protocols' counters (/proc/net/netstat, snmp, snmp6) and the sockets in use (sockstat, udp). */
#include "metrics/host/host_int.h"
#include "sys/process.h"

#define G METRIC_GAUGE

/* What node_exporter keeps of some hundred counters: by protocol, * for any, and name; NAME* is a prefix. */
static bool is_kept(Str proto, Str name) {
    static const struct {
        const char *protos, *names;
    } kept[] = {{"*", "InErrors InErrs"}, {"Ip", "Forwarding"}, {"Ip6 IpExt", "InOctets OutOctets"},
        {"Icmp Icmp6", "InMsgs OutMsgs"},
        {"TcpExt", "Listen* Syncookies* TCPSynRetrans TCPTimeouts TCPOFOQueue TCPRcvQDrop"},
        {"Tcp", "ActiveOpens InSegs OutSegs OutRsts PassiveOpens RetransSegs CurrEstab"},
        {"Udp Udp6", "InDatagrams OutDatagrams NoPorts RcvbufErrors SndbufErrors"}};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (host_is_listed(kept[i].protos, proto) && host_is_listed(kept[i].names, name)) return true;
    return false;
}

static void counter(HostRound *r, Str proto, Str name, double v) {
    if (!is_kept(proto, name)) return;
    Str full = arena_printf(r->b->arena, "node_netstat_%" STR_FMT "_%" STR_FMT, STR_ARG(proto), STR_ARG(name));
    if (full.p) host_add(r, METRIC_UNKNOWN, full.p, v, NULL);
}

/* "TcpExt: Name1 Name2" with "TcpExt: 1 2" below. */
static bool paired_lines(HostRound *r, const char *file) {
    Str text, names, values, proto, name, word;
    if (!host_read(r, &text, "%s/net/%s", r->paths->proc, file)) return false;
    while (host_next_line(&text, &names) && host_next_line(&text, &values)) {
        if (!host_next_word(&names, &proto) || !host_next_word(&values, &word) || !str_eq(proto, word)) return false;
        while (host_next_word(&names, &name)) counter(r, host_until_colon(proto), name, host_next_number(&values));
    }
    return true;
}

/* "Ip6InReceives 17": the protocol ends with its 6. */
static bool six_lines(HostRound *r) {
    Str text, line, word;
    if (!host_read(r, &text, "%s/net/snmp6", r->paths->proc)) return false;
    while (host_next_line(&text, &line)) {
        size_t six = host_next_word(&line, &word) ? str_find_char(word, '6') : SIZE_MAX;
        if (six != SIZE_MAX) counter(r, str_slice(word, 0, six + 1), str_skip(word, six + 1), host_next_number(&line));
    }
    return true;
}

bool host_netstat(HostRound *r) {
    bool ext = paired_lines(r, "netstat"), snmp = paired_lines(r, "snmp");
    return six_lines(r) || ext || snmp;
}

static void socket_fact(HostRound *r, Str proto, Str key, const char *suffix, double v) {
    Str name =
        arena_printf(r->b->arena, "node_sockstat_%" STR_FMT "_%" STR_FMT "%s", STR_ARG(proto), STR_ARG(key), suffix);
    if (name.p) host_add(r, G, name.p, v, NULL);
}

/* "TCP: inuse 3 orphan 0 mem 1": mem counts pages. */
static bool sockets_of(HostRound *r, const char *file) {
    Str text, line, proto, key;
    if (!host_read(r, &text, "%s/net/%s", r->paths->proc, file)) return false;
    while (host_next_line(&text, &line)) {
        if (!host_next_word(&line, &proto)) continue;
        proto = host_until_colon(proto);
        while (host_next_word(&line, &key)) {
            double v = host_next_number(&line);
            socket_fact(r, proto, key, "", v);
            if (str_eq_lit(key, "mem")) socket_fact(r, proto, key, "_bytes", v * (double)process_page_bytes());
        }
    }
    return true;
}

bool host_sockets(HostRound *r) {
    bool four = sockets_of(r, "sockstat");
    return sockets_of(r, "sockstat6") || four;
}

/* The fifth column, "00000000:00000010": bytes to be sent and to be read, of all sockets together. */
static bool udp_queues_of(HostRound *r, const char *file, const char *ip) {
    Str text, line, word, tx;
    double sent = 0, received = 0;
    if (!host_read(r, &text, "%s/net/%s", r->paths->proc, file)) return false;
    (void)host_next_line(&text, &line); /* titles */
    while (host_next_line(&text, &line)) {
        for (int column = 1; column <= 4; column++) (void)host_next_word(&line, &word);
        if (!host_next_word(&line, &word) || !str_split_next(&word, ':', &tx)) continue;
        sent += host_hex(tx), received += host_hex(word);
    }
    host_add(r, G, "node_udp_queues", sent, "queue", "tx", "ip", ip, NULL);
    host_add(r, G, "node_udp_queues", received, "queue", "rx", "ip", ip, NULL);
    return true;
}

bool host_udp_queues(HostRound *r) {
    bool four = udp_queues_of(r, "udp", "v4");
    return udp_queues_of(r, "udp6", "v6") || four;
}
