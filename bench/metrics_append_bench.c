/* metrics_append_bench.c - the metrics store without any decoding: samples appended per CPU second, memory per
 * series, bytes per sample on disk, time of a select. One JSON object on stdout.
 * usage: metrics_append_bench DIR [SERIES [ROUNDS [STARTS]]] (DIR is created, and must not be one with data)
 * STARTS: none, the default; constant, one start time per target; series, one per series; deltas, the sample before. */
#include "base/hash.h"
#include "base/json.h"
#include "metrics/metrics_store.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "sys/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define LABELS 10
#define PER_TARGET 500 /* series of one batch */

typedef struct Bench {
    MetricsStore *store;
    size_t n_series, rounds;
    Label (*labels)[LABELS];
    double *value;
    Rng rng;
    Arena *strings;
    int64_t start_ms;
    const char *starts;
} Bench;

static double cpu_seconds(void) {
    ProcessStats s;
    process_stats(&s);
    return s.cpu_seconds;
}

static Str value_text(Arena *arena, const char *name, size_t id) {
    return arena_printf(arena, "%s_value_%zu", name ? name : "", id);
}

static void make_series(Bench *b) {
    static const char *const names[LABELS] = {
        "__name__", "cluster", "container", "device", "instance", "job", "mode", "namespace", "pod", "region"};
    b->strings = arena_create(ARENA_UNLIMITED);
    b->labels = mem_alloc_array(b->n_series, sizeof *b->labels);
    b->value = mem_alloc_array(b->n_series, sizeof *b->value);
    ASSERT(b->labels && b->value);
    for (size_t i = 0; i < b->n_series; i++) {
        size_t target = i / PER_TARGET, metric = i % PER_TARGET;
        size_t ids[LABELS] = {
            metric / 5, 0, target % 20, metric % 5, target, target % 10, metric % 5, target % 30, target, target % 3};
        for (size_t k = 0; k < LABELS; k++)
            b->labels[i][k] = (Label){str_cstr(names[k]), value_text(b->strings, names[k], ids[k])};
        b->value[i] = floor(rng_f64(&b->rng) * 1e6);
    }
}

/* The mix of an exporter: constants, counters, cpu seconds, sizes, full-precision floats. */
static void step(Bench *b, size_t i, size_t round) {
    size_t kind = i % 20;
    if (kind < 7) return;
    if (kind < 12)
        b->value[i] += floor(rng_f64(&b->rng) * 300);
    else if (kind < 15)
        b->value[i] = round * 15.0 * 0.4 + floor(rng_f64(&b->rng) * 100) / 100;
    else if (kind < 18)
        b->value[i] = 4096 * floor(1e5 + rng_f64(&b->rng) * 200);
    else
        b->value[i] = 50 + 20 * sin((double)round * 0.01) + rng_f64(&b->rng);
}

static int64_t start_of(const Bench *b, size_t i, int64_t t) {
    switch (b->starts[0]) {
    case 'c': return b->start_ms - 86400000 - (int64_t)(i / PER_TARGET) * 1717;
    case 's': return b->start_ms - 86400000 - (int64_t)(hash_u64(i) % 100000);
    case 'd': return t - 15000;
    default: return 0;
    }
}

static double append_all(Bench *b) {
    double cpu = 0;
    for (size_t round = 0; round < b->rounds; round++) {
        for (size_t i = 0; i < b->n_series; i++) step(b, i, round);
        for (size_t from = 0; from < b->n_series; from += PER_TARGET) {
            Arena *arena = arena_create((size_t)64 << 20);
            MetricsBatch batch = {.arena = arena};
            int64_t t = b->start_ms + (int64_t)round * 15000 + (int64_t)(from / PER_TARGET);
            for (size_t i = from; i < MIN(from + PER_TARGET, b->n_series); i++) {
                if (!metrics_batch_add(&batch, (Labels){b->labels[i], LABELS}, t, b->value[i])) abort();
                if (!metrics_batch_set_start(&batch, start_of(b, i, t))) abort();
                batch.series.v[batch.series.n - 1].raw_hash = hash_u64(i + 1);
            }
            MetricsAppendResult result;
            Err err = {0};
            double before = cpu_seconds();
            if (b->store->ops->append(b->store, &batch, &result, &err) != OK) {
                fprintf(stderr, "append: %s\n", err.msg);
                exit(1);
            }
            cpu += cpu_seconds() - before;
            arena_free(arena);
        }
    }
    return cpu;
}

