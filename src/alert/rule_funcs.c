#include "alert/rule_funcs.h"

#include "alert/template_funcs.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "lang/gotime.h"
#include "lang/lexer.h"

#include <math.h>

#define FN(name) static ErrCode name(GoCall *c, const GoValue *args, size_t n, GoValue *ret)
#define DATA(c) ((const RuleTextData *)(c)->ctx)

/* --- values --- */

static void histogram_string(GoValue v, Buf *out) { promql_put_histogram_text(out, v.obj); }
static const GoType histogram_type[1] = {
    {.name = "*histogram.FloatHistogram", .kind = GO_STRUCT, .string = histogram_string, .pointer = true}};

GoValue rule_labels_value(Labels l, Arena *arena) {
    GoEntry *v = ARENA_ARRAY(arena, GoEntry, l.n);
    if (!v) return go_nil();
    size_t n = l.n;
    for (size_t i = 0; i < n; i++) v[i] = (GoEntry){l.v[i].name, go_of_str(l.v[i].value)};
    go_sort_entries(v, &n);
    return go_of_map(arena, go_string_map, v, n);
}

typedef struct RuleSample {
    Labels labels;
    GoValue value;
} RuleSample;

static GoValue number_value(double f, const Histogram *h) { return h ? go_of_obj(histogram_type, h) : go_of_f64(f); }
static GoValue sample_labels(const void *o, Arena *arena) {
    return rule_labels_value(((const RuleSample *)o)->labels, arena);
}
static GoValue sample_value(const void *o, Arena *arena) {
    (void)arena;
    return ((const RuleSample *)o)->value;
}
static const GoField sample_fields[] = {{STR_INIT("Labels"), sample_labels}, {STR_INIT("Value"), sample_value}};
static const GoType sample_type[1] = {{.name = "*template.sample",
    .kind = GO_STRUCT,
    .fields = sample_fields,
    .n_fields = ARRAY_LEN(sample_fields),
    .pointer = true}};
static const GoType samples_type[1] = {{.name = "template.queryResult", .kind = GO_LIST, .elem = sample_type}};

static GoValue data_labels(const void *o, Arena *arena) {
    return rule_labels_value(((const RuleTextData *)o)->labels, arena);
}
static GoValue data_external_labels(const void *o, Arena *arena) {
    return rule_labels_value(((const RuleTextData *)o)->external_labels, arena);
}
static GoValue data_external_url(const void *o, Arena *arena) {
    (void)arena;
    return go_of_str(((const RuleTextData *)o)->external_url);
}
static GoValue data_value(const void *o, Arena *arena) {
    (void)arena;
    const RuleTextData *d = o;
    return number_value(d->value, d->histogram);
}
static const GoField data_fields[] = {{STR_INIT("Labels"), data_labels},
    {STR_INIT("ExternalLabels"), data_external_labels}, {STR_INIT("ExternalURL"), data_external_url},
    {STR_INIT("Value"), data_value}};
const GoType rule_data_type[1] = {{.name = "struct { Labels map[string]string; ExternalLabels map[string]string; "
                                           "ExternalURL string; Value interface {} }",
    .kind = GO_STRUCT,
    .fields = data_fields,
    .n_fields = ARRAY_LEN(data_fields)}};

/* --- queries --- */

FN(fn_query) {
    (void)n;
    const RuleTextData *d = DATA(c);
    if (!d->query) return err_set(c->err, ERR_UNPROCESSABLE, "queries cannot be run here");
    PromqlResult res = {0};
    ErrCode code = d->query(d->ctx, args[0].s, d->t_ms, c->arena, &res, c->err);
    if (code) return code;
    GoValue *items = ARENA_ARRAY(c->arena, GoValue, res.n);
    RuleSample *samples = ARENA_ARRAY(c->arena, RuleSample, res.n);
    if (!items || !samples) return err_set(c->err, ERR_TOO_LARGE, "the query's result is too large");
    size_t count = 0;
    for (size_t i = 0; i < res.n; i++) {
        const PromqlSeries *s = &res.series[i];
        if (!s->n) continue;
        const Histogram *h = s->histogram ? s->histogram[s->n - 1] : NULL;
        samples[count] = (RuleSample){s->labels, number_value(s->value[s->n - 1], h)};
        items[count] = go_of_obj(sample_type, &samples[count]);
        count++;
    }
    *ret = go_of_list(c->arena, samples_type, items, count);
    return OK;
}

FN(fn_first) {
    (void)n;
    if (!go_len(args[0])) return err_set(c->err, ERR_UNPROCESSABLE, "first() called on vector with no elements");
    *ret = args[0].list->v[0];
    return OK;
}

