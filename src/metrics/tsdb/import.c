/* import.c - a Prometheus data directory into batches: blocks here, the head's logs in import_wal.c. */
#include "metrics/tsdb/import_int.h"

#include <stdio.h>

#define BLOCKS_ARENA ((size_t)256 << 20)

static bool take_series(void *ctx, const SeriesColumn *s) { return batcher_add(ctx, s, NULL, 0); }

/* A block that cannot be opened is a problem of its own, not of the import. */
static ErrCode import_block(const TsdbImport *im, const TsdbBlockInfo *info, TsdbImportResult *ret, Err *reterr) {
    char dir[FS_PATH_MAX];
    snprintf(dir, sizeof dir, "%.*s", (int)info->dir.n, info->dir.p);
    TsdbBlock *block;
    Err err = {0};
    ErrCode code = tsdb_block_open(im->fs, dir, &block, &err);
    if (code != OK) {
        ret->blocks_failed++;
        tsdb_note(&ret->problems, "%s", err.msg);
        return code == ERR_CORRUPT || code == ERR_NOT_FOUND || code == ERR_UNSUPPORTED
                   ? OK
                   : err_set(reterr, code, "%s", err.msg);
    }
    Batcher b;
    batcher_init(&b, im, &ret->appended, reterr);
    code = tsdb_block_visit(block, (Matchers){0}, im->min_t, im->max_t, take_series, &b, &ret->problems, reterr);
    if (code == OK) (void)batcher_flush(&b);
    if (b.code != OK) code = b.code;
    batcher_done(&b);
    tsdb_block_close(block);
    if (code != OK) return code;
    ret->blocks++;
    if (im->done) im->done(im->ctx, info->meta.ulid);
    return OK;
}

static ErrCode import_blocks(const TsdbImport *im, TsdbImportResult *ret, Err *reterr) {
    Arena *arena = arena_create(BLOCKS_ARENA);
    TsdbBlockInfo *v;
    size_t n;
    Err bad = {0};
    uint64_t total = 0, done = 0;
    ErrCode code = tsdb_blocks(im->fs, im->dir, arena, &v, &n, &bad, reterr);
    if (code == OK && bad.msg[0]) {
        ret->blocks_failed++;
        tsdb_note(&ret->problems, "%s", bad.msg);
    }
    for (size_t i = 0; code == OK && i < n; i++) total += v[i].size_bytes;
    for (size_t i = 0; code == OK && i < n; i++) {
        bool in_range = v[i].meta.max_t > im->min_t && v[i].meta.min_t <= im->max_t;
        if (im->progress) im->progress(im->ctx, v[i].meta.ulid, done, total);
        if (!in_range || (im->is_done && im->is_done(im->ctx, v[i].meta.ulid)))
            ret->blocks_skipped++;
        else
            code = import_block(im, &v[i], ret, reterr);
        done += v[i].size_bytes;
    }
    if (code == OK && n && im->progress) im->progress(im->ctx, "blocks", total, total);
    arena_free(arena);
    return code;
}

ErrCode tsdb_import(const TsdbImport *im, TsdbImportResult *ret, Err *reterr) {
    *ret = (TsdbImportResult){0};
    ASSERT(strlen(im->dir) + 128 < FS_PATH_MAX);
    ErrCode code = import_blocks(im, ret, reterr);
    if (code == OK) code = import_head(im, ret, reterr);
    if (code != OK) return code;
    bool nothing = ret->blocks + ret->blocks_skipped + ret->blocks_failed + ret->wal_segments == 0;
    if (!nothing) return OK;
    code = err_set(reterr, ERR_NOT_FOUND, "%s holds neither blocks nor a write-ahead log of Prometheus", im->dir);
    err_hint(reterr, "give the directory of --storage.tsdb.path, a snapshot of it, or one block");
    return code;
}
