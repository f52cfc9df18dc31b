/* meta.json and tombstones of a block; a meta.json that is understood is written and understood again. */
#include "metrics/tsdb/tsdb_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str in = str_of((const char *)data, size);
    TsdbMeta a, b;
    if (tsdb_meta_decode(in, &a, NULL) == OK) {
        Buf out = {0};
        tsdb_meta_encode(&out, &a);
        ASSERT(tsdb_meta_decode(buf_str(&out), &b, NULL) == OK);
        ASSERT(strcmp(a.ulid, b.ulid) == 0 && a.samples == b.samples && a.max_t == b.max_t);
        buf_done(&out);
    }
    Intervals v = {0};
    if (tombstones_decode(in, &v, NULL) == OK) (void)intervals_cover(&v, 1, 0);
    vec_done(&v.list);
    return 0;
}
