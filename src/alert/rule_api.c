/* rule_api.c - /api/v1/rules and /api/v1/alerts. Source: Prometheus' HTTP API documentation; keys in its order. */
#include "alert/rule_int.h"
#include "base/hash.h"
#include "base/num.h"
#include "lang/lexer.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --- values --- */

static void put_time(JsonWriter *w, int64_t ns) {
    Buf text = {0};
    if (ns == 0)
        buf_put_lit(&text, "0001-01-01T00:00:00Z"); /* Go's zero time: never */
    else
        time_put_rfc3339(&text, ns);
    json_str(w, buf_str(&text));
    buf_done(&text);
}

/* As Go's 'e' format with the shortest digits: 1e+00, 1.5e-03. */
static void put_value(JsonWriter *w, double v) {
    Buf text = {0};
    if (v != v || v - v != 0) {
        num_put_f64_prom(&text, v);
    } else {
        uint64_t digits;
        int exp10;
        bool negative;
        char d[24];
        num_shortest_f64(v, &digits, &exp10, &negative);
        int n = snprintf(d, sizeof d, "%llu", (unsigned long long)digits);
        int e = digits ? exp10 + n - 1 : 0;
        buf_printf(&text, "%s%c%s%s", negative ? "-" : "", d[0], n > 1 ? "." : "", d + 1);
        buf_printf(&text, "e%c%02d", e < 0 ? '-' : '+', abs(e));
    }
    json_str(w, buf_str(&text));
    buf_done(&text);
}

static void put_alert(JsonWriter *w, const RuleAlert *a) {
    json_begin_object(w);
    json_key_lit(w, "labels");
    rule_put_labels(w, a->labels);
    json_key_lit(w, "annotations");
    rule_put_labels(w, a->annotations);
    json_key_lit(w, "state");
    json_str(w, str_cstr(rule_state_name(a->state)));
    json_key_lit(w, "activeAt");
    put_time(w, a->active_ns);
    if (a->keep_since_ns) {
        json_key_lit(w, "keepFiringSince");
        put_time(w, a->keep_since_ns);
    }
    json_key_lit(w, "value");
    put_value(w, a->value);
    json_end_object(w);
}

static int alert_cmp(const void *a, const void *b) {
    const RuleAlert *x = *(RuleAlert *const *)a, *y = *(RuleAlert *const *)b;
    if (x->active_ns != y->active_ns) return x->active_ns < y->active_ns ? -1 : 1;
    return labels_cmp(x->labels, y->labels);
}

/* Pending and firing ones, the oldest first. */
static void put_active(JsonWriter *w, const Rule *r) {
    VEC(RuleAlert *) active = {0};
    size_t it = 0;
    uint64_t *v;
    while (u64map_next(r->alerts, &it, NULL, &v)) {
        RuleAlert *a = (RuleAlert *)(uintptr_t)*v;
        if (a->state != RULE_INACTIVE) vec_push(&active, a);
    }
    if (active.n > 1) qsort(active.v, active.n, sizeof *active.v, alert_cmp);
    for (size_t i = 0; i < active.n; i++) put_alert(w, active.v[i]);
    vec_done(&active);
}

static unsigned worst_state(const Rule *r) {
    unsigned state = RULE_INACTIVE;
    size_t it = 0;
    uint64_t *v;
    while (u64map_next(r->alerts, &it, NULL, &v)) state = MAX(state, ((const RuleAlert *)(uintptr_t)*v)->state);
    return state;
}

static void put_health(JsonWriter *w, const Rule *r, const char *type) {
    static const char *const names[] = {"unknown", "ok", "err"};
    json_key_lit(w, "health");
    json_str(w, str_cstr(names[r->health]));
    if (r->last_error) {
        json_key_lit(w, "lastError");
        json_str(w, str_cstr(r->last_error));
    }
    json_key_lit(w, "evaluationTime");
    json_f64(w, (double)r->took_ns / 1e9);
    json_key_lit(w, "lastEvaluation");
    put_time(w, r->evaluated_ns);
    if (r->def.datasource.n) {
        json_key_lit(w, "datasource");
        json_str(w, r->def.datasource);
    }
    if (r->def.range_ms) {
        json_key_lit(w, "range");
        json_f64(w, (double)r->def.range_ms / 1000);
    }
    json_key_lit(w, "type");
    json_str(w, str_cstr(type));
}

