/* query.c - `meerkat query ...`: asks a running server by the same APIs as everyone else. */
#include "base/num.h"
#include "base/timefmt.h"
#include "cmd/command.h"
#include "net/client.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define QUERY_TIMEOUT_MS 130000

typedef struct Query {
    const char *server, *time, *start, *end, *step, *since, *limit;
    bool json;
    const char *args[64];
    int n_args;
} Query;

/* "15m" back from now, Unix seconds, or RFC 3339; gives ns. */
static bool parse_time(const char *text, int64_t *ret_ns) {
    int64_t ms;
    double seconds;
    if (duration_parse_prom(str_cstr(text), &ms)) {
        *ret_ns = clock_now_ns() - ms * NS_PER_MS;
        return true;
    }
    if (num_parse_f64(str_cstr(text), &seconds)) {
        *ret_ns = (int64_t)(seconds * 1e9);
        return true;
    }
    return time_parse_rfc3339(str_cstr(text), ret_ns);
}

static void put_param(Buf *url, const char *name, Str value) {
    buf_put_char(url, str_find_char(buf_str(url), '?') == SIZE_MAX ? '?' : '&');
    buf_printf(url, "%s=", name);
    http_url_encode(url, value);
}

static bool put_time(Buf *url, const char *name, const char *text, bool ns) {
    int64_t t;
    if (!parse_time(text, &t)) {
        command_usage("\"%s\" is not a time: give 15m, Unix seconds or RFC 3339", text);
        return false;
    }
    Buf v = {0};
    if (ns)
        num_put_i64(&v, t);
    else
        buf_printf(&v, "%lld.%03lld", (long long)(t / NS_PER_S), (long long)(t % NS_PER_S / NS_PER_MS));
    put_param(url, name, buf_str(&v));
    buf_done(&v);
    return true;
}

static int fetch(const Buf *url, Buf *body) {
    HttpClient *client = http_client_create("meerkat-query");
    int status = 0;
    Err err = {0};
    char *text = str_dup_cstr(buf_str(url));
    HttpClientRequest req = {
        .method = "GET", .url = text, .timeout_ms = QUERY_TIMEOUT_MS, .max_body_bytes = 1u << 30, .accept_gzip = true};
    ErrCode r = http_client_fetch(client, &req, &status, body, &err);
    http_client_free(client);
    mem_free(text);
    if (r != OK) {
        err_hint(&err, "is the server running? `meerkat status` tells; --server names another one");
        (void)command_fail(&err);
        return 1;
    }
    return status >= 400 ? -1 : 0;
}

static void put_metric(Buf *out, const JsonValue *metric) {
    Str name = json_get_str(metric, STR("__name__"));
    buf_put_str(out, name);
    bool first = true;
    for (const JsonValue *l = metric->first; l; l = l->next) {
        if (str_eq_lit(l->key, "__name__")) continue;
        buf_put_str(out, first ? STR("{") : STR(", "));
        first = false;
        buf_printf(out, "%.*s=", (int)l->key.n, l->key.p);
        json_put_string(out, l->text);
    }
    if (!first)
        buf_put_char(out, '}');
    else if (name.n == 0)
        buf_put_lit(out, "{}");
}

/* promtool's form: `series => value @[time]`; ranges one sample a line. */
static void put_point(Buf *out, const JsonValue *pair) {
    if (pair && pair->first && pair->first->next) {
        buf_printf(out, "%.*s @[%.*s]\n", (int)pair->first->next->text.n, pair->first->next->text.p,
            (int)pair->first->text.n, pair->first->text.p);
    }
}

