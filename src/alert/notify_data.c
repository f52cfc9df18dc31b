/* notify_data.c - .Alerts, .CommonLabels and the rest: Alertmanager's template data, types and methods. */
#include "alert/notify_int.h"

#include <inttypes.h>

#define FN(name) static ErrCode name(GoCall *c, const GoValue *args, size_t n, GoValue *ret)
#define ALERT(o) ((const NotifyAlert *)(o))
#define DATA(o) ((const NotifyData *)(o))

/* --- pairs and lists of texts --- */

FN(strings_join) {
    (void)n;
    Buf b = {0};
    for (size_t i = 0; i < go_len(c->self); i++) {
        if (i) buf_put_str(&b, args[0].s);
        buf_put_str(&b, c->self.list->v[i].s);
    }
    *ret = go_of_str(arena_copy(c->arena, buf_str(&b)));
    buf_done(&b);
    return OK;
}
static const GoFunc strings_methods[] = {{STR_INIT("Join"), strings_join, {go_string}, 1, false}};
static const GoType strings_type[1] = {
    {.name = "template.Strings", .kind = GO_LIST, .elem = go_string, .methods = strings_methods, .n_methods = 1}};

static GoValue pair_name(const void *o, Arena *arena) {
    (void)arena;
    return go_of_str(((const Label *)o)->name);
}
static GoValue pair_value(const void *o, Arena *arena) {
    (void)arena;
    return go_of_str(((const Label *)o)->value);
}
static const GoField pair_fields[] = {{STR_INIT("Name"), pair_name}, {STR_INIT("Value"), pair_value}};
static const GoType pair_type[1] = {{.name = "template.Pair", .kind = GO_STRUCT, .fields = pair_fields, .n_fields = 2}};

static void put_pair(Buf *out, size_t i, Str name, Str value) {
    if (i) buf_put_lit(out, ", ");
    buf_put_str(out, name);
    buf_put_char(out, '=');
    buf_put_str(out, value);
}

static void pairs_string(GoValue v, Buf *out) {
    for (size_t i = 0; i < go_len(v); i++) {
        const Label *l = v.list->v[i].obj;
        put_pair(out, i, l->name, l->value);
    }
}

static ErrCode pick(GoCall *c, GoValue pairs, bool names, GoValue *ret) {
    size_t n = go_len(pairs);
    GoValue *v = ARENA_ARRAY(c->arena, GoValue, n);
    if (!v) return err_set(c->err, ERR_TOO_LARGE, "result is too large");
    for (size_t i = 0; i < n; i++) {
        const Label *l = pairs.list->v[i].obj;
        v[i] = go_of_str(names ? l->name : l->value);
    }
    *ret = go_of_list(c->arena, strings_type, v, n);
    return OK;
}
FN(pairs_names) {
    (void)args, (void)n;
    return pick(c, c->self, true, ret);
}
FN(pairs_values) {
    (void)args, (void)n;
    return pick(c, c->self, false, ret);
}
static const GoFunc pairs_methods[] = {
    {STR_INIT("Names"), pairs_names, {NULL}, 0, false}, {STR_INIT("Values"), pairs_values, {NULL}, 0, false}};
static const GoType pairs_type[1] = {{.name = "template.Pairs",
    .kind = GO_LIST,
    .elem = pair_type,
    .methods = pairs_methods,
    .n_methods = 2,
    .string = pairs_string}};

/* --- KV --- */

/* alertname comes first, the others by name. */
static ErrCode sorted_pairs(GoCall *c, GoValue kv, GoValue *ret) {
    size_t n = go_len(kv), k = 0;
    Label *labels = ARENA_ARRAY(c->arena, Label, n);
    GoValue *v = ARENA_ARRAY(c->arena, GoValue, n);
    if (!labels || !v) return err_set(c->err, ERR_TOO_LARGE, "result is too large");
    for (int first = 1; first >= 0; first--)
        for (size_t i = 0; i < n; i++) {
            Str key = kv.map->v[i].key;
            if (str_eq_lit(key, "alertname") == (first == 1)) labels[k++] = (Label){key, kv.map->v[i].value.s};
        }
    for (size_t i = 0; i < n; i++) v[i] = go_of_obj(pair_type, &labels[i]);
    *ret = go_of_list(c->arena, pairs_type, v, n);
    return OK;
}

FN(kv_sorted_pairs) {
    (void)args, (void)n;
    return sorted_pairs(c, c->self, ret);
}
FN(kv_names) {
    (void)args, (void)n;
    GoValue pairs;
    ErrCode code = sorted_pairs(c, c->self, &pairs);
    return code ? code : pick(c, pairs, true, ret);
}
FN(kv_values) {
    (void)args, (void)n;
    GoValue pairs;
    ErrCode code = sorted_pairs(c, c->self, &pairs);
    return code ? code : pick(c, pairs, false, ret);
}
FN(kv_remove) {
    (void)n;
    size_t m = 0, all = go_len(c->self);
    GoEntry *v = ARENA_ARRAY(c->arena, GoEntry, all);
    if (!v) return err_set(c->err, ERR_TOO_LARGE, "result is too large");
    for (size_t i = 0; i < all; i++) {
        bool drop = false;
        for (size_t k = 0; k < go_len(args[0]) && !drop; k++)
            drop = str_eq(args[0].list->v[k].s, c->self.map->v[i].key);
        if (!drop) v[m++] = c->self.map->v[i];
    }
    *ret = go_of_map(c->arena, c->self.type, v, m);
    return OK;
}

