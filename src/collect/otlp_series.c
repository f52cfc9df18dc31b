/* otlp_series.c - labels of data points, exemplars, and the one place that adds samples to the batch. */
#include "base/hash.h"
#include "base/num.h"
#include "collect/otlp_metrics_int.h"

#include <stdlib.h>
#include <string.h>

#define SERIES_SEED UINT64_C(0x6f746c7020736572) /* other senders hash their labels in other ways */

static bool attr_text(OtlpReader *r, const AttrValue *v, Str *ret) {
    if (v->type == ATTR_STR || v->type == ATTR_ARRAY || v->type == ATTR_MAP) {
        *ret = v->s;
        return true;
    }
    buf_clear(&r->scratch);
    attr_put_text(&r->scratch, v);
    *ret = arena_copy(r->arena, buf_str(&r->scratch));
    return ret->p ? true : otlp_full(r);
}

#define SHORT_LIST 32

static int by_key(const void *a, const void *b) { return str_cmp(((const Attr *)a)->key, ((const Attr *)b)->key); }

/* Few, and from most senders in the same order each time: insertion beats qsort. */
static void sort_attrs(Attr *v, size_t n) {
    if (n > SHORT_LIST) {
        qsort(v, n, sizeof *v, by_key);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        Attr x = v[i];
        size_t j = i;
        for (; j > 0 && str_cmp(v[j - 1].key, x.key) > 0; j--) v[j] = v[j - 1];
        v[j] = x;
    }
}

/* Attributes that become the same label have their values joined by ';' in the order of their keys. */
static bool join_value(OtlpReader *r, Label *l, Str more) {
    l->value = arena_printf(r->arena, "%" STR_FMT ";%" STR_FMT, STR_ARG(l->value), STR_ARG(more));
    return l->value.p ? true : otlp_full(r);
}

static size_t find_label(const Label *v, size_t n, Str name) {
    for (size_t i = 0; i < n; i++) {
        if (str_eq(v[i].name, name)) return i;
    }
    return n;
}

/* Whether a label may have the name that was made of key; else a problem in Prometheus' words. */
static bool name_fits(OtlpReader *r, Str key, Str name) {
    size_t i = 0;
    while (i < name.n && name.p[i] == '_') i++;
    if (LIKELY(i < name.n)) return true;
    if (key.n == 0)
        otlp_problem(r, "label name is empty");
    else if (r->names.naming.utf8)
        otlp_problem(r, "label name \"%" STR_FMT "\" contains only underscores", STR_ARG(key));
    else
        otlp_problem(r, "normalization for label name \"%" STR_FMT "\" resulted in invalid name \"%" STR_FMT "\"",
            STR_ARG(key), STR_ARG(name));
    return false;
}

static bool add_label(OtlpReader *r, Label *v, size_t *n, const Attr *a) {
    bool utf8 = r->names.naming.utf8;
    Str name = utf8 ? a->key : otlp_label_name_cached(&r->names, r->arena, a->key), value;
    if (!name.p && a->key.n) return otlp_full(r);
    if (!utf8 && !name_fits(r, a->key, name)) return true;
    if (!attr_text(r, &a->value, &value)) return false;
    size_t at = find_label(v, *n, name);
    if (at == *n && name.n)
        v[(*n)++] = (Label){name, value};
    else if (utf8) /* so Prometheus says of an empty one, too */
        otlp_problem(r, "label name \"%" STR_FMT "\" is not unique: invalid sample", STR_ARG(name));
    else if (v[at].value.n)
        return join_value(r, &v[at], value);
    else
        v[at].value = value;
    return true;
}

static void set_label(Label *v, size_t *n, Str name, Str value) {
    if (value.n == 0) return;
    size_t at = find_label(v, *n, name);
    if (at == *n) (*n)++;
    v[at] = (Label){name, value};
}

