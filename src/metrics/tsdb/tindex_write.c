#include "base/map.h"
#include "codec/crc.h"
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/tindex.h"
#include "metrics/tsdb/tsdb_int.h"

#include <stdlib.h>

#define FLUSH_BYTES ((size_t)1 << 20)

typedef struct Symbol {
    Str text;
    uint64_t id; /* in order of appearance */
} Symbol;

typedef struct Pair { /* a series in the list of one label value */
    uint32_t name, value, series;
} Pair;

typedef struct TableEntry { /* of the postings table */
    uint32_t name, value;
    uint64_t offset;
} TableEntry;

struct IndexWriter {
    Map *symbol_ids;
    Buf rows; /* per series: labels as pairs of symbol ids, chunks */
    size_t n_series;
    /* while finishing */
    File *file;
    Buf out;
    uint64_t at; /* position of what is written next */
    Symbol *symbols;
    uint32_t *ranks; /* symbol id -> place in the sorted table */
    VEC(Pair) pairs;
    VEC(uint32_t) series_refs;
    VEC(TableEntry) table;
};

IndexWriter *index_writer_create(void) {
    IndexWriter *w = NEW(IndexWriter);
    w->symbol_ids = map_create(MAP_COPY_KEYS);
    return w;
}

IndexWriter *index_writer_free(IndexWriter *w) {
    if (!w) return NULL;
    map_free(w->symbol_ids);
    buf_done(&w->rows);
    buf_done(&w->out);
    file_close(w->file);
    mem_free(w->symbols);
    mem_free(w->ranks);
    vec_done(&w->pairs);
    vec_done(&w->series_refs);
    vec_done(&w->table);
    mem_free(w);
    return NULL;
}

size_t index_writer_count(const IndexWriter *w) { return w->n_series; }

static uint64_t symbol_id(IndexWriter *w, Str text) {
    bool is_new;
    uint64_t *id = map_put(w->symbol_ids, text, &is_new);
    if (is_new) *id = map_count(w->symbol_ids) - 1;
    return *id;
}

void index_writer_series(IndexWriter *w, Labels labels, const ChunkMeta *chunks, size_t n) {
    buf_put_uvarint(&w->rows, labels.n);
    for (size_t i = 0; i < labels.n; i++) {
        buf_put_uvarint(&w->rows, symbol_id(w, labels.v[i].name));
        buf_put_uvarint(&w->rows, symbol_id(w, labels.v[i].value));
    }
    buf_put_uvarint(&w->rows, n);
    for (size_t i = 0; i < n; i++) {
        buf_put_uvarint(&w->rows, chunks[i].ref);
        buf_put_svarint(&w->rows, chunks[i].min_t);
        buf_put_svarint(&w->rows, chunks[i].max_t);
    }
    w->n_series++;
}

/* --- output --- */
static ErrCode flush(IndexWriter *w, size_t at_least, Err *reterr) {
    if (w->out.n < at_least || w->out.n == 0) return OK;
    ErrCode code = file_write(w->file, buf_str(&w->out), reterr);
    buf_clear(&w->out);
    return code;
}

static void emit(IndexWriter *w, Str bytes) {
    buf_put_str(&w->out, bytes);
    w->at += bytes.n;
}

static void pad(IndexWriter *w, uint64_t alignment) {
    while (w->at % alignment) emit(w, str_of("\0", 1));
}

static void emit_u32(IndexWriter *w, uint32_t v) {
    uint32_t be = __builtin_bswap32(v);
    emit(w, str_of((const char *)&be, 4));
}

/* Length, contents, checksum. */
static ErrCode emit_section(IndexWriter *w, Str contents, Err *reterr) {
    if (contents.n > UINT32_MAX) return err_set(reterr, ERR_TOO_LARGE, "a section of the index is over 4 GiB");
    emit_u32(w, (uint32_t)contents.n);
    emit(w, contents);
    emit_u32(w, crc32c(0, contents.p, contents.n));
    return flush(w, FLUSH_BYTES, reterr);
}

static int by_text(const void *a, const void *b) {
    return str_cmp(((const Symbol *)a)->text, ((const Symbol *)b)->text);
}

static void rank_symbols(IndexWriter *w) {
    size_t n = map_count(w->symbol_ids), it = 0, k = 0;
    w->symbols = mem_alloc_array(MAX(n, 1), sizeof *w->symbols);
    w->ranks = mem_alloc_array(MAX(n, 1), sizeof *w->ranks);
    Str key;
    uint64_t *id;
    while (map_next(w->symbol_ids, &it, &key, &id)) w->symbols[k++] = (Symbol){key, *id};
    if (n) qsort(w->symbols, n, sizeof *w->symbols, by_text);
    for (size_t i = 0; i < n; i++) w->ranks[w->symbols[i].id] = (uint32_t)i;
}

static ErrCode emit_symbols(IndexWriter *w, Err *reterr) {
    Buf b = {0};
    size_t n = map_count(w->symbol_ids);
    buf_put_u32be(&b, (uint32_t)n);
    for (size_t i = 0; i < n; i++) buf_put_lenstr(&b, w->symbols[i].text);
    ErrCode code = emit_section(w, buf_str(&b), reterr);
    buf_done(&b);
    return code;
}

/* Chunks as differences to the one before: from its end, and of the references. */
static void put_chunks(Cursor *row, Buf *out) {
    uint64_t n = cursor_uvarint(row), ref = 0;
    int64_t max_t = 0;
    buf_put_uvarint(out, n);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t r = cursor_uvarint(row);
        int64_t from = cursor_svarint(row), to = cursor_svarint(row);
        if (i == 0)
            buf_put_svarint(out, from);
        else
            buf_put_uvarint(out, (uint64_t)(from - max_t));
        buf_put_uvarint(out, (uint64_t)(to - from));
        if (i == 0)
            buf_put_uvarint(out, r);
        else
            buf_put_svarint(out, (int64_t)(r - ref));
        ref = r;
        max_t = to;
    }
}

