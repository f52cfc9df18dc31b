/* jaeger_int.h - what the handlers of both generations share. Private to room traces. */
#ifndef MEERKAT_TRACES_JAEGER_INT_H
#define MEERKAT_TRACES_JAEGER_INT_H

#include "traces/jaeger_api.h"
#include "traces/jaeger_query.h"
#include "traces/jaeger_trace.h"

#define TRANSFORM_BYTES_MAX (32u << 20)

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

/* --- the envelope of the legacy API: {"data":..,"total":..,"limit":0,"offset":0,"errors":..} --- */
/* An error about one trace goes into the list of an answer that is otherwise fine. */
typedef struct JaegerMissing {
    const TraceId *v;
    size_t n;
} JaegerMissing;
void jaeger_put_head(JsonWriter *w); /* up to the data, which follows */
void jaeger_put_tail(
    JsonWriter *w, size_t total, const JaegerMissing *missing); /* missing: NULL when there is nothing to say */
/* Errors are text/plain with the envelope as their text, as Go's http.Error sends it. */
void jaeger_send_error(HttpResponse *res, int status, const char *msg);
void jaeger_send_err(HttpResponse *res, const Err *err);

/* --- handlers of traces; ctx is the JaegerApi --- */
void jaeger_get_traces(void *ctx, HttpRequest *req, HttpResponse *res);
void jaeger_get_trace(void *ctx, HttpRequest *req, HttpResponse *res);
void jaeger_get_trace_shared(void *ctx, HttpRequest *req, HttpResponse *res);
void jaeger_post_archive(void *ctx, HttpRequest *req, HttpResponse *res);
void jaeger_post_transform(void *ctx, HttpRequest *req, HttpResponse *res);

void jaeger_v3_routes(JaegerApi *api, Router *router);

#endif
