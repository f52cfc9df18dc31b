/* twal_record.c - the records of the log: series, samples, histograms, exemplars, metadata, tombstones. */
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/twal.h"

#define LABELS_MAX 4096
#define BUCKETS_MAX 65536u

static ErrCode damaged(Err *reterr, uint8_t type) {
    return err_set(reterr, ERR_CORRUPT, "write-ahead log: a damaged record of type %d", type);
}

static int64_t plus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }

static bool get_labels(Cursor *c, Arena *arena, Labels *ret) {
    uint64_t n = cursor_uvarint(c);
    if (c->bad || n > LABELS_MAX || n > cursor_left(c)) return false;
    Label *v = ARENA_ARRAY(arena, Label, n);
    if (!v) return false;
    for (uint64_t i = 0; i < n; i++) {
        v[i].name = cursor_lenstr(c);
        v[i].value = cursor_lenstr(c);
        if (i > 0 && !c->bad && str_cmp(v[i - 1].name, v[i].name) >= 0) return false;
    }
    *ret = (Labels){v, n};
    return !c->bad;
}

static bool read_series(Cursor *c, Arena *arena, const WalHandler *h, bool *ret_stopped) {
    while (cursor_left(c) > 0) {
        uint64_t ref = cursor_u64be(c);
        Labels labels;
        if (!get_labels(c, arena, &labels)) return false;
        if (h->series && !h->series(h->ctx, ref, labels)) {
            *ret_stopped = true;
            return true;
        }
    }
    return true;
}

/* Reference and time of the next entry. Records of the first kind begin with a base for both; those with start times
 * have the first entry's in full, references relative to the entry before, and a marker for the start time: none, that
 * of the entry before, or a distance to that of the first. */
typedef struct Entries {
    bool with_start, first;
    uint64_t ref;
    int64_t t, start, first_start; /* start: of the entry read last, 0: not known */
} Entries;

static Entries entries_begin(Cursor *c, bool with_start) {
    Entries e = {.with_start = with_start, .first = true};
    if (!with_start && cursor_left(c) > 0) {
        e.ref = cursor_u64be(c);
        e.t = (int64_t)cursor_u64be(c);
    }
    return e;
}

static void entries_next(Cursor *c, Entries *e, uint64_t *ret_ref, int64_t *ret_t) {
    enum { NO_START, SAME_START };
    if (!e->with_start) {
        *ret_ref = e->ref + (uint64_t)cursor_svarint(c);
        *ret_t = plus(e->t, cursor_svarint(c));
        return;
    }
    if (e->first) {
        e->first = false;
        e->ref = (uint64_t)cursor_svarint(c);
        *ret_t = e->t = cursor_svarint(c);
        e->start = e->first_start = cursor_svarint(c);
    } else {
        e->ref += (uint64_t)cursor_svarint(c);
        *ret_t = plus(e->t, cursor_svarint(c));
        uint8_t marker = cursor_u8(c);
        if (marker > SAME_START) e->start = plus(e->first_start, cursor_svarint(c));
        if (marker == NO_START) e->start = 0;
    }
    *ret_ref = e->ref;
}

static bool read_samples(Cursor *c, bool with_start, const WalHandler *h, bool *ret_stopped) {
    Entries e = entries_begin(c, with_start);
    while (!c->bad && cursor_left(c) > 0) {
        uint64_t ref;
        int64_t t;
        entries_next(c, &e, &ref, &t);
        double v = cursor_f64be(c);
        if (c->bad) return false;
        if (h->sample && !h->sample(h->ctx, ref, t, e.start, v)) {
            *ret_stopped = true;
            return true;
        }
    }
    return !c->bad;
}

