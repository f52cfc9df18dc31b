/* What a pattern's text tells without running the engine.
 *
 * A recursive descent over the pattern keeps, for every sub-expression, either its whole language (a small set of
 * literals) or what all its matches share: a beginning, an end, a part. Flags, \Q, code points in escapes, odd
 * classes: the analysis gives up, and no facts is always a right answer. */
#include "codec/regex_int.h"

#include <stdlib.h>

#define SET_MAX 256
#define DEPTH_MAX 64
#define SCRATCH_BYTES_MAX ((size_t)4 << 20)

typedef struct Info {
    bool exact;         /* the language is exactly set[0..n) */
    bool zero_width;    /* an assertion: matches are empty, but not everywhere */
    bool all, nonempty; /* .* or .+; of no other language is that known */
    Str *set;
    size_t n;
    Str prefix, suffix, required; /* of every match */
} Info;

typedef struct Parser {
    Arena *arena;
    const char *p, *end;
    bool anchored, failed;
    unsigned depth;
} Parser;

static const Info unknown;

static Info give_up(Parser *ps) {
    ps->failed = true;
    return unknown;
}

static inline bool at_end(const Parser *ps) { return ps->p == ps->end; }
static inline bool at(const Parser *ps, char c) { return ps->p < ps->end && *ps->p == c; }

static Str longest(Str a, Str b) { return b.n > a.n ? b : a; }

static Str common_prefix(Str a, Str b) {
    size_t n = 0;
    while (n < a.n && n < b.n && a.p[n] == b.p[n]) n++;
    return str_slice(a, 0, n);
}

static Str common_suffix(Str a, Str b) {
    size_t n = 0;
    while (n < a.n && n < b.n && a.p[a.n - 1 - n] == b.p[b.n - 1 - n]) n++;
    return str_slice(a, a.n - n, a.n);
}

static Str join(Parser *ps, Str a, Str b) {
    if (a.n == 0 || b.n == 0) return a.n ? a : b;
    char *p = arena_alloc(ps->arena, a.n + b.n);
    if (!p) {
        ps->failed = true;
        return STR_NULL;
    }
    memcpy(p, a.p, a.n);
    memcpy(p + a.n, b.p, b.n);
    return str_of(p, a.n + b.n);
}

/* A set becomes what its members share. */
static void derive_shared(Info *a) {
    if (a->n == 0) return;
    a->prefix = a->suffix = a->set[0];
    for (size_t i = 1; i < a->n; i++) {
        a->prefix = common_prefix(a->prefix, a->set[i]);
        a->suffix = common_suffix(a->suffix, a->set[i]);
    }
    a->required = longest(a->prefix, a->suffix);
}

static Info inexact(Info a) {
    a.exact = a.zero_width = a.all = a.nonempty = false;
    a.set = NULL;
    a.n = 0;
    return a;
}

static Info exact_set(Parser *ps, size_t n) {
    Info a = {.exact = true, .n = n, .set = ARENA_ARRAY(ps->arena, Str, n)};
    if (!a.set) return give_up(ps);
    return a;
}

static Info literal(Parser *ps, Str s) {
    Info a = exact_set(ps, 1);
    if (ps->failed) return unknown;
    a.set[0] = s;
    derive_shared(&a);
    return a;
}

static bool is_epsilon(const Info *a) { return a->exact && a->n == 1 && a->set[0].n == 0; }

static Info cross_product(Parser *ps, const Info *a, const Info *b) {
    Info r = exact_set(ps, a->n * b->n);
    for (size_t i = 0; i < a->n && !ps->failed; i++)
        for (size_t j = 0; j < b->n && !ps->failed; j++) r.set[i * b->n + j] = join(ps, a->set[i], b->set[j]);
    if (ps->failed) return unknown;
    derive_shared(&r);
    return r;
}

static Info concat(Parser *ps, Info a, Info b) {
    if (is_epsilon(&a)) return b;
    if (is_epsilon(&b)) return a;
    if (a.zero_width) return inexact(b);
    if (b.zero_width) return inexact(a);
    if (a.exact && b.exact && a.n * b.n <= SET_MAX) return cross_product(ps, &a, &b);
    Info r = {0};
    r.prefix = a.exact && a.n == 1 ? join(ps, a.set[0], b.prefix) : a.prefix;
    r.suffix = b.exact && b.n == 1 ? join(ps, a.suffix, b.set[0]) : b.suffix;
    r.required = longest(longest(a.required, b.required), join(ps, a.suffix, b.prefix));
    r.required = longest(r.required, longest(r.prefix, r.suffix));
    return r;
}

static Info set_union(Parser *ps, const Info *a, const Info *b) {
    Info r = exact_set(ps, a->n + b->n);
    if (ps->failed) return unknown;
    memcpy(r.set, a->set, a->n * sizeof(Str));
    memcpy(r.set + a->n, b->set, b->n * sizeof(Str));
    derive_shared(&r);
    return r;
}

