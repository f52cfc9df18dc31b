/* gotmpl_html.c - html/template's contextual escaping, done while the output is written.
 *
 * The template's own text moves a small HTML machine on; what an action prints is escaped for the place where the
 * machine stands: text, attribute, URL, script, style. Go decides the same before execution. */
#include "base/json.h"
#include "base/num.h"
#include "lang/gotmpl_int.h"
#include "lang/lexer.h"

#include <math.h>

typedef enum HtmlState {
    HTML_TEXT,
    HTML_TAG, /* between attributes */
    HTML_ATTR_NAME,
    HTML_AFTER_NAME,
    HTML_BEFORE_VALUE,
    HTML_VALUE,
    HTML_COMMENT,
    HTML_RCDATA, /* inside title and textarea */
    HTML_JS,
    HTML_CSS,
} HtmlState;

typedef enum AttrKind { ATTR_PLAIN, ATTR_URL, ATTR_JS, ATTR_CSS } AttrKind;
typedef enum UrlPart { URL_NONE, URL_PRE_QUERY, URL_QUERY } UrlPart;

struct TmplHtml {
    HtmlState state;
    char delim; /* of VALUE: quote, or 0 */
    AttrKind attr;
    UrlPart url;
    char name[32]; /* of the attribute, lower case */
    size_t name_n;
    Str element;     /* "script", "style", "title", "textarea" or empty */
    char js_quote;   /* in a string of a script, or 0 */
    char js_comment; /* '/' or '*', or 0 */
};

TmplHtml *tmpl_html_create(void) { return NEW(TmplHtml); }
TmplHtml *tmpl_html_free(TmplHtml *h) {
    mem_free(h);
    return NULL;
}

/* --- the machine --- */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; }
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }
static bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }
static bool is_alnum(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

/* Names with URLs in them; the list is HTML's. */
static AttrKind attr_kind(Str name) {
    static const Str urls[] = {STR_INIT("action"), STR_INIT("archive"), STR_INIT("background"), STR_INIT("cite"),
        STR_INIT("classid"), STR_INIT("codebase"), STR_INIT("data"), STR_INIT("formaction"), STR_INIT("href"),
        STR_INIT("icon"), STR_INIT("longdesc"), STR_INIT("manifest"), STR_INIT("poster"), STR_INIT("profile"),
        STR_INIT("src"), STR_INIT("srcset"), STR_INIT("usemap"), STR_INIT("xmlns")};
    size_t colon = str_find_char(name, ':');
    if (str_starts_with(name, STR("data-")))
        name = str_skip(name, 5);
    else if (colon != SIZE_MAX && str_eq_lit(str_slice(name, 0, colon), "xmlns"))
        return ATTR_URL;
    else if (colon != SIZE_MAX)
        name = str_skip(name, colon + 1);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++)
        if (str_eq(name, urls[i])) return ATTR_URL;
    if (str_eq_lit(name, "style")) return ATTR_CSS;
    if (str_starts_with(name, STR("on"))) return ATTR_JS;
    bool url = str_contains(name, STR("src")) || str_contains(name, STR("uri")) || str_contains(name, STR("url"));
    return url ? ATTR_URL : ATTR_PLAIN;
}

static Str special_element(Str name) {
    static const Str names[] = {STR_INIT("script"), STR_INIT("style"), STR_INIT("textarea"), STR_INIT("title")};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(name, names[i])) return names[i];
    return STR_NULL;
}

static HtmlState content_state(Str element) {
    if (!element.n) return HTML_TEXT;
    if (str_eq_lit(element, "script")) return HTML_JS;
    return str_eq_lit(element, "style") ? HTML_CSS : HTML_RCDATA;
}

static size_t tag_name_end(Str s, size_t i) {
    if (i >= s.n || !is_letter(s.p[i])) return i;
    while (i < s.n && (is_alnum(s.p[i]) || ((s.p[i] == ':' || s.p[i] == '-') && i + 1 < s.n && is_alnum(s.p[i + 1]))))
        i++;
    return i;
}

