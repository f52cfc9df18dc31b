/* Records, the queue on disk under crashes and failures, checkpoints. */
#include "metrics/remote/remote_int.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void put_text(Spool *s, const char *text) { assert_int_equal(spool_append(s, str_cstr(text), NULL), OK); }

static Spool *open_spool(Fs *fs, uint64_t segment_bytes) {
    Spool *s;
    SpoolOptions opts = {.segment_bytes = segment_bytes, .durable = true};
    assert_int_equal(spool_open(fs, "/q", &opts, 0, &s, NULL), OK);
    return s;
}

/* Everything from pos on, with blanks between. */
static void read_all(Spool *s, SpoolPos pos, Buf *out) {
    SpoolReader r = spool_reader(s, pos);
    Buf record = {0};
    buf_clear(out);
    while (spool_read(&r, &record, NULL) == 1) {
        buf_put_str(out, buf_str(&record));
        buf_put_char(out, ' ');
    }
    buf_done(&record);
    spool_reader_done(&r);
}

static void assert_holds(Spool *s, SpoolPos pos, const char *want) {
    Buf got = {0};
    read_all(s, pos, &got);
    assert_string_equal(buf_cstr(&got), want);
    buf_done(&got);
}

static void test_order_over_segments_and_restarts(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    Spool *s = open_spool(fs, 64);
    const char *words[] = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"};
    for (size_t i = 0; i < 5; i++) put_text(s, words[i]);
    assert_holds(s, 0, "alpha beta gamma delta epsilon ");
    SpoolPos end = spool_end(s);
    spool_close(s);
    s = open_spool(fs, 64);
    for (size_t i = 5; i < 8; i++) put_text(s, words[i]);
    assert_holds(s, 0, "alpha beta gamma delta epsilon zeta eta theta ");
    assert_holds(s, end, "zeta eta theta ");
    SpoolPos near = spool_within(s, 40);
    assert_true(spool_bytes_from(s, near) <= 40);
    spool_trim(s, end);
    assert_holds(s, end, "zeta eta theta ");
    assert_true(spool_first(s) > (UINT64_C(1) << 32));
    spool_close(s);
    fs_fault_free(fs);
}

/* Whatever the power cut does: what was acknowledged is there, once, in order, and nothing else. */
static void test_power_cuts(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        Fs *fs = fs_fault_create(seed);
        Buf want = {0};
        for (int life = 0; life < 3; life++) {
            Spool *s = open_spool(fs, 256);
            for (int i = 0; i < 20; i++) {
                char text[40];
                snprintf(text, sizeof text, "life%d-record%d", life, i);
                put_text(s, text);
                buf_printf(&want, "%s ", text);
            }
            fs_fault_crash(fs);
            spool_close(s);
        }
        Spool *s = open_spool(fs, 256);
        assert_holds(s, 0, buf_cstr(&want));
        spool_close(s);
        buf_done(&want);
        fs_fault_free(fs);
    }
}

static void test_failed_writes_are_not_kept(void **state) {
    (void)state;
    static const FaultKind kinds[] = {FAULT_EIO, FAULT_ENOSPC, FAULT_SHORT_WRITE};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (uint64_t nth = 1; nth <= 2; nth++) {
            Fs *fs = fs_fault_create(nth);
            Spool *s = open_spool(fs, 0);
            put_text(s, "before");
            fs_fault_arm(fs, kinds[k], nth, false);
            bool kept = spool_append(s, STR("doubtful"), NULL) == OK;
            put_text(s, "after");
            assert_holds(s, 0, kept ? "before doubtful after " : "before after ");
            spool_close(s);
            fs_fault_free(fs);
        }
    }
}

static void test_damage_costs_one_segment(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    Spool *s = open_spool(fs, 0);
    put_text(s, "one");
    put_text(s, "two");
    spool_close(s);
    s = open_spool(fs, 0);
    put_text(s, "three");
    spool_close(s);
    fs_fault_flip_bit(fs, "/q/0000000000000001.queue", (16 + 11 + 9) * 8);
    s = open_spool(fs, 0);
    put_text(s, "four");
    assert_holds(s, 0, "one three four ");
    spool_close(s);
    fs_fault_free(fs);
}

static void append_many(void *ctx) {
    for (int i = 0; i < 200; i++) put_text(ctx, "x");
}

