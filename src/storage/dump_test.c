#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "storage/dump.h"
#include "storage/wal.h"
#include "storage/wide.h"

static bool collect(void *ctx, Str text) {
    buf_put_str(ctx, text);
    return true;
}

static bool refuse(void *ctx, Str text) {
    (void)text;
    ++*(unsigned *)ctx;
    return false;
}

static void expect_json_lines(Str text) {
    Arena *arena = arena_create(1 << 20);
    Str line;
    while (text.n > 0 && str_split_next(&text, '\n', &line)) {
        JsonValue *v;
        if (line.n) assert_int_equal(json_parse(line, arena, &v, NULL), OK);
    }
    arena_free(arena);
}

static void test_wal(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    Wal *wal;
    WalReport rep;
    assert_int_equal(wal_open(fs, "wal", NULL, 0, NULL, NULL, &rep, &wal, NULL), OK);
    assert_int_equal(wal_append(wal, 3, STR("hello \x1b[31m\"world\""), NULL, NULL), OK);
    assert_int_equal(wal_append(wal, 4, STR("bad"), NULL, NULL), OK);
    assert_int_equal(wal_sync(wal, NULL), OK);
    uint64_t size = wal_size_bytes(wal);
    wal_close(wal);
    fs_fault_flip_bit(fs, "wal/wal-0000000000000001.log", size * 8 - 1);
    Buf b = {0};
    DumpResult r;
    assert_int_equal(dump_wal(fs, "wal", DUMP_TEXT, collect, &b, &r, NULL), OK);
    assert_int_equal(r.good, 1);
    assert_int_equal(r.bad, 1);
    assert_true(str_contains(buf_str(&b), STR("hello \\x1b[31m")));
    assert_true(str_contains(buf_str(&b), STR("BAD")));
    buf_clear(&b);
    assert_int_equal(dump_wal(fs, "wal", DUMP_JSON, collect, &b, &r, NULL), OK);
    expect_json_lines(buf_str(&b));
    assert_true(str_contains(buf_str(&b), STR("\"type\":3")));
    unsigned calls = 0;
    assert_int_equal(dump_wal(fs, "wal", DUMP_TEXT, refuse, &calls, &r, NULL), OK);
    assert_int_equal(calls, 1);
    assert_int_equal(dump_wal(fs, "nowhere", DUMP_TEXT, collect, &b, &r, NULL), ERR_NOT_FOUND);
    buf_done(&b);
    fs_fault_free(fs);
}

static void test_part(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    WideWriter *w;
    uint64_t size;
    assert_int_equal(wide_writer_create(fs, "p", 3, &w, NULL), OK);
    for (int64_t i = 0; i < 100; i++) {
        WideField f[] = {{STR("line"), {WIDE_STR, {.s = i % 2 ? STR("odd one") : STR("even one")}}},
            {STR("same"), {WIDE_I64, {.i = 7}}}};
        assert_int_equal(wide_writer_row(w, i, 0, f, 2, NULL), OK);
    }
    assert_int_equal(wide_writer_finish(w, STR_NULL, &size, NULL), OK);
    wide_writer_free(w);
    Buf b = {0};
    DumpResult r;
    assert_int_equal(dump_part(fs, "p", DUMP_TEXT, collect, &b, &r, NULL), OK);
    assert_int_equal(r.good, 4); /* times, groups, column, tokens */
    assert_int_equal(r.bad, 0);
    assert_true(str_contains(buf_str(&b), STR("event block 0: 100 rows, 2 fields")));
    fs_fault_flip_bit(fs, "p", 8 * 8);
    buf_clear(&b);
    assert_int_equal(dump_part(fs, "p", DUMP_JSON, collect, &b, &r, NULL), OK);
    assert_int_equal(r.bad, 1);
    expect_json_lines(buf_str(&b));
    assert_true(str_contains(buf_str(&b), STR("bad checksum")));
    fs_fault_flip_bit(fs, "p", size * 8 - 1);
    assert_int_equal(dump_part(fs, "p", DUMP_JSON, collect, &b, &r, NULL), ERR_CORRUPT);
    buf_done(&b);
    fs_fault_free(fs);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wal), cmocka_unit_test(test_part)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
