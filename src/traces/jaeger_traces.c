/* jaeger_traces.c - traces of the legacy API: fetched, searched, made of OTLP. */
#include "sys/clock.h"
#include "traces/jaeger_int.h"
#include "traces/tempo_int.h"

#include <stdlib.h>

ErrCode jaeger_fetch(JaegerApi *api, HttpRequest *req, TraceId id, bool raw, JaegerTrace *t, Err *reterr) {
    TraceStore *s = api->opts.store;
    SpansBatch *batch = ARENA_NEW(req->arena, SpansBatch);
    if (!batch) return err_set(reterr, ERR_TOO_LARGE, "the answer is too large");
    *t = (JaegerTrace){.batch = batch};
    ErrCode e = s->ops->get(s, id, req->arena, batch, reterr);
    if (e || raw || jaeger_trace_adjust(t, api->opts.max_clock_skew_ns)) return e;
    return err_set(reterr, ERR_TOO_LARGE, "the answer is too large");
}

ErrCode jaeger_fetch_all(
    JaegerApi *api, HttpRequest *req, const TraceId *ids, size_t n, bool raw, JaegerTraces *ret, Err *reterr) {
    *ret = (JaegerTraces){ARENA_ARRAY(req->arena, JaegerTrace, n + 1), 0};
    if (!ret->v) return err_set(reterr, ERR_TOO_LARGE, "the answer is too large");
    for (size_t i = 0; i < n; i++) {
        ErrCode e = jaeger_fetch(api, req, ids[i], raw, &ret->v[ret->n], reterr);
        if (e == ERR_NOT_FOUND) continue; /* deleted since it was found */
        if (e) return e;
        ret->n++;
    }
    return OK;
}

ErrCode jaeger_search(JaegerApi *api, HttpRequest *req, const JaegerQuery *q, JaegerTraces *ret, Err *reterr) {
    TraceStore *s = api->opts.store;
    TraceId *ids;
    size_t n;
    ErrCode e = s->ops->find(s, &q->find, &ids, &n, reterr);
    return e ? e : jaeger_fetch_all(api, req, ids, n, q->raw, ret, reterr);
}

static void send_traces(HttpRequest *req, HttpResponse *res, JaegerTraces *traces, const JaegerMissing *missing) {
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    jaeger_put_head(&w);
    json_begin_array(&w);
    for (size_t i = 0; i < traces->n; i++) jaeger_trace_put_json(&w, &traces->v[i]);
    json_end_array(&w);
    jaeger_put_tail(&w, 0, missing);
    jaeger_send_json(req, res, &out);
}

static bool was_fetched(const JaegerTraces *traces, TraceId id) {
    for (size_t i = 0; i < traces->n; i++) {
        if (trace_id_eq(traces->v[i].batch->rows.v[0].trace_id, id)) return true;
    }
    return false;
}

static size_t unique_ids(TraceId *ids, size_t n) {
    size_t unique = 0;
    for (size_t i = 0; i < n; i++) {
        bool seen = false;
        for (size_t k = 0; k < unique && !seen; k++) seen = trace_id_eq(ids[k], ids[i]);
        if (!seen) ids[unique++] = ids[i];
    }
    return unique;
}

static void send_traces_by_id(JaegerApi *api, HttpRequest *req, HttpResponse *res, JaegerQuery *q) {
    TraceId *ids = ARENA_ARRAY(req->arena, TraceId, q->n_ids);
    TraceId *missing = ARENA_ARRAY(req->arena, TraceId, q->n_ids);
    Err err = {0};
    JaegerTraces traces;
    if (!ids || !missing) {
        jaeger_send_error(res, 413, "too many trace ids");
        return;
    }
    memcpy(ids, q->ids, q->n_ids * sizeof *ids);
    size_t n = unique_ids(ids, q->n_ids);
    if (jaeger_fetch_all(api, req, ids, n, q->raw, &traces, &err)) {
        jaeger_send_err(res, &err);
        return;
    }
    JaegerMissing list = {missing, 0};
    for (size_t i = 0; i < n; i++) {
        if (!was_fetched(&traces, ids[i])) missing[list.n++] = ids[i];
    }
    send_traces(req, res, &traces, &list);
}

void jaeger_get_traces(void *ctx, HttpRequest *req, HttpResponse *res) {
    JaegerApi *api = ctx;
    JaegerQuery q;
    Err err = {0};
    JaegerTraces traces;
    if (jaeger_parse_search(req, clock_now_ns(), &q, &err)) {
        jaeger_send_err(res, &err);
    } else if (q.n_ids) {
        send_traces_by_id(api, req, res, &q);
    } else if (jaeger_search(api, req, &q, &traces, &err)) {
        jaeger_send_err(res, &err);
    } else {
        send_traces(req, res, &traces, NULL);
    }
}

