/* gotmpl_parse_int.h - what the parts of the template parser share. Private to lang. */
#ifndef MEERKAT_LANG_GOTMPL_PARSE_INT_H
#define MEERKAT_LANG_GOTMPL_PARSE_INT_H

#include "lang/gotmpl_int.h"

typedef struct TmplParser {
    GoTmpl *set;
    Arena *arena;
    const TmplSource *source;
    TmplLexer lexer;
    TmplItem token[3];
    int peeked;
    int action_line;
    unsigned range_depth, paren_depth, nesting;
    AVEC(Str) vars;
    Map *trees; /* of this text; they join the set's when all of it was right */
    bool failed;
    Err *err;
} TmplParser;
/* The first failure is kept; always NULL. */
void *tmplp_fail(TmplParser *p, const char *fmt, ...) ATTR_PRINTF(2, 3);
void *tmplp_fail_memory(TmplParser *p);
void *tmplp_unexpected(TmplParser *p, TmplItem it, const char *context);

/* --- tokens, three of which can be put back --- */
TmplItem tmplp_next(TmplParser *p);
void tmplp_back(TmplParser *p);
TmplItem tmplp_peek(TmplParser *p);
TmplItem tmplp_next_solid(TmplParser *p); /* not a space */
TmplItem tmplp_peek_solid(TmplParser *p);
bool tmplp_expect(TmplParser *p, TmplTok kind, const char *context, TmplItem *ret);

/* --- nodes --- */
TmplNode *tmplp_node(TmplParser *p, TmplNodeKind kind, uint32_t pos, int line);
bool tmplp_push(TmplParser *p, TmplNodes *nodes, TmplNode *n); /* false for no node, too */
bool tmplp_declare(TmplParser *p, Str name);

/* gotmpl_pipe.c: up to and with the token end. */
TmplNode *tmplp_pipeline(TmplParser *p, const char *context, TmplTok end);

#endif
