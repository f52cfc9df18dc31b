#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/vec.h"
#include "storage/wide.h"
#include "storage/wide_int.h"
#include "sys/random.h"

#include <stdio.h>

#define PATH "part"

static Fs *fs;

static int setup(void **state) {
    (void)state;
    fs = fs_fault_create(1);
    return fs->ops->make_dir(fs, "d", NULL) == OK ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    fs = fs_fault_free(fs);
    return 0;
}

#define F_STR(name, text)                                                                                              \
    {                                                                                                                  \
        STR_INIT(name), {                                                                                              \
            WIDE_STR, { .s = STR_INIT(text) }                                                                          \
        }                                                                                                              \
    }
#define F_I64(name, v)                                                                                                 \
    {                                                                                                                  \
        STR_INIT(name), {                                                                                              \
            WIDE_I64, { .i = (v) }                                                                                     \
        }                                                                                                              \
    }

typedef struct Opened {
    Part *part;
    WidePart *wide;
    Arena *arena;
} Opened;

static Opened open_part(void) {
    Opened o = {.arena = arena_create(ARENA_UNLIMITED)};
    Err err = {0};
    if (part_open(fs, "d/" PATH, &o.part, &err) != OK) fail_msg("%s", err.msg);
    if (wide_part_open(o.part, &o.wide, &err) != OK) fail_msg("%s", err.msg);
    return o;
}

static void close_part(Opened *o) {
    wide_part_close(o->wide);
    part_close(o->part);
    arena_free(o->arena);
}

static WideWriter *writer(void) {
    WideWriter *w;
    (void)fs->ops->remove(fs, "d/" PATH, NULL);
    assert_int_equal(wide_writer_create(fs, "d/" PATH, 3, &w, NULL), OK);
    return w;
}

static void finish(WideWriter *w, Str user) {
    uint64_t size;
    assert_int_equal(wide_writer_finish(w, user, &size, NULL), OK);
    assert_true(size > 0);
    wide_writer_free(w);
}

