/* ast_json.c - /parse_query: the syntax tree as JSON. */
#include "metrics/api/api_int.h"
#include "metrics/promql/function.h"

static void put_cstr(JsonWriter *w, const char *key, const char *v) { json_pair_str(w, key, str_cstr(v)); }

static void put_node(JsonWriter *w, const char *key, const PqlNode *n) {
    json_key(w, str_cstr(key));
    if (n)
        api_put_ast(w, n);
    else
        json_null(w);
}

static void put_names(JsonWriter *w, const char *key, const StrVec *names) {
    json_key(w, str_cstr(key));
    json_begin_array(w);
    for (size_t i = 0; i < names->n; i++) json_str(w, names->v[i]);
    json_end_array(w);
}

static void put_number_text(JsonWriter *w, const PqlNode *n) {
    Buf b = {0};
    PqlNode plain = *n;
    plain.number.is_duration = false;
    promql_print(&b, &plain);
    json_pair_str(w, "val", buf_str(&b));
    buf_done(&b);
}

static void put_duration(JsonWriter *w, const PqlNode *n) {
    if (!n) {
        json_null(w);
        return;
    }
    json_begin_object(w);
    if (n->kind == PQL_NUMBER) {
        put_cstr(w, "type", "numberLiteral");
        put_number_text(w, n);
        json_pair_bool(w, "duration", n->number.is_duration);
    } else {
        put_cstr(w, "type", "durationExpr");
        put_cstr(w, "op", pql_tok_text(n->duration.op));
        json_key_lit(w, "lhs");
        put_duration(w, n->duration.lhs);
        json_key_lit(w, "rhs");
        put_duration(w, n->duration.rhs);
        json_pair_bool(w, "wrapped", n->duration.wrapped);
    }
    json_end_object(w);
}

static void put_span(JsonWriter *w, const char *key, const char *expr_key, const PqlSpan *s) {
    json_pair_i64(w, key, s->ms);
    json_key(w, str_cstr(expr_key));
    put_duration(w, s->expr);
}

static void put_shift(JsonWriter *w, const PqlShift *s) {
    put_span(w, "offset", "offsetExpr", &s->offset);
    json_key_lit(w, "timestamp");
    if (s->at == PQL_AT_TIME)
        json_i64(w, s->at_ms);
    else
        json_null(w);
    json_key_lit(w, "startOrEnd");
    if (s->at == PQL_AT_START || s->at == PQL_AT_END)
        json_str(w, s->at == PQL_AT_START ? STR("start") : STR("end"));
    else
        json_null(w);
}

