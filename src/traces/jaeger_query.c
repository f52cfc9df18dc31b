#include "traces/jaeger_query.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "traces/jaeger_trace.h"

#define LOOKBACK_DEFAULT_NS (INT64_C(48) * 3600 * NS_PER_S)
#define TAGS_MAX 64

/* --- values in Go's syntax, errors in Go's words --- */

static bool all_digits(Str s) {
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) s = str_skip(s, 1);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    }
    return s.n > 0;
}

static ErrCode parse_i64(Str text, int64_t *ret, Err *reterr) {
    Str digits = text.n > 1 && text.p[0] == '+' ? str_skip(text, 1) : text;
    if (num_parse_i64(digits, ret)) return OK;
    return err_set(reterr, ERR_INVALID, "strconv.ParseInt: parsing \"%" STR_FMT "\": %s", STR_ARG(text),
        all_digits(text) ? "value out of range" : "invalid syntax");
}

static ErrCode parse_bool(Str s, bool *ret, Err *reterr) {
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (str_eq(s, str_cstr(yes[i]))) return *ret = true, OK;
        if (str_eq(s, str_cstr(no[i]))) return *ret = false, OK;
    }
    return err_set(reterr, ERR_INVALID, "strconv.ParseBool: parsing \"%" STR_FMT "\": invalid syntax", STR_ARG(s));
}

static ErrCode parse_duration(Str s, int64_t *ret, Err *reterr) {
    if (duration_parse_go(s, ret)) return OK;
    const char *what = s.n && all_digits(s) ? "missing unit in" : "invalid";
    return err_set(reterr, ERR_INVALID, "time: %s duration \"%" STR_FMT "\"", what, STR_ARG(s));
}

static ErrCode unable(Str name, ErrCode code, Err *reterr) {
    if (code && reterr) err_prefix(reterr, "unable to parse param '%" STR_FMT "'", STR_ARG(name));
    return code;
}

static ErrCode malformed(Str name, ErrCode code, Err *reterr) {
    if (code && reterr) err_prefix(reterr, "malformed parameter %" STR_FMT, STR_ARG(name));
    return code;
}

ErrCode jaeger_param_i64(HttpRequest *req, Str name, int64_t dflt, int64_t *ret, Err *reterr) {
    Str text = http_param(req, name);
    *ret = dflt;
    return text.n ? unable(name, parse_i64(text, ret, reterr), reterr) : OK;
}

ErrCode jaeger_param_bool(HttpRequest *req, Str name, bool *ret, Err *reterr) {
    Str text = http_param(req, name);
    *ret = false;
    return text.n ? unable(name, parse_bool(text, ret, reterr), reterr) : OK;
}

static ErrCode param_duration(HttpRequest *req, Str name, int64_t *ret, Err *reterr) {
    Str text = http_param(req, name);
    *ret = 0;
    return text.n ? unable(name, parse_duration(text, ret, reterr), reterr) : OK;
}

