/* host_net.c - network interfaces: /proc/net/dev and /sys/class/net. */
#include "base/num.h"
#include "metrics/host/host_int.h"

#define C METRIC_COUNTER
#define G METRIC_GAUGE

static const char *fact(HostRound *r, const char *dev, const char *file) {
    return host_cstr(r, host_read_word(r, "%s/class/net/%s/%s", r->paths->sys, dev, file));
}

static void device_facts(HostRound *r, const char *dev) {
    static const struct {
        const char *file, *name;
        MetricType type;
        double scale;
    } files[] = {{"mtu", "node_network_mtu_bytes", G, 1}, {"carrier", "node_network_carrier", G, 1},
        {"carrier_changes", "node_network_carrier_changes_total", C, 1},
        {"carrier_up_count", "node_network_carrier_up_changes_total", C, 1},
        {"carrier_down_count", "node_network_carrier_down_changes_total", C, 1},
        {"speed", "node_network_speed_bytes", G, 125000}, /* Mbit/s; -1: not known, kept as node_exporter does */
        {"tx_queue_len", "node_network_transmit_queue_length", G, 1}, {"ifindex", "node_network_iface_id", G, 1},
        {"iflink", "node_network_iface_link", G, 1}, {"link_mode", "node_network_iface_link_mode", G, 1},
        {"addr_assign_type", "node_network_address_assign_type", G, 1},
        {"name_assign_type", "node_network_name_assign_type", G, 1}, {"dev_id", "node_network_device_id", G, 1},
        {"dormant", "node_network_dormant", G, 1}, {"flags", "node_network_flags", G, 1},
        {"netdev_group", "node_network_net_dev_group", G, 1}, {"type", "node_network_protocol_type", G, 1},
        {"statistics/rx_nohandler", "node_network_receive_nohandler_total", C, 1}};
    const char *state = fact(r, dev, "operstate");
    if (!*state) return;
    host_add(r, G, "node_network_up", strcmp(state, "up") == 0, "device", dev, NULL);
    host_add(r, G, "node_network_info", 1, "device", dev, "operstate", state, "address", fact(r, dev, "address"),
        "broadcast", fact(r, dev, "broadcast"), "duplex", fact(r, dev, "duplex"), "ifalias", fact(r, dev, "ifalias"),
        NULL);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        Str word = host_read_word(r, "%s/class/net/%s/%s", r->paths->sys, dev, files[i].file);
        double v;
        if (str_starts_with(word, STR("0x")))
            v = host_hex(word);
        else if (!num_parse_f64(word, &v))
            continue; /* many have no value while the device is down */
        host_add(r, files[i].type, files[i].name, v * files[i].scale, "device", dev, NULL);
    }
}

bool host_next_device(HostRound *r, Str *text, const char **ret_device, double columns[HOST_NET_COLUMNS]) {
    Str line;
    while (host_next_line(text, &line)) {
        size_t colon = str_rfind_char(line, ':');
        if (colon == SIZE_MAX) continue; /* the two title lines */
        *ret_device = host_cstr(r, str_trim(str_slice(line, 0, colon)));
        Str rest = str_skip(line, colon + 1);
        for (size_t i = 0; i < HOST_NET_COLUMNS; i++) columns[i] = host_next_number(&rest);
        return true;
    }
    return false;
}

bool host_network(HostRound *r) {
    static const char *const names[HOST_NET_COLUMNS] = {"node_network_receive_bytes_total",
        "node_network_receive_packets_total", "node_network_receive_errs_total", "node_network_receive_drop_total",
        "node_network_receive_fifo_total", "node_network_receive_frame_total", "node_network_receive_compressed_total",
        "node_network_receive_multicast_total", "node_network_transmit_bytes_total",
        "node_network_transmit_packets_total", "node_network_transmit_errs_total", "node_network_transmit_drop_total",
        "node_network_transmit_fifo_total", "node_network_transmit_colls_total", "node_network_transmit_carrier_total",
        "node_network_transmit_compressed_total"};
    Str text;
    const char *dev;
    double columns[HOST_NET_COLUMNS];
    if (!host_read(r, &text, "%s/net/dev", r->paths->proc)) return false;
    while (host_next_device(r, &text, &dev, columns)) {
        for (size_t i = 0; i < HOST_NET_COLUMNS; i++) host_add(r, C, names[i], columns[i], "device", dev, NULL);
        device_facts(r, dev);
    }
    return true;
}
