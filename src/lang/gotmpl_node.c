/* gotmpl_node.c - literals, and nodes written back as text for error messages. */
#include "base/num.h"
#include "lang/gotmpl_int.h"
#include "lang/lexer.h"

bool tmpl_unquote(Arena *arena, Str literal, Str *ret) {
    if (literal.n < 2) return false;
    size_t end = 0;
    if (lang_scan_string(literal, 0, &end) != LANG_STRING_OK || end != literal.n) return false;
    /* Go does not take the other kind of quote behind a backslash. */
    for (size_t i = 1; literal.p[0] == '"' && i + 1 < literal.n; i++) {
        if (literal.p[i] != '\\') continue;
        if (literal.p[++i] == '\'') return false;
    }
    return lang_unquote(literal, arena, ret);
}

static void set_int(TmplNode *n, int64_t i) {
    n->is_int = n->is_float = true;
    n->i = i;
    n->f = (double)i;
    n->is_uint = i >= 0;
    n->u = (uint64_t)i;
}

static bool char_constant(TmplNode *n, const char **ret_error) {
    Str s = n->written, body = str_slice(s, 1, s.n - 1);
    *ret_error = "invalid syntax";
    size_t end = 0, len;
    if (!body.n || lang_scan_string(s, 0, &end) != LANG_STRING_OK || end != s.n) return false;
    if (body.p[0] != '\\') {
        uint32_t r = lang_rune_at(body, 0, &len);
        if (len != body.n) {
            *ret_error = "malformed character constant";
            return false;
        }
        set_int(n, r);
        return true;
    }
    Arena *arena = arena_create(4096);
    Str text;
    bool ok = lang_unquote(s, arena, &text) && text.n > 0;
    if (ok) {
        uint32_t r = lang_rune_at(text, 0, &len);
        if (r == 0xFFFD && len == 1) r = (unsigned char)text.p[0]; /* '\xff' is a byte */
        ok = len == text.n;
        set_int(n, r);
    }
    arena_free(arena);
    if (!ok) *ret_error = "malformed character constant";
    return ok;
}

static int digit_of(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 99;
}

/* strconv.ParseUint(s, 0, 64) without a sign: 0x, 0o, 0b, a leading 0 is octal; underscores between digits. */
static bool parse_go_uint(Str s, uint64_t *ret, bool *ret_overflow) {
    unsigned base = 10;
    if (s.n > 1 && s.p[0] == '0') {
        char c = (char)(s.p[1] | 0x20);
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        s = str_skip(s, c == 'x' || c == 'b' || c == 'o' ? 2 : 1);
    }
    uint64_t v = 0;
    bool digit = false, prev_underscore = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '_') {
            if (prev_underscore) return false;
            prev_underscore = true;
            continue;
        }
        prev_underscore = false;
        int d = digit_of(s.p[i]);
        if (d >= (int)base) return false;
        digit = true;
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, (uint64_t)d, &v)) *ret_overflow = true;
    }
    *ret = v;
    return digit && !prev_underscore && !*ret_overflow;
}

static void set_float(TmplNode *n, double f) {
    n->is_float = true;
    n->f = f;
    if (f >= -9223372036854775808.0 && f < 9223372036854775808.0 && (double)(int64_t)f == f) {
        n->is_int = true;
        n->i = (int64_t)f;
    }
    if (f >= 0 && f < 18446744073709551616.0 && (double)(uint64_t)f == f) {
        n->is_uint = true;
        n->u = (uint64_t)f;
    }
}

bool tmpl_number(TmplNode *n, TmplTok kind, const char **ret_error) {
    if (kind == TOK_CHAR_CONSTANT) return char_constant(n, ret_error);
    Str s = n->written;
    *ret_error = "complex numbers are not supported";
    if (kind == TOK_COMPLEX || s.p[s.n - 1] == 'i') return false;
    bool sign = s.p[0] == '-' || s.p[0] == '+', negative = s.p[0] == '-', overflow = false;
    uint64_t u;
    if (parse_go_uint(str_skip(s, sign), &u, &overflow)) {
        if (!sign) {
            n->is_uint = n->is_float = true;
            n->u = u;
            n->f = (double)u;
        }
        if (u <= INT64_MAX + (uint64_t)negative) {
            set_int(n, negative ? (int64_t)(0 - u) : (int64_t)u);
            if (sign && u) n->is_uint = false;
        }
        if (n->is_int || n->is_uint) return true;
        overflow = true;
    }
    double f;
    bool pointed = false;
    for (size_t i = 0; i < s.n; i++) pointed = pointed || memchr(".eEpP", s.p[i], 5);
    *ret_error = overflow && !pointed ? "integer overflow" : "illegal number syntax";
    if (!pointed || (digit_of(s.p[sign]) > 9 && s.p[sign] != '.')) return false;
    char clean[128];
    size_t len = 0;
    for (size_t i = 0; i < s.n && len < sizeof clean; i++)
        if (s.p[i] != '_') clean[len++] = s.p[i];
    if (len == sizeof clean || !num_parse_f64(str_of(clean, len), &f)) return false;
    set_float(n, f);
    return true;
}

