/* call_label.c - functions of labels and of the order of series, and of the calendar. */
#include "metrics/promql/engine_int.h"

#include "codec/regex.h"

#include <stdlib.h>

static Str string_arg(const PqlNode *n, size_t i) { return promql_unparen(n->call.args.v[i])->string; }

static bool label_name_ok(Str s) { return s.n > 0 && str_is_utf8(s); }

static bool set_label(Ev *ev, PqlSeries *s, Str name, Str value) {
    s->labels = labels_with(ev, s->labels, name, value);
    if (str_eq(name, LABEL_NAME_METRIC)) s->drop_name = false;
    return ev->rc == OK;
}

/* --- label_replace, label_join --- */

#define CAPTURES_MAX 64

static bool replace_one(Ev *ev, const PqlNode *n, const Regex *re, PqlSeries *s) {
    Str groups[CAPTURES_MAX], value = labels_get(s->labels, string_arg(n, 3));
    size_t k = MIN(regex_group_count(re) + 1, (size_t)CAPTURES_MAX);
    if (!value.p) value = STR("");
    if (!regex_match_groups(re, value, groups, k)) return true;
    Buf b = {0};
    bool fits = regex_expand(re, string_arg(n, 2), groups, k, arena_left_bytes(ev->arena), &b);
    Str text = fits ? arena_copy(ev->arena, buf_str(&b)) : STR_NULL;
    buf_done(&b);
    if (!text.p) return ev_no_memory(ev);
    return set_label(ev, s, string_arg(n, 1), text);
}

static bool label_replace(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    Regex *re;
    Str pattern = string_arg(n, 4), dst = string_arg(n, 1);
    if (regex_compile(pattern, REGEX_ANCHORED, &re, NULL) != OK)
        return ev_fail(ev, "invalid regular expression in label_replace(): %" STR_FMT, STR_ARG(pattern));
    bool ok = true;
    if (!label_name_ok(dst))
        ok = ev_fail(ev, "invalid destination label name in label_replace(): %" STR_FMT, STR_ARG(dst));
    ok = ok && ev_eval(ev, g, n->call.args.v[0], ret);
    for (size_t i = 0; ok && i < ret->n; i++) ok = ev_alive_now(ev) && replace_one(ev, n, re, &ret->v[i]);
    regex_free(re);
    return ok && matrix_merge_same(ev, ret, g, false);
}

static bool join_one(Ev *ev, const PqlNode *n, PqlSeries *s) {
    Buf b = {0};
    size_t max = arena_left_bytes(ev->arena); /* one label may be named very often */
    for (size_t i = 3; i < n->call.args.n && b.n <= max; i++) {
        if (i > 3) buf_put_str(&b, string_arg(n, 2));
        buf_put_str(&b, labels_get(s->labels, string_arg(n, i)));
    }
    Str text = b.n <= max ? arena_copy(ev->arena, buf_str(&b)) : STR_NULL;
    buf_done(&b);
    if (!text.p) return ev_no_memory(ev);
    return set_label(ev, s, string_arg(n, 1), text);
}

static bool label_join(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    for (size_t i = 3; i < n->call.args.n; i++)
        if (!label_name_ok(string_arg(n, i)))
            return ev_fail(ev, "invalid source label name in label_join(): %" STR_FMT, STR_ARG(string_arg(n, i)));
    if (!label_name_ok(string_arg(n, 1)))
        return ev_fail(ev, "invalid destination label name in label_join(): %" STR_FMT, STR_ARG(string_arg(n, 1)));
    if (!ev_eval(ev, g, n->call.args.v[0], ret)) return false;
    for (size_t i = 0; i < ret->n; i++)
        if (!ev_alive_now(ev) || !join_one(ev, n, &ret->v[i])) return false;
    return matrix_merge_same(ev, ret, g, false);
}

bool ev_label_call(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    return n->call.fn->id == FN_LABEL_REPLACE ? label_replace(ev, g, n, ret) : label_join(ev, g, n, ret);
}

/* --- sort --- */

typedef struct SortKey {
    PqlSeries series;
    const PqlNode *call;
    size_t order;
} SortKey;

