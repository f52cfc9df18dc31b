/* rule_manager_test.c - rules over a store, on a clock that only the test moves. */
#include "alert/rule_int.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/fs_glob.h"
#include "sys/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define T0 (INT64_C(1700000000) * NS_PER_S)

typedef struct World {
    Fs *fs;
    MetricsStore *store;
    RuleManager *m;
    char dir[64];
    Buf sent; /* one line per alert: time state labels annotations */
    int64_t now_ns;
} World;

static void on_send(void *ctx, const Alert *alerts, size_t n) {
    World *w = ctx;
    for (size_t i = 0; i < n; i++) {
        bool resolved = alert_is_resolved(&alerts[i], w->now_ns);
        buf_printf(&w->sent, "%lld %s ", (long long)((w->now_ns - T0) / NS_PER_S), resolved ? "resolved" : "firing");
        labels_put_text(&w->sent, alerts[i].labels);
        if (alerts[i].annotations.n) labels_put_text(&w->sent, alerts[i].annotations);
        buf_printf(&w->sent, " %lld+%lld %.*s\n", (long long)((alerts[i].starts_ns - T0) / NS_PER_S),
            (long long)((alerts[i].ends_ns - alerts[i].starts_ns) / NS_PER_S), (int)alerts[i].generator_url.n,
            alerts[i].generator_url.p);
        if (str_eq(labels_get(alerts[i].labels, STR("alertname")), RULE_WATCHDOG))
            buf_printf(&w->sent, "by name: %s\n", alerts[i].by_name ? "yes" : "no");
    }
}

static void open_manager(World *w) {
    Err err = {0};
    RuleManagerOptions opts = {.dir = w->dir,
        .metrics = w->store,
        .manual = true,
        .external_url = STR("http://p:9090"),
        .send = on_send,
        .ctx = w};
    if (rule_manager_create(&opts, &w->m, &err) != OK) fail_msg("%s", err.msg);
}

