/* receiver_test.c - what receivers: and global: may say, what becomes of it, what is refused and where. */
#include "alert/amconfig.h"
#include "alert/notify_fixture_test.h"
#include "alert/receiver_int.h"

static Setting *get(const Integration *it, const char *key) {
    const IntegrationConfig *c = it->config;
    return (Setting *)(uintptr_t)settings_get(&c->s, key);
}

static void refused_with_a_place(void **state) {
    (void)state;
    static const struct {
        const char *global, *lists, *want;
    } table[] = {
        {"", "webhook_configs: [{urll: \"http://x\"}]",
            "alertmanager.yml:4:22: error: field urll not found in webhook_configs"},
        {"", "webhook_configs: [{urll: \"http://x\"}]", "did you mean \"url\"?"},
        {"", "webhok_configs: []", "alertmanager.yml:4:3: error: field webhok_configs not found in receiver"},
        {"", "webhook_configs: [{}]", "one of url or url_file must be configured"},
        {"", "webhook_configs: [{url: \"http://x\", url_file: f}]", "at most one of url & url_file must be configured"},
        {"", "webhook_configs: [{url: \"ftp://x\"}]", "unsupported scheme"},
        {"", "webhook_configs: [null]", "missing webhook config"},
        {"", "webhook_configs: {}", "webhook_configs must be a list"},
        {"", "webhook_configs: [{url: \"http://x\", max_alerts: many}]", "max_alerts: \"many\" is no integer"},
        {"", "webhook_configs: [{url: \"http://x\", send_resolved: perhaps}]",
            "send_resolved: \"perhaps\" is no boolean"},
        {"", "webhook_configs: [{url: \"http://x\", http_config: {basic_aut: {}}}]", "did you mean \"basic_auth\"?"},
        {"", "webhook_configs: [{url: \"http://x/{{ .Nope \"}]", "template: :1: unclosed action"},
        {"", "slack_configs: [{channel: c}]", "no Slack API URL nor App token set either inline or in a file"},
        {"", "slack_configs: [{api_url: \"http://x\", app_token: t}]",
            "at most one of api_url/api_url_file & app_token/app_token_file"},
        {"", "slack_configs: [{api_url: \"http://x\", title: \"{{ nope }}\"}]",
            "alertmanager.yml:4:48: error: template: :1: function \"nope\" not defined"},
        {"", "slack_configs: [{api_url: \"http://x\", fields: [{title: t}]}]",
            "missing value in Slack field configuration"},
        {"", "slack_configs: [{api_url: \"http://x\", update_message: true}]",
            "update_message can only be used with bot tokens"},
        {"", "slack_configs: [{api_url: \"http://x\", actions: [{type: button, text: t}]}]",
            "missing name or url in Slack action"},
        {"", "email_configs: [{to: a@b}]", "no global SMTP smarthost set"},
        {"  smtp_smarthost: host\n", "email_configs: []", "address host: port cannot be empty"},
        {"  smtp_smarthost: h:25\n", "email_configs: [{to: a@b}]", "no global SMTP from set"},
        {"  smtp_smarthost: h:25\n  smtp_from: a@b\n", "email_configs: [{to: a@b, headers: {subject: a, Subject: b}}]",
            "duplicate header"},
        {"", "pagerduty_configs: [{}]", "missing service or routing key in PagerDuty config"},
        {"", "opsgenie_configs: [{}]", "no global OpsGenie API Key set either inline or in a file"},
        {"  opsgenie_api_key: k\n  opsgenie_api_key_file: f\n", "opsgenie_configs: []",
            "at most one of opsgenie_api_key & opsgenie_api_key_file"},
        {"", "opsgenie_configs: [{api_key: k, responders: [{type: team}]}]", "at least one of id, username or name"},
        {"", "victorops_configs: [{api_key: k}]", "missing Routing key in VictorOps config"},
        {"", "victorops_configs: [{api_key: k, routing_key: r, custom_fields: {entity_id: x}}]",
            "custom field entity_id"},
        {"", "telegram_configs: [{bot_token: t}]", "missing chat_id or chat_id_file on telegram_config"},
        {"", "telegram_configs: [{bot_token: t, chat_id: 1, parse_mode: md}]", "unknown parse_mode on telegram_config"},
        {"", "webex_configs: [{room_id: r}]", "missing webex_configs.http_config.authorization"},
        {"", "sns_configs: [{topic_arn: a, sigv4: {access_key: k}}]",
            "must provide a AWS SigV4 Access key and Secret Key"},
        {"", "sns_configs: [{topic_arn: a, phone_number: b}]",
            "must provide either a Target ARN, Topic ARN, or Phone Number"},
        {"", "jira_configs: [{project: P, issue_type: B}]", "no global Jira Cloud URL set"},
        {"", "pushover_configs: [{user_key: u, token: t, html: true, monospace: true}]",
            "at most one of monospace & html"},
        {"", "wechat_configs: [{api_secret: s, corp_id: c, message_type: x}]",
            "does not match valid options ^(text|markdown)$"},
        {"", "incidentio_configs: [{url: \"http://x\"}]", "at least one of alert_source_token"},
        {"", "discord_configs: [{}]", "one of webhook_url or webhook_url_file must be configured"},
        {"  slack_api_urll: x\n", "", "alertmanager.yml:2:3: error: field slack_api_urll not found in global"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        Arena *arena = arena_create(8u << 20);
        ReceiverList list;
        Buf problems = {0};
        ErrCode code = parse_receivers(arena, str_cstr(table[i].global), str_cstr(table[i].lists), &list, &problems);
        if (code == OK || !str_contains(buf_str(&problems), str_cstr(table[i].want)))
            fail_msg("%s%s\nwant %s\ngot %s", table[i].global, table[i].lists, table[i].want, buf_cstr(&problems));
        buf_done(&problems);
        arena_free(arena);
    }
}

static const Receiver *parse(Arena *arena, const char *global, const char *lists) {
    ReceiverList list;
    Buf problems = {0};
    if (parse_receivers(arena, str_cstr(global), str_cstr(lists), &list, &problems))
        fail_msg("%s", buf_cstr(&problems));
    buf_done(&problems);
    return &list.v[0];
}

static void globals_fill_in(void **state) {
    (void)state;
    Arena *arena = arena_create(8u << 20);
    const Receiver *r = parse(arena,
        "  smtp_smarthost: h:587\n  smtp_from: a@b\n  smtp_require_tls: false\n  slack_api_url: http://s/x\n  "
        "opsgenie_api_key: k\n  http_config: {follow_redirects: false}\n",
        "slack_configs: [{channel: c}, {channel: d, api_url_file: /f}]\nemail_configs: [{to: x@y}]\nopsgenie_configs: "
        "[{api_key_file: rel}]\nwebhook_configs: [{url: \"http://w\", http_config: {}}, {url: \"http://w\"}]");
    /* In the original's order. */
    static const IntegrationKind order[] = {INTEGRATION_WEBHOOK, INTEGRATION_WEBHOOK, INTEGRATION_EMAIL,
        INTEGRATION_OPSGENIE, INTEGRATION_SLACK, INTEGRATION_SLACK};
    assert_int_equal(r->n_integrations, ARRAY_LEN(order));
    for (size_t i = 0; i < ARRAY_LEN(order); i++) assert_int_equal(r->integrations[i].kind, order[i]);
    assert_int_equal(r->integrations[1].index, 1);
    assert_true(r->integrations[0].send_resolved);
    assert_false(r->integrations[2].send_resolved);
    assert_false(((const IntegrationConfig *)r->integrations[0].config)->http.no_follow_redirects);
    assert_true(((const IntegrationConfig *)r->integrations[1].config)->http.no_follow_redirects);
    assert_true(str_eq_lit(get(&r->integrations[2], "smarthost")->text, "h:587"));
    assert_true(str_eq_lit(get(&r->integrations[2], "hello")->text, "localhost"));
    assert_int_equal(get(&r->integrations[2], "require_tls")->i, 0);
    assert_int_equal(get(&r->integrations[3], "api_key")->text.n, 0); /* its own file counts */
    assert_true(str_eq_lit(get(&r->integrations[4], "api_url")->text, "http://s/x"));
    assert_int_equal(get(&r->integrations[5], "api_url")->text.n, 0);
    arena_free(arena);
}

static void shows_no_secrets(void **state) {
    (void)state;
    static const char text[] =
        "global: {smtp_auth_password: hunter2}\nroute: {receiver: b, resolve_immediately: true}\n"
        "receivers:\n- name: b\n  slack_configs:\n  - api_url: https://hooks.slack.com/secret\n    channel: '#x'\n"
        "  webhook_configs:\n  - {url: 'https://example.org/tokenx', http_config: {bearer_token: bear}}\n";
    AmConfig *c = NULL;
    DiagList d;
    diag_init(&d, STR("f"), str_cstr(text));
    assert_int_equal(amconfig_parse(STR("f"), str_cstr(text), AM_MATCH_FALLBACK, &c, &d), OK);
    diag_done(&d);
    static const char *const secrets[] = {"hunter2", "hooks.slack", "tokenx", "bear", "resolve_immediately"};
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) assert_false(str_contains(c->shown, str_cstr(secrets[i])));
    static const char *const there[] = {"smtp_auth_password: <secret>\n", "    api_url: <secret>\n    channel: '#x'\n",
        "    url: https://<secret>/\n", "        credentials: <secret>\n",
        "pagerduty_url: https://events.pagerduty.com/v2/enqueue\n"};
    for (size_t i = 0; i < ARRAY_LEN(there); i++) assert_true(str_contains(c->shown, str_cstr(there[i])));
    amconfig_unref(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_with_a_place), cmocka_unit_test(globals_fill_in), cmocka_unit_test(shows_no_secrets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
