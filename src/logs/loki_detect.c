/* detected_labels and detected_fields: what a person could filter by. */
#include "logs/loki_api_int.h"

#include "base/map.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "logs/pipeline.h"
#include "sys/clock.h"

#define HOUR_NS (INT64_C(3600) * NS_PER_S)
#define VALUES_MAX 1000 /* per field; beyond it the cardinality stands still */

void loki_detected_labels(void *ctx, HttpRequest *req, HttpResponse *res) {
    LokiApi *api = ctx;
    LogStore *s = api->opts.store;
    LokiRange range;
    LogSelect sel;
    Str *names, *values;
    size_t n, n_values;
    Err err = {0};
    if (!loki_param_range(req, res, HOUR_NS, &range)) return;
    if (!loki_param_select(req, res, http_param(req, STR("query")), range, &sel)) return;
    ErrCode rc = s->ops->label_names(s, &sel, &names, &n, &err);
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "detectedLabels");
    json_begin_array(&w);
    for (size_t i = 0; rc == OK && i < n; i++) {
        rc = s->ops->label_values(s, &sel, names[i], &values, &n_values, &err);
        if (rc) break;
        json_begin_object(&w);
        json_key_lit(&w, "label");
        json_str(&w, names[i]);
        json_key_lit(&w, "cardinality");
        json_u64(&w, n_values);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    if (rc)
        loki_reply_error(res, &err);
    else
        loki_reply_json(res);
}

/* --- fields --- */

typedef struct Field {
    Str name;
    const char *type;
    Map *values;
    bool json, logfmt;
} Field;

typedef struct Fields {
    Arena *arena;
    Map *index;
    AVEC(Field) v;
    size_t max;
} Fields;

static const char *type_of(Str s) {
    int64_t i;
    double f;
    if (num_parse_i64(s, &i)) return "int";
    if (num_parse_f64(s, &f)) return "float";
    if (str_eq_lit(s, "true") || str_eq_lit(s, "false")) return "boolean";
    if (duration_parse_any(s, &i)) return "duration";
    if (lq_parse_bytes(s, &f)) return "bytes";
    return "string";
}

/* An int among floats is a float, any other mixture is a string. */
static const char *join_types(const char *a, const char *b) {
    if (!a || strcmp(a, b) == 0) return b;
    bool numbers =
        (strcmp(a, "int") == 0 || strcmp(a, "float") == 0) && (strcmp(b, "int") == 0 || strcmp(b, "float") == 0);
    return numbers ? "float" : "string";
}

static bool add_field(Fields *fs, Str name, Str value, bool json, bool logfmt) {
    bool fresh;
    uint64_t *slot = map_put(fs->index, name, &fresh);
    if (fresh) {
        Field f = {.name = arena_copy(fs->arena, name)};
        if (fs->v.n >= fs->max || !f.name.p || !avec_push(fs->arena, &fs->v, f)) {
            map_remove(fs->index, name, NULL);
            return fs->v.n >= fs->max;
        }
        *slot = fs->v.n;
        fs->v.v[fs->v.n - 1].values = map_create(MAP_COPY_KEYS);
    }
    Field *f = &fs->v.v[*slot - 1];
    f->json |= json;
    f->logfmt |= logfmt;
    f->type = join_types(f->type, type_of(value));
    if (map_count(f->values) < VALUES_MAX) map_put(f->values, value, NULL);
    return true;
}

