#include "metrics/scrape/scrape_int.h"

#include "base/timefmt.h"
#include "net/server.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { EVERY_MS = 600000, SEC_MS = 1000 };

/* A target whose answer the test changes, a store, a manager. Time stands still until the test moves it; requests may
 * take as long as they like (their timeouts are real, and as long as the interval). */
typedef struct World {
    Fs *fs;
    MetricsStore *store;
    Router *router;
    NetServer *server;
    uint16_t port;
    ScrapeManager *manager;
    Mutex lock; /* held: no answer comes */
    int status;
    const char *body, *type;
    char seen[512];
} World;

static void handler(void *ctx, HttpRequest *req, HttpResponse *res) {
    World *w = ctx;
    mutex_lock(&w->lock);
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
    clock_fake_set(INT64_C(1700000000) * NS_PER_S);
    mutex_init(&w->lock);
    w->fs = fs_fault_create(1);
    MetricsStoreOptions so = {.durable = true};
    assert_int_equal(metrics_store_open(w->fs, "/data", &so, &w->store, &err), OK);
    w->router = router_create();
    Route route = {.methods = HTTP_GET, .pattern = "/{rest...}", .handler = handler, .ctx = w, .cls = ROUTE_QUERY};
    router_add(w->router, &route);
    enum { LONG_MS = 1000000000 }; /* nobody is slow because time leaps */
    NetServerOptions o = {
        .io_threads = 1, .header_timeout_ms = LONG_MS, .idle_timeout_ms = LONG_MS, .body_timeout_ms = LONG_MS};
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
    clock_fake_off();
    net_server_drain(w->server, 1000);
    net_server_free(w->server);
    router_free(w->router);
    w->store->ops->close(w->store);
    fs_fault_free(w->fs);
    mutex_done(&w->lock);
    mem_free(w);
}

static void apply(World *w, const char *job) {
    Buf text = {0};
    buf_printf(&text,
        "scrape_configs:\n- job_name: j\n  scrape_interval: 10m\n  scrape_timeout: 9m30s500ms\n"
        "  static_configs:\n  - targets: ['127.0.0.1:%u']\n%s",
        w->port, job);
    DiagList diags;
    PromConfig *c;
    diag_init(&diags, STR("p.yml"), buf_str(&text));
    if (prom_config_parse(buf_str(&text), STR(""), &c, &diags) != OK) fail_msg("%s", diags.items.v[0].msg);
    diag_done(&diags);
    buf_done(&text);
    scrape_manager_apply(w->manager, c);
}

/* --- time --- */
/* Of the real one: for others to get on. */
static void wait_a_little(void) { (void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL); }

static void pass(World *w, int64_t ms) {
    clock_fake_advance(ms * NS_PER_MS);
    mutex_lock(&w->manager->lock);
    cond_broadcast(&w->manager->changed);
    mutex_unlock(&w->manager->lock);
}

/* Until so many scrapes are out. The test's time limit ends it when that never happens. */
static void await_flights(World *w, size_t n) {
    ScrapeManager *m = w->manager;
    for (bool there = false; !there;) {
        mutex_lock(&m->lock);
        there = m->flights == n;
        mutex_unlock(&m->lock);
        if (!there) wait_a_little();
    }
}

static void await_leaving(World *w, size_t n) {
    for (bool there = false; !there;) {
        mutex_lock(&w->manager->lock);
        there = w->manager->leaving.n == n;
        mutex_unlock(&w->manager->lock);
        if (!there) wait_a_little();
    }
}

/* To the moment the next scrape is due: it is sent, and the moment given. Its answer needs w->lock. */
static int64_t begin_scrape(World *w) {
    mutex_lock(&w->manager->lock);
    int64_t due = ((ScrapeTarget *)heap_peek(&w->manager->due))->due_ms;
    mutex_unlock(&w->manager->lock);
    mutex_lock(&w->lock);
    pass(w, due - clock_now_ms());
    await_flights(w, 1);
    mutex_unlock(&w->lock);
    return due;
}

static int64_t scrape(World *w) {
    int64_t due = begin_scrape(w);
    await_flights(w, 0);
    return due;
}

