#include "base/log.h"
#include "metrics/head_dump.h"
#include "metrics/record.h"
#include "metrics/store_int.h"
#include "sys/clock.h"

#include <stdio.h>

#define WAKE_MS 1000
#define SERIES_BYTES 100     /* of samples in memory per series before they are written out */
#define SAMPLES_MAX 12000000 /* in a head: what a start reads of a million series in under two seconds */
#define DEAD_SERIES_MIN 200000
#define RETRY_MS_MIN 2000
#define RETRY_MS_MAX 15000 /* so long a full head may go on refusing when the disk has room again */
#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define BOUNDARY_SLACK_MS (INT64_C(3) * 60 * 1000) /* late scrapes still meet their partition's head */

void store_wake(EmbeddedStore *s, bool flush, bool merge) {
    mutex_lock(&s->wake_lock);
    s->want_flush |= flush;
    s->want_merge |= merge;
    cond_broadcast(&s->wake);
    mutex_unlock(&s->wake_lock);
}

/* --- freezing --- */
typedef struct Cut {
    EmbeddedStore *store;
    WalPos pos;
    ErrCode code;
    Err *reterr;
} Cut;

static void cut_log(void *ctx) {
    Cut *c = ctx;
    /* An empty record first: after a failed write the log has no open segment, and appending is what makes one. */
    Buf last = {0};
    record_begin(&last, head_epoch(c->store->active));
    c->code = wal_append(c->store->wal, RECORD_METRICS, buf_str(&last), NULL, c->reterr);
    buf_done(&last);
    if (c->code == OK) c->code = wal_cut(c->store->wal, &c->pos, c->reterr);
}

static void gate_close(Gate *g) {
    mutex_lock(&g->lock);
    ASSERT(!g->closed);
    g->closed = true;
    while (g->inside > 0) cond_wait(&g->changed, &g->lock);
    mutex_unlock(&g->lock);
}

static void gate_open(Gate *g) {
    mutex_lock(&g->lock);
    g->closed = false;
    cond_broadcast(&g->changed);
    mutex_unlock(&g->lock);
}

ErrCode store_freeze(EmbeddedStore *s, Err *reterr) {
    HeadStats stats;
    mutex_lock(&s->view_lock);
    head_stats(s->active, &stats);
    bool nothing = (stats.samples == 0 && stats.histograms == 0) || s->frozen.n >= FROZEN_MAX;
    mutex_unlock(&s->view_lock);
    if (nothing) return OK;
    gate_close(&s->gate);
    Cut cut = {.store = s, .reterr = reterr};
    commit_run(s->commit, cut_log, &cut);
    Head *closed = NULL;
    if (cut.code == OK) {
        mutex_lock(&s->view_lock);
        Head *old = s->active;
        vec_push(&s->frozen, (FrozenHead){old, cut.pos});
        s->series_before = stats.series;
        s->active = head_create_after(old, false);
        s->active_since_ms = clock_now_ms();
        if (!head_same_index(old, s->active)) closed = head_ref(old);
        mutex_unlock(&s->view_lock);
    }
    gate_open(&s->gate);
    if (closed) head_close_index(closed);
    head_unref(closed);
    return cut.code;
}

/* --- writing a head --- */
int64_t store_merged_ms(const EmbeddedStore *s) {
    return s->opts.retention_ms >= 10 * DAY_MS ? MAX(DAY_MS, s->opts.partition_ms) : s->opts.partition_ms;
}

/* Start of the partition a time lies in: as long as parts are merged to be, since what one head has of it comes
 * together sooner or later; a day for what is old, so that a backfill of months does not make thousands of parts. */
static int64_t partition_start(const EmbeddedStore *s, int64_t now, int64_t t, int64_t *ret_len) {
    *ret_len = now - t > 2 * DAY_MS ? MAX(DAY_MS, s->opts.partition_ms) : store_merged_ms(s);
    int64_t rest = t % *ret_len;
    if (rest < 0) rest += *ret_len;
    return t < INT64_MIN + rest ? INT64_MIN : t - rest;
}

typedef struct PartList {
    VEC(PartInfo) made;
} PartList;

