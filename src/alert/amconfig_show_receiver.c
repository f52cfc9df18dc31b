/* amconfig_show_receiver.c - global: and receivers: as the original shows them. */
#include "alert/amconfig_show.h"
#include "alert/receiver_int.h"

#include "base/timefmt.h"

#include <ctype.h>
#include <stdio.h>

/* clang-format off */
/* The order of keys. After a key: ? left out when empty, * when not said, + unknown to 0.25: only when the file says it. */
static const char global_order[] = "http_config jira_api_url?+ smtp_from? smtp_hello? smtp_smarthost? smtp_auth_username? "
    "smtp_auth_password? smtp_auth_password_file? smtp_auth_secret? smtp_auth_secret_file?+ smtp_auth_identity? smtp_require_tls "
    "smtp_tls_config*+ smtp_force_implicit_tls*+ slack_api_url? slack_api_url_file? slack_app_token?+ slack_app_token_file?+ "
    "slack_app_url?+ pagerduty_url? opsgenie_api_url? opsgenie_api_key? opsgenie_api_key_file? wechat_api_url? wechat_api_secret? "
    "wechat_api_secret_file?+ wechat_api_corp_id? victorops_api_url? victorops_api_key? victorops_api_key_file? telegram_api_url? "
    "telegram_bot_token?+ telegram_bot_token_file?+ webex_api_url? rocketchat_api_url?+ rocketchat_token?+ rocketchat_token_file?+ "
    "rocketchat_token_id?+ rocketchat_token_id_file?+ mattermost_webhook_url?+ mattermost_webhook_url_file?+";

static const struct {
    IntegrationKind kind;
    const char *order;
} receiver_order[] = {
    {INTEGRATION_DISCORD, "http_config webhook_url? webhook_url_file?+ content?+ title? message? username?+ avatar_url?+"},
    {INTEGRATION_EMAIL, "to? from? hello? smarthost? auth_username? auth_password? auth_password_file? auth_secret? auth_secret_file?+ "
        "auth_identity? headers? html? text? require_tls tls_config force_implicit_tls*+ threading?+"},
    {INTEGRATION_INCIDENTIO, "http_config url url_file alert_source_token? alert_source_token_file? max_alerts timeout"},
    {INTEGRATION_PAGERDUTY, "http_config service_key? service_key_file? routing_key? routing_key_file? url? client? client_url? description? "
        "details? images? links? source? severity?+ class? component? group? timeout+"},
    {INTEGRATION_SLACK, "http_config api_url? api_url_file? app_token?+ app_token_file?+ app_url?+ channel? username? color? title? "
        "title_link? pretext? text? message_text?+ fields? short_fields footer? fallback? callback_id? icon_emoji? icon_url? image_url? "
        "thumb_url? link_names mrkdwn_in? actions? update_message+ timeout+"},
    {INTEGRATION_WEBHOOK, "http_config url url_file?+ max_alerts timeout+ payload?+"},
    {INTEGRATION_OPSGENIE, "http_config api_key? api_key_file? api_url? message? description? source? details? entity? responders? actions? "
        "tags? note? priority? update_alerts?"},
    {INTEGRATION_WECHAT, "http_config api_secret? api_secret_file?+ corp_id? message? api_url? to_user? to_party? to_tag? agent_id? "
        "message_type?"},
    {INTEGRATION_PUSHOVER, "http_config user_key? user_key_file?+ token? token_file?+ title? message? url? url_title? device?+ sound? "
        "priority? retry? expire? ttl?+ html monospace?+"},
    {INTEGRATION_VICTOROPS, "http_config api_key? api_key_file? api_url routing_key message_type state_message entity_display_name "
        "monitoring_tool custom_fields?"},
    {INTEGRATION_SNS, "http_config api_url? sigv4 topic_arn? phone_number? target_arn? subject? message? attributes? use_aws_http_client?+"},
    {INTEGRATION_TELEGRAM, "http_config api_url bot_token? bot_token_file?+ chat_id? chat_id_file?+ message_thread_id?+ message? "
        "disable_notifications? parse_mode?"},
    {INTEGRATION_WEBEX, "http_config api_url? message? room_id"},
    {INTEGRATION_MSTEAMS, "http_config webhook_url? webhook_url_file? title? summary? text?"},
    {INTEGRATION_MSTEAMSV2, "http_config webhook_url? webhook_url_file? title? text?"},
    {INTEGRATION_JIRA, "http_config api_url? api_type? project? summary? description? labels? priority? issue_type? reopen_transition? "
        "resolve_transition? wont_fix_resolution? reopen_duration? fields?"},
    {INTEGRATION_ROCKETCHAT, "http_config api_url? token_id? token_id_file? token? token_file? channel? color? title? title_link? text? "
        "fields? short_fields emoji? icon_url? image_url? thumb_url? link_names actions?"},
    {INTEGRATION_MATTERMOST, "http_config webhook_url? webhook_url_file? channel? username? text? fallback? color? pretext? author_name? "
        "author_link? author_icon? title? title_link? fields? thumb_url? footer? footer_icon? image_url? icon_url? icon_emoji? "
        "attachments? type? props? priority?"},
};

