/* query.c - /query, /query_range, /format_query, /parse_query, /query_exemplars, and how results are written. */
#include "metrics/api/api_int.h"
#include "metrics/api/points.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "lang/lexer.h"
#include "sys/clock.h"

/* --- results --- */

typedef struct Buckets {
    JsonWriter *w;
    bool any;
} Buckets;

static void put_bucket(void *ctx, int bounds, double lower, double upper, double count) {
    Buckets *o = ctx;
    Buf b = {0};
    if (!o->any) {
        json_key_lit(o->w, "buckets");
        json_begin_array(o->w);
        o->any = true;
    }
    buf_printf(&b, "[%d,", bounds);
    api_put_value(&b, lower);
    buf_put_char(&b, ',');
    api_put_value(&b, upper);
    buf_put_char(&b, ',');
    api_put_value(&b, count);
    buf_put_char(&b, ']');
    json_raw(o->w, buf_str(&b));
    buf_done(&b);
}

static void put_raw_value(JsonWriter *w, double v) {
    Buf b = {0};
    api_put_value(&b, v);
    json_raw(w, buf_str(&b));
    buf_done(&b);
}

static void put_histogram(JsonWriter *w, const Histogram *h) {
    json_begin_object(w);
    json_key_lit(w, "count");
    put_raw_value(w, h->count);
    json_key_lit(w, "sum");
    put_raw_value(w, h->sum);
    Buckets out = {.w = w};
    promql_each_bucket(h, put_bucket, &out);
    if (out.any) json_end_array(w);
    json_end_object(w);
}

/* [t,"v"] or [t,{histogram}] */
static void put_point(JsonWriter *w, const PromqlSeries *s, size_t i) {
    const Histogram *h = s->histogram ? s->histogram[i] : NULL;
    Buf b = {0};
    api_put_time(&b, s->t_ms[i]);
    json_begin_array(w);
    json_raw(w, buf_str(&b));
    buf_done(&b);
    if (h)
        put_histogram(w, h);
    else
        put_raw_value(w, s->value[i]);
    json_end_array(w);
}

static void put_labels(JsonWriter *w, Labels l) {
    json_begin_object(w);
    for (size_t i = 0; i < l.n; i++) {
        json_key(w, l.v[i].name);
        json_str(w, l.v[i].value);
    }
    json_end_object(w);
}

/* The series' floats, or its histograms, under key; nothing when there are none. */
static void put_points(JsonWriter *w, const char *key, const PromqlSeries *s, bool histograms) {
    bool any = false;
    for (size_t i = 0; i < s->n; i++) {
        bool h = s->histogram && s->histogram[i];
        if (h != histograms) continue;
        if (!any) {
            json_key(w, str_cstr(key));
            json_begin_array(w);
            any = true;
        }
        put_point(w, s, i);
    }
    if (any) json_end_array(w);
}

static void put_series(JsonWriter *w, const PromqlSeries *s, bool matrix, const PointTimes *t) {
    json_begin_object(w);
    json_key_lit(w, "metric");
    put_labels(w, s->labels);
    if (matrix && !s->histogram && s->n) {
        json_key_lit(w, "values");
        json_raw(w, STR(""));
        points_put(w->out, s, t);
    } else if (matrix) {
        put_points(w, "values", s, false);
        put_points(w, "histograms", s, true);
    } else {
        bool h = s->histogram && s->histogram[0];
        json_key(w, h ? STR("histogram") : STR("value"));
        put_point(w, s, 0);
    }
    json_end_object(w);
}

/* Times and values of scalars and strings are written another way than those of series. */
static void put_string(JsonWriter *w, int64_t t_ms, Str s) {
    json_begin_array(w);
    json_f64(w, (double)t_ms / 1000);
    json_str(w, s);
    json_end_array(w);
}

static void put_scalar(JsonWriter *w, const PromqlSeries *s) {
    Buf b = {0};
    num_put_f64_plain(&b, s->value[0]);
    put_string(w, s->t_ms[0], buf_str(&b));
    buf_done(&b);
}

static void put_seconds(JsonWriter *w, const char *key, int64_t ns) {
    json_key(w, str_cstr(key));
    json_f64(w, (double)ns / 1e9);
}

/* [[t,n],...]; nothing when the engine was not asked. */
static void put_per_step(JsonWriter *w, const char *key, const PromqlQuery *q, const uint64_t *n, size_t n_steps) {
    if (!n) return;
    json_key(w, str_cstr(key));
    json_begin_array(w);
    for (size_t i = 0; i < n_steps; i++) {
        json_begin_array(w);
        json_f64(w, (double)(q->start_ms + (int64_t)i * q->step_ms) / 1000);
        json_u64(w, n[i]);
        json_end_array(w);
    }
    json_end_array(w);
}

