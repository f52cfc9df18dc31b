/* openapi.c - /api/v1/openapi.yaml: the table of routes.c as an OpenAPI document. */
#include "metrics/api/api_int.h"

static const struct {
    const char *name, *type, *text; /* type "array": of strings, repeated */
} params[] = {
    {"query", "string", "PromQL expression"},
    {"time", "string", "RFC 3339 or Unix seconds; now when missing"},
    {"start", "string", "RFC 3339 or Unix seconds"},
    {"end", "string", "RFC 3339 or Unix seconds, inclusive"},
    {"step", "string", "Duration (15s) or seconds"},
    {"timeout", "string", "Duration or seconds; can only shorten the server's"},
    {"limit", "integer", "Most results; 0 or missing: all"},
    {"lookback_delta", "string", "How far an instant selector looks back"},
    {"stats", "string", "true or all: statistics about the query"},
    {"match[]", "array", "Series selector"},
    {"search[]", "array", "Text to look for; any of several"},
    {"fuzz_threshold", "integer", "Least score, 0 to 100"},
    {"fuzz_alg", "string", "subsequence or jarowinkler"},
    {"case_sensitive", "boolean", "true when missing"},
    {"sort_by", "string", "alpha or score"},
    {"sort_dir", "string", "asc or dsc"},
    {"include_score", "boolean", "Scores in the results"},
    {"include_metadata", "boolean", "Type, help and unit in the results"},
    {"batch_size", "integer", "Results per line"},
    {"label", "string", "Name of the label"},
    {"limit_per_metric", "integer", "Most entries of one metric"},
    {"metric", "string", "Only this metric"},
    {"match_target", "string", "Selector of targets by their labels"},
    {"state", "string", "active, dropped or any"},
    {"scrapePool", "string", "job_name of the scrape configuration"},
    {"labels", "string", "Discovered labels as a JSON object"},
    {"type", "string", "alert or record"},
    {"rule_name[]", "array", "Only rules of this name"},
    {"rule_group[]", "array", "Only groups of this name"},
    {"file[]", "array", "Only groups of this file"},
    {"exclude_alerts", "boolean", "Rules without their alerts"},
    {"group_limit", "integer", "Most groups in an answer"},
    {"group_next_token", "string", "groupNextToken of the answer before"},
    {"metric_name_pattern", "string", "Regular expression, anchored"},
    {"skip_head", "boolean", "Leave out what is in memory only"},
    {"openapi_version", "string", "3.1 or 3.2"},
};

static void put_param(Buf *out, Str name, bool required) {
    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        if (!str_eq(name, str_cstr(params[i].name))) continue;
        buf_printf(out, "        - name: \"%s\"\n          in: query\n          description: \"%s\"\n", params[i].name,
            params[i].text);
        if (required) buf_put_lit(out, "          required: true\n");
        buf_printf(out, "          schema:\n            type: %s\n", params[i].type);
        if (strcmp(params[i].type, "array") == 0) buf_put_lit(out, "            items:\n              type: string\n");
        return;
    }
    UNREACHABLE(); /* a parameter without a description */
}

static void put_params(Buf *out, const ApiEntry *e) {
    Str rest = str_cstr(e->params), name;
    bool in_path = strchr(e->path, '{') != NULL;
    if (rest.n == 0 && !in_path) return;
    buf_put_lit(out, "      parameters:\n");
    if (in_path)
        buf_put_lit(out, "        - name: name\n          in: path\n          required: true\n"
                         "          description: \"Label name; U__ escapes are understood\"\n"
                         "          schema:\n            type: string\n");
    while (rest.n && str_split_next(&rest, ' ', &name)) {
        bool required = str_ends_with(name, STR("!"));
        put_param(out, required ? str_slice(name, 0, name.n - 1) : name, required);
    }
}

static void put_operation(Buf *out, const ApiEntry *e, HttpMethod method) {
    static const struct {
        ApiFn fn;
        const char *type;
    } others[] = {{api_search_metric_names, "application/x-ndjson"}, {api_search_label_names, "application/x-ndjson"},
        {api_search_label_values, "application/x-ndjson"}, {api_notifications_live, "text/event-stream"},
        {api_openapi, "application/yaml"}};
    const char *type = "application/json", *name = http_method_name(method);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (others[i].fn == e->fn) type = others[i].type;
    buf_put_lit(out, "    ");
    for (const char *p = name; *p; p++) buf_put_char(out, (char)(*p + 32));
    buf_printf(out, ":\n      summary: \"%s\"\n", e->summary);
    put_params(out, e);
    buf_printf(out,
        "      responses:\n        \"200\":\n          description: Success\n          content:\n            %s:\n"
        "              schema:\n                %s\n"
        "        default:\n          description: Error\n          content:\n            application/json:\n"
        "              schema:\n                $ref: \"#/components/schemas/Error\"\n",
        type, strcmp(type, "application/json") == 0 ? "$ref: \"#/components/schemas/Success\"" : "type: string");
}

static const char schemas[] = "components:\n"
                              "  schemas:\n"
                              "    Success:\n"
                              "      type: object\n"
                              "      required: [status, data]\n"
                              "      properties:\n"
                              "        status: {type: string, enum: [success]}\n"
                              "        data: {}\n"
                              "        warnings: {type: array, items: {type: string}}\n"
                              "        infos: {type: array, items: {type: string}}\n"
                              "    Error:\n"
                              "      type: object\n"
                              "      required: [status, errorType, error]\n"
                              "      properties:\n"
                              "        status: {type: string, enum: [error]}\n"
                              "        errorType: {type: string, enum: [bad_data, execution, canceled, timeout, "
                              "internal, unavailable, not_found, not_acceptable]}\n"
                              "        error: {type: string}\n"
                              "        data: {}\n";

bool api_openapi(ApiCall *c) {
    Buf *out = &c->res->body;
    Str version = http_param(c->req, STR("openapi_version"));
    size_t n;
    const ApiEntry *entries = api_entries(&n);
    buf_clear(out);
    buf_printf(out,
        "openapi: %s\ninfo:\n  title: Prometheus API\n  description: \"Prometheus' HTTP API as Meerkat serves it\"\n"
        "  version: \"%" STR_FMT "\"\npaths:\n",
        str_starts_with(version, STR("3.2")) ? "3.2.0" : "3.1.0", STR_ARG(c->api->opts.version));
    for (size_t i = 0; i < n; i++) {
        if (!str_starts_with(str_cstr(entries[i].path), STR("/api/v1/"))) continue; /* our own */
        buf_printf(out, "  %s:\n", entries[i].path + strlen("/api/v1"));
        for (unsigned m = HTTP_GET; m <= HTTP_PATCH; m <<= 1)
            if (entries[i].methods & m) put_operation(out, &entries[i], (HttpMethod)m);
    }
    buf_put_lit(out, "servers:\n  - url: /api/v1\n");
    buf_put_str(out, str_cstr(schemas));
    c->res->content_type = STR("application/yaml; charset=utf-8");
    http_set_header(c->res, STR("Cache-Control"), STR("no-cache, no-store, must-revalidate"));
    c->whole = true;
    return true;
}
