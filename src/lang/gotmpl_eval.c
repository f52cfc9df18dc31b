/* gotmpl_eval.c - pipelines, commands, fields, calls and their arguments. */
#include "lang/gotmpl_int.h"
#include "lang/lexer.h"

static bool eval_arg(TmplExec *x, GoValue dot, const GoType *type, const TmplNode *n, GoValue *ret);
static bool eval_function(TmplExec *x, GoValue dot, const TmplNode *n, const TmplNode *cmd, const TmplNodes *args,
    const GoValue *final, GoValue *ret);
static bool eval_field_chain(TmplExec *x, GoValue dot, GoValue receiver, const TmplNode *n, size_t from,
    const TmplNodes *args, const GoValue *final, GoValue *ret);

static bool fail_with_node(TmplExec *x, const char *what, const TmplNode *n, const char *tail) {
    Buf b = {0};
    tmpl_node_put(n, &b);
    tmpl_fail(x, "%s%s%s", what, buf_cstr(&b), tail);
    buf_done(&b);
    return false;
}

/* --- types of arguments --- */

bool gotmpl_assignable(const GoType *from, const GoType *to) {
    if (from == to || to->kind == GO_ANY) return true;
    if (from->kind != to->kind || (to->kind != GO_LIST && to->kind != GO_MAP)) return false;
    bool unnamed = to->name[0] == '[' || strncmp(to->name, "map[", 4) == 0; /* a named type fits its plain one */
    return unnamed && from->elem == to->elem;
}

static bool can_be_nil(const GoType *t) {
    return t->kind == GO_ANY || t->kind == GO_LIST || t->kind == GO_MAP || t->kind == GO_FUNC || t->pointer;
}

static bool validate_type(TmplExec *x, GoValue v, const GoType *type, GoValue *ret) {
    *ret = v;
    if (!type || type->kind == GO_ANY) return true;
    if (!v.type) {
        if (!can_be_nil(type)) return tmpl_fail(x, "invalid value; expected %s", type->name);
        *ret = go_zero(type);
        return true;
    }
    if (gotmpl_assignable(v.type, type)) return true;
    return tmpl_fail(x, "wrong type for value; expected %s; got %s", type->name, v.type->name);
}

static bool ideal_constant(TmplExec *x, const TmplNode *n, GoValue *ret) {
    x->node = n;
    bool hex = n->written.n > 2 && n->written.p[0] == '0' && (n->written.p[1] | 0x20) == 'x' &&
               str_find_char(n->written, 'p') == SIZE_MAX && str_find_char(n->written, 'P') == SIZE_MAX;
    bool pointed = false;
    for (size_t i = 0; i < n->written.n; i++) pointed = pointed || memchr(".eEpP", n->written.p[i], 5);
    if (n->is_float && pointed && !hex && n->written.p[0] != '\'')
        *ret = go_of_f64(n->f);
    else if (n->is_int)
        *ret = go_of_int(n->i);
    else
        return fail_with_node(x, "", n, " overflows int");
    return true;
}

/* A literal where a parameter wants a certain type. */
static bool eval_literal(TmplExec *x, const GoType *type, const TmplNode *n, GoValue *ret) {
    x->node = n;
    *ret = (GoValue){.type = type};
    switch (type->kind) {
    case GO_BOOL: ret->b = n->truth; return n->kind == NODE_BOOL || fail_with_node(x, "expected bool; found ", n, "");
    case GO_STRING:
        ret->s = n->text;
        return n->kind == NODE_STRING || fail_with_node(x, "expected string; found ", n, "");
    case GO_INT:
        ret->i = n->i;
        return (n->kind == NODE_NUMBER && n->is_int) || fail_with_node(x, "expected integer; found ", n, "");
    case GO_UINT:
        ret->u = n->u;
        return (n->kind == NODE_NUMBER && n->is_uint) || fail_with_node(x, "expected unsigned integer; found ", n, "");
    case GO_FLOAT:
        ret->f = n->f;
        return (n->kind == NODE_NUMBER && n->is_float) || fail_with_node(x, "expected float; found ", n, "");
    case GO_ANY:
        if (n->kind == NODE_BOOL)
            *ret = go_of_bool(n->truth);
        else if (n->kind == NODE_STRING)
            *ret = go_of_str(n->text);
        else
            return ideal_constant(x, n, ret);
        return true;
    default: break;
    }
    Buf b = {0};
    tmpl_node_put(n, &b);
    tmpl_fail(x, "can't handle %s for arg of type %s", buf_cstr(&b), type->name);
    buf_done(&b);
    return false;
}