static bool starts_nocase(Str s, Str prefix) {
    return s.n >= prefix.n && str_eq_nocase(str_slice(s, 0, prefix.n), prefix);
}

/* s[i] is '<' in text. The position behind what was taken. */
static size_t open_tag(TmplHtml *h, Buf *out, Str s, size_t i) {
    Str at = str_skip(s, i);
    if (str_starts_with(at, STR("<!--"))) {
        h->state = HTML_COMMENT;
        return i + 4;
    }
    bool end = at.n > 1 && at.p[1] == '/';
    size_t from = i + 1 + end, to = tag_name_end(s, from);
    if (to == from) {
        if (starts_nocase(at, STR("<!DOCTYPE")))
            buf_put_char(out, '<');
        else
            buf_put_lit(out, "&lt;");
        return i + 1;
    }
    h->state = HTML_TAG;
    h->element = end ? STR_NULL : special_element(str_slice(s, from, to));
    buf_put(out, s.p + i, to - i);
    return to;
}

/* The end tag of the special element we are in begins here. */
static bool at_end_tag(const TmplHtml *h, Str at) {
    if (at.n < h->element.n + 2 || at.p[0] != '<' || at.p[1] != '/') return false;
    if (!starts_nocase(str_skip(at, 2), h->element)) return false;
    return at.n == h->element.n + 2 || !is_alnum(at.p[h->element.n + 2]);
}

static void end_special(TmplHtml *h, Buf *out, Str at) {
    buf_put(out, at.p, h->element.n + 2);
    h->state = HTML_TAG;
    h->element = STR_NULL;
    h->js_quote = h->js_comment = 0;
}

/* Strings and comments of scripts and styles; c may be the second character of a pair. */
static size_t step_js(TmplHtml *h, Str s, size_t i) {
    char c = s.p[i], next = i + 1 < s.n ? s.p[i + 1] : 0;
    if (h->js_comment) {
        if (h->js_comment == '/' && c == '\n') h->js_comment = 0;
        if (h->js_comment == '*' && c == '*' && next == '/') {
            h->js_comment = 0;
            return i + 2;
        }
        return i + 1;
    }
    if (h->js_quote) {
        if (c == '\\' && next) return i + 2;
        if (c == h->js_quote) h->js_quote = 0;
        return i + 1;
    }
    if (c == '"' || c == '\'' || c == '`') h->js_quote = c;
    if (c == '/' && (next == '*' || (next == '/' && h->state != HTML_CSS))) {
        h->js_comment = next;
        return i + 2;
    }
    return i + 1;
}

static void begin_value(TmplHtml *h, char delim) {
    h->state = HTML_VALUE;
    h->delim = delim;
    h->url = URL_NONE;
    h->js_quote = h->js_comment = 0;
    h->attr = attr_kind(str_of(h->name, h->name_n));
}

static bool value_ends(const TmplHtml *h, char c) { return h->delim ? c == h->delim : is_blank(c) || c == '>'; }

static size_t step_value(TmplHtml *h, Str s, size_t i) {
    char c = s.p[i];
    if (h->attr == ATTR_URL && (c == '?' || c == '#'))
        h->url = URL_QUERY;
    else if (h->attr == ATTR_URL && h->url == URL_NONE && !is_blank(c))
        h->url = URL_PRE_QUERY;
    if (h->attr == ATTR_JS) {
        size_t end = step_js(h, s, i);
        return end > i + 1 && value_ends(h, s.p[i + 1]) ? i + 1 : end;
    }
    return i + 1;
}

static size_t close_tag(TmplHtml *h, size_t i) {
    h->state = content_state(h->element);
    return i + 1;
}

