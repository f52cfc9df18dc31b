/* base.h - the few macros every file may use: attributes, assertions, memory.
 *
 * Room base uses libc only. Nothing in it performs I/O except log.h's default sink. */
#ifndef MEERKAT_BASE_BASE_H
#define MEERKAT_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATTR_MUST __attribute__((warn_unused_result))
#define ATTR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ATTR_NORETURN __attribute__((noreturn))
#define ATTR_UNUSED __attribute__((unused))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Assertions stay on in production: a broken invariant must stop the process before it reaches
 * the disk. DASSERT is for inner loops and lives in debug and sanitizer builds only. */
#define ASSERT(cond) (UNLIKELY(!(cond)) ? base_panic(__FILE__, __LINE__, __func__, #cond) : (void)0)
#ifdef NDEBUG
#define DASSERT(cond) ((void)sizeof(cond))
#else
#define DASSERT(cond) ASSERT(cond)
#endif
#define UNREACHABLE() base_panic(__FILE__, __LINE__, __func__, "unreachable")

/* Prints where and what, then aborts (the crash reporter of room self turns that into a report). */
ATTR_NORETURN void base_panic(const char *file, int line, const char *func, const char *what);
/* The hook is called in place of the message (the crash reporter, tests that leave by longjmp);
 * when it returns the process aborts all the same. NULL restores the message. */
void base_set_panic_hook(void (*hook)(const char *file, int line, const char *func, const char *what));

/* Long-lived small memory. Never return NULL: when the machine has no memory left the process
 * stops with a report. Memory whose size a stranger chooses comes from an Arena with a budget.
 * mem_free accepts NULL. mem_realloc_array and mem_alloc_array panic on multiplication overflow. */
ATTR_MUST void *mem_alloc(size_t size_bytes);
ATTR_MUST void *mem_alloc_zero(size_t size_bytes);
ATTR_MUST void *mem_alloc_array(size_t count, size_t size_bytes);
ATTR_MUST void *mem_realloc_array(void *ptr, size_t count, size_t size_bytes);
void mem_free(void *ptr);

#define NEW(T) ((T *)mem_alloc_zero(sizeof(T)))

#endif
