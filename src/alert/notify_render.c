/* notify_render.c - templates against data that was written down: what `amtool template render` does. */
#include "alert/notify_int.h"

#include "alert/gojson_scan.h"
#include "base/json.h"

#include <stdlib.h>

#define MINUTE_NS (INT64_C(60) * 1000000000)

/* --- the original's example --- */

#define L(name, value)                                                                                                 \
    { STR_INIT(name), STR_INIT(value) }
static const Label firing_labels[] = {L("commonlabelkey1", "commonlabelvalue1"),
    L("commonlabelkey2", "commonlabelvalue2"), L("instance", "foo.bar:1234"), L("label1", "value1"),
    L("label2", "value2")};
static const Label firing_annotations[] = {L("annotation1", "value1"), L("annotation2", "value2"),
    L("commonannotationkey1", "commonannotationvalue1"), L("commonannotationkey2", "commonannotationvalue2")};
static const Label resolved_labels[] = {L("baz", "qux"), L("commonlabelkey1", "commonlabelvalue1"),
    L("commonlabelkey2", "commonlabelvalue2"), L("foo", "bar")};
static const Label resolved_annotations[] = {L("aaa", "bbb"), L("ccc", "ddd"),
    L("commonannotationkey1", "commonannotationvalue1"), L("commonannotationkey2", "commonannotationvalue2")};
static const Label group_labels[] = {L("grouplabelkey1", "grouplabelvalue1"), L("grouplabelkey2", "grouplabelvalue2")};
static const Label common_labels[] = {
    L("commonlabelkey1", "commonlabelvalue1"), L("commonlabelkey2", "commonlabelvalue2")};
static const Label common_annotations[] = {
    L("commonannotationkey1", "commonannotationvalue1"), L("commonannotationkey2", "commonannotationvalue2")};
#undef L
#define LABELS(v) ((Labels){(v), ARRAY_LEN(v)})

static GoTime utc_of(int64_t ns) {
    return (GoTime){.unix_s = ns / 1000000000, .ns = (int32_t)(ns % 1000000000), .zone = STR("UTC")};
}

static void fill_example(NotifyData *d, NotifyAlert v[2], int64_t now_ns) {
    v[0] = (NotifyAlert){.status = STR("firing"),
        .labels = LABELS(firing_labels),
        .annotations = LABELS(firing_annotations),
        .starts = utc_of(now_ns - 5 * MINUTE_NS),
        .ends = utc_of(now_ns),
        .generator_url = STR("https://generatorurl.com"),
        .fingerprint = STR("fingerprint1")};
    v[1] = (NotifyAlert){.status = STR("resolved"),
        .labels = LABELS(resolved_labels),
        .annotations = LABELS(resolved_annotations),
        .starts = utc_of(now_ns - 10 * MINUTE_NS),
        .ends = utc_of(now_ns),
        .generator_url = STR("https://generatorurl.com"),
        .fingerprint = STR("fingerprint2")};
    *d = (NotifyData){.receiver = STR("receiver"),
        .status = STR("alertstatus"),
        .alerts = v,
        .n_alerts = 2,
        .n_firing = 1,
        .group = LABELS(group_labels),
        .common = LABELS(common_labels),
        .common_annotations = LABELS(common_annotations),
        .external_url = STR("https://example.com")};
}

/* --- data of one's own, read as encoding/json would --- */

typedef struct Reader {
    Arena *arena;
    Err *err;
} Reader;

static const char *kind_name(const JsonValue *v) {
    static const char *const names[] = {"null", "bool", "number", "string", "array", "object"};
    return names[v->kind];
}

static bool mismatch(Reader *r, const JsonValue *v, const char *field, const char *type) {
    err_set(r->err, ERR_INVALID, "json: cannot unmarshal %s into Go %s%s of type %s", kind_name(v),
        field[0] ? "struct field" : "value", field, type);
    return false;
}

/* By name, whatever its case; the last one counts. */
static const JsonValue *member(const JsonValue *o, const char *key) {
    const JsonValue *found = NULL;
    for (const JsonValue *i = o->first; i; i = i->next) {
        if (str_eq_nocase(i->key, str_cstr(key)) && i->kind != JSON_K_NULL) found = i;
    }
    return found;
}

static bool read_text(Reader *r, const JsonValue *o, const char *key, const char *field, Str *ret) {
    const JsonValue *v = member(o, key);
    if (!v) return true;
    if (v->kind != JSON_K_STRING) return mismatch(r, v, field, "string");
    *ret = v->text;
    return true;
}

