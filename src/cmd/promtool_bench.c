/* promtool_bench.c - promtool tsdb bench write: how fast Meerkat's store takes samples, in promtool's words.
 *
 * Series are taken in groups, a thread each, as scrapes of so many targets would bring them; every batch is on disk
 * before the next one of its group begins. */
#include "base/json.h"
#include "base/timefmt.h"
#include "base/vec.h"
#include "cmd/promtool_int.h"
#include "metrics/metrics_store.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/thread.h"

#include <stdatomic.h>
#include <stdio.h>

#define SAMPLES_FILE_MAX ((size_t)1 << 30)
#define INTERVAL_MS 30000
#define GROUP_SERIES 1000
#define ROUND_SCRAPES 100 /* between two waits for all groups */
#define THREADS_MAX 64
#define BATCH_BYTES ((size_t)64 << 20)
#define LABELS_MAX 128

typedef struct Bench {
    MetricsStore *store;
    Arena *arena; /* of the series */
    AVEC(Labels) series;
    _Atomic size_t next_group;
    _Atomic uint64_t samples;
    _Atomic bool failed;
    int64_t first_scrape, scrapes; /* of this round */
    Mutex lock;                    /* err */
    Err err;
} Bench;

/* --- stages --- */

typedef ErrCode (*StageFn)(Bench *b, const PtLine *l, Err *reterr);

static ErrCode stage(const char *name, StageFn run, Bench *b, const PtLine *l, int64_t *ret_ns, Err *reterr) {
    Buf took = {0};
    printf(">> start stage=%s\n", name);
    fflush(stdout);
    int64_t begun_ns = clock_mono_ns();
    ErrCode code = run(b, l, reterr);
    *ret_ns = clock_mono_ns() - begun_ns;
    if (code != OK) return code;
    duration_put_go(&took, *ret_ns);
    printf(">> completed stage=%s duration=%s\n", name, buf_cstr(&took));
    buf_done(&took);
    return OK;
}

/* --- series --- */

/* {"__name__":"up","job":"x"} */
static ErrCode read_line(Bench *b, Str line, Err *reterr) {
    JsonValue *root;
    ErrCode code = json_parse(line, b->arena, &root, reterr);
    if (code != OK) return code;
    if (root->kind != JSON_K_OBJECT || root->n > LABELS_MAX)
        return err_set(reterr, ERR_INVALID, "a line is to be one object of labels");
    Label *v = ARENA_ARRAY(b->arena, Label, root->n + 1);
    size_t n = 0;
    for (const JsonValue *m = root->first; v && m; m = m->next) v[n++] = (Label){m->key, m->text};
    if (v) code = labels_normalize(v, &n, reterr);
    if (code == OK && !(v && avec_push(b->arena, &b->series, (Labels){v, n})))
        code = err_set(reterr, ERR_TOO_LARGE, "too many series");
    return code;
}

static ErrCode read_file(Bench *b, const char *name, size_t max, Err *reterr) {
    Buf text = {0};
    ErrCode code = fs_read_stream(name, SAMPLES_FILE_MAX, &text, reterr);
    Str rest = arena_copy(b->arena, buf_str(&text)), line;
    int number = 0;
    while (code == OK && b->series.n < max && str_split_next(&rest, '\n', &line)) {
        number++;
        if (!str_trim(line).n) continue;
        code = read_line(b, line, reterr);
        if (code != OK) err_prefix(reterr, "%.200s: line %d", name, number);
    }
    buf_done(&text);
    return code;
}

/* As a fleet exposes them: 200 series of each target. */
static ErrCode make_series(Bench *b, size_t n, Err *reterr) {
    for (size_t i = 0; i < n; i++) {
        Label *v = ARENA_ARRAY(b->arena, Label, 4);
        Str code = arena_printf(b->arena, "%zu", 200 + i % 5),
            instance = arena_printf(b->arena, "10.0.%zu.%zu:9100", i / 200 / 256, i / 200 % 256);
        Str name = arena_printf(b->arena, "bench_metric_%zu_total", i / 5 % 40);
        if (!v || !avec_push(b->arena, &b->series, (Labels){v, 4}))
            return err_set(reterr, ERR_TOO_LARGE, "too many series");
        v[0] = (Label){LABEL_NAME_METRIC, name};
        v[1] = (Label){STR("code"), code};
        v[2] = (Label){STR("instance"), instance};
        v[3] = (Label){STR("job"), STR("bench")};
    }
    return OK;
}

static ErrCode read_data(Bench *b, const PtLine *l, Err *reterr) {
    size_t max = (size_t)MAX(pt_int(l, "metrics"), 0);
    return pt_arg(l, 0) ? read_file(b, pt_arg(l, 0), max, reterr) : make_series(b, max, reterr);
}

/* --- samples --- */

