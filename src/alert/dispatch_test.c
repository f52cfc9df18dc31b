/* Timers of the dispatcher, with a clock that only the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alert/am_int.h"
#include "sys/clock.h"

#define T0 (INT64_C(1700000000) * NS_PER_S)
#define SEC(n) (T0 + (int64_t)((n)*1e9))

typedef struct Rig {
    Alertmanager *am;
    Arena *arena;
    AmJob *jobs[64];
    size_t n_jobs;
    int answer; /* 0: ok, 1: retry, 2: for good */
    bool hold;  /* answers come later */
    Buf log;    /* "t reason f=n r=n\n" */
    int64_t now;
} Rig;

static void record(Rig *r, const AmJob *job) {
    buf_printf(
        &r->log, "%.1f %s f=%zu r=%zu\n", (double)(r->now - T0) / 1e9, job->reason, job->n_firing, job->n_resolved);
}

static void answer(Rig *r, AmJob *job) {
    job->attempts++;
    job->started_ns = r->now;
    job->result =
        (NotifyResult){.ok = r->answer == 0, .retry = r->answer == 1, .reason = "serverError", .error = "refused"};
    am_job_done(r->am, job, r->now);
}

static void on_send(void *ctx, AmJob *job) {
    Rig *r = ctx;
    record(r, job);
    if (r->hold)
        r->jobs[r->n_jobs++] = job;
    else
        answer(r, job);
}

static Rig *rig_create(const char *config) {
    Rig *r = NEW(Rig);
    r->arena = arena_create(1 << 20);
    r->am = am_new(&(AlertmanagerOptions){.dir = "/nowhere", .external_url = STR("http://am")});
    rng_seed(&r->am->rng, 1);
    r->am->send = on_send;
    r->am->send_ctx = r;
    r->am->history = am_history_create(NULL, 432000 * NS_PER_S, NULL);
    r->now = T0;
    AmConfig *c;
    DiagList d;
    diag_init(&d, STR("am.yml"), str_cstr(config));
    ErrCode rc = amconfig_parse(STR("am.yml"), str_cstr(config), AM_MATCH_FALLBACK, &c, &d);
    Buf out = {0};
    diag_render(&d, &out, false);
    if (rc) print_error("%s\n", buf_cstr(&out));
    assert_int_equal(rc, OK);
    buf_done(&out);
    diag_done(&d);
    am_use_config(r->am, c, r->now);
    return r;
}

static void rig_free(Rig *r) {
    alertmanager_free(r->am);
    arena_free(r->arena);
    buf_done(&r->log);
    mem_free(r);
}

/* Runs every timer up to then, each at its own time. */
static void go(Rig *r, double to_s) {
    int64_t to = SEC(to_s);
    for (int i = 0; i < 10000; i++) {
        const AmTimer *t = heap_peek(&r->am->timers);
        if (!t || t->due_ns > to) break;
        r->now = MAX(r->now, t->due_ns);
        am_step(r->am, r->now);
    }
    r->now = to;
    am_step(r->am, to);
}

/* end_s 0: by resolve_timeout. */
static void post(Rig *r, const char *labels, double start_s, double end_s) {
    Alert a = {0};
    Err err = {0};
    assert_int_equal(labels_parse(str_cstr(labels), r->arena, &a.labels, &err), OK);
    a.starts_ns = start_s >= 0 ? SEC(start_s) : 0;
    a.ends_ns = end_s > 0 ? SEC(end_s) : 0;
    assert_int_equal(am_alert_prepare(r->am, &a, r->now, &err), OK);
    am_put_alert(r->am, &a, r->now);
}

static void expect(Rig *r, const char *log) {
    assert_string_equal(buf_cstr(&r->log), log);
    buf_clear(&r->log);
}

#define WEBHOOK                                                                                                        \
    "receivers:\n- name: wh\n  webhook_configs: [{url: 'http://x'}]\n- name: quiet\n  webhook_configs: [{url: "        \
    "'http://x', send_resolved: false}]\n- name: none\n"
static const char basic[] = "route:\n  receiver: wh\n  group_by: [alertname]\n  group_wait: 1s\n  group_interval: 10s\n"
                            "  repeat_interval: 60s\n" WEBHOOK;

