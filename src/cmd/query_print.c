/* query_print.c - results as promtool prints them: for people, or the result alone as JSON. */
#include "cmd/query_int.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "base/vec.h"
#include "model/labels.h"

#include <math.h>
#include <stdlib.h>

/* --- numbers and label sets --- */

static void put_number(Buf *out, Str text) {
    double v;
    if (num_parse_f64(text, &v))
        num_put_f64_plain(out, v);
    else
        buf_put_str(out, text);
}

void query_put_metric(Buf *out, const JsonValue *metric, bool name_first) {
    Str name = name_first ? json_get_str(metric, STR("__name__")) : STR_NULL;
    bool first = true;
    if (name.n && !metric_name_is_legacy(name)) { /* {"a name", b="c"} */
        buf_put_char(out, '{');
        json_put_string(out, name);
        first = false;
    } else {
        buf_put_str(out, name);
    }
    for (const JsonValue *l = metric ? metric->first : NULL; l; l = l->next) {
        if (name_first && str_eq_lit(l->key, "__name__")) continue;
        buf_put_str(out, first ? STR("{") : STR(", "));
        first = false;
        buf_printf(out, "%.*s=", (int)l->key.n, l->key.p);
        json_put_string(out, l->text);
    }
    if (!first)
        buf_put_char(out, '}');
    else if (name.n == 0)
        buf_put_lit(out, "{}");
}

/* --- points --- */

static const JsonValue *member(const JsonValue *array, size_t i) {
    const JsonValue *v = array ? array->first : NULL;
    while (v && i--) v = v->next;
    return v;
}

static double number_of(Str text) {
    double v;
    return num_parse_f64(text, &v) ? v : 0;
}

/* {"count":..,"sum":..,"buckets":[[boundaries, lower, upper, count]..]} */
static void put_histogram(Buf *out, const JsonValue *h) {
    const JsonValue *buckets = json_get(h, STR("buckets"));
    double count = number_of(json_get_str(h, STR("count"))), sum = number_of(json_get_str(h, STR("sum")));
    buf_printf(out, "Count: %f, Sum: %f, Buckets: [", count, sum);
    for (const JsonValue *b = buckets ? buckets->first : NULL; b; b = b->next) {
        const JsonValue *kind = member(b, 0), *lower = member(b, 1), *upper = member(b, 2), *n = member(b, 3);
        if (!n) continue;
        bool both = str_eq_lit(kind->text, "3");
        if (b != buckets->first) buf_put_char(out, ' ');
        buf_put_char(out, both || str_eq_lit(kind->text, "1") ? '[' : '(');
        num_put_f64_go_g(out, number_of(lower->text));
        buf_put_char(out, ',');
        num_put_f64_go_g(out, number_of(upper->text));
        buf_put_char(out, both || str_eq_lit(kind->text, "0") ? ']' : ')');
        buf_put_char(out, ':');
        put_number(out, n->text);
    }
    buf_put_char(out, ']');
}

static void put_point(Buf *out, const JsonValue *pair) {
    const JsonValue *t = member(pair, 0), *v = member(pair, 1);
    if (!v) return;
    if (v->kind == JSON_K_OBJECT)
        put_histogram(out, v);
    else
        put_number(out, v->text);
    buf_put_lit(out, " @[");
    put_number(out, t->text);
    buf_put_lit(out, "]\n");
}

/* --- query, query_range --- */

/* As the Go client sorts a matrix: series of fewer labels first, then label by label. */
static int by_metric(const void *a, const void *b) {
    const JsonValue *x = json_get(*(const JsonValue *const *)a, STR("metric"));
    const JsonValue *y = json_get(*(const JsonValue *const *)b, STR("metric"));
    if (!x || !y || x->n != y->n) return !x || !y ? 0 : x->n < y->n ? -1 : 1;
    const JsonValue *l = x->first, *r = y->first;
    for (; l && r; l = l->next, r = r->next) {
        int c = str_cmp(l->key, r->key); /* the one that has the earlier name comes last */
        if (c) return c < 0 ? 1 : -1;
        c = str_cmp(l->text, r->text);
        if (c) return c;
    }
    return 0;
}

static void put_series(Buf *out, const JsonValue *s) {
    const JsonValue *values = json_get(s, STR("values")), *histograms = json_get(s, STR("histograms"));
    const JsonValue *value = json_get(s, STR("value"));
    query_put_metric(out, json_get(s, STR("metric")), true);
    buf_put_lit(out, " =>");
    if (!values && !histograms) {
        buf_put_char(out, ' ');
        put_point(out, value ? value : json_get(s, STR("histogram")));
        return;
    }
    buf_put_char(out, '\n');
    for (const JsonValue *v = values ? values->first : NULL; v; v = v->next) put_point(out, v);
    for (const JsonValue *v = histograms ? histograms->first : NULL; v; v = v->next) put_point(out, v);
}

static void put_all_series(Buf *out, const JsonValue *result, bool matrix) {
    VEC(const JsonValue *) all = {0};
    for (const JsonValue *s = result ? result->first : NULL; s; s = s->next) vec_push(&all, s);
    if (matrix && all.n > 1) qsort(all.v, all.n, sizeof(const JsonValue *), by_metric);
    for (size_t i = 0; i < all.n; i++) put_series(out, all.v[i]);
    if (all.n == 0) buf_put_char(out, '\n'); /* an empty value, as promtool says it */
    vec_done(&all);
}