/* --- histograms --- */
static bool get_spans(Cursor *c, Arena *arena, const HistogramSpan **ret, uint32_t *ret_n, uint64_t *ret_buckets) {
    uint64_t n = cursor_uvarint(c);
    *ret_buckets = 0;
    if (c->bad || n > cursor_left(c) || n > BUCKETS_MAX) return false;
    HistogramSpan *v = ARENA_ARRAY(arena, HistogramSpan, n);
    if (!v) return false;
    for (uint64_t i = 0; i < n; i++) {
        v[i].offset = (int32_t)cursor_svarint(c);
        v[i].length = (uint32_t)cursor_uvarint(c);
        *ret_buckets += v[i].length;
        if (i > 0 && v[i].offset < 0) return false;
    }
    *ret = v;
    *ret_n = (uint32_t)n;
    return !c->bad;
}

static bool get_buckets(
    Cursor *c, Arena *arena, bool is_float, uint64_t expected, const double **ret, uint32_t *ret_n) {
    uint64_t n = cursor_uvarint(c);
    if (c->bad || n > cursor_left(c) || n > BUCKETS_MAX || n != expected) return false;
    double *v = ARENA_ARRAY(arena, double, n);
    if (!v) return false;
    int64_t sum = 0; /* integers are differences to the bucket before */
    for (uint64_t i = 0; i < n; i++) {
        if (!is_float) sum = plus(sum, cursor_svarint(c));
        v[i] = is_float ? cursor_f64be(c) : (double)sum;
    }
    *ret = v;
    *ret_n = (uint32_t)n;
    return !c->bad;
}

static bool get_bounds(Cursor *c, Arena *arena, Histogram *h) {
    uint64_t n = cursor_uvarint(c);
    if (c->bad || n > cursor_left(c) / 8) return false;
    double *v = ARENA_ARRAY(arena, double, n);
    if (!v) return false;
    for (uint64_t i = 0; i < n; i++) v[i] = cursor_f64be(c);
    h->custom_bounds = v;
    h->n_custom_bounds = (uint32_t)n;
    return !c->bad;
}

/* *ret_known: false for schemas of newer versions, which are left out. */
static bool get_histogram(Cursor *c, Arena *arena, bool is_float, Histogram *ret, bool *ret_known) {
    uint64_t n_pos, n_neg;
    *ret = (Histogram){.is_float = is_float};
    uint8_t hint = cursor_u8(c);
    int64_t schema = cursor_svarint(c);
    ret->reset = hint <= HISTOGRAM_RESET_GAUGE ? hint : HISTOGRAM_RESET_UNKNOWN;
    ret->zero_threshold = cursor_f64be(c);
    ret->zero_count = is_float ? cursor_f64be(c) : (double)cursor_uvarint(c);
    ret->count = is_float ? cursor_f64be(c) : (double)cursor_uvarint(c);
    ret->sum = cursor_f64be(c);
    *ret_known =
        schema == HISTOGRAM_SCHEMA_CUSTOM || (schema >= HISTOGRAM_SCHEMA_MIN && schema <= HISTOGRAM_SCHEMA_MAX);
    ret->schema = *ret_known ? (int8_t)schema : 0;
    return get_spans(c, arena, &ret->pos_spans, &ret->n_pos_spans, &n_pos) &&
           get_spans(c, arena, &ret->neg_spans, &ret->n_neg_spans, &n_neg) &&
           get_buckets(c, arena, is_float, n_pos, &ret->pos, &ret->n_pos) &&
           get_buckets(c, arena, is_float, n_neg, &ret->neg, &ret->n_neg) &&
           (schema != HISTOGRAM_SCHEMA_CUSTOM || get_bounds(c, arena, ret));
}

static bool read_histograms(
    Cursor *c, Arena *arena, bool is_float, bool with_start, const WalHandler *h, bool *ret_stopped) {
    Entries e = entries_begin(c, with_start);
    while (!c->bad && cursor_left(c) > 0) {
        uint64_t ref;
        int64_t t;
        Histogram x;
        bool known;
        entries_next(c, &e, &ref, &t);
        if (!get_histogram(c, arena, is_float, &x, &known)) return false;
        if (known && h->histogram && !h->histogram(h->ctx, ref, t, e.start, &x)) {
            *ret_stopped = true;
            return true;
        }
    }
    return !c->bad;
}