static bool eval_variable(
    TmplExec *x, GoValue dot, const TmplNode *n, const TmplNodes *args, const GoValue *final, GoValue *ret);

static bool eval_chain(
    TmplExec *x, GoValue dot, const TmplNode *n, const TmplNodes *args, const GoValue *final, GoValue *ret) {
    x->node = n;
    if (n->pipe->kind == NODE_NIL) return fail_with_node(x, "indirection through explicit nil in ", n, "");
    GoValue v;
    return eval_arg(x, dot, NULL, n->pipe, &v) && eval_field_chain(x, dot, v, n, 0, args, final, ret);
}

/* type NULL: any. */
static bool eval_arg(TmplExec *x, GoValue dot, const GoType *type, const TmplNode *n, GoValue *ret) {
    x->node = n;
    GoValue v;
    bool ok;
    switch (n->kind) {
    case NODE_DOT:
        v = dot;
        ok = true;
        break;
    case NODE_NIL:
        if (type && !can_be_nil(type)) return tmpl_fail(x, "cannot assign nil to %s", type->name);
        *ret = type ? go_zero(type) : go_nil();
        return true;
    case NODE_FIELD: ok = eval_field_chain(x, dot, dot, n, 0, NULL, NULL, &v); break;
    case NODE_VARIABLE: ok = eval_variable(x, dot, n, NULL, NULL, &v); break;
    case NODE_PIPE: ok = tmpl_eval_pipeline(x, dot, n, &v); break;
    case NODE_IDENTIFIER: ok = eval_function(x, dot, n, n, NULL, NULL, &v); break;
    case NODE_CHAIN: ok = eval_chain(x, dot, n, NULL, NULL, &v); break;
    default: return eval_literal(x, type ? type : go_any, n, ret);
    }
    if (ok && !v.type && x->is_any && type && type->kind != GO_ANY && n->kind != NODE_PIPE && n->kind != NODE_DOT)
        return tmpl_fail(x, "wrong type for value; expected %s; got interface {}", type->name);
    return ok && validate_type(x, v, type, ret);
}

/* --- calls --- */

bool tmpl_call_func(TmplExec *x, const GoFunc *f, GoValue self, const GoValue *args, size_t n, GoValue *ret) {
    Err err = {0};
    GoCall call = {.arena = x->arena, .ctx = x->opts->ctx, .exec = x, .self = self, .err = &err};
    *ret = go_nil();
    ErrCode code = f->fn(&call, args, n, ret);
    if (x->code) return false; /* a nested template has failed on its own account */
    if (code) {
        tmpl_fail(x, "error calling %" STR_FMT ": %s", STR_ARG(f->name), err.msg);
        if (code == ERR_TOO_LARGE || code == ERR_CANCELLED || code == ERR_TIMEOUT) x->code = code;
        return false;
    }
    return !arena_exhausted(x->arena) || tmpl_fail_limit(x, "template needs too much memory");
}

/* Short-circuit: the first argument that decides, else the last. */
static bool eval_and_or(
    TmplExec *x, GoValue dot, const GoFunc *f, const TmplNodes *args, const GoValue *final, GoValue *ret) {
    for (size_t i = 1; args && i < args->n; i++) {
        if (!eval_arg(x, dot, go_any, args->v[i], ret)) return false;
        if (go_truth(*ret) == (f == &gotmpl_or)) return true;
    }
    if (final) *ret = *final;
    return true;
}

static const GoType *param_type(const GoFunc *f, size_t i) {
    return i < f->n_params ? f->params[i] : f->params[f->n_params - 1];
}

static bool call_value(TmplExec *x, const TmplNode *node, const TmplNodes *args, GoValue *argv, size_t n, GoValue *ret);

