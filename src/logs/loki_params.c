#include "logs/loki_api_int.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "sys/clock.h"

bool loki_param_time(HttpRequest *req, HttpResponse *res, Str name, int64_t fallback, int64_t *ret) {
    Str s = http_param(req, name);
    *ret = fallback;
    if (s.n == 0 || time_parse_param(s, ret)) return true;
    http_reply_text(res, 400,
        "could not parse '%" STR_FMT "' parameter: cannot parse \"%" STR_FMT "\" to a valid timestamp\n", STR_ARG(name),
        STR_ARG(s));
    return false;
}

bool loki_param_duration(HttpRequest *req, HttpResponse *res, Str name, int64_t fallback, int64_t *ret_ns) {
    Str s = http_param(req, name);
    *ret_ns = fallback;
    if (s.n == 0) return true;
    bool understood = duration_parse_param(s, ret_ns);
    if (understood && *ret_ns > 0) return true;
    http_reply_text(res, 400,
        understood ? "zero or negative query resolution %" STR_FMT
                     "s are not accepted. Try a positive integer (\"%" STR_FMT "\")\n"
                   : "cannot parse %" STR_FMT " \"%" STR_FMT "\" to a valid duration\n",
        STR_ARG(name), STR_ARG(s));
    return false;
}

bool loki_param_u32(HttpRequest *req, HttpResponse *res, Str name, uint32_t fallback, uint32_t *ret) {
    Str s = http_param(req, name);
    uint64_t v = fallback;
    if (s.n > 0 && (!num_parse_u64(s, &v) || v > INT32_MAX)) {
        http_reply_text(res, 400, "strconv.ParseUint: parsing \"%" STR_FMT "\": invalid syntax\n", STR_ARG(s));
        return false;
    }
    *ret = (uint32_t)v;
    return true;
}

bool loki_param_range(HttpRequest *req, HttpResponse *res, int64_t default_ns, LokiRange *ret) {
    int64_t now = clock_now_ns(), since;
    if (!loki_param_duration(req, res, STR("since"), default_ns, &since)) return false;
    if (!loki_param_time(req, res, STR("end"), now, &ret->end_ns)) return false;
    int64_t base = MIN(ret->end_ns, now);
    if (!loki_param_time(req, res, STR("start"), base - since, &ret->start_ns)) return false;
    if (ret->end_ns >= ret->start_ns) return true;
    http_reply_text(res, 400, "end timestamp must not be before or equal to start time\n");
    return false;
}

bool loki_param_select(HttpRequest *req, HttpResponse *res, Str query, LokiRange range, LogSelect *ret) {
    *ret = (LogSelect){.start_ns = range.start_ns, .end_ns = range.end_ns, .arena = req->arena};
    if (str_trim(query).n == 0) return true;
    Err err = {0};
    if (logql_parse_selector(query, req->arena, &ret->matchers, &err) == OK) return true;
    const LqExpr *e; /* a whole log query is fine as well */
    Err ignored = {0};
    if (logql_parse(query, req->arena, &e, &ignored) == OK && logql_matchers(e, &ret->matchers, &ignored) == OK)
        return true;
    loki_reply_error(res, &err);
    return false;
}

bool loki_client_gone(void *req) { return http_client_gone(req); }

void loki_reply_error(HttpResponse *res, const Err *err) {
    int status = err->code == ERR_TOO_LARGE || err->code == ERR_NOT_IMPLEMENTED ? 400 : err_http_status(err->code);
    if (err->code == ERR_CANCELLED) status = 499;
    if (err->code == ERR_TIMEOUT) status = 504;
    http_reply_text(res, status, "%s\n", err->msg);
}

void loki_reply_json(HttpResponse *res) {
    res->status = 200;
    res->content_type = STR("application/json; charset=UTF-8");
}
