/* tempo_metrics.c - /api/metrics/query_range and /api/metrics/query. */
#include "base/num.h"
#include "base/timefmt.h"
#include "traces/tempo_int.h"
#include "traces/traceql_metrics.h"

#include <math.h>

#define HOUR_NS (3600 * NS_PER_S)
#define EXEMPLARS_DEFAULT 100
#define EXEMPLARS_MAX 1000

static void put_ms(JsonWriter *w, const char *key, int64_t t_ns) {
    Buf text = {0};
    num_put_i64(&text, t_ns / NS_PER_MS);
    json_pair_str(w, key, buf_str(&text));
    buf_done(&text);
}

static void put_value(JsonWriter *w, double v) {
    json_key_lit(w, "value");
    json_f64(w, v);
}

static void put_labels(JsonWriter *w, const TqlSeries *s) {
    Buf text = {0};
    json_key_lit(w, "labels");
    json_begin_array(w);
    for (size_t i = 0; i < s->n_labels; i++) tempo_put_key_value(w, s->labels[i].name, &s->labels[i].value);
    json_end_array(w);
    traceql_metrics_put_labels(&text, s->labels, s->n_labels);
    json_pair_str(w, "promLabels", buf_str(&text));
    buf_done(&text);
}

static void put_exemplars(JsonWriter *w, const TqlSeries *s) {
    if (s->n_exemplars == 0) return;
    json_key_lit(w, "exemplars");
    json_begin_array(w);
    for (size_t i = 0; i < s->n_exemplars; i++) {
        const TqlExemplar *x = &s->exemplars[i];
        Buf id = {0};
        num_put_hex(&id, x->trace_id.b, sizeof x->trace_id.b);
        TqlValue trace = {.type = TQL_STRING, .s = buf_str(&id)};
        json_begin_object(w);
        json_key_lit(w, "labels");
        json_begin_array(w);
        tempo_put_key_value(w, STR("trace:id"), &trace);
        for (size_t k = 0; k < s->n_labels; k++) tempo_put_key_value(w, s->labels[k].name, &s->labels[k].value);
        json_end_array(w);
        put_value(w, x->value);
        put_ms(w, "timestampMs", x->t_ns);
        json_end_object(w);
        buf_done(&id);
    }
    json_end_array(w);
}

static void put_range_series(JsonWriter *w, const TqlMatrix *m, const TqlSeries *s) {
    json_begin_object(w);
    put_labels(w, s);
    json_key_lit(w, "samples");
    json_begin_array(w);
    for (size_t i = 0; i < m->n_points; i++) {
        if (!isfinite(s->v[i])) continue;
        json_begin_object(w);
        put_ms(w, "timestampMs", m->first_ns + (int64_t)i * m->step_ns);
        put_value(w, s->v[i]);
        json_end_object(w);
    }
    json_end_array(w);
    put_exemplars(w, s);
    json_end_object(w);
}

static void put_instant_series(JsonWriter *w, const TqlSeries *s) {
    if (!isfinite(s->v[0])) return;
    json_begin_object(w);
    put_labels(w, s);
    put_value(w, s->v[0]);
    json_end_object(w);
}

static void reply(HttpResponse *res, const TqlMatrix *m, bool instant) {
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "series");
    json_begin_array(&w);
    for (size_t i = 0; i < m->n; i++) {
        if (instant)
            put_instant_series(&w, &m->series[i]);
        else
            put_range_series(&w, m, &m->series[i]);
    }
    json_end_array(&w);
    tempo_put_stats(&w, &m->stats);
    json_end_object(&w);
    tempo_reply_json(res);
}

static bool gone(void *ctx) { return http_client_gone(ctx); }

static void run(TempoApi *api, HttpRequest *req, HttpResponse *res, TqlMetricsRequest *q, bool instant) {
    Str text = http_param(req, STR("q"));
    if (text.n == 0) text = http_param(req, STR("query"));
    Err err = {0};
    TqlMatrix m;
    if (traceql_parse(text, req->arena, &q->query, &err) != OK) {
        http_reply_text(res, err.code == ERR_TOO_LARGE ? 422 : 400, "%s\n", err.msg); /* Tempo has no prefix here */
        return;
    }
    q->store = api->opts.store;
    q->gone = gone;
    q->gone_ctx = req;
    q->deadline_mono_ns = tempo_deadline(api);
    if (traceql_metrics(q, req->arena, &m, &err) == OK)
        reply(res, &m, instant);
    else
        tempo_reply_error(res, &err);
}

void tempo_query_range(void *ctx, HttpRequest *req, HttpResponse *res) {
    TempoRange range;
    TqlMetricsRequest q = {0};
    uint32_t exemplars;
    if (!tempo_param_range(req, res, HOUR_NS, &range) ||
        !tempo_param_u32(req, res, STR("exemplars"), EXEMPLARS_DEFAULT, EXEMPLARS_MAX, &exemplars) ||
        !tempo_param_duration(req, res, STR("step"), traceql_metrics_step(range.start_ns, range.end_ns), &q.step_ns)) {
        return;
    }
    if (q.step_ns < NS_PER_MS) {
        http_reply_text(res, 400, "invalid step: it must be at least 1ms\n");
        return;
    }
    q.start_ns = range.start_ns;
    q.end_ns = range.end_ns;
    q.exemplars_max = exemplars;
    traceql_metrics_align(&q.start_ns, &q.end_ns, q.step_ns);
    run(ctx, req, res, &q, false);
}

void tempo_query_instant(void *ctx, HttpRequest *req, HttpResponse *res) {
    TempoRange range;
    if (!tempo_param_range(req, res, HOUR_NS, &range)) return;
    TqlMetricsRequest q = {.start_ns = range.start_ns, .end_ns = range.end_ns};
    run(ctx, req, res, &q, true);
}