/* args: with the function's own node in front, or NULL for none. node: what an error of the call is about. */
static bool eval_call(TmplExec *x, GoValue dot, const GoFunc *f, GoValue self, const TmplNode *node,
    const TmplNodes *args, const GoValue *final, GoValue *ret) {
    size_t n_args = args ? args->n - 1 : 0, n = n_args + (final != NULL);
    if (f->variadic) {
        if (n < f->n_params - 1u)
            return tmpl_fail(x, "wrong number of args for %" STR_FMT ": want at least %u got %zu", STR_ARG(f->name),
                f->n_params - 1u, n_args);
    } else if (n != f->n_params) {
        return tmpl_fail(x, "wrong number of args for %" STR_FMT ": want %u got %zu", STR_ARG(f->name), f->n_params, n);
    }
    if (f == &gotmpl_and || f == &gotmpl_or) return eval_and_or(x, dot, f, args, final, ret);
    GoValue *argv = ARENA_ARRAY(x->arena, GoValue, n);
    if (!argv) return tmpl_fail_limit(x, "template needs too much memory");
    for (size_t i = 0; i < n_args; i++)
        if (!eval_arg(x, dot, param_type(f, i), args->v[i + 1], &argv[i])) return false;
    if (final && !validate_type(x, *final, param_type(f, n - 1), &argv[n - 1])) return false;
    if (f == &gotmpl_call) return call_value(x, node, args, argv, n, ret);
    const TmplNode *at = x->node;
    x->node = node;
    if (!tmpl_call_func(x, f, self, argv, n, ret)) return false;
    x->node = at;
    return true;
}

/* The builtin call: its first argument is a function. */
static bool call_value(
    TmplExec *x, const TmplNode *node, const TmplNodes *args, GoValue *argv, size_t n, GoValue *ret) {
    x->node = node;
    if (!argv[0].type) return tmpl_fail(x, "error calling call: call of nil");
    Buf name = {0};
    if (args && args->n > 1)
        tmpl_node_put(args->v[1], &name);
    else
        go_put_value(&name, x->arena, argv[0]);
    const GoFunc *f = go_is(argv[0], GO_FUNC) ? argv[0].func : NULL;
    bool ok = false;
    if (!f)
        tmpl_fail(x, "error calling call: non-function %s of type %s", buf_cstr(&name), argv[0].type->name);
    else if (f->variadic ? n < f->n_params : n - 1 != f->n_params)
        tmpl_fail(x, "error calling call: wrong number of args for %s: got %zu want %s%u", buf_cstr(&name), n - 1,
            f->variadic ? "at least " : "", f->n_params - f->variadic);
    else
        ok = true;
    buf_done(&name);
    for (size_t i = 1; ok && i < n; i++) ok = validate_type(x, argv[i], param_type(f, i - 1), &argv[i]);
    return ok && tmpl_call_func(x, f, go_nil(), argv + 1, n - 1, ret);
}

static bool eval_function(TmplExec *x, GoValue dot, const TmplNode *n, const TmplNode *cmd, const TmplNodes *args,
    const GoValue *final, GoValue *ret) {
    x->node = n;
    return eval_call(x, dot, n->func, go_nil(), cmd, args, final, ret);
}

/* --- fields --- */

static bool map_field(TmplExec *x, GoValue receiver, Str name, bool has_args, GoValue *ret) {
    if (has_args) return tmpl_fail(x, "%" STR_FMT " is not a method but has arguments", STR_ARG(name));
    const GoValue *v = go_map_get(receiver, name);
    *ret = v ? *v : x->set->missing_zero ? go_zero(receiver.type->elem) : go_nil();
    x->is_any = receiver.type->elem->kind == GO_ANY && (v || x->set->missing_zero);
    return true;
}

static bool eval_field(TmplExec *x, GoValue dot, Str name, const TmplNode *n, const TmplNodes *args,
    const GoValue *final, GoValue receiver, GoValue *ret) {
    *ret = go_nil();
    const GoType *t = receiver.type;
    bool was_any = x->is_any;
    x->is_any = false;
    if (!t && was_any) return tmpl_fail(x, "nil pointer evaluating interface {}.%" STR_FMT, STR_ARG(name));
    if (!t) return true;
    for (size_t i = 0; i < t->n_methods; i++)
        if (str_eq(t->methods[i].name, name)) return eval_call(x, dot, &t->methods[i], receiver, n, args, final, ret);
    bool has_args = (args && args->n > 1) || final;
    if (t->kind == GO_MAP) return map_field(x, receiver, name, has_args, ret);
    for (size_t i = 0; i < t->n_fields; i++) {
        if (!str_eq(t->fields[i].name, name)) continue;
        if (!receiver.obj) return tmpl_fail(x, "nil pointer evaluating %s.%" STR_FMT, t->name, STR_ARG(name));
        if (has_args)
            return tmpl_fail(x, "%" STR_FMT " has arguments but cannot be invoked as function", STR_ARG(name));
        *ret = t->fields[i].get(receiver.obj, x->arena);
        x->is_any = !ret->type;
        return true;
    }
    return tmpl_fail(
        x, "can't evaluate field %" STR_FMT " in type %s", STR_ARG(name), was_any ? "interface {}" : t->name);
}

