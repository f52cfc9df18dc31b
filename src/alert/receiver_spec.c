/* receiver_spec.c - the keys of every integration and of global:, with defaults. Source: Alertmanager's configuration
 * reference. */
#include "alert/receiver_int.h"

/* clang-format off */
#define HTTP {"http_config", SET_HTTP, NULL, NULL, NULL}
#define TEXT(key, def) {key, SET_TEXT, def, NULL, NULL}
#define PLAIN(key) {key, SET_PLAIN, NULL, NULL, NULL}
#define SECRET(key, global) {key, SET_SECRET, NULL, global, NULL}, {key "_file", SET_FILE, NULL, global "_file", NULL}
#define OWN_SECRET(key) {key, SET_SECRET, NULL, NULL, NULL}, {key "_file", SET_FILE, NULL, NULL, NULL}
#define HOOK(key) {key, SET_SECRET_URL, NULL, NULL, NULL}, {key "_file", SET_FILE, NULL, NULL, NULL}
#define BOOL(key) {key, SET_BOOL, NULL, NULL, NULL}
#define TIMEOUT {"timeout", SET_GO_DURATION, NULL, NULL, NULL}
#define T(name) "{{ template \"" name "\" . }}"
#define TABLE(var, what)                                                                                               \
    static const SettingTable var##_table = {what, var##_keys, ARRAY_LEN(var##_keys)}

static const SettingSpec webhook_keys[] = {HTTP, HOOK("url"), {"max_alerts", SET_INT, NULL, NULL, NULL}, TIMEOUT,
    {"payload", SET_TREE, NULL, NULL, NULL}};
TABLE(webhook, "webhook_configs");

static const SettingSpec pd_image_keys[] = {TEXT("src", NULL), TEXT("alt", NULL), TEXT("href", NULL)};
TABLE(pd_image, "images");
static const SettingSpec pd_link_keys[] = {TEXT("href", NULL), TEXT("text", NULL)};
TABLE(pd_link, "links");
static const SettingSpec pagerduty_keys[] = {HTTP, OWN_SECRET("service_key"), OWN_SECRET("routing_key"),
    {"url", SET_URL, NULL, "pagerduty_url", NULL}, TEXT("client", T("pagerduty.default.client")),
    TEXT("client_url", T("pagerduty.default.clientURL")), TEXT("description", "{{ template \"pagerduty.default.description\" .}}"),
    {"details", SET_TREE, NULL, NULL, NULL}, {"images", SET_OBJECTS, NULL, NULL, &pd_image_table},
    {"links", SET_OBJECTS, NULL, NULL, &pd_link_table}, TEXT("source", NULL), TEXT("severity", "error"),
    TEXT("class", NULL), TEXT("component", NULL), TEXT("group", NULL), TIMEOUT};
TABLE(pagerduty, "pagerduty_configs");

static const SettingSpec field_keys[] = {TEXT("title", NULL), TEXT("value", NULL), BOOL("short")};
TABLE(field, "fields");
static const SettingSpec slack_confirm_keys[] = {
    TEXT("text", NULL), TEXT("title", NULL), TEXT("ok_text", NULL), TEXT("dismiss_text", NULL)};
TABLE(slack_confirm, "confirm");
static const SettingSpec slack_action_keys[] = {TEXT("type", NULL), TEXT("text", NULL), TEXT("url", NULL),
    TEXT("style", NULL), TEXT("name", NULL), TEXT("value", NULL), {"confirm", SET_OBJECT, NULL, NULL, &slack_confirm_table}};
TABLE(slack_action, "actions");
static const SettingSpec slack_keys[] = {HTTP, {"api_url", SET_SECRET_URL, NULL, "slack_api_url", NULL},
    {"api_url_file", SET_FILE, NULL, "slack_api_url_file", NULL}, SECRET("app_token", "slack_app_token"),
    {"app_url", SET_URL, NULL, "slack_app_url", NULL}, TEXT("channel", NULL),
    TEXT("username", T("slack.default.username")), TEXT("color", T("slack.default.color")),
    TEXT("title", T("slack.default.title")), TEXT("title_link", T("slack.default.titlelink")),
    TEXT("pretext", T("slack.default.pretext")), TEXT("text", T("slack.default.text")), TEXT("message_text", NULL),
    {"fields", SET_OBJECTS, NULL, NULL, &field_table}, BOOL("short_fields"), TEXT("footer", T("slack.default.footer")),
    TEXT("fallback", T("slack.default.fallback")), TEXT("callback_id", T("slack.default.callbackid")),
    TEXT("icon_emoji", T("slack.default.iconemoji")), TEXT("icon_url", T("slack.default.iconurl")),
    TEXT("image_url", NULL), TEXT("thumb_url", NULL), BOOL("link_names"), {"mrkdwn_in", SET_STRINGS, NULL, NULL, NULL},
    {"actions", SET_OBJECTS, NULL, NULL, &slack_action_table}, BOOL("update_message"), BOOL("post_updates_to_thread"),
    TIMEOUT};