/* Of mappings inside integrations. */
static const struct {
    const char *what, *order;
} sub_order[] = {
    {"images", "src? alt? href?"}, {"links", "href? text?"}, {"fields", "title? value? short*"},
    {"actions", "type? text? url? style? name? value? confirm?"}, {"confirm", "text? title? ok_text? dismiss_text?"},
    {"responders", "id? name? username? type?"},
    {"sigv4", "region? access_key? secret_key? profile? role_arn? external_id?+ use_fips_sts_endpoint?+"},
    {"threading", "enabled? thread_by_date?"}, {"template", "template? enable_update*"},
    {"attachments", "fallback? color? pretext? text? author_name? author_link? author_icon? title? title_link? fields? thumb_url? footer? "
        "footer_icon? image_url?"},
    {"props", "card?"}, {"priority", "priority? requested_ack? persistent_notifications?"},
};
/* clang-format on */

static void put_settings(AmShow *s, const Settings *set, const char *order);

static const char *order_of(const char *what) {
    for (size_t i = 0; i < ARRAY_LEN(sub_order); i++) {
        if (strcmp(sub_order[i].what, what) == 0) return sub_order[i].order;
    }
    return "";
}

static bool is_zero(const Setting *v, SettingKind kind) {
    switch (kind) {
    case SET_BOOL:
    case SET_INT:
    case SET_GO_DURATION:
    case SET_PROM_DURATION: return v->i == 0;
    case SET_STRINGS:
    case SET_MAP: return yaml_is_null(v->node) || v->node->n == 0;
    case SET_TREE: return yaml_is_null(v->node);
    case SET_OBJECT:
    case SET_OBJECTS: return v->n_subs == 0;
    case SET_HTTP: return v->http == NULL;
    case SET_TLS: return v->tls == NULL;
    default: return v->text.n == 0;
    }
}

static void put_number(AmShow *s, const Setting *v, SettingKind kind) {
    Buf b = {0};
    if (kind == SET_GO_DURATION)
        duration_put_go(&b, v->i);
    else if (kind == SET_PROM_DURATION)
        duration_put_prom(&b, v->i / NS_PER_MS);
    else
        buf_printf(&b, "%lld", (long long)v->i);
    if (kind == SET_INT)
        yaml_emit_plain(s->e, buf_str(&b));
    else
        yaml_emit_text(s->e, buf_str(&b));
    buf_done(&b);
}

static void put_objects(AmShow *s, const Setting *v, const SettingSpec *spec) {
    bool list = spec->kind == SET_OBJECTS;
    if (list) yaml_emit_begin_sequence(s->e, false);
    for (size_t i = 0; i < v->n_subs; i++) {
        yaml_emit_begin_mapping(s->e);
        put_settings(s, &v->subs[i], order_of(spec->sub->what));
        yaml_emit_end_mapping(s->e);
    }
    if (!list && !v->n_subs) { /* a mapping that is always there */
        yaml_emit_begin_mapping(s->e);
        yaml_emit_end_mapping(s->e);
    }
    if (list) yaml_emit_end_sequence(s->e);
}

/* Content-Type, as net/textproto writes names of headers. */
static Str canonical(AmShow *s, Str name) {
    Str copy = arena_copy(s->arena, name);
    char *p = (char *)(uintptr_t)copy.p;
    bool upper = true;
    for (size_t i = 0; p && i < copy.n; i++) {
        p[i] = (char)(upper ? toupper((unsigned char)p[i]) : tolower((unsigned char)p[i]));
        upper = p[i] == '-';
    }
    return p ? copy : name;
}

