/* promtool_analyze.c - promtool query analyze: how many buckets of histograms are in use. */
#include "base/map.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "base/vec.h"
#include "cmd/promtool_int.h"
#include "cmd/query_int.h"
#include "sys/clock.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* Buckets of one histogram that are not empty, over its samples; total: all that ever were. */
typedef struct Stats {
    int64_t min, max, total;
    double avg;
} Stats;

/* One of these numbers over all histograms. */
typedef struct Spread {
    int64_t min, max, n;
    double avg;
} Spread;
typedef struct Summary {
    Spread min, avg, max, total;
} Summary;

/* A bucket's series of a classic histogram. */
typedef struct Bucket {
    double le;
    const JsonValue *values;
    size_t at; /* in the answer: equal bounds stay in its order */
} Bucket;
typedef struct Classic {
    Str name;
    AVEC(Bucket) buckets;
} Classic;

typedef struct Analysis {
    PtClient *client;
    Buf *out;
    Summary native, classic;
} Analysis;

/* --- numbers --- */

static void spread_add(Spread *s, int64_t v) {
    if (s->n == 0 || v < s->min) s->min = v;
    if (v > s->max) s->max = v;
    s->n++;
    s->avg += (double)v / (double)s->n - s->avg / (double)s->n;
}

static void summary_add(Summary *m, const Stats *s) {
    spread_add(&m->min, s->min);
    spread_add(&m->avg, (int64_t)s->avg);
    spread_add(&m->max, s->max);
    spread_add(&m->total, s->total);
}

static void put_spread(Buf *out, const char *name, const Spread *s) {
    buf_printf(out, "\n- %s: %lld/%.3f/%lld", name, (long long)s->min, s->avg, (long long)s->max);
}

static void put_summary(Buf *out, const char *kind, const Summary *m) {
    if (m->min.n == 0) return;
    buf_printf(out, "\n%s histogram series (%lld in total):", kind, (long long)m->min.n);
    put_spread(out, "min populated", &m->min);
    put_spread(out, "avg populated", &m->avg);
    put_spread(out, "max populated", &m->max);
    bool same = m->max.min == m->total.min && m->max.max == m->total.max && m->max.avg == m->total.avg;
    if (!same) put_spread(out, "total", &m->total);
    buf_put_char(out, '\n');
}

static void put_stats(Buf *out, const Stats *s) {
    buf_printf(out, "%lld/%.3f/%lld", (long long)s->min, s->avg, (long long)s->max);
    if (s->max != s->total) buf_printf(out, "/%lld", (long long)s->total);
    buf_put_char(out, '\n');
}

static void stats_add(Stats *s, int64_t populated) {
    s->min = MIN(s->min, populated);
    s->max = MAX(s->max, populated);
    s->avg += (double)populated; /* a sum until stats_end */
}

static void stats_end(Stats *s, size_t samples) { s->avg /= (double)samples; }

static double number(Str text) {
    double v;
    return num_parse_f64(text, &v) ? v : 0;
}

/* --- native histograms: an answer names the buckets that are not empty --- */

static void analyze_native(Analysis *a, const JsonValue *series) {
    const JsonValue *list = json_get(series, STR("histograms"));
    Stats s = {.min = INT64_MAX};
    if (!list || list->n < 2) return;
    Map *bounds = map_create(MAP_COPY_KEYS);
    Buf key = {0};
    for (const JsonValue *p = list->first; p; p = p->next) {
        const JsonValue *h = p->first ? p->first->next : NULL, *buckets = json_get(h, STR("buckets"));
        for (const JsonValue *b = buckets ? buckets->first : NULL; b; b = b->next) {
            const JsonValue *part = b->first;
            buf_clear(&key);
            for (int i = 0; i < 3 && part; i++, part = part->next) buf_put_lenstr(&key, part->text);
            (void)map_put(bounds, buf_str(&key), NULL);
        }
        stats_add(&s, buckets ? (int64_t)buckets->n : 0);
    }
    s.total = (int64_t)map_count(bounds);
    stats_end(&s, list->n);
    buf_put_lit(a->out, "- ");
    query_put_metric(a->out, json_get(series, STR("metric")), true);
    buf_put_lit(a->out, " (native): ");
    put_stats(a->out, &s);
    summary_add(&a->native, &s);
    buf_done(&key);
    map_free(bounds);
}

