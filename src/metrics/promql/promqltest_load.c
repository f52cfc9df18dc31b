/* promqltest_load.c - reads series lines of promqltest scripts and loads them into the test store. */
#include "metrics/promql/promqltest_int.h"

#include "base/num.h"

#include <stdlib.h>

bool seq_parse_number(Str s, double *ret) {
    if (s.n > 1 && s.p[0] == '+') s = str_skip(s, 1);
    return num_parse_f64(s, ret);
}

static bool parse_metric(Arena *a, Str *rest, Labels *ret, Err *err) {
    size_t end = 0;
    while (end < rest->n && rest->p[end] != ' ' && rest->p[end] != '\t' && rest->p[end] != '{') end++;
    if (end < rest->n && rest->p[end] == '{') {
        char quote = 0;
        for (; end < rest->n && (quote || rest->p[end] != '}'); end++) {
            char c = rest->p[end];
            if (quote && c == '\\')
                end++;
            else if (quote ? c == quote : c == '"' || c == '\'' || c == '`')
                quote = quote ? 0 : c;
        }
        end = MIN(end + 1, rest->n);
    }
    Matchers ms;
    if (promql_parse_selector(str_slice(*rest, 0, end), a, &ms, err) != OK) return false;
    Label *v = ARENA_ARRAY(a, Label, ms.n);
    size_t n = 0;
    for (size_t i = 0; i < ms.n; i++) v[n++] = (Label){ms.v[i]->name, ms.v[i]->value};
    if (labels_normalize(v, &n, err) != OK) return false;
    *ret = (Labels){v, n};
    *rest = str_trim(str_skip(*rest, end));
    return true;
}

/* --- histograms --- */

typedef AVEC(double) Numbers;

static bool parse_list(Arena *a, Str s, Numbers *out) {
    Str rest = s, part;
    while (str_split_next(&rest, ' ', &part)) {
        double v;
        if (part.n == 0) continue;
        if (!seq_parse_number(part, &v) || !avec_push(a, out, v)) return false;
    }
    return true;
}

static void set_buckets(Arena *a, FhBuckets *b, const Numbers *v, int32_t offset) {
    b->n = v->n;
    b->v = v->v;
    b->idx = ARENA_ARRAY(a, int32_t, v->n);
    for (size_t i = 0; i < v->n; i++) b->idx[i] = offset + (int32_t)i;
}

static bool parse_hint(Str value, uint8_t *ret) {
    static const struct {
        const char *name;
        HistogramReset reset;
    } hints[] = {{"unknown", HISTOGRAM_RESET_UNKNOWN}, {"reset", HISTOGRAM_RESET_YES},
        {"not_reset", HISTOGRAM_RESET_NO}, {"gauge", HISTOGRAM_RESET_GAUGE}};
    for (size_t i = 0; i < ARRAY_LEN(hints); i++)
        if (str_eq(value, str_cstr(hints[i].name))) {
            *ret = (uint8_t)hints[i].reset;
            return true;
        }
    return false;
}

/* What stands between {{ and }}. */
static FHist *parse_histogram(Arena *a, Str s, bool *hint_set) {
    FHist *h = ARENA_NEW(a, FHist);
    Numbers pos = {0}, neg = {0}, custom = {0};
    double offset = 0, n_offset = 0, schema = 0;
    *hint_set = false;
    while ((s = str_trim(s)).n) {
        size_t colon = str_find_char(s, ':');
        if (colon == SIZE_MAX) return NULL;
        Str key = str_slice(s, 0, colon);
        s = str_skip(s, colon + 1);
        bool list = s.n && s.p[0] == '[';
        size_t end = str_find_char(s, list ? ']' : ' ');
        if (end == SIZE_MAX) end = s.n;
        Str value = str_slice(s, list, end);
        s = str_skip(s, MIN(end + list, s.n));
        bool ok = true;
        if (str_eq_lit(key, "buckets"))
            ok = parse_list(a, value, &pos);
        else if (str_eq_lit(key, "n_buckets"))
            ok = parse_list(a, value, &neg);
        else if (str_eq_lit(key, "custom_values"))
            ok = parse_list(a, value, &custom);
        else if (str_eq_lit(key, "counter_reset_hint"))
            ok = *hint_set = parse_hint(value, &h->reset);
        else {
            double *to = str_eq_lit(key, "schema")       ? &schema
                         : str_eq_lit(key, "sum")        ? &h->sum
                         : str_eq_lit(key, "count")      ? &h->count
                         : str_eq_lit(key, "z_bucket")   ? &h->zero_count
                         : str_eq_lit(key, "z_bucket_w") ? &h->zero_threshold
                         : str_eq_lit(key, "offset")     ? &offset
                         : str_eq_lit(key, "n_offset")   ? &n_offset
                                                         : NULL;
            ok = to && seq_parse_number(value, to);
        }
        if (!ok) return NULL;
    }
    h->schema = (int32_t)schema;
    set_buckets(a, &h->pos, &pos, (int32_t)offset);
    set_buckets(a, &h->neg, &neg, (int32_t)n_offset);
    h->bounds = custom.v;
    h->n_bounds = custom.n;
    return h;
}

