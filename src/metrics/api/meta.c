/* meta.c - what series there are: labels, label values, series, metadata; and their deletion. */
#include "metrics/api/api_int.h"

#include "base/num.h"
#include "lang/lexer.h"

#include <stdlib.h>

static int cmp_str(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }
static int cmp_labels(const void *a, const void *b) { return labels_cmp(*(const Labels *)a, *(const Labels *)b); }

static bool time_range(ApiCall *c, MetricsSelect *sel) {
    return api_time_param(c, "start", API_MIN_TIME_MS, &sel->min_t_ms) &&
           api_time_param(c, "end", API_MAX_TIME_MS, &sel->max_t_ms);
}

typedef VEC(Str) Strings;

static void sort_unique(Strings *v) {
    if (v->n < 2) return;
    qsort(v->v, v->n, sizeof *v->v, cmp_str);
    size_t out = 1;
    for (size_t i = 1; i < v->n; i++)
        if (!str_eq(v->v[i], v->v[out - 1])) v->v[out++] = v->v[i];
    v->n = out;
}

static void put_strings(ApiCall *c, const Strings *v, size_t limit) {
    size_t n = v->n;
    if (limit && n > limit) {
        n = limit;
        api_warn(c, STR("results truncated due to limit"));
    }
    json_begin_array(&c->w);
    for (size_t i = 0; i < n; i++) json_str(&c->w, v->v[i]);
    json_end_array(&c->w);
}

/* Names (name is NULL) or values over all matcher sets. */
static bool list_strings(ApiCall *c, const Str *name, size_t limit) {
    MetricsStore *store = c->api->opts.store;
    MetricsSelect sel = {.arena = c->req->arena};
    MatcherSets sets;
    if (!time_range(c, &sel) || !api_match_param(c, false, &sets)) return false;
    Strings all = {0};
    Err err = {0};
    ErrCode rc = OK;
    size_t ask = limit ? limit + 1 : 0;
    for (size_t i = 0; rc == OK && i < MAX(sets.n, (size_t)1); i++) {
        Str *v = NULL;
        size_t n = 0;
        sel.matchers = sets.n ? sets.v[i] : (Matchers){0};
        rc = name ? store->ops->label_values(store, &sel, *name, ask, &v, &n, &err)
                  : store->ops->label_names(store, &sel, ask, &v, &n, &err);
        for (size_t k = 0; rc == OK && k < n; k++) vec_push(&all, v[k]);
    }
    if (rc == OK) {
        sort_unique(&all);
        put_strings(c, &all, limit);
    } else {
        api_fail_err(c, &err);
    }
    vec_done(&all);
    return rc == OK;
}

bool api_labels(ApiCall *c) {
    size_t limit;
    return api_limit_param(c, &limit) && list_strings(c, NULL, limit);
}

static int hex_digit(char ch) {
    if (ch >= '0' && ch <= '9') return ch - '0';
    if (ch >= 'a' && ch <= 'f') return ch - 'a' + 10;
    return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

/* U__a_2e_b is a.b: _hex_ is a code point, __ an underscore. What is malformed stays as it is. */
static Str unescape_name(Arena *arena, Str s) {
    Buf b = {0};
    bool ok = true;
    for (size_t i = 3; ok && i < s.n; i++) {
        if (s.p[i] != '_') {
            buf_put_char(&b, s.p[i]);
            continue;
        }
        if (i + 1 < s.n && s.p[i + 1] == '_') {
            buf_put_char(&b, '_');
            i++;
            continue;
        }
        uint32_t rune = 0;
        size_t digits = 0;
        for (i++; i < s.n && digits <= 6 && hex_digit(s.p[i]) >= 0; i++, digits++)
            rune = rune * 16 + (uint32_t)hex_digit(s.p[i]);
        ok = digits > 0 && digits <= 6 && i < s.n && s.p[i] == '_' && rune <= 0x10FFFF &&
             !(rune >= 0xD800 && rune < 0xE000);
        if (ok) lang_put_utf8(&b, rune);
    }
    Str name = ok ? arena_copy(arena, buf_str(&b)) : s;
    buf_done(&b);
    return name;
}

bool api_label_values(ApiCall *c) {
    Str name = http_path_param(c->req, STR("name"));
    if (str_starts_with(name, STR("U__"))) name = unescape_name(c->req->arena, name);
    if (name.n == 0 || !str_is_utf8(name)) {
        Buf b = {0};
        lang_put_quoted(&b, name);
        api_fail(c, API_BAD_DATA, "invalid label name: %s", buf_cstr(&b));
        buf_done(&b);
        return false;
    }
    size_t limit;
    return api_limit_param(c, &limit) && list_strings(c, &name, limit);
}

static void put_label_set(JsonWriter *w, Labels l) {
    json_begin_object(w);
    for (size_t i = 0; i < l.n; i++) {
        json_key(w, l.v[i].name);
        json_str(w, l.v[i].value);
    }
    json_end_object(w);
}

static void put_series(ApiCall *c, Labels *v, size_t n, size_t limit) {
    size_t shown = 0;
    if (n > 1) qsort(v, n, sizeof *v, cmp_labels);
    json_begin_array(&c->w);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && labels_eq(v[i], v[i - 1])) continue;
        if (limit && shown++ == limit) {
            api_warn(c, STR("results truncated due to limit"));
            break;
        }
        put_label_set(&c->w, v[i]);
    }
    json_end_array(&c->w);
}

