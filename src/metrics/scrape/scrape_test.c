#include "metrics/scrape/scrape_int.h"

#include "net/server.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A target whose answer the test changes, a store, a manager. */
typedef struct World {
    Fs *fs;
    MetricsStore *store;
    Router *router;
    NetServer *server;
    uint16_t port;
    ScrapeManager *manager;
    Mutex lock;
    int status;
    const char *body, *type;
    unsigned requests;
    char seen[512];
} World;

static void handler(void *ctx, HttpRequest *req, HttpResponse *res) {
    World *w = ctx;
    mutex_lock(&w->lock);
    w->requests++;
    Str accept = http_header(req, STR("Accept")),
        timeout = http_header(req, STR("X-Prometheus-Scrape-Timeout-Seconds"));
    snprintf(w->seen, sizeof w->seen, "%" STR_FMT "?%" STR_FMT " timeout %" STR_FMT "%s", STR_ARG(req->path),
        STR_ARG(req->query), STR_ARG(timeout),
        str_contains(accept, STR("application/openmetrics-text;version=1.0.0")) ? " om" : "");
    http_reply(res, w->status, str_cstr(w->type), str_cstr(w->body));
    mutex_unlock(&w->lock);
}

static void set_answer(World *w, int status, const char *type, const char *body) {
    mutex_lock(&w->lock);
    w->status = status;
    w->type = type;
    w->body = body;
    mutex_unlock(&w->lock);
}

static World *world_new(void) {
    World *w = NEW(World);
    Err err = {0};
    mutex_init(&w->lock);
    w->fs = fs_fault_create(1);
    MetricsStoreOptions so = {.durable = true};
    assert_int_equal(metrics_store_open(w->fs, "/data", &so, &w->store, &err), OK);
    w->router = router_create();
    Route route = {.methods = HTTP_GET, .pattern = "/{rest...}", .handler = handler, .ctx = w, .cls = ROUTE_QUERY};
    router_add(w->router, &route);
    NetServerOptions o = {.io_threads = 1};
    if (net_server_create(&o, &w->server, &err) != OK) fail_msg("server: %s", err.msg);
    NetListen l = {.name = "target", .address = "127.0.0.1", .router = w->router};
    if (net_server_listen(w->server, &l, &err) != OK) fail_msg("listen: %s", err.msg);
    assert_int_equal(net_server_start(w->server, &err), OK);
    w->port = net_server_port(w->server, "target");
    assert_int_equal(scrape_manager_create(w->store, NULL, &w->manager, &err), OK);
    set_answer(w, 200, "text/plain; version=0.0.4", "");
    return w;
}

static void world_free(World *w) {
    scrape_manager_free(w->manager);
    net_server_drain(w->server, 1000);
    net_server_free(w->server);
    router_free(w->router);
    w->store->ops->close(w->store);
    fs_fault_free(w->fs);
    mutex_done(&w->lock);
    mem_free(w);
}

static void apply_every(World *w, int interval_ms, const char *job) {
    Buf text = {0};
    buf_printf(&text,
        "scrape_configs:\n- job_name: j\n  scrape_interval: %dms\n  static_configs:\n  - targets: ['127.0.0.1:%u']\n%s",
        interval_ms, w->port, job);
    DiagList diags;
    PromConfig *c;
    diag_init(&diags, STR("p.yml"), buf_str(&text));
    if (prom_config_parse(buf_str(&text), STR(""), &c, &diags) != OK) fail_msg("%s", diags.items.v[0].msg);
    diag_done(&diags);
    buf_done(&text);
    scrape_manager_apply(w->manager, c);
}

static void apply(World *w, const char *job) { apply_every(w, 100, job); }

/* The newest value of the series with this text: false while there is none. */
static bool newest(World *w, const char *series, double *ret, size_t *ret_n) {
    Arena *arena = arena_create((size_t)64 << 20);
    MetricsSelect req = {.max_t_ms = INT64_MAX, .arena = arena};
    SeriesColumns cols;
    bool found = false;
    assert_int_equal(w->store->ops->select(w->store, &req, &cols, NULL), OK);
    for (size_t i = 0; i < cols.n && !found; i++) {
        Buf b = {0};
        labels_put_text(&b, cols.v[i].labels);
        found = str_eq(buf_str(&b), str_cstr(series));
        if (found) *ret = cols.v[i].value[cols.v[i].n - 1], *ret_n = cols.v[i].n;
        buf_done(&b);
    }
    arena_free(arena);
    return found;
}