static Info alternate(Parser *ps, Info a, Info b) {
    if (a.exact && b.exact && a.n + b.n <= SET_MAX) return set_union(ps, &a, &b);
    Info r = {.prefix = common_prefix(a.prefix, b.prefix), .suffix = common_suffix(a.suffix, b.suffix)};
    r.required = str_eq(a.required, b.required) ? a.required : longest(r.prefix, r.suffix);
    return r;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* "{2}", "{2,}", "{2,5}" at p: its length and lower bound; 0 when the brace is an ordinary character. */
static size_t repeat_length(const char *p, const char *end, bool *ret_from_zero) {
    const char *q = p + 1;
    if (q >= end || !is_digit(*q)) return 0;
    *ret_from_zero = true;
    for (; q < end && is_digit(*q); q++)
        if (*q != '0') *ret_from_zero = false;
    if (q < end && *q == ',')
        for (q++; q < end && is_digit(*q);) q++;
    return q < end && *q == '}' ? (size_t)(q + 1 - p) : 0;
}

static bool at_repetition(const Parser *ps) {
    bool from_zero;
    if (at_end(ps)) return false;
    if (*ps->p == '*' || *ps->p == '+' || *ps->p == '?') return true;
    return *ps->p == '{' && repeat_length(ps->p, ps->end, &from_zero) > 0;
}

static Info optional(Parser *ps, Info a) {
    Info none = literal(ps, STR(""));
    return ps->failed ? unknown : alternate(ps, a, none);
}

/* Applies the repetition that follows an atom, if one does. is_dot: the atom is a bare dot. */
static Info parse_repetition(Parser *ps, Info a, bool is_dot) {
    if (!at_repetition(ps)) return a;
    char op = *ps->p;
    bool from_zero = op != '+';
    ps->p += op == '{' ? repeat_length(ps->p, ps->end, &from_zero) : 1;
    if (at(ps, '?')) ps->p++; /* lazy: the same language */
    if (at_repetition(ps)) return give_up(ps);
    if (is_dot && (op == '*' || op == '+')) return (Info){.all = true, .nonempty = op == '+'};
    if (op == '?') return a.zero_width || a.all ? unknown : optional(ps, a);
    return from_zero || a.zero_width ? unknown : inexact(a);
}

static Info parse_alternation(Parser *ps);

/* Behind "(": the group's kind. Only those that change nothing, or let "." match more, are understood. */
static bool parse_group_head(Parser *ps) {
    static const Str heads[] = {STR_INIT("?:"), STR_INIT("?s:")};
    if (!at(ps, '?')) return true;
    Str rest = str_of(ps->p, (size_t)(ps->end - ps->p));
    for (size_t i = 0; i < ARRAY_LEN(heads); i++)
        if (str_starts_with(rest, heads[i])) {
            ps->p += heads[i].n;
            return true;
        }
    size_t close_at = str_find_char(rest, '>');
    if (!str_starts_with(rest, STR("?P<")) || close_at == SIZE_MAX) return false;
    ps->p += close_at + 1;
    return true;
}

static Info parse_group(Parser *ps) {
    ps->p++;
    if (++ps->depth > DEPTH_MAX || !parse_group_head(ps)) return give_up(ps);
    Info a = parse_alternation(ps);
    if (ps->failed || !at(ps, ')')) return give_up(ps);
    ps->p++;
    ps->depth--;
    return a;
}

/* [abc] is a set of literals; ranges, negations and non-ASCII members are known to be one character, no more. */
static Info parse_class(Parser *ps) {
    const char *from = ++ps->p;
    bool simple = !at(ps, '^');
    if (!simple) ps->p++;
    if (at(ps, ']')) return give_up(ps);
    for (; !at_end(ps) && *ps->p != ']'; ps->p++) {
        if (*ps->p == '[' || *ps->p == '\\') return give_up(ps);
        if (*ps->p == '-' || (unsigned char)*ps->p >= 0x80) simple = false;
    }
    if (at_end(ps)) return give_up(ps);
    size_t n = (size_t)(ps->p++ - from);
    if (!simple || n > 16) return unknown;
    Info a = exact_set(ps, n);
    for (size_t i = 0; i < n && !ps->failed; i++) a.set[i] = str_of(from + i, 1);
    if (ps->failed) return unknown;
    derive_shared(&a);
    return a;
}

static Info parse_escape(Parser *ps) {
    static const char letters[] = "tnrfva", meanings[] = "\t\n\r\f\v\a";
    if (ps->end - ps->p < 2) return give_up(ps);
    char c = ps->p[1];
    ps->p += 2;
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter) return literal(ps, str_of(meanings + (letter - letters), 1));
    if (c && strchr("dDwWsS", c)) return unknown;
    if (c && strchr("bBAz", c)) return (Info){.zero_width = true};
    bool word = is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (word || (unsigned char)c >= 0x80 || c == '\0') return give_up(ps);
    return literal(ps, str_of(ps->p - 1, 1));
}

