/* notify_fixture_test.h - a server that keeps what it is sent, receivers from text, one group of alerts. */
#ifndef MEERKAT_ALERT_NOTIFY_FIXTURE_TEST_H
#define MEERKAT_ALERT_NOTIFY_FIXTURE_TEST_H

#include "alert/notify.h"
#include "net/server_fixture.h"
#include "sys/fs.h"

typedef struct Catcher {
    Fixture f;
    Mutex lock;
    Buf seen;   /* requests one after the other: GETs and signatures left out */
    int status; /* to answer with; 0: 200 */
    const char *body, *type;
} Catcher;

static inline void put_seen_header(Catcher *c, HttpRequest *req, const char *name) {
    Str v = http_header(req, str_cstr(name));
    if (v.n && !str_starts_with(v, STR("AWS4"))) buf_printf(&c->seen, "%s: %" STR_FMT "\n", name, STR_ARG(v));
}

/* What each product says when all is well. */
static inline void answer(Catcher *c, HttpRequest *req, HttpResponse *res) {
    Str path = req->path, json = STR("application/json");
    if (c->status || c->body)
        http_reply(res, c->status ? c->status : 200, c->type ? str_cstr(c->type) : json, str_cstr(c->body));
    else if (str_starts_with(path, STR("/slack")))
        http_reply(res, 200, STR("text/plain"), STR("ok"));
    else if (str_contains(path, STR("sendMessage")))
        http_reply(res, 200, json, STR("{\"ok\":true,\"result\":{}}"));
    else if (str_contains(path, STR("gettoken")))
        http_reply(res, 200, json, STR("{\"errcode\":0,\"access_token\":\"tok\"}"));
    else if (str_contains(path, STR("message/send")))
        http_reply(res, 200, json, STR("{\"errcode\":0,\"errmsg\":\"ok\"}"));
    else
        http_reply(res, 200, json, STR("{\"success\":true}"));
}

static inline void catch_request(void *ctx, HttpRequest *req, HttpResponse *res) {
    Catcher *c = ctx;
    mutex_lock(&c->lock);
    if (req->method != HTTP_GET) {
        buf_printf(&c->seen, "%s %" STR_FMT "%s%" STR_FMT "\n", http_method_name(req->method), STR_ARG(req->raw_path),
            req->query.n ? "?" : "", STR_ARG(req->query));
        put_seen_header(c, req, "Content-Type");
        put_seen_header(c, req, "Authorization");
        buf_put_char(&c->seen, '\n');
        buf_put_str(&c->seen, req->body);
        if (!req->body.n || req->body.p[req->body.n - 1] != '\n') buf_put_char(&c->seen, '\n');
    }
    answer(c, req, res);
    mutex_unlock(&c->lock);
}

static inline void catcher_start(Catcher *c) {
    *c = (Catcher){.f.router = router_create()};
    mutex_init(&c->lock);
    router_add(c->f.router,
        &(Route){
            .methods = HTTP_GET | HTTP_POST | HTTP_PUT, .pattern = "/{rest...}", .handler = catch_request, .ctx = c});
    fixture_start(&c->f, NULL, NULL);
}

static inline void catcher_stop(Catcher *c) {
    fixture_stop(&c->f);
    buf_done(&c->seen);
    mutex_done(&c->lock);
}

/* --- receivers --- */

/* What a person wrote, with CATCHER replaced. */
static inline Str with_address(Arena *arena, Str text, const char *address) {
    Buf b = {0};
    size_t at;
    while ((at = str_find(text, STR("CATCHER"))) != SIZE_MAX) {
        buf_put_str(&b, str_slice(text, 0, at));
        buf_put(&b, address, strlen(address));
        text = str_skip(text, at + 7);
    }
    buf_put_str(&b, text);
    Str copy = arena_copy(arena, buf_str(&b));
    buf_done(&b);
    return copy;
}

static inline ErrCode parse_receivers(Arena *arena, Str global, Str lists, ReceiverList *ret, Buf *problems) {
    Buf text = {0};
    buf_printf(&text, "global:\n%" STR_FMT "receivers:\n- name: team-x\n", STR_ARG(global));
    Str line;
    while (lists.n && str_split_next(&lists, '\n', &line)) buf_printf(&text, "  %" STR_FMT "\n", STR_ARG(line));
    Str source = arena_copy(arena, buf_str(&text));
    buf_done(&text);
    DiagList diags;
    YamlNode *root = NULL;
    diag_init(&diags, STR("alertmanager.yml"), source);
    ErrCode code = yaml_parse(source, arena, &root, &diags);
    if (!code)
        code = receivers_parse(
            yaml_get(root, STR("global")), yaml_get(root, STR("receivers")), STR(""), arena, ret, &diags);
    diag_render(&diags, problems, false);
    diag_done(&diags);
    return code;
}

/* --- alerts --- */

static const Label fx_labels[2][4] = {
    {{STR_INIT("alertname"), STR_INIT("HighLatency")}, {STR_INIT("instance"), STR_INIT("a:9")},
        {STR_INIT("job"), STR_INIT("api")}, {STR_INIT("severity"), STR_INIT("critical")}},
    {{STR_INIT("alertname"), STR_INIT("HighLatency")}, {STR_INIT("instance"), STR_INIT("b:9")},
        {STR_INIT("job"), STR_INIT("api")}, {STR_INIT("severity"), STR_INIT("critical")}}};
static const Label fx_notes[2][2] = {
    {{STR_INIT("desc"), STR_INIT("on a:9")}, {STR_INIT("summary"), STR_INIT("p95 <high> & \"é\"")}},
    {{STR_INIT("desc"), STR_INIT("on b:9")}, {STR_INIT("summary"), STR_INIT("p95 <high> & \"é\"")}}};

static inline NotifyRequest fx_request(const Integration *integration, bool resolved, Alert alerts[2]) {
    static const Label group[] = {{STR_INIT("alertname"), STR_INIT("HighLatency")}};
    for (size_t i = 0; i < 2; i++)
        alerts[i] = (Alert){.labels = {fx_labels[i], 4},
            .annotations = {fx_notes[i], 2},
            .starts_ns = INT64_C(1795866209366566850),
            .ends_ns = resolved ? INT64_C(1795906800000000000) : 0,
            .generator_url = STR("http://p/graph?g0.expr=up&g0.tab=1")};
    return (NotifyRequest){.integration = integration,
        .receiver = STR("team-x"),
        .group_key = STR("{}:{alertname=\"HighLatency\"}"),
        .group_labels = {group, 1},
        .reason = resolved ? STR("all alerts resolved") : STR("first notification"),
        .alerts = alerts,
        .n_alerts = 2,
        .now_ns = INT64_C(1795910000000000000),
        .timeout_ms = 10000,
        .external_url = STR("http://am.example:9093")};
}

#endif
