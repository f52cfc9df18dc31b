/* wide_write.c - collecting rows into a block, and writing a block's columns. */
#include "storage/wide_int.h"

#include "base/map.h"
#include "base/vec.h"
#include "storage/column.h"

#define ROW_BYTES_MAX ((size_t)256 << 20)
#define CONST_BYTES_MAX 256 /* longer constants get a column: the index stays small */

#define NAME_SLOTS 1024 /* a power of two */

/* The first and the last eight bytes of a name; all of one that has at most sixteen. */
typedef struct NameEnds {
    uint64_t head, tail;
} NameEnds;

typedef struct Column { /* a field of the open block: only the rows that have it */
    Str name;           /* in the part's names */
    NameEnds ends;
    uint32_t name_number;
    VEC(uint32_t) rows;
    VEC(WideValue) values; /* as many */
} Column;

struct WideWriter {
    PartWriter *part;
    int level;
    Map *filter_fields;
    Map *names;         /* name -> number in the part */
    VEC(Str) name_list; /* slices of name_arena */
    Arena *name_arena;
    /* The open block. Columns are kept from block to block for their memory: only the first n_columns are in use. */
    char *text; /* strings, WIDE_BLOCK_BYTES of them */
    size_t text_bytes;
    Arena *arena;              /* strings of a row that is larger than a block should be */
    Map *columns;              /* name -> index */
    uint16_t lead[NAME_SLOTS]; /* by a few bytes of the name: index + 1 of the column that had them last */
    VEC(Column) cols;
    size_t n_columns;
    VEC(int64_t) times;
    VEC(uint64_t) groups;
    size_t raw_bytes;
    /* Scratch for writing a block. */
    WideScratch scratch;
    WideFilter *filter;
    Buf encoded, fields;
    /* The index so far. */
    Buf index;
    uint64_t blocks;
};

ErrCode wide_writer_create(Fs *fs, const char *path, int zstd_level, WideWriter **ret, Err *reterr) {
    PartWriter *part;
    ErrCode rc = part_writer_create(fs, path, &part, reterr);
    if (rc != OK) return rc;
    WideWriter *w = NEW(WideWriter);
    w->part = part;
    w->level = zstd_level;
    w->filter_fields = map_create(MAP_COPY_KEYS);
    w->names = map_create(MAP_COPY_KEYS);
    w->name_arena = arena_create(ARENA_UNLIMITED);
    w->arena = arena_create(ARENA_UNLIMITED);
    w->columns = map_create(MAP_BORROW_KEYS);
    w->text = mem_alloc(WIDE_BLOCK_BYTES);
    w->filter = wide_filter_create();
    *ret = w;
    return OK;
}

void wide_writer_filter_field(WideWriter *w, Str name) {
    ASSERT(w->blocks == 0 && w->times.n == 0);
    *map_put(w->filter_fields, name, NULL) = 1;
}

WideWriter *wide_writer_free(WideWriter *w) {
    if (!w) return NULL;
    part_writer_free(w->part);
    map_free(w->filter_fields);
    map_free(w->names);
    vec_done(&w->name_list);
    arena_free(w->name_arena);
    arena_free(w->arena);
    map_free(w->columns);
    vec_foreach(Column, c, &w->cols) {
        vec_done(&c->rows);
        vec_done(&c->values);
    }
    vec_done(&w->cols);
    vec_done(&w->times);
    vec_done(&w->groups);
    mem_free(w->text);
    wide_scratch_done(&w->scratch);
    wide_filter_free(w->filter);
    buf_done(&w->encoded);
    buf_done(&w->fields);
    buf_done(&w->index);
    mem_free(w);
    return NULL;
}

size_t wide_writer_block_rows(const WideWriter *w) { return w->times.n; }

/* --- rows --- */

static uint32_t name_number(WideWriter *w, Str name) {
    bool fresh;
    uint64_t *slot = map_put(w->names, name, &fresh);
    if (fresh) {
        *slot = w->name_list.n;
        Str copy = arena_copy(w->name_arena, name);
        vec_push(&w->name_list, copy);
    }
    return (uint32_t)*slot;
}

static inline NameEnds name_ends(Str name) {
    NameEnds e = {0, 0};
    if (name.n >= 8) {
        memcpy(&e.head, name.p, 8);
        memcpy(&e.tail, name.p + name.n - 8, 8);
    } else {
        for (size_t i = 0; i < name.n; i++) e.head = e.head << 8 | (uint8_t)name.p[i];
    }
    return e;
}