static void put_stats(JsonWriter *w, const PromqlStats *s, const PromqlQuery *q) {
    json_key_lit(w, "stats");
    json_begin_object(w);
    json_key_lit(w, "timings");
    json_begin_object(w);
    put_seconds(w, "evalTotalTime", s->eval_ns);
    put_seconds(w, "resultSortTime", s->sort_ns);
    put_seconds(w, "queryPreparationTime", s->prepare_ns);
    put_seconds(w, "innerEvalTime", s->inner_ns);
    put_seconds(w, "execQueueTime", s->queue_ns);
    put_seconds(w, "execTotalTime", s->exec_ns);
    json_end_object(w);
    json_key_lit(w, "samples");
    json_begin_object(w);
    put_per_step(w, "totalQueryableSamplesPerStep", q, s->total_per_step, s->n_steps);
    json_key_lit(w, "totalQueryableSamples");
    json_u64(w, s->samples_total);
    put_per_step(w, "samplesReadPerStep", q, s->read_per_step, s->n_steps);
    json_key_lit(w, "samplesRead");
    json_u64(w, s->samples_read);
    json_key_lit(w, "seriesTouched");
    json_u64(w, s->series_read);
    json_key_lit(w, "peakSamples");
    json_u64(w, s->samples_peak);
    json_end_object(w);
    json_end_object(w);
}

static void put_result(ApiCall *c, const PromqlResult *r, const PromqlQuery *q) {
    JsonWriter *w = &c->w;
    json_begin_object(w);
    json_key_lit(w, "resultType");
    json_str(w, str_cstr(promql_type_name(r->type)));
    json_key_lit(w, "result");
    if (r->type == PQL_TYPE_STRING) {
        put_string(w, q->start_ms, r->string);
    } else if (r->type == PQL_TYPE_SCALAR) {
        put_scalar(w, &r->series[0]);
    } else {
        json_begin_array(w);
        PointTimes times = point_times(r, q);
        for (size_t i = 0; i < r->n; i++) put_series(w, &r->series[i], r->type == PQL_TYPE_MATRIX, &times);
        point_times_done(&times);
        json_end_array(w);
    }
    if (http_param(c->req, STR("stats")).n) put_stats(w, &r->stats, q);
    json_end_object(w);
}

/* --- running --- */

static void collect_notes(ApiCall *c, const PromqlResult *r) {
    for (size_t i = 0; i < r->n_warnings; i++) vec_push(&c->warnings, r->warnings[i]);
    for (size_t i = 0; i < r->n_infos; i++) vec_push(&c->infos, r->infos[i]);
}

static bool client_gone(void *ctx) { return http_client_gone(ctx); }

/* Whether this one query goes by start timestamps. */
static bool starts_header(ApiCall *c, PromqlQuery *q) {
    Str value = http_header(c->req, STR("X-Prometheus-Use-Start-Timestamps"));
    q->has_starts = value.n > 0;
    if (value.n == 0 || num_parse_bool(value, &q->starts)) return true;
    return api_fail(c, API_BAD_DATA,
        "error parsing X-Prometheus-Use-Start-Timestamps header: strconv.ParseBool: parsing %" STR_FMT
        ": invalid syntax",
        STR_ARG(api_quoted(c, value)));
}

bool api_query_options(ApiCall *c, PromqlQuery *q) {
    int64_t timeout = c->api->opts.query_timeout_ms, own;
    Str lookback = http_param(c->req, STR("lookback_delta"));
    bool overflow;
    if (http_param(c->req, STR("timeout")).n) {
        if (!api_duration_param(c, "timeout", &own)) return false;
        if (own <= 0) {
            Buf text = {0};
            duration_put_go(&text, own * 1000000);
            api_fail_param(c, "timeout", "timeout must be positive, got %s", buf_cstr(&text));
            buf_done(&text);
            return false;
        }
        timeout = MIN(timeout, own);
    }
    if (lookback.n && !api_parse_duration(lookback, &q->lookback_ms, &overflow))
        return api_fail(c, API_BAD_DATA,
            "error parsing lookback delta duration: cannot parse %" STR_FMT " to a valid duration%s",
            STR_ARG(api_quoted(c, lookback)), overflow ? ". It overflows int64" : "");
    if (!starts_header(c, q)) return false;
    q->gone = client_gone;
    q->gone_ctx = c->req;
    q->step_stats = str_eq_lit(http_param(c->req, STR("stats")), "all");
    q->deadline_mono_ns = clock_mono_ns() + MAX(timeout, 0) * 1000000;
    if (c->req->deadline_mono_ns) q->deadline_mono_ns = MIN(q->deadline_mono_ns, c->req->deadline_mono_ns);
    return true;
}

