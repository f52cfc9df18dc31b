/* tempo_search.c - /api/search: by TraceQL, or by tags as logfmt. */
#include "base/num.h"
#include "traces/tempo_int.h"

#define SPANS_PER_SET_DEFAULT 3
#define SPANS_PER_SET_MAX 10000
#define TAGS_MAX 64

/* --- tags into a query --- */

/* A string literal that matches the text anywhere, whatever its case. */
static void put_pattern(Buf *out, Str text) {
    buf_put_lit(out, "\"(?i).*");
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (memchr("\\.+*?()|[]{}^$", c, 14)) buf_put_lit(out, "\\\\");
        if (c == '\\' || c == '"') buf_put_char(out, '\\');
        buf_put_char(out, c);
    }
    buf_put_lit(out, ".*\"");
}

static void put_attr_name(Buf *out, Str key) {
    buf_put_lit(out, ".\"");
    for (size_t i = 0; i < key.n; i++) {
        if (key.p[i] == '\\' || key.p[i] == '"') buf_put_char(out, '\\');
        buf_put_char(out, key.p[i]);
    }
    buf_put_char(out, '"');
}

/* Keys that are no attributes. */
static bool put_special(Buf *out, Str key, Str value) {
    static const struct {
        const char *key, *field;
    } fields[] = {{"name", "name"}, {"root.name", "rootName"}, {"root.service.name", "rootServiceName"}};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (!str_eq(key, str_cstr(fields[i].key))) continue;
        buf_put_str(out, str_cstr(fields[i].field));
        buf_put_lit(out, " =~ ");
        put_pattern(out, value);
        return true;
    }
    bool is_error = str_eq_lit(key, "error") && str_eq_lit(value, "true");
    bool is_status = str_eq_lit(key, "status.code") &&
                     (str_eq_lit(value, "error") || str_eq_lit(value, "ok") || str_eq_lit(value, "unset"));
    if (!is_error && !is_status) return false;
    buf_put_lit(out, "status = ");
    buf_put_str(out, is_error ? STR("error") : value);
    return true;
}

/* One of logfmt's words: up to a blank, or in quotes with escapes. */
static Str take_word(Str *rest, Buf *scratch, bool until_equals) {
    size_t i = 0;
    if (rest->n && rest->p[0] == '"') {
        buf_clear(scratch);
        for (i = 1; i < rest->n && rest->p[i] != '"'; i++) {
            if (rest->p[i] == '\\' && i + 1 < rest->n) i++;
            buf_put_char(scratch, rest->p[i]);
        }
        *rest = str_skip(*rest, MIN(i + 1, rest->n));
        return buf_str(scratch);
    }
    while (i < rest->n && rest->p[i] != ' ' && !(until_equals && rest->p[i] == '=')) i++;
    Str word = str_slice(*rest, 0, i);
    *rest = str_skip(*rest, i);
    return word;
}

/* {.a =~ "(?i).*x.*" && ...}: one span with all of them. */
static void tags_to_query(Str tags, Buf *out) {
    Buf key_text = {0}, value_text = {0};
    size_t n = 0;
    buf_put_lit(out, "{ ");
    for (tags = str_trim(tags); tags.n && n < TAGS_MAX; tags = str_trim(tags)) {
        Str key = take_word(&tags, &key_text, true), value = STR_NULL;
        if (tags.n && tags.p[0] == '=') {
            tags = str_skip(tags, 1);
            value = take_word(&tags, &value_text, false);
        }
        if (n++) buf_put_lit(out, " && ");
        if (put_special(out, key, value)) continue;
        put_attr_name(out, key);
        buf_put_lit(out, " =~ ");
        put_pattern(out, value);
    }
    buf_put_lit(out, " }");
    buf_done(&key_text);
    buf_done(&value_text);
}

/* --- the answer --- */

