/* Seeds of formats that only our own writer makes: parts of the metrics store (as fuzz_mpart.c takes them) and records
 * of its log. A seed of yesterday's format is refused at its first byte and then tests nothing, so the test suite
 * compares the seeds in the corpus with what is written today.
 *
 *   seeds CORPUS_DIR            fails when a seed is not what the writer makes
 *   seeds --write CORPUS_DIR    makes them anew                                                              */
#include "metrics/mpart_read_int.h"
#include "metrics/mpart_write_int.h"
#include "metrics/record.h"
#include "sys/random.h"

#include <stdio.h>

#define SERIES_MAX 12
#define SAMPLES_MAX 600
#define BASE_MS INT64_C(1700000000000)

typedef struct SeedKind {
    uint32_t series, samples, histograms;
    bool starts, noise;
} SeedKind;

/* In place; a group and starts; several shapes, times and columns with statistics; histograms. */
static const SeedKind kinds[] = {{1, 3, 0, false, false}, {4, 20, 0, true, false}, {SERIES_MAX, 40, 0, true, true},
    {2, SAMPLES_MAX, 0, true, true}, {3, 5, 12, true, false}};

/* Those that are used, sorted. */
static const Str symbols[] = {STR_INIT("0"), STR_INIT("1"), STR_INIT("10"), STR_INIT("11"), STR_INIT("2"),
    STR_INIT("3"), STR_INIT("4"), STR_INIT("5"), STR_INIT("6"), STR_INIT("7"), STR_INIT("8"), STR_INIT("9"),
    STR_INIT("__name__"), STR_INIT("i"), STR_INIT("j"), STR_INIT("m")};
enum { SYMBOL_NAME = 12, SYMBOL_I, SYMBOL_J, SYMBOL_M };

/* --- data --- */
static double value_of(const SeedKind *k, uint32_t series, uint32_t i, Rng *rng) {
    if (i % 17 == 16) return stale_nan();
    switch (series % 4) {
    case 0: return i;                                              /* differences */
    case 1: return k->noise ? rng_f64(rng) : 7;                    /* full precision; constant */
    case 2: return (double)(rng_u64(rng) % 1000) / 100;            /* decimals */
    default: return i % 5 == 0 ? (double)(rng_u64(rng) % 9) : 0.0; /* mostly one value */
    }
}

static void fill(const SeedKind *k, uint32_t series, Rng *rng, SampleBuf *out) {
    int64_t t = BASE_MS;
    sample_buf_clear(out);
    for (uint32_t i = 0; i < k->samples; i++) {
        double v = value_of(k, series, i, rng);
        sample_buf_add(out, &t, &v, 1, INT64_MIN, INT64_MAX);
        t += 15000 + (series % 3 == 2 ? (int64_t)(rng_u64(rng) % 7) : 0);
    }
    if (!k->starts) return;
    int64_t *start = sample_buf_starts(out, 0);
    for (uint32_t i = 0; i < k->samples; i++) {
        if (series % 4 == 0) start[i] = BASE_MS - 1000;
        if (series % 4 == 1) start[i] = BASE_MS - 1000 + (i > k->samples / 2 ? 100000 : 0); /* runs */
        if (series % 4 == 2) start[i] = i ? out->t[i - 1] : 0;                              /* deltas */
        if (series % 4 == 3) start[i] = BASE_MS - (int64_t)(rng_u64(rng) % 100000);
    }
}

static Histogram histogram_of(uint32_t i, HistogramSpan *spans, double *buckets) {
    spans[0] = (HistogramSpan){-2, 2};
    spans[1] = (HistogramSpan){3, 1};
    for (unsigned b = 0; b < 3; b++) buckets[b] = i + b;
    return (Histogram){.schema = 3,
        .count = 3 * i + 4,
        .sum = i * 1.5,
        .zero_threshold = 0.001,
        .zero_count = 1,
        .pos_spans = spans,
        .n_pos_spans = 2,
        .pos = buckets,
        .n_pos = 3,
        .neg_spans = spans,
        .n_neg_spans = 1,
        .neg = buckets,
        .n_neg = 2};
}

