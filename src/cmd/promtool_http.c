/* promtool_http.c - asking a server for promtool's commands, with --http.config.file. */
#include "base/diag.h"
#include "base/timefmt.h"
#include "cmd/promtool_int.h"
#include "codec/yaml.h"
#include "metrics/prom_http.h"
#include "sys/fs.h"

#include <stdio.h>

#define CONFIG_BYTES_MAX (1u << 20)

static int fail(const char *what, const char *detail) {
    fprintf(stderr, "%s: error: %s%s\n", pt_program, what, detail);
    return 1;
}

static int read_config(PtClient *c, const char *file) {
    Buf text = {0}, out = {0};
    Err err = {0};
    DiagList diags;
    YamlNode *root;
    if (fs_read_stream(file, CONFIG_BYTES_MAX, &text, &err) != OK) {
        buf_done(&text);
        return fail("Failed to load HTTP config file: ", err.msg);
    }
    Str copy = arena_copy(c->arena, buf_str(&text)), name = str_cstr(file);
    size_t slash = str_rfind_char(name, '/');
    buf_done(&text);
    diag_init(&diags, name, copy);
    PromHttpConfig *config = ARENA_NEW(c->arena, PromHttpConfig);
    if (yaml_parse(copy, c->arena, &root, &diags) == OK && !yaml_is_null(root))
        prom_http_config_read(root, slash == SIZE_MAX ? STR(".") : str_slice(name, 0, slash), c->arena, config, &diags);
    bool bad = diag_error_count(&diags) > 0;
    if (bad) fail("Failed to load HTTP config file: ", file);
    diag_render(&diags, &out, command_colour());
    fwrite(out.p ? out.p : "", 1, out.n, stderr);
    buf_done(&out);
    diag_done(&diags);
    c->config = config;
    return bad;
}

/* The server's address without the slashes at its end; a host alone is one of http. */
static void set_base(PtClient *c, const char *server) {
    if (!strstr(server, "://")) buf_put_lit(&c->base, "http://");
    buf_put_str(&c->base, str_cstr(server));
    while (c->base.n && c->base.p[c->base.n - 1] == '/') c->base.n--;
}

int pt_client_open(PtClient *c, const char *server, const char *config_file) {
    *c = (PtClient){.arena = arena_create((size_t)64 << 20), .answers = arena_create((size_t)4 << 30)};
    set_base(c, server);
    const char *host = strstr(buf_cstr(&c->base), "://") + 3;
    size_t authority = strcspn(host, "/?#");
    bool user = memchr(host, '@', authority) != NULL;
    if (config_file && user)
        return fail("Cannot set base auth in the server URL and use a http.config.file at the same time", "");
    if (config_file && read_config(c, config_file) != 0) return 1;
    c->client = http_client_create("promtool/3.16.0");
    c->http = prom_http_create(c->client, c->config);
    return 0;
}

void pt_client_close(PtClient *c) {
    prom_http_free(c->http);
    if (c->client) http_client_free(c->client);
    arena_free(c->arena);
    arena_free(c->answers);
    buf_done(&c->base);
    buf_done(&c->url);
}

ErrCode pt_client_ask(PtClient *c, HttpClientRequest *req, Str path, int *ret_status, Buf *ret_body, Err *reterr) {
    buf_clear(&c->url);
    buf_put_str(&c->url, buf_str(&c->base));
    buf_put_str(&c->url, path);
    req->url = buf_cstr(&c->url);
    req->accept_gzip = true;
    req->max_body_bytes = PT_ANSWER_BYTES_MAX;
    return prom_http_fetch(c->http, req, ret_status, NULL, ret_body, reterr);
}

const char **pt_header_lines(PtClient *c, const PtLine *l, size_t spare) {
    size_t n = 0;
    while (pt_item(l, "header", n)) n++;
    const char **lines = ARENA_ARRAY(c->arena, const char *, n + spare + 1);
    ASSERT(lines);
    for (size_t i = 0; i < n; i++) {
        const char *pair = pt_item(l, "header", i), *eq = strchr(pair, '=');
        lines[i] = arena_printf(c->arena, "%.*s: %s", (int)(eq - pair), pair, eq + 1).p;
        ASSERT(lines[i]);
    }
    lines[n] = NULL;
    return lines;
}

/* --- health --- */

static int check_status(const PtLine *l, const char *path) {
    const char *server = pt_text(l, "url");
    char own[64];
    snprintf(own, sizeof own, "http://localhost:%d", command_server_port(9090));
    PtClient c;
    Buf answer = {0};
    Err err = {0};
    int status = 0;
    if (!pt_given(l, "url")) server = own;
    if (pt_client_open(&c, server, pt_text(l, "http.config.file")) != 0) return pt_client_close(&c), 1;
    HttpClientRequest req = {.method = "GET", .timeout_ms = PT_CHECK_TIMEOUT_MS};
    ErrCode code = pt_client_ask(&c, &req, str_cstr(path), &status, &answer, &err);
    if (code != OK)
        fprintf(stderr, "Get \"%s\": %s\n", buf_cstr(&c.url), err.msg);
    else if (status != 200)
        fprintf(stderr, "check failed: URL=%s, status=%d\n", server, status);
    else
        fprintf(stderr, "  SUCCESS:  %s\n", buf_cstr(&answer));
    buf_done(&answer);
    pt_client_close(&c);
    return code == OK && status == 200 ? 0 : 1;
}

int promtool_check_healthy(const PtLine *l) { return check_status(l, "/-/healthy"); }
int promtool_check_ready(const PtLine *l) { return check_status(l, "/-/ready"); }
