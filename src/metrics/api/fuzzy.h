/* fuzzy.h - how well a name fits what somebody has typed so far, for the search endpoints.
 *
 * Scores lie in [0, 1] and are those of Prometheus 3.14's search API, so that rankings agree. Texts are compared by
 * character; of very long ones only the first FUZZY_RUNES_MAX count. */
#ifndef MEERKAT_METRICS_API_FUZZY_H
#define MEERKAT_METRICS_API_FUZZY_H

#include "base/arena.h"
#include "base/str.h"

#define FUZZY_RUNES_MAX 1024
#define FUZZY_TERMS_MAX 32

typedef enum FuzzyAlgorithm { FUZZY_SUBSEQUENCE, FUZZY_JARO_WINKLER } FuzzyAlgorithm;

typedef struct FuzzyTerm {
    Str text; /* folded when the search ignores case */
    const uint32_t *runes;
    size_t n;
} FuzzyTerm;

typedef struct FuzzySearch {
    FuzzyTerm terms[FUZZY_TERMS_MAX];
    size_t n_terms; /* 0: everything fits, with score 1 */
    FuzzyAlgorithm algorithm;
    double threshold; /* 0..1 */
    bool ignore_case; /* of ASCII letters */
} FuzzySearch;

/* Adds a term; empty ones are ignored. false: the arena is used up, or there are FUZZY_TERMS_MAX already. */
ATTR_MUST bool fuzzy_add_term(FuzzySearch *s, Str text, Arena *arena);
/* Whether value fits one of the terms; the best score. */
bool fuzzy_match(const FuzzySearch *s, Str value, double *ret_score);

/* Characters of pattern in their order within text: runs of neighbours count by the square of their length, gaps cost.
 * 0: not all of them are there; 1: equal. */
double fuzzy_subsequence(const uint32_t *pattern, size_t n_pattern, const uint32_t *text, size_t n_text);
/* Jaro-Winkler similarity. Source: W. Winkler, 1990; prefix weight 0.1 for up to four characters. */
double fuzzy_jaro_winkler(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b);

#endif
