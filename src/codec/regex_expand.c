#include "codec/regex_int.h"

/* Takes "name" or "{name}" off *rest, the text behind a dollar sign; false when there is none. */
static bool take_name(Str *rest, Str *ret_name) {
    size_t from = rest->n > 0 && rest->p[0] == '{', to = from + regex_word_length(str_skip(*rest, from));
    if (to == from) return false;
    if (from == 1 && (to == rest->n || rest->p[to] != '}')) return false;
    *ret_name = str_slice(*rest, from, to);
    *rest = str_skip(*rest, to + from);
    return true;
}

/* The group's number when name is a plain one: digits, no leading zero, below 10^8. */
static bool parse_number(Str name, size_t *ret) {
    size_t v = 0;
    if (name.n > 8 || (name.p[0] == '0' && name.n > 1)) return false;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] < '0' || name.p[i] > '9') return false;
        v = v * 10 + (size_t)(name.p[i] - '0');
    }
    *ret = v;
    return true;
}

/* The first group of that name which took part in the match. */
static Str find_group(const Regex *re, Str name, const Str *groups, size_t n) {
    size_t number;
    if (parse_number(name, &number)) return number < n ? groups[number] : STR_NULL;
    size_t count = regex_group_count(re);
    for (size_t i = 1; i <= count && i < n; i++)
        if (groups[i].p && str_eq(regex_group_name(re, i), name)) return groups[i];
    return STR_NULL;
}

static bool put_within(Buf *out, Str s, size_t end) {
    if (out->n > end || s.n > end - out->n) return false;
    if (s.n) buf_put_str(out, s);
    return true;
}

bool regex_expand(const Regex *re, Str tmpl, const Str *groups, size_t n, size_t max, Buf *out) {
    size_t end = max > SIZE_MAX - out->n ? SIZE_MAX : out->n + max;
    for (;;) {
        size_t dollar = str_find_char(tmpl, '$');
        if (dollar == SIZE_MAX) break;
        if (!put_within(out, str_slice(tmpl, 0, dollar), end)) return false;
        tmpl = str_skip(tmpl, dollar + 1);
        Str name;
        if (tmpl.n > 0 && tmpl.p[0] == '$') {
            buf_put_char(out, '$');
            tmpl = str_skip(tmpl, 1);
        } else if (take_name(&tmpl, &name)) {
            Str value = find_group(re, name, groups, n);
            if (!put_within(out, value, end)) return false;
        } else {
            buf_put_char(out, '$'); /* malformed: the sign stands for itself */
        }
    }
    return put_within(out, tmpl, end);
}

static size_t rune_bytes(Str s) {
    size_t n = str_utf8_step(s);
    return n ? n : 1;
}

bool regex_replace_all(const Regex *re, Str s, Str tmpl, size_t max, Buf *out) {
    size_t end = max > SIZE_MAX - out->n ? SIZE_MAX : out->n + max;
    Str groups[32];
    size_t n = MIN(regex_group_count(re) + 1, ARRAY_LEN(groups)), copied = 0, pos = 0;
    if (!s.p) s.p = "";
    while (pos <= s.n && regex_match_from(re, s, pos, groups, n)) {
        size_t from = (size_t)(groups[0].p - s.p), to = from + groups[0].n;
        if (!put_within(out, str_slice(s, copied, from), end)) return false;
        /* No empty match right behind another one. */
        if ((to > copied || from == 0) && !regex_expand(re, tmpl, groups, n, end - out->n, out)) return false;
        copied = to;
        size_t step = pos < s.n ? rune_bytes(str_skip(s, pos)) : 1;
        pos = pos + step > to ? pos + step : to;
    }
    return put_within(out, str_skip(s, MIN(copied, s.n)), end);
}
