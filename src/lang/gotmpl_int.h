/* gotmpl_int.h - lexer, tree and execution of templates. Private to lang. */
#ifndef MEERKAT_LANG_GOTMPL_INT_H
#define MEERKAT_LANG_GOTMPL_INT_H

#include "base/map.h"
#include "base/vec.h"
#include "lang/gotmpl.h"

#define GOTMPL_NESTING_MAX 500 /* of control structures */
#define GOTMPL_PAREN_MAX 500
#define GOTMPL_SOURCE_MAX (1u << 20)

/* --- tokens --- */
typedef enum TmplTok {
    TOK_ERROR,
    TOK_BOOL,
    TOK_CHAR, /* any other character */
    TOK_CHAR_CONSTANT,
    TOK_COMPLEX,
    TOK_ASSIGN,
    TOK_DECLARE,
    TOK_EOF,
    TOK_FIELD,
    TOK_IDENTIFIER,
    TOK_LEFT_DELIM,
    TOK_LEFT_PAREN,
    TOK_NUMBER,
    TOK_PIPE,
    TOK_RAW_STRING,
    TOK_RIGHT_DELIM,
    TOK_RIGHT_PAREN,
    TOK_SPACE,
    TOK_STRING,
    TOK_TEXT,
    TOK_VARIABLE,
    TOK_KEYWORD, /* only to separate */
    TOK_BLOCK,
    TOK_BREAK,
    TOK_CONTINUE,
    TOK_DOT,
    TOK_DEFINE,
    TOK_ELSE,
    TOK_END,
    TOK_IF,
    TOK_NIL,
    TOK_RANGE,
    TOK_TEMPLATE,
    TOK_WITH,
} TmplTok;

typedef struct TmplItem {
    TmplTok kind;
    uint32_t pos;
    int line;
    Str val;
} TmplItem;

typedef struct TmplLexer {
    Str input;
    size_t pos, start;
    int line, start_line;
    int paren_depth;
    bool inside_action;
    Arena *arena; /* of error texts */
} TmplLexer;

TmplLexer tmpl_lexer(Str input, Arena *arena);
TmplItem tmpl_next(TmplLexer *lx);

/* --- tree --- */
typedef enum TmplNodeKind {
    NODE_TEXT,
    NODE_ACTION,
    NODE_BOOL,
    NODE_CHAIN,
    NODE_COMMAND,
    NODE_DOT,
    NODE_FIELD,
    NODE_IDENTIFIER,
    NODE_IF,
    NODE_LIST,
    NODE_NIL,
    NODE_NUMBER,
    NODE_PIPE,
    NODE_RANGE,
    NODE_STRING,
    NODE_TEMPLATE,
    NODE_VARIABLE,
    NODE_WITH,
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_ELSE, /* only while parsing */
    NODE_END,
} TmplNodeKind;

typedef struct TmplSource {
    Str name, text;
} TmplSource;

typedef struct TmplNode TmplNode;
typedef AVEC(TmplNode *) TmplNodes;
struct TmplNode {
    TmplNodeKind kind;
    uint32_t pos;
    int line;
    const TmplSource *source;
    Str text;                          /* TEXT, IDENTIFIER, TEMPLATE: name; STRING: decoded */
    Str written;                       /* STRING, NUMBER */
    TmplNodes kids;                    /* LIST; PIPE: commands; COMMAND: arguments */
    TmplNodes decl;                    /* PIPE: variables */
    AVEC(Str) ident;                   /* FIELD, VARIABLE ("$x" first), CHAIN: fields */
    TmplNode *pipe, *list, *else_list; /* IF, RANGE, WITH, ACTION, TEMPLATE; CHAIN: pipe is what stands before */
    const GoFunc *func;                /* IDENTIFIER */
    bool is_assign;                    /* PIPE */
    bool truth;                        /* BOOL */
    bool is_int, is_uint, is_float;    /* NUMBER */
    int64_t i;
    uint64_t u;
    double f;
};

struct GoTmpl {
    const GoTmpl *base;
    const GoFunc *funcs;
    size_t n_funcs;
    bool missing_zero;
    Arena *arena;
    Map *trees; /* name -> TmplNode * (LIST) */
};

const TmplNode *gotmpl_find(const GoTmpl *t, Str name);
const GoFunc *gotmpl_find_func(const GoTmpl *t, Str name);
void tmpl_node_put(const TmplNode *n, Buf *out); /* as written, normalised: what errors quote */
/* The literal of a string token; false: malformed. */
bool tmpl_unquote(Arena *arena, Str literal, Str *ret);
bool tmpl_number(TmplNode *n, TmplTok kind, const char **ret_error);

/* --- builtins --- */
extern const GoFunc gotmpl_builtins[];
extern const size_t gotmpl_n_builtins;
/* and, or and call are the evaluator's. */
extern const GoFunc gotmpl_and, gotmpl_or, gotmpl_call;
bool gotmpl_assignable(const GoType *from, const GoType *to);
/* What html, js, urlquery and printing make of arguments. */
void gotmpl_eval_args(Buf *out, Arena *arena, const GoValue *args, size_t n);

/* --- execution --- */
typedef struct TmplVar {
    Str name;
    GoValue value;
} TmplVar;

typedef struct TmplHtml TmplHtml;

typedef struct TmplExec {
    const GoTmpl *set;
    const GoTmplExec *opts;
    Arena *arena;
    Buf *out;
    size_t out_start, out_max;
    uint64_t steps_left;
    unsigned depth;       /* of template calls */
    Str name;             /* of the running template */
    const TmplNode *node; /* where errors are */
    VEC(TmplVar) vars;
    size_t vars_base; /* the running template's "$" */
    bool is_any;      /* the last field's type is interface{}: Go tells a nil in it from no value */
    TmplHtml *html;   /* NULL: text/template */
    Err *err;
    ErrCode code;
} TmplExec;

typedef enum TmplFlow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE, FLOW_FAIL } TmplFlow;

bool tmpl_fail(TmplExec *x, const char *fmt, ...) ATTR_PRINTF(2, 3); /* always false */
bool tmpl_fail_limit(TmplExec *x, const char *what);                 /* ERR_TOO_LARGE; always false */
bool tmpl_eval_pipeline(TmplExec *x, GoValue dot, const TmplNode *pipe, GoValue *ret);
bool tmpl_call_func(TmplExec *x, const GoFunc *f, GoValue self, const GoValue *args, size_t n, GoValue *ret);
TmplFlow tmpl_run(TmplExec *x, const TmplNode *root, Str name, GoValue data);

/* --- escaping --- */
TmplHtml *tmpl_html_create(void);
TmplHtml *tmpl_html_free(TmplHtml *h);
void tmpl_html_text(TmplHtml *h, Buf *out, Str text); /* template text: moves the context on */
void tmpl_html_value(TmplHtml *h, Buf *out, Arena *arena, GoValue v, Str last_func);

#endif