static double select_ms(Bench *b, size_t *ret_samples) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    const Matcher *m;
    SeriesColumns cols;
    if (matcher_create(arena, MATCH_EQ, STR("job"), STR("job_value_1"), &m, NULL) != OK) abort();
    MetricsSelect req = {.matchers = {&m, 1}, .max_t_ms = INT64_MAX, .arena = arena};
    int64_t begin = clock_mono_ns();
    if (b->store->ops->select(b->store, &req, &cols, NULL) != OK) abort();
    double ms = (double)(clock_mono_ns() - begin) / 1e6;
    *ret_samples = 0;
    for (size_t i = 0; i < cols.n; i++) *ret_samples += cols.v[i].n;
    arena_free(arena);
    return ms;
}

static void report(Bench *b, double cpu, JsonWriter *w) {
    double samples = (double)b->n_series * (double)b->rounds;
    MetricsStoreStats before, after;
    size_t n_head, n_part;
    b->store->ops->stats(b->store, &before);
    double head_ms = select_ms(b, &n_head), flush_cpu = cpu_seconds();
    int64_t begin = clock_mono_ns();
    if (b->store->ops->flush(b->store, NULL) != OK) abort();
    double flush_ms = (double)(clock_mono_ns() - begin) / 1e6;
    flush_cpu = cpu_seconds() - flush_cpu;
    b->store->ops->stats(b->store, &after);
    double part_ms = select_ms(b, &n_part);
    const struct {
        const char *name;
        double value;
    } rows[] = {
        {"series", (double)b->n_series},
        {"samples", samples},
        {"append_samples_per_cpu_second", samples / cpu},
        {"head_bytes_per_series", (double)before.memory_bytes / (double)b->n_series},
        {"wal_bytes_per_sample", (double)before.wal_bytes / samples},
        {"flush_ms", flush_ms},
        {"flush_samples_per_cpu_second", samples / flush_cpu},
        {"disk_bytes_per_sample", (double)after.bytes_on_disk / samples},
        {"select_head_ns_per_sample", head_ms * 1e6 / (double)MAX(n_head, 1)},
        {"select_part_ns_per_sample", part_ms * 1e6 / (double)MAX(n_part, 1)},
    };
    json_begin_object(w);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_key(w, str_cstr(rows[i].name));
        json_f64(w, rows[i].value);
    }
    json_end_object(w);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s DIR [SERIES [ROUNDS [none|constant|series|deltas]]]\n", argv[0]);
        return 2;
    }
    Bench b = {.n_series = argc > 2 ? strtoul(argv[2], NULL, 10) : 50000,
        .rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 240,
        .starts = argc > 4 ? argv[4] : "none"};
    MetricsStoreOptions o = {.head_bytes_max = (size_t)4 << 30};
    Err err = {0};
    rng_seed(&b.rng, 1);
    b.start_ms = clock_now_ms() / 7200000 * 7200000 - 7200000;
    if (metrics_store_open(fs_real(), argv[1], &o, &b.store, &err) != OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    make_series(&b);
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    report(&b, append_all(&b), &w);
    printf("%s\n", buf_cstr(&out));
    buf_done(&out);
    b.store->ops->close(b.store);
    arena_free(b.strings);
    mem_free(b.labels);
    mem_free(b.value);
    return 0;
}
