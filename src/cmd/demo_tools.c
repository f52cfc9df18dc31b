/* demo_tools.c - tools behind mcp-tools (Model Context Protocol over HTTP) and the conversation classifier. */
#include "cmd/demo_int.h"

typedef struct Tool {
    const char *name, *kind, *target; /* kind: what its work is; target: host or table */
    const char *sql;                  /* db */
    double seconds;                   /* median */
} Tool;

static const Tool tools[] = {
    {"web_search", "http", "api.search.example", NULL, 0.31},
    {"get_weather", "http", "api.weather.example", NULL, 0.12},
    {"sql_query", "db", "analytics_events", "SELECT day, count(*) FROM analytics_events WHERE day > $1 GROUP BY day",
        0.05},
    {"file_search", "db", "documents", "SELECT id, content FROM documents WHERE embedding <-> $1 < $2 LIMIT 10", 0.04},
    {"code_interpreter", "compute", "sandbox", NULL, 0.42},
};
static const Str tool_outcomes[] = {STR_INIT("success"), STR_INIT("error")};

static void do_work(DemoRequest *q, const DemoSpan *server, const Tool *tool) {
    Rng *r = &q->fleet->rng;
    double seconds = demo_lognormal(r, tool->seconds, 0.45);
    if (str_eq_lit(str_cstr(tool->kind), "db")) {
        demo_db_query(q, server, "SELECT", tool->target, tool->sql);
        demo_pass(q, seconds);
        return;
    }
    bool http = str_eq_lit(str_cstr(tool->kind), "http");
    DemoSpan *s = demo_span_open(
        q, server, server->instance, http ? KIND_CLIENT : KIND_INTERNAL, http ? STR("GET") : STR("sandbox.run"));
    if (http) {
        demo_attr_lit(q, &s->attrs, "http.request.method", "GET");
        demo_attr_lit(q, &s->attrs, "server.address", tool->target);
        demo_attr_str(q, &s->attrs, "url.full", demo_printf(q, "https://%s/v1/query", tool->target));
        demo_attr_i64(q, &s->attrs, "http.response.status_code", 200);
    }
    demo_pass(q, seconds);
    demo_span_close(q, s);
}

static void put_mcp_attrs(DemoRequest *q, DemoSpan *s, const Tool *tool, Str session) {
    demo_attr_lit(q, &s->attrs, "mcp.method.name", "tools/call");
    demo_attr_lit(q, &s->attrs, "mcp.protocol.version", "2025-06-18");
    demo_attr_str(q, &s->attrs, "mcp.session.id", session);
    demo_attr_lit(q, &s->attrs, "gen_ai.operation.name", "execute_tool");
    demo_attr_lit(q, &s->attrs, "gen_ai.tool.name", tool->name);
    demo_attr_lit(q, &s->attrs, "network.transport", "tcp");
}

/* The server's side, in mcp-tools. */
static bool serve_tool(DemoRequest *q, const DemoSpan *client, const Tool *tool, Str session) {
    Rng *r = &q->fleet->rng;
    DemoHttp h = demo_http_begin(q, client, SVC_MCP_TOOLS, "POST", "/mcp");
    h.span->name = demo_printf(q, "tools/call %s", tool->name);
    put_mcp_attrs(q, h.span, tool, session);
    do_work(q, h.span, tool);
    bool fails = demo_chance(r, 0.004);
    if (fails)
        demo_span_fail(q, h.span, "tool_error", demo_printf(q, "%s: upstream closed the connection", tool->name));
    demo_http_end(q, &h, 200);
    double seconds = demo_span_seconds(h.span);
    Str name = str_cstr(tool->name), status = tool_outcomes[fails];
    demo_count(q, h.span, M_TOOL_EXECUTIONS, 1, DEMO_LABELS({"status", status}, {"tool_name", name}));
    demo_observe(q, h.span, M_TOOL_SECONDS, seconds, DEMO_LABELS({"tool_name", name}));
    demo_observe(q, h.span, M_MCP_DURATION, seconds,
        DEMO_LABELS({"gen_ai.tool.name", name}, {"mcp.method.name", STR("tools/call")}));
    DemoAttrs *l = demo_log_put(
        q, h.span, fails ? DEMO_ERROR : DEMO_INFO, "mcp.tools", fails ? "tool execution failed" : "tool executed");
    demo_attr_str(q, l, "tool_name", name);
    demo_attr_str(q, l, "status", status);
    demo_attr_i64(q, l, "duration_ms", (int64_t)(seconds * 1e3));
    demo_attr_str(q, l, "correlation_id", session);
    return !fails;
}