/* ^ and $ where an anchored match begins and ends anyway say nothing; elsewhere they are assertions. */
static Info parse_anchor(Parser *ps, bool first) {
    char c = *ps->p++;
    bool at_edge = c == '^' ? first : at_end(ps) || at(ps, '|');
    if (ps->anchored && ps->depth == 0 && at_edge) return literal(ps, STR(""));
    return (Info){.zero_width = true};
}

static size_t rune_length(const Parser *ps) {
    unsigned char c = (unsigned char)*ps->p;
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return MIN(n, (size_t)(ps->end - ps->p));
}

/* As many ordinary characters as belong together: a repetition takes the last one for itself. */
static Info parse_literal_run(Parser *ps) {
    bool from_zero;
    const char *from = ps->p, *last = ps->p;
    while (!at_end(ps) && !strchr("\\.[]()|^$*+?", *ps->p ? *ps->p : '.')) {
        if (*ps->p == '{' && repeat_length(ps->p, ps->end, &from_zero)) break;
        last = ps->p;
        ps->p += rune_length(ps);
    }
    if (ps->p == from) return give_up(ps);
    if (at_repetition(ps) && last > from) ps->p = last;
    return literal(ps, str_of(from, (size_t)(ps->p - from)));
}

static Info parse_atom(Parser *ps, bool first, bool *ret_is_dot) {
    *ret_is_dot = false;
    switch (*ps->p) {
    case '(': return parse_group(ps);
    case '[': return parse_class(ps);
    case '\\': return parse_escape(ps);
    case '^':
    case '$': return parse_anchor(ps, first);
    case '.':
        *ret_is_dot = true;
        ps->p++;
        return unknown;
    default: return parse_literal_run(ps);
    }
}

static Info parse_concatenation(Parser *ps) {
    Info all = literal(ps, STR(""));
    bool is_dot;
    for (bool first = true; !ps->failed && !at_end(ps) && *ps->p != '|' && *ps->p != ')'; first = false) {
        Info a = parse_atom(ps, first, &is_dot);
        if (!ps->failed) a = parse_repetition(ps, a, is_dot);
        if (!ps->failed) all = concat(ps, all, a);
    }
    return all;
}

static Info parse_alternation(Parser *ps) {
    Info all = parse_concatenation(ps);
    while (!ps->failed && at(ps, '|')) {
        ps->p++;
        Info a = parse_concatenation(ps);
        if (!ps->failed) all = alternate(ps, all, a);
    }
    return all;
}

static int compare_strs(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

/* Sorted, without doubles, in the arena of the expression; a full arena shows in arena_exhausted. */
static void keep_set(const Info *a, Arena *out, RegexFacts *ret) {
    qsort(a->set, a->n, sizeof(Str), compare_strs);
    Str *set = ARENA_ARRAY(out, Str, a->n);
    if (!set) return;
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++) {
        if (n > 0 && str_eq(set[n - 1], a->set[i])) continue;
        set[n] = arena_copy(out, a->set[i]);
        if (!set[n++].p) return;
    }
    ret->set = set;
    ret->set_n = n;
    ret->is_literal_set = true;
}

static void keep_facts(const Info *a, unsigned flags, Arena *out, RegexFacts *ret, bool *ret_contains) {
    bool anchored = flags & REGEX_ANCHORED, dot_nl = flags & (REGEX_ANCHORED | REGEX_DOT_NL);
    ret->prefix = arena_copy(out, a->prefix);
    ret->required = arena_copy(out, a->required);
    /* Not anchored, .* and the empty pattern match emptily everywhere; .+ needs a character it may take. */
    ret->matches_all = (a->all && !a->nonempty) || (!anchored && is_epsilon(a));
    ret->matches_all_nonempty = ret->matches_all || (a->all && dot_nl);
    *ret_contains = !anchored && a->exact && a->n == 1;
    if (anchored && a->exact) keep_set(a, out, ret);
}

void regex_facts_analyse(Str pattern, unsigned flags, Arena *out, RegexFacts *ret, bool *ret_contains) {
    *ret = (RegexFacts){0};
    *ret_contains = false;
    Arena *scratch = arena_create(SCRATCH_BYTES_MAX);
    Parser ps = {.arena = scratch, .p = pattern.n ? pattern.p : "", .anchored = flags & REGEX_ANCHORED};
    ps.end = ps.p + pattern.n;
    if (str_starts_with(pattern, STR("(?s)"))) ps.p += 4;
    Info a = parse_alternation(&ps);
    if (!ps.failed && at_end(&ps)) keep_facts(&a, flags, out, ret, ret_contains);
    if (arena_exhausted(out)) {
        *ret = (RegexFacts){0};
        *ret_contains = false;
    }
    arena_free(scratch);
}