static bool repeat(Str s, size_t *ret) {
    uint64_t n;
    if (s.n < 2 || s.p[0] != 'x' || !num_parse_u64(str_skip(s, 1), &n) || n > 1000000) return false;
    *ret = (size_t)n;
    return true;
}

static bool push(Arena *a, SeqLine *out, SeqItem item) { return avec_push(a, &out->items, item); }

/* {{A}}, {{A}}xN, {{A}}+{{B}}xN; *s starts at {{ and is moved behind the item. */
static bool parse_histogram_item(Arena *a, Str *s, SeqLine *out) {
    bool hint, step_hint;
    size_t end = str_find(*s, STR("}}")), times = 0;
    if (end == SIZE_MAX) return false;
    FHist *h = parse_histogram(a, str_slice(*s, 2, end), &hint), *step = NULL;
    *s = str_skip(*s, end + 2);
    double sign = 1;
    if (h && s->n > 3 && (s->p[0] == '+' || s->p[0] == '-')) {
        sign = s->p[0] == '-' ? -1 : 1;
        end = str_find(*s, STR("}}"));
        if (end == SIZE_MAX) return false;
        step = parse_histogram(a, str_slice(*s, 3, end), &step_hint);
        if (!step) return false;
        hint = step_hint;
        *s = str_skip(*s, end + 2);
    }
    size_t blank = str_find_char(*s, ' ');
    Str tail = str_slice(*s, 0, blank == SIZE_MAX ? s->n : blank);
    *s = str_skip(*s, tail.n);
    if (!h || (tail.n && !repeat(tail, &times))) return false;
    for (size_t i = 0; i <= times; i++) {
        if (i > 0 && step) {
            h = fh_copy(a, h);
            if (h->schema > step->schema || fh_add(a, h, step, sign, false).incompatible) return false;
            if (sign < 0) h->reset = HISTOGRAM_RESET_GAUGE;
        }
        if (!push(a, out, (SeqItem){.h = h, .hint_set = hint})) return false;
    }
    return true;
}

