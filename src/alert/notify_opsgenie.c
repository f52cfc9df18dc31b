/* notify_opsgenie.c - Opsgenie's alert API and VictorOps' REST endpoint. */
#include "alert/notify_int.h"
#include "base/json.h"

#include <stdlib.h>

#define MESSAGE_MAX 130
#define STATE_MAX 20480

static void put_list(Notify *n, JsonWriter *w, Str key, Str text) {
    bool any = false;
    Str part;
    text = str_trim(text);
    (void)n;
    while (text.n && str_split_next(&text, ',', &part)) {
        if (!part.n) continue;
        if (!any) {
            json_key(w, key);
            json_begin_array(w);
        }
        any = true;
        json_str(w, part);
    }
    if (any) json_end_array(w);
}

static Str lower_copy(Notify *n, Str s) {
    Str c = arena_copy(n->arena, s);
    char *p = (char *)(uintptr_t)c.p;
    for (size_t i = 0; i < c.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z') p[i] = (char)(p[i] + 32);
    return c;
}

static void put_responder(JsonWriter *w, Str id, Str name, Str username, Str type) {
    json_begin_object(w);
    gojson_opt(w, STR("id"), id);
    gojson_opt(w, STR("name"), name);
    gojson_opt(w, STR("username"), username);
    gojson_key_str(w, STR("type"), type);
    json_end_object(w);
}

static void put_responders(Notify *n, JsonWriter *w) {
    const Setting *list = settings_get(n->s, "responders");
    if (!list->n_subs) return;
    json_key_lit(w, "responders");
    json_begin_array(w);
    for (size_t i = 0; i < list->n_subs; i++) {
        const Settings *s = &list->subs[i];
        Str id = notify_text(n, s, "id"), name = notify_text(n, s, "name"), user = notify_text(n, s, "username");
        Str type = lower_copy(n, notify_text(n, s, "type")), part;
        if (!id.n && !name.n && !user.n && !type.n) continue;
        if (!str_eq_lit(type, "teams")) {
            put_responder(w, id, name, user, type);
            continue;
        }
        Str rest = str_trim(name);
        while (rest.n && str_split_next(&rest, ',', &part))
            if (part.n) put_responder(w, STR_NULL, part, STR_NULL, STR("team"));
    }
    json_end_array(w);
}

/* Common labels, and details of the configuration over them; keys in order. */
static void put_details(Notify *n, JsonWriter *w) {
    const YamlNode *own = settings_get(n->s, "details")->node;
    Labels common = n->data->common;
    size_t max = common.n + (own ? own->n : 0), count = 0;
    GoEntry *v = ARENA_ARRAY(n->arena, GoEntry, max);
    for (size_t i = 0; v && i < common.n; i++) v[count++] = (GoEntry){common.v[i].name, go_of_str(common.v[i].value)};
    for (const YamlNode *it = v && own ? own->first : NULL; it; it = it->next)
        v[count++] = (GoEntry){it->key->text, go_of_str(notify_expand_text(n, it->text))};
    if (v) go_sort_entries(v, &count);
    json_key_lit(w, "details");
    json_begin_object(w);
    for (size_t i = 0; v && i < count; i++) gojson_key_str(w, v[i].key, v[i].value.s);
    json_end_object(w);
}

static bool request(Notify *n, const char *method, Str path, Str query, Str key, Buf *body) {
    Str url = arena_printf(n->arena, "%" STR_FMT "v2/alerts%" STR_FMT "%" STR_FMT,
        STR_ARG(settings_text(n->s, "api_url")), STR_ARG(path), STR_ARG(query));
    NotifyHttp h = {.method = method,
        .url = url,
        .url_is_public = true,
        .body = notify_copy_buf(n, body),
        .headers = {notify_cstr(n, "Authorization: GenieKey ", key), NULL},
        .retry_codes = notify_retry_429};
    NotifyAnswer ignored;
    return notify_http(n, &h, &ignored);
}

static void one_field(Buf *body, Str key, Str text, bool always) {
    JsonWriter w = json_writer(body);
    json_begin_object(&w);
    if (text.n || always) gojson_key_str(&w, key, text);
    json_end_object(&w);
    gojson_finish(body);
}

static Str sub_path(Notify *n, Str alias, const char *what) {
    return arena_printf(n->arena, "/%" STR_FMT "/%s", STR_ARG(alias), what);
}

static void create(Notify *n, Str alias, Str key) {
    Str message = notify_truncate_runes(n, notify_t(n, "message"), MESSAGE_MAX),
        description = notify_t(n, "description");
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    gojson_key_str(&w, STR("alias"), alias);
    gojson_key_str(&w, STR("message"), message);
    gojson_opt(&w, STR("description"), description);
    put_details(n, &w);
    gojson_key_str(&w, STR("source"), notify_t(n, "source"));
    put_responders(n, &w);
    put_list(n, &w, STR("tags"), notify_t(n, "tags"));
    gojson_opt(&w, STR("note"), notify_t(n, "note"));
    gojson_opt(&w, STR("priority"), notify_t(n, "priority"));
    gojson_opt(&w, STR("entity"), notify_t(n, "entity"));
    put_list(n, &w, STR("actions"), notify_t(n, "actions"));
    json_end_object(&w);
    gojson_finish(&body);
    if (!request(n, "POST", STR(""), STR(""), key, &body) || !settings_bool(n->s, "update_alerts")) return;
    Str by_alias = STR("?identifierType=alias");
    one_field(&body, STR("message"), message, false);
    if (!request(n, "PUT", sub_path(n, alias, "message"), by_alias, key, &body)) return;
    one_field(&body, STR("description"), description, false);
    request(n, "PUT", sub_path(n, alias, "description"), by_alias, key, &body);
}

void notify_opsgenie(Notify *n) {
    Str key, alias = notify_key_hash(n);
    if (!notify_secret(n, "api_key", &key)) return;
    if (notify_firing(n)) {
        create(n, alias, key);
        return;
    }
    Buf body = {0};
    one_field(&body, STR("source"), notify_t(n, "source"), true);
    request(n, "POST", sub_path(n, alias, "close"), STR("?identifierType=alias"), key, &body);
}

/* --- VictorOps --- */

void notify_victorops(Notify *n) {
    Str key, routing, type = notify_t(n, "message_type");
    if (!notify_secret(n, "api_key", &key)) return;
    if (!notify_must(n, settings_text(n->s, "routing_key"), "routing_key", &routing)) return;
    if (!str_eq_lit(type, "INFO") && !str_eq_lit(type, "WARNING") && !str_eq_lit(type, "CRITICAL"))
        type = STR("CRITICAL");
    if (!notify_firing(n)) type = STR("RECOVERY");
    const YamlNode *custom = settings_get(n->s, "custom_fields")->node;
    size_t count = 0;
    GoEntry *v = ARENA_ARRAY(n->arena, GoEntry, 5 + (custom ? custom->n : 0));
    if (!v) return;
    v[count++] = (GoEntry){STR("message_type"), go_of_str(type)};
    v[count++] = (GoEntry){STR("entity_id"), go_of_str(notify_key_hash(n))};
    v[count++] = (GoEntry){STR("entity_display_name"), go_of_str(notify_t(n, "entity_display_name"))};
    v[count++] =
        (GoEntry){STR("state_message"), go_of_str(notify_truncate_runes(n, notify_t(n, "state_message"), STATE_MAX))};
    v[count++] = (GoEntry){STR("monitoring_tool"), go_of_str(notify_t(n, "monitoring_tool"))};
    for (const YamlNode *it = custom ? custom->first : NULL; it; it = it->next)
        v[count++] = (GoEntry){it->key->text, go_of_str(notify_expand_text(n, it->text))};
    go_sort_entries(v, &count);
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    for (size_t i = 0; i < count; i++) gojson_key_str(&w, v[i].key, v[i].value.s);
    json_end_object(&w);
    gojson_finish(&body);
    Str url = arena_printf(n->arena, "%" STR_FMT "%" STR_FMT "/%" STR_FMT, STR_ARG(settings_text(n->s, "api_url")),
        STR_ARG(key), STR_ARG(routing));
    notify_post(n, url, &body, NULL);
}
