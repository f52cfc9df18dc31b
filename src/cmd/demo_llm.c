/* demo_llm.c - llm-api: calls of model providers with their latencies, tokens, cost, limits, time-outs and retries.
 * Attribute names: OpenTelemetry's semantic conventions for generative AI. */
#include "cmd/demo_int.h"

#define ATTEMPTS_MAX 3
#define TIMEOUT_S 10.0
#define MODEL_LOCAL 5
#define MODEL_FALLBACK 3

typedef struct Model {
    Str provider; /* gen_ai.provider.name */
    const char *vendor, *name, *answers_as, *host;
    double ttft_s, tokens_per_s; /* medians */
    double usd_in, usd_out;      /* per million tokens */
    double share;                /* of the traffic */
} Model;

static const Model models[] = {
    {STR_INIT("openai"), "OpenAI", "gpt-4o", "gpt-4o-2024-11-20", "api.openai.com", 0.36, 120, 2.5, 10, 0.28},
    {STR_INIT("openai"), "OpenAI", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", "api.openai.com", 0.28, 150, 0.15, 0.6,
        0.26},
    {STR_INIT("anthropic"), "Anthropic", "claude-sonnet-4", "claude-sonnet-4-20250514", "api.anthropic.com", 0.45, 95,
        3, 15, 0.16},
    {STR_INIT("anthropic"), "Anthropic", "claude-haiku", "claude-3-5-haiku-20241022", "api.anthropic.com", 0.3, 160,
        0.8, 4, 0.1},
    {STR_INIT("azure.ai.openai"), "Azure", "gpt-4o", "gpt-4o-2024-08-06", "jan-prod.openai.azure.com", 0.38, 110, 2.5,
        10, 0.12},
    {STR_INIT("vllm"), "vLLM", "llama-3-70b", "meta-llama/Meta-Llama-3-70B-Instruct", "vllm.octollm-prod.svc", 0.22, 80,
        0, 0, 0.08},
};

typedef enum Outcome { LLM_OK, LLM_RATE_LIMITED, LLM_TIMED_OUT, LLM_FAILED } Outcome;
static const char *const outcome_names[] = {"ok", "rate_limited", "timeout", "error"};

typedef struct Call {
    const Model *model;
    Str conversation;
    int64_t input_tokens, output_tokens;
    bool wants_tool;
    int attempt; /* from 1 */
} Call;

static bool is_slow(const DemoRequest *q, const Model *m) {
    return str_eq_lit(m->provider, "openai") && demo_in_trouble(q->fleet, DEMO_LLM_LATENCY, q->wall_ns);
}

static const Model *pick_model(Rng *r) {
    double at = rng_f64(r);
    for (size_t i = 0; i + 1 < ARRAY_LEN(models); i++) {
        if (at < models[i].share) return &models[i];
        at -= models[i].share;
    }
    return &models[ARRAY_LEN(models) - 1];
}

static Outcome draw_outcome(DemoRequest *q, const Model *m) {
    bool slow = is_slow(q, m);
    double at = rng_f64(&q->fleet->rng);
    if (at < (slow ? 0.16 : 0.0015)) return LLM_TIMED_OUT;
    if (at < (slow ? 0.22 : 0.0165)) return LLM_RATE_LIMITED;
    return at < (slow ? 0.24 : 0.02) ? LLM_FAILED : LLM_OK;
}

static void put_request_attrs(DemoRequest *q, DemoSpan *s, const Call *c) {
    Rng *r = &q->fleet->rng;
    demo_attr_lit(q, &s->attrs, "gen_ai.operation.name", "chat");
    demo_attr_str(q, &s->attrs, "gen_ai.provider.name", c->model->provider);
    demo_attr_lit(q, &s->attrs, "gen_ai.request.model", c->model->name);
    demo_attr_i64(q, &s->attrs, "gen_ai.request.max_tokens", 1024);
    demo_attr_f64(q, &s->attrs, "gen_ai.request.temperature", demo_pick(r, 8) / 10.0);
    demo_attr_bool(q, &s->attrs, "gen_ai.request.stream", demo_chance(r, 0.7));
    demo_attr_str(q, &s->attrs, "gen_ai.conversation.id", c->conversation);
    demo_attr_lit(q, &s->attrs, "gen_ai.output.type", "text");
    demo_attr_lit(q, &s->attrs, "server.address", c->model->host);
    demo_attr_i64(q, &s->attrs, "server.port", 443);
    if (c->attempt > 1) demo_attr_i64(q, &s->attrs, "http.request.resend_count", c->attempt - 1);
}