static void waits_groups_and_repeats(void **state) {
    (void)state;
    Rig *r = rig_create(basic);
    post(r, "{alertname=\"a\",i=\"1\"}", 0, 3600);
    go(r, 0.5);
    expect(r, "");
    post(r, "{alertname=\"a\",i=\"2\"}", 0.5, 3600);
    go(r, 5);
    expect(r, "1.0 first notification f=2 r=0\n");
    post(r, "{alertname=\"a\",i=\"3\"}", 5, 3600);
    go(r, 12);
    expect(r, "11.0 new alerts added f=3 r=0\n");
    go(r, 70);
    expect(r, "");
    go(r, 81.5);
    expect(r, "81.0 repeat interval elapsed f=3 r=0\n");
    rig_free(r);
}

static void old_alerts_go_at_once(void **state) {
    (void)state;
    Rig *r = rig_create(basic);
    go(r, 100);
    post(r, "{alertname=\"a\"}", 0, 3600);
    post(r, "{alertname=\"b\"}", 99.5, 3600);
    go(r, 100.1);
    expect(r, "100.0 first notification f=1 r=0\n");
    go(r, 101.1);
    expect(r, "101.0 first notification f=1 r=0\n");
    rig_free(r);
}

static void resolves(void **state) {
    (void)state;
    Rig *r = rig_create(basic);
    post(r, "{alertname=\"a\",i=\"1\"}", 0, 3600);
    post(r, "{alertname=\"a\",i=\"2\"}", 0, 3600);
    go(r, 2);
    expect(r, "1.0 first notification f=2 r=0\n");
    post(r, "{alertname=\"a\",i=\"1\"}", 0, 2);
    go(r, 12);
    expect(r, "11.0 some alerts resolved f=1 r=1\n");
    post(r, "{alertname=\"a\",i=\"2\"}", 0, 12);
    go(r, 22);
    expect(r, "21.0 all alerts resolved f=0 r=1\n");
    assert_int_equal(u64map_count(r->am->groups), 0);
    go(r, 100);
    expect(r, "");
    post(r, "{alertname=\"a\",i=\"2\"}", 100, 3600);
    go(r, 102);
    expect(r, "101.0 first notification f=1 r=0\n");
    rig_free(r);
}

static void times_out(void **state) {
    (void)state;
    Rig *r = rig_create("global: {resolve_timeout: 5s}\nroute: {receiver: wh, group_wait: 1s, group_interval: 4s, "
                        "repeat_interval: 1h}\n" WEBHOOK);
    post(r, "{alertname=\"a\"}", 0, 0);
    go(r, 10);
    expect(r, "1.0 first notification f=1 r=0\n5.0 all alerts resolved f=0 r=1\n");
    rig_free(r);
}

static void short_blips_are_not_told(void **state) {
    (void)state;
    Rig *r = rig_create(basic);
    post(r, "{alertname=\"a\"}", 0, 3600);
    go(r, 0.5);
    post(r, "{alertname=\"a\"}", 0, 0.4);
    go(r, 30);
    expect(r, "");
    rig_free(r);
}

static void quiet_receivers(void **state) {
    (void)state;
    Rig *r = rig_create("route: {receiver: quiet, group_wait: 1s, group_interval: 10s, repeat_interval: 1h}\n" WEBHOOK);
    post(r, "{alertname=\"a\"}", 0, 3600);
    go(r, 2);
    expect(r, "1.0 first notification f=1 r=0\n");
    post(r, "{alertname=\"a\"}", 0, 2);
    go(r, 12);
    expect(r, ""); /* not sent, but logged: the next one is a first again */
    go(r, 20);
    post(r, "{alertname=\"a\"}", 20, 3600);
    go(r, 40);
    expect(r, "21.0 first notification f=1 r=0\n");
    rig_free(r);
}