static void test_many_writers(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    Spool *s = open_spool(fs, 300);
    Thread *threads[4];
    for (size_t i = 0; i < 4; i++) assert_non_null((threads[i] = thread_start("writer", append_many, s)));
    for (size_t i = 0; i < 4; i++) thread_join(threads[i]);
    Buf got = {0};
    read_all(s, 0, &got);
    assert_int_equal(got.n, 4 * 200 * 2);
    buf_done(&got);
    spool_close(s);
    fs_fault_free(fs);
}

static void test_checkpoint(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    CheckpointFile file;
    Checkpoint c;
    assert_int_equal(checkpoint_open(fs, "/c", 77, &file, &c, NULL), OK);
    assert_int_equal(c.acked, 77);
    for (uint64_t i = 1; i <= 5; i++)
        assert_int_equal(checkpoint_write(&file, &(Checkpoint){100 * i, 100 * i + 50, 3}, NULL), OK);
    checkpoint_close(&file);
    assert_int_equal(checkpoint_open(fs, "/c", 0, &file, &c, NULL), OK);
    assert_int_equal(c.acked, 500);
    assert_int_equal(c.sending, 550);
    assert_int_equal(c.shards, 3);
    checkpoint_close(&file);
    for (uint64_t bit = 0; bit < 2; bit++) fs_fault_flip_bit(fs, "/c", 20 * 8 + bit); /* one slot of two */
    assert_int_equal(checkpoint_open(fs, "/c", 0, &file, &c, NULL), OK);
    assert_true(c.acked == 500 || c.acked == 400);
    checkpoint_close(&file);
    fs_fault_free(fs);
}

/* What the store refused is not in the record; floats, stale markers, histograms and exemplars are, bit by bit. */
static void test_records(void **state) {
    (void)state;
    Arena *a = arena_create(ARENA_UNLIMITED);
    MetricsBatch b = {.arena = a};
    Label one[] = {{STR("__name__"), STR("m")}, {STR("job"), STR("j")}}, two[] = {{STR("__name__"), STR("h")}};
    Labels l1 = {one, 2}, l2 = {two, 1};
    for (int64_t t = 1; t <= 6; t++)
        assert_true(metrics_batch_add(&b, l1, t, t == 3 ? stale_nan() : 0.1 * (double)t) &&
                    metrics_batch_set_start(&b, t == 5 ? 0 : -t));
    b.series.n = 1;
    b.series.v[0].n_samples = 6;
    HistogramSpan span = {-2, 3};
    double counts[] = {1, 5, 2};
    Histogram h = {.schema = 3,
        .count = 9,
        .sum = 0.5,
        .zero_count = 1,
        .zero_threshold = 1e-9,
        .pos_spans = &span,
        .n_pos_spans = 1,
        .pos = counts,
        .n_pos = 3};
    Exemplar e = {{one + 1, 1}, 7, 5};
    assert_true(avec_push(a, &b.histograms, h) && avec_push(a, &b.histogram_t_ms, 9) && avec_push(a, &b.exemplars, e));
    assert_true(metrics_batch_set_histogram_start(&b, 8));
    assert_true(avec_push(a, &b.series, (BatchSeries){.labels = l2, .n_histograms = 1, .n_exemplars = 1}));
    assert_true(avec_push(a, &b.series, (BatchSeries){.labels = l2, .n_samples = 6})); /* refused */
    uint32_t ids[] = {4, 5, METRICS_NOT_TAKEN};
    U64Map *conflicts = u64map_create();
    (void)u64map_put(conflicts, 3, NULL); /* t = 4 */
    Buf record = {0};
    bool any;
    MetricsTaken taken = {.batch = &b, .series = ids, .min_t_ms = 2, .max_t_ms = INT64_MAX, .conflicts = conflicts};
    assert_int_equal(remote_record_encode(&taken, &record, &any, NULL), OK);
    assert_true(any);
    assert_int_equal(remote_record_samples(buf_str(&record)), 5);
    MetricsBatch got = {.arena = a};
    assert_true(remote_record_decode(buf_str(&record), &got));
    int64_t times[] = {2, 3, 5, 6};
    assert_int_equal(got.t_ms.n, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(got.t_ms.v[i], times[i]);
        assert_memory_equal(&got.value.v[i], &b.value.v[times[i] - 1], sizeof(double));
        const int64_t *start = metrics_batch_starts(&got, i, 1);
        assert_int_equal(start ? *start : 0, times[i] == 5 ? 0 : -times[i]);
    }
    assert_true(got.histogram_start_ms.n == 1 && got.histogram_start_ms.v[0] == 8);
    assert_true(got.histograms.n == 1 && histogram_eq(&got.histograms.v[0], &h));
    assert_true(got.exemplars.n == 1 && labels_eq(got.exemplars.v[0].labels, e.labels));
    for (size_t n = 0; n < record.n; n++) { /* cut short: refused, not read beyond */
        MetricsBatch bad = {.arena = a};
        assert_false(remote_record_decode(str_of(record.p, n), &bad));
    }
    u64map_free(conflicts);
    buf_done(&record);
    arena_free(a);
}

