/* notify_funcs.c - the functions of notification templates. Source: Alertmanager's notification template reference. */
#include "alert/notify_int.h"
#include "alert/template_funcs.h"
#include "alert/template_parse.h"
#include "alert/tz.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "lang/lexer.h"
#include "sys/clock.h"

#define FN(name) static ErrCode name(GoCall *c, const GoValue *args, size_t n, GoValue *ret)
#define TIME(v) ((const GoTime *)(v).obj)

FN(fn_title) {
    (void)n;
    Buf b = {0};
    template_put_title(&b, args[0].s, true);
    return template_return(c, &b, ret);
}

FN(fn_trim_space) {
    (void)c, (void)n;
    *ret = go_of_str(str_trim(args[0].s));
    return OK;
}

FN(fn_join) {
    (void)n;
    if (!args[1].type) {
        *ret = go_of_str(STR(""));
        return OK;
    }
    if (args[1].type->kind != GO_LIST)
        return err_set(c->err, ERR_INVALID, "join expects a slice or array, got %s", args[1].type->name);
    Buf b = {0};
    for (size_t i = 0, max = arena_left_bytes(c->arena); i < go_len(args[1]) && b.n <= max; i++) { /* then it fails */
        if (i) buf_put_str(&b, args[0].s);
        go_put_value(&b, c->arena, args[1].list->v[i]);
    }
    return template_return(c, &b, ret);
}

FN(fn_safe_url) {
    (void)c, (void)n;
    *ret = (GoValue){.type = go_url, .s = args[0].s};
    return OK;
}

FN(fn_url_unescape) {
    (void)n;
    Str s = args[0].s;
    Buf b = {0};
    for (size_t i = 0; i < s.n; i++) {
        uint8_t byte;
        if (s.p[i] != '%') {
            buf_put_char(&b, s.p[i] == '+' ? ' ' : s.p[i]);
        } else if (i + 2 < s.n && num_parse_hex(str_slice(s, i + 1, i + 3), &byte, 1)) {
            buf_put_char(&b, (char)byte);
            i += 2;
        } else {
            buf_clear(&b);
            lang_put_quoted(&b, str_slice(s, i, MIN(i + 3, s.n)));
            err_set(c->err, ERR_INVALID, "invalid URL escape %s", buf_cstr(&b));
            buf_done(&b);
            return ERR_INVALID;
        }
    }
    return template_return(c, &b, ret);
}

FN(fn_string_slice) {
    *ret = go_of_list(c->arena, go_strings, args, n);
    return OK;
}

/* Values are expanded when they come here. */
FN(fn_route_labels) {
    (void)n;
    const NotifyData *d = c->ctx;
    *ret = go_of_str(d ? labels_get(d->route, args[0].s) : STR(""));
    return OK;
}

/* --- times --- */

FN(fn_date) {
    (void)n;
    Buf b = {0};
    go_time_format(&b, TIME(args[1]), args[0].s);
    return template_return(c, &b, ret);
}

FN(fn_tz) {
    (void)n;
    Tz *tz;
    ErrCode code = tz_load(args[0].s, &tz, c->err);
    if (code) return code;
    GoTime t = *TIME(args[1]);
    TzCivil civil = tz_civil(tz, t.unix_s);
    t.offset_s = civil.offset_s;
    t.zone = arena_copy(c->arena, str_cstr(civil.zone));
    tz_free(tz);
    *ret = go_of_gotime(c->arena, t);
    return OK;
}

FN(fn_now) {
    (void)args, (void)n;
    *ret = go_of_time(c->arena, clock_now_ns());
    return OK;
}

FN(fn_since) {
    (void)c, (void)n;
    int64_t ns = go_time_ns(TIME(args[0])), d;
    if (ns == INT64_MIN || __builtin_sub_overflow(clock_now_ns(), ns, &d)) d = INT64_MAX;
    *ret = go_of_duration(d);
    return OK;
}

FN(fn_to_date) {
    (void)n;
    GoTime t = {.unix_s = GO_TIME_ZERO_S, .zone = STR("UTC")}, parsed;
    if (go_time_parse(args[0].s, args[1].s, &parsed, NULL) == OK) t = parsed;
    *ret = go_of_gotime(c->arena, t);
    return OK;
}

FN(fn_must_to_date) {
    (void)n;
    GoTime t;
    ErrCode code = go_time_parse(args[0].s, args[1].s, &t, c->err);
    if (!code) *ret = go_of_gotime(c->arena, t);
    return code;
}

FN(fn_add_duration) {
    (void)n;
    int64_t d;
    if (!duration_parse_go(args[0].s, &d))
        return err_set(c->err, ERR_INVALID, "time: invalid duration \"%" STR_FMT "\"", STR_ARG(args[0].s));
    const GoTime *t = TIME(args[1]);
    int64_t ns = t->ns + d % NS_PER_S, s = t->unix_s + d / NS_PER_S;
    *ret = (GoValue){.type = go_int64, .i = s * 1000 + ns / NS_PER_MS - (ns < 0 && ns % NS_PER_MS != 0)};
    return OK;
}