/* An email's headers: three are there unless they are said. */
static void put_headers(AmShow *s, const Settings *set, const YamlNode *map) {
    const struct {
        const char *name;
        Str text;
    } defaults[] = {{"From", settings_text(set, "from")},
        {"Subject", STR("{{ template \"email.default.subject\" . }}")}, {"To", settings_text(set, "to")}};
    size_t own = yaml_is_null(map) ? 0 : map->n, n = 0;
    YamlNode *v = arena_alloc_zero(s->arena, (own + ARRAY_LEN(defaults)) * sizeof *v);
    YamlNode *keys = arena_alloc_zero(s->arena, (own + ARRAY_LEN(defaults)) * sizeof *keys);
    if (!v || !keys) return;
    for (const YamlNode *i = own ? map->first : NULL; i; i = i->next, n++) {
        keys[n] = *i->key;
        keys[n].text = canonical(s, i->key->text);
        v[n] = *i;
    }
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
        bool there = false;
        for (size_t k = 0; k < own; k++) there |= str_eq(keys[k].text, str_cstr(defaults[i].name));
        if (there) continue;
        keys[n] = (YamlNode){.kind = YAML_SCALAR, .text = str_cstr(defaults[i].name)};
        v[n++] = (YamlNode){.kind = YAML_SCALAR, .text = defaults[i].text};
    }
    for (size_t i = 0; i < n; i++) {
        v[i].key = &keys[i];
        v[i].next = i + 1 < n ? &v[i + 1] : NULL;
    }
    YamlNode all = {.kind = YAML_MAPPING, .n = n, .first = v};
    amshow_tree(s, &all, true);
}

/* PagerDuty's details: four are there unless they are said. */
static void put_details(AmShow *s, const YamlNode *map) {
    static const struct {
        const char *key, *text;
    } defaults[] = {{"firing", "{{ template \"pagerduty.default.instances\" .Alerts.Firing }}"},
        {"num_firing", "{{ .Alerts.Firing | len }}"}, {"num_resolved", "{{ .Alerts.Resolved | len }}"},
        {"resolved", "{{ template \"pagerduty.default.instances\" .Alerts.Resolved }}"}};
    size_t own = yaml_is_null(map) ? 0 : map->n, n = 0;
    YamlNode *v = arena_alloc_zero(s->arena, (own + ARRAY_LEN(defaults)) * sizeof *v);
    YamlNode *keys = arena_alloc_zero(s->arena, ARRAY_LEN(defaults) * sizeof *keys);
    if (!v || !keys) return;
    for (const YamlNode *i = own ? map->first : NULL; i; i = i->next) v[n++] = *i;
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++) {
        if (own && yaml_get(map, str_cstr(defaults[i].key))) continue;
        keys[i] = (YamlNode){.kind = YAML_SCALAR, .text = str_cstr(defaults[i].key)};
        v[n++] = (YamlNode){.kind = YAML_SCALAR, .quoted = true, .text = str_cstr(defaults[i].text), .key = &keys[i]};
    }
    for (size_t i = 0; i < n; i++) v[i].next = i + 1 < n ? &v[i + 1] : NULL;
    YamlNode all = {.kind = YAML_MAPPING, .n = n, .first = v};
    amshow_tree(s, &all, false);
}

static void put_value(AmShow *s, const Settings *set, const Setting *v, const SettingSpec *spec) {
    bool webhook = strcmp(set->table->what, "webhook_configs") == 0,
         path = str_ends_with(str_cstr(spec->key), STR("api_url"));
    switch (spec->kind) {
    case SET_SECRET: yaml_emit_text(s->e, STR("<secret>")); break;
    case SET_SECRET_URL:
        if (!webhook)
            yaml_emit_text(s->e, STR("<secret>"));
        else
            yaml_emit_text(
                s->e, str_starts_with(v->text, STR("https:")) ? STR("https://<secret>/") : STR("http://<secret>/"));
        break;
    case SET_BOOL: yaml_emit_plain(s->e, v->i ? STR("true") : STR("false")); break;
    case SET_INT:
    case SET_GO_DURATION:
    case SET_PROM_DURATION: put_number(s, v, spec->kind); break;
    case SET_STRINGS: amshow_tree(s, v->node, true); break;
    case SET_MAP:
        if (strcmp(spec->key, "headers") == 0)
            put_headers(s, set, v->node);
        else
            amshow_tree(s, v->node, true);
        break;
    case SET_TREE:
        if (strcmp(spec->key, "details") == 0)
            put_details(s, v->node);
        else
            amshow_tree(s, v->node, false);
        break;
    case SET_OBJECT:
    case SET_OBJECTS: put_objects(s, v, spec); break;
    case SET_URL: /* some paths get a slash at their end when they are used */
        if (path && set->table != &receiver_global_table && !str_ends_with(v->text, STR("/")) &&
            (strcmp(set->table->what, "opsgenie_configs") == 0 || strcmp(set->table->what, "victorops_configs") == 0 ||
                strcmp(set->table->what, "wechat_configs") == 0)) {
            yaml_emit_text(s->e, arena_printf(s->arena, "%" STR_FMT "/", STR_ARG(v->text)));
            break;
        }
        yaml_emit_text(s->e, http_url_redact(s->arena, v->text));
        break;
    default: yaml_emit_text(s->e, v->text);
    }
}

