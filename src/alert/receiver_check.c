/* receiver_check.c - what must be there and what must not stand together, in the original's words. */
#include "alert/receiver_int.h"

#include <stdio.h>

#define SLACK_POST "https://slack.com/api/chat.postMessage"

typedef struct Check {
    SettingsReader *r;
    IntegrationConfig *c;
} Check;

static bool has(const Check *k, const char *key) {
    const Setting *s = settings_get(&k->c->s, key);
    return s->set && (s->text.n || s->i);
}

static bool has_pair(const Check *k, const char *key) {
    char file[64];
    snprintf(file, sizeof file, "%s_file", key);
    return has(k, key) || has(k, file);
}

static void need(const Check *k, bool ok, const char *msg) {
    if (!ok) settings_error(k->r, k->c->s.node, "%s", msg);
}

static Setting *setting(const Check *k, const char *key) {
    return (Setting *)(uintptr_t)settings_get(&k->c->s, key); /* the table is still ours */
}

/* The original makes "x/" of "x" where it appends to a URL. */
static void end_in_slash(const Check *k, const char *key) {
    Setting *s = setting(k, key);
    if (!s->text.n || str_ends_with(s->text, STR("/"))) return;
    s->text = arena_printf(k->r->arena, "%" STR_FMT "/", STR_ARG(s->text));
}

static void check_webhook(Check *k) {
    need(k, has_pair(k, "url"), "one of url or url_file must be configured");
    if (settings_get(&k->c->s, "max_alerts")->i < 0)
        settings_error(k->r, settings_get(&k->c->s, "max_alerts")->node, "max_alerts must not be negative");
}

static void check_pagerduty(Check *k) {
    need(k, has_pair(k, "routing_key") || has_pair(k, "service_key"),
        "missing service or routing key in PagerDuty config");
    Setting *source = setting(k, "source");
    if (!source->text.n) *source = *setting(k, "client");
    const Setting *details = settings_get(&k->c->s, "details");
    if (details->node && details->node->kind != YAML_MAPPING)
        settings_error(k->r, details->node, "details must be a mapping");
}

static void check_slack_actions(Check *k) {
    const Setting *actions = settings_get(&k->c->s, "actions");
    for (size_t i = 0; i < actions->n_subs; i++) {
        const Settings *a = &actions->subs[i];
        if (!settings_text(a, "type").n) settings_error(k->r, a->node, "missing type in Slack action configuration");
        if (!settings_text(a, "text").n) settings_error(k->r, a->node, "missing text in Slack action configuration");
        if (!settings_text(a, "url").n && !settings_text(a, "name").n)
            settings_error(k->r, a->node, "missing name or url in Slack action configuration");
        const Setting *confirm = settings_get(a, "confirm");
        if (confirm->n_subs && !settings_text(confirm->subs, "text").n)
            settings_error(k->r, confirm->node, "missing text in Slack confirmation configuration");
    }
}

static void check_fields(Check *k, const Settings *s, const char *product) {
    const Setting *fields = settings_get(s, "fields");
    for (size_t i = 0; i < fields->n_subs; i++) {
        const Settings *f = &fields->subs[i];
        if (!settings_text(f, "title").n)
            settings_error(k->r, f->node, "missing title in %s field configuration", product);
        if (!settings_text(f, "value").n)
            settings_error(k->r, f->node, "missing value in %s field configuration", product);
    }
}

static void check_slack(Check *k) {
    Setting *url = setting(k, "api_url"), *url_file = setting(k, "api_url_file"), *token = setting(k, "app_token"),
            *token_file = setting(k, "app_token_file");
    bool own_url = url->own || url_file->own, own_token = token->own || token_file->own;
    if (own_url && own_token)
        need(k, false, "at most one of api_url/api_url_file & app_token/app_token_file must be configured");
    /* The global token is for those who bring neither a webhook nor credentials. */
    if (!own_token && (url->own || k->c->http.auth_type.n)) token->set = token_file->set = false;
    if (!token->set) token->text = STR_NULL;
    if (!token_file->set) token_file->text = STR_NULL;
    bool by_token = token->text.n || token_file->text.n;
    need(k, url->text.n || url_file->text.n || by_token,
        "no Slack API URL nor App token set either inline or in a file");
    if (by_token) {
        if (k->c->http.auth_type.n && settings_get(&k->c->s, "http_config")->own)
            need(k, false, "http authorization can't be set when using Slack App tokens");
        k->c->http.auth_type = STR("Bearer");
        k->c->http.credentials = token->text;
        k->c->http.credentials_file = token_file->text;
        *url = *setting(k, "app_url");
        url_file->text = STR_NULL;
    }
    static const char *const bot_only[] = {"update_message", "post_updates_to_thread"};
    for (size_t i = 0; i < ARRAY_LEN(bot_only); i++) {
        const Setting *s = settings_get(&k->c->s, bot_only[i]);
        if (!s->i || by_token || str_eq_lit(url->text, SLACK_POST)) continue;
        settings_error(
            k->r, s->node, "%s can only be used with bot tokens. api_url must be set to " SLACK_POST, bot_only[i]);
    }
    check_fields(k, &k->c->s, "Slack");
    check_slack_actions(k);
}

