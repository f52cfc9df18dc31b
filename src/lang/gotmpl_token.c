/* gotmpl_token.c - the template parser's tokens, nodes and errors. */
#include "lang/gotmpl_parse_int.h"
#include "lang/lexer.h"

#include <stdarg.h>
#include <stdio.h>

/* --- errors --- */

void *tmplp_fail(TmplParser *p, const char *fmt, ...) {
    if (p->failed) return NULL;
    p->failed = true;
    va_list ap;
    va_start(ap, fmt);
    char msg[400];
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    int line = p->token[0].line;
    err_set_at(p->err, ERR_INVALID, line, 0, "template: %" STR_FMT ":%d: %s", STR_ARG(p->source->name), line, msg);
    return NULL;
}

void *tmplp_fail_memory(TmplParser *p) {
    if (!p->failed) err_set(p->err, ERR_TOO_LARGE, "template: %" STR_FMT ": too large", STR_ARG(p->source->name));
    p->failed = true;
    return NULL;
}

static void put_item(Buf *out, const TmplItem *it) {
    if (it->kind == TOK_EOF || it->kind == TOK_ERROR) {
        buf_put_str(out, it->val);
    } else if (it->kind > TOK_KEYWORD) {
        buf_printf(out, "<%" STR_FMT ">", STR_ARG(it->val));
    } else {
        size_t i = 0, len;
        for (int n = 0; i < it->val.n && n < 10; n++, i += len) lang_rune_at(it->val, i, &len);
        lang_put_quoted(out, str_slice(it->val, 0, i));
        if (it->val.n > 10) buf_put_lit(out, "...");
    }
}

void *tmplp_unexpected(TmplParser *p, TmplItem it, const char *context) {
    Buf b = {0};
    put_item(&b, &it);
    if (it.kind != TOK_ERROR) {
        tmplp_fail(p, "unexpected %s in %s", buf_cstr(&b), context);
    } else if (p->action_line && p->action_line != it.line) {
        bool is_action = str_ends_with(it.val, STR(" action"));
        tmplp_fail(p, "%s%s started at %" STR_FMT ":%d", buf_cstr(&b), is_action ? "" : " in action",
            STR_ARG(p->source->name), p->action_line);
    } else {
        tmplp_fail(p, "%s", buf_cstr(&b));
    }
    buf_done(&b);
    return NULL;
}

/* --- items --- */

TmplItem tmplp_next(TmplParser *p) {
    if (p->peeked > 0)
        p->peeked--;
    else
        p->token[0] = tmpl_next(&p->lexer);
    return p->token[p->peeked];
}

void tmplp_back(TmplParser *p) { p->peeked++; }

TmplItem tmplp_peek(TmplParser *p) {
    if (p->peeked > 0) return p->token[p->peeked - 1];
    p->peeked = 1;
    p->token[0] = tmpl_next(&p->lexer);
    return p->token[0];
}

TmplItem tmplp_next_solid(TmplParser *p) {
    for (;;) {
        TmplItem it = tmplp_next(p);
        if (it.kind != TOK_SPACE) return it;
    }
}

TmplItem tmplp_peek_solid(TmplParser *p) {
    TmplItem it = tmplp_next_solid(p);
    tmplp_back(p);
    return it;
}

bool tmplp_expect(TmplParser *p, TmplTok kind, const char *context, TmplItem *ret) {
    *ret = tmplp_next_solid(p);
    if (ret->kind == kind) return true;
    tmplp_unexpected(p, *ret, context);
    return false;
}

/* --- nodes --- */

TmplNode *tmplp_node(TmplParser *p, TmplNodeKind kind, uint32_t pos, int line) {
    TmplNode *n = ARENA_NEW(p->arena, TmplNode);
    if (!n) return tmplp_fail_memory(p);
    n->kind = kind;
    n->pos = pos;
    n->line = line;
    n->source = p->source;
    return n;
}

bool tmplp_push(TmplParser *p, TmplNodes *nodes, TmplNode *n) {
    if (!n) return false;
    if (avec_push(p->arena, nodes, n)) return true;
    tmplp_fail_memory(p);
    return false;
}

bool tmplp_declare(TmplParser *p, Str name) {
    if (avec_push(p->arena, &p->vars, name)) return true;
    tmplp_fail_memory(p);
    return false;
}