static const RuleSample *sample_of(GoCall *c, GoValue v) {
    if (!v.obj) err_set(c->err, ERR_UNPROCESSABLE, "runtime error: invalid memory address or nil pointer dereference");
    return v.obj;
}

FN(fn_label) {
    (void)n;
    const RuleSample *s = sample_of(c, args[1]);
    if (!s) return ERR_UNPROCESSABLE;
    *ret = go_of_str(labels_get(s->labels, args[0].s));
    return OK;
}

FN(fn_value) {
    (void)n;
    const RuleSample *s = sample_of(c, args[0]);
    if (!s) return ERR_UNPROCESSABLE;
    *ret = s->value;
    return OK;
}

FN(fn_strvalue) {
    (void)n;
    const RuleSample *s = sample_of(c, args[0]);
    if (!s) return ERR_UNPROCESSABLE;
    *ret = go_of_str(labels_get(s->labels, STR("__value__")));
    return OK;
}

/* Stable: merge sort over the list's halves. */
static void sort_samples(GoValue *v, GoValue *tmp, size_t n, Str label) {
    if (n < 2) return;
    size_t half = n / 2;
    sort_samples(v, tmp, half, label);
    sort_samples(v + half, tmp, n - half, label);
    memcpy(tmp, v, n * sizeof *v);
    for (size_t i = 0, a = 0, b = half; i < n; i++) {
        bool left = b == n || (a < half && str_cmp(labels_get(((const RuleSample *)tmp[a].obj)->labels, label),
                                               labels_get(((const RuleSample *)tmp[b].obj)->labels, label)) <= 0);
        v[i] = tmp[left ? a++ : b++];
    }
}

FN(fn_sort_by_label) {
    (void)n;
    size_t count = go_len(args[1]);
    GoValue *v = ARENA_ARRAY(c->arena, GoValue, count), *tmp = ARENA_ARRAY(c->arena, GoValue, count);
    if (!v || !tmp) return err_set(c->err, ERR_TOO_LARGE, "result is too large");
    if (count) memcpy(v, args[1].list->v, count * sizeof *v);
    sort_samples(v, tmp, count, args[0].s);
    *ret = go_of_list(c->arena, samples_type, v, count);
    return OK;
}

/* --- numbers --- */

static ErrCode scaled(GoCall *c, GoValue arg, double base, const char *const *units, GoValue *ret) {
    double v;
    ErrCode code = template_to_float(c, arg, &v);
    if (code) return code;
    const char *unit = "";
    if (!isnan(v) && !isinf(v))
        for (size_t i = 0; units[i] && fabs(v) >= base; i++, v /= base) unit = units[i];
    Buf b = {0};
    template_put_4g(&b, v);
    buf_put_str(&b, str_cstr(unit));
    return template_return(c, &b, ret);
}

FN(fn_humanize) {
    (void)n;
    static const char *const units[] = {"k", "M", "G", "T", "P", "E", "Z", "Y", NULL};
    double v;
    ErrCode code = template_to_float(c, args[0], &v);
    if (code) return code;
    if (v == 0 || isnan(v) || fabs(v) >= 1) return scaled(c, args[0], 1000, units, ret);
    const char *unit = "munpfazy";
    for (v *= 1000; unit[1] && fabs(v) < 1; unit++) v *= 1000;
    Buf b = {0};
    template_put_4g(&b, v);
    buf_put_char(&b, *unit);
    return template_return(c, &b, ret);
}

FN(fn_humanize1024) {
    (void)n;
    static const char *const units[] = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi", NULL};
    return scaled(c, args[0], 1024, units, ret);
}

FN(fn_humanize_percentage) {
    (void)n;
    double v;
    ErrCode code = template_to_float(c, args[0], &v);
    if (code) return code;
    Buf b = {0};
    template_put_4g(&b, v * 100);
    buf_put_char(&b, '%');
    return template_return(c, &b, ret);
}

/* --- times --- */

static ErrCode float_to_time(GoCall *c, double v, GoValue *ret) {
    if (isnan(v) || isinf(v)) return err_set(c->err, ERR_INVALID, "value is NaN or Inf");
    double ns = v * 1e9;
    if (ns > 9223372036854775807.0 || ns < -9223372036854775808.0) {
        Buf b = {0};
        num_put_f64_go_g(&b, v);
        err_set(c->err, ERR_INVALID, "%s cannot be represented as a nanoseconds timestamp since it overflows int64",
            buf_cstr(&b));
        buf_done(&b);
        return ERR_INVALID;
    }
    int64_t whole = ns >= 9223372036854775807.0 ? INT64_MAX : (int64_t)ns;
    *ret = go_of_time(c->arena, whole / NS_PER_MS * NS_PER_MS); /* Prometheus' time is in ms */
    return OK;
}

