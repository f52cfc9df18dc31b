/* query_traceql.c - `meerkat query traces '{ ... }'`: checks the query here, asks Tempo's API, prints tables. */
#include "cmd/query_int.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "traces/traceql.h"

#define PORT_TEMPO 3200
#define PARSE_BYTES (16u << 20)

bool query_is_traceql(const char *text) { return strpbrk(text, "{(|") != NULL; }

/* --- tables --- */

static Str text_of(const JsonValue *v, const char *key) {
    const JsonValue *m = json_get(v, str_cstr(key));
    return m ? m->text : STR_NULL;
}

static uint64_t count_matched(const JsonValue *trace) {
    const JsonValue *sets = json_get(trace, STR("spanSets"));
    uint64_t n = 0;
    for (const JsonValue *s = sets ? sets->first : NULL; s; s = s->next) {
        int64_t matched;
        if (json_get_i64(s, STR("matched"), &matched)) n += (uint64_t)matched;
    }
    return n;
}

static void put_trace(Buf *out, const JsonValue *t) {
    Buf start = {0}, duration = {0};
    int64_t start_ns = 0, ms = 0;
    if (!num_parse_i64(text_of(t, "startTimeUnixNano"), &start_ns)) start_ns = 0;
    (void)json_get_i64(t, STR("durationMs"), &ms);
    time_put_rfc3339_ms(&start, start_ns);
    duration_put_go(&duration, ms * NS_PER_MS);
    Str service = text_of(t, "rootServiceName"), name = text_of(t, "rootTraceName");
    buf_printf(out, "%-32.*s  %-24s  %9s  %7llu  %.*s%s%.*s\n", STR_ARG(text_of(t, "traceID")), buf_cstr(&start),
        buf_cstr(&duration), (unsigned long long)count_matched(t), STR_ARG(service), name.n ? ": " : "", STR_ARG(name));
    buf_done(&start);
    buf_done(&duration);
}

static void print_found(Buf *out, const JsonValue *answer, QueryFormat format) {
    const JsonValue *traces = json_get(answer, STR("traces"));
    if (format == QUERY_JSON) {
        JsonWriter w = json_writer(out);
        if (traces) json_value(&w, traces);
        buf_put_char(out, '\n');
        return;
    }
    if (!traces || !traces->first) return;
    buf_printf(out, "%-32s  %-24s  %9s  %7s  %s\n", "TRACE", "START", "DURATION", "MATCHED", "ROOT");
    for (const JsonValue *t = traces->first; t; t = t->next) put_trace(out, t);
}

/* A series: its labels, then a value a line, as promtool prints them. */
static void put_series(Buf *out, const JsonValue *s) {
    const JsonValue *samples = json_get(s, STR("samples"));
    Str labels = text_of(s, "promLabels");
    buf_printf(out, "%.*s =>\n", STR_ARG(labels.n ? labels : STR("{}")));
    for (const JsonValue *p = samples ? samples->first : NULL; p; p = p->next) {
        Str value = text_of(p, "value");
        double at;
        buf_printf(out, "%.*s @[", STR_ARG(value.n ? value : STR("0")));
        if (num_parse_f64(text_of(p, "timestampMs"), &at)) num_put_f64_plain(out, at / 1000);
        buf_put_lit(out, "]\n");
    }
}

static void print_series(Buf *out, const JsonValue *answer, QueryFormat format) {
    const JsonValue *series = json_get(answer, STR("series"));
    if (format == QUERY_JSON) {
        JsonWriter w = json_writer(out);
        if (series) json_value(&w, series);
        buf_put_char(out, '\n');
        return;
    }
    for (const JsonValue *s = series ? series->first : NULL; s; s = s->next) put_series(out, s);
}

/* --- the command --- */

/* 0: fine. The error is shown where it is, before anything is asked. */
static int check(const char *text, bool *ret_metrics) {
    Arena *arena = arena_create(PARSE_BYTES);
    const TraceQl *q;
    Err err = {0};
    ErrCode e = traceql_parse(str_cstr(text), arena, &q, &err);
    if (e) {
        Buf shown = {0};
        traceql_explain_error(str_cstr(text), STR("query"), &shown, false);
        fprintf(stderr, "%s", shown.n ? buf_cstr(&shown) : err.msg);
        buf_done(&shown);
    } else {
        *ret_metrics = q->is_metrics;
    }
    arena_free(arena);
    return e ? err_exit_code(e) : 0;
}

int query_traceql(const Query *q) {
    Buf path = {0};
    bool metrics = false;
    int code = check(q->args[0], &metrics);
    if (code) return code;
    buf_put_str(&path, metrics ? STR("/api/metrics/query_range") : STR("/api/search"));
    query_put_param(&path, "q", str_cstr(q->args[0]));
    bool ok = query_put_seconds(&path, "start", q->since ? q->since : q->start, "1h", false) &&
              query_put_seconds(&path, "end", q->end, "0s", true);
    if (metrics && q->step) query_put_param(&path, "step", str_cstr(q->step));
    if (!metrics) query_put_param(&path, "limit", str_cstr(q->limit ? q->limit : "20"));
    code = ok ? query_ask(q, PORT_TEMPO, &path, metrics ? print_series : print_found) : 2;
    buf_done(&path);
    return code;
}
