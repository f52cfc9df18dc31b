/* jaeger_reply.c - the envelope of the legacy API, its errors, JSON for people. */
#include "traces/jaeger_int.h"

void jaeger_put_head(JsonWriter *w) {
    json_begin_object(w);
    json_key_lit(w, "data");
}

void jaeger_put_tail(JsonWriter *w, size_t total, const JaegerMissing *missing) {
    json_key_lit(w, "total");
    json_u64(w, total);
    json_key_lit(w, "limit");
    json_u64(w, 0);
    json_key_lit(w, "offset");
    json_u64(w, 0);
    json_key_lit(w, "errors");
    if (!missing || missing->n == 0) {
        json_null(w);
        json_end_object(w);
        return;
    }
    json_begin_array(w);
    for (size_t i = 0; i < missing->n; i++) {
        Buf id = {0};
        jaeger_put_trace_id(&id, missing->v[i]);
        json_begin_object(w);
        json_key_lit(w, "msg");
        json_str(w, STR("trace not found"));
        json_key_lit(w, "traceID");
        json_str(w, buf_str(&id));
        json_end_object(w);
        buf_done(&id);
    }
    json_end_array(w);
    json_end_object(w);
}

/* Errors are text/plain with the envelope as their text, as Go's http.Error sends it. */
void jaeger_send_error(HttpResponse *res, int status, const char *msg) {
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    jaeger_put_head(&w);
    json_null(&w);
    json_key_lit(&w, "total");
    json_u64(&w, 0);
    json_key_lit(&w, "limit");
    json_u64(&w, 0);
    json_key_lit(&w, "offset");
    json_u64(&w, 0);
    json_key_lit(&w, "errors");
    json_begin_array(&w);
    json_begin_object(&w);
    json_key_lit(&w, "code");
    json_i64(&w, status);
    json_key_lit(&w, "msg");
    json_str(&w, str_cstr(msg));
    json_end_object(&w);
    json_end_array(&w);
    json_end_object(&w);
    buf_put_char(&out, '\n');
    http_reply(res, status, STR("text/plain; charset=utf-8"), buf_str(&out));
    http_set_header(res, STR("X-Content-Type-Options"), STR("nosniff"));
    buf_done(&out);
}

void jaeger_send_err(HttpResponse *res, const Err *err) {
    jaeger_send_error(res, err_http_status(err->code), err->msg);
}

/* --- pretty printing --- */

static void indent(Buf *out, unsigned depth) {
    buf_put_char(out, '\n');
    for (unsigned i = 0; i < depth; i++) buf_put_lit(out, "    ");
}

/* in is valid JSON of our own writer: no white space between tokens. */
static void put_pretty(Buf *out, Str in) {
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (in_string) {
            buf_put_char(out, c);
            if (c == '\\' && i + 1 < in.n) buf_put_char(out, in.p[++i]);
            in_string = c != '"';
            continue;
        }
        bool empty = i + 1 < in.n && ((c == '{' && in.p[i + 1] == '}') || (c == '[' && in.p[i + 1] == ']'));
        if (c == '}' || c == ']') indent(out, --depth);
        buf_put_char(out, c);
        if (empty)
            buf_put_char(out, in.p[++i]);
        else if (c == '{' || c == '[')
            indent(out, ++depth);
        else if (c == ',')
            indent(out, depth);
        else if (c == ':')
            buf_put_char(out, ' ');
        in_string = c == '"';
    }
}

void jaeger_send_json(HttpRequest *req, HttpResponse *res, Buf *json) {
    Str pretty = http_param(req, STR("prettyPrint"));
    res->status = 200;
    res->content_type = STR("application/json");
    buf_clear(&res->body);
    if (pretty.n && !str_eq_lit(pretty, "false"))
        put_pretty(&res->body, buf_str(json));
    else
        buf_put_str(&res->body, buf_str(json));
    buf_put_char(&res->body, '\n');
    buf_done(json);
}
