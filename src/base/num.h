/* num.h - numbers as text: locale-free, exact, shortest round trip; doubles as their bits. */
#ifndef MEERKAT_BASE_NUM_H
#define MEERKAT_BASE_NUM_H

#include "base/buf.h"
#include "base/str.h"

/* The bits of Go's math.NaN(), which Prometheus calls the normal NaN (its stale marker is another one). */
#define NUM_NAN_BITS UINT64_C(0x7FF8000000000001)

static inline uint64_t f64_bits(double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}
static inline double f64_of(uint64_t bits) {
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Whole-string parses; false when s is not exactly such a number or does not fit. */
ATTR_MUST bool num_parse_i64(Str s, int64_t *ret);
ATTR_MUST bool num_parse_bool(
    Str s, bool *ret); /* as Go's strconv.ParseBool: 1, t, T, true, TRUE, True and their opposites */
ATTR_MUST bool num_parse_u64(Str s, uint64_t *ret);
/* Correctly rounded decimal float (Go strconv.ParseFloat syntax without underscores): digits, fraction, exponent,
 * hex floats with a p exponent, inf/infinity with or without sign and nan (without one, as in Go) in any case.
 * Overflow gives +-Inf and true; underflow gives 0 or a subnormal and true; nan is Prometheus' normal NaN,
 * NUM_NAN_BITS. */
ATTR_MUST bool num_parse_f64(Str s, double *ret);
/* "10KB", "64MiB", "1g", "1.5GB": bytes; K/M/G/T/P/E are powers of 1024 as Prometheus and systemd read them. One
 * blank before the unit is fine; parts of a byte are dropped. */
ATTR_MUST bool num_parse_size(Str s, uint64_t *ret_bytes);

void num_put_i64(Buf *b, int64_t v);
void num_put_u64(Buf *b, uint64_t v);
/* Shortest digits that read back to the same bits. */
void num_put_f64_json(Buf *b, double v); /* as Go's encoding/json: like _prom, but 1e-7 for 1e-07; v must be finite */
/* As Prometheus' API prints sample values: shortest digits, 'f' unless |v| < 1e-6 or >= 1e21, then 'e' with at least
 * two exponent digits (1e-07, 1e+21); NaN, +Inf, -Inf. */
void num_put_f64_prom(Buf *b, double v);
/* As Go's strconv.FormatFloat(v, 'f', -1, 64): shortest digits, never an exponent; NaN, +Inf, -Inf. */
void num_put_f64_plain(Buf *b, double v);
/* As Go's strconv.FormatFloat(v, 'g', -1, 64), which exposition text, le labels and alert values use: 1, 0.25, 100000,
 * 1e+06, 1e-05 (exponents below -4 and from 6 up); +Inf, -Inf, NaN. */
void num_put_f64_go_g(Buf *b, double v);
/* Shortest decimal: v == sign * digits * 10^exp10; digits has no trailing zero (0 for zero). Finite v only. */
void num_shortest_f64(double v, uint64_t *ret_digits, int *ret_exp10, bool *ret_negative);

/* Hex and base64 (std and url alphabets, padded or not). Decoders give false on foreign bytes. */
void num_put_hex(Buf *b, const void *p, size_t n);               /* lower case */
ATTR_MUST bool num_parse_hex(Str s, uint8_t *out, size_t out_n); /* s.n must be 2 * out_n; any case */
void num_put_base64(Buf *b, const void *p, size_t n);
ATTR_MUST bool num_parse_base64(Str s, Buf *out);

#endif
