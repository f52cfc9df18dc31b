/* promtool_query.c - promtool query instant|range|series|labels, and asking Prometheus' API as its Go client does. */
#include "base/num.h"
#include "base/timefmt.h"
#include "cmd/promtool_int.h"
#include "cmd/query_int.h"
#include "sys/clock.h"

#include <math.h>
#include <stdio.h>

#define STEPS_ABOUT 250 /* of a range when no step is given */
#define RANGE_DEFAULT_NS (300 * NS_PER_S)
#define ALL_TIME_NS (9999 * 3600 * NS_PER_S) /* back and ahead from now, for series and labels */

/* --- times --- */

bool pt_time(const char *text, int64_t *ret_ns) {
    double s;
    if (num_parse_f64(str_cstr(text), &s) && s > -9e9 && s < 9e9) {
        double whole = trunc(s);
        *ret_ns = (int64_t)whole * NS_PER_S + (int64_t)((s - whole) * 1e9);
        return true;
    }
    return time_parse_rfc3339(str_cstr(text), ret_ns);
}

void pt_put_time(Buf *query, const char *name, int64_t ns) {
    Buf text = {0};
    int64_t s = ns / NS_PER_S, rest = ns % NS_PER_S;
    num_put_f64_plain(&text, (double)s + (double)rest / 1e9);
    query_put_param(query, name, buf_str(&text));
    buf_done(&text);
}

/* Given, or so far from now; says what is wrong. */
static bool time_or(const PtLine *l, const char *name, const char *what, int64_t otherwise_ns, int64_t *ret_ns) {
    const char *text = pt_text(l, name);
    *ret_ns = otherwise_ns;
    if (!text || !*text || pt_time(text, ret_ns)) return true;
    fprintf(stderr, "error parsing %s: cannot parse \"%s\" to a valid timestamp\n", what, text);
    return false;
}

/* --- the API --- */

/* Of an answer that is no result: the error it carries, or what its status means. */
static void put_refusal(Buf *out, int status, Str body, const JsonValue *root) {
    Str type = json_get_str(root, STR("errorType")), error = json_get_str(root, STR("error"));
    if ((status == 400 || status == 422) && root) {
        if (!type.n) type = STR("client_error");
        buf_printf(out, "%" STR_FMT ": ", STR_ARG(type));
        if (error.n)
            buf_put_str(out, error);
        else
            buf_printf(out, "client error: %d", status);
        return;
    }
    const char *kind = status / 100 == 4 ? "client_error: client error: " : "server_error: server error: ";
    if (status / 100 != 4 && status / 100 != 5) kind = "bad_response: bad response code ";
    buf_printf(out, "%s%d", kind, status);
    body = str_trim(body);
    if (body.n) buf_printf(out, " (detail: %" STR_FMT ")", STR_ARG(body));
}

static ErrCode ask(PtClient *c, const char *method, const char *path, Str query, const char **headers, int *ret_status,
    Buf *body, Err *err) {
    bool post = strcmp(method, "POST") == 0;
    Buf target = {0};
    buf_put_str(&target, str_cstr(path));
    if (!post) buf_put_str(&target, query);
    HttpClientRequest req = {.method = method,
        .headers = headers,
        .body = post ? str_skip(query, query.n ? 1 : 0) : STR_NULL,
        .timeout_ms = PT_QUERY_TIMEOUT_MS};
    ErrCode code = pt_client_ask(c, &req, buf_str(&target), ret_status, body, err);
    buf_done(&target);
    return code;
}

const JsonValue *pt_api(PtClient *c, const char *method, const char *path, Str query, const char **headers,
    const JsonValue **ret_root, Buf *ret_error) {
    Buf body = {0};
    Err err = {0};
    int status = 0;
    JsonValue *root = NULL;
    bool post = strcmp(method, "POST") == 0;
    ErrCode code = ask(c, method, path, query, headers, &status, &body, &err);
    if (code == OK && post && (status == 403 || status == 405 || status == 501)) { /* some allow only reading */
        buf_clear(&body);
        code = ask(c, method = "GET", path, query, headers, &status, &body, &err);
    }
    if (code != OK) {
        buf_printf(
            ret_error, "%c%s \"%s\": %s", method[0], method[0] == 'P' ? "ost" : "et", buf_cstr(&c->url), err.msg);
        return buf_done(&body), NULL;
    }
    Str text = arena_copy(c->answers, buf_str(&body));
    buf_done(&body);
    bool parsed = json_parse(text, c->answers, &root, &err) == OK;
    if (ret_root) *ret_root = root;
    if (status / 100 != 2)
        put_refusal(ret_error, status, text, root);
    else if (!parsed)
        buf_printf(ret_error, "bad_response: %s", err.msg);
    else if (str_eq_lit(json_get_str(root, STR("status")), "error"))
        put_refusal(ret_error, 400, text, root);
    else
        return json_get(root, STR("data")) ? json_get(root, STR("data")) : root;
    return NULL;
}

