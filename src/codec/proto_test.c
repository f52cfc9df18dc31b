#include "codec/proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Reads all fields of s into text: "1=v5 2=b'abc' 3=f..." and "!" plus the error. */
static void dump_fields(Str s, Buf *out) {
    ProtoReader r = proto_reader(s);
    ProtoField f;
    while (proto_next(&r, &f)) {
        if (out->n) buf_put_char(out, ' ');
        switch (f.wire) {
        case PROTO_VARINT: buf_printf(out, "%u=v%llu", f.number, (unsigned long long)f.u64); break;
        case PROTO_FIXED64: buf_printf(out, "%u=q%llx", f.number, (unsigned long long)f.u64); break;
        case PROTO_FIXED32: buf_printf(out, "%u=d%llx", f.number, (unsigned long long)f.u64); break;
        default: buf_printf(out, "%u='%" STR_FMT "'", f.number, STR_ARG(f.bytes));
        }
    }
    if (r.error) buf_printf(out, "!%s", r.error);
    assert_true(r.p == r.end);
    assert_false(proto_next(&r, &f));
}

#define T8(s) s s s s s s s s
static const struct {
    Str in;
    const char *want;
} read_cases[] = {
    {STR_INIT(""), ""},
    {STR_INIT("\x08\x05"), "1=v5"},
    {STR_INIT("\x08\x96\x01"), "1=v150"},
    {STR_INIT("\x12\x03"
              "abc"),
        "2='abc'"},
    {STR_INIT("\x12\x00"), "2=''"},
    {STR_INIT("\x19\x01\x02\x03\x04\x05\x06\x07\x08"), "3=q807060504030201"},
    {STR_INIT("\x25\x01\x02\x03\x04"), "4=d4030201"},
    {STR_INIT("\x78\x01\x80\x01\x02"), "15=v1 16=v2"},
    {STR_INIT("\x88\x80\x00\x07"), "1=v7"}, /* a tag longer than need be */
    {STR_INIT("\xf8\xff\xff\xff\x0f\x01"), "536870911=v1"},
    {STR_INIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "1=v18446744073709551615"},
    {STR_INIT("\x08\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00"), "1=v1"},
    /* groups are skipped, whatever is in them */
    {STR_INIT("\x0b\x0c\x10\x01"), "2=v1"},
    {STR_INIT("\x0b\x10\x01\x1a\x01x\x21"
              "12345678"
              "\x2d"
              "1234"
              "\x33\x34\x0c\x10\x01"),
        "2=v1"},
    {STR_INIT("\x10\x01\x0b\x0c"), "2=v1"},
    /* malformed */
    {STR_INIT("\x08"), "!truncated varint"},
    {STR_INIT("\x08\x80"), "!truncated varint"},
    {STR_INIT("\x80"), "!truncated varint"},
    {STR_INIT("\x10\x01\x08\xff\xff"), "2=v1!truncated varint"},
    {STR_INIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "!varint of more than 64 bits"},
    {STR_INIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "!varint of more than 64 bits"},
    {STR_INIT("\x00\x01"), "!field number 0"},
    {STR_INIT("\x07"), "!field number 0"},
    {STR_INIT("\x80\x00\x01"), "!field number 0"},
    {STR_INIT("\x80\x80\x80\x80\x10\x01"), "!field number above 2^29 - 1"},
    {STR_INIT("\x0e"), "!unknown wire type"},
    {STR_INIT("\x0f\x01"), "!unknown wire type"},
    {STR_INIT("\x12\x04"
              "abc"),
        "!length beyond the end of the message"},
    {STR_INIT("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
              "abc"),
        "!length beyond the end of the message"},
    {STR_INIT("\x12"), "!truncated varint"},
    {STR_INIT("\x19\x01\x02\x03\x04\x05\x06\x07"), "!truncated 64-bit value"},
    {STR_INIT("\x25\x01\x02\x03"), "!truncated 32-bit value"},
    {STR_INIT("\x0c"), "!end of a group that was not begun"},
    {STR_INIT("\x0b"), "!group without an end"},
    {STR_INIT("\x0b\x14"), "!end of another group"},
    {STR_INIT("\x0b\x13\x0c\x14"), "!end of another group"},
    {STR_INIT("\x0b\x0e"), "!unknown wire type"},
    {STR_INIT("\x0b\x12\x05"
              "a"),
        "!length beyond the end of the message"},
    {STR_INIT(T8("\x0b") T8("\x0b") T8("\x0b") T8("\x0b") T8("\x0c") T8("\x0c") T8("\x0c") T8("\x0c")), ""},
    {STR_INIT(T8("\x0b") T8("\x0b") T8("\x0b") T8("\x0b") "\x0b"), "!groups nest too deep"},
};

