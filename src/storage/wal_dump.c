/* wal_dump.c - every frame of a log with its fate, for people. */
#include "storage/wal_int.h"

typedef struct Dump {
    void (*fn)(void *ctx, const char *file, uint64_t offset, uint8_t type, Str payload, const char *problem);
    void *ctx;
    char name[WAL_NAME_MAX];
} Dump;

static ErrCode dump_frame(void *ctx, const WalFrame *f) {
    Dump *d = ctx;
    d->fn(d->ctx, d->name, f->offset, f->type, f->payload, f->problem);
    return OK;
}

ErrCode wal_dump(Fs *fs, const char *dir,
    void (*fn)(void *ctx, const char *file, uint64_t offset, uint8_t type, Str payload, const char *problem), void *ctx,
    Err *reterr) {
    WalSegmentVec found = {0};
    ErrCode rc = wal_list_segments(fs, dir, &found, reterr);
    vec_foreach(WalSegment, seg, &found) {
        if (rc != OK) break;
        Dump d = {.fn = fn, .ctx = ctx};
        wal_segment_name(d.name, seg->number);
        if (seg->dead) {
            fn(ctx, d.name, 0, 0, STR_NULL, "void: a later segment leaves it out");
            continue;
        }
        WalScanResult res;
        rc = wal_scan_segment(fs, dir, seg, 0, dump_frame, &d, &res, reterr);
    }
    vec_done(&found);
    return rc;
}