static ErrCode emit_series(IndexWriter *w, Err *reterr) {
    Buf entry = {0}, head = {0};
    Cursor row = cursor_of(buf_str(&w->rows));
    ErrCode code = OK;
    for (size_t i = 0; i < w->n_series && code == OK; i++) {
        pad(w, 16);
        if (w->at / 16 > UINT32_MAX) {
            code = err_set(reterr, ERR_TOO_LARGE, "the series of the index take over 64 GiB");
            break;
        }
        uint32_t ref = (uint32_t)(w->at / 16);
        vec_push(&w->series_refs, ref);
        buf_clear(&entry);
        uint64_t n = cursor_uvarint(&row);
        buf_put_uvarint(&entry, n);
        for (uint64_t k = 0; k < n; k++) {
            uint32_t name = w->ranks[cursor_uvarint(&row)], value = w->ranks[cursor_uvarint(&row)];
            buf_put_uvarint(&entry, name);
            buf_put_uvarint(&entry, value);
            vec_push(&w->pairs, (Pair){name, value, ref});
        }
        put_chunks(&row, &entry);
        buf_clear(&head);
        buf_put_uvarint(&head, entry.n);
        emit(w, buf_str(&head));
        emit(w, buf_str(&entry));
        emit_u32(w, crc32c(0, entry.p, entry.n));
        code = flush(w, FLUSH_BYTES, reterr);
    }
    ASSERT(code != OK || (!row.bad && cursor_left(&row) == 0));
    buf_done(&entry);
    buf_done(&head);
    return code;
}

static int by_pair(const void *a, const void *b) {
    const Pair *x = a, *y = b;
    if (x->name != y->name) return x->name < y->name ? -1 : 1;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return x->series < y->series ? -1 : x->series > y->series;
}

static ErrCode emit_postings(IndexWriter *w, Err *reterr) {
    Buf b = {0};
    pad(w, 4);
    buf_put_u32be(&b, (uint32_t)w->series_refs.n);
    vec_foreach(uint32_t, ref, &w->series_refs) buf_put_u32be(&b, *ref);
    vec_push(&w->table, (TableEntry){UINT32_MAX, UINT32_MAX, w->at}); /* every series, under "" = "" */
    ErrCode code = emit_section(w, buf_str(&b), reterr);
    if (w->pairs.n) qsort(w->pairs.v, w->pairs.n, sizeof *w->pairs.v, by_pair);
    for (size_t i = 0, end; i < w->pairs.n && code == OK; i = end) {
        Pair first = w->pairs.v[i];
        for (end = i; end < w->pairs.n && w->pairs.v[end].name == first.name && w->pairs.v[end].value == first.value;)
            end++;
        pad(w, 4);
        vec_push(&w->table, (TableEntry){first.name, first.value, w->at});
        buf_clear(&b);
        buf_put_u32be(&b, (uint32_t)(end - i));
        for (size_t k = i; k < end; k++) buf_put_u32be(&b, w->pairs.v[k].series);
        code = emit_section(w, buf_str(&b), reterr);
    }
    buf_done(&b);
    return code;
}

static ErrCode emit_postings_table(IndexWriter *w, Err *reterr) {
    Buf b = {0};
    buf_put_u32be(&b, (uint32_t)w->table.n);
    vec_foreach(TableEntry, e, &w->table) {
        bool all = e->name == UINT32_MAX;
        buf_put_uvarint(&b, 2);
        buf_put_lenstr(&b, all ? STR("") : w->symbols[e->name].text);
        buf_put_lenstr(&b, all ? STR("") : w->symbols[e->value].text);
        buf_put_uvarint(&b, e->offset);
    }
    ErrCode code = emit_section(w, buf_str(&b), reterr);
    buf_done(&b);
    return code;
}

static ErrCode emit_all(IndexWriter *w, Err *reterr) {
    static const char no_entries[4] = {0};
    uint64_t toc[6];
    Buf b = {0};
    buf_put_u32be(&b, TSDB_INDEX_MAGIC);
    buf_put_char(&b, 2);
    emit(w, buf_str(&b));
    toc[0] = w->at;
    rank_symbols(w);
    ErrCode code = emit_symbols(w, reterr);
    pad(w, 16);
    toc[1] = w->at;
    if (code == OK) code = emit_series(w, reterr);
    /* The label index is not used by any reader since Prometheus 2.0: an empty table. */
    pad(w, 4);
    toc[2] = toc[3] = w->at;
    if (code == OK) code = emit_section(w, str_of(no_entries, sizeof no_entries), reterr);
    pad(w, 4);
    toc[4] = w->at;
    if (code == OK) code = emit_postings(w, reterr);
    toc[5] = w->at;
    if (code == OK) code = emit_postings_table(w, reterr);
    buf_clear(&b);
    for (size_t i = 0; i < ARRAY_LEN(toc); i++) buf_put_u64be(&b, toc[i]);
    buf_put_u32be(&b, crc32c(0, b.p, b.n));
    emit(w, buf_str(&b));
    buf_done(&b);
    if (code == OK) code = flush(w, 0, reterr);
    return code == OK ? file_sync(w->file, reterr) : code;
}

ErrCode index_writer_finish(IndexWriter *w, Fs *fs, const char *path, Err *reterr) {
    ASSERT(!w->file);
    ErrCode code = fs_open(fs, path, FILE_CREATE_NEW, &w->file, reterr);
    return code == OK ? emit_all(w, reterr) : code;
}
