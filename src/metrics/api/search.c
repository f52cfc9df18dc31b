/* search.c - /api/v1/search/...: names and values for completion, ranked, as lines of JSON (NDJSON).
 *
 * Lines of {"results":[..]} with at most batch_size entries, then {"status":"success","has_more":..}. What is wrong
 * with the request is told by the usual error object. Source: Prometheus 3.14's search API. */
#include "metrics/api/api_int.h"
#include "metrics/api/fuzzy.h"

#include "base/num.h"
#include "lang/lexer.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000
#define HOUR_MS INT64_C(3600000)

typedef enum SearchKind { SEARCH_METRIC_NAMES, SEARCH_LABEL_NAMES, SEARCH_LABEL_VALUES } SearchKind;
typedef enum SearchOrder { ORDER_UP, ORDER_DOWN, ORDER_SCORE } SearchOrder;

typedef struct Hit {
    Str value;
    double score;
} Hit;

typedef struct Search {
    ApiCall *c;
    SearchKind kind;
    FuzzySearch fuzzy;
    MetricsSelect sel;
    MatcherSets sets;
    SearchOrder order;
    bool scores, metadata;
    size_t limit, batch;
    VEC(Hit) hits;
} Search;

/* --- parameters --- */

static bool fail_quoted(ApiCall *c, const char *what, Str value, const char *rule) {
    Buf b = {0};
    lang_put_quoted(&b, value);
    api_fail(c, API_BAD_DATA, "%s %s: %s", what, buf_cstr(&b), rule);
    buf_done(&b);
    return false;
}

static bool bool_param(ApiCall *c, const char *name, bool *ret) {
    Str s = http_param(c->req, str_cstr(name));
    char what[64];
    if (s.n == 0 || num_parse_bool(s, ret)) return true;
    snprintf(what, sizeof what, "invalid %s", name);
    return fail_quoted(c, what, s, "must be boolean");
}

static bool size_param(ApiCall *c, const char *name, size_t *ret) {
    Str s = http_param(c->req, str_cstr(name));
    int64_t v;
    char what[64];
    if (s.n == 0) return true;
    snprintf(what, sizeof what, "invalid %s", name);
    if (!num_parse_i64(s, &v) || v <= 0) return fail_quoted(c, what, s, "must be a positive integer");
    *ret = (size_t)v;
    return true;
}

static bool read_time(ApiCall *c, const char *name, int64_t missing_ms, int64_t *ret_ms) {
    Str s = http_param(c->req, str_cstr(name));
    *ret_ms = missing_ms;
    if (s.n == 0 || api_parse_time(s, ret_ms)) return true;
    Buf b = {0};
    lang_put_quoted(&b, s);
    api_fail(c, API_BAD_DATA, "invalid time value for '%s': cannot parse %s to a valid timestamp", name, buf_cstr(&b));
    buf_done(&b);
    return false;
}

static bool read_terms(Search *s) {
    ApiCall *c = s->c;
    Str terms[FUZZY_TERMS_MAX + 1], v = http_param(c->req, STR("fuzz_threshold"));
    int64_t threshold = 0;
    bool case_sensitive = true;
    size_t n = http_params(c->req, STR("search[]"), terms, ARRAY_LEN(terms));
    if (n > FUZZY_TERMS_MAX)
        return api_fail(c, API_BAD_DATA, "too many search[] terms: got more than the maximum of %d", FUZZY_TERMS_MAX);
    if (v.n && (!num_parse_i64(v, &threshold) || threshold < 0 || threshold > 100))
        return fail_quoted(c, "invalid fuzz_threshold", v, "must be 0-100");
    v = http_param(c->req, STR("fuzz_alg"));
    if (str_eq_lit(v, "jarowinkler"))
        s->fuzzy.algorithm = FUZZY_JARO_WINKLER;
    else if (v.n && !str_eq_lit(v, "subsequence"))
        return fail_quoted(c, "unsupported fuzz_alg", v, "must be one of [subsequence jarowinkler]");
    if (!bool_param(c, "case_sensitive", &case_sensitive)) return false;
    s->fuzzy.threshold = (double)threshold / 100;
    s->fuzzy.ignore_case = !case_sensitive;
    for (size_t i = 0; i < n; i++)
        if (!fuzzy_add_term(&s->fuzzy, terms[i], c->req->arena))
            return api_fail(c, API_EXECUTION, "query needs more memory than it may use");
    return true;
}

