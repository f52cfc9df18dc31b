/* grpc.c - unary calls: framing, status, the adapter from a route to a method.
 * Source: "gRPC over HTTP2" protocol description; google/rpc/status.proto and error_details.proto. */
#include "net/grpc.h"

#include "base/num.h"
#include "codec/proto.h"
#include "net/grpc_int.h"
#include "net/net_int.h"

#define PREFIX_BYTES 5
#define GZIP_FROM_BYTES 1024

bool grpc_is_request(const HttpRequest *req) {
    if (!req->http2 || req->method != HTTP_POST) return false;
    Str v = http_header(req, STR("content-type"));
    if (!str_starts_with(v, STR("application/grpc"))) return false;
    return v.n == 16 || v.p[16] == '+' || v.p[16] == ';' || v.p[16] == ' ';
}

static uint32_t load_u32be(const char *p) {
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static ErrCode decode_message(HttpRequest *req, Str body, Str enc_name, size_t max_bytes, Str *ret, Err *reterr) {
    *ret = STR_NULL;
    if (body.n < PREFIX_BYTES) return err_set(reterr, ERR_INVALID, "request has no complete gRPC message");
    unsigned char flag = (unsigned char)body.p[0];
    size_t n = load_u32be(body.p + 1);
    if (flag > 1) return err_set(reterr, ERR_INVALID, "gRPC compressed-flag is %u, must be 0 or 1", flag);
    Str payload = str_skip(body, PREFIX_BYTES);
    if (payload.n < n) return err_set(reterr, ERR_INVALID, "gRPC message is cut: %zu of %zu bytes", payload.n, n);
    if (payload.n > n) return err_set(reterr, ERR_NOT_IMPLEMENTED, "a unary call takes exactly one message");
    if (flag == 0) {
        if (n > max_bytes)
            return err_set(reterr, ERR_TOO_LARGE, "received message larger than max (%zu vs. %zu)", n, max_bytes);
        *ret = payload;
        return OK;
    }
    Encoding enc = encoding_parse(enc_name);
    if (enc == ENCODING_IDENTITY)
        return err_set(reterr, ERR_INTERNAL, "compressed flag set with identity or empty encoding");
    if (enc != ENCODING_GZIP && enc != ENCODING_ZSTD)
        return err_set(reterr, ERR_NOT_IMPLEMENTED, "decompressor is not installed for grpc-encoding \"%" STR_FMT "\"",
            STR_ARG(enc_name));
    return http_decompress(req, enc, payload, max_bytes, ret, reterr);
}

ErrCode grpc_message_decode(Str body, Str enc, size_t max_bytes, Arena *arena, Str *ret, Err *reterr) {
    HttpRequest alone = {.arena = arena};
    return decode_message(&alone, body, enc, max_bytes, ret, reterr);
}

void grpc_message_encode(Str message, Encoding enc, Buf *out) {
    ASSERT(message.n <= UINT32_MAX && (enc == ENCODING_IDENTITY || enc == ENCODING_GZIP));
    size_t start = out->n;
    buf_put(out, "\0\0\0\0\0", PREFIX_BYTES);
    bool compressed = enc == ENCODING_GZIP && compress(ENCODING_GZIP, message, 0, out) == OK;
    if (!compressed) {
        out->n = start + PREFIX_BYTES;
        buf_put_str(out, message);
    }
    size_t n = out->n - start - PREFIX_BYTES;
    unsigned char prefix[PREFIX_BYTES] = {
        compressed, (unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n};
    memcpy(out->p + start, prefix, PREFIX_BYTES);
}

bool grpc_timeout_parse(Str s, int64_t *ret_ns) {
    static const struct {
        char unit;
        int64_t ns;
    } units[] = {{'H', 3600 * INT64_C(1000000000)}, {'M', 60 * INT64_C(1000000000)}, {'S', INT64_C(1000000000)},
        {'m', 1000000}, {'u', 1000}, {'n', 1}};
    if (s.n < 2 || s.n > 9) return false; /* at most 8 digits */
    uint64_t v = 0;
    for (size_t i = 0; i + 1 < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (units[i].unit != s.p[s.n - 1]) continue;
        if (__builtin_mul_overflow((int64_t)v, units[i].ns, ret_ns)) *ret_ns = INT64_MAX;
        return true;
    }
    return false;
}

void grpc_percent_encode(Buf *out, Str s) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            buf_put_char(out, (char)c);
        } else {
            buf_put_char(out, '%');
            buf_put_char(out, digits[c >> 4]);
            buf_put_char(out, digits[c & 15]);
        }
    }
}

