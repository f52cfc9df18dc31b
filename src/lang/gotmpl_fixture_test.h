/* gotmpl_fixture_test.h - the data the cases of tests/gotmpl are about. The same in Go:
 *
 *   type KV map[string]string                      // methods Has(string) bool, Remove([]string) KV
 *   type Item struct { Name string; Count int; Tags []string }
 *                      // Twice() int, Add(a, b int) int, Join(...string) string, Fail() (string, error)
 *   type Data struct { Title, Empty string; N, Zero, Neg int; ... }   // *Data: Hello(string) string, Self() *Data */
#ifndef MEERKAT_LANG_GOTMPL_FIXTURE_TEST_H
#define MEERKAT_LANG_GOTMPL_FIXTURE_TEST_H

#include "base/timefmt.h"
#include "lang/gotmpl.h"

static ErrCode kv_has(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    *ret = go_of_bool(go_map_get(c->self, args[0].s) != NULL);
    return OK;
}
static ErrCode kv_remove(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    GoEntry *v = ARENA_ARRAY(c->arena, GoEntry, go_len(c->self));
    size_t m = 0;
    for (size_t i = 0; i < go_len(c->self); i++) {
        bool drop = false;
        for (size_t k = 0; k < go_len(args[0]); k++) drop = drop || str_eq(args[0].list->v[k].s, c->self.map->v[i].key);
        if (!drop) v[m++] = c->self.map->v[i];
    }
    *ret = go_of_map(c->arena, c->self.type, v, m);
    return OK;
}
static const GoFunc kv_methods[] = {
    {STR_INIT("Has"), kv_has, {go_string}, 1, false}, {STR_INIT("Remove"), kv_remove, {go_strings}, 1, false}};
static const GoType kv_type[1] = {
    {.name = "main.KV", .kind = GO_MAP, .elem = go_string, .methods = kv_methods, .n_methods = ARRAY_LEN(kv_methods)}};

typedef struct Item {
    const char *name;
    int count;
    Str tags[2];
    size_t n_tags;
} Item;
static const Item fx_items[] = {
    {"one", 1, {STR_INIT("x"), STR_INIT("y")}, 2}, {"two", 2, {STR_INIT("")}, 0}, {"three", 3, {STR_INIT("z")}, 1}};

static GoValue item_name(const void *o, Arena *a) {
    (void)a;
    return go_of_str(str_cstr(((const Item *)o)->name));
}
static GoValue item_count(const void *o, Arena *a) {
    (void)a;
    return go_of_int(((const Item *)o)->count);
}
static GoValue item_tags(const void *o, Arena *a) {
    const Item *it = o;
    return it->n_tags ? go_of_strings(a, it->tags, it->n_tags) : go_zero(go_strings);
}
static ErrCode item_twice(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)args, (void)n;
    *ret = go_of_int(2 * ((const Item *)c->self.obj)->count);
    return OK;
}
static ErrCode item_add(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    *ret = go_of_int(((const Item *)c->self.obj)->count + args[0].i + args[1].i);
    return OK;
}
static GoValue joined(Arena *a, Str first, Str sep, const GoValue *v, size_t n) {
    Buf b = {0};
    buf_put_str(&b, first);
    for (size_t i = 0; i < n; i++) {
        if (i) buf_put_str(&b, sep);
        buf_put_str(&b, v[i].s);
    }
    GoValue s = go_of_str(arena_copy(a, buf_str(&b)));
    buf_done(&b);
    return s;
}
static ErrCode item_join(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    *ret = joined(c->arena, str_cstr(((const Item *)c->self.obj)->name), STR("+"), args, n);
    return OK;
}
static ErrCode item_fail(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)args, (void)n, (void)ret;
    return err_set(c->err, ERR_INVALID, "item is broken");
}
static const GoField item_fields[] = {
    {STR_INIT("Name"), item_name}, {STR_INIT("Count"), item_count}, {STR_INIT("Tags"), item_tags}};