/* --- what is stored --- */
/* The text of a series, in which PORT stands for the server's. */
static SeriesColumn series_of(World *w, const char *pattern, Arena *arena) {
    char series[256];
    const char *at = strstr(pattern, "PORT");
    if (at)
        snprintf(series, sizeof series, "%.*s%u%s", (int)(at - pattern), pattern, w->port, at + 4);
    else
        snprintf(series, sizeof series, "%s", pattern);
    MetricsSelect req = {.max_t_ms = INT64_MAX, .arena = arena};
    SeriesColumns cols;
    SeriesColumn found = {0};
    assert_int_equal(w->store->ops->select(w->store, &req, &cols, NULL), OK);
    for (size_t i = 0; i < cols.n && !found.n; i++) {
        Buf b = {0};
        labels_put_text(&b, cols.v[i].labels);
        if (str_eq(buf_str(&b), str_cstr(series))) found = cols.v[i];
        buf_done(&b);
    }
    return found;
}

static const double NONE = -1e299, STALE = -1e300;
/* The newest value of a series. */
static double newest(World *w, const char *pattern) {
    Arena *arena = arena_create((size_t)64 << 20);
    SeriesColumn c = series_of(w, pattern, arena);
    double v = c.n ? c.value[c.n - 1] : NONE;
    arena_free(arena);
    return is_stale_nan(v) ? STALE : v;
}

static void expect(World *w, const char *pattern, double want) {
    double v = newest(w, pattern);
    if (v != want) fail_msg("%s: newest is %g, not %g", pattern, v, want);
}

/* Another thread tells of the end. */
static void await_end(World *w, const char *pattern) {
    while (newest(w, pattern) != STALE) wait_a_little();
}

static size_t count_of(World *w, const char *pattern, bool stale) {
    Arena *arena = arena_create((size_t)64 << 20);
    SeriesColumn c = series_of(w, pattern, arena);
    size_t n = 0;
    for (size_t i = 0; i < c.n; i++) n += is_stale_nan(c.value[i]) == stale;
    arena_free(arena);
    return n;
}

#define A "a{instance=\"127.0.0.1:PORT\", job=\"j\"}"
#define A1 "a{instance=\"127.0.0.1:PORT\", job=\"j\", x=\"1\"}"
#define A2 "a{exported_job=\"mine\", instance=\"127.0.0.1:PORT\", job=\"j\", x=\"2\"}"
#define UP "up{instance=\"127.0.0.1:PORT\", job=\"j\"}"
#define SCRAPED "scrape_samples_scraped{instance=\"127.0.0.1:PORT\", job=\"j\"}"
#define KEPT "scrape_samples_post_metric_relabeling{instance=\"127.0.0.1:PORT\", job=\"j\"}"
#define ADDED "scrape_series_added{instance=\"127.0.0.1:PORT\", job=\"j\"}"

static ScrapeTargetInfo the_target(World *w, Arena *arena) {
    ScrapeTargetInfo *t;
    size_t n;
    assert_int_equal(scrape_manager_targets(w->manager, arena, &t, &n, NULL), OK);
    assert_int_equal(n, 1);
    return t[0];
}