/* --- commands --- */

typedef struct Asked {
    PtClient client;
    const char **headers;
    const char *server;
    Buf query;
} Asked;

static int begin(Asked *a, const PtLine *l, bool headers) {
    *a = (Asked){.server = pt_arg(l, 0)};
    if (pt_client_open(&a->client, a->server, pt_text(l, "http.config.file")) != 0) return 1;
    a->headers = headers ? pt_header_lines(&a->client, l, 1) : ARENA_ARRAY(a->client.arena, const char *, 2);
    ASSERT(a->headers);
    if (!headers) a->headers[0] = NULL;
    size_t n = 0;
    while (a->headers[n]) n++;
    a->headers[n] = "Content-Type: application/x-www-form-urlencoded";
    a->headers[n + 1] = NULL;
    return 0;
}

static int end(Asked *a, int code) {
    buf_done(&a->query);
    pt_client_close(&a->client);
    return code;
}

static int finish(Asked *a, const PtLine *l, const char *method, const char *path, QueryPrintFn print) {
    Buf error = {0}, out = {0};
    const JsonValue *root = NULL;
    const JsonValue *data = pt_api(&a->client, method, path, buf_str(&a->query), a->headers, &root, &error);
    const JsonValue *warnings = json_get(root, STR("warnings"));
    bool labels = strcmp(l->command->words, "query labels") == 0; /* the only one that tells them */
    for (const JsonValue *w = labels && warnings ? warnings->first : NULL; w; w = w->next)
        fprintf(stderr, "query warning: %.*s\n", (int)w->text.n, w->text.p);
    if (data) {
        print(&out, data, strcmp(pt_text(l, "format"), "json") == 0 ? QUERY_JSON : QUERY_PROMQL);
        fwrite(out.p ? out.p : "", 1, out.n, stdout);
    } else {
        fprintf(stderr, "query error: %s\n", buf_cstr(&error));
    }
    buf_done(&error);
    buf_done(&out);
    return end(a, data && fflush(stdout) == 0 ? 0 : 1);
}

int promtool_query_instant(const PtLine *l) {
    Asked a;
    int64_t t;
    if (begin(&a, l, true) != 0 || !time_or(l, "time", "evaluation time", clock_now_ns(), &t)) return end(&a, 1);
    query_put_param(&a.query, "query", str_cstr(pt_arg(l, 1)));
    pt_put_time(&a.query, "time", t);
    return finish(&a, l, "POST", "/api/v1/query", query_print_value);
}

int promtool_query_range(const PtLine *l) {
    Asked a;
    int64_t start, stop, step = pt_duration_ns(l, "step");
    if (begin(&a, l, true) != 0 || !time_or(l, "end", "end time", clock_now_ns(), &stop) ||
        !time_or(l, "start", "start time", stop - RANGE_DEFAULT_NS, &start))
        return end(&a, 1);
    if (start >= stop) return fputs("start time is not before end time\n", stderr), end(&a, 1);
    if (step == 0) step = MAX((stop - start) / NS_PER_S / STEPS_ABOUT, 1) * NS_PER_S;
    query_put_param(&a.query, "query", str_cstr(pt_arg(l, 1)));
    pt_put_time(&a.query, "start", start);
    pt_put_time(&a.query, "end", stop);
    pt_put_time(&a.query, "step", step);
    return finish(&a, l, "POST", "/api/v1/query_range", query_print_value);
}

static bool put_range(Asked *a, const PtLine *l) {
    int64_t start, stop, now = clock_now_ns();
    if (!time_or(l, "start", "start time", now - ALL_TIME_NS, &start) ||
        !time_or(l, "end", "end time", now + ALL_TIME_NS, &stop))
        return false;
    const char *match;
    for (size_t i = 0; (match = pt_item(l, "match", i)) != NULL; i++)
        query_put_param(&a->query, "match[]", str_cstr(match));
    pt_put_time(&a->query, "start", start);
    pt_put_time(&a->query, "end", stop);
    return true;
}

int promtool_query_series(const PtLine *l) {
    Asked a;
    if (begin(&a, l, false) != 0 || !put_range(&a, l)) return end(&a, 1);
    return finish(&a, l, "POST", "/api/v1/series", query_print_list);
}

int promtool_query_labels(const PtLine *l) {
    Asked a;
    Buf path = {0};
    if (begin(&a, l, false) != 0 || !put_range(&a, l)) return end(&a, 1);
    buf_put_lit(&path, "/api/v1/label/");
    query_put_segment(&path, str_cstr(pt_arg(l, 1)));
    buf_put_lit(&path, "/values");
    a.headers[0] = NULL; /* there is no body */
    int code = finish(&a, l, "GET", buf_cstr(&path), query_print_list);
    buf_done(&path);
    return code;
}
