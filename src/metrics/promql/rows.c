#include "metrics/promql/rows.h"

#include "metrics/promql/binary_int.h"

/* --- functions --- */

static double fn_sgn(double v) { return v < 0 ? -1 : v > 0 ? 1 : v; }
static double fn_rad(double v) { return v * (M_PI / 180); }
static double fn_deg(double v) { return v * (180 / M_PI); }

typedef double (*MathFn)(double);

static MathFn math_fn(PqlFn id) {
    switch (id) {
    case FN_ABS: return fabs;
    case FN_CEIL: return ceil;
    case FN_FLOOR: return floor;
    case FN_EXP: return exp;
    case FN_SQRT: return sqrt;
    case FN_LN: return log;
    case FN_LOG2: return log2;
    case FN_LOG10: return log10;
    case FN_SGN: return fn_sgn;
    case FN_RAD: return fn_rad;
    case FN_DEG: return fn_deg;
    case FN_SIN: return sin;
    case FN_COS: return cos;
    case FN_TAN: return tan;
    case FN_ASIN: return asin;
    case FN_ACOS: return acos;
    case FN_ATAN: return atan;
    case FN_SINH: return sinh;
    case FN_COSH: return cosh;
    case FN_TANH: return tanh;
    case FN_ASINH: return asinh;
    case FN_ACOSH: return acosh;
    case FN_ATANH: return atanh;
    default: return NULL;
    }
}

/* Go's math.Max and Min: NaN wins over everything but the infinity that no number can beat. */
double go_max(double a, double b) {
    if (a == INFINITY || b == INFINITY) return INFINITY;
    return isnan(a) || isnan(b) ? NAN : fmax(a, b);
}
double go_min(double a, double b) {
    if (a == -INFINITY || b == -INFINITY) return -INFINITY;
    return isnan(a) || isnan(b) ? NAN : fmin(a, b);
}

static void clamp_row(const Grid *g, const RowOp *op, PqlSeries *s) {
    FOR_PRESENT(i, s, g->n) {
        double min = op->a ? op->a[i] : -INFINITY, max = op->b ? op->b[i] : INFINITY;
        if (max < min)
            bit_clear(s->present, i);
        else
            s->v[i] = go_max(min, go_min(max, s->v[i]));
    }
}

static void round_row(const Grid *g, const RowOp *op, PqlSeries *s) {
    FOR_PRESENT(i, s, g->n) {
        double inverse = 1 / (op->a ? op->a[i] : 1);
        s->v[i] = floor(s->v[i] * inverse + 0.5) / inverse;
    }
}

static bool call_row(Ev *ev, const Grid *g, const RowOp *op, PqlSeries *s) {
    if (s->h) { /* histograms vanish */
        FOR_PRESENT(i, s, g->n) {
            if (s->h[i]) bit_clear(s->present, i);
        }
        s->h = NULL;
    }
    if (op->math) {
        FOR_PRESENT(i, s, g->n) s->v[i] = op->math(s->v[i]);
    } else if (op->n->call.fn->id == FN_ROUND) {
        round_row(g, op, s);
    } else {
        clamp_row(g, op, s);
    }
    return series_drop_name(ev, s);
}

/* --- operators --- */

static bool negate_row(Ev *ev, const Grid *g, PqlSeries *s) {
    FOR_PRESENT(i, s, g->n) {
        s->v[i] = -s->v[i];
        FHist *h = series_h(s, i);
        if (!h) continue;
        s->h[i] = fh_copy(ev->arena, h);
        if (!s->h[i]) return ev_no_memory(ev);
        fh_scale(s->h[i], -1);
    }
    return series_drop_name(ev, s);
}

static bool binary_point(Ev *ev, const RowOp *op, double scalar, PqlSeries *s, size_t i) {
    PqlNode *n = op->n;
    Sample vec = {s->v[i], series_h(s, i)}, num = {scalar, NULL}, out = {0};
    BinopNote note;
    BinopResult res = binop_samples(ev, n, op->swapped ? &num : &vec, op->swapped ? &vec : &num, &out, &note);
    if (res == BINOP_ERROR) return false;
    if (note) binop_annotate(ev, n, note);
    /* The vector's element is the result of a comparison, on whichever side it stands. */
    if (pql_tok_is_comparison(n->binary.op) && op->swapped) out = vec;
    if (n->binary.return_bool && res != BINOP_NOTHING) {
        out = (Sample){res == BINOP_KEEP ? 1 : 0, NULL};
        res = BINOP_KEEP;
    }
    if (res == BINOP_KEEP) {
        s->v[i] = out.v;
        if (s->h) s->h[i] = out.h;
    } else {
        bit_clear(s->present, i);
    }
    return true;
}

