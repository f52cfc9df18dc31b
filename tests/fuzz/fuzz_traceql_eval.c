/* A query, a newline, and bytes of which spans are made: whatever their parents, kinds and values, the query runs, and
 * its spansets hold spans of the trace, each once, in order. */
#include "traces/traceql_eval.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SPANS_MAX 40

typedef struct Bytes {
    const uint8_t *p;
    size_t n;
} Bytes;

static unsigned take(Bytes *b) {
    if (b->n == 0) return 0;
    b->n--;
    return *b->p++;
}

static void put_attr(SpansBatch *b, Bytes *in, AttrRange *range) {
    static const Str keys[] = {STR_INIT("a"), STR_INIT("b"), STR_INIT("foo"), STR_INIT("service.name")};
    static const Str texts[] = {STR_INIT("bar"), STR_INIT("GET"), STR_INIT("x"), STR_INIT("")};
    static const Str arrays[] = {STR_INIT("[1,2]"), STR_INIT("[\"x\",\"bar\"]"), STR_INIT("[]"), STR_INIT("[[1],{}]")};
    unsigned what = take(in), v = take(in);
    Attr a = {.key = keys[what & 3]};
    switch (what >> 2 & 7) {
    case 0: a.value = (AttrValue){.type = ATTR_I64, .i = (int8_t)v}; break;
    case 1: a.value = (AttrValue){.type = ATTR_F64, .d = (double)(int8_t)v / 4}; break;
    case 2: a.value = (AttrValue){.type = ATTR_BOOL, .b = v & 1}; break;
    case 3: a.value = (AttrValue){.type = ATTR_ARRAY, .s = arrays[v & 3]}; break;
    case 4: a.value = (AttrValue){.type = ATTR_BYTES, .s = texts[v & 3]}; break;
    case 5: a.value = (AttrValue){.type = ATTR_I64, .i = v & 1 ? INT64_MAX : INT64_MIN}; break;
    case 6: a.value = (AttrValue){.type = ATTR_EMPTY}; break;
    default: a.value = (AttrValue){.type = ATTR_STR, .s = texts[v & 3]}; break;
    }
    if (avec_push(b->arena, &b->attrs, a)) range->n++;
}

static AttrRange put_attrs(SpansBatch *b, Bytes *in, unsigned n) {
    AttrRange r = {(uint32_t)b->attrs.n, 0};
    for (unsigned i = 0; i < n; i++) put_attr(b, in, &r);
    return r;
}

static void put_span(SpansBatch *b, Bytes *in) {
    static const Str names[] = {STR_INIT("a"), STR_INIT("b"), STR_INIT("GET /"), STR_INIT("")};
    unsigned ids = take(in), bits = take(in), extra = take(in);
    SpanRow r = {.name = names[bits & 3], .kind = (uint8_t)((bits >> 2) % 6), .status = (uint8_t)((bits >> 5) % 3)};
    r.trace_id.b[15] = 1;
    r.span_id.b[7] = ids & 15;
    r.parent_id.b[7] = ids >> 4;
    r.start_ns = (int64_t)take(in) * 1000;
    r.end_ns = r.start_ns + (int8_t)take(in);
    r.resource = bits & 1;
    r.attrs = put_attrs(b, in, extra & 3);
    if (extra & 4) {
        SpanEvent e = {.name = names[extra >> 6], .t_ns = r.start_ns + 5, .attrs = put_attrs(b, in, extra >> 6)};
        r.events = (AttrRange){(uint32_t)b->events.n, 1};
        if (!avec_push(b->arena, &b->events, e)) r.events.n = 0;
    }
    if (extra & 8) {
        SpanLink l = {.attrs = put_attrs(b, in, 1)};
        r.links = (AttrRange){(uint32_t)b->links.n, 1};
        if (!avec_push(b->arena, &b->links, l)) r.links.n = 0;
    }
    (void)!avec_push(b->arena, &b->rows, r);
}

static bool comes_before(const SpansBatch *b, uint32_t x, uint32_t y) {
    const SpanRow *p = &b->rows.v[x], *r = &b->rows.v[y];
    if (p->start_ns != r->start_ns) return p->start_ns < r->start_ns;
    int c = memcmp(p->span_id.b, r->span_id.b, 8);
    return c ? c < 0 : x < y;
}

static void check(const SpansBatch *b, const TqlSpansets *sets) {
    for (size_t i = 0; i < sets->n; i++) {
        const TqlSpanset *s = &sets->v[i];
        ASSERT(s->n > 0);
        for (uint32_t k = 0; k < s->n; k++) {
            ASSERT(s->rows[k] < b->rows.n);
            ASSERT(k == 0 || comes_before(b, s->rows[k - 1], s->rows[k]));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str all = str_of((const char *)data, size);
    size_t end = str_find_char(all, '\n');
    if (size > 4096 || end == SIZE_MAX) return 0;
    Arena *arena = arena_create(32 << 20);
    Bytes in = {data + end + 1, size - end - 1};
    const TraceQl *q;
    const TqlProgram *p;
    if (traceql_parse(str_slice(all, 0, end), arena, &q, NULL) != OK || q->is_metrics ||
        traceql_program_create(q->pipeline, NULL, arena, &p, NULL) != OK) {
        arena_free(arena);
        return 0;
    }
    SpansBatch b = {.arena = arena};
    Resource resources[2] = {{.attrs = put_attrs(&b, &in, 2)}, {.attrs = put_attrs(&b, &in, 1)}};
    bool ok = avec_push(arena, &b.resources, resources[0]) && avec_push(arena, &b.resources, resources[1]) &&
              avec_push(arena, &b.scopes, (Scope){.name = STR("s")});
    while (ok && in.n > 0 && b.rows.n < SPANS_MAX) put_span(&b, &in);
    if (ok && b.rows.n) {
        TqlView *v = traceql_view(&b, true, arena);
        TqlSpansets sets;
        if (v && traceql_run(p, v, arena, &sets, NULL) == OK) check(&b, &sets);
    }
    arena_free(arena);
    return 0;
}
