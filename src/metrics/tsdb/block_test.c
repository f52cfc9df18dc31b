/* Blocks, logs, import and export: round trips and damage. */
#include "codec/compress.h"
#include "codec/crc.h"
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/chunk.h"
#include "metrics/tsdb/twal.h"
#include "sys/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define N_SERIES 30
#define N_SAMPLES 500
#define BASE INT64_C(1700000000000)

static SeriesColumn make_series(Arena *a, int i) {
    Label *l = ARENA_ARRAY(a, Label, 3);
    l[0] = (Label){LABEL_NAME_METRIC, arena_printf(a, "m%02d", i)};
    l[1] = (Label){STR("instance"), arena_printf(a, "h\xc3\xa9%d", i % 4)};
    l[2] = (Label){STR("job"), i % 2 ? STR("a \"b\"") : STR("c")};
    SeriesColumn c = {.labels = {l, 3}};
    int64_t *t = ARENA_ARRAY(a, int64_t, N_SAMPLES), *ht = ARENA_ARRAY(a, int64_t, N_SAMPLES);
    double *v = ARENA_ARRAY(a, double, N_SAMPLES);
    Histogram *h = ARENA_ARRAY(a, Histogram, N_SAMPLES);
    for (int k = 0; k < N_SAMPLES; k++) {
        int64_t time = BASE + k * 15000 + i;
        if (i % 7 == 3 && (i == 3 || k > 200)) { /* histograms only, or after floats */
            ht[c.n_histograms] = time;
            h[c.n_histograms++] =
                (Histogram){.schema = 1, .count = k, .zero_count = k, .sum = k, .zero_threshold = 1e-128};
        } else {
            t[c.n] = time;
            v[c.n++] = i == 5 && k == 100 ? stale_nan() : k * i * 0.5;
        }
    }
    c.t_ms = t;
    c.value = v;
    c.histogram_t_ms = ht;
    c.histograms = h;
    return c;
}

/* Blocks are renamed as directories, which only a real file system does. */
static Fs *real_dir(char path[64]) {
    snprintf(path, 64, "/tmp/meerkat-tsdb-XXXXXX");
    assert_non_null(mkdtemp(path));
    return fs_real();
}

static void flip_bit(Fs *fs, const char *path, uint64_t bit) {
    File *f;
    uint8_t byte;
    size_t n;
    assert_int_equal(fs_open(fs, path, FILE_WRITE, &f, NULL), OK);
    assert_int_equal(file_read_at(f, bit / 8, &byte, 1, &n, NULL), OK);
    byte ^= (uint8_t)(1 << bit % 8);
    assert_int_equal(file_write_at(f, bit / 8, str_of((const char *)&byte, 1), NULL), OK);
    file_close(f);
}

static void write_block(Fs *fs, const char *parent, TsdbMeta *ret) {
    Arena *a = arena_create(ARENA_UNLIMITED);
    TsdbBlockWriter *w;
    bool written;
    assert_int_equal(tsdb_block_writer_create(fs, parent, &w, NULL), OK);
    for (int i = 0; i < N_SERIES; i++) {
        SeriesColumn c = make_series(a, i);
        assert_int_equal(tsdb_block_writer_series(w, &c, NULL), OK);
    }
    assert_int_equal(tsdb_block_writer_finish(w, ret, &written, NULL), OK);
    assert_true(written);
    tsdb_block_writer_free(w);
    arena_free(a);
}

typedef struct Check {
    Arena *arena;
    int next;
    uint64_t samples;
    bool all; /* every series whole */
} Check;

static bool check_series(void *ctx, const SeriesColumn *s) {
    Check *c = ctx;
    c->samples += s->n + s->n_histograms;
    if (!c->all) return true;
    SeriesColumn want = make_series(c->arena, c->next++);
    assert_true(labels_eq(s->labels, want.labels));
    assert_int_equal(s->n, want.n);
    assert_int_equal(s->n_histograms, want.n_histograms);
    if (s->n) assert_memory_equal(s->t_ms, want.t_ms, s->n * sizeof *s->t_ms);
    if (s->n) assert_memory_equal(s->value, want.value, s->n * sizeof *s->value);
    for (size_t i = 0; i < s->n_histograms; i++) assert_true(histogram_eq(&s->histograms[i], &want.histograms[i]));
    return true;
}

