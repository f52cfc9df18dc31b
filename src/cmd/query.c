/* query.c - `meerkat query ...`: asks a running server by the same APIs as everyone else. */
#include "cmd/query_int.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "sys/clock.h"

#define PORT_PROMETHEUS 9090
#define PORT_LOKI 3100
#define PORT_JAEGER 16686
#define STEPS_ABOUT 250 /* of a range when no step is given, as promtool */

static int usage(const Query *q, const char *what) { return command_usage("%s wants %s", q->command, what); }

static int finish(const Query *q, bool ok, int port, Buf *path, QueryPrintFn print) {
    int code = ok ? query_ask(q, port, path, print) : 2;
    buf_done(path);
    return code;
}

int cmd_query_instant(int argc, char **argv) {
    Query q;
    Buf path = {0};
    int code = query_parse(&q, "query instant", argc, argv);
    if (code) return code;
    if (q.n_args != 1) return usage(&q, "one expression");
    buf_put_lit(&path, "/api/v1/query");
    query_put_param(&path, "query", str_cstr(q.args[0]));
    bool ok = query_put_time(&path, "time", q.time, NULL, false);
    return finish(&q, ok, PORT_PROMETHEUS, &path, query_print_value);
}

/* Whole seconds, at least one, so that there are about STEPS_ABOUT. */
static void put_step(Buf *path, const Query *q) {
    int64_t start = clock_now_ns() - 300 * NS_PER_S, end = clock_now_ns();
    char text[24];
    if (q->step) {
        query_put_param(path, "step", str_cstr(q->step));
        return;
    }
    if (q->end) (void)query_time(q->end, &end);
    if (q->start) (void)query_time(q->start, &start);
    int64_t step = (end - start) / NS_PER_S / STEPS_ABOUT;
    snprintf(text, sizeof text, "%lld", (long long)MAX(step, 1));
    query_put_param(path, "step", str_cstr(text));
}

int cmd_query_range(int argc, char **argv) {
    Query q;
    Buf path = {0};
    int code = query_parse(&q, "query range", argc, argv);
    if (code) return code;
    if (q.n_args != 1) return usage(&q, "one expression");
    buf_put_lit(&path, "/api/v1/query_range");
    query_put_param(&path, "query", str_cstr(q.args[0]));
    bool ok = query_put_time(&path, "start", q.start, "5m", false) && query_put_time(&path, "end", q.end, "0s", false);
    put_step(&path, &q);
    return finish(&q, ok, PORT_PROMETHEUS, &path, query_print_value);
}

static void put_matches(Buf *path, const Query *q) {
    for (int i = 0; i < q->n_matches; i++) query_put_param(path, "match[]", str_cstr(q->matches[i]));
}

static bool put_range(Buf *path, const Query *q) {
    return query_put_time(path, "start", q->start, NULL, false) && query_put_time(path, "end", q->end, NULL, false);
}

int cmd_query_series(int argc, char **argv) {
    Query q;
    Buf path = {0};
    int code = query_parse(&q, "query series", argc, argv);
    if (code) return code;
    if (q.n_matches + q.n_args == 0) return usage(&q, "--match SELECTOR");
    buf_put_lit(&path, "/api/v1/series");
    put_matches(&path, &q);
    for (int i = 0; i < q.n_args; i++) query_put_param(&path, "match[]", str_cstr(q.args[i]));
    return finish(&q, put_range(&path, &q), PORT_PROMETHEUS, &path, query_print_list);
}

int cmd_query_labels(int argc, char **argv) {
    Query q;
    Buf path = {0};
    int code = query_parse(&q, "query labels", argc, argv);
    if (code) return code;
    if (q.n_args > 1) return usage(&q, "at most one label name");
    if (q.n_args == 1) {
        buf_put_lit(&path, "/api/v1/label/");
        query_put_segment(&path, str_cstr(q.args[0]));
        buf_put_lit(&path, "/values");
    } else {
        buf_put_lit(&path, "/api/v1/labels");
    }
    put_matches(&path, &q);
    return finish(&q, put_range(&path, &q), PORT_PROMETHEUS, &path, query_print_list);
}

int cmd_query_metadata(int argc, char **argv) {
    Query q;
    Buf path = {0};
    int code = query_parse(&q, "query metadata", argc, argv);
    if (code) return code;
    if (q.n_args > 1) return usage(&q, "at most one metric");
    buf_put_lit(&path, "/api/v1/metadata");
    if (q.n_args) query_put_param(&path, "metric", str_cstr(q.args[0]));
    if (q.limit) query_put_param(&path, "limit", str_cstr(q.limit));
    return finish(&q, true, PORT_PROMETHEUS, &path, query_print_metadata);
}

int cmd_query_exemplars(int argc, char **argv) {
    Query q;
    Buf path = {0};
    int code = query_parse(&q, "query exemplars", argc, argv);
    if (code) return code;
    if (q.n_args != 1) return usage(&q, "one expression");
    buf_put_lit(&path, "/api/v1/query_exemplars");
    query_put_param(&path, "query", str_cstr(q.args[0]));
    bool ok = query_put_time(&path, "start", q.start, "1h", false) && query_put_time(&path, "end", q.end, "0s", false);
    return finish(&q, ok, PORT_PROMETHEUS, &path, query_print_exemplars);
}

int cmd_query_logs(int argc, char **argv) {
    Query q;
    Buf path = {0};
    int code = query_parse(&q, "query logs", argc, argv);
    if (code) return code;
    if (q.n_args != 1) return usage(&q, "one expression");
    buf_put_lit(&path, "/loki/api/v1/query_range");
    query_put_param(&path, "query", str_cstr(q.args[0]));
    query_put_param(&path, "limit", str_cstr(q.limit ? q.limit : "100"));
    bool ok = query_put_time(&path, "start", q.since ? q.since : q.start, "1h", true) &&
              query_put_time(&path, "end", q.end, NULL, true);
    return finish(&q, ok, PORT_LOKI, &path, query_print_logs);
}

int cmd_query_traces(int argc, char **argv) {
    Query q;
    Buf path = {0};
    int code = query_parse(&q, "query traces", argc, argv);
    if (code) return code;
    if (q.n_args != 1) return usage(&q, "a TraceQL query or a service");
    if (query_is_traceql(q.args[0])) return query_traceql(&q);
    buf_put_lit(&path, "/api/traces");
    query_put_param(&path, "service", str_cstr(q.args[0]));
    query_put_param(&path, "limit", str_cstr(q.limit ? q.limit : "20"));
    return finish(&q, true, PORT_JAEGER, &path, query_print_traces);
}