static void kv_string(GoValue v, Buf *out) {
    size_t k = 0;
    for (int first = 1; first >= 0; first--)
        for (size_t i = 0; i < go_len(v); i++)
            if (str_eq_lit(v.map->v[i].key, "alertname") == (first == 1))
                put_pair(out, k++, v.map->v[i].key, v.map->v[i].value.s);
}

static const GoFunc kv_methods[] = {{STR_INIT("SortedPairs"), kv_sorted_pairs, {NULL}, 0, false},
    {STR_INIT("Remove"), kv_remove, {go_strings}, 1, false}, {STR_INIT("Names"), kv_names, {NULL}, 0, false},
    {STR_INIT("Values"), kv_values, {NULL}, 0, false}};
static const GoType kv_type[1] = {{.name = "template.KV",
    .kind = GO_MAP,
    .elem = go_string,
    .methods = kv_methods,
    .n_methods = ARRAY_LEN(kv_methods),
    .string = kv_string}};

static GoValue kv_of(Labels l, Arena *arena) {
    GoEntry *v = ARENA_ARRAY(arena, GoEntry, l.n);
    if (!v) return go_nil();
    size_t n = l.n;
    for (size_t i = 0; i < n; i++) v[i] = (GoEntry){l.v[i].name, go_of_str(l.v[i].value)};
    go_sort_entries(v, &n);
    return go_of_map(arena, kv_type, v, n);
}

/* --- alerts --- */

#define GETTER(name, expr)                                                                                             \
    static GoValue name(const void *o, Arena *arena) {                                                                 \
        (void)arena;                                                                                                   \
        return expr;                                                                                                   \
    }
GETTER(alert_status, go_of_str(ALERT(o)->status))
GETTER(alert_labels, kv_of(ALERT(o)->labels, arena))
GETTER(alert_annotations, kv_of(ALERT(o)->annotations, arena))
GETTER(alert_starts, go_of_obj(go_time, &ALERT(o)->starts))
GETTER(alert_ends, go_of_obj(go_time, &ALERT(o)->ends))
GETTER(alert_generator, go_of_str(ALERT(o)->generator_url))
GETTER(alert_finger, go_of_str(ALERT(o)->fingerprint))
static const GoField alert_fields[] = {{STR_INIT("Status"), alert_status}, {STR_INIT("Labels"), alert_labels},
    {STR_INIT("Annotations"), alert_annotations}, {STR_INIT("StartsAt"), alert_starts},
    {STR_INIT("EndsAt"), alert_ends}, {STR_INIT("GeneratorURL"), alert_generator},
    {STR_INIT("Fingerprint"), alert_finger}};
static const GoType alert_type[1] = {
    {.name = "template.Alert", .kind = GO_STRUCT, .fields = alert_fields, .n_fields = ARRAY_LEN(alert_fields)}};
static const GoType alert_list_type[1] = {{.name = "[]template.Alert", .kind = GO_LIST, .elem = alert_type}};

static ErrCode filter(GoCall *c, bool firing, GoValue *ret) {
    size_t n = go_len(c->self), m = 0;
    GoValue *v = ARENA_ARRAY(c->arena, GoValue, n);
    if (!v) return err_set(c->err, ERR_TOO_LARGE, "result is too large");
    for (size_t i = 0; i < n; i++)
        if (str_eq_lit(ALERT(c->self.list->v[i].obj)->status, "firing") == firing) v[m++] = c->self.list->v[i];
    *ret = go_of_list(c->arena, alert_list_type, v, m);
    return OK;
}
FN(alerts_firing) {
    (void)args, (void)n;
    return filter(c, true, ret);
}
FN(alerts_resolved) {
    (void)args, (void)n;
    return filter(c, false, ret);
}
static const GoFunc alerts_methods[] = {
    {STR_INIT("Firing"), alerts_firing, {NULL}, 0, false}, {STR_INIT("Resolved"), alerts_resolved, {NULL}, 0, false}};
static const GoType alerts_type[1] = {
    {.name = "template.Alerts", .kind = GO_LIST, .elem = alert_type, .methods = alerts_methods, .n_methods = 2}};

