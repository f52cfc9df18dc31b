/* commit.c - the writer thread of a store: batches, one sync for all, apply, wake.
 *
 * Batching needs no clock to be good: while one batch is being synced the next one gathers. The window only
 * helps when submitters that were just answered come back at once (many clients in lock step): then the writer
 * waits for about as many as were active in the last round, never longer than a sync takes, and stops
 * trying when they do not come. A lone submitter never waits. */
#include "storage/commit.h"

#include "base/vec.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define IDLE_MS 250
#define INTERVAL_MS_DEFAULT 1000
#define WINDOW_US_DEFAULT 2000
#define GATHER_MIN_NS INT64_C(100000) /* a sync that is quicker is not worth sharing */
#define PATIENCE_NS INT64_C(20000000) /* of records nobody waits for */
#define PATIENT_MAX 16
#define PENDING_BYTES_DEFAULT ((size_t)64 << 20)

/* What commit_submit waits with, on its stack. */
typedef struct Waiting {
    CommitRecord record;
    Latch done;
} Waiting;

typedef struct Task {
    struct Task *next;
    void (*fn)(void *ctx);
    void *ctx;
    bool done;
    Cond cond;
} Task;

struct CommitQueue {
    Wal *wal;
    bool durable;
    int64_t interval_ms, window_us;
    size_t pending_bytes_max;
    CommitApplyFn apply;
    CommitIdleFn idle;
    void *ctx;
    Thread *thread;

    Mutex mutex; /* guards what follows */
    Cond work;   /* the writer waits here */
    CommitRecord *first, **last;
    size_t queued, wait_for; /* wait_for: the writer is in its window until this many are queued */
    size_t patient;          /* of the queued ones */
    bool being_patient;      /* and in its window only until one comes that is not */
    size_t pending_bytes;    /* queued and in the batch being written */
    Task *tasks, **last_task;
    bool stopping;
    CommitStats stats;

    /* The writer's own. */
    size_t expected; /* submitters likely to come in the next round */
    int64_t sync_ns_avg;
    int64_t next_sync_ms; /* interval durability */
    bool written;         /* something to sync */
};

/* Which queue's writer this thread is: commit_run from within apply or idle must not wait for itself. */
static _Thread_local const CommitQueue *writer_of;

static int64_t mono_ms(void) { return clock_mono_ns() / 1000000; }

/* Gives more submitters the chance to share the sync, for so many times as long as one takes. At the beginning of a
 * round those that were just answered may be on their way back: the writer is woken when all are there, not by the
 * first. Called and returns with the lock held. */
static void gather(CommitQueue *q, int64_t lengths) {
    int64_t window_ns = MIN(q->window_us * 1000, q->sync_ns_avg);
    if (!q->durable || window_ns < GATHER_MIN_NS || q->queued >= q->expected || q->stopping) return;
    int64_t until_ns = clock_mono_ns() + lengths * window_ns;
    q->wait_for = q->expected;
    bool came = true;
    while (came && q->queued < q->wait_for && !q->tasks && !q->stopping)
        came = cond_wait_until(&q->work, &q->mutex, until_ns);
    q->wait_for = 0;
    if (!came) q->expected = 0; /* they do other things: do not wait again until a round shows them active */
}

/* While all that is queued can wait, for more of its kind. As gather. */
static void be_patient(CommitQueue *q) {
    int64_t until_ns = clock_mono_ns() + PATIENCE_NS;
    q->being_patient = true;
    q->wait_for = PATIENT_MAX;
    while (q->queued == q->patient && q->queued < PATIENT_MAX && !q->tasks && !q->stopping)
        if (!cond_wait_until(&q->work, &q->mutex, until_ns)) break;
    q->being_patient = false;
    q->wait_for = 0;
}

/* *ret_urgent: how many of them could not wait. */
static CommitRecord *take_batch(CommitQueue *q, size_t *ret_urgent) {
    CommitRecord *batch = q->first;
    *ret_urgent = q->queued - q->patient;
    q->first = NULL;
    q->last = &q->first;
    q->queued = q->patient = 0;
    return batch;
}