static uint32_t column_of(WideWriter *w, Str name) {
    const uint64_t *known = map_get(w->columns, name);
    if (known) return (uint32_t)*known;
    if (w->n_columns == w->cols.n) vec_push(&w->cols, (Column){0});
    uint32_t i = (uint32_t)w->n_columns++;
    Column *c = &w->cols.v[i];
    c->name_number = name_number(w, name);
    c->name = w->name_list.v[c->name_number];
    c->ends = name_ends(name);
    *map_put(w->columns, c->name, NULL) = i;
    return i;
}

/* Tells the names of one kind of rows apart: they differ in length, at the beginning or at the end. */
static inline size_t name_slot(size_t n, NameEnds e) {
    uint64_t mixed = (e.head ^ (e.tail << 23 | e.tail >> 41) ^ n) * UINT64_C(0x9E3779B97F4A7C15);
    return mixed >> 32 & (NAME_SLOTS - 1);
}

static inline bool is_named(const Column *c, Str name, NameEnds e) {
    if (c->name.n != name.n || c->ends.head != e.head || c->ends.tail != e.tail) return false;
    return name.n <= 16 || memcmp(c->name.p + 8, name.p + 8, name.n - 16) == 0;
}

/* As column_of; a guess is checked against the name before the map is asked. */
static inline Column *find_column(WideWriter *w, Str name) {
    NameEnds e = name_ends(name);
    uint16_t *lead = &w->lead[name_slot(name.n, e)];
    if (LIKELY(*lead && is_named(&w->cols.v[*lead - 1], name, e))) return &w->cols.v[*lead - 1];
    uint32_t i = column_of(w, name);
    if (i < UINT16_MAX) *lead = (uint16_t)(i + 1);
    return &w->cols.v[i];
}

static size_t value_bytes(const WideValue *v) { return wide_type_is_string(v->type) ? v->s.n : 8; }

/* prev: what the column had last; the same again takes no room. */
static const char *keep_text(WideWriter *w, Str s, const WideValue *prev) {
    if (s.n == 0) return w->text;
    bool like_prev = prev && wide_type_is_string(prev->type) && prev->s.n == s.n && prev->s.p[s.n - 1] == s.p[s.n - 1];
    if (like_prev && memcmp(prev->s.p, s.p, s.n) == 0) return prev->s.p;
    if (UNLIKELY(s.n > WIDE_BLOCK_BYTES - w->text_bytes)) return arena_copy(w->arena, s).p;
    char *to = w->text + w->text_bytes;
    memcpy(to, s.p, s.n);
    w->text_bytes += s.n;
    return to;
}

static void put_value(WideWriter *w, uint32_t row, const WideField *f) {
    Column *c = find_column(w, f->name);
    size_t at = c->rows.n;
    if (at > 0 && c->rows.v[at - 1] == row) {
        at--; /* names are unique by contract; the last one wins */
    } else {
        vec_push(&c->rows, row);
        vec_reserve(&c->values, 1);
        c->values.n++;
    }
    /* Member by member: a whole value read back right after its parts were written would wait for them. */
    WideValue *to = &c->values.v[at];
    to->type = f->value.type;
    if (wide_type_is_string(to->type)) {
        to->s.p = keep_text(w, f->value.s, at > 0 ? to - 1 : NULL);
        to->s.n = f->value.s.n;
    } else if (to->type == WIDE_BOOL) {
        to->b = f->value.b;
    } else if (to->type == WIDE_F64) {
        to->d = f->value.d;
    } else {
        to->i = f->value.i;
    }
}

ErrCode wide_writer_row(WideWriter *w, int64_t t, uint64_t group, const WideField *fields, size_t n, Err *reterr) {
    size_t bytes = 16;
    for (size_t i = 0; i < n; i++) bytes += fields[i].name.n + value_bytes(&fields[i].value);
    if (bytes > ROW_BYTES_MAX) return err_set(reterr, ERR_TOO_LARGE, "a row of %zu bytes is over the limit", bytes);
    if (w->times.n > 0 && w->raw_bytes + bytes > WIDE_BLOCK_BYTES) {
        ErrCode rc = wide_writer_cut(w, reterr);
        if (rc != OK) return rc;
    }
    uint32_t row = (uint32_t)w->times.n;
    for (size_t i = 0; i < n; i++)
        if (fields[i].value.type != WIDE_NULL) put_value(w, row, &fields[i]);
    vec_push(&w->times, t);
    vec_push(&w->groups, group);
    w->raw_bytes += bytes;
    return w->times.n == WIDE_BLOCK_ROWS ? wide_writer_cut(w, reterr) : OK;
}

/* --- blocks --- */