static ErrCode append_scrape(Bench *b, Arena *arena, size_t first, size_t n, int64_t scrape, Err *reterr) {
    MetricsBatch batch = {.arena = arena};
    MetricsAppendResult r = {0};
    ErrCode code;
    for (size_t i = 0; i < n; i++)
        if (!metrics_batch_add(
                &batch, b->series.v[first + i], (scrape + 1) * INTERVAL_MS, (double)(123456789 + (scrape + 1) * 1000)))
            return err_set(reterr, ERR_TOO_LARGE, "a batch does not fit into memory");
    while ((code = b->store->ops->append(b->store, &batch, &r, reterr)) == ERR_OVERLOADED) clock_sleep_ms(5);
    atomic_fetch_add(&b->samples, r.samples);
    return code;
}

static void ingest_groups(void *ctx) {
    Bench *b = ctx;
    Arena *arena = arena_create(BATCH_BYTES);
    for (;;) {
        size_t first = atomic_fetch_add(&b->next_group, 1) * GROUP_SERIES;
        Err err = {0};
        ErrCode code = OK;
        if (first >= b->series.n) break;
        for (int64_t k = 0; k < b->scrapes && code == OK && !b->failed; k++) {
            code = append_scrape(b, arena, first, MIN(b->series.n - first, GROUP_SERIES), b->first_scrape + k, &err);
            arena_reset(arena);
        }
        if (code == OK) continue;
        mutex_lock(&b->lock);
        if (!b->failed) b->err = err;
        b->failed = true;
        mutex_unlock(&b->lock);
    }
    arena_free(arena);
}

static void ingest_round(Bench *b) {
    Thread *threads[THREADS_MAX];
    size_t groups = (b->series.n + GROUP_SERIES - 1) / GROUP_SERIES, n = MIN(groups, THREADS_MAX);
    b->next_group = 0;
    for (size_t i = 1; i < n; i++) threads[i] = thread_start("bench", ingest_groups, b);
    ingest_groups(b);
    for (size_t i = 1; i < n; i++) thread_join(threads[i]);
}

static ErrCode ingest(Bench *b, const PtLine *l, Err *reterr) {
    int64_t all = pt_int(l, "scrapes");
    for (b->first_scrape = 0; b->first_scrape < all && !b->failed; b->first_scrape += ROUND_SCRAPES) {
        b->scrapes = MIN(all - b->first_scrape, ROUND_SCRAPES);
        ingest_round(b);
    }
    if (b->failed) return *reterr = b->err, b->err.code;
    printf("ingestion completed\n");
    return OK;
}

static ErrCode stop(Bench *b, const PtLine *l, Err *reterr) {
    (void)l;
    (void)reterr;
    b->store->ops->close(b->store);
    b->store = NULL;
    return OK;
}

/* --- the command --- */

static ErrCode open_store(Bench *b, const char *out, Err *reterr) {
    char dir[FS_PATH_MAX];
    MetricsStoreOptions o = {.durable = true, .retention_ms = INT64_MAX / 2};
    if (strlen(out) > sizeof dir / 2) return err_set(reterr, ERR_INVALID, "the name of --out is too long");
    fs_path_join(dir, out, "storage");
    ErrCode code = fs_real()->ops->exists(fs_real(), dir) ? fs_remove_tree(fs_real(), dir, reterr) : OK;
    if (code == OK) code = fs_real()->ops->make_dir(fs_real(), dir, reterr);
    return code == OK ? metrics_store_open(fs_real(), dir, &o, &b->store, reterr) : code;
}

static ErrCode bench(Bench *b, const PtLine *l, Err *reterr) {
    int64_t took_ns;
    ErrCode code = open_store(b, pt_text(l, "out"), reterr);
    if (code == OK) code = stage("readData", read_data, b, l, &took_ns, reterr);
    if (code == OK) code = stage("ingestScrapes", ingest, b, l, &took_ns, reterr);
    if (code != OK) return code;
    Buf rate = {0};
    buf_printf(&rate, "%.3f", (double)b->samples * 1e9 / (double)MAX(took_ns, 1));
    printf(" > total samples: %llu\n > samples/sec: %s\n", (unsigned long long)b->samples, buf_cstr(&rate));
    buf_done(&rate);
    return stage("stopStorage", stop, b, l, &took_ns, reterr);
}

int promtool_tsdb_bench_write(const PtLine *l) {
    Bench b = {.arena = arena_create(SAMPLES_FILE_MAX * 4)};
    Err err = {0};
    mutex_init(&b.lock);
    ErrCode code = bench(&b, l, &err);
    if (code != OK) fprintf(stderr, "%s\n", err.msg);
    if (b.store) b.store->ops->close(b.store);
    mutex_done(&b.lock);
    arena_free(b.arena);
    return code == OK ? 0 : 1;
}
