#include "base/map.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "traces/jaeger_trace.h"

#include <stdlib.h>

static bool warn(JaegerTrace *t, uint32_t row, Str text) {
    return text.p && avec_push(t->batch->arena, &t->warnings, (SpanWarning){row, (uint32_t)t->warnings.n, text});
}

static uint64_t id_u64(SpanId id) {
    uint64_t v;
    memcpy(&v, id.b, 8);
    return v;
}

/* --- ids shared by a client and a server span (Zipkin's habit) --- */

static SpanId next_free_id(const U64Map *used, uint64_t *counter) {
    for (;;) {
        SpanId id;
        ++*counter;
        for (int i = 0; i < 8; i++) id.b[i] = (uint8_t)(*counter >> (56 - 8 * i));
        if (!u64map_get(used, id_u64(id))) return id;
    }
}

static void uniquify_server_ids(SpansBatch *b) {
    U64Map *ids = u64map_create(),
           *renamed = u64map_create(); /* id -> has a client; old id -> row with the new one + 1 */
    uint64_t counter = 0;
    vec_foreach(const SpanRow, r, &b->rows) * u64map_put(ids, id_u64(r->span_id), NULL) |= r->kind == SPAN_CLIENT;
    for (size_t i = 0; i < b->rows.n; i++) {
        SpanRow *r = &b->rows.v[i];
        uint64_t *shared = u64map_get(ids, id_u64(r->span_id));
        if (r->kind != SPAN_SERVER || !shared || !*shared) continue;
        *u64map_put(renamed, id_u64(r->span_id), NULL) = i + 1;
        r->parent_id = r->span_id;
        r->span_id = next_free_id(ids, &counter);
    }
    for (size_t i = 0; u64map_count(renamed) && i < b->rows.n; i++) {
        SpanRow *r = &b->rows.v[i];
        uint64_t *server = u64map_get(renamed, id_u64(r->parent_id));
        if (!server || *server == i + 1) continue;
        SpanId id = b->rows.v[*server - 1].span_id;
        if (!span_id_eq(r->span_id, id)) r->parent_id = id;
    }
    u64map_free(ids);
    u64map_free(renamed);
}

/* --- events, links --- */

static void sort_events(SpansBatch *b, AttrRange range) {
    SpanEvent *v = b->events.v + range.first;
    for (uint32_t i = 1; i < range.n; i++) { /* stable; events come sorted by time, few names */
        SpanEvent e = v[i];
        uint32_t j = i;
        for (; j > 0 && str_cmp(v[j - 1].name, e.name) > 0; j--) v[j] = v[j - 1];
        v[j] = e;
    }
}

typedef struct IndexedEvent {
    SpanEvent event;
    uint32_t place;
} IndexedEvent;

static int cmp_event(const void *a, const void *b) {
    const IndexedEvent *x = a, *y = b;
    int c = str_cmp(x->event.name, y->event.name);
    return c ? c : x->place < y->place ? -1 : 1;
}

static void sort_many_events(SpansBatch *b, AttrRange range) {
    IndexedEvent *v = mem_alloc_array(range.n, sizeof *v);
    for (uint32_t i = 0; i < range.n; i++) v[i] = (IndexedEvent){b->events.v[range.first + i], i};
    qsort(v, range.n, sizeof *v, cmp_event);
    for (uint32_t i = 0; i < range.n; i++) b->events.v[range.first + i] = v[i].event;
    mem_free(v);
}

static bool remove_empty_links(JaegerTrace *t, uint32_t row) {
    SpansBatch *b = t->batch;
    SpanRow *r = &b->rows.v[row];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->links.n; i++) {
        SpanLink *l = &b->links.v[r->links.first + i];
        if (!trace_id_is_zero(l->trace_id)) {
            b->links.v[r->links.first + kept++] = *l;
        } else if (!warn(t, row, STR("Invalid span link removed"))) {
            return false;
        }
    }
    r->links.n = kept;
    return true;
}

/* --- attributes --- */

static bool normalize_ips(SpansBatch *b, AttrRange range) {
    for (uint32_t i = 0; i < range.n; i++) {
        Attr *a = &b->attrs.v[range.first + i];
        if (!str_eq_lit(a->key, "ip") && !str_eq_lit(a->key, "peer.ipv4")) continue;
        bool small = a->value.type == ATTR_F64 && a->value.d > -1 && a->value.d < 4294967296.0;
        if (a->value.type != ATTR_I64 && !small) continue;
        uint32_t v = a->value.type == ATTR_I64 ? (uint32_t)a->value.i : (uint32_t)a->value.d;
        Str text = arena_printf(b->arena, "%u.%u.%u.%u", v >> 24, v >> 16 & 255, v >> 8 & 255, v & 255);
        if (!text.p) return false;
        a->value = (AttrValue){.type = ATTR_STR, .s = text};
    }
    return true;
}

