#include "traces/trace_part.h"

#define BLOCK_ARENA_BYTES (256u << 20)

/* --- opening --- */

static Str *take_strings(Cursor *c, Arena *arena, uint32_t *ret_n) {
    uint64_t n = cursor_uvarint(c);
    Cursor in = cursor_of(cursor_lenstr(c));
    if (n > cursor_left(&in)) c->bad = true;
    Str *v = c->bad ? NULL : ARENA_ARRAY(arena, Str, n);
    for (uint64_t i = 0; v && i < n; i++) v[i] = cursor_lenstr(&in);
    if (!v || in.bad) c->bad = true;
    *ret_n = c->bad ? 0 : (uint32_t)n;
    return v;
}

static void take_ops(Cursor *c, TracePart *p) {
    uint64_t n = cursor_uvarint(c);
    Cursor in = cursor_of(cursor_lenstr(c));
    if (n > cursor_left(&in)) c->bad = true;
    p->ops = c->bad ? NULL : ARENA_ARRAY(p->arena, TracePartOp, n);
    for (uint64_t i = 0; p->ops && i < n; i++) {
        TracePartOp *o = &p->ops[i];
        o->service = (uint32_t)cursor_uvarint(&in);
        o->kind = cursor_u8(&in);
        o->name = cursor_lenstr(&in);
        if (o->service >= p->n_services) c->bad = true;
    }
    if (!p->ops || in.bad) c->bad = true;
    p->n_ops = (uint32_t)n;
}

static void take_resources(Cursor *c, TracePart *p) {
    uint64_t n = cursor_uvarint(c);
    Cursor in = cursor_of(cursor_lenstr(c));
    if (n > cursor_left(&in)) c->bad = true;
    p->resources = c->bad ? NULL : ARENA_ARRAY(p->arena, TracePartResource, n);
    for (uint64_t i = 0; p->resources && i < n; i++) {
        p->resources[i].service = (uint32_t)cursor_uvarint(&in);
        p->resources[i].bytes = cursor_lenstr(&in);
        if (p->resources[i].service >= p->n_services) c->bad = true;
    }
    if (!p->resources || in.bad) c->bad = true;
    p->n_resources = (uint32_t)n;
}

static void take_blocks(Cursor *c, TracePart *p) {
    uint64_t n = cursor_uvarint(c);
    if (n != wide_part_block_count(p->wide)) c->bad = true;
    p->blocks = c->bad ? NULL : ARENA_ARRAY(p->arena, TracePartBlock, n);
    for (uint64_t i = 0; p->blocks && i < n; i++) {
        TracePartBlock *b = &p->blocks[i];
        b->min_duration_ns = cursor_svarint(c);
        b->max_duration_ns = cursor_svarint(c);
        uint8_t bits = cursor_u8(c);
        b->has_events = bits & 1;
        b->has_links = bits >> 1 & 1;
        b->has_rest = bits >> 2 & 1;
        b->ops = cursor_lenstr(c);
        b->resources = cursor_lenstr(c);
    }
    if (!p->blocks) c->bad = true;
    p->n_blocks = (uint32_t)n;
}

static bool take_user(TracePart *p, Str user) {
    Cursor c = cursor_of(user);
    if (cursor_u8(&c) != 1) return false;
    p->n_traces = cursor_u32le(&c);
    p->trace_ids = (const uint8_t *)cursor_bytes(&c, (size_t)p->n_traces * 16).p;
    p->trace_order = (const uint8_t *)cursor_bytes(&c, (size_t)p->n_traces * 4).p;
    p->starts = cursor_lenstr(&c);
    p->services = take_strings(&c, p->arena, &p->n_services);
    take_ops(&c, p);
    take_resources(&c, p);
    p->scopes = take_strings(&c, p->arena, &p->n_scopes);
    p->event_keys = take_strings(&c, p->arena, &p->n_event_keys);
    take_blocks(&c, p);
    p->red = cursor_lenstr(&c);
    p->calls = cursor_lenstr(&c);
    return !c.bad;
}

