/* tsdb_parts.c - Meerkat's parts listed and analysed as if they were blocks. */
#include "cmd/tsdb_cmd.h"
#include "metrics/mpart.h"

#include <stdio.h>
#include <stdlib.h>

static ErrCode open_part(void *ctx, Part *part, const PartInfo *info, void **ret, Err *reterr) {
    (void)ctx;
    (void)info;
    MPart *p = NULL;
    ErrCode code = mpart_open(part, &p, reterr);
    *ret = p;
    return code;
}

static void close_part(void *ctx, void *obj) {
    (void)ctx;
    mpart_close(obj);
}

typedef struct OpenParts {
    TsdbStore store; /* holds the lock; what was in the log is in parts afterwards */
    PartSet *set;
    PartSnapshot snap;
} OpenParts;

static void parts_close(OpenParts *p) {
    if (p->set) {
        partset_release(p->set, &p->snap);
        partset_close(p->set);
    }
    datadir_close(p->store.dir);
}

static ErrCode parts_open(const char *data_dir, OpenParts *ret, Err *reterr) {
    static const PartOps ops = {open_part, close_part};
    char dir[FS_PATH_MAX];
    *ret = (OpenParts){0};
    ErrCode code = tsdb_store_open(data_dir, false, &ret->store, reterr);
    if (code != OK) return code;
    ret->store.store->ops->close(ret->store.store); /* writes the head out; the lock stays */
    ret->store.store = NULL;
    snprintf(dir, sizeof dir, "%s/metrics/parts", data_dir);
    code = partset_open(fs_real(), dir, &ops, NULL, &ret->set, reterr);
    if (code == OK)
        partset_snapshot(ret->set, &ret->snap);
    else
        parts_close(ret);
    return code;
}

static bool count_block(void *ctx, const MBlock *b) {
    TsdbSeriesInfo *s = ctx;
    s->min_t = s->n_chunks ? MIN(s->min_t, b->min_t) : b->min_t;
    s->max_t = s->n_chunks ? MAX(s->max_t, b->max_t) : b->max_t;
    s->n_chunks++;
    s->samples += b->n;
    return true;
}

static uint64_t count_blocks(MPart *p) {
    TsdbSeriesInfo s = {0};
    for (uint32_t i = 0; i < mpart_series_count(p); i++) (void)mpart_blocks(p, i, count_block, &s, NULL);
    return s.n_chunks;
}

ErrCode tsdb_parts_list(const char *data_dir, bool human_readable, Buf *out, Err *reterr) {
    OpenParts p;
    ErrCode code = parts_open(data_dir, &p, reterr);
    if (code != OK) return code;
    Buf rows = {0};
    buf_put_lit(&rows, "PART\tMIN TIME\tMAX TIME\tDURATION\tNUM SAMPLES\tNUM CHUNKS\tNUM SERIES\tSIZE\n");
    for (size_t i = 0; code == OK && i < p.snap.n; i++) {
        const PartInfo *info = &p.snap.v[i].info;
        code = mpart_load(p.snap.v[i].obj, reterr);
        if (code != OK) break;
        buf_printf(&rows, "%016llx\t", (unsigned long long)info->id);
        tsdb_put_time(&rows, info->min_t, human_readable);
        buf_put_char(&rows, '\t');
        tsdb_put_time(&rows, info->max_t + 1, human_readable);
        buf_put_char(&rows, '\t');
        tsdb_put_duration(&rows, info->max_t + 1 - info->min_t);
        buf_printf(&rows, "\t%llu\t%llu\t%u\t", (unsigned long long)info->rows,
            (unsigned long long)count_blocks(p.snap.v[i].obj), mpart_series_count(p.snap.v[i].obj));
        tsdb_put_bytes(&rows, info->size_bytes, human_readable);
        buf_put_char(&rows, '\n');
    }
    if (code == OK) tsdb_put_table(out, buf_str(&rows));
    buf_done(&rows);
    parts_close(&p);
    return code;
}

static const PartRef *choose(const PartSnapshot *snap, const char *id) {
    if (!id) return snap->n ? &snap->v[snap->n - 1] : NULL;
    char *end;
    unsigned long long want = strtoull(id, &end, 16);
    for (size_t i = 0; *end == 0 && i < snap->n; i++) {
        if (snap->v[i].info.id == want) return &snap->v[i];
    }
    return NULL;
}

static ErrCode analyze_part(const TsdbArgs *a, const PartRef *ref, Buf *out, Err *reterr) {
    MPart *p = ref->obj;
    ErrCode code = mpart_load(p, reterr);
    if (code != OK) return code;
    TsdbAnalysis *x = tsdb_analysis_create(ref->info.min_t, ref->info.max_t + 1, a->matchers);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    for (uint32_t i = 0; code == OK && i < mpart_series_count(p); i++) {
        TsdbSeriesInfo s = {0};
        arena_reset(arena);
        code = mpart_labels(p, i, arena, &s.labels, reterr);
        if (code == OK) code = mpart_blocks(p, i, count_block, &s, reterr);
        if (code == OK) tsdb_analysis_add(x, &s);
    }
    if (code == OK) {
        buf_printf(out, "Part: %016llx\nDuration: ", (unsigned long long)ref->info.id);
        tsdb_put_duration(out, ref->info.max_t + 1 - ref->info.min_t);
        buf_printf(out, "\nTotal Series: %u\n", mpart_series_count(p));
        tsdb_analysis_put(x, a->match, a->limit_n, false, out);
        if (a->extended)
            buf_printf(out, "\nSamples: %llu, bytes per sample with index: %.2f\n", (unsigned long long)ref->info.rows,
                (double)ref->info.size_bytes / (double)MAX(ref->info.rows, 1));
    }
    arena_free(arena);
    tsdb_analysis_free(x);
    return code;
}

ErrCode tsdb_parts_analyze(const TsdbArgs *a, const char *data_dir, Buf *out, Err *reterr) {
    OpenParts p;
    ErrCode code = parts_open(data_dir, &p, reterr);
    if (code != OK) return code;
    const PartRef *ref = choose(&p.snap, a->n_args > 1 ? a->args[1] : NULL);
    code = ref ? analyze_part(a, ref, out, reterr)
               : err_set(reterr, ERR_NOT_FOUND, "no such part (meerkat tsdb list shows them)");
    parts_close(&p);
    return code;
}