static void put_matchers(JsonWriter *w, Matchers ms) {
    static const char *const types[] = {[MATCH_EQ] = "=", [MATCH_NEQ] = "!=", [MATCH_RE] = "=~", [MATCH_NRE] = "!~"};
    json_key_lit(w, "matchers");
    json_begin_array(w);
    for (size_t i = 0; i < ms.n; i++) {
        json_begin_object(w);
        json_pair_str(w, "name", ms.v[i]->name);
        json_pair_str(w, "value", ms.v[i]->value);
        put_cstr(w, "type", types[ms.v[i]->type]);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_selector(JsonWriter *w, const PqlNode *vs) {
    json_pair_str(w, "name", vs->selector.name);
    put_shift(w, &vs->selector.shift);
    put_matchers(w, vs->selector.matchers);
    json_pair_bool(w, "anchored", vs->selector.anchored);
    json_pair_bool(w, "smoothed", vs->selector.smoothed);
}

static void put_fill(JsonWriter *w, const char *key, bool has, double v) {
    json_key(w, str_cstr(key));
    if (has)
        json_f64(w, v);
    else
        json_null(w);
}

static void put_matching(JsonWriter *w, const PqlNode *n) {
    static const char *const cards[] = {"one-to-one", "many-to-one", "one-to-many", "many-to-many"};
    json_key_lit(w, "matching");
    if (promql_type(n->binary.lhs) != PQL_TYPE_VECTOR || promql_type(n->binary.rhs) != PQL_TYPE_VECTOR) {
        json_null(w);
        return;
    }
    json_begin_object(w);
    put_cstr(w, "card", cards[n->binary.card]);
    put_names(w, "labels", &n->binary.labels);
    json_pair_bool(w, "on", n->binary.on);
    put_names(w, "include", &n->binary.include);
    json_key_lit(w, "fillValues");
    json_begin_object(w);
    put_fill(w, "lhs", n->binary.has_fill_lhs, n->binary.fill_lhs);
    put_fill(w, "rhs", n->binary.has_fill_rhs, n->binary.fill_rhs);
    json_end_object(w);
    json_end_object(w);
}

static void put_call(JsonWriter *w, const PqlNode *n) {
    const PqlFunction *fn = n->call.fn;
    json_key_lit(w, "func");
    json_begin_object(w);
    put_cstr(w, "name", fn->name);
    json_key_lit(w, "argTypes");
    json_begin_array(w);
    for (int i = 0; i < fn->n_args; i++) json_str(w, str_cstr(promql_type_name((PqlType)fn->args[i])));
    json_end_array(w);
    json_pair_i64(w, "variadic", fn->variadic);
    put_cstr(w, "returnType", promql_type_name((PqlType)fn->ret));
    json_end_object(w);
    json_key_lit(w, "args");
    json_begin_array(w);
    for (size_t i = 0; i < n->call.args.n; i++) api_put_ast(w, n->call.args.v[i]);
    json_end_array(w);
}

static void put_members(JsonWriter *w, const PqlNode *n) {
    switch (n->kind) {
    case PQL_NUMBER: put_number_text(w, n); return;
    case PQL_STRING: json_pair_str(w, "val", n->string); return;
    case PQL_SELECTOR: put_selector(w, n); return;
    case PQL_MATRIX:
        put_span(w, "range", "rangeExpr", &n->matrix.range);
        put_selector(w, n->matrix.selector);
        return;
    case PQL_SUBQUERY:
        put_node(w, "expr", n->subquery.expr);
        put_span(w, "range", "rangeExpr", &n->subquery.range);
        put_shift(w, &n->subquery.shift);
        put_span(w, "step", "stepExpr", &n->subquery.step);
        return;
    case PQL_UNARY:
        put_cstr(w, "op", pql_tok_text(n->unary.op));
        put_node(w, "expr", n->unary.expr);
        return;
    case PQL_PAREN: put_node(w, "expr", n->paren); return;
    case PQL_BINARY:
        put_cstr(w, "op", pql_tok_text(n->binary.op));
        put_node(w, "lhs", n->binary.lhs);
        put_node(w, "rhs", n->binary.rhs);
        put_matching(w, n);
        json_pair_bool(w, "bool", n->binary.return_bool);
        return;
    case PQL_AGGREGATE:
        put_cstr(w, "op", pql_tok_text(n->aggregate.op));
        put_node(w, "expr", n->aggregate.expr);
        put_node(w, "param", n->aggregate.param);
        put_names(w, "grouping", &n->aggregate.grouping);
        json_pair_bool(w, "without", n->aggregate.without);
        return;
    case PQL_CALL: put_call(w, n); return;
    case PQL_DURATION: UNREACHABLE();
    }
    UNREACHABLE();
}

void api_put_ast(JsonWriter *w, const PqlNode *n) {
    static const char *const types[] = {[PQL_NUMBER] = "numberLiteral",
        [PQL_STRING] = "stringLiteral",
        [PQL_SELECTOR] = "vectorSelector",
        [PQL_MATRIX] = "matrixSelector",
        [PQL_SUBQUERY] = "subquery",
        [PQL_UNARY] = "unaryExpr",
        [PQL_BINARY] = "binaryExpr",
        [PQL_PAREN] = "parenExpr",
        [PQL_AGGREGATE] = "aggregation",
        [PQL_CALL] = "call"};
    json_begin_object(w);
    put_cstr(w, "type", types[n->kind]);
    put_members(w, n);
    json_end_object(w);
}