/* --- an endpoint that never answers --- */

typedef struct FakeStore {
    MetricsStore base;
    MetricsTapFn tap;
    void *ctx;
} FakeStore;

static void fake_set_tap(MetricsStore *s, MetricsTapFn fn, const _Atomic unsigned *wanted, void *ctx) {
    (void)wanted;
    FakeStore *f = (FakeStore *)(void *)s;
    f->tap = fn;
    f->ctx = ctx;
}

static ErrCode fake_metadata(MetricsStore *s, Str metric, Arena *arena, MetricMetadata **ret, size_t *ret_n, Err *err) {
    (void)s, (void)metric, (void)arena, (void)err;
    *ret = NULL;
    *ret_n = 0;
    return OK;
}

static void take(FakeStore *f, size_t n, uint64_t seed) {
    Arena *a = arena_create(ARENA_UNLIMITED);
    MetricsBatch b = {.arena = a};
    Label l[] = {{STR("__name__"), STR("m")}};
    uint32_t ids[] = {1};
    for (size_t i = 0; i < n; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1;
        assert_true(metrics_batch_add(&b, (Labels){l, 1}, (int64_t)i, (double)(seed >> 11)));
    }
    b.series.n = 1;
    b.series.v[0].n_samples = (uint32_t)n;
    MetricsTaken taken = {.batch = &b, .series = ids, .min_t_ms = INT64_MIN, .max_t_ms = INT64_MAX};
    assert_int_equal(f->tap(f->ctx, &taken, NULL), OK);
    arena_free(a);
}

static double metric(RemoteOut *o, const char *name, const char *reason) {
    Arena *a = arena_create(ARENA_UNLIMITED);
    MetricsBatch b = {.arena = a};
    double v = -1;
    remote_out_gather(o, &b, 1);
    for (size_t i = 0; i < b.series.n; i++) {
        Labels l = b.series.v[i].labels;
        if (!str_eq(labels_get(l, LABEL_NAME_METRIC), str_cstr(name))) continue;
        if (!reason || str_eq(labels_get(l, STR("reason")), str_cstr(reason)))
            v = b.value.v[b.series.v[i].first_sample];
    }
    arena_free(a);
    return v;
}

/* The oldest samples go, all of them are accounted for, and appending never fails or waits. */
static void test_full_queue(void **state) {
    (void)state;
    static const MetricsStoreOps ops = {.set_tap = fake_set_tap, .metadata = fake_metadata};
    FakeStore store = {.base.ops = &ops};
    Fs *fs = fs_fault_create(1);
    RemoteOut *o;
    PromConfig *config;
    DiagList diags;
    Str text = STR("remote_write: [{url: 'http://127.0.0.1:1/w', queue_config: {min_backoff: 1ms, max_backoff: 5ms}}]");
    diag_init(&diags, STR("p"), text);
    assert_int_equal(prom_config_parse(text, STR("."), &config, &diags), OK);
    diag_done(&diags);
    RemoteOutOptions opts = {.fs = fs, .dir = "/r", .store = &store.base, .queue_bytes = 512u << 10, .user_agent = "t"};
    assert_int_equal(remote_out_create(&opts, &o, NULL), OK);
    assert_int_equal(remote_out_apply(o, config, NULL), OK);
    for (uint64_t i = 0; i < 100; i++) take(&store, 2000, i);
    double left, dropped;
    do { /* until the endpoint has come around to it */
        clock_sleep_ms(5);
        left = metric(o, "meerkat_remote_write_queue_bytes", NULL);
        dropped = metric(o, "prometheus_remote_storage_samples_dropped_total", "queue_full");
    } while (left > 512 << 10 || dropped == 0);
    assert_true((uint64_t)dropped % 2000 == 0 && dropped < 200000);
    assert_true(left > 0);
    remote_out_free(o);
    /* The rest is still there for the next one. */
    assert_int_equal(remote_out_create(&opts, &o, NULL), OK);
    assert_int_equal(remote_out_apply(o, config, NULL), OK);
    assert_true(metric(o, "meerkat_remote_write_queue_bytes", NULL) > 0);
    remote_out_free(o);
    prom_config_free(config);
    fs_fault_free(fs);
}

