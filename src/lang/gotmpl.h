/* gotmpl.h - Go's text/template language, with html/template's contextual escaping where it is asked for.
 *
 * Language, printing and error texts are those of Go's packages; complex numbers, channels and iterator functions are
 * not there. A set is immutable once everything is parsed and may then be used by many threads; what is executed
 * lives in the caller's arena. */
#ifndef MEERKAT_LANG_GOTMPL_H
#define MEERKAT_LANG_GOTMPL_H

#include "lang/govalue.h"

typedef struct GoTmpl GoTmpl; /* a set of templates that know each other by name */

/* funcs: static, beside the builtins. missing_zero: Option("missingkey=zero"): an absent key gives the zero value of
 * the map's elements in place of no value. */
ATTR_MUST GoTmpl *gotmpl_create(const GoFunc *funcs, size_t n_funcs, bool missing_zero);
/* A set on top of base, which must outlive it: the base's templates are there unless they are defined anew. */
ATTR_MUST GoTmpl *gotmpl_create_on(const GoTmpl *base);
GoTmpl *gotmpl_free(GoTmpl *t); /* NULL is fine */
/* Adds the template name and those it defines; the later of two definitions wins, as with Go's Parse on one set. The
 * text is copied. Errors are Go's ("template: x:3: unexpected EOF"); reterr has line (and column 0). */
ErrCode gotmpl_parse(GoTmpl *t, Str name, Str text, Err *reterr);
bool gotmpl_has(const GoTmpl *t, Str name);
/* Calls fn for each template's name, in order. */
void gotmpl_names(const GoTmpl *t, void (*fn)(void *ctx, Str name), void *ctx);

typedef struct GoTmplExec {
    Arena *arena;            /* for values; its budget is a limit, too */
    void *ctx;               /* for host functions */
    size_t max_output_bytes; /* 0: 4 MiB */
    uint64_t max_steps;      /* nodes walked; 0: 10 million */
    bool html;               /* escape what actions print for the place they print it in */
} GoTmplExec;

/* Appends the result. On an error out holds what was written until then, and the message is Go's: "template: x:1:5:
 * executing \"x\" at <.A.B>: ...". */
ErrCode gotmpl_exec(const GoTmpl *t, Str name, GoValue data, const GoTmplExec *opts, Buf *out, Err *reterr);
/* Parses text as the template name on top of t and executes it. */
ErrCode gotmpl_expand(const GoTmpl *t, Str name, Str text, GoValue data, const GoTmplExec *opts, Buf *out, Err *reterr);
/* For a host function: executes another template of the set under the limits of the running one; without escaping. */
ErrCode gotmpl_call_template(GoCall *c, Str name, GoValue data, Buf *out);

/* The escaping functions, for hosts. */
void gotmpl_put_html(Buf *out, Str s);
void gotmpl_put_js(Buf *out, Str s);
void gotmpl_put_urlquery(Buf *out, Str s); /* url.QueryEscape */

#endif
