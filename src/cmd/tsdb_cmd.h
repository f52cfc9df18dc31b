/* tsdb_cmd.h - `meerkat tsdb ...`: options, and a directory of either kind opened for reading. Private to tsdb_*.c. */
#ifndef MEERKAT_CMD_TSDB_CMD_H
#define MEERKAT_CMD_TSDB_CMD_H

#include "metrics/metrics_store.h"
#include "metrics/tsdb/tsdb.h"
#include "storage/datadir.h"

#define TSDB_LIST_MAX 64

typedef struct TsdbArgs {
    const char *name; /* of the sub-command */
    const char *data_dir, *server, *output, *match;
    const char *min_time, *max_time; /* also --start, --end */
    const char *limit, *format;      /* of dump: prom, seriesjson */
    bool human_readable, extended, openmetrics, quiet;
    const char *matches[TSDB_LIST_MAX], *labels[TSDB_LIST_MAX]; /* match: the first; labels: name=value */
    size_t n_matches, n_labels;
    const char *args[2]; /* DIR, block */
    int n_args;
    /* parsed */
    Arena *arena;
    int64_t min_t, max_t;
    Matchers matchers; /* of the first */
    Matchers *any_of;  /* n_matches of them; a series is meant when one matches it */
    int64_t limit_n;
} TsdbArgs;

/* 0, or the exit code. The arena is made; tsdb_args_done frees it. */
int tsdb_args_parse(TsdbArgs *a, const char *name, int argc, char **argv);
void tsdb_args_done(TsdbArgs *a);

/* Whether dir is a data directory of Meerkat, of Prometheus (or one of its blocks), or neither. */
typedef enum TsdbKind { TSDB_NEITHER, TSDB_MEERKAT, TSDB_PROMETHEUS } TsdbKind;
TsdbKind tsdb_kind(const char *dir);
ErrCode tsdb_kind_error(const char *dir, Err *reterr);

/* The metrics of a data directory, locked; nothing is removed while it is open, and nothing merged unless asked for. */
typedef struct TsdbStore {
    DataDir *dir;
    MetricsStore *store;
} TsdbStore;
ErrCode tsdb_store_open(const char *data_dir, bool merge, TsdbStore *ret, Err *reterr);
void tsdb_store_close(TsdbStore *s);

/* An empty store below TMPDIR that goes with its closing; for what must be gathered before it can be written. */
typedef struct TsdbTemp {
    MetricsStore *store;
    char path[FS_PATH_MAX];
} TsdbTemp;
ErrCode tsdb_temp_open(TsdbTemp *ret, Err *reterr);
void tsdb_temp_close(TsdbTemp *t);
/* Appends, waiting while the store is overloaded; for TsdbImport.append (ctx: the store). */
ErrCode tsdb_append(void *store, const MetricsBatch *b, MetricsAppendResult *ret, Err *reterr);
/* Prints the table of a Prometheus directory's blocks; but: those whose ids stand in it, a line each, are left out. */
ErrCode tsdb_blocks_list(const char *dir, Str but, bool human_readable, Buf *out, Err *reterr);

/* All that a store holds as blocks of Prometheus in dir; their table, as tsdb_blocks_list prints it. tsdb_create.c */
ErrCode tsdb_write_blocks(
    MetricsStore *store, const char *dir, bool human_readable, const _Atomic bool *cancel, Buf *table, Err *reterr);

/* {__name__="up", job="x"}: as Go prints labels. */
void tsdb_put_labels(Buf *out, Labels l);

/* tsdb_analyze.c: what both kinds of directories give. */
typedef struct TsdbAnalysis TsdbAnalysis;
TsdbAnalysis *tsdb_analysis_create(int64_t min_t, int64_t max_t, Matchers matchers);
void tsdb_analysis_add(TsdbAnalysis *a, const TsdbSeriesInfo *s);
/* Everything but the first three lines of promtool's report. */
void tsdb_analysis_put(TsdbAnalysis *a, const char *match, int64_t limit, bool extended, Buf *out);
uint64_t tsdb_analysis_series(const TsdbAnalysis *a);
TsdbAnalysis *tsdb_analysis_free(TsdbAnalysis *a);

/* tsdb_parts.c: Meerkat's parts, in the words of blocks. */
ErrCode tsdb_parts_list(const char *data_dir, bool human_readable, Buf *out, Err *reterr);
ErrCode tsdb_parts_analyze(const TsdbArgs *a, const char *data_dir, Buf *out, Err *reterr);

void tsdb_put_duration(Buf *out, int64_t ms); /* as Go prints time.Duration: 2h0m0s */
/* Aligns rows of tab-separated cells, a line each, as promtool's tables: at least 13 wide, 2 blanks between. */
void tsdb_put_table(Buf *out, Str rows);
void tsdb_put_time(Buf *out, int64_t ms, bool human_readable);
void tsdb_put_bytes(Buf *out, uint64_t n, bool human_readable);

#endif