#define STALE (-1e300)
/* PORT in the series stands for the server's. */
static void wait_for(World *w, const char *pattern, double want) {
    char series[256];
    const char *at = strstr(pattern, "PORT");
    if (at)
        snprintf(series, sizeof series, "%.*s%u%s", (int)(at - pattern), pattern, w->port, at + 4);
    else
        snprintf(series, sizeof series, "%s", pattern);
    double v = 0;
    size_t n = 0;
    for (int i = 0; i < 500; i++) {
        if (newest(w, series, &v, &n) && (want == STALE ? is_stale_nan(v) : v == want)) return;
        clock_sleep_ms(10);
    }
    fail_msg("%s: newest of %zu is %g, not %g", series, n, v, want);
}

/* What is known of the one target. It is told of a scrape a moment after the samples have been stored. */
static ScrapeTargetInfo wait_for_error(World *w, const char *error, Arena *arena) {
    ScrapeTargetInfo *t = NULL;
    size_t n;
    for (int i = 0; i < 500; i++) {
        arena_reset(arena);
        assert_int_equal(scrape_manager_targets(w->manager, arena, &t, &n, NULL), OK);
        assert_int_equal(n, 1);
        if (str_eq(t[0].last_error, str_cstr(error))) return t[0];
        clock_sleep_ms(10);
    }
    fail_msg("the target's error is \"%" STR_FMT "\"", STR_ARG(t[0].last_error));
    return t[0];
}

static void test_values_and_staleness(void **state) {
    (void)state;
    World *w = world_new();
    set_answer(w, 200, "text/plain; version=0.0.4",
        "# HELP a Help.\n# TYPE a counter\na{x=\"1\"} 5\na{x=\"2\",job=\"mine\"} 6\n");
    apply(w, "  params: {q: ['a b']}\n  scrape_timeout: 90ms\n");
    wait_for(w, "a{instance=\"127.0.0.1:PORT\", job=\"j\", x=\"1\"}", 5);
    wait_for(w, "a{exported_job=\"mine\", instance=\"127.0.0.1:PORT\", job=\"j\", x=\"2\"}", 6);
    wait_for(w, "up{instance=\"127.0.0.1:PORT\", job=\"j\"}", 1);
    wait_for(w, "scrape_samples_scraped{instance=\"127.0.0.1:PORT\", job=\"j\"}", 2);
    wait_for(w, "scrape_series_added{instance=\"127.0.0.1:PORT\", job=\"j\"}", 0);
    assert_string_equal(w->seen, "/metrics?q=a+b timeout 0.09 om");
    set_answer(w, 200, "text/plain", "a{x=\"1\"} 7\n");
    wait_for(w, "a{exported_job=\"mine\", instance=\"127.0.0.1:PORT\", job=\"j\", x=\"2\"}", STALE);
    wait_for(w, "a{instance=\"127.0.0.1:PORT\", job=\"j\", x=\"1\"}", 7);
    set_answer(w, 500, "text/plain", "oops");
    wait_for(w, "up{instance=\"127.0.0.1:PORT\", job=\"j\"}", 0);
    wait_for(w, "a{instance=\"127.0.0.1:PORT\", job=\"j\", x=\"1\"}", STALE);
    Arena *arena = arena_create(1 << 20);
    ScrapeTargetInfo t = wait_for_error(w, "server returned HTTP status 500 Internal Server Error", arena);
    assert_true(t.health == SCRAPE_DOWN && str_eq_lit(t.pool, "j"));
    arena_free(arena);
    set_answer(w, 200, "text/plain", "a 1\nb{ 2\n"); /* all or nothing */
    clock_sleep_ms(250);
    wait_for(w, "up{instance=\"127.0.0.1:PORT\", job=\"j\"}", 0);
    double v;
    size_t n;
    char series[128];
    snprintf(series, sizeof series, "a{instance=\"127.0.0.1:%u\", job=\"j\"}", w->port);
    assert_false(newest(w, series, &v, &n));
    set_answer(w, 200, "", "a 1\n# EOF\n"); /* no type: the body decides */
    wait_for(w, "a{instance=\"127.0.0.1:PORT\", job=\"j\"}", 1);
    scrape_manager_apply(w->manager, NULL);
    wait_for(w, "a{instance=\"127.0.0.1:PORT\", job=\"j\"}", STALE);
    wait_for(w, "up{instance=\"127.0.0.1:PORT\", job=\"j\"}", STALE);
    world_free(w);
}

