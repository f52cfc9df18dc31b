/* binary.c - binary operators: on scalars, between a vector and a scalar, and the dispatch to vector matching. */
#include "metrics/promql/binary_int.h"

static double bool_to_f64(bool b) { return b ? 1 : 0; }

double binop_float(PqlTok op, double l, double r, bool *ret_keep) {
    *ret_keep = true;
    switch (op) {
    case TOK_ADD: return l + r;
    case TOK_SUB: return l - r;
    case TOK_MUL: return l * r;
    case TOK_DIV: return l / r;
    case TOK_POW: return pow(l, r);
    case TOK_MOD: return fmod(l, r);
    case TOK_ATAN2: return atan2(l, r);
    case TOK_EQLC: *ret_keep = l == r; return l;
    case TOK_NEQ: *ret_keep = l != r; return l;
    case TOK_GTR: *ret_keep = l > r; return l;
    case TOK_LSS: *ret_keep = l < r; return l;
    case TOK_GTE: *ret_keep = l >= r; return l;
    case TOK_LTE: *ret_keep = l <= r; return l;
    default: UNREACHABLE();
    }
}

bool binop_changes_metric(PqlTok op) {
    return op == TOK_ADD || op == TOK_SUB || op == TOK_DIV || op == TOK_MUL || op == TOK_POW || op == TOK_MOD ||
           op == TOK_ATAN2;
}

void binop_annotate(Ev *ev, const PqlNode *n, BinopNote note) {
    static const char *const kinds[] = {"float", "histogram"};
    const char *op = pql_tok_text(n->binary.op), *word = n->binary.op == TOK_ADD ? "addition" : "subtraction";
    int pair = (int)note - BINOP_NOTE_FLOAT_FLOAT;
    switch (note) {
    case BINOP_NOTE_NONE: return;
    case BINOP_NOTE_LAYOUT:
        ev_warn(ev, n->span, "incompatible bucket layout encountered for binary operator %s", op);
        return;
    case BINOP_NOTE_COLLISION: ev_warn(ev, n->span, "conflicting counter resets during histogram %s", word); return;
    case BINOP_NOTE_RECONCILED:
        ev_info(ev, n->span, "mismatched custom buckets were reconciled during %s", word);
        return;
    default:
        ev_info(ev, n->span, "incompatible sample types encountered for binary operator \"%s\": %s %s %s", op,
            kinds[pair / 2], op, kinds[pair % 2]);
    }
}

/* No operator for these two kinds of samples. */
static BinopResult nothing(BinopNote *note, BinopNote why) {
    *note = why;
    return BINOP_NOTHING;
}

static BinopResult histogram_histogram(
    Ev *ev, const PqlNode *n, const Sample *l, const Sample *r, Sample *out, BinopNote *note) {
    PqlTok op = n->binary.op;
    if (op == TOK_EQLC || op == TOK_NEQ) {
        *out = *l;
        return fh_eq(l->h, r->h) == (op == TOK_EQLC) ? BINOP_KEEP : BINOP_DROP;
    }
    if (op != TOK_ADD && op != TOK_SUB) return nothing(note, BINOP_NOTE_HISTOGRAM_HISTOGRAM);
    FHist *h = fh_copy(ev->arena, l->h);
    if (!h) return ev_no_memory(ev), BINOP_ERROR;
    FhNotes notes = fh_add(ev->arena, h, r->h, op == TOK_ADD ? 1 : -1, false);
    if (notes.no_memory) return ev_no_memory(ev), BINOP_ERROR;
    if (notes.incompatible) return nothing(note, BINOP_NOTE_LAYOUT);
    if (op == TOK_SUB) h->reset = HISTOGRAM_RESET_GAUGE;
    if (notes.reset_collision) return nothing(note, BINOP_NOTE_COLLISION);
    if (notes.bounds_reconciled) *note = BINOP_NOTE_RECONCILED;
    fh_compact(h);
    *out = (Sample){0, h};
    return BINOP_KEEP;
}

/* One histogram and one number. */
static BinopResult histogram_float(
    Ev *ev, const PqlNode *n, const FHist *h, double v, bool h_is_left, Sample *out, BinopNote *note) {
    PqlTok op = n->binary.op;
    FHist *r = NULL;
    if (op == TOK_MUL || (op == TOK_DIV && h_is_left)) {
        r = fh_copy(ev->arena, h);
        if (r && op == TOK_MUL) fh_scale(r, v);
        if (r && op == TOK_DIV) fh_divide(r, v);
        if (r) fh_compact(r);
    } else if ((op == TOK_TRIM_UPPER || op == TOK_TRIM_LOWER) && h_is_left) {
        r = fh_trim(ev->arena, h, v, op == TOK_TRIM_UPPER);
    } else {
        return nothing(note, h_is_left ? BINOP_NOTE_HISTOGRAM_FLOAT : BINOP_NOTE_FLOAT_HISTOGRAM);
    }
    *out = (Sample){0, r};
    return r ? BINOP_KEEP : (ev_no_memory(ev), BINOP_ERROR);
}

BinopResult binop_samples(Ev *ev, const PqlNode *n, const Sample *l, const Sample *r, Sample *out, BinopNote *note) {
    *note = BINOP_NOTE_NONE;
    if (l->h && r->h) return histogram_histogram(ev, n, l, r, out, note);
    if (l->h) return histogram_float(ev, n, l->h, r->v, true, out, note);
    if (r->h) return histogram_float(ev, n, r->h, l->v, false, out, note);
    if (n->binary.op == TOK_TRIM_UPPER || n->binary.op == TOK_TRIM_LOWER) return nothing(note, BINOP_NOTE_FLOAT_FLOAT);
    bool keep;
    *out = (Sample){binop_float(n->binary.op, l->v, r->v, &keep), NULL};
    return keep ? BINOP_KEEP : BINOP_DROP;
}

/* --- scalars --- */

static bool scalar_scalar(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    const double *l, *r;
    PqlTok op = n->binary.op;
    if (op == TOK_TRIM_UPPER || op == TOK_TRIM_LOWER)
        return ev_fail(ev, "operator \"%s\" not allowed for Scalar operations", pql_tok_text(op));
    if (!ev_scalar_arg(ev, g, n->binary.lhs, &l) || !ev_scalar_arg(ev, g, n->binary.rhs, &r)) return false;
    if (!matrix_scalar(ev, g, 0, ret)) return false;
    for (size_t i = 0; i < g->n; i++) {
        bool keep;
        double v = binop_float(op, l[i], r[i], &keep);
        ret->v[0].v[i] = pql_tok_is_comparison(op) ? bool_to_f64(keep) : v;
    }
    return true;
}

bool ev_binary(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    bool l = promql_type(n->binary.lhs) == PQL_TYPE_VECTOR, r = promql_type(n->binary.rhs) == PQL_TYPE_VECTOR;
    if (!l && !r) return scalar_scalar(ev, g, n, ret);
    ASSERT(l && r); /* a vector and a scalar: an operator on rows */
    PqlMatrix lhs = {0}, rhs = {0};
    return ev_eval(ev, g, n->binary.lhs, &lhs) && ev_eval(ev, g, n->binary.rhs, &rhs) &&
           ev_binary_vectors(ev, g, n, &lhs, &rhs, ret);
}
