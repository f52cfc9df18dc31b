/* govalue.c - Go's basic types, and what can be asked of any value. */
#include "lang/govalue.h"

#include <stdlib.h>

const GoType go_bool[1] = {{.name = "bool", .kind = GO_BOOL}};
const GoType go_int[1] = {{.name = "int", .kind = GO_INT}};
const GoType go_int64[1] = {{.name = "int64", .kind = GO_INT}};
const GoType go_rune[1] = {{.name = "int32", .kind = GO_INT}};
const GoType go_byte[1] = {{.name = "uint8", .kind = GO_UINT}};
const GoType go_uint64[1] = {{.name = "uint64", .kind = GO_UINT}};
const GoType go_float64[1] = {{.name = "float64", .kind = GO_FLOAT}};
const GoType go_string[1] = {{.name = "string", .kind = GO_STRING}};
const GoType go_any[1] = {{.name = "interface {}", .kind = GO_ANY}};
const GoType go_func[1] = {{.name = "func", .kind = GO_FUNC}};
const GoType go_strings[1] = {{.name = "[]string", .kind = GO_LIST, .elem = go_string}};
const GoType go_anys[1] = {{.name = "[]interface {}", .kind = GO_LIST, .elem = go_any}};
const GoType go_string_map[1] = {{.name = "map[string]string", .kind = GO_MAP, .elem = go_string}};
const GoType go_any_map[1] = {{.name = "map[string]interface {}", .kind = GO_MAP, .elem = go_any}};
const GoType go_html[1] = {{.name = "template.HTML", .kind = GO_STRING}};
const GoType go_url[1] = {{.name = "template.URL", .kind = GO_STRING}};
const GoType go_js[1] = {{.name = "template.JS", .kind = GO_STRING}};
const GoType go_css[1] = {{.name = "template.CSS", .kind = GO_STRING}};
const GoType go_attr[1] = {{.name = "template.HTMLAttr", .kind = GO_STRING}};

GoValue go_of_list(Arena *arena, const GoType *type, const GoValue *v, size_t n) {
    GoList *list = ARENA_NEW(arena, GoList);
    if (!list) return go_nil();
    *list = (GoList){v, n};
    return (GoValue){.type = type, .list = list};
}

GoValue go_of_map(Arena *arena, const GoType *type, const GoEntry *v, size_t n) {
    GoMap *map = ARENA_NEW(arena, GoMap);
    if (!map) return go_nil();
    *map = (GoMap){v, n};
    return (GoValue){.type = type, .map = map};
}

GoValue go_of_strings(Arena *arena, const Str *v, size_t n) {
    GoValue *items = ARENA_ARRAY(arena, GoValue, n);
    if (!items) return go_nil();
    for (size_t i = 0; i < n; i++) items[i] = go_of_str(v[i]);
    return go_of_list(arena, go_strings, items, n);
}

typedef struct Ordered {
    GoEntry entry;
    size_t at;
} Ordered;

static int compare_ordered(const void *a, const void *b) {
    const Ordered *x = a, *y = b;
    int c = str_cmp(x->entry.key, y->entry.key);
    return c ? c : x->at < y->at ? -1 : 1;
}

void go_sort_entries(GoEntry *v, size_t *n) {
    bool sorted = true;
    for (size_t i = 1; i < *n && sorted; i++) sorted = str_cmp(v[i - 1].key, v[i].key) < 0;
    if (sorted) return;
    Ordered *order = mem_alloc_array(*n, sizeof *order);
    for (size_t i = 0; i < *n; i++) order[i] = (Ordered){v[i], i};
    qsort(order, *n, sizeof *order, compare_ordered);
    size_t out = 0;
    for (size_t i = 0; i < *n; i++) {
        if (out && str_eq(v[out - 1].key, order[i].entry.key)) out--;
        v[out++] = order[i].entry;
    }
    mem_free(order);
    *n = out;
}

size_t go_len(GoValue v) {
    if (!v.type) return 0;
    switch (v.type->kind) {
    case GO_STRING: return v.s.n;
    case GO_LIST: return v.list ? v.list->n : 0;
    case GO_MAP: return v.map ? v.map->n : 0;
    default: return 0;
    }
}

const GoValue *go_map_get(GoValue v, Str key) {
    if (!go_is(v, GO_MAP) || !v.map) return NULL;
    size_t lo = 0, hi = v.map->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = str_cmp(v.map->v[mid].key, key);
        if (c == 0) return &v.map->v[mid].value;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

GoValue go_zero(const GoType *type) {
    if (!type || type->kind == GO_ANY || type->kind == GO_STRUCT || type->kind == GO_FUNC) return go_nil();
    GoValue v = {.type = type};
    if (type->kind == GO_STRING) v.s = STR("");
    return v;
}

bool go_truth(GoValue v) {
    if (!v.type) return false;
    switch (v.type->kind) {
    case GO_BOOL: return v.b;
    case GO_INT: return v.i != 0;
    case GO_UINT: return v.u != 0;
    case GO_FLOAT: return v.f != 0;
    case GO_STRING:
    case GO_LIST:
    case GO_MAP: return go_len(v) > 0;
    case GO_STRUCT: return v.obj != NULL || !v.type->pointer;
    case GO_FUNC: return v.func != NULL;
    case GO_ANY: break;
    }
    UNREACHABLE();
}

const char *go_type_name(GoValue v) { return v.type ? v.type->name : "<nil>"; }
