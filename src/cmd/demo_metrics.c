/* demo_metrics.c - keeps the fleet's series and writes them as OTLP. Field numbers: opentelemetry-proto, metrics.proto.
 */
#include "cmd/demo_metrics.h"

#include "base/map.h"
#include "cmd/demo_int.h"
#include "codec/proto.h"

#include <math.h>

#define TEMPORALITY_CUMULATIVE 2
/* Exponential buckets of scale 3 (base 2^(1/8)) from about 60 us to 4,000 s; values beyond count in the outermost. */
#define EXP_SCALE 3
#define EXP_OFFSET (-112)
#define EXP_BUCKETS 208

typedef struct Series {
    uint32_t instance;
    DemoMetricId id;
    Str attrs; /* encoded KeyValue fields of the data point */
    double value, sum;
    uint64_t count;
    uint64_t *buckets;
    DemoExemplar exemplar;
    bool has_exemplar;
} Series;

typedef VEC(Series *) SeriesVec;

struct DemoMetrics {
    Arena *arena;
    Map *by_key;
    int64_t start_ns;
    SeriesVec of[DEMO_INSTANCES_MAX][M_COUNT]; /* in order of creation */
    Buf key;
};

DemoMetrics *demo_metrics_create(int64_t start_ns) {
    DemoMetrics *m = NEW(DemoMetrics);
    m->arena = arena_create(ARENA_UNLIMITED);
    m->by_key = map_create(MAP_COPY_KEYS);
    m->start_ns = start_ns;
    return m;
}

DemoMetrics *demo_metrics_free(DemoMetrics *m) {
    if (!m) return NULL;
    for (size_t i = 0; i < DEMO_INSTANCES_MAX; i++) {
        for (size_t j = 0; j < M_COUNT; j++) vec_done(&m->of[i][j]);
    }
    map_free(m->by_key);
    buf_done(&m->key);
    arena_free(m->arena);
    mem_free(m);
    return NULL;
}

/* Data points keep their attributes in another field for every kind. */
static uint32_t attrs_field(DemoMetricKind kind) {
    return kind == DEMO_HISTOGRAM ? 9 : kind == DEMO_EXPONENTIAL ? 1 : 7;
}

static size_t bucket_count(const DemoMetricDef *def) {
    return def->kind == DEMO_HISTOGRAM ? def->n_bounds + 1 : def->kind == DEMO_EXPONENTIAL ? EXP_BUCKETS : 0;
}

static Series *find_series(DemoMetrics *m, uint32_t instance, DemoMetricId id, const DemoLabel *labels, size_t n) {
    const DemoMetricDef *def = &demo_metric_defs[id];
    ASSERT(instance < DEMO_INSTANCES_MAX && id < M_COUNT && def->name);
    buf_clear(&m->key);
    buf_put_char(&m->key, (char)instance);
    buf_put_char(&m->key, (char)id);
    for (size_t i = 0; i < n; i++) {
        demo_put_str_attr(&m->key, attrs_field(def->kind), str_cstr(labels[i].key), labels[i].value);
    }
    bool inserted;
    uint64_t *slot = map_put(m->by_key, buf_str(&m->key), &inserted);
    if (!inserted) return (void *)(uintptr_t)*slot;
    Series *s = ARENA_NEW(m->arena, Series);
    ASSERT(s);
    s->instance = instance;
    s->id = id;
    s->attrs = arena_copy(m->arena, str_skip(buf_str(&m->key), 2));
    size_t n_buckets = bucket_count(def);
    if (n_buckets > 0) {
        s->buckets = arena_alloc_zero(m->arena, n_buckets * sizeof *s->buckets);
        ASSERT(s->buckets);
    }
    *slot = (uint64_t)(uintptr_t)s;
    vec_push(&m->of[instance][id], s);
    return s;
}

static size_t explicit_bucket(const DemoMetricDef *def, double v) {
    size_t i = 0;
    while (i < def->n_bounds && v > def->bounds[i]) i++;
    return i;
}

/* Bucket i holds (base^i, base^(i+1)]. */
static size_t exponential_bucket(double v) {
    if (v <= 0) return 0;
    double i = ceil(log2(v) * (1 << EXP_SCALE)) - 1 - EXP_OFFSET;
    return i < 0 ? 0 : i >= EXP_BUCKETS ? EXP_BUCKETS - 1 : (size_t)i;
}

void demo_metrics_record(DemoMetrics *m, uint32_t instance, DemoMetricId id, double value, const DemoLabel *labels,
    size_t n, const DemoExemplar *exemplar) {
    const DemoMetricDef *def = &demo_metric_defs[id];
    Series *s = find_series(m, instance, id, labels, n);
    ASSERT(isfinite(value) && (def->kind == DEMO_GAUGE || value >= 0));
    if (def->kind == DEMO_COUNTER) s->value += value;
    if (def->kind == DEMO_GAUGE) s->value = value;
    if (!s->buckets) return;
    s->buckets[def->kind == DEMO_HISTOGRAM ? explicit_bucket(def, value) : exponential_bucket(value)]++;
    s->count++;
    s->sum += value;
    if (exemplar) {
        s->exemplar = *exemplar;
        s->exemplar.value = value;
        s->has_exemplar = true;
    }
}