/* What was said, on a part of the calls: enough to look at, not enough to fill a disk. */
static void put_messages(DemoRequest *q, DemoSpan *s, const Call *c) {
    static const char *const questions[] = {"How do I rotate the S3 credentials of media-api?",
        "Summarise yesterday's incident for the status page.", "Which pods restarted in the last hour?",
        "Translate the release notes into German.", "Write a PromQL query for the p95 latency by model."};
    static const char *const answers[] = {"Create a new key, update the secret, then restart the deployment.",
        "Uploads failed for 14 minutes because object storage refused writes.",
        "Two: llm-api and template-api, both after a rollout.", "Gern. Hier ist die Uebersetzung.",
        "histogram_quantile(0.95, sum by (le, model) (rate(latency_bucket[5m])))"};
    uint32_t i = demo_pick(&q->fleet->rng, ARRAY_LEN(questions));
    demo_attr_str(q, &s->attrs, "gen_ai.input.messages",
        demo_printf(q, "[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"%s\"}]}]", questions[i]));
    if (c->wants_tool) {
        demo_attr_lit(q, &s->attrs, "gen_ai.output.messages",
            "[{\"role\":\"assistant\",\"parts\":[{\"type\":\"tool_call\",\"id\":\"call_1\",\"name\":\"web_search\","
            "\"arguments\":{\"query\":\"status\"}}],\"finish_reason\":\"tool_call\"}]");
    } else {
        demo_attr_str(q, &s->attrs, "gen_ai.output.messages",
            demo_printf(q,
                "[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"%s\"}],"
                "\"finish_reason\":\"stop\"}]",
                answers[i]));
    }
}

static void record_answer(DemoRequest *q, DemoSpan *s, const Call *c, double ttft_s, double cost) {
    Str model = str_cstr(c->model->name);
    demo_observe(q, s, M_GENAI_TTFT, ttft_s,
        DEMO_LABELS({"gen_ai.operation.name", STR("chat")}, {"gen_ai.provider.name", c->model->provider},
            {"gen_ai.request.model", model}));
    for (int output = 0; output < 2; output++) {
        demo_observe(q, s, M_GENAI_TOKENS, (double)(output ? c->output_tokens : c->input_tokens),
            DEMO_LABELS({"gen_ai.operation.name", STR("chat")}, {"gen_ai.provider.name", c->model->provider},
                {"gen_ai.request.model", model}, {"gen_ai.token.type", output ? STR("output") : STR("input")}));
    }
    demo_count(q, s, M_COST, cost, DEMO_LABELS({"model", model}, {"provider", c->model->provider}));
}

/* The model's work: the first token, then the others. */
static void answer(DemoRequest *q, DemoSpan *s, Call *c) {
    Rng *r = &q->fleet->rng;
    const Model *m = c->model;
    double slow = is_slow(q, m) ? 5.5 : 1;
    double ttft_s = demo_lognormal(r, m->ttft_s * slow, 0.28);
    c->output_tokens = 1 + (int64_t)demo_lognormal(r, c->wants_tool ? 28 : 52, 0.45);
    demo_pass(q, ttft_s);
    demo_span_event(q, s, STR("gen_ai.first_token"));
    demo_pass(q, (double)c->output_tokens / demo_lognormal(r, m->tokens_per_s / (slow > 1 ? 2 : 1), 0.15));
    double cost = ((double)c->input_tokens * m->usd_in + (double)c->output_tokens * m->usd_out) / 1e6;
    const char *finish = c->wants_tool ? "tool_calls" : demo_chance(r, 0.02) ? "length" : "stop";
    demo_attr_str(q, &s->attrs, "gen_ai.response.id", demo_hex_id(q, "chatcmpl-", 12));
    demo_attr_lit(q, &s->attrs, "gen_ai.response.model", m->answers_as);
    demo_attr_list(q, &s->attrs, "gen_ai.response.finish_reasons", str_cstr(finish));
    demo_attr_f64(q, &s->attrs, "gen_ai.response.time_to_first_chunk", ttft_s);
    demo_attr_i64(q, &s->attrs, "gen_ai.usage.input_tokens", c->input_tokens);
    demo_attr_i64(q, &s->attrs, "gen_ai.usage.output_tokens", c->output_tokens);
    if (demo_chance(r, 0.3)) {
        demo_attr_i64(q, &s->attrs, "gen_ai.usage.cache_read.input_tokens", c->input_tokens / 2);
    }
    demo_attr_f64(q, &s->attrs, "gen_ai.usage.cost", cost);
    if (demo_chance(r, 0.25)) put_messages(q, s, c);
    record_answer(q, s, c, ttft_s, cost);
}