static void put_prom_result(Buf *out, const JsonValue *data) {
    Str type = json_get_str(data, STR("resultType"));
    const JsonValue *result = json_get(data, STR("result"));
    if (str_eq_lit(type, "scalar") || str_eq_lit(type, "string")) {
        buf_printf(out, "%.*s: ", (int)type.n, type.p);
        put_point(out, result);
        return;
    }
    for (const JsonValue *s = result ? result->first : NULL; s; s = s->next) {
        const JsonValue *metric = json_get(s, STR("metric")), *values = json_get(s, STR("values"));
        if (metric) put_metric(out, metric);
        buf_put_str(out, values ? STR(" =>\n") : STR(" => "));
        if (!values) put_point(out, json_get(s, STR("value")));
        for (const JsonValue *v = values ? values->first : NULL; v; v = v->next) put_point(out, v);
    }
}

static void put_log_result(Buf *out, const JsonValue *data) {
    if (!str_eq_lit(json_get_str(data, STR("resultType")), "streams")) {
        put_prom_result(out, data);
        return;
    }
    const JsonValue *result = json_get(data, STR("result"));
    for (const JsonValue *s = result ? result->first : NULL; s; s = s->next) {
        const JsonValue *values = json_get(s, STR("values")), *stream = json_get(s, STR("stream"));
        for (const JsonValue *v = values ? values->first : NULL; v; v = v->next) {
            int64_t t;
            if (v->first && num_parse_i64(v->first->text, &t)) time_put_rfc3339(out, t);
            buf_put_char(out, ' ');
            if (stream) put_metric(out, stream);
            buf_put_char(out, ' ');
            if (v->first && v->first->next) buf_put_str(out, v->first->next->text);
            buf_put_char(out, '\n');
        }
    }
}

static void put_list(Buf *out, const JsonValue *data) {
    for (const JsonValue *v = data->first; v; v = v->next) {
        if (v->kind == JSON_K_OBJECT)
            put_metric(out, v);
        else
            buf_put_str(out, v->text);
        buf_put_char(out, '\n');
    }
}

static void put_traces(Buf *out, const JsonValue *data) {
    for (const JsonValue *t = data->first; t; t = t->next) {
        const JsonValue *spans = json_get(t, STR("spans"));
        Str id = json_get_str(t, STR("traceID")),
            op = spans && spans->first ? json_get_str(spans->first, STR("operationName")) : STR_NULL;
        buf_printf(out, "%.*s %zu spans %.*s\n", (int)id.n, id.p, spans ? spans->n : 0, (int)op.n, op.p ? op.p : "");
    }
}

static int print_answer(const Query *q, Str kind, const Buf *body, bool failed) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    JsonValue *root = NULL;
    Buf out = {0};
    int code = failed ? 1 : 0;
    if (failed || q->json || json_parse(buf_str(body), arena, &root, NULL) != OK) {
        Str error = json_parse(buf_str(body), arena, &root, NULL) == OK ? json_get_str(root, STR("error")) : STR_NULL;
        if (failed)
            fprintf(stderr, "meerkat: %.*s\n", error.n ? (int)error.n : (int)body->n, error.n ? error.p : body->p);
        else
            buf_put_str(&out, buf_str(body));
    } else {
        const JsonValue *data = json_get(root, STR("data"));
        if (!data)
            buf_put_lit(&out, "");
        else if (str_eq_lit(kind, "logs"))
            put_log_result(&out, data);
        else if (str_eq_lit(kind, "traces"))
            put_traces(&out, data);
        else if (str_eq_lit(kind, "labels") || str_eq_lit(kind, "series"))
            put_list(&out, data);
        else
            put_prom_result(&out, data);
    }
    fwrite(out.p ? out.p : "", 1, out.n, stdout);
    if (q->json && out.n > 0 && out.p[out.n - 1] != '\n') putchar('\n');
    buf_done(&out);
    arena_free(arena);
    return code;
}

static const char *default_server(Str kind, char out[64]) {
    const char *offset_text = getenv("MEERKAT_PORT_OFFSET");
    int64_t offset = 0, port = str_eq_lit(kind, "logs") ? 3100 : str_eq_lit(kind, "traces") ? 16686 : 9090;
    if (offset_text && !num_parse_i64(str_cstr(offset_text), &offset)) offset = 0;
    snprintf(out, 64, "http://127.0.0.1:%lld", (long long)(port + offset));
    return out;
}

