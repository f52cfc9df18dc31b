/* gotmpl_pipe.c - pipelines of templates: terms, operands, commands, declarations. */
#include "lang/gotmpl_parse_int.h"
#include "lang/lexer.h"

#include <stdio.h>

static bool add_idents(TmplParser *p, TmplNode *n, Str text) {
    Str part;
    while (str_split_next(&text, '.', &part)) {
        if (!part.n) continue;
        if (!avec_push(p->arena, &n->ident, part)) return tmplp_fail_memory(p);
    }
    return true;
}

static TmplNode *use_variable(TmplParser *p, TmplItem it) {
    for (size_t i = 0; i < p->vars.n; i++) {
        if (!str_eq(p->vars.v[i], it.val)) continue;
        TmplNode *n = tmplp_node(p, NODE_VARIABLE, it.pos, it.line);
        return n && add_idents(p, n, it.val) ? n : NULL;
    }
    return tmplp_fail(p, "undefined variable \"%" STR_FMT "\"", STR_ARG(it.val));
}

static TmplNode *number(TmplParser *p, TmplItem it) {
    TmplNode *n = tmplp_node(p, NODE_NUMBER, it.pos, it.line);
    if (!n) return NULL;
    n->written = it.val;
    const char *error;
    if (tmpl_number(n, it.kind, &error)) return n;
    if (str_eq_lit(str_cstr(error), "malformed character constant"))
        return tmplp_fail(p, "%s: %" STR_FMT, error, STR_ARG(it.val));
    if (it.kind == TOK_CHAR_CONSTANT) return tmplp_fail(p, "%s", error);
    Buf b = {0};
    lang_put_quoted(&b, it.val);
    tmplp_fail(p, "%s: %s", error, buf_cstr(&b));
    buf_done(&b);
    return NULL;
}

static TmplNode *string(TmplParser *p, TmplItem it) {
    TmplNode *n = tmplp_node(p, NODE_STRING, it.pos, it.line);
    if (!n) return NULL;
    n->written = it.val;
    return tmpl_unquote(p->arena, it.val, &n->text) ? n : tmplp_fail(p, "invalid syntax");
}

static TmplNode *parenthesized(TmplParser *p) {
    if (p->paren_depth >= GOTMPL_PAREN_MAX) return tmplp_fail(p, "max expression depth exceeded");
    p->paren_depth++;
    TmplNode *n = tmplp_pipeline(p, "parenthesized pipeline", TOK_RIGHT_PAREN);
    p->paren_depth--;
    return n;
}

/* NULL without failure: what comes is not a term. */
static TmplNode *term(TmplParser *p) {
    TmplItem it = tmplp_next_solid(p);
    TmplNode *n = NULL;
    switch (it.kind) {
    case TOK_IDENTIFIER: {
        const GoFunc *f = gotmpl_find_func(p->set, it.val);
        if (!f) return tmplp_fail(p, "function \"%" STR_FMT "\" not defined", STR_ARG(it.val));
        if (!(n = tmplp_node(p, NODE_IDENTIFIER, it.pos, it.line))) return NULL;
        n->text = it.val;
        n->func = f;
        return n;
    }
    case TOK_DOT: return tmplp_node(p, NODE_DOT, it.pos, it.line);
    case TOK_NIL: return tmplp_node(p, NODE_NIL, it.pos, it.line);
    case TOK_VARIABLE: return use_variable(p, it);
    case TOK_FIELD: n = tmplp_node(p, NODE_FIELD, it.pos, it.line); return n && add_idents(p, n, it.val) ? n : NULL;
    case TOK_BOOL:
        if ((n = tmplp_node(p, NODE_BOOL, it.pos, it.line))) n->truth = it.val.n == 4;
        return n;
    case TOK_CHAR_CONSTANT:
    case TOK_COMPLEX:
    case TOK_NUMBER: return number(p, it);
    case TOK_LEFT_PAREN: return parenthesized(p);
    case TOK_STRING:
    case TOK_RAW_STRING: return string(p, it);
    default: tmplp_back(p); return NULL;
    }
}

/* A term with the fields that follow it. */
static TmplNode *operand(TmplParser *p) {
    TmplNode *t = term(p);
    if (!t || tmplp_peek(p).kind != TOK_FIELD) return t;
    TmplItem first = tmplp_peek(p);
    bool extend = t->kind == NODE_FIELD || t->kind == NODE_VARIABLE;
    TmplNode *n = tmplp_node(p, extend ? t->kind : NODE_CHAIN, first.pos, first.line);
    if (!n) return NULL;
    if (extend)
        n->ident = t->ident;
    else
        n->pipe = t;
    while (tmplp_peek(p).kind == TOK_FIELD)
        if (!add_idents(p, n, tmplp_next(p).val)) return NULL;
    if (t->kind == NODE_BOOL || t->kind == NODE_STRING || t->kind == NODE_NUMBER || t->kind == NODE_NIL ||
        t->kind == NODE_DOT) {
        Buf b = {0}, quoted = {0};
        tmpl_node_put(t, &b);
        lang_put_quoted(&quoted, buf_str(&b));
        tmplp_fail(p, "unexpected . after term %s", buf_cstr(&quoted));
        buf_done(&b);
        buf_done(&quoted);
        return NULL;
    }
    return n;
}

