/* The only C++ of the project: RE2 has no C interface. No exception leaves this file: compilation reports them, the
 * rest is noexcept, so that running out of memory ends the process as mem_alloc does. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <re2/re2.h>

#include <new>
#include <string>
#include <vector>

extern "C" {
#include "codec/regex_int.h"
}

using re2::RE2;
using re2::StringPiece;

struct Regex {
    RE2 *re;
    Arena *arena;
    RegexFacts facts;
    unsigned flags;
    bool contains; /* a substring search for facts.required is the whole answer */
    std::vector<std::string> *names;
};

namespace {

constexpr size_t kPatternBytesMax = 64 * 1024;
constexpr int64_t kProgramBytesMax = 8 << 20;
constexpr size_t kFactsBytesMax = 1 << 20;

/* Go's words for what is wrong: clients and people know these texts. */
const char *error_text(RE2::ErrorCode code) {
    switch (code) {
    case RE2::ErrorBadEscape: return "invalid escape sequence";
    case RE2::ErrorBadCharClass: return "invalid character class";
    case RE2::ErrorBadCharRange: return "invalid character class range";
    case RE2::ErrorMissingBracket: return "missing closing ]";
    case RE2::ErrorMissingParen: return "missing closing )";
    case RE2::ErrorUnexpectedParen: return "unexpected )";
    case RE2::ErrorTrailingBackslash: return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument: return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize: return "invalid repeat count";
    case RE2::ErrorRepeatOp: return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp: return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8: return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture: return "invalid named capture";
    case RE2::ErrorPatternTooLarge: return "expression too large";
    default: return "internal error";
    }
}

ErrCode report(const RE2 &re, unsigned flags, Err *reterr) {
    std::string arg = re.error_arg();
    bool whole = re.error_code() == RE2::ErrorMissingParen || re.error_code() == RE2::ErrorUnexpectedParen;
    /* Prometheus wraps before it compiles, and the text shows it. */
    if (whole && (flags & REGEX_ANCHORED)) arg = "^(?s:" + arg + ")$";
    return err_set(reterr, ERR_INVALID, "error parsing regexp: %s: `%s`", error_text(re.error_code()), arg.c_str());
}

/* Go knows (?<name>...) for (?P<name>...); the engine of this release does not. */
std::string with_python_names(Str pattern) {
    std::string out;
    bool in_class = false, in_quote = false;
    for (size_t i = 0; i < pattern.n; i++) {
        char c = pattern.p[i];
        out.push_back(c);
        if (c == '\\' && i + 1 < pattern.n) {
            char next = pattern.p[++i];
            out.push_back(next);
            if (next == 'Q' && !in_class) in_quote = true;
            if (next == 'E') in_quote = false;
        } else if (in_quote) {
            continue;
        } else if (in_class) {
            in_class = c != ']';
        } else if (c == '[') {
            in_class = true;
            if (i + 1 < pattern.n && pattern.p[i + 1] == '^') out.push_back(pattern.p[++i]);
            if (i + 1 < pattern.n && pattern.p[i + 1] == ']') out.push_back(pattern.p[++i]);
        } else if (c == '(' && i + 2 < pattern.n && pattern.p[i + 1] == '?' && pattern.p[i + 2] == '<') {
            out += "?P";
            i++;
        }
    }
    return out;
}

/* The engine counts in int; longer subjects than that do not reach it. */
bool run(const Regex *re, Str s, size_t pos, StringPiece *groups, int n) noexcept {
    if (s.n > (size_t)INT32_MAX) return false;
    StringPiece text(s.p ? s.p : "", s.n);
    return re->re->Match(text, pos, s.n, re->flags & REGEX_ANCHORED ? RE2::ANCHOR_BOTH : RE2::UNANCHORED, groups, n);
}

bool excluded_by_facts(const Regex *re, Str s) {
    if ((re->flags & REGEX_ANCHORED) && !str_starts_with(s, re->facts.prefix)) return true;
    return re->facts.required.n > 0 && !str_contains(s, re->facts.required);
}

bool run_groups(const Regex *re, Str s, size_t pos, Str *groups, size_t n) noexcept {
    constexpr size_t kOnStack = 32;
    StringPiece few[kOnStack];
    std::vector<StringPiece> many(n > kOnStack ? n : 0);
    StringPiece *found = n > kOnStack ? many.data() : few;
    if (!run(re, s, pos, found, (int)n)) return false;
    for (size_t i = 0; i < n; i++) groups[i] = str_of(found[i].data(), found[i].size());
    return true;
}

/* The set is sorted. */
bool in_literal_set(const RegexFacts *f, Str s) {
    size_t lo = 0, hi = f->set_n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(f->set[mid], s);
        if (c == 0) return true;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

void set_names(Regex *re) {
    re->names = new std::vector<std::string>((size_t)re->re->NumberOfCapturingGroups() + 1);
    for (const auto &it : re->re->CapturingGroupNames()) (*re->names)[(size_t)it.first] = it.second;
}

ErrCode compile(Str pattern, Regex *re, Err *reterr) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kProgramBytesMax);
    options.set_dot_nl((re->flags & (REGEX_ANCHORED | REGEX_DOT_NL)) != 0);
    std::string text = with_python_names(pattern);
    re->re = new RE2(text, options);
    if (!re->re->ok()) return report(*re->re, re->flags, reterr);
    set_names(re);
    re->arena = arena_create(kFactsBytesMax);
    regex_facts_analyse(str_of(text.data(), text.size()), re->flags, re->arena, &re->facts, &re->contains);
    re->facts.matches_empty = run(re, STR_NULL, 0, nullptr, 0);
    return OK;
}

} // namespace

