#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alert/amjournal.h"

#include "sys/random.h"
#include "sys/thread.h"

/* A state of one number per slot; records are slot and number. */
#define SLOTS 50

typedef struct Toy {
    Mutex mutex;
    uint32_t v[SLOTS];
    AmJournal *j;
} Toy;

static void apply(void *ctx, uint8_t type, Str payload) {
    Toy *t = ctx;
    uint32_t pair[2];
    assert_int_equal(type, 7);
    assert_int_equal(payload.n, sizeof pair);
    memcpy(pair, payload.p, sizeof pair);
    t->v[pair[0]] = pair[1];
}

static void dump(void *ctx, AmJournal *j, void (*put)(void *to, uint8_t type, Str payload), void *to) {
    Toy *t = ctx;
    mutex_lock(&t->mutex);
    amjournal_mark(j);
    for (uint32_t i = 0; i < SLOTS; i++) {
        uint32_t pair[2] = {i, t->v[i]};
        put(to, 7, str_of((const char *)pair, sizeof pair));
    }
    mutex_unlock(&t->mutex);
}

static void toy_open(Toy *t, Fs *fs, uint64_t snapshot_bytes) {
    *t = (Toy){0};
    mutex_init(&t->mutex);
    Err err = {0};
    AmJournalOptions o = {
        .fs = fs, .dir = "/state", .snapshot_bytes = snapshot_bytes, .apply = apply, .dump = dump, .ctx = t};
    if (amjournal_open(&o, &t->j, &err)) fail_msg("%s", err.msg);
}

static void toy_close(Toy *t) {
    amjournal_close(t->j);
    mutex_done(&t->mutex);
}

static uint64_t set(Toy *t, uint32_t slot, uint32_t value) {
    uint32_t pair[2] = {slot, value};
    mutex_lock(&t->mutex);
    t->v[slot] = value;
    uint64_t n = amjournal_append(t->j, 7, str_of((const char *)pair, sizeof pair));
    mutex_unlock(&t->mutex);
    return n;
}

/* Power cuts at random moments: what was waited for is there. */
static void survives_power_cuts(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        Fs *fs = fs_fault_create(seed);
        Rng rng;
        rng_seed(&rng, seed);
        uint32_t safe[SLOTS] = {0};
        for (int round = 0; round < 4; round++) {
            Toy t;
            toy_open(&t, fs, 600); /* many snapshots */
            for (uint32_t i = 0; i < SLOTS; i++) assert_true(t.v[i] >= safe[i]);
            memcpy(safe, t.v, sizeof safe);
            int writes = (int)(rng_u64(&rng) % 120);
            for (int i = 0; i < writes; i++) {
                uint32_t slot = (uint32_t)(rng_u64(&rng) % SLOTS), value = safe[slot] + 1;
                if (amjournal_wait(t.j, set(&t, slot, value), NULL) == OK) safe[slot] = value;
            }
            set(&t, 0, safe[0] + 1); /* nobody waits for this one */
            fs_fault_crash(fs);
            toy_close(&t);
        }
        fs_fault_free(fs);
    }
}

static void a_full_disk_is_said_and_healed(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(9);
    Toy t;
    toy_open(&t, fs, 0);
    assert_int_equal(amjournal_wait(t.j, set(&t, 1, 1), NULL), OK);
    fs_fault_arm(fs, FAULT_ENOSPC, 1, true);
    Err err = {0};
    assert_int_equal(amjournal_wait(t.j, set(&t, 2, 2), &err), ERR_NO_SPACE);
    fs_fault_arm(fs, FAULT_NONE, 1, false);
    uint64_t n = set(&t, 3, 3);
    while (amjournal_wait(t.j, n, NULL) != OK) n = set(&t, 3, 3);
    fs_fault_crash(fs);
    toy_close(&t);
    toy_open(&t, fs, 0);
    assert_true(t.v[1] == 1 && t.v[2] == 2 && t.v[3] == 3); /* the refused one as well: it was in memory */
    toy_close(&t);
    fs_fault_free(fs);
}

static void a_damaged_snapshot_is_set_aside(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(3);
    Toy t;
    toy_open(&t, fs, 200);
    AmJournalStats stats = {0};
    for (uint32_t i = 0; i < 200 || !stats.snapshots; i++) {
        assert_int_equal(amjournal_wait(t.j, set(&t, i % SLOTS, i), NULL), OK);
        amjournal_stats(t.j, &stats);
    }
    toy_close(&t);
    fs_fault_flip_bit(fs, "/state/snapshot", 300);
    toy_open(&t, fs, 200);
    assert_true(fs->ops->exists(fs, "/state/snapshot.damaged"));
    toy_close(&t);
    fs_fault_free(fs);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(survives_power_cuts),
        cmocka_unit_test(a_full_disk_is_said_and_healed), cmocka_unit_test(a_damaged_snapshot_is_set_aside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
