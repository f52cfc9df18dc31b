/* arena.h - bump allocation with a byte budget; one arena per request, query or batch.
 *
 * arena_alloc gives NULL when the budget is used up; callers turn that into ERR_TOO_LARGE. After
 * the first refusal arena_exhausted() stays true, so a decoder may check once per record.
 * Not thread-safe. Blocks are poisoned for ASan until handed out. */
#ifndef MEERKAT_BASE_ARENA_H
#define MEERKAT_BASE_ARENA_H

#include "base/base.h"
#include "base/str.h"

typedef struct Arena Arena;

#define ARENA_UNLIMITED SIZE_MAX

ATTR_MUST Arena *arena_create(size_t budget_bytes);
Arena *arena_free(Arena *arena); /* NULL is fine; returns NULL */
void arena_reset(Arena *arena);  /* frees all contents, keeps one chunk for reuse */
/* 16-byte aligned, not zeroed. size 0 gives a valid unique pointer. */
ATTR_MUST void *arena_alloc(Arena *arena, size_t size_bytes);
ATTR_MUST void *arena_alloc_zero(Arena *arena, size_t size_bytes);
ATTR_MUST void *arena_alloc_array(Arena *arena, size_t count, size_t size_bytes); /* overflow gives NULL */
/* Grows the newest allocation in place where it can, else copies. old may be NULL. */
ATTR_MUST void *arena_grow(Arena *arena, void *old, size_t old_bytes, size_t new_bytes);
/* Copies of bytes; the copy is followed by a NUL that does not count. p == NULL on exhaustion. */
ATTR_MUST Str arena_copy(Arena *arena, Str s);
ATTR_MUST Str arena_copy_utf8(Arena *arena, Str s); /* with U+FFFD for bytes that are no UTF-8 */
ATTR_MUST Str arena_printf(Arena *arena, const char *fmt, ...) ATTR_PRINTF(2, 3);
bool arena_exhausted(const Arena *arena);
size_t arena_used_bytes(const Arena *arena); /* as counted against the budget */
size_t arena_left_bytes(const Arena *arena); /* of the budget */
/* child lives on as part of parent (freed with it) and counts against its budget; false when that is used up by it,
 * which arena_exhausted tells as well. */
bool arena_adopt(Arena *parent, Arena *child);
/* Runs fn(ctx) at arena_reset/arena_free, last registered first (files, references). */
void arena_defer(Arena *arena, void (*fn)(void *ctx), void *ctx);

#define ARENA_NEW(a, T) ((T *)arena_alloc_zero((a), sizeof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_alloc_array((a), (n), sizeof(T)))

#endif