static TmplNode *command(TmplParser *p) {
    TmplItem at = tmplp_peek_solid(p);
    TmplNode *cmd = tmplp_node(p, NODE_COMMAND, at.pos, at.line);
    while (cmd) {
        tmplp_peek_solid(p);
        TmplNode *arg = operand(p);
        if (p->failed || (arg && !tmplp_push(p, &cmd->kids, arg))) return NULL;
        TmplItem it = tmplp_next(p);
        if (it.kind == TOK_SPACE) continue;
        if (it.kind == TOK_RIGHT_DELIM || it.kind == TOK_RIGHT_PAREN)
            tmplp_back(p);
        else if (it.kind != TOK_PIPE)
            return tmplp_unexpected(p, it, "operand");
        break;
    }
    if (cmd && cmd->kids.n == 0) return tmplp_fail(p, "empty command");
    return cmd;
}

static bool add_declaration(TmplParser *p, TmplNode *pipe, TmplItem v) {
    TmplNode *n = tmplp_node(p, NODE_VARIABLE, v.pos, v.line);
    return n && add_idents(p, n, v.val) && tmplp_push(p, &pipe->decl, n) && tmplp_declare(p, v.val);
}

/* "$x :=", "$x =", "$i, $x :=" at a pipeline's start. */
static bool declarations(TmplParser *p, TmplNode *pipe, const char *context) {
    for (;;) {
        TmplItem v = tmplp_peek_solid(p);
        if (v.kind != TOK_VARIABLE) return true;
        tmplp_next(p);
        TmplItem after = tmplp_peek(p), it = tmplp_peek_solid(p);
        if (it.kind == TOK_ASSIGN || it.kind == TOK_DECLARE) {
            pipe->is_assign = it.kind == TOK_ASSIGN;
            tmplp_next_solid(p);
            return add_declaration(p, pipe, v);
        }
        if (it.kind == TOK_CHAR && str_eq_lit(it.val, ",")) {
            tmplp_next_solid(p);
            if (!add_declaration(p, pipe, v)) return false;
            if (strcmp(context, "range") == 0 && pipe->decl.n < 2) {
                TmplTok k = tmplp_peek_solid(p).kind;
                if (k == TOK_VARIABLE || k == TOK_RIGHT_DELIM || k == TOK_RIGHT_PAREN) continue;
                tmplp_fail(p, "range can only initialize variables");
                return false;
            }
            tmplp_fail(p, "too many declarations in %s", context);
            return false;
        }
        if (after.kind == TOK_SPACE) { /* put both back */
            p->token[1] = after;
            p->token[2] = v;
            p->peeked = 3;
        } else {
            p->token[1] = v;
            p->peeked = 2;
        }
        return true;
    }
}

static TmplNode *check_pipeline(TmplParser *p, TmplNode *pipe, const char *context) {
    if (pipe->kids.n == 0) return tmplp_fail(p, "missing value for %s", context);
    for (size_t i = 1; i < pipe->kids.n; i++) {
        TmplNodeKind k = pipe->kids.v[i]->kids.v[0]->kind;
        if (k == NODE_BOOL || k == NODE_DOT || k == NODE_NIL || k == NODE_NUMBER || k == NODE_STRING)
            return tmplp_fail(p, "non executable command in pipeline stage %zu", i + 1);
    }
    return pipe;
}

TmplNode *tmplp_pipeline(TmplParser *p, const char *context, TmplTok end) {
    TmplItem at = tmplp_peek_solid(p);
    TmplNode *pipe = tmplp_node(p, NODE_PIPE, at.pos, at.line);
    if (!pipe || !declarations(p, pipe, context)) return NULL;
    for (;;) {
        TmplItem it = tmplp_next_solid(p);
        if (it.kind == end) return check_pipeline(p, pipe, context);
        switch (it.kind) {
        case TOK_BOOL:
        case TOK_CHAR_CONSTANT:
        case TOK_COMPLEX:
        case TOK_DOT:
        case TOK_FIELD:
        case TOK_IDENTIFIER:
        case TOK_NUMBER:
        case TOK_NIL:
        case TOK_RAW_STRING:
        case TOK_STRING:
        case TOK_VARIABLE:
        case TOK_LEFT_PAREN:
            tmplp_back(p);
            if (!tmplp_push(p, &pipe->kids, command(p))) return NULL;
            break;
        default: return tmplp_unexpected(p, it, context);
        }
    }
}

/* --- control structures --- */