/* Numbers as the Go client writes them: without the zeros that the server puts behind times. */
static void put_json(Buf *out, const JsonValue *v) {
    char sep = v->kind == JSON_K_OBJECT ? '{' : '[';
    switch (v->kind) {
    case JSON_K_NULL: buf_put_lit(out, "null"); return;
    case JSON_K_BOOL: buf_put_str(out, v->boolean ? STR("true") : STR("false")); return;
    case JSON_K_NUMBER: put_number(out, v->text); return;
    case JSON_K_STRING: json_put_string(out, v->text); return;
    default: break;
    }
    if (v->n == 0) buf_put_char(out, sep);
    for (const JsonValue *m = v->first; m; m = m->next) {
        buf_put_char(out, sep);
        sep = ',';
        if (v->kind == JSON_K_OBJECT) {
            json_put_string(out, m->key);
            buf_put_char(out, ':');
        }
        put_json(out, m);
    }
    buf_put_char(out, v->kind == JSON_K_OBJECT ? '}' : ']');
}

static void put_json_line(Buf *out, const JsonValue *v) {
    put_json(out, v);
    buf_put_char(out, '\n');
}

void query_print_value(Buf *out, const JsonValue *data, QueryFormat format) {
    Str type = json_get_str(data, STR("resultType"));
    const JsonValue *result = json_get(data, STR("result"));
    if (!result) return;
    if (format == QUERY_JSON) {
        put_json_line(out, result);
    } else if (str_eq_lit(type, "scalar")) {
        buf_put_lit(out, "scalar: ");
        put_point(out, result);
    } else if (str_eq_lit(type, "string")) {
        const JsonValue *text = member(result, 1);
        if (text) buf_printf(out, "%.*s\n", (int)text->text.n, text->text.p);
    } else {
        put_all_series(out, result, str_eq_lit(type, "matrix"));
    }
}

/* --- lists --- */

void query_print_list(Buf *out, const JsonValue *data, QueryFormat format) {
    if (format == QUERY_JSON) {
        put_json_line(out, data);
        return;
    }
    for (const JsonValue *v = data->first; v; v = v->next) {
        if (v->kind == JSON_K_OBJECT)
            query_put_metric(out, v, false);
        else
            buf_put_str(out, v->text);
        buf_put_char(out, '\n');
    }
}

void query_print_metadata(Buf *out, const JsonValue *data, QueryFormat format) {
    if (format == QUERY_JSON) {
        put_json_line(out, data);
        return;
    }
    for (const JsonValue *metric = data->first; metric; metric = metric->next) {
        for (const JsonValue *m = metric->first; m; m = m->next) {
            Str type = json_get_str(m, STR("type")), unit = json_get_str(m, STR("unit")),
                help = json_get_str(m, STR("help"));
            buf_printf(out, "%.*s %.*s%s%.*s %.*s\n", (int)metric->key.n, metric->key.p, (int)type.n, type.p,
                unit.n ? " in " : "", (int)unit.n, unit.p ? unit.p : "", (int)help.n, help.p ? help.p : "");
        }
    }
}

void query_print_exemplars(Buf *out, const JsonValue *data, QueryFormat format) {
    if (format == QUERY_JSON) {
        put_json_line(out, data);
        return;
    }
    for (const JsonValue *s = data->first; s; s = s->next) {
        const JsonValue *list = json_get(s, STR("exemplars"));
        for (const JsonValue *e = list ? list->first : NULL; e; e = e->next) {
            const JsonValue *t = json_get(e, STR("timestamp"));
            query_put_metric(out, json_get(s, STR("seriesLabels")), true);
            buf_put_lit(out, " # ");
            query_put_metric(out, json_get(e, STR("labels")), false);
            buf_put_char(out, ' ');
            put_number(out, json_get_str(e, STR("value")));
            buf_put_lit(out, " @[");
            if (t) put_number(out, t->text);
            buf_put_lit(out, "]\n");
        }
    }
}

/* --- logs, traces --- */

static void put_log_line(Buf *out, const JsonValue *stream, const JsonValue *entry) {
    const JsonValue *time = member(entry, 0), *line = member(entry, 1);
    int64_t t;
    if (time && num_parse_i64(time->text, &t)) time_put_rfc3339(out, t);
    buf_put_char(out, ' ');
    if (stream) query_put_metric(out, stream, true);
    buf_put_char(out, ' ');
    if (line) buf_put_str(out, line->text);
    buf_put_char(out, '\n');
}

void query_print_logs(Buf *out, const JsonValue *data, QueryFormat format) {
    const JsonValue *result = json_get(data, STR("result"));
    if (!str_eq_lit(json_get_str(data, STR("resultType")), "streams") || format == QUERY_JSON) {
        query_print_value(out, data, format);
        return;
    }
    for (const JsonValue *s = result ? result->first : NULL; s; s = s->next) {
        const JsonValue *values = json_get(s, STR("values")), *stream = json_get(s, STR("stream"));
        for (const JsonValue *v = values ? values->first : NULL; v; v = v->next) put_log_line(out, stream, v);
    }
}

void query_print_traces(Buf *out, const JsonValue *data, QueryFormat format) {
    if (format == QUERY_JSON) {
        put_json_line(out, data);
        return;
    }
    for (const JsonValue *t = data->first; t; t = t->next) {
        const JsonValue *spans = json_get(t, STR("spans"));
        Str id = json_get_str(t, STR("traceID")),
            op = spans && spans->first ? json_get_str(spans->first, STR("operationName")) : STR_NULL;
        buf_printf(out, "%.*s %zu spans %.*s\n", (int)id.n, id.p, spans ? spans->n : 0, (int)op.n, op.p ? op.p : "");
    }
}