static const GoFunc item_methods[] = {{STR_INIT("Twice"), item_twice, {NULL}, 0, false},
    {STR_INIT("Add"), item_add, {go_int, go_int}, 2, false}, {STR_INIT("Join"), item_join, {go_string}, 1, true},
    {STR_INIT("Fail"), item_fail, {NULL}, 0, false}};
static const GoType item_type[1] = {{.name = "main.Item",
    .kind = GO_STRUCT,
    .fields = item_fields,
    .n_fields = ARRAY_LEN(item_fields),
    .methods = item_methods,
    .n_methods = ARRAY_LEN(item_methods)}};
static const GoType items_type[1] = {{.name = "[]main.Item", .kind = GO_LIST, .elem = item_type}};

static void duration_string(GoValue v, Buf *out) { duration_put_go(out, v.i); }
static ErrCode duration_seconds(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)args, (void)n;
    *ret = go_of_f64((double)c->self.i / 1e9);
    return OK;
}
static const GoFunc duration_methods[] = {{STR_INIT("Seconds"), duration_seconds, {NULL}, 0, false}};
static const GoType duration_type[1] = {{.name = "time.Duration",
    .kind = GO_INT,
    .string = duration_string,
    .methods = duration_methods,
    .n_methods = ARRAY_LEN(duration_methods)}};

#define FIELD(name, expr)                                                                                              \
    static GoValue data_##name(const void *o, Arena *a) {                                                              \
        (void)o, (void)a;                                                                                              \
        return expr;                                                                                                   \
    }

static GoValue list_of(Arena *a, const GoType *type, const GoValue *v, size_t n) {
    GoValue *copy = ARENA_ARRAY(a, GoValue, n);
    memcpy(copy, v, n * sizeof *v);
    return go_of_list(a, type, copy, n);
}
static GoValue map_of(Arena *a, const GoType *type, const GoEntry *v, size_t n) {
    GoEntry *copy = ARENA_ARRAY(a, GoEntry, n);
    memcpy(copy, v, n * sizeof *v);
    go_sort_entries(copy, &n);
    return go_of_map(a, type, copy, n);
}
static const GoType ints_type[1] = {{.name = "[]int", .kind = GO_LIST, .elem = go_int}};

static GoValue data_items(Arena *a) {
    GoValue v[3];
    for (size_t i = 0; i < 3; i++) v[i] = go_of_obj(item_type, &fx_items[i]);
    return list_of(a, items_type, v, 3);
}
static GoValue data_any(Arena *a) {
    GoEntry er[] = {{STR("er"), go_of_str(STR("end"))}};
    GoEntry deep[] = {{STR("deep"), map_of(a, go_any_map, er, 1)}};
    GoValue l[] = {go_of_int(1), go_of_str(STR("b")), go_nil(), go_of_bool(true)};
    GoEntry any[] = {{STR("s"), go_of_str(STR("text"))}, {STR("i"), go_of_int(5)}, {STR("f"), go_of_f64(2.5)},
        {STR("l"), list_of(a, go_anys, l, 4)}, {STR("m"), map_of(a, go_any_map, deep, 1)}, {STR("nil"), go_nil()},
        {STR("b"), go_of_bool(true)}};
    return map_of(a, go_any_map, any, ARRAY_LEN(any));
}
static GoValue data_labels(Arena *a) {
    GoEntry v[] = {{STR("severity"), go_of_str(STR("critical"))}, {STR("alertname"), go_of_str(STR("High"))},
        {STR("job"), go_of_str(STR("api"))}};
    return map_of(a, kv_type, v, 3);
}
static GoValue data_nums(Arena *a) {
    GoValue v[] = {go_of_int(3), go_of_int(1), go_of_int(2)};
    return list_of(a, ints_type, v, 3);
}
static GoValue data_names(Arena *a) { return go_of_strings(a, (Str[]){STR("ann"), STR("bob"), STR("cy")}, 3); }

