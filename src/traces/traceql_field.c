/* traceql_field.c - what a field of a span is, and what expressions make of it. */
#include "traces/traceql_eval_int.h"

#include "base/json.h"
#include "base/num.h"

#include <math.h>

static TqlValue nil(void) { return (TqlValue){.type = TQL_NIL}; }
static TqlValue of_str(Str s) { return (TqlValue){.type = TQL_STRING, .s = s}; }
static TqlValue of_int(int64_t i) { return (TqlValue){.type = TQL_INT, .i = i}; }
static TqlValue of_duration(int64_t ns) { return (TqlValue){.type = TQL_DURATION, .i = ns}; }
static TqlValue of_bool(bool b) { return (TqlValue){.type = TQL_BOOL, .b = b}; }

/* --- attributes --- */

static TqlValue of_token(const JsonReader *r, JsonToken t) {
    int64_t i;
    double d;
    switch (t) {
    case JSON_STRING: return of_str(r->text);
    case JSON_TRUE: return of_bool(true);
    case JSON_FALSE: return of_bool(false);
    case JSON_NUMBER:
        if (json_token_i64(r, &i)) return of_int(i);
        return json_token_f64(r, &d) ? (TqlValue){.type = TQL_FLOAT, .d = d} : nil();
    default: return nil();
    }
}

/* Arrays and maps within arrays are left out. */
static TqlValue of_array(Str json, Arena *arena) {
    JsonReader r;
    AVEC(TqlValue) items = {0};
    json_reader_init(&r, json, arena, 0);
    if (json_next(&r) != JSON_ARRAY_BEGIN) return nil();
    for (JsonToken t = json_next(&r); t != JSON_ARRAY_END; t = json_next(&r)) {
        if (t == JSON_ERROR || t == JSON_END) return nil();
        if (t == JSON_ARRAY_BEGIN || t == JSON_OBJECT_BEGIN) {
            json_skip_open(&r);
            continue;
        }
        TqlValue v = of_token(&r, t);
        if (v.type != TQL_NIL && !avec_push(arena, &items, v)) return nil();
    }
    return (TqlValue){.type = TQL_ARRAY, .n = (uint32_t)items.n, .v = items.v};
}

static TqlValue of_bytes(Str bytes, Arena *arena) {
    Buf b = {0};
    num_put_base64(&b, bytes.p, bytes.n);
    Str text = arena_copy(arena, buf_str(&b));
    buf_done(&b);
    return text.p ? of_str(text) : nil();
}

TqlValue tql_of_attr(const AttrValue *v, Arena *arena) {
    switch (v->type) {
    case ATTR_EMPTY: return nil();
    case ATTR_STR:
    case ATTR_MAP: return of_str(v->s);
    case ATTR_BOOL: return of_bool(v->b);
    case ATTR_I64: return of_int(v->i);
    case ATTR_F64: return (TqlValue){.type = TQL_FLOAT, .d = v->d};
    case ATTR_BYTES: return of_bytes(v->s, arena);
    case ATTR_ARRAY: return of_array(v->s, arena);
    }
    return nil();
}

static TqlValue in_range(const TqlEval *x, AttrRange range, Str name) {
    const AttrValue *v = attr_find(x->view->batch->attrs.v + range.first, range.n, name);
    return v ? tql_of_attr(v, x->arena) : nil();
}

/* --- events and links: a value for each that has one --- */

static TqlValue of_event(const TqlEval *x, const SpanRow *r, const SpanEvent *e, const TqlAttr *a) {
    switch (a->intrinsic) {
    case TQL_EVENT_NAME: return of_str(e->name);
    case TQL_EVENT_TIME_SINCE_START: return of_duration((int64_t)((uint64_t)e->t_ns - (uint64_t)r->start_ns));
    default: return in_range(x, e->attrs, a->name);
    }
}

static TqlValue of_hex(const TqlEval *x, const uint8_t *p, size_t n) {
    static const char digits[] = "0123456789abcdef";
    char *out = arena_alloc(x->arena, n * 2);
    if (!out) return nil();
    for (size_t i = 0; i < n; i++) {
        out[i * 2] = digits[p[i] >> 4];
        out[i * 2 + 1] = digits[p[i] & 15];
    }
    return of_str(str_of(out, n * 2));
}

static TqlValue of_link(const TqlEval *x, const SpanLink *l, const TqlAttr *a) {
    switch (a->intrinsic) {
    case TQL_LINK_TRACE_ID: return of_hex(x, l->trace_id.b, sizeof l->trace_id.b);
    case TQL_LINK_SPAN_ID: return of_hex(x, l->span_id.b, sizeof l->span_id.b);
    default: return in_range(x, l->attrs, a->name);
    }
}

