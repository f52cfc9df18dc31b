/* series_notation.c - series as promqltest scripts and unit tests of rules write them: name{a="b"} 1 2x3 _ {{sum:4}}.
 */
#include "metrics/promql/series_notation.h"

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

static bool parse_list(Arena *a, Str s, SeqNumbers *out) {
    Str rest = s, part;
    while (str_split_next(&rest, ' ', &part)) {
        double v;
        if (part.n == 0) continue;
        if (!seq_parse_number(part, &v) || !avec_push(a, out, v)) return false;
    }
    return true;
}

void seq_set_buckets(Arena *a, FhBuckets *b, const SeqNumbers *v, int32_t offset) {
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
    SeqNumbers pos = {0}, neg = {0}, custom = {0};
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
    seq_set_buckets(a, &h->pos, &pos, (int32_t)offset);
    seq_set_buckets(a, &h->neg, &neg, (int32_t)n_offset);
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

/* --- for others --- */

ErrCode promql_parse_noted(Str line, Arena *arena, NotedSeries *ret, Err *reterr) {
    SeqLine l;
    Err err = {0};
    *ret = (NotedSeries){0};
    if (!seq_parse_line(arena, line, &l, &err)) {
        if (arena_exhausted(arena)) return err_set(reterr, ERR_TOO_LARGE, "the series has too many values");
        if (reterr) *reterr = err;
        return ERR_INVALID;
    }
    NotedValue *v = ARENA_ARRAY(arena, NotedValue, l.items.n);
    for (size_t i = 0; v && i < l.items.n; i++) {
        const SeqItem *it = &l.items.v[i];
        /* Repeated ones share their histogram. */
        const Histogram *h = NULL;
        if (it->h) h = i > 0 && l.items.v[i - 1].h == it->h ? v[i - 1].histogram : fh_to_model(arena, it->h);
        v[i] = (NotedValue){it->omitted, it->v, h};
    }
    if (!v || arena_exhausted(arena)) return err_set(reterr, ERR_TOO_LARGE, "the series has too many values");
    *ret = (NotedSeries){l.labels, v, l.items.n};
    return OK;
}

static void put_field(Buf *out, const char *name, double v) {
    if (v == 0) return;
    buf_printf(out, "%s%s:", out->p[out->n - 1] == '{' ? "" : " ", name);
    num_put_f64_go_g(out, v);
}

static void put_list(Buf *out, const char *name, const double *v, size_t n) {
    buf_printf(out, "%s%s:[", out->p[out->n - 1] == '{' ? "" : " ", name);
    for (size_t i = 0; i < n; i++) {
        if (i) buf_put_char(out, ' ');
        num_put_f64_go_g(out, v[i]);
    }
    buf_put_char(out, ']');
}

/* One span from the first to the last bucket that is not empty. */
static void put_span(Buf *out, Arena *a, const FhBuckets *b, const char *list, const char *offset) {
    if (b->n == 0) return;
    int64_t first = b->idx[0], n = b->idx[b->n - 1] - first + 1;
    double *v = n < (1 << 20) ? ARENA_ARRAY(a, double, (size_t)n) : NULL;
    if (!v) return;
    memset(v, 0, (size_t)n * sizeof *v);
    for (size_t i = 0; i < b->n; i++) v[b->idx[i] - first] = b->v[i];
    put_field(out, offset, (double)first);
    put_list(out, list, v, (size_t)n);
}

void promql_put_noted_histogram(Buf *out, const Histogram *model, bool with_reset_hint) {
    static const char *const hints[] = {NULL, "reset", "not_reset", "gauge"};
    Arena *a = arena_create(64u << 20);
    FHist *h = fh_from_model(a, model);
    if (h) {
        fh_compact(h);
        buf_put_lit(out, "{{");
        put_field(out, "schema", h->schema);
        put_field(out, "count", h->count);
        put_field(out, "sum", h->sum);
        put_field(out, "z_bucket", h->zero_count);
        put_field(out, "z_bucket_w", h->zero_threshold);
        if (fh_is_custom(h)) put_list(out, "custom_values", h->bounds, h->n_bounds);
        if (with_reset_hint && h->reset < ARRAY_LEN(hints) && hints[h->reset])
            buf_printf(out, "%scounter_reset_hint:%s", out->p[out->n - 1] == '{' ? "" : " ", hints[h->reset]);
        put_span(out, a, &h->pos, "buckets", "offset");
        put_span(out, a, &h->neg, "n_buckets", "n_offset");
        buf_put_lit(out, "}}");
    }
    arena_free(a);
}
