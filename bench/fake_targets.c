/* fake_targets.c - an exporter on every address of 127.0.0.0/8: one process plays thousands of targets, each with its
 * own address and so with its own connection.
 *
 * fake_targets PORT [SERIES [INTERVAL_MS]]: every ten seconds a line of JSON on stdout. requests, targets; with the
 * interval they are to be asked at also double, missed: how often one was asked again within half of it, or not within
 * one and a half; longest_ms: the longest wait.
 *
 * fake_targets PORT --config N INTERVAL: prometheus.yml for N of them.
 *
 * fake_targets PORT --list FROM N: their addresses. */
#include "base/buf.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/timefmt.h"
#include "net/server.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "sys/thread.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct Exporter {
    size_t series;
    int64_t interval_ns; /* 0: not watched */
    Mutex lock;
    uint64_t requests;
    U64Map *last; /* hash of the target's address -> when it was asked */
    uint64_t doubled, missed;
    int64_t longest_ns;
} Exporter;

/* Gives the number of the request. */
static uint64_t note(Exporter *x, Str host) {
    int64_t now = clock_mono_ns();
    bool first;
    mutex_lock(&x->lock);
    uint64_t *last = u64map_put(x->last, hash_xx64(host, 0), &first);
    int64_t gap = now - (int64_t)*last;
    if (!first && x->interval_ns) {
        x->doubled += gap < x->interval_ns / 2;
        x->missed += gap > x->interval_ns * 3 / 2;
        x->longest_ns = MAX(x->longest_ns, gap);
    }
    *last = (uint64_t)now;
    uint64_t n = x->requests++;
    mutex_unlock(&x->lock);
    return n;
}

static void handle(void *ctx, HttpRequest *req, HttpResponse *res) {
    Exporter *x = ctx;
    uint64_t n = note(x, http_header(req, STR("Host")));
    Buf b = {0};
    for (size_t i = 0; i < x->series; i++)
        buf_printf(&b, "fake_metric_%zu_total{cpu=\"%zu\",mode=\"user\",device=\"sda\"} %llu\n", i / 8, i % 8,
            (unsigned long long)(n + i));
    http_reply(res, 200, STR("text/plain; version=0.0.4"), buf_str(&b));
    buf_done(&b);
}

static int print_targets(const char *port, const char *from, const char *count, const char *before) {
    unsigned long at = strtoul(from, NULL, 10), end = at + strtoul(count, NULL, 10);
    for (unsigned long i = at; i < end; i++)
        printf("%s127.%lu.%lu.%lu:%s\n", before, 1 + i / 62500, i / 250 % 250, 1 + i % 250, port);
    return 0;
}

static int print_config(const char *port, const char *count, const char *interval) {
    printf("global: {scrape_interval: %s}\nscrape_configs:\n- job_name: fake\n  static_configs:\n  - targets:\n",
        interval);
    return print_targets(port, "0", count, "    - ");
}

static void report(Exporter *x) {
    mutex_lock(&x->lock);
    printf("{\"requests\": %llu, \"targets\": %zu", (unsigned long long)x->requests, u64map_count(x->last));
    if (x->interval_ns)
        printf(", \"double\": %llu, \"missed\": %llu, \"longest_ms\": %lld", (unsigned long long)x->doubled,
            (unsigned long long)x->missed, (long long)(x->longest_ns / NS_PER_MS));
    mutex_unlock(&x->lock);
    printf("}\n");
    fflush(stdout);
}

static ErrCode serve(Exporter *x, const char *port, Err *reterr) {
    NetServer *server;
    Router *router = router_create();
    process_raise_max_fds(1u << 17);
    router_add(router,
        &(Route){.methods = HTTP_GET, .pattern = "/metrics", .handler = handle, .ctx = x, .cls = ROUTE_INSTANT});
    NetServerOptions o = {.io_threads = 1, .connections_max = 100000};
    NetListen listen = {.name = "targets", .address = "0.0.0.0", .port = (uint16_t)atoi(port), .router = router};
    ErrCode code = net_server_create(&o, &server, reterr);
    if (code == OK) code = net_server_listen(server, &listen, reterr);
    if (code == OK) code = net_server_start(server, reterr);
    return code;
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[2], "--config") == 0) return print_config(argv[1], argv[3], argv[4]);
    if (argc == 5 && strcmp(argv[2], "--list") == 0) return print_targets(argv[1], argv[3], argv[4], "");
    if (argc < 2) {
        fprintf(stderr,
            "usage: fake_targets PORT [SERIES [INTERVAL_MS]] | PORT --config N INTERVAL | PORT --list FROM N\n");
        return 2;
    }
    Exporter x = {.series = argc > 2 ? strtoul(argv[2], NULL, 10) : 100, .last = u64map_create()};
    if (argc > 3) x.interval_ns = strtoll(argv[3], NULL, 10) * NS_PER_MS;
    Err err = {0};
    mutex_init(&x.lock);
    if (serve(&x, argv[1], &err) != OK) {
        fprintf(stderr, "fake_targets: %s\n", err.msg);
        return 1;
    }
    for (;;) {
        clock_sleep_ms(10000);
        report(&x);
    }
}
