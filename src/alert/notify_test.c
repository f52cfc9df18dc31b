/* notify_test.c - bodies against those of the real Alertmanager, verdicts, limits, secrets. */
#include "alert/notify_fixture_test.h"

static Str part(Str *rest, Str mark) {
    size_t n = MIN(str_find(*rest, mark), rest->n);
    Str p = str_slice(*rest, 0, n);
    *rest = str_skip(*rest, MIN(n + mark.n, rest->n));
    return p;
}

static void send_both(Catcher *c, HttpClient *client, Arena *arena, const Integration *it) {
    for (int resolved = 0; resolved <= (it->send_resolved ? 1 : 0); resolved++) {
        Alert alerts[2];
        NotifyRequest req = fx_request(it, resolved, alerts);
        NotifyResult res;
        notify_send(client, &req, arena, &res);
        if (!res.ok) fail_msg("%s: %s", res.reason, res.error);
    }
    (void)c;
}

/* tests/alert/receivers.txt */
static void bodies_are_the_originals(void **state) {
    (void)state;
    Catcher c;
    Buf file = {0};
    catcher_start(&c);
    HttpClient *client = http_client_create("test");
    assert_int_equal(fs_read_file(fs_real(), "tests/alert/receivers.txt", 1u << 20, &file, NULL), OK);
    Str rest = str_skip(buf_str(&file), 3);
    size_t n = 0, wrong = 0;
    for (; rest.n; n++) {
        Arena *arena = arena_create(32u << 20);
        Str name = part(&rest, STR("\n")), yaml = part(&rest, STR("\n--\n")), want = part(&rest, STR("\n== "));
        while (want.n && want.p[want.n - 1] == '\n') want.n--;
        ReceiverList list;
        Buf problems = {0};
        if (parse_receivers(arena, STR(""), with_address(arena, yaml, c.f.base_url), &list, &problems))
            fail_msg("%" STR_FMT ": %s", STR_ARG(name), buf_cstr(&problems));
        buf_done(&problems);
        buf_clear(&c.seen);
        send_both(&c, client, arena, &list.v[0].integrations[0]);
        Str got = buf_str(&c.seen);
        while (got.n && got.p[got.n - 1] == '\n') got.n--;
        if (!str_eq(got, want)) {
            wrong++;
            print_error("%" STR_FMT "\n--- want\n%" STR_FMT "\n--- got\n%" STR_FMT "\n", STR_ARG(name), STR_ARG(want),
                STR_ARG(got));
        }
        arena_free(arena);
    }
    assert_true(n > 15);
    assert_int_equal(wrong, 0);
    http_client_free(client);
    catcher_stop(&c);
    buf_done(&file);
}

/* tests/alert/templates.txt: what Alertmanager 0.34's own template package makes of texts. */
static void templates_are_the_originals(void **state) {
    (void)state;
    Buf file = {0};
    Alert alerts[2];
    NotifyRequest req = fx_request(NULL, false, alerts);
    assert_int_equal(fs_read_file(fs_real(), "tests/alert/templates.txt", 1u << 20, &file, NULL), OK);
    Str rest = buf_str(&file);
    size_t n = 0, wrong = 0;
    for (; rest.n; n++) {
        Arena *arena = arena_create(32u << 20);
        bool html = str_contains(part(&rest, STR("\n")), STR("html"));
        Str text = part(&rest, STR("\n-- ")), kind = part(&rest, STR("\n")), want = part(&rest, STR("\n==")), got;
        if (!rest.n && want.n) want.n--; /* the file ends in a newline */
        Err err = {0};
        ErrCode code = notify_expand(&req, text, html, arena, &got, &err);
        if (code) got = str_cstr(err.msg);
        if (str_eq_lit(kind, "ok") != (code == OK) || !str_eq(got, want)) {
            wrong++;
            print_error("%" STR_FMT "\n--- want\n%" STR_FMT "\n--- got\n%" STR_FMT "\n", STR_ARG(text), STR_ARG(want),
                STR_ARG(got));
        }
        arena_free(arena);
    }
    assert_true(n > 35);
    assert_int_equal(wrong, 0);
    buf_done(&file);
}

