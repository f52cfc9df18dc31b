#include "logs/merge_pick.h"

#include "base/base.h"

#define DAY_NS INT64_C(86400000000000)
/* All inputs together over the largest one: n parts of one size give n. Every row is then written again at most once
 * for each time the parts grow by this factor. */
#define GAIN_MIN 8.0
#define GAIN_MIN_COLD 3.0
/* Below this size parts count as equal: what they cost is opening them, not rewriting them. */
#define SIZE_FLOOR ((double)(1 << 20))
#define SIZE_LARGE ((uint64_t)8 << 20)

static int64_t day_of(int64_t t) { return t >= 0 ? t / DAY_NS : -((-(t + 1)) / DAY_NS) - 1; }

static bool is_skipped(uint64_t id, const uint64_t *skip, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (skip[i] == id) return true;
    return false;
}

/* Parts of the day that begins with parts[first]. */
static size_t day_count(const PartRef *parts, size_t n, size_t first) {
    size_t end = first + 1;
    while (end < n && day_of(parts[end].info.min_t) == day_of(parts[first].info.min_t)) end++;
    return end - first;
}

size_t log_merge_pick(const PartRef *parts, size_t n, int64_t cold_before_ns, uint64_t size_bytes_max,
    const uint64_t *skip, size_t n_skip, size_t *ret_first) {
    double best = 0;
    size_t best_n = 0;
    bool crowded = false;
    for (size_t i = 0; i < n; i++) {
        int64_t day = day_of(parts[i].info.min_t);
        if (i == 0 || day_of(parts[i - 1].info.min_t) != day) crowded = day_count(parts, n, i) > LOG_DAY_PARTS_MAX;
        double gain_min = day < day_of(cold_before_ns) ? GAIN_MIN_COLD : GAIN_MIN;
        double sum = 0, largest = 0;
        uint64_t bytes = 0;
        for (size_t k = 1; k <= LOG_MERGE_PARTS_MAX && i + k <= n; k++) {
            const PartInfo *p = &parts[i + k - 1].info;
            if (day_of(p->min_t) != day || is_skipped(p->id, skip, n_skip)) break;
            if (p->size_bytes >= SIZE_LARGE && !crowded) break;
            bytes += p->size_bytes;
            if (bytes > size_bytes_max) break;
            double size = MAX((double)p->size_bytes, SIZE_FLOOR);
            sum += size;
            largest = MAX(largest, size);
            if (k < 2 || sum / largest < gain_min || sum / largest <= best) continue;
            best = sum / largest;
            best_n = k;
            *ret_first = i;
        }
    }
    return best_n;
}
