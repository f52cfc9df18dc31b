/* tempo_trace.c - one trace by its id, as OTLP. */
#include "codec/proto.h"
#include "traces/jaeger_trace.h"
#include "traces/otlp_json.h"
#include "traces/otlp_proto.h"
#include "traces/tempo_int.h"

static bool fetch(TempoApi *api, HttpRequest *req, HttpResponse *res, SpansBatch *ret) {
    Err err = {0};
    TraceId id;
    Str text = http_path_param(req, STR("id"));
    if (jaeger_parse_trace_id(text, false, &id, &err) != OK) {
        http_reply_text(res, 400, "trace IDs are up to 32 hex digits, and this is none: \"%" STR_FMT "\"\n",
            STR_ARG(str_slice(text, 0, MIN(text.n, 64))));
        return false;
    }
    TraceStore *s = api->opts.store;
    if (s->ops->get(s, id, req->arena, ret, &err) == OK) return true;
    tempo_reply_error(res, &err);
    return false;
}

static void put_resource_spans(JsonWriter *w, const char *key, const SpansBatch *batch) {
    json_begin_object(w);
    json_key(w, str_cstr(key));
    json_begin_array(w);
    otlp_json_put_resource_spans(w, OTLP_JSON_NAMES, batch, NULL);
    json_end_array(w);
    json_end_object(w);
}

/* {"batches": [...]}, or the bytes of a message whose field 1 are ResourceSpans. start and end only tell where to look
 * in Tempo; here they are not needed. */
void tempo_api_trace(void *ctx, HttpRequest *req, HttpResponse *res) {
    SpansBatch batch;
    if (!fetch(ctx, req, res, &batch)) return;
    if (tempo_accepts(req, STR("application/protobuf"))) {
        otlp_proto_put_traces(&res->body, &batch);
        tempo_reply_protobuf(res);
        return;
    }
    JsonWriter w = json_writer(&res->body);
    put_resource_spans(&w, "batches", &batch);
    tempo_reply_json(res);
}

/* {"trace": {"resourceSpans": [...]}, "status": "COMPLETE"}; as protobuf the trace is field 1, status (0: complete) 3.
 */
void tempo_trace_v2(void *ctx, HttpRequest *req, HttpResponse *res) {
    SpansBatch batch;
    if (!fetch(ctx, req, res, &batch)) return;
    if (tempo_accepts(req, STR("application/protobuf"))) {
        size_t trace = proto_begin(&res->body, 1);
        otlp_proto_put_traces(&res->body, &batch);
        proto_end(&res->body, trace);
        tempo_reply_protobuf(res);
        return;
    }
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "trace");
    put_resource_spans(&w, "resourceSpans", &batch);
    json_key_lit(&w, "metrics");
    json_begin_object(&w);
    json_end_object(&w);
    json_pair_str(&w, "status", STR("COMPLETE"));
    json_end_object(&w);
    tempo_reply_json(res);
}