static void retries_within_the_interval(void **state) {
    (void)state;
    Rig *r = rig_create(basic);
    r->answer = 1;
    post(r, "{alertname=\"a\"}", 0, 3600);
    go(r, 10.999999); /* the last try may be this late */
    size_t tries = 0;
    for (size_t i = 0; i < r->log.n; i++) tries += r->log.p[i] == '\n';
    assert_in_range(tries, 4, 9);
    assert_int_equal(r->am->counters.failed[INTEGRATION_WEBHOOK][1], 1);
    buf_clear(&r->log);
    r->answer = 0;
    go(r, 11.1);
    expect(r, "11.0 first notification f=1 r=0\n");
    r->answer = 2;
    post(r, "{alertname=\"b\"}", 12, 3600);
    go(r, 20);
    assert_int_equal(r->am->counters.failed[INTEGRATION_WEBHOOK][1], 2);
    rig_free(r);
}

static void slow_answers_count_in_short_intervals(void **state) {
    (void)state;
    Rig *r = rig_create("route: {receiver: wh, group_wait: 1s, group_interval: 2s, repeat_interval: 1h}\n" WEBHOOK);
    r->hold = true;
    post(r, "{alertname=\"a\"}", 0, 3600);
    go(r, 2);
    expect(r, "1.0 first notification f=1 r=0\n");
    assert_true(r->jobs[0]->deadline_ns == SEC(11));
    go(r, 8); /* the flushes in between wait for it */
    answer(r, r->jobs[0]);
    go(r, 20);
    expect(r, "");
    rig_free(r);
}

static void a_failed_flush_keeps_resolved_alerts(void **state) {
    (void)state;
    Rig *r = rig_create(basic);
    post(r, "{alertname=\"a\"}", 0, 3600);
    go(r, 2);
    r->answer = 2;
    post(r, "{alertname=\"a\"}", 0, 2);
    go(r, 12);
    assert_int_equal(u64map_count(r->am->groups), 1);
    buf_clear(&r->log);
    r->answer = 0;
    go(r, 22);
    expect(r, "21.0 all alerts resolved f=0 r=1\n");
    assert_int_equal(u64map_count(r->am->groups), 0);
    rig_free(r);
}

static void slow_receivers_do_not_block(void **state) {
    (void)state;
    Rig *r = rig_create(basic);
    r->hold = true;
    post(r, "{alertname=\"a\"}", 0, 3600);
    go(r, 2);
    expect(r, "1.0 first notification f=1 r=0\n");
    r->hold = false;
    post(r, "{alertname=\"b\"}", 2, 3600);
    go(r, 4);
    expect(r, "3.0 first notification f=1 r=0\n");
    go(r, 15); /* the held one is due again, and waits */
    expect(r, "");
    answer(r, r->jobs[0]);
    go(r, 16);
    expect(r, "");
    go(r, 80);
    rig_free(r);
}

static void inhibits(void **state) {
    (void)state;
    Rig *r = rig_create("inhibit_rules:\n- source_matchers: [severity=critical]\n  target_matchers: "
                        "[severity=warning]\n  equal: [svc]\n"
                        "route: {receiver: wh, group_by: [alertname], group_wait: 1s, group_interval: 10s, "
                        "repeat_interval: 1h}\n" WEBHOOK);
    post(r, "{alertname=\"w\",severity=\"warning\",svc=\"x\"}", 0, 3600);
    post(r, "{alertname=\"v\",severity=\"warning\",svc=\"y\"}", 0, 3600);
    post(r, "{alertname=\"c\",severity=\"critical\",svc=\"x\"}", 0, 3600);
    go(r, 2);
    expect(r, "1.0 first notification f=1 r=0\n1.0 first notification f=1 r=0\n");
    post(r, "{alertname=\"c\",severity=\"critical\",svc=\"x\"}", 0, 2);
    go(r, 12);
    assert_non_null(strstr(buf_cstr(&r->log), "first notification f=1"));
    rig_free(r);
}

static void silences(void **state) {
    (void)state;
    Rig *r = rig_create(basic);
    char id[37];
    const AmMatcherText m[] = {{MATCH_EQ, STR("alertname"), STR("a")}};
    AmSilenceInput in = {.matchers = m,
        .n_matchers = 1,
        .starts_ns = SEC(0),
        .ends_ns = SEC(15),
        .created_by = STR("me"),
        .comment = STR("c")};
    Err err = {0};
    assert_int_equal(am_silence_set(r->am, &in, r->now, id, &err), OK);
    post(r, "{alertname=\"a\"}", 0, 3600);
    go(r, 12);
    expect(r, "");
    assert_int_equal(r->am->counters.suppressed[0], 2);
    go(r, 22);
    expect(r, "21.0 first notification f=1 r=0\n");
    rig_free(r);
}

