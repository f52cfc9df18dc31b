#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/vec.h"
#include "storage/commit.h"
#include "sys/clock.h"
#include "sys/thread.h"

#include <stdio.h>

typedef struct Head {
    Fs *fs;
    Wal *wal;
    CommitQueue *q;
    VEC(uint64_t) applied; /* by the writer only, until the queue is freed */
    WalPos last;
    _Atomic unsigned idles, ran;
    _Atomic bool hold; /* the writer waits in apply */
    unsigned order_errors;
} Head;

static void apply(void *ctx, WalPos pos, uint8_t type, Str payload, void *item) {
    Head *h = ctx;
    if (pos <= h->last || type != 7 || payload.n < 8) h->order_errors++;
    h->last = pos;
    uint64_t id;
    memcpy(&id, payload.p, 8);
    vec_push(&h->applied, id);
    *(bool *)item = true;
    while (atomic_load(&h->hold)) clock_sleep_ms(1);
}

static void idle(void *ctx) { atomic_fetch_add(&((Head *)ctx)->idles, 1); }

static ErrCode replay(void *ctx, WalPos pos, uint8_t type, Str payload) {
    bool applied;
    apply(ctx, pos, type, payload, &applied);
    return OK;
}

static void head_open(Head *h, bool durable, size_t pending_max) {
    WalReport rep;
    h->last = 0;
    vec_clear(&h->applied);
    assert_int_equal(wal_open(h->fs, "wal", NULL, 0, replay, h, &rep, &h->wal, NULL), OK);
    CommitOptions opts = {.name = "test", .durable = durable, .interval_ms = 20, .pending_bytes_max = pending_max};
    h->q = commit_create(h->wal, &opts, apply, idle, h);
    assert_non_null(h->q);
}

static void head_close(Head *h) {
    h->q = commit_free(h->q);
    h->wal = wal_close(h->wal);
}

static void head_done(Head *h) {
    vec_done(&h->applied);
    fs_fault_free(h->fs);
}

static ErrCode submit(Head *h, uint64_t id, size_t bytes, Err *reterr) {
    char payload[1024] = {0};
    bool applied = false;
    ASSERT(bytes <= sizeof payload);
    memcpy(payload, &id, 8);
    ErrCode rc = commit_submit(h->q, 7, str_of(payload, MAX(bytes, 8)), &applied, reterr);
    if (applied != (rc == OK)) h->order_errors++; /* read after the writer is done with it */
    return rc;
}

enum { THREADS = 8, EACH = 100 };

typedef struct Client {
    Head *h;
    uint64_t first;
    unsigned ok, overloaded, other;
} Client;

static void client_main(void *ctx) {
    Client *c = ctx;
    for (uint64_t i = 0; i < EACH; i++) {
        ErrCode rc = submit(c->h, c->first + i, 8 + i, NULL);
        if (rc == OK)
            c->ok++;
        else if (rc == ERR_OVERLOADED)
            c->overloaded++;
        else
            c->other++;
    }
}