bool otlp_promote(MetricDecoder *d, const Attr *attrs, size_t n, Str prefix, Labels *ret) {
    Label *v = ARENA_ARRAY(d->r.arena, Label, n);
    size_t n_v = 0;
    if (!v) return otlp_full(&d->r);
    for (size_t i = 0; i < n; i++) {
        Str key = attrs[i].key, value;
        if (prefix.n) key = arena_printf(d->r.arena, "%" STR_FMT "%" STR_FMT, STR_ARG(prefix), STR_ARG(key));
        Str name = key.p ? otlp_label_name(d->r.arena, &d->r.names.naming, key) : key;
        if (!name.p && key.n) return otlp_full(&d->r);
        if (!name_fits(&d->r, key, name)) return true;
        if (!attr_text(&d->r, &attrs[i].value, &value)) return false;
        size_t at = find_label(v, n_v, name);
        v[at] = (Label){name, value};
        n_v += at == n_v;
    }
    if (labels_normalize(v, &n_v, NULL) != OK) return otlp_fail(&d->r, ERR_INTERNAL, "labels collide");
    *ret = (Labels){v, n_v};
    return true;
}

/* After the point's own attributes: what the resource and the scope give. */
static void add_outer_labels(MetricDecoder *d, OtlpPoint *p) {
    for (size_t i = 0; i < d->promoted.n; i++) {
        const Label *l = &d->promoted.v[i];
        size_t at = find_label(p->labels, p->n_labels, l->name);
        if (at == p->n_labels || p->labels[at].value.n == 0) set_label(p->labels, &p->n_labels, l->name, l->value);
    }
    set_label(p->labels, &p->n_labels, STR("job"), d->job);
    set_label(p->labels, &p->n_labels, STR("instance"), d->instance);
    for (size_t i = 0; i < d->scope.n; i++) set_label(p->labels, &p->n_labels, d->scope.v[i].name, d->scope.v[i].value);
}

/* Takes out a label __name__, which the metric's name replaces, and hashes the rest. */
static void place_labels(OtlpPoint *p) {
    size_t at = 0, own = find_label(p->labels, p->n_labels, LABEL_NAME_METRIC);
    if (own < p->n_labels) {
        p->n_labels--;
        memmove(p->labels + own, p->labels + own + 1, (p->n_labels - own) * sizeof *p->labels);
    }
    while (at < p->n_labels && str_cmp(p->labels[at].name, LABEL_NAME_METRIC) < 0) at++;
    p->name_at = at;
    uint64_t h = hash_process_seed() ^ SERIES_SEED;
    for (size_t i = 0; i < p->n_labels; i++) {
        h = hash_bytes(p->labels[i].name.p, p->labels[i].name.n, h);
        h = hash_bytes(p->labels[i].value.p, p->labels[i].value.n, h ^ p->labels[i].name.n);
    }
    p->hash = h;
}

bool otlp_point_labels(MetricDecoder *d, OtlpPoint *p, int64_t time_ns) {
    size_t n_attrs = d->wire.n - p->wire_first;
    if (n_attrs > OTLP_POINT_ATTRS_MAX || time_ns < 0) {
        d->r.problem =
            time_ns < 0 ? "a data point's time is beyond the year 2262" : "a data point has more than 256 attributes";
        d->wire.n = p->wire_first;
        return true;
    }
    Attr *attrs = d->wire.v + p->wire_first;
    sort_attrs(attrs, n_attrs);
    p->labels = ARENA_ARRAY(d->r.arena, Label, n_attrs + d->promoted.n + d->scope.n + 2);
    if (!p->labels) return otlp_full(&d->r);
    p->n_labels = 0;
    for (size_t i = 0; i < n_attrs; i++) {
        if (UNLIKELY(str_eq(attrs[i].key, LABEL_NAME_METRIC))) continue;
        if (!add_label(&d->r, p->labels, &p->n_labels, &attrs[i])) return false;
    }
    add_outer_labels(d, p);
    if (labels_normalize(p->labels, &p->n_labels, NULL) != OK) return otlp_fail(&d->r, ERR_INTERNAL, "labels collide");
    place_labels(p);
    p->t_ms = time_ns ? time_ns / 1000000 : d->now_ms;
    d->min_t_ms = d->resource_has_points ? MIN(d->min_t_ms, p->t_ms) : p->t_ms;
    d->max_t_ms = d->resource_has_points ? MAX(d->max_t_ms, p->t_ms) : p->t_ms;
    d->resource_has_points = true;
    d->wire.n = p->wire_first;
    return true;
}