bool api_series(ApiCall *c) {
    MetricsStore *store = c->api->opts.store;
    MetricsSelect sel = {.arena = c->req->arena};
    MatcherSets sets;
    size_t limit;
    if (!api_check_form(c)) return false;
    if (http_params(c->req, STR("match[]"), &(Str){0}, 1) == 0)
        return api_fail(c, API_BAD_DATA, "no match[] parameter provided");
    if (!api_limit_param(c, &limit) || !time_range(c, &sel) || !api_match_param(c, true, &sets)) return false;
    VEC(Labels) all = {0};
    Err err = {0};
    ErrCode rc = OK;
    for (size_t i = 0; rc == OK && i < sets.n; i++) {
        Labels *v = NULL;
        size_t n = 0;
        sel.matchers = sets.v[i];
        rc = store->ops->series(store, &sel, limit ? limit + 1 : 0, &v, &n, &err);
        for (size_t k = 0; rc == OK && k < n; k++) vec_push(&all, v[k]);
    }
    if (rc == OK)
        put_series(c, all.v, all.n, limit);
    else
        api_fail_err(c, &err);
    vec_done(&all);
    return rc == OK;
}

/* --- metadata --- */

bool api_count_param(ApiCall *c, const char *name, int64_t *ret) {
    Str s = http_param(c->req, str_cstr(name));
    *ret = -1;
    if (s.n == 0 || num_parse_i64(s, ret)) return true;
    return api_fail(c, API_BAD_DATA, "%s must be a number", name);
}

static int cmp_metric(const void *a, const void *b) {
    const MetricMetadata *x = a, *y = b;
    int k = str_cmp(x->metric, y->metric);
    if (k == 0) k = (x->type > y->type) - (x->type < y->type);
    if (k == 0) k = str_cmp(x->help, y->help);
    return k ? k : str_cmp(x->unit, y->unit);
}

static void put_metadata(JsonWriter *w, const MetricMetadata *v, size_t n, int64_t limit, int64_t per_metric) {
    int64_t metrics = 0;
    json_begin_object(w);
    for (size_t i = 0; i < n && (limit < 0 || metrics < limit); metrics++) {
        size_t end = i;
        while (end < n && str_eq(v[end].metric, v[i].metric)) end++;
        json_key(w, v[i].metric);
        json_begin_array(w);
        int64_t shown = 0;
        for (; i < end; i++) {
            bool again = shown > 0 && cmp_metric(&v[i], &v[i - 1]) == 0;
            if (again || (per_metric > 0 && shown >= per_metric)) continue;
            shown++;
            json_begin_object(w);
            json_key_lit(w, "type");
            json_str(w, str_cstr(metric_type_name(v[i].type)));
            json_key_lit(w, "help");
            json_str(w, v[i].help);
            json_key_lit(w, "unit");
            json_str(w, v[i].unit);
            json_end_object(w);
        }
        json_end_array(w);
    }
    json_end_object(w);
}

bool api_metadata(ApiCall *c) {
    MetricsStore *store = c->api->opts.store;
    int64_t limit, per_metric;
    if (!api_count_param(c, "limit", &limit) || !api_count_param(c, "limit_per_metric", &per_metric)) return false;
    MetricMetadata *v = NULL;
    size_t n = 0;
    Err err = {0};
    if (store->ops->metadata(store, http_param(c->req, STR("metric")), c->req->arena, &v, &n, &err) != OK)
        return api_fail_err(c, &err);
    if (n > 1) qsort(v, n, sizeof *v, cmp_metric);
    put_metadata(&c->w, v, n, limit, per_metric);
    return true;
}

/* --- deletion --- */

bool api_delete_series(ApiCall *c) {
    MetricsStore *store = c->api->opts.store;
    MetricsSelect sel = {.arena = c->req->arena};
    MatcherSets sets;
    if (!c->api->opts.admin_api) return api_fail(c, API_UNAVAILABLE, "admin APIs disabled");
    if (!api_check_form(c)) return false;
    if (!api_match_param(c, true, &sets) || !time_range(c, &sel)) return false;
    for (size_t i = 0; i < sets.n; i++) {
        uint64_t deleted;
        Err err = {0};
        sel.matchers = sets.v[i];
        if (store->ops->delete_series(store, &sel, &deleted, &err) != OK) return api_fail_err(c, &err);
    }
    c->no_data = true;
    return true;
}