static ErrCode sync_timed(CommitQueue *q, Err *reterr) {
    int64_t start = clock_mono_ns();
    ErrCode rc = wal_sync(q->wal, reterr);
    int64_t took = clock_mono_ns() - start;
    q->sync_ns_avg = q->sync_ns_avg ? (q->sync_ns_avg * 7 + took) / 8 : took;
    q->written = false;
    mutex_lock(&q->mutex);
    q->stats.syncs++;
    q->stats.sync_ns += (uint64_t)MAX(took, 0);
    if (rc != OK && !q->durable) q->stats.failed++;
    mutex_unlock(&q->mutex);
    return rc;
}

/* Appends the batch's records and makes them safe; results are in the submissions. */
static void write_batch(CommitQueue *q, CommitRecord *batch) {
    size_t appended = 0;
    for (CommitRecord *s = batch; s; s = s->next) {
        s->result = wal_append(q->wal, s->type, s->payload, &s->pos, &s->err);
        if (s->result == OK) appended++;
    }
    if (appended == 0) return;
    Err err = {0};
    ErrCode rc = q->durable ? sync_timed(q, &err) : wal_write(q->wal, &err);
    if (!q->durable && rc == OK) q->written = true;
    if (rc == OK) return;
    for (CommitRecord *s = batch; s; s = s->next) {
        if (s->result != OK) continue;
        s->result = rc;
        s->err = err;
    }
}

static void finish_batch(CommitQueue *q, CommitRecord *batch, size_t urgent) {
    mutex_lock(&q->mutex);
    q->stats.commits++;
    for (CommitRecord *s = batch; s; s = s->next) {
        q->pending_bytes -= s->payload.n;
        if (s->result == OK) {
            q->stats.records++;
            q->stats.bytes += s->payload.n;
        } else {
            q->stats.failed++;
        }
    }
    q->expected = urgent + q->queued - q->patient;
    mutex_unlock(&q->mutex);
    for (CommitRecord *s = batch; s;) {
        CommitRecord *next = s->next; /* s is gone once its owner is told */
        s->done(s);
        s = next;
    }
}

static void commit_batch(CommitQueue *q, CommitRecord *batch, size_t urgent) {
    write_batch(q, batch);
    for (CommitRecord *s = batch; s; s = s->next)
        if (s->result == OK) q->apply(q->ctx, s->pos, s->type, s->payload, s->item);
    finish_batch(q, batch, urgent);
}

static void run_tasks(CommitQueue *q, Task *tasks) {
    for (Task *t = tasks; t;) {
        Task *next = t->next;
        t->fn(t->ctx);
        mutex_lock(&q->mutex);
        t->done = true;
        cond_signal(&t->cond);
        mutex_unlock(&q->mutex);
        t = next;
    }
}

static void sync_if_due(CommitQueue *q, bool now) {
    if (q->durable || !q->written || (!now && mono_ms() < q->next_sync_ms)) return;
    q->next_sync_ms = mono_ms() + q->interval_ms;
    (void)sync_timed(q, NULL); /* counted; the records were answered already, that is what this mode means */
}

static int64_t wait_ms(const CommitQueue *q) {
    if (q->durable || !q->written) return IDLE_MS;
    return MAX(1, MIN(IDLE_MS, q->next_sync_ms - mono_ms()));
}

static void writer_main(void *ctx) {
    CommitQueue *q = ctx;
    writer_of = q;
    for (bool stop = false; !stop;) {
        mutex_lock(&q->mutex);
        if (!q->first && !q->tasks && q->expected > 1) gather(q, 2);
        if (!q->first && !q->tasks && !q->stopping) cond_wait_ms(&q->work, &q->mutex, wait_ms(q));
        if (q->first && q->queued == q->patient && q->durable) be_patient(q);
        if (q->first && !q->tasks) gather(q, 1);
        size_t urgent;
        CommitRecord *batch = take_batch(q, &urgent);
        Task *tasks = q->tasks;
        q->tasks = NULL;
        q->last_task = &q->tasks;
        stop = q->stopping && !batch && !tasks;
        mutex_unlock(&q->mutex);
        if (batch) commit_batch(q, batch, urgent);
        run_tasks(q, tasks);
        sync_if_due(q, stop);
        if (q->idle && !stop) q->idle(q->ctx);
    }
}