/* Inputs are copied to blocks of their exact size, so that ASan sees a read beyond the end. */
static void test_read(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(read_cases); i++) {
        Str in = read_cases[i].in;
        char *copy = malloc(in.n ? in.n : 1);
        if (in.n) memcpy(copy, in.p, in.n);
        Buf out = {0};
        dump_fields(str_of(copy, in.n), &out);
        assert_string_equal(buf_cstr(&out), read_cases[i].want);
        buf_done(&out);
        free(copy);
    }
    ProtoReader r = proto_reader(STR_NULL);
    ProtoField f;
    assert_false(proto_next(&r, &f));
    assert_null(r.error);
}

static void test_write(void **state) {
    (void)state;
    Buf b = {0}, text = {0};
    proto_put_varint(&b, 1, 300);
    proto_put_sint(&b, 2, -3);
    proto_put_fixed64(&b, 3, 0xfedc);
    proto_put_f64(&b, 16, 1.0);
    proto_put_fixed32(&b, 5, 77);
    proto_put_bytes(&b, 536870911, STR("hello"));
    proto_put_bytes(&b, 7, STR_NULL);
    proto_put_varint(&b, 8, UINT64_MAX);
    dump_fields(buf_str(&b), &text);
    assert_string_equal(buf_cstr(&text),
        "1=v300 2=v5 3=qfedc 16=q3ff0000000000000 5=d4d 536870911='hello' 7='' 8=v18446744073709551615");
    buf_done(&b);
    buf_done(&text);
}

static void test_scalars(void **state) {
    (void)state;
    static const int64_t values[] = {0, 1, -1, 2, -2, 63, -64, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        Buf b = {0};
        ProtoField f;
        proto_put_sint(&b, 1, values[i]);
        proto_put_varint(&b, 2, (uint64_t)values[i]);
        proto_put_f64(&b, 3, (double)values[i]);
        ProtoReader r = proto_reader(buf_str(&b));
        assert_true(proto_next(&r, &f) && proto_s64(&f) == values[i]);
        assert_true(proto_next(&r, &f) && proto_i64(&f) == values[i]);
        assert_true(proto_next(&r, &f) && proto_f64(&f) == (double)values[i]);
        assert_false(proto_next(&r, &f));
        buf_done(&b);
    }
    ProtoField f = {.u64 = 0x3fc00000};
    assert_true(proto_f32(&f) == 1.5f);
}

/* A nested message of every length around the varint steps, inside another one. */
static void test_nested(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 120, 122, 123, 124, 125, 126, 127, 128, 129, 16380, 16384, 2097152};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        Buf b = {0};
        char *fill = calloc(sizes[i] + 1, 1);
        proto_put_varint(&b, 1, 1);
        size_t outer = proto_begin(&b, 2), inner = proto_begin(&b, 1000);
        proto_put_bytes(&b, 3, str_of(fill, sizes[i]));
        proto_end(&b, inner);
        proto_put_varint(&b, 4, 9);
        proto_end(&b, outer);
        proto_put_varint(&b, 5, 2);
        ProtoField f, g;
        ProtoReader r = proto_reader(buf_str(&b));
        assert_true(proto_next(&r, &f) && f.number == 1);
        assert_true(proto_next(&r, &f) && f.number == 2);
        ProtoReader in = proto_reader(f.bytes);
        assert_true(proto_next(&in, &f) && f.number == 1000);
        ProtoReader deep = proto_reader(f.bytes);
        assert_true(proto_next(&deep, &g) && g.number == 3 && g.bytes.n == sizes[i]);
        assert_false(proto_next(&deep, &g) || deep.error);
        assert_true(proto_next(&in, &f) && f.number == 4 && f.u64 == 9);
        assert_false(proto_next(&in, &f) || in.error);
        assert_true(proto_next(&r, &f) && f.number == 5 && f.u64 == 2);
        assert_false(proto_next(&r, &f) || r.error);
        free(fill);
        buf_done(&b);
    }
}

static void test_packed(void **state) {
    (void)state;
    ProtoReader r = proto_reader(STR("\x01\x96\x01\x00"));
    uint64_t v, want[] = {1, 150, 0};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) assert_true(proto_packed_varint(&r, &v) && v == want[i]);
    assert_false(proto_packed_varint(&r, &v));
    assert_null(r.error);
    r = proto_reader(STR("\x01\x96"));
    assert_true(proto_packed_varint(&r, &v));
    assert_false(proto_packed_varint(&r, &v));
    assert_string_equal(r.error, "truncated varint");
    r = proto_reader(STR("\1\0\0\0\0\0\0\0\2\0\0\0"));
    assert_true(proto_packed_fixed64(&r, &v) && v == 1);
    assert_false(proto_packed_fixed64(&r, &v));
    assert_non_null(r.error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
