/* notify_push.c - Telegram, Pushover, WeChat, ntfy. */
#include "alert/notify_int.h"
#include "base/json.h"
#include "base/num.h"

#include <stdio.h>

#define TELEGRAM_MAX 4096
#define TELEGRAM_BYTES_MAX (1u << 15)
#define TELEGRAM_TOO_LONG                                                                                              \
    "Alertmanager notification could not be sent: message length exceeds Telegram limits. Please check the template "  \
    "used for producing the message content."
#define PUSHOVER_URL "https://api.pushover.net/1/messages.json"
#define PUSHOVER_TITLE_MAX 250
#define PUSHOVER_TEXT_MAX 1024
#define PUSHOVER_URL_MAX 512

/* --- Telegram --- */

/* What people read of it: tags count nothing, an entity is one character. */
static size_t visible_runes(Str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        size_t close = s.p[i] == '<' ? str_find_char(str_skip(s, i), '>') : SIZE_MAX;
        size_t semicolon = s.p[i] == '&' ? str_find_char(str_skip(s, i), ';') : SIZE_MAX;
        size_t len = str_utf8_step(str_skip(s, i));
        if (close != SIZE_MAX) {
            i += close + 1;
            continue;
        }
        i += semicolon <= 10 ? semicolon + 1 : len ? len : 1;
        n++;
    }
    return n;
}

static Str telegram_text(Notify *n) {
    if (!str_eq_lit(settings_text(n->s, "parse_mode"), "HTML"))
        return notify_truncate_runes(n, notify_t(n, "message"), TELEGRAM_MAX);
    Str text = notify_expand_html(n, settings_text(n->s, "message"));
    return text.n > TELEGRAM_BYTES_MAX || visible_runes(text) > TELEGRAM_MAX ? STR(TELEGRAM_TOO_LONG) : text;
}

static bool telegram_chat(Notify *n, Str *ret) {
    const Setting *id = settings_get(n->s, "chat_id"), *file = settings_get(n->s, "chat_id_file");
    int64_t number;
    *ret = id->text;
    if (id->text.n || !file->text.n) return true;
    if (!notify_read_file(n, file->text, ret)) return false;
    return num_parse_i64(*ret, &number) ||
           notify_fail(n, "other", true, "could not parse chat_id from %" STR_FMT, STR_ARG(file->text));
}

static void telegram_details(int status, Str body, Buf *out) {
    (void)status;
    Arena *arena = arena_create(4u << 20);
    JsonValue *json;
    if (json_parse(body, arena, &json, NULL) == OK)
        buf_printf(out, "telegram: %" STR_FMT, STR_ARG(json_get_str(json, STR("description"))));
    arena_free(arena);
}

void notify_telegram(Notify *n) {
    Str token, chat;
    if (!notify_secret(n, "bot_token", &token) || !telegram_chat(n, &chat)) return;
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    gojson_key_str(&w, STR("chat_id"), chat);
    if (settings_bool(n->s, "disable_notifications")) gojson_key_str(&w, STR("disable_notification"), STR("true"));
    gojson_key_str(&w, STR("disable_web_page_preview"), STR("true"));
    if (settings_get(n->s, "message_thread_id")->i)
        gojson_key_str(&w, STR("message_thread_id"), settings_text(n->s, "message_thread_id"));
    gojson_opt(&w, STR("parse_mode"), settings_text(n->s, "parse_mode"));
    gojson_key_str(&w, STR("text"), telegram_text(n));
    json_end_object(&w);
    gojson_finish(&body);
    static const int every[] = {400, 401, 403, 404, 409, 413, 429, 0}; /* the original tries again whatever it was */
    Str url = arena_printf(
        n->arena, "%" STR_FMT "/bot%" STR_FMT "/sendMessage", STR_ARG(settings_text(n->s, "api_url")), STR_ARG(token));
    NotifyHttp h = {.url = url,
        .body = notify_copy_buf(n, &body),
        .retry_codes = every,
        .details = telegram_details,
        .reads_answer = true};
    NotifyAnswer answer;
    if (!notify_http(n, &h, &answer) || notify_dry(n)) return;
    JsonValue *json;
    const JsonValue *ok = json_parse(answer.body, n->arena, &json, NULL) == OK ? json_get(json, STR("ok")) : NULL;
    if (!ok || !ok->boolean) notify_fail(n, "other", true, "telegram: unexpected answer");
}

/* --- Pushover --- */