FN(fn_to_time) {
    (void)n;
    double v;
    ErrCode code = template_to_float(c, args[0], &v);
    return code ? code : float_to_time(c, v, ret);
}

FN(fn_humanize_timestamp) {
    (void)n;
    double v;
    GoValue t;
    ErrCode code = template_to_float(c, args[0], &v);
    if (code) return code;
    Buf b = {0};
    if (isnan(v) || isinf(v)) {
        template_put_4g(&b, v);
        return template_return(c, &b, ret);
    }
    if ((code = float_to_time(c, v, &t))) return code;
    go_put_value(&b, c->arena, t);
    return template_return(c, &b, ret);
}

FN(fn_to_duration) {
    (void)n;
    double v;
    ErrCode code = template_to_float(c, args[0], &v);
    if (code) return code;
    double ns = v * 1e9;
    *ret = go_of_duration(
        ns >= 9223372036854775807.0 || ns <= -9223372036854775808.0 || isnan(ns) ? INT64_MIN : (int64_t)ns);
    return OK;
}

FN(fn_now) {
    (void)n, (void)args;
    *ret = go_of_f64((double)DATA(c)->t_ms / 1000.0);
    return OK;
}

FN(fn_parse_duration) {
    (void)n;
    Str s = args[0].s;
    bool negative = s.n && s.p[0] == '-';
    int64_t ms;
    if (!s.n) return err_set(c->err, ERR_INVALID, "empty duration string");
    if (!duration_parse_prom(str_skip(s, negative), &ms))
        return err_set(
            c->err, ERR_INVALID, "not a valid duration string: \"%" STR_FMT "\"", STR_ARG(str_skip(s, negative)));
    *ret = go_of_f64((double)(negative ? -ms : ms) / 1000.0);
    return OK;
}

/* --- texts --- */

FN(fn_args) {
    GoEntry *v = ARENA_ARRAY(c->arena, GoEntry, n);
    if (!v) return err_set(c->err, ERR_TOO_LARGE, "too many arguments");
    for (size_t i = 0; i < n; i++) v[i] = (GoEntry){arena_printf(c->arena, "arg%zu", i), args[i]};
    go_sort_entries(v, &n);
    *ret = go_of_map(c->arena, go_any_map, v, n);
    return OK;
}

FN(fn_title) {
    (void)n;
    Buf b = {0};
    template_put_title(&b, args[0].s, false);
    return template_return(c, &b, ret);
}

static ErrCode graph_link(GoCall *c, Str expr, const char *tab, GoValue *ret) {
    Buf b = {0};
    buf_put_lit(&b, "/graph?g0.expr=");
    gotmpl_put_urlquery(&b, expr);
    buf_printf(&b, "&g0.tab=%s", tab);
    return template_return(c, &b, ret);
}
FN(fn_graph_link) {
    (void)n;
    return graph_link(c, args[0].s, "0", ret);
}
FN(fn_table_link) {
    (void)n;
    return graph_link(c, args[0].s, "1", ret);
}

FN(fn_url_query_escape) {
    (void)n;
    Buf b = {0};
    gotmpl_put_urlquery(&b, args[0].s);
    return template_return(c, &b, ret);
}

FN(fn_external_url) {
    (void)n, (void)args;
    *ret = go_of_str(DATA(c)->external_url);
    return OK;
}

FN(fn_path_prefix) {
    (void)n, (void)args;
    Str url = DATA(c)->external_url;
    size_t scheme = str_find(url, STR("://"));
    if (scheme != SIZE_MAX) url = str_skip(url, scheme + 3);
    size_t slash = str_find_char(url, '/');
    url = slash == SIZE_MAX ? STR("") : str_skip(url, slash);
    size_t end = MIN(str_find_char(url, '?'), str_find_char(url, '#'));
    *ret = go_of_str(end == SIZE_MAX ? url : str_slice(url, 0, end));
    return OK;
}

/* --- hosts --- */

/* net.SplitHostPort; false: there is no port, or too many colons. */
static bool split_host_port(Str s, Str *ret_host, Str *ret_port) {
    size_t colon = str_rfind_char(s, ':');
    if (colon == SIZE_MAX) return false;
    Str host = str_slice(s, 0, colon);
    *ret_port = str_skip(s, colon + 1);
    if (s.p[0] == '[') {
        size_t close = str_find_char(s, ']');
        if (close == SIZE_MAX || close + 1 != colon) return false;
        host = str_slice(s, 1, close);
    } else if (str_find_char(host, ':') != SIZE_MAX) {
        return false;
    }
    *ret_host = host;
    Str inner = s.p[0] == '[' ? host : s;
    return str_find_char(inner, '[') == SIZE_MAX && str_find_char(inner, ']') == SIZE_MAX;
}

