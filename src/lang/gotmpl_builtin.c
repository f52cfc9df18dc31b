/* gotmpl_builtin.c - the functions every template has. */
#include "lang/gotmpl_int.h"
#include "lang/lexer.h"

#define FAIL(c, ...) err_set((c)->err, ERR_UNPROCESSABLE, __VA_ARGS__)

static ErrCode string_result(GoCall *c, Buf *b, GoValue *ret) {
    Str s = arena_copy(c->arena, buf_str(b));
    buf_done(b);
    if (!s.p) return err_set(c->err, ERR_TOO_LARGE, "result is too large");
    *ret = go_of_str(s);
    return OK;
}

/* --- comparisons --- */

static bool is_basic(GoValue v) { return v.type && v.type->kind <= GO_STRING; }

static bool equal_basic(GoValue a, GoValue b) {
    switch (a.type->kind) {
    case GO_BOOL: return a.b == b.b;
    case GO_INT: return a.i == b.i;
    case GO_UINT: return a.u == b.u;
    case GO_FLOAT: return a.f == b.f;
    default: return str_eq(a.s, b.s);
    }
}

static bool is_nil_value(GoValue v) {
    if (!v.type) return true;
    switch (v.type->kind) {
    case GO_LIST: return !v.list;
    case GO_MAP: return !v.map;
    case GO_FUNC: return !v.func;
    case GO_STRUCT: return v.type->pointer && !v.obj;
    default: return false;
    }
}

/* Lists, maps and functions can be compared with nil only, structs by identity. */
static ErrCode equal_other(GoCall *c, GoValue a, GoValue b, bool *ret) {
    if (a.type && b.type && a.type->kind != b.type->kind)
        return FAIL(c, "non-comparable types: %s, %s", a.type->name, b.type->name);
    if (is_nil_value(a) || is_nil_value(b)) {
        *ret = is_nil_value(a) == is_nil_value(b);
        return OK;
    }
    if (b.type->kind != GO_STRUCT) {
        Buf text = {0};
        go_sprintf(&text, c->arena, STR("%s"), &b, 1);
        FAIL(c, "non-comparable type %.200s: %s", buf_cstr(&text), b.type->name);
        buf_done(&text);
        return ERR_UNPROCESSABLE;
    }
    *ret = a.type == b.type && a.obj == b.obj;
    return OK;
}

static ErrCode equal(GoCall *c, GoValue a, GoValue b, bool *ret) {
    *ret = false;
    bool basic_a = is_basic(a), basic_b = is_basic(b);
    if (!basic_a && !basic_b) return equal_other(c, a, b, ret);
    if (!a.type || !b.type) return OK;
    GoKind ka = a.type->kind, kb = b.type->kind;
    if (basic_a && basic_b && ka == kb)
        *ret = equal_basic(a, b);
    else if (ka == GO_INT && kb == GO_UINT)
        *ret = a.i >= 0 && (uint64_t)a.i == b.u;
    else if (ka == GO_UINT && kb == GO_INT)
        *ret = b.i >= 0 && (uint64_t)b.i == a.u;
    else
        return FAIL(c, "incompatible types for comparison: %s and %s", a.type->name, b.type->name);
    return OK;
}

static ErrCode less(GoCall *c, GoValue a, GoValue b, bool *ret) {
    *ret = false;
    if (!is_basic(a) || !is_basic(b)) return FAIL(c, "invalid type for comparison");
    GoKind ka = a.type->kind, kb = b.type->kind;
    if (ka == GO_INT && kb == GO_UINT)
        *ret = a.i < 0 || (uint64_t)a.i < b.u;
    else if (ka == GO_UINT && kb == GO_INT)
        *ret = b.i >= 0 && a.u < (uint64_t)b.i;
    else if (ka != kb)
        return FAIL(c, "incompatible types for comparison: %s and %s", a.type->name, b.type->name);
    else if (ka == GO_BOOL)
        return FAIL(c, "invalid type for comparison");
    else if (ka == GO_FLOAT)
        *ret = a.f < b.f;
    else if (ka == GO_INT)
        *ret = a.i < b.i;
    else if (ka == GO_UINT)
        *ret = a.u < b.u;
    else
        *ret = str_cmp(a.s, b.s) < 0;
    return OK;
}

static ErrCode fn_eq(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    if (n < 2) return FAIL(c, "missing argument for comparison");
    bool yes = false;
    for (size_t i = 1; i < n && !yes; i++) {
        ErrCode code = equal(c, args[0], args[i], &yes);
        if (code) return code;
    }
    *ret = go_of_bool(yes);
    return OK;
}

static ErrCode fn_ne(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    bool yes;
    ErrCode code = equal(c, args[0], args[1], &yes);
    *ret = go_of_bool(!yes);
    return code;
}

static ErrCode fn_lt(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    bool yes;
    ErrCode code = less(c, args[0], args[1], &yes);
    *ret = go_of_bool(yes);
    return code;
}

