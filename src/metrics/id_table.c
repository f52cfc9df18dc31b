#include "metrics/id_table.h"

#define BITS_MIN 10

static void init(IdTable *t, unsigned bits) {
    size_t slots = (size_t)1 << bits;
    *t = (IdTable){.tags = mem_alloc_zero(slots), .ids = mem_alloc_array(slots, sizeof *t->ids), .bits = bits};
}

void id_table_init(IdTable *t) { init(t, BITS_MIN); }

void id_table_done(IdTable *t) {
    mem_free(t->tags);
    mem_free(t->ids);
}

void id_table_clear(IdTable *t) {
    id_table_done(t);
    id_table_init(t);
}

static uint8_t tag_of(uint64_t hash) { return (uint8_t)hash ? (uint8_t)hash : 1; }

static void put(IdTable *t, uint64_t hash, uint32_t id) {
    size_t mask = ((size_t)1 << t->bits) - 1, at = (size_t)(hash >> (64 - t->bits));
    while (t->tags[at]) at = (at + 1) & mask;
    t->tags[at] = tag_of(hash);
    t->ids[at] = id;
    t->n++;
}

static void grow(IdTable *t, IdHashFn hash_of, void *ctx) {
    IdTable bigger;
    init(&bigger, t->bits + 1);
    for (size_t i = 0; i < (size_t)1 << t->bits; i++)
        if (t->tags[i]) put(&bigger, hash_of(ctx, t->ids[i]), t->ids[i]);
    id_table_done(t);
    *t = bigger;
}

void id_table_put(IdTable *t, uint64_t hash, uint32_t id, IdHashFn hash_of, void *ctx) {
    if (t->n + t->n / 4 >= (size_t)1 << t->bits) grow(t, hash_of, ctx);
    put(t, hash, id);
}

uint32_t id_table_next(const IdTable *t, uint64_t hash, size_t *it) {
    size_t mask = ((size_t)1 << t->bits) - 1;
    uint8_t tag = tag_of(hash);
    *it = *it == SIZE_MAX ? (size_t)(hash >> (64 - t->bits)) : (*it + 1) & mask;
    for (; t->tags[*it]; *it = (*it + 1) & mask)
        if (t->tags[*it] == tag) return t->ids[*it];
    return UINT32_MAX;
}
