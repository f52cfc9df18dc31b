/* store_tags.c - which attributes there are: from the tables of parts, the fields of blocks, the spans of heads. */
#include "traces/store_int.h"

#include <stdlib.h>

#define BLOCK_ARENA_BYTES (256u << 20)

typedef struct TagScan {
    TraceTagNames *q;
    Map *sets[TRACE_TAG_SCOPES];
    uint64_t corrupt_blocks;
} TagScan;

static bool wants(const TagScan *t, TraceTagScope scope) {
    if (!(t->q->scopes & 1u << scope)) return false;
    return t->q->max == 0 || map_count(t->sets[scope]) < t->q->max;
}

static void add(TagScan *t, TraceTagScope scope, Str key) {
    if (key.n && wants(t, scope)) map_put(t->sets[scope], key, NULL);
}

static void add_attrs(TagScan *t, TraceTagScope scope, Cursor *c, const Str *strings, uint32_t n_strings) {
    uint32_t n = span_attrs_begin(c);
    Attr a;
    for (uint32_t i = 0; i < n && span_attr_next(c, strings, n_strings, &a); i++) add(t, scope, a.key);
}

static void add_events(TagScan *t, Cursor *c, const Str *strings, uint32_t n_strings) {
    uint32_t n = span_events_begin(c);
    SpanEvent e;
    for (uint32_t i = 0; i < n && span_event_next(c, strings, n_strings, 0, &e); i++) {
        add_attrs(t, TRACE_TAG_EVENT, c, strings, n_strings);
    }
}

static void add_links(TagScan *t, Cursor *c, const Str *strings, uint32_t n_strings) {
    uint32_t n = span_events_begin(c);
    SpanLink l;
    for (uint32_t i = 0; i < n && span_link_next(c, &l); i++) add_attrs(t, TRACE_TAG_LINK, c, strings, n_strings);
}

static void add_resource(TagScan *t, Str bytes) {
    Cursor c;
    if (span_resource_head(bytes, &c)) add_attrs(t, TRACE_TAG_RESOURCE, &c, NULL, 0);
}

static void add_scope(TagScan *t, Str bytes) {
    Cursor c;
    Str name, version;
    if (span_scope_head(bytes, &name, &version, &c)) add_attrs(t, TRACE_TAG_INSTRUMENTATION, &c, NULL, 0);
}

/* --- heads --- */

static void add_head_span(TagScan *t, const HeadSpan *s) {
    const SpanPayload *p = &s->chunk->payload;
    SpanRowView row;
    SpanExtra x;
    if (!span_row_view(s->row, &row)) return;
    add_resource(t, p->resources[row.resource]);
    add_scope(t, p->scopes[row.scope]);
    add_attrs(t, TRACE_TAG_SPAN, &row.rest, p->strings, p->n_strings);
    if (!row.has_extra || !span_extra_read(&row.rest, &x)) return;
    add_events(t, &row.rest, p->strings, p->n_strings);
    add_links(t, &row.rest, p->strings, p->n_strings);
}

static bool is_cancelled(const TagScan *t) { return t->q->cancel && atomic_load(t->q->cancel); }

/* Its spans up to n_spans never change: no lock needed. */
static void add_head(TagScan *t, const Head *h, uint32_t n_spans) {
    for (uint32_t i = n_spans; i-- > 0;) {
        const HeadSpan *s = head_span(h, i);
        if ((i & 4095) == 0 && is_cancelled(t)) return;
        if (s->start_ns >= t->q->start_ns && s->start_ns <= t->q->end_ns) add_head_span(t, s);
    }
}

/* --- parts --- */

typedef void (*BlobFn)(TagScan *t, Cursor *c, const Str *strings, uint32_t n_strings);

static void add_span_attrs(TagScan *t, Cursor *c, const Str *strings, uint32_t n_strings) {
    add_attrs(t, TRACE_TAG_SPAN, c, strings, n_strings);
}

static ErrCode add_blobs(TagScan *t, WideBlock *block, uint32_t rows, Str field, BlobFn fn, Err *reterr) {
    const WideValue *v;
    ErrCode e = wide_block_column(block, field, &v, reterr);
    for (uint32_t i = 0; !e && v && i < rows; i++) {
        Cursor c = cursor_of(v[i].type == WIDE_BYTES ? v[i].s : STR_NULL);
        if (v[i].type == WIDE_BYTES) fn(t, &c, NULL, 0);
    }
    return e;
}

/* What the block's tables do not say: attributes without a column, and which of the keys that events and links share
 * stand in which of the two. */
