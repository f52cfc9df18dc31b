#include "traces/traceql_lex.h"

#include "base/num.h"
#include "base/timefmt.h"

#include <math.h>

const char tql_lex_no_memory[] = "the query needs more memory than it is allowed";

const char *const tql_op_names[TQL_OPS] = {"||", "&&", "=", "!=", "=~", "!~", ">", ">=", "<", "<=", "+", "-", "*", "/",
    "%", "^", "!", "-", ">", "<", ">>", "<<", "~", "!>", "!<", "!>>", "!<<", "!~", "&>", "&<", "&>>", "&<<", "&~"};
const char *const tql_aggregate_names[5] = {"count", "avg", "max", "min", "sum"};
const char *const tql_metrics_names[TQL_M_FUNCS] = {"rate", "count_over_time", "min_over_time", "max_over_time",
    "avg_over_time", "sum_over_time", "quantile_over_time", "histogram_over_time", "compare"};
const char *const tql_scope_names[TQL_SCOPES] = {"", "span", "resource", "event", "link", "instrumentation"};

static const struct {
    const char *plain, *scope, *scoped; /* the plain form is how it prints, where there is one */
    TqlIntrinsic intrinsic;
} intrinsics[] = {
    {"duration", "span", "duration", TQL_DURATION_NS},
    {"name", "span", "name", TQL_NAME},
    {"status", "span", "status", TQL_STATUS_CODE},
    {"statusMessage", "span", "statusMessage", TQL_STATUS_MESSAGE},
    {"kind", "span", "kind", TQL_SPAN_KIND},
    {"childCount", "span", "childCount", TQL_CHILD_COUNT},
    {"parent", NULL, NULL, TQL_PARENT_SPAN},
    {NULL, "span", "id", TQL_SPAN_ID},
    {NULL, "span", "parentID", TQL_SPAN_PARENT_ID},
    {"nestedSetLeft", NULL, NULL, TQL_NESTED_SET_LEFT},
    {"nestedSetRight", NULL, NULL, TQL_NESTED_SET_RIGHT},
    {"nestedSetParent", NULL, NULL, TQL_NESTED_SET_PARENT},
    {"traceDuration", "trace", "duration", TQL_TRACE_DURATION},
    {"rootName", "trace", "rootName", TQL_TRACE_ROOT_NAME},
    {"rootServiceName", "trace", "rootService", TQL_TRACE_ROOT_SERVICE},
    {NULL, "trace", "id", TQL_TRACE_ID},
    {NULL, "event", "name", TQL_EVENT_NAME},
    {NULL, "event", "timeSinceStart", TQL_EVENT_TIME_SINCE_START},
    {NULL, "link", "traceID", TQL_LINK_TRACE_ID},
    {NULL, "link", "spanID", TQL_LINK_SPAN_ID},
    {NULL, "instrumentation", "name", TQL_INSTRUMENTATION_NAME},
    {NULL, "instrumentation", "version", TQL_INSTRUMENTATION_VERSION},
};

TqlIntrinsic tql_intrinsic_of(Str word) {
    for (size_t i = 0; i < ARRAY_LEN(intrinsics); i++) {
        if (intrinsics[i].plain && str_eq(word, str_cstr(intrinsics[i].plain))) return intrinsics[i].intrinsic;
    }
    return TQL_NOT_INTRINSIC;
}

TqlIntrinsic tql_scoped_intrinsic_of(Str scope, Str word) {
    for (size_t i = 0; i < ARRAY_LEN(intrinsics); i++) {
        if (intrinsics[i].scope && str_eq(scope, str_cstr(intrinsics[i].scope)) &&
            str_eq(word, str_cstr(intrinsics[i].scoped))) {
            return intrinsics[i].intrinsic;
        }
    }
    return TQL_NOT_INTRINSIC;
}

