/* Facts against the engine. Input: one byte of flags, the pattern, a newline, subjects with a newline each. The facts
 * and the shortcuts they allow must agree with the engine, which is reached past them by an equal pattern that the
 * analysis gives up on. */
#include "codec/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "(?U)" and back: changes nothing, and the analysis knows no flags. */
static Regex *compile_plain(Str pattern, unsigned flags) {
    Buf b = {0};
    Regex *re = NULL;
    buf_put_lit(&b, "(?U)(?-U)");
    buf_put_str(&b, pattern);
    (void)regex_compile(buf_str(&b), flags, &re, NULL);
    buf_done(&b);
    return re;
}

static bool in_set(const RegexFacts *f, Str s) {
    for (size_t i = 0; i < f->set_n; i++)
        if (str_eq(f->set[i], s)) return true;
    return false;
}

static void check_subject(const Regex *re, const Regex *engine, unsigned flags, Str s) {
    const RegexFacts *f = regex_facts(re);
    Str whole;
    bool matched = regex_match_groups(engine, s, &whole, 1);
    ASSERT(regex_match(engine, s) == matched);
    if (str_is_utf8(s)) { /* the facts take any byte for a character, the engine does not */
        ASSERT(regex_match(re, s) == matched);
        if (f->matches_all || (f->matches_all_nonempty && s.n > 0)) ASSERT(matched);
    }
    if (f->is_literal_set) ASSERT((flags & REGEX_ANCHORED) && matched == in_set(f, s));
    if (s.n == 0) ASSERT(matched == f->matches_empty);
    if (matched) ASSERT(str_starts_with(whole, f->prefix) && str_contains(whole, f->required));
}

static void check_subjects(const Regex *re, const Regex *engine, unsigned flags, Str subjects) {
    const RegexFacts *f = regex_facts(re);
    Str rest = subjects, s;
    check_subject(re, engine, flags, STR_NULL);
    check_subject(re, engine, flags, subjects);
    check_subject(re, engine, flags, f->prefix);
    check_subject(re, engine, flags, f->required);
    for (size_t i = 0; i < f->set_n; i++) check_subject(re, engine, flags, f->set[i]);
    for (int i = 0; i < 16 && str_split_next(&rest, '\n', &s); i++) check_subject(re, engine, flags, s);
}

static void expand(const Regex *re, Str tmpl, Str subject) {
    Str groups[4];
    Buf out = {0};
    if (regex_match_groups(re, subject, groups, ARRAY_LEN(groups)))
        ASSERT(regex_expand(re, tmpl, groups, ARRAY_LEN(groups), 10000, &out) == (out.n < 10000) || out.n == 10000);
    ASSERT(out.n <= 10000);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 || size > 2000) return 0;
    unsigned flags = data[0] & (REGEX_ANCHORED | REGEX_DOT_NL);
    Str rest = str_of((const char *)data + 1, size - 1), pattern;
    if (!str_split_next(&rest, '\n', &pattern)) return 0;
    Regex *re, *engine = compile_plain(pattern, flags);
    Err err = {0};
    ErrCode code = regex_compile(pattern, flags, &re, &err);
    ASSERT(code == OK || (code == ERR_INVALID && err.msg[0]));
    if (re && engine) {
        ASSERT(!regex_facts(engine)->is_literal_set && regex_facts(engine)->required.n == 0);
        check_subjects(re, engine, flags, rest);
        expand(re, rest, rest);
    }
    regex_free(re);
    regex_free(engine);
    return 0;
}
