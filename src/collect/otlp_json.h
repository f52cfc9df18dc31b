/* otlp_json.h - OTLP/JSON rewritten as OTLP/protobuf, so that both encodings are decoded by one decoder.
 *
 * Rules (OTLP specification, JSON Protobuf Encoding): lowerCamelCase keys (snake_case is taken, too), unknown keys
 * ignored, trace and span ids in hex of any case, other bytes in base64, 64-bit integers as numbers or strings, enums
 * as integers (their names are taken, too), NaN and infinities as strings. */
#ifndef MEERKAT_COLLECT_OTLP_JSON_H
#define MEERKAT_COLLECT_OTLP_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

typedef enum OtlpRequest { OTLP_REQUEST_TRACES, OTLP_REQUEST_METRICS, OTLP_REQUEST_LOGS } OtlpRequest;

/* Appends the protobuf form of the Export...ServiceRequest to out. Errors carry line and column. arena: for strings
 * with escapes and scratch. */
ErrCode otlp_json_to_proto(OtlpRequest kind, Str json, Arena *arena, Buf *out, Err *reterr);

#endif
