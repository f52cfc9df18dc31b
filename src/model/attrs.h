/* attrs.h - typed attributes of resources, scopes, spans and log records.
 *
 * Values are flat: arrays and maps are held as their JSON text (canonical, from the decoder), so a batch
 * has no trees. Keys and strings are slices of the request or of the batch's arena. */
#ifndef MEERKAT_MODEL_ATTRS_H
#define MEERKAT_MODEL_ATTRS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "base/vec.h"

typedef enum AttrType {
    ATTR_EMPTY,
    ATTR_STR,
    ATTR_BOOL,
    ATTR_I64,
    ATTR_F64,
    ATTR_BYTES,
    ATTR_ARRAY,
    ATTR_MAP
} AttrType;

typedef struct AttrValue {
    AttrType type;
    union {
        Str s; /* STR, BYTES; ARRAY, MAP: JSON text (bytes inside as base64 strings) */
        bool b;
        int64_t i;
        double d;
    };
} AttrValue;

typedef struct Attr {
    Str key;
    AttrValue value;
} Attr;
typedef struct AttrRange {
    uint32_t first, n;
} AttrRange; /* into a batch's attribute pool */

const AttrValue *attr_find(const Attr *attrs, size_t n, Str key); /* NULL when absent */
/* As pcommon.Value.AsString: strings as they are, numbers shortest, bytes base64, arrays and maps JSON. */
void attr_put_text(Buf *out, const AttrValue *v);
void attr_put_json(Buf *out, const AttrValue *v);

/* A resource or an instrumentation scope, shared by the rows of a batch. */
typedef struct Resource {
    AttrRange attrs;
    Str schema_url;
    uint32_t dropped_attributes;
} Resource;
typedef struct Scope {
    Str name, version;
    AttrRange attrs;
    Str schema_url;
    uint32_t dropped_attributes;
} Scope;

/* Named so that decoders and copiers can work on any batch's pools. They live in the batch's arena. */
typedef AVEC(Attr) AttrPool;
typedef AVEC(Resource) ResourcePool;
typedef AVEC(Scope) ScopePool;

#endif
