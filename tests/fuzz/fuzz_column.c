/* Columns of any content through all four decoders; and any values through encoder and decoder, bit for bit. */
#include "base/cursor.h"
#include "storage/column.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define N_MAX 9000

static void decode(unsigned which, Str in, size_t n) {
    if (which == 0) {
        int64_t *v = mem_alloc(MAX(n, 1) * sizeof *v);
        (void)!column_decode_i64(in, v, n);
        mem_free(v);
    } else if (which == 1) {
        double *v = mem_alloc(MAX(n, 1) * sizeof *v);
        (void)!column_decode_f64(in, v, n);
        if (n > 1) (void)!column_decode_f64_range(in, n, n / 2, n - 1, NULL, v);
        if (n > 1) (void)!column_decode_f64_range(in, n, n / 3, n, &(double){17}, v);
        mem_free(v);
    } else if (which == 2) {
        Str *v = mem_alloc(MAX(n, 1) * sizeof *v);
        if (column_decode_str(in, v, n))
            for (size_t i = 0; i < n; i++) ASSERT(v[i].n == 0 || (v[i].p >= in.p && v[i].p + v[i].n <= in.p + in.n));
        mem_free(v);
    } else {
        uint32_t *v = mem_alloc(MAX(n, 1) * sizeof *v);
        (void)!column_decode_u32(in, v, n);
        mem_free(v);
    }
}

static void round_trip(Str in) {
    size_t n = in.n / 8;
    int64_t *i64 = mem_alloc(n * 8 + 1), *back = mem_alloc(n * 8 + 1);
    double *f64 = mem_alloc(n * 8 + 1), *fback = mem_alloc(n * 8 + 1);
    Str *str = mem_alloc((n + 1) * sizeof *str), *sback = mem_alloc((n + 1) * sizeof *str);
    Buf b = {0};
    if (n) memcpy(i64, in.p, n * 8);
    if (n) memcpy(f64, in.p, n * 8);
    for (size_t i = 0; i < n; i++) str[i] = str_of(in.p + i * 8, (uint8_t)in.p[i * 8] % 9);
    column_encode_i64(&b, i64, n);
    ASSERT(column_decode_i64(buf_str(&b), back, n) && memcmp(i64, back, n * 8) == 0);
    buf_clear(&b);
    column_encode_f64(&b, f64, n);
    ASSERT(column_decode_f64(buf_str(&b), fback, n) && memcmp(f64, fback, n * 8) == 0);
    buf_clear(&b);
    column_encode_str(&b, str, n);
    ASSERT(column_decode_str(buf_str(&b), sback, n));
    for (size_t i = 0; i < n; i++) ASSERT(str_eq(str[i], sback[i]));
    buf_done(&b);
    mem_free(i64);
    mem_free(back);
    mem_free(f64);
    mem_free(fback);
    mem_free(str);
    mem_free(sback);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3) return 0;
    size_t n = (data[1] | (size_t)data[2] << 8) % N_MAX;
    Str rest = str_of((const char *)data + 3, size - 3);
    if (data[0] % 8 < 4)
        decode(data[0] % 4, rest, n);
    else
        round_trip(rest);
    return 0;
}