static void warn_about_stats(ApiCall *c) {
    Str stats = http_param(c->req, STR("stats"));
    if (stats.n == 0 || str_eq_lit(stats, "true") || str_eq_lit(stats, "all")) return;
    Buf quoted = {0};
    lang_put_quoted(&quoted, stats);
    Str text = arena_printf(c->req->arena,
        "value %s for parameter \"stats\" is deprecated and will be rejected in the next major release, use \"true\" "
        "or \"all\"",
        buf_cstr(&quoted));
    if (text.p) api_warn(c, text);
    buf_done(&quoted);
}

/* Notes live in the query's arena: they are written before it goes. */
static bool finish_query(ApiCall *c, PromqlResult *r, const PromqlQuery *q, size_t limit) {
    collect_notes(c, r);
    bool many = r->type == PQL_TYPE_VECTOR || r->type == PQL_TYPE_MATRIX;
    if (limit && many && r->n > limit) {
        r->n = limit;
        api_warn(c, STR("results truncated due to limit"));
    }
    warn_about_stats(c);
    put_result(c, r, q);
    for (size_t i = 0; i < c->warnings.n; i++) {
        c->warnings.v[i] = arena_copy(c->req->arena, c->warnings.v[i]);
        if (!c->warnings.v[i].p) c->warnings.v[i] = STR("");
    }
    for (size_t i = 0; i < c->infos.n; i++) {
        c->infos.v[i] = arena_copy(c->req->arena, c->infos.v[i]);
        if (!c->infos.v[i].p) c->infos.v[i] = STR("");
    }
    return true;
}

/* The answer counts as the query's memory: what has room for the points may not have it for their text. */
static ErrCode check_answer_size(const Arena *arena, const PromqlResult *r, Err *reterr) {
    size_t bytes = 0;
    for (size_t i = 0; i < r->n; i++) bytes += 256 + r->series[i].n * 32;
    if (bytes <= arena_left_bytes(arena)) return OK;
    return err_set(reterr, ERR_TOO_LARGE, "query's answer needs more memory than it may use");
}

static bool run_query(ApiCall *c, PromqlQuery *q, size_t limit) {
    Arena *arena = arena_create(c->api->opts.query_arena_bytes);
    Str text = http_param(c->req, STR("query"));
    PromqlResult r = {0};
    PromqlOptions engine = api_engine_options(c->api);
    Err err = {0};
    int64_t begin = clock_mono_ns();
    ErrCode rc = api_query_begin(c, text, "api", q, &err);
    bool ok = false;
    if (rc == OK) {
        rc = promql_exec(c->api->opts.store, &engine, q, text, arena, &r, &err);
        if (rc == OK) rc = check_answer_size(arena, &r, &err);
        api_query_end(c, text, q, begin, &r.stats, rc, &err);
    }
    if (rc == OK)
        ok = finish_query(c, &r, q, limit);
    else if (rc == ERR_INVALID)
        api_fail_param(c, "query", "%s", err.msg);
    else
        api_fail_err(c, &err);
    arena_free(arena);
    return ok;
}

bool api_query(ApiCall *c) {
    PromqlQuery q = {0};
    size_t limit;
    if (!api_limit_param(c, &limit) || !api_time_param(c, "time", clock_now_ms(), &q.start_ms) ||
        !api_query_options(c, &q))
        return false;
    q.end_ms = q.start_ms;
    return run_query(c, &q, limit);
}

bool api_range_params(ApiCall *c, PromqlQuery *q) {
    if (!api_time_param(c, "start", INT64_MIN, &q->start_ms) || !api_time_param(c, "end", INT64_MIN, &q->end_ms))
        return false;
    if (q->end_ms < q->start_ms) return api_fail_param(c, "end", "end timestamp must not be before start time");
    if (!api_duration_param(c, "step", &q->step_ms)) return false;
    if (q->step_ms <= 0)
        return api_fail_param(
            c, "step", "zero or negative query resolution step widths are not accepted. Try a positive integer");
    if ((q->end_ms - q->start_ms) / q->step_ms > PROMQL_STEPS_MAX)
        return api_fail(c, API_BAD_DATA,
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution "
            "(?step=XX)");
    return true;
}

