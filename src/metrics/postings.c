#include "metrics/postings.h"

#include "base/cursor.h"
#include "codec/regex.h"

#define SHORT_LIST_MAX 16
#define CANCEL_EVERY 4096

static bool is_cancelled(const _Atomic bool *cancel, size_t i) { return cancel && i % CANCEL_EVERY == 0 && *cancel; }

static ErrCode damaged(Err *reterr) { return err_set(reterr, ERR_CORRUPT, "a postings list is damaged"); }

/* Adds the values whose match result is `want`. */
static ErrCode scan_values(const PostingIndex *x, size_t name, const Matcher *m, bool want, const _Atomic bool *cancel,
    roaring_bitmap_t *set, Err *reterr) {
    size_t n = x->value_count(x->ctx, name);
    for (size_t i = 0; i < n; i++) {
        if (is_cancelled(cancel, i)) return err_set(reterr, ERR_CANCELLED, "query cancelled");
        if (matcher_matches(m, x->value_at(x->ctx, name, i)) == want && !x->add_to(x->ctx, name, i, set))
            return damaged(reterr);
    }
    return OK;
}

static ErrCode add_value(const PostingIndex *x, size_t name, Str value, roaring_bitmap_t *set, Err *reterr) {
    size_t i = x->value_find(x->ctx, name, value);
    if (i == POSTINGS_NONE) return OK;
    return x->add_to(x->ctx, name, i, set) ? OK : damaged(reterr);
}

/* Series whose value of the label is (want) accepted or (!want) refused by m; absent labels are not in the index. */
static ErrCode matcher_set(const PostingIndex *x, const Matcher *m, bool want, const _Atomic bool *cancel,
    roaring_bitmap_t *set, Err *reterr) {
    size_t name = x->name_find(x->ctx, m->name);
    if (name == POSTINGS_NONE) return OK;
    bool positive = (m->type == MATCH_EQ || m->type == MATCH_RE) == want;
    if (positive && (m->type == MATCH_EQ || m->type == MATCH_NEQ)) return add_value(x, name, m->value, set, reterr);
    if (positive && m->re) {
        const RegexFacts *f = regex_facts(m->re);
        if (f->is_literal_set) {
            for (size_t i = 0; i < f->set_n; i++) {
                ErrCode code = add_value(x, name, f->set[i], set, reterr);
                if (code != OK) return code;
            }
            return OK;
        }
    }
    return scan_values(x, name, m, want, cancel, set, reterr);
}

static bool accepts_everything(const Matcher *m) {
    return m->type == MATCH_RE && m->re && regex_facts(m->re)->matches_all;
}

static ErrCode intersect(
    const PostingIndex *x, Matchers ms, const _Atomic bool *cancel, roaring_bitmap_t **result, Err *reterr) {
    for (size_t i = 0; i < ms.n; i++) {
        if (matcher_matches_empty(ms.v[i])) continue;
        roaring_bitmap_t *set = roaring_bitmap_create();
        ErrCode code = matcher_set(x, ms.v[i], true, cancel, set, reterr);
        if (*result) {
            roaring_bitmap_and_inplace(*result, set);
            roaring_bitmap_free(set);
        } else {
            *result = set;
        }
        if (code != OK) return code;
        if (roaring_bitmap_is_empty(*result)) return OK;
    }
    return OK;
}

static ErrCode subtract(
    const PostingIndex *x, Matchers ms, const _Atomic bool *cancel, roaring_bitmap_t *result, Err *reterr) {
    for (size_t i = 0; i < ms.n && !roaring_bitmap_is_empty(result); i++) {
        if (!matcher_matches_empty(ms.v[i]) || accepts_everything(ms.v[i])) continue;
        roaring_bitmap_t *set = roaring_bitmap_create();
        ErrCode code = matcher_set(x, ms.v[i], false, cancel, set, reterr);
        roaring_bitmap_andnot_inplace(result, set);
        roaring_bitmap_free(set);
        if (code != OK) return code;
    }
    return OK;
}

ErrCode postings_match(
    const PostingIndex *index, Matchers matchers, const _Atomic bool *cancel, roaring_bitmap_t **ret, Err *reterr) {
    roaring_bitmap_t *result = NULL;
    *ret = NULL;
    ErrCode code = intersect(index, matchers, cancel, &result, reterr);
    if (code == OK && !result)
        result = index->n_series ? roaring_bitmap_from_range(0, index->n_series, 1) : roaring_bitmap_create();
    if (code == OK) code = subtract(index, matchers, cancel, result, reterr);
    if (code != OK) {
        if (result) roaring_bitmap_free(result);
        return code;
    }
    *ret = result;
    return OK;
}

void postings_encode(Buf *out, const roaring_bitmap_t *set) {
    uint64_t n = roaring_bitmap_get_cardinality(set);
    buf_put_uvarint(out, n);
    if (n > SHORT_LIST_MAX) {
        size_t size = roaring_bitmap_portable_size_in_bytes(set);
        buf_reserve(out, size);
        out->n += roaring_bitmap_portable_serialize(set, out->p + out->n);
        return;
    }
    uint32_t list[SHORT_LIST_MAX], prev = 0;
    roaring_bitmap_to_uint32_array(set, list);
    for (uint64_t i = 0; i < n; i++) {
        buf_put_uvarint(out, list[i] - prev);
        prev = list[i];
    }
}

bool postings_decode_into(Str in, uint32_t n_series, roaring_bitmap_t *set) {
    Cursor c = cursor_of(in);
    uint64_t n = cursor_uvarint(&c);
    if (c.bad || n > n_series) return false;
    if (n <= SHORT_LIST_MAX) {
        uint64_t v = 0;
        for (uint64_t i = 0; i < n; i++) {
            v += cursor_uvarint(&c);
            if (c.bad || v >= n_series) return false;
            roaring_bitmap_add(set, (uint32_t)v);
        }
        return true;
    }
    roaring_bitmap_t *list = roaring_bitmap_portable_deserialize_safe((const char *)c.p, cursor_left(&c));
    if (!list) return false;
    bool ok = roaring_bitmap_get_cardinality(list) == n && roaring_bitmap_maximum(list) < n_series;
    if (ok) roaring_bitmap_or_inplace(set, list);
    roaring_bitmap_free(list);
    return ok;
}
