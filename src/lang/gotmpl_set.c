/* gotmpl_set.c - the templates of a set by name, and the functions they may call. */
#include "lang/gotmpl_int.h"

#include <stdlib.h>

GoTmpl *gotmpl_create(const GoFunc *funcs, size_t n_funcs, bool missing_zero) {
    GoTmpl *t = NEW(GoTmpl);
    t->funcs = funcs;
    t->n_funcs = n_funcs;
    t->missing_zero = missing_zero;
    t->arena = arena_create(64u << 20);
    t->trees = map_create(MAP_COPY_KEYS);
    return t;
}

GoTmpl *gotmpl_create_on(const GoTmpl *base) {
    GoTmpl *t = gotmpl_create(base->funcs, base->n_funcs, base->missing_zero);
    t->base = base;
    return t;
}

GoTmpl *gotmpl_free(GoTmpl *t) {
    if (!t) return NULL;
    map_free(t->trees);
    arena_free(t->arena);
    mem_free(t);
    return NULL;
}

const TmplNode *gotmpl_find(const GoTmpl *t, Str name) {
    for (; t; t = t->base) {
        const TmplNode *n = map_get_ptr(t->trees, name);
        if (n) return n;
    }
    return NULL;
}

bool gotmpl_has(const GoTmpl *t, Str name) { return gotmpl_find(t, name) != NULL; }

const GoFunc *gotmpl_find_func(const GoTmpl *t, Str name) {
    for (size_t i = 0; i < t->n_funcs; i++)
        if (str_eq(t->funcs[i].name, name)) return &t->funcs[i];
    for (size_t i = 0; i < gotmpl_n_builtins; i++)
        if (str_eq(gotmpl_builtins[i].name, name)) return &gotmpl_builtins[i];
    const GoFunc *const special[] = {&gotmpl_and, &gotmpl_or, &gotmpl_call};
    for (size_t i = 0; i < ARRAY_LEN(special); i++)
        if (str_eq(special[i]->name, name)) return special[i];
    return NULL;
}

static int compare_names(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

void gotmpl_names(const GoTmpl *t, void (*fn)(void *ctx, Str name), void *ctx) {
    VEC(Str) names = {0};
    for (; t; t = t->base) {
        size_t it = 0;
        Str k;
        uint64_t *v;
        while (map_next(t->trees, &it, &k, &v)) vec_push(&names, k);
    }
    if (names.n) qsort(names.v, names.n, sizeof *names.v, compare_names);
    for (size_t i = 0; i < names.n; i++)
        if (!i || !str_eq(names.v[i - 1], names.v[i])) fn(ctx, names.v[i]);
    vec_done(&names);
}