/* Microseconds to ns; what does not fit is as far away as can be. */
static int64_t us_to_ns(int64_t us) {
    int64_t ns;
    if (__builtin_mul_overflow(us, INT64_C(1000), &ns)) return us < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

/* --- tags --- */

typedef struct TagList {
    TraceTag v[TAGS_MAX];
    size_t n;
} TagList;

/* A later value for the same key replaces the earlier one. */
static ErrCode put_tag(TagList *list, Str key, Str value, Err *reterr) {
    for (size_t i = 0; i < list->n; i++) {
        if (!str_eq(list->v[i].key, key)) continue;
        list->v[i].value = value;
        return OK;
    }
    if (list->n == TAGS_MAX) return err_set(reterr, ERR_INVALID, "more than %d tags", TAGS_MAX);
    list->v[list->n++] = (TraceTag){key, value};
    return OK;
}

static ErrCode parse_pairs(HttpRequest *req, TagList *list, Err *reterr) {
    Str tags[TAGS_MAX];
    size_t n = http_params(req, STR("tag"), tags, TAGS_MAX);
    for (size_t i = 0; i < MIN(n, TAGS_MAX); i++) {
        size_t colon = str_find_char(tags[i], ':');
        if (colon == SIZE_MAX) {
            return err_set(reterr, ERR_INVALID, "malformed 'tag' parameter, expecting key:value, received: %" STR_FMT,
                STR_ARG(tags[i]));
        }
        ErrCode e = put_tag(list, str_slice(tags[i], 0, colon), str_skip(tags[i], colon + 1), reterr);
        if (e) return e;
    }
    return OK;
}

static const char *go_kind(JsonKind k) {
    switch (k) {
    case JSON_K_BOOL: return "bool";
    case JSON_K_NUMBER: return "number";
    case JSON_K_STRING: return "string";
    case JSON_K_ARRAY: return "array";
    case JSON_K_OBJECT: return "object";
    default: return "null";
    }
}

static ErrCode wrong_kind(JsonKind k, const char *type, Err *reterr) {
    return err_set(reterr, ERR_INVALID, "json: cannot unmarshal %s into Go value of type %s", go_kind(k), type);
}

/* An object whose values are strings; null counts as empty, as a null value does. */
static ErrCode parse_json_tags(Str text, Arena *arena, TagList *list, Err *reterr) {
    JsonValue *root;
    ErrCode e = json_parse(text, arena, &root, reterr);
    if (e) return e;
    if (root->kind == JSON_K_NULL) return OK;
    if (root->kind != JSON_K_OBJECT) return wrong_kind(root->kind, "map[string]string", reterr);
    for (const JsonValue *v = root->first; v && !e; v = v->next) {
        if (v->kind != JSON_K_STRING && v->kind != JSON_K_NULL) return wrong_kind(v->kind, "string", reterr);
        e = put_tag(list, v->key, v->kind == JSON_K_STRING ? v->text : STR(""), reterr);
    }
    return e;
}

static ErrCode finish_tags(const TagList *list, Arena *arena, TraceFind *ret, Err *reterr) {
    TraceTag *tags = ARENA_ARRAY(arena, TraceTag, list->n + 1);
    if (!tags) return err_set(reterr, ERR_TOO_LARGE, "too many tags");
    memcpy(tags, list->v, list->n * sizeof *tags);
    ret->tags = tags;
    ret->n_tags = list->n;
    return OK;
}

static ErrCode parse_tags(HttpRequest *req, TraceFind *ret, Err *reterr) {
    TagList list = {.n = 0};
    Str texts[TAGS_MAX];
    ErrCode e = parse_pairs(req, &list, reterr);
    size_t n = http_params(req, STR("tags"), texts, TAGS_MAX);
    for (size_t i = 0; !e && i < MIN(n, TAGS_MAX); i++) {
        e = parse_json_tags(texts[i], req->arena, &list, reterr);
        if (e && reterr) err_prefix(reterr, "malformed 'tags' parameter, cannot unmarshal JSON");
    }
    return e ? e : finish_tags(&list, req->arena, ret, reterr);
}

/* --- GET /api/traces --- */

static ErrCode parse_limit(Str text, TraceFind *ret, Err *reterr) {
    int64_t n = JAEGER_LIMIT_DEFAULT;
    ErrCode e = text.n ? parse_i64(text, &n, reterr) : OK;
    if (!e && (n > INT32_MAX || n < INT32_MIN)) {
        e = err_set(
            reterr, ERR_INVALID, "strconv.ParseInt: parsing \"%" STR_FMT "\": value out of range", STR_ARG(text));
    }
    if (!e && n <= 0) e = err_set(reterr, ERR_INVALID, "search depth must be greater than 0 and less than max traces");
    ret->limit = e ? 0 : (uint32_t)MIN(n, JAEGER_LIMIT_MAX);
    return e;
}

static ErrCode parse_ids(HttpRequest *req, JaegerQuery *ret, Err *reterr) {
    Str *texts = ARENA_ARRAY(req->arena, Str, JAEGER_TRACE_IDS_MAX);
    if (!texts) return err_set(reterr, ERR_TOO_LARGE, "too many trace ids");
    size_t n = http_params(req, STR("traceID"), texts, JAEGER_TRACE_IDS_MAX);
    if (n > JAEGER_TRACE_IDS_MAX) n = JAEGER_TRACE_IDS_MAX;
    TraceId *ids = ARENA_ARRAY(req->arena, TraceId, n + 1);
    if (!ids) return err_set(reterr, ERR_TOO_LARGE, "too many trace ids");
    for (size_t i = 0; i < n; i++) {
        ErrCode e = jaeger_parse_trace_id(texts[i], false, &ids[i], reterr);
        if (e && reterr) err_prefix(reterr, "cannot parse traceID param");
        if (e) return e;
    }
    ret->ids = ids;
    ret->n_ids = n;
    return OK;
}

static ErrCode check_search(const JaegerQuery *q, Err *reterr) {
    if (q->find.min_duration_ns && q->find.max_duration_ns && q->find.max_duration_ns < q->find.min_duration_ns) {
        return err_set(reterr, ERR_INVALID, "'maxDuration' should be greater than 'minDuration'");
    }
    if (q->find.service.n == 0 && q->n_ids == 0) {
        return err_set(reterr, ERR_INVALID, "parameter 'service' is required");
    }
    return OK;
}

ErrCode jaeger_parse_search(HttpRequest *req, int64_t now_ns, JaegerQuery *ret, Err *reterr) {
    *ret = (JaegerQuery){.find = {.arena = req->arena}};
    TraceFind *f = &ret->find;
    f->service = http_param(req, STR("service"));
    f->operation = http_param(req, STR("operation"));
    int64_t start_us, end_us;
    ErrCode e = jaeger_param_i64(req, STR("start"), (now_ns - LOOKBACK_DEFAULT_NS) / 1000, &start_us, reterr);
    if (!e) e = jaeger_param_i64(req, STR("end"), now_ns / 1000, &end_us, reterr);
    if (!e) e = parse_tags(req, f, reterr);
    if (!e) e = parse_limit(http_param(req, STR("limit")), f, reterr);
    if (!e) e = param_duration(req, STR("minDuration"), &f->min_duration_ns, reterr);
    if (!e) e = param_duration(req, STR("maxDuration"), &f->max_duration_ns, reterr);
    if (!e) e = parse_ids(req, ret, reterr);
    if (!e) e = jaeger_param_bool(req, STR("raw"), &ret->raw, reterr);
    if (e) return e;
    f->start_ns = us_to_ns(start_us);
    f->end_ns = us_to_ns(end_us);
    /* A microsecond is the finest a client can say: a span within the last one is meant. */
    if (f->end_ns <= INT64_MAX - 999) f->end_ns += 999;
    return check_search(ret, reterr);
}

/* --- /api/v3 --- */

Str jaeger_param_v3(HttpRequest *req, Str name, Str alias, Str *ret_name) {
    Str value = http_param(req, name);
    *ret_name = value.n ? name : alias;
    return value.n ? value : http_param(req, alias);
}

ErrCode jaeger_param_v3_bool(HttpRequest *req, Str name, Str alias, bool *ret, Err *reterr) {
    Str given, text = jaeger_param_v3(req, name, alias, &given);
    *ret = false;
    return text.n ? malformed(given, parse_bool(text, ret, reterr), reterr) : OK;
}

/* Clients that do not escape the '+' of an offset send what reads as a space. */
static bool parse_time(Str text, Arena *arena, int64_t *ret_ns) {
    if (time_parse_rfc3339(text, ret_ns)) return true;
    size_t space = str_rfind_char(text, ' ');
    Str copy = space == SIZE_MAX ? STR_NULL : arena_copy(arena, text);
    if (!copy.p) return false;
    ((char *)(uintptr_t)copy.p)[space] = '+';
    return time_parse_rfc3339(copy, ret_ns);
}

ErrCode jaeger_param_v3_time(HttpRequest *req, Str name, Str alias, bool *ret_given, int64_t *ret_ns, Err *reterr) {
    Str given, text = jaeger_param_v3(req, name, alias, &given);
    *ret_given = text.n > 0;
    if (!text.n || parse_time(text, req->arena, ret_ns)) return OK;
    return err_set(reterr, ERR_INVALID,
        "malformed parameter %" STR_FMT ": parsing time \"%" STR_FMT
        "\" as \"2006-01-02T15:04:05.999999999Z07:00\": cannot parse \"%" STR_FMT "\" as \"2006\"",
        STR_ARG(given), STR_ARG(text), STR_ARG(text));
}

static ErrCode v3_duration(HttpRequest *req, Str name, Str alias, int64_t *ret, Err *reterr) {
    Str given, text = jaeger_param_v3(req, name, alias, &given);
    *ret = 0;
    return text.n ? malformed(given, parse_duration(text, ret, reterr), reterr) : OK;
}

static ErrCode v3_window(HttpRequest *req, TraceFind *f, Err *reterr) {
    bool min_given, max_given;
    Str ignored;
    Str min = jaeger_param_v3(req, STR("query.startTimeMin"), STR("query.start_time_min"), &ignored);
    Str max = jaeger_param_v3(req, STR("query.startTimeMax"), STR("query.start_time_max"), &ignored);
    if (!min.n || !max.n) {
        return err_set(reterr, ERR_INVALID, "query.startTimeMin and query.startTimeMax are required");
    }
    ErrCode e = jaeger_param_v3_time(
        req, STR("query.startTimeMin"), STR("query.start_time_min"), &min_given, &f->start_ns, reterr);
    if (!e) {
        e = jaeger_param_v3_time(
            req, STR("query.startTimeMax"), STR("query.start_time_max"), &max_given, &f->end_ns, reterr);
    }
    if (e || f->start_ns < f->end_ns) return e;
    return err_set(reterr, ERR_INVALID, "query.startTimeMin must be before query.startTimeMax");
}

static ErrCode v3_limit(HttpRequest *req, TraceFind *f, Err *reterr) {
    Str given, text = jaeger_param_v3(req, STR("query.searchDepth"), STR("query.search_depth"), &given);
    if (!text.n) {
        given = STR("query.num_traces");
        text = http_param(req, given);
    }
    int64_t n = JAEGER_LIMIT_DEFAULT;
    if (text.n && !num_parse_i64(text, &n)) {
        return err_set(reterr, ERR_INVALID,
            "malformed parameter %" STR_FMT ": strconv.Atoi: parsing \"%" STR_FMT "\": invalid syntax", STR_ARG(given),
            STR_ARG(text));
    }
    if (n <= 0) return err_set(reterr, ERR_INVALID, "search depth must be greater than 0 and less than max traces");
    f->limit = (uint32_t)MIN(n, JAEGER_LIMIT_MAX);
    return OK;
}

static ErrCode v3_attributes(HttpRequest *req, TraceFind *f, Err *reterr) {
    TagList list = {.n = 0};
    Str text = http_param(req, STR("query.attributes"));
    ErrCode e = text.n ? parse_json_tags(text, req->arena, &list, reterr) : OK;
    if (e) return malformed(STR("query.attributes"), e, reterr);
    return finish_tags(&list, req->arena, f, reterr);
}

ErrCode jaeger_parse_search_v3(HttpRequest *req, JaegerQuery *ret, Err *reterr) {
    *ret = (JaegerQuery){.find = {.arena = req->arena}};
    TraceFind *f = &ret->find;
    Str name;
    f->service = jaeger_param_v3(req, STR("query.serviceName"), STR("query.service_name"), &name);
    f->operation = jaeger_param_v3(req, STR("query.operationName"), STR("query.operation_name"), &name);
    ErrCode e = v3_attributes(req, f, reterr);
    if (!e && http_param(req, STR("query.filter")).n) {
        /* Refused rather than ignored: a dropped predicate would answer with every trace of the window. */
        e = err_set(reterr, ERR_INVALID, "the structured query filter is disabled");
    }
    if (!e) e = v3_window(req, f, reterr);
    if (!e) e = v3_limit(req, f, reterr);
    if (!e) e = v3_duration(req, STR("query.durationMin"), STR("query.duration_min"), &f->min_duration_ns, reterr);
    if (!e) e = v3_duration(req, STR("query.durationMax"), STR("query.duration_max"), &f->max_duration_ns, reterr);
    if (!e) e = jaeger_param_v3_bool(req, STR("query.rawTraces"), STR("query.raw_traces"), &ret->raw, reterr);
    return e;
}
