#include "codec/regex.h"
#include "model/labels.h"

static void free_regex(void *ctx) { regex_free(ctx); }

ErrCode matcher_create(Arena *arena, MatchType type, Str name, Str value, const Matcher **ret, Err *reterr) {
    Matcher *m = ARENA_NEW(arena, Matcher);
    if (!m) return err_set(reterr, ERR_TOO_LARGE, "query is too large");
    *m = (Matcher){.type = type, .name = arena_copy(arena, name), .value = arena_copy(arena, value)};
    if (arena_exhausted(arena)) return err_set(reterr, ERR_TOO_LARGE, "query is too large");
    if (type == MATCH_RE || type == MATCH_NRE) {
        Regex *re = NULL;
        ErrCode r = regex_compile(m->value, REGEX_ANCHORED | REGEX_DOT_NL, &re, reterr);
        if (r != OK) return r;
        arena_defer(arena, free_regex, re);
        m->re = re;
    }
    *ret = m;
    return OK;
}

bool matcher_matches(const Matcher *m, Str value) {
    switch (m->type) {
    case MATCH_EQ: return str_eq(m->value, value);
    case MATCH_NEQ: return !str_eq(m->value, value);
    case MATCH_RE: return regex_match(m->re, value);
    case MATCH_NRE: return !regex_match(m->re, value);
    }
    UNREACHABLE();
}

bool matcher_matches_empty(const Matcher *m) { return matcher_matches(m, STR("")); }

bool matchers_match_empty(Matchers ms) {
    for (size_t i = 0; i < ms.n; i++)
        if (!matcher_matches_empty(ms.v[i])) return false;
    return true;
}

bool matchers_match(Matchers ms, Labels l) {
    for (size_t i = 0; i < ms.n; i++) {
        if (!matcher_matches(ms.v[i], labels_get(l, ms.v[i]->name))) return false;
    }
    return true;
}

ErrCode matchers_copy(Arena *arena, Matchers from, Matchers *ret, Err *reterr) {
    const Matcher **v = ARENA_ARRAY(arena, const Matcher *, from.n);
    if (!v) return err_set(reterr, ERR_TOO_LARGE, "the memory budget is used up");
    for (size_t i = 0; i < from.n; i++) {
        Str name = arena_copy(arena, from.v[i]->name), value = arena_copy(arena, from.v[i]->value);
        ErrCode code = matcher_create(arena, from.v[i]->type, name, value, &v[i], reterr);
        if (code != OK) return code;
    }
    *ret = (Matchers){v, from.n};
    return OK;
}
