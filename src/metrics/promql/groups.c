#include "metrics/promql/groups.h"

#include "base/hash.h"

#define SHAPE_MAX 48 /* labels of a series that is looked at by place; longer ones by their text */

/* Where a group's labels lie: one of possibly several places with the same text. */
typedef struct Alias {
    size_t first, n; /* of labels */
    size_t group;
    size_t next; /* with the same hash, + 1 */
} Alias;

struct GroupMap {
    const StrVec *names;
    bool on, drop_name;
    /* The series before: series of one metric have the same names. */
    const char *shape[SHAPE_MAX];
    size_t shape_n, n_places;
    uint8_t places[SHAPE_MAX]; /* which of its labels count */
    U64Map *by_place;          /* hash -> alias + 1 */
    VEC(Alias) aliases;
    VEC(Label) labels;
    Map *by_text;
    Buf key;
};

GroupMap *group_map_create(const StrVec *names, bool on, bool drop_name) {
    GroupMap *m = NEW(GroupMap);
    *m = (GroupMap){.names = names, .on = on, .drop_name = drop_name, .shape_n = SIZE_MAX};
    m->by_place = u64map_create();
    m->by_text = map_create(MAP_COPY_KEYS);
    return m;
}

GroupMap *group_map_free(GroupMap *m) {
    if (!m) return NULL;
    u64map_free(m->by_place);
    map_free(m->by_text);
    vec_done(&m->aliases);
    vec_done(&m->labels);
    buf_done(&m->key);
    mem_free(m);
    return NULL;
}

size_t group_map_count(const GroupMap *m) { return map_count(m->by_text); }

static bool counts(const GroupMap *m, Str name) {
    if (m->drop_name && label_name_is_metadata(name)) return false;
    for (size_t i = 0; i < m->names->n; i++)
        if (str_eq(m->names->v[i], name)) return m->on;
    return !m->on;
}

static void look_at_shape(GroupMap *m, Labels l) {
    bool same = m->shape_n == l.n;
    for (size_t i = 0; same && i < l.n; i++) same = m->shape[i] == l.v[i].name.p;
    if (same) return;
    m->shape_n = l.n;
    m->n_places = 0;
    for (size_t i = 0; i < l.n; i++) {
        m->shape[i] = l.v[i].name.p;
        if (counts(m, l.v[i].name)) m->places[m->n_places++] = (uint8_t)i;
    }
}

static bool is_alias(const GroupMap *m, const Alias *a, Labels l) {
    if (a->n != m->n_places) return false;
    for (size_t i = 0; i < a->n; i++) {
        const Label *x = &m->labels.v[a->first + i], *y = &l.v[m->places[i]];
        if (x->value.p != y->value.p || x->value.n != y->value.n || x->name.p != y->name.p) return false;
    }
    return true;
}

static size_t find_text(GroupMap *m, Labels l, bool *ret_new) {
    labels_key(&m->key, l, m->names, m->on, m->drop_name);
    uint64_t *slot = map_put(m->by_text, buf_str(&m->key), ret_new);
    if (*ret_new) *slot = map_count(m->by_text) - 1;
    return *slot;
}

static void add_alias(GroupMap *m, uint64_t *slot, Labels l, size_t group) {
    vec_push(&m->aliases, (Alias){.first = m->labels.n, .n = m->n_places, .group = group, .next = *slot});
    for (size_t i = 0; i < m->n_places; i++) vec_push(&m->labels, l.v[m->places[i]]);
    *slot = m->aliases.n;
}

size_t group_map_find(GroupMap *m, Labels l, bool *ret_new) {
    if (l.n > SHAPE_MAX) return find_text(m, l, ret_new);
    look_at_shape(m, l);
    uint64_t hash = m->n_places;
    for (size_t i = 0; i < m->n_places; i++)
        hash = hash_u64(hash ^ (uint64_t)(uintptr_t)l.v[m->places[i]].value.p) + l.v[m->places[i]].value.n;
    uint64_t *slot = u64map_put(m->by_place, hash, NULL);
    *ret_new = false;
    for (size_t a = *slot; a; a = m->aliases.v[a - 1].next)
        if (is_alias(m, &m->aliases.v[a - 1], l)) return m->aliases.v[a - 1].group;
    size_t group = find_text(m, l, ret_new);
    add_alias(m, slot, l, group);
    return group;
}