/* Everything about an attempt that did not end well: waiting, status, exception, line, counters. */
static void fail_attempt(DemoRequest *q, DemoSpan *s, const Call *c, Outcome outcome) {
    const Model *m = c->model;
    DemoAttrs *l;
    if (outcome == LLM_TIMED_OUT) {
        demo_pass(q, TIMEOUT_S);
        demo_span_fail(q, s, "timeout", demo_printf(q, "request to %s timed out after 10s", m->host));
        l = demo_log_put(q, s, DEMO_WARN, "llm.client", "%s request timed out after 10s (attempt %d/%d)", m->vendor,
            c->attempt, ATTEMPTS_MAX);
    } else if (outcome == LLM_RATE_LIMITED) {
        demo_pass(q, demo_lognormal(&q->fleet->rng, 0.07, 0.4));
        demo_attr_i64(q, &s->attrs, "http.response.status_code", 429);
        demo_span_fail(q, s, "429", demo_printf(q, "rate limit reached for %s", m->name));
        l = demo_log_put(q, s, DEMO_WARN, "llm.client",
            "%s rate limit reached for %s: 429 Too Many Requests (attempt %d/%d)", m->vendor, m->name, c->attempt,
            ATTEMPTS_MAX);
        demo_count(q, s, M_RATE_LIMIT_HITS, 1, DEMO_LABELS({"service", m->provider}));
    } else {
        demo_pass(q, demo_lognormal(&q->fleet->rng, 0.2, 0.6));
        demo_attr_i64(q, &s->attrs, "http.response.status_code", 503);
        demo_span_fail(q, s, "503", STR("the model is overloaded, try again later"));
        l = demo_log_put(q, s, DEMO_ERROR, "llm.client", "%s answered 503: the model is overloaded (attempt %d/%d)",
            m->vendor, c->attempt, ATTEMPTS_MAX);
    }
    demo_attr_str(q, l, "provider", m->provider);
    demo_attr_lit(q, l, "model", m->name);
}

static Outcome call_model(DemoRequest *q, const DemoSpan *parent, Call *c) {
    const Model *m = c->model;
    DemoSpan *s = demo_span_open(q, parent, parent->instance, KIND_CLIENT, demo_printf(q, "chat %s", m->name));
    put_request_attrs(q, s, c);
    Outcome outcome = draw_outcome(q, m);
    if (outcome == LLM_OK)
        answer(q, s, c);
    else
        fail_attempt(q, s, c, outcome);
    demo_span_close(q, s);
    double seconds = demo_span_seconds(s);
    DemoLabel labels[] = {{"gen_ai.operation.name", STR("chat")}, {"gen_ai.provider.name", m->provider},
        {"gen_ai.request.model", str_cstr(m->name)}, {"error.type", str_cstr(outcome_names[outcome])}};
    demo_observe(q, s, M_GENAI_DURATION, seconds, labels, outcome == LLM_OK ? 3 : 4);
    demo_count(q, s, M_LLM_REQUESTS, 1,
        DEMO_LABELS(
            {"model", str_cstr(m->name)}, {"provider", m->provider}, {"status", str_cstr(outcome_names[outcome])}));
    if (outcome != LLM_OK) return outcome;
    DemoAttrs *l = demo_log_put(q, s, DEMO_INFO, "llm.client", "completion from %s %s", m->vendor, m->name);
    demo_attr_str(q, l, "provider", m->provider);
    demo_attr_lit(q, l, "model", m->name);
    demo_attr_i64(q, l, "input_tokens", c->input_tokens);
    demo_attr_i64(q, l, "output_tokens", c->output_tokens);
    demo_attr_f64(q, l, "llm_duration_seconds", (double)(int64_t)(seconds * 1e6) / 1e6);
    return outcome;
}

