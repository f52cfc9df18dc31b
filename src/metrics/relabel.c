#include "metrics/relabel.h"

#include "base/num.h"
#include "metrics/md5.h"
#include "sys/thread.h"

#include <locale.h>
#include <wctype.h>

#define GROUPS_MAX 32

static const Str action_names[] = {
    [RELABEL_REPLACE] = STR_INIT("replace"),
    [RELABEL_KEEP] = STR_INIT("keep"),
    [RELABEL_DROP] = STR_INIT("drop"),
    [RELABEL_KEEPEQUAL] = STR_INIT("keepequal"),
    [RELABEL_DROPEQUAL] = STR_INIT("dropequal"),
    [RELABEL_HASHMOD] = STR_INIT("hashmod"),
    [RELABEL_LABELMAP] = STR_INIT("labelmap"),
    [RELABEL_LABELDROP] = STR_INIT("labeldrop"),
    [RELABEL_LABELKEEP] = STR_INIT("labelkeep"),
    [RELABEL_LOWERCASE] = STR_INIT("lowercase"),
    [RELABEL_UPPERCASE] = STR_INIT("uppercase"),
};

bool relabel_action_parse(Str name, RelabelAction *ret) {
    for (size_t i = 0; i < ARRAY_LEN(action_names); i++) {
        if (!str_eq_nocase(name, action_names[i])) continue;
        *ret = (RelabelAction)i;
        return true;
    }
    return false;
}

Str relabel_action_name(RelabelAction a) { return action_names[a]; }

Str relabel_get(const RelabelSet *s, Str name) { return labels_get((Labels){s->labels.v, s->labels.n}, name); }

bool relabel_set(RelabelSet *s, Str name, Str value) {
    for (size_t i = 0; i < s->labels.n; i++) {
        if (!str_eq(s->labels.v[i].name, name)) continue;
        if (value.n)
            s->labels.v[i].value = value;
        else
            s->labels.v[i] = s->labels.v[--s->labels.n];
        return true;
    }
    return value.n == 0 || avec_push(s->arena, &s->labels, (Label){name, value});
}

static bool joined(const RelabelRule *r, const RelabelSet *s, Str *ret) {
    if (r->n_source_labels == 1) {
        *ret = relabel_get(s, r->source_labels[0]);
        return true;
    }
    Buf b = {0};
    for (size_t i = 0; i < r->n_source_labels; i++) {
        if (i) buf_put_str(&b, r->separator);
        buf_put_str(&b, relabel_get(s, r->source_labels[i]));
    }
    *ret = arena_copy(s->arena, buf_str(&b));
    buf_done(&b);
    return ret->p != NULL;
}

/* The template with the groups of subject put in; *ret_matched false when the regex does not match. */
static bool expand(const RelabelRule *r, Str tmpl, Str subject, Arena *arena, Str *ret, bool *ret_matched) {
    Str groups[GROUPS_MAX];
    size_t n = MIN(regex_group_count(r->regex) + 1, GROUPS_MAX);
    *ret_matched = regex_match_groups(r->regex, subject, groups, n);
    if (!*ret_matched) return true;
    if (str_find_char(tmpl, '$') == SIZE_MAX) {
        *ret = tmpl;
        return true;
    }
    Buf b = {0};
    bool fits = regex_expand(r->regex, tmpl, groups, n, arena_left_bytes(arena), &b);
    *ret = fits ? arena_copy(arena, buf_str(&b)) : STR_NULL;
    buf_done(&b);
    return ret->p != NULL;
}

static RelabelResult replace(const RelabelRule *r, RelabelSet *s, Str value) {
    Str target, text;
    bool matched;
    if (!expand(r, r->target_label, value, s->arena, &target, &matched)) return RELABEL_EXHAUSTED;
    if (!matched || target.n == 0 || !str_is_utf8(target)) return RELABEL_KEPT;
    if (s->legacy_names && !label_name_is_legacy(target)) return RELABEL_KEPT;
    if (!expand(r, r->replacement, value, s->arena, &text, &matched)) return RELABEL_EXHAUSTED;
    return relabel_set(s, target, text) ? RELABEL_KEPT : RELABEL_EXHAUSTED;
}

static RelabelResult hashmod(const RelabelRule *r, RelabelSet *s, Str value) {
    uint8_t sum[MD5_BYTES];
    md5(value, sum);
    uint64_t low = 0;
    for (size_t i = 8; i < MD5_BYTES; i++) low = low << 8 | sum[i];
    Str text = arena_printf(s->arena, "%llu", (unsigned long long)(low % r->modulus));
    return text.p && relabel_set(s, r->target_label, text) ? RELABEL_KEPT : RELABEL_EXHAUSTED;
}

/* --- case --- */
static pthread_once_t case_once = PTHREAD_ONCE_INIT;
static locale_t case_locale; /* Unicode's mappings, whatever the process' locale is */
static void case_begin(void) { case_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0); }

