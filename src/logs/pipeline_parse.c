#include "logs/pipeline.h"

#include "base/json.h"

Str label_name_sanitize(Str s, Arena *arena) {
    s = str_trim(s);
    if (s.n == 0 || label_name_is_legacy(s)) return s;
    bool digit = s.p[0] >= '0' && s.p[0] <= '9';
    char *out = arena_alloc(arena, s.n + 1);
    if (!out) return STR_NULL;
    size_t n = 0;
    if (digit) out[n++] = '_';
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        out[n++] = good ? c : '_';
    }
    return str_of(out, n);
}

/* --- json --- */

typedef struct JsonParse {
    LqLine *l;
    JsonReader r;
    Str prefix; /* sanitized names of the objects around, joined by _ */
} JsonParse;

static bool is_open(JsonToken t) { return t == JSON_OBJECT_BEGIN; }

static Str joined_name(JsonParse *p, Str prefix, Str key) {
    Str name = label_name_sanitize(key, p->l->scratch);
    if (prefix.n == 0 || !name.p) return name;
    /* Behind a prefix a leading digit needs nothing in front. */
    if (key.n > 0 && key.p[0] >= '0' && key.p[0] <= '9' && name.n > 0) name = str_skip(name, 1);
    return arena_printf(p->l->scratch, "%" STR_FMT "_%" STR_FMT, STR_ARG(prefix), STR_ARG(name));
}

/* Members become labels, nested objects join their names with _, arrays and nulls give none. The reader holds the
 * depth limit. false: malformed. */
static bool json_object(JsonParse *p, Str prefix) {
    for (;;) {
        JsonToken t = json_next(&p->r);
        if (t == JSON_OBJECT_END) return true;
        if (t != JSON_KEY) return false;
        Str name = joined_name(p, prefix, p->r.text);
        if (!name.p) name = STR("_");
        t = json_next(&p->r);
        if (is_open(t)) {
            if (!json_object(p, name)) return false;
            continue;
        }
        switch (t) {
        case JSON_STRING:
        case JSON_NUMBER: line_set(p->l, LQ_L_PARSED, name, p->r.text); break;
        case JSON_TRUE: line_set(p->l, LQ_L_PARSED, name, STR("true")); break;
        case JSON_FALSE: line_set(p->l, LQ_L_PARSED, name, STR("false")); break;
        case JSON_NULL: break;
        case JSON_ARRAY_BEGIN: json_skip_open(&p->r); break;
        default: return false;
        }
        if (p->r.token == JSON_ERROR) return false;
    }
}

void line_parse_json(LqLine *l) {
    JsonParse p = {.l = l};
    Str trimmed = str_trim(l->line);
    if (trimmed.n == 0 || trimmed.p[0] != '{') {
        line_fail(l, STR("JSONParserErr"), STR("Value looks like object, but can't find closing '}' symbol"));
        return;
    }
    size_t before = l->labels.n;
    json_reader_init(&p.r, l->line, l->scratch, 0);
    if (json_next(&p.r) == JSON_OBJECT_BEGIN && json_object(&p, STR_NULL) && json_next(&p.r) == JSON_END) return;
    /* What was read before the fault does not count. */
    for (size_t i = l->labels.n; i-- > before;)
        if (l->labels.v[i].kind == LQ_L_PARSED) l->labels.v[i] = l->labels.v[--l->labels.n];
    line_fail(l, STR("JSONParserErr"), STR("Value looks like object, but can't find closing '}' symbol"));
}

/* --- logfmt --- */

static size_t quoted_end(Str s, size_t i) {
    for (size_t k = i + 1; k < s.n; k++) {
        if (s.p[k] == '\\')
            k++;
        else if (s.p[k] == '"')
            return k + 1;
    }
    return SIZE_MAX;
}

static Str unquote(LqLine *l, Str s) {
    Str inner = str_slice(s, 1, s.n - 1);
    if (str_find_char(inner, '\\') == SIZE_MAX) return inner;
    JsonReader r;
    json_reader_init(&r, s, l->scratch, 0);
    return json_next(&r) == JSON_STRING ? r.text : inner;
}

static void logfmt_put(LqLine *l, Str key, Str value, bool keep_empty) {
    if (value.n == 0 && !keep_empty) return;
    Str name = label_name_sanitize(key, l->scratch);
    if (name.n > 0) line_set(l, LQ_L_PARSED, name, value);
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* key=value, key="quoted", key (empty). false at a place that is none of these. */
static bool logfmt_pair(LqLine *l, size_t *at, bool keep_empty) {
    Str s = l->line;
    size_t i = *at, key = i;
    while (i < s.n && !is_blank(s.p[i]) && s.p[i] != '=' && s.p[i] != '"') i++;
    Str name = str_slice(s, key, i);
    *at = i;
    if (i < s.n && s.p[i] == '"') return false;
    if (i == s.n || s.p[i] != '=') {
        logfmt_put(l, name, STR(""), keep_empty);
        return name.n > 0;
    }
    if (name.n == 0) return false;
    i++;
    if (i < s.n && s.p[i] == '"') {
        size_t end = quoted_end(s, i);
        if (end == SIZE_MAX) return false;
        logfmt_put(l, name, unquote(l, str_slice(s, i, end)), keep_empty);
        *at = end;
        return true;
    }
    size_t value = i;
    while (i < s.n && !is_blank(s.p[i]) && s.p[i] != '"') i++;
    *at = i;
    if (i < s.n && s.p[i] == '"') return false;
    logfmt_put(l, name, str_slice(s, value, i), keep_empty);
    return true;
}

void line_parse_logfmt(LqLine *l, bool strict, bool keep_empty) {
    Str s = l->line;
    for (size_t i = 0; i < s.n;) {
        if (is_blank(s.p[i])) {
            i++;
            continue;
        }
        size_t at = i;
        if (logfmt_pair(l, &at, keep_empty)) {
            i = at;
            continue;
        }
        if (strict) {
            line_fail(l, STR("LogfmtParserErr"),
                arena_printf(l->scratch, "logfmt syntax error at pos %zu : unexpected '\"'", at + 1));
            return;
        }
        for (i = MAX(at, i + 1); i < s.n && !is_blank(s.p[i]);) i++;
    }
}
