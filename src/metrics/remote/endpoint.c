#include "base/log.h"
#include "metrics/remote/remote_int.h"
#include "sys/clock.h"

#include <stdio.h>

#define SAY_EVERY_NS (30 * INT64_C(1000000000))

bool endpoint_is_too_far_behind(Endpoint *e) {
    return spool_bytes_from(e->out->spool, atomic_load(&e->acked)) > atomic_load(&e->out->queue_bytes);
}

static void keep_mark(Endpoint *e) {
    Err err = {0};
    if (checkpoint_write(&e->file, &e->mark, &err) != OK)
        log_error("the checkpoint of remote write cannot be written", "error", err.msg, NULL);
    atomic_store(&e->acked, e->mark.acked);
}

/* Beyond the queue's size the oldest samples go, a segment at a time. */
static void drop_oldest(Endpoint *e, SpoolReader *reader) {
    if (!endpoint_is_too_far_behind(e)) return;
    SpoolPos target = spool_within(e->out->spool, atomic_load(&e->out->queue_bytes));
    uint64_t samples = 0;
    char text[24];
    Buf record = {0};
    while (reader->pos < target && !atomic_load(&e->stop) && spool_read(reader, &record, NULL) == 1)
        samples += remote_record_samples(buf_str(&record));
    buf_done(&record);
    e->mark = (Checkpoint){.acked = MAX(reader->pos, e->mark.acked)};
    keep_mark(e);
    mutex_lock(&e->mutex);
    e->stats.dropped[DROP_QUEUE_FULL].samples += samples;
    mutex_unlock(&e->mutex);
    remote_out_trim(e->out);
    e->unsaid_dropped += samples;
    int64_t now = clock_mono_ns();
    if (e->said_dropped_ns && now - e->said_dropped_ns < SAY_EVERY_NS) return;
    e->said_dropped_ns = now;
    snprintf(text, sizeof text, "%llu", (unsigned long long)e->unsaid_dropped);
    e->unsaid_dropped = 0;
    char *url = http_url_redacted(e->write->url);
    log_error("remote write: the queue is full, its oldest samples are dropped", "url", url, "samples", text, NULL);
    mem_free(url);
}

/* More shards while there is more than they take, fewer when not. */
static void adapt(Endpoint *e, const Round *r) {
    const PromQueueConfig *q = &e->write->queue;
    if (r->full && !r->trouble) e->full_shards = MIN(e->full_shards * 2, (uint64_t)q->max_shards);
    if (!r->full) e->full_shards = MAX(e->full_shards / 2, (uint64_t)q->min_shards);
    mutex_lock(&e->mutex);
    e->stats.shards_desired = e->full_shards;
    mutex_unlock(&e->mutex);
}

/* false: stopped in the middle; the same is sent again when it goes on. */
static bool run_round(Endpoint *e, SpoolReader *reader) {
    Round r = {.endpoint = e, .arena = arena_create(ARENA_UNLIMITED), .end = e->mark.acked};
    bool done = true;
    r.repeated = e->mark.sending > e->mark.acked;
    round_collect(&r, reader, r.repeated ? e->mark.sending : 0);
    if (r.end > e->mark.acked) {
        if (r.items.n && e->mark.sending != r.end) {
            e->mark.sending = r.end;
            e->mark.shards = r.n_shards;
            keep_mark(e);
        }
        done = round_send(&r);
        if (done) {
            e->mark = (Checkpoint){.acked = r.end};
            keep_mark(e);
            remote_out_trim(e->out);
            adapt(e, &r);
        }
    } else if (atomic_load(&e->drain)) {
        done = false;
    }
    round_done(&r);
    return done;
}

