/* The whole of it with its threads and files: writers, readers and reloads at once; what was acknowledged is there when
 * it is opened again. Receivers are stand-ins that always succeed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alert/am_int.h"

#include "sys/clock.h"
#include "sys/fs.h"

#include <stdlib.h>

static const char config[] =
    "route: {receiver: wh, group_by: [alertname], group_wait: 1ms, group_interval: 500ms, repeat_interval: 1h}\n"
    "inhibit_rules: [{source_matchers: [sev=crit], target_matchers: [sev=warn], equal: [n]}]\n"
    "receivers: [{name: wh, webhook_configs: [{url: x}, {url: y, send_resolved: false}]}]\n";

static Alertmanager *open_am(const char *dir) {
    Alertmanager *am;
    Err err = {0};
    AlertmanagerOptions o = {.dir = dir, .external_url = STR("http://am"), .version = STR("0")};
    if (alertmanager_create(&o, &am, &err)) fail_msg("%s", err.msg);
    DiagList d;
    diag_init(&d, STR("am.yml"), str_cstr(config));
    assert_int_equal(alertmanager_load(am, STR("am.yml"), str_cstr(config), &d), OK);
    diag_done(&d);
    return am;
}

typedef struct Worker {
    Alertmanager *am;
    Router *router;
    int number;
} Worker;

static void call(Router *r, const char *path) {
    Arena *arena = arena_create(16u << 20);
    RouteMatch m;
    HttpResponse res = {.status = 200};
    HttpRequest req = {.method = HTTP_GET, .path = str_cstr(path), .raw_path = str_cstr(path), .arena = arena};
    ASSERT(router_match(r, HTTP_GET, req.raw_path, arena, &m) && m.route);
    m.route->handler(m.route->ctx, &req, &res);
    ASSERT(res.status == 200);
    buf_done(&res.body);
    arena_free(arena);
}

static void write_alerts(void *ctx) {
    Worker *w = ctx;
    for (int i = 0; i < 60; i++) {
        char name[16], n[16];
        snprintf(name, sizeof name, "a%d", i % 7);
        snprintf(n, sizeof n, "%d-%d", w->number, i);
        const Label l[] = {{STR("alertname"), str_cstr(name)}, {STR("n"), str_cstr(n)},
            {STR("sev"), i % 2 ? STR("crit") : STR("warn")}};
        Alert a = {.labels = {l, 3}, .ends_ns = clock_now_ns() + 3600 * NS_PER_S};
        ASSERT(alertmanager_receive(w->am, &a, 1, NULL) == OK);
        if (i % 3 == 0) { /* and its end */
            a.ends_ns = clock_now_ns();
            a.starts_ns = a.ends_ns - 1;
            ASSERT(alertmanager_receive(w->am, &a, 1, NULL) == OK);
        }
    }
}

static void read_all(void *ctx) {
    Worker *w = ctx;
    for (int i = 0; i < 30; i++) {
        call(w->router, "/api/v2/alerts");
        call(w->router, "/api/v2/alerts/groups");
        call(w->router, "/api/meerkat/v1/alerting/groups");
        call(w->router, "/api/meerkat/v1/alerting/alerts/names");
        call(w->router, "/api/meerkat/v1/alerting/history");
        Arena *arena = arena_create(16u << 20);
        MetricsBatch b = {.arena = arena};
        alertmanager_gather(w->am, &b, 0);
        arena_free(arena);
    }
}

static void reload(void *ctx) {
    Worker *w = ctx;
    for (int i = 0; i < 15; i++) {
        DiagList d;
        diag_init(&d, STR("am.yml"), str_cstr(config));
        ASSERT(alertmanager_load(w->am, STR("am.yml"), str_cstr(config), &d) == OK);
        diag_done(&d);
        char id[37];
        const AmMatcherText m[] = {{MATCH_EQ, STR("alertname"), STR("a3")}};
        int64_t now = clock_now_ns();
        AmSilenceInput in = {.matchers = m,
            .n_matchers = 1,
            .starts_ns = now,
            .ends_ns = now + 3600 * NS_PER_S,
            .created_by = STR("me"),
            .comment = STR("c")};
        mutex_lock(&w->am->mutex);
        ASSERT(am_silence_set(w->am, &in, now, id, NULL) == OK);
        mutex_unlock(&w->am->mutex);
        ASSERT(am_commit(w->am, NULL) == OK);
    }
}

static void everything_at_once(void **state) {
    (void)state;
    char dir[] = "/tmp/meerkat-am-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    Alertmanager *am = open_am(dir);
    Router *r = router_create();
    alertmanager_routes(am, r);
    Worker w[4] = {{am, r, 0}, {am, r, 1}, {am, r, 2}, {am, r, 3}};
    Thread *t[4] = {thread_start("w0", write_alerts, &w[0]), thread_start("w1", write_alerts, &w[1]),
        thread_start("read", read_all, &w[2]), thread_start("reload", reload, &w[3])};
    for (size_t i = 0; i < 4; i++) thread_join(t[i]);
    router_free(r);
    alertmanager_free(am);
    am = open_am(dir);
    mutex_lock(&am->mutex);
    assert_int_equal(u64map_count(am->alerts), 120);
    assert_int_equal(map_count(am->silences), 15);
    size_t firing = 0, it = 0;
    uint64_t fp, *v;
    while (u64map_next(am->alerts, &it, &fp, &v)) firing += !am_resolved((AmAlert *)(uintptr_t)*v, clock_now_ns());
    assert_int_equal(firing, 80);
    mutex_unlock(&am->mutex);
    alertmanager_free(am);
    assert_int_equal(fs_remove_tree(fs_real(), dir, NULL), OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
