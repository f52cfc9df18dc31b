#include "model/attrs.h"

#include "base/json.h"
#include "base/num.h"

#include <math.h>

const AttrValue *attr_find(const Attr *attrs, size_t n, Str key) {
    for (size_t i = 0; i < n; i++) {
        if (str_eq(attrs[i].key, key)) return &attrs[i].value;
    }
    return NULL;
}

static void put_f64(Buf *out, double d) {
    if (isfinite(d)) {
        num_put_f64_json(out, d);
    } else {
        buf_put_str(out, isnan(d) ? STR("NaN") : d > 0 ? STR("+Inf") : STR("-Inf"));
    }
}

void attr_put_text(Buf *out, const AttrValue *v) {
    switch (v->type) {
    case ATTR_EMPTY: return;
    case ATTR_STR:
    case ATTR_ARRAY:
    case ATTR_MAP: buf_put_str(out, v->s); return;
    case ATTR_BOOL: buf_put_str(out, v->b ? STR("true") : STR("false")); return;
    case ATTR_I64: num_put_i64(out, v->i); return;
    case ATTR_F64: put_f64(out, v->d); return;
    case ATTR_BYTES: num_put_base64(out, v->s.p, v->s.n); return;
    }
    UNREACHABLE();
}

void attr_put_json(Buf *out, const AttrValue *v) {
    JsonWriter w = json_writer(out);
    switch (v->type) {
    case ATTR_EMPTY: json_null(&w); return;
    case ATTR_STR: json_str(&w, v->s); return;
    case ATTR_BOOL: json_bool(&w, v->b); return;
    case ATTR_I64: json_i64(&w, v->i); return;
    case ATTR_F64:
        if (isfinite(v->d)) {
            json_f64(&w, v->d);
        } else {
            json_str(&w, isnan(v->d) ? STR("NaN") : v->d > 0 ? STR("Infinity") : STR("-Infinity"));
        }
        return;
    case ATTR_BYTES:
        buf_put_char(out, '"');
        num_put_base64(out, v->s.p, v->s.n);
        buf_put_char(out, '"');
        return;
    case ATTR_ARRAY:
    case ATTR_MAP: json_raw(&w, v->s); return;
    }
    UNREACHABLE();
}