static bool is_library_key(Str key) {
    static const char *const keys[] = {"telemetry.sdk.language", "telemetry.sdk.name", "telemetry.sdk.version",
        "telemetry.distro.name", "telemetry.distro.version"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (str_eq(key, str_cstr(keys[i]))) return true;
    }
    return false;
}

static bool same_text(const AttrValue *a, const AttrValue *b) {
    Buf x = {0}, y = {0};
    attr_put_text(&x, a);
    attr_put_text(&y, b);
    bool same = a->type == b->type && str_eq(buf_str(&x), buf_str(&y));
    buf_done(&x);
    buf_done(&y);
    return same;
}

/* The resource's attributes move to the end of the pool to make room for one more. */
static bool add_resource_attr(SpansBatch *b, Resource *r, Attr attr) {
    uint32_t first = (uint32_t)b->attrs.n;
    for (uint32_t i = 0; i < r->attrs.n; i++) {
        Attr a = b->attrs.v[r->attrs.first + i];
        if (!avec_push(b->arena, &b->attrs, a)) return false;
    }
    r->attrs = (AttrRange){first, r->attrs.n + 1};
    return avec_push(b->arena, &b->attrs, attr);
}

static bool move_library_attrs(JaegerTrace *t, uint32_t row) {
    SpansBatch *b = t->batch;
    SpanRow *r = &b->rows.v[row];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->attrs.n; i++) {
        Attr a = b->attrs.v[r->attrs.first + i];
        Resource *res = &b->resources.v[r->resource];
        bool stays = !is_library_key(a.key);
        const AttrValue *there = stays ? NULL : attr_find(b->attrs.v + res->attrs.first, res->attrs.n, a.key);
        if (there && !same_text(there, &a.value)) {
            stays = true;
            Str text = arena_printf(
                b->arena, "conflicting values between Span and Resource for attribute %" STR_FMT, STR_ARG(a.key));
            if (!warn(t, row, text)) return false;
        } else if (!stays && !there && !add_resource_attr(b, res, a)) {
            return false;
        }
        if (stays) b->attrs.v[r->attrs.first + kept++] = a;
    }
    r->attrs.n = kept;
    return true;
}

/* --- clocks --- */

typedef struct SkewNode {
    Str host;
    uint32_t first_child, next_sibling; /* rows + 1 */
    uint32_t parent;                    /* row + 1 */
    Str skew_host;
    int64_t skew_ns;
    bool skip; /* an id that was there before */
} SkewNode;

static Str host_of(const SpansBatch *b, const SpanRow *r) {
    static const char *const keys[] = {"host.id", "host.ip", "host.name"};
    const Resource *res = &b->resources.v[r->resource];
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const AttrValue *v = attr_find(b->attrs.v + res->attrs.first, res->attrs.n, str_cstr(keys[i]));
        if (v && (v->type == ATTR_STR || v->type == ATTR_ARRAY)) return v->s;
    }
    return STR_NULL;
}

static int64_t calculate_skew(const SpanRow *child, const SpanRow *parent) {
    int64_t parent_ns = parent->end_ns - parent->start_ns, child_ns = child->end_ns - child->start_ns;
    if (child_ns > parent_ns) return child->start_ns < parent->start_ns ? parent->start_ns - child->start_ns : 0;
    if (child->start_ns >= parent->start_ns && child->end_ns <= parent->end_ns) return 0;
    return parent->start_ns + (parent_ns - child_ns) / 2 - child->start_ns;
}

static Str skew_text(Arena *arena, const char *before, int64_t max_ns, const char *between, int64_t delta_ns) {
    Buf b = {0};
    buf_put_str(&b, str_cstr(before));
    if (max_ns) duration_put_go(&b, max_ns);
    buf_put_str(&b, str_cstr(between));
    duration_put_go(&b, delta_ns);
    Str copy = arena_copy(arena, buf_str(&b));
    buf_done(&b);
    return copy;
}

