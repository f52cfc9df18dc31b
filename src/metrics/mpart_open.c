/* mpart_open.c - opening a metrics part; reading and checking its index. */
#include "base/log.h"
#include "metrics/mpart_pack.h"
#include "metrics/mpart_read_int.h"

/* The footer's checksum is right: this is no damage, and the part is not to be set aside. */
static ErrCode unknown_version(const Part *part, unsigned version, Err *reterr) {
    ErrCode code = err_set(reterr, ERR_UNSUPPORTED, "%s: metrics part of version %u, this program knows only %d and %d",
        part_path(part), version, MPART_PACKED, MPART_PLAIN);
    err_hint(reterr, "another version of the program wrote it: use that one, or move the file away");
    return code;
}

ErrCode mpart_open(Part *part, MPart **ret, Err *reterr) {
    Cursor c = cursor_of(part_footer(part));
    uint8_t version = cursor_u8(&c);
    uint64_t n = cursor_uvarint(&c);
    if (version != MPART_PLAIN && version != MPART_PACKED) return unknown_version(part, version, reterr);
    MPart *p = NEW(MPart);
    p->part = part;
    mutex_init(&p->lock);
    bool ok = n < UINT32_MAX;
    p->packed = version == MPART_PACKED;
    p->n_series = (uint32_t)n;
    for (int i = 0; i < MPART_SECTIONS && ok; i++) ok = block_ref_decode(&c, &p->refs[i]);
    p->n_groups = ok ? cursor_uvarint(&c) : 0;
    ok = ok && !c.bad && p->n_groups <= cursor_left(&c);
    if (ok) p->groups = mem_alloc_array(MAX(p->n_groups, 1), sizeof *p->groups);
    for (size_t i = 0; i < p->n_groups && ok; i++) ok = block_ref_decode(&c, &p->groups[i]);
    if (!ok || c.bad) {
        ErrCode code = mpart_damaged(p, "the footer", reterr);
        mpart_close(p);
        return code;
    }
    *ret = p;
    return OK;
}

MPart *mpart_close(MPart *p) {
    if (!p) return NULL;
    mem_free(p->groups);
    mem_free(p->chunks);
    mem_free(p->shape_offsets);
    arena_free(p->arena);
    mutex_done(&p->lock);
    mem_free(p);
    return NULL;
}

static bool offsets_sound(Str offsets, size_t n, size_t limit) {
    if (offsets.n != (n + 1) * 4) return false;
    for (size_t i = 0; i < n; i++) {
        if (u32_at(offsets, 4 * i) > u32_at(offsets, 4 * i + 4)) return false;
    }
    return u32_at(offsets, 4 * n) == limit;
}

static Str keep(MPart *p, Buf *bytes) {
    Str kept = arena_copy(p->arena, buf_str(bytes));
    buf_done(bytes);
    return kept;
}

/* Series of chunk i. */
static size_t chunk_series(const MPart *p, size_t i) {
    return MIN((size_t)p->n_series - i * MPART_CHUNK_SERIES, (size_t)MPART_CHUNK_SERIES);
}

static bool read_chunk(MPart *p, Cursor *refs, size_t i) {
    BlockRef ref;
    Str all;
    size_t table = 4 * (chunk_series(p, i) + 1);
    if (!block_ref_decode(refs, &ref) || part_block(p->part, &ref, p->arena, &all, NULL) != OK || all.n < table)
        return false;
    p->chunks[i] = (SeriesChunk){str_slice(all, 0, all.n - table), str_skip(all, all.n - table)};
    return true;
}

static bool read_chunks(MPart *p) {
    Cursor refs = cursor_of(p->section[MPART_SERIES_CHUNKS]);
    for (size_t i = 0; i < p->n_chunks; i++)
        if (!read_chunk(p, &refs, i)) return false;
    return cursor_left(&refs) == 0;
}

/* The index of a small part as a large one has it. */
static bool unpack(MPart *p, const ShapeSizes *shapes) {
    Buf a = {0}, b = {0};
    if (p->n_chunks > 1) return false;
    bool ok = mpart_unpack_series(p->section[MPART_SERIES], shapes, p->n_series, &a, &b);
    Str entries = keep(p, &a), offsets = keep(p, &b);
    if (p->n_chunks) p->chunks[0] = (SeriesChunk){entries, offsets};
    ok = ok && mpart_unpack_postings(p->section[MPART_POSTINGS], p->n_series, &a, &b);
    p->section[MPART_VALUES] = keep(p, &a);
    p->section[MPART_POSTINGS] = keep(p, &b);
    return ok;
}

