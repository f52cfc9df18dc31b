/* status.c - `meerkat status`: where every service is, and whether it answers. */
#include "cmd/command.h"
#include "cmd/ports.h"
#include "net/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* The address to ask: a wildcard is asked on loopback. */
static void probe_host(const Config *c, char out[128]) {
    Str l = c->server.listen;
    bool any = str_eq_lit(l, "0.0.0.0") || str_eq_lit(l, "::") || l.n == 0;
    bool v6 = !any && str_find_char(l, ':') != SIZE_MAX;
    if (any)
        snprintf(out, 128, "127.0.0.1");
    else
        snprintf(out, 128, "%s%.*s%s", v6 ? "[" : "", (int)MIN(l.n, 100), l.p, v6 ? "]" : "");
}

static bool connects(const char *host, uint16_t port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1) return false;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    if (fd >= 0) close(fd);
    return ok;
}

static bool probe(HttpClient *client, const Config *c, const ServicePort *p, const char *host) {
    uint16_t port = service_port(c, p);
    if (p->is_grpc) return connects(host, port);
    char url[256];
    int status = 0;
    Buf body = {0};
    snprintf(url, sizeof url, "%s://%s:%u%s", c->server.tls_cert_file.n ? "https" : "http", host, port, p->probe);
    /* The own certificate may well be self-signed; whether the service answers is the question here. */
    HttpClientRequest req = {.method = "GET", .url = url, .timeout_ms = 5000, .insecure_skip_verify = true};
    ErrCode r = http_client_fetch(client, &req, &status, &body, NULL);
    buf_done(&body);
    return r == OK && status < 400;
}

static int print_status(const Config *c, bool json) {
    HttpClient *client = http_client_create("meerkat-status");
    char host[128];
    probe_host(c, host);
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    bool all_up = true;
    if (json) json_begin_array(&w);
    for (size_t i = 0; i < service_ports_n; i++) {
        const ServicePort *p = &service_ports[i];
        if (service_port(c, p) == 0) continue;
        bool up = probe(client, c, p, host);
        all_up &= up;
        char url[160];
        snprintf(url, sizeof url, "%s://%s:%u", c->server.tls_cert_file.n ? "https" : "http", host, service_port(c, p));
        if (json) {
            json_begin_object(&w);
            json_key_lit(&w, "service");
            json_str(&w, str_cstr(p->name));
            json_key_lit(&w, "url");
            json_str(&w, str_cstr(url));
            json_key_lit(&w, "up");
            json_bool(&w, up);
            json_end_object(&w);
        } else {
            buf_printf(&out, "  %-5s %-22s %s\n", up ? "up" : "DOWN", p->title, url);
        }
    }
    if (json) {
        json_end_array(&w);
        buf_put_char(&out, '\n');
    }
    fwrite(out.p, 1, out.n, stdout);
    buf_done(&out);
    http_client_free(client);
    return all_up ? 0 : 1;
}

int cmd_status(int argc, char **argv) {
    bool json = false;
    const char *file = access("meerkat.yml", R_OK) == 0 ? "meerkat.yml" : NULL;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (!command_option(argc, argv, &i, "--config", &file))
            return command_unknown_option("status", argv[i]);
    }
    Arena *arena = arena_create(ARENA_UNLIMITED);
    DiagList diags;
    diag_init(&diags, str_cstr(file ? file : "meerkat.yml"), STR_NULL);
    Config *c = config_load(file, NULL, 0, arena, &diags);
    int code = 2;
    if (c) {
        code = print_status(c, json);
    } else {
        Buf out = {0};
        diag_render(&diags, &out, false);
        fwrite(out.p, 1, out.n, stderr);
        buf_done(&out);
    }
    diag_done(&diags);
    arena_free(arena);
    return code;
}