/* --- parts --- */
static void put_series(MPartWriter *w, const SeedKind *k, uint32_t series, Rng *rng) {
    static const uint8_t order[SERIES_MAX] = {0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9}; /* as strings */
    SampleBuf samples = {.want_starts = true};
    HistogramRefs refs = {0};
    Buf bytes[SAMPLES_MAX] = {0};
    uint32_t names[3] = {SYMBOL_NAME, SYMBOL_I, SYMBOL_J}, values[3] = {SYMBOL_M, series, order[series] % 2};
    fill(k, series, rng, &samples);
    for (uint32_t i = 0; i < k->histograms; i++) {
        HistogramSpan spans[2];
        double buckets[3];
        Histogram h = histogram_of(i, spans, buckets);
        histogram_encode(&bytes[i], &h);
        int64_t t = BASE_MS + (k->samples + i) * 15000;
        vec_push(&refs, (HistogramRef){t, buf_str(&bytes[i]), k->starts ? BASE_MS : 0});
    }
    uint32_t n = series % 3 ? 3 : 2; /* two shapes */
    ASSERT(mpart_writer_series_ranked(w, names, values, n, &samples, &refs, NULL) == OK);
    for (uint32_t i = 0; i < k->histograms; i++) buf_done(&bytes[i]);
    sample_buf_done(&samples);
    vec_done(&refs);
}

static void write_part(Fs *fs, const SeedKind *k, bool plain) {
    MPartWriter *w;
    PartInfo info;
    Rng rng;
    rng_seed(&rng, 1);
    ASSERT(mpart_writer_create(fs, "p", symbols, ARRAY_LEN(symbols), 0, &w, NULL) == OK);
    for (uint32_t i = 0; i < k->series; i++) put_series(w, k, i, &rng);
    if (plain) ASSERT(mpart_chunk_flush(w, NULL) == OK); /* as of one that is large */
    ASSERT(mpart_writer_finish(w, &info, NULL) == OK);
    mpart_writer_free(w);
}

static Str block(const MPart *p, const BlockRef *ref) {
    Str bytes;
    ASSERT(part_block(p->part, ref, p->arena, &bytes, NULL) == OK);
    return bytes;
}

static void put_bytes(Buf *out, Str bytes) {
    ASSERT(bytes.n <= UINT16_MAX);
    buf_put_u16le(out, (uint16_t)bytes.n);
    buf_put_str(out, bytes);
}

/* The part's sections as fuzz_mpart.c reads them. Values, where there are any besides those in place, are the first
 * group, times the last. */
static void put_part(const MPart *p, Buf *out) {
    buf_put_char(out, p->packed ? MPART_PACKED : MPART_PLAIN);
    buf_put_u16le(out, (uint16_t)p->n_series);
    for (int i = 0; i < MPART_SECTIONS; i++) {
        BlockRef chunk;
        Str bytes = block(p, &p->refs[i]);
        Cursor c = cursor_of(bytes);
        if (i == MPART_SERIES_CHUNKS && bytes.n) bytes = block_ref_decode(&c, &chunk) ? block(p, &chunk) : STR_NULL;
        put_bytes(out, bytes);
    }
    ASSERT(p->n_groups == 1 || p->n_groups == 2);
    put_bytes(out, p->n_groups == 2 ? block(p, &p->groups[1]) : STR_NULL);
    buf_put_str(out, block(p, &p->groups[0]));
}

