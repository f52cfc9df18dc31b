/* vec.h - the one growable array. VEC(T) is an anonymous struct {T *v; size_t n, cap}; for a named
 * type write `typedef VEC(Label) LabelVec;`. Zero-initialised is empty. Heap memory. */
#ifndef MEERKAT_BASE_VEC_H
#define MEERKAT_BASE_VEC_H

#include "base/arena.h"
#include "base/base.h"

#define VEC(T)                                                                                                         \
    struct {                                                                                                           \
        T *v;                                                                                                          \
        size_t n, cap;                                                                                                 \
    }

#define vec_done(vec) (mem_free((vec)->v), (vec)->v = NULL, (vec)->n = (vec)->cap = 0, (void)0)
#define vec_clear(vec) ((void)((vec)->n = 0))
#define vec_reserve(vec, extra)                                                                                        \
    ((void)((vec)->n + (extra) > (vec)->cap                                                                            \
                ? ((vec)->v = vec_grow_((vec)->v, (vec)->n + (extra), &(vec)->cap, sizeof *(vec)->v))                  \
                : (vec)->v))
#define vec_push(vec, ...)                                                                                             \
    do {                                                                                                               \
        vec_reserve((vec), 1);                                                                                         \
        (vec)->v[(vec)->n++] = (__VA_ARGS__);                                                                          \
    } while (0)
#define vec_pop(vec) (ASSERT((vec)->n > 0), (vec)->v[--(vec)->n])
#define vec_last(vec) (ASSERT((vec)->n > 0), &(vec)->v[(vec)->n - 1])
#define vec_foreach(T, it, vec) for (T *it = (vec)->v; (vec)->n > 0 && it != (vec)->v + (vec)->n; it++)

ATTR_MUST void *vec_grow_(void *v, size_t need, size_t *cap, size_t item_bytes);

/* Arena twin: AVEC lives in an arena; avec_push is an expression that is false when the budget is used up. */
#define AVEC(T) VEC(T)
#define avec_reserve(arena, vec, extra)                                                                                \
    ((vec)->n + (extra) <= (vec)->cap ||                                                                               \
        avec_grow_((arena), (void **)(void *)&(vec)->v, (vec)->n + (extra), &(vec)->cap, sizeof *(vec)->v))
#define avec_push(arena, vec, ...) (avec_reserve((arena), (vec), 1) && ((vec)->v[(vec)->n++] = (__VA_ARGS__), true))

ATTR_MUST bool avec_grow_(Arena *arena, void **v, size_t need, size_t *cap, size_t item_bytes);

#endif