static ErrCode put_encoded(WideWriter *w, int level, BlockRef *ret, Err *reterr) {
    ErrCode rc = part_writer_block(w->part, buf_str(&w->encoded), level, ret, reterr);
    buf_clear(&w->encoded);
    return rc;
}

/* words: every string of the column. */
static ErrCode write_filters(
    WideWriter *w, const Column *c, const Str *words, size_t n, WideFieldEntry *e, Err *reterr) {
    if (!(e->types & WIDE_STRINGS_MASK)) return OK;
    size_t text_bytes = 0;
    vec_foreach(WideValue, v, &c->values) text_bytes += wide_type_is_string(v->type) ? v->s.n : 0;
    for (size_t i = 0; i < n; i++) wide_filter_add_tokens(w->filter, words[i]);
    wide_filter_finish(w->filter, &w->encoded);
    /* A filter as large as what it spares reading is none. */
    if (w->encoded.n <= text_bytes / 4 + 64) {
        e->flags |= WIDE_FIELD_TOKENS;
        ErrCode rc = put_encoded(w, 0, &e->tokens, reterr);
        if (rc != OK) return rc;
    }
    buf_clear(&w->encoded);
    if (!map_get(w->filter_fields, c->name)) return OK;
    for (size_t i = 0; i < n; i++) wide_filter_add_value(w->filter, words[i]);
    wide_filter_finish(w->filter, &w->encoded);
    e->flags |= WIDE_FIELD_EXACT;
    return put_encoded(w, 0, &e->exact, reterr);
}

static bool is_same(const WideValue *a, const WideValue *b) {
    if (a->type == b->type && wide_type_is_string(a->type) && a->s.p == b->s.p && a->s.n == b->s.n) return true;
    return wide_value_eq(a, b);
}

/* What can be said without the column: types, constant, range. */
static WideFieldEntry describe(const Column *c, size_t rows) {
    WideFieldEntry e = {.name = c->name_number, .min = INT64_MAX, .max = INT64_MIN};
    bool same = c->values.n == rows;
    const WideValue *first = &c->values.v[0];
    vec_foreach(WideValue, v, &c->values) {
        e.types |= (uint8_t)(1u << v->type);
        if (v->type == WIDE_I64) {
            e.min = MIN(e.min, v->i);
            e.max = MAX(e.max, v->i);
        }
        same = same && is_same(v, first);
    }
    if (c->values.n < rows) e.types |= 1u << WIDE_NULL;
    if ((e.types & ~(1u << WIDE_NULL)) == 1u << WIDE_I64) e.flags |= WIDE_FIELD_RANGE;
    if (same && value_bytes(first) <= CONST_BYTES_MAX) {
        e.flags |= WIDE_FIELD_CONST;
        e.constant = *first;
    }
    return e;
}

static ErrCode write_column(WideWriter *w, const Column *c, Err *reterr) {
    WideFieldEntry e = describe(c, w->times.n);
    ErrCode rc = OK;
    if (!(e.flags & WIDE_FIELD_CONST)) {
        WideScratch *x = &w->scratch;
        wide_column_encode(&w->encoded, &(WideValues){c->rows.v, c->values.v, c->values.n}, w->times.n, x);
        rc = put_encoded(w, w->level, &e.column, reterr);
        if (rc == OK) rc = write_filters(w, c, x->words, x->n_words, &e, reterr);
    }
    if (rc == OK) wide_field_entry_encode(&w->fields, &e);
    return rc;
}

static ErrCode put_overflow_column(WideWriter *w, const Column *cols, size_t n, BlockRef *ret, Err *reterr) {
    size_t total = 0, k = 0;
    for (size_t i = 0; i < n; i++) total += cols[i].values.n;
    uint32_t *rows = mem_alloc_array(total, sizeof *rows);
    Str *names = mem_alloc_array(total, sizeof *names);
    WideValue *values = mem_alloc_array(total, sizeof *values);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < cols[i].values.n; j++, k++) {
            rows[k] = cols[i].rows.v[j];
            names[k] = cols[i].name;
            values[k] = cols[i].values.v[j];
        }
    }
    wide_overflow_encode(&w->encoded, &(WideOverflow){total, rows, names, values}, &w->scratch);
    mem_free(rows);
    mem_free(names);
    mem_free(values);
    return put_encoded(w, w->level, ret, reterr);
}

