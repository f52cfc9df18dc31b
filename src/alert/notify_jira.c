/* notify_jira.c - one issue per group: found by its label, created, updated, reopened, resolved. */
#include "alert/notify_int.h"
#include "base/json.h"
#include "lang/lexer.h"

#include <stdlib.h>

#define SUMMARY_MAX 255
#define DESCRIPTION_MAX 32767

static Str api_path(Notify *n, Str tail) {
    Str base = settings_text(n->s, "api_url");
    const char *slash = str_ends_with(base, STR("/")) ? "" : "/";
    return arena_printf(n->arena, "%" STR_FMT "%s%" STR_FMT, STR_ARG(base), slash, STR_ARG(tail));
}

static bool call(Notify *n, const char *method, Str url, Buf *body, const char *context, JsonValue **ret) {
    NotifyHttp h = {.method = method,
        .url = url,
        .url_is_public = true,
        .body = body ? notify_copy_buf(n, body) : STR(""),
        .headers = {"Accept-Language: en", NULL},
        .retry_codes = notify_retry_429,
        .context = context,
        .reads_answer = true};
    NotifyAnswer answer;
    *ret = NULL;
    if (!notify_http(n, &h, &answer)) return false;
    if (!notify_dry(n) && answer.body.n && json_parse(answer.body, n->arena, ret, NULL)) *ret = NULL;
    return true;
}

static Str label(Notify *n) { return arena_printf(n->arena, "ALERT{%" STR_FMT "}", STR_ARG(notify_key_hash(n))); }

/* --- search --- */

static void put_jql(Notify *n, Str project, Buf *out) {
    Str wont_fix = settings_text(n->s, "wont_fix_resolution");
    int64_t reopen_min = settings_get(n->s, "reopen_duration")->i / 60000000000;
    if (wont_fix.n) {
        buf_put_lit(out, "(resolution is EMPTY or resolution != ");
        lang_put_quoted(out, wont_fix);
        buf_put_lit(out, ") and ");
    }
    if (notify_firing(n) && settings_text(n->s, "reopen_transition").n && reopen_min > 0)
        buf_printf(out, "(resolutiondate is EMPTY OR resolutiondate >= -%lldm) and ", (long long)reopen_min);
    else
        buf_put_lit(out, "statusCategory != Done and ");
    buf_put_lit(out, "project=");
    lang_put_quoted(out, project);
    buf_put_lit(out, " and labels=");
    lang_put_quoted(out, label(n));
    buf_put_lit(out, " order by status ASC,resolutiondate DESC");
}

static Str search_url(Notify *n) {
    Str base = settings_text(n->s, "api_url"), type = settings_text(n->s, "api_type");
    bool cloud = str_eq_lit(type, "cloud") || (str_eq_lit(type, "auto") && str_contains(base, STR("atlassian.net")));
    Str url = api_path(n, cloud ? STR("search/jql") : STR("search"));
    size_t v2 = cloud ? str_find(url, STR("/rest/api/2/")) : SIZE_MAX;
    if (v2 == SIZE_MAX) return url;
    return arena_printf(
        n->arena, "%" STR_FMT "/rest/api/3/%" STR_FMT, STR_ARG(str_slice(url, 0, v2)), STR_ARG(str_skip(url, v2 + 12)));
}

/* *ret: NULL when there is none. */
static bool find_issue(Notify *n, Str project, const JsonValue **ret) {
    Buf body = {0}, jql = {0};
    put_jql(n, project, &jql);
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    json_key_lit(&w, "fields");
    json_begin_array(&w);
    json_str(&w, STR("status"));
    json_end_array(&w);
    gojson_key_str(&w, STR("jql"), buf_str(&jql));
    json_key_lit(&w, "maxResults");
    json_i64(&w, 2);
    json_end_object(&w);
    gojson_finish(&body);
    buf_done(&jql);
    JsonValue *json;
    *ret = NULL;
    if (!call(n, "POST", search_url(n), &body, "failed to look up existing issues: HTTP request to JIRA API", &json))
        return false;
    const JsonValue *issues = json ? json_get(json, STR("issues")) : NULL;
    if (issues && issues->kind == JSON_K_ARRAY) *ret = issues->first;
    return true;
}