/* Where the extra label goes; a label of the point with that name gives way. */
static void place_extra(OtlpPoint *p, Str name) {
    if (p->extra.p == name.p) return;
    size_t at = 0;
    while (at < p->n_labels && str_cmp(p->labels[at].name, name) < 0) at++;
    p->extra = name;
    p->extra_at = at;
    p->extra_replaces = at < p->n_labels && str_eq(p->labels[at].name, name);
}

static Str series_name(MetricDecoder *d, OtlpSuffix suffix) {
    static const Str suffixes[OTLP_SUFFIXES] = {
        STR_INIT(""), STR_INIT("_bucket"), STR_INIT("_sum"), STR_INIT("_count")};
    OtlpMetric *m = &d->metric;
    if (suffix == OTLP_AS_IS) return m->prom_name;
    if (!m->series_names[suffix].p)
        m->series_names[suffix] = arena_printf(d->r.arena, "%" STR_FMT "%s", STR_ARG(m->prom_name), suffixes[suffix].p);
    return m->series_names[suffix];
}

bool otlp_series_labels(
    MetricDecoder *d, OtlpPoint *p, OtlpSuffix suffix, Label extra, Labels *ret, uint64_t *ret_raw_hash) {
    Label *v = ARENA_ARRAY(d->r.arena, Label, p->n_labels + 2);
    Str name = series_name(d, suffix);
    bool has_extra = extra.name.n > 0;
    if (!v || !name.p) return otlp_full(&d->r);
    if (has_extra) place_extra(p, extra.name);
    size_t n = 0;
    for (size_t i = 0; i <= p->n_labels; i++) { /* "__name__" sorts before "le" and "quantile" */
        if (i == p->name_at) v[n++] = (Label){LABEL_NAME_METRIC, name};
        bool here = has_extra && i == p->extra_at;
        if (here) v[n++] = extra;
        if (i < p->n_labels && !(here && p->extra_replaces)) v[n++] = p->labels[i];
    }
    *ret = (Labels){v, n};
    uint64_t h = hash_bytes(name.p, name.n, p->hash);
    if (has_extra) h = hash_bytes(extra.value.p, extra.value.n, h ^ extra.name.n);
    *ret_raw_hash = h ? h : 1;
    return true;
}

bool otlp_emit(MetricDecoder *d, OtlpPoint *p, OtlpSuffix suffix, Label extra, double value, uint32_t first_exemplar,
    uint32_t n_exemplars) {
    Labels labels;
    uint64_t raw_hash;
    int64_t start_ms = p->start_ms;
    if (!otlp_series_labels(d, p, suffix, extra, &labels, &raw_hash)) return false;
    if (p->no_value) {
        value = stale_nan();
    } else if (d->metric.is_delta &&
               !otlp_deltas_add(d->deltas, labels_hash(labels), p->t_ms, value, &value, &start_ms)) {
        d->r.problem = "a delta point is older than the one before it";
        return true;
    }
    if (!metrics_batch_add(d->batch, labels, p->t_ms, value) || !metrics_batch_set_start(d->batch, start_ms))
        return otlp_full(&d->r);
    BatchSeries *s = vec_last(&d->batch->series);
    s->raw_hash = raw_hash;
    s->first_exemplar = first_exemplar;
    s->n_exemplars = n_exemplars;
    return true;
}

