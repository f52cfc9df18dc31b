#include "metrics/api/remote_write.h"

#include "codec/proto.h"
#include "metrics/metrics_store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A series by letters: a label (__name__, job, zone, an empty one, a broken one), a sample, an exemplar. */
static void put_part(Buf *b, char what) {
    static const struct {
        char letter;
        const char *name, *value;
    } labels[] = {
        {'n', "__name__", "up"}, {'j', "job", "api"}, {'z', "zone", "eu"}, {'e', "empty", ""}, {'b', "bad", "\xff"}};
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        if (labels[i].letter != what) continue;
        size_t label = proto_begin(b, 1);
        proto_put_bytes(b, 1, str_cstr(labels[i].name));
        proto_put_bytes(b, 2, str_cstr(labels[i].value));
        proto_end(b, label);
        return;
    }
    size_t message = proto_begin(b, what == 'x' ? 3 : 2);
    if (what == 'x') {
        size_t label = proto_begin(b, 1);
        proto_put_bytes(b, 1, STR("trace_id"));
        proto_put_bytes(b, 2, STR("abc"));
        proto_end(b, label);
        proto_put_f64(b, 2, 4);
        proto_put_varint(b, 3, 1000);
    } else if (what == 'r') { /* a sample the other way round */
        proto_put_varint(b, 2, 2000);
        proto_put_f64(b, 1, 2);
    } else {
        proto_put_f64(b, 1, what == 's' ? 1 : -0.0);
        proto_put_varint(b, 2, what == 's' ? 1000 : (uint64_t)-5);
    }
    proto_end(b, message);
}

static void put_series(Buf *b, const char *letters) {
    size_t ts = proto_begin(b, 1);
    for (const char *p = letters; *p; p++) put_part(b, *p);
    proto_end(b, ts);
}

static void test_late_labels(void **state) {
    (void)state;
    static const struct {
        const char *series;
        bool late; /* its labels stay bytes at first */
        ErrCode labels;
    } cases[] = {
        {"njs", true, OK}, {"jns", true, OK}, {"njzssm", true, OK}, {"njr", true, OK}, {"njes", true, OK},
        {"nbs", true, ERR_UNPROCESSABLE}, {"js", true, ERR_UNPROCESSABLE}, {"njjs", true, ERR_UNPROCESSABLE},
        {"njsz", false, OK},                     /* labels on both sides of the sample */
        {"snj", false, OK}, {"njsx", false, OK}, /* exemplars are kept with their labels */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf body = {0};
        put_series(&body, cases[i].series);
        MetricsBatch eager = {.arena = arena_create(1 << 20)}, lazy = {.arena = arena_create(1 << 20)};
        uint64_t skipped, skipped_lazy;
        assert_int_equal(remote_write_decode(buf_str(&body), REMOTE_WRITE_1, &eager, &skipped, NULL), OK);
        assert_int_equal(remote_write_decode_lazily(buf_str(&body), REMOTE_WRITE_1, &lazy, &skipped_lazy, NULL), OK);
        assert_int_equal(lazy.series.n, 1);
        BatchSeries *s = &lazy.series.v[0];
        assert_int_equal(s->labels.v == NULL, cases[i].late);
        if (cases[i].late) assert_int_equal(lazy.read_labels(lazy.read_ctx, s, NULL), cases[i].labels);
        assert_int_equal(eager.series.n, cases[i].labels == OK);
        if (cases[i].labels == OK) {
            assert_true(labels_eq(s->labels, eager.series.v[0].labels));
            assert_int_equal(lazy.t_ms.n, eager.t_ms.n);
            assert_memory_equal(lazy.t_ms.v, eager.t_ms.v, eager.t_ms.n * sizeof(int64_t));
            assert_memory_equal(lazy.value.v, eager.value.v, eager.value.n * sizeof(double));
            assert_int_equal(lazy.exemplars.n, eager.exemplars.n);
        }
        arena_free(eager.arena);
        arena_free(lazy.arena);
        buf_done(&body);
    }
}

/* Version 2 tells when a sample began to count, in the third field; version 1 has no such field. */
static void test_starts(void **state) {
    (void)state;
    static const struct {
        double value;
        int64_t t, start;
        bool turned; /* fields the other way round */
    } samples[] = {{1, 1000, 500, false}, {0.5, 2000, 0, false}, {0, 3000, 700, false}, {2, 4000, -5, true}};
    for (int version = REMOTE_WRITE_1; version <= REMOTE_WRITE_2; version++) {
        bool v2 = version == REMOTE_WRITE_2;
        Buf body = {0};
        for (int i = 0; v2 && i < 3; i++)
            proto_put_bytes(&body, 4, i == 0 ? STR("") : i == 1 ? STR("__name__") : STR("up"));
        size_t ts = proto_begin(&body, v2 ? 5 : 1);
        if (v2)
            proto_put_bytes(&body, 1, STR("\x01\x02"));
        else
            put_part(&body, 'n');
        for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
            size_t sample = proto_begin(&body, 2);
            if (samples[i].turned) proto_put_varint(&body, 3, (uint64_t)samples[i].start);
            proto_put_f64(&body, 1, samples[i].value);
            proto_put_varint(&body, 2, (uint64_t)samples[i].t);
            if (samples[i].start && !samples[i].turned) proto_put_varint(&body, 3, (uint64_t)samples[i].start);
            proto_end(&body, sample);
        }
        proto_end(&body, ts);
        MetricsBatch b = {.arena = arena_create(1 << 20)};
        uint64_t skipped;
        assert_int_equal(remote_write_decode(buf_str(&body), (RemoteWriteVersion)version, &b, &skipped, NULL), OK);
        assert_int_equal(b.t_ms.n, ARRAY_LEN(samples));
        assert_int_equal(b.start_ms.n, v2 ? ARRAY_LEN(samples) : 0);
        for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
            assert_int_equal(b.t_ms.v[i], samples[i].t);
            assert_true(b.value.v[i] == samples[i].value);
            if (v2) assert_int_equal(b.start_ms.v[i], samples[i].start);
        }
        arena_free(b.arena);
        buf_done(&body);
    }
}