static void run_clients(Head *h, Client clients[THREADS]) {
    Thread *t[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        clients[i] = (Client){.h = h, .first = i * 1000};
        t[i] = thread_start("client", client_main, &clients[i]);
        assert_non_null(t[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) thread_join(t[i]);
}

static void test_many(void **state) {
    (void)state;
    for (unsigned durable = 0; durable < 2; durable++) {
        Head h = {.fs = fs_fault_create(1)};
        Client clients[THREADS];
        CommitStats st;
        head_open(&h, durable, 0);
        run_clients(&h, clients);
        commit_stats(h.q, &st);
        assert_int_equal(st.records, THREADS * EACH);
        assert_int_equal(st.pending_bytes, 0);
        assert_true(st.commits <= st.records);
        if (durable) assert_true(st.syncs == st.commits);
        head_close(&h);
        assert_int_equal(h.order_errors, 0);
        assert_int_equal(h.applied.n, THREADS * EACH);
        if (durable) fs_fault_crash(h.fs);
        head_open(&h, durable, 0);
        assert_int_equal(h.applied.n, THREADS * EACH);
        uint64_t next[THREADS] = {0}; /* each client's records in its order */
        for (size_t i = 0; i < h.applied.n; i++) assert_int_equal(h.applied.v[i] % 1000, next[h.applied.v[i] / 1000]++);
        head_close(&h);
        head_done(&h);
    }
}

static void test_interval_syncs(void **state) {
    (void)state;
    Head h = {.fs = fs_fault_create(1)};
    head_open(&h, false, 0);
    assert_int_equal(submit(&h, 1, 8, NULL), OK);
    CommitStats st = {0};
    while (st.syncs == 0) {
        clock_sleep_ms(5);
        commit_stats(h.q, &st);
    }
    fs_fault_crash(h.fs);
    head_close(&h);
    head_open(&h, false, 0);
    assert_int_equal(h.applied.n, 1);
    head_close(&h);
    head_done(&h);
}

/* The disk fails for one batch: its submitter hears of it, nothing of it is applied or replayed. */
static void test_failures(void **state) {
    (void)state;
    static const FaultKind kinds[] = {FAULT_EIO, FAULT_ENOSPC, FAULT_SHORT_WRITE};
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (uint64_t nth = 1; nth <= 2; nth++) {
            Head h = {.fs = fs_fault_create(k + 1)};
            Err err = {0};
            head_open(&h, true, 0);
            assert_int_equal(submit(&h, 1, 8, NULL), OK);
            fs_fault_arm(h.fs, kinds[k], nth, false);
            assert_int_equal(submit(&h, 2, 8, &err), kinds[k] == FAULT_ENOSPC ? ERR_NO_SPACE : ERR_IO);
            assert_true(err.msg[0]);
            assert_int_equal(submit(&h, 3, 8, NULL), OK);
            CommitStats st;
            commit_stats(h.q, &st);
            assert_int_equal(st.failed, 1);
            head_close(&h);
            assert_int_equal(h.order_errors, 0);
            fs_fault_crash(h.fs);
            head_open(&h, true, 0);
            assert_int_equal(h.applied.n, 2);
            assert_int_equal(h.applied.v[0], 1);
            assert_int_equal(h.applied.v[1], 3);
            head_close(&h);
            head_done(&h);
        }
    }
}

static void test_disk_full(void **state) {
    (void)state;
    Head h = {.fs = fs_fault_create(1)};
    head_open(&h, true, 0);
    assert_int_equal(submit(&h, 1, 8, NULL), OK);
    fs_fault_set_capacity(h.fs, 1);
    for (uint64_t i = 2; i < 6; i++) assert_int_equal(submit(&h, i, 8, NULL), ERR_NO_SPACE);
    fs_fault_set_capacity(h.fs, 0);
    assert_int_equal(submit(&h, 6, 8, NULL), OK);
    head_close(&h);
    head_open(&h, true, 0);
    assert_int_equal(h.applied.n, 2);
    assert_int_equal(h.applied.v[1], 6);
    head_close(&h);
    head_done(&h);
}

/* Submits and waits for the periodic sync behind it. */
static void submit_and_sync(Head *h, uint64_t id) {
    CommitStats st;
    commit_stats(h->q, &st);
    uint64_t until = st.syncs + 1;
    assert_int_equal(submit(h, id, 8, NULL), OK);
    while (st.syncs < until) {
        clock_sleep_ms(5);
        commit_stats(h->q, &st);
    }
}

/* The periodic sync fails and there is no room for a new segment: later syncs find nothing to sync. */
static void test_interval_sync_fails(void **state) {
    (void)state;
    Head h = {.fs = fs_fault_create(1)};
    CommitStats st;
    head_open(&h, false, 0);
    for (uint64_t round = 0; round < 3; round++) {
        submit_and_sync(&h, round * 2);
        fs_fault_arm(h.fs, round % 2 ? FAULT_EIO : FAULT_ENOSPC, 2, true); /* the write works */
        submit_and_sync(&h, round * 2 + 1);
        assert_int_not_equal(submit(&h, 99, 8, NULL), OK);
        fs_fault_arm(h.fs, FAULT_NONE, 0, false);
    }
    submit_and_sync(&h, 6);
    commit_stats(h.q, &st);
    assert_int_equal(st.failed, 6);
    head_close(&h);
    head_open(&h, false, 0);
    assert_int_equal(h.applied.n, 7);
    for (uint64_t i = 0; i < 7; i++) assert_int_equal(h.applied.v[i], i);
    head_close(&h);
    head_done(&h);
}

static void submit_two(void *ctx) { (void)!submit(ctx, 2, 60, NULL); }

/* --- submissions that nobody waits for --- */

enum { STARTED = 50 };

typedef struct Started {
    Head *h;
    CommitRecord record;
    uint64_t id;
    char payload[40];
    bool applied;
    _Atomic unsigned *done;
} Started;

static void started_done(CommitRecord *r) {
    Started *s = CONTAINER_OF(r, Started, record);
    if (s->applied != (r->result == OK)) s->h->order_errors++;
    atomic_fetch_add(s->done, 1); /* the last thing: its owner may go on */
}

static ErrCode start_as(Head *h, Started *s, uint64_t id, _Atomic unsigned *done, bool patient) {
    *s = (Started){.h = h, .done = done};
    memcpy(s->payload, &id, 8);
    s->record = (CommitRecord){.type = 7,
        .payload = str_of(s->payload, sizeof s->payload),
        .item = &s->applied,
        .done = started_done,
        .patient = patient};
    return commit_start(h->q, &s->record, NULL);
}

static ErrCode start(Head *h, Started *s, uint64_t id, _Atomic unsigned *done) {
    return start_as(h, s, id, done, false);
}

static void wait_for(const _Atomic unsigned *n, unsigned want) {
    while (atomic_load(n) < want) clock_sleep_ms(1);
}

/* Beside others that wait: each is told, in order, once what it gave is durable. */
static void test_start(void **state) {
    (void)state;
    static Started s[STARTED];
    Head h = {.fs = fs_fault_create(1)};
    Client c = {.h = &h, .first = 1000};
    _Atomic unsigned done = 0;
    CommitStats st;
    head_open(&h, true, 0);
    Thread *t = thread_start("client", client_main, &c);
    for (uint64_t i = 0; i < STARTED; i++) assert_int_equal(start(&h, &s[i], i, &done), OK);
    wait_for(&done, STARTED);
    thread_join(t);
    commit_stats(h.q, &st);
    assert_int_equal(st.records, STARTED + EACH);
    assert_int_equal(st.pending_bytes, 0);
    head_close(&h);
    fs_fault_crash(h.fs);
    head_open(&h, true, 0);
    uint64_t next = 0;
    for (size_t i = 0; i < h.applied.n; i++)
        if (h.applied.v[i] < 1000) assert_int_equal(h.applied.v[i], next++);
    assert_int_equal(next, STARTED);
    assert_int_equal(h.order_errors, 0);
    head_close(&h);
    head_done(&h);
}

static void test_start_refused(void **state) {
    (void)state;
    static Started s[3];
    Head h = {.fs = fs_fault_create(1)};
    _Atomic unsigned done = 0;
    head_open(&h, true, 60);
    fs_fault_arm(h.fs, FAULT_EIO, 1, false);
    assert_int_equal(start(&h, &s[0], 1, &done), OK);
    wait_for(&done, 1);
    assert_int_equal(s[0].record.result, ERR_IO);
    assert_true(s[0].record.err.msg[0]);
    atomic_store(&h.hold, true);
    assert_int_equal(start(&h, &s[1], 2, &done), OK);
    assert_int_equal(start(&h, &s[2], 3, &done), ERR_OVERLOADED); /* and is not told */
    atomic_store(&h.hold, false);
    wait_for(&done, 2);
    assert_int_equal(s[1].record.result, OK);
    head_close(&h);
    assert_int_equal(atomic_load(&done), 2);
    assert_int_equal(h.applied.n, 1);
    head_done(&h);
}

/* Those that can wait are written together, and at once with one that cannot. */
static void test_patient(void **state) {
    (void)state;
    enum { N = 12 };
    static Started s[N];
    Head h = {.fs = fs_fault_create(1)};
    _Atomic unsigned done = 0;
    CommitStats st;
    head_open(&h, true, 0);
    atomic_store(&h.hold, true);
    assert_int_equal(start(&h, &s[0], 0, &done), OK);
    do { /* until it is held in apply */
        clock_sleep_ms(1);
        commit_stats(h.q, &st);
    } while (st.syncs == 0);
    for (uint64_t i = 1; i < N; i++) assert_int_equal(start_as(&h, &s[i], i, &done, i < N - 1), OK);
    atomic_store(&h.hold, false);
    wait_for(&done, N);
    commit_stats(h.q, &st);
    assert_int_equal(st.syncs, 2);
    bool applied = false;
    assert_int_equal(commit_submit_patiently(h.q, 7, str_of(s[0].payload, 40), &applied, NULL), OK);
    assert_true(applied);
    head_close(&h);
    assert_int_equal(h.applied.n, N + 1);
    assert_int_equal(h.order_errors, 0);
    head_done(&h);
}

static void test_overload(void **state) {
    (void)state;
    Head h = {.fs = fs_fault_create(1)};
    CommitStats st;
    head_open(&h, true, 100);
    assert_int_equal(submit(&h, 1, 1000, NULL), OK); /* larger than the budget: taken when nothing waits */
    atomic_store(&h.hold, true);
    Thread *t = thread_start("two", submit_two, &h);
    do {
        clock_sleep_ms(1);
        commit_stats(h.q, &st);
    } while (st.pending_bytes == 0);
    assert_int_equal(submit(&h, 3, 60, NULL), ERR_OVERLOADED);
    atomic_store(&h.hold, false);
    thread_join(t);
    assert_int_equal(submit(&h, 3, 60, NULL), OK);
    commit_stats(h.q, &st);
    assert_int_equal(st.rejected, 1);
    assert_int_equal(st.records, 3);
    head_close(&h);
    head_done(&h);
}

static void task(void *ctx) {
    Head *h = ctx;
    if (atomic_fetch_add(&h->ran, 1) == 0) commit_run(h->q, task, h); /* from the writer itself */
}

static void test_run_and_idle(void **state) {
    (void)state;
    Head h = {.fs = fs_fault_create(1)};
    head_open(&h, true, 0);
    commit_run(h.q, task, &h);
    assert_int_equal(atomic_load(&h.ran), 2);
    while (atomic_load(&h.idles) < 2) clock_sleep_ms(5);
    head_close(&h);
    head_done(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_interval_syncs),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_interval_sync_fails),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_start_refused),
        cmocka_unit_test(test_patient),
        cmocka_unit_test(test_overload),
        cmocka_unit_test(test_run_and_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