static bool is_reserved_header(Str name) {
    return str_eq_nocase(name, STR("References")) || str_eq_nocase(name, STR("In-Reply-To"));
}

static void check_email(Check *k) {
    need(k, has(k, "to"), "missing to address in email config");
    need(k, has(k, "smarthost"), "no global SMTP smarthost set");
    need(k, has(k, "from"), "no global SMTP from set");
    k->c->tls = settings_get(&k->c->s, "tls_config")->tls;
    const Setting *threading = settings_get(&k->c->s, "threading");
    bool threads = threading->n_subs && settings_bool(threading->subs, "enabled");
    const YamlNode *headers = settings_get(&k->c->s, "headers")->node;
    for (const YamlNode *h = headers ? headers->first : NULL; h; h = h->next) {
        for (const YamlNode *other = headers->first; other != h; other = other->next)
            if (str_eq_nocase(other->key->text, h->key->text))
                settings_error(
                    k->r, h->key, "duplicate header \"%" STR_FMT "\" in email config", STR_ARG(h->key->text));
        if (threads && is_reserved_header(h->key->text))
            settings_error(k->r, h->key,
                "conflicting configuration: threading.enabled conflicts with custom %" STR_FMT " header",
                STR_ARG(h->key->text));
    }
    if (!threads) return;
    Str by = settings_text(threading->subs, "thread_by_date");
    if (!str_eq_lit(by, "none") && !str_eq_lit(by, "daily"))
        settings_error(k->r, threading->node, "threading.thread_by_date must be either 'none' or 'daily'");
}

static void check_opsgenie(Check *k) {
    need(k, has_pair(k, "api_key"), "no global OpsGenie API Key set either inline or in a file");
    end_in_slash(k, "api_url");
    const Setting *responders = settings_get(&k->c->s, "responders");
    static const Str types[] = {
        STR_INIT("team"), STR_INIT("teams"), STR_INIT("user"), STR_INIT("escalation"), STR_INIT("schedule")};
    for (size_t i = 0; i < responders->n_subs; i++) {
        const Settings *s = &responders->subs[i];
        if (!settings_text(s, "id").n && !settings_text(s, "username").n && !settings_text(s, "name").n)
            settings_error(
                k->r, s->node, "opsGenieConfig responder has to have at least one of id, username or name specified");
        Str type = settings_text(s, "type");
        bool known = str_find(type, STR("{{")) != SIZE_MAX;
        for (size_t t = 0; t < ARRAY_LEN(types); t++) known = known || str_eq_nocase(type, types[t]);
        if (!known)
            settings_error(k->r, s->node,
                "opsGenieConfig responder type does not match valid options ^(team|teams|user|escalation|schedule)$");
    }
}

static void check_victorops(Check *k) {
    need(k, has(k, "routing_key"), "missing Routing key in VictorOps config");
    need(k, has_pair(k, "api_key"), "no global VictorOps API Key set");
    end_in_slash(k, "api_url");
    static const char *const fixed[] = {"routing_key", "message_type", "state_message", "entity_display_name",
        "monitoring_tool", "entity_id", "entity_state"};
    const YamlNode *fields = settings_get(&k->c->s, "custom_fields")->node;
    for (size_t i = 0; fields && i < ARRAY_LEN(fixed); i++) {
        const YamlNode *f = yaml_get(fields, str_cstr(fixed[i]));
        if (f)
            settings_error(k->r, f->key,
                "victorOps config contains custom field %s which cannot be used as it conflicts with the fixed/static "
                "fields",
                fixed[i]);
    }
}

static void check_telegram(Check *k) {
    need(k, has_pair(k, "bot_token"), "missing bot_token or bot_token_file on telegram_config");
    need(k, has_pair(k, "chat_id"), "missing chat_id or chat_id_file on telegram_config");
    Str mode = settings_text(&k->c->s, "parse_mode");
    static const Str modes[] = {STR_INIT(""), STR_INIT("Markdown"), STR_INIT("MarkdownV2"), STR_INIT("HTML")};
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) known = known || str_eq(mode, modes[i]);
    need(k, known, "unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string");
}

static void check_webhook_url(Check *k) {
    need(k, has_pair(k, "webhook_url"), "one of webhook_url or webhook_url_file must be configured");
}

static void check_webex(Check *k) {
    need(k, has(k, "room_id"), "missing room_id on webex_config");
    need(k, k->c->http.auth_type.n, "missing webex_configs.http_config.authorization");
}