/* --- create and update --- */

typedef struct Member {
    Str key;
    Str json; /* the value, ready */
} Member;

static int compare_members(const void *a, const void *b) {
    return str_cmp(((const Member *)a)->key, ((const Member *)b)->key);
}
static int compare_texts(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

static Str quoted(Notify *n, Str s) {
    Buf b = {0};
    json_put_string(&b, s);
    return notify_copy_buf(n, &b);
}

static Str named(Notify *n, const char *key, Str s) {
    return arena_printf(n->arena, "{\"%s\":%" STR_FMT "}", key, STR_ARG(quoted(n, s)));
}

static Str labels_json(Notify *n) {
    const YamlNode *own = settings_get(n->s, "labels")->node;
    size_t count = 0;
    Str *v = ARENA_ARRAY(n->arena, Str, 1 + (own ? own->n : 0));
    if (!v) return STR("[]");
    for (const YamlNode *it = own ? own->first : NULL; it; it = it->next) v[count++] = notify_expand_text(n, it->text);
    v[count++] = label(n);
    qsort(v, count, sizeof *v, compare_texts);
    Buf b = {0};
    JsonWriter w = json_writer(&b);
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) json_str(&w, v[i]);
    json_end_array(&w);
    return notify_copy_buf(n, &b);
}

static Str template_of(const Settings *s, const char *key, Str fallback) {
    const Setting *x = settings_get(s, key);
    return x->n_subs && settings_get(x->subs, "template")->set ? settings_text(x->subs, "template") : fallback;
}

static bool may_update(const Settings *s, const char *key) {
    const Setting *x = settings_get(s, key);
    return !x->n_subs || settings_bool(x->subs, "enable_update");
}

/* As encoding/json passes on what is JSON already: without the white space between its tokens. */
static Str compact(Notify *n, Str json) {
    Buf b = {0};
    bool quoted = false;
    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];
        if (!quoted && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) continue;
        buf_put_char(&b, c);
        if (quoted && c == '\\' && i + 1 < json.n)
            buf_put_char(&b, json.p[++i]);
        else if (c == '"')
            quoted = !quoted;
    }
    return notify_copy_buf(n, &b);
}

/* API version 3 wants a document in the place of a text. */
static bool description_json(Notify *n, Str *ret) {
    Str text =
        notify_expand_text(n, template_of(n->s, "description", STR("{{ template \"jira.default.description\" . }}")));
    Str base = settings_text(n->s, "api_url");
    while (str_ends_with(base, STR("/"))) base.n--;
    text = notify_truncate_runes(n, text, DESCRIPTION_MAX);
    *ret = STR_NULL;
    if (!str_ends_with(base, STR("/3"))) {
        if (text.n) *ret = quoted(n, text);
        return true;
    }
    JsonValue *json;
    text = str_trim(text);
    if (text.n && json_parse(text, n->arena, &json, NULL))
        return notify_fail(n, "other", false, "description template: invalid JSON for API v3");
    if (text.n) *ret = compact(n, text);
    return true;
}

