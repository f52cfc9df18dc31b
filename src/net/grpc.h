/* grpc.h - unary gRPC over HTTP/2 on the same listeners: POST with content-type application/grpc[+proto]. */
#ifndef MEERKAT_NET_GRPC_H
#define MEERKAT_NET_GRPC_H

#include "net/http.h"

typedef struct GrpcCall {
    Str message;       /* one request message, decompressed */
    HttpRequest *http; /* metadata, peer, arena */
    Buf response;      /* the response message */
    Err error;         /* code != OK: answered as a status */
    int64_t
        retry_delay_ms; /* > 0 with ERR_OVERLOADED/ERR_UNAVAILABLE: google.rpc.RetryInfo in grpc-status-details-bin */
} GrpcCall;

typedef void (*GrpcHandler)(void *ctx, GrpcCall *call);

typedef struct GrpcMethod {
    const char *path; /* "/opentelemetry.proto.collector.trace.v1.TraceService/Export" */
    GrpcHandler handler;
    void *ctx;
    size_t max_message_bytes; /* after decompression; 0: 16 MiB. Over: RESOURCE_EXHAUSTED */
    RouteClass cls;
} GrpcMethod;

void router_add_grpc(Router *r, const GrpcMethod *method);

#endif
