/* govalue.h - dynamic values with Go's types, as text/template sees them, and Go's fmt.
 *
 * A value knows its type; types are static descriptors made by the host: named maps with methods, structs with fields.
 * Everything a value points to lives in an arena, or longer. Nothing is ever changed once it is made. */
#ifndef MEERKAT_LANG_GOVALUE_H
#define MEERKAT_LANG_GOVALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

typedef enum GoKind {
    GO_BOOL,
    GO_INT, /* int and all other signed integers */
    GO_UINT,
    GO_FLOAT,
    GO_STRING,
    GO_LIST,
    GO_MAP, /* keys are strings */
    GO_STRUCT,
    GO_FUNC,
    GO_ANY, /* only as the type of elements and parameters */
} GoKind;

typedef struct GoType GoType;
typedef struct GoFunc GoFunc;
typedef struct GoList GoList;
typedef struct GoMap GoMap;

/* type NULL: no value (nil, a missing key). */
typedef struct GoValue {
    const GoType *type;
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double f;
        Str s;
        const GoList *list; /* NULL: empty */
        const GoMap *map;   /* NULL: empty */
        const void *obj;
        const GoFunc *func;
    };
} GoValue;

struct GoList {
    const GoValue *v;
    size_t n;
};
typedef struct GoEntry {
    Str key;
    GoValue value;
} GoEntry;
struct GoMap {
    const GoEntry *v; /* sorted by key */
    size_t n;
};

typedef struct GoField {
    Str name;
    GoValue (*get)(const void *obj, Arena *arena);
} GoField;

/* What a host function is called with. */
typedef struct GoCall {
    Arena *arena; /* for results */
    void *ctx;    /* the host's, of GoTmplExec */
    void *exec;   /* private; for gotmpl_call_template */
    GoValue self; /* of a method */
    Err *err;     /* to be filled with the message when something other than OK is returned */
} GoCall;
struct GoFunc {
    Str name;
    ErrCode (*fn)(GoCall *c, const GoValue *args, size_t n, GoValue *ret);
    const GoType *params[5]; /* checked before the call; go_any takes everything */
    unsigned n_params;
    bool variadic; /* the last parameter may come any number of times */
};

struct GoType {
    const char *name; /* as %T prints it: "template.KV" */
    GoKind kind;
    const GoType *elem; /* of LIST and MAP */
    const GoField *fields;
    size_t n_fields;
    const GoFunc *methods;
    size_t n_methods;
    void (*string)(GoValue v, Buf *out); /* fmt.Stringer, or NULL */
    bool pointer;                        /* *T: printed with & */
};

extern const GoType go_bool[1], go_int[1], go_int64[1], go_rune[1], go_byte[1], go_uint64[1], go_float64[1],
    go_string[1], go_any[1], go_func[1];
extern const GoType go_strings[1];                                          /* []string */
extern const GoType go_anys[1];                                             /* []interface {} */
extern const GoType go_string_map[1];                                       /* map[string]string */
extern const GoType go_any_map[1];                                          /* map[string]interface {} */
extern const GoType go_html[1], go_url[1], go_js[1], go_css[1], go_attr[1]; /* html/template's trusted strings */

static inline GoValue go_nil(void) { return (GoValue){0}; }
static inline GoValue go_of_bool(bool b) { return (GoValue){.type = go_bool, .b = b}; }
static inline GoValue go_of_int(int64_t i) { return (GoValue){.type = go_int, .i = i}; }
static inline GoValue go_of_f64(double f) { return (GoValue){.type = go_float64, .f = f}; }
static inline GoValue go_of_str(Str s) { return (GoValue){.type = go_string, .s = s}; }
static inline GoValue go_of_obj(const GoType *type, const void *obj) { return (GoValue){.type = type, .obj = obj}; }
/* Lists and maps over existing items (borrowed; a map's sorted by key); no value when the arena is used up. */
GoValue go_of_list(Arena *arena, const GoType *type, const GoValue *v, size_t n);
GoValue go_of_map(Arena *arena, const GoType *type, const GoEntry *v, size_t n);
GoValue go_of_strings(Arena *arena, const Str *v, size_t n); /* []string */
/* Sorts by key in place; of doubles the last one stays. */
void go_sort_entries(GoEntry *v, size_t *n);

static inline bool go_is_nil(GoValue v) { return v.type == NULL; }
static inline bool go_is(GoValue v, GoKind kind) { return v.type && v.type->kind == kind; }
size_t go_len(GoValue v);                        /* of STRING, LIST, MAP; else 0 */
const GoValue *go_map_get(GoValue map, Str key); /* NULL when absent */
GoValue go_zero(const GoType *type);             /* of go_any: no value */
bool go_truth(GoValue v);                        /* neither zero nor empty: as `if` sees it */
const char *go_type_name(GoValue v);             /* "<nil>" of no value */

/* fmt.Sprintf and its kin. The arena is for what fields give on the way. */
void go_sprintf(Buf *out, Arena *arena, Str format, const GoValue *args, size_t n);
void go_sprint(Buf *out, Arena *arena, const GoValue *args, size_t n); /* a space between two that are not strings */
void go_sprintln(Buf *out, Arena *arena, const GoValue *args, size_t n);
static inline void go_put_value(Buf *out, Arena *arena, GoValue v) { go_sprint(out, arena, &v, 1); } /* %v */
void go_put_indirect(Buf *out, Arena *arena, GoValue v); /* %v of what v points to */

#endif