static void put_alerting(JsonWriter *w, const Rule *r, bool with_alerts) {
    json_begin_object(w);
    json_key_lit(w, "state");
    json_str(w, str_cstr(rule_state_name(worst_state(r))));
    json_key_lit(w, "name");
    json_str(w, r->def.name);
    json_key_lit(w, "query");
    json_str(w, r->query);
    json_key_lit(w, "duration");
    json_f64(w, (double)r->def.for_ms / 1000);
    json_key_lit(w, "keepFiringFor");
    json_f64(w, (double)r->def.keep_firing_for_ms / 1000);
    json_key_lit(w, "labels");
    rule_put_labels(w, r->def.labels);
    json_key_lit(w, "annotations");
    rule_put_labels(w, r->def.annotations);
    json_key_lit(w, "alerts");
    if (with_alerts) {
        json_begin_array(w);
        put_active(w, r);
        json_end_array(w);
    } else {
        json_null(w);
    }
    put_health(w, r, "alerting");
    json_end_object(w);
}

static void put_recording(JsonWriter *w, const Rule *r) {
    json_begin_object(w);
    json_key_lit(w, "name");
    json_str(w, r->def.name);
    json_key_lit(w, "query");
    json_str(w, r->query);
    if (r->def.labels.n) {
        json_key_lit(w, "labels");
        rule_put_labels(w, r->def.labels);
    }
    put_health(w, r, "recording");
    json_end_object(w);
}

/* --- what is asked for --- */

#define NAMES_MAX 256

typedef struct Filter {
    Str rules[NAMES_MAX], groups[NAMES_MAX], files[NAMES_MAX];
    size_t n_rules, n_groups, n_files;
    Matchers *matchers;
    size_t n_matchers;
    bool alerting, recording, with_alerts, logs_only;
    int64_t group_limit; /* 0: none */
    Str next_token;
} Filter;

static ErrCode bad(Err *reterr, const char *name, const char *fmt, ...) ATTR_PRINTF(3, 4);
static ErrCode bad(Err *reterr, const char *name, const char *fmt, ...) {
    char msg[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    return err_set(reterr, ERR_INVALID, "invalid parameter \"%s\": %s", name, msg);
}

static bool all_digits(Str s) {
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) s = str_skip(s, 1);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    return s.n > 0;
}

/* Prometheus compares these in lower case, and repeats them so; bytes that are no UTF-8 are lost on the way. */
static Str lower_param(HttpRequest *req, const char *name) {
    Str s = http_param(req, str_cstr(name));
    Buf out = {0};
    size_t len;
    for (size_t i = 0; i < s.n; i += len) {
        (void)lang_rune_at(s, i, &len);
        bool plain = (unsigned char)s.p[i] < 0x80;
        if (plain)
            buf_put_char(&out, (char)tolower((unsigned char)s.p[i]));
        else
            buf_put_str(&out, len > 1 ? str_slice(s, i, i + len) : STR("\xef\xbf\xbd"));
    }
    s = arena_copy(req->arena, buf_str(&out));
    buf_done(&out);
    return s;
}

/* What came, as Go quotes it. */
static Str quoted(HttpRequest *req, Str s) {
    Buf out = {0};
    lang_put_quoted(&out, s);
    s = arena_copy(req->arena, buf_str(&out));
    buf_done(&out);
    return s;
}

static ErrCode parse_paging(HttpRequest *req, Filter *f, Err *reterr) {
    Str limit = http_param(req, STR("group_limit"));
    f->next_token = http_param(req, STR("group_next_token"));
    if (f->next_token.n && limit.n == 0)
        return bad(reterr, "group_next_token", "group_limit needs to be present in order to paginate over the groups");
    if (limit.n == 0) return OK;
    bool number = num_parse_i64(limit, &f->group_limit), fits = number && f->group_limit == (int32_t)f->group_limit;
    if (!fits) /* 32 bits, and no sign but one: all digits are too many of them */
        return bad(reterr, "group_limit",
            "group_limit needs to be a valid number: strconv.ParseInt: parsing %" STR_FMT ": %s",
            STR_ARG(quoted(req, limit)), number || all_digits(limit) ? "value out of range" : "invalid syntax");
    if (f->group_limit <= 0) return bad(reterr, "group_limit", "group_limit needs to be greater than 0");
    return OK;
}

