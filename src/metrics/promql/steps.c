#include "metrics/promql/steps.h"

void steps_done(Steps *s) {
    mem_free(s->from);
    mem_free(s->to);
    mem_free(s->present);
    mem_free(s->sampled);
    mem_free(s->cuts.at);
    *s = (Steps){0};
}

static void reserve(Steps *s, size_t n) {
    if (n <= s->cap) return;
    steps_done(s);
    s->cap = n;
    s->from = mem_alloc_array(n, sizeof *s->from);
    s->to = mem_alloc_array(n, sizeof *s->to);
    s->present = mem_alloc_array(bitmap_words(n), sizeof *s->present);
    s->sampled = mem_alloc_array(n, 4 * sizeof *s->sampled);
    s->to_start = s->sampled + n;
    s->to_end = s->to_start + n;
    s->factor = s->to_end + n;
}

/* Window i holds n samples from first_t to last_t. */
static void stretch(
    Steps *s, size_t i, int64_t first_t, int64_t last_t, size_t n, int64_t min_t, int64_t max_t, bool per_second) {
    double to_start = (double)(first_t - min_t) / 1000, to_end = (double)(max_t - last_t) / 1000;
    double sampled = (double)(last_t - first_t) / 1000, average = sampled / (double)(n - 1), threshold = average * 1.1;
    if (to_start >= threshold) to_start = average / 2;
    if (to_end >= threshold) to_end = average / 2;
    double factor = sampled != 0 ? (sampled + to_start + to_end) / sampled : 1;
    if (per_second) factor /= (double)(max_t - min_t) / 1000;
    s->sampled[i] = sampled;
    s->to_start[i] = to_start;
    s->to_end[i] = to_end;
    s->factor[i] = factor;
}

void steps_windows(
    Steps *s, const Grid *g, const WindowSpec *spec, const int64_t *t, size_t n, size_t least, bool per_second) {
    reserve(s, g->n);
    memset(s->present, 0, bitmap_words(g->n) * sizeof *s->present);
    s->total = s->fresh = s->widest = s->n_present = s->cuts.n = 0;
    size_t from = 0, to = 0, seen = 0, last = 0;
    s->first_present = 0;
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
        if (s->n_present++ == 0) s->first_present = i;
        last = i;
        if (least > 1) stretch(s, i, t[from], t[to - 1], width, min_t, max_t, per_second);
    }
    s->is_run = s->n_present && last - s->first_present + 1 == s->n_present;
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

/* Both ends of the windows move forward only. */
void steps_cut(Steps *s, size_t n) {
    Cuts *c = &s->cuts;
    if (c->n > 0 || n == 0) return;
    if (c->cap < n) {
        mem_free(c->at);
        c->cap = n;
        c->at = mem_alloc_array(4 * n + 1, sizeof *c->at);
        c->from = c->at + 2 * n + 1;
        c->to = c->from + n;
    }
    size_t a = 0, b = 0, k = 0; /* of the next window to begin, to end */
    while (b < n) {
        uint32_t at = a < n ? MIN(s->from[a], s->to[b]) : s->to[b];
        if (k == 0 || c->at[k - 1] != at) c->at[k++] = at;
        while (a < n && s->from[a] == at) c->from[a++] = (uint32_t)k - 1;
        while (b < n && s->to[b] == at) c->to[b++] = (uint32_t)k - 1;
    }
    c->n = k - 1;
}
