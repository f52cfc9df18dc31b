/* hints.c - counter resets of native histograms. The store says "no reset" only where it knows; a sample that may be
 * the first after a reset is "unknown". Where a query needs no more than count and sum, Prometheus reads no more, and
 * works the unknown out while it reads. Its warnings about colliding resets, and that it has none about different
 * buckets, show this: so it is done here. */
#include "metrics/promql/engine_int.h"

static bool call_takes_stats(PqlFn id) {
    return id == FN_HISTOGRAM_COUNT || id == FN_HISTOGRAM_SUM || id == FN_HISTOGRAM_AVG || id == FN_TIMESTAMP ||
           id == FN_START_TIMESTAMP || id == FN_ABSENT;
}

static bool call_takes_buckets(PqlFn id) {
    return id == FN_HISTOGRAM_QUANTILE || id == FN_HISTOGRAM_QUANTILES || id == FN_HISTOGRAM_FRACTION ||
           id == FN_HISTOGRAM_STDDEV || id == FN_HISTOGRAM_STDVAR || id == FN_CHANGES;
}

/* stats: below a function of count and sum; whole: below something that needs the buckets, or every sample. */
static void mark(PqlNode *n, bool stats, bool whole) {
    if (!n) return;
    switch (n->kind) {
    case PQL_SELECTOR: n->selector.detect_resets = stats && !whole; return;
    case PQL_MATRIX: mark(n->matrix.selector, stats, whole); return;
    case PQL_SUBQUERY: mark(n->subquery.expr, stats, true); return;
    case PQL_UNARY: mark(n->unary.expr, stats, whole); return;
    case PQL_PAREN: mark(n->paren, stats, whole); return;
    case PQL_BINARY:
        whole = whole || n->binary.op == TOK_TRIM_UPPER || n->binary.op == TOK_TRIM_LOWER || n->binary.op == TOK_EQLC ||
                n->binary.op == TOK_NEQ;
        mark(n->binary.lhs, stats, whole);
        mark(n->binary.rhs, stats, whole);
        return;
    case PQL_AGGREGATE:
        whole = whole || n->aggregate.op == TOK_COUNT_VALUES;
        mark(n->aggregate.expr, stats, whole);
        mark(n->aggregate.param, stats, whole);
        return;
    case PQL_CALL: {
        PqlFn id = n->call.fn->id;
        stats = stats || call_takes_stats(id);
        whole = whole || call_takes_buckets(id);
        for (size_t i = 0; i < n->call.args.n; i++) mark(n->call.args.v[i], stats, whole);
        return;
    }
    case PQL_NUMBER:
    case PQL_STRING:
    case PQL_DURATION: return;
    }
}

void ev_mark_resets(PqlNode *root) { mark(root, false, false); }

bool ev_detect_column(Ev *ev, SeriesColumn *c) {
    if (!c->n_histograms) return true;
    Histogram *out = ARENA_ARRAY(ev->arena, Histogram, c->n_histograms);
    const FHist *last = NULL;
    if (!out) return ev_no_memory(ev);
    for (size_t i = 0; i < c->n_histograms; i++) {
        out[i] = c->histograms[i];
        if (histogram_is_stale(&out[i])) continue;
        FHist *now = fh_from_model(ev->arena, &out[i]);
        if (!now) return ev_no_memory(ev);
        if (out[i].reset == HISTOGRAM_RESET_UNKNOWN && last)
            out[i].reset = fh_detect_reset(ev->arena, now, last) ? HISTOGRAM_RESET_YES : HISTOGRAM_RESET_NO;
        last = now;
        const Histogram *h = &c->histograms[i];
        out[i] = (Histogram){
            .schema = h->schema, .reset = out[i].reset, .is_float = h->is_float, .count = h->count, .sum = h->sum};
    }
    c->histograms = out;
    return true;
}

bool ev_detect_resets(Ev *ev, SeriesColumns *cols) {
    for (size_t k = 0; k < cols->n; k++)
        if (!ev_detect_column(ev, &cols->v[k])) return false;
    return true;
}