static World *world_open(void) {
    World *w = NEW(World);
    Err err = {0};
    clock_fake_set(T0);
    w->now_ns = T0;
    w->fs = fs_fault_create(1);
    assert_int_equal(metrics_store_open(w->fs, "/m", &(MetricsStoreOptions){0}, &w->store, &err), OK);
    snprintf(w->dir, sizeof w->dir, "/tmp/rules-test-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    open_manager(w);
    return w;
}

static void world_close(World *w) {
    w->m = rule_manager_free(w->m);
    w->store->ops->close(w->store);
    fs_fault_free(w->fs);
    (void)fs_remove_tree(fs_real(), w->dir, NULL);
    buf_done(&w->sent);
    clock_fake_off();
    mem_free(w);
}

static void load(World *w, const char *rules) {
    Buf out = {0};
    RuleText text = {STR("r.yml"), str_cstr(rules)};
    Label ext[] = {{STR("cluster"), STR("c1")}};
    RuleManagerConfig config = {
        .texts = &text, .n_texts = 1, .evaluation_interval_ms = 15000, .external_labels = {ext, 1}};
    if (rule_manager_load(w->m, &config, &out) != OK) fail_msg("%s", buf_cstr(&out));
    buf_done(&out);
    /* aligned for the eye: evaluations at whole multiples of the interval behind T0 */
    for (size_t i = 0; i < w->m->groups.n; i++) {
        RuleGroup *g = w->m->groups.v[i];
        g->phase_ns = T0 % g->interval_ns;
        g->next_ns = rule_group_next(g, clock_now_ns() - (w->now_ns == T0));
    }
}

static void put(World *w, const char *series, double v) {
    MetricsBatch b = {.arena = arena_create(1 << 20)};
    MetricsAppendResult result = {0};
    Labels l;
    assert_int_equal(labels_parse(str_cstr(series), b.arena, &l, NULL), OK);
    assert_true(metrics_batch_add(&b, l, w->now_ns / NS_PER_MS, v));
    assert_int_equal(w->store->ops->append(w->store, &b, &result, NULL), OK);
    arena_free(b.arena);
}

/* Runs evaluations one by one until `s` seconds behind T0. */
static void run_until(World *w, int s) {
    for (;;) {
        int64_t next = INT64_MAX;
        for (size_t i = 0; i < w->m->groups.n; i++) next = MIN(next, w->m->groups.v[i]->next_ns);
        if (next > T0 + s * NS_PER_S) break;
        w->now_ns = next;
        clock_fake_set(next);
        rule_manager_run_due(w->m, next, NULL);
    }
    w->now_ns = T0 + s * NS_PER_S;
    clock_fake_set(w->now_ns);
}

static void put_points(const PromqlResult *r, Buf *out) {
    for (size_t i = 0; i < r->n; i++) {
        if (i) buf_put_char(out, '\n');
        labels_put_text(out, r->series[i].labels);
        buf_printf(out, " %g", r->series[i].value[0]);
    }
}

/* The answer to an instant query at the moment. */
static const char *ask(World *w, const char *expr) {
    static Buf out;
    Arena *arena = arena_create(1 << 24);
    PromqlQuery q = {.start_ms = w->now_ns / NS_PER_MS, .end_ms = w->now_ns / NS_PER_MS};
    PromqlResult r;
    buf_clear(&out);
    if (promql_exec(w->store, NULL, &q, str_cstr(expr), arena, &r, NULL) != OK)
        buf_put_lit(&out, "error");
    else
        put_points(&r, &out);
    arena_free(arena);
    return buf_cstr(&out);
}

static const char *alerts(World *w) {
    static Buf out;
    buf_clear(&out);
    JsonWriter j = json_writer(&out);
    rule_manager_put_alerts(w->m, &j);
    return buf_cstr(&out);
}

static const char *sent(World *w) {
    static Buf out;
    buf_clear(&out);
    buf_put_str(&out, buf_str(&w->sent));
    buf_clear(&w->sent);
    return buf_cstr(&out);
}

static const char down_rules[] = "groups:\n- name: g\n  rules:\n  - alert: Down\n    expr: up == 0\n    for: 30s\n"
                                 "    labels: {severity: critical}\n    annotations: {s: 'down'}\n";

static void test_life(void **state) {
    (void)state;
    World *w = world_open();
    load(w, down_rules);
    put(w, "{__name__=\"up\", job=\"a\"}", 0);
    run_until(w, 0);
    assert_string_equal(ask(w, "ALERTS"), "ALERTS{alertname=\"Down\", alertstate=\"pending\", job=\"a\", "
                                          "severity=\"critical\"} 1");
    assert_string_equal(sent(w), "");
    run_until(w, 15);
    assert_true(str_contains(
        str_cstr(alerts(w)), STR("\"state\":\"pending\",\"activeAt\":\"2023-11-14T22:13:20Z\",\"value\":\"0e+00\"")));
    run_until(w, 30);
    assert_string_equal(ask(w, "ALERTS"), "ALERTS{alertname=\"Down\", alertstate=\"firing\", job=\"a\", "
                                          "severity=\"critical\"} 1");
    assert_string_equal(
        ask(w, "ALERTS_FOR_STATE"), "ALERTS_FOR_STATE{alertname=\"Down\", job=\"a\", severity=\"critical\"} 1.7e+09");
    assert_string_equal(sent(w),
        "30 firing {alertname=\"Down\", cluster=\"c1\", job=\"a\", severity=\"critical\"}{s=\"down\"} 30+240 "
        "http://p:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1\n");
    /* again after more than a minute */
    run_until(w, 90);
    assert_string_equal(sent(w), "");
    run_until(w, 105);
    assert_true(str_starts_with(str_cstr(sent(w)), STR("105 firing")));
    put(w, "{__name__=\"up\", job=\"a\"}", 1);
    run_until(w, 120);
    assert_true(str_starts_with(str_cstr(sent(w)), STR("120 resolved")));
    assert_string_equal(ask(w, "ALERTS"), "");
    assert_string_equal(ask(w, "ALERTS_FOR_STATE"), "");
    assert_string_equal(alerts(w), "{\"alerts\":[]}");
    world_close(w);
}

static void reopen(World *w, int down_s) {
    w->m = rule_manager_free(w->m);
    w->now_ns += down_s * NS_PER_S;
    clock_fake_set(w->now_ns);
    open_manager(w);
}

static void test_restart(void **state) {
    (void)state;
    World *w = world_open();
    load(w, down_rules);
    put(w, "{__name__=\"up\", job=\"a\"}", 0);
    run_until(w, 15);
    reopen(w, 5); /* pending: the time spent counts on */
    load(w, down_rules);
    assert_true(str_contains(str_cstr(alerts(w)), STR("\"state\":\"pending\"")));
    run_until(w, 30);
    assert_true(str_contains(str_cstr(alerts(w)), STR("\"state\":\"firing\"")));
    (void)sent(w);
    reopen(w, 5);
    load(w, down_rules);
    assert_true(str_contains(str_cstr(alerts(w)), STR("\"state\":\"firing\"")));
    run_until(w, 45);
    assert_true(str_contains(str_cstr(alerts(w)), STR("\"state\":\"firing\"")));
    assert_true(str_contains(str_cstr(sent(w)), STR(" 30+255 "))); /* the same start */
    put(w, "{__name__=\"up\", job=\"a\"}", 1);
    reopen(w, 1);
    load(w, down_rules);
    run_until(w, 60);
    assert_true(str_starts_with(str_cstr(sent(w)), STR("60 resolved")));
    assert_string_equal(ask(w, "ALERTS"), "");
    world_close(w);
}

/* A long outage: the data is gone for a while, which does not resolve what fired; pending starts over. */
static void test_outage(void **state) {
    (void)state;
    World *w = world_open();
    load(w, down_rules);
    put(w, "{__name__=\"up\", job=\"a\"}", 0);
    run_until(w, 45);
    (void)sent(w);
    reopen(w, 1200);
    load(w, down_rules);
    run_until(w, 1290);
    assert_true(str_contains(str_cstr(alerts(w)), STR("\"state\":\"firing\"")));
    run_until(w, 1400);
    assert_string_equal(alerts(w), "{\"alerts\":[]}");
    assert_true(str_contains(str_cstr(sent(w)), STR("resolved")));
    world_close(w);
}

static void test_keep_firing(void **state) {
    (void)state;
    World *w = world_open();
    load(w, "groups:\n- name: g\n  rules:\n  - alert: K\n    expr: x > 1\n    keep_firing_for: 30s\n");
    put(w, "{__name__=\"x\"}", 2);
    run_until(w, 0);
    assert_true(str_starts_with(str_cstr(sent(w)), STR("0 firing")));
    put(w, "{__name__=\"x\"}", 1); /* same time: refused; one second later */
    run_until(w, 1);
    put(w, "{__name__=\"x\"}", 1);
    run_until(w, 30);
    assert_true(str_contains(str_cstr(alerts(w)), STR("\"keepFiringSince\":\"2023-11-14T22:13:35Z\"")));
    run_until(w, 45);
    assert_true(str_starts_with(str_cstr(sent(w)), STR("45 resolved")));
    world_close(w);
}

static void test_recording(void **state) {
    (void)state;
    World *w = world_open();
    load(w, "groups:\n- name: g\n  labels: {team: t}\n  rules:\n  - record: a:sum\n    expr: sum by (j) (x)\n"
            "  - record: a:twice\n    expr: a:sum * 2\n  - alert: Big\n    expr: a:twice > 5\n");
    put(w, "{__name__=\"x\", j=\"1\"}", 1);
    put(w, "{__name__=\"x\", j=\"2\"}", 3);
    run_until(w, 0);
    /* rules of a group see what those before them wrote at the same time */
    assert_string_equal(ask(w, "sort(a:twice)"), "a:twice{j=\"1\", team=\"t\"} 2\na:twice{j=\"2\", team=\"t\"} 6");
    assert_string_equal(ask(w, "ALERTS"), "ALERTS{alertname=\"Big\", alertstate=\"firing\", j=\"2\", team=\"t\"} 1");
    run_until(w, 1);
    put(w, "{__name__=\"x\", j=\"2\"}", stale_nan());
    run_until(w, 15);
    assert_string_equal(ask(w, "sort(a:twice)"), "a:twice{j=\"1\", team=\"t\"} 2");
    assert_string_equal(ask(w, "ALERTS"), "");
    world_close(w);
}

/* A renamed group: what the rule gives under its new name goes on without a marker between, what it does not give ends.
 */
static void test_renamed_group(void **state) {
    (void)state;
    World *w = world_open();
    load(w, "groups:\n- name: g\n  rules:\n  - record: a\n    expr: x\n  - record: b\n    expr: x\n");
    put(w, "{__name__=\"x\", j=\"1\"}", 1);
    put(w, "{__name__=\"x\", j=\"2\"}", 2);
    run_until(w, 16);
    load(w, "groups:\n- name: other\n  rules:\n  - record: a\n    expr: x\n");
    assert_string_equal(ask(w, "sort(a)"), "a{j=\"1\"} 1\na{j=\"2\"} 2");
    assert_string_equal(ask(w, "b"), "");
    put(w, "{__name__=\"x\", j=\"2\"}", stale_nan());
    run_until(w, 35);
    assert_string_equal(ask(w, "sort(a)"), "a{j=\"1\"} 1");
    world_close(w);
}

/* Labels that expand to nothing are not there, in ALERTS neither. */
static void test_empty_labels(void **state) {
    (void)state;
    World *w = world_open();
    load(w, "groups:\n- name: g\n  rules:\n  - record: a\n    expr: x\n    labels: {j: \"\", k: v}\n  - alert: A\n    "
            "expr: x\n"
            "    labels: {none: \"{{ $labels.nope }}\", empty: \"\", j: \"{{ $labels.nope }}\", ok: v}\n");
    put(w, "{__name__=\"x\", j=\"1\"}", 1);
    run_until(w, 0);
    assert_string_equal(ask(w, "a"), "a{k=\"v\"} 1");
    assert_string_equal(ask(w, "ALERTS"), "ALERTS{alertname=\"A\", alertstate=\"firing\", ok=\"v\"} 1");
    assert_string_equal(ask(w, "ALERTS_FOR_STATE / ALERTS_FOR_STATE"), "{alertname=\"A\", ok=\"v\"} 1");
    Str told = str_cstr(sent(w));
    assert_true(str_starts_with(told, STR("0 firing {alertname=\"A\",")) && str_contains(told, STR("ok=\"v\"")));
    assert_false(
        str_contains(told, STR("none=")) || str_contains(told, STR("empty=")) || str_contains(told, STR("j=")));
    world_close(w);
}

static const char *last_error(World *w) {
    const Rule *r = &w->m->groups.v[0]->rules[0];
    return r->last_error ? r->last_error : "";
}

static void test_errors(void **state) {
    (void)state;
    World *w = world_open();
    put(w, "{__name__=\"x\", j=\"1\"}", 1);
    put(w, "{__name__=\"y\", j=\"1\"}", 1);
    load(w, "groups:\n- name: g\n  rules:\n  - record: r\n    expr: '{__name__=~\"x|y\"}'\n");
    run_until(w, 0);
    assert_string_equal(last_error(w), "vector contains metrics with the same labelset after applying rule labels");
    load(w, "groups:\n- name: g\n  rules:\n  - alert: r\n    expr: '{__name__=~\"x|y\"} > 0'\n");
    run_until(w, 15);
    assert_string_equal(last_error(w), "vector contains metrics with the same labelset after applying alert labels");
    load(w,
        "groups:\n- name: g\n  limit: 1\n  rules:\n  - record: r\n    expr: 'label_replace({__name__=~\"x|y\"}, \"n\", "
        "\"$1\", \"__name__\", \"(.*)\")'\n");
    run_until(w, 30);
    assert_string_equal(last_error(w), "exceeded limit of 1 with 2 series");
    load(w,
        "groups:\n- name: g\n  limit: 1\n  rules:\n  - alert: r\n    expr: 'label_replace({__name__=~\"x|y\"}, \"n\", "
        "\"$1\", \"__name__\", \"(.*)\") > 0'\n");
    run_until(w, 45);
    assert_string_equal(last_error(w), "exceeded limit of 1 with 2 alerts");
    assert_string_equal(ask(w, "ALERTS"), "");
    world_close(w);
}

/* A changed group: equal rules keep their alerts, others end; an unchanged one is the same object. */
static void test_reload(void **state) {
    (void)state;
    World *w = world_open();
    load(w, down_rules);
    put(w, "{__name__=\"up\", job=\"a\"}", 0);
    run_until(w, 30);
    (void)sent(w);
    const RuleGroup *before = w->m->groups.v[0];
    load(w, down_rules);
    assert_ptr_equal(before, w->m->groups.v[0]);
    load(w, "groups:\n- name: g\n  rules:\n  - alert: Down\n    expr: up < 1\n    for: 30s\n"
            "    labels: {severity: critical}\n");
    assert_true(str_contains(str_cstr(alerts(w)), STR("\"state\":\"firing\"")));
    run_until(w, 45);
    assert_true(str_contains(str_cstr(alerts(w)), STR("\"state\":\"firing\"")));
    load(w, "groups:\n- name: g\n  rules:\n  - record: z\n    expr: up\n");
    run_until(w, 60);
    assert_string_equal(ask(w, "ALERTS"), "");
    assert_string_equal(ask(w, "z"), "z{job=\"a\"} 0");
    load(w, "groups: []\n");
    w->now_ns += NS_PER_S;
    assert_string_equal(ask(w, "z"), "");
    Buf out = {0};
    RuleText text = {STR("r.yml"), STR("groups:\n- name: g\n  rules:\n  - record: z\n    expr: up ==\n")};
    assert_int_equal(rule_manager_load(w->m, &(RuleManagerConfig){.texts = &text, .n_texts = 1}, &out), ERR_INVALID);
    assert_true(str_starts_with(buf_str(&out), STR("r.yml:5:16: error:")));
    buf_done(&out);
    world_close(w);
}

static const char *rules_json(World *w, const char *query) {
    static Buf out;
    HttpRequest req = {.method = HTTP_GET, .query = str_cstr(query), .arena = arena_create(1 << 20)};
    Err err = {0};
    buf_clear(&out);
    JsonWriter j = json_writer(&out);
    if (rule_manager_put_rules(w->m, &req, &j, &err) != OK) buf_printf(&out, "%s", err.msg);
    arena_free(req.arena);
    return buf_cstr(&out);
}

static void test_api(void **state) {
    (void)state;
    World *w = world_open();
    load(w, "groups:\n- name: g1\n  rules:\n  - {record: a, expr: 'sum(up)', labels: {x: y}}\n  - {alert: b, expr: 'up "
            "> 0'}\n"
            "- name: g2\n  interval: 1m30s\n  rules:\n  - {alert: c, expr: 'up > 0', labels: {sev: page}}\n");
    static const struct {
        const char *query, *want;
        bool has;
    } cases[] = {
        {"",
            "\"name\":\"g1\",\"file\":\"r.yml\",\"rules\":[{\"name\":\"a\",\"query\":\"sum(up)\",\"labels\":{\"x\":"
            "\"y\"},"
            "\"health\":\"unknown\",\"evaluationTime\":0,\"lastEvaluation\":\"0001-01-01T00:00:00Z\",\"type\":"
            "\"recording\"}",
            true},
        {"", "\"interval\":90,\"limit\":0,\"evaluationTime\":0,\"lastEvaluation\":\"0001-01-01T00:00:00Z\"}", true},
        {"",
            "{\"state\":\"inactive\",\"name\":\"c\",\"query\":\"up > "
            "0\",\"duration\":0,\"keepFiringFor\":0,\"labels\":{"
            "\"sev\":\"page\"},\"annotations\":{},\"alerts\":[],\"health\":\"unknown\"",
            true},
        {"type=alert", "\"recording\"", false},
        {"type=record", "\"alerting\"", false},
        {"type=foo", "invalid parameter \"type\": not supported value \"foo\"", true},
        {"type=FOO", "not supported value \"foo\"", true},
        {"type=%zz", "error parsing form values: invalid URL escape \"%zz\"", true},
        {"group_limit=99999999999", "parsing \"99999999999\": value out of range", true},
        {"group_limit=x", "parsing \"x\": invalid syntax", true},
        {"rule_name[]=b", "\"g2\"", false},
        {"rule_group[]=g2", "\"g1\"", false},
        {"file[]=nope", "{\"groups\":[]}", true},
        {"exclude_alerts=true", "\"alerts\":null", true},
        {"exclude_alerts=x", "error converting exclude_alerts", true},
        {"match[]={sev=\"page\"}", "\"g1\"", false},
        {"match[]={sev=\"\"}", "match[] must contain at least one non-empty matcher", true},
        {"group_limit=1", "\"groupNextToken\":\"", true},
        {"group_limit=2", "groupNextToken", false},
        {"group_limit=0", "group_limit needs to be greater than 0", true},
        {"group_next_token=x", "group_limit needs to be present in order to paginate over the groups", true},
        {"group_limit=1&group_next_token=x", "invalid group_next_token 'x'. were rule groups changed?", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = rules_json(w, cases[i].query);
        if (str_contains(str_cstr(got), str_cstr(cases[i].want)) != cases[i].has)
            fail_msg("%s: %s\n%s", cases[i].query, cases[i].want, got);
    }
    world_close(w);
}

/* The built-in Watchdog: fires, marked, unless a rule has its name. */
static void test_watchdog(void **state) {
    (void)state;
    static const char *const own = "groups:\n- {name: g, rules: [{alert: Watchdog, expr: vector(1)}]}\n";
    static const char *const other = "groups:\n- {name: g, rules: [{record: Watchdog, expr: vector(1)}]}\n";
    World *w = world_open();
    for (int i = 0; i < 2; i++) {
        RuleText text = {STR("r.yml"), str_cstr(i ? own : other)};
        RuleManagerConfig config = {.texts = &text, .n_texts = 1, .watchdog = true};
        Buf out = {0};
        assert_int_equal(rule_manager_load(w->m, &config, &out), OK);
        assert_true(rule_manager_has_alert(w->m, RULE_WATCHDOG));
        assert_int_equal(w->m->groups.n, i ? 1 : 2);
        buf_clear(&w->sent);
        run_until(w, i ? 200 : 60);
        const char *want = i ? "by name: no" : "by name: yes";
        assert_non_null(strstr(buf_cstr(&w->sent),
            i ? "firing {alertname=\"Watchdog\"}" : "firing {alertname=\"Watchdog\", severity=\"none\"}"));
        assert_non_null(strstr(buf_cstr(&w->sent), want));
        buf_done(&out);
    }
    RuleManagerConfig none = {0};
    Buf out = {0};
    assert_int_equal(rule_manager_load(w->m, &none, &out), OK);
    assert_false(rule_manager_has_alert(w->m, RULE_WATCHDOG));
    buf_done(&out);
    world_close(w);
}

static void put_many(World *w, size_t n, double v) {
    MetricsBatch b = {.arena = arena_create(1 << 24)};
    MetricsAppendResult result = {0};
    for (size_t i = 0; i < n; i++) {
        Label *l = ARENA_ARRAY(b.arena, Label, 3);
        char noise[701]; /* nothing that compresses */
        Rng rng;
        assert_non_null(l);
        rng_seed(&rng, i);
        for (size_t k = 0; k < sizeof noise; k++) noise[k] = (char)('0' + rng_u64(&rng) % 64);
        l[0] = (Label){LABEL_NAME_METRIC, STR("x")};
        l[1] = (Label){STR("i"), arena_printf(b.arena, "%zu", i)};
        l[2] = (Label){STR("noise"), arena_copy(b.arena, str_of(noise, sizeof noise))};
        assert_true(metrics_batch_add(&b, (Labels){l, 3}, w->now_ns / NS_PER_MS, v));
    }
    assert_int_equal(w->store->ops->append(w->store, &b, &result, NULL), OK);
    arena_free(b.arena);
}

static size_t state_bytes(World *w) {
    char path[100];
    Buf all = {0};
    size_t bytes = 0, n = 0;
    Arena *arena = arena_create(1 << 20);
    Str *names;
    snprintf(path, sizeof path, "%s/alerts/*", w->dir);
    assert_int_equal(fs_glob(str_cstr(path), arena, &names, &n, NULL), OK);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(fs_read_file(fs_real(), names[i].p, 1u << 30, &all, NULL), OK);
        bytes = all.n;
    }
    buf_done(&all);
    arena_free(arena);
    return bytes;
}

/* A log that has grown is written anew, and says the same. */
static void test_rewrite(void **state) {
    (void)state;
    World *w = world_open();
    static const char rules[] = "groups:\n- name: g\n  rules:\n  - alert: Many\n    expr: x > 0\n";
    load(w, rules);
    for (int i = 0; i < 12; i++) {
        put_many(w, 1000, i % 2 == 0);
        run_until(w, i * 15);
        run_until(w, i * 15 + 1);
    }
    put_many(w, 1000, 1);
    run_until(w, 195);
    size_t before = state_bytes(w);
    rule_state_beat(w->m->state, w->m, w->now_ns);
    size_t after = state_bytes(w);
    assert_true(before > (4u << 20));
    assert_true(after < before / 4);
    reopen(w, 1);
    load(w, rules);
    size_t firing = 0;
    for (Str rest = str_cstr(alerts(w)); str_find(rest, STR("\"firing\"")) != SIZE_MAX; firing++)
        rest = str_skip(rest, str_find(rest, STR("\"firing\"")) + 8);
    assert_int_equal(firing, 1000);
    world_close(w);
}

enum { CHANGES = 200 };

static void change_over_api(void *ctx) {
    RuleManager *m = ctx;
    for (int i = 0; i < CHANGES; i++) {
        mutex_lock(&m->api_mutex);
        ASSERT(rule_api_load(m, NULL) == OK);
        mutex_unlock(&m->api_mutex);
    }
}

/* Files are loaded while others change groups over the ruler API. */
static void test_changes_at_once(void **state) {
    (void)state;
    World *w = world_open();
    Thread *t = thread_start("api", change_over_api, w->m);
    for (int i = 0; i < CHANGES; i++) {
        char text[64];
        Buf out = {0};
        snprintf(text, sizeof text, "groups: [{name: g%d, rules: [{record: r, expr: '1'}]}]", i % 3);
        RuleText file = {STR("r.yml"), str_cstr(text)};
        RuleManagerConfig config = {.texts = &file, .n_texts = 1, .evaluation_interval_ms = 15000};
        assert_int_equal(rule_manager_load(w->m, &config, &out), OK);
        buf_done(&out);
    }
    thread_join(t);
    assert_int_equal(w->m->groups.n, 1);
    world_close(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_outage),
        cmocka_unit_test(test_keep_firing),
        cmocka_unit_test(test_recording),
        cmocka_unit_test(test_renamed_group),
        cmocka_unit_test(test_empty_labels),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_api),
        cmocka_unit_test(test_watchdog),
        cmocka_unit_test(test_rewrite),
        cmocka_unit_test(test_changes_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
