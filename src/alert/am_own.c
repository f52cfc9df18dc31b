/* am_own.c - what Alertmanager does not have: acknowledgements, silences under guard rails, calendar times. */
#include "alert/am_own_int.h"

#include "alert/amlabel.h"

#include "sys/clock.h"

#include <stdarg.h>

#define PREVIEW_MAX 100
#define NEXT_SEARCH_S (14 * 86400)

void am_own_refuse(HttpResponse *res, int status, const char *fmt, ...) {
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    http_reply_text(res, status, "%s\n", text);
}

/* An object, or nothing at all when empty is fine. */
bool am_own_read_object(HttpRequest *req, HttpResponse *res, bool empty_ok, JsonValue **ret) {
    Str body;
    Err err = {0};
    *ret = NULL;
    if (http_body_decoded(req, AM_BODY_MAX, &body, &err)) {
        http_reply_error(res, &err);
        return false;
    }
    if (!str_trim(body).n && empty_ok) return true;
    if (json_parse(body, req->arena, ret, &err)) {
        am_own_refuse(res, 400, "the body is not JSON: %s", err.msg);
        return false;
    }
    if ((*ret)->kind == JSON_K_OBJECT) return true;
    am_own_refuse(res, 400, "the body is a JSON object");
    return false;
}

bool am_own_read_labels(HttpRequest *req, HttpResponse *res, const JsonValue *o, const char *key, Labels *ret) {
    JsonKind kind;
    if (am_json_labels(json_get(o, str_cstr(key)), req->arena, strcmp(key, "labels") == 0, ret, &kind)) return true;
    am_own_refuse(res, 400, "%s is an object of texts", key);
    return false;
}

/* Texts as in amtool, or objects as in API v2. */
bool am_own_read_matchers(Alertmanager *am, HttpRequest *req, HttpResponse *res, const JsonValue *list, Matchers *ret) {
    *ret = (Matchers){0};
    if (!list || list->kind == JSON_K_NULL) return true;
    const Matcher **v = list->kind == JSON_K_ARRAY ? ARENA_ARRAY(req->arena, const Matcher *, list->n) : NULL;
    size_t n = 0;
    Err err = {0};
    for (const JsonValue *i = v ? list->first : NULL; i; i = i->next) {
        ErrCode rc = ERR_INVALID;
        if (i->kind == JSON_K_STRING) {
            rc = ammatch_parse_one(i->text, am->mode, req->arena, &v[n++], &err);
        } else if (i->kind == JSON_K_OBJECT) {
            const JsonValue *re = json_get(i, STR("isRegex")), *eq = json_get(i, STR("isEqual"));
            bool regex = re && re->boolean, equal = !eq || eq->kind != JSON_K_BOOL || eq->boolean;
            MatchType t = equal ? regex ? MATCH_RE : MATCH_EQ : regex ? MATCH_NRE : MATCH_NEQ;
            rc = matcher_create(
                req->arena, t, json_get_str(i, STR("name")), json_get_str(i, STR("value")), &v[n++], &err);
        }
        if (!rc) continue;
        am_own_refuse(res, 400, "matchers: %s",
            err.msg[0] ? err.msg : "a matcher is a text or an object of name, value, isRegex, isEqual");
        return false;
    }
    *ret = (Matchers){v, n};
    if (v) return true;
    am_own_refuse(res, 400, "matchers is a list");
    return false;
}

bool am_own_read_duration(HttpResponse *res, const JsonValue *o, const char *key, int64_t *ret_ms) {
    Str s = json_get_str(o, str_cstr(key));
    *ret_ms = 0;
    if (!s.n || (duration_parse_prom(s, ret_ms) && *ret_ms > 0)) return true;
    am_own_refuse(res, 400, "%s is a duration as 30m or 2h", key);
    return false;
}

void am_put_json_value(Buf *out, const JsonValue *v) {
    const char *between = "";
    switch (v->kind) {
    case JSON_K_NULL: buf_put_lit(out, "null"); break;
    case JSON_K_BOOL: buf_put_str(out, v->boolean ? STR("true") : STR("false")); break;
    case JSON_K_NUMBER: buf_put_str(out, v->text); break;
    case JSON_K_STRING: json_put_string(out, v->text); break;
    case JSON_K_ARRAY:
    case JSON_K_OBJECT:
        buf_put_char(out, v->kind == JSON_K_ARRAY ? '[' : '{');
        for (const JsonValue *i = v->first; i; i = i->next, between = ", ") {
            buf_put_str(out, str_cstr(between));
            if (v->kind == JSON_K_OBJECT) {
                json_put_string(out, i->key);
                buf_put_lit(out, ": ");
            }
            am_put_json_value(out, i);
        }
        buf_put_char(out, v->kind == JSON_K_ARRAY ? ']' : '}');
        break;
    }
}

