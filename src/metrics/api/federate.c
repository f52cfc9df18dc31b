/* federate.c - /federate: the newest sample of every matching series, in the text exposition format. */
#include "metrics/api/api_int.h"

#include "base/num.h"
#include "sys/clock.h"

#include <stdlib.h>

typedef struct Sample {
    Labels labels;
    int64_t t_ms;
    double v;
} Sample;

typedef VEC(Sample) Samples;

/* By name, then by labels. */
static int cmp_sample(const void *a, const void *b) {
    const Sample *x = a, *y = b;
    int c = str_cmp(labels_get(x->labels, LABEL_NAME_METRIC), labels_get(y->labels, LABEL_NAME_METRIC));
    return c ? c : labels_cmp(x->labels, y->labels);
}

static void put_label_value(Buf *b, Str s) {
    buf_put_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\n')
            buf_put_lit(b, "\\n");
        else if (s.p[i] == '"' || s.p[i] == '\\')
            buf_printf(b, "\\%c", s.p[i]);
        else
            buf_put_char(b, s.p[i]);
    }
    buf_put_char(b, '"');
}

static void put_label(Buf *b, Str name, Str value, bool *first) {
    if (!*first) buf_put_char(b, ',');
    *first = false;
    if (label_name_is_legacy(name))
        buf_put_str(b, name);
    else
        put_label_value(b, name);
    buf_put_char(b, '=');
    put_label_value(b, value);
}

static bool name_is_legacy(Str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
        if (!letter && !(i > 0 && c >= '0' && c <= '9')) return false;
    }
    return s.n > 0;
}

static void put_sample(Buf *b, const Sample *s, Labels external) {
    Str name = labels_get(s->labels, LABEL_NAME_METRIC);
    bool first = true, legacy = name_is_legacy(name), instance = false;
    if (legacy) buf_put_str(b, name);
    buf_put_char(b, '{');
    if (!legacy) {
        put_label_value(b, name);
        first = false;
    }
    for (size_t i = 0; i < s->labels.n; i++) {
        const Label *l = &s->labels.v[i];
        if (str_eq(l->name, LABEL_NAME_METRIC)) continue;
        instance |= str_eq_lit(l->name, "instance");
        put_label(b, l->name, l->value, &first);
    }
    for (size_t i = 0; i < external.n; i++) {
        if (labels_get(s->labels, external.v[i].name).n) continue;
        instance |= str_eq_lit(external.v[i].name, "instance");
        put_label(b, external.v[i].name, external.v[i].value, &first);
    }
    if (!instance) put_label(b, STR("instance"), STR(""), &first); /* so that the scraper does not put its own */
    buf_put_lit(b, "} ");
    num_put_f64_go_g(b, s->v);
    buf_put_char(b, ' ');
    num_put_i64(b, s->t_ms);
    buf_put_char(b, '\n');
}

/* The newest float within the lookback; stale ones are gone. */
static void collect(const SeriesColumns *cols, Samples *out) {
    for (size_t i = 0; i < cols->n; i++) {
        const SeriesColumn *c = &cols->v[i];
        if (c->n == 0 || is_stale_nan(c->value[c->n - 1])) continue;
        if (c->n_histograms && c->histogram_t_ms[c->n_histograms - 1] > c->t_ms[c->n - 1]) continue;
        vec_push(out, (Sample){c->labels, c->t_ms[c->n - 1], c->value[c->n - 1]});
    }
}

static void put_samples(const PromApi *api, Samples *v, Buf *out) {
    if (v->n > 1) qsort(v->v, v->n, sizeof *v->v, cmp_sample);
    Str last = STR_NULL;
    for (size_t i = 0; i < v->n; i++) {
        if (i > 0 && labels_eq(v->v[i].labels, v->v[i - 1].labels)) continue;
        Str name = labels_get(v->v[i].labels, LABEL_NAME_METRIC);
        if (name.n == 0) continue;
        if (!last.p || !str_eq(name, last)) {
            buf_put_lit(out, "# TYPE ");
            if (name_is_legacy(name))
                buf_put_str(out, name);
            else
                put_label_value(out, name);
            buf_put_lit(out, " untyped\n");
        }
        last = name;
        put_sample(out, &v->v[i], api->external);
    }
}

void api_federate(void *ctx, HttpRequest *req, HttpResponse *res) {
    PromApi *api = ctx;
    Str texts[256];
    size_t n = MIN(http_params(req, STR("match[]"), texts, ARRAY_LEN(texts)), ARRAY_LEN(texts));
    int64_t lookback = api->opts.engine.lookback_ms ? api->opts.engine.lookback_ms : 300000, now = clock_now_ms();
    Samples samples = {0};
    Err err = {0};
    ErrCode rc = OK;
    for (size_t i = 0; rc == OK && i < n; i++) {
        MetricsSelect sel = {.min_t_ms = now - lookback + 1, .max_t_ms = now, .arena = req->arena};
        SeriesColumns cols;
        rc = promql_parse_selector(texts[i], req->arena, &sel.matchers, &err);
        if (rc == OK) rc = api->opts.store->ops->select(api->opts.store, &sel, &cols, &err);
        if (rc == OK) collect(&cols, &samples);
    }
    if (rc == OK) {
        put_samples(api, &samples, &res->body);
        res->status = 200;
        res->content_type = STR("text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8");
    } else {
        http_reply_text(res, rc == ERR_INVALID ? 400 : 500, "%s\n", err.msg);
    }
    vec_done(&samples);
}