/* One key of the order. */
static void put_setting(AmShow *s, const Settings *set, Str key, bool omit, bool pointer, bool newer) {
    for (size_t i = 0; i < set->table->n; i++) {
        const SettingSpec *spec = &set->table->v[i];
        const Setting *v = &set->v[i];
        if (!str_eq(key, str_cstr(spec->key))) continue;
        bool zero = is_zero(v, spec->kind),
             details = strcmp(spec->key, "details") == 0 && strcmp(set->table->what, "pagerduty_configs") == 0;
        if (newer && (!v->own || (zero && !pointer))) return;
        bool headers = strcmp(spec->key, "headers") == 0;
        if (omit && zero && !details && !headers) return;
        if (pointer && !v->set) return;
        if (spec->kind == SET_TLS) return amshow_tls(s, spec->key, v->tls, true);
        amshow_key(s, spec->key);
        put_value(s, set, v, spec);
        return;
    }
}

static void put_settings(AmShow *s, const Settings *set, const char *order) {
    Str rest = str_cstr(order), word;
    while (rest.n && str_split_next(&rest, ' ', &word)) {
        bool newer = str_ends_with(word, STR("+"));
        if (newer) word.n--;
        bool omit = str_ends_with(word, STR("?")), pointer = str_ends_with(word, STR("*"));
        if (omit || pointer) word.n--;
        if (str_eq_lit(word, "http_config"))
            amshow_http(s, s->http);
        else
            put_setting(s, set, word, omit, pointer, newer);
    }
}

void amshow_global(AmShow *s, const AmConfig *c) {
    Buf b = {0};
    amshow_key(s, "global");
    yaml_emit_begin_mapping(s->e);
    duration_put_prom(&b, c->resolve_timeout_ms);
    amshow_str(s, "resolve_timeout", buf_str(&b));
    buf_done(&b);
    const Settings *g = c->receivers.global;
    s->http = g ? settings_get(g, "http_config")->http : NULL;
    if (g) put_settings(s, g, global_order);
    yaml_emit_end_mapping(s->e);
}

static void put_integration(AmShow *s, const Integration *in, const char *order) {
    const IntegrationConfig *c = in->config;
    yaml_emit_begin_mapping(s->e);
    amshow_bool(s, "send_resolved", in->send_resolved);
    s->http = in->kind == INTEGRATION_EMAIL ? NULL : &c->http;
    put_settings(s, &c->s, order);
    yaml_emit_end_mapping(s->e);
}

static void put_receiver(AmShow *s, const Receiver *r) {
    yaml_emit_begin_mapping(s->e);
    amshow_key(s, "name");
    yaml_emit_text(s->e, r->name);
    if (r->labels.n) {
        amshow_key(s, "labels");
        yaml_emit_begin_mapping(s->e);
        for (size_t i = 0; i < r->labels.n; i++) {
            yaml_emit_text(s->e, r->labels.v[i].name);
            yaml_emit_text(s->e, r->labels.v[i].value);
        }
        yaml_emit_end_mapping(s->e);
    }
    for (size_t k = 0; k < ARRAY_LEN(receiver_order); k++) {
        bool open = false;
        for (size_t i = 0; i < r->n_integrations; i++) {
            const Integration *in = &r->integrations[i];
            if (in->kind != receiver_order[k].kind || !in->config) continue;
            if (!open) {
                amshow_key(s, integration_specs[in->kind].list);
                yaml_emit_begin_sequence(s->e, false);
                open = true;
            }
            put_integration(s, in, receiver_order[k].order);
        }
        if (open) yaml_emit_end_sequence(s->e);
    }
    yaml_emit_end_mapping(s->e);
}

void amshow_receivers(AmShow *s, const AmConfig *c, const YamlNode *list) {
    if (yaml_is_null(list) || list->n == 0) return;
    amshow_key(s, "receivers");
    yaml_emit_begin_sequence(s->e, false);
    for (size_t i = 0; i < c->receivers.n; i++) put_receiver(s, &c->receivers.v[i]);
    yaml_emit_end_sequence(s->e);
}