static bool eval_field_chain(TmplExec *x, GoValue dot, GoValue receiver, const TmplNode *n, size_t from,
    const TmplNodes *args, const GoValue *final, GoValue *ret) {
    x->is_any = false;
    for (size_t i = from; i + 1 < n->ident.n; i++)
        if (!eval_field(x, dot, n->ident.v[i], n, NULL, NULL, receiver, &receiver)) return false;
    return eval_field(x, dot, n->ident.v[n->ident.n - 1], n, args, final, receiver, ret);
}

/* --- commands --- */

static bool not_a_function(TmplExec *x, const TmplNodes *args, const GoValue *final) {
    if ((args && args->n > 1) || final)
        return fail_with_node(x, "can't give argument to non-function ", args ? args->v[0] : x->node, "");
    return true;
}

static TmplVar *find_var(TmplExec *x, Str name) {
    for (size_t i = x->vars.n; i > x->vars_base; i--)
        if (str_eq(x->vars.v[i - 1].name, name)) return &x->vars.v[i - 1];
    return NULL;
}

static bool eval_variable(
    TmplExec *x, GoValue dot, const TmplNode *n, const TmplNodes *args, const GoValue *final, GoValue *ret) {
    x->node = n;
    const TmplVar *v = find_var(x, n->ident.v[0]);
    if (!v) return tmpl_fail(x, "undefined variable: %" STR_FMT, STR_ARG(n->ident.v[0]));
    *ret = v->value;
    if (n->ident.n == 1) return not_a_function(x, args, final);
    return eval_field_chain(x, dot, v->value, n, 1, args, final, ret);
}

static bool eval_command(TmplExec *x, GoValue dot, const TmplNode *cmd, const GoValue *final, GoValue *ret) {
    const TmplNode *first = cmd->kids.v[0];
    switch (first->kind) {
    case NODE_FIELD: x->node = first; return eval_field_chain(x, dot, dot, first, 0, &cmd->kids, final, ret);
    case NODE_CHAIN: return eval_chain(x, dot, first, &cmd->kids, final, ret);
    case NODE_IDENTIFIER: return eval_function(x, dot, first, cmd, &cmd->kids, final, ret);
    case NODE_PIPE: return not_a_function(x, &cmd->kids, final) && tmpl_eval_pipeline(x, dot, first, ret);
    case NODE_VARIABLE: return eval_variable(x, dot, first, &cmd->kids, final, ret);
    default: break;
    }
    x->node = first;
    if (!not_a_function(x, &cmd->kids, final)) return false;
    switch (first->kind) {
    case NODE_BOOL: *ret = go_of_bool(first->truth); return true;
    case NODE_DOT: *ret = dot; return true;
    case NODE_NIL: return tmpl_fail(x, "nil is not a command");
    case NODE_NUMBER: return ideal_constant(x, first, ret);
    case NODE_STRING: *ret = go_of_str(first->text); return true;
    default: return fail_with_node(x, "can't evaluate command ", first, "");
    }
}

bool tmpl_eval_pipeline(TmplExec *x, GoValue dot, const TmplNode *pipe, GoValue *ret) {
    *ret = go_nil();
    if (!pipe) return true;
    x->node = pipe;
    if (x->steps_left == 0) return tmpl_fail_limit(x, "template runs too long");
    x->steps_left--;
    GoValue value = go_nil();
    for (size_t i = 0; i < pipe->kids.n; i++) {
        GoValue prev = value;
        if (!eval_command(x, dot, pipe->kids.v[i], i ? &prev : NULL, &value)) return false;
    }
    for (size_t i = 0; i < pipe->decl.n; i++) {
        Str name = pipe->decl.v[i]->ident.v[0];
        if (pipe->is_assign) {
            TmplVar *v = find_var(x, name);
            if (!v) return tmpl_fail(x, "undefined variable: %" STR_FMT, STR_ARG(name));
            v->value = value;
        } else {
            vec_push(&x->vars, (TmplVar){name, value});
        }
    }
    *ret = value;
    return true;
}