static ErrCode open_block(TagScan *t, const TracePart *p, size_t number, Arena *arena, Err *reterr) {
    const TracePartBlock *b = &p->blocks[number];
    bool rest = b->has_rest && wants(t, TRACE_TAG_SPAN);
    bool events = b->has_events && p->n_event_keys && wants(t, TRACE_TAG_EVENT);
    bool links = b->has_links && p->n_event_keys && wants(t, TRACE_TAG_LINK);
    WideBlock *block;
    if (!rest && !events && !links) return OK;
    arena_reset(arena);
    uint32_t rows = wide_part_block_info(p->wide, number).rows;
    ErrCode e = wide_block_open(p->wide, number, arena, &block, reterr);
    if (!e && rest) e = add_blobs(t, block, rows, FIELD_REST, add_span_attrs, reterr);
    if (!e && events) e = add_blobs(t, block, rows, FIELD_EVENTS, add_events, reterr);
    if (!e && links) e = add_blobs(t, block, rows, FIELD_LINKS, add_links, reterr);
    return e;
}

static void add_block_tables(TagScan *t, const TracePart *p, size_t number, bool *resources) {
    Cursor c = cursor_of(p->blocks[number].resources);
    uint64_t v = 0;
    while (cursor_left(&c) && !c.bad) {
        v += cursor_uvarint(&c);
        if (v < p->n_resources) resources[v] = true;
    }
    if (!wants(t, TRACE_TAG_SPAN)) return;
    size_t n = wide_part_field_count(p->wide, number);
    for (size_t i = 0; i < n; i++) {
        Str name = wide_part_field_name(p->wide, number, i);
        if (name.n && name.p[0] != '\x01') add(t, TRACE_TAG_SPAN, name);
    }
}

static ErrCode add_part(TagScan *t, const TracePart *p, Err *reterr) {
    if (p->max_t_ns < t->q->start_ns || p->min_t_ns > t->q->end_ns) return OK;
    bool *resources = mem_alloc_zero(p->n_resources + 1);
    Arena *arena = arena_create(BLOCK_ARENA_BYTES);
    ErrCode e = OK;
    for (size_t i = p->n_blocks; i-- > 0 && !e;) {
        WideBlockInfo info = wide_part_block_info(p->wide, i);
        if (info.max_t < t->q->start_ns || info.min_t > t->q->end_ns) continue;
        if (is_cancelled(t)) break;
        add_block_tables(t, p, i, resources);
        e = open_block(t, p, i, arena, reterr);
        if (e != ERR_CORRUPT) continue;
        t->corrupt_blocks++;
        e = OK;
    }
    for (uint32_t i = 0; i < p->n_resources; i++) {
        if (resources[i]) add_resource(t, p->resources[i].bytes);
    }
    for (uint32_t i = 0; i < p->n_scopes; i++) add_scope(t, p->scopes[i]);
    mem_free(resources);
    arena_free(arena);
    return e;
}

/* --- all --- */

static int cmp_str(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

static bool take_names(const Map *set, Arena *arena, Str **ret, size_t *ret_n) {
    Str *v = ARENA_ARRAY(arena, Str, map_count(set) + 1);
    size_t n = 0, it = 0;
    Str key;
    uint64_t *value;
    while (v && map_next(set, &it, &key, &value)) v[n++] = arena_copy(arena, key);
    if (!v || arena_exhausted(arena)) return false;
    qsort(v, n, sizeof *v, cmp_str);
    *ret = v;
    *ret_n = n;
    return true;
}

static ErrCode scan(TraceEngine *e, TagScan *t, Err *reterr) {
    Head *heads[HEADS_MAX];
    uint32_t n_spans[HEADS_MAX];
    mutex_lock(&e->head_lock);
    size_t n = trace_engine_heads(e, heads);
    for (size_t i = 0; i < n; i++) n_spans[i] = heads[i]->n_spans;
    mutex_unlock(&e->head_lock);
    for (size_t i = n; i-- > 0;) {
        add_head(t, heads[i], n_spans[i]);
        trace_head_unref(heads[i]);
    }
    PartSnapshot snap;
    ErrCode code = OK;
    partset_snapshot(e->parts, &snap);
    for (size_t i = snap.n; i-- > 0 && !code;) code = add_part(t, snap.v[i].obj, reterr);
    partset_release(e->parts, &snap);
    atomic_fetch_add(&e->corrupt_blocks, t->corrupt_blocks);
    return code;
}

ErrCode trace_engine_tag_names(TraceStore *s, TraceTagNames *q, Err *reterr) {
    TagScan t = {.q = q};
    if (q->end_ns == 0) q->end_ns = INT64_MAX;
    for (size_t i = 0; i < TRACE_TAG_SCOPES; i++) t.sets[i] = map_create(MAP_COPY_KEYS);
    ErrCode e = scan(engine_of(s), &t, reterr);
    if (!e && is_cancelled(&t)) e = err_set(reterr, ERR_CANCELLED, "the search was cancelled");
    for (size_t i = 0; i < TRACE_TAG_SCOPES; i++) {
        if (!e && !take_names(t.sets[i], q->arena, &q->names[i], &q->n[i])) {
            e = err_set(reterr, ERR_TOO_LARGE, "too many names");
        }
        map_free(t.sets[i]);
    }
    return e;
}