static bool put_issue(Notify *n, Str project, bool update, Buf *body) {
    const YamlNode *own = settings_get(n->s, "fields")->node;
    if (!own) own = settings_get(n->s, "custom_fields")->node;
    bool has_fields = own && own->kind == YAML_MAPPING;
    Str description, priority = notify_t(n, "priority");
    if (!description_json(n, &description)) return false;
    Member *v = ARENA_ARRAY(n->arena, Member, 6 + (has_fields ? own->n : 0));
    size_t count = 0;
    if (!v) return notify_fail(n, "other", false, "the issue is too large");
    Str summary = notify_expand_text(n, template_of(n->s, "summary", STR("{{ template \"jira.default.summary\" . }}")));
    if (description.n && (!update || may_update(n->s, "description")))
        v[count++] = (Member){STR("description"), description};
    v[count++] = (Member){STR("issuetype"), named(n, "name", notify_t(n, "issue_type"))};
    v[count++] = (Member){STR("labels"), labels_json(n)};
    if (priority.n) v[count++] = (Member){STR("priority"), named(n, "name", priority)};
    v[count++] = (Member){STR("project"), named(n, "key", project)};
    if (!update || may_update(n->s, "summary"))
        v[count++] = (Member){STR("summary"), quoted(n, notify_truncate_runes(n, summary, SUMMARY_MAX))};
    for (const YamlNode *it = has_fields ? own->first : NULL; it; it = it->next) {
        Buf b = {0};
        JsonWriter w = json_writer(&b);
        notify_put_tree(n, &w, it);
        v[count++] = (Member){it->key->text, notify_copy_buf(n, &b)};
    }
    qsort(v, count, sizeof *v, compare_members);
    buf_put_lit(body, "{\"fields\":{");
    for (size_t i = 0; i < count; i++) {
        if (i) buf_put_char(body, ',');
        json_put_string(body, v[i].key);
        buf_put_char(body, ':');
        buf_put_str(body, v[i].json);
    }
    buf_put_lit(body, "}}");
    gojson_finish(body);
    return true;
}

/* --- transitions --- */

static Str transition_id(const JsonValue *json, Str name) {
    const JsonValue *list = json ? json_get(json, STR("transitions")) : NULL;
    for (const JsonValue *t = list ? list->first : NULL; t; t = t->next)
        if (str_eq(json_get_str(t, STR("name")), name)) return json_get_str(t, STR("id"));
    return STR_NULL;
}

static void transition(Notify *n, const JsonValue *issue) {
    const JsonValue *status = json_get(json_get(issue, STR("fields")), STR("status"));
    Str key = json_get_str(issue, STR("key")),
        category = json_get_str(json_get(status, STR("statusCategory")), STR("key"));
    bool done = str_eq_lit(category, "done"), firing = notify_firing(n);
    Str name = settings_text(n->s, firing ? "reopen_transition" : "resolve_transition");
    if (!status || !key.n || firing != done || !name.n) return;
    Str url = api_path(n, arena_printf(n->arena, "issue/%" STR_FMT "/transitions", STR_ARG(key)));
    JsonValue *json;
    if (!call(n, "GET", url, NULL, NULL, &json)) return;
    Str id = transition_id(json, name);
    if (!id.n) {
        notify_fail(
            n, "other", false, "can't find transition %" STR_FMT " for issue %" STR_FMT, STR_ARG(name), STR_ARG(key));
        return;
    }
    Buf body = {0};
    buf_printf(&body, "{\"transition\":%" STR_FMT "}", STR_ARG(named(n, "id", id)));
    gojson_finish(&body);
    call(n, "POST", url, &body, NULL, &json);
}

void notify_jira(Notify *n) {
    Str project;
    const JsonValue *issue;
    if (!notify_must(n, settings_text(n->s, "project"), "project", &project) || !find_issue(n, project, &issue)) return;
    if (!issue && !notify_firing(n)) return;
    Buf body = {0};
    JsonValue *ignored;
    if (!put_issue(n, project, issue != NULL, &body)) {
        buf_done(&body);
        return;
    }
    Str path = STR("issue");
    if (issue) path = arena_printf(n->arena, "issue/%" STR_FMT, STR_ARG(json_get_str(issue, STR("key"))));
    const char *method = issue ? "PUT" : "POST";
    const char *context = arena_printf(n->arena, "failed to %s request to \"%" STR_FMT "\"", method, STR_ARG(path)).p;
    if (call(n, method, api_path(n, path), &body, context, &ignored) && issue) transition(n, issue);
}
