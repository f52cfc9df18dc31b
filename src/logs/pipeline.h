/* pipeline.h - private: one log line on its way through the stages of a query. */
#ifndef MEERKAT_LOGS_PIPELINE_H
#define MEERKAT_LOGS_PIPELINE_H

#include "logs/logql_ast.h"

typedef enum LqLabelKind { LQ_L_STREAM, LQ_L_META, LQ_L_PARSED } LqLabelKind;

typedef struct LqLabel {
    Str name, value;
    LqLabelKind kind;
} LqLabel;

/* Labels beyond these are not taken from a line (finding one is linear); the line is marked. */
#define LQ_LABELS_MAX 1024

/* A line with its labels. Values live in the view or in `scratch`, which is reset for every line. */
typedef struct LqLine {
    int64_t t_ns;
    Str line;
    AVEC(LqLabel) labels;     /* heap; names unique */
    Str error, error_details; /* __error__; empty: none */
    Arena *scratch;
    bool out_of_memory;
} LqLine;

typedef struct LqPipeline {
    const LqExpr *expr;
    const LqStage *rest; /* stages behind the leading line filters, which the store has applied */
    LogLineHint *hints;  /* needles every matching line contains */
    size_t n_hints;
    bool needs_labels; /* some stage looks at labels */
    bool has_parser;
    bool skip_parsers; /* nobody looks at parsed labels: parse errors must not surface either */
    LqLine line;
} LqPipeline;

/* false: out of memory. */
ATTR_MUST bool pipeline_init(LqPipeline *p, const LqExpr *e, Arena *arena);
void pipeline_done(LqPipeline *p);
/* LogLineFn over the leading line filters. */
bool pipeline_keep_line(void *pipeline, Str line);
/* Runs a row through; true: it stays, and p->line holds it until the next call. */
bool pipeline_run(LqPipeline *p, const LogView *row);
/* The same for further label filters (behind unwrap). */
bool pipeline_filters(LqPipeline *p, const LqStage *st);

Str line_get(const LqLine *l, Str name); /* also __error__ and __error_details__ */
/* Adds or replaces; a parsed label that exists as another kind becomes name_extracted. */
void line_set(LqLine *l, LqLabelKind kind, Str name, Str value);
void line_fail(LqLine *l, Str error, Str details);
/* Labels sorted by name, with the error labels; in the arena. without NULL-name filters. kinds: bit set of LqLabelKind.
 */
ATTR_MUST bool line_labels(const LqLine *l, unsigned kinds, Arena *arena, Labels *ret);
#define LQ_KINDS_ALL 7u

/* Text of an attribute, in the arena unless it is a string already. */
Str attr_text(const AttrValue *v, Arena *arena);

/* --- parsers --- */
void line_parse_json(LqLine *l);
void line_parse_logfmt(LqLine *l, bool strict, bool keep_empty);
/* A label name made of s: foreign characters become _; a leading digit gets one in front. */
Str label_name_sanitize(Str s, Arena *arena);

#endif