static void put_u64(JsonWriter *w, const char *key, uint64_t v) {
    Buf text = {0};
    num_put_u64(&text, v);
    json_pair_str(w, key, buf_str(&text));
    buf_done(&text);
}

/* What the answer says in another place is no attribute of a span. */
static bool is_elsewhere(TqlIntrinsic i) {
    switch (i) {
    case TQL_DURATION_NS:
    case TQL_NAME:
    case TQL_SPAN_ID:
    case TQL_TRACE_ID:
    case TQL_TRACE_DURATION:
    case TQL_TRACE_ROOT_NAME:
    case TQL_TRACE_ROOT_SERVICE: return true;
    default: return false;
    }
}

/* As in Tempo attributes have no scope here. */
static void put_field(JsonWriter *w, const TqlField *f) {
    Buf key = {0};
    if (f->attr.intrinsic == TQL_NOT_INTRINSIC && !f->attr.parent)
        buf_put_str(&key, f->attr.name);
    else
        traceql_print_attr(&key, &f->attr);
    tempo_put_key_value(w, buf_str(&key), &f->value);
    buf_done(&key);
}

static void put_fields(JsonWriter *w, const TqlFoundSpan *s) {
    size_t shown = 0;
    for (size_t i = 0; i < s->n_fields; i++) shown += !is_elsewhere(s->fields[i].attr.intrinsic);
    if (shown == 0) return;
    json_key_lit(w, "attributes");
    json_begin_array(w);
    for (size_t i = 0; i < s->n_fields; i++) {
        if (!is_elsewhere(s->fields[i].attr.intrinsic)) put_field(w, &s->fields[i]);
    }
    json_end_array(w);
}

static void put_span(JsonWriter *w, const TqlFoundSpan *s) {
    Buf id = {0};
    num_put_hex(&id, s->span_id.b, sizeof s->span_id.b);
    json_begin_object(w);
    json_pair_str(w, "spanID", buf_str(&id));
    buf_done(&id);
    for (size_t i = 0; i < s->n_fields; i++) { /* only where the query speaks of it */
        if (s->fields[i].attr.intrinsic == TQL_NAME) json_pair_str(w, "name", s->name);
    }
    put_u64(w, "startTimeUnixNano", (uint64_t)s->start_ns);
    put_u64(w, "durationNanos", (uint64_t)s->duration_ns);
    put_fields(w, s);
    json_end_object(w);
}

static void put_set(JsonWriter *w, const TqlFoundSet *set) {
    json_begin_object(w);
    json_key_lit(w, "spans");
    json_begin_array(w);
    for (size_t i = 0; i < set->n_spans; i++) put_span(w, &set->spans[i]);
    json_end_array(w);
    json_pair_u64(w, "matched", set->matched);
    if (set->n_numbers) {
        json_key_lit(w, "attributes");
        json_begin_array(w);
        for (size_t i = 0; i < set->n_numbers; i++) {
            tempo_put_key_value(w, set->numbers[i].name, &set->numbers[i].value);
        }
        json_end_array(w);
    }
    json_end_object(w);
}

static void put_services(JsonWriter *w, const TqlFoundTrace *t) {
    json_key_lit(w, "serviceStats");
    json_begin_object(w);
    for (size_t i = 0; i < t->n_services; i++) {
        json_key(w, t->services[i].service);
        json_begin_object(w);
        json_pair_u64(w, "spanCount", t->services[i].spans);
        if (t->services[i].errors) json_pair_u64(w, "errorCount", t->services[i].errors);
        json_end_object(w);
    }
    json_end_object(w);
}