TABLE(slack, "slack_configs");

static const SettingSpec threading_keys[] = {BOOL("enabled"), PLAIN("thread_by_date")};
TABLE(threading, "threading");
static const SettingSpec email_keys[] = {TEXT("to", NULL), {"from", SET_TEXT, NULL, "smtp_from", NULL},
    {"hello", SET_PLAIN, NULL, "smtp_hello", NULL}, {"smarthost", SET_HOSTPORT, NULL, "smtp_smarthost", NULL},
    {"auth_username", SET_PLAIN, NULL, "smtp_auth_username", NULL}, SECRET("auth_password", "smtp_auth_password"),
    SECRET("auth_secret", "smtp_auth_secret"), {"auth_identity", SET_PLAIN, NULL, "smtp_auth_identity", NULL},
    {"headers", SET_MAP, NULL, NULL, NULL}, TEXT("html", T("email.default.html")), TEXT("text", NULL),
    {"require_tls", SET_BOOL, NULL, "smtp_require_tls", NULL}, {"tls_config", SET_TLS, NULL, "smtp_tls_config", NULL},
    {"force_implicit_tls", SET_BOOL, NULL, "smtp_force_implicit_tls", NULL},
    {"threading", SET_OBJECT, NULL, NULL, &threading_table}};
TABLE(email, "email_configs");

static const SettingSpec responder_keys[] = {
    TEXT("id", NULL), TEXT("name", NULL), TEXT("username", NULL), TEXT("type", NULL)};
TABLE(responder, "responders");
static const SettingSpec opsgenie_keys[] = {HTTP, SECRET("api_key", "opsgenie_api_key"),
    {"api_url", SET_URL, NULL, "opsgenie_api_url", NULL}, TEXT("message", T("opsgenie.default.message")),
    TEXT("description", T("opsgenie.default.description")), TEXT("source", T("opsgenie.default.source")),
    {"details", SET_MAP, NULL, NULL, NULL}, TEXT("entity", NULL), {"responders", SET_OBJECTS, NULL, NULL, &responder_table},
    TEXT("actions", NULL), TEXT("tags", NULL), TEXT("note", NULL), TEXT("priority", NULL), BOOL("update_alerts")};
TABLE(opsgenie, "opsgenie_configs");

static const SettingSpec victorops_keys[] = {HTTP, SECRET("api_key", "victorops_api_key"),
    {"api_url", SET_URL, NULL, "victorops_api_url", NULL}, TEXT("routing_key", NULL), TEXT("message_type", "CRITICAL"),
    TEXT("state_message", T("victorops.default.state_message")),
    TEXT("entity_display_name", T("victorops.default.entity_display_name")),
    TEXT("monitoring_tool", T("victorops.default.monitoring_tool")), {"custom_fields", SET_MAP, NULL, NULL, NULL}};
TABLE(victorops, "victorops_configs");

static const SettingSpec telegram_keys[] = {HTTP, {"api_url", SET_URL, NULL, "telegram_api_url", NULL},
    SECRET("bot_token", "telegram_bot_token"), {"chat_id", SET_INT, NULL, NULL, NULL},
    {"chat_id_file", SET_FILE, NULL, NULL, NULL}, {"message_thread_id", SET_INT, NULL, NULL, NULL},
    TEXT("message", T("telegram.default.message")), BOOL("disable_notifications"),
    {"parse_mode", SET_PLAIN, "HTML", NULL, NULL}, TIMEOUT};
TABLE(telegram, "telegram_configs");

static const SettingSpec discord_keys[] = {HTTP, HOOK("webhook_url"), TEXT("content", NULL),
    TEXT("title", T("discord.default.title")), TEXT("message", T("discord.default.message")), PLAIN("username"),
    PLAIN("avatar_url")};
TABLE(discord, "discord_configs");

