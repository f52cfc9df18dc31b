/* Runs a fuzz target over its seeds without a fuzzer, so that every test run covers the known inputs: each file as it
 * is, cut at every length when it is small, and with single bytes changed. The same inputs on every run.
 *
 *   fuzz_NAME_replay CORPUS_DIR...                                                                             */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED_BYTES_MAX ((size_t)1 << 20)
#define CUT_BYTES_MAX 4096 /* longer seeds are not cut at every length */
#define MUTATIONS 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Counts {
    size_t seeds, inputs;
} Counts;

/* A copy of exactly that size on the heap: the sanitizers see the first byte too far. */
static void run(const uint8_t *data, size_t size, Counts *counts) {
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) abort();
    if (size) memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    counts->inputs++;
}

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Bit flips, borders of bytes and arbitrary values, at places all over the seed. */
static void run_mutations(uint8_t *data, size_t size, Counts *counts) {
    static const uint8_t borders[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '"', '{', '\n'};
    uint64_t state = UINT64_C(0x9e3779b97f4a7c15) ^ size;
    for (int i = 0; size > 0 && i < MUTATIONS; i++) {
        size_t at = next_random(&state) % size;
        uint8_t before = data[at], kind = next_random(&state) % 3;
        uint64_t r = next_random(&state);
        data[at] = kind == 0 ? before ^ (uint8_t)(1u << r % 8) : kind == 1 ? borders[r % sizeof borders] : (uint8_t)r;
        run(data, size, counts);
        data[at] = before;
    }
}

static int run_file(const char *path, Counts *counts) {
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(SEED_BYTES_MAX);
    if (!f || !data) {
        perror(path);
        return 1;
    }
    size_t size = fread(data, 1, SEED_BYTES_MAX, f);
    fclose(f);
    counts->seeds++;
    run(data, size, counts);
    for (size_t n = 0; size <= CUT_BYTES_MAX && n < size; n++) run(data, n, counts);
    run_mutations(data, size, counts);
    free(data);
    return 0;
}

static int run_directory(const char *dir, Counts *counts) {
    struct dirent **entries;
    int n = scandir(dir, &entries, NULL, alphasort), failed = 0;
    if (n < 0) {
        perror(dir);
        return 1;
    }
    for (int i = 0; i < n; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') failed |= run_file(path, counts);
        free(entries[i]);
    }
    free(entries);
    return failed;
}

int main(int argc, char **argv) {
    Counts counts = {0};
    int failed = 0;
    for (int i = 1; i < argc; i++) failed |= run_directory(argv[i], &counts);
    printf("%zu seeds, %zu inputs\n", counts.seeds, counts.inputs);
    if (counts.seeds == 0) {
        fprintf(stderr, "the corpus is empty\n");
        failed = 1;
    }
    return failed;
}