static TqlValue of_many(const TqlEval *x, const SpanRow *r, const TqlAttr *a, bool links) {
    const SpansBatch *b = x->view->batch;
    AttrRange range = links ? r->links : r->events;
    AVEC(TqlValue) all = {0};
    for (uint32_t i = 0; i < range.n; i++) {
        TqlValue v =
            links ? of_link(x, &b->links.v[range.first + i], a) : of_event(x, r, &b->events.v[range.first + i], a);
        const TqlValue *items = v.type == TQL_ARRAY ? v.v : &v;
        uint32_t n = v.type == TQL_ARRAY ? v.n : v.type != TQL_NIL;
        for (uint32_t k = 0; k < n; k++) {
            if (!avec_push(x->arena, &all, items[k])) return nil();
        }
    }
    if (all.n == 0) return nil();
    return all.n == 1 ? all.v[0] : (TqlValue){.type = TQL_MANY, .n = (uint32_t)all.n, .v = all.v};
}

/* --- intrinsics --- */

static TqlValue of_id(const TqlEval *x, SpanId id) { return of_hex(x, id.b, sizeof id.b); }

static TqlValue span_intrinsic(const TqlEval *x, const SpanRow *r, TqlIntrinsic i) {
    switch (i) {
    case TQL_DURATION_NS: return of_duration((int64_t)((uint64_t)r->end_ns - (uint64_t)r->start_ns));
    case TQL_NAME: return of_str(r->name);
    case TQL_STATUS_CODE: return (TqlValue){.type = TQL_STATUS, .i = r->status};
    case TQL_STATUS_MESSAGE: return of_str(r->status_message);
    case TQL_SPAN_KIND: return (TqlValue){.type = TQL_KIND, .i = r->kind};
    case TQL_SPAN_ID: return of_id(x, r->span_id);
    case TQL_SPAN_PARENT_ID: return span_id_is_zero(r->parent_id) ? of_str(STR("")) : of_id(x, r->parent_id);
    case TQL_PARENT_SPAN: return span_id_is_zero(r->parent_id) ? nil() : of_id(x, r->parent_id);
    case TQL_TRACE_ID: return of_hex(x, r->trace_id.b, sizeof r->trace_id.b);
    case TQL_INSTRUMENTATION_NAME: return of_str(x->view->batch->scopes.v[r->scope].name);
    case TQL_INSTRUMENTATION_VERSION: return of_str(x->view->batch->scopes.v[r->scope].version);
    default: return nil();
    }
}

static TqlValue trace_intrinsic(const TqlEval *x, TqlIntrinsic i) {
    const TqlView *v = x->view;
    if (!v->whole) return nil();
    const TqlPlace *p = &v->places[x->row];
    const SpanRow *root = v->root == TQL_NONE ? NULL : &v->batch->rows.v[v->root];
    switch (i) {
    case TQL_CHILD_COUNT: return of_int(p->children);
    case TQL_NESTED_SET_LEFT: return of_int(p->left);
    case TQL_NESTED_SET_RIGHT: return of_int(p->right);
    case TQL_NESTED_SET_PARENT: return of_int(p->parent_left);
    case TQL_TRACE_DURATION: return of_duration((int64_t)((uint64_t)v->max_end_ns - (uint64_t)v->min_start_ns));
    case TQL_TRACE_ROOT_NAME: return of_str(root ? root->name : STR(""));
    case TQL_TRACE_ROOT_SERVICE: return of_str(root ? spans_batch_service(v->batch, root) : STR(""));
    default: return nil();
    }
}

static TqlValue attribute(const TqlEval *x, const SpanRow *r, const TqlAttr *a) {
    const SpansBatch *b = x->view->batch;
    switch (a->scope) {
    case TQL_SCOPE_SPAN: return in_range(x, r->attrs, a->name);
    case TQL_SCOPE_RESOURCE: return in_range(x, b->resources.v[r->resource].attrs, a->name);
    case TQL_SCOPE_INSTRUMENTATION: return in_range(x, b->scopes.v[r->scope].attrs, a->name);
    case TQL_SCOPE_EVENT: return of_many(x, r, a, false);
    case TQL_SCOPE_LINK: return of_many(x, r, a, true);
    default: break;
    }
    TqlValue v = in_range(x, r->attrs, a->name);
    return v.type != TQL_NIL ? v : in_range(x, b->resources.v[r->resource].attrs, a->name);
}

