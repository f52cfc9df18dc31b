/* host_net.c - network interfaces: /proc/net/dev and /sys/class/net. */
#include "metrics/host/host_int.h"

#define C METRIC_COUNTER
#define G METRIC_GAUGE

static void gauge_file(
    HostRound *r, const char *dev, const char *file, const char *name, MetricType type, double scale) {
    double v;
    if (host_read_number(r, &v, "%s/class/net/%s/%s", r->paths->sys, dev, file) && v >= 0)
        host_add(r, type, name, v * scale, "device", dev, NULL);
}

static const char *fact(HostRound *r, const char *dev, const char *file) {
    return host_cstr(r, host_read_word(r, "%s/class/net/%s/%s", r->paths->sys, dev, file));
}

static void device_facts(HostRound *r, const char *dev) {
    const char *state = fact(r, dev, "operstate");
    if (!*state) return;
    host_add(r, G, "node_network_up", strcmp(state, "up") == 0, "device", dev, NULL);
    host_add(r, G, "node_network_info", 1, "device", dev, "operstate", state, "address", fact(r, dev, "address"),
        "broadcast", fact(r, dev, "broadcast"), "duplex", fact(r, dev, "duplex"), "ifalias", fact(r, dev, "ifalias"),
        NULL);
    gauge_file(r, dev, "mtu", "node_network_mtu_bytes", G, 1);
    gauge_file(r, dev, "carrier", "node_network_carrier", G, 1);
    gauge_file(r, dev, "carrier_changes", "node_network_carrier_changes_total", C, 1);
    gauge_file(r, dev, "speed", "node_network_speed_bytes", G, 125000); /* Mbit/s */
    gauge_file(r, dev, "tx_queue_len", "node_network_transmit_queue_length", G, 1);
    gauge_file(r, dev, "ifindex", "node_network_iface_id", G, 1);
}

bool host_network(HostRound *r) {
    static const char *const columns[] = {"node_network_receive_bytes_total", "node_network_receive_packets_total",
        "node_network_receive_errs_total", "node_network_receive_drop_total", "node_network_receive_fifo_total",
        "node_network_receive_frame_total", "node_network_receive_compressed_total",
        "node_network_receive_multicast_total", "node_network_transmit_bytes_total",
        "node_network_transmit_packets_total", "node_network_transmit_errs_total", "node_network_transmit_drop_total",
        "node_network_transmit_fifo_total", "node_network_transmit_colls_total", "node_network_transmit_carrier_total",
        "node_network_transmit_compressed_total"};
    Str text, line;
    if (!host_read(r, &text, "%s/net/dev", r->paths->proc)) return false;
    while (host_next_line(&text, &line)) {
        size_t colon = str_rfind_char(line, ':');
        if (colon == SIZE_MAX) continue; /* the two title lines */
        const char *dev = host_cstr(r, str_trim(str_slice(line, 0, colon)));
        Str rest = str_skip(line, colon + 1);
        for (size_t i = 0; i < ARRAY_LEN(columns); i++)
            host_add(r, C, columns[i], host_next_number(&rest), "device", dev, NULL);
        device_facts(r, dev);
    }
    return true;
}