/* --- acknowledgements --- */

static void ack_event(Alertmanager *am, AmEventKind kind, const AmAlert *a, Str owner, Str comment, int64_t now) {
    const Label fields[] = {{STR("comment"), comment}, {STR("owner"), owner}};
    am_history_add(am, kind, now, a->fp, a->text->labels, (Labels){fields, ARRAY_LEN(fields)});
}

static void put_acks(Alertmanager *am, JsonWriter *w, int64_t now) {
    size_t it = 0;
    uint64_t fp, *v;
    json_begin_array(w);
    while (u64map_next(am->alerts, &it, &fp, &v)) {
        const AmAlert *a = (const AmAlert *)(uintptr_t)*v;
        if (!am_acked(a, now)) continue;
        json_begin_object(w);
        json_key_lit(w, "fingerprint");
        am_put_fp(w, a->fp);
        json_key_lit(w, "labels");
        am_put_label_object(w, a->text->labels);
        am_put_ack_members(w, a->ack);
        json_end_object(w);
    }
    json_end_array(w);
}

static void get_acks(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    (void)req;
    JsonWriter w = json_writer(&res->body);
    mutex_lock(&am->mutex);
    put_acks(am, &w, clock_now_ns());
    mutex_unlock(&am->mutex);
    am_api_json(res, 200);
}

typedef struct AckOrder {
    Str owner, comment;
    int64_t now, expires;
} AckOrder;

static void acknowledge(Alertmanager *am, AmAlert *a, const AckOrder *o) {
    AmAck *ack = NEW(AmAck);
    *ack = (AmAck){o->now, o->expires, str_dup_cstr(o->owner), str_dup_cstr(o->comment)};
    am_alert_set_ack(am, a, ack, o->now);
    ack_event(am, AM_EVENT_ACKED, a, o->owner, o->comment, o->now);
}

static bool read_order(HttpRequest *req, HttpResponse *res, const JsonValue *root, AckOrder *o) {
    int64_t ms;
    o->now = clock_now_ns();
    o->expires = 0;
    o->owner = json_get_str(root, STR("owner"));
    o->comment = json_get_str(root, STR("comment"));
    if (!o->owner.n) o->owner = req->user;
    if (!o->owner.n) {
        am_own_refuse(res, 400, "owner is missing: who looks after it?");
        return false;
    }
    if (!am_own_read_duration(res, root, "duration", &ms)) return false;
    if (ms) o->expires = o->now + ms * NS_PER_MS;
    Str at = json_get_str(root, STR("expiresAt"));
    if (!at.n || (am_parse_datetime(at, &o->expires) && o->expires > o->now)) return true;
    am_own_refuse(res, 400, "expiresAt is a time in the future");
    return false;
}

static void post_acks(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    JsonValue *root;
    AckOrder o;
    Matchers ms;
    if (!am_own_read_object(req, res, false, &root) || !read_order(req, res, root, &o) ||
        !am_own_read_matchers(am, req, res, json_get(root, STR("matchers")), &ms)) {
        return;
    }
    const JsonValue *list = json_get(root, STR("fingerprints"));
    VEC(uint64_t) fps = {0};
    mutex_lock(&am->mutex);
    for (const JsonValue *i = list ? list->first : NULL; i; i = i->next) {
        uint64_t fp;
        AmAlert *a = i->kind == JSON_K_STRING && am_parse_fp(i->text, &fp) ? am_alert_find(am, fp) : NULL;
        if (!a || am_resolved(a, o.now)) continue;
        acknowledge(am, a, &o);
        vec_push(&fps, fp);
    }
    size_t it = 0;
    uint64_t key, *v;
    while (ms.n && u64map_next(am->alerts, &it, &key, &v)) {
        AmAlert *a = (AmAlert *)(uintptr_t)*v;
        if (am_resolved(a, o.now) || !matchers_match(ms, a->text->labels)) continue;
        acknowledge(am, a, &o);
        vec_push(&fps, key);
    }
    mutex_unlock(&am->mutex);
    Err err = {0};
    if (!fps.n) {
        am_own_refuse(res, 404, "no firing alert matches");
    } else if (am_commit(am, &err) || am_history_sync(am->history, &err)) {
        http_reply_error(res, &err);
    } else {
        JsonWriter w = json_writer(&res->body);
        json_begin_object(&w);
        json_key_lit(&w, "acknowledged");
        json_begin_array(&w);
        vec_foreach(uint64_t, fp, &fps) am_put_fp(&w, *fp);
        json_end_array(&w);
        json_end_object(&w);
        am_api_json(res, 200);
    }
    vec_done(&fps);
}