static void run(void *ctx) {
    Endpoint *e = ctx;
    SpoolReader reader = spool_reader(e->out->spool, e->mark.acked);
    bool going = true;
    while (going && !atomic_load(&e->stop)) {
        int64_t now = clock_mono_ns();
        if (e->write->version_2) endpoint_refresh_metadata(e);
        if (!e->write->version_2 && !e->write->no_metadata && now >= e->metadata_due_ns && !atomic_load(&e->drain)) {
            e->metadata_due_ns = now + MAX(e->write->metadata_interval_ms, INT64_C(1000)) * 1000000;
            endpoint_send_metadata(e);
        }
        drop_oldest(e, &reader);
        going = run_round(e, &reader);
    }
    spool_reader_done(&reader);
    atomic_store(&e->ended, true);
}

/* --- start and stop --- */

static void make_headers(Endpoint *e) {
    const PromParams *own = &e->write->headers;
    const char **v = ARENA_ARRAY(e->arena, const char *, own->n + 4);
    size_t n = 0;
    v[n++] = "Content-Encoding: snappy";
    v[n++] = e->write->version_2 ? "Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request"
                                 : "Content-Type: application/x-protobuf";
    v[n++] =
        e->write->version_2 ? "X-Prometheus-Remote-Write-Version: 2.0.0" : "X-Prometheus-Remote-Write-Version: 0.1.0";
    for (size_t i = 0; i < own->n; i++)
        v[n++] =
            arena_printf(e->arena, "%" STR_FMT ": %" STR_FMT, STR_ARG(own->v[i].name), STR_ARG(own->v[i].values[0])).p;
    v[n] = NULL;
    e->headers = v;
}

static void endpoint_free(Endpoint *e) {
    e->http = prom_http_free(e->http);
    e->client = http_client_free(e->client);
    checkpoint_close(&e->file);
    map_free(e->metadata);
    arena_free(e->metadata_arena);
    arena_free(e->arena);
    prom_config_free(e->config);
    cond_done(&e->answered);
    mutex_done(&e->mutex);
    mem_free(e);
}

static ErrCode open_checkpoint(Endpoint *e, SpoolPos first, Err *reterr) {
    char dir[FS_PATH_MAX], path[FS_PATH_MAX];
    Fs *fs = e->out->opts.fs;
    fs_path_join(dir, e->out->dir, e->id);
    fs_path_join(path, dir, "checkpoint");
    ErrCode r = fs->ops->make_dir(fs, dir, reterr);
    if (r == OK) r = checkpoint_open(fs, path, first, &e->file, &e->mark, reterr);
    atomic_store(&e->acked, e->mark.acked);
    return r;
}

ErrCode endpoint_start(struct RemoteOut *o, PromConfig *config, const PromRemoteWrite *write, const char *id,
    SpoolPos first, Endpoint **ret, Err *reterr) {
    Endpoint *e = NEW(Endpoint);
    *ret = NULL;
    e->out = o;
    e->config = prom_config_ref(config);
    e->write = write;
    e->full_shards = (uint64_t)write->queue.min_shards;
    e->metadata_due_ns = clock_mono_ns() + MIN(write->metadata_interval_ms, INT64_C(5000)) * 1000000;
    snprintf(e->id, sizeof e->id, "%s", id);
    mutex_init(&e->mutex);
    cond_init(&e->answered);
    e->arena = arena_create(ARENA_UNLIMITED);
    make_headers(e);
    ErrCode r = open_checkpoint(e, first, reterr);
    if (r == OK) {
        e->client = http_client_create(o->opts.user_agent);
        e->http = prom_http_create(e->client, &write->http);
        e->thread = thread_start("remote-write", run, e);
        if (!e->thread) r = err_set(reterr, ERR_UNAVAILABLE, "the system refuses another thread");
    }
    if (r != OK) {
        endpoint_free(e);
        return r;
    }
    *ret = e;
    return OK;
}

void endpoint_stop(Endpoint *e) {
    atomic_store(&e->stop, true);
    http_client_stop(e->client);
    spool_wake(e->out->spool);
    mutex_lock(&e->mutex);
    cond_broadcast(&e->answered);
    mutex_unlock(&e->mutex);
    thread_join(e->thread);
    endpoint_free(e);
}
