/* gotmpl_parse.c - items into a tree. The grammar's corners (which item an error names, on which line) are Go's. */
#include "lang/gotmpl_parse_int.h"

static TmplNode *parse_text_or_action(TmplParser *p);

static TmplNode *parse_list(TmplParser *p, TmplNode **ret_end) {
    TmplItem at = tmplp_peek_solid(p);
    TmplNode *list = tmplp_node(p, NODE_LIST, at.pos, at.line);
    while (list && tmplp_peek_solid(p).kind != TOK_EOF) {
        TmplNode *n = parse_text_or_action(p);
        if (!n) return NULL;
        if (n->kind == NODE_END || n->kind == NODE_ELSE) {
            *ret_end = n;
            return list;
        }
        if (!tmplp_push(p, &list->kids, n)) return NULL;
    }
    return list ? tmplp_fail(p, "unexpected EOF") : NULL;
}

static TmplNode *parse_control(TmplParser *p, TmplNodeKind kind);

/* Behind {{else: another if or with, or the list up to {{end}}. */
static TmplNode *parse_else(TmplParser *p, TmplNodeKind kind, const TmplNode *at) {
    TmplTok k = tmplp_peek(p).kind;
    if ((kind == NODE_IF && k == TOK_IF) || (kind == NODE_WITH && k == TOK_WITH)) {
        tmplp_next(p);
        TmplNode *list = tmplp_node(p, NODE_LIST, at->pos, at->line);
        return list && tmplp_push(p, &list->kids, parse_control(p, kind)) ? list : NULL;
    }
    TmplNode *end = NULL, *list = parse_list(p, &end);
    if (list && end->kind != NODE_END) return tmplp_fail(p, "expected end; found {{else}}");
    return list;
}