static size_t step_tag(TmplHtml *h, Str s, size_t i) {
    char c = s.p[i];
    switch (h->state) {
    case HTML_TAG:
        if (c == '>') return close_tag(h, i);
        if (is_blank(c) || c == '/') return i + 1;
        h->state = HTML_ATTR_NAME;
        h->name_n = 0;
        return i;
    case HTML_ATTR_NAME:
        if (is_blank(c) || c == '=' || c == '>' || c == '/') {
            h->state = HTML_AFTER_NAME;
            return i;
        }
        if (h->name_n < sizeof h->name) h->name[h->name_n++] = lower(c);
        return i + 1;
    case HTML_AFTER_NAME:
        if (is_blank(c)) return i + 1;
        h->state = c == '=' ? HTML_BEFORE_VALUE : HTML_TAG;
        return c == '=' ? i + 1 : i;
    case HTML_BEFORE_VALUE:
        if (is_blank(c)) return i + 1;
        if (c == '>') return close_tag(h, i);
        begin_value(h, c == '"' || c == '\'' ? c : 0);
        return h->delim ? i + 1 : i;
    default: UNREACHABLE();
    }
}

static size_t step(TmplHtml *h, Buf *out, Str s, size_t i) {
    size_t to;
    switch (h->state) {
    case HTML_TEXT:
        if (s.p[i] == '<') return open_tag(h, out, s, i);
        buf_put_char(out, s.p[i]);
        return i + 1;
    case HTML_COMMENT: /* comments are left out, as Go does */
        if (!str_starts_with(str_skip(s, i), STR("-->"))) return i + 1;
        h->state = HTML_TEXT;
        return i + 3;
    case HTML_RCDATA:
    case HTML_JS:
    case HTML_CSS:
        if (at_end_tag(h, str_skip(s, i))) {
            size_t n = h->element.n + 2;
            end_special(h, out, str_skip(s, i));
            return i + n;
        }
        if (h->state == HTML_RCDATA && s.p[i] == '<') {
            buf_put_lit(out, "&lt;");
            return i + 1;
        }
        to = h->state == HTML_RCDATA ? i + 1 : step_js(h, s, i);
        break;
    case HTML_VALUE:
        if (value_ends(h, s.p[i])) {
            h->state = HTML_TAG;
            to = h->delim ? i + 1 : i;
        } else {
            to = step_value(h, s, i);
        }
        break;
    default: to = step_tag(h, s, i);
    }
    buf_put(out, s.p + i, to - i);
    return to;
}

void tmpl_html_text(TmplHtml *h, Buf *out, Str s) {
    for (size_t i = 0; i < s.n;) i = step(h, out, s, i);
}

/* --- values --- */

static void put_html(Buf *out, Str s, bool norm, bool nospace) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        const char *rep = NULL;
        switch (c) {
        case 0: rep = "&#xfffd;"; break;
        case '"': rep = "&#34;"; break;
        case '\'': rep = "&#39;"; break;
        case '+': rep = norm && !nospace ? NULL : "&#43;"; break;
        case '<': rep = "&lt;"; break;
        case '>': rep = "&gt;"; break;
        case '&': rep = norm ? NULL : "&amp;"; break;
        default: break;
        }
        if (c == 0 && !nospace) rep = "\xEF\xBF\xBD";
        if (rep)
            buf_put(out, rep, strlen(rep));
        else if (nospace && (is_blank(c) || c == '\v' || c == '=' || c == '`'))
            buf_printf(out, c == '=' || c == '`' ? (c == '=' ? "&#61;" : "&#96;") : "&#%d;", c);
        else
            buf_put_char(out, c);
    }
}

/* Markup out of trusted HTML for an attribute. */
static void strip_tags(Buf *out, Str s) {
    bool in_tag = false;
    for (size_t i = 0; i < s.n; i++) {
        if (!in_tag && s.p[i] == '<' && i + 1 < s.n &&
            (is_letter(s.p[i + 1]) || s.p[i + 1] == '/' || s.p[i + 1] == '!'))
            in_tag = true;
        else if (in_tag && s.p[i] == '>')
            in_tag = false;
        else if (!in_tag)
            buf_put_char(out, s.p[i]);
    }
}

