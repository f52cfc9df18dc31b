/* reply.c - what every answer gets on its way out: defaults, CORS, compression. */
#include "base/num.h"
#include "codec/compress.h"
#include "net/grpc_int.h"
#include "net/net_int.h"

#define COMPRESS_FROM_BYTES 1024

static bool is_texty(Str type) {
    static const char *const prefixes[] = {"text/", "application/json", "application/javascript",
        "application/openmetrics-text", "application/xml", "application/x-ndjson", "application/manifest+json",
        "application/yaml", "image/svg+xml", "application/wasm"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (str_starts_with(type, str_cstr(prefixes[i]))) return true;
    }
    size_t semi = str_find_char(type, ';');
    Str media = str_trim(semi == SIZE_MAX ? type : str_slice(type, 0, semi));
    return str_ends_with(media, STR("+json")) || str_ends_with(media, STR("+xml"));
}

/* q of one clause: 1 when there is none, 0 when it is none or says so. */
static double quality(Str clause) {
    size_t semi = str_find_char(clause, ';');
    double q = 1;
    if (semi == SIZE_MAX) return 1;
    Str param = str_trim(str_skip(clause, semi + 1));
    if (!str_starts_with(param, STR("q="))) return 1;
    return num_parse_f64(str_trim(str_skip(param, 2)), &q) && q > 0 ? q : 0;
}

/* The one the client likes best, of equals the first in its list; "*" is gzip. IDENTITY: none. */
static Encoding choose_encoding(Str accept) {
    Encoding best = ENCODING_IDENTITY;
    double best_q = 0;
    Str part;
    while (accept.n && str_split_next(&accept, ',', &part)) {
        size_t semi = str_find_char(part, ';');
        Str name = str_trim(semi == SIZE_MAX ? part : str_slice(part, 0, semi));
        Encoding e = str_eq_lit(name, "*") ? ENCODING_GZIP : encoding_parse(name);
        double q = quality(part);
        if (name.n == 0 || (e != ENCODING_GZIP && e != ENCODING_DEFLATE && e != ENCODING_ZSTD) || q <= best_q) continue;
        best = e;
        best_q = q;
    }
    return best;
}

static bool has_header(const HttpResponse *res, Str name) {
    for (size_t i = 0; i < res->n_headers; i++) {
        if (str_eq_nocase(res->headers[i].name, name)) return true;
    }
    return false;
}

/* A Vary of its own, unless the handler has said so already. */
static void add_vary(HttpResponse *res, Str name) {
    for (size_t i = 0; i < res->n_headers; i++)
        if (str_eq_nocase(res->headers[i].name, STR("vary")) && str_eq_nocase(res->headers[i].value, name)) return;
    http_add_header(res, STR("Vary"), name);
}

static void compress_body(Exchange *x) {
    HttpResponse *res = &x->res;
    if (res->no_compress || res->stream_fn || res->body.n <= COMPRESS_FROM_BYTES || !is_texty(res->content_type))
        return;
    if (has_header(res, STR("content-encoding")) || res->n_headers + 2 > ARRAY_LEN(res->headers)) return;
    add_vary(res, STR("Accept-Encoding"));
    Encoding encoding = choose_encoding(http_header(&x->req, STR("accept-encoding")));
    if (encoding == ENCODING_IDENTITY) return;
    Buf out = {0};
    if (compress(encoding, buf_str(&res->body), 0, &out) == OK && out.n < res->body.n) {
        http_add_header(res, STR("Content-Encoding"), str_cstr(encoding_name(encoding)));
        Buf raw = res->body;
        res->body = out;
        out = raw;
    }
    buf_done(&out);
}

/* The headers of Prometheus' API, sent only to requests that come from a page. */
static void add_cors(Exchange *x) {
    HttpResponse *res = &x->res;
    if (!x->listener->cors || !http_header(&x->req, STR("origin")).p) return;
    if (res->n_headers + 5 > ARRAY_LEN(res->headers)) return;
    http_set_header(res, STR("Access-Control-Allow-Origin"), STR("*"));
    http_set_header(res, STR("Access-Control-Allow-Headers"), STR("Accept, Authorization, Content-Type, Origin"));
    http_set_header(res, STR("Access-Control-Allow-Methods"), STR("GET, POST, OPTIONS"));
    http_set_header(res, STR("Access-Control-Expose-Headers"), STR("Date"));
    add_vary(res, STR("Origin"));
}

/* Errors of the edge (404, 401, 413 ...) reach gRPC clients as a status. */
static int grpc_code_of_status(int status) {
    switch (status) {
    case 400: return 3;
    case 401: return 16;
    case 403: return 7;
    case 404: return 12;
    case 413: return 8;
    case 429:
    case 503: return 14;
    case 504: return 4;
    default: return 2;
    }
}

void reply_finish(Exchange *x) {
    HttpResponse *res = &x->res;
    if (x->finished) return;
    x->finished = true;
    if (res->status == 0) res->status = 200;
    ASSERT(res->status >= 200 && res->status <= 999);
    bool is_grpc_answer = str_starts_with(res->content_type, STR("application/grpc"));
    if (x->grpc && !is_grpc_answer && res->status != 200)
        grpc_reply_error(res, x->head, grpc_code_of_status(res->status), str_trim(buf_str(&res->body)), 0);
    if (res->content_type.n == 0 && (res->body.n || res->stream_fn))
        res->content_type = STR("text/plain; charset=utf-8");
    add_cors(x);
    if (!is_grpc_answer && res->n_headers < ARRAY_LEN(res->headers))
        http_set_header(res, STR("X-Content-Type-Options"), STR("nosniff"));
    if (res->status == 204 || res->status == 304) buf_clear(&res->body);
    compress_body(x);
}
