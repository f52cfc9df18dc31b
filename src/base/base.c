#include "base/base.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

typedef void (*PanicHook)(const char *file, int line, const char *func, const char *what);

static _Atomic(PanicHook) panic_hook;

void base_set_panic_hook(void (*hook)(const char *file, int line, const char *func, const char *what)) {
    atomic_store(&panic_hook, hook);
}

void base_panic(const char *file, int line, const char *func, const char *what) {
    PanicHook hook = atomic_load(&panic_hook);
    if (hook) {
        hook(file, line, func, what);
    } else {
        fprintf(stderr, "meerkat: panic at %s:%d in %s: %s\n", file, line, func, what);
        fflush(stderr);
    }
    abort();
}

/* malloc(0) may be NULL, which would look like exhaustion. */
static size_t at_least_one(size_t n) { return n ? n : 1; }

static size_t product_or_panic(size_t count, size_t size_bytes) {
    size_t total;
    if (__builtin_mul_overflow(count, size_bytes, &total))
        base_panic(__FILE__, __LINE__, __func__, "allocation size overflows");
    return total;
}

static void *checked(void *p) {
    if (UNLIKELY(!p)) base_panic(__FILE__, __LINE__, __func__, "out of memory");
    return p;
}

void *mem_alloc(size_t size_bytes) { return checked(malloc(at_least_one(size_bytes))); }

void *mem_alloc_zero(size_t size_bytes) { return checked(calloc(1, at_least_one(size_bytes))); }

void *mem_alloc_array(size_t count, size_t size_bytes) { return mem_alloc(product_or_panic(count, size_bytes)); }

void *mem_realloc_array(void *ptr, size_t count, size_t size_bytes) {
    return checked(realloc(ptr, at_least_one(product_or_panic(count, size_bytes))));
}

void mem_free(void *ptr) { free(ptr); }