/* The four operators that most queries use, without a call per point. */
static bool arithmetic_row(const Grid *g, const RowOp *op, PqlSeries *s) {
    double *v = s->v;
    const double *k = op->a;
    switch (op->n->binary.op) {
    case TOK_ADD:
        for (size_t i = 0; i < g->n; i++) v[i] += k[i];
        return true;
    case TOK_MUL:
        for (size_t i = 0; i < g->n; i++) v[i] *= k[i];
        return true;
    case TOK_SUB:
        for (size_t i = 0; i < g->n; i++) v[i] = op->swapped ? k[i] - v[i] : v[i] - k[i];
        return true;
    case TOK_DIV:
        for (size_t i = 0; i < g->n; i++) v[i] = op->swapped ? k[i] / v[i] : v[i] / k[i];
        return true;
    default: return false;
    }
}

static bool binary_row(Ev *ev, const Grid *g, const RowOp *op, PqlSeries *s) {
    if (s->h || !arithmetic_row(g, op, s)) {
        FOR_PRESENT(i, s, g->n) {
            if (!binary_point(ev, op, op->a[i], s, i)) return false;
        }
    }
    return !row_drops_name(op->n) || series_drop_name(ev, s);
}

/* Calls make histograms vanish, operators those that they are not defined for. */
bool row_filters(const PqlNode *n) { return n->kind == PQL_CALL || n->kind == PQL_BINARY; }

bool row_drops_name(const PqlNode *n) {
    return n->kind != PQL_BINARY || binop_changes_metric(n->binary.op) || n->binary.return_bool;
}

/* --- which nodes --- */

PqlNode *row_child(PqlNode *n) {
    switch (n->kind) {
    case PQL_UNARY: return promql_type(n) == PQL_TYPE_VECTOR && n->unary.op == TOK_SUB ? n->unary.expr : NULL;
    case PQL_BINARY: {
        bool l = promql_type(n->binary.lhs) == PQL_TYPE_VECTOR, r = promql_type(n->binary.rhs) == PQL_TYPE_VECTOR;
        return l == r ? NULL : l ? n->binary.lhs : n->binary.rhs;
    }
    case PQL_CALL: {
        PqlFn id = n->call.fn->id;
        bool row = math_fn(id) || id == FN_CLAMP || id == FN_CLAMP_MIN || id == FN_CLAMP_MAX || id == FN_ROUND;
        return row ? n->call.args.v[0] : NULL;
    }
    default: return NULL;
    }
}

bool row_prepare(Ev *ev, const Grid *g, PqlNode *n, RowOp *ret) {
    *ret = (RowOp){.n = n};
    if (n->kind == PQL_BINARY) {
        ret->swapped = promql_type(n->binary.rhs) == PQL_TYPE_VECTOR;
        return ev_scalar_arg(ev, g, ret->swapped ? n->binary.lhs : n->binary.rhs, &ret->a);
    }
    if (n->kind != PQL_CALL) return true;
    PqlNode **a = n->call.args.v;
    PqlFn id = n->call.fn->id;
    ret->math = math_fn(id);
    if (id == FN_ROUND) return n->call.args.n < 2 || ev_scalar_arg(ev, g, a[1], &ret->a);
    if ((id == FN_CLAMP || id == FN_CLAMP_MIN) && !ev_scalar_arg(ev, g, a[1], &ret->a)) return false;
    if (id == FN_CLAMP || id == FN_CLAMP_MAX) return ev_scalar_arg(ev, g, a[id == FN_CLAMP ? 2 : 1], &ret->b);
    return true;
}

bool row_apply(Ev *ev, const Grid *g, const RowOp *op, PqlSeries *s) {
    switch (op->n->kind) {
    case PQL_UNARY: return negate_row(ev, g, s);
    case PQL_BINARY: return binary_row(ev, g, op, s);
    default: return call_row(ev, g, op, s);
    }
}