static ErrCode write_overflow(WideWriter *w, const Column *cols, size_t n, Err *reterr) {
    BlockRef ref;
    ErrCode rc = put_overflow_column(w, cols, n, &ref, reterr);
    VEC(Str) words = {0};
    for (size_t i = 0; i < n && rc == OK; i++) {
        WideFieldEntry e = describe(&cols[i], w->times.n);
        e.flags = (uint8_t)((e.flags & ~WIDE_FIELD_CONST) | WIDE_FIELD_OVERFLOW);
        e.column = ref;
        vec_clear(&words);
        vec_foreach(WideValue, v, &cols[i].values) {
            if (wide_type_is_string(v->type)) vec_push(&words, v->s);
        }
        rc = write_filters(w, &cols[i], words.v, words.n, &e, reterr);
        if (rc == OK) wide_field_entry_encode(&w->fields, &e);
    }
    vec_done(&words);
    return rc;
}

static ErrCode write_columns(WideWriter *w, BlockRef *ret_times, BlockRef *ret_groups, Err *reterr) {
    column_encode_i64(&w->encoded, w->times.v, w->times.n);
    ErrCode rc = put_encoded(w, w->level, ret_times, reterr);
    if (rc != OK) return rc;
    int64_t *groups = (int64_t *)w->groups.v; /* signed and unsigned forms of one type may alias */
    column_encode_i64(&w->encoded, groups, w->groups.n);
    rc = put_encoded(w, w->level, ret_groups, reterr);
    size_t own = w->n_columns > WIDE_COLUMNS_MAX ? WIDE_COLUMNS_MAX - 1 : w->n_columns;
    for (size_t i = 0; i < own && rc == OK; i++) rc = write_column(w, &w->cols.v[i], reterr);
    if (rc == OK && own < w->n_columns) rc = write_overflow(w, w->cols.v + own, w->n_columns - own, reterr);
    return rc;
}

static void put_block_entry(WideWriter *w, const BlockRef *times, const BlockRef *groups) {
    int64_t min_t = w->times.v[0], max_t = min_t;
    uint64_t min_group = w->groups.v[0], max_group = min_group;
    for (size_t i = 1; i < w->times.n; i++) {
        min_t = MIN(min_t, w->times.v[i]);
        max_t = MAX(max_t, w->times.v[i]);
        min_group = MIN(min_group, w->groups.v[i]);
        max_group = MAX(max_group, w->groups.v[i]);
    }
    Buf *e = &w->encoded;
    buf_put_uvarint(e, w->times.n);
    buf_put_svarint(e, min_t);
    buf_put_svarint(e, max_t);
    buf_put_uvarint(e, min_group);
    buf_put_uvarint(e, max_group);
    block_ref_encode(e, times);
    block_ref_encode(e, groups);
    buf_put_uvarint(e, w->n_columns);
    buf_put_str(e, buf_str(&w->fields));
    buf_put_lenstr(&w->index, buf_str(e));
    buf_clear(e);
    w->blocks++;
}

static void reset_block(WideWriter *w) {
    for (size_t i = 0; i < w->n_columns; i++) {
        vec_clear(&w->cols.v[i].rows);
        vec_clear(&w->cols.v[i].values);
    }
    w->n_columns = 0;
    map_clear(w->columns);
    memset(w->lead, 0, sizeof w->lead);
    w->text_bytes = 0;
    vec_clear(&w->times);
    vec_clear(&w->groups);
    buf_clear(&w->fields);
    buf_clear(&w->encoded);
    arena_reset(w->arena);
    w->raw_bytes = 0;
}

ErrCode wide_writer_cut(WideWriter *w, Err *reterr) {
    if (w->times.n == 0) return OK;
    BlockRef times, groups;
    ErrCode rc = write_columns(w, &times, &groups, reterr);
    if (rc != OK) return rc; /* the part writer refuses what follows: only wide_writer_free is left */
    put_block_entry(w, &times, &groups);
    reset_block(w);
    return OK;
}

ErrCode wide_writer_finish(WideWriter *w, Str user, uint64_t *ret_size_bytes, Err *reterr) {
    ErrCode rc = wide_writer_cut(w, reterr);
    BlockRef ref;
    if (rc == OK) rc = part_writer_block(w->part, user, w->level, &ref, reterr);
    if (rc != OK) return rc;
    Buf footer = {0};
    buf_put_char(&footer, WIDE_VERSION);
    buf_put_uvarint(&footer, w->name_list.n);
    vec_foreach(Str, name, &w->name_list) buf_put_lenstr(&footer, *name);
    block_ref_encode(&footer, &ref);
    buf_put_uvarint(&footer, w->blocks);
    buf_put_str(&footer, buf_str(&w->index));
    rc = part_writer_finish(w->part, buf_str(&footer), ret_size_bytes, reterr);
    buf_done(&footer);
    return rc;
}
