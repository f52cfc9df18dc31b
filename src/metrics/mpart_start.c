/* mpart_start.c - start times of a block's samples. A first byte names the way, the smallest of:
 *   CONSTANT  one for all: a process that has not been restarted
 *   RUNS      how many runs; per run its length and the difference to the run before
 *   PLAIN     a column of them
 *   BEFORE    a column of the differences to the time of the sample before: of deltas that is often 0
 * Differences begin at the time of the first sample. Zigzag and wrapping, so that whatever was sent comes back. */
#include "metrics/mpart_int.h"
#include "storage/column.h"

enum { CONSTANT, RUNS, PLAIN, BEFORE };

static int64_t minus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }
static int64_t plus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }

/* Of out[at, middle) and out[middle, n) the smaller one stays. */
static void keep_smaller(Buf *out, size_t at, size_t middle) {
    size_t n = out->n - middle;
    if (n < middle - at) memmove(out->p + at, out->p + middle, n);
    out->n = at + MIN(n, middle - at);
}

static size_t count_runs(const int64_t *start, size_t n) {
    size_t runs = 1;
    for (size_t i = 1; i < n; i++) runs += start[i] != start[i - 1];
    return runs;
}

static void put_runs(Buf *out, const int64_t *t, const int64_t *start, size_t n, size_t runs) {
    int64_t before = t[0];
    buf_put_char(out, RUNS);
    buf_put_uvarint(out, runs);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && start[end] == start[i];) end++;
        buf_put_uvarint(out, end - i);
        buf_put_svarint(out, minus(start[i], before));
        before = start[i];
    }
}

static void put_column(Buf *out, const int64_t *t, const int64_t *start, size_t n) {
    int64_t *from_before = mem_alloc_array(n, sizeof *from_before);
    for (size_t i = 0; i < n; i++) from_before[i] = minus(start[i], t[i ? i - 1 : 0]);
    size_t at = out->n;
    buf_put_char(out, PLAIN);
    column_encode_i64(out, start, n);
    size_t middle = out->n;
    buf_put_char(out, BEFORE);
    column_encode_i64(out, from_before, n);
    mem_free(from_before);
    keep_smaller(out, at, middle);
}

void mpart_starts_encode(Buf *out, const int64_t *t, const int64_t *start, size_t n) {
    size_t runs = count_runs(start, n), at = out->n;
    if (runs == 1) {
        buf_put_char(out, CONSTANT);
        buf_put_svarint(out, minus(start[0], t[0]));
        return;
    }
    put_column(out, t, start, n);
    if (runs * 2 >= out->n - at) return; /* a run takes two bytes at least */
    size_t middle = out->n;
    put_runs(out, t, start, n, runs);
    keep_smaller(out, at, middle);
}

static bool get_runs(Cursor *c, const int64_t *t, int64_t *out, size_t n) {
    int64_t value = t[0];
    size_t at = 0;
    for (uint64_t runs = cursor_uvarint(c); runs > 0; runs--) {
        uint64_t length = cursor_uvarint(c);
        value = plus(value, cursor_svarint(c));
        if (c->bad || length == 0 || length > n - at) return false;
        for (uint64_t i = 0; i < length; i++) out[at++] = value;
    }
    return at == n;
}

bool mpart_starts_decode(Str in, const int64_t *t, int64_t *out, size_t n) {
    Cursor c = cursor_of(in);
    uint8_t way = cursor_u8(&c);
    if (c.bad || n == 0) return false;
    Str rest = str_slice(in, 1, in.n);
    switch (way) {
    case CONSTANT: {
        int64_t value = plus(t[0], cursor_svarint(&c));
        for (size_t i = 0; i < n; i++) out[i] = value;
        return !c.bad;
    }
    case RUNS: return get_runs(&c, t, out, n);
    case PLAIN: return column_decode_i64(rest, out, n);
    case BEFORE:
        if (!column_decode_i64(rest, out, n)) return false;
        for (size_t i = 0; i < n; i++) out[i] = plus(out[i], t[i ? i - 1 : 0]);
        return true;
    default: return false;
    }
}
