/* am_api_silences.c - /api/v2/silences and /api/v2/silence/{id}. */
#include "alert/am_api_int.h"

#include "sys/clock.h"

#include <stdlib.h>

static void handle_io(HttpResponse *res, const Err *err) { am_api_text_error(res, 500, "%s", err->msg); }

void am_put_silence(JsonWriter *w, const AmSilence *s, int64_t now_ns) {
    json_begin_object(w);
    json_key_lit(w, "id");
    json_str(w, str_cstr(s->id));
    json_key_lit(w, "status");
    json_begin_object(w);
    json_key_lit(w, "state");
    json_str(w, str_cstr(am_silence_state_name(am_silence_state(s, now_ns))));
    json_end_object(w);
    json_key_lit(w, "updatedAt");
    am_put_time(w, s->updated_ns);
    if (s->annotations.n) {
        json_key_lit(w, "annotations");
        am_put_label_object(w, s->annotations);
    }
    json_key_lit(w, "comment");
    json_str(w, s->comment);
    json_key_lit(w, "createdBy");
    json_str(w, s->created_by);
    json_key_lit(w, "endsAt");
    am_put_time(w, s->ends_ns);
    json_key_lit(w, "matchers");
    json_begin_array(w);
    for (size_t i = 0; i < s->matchers.n; i++) ammatch_put_json(w, s->matchers.v[i]);
    json_end_array(w);
    if (s->recurrence.n) {
        json_key_lit(w, "recurrence");
        json_str(w, s->recurrence);
    }
    json_key_lit(w, "startsAt");
    am_put_time(w, s->starts_ns);
    json_end_object(w);
}

/* --- reading --- */

static const char *go_kind(JsonKind k) {
    static const char *const names[] = {"null", "bool", "number", "string", "array", "object"};
    return names[k];
}

static bool missing(const JsonValue *v) { return !v || v->kind == JSON_K_NULL; }

static bool wrong(HttpResponse *res, const JsonValue *v, const char *field, const char *type) {
    am_api_error(res, 400, 400,
        "parsing silence body from \"\" failed, because json: cannot unmarshal %s into Go struct field %s of type %s",
        go_kind(v->kind), field, type);
    return false;
}

static bool read_text(HttpResponse *res, const JsonValue *o, const char *key, Str *ret) {
    const JsonValue *v = json_get(o, str_cstr(key));
    *ret = STR_NULL;
    if (missing(v)) return true;
    if (v->kind != JSON_K_STRING) {
        char field[64];
        snprintf(field, sizeof field, ".%s", key);
        return wrong(res, v, field, "string");
    }
    *ret = v->text.p ? v->text : STR("");
    return true;
}

static bool read_time(HttpResponse *res, const JsonValue *o, const char *key, int64_t *ret, bool *ret_there) {
    const JsonValue *v = json_get(o, str_cstr(key));
    *ret = 0;
    *ret_there = !missing(v);
    if (!*ret_there || (v->kind == JSON_K_STRING && am_parse_datetime(v->text, ret))) return true;
    Str s = v->text;
    if (s.n > 100) s.n = 100;
    am_api_error(res, 400, 400,
        "parsing silence body from \"\" failed, because parsing time \"%" STR_FMT
        "\" as \"2006-01-02 15:04:05\": cannot parse \"%" STR_FMT "\" as \"2006\"",
        STR_ARG(s), STR_ARG(s));
    return false;
}

static bool read_flag(HttpResponse *res, const JsonValue *o, const char *key, bool *ret) {
    const JsonValue *v = json_get(o, str_cstr(key));
    if (missing(v)) return true;
    char field[64];
    snprintf(field, sizeof field, "Matcher.matchers.%s", key);
    if (v->kind != JSON_K_BOOL) return wrong(res, v, field, "bool");
    *ret = v->boolean;
    return true;
}

static bool read_matcher(HttpResponse *res, const JsonValue *o, AmMatcherText *m) {
    bool regex = false, equal = true;
    if (o->kind != JSON_K_OBJECT) return wrong(res, o, ".matchers", "models.Matcher");
    if (!read_flag(res, o, "isRegex", &regex) || !read_flag(res, o, "isEqual", &equal)) return false;
    if (!read_text(res, o, "name", &m->name) || !read_text(res, o, "value", &m->value)) return false;
    m->type = equal ? regex ? MATCH_RE : MATCH_EQ : regex ? MATCH_NRE : MATCH_NEQ;
    return true;
}

