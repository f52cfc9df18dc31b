#include "metrics/api/fuzzy.h"

#include "lang/lexer.h"

#define NOT_EQUAL_SCALE 0.999 /* what is not the very text never scores 1 */
#define WINKLER_PREFIX_MAX 4
#define WINKLER_WEIGHT 0.1

static size_t to_runes(Str s, bool fold, uint32_t *out) {
    size_t n = 0;
    for (size_t at = 0; at < s.n && n < FUZZY_RUNES_MAX;) {
        size_t len;
        uint32_t rune = lang_rune_at(s, at, &len);
        out[n++] = fold && rune >= 'A' && rune <= 'Z' ? rune + 32 : rune;
        at += len;
    }
    return n;
}

bool fuzzy_add_term(FuzzySearch *s, Str text, Arena *arena) {
    if (text.n == 0) return true;
    if (s->n_terms == FUZZY_TERMS_MAX) return false;
    uint32_t *runes = ARENA_ARRAY(arena, uint32_t, MIN(text.n, (size_t)FUZZY_RUNES_MAX));
    if (!runes) return false;
    s->terms[s->n_terms++] = (FuzzyTerm){text, runes, to_runes(text, s->ignore_case, runes)};
    return true;
}

/* --- subsequence --- */

/* Raw score of taking every character as early as possible from start on; false: one is missing. */
static bool score_from(
    const uint32_t *pattern, size_t n_pattern, const uint32_t *text, size_t n_text, size_t start, double *ret) {
    double per_char = 1.0 / (double)n_text, score = 0;
    size_t end = 0; /* behind the run before */
    for (size_t k = 0, i = start; k < n_pattern;) {
        while (i < n_text && text[i] != pattern[k]) i++;
        if (i == n_text) return false;
        size_t from = i;
        while (k < n_pattern && i < n_text && text[i] == pattern[k]) i++, k++;
        if (from > end) score -= (double)(from - end) * per_char;
        score += (double)((i - from) * (i - from));
        end = i;
    }
    score -= (double)(n_text - end) * per_char * 0.5;
    *ret = score;
    return true;
}

static bool runes_eq(const uint32_t *a, const uint32_t *b, size_t n) { return memcmp(a, b, n * sizeof *a) == 0; }

double fuzzy_subsequence(const uint32_t *pattern, size_t n_pattern, const uint32_t *text, size_t n_text) {
    if (n_pattern == 0) return 1;
    if (n_pattern > n_text) return 0;
    if (n_pattern == n_text && runes_eq(pattern, text, n_text)) return 1;
    double best = -1, score;
    for (size_t i = 0; i + n_pattern <= n_text; i++) {
        if (text[i] != pattern[0]) continue;
        if (!score_from(pattern, n_pattern, text, n_text, i, &score)) break; /* nor from any later place */
        best = MAX(best, score);
    }
    return best < 0 ? 0 : best / (double)(n_pattern * n_pattern) * NOT_EQUAL_SCALE;
}

/* --- Jaro-Winkler --- */

/* Pairs equal characters that are not too far from each other; a is the shorter one. */
static size_t pair_up(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b, bool *a_used, bool *b_used) {
    size_t reach = n_b / 2 > 0 ? n_b / 2 - 1 : 0, pairs = 0;
    for (size_t i = 0; i < n_a; i++) {
        size_t end = MIN(i + reach + 1, n_b);
        for (size_t k = i > reach ? i - reach : 0; k < end; k++) {
            if (b_used[k] || a[i] != b[k]) continue;
            a_used[i] = b_used[k] = true;
            pairs++;
            break;
        }
    }
    return pairs;
}

double fuzzy_jaro_winkler(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b) {
    if (n_a == n_b && runes_eq(a, b, n_a)) return 1;
    if (n_a == 0 || n_b == 0) return 0;
    if (n_a > n_b) return fuzzy_jaro_winkler(b, n_b, a, n_a);
    bool a_used[FUZZY_RUNES_MAX] = {false}, b_used[FUZZY_RUNES_MAX] = {false};
    ASSERT(n_b <= FUZZY_RUNES_MAX);
    size_t pairs = pair_up(a, n_a, b, n_b, a_used, b_used), crossed = 0, prefix = 0;
    if (pairs == 0) return 0;
    for (size_t i = 0, k = 0; i < n_a; i++) {
        if (!a_used[i]) continue;
        while (!b_used[k]) k++;
        crossed += a[i] != b[k++];
    }
    double m = (double)pairs;
    double jaro = (m / (double)n_a + m / (double)n_b + (m - (double)crossed * 0.5) / m) / 3;
    while (prefix < MIN(n_a, (size_t)WINKLER_PREFIX_MAX) && a[prefix] == b[prefix]) prefix++;
    return jaro + (double)prefix * WINKLER_WEIGHT * (1 - jaro);
}

/* --- a value against the terms --- */

static bool starts_with(const FuzzyTerm *t, const uint32_t *value, size_t n) {
    return t->n <= n && runes_eq(t->runes, value, t->n);
}

/* 1 at the front, down to 0.1 at the end; false: not in there. */
static bool match_substring(const FuzzyTerm *t, const uint32_t *value, size_t n, double *ret) {
    for (size_t at = 0; at + t->n <= n; at++) {
        if (!runes_eq(t->runes, value + at, t->n)) continue;
        *ret = at == 0 ? 1 : 1 - 0.9 * (double)at / (double)(n - t->n);
        return true;
    }
    return false;
}

static bool match_term(const FuzzySearch *s, const FuzzyTerm *t, const uint32_t *value, size_t n, double *ret) {
    if (s->algorithm == FUZZY_SUBSEQUENCE) {
        *ret = starts_with(t, value, n) ? 1 : fuzzy_subsequence(t->runes, t->n, value, n);
        return *ret > 0 && *ret >= s->threshold;
    }
    if (match_substring(t, value, n, ret)) return true;
    if (s->threshold <= 0) return false;
    *ret = fuzzy_jaro_winkler(t->runes, t->n, value, n);
    return *ret >= s->threshold;
}

bool fuzzy_match(const FuzzySearch *s, Str value, double *ret_score) {
    uint32_t runes[FUZZY_RUNES_MAX];
    *ret_score = s->n_terms == 0 ? 1 : 0;
    if (s->n_terms == 0) return true;
    size_t n = to_runes(value, s->ignore_case, runes);
    bool found = false;
    for (size_t i = 0; i < s->n_terms && *ret_score < 1; i++) {
        double score = 0;
        if (!match_term(s, &s->terms[i], runes, n, &score)) continue;
        found = true;
        *ret_score = MAX(*ret_score, score);
    }
    return found;
}