const char *tql_intrinsic_name(TqlIntrinsic wanted) {
    static const char *const scoped[TQL_INTRINSICS] = {
        [TQL_SPAN_ID] = "span:id",
        [TQL_SPAN_PARENT_ID] = "span:parentID",
        [TQL_TRACE_ID] = "trace:id",
        [TQL_EVENT_NAME] = "event:name",
        [TQL_EVENT_TIME_SINCE_START] = "event:timeSinceStart",
        [TQL_LINK_TRACE_ID] = "link:traceID",
        [TQL_LINK_SPAN_ID] = "link:spanID",
        [TQL_INSTRUMENTATION_NAME] = "instrumentation:name",
        [TQL_INSTRUMENTATION_VERSION] = "instrumentation:version",
    };
    for (size_t i = 0; i < ARRAY_LEN(intrinsics); i++) {
        if (intrinsics[i].intrinsic != wanted) continue;
        return intrinsics[i].plain ? intrinsics[i].plain : scoped[wanted];
    }
    UNREACHABLE();
}

/* --- characters --- */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static char at(Str s, size_t i) { return i < s.n ? s.p[i] : '\0'; }

/* What may stand in an attribute's name without quotes: nearly everything, so that http.header.x-y/z is one. */
static bool is_name_char(char c) { return !is_blank(c) && !strchr("{}()=~!<>&|^,\"", c); }

bool tql_name_is_plain(Str name) {
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '\0' || !is_name_char(name.p[i])) return false;
    }
    return name.n > 0 && str_is_utf8(name);
}

static TqlToken finish(TqlToken t, Str src, size_t end) {
    t.span.end = (uint32_t)end;
    t.text = str_slice(src, t.span.start, end);
    return t;
}

static TqlToken bad(TqlToken t, Str src, size_t end, const char *error) {
    t.kind = TQL_T_BAD;
    t.error = error;
    return finish(t, src, end);
}

/* --- attributes --- */

/* The closing quote of a quoted piece that begins at pos, or SIZE_MAX. */
static size_t quote_end(Str src, size_t pos) {
    for (size_t i = pos + 1; i < src.n; i++) {
        if (src.p[i] == '\\')
            i++;
        else if (src.p[i] == '"')
            return i;
    }
    return SIZE_MAX;
}

static const char *check_escapes(Str src, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        if (src.p[i] == '\n') return "newline in quoted attribute name";
        if (src.p[i] != '\\') continue;
        if (src.p[i + 1] != '"' && src.p[i + 1] != '\\')
            return "invalid escape sequence: only \\\" and \\\\ are supported";
        i++;
    }
    return NULL;
}

/* The name's text without quotes and escapes. */
static bool take_name(Str src, size_t from, size_t to, Arena *arena, Str *ret) {
    bool quoted = false;
    for (size_t i = from; i < to; i++) quoted |= src.p[i] == '"';
    if (!quoted) {
        *ret = str_slice(src, from, to);
        return true;
    }
    char *out = arena_alloc(arena, to - from);
    size_t n = 0;
    bool inside = false;
    if (!out) return false;
    for (size_t i = from; i < to; i++) {
        if (src.p[i] == '"') {
            inside = !inside;
        } else {
            if (inside && src.p[i] == '\\') i++;
            out[n++] = src.p[i];
        }
    }
    *ret = str_of(out, n);
    return true;
}

static TqlToken lex_attr(Str src, size_t pos, TqlToken t, Arena *arena) {
    size_t end = pos;
    const char *error = NULL;
    while (!error && end < src.n && (is_name_char(src.p[end]) || src.p[end] == '"')) {
        if (src.p[end] == '\0') break;
        if (src.p[end] != '"') {
            end++;
            continue;
        }
        size_t close = quote_end(src, end);
        if (close == SIZE_MAX) return bad(t, src, src.n, "unexpected EOF, expecting \"");
        error = check_escapes(src, end + 1, close);
        end = close + 1;
    }
    if (error) return bad(t, src, end, error);
    t.kind = TQL_T_ATTR;
    if (!take_name(src, pos, end, arena, &t.attr.name)) return bad(t, src, end, tql_lex_no_memory);
    if (!str_is_utf8(t.attr.name)) return bad(t, src, end, "attribute name is not UTF-8");
    if (t.attr.name.n == 0) return bad(t, src, MAX(end, pos), "unexpected end of attribute, expecting a name");
    return finish(t, src, end);
}