ErrCode trace_part_open(Part *part, TracePart **ret, Err *reterr) {
    TracePart *p = NEW(TracePart);
    ErrCode e = wide_part_open(part, &p->wide, reterr);
    if (e) {
        mem_free(p);
        return e;
    }
    p->arena = arena_create(ARENA_UNLIMITED); /* in proportion to the part's own tables */
    if (!take_user(p, wide_part_user(p->wide))) {
        trace_part_close(p);
        return err_set(reterr, ERR_CORRUPT, "%s: the tables of traces do not hold", part_path(part));
    }
    p->min_t_ns = INT64_MAX;
    p->max_t_ns = INT64_MIN;
    for (size_t i = 0; i < p->n_blocks; i++) {
        WideBlockInfo info = wide_part_block_info(p->wide, i);
        p->min_t_ns = MIN(p->min_t_ns, info.min_t);
        p->max_t_ns = MAX(p->max_t_ns, info.max_t);
    }
    *ret = p;
    return OK;
}

TracePart *trace_part_close(TracePart *p) {
    if (!p) return NULL;
    wide_part_close(p->wide);
    arena_free(p->arena);
    mem_free(p);
    return NULL;
}

/* --- traces --- */

TraceId trace_part_id(const TracePart *p, uint64_t number) {
    TraceId id = {0};
    if (number < p->n_traces) memcpy(id.b, p->trace_ids + number * 16, 16);
    return id;
}

