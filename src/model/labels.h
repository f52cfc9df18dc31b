/* labels.h - label sets: name=value pairs sorted by name, names unique, empty values absent. */
#ifndef MEERKAT_MODEL_LABELS_H
#define MEERKAT_MODEL_LABELS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

typedef struct Label {
    Str name, value;
} Label;
typedef struct Labels {
    const Label *v;
    size_t n;
} Labels; /* borrowed view */

#define LABEL_NAME_METRIC STR("__name__")

Str labels_get(Labels l, Str name); /* STR_NULL when absent */
bool labels_eq(Labels a, Labels b);
int labels_cmp(Labels a, Labels b); /* Prometheus' order: pairwise name, value; then length */
uint64_t labels_hash(Labels l);     /* stable for this build; may be stored */
/* Hash over all labels but `__name__` and (with on) only / (without) except the given names. */
uint64_t labels_hash_for(Labels l, const Str *names, size_t n, bool on);
/* Sorts in place, drops empty values; ERR_INVALID names the duplicate. */
ErrCode labels_normalize(Label *v, size_t *n, Err *reterr);
/* Deep copy into the arena; .v == NULL on exhaustion when l.n > 0. */
Labels labels_copy(Arena *arena, Labels l);
/* {a="b", c="d"} with __name__ in front, as Prometheus prints a series. */
void labels_put_text(Buf *out, Labels l);
/* {__name__="m", a="b"}: as Prometheus names a series in an error. */
void labels_put_set(Buf *out, Labels l);
/* {"a":"b"} */
void labels_put_json(Buf *out, Labels l);
/* Parses Loki's / Prometheus' {a="b", c="d"} text into sorted labels. */
ErrCode labels_parse(Str text, Arena *arena, Labels *ret, Err *reterr);
/* __name__, __type__ or __unit__: what goes with a metric's name, and leaves with it. */
bool label_name_is_metadata(Str s);
bool label_name_is_legacy(Str s);  /* [a-zA-Z_][a-zA-Z0-9_]* */
bool metric_name_is_legacy(Str s); /* the same with ':' */

/* --- matchers --- */
typedef enum MatchType { MATCH_EQ, MATCH_NEQ, MATCH_RE, MATCH_NRE } MatchType;
typedef struct Matcher Matcher;
/* A matcher owned by an arena (its regex is freed with it). Regexes are anchored. */
ErrCode matcher_create(Arena *arena, MatchType type, Str name, Str value, const Matcher **ret, Err *reterr);
struct Matcher {
    MatchType type;
    Str name, value;
    const struct Regex *re;
};
bool matcher_matches(const Matcher *m, Str value); /* absent label: value is empty */
bool matcher_matches_empty(const Matcher *m);
typedef struct Matchers {
    const Matcher *const *v;
    size_t n;
} Matchers;
bool matchers_match(Matchers ms, Labels l);
/* Whether a series without any of these labels matches: {}, {a=""}. */
bool matchers_match_empty(Matchers ms);
/* With their strings. */
ErrCode matchers_copy(Arena *arena, Matchers from, Matchers *ret, Err *reterr);

#endif
