/* tsdb_move.c - `meerkat tsdb import|export`: from and to Prometheus' data directories. */
#include "base/json.h"
#include "base/num.h"
#include "cmd/command.h"
#include "cmd/progress.h"
#include "cmd/tsdb_cmd.h"
#include "codec/compress.h"
#include "metrics/remote/message.h"
#include "net/client.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define SEND_TIMEOUT_MS 120000
#define SEND_TRIES 60

typedef struct Target {
    MetricsStore *store; /* or by remote write: */
    HttpClient *client;
    char url[1024];
    uint64_t refused_requests;
    char refused[256]; /* the server's first reason */
} Target;

/* --- remote write --- */
/* A series of a message has samples or histograms; exemplars may come alone. */
static void put_series(RemoteMessage *m, const MetricsBatch *b, const BatchSeries *s) {
    const int64_t *start = metrics_batch_starts(b, s->first_sample, s->n_samples),
                  *histogram_start = metrics_batch_histogram_starts(b, s->first_histogram, s->n_histograms);
    RemoteSeries floats = {.labels = s->labels,
        .n = s->n_samples,
        .t_ms = b->t_ms.v + s->first_sample,
        .value = b->value.v + s->first_sample,
        .start_ms = start,
        .n_exemplars = s->n_exemplars,
        .exemplars = b->exemplars.v + s->first_exemplar};
    RemoteSeries histograms = {.labels = s->labels,
        .n_histograms = s->n_histograms,
        .histogram_start_ms = histogram_start,
        .histogram_t_ms = b->histogram_t_ms.v + s->first_histogram,
        .histograms = b->histograms.v + s->first_histogram};
    if (floats.n || floats.n_exemplars) remote_message_put(m, &floats);
    if (histograms.n_histograms) remote_message_put(m, &histograms);
}

/* 400 means that some samples were refused and the others taken: the server says why, and the import goes on. */
static ErrCode judge(Target *t, int status, const Buf *answer, Err *reterr) {
    if (status / 100 == 2) return OK;
    int n = (int)MIN(answer->n, sizeof t->refused - 1);
    const char *text = answer->p ? answer->p : "";
    if (status == 400) {
        if (t->refused_requests++ == 0) snprintf(t->refused, sizeof t->refused, "%.*s", n, text);
        return OK;
    }
    if (status == 429 || status == 503) return ERR_OVERLOADED;
    return err_set(reterr, ERR_UNAVAILABLE, "%s answers %d: %.*s", t->url, status, n, text);
}

static ErrCode send(Target *t, RemoteMessage *m, Err *reterr) {
    static const char *const version_1[] = {"Content-Type: application/x-protobuf", "Content-Encoding: snappy",
        "X-Prometheus-Remote-Write-Version: 0.1.0", NULL};
    static const char *const version_2[] = {"Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request",
        "Content-Encoding: snappy", "X-Prometheus-Remote-Write-Version: 2.0.0", NULL};
    Buf raw = {0}, body = {0}, answer = {0};
    remote_message_finish(m, &raw);
    (void)compress(ENCODING_SNAPPY, buf_str(&raw), 0, &body);
    ErrCode code = ERR_OVERLOADED;
    for (int i = 0; i < SEND_TRIES && code == ERR_OVERLOADED; i++) {
        int status = 0;
        if (i) clock_sleep_ms(1000);
        buf_clear(&answer);
        HttpClientRequest req = {.method = "POST",
            .url = t->url,
            .headers = m->version_2 ? version_2 : version_1,
            .body = buf_str(&body),
            .timeout_ms = SEND_TIMEOUT_MS};
        code = http_client_fetch(t->client, &req, &status, &answer, reterr);
        if (code == OK) code = judge(t, status, &answer, reterr);
    }
    if (code == ERR_OVERLOADED) err_set(reterr, code, "%s has been overloaded for a minute", t->url);
    buf_done(&raw);
    buf_done(&body);
    buf_done(&answer);
    remote_message_done(m);
    return code;
}

/* Version 2 has start times; version 1 has metadata without series. */
static ErrCode append_remote(Target *t, const MetricsBatch *b, MetricsAppendResult *ret, Err *reterr) {
    RemoteMessage series = {.version_2 = true}, metadata = {0};
    vec_foreach(const BatchSeries, s, &b->series) put_series(&series, b, s);
    vec_foreach(const MetricMetadata, m, &b->metadata) remote_message_put_metadata(&metadata, m);
    ErrCode code = b->series.n ? send(t, &series, reterr) : OK;
    if (code == OK && b->metadata.n) code = send(t, &metadata, reterr);
    remote_message_done(&metadata);
    ret->samples = b->t_ms.n;
    ret->histograms = b->histograms.n;
    ret->exemplars = b->exemplars.n;
    return code;
}

static ErrCode append(void *ctx, const MetricsBatch *b, MetricsAppendResult *ret, Err *reterr) {
    Target *t = ctx;
    return t->store ? tsdb_append(t->store, b, ret, reterr) : append_remote(t, b, ret, reterr);
}

static void show(void *ctx, const char *what, uint64_t done, uint64_t total) {
    (void)ctx;
    progress_show(what, done, total);
}