/* --- the rest --- */
static bool read_exemplars(Cursor *c, Arena *arena, const WalHandler *h, bool *ret_stopped) {
    Entries e = entries_begin(c, false);
    while (!c->bad && cursor_left(c) > 0) {
        uint64_t ref;
        Exemplar x;
        entries_next(c, &e, &ref, &x.t_ms);
        x.value = cursor_f64be(c);
        if (!get_labels(c, arena, &x.labels)) return false;
        if (h->exemplar && !h->exemplar(h->ctx, ref, &x)) {
            *ret_stopped = true;
            return true;
        }
    }
    return !c->bad;
}

static bool read_metadata(Cursor *c, const WalHandler *h, bool *ret_stopped) {
    while (!c->bad && cursor_left(c) > 0) {
        uint64_t ref = cursor_uvarint(c);
        uint8_t type = cursor_u8(c);
        uint64_t fields = cursor_uvarint(c);
        MetricMetadata m = {.type = type <= METRIC_STATESET ? (MetricType)type : METRIC_UNKNOWN};
        if (fields > cursor_left(c)) return false;
        for (uint64_t i = 0; i < fields; i++) {
            Str name = cursor_lenstr(c), value = cursor_lenstr(c);
            if (str_eq_lit(name, "UNIT")) m.unit = value;
            if (str_eq_lit(name, "HELP")) m.help = value;
        }
        if (c->bad) return false;
        if (h->metadata && !h->metadata(h->ctx, ref, &m)) {
            *ret_stopped = true;
            return true;
        }
    }
    return !c->bad;
}

static bool read_tombstones(Cursor *c, const WalHandler *h, bool *ret_stopped) {
    while (!c->bad && cursor_left(c) > 0) {
        Interval x = {.ref = cursor_u64be(c)};
        x.min_t = cursor_svarint(c);
        x.max_t = cursor_svarint(c);
        if (c->bad) return false;
        if (h->tombstone && !h->tombstone(h->ctx, &x)) {
            *ret_stopped = true;
            return true;
        }
    }
    return !c->bad;
}

ErrCode wal_record_decode(Str record, Arena *arena, const WalHandler *h, bool *ret_stopped, Err *reterr) {
    Cursor c = cursor_of(record);
    uint8_t type = cursor_u8(&c);
    bool ok = true;
    *ret_stopped = false;
    switch (type) {
    case WAL_SERIES: ok = read_series(&c, arena, h, ret_stopped); break;
    case WAL_SAMPLES: ok = !h->sample || read_samples(&c, false, h, ret_stopped); break;
    case WAL_SAMPLES_2: ok = !h->sample || read_samples(&c, true, h, ret_stopped); break;
    case WAL_TOMBSTONES: ok = read_tombstones(&c, h, ret_stopped); break;
    case WAL_EXEMPLARS: ok = !h->exemplar || read_exemplars(&c, arena, h, ret_stopped); break;
    case WAL_MMAP_MARKERS: break; /* where Prometheus keeps what it has written out: nothing of it is needed */
    case WAL_METADATA: ok = !h->metadata || read_metadata(&c, h, ret_stopped); break;
    case WAL_HISTOGRAMS:
    case WAL_CUSTOM_HISTOGRAMS: ok = !h->histogram || read_histograms(&c, arena, false, false, h, ret_stopped); break;
    case WAL_FLOAT_HISTOGRAMS:
    case WAL_CUSTOM_FLOAT_HISTOGRAMS:
        ok = !h->histogram || read_histograms(&c, arena, true, false, h, ret_stopped);
        break;
    case WAL_HISTOGRAMS_2: ok = !h->histogram || read_histograms(&c, arena, false, true, h, ret_stopped); break;
    case WAL_FLOAT_HISTOGRAMS_2: ok = !h->histogram || read_histograms(&c, arena, true, true, h, ret_stopped); break;
    default: return err_set(reterr, ERR_UNSUPPORTED, "write-ahead log: records of type %d are not known", type);
    }
    if (ok) return OK;
    return arena_exhausted(arena) ? err_set(reterr, ERR_TOO_LARGE, "write-ahead log: a record does not fit into memory")
                                  : damaged(reterr, type);
}
