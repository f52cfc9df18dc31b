#include "logs/logpart.h"

AttrValue attr_of_wide(const WideValue *v) {
    switch (v->type) {
    case WIDE_STR: return (AttrValue){.type = ATTR_STR, .s = v->s};
    case WIDE_BOOL: return (AttrValue){.type = ATTR_BOOL, .b = v->b};
    case WIDE_I64: return (AttrValue){.type = ATTR_I64, .i = v->i};
    case WIDE_F64: return (AttrValue){.type = ATTR_F64, .d = v->d};
    case WIDE_BYTES: return (AttrValue){.type = ATTR_BYTES, .s = v->s};
    case WIDE_JSON_ARRAY: return (AttrValue){.type = ATTR_ARRAY, .s = v->s};
    case WIDE_JSON_MAP: return (AttrValue){.type = ATTR_MAP, .s = v->s};
    case WIDE_NULL: break;
    }
    return (AttrValue){.type = ATTR_EMPTY};
}

static bool read_streams(LogPart *p, Cursor *c) {
    if (cursor_u8(c) != 2) return false;
    uint64_t n = cursor_uvarint(c);
    if (c->bad || n > cursor_left(c) / 4) return false;
    LogPartStream *v = arena_alloc_zero(p->arena, n * sizeof *v);
    if (!v) return false;
    for (uint64_t i = 0; i < n; i++) {
        v[i].rows = cursor_uvarint(c);
        v[i].bytes = cursor_uvarint(c);
        v[i].min_t = cursor_svarint(c);
        v[i].max_t = (int64_t)((uint64_t)v[i].min_t + cursor_uvarint(c));
        if (v[i].rows == 0) {
            v[i].min_t = INT64_MAX;
            v[i].max_t = INT64_MIN;
        }
    }
    p->streams = v;
    p->n_streams = n;
    return !c->bad;
}

static bool read_value(LogPart *p, Cursor *c, LogPartValue *v, uint32_t *label_count) {
    v->value = cursor_lenstr(c);
    uint64_t n = cursor_uvarint(c);
    if (c->bad || n > p->n_streams || n > cursor_left(c)) return false;
    uint32_t *groups = ARENA_ARRAY(p->arena, uint32_t, n);
    if (!groups) return false;
    uint64_t g = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t step = cursor_uvarint(c);
        g += step;
        if (c->bad || step > p->n_streams || g >= p->n_streams || (i > 0 && step == 0)) return false;
        groups[i] = (uint32_t)g;
        label_count[g]++;
    }
    v->groups = groups;
    v->n = (uint32_t)n;
    return true;
}

static bool read_names(LogPart *p, Cursor *c, uint32_t *label_count) {
    uint64_t n = cursor_uvarint(c);
    if (c->bad || n > cursor_left(c)) return false;
    LogPartName *names = arena_alloc_zero(p->arena, n * sizeof *names);
    if (!names) return false;
    for (uint64_t i = 0; i < n; i++) {
        names[i].name = cursor_lenstr(c);
        uint64_t n_values = cursor_uvarint(c);
        if (c->bad || n_values > cursor_left(c)) return false;
        LogPartValue *values = arena_alloc_zero(p->arena, n_values * sizeof *values);
        if (!values) return false;
        for (uint64_t k = 0; k < n_values; k++)
            if (!read_value(p, c, &values[k], label_count)) return false;
        names[i].values = values;
        names[i].n = n_values;
    }
    p->names = names;
    p->n_names = n;
    return true;
}

/* Label sets from postings: names come in order, so each stream's labels do. */
static bool build_labels(LogPart *p, const uint32_t *label_count) {
    LogPartStream *streams = (LogPartStream *)(uintptr_t)p->streams;
    size_t total = 0;
    for (size_t i = 0; i < p->n_streams; i++) total += label_count[i];
    Label *pool = ARENA_ARRAY(p->arena, Label, total);
    Label **next = ARENA_ARRAY(p->arena, Label *, p->n_streams);
    if (!pool || !next) return false;
    for (size_t i = 0, at = 0; i < p->n_streams; at += label_count[i++]) {
        next[i] = pool + at;
        streams[i].labels = (Labels){pool + at, label_count[i]};
    }
    for (size_t i = 0; i < p->n_names; i++)
        for (size_t k = 0; k < p->names[i].n; k++) {
            const LogPartValue *v = &p->names[i].values[k];
            for (uint32_t g = 0; g < v->n; g++) *next[v->groups[g]]++ = (Label){p->names[i].name, v->value};
        }
    for (size_t i = 0; i < p->n_streams; i++) streams[i].hash = labels_hash(streams[i].labels);
    return true;
}