CommitQueue *commit_create(Wal *wal, const CommitOptions *opts, CommitApplyFn apply, CommitIdleFn idle, void *ctx) {
    ASSERT(wal && opts && apply);
    CommitQueue *q = NEW(CommitQueue);
    q->wal = wal;
    q->durable = opts->durable;
    q->interval_ms = opts->interval_ms ? opts->interval_ms : INTERVAL_MS_DEFAULT;
    q->window_us = opts->window_us ? opts->window_us : WINDOW_US_DEFAULT;
    q->pending_bytes_max = opts->pending_bytes_max ? opts->pending_bytes_max : PENDING_BYTES_DEFAULT;
    q->apply = apply;
    q->idle = idle;
    q->ctx = ctx;
    q->last = &q->first;
    q->last_task = &q->tasks;
    mutex_init(&q->mutex);
    cond_init(&q->work);
    q->thread = thread_start(opts->name ? opts->name : "commit", writer_main, q);
    if (q->thread) return q;
    cond_done(&q->work);
    mutex_done(&q->mutex);
    mem_free(q);
    return NULL;
}

/* Queues s, or says why not; *ret_wake: the writer is to be woken. Called with the lock held. */
static ErrCode enqueue(CommitQueue *q, CommitRecord *s, bool *ret_wake, Err *reterr) {
    if (q->stopping) return err_set(reterr, ERR_UNAVAILABLE, "the store is shutting down");
    if (q->pending_bytes > 0 && s->payload.n > q->pending_bytes_max - MIN(q->pending_bytes, q->pending_bytes_max)) {
        q->stats.rejected++;
        return err_set(reterr, ERR_OVERLOADED, "%zu bytes are waiting to be written already", q->pending_bytes);
    }
    s->next = NULL;
    s->result = OK;
    *q->last = s;
    q->last = &s->next;
    q->queued++;
    q->pending_bytes += s->payload.n;
    q->patient += s->patient;
    *ret_wake = q->queued >= MAX(q->wait_for, 1) || (q->being_patient && !s->patient);
    return OK;
}

ErrCode commit_start(CommitQueue *q, CommitRecord *r, Err *reterr) {
    bool wake = false;
    mutex_lock(&q->mutex);
    ErrCode rc = enqueue(q, r, &wake, reterr);
    mutex_unlock(&q->mutex);
    if (wake) cond_signal(&q->work);
    return rc;
}

static void open_latch(CommitRecord *r) { latch_open(&CONTAINER_OF(r, Waiting, record)->done); }

static ErrCode submit(CommitQueue *q, const CommitRecord *r, Err *reterr) {
    ASSERT(writer_of != q); /* the writer would wait for itself */
    Waiting w = {.record = *r};
    w.record.done = open_latch;
    latch_init(&w.done);
    ErrCode rc = commit_start(q, &w.record, reterr);
    if (rc == OK) {
        latch_wait(&w.done);
        rc = w.record.result;
        if (rc != OK && reterr) *reterr = w.record.err;
    }
    latch_done(&w.done);
    return rc;
}

ErrCode commit_submit(CommitQueue *q, uint8_t type, Str payload, void *item, Err *reterr) {
    return submit(q, &(CommitRecord){.type = type, .payload = payload, .item = item}, reterr);
}

ErrCode commit_submit_patiently(CommitQueue *q, uint8_t type, Str payload, void *item, Err *reterr) {
    return submit(q, &(CommitRecord){.type = type, .payload = payload, .item = item, .patient = true}, reterr);
}

void commit_run(CommitQueue *q, void (*fn)(void *ctx), void *ctx) {
    if (writer_of == q) {
        fn(ctx);
        return;
    }
    Task t = {.fn = fn, .ctx = ctx};
    cond_init(&t.cond);
    mutex_lock(&q->mutex);
    ASSERT(!q->stopping);
    *q->last_task = &t;
    q->last_task = &t.next;
    cond_signal(&q->work);
    while (!t.done) cond_wait(&t.cond, &q->mutex);
    mutex_unlock(&q->mutex);
    cond_done(&t.cond);
}

void commit_stats(const CommitQueue *q, CommitStats *ret) {
    CommitQueue *locked = (CommitQueue *)(uintptr_t)q;
    mutex_lock(&locked->mutex);
    *ret = q->stats;
    ret->pending_bytes = q->pending_bytes;
    mutex_unlock(&locked->mutex);
}

CommitQueue *commit_free(CommitQueue *q) {
    if (!q) return NULL;
    mutex_lock(&q->mutex);
    q->stopping = true;
    cond_signal(&q->work);
    mutex_unlock(&q->mutex);
    thread_join(q->thread);
    ASSERT(!q->first && !q->tasks);
    cond_done(&q->work);
    mutex_done(&q->mutex);
    mem_free(q);
    return NULL;
}