static void delete_ack(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    uint64_t fp = 0;
    bool good = am_parse_fp(http_path_param(req, STR("fingerprint")), &fp);
    mutex_lock(&am->mutex);
    AmAlert *a = good ? am_alert_find(am, fp) : NULL;
    bool had = a && a->ack;
    if (had) {
        ack_event(am, AM_EVENT_UNACKED, a, str_cstr(a->ack->owner), req->user, clock_now_ns());
        am_alert_set_ack(am, a, NULL, clock_now_ns());
    }
    mutex_unlock(&am->mutex);
    Err err = {0};
    if (!had)
        am_own_refuse(res, 404, "the alert is not acknowledged");
    else if (am_commit(am, &err))
        http_reply_error(res, &err);
    else
        res->status = 204;
}

/* --- silences --- */

/* What the guard rails say of it; empty: nothing. */
static void guard(const Alertmanager *am, const AmSilenceInput *in, size_t matches, char out[200]) {
    const AlertmanagerGuards *g = &am->guards;
    out[0] = 0;
    if (g->comment_required && !str_trim(in->comment).n) {
        snprintf(out, 200, "a comment is required: say why");
    } else if (g->silence_max_ms && in->ends_ns - in->starts_ns > g->silence_max_ms * NS_PER_MS && !in->recurrence.n) {
        Buf b = {0};
        duration_put_prom(&b, g->silence_max_ms);
        snprintf(out, 200, "a silence may last %s at most (force overrides)", buf_cstr(&b));
        buf_done(&b);
    } else if (g->silence_matches_max && matches > g->silence_matches_max) {
        snprintf(out, 200, "it would silence %zu alerts now, more than %zu (force overrides)", matches,
            g->silence_matches_max);
    }
}

static Matchers compile(HttpRequest *req, const AmSilenceInput *in) {
    const Matcher **v = ARENA_ARRAY(req->arena, const Matcher *, in->n_matchers);
    for (size_t i = 0; v && i < in->n_matchers; i++) {
        if (matcher_create(req->arena, in->matchers[i].type, in->matchers[i].name, in->matchers[i].value, &v[i], NULL))
            return (Matchers){0};
    }
    return (Matchers){v, v ? in->n_matchers : 0};
}

static bool read_own_silence(HttpRequest *req, HttpResponse *res, JsonValue *root, AmSilenceInput *in, int64_t now) {
    int64_t ms;
    if (!am_api_silence_input(req, res, root, true, in) || !am_own_read_duration(res, root, "duration", &ms))
        return false;
    if (!in->starts_ns) in->starts_ns = now;
    if (ms) in->ends_ns = MAX(in->starts_ns, now) + ms * NS_PER_MS;
    if (!in->created_by.n) in->created_by = req->user;
    if (!in->created_by.p) in->created_by = STR("");
    if (!in->comment.p) in->comment = STR("");
    const JsonValue *when = json_get(root, STR("recurrence"));
    if (when && when->kind == JSON_K_STRING) in->recurrence = when->text;
    if (when && when->kind == JSON_K_ARRAY) {
        Buf b = {0};
        am_put_json_value(&b, when); /* JSON is YAML */
        in->recurrence = arena_copy(req->arena, buf_str(&b));
        buf_done(&b);
    }
    if (in->ends_ns <= now || in->ends_ns <= in->starts_ns) {
        am_own_refuse(res, 400, "endsAt (or duration) is missing, or not after now and startsAt");
        return false;
    }
    return true;
}

static void post_silence(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    JsonValue *root;
    AmSilenceInput in;
    int64_t now = clock_now_ns();
    if (!am_own_read_object(req, res, false, &root) || !read_own_silence(req, res, root, &in, now)) return;
    const JsonValue *force = json_get(root, STR("force"));
    Matchers ms = compile(req, &in);
    char refused[200], id[37];
    Err err = {0};
    mutex_lock(&am->mutex);
    size_t matches = am_silence_matches(am, ms, now);
    guard(am, &in, matches, refused);
    bool forced = force && force->kind == JSON_K_BOOL && force->boolean;
    ErrCode rc =
        refused[0] && !forced ? err_set(&err, ERR_CONFLICT, "%s", refused) : am_silence_set(am, &in, now, id, &err);
    mutex_unlock(&am->mutex);
    if (!rc) rc = am_commit(am, &err);
    if (rc) {
        am_own_refuse(res, err_http_status(rc), "%s", err.msg);
        return;
    }
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "silenceID");
    json_str(&w, str_cstr(id));
    json_key_lit(&w, "matches");
    json_u64(&w, matches);
    json_end_object(&w);
    am_api_json(res, 200);
}