static void put_url(Buf *out, Str s, bool norm) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool keep = is_alnum(c) || (c && strchr("-._~", c)) || (norm && c && strchr("!#$&*+,/:;=?@[]", c));
        if (c == '%' && norm && i + 2 < s.n) {
            uint8_t ignored;
            keep = num_parse_hex(str_slice(s, i + 1, i + 3), &ignored, 1);
        }
        if (keep)
            buf_put_char(out, c);
        else
            buf_printf(out, "%%%02x", (unsigned char)c);
    }
}

static bool url_is_safe(Str s) {
    size_t colon = str_find_char(s, ':'), slash = str_find_char(s, '/');
    if (colon == SIZE_MAX || slash < colon) return true;
    Str scheme = str_slice(s, 0, colon);
    return str_eq_nocase(scheme, STR("http")) || str_eq_nocase(scheme, STR("https")) ||
           str_eq_nocase(scheme, STR("mailto"));
}

static void put_js_string(Buf *out, Str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        const char *rep = NULL;
        switch (c) {
        case '\t': rep = "\\t"; break;
        case '\n': rep = "\\n"; break;
        case '\f': rep = "\\f"; break;
        case '\r': rep = "\\r"; break;
        case '/': rep = "\\/"; break;
        case '\\': rep = "\\\\"; break;
        default: break;
        }
        if (rep)
            buf_put(out, rep, strlen(rep));
        else if ((unsigned char)c < 0x20 || strchr("\"`&'+<>", c))
            buf_printf(out, "\\u%04x", (unsigned char)c);
        else if (i + 2 < s.n && memcmp(s.p + i, "\xE2\x80\xA8", 2) == 0 &&
                 (s.p[i + 2] == '\xA8' || s.p[i + 2] == '\xA9')) {
            buf_printf(out, "\\u%04x", s.p[i + 2] == '\xA8' ? 0x2028 : 0x2029);
            i += 2;
        } else
            buf_put_char(out, c);
    }
}

static void put_json(Buf *out, GoValue v, int depth) {
    if (!v.type || depth > 32) {
        buf_put_lit(out, "null");
        return;
    }
    switch (v.type->kind) {
    case GO_BOOL: buf_put_str(out, v.b ? STR("true") : STR("false")); break;
    case GO_INT: num_put_i64(out, v.i); break;
    case GO_UINT: num_put_u64(out, v.u); break;
    case GO_FLOAT:
        if (isfinite(v.f))
            num_put_f64_json(out, v.f);
        else
            buf_put_lit(out, "null");
        break;
    case GO_STRING: json_put_string(out, v.s); break;
    case GO_LIST:
        buf_put_char(out, '[');
        for (size_t i = 0; i < go_len(v); i++) {
            if (i) buf_put_char(out, ',');
            put_json(out, v.list->v[i], depth + 1);
        }
        buf_put_char(out, ']');
        break;
    case GO_MAP:
        buf_put_char(out, '{');
        for (size_t i = 0; i < go_len(v); i++) {
            if (i) buf_put_char(out, ',');
            json_put_string(out, v.map->v[i].key);
            buf_put_char(out, ':');
            put_json(out, v.map->v[i].value, depth + 1);
        }
        buf_put_char(out, '}');
        break;
    default: buf_put_lit(out, "null");
    }
}

/* JSON with what could end a script or an attribute written as escapes; words keep their distance. */
static void put_js_value(Buf *out, GoValue v, Str text) {
    if (v.type == go_js) {
        buf_put_str(out, text);
        return;
    }
    Buf json = {0};
    if (v.type && v.type->string)
        json_put_string(&json, text);
    else
        put_json(&json, v, 0);
    bool space = json.n && (is_alnum(json.p[0]) || json.p[0] == '-');
    if (space) buf_put_char(out, ' ');
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (c == '<' || c == '>' || c == '&')
            buf_printf(out, "\\u%04x", (unsigned char)c);
        else
            buf_put_char(out, c);
    }
    if (space) buf_put_char(out, ' ');
    buf_done(&json);
}