static void form(Buf *b, const char *key, Str value) {
    if (b->n) buf_put_char(b, '&');
    buf_put(b, key, strlen(key));
    buf_put_char(b, '=');
    gotmpl_put_urlquery(b, value);
}

static void form_seconds(Buf *b, const char *key, int64_t ns) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)(ns / 1000000000));
    form(b, key, str_cstr(text));
}

/* url.Values.Encode: by key. */
void notify_pushover(Notify *n) {
    Str token, user;
    if (!notify_secret(n, "token", &token) || !notify_secret(n, "user_key", &user)) return;
    bool html = settings_bool(n->s, "html");
    Str text = html ? notify_expand_html(n, settings_text(n->s, "message")) : notify_t(n, "message");
    text = str_trim(notify_truncate_runes(n, text, PUSHOVER_TEXT_MAX));
    Buf q = {0};
    form(&q, "device", notify_t(n, "device"));
    form_seconds(&q, "expire", settings_get(n->s, "expire")->i);
    if (html) form(&q, "html", STR("1"));
    form(&q, "message", text.n ? text : STR("(no details)"));
    if (settings_bool(n->s, "monospace")) form(&q, "monospace", STR("1"));
    form(&q, "priority", notify_t(n, "priority"));
    form_seconds(&q, "retry", settings_get(n->s, "retry")->i);
    form(&q, "sound", notify_t(n, "sound"));
    form(&q, "title", notify_truncate_runes(n, notify_t(n, "title"), PUSHOVER_TITLE_MAX));
    form(&q, "token", token);
    if (settings_get(n->s, "ttl")->i >= 1000000000) form_seconds(&q, "ttl", settings_get(n->s, "ttl")->i);
    form(&q, "url", notify_truncate_runes(n, notify_t(n, "url"), PUSHOVER_URL_MAX));
    form(&q, "url_title", notify_t(n, "url_title"));
    form(&q, "user", user);
    Str url = arena_printf(n->arena, PUSHOVER_URL "?%" STR_FMT, STR_ARG(buf_str(&q)));
    buf_done(&q);
    NotifyAnswer ignored;
    NotifyHttp h = {.url = url, .url_is_public = notify_dry(n), .content_type = "text/plain"};
    notify_http(n, &h, &ignored);
}

/* --- WeChat --- */

#define WECHAT_GOOD_S 7200
enum { WECHAT_INVALID_TOKEN = 40014, WECHAT_EXPIRED_TOKEN = 42001 };

typedef struct WechatToken {
    Str url, text;
    bool kept; /* one of before */
} WechatToken;

static bool wechat_token(Notify *n, Str secret, Str corp, WechatToken *ret) {
    Buf q = {0};
    form(&q, "corpid", corp);
    form(&q, "corpsecret", secret);
    *ret = (WechatToken){.text = STR("<secret>"),
        .url = arena_printf(
            n->arena, "%" STR_FMT "gettoken?%" STR_FMT, STR_ARG(settings_text(n->s, "api_url")), STR_ARG(buf_str(&q)))};
    buf_done(&q);
    NotifyHttp h = {.method = "GET", .url = ret->url, .reads_answer = true};
    NotifyAnswer answer;
    ret->kept = !notify_dry(n) && notify_token_get(n, ret->url, &ret->text);
    if (!ret->kept && !notify_http(n, &h, &answer)) return false;
    if (notify_dry(n)) return true;
    JsonValue *json;
    int64_t good_s = WECHAT_GOOD_S;
    if (!ret->kept) {
        ret->text =
            json_parse(answer.body, n->arena, &json, NULL) == OK ? json_get_str(json, STR("access_token")) : STR_NULL;
        if (!ret->text.n)
            return notify_fail(n, "other", false, "invalid APISecret for CorpID: %" STR_FMT, STR_ARG(corp));
        json_get_i64(json, STR("expires_in"), &good_s);
        notify_token_put(ret->url, ret->text, MIN(good_s, WECHAT_GOOD_S));
    }
    notify_hide(n, ret->text);
    return true;
}

