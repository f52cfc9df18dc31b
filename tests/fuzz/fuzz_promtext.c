/* Text expositions in all three modes; what parses is a batch whose parts agree. */
#include "metrics/scrape/promtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) return 0;
    static const PromTextOptions modes[] = {
        {PROMTEXT_PLAIN, false}, {PROMTEXT_OPENMETRICS, false}, {PROMTEXT_OPENMETRICS, true}};
    Str text = str_of((const char *)data + 1, size - 1);
    Arena *arena = arena_create((size_t)16 << 20);
    MetricsBatch b = {.arena = arena};
    Err err;
    if (promtext_to_batch(text, &modes[data[0] % 3], 7, &b, &err) == OK) {
        ASSERT(b.t_ms.n == b.value.n && b.series.n == b.value.n);
        for (size_t i = 0; i < b.series.n; i++) {
            Labels l = b.series.v[i].labels;
            for (size_t k = 1; k < l.n; k++) ASSERT(str_cmp(l.v[k - 1].name, l.v[k].name) < 0);
        }
    }
    arena_free(arena);
    return 0;
}