TqlValue tql_field(const TqlEval *x, const TqlAttr *a) {
    const SpanRow *r = &x->view->batch->rows.v[x->row];
    if (a->parent) {
        uint32_t parent = x->view->whole ? x->view->places[x->row].parent : TQL_NONE;
        return parent == TQL_NONE ? nil() : attribute(x, &x->view->batch->rows.v[parent], a);
    }
    switch (a->intrinsic) {
    case TQL_NOT_INTRINSIC: return attribute(x, r, a);
    case TQL_EVENT_NAME:
    case TQL_EVENT_TIME_SINCE_START: return of_many(x, r, a, false);
    case TQL_LINK_TRACE_ID:
    case TQL_LINK_SPAN_ID: return of_many(x, r, a, true);
    case TQL_CHILD_COUNT:
    case TQL_NESTED_SET_LEFT:
    case TQL_NESTED_SET_RIGHT:
    case TQL_NESTED_SET_PARENT:
    case TQL_TRACE_DURATION:
    case TQL_TRACE_ROOT_NAME:
    case TQL_TRACE_ROOT_SERVICE: return trace_intrinsic(x, a->intrinsic);
    default: return span_intrinsic(x, r, a->intrinsic);
    }
}

/* --- operators --- */

bool tql_is_number(TqlValue v) { return v.type == TQL_INT || v.type == TQL_FLOAT || v.type == TQL_DURATION; }
double tql_as_f64(TqlValue v) { return v.type == TQL_FLOAT ? v.d : (double)v.i; }
bool tql_is_true(TqlValue v) { return v.type == TQL_BOOL && v.b; }

static bool holds(TqlOp op, int c) {
    switch (op) {
    case TQL_EQ: return c == 0;
    case TQL_NEQ: return c != 0;
    case TQL_GT: return c > 0;
    case TQL_GE: return c >= 0;
    case TQL_LT: return c < 0;
    default: return c <= 0;
    }
}

static bool compare_f64(TqlOp op, double l, double r) {
    switch (op) {
    case TQL_EQ: return l == r;
    case TQL_NEQ: return l != r;
    case TQL_GT: return l > r;
    case TQL_GE: return l >= r;
    case TQL_LT: return l < r;
    default: return l <= r;
    }
}

/* Values of different kinds compare as false, != included. */
static bool compare(TqlOp op, TqlValue l, TqlValue r) {
    if (tql_is_number(l) && tql_is_number(r)) {
        if (l.type == TQL_FLOAT || r.type == TQL_FLOAT) return compare_f64(op, tql_as_f64(l), tql_as_f64(r));
        return holds(op, (l.i > r.i) - (l.i < r.i));
    }
    if (l.type != r.type) return false;
    switch (l.type) {
    case TQL_STRING: return holds(op, op == TQL_EQ || op == TQL_NEQ ? !str_eq(l.s, r.s) : str_cmp(l.s, r.s));
    case TQL_BOOL: return (op == TQL_EQ && l.b == r.b) || (op == TQL_NEQ && l.b != r.b);
    case TQL_STATUS:
    case TQL_KIND: return (op == TQL_EQ && l.i == r.i) || (op == TQL_NEQ && l.i != r.i);
    default: return false;
    }
}

static TqlValue int_arithmetic(TqlOp op, int64_t l, int64_t r, TqlType type) {
    int64_t v = 0;
    bool over = op == TQL_ADD   ? __builtin_add_overflow(l, r, &v)
                : op == TQL_SUB ? __builtin_sub_overflow(l, r, &v)
                                : __builtin_mul_overflow(l, r, &v);
    double d = op == TQL_ADD ? (double)l + (double)r : op == TQL_SUB ? (double)l - (double)r : (double)l * (double)r;
    if (over) return (TqlValue){.type = TQL_FLOAT, .d = d};
    return (TqlValue){.type = type, .i = v};
}

static TqlValue arithmetic(TqlOp op, TqlValue l, TqlValue r) {
    if (!tql_is_number(l) || !tql_is_number(r)) return nil();
    bool duration = l.type == TQL_DURATION || r.type == TQL_DURATION;
    if (l.type != TQL_FLOAT && r.type != TQL_FLOAT && (op == TQL_ADD || op == TQL_SUB || op == TQL_MUL))
        return int_arithmetic(op, l.i, r.i, duration ? TQL_DURATION : TQL_INT);
    if (l.type == TQL_INT && r.type == TQL_INT && op == TQL_DIV) /* whole numbers stay whole */
        return r.i == 0 ? nil() : r.i == -1 ? int_arithmetic(TQL_SUB, 0, l.i, TQL_INT) : of_int(l.i / r.i);
    double x = tql_as_f64(l), y = tql_as_f64(r), v;
    switch (op) {
    case TQL_ADD: v = x + y; break;
    case TQL_SUB: v = x - y; break;
    case TQL_MUL: v = x * y; break;
    case TQL_DIV: v = x / y; break;
    case TQL_MOD: v = fmod(x, y); break;
    default: v = pow(x, y); break;
    }
    if (duration && fabs(v) < 9e18) return of_duration((int64_t)v);
    return (TqlValue){.type = TQL_FLOAT, .d = v};
}