static Str wechat_body(Notify *n) {
    bool markdown = str_eq_lit(settings_text(n->s, "message_type"), "markdown");
    Str text = notify_t(n, "message");
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    json_key_lit(&w, "text");
    json_begin_object(&w);
    gojson_key_str(&w, STR("content"), markdown ? STR("") : text);
    json_end_object(&w);
    gojson_opt(&w, STR("touser"), notify_t(n, "to_user"));
    gojson_opt(&w, STR("toparty"), notify_t(n, "to_party"));
    gojson_opt(&w, STR("totag"), notify_t(n, "to_tag"));
    gojson_opt(&w, STR("agentid"), notify_t(n, "agent_id"));
    gojson_key_str(&w, STR("safe"), STR("0"));
    gojson_key_str(&w, STR("msgtype"), markdown ? STR("markdown") : STR("text"));
    json_key_lit(&w, "markdown");
    json_begin_object(&w);
    gojson_key_str(&w, STR("content"), markdown ? text : STR(""));
    json_end_object(&w);
    json_end_object(&w);
    gojson_finish(&body);
    return notify_copy_buf(n, &body);
}

/* false: failed. *ret: the service's verdict. */
static bool wechat_send(Notify *n, Str token, int64_t *ret, Str *ret_message) {
    Buf q = {0};
    form(&q, "access_token", token);
    Str url = arena_printf(
        n->arena, "%" STR_FMT "message/send?%" STR_FMT, STR_ARG(settings_text(n->s, "api_url")), STR_ARG(buf_str(&q)));
    buf_done(&q);
    static const int every[] = {400, 401, 403, 404, 413, 429, 0};
    NotifyHttp h = {.url = url, .body = wechat_body(n), .retry_codes = every, .reads_answer = true};
    NotifyAnswer answer;
    *ret = 0;
    *ret_message = STR_NULL;
    if (!notify_http(n, &h, &answer)) return false;
    if (notify_dry(n)) return true;
    JsonValue *json;
    if (json_parse(answer.body, n->arena, &json, NULL) || !json_get_i64(json, STR("errcode"), ret))
        return notify_fail(n, "other", true, "wechat: unexpected answer");
    *ret_message = json_get_str(json, STR("errmsg"));
    return true;
}

/* A token of before that has ended meanwhile is no reason to wait: a new one is asked for at once. */
void notify_wechat(Notify *n) {
    Str secret, corp, message;
    WechatToken token;
    int64_t code;
    if (!notify_secret(n, "api_secret", &secret) || !notify_must(n, settings_text(n->s, "corp_id"), "corp_id", &corp))
        return;
    for (;;) {
        if (!wechat_token(n, secret, corp, &token) || !wechat_send(n, token.text, &code, &message)) return;
        bool ended = code == WECHAT_INVALID_TOKEN || code == WECHAT_EXPIRED_TOKEN;
        if (ended) notify_token_drop(token.url, token.text);
        if (ended && token.kept) continue;
        if (code != 0) notify_fail(n, "other", code == WECHAT_EXPIRED_TOKEN, "%" STR_FMT, STR_ARG(message));
        return;
    }
}

/* --- ntfy --- */

static void ntfy_tags(JsonWriter *w, Str tags) {
    Str part;
    if (!str_trim(tags).n) return;
    json_key_lit(w, "tags");
    json_begin_array(w);
    while (str_split_next(&tags, ',', &part))
        if (str_trim(part).n) json_str(w, str_trim(part));
    json_end_array(w);
}

/* Published as JSON to the server's root: texts need not fit into headers. */
void notify_ntfy(Notify *n) {
    Str token;
    int64_t priority;
    if (!notify_secret(n, "token", &token)) return;
    if (!settings_text(n->s, "token").n && !settings_text(n->s, "token_file").n) token = STR_NULL;
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    gojson_key_str(&w, STR("topic"), notify_t(n, "topic"));
    gojson_opt(&w, STR("title"), notify_t(n, "title"));
    gojson_opt(&w, STR("message"), notify_truncate_bytes(n, notify_t(n, "message"), 4096));
    if (num_parse_i64(notify_t(n, "priority"), &priority) && priority >= 1 && priority <= 5) {
        json_key_lit(&w, "priority");
        json_i64(&w, priority);
    }
    ntfy_tags(&w, notify_t(n, "tags"));
    gojson_opt(&w, STR("click"), notify_t(n, "click"));
    gojson_opt(&w, STR("icon"), notify_t(n, "icon"));
    if (settings_bool(n->s, "markdown")) {
        json_key_lit(&w, "markdown");
        json_bool(&w, true);
    }
    json_end_object(&w);
    gojson_finish(&body);
    NotifyHttp h = {.url = settings_text(n->s, "url"),
        .url_is_public = true,
        .body = notify_copy_buf(n, &body),
        .retry_codes = notify_retry_429,
        .headers = {token.n ? notify_cstr(n, "Authorization: Bearer ", token) : NULL, NULL}};
    NotifyAnswer ignored;
    notify_http(n, &h, &ignored);
}