static void put_trace(JsonWriter *w, const TqlFoundTrace *t) {
    Buf id = {0};
    num_put_hex(&id, t->id.b, sizeof t->id.b);
    Str text = buf_str(&id);
    while (text.n > 1 && text.p[0] == '0') text = str_skip(text, 1); /* as Tempo writes it */
    json_begin_object(w);
    json_pair_str(w, "traceID", text);
    buf_done(&id);
    json_pair_str(w, "rootServiceName", t->root_service.n ? t->root_service : STR("<root span not yet received>"));
    if (t->root_name.n) json_pair_str(w, "rootTraceName", t->root_name);
    put_u64(w, "startTimeUnixNano", (uint64_t)t->start_ns);
    json_pair_u64(w, "durationMs", (uint64_t)t->duration_ns / 1000000);
    if (t->n_sets) {
        json_key_lit(w, "spanSet"); /* as clients before spanSets read it */
        put_set(w, &t->sets[0]);
    }
    json_key_lit(w, "spanSets");
    json_begin_array(w);
    for (size_t i = 0; i < t->n_sets; i++) put_set(w, &t->sets[i]);
    json_end_array(w);
    put_services(w, t);
    json_end_object(w);
}

static void reply(HttpResponse *res, const TqlSearchResult *r) {
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "traces");
    json_begin_array(&w);
    for (size_t i = 0; i < r->n_traces; i++) put_trace(&w, &r->traces[i]);
    json_end_array(&w);
    tempo_put_stats(&w, &r->stats);
    json_end_object(&w);
    tempo_reply_json(res);
}

/* --- the request --- */

static Str query_text(HttpRequest *req) {
    Str q = http_param(req, STR("q"));
    Buf text = {0};
    if (q.n) return q;
    tags_to_query(http_param(req, STR("tags")), &text);
    q = arena_copy(req->arena, buf_str(&text));
    buf_done(&text);
    return q;
}

static bool parse_request(TempoApi *api, HttpRequest *req, HttpResponse *res, TqlSearch *ret) {
    TempoRange range;
    *ret = (TqlSearch){.store = api->opts.store, .deadline_mono_ns = tempo_deadline(api)};
    if (http_param(req, STR("q")).n && http_param(req, STR("tags")).n) {
        http_reply_text(res, 400, "invalid request: q and tags cannot be given together\n");
        return false;
    }
    if (!tempo_param_range(req, res, 0, &range) ||
        !tempo_param_u32(req, res, STR("limit"), TEMPO_LIMIT_DEFAULT, TEMPO_LIMIT_MAX, &ret->limit) ||
        !tempo_param_u32(req, res, STR("spss"), SPANS_PER_SET_DEFAULT, SPANS_PER_SET_MAX, &ret->spans_per_set) ||
        !tempo_param_duration(req, res, STR("minDuration"), 0, &ret->min_duration_ns) ||
        !tempo_param_duration(req, res, STR("maxDuration"), 0, &ret->max_duration_ns)) {
        return false;
    }
    if (ret->max_duration_ns && ret->max_duration_ns < ret->min_duration_ns) {
        http_reply_text(res, 400, "invalid maxDuration: it is less than minDuration\n");
        return false;
    }
    if (ret->limit == 0) {
        http_reply_text(res, 400, "invalid limit: must be a positive number\n");
        return false;
    }
    if (ret->spans_per_set == 0) ret->spans_per_set = SPANS_PER_SET_MAX;
    if (range.given) {
        ret->start_ns = range.start_ns;
        ret->end_ns = range.end_ns < INT64_MAX ? range.end_ns + 1 : INT64_MAX;
    }
    return true;
}

void tempo_search(void *ctx, HttpRequest *req, HttpResponse *res) {
    TqlSearch search;
    TqlSearchResult found;
    Err err = {0};
    if (!parse_request(ctx, req, res, &search)) return;
    if (traceql_parse(query_text(req), req->arena, &search.query, &err) != OK) {
        tempo_reply_query_error(res, &err);
        return;
    }
    if (search.query->is_metrics) {
        http_reply_text(res, 400, "metrics queries are answered by /api/metrics/query_range\n");
        return;
    }
    if (traceql_search(&search, req->arena, &found, &err) == OK)
        reply(res, &found);
    else
        tempo_reply_error(res, &err);
}