/* One integration of one receiver, sent once. */
static void send_one(
    Catcher *c, HttpClient *client, Arena *arena, const char *yaml, NotifyRequest *with, NotifyResult *ret) {
    ReceiverList list;
    Buf problems = {0};
    Alert alerts[2];
    if (parse_receivers(arena, STR(""), with_address(arena, str_cstr(yaml), c->f.base_url), &list, &problems))
        fail_msg("%s: %s", yaml, buf_cstr(&problems));
    buf_done(&problems);
    NotifyRequest req = fx_request(&list.v[0].integrations[0], false, alerts);
    if (with) {
        req.dry_run = with->dry_run;
        req.state = with->state;
    }
    buf_clear(&c->seen);
    notify_send(client, &req, arena, ret);
}

static void verdicts(void **state) {
    (void)state;
    static const char hook[] = "webhook_configs: [{url: \"CATCHER/secret-path\"}]",
                      pd[] = "pagerduty_configs: [{routing_key: k3y0, url: \"CATCHER/\"}]",
                      slack[] = "slack_configs: [{api_url: \"CATCHER/slack\", channel: c}]",
                      telegram[] = "telegram_configs: [{bot_token: \"t0ken\", chat_id: 1, api_url: \"CATCHER\"}]",
                      rocket[] =
                          "rocketchat_configs: [{token: t0ken, token_id: id00, channel: c, api_url: \"CATCHER\"}]";
    static const struct {
        const char *yaml;
        int status;
        const char *body, *type, *reason;
        bool retry;
        const char *error;
    } table[] = {
        {hook, 500, "secret-path is down", NULL, "serverError", true,
            "unexpected status code 500: secret-path is down"},
        {hook, 503, "", NULL, "serverError", true, "unexpected status code 503"},
        {hook, 400, "no", NULL, "clientError", false, "unexpected status code 400: no"},
        {hook, 401, "", NULL, "authError", false, "unexpected status code 401"},
        {hook, 429, "", NULL, "rateLimited", false, "unexpected status code 429"},
        {hook, 302, "", NULL, "other", false, "unexpected status code 302"},
        {pd, 429, "", NULL, "rateLimited", true, "unexpected status code 429"},
        {pd, 400, "{\"message\":\"Event object is invalid\",\"errors\":[\"a\",\"b\"]}", NULL, "clientError", false,
            "unexpected status code 400: Event object is invalid: a,b"},
        {pd, 403, "x", NULL, "authError", false, "unexpected status code 403"},
        {slack, 200, "invalid_payload", "text/plain", "clientError", false,
            "channel \"c\": received an error response from Slack: invalid_payload"},
        {slack, 200, "{\"ok\":false,\"error\":\"channel_not_found\"}", NULL, "clientError", false,
            "channel \"c\": error response from Slack: channel_not_found"},
        {slack, 200, "{", NULL, "clientError", true, "channel \"c\": could not unmarshal JSON response from Slack"},
        {slack, 429, "", NULL, "rateLimited", false, "channel \"c\": unexpected status code 429"},
        {telegram, 400, "{\"ok\":false,\"description\":\"chat not found t0ken\"}", NULL, "clientError", true,
            "unexpected status code 400: telegram: chat not found <secret>"},
        {rocket, 200, "{\"success\":false,\"error\":\"no\"}", NULL, "clientError", false,
            "channel \"c\": error response from Rocketchat: no"},
    };
    Catcher c;
    catcher_start(&c);
    HttpClient *client = http_client_create("test");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        Arena *arena = arena_create(32u << 20);
        NotifyResult res;
        c.status = table[i].status;
        c.body = table[i].body;
        c.type = table[i].type;
        send_one(&c, client, arena, table[i].yaml, NULL, &res);
        if (res.ok || strcmp(res.reason, table[i].reason) != 0 || res.retry != table[i].retry ||
            strcmp(res.error, table[i].error) != 0)
            fail_msg("case %zu: %s %d: %s", i, res.ok ? "ok" : res.reason, res.retry, res.error);
        arena_free(arena);
    }
    Arena *arena = arena_create(32u << 20);
    NotifyResult res;
    send_one(&c, client, arena, "webhook_configs: [{url: \"http://127.0.0.1:1/s3cret\"}]", NULL, &res);
    assert_false(res.ok);
    assert_true(res.retry);
    assert_string_equal(res.reason, "other");
    assert_null(strstr(res.error, "s3cret"));
    arena_free(arena);
    http_client_free(client);
    catcher_stop(&c);
}

