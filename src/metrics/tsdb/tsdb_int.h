/* tsdb_int.h - magic numbers and what the files of this folder share. Private. */
#ifndef MEERKAT_METRICS_TSDB_TSDB_INT_H
#define MEERKAT_METRICS_TSDB_TSDB_INT_H

#include "metrics/tsdb/tindex.h"
#include "metrics/tsdb/tsdb.h"

#define TSDB_INDEX_MAGIC 0xBAAAD700u
#define TSDB_CHUNKS_MAGIC 0x85BD40DDu
#define TSDB_HEAD_CHUNKS_MAGIC 0x0130BC91u
#define TSDB_TOMBSTONES_MAGIC 0x0130BA30u
#define TSDB_SEGMENT_BYTES ((uint64_t)512 << 20)

/* --- tombstones (ttombs.c) --- */
typedef struct Interval {
    uint64_t ref; /* of the series */
    int64_t min_t, max_t;
} Interval;
typedef struct Intervals {
    VEC(Interval) list; /* sorted by ref */
} Intervals;
/* The contents of a file "tombstones". ERR_CORRUPT. */
ErrCode tombstones_decode(Str file, Intervals *ret, Err *reterr);
void tombstones_encode_empty(Buf *out);
void intervals_sort(Intervals *v);
/* Whether a sample of the series at t is deleted. */
bool intervals_cover(const Intervals *v, uint64_t ref, int64_t t);

/* --- meta.json (tmeta.c) --- */
ErrCode tsdb_meta_decode(Str json, TsdbMeta *ret, Err *reterr);
void tsdb_meta_encode(Buf *out, const TsdbMeta *m);
void tsdb_ulid(char out[TSDB_ULID_SIZE], int64_t now_ms);

/* Keeps the first problem's text; p may be NULL. */
void tsdb_note(TsdbProblems *p, const char *fmt, ...) ATTR_PRINTF(2, 3);

/* --- names --- */
/* Sorted names of the entries fn accepts; in the arena. */
typedef struct NameList {
    Str *v;
    size_t n;
} NameList;
ErrCode tsdb_names(
    Fs *fs, const char *dir, bool (*accept)(Str name, bool is_dir), Arena *arena, NameList *ret, Err *reterr);
bool tsdb_is_segment(Str name, bool is_dir); /* digits only */
bool tsdb_is_ulid(Str name);

#endif