static void test_values_and_staleness(void **state) {
    (void)state;
    World *w = world_new();
    set_answer(w, 200, "text/plain; version=0.0.4",
        "# HELP a Help.\n# TYPE a counter\na{x=\"1\"} 5\na{x=\"2\",job=\"mine\"} 6\n");
    apply(w, "  params: {q: ['a b']}\n");
    scrape(w);
    expect(w, A1, 5);
    expect(w, A2, 6);
    expect(w, UP, 1);
    expect(w, SCRAPED, 2);
    expect(w, ADDED, 2);
    scrape(w);
    expect(w, ADDED, 0);
    assert_string_equal(w->seen, "/metrics?q=a+b timeout 570.5 om"); /* nobody writes while nothing is out */
    set_answer(w, 200, "text/plain", "a{x=\"1\"} 7\n");
    scrape(w);
    expect(w, A2, STALE);
    expect(w, A1, 7);
    set_answer(w, 500, "text/plain", "oops");
    scrape(w);
    expect(w, UP, 0);
    expect(w, A1, STALE);
    Arena *arena = arena_create(1 << 20);
    ScrapeTargetInfo t = the_target(w, arena);
    assert_true(t.health == SCRAPE_DOWN && str_eq_lit(t.pool, "j"));
    assert_true(str_eq_lit(t.last_error, "server returned HTTP status 500 Internal Server Error"));
    arena_free(arena);
    set_answer(w, 200, "text/plain", "a 1\nb{ 2\n"); /* all or nothing */
    scrape(w);
    expect(w, UP, 0);
    expect(w, A, NONE);
    set_answer(w, 200, "", "a 1\n# EOF\n"); /* no type: the body decides */
    scrape(w);
    expect(w, A, 1);
    scrape_manager_apply(w->manager, NULL);
    pass(w, 3 * EVERY_MS);
    await_end(w, A);
    await_end(w, UP);
    world_free(w);
}

static void test_limits_and_relabelling(void **state) {
    (void)state;
    World *w = world_new();
    set_answer(w, 200, "text/plain", "a 1\nb 2\nc 3\n");
    apply(w, "  sample_limit: 2\n");
    scrape(w);
    expect(w, KEPT, 3);
    expect(w, UP, 0);
    apply(w, "  sample_limit: 2\n  metric_relabel_configs: [{source_labels: [__name__], regex: b, action: drop}]\n");
    scrape(w);
    expect(w, A, 1);
    expect(w, KEPT, 2);
    apply(w, "  relabel_configs: [{target_label: instance, replacement: me}]\n");
    scrape(w);
    expect(w, "b{instance=\"me\", job=\"j\"}", 2);
    pass(w, 3 * EVERY_MS);
    await_end(w, A);
    apply(w, "  relabel_configs: [{source_labels: [job], regex: j, action: drop}]\n");
    Arena *arena = arena_create(1 << 20);
    ScrapeTargetInfo t = the_target(w, arena);
    assert_true(t.dropped && str_eq_lit(labels_get(t.discovered, STR("__metrics_path__")), "/metrics"));
    arena_free(arena);
    world_free(w);
}

/* --- reload --- */
/* Each moment of the schedule is used once, whatever changes in between or while a scrape is out: unchanged settings,
 * others, others that say how series are stored; and nothing says that anything has ended. */
static void test_reload_keeps(void **state) {
    (void)state;
    enum { ROUNDS = 60 };
    static const char *const jobs[] = {"", "", "  sample_limit: 7\n", "  honor_labels: true\n",
        "  metric_relabel_configs: [{source_labels: [__name__], regex: b, action: drop}]\n"};
    World *w = world_new();
    Arena *arena = arena_create((size_t)64 << 20);
    int64_t due[ROUNDS];
    set_answer(w, 200, "text/plain", "a 1\n");
    apply(w, jobs[0]);
    for (size_t i = 0; i < ROUNDS; i++) {
        mutex_lock(&w->manager->lock);
        due[i] = ((ScrapeTarget *)heap_peek(&w->manager->due))->due_ms;
        mutex_unlock(&w->manager->lock);
        if (i % 3) pass(w, 3 * SEC_MS);
        apply(w, jobs[i % ARRAY_LEN(jobs)]);
        mutex_lock(&w->lock);
        pass(w, due[i] - clock_now_ms());
        await_flights(w, 1);
        if (i % 2) apply(w, jobs[(i + i / 7) % ARRAY_LEN(jobs)]);
        mutex_unlock(&w->lock);
        await_flights(w, 0);
    }
    SeriesColumn up = series_of(w, UP, arena);
    assert_int_equal(up.n, ROUNDS);
    for (size_t i = 0; i < ROUNDS; i++) {
        assert_true(up.t_ms[i] == due[i] && due[i] == due[0] + (int64_t)i * EVERY_MS);
        assert_true(up.value[i] == 1);
    }
    assert_int_equal(count_of(w, A, false), ROUNDS);
    assert_int_equal(count_of(w, A, true), 0);
    arena_free(arena);
    world_free(w);
}