/* --- classic histograms --- */

/* The labels without le, in the arena; STR_NULL: no bucket's series. */
static Str classic_name(Arena *arena, const JsonValue *metric) {
    Buf b = {0};
    Str name = json_get_str(metric, STR("__name__"));
    if (!json_get(metric, STR("le")) || !str_ends_with(name, STR("_bucket"))) return STR_NULL;
    size_t n = 0;
    buf_put_str(&b, name);
    buf_put_char(&b, '{');
    for (const JsonValue *l = metric->first; l; l = l->next) {
        if (str_eq_lit(l->key, "__name__") || str_eq_lit(l->key, "le")) continue;
        buf_printf(&b, "%s%" STR_FMT "=", n++ ? ", " : "", STR_ARG(l->key));
        json_put_string(&b, l->text);
    }
    buf_put_char(&b, '}');
    Str copy = arena_copy(arena, buf_str(&b));
    buf_done(&b);
    return copy;
}

static int by_bound(const void *x, const void *y) {
    const Bucket *a = x, *b = y;
    if (a->le != b->le) return a->le < b->le ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* How many buckets rose over the one below at the moment that every cursor stands at; false: times differ. Buckets
 * whose series have ended count as empty, with all above them. */
static bool count_populated(const Classic *c, const JsonValue **at, int64_t *ret) {
    double below = 0;
    Str t = STR_NULL;
    *ret = 0;
    for (size_t i = 0; i < c->buckets.n && at[i]; i++) {
        const JsonValue *time = at[i]->first, *value = time ? time->next : NULL;
        if (!value) return false;
        if (i && !str_eq(time->text, t)) return false;
        double v = number(value->text);
        if ((int64_t)(v - below) != 0) (*ret)++;
        below = v;
        t = time->text;
    }
    return true;
}

static bool analyze_classic(Analysis *a, Classic *c) {
    Stats s = {.min = INT64_MAX, .total = (int64_t)c->buckets.n};
    if (c->buckets.n > 1) qsort(c->buckets.v, c->buckets.n, sizeof *c->buckets.v, by_bound);
    const JsonValue **at = ARENA_ARRAY(a->client->answers, const JsonValue *, c->buckets.n);
    ASSERT(at);
    for (size_t i = 0; i < c->buckets.n; i++) at[i] = c->buckets.v[i].values->first;
    for (size_t k = 0; k < c->buckets.v[0].values->n; k++) {
        int64_t populated;
        if (!count_populated(c, at, &populated)) return false;
        stats_add(&s, populated);
        for (size_t i = 0; i < c->buckets.n; i++) at[i] = at[i] ? at[i]->next : NULL;
    }
    stats_end(&s, c->buckets.v[0].values->n);
    buf_printf(a->out, "- %" STR_FMT " (classic): ", STR_ARG(c->name));
    put_stats(a->out, &s);
    summary_add(&a->classic, &s);
    return true;
}

typedef AVEC(Classic *) Classics;

static void collect_bucket(Analysis *a, Map *index, Classics *all, const JsonValue *series) {
    Arena *arena = a->client->answers;
    const JsonValue *metric = json_get(series, STR("metric"));
    Str name = classic_name(arena, metric);
    if (!name.p) return;
    Classic *c = map_get_ptr(index, name);
    if (!c) {
        c = ARENA_NEW(arena, Classic);
        ASSERT(c);
        c->name = name;
        map_set_ptr(index, name, c);
        if (!avec_push(arena, all, c)) return;
    }
    Bucket b = {number(json_get_str(metric, STR("le"))), json_get(series, STR("values")), c->buckets.n};
    (void)avec_push(arena, &c->buckets, b);
}

/* Not enough data: fewer than two samples in the series that came first. */
static bool analyze_matrix(Analysis *a, const JsonValue *result) {
    Map *index = map_create(MAP_COPY_KEYS);
    Classics all = {0};
    bool ok = true;
    for (const JsonValue *s = result ? result->first : NULL; s; s = s->next) {
        const JsonValue *values = json_get(s, STR("values"));
        if (values && values->n)
            collect_bucket(a, index, &all, s);
        else
            analyze_native(a, s);
    }
    for (size_t i = 0; i < all.n && ok; i++)
        if (all.v[i]->buckets.v[0].values->n >= 2) ok = analyze_classic(a, all.v[i]);
    map_free(index);
    return ok;
}

/* --- the command --- */

static bool analyze_match(Analysis *a, const PtLine *l, const char *match, int64_t end_ns) {
    Buf query = {0}, selector = {0}, error = {0};
    const char *headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    buf_printf(&selector, "%s[", match);
    duration_put_go(&selector, pt_duration_ns(l, "duration"));
    buf_put_char(&selector, ']');
    query_put_param(&query, "query", buf_str(&selector));
    pt_put_time(&query, "time", end_ns);
    const JsonValue *data = pt_api(a->client, "POST", "/api/v1/query", buf_str(&query), headers, NULL, &error);
    bool matrix = str_eq_lit(json_get_str(data, STR("resultType")), "matrix"), ok = false;
    if (!data)
        fprintf(stderr, "%s\n", buf_cstr(&error));
    else if (!matrix)
        fputs("query of buckets resulted in non-Matrix\n", stderr);
    else if (!(ok = analyze_matrix(a, json_get(data, STR("result")))))
        fputs("matrix result is not time aligned\n", stderr);
    buf_done(&query);
    buf_done(&selector);
    buf_done(&error);
    return ok;
}

static int analyze(PtClient *c, const PtLine *l, int64_t end_ns) {
    Buf out = {0};
    Analysis a = {.client = c, .out = &out};
    const char *match;
    bool ok = true;
    buf_put_lit(&out, "Bucket stats for each histogram series over time\n"
                      "------------------------------------------------\n"
                      "First the min, avg, and max number of populated buckets, followed by the total\n"
                      "number of buckets (only if different from the max number of populated buckets\n"
                      "which is typical for classic but not native histograms).\n\n");
    for (size_t i = 0; ok && (match = pt_item(l, "match", i)) != NULL; i++) ok = analyze_match(&a, l, match, end_ns);
    if (ok) {
        buf_put_lit(&out, "\nAggregated bucket stats\n-----------------------\n"
                          "Each line shows min/avg/max over the series above.\n");
        put_summary(&out, "Native", &a.native);
        put_summary(&out, "Classic", &a.classic);
    }
    fwrite(out.p, 1, out.n, stdout);
    buf_done(&out);
    return ok && fflush(stdout) == 0 ? 0 : 1;
}

int promtool_query_analyze(const PtLine *l) {
    PtClient c;
    int64_t end_ns = clock_now_ns();
    const char *time = pt_text(l, "time"), *type = pt_text(l, "type");
    if (strcmp(type, "histogram") != 0) return fprintf(stderr, "analyze type is %s, must be 'histogram'\n", type), 1;
    if (time && *time && !pt_time(time, &end_ns))
        return fprintf(stderr, "error parsing time '%s': cannot parse \"%s\" to a valid timestamp\n", time, time), 1;
    int code = pt_client_open(&c, pt_text(l, "server"), pt_text(l, "http.config.file"));
    if (code == 0) code = analyze(&c, l, end_ns);
    pt_client_close(&c);
    return code;
}
