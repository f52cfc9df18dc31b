/* tsdb_create.c - `meerkat tsdb create-blocks-from openmetrics`: text with timestamps into Prometheus blocks. */
#include "base/vec.h"
#include "cmd/command.h"
#include "cmd/progress.h"
#include "cmd/tsdb_cmd.h"
#include "metrics/scrape/promtext.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH_SAMPLES 50000
#define STREAM_BYTES_MAX ((size_t)8 << 30)

typedef struct Create {
    MetricsStore *store;
    MetricsBatch batch;
    MetricsAppendResult total;
    const _Atomic bool *cancel;
    const TsdbArgs *args;
    FileView file;
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

/* name=value, in the place of a label of that name. */
static void set_label(Label *v, size_t *n, const char *pair) {
    const char *eq = strchr(pair, '=');
    Label l = {str_of(pair, (size_t)(eq - pair)), str_cstr(eq + 1)};
    size_t i = 0;
    while (i < *n && !str_eq(v[i].name, l.name)) i++;
    v[i] = l;
    *n += i == *n;
}

static ErrCode take_sample(void *ctx, const PromTextSample *s, Err *reterr) {
    Create *c = ctx;
    if (!s->has_t) return err_set(reterr, ERR_INVALID, "line %d: a sample without a timestamp", s->line);
    if (*c->cancel) return err_set(reterr, ERR_CANCELLED, "cancelled");
    Label *labels = ARENA_ARRAY(c->batch.arena, Label, s->n_labels + 1 + c->args->n_labels);
    size_t n = 0;
    ASSERT(labels);
    if (!promtext_labels(s, c->batch.arena, labels, &n))
        return err_set(reterr, ERR_TOO_LARGE, "line %d: too long", s->line);
    for (size_t i = 0; i < c->args->n_labels; i++) set_label(labels, &n, c->args->labels[i]);
    ErrCode code = labels_normalize(labels, &n, reterr);
    if (code != OK) return code;
    if (!metrics_batch_add(&c->batch, (Labels){labels, n}, s->t_ms, s->value))
        return err_set(reterr, ERR_TOO_LARGE, "line %d: does not fit into memory", s->line);
    if (c->batch.t_ms.n < BATCH_SAMPLES) return OK;
    progress_show("reading", (uint64_t)(s->raw.p - c->text.p), c->text.n);
    return flush(c, reterr);
}

static ErrCode read_text(Create *c, const char *path, Err *reterr) {
    Buf text = {0};
    PromTextOptions o = {.format = PROMTEXT_OPENMETRICS};
    PromTextVisitor v = {.ctx = c, .sample = take_sample};
    ErrCode code = fs_real()->ops->map(fs_real(), path, &c->file, reterr);
    if (code == OK && !c->file.impl)
        code = fs_read_stream(path, STREAM_BYTES_MAX, &text, reterr); /* of a pipe, or empty */
    if (code != OK) return code;
    c->text = c->file.impl ? c->file.bytes : buf_str(&text);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    c->batch.arena = arena_create(ARENA_UNLIMITED);
    code = promtext_parse(c->text, &o, &v, arena, reterr);
    if (code == OK) code = flush(c, reterr);
    progress_clear();
    arena_free(c->batch.arena);
    arena_free(arena);
    if (c->file.impl) fs_real()->ops->unmap(fs_real(), &c->file);
    buf_done(&text);
    return code;
}

/* --- blocks --- */

/* Ids, a line each. */
static void put_ids(const char *dir, Buf *out) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    TsdbBlockInfo *v;
    size_t n;
    if (tsdb_blocks(fs_real(), dir, arena, &v, &n, NULL, NULL) == OK)
        for (size_t i = 0; i < n; i++) buf_printf(out, "%s\n", v[i].meta.ulid);
    arena_free(arena);
}

ErrCode tsdb_write_blocks(
    MetricsStore *store, const char *dir, bool human_readable, const _Atomic bool *cancel, Buf *table, Err *reterr) {
    Buf before = {0};
    TsdbExportResult r;
    TsdbExport e = {.fs = fs_real(), .store = store, .dir = dir, .min_t = INT64_MIN, .max_t = INT64_MAX};
    e.cancel = cancel;
    put_ids(dir, &before);
    ErrCode code = tsdb_export(&e, &r, reterr);
    if (code == OK && r.blocks) code = tsdb_blocks_list(dir, buf_str(&before), human_readable, table, reterr);
    buf_done(&before);
    return code;
}

static ErrCode create(const TsdbArgs *a, const char *out_dir, Buf *table, Err *reterr) {
    TsdbTemp t;
    ErrCode code = tsdb_temp_open(&t, reterr);
    if (code != OK) return code;
    Create c = {.store = t.store, .cancel = progress_watch_signals(), .args = a};
    code = read_text(&c, a->args[0], reterr);
    if (code == OK) code = tsdb_write_blocks(t.store, out_dir, a->human_readable, c.cancel, table, reterr);
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
    for (size_t i = 0; !usage && i < a.n_labels; i++)
        if (!strchr(a.labels[i], '=')) usage = command_usage("--label wants NAME=VALUE, not \"%s\"", a.labels[i]);
    if (usage) return tsdb_args_done(&a), usage;
    const char *out_dir = a.n_args > 1 ? a.args[1] : a.output ? a.output : "data";
    ErrCode code = create(&a, out_dir, &table, &err);
    if (code == OK && !a.quiet) fwrite(table.p ? table.p : "", 1, table.n, stdout);
    buf_done(&table);
    tsdb_args_done(&a);
    return code == OK ? 0 : command_fail(&err);
}