static void test_limits_and_relabelling(void **state) {
    (void)state;
    World *w = world_new();
    set_answer(w, 200, "text/plain", "a 1\nb 2\nc 3\n");
    apply(w, "  sample_limit: 2\n");
    wait_for(w, "scrape_samples_post_metric_relabeling{instance=\"127.0.0.1:PORT\", job=\"j\"}", 3);
    wait_for(w, "up{instance=\"127.0.0.1:PORT\", job=\"j\"}", 0);
    apply(w, "  sample_limit: 2\n  metric_relabel_configs: [{source_labels: [__name__], regex: b, action: drop}]\n");
    wait_for(w, "a{instance=\"127.0.0.1:PORT\", job=\"j\"}", 1);
    wait_for(w, "scrape_samples_post_metric_relabeling{instance=\"127.0.0.1:PORT\", job=\"j\"}", 2);
    apply(w, "  relabel_configs: [{target_label: instance, replacement: me}]\n");
    wait_for(w, "b{instance=\"me\", job=\"j\"}", 2);
    wait_for(w, "a{instance=\"127.0.0.1:PORT\", job=\"j\"}", STALE);
    apply(w, "  relabel_configs: [{source_labels: [job], regex: j, action: drop}]\n");
    Arena *arena = arena_create(1 << 20);
    ScrapeTargetInfo *t;
    size_t n;
    assert_int_equal(scrape_manager_targets(w->manager, arena, &t, &n, NULL), OK);
    assert_true(n == 1 && t[0].dropped && str_eq_lit(labels_get(t[0].discovered, STR("__metrics_path__")), "/metrics"));
    arena_free(arena);
    world_free(w);
}

/* --- reload --- */
static SeriesColumn series_of(World *w, const char *metric, Arena *arena) {
    MetricsSelect req = {.max_t_ms = INT64_MAX, .arena = arena};
    SeriesColumns cols;
    assert_int_equal(w->store->ops->select(w->store, &req, &cols, NULL), OK);
    for (size_t i = 0; i < cols.n; i++)
        if (str_eq(labels_get(cols.v[i].labels, LABEL_NAME_METRIC), str_cstr(metric))) return cols.v[i];
    fail_msg("no series %s", metric);
    return (SeriesColumn){0};
}

static size_t count_of(World *w, const char *metric, bool stale) {
    Arena *arena = arena_create((size_t)64 << 20);
    SeriesColumn c = series_of(w, metric, arena);
    size_t n = 0;
    for (size_t i = 0; i < c.n; i++) n += is_stale_nan(c.value[i]) == stale;
    arena_free(arena);
    return n;
}

/* Each moment of the schedule is used once, whatever changes in between: unchanged settings, others, others that say
 * how series are stored; and nothing says that anything has ended. */
static void test_reload_keeps(void **state) {
    (void)state;
    enum { EVERY_MS = 200 };
    static const char *const jobs[] = {"", "", "  sample_limit: 7\n", "  scrape_timeout: 150ms\n",
        "  metric_relabel_configs: [{source_labels: [__name__], regex: b, action: drop}]\n"};
    World *w = world_new();
    Arena *arena = arena_create((size_t)64 << 20);
    set_answer(w, 200, "text/plain", "a 1\n");
    for (int i = 0; i < 120; i++) {
        apply_every(w, EVERY_MS, jobs[(size_t)i % ARRAY_LEN(jobs)]);
        clock_sleep_ms(10);
    }
    wait_for(w, "a{instance=\"127.0.0.1:PORT\", job=\"j\"}", 1);
    clock_sleep_ms(3 * EVERY_MS);
    SeriesColumn up = series_of(w, "up", arena);
    int64_t offset = w->manager->pools.v[0]->targets.v[0]->offset_ms;
    for (size_t i = 1; i < up.n; i++)
        assert_true((up.t_ms[i] - offset) / EVERY_MS > (up.t_ms[i - 1] - offset) / EVERY_MS);
    assert_int_equal(count_of(w, "up", true), 0);
    assert_int_equal(count_of(w, "a", true), 0);
    arena_free(arena);
    world_free(w);
}

