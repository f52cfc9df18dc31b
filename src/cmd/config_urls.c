/* config_urls.c - addresses under which people reach the pages, and prefixes of paths, as Prometheus and Alertmanager
 * have them. */
#include "cmd/config_int.h"

#include "base/num.h"
#include "sys/process.h"

#include <stdio.h>

/* The path of an URL, "" when it has none. */
static Str path_of(Str url) {
    size_t scheme = str_find(url, STR("://"));
    Str rest = scheme == SIZE_MAX ? url : str_skip(url, scheme + 3);
    size_t slash = str_find_char(rest, '/'), end = 0;
    if (slash == SIZE_MAX) return STR("");
    rest = str_skip(rest, slash);
    while (end < rest.n && rest.p[end] != '?' && rest.p[end] != '#') end++;
    return str_slice(rest, 0, end);
}

static Str without_slashes(Str s) {
    while (s.n && s.p[s.n - 1] == '/') s.n--;
    return s;
}

Str config_route_prefix(Str external_url, Str route_prefix) {
    return without_slashes(route_prefix.n ? route_prefix : path_of(external_url));
}

/* Where others can reach this machine its name is better than an address that leads them to themselves. */
static Str host_of(Str listen, Buf *name) {
    if (str_starts_with(listen, STR("127.")) || str_eq_lit(listen, "::1") || str_eq_lit(listen, "localhost"))
        return STR("127.0.0.1");
    process_hostname(name);
    return name->n && name->n < 128 ? buf_str(name) : STR("127.0.0.1");
}

Str config_external_url(Str external_url, Str route_prefix, Str listen, int64_t port, char buf[CONFIG_URL_MAX]) {
    Str prefix = without_slashes(route_prefix);
    if (external_url.n) return without_slashes(external_url);
    Buf name = {0};
    Str host = host_of(listen, &name);
    snprintf(
        buf, CONFIG_URL_MAX, "http://%.*s:%lld%.*s", (int)host.n, host.p, (long long)port, (int)prefix.n, prefix.p);
    buf_done(&name);
    return str_cstr(buf);
}

static bool is_url(Str s) {
    return s.n < 512 && (str_starts_with(s, STR("http://")) || str_starts_with(s, STR("https://"))) &&
           str_find_char(s, '"') == SIZE_MAX && str_find_char(s, ' ') == SIZE_MAX;
}

/* What stands in pages and in Location without being escaped. */
static bool is_plain_path(Str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && !strchr("/-._~", c)) return false;
    }
    return s.n < 256 && str_find(s, STR("//")) == SIZE_MAX;
}

/* A prefix without a slash before it gets one, as in the originals. */
static void check_pair(Config *c, const char *section, Str url, Str *prefix, DiagList *diags) {
    if (url.n && !is_url(url))
        diag_add(diags, DIAG_ERROR, 0, 0, 1, "like \"https://example.com/monitoring\"",
            "%s.external_url must be an address", section);
    if (prefix->n && prefix->p[0] != '/') *prefix = arena_printf(c->arena, "/%" STR_FMT, STR_ARG(*prefix));
    if (is_plain_path(config_route_prefix(url, *prefix))) return;
    diag_add(diags, DIAG_ERROR, 0, 0, 1, "letters, digits and - . _ ~ between single slashes",
        "%s.route_prefix (or the path of %s.external_url) is not usable", section, section);
}

/* "0.0.0.0:9090", ":9090", "[::1]:9090", "localhost:9090". */
static void check_address(const char *section, Str text, Str *host, int64_t *port, DiagList *diags) {
    size_t colon = str_rfind_char(text, ':');
    uint64_t n = 0;
    if (!text.n) return;
    if (colon == SIZE_MAX || !num_parse_u64(str_skip(text, colon + 1), &n) || n == 0 || n > UINT16_MAX) {
        diag_add(diags, DIAG_ERROR, 0, 0, 1, "like \"0.0.0.0:9090\"",
            "%s.listen_address must be an IP address and a port", section);
        return;
    }
    *port = (int64_t)n;
    *host = str_slice(text, 0, colon);
    if (host->n > 1 && host->p[0] == '[' && host->p[host->n - 1] == ']') *host = str_slice(*host, 1, host->n - 1);
    if (!host->n) *host = STR("0.0.0.0");
    if (str_eq_lit(*host, "localhost")) *host = STR("127.0.0.1");
}

void config_check_urls(Config *c, DiagList *diags) {
    check_address("web", c->web.listen_address, &c->web.listen_host, &c->server.prometheus, diags);
    check_address("alerting", c->alerting.listen_address, &c->alerting.listen_host, &c->server.alertmanager, diags);
    check_pair(c, "web", c->web.external_url, &c->web.route_prefix, diags);
    check_pair(c, "ui", c->ui.external_url, &c->ui.route_prefix, diags);
    check_pair(c, "alerting", c->alerting.external_url, &c->alerting.route_prefix, diags);
}
