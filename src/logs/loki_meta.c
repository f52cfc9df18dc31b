/* Labels, series, index statistics and volumes. */
#include "logs/loki_api_int.h"

#include "base/map.h"
#include "base/timefmt.h"

#include <stdio.h>
#include <stdlib.h>

#define LABELS_BACK_NS (INT64_C(6) * 3600 * NS_PER_S)
#define HOUR_NS (INT64_C(3600) * NS_PER_S)

static LogStore *store_of(void *ctx) { return ((LokiApi *)ctx)->opts.store; }

/* {"status":"success","data":[...]} */
static void reply_strings(HttpResponse *res, const Str *v, size_t n) {
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "status");
    json_str(&w, STR("success"));
    if (n > 0) {
        json_key_lit(&w, "data");
        json_begin_array(&w);
        for (size_t i = 0; i < n; i++) json_str(&w, v[i]);
        json_end_array(&w);
    }
    json_end_object(&w);
    loki_reply_json(res);
}

static bool range_and_select(HttpRequest *req, HttpResponse *res, int64_t back_ns, LogSelect *sel) {
    LokiRange range;
    return loki_param_range(req, res, back_ns, &range) &&
           loki_param_select(req, res, http_param(req, STR("query")), range, sel);
}

void loki_labels(void *ctx, HttpRequest *req, HttpResponse *res) {
    LogSelect sel;
    if (!range_and_select(req, res, LABELS_BACK_NS, &sel)) return;
    LogStore *s = store_of(ctx);
    Str *v;
    size_t n;
    Err err = {0};
    if (s->ops->label_names(s, &sel, &v, &n, &err) == OK)
        reply_strings(res, v, n);
    else
        loki_reply_error(res, &err);
}

void loki_label_values(void *ctx, HttpRequest *req, HttpResponse *res) {
    LogSelect sel;
    if (!range_and_select(req, res, LABELS_BACK_NS, &sel)) return;
    LogStore *s = store_of(ctx);
    Str *v;
    size_t n;
    Err err = {0};
    if (s->ops->label_values(s, &sel, http_path_param(req, STR("name")), &v, &n, &err) == OK)
        reply_strings(res, v, n);
    else
        loki_reply_error(res, &err);
}

static void put_labels(JsonWriter *w, Labels l) {
    json_begin_object(w);
    for (size_t i = 0; i < l.n; i++) {
        json_key(w, l.v[i].name);
        json_str(w, l.v[i].value);
    }
    json_end_object(w);
}

#define MATCHES_MAX 64

/* match[] (Grafana), match (logcli), or query; several are a union. */
void loki_series(void *ctx, HttpRequest *req, HttpResponse *res) {
    LokiRange range;
    if (!loki_param_range(req, res, LABELS_BACK_NS, &range)) return;
    Str matches[2 * MATCHES_MAX + 1];
    size_t n = http_params(req, STR("match[]"), matches, MATCHES_MAX);
    n += http_params(req, STR("match"), matches + n, MATCHES_MAX);
    if (n == 0) matches[n++] = http_param(req, STR("query"));
    LogStore *s = store_of(ctx);
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "status");
    json_str(&w, STR("success"));
    json_key_lit(&w, "data");
    json_begin_array(&w);
    Map *seen = map_create(MAP_COPY_KEYS);
    Buf key = {0};
    Err err = {0};
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        LogSelect sel;
        Labels *v;
        size_t n_streams;
        ok = loki_param_select(req, res, matches[i], range, &sel);
        if (!ok) break;
        ok = s->ops->streams(s, &sel, &v, &n_streams, &err) == OK;
        for (size_t k = 0; ok && k < n_streams; k++) {
            bool fresh;
            buf_clear(&key);
            labels_put_text(&key, v[k]);
            map_put(seen, buf_str(&key), &fresh);
            if (fresh) put_labels(&w, v[k]);
        }
        if (!ok) loki_reply_error(res, &err);
    }
    map_free(seen);
    buf_done(&key);
    if (!ok) return;
    json_end_array(&w);
    json_end_object(&w);
    loki_reply_json(res);
}

