/* scan_int.h - private: the sources a scan merges. */
#ifndef MEERKAT_LOGS_SCAN_INT_H
#define MEERKAT_LOGS_SCAN_INT_H

#include "logs/store_int.h"

#include <stdlib.h>

typedef enum SourceKind { SOURCE_CHAIN, SOURCE_LATE, SOURCE_BLOCK } SourceKind;

typedef struct Source {
    SourceKind kind;
    uint32_t seq;
    int64_t key; /* time of the row it stands at; of an unopened block: the bound its statistics give */
    bool more;
    /* heads */
    const HeadStream *stream;
    const HeadChunk *chunk, *last; /* CHAIN */
    uint32_t last_n;
    const HeadRow **late;
    /* blocks */
    const LogPart *part;
    const uint64_t *match; /* bits: streams of the part */
    size_t block_no;
    Arena *arena;
    WideBlock *block; /* NULL until opened */
    const int64_t *times;
    const uint64_t *groups;
    const WideValue *lines;
    uint32_t *rows; /* in visiting order */
    size_t at, n;   /* CHAIN: at is the row within chunk */
} Source;

typedef struct Scan {
    const LogSelect *req;
    LogVisitFn fn;
    void *ctx;
    LogScanStats *stats;
    Arena *tables;
    int64_t start_ns, end_ns;
    AVEC(Source *) sources;
    VEC(Arena *) free_arenas;
    LogAttrVec attrs;
    bool stopped;
    uint64_t ticks;
} Scan;

void scan_init(Scan *sc, const LogSelect *req, LogVisitFn fn, void *ctx, LogScanStats *stats);
void scan_done(Scan *sc);
ErrCode scan_run(Scan *sc, Err *reterr);
Source *scan_source(Scan *sc, SourceKind kind, int64_t key);
Arena *scan_arena_take(Scan *sc);

ErrCode scan_add_head(Scan *sc, LogHead *h, Err *reterr);
ErrCode scan_add_part(Scan *sc, const PartRef *part, Err *reterr);

static inline const HeadRow *chain_row(const Source *src) { return &src->chunk->rows[src->at]; }
/* To the next row in the scan's direction; false when it lies outside the range or there is none. */
bool chain_advance(const Scan *sc, Source *src);
/* Decodes times and streams and lists the matching rows in visiting order; sets src->more and src->key. */
ErrCode block_open(Scan *sc, Source *src, Err *reterr);

#endif
