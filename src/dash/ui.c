/* ui.c - embedded assets, pages and redirects from the classic ports. */
#include "dash/ui.h"

#include "base/num.h"
#include "codec/compress.h"
#include "dash/ui_assets.h"
#include "dash/ui_int.h"

#include <stdio.h>

#define ASSET_RAW_MAX ((size_t)16 << 20)

Dash *dash_create(const DashOptions *opts) {
    ASSERT(opts && opts->auth && opts->meta && opts->n_ports <= DASH_PORTS_MAX);
    Dash *d = NEW(Dash);
    d->auth = opts->auth;
    d->meta = opts->meta;
    snprintf(d->version, sizeof(d->version), "%s", opts->version ? opts->version : "");
    snprintf(d->external_url, sizeof(d->external_url), "%.*s", (int)opts->external_url.n, opts->external_url.p);
    snprintf(d->prefix, sizeof(d->prefix), "%.*s", (int)opts->prefix.n, opts->prefix.p);
    for (size_t i = 0; i < opts->n_ports; i++) {
        if (opts->ports[i].port == 0) continue;
        DashPortCopy *p = &d->ports[d->n_ports++];
        snprintf(p->name, sizeof(p->name), "%s", opts->ports[i].name);
        p->port = opts->ports[i].port;
    }
    return d;
}

Dash *dash_free(Dash *d) {
    mem_free(d);
    return NULL;
}

bool dash_has_ui(void) { return ui_assets_count > 0; }

/* Styles and scripts come from files only; nothing is fetched from other hosts. */
void ui_security_headers(HttpResponse *res) {
    http_set_header(res, STR("Content-Security-Policy"),
        STR("default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
            "frame-ancestors 'self'"));
    http_set_header(res, STR("X-Content-Type-Options"), STR("nosniff"));
    http_set_header(res, STR("X-Frame-Options"), STR("SAMEORIGIN"));
    http_set_header(res, STR("Referrer-Policy"), STR("same-origin"));
}

static const UiAsset *find_asset(Str path) {
    for (size_t i = 0; i < ui_assets_count; i++) {
        if (str_eq(path, str_cstr(ui_assets[i].path))) return &ui_assets[i];
    }
    return NULL;
}

/* q=0 refuses; everything else that names gzip or "*" takes it. */
static bool takes_gzip(const HttpRequest *req) {
    Str accept = http_header(req, STR("accept-encoding")), part;
    while (accept.p && str_split_next(&accept, ',', &part)) {
        Str name = part, params = STR_NULL;
        if (str_find_char(part, ';') != SIZE_MAX) {
            name = str_slice(part, 0, str_find_char(part, ';'));
            params = str_trim(str_skip(part, name.n + 1));
        }
        name = str_trim(name);
        if (!str_eq_nocase(name, STR("gzip")) && !str_eq_lit(name, "*")) continue;
        double q = 1;
        if (str_starts_with(params, STR("q=")) && !num_parse_f64(str_trim(str_skip(params, 2)), &q)) q = 0;
        return q > 0;
    }
    return false;
}

/* If-None-Match compares weakly: W/ and the suffix of the encoding do not matter. */
static bool is_fresh(const HttpRequest *req, Str etag) {
    Str list = http_header(req, STR("if-none-match"));
    if (!list.p) return false;
    return str_eq_lit(str_trim(list), "*") || (etag.n && str_contains(list, etag));
}

static void send_asset(const UiAsset *a, bool is_page, HttpRequest *req, HttpResponse *res) {
    bool gzip = takes_gzip(req);
    ui_security_headers(res);
    res->no_compress = true;
    http_set_header(res, STR("Vary"), STR("Accept-Encoding"));
    http_set_header(res, STR("Cache-Control"), is_page ? STR("no-cache") : STR("public, max-age=31536000, immutable"));
    http_set_header(res, STR("ETag"), arena_printf(req->arena, "\"%s%s\"", a->etag, gzip ? "-gz" : ""));
    if (is_fresh(req, str_cstr(a->etag))) {
        res->status = 304;
        return;
    }
    Str body = str_of((const char *)a->gz, a->gz_bytes);
    Err err = {0};
    if (gzip) {
        http_set_header(res, STR("Content-Encoding"), STR("gzip"));
    } else if (decompress(ENCODING_GZIP, body, ASSET_RAW_MAX, req->arena, &body, &err) != OK) {
        http_reply_error(res, &err);
        return;
    }
    http_reply(res, 200, str_cstr(a->content_type), body);
}

static void send_missing(HttpResponse *res) {
    ui_security_headers(res);
    if (dash_has_ui())
        http_reply_text(res, 404, "404 page not found\n");
    else
        http_reply_text(res, 404, "The web UI was not built into this binary (it was configured with -Dui=false).\n");
}

/* The page names its files by absolute addresses: under a prefix those begin with it. The script finds the prefix in
 * its own address. */
