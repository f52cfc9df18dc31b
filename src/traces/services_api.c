#include "traces/services_api.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "sys/clock.h"

#include <math.h>

#define WINDOW_DEFAULT_NS (INT64_C(3600) * NS_PER_S)
#define MINUTE_NS (INT64_C(60) * NS_PER_S)
#define POINTS_DEFAULT 60
/* Seconds stay below this until the year 5138; nanoseconds have been above it since March 1970. */
#define SECONDS_MAX 1e11

typedef struct Window {
    int64_t start_ns, end_ns, step_ns;
} Window;

static ErrCode parse_time(HttpRequest *req, Str name, int64_t dflt, int64_t *ret_ns, Err *err) {
    Str text = http_param(req, name);
    double v;
    *ret_ns = dflt;
    if (text.n == 0) return OK;
    if (!num_parse_f64(text, &v) || !isfinite(v) || v < 0 || v >= 9.2e18) {
        return err_set(err, ERR_INVALID, "%" STR_FMT ": not a time: \"%" STR_FMT "\"", STR_ARG(name), STR_ARG(text));
    }
    if (v < SECONDS_MAX) v *= 1e9; /* beyond year 2262: the largest time there is */
    *ret_ns = v >= 9.2e18 ? INT64_MAX : (int64_t)v;
    return OK;
}

static ErrCode parse_step(HttpRequest *req, const Window *w, int64_t *ret_ns, Err *err) {
    Str text = http_param(req, STR("step"));
    int64_t ms;
    double s;
    *ret_ns = (w->end_ns - w->start_ns) / POINTS_DEFAULT;
    if (text.n == 0) return OK;
    if (num_parse_f64(text, &s) && isfinite(s) && s > 0 && s < 1e9) {
        *ret_ns = (int64_t)(s * 1e9);
        return OK;
    }
    if (duration_parse_prom(text, &ms) && ms > 0 && ms < INT64_MAX / NS_PER_MS) {
        *ret_ns = ms * NS_PER_MS;
        return OK;
    }
    return err_set(err, ERR_INVALID, "step: not a duration: \"%" STR_FMT "\"", STR_ARG(text));
}

static ErrCode parse_window(HttpRequest *req, Window *ret, Err *err) {
    ErrCode e = parse_time(req, STR("end"), clock_now_ns(), &ret->end_ns, err);
    if (!e) e = parse_time(req, STR("start"), ret->end_ns - WINDOW_DEFAULT_NS, &ret->start_ns, err);
    if (!e && ret->end_ns <= ret->start_ns) e = err_set(err, ERR_INVALID, "end must be after start");
    if (!e) e = parse_step(req, ret, &ret->step_ns, err);
    ret->step_ns = MAX(MINUTE_NS, (ret->step_ns + MINUTE_NS - 1) / MINUTE_NS * MINUTE_NS);
    return e;
}

static void put_number(JsonWriter *w, Str key, double v) {
    json_key(w, key);
    json_f64(w, v);
}

/* The store counts in whole minutes: the window that was really looked at. */
static double covered_s(int64_t start_ns, int64_t end_ns) {
    int64_t start = start_ns - start_ns % MINUTE_NS;
    return (double)(end_ns - start) / 1e9;
}

static void put_points(JsonWriter *w, const ServiceRedSeries *s, const Window *win) {
    json_begin_array(w);
    for (size_t i = 0; i < s->n_points; i++) {
        const RedPoint *p = &s->points[i];
        double seconds = MAX(1.0, (double)(MIN(p->t_ns + win->step_ns, win->end_ns) - p->t_ns) / 1e9);
        json_begin_array(w);
        json_i64(w, p->t_ns / NS_PER_S);
        json_f64(w, (double)p->requests / seconds);
        json_u64(w, p->errors);
        json_f64(w, p->p95_s);
        json_end_array(w);
    }
    json_end_array(w);
}

static void put_service(JsonWriter *w, const ServiceRedSeries *s, const Window *win) {
    const ServiceRed *t = &s->total;
    json_begin_object(w);
    json_key_lit(w, "service");
    json_str(w, t->service);
    json_key_lit(w, "requests");
    json_u64(w, t->requests);
    json_key_lit(w, "errors");
    json_u64(w, t->errors);
    put_number(w, STR("rate"), (double)t->requests / covered_s(win->start_ns, win->end_ns));
    put_number(w, STR("error_ratio"), t->requests ? (double)t->errors / (double)t->requests : 0);
    put_number(w, STR("p50"), t->p50_s);
    put_number(w, STR("p95"), t->p95_s);
    put_number(w, STR("p99"), t->p99_s);
    put_number(w, STR("last_seen"), (double)(t->last_seen_ns / NS_PER_MS) / 1e3);
    json_key_lit(w, "points");
    put_points(w, s, win);
    json_end_object(w);
}

static void get_services(void *ctx, HttpRequest *req, HttpResponse *res) {
    TraceStore *store = ctx;
    Window win = {0};
    ServiceRedSeries *v;
    size_t n;
    Err err = {0};
    ErrCode e = parse_window(req, &win, &err);
    if (!e) e = store->ops->red_series(store, win.start_ns, win.end_ns, win.step_ns, req->arena, &v, &n, &err);
    if (e) {
        http_reply_error(res, &err);
        return;
    }
    JsonWriter w = json_writer(&res->body);
    buf_clear(&res->body);
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) put_service(&w, &v[i], &win);
    json_end_array(&w);
    res->status = 200;
    res->content_type = STR("application/json");
}

void services_api_routes(TraceStore *store, Router *router) {
    Route r = {.methods = HTTP_GET,
        .pattern = "/api/meerkat/v1/services",
        .handler = get_services,
        .ctx = store,
        .cls = ROUTE_QUERY,
        .role = ROLE_VIEWER};
    router_add(router, &r);
}
