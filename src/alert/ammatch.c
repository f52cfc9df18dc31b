/* ammatch.c - the classic matcher parser, and which parser decides. */
#include "alert/ammatch_int.h"

#include "alert/amlabel.h"

#include "lang/lexer.h"

/* --- classic --- */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

static ErrCode bad_format(Str text, Err *reterr) {
    return err_set(reterr, ERR_INVALID, "bad matcher format: %" STR_FMT, STR_ARG(text));
}

static bool take_operator(Str s, size_t *pos, MatchType *ret) {
    char a = *pos < s.n ? s.p[*pos] : 0, b = *pos + 1 < s.n ? s.p[*pos + 1] : 0;
    if (a == '!' && b != '=' && b != '~') return false;
    if (a != '=' && a != '!') return false;
    *ret = a == '!' ? b == '=' ? MATCH_NEQ : MATCH_NRE : b == '~' ? MATCH_RE : MATCH_EQ;
    *pos += a == '!' || b == '~' ? 2 : 1;
    return true;
}

/* OpenMetrics escapes, tolerant of lone backslashes. raw has no leading quote any more when quoted. */
static ErrCode unescape(Str raw, bool quoted, Str whole, Arena *arena, Str *ret, Err *reterr) {
    char *out = arena_alloc(arena, raw.n);
    if (!out) return err_set(reterr, ERR_TOO_LARGE, "matcher too long");
    size_t n = 0;
    bool closed = !quoted;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        if (c == '\\' && i + 1 < raw.n) {
            char e = raw.p[++i];
            if (e != 'n' && e != '"' && e != '\\') out[n++] = '\\';
            out[n++] = e == 'n' ? '\n' : e;
        } else if (c == '"') {
            if (closed || i + 1 < raw.n)
                closed = false, quoted = true, i = raw.n;
            else
                closed = true;
        } else {
            out[n++] = c;
        }
    }
    if (!closed) {
        return err_set(reterr, ERR_INVALID, "matcher value contains unescaped double quote: %" STR_FMT, STR_ARG(whole));
    }
    *ret = (Str){out, n};
    return OK;
}

ErrCode ammatch_classic_one(Str text, Arena *arena, AmMatcherTexts *out, Err *reterr) {
    size_t pos = 0, end = text.n;
    while (pos < end && is_blank(text.p[pos])) pos++;
    size_t start = pos;
    pos = lang_scan_ident(text, pos, LANG_IDENT_COLON);
    if (pos == start) return bad_format(text, reterr);
    AmMatcherText m = {.name = str_slice(text, start, pos)};
    while (pos < end && is_blank(text.p[pos])) pos++;
    if (!take_operator(text, &pos, &m.type)) return bad_format(text, reterr);
    while (pos < end && is_blank(text.p[pos])) pos++;
    while (end > pos && is_blank(text.p[end - 1])) end--;
    Str whole = str_slice(text, pos, end);
    if (!str_is_utf8(whole)) {
        return err_set(reterr, ERR_INVALID, "matcher value not valid UTF-8: %" STR_FMT, STR_ARG(whole));
    }
    bool quoted = whole.n > 0 && whole.p[0] == '"';
    ErrCode rc = unescape(quoted ? str_skip(whole, 1) : whole, quoted, whole, arena, &m.value, reterr);
    if (rc) return rc;
    return avec_push(arena, out, m) ? OK : err_set(reterr, ERR_TOO_LARGE, "too many matchers");
}

ErrCode ammatch_classic(Str text, Arena *arena, AmMatcherTexts *out, Err *reterr) {
    if (text.n && text.p[0] == '{') text = str_skip(text, 1);
    if (text.n && text.p[text.n - 1] == '}') text.n--;
    bool inside = false, escaped = false;
    size_t start = 0;
    for (size_t i = 0; i <= text.n; i++) {
        char c = i < text.n ? text.p[i] : ',';
        if (c == ',' && (!inside || i == text.n)) {
            Str token = str_slice(text, start, i);
            start = i + 1;
            if (i == text.n && !str_trim(token).n) break;
            ErrCode rc = ammatch_classic_one(token, arena, out, reterr);
            if (rc) return rc;
        } else if (c == '"') {
            if (!escaped) inside = !inside;
            escaped = false;
        } else {
            escaped = c == '\\' && !escaped;
        }
    }
    return OK;
}

/* --- which one --- */

static bool same(const AmMatcherTexts *a, const AmMatcherTexts *b) {
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++) {
        if (a->v[i].type != b->v[i].type || !str_eq(a->v[i].name, b->v[i].name) ||
            !str_eq(a->v[i].value, b->v[i].value)) {
            return false;
        }
    }
    return true;
}

static ErrCode compile(const AmMatcherTexts *texts, Arena *arena, Matchers *ret, Err *reterr) {
    const Matcher **v = ARENA_ARRAY(arena, const Matcher *, texts->n);
    if (!v) return err_set(reterr, ERR_TOO_LARGE, "too many matchers");
    for (size_t i = 0; i < texts->n; i++) {
        ErrCode rc = matcher_create(arena, texts->v[i].type, texts->v[i].name, texts->v[i].value, &v[i], reterr);
        if (rc) {
            /* Our anchors let . match newlines, the original's do not say so. */
            char *at = reterr ? strstr(reterr->msg, "`^(?s:") : NULL;
            if (at) memmove(at + 4, at + 5, strlen(at + 5) + 1);
            return rc;
        }
    }
    *ret = (Matchers){v, texts->n};
    return OK;
}