void grpc_status_encode(Buf *out, int code, Str message, int64_t retry_delay_ms) {
    proto_put_varint(out, 1, (uint64_t)code);
    proto_put_bytes(out, 2, message);
    if (retry_delay_ms <= 0) return;
    size_t any = proto_begin(out, 3); /* google.protobuf.Any details */
    proto_put_bytes(out, 1, STR("type.googleapis.com/google.rpc.RetryInfo"));
    size_t info = proto_begin(out, 2);
    size_t delay = proto_begin(out, 1); /* google.protobuf.Duration retry_delay */
    if (retry_delay_ms >= 1000) proto_put_varint(out, 1, (uint64_t)(retry_delay_ms / 1000));
    if (retry_delay_ms % 1000) proto_put_varint(out, 2, (uint64_t)(retry_delay_ms % 1000) * 1000000);
    proto_end(out, delay);
    proto_end(out, info);
    proto_end(out, any);
}

/* Binary metadata is base64 without padding. */
static Str base64_unpadded(Arena *arena, Str bytes) {
    Buf b = {0};
    num_put_base64(&b, bytes.p, bytes.n);
    while (b.n && b.p[b.n - 1] == '=') b.n--;
    Str copy = arena_copy(arena, buf_str(&b));
    buf_done(&b);
    return copy;
}

void grpc_reply_error(HttpResponse *res, Arena *arena, int grpc_code, Str message, int64_t retry_delay_ms) {
    Buf b = {0};
    grpc_percent_encode(&b, message);
    Str text = arena_copy(arena, buf_str(&b));
    buf_clear(&b);
    grpc_status_encode(&b, grpc_code, message, retry_delay_ms);
    Str details = base64_unpadded(arena, buf_str(&b));
    buf_done(&b);
    res->status = 200;
    res->content_type = STR("application/grpc");
    res->n_trailers = 0;
    res->no_compress = true;
    buf_clear(&res->body);
    Str code = arena_printf(arena, "%d", grpc_code);
    http_set_header(res, STR("grpc-status"), code.p ? code : STR("13"));
    if (text.n) http_set_header(res, STR("grpc-message"), text);
    if (retry_delay_ms > 0 && details.p) http_set_header(res, STR("grpc-status-details-bin"), details);
}

/* True when the list in accept names enc. */
static bool accepts(Str accept, Str enc) {
    Str part;
    while (str_split_next(&accept, ',', &part)) {
        if (str_eq_nocase(str_trim(part), enc)) return true;
    }
    return false;
}

static void reply_message(const HttpRequest *req, HttpResponse *res, Str message) {
    bool gzip = message.n >= GZIP_FROM_BYTES && accepts(http_header(req, STR("grpc-accept-encoding")), STR("gzip"));
    res->status = 200;
    res->content_type = STR("application/grpc");
    res->no_compress = true;
    if (gzip) http_set_header(res, STR("grpc-encoding"), STR("gzip"));
    http_set_header(res, STR("grpc-accept-encoding"), STR(GRPC_ACCEPT_ENCODING));
    buf_clear(&res->body);
    grpc_message_encode(message, gzip ? ENCODING_GZIP : ENCODING_IDENTITY, &res->body);
    http_add_trailer(res, STR("grpc-status"), STR("0"));
}

void grpc_route_handler(void *ctx, HttpRequest *req, HttpResponse *res) {
    const GrpcMethod *method = ctx;
    if (!grpc_is_request(req)) {
        http_reply_text(res, 415, "this path speaks gRPC: HTTP/2 with content-type application/grpc\n");
        return;
    }
    GrpcCall call = {.http = req};
    ErrCode code = decode_message(
        req, req->body, http_header(req, STR("grpc-encoding")), method->max_message_bytes, &call.message, &call.error);
    if (code == OK) method->handler(method->ctx, &call);
    if (call.error.code == OK) {
        reply_message(req, res, buf_str(&call.response));
    } else {
        if (call.error.code == ERR_NOT_IMPLEMENTED)
            http_set_header(res, STR("grpc-accept-encoding"), STR(GRPC_ACCEPT_ENCODING));
        /* OTLP clients retry RESOURCE_EXHAUSTED only when RetryInfo comes with it. */
        if ((call.error.code == ERR_OVERLOADED || call.error.code == ERR_UNAVAILABLE) && call.retry_delay_ms <= 0)
            call.retry_delay_ms = 1000;
        grpc_reply_error(
            res, req->arena, err_grpc_code(call.error.code), str_cstr(call.error.msg), call.retry_delay_ms);
    }
    buf_done(&call.response);
}