/* Runs json, else logfmt, over one line and adds what they find. */
static bool detect_line(Fields *fs, LqLine *l, const LogqlEntry *e, Labels stream) {
    for (size_t i = 0; i < e->metadata.n; i++)
        if (!add_field(fs, e->metadata.v[i].name, e->metadata.v[i].value, false, false)) return false;
    arena_reset(l->scratch);
    vec_clear(&l->labels);
    l->line = e->line;
    l->error = STR_NULL;
    for (size_t i = 0; i < stream.n; i++) line_set(l, LQ_L_STREAM, stream.v[i].name, stream.v[i].value);
    line_parse_json(l);
    bool json = l->error.n == 0;
    if (!json) line_parse_logfmt(l, false, false);
    for (size_t i = 0; i < l->labels.n; i++) {
        const LqLabel *x = &l->labels.v[i];
        if (x->kind == LQ_L_PARSED && !add_field(fs, x->name, x->value, json, !json)) return false;
    }
    return true;
}

static void put_field(JsonWriter *w, const Field *f) {
    json_begin_object(w);
    json_key_lit(w, "label");
    json_str(w, f->name);
    json_key_lit(w, "type");
    json_str(w, str_cstr(f->type));
    json_key_lit(w, "cardinality");
    json_u64(w, map_count(f->values));
    json_key_lit(w, "parsers");
    if (!f->json && !f->logfmt) {
        json_null(w);
    } else {
        json_begin_array(w);
        if (f->json) json_str(w, STR("json"));
        if (f->logfmt) json_str(w, STR("logfmt"));
        json_end_array(w);
    }
    json_end_object(w);
}

static void reply_fields(HttpResponse *res, const Fields *fs, uint32_t limit) {
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "fields");
    json_begin_array(&w);
    for (size_t i = 0; i < fs->v.n; i++) put_field(&w, &fs->v.v[i]);
    json_end_array(&w);
    json_key_lit(&w, "limit");
    json_u64(&w, limit);
    json_end_object(&w);
    loki_reply_json(res);
}

void loki_detected_fields(void *ctx, HttpRequest *req, HttpResponse *res) {
    LokiApi *api = ctx;
    LokiRange range;
    uint32_t line_limit, limit;
    Err err = {0};
    const LqExpr *e;
    if (!loki_param_range(req, res, HOUR_NS, &range)) return;
    if (!loki_param_u32(req, res, STR("line_limit"), 100, &line_limit)) return;
    Str limit_name = http_has_param(req, STR("limit")) ? STR("limit") : STR("field_limit");
    if (!loki_param_u32(req, res, limit_name, 1000, &limit)) return;
    if (logql_parse(http_param(req, STR("query")), req->arena, &e, &err) != OK) {
        loki_reply_error(res, &err);
        return;
    }
    if (!logql_is_log_query(e)) {
        http_reply_text(res, 400, "detected fields need a query for lines\n");
        return;
    }
    LogqlRequest run = {
        .store = api->opts.store, .arena = req->arena, .start_ns = range.start_ns, .end_ns = range.end_ns};
    run.limit = MIN(MAX(line_limit, 1u), api->opts.entries_max);
    run.backward = run.categorize = true;
    run.deadline_mono_ns = clock_mono_ns() + api->opts.query_timeout_ms * NS_PER_MS;
    run.gone = loki_client_gone;
    run.gone_ctx = req;
    LogqlStreams streams;
    LogqlStats stats = {0};
    if (logql_run_log(&run, e, &streams, &stats, &err) != OK) {
        loki_reply_error(res, &err);
        return;
    }
    Fields fs = {.arena = req->arena, .index = map_create(MAP_COPY_KEYS), .max = limit};
    LqLine line = {.scratch = arena_create(64u << 20)};
    bool ok = true;
    for (size_t i = 0; i < streams.n; i++)
        for (size_t k = 0; ok && k < streams.v[i].entries.n; k++)
            ok = detect_line(&fs, &line, &streams.v[i].entries.v[k], streams.v[i].labels);
    if (ok)
        reply_fields(res, &fs, limit);
    else
        http_reply_text(res, 400, "the query needs more memory than it is allowed\n");
    for (size_t i = 0; i < fs.v.n; i++) map_free(fs.v.v[i].values);
    map_free(fs.index);
    arena_free(line.scratch);
    vec_done(&line.labels);
}