/* "span." and the like at pos: true, and *pos is behind it. */
static bool take_scope(Str src, size_t *pos, TqlScope *ret) {
    for (int s = TQL_SCOPE_SPAN; s < TQL_SCOPES; s++) {
        Str name = str_cstr(tql_scope_names[s]);
        if (str_starts_with(str_skip(src, *pos), name) && at(src, *pos + name.n) == '.') {
            *pos += name.n + 1;
            *ret = (TqlScope)s;
            return true;
        }
    }
    return false;
}

static bool starts_attr(Str src, size_t *pos, TqlAttr *ret) {
    if (at(src, *pos) == '.' && !is_digit(at(src, *pos + 1))) {
        ++*pos;
        return true;
    }
    if (take_scope(src, pos, &ret->scope)) return true;
    if (!str_starts_with(str_skip(src, *pos), STR("parent."))) return false;
    *pos += 7;
    ret->parent = true;
    size_t inner = *pos;
    TqlScope scope;
    if (take_scope(src, &inner, &scope) && (scope == TQL_SCOPE_SPAN || scope == TQL_SCOPE_RESOURCE)) {
        ret->scope = scope;
        *pos = inner;
    }
    return true;
}

/* --- words, numbers --- */

static TqlToken lex_word(Str src, size_t pos, size_t end, TqlToken t) {
    t.kind = TQL_T_WORD;
    if (at(src, end) != ':') return finish(t, src, end);
    size_t last = lang_scan_ident(src, end + 1, 0);
    TqlIntrinsic i = tql_scoped_intrinsic_of(str_slice(src, pos, end), str_slice(src, end + 1, last));
    if (i == TQL_NOT_INTRINSIC) return bad(t, src, last, "unknown intrinsic");
    t.kind = TQL_T_INTRINSIC;
    t.attr.intrinsic = i;
    return finish(t, src, last);
}

static bool is_number_char(char c) {
    return is_digit(c) || c == '.' || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80);
}

static TqlToken lex_number(Str src, size_t pos, TqlToken t) {
    size_t end = pos;
    while (end < src.n && is_number_char(src.p[end])) {
        bool exponent = (src.p[end] == 'e' || src.p[end] == 'E') &&
                        (at(src, end + 1) == '-' || at(src, end + 1) == '+') && is_digit(at(src, end + 2));
        end += exponent ? 2 : 1;
    }
    Str text = str_slice(src, pos, end);
    bool plain = true;
    for (size_t i = 0; i < text.n; i++) plain &= is_digit(text.p[i]);
    if (plain) {
        t.kind = TQL_T_INT;
        t.value.type = TQL_INT;
        if (!num_parse_i64(text, &t.value.i)) return bad(t, src, end, "integer out of range");
    } else if (num_parse_f64(text, &t.value.d)) {
        if (isinf(t.value.d)) return bad(t, src, end, "number out of range");
        t.kind = TQL_T_FLOAT;
        t.value.type = TQL_FLOAT;
    } else if (duration_parse_any(text, &t.value.i)) {
        t.kind = TQL_T_DURATION;
        t.value.type = TQL_DURATION;
    } else {
        return bad(t, src, end, "malformed number or duration");
    }
    return finish(t, src, end);
}

/* --- operators --- */