/* Exemplar{time = 2, as_double = 3, span_id = 4, trace_id = 5} */
static void put_exemplar(Buf *out, uint32_t field, Series *s) {
    if (!s->has_exemplar) return;
    size_t mark = proto_begin(out, field);
    proto_put_fixed64(out, 2, (uint64_t)s->exemplar.t_ns);
    proto_put_f64(out, 3, s->exemplar.value);
    proto_put_bytes(out, 4, str_of((const char *)s->exemplar.ids.span, 8));
    proto_put_bytes(out, 5, str_of((const char *)s->exemplar.ids.trace, 16));
    proto_end(out, mark);
    s->has_exemplar = false;
}

static void put_times(Buf *out, int64_t start_ns, int64_t t_ns) {
    proto_put_fixed64(out, 2, (uint64_t)start_ns);
    proto_put_fixed64(out, 3, (uint64_t)t_ns);
}

static void put_histogram(Buf *out, const DemoMetricDef *def, Series *s) {
    proto_put_fixed64(out, 4, s->count);
    proto_put_f64(out, 5, s->sum);
    size_t mark = proto_begin(out, 6);
    for (size_t i = 0; i <= def->n_bounds; i++) buf_put_u64le(out, s->buckets[i]);
    proto_end(out, mark);
    mark = proto_begin(out, 7);
    buf_put(out, def->bounds, def->n_bounds * sizeof *def->bounds);
    proto_end(out, mark);
    put_exemplar(out, 8, s);
}

/* positive{offset = 1, bucket_counts = 2}, without the empty buckets at both ends. */
static void put_exponential(Buf *out, Series *s) {
    size_t from = 0, to = EXP_BUCKETS;
    while (from < to && s->buckets[from] == 0) from++;
    while (to > from && s->buckets[to - 1] == 0) to--;
    proto_put_fixed64(out, 4, s->count);
    proto_put_f64(out, 5, s->sum);
    proto_put_sint(out, 6, EXP_SCALE);
    proto_put_fixed64(out, 7, 0);
    size_t mark = proto_begin(out, 8);
    proto_put_sint(out, 1, (int64_t)from + EXP_OFFSET);
    size_t counts = proto_begin(out, 2);
    for (size_t i = from; i < to; i++) buf_put_uvarint(out, s->buckets[i]);
    proto_end(out, counts);
    proto_end(out, mark);
    put_exemplar(out, 11, s);
}

static void put_point(Buf *out, const DemoMetrics *m, Series *s, int64_t t_ns) {
    const DemoMetricDef *def = &demo_metric_defs[s->id];
    size_t mark = proto_begin(out, 1);
    buf_put_str(out, s->attrs);
    put_times(out, m->start_ns, t_ns);
    if (def->kind == DEMO_HISTOGRAM)
        put_histogram(out, def, s);
    else if (def->kind == DEMO_EXPONENTIAL)
        put_exponential(out, s);
    else
        proto_put_f64(out, 4, s->value);
    proto_end(out, mark);
}

/* Metric{name = 1, description = 2, unit = 3, gauge = 5, sum = 7, histogram = 9, exponential_histogram = 10} */
static void put_metric(Buf *out, const DemoMetrics *m, DemoMetricId id, const SeriesVec *series, int64_t t_ns) {
    static const uint32_t fields[] = {
        [DEMO_COUNTER] = 7, [DEMO_GAUGE] = 5, [DEMO_HISTOGRAM] = 9, [DEMO_EXPONENTIAL] = 10};
    const DemoMetricDef *def = &demo_metric_defs[id];
    size_t mark = proto_begin(out, 2);
    proto_put_bytes(out, 1, str_cstr(def->name));
    proto_put_bytes(out, 2, str_cstr(def->description));
    if (def->unit[0]) proto_put_bytes(out, 3, str_cstr(def->unit));
    size_t data = proto_begin(out, fields[def->kind]);
    vec_foreach(Series *, s, series) put_point(out, m, *s, t_ns);
    if (def->kind != DEMO_GAUGE) proto_put_varint(out, 2, TEMPORALITY_CUMULATIVE);
    if (def->kind == DEMO_COUNTER) proto_put_varint(out, 3, 1);
    proto_end(out, data);
    proto_end(out, mark);
}

size_t demo_metrics_encode(DemoMetrics *m, uint32_t instance, Str resource, int64_t t_ns, bool only_up, Buf *out) {
    size_t points = 0, last = only_up ? (size_t)M_UP + 1 : M_COUNT;
    for (size_t id = 0; id < last; id++) points += m->of[instance][id].n;
    if (points == 0) return 0;
    size_t mark = proto_begin(out, 1);
    proto_put_bytes(out, 1, resource);
    size_t scope = proto_begin(out, 2);
    for (size_t id = 0; id < last; id++) {
        if (m->of[instance][id].n > 0) put_metric(out, m, (DemoMetricId)id, &m->of[instance][id], t_ns);
    }
    proto_end(out, scope);
    proto_end(out, mark);
    return points;
}
