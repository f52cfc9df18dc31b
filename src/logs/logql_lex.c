#include "logs/logql_lex.h"

#include "base/num.h"
#include "base/timefmt.h"

#include <math.h>

const char *const lq_range_names[LQ_RANGE_OPS] = {"count_over_time", "rate", "bytes_over_time", "bytes_rate",
    "absent_over_time", "rate_counter", "sum_over_time", "avg_over_time", "min_over_time", "max_over_time",
    "first_over_time", "last_over_time", "stddev_over_time", "stdvar_over_time", "quantile_over_time"};
const char *const lq_agg_names[LQ_AGG_OPS] = {
    "sum", "avg", "min", "max", "count", "stddev", "stdvar", "topk", "bottomk", "sort", "sort_desc"};
const char *const lq_bin_names[LQ_BIN_OPS] = {
    "or", "and", "unless", "==", "!=", ">", ">=", "<", "<=", "+", "-", "*", "/", "%", "^"};
const char *const lq_line_names[6] = {"|=", "!=", "|~", "!~", "|>", "!>"};
const char *const lq_cmp_names[6] = {"==", "!=", ">", ">=", "<", "<="};

static const char *const reserved[] = {"by", "without", "bool", "on", "ignoring", "group_left", "group_right", "or",
    "and", "unless", "json", "logfmt", "regexp", "pattern", "unpack", "unwrap", "offset", "line_format", "label_format",
    "decolorize", "drop", "keep"};
static const char *const other_functions[] = {
    "label_replace", "vector", "approx_topk", "ip", "bytes", "duration", "duration_seconds"};

static int find_name(const char *const *names, size_t n, Str s) {
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(str_cstr(names[i]), s)) return (int)i;
    return -1;
}

int lq_range_op_of(Str name) { return find_name(lq_range_names, LQ_RANGE_OPS, name); }
int lq_agg_op_of(Str name) { return find_name(lq_agg_names, LQ_AGG_OPS, name); }

double lq_apply(LqBinOp op, double a, double b) {
    switch (op) {
    case LQ_BIN_EQ: return a == b;
    case LQ_BIN_NEQ: return a != b;
    case LQ_BIN_GT: return a > b;
    case LQ_BIN_GE: return a >= b;
    case LQ_BIN_LT: return a < b;
    case LQ_BIN_LE: return a <= b;
    case LQ_ADD: return a + b;
    case LQ_SUB: return a - b;
    case LQ_MUL: return a * b;
    case LQ_DIV: return b == 0 ? (double)NAN : a / b;
    case LQ_MOD: return b == 0 ? (double)NAN : fmod(a, b);
    case LQ_POW: return pow(a, b);
    case LQ_OR:
    case LQ_AND:
    case LQ_UNLESS:
    case LQ_BIN_OPS: break;
    }
    UNREACHABLE();
}

