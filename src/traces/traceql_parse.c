/* traceql_parse.c - whole queries: what others ask of the parser. */
#include "traces/traceql_parse_int.h"

#include "base/diag.h"

static void parser_init(TqlParser *p, Str src, Arena *arena) {
    *p = (TqlParser){.src = src, .arena = arena};
    p->outer = (Pratt){&tql_outer_syntax, p, 0, 0};
    p->fields = (Pratt){&tql_field_syntax, p, 0, 0};
    p->tok = tql_lex(src, 0, arena);
}

static const TraceQl *parse(TqlParser *p, Str src, Arena *arena) {
    parser_init(p, src, arena);
    TraceQl *q = TQL_NODE(p, TraceQl);
    if (!q) return NULL;
    q->source = src;
    if (src.n > TRACEQL_SOURCE_MAX)
        lang_fail_code(&p->error, ERR_INVALID, (LangSpan){0, 0},
            "the query is too long: %zu bytes, at most %d are allowed", src.n, TRACEQL_SOURCE_MAX);
    else if (tql_parse_query(p, q) && tql_check(p, q))
        return q;
    ASSERT(p->error.set);
    return NULL;
}

ErrCode traceql_parse(Str src, Arena *arena, const TraceQl **ret, Err *reterr) {
    TqlParser p;
    const TraceQl *q = parse(&p, src, arena);
    if (!q) return lang_error_tempo(&p.error, src, reterr);
    *ret = q;
    return OK;
}

void traceql_explain_error(Str src, Str file, Buf *out, bool colour) {
    Arena *arena = arena_create(16u << 20);
    TqlParser p;
    if (!parse(&p, src, arena)) lang_error_caret(&p.error, file, src, out, colour);
    arena_free(arena);
}

ErrCode traceql_parse_attr(Str src, Arena *arena, TqlAttr *ret, Err *reterr) {
    TqlParser p;
    parser_init(&p, src, arena);
    TqlIntrinsic i = p.tok.kind == TQL_T_WORD ? tql_intrinsic_of(p.tok.text) : TQL_NOT_INTRINSIC;
    bool whole = p.tok.span.start == 0 && p.tok.span.end == src.n;
    if (whole && (p.tok.kind == TQL_T_ATTR || p.tok.kind == TQL_T_INTRINSIC)) {
        *ret = p.tok.attr;
    } else if (whole && i != TQL_NOT_INTRINSIC) {
        *ret = (TqlAttr){.intrinsic = i};
    } else if (src.n > 0 && tql_name_is_plain(src)) {
        *ret = (TqlAttr){.name = src};
    } else {
        return err_set(reterr, ERR_INVALID, "\"%" STR_FMT "\" is not an attribute", STR_ARG(src));
    }
    return OK;
}

const TqlValue *traceql_hint(const TraceQl *q, Str name) {
    vec_foreach(const TqlHint, h, &q->hints) {
        if (str_eq(h->name, name)) return &h->value;
    }
    return NULL;
}
