/* amlabel.c - texts of label sets and matchers. */
#include "alert/amlabel.h"

#include "alert/ammatch_int.h"

#include "lang/lexer.h"

const char *amlabel_op(MatchType type) {
    static const char *const ops[] = {[MATCH_EQ] = "=", [MATCH_NEQ] = "!=", [MATCH_RE] = "=~", [MATCH_NRE] = "!~"};
    return ops[type];
}

void amlabel_put_set(Buf *out, Labels l) {
    buf_put_char(out, '{');
    for (size_t i = 0; i < l.n; i++) {
        if (i) buf_put_lit(out, ", ");
        if (label_name_is_legacy(l.v[i].name))
            buf_put_str(out, l.v[i].name);
        else
            lang_put_quoted(out, l.v[i].name);
        buf_put_char(out, '=');
        lang_put_quoted(out, l.v[i].value);
    }
    buf_put_char(out, '}');
}

static bool has_reserved(Str s) {
    for (size_t i = 0, step; i < s.n; i += step) {
        uint32_t r = lang_rune_at(s, i, &step);
        if (ammatch_is_reserved(r)) return true;
    }
    return false;
}

static void put_escaped(Buf *out, Str s) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\n') {
            buf_put_lit(out, "\\n");
            continue;
        }
        if (s.p[i] == '\\' || s.p[i] == '"') buf_put_char(out, '\\');
        buf_put_char(out, s.p[i]);
    }
}

void amlabel_put_matcher(Buf *out, const Matcher *m) {
    bool reserved = has_reserved(m->name);
    if (reserved)
        lang_put_quoted(out, m->name);
    else
        buf_put_str(out, m->name);
    buf_put_str(out, str_cstr(amlabel_op(m->type)));
    if (reserved) {
        lang_put_quoted(out, m->value);
        return;
    }
    buf_put_char(out, '"');
    put_escaped(out, m->value);
    buf_put_char(out, '"');
}

void amlabel_put_matchers(Buf *out, Matchers ms) {
    buf_put_char(out, '{');
    for (size_t i = 0; i < ms.n; i++) {
        if (i) buf_put_char(out, ',');
        amlabel_put_matcher(out, ms.v[i]);
    }
    buf_put_char(out, '}');
}

int amlabel_cmp_matcher(const Matcher *a, const Matcher *b) {
    int c = str_cmp(a->name, b->name);
    if (!c) c = str_cmp(a->value, b->value);
    return c ? c : (int)a->type - (int)b->type;
}

int amlabel_cmp_set(Labels a, Labels b) {
    if (a.n != b.n) return a.n < b.n ? -1 : 1;
    for (size_t i = 0; i < a.n; i++) {
        int c = str_cmp(a.v[i].name, b.v[i].name);
        if (c) return -c; /* the set that lacks the smaller name comes first */
        c = str_cmp(a.v[i].value, b.v[i].value);
        if (c) return c;
    }
    return 0;
}
