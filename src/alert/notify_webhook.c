/* notify_webhook.c - webhook version 4, and incident.io, whose body is nearly the same. */
#include "alert/notify_int.h"
#include "base/json.h"

#define INCIDENTIO_MAX ((size_t)512 << 10)

static void put_kv(JsonWriter *w, Str key, Labels l) {
    json_key(w, key);
    json_begin_object(w);
    for (size_t i = 0; i < l.n; i++) gojson_key_str(w, l.v[i].name, l.v[i].value);
    json_end_object(w);
}

static void put_time(JsonWriter *w, Str key, const GoTime *t) {
    Buf b = {0};
    go_time_put_rfc3339(&b, t);
    gojson_key_str(w, key, buf_str(&b));
    buf_done(&b);
}

static void put_alerts(JsonWriter *w, const NotifyData *d) {
    json_key_lit(w, "alerts");
    json_begin_array(w);
    for (size_t i = 0; i < d->n_alerts; i++) {
        const NotifyAlert *a = &d->alerts[i];
        json_begin_object(w);
        gojson_key_str(w, STR("status"), a->status);
        put_kv(w, STR("labels"), a->labels);
        put_kv(w, STR("annotations"), a->annotations);
        put_time(w, STR("startsAt"), &a->starts);
        put_time(w, STR("endsAt"), &a->ends);
        gojson_key_str(w, STR("generatorURL"), a->generator_url);
        gojson_key_str(w, STR("fingerprint"), a->fingerprint);
        json_end_object(w);
    }
    json_end_array(w);
}

/* Up to the object's end, which the caller writes. */
static void put_message(Notify *n, JsonWriter *w, const NotifyData *d, Str version) {
    json_begin_object(w);
    gojson_key_str(w, STR("receiver"), d->receiver);
    gojson_key_str(w, STR("status"), d->status);
    put_alerts(w, d);
    gojson_key_str(w, STR("notification_reason"), d->reason);
    put_kv(w, STR("groupLabels"), d->group);
    put_kv(w, STR("commonLabels"), d->common);
    put_kv(w, STR("commonAnnotations"), d->common_annotations);
    put_kv(w, STR("routeLabels"), d->route);
    gojson_key_str(w, STR("externalURL"), d->external_url);
    gojson_key_str(w, STR("version"), version);
    gojson_key_str(w, STR("groupKey"), n->req->group_key);
    json_key_lit(w, "truncatedAlerts");
    json_u64(w, n->req->n_alerts - d->n_alerts);
}

static bool limit_alerts(Notify *n) {
    int64_t max = settings_get(n->s, "max_alerts")->i;
    if (max <= 0) return true;
    n->data = notify_data(n->req, (size_t)max, n->arena);
    return n->data || notify_fail(n, "other", false, "the notification is too large");
}

void notify_webhook(Notify *n) {
    Str url;
    if (!limit_alerts(n) || !notify_url(n, "url", &url)) return;
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    const YamlNode *payload = settings_get(n->s, "payload")->node;
    if (payload) {
        notify_put_tree(n, &w, payload);
    } else {
        put_message(n, &w, n->data, STR("4"));
        json_end_object(&w);
    }
    gojson_finish(&body);
    notify_post(n, url, &body, NULL);
}

/* --- incident.io --- */

static void incidentio_details(int status, Str body, Buf *out) {
    (void)status;
    Arena *arena = arena_create(4u << 20);
    JsonValue *json;
    if (json_parse(body, arena, &json, NULL) == OK) {
        Str message = json_get_str(json, STR("message")), error = json_get_str(json, STR("error"));
        buf_put_str(out, message);
        if (error.n) buf_printf(out, "%s%" STR_FMT, out->n ? ": " : "", STR_ARG(error));
        const JsonValue *errors = json_get(json, STR("errors"));
        for (const JsonValue *e = errors ? errors->first : NULL; e; e = e->next)
            buf_printf(out, "%s%" STR_FMT, e == errors->first ? (out->n ? ": " : "") : ", ", STR_ARG(e->text));
    }
    arena_free(arena);
}

static void put_incidentio(Notify *n, const NotifyData *d, Buf *body) {
    JsonWriter w = json_writer(body);
    put_message(n, &w, d, STR("1"));
    const YamlNode *metadata = settings_get(n->s, "metadata")->node;
    if (metadata && metadata->n) {
        json_key_lit(&w, "metadata");
        json_begin_object(&w);
        notify_put_map(n, &w, metadata);
        json_end_object(&w);
    }
    json_end_object(&w);
    gojson_finish(body);
}

void notify_incidentio(Notify *n) {
    Str url;
    if (!limit_alerts(n) || !notify_url(n, "url", &url)) return;
    Buf body = {0};
    put_incidentio(n, n->data, &body);
    if (body.n > INCIDENTIO_MAX && n->data->n_alerts > 1) { /* what all have in common, and one example */
        buf_clear(&body);
        n->data->n_alerts = 1;
        put_incidentio(n, n->data, &body);
    }
    NotifyAnswer ignored;
    NotifyHttp h = {
        .url = url, .body = notify_copy_buf(n, &body), .retry_codes = notify_retry_429, .details = incidentio_details};
    notify_http(n, &h, &ignored);
}
