/* store_crash_test.c - the trace store on a disk that fails and forgets: what was acknowledged is there exactly once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "sys/clock.h"
#include "traces/span_gen_test.h"
#include "traces/store_int.h"

#define TRACES 12
#define ROUNDS 12
#define BATCHES 10

typedef enum Fate { FATE_UNKNOWN, FATE_TRIED, FATE_ACKED } Fate;

typedef struct Crash {
    Fs *fs;
    Rng rng;
    TraceStore *store;
    VEC(uint8_t) fate; /* by span number */
} Crash;

static bool open_store(Crash *c) {
    TraceStoreOptions opts = {.durable = true, .head_bytes_max = 16 << 10};
    Err err = {0};
    return trace_store_open(c->fs, "data", &opts, &c->store, &err) == OK;
}

static void append_batch(Crash *c, Arena *arena) {
    SpansBatch b = {.arena = arena};
    uint32_t resources[GEN_SERVICES], scope = gen_begin(&b, resources);
    size_t first = c->fate.n, n = 1 + rng_u64(&c->rng) % 12;
    for (size_t i = 0; i < n; i++) {
        uint64_t span = c->fate.n;
        vec_push(&c->fate, FATE_TRIED);
        int64_t start = GEN_T0 + (int64_t)(rng_u64(&c->rng) % 7200) * 1000000000;
        gen_span(&b, &c->rng, gen_trace_id(span % TRACES), span, 0, start, resources, scope);
    }
    for (int try = 0; try < 2; try++) { /* senders try again, also when it had been stored */
        TraceAppendResult r;
        if (c->store->ops->append(c->store, &b, &r, NULL) != OK) continue;
        for (size_t i = 0; i < n; i++) c->fate.v[first + i] = FATE_ACKED;
    }
}

static uint64_t number_of(const Crash *c, const SpanRow *r, uint64_t trace) {
    for (uint64_t i = trace; i < c->fate.n; i += TRACES) {
        if (span_id_eq(gen_span_id(i), r->span_id)) return i;
    }
    fail_msg("a span nobody sent");
    return 0;
}

static void check(Crash *c, const char *when, uint64_t seed, int round) {
    uint8_t *seen = mem_alloc_zero(c->fate.n + 1);
    for (uint64_t t = 0; t < TRACES; t++) {
        Arena *arena = arena_create(ARENA_UNLIMITED);
        SpansBatch b;
        Err err = {0};
        ErrCode code = c->store->ops->get(c->store, gen_trace_id(t), arena, &b, &err);
        if (code && code != ERR_NOT_FOUND) fail_msg("get: %s", err.msg);
        for (size_t i = 0; !code && i < b.rows.n; i++) seen[number_of(c, &b.rows.v[i], t)]++;
        arena_free(arena);
    }
    for (size_t i = 0; i < c->fate.n; i++) {
        if (c->fate.v[i] == FATE_ACKED && seen[i] == 0)
            fail_msg("seed %d round %d, %s: span %zu of %zu was acknowledged and is lost", (int)seed, round, when, i,
                c->fate.n);
        if (seen[i] > 1) fail_msg("span %zu is there %d times", i, seen[i]);
    }
    mem_free(seen);
}

/* Somewhere in what the threads are doing the disk is gone for good. What the dying process does after that must not
 * reach the disk of the next one, so nothing is in the middle of a step when the fault is armed again. */
static void power_cut(Crash *c) {
    TraceEngine *e = engine_of(c->store);
    fs_fault_arm(c->fs, FAULT_EIO, 1 + rng_u64(&c->rng) % 20, true);
    (void)c->store->ops->flush(c->store, NULL);
    fs_fault_arm(c->fs, FAULT_EIO, 1, true);
    mutex_lock(&e->merge_lock);
    mutex_lock(&e->flush_lock);
    fs_fault_crash(c->fs);
    fs_fault_arm(c->fs, FAULT_EIO, 1, true);
    mutex_unlock(&e->flush_lock);
    mutex_unlock(&e->merge_lock);
}

static void run(uint64_t seed, bool faults) {
    Crash c = {.fs = fs_fault_create(seed)};
    rng_seed(&c.rng, seed);
    for (int round = 0; round < ROUNDS; round++) {
        if (!open_store(&c)) fail_msg("the store does not open again (seed %d, round %d)", (int)seed, round);
        check(&c, "opened", seed, round);
        Arena *arena = arena_create(ARENA_UNLIMITED);
        for (int i = 0; i < BATCHES; i++) {
            if (faults && rng_u64(&c.rng) % 4 == 0) {
                static const FaultKind kinds[] = {FAULT_EIO, FAULT_ENOSPC, FAULT_SHORT_WRITE};
                fs_fault_arm(c.fs, kinds[rng_u64(&c.rng) % 3], 1 + rng_u64(&c.rng) % 12, false);
            }
            append_batch(&c, arena);
            if (rng_u64(&c.rng) % 5 == 0) (void)c.store->ops->flush(c.store, NULL);
            bool done;
            if (rng_u64(&c.rng) % 7 == 0) (void)trace_engine_merge_once(engine_of(c.store), &done, NULL);
        }
        arena_free(arena);
        fs_fault_arm(c.fs, FAULT_NONE, 1, false);
        if (!faults) check(&c, "running", seed, round);
        if (rng_u64(&c.rng) % 4) power_cut(&c); /* else an orderly end */
        c.store->ops->close(c.store);
        fs_fault_arm(c.fs, FAULT_NONE, 1, false);
    }
    fs_fault_free(c.fs);
    vec_done(&c.fate);
}

static void test_power_cuts(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) run(seed, false);
}

static void test_power_cuts_and_errors(void **state) {
    (void)state;
    for (uint64_t seed = 100; seed < 108; seed++) run(seed, true);
}

int main(void) {
    log_set_stderr(false, false, false); /* the store says that it cannot write: that is the point here */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_power_cuts_and_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