extern "C" {

ErrCode regex_compile(Str pattern, unsigned flags, Regex **ret, Err *reterr) {
    *ret = nullptr;
    if (pattern.n > kPatternBytesMax)
        return err_set(reterr, ERR_INVALID, "error parsing regexp: expression too large: %zu bytes", pattern.n);
    Regex *re = NEW(Regex);
    re->flags = flags;
    ErrCode code;
    try {
        code = compile(pattern, re, reterr);
    } catch (const std::exception &e) {
        code = err_set(reterr, ERR_INTERNAL, "cannot compile the expression: %s", e.what());
    }
    if (code) {
        regex_free(re);
        return code;
    }
    *ret = re;
    return OK;
}

Regex *regex_free(Regex *re) {
    if (!re) return nullptr;
    delete re->re;
    delete re->names;
    arena_free(re->arena);
    mem_free(re);
    return nullptr;
}

bool regex_match(const Regex *re, Str s) {
    const RegexFacts *f = &re->facts;
    if (f->matches_all) return true;
    if (f->matches_all_nonempty) return s.n > 0 || f->matches_empty;
    if (f->is_literal_set) return in_literal_set(f, s);
    if (excluded_by_facts(re, s)) return false;
    return re->contains || run(re, s, 0, nullptr, 0);
}

bool regex_match_groups(const Regex *re, Str s, Str *groups, size_t n) {
    for (size_t i = 0; i < n; i++) groups[i] = STR_NULL;
    return !excluded_by_facts(re, s) && run_groups(re, s, 0, groups, MIN(n, re->names->size()));
}

bool regex_match_from(const Regex *re, Str s, size_t pos, Str *groups, size_t n) {
    for (size_t i = 0; i < n; i++) groups[i] = STR_NULL;
    return run_groups(re, s, pos, groups, MIN(n, re->names->size()));
}

size_t regex_word_length(Str s) {
    static const RE2 word("[\\pL\\p{Nd}_]*");
    StringPiece input(s.p, s.n), found;
    return word.Match(input, 0, s.n, RE2::ANCHOR_START, &found, 1) ? found.size() : 0;
}

size_t regex_group_count(const Regex *re) { return re->names->size() - 1; }

Str regex_group_name(const Regex *re, size_t i) {
    ASSERT(i < re->names->size());
    const std::string &name = (*re->names)[i];
    return str_of(name.data(), name.size());
}

const RegexFacts *regex_facts(const Regex *re) { return &re->facts; }

} // extern "C"
