/* column_str.c - columns of strings and of small codes. */
#include "storage/column_int.h"

#include "base/map.h"
#include "base/vec.h"

enum { U32_CONST, U32_PACKED, U32_RUNS };
enum { STR_CONST, STR_DICT, STR_PLAIN, STR_FIXED };

/* --- small codes --- */

void column_encode_u32(Buf *out, const uint32_t *v, size_t n) {
    size_t hist[65] = {0}, runs = n > 0;
    for (size_t i = 0; i < n; i++) {
        hist[bit_width(v[i])]++;
        if (i && v[i] != v[i - 1]) runs++;
    }
    if (runs <= 1) {
        buf_put_char(out, U32_CONST);
        buf_put_uvarint(out, n ? v[0] : 0);
        return;
    }
    PackPlan plan = pack_plan(hist, n);
    if (runs * 4 < plan.cost_bytes) {
        buf_put_char(out, U32_RUNS);
        for (size_t i = 0, k; i < n; i = k) {
            for (k = i + 1; k < n && v[k] == v[i];) k++;
            buf_put_uvarint(out, v[i]);
            buf_put_uvarint(out, k - i);
        }
        return;
    }
    uint64_t *wide = mem_alloc_array(n, sizeof *wide);
    for (size_t i = 0; i < n; i++) wide[i] = v[i];
    buf_put_char(out, U32_PACKED);
    pack_encode(out, wide, n, &plan);
    mem_free(wide);
}

static bool take_packed(Cursor *c, uint32_t *out, size_t n) {
    PackReader r;
    uint64_t u[PACK_GROUP], any = 0;
    if (!pack_open(&r, c, n)) return false;
    for (size_t at = 0, k; at < n; at += k) {
        if (!pack_next(&r, u, &k)) return false;
        for (size_t i = 0; i < k; i++) {
            any |= u[i];
            out[at + i] = (uint32_t)u[i];
        }
    }
    return any <= UINT32_MAX;
}

static bool take_runs(Cursor *c, uint32_t *out, size_t n) {
    for (size_t at = 0; at < n;) {
        uint64_t v = cursor_uvarint(c), len = cursor_uvarint(c);
        if (c->bad || v > UINT32_MAX || len == 0 || len > n - at) return false;
        for (size_t end = at + (size_t)len; at < end; at++) out[at] = (uint32_t)v;
    }
    return true;
}

bool column_take_u32(Cursor *c, uint32_t *out, size_t n) {
    uint8_t scheme = cursor_u8(c);
    if (c->bad) return false;
    if (scheme == U32_PACKED) return take_packed(c, out, n);
    if (scheme == U32_RUNS) return take_runs(c, out, n);
    if (scheme != U32_CONST) return false;
    uint64_t v = cursor_uvarint(c);
    if (c->bad || v > UINT32_MAX) return false;
    for (size_t i = 0; i < n; i++) out[i] = (uint32_t)v;
    return true;
}

bool column_decode_u32(Str in, uint32_t *out, size_t n) {
    Cursor c = cursor_of(in);
    return column_take_u32(&c, out, n) && cursor_left(&c) == 0;
}

/* --- strings --- */

/* Codes of first occurrence; false when a dictionary would not pay. */
static bool build_dict(const Str *v, size_t n, uint32_t *codes, Buf *words, uint32_t *ret_count) {
    Map *map = map_create(MAP_BORROW_KEYS);
    uint32_t count = 0;
    size_t limit = n / 2, i = 0;
    for (; i < n && count <= limit; i++) {
        bool fresh;
        uint64_t *slot = map_put(map, v[i], &fresh);
        if (fresh) {
            *slot = count++;
            buf_put_lenstr(words, v[i]);
        }
        codes[i] = (uint32_t)*slot;
        /* Early out: a thousand values in, nearly all of them different. */
        if (i == 1000 && count > 900) break;
    }
    map_free(map);
    *ret_count = count;
    return i == n && count <= limit;
}

static void put_plain(Buf *out, const Str *v, size_t n, uint32_t *lengths) {
    bool fixed = true;
    for (size_t i = 0; i < n; i++) {
        ASSERT(v[i].n <= UINT32_MAX);
        lengths[i] = (uint32_t)v[i].n;
        fixed = fixed && v[i].n == v[0].n;
    }
    buf_put_char(out, fixed ? STR_FIXED : STR_PLAIN);
    if (fixed)
        buf_put_uvarint(out, v[0].n);
    else
        column_encode_u32(out, lengths, n);
    for (size_t i = 0; i < n; i++) buf_put_str(out, v[i]);
}

void column_encode_str(Buf *out, const Str *v, size_t n) {
    bool same = true;
    for (size_t i = 1; i < n && same; i++) same = str_eq(v[i], v[0]);
    if (same) {
        buf_put_char(out, STR_CONST);
        buf_put_lenstr(out, n ? v[0] : STR_NULL);
        return;
    }
    uint32_t *codes = mem_alloc_array(n, sizeof *codes), count;
    Buf words = {0};
    if (build_dict(v, n, codes, &words, &count)) {
        buf_put_char(out, STR_DICT);
        buf_put_uvarint(out, count);
        buf_put_str(out, buf_str(&words));
        column_encode_u32(out, codes, n);
    } else {
        put_plain(out, v, n, codes);
    }
    buf_done(&words);
    mem_free(codes);
}

static bool take_plain(Cursor *c, Str *out, size_t n) {
    uint32_t *lengths = mem_alloc_array(MAX(n, 1), sizeof *lengths);
    bool good = column_take_u32(c, lengths, n);
    for (size_t i = 0; i < n && good; i++) {
        out[i] = cursor_bytes(c, lengths[i]);
        good = !c->bad;
    }
    mem_free(lengths);
    return good;
}

static bool take_fixed(Cursor *c, Str *out, size_t n) {
    uint64_t len = cursor_uvarint(c);
    if (c->bad || (len && cursor_left(c) / len < n)) return false;
    Str all = cursor_bytes(c, (size_t)len * n);
    for (size_t i = 0; i < n; i++) out[i] = str_of(all.p + i * len, (size_t)len);
    return true;
}

static bool take_dict(Cursor *c, Str *out, size_t n) {
    uint64_t count = cursor_uvarint(c);
    if (c->bad || count > n || count > cursor_left(c)) return false;
    Str *words = mem_alloc_array(MAX((size_t)count, 1), sizeof *words);
    uint32_t *codes = mem_alloc_array(MAX(n, 1), sizeof *codes);
    for (uint64_t i = 0; i < count; i++) words[i] = cursor_lenstr(c);
    bool good = !c->bad && column_take_u32(c, codes, n);
    for (size_t i = 0; i < n && good; i++) {
        good = codes[i] < count;
        if (good) out[i] = words[codes[i]];
    }
    mem_free(codes);
    mem_free(words);
    return good;
}

bool column_decode_str(Str in, Str *out, size_t n) {
    Cursor c = cursor_of(in);
    uint8_t scheme = cursor_u8(&c);
    if (c.bad) return false;
    bool good = false;
    switch (scheme) {
    case STR_CONST: {
        Str v = cursor_lenstr(&c);
        for (size_t i = 0; i < n; i++) out[i] = v;
        good = !c.bad;
        break;
    }
    case STR_DICT: good = take_dict(&c, out, n); break;
    case STR_PLAIN: good = take_plain(&c, out, n); break;
    case STR_FIXED: good = take_fixed(&c, out, n); break;
    default: break;
    }
    return good && cursor_left(&c) == 0;
}
