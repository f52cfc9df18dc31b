/* gotmpl_parse.c - items into a tree. The grammar's corners (which item an error names, on which line) are Go's. */
#include "lang/gotmpl_int.h"
#include "lang/lexer.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct Parser {
    GoTmpl *set;
    Arena *arena;
    const TmplSource *source;
    TmplLexer lexer;
    TmplItem token[3];
    int peeked;
    int action_line;
    unsigned range_depth, paren_depth, nesting;
    AVEC(Str) vars;
    Map *trees; /* of this text; they join the set's when all of it was right */
    bool failed;
    Err *err;
} Parser;

static TmplNode *parse_pipeline(Parser *p, const char *context, TmplTok end);
static TmplNode *parse_text_or_action(Parser *p);

/* --- errors --- */

static void *fail(Parser *p, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void *fail(Parser *p, const char *fmt, ...) {
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

static void *fail_memory(Parser *p) {
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

static void *unexpected(Parser *p, TmplItem it, const char *context) {
    Buf b = {0};
    put_item(&b, &it);
    if (it.kind != TOK_ERROR) {
        fail(p, "unexpected %s in %s", buf_cstr(&b), context);
    } else if (p->action_line && p->action_line != it.line) {
        bool is_action = str_ends_with(it.val, STR(" action"));
        fail(p, "%s%s started at %" STR_FMT ":%d", buf_cstr(&b), is_action ? "" : " in action",
            STR_ARG(p->source->name), p->action_line);
    } else {
        fail(p, "%s", buf_cstr(&b));
    }
    buf_done(&b);
    return NULL;
}

/* --- items --- */

static TmplItem next(Parser *p) {
    if (p->peeked > 0)
        p->peeked--;
    else
        p->token[0] = tmpl_next(&p->lexer);
    return p->token[p->peeked];
}

static void back(Parser *p) { p->peeked++; }

static TmplItem peek(Parser *p) {
    if (p->peeked > 0) return p->token[p->peeked - 1];
    p->peeked = 1;
    p->token[0] = tmpl_next(&p->lexer);
    return p->token[0];
}

static TmplItem next_solid(Parser *p) {
    for (;;) {
        TmplItem it = next(p);
        if (it.kind != TOK_SPACE) return it;
    }
}

static TmplItem peek_solid(Parser *p) {
    TmplItem it = next_solid(p);
    back(p);
    return it;
}

static bool expect(Parser *p, TmplTok kind, const char *context, TmplItem *ret) {
    *ret = next_solid(p);
    if (ret->kind == kind) return true;
    unexpected(p, *ret, context);
    return false;
}

/* --- nodes --- */

static TmplNode *node(Parser *p, TmplNodeKind kind, uint32_t pos, int line) {
    TmplNode *n = ARENA_NEW(p->arena, TmplNode);
    if (!n) return fail_memory(p);
    n->kind = kind;
    n->pos = pos;
    n->line = line;
    n->source = p->source;
    return n;
}

static bool push(Parser *p, TmplNodes *nodes, TmplNode *n) {
    if (!n) return false;
    if (avec_push(p->arena, nodes, n)) return true;
    fail_memory(p);
    return false;
}

/* ".a.b" or "$x.a": names between dots. */
static bool add_idents(Parser *p, TmplNode *n, Str text) {
    Str part;
    while (str_split_next(&text, '.', &part)) {
        if (!part.n) continue;
        if (!avec_push(p->arena, &n->ident, part)) return fail_memory(p);
    }
    return true;
}

static bool declare(Parser *p, Str name) {
    if (avec_push(p->arena, &p->vars, name)) return true;
    fail_memory(p);
    return false;
}

static TmplNode *use_variable(Parser *p, TmplItem it) {
    for (size_t i = 0; i < p->vars.n; i++) {
        if (!str_eq(p->vars.v[i], it.val)) continue;
        TmplNode *n = node(p, NODE_VARIABLE, it.pos, it.line);
        return n && add_idents(p, n, it.val) ? n : NULL;
    }
    return fail(p, "undefined variable \"%" STR_FMT "\"", STR_ARG(it.val));
}

static TmplNode *number(Parser *p, TmplItem it) {
    TmplNode *n = node(p, NODE_NUMBER, it.pos, it.line);
    if (!n) return NULL;
    n->written = it.val;
    const char *error;
    if (tmpl_number(n, it.kind, &error)) return n;
    if (str_eq_lit(str_cstr(error), "malformed character constant"))
        return fail(p, "%s: %" STR_FMT, error, STR_ARG(it.val));
    if (it.kind == TOK_CHAR_CONSTANT) return fail(p, "%s", error);
    Buf b = {0};
    lang_put_quoted(&b, it.val);
    fail(p, "%s: %s", error, buf_cstr(&b));
    buf_done(&b);
    return NULL;
}

static TmplNode *string(Parser *p, TmplItem it) {
    TmplNode *n = node(p, NODE_STRING, it.pos, it.line);
    if (!n) return NULL;
    n->written = it.val;
    return tmpl_unquote(p->arena, it.val, &n->text) ? n : fail(p, "invalid syntax");
}

static TmplNode *parenthesized(Parser *p) {
    if (p->paren_depth >= GOTMPL_PAREN_MAX) return fail(p, "max expression depth exceeded");
    p->paren_depth++;
    TmplNode *n = parse_pipeline(p, "parenthesized pipeline", TOK_RIGHT_PAREN);
    p->paren_depth--;
    return n;
}

/* NULL without failure: what comes is not a term. */
static TmplNode *term(Parser *p) {
    TmplItem it = next_solid(p);
    TmplNode *n = NULL;
    switch (it.kind) {
    case TOK_IDENTIFIER: {
        const GoFunc *f = gotmpl_find_func(p->set, it.val);
        if (!f) return fail(p, "function \"%" STR_FMT "\" not defined", STR_ARG(it.val));
        if (!(n = node(p, NODE_IDENTIFIER, it.pos, it.line))) return NULL;
        n->text = it.val;
        n->func = f;
        return n;
    }
    case TOK_DOT: return node(p, NODE_DOT, it.pos, it.line);
    case TOK_NIL: return node(p, NODE_NIL, it.pos, it.line);
    case TOK_VARIABLE: return use_variable(p, it);
    case TOK_FIELD: n = node(p, NODE_FIELD, it.pos, it.line); return n && add_idents(p, n, it.val) ? n : NULL;
    case TOK_BOOL:
        if ((n = node(p, NODE_BOOL, it.pos, it.line))) n->truth = it.val.n == 4;
        return n;
    case TOK_CHAR_CONSTANT:
    case TOK_COMPLEX:
    case TOK_NUMBER: return number(p, it);
    case TOK_LEFT_PAREN: return parenthesized(p);
    case TOK_STRING:
    case TOK_RAW_STRING: return string(p, it);
    default: back(p); return NULL;
    }
}

/* A term with the fields that follow it. */
static TmplNode *operand(Parser *p) {
    TmplNode *t = term(p);
    if (!t || peek(p).kind != TOK_FIELD) return t;
    TmplItem first = peek(p);
    bool extend = t->kind == NODE_FIELD || t->kind == NODE_VARIABLE;
    TmplNode *n = node(p, extend ? t->kind : NODE_CHAIN, first.pos, first.line);
    if (!n) return NULL;
    if (extend)
        n->ident = t->ident;
    else
        n->pipe = t;
    while (peek(p).kind == TOK_FIELD)
        if (!add_idents(p, n, next(p).val)) return NULL;
    if (t->kind == NODE_BOOL || t->kind == NODE_STRING || t->kind == NODE_NUMBER || t->kind == NODE_NIL ||
        t->kind == NODE_DOT) {
        Buf b = {0}, quoted = {0};
        tmpl_node_put(t, &b);
        lang_put_quoted(&quoted, buf_str(&b));
        fail(p, "unexpected . after term %s", buf_cstr(&quoted));
        buf_done(&b);
        buf_done(&quoted);
        return NULL;
    }
    return n;
}

static TmplNode *command(Parser *p) {
    TmplItem at = peek_solid(p);
    TmplNode *cmd = node(p, NODE_COMMAND, at.pos, at.line);
    while (cmd) {
        peek_solid(p);
        TmplNode *arg = operand(p);
        if (p->failed || (arg && !push(p, &cmd->kids, arg))) return NULL;
        TmplItem it = next(p);
        if (it.kind == TOK_SPACE) continue;
        if (it.kind == TOK_RIGHT_DELIM || it.kind == TOK_RIGHT_PAREN)
            back(p);
        else if (it.kind != TOK_PIPE)
            return unexpected(p, it, "operand");
        break;
    }
    if (cmd && cmd->kids.n == 0) return fail(p, "empty command");
    return cmd;
}

static bool add_declaration(Parser *p, TmplNode *pipe, TmplItem v) {
    TmplNode *n = node(p, NODE_VARIABLE, v.pos, v.line);
    return n && add_idents(p, n, v.val) && push(p, &pipe->decl, n) && declare(p, v.val);
}

/* "$x :=", "$x =", "$i, $x :=" at a pipeline's start. */
static bool declarations(Parser *p, TmplNode *pipe, const char *context) {
    for (;;) {
        TmplItem v = peek_solid(p);
        if (v.kind != TOK_VARIABLE) return true;
        next(p);
        TmplItem after = peek(p), it = peek_solid(p);
        if (it.kind == TOK_ASSIGN || it.kind == TOK_DECLARE) {
            pipe->is_assign = it.kind == TOK_ASSIGN;
            next_solid(p);
            return add_declaration(p, pipe, v);
        }
        if (it.kind == TOK_CHAR && str_eq_lit(it.val, ",")) {
            next_solid(p);
            if (!add_declaration(p, pipe, v)) return false;
            if (strcmp(context, "range") == 0 && pipe->decl.n < 2) {
                TmplTok k = peek_solid(p).kind;
                if (k == TOK_VARIABLE || k == TOK_RIGHT_DELIM || k == TOK_RIGHT_PAREN) continue;
                fail(p, "range can only initialize variables");
                return false;
            }
            fail(p, "too many declarations in %s", context);
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

static TmplNode *check_pipeline(Parser *p, TmplNode *pipe, const char *context) {
    if (pipe->kids.n == 0) return fail(p, "missing value for %s", context);
    for (size_t i = 1; i < pipe->kids.n; i++) {
        TmplNodeKind k = pipe->kids.v[i]->kids.v[0]->kind;
        if (k == NODE_BOOL || k == NODE_DOT || k == NODE_NIL || k == NODE_NUMBER || k == NODE_STRING)
            return fail(p, "non executable command in pipeline stage %zu", i + 1);
    }
    return pipe;
}

static TmplNode *parse_pipeline(Parser *p, const char *context, TmplTok end) {
    TmplItem at = peek_solid(p);
    TmplNode *pipe = node(p, NODE_PIPE, at.pos, at.line);
    if (!pipe || !declarations(p, pipe, context)) return NULL;
    for (;;) {
        TmplItem it = next_solid(p);
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
            back(p);
            if (!push(p, &pipe->kids, command(p))) return NULL;
            break;
        default: return unexpected(p, it, context);
        }
    }
}

/* --- control structures --- */

static TmplNode *parse_list(Parser *p, TmplNode **ret_end) {
    TmplItem at = peek_solid(p);
    TmplNode *list = node(p, NODE_LIST, at.pos, at.line);
    while (list && peek_solid(p).kind != TOK_EOF) {
        TmplNode *n = parse_text_or_action(p);
        if (!n) return NULL;
        if (n->kind == NODE_END || n->kind == NODE_ELSE) {
            *ret_end = n;
            return list;
        }
        if (!push(p, &list->kids, n)) return NULL;
    }
    return list ? fail(p, "unexpected EOF") : NULL;
}

static TmplNode *parse_control(Parser *p, TmplNodeKind kind);

/* Behind {{else: another if or with, or the list up to {{end}}. */
static TmplNode *parse_else(Parser *p, TmplNodeKind kind, const TmplNode *at) {
    TmplTok k = peek(p).kind;
    if ((kind == NODE_IF && k == TOK_IF) || (kind == NODE_WITH && k == TOK_WITH)) {
        next(p);
        TmplNode *list = node(p, NODE_LIST, at->pos, at->line);
        return list && push(p, &list->kids, parse_control(p, kind)) ? list : NULL;
    }
    TmplNode *end = NULL, *list = parse_list(p, &end);
    if (list && end->kind != NODE_END) return fail(p, "expected end; found {{else}}");
    return list;
}

static TmplNode *parse_control(Parser *p, TmplNodeKind kind) {
    const char *context = kind == NODE_IF ? "if" : kind == NODE_WITH ? "with" : "range";
    if (++p->nesting > GOTMPL_NESTING_MAX) return fail(p, "control structures nested too deeply");
    size_t vars = p->vars.n;
    TmplNode *pipe = parse_pipeline(p, context, TOK_RIGHT_DELIM), *end = NULL, *n = NULL;
    if (pipe && (n = node(p, kind, pipe->pos, pipe->line))) {
        n->pipe = pipe;
        if (kind == NODE_RANGE) p->range_depth++;
        n->list = parse_list(p, &end);
        if (kind == NODE_RANGE) p->range_depth--;
        if (n->list && end->kind == NODE_ELSE) n->else_list = parse_else(p, kind, end);
    }
    p->vars.n = vars;
    p->nesting--;
    return p->failed ? NULL : n;
}

static bool template_name(Parser *p, TmplItem it, const char *context, Str *ret) {
    if (it.kind != TOK_STRING && it.kind != TOK_RAW_STRING) {
        unexpected(p, it, context);
        return false;
    }
    if (tmpl_unquote(p->arena, it.val, ret)) return true;
    fail(p, "invalid syntax");
    return false;
}

static bool tree_is_empty(const TmplNode *list) {
    for (size_t i = 0; i < list->kids.n; i++) {
        const TmplNode *n = list->kids.v[i];
        if (n->kind != NODE_TEXT || str_trim(n->text).n) return false;
    }
    return true;
}

/* Within one text a template may be defined once; an empty one neither replaces another nor counts. */
static bool add_tree(Parser *p, Str name, TmplNode *root) {
    const TmplNode *old = map_get_ptr(p->trees, name);
    if (!old || tree_is_empty(old)) {
        map_set_ptr(p->trees, name, root);
        return true;
    }
    if (tree_is_empty(root)) return true;
    fail(p, "template: multiple definition of template \"%" STR_FMT "\"", STR_ARG(name));
    return false;
}



/* The body of a define or block up to its {{end}}: variables and ranges outside are not seen inside. */
static bool parse_body(Parser *p, Str name, const char *context) {
    unsigned range_depth = p->range_depth;
    Parser outer = *p;
    p->range_depth = 0;
    p->vars.v = NULL;
    p->vars.n = p->vars.cap = 0;
    TmplNode *end = NULL, *root = NULL;
    if (++p->nesting > GOTMPL_NESTING_MAX)
        fail(p, "control structures nested too deeply");
    else if (declare(p, STR("$")))
        root = parse_list(p, &end);
    p->nesting--;
    p->vars.v = outer.vars.v;
    p->vars.n = outer.vars.n;
    p->vars.cap = outer.vars.cap;
    p->range_depth = range_depth;
    if (!root) return false;
    if (end->kind != NODE_END) {
        fail(p, "unexpected {{else}} in %s", context);
        return false;
    }
    return add_tree(p, name, root);
}

static TmplNode *parse_block(Parser *p) {
    TmplItem it = next_solid(p);
    Str name;
    if (!template_name(p, it, "block clause", &name)) return NULL;
    TmplNode *n = node(p, NODE_TEMPLATE, it.pos, it.line);
    if (!n || !(n->pipe = parse_pipeline(p, "block clause", TOK_RIGHT_DELIM))) return NULL;
    n->text = name;
    return parse_body(p, name, "block clause") ? n : NULL;
}

static TmplNode *parse_template(Parser *p) {
    TmplItem it = next_solid(p);
    Str name;
    if (!template_name(p, it, "template clause", &name)) return NULL;
    TmplNode *n = node(p, NODE_TEMPLATE, it.pos, it.line);
    if (!n) return NULL;
    n->text = name;
    if (next_solid(p).kind == TOK_RIGHT_DELIM) return n;
    back(p);
    n->pipe = parse_pipeline(p, "template clause", TOK_RIGHT_DELIM);
    return n->pipe ? n : NULL;
}

static TmplNode *parse_jump(Parser *p, TmplNodeKind kind, TmplItem at) {
    const char *name = kind == NODE_BREAK ? "{{break}}" : "{{continue}}";
    TmplItem it = next_solid(p);
    if (it.kind != TOK_RIGHT_DELIM) return unexpected(p, it, name);
    if (p->range_depth == 0) return fail(p, "%s outside {{range}}", name);
    return node(p, kind, at.pos, at.line);
}

static TmplNode *parse_else_token(Parser *p) {
    TmplItem it = peek_solid(p);
    if (it.kind != TOK_IF && it.kind != TOK_WITH && !expect(p, TOK_RIGHT_DELIM, "else", &it)) return NULL;
    return node(p, NODE_ELSE, it.pos, it.line);
}

static TmplNode *parse_action(Parser *p) {
    TmplItem it = next_solid(p);
    switch (it.kind) {
    case TOK_BLOCK: return parse_block(p);
    case TOK_BREAK: return parse_jump(p, NODE_BREAK, it);
    case TOK_CONTINUE: return parse_jump(p, NODE_CONTINUE, it);
    case TOK_ELSE: return parse_else_token(p);
    case TOK_END: return expect(p, TOK_RIGHT_DELIM, "end", &it) ? node(p, NODE_END, it.pos, it.line) : NULL;
    case TOK_IF: return parse_control(p, NODE_IF);
    case TOK_RANGE: return parse_control(p, NODE_RANGE);
    case TOK_TEMPLATE: return parse_template(p);
    case TOK_WITH: return parse_control(p, NODE_WITH);
    default: break;
    }
    back(p);
    it = peek(p);
    TmplNode *n = node(p, NODE_ACTION, it.pos, it.line);
    if (!n || !(n->pipe = parse_pipeline(p, "command", TOK_RIGHT_DELIM))) return NULL;
    return n;
}

static TmplNode *parse_text_or_action(Parser *p) {
    TmplItem it = next_solid(p);
    TmplNode *n;
    switch (it.kind) {
    case TOK_TEXT:
        if ((n = node(p, NODE_TEXT, it.pos, it.line))) n->text = it.val;
        return n;
    case TOK_LEFT_DELIM:
        p->action_line = it.line;
        n = parse_action(p);
        p->action_line = 0;
        return n;
    default: return unexpected(p, it, "input");
    }
}

static bool parse_definition(Parser *p) {
    TmplItem it = next_solid(p), ignored;
    Str name;
    return template_name(p, it, "define clause", &name) && expect(p, TOK_RIGHT_DELIM, "define clause", &ignored) &&
           parse_body(p, name, "define clause");
}

static TmplNode *parse_top(Parser *p) {
    TmplNode *root = node(p, NODE_LIST, peek(p).pos, 1);
    while (root && peek(p).kind != TOK_EOF) {
        if (peek(p).kind == TOK_LEFT_DELIM) {
            TmplItem delim = next(p);
            if (next_solid(p).kind == TOK_DEFINE) {
                if (!parse_definition(p)) return NULL;
                continue;
            }
            p->token[1] = delim;
            p->peeked = 2;
        }
        TmplNode *n = parse_text_or_action(p);
        if (!n) return NULL;
        if (n->kind == NODE_END || n->kind == NODE_ELSE)
            return fail(p, "unexpected %s", n->kind == NODE_END ? "{{end}}" : "{{else}}");
        if (!push(p, &root->kids, n)) return NULL;
    }
    return root;
}

/* --- a text into its set --- */

static void adopt(GoTmpl *t, Map *trees) {
    size_t it = 0;
    Str k;
    uint64_t *v;
    while (map_next(trees, &it, &k, &v)) {
        TmplNode *root = (TmplNode *)(uintptr_t)*v;
        const TmplNode *old = gotmpl_find(t, k);
        if (old && !tree_is_empty(old) && tree_is_empty(root)) continue; /* Go keeps the one with a body */
        map_set_ptr(t->trees, k, root);
    }
}

ErrCode gotmpl_parse(GoTmpl *t, Str name, Str text, Err *reterr) {
    if (text.n > GOTMPL_SOURCE_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "template: %" STR_FMT ": text is longer than 1 MiB", STR_ARG(name));
    TmplSource *source = ARENA_NEW(t->arena, TmplSource);
    if (!source) return err_set(reterr, ERR_TOO_LARGE, "template: %" STR_FMT ": too large", STR_ARG(name));
    source->name = arena_copy(t->arena, name);
    source->text = arena_copy(t->arena, text);
    if (!source->name.p || !source->text.p)
        return err_set(reterr, ERR_TOO_LARGE, "template: %" STR_FMT ": too large", STR_ARG(name));
    Err ignored;
    Parser p = {.set = t, .arena = t->arena, .source = source, .lexer = tmpl_lexer(source->text, t->arena),
        .trees = map_create(MAP_COPY_KEYS), .err = reterr ? reterr : &ignored};
    TmplNode *root = declare(&p, STR("$")) ? parse_top(&p) : NULL;
    if (root && add_tree(&p, source->name, root)) adopt(t, p.trees);
    map_free(p.trees);
    return p.failed ? p.err->code : OK;
}
