#include "base/json_int.h"
#include "base/num.h"

/* Comma when one is due, and note that this level has an item now. */
static inline void before_value(JsonWriter *w) {
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->has_item) buf_put_char(w->out, ',');
    w->has_item = true;
}

static void begin(JsonWriter *w, char bracket) {
    before_value(w);
    buf_put_char(w->out, bracket);
    w->depth++;
    w->has_item = false;
}

static void end(JsonWriter *w, char bracket) {
    ASSERT(w->depth > 0 && !w->after_key);
    w->depth--;
    w->has_item = true;
    buf_put_char(w->out, bracket);
}

void json_begin_object(JsonWriter *w) { begin(w, '{'); }
void json_end_object(JsonWriter *w) { end(w, '}'); }
void json_begin_array(JsonWriter *w) { begin(w, '['); }
void json_end_array(JsonWriter *w) { end(w, ']'); }

void json_key(JsonWriter *w, Str key) {
    ASSERT(!w->after_key);
    before_value(w);
    json_put_string(w->out, key);
    buf_put_char(w->out, ':');
    w->after_key = true;
}

void json_str(JsonWriter *w, Str s) {
    before_value(w);
    json_put_string(w->out, s);
}

void json_i64(JsonWriter *w, int64_t v) {
    before_value(w);
    num_put_i64(w->out, v);
}

void json_u64(JsonWriter *w, uint64_t v) {
    before_value(w);
    num_put_u64(w->out, v);
}

void json_f64(JsonWriter *w, double v) {
    before_value(w);
    if (__builtin_isfinite(v))
        num_put_f64_json(w->out, v);
    else
        buf_put_lit(w->out, "null");
}

void json_bool(JsonWriter *w, bool v) {
    before_value(w);
    buf_put_str(w->out, v ? STR("true") : STR("false"));
}

void json_null(JsonWriter *w) {
    before_value(w);
    buf_put_lit(w->out, "null");
}

void json_raw(JsonWriter *w, Str text) {
    before_value(w);
    buf_put_str(w->out, text);
}

static void put_escape(Buf *out, unsigned char c) {
    static const char short_form[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    char text[6] = {'\\', 'u', '0', '0', (char)('0' + (c >> 4)), "0123456789abcdef"[c & 15]};
    if (c == '"' || c == '\\') {
        text[1] = (char)c;
        buf_put(out, text, 2);
    } else if (short_form[c]) {
        text[1] = short_form[c];
        buf_put(out, text, 2);
    } else {
        buf_put(out, text, 6);
    }
}

/* Text without special characters, foreign bytes replaced one by one. */
static void put_repaired(Buf *out, Str s) {
    while (s.n > 0) {
        size_t step = str_utf8_step(s);
        if (step)
            buf_put(out, s.p, step);
        else
            buf_put_lit(out, "\xEF\xBF\xBD");
        s = str_skip(s, MAX(step, (size_t)1));
    }
}

void json_put_string(Buf *out, Str s) {
    buf_reserve(out, s.n + 2);
    buf_put_char(out, '"');
    while (s.n > 0) {
        bool high = false;
        Str plain = str_of(s.p, json_scan_plain(s.p, s.n, &high));
        if (LIKELY(!high || str_is_utf8(plain)))
            buf_put_str(out, plain);
        else
            put_repaired(out, plain);
        s = str_skip(s, plain.n);
        if (s.n == 0) break;
        put_escape(out, (unsigned char)s.p[0]);
        s = str_skip(s, 1);
    }
    buf_put_char(out, '"');
}

void json_pair_str(JsonWriter *w, const char *key, Str v) {
    json_key(w, str_cstr(key));
    json_str(w, v);
}

void json_pair_u64(JsonWriter *w, const char *key, uint64_t v) {
    json_key(w, str_cstr(key));
    json_u64(w, v);
}

void json_pair_i64(JsonWriter *w, const char *key, int64_t v) {
    json_key(w, str_cstr(key));
    json_i64(w, v);
}

void json_pair_bool(JsonWriter *w, const char *key, bool v) {
    json_key(w, str_cstr(key));
    json_bool(w, v);
}

void json_value(JsonWriter *w, const JsonValue *v) {
    switch (v->kind) {
    case JSON_K_NULL: json_null(w); break;
    case JSON_K_BOOL: json_bool(w, v->boolean); break;
    case JSON_K_NUMBER: json_raw(w, v->text); break;
    case JSON_K_STRING: json_str(w, v->text); break;
    case JSON_K_ARRAY:
        json_begin_array(w);
        for (const JsonValue *i = v->first; i; i = i->next) json_value(w, i);
        json_end_array(w);
        break;
    case JSON_K_OBJECT:
        json_begin_object(w);
        for (const JsonValue *i = v->first; i; i = i->next) json_key(w, i->key), json_value(w, i);
        json_end_object(w);
        break;
    }
}