static const SettingSpec msteams_keys[] = {HTTP, HOOK("webhook_url"), TEXT("title", T("msteams.default.title")),
    TEXT("summary", T("msteams.default.summary")), TEXT("text", T("msteams.default.text"))};
TABLE(msteams, "msteams_configs");
static const SettingSpec msteamsv2_keys[] = {
    HTTP, HOOK("webhook_url"), TEXT("title", T("msteamsv2.default.title")), TEXT("text", T("msteamsv2.default.text"))};
TABLE(msteamsv2, "msteamsv2_configs");

static const SettingSpec webex_keys[] = {HTTP, {"api_url", SET_URL, NULL, "webex_api_url", NULL},
    TEXT("message", T("webex.default.message")), TEXT("room_id", NULL)};
TABLE(webex, "webex_configs");

static const SettingSpec sigv4_keys[] = {PLAIN("region"), PLAIN("access_key"), {"secret_key", SET_SECRET, NULL, NULL, NULL},
    PLAIN("profile"), PLAIN("role_arn"), PLAIN("external_id"), BOOL("use_fips_sts_endpoint")};
TABLE(sigv4, "sigv4");
static const SettingSpec sns_keys[] = {HTTP, TEXT("api_url", NULL), {"sigv4", SET_OBJECT, NULL, NULL, &sigv4_table},
    TEXT("topic_arn", NULL), TEXT("phone_number", NULL), TEXT("target_arn", NULL),
    TEXT("subject", T("sns.default.subject")), TEXT("message", T("sns.default.message")),
    {"attributes", SET_MAP, NULL, NULL, NULL}, BOOL("use_aws_http_client")};
TABLE(sns, "sns_configs");

static const SettingSpec jira_text_keys[] = {TEXT("template", NULL), {"enable_update", SET_BOOL, "true", NULL, NULL}};
TABLE(jira_text, "template");
static const SettingSpec jira_keys[] = {HTTP, {"api_url", SET_URL, NULL, "jira_api_url", NULL},
    {"api_type", SET_PLAIN, "auto", NULL, NULL}, TEXT("project", NULL), TEXT("issue_type", NULL),
    {"summary", SET_OBJECT, NULL, NULL, &jira_text_table}, {"description", SET_OBJECT, NULL, NULL, &jira_text_table},
    {"labels", SET_STRINGS, NULL, NULL, NULL}, TEXT("priority", T("jira.default.priority")), PLAIN("reopen_transition"),
    PLAIN("resolve_transition"), PLAIN("wont_fix_resolution"), {"reopen_duration", SET_PROM_DURATION, NULL, NULL, NULL},
    {"fields", SET_TREE, NULL, NULL, NULL}, {"custom_fields", SET_TREE, NULL, NULL, NULL}};
TABLE(jira, "jira_configs");

static const SettingSpec rocket_action_keys[] = {PLAIN("type"), TEXT("text", NULL), TEXT("url", NULL), PLAIN("image_url"),
    BOOL("is_webview"), PLAIN("webview_height_ratio"), TEXT("msg", NULL), BOOL("msg_in_chat_window"),
    PLAIN("msg_processing_type")};
TABLE(rocket_action, "actions");
static const SettingSpec rocketchat_keys[] = {HTTP, {"api_url", SET_URL, NULL, "rocketchat_api_url", NULL},
    SECRET("token_id", "rocketchat_token_id"), SECRET("token", "rocketchat_token"), TEXT("channel", NULL),
    TEXT("color", "{{ if eq .Status \"firing\" }}red{{ else }}green{{ end }}"),
    TEXT("title", T("rocketchat.default.title")), TEXT("title_link", T("rocketchat.default.titlelink")),
    TEXT("text", T("rocketchat.default.text")), TEXT("message_text", NULL), {"fields", SET_OBJECTS, NULL, NULL, &field_table},
    BOOL("short_fields"), TEXT("emoji", T("rocketchat.default.emoji")), TEXT("icon_url", T("rocketchat.default.iconurl")),
    TEXT("image_url", NULL), TEXT("thumb_url", NULL), BOOL("link_names"),
    {"actions", SET_OBJECTS, NULL, NULL, &rocket_action_table}};
TABLE(rocketchat, "rocketchat_configs");

#define MATTERMOST_ATTACHMENT                                                                                          \
    TEXT("pretext", NULL), TEXT("author_name", NULL), TEXT("author_link", NULL), TEXT("author_icon", NULL),            \
        {"fields", SET_OBJECTS, NULL, NULL, &field_table}, TEXT("thumb_url", NULL), TEXT("footer", NULL),              \
        TEXT("footer_icon", NULL), TEXT("image_url", NULL)