static void test_block_round_trip(void **state) {
    (void)state;
    char root[64];
    Fs *fs = real_dir(root);
    TsdbMeta meta;
    write_block(fs, root, &meta);
    assert_int_equal(meta.series, N_SERIES);
    assert_int_equal(meta.samples, N_SERIES * N_SAMPLES);
    Arena *a = arena_create(ARENA_UNLIMITED);
    TsdbBlockInfo *v;
    size_t n;
    assert_int_equal(tsdb_blocks(fs, root, a, &v, &n, NULL, NULL), OK);
    assert_int_equal(n, 1);
    assert_memory_equal(&v[0].meta, &meta, sizeof meta);
    assert_int_equal(meta.min_t, BASE);
    assert_int_equal(meta.max_t, BASE + (N_SAMPLES - 1) * 15000 + N_SERIES);
    char dir[FS_PATH_MAX];
    fs_path_join(dir, root, meta.ulid);
    TsdbBlock *b;
    assert_int_equal(tsdb_block_open(fs, dir, &b, NULL), OK);
    Check all = {.arena = a, .all = true}, some = {0};
    TsdbProblems problems = {0};
    assert_int_equal(tsdb_block_visit(b, (Matchers){0}, INT64_MIN, INT64_MAX, check_series, &all, &problems, NULL), OK);
    assert_int_equal(all.next, N_SERIES);
    assert_int_equal(
        tsdb_block_visit(b, (Matchers){0}, BASE + 15000, BASE + 45000 - 1, check_series, &some, NULL, NULL), OK);
    assert_int_equal(some.samples, N_SERIES * 2);
    assert_int_equal(problems.chunks + problems.series, 0);
    tsdb_block_close(b);
    arena_free(a);
    assert_int_equal(fs_remove_tree(fs, root, NULL), OK);
}

/* Whatever bit flips: an error or fewer samples, never others. */
static void test_block_damage(void **state) {
    (void)state;
    for (unsigned seed = 0; seed < 60; seed++) {
        char root[64], dir[FS_PATH_MAX], path[FS_PATH_MAX];
        Fs *fs = real_dir(root);
        TsdbMeta meta;
        write_block(fs, root, &meta);
        fs_path_join(dir, root, meta.ulid);
        fs_path_join(path, dir, seed % 2 ? "index" : "chunks/000001");
        Buf file = {0};
        assert_int_equal(fs_read_file(fs, path, 1 << 24, &file, NULL), OK);
        flip_bit(fs, path, (uint64_t)(seed * 7919u + 13) * 104729u % (file.n * 8));
        buf_done(&file);
        TsdbBlock *b;
        Err err = {0};
        ErrCode code = tsdb_block_open(fs, dir, &b, &err);
        if (code == OK) {
            Check c = {0};
            TsdbProblems p = {0};
            assert_int_equal(tsdb_block_visit(b, (Matchers){0}, INT64_MIN, INT64_MAX, check_series, &c, &p, NULL), OK);
            assert_true(c.samples <= N_SERIES * N_SAMPLES);
            assert_true(c.samples == N_SERIES * N_SAMPLES || p.chunks + p.series > 0);
            tsdb_block_close(b);
        } else {
            assert_true(err.msg[0]);
        }
        assert_int_equal(fs_remove_tree(fs, root, NULL), OK);
    }
}

static void test_ulid_and_meta(void **state) {
    (void)state;
    char a[TSDB_ULID_SIZE], b[TSDB_ULID_SIZE];
    tsdb_ulid(a, 1469918176385);
    tsdb_ulid(b, 1469918176386);
    assert_memory_equal(a, "01ARYZ6S41", 10); /* the example of the ULID specification */
    assert_true(tsdb_is_ulid(str_cstr(a)) && strcmp(a, b) < 0);
    assert_false(tsdb_is_ulid(STR("01ARYZ6S41TSV4RRFFQ69G5FAI"))); /* I is no digit */
    static const char *const bad[] = {"", "{}", "{\"version\":2}", "[1]",
        "{\"ulid\":\"x\",\"minTime\":1,\"maxTime\":2,\"version\":1}",
        "{\"ulid\":\"01ARYZ6S41TSV4RRFFQ69G5FAV\",\"minTime\":3,\"maxTime\":2,\"version\":1}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        TsdbMeta m;
        assert_int_not_equal(tsdb_meta_decode(str_cstr(bad[i]), &m, NULL), OK);
    }
}

