/* tempo_tags.c - which tags there are, and which values they have. */
#include "traces/tempo_int.h"

#define NAMES_MAX 10000 /* per scope, unless the request says less */

/* The fields of the language that are no attributes; those that lists of tags show. */
static const char *const intrinsics[] = {"duration", "event:name", "event:timeSinceStart", "instrumentation:name",
    "instrumentation:version", "kind", "link:spanID", "link:traceID", "name", "rootName", "rootServiceName",
    "span:childCount", "span:duration", "span:id", "span:kind", "span:name", "span:parentID", "span:status",
    "span:statusMessage", "status", "statusMessage", "trace:duration", "trace:id", "trace:rootName",
    "trace:rootService", "traceDuration"};

static const struct {
    const char *name;
    TraceTagScope scope;
} scopes[] = {{"resource", TRACE_TAG_RESOURCE}, {"span", TRACE_TAG_SPAN}, {"event", TRACE_TAG_EVENT},
    {"link", TRACE_TAG_LINK}, {"instrumentation", TRACE_TAG_INSTRUMENTATION}};

/* Which scopes a request wants: bits of TraceTagScope, and the intrinsic ones. */
typedef struct WantedScopes {
    unsigned attributes;
    bool intrinsics;
} WantedScopes;

static bool parse_scope(HttpRequest *req, HttpResponse *res, WantedScopes *ret) {
    Str s = http_param(req, STR("scope"));
    *ret = (WantedScopes){0, str_eq_lit(s, "intrinsic")};
    if (ret->intrinsics) return true;
    bool all = s.n == 0 || str_eq_lit(s, "none") || str_eq_lit(s, "all");
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        if (all || str_eq(s, str_cstr(scopes[i].name))) ret->attributes |= 1u << scopes[i].scope;
    }
    ret->intrinsics = all;
    if (ret->attributes) return true;
    http_reply_text(res, 400,
        "invalid scope: \"%" STR_FMT "\" is none of resource, span, event, link, instrumentation, intrinsic\n",
        STR_ARG(s));
    return false;
}

static bool load_names(TempoApi *api, HttpRequest *req, HttpResponse *res, WantedScopes *wanted, TraceTagNames *q) {
    TempoRange range;
    uint32_t limit;
    if (!parse_scope(req, res, wanted) || !tempo_param_range(req, res, 0, &range) ||
        !tempo_param_u32(req, res, STR("limit"), 0, NAMES_MAX, &limit)) {
        return false;
    }
    *q = (TraceTagNames){.scopes = wanted->attributes,
        .start_ns = range.start_ns,
        .end_ns = range.end_ns,
        .max = limit ? limit : NAMES_MAX,
        .arena = req->arena};
    Err err = {0};
    TraceStore *s = api->opts.store;
    if (!wanted->attributes || s->ops->tag_names(s, q, &err) == OK) return true;
    tempo_reply_error(res, &err);
    return false;
}

static void put_metrics(JsonWriter *w) {
    json_key_lit(w, "metrics");
    json_begin_object(w);
    json_end_object(w);
}

static bool is_first(const TraceTagNames *q, size_t scope, Str name) {
    for (size_t s = 0; s < scope; s++) {
        for (size_t i = 0; i < q->n[scopes[s].scope]; i++) {
            if (str_eq(q->names[scopes[s].scope][i], name)) return false;
        }
    }
    return true;
}

/* {"tagNames": [...]}: of all scopes, each name once; fields of the language only when asked for. */
void tempo_tags(void *ctx, HttpRequest *req, HttpResponse *res) {
    WantedScopes wanted;
    TraceTagNames q;
    if (!load_names(ctx, req, res, &wanted, &q)) return;
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "tagNames");
    json_begin_array(&w);
    for (size_t i = 0; wanted.intrinsics && !wanted.attributes && i < ARRAY_LEN(intrinsics); i++) {
        json_str(&w, str_cstr(intrinsics[i]));
    }
    size_t left = q.max; /* of all scopes together */
    for (size_t s = 0; s < ARRAY_LEN(scopes); s++) {
        for (size_t i = 0; left && i < q.n[scopes[s].scope]; i++) {
            Str name = q.names[scopes[s].scope][i];
            if (!is_first(&q, s, name)) continue;
            json_str(&w, name);
            left--;
        }
    }
    json_end_array(&w);
    put_metrics(&w);
    json_end_object(&w);
    tempo_reply_json(res);
}

static void begin_scope(JsonWriter *w, const char *name) {
    json_begin_object(w);
    json_pair_str(w, "name", str_cstr(name));
    json_key_lit(w, "tags");
    json_begin_array(w);
}

static void end_scope(JsonWriter *w) {
    json_end_array(w);
    json_end_object(w);
}

/* {"scopes": [{"name", "tags": [...]}]}: scopes without tags are left out. */
void tempo_tags_v2(void *ctx, HttpRequest *req, HttpResponse *res) {
    WantedScopes wanted;
    TraceTagNames q;
    if (!load_names(ctx, req, res, &wanted, &q)) return;
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "scopes");
    json_begin_array(&w);
    for (size_t s = 0; s < ARRAY_LEN(scopes); s++) {
        if (q.n[scopes[s].scope] == 0) continue;
        begin_scope(&w, scopes[s].name);
        for (size_t i = 0; i < q.n[scopes[s].scope]; i++) json_str(&w, q.names[scopes[s].scope][i]);
        end_scope(&w);
    }
    if (wanted.intrinsics) {
        begin_scope(&w, "intrinsic");
        for (size_t i = 0; i < ARRAY_LEN(intrinsics); i++) json_str(&w, str_cstr(intrinsics[i]));
        end_scope(&w);
    }
    json_end_array(&w);
    put_metrics(&w);
    json_end_object(&w);
    tempo_reply_json(res);
}