static uint32_t decode(Str s, size_t n) {
    const unsigned char *p = (const unsigned char *)s.p;
    switch (n) {
    case 2: return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
    case 3: return (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    case 4: return (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
    default: return p[0];
    }
}

static void put_rune(Buf *b, uint32_t r) {
    if (r < 0x80) {
        buf_put_char(b, (char)r);
        return;
    }
    if (r < 0x800) {
        buf_put_char(b, (char)(0xc0 | r >> 6));
    } else {
        if (r < 0x10000) {
            buf_put_char(b, (char)(0xe0 | r >> 12));
        } else {
            buf_put_char(b, (char)(0xf0 | r >> 18));
            buf_put_char(b, (char)(0x80 | (r >> 12 & 0x3f)));
        }
        buf_put_char(b, (char)(0x80 | (r >> 6 & 0x3f)));
    }
    buf_put_char(b, (char)(0x80 | (r & 0x3f)));
}

/* Character by character, as Go's strings.ToLower and ToUpper. */
static RelabelResult change_case(const RelabelRule *r, RelabelSet *s, Str value, bool upper) {
    Buf b = {0};
    pthread_once(&case_once, case_begin);
    for (Str rest = value; rest.n;) {
        size_t n = str_utf8_step(rest);
        uint32_t c = decode(rest, n);
        if (c < 0x80 || n == 0 || !case_locale) {
            char from = upper ? 'a' : 'A';
            buf_put_char(&b, rest.p[0] >= from && rest.p[0] < from + 26 ? (char)(rest.p[0] ^ 0x20) : rest.p[0]);
            n = 1;
        } else {
            put_rune(&b, (uint32_t)(upper ? towupper_l((wint_t)c, case_locale) : towlower_l((wint_t)c, case_locale)));
        }
        rest = str_skip(rest, n);
    }
    Str text = arena_copy(s->arena, buf_str(&b));
    buf_done(&b);
    return text.p && relabel_set(s, r->target_label, text) ? RELABEL_KEPT : RELABEL_EXHAUSTED;
}

static RelabelResult labelmap(const RelabelRule *r, RelabelSet *s) {
    size_t n = s->labels.n;
    Label *before = ARENA_ARRAY(s->arena, Label, n);
    if (!before) return RELABEL_EXHAUSTED;
    if (n) memcpy(before, s->labels.v, n * sizeof *before);
    for (size_t i = 0; i < n; i++) {
        Str name;
        bool matched;
        if (!expand(r, r->replacement, before[i].name, s->arena, &name, &matched)) return RELABEL_EXHAUSTED;
        if (matched && name.n && !relabel_set(s, name, before[i].value)) return RELABEL_EXHAUSTED;
    }
    return RELABEL_KEPT;
}

static void filter_names(const RelabelRule *r, RelabelSet *s, bool keep) {
    size_t n = 0;
    for (size_t i = 0; i < s->labels.n; i++) {
        if (regex_match(r->regex, s->labels.v[i].name) == keep) s->labels.v[n++] = s->labels.v[i];
    }
    s->labels.n = n;
}

static RelabelResult apply_one(const RelabelRule *r, RelabelSet *s) {
    Str value;
    if (!joined(r, s, &value)) return RELABEL_EXHAUSTED;
    switch (r->action) {
    case RELABEL_REPLACE: return replace(r, s, value);
    case RELABEL_KEEP: return regex_match(r->regex, value) ? RELABEL_KEPT : RELABEL_DROPPED;
    case RELABEL_DROP: return regex_match(r->regex, value) ? RELABEL_DROPPED : RELABEL_KEPT;
    case RELABEL_KEEPEQUAL: return str_eq(relabel_get(s, r->target_label), value) ? RELABEL_KEPT : RELABEL_DROPPED;
    case RELABEL_DROPEQUAL: return str_eq(relabel_get(s, r->target_label), value) ? RELABEL_DROPPED : RELABEL_KEPT;
    case RELABEL_HASHMOD: return hashmod(r, s, value);
    case RELABEL_LABELMAP: return labelmap(r, s);
    case RELABEL_LABELDROP: filter_names(r, s, false); return RELABEL_KEPT;
    case RELABEL_LABELKEEP: filter_names(r, s, true); return RELABEL_KEPT;
    case RELABEL_LOWERCASE: return change_case(r, s, value, false);
    case RELABEL_UPPERCASE: return change_case(r, s, value, true);
    }
    UNREACHABLE();
}

RelabelResult relabel_apply(RelabelRules rules, RelabelSet *s) {
    for (size_t i = 0; i < rules.n; i++) {
        RelabelResult result = apply_one(&rules.v[i], s);
        if (result != RELABEL_KEPT) return result;
    }
    return RELABEL_KEPT;
}
