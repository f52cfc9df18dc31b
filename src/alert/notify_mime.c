#include "alert/notify_mime.h"

#include "base/vec.h"

#define WORD_MAX 75 /* of an encoded word, RFC 2047 */
#define LINE_MAX 76

static bool is_printable(Str s) {
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < ' ' && s.p[i] != '\t') || (unsigned char)s.p[i] >= 0x7F) return false;
    return true;
}

static void put_encoded(Buf *out, Str rune) {
    for (size_t i = 0; i < rune.n; i++) {
        char c = rune.p[i];
        if (c == ' ')
            buf_put_char(out, '_');
        else if (c > ' ' && c < 0x7F && c != '=' && c != '?' && c != '_')
            buf_put_char(out, c);
        else
            buf_printf(out, "=%02X", (unsigned char)c);
    }
}

void mime_put_word(Buf *out, Str s) {
    if (is_printable(s)) {
        buf_put_str(out, s);
        return;
    }
    static const Str open = STR_INIT("=?utf-8?q?"), close = STR_INIT("?=");
    size_t start = out->n;
    buf_put_str(out, open);
    for (size_t i = 0; i < s.n;) {
        size_t len = str_utf8_step(str_skip(s, i));
        Buf one = {0};
        put_encoded(&one, str_slice(s, i, i + (len ? len : 1)));
        if (out->n - start + one.n + close.n > WORD_MAX) { /* a character is never torn */
            buf_put_str(out, close);
            buf_put_lit(out, "\r\n ");
            start = out->n;
            buf_put_str(out, open);
        }
        buf_put_str(out, buf_str(&one));
        buf_done(&one);
        i += len ? len : 1;
    }
    buf_put_str(out, close);
}

void mime_put_quoted_printable(Buf *out, Str s) {
    size_t column = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool crlf = c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n';
        if (c == '\n' || crlf) {
            buf_put_lit(out, "\r\n");
            column = 0;
            i += crlf;
            continue;
        }
        bool line_ends = i + 1 == s.n || s.p[i + 1] == '\n' || s.p[i + 1] == '\r';
        bool plain = (c > ' ' && c < 0x7F && c != '=') || ((c == ' ' || c == '\t') && !line_ends);
        size_t need = plain ? 1 : 3;
        if (column + need > LINE_MAX - 1) {
            buf_put_lit(out, "=\r\n");
            column = 0;
        }
        if (plain)
            buf_put_char(out, c);
        else
            buf_printf(out, "=%02X", (unsigned char)c);
        column += need;
    }
}

static bool is_address(Str s) {
    size_t at = str_rfind_char(s, '@');
    if (at == SIZE_MAX || at == 0 || at + 1 == s.n) return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || strchr("<>,;", s.p[i])) return false;
    return true;
}

/* Commas in quoted names do not separate. */
static size_t item_end(Str s) {
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && quoted)
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (s.p[i] == ',' && !quoted)
            return i;
    }
    return s.n;
}

bool mime_addresses(Str list, Arena *arena, Str **ret, size_t *ret_n) {
    AVEC(Str) v = {0};
    for (;;) {
        size_t end = item_end(list);
        Str item = str_trim(str_slice(list, 0, end));
        size_t open = str_rfind_char(item, '<');
        if (open != SIZE_MAX && str_ends_with(item, STR(">"))) item = str_trim(str_slice(item, open + 1, item.n - 1));
        if (!is_address(item) || !avec_push(arena, &v, item)) return false;
        if (end == list.n) break;
        list = str_skip(list, end + 1);
    }
    *ret = v.v;
    *ret_n = v.n;
    return true;
}
