/* jaeger_query.h - parameters of the Jaeger APIs, with Jaeger's defaults and error texts. Private to room traces. */
#ifndef MEERKAT_TRACES_JAEGER_QUERY_H
#define MEERKAT_TRACES_JAEGER_QUERY_H

#include "net/http.h"
#include "traces/trace_store.h"

#define JAEGER_LIMIT_DEFAULT 100
#define JAEGER_LIMIT_MAX 10000
#define JAEGER_TRACE_IDS_MAX 1000

typedef struct JaegerQuery {
    TraceFind find;     /* arena and cancel are the caller's */
    const TraceId *ids; /* not empty: fetch these, ignore the search */
    size_t n_ids;
    bool raw;
} JaegerQuery;

/* GET /api/traces. now_ns: the end of the default window. ERR_INVALID with the text to send. */
ErrCode jaeger_parse_search(HttpRequest *req, int64_t now_ns, JaegerQuery *ret, Err *reterr);
/* GET /api/v3/traces and trace-summaries: query.* parameters, camelCase or snake_case. */
ErrCode jaeger_parse_search_v3(HttpRequest *req, JaegerQuery *ret, Err *reterr);

/* Single values in Go's syntax; an absent or empty parameter gives dflt. Errors: "unable to parse param 'X': ...". */
ErrCode jaeger_param_i64(HttpRequest *req, Str name, int64_t dflt, int64_t *ret, Err *reterr);
ErrCode jaeger_param_bool(HttpRequest *req, Str name, bool *ret, Err *reterr);
/* "malformed parameter X: ..." instead; alias is the deprecated name. */
ErrCode jaeger_param_v3_bool(HttpRequest *req, Str name, Str alias, bool *ret, Err *reterr);
ErrCode jaeger_param_v3_time(HttpRequest *req, Str name, Str alias, bool *ret_given, int64_t *ret_ns, Err *reterr);
/* The first of two names that has a value; *ret_name is its name (the alias when neither has). */
Str jaeger_param_v3(HttpRequest *req, Str name, Str alias, Str *ret_name);

#endif