/* Column i of a row, as a function of row and shape, so that writer and checker agree without storage. */
enum { SHAPES = 14 };
static WideValue shape_value(unsigned shape, uint32_t row, char text[64]) {
    uint64_t h = (row + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ shape;
    h ^= h >> 31;
    unsigned long long a = h, b = h >> 7;
    int len;
    switch (shape) {
    case 0: len = snprintf(text, 64, "constant"); break;
    case 1: len = snprintf(text, 64, "%016llx%016llx", a, b); break;
    case 2: len = snprintf(text, 64, "%08llx-1234-4abc-9def-00000000%04llx", a & 0xffffffff, a >> 48); break;
    case 3: len = snprintf(text, 64, "%016llX%016llX", a, b); break;
    case 4: return (WideValue){WIDE_I64, {.i = (int64_t)h}};
    case 5: return (WideValue){WIDE_F64, {.d = (double)(h % 1000) / 8}};
    case 6: return (WideValue){WIDE_BOOL, {.b = h & 1}};
    case 7: return row % 3 ? (WideValue){WIDE_NULL, {.i = 0}} : (WideValue){WIDE_I64, {.i = row}};
    case 8: {
        WideType t = (WideType)(h % WIDE_TYPE_COUNT);
        if (t == WIDE_I64) return (WideValue){t, {.i = row}};
        if (t == WIDE_F64) return (WideValue){t, {.d = row}};
        if (t == WIDE_BOOL) return (WideValue){t, {.b = true}};
        int n = snprintf(text, 64, "[%u]", row);
        return (WideValue){t, {.s = str_of(text, (size_t)n)}};
    }
    case 9: {
        int n = snprintf(text, 64, "%lld", (long long)h / 1000);
        return (WideValue){WIDE_STR, {.s = str_of(text, (size_t)n)}};
    }
    case 10: {
        static const char *const words[] = {"GET", "POST", "", "DELETE"};
        return (WideValue){WIDE_STR, {.s = str_cstr(words[h % 4])}};
    }
    case 11: { /* nearly integers: one leading zero spoils them */
        int n = snprintf(text, 64, row == 77 ? "0%u" : "%u", row);
        return (WideValue){WIDE_STR, {.s = str_of(text, (size_t)n)}};
    }
    case 12: len = snprintf(text, 64, "request %llu took %llums", a, b); break;
    default: return (WideValue){WIDE_I64, {.i = 200 + (int64_t)(h % 5)}};
    }
    return (WideValue){WIDE_STR, {.s = str_of(text, (size_t)len)}};
}

static void shape_row(uint32_t row, WideField f[SHAPES], char names[SHAPES][8], char text[SHAPES][64]) {
    for (unsigned s = 0; s < SHAPES; s++) {
        int n = snprintf(names[s], 8, "f%u", s);
        f[s] = (WideField){str_of(names[s], (size_t)n), shape_value(s, row, text[s])};
    }
}

static void check_block(Opened *o, size_t block, uint32_t first) {
    WideBlock *b;
    const int64_t *t;
    const uint64_t *g;
    assert_int_equal(wide_block_open(o->wide, block, o->arena, &b, NULL), OK);
    assert_int_equal(wide_block_times(b, &t, NULL), OK);
    assert_int_equal(wide_block_groups(b, &g, NULL), OK);
    WideBlockInfo info = wide_part_block_info(o->wide, block);
    for (uint32_t i = 0; i < info.rows; i++) {
        assert_int_equal(t[i], 1000 + (int64_t)(first + i) * 7);
        assert_int_equal(g[i], (first + i) / 100);
    }
    for (unsigned s = 0; s < SHAPES; s++) {
        char name[8], text[64];
        const WideValue *v;
        int n = snprintf(name, sizeof name, "f%u", s);
        assert_int_equal(wide_block_column(b, str_of(name, (size_t)n), &v, NULL), OK);
        for (uint32_t i = 0; i < info.rows; i++) {
            WideValue want = shape_value(s, first + i, text);
            if (!wide_value_eq(&v[i], &want)) fail_msg("shape %u row %u differs", s, first + i);
        }
    }
    const WideValue *none = (const WideValue *)b;
    assert_int_equal(wide_block_column(b, STR("nobody"), &none, NULL), OK);
    assert_null(none);
    const WideField *row;
    size_t n;
    assert_int_equal(wide_block_row(b, 0, &row, &n, NULL), OK);
    assert_true(n >= SHAPES - 2 && n <= SHAPES);
}

static void test_round_trip(void **state) {
    (void)state;
    WideWriter *w = writer();
    char names[SHAPES][8], text[SHAPES][64];
    WideField f[SHAPES];
    const uint32_t rows = WIDE_BLOCK_ROWS + 1000;
    for (uint32_t i = 0; i < rows; i++) {
        shape_row(i, f, names, text);
        assert_int_equal(wide_writer_row(w, 1000 + (int64_t)i * 7, i / 100, f, SHAPES, NULL), OK);
        if (i == 499) {
            assert_int_equal(wide_writer_block_rows(w), 500);
            assert_int_equal(wide_writer_cut(w, NULL), OK);
            assert_int_equal(wide_writer_cut(w, NULL), OK);
        }
    }
    finish(w, STR("the store's own"));
    Opened o = open_part();
    assert_true(str_eq_lit(wide_part_user(o.wide), "the store's own"));
    uint32_t first = 0;
    for (size_t i = 0; i < wide_part_block_count(o.wide); i++) {
        WideBlockInfo info = wide_part_block_info(o.wide, i);
        assert_int_equal(info.min_t, 1000 + (int64_t)first * 7);
        assert_int_equal(info.max_t, 1000 + (int64_t)(first + info.rows - 1) * 7);
        assert_int_equal(wide_part_field_count(o.wide, i), SHAPES);
        check_block(&o, i, first);
        first += info.rows;
    }
    assert_int_equal(first, rows);
    close_part(&o);
}

static void test_many_fields(void **state) {
    (void)state;
    enum { FIELDS = WIDE_COLUMNS_MAX + 200 };
    WideWriter *w = writer();
    for (unsigned row = 0; row < 20; row++) {
        char names[FIELDS][12], text[FIELDS][12];
        WideField f[FIELDS];
        for (unsigned i = 0; i < FIELDS; i++) {
            f[i].name = str_of(names[i], (size_t)snprintf(names[i], 12, "k%u", (i * 7 + row) % FIELDS));
            f[i].value.type = WIDE_STR;
            f[i].value.s = str_of(text[i], (size_t)snprintf(text[i], 12, "v%u", (i * 7 + row) % FIELDS + row));
        }
        assert_int_equal(wide_writer_row(w, row, 0, f, FIELDS, NULL), OK);
    }
    finish(w, STR_NULL);
    Opened o = open_part();
    WideBlock *b;
    assert_int_equal(wide_part_field_count(o.wide, 0), FIELDS);
    assert_int_equal(wide_block_open(o.wide, 0, o.arena, &b, NULL), OK);
    for (unsigned i = 0; i < FIELDS; i++) {
        char name[12], want[12];
        const WideValue *v;
        snprintf(name, 12, "k%u", i);
        assert_int_equal(wide_block_column(b, str_cstr(name), &v, NULL), OK);
        assert_non_null(v);
        for (unsigned row = 0; row < 20; row++) {
            snprintf(want, 12, "v%u", i + row);
            assert_true(v[row].type == WIDE_STR && str_eq(v[row].s, str_cstr(want)));
        }
        snprintf(want, 12, "v%u", i);
        assert_true(wide_part_may_equal(o.wide, 0, str_cstr(name), str_cstr(want)));
    }
    assert_false(wide_part_may_equal(o.wide, 0, STR("k1"), STR("nothing")));
    close_part(&o);
}

static void test_filters(void **state) {
    (void)state;
    static const char *const lines[] = {"error: user 4711 not found", "GET /api/v1/query?x=1 200",
        "connected to 10.0.0.1", "na\xc3\xafve caf\xc3\xa9", "a,b;c"};
    WideWriter *w = writer();
    wide_writer_filter_field(w, STR("id"));
    for (unsigned i = 0; i < 5000; i++) {
        char id[24];
        int n = snprintf(id, sizeof id, "id-%u-x", i * 3);
        WideField f[] = {
            F_STR("line", ""), F_STR("id", ""), F_I64("code", 0), F_STR("same", "one two"), F_STR("mixed", "w")};
        f[0].value.s = str_cstr(lines[i % ARRAY_LEN(lines)]);
        f[1].value.s = str_of(id, (size_t)n);
        f[2].value.i = 200 + i % 7;
        if (i == 9) f[4].value = (WideValue){WIDE_I64, {.i = 42}};
        assert_int_equal(wide_writer_row(w, i, 0, f, ARRAY_LEN(f), NULL), OK);
    }
    finish(w, STR_NULL);
    Opened o = open_part();
    static const struct {
        const char *field, *needle;
        bool want;
    } contains[] = {
        {"line", "", true},
        {"line", "user 4711", true},
        {"line", " 4712 ", false},
        {"line", "4712", true}, /* may be a part of a word */
        {"line", "ser 4711 not f", true},
        {"line", "ser 4712 not f", false},
        {"line", "rr", true},
        {"line", ": nobody ", false},
        {"line", " nobody", true}, /* nobodyelse */
        {"line", "/api/v1/query?", true},
        {"line", "/api/v2/query?", false},
        {"line", "b;", true},
        {"line", ",z;", false},
        {"line", " caf\xc3", true},
        {"same", "e t", true},
        {"same", "three", false},
        {"code", "20", true},
        {"mixed", " gone ", true},
        {"absent", "x", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(contains); i++)
        if (wide_part_may_contain(o.wide, 0, str_cstr(contains[i].field), str_cstr(contains[i].needle)) !=
            contains[i].want)
            fail_msg("contains %s \"%s\"", contains[i].field, contains[i].needle);
    static const struct {
        const char *field, *value;
        bool want;
    } equal[] = {
        {"id", "id-3000-x", true},
        {"id", "id-3001-x", false},
        {"id", "id-3000", false},
        {"code", "203", true},
        {"code", "404", false},
        {"code", "abc", false},
        {"same", "one two", true},
        {"same", "one", false},
        {"line", "a,b;c", true},
        {"line", "a,b;d", false},
        {"absent", "x", false},
        {"absent", "", true},
        {"mixed", "gone", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(equal); i++)
        if (wide_part_may_equal(o.wide, 0, str_cstr(equal[i].field), str_cstr(equal[i].value)) != equal[i].want)
            fail_msg("equal %s \"%s\"", equal[i].field, equal[i].value);
    unsigned false_positives = 0;
    for (unsigned i = 0; i < 5000; i++) {
        char id[24];
        int n = snprintf(id, sizeof id, "id-%u-x", i * 3);
        assert_true(wide_part_may_equal(o.wide, 0, STR("id"), str_of(id, (size_t)n)));
        n = snprintf(id, sizeof id, "id-%u-x", i * 3 + 1);
        false_positives += wide_part_may_equal(o.wide, 0, STR("id"), str_of(id, (size_t)n));
    }
    assert_true(false_positives < 150); /* about 1 % */
    close_part(&o);
}

/* Bytes as text are base64; asking for what is stored finds it as well. */
static void test_bytes_as_text(void **state) {
    (void)state;
    static const char *const fields[] = {"const", "exact", "tokens"};
    WideWriter *w = writer();
    wide_writer_filter_field(w, STR("exact"));
    for (unsigned i = 0; i < 3000; i++) {
        char text[24];
        Str raw = str_of(text, (size_t)snprintf(text, sizeof text, "\x01 %u word", 100 + i));
        WideField f[] = {F_STR("const", "\x01 100 word"), F_STR("exact", ""), F_STR("tokens", "")};
        f[1].value.s = f[2].value.s = raw;
        for (unsigned k = 0; k < ARRAY_LEN(f); k++) f[k].value.type = WIDE_BYTES;
        assert_int_equal(wide_writer_row(w, i, 0, f, ARRAY_LEN(f), NULL), OK);
    }
    finish(w, STR_NULL);
    Opened o = open_part();
    for (unsigned k = 0; k < ARRAY_LEN(fields); k++) {
        Str field = str_cstr(fields[k]);
        assert_true(wide_part_may_equal(o.wide, 0, field, STR("ASAxMDAgd29yZA==")));
        assert_true(wide_part_may_equal(o.wide, 0, field, STR("\x01 100 word")));
        assert_false(wide_part_may_equal(o.wide, 0, field, STR("ASA5OTk5OTkgd29yZHM="))); /* 999999 words */
        assert_false(wide_part_may_equal(o.wide, 0, field, STR("no base64")));
        assert_true(wide_part_may_contain(o.wide, 0, field, STR("xMDAgd2")));
        assert_true(wide_part_may_contain(o.wide, 0, field, STR(" 100 ")));
    }
    close_part(&o);
}

/* No substring of any stored value may ever be ruled out. */
static void test_no_false_negatives(void **state) {
    (void)state;
    Rng r;
    rng_seed(&r, 9);
    static char text[300][40];
    static const char alphabet[] = "ab1 -_./\xc3\xa9";
    WideWriter *w = writer();
    for (unsigned i = 0; i < 300; i++) {
        size_t n = rng_u64(&r) % 40;
        for (size_t k = 0; k < n; k++) text[i][k] = alphabet[rng_u64(&r) % (sizeof alphabet - 1)];
        WideField f[] = {F_STR("m", "")};
        f[0].value.s = str_of(text[i], n);
        assert_int_equal(wide_writer_row(w, 0, i, f, 1, NULL), OK);
        for (size_t k = n; k < 40; k++) text[i][k] = 0;
    }
    finish(w, STR_NULL);
    Opened o = open_part();
    for (unsigned i = 0; i < 300; i++) {
        size_t n = strnlen(text[i], 40);
        for (size_t a = 0; a < n; a++)
            for (size_t b = a; b <= n; b++)
                assert_true(wide_part_may_contain(o.wide, 0, STR("m"), str_of(text[i] + a, b - a)));
        assert_true(wide_part_may_equal(o.wide, 0, STR("m"), str_of(text[i], n)));
    }
    close_part(&o);
}

static void read_everything(void) {
    Part *part;
    WidePart *p;
    if (part_open(fs, "d/" PATH, &part, NULL) != OK) return;
    if (wide_part_open(part, &p, NULL) == OK) {
        Arena *arena = arena_create((size_t)16 << 20);
        for (size_t i = 0; i < wide_part_block_count(p); i++) {
            WideBlock *b;
            const int64_t *t;
            const WideField *f;
            size_t n;
            (void)wide_part_may_contain(p, i, STR("f12"), STR(" 17 "));
            if (wide_block_open(p, i, arena, &b, NULL) != OK) continue;
            (void)wide_block_times(b, &t, NULL);
            (void)wide_block_row(b, 0, &f, &n, NULL);
        }
        arena_free(arena);
        wide_part_close(p);
    }
    part_close(part);
}

static void test_bit_flips(void **state) {
    (void)state;
    WideWriter *w = writer();
    char names[SHAPES][8], text[SHAPES][64];
    WideField f[SHAPES];
    for (uint32_t i = 0; i < 30; i++) {
        shape_row(i, f, names, text);
        assert_int_equal(wide_writer_row(w, i, i, f, SHAPES, NULL), OK);
    }
    uint64_t size;
    assert_int_equal(wide_writer_finish(w, STR("u"), &size, NULL), OK);
    wide_writer_free(w);
    for (uint64_t byte = 0; byte < size; byte++) {
        fs_fault_flip_bit(fs, "d/" PATH, byte * 8 + byte % 8);
        read_everything();
        fs_fault_flip_bit(fs, "d/" PATH, byte * 8 + byte % 8);
    }
    read_everything();
}

static void test_budget(void **state) {
    (void)state;
    WideWriter *w = writer();
    char names[SHAPES][8], text[SHAPES][64];
    WideField f[SHAPES];
    for (uint32_t i = 0; i < 2000; i++) {
        shape_row(i, f, names, text);
        assert_int_equal(wide_writer_row(w, i, i, f, SHAPES, NULL), OK);
    }
    finish(w, STR_NULL);
    Opened o = open_part();
    for (size_t budget = 0; budget < 200000; budget += 1777) {
        Arena *small = arena_create(budget);
        WideBlock *b;
        const WideField *row;
        size_t n;
        ErrCode rc = wide_block_open(o.wide, 0, small, &b, NULL);
        if (rc == OK) rc = wide_block_row(b, 3, &row, &n, NULL);
        assert_int_equal(rc, ERR_TOO_LARGE);
        arena_free(small);
    }
    close_part(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_filters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes_as_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_false_negatives, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bit_flips, setup, teardown),
        cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
