/* regex_int.h - between the engine's C++ face (regex.cc) and the analysis of pattern texts (regex_facts.c). */
#ifndef MEERKAT_CODEC_REGEX_INT_H
#define MEERKAT_CODEC_REGEX_INT_H

#include "base/arena.h"
#include "codec/regex.h"

/* Facts about a pattern the engine has accepted; strings go into out. matches_empty is left to the engine.
 * *ret_contains: the unanchored pattern is the one literal `required`, so a substring search answers it. */
void regex_facts_analyse(Str pattern, unsigned flags, Arena *out, RegexFacts *ret, bool *ret_contains);

/* Length of the letters, digits and underscores, of any script, that s begins with. */
size_t regex_word_length(Str s);

/* regex_match_groups from a position on: ^ and \b see what stands before it. Not for anchored expressions. */
bool regex_match_from(const Regex *re, Str s, size_t pos, Str *groups, size_t n);

#endif