static GoValue data_alerts(const void *o, Arena *arena) {
    GoValue *v = ARENA_ARRAY(arena, GoValue, DATA(o)->n_alerts);
    if (!v) return go_nil();
    for (size_t i = 0; i < DATA(o)->n_alerts; i++) v[i] = go_of_obj(alert_type, &DATA(o)->alerts[i]);
    return go_of_list(arena, alerts_type, v, DATA(o)->n_alerts);
}
GETTER(data_receiver, go_of_str(DATA(o)->receiver))
GETTER(data_status, go_of_str(DATA(o)->status))
GETTER(data_reason, go_of_str(DATA(o)->reason))
GETTER(data_group, kv_of(DATA(o)->group, arena))
GETTER(data_common, kv_of(DATA(o)->common, arena))
GETTER(data_common_annotations, kv_of(DATA(o)->common_annotations, arena))
GETTER(data_route, kv_of(DATA(o)->route, arena))
GETTER(data_external_url, go_of_str(DATA(o)->external_url))
static const GoField data_fields[] = {{STR_INIT("Receiver"), data_receiver}, {STR_INIT("Status"), data_status},
    {STR_INIT("Alerts"), data_alerts}, {STR_INIT("NotificationReason"), data_reason},
    {STR_INIT("GroupLabels"), data_group}, {STR_INIT("CommonLabels"), data_common},
    {STR_INIT("CommonAnnotations"), data_common_annotations}, {STR_INIT("RouteLabels"), data_route},
    {STR_INIT("ExternalURL"), data_external_url}};
const GoType notify_data_type[1] = {{.name = "*template.Data",
    .kind = GO_STRUCT,
    .fields = data_fields,
    .n_fields = ARRAY_LEN(data_fields),
    .pointer = true}};
const GoType notify_data_value[1] = {
    {.name = "template.Data", .kind = GO_STRUCT, .fields = data_fields, .n_fields = ARRAY_LEN(data_fields)}};

/* --- making it --- */

/* regexp.QuoteMeta: receivers' names are shown in URLs that take a regular expression. */
static Str quote_meta(Arena *arena, Str s) {
    Buf b = {0};
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] && strchr("\\.+*?()|[]{}^$", s.p[i])) buf_put_char(&b, '\\');
        buf_put_char(&b, s.p[i]);
    }
    Str copy = arena_copy(arena, buf_str(&b));
    buf_done(&b);
    return copy;
}

static Labels common_of(const Alert *alerts, size_t n, bool annotations, Arena *arena) {
    Labels first = annotations ? alerts[0].annotations : alerts[0].labels;
    Label *v = ARENA_ARRAY(arena, Label, first.n);
    size_t m = 0;
    for (size_t i = 0; v && i < first.n; i++) {
        bool same = true;
        for (size_t k = 1; k < n && same; k++) {
            Labels l = annotations ? alerts[k].annotations : alerts[k].labels;
            same = false;
            for (size_t j = 0; j < l.n && !same; j++)
                same = str_eq(l.v[j].name, first.v[i].name) && str_eq(l.v[j].value, first.v[i].value);
        }
        if (same) v[m++] = first.v[i];
    }
    return (Labels){v, m};
}

static GoTime utc(int64_t ns) {
    int64_t s = ns / 1000000000, rest = ns % 1000000000;
    if (rest < 0) {
        rest += 1000000000;
        s--;
    }
    return (GoTime){.unix_s = s, .ns = (int32_t)rest, .zone = STR("UTC")};
}

static void fill_alert(NotifyAlert *out, const Alert *a, int64_t now_ns, Arena *arena) {
    bool resolved = alert_is_resolved(a, now_ns);
    *out = (NotifyAlert){.status = resolved ? STR("resolved") : STR("firing"),
        .labels = a->labels,
        .annotations = a->annotations,
        .starts = utc(a->starts_ns),
        .ends = resolved ? utc(a->ends_ns) : (GoTime){.unix_s = GO_TIME_ZERO_S, .zone = STR("UTC")},
        .generator_url = a->generator_url};
    out->fingerprint = arena_printf(arena, "%016" PRIx64, alert_fingerprint(a->labels));
}

NotifyData *notify_data(const NotifyRequest *req, size_t max_alerts, Arena *arena) {
    NotifyData *d = ARENA_NEW(arena, NotifyData);
    size_t n = max_alerts && req->n_alerts > max_alerts ? max_alerts : req->n_alerts;
    NotifyAlert *v = ARENA_ARRAY(arena, NotifyAlert, n);
    if (!d || !v) return NULL;
    for (size_t i = 0; i < n; i++) {
        fill_alert(&v[i], &req->alerts[i], req->now_ns, arena);
        d->n_firing += str_eq_lit(v[i].status, "firing");
    }
    d->alerts = v;
    d->n_alerts = n;
    d->status = d->n_firing ? STR("firing") : STR("resolved");
    d->receiver = quote_meta(arena, req->receiver);
    d->reason = req->reason;
    d->group = req->group_labels;
    d->route = req->route_labels;
    d->external_url = req->external_url;
    if (n) d->common = common_of(req->alerts, n, false, arena);
    if (n) d->common_annotations = common_of(req->alerts, n, true, arena);
    return arena_exhausted(arena) ? NULL : d;
}