static void send_page_below(const UiAsset *a, Str prefix, HttpRequest *req, HttpResponse *res) {
    static const Str attr = STR_INIT("=\"/assets/");
    Str page, rest;
    Err err = {0};
    if (decompress(ENCODING_GZIP, str_of((const char *)a->gz, a->gz_bytes), ASSET_RAW_MAX, req->arena, &page, &err) !=
        OK) {
        http_reply_error(res, &err);
        return;
    }
    ui_security_headers(res);
    http_set_header(res, STR("Cache-Control"), STR("no-cache"));
    Buf out = {0};
    for (rest = page; rest.n;) {
        size_t at = str_find(rest, attr);
        buf_put_str(&out, str_slice(rest, 0, MIN(at, rest.n)));
        if (at == SIZE_MAX) break;
        buf_put_lit(&out, "=\"");
        buf_put_str(&out, prefix);
        buf_put_str(&out, str_skip(attr, 2));
        rest = str_skip(rest, at + attr.n);
    }
    http_reply(res, 200, str_cstr(a->content_type), buf_str(&out));
    buf_done(&out);
}

static void page(void *ctx, HttpRequest *req, HttpResponse *res) {
    const Dash *d = ctx;
    const UiAsset *a = find_asset(STR("/index.html"));
    if (a && d->prefix[0])
        send_page_below(a, str_cstr(d->prefix), req, res);
    else if (a)
        send_asset(a, true, req, res);
    else
        send_missing(res);
}

static void asset(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx;
    const UiAsset *a = find_asset(req->path);
    if (a)
        send_asset(a, false, req, res);
    else
        send_missing(res);
}

/* Browsers ask for it unbidden; the page names its icon itself. */
static void favicon(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)ctx, (void)req;
    res->status = 204;
    http_set_header(res, STR("Cache-Control"), STR("public, max-age=86400"));
}

void dash_ui_routes(Dash *d, Router *r) {
    static const char *const pages[] = {"/", "/home", "/login", "/explore/metrics", "/graph", "/query", "/logs",
        "/traces", "/search", "/trace/{id}", "/targets", "/service-discovery", "/server", "/tsdb-status", "/status",
        "/config", "/flags", "/alerts", "/rules", "/silences", "/silences/new", "/alerting/{view}", "/d/{uid}",
        "/d/{uid}/{slug}"};
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        router_add(r, &(Route){.methods = HTTP_GET, .pattern = pages[i], .handler = page, .ctx = d});
    router_add(r, &(Route){.methods = HTTP_GET, .pattern = "/assets/{name}", .handler = asset, .ctx = d});
    router_add(r, &(Route){.methods = HTTP_GET, .pattern = "/favicon.ico", .handler = favicon, .ctx = d});
    session_routes(d, r);
}

/* --- classic ports --- */

/* "localhost:9090", "[::1]:9090", "localhost" without the port; STR_NULL for anything that is no host. */
static Str host_name(Str host) {
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == 0 || !strchr("-._:[]", c))) return STR_NULL;
    }
    size_t colon = str_rfind_char(host, ':'), bracket = str_rfind_char(host, ']');
    bool has_port = colon != SIZE_MAX && (bracket == SIZE_MAX || colon > bracket);
    return has_port ? str_slice(host, 0, colon) : host;
}

static unsigned ui_port(const Dash *d) {
    for (size_t i = 0; i < d->n_ports; i++) {
        if (strcmp(d->ports[i].name, "ui") == 0) return d->ports[i].port;
    }
    return 0;
}

static void redirect(void *ctx, HttpRequest *req, HttpResponse *res) {
    const DashHome *h = ctx;
    unsigned port = ui_port(h->dash);
    Str host = host_name(http_header(req, STR("host")));
    if (!h->dash->external_url[0] && (port == 0 || host.n == 0)) {
        send_missing(res);
        return;
    }
    Str path = str_eq_lit(req->raw_path, "/") ? str_cstr(h->home) : req->raw_path,
        base = str_cstr(h->dash->external_url);
    if (!base.n)
        base = arena_printf(
            req->arena, "%s://%" STR_FMT ":%u%s", req->tls ? "https" : "http", STR_ARG(host), port, h->dash->prefix);
    Str to = arena_printf(req->arena, "%" STR_FMT "%" STR_FMT "%s%" STR_FMT, STR_ARG(base), STR_ARG(path),
        req->query.n ? "?" : "", STR_ARG(req->query));
    if (to.p)
        http_redirect(res, to);
    else
        http_reply_text(res, 414, "the address is too long\n");
}

void dash_redirect_routes(Dash *d, Router *r, const char *home, const char *const *patterns, size_t n_patterns) {
    ASSERT(d->n_homes < ARRAY_LEN(d->homes));
    DashHome *h = &d->homes[d->n_homes++];
    *h = (DashHome){d, home};
    router_add(r, &(Route){.methods = HTTP_GET, .pattern = "/", .handler = redirect, .ctx = h});
    for (size_t i = 0; i < n_patterns; i++)
        router_add(r, &(Route){.methods = HTTP_GET, .pattern = patterns[i], .handler = redirect, .ctx = h});
}