void loki_index_stats(void *ctx, HttpRequest *req, HttpResponse *res) {
    LogSelect sel;
    if (!range_and_select(req, res, HOUR_NS, &sel)) return;
    LogStore *s = store_of(ctx);
    LogStreamStat *v;
    size_t n;
    Err err = {0};
    if (s->ops->stream_stats(s, &sel, &v, &n, &err) != OK) {
        loki_reply_error(res, &err);
        return;
    }
    uint64_t chunks = 0, bytes = 0, entries = 0;
    for (size_t i = 0; i < n; i++) {
        chunks += v[i].chunks;
        bytes += v[i].bytes;
        entries += v[i].entries;
    }
    buf_printf(&res->body, "{\"streams\":%zu,\"chunks\":%llu,\"bytes\":%llu,\"entries\":%llu}", n,
        (unsigned long long)chunks, (unsigned long long)bytes, (unsigned long long)entries);
    loki_reply_json(res);
}

/* --- volumes --- */

typedef struct Volume {
    Labels labels;
    uint64_t *bytes; /* per step */
    uint64_t total;
} Volume;

typedef struct Volumes {
    HttpRequest *req;
    HttpResponse *res;
    LogSelect sel;
    Str *targets; /* label names to tell by; none: those of the selector */
    size_t n_targets;
    bool by_label; /* aggregateBy=labels: one volume per label name */
    size_t n_steps;
    Map *index;
    Buf key;
    AVEC(Volume) v;
} Volumes;

static bool is_target(const Volumes *vs, Str name) {
    for (size_t i = 0; i < vs->n_targets; i++)
        if (str_eq(vs->targets[i], name)) return true;
    return false;
}

static bool add_volume(Volumes *vs, Labels l, size_t step, uint64_t bytes) {
    bool fresh;
    buf_clear(&vs->key);
    labels_put_text(&vs->key, l);
    uint64_t *slot = map_put(vs->index, buf_str(&vs->key), &fresh);
    if (fresh) {
        Volume v = {.labels = labels_copy(vs->req->arena, l)};
        v.bytes = arena_alloc_zero(vs->req->arena, vs->n_steps * sizeof *v.bytes);
        if (!v.bytes || (l.n > 0 && !v.labels.v) || !avec_push(vs->req->arena, &vs->v, v)) return false;
        *slot = vs->v.n;
    }
    vs->v.v[*slot - 1].bytes[step] += bytes;
    vs->v.v[*slot - 1].total += bytes;
    return true;
}

static bool add_stream(Volumes *vs, const LogStreamStat *st, size_t step) {
    Label kept[64];
    size_t n = 0;
    for (size_t i = 0; i < st->stream.n && n < ARRAY_LEN(kept); i++) {
        const Label *l = &st->stream.v[i];
        if (vs->by_label) {
            if (vs->n_targets > 0 && !is_target(vs, l->name)) continue;
            Label one = {l->name, STR("")};
            if (!add_volume(vs, (Labels){&one, 1}, step, st->bytes)) return false;
        } else if (is_target(vs, l->name)) {
            kept[n++] = *l;
        }
    }
    return vs->by_label || n == 0 || add_volume(vs, (Labels){kept, n}, step, st->bytes);
}

static bool volume_targets(Volumes *vs) {
    AVEC(Str) names = {0};
    Str list = http_param(vs->req, STR("targetLabels")), name;
    while (list.n > 0 && str_split_next(&list, ',', &name))
        if (str_trim(name).n > 0 && !avec_push(vs->req->arena, &names, str_trim(name))) return false;
    vs->by_label = str_eq_lit(http_param(vs->req, STR("aggregateBy")), "labels");
    bool own = !vs->by_label && names.n == 0;
    for (size_t i = 0; own && i < vs->sel.matchers.n; i++)
        if (!avec_push(vs->req->arena, &names, vs->sel.matchers.v[i]->name)) return false;
    vs->targets = names.v;
    vs->n_targets = names.n;
    return true;
}

static int cmp_volumes(const void *a, const void *b) {
    const Volume *x = a, *y = b;
    if (x->total != y->total) return x->total > y->total ? -1 : 1;
    return labels_cmp(x->labels, y->labels);
}

