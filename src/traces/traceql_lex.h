/* traceql_lex.h - private: tokens of TraceQL, over the scanners of room lang. */
#ifndef MEERKAT_TRACES_TRACEQL_LEX_H
#define MEERKAT_TRACES_TRACEQL_LEX_H

#include "base/arena.h"
#include "traces/traceql_ast.h"

typedef enum TqlTok {
    TQL_T_END,
    TQL_T_WORD, /* keywords and unscoped intrinsics: what it means is the parser's business */
    TQL_T_STRING,
    TQL_T_INT,
    TQL_T_FLOAT,
    TQL_T_DURATION,
    TQL_T_ATTR,      /* .x, span.x, parent.resource.x: scope and name */
    TQL_T_INTRINSIC, /* span:name */
    TQL_T_PUNCT,
    TQL_T_BAD,
} TqlTok;

typedef struct TqlToken {
    TqlTok kind;
    LangSpan span;
    Str text;          /* as written */
    TqlOp op;          /* PUNCT that is an operator, else TQL_OPS */
    TqlValue value;    /* INT, FLOAT, DURATION */
    TqlAttr attr;      /* ATTR, INTRINSIC */
    const char *error; /* BAD: what is wrong; NULL: the character itself */
} TqlToken;

/* The token at or after pos. The arena holds names with escapes; without memory: BAD with no_memory's text. */
TqlToken tql_lex(Str src, size_t pos, Arena *arena);
extern const char tql_lex_no_memory[];
/* duration, name, ...; TQL_NOT_INTRINSIC when it is none. scoped: as written behind scope and colon. */
TqlIntrinsic tql_intrinsic_of(Str word);
TqlIntrinsic tql_scoped_intrinsic_of(Str scope, Str word);
/* How an intrinsic is written. */
const char *tql_intrinsic_name(TqlIntrinsic i);
extern const char *const tql_scope_names[TQL_SCOPES]; /* "", "span", "resource", ... */
/* Whether a name can be written without quotes. */
bool tql_name_is_plain(Str name);

#endif
