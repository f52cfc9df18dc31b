#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alert/amconfig.h"

#include <stdlib.h>

#define RECEIVERS "receivers:\n- name: a\n- name: b\n"

/* A configuration and its first error with line. */
static const struct {
    const char *yaml;
    int line;
    const char *error;
} bad[] = {
    {"", 0, "no route provided in config"},
    {"receivers: []\n", 1, "no route provided in config"},
    {"rout: {}\n", 1, "no route provided in config"},
    {"route: {receiver: a}\nreceiver: []\n" RECEIVERS, 2, "unknown key \"receiver\" in the configuration"},
    {"route: {}\n" RECEIVERS, 1, "root route must specify a default receiver"},
    {"route: {receiver: c}\n" RECEIVERS, 1, "undefined receiver \"c\" used in route"},
    {"route:\n  receiver: a\n  routes:\n  - receiver: c\n" RECEIVERS, 4, "undefined receiver \"c\" used in route"},
    {"route: {receiver: a, matchers: [x=y]}\n" RECEIVERS, 1, "root route must not have any matchers"},
    {"route: {receiver: a, match: {x: y}}\n" RECEIVERS, 1, "root route must not have any matchers"},
    {"route: {receiver: a, continue: true}\n" RECEIVERS, 1, "cannot have continue in root route"},
    {"route: {receiver: a, mute_time_intervals: [w]}\ntime_intervals: [{name: w, time_intervals: []}]\n" RECEIVERS, 1,
        "root route must not have any mute time intervals"},
    {"route:\n  receiver: a\n  routes:\n  - mute_time_intervals: [w]\n" RECEIVERS, 4,
        "undefined time interval \"w\" used in route"},
    {"route:\n  receiver: a\n  group_by: [x, x]\n" RECEIVERS, 3, "duplicated label \"x\" in group_by"},
    {"route:\n  receiver: a\n  group_by: [x, '...']\n" RECEIVERS, 3,
        "cannot have wildcard group_by (`...`) and other labels at the same time"},
    {"route:\n  receiver: a\n  group_interval: 0s\n" RECEIVERS, 3, "group_interval cannot be zero"},
    {"route:\n  receiver: a\n  repeat_interval: 0\n" RECEIVERS, 3, "repeat_interval cannot be zero"},
    {"route:\n  receiver: a\n  group_wait: 1x\n" RECEIVERS, 3, "not a valid duration string: \"1x\""},
    {"route:\n  receiver: a\n  routes:\n  - match: {'a b': c}\n" RECEIVERS, 4, "invalid label name \"a b\""},
    {"route:\n  receiver: a\n  routes:\n  - matchers: ['a']\n" RECEIVERS, 4, "bad matcher format: a"},
    {"route:\n  receiver: a\n  routes:\n  - match_re: {a: '('}\n" RECEIVERS, 4,
        "error parsing regexp: missing closing ): `^(?:()$`"},
    {"route:\n  receiver: a\n  routes:\n  - match_re:\n      a:\n" RECEIVERS, 5, "invalid regexp value for \"a\""},
    {"route: {receiver: a}\ninhibit_rules:\n- source_match_re: {a: }\n" RECEIVERS, 3, "invalid regexp value for \"a\""},
    {"route: {receiver: a}\ninhibit_rules:\n- target_match_re: {a: ~}\n" RECEIVERS, 3,
        "invalid regexp value for \"a\""},
    {"route: {receiver: a}\ntime_intervals:\n- name: x\n- name: x\n" RECEIVERS, 4, "time interval \"x\" is not unique"},
    {"route: {receiver: a}\nmute_time_intervals:\n- time_intervals: []\n" RECEIVERS, 3,
        "missing name in mute time interval"},
    {"route: {receiver: a}\ninhibit_rules:\n- source_matcher: [a=b]\n" RECEIVERS, 3,
        "unknown key \"source_matcher\" in an inhibition rule"},
    {"route:\n  receiver: a\n  group_by: ['']\n" RECEIVERS, 3, "invalid label name \"\" in group_by list"},
};

static void refuses(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AmConfig *c;
        DiagList d;
        diag_init(&d, STR("am.yml"), str_cstr(bad[i].yaml));
        assert_int_equal(amconfig_parse(STR("am.yml"), str_cstr(bad[i].yaml), AM_MATCH_FALLBACK, &c, &d), ERR_INVALID);
        assert_null(c);
        assert_string_equal(d.items.v[0].msg, bad[i].error);
        assert_int_equal(d.items.v[0].line, bad[i].line);
        diag_done(&d);
    }
}

static AmConfig *load(const char *yaml) {
    AmConfig *c;
    DiagList d;
    diag_init(&d, STR("am.yml"), str_cstr(yaml));
    ErrCode rc = amconfig_parse(STR("am.yml"), str_cstr(yaml), AM_MATCH_FALLBACK, &c, &d);
    if (rc) fail_msg("%s", d.items.v[0].msg);
    diag_done(&d);
    return c;
}