/* A 2xx counts although its body is too long to be read, unless the body says whether it went well. */
static void long_answers(void **state) {
    (void)state;
    static const struct {
        const char *yaml;
        int status;
        bool ok, retry;
    } table[] = {
        {"webhook_configs: [{url: \"CATCHER/\"}]", 200, true, false},
        {"webhook_configs: [{url: \"CATCHER/\"}]", 400, false, false},
        {"webhook_configs: [{url: \"CATCHER/\"}]", 503, false, true},
        {"pagerduty_configs: [{routing_key: k3y0, url: \"CATCHER/\"}]", 202, true, false},
        {"slack_configs: [{api_url: \"CATCHER/slack\", channel: c}]", 200, false, true},
    };
    char *body = mem_alloc((2u << 20) + 1);
    memset(body, 'x', 2u << 20);
    body[2u << 20] = 0;
    Catcher c;
    catcher_start(&c);
    c.body = body;
    HttpClient *client = http_client_create("test");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        Arena *arena = arena_create(32u << 20);
        NotifyResult res;
        c.status = table[i].status;
        send_one(&c, client, arena, table[i].yaml, NULL, &res);
        if (res.ok != table[i].ok || (!res.ok && res.retry != table[i].retry))
            fail_msg("case %zu: %d %d %s", i, res.ok, res.retry, res.error);
        arena_free(arena);
    }
    http_client_free(client);
    catcher_stop(&c);
    mem_free(body);
}

/* A group's message in Slack is edited and answered. */
static void slack_keeps_its_message(void **state) {
    (void)state;
    Catcher c;
    catcher_start(&c);
    HttpClient *client = http_client_create("test");
    Arena *arena = arena_create(32u << 20);
    NotifyResult res;
    c.body = "{\"ok\":true,\"ts\":\"17.5\",\"channel\":\"C1\"}";
    send_one(&c, client, arena,
        "slack_configs: [{app_token: xoxb, app_url: \"CATCHER/api/chat.postMessage\", channel: \"#a\", "
        "post_updates_to_thread: true}]",
        NULL, &res);
    assert_true(res.ok);
    expect_contains(
        &c.seen, "POST /api/chat.postMessage\nContent-Type: application/json\nAuthorization: Bearer xoxb\n");
    assert_true(str_eq_lit(labels_get(res.state, STR("threadTs")), "17.5"));
    assert_true(str_eq_lit(labels_get(res.state, STR("channelId")), "C1"));
    NotifyRequest again = {.state = res.state};
    send_one(&c, client, arena,
        "slack_configs: [{app_token: xoxb, app_url: \"CATCHER/api/chat.postMessage\", channel: \"#a\", "
        "post_updates_to_thread: true}]",
        &again, &res);
    assert_true(res.ok);
    expect_contains(&c.seen, "\"channel\":\"C1\"");
    expect_contains(&c.seen, "\"thread_ts\":\"17.5\"}");
    assert_true(str_eq_lit(labels_get(res.state, STR("threadTs")), "17.5"));
    arena_free(arena);
    http_client_free(client);
    catcher_stop(&c);
}

