/* notify_pagerduty.c - Events API v2 (routing_key) and v1 (service_key). Source: PagerDuty's Events API schema. */
#include "alert/notify_int.h"
#include "base/json.h"

#include <stdlib.h>

#define V1_URL "https://events.pagerduty.com/generic/2010-04-15/create_event.json"
#define TEXT_MAX 1024
#define EVENT_MAX 512000
#define TOO_LARGE "Custom details have been removed because the original event exceeds the maximum size of 512KB"

static const int retry_v1[] = {403, 0};

static void error_details(int status, Str body, Buf *out) {
    if (status != 400) return;
    Arena *arena = arena_create(4u << 20);
    JsonValue *json;
    if (json_parse(body, arena, &json, NULL) == OK) {
        buf_printf(out, "%" STR_FMT ": ", STR_ARG(json_get_str(json, STR("message"))));
        const JsonValue *errors = json_get(json, STR("errors"));
        for (const JsonValue *e = errors ? errors->first : NULL; e; e = e->next)
            buf_printf(out, "%s%" STR_FMT, e == errors->first ? "" : ",", STR_ARG(e->text));
    }
    arena_free(arena);
}

typedef struct Detail {
    Str key, text;
    const YamlNode *node; /* NULL: a default */
} Detail;

static int compare_details(const void *a, const void *b) {
    return str_cmp(((const Detail *)a)->key, ((const Detail *)b)->key);
}

static void put_details(Notify *n, JsonWriter *w) {
    static const struct {
        Str key, text;
    } defaults[] = {{STR_INIT("firing"), STR_INIT("{{ .Alerts.Firing | toJson }}")},
        {STR_INIT("num_firing"), STR_INIT("{{ .Alerts.Firing | len }}")},
        {STR_INIT("num_resolved"), STR_INIT("{{ .Alerts.Resolved | len }}")},
        {STR_INIT("resolved"), STR_INIT("{{ .Alerts.Resolved | toJson }}")}};
    const YamlNode *own = settings_get(n->s, "details")->node;
    size_t max = ARRAY_LEN(defaults) + (own ? own->n : 0), count = 0;
    Detail *v = ARENA_ARRAY(n->arena, Detail, max);
    if (!v) return;
    for (const YamlNode *it = own ? own->first : NULL; it; it = it->next)
        v[count++] = (Detail){it->key->text, it->text, it};
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
        if (!own || !yaml_get(own, defaults[i].key)) v[count++] = (Detail){defaults[i].key, defaults[i].text, NULL};
    qsort(v, count, sizeof *v, compare_details);
    for (size_t i = 0; i < count; i++) {
        json_key(w, v[i].key);
        if (v[i].node)
            notify_put_tree(n, w, v[i].node);
        else
            notify_put_rendered(n, w, notify_expand_text(n, v[i].text));
    }
}

static void put_custom(Notify *n, JsonWriter *w, Str key, bool too_large) {
    json_key(w, key);
    json_begin_object(w);
    if (too_large)
        gojson_key_str(w, STR("error"), STR(TOO_LARGE));
    else
        put_details(n, w);
    json_end_object(w);
}

static void put_media(Notify *n, JsonWriter *w, const char *list) {
    const Setting *s = settings_get(n->s, list);
    bool image = list[0] == 'i', any = false;
    for (size_t i = 0; i < s->n_subs; i++) {
        Str href = notify_text(n, &s->subs[i], "href"), src = image ? notify_text(n, &s->subs[i], "src") : href;
        if (!src.n) continue;
        if (!any) {
            json_key(w, str_cstr(list));
            json_begin_array(w);
        }
        any = true;
        json_begin_object(w);
        if (image) {
            gojson_key_str(w, STR("src"), src);
            gojson_key_str(w, STR("alt"), notify_text(n, &s->subs[i], "alt"));
        }
        gojson_key_str(w, STR("href"), href);
        if (!image) gojson_key_str(w, STR("text"), notify_text(n, &s->subs[i], "text"));
        json_end_object(w);
    }
    if (any) json_end_array(w);
}

static void put_v2(Notify *n, Str key, bool too_large, Buf *body) {
    JsonWriter w = json_writer(body);
    json_begin_object(&w);
    gojson_key_str(&w, STR("routing_key"), key);
    gojson_key_str(&w, STR("dedup_key"), notify_key_hash(n));
    gojson_key_str(&w, STR("event_action"), notify_firing(n) ? STR("trigger") : STR("resolve"));
    json_key_lit(&w, "payload");
    json_begin_object(&w);
    gojson_key_str(&w, STR("summary"), notify_truncate_runes(n, notify_t(n, "description"), TEXT_MAX));
    gojson_key_str(&w, STR("source"), notify_t(n, "source"));
    gojson_key_str(&w, STR("severity"), notify_t(n, "severity"));
    gojson_opt(&w, STR("class"), notify_t(n, "class"));
    gojson_opt(&w, STR("component"), notify_t(n, "component"));
    gojson_opt(&w, STR("group"), notify_t(n, "group"));
    put_custom(n, &w, STR("custom_details"), too_large);
    json_end_object(&w);
    gojson_opt(&w, STR("client"), notify_t(n, "client"));
    gojson_opt(&w, STR("client_url"), notify_t(n, "client_url"));
    put_media(n, &w, "images");
    put_media(n, &w, "links");
    json_end_object(&w);
    gojson_finish(body);
}

static void put_v1(Notify *n, Str key, bool too_large, Buf *body) {
    JsonWriter w = json_writer(body);
    json_begin_object(&w);
    gojson_key_str(&w, STR("service_key"), key);
    gojson_key_str(&w, STR("incident_key"), notify_key_hash(n));
    gojson_key_str(&w, STR("event_type"), notify_firing(n) ? STR("trigger") : STR("resolve"));
    gojson_key_str(&w, STR("description"), notify_truncate_runes(n, notify_t(n, "description"), TEXT_MAX));
    gojson_key_str(&w, STR("event_action"), STR(""));
    json_key_lit(&w, "payload");
    json_null(&w);
    if (notify_firing(n)) {
        gojson_opt(&w, STR("client"), notify_t(n, "client"));
        gojson_opt(&w, STR("client_url"), notify_t(n, "client_url"));
    }
    put_custom(n, &w, STR("details"), too_large);
    json_end_object(&w);
    gojson_finish(body);
}

void notify_pagerduty(Notify *n) {
    bool v1 = settings_text(n->s, "service_key").n || settings_text(n->s, "service_key_file").n;
    Str key;
    if (!notify_secret(n, v1 ? "service_key" : "routing_key", &key)) return;
    if (!key.n) {
        notify_fail(n, "other", false, v1 ? "service key cannot be empty" : "routing key cannot be empty");
        return;
    }
    Buf body = {0};
    for (int too_large = 0; too_large < 2; too_large++) {
        buf_clear(&body);
        if (v1)
            put_v1(n, key, too_large, &body);
        else
            put_v2(n, key, too_large, &body);
        if (body.n <= EVENT_MAX) break;
    }
    NotifyAnswer ignored;
    NotifyHttp h = {.url = v1 ? STR(V1_URL) : settings_text(n->s, "url"),
        .url_is_public = true,
        .body = notify_copy_buf(n, &body),
        .retry_codes = v1 ? retry_v1 : notify_retry_429,
        .details = error_details};
    notify_http(n, &h, &ignored);
    if (n->failed && v1 && n->res->status) n->res->reason = "other"; /* as the original's old half counts */
}