bool otlp_emit_histogram(MetricDecoder *d, OtlpPoint *p, const Histogram *h) {
    Labels labels;
    uint64_t raw_hash;
    Err err = {0};
    if (!p->no_value && histogram_check(h, &err) != OK) {
        otlp_problem(&d->r, "%s", err.msg);
        return true;
    }
    if (!otlp_series_labels(d, p, OTLP_AS_IS, (Label){0}, &labels, &raw_hash)) return false;
    BatchSeries s = {.labels = labels,
        .raw_hash = raw_hash,
        .first_histogram = (uint32_t)d->batch->histograms.n,
        .n_histograms = 1,
        .first_exemplar = p->first_exemplar,
        .n_exemplars = (uint32_t)d->batch->exemplars.n - p->first_exemplar};
    bool ok = avec_push(d->r.arena, &d->batch->histogram_t_ms, p->t_ms) &&
              avec_push(d->r.arena, &d->batch->histograms, *h) && avec_push(d->r.arena, &d->batch->series, s) &&
              metrics_batch_set_histogram_start(d->batch, p->start_ms);
    return ok ? true : otlp_full(&d->r);
}

static bool is_zero(Str id) {
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i]) return false;
    return true;
}

static bool put_id(MetricDecoder *d, Label *v, size_t *n, Str name, Str id, size_t size, size_t *runes) {
    if (id.n != size || is_zero(id)) return true;
    Buf hex = {0};
    num_put_hex(&hex, id.p, id.n);
    Str text = arena_copy(d->r.arena, buf_str(&hex));
    buf_done(&hex);
    if (!text.p) return otlp_full(&d->r);
    v[(*n)++] = (Label){name, text};
    *runes += name.n + text.n;
    return true;
}

/* Attributes from `first` on, as they are named; those the ids stand for are not told twice. */
static bool put_exemplar_attrs(MetricDecoder *d, Label *v, size_t *n, size_t first, size_t runes) {
    size_t n_ids = *n, n_all = n_ids;
    for (size_t i = first; i < d->wire.n; i++) {
        const Attr *a = &d->wire.v[i];
        Label l = {.name = a->key};
        if (a->key.n == 0 || find_label(v, n_ids, a->key) < n_ids) continue; /* no label goes without a name */
        if (!attr_text(&d->r, &a->value, &l.value)) return false;
        runes += str_rune_count(l.name) + str_rune_count(l.value);
        v[n_all++] = l;
    }
    if (runes <= EXEMPLAR_LENGTH_MAX) *n = n_all; /* else the attributes are left out */
    return true;
}

/* Exemplar{time_unix_nano = 2, as_double = 3, span_id = 4, trace_id = 5, as_int = 6, filtered_attributes = 7} */
bool otlp_exemplar(MetricDecoder *d, Str message) {
    ProtoReader p = proto_reader(message);
    ProtoField f;
    Exemplar e = {0};
    Str trace_id = STR_NULL, span_id = STR_NULL;
    bool has_value = false;
    size_t first = d->wire.n;
    while (proto_next(&p, &f)) {
        switch (f.number) {
        case 2: e.t_ms = proto_i64(&f) / 1000000; break;
        case 3: e.value = proto_f64(&f), has_value = true; break;
        case 4: span_id = f.bytes; break;
        case 5: trace_id = f.bytes; break;
        case 6: e.value = (double)proto_i64(&f), has_value = true; break;
        case 7:
            if (!otlp_key_value(&d->r, f.bytes, first)) return false;
            break;
        default: break;
        }
    }
    if (!otlp_end(&d->r, &p)) return false;
    if (!has_value) otlp_problem(&d->r, "unsupported exemplar value type: Empty");
    size_t n = 0, runes = 0, n_attrs = d->wire.n - first;
    if (n_attrs > OTLP_POINT_ATTRS_MAX) n_attrs = 0;
    Label *v = ARENA_ARRAY(d->r.arena, Label, n_attrs + 2);
    if (!v) return otlp_full(&d->r);
    bool ok = put_id(d, v, &n, STR("trace_id"), trace_id, 16, &runes) &&
              put_id(d, v, &n, STR("span_id"), span_id, 8, &runes) &&
              (n_attrs == 0 || put_exemplar_attrs(d, v, &n, first, runes));
    d->wire.n = first;
    if (!ok) return false;
    if (labels_normalize(v, &n, NULL) != OK) return true;
    e.labels = (Labels){v, n};
    return avec_push(d->r.arena, &d->batch->exemplars, e) ? true : otlp_full(&d->r);
}
