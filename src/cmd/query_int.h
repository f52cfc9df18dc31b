/* query_int.h - `meerkat query ...`: arguments, asking, printing; private to cmd/query*.c. */
#ifndef MEERKAT_CMD_QUERY_INT_H
#define MEERKAT_CMD_QUERY_INT_H

#include "base/buf.h"
#include "base/json.h"
#include "cmd/command.h"

#define QUERY_LIST_MAX 64

typedef enum QueryFormat { QUERY_PROMQL, QUERY_JSON, QUERY_ANSWER /* as the server gave it */ } QueryFormat;

typedef struct Query {
    const char *command; /* "query instant" */
    const char *server, *time, *start, *end, *step, *since, *limit, *user, *token;
    const char *matches[QUERY_LIST_MAX], *headers[QUERY_LIST_MAX];
    int n_matches, n_headers;
    QueryFormat format;
    const char *args[QUERY_LIST_MAX];
    int n_args;
} Query;

typedef void (*QueryPrintFn)(Buf *out, const JsonValue *data, QueryFormat format);

/* --- query_ask.c --- */
/* Options and arguments; a first argument that is a URL is the server. 0, or the exit code. */
int query_parse(Query *q, const char *command, int argc, char **argv);
/* Times as text: "15m" back from now, Unix seconds, RFC 3339. */
bool query_time(const char *text, int64_t *ret_ns);
void query_put_param(Buf *url, const char *name, Str value);
void query_put_segment(Buf *url, Str segment); /* of a path */
/* Puts the time (missing: fallback, which may be NULL) as seconds or, for Loki, nanoseconds. false: said why. */
bool query_put_time(Buf *url, const char *name, const char *text, const char *fallback, bool ns);
/* The same as whole seconds, rounded down or up: times of Tempo's API. */
bool query_put_seconds(Buf *url, const char *name, const char *text, const char *fallback, bool up);
/* Asks path_and_query of the server (port: when none is named) and prints the answer's "data", or all of it when it has
 * none. */
int query_ask(const Query *q, int port, const Buf *path_and_query, QueryPrintFn print);

/* --- query_print.c --- */
void query_print_value(Buf *out, const JsonValue *data, QueryFormat format); /* of query and query_range */
void query_print_list(Buf *out, const JsonValue *data, QueryFormat format);  /* names, values, series */
void query_print_metadata(Buf *out, const JsonValue *data, QueryFormat format);
void query_print_exemplars(Buf *out, const JsonValue *data, QueryFormat format);
/* name{a="b"} of an object of labels; not name_first: {__name__="name", a="b"}. */
void query_put_metric(Buf *out, const JsonValue *metric, bool name_first);
void query_print_logs(Buf *out, const JsonValue *data, QueryFormat format);
void query_print_traces(Buf *out, const JsonValue *data, QueryFormat format);

/* --- query_traceql.c --- */
bool query_is_traceql(const char *text); /* not just a service's name */
int query_traceql(const Query *q);

#endif