static bool read_order(Search *s, const char *endpoint) {
    ApiCall *c = s->c;
    Str by = http_param(c->req, STR("sort_by")), dir = http_param(c->req, STR("sort_dir"));
    bool score = str_eq_lit(by, "score");
    if (dir.n && by.n == 0) return api_fail(c, API_BAD_DATA, "sort_dir is only valid when sort_by is set");
    if (dir.n && score) return api_fail(c, API_BAD_DATA, "sort_dir is not supported for sort_by=score");
    if (dir.n && !str_eq_lit(dir, "asc") && !str_eq_lit(dir, "dsc"))
        return fail_quoted(c, "invalid sort_dir", dir, "must be \"asc\" or \"dsc\"");
    if (score && !http_has_param(c->req, STR("search[]")))
        return api_fail(c, API_BAD_DATA, "sort_by=score requires search[] to be set");
    if (by.n && !score && !str_eq_lit(by, "alpha")) {
        Buf quoted = {0};
        lang_put_quoted(&quoted, by);
        api_fail(
            c, API_BAD_DATA, "invalid sort_by %s for %s: must be \"alpha\" or \"score\"", buf_cstr(&quoted), endpoint);
        buf_done(&quoted);
        return false;
    }
    s->order = score ? ORDER_SCORE : str_eq_lit(dir, "dsc") ? ORDER_DOWN : ORDER_UP;
    return true;
}

static bool read_params(Search *s, const char *endpoint) {
    ApiCall *c = s->c;
    int64_t now = clock_now_ms();
    s->sel.arena = c->req->arena;
    s->limit = s->batch = LIMIT_DEFAULT;
    if (!api_check_form(c)) return false;
    if (!read_time(c, "start", now - HOUR_MS, &s->sel.min_t_ms) || !read_time(c, "end", now, &s->sel.max_t_ms))
        return false;
    if (s->sel.max_t_ms < s->sel.min_t_ms)
        return api_fail(c, API_BAD_DATA, "end timestamp must not be before start timestamp");
    if (!api_match_param(c, false, &s->sets) || !read_terms(s) || !bool_param(c, "include_score", &s->scores) ||
        (s->kind == SEARCH_METRIC_NAMES && !bool_param(c, "include_metadata", &s->metadata)) ||
        !read_order(s, endpoint) || !size_param(c, "limit", &s->limit) || !size_param(c, "batch_size", &s->batch))
        return false;
    if (s->limit <= LIMIT_MAX) return true;
    return api_fail(c, API_BAD_DATA, "limit %zu exceeds the configured maximum (%d, see --web.search.max-limit)",
        s->limit, LIMIT_MAX);
}

/* --- finding --- */

static int by_value(const void *a, const void *b) { return str_cmp(((const Hit *)a)->value, ((const Hit *)b)->value); }
static int by_value_down(const void *a, const void *b) { return by_value(b, a); }
static int by_score(const void *a, const void *b) {
    const Hit *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score ? 1 : -1) : by_value(a, b);
}

static ErrCode collect(Search *s, Str label, Err *err) {
    MetricsStore *store = s->c->api->opts.store;
    ErrCode rc = OK;
    for (size_t i = 0; rc == OK && i < MAX(s->sets.n, (size_t)1); i++) {
        Str *v = NULL;
        size_t n = 0;
        s->sel.matchers = s->sets.n ? s->sets.v[i] : (Matchers){0};
        rc = s->kind == SEARCH_LABEL_NAMES ? store->ops->label_names(store, &s->sel, 0, &v, &n, err)
                                           : store->ops->label_values(store, &s->sel, label, 0, &v, &n, err);
        for (size_t k = 0; rc == OK && k < n; k++) {
            Hit hit = {.value = v[k]};
            if (fuzzy_match(&s->fuzzy, v[k], &hit.score)) vec_push(&s->hits, hit);
        }
    }
    return rc;
}