/* --- data --- */

FN(fn_to_json) {
    (void)n;
    Buf b = {0};
    gojson_value(&b, args[0], 0);
    gojson_finish(&b);
    b.n--; /* no line end */
    return template_return(c, &b, ret);
}

/* The URL-safe alphabet with padding, as the original has it. */
FN(fn_base64_encode) {
    (void)n;
    Buf b = {0};
    num_put_base64(&b, args[0].s.p, args[0].s.n);
    for (size_t i = 0; i < b.n; i++) b.p[i] = b.p[i] == '+' ? '-' : b.p[i] == '/' ? '_' : b.p[i];
    return template_return(c, &b, ret);
}

FN(fn_base64_decode) {
    (void)n;
    Buf b = {0};
    if (!num_parse_base64(args[0].s, &b)) {
        buf_done(&b);
        return err_set(c->err, ERR_INVALID, "illegal base64 data at input byte 0");
    }
    return template_return(c, &b, ret);
}

FN(fn_list) {
    *ret = go_of_list(c->arena, go_anys, args, n);
    return OK;
}

FN(fn_append) {
    size_t m = go_len(args[0]);
    GoValue *v = ARENA_ARRAY(c->arena, GoValue, m + n);
    if (!v) return err_set(c->err, ERR_TOO_LARGE, "list is too large");
    if (m) memcpy(v, args[0].list->v, m * sizeof *v);
    if (n > 1) memcpy(v + m, args + 1, (n - 1) * sizeof *v);
    *ret = go_of_list(c->arena, go_anys, v, m + n - 1);
    return OK;
}

FN(fn_dict) {
    if (n % 2) return err_set(c->err, ERR_INVALID, "dict requires an even number of arguments");
    GoEntry *v = ARENA_ARRAY(c->arena, GoEntry, n / 2);
    if (!v) return err_set(c->err, ERR_TOO_LARGE, "dict is too large");
    for (size_t i = 0; i < n; i += 2) {
        if (args[i].type != go_string) return err_set(c->err, ERR_INVALID, "dict keys must be strings");
        v[i / 2] = (GoEntry){args[i].s, args[i + 1]};
    }
    n /= 2;
    go_sort_entries(v, &n);
    *ret = go_of_map(c->arena, go_any_map, v, n);
    return OK;
}

const GoFunc notify_funcs[] = {
    {STR_INIT("toUpper"), template_to_upper, {go_string}, 1, false},
    {STR_INIT("toLower"), template_to_lower, {go_string}, 1, false},
    {STR_INIT("title"), fn_title, {go_string}, 1, false},
    {STR_INIT("trimSpace"), fn_trim_space, {go_string}, 1, false},
    {STR_INIT("join"), fn_join, {go_string, go_any}, 2, false},
    {STR_INIT("match"), template_match, {go_string, go_string}, 2, false},
    {STR_INIT("safeHtml"), template_safe_html, {go_string}, 1, false},
    {STR_INIT("safeUrl"), fn_safe_url, {go_string}, 1, false},
    {STR_INIT("urlUnescape"), fn_url_unescape, {go_string}, 1, false},
    {STR_INIT("reReplaceAll"), template_re_replace_all, {go_string, go_string, go_string}, 3, false},
    {STR_INIT("stringSlice"), fn_string_slice, {go_string}, 1, true},
    {STR_INIT("routeLabels"), fn_route_labels, {go_string}, 1, false},
    {STR_INIT("date"), fn_date, {go_string, go_time}, 2, false},
    {STR_INIT("tz"), fn_tz, {go_string, go_time}, 2, false},
    {STR_INIT("now"), fn_now, {NULL}, 0, false},
    {STR_INIT("since"), fn_since, {go_time}, 1, false},
    {STR_INIT("humanizeDuration"), template_humanize_duration, {go_any}, 1, false},
    {STR_INIT("toDate"), fn_to_date, {go_string, go_string}, 2, false},
    {STR_INIT("mustToDate"), fn_must_to_date, {go_string, go_string}, 2, false},
    {STR_INIT("addDuration"), fn_add_duration, {go_string, go_time}, 2, false},
    {STR_INIT("toJson"), fn_to_json, {go_any}, 1, false},
    {STR_INIT("base64encode"), fn_base64_encode, {go_string}, 1, false},
    {STR_INIT("base64decode"), fn_base64_decode, {go_string}, 1, false},
    {STR_INIT("list"), fn_list, {go_any}, 1, true},
    {STR_INIT("append"), fn_append, {go_anys, go_any}, 2, true},
    {STR_INIT("dict"), fn_dict, {go_any}, 1, true},
};
const size_t notify_n_funcs = ARRAY_LEN(notify_funcs);

ErrCode notify_template_check(Str text, Err *reterr) {
    if (str_find(text, STR("{{")) == SIZE_MAX) return OK;
    GoTmpl *t = gotmpl_create(notify_funcs, notify_n_funcs, true);
    ErrCode code = gotmpl_parse(t, STR(""), text, reterr);
    gotmpl_free(t);
    return code;
}
