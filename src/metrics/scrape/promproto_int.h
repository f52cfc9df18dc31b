/* promproto_int.h - the parser's state, and its half for histograms. */
#ifndef MEERKAT_METRICS_SCRAPE_PROMPROTO_INT_H
#define MEERKAT_METRICS_SCRAPE_PROMPROTO_INT_H

#include "codec/proto.h"
#include "metrics/scrape/promproto.h"

typedef struct ProtoParser {
    PromProtoOptions opts;
    const PromTextVisitor *visitor;
    Arena *arena;
    Err *reterr;
    Str name; /* of the family */
    MetricType type;
    VEC(PromTextLabel) labels; /* of the metric */
    bool has_t, native;        /* the histogram was given out as a native one */
    int64_t t_ms, start_ms;
    Buf raw;
} ProtoParser;

/* As proto_next, but a field that is known and has another wire type is an error, as it is for generated decoders.
 * wires: of fields 1, 2, ...: v varint, d 64 bits, b bytes; V, D: alone or packed. */
bool promproto_next(ProtoReader *r, const char *wires, ProtoField *f);
ErrCode promproto_fail(ProtoParser *x, const char *what);
ErrCode promproto_exhausted(ProtoParser *x);
/* *ret_usable: its labels are text, none stands there twice. */
ErrCode promproto_exemplar(ProtoParser *x, Str bytes, Exemplar *ret, bool *ret_has_t, bool *ret_usable);
ErrCode promproto_time(ProtoParser *x, Str bytes, int64_t *ret_ms);
/* The metric's series name + suffix, with one more label in canonical float form in the second. */
ErrCode promproto_emit(ProtoParser *x, PromTextSample *s, const char *suffix);
ErrCode promproto_emit_with(ProtoParser *x, PromTextSample *s, const char *suffix, const char *label, double value);
ErrCode promproto_histogram(ProtoParser *x, Str bytes);

#endif