/* Several matcher sets can find the same; equal values have equal scores. */
static void arrange(Search *s) {
    static int (*const orders[])(const void *, const void *) = {by_value, by_value_down, by_score};
    size_t n = 0;
    if (s->hits.n > 1) qsort(s->hits.v, s->hits.n, sizeof *s->hits.v, orders[s->order]);
    for (size_t i = 0; i < s->hits.n; i++)
        if (i == 0 || !str_eq(s->hits.v[i].value, s->hits.v[n - 1].value)) s->hits.v[n++] = s->hits.v[i];
    s->hits.n = n;
}

/* --- writing --- */

static void put_metadata(Search *s, JsonWriter *w, Str metric) {
    MetricsStore *store = s->c->api->opts.store;
    MetricMetadata *m = NULL;
    size_t n = 0;
    if (store->ops->metadata(store, metric, s->c->req->arena, &m, &n, NULL) != OK || n == 0) return;
    json_key_lit(w, "type");
    json_str(w, str_cstr(metric_type_name(m->type)));
    if (m->help.n) {
        json_key_lit(w, "help");
        json_str(w, m->help);
    }
    if (m->unit.n) {
        json_key_lit(w, "unit");
        json_str(w, m->unit);
    }
}

static void put_batch(Search *s, size_t from, size_t to) {
    JsonWriter w = json_writer(&s->c->res->body);
    json_begin_object(&w);
    json_key_lit(&w, "results");
    json_begin_array(&w);
    for (size_t i = from; i < to; i++) {
        json_begin_object(&w);
        json_key(&w, s->kind == SEARCH_LABEL_VALUES ? STR("value") : STR("name"));
        json_str(&w, s->hits.v[i].value);
        if (s->scores) {
            json_key_lit(&w, "score");
            json_f64(&w, s->hits.v[i].score);
        }
        if (s->metadata && s->kind == SEARCH_METRIC_NAMES) put_metadata(s, &w, s->hits.v[i].value);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    buf_put_char(&s->c->res->body, '\n');
}

static void put_lines(Search *s) {
    HttpResponse *res = s->c->res;
    size_t n = MIN(s->hits.n, s->limit);
    buf_clear(&res->body);
    res->content_type = STR("application/x-ndjson; charset=utf-8");
    for (size_t at = 0; at == 0 || at < n; at += s->batch) put_batch(s, at, at + MIN(s->batch, n - at));
    buf_printf(&res->body, "{\"status\":\"success\",\"has_more\":%s}\n", s->hits.n > s->limit ? "true" : "false");
    s->c->whole = true;
}

static bool search(ApiCall *c, SearchKind kind, const char *endpoint) {
    Search s = {.c = c, .kind = kind};
    Str label = kind == SEARCH_METRIC_NAMES ? LABEL_NAME_METRIC : http_param(c->req, STR("label"));
    Err err = {0};
    if (!read_params(&s, endpoint)) return false;
    if (kind == SEARCH_LABEL_VALUES && label.n == 0)
        return api_fail(c, API_BAD_DATA, "missing required parameter \"label\"");
    ErrCode rc = collect(&s, label, &err);
    if (rc == OK) {
        arrange(&s);
        put_lines(&s);
    } else {
        api_fail_err(c, &err);
    }
    vec_done(&s.hits);
    return rc == OK;
}

bool api_search_metric_names(ApiCall *c) { return search(c, SEARCH_METRIC_NAMES, "metric_names"); }
bool api_search_label_names(ApiCall *c) { return search(c, SEARCH_LABEL_NAMES, "label_names"); }
bool api_search_label_values(ApiCall *c) { return search(c, SEARCH_LABEL_VALUES, "label_values"); }
