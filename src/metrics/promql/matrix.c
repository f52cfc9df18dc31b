/* matrix.c - columns with presence bits, and the label sets on them. */
#include "metrics/promql/engine_int.h"

#include "base/hash.h"

#include <stdlib.h>

bool bitmap_any(const uint64_t *b, size_t n) {
    for (size_t i = 0; i < bitmap_words(n); i++)
        if (b[i]) return true;
    return false;
}

size_t bitmap_count(const uint64_t *b, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < bitmap_words(n); i++) count += (size_t)__builtin_popcountll(b[i]);
    return count;
}

bool bitmap_run(const uint64_t *b, size_t n, size_t *ret_from, size_t *ret_to) {
    size_t from = bitmap_next(b, 0, n), to = from + bitmap_count(b, n);
    *ret_from = from;
    *ret_to = to;
    return from < n && bit_get(b, to - 1) && bitmap_next(b, to, n) == n;
}

PqlSeries *matrix_add(Ev *ev, PqlMatrix *m, const Grid *g, Labels labels) {
    PqlSeries s = {.labels = labels};
    s.v = ARENA_ARRAY(ev->arena, double, g->n);
    s.present = arena_alloc_zero(ev->arena, bitmap_words(g->n) * sizeof(uint64_t));
    if (!s.v || !s.present || !avec_push(ev->arena, m, s)) {
        ev_no_memory(ev);
        return NULL;
    }
    return &m->v[m->n - 1];
}

bool series_want_histograms(Ev *ev, PqlSeries *s, const Grid *g) {
    if (s->h) return true;
    s->h = arena_alloc_zero(ev->arena, g->n * sizeof *s->h);
    return s->h || ev_no_memory(ev);
}

bool series_set_h(Ev *ev, PqlSeries *s, const Grid *g, size_t i, FHist *h) {
    if (!h) return ev_no_memory(ev);
    if (!series_want_histograms(ev, s, g)) return false;
    s->h[i] = h;
    s->v[i] = 0;
    bit_set(s->present, i);
    return true;
}

void matrix_drop_empty(PqlMatrix *m, const Grid *g) {
    size_t out = 0;
    for (size_t i = 0; i < m->n; i++)
        if (bitmap_any(m->v[i].present, g->n)) m->v[out++] = m->v[i];
    m->n = out;
}

/* Moves the points of b into a; false when both have one at a step. */
static bool series_absorb(Ev *ev, const Grid *g, PqlSeries *a, const PqlSeries *b) {
    for (size_t w = 0; w < bitmap_words(g->n); w++)
        if (a->present[w] & b->present[w]) return false;
    if (b->h && !series_want_histograms(ev, a, g)) return true;
    FOR_PRESENT(i, b, g->n) {
        a->v[i] = b->v[i];
        if (a->h) a->h[i] = series_h(b, i);
        bit_set(a->present, i);
    }
    a->drop_name |= b->drop_name;
    return true;
}

bool matrix_merge_same(Ev *ev, PqlMatrix *m, const Grid *g, bool strict) {
    if (m->n < 2) return true;
    U64Map *seen = u64map_create();
    VEC(size_t) next = {0}; /* chain of series with the same hash */
    size_t out = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < m->n; i++) {
        bool inserted;
        uint64_t *slot = u64map_put(seen, labels_hash(m->v[i].labels), &inserted);
        size_t at = inserted ? 0 : *slot;
        while (at && !labels_eq(m->v[at - 1].labels, m->v[i].labels)) at = next.v[at - 1];
        if (!at) {
            vec_push(&next, inserted ? 0 : *slot);
            m->v[out++] = m->v[i];
            *slot = out;
        } else if (strict || !series_absorb(ev, g, &m->v[at - 1], &m->v[i])) {
            ok = ev_fail(ev, "vector cannot contain metrics with the same labelset");
        }
    }
    if (ok) m->n = out;
    vec_done(&next);
    u64map_free(seen);
    return ok && ev->rc == OK;
}

bool matrix_scalar(Ev *ev, const Grid *g, double v, PqlMatrix *ret) {
    PqlSeries *s = matrix_add(ev, ret, g, (Labels){0});
    if (!s) return false;
    for (size_t i = 0; i < g->n; i++) series_set(s, i, v);
    return true;
}

