/* column_str.c - columns of strings and of small codes. */
#include "storage/column_int.h"

#include "base/hash.h"
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

static size_t count_runs(const uint32_t *at, const uint32_t *v, size_t k, size_t n) {
    size_t runs = n > 0; /* the first one, of zeros unless there is a value at 0 */
    for (size_t i = 0; i < k; i++) {
        bool joined = i > 0 && at[i] == at[i - 1] + 1;
        if (joined)
            runs += v[i] != v[i - 1];
        else
            runs += (at[i] > 0 && v[i] != 0) + (i > 0 && v[i - 1] != 0);
    }
    if (k > 0 && at[k - 1] + 1 < n && v[k - 1] != 0) runs++;
    return runs;
}

static void put_run(Buf *out, uint32_t v, size_t len) {
    if (len == 0) return;
    buf_put_uvarint(out, v);
    buf_put_uvarint(out, len);
}

static void put_runs_sparse(Buf *out, const uint32_t *at, const uint32_t *v, size_t k, size_t n) {
    uint32_t run = 0;
    size_t begin = 0; /* of the run */
    for (size_t i = 0; i < k; i++) {
        size_t gap = at[i] - (i ? at[i - 1] + 1 : 0);
        if (gap > 0 && run != 0) {
            put_run(out, run, at[i] - gap - begin);
            begin = at[i] - gap;
            run = 0;
        }
        if (v[i] == run) continue;
        put_run(out, run, at[i] - begin);
        begin = at[i];
        run = v[i];
    }
    size_t end = k ? at[k - 1] + 1 : 0;
    if (end < n && run != 0) {
        put_run(out, run, end - begin);
        begin = end;
        run = 0;
    }
    put_run(out, run, n - begin);
}

void column_encode_u32_sparse(Buf *out, const uint32_t *at, const uint32_t *v, size_t k, size_t n) {
    ASSERT(k <= n);
    size_t hist[65] = {0}, runs = count_runs(at, v, k, n);
    for (size_t i = 0; i < k; i++) hist[bit_width(v[i])]++;
    hist[0] += n - k;
    if (runs <= 1) {
        buf_put_char(out, U32_CONST);
        buf_put_uvarint(out, k ? v[0] : 0);
        return;
    }
    PackPlan plan = pack_plan(hist, n);
    if (runs * 4 < plan.cost_bytes) {
        buf_put_char(out, U32_RUNS);
        put_runs_sparse(out, at, v, k, n);
    } else {
        buf_put_char(out, U32_PACKED);
        pack_encode_sparse(out, at, v, k, n, &plan);
    }
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

typedef struct DictSlot {
    uint32_t tag;  /* upper half of the hash */
    uint32_t code; /* + 1; 0: free */
} DictSlot;

/* Codes of first occurrence; 0 when a dictionary would not pay, else the number of words. */
static size_t build_dict(const Str *v, size_t n, uint32_t *codes, Str *words) {
    size_t limit = n / 2, count = 0, size = 16;
    while (size < n) size *= 2; /* at most half full */
    DictSlot *slots = mem_alloc_zero(size * sizeof *slots);
    uint64_t seed = hash_process_seed();
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && v[i].p == v[i - 1].p && v[i].n == v[i - 1].n) {
            codes[i] = codes[i - 1];
            continue;
        }
        uint64_t h = hash_bytes(v[i].p, v[i].n, seed);
        uint32_t tag = (uint32_t)(h >> 32);
        size_t at = h & (size - 1);
        while (slots[at].code && (slots[at].tag != tag || !str_eq(words[slots[at].code - 1], v[i])))
            at = (at + 1) & (size - 1);
        if (slots[at].code == 0) {
            if (count == limit) {
                count = 0;
                break;
            }
            words[count++] = v[i];
            slots[at] = (DictSlot){tag, (uint32_t)count};
            /* Early out: a thousand values in, nearly all of them different. */
            if (i >= 1000 && count > i - i / 10) {
                count = 0;
                break;
            }
        }
        codes[i] = slots[at].code - 1;
    }
    mem_free(slots);
    return count;
}

static void put_plain(Buf *out, const Str *v, size_t n, uint32_t *lengths) {
    bool fixed = true;
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        ASSERT(v[i].n <= UINT32_MAX);
        lengths[i] = (uint32_t)v[i].n;
        fixed = fixed && v[i].n == v[0].n;
        total += v[i].n;
    }
    buf_put_char(out, fixed ? STR_FIXED : STR_PLAIN);
    if (fixed)
        buf_put_uvarint(out, v[0].n);
    else
        column_encode_u32(out, lengths, n);
    buf_reserve(out, total);
    char *to = out->p + out->n;
    for (size_t i = 0; i < n; i++) {
        if (v[i].n) memcpy(to, v[i].p, v[i].n);
        to += v[i].n;
    }
    out->n += total;
}

static void put_dict(Buf *out, const Str *words, size_t count, const uint32_t *codes, size_t n) {
    buf_put_char(out, STR_DICT);
    buf_put_uvarint(out, count);
    for (size_t i = 0; i < count; i++) buf_put_lenstr(out, words[i]);
    column_encode_u32(out, codes, n);
}

void column_encode_str_words(Buf *out, const Str *v, size_t n, Str *words, size_t *ret_words) {
    bool same = true;
    for (size_t i = 1; i < n && same; i++) same = str_eq(v[i], v[0]);
    if (same) {
        buf_put_char(out, STR_CONST);
        buf_put_lenstr(out, n ? v[0] : STR_NULL);
        if (n) words[0] = v[0];
        *ret_words = n > 0;
        return;
    }
    uint32_t *codes = mem_alloc_array(n, sizeof *codes);
    *ret_words = build_dict(v, n, codes, words);
    if (*ret_words)
        put_dict(out, words, *ret_words, codes, n);
    else
        put_plain(out, v, n, codes);
    mem_free(codes);
}

void column_encode_str(Buf *out, const Str *v, size_t n) {
    Str *words = mem_alloc_array(MAX(n, 1), sizeof *words);
    size_t count;
    column_encode_str_words(out, v, n, words, &count);
    mem_free(words);
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
