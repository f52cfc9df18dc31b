#include "base/log.h"
#include "codec/sha256.h"
#include "metrics/remote/remote_int.h"
#include "sys/clock.h"

#include <stdio.h>

#define QUEUE_BYTES ((uint64_t)4 << 30)
#define SEGMENT_MIN (64u << 10)
#define SEGMENT_MAX (32u << 20)

/* --- what the store takes --- */

static void note_taken(RemoteOut *o, const MetricsTaken *t) {
    const MetricsBatch *b = t->batch;
    int64_t newest = INT64_MIN;
    for (size_t i = 0; i < b->t_ms.n; i++) newest = MAX(newest, b->t_ms.v[i]);
    for (size_t i = 0; i < b->histogram_t_ms.n; i++) newest = MAX(newest, b->histogram_t_ms.v[i]);
    atomic_fetch_add(&o->samples_in, b->t_ms.n);
    atomic_fetch_add(&o->histograms_in, b->histograms.n);
    atomic_fetch_add(&o->exemplars_in, b->exemplars.n);
    int64_t was = atomic_load(&o->highest_ms);
    while (was < newest && !atomic_compare_exchange_weak(&o->highest_ms, &was, newest)) {
    }
}

static ErrCode on_append(void *ctx, const MetricsTaken *taken, Err *reterr) {
    RemoteOut *o = ctx;
    Buf record = {0};
    bool any;
    ErrCode r = remote_record_encode(taken, &record, &any, reterr);
    if (r == OK && any) r = spool_append(o->spool, buf_str(&record), reterr);
    buf_done(&record);
    if (r == OK)
        note_taken(o, taken);
    else
        atomic_fetch_add(&o->append_failures, 1);
    return r;
}

/* --- opening --- */

typedef struct DirList {
    VEC(char *) names;
} DirList;

static bool note_dir(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    DirList *list = ctx;
    (void)size_bytes;
    if (is_dir && name.n == 32) vec_push(&list->names, str_dup_cstr(name));
    return true;
}

static void dirs_done(DirList *list) {
    for (size_t i = 0; i < list->names.n; i++) mem_free(list->names.v[i]);
    vec_done(&list->names);
}

/* The furthest position any checkpoint names: the queue must not begin before it again. */
static SpoolPos furthest(RemoteOut *o, const DirList *list) {
    SpoolPos pos = 0;
    for (size_t i = 0; i < list->names.n; i++) {
        char dir[FS_PATH_MAX], path[FS_PATH_MAX];
        CheckpointFile file = {0};
        Checkpoint mark = {0};
        fs_path_join(dir, o->dir, list->names.v[i]);
        fs_path_join(path, dir, "checkpoint");
        if (o->opts.fs->ops->exists(o->opts.fs, path) && checkpoint_open(o->opts.fs, path, 0, &file, &mark, NULL) == OK)
            pos = MAX(pos, MAX(mark.acked, mark.sending));
        checkpoint_close(&file);
    }
    return pos;
}

static uint64_t queue_bytes_or_default(uint64_t bytes) { return bytes ? bytes : QUEUE_BYTES; }

ErrCode remote_out_create(const RemoteOutOptions *opts, RemoteOut **ret, Err *reterr) {
    RemoteOut *o = NEW(RemoteOut);
    char queue[FS_PATH_MAX];
    DirList dirs = {0};
    *ret = NULL;
    o->opts = *opts;
    snprintf(o->dir, sizeof o->dir, "%s", opts->dir);
    mutex_init(&o->apply_mutex);
    mutex_init(&o->mutex);
    atomic_store(&o->queue_bytes, queue_bytes_or_default(opts->queue_bytes));
    SpoolOptions spool = {.durable = opts->durable,
        .segment_bytes = MIN(MAX(atomic_load(&o->queue_bytes) / 8, (uint64_t)SEGMENT_MIN), (uint64_t)SEGMENT_MAX)};
    fs_path_join(queue, o->dir, "queue");
    ErrCode r = opts->fs->ops->make_dir(opts->fs, o->dir, reterr);
    if (r == OK) r = opts->fs->ops->list(opts->fs, o->dir, note_dir, &dirs, reterr);
    if (r == OK) r = spool_open(opts->fs, queue, &spool, furthest(o, &dirs), &o->spool, reterr);
    dirs_done(&dirs);
    if (r != OK) {
        remote_out_free(o);
        return r;
    }
    opts->store->ops->set_tap(opts->store, on_append, &o->active, o);
    *ret = o;
    return OK;
}

void remote_out_set_queue_bytes(RemoteOut *o, uint64_t bytes) {
    atomic_store(&o->queue_bytes, queue_bytes_or_default(bytes));
}

void remote_out_trim(RemoteOut *o) {
    SpoolPos done = UINT64_MAX;
    mutex_lock(&o->mutex);
    for (size_t i = 0; i < o->endpoints.n; i++) done = MIN(done, atomic_load(&o->endpoints.v[i]->acked));
    bool any = o->endpoints.n > 0;
    mutex_unlock(&o->mutex);
    if (any) spool_trim(o->spool, done);
}

/* --- configuration --- */