static void test_tombstones(void **state) {
    (void)state;
    Buf b = {0}, entries = {0};
    buf_put_u32be(&b, TSDB_TOMBSTONES_MAGIC);
    buf_put_char(&b, 1);
    static const Interval want[] = {{7, 10, 20}, {3, -5, 5}, {7, 30, 40}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        buf_put_uvarint(&entries, want[i].ref);
        buf_put_svarint(&entries, want[i].min_t);
        buf_put_svarint(&entries, want[i].max_t);
    }
    buf_put_str(&b, buf_str(&entries));
    buf_put_u32be(&b, crc32c(0, entries.p, entries.n));
    Intervals v = {0};
    assert_int_equal(tombstones_decode(buf_str(&b), &v, NULL), OK);
    assert_true(intervals_cover(&v, 7, 20) && intervals_cover(&v, 7, 30) && intervals_cover(&v, 3, 0));
    assert_false(intervals_cover(&v, 7, 25) || intervals_cover(&v, 4, 10) || intervals_cover(&v, 3, 6));
    vec_done(&v.list);
    b.p[6] ^= 1;
    assert_int_equal(tombstones_decode(buf_str(&b), &v, NULL), ERR_CORRUPT);
    vec_done(&v.list);
    buf_done(&b);
    buf_done(&entries);
}

/* --- logs --- */
/* Puts a record into pages as Prometheus does. */
static void put_record(Buf *file, Str record, uint8_t flag) {
    Buf packed = {0};
    if (flag) assert_int_equal(compress(flag == 16 ? ENCODING_ZSTD : ENCODING_SNAPPY, record, 0, &packed), OK);
    Str rest = flag ? buf_str(&packed) : record;
    bool first = true;
    while (first || rest.n) {
        size_t left = 32768 - file->n % 32768;
        if (left <= 7) {
            for (; left > 0; left--) buf_put_char(file, 0);
            continue;
        }
        size_t n = MIN(rest.n, left - 7);
        bool last = n == rest.n;
        buf_put_char(file, (char)((first ? (last ? 1 : 2) : (last ? 4 : 3)) | flag));
        buf_put_u16be(file, (uint16_t)n);
        buf_put_u32be(file, crc32c(0, rest.p, n));
        buf_put(file, rest.p, n);
        rest = str_skip(rest, n);
        first = false;
    }
    buf_done(&packed);
}

static void put_series_record(Buf *b, uint64_t ref, const char *name) {
    buf_put_u64be(b, ref);
    buf_put_uvarint(b, 2);
    buf_put_lenstr(b, STR("__name__"));
    buf_put_lenstr(b, str_cstr(name));
    buf_put_lenstr(b, STR("job"));
    buf_put_lenstr(b, STR("j"));
}

static void put_samples(Buf *b, uint64_t ref, int from, int n) {
    buf_put_char(b, WAL_SAMPLES);
    buf_put_u64be(b, ref);
    buf_put_u64be(b, (uint64_t)BASE);
    for (int i = from; i < from + n; i++) {
        buf_put_svarint(b, 0);
        buf_put_svarint(b, i * 1000);
        buf_put_u64be(b, f64_bits(i));
    }
}

static void put_samples_2(Buf *b, uint64_t ref, int from, int n) {
    buf_put_char(b, WAL_SAMPLES_2);
    for (int i = from; i < from + n; i++) {
        buf_put_svarint(b, i == from ? (int64_t)ref : 0);
        buf_put_svarint(b, i == from ? BASE + i * 1000 : (i - from) * 1000);
        if (i == from)
            buf_put_svarint(b, BASE);
        else if (i % 3 == 0)
            buf_put_char(b, 0);
        else if (i % 3 == 1)
            buf_put_char(b, 1);
        else {
            buf_put_char(b, 2);
            buf_put_svarint(b, i);
        }
        buf_put_u64be(b, f64_bits(i));
    }
}

typedef struct Sink {
    uint64_t samples, histograms, series, metadata, exemplars, calls;
    double sum;
    uint64_t starts; /* start times that are known, and their distances to BASE in all */
    int64_t start_sum;
} Sink;

static ErrCode take(void *ctx, const MetricsBatch *b, MetricsAppendResult *ret, Err *reterr) {
    Sink *s = ctx;
    (void)reterr;
    s->samples += ret->samples = b->t_ms.n;
    s->histograms += ret->histograms = b->histograms.n;
    s->exemplars += ret->exemplars = b->exemplars.n;
    s->metadata += b->metadata.n;
    s->series += b->series.n;
    s->calls++;
    for (size_t i = 0; i < b->value.n; i++) s->sum += b->value.v[i];
    for (size_t i = 0; i < b->start_ms.n; i++) {
        if (!b->start_ms.v[i]) continue;
        s->starts++;
        s->start_sum += b->start_ms.v[i] - BASE;
    }
    return OK;
}

