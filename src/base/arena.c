#include "base/arena.h"
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
enum { RED_ZONE_BYTES = 16 };
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
enum { RED_ZONE_BYTES = 0 };
#endif

enum {
    ALIGN_BYTES = 16,
    CHUNK_FIRST_BYTES = 4096,
    CHUNK_MAX_BYTES = 1 << 20,
};

typedef struct Chunk {
    struct Chunk *prev;
    size_t cap;
    _Alignas(ALIGN_BYTES) char data[];
} Chunk;

typedef struct Deferred {
    struct Deferred *prev;
    void (*fn)(void *ctx);
    void *ctx;
} Deferred;

struct Arena {
    char *next, *end; /* free part of the newest chunk */
    char *last;       /* newest allocation: the one that can grow in place */
    size_t used, budget;
    size_t next_chunk_bytes;
    Chunk *chunks;      /* newest first; the last in the list is `first` below */
    Deferred *deferred; /* newest first */
    bool exhausted;
    Chunk *first; /* lives in the same block of memory as the Arena */
};

static size_t align_up(size_t n) { return (n + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1); }

static void use_chunk(Arena *a, Chunk *chunk) {
    a->chunks = chunk;
    a->next = chunk->data;
    a->end = chunk->data + chunk->cap;
    a->last = NULL;
    POISON(chunk->data, chunk->cap);
}

Arena *arena_create(size_t budget_bytes) {
    size_t head = align_up(sizeof(Arena));
    Arena *a = mem_alloc(head + sizeof(Chunk) + CHUNK_FIRST_BYTES);
    *a = (Arena){.budget = budget_bytes, .next_chunk_bytes = 4 * (size_t)CHUNK_FIRST_BYTES};
    a->first = (Chunk *)(void *)((char *)a + head);
    a->first->prev = NULL;
    a->first->cap = CHUNK_FIRST_BYTES;
    use_chunk(a, a->first);
    return a;
}

static void run_deferred(Arena *a) {
    while (a->deferred) {
        Deferred *d = a->deferred;
        a->deferred = d->prev;
        d->fn(d->ctx);
        mem_free(d);
    }
}

static void free_chunks_but_first(Arena *a) {
    while (a->chunks != a->first) {
        Chunk *c = a->chunks;
        a->chunks = c->prev;
        UNPOISON(c->data, c->cap);
        mem_free(c);
    }
}

Arena *arena_free(Arena *arena) {
    if (!arena) return NULL;
    run_deferred(arena);
    free_chunks_but_first(arena);
    UNPOISON(arena->first->data, arena->first->cap);
    mem_free(arena);
    return NULL;
}

void arena_reset(Arena *arena) {
    run_deferred(arena);
    free_chunks_but_first(arena);
    use_chunk(arena, arena->first);
    arena->used = 0;
    arena->exhausted = false;
}

static void *refuse(Arena *a) {
    a->exhausted = true;
    return NULL;
}

/* A chunk with room for `need` bytes. The unused tail of the old one is lost; it is at most as large as
 * what was used, so real memory stays within a small factor of the budget. */
static void add_chunk(Arena *a, size_t need) {
    /* The whole is a power of two: with a few bytes more the allocator's next size would waste a quarter. */
    size_t size = MAX(a->next_chunk_bytes, sizeof(Chunk) + need);
    if (a->next_chunk_bytes < CHUNK_MAX_BYTES) a->next_chunk_bytes *= 2;
    Chunk *c = mem_alloc(size);
    c->prev = a->chunks;
    c->cap = size - sizeof(Chunk);
    use_chunk(a, c);
}

void *arena_alloc(Arena *arena, size_t size_bytes) {
    if (UNLIKELY(size_bytes > SIZE_MAX / 2)) return refuse(arena);
    size_t need = align_up(size_bytes ? size_bytes : 1);
    if (UNLIKELY(need > arena->budget - arena->used)) return refuse(arena);
    if (UNLIKELY(need + RED_ZONE_BYTES > (size_t)(arena->end - arena->next))) add_chunk(arena, need + RED_ZONE_BYTES);
    char *p = arena->next;
    arena->next = p + need + RED_ZONE_BYTES;
    arena->last = p;
    arena->used += need;
    DASSERT(arena->next <= arena->end && arena->used <= arena->budget);
    UNPOISON(p, size_bytes);
    return p;
}

void *arena_alloc_zero(Arena *arena, size_t size_bytes) {
    void *p = arena_alloc(arena, size_bytes);
    if (LIKELY(p)) memset(p, 0, size_bytes);
    return p;
}

void *arena_alloc_array(Arena *arena, size_t count, size_t size_bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, size_bytes, &total)) return refuse(arena);
    return arena_alloc(arena, total);
}

/* True when `old`, the newest allocation, could be stretched to new_bytes. */
static bool grow_in_place(Arena *a, char *old, size_t old_bytes, size_t new_bytes) {
    size_t have = align_up(old_bytes ? old_bytes : 1), need = align_up(new_bytes);
    if (need > have) {
        if (need - have > a->budget - a->used) return false;
        if (need + RED_ZONE_BYTES > (size_t)(a->end - old)) return false;
        a->used += need - have;
        a->next = old + need + RED_ZONE_BYTES;
    }
    UNPOISON(old, new_bytes);
    return true;
}

void *arena_grow(Arena *arena, void *old, size_t old_bytes, size_t new_bytes) {
    if (!old) return arena_alloc(arena, new_bytes);
    if (new_bytes <= old_bytes) return old;
    if (UNLIKELY(new_bytes > SIZE_MAX / 2)) return refuse(arena);
    if (old == arena->last && grow_in_place(arena, old, old_bytes, new_bytes)) return old;
    void *p = arena_alloc(arena, new_bytes);
    if (p && old_bytes) memcpy(p, old, old_bytes);
    return p;
}

Str arena_copy(Arena *arena, Str s) {
    char *p = s.n < SIZE_MAX / 2 ? arena_alloc(arena, s.n + 1) : refuse(arena);
    if (UNLIKELY(!p)) return STR_NULL;
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return str_of(p, s.n);
}

Str arena_copy_utf8(Arena *arena, Str s) {
    if (str_is_utf8(s)) return arena_copy(arena, s);
    Buf b = {0};
    buf_put_utf8(&b, s);
    Str copy = arena_copy(arena, buf_str(&b));
    buf_done(&b);
    return copy;
}

Str arena_printf(Arena *arena, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    char *p = arena_alloc(arena, (size_t)n + 1);
    if (!p) return STR_NULL;
    va_start(args, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, args);
    va_end(args);
    return str_of(p, (size_t)n);
}

bool arena_exhausted(const Arena *arena) { return arena->exhausted; }

size_t arena_used_bytes(const Arena *arena) { return arena->used; }

size_t arena_left_bytes(const Arena *arena) { return arena->budget - arena->used; }

static void free_adopted(void *child) { (void)arena_free(child); }

bool arena_adopt(Arena *parent, Arena *child) {
    size_t left = arena_left_bytes(parent), more = child->used;
    arena_defer(parent, free_adopted, child);
    parent->used += MIN(left, more);
    if (more > left) parent->exhausted = true;
    return more <= left;
}

void arena_defer(Arena *arena, void (*fn)(void *ctx), void *ctx) {
    ASSERT(fn);
    Deferred *d = NEW(Deferred);
    *d = (Deferred){.prev = arena->deferred, .fn = fn, .ctx = ctx};
    arena->deferred = d;
}