/* Writes what the head has in [from, to] into one part; none when there is nothing. */
static ErrCode write_range(
    EmbeddedStore *s, Head *h, HeadDump *d, int64_t from, int64_t to, PartList *out, Err *reterr) {
    char path[FS_PATH_MAX];
    PartInfo info = {.id = partset_new_id(s->parts, path)};
    MPartWriter *w;
    size_t n_symbols;
    const Str *symbols = head_dump_symbols(d, &n_symbols);
    ErrCode code = mpart_writer_create(s->fs, path, symbols, n_symbols, 0, &w, reterr);
    if (code != OK) return code;
    SampleBuf samples = {.want_starts = true};
    HistogramRefs histograms = {0};
    for (size_t i = 0; i < head_dump_count(d) && code == OK; i++) {
        sample_buf_clear(&samples);
        vec_clear(&histograms);
        if (!head_read(h, head_dump_id(d, i), from, to, &samples, &histograms))
            code = err_set(reterr, ERR_CORRUPT, "a chunk of the head does not decode");
        sample_buf_finish(&samples);
        if (code != OK || samples.n + histograms.n == 0) continue;
        const uint32_t *names, *values;
        uint32_t n_labels;
        head_dump_labels(d, i, &names, &values, &n_labels);
        code = mpart_writer_series_ranked(w, names, values, n_labels, &samples, &histograms, reterr);
    }
    bool empty = mpart_writer_series_count(w) == 0;
    if (code == OK && !empty) code = mpart_writer_finish(w, &info, reterr);
    if (code == OK && !empty) vec_push(&out->made, info);
    mpart_writer_free(w);
    sample_buf_done(&samples);
    vec_done(&histograms);
    return code;
}

/* A time >= from such that the head has nothing between them, INT64_MAX when there is nothing more. Series' ranges
 * suffice for most gaps. */
static int64_t next_time(Head *h, const HeadDump *d, int64_t from) {
    int64_t best = INT64_MAX, min_t, max_t;
    for (size_t i = 0; i < head_dump_count(d); i++) {
        if (head_series_range(h, head_dump_id(d, i), &min_t, &max_t) && max_t >= from)
            best = MIN(best, MAX(min_t, from));
    }
    return best;
}

/* The same when that has led nowhere: a series may have one sample now and one in fifty years, and nothing for all
 * the partitions between. */
static int64_t next_sample(Head *h, const HeadDump *d, int64_t from) {
    int64_t best = INT64_MAX;
    SampleBuf samples = {0};
    HistogramRefs histograms = {0};
    for (size_t i = 0; i < head_dump_count(d) && best > from; i++) {
        sample_buf_clear(&samples);
        vec_clear(&histograms);
        if (!head_read(h, head_dump_id(d, i), from, best, &samples, &histograms)) best = from; /* writing tells it */
        for (size_t k = 0; k < samples.n; k++) best = MIN(best, samples.t[k]);
        vec_foreach(const HistogramRef, x, &histograms) best = MIN(best, x->t);
    }
    sample_buf_done(&samples);
    vec_done(&histograms);
    return best;
}

static ErrCode write_parts(EmbeddedStore *s, Head *h, PartList *out, Err *reterr) {
    HeadStats stats;
    head_stats(h, &stats);
    HeadDump *d = head_dump_create(h);
    ErrCode code = OK;
    int64_t now = clock_now_ms(), t = stats.min_t;
    while (code == OK && t <= stats.max_t) {
        int64_t len, start = partition_start(s, now, t, &len);
        int64_t end = start > INT64_MAX - len ? INT64_MAX : start + len - 1;
        size_t made = out->made.n;
        code = write_range(s, h, d, start, end, out, reterr);
        if (end == INT64_MAX) break;
        t = out->made.n > made ? next_time(h, d, end + 1) : next_sample(h, d, end + 1);
    }
    head_dump_free(d);
    return code;
}

static void remove_files(EmbeddedStore *s, const PartList *list) {
    for (size_t i = 0; i < list->made.n; i++) {
        char path[FS_PATH_MAX], dir[FS_PATH_MAX], name[40];
        snprintf(name, sizeof name, "part-%016llx.mkp", (unsigned long long)list->made.v[i].id);
        fs_path_join(dir, s->dir, "parts");
        fs_path_join(path, dir, name);
        (void)s->fs->ops->remove(s->fs, path, NULL); /* else removed at the next start: not in the manifest */
    }
}

ErrCode store_write_head(EmbeddedStore *s, Head *h, WalPos floor, Err *reterr) {
    PartList list = {0};
    ErrCode code = write_parts(s, h, &list, reterr);
    if (code == OK) code = side_save(s, reterr);
    if (code != OK) remove_files(s, &list);
    /* When this fails it is open which manifest a crash brings up: the new one, which has moved the log's position,
     * must find its parts. The next publish or open removes them. */
    if (code == OK) code = partset_publish(s->parts, list.made.v, list.made.n, NULL, 0, floor, reterr);
    vec_done(&list.made);
    return code;
}