/* A target that goes has ended when it would have been asked again; one that comes back in time has not. */
static void test_leaving(void **state) {
    (void)state;
    enum { EVERY_MS = 500 };
    World *w = world_new();
    Arena *arena = arena_create((size_t)64 << 20);
    set_answer(w, 200, "text/plain", "a 1\n");
    apply_every(w, EVERY_MS, "");
    wait_for(w, "a{instance=\"127.0.0.1:PORT\", job=\"j\"}", 1);
    apply_every(w, EVERY_MS, "  relabel_configs: [{action: drop}]\n");
    apply_every(w, EVERY_MS, "");
    size_t n = count_of(w, "a", false);
    for (int i = 0; count_of(w, "a", false) < n + 4 && i < 500; i++) clock_sleep_ms(20);
    assert_int_equal(count_of(w, "a", true), 0);
    int64_t offset = w->manager->pools.v[0]->targets.v[0]->offset_ms;
    apply_every(w, EVERY_MS, "  relabel_configs: [{action: drop}]\n");
    assert_int_equal(count_of(w, "a", true), 0); /* not yet */
    wait_for(w, "a{instance=\"127.0.0.1:PORT\", job=\"j\"}", STALE);
    wait_for(w, "scrape_samples_scraped{instance=\"127.0.0.1:PORT\", job=\"j\"}", STALE);
    SeriesColumn a = series_of(w, "a", arena);
    int64_t last = a.t_ms[a.n - 2], end = a.t_ms[a.n - 1];
    assert_true(end > last && end % EVERY_MS == offset);
    assert_int_equal(count_of(w, "a", true), 1);
    arena_free(arena);
    world_free(w);
}

/* The ends that one append tells may lie far apart: targets have intervals of their own. */
static void test_ends_together(void **state) {
    (void)state;
    enum { APART_MS = 30 * 60000 };
    World *w = world_new();
    ScrapeManager *m = w->manager;
    char other[64];
    set_answer(w, 200, "text/plain", "a 1\n");
    snprintf(other, sizeof other, "  - targets: ['localhost:%u']\n", w->port);
    apply_every(w, 500, other);
    wait_for(w, "a{instance=\"127.0.0.1:PORT\", job=\"j\"}", 1);
    wait_for(w, "a{instance=\"localhost:PORT\", job=\"j\"}", 1);
    scrape_manager_apply(m, NULL);
    mutex_lock(&m->lock); /* before they are due */
    LeavingVec leaving = m->leaving;
    m->leaving = (LeavingVec){0};
    mutex_unlock(&m->lock);
    assert_int_equal(leaving.n, 2);
    leaving.v[1].end_ms = leaving.v[0].end_ms + APART_MS;
    clock_sleep_ms(1000); /* what was out has come back */
    scrape_end(leaving.v, leaving.n, w->store);
    vec_foreach(LeavingTarget, l, &leaving) scrape_target_unref(l->target);
    vec_done(&leaving);
    wait_for(w, "a{instance=\"127.0.0.1:PORT\", job=\"j\"}", STALE);
    wait_for(w, "a{instance=\"localhost:PORT\", job=\"j\"}", STALE);
    world_free(w);
}

