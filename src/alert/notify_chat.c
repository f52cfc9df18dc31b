/* notify_chat.c - Discord, Teams (connector and workflow), Webex: one message with one text. */
#include "alert/notify_int.h"
#include "base/json.h"

#define DISCORD_TITLE_MAX 256
#define DISCORD_TEXT_MAX 4096
#define DISCORD_CONTENT_MAX 2000
#define DISCORD_RED 0x992D22
#define DISCORD_GREEN 0x2ECC71
#define WEBEX_MAX 7439

void notify_discord(Notify *n) {
    Str url;
    if (!notify_url(n, "webhook_url", &url)) return;
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    gojson_key_str(&w, STR("content"), notify_truncate_runes(n, notify_t(n, "content"), DISCORD_CONTENT_MAX));
    json_key_lit(&w, "embeds");
    json_begin_array(&w);
    json_begin_object(&w);
    gojson_key_str(&w, STR("title"), notify_truncate_runes(n, notify_t(n, "title"), DISCORD_TITLE_MAX));
    gojson_key_str(&w, STR("description"), notify_truncate_runes(n, notify_t(n, "message"), DISCORD_TEXT_MAX));
    json_key_lit(&w, "color");
    json_i64(&w, notify_firing(n) ? DISCORD_RED : DISCORD_GREEN);
    json_end_object(&w);
    json_end_array(&w);
    gojson_opt(&w, STR("username"), settings_text(n->s, "username"));
    gojson_opt(&w, STR("avatar_url"), settings_text(n->s, "avatar_url"));
    json_end_object(&w);
    gojson_finish(&body);
    notify_post(n, url, &body, NULL);
}

void notify_msteams(Notify *n) {
    Str url;
    if (!notify_url(n, "webhook_url", &url)) return;
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    gojson_key_str(&w, STR("@context"), STR("http://schema.org/extensions"));
    gojson_key_str(&w, STR("type"), STR("MessageCard"));
    gojson_key_str(&w, STR("title"), notify_t(n, "title"));
    gojson_key_str(&w, STR("summary"), notify_t(n, "summary"));
    gojson_key_str(&w, STR("text"), notify_t(n, "text"));
    gojson_key_str(&w, STR("themeColor"), notify_firing(n) ? STR("8C1A1A") : STR("2DC72D"));
    json_end_object(&w);
    gojson_finish(&body);
    notify_post(n, url, &body, NULL);
}

static void put_title_block(Notify *n, JsonWriter *w) {
    json_begin_object(w);
    gojson_key_str(w, STR("type"), STR("TextBlock"));
    gojson_key_str(w, STR("text"), notify_t(n, "title"));
    gojson_key_str(w, STR("weight"), STR("Bolder"));
    gojson_key_str(w, STR("size"), STR("Medium"));
    json_key_lit(w, "wrap");
    json_bool(w, true);
    gojson_key_str(w, STR("style"), STR("heading"));
    gojson_key_str(w, STR("color"), notify_firing(n) ? STR("Attention") : STR("Good"));
    json_end_object(w);
}

static void put_card(Notify *n, JsonWriter *w) {
    json_begin_object(w);
    gojson_key_str(w, STR("$schema"), STR("http://adaptivecards.io/schemas/adaptive-card.json"));
    gojson_key_str(w, STR("type"), STR("AdaptiveCard"));
    gojson_key_str(w, STR("version"), STR("1.2"));
    json_key_lit(w, "body");
    json_begin_array(w);
    put_title_block(n, w);
    json_begin_object(w);
    gojson_key_str(w, STR("type"), STR("TextBlock"));
    gojson_key_str(w, STR("text"), notify_t(n, "text"));
    json_key_lit(w, "wrap");
    json_bool(w, true);
    json_end_object(w);
    json_end_array(w);
    json_key_lit(w, "msteams");
    json_begin_object(w);
    gojson_key_str(w, STR("width"), STR("full"));
    json_end_object(w);
    json_end_object(w);
}

void notify_msteamsv2(Notify *n) {
    Str url;
    if (!notify_url(n, "webhook_url", &url)) return;
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    gojson_key_str(&w, STR("type"), STR("message"));
    json_key_lit(&w, "attachments");
    json_begin_array(&w);
    json_begin_object(&w);
    gojson_key_str(&w, STR("contentType"), STR("application/vnd.microsoft.card.adaptive"));
    json_key_lit(&w, "contentUrl");
    json_null(&w);
    json_key_lit(&w, "content");
    put_card(n, &w);
    json_end_object(&w);
    json_end_array(&w);
    json_end_object(&w);
    gojson_finish(&body);
    notify_post(n, url, &body, NULL);
}

void notify_webex(Notify *n) {
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    gojson_key_str(&w, STR("markdown"), notify_truncate_bytes(n, notify_t(n, "message"), WEBEX_MAX));
    gojson_opt(&w, STR("roomId"), notify_t(n, "room_id"));
    json_end_object(&w);
    gojson_finish(&body);
    NotifyAnswer ignored;
    NotifyHttp h = {.url = settings_text(n->s, "api_url"), .url_is_public = true, .body = notify_copy_buf(n, &body)};
    notify_http(n, &h, &ignored);
}
