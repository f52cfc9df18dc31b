/* notify_team.c - Mattermost and Rocket.Chat: attachments with fields and actions. */
#include "alert/notify_int.h"
#include "base/json.h"

#define MATTERMOST_TEXT_MAX 16383
#define ROCKETCHAT_TITLE_MAX 1024

/* --- Mattermost --- */

static void put_mattermost_field(Notify *n, JsonWriter *w, const Settings *f) {
    gojson_opt(w, STR("title"), notify_text(n, f, "title"));
    gojson_opt(w, STR("value"), notify_text(n, f, "value"));
    if (settings_get(f, "short")->set) notify_put_short(n, w, f);
}

static void put_attachment(Notify *n, JsonWriter *w, const Settings *s) {
    static const char *const before[] = {
        "fallback", "color", "pretext", "text", "author_name", "author_link", "author_icon", "title", "title_link"};
    static const char *const after[] = {"thumb_url", "footer", "footer_icon", "image_url"};
    json_begin_object(w);
    for (size_t i = 0; i < ARRAY_LEN(before); i++) gojson_opt(w, str_cstr(before[i]), notify_text(n, s, before[i]));
    notify_put_objects(n, w, s, "fields", put_mattermost_field);
    for (size_t i = 0; i < ARRAY_LEN(after); i++) gojson_opt(w, str_cstr(after[i]), notify_text(n, s, after[i]));
    json_end_object(w);
}

/* Only urgent ones may insist, only urgent and important ones ask for an acknowledgement. */
static void put_priority(Notify *n, JsonWriter *w) {
    const Setting *s = settings_get(n->s, "priority");
    if (!s->n_subs || !settings_text(s->subs, "priority").n) return;
    Str p = notify_text(n, s->subs, "priority");
    bool urgent = str_eq_nocase(p, STR("urgent")), important = str_eq_nocase(p, STR("important"));
    json_key_lit(w, "priority");
    json_begin_object(w);
    gojson_key_str(w, STR("priority"), urgent ? STR("urgent") : important ? STR("important") : STR("standard"));
    if (settings_bool(s->subs, "requested_ack") && (urgent || important)) {
        json_key_lit(w, "requested_ack");
        json_bool(w, true);
    }
    if (settings_bool(s->subs, "persistent_notifications") && urgent) {
        json_key_lit(w, "persistent_notifications");
        json_bool(w, true);
    }
    json_end_object(w);
}

void notify_mattermost(Notify *n) {
    Str url, channel = notify_t(n, "channel");
    if (!notify_url(n, "webhook_url", &url)) return;
    const Setting *attachments = settings_get(n->s, "attachments"), *props = settings_get(n->s, "props");
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    if (attachments->n_subs)
        gojson_opt(&w, STR("text"), notify_truncate_runes(n, notify_t(n, "text"), MATTERMOST_TEXT_MAX));
    gojson_opt(&w, STR("channel"), channel);
    gojson_opt(&w, STR("username"), notify_t(n, "username"));
    gojson_opt(&w, STR("icon_url"), notify_t(n, "icon_url"));
    gojson_opt(&w, STR("icon_emoji"), notify_t(n, "icon_emoji"));
    json_key_lit(&w, "attachments");
    json_begin_array(&w);
    for (size_t i = 0; i < attachments->n_subs; i++) put_attachment(n, &w, &attachments->subs[i]);
    if (!attachments->n_subs) put_attachment(n, &w, n->s);
    json_end_array(&w);
    gojson_opt(&w, STR("type"), notify_t(n, "type"));
    if (props->n_subs && settings_text(props->subs, "card").n) {
        json_key_lit(&w, "props");
        json_begin_object(&w);
        gojson_opt(&w, STR("card"), notify_text(n, props->subs, "card"));
        json_end_object(&w);
    }
    put_priority(n, &w);
    json_end_object(&w);
    gojson_finish(&body);
    NotifyAnswer ignored;
    NotifyHttp h = {.url = url,
        .body = notify_copy_buf(n, &body),
        .context = arena_printf(n->arena, "channel \"%" STR_FMT "\"", STR_ARG(channel)).p};
    notify_http(n, &h, &ignored);
}

/* --- Rocket.Chat --- */

static void put_rocket_field(Notify *n, JsonWriter *w, const Settings *f) {
    notify_put_short(n, w, f);
    gojson_opt(w, STR("title"), notify_text(n, f, "title"));
    gojson_opt(w, STR("value"), notify_text(n, f, "value"));
}

static void put_rocket_action(Notify *n, JsonWriter *w, const Settings *a) {
    gojson_key_str(w, STR("type"), STR("button"));
    gojson_opt(w, STR("text"), notify_text(n, a, "text"));
    gojson_opt(w, STR("url"), notify_text(n, a, "url"));
    json_key_lit(w, "is_webview");
    json_bool(w, false);
    gojson_opt(w, STR("msg"), notify_text(n, a, "msg"));
    json_key_lit(w, "msg_in_chat_window");
    json_bool(w, false);
}

static Str rocket_body(Notify *n, Str channel) {
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    gojson_opt(&w, STR("channel"), channel);
    gojson_opt(&w, STR("text"), notify_t(n, "message_text"));
    gojson_opt(&w, STR("emoji"), notify_t(n, "emoji"));
    gojson_opt(&w, STR("avatar"), notify_t(n, "icon_url"));
    json_key_lit(&w, "attachments");
    json_begin_array(&w);
    json_begin_object(&w);
    gojson_opt(&w, STR("title"), notify_truncate_runes(n, notify_t(n, "title"), ROCKETCHAT_TITLE_MAX));
    gojson_opt(&w, STR("title_link"), notify_t(n, "title_link"));
    gojson_opt(&w, STR("text"), notify_t(n, "text"));
    gojson_opt(&w, STR("image_url"), notify_t(n, "image_url"));
    gojson_opt(&w, STR("thumb_url"), notify_t(n, "thumb_url"));
    gojson_opt(&w, STR("color"), notify_t(n, "color"));
    notify_put_objects(n, &w, n->s, "fields", put_rocket_field);
    notify_put_objects(n, &w, n->s, "actions", put_rocket_action);
    json_end_object(&w);
    json_end_array(&w);
    json_end_object(&w);
    gojson_finish(&body);
    return notify_copy_buf(n, &body);
}

void notify_rocketchat(Notify *n) {
    Str token, id, channel = notify_t(n, "channel");
    if (!notify_secret(n, "token", &token) || !notify_secret(n, "token_id", &id)) return;
    const char *context = arena_printf(n->arena, "channel \"%" STR_FMT "\"", STR_ARG(channel)).p;
    NotifyHttp h = {.url_is_public = true,
        .body = rocket_body(n, channel),
        .context = context,
        .reads_answer = true,
        .url = arena_printf(n->arena, "%" STR_FMT "api/v1/chat.postMessage", STR_ARG(settings_text(n->s, "api_url"))),
        .headers = {notify_cstr(n, "X-Auth-Token: ", token), notify_cstr(n, "X-User-Id: ", id), NULL}};
    NotifyAnswer answer;
    if (!notify_http(n, &h, &answer) || notify_dry(n)) return;
    JsonValue *json;
    if (json_parse(answer.body, n->arena, &json, NULL)) {
        notify_fail(n, "clientError", true, "%s: could not unmarshal JSON response from Rocketchat", context);
        return;
    }
    const JsonValue *ok = json_get(json, STR("success"));
    if (!ok || !ok->boolean)
        notify_fail(n, "clientError", false, "%s: error response from Rocketchat: %" STR_FMT, context,
            STR_ARG(json_get_str(json, STR("error"))));
}