static void make_part(const SeedKind *k, bool plain, Buf *out) {
    Fs *fs = fs_fault_create(1);
    Part *part;
    MPart *p;
    MPartCache cache = {0};
    SampleBuf samples = {0};
    HistogramRefs histograms = {0};
    write_part(fs, k, plain);
    ASSERT(part_open(fs, "p", &part, NULL) == OK && mpart_open(part, &p, NULL) == OK && mpart_load(p, NULL) == OK);
    for (uint32_t i = 0; i < k->series; i++)
        ASSERT(mpart_read(p, &cache, i, INT64_MIN, INT64_MAX, &samples, &histograms, p->arena, NULL) == OK);
    ASSERT(samples.n == (size_t)k->series * k->samples && histograms.n == (size_t)k->series * k->histograms);
    put_part(p, out);
    mpart_cache_done(&cache);
    sample_buf_done(&samples);
    vec_done(&histograms);
    mpart_close(p);
    part_close(part);
    fs_fault_free(fs);
}

/* --- records --- */
static void make_record(const SeedKind *k, Buf *out) {
    SampleBuf samples = {0};
    RecordState state = {0};
    Rng rng;
    rng_seed(&rng, 2);
    record_begin(out, 3);
    for (uint32_t i = 0; i < ARRAY_LEN(symbols); i++) record_put_symbol(out, i, symbols[i]);
    for (uint32_t i = 0; i < k->series; i++)
        record_put_series(out, i, (uint32_t[]){SYMBOL_NAME, SYMBOL_I}, (uint32_t[]){SYMBOL_M, i}, 2);
    for (uint32_t i = 0; i < k->series; i++) {
        HistogramSpan spans[2];
        double buckets[3];
        Label label = {STR("trace_id"), STR("abc")};
        Histogram h = histogram_of(i, spans, buckets);
        fill(k, i, &rng, &samples);
        record_put_samples(out, i, samples.t, samples.v, samples.has_starts ? samples.start : NULL, samples.n, &state);
        record_put_samples(out, i, samples.t, samples.v, samples.has_starts ? samples.start : NULL, 1, &state);
        if (k->histograms) record_put_histogram(out, i, BASE_MS, i ? BASE_MS - 1 : 0, &h);
        record_put_exemplar(out, i, &(Exemplar){{&label, 1}, 0.5, BASE_MS});
    }
    record_put_metadata(out, &(MetricMetadata){STR("m"), METRIC_COUNTER, STR("Help."), STR("s")});
    sample_buf_done(&samples);
}

/* --- files --- */
static bool compare(Fs *fs, const char *path, Str want) {
    Buf have = {0};
    bool equal = fs_read_file(fs, path, (size_t)1 << 20, &have, NULL) == OK && str_eq(buf_str(&have), want);
    if (!equal) fprintf(stderr, "%s: not what is written today; `seeds --write` makes it anew\n", path);
    buf_done(&have);
    return equal;
}

static bool store(const char *dir, const char *name, Buf *bytes, bool write) {
    char path[FS_PATH_MAX];
    Fs *fs = fs_real();
    fs_path_join(path, dir, name);
    bool ok = write ? fs_write_file_atomic(fs, path, buf_str(bytes), NULL) == OK : compare(fs, path, buf_str(bytes));
    buf_done(bytes);
    return ok;
}

int main(int argc, char **argv) {
    bool write = argc == 3 && str_eq_lit(str_cstr(argv[1]), "--write"), ok = true;
    if (argc != 2 && !write) return 2;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        for (int plain = 0; plain < 2; plain++) {
            char name[64];
            Buf bytes = {0};
            snprintf(name, sizeof name, "mpart/%s_%zu", plain ? "plain" : "packed", i);
            make_part(&kinds[i], plain, &bytes);
            ok = store(argv[argc - 1], name, &bytes, write) && ok;
        }
        char name[64];
        Buf bytes = {0};
        snprintf(name, sizeof name, "metrics_record/record_%zu", i);
        make_record(&kinds[i], &bytes);
        ok = store(argv[argc - 1], name, &bytes, write) && ok;
    }
    return !ok;
}