static void preview_silence(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    JsonValue *root;
    Matchers ms;
    if (!am_own_read_object(req, res, false, &root) ||
        !am_own_read_matchers(am, req, res, json_get(root, STR("matchers")), &ms))
        return;
    int64_t now = clock_now_ns();
    AmSilenceInput in = {.starts_ns = now, .ends_ns = now, .comment = STR("-")};
    char refused[200];
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "alerts");
    json_begin_array(&w);
    size_t it = 0, n = 0;
    uint64_t fp, *v;
    mutex_lock(&am->mutex);
    while (ms.n && u64map_next(am->alerts, &it, &fp, &v)) {
        const AmAlert *a = (const AmAlert *)(uintptr_t)*v;
        if (am_resolved(a, now) || !matchers_match(ms, a->text->labels)) continue;
        if (n++ >= PREVIEW_MAX) continue;
        json_begin_object(&w);
        json_key_lit(&w, "fingerprint");
        am_put_fp(&w, a->fp);
        json_key_lit(&w, "labels");
        am_put_label_object(&w, a->text->labels);
        json_end_object(&w);
    }
    guard(am, &in, n, refused);
    mutex_unlock(&am->mutex);
    json_end_array(&w);
    json_key_lit(&w, "count");
    json_u64(&w, n);
    json_key_lit(&w, "refused");
    json_str(&w, str_cstr(refused));
    json_end_object(&w);
    am_api_json(res, 200);
}

static void get_time_intervals(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    (void)req;
    int64_t now = clock_now_ns() / NS_PER_S;
    mutex_lock(&am->mutex);
    AmConfig *c = amconfig_ref(am->config);
    mutex_unlock(&am->mutex);
    JsonWriter w = json_writer(&res->body);
    json_begin_array(&w);
    for (size_t i = 0; i < c->n_intervals; i++) {
        const TimeIntervalSet *s = &c->intervals[i];
        bool active = timeintervals_contain(s, now);
        int64_t next = timeintervals_next(s, !active, now, now + NEXT_SEARCH_S);
        json_begin_object(&w);
        json_key_lit(&w, "name");
        json_str(&w, s->name);
        json_key_lit(&w, "active");
        json_bool(&w, active);
        am_put_key_time(&w, "until", next == INT64_MAX ? 0 : next * NS_PER_S);
        json_end_object(&w);
    }
    json_end_array(&w);
    amconfig_unref(c);
    am_api_json(res, 200);
}

#define BASE "/api/meerkat/v1/alerting/"

void am_own_routes(Alertmanager *am, Router *r) {
    static const struct {
        HttpMethod method;
        const char *pattern;
        HttpHandler fn;
    } routes[] = {
        {HTTP_GET, BASE "alerts/{fingerprint}/why", am_why_handler},
        {HTTP_GET, BASE "alerts/names", am_names_handler},
        {HTTP_GET, BASE "groups", am_groups_handler},
        {HTTP_GET, BASE "history", am_history_handler},
        {HTTP_GET, BASE "acks", get_acks},
        {HTTP_POST, BASE "acks", post_acks},
        {HTTP_DELETE, BASE "acks/{fingerprint}", delete_ack},
        {HTTP_GET, BASE "receivers", am_own_get_receivers},
        {HTTP_POST, BASE "receivers/{name}/test", am_own_test_receiver},
        {HTTP_POST, BASE "receivers/{name}/preview", am_own_preview_receiver},
        {HTTP_GET, BASE "routes", am_routes_handler},
        {HTTP_POST, BASE "routes/test", am_own_test_routes},
        {HTTP_POST, BASE "templates/preview", am_own_preview_template},
        {HTTP_POST, BASE "silences", post_silence},
        {HTTP_POST, BASE "silences/preview", preview_silence},
        {HTTP_GET, BASE "time-intervals", get_time_intervals},
    };
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        bool write = routes[i].method != HTTP_GET;
        router_add(r, &(Route){.methods = routes[i].method,
                          .pattern = routes[i].pattern,
                          .handler = routes[i].fn,
                          .ctx = am,
                          .cls = ROUTE_QUERY,
                          .max_body_bytes = write ? 4u << 20 : 0,
                          .role = write ? ROLE_EDITOR : ROLE_VIEWER});
    }
}
