/* ttombs.c - a block's "tombstones": which samples of which series are deleted.
 * Source: tsdb/docs/format/tombstones.md of Prometheus. */
#include "codec/crc.h"
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/tsdb_int.h"

#include <stdlib.h>

static int by_ref(const void *a, const void *b) {
    const Interval *x = a, *y = b;
    return x->ref < y->ref ? -1 : x->ref > y->ref;
}

void intervals_sort(Intervals *v) {
    if (v->list.n) qsort(v->list.v, v->list.n, sizeof *v->list.v, by_ref);
}

ErrCode tombstones_decode(Str file, Intervals *ret, Err *reterr) {
    Cursor c = cursor_of(file);
    if (file.n < 9 || cursor_u32be(&c) != TSDB_TOMBSTONES_MAGIC || cursor_u8(&c) != 1)
        return err_set(reterr, ERR_CORRUPT, "no tombstones file");
    Str entries = str_slice(file, 5, file.n - 4);
    Cursor tail = cursor_of(str_skip(file, file.n - 4)), e = cursor_of(entries);
    if (cursor_u32be(&tail) != crc32c(0, entries.p, entries.n))
        return err_set(reterr, ERR_CORRUPT, "checksum of the tombstones");
    while (cursor_left(&e) > 0 && !e.bad) {
        Interval x = {.ref = cursor_uvarint(&e)};
        x.min_t = cursor_svarint(&e);
        x.max_t = cursor_svarint(&e);
        vec_push(&ret->list, x);
    }
    intervals_sort(ret);
    return e.bad ? err_set(reterr, ERR_CORRUPT, "the tombstones end in the middle of one") : OK;
}

void tombstones_encode_empty(Buf *out) {
    buf_put_u32be(out, TSDB_TOMBSTONES_MAGIC);
    buf_put_char(out, 1);
    buf_put_u32be(out, crc32c(0, NULL, 0));
}

bool intervals_cover(const Intervals *v, uint64_t ref, int64_t t) {
    size_t lo = 0, hi = v->list.n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (v->list.v[mid].ref < ref)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < v->list.n && v->list.v[lo].ref == ref; lo++) {
        if (t >= v->list.v[lo].min_t && t <= v->list.v[lo].max_t) return true;
    }
    return false;
}