/* A destination is its name and URL; several alike are told apart by their order. */
static void id_of(const PromConfig *c, size_t k, char ret[33]) {
    const PromRemoteWrite *w = &c->remote_writes[k];
    char hex[2 * SHA256_BYTES + 1];
    size_t before = 0;
    Buf text = {0};
    for (size_t i = 0; i < k; i++)
        before += str_eq(c->remote_writes[i].url, w->url) && str_eq(c->remote_writes[i].name, w->name);
    buf_printf(&text, "%" STR_FMT "\n%" STR_FMT "\n%zu", STR_ARG(w->name), STR_ARG(w->url), before);
    sha256_hex(buf_str(&text), hex);
    memcpy(ret, hex, 32);
    ret[32] = 0;
    buf_done(&text);
}

static bool unchanged(const Endpoint *e, const PromConfig *c, const PromRemoteWrite *w) {
    return str_eq(e->write->key, w->key) && labels_eq(e->config->external_labels, c->external_labels);
}

/* Takes the endpoint of that id out of the list; NULL: there is none. */
static Endpoint *take_endpoint(RemoteOut *o, const char *id) {
    Endpoint *e = NULL;
    mutex_lock(&o->mutex);
    for (size_t i = 0; i < o->endpoints.n && !e; i++) {
        if (strcmp(o->endpoints.v[i]->id, id) != 0) continue;
        e = o->endpoints.v[i];
        o->endpoints.v[i] = o->endpoints.v[--o->endpoints.n];
    }
    mutex_unlock(&o->mutex);
    return e;
}

static void put_endpoint(RemoteOut *o, Endpoint *e) {
    mutex_lock(&o->mutex);
    vec_push(&o->endpoints, e);
    mutex_unlock(&o->mutex);
}

static Endpoint *find_endpoint(RemoteOut *o, const char *id) {
    for (size_t i = 0; i < o->endpoints.n; i++)
        if (strcmp(o->endpoints.v[i]->id, id) == 0) return o->endpoints.v[i];
    return NULL;
}

static void forget(RemoteOut *o, const char *id) {
    char dir[FS_PATH_MAX];
    fs_path_join(dir, o->dir, id);
    (void)fs_remove_tree(o->opts.fs, dir, NULL);
}

static bool is_wanted(const PromConfig *c, const char *id) {
    char other[33];
    for (size_t i = 0; c && i < c->n_remote_writes; i++) {
        id_of(c, i, other);
        if (strcmp(id, other) == 0) return true;
    }
    return false;
}

/* Endpoints and checkpoints of those that are not in the configuration any more. */
static void drop_unwanted(RemoteOut *o, const PromConfig *c) {
    for (size_t i = 0; i < o->endpoints.n;) {
        char id[33];
        memcpy(id, o->endpoints.v[i]->id, sizeof id);
        if (is_wanted(c, id)) {
            i++;
            continue;
        }
        endpoint_stop(take_endpoint(o, id));
        forget(o, id);
    }
    DirList dirs = {0};
    (void)o->opts.fs->ops->list(o->opts.fs, o->dir, note_dir, &dirs, NULL);
    for (size_t i = 0; i < dirs.names.n; i++)
        if (!is_wanted(c, dirs.names.v[i])) forget(o, dirs.names.v[i]);
    dirs_done(&dirs);
}

/* Of a changed endpoint, the new one goes on at the checkpoint of the old one. */
static ErrCode apply_one(RemoteOut *o, PromConfig *c, size_t k, SpoolPos first, Err *reterr) {
    char id[33];
    id_of(c, k, id);
    const PromRemoteWrite *w = &c->remote_writes[k];
    Endpoint *e = find_endpoint(o, id);
    if (e && unchanged(e, c, w)) return OK;
    if (e) {
        take_endpoint(o, id);
        endpoint_stop(e);
    }
    ErrCode r = endpoint_start(o, c, w, id, first, &e, reterr);
    if (r == OK) put_endpoint(o, e);
    return r;
}

ErrCode remote_out_apply(RemoteOut *o, PromConfig *config, Err *reterr) {
    ErrCode r = OK;
    size_t n = config ? config->n_remote_writes : 0;
    mutex_lock(&o->apply_mutex);
    atomic_store(&o->active, (unsigned)n); /* before the position is taken: nothing from now on is missed */
    SpoolPos first = spool_end(o->spool);
    drop_unwanted(o, config);
    for (size_t k = 0; k < n && r == OK; k++) r = apply_one(o, config, k, first, reterr);
    if (n == 0) spool_trim(o->spool, first);
    mutex_unlock(&o->apply_mutex);
    return r;
}

/* --- end --- */

static void flush(RemoteOut *o) {
    int64_t end = clock_mono_ns() + o->opts.flush_ms * 1000000;
    for (size_t i = 0; i < o->endpoints.n; i++) {
        Endpoint *e = o->endpoints.v[i];
        mutex_lock(&e->mutex);
        atomic_store(&e->drain, true);
        cond_broadcast(&e->answered);
        mutex_unlock(&e->mutex);
    }
    spool_wake(o->spool);
    for (size_t i = 0; i < o->endpoints.n; i++) {
        Endpoint *e = o->endpoints.v[i];
        while (!atomic_load(&e->ended) && clock_mono_ns() < end) clock_sleep_ms(10);
    }
}

RemoteOut *remote_out_free(RemoteOut *o) {
    if (!o) return NULL;
    if (o->spool) {
        o->opts.store->ops->set_tap(o->opts.store, NULL, NULL, NULL);
        flush(o);
    }
    while (o->endpoints.n > 0) endpoint_stop(take_endpoint(o, o->endpoints.v[0]->id));
    vec_done(&o->endpoints);
    spool_close(o->spool);
    mutex_done(&o->apply_mutex);
    mutex_done(&o->mutex);
    mem_free(o);
    return NULL;
}