static bool required(HttpResponse *res, const char *name) {
    am_api_error(res, 422, 602, "%s in body is required", name);
    return false;
}

/* In the order in which the framework looks. */
static bool check_matchers(HttpResponse *res, const JsonValue *list) {
    static const char *const keys[] = {"isRegex", "name", "value"};
    size_t n = 0;
    if (!list->n) {
        am_api_error(res, 422, 612, "matchers in body should have at least 1 items");
        return false;
    }
    for (const JsonValue *i = list->first; i; i = i->next, n++) {
        for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
            if (!missing(json_get(i, str_cstr(keys[k])))) continue;
            char name[64];
            snprintf(name, sizeof name, "matchers.%zu.%s", n, keys[k]);
            return required(res, name);
        }
    }
    return true;
}

bool am_api_silence_input(HttpRequest *req, HttpResponse *res, const JsonValue *v, bool lenient, AmSilenceInput *in) {
    *in = (AmSilenceInput){0};
    if (v->kind != JSON_K_OBJECT && v->kind != JSON_K_NULL) {
        am_api_error(res, 400, 400,
            "parsing silence body from \"\" failed, because json: cannot unmarshal %s into Go value of type struct { "
            "ID string \"json:\\\"id,omitempty\\\"\" }",
            go_kind(v->kind));
        return false;
    }
    bool starts, ends;
    JsonKind kind;
    const JsonValue *list = json_get(v, STR("matchers"));
    if (!read_text(res, v, "id", &in->id) || !read_text(res, v, "comment", &in->comment) ||
        !read_text(res, v, "createdBy", &in->created_by) || !read_time(res, v, "startsAt", &in->starts_ns, &starts) ||
        !read_time(res, v, "endsAt", &in->ends_ns, &ends)) {
        return false;
    }
    if (!am_json_labels(json_get(v, STR("annotations")), req->arena, false, &in->annotations, &kind)) {
        am_api_error(res, 400, 400,
            "parsing silence body from \"\" failed, because json: cannot unmarshal %s into Go struct field "
            ".annotations of type string",
            go_kind(kind));
        return false;
    }
    if (!missing(list) && list->kind != JSON_K_ARRAY) return wrong(res, list, ".matchers", "models.Matchers");
    AmMatcherText *m = arena_alloc_zero(req->arena, ((list ? list->n : 0) + 1) * sizeof *m);
    for (const JsonValue *i = missing(list) ? NULL : list->first; m && i; i = i->next) {
        if (!read_matcher(res, i, &m[in->n_matchers++])) return false;
    }
    in->matchers = m;
    if (!m) return required(res, "matchers");
    if (!in->comment.p && !lenient) return required(res, "comment");
    if (!in->created_by.p && !lenient) return required(res, "createdBy");
    if (!ends && !lenient) return required(res, "endsAt");
    if (missing(list)) return required(res, "matchers");
    if (!check_matchers(res, list)) return false;
    return starts || lenient || required(res, "startsAt");
}

void am_api_post_silence(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    Str body;
    JsonValue *root;
    AmSilenceInput in;
    if (!am_api_body(req, res, "silence", &body) || !am_api_parse(req, res, "silence", body, &root) ||
        !am_api_silence_input(req, res, root, false, &in)) {
        return;
    }
    int64_t now = clock_now_ns();
    if (in.starts_ns >= in.ends_ns && !(in.starts_ns == 0 && in.ends_ns > 0)) {
        am_api_text_error(res, 400, "Failed to create silence: start time must be before end time");
        return;
    }
    if (in.ends_ns < now) {
        am_api_text_error(res, 400, "Failed to create silence: end time can't be in the past");
        return;
    }
    char id[37] = "";
    Err err = {0};
    mutex_lock(&am->mutex);
    const AmSilence *old = in.id.n ? am_silence_find(am, in.id) : NULL;
    if (old && old->recurrence.n)
        in.recurrence = arena_copy(req->arena, old->recurrence); /* clients of API v2 do not know it */
    ErrCode rc = am_silence_set(am, &in, now, id, &err);
    mutex_unlock(&am->mutex);
    if (rc) {
        am_api_text_error(res, rc == ERR_NOT_FOUND ? 404 : 400, "%s", err.msg);
        return;
    }
    if (am_commit(am, &err)) {
        handle_io(res, &err);
        return;
    }
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "silenceID");
    json_str(&w, str_cstr(id));
    json_end_object(&w);
    am_api_json(res, 200);
}

