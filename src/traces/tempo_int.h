/* tempo_int.h - what the handlers of Tempo's API share. Private to room traces. */
#ifndef MEERKAT_TRACES_TEMPO_INT_H
#define MEERKAT_TRACES_TEMPO_INT_H

#include "base/json.h"
#include "traces/tempo_api.h"
#include "traces/traceql_eval.h"

#define TEMPO_LIMIT_DEFAULT 20
#define TEMPO_LIMIT_MAX 10000

struct TempoApi {
    TempoApiOptions opts;
};

/* --- tempo_params.c: all give false after having answered 400 --- */

/* start and end in seconds, nanoseconds or RFC 3339; since counts back from end or now. Without any of them default_ns
 * back from now; default_ns 0: everything, and an end in whole seconds includes that second. */
typedef struct TempoRange {
    int64_t start_ns, end_ns; /* both included */
    bool given;
} TempoRange;
ATTR_MUST bool tempo_param_range(HttpRequest *req, HttpResponse *res, int64_t default_ns, TempoRange *ret);
ATTR_MUST bool tempo_param_u32(
    HttpRequest *req, HttpResponse *res, Str name, uint32_t fallback, uint32_t max, uint32_t *ret);
/* A Go or Prometheus duration, or seconds as a number; absent: fallback. */
ATTR_MUST bool tempo_param_duration(HttpRequest *req, HttpResponse *res, Str name, int64_t fallback, int64_t *ret_ns);

/* Whether the client prefers that media type (it is named in Accept). */
bool tempo_accepts(const HttpRequest *req, Str media_type);
/* Err as text/plain with its status. */
void tempo_reply_error(HttpResponse *res, const Err *err);
/* Marks res as 200 application/json; the caller has written res->body. */
void tempo_reply_json(HttpResponse *res);
void tempo_reply_protobuf(HttpResponse *res);

/* A value of the language as OTLP/JSON has it: {"stringValue": "x"}; what OTLP has no type for is text. */
void tempo_put_value(JsonWriter *w, const TqlValue *v);
void tempo_put_key_value(JsonWriter *w, Str key, const TqlValue *v);
void tempo_put_stats(JsonWriter *w, const TqlScanStats *stats); /* "metrics": {...} */
int64_t tempo_deadline(const TempoApi *api);
/* A parse error of a query, as its clients show it. */
void tempo_reply_query_error(HttpResponse *res, const Err *err);

/* --- handlers --- */
void tempo_trace_v2(void *ctx, HttpRequest *req, HttpResponse *res);
void tempo_tags(void *ctx, HttpRequest *req, HttpResponse *res);
void tempo_tags_v2(void *ctx, HttpRequest *req, HttpResponse *res);
void tempo_tag_values(void *ctx, HttpRequest *req, HttpResponse *res);
void tempo_tag_values_v2(void *ctx, HttpRequest *req, HttpResponse *res);
void tempo_search(void *ctx, HttpRequest *req, HttpResponse *res);
void tempo_query_range(void *ctx, HttpRequest *req, HttpResponse *res);
void tempo_query_instant(void *ctx, HttpRequest *req, HttpResponse *res);

#endif
