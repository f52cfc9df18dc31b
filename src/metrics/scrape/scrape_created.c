#include "metrics/scrape/scrape_created.h"

#include "base/hash.h"

#include <math.h>

#define SECONDS_MAX 1e12 /* far beyond any clock */

bool created_start(double seconds, int64_t *ret_start_ms) {
    if (!isfinite(seconds) || fabs(seconds) >= SECONDS_MAX) return false;
    *ret_start_ms = (int64_t)(seconds * 1000);
    return true;
}

void created_family(Created *c, Str family) { *c = (Created){.family = family}; }

/* The end of a label, its comma or the brace; commas between quotes are text. */
static size_t label_end(Str s) {
    bool quoted = false;
    size_t i = 0;
    for (; i < s.n && (quoted || (s.p[i] != ',' && s.p[i] != '}')); i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
    }
    return MIN(i, s.n);
}

/* Splits the text of a series into its name behind the family's, and a hash of its labels as written, but for the one
 * that tells buckets or quantiles apart. false: it is not of the family. */
static bool split(Str raw, Str family, MetricType type, Str *ret_suffix, uint64_t *ret_key) {
    Str but = type == METRIC_HISTOGRAM ? STR("le=") : type == METRIC_SUMMARY ? STR("quantile=") : STR_NULL;
    size_t brace = str_find_char(raw, '{');
    Str name = str_slice(raw, 0, MIN(brace, raw.n)), rest = brace == SIZE_MAX ? STR_NULL : str_skip(raw, brace + 1);
    uint64_t h = 1;
    while (rest.n) {
        size_t end = label_end(rest);
        Str label = str_trim(str_slice(rest, 0, end));
        rest = str_skip(rest, MIN(end + 1, rest.n));
        bool is_name = name.n == 0 && label.n > 1 && label.p[0] == '"'; /* {"a.b_total",c="d"} */
        if (is_name)
            name = str_slice(label, 1, label.n - 1);
        else if (label.n && !(but.n && str_starts_with(label, but)))
            h = hash_bytes(label.p, label.n, h);
    }
    name = str_trim(name);
    if (family.n == 0 || !str_starts_with(name, family)) return false;
    *ret_suffix = str_skip(name, family.n);
    *ret_key = h ? h : 1;
    return true;
}

static void tell(MetricsBatch *b, size_t first, int64_t start_ms) {
    size_t n = b->value.n;
    if (start_ms == 0 || first >= n) return;
    if (b->start_ms.n < n && !avec_reserve(b->arena, &b->start_ms, n - b->start_ms.n)) return;
    while (b->start_ms.n < n) b->start_ms.v[b->start_ms.n++] = 0;
    for (size_t i = first; i < n; i++) b->start_ms.v[i] = start_ms;
}

bool created_take(Created *c, const PromTextSample *s, MetricsBatch *b) {
    Str suffix;
    uint64_t key;
    if (s->type != METRIC_COUNTER && s->type != METRIC_HISTOGRAM && s->type != METRIC_SUMMARY) return false;
    if (!split(s->raw, c->family, s->type, &suffix, &key)) {
        c->key = 0;
        return false;
    }
    if (!str_eq_lit(suffix, "_created")) {
        if (key != c->key) c->first = b->value.n;
        c->key = key;
        return false;
    }
    int64_t start_ms;
    if (key == c->key && created_start(s->value, &start_ms)) tell(b, c->first, start_ms);
    c->key = 0;
    return true;
}
