/* lexer.h - what the query languages share in reading text: a cursor over the source, scanners for
 * identifiers, numbers, durations, strings and comments, and a token stream driven by a small table.
 *
 * A language either drives LangLexer with its LangSyntax, or keeps its own state machine and calls the
 * scanners. Words come as LANG_IDENT: whether `by` is a keyword or a label name is the parser's business.
 * Nothing here allocates; tokens are slices of the source. Offsets are bytes from the source's start. */
#ifndef MEERKAT_LANG_LEXER_H
#define MEERKAT_LANG_LEXER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Half-open byte range of the source: [start, end). */
typedef struct LangSpan {
    uint32_t start, end;
} LangSpan;

static inline LangSpan lang_span_join(LangSpan a, LangSpan b) {
    return (LangSpan){MIN(a.start, b.start), MAX(a.end, b.end)};
}

/* Queries longer than this are refused by every language (offsets are 32-bit, and nobody means it). */
#define LANG_SOURCE_MAX (1u << 20)

/* --- scanners: src and a position in, the position after the thing out --- */

/* Characters allowed in identifiers beyond [A-Za-z0-9_]; bytes >= 0x80 with LANG_IDENT_UTF8. */
typedef enum LangIdentFlags {
    LANG_IDENT_COLON = 1, /* recording-rule names: job:rate:5m; also as the first character */
    LANG_IDENT_DOT = 2,   /* resource.service.name; not as the first character */
    LANG_IDENT_DASH = 4,  /* not as the first character */
    LANG_IDENT_UTF8 = 8,
} LangIdentFlags;

/* End of the identifier that begins at pos, or pos when there is none. */
size_t lang_scan_ident(Str src, size_t pos, unsigned flags);
/* Skips blanks and, with hash or slashes, comments up to the end of the line. */
size_t lang_skip_blank(Str src, size_t pos, bool hash_comments, bool slash_comments);

typedef enum LangNumberKind {
    LANG_NUMBER_NONE,
    LANG_NUMBER_FLOAT,
    LANG_NUMBER_DURATION,
    LANG_NUMBER_BAD
} LangNumberKind;
/* A number as PromQL writes it (12, 1_000, .5, 1e-3, 0x1F) or a duration (1h30m, 500ms). BAD covers what
 * looks like one and is not: 1.5.2, 0x, 5mm; *ret_end then says how far the reading went. */
LangNumberKind lang_scan_number(Str src, size_t pos, size_t *ret_end);
/* Text of LANG_NUMBER_FLOAT, also Inf and NaN in any case, with an optional sign. 0x and octal 0-prefix as
 * Go's integer literals; false when malformed or (as strconv) out of range. */
ATTR_MUST bool lang_parse_number(Str text, double *ret);
/* Text of LANG_NUMBER_DURATION in milliseconds: units y w d h m s ms, long to short, each once. False when
 * malformed (*ret_ms is 0 then) or beyond what Go's time.Duration holds (INT64_MAX). */
ATTR_MUST bool lang_parse_duration(Str text, int64_t *ret_ms);

typedef enum LangStringStatus {
    LANG_STRING_OK,
    LANG_STRING_UNTERMINATED,
    LANG_STRING_ESCAPE_OPEN,    /* source ends inside an escape */
    LANG_STRING_ESCAPE_UNKNOWN, /* *ret_end is at the offending character */
    LANG_STRING_ESCAPE_DIGIT,   /* ditto */
    LANG_STRING_ESCAPE_RANGE,   /* not a Unicode code point */
} LangStringStatus;
/* src[pos] is one of " ' `. Escapes are Go's: \a \b \f \n \r \t \v \\ \quote \ooo \xhh \uhhhh \Uhhhhhhhh;
 * back-quoted strings are raw. On OK *ret_end is behind the closing quote. */
LangStringStatus lang_scan_string(Str src, size_t pos, size_t *ret_end);
/* Prometheus' text for a status: "unterminated quoted string", ... into out. */
void lang_string_status_put(Buf *out, LangStringStatus status, Str src, size_t at);
/* Decodes a literal with its quotes; slices the source when there is nothing to decode. *ret.p is NULL
 * when the arena is used up. The literal must have been scanned OK. */
ATTR_MUST bool lang_unquote(Str literal, Arena *arena, Str *ret);
/* One UTF-8 character at pos: its code point, and its length (1 for a malformed byte, which gives U+FFFD). */
uint32_t lang_rune_at(Str src, size_t pos, size_t *ret_len);

/* --- printing --- */
/* A double-quoted literal with Go's %q escapes (strconv.Quote): printable characters as they are. */
void lang_put_quoted(Buf *out, Str s);
/* A character as Go's %q / %#U print it: 'x' and U+0078 'x'. */
void lang_put_rune_quoted(Buf *out, uint32_t rune);
void lang_put_rune_unicode(Buf *out, uint32_t rune);
void lang_put_utf8(Buf *out, uint32_t rune);

/* --- token stream --- */
typedef enum LangTokenKind {
    LANG_END,
    LANG_IDENT,
    LANG_NUMBER,
    LANG_DURATION,
    LANG_STRING,
    LANG_PUNCT,
    LANG_BAD
} LangTokenKind;

typedef struct LangToken {
    LangTokenKind kind;
    int punct; /* LANG_PUNCT: index into LangSyntax.puncts */
    LangSpan span;
    Str text;                       /* as written; strings with their quotes */
    LangStringStatus string_status; /* LANG_BAD that began with a quote; span.end is where it went wrong */
} LangToken;

typedef struct LangSyntax {
    const Str *puncts; /* operators and brackets; a longer one before its own prefix */
    size_t n_puncts;
    unsigned ident_flags; /* LangIdentFlags */
    bool durations;       /* 5m is LANG_DURATION, else LANG_BAD */
    bool hash_comments, slash_comments;
    bool single_quotes; /* ' begins a string */
} LangSyntax;

typedef struct LangLexer {
    const LangSyntax *syntax;
    Str src;
    size_t pos;
} LangLexer;

static inline LangLexer lang_lexer(const LangSyntax *syntax, Str src) { return (LangLexer){syntax, src, 0}; }
/* The next token; LANG_END for ever at the end. LANG_BAD takes at least one byte, so a loop ends. */
LangToken lang_next(LangLexer *lx);

#endif