static TsdbImportResult import(Fs *fs, const char *dir, Sink *sink) {
    TsdbImport im = {.fs = fs, .dir = dir, .min_t = INT64_MIN, .max_t = INT64_MAX, .append = take, .ctx = sink};
    TsdbImportResult r;
    Err err = {0};
    if (tsdb_import(&im, &r, &err) != OK) fail_msg("%s", err.msg);
    return r;
}

static void write_file(Fs *fs, const char *dir, const char *name, const Buf *b) {
    char path[FS_PATH_MAX];
    assert_int_equal(fs->ops->make_dir(fs, dir, NULL), OK);
    fs_path_join(path, dir, name);
    assert_int_equal(fs_write_file_atomic(fs, path, buf_str(b), NULL), OK);
}

static void test_wal(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    Buf old = {0}, check = {0}, seg = {0}, rec = {0};
    /* Segment 0 is in checkpoint 0: what it says does not count. */
    put_samples(&rec, 1, 1000, 5);
    put_record(&old, buf_str(&rec), 0);
    write_file(fs, "/p/wal", "00000000", &old);
    buf_clear(&rec);
    buf_put_char(&rec, WAL_SERIES);
    put_series_record(&rec, 1, "a");
    put_series_record(&rec, 2, "b");
    put_record(&check, buf_str(&rec), 8);
    write_file(fs, "/p/wal/checkpoint.00000000", "00000000", &check);
    buf_clear(&rec);
    put_samples(&rec, 1, 0, 4000); /* over several pages */
    put_record(&seg, buf_str(&rec), 0);
    buf_clear(&rec);
    put_samples(&rec, 2, 0, 100);
    put_record(&seg, buf_str(&rec), 8);
    buf_clear(&rec);
    put_samples_2(&rec, 2, 100, 50);
    put_record(&seg, buf_str(&rec), 16);
    buf_clear(&rec);
    put_samples(&rec, 77, 0, 3); /* nobody knows it */
    put_record(&seg, buf_str(&rec), 0);
    buf_clear(&rec); /* deletes ten samples of a */
    buf_put_char(&rec, WAL_TOMBSTONES);
    buf_put_u64be(&rec, 1);
    buf_put_svarint(&rec, BASE);
    buf_put_svarint(&rec, BASE + 9999);
    put_record(&seg, buf_str(&rec), 0);
    buf_clear(&rec);
    buf_put_char(&rec, WAL_METADATA);
    buf_put_uvarint(&rec, 1);
    buf_put_char(&rec, 1);
    buf_put_uvarint(&rec, 2);
    buf_put_lenstr(&rec, STR("UNIT"));
    buf_put_lenstr(&rec, STR("seconds"));
    buf_put_lenstr(&rec, STR("HELP"));
    buf_put_lenstr(&rec, STR("text"));
    put_record(&seg, buf_str(&rec), 0);
    write_file(fs, "/p/wal", "00000001", &seg);
    Sink s = {0};
    TsdbImportResult r = import(fs, "/p", &s);
    assert_int_equal(s.samples, 4000 - 10 + 150);
    assert_int_equal(s.metadata, 1);
    assert_int_equal(r.problems.records, 0);
    assert_non_null(strstr(r.problems.first, "3 samples of series"));
    assert_true(s.sum == 4000.0 * 3999 / 2 - 45 + 150.0 * 149 / 2);
    /* Of the first, and of every third from 101 on; one that is that of the entry before is unknown when that is. */
    assert_int_equal(s.starts, 1 + 17);
    assert_int_equal(s.start_sum, 17 * (101 + 149) / 2);
    /* A flipped bit costs one record, and the rest of its page at most. */
    fs_fault_flip_bit(fs, "/p/wal/00000001", 40000 * 8);
    Sink damaged = {0};
    r = import(fs, "/p", &damaged);
    assert_int_equal(r.problems.records > 0, 1);
    assert_true(damaged.samples < s.samples);
    Buf *all[] = {&old, &check, &seg, &rec};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) buf_done(all[i]);
    fs_fault_free(fs);
}

