/* notify_slack.c - incoming webhooks and chat.postMessage; with a bot token one message can be edited and answered in a
 * thread. */
#include "alert/notify_int.h"
#include "base/json.h"

#include <stdio.h>

#define TITLE_MAX 1024
#define UPDATE_URL "https://slack.com/api/chat.update"

static void put_field(Notify *n, JsonWriter *w, const Settings *f) {
    gojson_opt(w, STR("title"), notify_text(n, f, "title"));
    gojson_opt(w, STR("value"), notify_text(n, f, "value"));
    notify_put_short(n, w, f);
}

static void put_action(Notify *n, JsonWriter *w, const Settings *a) {
    static const char *const all[] = {"type", "text", "url", "style"}, *const asking[] = {
                                                                           "text", "title", "ok_text", "dismiss_text"};
    const Setting *confirm = settings_get(a, "confirm");
    for (size_t i = 0; i < ARRAY_LEN(all); i++) gojson_opt(w, str_cstr(all[i]), notify_text(n, a, all[i]));
    if (settings_text(a, "url").n) return; /* a link has neither value nor confirmation */
    gojson_opt(w, STR("name"), notify_text(n, a, "name"));
    gojson_opt(w, STR("value"), notify_text(n, a, "value"));
    if (!confirm->n_subs) return;
    json_key_lit(w, "confirm");
    json_begin_object(w);
    for (size_t i = 0; i < ARRAY_LEN(asking); i++)
        gojson_opt(w, str_cstr(asking[i]), notify_text(n, confirm->subs, asking[i]));
    json_end_object(w);
}

static void put_markdown_in(Notify *n, JsonWriter *w) {
    const YamlNode *own = settings_get(n->s, "mrkdwn_in")->node;
    json_key_lit(w, "mrkdwn_in");
    json_begin_array(w);
    for (const YamlNode *it = own ? own->first : NULL; it; it = it->next) json_str(w, it->text);
    if (!own || !own->n) {
        json_str(w, STR("fallback"));
        json_str(w, STR("pretext"));
        json_str(w, STR("text"));
    }
    json_end_array(w);
}

static void put_attachment(Notify *n, JsonWriter *w) {
    json_begin_object(w);
    gojson_opt(w, STR("title"), notify_truncate_runes(n, notify_t(n, "title"), TITLE_MAX));
    gojson_opt(w, STR("title_link"), notify_t(n, "title_link"));
    gojson_opt(w, STR("pretext"), notify_t(n, "pretext"));
    gojson_key_str(w, STR("text"), notify_t(n, "text"));
    gojson_key_str(w, STR("fallback"), notify_t(n, "fallback"));
    gojson_key_str(w, STR("callback_id"), notify_t(n, "callback_id"));
    notify_put_objects(n, w, n->s, "fields", put_field);
    notify_put_objects(n, w, n->s, "actions", put_action);
    gojson_opt(w, STR("image_url"), notify_t(n, "image_url"));
    gojson_opt(w, STR("thumb_url"), notify_t(n, "thumb_url"));
    gojson_key_str(w, STR("footer"), notify_t(n, "footer"));
    gojson_opt(w, STR("color"), notify_t(n, "color"));
    put_markdown_in(n, w);
    json_end_object(w);
}

/* ts: the message to edit; thread: the one to answer. */
static Str message(Notify *n, Str channel, Str ts, Str thread) {
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    gojson_opt(&w, STR("channel"), channel);
    gojson_opt(&w, STR("username"), notify_t(n, "username"));
    gojson_opt(&w, STR("icon_emoji"), notify_t(n, "icon_emoji"));
    gojson_opt(&w, STR("icon_url"), notify_t(n, "icon_url"));
    if (settings_bool(n->s, "link_names")) {
        json_key_lit(&w, "link_names");
        json_bool(&w, true);
    }
    gojson_opt(&w, STR("text"), notify_t(n, "message_text"));
    json_key_lit(&w, "attachments");
    json_begin_array(&w);
    put_attachment(n, &w);
    json_end_array(&w);
    gojson_opt(&w, STR("ts"), ts);
    gojson_opt(&w, STR("thread_ts"), thread);
    json_end_object(&w);
    gojson_finish(&body);
    return notify_copy_buf(n, &body);
}

static void keep_ids(Notify *n, Str ts, Str channel) {
    Label *v = ARENA_ARRAY(n->arena, Label, 2);
    if (!v) return;
    v[0] = (Label){STR("channelId"), channel};
    v[1] = (Label){STR("threadTs"), ts};
    n->res->state = (Labels){v, 2};
}

/* "ok" as text, or JSON with ok: true. */
static bool check_answer(Notify *n, const NotifyAnswer *a, const char *context, bool keep) {
    if (notify_dry(n)) return true;
    if (!str_starts_with(a->content_type, STR("application/json"))) {
        if (str_eq_lit(a->body, "ok")) return true;
        return notify_fail(n, "clientError", false, "%s: received an error response from Slack: %" STR_FMT, context,
            (int)MIN(a->body.n, 300), a->body.p ? a->body.p : "");
    }
    JsonValue *json;
    if (json_parse(a->body, n->arena, &json, NULL))
        return notify_fail(n, "clientError", true, "%s: could not unmarshal JSON response from Slack", context);
    const JsonValue *ok = json_get(json, STR("ok"));
    if (!ok || !ok->boolean)
        return notify_fail(n, "clientError", false, "%s: error response from Slack: %" STR_FMT, context,
            STR_ARG(json_get_str(json, STR("error"))));
    Str ts = json_get_str(json, STR("ts")), channel = json_get_str(json, STR("channel"));
    if (keep && ts.n && channel.n) keep_ids(n, ts, channel);
    return true;
}

static bool post(Notify *n, Str url, bool public_url, Str body, Str channel, bool keep) {
    const char *context = arena_printf(n->arena, "channel \"%" STR_FMT "\"", STR_ARG(channel)).p;
    NotifyHttp h = {.url = url, .url_is_public = public_url, .body = body, .context = context, .reads_answer = true};
    NotifyAnswer answer;
    return notify_http(n, &h, &answer) && check_answer(n, &answer, context ? context : "", keep);
}

void notify_slack(Notify *n) {
    Str url, channel = notify_t(n, "channel");
    if (!notify_url(n, "api_url", &url)) return;
    bool update = settings_bool(n->s, "update_message"), thread = settings_bool(n->s, "post_updates_to_thread");
    Str ts = labels_get(n->req->state, STR("threadTs")), kept = labels_get(n->req->state, STR("channelId"));
    bool by_bot = str_starts_with(url, STR("https://slack.com/api/"));
    if (!ts.n || !kept.n || !(update || thread)) {
        post(n, url, by_bot, message(n, channel, STR_NULL, STR_NULL), channel, update || thread);
        return;
    }
    if (update && !post(n, STR(UPDATE_URL), true, message(n, kept, ts, STR_NULL), kept, false)) return;
    if (thread) post(n, url, by_bot, message(n, kept, STR_NULL, ts), kept, false);
}
