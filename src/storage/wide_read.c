/* wide_read.c - opening a wide part: its index, and what can be ruled out without reading columns. */
#include "storage/wide_read_int.h"

#include "base/num.h"
#include "base/vec.h"

static ErrCode bad_index(const WidePart *p, Err *reterr) {
    return err_set(reterr, ERR_CORRUPT, "%s: the index does not hold", part_path(p->part));
}

static bool take_names(WidePart *p, Cursor *c) {
    uint64_t n = cursor_uvarint(c);
    if (c->bad || n > cursor_left(c)) return false;
    p->names = mem_alloc_array(MAX((size_t)n, 1), sizeof *p->names);
    p->n_names = (size_t)n;
    for (size_t i = 0; i < p->n_names; i++) p->names[i] = cursor_lenstr(c);
    return !c->bad;
}

static bool take_block(Str entry, WideBlockEntry *b) {
    Cursor c = cursor_of(entry);
    uint64_t rows = cursor_uvarint(&c);
    b->info.min_t = cursor_svarint(&c);
    b->info.max_t = cursor_svarint(&c);
    b->info.min_group = cursor_uvarint(&c);
    b->info.max_group = cursor_uvarint(&c);
    if (!block_ref_decode(&c, &b->times) || !block_ref_decode(&c, &b->groups)) return false;
    uint64_t fields = cursor_uvarint(&c);
    if (c.bad || rows == 0 || rows > WIDE_BLOCK_ROWS || fields > cursor_left(&c)) return false;
    b->info.rows = (uint32_t)rows;
    b->n_fields = (size_t)fields;
    b->fields = str_of((const char *)c.p, cursor_left(&c));
    return true;
}

static bool take_blocks(WidePart *p, Cursor *c) {
    uint64_t n = cursor_uvarint(c);
    if (c->bad || n > cursor_left(c)) return false;
    p->blocks = mem_alloc_array(MAX((size_t)n, 1), sizeof *p->blocks);
    p->n_blocks = (size_t)n;
    for (size_t i = 0; i < p->n_blocks; i++) {
        Str entry = cursor_lenstr(c);
        if (c->bad || !take_block(entry, &p->blocks[i])) return false;
    }
    return cursor_left(c) == 0;
}

static ErrCode load(WidePart *p, Err *reterr) {
    Cursor c = cursor_of(part_footer(p->part));
    BlockRef user;
    if (cursor_u8(&c) != WIDE_VERSION || c.bad || !take_names(p, &c) || !block_ref_decode(&c, &user) ||
        !take_blocks(p, &c))
        return bad_index(p, reterr);
    return part_block(p->part, &user, p->arena, &p->user, reterr);
}

ErrCode wide_part_open(Part *part, WidePart **ret, Err *reterr) {
    WidePart *p = NEW(WidePart);
    p->part = part;
    p->arena = arena_create(ARENA_UNLIMITED); /* at most one block of 1 GiB */
    ErrCode rc = load(p, reterr);
    if (rc != OK) {
        wide_part_close(p);
        return rc;
    }
    *ret = p;
    return OK;
}

WidePart *wide_part_close(WidePart *p) {
    if (!p) return NULL;
    mem_free(p->names);
    mem_free(p->blocks);
    arena_free(p->arena);
    mem_free(p);
    return NULL;
}

Str wide_part_user(const WidePart *p) { return p->user; }
size_t wide_part_block_count(const WidePart *p) { return p->n_blocks; }

WideBlockInfo wide_part_block_info(const WidePart *p, size_t block) {
    ASSERT(block < p->n_blocks);
    return p->blocks[block].info;
}

size_t wide_part_field_count(const WidePart *p, size_t block) {
    ASSERT(block < p->n_blocks);
    return p->blocks[block].n_fields;
}

bool wide_next_field(const WidePart *p, Cursor *c, WideFieldEntry *ret) {
    return wide_field_entry_decode(c, ret) && ret->name < p->n_names;
}

Str wide_part_field_name(const WidePart *p, size_t block, size_t i) {
    ASSERT(block < p->n_blocks && i < p->blocks[block].n_fields);
    Cursor c = cursor_of(p->blocks[block].fields);
    WideFieldEntry e;
    for (size_t k = 0; k <= i; k++)
        if (!wide_next_field(p, &c, &e)) return STR_NULL;
    return p->names[e.name];
}