static void put_css(Buf *out, GoValue v, Str s) {
    bool safe =
        v.type == go_css || !(str_contains_nocase(s, STR("expression")) || str_contains_nocase(s, STR("mozbinding")));
    for (size_t i = 0; i < s.n && safe && v.type != go_css; i++)
        safe = is_alnum(s.p[i]) || (unsigned char)s.p[i] >= 0x80 || strchr("_-#.%, +!", s.p[i]);
    buf_put_str(out, safe ? s : STR("ZgotmplZ"));
}

/* What goes into an attribute's value, before the attribute's own escaping. */
static void put_value_inner(TmplHtml *h, Buf *out, GoValue v, Str text) {
    switch (h->attr) {
    case ATTR_PLAIN:
        if (v.type == go_html)
            strip_tags(out, text);
        else
            buf_put_str(out, text);
        break;
    case ATTR_URL:
        if (h->url == URL_QUERY)
            put_url(out, text, v.type == go_url);
        else if (h->url == URL_NONE && v.type != go_url && !url_is_safe(text))
            buf_put_lit(out, "#ZgotmplZ");
        else
            put_url(out, text, true);
        break;
    case ATTR_JS:
        if (h->js_quote)
            put_js_string(out, text);
        else
            put_js_value(out, v, text);
        break;
    case ATTR_CSS: put_css(out, v, text); break;
    }
}

static void put_attr_value(TmplHtml *h, Buf *out, GoValue v, Str text) {
    Buf inner = {0};
    put_value_inner(h, &inner, v, text);
    if (!h->delim && inner.n == 0)
        buf_put_lit(out, "ZgotmplZ");
    else
        put_html(out, buf_str(&inner), v.type == go_html && h->attr == ATTR_PLAIN, !h->delim);
    buf_done(&inner);
}

static void put_name(Buf *out, Str s) {
    bool safe = s.n > 0;
    for (size_t i = 0; i < s.n && safe; i++) safe = is_alnum(s.p[i]);
    bool plain = safe && attr_kind(s) == ATTR_PLAIN;
    buf_put_str(out, plain ? s : STR("ZgotmplZ"));
}

static void put_in_context(TmplHtml *h, Buf *out, GoValue v, Str text) {
    switch (h->state) {
    case HTML_TEXT:
        if (v.type == go_html)
            buf_put_str(out, text);
        else
            put_html(out, text, false, false);
        break;
    case HTML_RCDATA: put_html(out, text, v.type == go_html, false); break;
    case HTML_COMMENT: break;
    case HTML_JS:
        if (h->js_comment) break;
        if (h->js_quote)
            put_js_string(out, text);
        else
            put_js_value(out, v, text);
        break;
    case HTML_CSS: put_css(out, v, text); break;
    case HTML_BEFORE_VALUE:
        begin_value(h, 0);
        put_attr_value(h, out, v, text);
        break;
    case HTML_VALUE: put_attr_value(h, out, v, text); break;
    case HTML_TAG:
    case HTML_ATTR_NAME:
    case HTML_AFTER_NAME:
        if (v.type == go_attr)
            buf_put_str(out, text);
        else
            put_name(out, text);
        break;
    }
}

void tmpl_html_value(TmplHtml *h, Buf *out, Arena *arena, GoValue v, Str last_func) {
    Buf text = {0};
    if (v.type) go_put_indirect(&text, arena, v);
    /* "| html" at the end has done what text needs. */
    bool escaped = str_eq_lit(last_func, "html") && (h->state == HTML_TEXT || h->state == HTML_RCDATA ||
                                                        (h->state == HTML_VALUE && h->delim && h->attr == ATTR_PLAIN));
    if (escaped)
        buf_put_str(out, buf_str(&text));
    else
        put_in_context(h, out, v, buf_str(&text));
    buf_done(&text);
}