static const SettingSpec mm_attachment_keys[] = {MATTERMOST_ATTACHMENT, TEXT("fallback", NULL), TEXT("color", NULL),
    TEXT("text", NULL), TEXT("title", NULL), TEXT("title_link", NULL)};
TABLE(mm_attachment, "attachments");
static const SettingSpec mm_props_keys[] = {TEXT("card", NULL)};
TABLE(mm_props, "props");
static const SettingSpec mm_priority_keys[] = {
    TEXT("priority", NULL), BOOL("requested_ack"), BOOL("persistent_notifications")};
TABLE(mm_priority, "priority");
static const SettingSpec mattermost_keys[] = {HTTP, {"webhook_url", SET_SECRET_URL, NULL, "mattermost_webhook_url", NULL},
    {"webhook_url_file", SET_FILE, NULL, "mattermost_webhook_url_file", NULL}, TEXT("channel", NULL),
    TEXT("username", T("mattermost.default.username")), MATTERMOST_ATTACHMENT,
    TEXT("fallback", T("mattermost.default.fallback")), TEXT("color", T("mattermost.default.color")),
    TEXT("text", T("mattermost.default.text")), TEXT("title", T("mattermost.default.title")),
    TEXT("title_link", T("mattermost.default.titlelink")), TEXT("icon_url", NULL), TEXT("icon_emoji", NULL),
    {"attachments", SET_OBJECTS, NULL, NULL, &mm_attachment_table}, TEXT("type", NULL),
    {"props", SET_OBJECT, NULL, NULL, &mm_props_table}, {"priority", SET_OBJECT, NULL, NULL, &mm_priority_table}};
TABLE(mattermost, "mattermost_configs");

static const SettingSpec pushover_keys[] = {HTTP, OWN_SECRET("user_key"), OWN_SECRET("token"),
    TEXT("title", T("pushover.default.title")), TEXT("message", T("pushover.default.message")),
    TEXT("url", T("pushover.default.url")), TEXT("url_title", NULL), TEXT("device", NULL), TEXT("sound", NULL),
    TEXT("priority", "{{ if eq .Status \"firing\" }}2{{ else }}0{{ end }}"), {"retry", SET_GO_DURATION, "1m", NULL, NULL},
    {"expire", SET_GO_DURATION, "1h", NULL, NULL}, {"ttl", SET_GO_DURATION, NULL, NULL, NULL}, BOOL("html"),
    BOOL("monospace")};
TABLE(pushover, "pushover_configs");

static const SettingSpec wechat_keys[] = {HTTP, SECRET("api_secret", "wechat_api_secret"),
    {"corp_id", SET_TEXT, NULL, "wechat_api_corp_id", NULL}, TEXT("message", T("wechat.default.message")),
    {"api_url", SET_URL, NULL, "wechat_api_url", NULL}, TEXT("to_user", T("wechat.default.to_user")),
    TEXT("to_party", T("wechat.default.to_party")), TEXT("to_tag", T("wechat.default.to_tag")),
    TEXT("agent_id", T("wechat.default.agent_id")), {"message_type", SET_PLAIN, "text", NULL, NULL}};
TABLE(wechat, "wechat_configs");

/* ntfy is no receiver of the original: names are ntfy's own (https://docs.ntfy.sh/publish/). */
static const SettingSpec ntfy_keys[] = {HTTP, {"url", SET_URL, "https://ntfy.sh", NULL, NULL}, TEXT("topic", NULL),
    OWN_SECRET("token"), TEXT("title", T("ntfy.default.title")), TEXT("message", T("ntfy.default.message")),
    TEXT("priority", T("ntfy.default.priority")), TEXT("tags", T("ntfy.default.tags")), TEXT("click", T("ntfy.default.click")),
    TEXT("icon", NULL), BOOL("markdown"), TIMEOUT};
TABLE(ntfy, "ntfy_configs");

static const SettingSpec incidentio_keys[] = {HTTP, {"url", SET_URL, NULL, NULL, NULL}, {"url_file", SET_FILE, NULL, NULL, NULL},
    OWN_SECRET("alert_source_token"), {"max_alerts", SET_INT, NULL, NULL, NULL}, TIMEOUT, {"metadata", SET_MAP, NULL, NULL, NULL}};
TABLE(incidentio, "incidentio_configs");