WideFind wide_find_field(const WidePart *p, size_t block, Str field, WideFieldEntry *ret) {
    ASSERT(block < p->n_blocks);
    const WideBlockEntry *b = &p->blocks[block];
    Cursor c = cursor_of(b->fields);
    for (size_t i = 0; i < b->n_fields; i++) {
        if (!wide_next_field(p, &c, ret)) return WIDE_FIND_CORRUPT;
        if (str_eq(p->names[ret->name], field)) return WIDE_FIND_YES;
    }
    return WIDE_FIND_NO;
}

/* Filters are stored raw: reading one needs no memory. False when it cannot be read. */
static bool filter_bytes(const WidePart *p, const BlockRef *ref, Str *ret) {
    return ref->codec == 0 && part_block(p->part, ref, NULL, ret, NULL) == OK;
}

static bool only_strings(const WideFieldEntry *e) { return !(e->types & ~(WIDE_STRINGS_MASK | 1u << WIDE_NULL)); }
/* Their text is base64, filters and constants have them as they are. */
static bool has_bytes(const WideFieldEntry *e) { return e->types >> WIDE_BYTES & 1; }

/* Anything unreadable may contain anything: reading the column will say what is wrong. */
bool wide_part_may_contain(const WidePart *p, size_t block, Str field, Str needle) {
    if (needle.n == 0) return true;
    WideFieldEntry e;
    WideFind found = wide_find_field(p, block, field, &e);
    if (found != WIDE_FIND_YES) return found == WIDE_FIND_CORRUPT;
    if (!only_strings(&e) || has_bytes(&e)) return true;
    if (e.flags & WIDE_FIELD_CONST) return str_contains(e.constant.s, needle);
    Str filter;
    if (!(e.flags & WIDE_FIELD_TOKENS) || !filter_bytes(p, &e.tokens, &filter)) return true;
    return wide_filter_has_tokens(filter, needle, true);
}

static bool constant_may_equal(const WideValue *v, Str text) {
    int64_t i;
    switch (v->type) {
    case WIDE_I64: return num_parse_i64(text, &i) && i == v->i;
    case WIDE_BOOL: return v->b ? str_eq_lit(text, "true") : str_eq_lit(text, "false");
    case WIDE_NULL:
    case WIDE_F64: return true;
    default: return str_eq(v->s, text);
    }
}

/* Whether a row may hold the string `value`, as it is stored. */
static bool stored_may_equal(const WidePart *p, const WideFieldEntry *e, Str value) {
    if (e->flags & WIDE_FIELD_CONST) return constant_may_equal(&e->constant, value);
    Str filter;
    if (e->flags & WIDE_FIELD_EXACT && filter_bytes(p, &e->exact, &filter)) return wide_filter_has_value(filter, value);
    if (e->flags & WIDE_FIELD_TOKENS && filter_bytes(p, &e->tokens, &filter))
        return wide_filter_has_tokens(filter, value, false);
    return true;
}

bool wide_part_may_equal(const WidePart *p, size_t block, Str field, Str value) {
    if (value.n == 0) return true; /* an absent field reads as the empty text for some */
    WideFieldEntry e;
    WideFind found = wide_find_field(p, block, field, &e);
    if (found != WIDE_FIND_YES) return found == WIDE_FIND_CORRUPT;
    int64_t i;
    if (e.flags & WIDE_FIELD_RANGE && !(e.flags & WIDE_FIELD_CONST))
        return num_parse_i64(value, &i) && i >= e.min && i <= e.max;
    if (!(e.flags & WIDE_FIELD_CONST) && !only_strings(&e)) return true;
    if (stored_may_equal(p, &e, value)) return true;
    if (!has_bytes(&e)) return false;
    Buf raw = {0};
    bool may = num_parse_base64(value, &raw) && stored_may_equal(p, &e, buf_str(&raw));
    buf_done(&raw);
    return may;
}

unsigned wide_part_field_types(const WidePart *p, size_t block, Str field) {
    WideFieldEntry e;
    WideFind found = wide_find_field(p, block, field, &e);
    if (found != WIDE_FIND_YES) return found == WIDE_FIND_CORRUPT ? ~0u : 0;
    return e.types;
}