static bool read_kv(Reader *r, const JsonValue *o, const char *key, const char *field, Labels *ret) {
    const JsonValue *v = member(o, key);
    if (!v) return true;
    if (v->kind != JSON_K_OBJECT) return mismatch(r, v, field, "template.KV");
    Label *out = ARENA_ARRAY(r->arena, Label, v->n);
    size_t n = 0;
    for (const JsonValue *i = v->first; out && i; i = i->next) {
        if (i->kind != JSON_K_STRING && i->kind != JSON_K_NULL) return mismatch(r, i, field, "string");
        out[n++] = (Label){i->key, i->kind == JSON_K_STRING ? i->text : STR("")};
    }
    *ret = (Labels){out, n}; /* sorted, and of doubles the last one kept, where they become a template's map */
    return true;
}

static bool read_time(Reader *r, const JsonValue *o, const char *key, GoTime *ret) {
    const JsonValue *v = member(o, key);
    *ret = (GoTime){.unix_s = GO_TIME_ZERO_S, .zone = STR("UTC")};
    if (!v) return true;
    if (v->kind == JSON_K_STRING) return go_time_parse(STR("2006-01-02T15:04:05Z07:00"), v->text, ret, r->err) == OK;
    err_set(r->err, ERR_INVALID, "Time.UnmarshalJSON: input is not a JSON string");
    return false;
}

static bool read_alert(Reader *r, const JsonValue *v, NotifyAlert *a) {
    *a = (NotifyAlert){.starts = {.unix_s = GO_TIME_ZERO_S, .zone = STR("UTC")},
        .ends = {.unix_s = GO_TIME_ZERO_S, .zone = STR("UTC")}};
    if (v->kind == JSON_K_NULL) return true;
    if (v->kind != JSON_K_OBJECT) return mismatch(r, v, " Data.alerts", "template.Alert");
    return read_text(r, v, "status", " Alert.alerts.status", &a->status) &&
           read_kv(r, v, "labels", " Alert.alerts.labels", &a->labels) &&
           read_kv(r, v, "annotations", " Alert.alerts.annotations", &a->annotations) &&
           read_time(r, v, "startsAt", &a->starts) && read_time(r, v, "endsAt", &a->ends) &&
           read_text(r, v, "generatorURL", " Alert.alerts.generatorURL", &a->generator_url) &&
           read_text(r, v, "fingerprint", " Alert.alerts.fingerprint", &a->fingerprint);
}

static bool read_alerts(Reader *r, const JsonValue *o, NotifyData *d) {
    const JsonValue *list = member(o, "alerts");
    if (!list) return true;
    if (list->kind != JSON_K_ARRAY) return mismatch(r, list, " Data.alerts", "template.Alerts");
    d->alerts = ARENA_ARRAY(r->arena, NotifyAlert, list->n);
    for (const JsonValue *i = d->alerts ? list->first : NULL; i; i = i->next) {
        if (!read_alert(r, i, &d->alerts[d->n_alerts])) return false;
        d->n_firing += str_eq_lit(d->alerts[d->n_alerts++].status, "firing");
    }
    return true;
}

static bool read_data(Reader *r, Str json, NotifyData *d) {
    size_t end;
    JsonValue *root;
    *d = (NotifyData){0};
    if (gojson_scan(json, GOJSON_UNMARSHAL, &end, r->err) || json_parse(json, r->arena, &root, r->err)) return false;
    if (root->kind == JSON_K_NULL) return true;
    if (root->kind != JSON_K_OBJECT) return mismatch(r, root, "", "template.Data");
    return read_text(r, root, "receiver", " Data.receiver", &d->receiver) &&
           read_text(r, root, "status", " Data.status", &d->status) && read_alerts(r, root, d) &&
           read_text(r, root, "notification_reason", " Data.notification_reason", &d->reason) &&
           read_kv(r, root, "groupLabels", " Data.groupLabels", &d->group) &&
           read_kv(r, root, "commonLabels", " Data.commonLabels", &d->common) &&
           read_kv(r, root, "commonAnnotations", " Data.commonAnnotations", &d->common_annotations) &&
           read_kv(r, root, "routeLabels", " Data.routeLabels", &d->route) &&
           read_text(r, root, "externalURL", " Data.externalURL", &d->external_url);
}

ErrCode notify_render(
    const NotifyTemplates *t, Str text, bool html, Str json, int64_t now_ns, Arena *arena, Str *ret, Err *reterr) {
    NotifyData *d = ARENA_NEW(arena, NotifyData);
    NotifyAlert *example = ARENA_ARRAY(arena, NotifyAlert, 2);
    Err ignored;
    Reader r = {arena, reterr ? reterr : &ignored};
    if (!d || !example) return err_set(reterr, ERR_TOO_LARGE, "the data is too large");
    if (!json.p)
        fill_example(d, example, now_ns);
    else if (!read_data(&r, json, d))
        return r.err->code;
    return notify_expand_data(t, go_of_obj(notify_data_value, d), text, html, arena, ret, reterr);
}