static void logpart_close(void *ctx, void *obj) {
    (void)ctx;
    LogPart *p = obj;
    if (!p) return;
    wide_part_close(p->wide);
    arena_free(p->arena);
    mem_free(p);
}

static ErrCode logpart_open(void *ctx, Part *part, const PartInfo *info, void **ret_obj, Err *reterr) {
    (void)info;
    LogPart *p = NEW(LogPart);
    p->arena = arena_create(ARENA_UNLIMITED); /* bounded by the blob's size: every count is checked against it */
    ErrCode rc = wide_part_open(part, &p->wide, reterr);
    if (rc) {
        logpart_close(ctx, p);
        return rc;
    }
    Cursor c = cursor_of(wide_part_user(p->wide));
    bool good = read_streams(p, &c);
    uint32_t *label_count = good ? arena_alloc_zero(p->arena, p->n_streams * sizeof *label_count) : NULL;
    if (!label_count || !read_names(p, &c, label_count) || cursor_left(&c) > 0 || !build_labels(p, label_count)) {
        logpart_close(ctx, p);
        return err_set(reterr, ERR_CORRUPT, "%s: the stream dictionary is malformed", part_path(part));
    }
    *ret_obj = p;
    return OK;
}

const PartOps logpart_ops = {logpart_open, logpart_close};

static const LogPartName *find_name(const LogPart *p, Str name) {
    size_t lo = 0, hi = p->n_names;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = str_cmp(p->names[mid].name, name);
        if (c == 0) return &p->names[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static void bits_put(uint64_t *bits, const LogPartValue *v) {
    for (uint32_t i = 0; i < v->n; i++) bits[v->groups[i] / 64] |= UINT64_C(1) << (v->groups[i] % 64);
}

static void bits_take(uint64_t *bits, const LogPartValue *v) {
    for (uint32_t i = 0; i < v->n; i++) bits[v->groups[i] / 64] &= ~(UINT64_C(1) << (v->groups[i] % 64));
}

/* Matchers that an absent label satisfies take streams away; the others put theirs into an empty set. */
static void apply_matcher(const LogPart *p, const Matcher *m, uint64_t *bits, uint64_t *scratch, size_t words) {
    const LogPartName *name = find_name(p, m->name);
    bool subtract = matcher_matches_empty(m);
    if (!subtract) memset(scratch, 0, words * sizeof *scratch);
    for (size_t i = 0; name && i < name->n; i++) {
        bool hit = matcher_matches(m, name->values[i].value);
        if (subtract && !hit) bits_take(bits, &name->values[i]);
        if (!subtract && hit) bits_put(scratch, &name->values[i]);
    }
    for (size_t i = 0; !subtract && i < words; i++) bits[i] &= scratch[i];
}

uint64_t *logpart_match(const LogPart *p, Matchers ms, int64_t start_ns, int64_t end_ns, Arena *arena, size_t *ret_n) {
    size_t words = p->n_streams / 64 + 1;
    uint64_t *bits = arena_alloc_zero(arena, 2 * words * sizeof *bits);
    if (!bits) return NULL;
    for (size_t i = 0; i < p->n_streams; i++) {
        const LogPartStream *st = &p->streams[i];
        if (st->min_t < end_ns && st->max_t >= start_ns) bits[i / 64] |= UINT64_C(1) << (i % 64);
    }
    for (size_t i = 0; i < ms.n; i++) apply_matcher(p, ms.v[i], bits, bits + words, words);
    size_t n = 0;
    for (size_t i = 0; i < words; i++) n += (size_t)__builtin_popcountll(bits[i]);
    *ret_n = n;
    return bits;
}