static void speculate(DemoRequest *q, const DemoSpan *s) {
    Rng *r = &q->fleet->rng;
    if (!demo_chance(r, 0.4)) return;
    demo_count(
        q, s, M_SPECULATION_ATTEMPTS, 1, DEMO_LABELS({"outcome", demo_chance(r, 0.84) ? STR("hit") : STR("miss")}));
}

bool demo_tool_call(DemoRequest *q, const DemoSpan *parent, Str conversation) {
    const Tool *tool = &tools[demo_pick(&q->fleet->rng, ARRAY_LEN(tools))];
    DemoSpan *run =
        demo_span_open(q, parent, parent->instance, KIND_INTERNAL, demo_printf(q, "execute_tool %s", tool->name));
    demo_attr_lit(q, &run->attrs, "gen_ai.operation.name", "execute_tool");
    demo_attr_lit(q, &run->attrs, "gen_ai.tool.name", tool->name);
    demo_attr_lit(q, &run->attrs, "gen_ai.tool.type", "function");
    demo_attr_str(q, &run->attrs, "gen_ai.tool.call.id", demo_hex_id(q, "call_", 8));
    demo_attr_str(q, &run->attrs, "gen_ai.conversation.id", conversation);
    Str session = demo_hex_id(q, "mcp-", 8);
    DemoSpan *client = demo_span_open(q, run, run->instance, KIND_CLIENT, demo_printf(q, "tools/call %s", tool->name));
    put_mcp_attrs(q, client, tool, session);
    demo_attr_lit(q, &client->attrs, "peer.service", "mcp-tools");
    speculate(q, run);
    bool ok = serve_tool(q, client, tool, session);
    if (!ok) demo_span_fail(q, client, "tool_error", STR("the tool reported an error"));
    demo_span_close(q, client);
    if (!ok) run->status = 2;
    demo_span_close(q, run);
    return ok;
}

bool demo_classify(DemoRequest *q, const DemoSpan *parent, Str conversation) {
    DemoFleet *f = q->fleet;
    bool fails = demo_chance(&f->rng, demo_in_trouble(f, DEMO_CLASSIFIER_ERRORS, q->wall_ns) ? 0.35 : 0.0003);
    DemoSpan *s = demo_span_open(q, parent, parent->instance, KIND_INTERNAL, STR("classify_conversation"));
    demo_attr_str(q, &s->attrs, "gen_ai.conversation.id", conversation);
    demo_attr_lit(q, &s->attrs, "classifier.version", "2025-10");
    demo_pass(q, demo_lognormal(&f->rng, 0.006, 0.4));
    if (fails) {
        demo_span_fail(q, s, "MalformedPromptError",
            STR("classifier error: malformed prompt data: unexpected token at position 118"));
        DemoAttrs *l = demo_log_put(q, s, DEMO_ERROR, "classifier",
            "classifier error: malformed prompt data: unexpected token at position 118");
        demo_attr_str(q, l, "conversation_id", conversation);
    } else {
        demo_llm_local(q, s, conversation);
        demo_attr_lit(q, &s->attrs, "classifier.label", demo_chance(&f->rng, 0.5) ? "support" : "coding");
        demo_log_put(q, s, DEMO_DEBUG, "classifier", "conversation classified");
    }
    demo_span_close(q, s);
    demo_count(q, s, M_CLASSIFIER_RUNS, 1, DEMO_NO_LABELS);
    demo_count(q, s, M_CLASSIFIER_ERRORS, fails ? 1 : 0, DEMO_NO_LABELS);
    return !fails;
}

void demo_tools_declare(DemoFleet *f) {
    for (uint32_t i = 0; i < f->count[SVC_MCP_TOOLS]; i++) {
        for (size_t t = 0; t < ARRAY_LEN(tools); t++) {
            for (size_t o = 0; o < ARRAY_LEN(tool_outcomes); o++) {
                demo_metrics_record(f->metrics, f->first[SVC_MCP_TOOLS] + i, M_TOOL_EXECUTIONS, 0,
                    DEMO_LABELS({"status", tool_outcomes[o]}, {"tool_name", str_cstr(tools[t].name)}), NULL);
            }
        }
    }
    for (uint32_t i = 0; i < f->count[SVC_RESPONSE_API]; i++) {
        uint32_t at = f->first[SVC_RESPONSE_API] + i;
        demo_metrics_record(f->metrics, at, M_CLASSIFIER_RUNS, 0, DEMO_NO_LABELS, NULL);
        demo_metrics_record(f->metrics, at, M_CLASSIFIER_ERRORS, 0, DEMO_NO_LABELS, NULL);
        demo_metrics_record(f->metrics, at, M_SPECULATION_ATTEMPTS, 0, DEMO_LABELS({"outcome", STR("hit")}), NULL);
        demo_metrics_record(f->metrics, at, M_SPECULATION_ATTEMPTS, 0, DEMO_LABELS({"outcome", STR("miss")}), NULL);
    }
}