/* A number, possibly signed, at the start of s: its length. */
static size_t number_end(Str s) {
    size_t i = s.n && (s.p[0] == '+' || s.p[0] == '-');
    if (i < s.n && (s.p[i] == 'I' || s.p[i] == 'i' || s.p[i] == 'N' || s.p[i] == 'n')) return MIN(i + 3, s.n);
    for (; i < s.n; i++) {
        char c = s.p[i];
        bool exponent_sign = (c == '+' || c == '-') && (s.p[i - 1] == 'e' || s.p[i - 1] == 'E');
        if (!((c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || exponent_sign)) break;
    }
    return i;
}

static bool parse_item(Arena *a, Str s, SeqLine *out) {
    size_t times = 0;
    if (s.p[0] == '_') {
        bool many = s.n > 1;
        if (many && !repeat(str_skip(s, 1), &times)) return false;
        for (size_t i = 0; i < (many ? times : 1); i++)
            if (!push(a, out, (SeqItem){.omitted = true})) return false;
        return true;
    }
    if (str_eq_lit(s, "stale")) return push(a, out, (SeqItem){.v = stale_nan()});
    double v, step = 0;
    size_t end = number_end(s);
    if (!seq_parse_number(str_slice(s, 0, end), &v)) return false;
    s = str_skip(s, end);
    if (s.n && s.p[0] != 'x') {
        end = number_end(s);
        if (!seq_parse_number(str_slice(s, 0, end), &step)) return false;
        s = str_skip(s, end);
        if (!s.n) return false;
    }
    if (s.n && !repeat(s, &times)) return false;
    bool stepping = step != 0;
    for (size_t i = 0; i <= times; i++) {
        if (!push(a, out, (SeqItem){.v = v})) return false;
        if (stepping) v += step;
    }
    return true;
}

bool seq_parse_line(Arena *a, Str line, SeqLine *ret, Err *err) {
    Str rest = str_trim(line);
    *ret = (SeqLine){0};
    if (!parse_metric(a, &rest, &ret->labels, err)) return false;
    while ((rest = str_trim(rest)).n) {
        bool ok;
        if (str_starts_with(rest, STR("{{"))) {
            ok = parse_histogram_item(a, &rest, ret);
        } else {
            size_t end = str_find_char(rest, ' ');
            Str item = str_slice(rest, 0, end == SIZE_MAX ? rest.n : end);
            rest = str_skip(rest, item.n);
            ok = parse_item(a, item, ret);
        }
        if (!ok) {
            err_set(err, ERR_INVALID, "bad value in \"%.*s\"", (int)line.n, line.p);
            return false;
        }
    }
    return true;
}

/* --- loading --- */

static void load_line(MetricsStore *store, Arena *a, const SeqLine *l, int64_t step_ms) {
    for (size_t i = 0; i < l->items.n; i++) {
        const SeqItem *it = &l->items.v[i];
        if (it->omitted) continue;
        if (it->h)
            test_store_add_histogram(store, l->labels, (int64_t)i * step_ms, fh_to_model(a, it->h));
        else
            test_store_add(store, l->labels, (int64_t)i * step_ms, it->v);
    }
}

typedef struct NhcbGroup {
    Labels labels;
    const SeqLine *sum, *count;
    VEC(ClassicBucket) bounds; /* count: index of the line */
    VEC(const SeqLine *) lines;
} NhcbGroup;

static int cmp_bound(const void *a, const void *b) {
    double x = ((const ClassicBucket *)a)->upper, y = ((const ClassicBucket *)b)->upper;
    return (x > y) - (x < y);
}

static const SeqItem *item_at(const SeqLine *l, size_t i) {
    return l && i < l->items.n && !l->items.v[i].omitted && !l->items.v[i].h ? &l->items.v[i] : NULL;
}

/* The group's histogram at position i; NULL when there are no buckets. */
static FHist *nhcb_at(Arena *a, NhcbGroup *g, size_t i) {
    FHist *h = ARENA_NEW(a, FHist);
    double *bounds = ARENA_ARRAY(a, double, g->bounds.n), before = 0;
    Numbers v = {0};
    h->schema = HISTOGRAM_SCHEMA_CUSTOM;
    for (size_t k = 0; k < g->bounds.n; k++) {
        const SeqItem *it = item_at(g->lines.v[(size_t)g->bounds.v[k].count], i);
        if (!it) continue;
        if (!avec_push(a, &v, it->v - before)) return NULL;
        before = h->count = it->v;
        if (!isinf(g->bounds.v[k].upper)) bounds[h->n_bounds++] = g->bounds.v[k].upper;
    }
    const SeqItem *count = item_at(g->count, i), *sum = item_at(g->sum, i);
    if (!v.n && !count) return NULL;
    if (count) {
        if (v.n == h->n_bounds && !avec_push(a, &v, count->v - before)) return NULL;
        h->count = count->v;
    }
    if (sum) h->sum = sum->v;
    h->bounds = bounds;
    set_buckets(a, &h->pos, &v, 0);
    fh_compact(h);
    return h;
}

static NhcbGroup *group_of(NhcbGroup *groups, size_t *n, Labels labels) {
    for (size_t i = 0; i < *n; i++)
        if (labels_eq(groups[i].labels, labels)) return &groups[i];
    groups[*n] = (NhcbGroup){.labels = labels};
    return &groups[(*n)++];
}

static Labels relabel(Arena *a, Labels l, Str name, bool drop_le) {
    Label *v = ARENA_ARRAY(a, Label, l.n);
    size_t n = 0;
    for (size_t i = 0; i < l.n; i++) {
        if (drop_le && str_eq_lit(l.v[i].name, "le")) continue;
        v[n] = l.v[i];
        if (str_eq(v[n].name, LABEL_NAME_METRIC)) v[n].value = name;
        n++;
    }
    return (Labels){v, n};
}

static void load_nhcb(MetricsStore *store, Arena *a, const SeqLines *lines, int64_t step_ms) {
    NhcbGroup *groups = arena_alloc_zero(a, (lines->n + 1) * sizeof *groups);
    size_t n = 0, longest = 0;
    for (size_t i = 0; i < lines->n; i++) {
        const SeqLine *l = &lines->v[i];
        Str name = labels_metric(l->labels);
        double upper;
        longest = MAX(longest, l->items.n);
        if (str_ends_with(name, STR("_bucket")) && num_parse_f64(labels_get(l->labels, STR("le")), &upper)) {
            NhcbGroup *g = group_of(groups, &n, relabel(a, l->labels, str_slice(name, 0, name.n - 7), true));
            vec_push(&g->bounds, (ClassicBucket){upper, (double)g->lines.n});
            vec_push(&g->lines, l);
        } else if (str_ends_with(name, STR("_count"))) {
            group_of(groups, &n, relabel(a, l->labels, str_slice(name, 0, name.n - 6), true))->count = l;
        } else if (str_ends_with(name, STR("_sum"))) {
            group_of(groups, &n, relabel(a, l->labels, str_slice(name, 0, name.n - 4), true))->sum = l;
        }
    }
    for (size_t k = 0; k < n; k++) {
        NhcbGroup *g = &groups[k];
        if (g->bounds.n) qsort(g->bounds.v, g->bounds.n, sizeof *g->bounds.v, cmp_bound);
        for (size_t i = 0; g->bounds.n && i < longest; i++) {
            FHist *h = nhcb_at(a, g, i);
            if (h) test_store_add_histogram(store, g->labels, (int64_t)i * step_ms, fh_to_model(a, h));
        }
        vec_done(&g->bounds);
        vec_done(&g->lines);
    }
}

void seq_load(MetricsStore *store, Arena *a, const SeqLines *lines, int64_t step_ms, bool nhcb) {
    for (size_t i = 0; i < lines->n; i++) {
        bool later = false;
        for (size_t j = i + 1; j < lines->n; j++) later |= labels_eq(lines->v[i].labels, lines->v[j].labels);
        if (!later) load_line(store, a, &lines->v[i], step_ms);
    }
    if (nhcb) load_nhcb(store, a, lines, step_ms);
}