/* --- import --- */
static void say(const TsdbImportResult *r, const Target *t) {
    fprintf(stderr,
        "imported %llu samples, %llu histograms and %llu exemplars from %llu blocks and %llu log segments\n",
        (unsigned long long)r->appended.samples, (unsigned long long)r->appended.histograms,
        (unsigned long long)r->appended.exemplars, (unsigned long long)r->blocks, (unsigned long long)r->wal_segments);
    if (r->appended.duplicates)
        fprintf(stderr, "%llu samples were there already\n", (unsigned long long)r->appended.duplicates);
    if (r->appended.conflicts + r->appended.too_old)
        fprintf(stderr,
            "refused: %llu samples with another value for a time, %llu older than the retention; first: %s\n",
            (unsigned long long)r->appended.conflicts, (unsigned long long)r->appended.too_old,
            r->appended.first_error);
    if (t->refused_requests)
        fprintf(stderr, "%llu of the requests had samples that the server refused; first reason: %s\n",
            (unsigned long long)t->refused_requests, t->refused);
    const TsdbProblems *p = &r->problems;
    if (p->series + p->chunks + p->records + r->blocks_failed)
        fprintf(stderr, "damaged and left out: %llu blocks, %llu series, %llu chunks, %llu log records; first: %s\n",
            (unsigned long long)r->blocks_failed, (unsigned long long)p->series, (unsigned long long)p->chunks,
            (unsigned long long)p->records, p->first);
}

static ErrCode run_import(const TsdbArgs *a, Target *t, TsdbImportResult *r, Err *reterr) {
    TsdbImport im = {.fs = fs_real(), .dir = a->args[0], .min_t = a->min_t, .max_t = a->max_t, .append = append};
    im.ctx = t;
    im.progress = show;
    im.cancel = progress_watch_signals();
    ErrCode code = tsdb_import(&im, r, reterr);
    progress_unwatch_signals();
    progress_clear();
    return code;
}

static bool open_remote(const char *server, Target *t) {
    Str s = str_cstr(server);
    while (s.n && s.p[s.n - 1] == '/') s = str_slice(s, 0, s.n - 1);
    t->client = http_client_create("meerkat-import");
    return snprintf(t->url, sizeof t->url, "%.*s/api/v1/write", (int)s.n, s.p) < (int)sizeof t->url;
}

int cmd_tsdb_import(int argc, char **argv) {
    TsdbArgs a;
    Err err = {0};
    Target t = {0};
    TsdbStore local = {0};
    TsdbImportResult r = {0};
    int usage = tsdb_args_parse(&a, "import", argc, argv);
    if (!usage && a.n_args != 1) usage = command_usage("tsdb import wants the data directory of a Prometheus");
    if (!usage && a.server && a.data_dir) usage = command_usage("tsdb import wants either --server or --data-dir");
    if (!usage && a.server && !open_remote(a.server, &t)) usage = command_usage("--server is too long");
    if (usage) return http_client_free(t.client), tsdb_args_done(&a), usage;
    const char *data_dir = a.data_dir ? a.data_dir : "./meerkat-data";
    ErrCode code = OK;
    if (!a.server) code = tsdb_store_open(data_dir, true, &local, &err);
    t.store = local.store;
    if (code == ERR_CONFLICT)
        err_hint(&err, "a server is using it: give its address by --server http://127.0.0.1:9090");
    if (code == OK) code = run_import(&a, &t, &r, &err);
    tsdb_store_close(&local);
    http_client_free(t.client);
    if (code == OK || r.appended.samples) say(&r, &t);
    tsdb_args_done(&a);
    bool damage = r.problems.first[0] || r.blocks_failed;
    return code != OK ? command_fail(&err) : damage ? 1 : 0;
}

/* --- export --- */
static void show_windows(void *ctx, uint64_t done, uint64_t total) {
    (void)ctx;
    progress_show("blocks of two hours", done, total);
}

int cmd_tsdb_export(int argc, char **argv) {
    TsdbArgs a;
    Err err = {0};
    TsdbStore s = {0};
    TsdbExportResult r = {0};
    int usage = tsdb_args_parse(&a, "export", argc, argv);
    if (!usage && !a.output) usage = command_usage("tsdb export wants --output DIR");
    if (usage) return tsdb_args_done(&a), usage;
    const char *dir = a.data_dir ? a.data_dir : a.n_args ? a.args[0] : "./meerkat-data";
    ErrCode code = tsdb_kind(dir) == TSDB_MEERKAT ? tsdb_store_open(dir, false, &s, &err) : tsdb_kind_error(dir, &err);
    if (code == OK) {
        TsdbExport e = {.fs = fs_real(), .store = s.store, .dir = a.output, .matchers = a.matchers};
        e.min_t = a.min_t;
        e.max_t = a.max_t;
        e.progress = show_windows;
        e.cancel = progress_watch_signals();
        code = tsdb_export(&e, &r, &err);
        progress_unwatch_signals();
        progress_clear();
    }
    tsdb_store_close(&s);
    if (code == OK)
        fprintf(stderr, "wrote %llu %s with %llu samples, %llu bytes, below %s\n", (unsigned long long)r.blocks,
            r.blocks == 1 ? "block" : "blocks", (unsigned long long)r.samples, (unsigned long long)r.bytes, a.output);
    tsdb_args_done(&a);
    return code == OK ? 0 : command_fail(&err);
}