/* Through a store: what is known by its bytes is found, what is no label set is left out and counted. */
static void test_store(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    MetricsStore *store;
    assert_int_equal(
        metrics_store_open(fs, "/m", &(MetricsStoreOptions){.retention_ms = INT64_MAX / 2}, &store, NULL), OK);
    assert_true(store->ops->takes_wire_labels);
    static const struct {
        const char *series[3];
        uint64_t samples, invalid, created, duplicates;
    } cases[] = {
        {{"njs"}, 1, 0, 1, 0},
        {{"njs", "jns"}, 0, 0, 0, 2},        /* the same series in two orders */
        {{"njr", "nzs", "nbs"}, 2, 1, 1, 0}, /* an older series, a new one, a broken one */
        {{"njm", "nzr", "js"}, 2, 1, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf body = {0};
        for (size_t k = 0; k < 3 && cases[i].series[k]; k++) put_series(&body, cases[i].series[k]);
        MetricsBatch batch = {.arena = arena_create(1 << 20)};
        MetricsAppendResult r;
        uint64_t skipped;
        assert_int_equal(remote_write_decode_lazily(buf_str(&body), REMOTE_WRITE_1, &batch, &skipped, NULL), OK);
        assert_int_equal(store->ops->append(store, &batch, &r, NULL), OK);
        assert_int_equal(r.samples, cases[i].samples);
        assert_int_equal(r.invalid, cases[i].invalid);
        assert_int_equal(r.new_series, cases[i].created);
        assert_int_equal(r.duplicates, cases[i].duplicates);
        arena_free(batch.arena);
        buf_done(&body);
    }
    store->ops->close(store);
    fs_fault_free(fs);
}

/* Version 2: what is wrong with one series is told, and the others are taken. Series by symbol references. */
static void test_bad_series(void **state) {
    (void)state;
    static const Str symbols[] = {STR_INIT(""), STR_INIT("__name__"), STR_INIT("up"), STR_INIT("job"), STR_INIT("x")};
    static const struct {
        Str refs;
        char content; /* s: a sample, h: a histogram that is none, b: both, m: metadata out of the table, 0: nothing */
        size_t series, samples;
        const char *text;
    } cases[] = {
        {STR_INIT("\1\2\3\4"), 's', 2, 2, ""},
        {STR_INIT("\1\2\3\11"), 's', 1, 1,
            "parsing labels for series [1 2 3 9]: labelRefs 3 (name) = 9 (value) outside of symbols table (size 5)"},
        {STR_INIT("\1\2\3"), 's', 1, 1, "parsing labels for series [1 2 3]: invalid labelRefs length 3"},
        {STR_INIT("\1\2\3\4"), 0, 1, 1,
            "TimeSeries must contain at least one sample or histogram for series {__name__=\"up\", job=\"x\"}"},
        {STR_INIT("\1\2\3\4"), 'b', 2, 2,
            "0 observations found in buckets, but the Count field is 7: histogram's observation count should equal the "
            "number of observations found in the buckets (in absence of NaN) for series {__name__=\"up\", job=\"x\"}"},
        {STR_INIT("\1\2\3\4"), 'm', 1, 1, "parsing metadata: metadata help_ref 77 outside of symbols table (size 5)"},
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        size_t k = i / 2;
        Buf body = {0};
        for (size_t s = 0; s < ARRAY_LEN(symbols); s++) proto_put_bytes(&body, 4, symbols[s]);
        for (int s = 0; s < 2; s++) { /* the case, and a good one behind it */
            char content = s ? 's' : cases[k].content;
            size_t ts = proto_begin(&body, 5);
            proto_put_bytes(&body, 1, s ? STR("\1\4") : cases[k].refs);
            if (content == 's' || content == 'b' || content == 'm') put_part(&body, 's');
            if (content == 'b') {
                size_t h = proto_begin(&body, 3);
                proto_put_varint(&body, 1, 7);
                proto_end(&body, h);
            }
            if (content == 'm') {
                size_t m = proto_begin(&body, 5);
                proto_put_varint(&body, 3, 77);
                proto_end(&body, m);
            }
            proto_end(&body, ts);
        }
        MetricsBatch b = {.arena = arena_create(1 << 20)};
        uint64_t skipped;
        Err err = {0};
        ErrCode code = i % 2 ? remote_write_decode(buf_str(&body), REMOTE_WRITE_2, &b, &skipped, &err)
                             : remote_write_decode_lazily(buf_str(&body), REMOTE_WRITE_2, &b, &skipped, &err);
        assert_int_equal(code, OK);
        assert_string_equal(err.msg, cases[k].text);
        assert_int_equal(skipped, cases[k].text[0] ? 1 : 0);
        assert_int_equal(b.series.n, cases[k].series);
        assert_int_equal(b.t_ms.n, cases[k].samples);
        assert_int_equal(b.histograms.n, 0);
        arena_free(b.arena);
        buf_done(&body);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_late_labels), cmocka_unit_test(test_starts),
        cmocka_unit_test(test_store), cmocka_unit_test(test_bad_series)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
