/* am_try.c - trying things out: receivers with their last results, tests of receivers, previews of messages and texts.
 */
#include "alert/am_own_int.h"

#include "sys/clock.h"

#define TEST_TIMEOUT_MS 20000

void am_own_get_receivers(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    (void)req;
    JsonWriter w = json_writer(&res->body);
    json_begin_array(&w);
    mutex_lock(&am->mutex);
    for (size_t i = 0; i < am->config->receivers.n; i++) {
        const Receiver *r = &am->config->receivers.v[i];
        json_begin_object(&w);
        json_key_lit(&w, "name");
        json_str(&w, r->name);
        json_key_lit(&w, "labels");
        am_put_label_object(&w, r->labels);
        json_key_lit(&w, "line");
        json_i64(&w, r->line);
        json_key_lit(&w, "integrations");
        json_begin_array(&w);
        for (size_t k = 0; k < r->n_integrations; k++) am_put_integration(am, &w, r, &r->integrations[k]);
        json_end_array(&w);
        json_end_object(&w);
    }
    mutex_unlock(&am->mutex);
    json_end_array(&w);
    am_api_json(res, 200);
}

/* The newest of what is known about an integration over all groups. */
void am_put_integration(Alertmanager *am, JsonWriter *w, const Receiver *r, const Integration *in) {
    const AmNote *last = NULL, *good = NULL;
    size_t it = 0, groups = 0;
    Str key;
    uint64_t *v;
    while (map_next(am->notes, &it, &key, &v)) {
        const AmNote *n = (const AmNote *)(uintptr_t)*v;
        if (n->index != in->index || !str_eq(am_note_receiver(n), r->name) ||
            !str_eq(am_note_integration(n), str_cstr(integration_name(in->kind)))) {
            continue;
        }
        groups++;
        if (!last || n->attempt_ns > last->attempt_ns) last = n;
        if (!good || n->success_ns > good->success_ns) good = n;
    }
    json_begin_object(w);
    am_put_integration_head(w, in);
    json_key_lit(w, "line");
    json_i64(w, in->line);
    json_key_lit(w, "groups");
    json_u64(w, groups);
    am_put_key_time(w, "lastAttempt", last ? last->attempt_ns : 0);
    am_put_key_time(w, "lastSuccess", good ? good->success_ns : 0);
    json_key_lit(w, "status");
    json_i64(w, last ? last->status : 0);
    json_key_lit(w, "error");
    json_str(w, last ? str_cstr(last->error) : STR(""));
    json_end_object(w);
}

static bool read_test_alert(HttpRequest *req, HttpResponse *res, const JsonValue *root, Alert *a, int64_t now) {
    static const Label labels[] = {
        {STR_INIT("alertname"), STR_INIT("MeerkatTest")}, {STR_INIT("severity"), STR_INIT("info")}};
    static const Label annotations[] = {
        {STR_INIT("summary"), STR_INIT("[TEST] A test of this receiver: nothing is wrong")}};
    if (!am_own_read_labels(req, res, root, "labels", &a->labels) ||
        !am_own_read_labels(req, res, root, "annotations", &a->annotations))
        return false;
    if (!a->labels.n) a->labels = (Labels){labels, ARRAY_LEN(labels)};
    if (!a->annotations.n) a->annotations = (Labels){annotations, ARRAY_LEN(annotations)};
    const JsonValue *resolved = json_get(root, STR("resolved"));
    a->starts_ns = a->updated_ns = now;
    if (resolved && resolved->kind == JSON_K_BOOL && resolved->boolean) {
        a->starts_ns = now - 60 * NS_PER_S;
        a->ends_ns = now;
    }
    return true;
}

static NotifyRequest test_request(
    Alertmanager *am, AmConfig *c, const Receiver *r, const Alert *a, size_t n, int64_t now) {
    return (NotifyRequest){.receiver = r ? r->name : STR(""),
        .group_key = STR("{}:{alertname=\"MeerkatTest\"}"),
        .group_labels = n ? a->labels : (Labels){0},
        .reason = STR("first notification"),
        .alerts = a,
        .n_alerts = n,
        .now_ns = now,
        .timeout_ms = TEST_TIMEOUT_MS,
        .external_url = am->external_url,
        .templates = c->templates};
}