static void check_sns(Check *k) {
    int n = has(k, "target_arn") + has(k, "topic_arn") + has(k, "phone_number");
    need(k, n == 1, "must provide either a Target ARN, Topic ARN, or Phone Number for SNS config");
    const Setting *sigv4 = settings_get(&k->c->s, "sigv4");
    bool half = sigv4->n_subs &&
                (settings_text(sigv4->subs, "access_key").n > 0) != (settings_text(sigv4->subs, "secret_key").n > 0);
    need(k, !half,
        "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config");
}

static void check_jira(Check *k) {
    need(k, has(k, "project"), "missing project in jira_config");
    need(k, has(k, "issue_type"), "missing issue_type in jira_config");
    need(k, has(k, "api_url"), "no global Jira Cloud URL set");
    Str type = settings_text(&k->c->s, "api_type");
    need(k, str_eq_lit(type, "auto") || str_eq_lit(type, "cloud") || str_eq_lit(type, "datacenter"),
        "unknown api_type on jira_config, must be auto, cloud or datacenter");
}

static void check_mattermost(Check *k) {
    need(k, has_pair(k, "webhook_url"), "missing webhook_url or webhook_url_file on mattermost_config");
    check_fields(k, &k->c->s, "Mattermost");
}

static void check_rocketchat(Check *k) {
    need(k, has_pair(k, "token_id"), "no global Rocketchat TokenID set either inline or in a file");
    need(k, has_pair(k, "token"), "no global Rocketchat Token set either inline or in a file");
    end_in_slash(k, "api_url");
}

static void check_pushover(Check *k) {
    need(k, has_pair(k, "user_key"), "one of user_key or user_key_file must be configured");
    need(k, has_pair(k, "token"), "one of token or token_file must be configured");
    need(k, !has(k, "html") || !has(k, "monospace"), "at most one of monospace & html must be configured");
}

static void check_wechat(Check *k) {
    need(k, has_pair(k, "api_secret"), "no global Wechat Api Secret set either inline or in a file");
    need(k, has(k, "corp_id"), "no global Wechat CorpID set");
    end_in_slash(k, "api_url");
    Str type = settings_text(&k->c->s, "message_type");
    if (!str_eq_lit(type, "text") && !str_eq_lit(type, "markdown"))
        settings_error(k->r, settings_get(&k->c->s, "message_type")->node,
            "weChat message type \"%" STR_FMT "\" does not match valid options ^(text|markdown)$", STR_ARG(type));
}

static void check_ntfy(Check *k) { need(k, has(k, "topic"), "missing topic in ntfy config"); }

static void check_incidentio(Check *k) {
    need(k, has_pair(k, "url"), "one of url or url_file must be configured");
    bool token = has_pair(k, "alert_source_token"), auth = k->c->http.auth_type.n > 0;
    if (token && auth)
        need(k, false,
            "cannot specify alert_source_token or alert_source_token_file when using http_config.authorization");
    need(k, token || auth,
        "at least one of alert_source_token, alert_source_token_file or http_config.authorization must be configured");
    if (!token) return;
    k->c->http.auth_type = STR("Bearer");
    k->c->http.credentials = settings_text(&k->c->s, "alert_source_token");
    k->c->http.credentials_file = settings_text(&k->c->s, "alert_source_token_file");
}

void receiver_check(SettingsReader *r, IntegrationKind kind, IntegrationConfig *c) {
    static void (*const checks[INTEGRATION_MAX])(Check *) = {
        [INTEGRATION_WEBHOOK] = check_webhook,
        [INTEGRATION_EMAIL] = check_email,
        [INTEGRATION_PAGERDUTY] = check_pagerduty,
        [INTEGRATION_OPSGENIE] = check_opsgenie,
        [INTEGRATION_WECHAT] = check_wechat,
        [INTEGRATION_SLACK] = check_slack,
        [INTEGRATION_VICTOROPS] = check_victorops,
        [INTEGRATION_PUSHOVER] = check_pushover,
        [INTEGRATION_SNS] = check_sns,
        [INTEGRATION_TELEGRAM] = check_telegram,
        [INTEGRATION_DISCORD] = check_webhook_url,
        [INTEGRATION_WEBEX] = check_webex,
        [INTEGRATION_MSTEAMS] = check_webhook_url,
        [INTEGRATION_MSTEAMSV2] = check_webhook_url,
        [INTEGRATION_JIRA] = check_jira,
        [INTEGRATION_INCIDENTIO] = check_incidentio,
        [INTEGRATION_ROCKETCHAT] = check_rocketchat,
        [INTEGRATION_MATTERMOST] = check_mattermost,
        [INTEGRATION_NTFY] = check_ntfy,
    };
    Check k = {r, c};
    checks[kind](&k);
}