FIELD(Title, go_of_str(STR("Meer & <kat>")))
FIELD(Empty, go_of_str(STR("")))
FIELD(N, go_of_int(42))
FIELD(Zero, go_of_int(0))
FIELD(Neg, go_of_int(-7))
FIELD(F, go_of_f64(0.1))
FIELD(Big, go_of_f64(1234567890.5))
FIELD(Yes, go_of_bool(true))
FIELD(No, go_of_bool(false))
FIELD(Nums, data_nums(a))
FIELD(None, go_of_strings(a, NULL, 0))
FIELD(Names, data_names(a))
FIELD(Labels, data_labels(a))
FIELD(Items, data_items(a))
FIELD(Any, data_any(a))
FIELD(Nil, go_nil())
FIELD(Bytes, ((GoValue){.type = go_uint64, .u = 1536}))
FIELD(Dur, ((GoValue){.type = duration_type, .i = 90 * NS_PER_S}))
FIELD(HTML, ((GoValue){.type = go_html, .s = STR("<b>bold</b>")}))

#define F(name)                                                                                                        \
    { STR_INIT(#name), data_##name }
static const GoField data_fields[] = {F(Title), F(Empty), F(N), F(Zero), F(Neg), F(F), F(Big), F(Yes), F(No), F(Nums),
    F(None), F(Names), F(Labels), F(Items), F(Any), F(Nil), F(Bytes), F(Dur), F(HTML)};

static ErrCode data_hello(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    *ret = joined(c->arena, STR("hello "), STR(""), args, 1);
    return OK;
}
static ErrCode data_self(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)args, (void)n;
    *ret = c->self;
    return OK;
}
static const GoFunc data_methods[] = {
    {STR_INIT("Hello"), data_hello, {go_string}, 1, false}, {STR_INIT("Self"), data_self, {NULL}, 0, false}};
static const GoType data_type[1] = {{.name = "*main.Data",
    .kind = GO_STRUCT,
    .fields = data_fields,
    .n_fields = ARRAY_LEN(data_fields),
    .methods = data_methods,
    .n_methods = ARRAY_LEN(data_methods),
    .pointer = true}};

/* --- functions --- */
static ErrCode fx_upper(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    Str s = arena_copy(c->arena, args[0].s);
    char *p = ARENA_ARRAY(c->arena, char, s.n);
    for (size_t i = 0; i < s.n; i++) p[i] = s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 32) : s.p[i];
    *ret = go_of_str(str_of(p, s.n));
    return OK;
}
static ErrCode fx_add(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)c, (void)n;
    *ret = go_of_int((int64_t)((uint64_t)args[0].i + (uint64_t)args[1].i));
    return OK;
}
static ErrCode fx_half(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)c, (void)n;
    *ret = go_of_f64(args[0].f / 2);
    return OK;
}
static ErrCode fx_boom(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)args, (void)n, (void)ret;
    return err_set(c->err, ERR_INVALID, "boom happened");
}
static ErrCode fx_join(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)n;
    *ret = joined(c->arena, STR(""), args[0].s, args[1].list ? args[1].list->v : NULL, go_len(args[1]));
    return OK;
}
static ErrCode fx_list(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    *ret = go_of_list(c->arena, go_anys, args, n);
    return OK;
}
static ErrCode fx_nothing(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)c, (void)args, (void)n;
    *ret = go_nil();
    return OK;
}
static ErrCode fx_safe(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)c, (void)n;
    *ret = (GoValue){.type = go_html, .s = args[0].s};
    return OK;
}
static ErrCode fx_negate(GoCall *c, const GoValue *args, size_t n, GoValue *ret) {
    (void)c, (void)n;
    *ret = go_of_bool(!args[0].b);
    return OK;
}
static const GoFunc fx_funcs[] = {{STR_INIT("upper"), fx_upper, {go_string}, 1, false},
    {STR_INIT("add"), fx_add, {go_int, go_int}, 2, false}, {STR_INIT("half"), fx_half, {go_float64}, 1, false},
    {STR_INIT("boom"), fx_boom, {NULL}, 0, false}, {STR_INIT("join"), fx_join, {go_string, go_strings}, 2, false},
    {STR_INIT("list"), fx_list, {go_any}, 1, true}, {STR_INIT("nothing"), fx_nothing, {NULL}, 0, false},
    {STR_INIT("safe"), fx_safe, {go_string}, 1, false}, {STR_INIT("negate"), fx_negate, {go_bool}, 1, false}};

#endif
