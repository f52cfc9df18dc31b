#include "base/num.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "traces/tempo_int.h"

static bool param_time(HttpRequest *req, HttpResponse *res, Str name, int64_t fallback, bool *given, int64_t *ret) {
    Str s = http_param(req, name);
    *ret = fallback;
    if (s.n == 0 || str_eq_lit(s, "0")) return true;
    *given = true;
    if (time_parse_param(s, ret)) return true;
    http_reply_text(res, 400,
        "invalid %" STR_FMT ": \"%" STR_FMT "\" is neither seconds or nanoseconds since the epoch nor RFC 3339\n",
        STR_ARG(name), STR_ARG(s));
    return false;
}

bool tempo_param_duration(HttpRequest *req, HttpResponse *res, Str name, int64_t fallback, int64_t *ret_ns) {
    Str s = http_param(req, name);
    *ret_ns = fallback;
    if (s.n == 0) return true;
    if (duration_parse_param(s, ret_ns) && *ret_ns >= 0) return true;
    http_reply_text(
        res, 400, "invalid %" STR_FMT ": \"%" STR_FMT "\" is not a duration such as 30s\n", STR_ARG(name), STR_ARG(s));
    return false;
}

bool tempo_param_u32(HttpRequest *req, HttpResponse *res, Str name, uint32_t fallback, uint32_t max, uint32_t *ret) {
    Str s = http_param(req, name);
    uint64_t v = fallback;
    if (s.n > 0 && !num_parse_u64(s, &v)) {
        http_reply_text(
            res, 400, "invalid %" STR_FMT ": \"%" STR_FMT "\" is not a whole number\n", STR_ARG(name), STR_ARG(s));
        return false;
    }
    *ret = (uint32_t)MIN(v, max);
    return true;
}

bool tempo_param_range(HttpRequest *req, HttpResponse *res, int64_t default_ns, TempoRange *ret) {
    int64_t now = clock_now_ns(), since;
    *ret = (TempoRange){INT64_MIN, INT64_MAX, false};
    if (!tempo_param_duration(req, res, STR("since"), 0, &since)) return false;
    bool has_start = false, has_end = false;
    if (!param_time(req, res, STR("end"), now, &has_end, &ret->end_ns)) return false;
    int64_t back = since ? since : default_ns, dflt;
    if (back == 0 || __builtin_sub_overflow(ret->end_ns, back, &dflt)) dflt = INT64_MIN;
    if (!param_time(req, res, STR("start"), dflt, &has_start, &ret->start_ns)) return false;
    ret->given = has_start || has_end || since;
    if (!ret->given && default_ns == 0) ret->end_ns = INT64_MAX;
    if (has_end && default_ns == 0 && ret->end_ns % NS_PER_S == 0) {
        if (__builtin_add_overflow(ret->end_ns, NS_PER_S - 1, &ret->end_ns)) ret->end_ns = INT64_MAX;
    }
    if (ret->end_ns >= ret->start_ns) return true;
    http_reply_text(res, 400, "invalid start and end: start is after end\n");
    return false;
}

bool tempo_accepts(const HttpRequest *req, Str media_type) {
    Str rest = http_header(req, STR("accept")), one;
    while (rest.n && str_split_next(&rest, ',', &one)) {
        size_t semicolon = str_find_char(one, ';');
        if (semicolon != SIZE_MAX) one = str_slice(one, 0, semicolon);
        if (str_eq_nocase(str_trim(one), media_type)) return true;
    }
    return false;
}

void tempo_reply_error(HttpResponse *res, const Err *err) {
    int status = err_http_status(err->code);
    if (err->code == ERR_CANCELLED) status = 499;
    if (err->code == ERR_TOO_LARGE || err->code == ERR_NOT_IMPLEMENTED) status = 422;
    if (err->hint[0])
        http_reply_text(res, status, "%s (%s)\n", err->msg, err->hint);
    else
        http_reply_text(res, status, "%s\n", err->msg);
}

void tempo_reply_json(HttpResponse *res) {
    res->status = 200;
    res->content_type = STR("application/json");
}

void tempo_reply_protobuf(HttpResponse *res) {
    res->status = 200;
    res->content_type = STR("application/protobuf");
}