static ErrCode collect_volumes(Volumes *vs, LogStore *s, int64_t step_ns, Err *err) {
    LogSelect sel = vs->sel;
    vs->index = map_create(MAP_COPY_KEYS);
    ErrCode rc = OK;
    for (size_t i = 0; i < vs->n_steps && rc == OK; i++) {
        LogStreamStat *v;
        size_t n;
        sel.start_ns = vs->sel.start_ns + (int64_t)i * step_ns;
        sel.end_ns = MIN(sel.start_ns + step_ns, vs->sel.end_ns);
        rc = s->ops->stream_stats(s, &sel, &v, &n, err);
        for (size_t k = 0; k < n && rc == OK; k++)
            if (!add_stream(vs, &v[k], i))
                rc = err_set(err, ERR_TOO_LARGE, "the query needs more memory than it is allowed");
    }
    map_free(vs->index);
    buf_done(&vs->key);
    if (vs->v.n > 1) qsort(vs->v.v, vs->v.n, sizeof *vs->v.v, cmp_volumes);
    return rc;
}

static void put_volume_point(JsonWriter *w, int64_t t_ns, uint64_t bytes) {
    char text[24];
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)bytes);
    json_begin_array(w);
    json_f64(w, (double)(t_ns / NS_PER_MS) / 1e3);
    json_str(w, str_of(text, (size_t)n));
    json_end_array(w);
}

static void put_volume(JsonWriter *w, const Volumes *vs, const Volume *v, bool matrix, int64_t step_ns) {
    json_begin_object(w);
    json_key_lit(w, "metric");
    put_labels(w, v->labels);
    if (!matrix) {
        json_key_lit(w, "value");
        put_volume_point(w, vs->sel.end_ns, v->total);
    } else {
        json_key_lit(w, "values");
        json_begin_array(w);
        for (size_t i = 0; i < vs->n_steps; i++)
            if (v->bytes[i] > 0) put_volume_point(w, vs->sel.start_ns + (int64_t)i * step_ns, v->bytes[i]);
        json_end_array(w);
    }
    json_end_object(w);
}

static void reply_volumes(Volumes *vs, bool matrix, int64_t step_ns, uint32_t limit) {
    JsonWriter w = json_writer(&vs->res->body);
    json_begin_object(&w);
    json_key_lit(&w, "status");
    json_str(&w, STR("success"));
    json_key_lit(&w, "data");
    json_begin_object(&w);
    json_key_lit(&w, "resultType");
    json_str(&w, matrix ? STR("matrix") : STR("vector"));
    json_key_lit(&w, "result");
    json_begin_array(&w);
    for (size_t i = 0; i < vs->v.n && i < limit; i++) put_volume(&w, vs, &vs->v.v[i], matrix, step_ns);
    json_end_array(&w);
    json_end_object(&w);
    json_end_object(&w);
    loki_reply_json(vs->res);
}

static void volume(void *ctx, HttpRequest *req, HttpResponse *res, bool matrix) {
    Volumes vs = {.req = req, .res = res, .n_steps = 1};
    uint32_t limit;
    int64_t step;
    if (!range_and_select(req, res, HOUR_NS, &vs.sel) || !loki_param_u32(req, res, STR("limit"), 100, &limit)) return;
    int64_t length = MAX(vs.sel.end_ns - vs.sel.start_ns, 1);
    if (!loki_param_duration(req, res, STR("step"), MAX(length / NS_PER_S / 250, 1) * NS_PER_S, &step)) return;
    if (!matrix) step = length;
    vs.n_steps = (size_t)((length + step - 1) / step);
    if (vs.n_steps > LOGQL_STEPS_MAX) {
        http_reply_text(res, 400,
            "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step "
            "parameter\n");
        return;
    }
    Err err = {0};
    if (!volume_targets(&vs)) {
        http_reply_text(res, 400, "too many target labels\n");
        return;
    }
    if (collect_volumes(&vs, store_of(ctx), step, &err) != OK) {
        loki_reply_error(res, &err);
        return;
    }
    reply_volumes(&vs, matrix, step, limit);
}

void loki_volume(void *ctx, HttpRequest *req, HttpResponse *res) { volume(ctx, req, res, false); }

void loki_volume_range(void *ctx, HttpRequest *req, HttpResponse *res) { volume(ctx, req, res, true); }
