/* num.h - numbers as text: locale-free, exact, shortest round trip. */
#ifndef MEERKAT_BASE_NUM_H
#define MEERKAT_BASE_NUM_H

#include "base/buf.h"
#include "base/str.h"

/* Whole-string parses; false when s is not exactly such a number or does not fit. */
ATTR_MUST bool num_parse_i64(Str s, int64_t *ret);
ATTR_MUST bool num_parse_u64(Str s, uint64_t *ret);
/* Correctly rounded decimal float (Go strconv.ParseFloat syntax without underscores): digits, fraction, exponent,
 * hex floats, inf/infinity/nan in any case with sign. Overflow gives +-Inf and true; underflow gives 0 or a subnormal and true. */
ATTR_MUST bool num_parse_f64(Str s, double *ret);
/* "10KB", "64MiB", "1g": bytes; K/M/G/T are powers of 1024 as Prometheus and systemd read them. */
ATTR_MUST bool num_parse_size(Str s, uint64_t *ret_bytes);

void num_put_i64(Buf *b, int64_t v);
void num_put_u64(Buf *b, uint64_t v);
/* Shortest digits that read back to the same bits. */
void num_put_f64_json(Buf *b, double v);  /* as Go's encoding/json: 'f' unless |v|<1e-6 or >=1e21; v must be finite */
/* As Prometheus' API prints sample values: 'f' with shortest digits; NaN, +Inf, -Inf; exponents as in reference prometheus.md section 2. */
void num_put_f64_prom(Buf *b, double v);
/* As Go's strconv.FormatFloat(v, 'g'-like, -1, 64) in exposition text and le labels: 1, 0.25, 1e+06 for >= 1e21 only; +Inf, -Inf, NaN. */
void num_put_f64_go_g(Buf *b, double v);
/* Shortest decimal: v == sign * digits * 10^exp10; digits has no trailing zero (0 for zero). Finite v only. */
void num_shortest_f64(double v, uint64_t *ret_digits, int *ret_exp10, bool *ret_negative);

/* Hex and base64 (std and url alphabets, padded or not). Decoders give false on foreign bytes. */
void num_put_hex(Buf *b, const void *p, size_t n); /* lower case */
ATTR_MUST bool num_parse_hex(Str s, uint8_t *out, size_t out_n); /* s.n must be 2 * out_n; any case */
void num_put_base64(Buf *b, const void *p, size_t n);
ATTR_MUST bool num_parse_base64(Str s, Buf *out);

#endif