/* --- a receiver of which one connection hangs and all others break --- */
typedef struct BadReceiver {
    int fd, held;
    _Atomic bool stop, holds;
    uint16_t port;
    Thread *thread;
} BadReceiver;

static void receive_badly(void *ctx) {
    BadReceiver *b = ctx;
    while (!atomic_load(&b->stop)) {
        int fd = accept(b->fd, NULL, NULL);
        if (fd < 0) continue;
        if (atomic_load(&b->holds)) {
            close(fd);
            continue;
        }
        b->held = fd;
        atomic_store(&b->holds, true);
    }
}

static void bad_receiver_start(BadReceiver *b) {
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t n = sizeof in;
    struct timeval tv = {.tv_usec = 50000}; /* of accept: it looks whether it shall stop */
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *b = (BadReceiver){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .held = -1};
    assert_true(b->fd >= 0);
    assert_int_equal(bind(b->fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(b->fd, 16), 0);
    assert_int_equal(setsockopt(b->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv), 0);
    assert_int_equal(getsockname(b->fd, (struct sockaddr *)&in, &n), 0);
    b->port = ntohs(in.sin_port);
    b->thread = thread_start("receiver", receive_badly, b);
}

static void bad_receiver_stop(BadReceiver *b) {
    atomic_store(&b->stop, true);
    thread_join(b->thread);
    if (b->held >= 0) close(b->held);
    close(b->fd);
}

static void take_series(FakeStore *f, unsigned n) {
    Arena *a = arena_create(ARENA_UNLIMITED);
    MetricsBatch b = {.arena = a};
    uint32_t ids[64];
    for (unsigned i = 0; i < n; i++) {
        Label *l = ARENA_ARRAY(a, Label, 2);
        l[0] = (Label){STR("__name__"), STR("m")};
        l[1] = (Label){STR("i"), arena_printf(a, "%u", i)};
        assert_true(metrics_batch_add(&b, (Labels){l, 2}, 1, i));
        ids[i] = i;
    }
    MetricsTaken taken = {.batch = &b, .series = ids, .min_t_ms = INT64_MIN, .max_t_ms = INT64_MAX};
    assert_int_equal(f->tap(f->ctx, &taken, NULL), OK);
    arena_free(a);
}

/* It ends while one shard has a request out and another one waits for its next attempt. */
static void test_end_in_trouble(void **state) {
    (void)state;
    static const MetricsStoreOps ops = {.set_tap = fake_set_tap, .metadata = fake_metadata};
    for (int i = 0; i < 30; i++) {
        FakeStore store = {.base.ops = &ops};
        Fs *fs = fs_fault_create(1);
        BadReceiver bad;
        RemoteOut *o;
        PromConfig *config;
        DiagList diags;
        char text[256];
        bad_receiver_start(&bad);
        snprintf(text, sizeof text,
            "remote_write: [{url: 'http://127.0.0.1:%u/', metadata_config: {send: false}, queue_config: {min_shards: "
            "2, "
            "max_shards: 2, batch_send_deadline: 1ms, min_backoff: 1ms, max_backoff: 1ms}}]",
            bad.port);
        diag_init(&diags, STR("p"), str_cstr(text));
        assert_int_equal(prom_config_parse(str_cstr(text), STR("."), &config, &diags), OK);
        diag_done(&diags);
        RemoteOutOptions opts = {.fs = fs, .dir = "/r", .store = &store.base, .user_agent = "t"};
        assert_int_equal(remote_out_create(&opts, &o, NULL), OK);
        assert_int_equal(remote_out_apply(o, config, NULL), OK);
        take_series(&store, 64);
        while (!atomic_load(&bad.holds) || metric(o, "prometheus_remote_storage_samples_retried_total", NULL) <= 0)
            clock_sleep_ms(1);
        remote_out_free(o);
        bad_receiver_stop(&bad);
        prom_config_free(config);
        fs_fault_free(fs);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_over_segments_and_restarts),
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_failed_writes_are_not_kept),
        cmocka_unit_test(test_damage_costs_one_segment),
        cmocka_unit_test(test_many_writers),
        cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_end_in_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