static bool index_shapes(MPart *p) {
    Str s = p->section[MPART_SHAPES];
    VEC(uint32_t) offsets = {0}, sizes = {0};
    Cursor c = cursor_of(s);
    while (cursor_left(&c) && !c.bad) {
        vec_push(&offsets, (uint32_t)(s.n - cursor_left(&c)));
        uint64_t n = cursor_uvarint(&c);
        vec_push(&sizes, (uint32_t)MIN(n, UINT32_MAX));
        for (uint64_t i = 0; i < n && !c.bad; i++) {
            if (cursor_uvarint(&c) >= mpart_symbol_count(p)) c.bad = true;
        }
    }
    p->shape_offsets = offsets.v;
    p->n_shapes = offsets.n;
    bool ok = !c.bad && (p->packed ? unpack(p, &(ShapeSizes){sizes.v, sizes.n}) : read_chunks(p));
    vec_done(&sizes);
    return ok;
}

static bool tables_sound(const MPart *p) {
    const Str *s = p->section;
    size_t symbols = mpart_symbol_count(p);
    if (s[MPART_SYMBOL_OFFSETS].n < 4 || !offsets_sound(s[MPART_SYMBOL_OFFSETS], symbols, s[MPART_SYMBOL_BYTES].n))
        return false;
    for (size_t i = 0; i < p->n_chunks; i++)
        if (!offsets_sound(p->chunks[i].offsets, chunk_series(p, i), p->chunks[i].entries.n)) return false;
    if (s[MPART_TIMES].n % MPART_TIME_BYTES || s[MPART_NAMES].n % MPART_NAME_BYTES ||
        s[MPART_VALUES].n % MPART_VALUE_BYTES)
        return false;
    size_t n_values = s[MPART_VALUES].n / MPART_VALUE_BYTES;
    for (size_t i = 0; i < s[MPART_NAMES].n; i += MPART_NAME_BYTES) {
        uint64_t end = (uint64_t)u32_at(s[MPART_NAMES], i + 4) + u32_at(s[MPART_NAMES], i + 8);
        if (u32_at(s[MPART_NAMES], i) >= symbols || end > n_values) return false;
    }
    for (size_t i = 0; i < s[MPART_VALUES].n; i += MPART_VALUE_BYTES) {
        if (u32_at(s[MPART_VALUES], i) >= symbols || u32_at(s[MPART_VALUES], i + 4) > s[MPART_POSTINGS].n) return false;
    }
    return true;
}

/* The sections are read (checksums verified) at the first use, so that opening a store is quick. */
bool mpart_ready(const MPart *part) {
    MPart *p = (MPart *)(uintptr_t)part; /* what is read later does not change it for its users */
    if (p->state) return p->state > 0;
    mutex_lock(&p->lock);
    if (p->state == 0) {
        bool ok = true;
        p->arena = arena_create(ARENA_UNLIMITED);
        p->n_chunks = (p->n_series + (size_t)MPART_CHUNK_SERIES - 1) / MPART_CHUNK_SERIES;
        p->chunks = mem_alloc_zero(MAX(p->n_chunks, 1) * sizeof *p->chunks);
        for (int i = 0; i < MPART_SECTIONS && ok; i++)
            ok = part_block(p->part, &p->refs[i], p->arena, &p->section[i], NULL) == OK;
        ok = ok && index_shapes(p) && tables_sound(p);
        if (!p->packed) part_unload(p->part); /* checking went through all of it */
        p->state = ok ? 1 : -1;
        if (!ok)
            log_error("metrics: the index of a part is damaged, its samples are not served", "part", part_path(p->part),
                NULL);
    }
    mutex_unlock(&p->lock);
    return p->state > 0;
}

ErrCode mpart_load(MPart *p, Err *reterr) { return mpart_ready(p) ? OK : mpart_damaged(p, "the index", reterr); }