static void acknowledged_is_not_repeated(void **state) {
    (void)state;
    Rig *r = rig_create(basic);
    post(r, "{alertname=\"a\"}", 0, 3600);
    go(r, 2);
    buf_clear(&r->log);
    AmAck *ack = NEW(AmAck);
    *ack = (AmAck){
        .at_ns = r->now, .expires_ns = SEC(200), .owner = str_dup_cstr(STR("me")), .comment = str_dup_cstr(STR(""))};
    Labels l;
    labels_parse(STR("{alertname=\"a\"}"), r->arena, &l, NULL);
    am_alert_set_ack(r->am, am_alert_find(r->am, alert_fingerprint(l)), ack, r->now);
    go(r, 199);
    expect(r, "");
    go(r, 202);
    expect(r, "201.0 repeat interval elapsed f=1 r=0\n");
    rig_free(r);
}

static void tells_at_once_when_all_is_resolved(void **state) {
    (void)state;
    Rig *r = rig_create("route: {receiver: wh, group_wait: 1s, group_interval: 60s, repeat_interval: 1h, "
                        "resolve_immediately: true}\n" WEBHOOK);
    post(r, "{alertname=\"a\"}", 0, 3600);
    post(r, "{alertname=\"b\"}", 0, 3600);
    go(r, 2);
    post(r, "{alertname=\"a\"}", 0, 2);
    go(r, 3);
    expect(r, "1.0 first notification f=2 r=0\n");
    post(r, "{alertname=\"b\"}", 0, 3);
    go(r, 4);
    expect(r, "3.0 all alerts resolved f=0 r=2\n");
    rig_free(r);
}

static void tells_at_once_what_resolved_during_a_flush(void **state) {
    (void)state;
    Rig *r = rig_create("global: {resolve_timeout: 100s}\nroute: {receiver: wh, group_wait: 1s, group_interval: 60s, "
                        "repeat_interval: 1h, resolve_immediately: true}\n" WEBHOOK);
    r->hold = true;
    post(r, "{alertname=\"a\"}", 0, 3600);
    go(r, 2);
    r->hold = false;
    post(r, "{alertname=\"a\"}", 0, 2);
    go(r, 5);
    expect(r, "1.0 first notification f=1 r=0\n");
    answer(r, r->jobs[0]);
    go(r, 6);
    expect(r, "5.0 all alerts resolved f=0 r=1\n");
    /* And one that nobody reports any more, with one timer for it however often it was reported. */
    for (int i = 0; i < 20; i++) post(r, "{alertname=\"b\"}", 6, 0);
    go(r, 8);
    expect(r, "7.0 first notification f=1 r=0\n");
    assert_true(r->am->timers.n < 10); /* void ones of the group before are there as well */
    go(r, 110);
    expect(r, "106.0 all alerts resolved f=0 r=1\n");
    rig_free(r);
}

static void mute_times(void **state) {
    (void)state; /* T0 is 2023-11-14 22:13:20, a Tuesday */
    Rig *r = rig_create(
        "time_intervals:\n- name: now\n  time_intervals: [{times: [{start_time: '22:13', end_time: '22:15'}]}]\n"
        "- name: later\n  time_intervals: [{times: [{start_time: '22:14', end_time: '22:15'}]}]\n"
        "route:\n  receiver: wh\n  group_wait: 1s\n  group_interval: 10s\n  repeat_interval: 1h\n  routes:\n"
        "  - matchers: [a=mute]\n    mute_time_intervals: [now]\n"
        "  - matchers: [a=active]\n    active_time_intervals: [later]\n" WEBHOOK);
    post(r, "{a=\"mute\"}", 0, 3600);
    post(r, "{a=\"active\"}", 0, 3600);
    go(r, 35);
    expect(r, "");
    go(r, 60);
    expect(r, "41.0 first notification f=1 r=0\n");
    go(r, 111);
    expect(r, "101.0 first notification f=1 r=0\n");
    rig_free(r);
}

