/* traceql.h - TraceQL: parse, check, print.
 *
 * Source of the language: Grafana Tempo's documentation of TraceQL; docs/traceql.md has the grammar and what differs.
 * A parsed query is immutable and may be used by many threads. traceql_eval.h runs it. */
#ifndef MEERKAT_TRACES_TRACEQL_H
#define MEERKAT_TRACES_TRACEQL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "traces/traceql_ast.h"

#define TRACEQL_SOURCE_MAX 131072

typedef struct TraceQl TraceQl;

/* The tree lives in the arena and borrows src. Types are checked as well. ERR_INVALID with line, column and a text as
 * Tempo's clients show it, "parse error at line 1, col 5: syntax error: unexpected ..."; ERR_TOO_LARGE when the arena
 * is used up. */
ErrCode traceql_parse(Str src, Arena *arena, const TraceQl **ret, Err *reterr);
/* The first error with the source line and a caret, for terminals. Nothing when src is fine. */
void traceql_explain_error(Str src, Str file, Buf *out, bool colour);
/* What tag and value lookups send along while a user is typing: the conditions of the (first) spanset filter that are
 * complete, joined by &&; "{ .a = \"x\" && .b = }" gives {.a = "x"}. {} when there is nothing to keep; fails when the
 * arena is used up only. */
ErrCode traceql_parse_partial(Str src, Arena *arena, const TraceQl **ret, Err *reterr);
/* A single field as it stands in URLs and labels: ".x", "span.x", "resource.\"a b\"", "name", "span:name", "x" (any
 * scope). ERR_INVALID. */
ErrCode traceql_parse_attr(Str src, Arena *arena, TqlAttr *ret, Err *reterr);

/* Canonical text; parsing it gives an equal tree. */
void traceql_print(Buf *out, const TraceQl *q);
void traceql_print_pipeline(Buf *out, const TqlPipeline *p);
void traceql_print_expr(Buf *out, const TqlExpr *e);
void traceql_print_attr(Buf *out, const TqlAttr *a);   /* "span.http.status_code", "name": also as label of by() */
void traceql_print_value(Buf *out, const TqlValue *v); /* as a literal: "\"GET\"", "1.5s", "error", "nil" */
void traceql_put_value(Buf *out, const TqlValue *v);   /* as text: strings bare */
/* Spans of the source left out. */
bool traceql_equal(const TraceQl *a, const TraceQl *b);
bool traceql_attr_equal(const TqlAttr *a, const TqlAttr *b);
bool traceql_value_equal(const TqlValue *a, const TqlValue *b);

/* A hint's value, or NULL. Names are not checked by the parser: unknown hints are left alone. */
const TqlValue *traceql_hint(const TraceQl *q, Str name);

#endif
