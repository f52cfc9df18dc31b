/* federate.c - /federate: the newest sample of every matching series, for another Prometheus to scrape. */
#include "metrics/api/api_int.h"
#include "metrics/api/expose.h"

#include "sys/clock.h"

#include <stdlib.h>

typedef struct Federation {
    Arena *arena;
    VEC(ExposeSample) samples;
    bool exhausted;
} Federation;

/* By name, then by labels. */
static int cmp_sample(const void *a, const void *b) {
    const ExposeSample *x = a, *y = b;
    int c = str_cmp(labels_get(x->labels, LABEL_NAME_METRIC), labels_get(y->labels, LABEL_NAME_METRIC));
    return c ? c : labels_cmp(x->labels, y->labels);
}

/* What has gone stale is gone: the formats have no mark for it. */
static bool collect(void *ctx, const SeriesColumn *c) {
    Federation *f = ctx;
    ExposeSample s = {.labels = labels_copy(f->arena, c->labels)};
    bool histogram = c->n_histograms && (c->n == 0 || c->histogram_t_ms[c->n_histograms - 1] > c->t_ms[c->n - 1]);
    if (!histogram && c->n == 0) return true;
    if (histogram) {
        const Histogram *h = &c->histograms[c->n_histograms - 1];
        if (histogram_is_stale(h)) return true;
        s.t_ms = c->histogram_t_ms[c->n_histograms - 1];
        s.histogram = histogram_copy(f->arena, h);
    } else {
        s.t_ms = c->t_ms[c->n - 1];
        s.value = c->value[c->n - 1];
        if (is_stale_nan(s.value)) return true;
    }
    f->exhausted = !s.labels.v || (histogram && !s.histogram);
    if (!f->exhausted && labels_get(s.labels, LABEL_NAME_METRIC).n) vec_push(&f->samples, s);
    return !f->exhausted;
}

/* Several selectors may find the same series. */
static void arrange(Federation *f) {
    size_t n = 0;
    if (f->samples.n > 1) qsort(f->samples.v, f->samples.n, sizeof *f->samples.v, cmp_sample);
    for (size_t i = 0; i < f->samples.n; i++)
        if (i == 0 || !labels_eq(f->samples.v[i].labels, f->samples.v[n - 1].labels))
            f->samples.v[n++] = f->samples.v[i];
    f->samples.n = n;
}

/* External labels, and instance="" so that the scraper does not put its own. */
static Labels labels_to_add(PromApi *api, Arena *arena) {
    Labels external = api_external_labels(api, arena);
    if (labels_get(external, STR("instance")).p) return external;
    Label *v = ARENA_ARRAY(arena, Label, external.n + 1);
    size_t n = 0, i = 0;
    if (!v) return external;
    for (; i < external.n && str_cmp(external.v[i].name, STR("instance")) < 0; i++) v[n++] = external.v[i];
    v[n++] = (Label){STR("instance"), STR("")};
    for (; i < external.n; i++) v[n++] = external.v[i];
    return (Labels){v, n};
}

static ErrCode find(PromApi *api, HttpRequest *req, Federation *f, Err *err) {
    MetricsStore *store = api->opts.store;
    size_t n;
    const Str *texts = http_all_params(req, STR("match[]"), &n);
    int64_t lookback = api->opts.engine.lookback_ms ? api->opts.engine.lookback_ms : 300000, now = clock_now_ms();
    Matchers *sets = ARENA_ARRAY(req->arena, Matchers, n + 1);
    ErrCode rc = sets && texts ? OK : err_set(err, ERR_TOO_LARGE, "query needs more memory than it may use");
    for (size_t i = 0; rc == OK && i < n; i++) rc = promql_parse_selector(texts[i], req->arena, &sets[i], err);
    for (size_t i = 0; rc == OK && i < n; i++) {
        if (sets[i].n == 0) continue; /* {} asks for nothing */
        MetricsSelect sel = {.matchers = sets[i], .min_t_ms = now - lookback + 1, .max_t_ms = now, .arena = req->arena};
        rc = store->ops->visit(store, &sel, false, collect, f, err);
    }
    if (rc == OK && f->exhausted) rc = err_set(err, ERR_TOO_LARGE, "query needs more memory than it may use");
    return rc;
}

void api_federate(void *ctx, HttpRequest *req, HttpResponse *res) {
    PromApi *api = ctx;
    Federation f = {.arena = req->arena};
    ExposeFormat format = expose_negotiate(http_header(req, STR("Accept")), true);
    Err err = {0};
    if (!api_is_ready(api)) {
        http_reply_text(res, 503, "Service Unavailable");
        return;
    }
    Str wrong = http_form_error(req);
    if (wrong.n) {
        http_reply_text(res, 400, "error parsing form values: %" STR_FMT "\n", STR_ARG(wrong));
        return;
    }
    ErrCode rc = find(api, req, &f, &err);
    if (rc == OK) {
        arrange(&f);
        expose_put(&res->body, &format, f.samples.v, f.samples.n, labels_to_add(api, req->arena));
        res->status = 200;
        res->content_type = expose_content_type(&format, req->arena);
    } else {
        http_reply_text(res, rc == ERR_INVALID ? 400 : 500, "%s\n", err.msg);
    }
    vec_done(&f.samples);
}