static void try_receiver(Alertmanager *am, HttpRequest *req, HttpResponse *res, bool dry) {
    JsonValue *root;
    Alert a = {0};
    int64_t now = clock_now_ns();
    if (!am_own_read_object(req, res, true, &root) || !read_test_alert(req, res, root, &a, now)) return;
    mutex_lock(&am->mutex);
    AmConfig *c = amconfig_ref(am->config);
    mutex_unlock(&am->mutex);
    const Receiver *r = amconfig_receiver(c, http_path_param(req, STR("name")));
    if (!r) {
        am_own_refuse(res, 404, "no receiver has this name");
        amconfig_unref(c);
        return;
    }
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "results");
    json_begin_array(&w);
    for (size_t i = 0; i < r->n_integrations; i++) {
        NotifyRequest n = test_request(am, c, r, &a, 1, now);
        n.integration = &r->integrations[i];
        n.dry_run = dry;
        n.test = true;
        NotifyResult result = {0};
        int64_t began = clock_mono_ns();
        notify_send(am->client, &n, req->arena, &result);
        json_begin_object(&w);
        json_key_lit(&w, "integration");
        json_str(&w, str_cstr(integration_name(r->integrations[i].kind)));
        json_key_lit(&w, "index");
        json_u64(&w, r->integrations[i].index);
        json_key_lit(&w, "ok");
        json_bool(&w, result.ok);
        json_key_lit(&w, "status");
        json_i64(&w, result.status);
        json_key_lit(&w, "error");
        json_str(&w, result.ok ? STR("") : str_cstr(result.error));
        json_key_lit(&w, "durationMs");
        json_i64(&w, (clock_mono_ns() - began) / NS_PER_MS);
        if (dry) {
            json_key_lit(&w, "preview");
            json_str(&w, result.preview);
        }
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    amconfig_unref(c);
    am_api_json(res, 200);
}

void am_own_test_receiver(void *ctx, HttpRequest *req, HttpResponse *res) { try_receiver(ctx, req, res, false); }
void am_own_preview_receiver(void *ctx, HttpRequest *req, HttpResponse *res) { try_receiver(ctx, req, res, true); }

void am_own_test_routes(void *ctx, HttpRequest *req, HttpResponse *res) {
    JsonValue *root;
    Labels l;
    if (am_own_read_object(req, res, false, &root) && am_own_read_labels(req, res, root, "labels", &l))
        am_routes_test(ctx, l, res);
}

static bool read_alerts(
    HttpRequest *req, HttpResponse *res, const JsonValue *root, Alert **ret, size_t *ret_n, int64_t now) {
    const JsonValue *list = json_get(root, STR("alerts"));
    size_t n = list && list->kind == JSON_K_ARRAY ? list->n : 0, k = 0;
    Alert *v = arena_alloc_zero(req->arena, (n + 1) * sizeof *v);
    *ret = v;
    *ret_n = 0;
    if (!v) return false;
    if (!n) {
        *ret_n = 1;
        return read_test_alert(req, res, root, &v[0], now);
    }
    for (const JsonValue *i = list->first; i; i = i->next, k++) {
        if (!am_own_read_labels(req, res, i, "labels", &v[k].labels) ||
            !am_own_read_labels(req, res, i, "annotations", &v[k].annotations))
            return false;
        v[k].generator_url = json_get_str(i, STR("generatorURL"));
        if (!am_parse_datetime(json_get_str(i, STR("startsAt")), &v[k].starts_ns) ||
            !am_parse_datetime(json_get_str(i, STR("endsAt")), &v[k].ends_ns)) {
            am_own_refuse(res, 400, "startsAt and endsAt are times");
            return false;
        }
        if (!v[k].starts_ns) v[k].starts_ns = now;
    }
    *ret_n = n;
    return true;
}

void am_own_preview_template(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    JsonValue *root;
    Alert *v;
    size_t n;
    int64_t now = clock_now_ns();
    if (!am_own_read_object(req, res, false, &root) || !read_alerts(req, res, root, &v, &n, now)) return;
    const JsonValue *html = json_get(root, STR("html"));
    mutex_lock(&am->mutex);
    AmConfig *c = amconfig_ref(am->config);
    mutex_unlock(&am->mutex);
    NotifyRequest request = test_request(am, c, NULL, v, n, now);
    request.receiver = json_get_str(root, STR("receiver"));
    Labels group;
    if (json_get(root, STR("groupLabels")) && am_own_read_labels(req, res, root, "groupLabels", &group))
        request.group_labels = group;
    Str text;
    Err err = {0};
    ErrCode rc =
        notify_expand(&request, json_get_str(root, STR("text")), html && html->boolean, req->arena, &text, &err);
    amconfig_unref(c);
    if (rc) {
        am_own_refuse(res, 400, "%s", err.msg);
        return;
    }
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "text");
    json_str(&w, text);
    json_end_object(&w);
    am_api_json(res, 200);
}
