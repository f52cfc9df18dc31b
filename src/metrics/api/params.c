/* params.c - parameters of the API: times, durations, limits, matchers, with Prometheus' error texts. */
#include "metrics/api/api_int.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "lang/lexer.h"

#include <ctype.h>
#include <math.h>

/* A number as Go's ParseFloat takes it: underscores may stand between digits. */
static bool parse_go_number(Str s, double *ret) {
    char clean[64];
    size_t n = 0;
    if (s.n == 0 || str_find_char(s, '_') == SIZE_MAX) return s.n && num_parse_f64(s, ret);
    if (s.n > sizeof clean) return false;
    for (size_t i = 0; i < s.n; i++) {
        bool between = i && i + 1 < s.n && isdigit((unsigned char)s.p[i - 1]) && isdigit((unsigned char)s.p[i + 1]);
        if (s.p[i] != '_')
            clean[n++] = s.p[i];
        else if (!between)
            return false;
    }
    return num_parse_f64(str_of(clean, n), ret);
}

bool api_parse_time(Str s, int64_t *ret_ms) {
    double v;
    if (parse_go_number(s, &v) && isfinite(v)) {
        double whole, frac = modf(v, &whole), ms = whole * 1000 + round(frac * 1000);
        *ret_ms = ms > (double)API_MAX_TIME_MS   ? API_MAX_TIME_MS
                  : ms < (double)API_MIN_TIME_MS ? API_MIN_TIME_MS
                                                 : (int64_t)ms;
        return true;
    }
    if (str_eq_lit(s, "-292273086-05-16T16:47:06Z")) return *ret_ms = API_MIN_TIME_MS, true;
    if (str_eq_lit(s, "292277025-08-18T07:12:54.999999999Z")) return *ret_ms = API_MAX_TIME_MS, true;
    return time_parse_rfc3339_ms(s, ret_ms);
}

static bool is_digit_after_sign(Str s) {
    size_t i = s.p[0] == '+' || s.p[0] == '-';
    return i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.');
}

bool api_parse_duration(Str s, int64_t *ret_ms, bool *ret_overflow) {
    double v;
    *ret_overflow = false;
    bool number = parse_go_number(s, &v);
    if (number && isinf(v) && is_digit_after_sign(s)) number = false; /* 1e400: Go has no number for it */
    if (number) {
        *ret_overflow = isnan(v) || v > 9223372036.854775 || v < -9223372036.854775;
        if (*ret_overflow) return false;
        double ms = v * 1000;
        *ret_ms = ms > 0 && ms < 1 ? 1 : (int64_t)ms;
        return true;
    }
    return duration_parse_prom(s, ret_ms);
}

Str api_quoted(ApiCall *c, Str s) {
    Buf b = {0};
    lang_put_quoted(&b, s);
    Str text = arena_copy(c->req->arena, buf_str(&b));
    buf_done(&b);
    return text.p ? text : STR("\"\"");
}

bool api_time_param(ApiCall *c, const char *name, int64_t missing_ms, int64_t *ret_ms) {
    Str s = http_param(c->req, str_cstr(name));
    bool required = missing_ms == INT64_MIN;
    if (s.n == 0 && !required) {
        *ret_ms = missing_ms;
        return true;
    }
    if (api_parse_time(s, ret_ms)) return true;
    Str q = api_quoted(c, s);
    if (required) return api_fail_param(c, name, "cannot parse %" STR_FMT " to a valid timestamp", STR_ARG(q));
    return api_fail_param(
        c, name, "invalid time value for '%s': cannot parse %" STR_FMT " to a valid timestamp", name, STR_ARG(q));
}

bool api_duration_param(ApiCall *c, const char *name, int64_t *ret_ms) {
    Str s = http_param(c->req, str_cstr(name));
    bool overflow;
    if (api_parse_duration(s, ret_ms, &overflow)) return true;
    return api_fail_param(c, name, "cannot parse %" STR_FMT " to a valid duration%s", STR_ARG(api_quoted(c, s)),
        overflow ? ". It overflows int64" : "");
}

static bool is_integer(Str s) {
    size_t i = s.p[0] == '+' || s.p[0] == '-';
    for (size_t k = i; k < s.n; k++)
        if (s.p[k] < '0' || s.p[k] > '9') return false;
    return i < s.n;
}

bool api_limit_param(ApiCall *c, size_t *ret) {
    Str s = http_param(c->req, STR("limit"));
    int64_t v;
    *ret = 0;
    if (s.n == 0) return true;
    if (!num_parse_i64(s, &v))
        return api_fail_param(c, "limit", "strconv.Atoi: parsing %" STR_FMT ": %s", STR_ARG(api_quoted(c, s)),
            is_integer(s) ? "value out of range" : "invalid syntax");
    if (v < 0) return api_fail_param(c, "limit", "limit must be non-negative");
    *ret = (size_t)v;
    return true;
}

bool api_check_form(ApiCall *c) {
    Str wrong = http_form_error(c->req);
    if (wrong.n == 0) return true;
    return api_fail(c, API_BAD_DATA, "error parsing form values: %" STR_FMT, STR_ARG(wrong));
}

bool api_match_param(ApiCall *c, bool required, MatcherSets *ret) {
    size_t n;
    const Str *texts = http_all_params(c->req, STR("match[]"), &n);
    Arena *arena = c->req->arena;
    *ret = (MatcherSets){ARENA_ARRAY(arena, Matchers, n), n};
    if (required && n == 0) return api_fail(c, API_BAD_DATA, "no match[] parameter provided");
    if (!ret->v || !texts) return api_fail(c, API_EXECUTION, "query needs more memory than it may use");
    for (size_t i = 0; i < ret->n; i++) {
        Err err = {0};
        if (promql_parse_selector(texts[i], arena, &ret->v[i], &err) != OK)
            return required ? api_fail_param(c, "match[]", "%s", err.msg) : api_fail(c, API_BAD_DATA, "%s", err.msg);
        if (!matchers_match_empty(ret->v[i])) continue;
        static const char text[] = "match[] must contain at least one non-empty matcher";
        return required ? api_fail_param(c, "match[]", text) : api_fail(c, API_BAD_DATA, text);
    }
    return true;
}

void api_put_time(Buf *b, int64_t t_ms) {
    if (t_ms < 0) buf_put_char(b, '-');
    uint64_t t = t_ms < 0 ? 0 - (uint64_t)t_ms : (uint64_t)t_ms;
    num_put_u64(b, t / 1000);
    if (t % 1000) buf_printf(b, ".%03u", (unsigned)(t % 1000));
}

void api_put_value(Buf *b, double v) {
    buf_put_char(b, '"');
    num_put_f64_prom(b, v);
    buf_put_char(b, '"');
}