static bool is_address(Str s) {
    if (str_find_char(s, ':') != SIZE_MAX) { /* no host name has one */
        for (size_t i = 0; i < s.n && s.p[i] != '%'; i++)
            if (!strchr("0123456789abcdefABCDEF:.", s.p[i]) || !s.p[i]) return false;
        return str_find_char(str_skip(s, str_find_char(s, ':') + 1), ':') != SIZE_MAX;
    }
    Str part;
    int n = 0;
    while (str_split_next(&s, '.', &part)) {
        uint64_t v;
        if (!num_parse_u64(part, &v) || v > 255 || part.n > 3 || (part.n > 1 && part.p[0] == '0')) return false;
        n++;
    }
    return n == 4;
}

FN(fn_strip_port) {
    (void)c, (void)n;
    Str host, port;
    *ret = split_host_port(args[0].s, &host, &port) ? go_of_str(host) : args[0];
    return OK;
}

FN(fn_strip_domain) {
    (void)n;
    Str host, port = STR_NULL;
    if (!split_host_port(args[0].s, &host, &port)) {
        host = args[0].s;
        port = STR_NULL;
    }
    *ret = args[0];
    if (is_address(host)) return OK;
    size_t dot = str_find_char(host, '.');
    Buf b = {0};
    buf_put_str(&b, dot == SIZE_MAX ? host : str_slice(host, 0, dot));
    if (port.n) {
        buf_put_char(&b, ':');
        buf_put_str(&b, port);
    }
    return template_return(c, &b, ret);
}

const GoFunc rule_funcs[] = {
    {STR_INIT("query"), fn_query, {go_string}, 1, false},
    {STR_INIT("first"), fn_first, {samples_type}, 1, false},
    {STR_INIT("label"), fn_label, {go_string, sample_type}, 2, false},
    {STR_INIT("value"), fn_value, {sample_type}, 1, false},
    {STR_INIT("strvalue"), fn_strvalue, {sample_type}, 1, false},
    {STR_INIT("sortByLabel"), fn_sort_by_label, {go_string, samples_type}, 2, false},
    {STR_INIT("humanize"), fn_humanize, {go_any}, 1, false},
    {STR_INIT("humanize1024"), fn_humanize1024, {go_any}, 1, false},
    {STR_INIT("humanizeDuration"), template_humanize_duration, {go_any}, 1, false},
    {STR_INIT("humanizePercentage"), fn_humanize_percentage, {go_any}, 1, false},
    {STR_INIT("humanizeTimestamp"), fn_humanize_timestamp, {go_any}, 1, false},
    {STR_INIT("toTime"), fn_to_time, {go_any}, 1, false},
    {STR_INIT("toDuration"), fn_to_duration, {go_any}, 1, false},
    {STR_INIT("now"), fn_now, {NULL}, 0, false},
    {STR_INIT("parseDuration"), fn_parse_duration, {go_string}, 1, false},
    {STR_INIT("args"), fn_args, {go_any}, 1, true},
    {STR_INIT("reReplaceAll"), template_re_replace_all, {go_string, go_string, go_string}, 3, false},
    {STR_INIT("match"), template_match, {go_string, go_string}, 2, false},
    {STR_INIT("title"), fn_title, {go_string}, 1, false},
    {STR_INIT("toUpper"), template_to_upper, {go_string}, 1, false},
    {STR_INIT("toLower"), template_to_lower, {go_string}, 1, false},
    {STR_INIT("graphLink"), fn_graph_link, {go_string}, 1, false},
    {STR_INIT("tableLink"), fn_table_link, {go_string}, 1, false},
    {STR_INIT("stripPort"), fn_strip_port, {go_string}, 1, false},
    {STR_INIT("stripDomain"), fn_strip_domain, {go_string}, 1, false},
    {STR_INIT("urlQueryEscape"), fn_url_query_escape, {go_string}, 1, false},
    {STR_INIT("safeHtml"), template_safe_html, {go_string}, 1, false},
    {STR_INIT("externalURL"), fn_external_url, {NULL}, 0, false},
    {STR_INIT("pathPrefix"), fn_path_prefix, {NULL}, 0, false},
};
const size_t rule_n_funcs = ARRAY_LEN(rule_funcs);
