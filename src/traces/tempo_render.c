/* tempo_render.c - what several answers have in common. */
#include "base/num.h"
#include "base/timefmt.h"
#include "sys/clock.h"
#include "traces/tempo_int.h"

#include <math.h>

void tempo_put_value(JsonWriter *w, const TqlValue *v) {
    Buf text = {0};
    json_begin_object(w);
    switch (v->type) {
    case TQL_INT:
        num_put_i64(&text, v->i);
        json_pair_str(w, "intValue", buf_str(&text));
        break;
    case TQL_BOOL: json_pair_bool(w, "boolValue", v->b); break;
    case TQL_FLOAT:
        json_key_lit(w, "doubleValue");
        if (isfinite(v->d))
            json_f64(w, v->d);
        else
            json_str(w, isnan(v->d) ? STR("NaN") : v->d > 0 ? STR("Infinity") : STR("-Infinity"));
        break;
    case TQL_ARRAY:
    case TQL_MANY:
        json_key_lit(w, "arrayValue");
        json_begin_object(w);
        json_key_lit(w, "values");
        json_begin_array(w);
        for (uint32_t i = 0; i < v->n; i++) tempo_put_value(w, &v->v[i]);
        json_end_array(w);
        json_end_object(w);
        break;
    default: traceql_put_value(&text, v); json_pair_str(w, "stringValue", buf_str(&text));
    }
    json_end_object(w);
    buf_done(&text);
}

void tempo_put_key_value(JsonWriter *w, Str key, const TqlValue *v) {
    json_begin_object(w);
    json_pair_str(w, "key", key);
    json_key_lit(w, "value");
    tempo_put_value(w, v);
    json_end_object(w);
}

/* Only what Grafana's decoder knows: it refuses other keys. */
static void put_left_out(JsonWriter *w, uint64_t n) {
    Buf text = {0};
    buf_printf(&text, "left out for their size: %llu traces, each of which needs more memory than a query has for one",
        (unsigned long long)n);
    json_pair_str(w, "status", STR("PARTIAL"));
    json_pair_str(w, "message", buf_str(&text));
    buf_done(&text);
}

void tempo_put_stats(JsonWriter *w, const TqlScanStats *stats) {
    Buf bytes = {0};
    num_put_u64(&bytes, stats->bytes);
    json_key_lit(w, "metrics");
    json_begin_object(w);
    json_pair_u64(w, "inspectedTraces", stats->traces);
    json_pair_str(w, "inspectedBytes", buf_str(&bytes));
    json_pair_u64(w, "totalBlocks", stats->blocks + stats->skipped);
    json_pair_u64(w, "completedJobs", 1);
    json_pair_u64(w, "totalJobs", 1);
    json_end_object(w);
    buf_done(&bytes);
    if (stats->too_large) put_left_out(w, stats->too_large);
}

int64_t tempo_deadline(const TempoApi *api) { return clock_mono_ns() + api->opts.query_timeout_ms * NS_PER_MS; }

void tempo_reply_query_error(HttpResponse *res, const Err *err) {
    http_reply_text(res, err->code == ERR_TOO_LARGE ? 422 : 400, "invalid TraceQL query: %s\n", err->msg);
}