static ErrCode parse_matchers(HttpRequest *req, Filter *f, Err *reterr) {
    Err err = {0};
    const Str *texts = http_all_params(req, STR("match[]"), &f->n_matchers);
    f->matchers = ARENA_ARRAY(req->arena, Matchers, f->n_matchers);
    if (!f->matchers || !texts) return err_set(reterr, ERR_TOO_LARGE, "too many parameters match[]");
    for (size_t i = 0; i < f->n_matchers; i++)
        if (promql_parse_selector(texts[i], req->arena, &f->matchers[i], &err) != OK)
            return err_set(reterr, ERR_INVALID, "%s", err.msg); /* without the parameter's name, as Prometheus has it */
        else if (matchers_match_empty(f->matchers[i]))
            return err_set(reterr, ERR_INVALID, "match[] must contain at least one non-empty matcher");
    return OK;
}

static ErrCode parse_filter(HttpRequest *req, Filter *f, Err *reterr) {
    Str wrong = http_form_error(req);
    if (wrong.n) return err_set(reterr, ERR_INVALID, "error parsing form values: %" STR_FMT, STR_ARG(wrong));
    Str type = lower_param(req, "type"), exclude = lower_param(req, "exclude_alerts");
    bool without = false;
    f->n_rules = http_params(req, STR("rule_name[]"), f->rules, NAMES_MAX);
    f->n_groups = http_params(req, STR("rule_group[]"), f->groups, NAMES_MAX);
    f->n_files = http_params(req, STR("file[]"), f->files, NAMES_MAX);
    f->alerting = type.n == 0 || str_eq_nocase(type, STR("alert"));
    f->recording = type.n == 0 || str_eq_nocase(type, STR("record"));
    if (!f->alerting && !f->recording)
        return bad(reterr, "type", "not supported value %" STR_FMT, STR_ARG(quoted(req, type)));
    if (exclude.n && !num_parse_bool(exclude, &without))
        return bad(reterr, "exclude_alerts",
            "error converting exclude_alerts: strconv.ParseBool: parsing %" STR_FMT ": invalid syntax",
            STR_ARG(quoted(req, exclude)));
    f->with_alerts = !without;
    ErrCode r = parse_paging(req, f, reterr);
    return r == OK ? parse_matchers(req, f, reterr) : r;
}

static bool listed(const Str *v, size_t n, Str s) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(v[i], s)) return true;
    return n == 0;
}

static bool wanted(const Filter *f, const Rule *r) {
    if (f->logs_only && !str_eq_lit(r->def.datasource, "loki")) return false;
    if (!(r->def.alerting ? f->alerting : f->recording) || !listed(f->rules, f->n_rules, r->def.name)) return false;
    for (size_t i = 0; i < f->n_matchers; i++) {
        Matchers ms = f->matchers[i];
        bool all = true;
        for (size_t k = 0; k < ms.n; k++) all &= matcher_matches(ms.v[k], labels_get(r->def.labels, ms.v[k]->name));
        if (all) return true;
    }
    return f->n_matchers == 0;
}

static void token_of(const RuleGroup *g, char out[40]) {
    Buf text = {0};
    buf_printf(&text, "%" STR_FMT ";%" STR_FMT, STR_ARG(g->file), STR_ARG(g->name));
    snprintf(out, 40, "%016llx%016llx", (unsigned long long)hash_xx64(buf_str(&text), 1),
        (unsigned long long)hash_xx64(buf_str(&text), 2));
    buf_done(&text);
}

/* Where the page begins; n when the token fits no group. */
static size_t first_group(const Filter *f, RuleGroup *const *groups, size_t n) {
    char token[40];
    for (size_t i = 0; i < n; i++) {
        token_of(groups[i], token);
        if (f->next_token.n == 0 || str_eq(f->next_token, str_cstr(token))) return i;
    }
    return f->next_token.n ? n : 0;
}

