/* gotmpl_exec.c - walks a tree: text, control structures, templates that call templates; and the limits of it all. */
#include "base/diag.h"
#include "lang/gotmpl_int.h"
#include "lang/lexer.h"

#include <stdarg.h>
#include <stdio.h>

#define DEPTH_MAX 2000 /* of lists in lists and templates in templates: bounded by a thread's stack */
#define OUTPUT_MAX_DEFAULT (4u << 20)
#define STEPS_MAX_DEFAULT 10000000

static TmplFlow walk(TmplExec *x, GoValue dot, const TmplNode *n);

bool tmpl_fail(TmplExec *x, const char *fmt, ...) {
    if (x->code) return false;
    x->code = ERR_UNPROCESSABLE;
    char msg[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    Buf b = {0};
    int line = 0, col = 0;
    if (x->node) {
        const TmplSource *src = x->node->source;
        diag_locate(src->text, x->node->pos, &line, &col);
        buf_printf(&b, "template: %" STR_FMT ":%d:%d: executing ", STR_ARG(src->name), line, col - 1);
        lang_put_quoted(&b, x->name);
        buf_put_lit(&b, " at <");
        tmpl_node_put(x->node, &b);
        buf_put_lit(&b, ">: ");
    } else {
        buf_printf(&b, "template: %" STR_FMT ": ", STR_ARG(x->name));
    }
    buf_put(&b, msg, strlen(msg));
    err_set_at(x->err, x->code, line, col, "%s", buf_cstr(&b));
    buf_done(&b);
    return false;
}

bool tmpl_fail_limit(TmplExec *x, const char *what) {
    bool first = !x->code;
    tmpl_fail(x, "%s", what);
    if (first) x->code = ERR_TOO_LARGE;
    if (first && x->err) x->err->code = ERR_TOO_LARGE;
    return false;
}

static TmplFlow limit(TmplExec *x, const char *what) {
    tmpl_fail_limit(x, what);
    return FLOW_FAIL;
}

static TmplFlow check_output(TmplExec *x) {
    if (x->out->n - x->out_start <= x->out_max) return FLOW_NEXT;
    return limit(x, "template writes too much");
}

static Str last_function(const TmplNode *pipe) {
    const TmplNode *first = pipe->kids.v[pipe->kids.n - 1]->kids.v[0];
    return first->kind == NODE_IDENTIFIER ? first->text : STR_NULL;
}

static TmplFlow walk_action(TmplExec *x, GoValue dot, const TmplNode *n) {
    GoValue v;
    if (!tmpl_eval_pipeline(x, dot, n->pipe, &v)) return FLOW_FAIL;
    if (n->pipe->decl.n) return FLOW_NEXT;
    x->node = n;
    if (go_is(v, GO_FUNC)) {
        Buf b = {0};
        tmpl_node_put(n, &b);
        tmpl_fail(x, "can't print %s of type %s", buf_cstr(&b), v.type->name);
        buf_done(&b);
        return FLOW_FAIL;
    }
    if (x->html)
        tmpl_html_value(x->html, x->out, x->arena, v, last_function(n->pipe));
    else if (!v.type)
        buf_put_lit(x->out, "<no value>");
    else
        go_put_indirect(x->out, x->arena, v);
    return check_output(x);
}

static TmplFlow walk_list(TmplExec *x, GoValue dot, const TmplNode *list) {
    if (++x->depth > DEPTH_MAX) return limit(x, "exceeded maximum template depth (2000)");
    TmplFlow flow = FLOW_NEXT;
    for (size_t i = 0; i < list->kids.n && flow == FLOW_NEXT; i++) flow = walk(x, dot, list->kids.v[i]);
    x->depth--;
    return flow;
}

static TmplFlow walk_if_or_with(TmplExec *x, GoValue dot, const TmplNode *n) {
    size_t mark = x->vars.n;
    GoValue v;
    if (!tmpl_eval_pipeline(x, dot, n->pipe, &v)) return FLOW_FAIL;
    TmplFlow flow = FLOW_NEXT;
    if (go_truth(v))
        flow = walk_list(x, n->kind == NODE_WITH ? v : dot, n->list);
    else if (n->else_list)
        flow = walk_list(x, dot, n->else_list);
    x->vars.n = mark;
    return flow;
}

static void set_var(TmplExec *x, Str name, GoValue v) {
    for (size_t i = x->vars.n; i > x->vars_base; i--)
        if (str_eq(x->vars.v[i - 1].name, name)) {
            x->vars.v[i - 1].value = v;
            return;
        }
}

/* mark: the number of variables with those of the range itself on top. */
static TmplFlow iterate(TmplExec *x, const TmplNode *n, size_t mark, GoValue index, GoValue elem) {
    const TmplNode *pipe = n->pipe;
    bool two = pipe->decl.n > 1;
    if (pipe->decl.n && pipe->is_assign) {
        set_var(x, pipe->decl.v[0]->ident.v[0], two ? index : elem);
        if (two) set_var(x, pipe->decl.v[1]->ident.v[0], elem);
    } else if (pipe->decl.n) {
        x->vars.v[mark - 1].value = elem;
        if (two) x->vars.v[mark - 2].value = index;
    }
    TmplFlow flow = walk_list(x, elem, n->list);
    x->vars.n = mark;
    if (x->steps_left == 0) return limit(x, "template runs too long");
    x->steps_left--;
    return flow == FLOW_CONTINUE ? FLOW_NEXT : flow;
}

static bool range_count(TmplExec *x, const TmplNode *n, GoValue v, size_t *ret) {
    *ret = 0;
    if (!v.type) return true;
    if (v.type->kind == GO_LIST || v.type->kind == GO_MAP) {
        *ret = go_len(v);
        return true;
    }
    Buf b = {0};
    go_put_indirect(&b, x->arena, v);
    if (v.type->kind != GO_INT && v.type->kind != GO_UINT)
        tmpl_fail(x, "range can't iterate over %s", buf_cstr(&b));
    else if (n->pipe->decl.n > 1)
        tmpl_fail(x, "can't use %s to iterate over more than one variable", buf_cstr(&b));
    buf_done(&b);
    if (v.type->kind == GO_UINT)
        *ret = (size_t)v.u;
    else
        *ret = v.i > 0 ? (size_t)v.i : 0;
    return x->code == OK;
}

static TmplFlow walk_range(TmplExec *x, GoValue dot, const TmplNode *n) {
    x->node = n;
    size_t outer = x->vars.n, count;
    GoValue v;
    if (!tmpl_eval_pipeline(x, dot, n->pipe, &v) || !range_count(x, n, v, &count)) return FLOW_FAIL;
    size_t mark = x->vars.n;
    TmplFlow flow = FLOW_NEXT;
    for (size_t i = 0; i < count && flow == FLOW_NEXT; i++) {
        GoValue index = go_of_int((int64_t)i), elem;
        if (v.type->kind == GO_LIST) {
            elem = v.list->v[i];
        } else if (v.type->kind == GO_MAP) {
            index = go_of_str(v.map->v[i].key);
            elem = v.map->v[i].value;
        } else {
            elem = (GoValue){.type = v.type, .i = (int64_t)i};
        }
        flow = iterate(x, n, mark, index, elem);
    }
    if (flow == FLOW_BREAK) flow = FLOW_NEXT;
    if (count == 0 && n->else_list) flow = walk_list(x, dot, n->else_list);
    x->vars.n = outer;
    return flow;
}

static TmplFlow walk_template(TmplExec *x, GoValue dot, const TmplNode *n) {
    x->node = n;
    const TmplNode *root = gotmpl_find(x->set, n->text);
    if (!root) {
        Buf b = {0};
        lang_put_quoted(&b, n->text);
        tmpl_fail(x, "template %s not defined", buf_cstr(&b));
        buf_done(&b);
        return FLOW_FAIL;
    }
    GoValue v;
    if (!tmpl_eval_pipeline(x, dot, n->pipe, &v)) return FLOW_FAIL;
    return tmpl_run(x, root, n->text, v);
}

static TmplFlow walk(TmplExec *x, GoValue dot, const TmplNode *n) {
    x->node = n;
    if (x->steps_left == 0) return limit(x, "template runs too long");
    x->steps_left--;
    switch (n->kind) {
    case NODE_ACTION: return walk_action(x, dot, n);
    case NODE_BREAK: return FLOW_BREAK;
    case NODE_CONTINUE: return FLOW_CONTINUE;
    case NODE_IF:
    case NODE_WITH: return walk_if_or_with(x, dot, n);
    case NODE_LIST: return walk_list(x, dot, n);
    case NODE_RANGE: return walk_range(x, dot, n);
    case NODE_TEMPLATE: return walk_template(x, dot, n);
    case NODE_TEXT:
        if (x->html)
            tmpl_html_text(x->html, x->out, n->text);
        else
            buf_put_str(x->out, n->text);
        return check_output(x);
    default: UNREACHABLE();
    }
}

TmplFlow tmpl_run(TmplExec *x, const TmplNode *root, Str name, GoValue data) {
    Str outer_name = x->name;
    size_t outer_base = x->vars_base, mark = x->vars.n;
    x->name = name;
    x->vars_base = mark;
    vec_push(&x->vars, (TmplVar){STR("$"), data});
    TmplFlow flow = walk_list(x, data, root);
    x->vars.n = mark;
    x->vars_base = outer_base;
    if (flow != FLOW_FAIL) x->name = outer_name;
    return flow;
}

ErrCode gotmpl_exec(const GoTmpl *t, Str name, GoValue data, const GoTmplExec *opts, Buf *out, Err *reterr) {
    const TmplNode *root = gotmpl_find(t, name);
    if (!root)
        return err_set(reterr, ERR_NOT_FOUND, "template: no template \"%" STR_FMT "\" in the set", STR_ARG(name));
    TmplExec x = {.set = t,
        .opts = opts,
        .arena = opts->arena,
        .out = out,
        .out_start = out->n,
        .out_max = opts->max_output_bytes ? opts->max_output_bytes : OUTPUT_MAX_DEFAULT,
        .steps_left = opts->max_steps ? opts->max_steps : STEPS_MAX_DEFAULT,
        .html = opts->html ? tmpl_html_create() : NULL,
        .err = reterr};
    tmpl_run(&x, root, name, data);
    tmpl_html_free(x.html);
    vec_done(&x.vars);
    return x.code;
}

ErrCode gotmpl_expand(
    const GoTmpl *t, Str name, Str text, GoValue data, const GoTmplExec *opts, Buf *out, Err *reterr) {
    GoTmpl *own = gotmpl_create_on(t);
    ErrCode code = gotmpl_parse(own, name, text, reterr);
    if (!code) code = gotmpl_exec(own, name, data, opts, out, reterr);
    gotmpl_free(own);
    return code;
}

ErrCode gotmpl_call_template(GoCall *c, Str name, GoValue data, Buf *out) {
    TmplExec *x = c->exec;
    const TmplNode *root = gotmpl_find(x->set, name);
    if (!root)
        return err_set(c->err, ERR_NOT_FOUND, "template: no template \"%" STR_FMT "\" in the set", STR_ARG(name));
    Buf *outer_out = x->out;
    TmplHtml *outer_html = x->html;
    size_t outer_start = x->out_start;
    x->out = out;
    x->out_start = out->n;
    if (outer_html) x->html = tmpl_html_create();
    tmpl_run(x, root, name, data);
    if (outer_html) tmpl_html_free(x->html);
    x->out = outer_out;
    x->out_start = outer_start;
    x->html = outer_html;
    return x->code;
}