static TmplNode *parse_control(TmplParser *p, TmplNodeKind kind) {
    const char *context = kind == NODE_IF ? "if" : kind == NODE_WITH ? "with" : "range";
    if (++p->nesting > GOTMPL_NESTING_MAX) return tmplp_fail(p, "control structures nested too deeply");
    size_t vars = p->vars.n;
    TmplNode *pipe = tmplp_pipeline(p, context, TOK_RIGHT_DELIM), *end = NULL, *n = NULL;
    if (pipe && (n = tmplp_node(p, kind, pipe->pos, pipe->line))) {
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

static bool template_name(TmplParser *p, TmplItem it, const char *context, Str *ret) {
    if (it.kind != TOK_STRING && it.kind != TOK_RAW_STRING) {
        tmplp_unexpected(p, it, context);
        return false;
    }
    if (tmpl_unquote(p->arena, it.val, ret)) return true;
    tmplp_fail(p, "invalid syntax");
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
static bool add_tree(TmplParser *p, Str name, TmplNode *root) {
    const TmplNode *old = map_get_ptr(p->trees, name);
    if (!old || tree_is_empty(old)) {
        map_set_ptr(p->trees, name, root);
        return true;
    }
    if (tree_is_empty(root)) return true;
    tmplp_fail(p, "template: multiple definition of template \"%" STR_FMT "\"", STR_ARG(name));
    return false;
}

/* The body of a define or block up to its {{end}}: variables and ranges outside are not seen inside. */
static bool parse_body(TmplParser *p, Str name, const char *context) {
    unsigned range_depth = p->range_depth;
    TmplParser outer = *p;
    p->range_depth = 0;
    p->vars.v = NULL;
    p->vars.n = p->vars.cap = 0;
    TmplNode *end = NULL, *root = NULL;
    if (++p->nesting > GOTMPL_NESTING_MAX)
        tmplp_fail(p, "control structures nested too deeply");
    else if (tmplp_declare(p, STR("$")))
        root = parse_list(p, &end);
    p->nesting--;
    p->vars.v = outer.vars.v;
    p->vars.n = outer.vars.n;
    p->vars.cap = outer.vars.cap;
    p->range_depth = range_depth;
    if (!root) return false;
    if (end->kind != NODE_END) {
        tmplp_fail(p, "unexpected {{else}} in %s", context);
        return false;
    }
    return add_tree(p, name, root);
}

static TmplNode *parse_block(TmplParser *p) {
    TmplItem it = tmplp_next_solid(p);
    Str name;
    if (!template_name(p, it, "block clause", &name)) return NULL;
    TmplNode *n = tmplp_node(p, NODE_TEMPLATE, it.pos, it.line);
    if (!n || !(n->pipe = tmplp_pipeline(p, "block clause", TOK_RIGHT_DELIM))) return NULL;
    n->text = name;
    return parse_body(p, name, "block clause") ? n : NULL;
}

static TmplNode *parse_template(TmplParser *p) {
    TmplItem it = tmplp_next_solid(p);
    Str name;
    if (!template_name(p, it, "template clause", &name)) return NULL;
    TmplNode *n = tmplp_node(p, NODE_TEMPLATE, it.pos, it.line);
    if (!n) return NULL;
    n->text = name;
    if (tmplp_next_solid(p).kind == TOK_RIGHT_DELIM) return n;
    tmplp_back(p);
    n->pipe = tmplp_pipeline(p, "template clause", TOK_RIGHT_DELIM);
    return n->pipe ? n : NULL;
}

static TmplNode *parse_jump(TmplParser *p, TmplNodeKind kind, TmplItem at) {
    const char *name = kind == NODE_BREAK ? "{{break}}" : "{{continue}}";
    TmplItem it = tmplp_next_solid(p);
    if (it.kind != TOK_RIGHT_DELIM) return tmplp_unexpected(p, it, name);
    if (p->range_depth == 0) return tmplp_fail(p, "%s outside {{range}}", name);
    return tmplp_node(p, kind, at.pos, at.line);
}

static TmplNode *parse_else_token(TmplParser *p) {
    TmplItem it = tmplp_peek_solid(p);
    if (it.kind != TOK_IF && it.kind != TOK_WITH && !tmplp_expect(p, TOK_RIGHT_DELIM, "else", &it)) return NULL;
    return tmplp_node(p, NODE_ELSE, it.pos, it.line);
}

static TmplNode *parse_action(TmplParser *p) {
    TmplItem it = tmplp_next_solid(p);
    switch (it.kind) {
    case TOK_BLOCK: return parse_block(p);
    case TOK_BREAK: return parse_jump(p, NODE_BREAK, it);
    case TOK_CONTINUE: return parse_jump(p, NODE_CONTINUE, it);
    case TOK_ELSE: return parse_else_token(p);
    case TOK_END: return tmplp_expect(p, TOK_RIGHT_DELIM, "end", &it) ? tmplp_node(p, NODE_END, it.pos, it.line) : NULL;
    case TOK_IF: return parse_control(p, NODE_IF);
    case TOK_RANGE: return parse_control(p, NODE_RANGE);
    case TOK_TEMPLATE: return parse_template(p);
    case TOK_WITH: return parse_control(p, NODE_WITH);
    default: break;
    }
    tmplp_back(p);
    it = tmplp_peek(p);
    TmplNode *n = tmplp_node(p, NODE_ACTION, it.pos, it.line);
    if (!n || !(n->pipe = tmplp_pipeline(p, "command", TOK_RIGHT_DELIM))) return NULL;
    return n;
}

static TmplNode *parse_text_or_action(TmplParser *p) {
    TmplItem it = tmplp_next_solid(p);
    TmplNode *n;
    switch (it.kind) {
    case TOK_TEXT:
        if ((n = tmplp_node(p, NODE_TEXT, it.pos, it.line))) n->text = it.val;
        return n;
    case TOK_LEFT_DELIM:
        p->action_line = it.line;
        n = parse_action(p);
        p->action_line = 0;
        return n;
    default: return tmplp_unexpected(p, it, "input");
    }
}

static bool parse_definition(TmplParser *p) {
    TmplItem it = tmplp_next_solid(p), ignored;
    Str name;
    return template_name(p, it, "define clause", &name) &&
           tmplp_expect(p, TOK_RIGHT_DELIM, "define clause", &ignored) && parse_body(p, name, "define clause");
}

static TmplNode *parse_top(TmplParser *p) {
    TmplNode *root = tmplp_node(p, NODE_LIST, tmplp_peek(p).pos, 1);
    while (root && tmplp_peek(p).kind != TOK_EOF) {
        if (tmplp_peek(p).kind == TOK_LEFT_DELIM) {
            TmplItem delim = tmplp_next(p);
            if (tmplp_next_solid(p).kind == TOK_DEFINE) {
                if (!parse_definition(p)) return NULL;
                continue;
            }
            p->token[1] = delim;
            p->peeked = 2;
        }
        TmplNode *n = parse_text_or_action(p);
        if (!n) return NULL;
        if (n->kind == NODE_END || n->kind == NODE_ELSE)
            return tmplp_fail(p, "unexpected %s", n->kind == NODE_END ? "{{end}}" : "{{else}}");
        if (!tmplp_push(p, &root->kids, n)) return NULL;
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
    TmplParser p = {.set = t,
        .arena = t->arena,
        .source = source,
        .lexer = tmpl_lexer(source->text, t->arena),
        .trees = map_create(MAP_COPY_KEYS),
        .err = reterr ? reterr : &ignored};
    TmplNode *root = tmplp_declare(&p, STR("$")) ? parse_top(&p) : NULL;
    if (root && add_tree(&p, source->name, root)) adopt(t, p.trees);
    map_free(p.trees);
    return p.failed ? p.err->code : OK;
}