static ErrCode less_or_equal(GoCall *c, const GoValue *args, bool *ret) {
    ErrCode code = less(c, args[0], args[1], ret);
    return code || *ret ? code : equal(c, args[0], args[1], ret);
}

static ErrCode fn_le(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    bool yes;
    ErrCode code = less_or_equal(c, args, &yes);
    *ret = go_of_bool(yes);
    return code;
}

static ErrCode fn_gt(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    bool yes;
    ErrCode code = less_or_equal(c, args, &yes);
    *ret = go_of_bool(!yes);
    return code;
}

static ErrCode fn_ge(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    ErrCode code = fn_lt(c, args, n, ret);
    ret->b = !ret->b;
    return code;
}

static ErrCode fn_not(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)c, (void)n;
    *ret = go_of_bool(!go_truth(args[0]));
    return OK;
}

/* --- index, slice, len --- */

static ErrCode index_arg(GoCall *c, GoValue v, size_t cap, size_t *ret) {
    if (!v.type) return FAIL(c, "cannot index slice/array with nil");
    if (v.type->kind != GO_INT && v.type->kind != GO_UINT)
        return FAIL(c, "cannot index slice/array with type %s", v.type->name);
    int64_t x = v.i;
    if (x < 0 || (uint64_t)x > cap) return FAIL(c, "index out of range: %lld", (long long)x);
    *ret = (size_t)x;
    return OK;
}

static ErrCode index_map(GoCall *c, GoValue item, GoValue key, GoValue *ret) {
    if (!key.type) return FAIL(c, "value is nil; should be of type string");
    if (key.type->kind != GO_STRING || key.type != go_string)
        return FAIL(c, "value has type %s; should be string", key.type->name);
    const GoValue *v = go_map_get(item, key.s);
    *ret = v ? *v : go_zero(item.type->elem);
    return OK;
}

static ErrCode fn_index(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    GoValue item = args[0];
    if (!item.type) return FAIL(c, "index of untyped nil");
    for (size_t i = 1; i < n; i++) {
        ErrCode code;
        size_t at = 0;
        if (!item.type) return FAIL(c, "index of nil pointer");
        switch (item.type->kind) {
        case GO_LIST:
        case GO_STRING:
            if ((code = index_arg(c, args[i], go_len(item), &at))) return code;
            if (at == go_len(item))
                return FAIL(c, "reflect: %s index out of range", item.type->kind == GO_LIST ? "slice" : "string");
            item = item.type->kind == GO_LIST ? item.list->v[at]
                                              : (GoValue){.type = go_byte, .u = (unsigned char)item.s.p[at]};
            break;
        case GO_MAP:
            if ((code = index_map(c, item, args[i], &item))) return code;
            break;
        default: return FAIL(c, "can't index item of type %s", item.type->name);
        }
    }
    *ret = item;
    return OK;
}

static ErrCode fn_slice(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    GoValue item = args[0];
    if (!item.type) return FAIL(c, "slice of untyped nil");
    if (n > 4) return FAIL(c, "too many slice indexes: %zu", n - 1);
    if (item.type->kind != GO_STRING && item.type->kind != GO_LIST)
        return FAIL(c, "can't slice item of type %s", item.type->name);
    if (item.type->kind == GO_STRING && n == 4) return FAIL(c, "cannot 3-index slice a string");
    size_t idx[3] = {0, go_len(item), go_len(item)};
    for (size_t i = 1; i < n; i++) {
        ErrCode code = index_arg(c, args[i], go_len(item), &idx[i - 1]);
        if (code) return code;
    }
    if (idx[0] > idx[1]) return FAIL(c, "invalid slice index: %zu > %zu", idx[0], idx[1]);
    if (n == 4 && idx[1] > idx[2]) return FAIL(c, "invalid slice index: %zu > %zu", idx[1], idx[2]);
    if (item.type->kind == GO_STRING)
        *ret = (GoValue){.type = item.type, .s = str_slice(item.s, idx[0], idx[1])};
    else
        *ret = go_of_list(c->arena, item.type, item.list ? item.list->v + idx[0] : NULL, idx[1] - idx[0]);
    return OK;
}

static ErrCode fn_len(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    GoValue v = args[0];
    if (!v.type) return FAIL(c, "len of nil pointer");
    if (v.type->kind != GO_STRING && v.type->kind != GO_LIST && v.type->kind != GO_MAP)
        return FAIL(c, "len of type %s", v.type->name);
    *ret = go_of_int((int64_t)go_len(v));
    return OK;
}

/* --- printing and escaping --- */

static ErrCode fn_print(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    Buf b = {0};
    go_sprint(&b, c->arena, args, n);
    return string_result(c, &b, ret);
}

static ErrCode fn_println(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    Buf b = {0};
    go_sprintln(&b, c->arena, args, n);
    return string_result(c, &b, ret);
}

static ErrCode fn_printf(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    Buf b = {0};
    go_sprintf(&b, c->arena, args[0].s, args + 1, n - 1);
    return string_result(c, &b, ret);
}