/* Nothing is sent, and no secret is shown. */
static void previews(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *want, *secret;
    } table[] = {
        {"webhook_configs: [{url: \"CATCHER/s3cret\"}]",
            "POST <secret>\nContent-Type: application/json\n\n{\"receiver\":\"team-x\"", "s3cret"},
        {"pagerduty_configs: [{routing_key: s3cret}]", "POST https://events.pagerduty.com/v2/enqueue\n", "s3cret"},
        {"slack_configs: [{api_url: \"CATCHER/s3cret\", channel: c}]", "\"channel\":\"c\"", "s3cret"},
        {"opsgenie_configs: [{api_key: s3cret}]", "POST https://api.opsgenie.com/v2/alerts\n", "s3cret"},
        {"victorops_configs: [{api_key: s3cret, routing_key: r}]", "\"message_type\":\"CRITICAL\"", "s3cret"},
        {"telegram_configs: [{bot_token: s3cret, chat_id: 1}]", "\"parse_mode\":\"HTML\"", "s3cret"},
        {"pushover_configs: [{user_key: s3cret, token: s3cret}]", "user=%3Csecret%3E", "s3cret"},
        {"wechat_configs: [{api_secret: s3cret, corp_id: c}]", "\"msgtype\":\"text\"", "s3cret"},
        {"mattermost_configs: [{webhook_url: \"CATCHER/s3cret\"}]", "\"attachments\":[{\"fallback\":\"[FIRING:2]",
            "s3cret"},
        {"msteams_configs: [{webhook_url: \"CATCHER/s3cret\"}]", "\"themeColor\":\"8C1A1A\"", "s3cret"},
        {"msteamsv2_configs: [{webhook_url: \"CATCHER/s3cret\"}]", "\"type\":\"AdaptiveCard\",\"version\":\"1.2\"",
            "s3cret"},
        {"incidentio_configs: [{url: \"CATCHER/x\", alert_source_token: s3cret}]", "\"version\":\"1\"", "s3cret"},
        {"rocketchat_configs: [{token: s3cret, token_id: s3cret, channel: c}]",
            "POST https://open.rocket.chat/api/v1/chat.postMessage", "s3cret"},
        {"ntfy_configs: [{topic: t, token: s3cret}]",
            "POST https://ntfy.sh\nContent-Type: application/json\n\n{\"topic\":\"t\",\"title\":\"[FIRING:2]",
            "s3cret"},
        {"jira_configs: [{api_url: \"https://j.example/rest/api/2\", project: P, issue_type: Bug}]",
            "\"summary\":\"[FIRING:2] HighLatency (api critical)\"", "s3cret"},
        {"sns_configs: [{topic_arn: arn, sigv4: {region: eu-west-1, access_key: k, secret_key: s3cret}}]",
            "POST https://sns.eu-west-1.amazonaws.com/", "s3cret"},
        {"email_configs: [{to: \"Ops <a@b.c>, d@e.f\", from: m@x.y, smarthost: \"h:25\", auth_username: u, "
         "auth_password: s3cret}]",
            "Subject: [FIRING:2] HighLatency (api critical)\r\nTo: Ops <a@b.c>, d@e.f\r\nFrom: m@x.y\r\n", "s3cret"},
        {"webhook_configs: [{url: \"CATCHER/\", payload: {a: \"{{ .Status }}\", n: 5, l: [\"{{ len .Alerts }}\", x], "
         "j: \"{{ .CommonLabels | toJson }}\"}}]",
            "{\"a\":\"firing\",\"j\":{\"alertname\":\"HighLatency\",\"job\":\"api\",\"severity\":\"critical\"},\"l\":["
            "2,\"x\"],\"n\":5}",
            "s3cret"},
    };
    Catcher c;
    catcher_start(&c);
    HttpClient *client = http_client_create("test");
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        Arena *arena = arena_create(32u << 20);
        NotifyResult res;
        NotifyRequest dry = {.dry_run = true};
        send_one(&c, client, arena, table[i].yaml, &dry, &res);
        if (!res.ok) fail_msg("%s: %s", table[i].yaml, res.error);
        if (!str_contains(res.preview, str_cstr(table[i].want)) || str_contains(res.preview, str_cstr(table[i].secret)))
            fail_msg("%s:\n%" STR_FMT, table[i].yaml, STR_ARG(res.preview));
        assert_int_equal(c.seen.n, 0);
        arena_free(arena);
    }
    http_client_free(client);
    catcher_stop(&c);
}

/* A template that fails at run time is no reason to be silent. */
static void broken_templates_are_sent(void **state) {
    (void)state;
    Catcher c;
    catcher_start(&c);
    HttpClient *client = http_client_create("test");
    Arena *arena = arena_create(32u << 20);
    NotifyResult res;
    send_one(&c, client, arena,
        "discord_configs: [{webhook_url: \"CATCHER/\", title: \"{{ .Nope }}\", message: \"fine\"}]", NULL, &res);
    assert_true(res.ok);
    expect_contains(&c.seen, "\\u003cerror expanding template: template: :1:3: executing \\\"\\\" at "
                             "\\u003c.Nope\\u003e: can't evaluate field Nope in type *template.Data\\u003e");
    expect_contains(&c.seen, "\"description\":\"fine\"");
    arena_free(arena);
    http_client_free(client);
    catcher_stop(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bodies_are_the_originals),
        cmocka_unit_test(templates_are_the_originals), cmocka_unit_test(verdicts), cmocka_unit_test(long_answers),
        cmocka_unit_test(slack_keeps_its_message), cmocka_unit_test(previews),
        cmocka_unit_test(broken_templates_are_sent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