static int cmp_value(const void *a, const void *b) {
    const SortKey *x = a, *y = b;
    double v = x->series.v[0], w = y->series.v[0];
    bool desc = x->call->call.fn->id == FN_SORT_DESC;
    int c = isnan(v) || isnan(w) ? isnan(v) - isnan(w) : desc ? (v < w) - (v > w) : (v > w) - (v < w);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* End of the run of digits or of non-digits that begins at i. */
static size_t chunk_end(Str s, size_t i) {
    bool digits = is_digit(s.p[i]);
    while (i < s.n && is_digit(s.p[i]) == digits) i++;
    return i;
}

static Str without_zeros(Str s) {
    while (s.n > 1 && s.p[0] == '0') s = str_skip(s, 1);
    return s;
}

/* Natural order: runs of digits compare as numbers. */
static int natural_cmp(Str a, Str b) {
    size_t i = 0, j = 0;
    while (i < a.n && j < b.n) {
        size_t ie = chunk_end(a, i), je = chunk_end(b, j);
        Str x = str_slice(a, i, ie), y = str_slice(b, j, je);
        bool numbers = is_digit(x.p[0]) && is_digit(y.p[0]);
        int c;
        if (numbers) {
            Str p = without_zeros(x), q = without_zeros(y);
            c = p.n != q.n ? (p.n > q.n) - (p.n < q.n) : str_cmp(p, q);
            if (c == 0) c = (x.n > y.n) - (x.n < y.n);
        } else {
            c = str_cmp(x, y);
        }
        if (c) return c;
        i = ie;
        j = je;
    }
    return (a.n - i > b.n - j) - (a.n - i < b.n - j);
}

static int cmp_labels(const void *a, const void *b) {
    const SortKey *x = a, *y = b;
    bool desc = x->call->call.fn->id == FN_SORT_BY_LABEL_DESC;
    int c = 0;
    for (size_t i = 1; c == 0 && i < x->call->call.args.n; i++) {
        Str name = string_arg(x->call, i);
        c = natural_cmp(labels_get(x->series.labels, name), labels_get(y->series.labels, name));
    }
    if (c == 0) c = labels_cmp(x->series.labels, y->series.labels);
    return desc ? -c : c;
}

static bool only_floats(PqlMatrix *m, const Grid *g) {
    for (size_t k = 0; k < m->n; k++) {
        if (!m->v[k].h) continue;
        FOR_PRESENT(i, &m->v[k], g->n) {
            if (m->v[k].h[i]) bit_clear(m->v[k].present, i);
        }
        m->v[k].h = NULL;
    }
    matrix_drop_empty(m, g);
    return true;
}

bool ev_sort_call(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    bool by_value = n->call.fn->id == FN_SORT || n->call.fn->id == FN_SORT_DESC;
    if (!ev_eval(ev, g, n->call.args.v[0], ret)) return false;
    const PromqlQuery *q = ev->query;
    bool one_of_range = g->start_ms == q->start_ms && q->start_ms != q->end_ms && !n->invariant;
    if (g->n > 1 || one_of_range)
        ev_warn(ev, n->span, "sort is ineffective for range queries since results are always ordered by labels");
    if (by_value) only_floats(ret, g);
    if (g->n != 1 || ret->n < 2) return true;
    SortKey *keys = ARENA_ARRAY(ev->arena, SortKey, ret->n);
    if (!keys) return ev_no_memory(ev);
    for (size_t i = 0; i < ret->n; i++) keys[i] = (SortKey){ret->v[i], n, i};
    qsort(keys, ret->n, sizeof *keys, by_value ? cmp_value : cmp_labels);
    for (size_t i = 0; i < ret->n; i++) ret->v[i] = keys[i].series;
    return true;
}

/* --- calendar, UTC --- */

typedef struct Civil {
    int64_t year, days; /* days since the epoch */
    int month, day, yday;
    bool leap;
} Civil;

/* Proleptic Gregorian date of a day number (days from 1970-01-01), by eras of 400 years. */
static Civil civil_from_days(int64_t days) {
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    Civil c = {.days = days, .day = (int)(doy - (153 * mp + 2) / 5 + 1), .month = (int)(mp < 10 ? mp + 3 : mp - 9)};
    c.year = yoe + era * 400 + (c.month <= 2);
    c.leap = (c.year % 4 == 0 && c.year % 100 != 0) || c.year % 400 == 0;
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    c.yday = before[c.month - 1] + c.day + (c.leap && c.month > 2);
    return c;
}

/* Go counts seconds from -292277022399 on in 64 bits without a sign; what lies before is taken for the far future. */
static double date_part(PqlFn id, int64_t seconds) {
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const uint64_t first_day = UINT64_C(106751991073094); /* days from there to 1970-01-01 */
    uint64_t absolute = (uint64_t)seconds + first_day * 86400;
    int64_t days = (int64_t)(absolute / 86400 - first_day), in_day = (int64_t)(absolute % 86400);
    if (id == FN_HOUR) return (double)(in_day / 3600);
    if (id == FN_MINUTE) return (double)(in_day % 3600 / 60);
    if (id == FN_DAY_OF_WEEK) return (double)(((days % 7 + 7) % 7 + 4) % 7);
    Civil c = civil_from_days(days);
    switch (id) {
    case FN_DAYS_IN_MONTH: return month_days[c.month - 1] + (c.month == 2 && c.leap);
    case FN_DAY_OF_MONTH: return c.day;
    case FN_DAY_OF_YEAR: return c.yday;
    case FN_MONTH: return c.month;
    case FN_YEAR: return (double)c.year;
    default: UNREACHABLE();
    }
}

/* As Go converts a float that does not fit. */
static int64_t to_seconds(double v) { return v >= -9.2e18 && v <= 9.2e18 ? (int64_t)v : INT64_MIN; }

bool ev_date_call(Ev *ev, const Grid *g, PqlNode *n, PqlMatrix *ret) {
    PqlFn id = n->call.fn->id;
    if (n->call.args.n == 0) {
        if (!matrix_scalar(ev, g, 0, ret)) return false;
        for (size_t i = 0; i < g->n; i++) ret->v[0].v[i] = date_part(id, grid_t(g, i) / 1000);
        return true;
    }
    if (!ev_eval(ev, g, n->call.args.v[0], ret)) return false;
    only_floats(ret, g);
    for (size_t k = 0; k < ret->n; k++) {
        FOR_PRESENT(i, &ret->v[k], g->n) ret->v[k].v[i] = date_part(id, to_seconds(ret->v[k].v[i]));
        if (!series_drop_name(ev, &ret->v[k])) return false;
    }
    return matrix_merge_same(ev, ret, g, false);
}