void gotmpl_eval_args(Buf *out, Arena *arena, const GoValue *args, size_t n) {
    GoValue *copy = ARENA_ARRAY(arena, GoValue, n);
    for (size_t i = 0; copy && i < n; i++) copy[i] = args[i].type ? args[i] : go_of_str(STR("<no value>"));
    if (copy) go_sprint(out, arena, copy, n);
}

static ErrCode escaped(GoCall *c, const GoValue *args, size_t n, void (*put)(Buf *, Str), GoValue *ret) {
    Buf plain = {0}, out = {0};
    gotmpl_eval_args(&plain, c->arena, args, n);
    put(&out, buf_str(&plain));
    buf_done(&plain);
    return string_result(c, &out, ret);
}

static ErrCode fn_html(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    return escaped(c, args, n, gotmpl_put_html, ret);
}
static ErrCode fn_js(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    return escaped(c, args, n, gotmpl_put_js, ret);
}
static ErrCode fn_urlquery(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    return escaped(c, args, n, gotmpl_put_urlquery, ret);
}

void gotmpl_put_html(Buf *out, Str s) {
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case 0: buf_put_lit(out, "\xEF\xBF\xBD"); break;
        case '"': buf_put_lit(out, "&#34;"); break;
        case '\'': buf_put_lit(out, "&#39;"); break;
        case '&': buf_put_lit(out, "&amp;"); break;
        case '<': buf_put_lit(out, "&lt;"); break;
        case '>': buf_put_lit(out, "&gt;"); break;
        default: buf_put_char(out, s.p[i]);
        }
    }
}

static void put_js_rune(Buf *out, Str s, size_t at, size_t len, uint32_t r) {
    Buf quoted = {0};
    lang_put_quoted(&quoted, str_slice(s, at, at + len));
    bool printable = r != 0xFFFD || len > 1 ? str_find_char(buf_str(&quoted), '\\') == SIZE_MAX : true;
    if (!printable)
        buf_printf(out, "\\u%04X", r);
    else
        lang_put_utf8(out, r);
    buf_done(&quoted);
}

void gotmpl_put_js(Buf *out, Str s) {
    for (size_t i = 0; i < s.n;) {
        size_t len;
        uint32_t r = lang_rune_at(s, i, &len);
        switch (r) {
        case '\\': buf_put_lit(out, "\\\\"); break;
        case '\'': buf_put_lit(out, "\\'"); break;
        case '"': buf_put_lit(out, "\\\""); break;
        case '<': buf_put_lit(out, "\\u003C"); break;
        case '>': buf_put_lit(out, "\\u003E"); break;
        case '&': buf_put_lit(out, "\\u0026"); break;
        case '=': buf_put_lit(out, "\\u003D"); break;
        default:
            if (r < ' ')
                buf_printf(out, "\\u%04X", r);
            else if (r < 0x80)
                buf_put_char(out, (char)r);
            else
                put_js_rune(out, s, i, len, r);
        }
        i += len;
    }
}

void gotmpl_put_urlquery(Buf *out, Str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-_.~", c)))
            buf_put_char(out, (char)c);
        else if (c == ' ')
            buf_put_char(out, '+');
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* The evaluator does these. */
static ErrCode fn_special(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)c, (void)args, (void)n, (void)ret;
    UNREACHABLE();
}

const GoFunc gotmpl_and = {STR_INIT("and"), fn_special, {go_any, go_any}, 2, true};
const GoFunc gotmpl_or = {STR_INIT("or"), fn_special, {go_any, go_any}, 2, true};
const GoFunc gotmpl_call = {STR_INIT("call"), fn_special, {go_any, go_any}, 2, true};

const GoFunc gotmpl_builtins[] = {
    {STR_INIT("eq"), fn_eq, {go_any, go_any}, 2, true},
    {STR_INIT("ne"), fn_ne, {go_any, go_any}, 2, false},
    {STR_INIT("lt"), fn_lt, {go_any, go_any}, 2, false},
    {STR_INIT("le"), fn_le, {go_any, go_any}, 2, false},
    {STR_INIT("gt"), fn_gt, {go_any, go_any}, 2, false},
    {STR_INIT("ge"), fn_ge, {go_any, go_any}, 2, false},
    {STR_INIT("not"), fn_not, {go_any}, 1, false},
    {STR_INIT("index"), fn_index, {go_any, go_any}, 2, true},
    {STR_INIT("slice"), fn_slice, {go_any, go_any}, 2, true},
    {STR_INIT("len"), fn_len, {go_any}, 1, false},
    {STR_INIT("print"), fn_print, {go_any}, 1, true},
    {STR_INIT("println"), fn_println, {go_any}, 1, true},
    {STR_INIT("printf"), fn_printf, {go_string, go_any}, 2, true},
    {STR_INIT("html"), fn_html, {go_any}, 1, true},
    {STR_INIT("js"), fn_js, {go_any}, 1, true},
    {STR_INIT("urlquery"), fn_urlquery, {go_any}, 1, true},
};
const size_t gotmpl_n_builtins = ARRAY_LEN(gotmpl_builtins);
