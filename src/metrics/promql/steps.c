#include "metrics/promql/steps.h"

void steps_done(Steps *s) {
    mem_free(s->from);
    mem_free(s->to);
    mem_free(s->present);
    mem_free(s->stretch);
    *s = (Steps){0};
}

static void reserve(Steps *s, size_t n) {
    if (n <= s->cap) return;
    steps_done(s);
    s->cap = n;
    s->from = mem_alloc_array(n, sizeof *s->from);
    s->to = mem_alloc_array(n, sizeof *s->to);
    s->present = mem_alloc_array(bitmap_words(n), sizeof *s->present);
    s->stretch = mem_alloc_array(n, sizeof *s->stretch);
}

static Stretch stretch_of(int64_t first_t, int64_t last_t, size_t n, int64_t min_t, int64_t max_t, bool per_second) {
    Stretch x = {.to_start = (double)(first_t - min_t) / 1000, .to_end = (double)(max_t - last_t) / 1000};
    x.sampled = (double)(last_t - first_t) / 1000;
    double average = x.sampled / (double)(n - 1), threshold = average * 1.1;
    if (x.to_start >= threshold) x.to_start = average / 2;
    if (x.to_end >= threshold) x.to_end = average / 2;
    x.factor = x.sampled != 0 ? (x.sampled + x.to_start + x.to_end) / x.sampled : 1;
    if (per_second) x.factor /= (double)(max_t - min_t) / 1000;
    return x;
}

void steps_windows(
    Steps *s, const Grid *g, const WindowSpec *spec, const int64_t *t, size_t n, size_t least, bool per_second) {
    reserve(s, g->n);
    memset(s->present, 0, bitmap_words(g->n) * sizeof *s->present);
    s->total = s->fresh = s->widest = 0;
    size_t from = 0, to = 0, seen = 0;
    for (size_t i = 0; i < g->n; i++) {
        int64_t max_t = (spec->fixed ? spec->fixed_ms : grid_t(g, i)) - spec->offset_ms, min_t = max_t - spec->range_ms;
        while (to < n && t[to] <= max_t) to++;
        while (from < to && t[from] <= min_t) from++;
        s->from[i] = (uint32_t)from;
        s->to[i] = (uint32_t)to;
        size_t width = to - from;
        s->total += width;
        s->fresh += to - MAX(seen, from);
        seen = to;
        s->widest = MAX(s->widest, width);
        if (width < least || width == 0) continue;
        bit_set(s->present, i);
        if (least > 1) s->stretch[i] = stretch_of(t[from], t[to - 1], width, min_t, max_t, per_second);
    }
}

void steps_instants(Steps *s, const Grid *g, const PqlShift *shift, int64_t lookback_ms, const int64_t *t, size_t n) {
    reserve(s, g->n);
    memset(s->present, 0, bitmap_words(g->n) * sizeof *s->present);
    s->total = 0;
    size_t to = 0;
    for (size_t i = 0; i < g->n; i++) {
        int64_t ref = (shift->at != PQL_AT_NONE ? shift->at_ms : grid_t(g, i)) - shift->offset.ms;
        while (to < n && t[to] <= ref) to++;
        bool found = to > 0 && t[to - 1] > ref - lookback_ms;
        s->from[i] = found ? (uint32_t)to - 1 : 0;
        if (!found) continue;
        bit_set(s->present, i);
        s->total++;
    }
    s->fresh = s->total;
    s->widest = 1;
}