bool lq_parse_bytes(Str s, double *ret) {
    static const struct {
        const char *unit;
        double factor;
    } units[] = {{"b", 1}, {"kb", 1e3}, {"k", 1e3}, {"mb", 1e6}, {"m", 1e6}, {"gb", 1e9}, {"g", 1e9}, {"tb", 1e12},
        {"t", 1e12}, {"pb", 1e15}, {"p", 1e15}, {"kib", 1024.0}, {"ki", 1024.0}, {"mib", 1048576.0}, {"mi", 1048576.0},
        {"gib", 1073741824.0}, {"gi", 1073741824.0}, {"tib", 1099511627776.0}, {"ti", 1099511627776.0},
        {"pib", 1125899906842624.0}, {"pi", 1125899906842624.0}};
    size_t n = 0;
    while (n < s.n && ((s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == '.')) n++;
    double v;
    if (n == 0 || !num_parse_f64(str_slice(s, 0, n), &v)) return false;
    Str unit = str_trim(str_skip(s, n));
    if (unit.n == 0) {
        *ret = v;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_eq_nocase(unit, str_cstr(units[i].unit))) {
            *ret = floor(v * units[i].factor);
            return true;
        }
    return false;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_number_char(char c) {
    return is_digit(c) || c == '.' || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80);
}

/* Duration first, then bytes, then number; a bare number has no unit. */
static LqToken lex_number(Str src, size_t pos, LqToken t) {
    size_t end = pos;
    while (end < src.n && is_number_char(src.p[end])) {
        bool exponent = (src.p[end] == 'e' || src.p[end] == 'E') && end + 2 < src.n &&
                        (src.p[end + 1] == '-' || src.p[end + 1] == '+') && is_digit(src.p[end + 2]);
        end += exponent ? 2 : 1;
    }
    t.text = str_slice(src, pos, end);
    t.span.end = (uint32_t)end;
    if (num_parse_f64(t.text, &t.number))
        t.kind = LQ_T_NUMBER;
    else if (duration_parse_any(t.text, &t.ns))
        t.kind = LQ_T_DURATION;
    else if (lq_parse_bytes(t.text, &t.number))
        t.kind = LQ_T_BYTES;
    else {
        t.kind = LQ_T_BAD;
        t.error = "malformed number";
    }
    return t;
}

static LqToken lex_range(Str src, size_t pos, LqToken t) {
    size_t close = str_find_char(str_skip(src, pos), ']');
    t.kind = LQ_T_BAD;
    if (close == SIZE_MAX) {
        t.error = "missing closing ']' in duration";
        t.span.end = (uint32_t)src.n;
        return t;
    }
    t.text = str_slice(src, pos + 1, pos + close);
    t.span.end = (uint32_t)(pos + close + 1);
    t.error = "range";
    if (duration_parse_any(t.text, &t.ns) && t.ns > 0) t.kind = LQ_T_RANGE;
    return t;
}

static LqToken lex_word(Str src, size_t pos, size_t end, LqToken t) {
    t.text = str_slice(src, pos, end);
    t.span.end = (uint32_t)end;
    t.kind = LQ_T_IDENT;
    if (find_name(reserved, ARRAY_LEN(reserved), t.text) >= 0) {
        t.kind = LQ_T_WORD;
        return t;
    }
    bool function = lq_range_op_of(t.text) >= 0 || lq_agg_op_of(t.text) >= 0 ||
                    find_name(other_functions, ARRAY_LEN(other_functions), t.text) >= 0;
    if (!function) return t;
    size_t next = lang_skip_blank(src, end, true, false);
    if (next < src.n && src.p[next] == '(') t.kind = LQ_T_FUNC;
    size_t word_end = lang_scan_ident(src, next, 0);
    Str word = str_slice(src, next, word_end);
    if (str_eq_nocase(word, STR("by")) || str_eq_nocase(word, STR("without"))) {
        size_t paren = lang_skip_blank(src, word_end, true, false);
        if (paren < src.n && src.p[paren] == '(') t.kind = LQ_T_FUNC;
    }
    return t;
}

static const char *const puncts[] = {"|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=", "{", "}", "(", ")",
    ",", "=", "|", ">", "<", "+", "-", "*", "/", "%", "^", "."};

static LqToken lex_punct(Str src, size_t pos, LqToken t) {
    Str rest = str_skip(src, pos);
    if (str_starts_with(rest, STR("--"))) {
        size_t end = lang_scan_ident(src, pos + 2, LANG_IDENT_DASH);
        if (end > pos + 2) {
            t.kind = LQ_T_FLAG;
            t.text = str_slice(src, pos, end);
            t.span.end = (uint32_t)end;
            return t;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(puncts); i++) {
        Str p = str_cstr(puncts[i]);
        if (!str_starts_with(rest, p)) continue;
        t.kind = LQ_T_PUNCT;
        t.text = str_slice(src, pos, pos + p.n);
        t.span.end = (uint32_t)(pos + p.n);
        return t;
    }
    size_t len;
    (void)lang_rune_at(src, pos, &len);
    t.kind = LQ_T_BAD;
    t.text = str_slice(src, pos, pos + len);
    t.span.end = (uint32_t)(pos + len);
    return t;
}

LqToken lq_lex(Str src, size_t pos) {
    pos = lang_skip_blank(src, pos, true, false);
    LqToken t = {.span = {(uint32_t)pos, (uint32_t)pos}};
    if (pos >= src.n) return t;
    char c = src.p[pos];
    if (c == '"' || c == '`') {
        size_t end;
        LangStringStatus st = lang_scan_string(src, pos, &end);
        t.kind = st == LANG_STRING_OK ? LQ_T_STRING : LQ_T_BAD;
        t.error = st == LANG_STRING_UNTERMINATED ? "literal not terminated" : "invalid char escape";
        t.text = str_slice(src, pos, end);
        t.span.end = (uint32_t)MAX(end, pos + 1);
        return t;
    }
    if (c == '[') return lex_range(src, pos, t);
    if (is_digit(c) || (c == '.' && pos + 1 < src.n && is_digit(src.p[pos + 1]))) return lex_number(src, pos, t);
    size_t end = lang_scan_ident(src, pos, 0);
    if (end > pos) return lex_word(src, pos, end, t);
    return lex_punct(src, pos, t);
}