static void reload_begins_anew(void **state) {
    (void)state;
    Rig *r = rig_create("route: {receiver: wh, group_wait: 1s, group_interval: 6s, repeat_interval: 10m}\n" WEBHOOK);
    post(r, "{alertname=\"a\"}", 0, 3600);
    go(r, 2);
    expect(r, "1.0 first notification f=1 r=0\n");
    go(r, 3);
    am_use_config(r->am, amconfig_ref(r->am->config), r->now);
    go(r, 4);
    post(r, "{alertname=\"b\"}", 4, 3600);
    go(r, 8.9);
    expect(r, "");
    go(r, 9.1);
    expect(r, "9.0 new alerts added f=2 r=0\n");
    rig_free(r);
}

static void put_by_name(Rig *r, const char *labels) {
    Alert a = {.by_name = true, .starts_ns = r->now, .ends_ns = SEC(3600)};
    assert_int_equal(labels_parse(str_cstr(labels), r->arena, &a.labels, NULL), OK);
    assert_int_equal(am_alert_prepare(r->am, &a, r->now, NULL), OK);
    am_put_alert(r->am, &a, r->now);
}

/* The built-in Watchdog is for those who name it; somebody else's alert of the same labels is an alert as any other. */
static void by_name_only(void **state) {
    (void)state;
    Rig *r = rig_create("route:\n  receiver: wh\n  group_wait: 1s\n  group_by: [alertname]\n  routes:\n"
                        "  - matchers: [severity=none]\n    receiver: quiet\n    continue: true\n"
                        "  - matchers: [alertname=Dog]\n    receiver: wh\n" WEBHOOK);
    put_by_name(r, "{alertname=\"Cat\",severity=\"none\"}");
    go(r, 5);
    expect(r, "");
    put_by_name(r, "{alertname=\"Dog\",severity=\"none\"}");
    go(r, 10);
    expect(r, "6.0 first notification f=1 r=0\n"); /* one, not the one of severity=none */
    post(r, "{alertname=\"Cat\",severity=\"none\"}", 10, 3600);
    go(r, 20);
    expect(r, "10.0 first notification f=1 r=0\n"); /* it began at 5 */
    rig_free(r);
}

/* What goes out to say that all is well depends on the Watchdog, once it is expected. */
static void heartbeats_need_the_watchdog(void **state) {
    (void)state;
    Rig *r = rig_create(basic);
    clock_fake_set(T0);
    assert_true(am_heart_is_healthy(r->am, SEC(1e6)));
    alertmanager_watchdog_seen(r->am, SEC(10)); /* nobody expects it */
    assert_true(am_heart_is_healthy(r->am, SEC(1e6)));
    alertmanager_expect_watchdog(r->am, true);
    assert_true(am_heart_is_healthy(r->am, SEC(299)));
    assert_false(am_heart_is_healthy(r->am, SEC(300)));
    alertmanager_watchdog_seen(r->am, SEC(400));
    alertmanager_expect_watchdog(r->am, true); /* a reload changes nothing */
    assert_true(am_heart_is_healthy(r->am, SEC(399)));
    assert_false(am_heart_is_healthy(r->am, SEC(401)));
    alertmanager_expect_watchdog(r->am, false);
    assert_true(am_heart_is_healthy(r->am, SEC(401)));
    clock_fake_off();
    rig_free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_groups_and_repeats),
        cmocka_unit_test(old_alerts_go_at_once),
        cmocka_unit_test(resolves),
        cmocka_unit_test(times_out),
        cmocka_unit_test(short_blips_are_not_told),
        cmocka_unit_test(quiet_receivers),
        cmocka_unit_test(retries_within_the_interval),
        cmocka_unit_test(slow_answers_count_in_short_intervals),
        cmocka_unit_test(a_failed_flush_keeps_resolved_alerts),
        cmocka_unit_test(slow_receivers_do_not_block),
        cmocka_unit_test(inhibits),
        cmocka_unit_test(silences),
        cmocka_unit_test(acknowledged_is_not_repeated),
        cmocka_unit_test(tells_at_once_when_all_is_resolved),
        cmocka_unit_test(tells_at_once_what_resolved_during_a_flush),
        cmocka_unit_test(mute_times),
        cmocka_unit_test(reload_begins_anew),
        cmocka_unit_test(by_name_only),
        cmocka_unit_test(heartbeats_need_the_watchdog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