const IntegrationSpec integration_specs[INTEGRATION_MAX] = {
    [INTEGRATION_WEBHOOK] = {"webhook", "webhook_configs", true, &webhook_table},
    [INTEGRATION_EMAIL] = {"email", "email_configs", false, &email_table},
    [INTEGRATION_PAGERDUTY] = {"pagerduty", "pagerduty_configs", true, &pagerduty_table},
    [INTEGRATION_OPSGENIE] = {"opsgenie", "opsgenie_configs", true, &opsgenie_table},
    [INTEGRATION_WECHAT] = {"wechat", "wechat_configs", false, &wechat_table},
    [INTEGRATION_SLACK] = {"slack", "slack_configs", false, &slack_table},
    [INTEGRATION_VICTOROPS] = {"victorops", "victorops_configs", true, &victorops_table},
    [INTEGRATION_PUSHOVER] = {"pushover", "pushover_configs", true, &pushover_table},
    [INTEGRATION_SNS] = {"sns", "sns_configs", true, &sns_table},
    [INTEGRATION_TELEGRAM] = {"telegram", "telegram_configs", true, &telegram_table},
    [INTEGRATION_DISCORD] = {"discord", "discord_configs", true, &discord_table},
    [INTEGRATION_WEBEX] = {"webex", "webex_configs", true, &webex_table},
    [INTEGRATION_MSTEAMS] = {"msteams", "msteams_configs", true, &msteams_table},
    [INTEGRATION_MSTEAMSV2] = {"msteamsv2", "msteamsv2_configs", true, &msteamsv2_table},
    [INTEGRATION_JIRA] = {"jira", "jira_configs", true, &jira_table},
    [INTEGRATION_INCIDENTIO] = {"incidentio", "incidentio_configs", true, &incidentio_table},
    [INTEGRATION_ROCKETCHAT] = {"rocketchat", "rocketchat_configs", false, &rocketchat_table},
    [INTEGRATION_MATTERMOST] = {"mattermost", "mattermost_configs", true, &mattermost_table},
    [INTEGRATION_NTFY] = {"ntfy", "ntfy_configs", true, &ntfy_table},
};

#define GLOBAL_SECRET(key) {key, SET_SECRET, NULL, NULL, NULL}, {key "_file", SET_FILE, NULL, NULL, NULL}
#define GLOBAL_URL(key, def) {key, SET_URL, def, NULL, NULL}
static const SettingSpec global_keys[] = {HTTP, PLAIN("smtp_from"), {"smtp_hello", SET_PLAIN, "localhost", NULL, NULL},
    {"smtp_smarthost", SET_HOSTPORT, NULL, NULL, NULL}, PLAIN("smtp_auth_username"), GLOBAL_SECRET("smtp_auth_password"),
    GLOBAL_SECRET("smtp_auth_secret"), PLAIN("smtp_auth_identity"), {"smtp_require_tls", SET_BOOL, "true", NULL, NULL},
    {"smtp_tls_config", SET_TLS, NULL, NULL, NULL}, BOOL("smtp_force_implicit_tls"), HOOK("slack_api_url"),
    GLOBAL_SECRET("slack_app_token"), GLOBAL_URL("slack_app_url", "https://slack.com/api/chat.postMessage"),
    GLOBAL_URL("pagerduty_url", "https://events.pagerduty.com/v2/enqueue"), GLOBAL_SECRET("opsgenie_api_key"),
    GLOBAL_URL("opsgenie_api_url", "https://api.opsgenie.com/"), GLOBAL_SECRET("victorops_api_key"),
    GLOBAL_URL("victorops_api_url", "https://alert.victorops.com/integrations/generic/20131114/alert/"),
    GLOBAL_SECRET("telegram_bot_token"), GLOBAL_URL("telegram_api_url", "https://api.telegram.org"),
    GLOBAL_URL("webex_api_url", "https://webexapis.com/v1/messages"),
    GLOBAL_URL("wechat_api_url", "https://qyapi.weixin.qq.com/cgi-bin/"), GLOBAL_SECRET("wechat_api_secret"),
    PLAIN("wechat_api_corp_id"), GLOBAL_URL("jira_api_url", NULL),
    GLOBAL_URL("rocketchat_api_url", "https://open.rocket.chat/"), GLOBAL_SECRET("rocketchat_token"),
    GLOBAL_SECRET("rocketchat_token_id"), HOOK("mattermost_webhook_url")};
const SettingTable receiver_global_table = {"global", global_keys, ARRAY_LEN(global_keys)};
/* clang-format on */
