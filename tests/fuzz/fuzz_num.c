/* Numbers, durations and times out of foreign text: floats as the C library reads them, and whatever was read
 * can be printed and read back. */
#include "base/num.h"
#include "base/timefmt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }

static void check_float(Str s) {
    double v, back;
    if (!num_parse_f64(s, &v)) return;
    char *text = str_dup_cstr(s), *end;
    double theirs = strtod(text, &end);
    ASSERT(*end == '\0' && (v != v ? theirs != theirs : same_bits(v, theirs)));
    mem_free(text);
    Buf b = {0};
    num_put_f64_prom(&b, v);
    ASSERT(num_parse_f64(buf_str(&b), &back) && same_bits(v, back));
    buf_clear(&b);
    num_put_f64_go_g(&b, v);
    ASSERT(num_parse_f64(buf_str(&b), &back) && same_bits(v, back));
    buf_done(&b);
}

static void check_any_bits(const uint8_t *data, size_t size) {
    double v, back;
    if (size < sizeof v) return;
    memcpy(&v, data, sizeof v);
    if (!__builtin_isfinite(v)) return;
    Buf b = {0};
    num_put_f64_json(&b, v);
    ASSERT(num_parse_f64(buf_str(&b), &back) && same_bits(v, back));
    buf_done(&b);
}

static void check_times(Str s) {
    int64_t v, back;
    Buf b = {0};
    if (time_parse_rfc3339(s, &v)) {
        time_put_rfc3339(&b, v);
        ASSERT(time_parse_rfc3339(buf_str(&b), &back) && back == v);
    }
    buf_clear(&b);
    if (duration_parse_prom(s, &v)) {
        duration_put_prom(&b, v);
        ASSERT(duration_parse_prom(buf_str(&b), &back) && back == v);
    }
    buf_clear(&b);
    if (duration_parse_go(s, &v)) {
        duration_put_go(&b, v);
        ASSERT(duration_parse_go(buf_str(&b), &back));
        /* Go adds fractions in floating point: its own output reads back exactly below 2^53 ns. */
        if (v < INT64_C(1) << 53 && v > -(INT64_C(1) << 53)) ASSERT(back == v);
    }
    buf_done(&b);
}

static void check_bytes(Str s) {
    Buf text = {0}, back = {0};
    num_put_base64(&text, s.p, s.n);
    ASSERT(num_parse_base64(buf_str(&text), &back) && str_eq(buf_str(&back), s));
    buf_clear(&back);
    if (!num_parse_base64(s, &back)) ASSERT(back.n == 0);
    buf_clear(&text);
    num_put_hex(&text, s.p, s.n);
    uint8_t *out = mem_alloc(s.n);
    ASSERT(num_parse_hex(buf_str(&text), out, s.n) && (s.n == 0 || memcmp(out, s.p, s.n) == 0));
    (void)!num_parse_hex(s, out, s.n / 2);
    mem_free(out);
    buf_done(&text);
    buf_done(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str s = str_of((const char *)data, size);
    int64_t i;
    uint64_t u;
    double d;
    if (num_parse_i64(s, &i) && i >= 0 && size && data[0] != '+' && data[0] != '-')
        ASSERT(num_parse_u64(s, &u) && u == (uint64_t)i);
    if (num_parse_u64(s, &u)) ASSERT(num_parse_f64(s, &d) && d >= 0);
    (void)!num_parse_size(s, &u);
    check_float(s);
    check_any_bits(data, size);
    check_times(s);
    check_bytes(s);
    return 0;
}