static uint32_t ordered(const TracePart *p, size_t i) {
    const uint8_t *b = p->trace_order + i * 4;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static uint64_t id_prefix(const uint8_t *b) {
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v = v << 8 | b[i];
    return v;
}

/* Most ids are random: the place of one among the others can be guessed, and two or three looks do. Where guesses do
 * not halve what is left, the middle is taken. */
bool trace_part_lookup(const TracePart *p, TraceId id, uint64_t *ret_number) {
    uint64_t wanted = id_prefix(id.b), lo_key = 0, hi_key = UINT64_MAX;
    size_t lo = 0, hi = p->n_traces;
    for (bool guess = true; lo < hi;) {
        size_t n = hi - lo, mid = lo + n / 2;
        if (guess && hi_key > lo_key && wanted >= lo_key && wanted <= hi_key)
            mid = lo + (size_t)((double)(wanted - lo_key) / (double)(hi_key - lo_key) * (double)(n - 1));
        if (mid >= hi) mid = hi - 1;
        uint32_t number = ordered(p, mid);
        if (number >= p->n_traces) return false; /* malformed */
        const uint8_t *at = p->trace_ids + (size_t)number * 16;
        int c = memcmp(at, id.b, 16);
        if (c == 0) {
            *ret_number = number;
            return true;
        }
        if (c < 0) {
            lo = mid + 1;
            lo_key = id_prefix(at);
        } else {
            hi = mid;
            hi_key = id_prefix(at);
        }
        guess = !guess || hi - lo <= n / 2;
    }
    return false;
}

void trace_part_blocks_of(const TracePart *p, uint64_t number, size_t *ret_first, size_t *ret_end) {
    size_t lo = 0, hi = p->n_blocks;
    while (lo < hi) { /* the first block whose last trace is not before this one */
        size_t mid = (lo + hi) / 2;
        if (wide_part_block_info(p->wide, mid).max_group < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    *ret_first = *ret_end = lo;
    while (*ret_end < p->n_blocks && wide_part_block_info(p->wide, *ret_end).min_group <= number) ++*ret_end;
}

/* --- rows --- */

void trace_part_cursor_init(TracePartCursor *c, const TracePart *p) {
    *c = (TracePartCursor){.part = p, .block = SIZE_MAX, .arena = arena_create(BLOCK_ARENA_BYTES)};
}

void trace_part_cursor_done(TracePartCursor *c) {
    arena_free(c->arena);
    *c = (TracePartCursor){0};
}

static ErrCode cursor_open_block(TracePartCursor *c, size_t block, Err *reterr) {
    if (c->block == block) return OK;
    c->block = SIZE_MAX;
    arena_reset(c->arena);
    ErrCode e = wide_block_open(c->part->wide, block, c->arena, &c->open, reterr);
    if (!e) e = wide_block_groups(c->open, &c->groups, reterr);
    if (!e) c->block = block;
    return e;
}

static ErrCode corrupt_row(Err *reterr) { return err_set(reterr, ERR_CORRUPT, "a span's row does not hold"); }

static bool copy_text(Arena *arena, Str from, Str *ret) {
    *ret = from.n ? arena_copy(arena, from) : STR_NULL;
    return from.n == 0 || ret->p;
}

/* Fields that are numbers. false: not one of them, or out of bounds. */
static bool take_number(const TracePart *p, SpanRow *r, char letter, int64_t v, int64_t *ret_parent, uint32_t *ret_op,
    uint32_t *ret_resource, uint32_t *ret_scope) {
    switch (letter) {
    case 'p': *ret_parent = v; return true;
    case 'd': r->end_ns = v; return true; /* the start is added later */
    case 'o': *ret_op = (uint32_t)v; return v >= 0 && v < p->n_ops;
    case 'r': *ret_resource = (uint32_t)v; return v >= 0 && v < p->n_resources;
    case 'c': *ret_scope = (uint32_t)v; return v >= 0 && v < p->n_scopes;
    case 't': r->status = (uint8_t)v; return v >= 0 && v <= 2;
    case 'f': r->flags = (uint32_t)v; return true;
    case 'a': r->dropped_attributes = (uint32_t)v; return true;
    case 'e': r->dropped_events = (uint32_t)v; return true;
    case 'l': r->dropped_links = (uint32_t)v; return true;
    default: return false;
    }
}

static bool take_rest(SpansBatch *b, Str bytes, AttrRange *range) {
    Str copy = arena_copy(b->arena, bytes);
    Cursor c = cursor_of(copy);
    uint32_t n = copy.p ? span_attrs_begin(&c) : 0;
    for (uint32_t i = 0; i < n; i++) {
        Attr a;
        if (!span_attr_next(&c, NULL, 0, &a) || !avec_push(b->arena, &b->attrs, a)) return false;
        range->n++;
    }
    return copy.p && !c.bad;
}

static bool take_attr(SpansBatch *b, const WideField *f, AttrRange *range) {
    Attr a = {.value = trace_part_value(&f->value)};
    AttrType t = a.value.type;
    if (t == ATTR_EMPTY) return true;
    bool text = t != ATTR_I64 && t != ATTR_F64 && t != ATTR_BOOL;
    if (text && !copy_text(b->arena, f->value.s, &a.value.s)) return false;
    range->n++;
    return copy_text(b->arena, f->name, &a.key) && avec_push(b->arena, &b->attrs, a);
}

typedef struct RowBlobs {
    Str events, links, rest;
} RowBlobs;

static bool take_field(SpanSink *sink, const TracePart *p, SpanRow *r, const WideField *f, RowBlobs *blobs,
    int64_t *parent, uint32_t n[3]) {
    Arena *arena = sink->batch->arena;
    Str s = f->value.s;
    if (f->value.type == WIDE_I64) return take_number(p, r, f->name.p[1], f->value.i, parent, &n[0], &n[1], &n[2]);
    if (f->value.type != WIDE_BYTES && f->value.type != WIDE_STR) return false;
    switch (f->name.p[1]) {
    case 's': return s.n == 8 && memcpy(r->span_id.b, s.p, 8);
    case 'P': return s.n == 8 && memcpy(r->parent_id.b, s.p, 8);
    case 'm': return copy_text(arena, s, &r->status_message);
    case 'w': return copy_text(arena, s, &r->trace_state);
    case 'E': blobs->events = s; return true;
    case 'L': blobs->links = s; return true;
    case 'X': blobs->rest = s; return true;
    default: return false;
    }
}

/* One row; *ret_parent is the relative place of its parent, 0: none. */
static bool take_row(SpanSink *sink, const TracePart *p, const WideField *fields, size_t n, int64_t t_ns, TraceId id,
    int64_t *ret_parent) {
    SpansBatch *b = sink->batch;
    SpanRow r = {.trace_id = id, .start_ns = t_ns};
    RowBlobs blobs = {0};
    uint32_t numbers[3] = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
    *ret_parent = 0;
    AttrRange attrs = {(uint32_t)b->attrs.n, 0};
    for (size_t i = 0; i < n; i++) {
        bool own = fields[i].name.n == 2 && fields[i].name.p[0] == '\x01';
        if (own ? fields[i].value.type != WIDE_NULL && !take_field(sink, p, &r, &fields[i], &blobs, ret_parent, numbers)
                : !take_attr(b, &fields[i], &attrs)) {
            return false;
        }
    }
    if (blobs.rest.n && !take_rest(b, blobs.rest, &attrs)) return false;
    span_sink_sort_attrs(b, attrs);
    r.attrs = attrs;
    r.end_ns = (int64_t)((uint64_t)r.start_ns + (uint64_t)r.end_ns);
    if (numbers[0] >= p->n_ops || numbers[1] >= p->n_resources || numbers[2] >= p->n_scopes) return false;
    r.kind = p->ops[numbers[0]].kind;
    if (!copy_text(b->arena, p->ops[numbers[0]].name, &r.name)) return false;
    if (!span_sink_resource(sink, p->resources[numbers[1]].bytes, &r.resource)) return false;
    if (!span_sink_scope(sink, p->scopes[numbers[2]], &r.scope)) return false;
    if (blobs.events.n && !span_sink_events(sink, blobs.events, r.start_ns, &r.events)) return false;
    if (blobs.links.n && !span_sink_links(sink, blobs.links, &r.links)) return false;
    return avec_push(b->arena, &b->rows, r);
}

static ErrCode read_block_rows(
    TracePartCursor *c, uint64_t number, SpanSink *sink, int64_t **parents, size_t *cap, size_t first, Err *reterr) {
    SpansBatch *b = sink->batch;
    const int64_t *times;
    ErrCode e = wide_block_times(c->open, &times, reterr);
    uint32_t rows = wide_part_block_info(c->part->wide, c->block).rows;
    for (uint32_t i = 0; !e && i < rows; i++) {
        if (c->groups[i] != number) continue;
        const WideField *fields;
        size_t n;
        e = wide_block_row(c->open, i, &fields, &n, reterr);
        if (e) break;
        size_t at = b->rows.n - first;
        if (at >= *cap) *parents = mem_realloc_array(*parents, *cap = *cap * 2 + 64, sizeof(int64_t));
        if (!take_row(sink, c->part, fields, n, times[i], trace_part_id(c->part, number), &(*parents)[at])) {
            return arena_exhausted(b->arena) ? err_set(reterr, ERR_TOO_LARGE, "the trace is too large")
                                             : corrupt_row(reterr);
        }
    }
    return e;
}

ErrCode trace_part_read(TracePartCursor *c, uint64_t number, SpanSink *sink, Err *reterr) {
    SpansBatch *b = sink->batch;
    size_t first_row = b->rows.n, first, end, cap = 0;
    int64_t *parents = NULL;
    trace_part_blocks_of(c->part, number, &first, &end);
    ErrCode e = OK;
    for (size_t i = first; !e && i < end; i++) {
        e = cursor_open_block(c, i, reterr);
        if (!e) e = read_block_rows(c, number, sink, &parents, &cap, first_row, reterr);
    }
    size_t n = b->rows.n - first_row;
    for (size_t i = 0; !e && i < n; i++) {
        int64_t at;
        if (parents[i] == 0) continue;
        bool in_trace = !__builtin_add_overflow((int64_t)i, parents[i], &at) && at >= 0 && at < (int64_t)n;
        if (in_trace)
            b->rows.v[first_row + i].parent_id = b->rows.v[first_row + (size_t)at].span_id;
        else
            e = corrupt_row(reterr);
    }
    mem_free(parents);
    return e;
}

bool trace_part_any_number(Str numbers, const bool *wanted, uint32_t n) {
    Cursor c = cursor_of(numbers);
    uint64_t v = 0;
    while (cursor_left(&c) && !c.bad) {
        v += cursor_uvarint(&c);
        if (v < n && wanted[v]) return true;
    }
    return false;
}
