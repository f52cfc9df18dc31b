/* grpc_int.h - gRPC pieces shared by the router, the exchange and the tests. Private to net. */
#ifndef MEERKAT_NET_GRPC_INT_H
#define MEERKAT_NET_GRPC_INT_H

#include "codec/compress.h"
#include "net/grpc.h"

#define GRPC_MESSAGE_MAX_DEFAULT ((size_t)16 << 20)
#define GRPC_ACCEPT_ENCODING "identity, gzip, zstd"

/* The Route handler behind every GrpcMethod; ctx is the GrpcMethod. */
void grpc_route_handler(void *ctx, HttpRequest *req, HttpResponse *res);
/* POST with content-type application/grpc or application/grpc+something, over HTTP/2. */
bool grpc_is_request(const HttpRequest *req);
/* Exactly one length-prefixed message in body. enc is the request's grpc-encoding. ERR_INVALID on bad framing,
 * ERR_NOT_IMPLEMENTED on a compressed message with an encoding we do not take or on a second message,
 * ERR_TOO_LARGE over max_bytes. *ret is a slice of body or lives in the arena. */
ErrCode grpc_message_decode(Str body, Str enc, size_t max_bytes, Arena *arena, Str *ret, Err *reterr);
/* Appends the 5-byte prefix and the message, gzipped when enc says so. */
void grpc_message_encode(Str message, Encoding enc, Buf *out);
/* "100m" -> ns; false when malformed. Source: gRPC over HTTP/2, Timeout. */
bool grpc_timeout_parse(Str s, int64_t *ret_ns);
void grpc_percent_encode(Buf *out, Str s);
/* google.rpc.Status with an optional RetryInfo, as protobuf. */
void grpc_status_encode(Buf *out, int code, Str message, int64_t retry_delay_ms);
/* Makes res a trailers-only answer (200 with grpc-status and friends in the head). Strings live in the arena. */
void grpc_reply_error(HttpResponse *res, Arena *arena, int grpc_code, Str message, int64_t retry_delay_ms);

#endif
