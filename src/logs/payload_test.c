/* What the encoder writes, the decoder reads back, whichever values it made constants of the shapes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "logs/payload.h"

#include <math.h>
#include <stdio.h>

#define ROWS 300

/* Names out of order, one twice (the last counts), an empty one, one without a value; every third row has one more,
 * every seventh another type. */
static void add_row(LogsBatch *b, unsigned i) {
    Attr attrs[] = {
        {STR("size"), {.type = ATTR_I64, .i = (int64_t)i - 50}},
        {STR("host"), {.type = ATTR_STR, .s = STR("node-7")}},
        {STR(""), {.type = ATTR_STR, .s = STR("nameless")}},
        {STR("none"), {.type = ATTR_EMPTY}},
        {STR("user"), {.type = ATTR_STR, .s = arena_printf(b->arena, "user-%u", i)}},
        {STR("ratio"), {.type = ATTR_F64, .d = i % 2 ? -0.0 : 0.0}},
        {STR("size"), {.type = ATTR_I64, .i = (int64_t)i}},
        {STR("ok"), {.type = ATTR_BOOL, .b = true}},
        {STR("extra"), {.type = ATTR_MAP, .s = STR("{}")}},
    };
    size_t n = ARRAY_LEN(attrs) - (i % 3 != 0);
    if (i % 7 == 0) attrs[4].value = (AttrValue){.type = ATTR_BYTES, .s = arena_printf(b->arena, "%0200u", i)};
    LogRow row = {.t_ns = 1000 - (int64_t)i * 7, .line = arena_printf(b->arena, "line %u", i)};
    row.metadata = (AttrRange){(uint32_t)b->attrs.n, (uint32_t)(i % 50 == 49 ? 0 : n)};
    for (size_t k = 0; k < n; k++) assert_true(avec_push(b->arena, &b->attrs, attrs[k]));
    assert_true(avec_push(b->arena, &b->rows, row));
}

typedef struct Decoded {
    LogMetadata md[ROWS];
    Str lines[ROWS];
    size_t n, shapes, constants;
} Decoded;

static void decode(Str payload, Arena *arena, Decoded *out) {
    LogDecoder d;
    LogItem item;
    const LogShape *shapes[64];
    size_t n_shapes = 0;
    assert_true(log_decoder_init(&d, payload));
    for (LogItemKind k; (k = log_decoder_next(&d, &item)) != LOG_ITEM_END;) {
        assert_int_not_equal(k, LOG_ITEM_BAD);
        if (k == LOG_ITEM_SHAPE) {
            assert_true(n_shapes < ARRAY_LEN(shapes) && log_shape_decode(item.key, arena, &shapes[n_shapes]));
            for (size_t i = 0; i < shapes[n_shapes]->n; i++) out->constants += shapes[n_shapes]->fields[i].is_const;
            n_shapes++;
        } else if (k == LOG_ITEM_ROW) {
            out->lines[out->n] = item.line;
            out->md[out->n++] = (LogMetadata){item.shape ? shapes[item.shape - 1] : NULL, item.values};
        }
    }
    out->shapes += n_shapes;
}

/* Encodes rows [first, end) as payloads of about bytes_max. */
static Decoded *encode(unsigned first, unsigned end, size_t bytes_max, Arena *arena) {
    LogsBatch b = {.arena = arena};
    Label label = {STR("app"), STR("a")};
    assert_true(avec_push(arena, &b.streams, ((Labels){&label, 1})));
    for (unsigned i = first; i < end; i++) add_row(&b, i);
    LogAppendResult result = {0};
    LogEncoder e;
    log_encoder_init(&e, &b, INT64_MIN, INT64_MAX, &result);
    Decoded *out = ARENA_NEW(arena, Decoded);
    Buf buf = {0};
    for (; log_encoder_next(&e, bytes_max, &buf); buf_clear(&buf)) decode(arena_copy(arena, buf_str(&buf)), arena, out);
    buf_done(&buf);
    log_encoder_done(&e);
    return out;
}

static void check_row(LogMetadata md, Str line, unsigned i) {
    char text[32];
    LogAttrVec v = {0};
    (void)snprintf(text, sizeof text, "line %u", i);
    assert_true(str_eq(line, str_cstr(text)));
    assert_true(log_metadata_decode(md, &v));
    if (i % 50 == 49) {
        assert_int_equal(v.n, 0);
    } else {
        size_t extra = i % 3 == 0;
        assert_int_equal(v.n, 5 + extra);
        for (size_t k = 1; k < v.n; k++) assert_true(str_cmp(v.v[k - 1].key, v.v[k].key) < 0);
        assert_true(str_eq_lit(v.v[extra].key, "host") && str_eq_lit(v.v[extra].value.s, "node-7"));
        assert_true(v.v[extra + 1].value.b);
        assert_int_equal(!!signbit(v.v[extra + 2].value.d), i % 2);
        assert_int_equal(v.v[extra + 3].value.i, i);
        assert_int_equal(v.v[extra + 4].value.type, i % 7 ? ATTR_STR : ATTR_BYTES);
    }
    vec_done(&v);
}

static void test_round_trip(void **state) {
    (void)state;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Decoded *whole = encode(0, ROWS, SIZE_MAX, arena), *parts = encode(0, ROWS, 500, arena);
    assert_int_equal(whole->n, ROWS);
    assert_int_equal(parts->n, ROWS);
    assert_int_equal(whole->shapes, 4);
    assert_true(whole->constants >= 4 && parts->shapes > whole->shapes);
    for (unsigned i = 0; i < ROWS; i++) {
        Decoded *alone = encode(i, i + 1, SIZE_MAX, arena);
        assert_int_equal(alone->constants, 0);
        check_row(whole->md[i], whole->lines[i], i);
        check_row(parts->md[i], parts->lines[i], i);
        check_row(alone->md[0], alone->lines[0], i);
        /* Equal whatever the shapes; rows that differ do. */
        assert_int_equal(log_metadata_cmp(whole->md[i], alone->md[0]), 0);
        assert_true(log_metadata_hash(whole->md[i]) == log_metadata_hash(alone->md[0]));
        if (i == 0 || i % 50 == 49 || (i - 1) % 50 == 49) continue;
        int c = log_metadata_cmp(whole->md[i - 1], whole->md[i]);
        assert_true(c != 0 && c == -log_metadata_cmp(alone->md[0], whole->md[i - 1]));
        assert_true(log_metadata_hash(whole->md[i]) != log_metadata_hash(whole->md[i - 1]));
    }
    arena_free(arena);
}

/* Cut short or changed anywhere, bytes are refused or read as something, never beyond their end. */
static void test_damage(void **state) {
    (void)state;
    static const char good[] = "\x02\x01\x61\x01\x01\x62\x83\x08"; /* a: a string; b: the constant 4 */
    for (size_t n = 0; n <= sizeof good - 1; n++) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        char *bytes = mem_alloc(n + 1);
        memcpy(bytes, good, n);
        const LogShape *shape;
        assert_int_equal(log_shape_decode(str_of(bytes, n), arena, &shape), n == sizeof good - 1);
        LogAttrVec v = {0};
        if (n == sizeof good - 1) {
            assert_true(log_metadata_decode((LogMetadata){shape, STR("\x01z")}, &v));
            assert_int_equal(v.v[1].value.i, 4);
            assert_false(log_metadata_decode((LogMetadata){shape, STR("\x02z")}, &v));
            assert_false(log_metadata_decode((LogMetadata){shape, STR("")}, &v));
        }
        vec_done(&v);
        mem_free(bytes);
        arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_damage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
