/* regex.h - RE2 behind a C face: linear time, Go's syntax. Compiled expressions are immutable and
 * may be shared between threads. */
#ifndef MEERKAT_CODEC_REGEX_H
#define MEERKAT_CODEC_REGEX_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

typedef struct Regex Regex;

typedef enum RegexFlags {
    REGEX_ANCHORED = 1, /* whole-string match, ^(?:...)$ with . matching newline: label matchers */
    REGEX_DOT_NL = 2,   /* . matches newline */
} RegexFlags;

/* ERR_INVALID with the message in Go's words ("error parsing regexp: missing closing ]: `[a`"). Patterns over 64 KiB
 * and programs over 8 MiB are refused the same way. (?<name>...) is taken for (?P<name>...). */
ErrCode regex_compile(Str pattern, unsigned flags, Regex **ret, Err *reterr);
Regex *regex_free(Regex *re);
/* Uses the facts first. Subjects over 2 GiB do not match unless the facts alone decide. The engine's "." matches
 * whole UTF-8 sequences only; the facts take any byte. */
bool regex_match(const Regex *re, Str s);
/* Up to n groups, group 0 is the whole match; unmatched groups have p == NULL. */
bool regex_match_groups(const Regex *re, Str s, Str *groups, size_t n);
/* Appends s with every match replaced by tmpl as Go's Regexp.ReplaceAllString does. false: it would be more than max
 * bytes; some of them are there. */
ATTR_MUST bool regex_replace_all(const Regex *re, Str s, Str tmpl, size_t max, Buf *out);
size_t regex_group_count(const Regex *re);       /* without group 0 */
Str regex_group_name(const Regex *re, size_t i); /* 1-based; empty when unnamed */
/* Appends tmpl with $1, ${1}, ${name}, $$ replaced, as Go's regexp.Expand: names are as
 * long as they can be ($1x is group "1x"), unknown names are empty. Names are ASCII. false: it would be more than max
 * bytes (a template may name a long group very often); some of them are there. */
ATTR_MUST bool regex_expand(const Regex *re, Str tmpl, const Str *groups, size_t n, size_t max, Buf *out);

/* What can be known without running the engine, so that many matchers never reach it. */
typedef struct RegexFacts {
    bool is_literal_set; /* anchored: matches exactly set[0..set_n) */
    Str *set;
    size_t set_n;                    /* sorted bytewise, no doubles; owned by the Regex; at most 256 */
    Str prefix;                      /* every match begins with it (may be empty) */
    Str required;                    /* a literal every match contains (longest known, may be empty), case-sensitive */
    bool matches_empty, matches_all; /* ".*", ".+" is !matches_empty && matches_all_nonempty */
    bool matches_all_nonempty;
} RegexFacts;
const RegexFacts *regex_facts(const Regex *re);

#endif