/* A target that goes has ended when it would have been asked again; one that comes back in time has not. */
static void test_leaving(void **state) {
    (void)state;
    World *w = world_new();
    Arena *arena = arena_create((size_t)64 << 20);
    set_answer(w, 200, "text/plain", "a 1\n");
    apply(w, "");
    scrape(w);
    apply(w, "  relabel_configs: [{action: drop}]\n");
    apply(w, "");
    for (int i = 0; i < 4; i++) scrape(w);
    assert_int_equal(count_of(w, A, false), 5);
    assert_int_equal(count_of(w, A, true), 0);
    int64_t last = scrape(w);
    apply(w, "  relabel_configs: [{action: drop}]\n");
    pass(w, EVERY_MS);
    assert_int_equal(count_of(w, A, true), 0); /* not yet */
    pass(w, 2 * EVERY_MS);
    await_end(w, A);
    await_end(w, SCRAPED);
    SeriesColumn a = series_of(w, A, arena);
    assert_true(a.n == 7 && a.t_ms[5] == last && a.t_ms[6] == last + EVERY_MS);
    assert_int_equal(count_of(w, A, true), 1);
    arena_free(arena);
    world_free(w);
}

/* A machine that is busy: the next scrape, under other settings, is late or takes long. It is no end. */
static void test_late(void **state) {
    (void)state;
    static const char other[] = "a{instance=\"other\", job=\"j\"}";
    for (int back = 0; back < 2; back++) {
        World *w = world_new();
        char both[96];
        set_answer(w, 200, "text/plain", "a 1\n");
        snprintf(both, sizeof both, "  - targets: ['127.0.0.1:%u']\n    labels: {instance: other}\n", w->port);
        apply(w, both);
        scrape(w);
        scrape(w);
        if (back) apply(w, "  relabel_configs: [{action: drop}]\n");
        apply(w, "  sample_limit: 7\n"); /* the other one leaves for good */
        int64_t due = 0;
        mutex_lock(&w->manager->lock);
        due = ((ScrapeTarget *)heap_peek(&w->manager->due))->due_ms;
        mutex_unlock(&w->manager->lock);
        mutex_lock(&w->lock);
        pass(w, due - clock_now_ms());
        await_flights(w, 1);
        pass(w, 3 * EVERY_MS);
        await_end(w, other); /* it is told of both in one go */
        assert_int_equal(count_of(w, A, true), 0);
        mutex_unlock(&w->lock);
        await_flights(w, 0);
        scrape(w);
        pass(w, SEC_MS);
        await_leaving(w, 0);
        assert_int_equal(count_of(w, A, true), 0);
        assert_int_equal(count_of(w, UP, true), 0);
        assert_int_equal(count_of(w, A, false), 3);
        world_free(w);
    }
}

/* The ends that one append tells may lie far apart: targets have intervals of their own. */
static void test_ends_together(void **state) {
    (void)state;
    enum { APART_MS = 30 * 60000 };
    static const char other[] = "a{instance=\"other\", job=\"j\"}";
    World *w = world_new();
    ScrapeManager *m = w->manager;
    char target[96];
    set_answer(w, 200, "text/plain", "a 1\n");
    snprintf(target, sizeof target, "  - targets: ['127.0.0.1:%u']\n    labels: {instance: other}\n", w->port);
    apply(w, target);
    scrape(w);
    scrape(w);
    expect(w, A, 1);
    expect(w, other, 1);
    scrape_manager_apply(m, NULL);
    mutex_lock(&m->lock); /* before they are due */
    LeavingVec leaving = m->leaving;
    m->leaving = (LeavingVec){0};
    mutex_unlock(&m->lock);
    assert_int_equal(leaving.n, 2);
    leaving.v[1].end_ms = leaving.v[0].end_ms + APART_MS;
    scrape_end(leaving.v, leaving.n, w->store);
    vec_foreach(LeavingTarget, l, &leaving) scrape_target_unref(l->target);
    vec_done(&leaving);
    expect(w, A, STALE);
    expect(w, other, STALE);
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
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_ends_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