static void put_group(JsonWriter *w, RuleGroup *g, const Filter *f) {
    json_begin_object(w);
    json_key_lit(w, "name");
    json_str(w, g->name);
    json_key_lit(w, "file");
    json_str(w, g->file);
    json_key_lit(w, "rules");
    json_begin_array(w);
    for (size_t i = 0; i < g->n_rules; i++) {
        if (!wanted(f, &g->rules[i])) continue;
        if (g->rules[i].def.alerting)
            put_alerting(w, &g->rules[i], f->with_alerts);
        else
            put_recording(w, &g->rules[i]);
    }
    json_end_array(w);
    json_key_lit(w, "interval");
    json_f64(w, (double)g->interval_ns / 1e9);
    json_key_lit(w, "limit");
    json_i64(w, g->limit);
    json_key_lit(w, "evaluationTime");
    json_f64(w, (double)g->took_ns / 1e9);
    json_key_lit(w, "lastEvaluation");
    put_time(w, g->evaluated_ns);
    json_end_object(w);
}

static bool group_wanted(const RuleGroup *g, const Filter *f) {
    if (!listed(f->groups, f->n_groups, g->name) || !listed(f->files, f->n_files, g->file)) return false;
    for (size_t i = 0; i < g->n_rules; i++)
        if (wanted(f, &g->rules[i])) return true;
    return false;
}

static void put_groups(JsonWriter *w, RuleGroup **groups, size_t from, size_t n, const Filter *f) {
    char token[40] = "";
    int64_t put = 0;
    json_begin_object(w);
    json_key_lit(w, "groups");
    json_begin_array(w);
    for (size_t i = from; i < n; i++) {
        RuleGroup *g = groups[i];
        if (!group_wanted(g, f)) continue;
        if (f->group_limit && put++ == f->group_limit) {
            token_of(g, token);
            break;
        }
        mutex_lock(&g->mutex);
        put_group(w, g, f);
        mutex_unlock(&g->mutex);
    }
    json_end_array(w);
    if (token[0]) {
        json_key_lit(w, "groupNextToken");
        json_str(w, str_cstr(token));
    }
    json_end_object(w);
}

ErrCode rule_put_rules(RuleManager *m, HttpRequest *req, bool logs_only, JsonWriter *w, Err *reterr) {
    Filter *f = ARENA_NEW(req->arena, Filter);
    if (!f) return err_set(reterr, ERR_TOO_LARGE, "no memory for the request");
    f->logs_only = logs_only;
    ErrCode r = parse_filter(req, f, reterr);
    if (r != OK) return r;
    RuleGroup **groups;
    size_t n = rule_manager_snapshot(m, &groups), from = first_group(f, groups, n);
    if (from == n && f->next_token.n)
        r = bad(reterr, "group_next_token", "invalid group_next_token '%" STR_FMT "'. were rule groups changed?",
            STR_ARG(f->next_token));
    else
        put_groups(w, groups, from, n, f);
    rule_manager_release(groups, n);
    return r;
}

ErrCode rule_manager_put_rules(RuleManager *m, HttpRequest *req, JsonWriter *w, Err *reterr) {
    return rule_put_rules(m, req, false, w, reterr);
}

void rule_put_alerts(RuleManager *m, bool logs_only, JsonWriter *w) {
    RuleGroup **groups;
    size_t n = rule_manager_snapshot(m, &groups);
    json_begin_object(w);
    json_key_lit(w, "alerts");
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        mutex_lock(&groups[i]->mutex);
        for (size_t k = 0; k < groups[i]->n_rules; k++)
            if (groups[i]->rules[k].alerts && (!logs_only || str_eq_lit(groups[i]->rules[k].def.datasource, "loki")))
                put_active(w, &groups[i]->rules[k]);
        mutex_unlock(&groups[i]->mutex);
    }
    json_end_array(w);
    json_end_object(w);
    rule_manager_release(groups, n);
}

void rule_manager_put_alerts(RuleManager *m, JsonWriter *w) { rule_put_alerts(m, false, w); }