static Str suggestion_of(Matchers ms, Arena *arena) {
    Buf b = {0};
    for (size_t i = 0; i < ms.n; i++) {
        if (i) buf_put_char(&b, ',');
        amlabel_put_matcher(&b, ms.v[i]);
    }
    Str s = arena_copy(arena, buf_str(&b));
    buf_done(&b);
    return s;
}

ErrCode ammatch_parse_list(Str text, AmMatchMode mode, Arena *arena, Matchers *ret, Str *ret_suggestion, Err *reterr) {
    if (ret_suggestion) *ret_suggestion = STR_NULL;
    if (text.n > AM_MATCHER_TEXT_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "matchers of more than %d bytes", AM_MATCHER_TEXT_MAX);
    AmMatcherTexts utf8 = {0}, classic = {0};
    ErrCode utf8_rc = OK, classic_rc = OK;
    Err utf8_err = {0}, classic_err = {0};
    if (mode != AM_MATCH_CLASSIC) utf8_rc = ammatch_utf8(text, arena, &utf8, &utf8_err);
    if (mode != AM_MATCH_UTF8) classic_rc = ammatch_classic(text, arena, &classic, &classic_err);
    if (mode == AM_MATCH_UTF8 && utf8_rc) return err_set(reterr, utf8_rc, "%s", utf8_err.msg);
    if (classic_rc && (mode == AM_MATCH_CLASSIC || utf8_rc)) return err_set(reterr, classic_rc, "%s", classic_err.msg);
    bool use_classic =
        mode == AM_MATCH_CLASSIC || (mode == AM_MATCH_FALLBACK && !classic_rc && (utf8_rc || !same(&utf8, &classic)));
    ErrCode rc = compile(use_classic ? &classic : &utf8, arena, ret, reterr);
    if (!rc && use_classic && utf8_rc && ret_suggestion) *ret_suggestion = suggestion_of(*ret, arena);
    return rc;
}

ErrCode ammatch_parse_one(Str text, AmMatchMode mode, Arena *arena, const Matcher **ret, Err *reterr) {
    if (text.n > AM_MATCHER_TEXT_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "matchers of more than %d bytes", AM_MATCHER_TEXT_MAX);
    if (mode != AM_MATCH_CLASSIC && text.n && (text.p[0] == '{' || text.p[text.n - 1] == '}')) {
        return err_set(reterr, ERR_INVALID, "unexpected open or close brace: %" STR_FMT, STR_ARG(text));
    }
    AmMatcherTexts utf8 = {0}, classic = {0};
    ErrCode utf8_rc = OK, classic_rc = OK;
    Err utf8_err = {0}, classic_err = {0};
    if (mode != AM_MATCH_CLASSIC) {
        utf8_rc = ammatch_utf8(text, arena, &utf8, &utf8_err);
        if (!utf8_rc && utf8.n == 0) utf8_rc = err_set(&utf8_err, ERR_INVALID, "no matchers");
        if (!utf8_rc && utf8.n > 1) utf8_rc = err_set(&utf8_err, ERR_INVALID, "expected 1 matcher, found %zu", utf8.n);
    }
    if (mode != AM_MATCH_UTF8) classic_rc = ammatch_classic_one(text, arena, &classic, &classic_err);
    if (mode == AM_MATCH_UTF8 && utf8_rc) return err_set(reterr, utf8_rc, "%s", utf8_err.msg);
    if (classic_rc && (mode == AM_MATCH_CLASSIC || utf8_rc)) return err_set(reterr, classic_rc, "%s", classic_err.msg);
    bool use_classic =
        mode == AM_MATCH_CLASSIC || (mode == AM_MATCH_FALLBACK && !classic_rc && (utf8_rc || !same(&utf8, &classic)));
    Matchers ms = {0};
    ErrCode rc = compile(use_classic ? &classic : &utf8, arena, &ms, reterr);
    if (!rc) *ret = ms.v[0];
    return rc;
}

bool ammatch_label_name_ok(Str name, AmMatchMode mode) {
    return mode == AM_MATCH_CLASSIC ? label_name_is_legacy(name) : name.n > 0 && str_is_utf8(name);
}

bool ammatch_filter(Matchers ms, Labels l) {
    for (size_t i = 0; i < ms.n; i++) {
        const Matcher *m = ms.v[i];
        Str value = labels_get(l, m->name);
        bool present = value.p != NULL, negative = m->type == MATCH_NEQ || m->type == MATCH_NRE;
        if (m->value.n == 0 && present == negative) continue;
        if (!matcher_matches(m, value)) return false;
    }
    return true;
}

void ammatch_put_json(JsonWriter *w, const Matcher *m) {
    json_begin_object(w);
    json_pair_bool(w, "isEqual", m->type == MATCH_EQ || m->type == MATCH_RE);
    json_pair_bool(w, "isRegex", m->type == MATCH_RE || m->type == MATCH_NRE);
    json_pair_str(w, "name", m->name);
    json_pair_str(w, "value", m->value);
    json_end_object(w);
}
