/* partset_int.h - inside of the part set. Private to storage. */
#ifndef MEERKAT_STORAGE_PARTSET_INT_H
#define MEERKAT_STORAGE_PARTSET_INT_H

#include "base/vec.h"
#include "storage/partset.h"
#include "sys/thread.h"

typedef struct PartEntry {
    _Atomic size_t refs; /* of versions */
    PartInfo info;
    Part *part;
    void *obj;
    bool merging;  /* guarded by the set's mutex */
    bool verified; /* read whole since the set was opened; guarded by the set's mutex */
    bool removed;  /* written before the last version that holds it is let go: the file goes with the entry */
} PartEntry;

/* An immutable state of the set. Snapshots share it, so taking one is a single increment. */
typedef struct PartVersion {
    _Atomic size_t refs;
    PartEntry **entries; /* ordered by min_t, then id */
    PartRef *refs_v;     /* the same, as snapshots show them */
    size_t n;
} PartVersion;

struct PartSet {
    Fs *fs;
    char dir[FS_PATH_MAX];
    PartOps ops;
    void *ctx;
    _Atomic uint64_t corrupt; /* found at open and by scrubbing */
    VEC(uint64_t) limbo;      /* ids of failed publishes; guarded by publish_mutex */
    Mutex publish_mutex;      /* one publisher at a time; held over I/O */
    Mutex mutex;              /* guards what follows; never held over I/O */
    PartVersion *current;
    uint64_t next_id, size_bytes;
    WalPos wal_floor;
};

typedef struct Manifest {
    uint64_t next_id;
    WalPos wal_floor;
    VEC(PartInfo) parts;
} Manifest;

/* ERR_NOT_FOUND when there is none, ERR_CORRUPT when no copy in it holds. */
ErrCode partset_manifest_read(Fs *fs, const char *dir, Manifest *ret, Err *reterr);
ErrCode partset_manifest_write(
    PartSet *s, PartEntry *const *entries, size_t n, uint64_t next_id, WalPos wal_floor, Err *reterr);
void partset_part_path(const PartSet *s, uint64_t id, const char *suffix, char out[FS_PATH_MAX]);
ErrCode partset_entry_open(PartSet *s, const PartInfo *info, PartEntry **ret, Err *reterr);
PartVersion *partset_version_create(PartEntry **entries, size_t n);

#endif