bool api_query_range(ApiCall *c) {
    PromqlQuery q = {0};
    size_t limit;
    return api_limit_param(c, &limit) && api_range_params(c, &q) && api_query_options(c, &q) && run_query(c, &q, limit);
}

static bool parse_param(ApiCall *c, PqlNode **ret) {
    Err err = {0};
    Str text = http_param(c->req, STR("query"));
    if (promql_parse(text, c->req->arena, ret, &err) == OK) return true;
    return api_fail_param(c, "query", "%s", err.msg);
}

bool api_format_query(ApiCall *c) {
    PqlNode *n;
    if (!parse_param(c, &n)) return false;
    Buf b = {0};
    promql_print_pretty(&b, n);
    json_str(&c->w, buf_str(&b));
    buf_done(&b);
    return true;
}

bool api_parse_query(ApiCall *c) {
    PqlNode *n;
    if (!parse_param(c, &n)) return false;
    api_put_ast(&c->w, n);
    return true;
}

/* --- exemplars --- */

typedef VEC(Matchers) SelectorVec;

static void collect_selectors(const PqlNode *n, SelectorVec *out) {
    switch (n->kind) {
    case PQL_SELECTOR: vec_push(out, n->selector.matchers); return;
    case PQL_MATRIX: collect_selectors(n->matrix.selector, out); return;
    case PQL_SUBQUERY: collect_selectors(n->subquery.expr, out); return;
    case PQL_UNARY: collect_selectors(n->unary.expr, out); return;
    case PQL_PAREN: collect_selectors(n->paren, out); return;
    case PQL_BINARY:
        collect_selectors(n->binary.lhs, out);
        collect_selectors(n->binary.rhs, out);
        return;
    case PQL_AGGREGATE:
        collect_selectors(n->aggregate.expr, out);
        if (n->aggregate.param) collect_selectors(n->aggregate.param, out);
        return;
    case PQL_CALL:
        for (size_t i = 0; i < n->call.args.n; i++) collect_selectors(n->call.args.v[i], out);
        return;
    default: return;
    }
}

static void put_exemplar(JsonWriter *w, const Exemplar *e) {
    Buf b = {0};
    json_begin_object(w);
    json_key_lit(w, "labels");
    put_labels(w, e->labels);
    json_key_lit(w, "value");
    put_raw_value(w, e->value);
    json_key_lit(w, "timestamp");
    api_put_time(&b, e->t_ms);
    json_raw(w, buf_str(&b));
    json_end_object(w);
    buf_done(&b);
}

/* Exemplars come with their series, those of one series together. */
static void put_exemplars(JsonWriter *w, const Labels *series, const Exemplar *e, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bool first = i == 0 || !labels_eq(series[i], series[i - 1]);
        if (first && i > 0) {
            json_end_array(w);
            json_end_object(w);
        }
        if (first) {
            json_begin_object(w);
            json_key_lit(w, "seriesLabels");
            put_labels(w, series[i]);
            json_key_lit(w, "exemplars");
            json_begin_array(w);
        }
        put_exemplar(w, &e[i]);
    }
    if (n == 0) return;
    json_end_array(w);
    json_end_object(w);
}

bool api_query_exemplars(ApiCall *c) {
    MetricsSelect sel = {.arena = c->req->arena};
    if (!api_time_param(c, "start", API_MIN_TIME_MS, &sel.min_t_ms) ||
        !api_time_param(c, "end", API_MAX_TIME_MS, &sel.max_t_ms))
        return false;
    if (sel.max_t_ms < sel.min_t_ms)
        return api_fail(c, API_BAD_DATA, "end timestamp must not be before start timestamp");
    PqlNode *n;
    Err err = {0};
    Str text = http_param(c->req, STR("query"));
    if (promql_parse(text, c->req->arena, &n, &err) != OK) return api_fail(c, API_BAD_DATA, "%s", err.msg);
    SelectorVec selectors = {0};
    collect_selectors(n, &selectors);
    c->no_data = selectors.n == 0;
    bool ok = true;
    json_begin_array(&c->w);
    for (size_t i = 0; ok && i < selectors.n; i++) {
        Labels *series;
        Exemplar *exemplars;
        size_t count;
        sel.matchers = selectors.v[i];
        ok = c->api->opts.store->ops->exemplars(c->api->opts.store, &sel, &series, &exemplars, &count, &err) == OK;
        if (ok) put_exemplars(&c->w, series, exemplars, count);
    }
    vec_done(&selectors);
    if (!ok) return api_fail_err(c, &err);
    json_end_array(&c->w);
    return true;
}
