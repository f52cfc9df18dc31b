/* json.h - JSON for the wire: a pull reader over bytes, an optional tree in an arena, a writer.
 *
 * The reader accepts exactly RFC 8259 (JSONTestSuite's y_ and n_ cases), limits depth, keeps integers
 * exact (numbers are handed out as text with a kind) and reports line and column. Input must be UTF-8;
 * lone surrogate escapes decode to U+FFFD. Strings without escapes are slices of the input. */
#ifndef MEERKAT_BASE_JSON_H
#define MEERKAT_BASE_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define JSON_DEPTH_MAX 128

typedef enum JsonToken {
    JSON_ERROR, /* r->err says what; stays */
    JSON_END,   /* the whole input was one value and is used up */
    JSON_OBJECT_BEGIN,
    JSON_OBJECT_END,
    JSON_ARRAY_BEGIN,
    JSON_ARRAY_END,
    JSON_KEY,    /* r->text: decoded key; the value's token comes next */
    JSON_STRING, /* r->text: decoded */
    JSON_NUMBER, /* r->text: as written; json_token_i64 and friends read it */
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
} JsonToken;

typedef struct JsonReader {
    Str input;
    size_t pos;
    Arena *arena; /* for strings with escapes */
    unsigned depth, depth_max;
    uint8_t stack[JSON_DEPTH_MAX]; /* '{' or '[' */
    uint8_t state;                 /* private */
    bool skipping;                 /* private: strings are checked, not decoded */
    JsonToken token;
    Str text;
    Err err;
} JsonReader;

void json_reader_init(JsonReader *r, Str input, Arena *arena, unsigned depth_max /* 0: JSON_DEPTH_MAX */);
JsonToken json_next(JsonReader *r);
/* After a KEY or inside an array: skips the whole next value. After json_next returned a BEGIN token,
 * json_skip_open consumes up to its matching END. */
void json_skip(JsonReader *r);
void json_skip_open(JsonReader *r);
/* For tokens NUMBER and STRING (OTLP/JSON writes 64-bit integers as strings); exact, else false. */
ATTR_MUST bool json_token_i64(const JsonReader *r, int64_t *ret);
ATTR_MUST bool json_token_u64(const JsonReader *r, uint64_t *ret);
ATTR_MUST bool json_token_f64(const JsonReader *r, double *ret); /* also "NaN", "Infinity", "-Infinity" as strings */

/* --- tree, for small documents (configs, dashboards, tests) --- */
typedef enum JsonKind { JSON_K_NULL, JSON_K_BOOL, JSON_K_NUMBER, JSON_K_STRING, JSON_K_ARRAY, JSON_K_OBJECT } JsonKind;
typedef struct JsonValue JsonValue;
struct JsonValue {
    JsonKind kind;
    bool boolean;
    Str text;                /* STRING: decoded; NUMBER: as written */
    Str key;                 /* when it is a member of an object */
    size_t n;                /* ARRAY, OBJECT */
    JsonValue *first, *next; /* children in order; sibling */
    size_t pos;              /* byte offset in the input */
};
/* Whole document into *ret. Duplicate keys: the last one wins in json_get. */
ErrCode json_parse(Str input, Arena *arena, JsonValue **ret, Err *reterr);
const JsonValue *json_get(const JsonValue *object, Str key); /* NULL when absent or not an object */
Str json_get_str(const JsonValue *object, Str key);          /* STR_NULL when absent or not a string */
bool json_get_i64(const JsonValue *object, Str key, int64_t *ret);
bool json_get_f64(const JsonValue *object, Str key, double *ret);

/* --- writer: commas and nesting are its business. How deep it goes is the caller's: there is no limit here --- */
typedef struct JsonWriter {
    Buf *out;
    unsigned depth;
    bool has_item; /* the innermost open object or array; an outer one has the inner one */
    bool after_key;
} JsonWriter;

static inline JsonWriter json_writer(Buf *out) { return (JsonWriter){.out = out}; }
void json_begin_object(JsonWriter *w);
void json_end_object(JsonWriter *w);
void json_begin_array(JsonWriter *w);
void json_end_array(JsonWriter *w);
void json_key(JsonWriter *w, Str key);
#define json_key_lit(w, lit) json_key((w), STR(lit))
void json_str(JsonWriter *w, Str s); /* invalid UTF-8 becomes U+FFFD; <, >, & are written as they are */
void json_i64(JsonWriter *w, int64_t v);
void json_u64(JsonWriter *w, uint64_t v);
void json_f64(JsonWriter *w, double v); /* NaN and infinities become null */
void json_bool(JsonWriter *w, bool v);
void json_null(JsonWriter *w);
void json_raw(JsonWriter *w, Str text); /* text is one valid JSON value */
void json_put_string(Buf *out, Str s);  /* a quoted string on its own */
/* A member with its key. */
void json_pair_str(JsonWriter *w, const char *key, Str v);
void json_pair_u64(JsonWriter *w, const char *key, uint64_t v);
void json_pair_i64(JsonWriter *w, const char *key, int64_t v);
void json_pair_bool(JsonWriter *w, const char *key, bool v);
void json_value(JsonWriter *w, const JsonValue *v); /* a tree as it was read */

#endif