/* --- writing --- */

static void put_list(const TmplNodes *nodes, Buf *out, const char *sep) {
    for (size_t i = 0; i < nodes->n; i++) {
        if (i) buf_put(out, sep, strlen(sep));
        tmpl_node_put(nodes->v[i], out);
    }
}

static void put_grouped(const TmplNode *n, Buf *out) {
    if (n->kind == NODE_PIPE) buf_put_char(out, '(');
    tmpl_node_put(n, out);
    if (n->kind == NODE_PIPE) buf_put_char(out, ')');
}

static void put_idents(const TmplNode *n, Buf *out) {
    for (size_t i = 0; i < n->ident.n; i++) {
        if (i || n->kind != NODE_VARIABLE) buf_put_char(out, '.');
        buf_put_str(out, n->ident.v[i]);
    }
}

static void put_control(const TmplNode *n, const char *name, Buf *out) {
    buf_printf(out, "{{%s ", name);
    tmpl_node_put(n->pipe, out);
    buf_put_lit(out, "}}");
    tmpl_node_put(n->list, out);
    if (n->else_list) {
        buf_put_lit(out, "{{else}}");
        tmpl_node_put(n->else_list, out);
    }
    buf_put_lit(out, "{{end}}");
}

static void put_pipe(const TmplNode *n, Buf *out) {
    if (n->decl.n) {
        put_list(&n->decl, out, ", ");
        buf_put_str(out, n->is_assign ? STR(" = ") : STR(" := "));
    }
    put_list(&n->kids, out, " | ");
}

void tmpl_node_put(const TmplNode *n, Buf *out) {
    if (out->n > 4096) return; /* nobody reads on */
    switch (n->kind) {
    case NODE_TEXT:
    case NODE_IDENTIFIER: buf_put_str(out, n->text); break;
    case NODE_ACTION:
        buf_put_lit(out, "{{");
        tmpl_node_put(n->pipe, out);
        buf_put_lit(out, "}}");
        break;
    case NODE_BOOL: buf_put_str(out, n->truth ? STR("true") : STR("false")); break;
    case NODE_CHAIN:
        put_grouped(n->pipe, out);
        put_idents(n, out);
        break;
    case NODE_COMMAND:
        for (size_t i = 0; i < n->kids.n; i++) {
            if (i) buf_put_char(out, ' ');
            put_grouped(n->kids.v[i], out);
        }
        break;
    case NODE_DOT: buf_put_char(out, '.'); break;
    case NODE_FIELD:
    case NODE_VARIABLE: put_idents(n, out); break;
    case NODE_IF: put_control(n, "if", out); break;
    case NODE_LIST: put_list(&n->kids, out, ""); break;
    case NODE_NIL: buf_put_lit(out, "nil"); break;
    case NODE_NUMBER:
    case NODE_STRING: buf_put_str(out, n->written); break;
    case NODE_PIPE: put_pipe(n, out); break;
    case NODE_RANGE: put_control(n, "range", out); break;
    case NODE_TEMPLATE:
        buf_put_lit(out, "{{template ");
        lang_put_quoted(out, n->text);
        if (n->pipe) {
            buf_put_char(out, ' ');
            tmpl_node_put(n->pipe, out);
        }
        buf_put_lit(out, "}}");
        break;
    case NODE_WITH: put_control(n, "with", out); break;
    case NODE_BREAK: buf_put_lit(out, "{{break}}"); break;
    case NODE_CONTINUE: buf_put_lit(out, "{{continue}}"); break;
    case NODE_ELSE: buf_put_lit(out, "{{else}}"); break;
    case NODE_END: buf_put_lit(out, "{{end}}"); break;
    }
}