/* Up to three attempts with growing pauses; the last one with the provider that is kept for bad days. */
static Outcome call_with_retries(DemoRequest *q, const DemoSpan *parent, Call *c) {
    Outcome outcome = LLM_OK;
    for (c->attempt = 1; c->attempt <= ATTEMPTS_MAX; c->attempt++) {
        if (c->attempt == ATTEMPTS_MAX && c->model != &models[MODEL_FALLBACK]) {
            DemoAttrs *l =
                demo_log_put(q, parent, DEMO_WARN, "llm.router", "falling back from %s to anthropic", c->model->vendor);
            demo_attr_str(q, l, "conversation_id", c->conversation);
            c->model = &models[MODEL_FALLBACK];
        }
        outcome = call_model(q, parent, c);
        if (outcome == LLM_OK) break;
        if (c->attempt < ATTEMPTS_MAX) {
            demo_count(q, parent, M_LLM_RETRIES, 1, DEMO_LABELS({"provider", c->model->provider}));
            demo_pass(q, 0.1 * (double)(1 << c->attempt));
        }
    }
    return outcome;
}

int demo_llm_serve(DemoRequest *q, const DemoSpan *parent, Str conversation, bool wants_tool) {
    Rng *r = &q->fleet->rng;
    DemoHttp h = demo_http_begin(q, parent, SVC_LLM_API, "POST", "/v1/chat/completions");
    demo_attr_str(q, &h.span->attrs, "gen_ai.conversation.id", conversation);
    demo_redis(q, h.span, "INCRBY");
    if (demo_chance(r, 0.35)) {
        demo_db_query(q, h.span, "SELECT", "api_keys", "SELECT id, tenant_id, scopes FROM api_keys WHERE hash = $1");
    }
    if (!parent && demo_chance(r, 0.3)) demo_template_render(q, h.span);
    Call c = {.model = pick_model(r), .conversation = conversation, .wants_tool = wants_tool};
    c.input_tokens = 12 + (int64_t)demo_lognormal(r, 380, 0.8);
    Outcome outcome = call_with_retries(q, h.span, &c);
    if (outcome == LLM_OK) {
        demo_db_query(q, h.span, "INSERT", "messages",
            "INSERT INTO messages (conversation_id, role, content) VALUES ($1, $2, $3)");
    } else {
        demo_log_put(
            q, h.span, DEMO_ERROR, "llm.router", "all %d attempts failed: %s", ATTEMPTS_MAX, outcome_names[outcome]);
    }
    int status = outcome == LLM_OK ? 200 : outcome == LLM_TIMED_OUT ? 504 : outcome == LLM_RATE_LIMITED ? 429 : 502;
    demo_http_end(q, &h, status);
    return status;
}

bool demo_llm_local(DemoRequest *q, const DemoSpan *parent, Str conversation) {
    Call c = {.model = &models[MODEL_LOCAL], .conversation = conversation, .attempt = 1};
    c.input_tokens = 12 + (int64_t)demo_lognormal(&q->fleet->rng, 220, 0.5);
    return call_model(q, parent, &c) == LLM_OK;
}

void demo_llm_declare(DemoFleet *f) {
    uint32_t first = f->first[SVC_LLM_API];
    for (uint32_t i = first; i < first + f->count[SVC_LLM_API]; i++) {
        for (size_t m = 0; m < ARRAY_LEN(models); m++) {
            Str provider = models[m].provider, model = str_cstr(models[m].name);
            demo_metrics_record(f->metrics, i, M_COST, 0, DEMO_LABELS({"model", model}, {"provider", provider}), NULL);
            demo_metrics_record(f->metrics, i, M_RATE_LIMIT_HITS, 0, DEMO_LABELS({"service", provider}), NULL);
            demo_metrics_record(f->metrics, i, M_LLM_RETRIES, 0, DEMO_LABELS({"provider", provider}), NULL);
            for (size_t o = 0; o < ARRAY_LEN(outcome_names); o++) {
                demo_metrics_record(f->metrics, i, M_LLM_REQUESTS, 0,
                    DEMO_LABELS({"model", model}, {"provider", provider}, {"status", str_cstr(outcome_names[o])}),
                    NULL);
            }
        }
    }
}
