#include "codec/crc.h"
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/tindex.h"
#include "metrics/tsdb/tsdb_int.h"

#define TOC_BYTES 52
#define LABELS_MAX 4096

static ErrCode corrupt(Err *reterr, const char *what) {
    return err_set(reterr, ERR_CORRUPT, "the index is damaged: %s", what);
}

/* Contents of the section at offset: u32 length, contents, checksum. */
static ErrCode section(Str file, uint64_t offset, const char *what, Str *ret, Err *reterr) {
    if (offset > file.n || file.n - offset < 8) return corrupt(reterr, what);
    Cursor c = cursor_of(str_skip(file, offset));
    uint32_t n = cursor_u32be(&c);
    *ret = cursor_bytes(&c, n);
    uint32_t crc = cursor_u32be(&c);
    return c.bad || crc != crc32c(0, ret->p, ret->n) ? corrupt(reterr, what) : OK;
}

static ErrCode read_symbols(IndexReader *r, uint64_t offset, Err *reterr) {
    Str s;
    ErrCode code = section(r->file, offset, "symbols", &s, reterr);
    if (code != OK || r->version == 1) return code; /* version 1 refers to places in the file */
    Cursor c = cursor_of(s);
    uint32_t n = cursor_u32be(&c);
    if (c.bad || n > cursor_left(&c)) return corrupt(reterr, "symbols");
    vec_reserve(&r->symbols, n);
    for (uint32_t i = 0; i < n; i++) {
        size_t at = (size_t)((const char *)c.p - r->file.p);
        if (at > UINT32_MAX) return corrupt(reterr, "symbols");
        vec_push(&r->symbols, (uint32_t)at);
        (void)cursor_lenstr(&c);
        if (c.bad) return corrupt(reterr, "symbols");
    }
    return OK;
}

/* The list of all series stands in the table under the empty name and value. */
static ErrCode find_all_series(IndexReader *r, Err *reterr) {
    Str table, list;
    ErrCode code = section(r->file, r->postings_table, "postings table", &table, reterr);
    if (code != OK) return code;
    Cursor c = cursor_of(table);
    uint32_t n = cursor_u32be(&c);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t names = cursor_uvarint(&c);
        Str name = cursor_lenstr(&c), value = cursor_lenstr(&c);
        uint64_t offset = cursor_uvarint(&c);
        if (c.bad || names != 2) return corrupt(reterr, "postings table");
        if (name.n || value.n) continue;
        code = section(r->file, offset, "list of all series", &list, reterr);
        if (code != OK) return code;
        Cursor l = cursor_of(list);
        r->n_series = cursor_u32be(&l);
        r->series = l.p;
        return l.bad || cursor_left(&l) != r->n_series * 4 ? corrupt(reterr, "list of all series") : OK;
    }
    return n == 0 ? OK : corrupt(reterr, "no list of all series");
}

ErrCode index_reader_open(Str file, IndexReader *ret, Err *reterr) {
    *ret = (IndexReader){.file = file};
    Cursor head = cursor_of(file);
    if (file.n < 5 + TOC_BYTES || cursor_u32be(&head) != TSDB_INDEX_MAGIC) return corrupt(reterr, "no index file");
    ret->version = cursor_u8(&head);
    if (ret->version < 1 || ret->version > 3)
        return err_set(reterr, ERR_UNSUPPORTED, "index format %d is not known", ret->version);
    Str toc = str_skip(file, file.n - TOC_BYTES);
    Cursor c = cursor_of(toc);
    uint64_t at[6];
    for (size_t i = 0; i < ARRAY_LEN(at); i++) at[i] = cursor_u64be(&c);
    if (cursor_u32be(&c) != crc32c(0, toc.p, TOC_BYTES - 4)) return corrupt(reterr, "table of contents");
    ret->postings_table = at[5];
    ErrCode code = read_symbols(ret, at[0], reterr);
    if (code == OK) code = find_all_series(ret, reterr);
    if (code != OK) index_reader_done(ret);
    return code;
}

void index_reader_done(IndexReader *r) { vec_done(&r->symbols); }

static bool symbol(const IndexReader *r, uint64_t ref, Str *ret) {
    uint64_t at = ref;
    if (r->version != 1) {
        if (ref >= r->symbols.n) return false;
        at = r->symbols.v[ref];
    }
    if (at >= r->file.n) return false;
    Cursor c = cursor_of(str_skip(r->file, at));
    *ret = cursor_lenstr(&c);
    return !c.bad;
}

static bool read_labels(const IndexReader *r, Cursor *c, Arena *arena, Labels *ret) {
    uint64_t n = cursor_uvarint(c);
    if (c->bad || n > LABELS_MAX || n > cursor_left(c)) return false;
    Label *v = ARENA_ARRAY(arena, Label, n);
    if (!v) return false;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t name = cursor_uvarint(c), value = cursor_uvarint(c);
        if (c->bad || !symbol(r, name, &v[i].name) || !symbol(r, value, &v[i].value)) return false;
        if (i > 0 && str_cmp(v[i - 1].name, v[i].name) >= 0) return false;
    }
    *ret = (Labels){v, n};
    return true;
}

static bool read_chunks(Cursor *c, Arena *arena, ChunkMeta **ret, size_t *ret_n) {
    uint64_t n = cursor_uvarint(c);
    if (c->bad || n > cursor_left(c)) return false;
    ChunkMeta *v = ARENA_ARRAY(arena, ChunkMeta, n);
    if (!v) return false;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t before_max = i ? (uint64_t)v[i - 1].max_t : 0, before_ref = i ? v[i - 1].ref : 0;
        uint64_t from = i ? cursor_uvarint(c) : (uint64_t)cursor_svarint(c);
        v[i].min_t = (int64_t)(before_max + from);
        v[i].max_t = (int64_t)((uint64_t)v[i].min_t + cursor_uvarint(c));
        v[i].ref = i ? before_ref + (uint64_t)cursor_svarint(c) : cursor_uvarint(c);
    }
    *ret = v;
    *ret_n = n;
    return !c->bad;
}

ErrCode index_reader_series(const IndexReader *r, size_t i, Arena *arena, Labels *ret, ChunkMeta **ret_chunks,
    size_t *ret_n, uint64_t *ret_ref, Err *reterr) {
    ASSERT(i < r->n_series);
    Cursor list = cursor_of(str_of((const char *)r->series + i * 4, 4));
    *ret_ref = cursor_u32be(&list);
    uint64_t at = r->version == 1 ? *ret_ref : *ret_ref * 16;
    if (at >= r->file.n) return corrupt(reterr, "a series lies outside of the file");
    Cursor c = cursor_of(str_skip(r->file, at));
    uint64_t n = cursor_uvarint(&c);
    if (n > cursor_left(&c)) return corrupt(reterr, "a series");
    Str entry = cursor_bytes(&c, n);
    uint32_t crc = cursor_u32be(&c);
    if (c.bad || crc != crc32c(0, entry.p, entry.n)) return corrupt(reterr, "checksum of a series");
    Cursor e = cursor_of(entry);
    if (read_labels(r, &e, arena, ret) && read_chunks(&e, arena, ret_chunks, ret_n)) return OK;
    if (arena_exhausted(arena)) return err_set(reterr, ERR_TOO_LARGE, "a series of the index does not fit into memory");
    return corrupt(reterr, "a series");
}
