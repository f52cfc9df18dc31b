/* What opening does with data that is whole but not of this version, and with more than fits on the disk. */
#include "metrics/mpart_int.h"
#include "metrics/record.h"
#include "metrics/store_int.h"
#include "sys/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static ErrCode open_store(Fs *fs, size_t head_bytes, MetricsStore **ret, Err *reterr) {
    MetricsStoreOptions opts = {
        .durable = true, .retention_ms = INT64_MAX / 2, .no_maintenance = true, .head_bytes_max = head_bytes};
    *reterr = (Err){0};
    return metrics_store_open(fs, "/data", &opts, ret, reterr);
}

static void close_store(MetricsStore *s) { s->ops->close(s); }

/* n samples of full precision, from number `from` on. */
static ErrCode append(MetricsStore *s, int from, int n) {
    Arena *arena = arena_create((size_t)16 << 20);
    MetricsBatch b = {.arena = arena};
    MetricsAppendResult res;
    Label series[1] = {{LABEL_NAME_METRIC, STR("m")}};
    for (int i = from; i < from + n; i++) assert_true(metrics_batch_add(&b, (Labels){series, 1}, 1000 + i, i / 3.0));
    ErrCode code = s->ops->append(s, &b, &res, NULL);
    arena_free(arena);
    return code;
}

static size_t count(MetricsStore *s) {
    Arena *arena = arena_create((size_t)64 << 20);
    MetricsSelect req = {.min_t_ms = INT64_MIN, .max_t_ms = INT64_MAX, .arena = arena};
    SeriesColumns cols;
    assert_int_equal(s->ops->select(s, &req, &cols, NULL), OK);
    size_t n = cols.n ? cols.v[0].n : 0;
    arena_free(arena);
    return n;
}

/* Refused with the place, whichever stage finds it; nothing is changed. */
static void test_records(void **state) {
    (void)state;
    Buf unknown = {0}, broken = {0};
    buf_put_lit(&unknown, "\x7f\1abc");
    record_begin(&broken, 1);
    buf_put_lit(&broken, "V\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    const struct {
        uint8_t type;
        Str payload;
    } cases[] = {
        {RECORD_METRICS + 1, STR("abc")}, {RECORD_METRICS, buf_str(&unknown)}, {RECORD_METRICS, buf_str(&broken)}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Fs *fs = fs_fault_create(1);
        MetricsStore *s;
        Err err;
        WalReport report;
        Wal *wal;
        WalPos pos;
        char place[64];
        assert_int_equal(open_store(fs, 0, &s, &err), OK);
        assert_int_equal(append(s, 0, 10), OK);
        close_store(s);
        assert_int_equal(wal_open(fs, "/data/wal", NULL, (WalPos)100 << 32, NULL, NULL, &report, &wal, NULL), OK);
        assert_int_equal(wal_append(wal, cases[i].type, cases[i].payload, &pos, NULL), OK);
        assert_int_equal(wal_append(wal, cases[i].type, cases[i].payload, NULL, NULL), OK);
        assert_int_equal(wal_sync(wal, NULL), OK);
        wal_close(wal);
        snprintf(place, sizeof place, "wal-%016llx.log: the record at offset %u", (unsigned long long)(pos >> 32),
            (unsigned)(pos & UINT32_MAX));
        for (int again = 0; again < 2; again++) {
            assert_int_equal(open_store(fs, 0, &s, &err), ERR_CORRUPT);
            assert_true(str_contains(str_cstr(err.msg), str_cstr(place)));
        }
        fs_fault_free(fs);
    }
    buf_done(&unknown);
    buf_done(&broken);
}

/* A part whose checksums hold is no damage: it is not set aside, and the samples in it are not given up. */
static void test_parts(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    Buf footer = {0};
    PartWriter *w;
    Part *part;
    MPart *p;
    uint64_t size;
    Err err = {0};
    buf_put_char(&footer, MPART_PLAIN + 1);
    assert_int_equal(part_writer_create(fs, "p", &w, NULL), OK);
    assert_int_equal(part_writer_finish(w, buf_str(&footer), &size, NULL), OK);
    part_writer_free(w);
    assert_int_equal(part_open(fs, "p", &part, NULL), OK);
    assert_int_equal(mpart_open(part, &p, &err), ERR_UNSUPPORTED);
    assert_true(str_contains(str_cstr(err.msg), STR("p: metrics part of version")));
    part_close(part);
    buf_done(&footer);
    fs_fault_free(fs);
}

/* A log of several heads and no room to write one: it is read all the same, and goes into parts when there is room. */
static void test_no_room_for_parts(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    MetricsStore *s;
    Err err;
    enum { N = 40000, STEP = 2000 };
    assert_int_equal(open_store(fs, (size_t)64 << 20, &s, &err), OK);
    for (int i = 0; i < N; i += STEP) assert_int_equal(append(s, i, STEP), OK);
    fs_fault_power_off(fs);
    close_store(s);
    fs_fault_arm(fs, FAULT_NONE, 0, false);
    for (int room = 0; room < 2; room++) {
        fs_fault_set_capacity(fs, room ? UINT64_MAX : 1);  /* what is there stays, nothing more fits */
        assert_int_equal(open_store(fs, N, &s, &err), OK); /* eight bytes a sample: eight times too much */
        assert_int_equal(count(s), N);
        if (room) assert_int_equal(append(s, N, 1), OK);
        close_store(s);
    }
    fs_fault_free(fs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_no_room_for_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
