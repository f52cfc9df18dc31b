/* sd_build.c - label sets of targets as sources put them together. */
#include "metrics/sd/sd_int.h"

#include <stdlib.h>

SdBuilder sd_builder(void) { return (SdBuilder){.arena = arena_create(SD_ARENA_BYTES_MAX)}; }

void sd_builder_done(SdBuilder *b) {
    arena_free(b->arena);
    *b = (SdBuilder){0};
}

static void set(SdBuilder *b, Label *v, size_t n, Str name, Str value, bool *ret_found) {
    (void)b;
    *ret_found = false;
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(v[i].name, name)) continue;
        v[i].value = value;
        *ret_found = true;
        return;
    }
}

void sd_group_begin(SdBuilder *b) { vec_clear(&b->group); }

void sd_group_set(SdBuilder *b, Str name, Str value) {
    bool found;
    set(b, b->group.v, b->group.n, name, value, &found);
    if (!found && !avec_push(b->arena, &b->group, (Label){name, value})) b->exhausted = true;
}

void sd_target_begin(SdBuilder *b) { vec_clear(&b->target); }

void sd_target_set(SdBuilder *b, Str name, Str value) {
    bool found;
    set(b, b->target.v, b->target.n, name, value, &found);
    if (!found && !avec_push(b->arena, &b->target, (Label){name, value})) b->exhausted = true;
}

static bool has(const SdBuilder *b, Str name) {
    for (size_t i = 0; i < b->target.n; i++) {
        if (str_eq(b->target.v[i].name, name)) return true;
    }
    return false;
}

static int by_name(const void *a, const void *b) { return str_cmp(((const Label *)a)->name, ((const Label *)b)->name); }

void sd_target_end(SdBuilder *b) {
    Label *v = ARENA_ARRAY(b->arena, Label, b->target.n + b->group.n);
    size_t n = 0;
    if (!v) {
        b->exhausted = true;
        return;
    }
    for (size_t i = 0; i < b->target.n; i++) {
        if (b->target.v[i].value.n) v[n++] = b->target.v[i];
    }
    for (size_t i = 0; i < b->group.n; i++) {
        if (b->group.v[i].value.n && !has(b, b->group.v[i].name)) v[n++] = b->group.v[i];
    }
    if (n > 1) qsort(v, n, sizeof *v, by_name);
    if (!avec_push(b->arena, &b->targets, (Labels){v, n})) b->exhausted = true;
}

Str sd_copy(SdBuilder *b, Str s) {
    Str copy = arena_copy(b->arena, s);
    if (!copy.p) b->exhausted = true;
    return copy;
}

Str sd_name(SdBuilder *b, Str prefix, Str rest) {
    char *p = arena_alloc(b->arena, prefix.n + rest.n + 1);
    if (!p) {
        b->exhausted = true;
        return STR_NULL;
    }
    size_t n = prefix.n;
    memcpy(p, prefix.p, prefix.n);
    for (size_t i = 0; i < rest.n; i++) {
        char c = rest.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (((unsigned char)c & 0xc0) == 0x80) continue; /* one _ for a character of several bytes */
        p[n++] = word ? c : '_';
    }
    return str_of(p, n);
}

Str sd_host_port(SdBuilder *b, Str host, uint64_t port) {
    bool v6 = str_find_char(host, ':') != SIZE_MAX;
    Str s = arena_printf(
        b->arena, v6 ? "[%" STR_FMT "]:%llu" : "%" STR_FMT ":%llu", STR_ARG(host), (unsigned long long)port);
    if (!s.p) b->exhausted = true;
    return s;
}

Str sd_number(SdBuilder *b, uint64_t v) {
    Str s = arena_printf(b->arena, "%llu", (unsigned long long)v);
    if (!s.p) b->exhausted = true;
    return s;
}
