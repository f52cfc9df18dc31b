#include "base/diag.h"

#include "base/diag_int.h"

#include <stdarg.h>
#include <stdio.h>

void diag_init(DiagList *d, Str file, Str source) { *d = (DiagList){.file = file, .source = source}; }

void diag_done(DiagList *d) {
    vec_foreach(Diag, it, &d->items) {
        mem_free(it->msg);
        mem_free(it->hint);
    }
    vec_done(&d->items);
}

void diag_add(DiagList *d, DiagLevel level, int line, int col, int len, const char *hint, const char *fmt, ...) {
    ASSERT(line >= 0 && col >= 0);
    if (d->count[level]++ >= DIAG_KEPT_MAX) return;
    Buf msg = {0};
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    buf_reserve(&msg, (size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(msg.p, (size_t)n + 1, fmt, args);
    va_end(args);
    if (n > DIAG_TEXT_MAX) memcpy(msg.p + DIAG_TEXT_MAX, "...", 4);
    Diag item = {.level = level, .line = line, .col = col, .len = MAX(len, 1), .msg = buf_take(&msg, NULL)};
    if (hint) item.hint = str_dup_cstr(str_cstr(hint));
    vec_push(&d->items, item);
}

size_t diag_error_count(const DiagList *d) { return d->count[DIAG_ERROR]; }

/* --- rendering --- */

typedef struct Style {
    const char *name, *on;
} Style;

static const Style styles[] = {
    [DIAG_ERROR] = {"error", "\033[1;31m"},
    [DIAG_WARNING] = {"warning", "\033[1;33m"},
    [DIAG_NOTE] = {"note", "\033[1;36m"},
};

static void put_styled(Buf *out, const char *on, const char *text, bool colour) {
    buf_printf(out, "%s%s%s", colour ? on : "", text, colour ? "\033[0m" : "");
}

/* Line of the source without its end; STR_NULL when there is none of that number. */
static Str source_line(Str source, int line) {
    Str rest = source, part;
    for (int i = 1; str_split_next(&rest, '\n', &part); i++) {
        if (i < line) continue;
        if (part.n && part.p[part.n - 1] == '\r') part.n--;
        return part;
    }
    return STR_NULL;
}

/* Columns count bytes, a screen counts characters: continuation bytes take no room, tabs stay tabs. */
static void put_caret_indent(Buf *out, Str text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = i < text.n ? (unsigned char)text.p[i] : ' ';
        if ((c & 0xC0) == 0x80) continue;
        buf_put_char(out, c == '\t' ? '\t' : ' ');
    }
}

static void put_carets(Buf *out, Str text, size_t from, size_t bytes) {
    size_t end = MIN(from + bytes, MAX(text.n, from + 1)), shown = 0;
    for (size_t i = from; i < end; i++) {
        if (i > from && i < text.n && ((unsigned char)text.p[i] & 0xC0) == 0x80) continue;
        buf_put_char(out, '^');
        shown++;
    }
    ASSERT(shown > 0);
}

static void put_source(Buf *out, const Diag *it, Str text, bool colour) {
    buf_printf(out, "%6d | ", it->line);
    diag_put_shown(out, text);
    buf_put_lit(out, "\n       | ");
    size_t at = it->col > 0 ? (size_t)it->col - 1 : 0;
    if (at > text.n) at = text.n;
    put_caret_indent(out, text, at);
    if (colour) buf_printf(out, "%s", styles[it->level].on);
    put_carets(out, text, at, (size_t)it->len);
    if (colour) buf_put_lit(out, "\033[0m");
    buf_put_char(out, '\n');
}

static void render_one(const DiagList *d, const Diag *it, Buf *out, bool colour) {
    diag_put_printable(out, d->file);
    if (it->line > 0) buf_printf(out, ":%d", it->line);
    if (it->line > 0 && it->col > 0) buf_printf(out, ":%d", it->col);
    if (d->file.n || it->line > 0) buf_put_lit(out, ": ");
    put_styled(out, styles[it->level].on, styles[it->level].name, colour);
    buf_put_lit(out, ": ");
    buf_put_str(out, str_cstr(it->msg));
    buf_put_char(out, '\n');
    Str text = it->line > 0 ? source_line(d->source, it->line) : STR_NULL;
    if (text.p && text.n <= DIAG_LINE_MAX) put_source(out, it, text, colour);
    if (it->hint) buf_printf(out, "       = help: %s\n", it->hint);
}

void diag_render(const DiagList *d, Buf *out, bool colour) {
    for (size_t i = 0; i < d->items.n; i++) render_one(d, &d->items.v[i], out, colour);
    for (size_t i = 0; i < ARRAY_LEN(d->count); i++)
        if (d->count[i] > DIAG_KEPT_MAX)
            buf_printf(out, "... and %zu more of level %s\n", d->count[i] - DIAG_KEPT_MAX, styles[i].name);
}

void diag_locate(Str source, size_t offset, int *ret_line, int *ret_col) {
    offset = MIN(offset, source.n);
    int line = 1;
    size_t start = 0;
    for (size_t at; (at = str_find_char(str_slice(source, start, offset), '\n')) != SIZE_MAX; line++) start += at + 1;
    *ret_line = line;
    *ret_col = (int)MIN(offset - start + 1, (size_t)INT32_MAX);
}

Str diag_suggest(Str wrong, const Str *names, size_t n) {
    /* A third of a word may be wrong, but no more than three letters; one letter words have no neighbours. */
    unsigned limit = (unsigned)MIN((wrong.n + 2) / 3, (size_t)3);
    Str best = STR_NULL;
    if (wrong.n < 2) return best;
    for (size_t i = 0; i < n; i++) {
        unsigned distance = str_distance(wrong, names[i], limit);
        if (distance > limit || (distance == limit && best.p)) continue;
        if (distance >= names[i].n) continue; /* nothing in common */
        best = names[i];
        if (distance == 0) break;
        limit = distance;
    }
    return best;
}
