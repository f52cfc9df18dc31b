/* fake_targets.c - an exporter on every address of 127.0.0.0/8: one process plays thousands of targets, each with its own
 * address and so with its own connection. Counts requests per second on stderr.
 * usage: fake_targets PORT [SERIES]
 * prometheus.yml for N of them: fake_targets PORT --config N INTERVAL */
#include "base/buf.h"
#include "net/server.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "sys/signals.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Exporter {
    size_t series;
    _Atomic uint64_t requests;
  
} Exporter;

static void handle(void *ctx, HttpRequest *req, HttpResponse *res) {
    Exporter *x = ctx;
    (void)req;
    uint64_t n = atomic_fetch_add(&x->requests, 1);
    Buf b = {0};
    for (size_t i = 0; i < x->series; i++)
        buf_printf(&b, "fake_metric_%zu_total{cpu=\"%zu\",mode=\"user\",device=\"sda\"} %llu\n", i / 8, i % 8,
            (unsigned long long)(n + i));
    http_reply(res, 200, STR("text/plain; version=0.0.4"), buf_str(&b));
    buf_done(&b);
}

static int print_config(const char *port, const char *count, const char *interval) {
    unsigned long n = strtoul(count, NULL, 10);
    printf("global: {scrape_interval: %s}\nscrape_configs:\n- job_name: fake\n  static_configs:\n  - targets:\n", interval);
    for (unsigned long i = 0; i < n; i++) printf("    - 127.%lu.%lu.%lu:%s\n", 1 + i / 62500, i / 250 % 250, 1 + i % 250, port);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[2], "--config") == 0) return print_config(argv[1], argv[3], argv[4]);
    if (argc < 2) {
        fprintf(stderr, "usage: fake_targets PORT [SERIES] | fake_targets PORT --config N INTERVAL\n");
        return 2;
    }
    Exporter x = {.series = argc > 2 ? strtoul(argv[2], NULL, 10) : 100};
    Err err = {0};
    NetServer *server;
    Router *router = router_create();
    process_raise_max_fds(1u << 17);
    router_add(router, &(Route){.methods = HTTP_GET, .pattern = "/metrics", .handler = handle, .ctx = &x, .cls = ROUTE_INSTANT});
    NetServerOptions o = {.io_threads = 1, .connections_max = 100000};
    if (net_server_create(&o, &server, &err) != OK ||
        net_server_listen(server, &(NetListen){.name = "targets", .address = "0.0.0.0", .port = (uint16_t)atoi(argv[1]), .router = router}, &err) != OK ||
        net_server_start(server, &err) != OK) {
        fprintf(stderr, "fake_targets: %s\n", err.msg);
        return 1;
    }
    for (uint64_t before = 0;;) {
        clock_sleep_ms(10000);
        uint64_t now = atomic_load(&x.requests);
        fprintf(stderr, "%.1f requests/s\n", (double)(now - before) / 10);
        before = now;
    }
}
