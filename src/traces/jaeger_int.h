/* jaeger_int.h - what the handlers of both generations share. Private to room traces. */
#ifndef MEERKAT_TRACES_JAEGER_INT_H
#define MEERKAT_TRACES_JAEGER_INT_H

#include "traces/jaeger_api.h"
#include "traces/jaeger_query.h"
#include "traces/jaeger_trace.h"

struct JaegerApi {
    JaegerApiOptions opts;
    HttpHandler tempo_trace; /* of jaeger_api_routes_shared */
    void *tempo_ctx;
};

/* Fetches and (unless raw) adjusts one trace; t->batch is in the request's arena. ERR_NOT_FOUND. */
ErrCode jaeger_fetch(JaegerApi *api, HttpRequest *req, TraceId id, bool raw, JaegerTrace *t, Err *reterr);
typedef struct JaegerTraces {
    JaegerTrace *v;
    size_t n;
} JaegerTraces;
/* Ids into traces; those that are not there are left out. */
ErrCode jaeger_fetch_all(
    JaegerApi *api, HttpRequest *req, const TraceId *ids, size_t n, bool raw, JaegerTraces *ret, Err *reterr);
/* Search and fetch. */
ErrCode jaeger_search(JaegerApi *api, HttpRequest *req, const JaegerQuery *q, JaegerTraces *ret, Err *reterr);
/* The kind a name stands for; false: no such kind. "" is any. */
bool jaeger_kind_of(Str name, SpanKind *ret);
/* The name of a kind in lists of operations: empty when it is unspecified. */
Str jaeger_kind_text(uint8_t kind);
/* Sends text as JSON, indented by four spaces when the request asks for it (prettyPrint). */
void jaeger_send_json(HttpRequest *req, HttpResponse *res, Buf *json);

void jaeger_v3_routes(JaegerApi *api, Router *router);

#endif