/* --- writing --- */

typedef struct Row {
    const AmSilence *silence;
    AmSilenceState state;
} Row;

static int by_state(const void *a, const void *b) {
    const Row *x = a, *y = b;
    if (x->state != y->state) return (int)x->state - (int)y->state;
    int64_t p = x->silence->ends_ns, q = y->silence->ends_ns;
    if (x->state == AM_SILENCE_PENDING) p = x->silence->starts_ns, q = y->silence->starts_ns;
    int c = (p > q) - (p < q);
    if (x->state == AM_SILENCE_EXPIRED) c = -c;
    return c ? c : strcmp(x->silence->id, y->silence->id);
}

/* It holds a matcher that is the same for every one of the filter's. */
static bool holds(const AmSilence *s, Matchers filter) {
    for (size_t i = 0; i < filter.n; i++) {
        bool found = false;
        for (size_t k = 0; k < s->matchers.n && !found; k++) {
            const Matcher *m = s->matchers.v[k], *f = filter.v[i];
            found = m->type == f->type && str_eq(m->name, f->name) && str_eq(m->value, f->value);
        }
        if (!found) return false;
    }
    return true;
}

void am_api_silences(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    Matchers filter;
    if (!am_api_filter(am, req, res, "filter", "", &filter)) return;
    bool want[] = {
        am_api_bool(req, "active", true), am_api_bool(req, "pending", true), am_api_bool(req, "expired", true)};
    VEC(Row) rows = {0};
    int64_t now = clock_now_ns();
    JsonWriter w = json_writer(&res->body);
    mutex_lock(&am->mutex);
    vec_foreach(AmSilence *, s, &am->silence_order) {
        AmSilenceState st = am_silence_state(*s, now);
        if (want[st] && holds(*s, filter)) vec_push(&rows, (Row){*s, st});
    }
    if (rows.n) qsort(rows.v, rows.n, sizeof *rows.v, by_state);
    json_begin_array(&w);
    vec_foreach(Row, r, &rows) am_put_silence(&w, r->silence, now);
    json_end_array(&w);
    mutex_unlock(&am->mutex);
    vec_done(&rows);
    am_api_json(res, 200);
}

static bool is_uuid(Str s) {
    size_t digits = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '-') {
            if (digits != 8 && digits != 12 && digits != 16 && digits != 20) return false;
            if (i && s.p[i - 1] == '-') return false;
        } else if (strchr("0123456789abcdefABCDEF", s.p[i]) && s.p[i]) {
            digits++;
        } else {
            return false;
        }
    }
    return digits == 32;
}

static bool path_id(HttpRequest *req, HttpResponse *res, Str *ret) {
    *ret = http_path_param(req, STR("id"));
    if (is_uuid(*ret)) return true;
    am_api_error(res, 422, 601, "silenceID in path must be of type uuid: \"%" STR_FMT "\"", STR_ARG(*ret));
    return false;
}

void am_api_silence(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    Str id;
    if (!path_id(req, res, &id)) return;
    JsonWriter w = json_writer(&res->body);
    mutex_lock(&am->mutex);
    const AmSilence *s = am_silence_find(am, id);
    if (s) am_put_silence(&w, s, clock_now_ns());
    mutex_unlock(&am->mutex);
    if (s)
        am_api_json(res, 200);
    else
        res->status = 404;
}

void am_api_delete_silence(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    Str id;
    if (!path_id(req, res, &id)) return;
    Err err = {0};
    mutex_lock(&am->mutex);
    ErrCode rc = am_silence_expire(am, id, clock_now_ns(), &err);
    mutex_unlock(&am->mutex);
    if (rc)
        res->status = 404;
    else if (am_commit(am, &err))
        handle_io(res, &err);
}