static const struct {
    Str text;
    TqlOp op;
} puncts[] = {
    /* a longer one before its own prefix */
    {STR_INIT("&>>"), TQL_UNION_DESCENDANT},
    {STR_INIT("&<<"), TQL_UNION_ANCESTOR},
    {STR_INIT("!>>"), TQL_NOT_DESCENDANT},
    {STR_INIT("!<<"), TQL_NOT_ANCESTOR},
    {STR_INIT("&&"), TQL_AND},
    {STR_INIT("||"), TQL_OR},
    {STR_INIT("&>"), TQL_UNION_CHILD},
    {STR_INIT("&<"), TQL_UNION_PARENT},
    {STR_INIT("&~"), TQL_UNION_SIBLING},
    {STR_INIT("!="), TQL_NEQ},
    {STR_INIT("!~"), TQL_NRE}, /* between spansets: NOT_SIBLING */
    {STR_INIT("!>"), TQL_NOT_CHILD},
    {STR_INIT("!<"), TQL_NOT_PARENT},
    {STR_INIT("=~"), TQL_RE},
    {STR_INIT(">="), TQL_GE},
    {STR_INIT("<="), TQL_LE},
    {STR_INIT(">>"), TQL_DESCENDANT},
    {STR_INIT("<<"), TQL_ANCESTOR},
    {STR_INIT("="), TQL_EQ},
    {STR_INIT(">"), TQL_GT},
    {STR_INIT("<"), TQL_LT},
    {STR_INIT("~"), TQL_SIBLING},
    {STR_INIT("+"), TQL_ADD},
    {STR_INIT("-"), TQL_SUB},
    {STR_INIT("*"), TQL_MUL},
    {STR_INIT("/"), TQL_DIV},
    {STR_INIT("%"), TQL_MOD},
    {STR_INIT("^"), TQL_POW},
    {STR_INIT("!"), TQL_NOT},
    {STR_INIT("|"), TQL_OPS},
    {STR_INIT("{"), TQL_OPS},
    {STR_INIT("}"), TQL_OPS},
    {STR_INIT("("), TQL_OPS},
    {STR_INIT(")"), TQL_OPS},
    {STR_INIT(","), TQL_OPS},
};

static TqlToken lex_punct(Str src, size_t pos, TqlToken t) {
    Str rest = str_skip(src, pos);
    for (size_t i = 0; i < ARRAY_LEN(puncts); i++) {
        if (!str_starts_with(rest, puncts[i].text)) continue;
        t.kind = TQL_T_PUNCT;
        t.op = puncts[i].op;
        return finish(t, src, pos + puncts[i].text.n);
    }
    size_t len;
    (void)lang_rune_at(src, pos, &len);
    return bad(t, src, pos + len, NULL);
}

static TqlToken lex_string(Str src, size_t pos, TqlToken t) {
    size_t end;
    t.kind = TQL_T_STRING;
    LangStringStatus status = lang_scan_string(src, pos, &end);
    if (status == LANG_STRING_OK) return finish(t, src, end);
    return bad(t, src, MAX(end, pos + 1),
        status == LANG_STRING_UNTERMINATED || status == LANG_STRING_ESCAPE_OPEN ? "literal not terminated"
                                                                                : "invalid char escape");
}

/* Blanks, // and slash-star comments. One that does not end takes the rest. */
static size_t skip_blank(Str src, size_t pos) {
    for (;;) {
        pos = lang_skip_blank(src, pos, false, true);
        if (at(src, pos) != '/' || at(src, pos + 1) != '*') return pos;
        size_t end = str_find(str_skip(src, pos + 2), STR("*/"));
        pos = end == SIZE_MAX ? src.n : pos + 2 + end + 2;
    }
}

TqlToken tql_lex(Str src, size_t pos, Arena *arena) {
    pos = skip_blank(src, pos);
    TqlToken t = {.kind = TQL_T_END, .span = {(uint32_t)pos, (uint32_t)pos}, .op = TQL_OPS};
    if (pos >= src.n) return t;
    char c = src.p[pos];
    if (c == '"' || c == '`') return lex_string(src, pos, t);
    if (is_digit(c) || (c == '.' && is_digit(at(src, pos + 1)))) return lex_number(src, pos, t);
    size_t name = pos;
    if (starts_attr(src, &name, &t.attr)) return lex_attr(src, name, t, arena);
    size_t end = lang_scan_ident(src, pos, 0);
    return end > pos ? lex_word(src, pos, end, t) : lex_punct(src, pos, t);
}
