#include "base/json_int.h"

#include "base/num.h"

/* --- numbers out of tokens; their text follows the grammar of JSON --- */

/* Clamped far beyond anything that still fits a word. */
static bool exponent_of(Str s, int64_t *ret) {
    bool negative = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) s = str_skip(s, 1);
    int64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)(s.p[i] - '0') > 9) return false;
        if (v < INT64_C(1) << 50) v = v * 10 + (s.p[i] - '0');
    }
    *ret = negative ? -v : v;
    return s.n > 0;
}

/* Integral value of a JSON number written with a point or exponent ("1.0", "12e3"); exact or false. */
static bool integral_u64(Str s, uint64_t *ret, bool *ret_negative) {
    *ret_negative = s.n && s.p[0] == '-';
    if (*ret_negative) s = str_skip(s, 1);
    int64_t exp10 = 0;
    size_t e = 0;
    while (e < s.n && (s.p[e] | 0x20) != 'e') e++;
    if (e < s.n && !exponent_of(str_skip(s, e + 1), &exp10)) return false;
    s = str_slice(s, 0, e);
    size_t point = str_find_char(s, '.');
    size_t last = s.n; /* behind the last digit that is not 0 */
    while (last > 0 && (s.p[last - 1] == '0' || s.p[last - 1] == '.')) last--;
    uint64_t v = 0;
    int64_t scale = exp10 + (int64_t)(point == SIZE_MAX ? s.n : point);
    for (size_t i = 0; i < last; i++) {
        if (s.p[i] == '.') continue;
        unsigned d = (unsigned)(unsigned char)s.p[i] - '0';
        if (d > 9) return false;
        if (--scale < 0 && d) return false; /* a digit behind the point */
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, d, &v)) return false;
    }
    for (; v != 0 && scale > 0; scale--)
        if (__builtin_mul_overflow(v, 10, &v)) return false;
    *ret = v;
    return true;
}

static bool text_i64(Str s, int64_t *ret) {
    if (LIKELY(num_parse_i64(s, ret))) return true;
    uint64_t v;
    bool negative;
    if (!integral_u64(s, &v, &negative) || v > (uint64_t)INT64_MAX + negative) return false;
    *ret = (int64_t)(negative ? 0 - v : v);
    return true;
}

static bool text_f64(Str s, double *ret) { return num_parse_f64(s, ret) && __builtin_isfinite(*ret); }

/* A number, or a string that holds exactly one. */
static bool is_numeric(const JsonReader *r) {
    if (LIKELY(r->token == JSON_NUMBER)) return true;
    const char *problem;
    return r->token == JSON_STRING && json_scan_number(r->text, 0, &problem) == r->text.n && !problem;
}

bool json_token_i64(const JsonReader *r, int64_t *ret) { return is_numeric(r) && text_i64(r->text, ret); }

bool json_token_u64(const JsonReader *r, uint64_t *ret) {
    if (!is_numeric(r)) return false;
    if (LIKELY(num_parse_u64(r->text, ret))) return true;
    bool negative;
    uint64_t v;
    if (!integral_u64(r->text, &v, &negative) || (negative && v != 0)) return false;
    *ret = v;
    return true;
}

bool json_token_f64(const JsonReader *r, double *ret) {
    if (LIKELY(is_numeric(r))) return text_f64(r->text, ret);
    if (r->token != JSON_STRING) return false;
    bool word = str_eq_lit(r->text, "NaN") || str_eq_lit(r->text, "Infinity") || str_eq_lit(r->text, "-Infinity");
    return word && num_parse_f64(r->text, ret);
}

/* --- tree --- */

static JsonKind kind_of(JsonToken t) {
    switch (t) {
    case JSON_OBJECT_BEGIN: return JSON_K_OBJECT;
    case JSON_ARRAY_BEGIN: return JSON_K_ARRAY;
    case JSON_STRING: return JSON_K_STRING;
    case JSON_NUMBER: return JSON_K_NUMBER;
    case JSON_NULL: return JSON_K_NULL;
    default: return JSON_K_BOOL;
    }
}

typedef struct TreeBuilder {
    JsonReader r;
    JsonValue *open[JSON_DEPTH_MAX], **tail[JSON_DEPTH_MAX]; /* container and where its next child goes */
    JsonValue *root;
    Str key;
} TreeBuilder;

/* A new node at its place in the tree, or NULL when the arena is used up. `depth` containers were open before. */
static JsonValue *add_node(TreeBuilder *b, JsonToken t, unsigned depth, size_t pos) {
    JsonValue *v = ARENA_NEW(b->r.arena, JsonValue);
    if (!v) return NULL;
    v->kind = kind_of(t);
    v->boolean = t == JSON_TRUE;
    v->pos = pos;
    if (t == JSON_STRING || t == JSON_NUMBER) v->text = b->r.text;
    if (depth == 0) {
        b->root = v;
    } else {
        JsonValue *parent = b->open[depth - 1];
        if (parent->kind == JSON_K_OBJECT) v->key = b->key;
        *b->tail[depth - 1] = v;
        b->tail[depth - 1] = &v->next;
        parent->n++;
    }
    if (t == JSON_OBJECT_BEGIN || t == JSON_ARRAY_BEGIN) {
        b->open[depth] = v;
        b->tail[depth] = &v->first;
    }
    return v;
}

/* Where the token that was just read starts, seen from its end. */
static size_t token_start(const JsonReader *r, JsonToken t, size_t before) {
    if (t == JSON_OBJECT_BEGIN || t == JSON_ARRAY_BEGIN) return r->pos - 1;
    if (t != JSON_STRING) return r->pos - r->text.n;
    /* Between two tokens there is only white space and perhaps a comma. */
    while (r->input.p[before] != '"') before++;
    return before;
}

ErrCode json_parse(Str input, Arena *arena, JsonValue **ret, Err *reterr) {
    TreeBuilder b;
    b.root = NULL;
    b.key = STR_NULL;
    json_reader_init(&b.r, input, arena, 0);
    for (;;) {
        unsigned depth = b.r.depth;
        size_t before = b.r.pos;
        JsonToken t = json_next(&b.r);
        if (t == JSON_END) break;
        if (t == JSON_ERROR) {
            if (reterr) *reterr = b.r.err;
            return b.r.err.code;
        }
        if (t == JSON_OBJECT_END || t == JSON_ARRAY_END) continue;
        if (t == JSON_KEY)
            b.key = b.r.text;
        else if (!add_node(&b, t, depth, token_start(&b.r, t, before)))
            return err_set(reterr, ERR_TOO_LARGE, "JSON document exceeds the memory limit");
    }
    ASSERT(b.root);
    *ret = b.root;
    return OK;
}

const JsonValue *json_get(const JsonValue *object, Str key) {
    if (!object || object->kind != JSON_K_OBJECT) return NULL;
    const JsonValue *found = NULL;
    for (const JsonValue *v = object->first; v; v = v->next)
        if (str_eq(v->key, key)) found = v;
    return found;
}

Str json_get_str(const JsonValue *object, Str key) {
    const JsonValue *v = json_get(object, key);
    return v && v->kind == JSON_K_STRING ? v->text : STR_NULL;
}

bool json_get_i64(const JsonValue *object, Str key, int64_t *ret) {
    const JsonValue *v = json_get(object, key);
    return v && v->kind == JSON_K_NUMBER && text_i64(v->text, ret);
}

bool json_get_f64(const JsonValue *object, Str key, double *ret) {
    const JsonValue *v = json_get(object, key);
    return v && v->kind == JSON_K_NUMBER && text_f64(v->text, ret);
}