static ErrCode parse_get_trace(HttpRequest *req, TraceId *ret_id, bool *ret_raw, Err *err) {
    int64_t ignored;
    ErrCode e = jaeger_parse_trace_id(http_path_param(req, STR("id")), true, ret_id, err);
    if (!e) e = jaeger_param_i64(req, STR("start"), 0, &ignored, err);
    if (!e) e = jaeger_param_i64(req, STR("end"), 0, &ignored, err);
    return e ? e : jaeger_param_bool(req, STR("raw"), ret_raw, err);
}

void jaeger_get_trace(void *ctx, HttpRequest *req, HttpResponse *res) {
    TraceId id;
    bool raw;
    JaegerTrace trace;
    Err err = {0};
    if (parse_get_trace(req, &id, &raw, &err) || jaeger_fetch(ctx, req, id, raw, &trace, &err)) {
        jaeger_send_err(res, &err);
        return;
    }
    JaegerTraces one = {&trace, 1};
    send_traces(req, res, &one, NULL);
}

void jaeger_get_trace_shared(void *ctx, HttpRequest *req, HttpResponse *res) {
    JaegerApi *api = ctx;
    if (tempo_accepts(req, STR("application/protobuf")))
        api->tempo_trace(api->tempo_ctx, req, res);
    else
        jaeger_get_trace(ctx, req, res);
}

void jaeger_post_archive(void *ctx, HttpRequest *req, HttpResponse *res) {
    TraceId id;
    bool raw;
    Err err = {0};
    (void)ctx;
    if (parse_get_trace(req, &id, &raw, &err))
        jaeger_send_err(res, &err);
    else
        jaeger_send_error(res, 500, "archive span storage was not configured");
}

/* --- transform --- */

static int cmp_trace_rows(const void *a, const void *b) {
    const SpanRow *x = *(const SpanRow *const *)a, *y = *(const SpanRow *const *)b;
    int c = memcmp(x->trace_id.b, y->trace_id.b, 16);
    return c ? c : x < y ? -1 : x > y;
}

static int cmp_first_row(const void *a, const void *b) {
    const SpanRow *x = ((const JaegerTrace *)a)->batch->rows.v, *y = ((const JaegerTrace *)b)->batch->rows.v;
    return x[0].flags < y[0].flags ? -1 : x[0].flags > y[0].flags;
}

/* Cuts a batch of many traces into batches that share its pools, in the order in which the traces come up first. */
static bool split_traces(SpansBatch *all, JaegerTraces *ret) {
    size_t n = all->rows.n;
    SpanRow **order = ARENA_ARRAY(all->arena, SpanRow *, n + 1);
    SpanRow *rows = ARENA_ARRAY(all->arena, SpanRow, n + 1);
    ret->v = ARENA_ARRAY(all->arena, JaegerTrace, n + 1);
    ret->n = 0;
    if (!order || !rows || !ret->v) return false;
    for (size_t i = 0; i < n; i++) {
        order[i] = &all->rows.v[i];
        all->rows.v[i].flags = (uint32_t)i; /* Jaeger's span flags are not shown; the place is */
    }
    qsort(order, n, sizeof *order, cmp_trace_rows);
    for (size_t i = 0; i < n; i++) {
        rows[i] = *order[i];
        if (i == 0 || !trace_id_eq(rows[i].trace_id, rows[i - 1].trace_id)) {
            SpansBatch *b = ARENA_NEW(all->arena, SpansBatch);
            if (!b) return false;
            *b = *all;
            b->rows.v = &rows[i];
            b->rows.n = 0;
            ret->v[ret->n++] = (JaegerTrace){.batch = b};
        }
        ret->v[ret->n - 1].batch->rows.n++;
    }
    if (ret->n > 1) qsort(ret->v, ret->n, sizeof(JaegerTrace), cmp_first_row);
    return true;
}

void jaeger_post_transform(void *ctx, HttpRequest *req, HttpResponse *res) {
    JaegerApi *api = ctx;
    SpansBatch batch = {.arena = req->arena};
    JaegerTraces traces;
    Str body;
    Err err = {0};
    if (!api->opts.decode_otlp_json) {
        jaeger_send_error(res, 501, "OTLP cannot be decoded here");
        return;
    }
    ErrCode e = http_body_decoded(req, TRANSFORM_BYTES_MAX, &body, &err);
    if (!e) {
        e = api->opts.decode_otlp_json(body, &batch, &err);
        if (e) err_prefix(&err, "cannot unmarshal OTLP ");
    }
    if (!e && !split_traces(&batch, &traces)) e = err_set(&err, ERR_TOO_LARGE, "the answer is too large");
    if (e)
        jaeger_send_err(res, &err);
    else
        send_traces(req, res, &traces, NULL);
}