TqlValue tql_apply(TqlOp op, TqlValue l, TqlValue r) {
    if (op >= TQL_ADD && op <= TQL_POW) return arithmetic(op, l, r);
    return of_bool(compare(op, l, r));
}

static bool is_id(const TqlExpr *e) {
    if (e->kind != TQL_E_ATTR) return false;
    TqlIntrinsic i = e->attr.intrinsic;
    return i == TQL_TRACE_ID || i == TQL_SPAN_ID || i == TQL_SPAN_PARENT_ID || i == TQL_LINK_TRACE_ID ||
           i == TQL_LINK_SPAN_ID;
}

static TqlValue without_zeros(TqlValue v) {
    while (v.type == TQL_STRING && v.s.n && v.s.p[0] == '0') v.s = str_skip(v.s, 1);
    return v;
}

static bool match_one(const TqlExpr *e, TqlValue l, TqlValue r) {
    if ((e->op == TQL_EQ || e->op == TQL_NEQ) && (is_id(e->left) || is_id(e->right))) /* ids are numbers in hex */
        return compare(e->op, without_zeros(l), without_zeros(r));
    if (e->op == TQL_RE) return l.type == TQL_STRING && regex_match(e->re, l.s);
    if (e->op == TQL_NRE) return l.type == TQL_STRING && !regex_match(e->re, l.s);
    return compare(e->op, l, r);
}

static bool is_list(TqlValue v) { return v.type == TQL_ARRAY || v.type == TQL_MANY; }

/* Of an array: = and the like hold when they do for one element, != and !~ when they do for all. Of several events or
 * links: when they do for one. */
bool tql_match(const TqlExpr *e, TqlValue l, TqlValue r) {
    if (!is_list(l) && !is_list(r)) return match_one(e, l, r);
    if (is_list(l) && is_list(r)) return false;
    TqlValue list = is_list(l) ? l : r;
    bool all = list.type == TQL_ARRAY && (e->op == TQL_NEQ || e->op == TQL_NRE);
    for (uint32_t i = 0; i < list.n; i++) {
        bool one = is_list(l) ? match_one(e, l.v[i], r) : match_one(e, l, r.v[i]);
        if (one != all) return !all;
    }
    return all;
}

static bool is_nil_literal(const TqlExpr *e) { return (e->kind == TQL_E_STATIC && e->value.type == TQL_NIL); }

static TqlValue binary(const TqlEval *x, const TqlExpr *e) {
    if (e->op == TQL_AND) return of_bool(tql_is_true(tql_eval(x, e->left)) && tql_is_true(tql_eval(x, e->right)));
    if (e->op == TQL_OR) return of_bool(tql_is_true(tql_eval(x, e->left)) || tql_is_true(tql_eval(x, e->right)));
    TqlValue l = tql_eval(x, e->left), r = tql_eval(x, e->right);
    if (is_nil_literal(e->left) || is_nil_literal(e->right)) { /* whether it is there */
        TqlValue other = is_nil_literal(e->right) ? l : r;
        return of_bool((other.type == TQL_NIL) == (e->op == TQL_EQ));
    }
    bool none = l.type == TQL_NIL || r.type == TQL_NIL;
    if (e->op >= TQL_ADD && e->op <= TQL_POW) return none ? nil() : arithmetic(e->op, l, r);
    return of_bool(!none && tql_match(e, l, r));
}

static TqlValue unary(const TqlEval *x, const TqlExpr *e) {
    TqlValue v = tql_eval(x, e->left);
    if (e->op == TQL_NOT) return v.type == TQL_BOOL ? of_bool(!v.b) : nil();
    return tql_is_number(v) ? arithmetic(TQL_SUB, of_int(0), v) : nil();
}

TqlValue tql_eval(const TqlEval *x, const TqlExpr *e) {
    switch (e->kind) {
    case TQL_E_STATIC: return e->value;
    case TQL_E_ATTR: return tql_field(x, &e->attr);
    case TQL_E_UNARY: return unary(x, e);
    case TQL_E_BINARY: return binary(x, e);
    }
    UNREACHABLE();
}

/* --- for others --- */

TqlValue traceql_eval(const TqlExpr *e, const TqlView *v, uint32_t row, Arena *arena) {
    return tql_eval(&(TqlEval){v, row, arena}, e);
}

bool traceql_test(const TqlExpr *e, const TqlView *v, uint32_t row, Arena *arena) {
    return !e || tql_is_true(traceql_eval(e, v, row, arena));
}

TqlValue traceql_attr_value(const TqlAttr *a, const TqlView *v, uint32_t row, Arena *arena) {
    return tql_field(&(TqlEval){v, row, arena}, a);
}