static void test_head_chunks(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    Buf file = {0}, seg = {0}, rec = {0}, data = {0};
    int64_t t[100];
    double v[100];
    for (int i = 0; i < 100; i++) {
        t[i] = BASE + i * 1000;
        v[i] = i;
    }
    buf_put_u32be(&file, TSDB_HEAD_CHUNKS_MAGIC);
    buf_put_u32be(&file, 0x01000000);
    assert_int_equal(chunk_encode_floats(&data, t, v, 100), 100);
    size_t start = file.n;
    buf_put_u64be(&file, 1);
    buf_put_u64be(&file, (uint64_t)t[0]);
    buf_put_u64be(&file, (uint64_t)t[99]);
    buf_put_char(&file, CHUNK_XOR);
    buf_put_uvarint(&file, data.n);
    buf_put_str(&file, buf_str(&data));
    buf_put_u32be(&file, crc32c(0, file.p + start, file.n - start));
    for (int i = 0; i < 100; i++) buf_put_char(&file, 0);
    write_file(fs, "/p/chunks_head", "000001", &file);
    buf_put_char(&rec, WAL_SERIES);
    put_series_record(&rec, 1, "a");
    put_record(&seg, buf_str(&rec), 0);
    buf_clear(&rec);
    put_samples(&rec, 1, 50, 100); /* half of them are in the chunk */
    put_record(&seg, buf_str(&rec), 0);
    write_file(fs, "/p/wal", "00000000", &seg);
    Sink s = {0}, again = {0};
    (void)import(fs, "/p", &s);
    assert_int_equal(s.samples, 150);
    fs_fault_flip_bit(fs, "/p/chunks_head/000001", 60 * 8); /* then the log has to give what it has */
    TsdbImportResult r = import(fs, "/p", &again);
    assert_int_equal(again.samples, 100);
    assert_int_equal(r.problems.chunks, 1);
    Buf *all[] = {&file, &seg, &rec, &data};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) buf_done(all[i]);
    fs_fault_free(fs);
}

static ErrCode into_store(void *ctx, const MetricsBatch *b, MetricsAppendResult *ret, Err *reterr) {
    MetricsStore *s = ctx;
    return s->ops->append(s, b, ret, reterr);
}

static void test_export_and_import(void **state) {
    (void)state;
    char root[64], data[80], out[80];
    Fs *fs = real_dir(root);
    snprintf(data, sizeof data, "%s/data", root);
    snprintf(out, sizeof out, "%s/out", root);
    TsdbMeta meta;
    MetricsStore *store;
    MetricsStoreOptions o = {.durable = true, .retention_ms = INT64_MAX / 2};
    write_block(fs, root, &meta);
    assert_int_equal(metrics_store_open(fs, data, &o, &store, NULL), OK);
    TsdbImport im = {.fs = fs, .dir = root, .min_t = INT64_MIN, .max_t = INT64_MAX, .append = into_store, .ctx = store};
    TsdbImportResult r;
    assert_int_equal(tsdb_import(&im, &r, NULL), OK);
    assert_int_equal(r.appended.samples + r.appended.histograms, N_SERIES * N_SAMPLES);
    assert_int_equal(tsdb_import(&im, &r, NULL), OK); /* twice does no harm */
    TsdbExport e = {.fs = fs, .store = store, .dir = out, .min_t = INT64_MIN, .max_t = INT64_MAX};
    TsdbExportResult x;
    Err err = {0};
    if (tsdb_export(&e, &x, &err) != OK) fail_msg("%s", err.msg);
    assert_int_equal(x.blocks, 2); /* 2 h 5 min from 22:13:20: over midnight */
    assert_int_equal(x.samples, N_SERIES * N_SAMPLES);
    Sink s = {0};
    (void)import(fs, out, &s);
    assert_int_equal(s.samples + s.histograms, N_SERIES * N_SAMPLES);
    store->ops->close(store);
    assert_int_equal(fs_remove_tree(fs, root, NULL), OK);
}

static void test_not_a_directory_of_prometheus(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    Sink s = {0};
    TsdbImport im = {.fs = fs, .dir = "/empty", .min_t = INT64_MIN, .max_t = INT64_MAX, .append = take, .ctx = &s};
    TsdbImportResult r;
    Err err = {0};
    assert_int_equal(tsdb_import(&im, &r, &err), ERR_NOT_FOUND);
    assert_int_equal(fs->ops->make_dir(fs, "/empty", NULL), OK);
    assert_int_equal(tsdb_import(&im, &r, &err), ERR_NOT_FOUND);
    assert_true(err.hint[0]);
    fs_fault_free(fs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_round_trip),
        cmocka_unit_test(test_block_damage),
        cmocka_unit_test(test_ulid_and_meta),
        cmocka_unit_test(test_tombstones),
        cmocka_unit_test(test_wal),
        cmocka_unit_test(test_head_chunks),
        cmocka_unit_test(test_export_and_import),
        cmocka_unit_test(test_not_a_directory_of_prometheus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