/* --- flushing --- */
static void truncate_log(void *ctx) {
    Cut *c = ctx;
    c->code = wal_truncate_before(c->store->wal, c->pos, c->reterr);
}

static ErrCode flush_oldest(EmbeddedStore *s, Err *reterr) {
    mutex_lock(&s->view_lock);
    FrozenHead f = s->frozen.v[0]; /* only we remove, under flush_lock */
    mutex_unlock(&s->view_lock);
    ErrCode code = store_write_head(s, f.head, f.end, reterr);
    if (code != OK) return code;
    mutex_lock(&s->view_lock);
    s->frozen.n--;
    memmove(s->frozen.v, s->frozen.v + 1, s->frozen.n * sizeof *s->frozen.v);
    mutex_unlock(&s->view_lock);
    head_unref(f.head);
    Cut cut = {.store = s, .pos = f.end};
    commit_run(s->commit, truncate_log, &cut); /* a failure only leaves old segments for the next time */
    store_wake(s, false, true);
    return OK;
}

ErrCode store_flush(MetricsStore *base, Err *reterr) {
    EmbeddedStore *s = CONTAINER_OF(base, EmbeddedStore, base);
    mutex_lock(&s->flush_lock);
    ErrCode code = OK; /* what waits goes first: there may be no room for another frozen head */
    while (code == OK && s->frozen.n) code = flush_oldest(s, reterr);
    if (code == OK) code = store_freeze(s, reterr);
    while (code == OK && s->frozen.n) code = flush_oldest(s, reterr);
    mutex_unlock(&s->flush_lock);
    return code;
}

/* --- the background thread --- */
/* Samples may take so much, or so much per series that is alive: with a million of them a fixed sum would be used up
 * by their open chunks alone. Their number is bounded for the log that a start reads. Series that have gone keep their
 * place in the index until the next head; there must not be too many of them either. */
bool store_head_is_large(const EmbeddedStore *s, const HeadStats *stats, unsigned times) {
    uint64_t samples_max = MAX(s->opts.head_bytes_max, stats->recent * SERIES_BYTES);
    uint64_t series_max = 3 * stats->recent + DEAD_SERIES_MIN;
    return stats->sample_bytes / times > samples_max || stats->samples / times > SAMPLES_MAX ||
           stats->index_series / times > series_max;
}

static bool flush_is_due(EmbeddedStore *s) {
    HeadStats stats;
    int64_t now = clock_now_ms(), len = s->opts.partition_ms;
    mutex_lock(&s->view_lock);
    head_stats(s->active, &stats);
    bool waiting = s->frozen.n > 0;
    int64_t boundary = now - now % len;
    bool aged = s->active_since_ms < boundary && now - boundary >= BOUNDARY_SLACK_MS;
    mutex_unlock(&s->view_lock);
    bool has_data = stats.samples || stats.histograms;
    return waiting || (has_data && (aged || store_head_is_large(s, &stats, 1)));
}

void store_flusher_main(void *ctx) {
    EmbeddedStore *s = ctx;
    int64_t retry_ms = 0, retry_at_ns = 0;
    for (;;) {
        mutex_lock(&s->wake_lock);
        if (!s->stop && !s->want_flush) (void)cond_wait_ms(&s->wake, &s->wake_lock, WAKE_MS);
        /* After a failure the next try is put off, however often appends ask for it. */
        while (!s->stop && clock_mono_ns() < retry_at_ns) (void)cond_wait_ms(&s->wake, &s->wake_lock, WAKE_MS);
        bool stop = s->stop;
        s->want_flush = false;
        mutex_unlock(&s->wake_lock);
        if (stop) return;
        if (!flush_is_due(s)) continue;
        Err err = {0};
        if (store_flush(&s->base, &err) == OK) {
            retry_ms = retry_at_ns = 0;
        } else {
            retry_ms = retry_ms ? MIN(retry_ms * 2, RETRY_MS_MAX) : RETRY_MS_MIN;
            retry_at_ns = clock_mono_ns() + retry_ms * 1000000;
            log_error("metrics: writing parts failed, the log keeps the data", "error", err.msg, NULL);
        }
    }
}