static void inherits_and_has_the_originals_keys(void **state) {
    (void)state;
    AmConfig *c =
        load("route:\n  receiver: a\n  group_by: [z, y]\n  group_wait: 1m\n  labels: {team: x, k: root}\n  routes:\n"
             "  - match_re: {service: 'db|cache'}\n    matchers: ['sev=\"crit\"']\n    group_by: ['...']\n    labels: "
             "{k: v}\n"
             "    routes:\n    - matchers: [a!=b]\n      receiver: b\n      group_by: []\n      repeat_interval: "
             "1d\n" RECEIVERS);
    const AmRoute *child = c->root->routes[0], *leaf = child->routes[0];
    assert_true(str_eq_lit(c->root->key, "{}"));
    assert_true(str_eq_lit(child->key, "{}/{service=~\"^(?:db|cache)$\",sev=\"crit\"}"));
    assert_true(str_eq_lit(leaf->id, "{}/{service=~\"^(?:db|cache)$\",sev=\"crit\"}/0/{a!=\"b\"}/0"));
    assert_true(child->group_by_all && !leaf->group_by_all && leaf->n_group_by == 0);
    assert_true(
        leaf->group_wait_ms == 60000 && leaf->group_interval_ms == 300000 && leaf->repeat_interval_ms == 86400000);
    assert_true(str_eq_lit(leaf->receiver->name, "b") && str_eq_lit(child->receiver->name, "a"));
    assert_true(leaf->labels.n == 2 && str_eq_lit(leaf->labels.v[0].value, "v"));
    assert_true(leaf->index == 0 && child->index == 1 && c->root->index == 2);
    assert_true(str_eq_lit(c->root->group_by[0], "y"));
    amconfig_unref(c);
}

/* Labels and the receivers they lead to. */
static const struct {
    const char *labels, *want;
} ways[] = {
    {"{}", "root"},
    {"{s=\"crit\"}", "one,two"},
    {"{s=\"crit\",deep=\"1\"}", "deep,two"},
    {"{s=\"warn\"}", "two"},
    {"{s=\"info\"}", "root"},
};

static void routes_depth_first(void **state) {
    (void)state;
    AmConfig *c =
        load("route:\n  receiver: root\n  routes:\n  - matchers: [s=crit]\n    receiver: one\n    continue: true\n"
             "    routes: [{matchers: [deep=1], receiver: deep}]\n  - matchers: ['s=~crit|warn']\n    receiver: two\n"
             "  - matchers: [s=warn]\n    receiver: never\n"
             "receivers: [{name: root}, {name: one}, {name: two}, {name: deep}, {name: never}]\n");
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        Arena *arena = arena_create(1 << 16);
        Labels l;
        const AmRoute *out[AM_ROUTES_MAX];
        Buf names = {0};
        assert_int_equal(labels_parse(str_cstr(ways[i].labels), arena, &l, NULL), OK);
        size_t n = amroute_match(c->root, l, out, ARRAY_LEN(out));
        for (size_t k = 0; k < n; k++)
            buf_printf(&names, "%s%.*s", k ? "," : "", (int)out[k]->receiver->name.n, out[k]->receiver->name.p);
        assert_string_equal(buf_cstr(&names), ways[i].want);
        buf_done(&names);
        arena_free(arena);
    }
    amconfig_unref(c);
}

/* Which routes of the tree ask for the Watchdog by its name, and not for anything. */
static void knows_who_names_an_alert(void **state) {
    (void)state;
    static const char *const matchers[] = {"alertname=\"Watchdog\"", "alertname=~\"Watchdog|Other\"",
        "alertname=~\".+\"", "alertname!=\"x\"", "severity=\"none\"", "alertname=\"Other\"", "alertname!~\"Watchd.*\""};
    for (size_t i = 0; i < ARRAY_LEN(matchers); i++) {
        Buf yaml = {0};
        buf_printf(&yaml,
            "route:\n  receiver: a\n  routes:\n  - matchers: ['%s']\n    routes: [{matchers: [x=y]}]\n" RECEIVERS,
            matchers[i]);
        AmConfig *c = load(buf_cstr(&yaml));
        assert_false(amroute_names(c->root, STR("Watchdog")));
        assert_int_equal(amroute_names(c->root->routes[0], STR("Watchdog")), i < 2);
        assert_int_equal(amroute_names(c->root->routes[0]->routes[0], STR("Watchdog")), i < 2);
        amconfig_unref(c);
        buf_done(&yaml);
    }
}

static void takes_the_environment_and_hides_secrets(void **state) {
    (void)state;
    setenv("AM_TEST_RECEIVER", "b", 1);
    AmConfig *c = load("global: {smtp_auth_password: hunter2, resolve_timeout: 1m}\n"
                       "route: {receiver: '${AM_TEST_RECEIVER}', resolve_immediately: true}\n"
                       "receivers:\n- name: a\n- name: b\n  slack_configs:\n  - api_url: "
                       "https://hooks.slack.com/secret\n    channel: '#x'\n"
                       "  webhook_configs:\n  - url: https://example.org/token\n");
    assert_true(
        str_eq_lit(c->root->receiver->name, "b") && c->root->resolve_immediately && c->resolve_timeout_ms == 60000);
    assert_false(str_contains(c->shown, STR("hunter2")) || str_contains(c->shown, STR("hooks.slack")) ||
                 str_contains(c->shown, STR("token")));
    assert_false(str_contains(c->shown, STR("resolve_immediately")));
    assert_true(str_contains(c->shown, STR("route:\n  receiver: b\n  continue: false\n")));
    AmConfig *again = NULL;
    DiagList d;
    diag_init(&d, STR("shown"), c->shown);
    assert_int_equal(amconfig_parse_routes(STR("shown"), c->shown, &again, &d), OK); /* what is shown can be read */
    diag_done(&d);
    amconfig_unref(again);
    amconfig_unref(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(refuses), cmocka_unit_test(inherits_and_has_the_originals_keys),
        cmocka_unit_test(routes_depth_first), cmocka_unit_test(knows_who_names_an_alert),
        cmocka_unit_test(takes_the_environment_and_hides_secrets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