static bool build_url(const Query *q, Str kind, Buf *url) {
    const char *arg = q->n_args > 0 ? q->args[0] : NULL;
    bool ok = true;
    if (str_eq_lit(kind, "labels")) {
        if (arg)
            buf_printf(url, "/api/v1/label/%s/values", arg);
        else
            buf_put_lit(url, "/api/v1/labels");
    } else if (str_eq_lit(kind, "series")) {
        buf_put_lit(url, "/api/v1/series");
        for (int i = 0; i < q->n_args; i++) put_param(url, "match[]", str_cstr(q->args[i]));
    } else if (str_eq_lit(kind, "traces")) {
        buf_put_lit(url, "/api/traces");
        put_param(url, "service", str_cstr(arg));
        put_param(url, "limit", str_cstr(q->limit ? q->limit : "20"));
    } else if (str_eq_lit(kind, "logs")) {
        buf_put_lit(url, "/loki/api/v1/query_range");
        put_param(url, "query", str_cstr(arg));
        put_param(url, "limit", str_cstr(q->limit ? q->limit : "100"));
        ok = put_time(url, "start", q->since ? q->since : "1h", true);
    } else {
        bool range = str_eq_lit(kind, "range");
        buf_put_str(url, range ? STR("/api/v1/query_range") : STR("/api/v1/query"));
        put_param(url, "query", str_cstr(arg));
        if (range) {
            ok = put_time(url, "start", q->start ? q->start : "5m", false) &&
                 put_time(url, "end", q->end ? q->end : "0s", false);
            put_param(url, "step", str_cstr(q->step ? q->step : "15s"));
        } else if (q->time) {
            ok = put_time(url, "time", q->time, false);
        }
    }
    return ok;
}

static int parse_args(Query *q, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            q->json = true;
        } else if (command_option(argc, argv, &i, "--server", &q->server) ||
                   command_option(argc, argv, &i, "--time", &q->time) ||
                   command_option(argc, argv, &i, "--start", &q->start) ||
                   command_option(argc, argv, &i, "--end", &q->end) ||
                   command_option(argc, argv, &i, "--step", &q->step) ||
                   command_option(argc, argv, &i, "--since", &q->since) ||
                   command_option(argc, argv, &i, "--limit", &q->limit)) {
            continue;
        } else if (strncmp(argv[i], "--", 2) == 0 && argv[i][2]) {
            return command_usage("query does not know \"%s\"", argv[i]);
        } else if (q->n_args < (int)ARRAY_LEN(q->args)) {
            q->args[q->n_args++] = argv[i];
        }
    }
    return 0;
}

int cmd_query(int argc, char **argv) {
    static const Str kinds[] = {STR_INIT("instant"), STR_INIT("range"), STR_INIT("labels"), STR_INIT("series"),
        STR_INIT("logs"), STR_INIT("traces")};
    Str kind = argc > 0 ? str_cstr(argv[0]) : STR_NULL;
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) known |= str_eq(kinds[i], kind);
    if (!known) return command_usage("query wants one of instant, range, labels, series, logs, traces");
    Query q = {0};
    int code = parse_args(&q, argc, argv);
    if (code) return code;
    if (q.n_args == 0 && !str_eq_lit(kind, "labels"))
        return command_usage("query %s wants %s", argv[0], str_eq_lit(kind, "traces") ? "a service" : "an expression");
    char server[64];
    Buf url = {0}, body = {0};
    buf_printf(&url, "%s", q.server ? q.server : default_server(kind, server));
    if (!build_url(&q, kind, &url)) {
        buf_done(&url);
        return 2;
    }
    code = fetch(&url, &body);
    if (code <= 0) code = print_answer(&q, kind, &body, code < 0);
    buf_done(&url);
    buf_done(&body);
    return code;
}