static bool apply_skew(JaegerTrace *t, uint32_t row, int64_t delta_ns, int64_t max_ns) {
    SpansBatch *b = t->batch;
    SpanRow *r = &b->rows.v[row];
    if (delta_ns == 0) return true;
    if (max_ns == 0) {
        return warn(t, row,
            skew_text(b->arena, "clock skew adjustment disabled; not applying calculated delta of ", 0, "", delta_ns));
    }
    if (delta_ns > max_ns || delta_ns < -max_ns) {
        return warn(t, row,
            skew_text(b->arena, "max clock skew adjustment delta of ", max_ns,
                " exceeded; not applying calculated delta of ", delta_ns));
    }
    r->start_ns += delta_ns;
    r->end_ns += delta_ns;
    for (uint32_t i = 0; i < r->events.n; i++) b->events.v[r->events.first + i].t_ns += delta_ns;
    return warn(t, row, skew_text(b->arena, "This span's timestamps were adjusted by ", 0, "", delta_ns));
}

/* Links children to parents; remarks on ids that are there twice and parents that are not there. */
static bool build_graph(JaegerTrace *t, SkewNode *nodes, U64Map *by_id) {
    SpansBatch *b = t->batch;
    for (uint32_t i = 0; i < b->rows.n; i++) {
        bool fresh;
        uint64_t *at = u64map_put(by_id, id_u64(b->rows.v[i].span_id), &fresh);
        nodes[i].host = host_of(b, &b->rows.v[i]);
        nodes[i].skip = !fresh;
        if (fresh)
            *at = i;
        else if (!warn(t, i, STR("duplicate span IDs; skipping clock skew adjustment")))
            return false;
    }
    for (uint32_t i = (uint32_t)b->rows.n; i-- > 0;) { /* backwards, so that children end up in order */
        const SpanRow *r = &b->rows.v[i];
        if (nodes[i].skip || span_id_is_zero(r->parent_id)) continue;
        uint64_t *at = u64map_get(by_id, id_u64(r->parent_id));
        if (at) {
            nodes[i].parent = (uint32_t)*at + 1;
            nodes[i].next_sibling = nodes[*at].first_child;
            nodes[*at].first_child = i + 1;
            continue;
        }
        Buf text = {0};
        buf_put_lit(&text, "parent span ID=");
        num_put_hex(&text, r->parent_id.b, 8);
        buf_put_lit(&text, " is not in the trace; skipping clock skew adjustment");
        Str copy = arena_copy(b->arena, buf_str(&text));
        buf_done(&text);
        if (!warn(t, i, copy)) return false;
    }
    return true;
}

static bool adjust_node(JaegerTrace *t, SkewNode *nodes, uint32_t row, int64_t max_ns) {
    SkewNode *n = &nodes[row];
    if (n->parent == 0) {
        n->skew_host = n->host;
        return true;
    }
    const SkewNode *p = &nodes[n->parent - 1];
    n->skew_host = p->skew_host;
    n->skew_ns = p->skew_ns;
    if (n->host.n == 0 || !str_eq(n->host, p->skew_host)) {
        n->skew_host = n->host;
        n->skew_ns = calculate_skew(&t->batch->rows.v[row], &t->batch->rows.v[n->parent - 1]);
    }
    return apply_skew(t, row, n->skew_ns, max_ns);
}

/* From the roots down; a chain of parents that ends in itself is never reached. */
static bool correct_clocks(JaegerTrace *t, int64_t max_ns) {
    size_t n = t->batch->rows.n;
    SkewNode *nodes = arena_alloc_zero(t->batch->arena, (n + 1) * sizeof *nodes);
    U64Map *by_id = u64map_create();
    bool ok = nodes && build_graph(t, nodes, by_id);
    VEC(uint32_t) todo = {0};
    for (uint32_t root = 0; ok && root < n; root++) {
        if (nodes[root].parent || nodes[root].skip) continue;
        vec_push(&todo, root);
        while (ok && todo.n) {
            uint32_t row = vec_pop(&todo);
            ok = adjust_node(t, nodes, row, max_ns);
            for (uint32_t c = nodes[row].first_child; c; c = nodes[c - 1].next_sibling) vec_push(&todo, c - 1);
        }
    }
    vec_done(&todo);
    u64map_free(by_id);
    return ok;
}

bool jaeger_trace_adjust(JaegerTrace *t, int64_t max_clock_skew_ns) {
    SpansBatch *b = t->batch;
    uniquify_server_ids(b);
    vec_foreach(const SpanRow, r, &b->rows) {
        if (r->events.n > 64)
            sort_many_events(b, r->events);
        else
            sort_events(b, r->events);
    }
    if (!correct_clocks(t, max_clock_skew_ns)) return false;
    bool ok = true;
    vec_foreach(const Resource, r, &b->resources) ok = ok && normalize_ips(b, r->attrs);
    for (uint32_t i = 0; ok && i < b->rows.n; i++) {
        ok = normalize_ips(b, b->rows.v[i].attrs) && move_library_attrs(t, i) && remove_empty_links(t, i);
    }
    return ok;
}