/* Prometheus' own test of it: all targets of one address but for a number, a tenth of a second out of ten. */
static void test_offsets_spread(void **state) {
    (void)state;
    enum { TARGETS = 10000, SLOTS = 100, EXPECTED = TARGETS / SLOTS };
    const Label pair[] = {{STR_INIT("replica"), STR_INIT("b")}};
    uint64_t seeds[2] = {scrape_offset_seed((Labels){0}), scrape_offset_seed((Labels){pair, 1})};
    PromScrapeConfig job = {.job_name = STR("j"),
        .scheme = STR("http"),
        .metrics_path = STR("/metrics"),
        .interval_ms = 10000,
        .timeout_ms = 1000};
    Arena *arena = arena_create(ARENA_UNLIMITED);
    unsigned slots[2][SLOTS] = {0}, same = 0;
    for (unsigned i = 0; i < TARGETS; i++) {
        char address[32];
        Str discovered;
        const char *why;
        int64_t offset[2];
        snprintf(address, sizeof address, "host:%u", i);
        Label l = {STR("__address__"), str_cstr(address)};
        ScrapeTarget *t = scrape_target_create(&job, (Labels){&l, 1}, arena, &discovered, &why);
        for (int k = 0; k < 2; k++) {
            scrape_target_set_offset(t, seeds[k]);
            offset[k] = t->offset_ms;
            slots[k][t->offset_ms / 100]++;
        }
        same += offset[0] == offset[1];
        scrape_target_unref(t);
    }
    arena_free(arena);
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < SLOTS; i++) assert_in_range(slots[k][i], EXPECTED / 2, EXPECTED * 3 / 2);
    assert_true(same < 50); /* a second server of a pair asks at another time */
}

/* What checks show of a target: as text, before and after relabelling. */
static void test_labels_of_targets(void **state) {
    (void)state;
    static const struct {
        const char *address, *replacement, *why; /* replacement: of a rule that writes __address__; NULL: none */
        bool drop;
        size_t labels;
    } cases[] = {{"h:1", NULL, NULL, false, 11}, {"h:1", "x:2", NULL, false, 11}, {"h:1", "", "no address", false, 0},
        {"h/1", NULL, "the address is not a valid hostname", false, 0}, {"h:1", NULL, NULL, true, 0}};
    const Str values[] = {STR_INIT("m1"), STR_INIT("m2")};
    const PromParam param = {.name = STR_INIT("module"), .values = values, .n = 2};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        RelabelRule rule = {.action = cases[i].drop ? RELABEL_DROPEQUAL : RELABEL_REPLACE,
            .source_labels = &(const Str)STR_INIT("job"),
            .n_source_labels = 1,
            .target_label = cases[i].drop ? STR("job") : STR("__address__"),
            .replacement = cases[i].replacement ? str_cstr(cases[i].replacement) : STR("")};
        Regex *any = NULL;
        assert_int_equal(regex_compile(STR("^(?s:(.*))$"), 0, &any, NULL), OK);
        rule.regex = any;
        PromScrapeConfig job = {.job_name = STR("j"),
            .scheme = STR("http"),
            .metrics_path = STR("/m"),
            .interval_ms = 10000,
            .timeout_ms = 1000,
            .params = {&param, 1},
            .relabel = {&rule, cases[i].replacement || cases[i].drop}};
        const Label found[] = {
            {STR_INIT("__address__"), str_cstr(cases[i].address)}, {STR_INIT("__meta_x"), STR_INIT("y")}};
        Labels before, after;
        const char *why = scrape_target_labels(&job, (Labels){found, 2}, arena, &before, &after);
        assert_true((why == NULL) == (cases[i].why == NULL) && (!why || strcmp(why, cases[i].why) == 0));
        assert_int_equal(after.n, cases[i].labels);
        assert_int_equal(before.n, 11);
        assert_true(str_eq_lit(labels_get(before, STR("__param_module")), "m1"));
        Str address = str_cstr(cases[i].replacement ? cases[i].replacement : cases[i].address);
        if (after.n) assert_true(str_eq(labels_get(after, STR("instance")), address));
        for (size_t k = 1; k < after.n; k++) assert_true(str_cmp(after.v[k - 1].name, after.v[k].name) < 0);
        regex_free(any);
        arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_of_targets),
        cmocka_unit_test(test_offsets_spread),
        cmocka_unit_test(test_values_and_staleness),
        cmocka_unit_test(test_limits_and_relabelling),
        cmocka_unit_test(test_reload_keeps),
        cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_ends_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
