/* tsdb_create.c - `meerkat tsdb create-blocks-from openmetrics`: text with timestamps into Prometheus blocks. */
#include "cmd/command.h"
#include "cmd/progress.h"
#include "cmd/tsdb_cmd.h"
#include "metrics/scrape/promtext.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH_SAMPLES 50000

typedef struct Create {
    MetricsStore *store;
    MetricsBatch batch;
    MetricsAppendResult total;
    const _Atomic bool *cancel;
    Str text;
} Create;

static ErrCode flush(Create *c, Err *reterr) {
    MetricsAppendResult r = {0};
    ErrCode code = c->batch.series.n ? tsdb_append(c->store, &c->batch, &r, reterr) : OK;
    if (code == OK && r.conflicts)
        code = err_set(reterr, ERR_INVALID, "two values for the same series and time: %s", r.first_error);
    c->total.samples += r.samples;
    arena_reset(c->batch.arena);
    c->batch = (MetricsBatch){.arena = c->batch.arena};
    return code;
}

static ErrCode take_sample(void *ctx, const PromTextSample *s, Err *reterr) {
    Create *c = ctx;
    if (!s->has_t) return err_set(reterr, ERR_INVALID, "line %d: a sample without a timestamp", s->line);
    if (*c->cancel) return err_set(reterr, ERR_CANCELLED, "cancelled");
    Label *labels = ARENA_ARRAY(c->batch.arena, Label, s->n_labels + 1);
    size_t n = 0;
    ASSERT(labels);
    if (!promtext_labels(s, c->batch.arena, labels, &n)) return err_set(reterr, ERR_TOO_LARGE, "line %d: too long", s->line);
    ErrCode code = labels_normalize(labels, &n, reterr);
    if (code != OK) return code;
    if (!metrics_batch_add(&c->batch, (Labels){labels, n}, s->t_ms, s->value))
        return err_set(reterr, ERR_TOO_LARGE, "line %d: does not fit into memory", s->line);
    if (c->batch.t_ms.n < BATCH_SAMPLES) return OK;
    progress_show("reading", (uint64_t)(s->raw.p - c->text.p), c->text.n);
    return flush(c, reterr);
}

static ErrCode read_text(Create *c, const char *path, Err *reterr) {
    FileView file;
    PromTextOptions o = {.format = PROMTEXT_OPENMETRICS};
    PromTextVisitor v = {.ctx = c, .sample = take_sample};
    ErrCode code = fs_real()->ops->map(fs_real(), path, &file, reterr);
    if (code != OK) return code;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    c->batch.arena = arena_create(ARENA_UNLIMITED);
    c->text = file.bytes;
    code = promtext_parse(file.bytes, &o, &v, arena, reterr);
    if (code == OK) code = flush(c, reterr);
    progress_clear();
    arena_free(c->batch.arena);
    arena_free(arena);
    fs_real()->ops->unmap(fs_real(), &file);
    return code;
}

static ErrCode create(const char *text, const char *out_dir, Buf *table, Err *reterr) {
    TsdbTemp t;
    TsdbExportResult r;
    ErrCode code = tsdb_temp_open(&t, reterr);
    if (code != OK) return code;
    Create c = {.store = t.store, .cancel = progress_watch_signals()};
    TsdbExport e = {.fs = fs_real(), .store = t.store, .dir = out_dir, .min_t = INT64_MIN, .max_t = INT64_MAX};
    e.cancel = c.cancel;
    code = read_text(&c, text, reterr);
    if (code == OK) code = tsdb_export(&e, &r, reterr);
    if (code == OK) code = tsdb_blocks_list(out_dir, false, table, reterr);
    progress_unwatch_signals();
    tsdb_temp_close(&t);
    return code;
}

int cmd_tsdb_create_blocks(int argc, char **argv) {
    TsdbArgs a;
    Err err = {0};
    Buf table = {0};
    int usage = tsdb_args_parse(&a, "create-blocks-from openmetrics", argc, argv);
    if (!usage && a.n_args == 0) usage = command_usage("tsdb create-blocks-from openmetrics wants a file");
    if (usage) return tsdb_args_done(&a), usage;
    const char *out_dir = a.n_args > 1 ? a.args[1] : a.output ? a.output : "data";
    ErrCode code = create(a.args[0], out_dir, &table, &err);
    if (code == OK) fwrite(table.p ? table.p : "", 1, table.n, stdout);
    buf_done(&table);
    tsdb_args_done(&a);
    return code == OK ? 0 : command_fail(&err);
}
