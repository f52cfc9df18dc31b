#include "base/num.h"

/* Bytes as hex and base64 text (RFC 4648). */

void num_put_hex(Buf *b, const void *data, size_t n) {
    static const char hex[] = "0123456789abcdef";
    ASSERT(n <= SIZE_MAX / 2);
    if (n == 0) return;
    const unsigned char *p = data;
    buf_reserve(b, 2 * n);
    char *out = b->p + b->n;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = hex[p[i] >> 4];
        out[2 * i + 1] = hex[p[i] & 15];
    }
    b->n += 2 * n;
}

static int hex_digit(unsigned char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool num_parse_hex(Str s, uint8_t *out, size_t out_n) {
    if (s.n % 2 || s.n / 2 != out_n) return false;
    for (size_t i = 0; i < out_n; i++) {
        int hi = hex_digit((unsigned char)s.p[2 * i]), lo = hex_digit((unsigned char)s.p[2 * i + 1]);
        if (hi < 0 || lo < 0) return false;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

void num_put_base64(Buf *b, const void *data, size_t n) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    ASSERT(n <= SIZE_MAX / 2);
    if (n == 0) return;
    const unsigned char *p = data;
    buf_reserve(b, (n + 2) / 3 * 4);
    char *out = b->p + b->n;
    for (; n > 0; out += 4) {
        size_t take = MIN(n, (size_t)3);
        uint32_t v = (uint32_t)p[0] << 16 | (take > 1 ? (uint32_t)p[1] << 8 : 0) | (take > 2 ? p[2] : 0);
        out[0] = alphabet[v >> 18];
        out[1] = alphabet[v >> 12 & 63];
        out[2] = take > 1 ? alphabet[v >> 6 & 63] : '=';
        out[3] = take > 2 ? alphabet[v & 63] : '=';
        p += take;
        n -= take;
    }
    b->n = (size_t)(out - b->p);
}

/* Both alphabets. */
static int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool num_parse_base64(Str s, Buf *out) {
    size_t n = s.n, before = out->n;
    while (n > 0 && s.n - n < 2 && s.p[n - 1] == '=') n--;
    if (n % 4 == 1 || (n != s.n && s.n % 4 != 0)) return false;
    buf_reserve(out, n / 4 * 3 + 3);
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++) {
        int d = base64_digit(s.p[i]);
        if (d < 0) {
            out->n = before;
            return false;
        }
        v = v << 6 | (uint32_t)d;
        if (i % 4 == 0) continue; /* 6 bits: not a byte yet; then 12, 18, 24 give one each */
        unsigned spare = (unsigned)(6 - 2 * (i % 4));
        out->p[out->n++] = (char)(uint8_t)(v >> spare);
    }
    return true;
}
