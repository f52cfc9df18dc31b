/* otlp_int.h - what the three OTLP decoders share; private to room collect. */
#ifndef MEERKAT_COLLECT_OTLP_INT_H
#define MEERKAT_COLLECT_OTLP_INT_H

#include "codec/proto.h"
#include "collect/otlp_decode.h"
#include "collect/otlp_names.h"

/* State of one decode. Functions give false when the request as a whole is refused; then code and *err are set. */
typedef struct OtlpReader {
    Arena *arena;
    AttrPool *attrs;
    OtlpRejects *rejects;
    Err *err;
    ErrCode code;
    Buf scratch; /* for JSON text of nested values */
    OtlpNameCache names;
    bool repeats;        /* keys that come twice stay twice */
    const char *problem; /* why the record at hand must be refused, NULL: it is fine */
} OtlpReader;

/* Sets problem to text of the arena, unless there is one. */
void otlp_problem(OtlpReader *r, const char *fmt, ...) ATTR_PRINTF(2, 3);
bool otlp_fail(OtlpReader *r, ErrCode code, const char *what);
/* To be called where proto_next gave false: true at an ordinary end. */
bool otlp_end(OtlpReader *r, const ProtoReader *p);
/* A push that did not fit the arena. */
bool otlp_full(OtlpReader *r);
/* The field's bytes; notes a problem when they are not UTF-8. */
Str otlp_text(OtlpReader *r, const ProtoField *f);
/* Counts the record at hand as refused when a problem was noted, and clears the problem. true: it was refused. */
bool otlp_rejected(OtlpReader *r, uint64_t records);

/* Appends one KeyValue message to r->attrs. A repeated key replaces the value in [first, n), unless r->repeats. */
bool otlp_key_value(OtlpReader *r, Str message, size_t first);
/* A KeyValue as nearly everybody writes it: a short key, then one short value of a plain type, nothing else. false: it
 * is something else, or its text is not UTF-8. The key is not checked. */
bool otlp_simple_key_value(Str message, Attr *ret);
bool otlp_any_value(OtlpReader *r, Str message, AttrValue *ret);
bool otlp_resource(OtlpReader *r, Str message, Resource *ret);
bool otlp_scope(OtlpReader *r, Str message, Scope *ret);

/* The three requests have one shape: ResourceX{resource = 1, scope_x = 2, schema_url = 3},
 * ScopeX{scope = 1, records = 2, schema_url = 3}. Resource and scope are handed over before their records,
 * wherever they stand on the wire. bad: a problem of the resource or scope that refuses each of its records. */
typedef struct OtlpVisitor {
    bool (*resource)(void *ctx, const Resource *resource);
    bool (*scope)(void *ctx, const Scope *scope);
    bool (*record)(void *ctx, Str message);
    bool (*resource_end)(void *ctx); /* may be NULL */
    void *ctx;
} OtlpVisitor;
bool otlp_walk(OtlpReader *r, Str request, const OtlpVisitor *v);

/* trace_id / span_id fields: right length and not all zero, else false. */
bool otlp_trace_id(Str bytes, TraceId *ret);
bool otlp_span_id(Str bytes, SpanId *ret);

#endif