int series_labels_cmp(const void *a, const void *b) {
    return labels_cmp(((const PqlSeries *)a)->labels, ((const PqlSeries *)b)->labels);
}

/* --- labels --- */

static bool names_have(const StrVec *names, Str name) {
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(names->v[i], name)) return true;
    return false;
}

/* A copy with only the labels keep() says; the strings are shared. */
typedef bool (*LabelKeep)(Str name, const void *ctx);

static Labels labels_filter(Ev *ev, Arena *arena, Labels l, LabelKeep keep, const void *ctx) {
    size_t n = 0;
    for (size_t i = 0; i < l.n; i++) n += keep(l.v[i].name, ctx);
    if (n == l.n) return l;
    Label *v = ARENA_ARRAY(arena, Label, n);
    if (!v) {
        ev_no_memory(ev);
        return (Labels){0};
    }
    size_t out = 0;
    for (size_t i = 0; i < l.n; i++)
        if (keep(l.v[i].name, ctx)) v[out++] = l.v[i];
    return (Labels){v, n};
}

static bool keep_not_metadata(Str name, const void *ctx) {
    (void)ctx;
    return !label_name_is_metadata(name);
}
static bool keep_named(Str name, const void *ctx) { return names_have(ctx, name); }
static bool keep_not_named(Str name, const void *ctx) { return !names_have(ctx, name); }
static bool keep_not_named_or_metadata(Str name, const void *ctx) {
    return !names_have(ctx, name) && !label_name_is_metadata(name);
}

Labels labels_without_name(Ev *ev, Labels l) { return labels_filter(ev, ev->arena, l, keep_not_metadata, NULL); }
Labels labels_keep(Ev *ev, Labels l, const StrVec *names) { return labels_filter(ev, ev->arena, l, keep_named, names); }
Labels labels_remove(Ev *ev, Labels l, const StrVec *names, bool also_name) {
    return labels_filter(ev, ev->arena, l, also_name ? keep_not_named_or_metadata : keep_not_named, names);
}

Labels labels_with(Ev *ev, Labels l, Str name, Str value) {
    StrVec one = {.v = &name, .n = 1};
    Labels rest = labels_remove(ev, l, &one, false);
    if (value.n == 0 || ev->rc != OK) return rest;
    Label *v = ARENA_ARRAY(ev->arena, Label, rest.n + 1);
    if (!v) {
        ev_no_memory(ev);
        return rest;
    }
    size_t at = 0;
    while (at < rest.n && str_cmp(rest.v[at].name, name) < 0) at++;
    for (size_t i = 0; i < at; i++) v[i] = rest.v[i];
    v[at] = (Label){name, value};
    for (size_t i = at; i < rest.n; i++) v[i + 1] = rest.v[i];
    return (Labels){v, rest.n + 1};
}

bool series_drop_name(Ev *ev, PqlSeries *s) {
    s->drop_name = true;
    if (!ev->opts.delayed_name_removal) s->labels = labels_filter(ev, ev->scratch, s->labels, keep_not_metadata, NULL);
    return ev->rc == OK;
}

void promql_put_labels(Buf *out, Labels l) {
    buf_put_char(out, '{');
    for (size_t i = 0; i < l.n; i++) {
        if (i) buf_put_lit(out, ", ");
        if (label_name_is_legacy(l.v[i].name))
            buf_put_str(out, l.v[i].name);
        else
            lang_put_quoted(out, l.v[i].name);
        buf_put_char(out, '=');
        lang_put_quoted(out, l.v[i].value);
    }
    buf_put_char(out, '}');
}

void labels_key(Buf *b, Labels l, const StrVec *names, bool on, bool drop_name) {
    buf_clear(b);
    for (size_t i = 0; i < l.n; i++) {
        if (names && names_have(names, l.v[i].name) != on) continue;
        if (drop_name && label_name_is_metadata(l.v[i].name)) continue;
        buf_put_lenstr(b, l.v[i].name);
        buf_put_lenstr(b, l.v[i].value);
    }
}
