/* demo_stories.c - the kinds of requests users make, and the background jobs that follow from some of them. */
#include "cmd/demo_int.h"

#define QUEUE_NAME "background_jobs"

typedef void (*Story)(DemoRequest *q);

static Str conversation_id(DemoRequest *q) {
    return demo_printf(
        q, "conv_%05u", 10000 + demo_pick(&q->fleet->rng, 900)); /* conversations go on over many turns */
}

static void play_chat(DemoRequest *q) { (void)demo_llm_serve(q, NULL, conversation_id(q), false); }

static int ask_llm_api(DemoRequest *q, const DemoSpan *parent, Str conversation, bool wants_tool) {
    DemoSpan *client = demo_http_client(q, parent, SVC_LLM_API, "POST", "/v1/chat/completions");
    int status = demo_llm_serve(q, client, conversation, wants_tool);
    demo_http_client_end(q, client, status);
    return status;
}

static void play_response(DemoRequest *q) {
    DemoHttp h = demo_http_begin(q, NULL, SVC_RESPONSE_API, "POST", "/v1/responses");
    Str conversation = conversation_id(q);
    demo_attr_str(q, &h.span->attrs, "gen_ai.conversation.id", conversation);
    demo_db_query(q, h.span, "SELECT", "conversations", "SELECT id, metadata FROM conversations WHERE id = $1");
    int status = ask_llm_api(q, h.span, conversation, false);
    demo_http_end(q, &h, status == 200 ? 200 : 502);
}

static void put_messaging_attrs(DemoRequest *q, DemoSpan *s, const char *operation, uint64_t number) {
    demo_attr_lit(q, &s->attrs, "messaging.system", "postgresql");
    demo_attr_lit(q, &s->attrs, "messaging.destination.name", QUEUE_NAME);
    demo_attr_lit(q, &s->attrs, "messaging.operation.type", operation);
    demo_attr_str(q, &s->attrs, "messaging.message.id", demo_printf(q, "job-%06u", (unsigned)number));
}

static void enqueue(DemoRequest *q, const DemoSpan *parent) {
    DemoFleet *f = q->fleet;
    DemoJob job = {.enqueued_ns = q->wall_ns, .number = ++f->job_number};
    DemoSpan *s = demo_span_open(q, parent, parent->instance, KIND_PRODUCER, STR("send " QUEUE_NAME));
    put_messaging_attrs(q, s, "send", job.number);
    demo_pass(q, demo_lognormal(&f->rng, 0.0009, 0.4));
    demo_span_close(q, s);
    memcpy(job.producer.trace, q->trace, sizeof job.producer.trace);
    memcpy(job.producer.span, s->id, sizeof job.producer.span);
    vec_push(&f->jobs, job);
    DemoAttrs *l = demo_log_put(q, s, DEMO_INFO, "jobs", "job enqueued");
    demo_attr_i64(q, l, "job_id", (int64_t)job.number);
    demo_attr_i64(q, l, "queue_depth", (int64_t)demo_fleet_queue_depth(f));
}

static void play_background(DemoRequest *q) {
    DemoHttp h = demo_http_begin(q, NULL, SVC_RESPONSE_API, "POST", "/v1/responses/background");
    bool full = demo_fleet_queue_depth(q->fleet) >= DEMO_QUEUE_MAX;
    if (full) {
        demo_log_put(q, h.span, DEMO_ERROR, "jobs", "queue is full: job refused");
        demo_http_end(q, &h, 503);
        return;
    }
    demo_db_query(
        q, h.span, "INSERT", QUEUE_NAME, "INSERT INTO background_jobs (status, payload) VALUES ('queued', $1)");
    enqueue(q, h.span);
    demo_http_end(q, &h, 202);
}

static void play_upload(DemoRequest *q) {
    DemoHttp h = demo_http_begin(q, NULL, SVC_MEDIA_API, "POST", "/v1/media");
    int64_t size_bytes = (int64_t)demo_lognormal(&q->fleet->rng, 400e3, 1.0);
    bool ok = demo_s3(q, h.span, "PutObject", size_bytes);
    if (!ok) ok = demo_s3(q, h.span, "PutObject", size_bytes); /* once more */
    if (ok) {
        demo_db_query(q, h.span, "INSERT", "media", "INSERT INTO media (key, size, owner) VALUES ($1, $2, $3)");
        DemoAttrs *l = demo_log_put(q, h.span, DEMO_INFO, "media", "object stored");
        demo_attr_i64(q, l, "size_bytes", size_bytes);
    } else {
        demo_log_put(q, h.span, DEMO_ERROR, "media", "upload failed: object storage is not available");
    }
    demo_http_end(q, &h, ok ? 201 : 503);
}

static void play_download(DemoRequest *q) {
    DemoHttp h = demo_http_begin(q, NULL, SVC_MEDIA_API, "GET", "/v1/media/{id}");
    demo_db_query(q, h.span, "SELECT", "media", "SELECT key, size, owner FROM media WHERE id = $1");
    if (demo_chance(&q->fleet->rng, 0.02)) {
        demo_http_end(q, &h, 404);
        return;
    }
    bool ok = demo_s3(q, h.span, "GetObject", 0);
    demo_http_end(q, &h, ok ? 200 : 502);
}

static void play_templates(DemoRequest *q) {
    DemoHttp h = demo_http_begin(q, NULL, SVC_TEMPLATE_API, "GET", "/v1/templates");
    demo_redis(q, h.span, "GET");
    demo_db_query(q, h.span, "SELECT", "templates", "SELECT id, name, version FROM templates ORDER BY name");
    demo_http_end(q, &h, 200);
}

static void play_list_tools(DemoRequest *q) {
    DemoHttp h = demo_http_begin(q, NULL, SVC_MCP_TOOLS, "POST", "/mcp");
    h.span->name = STR("tools/list");
    demo_attr_lit(q, &h.span->attrs, "mcp.method.name", "tools/list");
    demo_redis(q, h.span, "GET");
    demo_http_end(q, &h, 200);
    demo_observe(
        q, h.span, M_MCP_DURATION, demo_span_seconds(h.span), DEMO_LABELS({"mcp.method.name", STR("tools/list")}));
}

static const struct {
    Story play;
    double share;
} mix[] = {
    {play_chat, 0.48},
    {play_response, 0.13},
    {play_background, 0.13},
    {play_upload, 0.10},
    {play_download, 0.07},
    {play_templates, 0.04},
    {play_list_tools, 0.05},
};

static Story pick_story(DemoFleet *f, int64_t t_ns) {
    bool rush = demo_in_trouble(f, DEMO_QUEUE_BACKLOG, t_ns);
    if (rush && demo_chance(&f->rng, 0.5)) return play_background;
    double at = rng_f64(&f->rng);
    for (size_t i = 0; i + 1 < ARRAY_LEN(mix); i++) {
        if (at < mix[i].share) return mix[i].play;
        at -= mix[i].share;
    }
    return mix[ARRAY_LEN(mix) - 1].play;
}

void demo_play_request(DemoFleet *f, int64_t end_ns) {
    DemoRequest q;
    arena_reset(f->scratch);
    demo_request_begin(&q, f, f->scratch, end_ns);
    pick_story(f, end_ns)(&q);
    demo_request_shift(&q, end_ns - q.now_ns);
    f->totals.requests++;
    demo_fleet_take(f, &q);
}

/* --- jobs --- */

static bool run_agent(DemoRequest *q, const DemoSpan *parent, Str conversation) {
    Rng *r = &q->fleet->rng;
    DemoSpan *s = demo_span_open(q, parent, parent->instance, KIND_INTERNAL, STR("invoke_agent assistant"));
    demo_attr_lit(q, &s->attrs, "gen_ai.operation.name", "invoke_agent");
    demo_attr_lit(q, &s->attrs, "gen_ai.agent.name", "assistant");
    demo_attr_str(q, &s->attrs, "gen_ai.conversation.id", conversation);
    uint32_t turns = demo_pick(r, 3);
    bool ok = true;
    if (demo_chance(r, 0.5)) demo_template_render(q, s);
    for (uint32_t i = 0; i < turns && ok; i++) {
        ok = ask_llm_api(q, s, conversation, true) == 200;
        if (ok) demo_tool_call(q, s, conversation); /* a failed tool is the model's to work around */
    }
    if (ok) ok = ask_llm_api(q, s, conversation, false) == 200;
    if (!ok) s->status = 2;
    demo_span_close(q, s);
    return ok;
}

static void deliver_webhook(DemoRequest *q, const DemoSpan *parent) {
    Rng *r = &q->fleet->rng;
    DemoSpan *s = demo_span_open(q, parent, parent->instance, KIND_CLIENT, STR("POST"));
    bool ok = !demo_chance(r, 0.01);
    demo_attr_lit(q, &s->attrs, "http.request.method", "POST");
    demo_attr_lit(q, &s->attrs, "server.address", "hooks.customer.example");
    demo_attr_lit(q, &s->attrs, "url.full", "https://hooks.customer.example/jan");
    demo_attr_i64(q, &s->attrs, "http.response.status_code", ok ? 200 : 502);
    demo_pass(q, demo_lognormal(r, 0.09, 0.6));
    if (!ok) {
        demo_span_fail(q, s, "502", STR("webhook endpoint answered 502"));
        demo_log_put(q, s, DEMO_WARN, "webhooks", "webhook delivery failed: endpoint answered 502");
    }
    demo_span_close(q, s);
    demo_count(q, s, M_WEBHOOKS, 1, DEMO_LABELS({"status", ok ? STR("delivered") : STR("failed")}));
}

static void end_job(DemoRequest *q, DemoSpan *root, const DemoJob *job, const char *error) {
    Str status = error ? STR("failed") : STR("completed");
    demo_db_query(
        q, root, "UPDATE", QUEUE_NAME, "UPDATE background_jobs SET status = $1, error_message = $2 WHERE id = $3");
    if (error) demo_span_fail(q, root, "JobError", str_cstr(error));
    DemoAttrs *l = error ? demo_log_put(q, root, DEMO_ERROR, "jobs", "job failed: %s", error)
                         : demo_log_put(q, root, DEMO_INFO, "jobs", "job completed");
    demo_attr_i64(q, l, "job_id", (int64_t)job->number);
    demo_attr_i64(q, l, "waited_ms", (q->wall_ns - job->enqueued_ns) / NS_PER_MS);
    demo_span_close(q, root);
    demo_count(q, root, M_JOBS, 1, DEMO_LABELS({"status", status}));
    demo_observe(q, root, M_JOB_SECONDS, demo_span_seconds(root), DEMO_LABELS({"status", status}));
}

static void play_job(DemoRequest *q, uint32_t instance, const DemoJob *job) {
    DemoFleet *f = q->fleet;
    bool trouble = demo_in_trouble(f, DEMO_QUEUE_BACKLOG, q->wall_ns);
    DemoSpan *root = demo_span_open(q, NULL, instance, KIND_CONSUMER, STR("process " QUEUE_NAME));
    put_messaging_attrs(q, root, "process", job->number);
    demo_span_link(root, &job->producer);
    demo_db_query(q, root, "UPDATE", QUEUE_NAME, "UPDATE background_jobs SET status = 'running' WHERE id = $1");
    Str conversation = conversation_id(q);
    const char *error = NULL;
    if (trouble) { /* the media-api does not answer, and the worker waits for it */
        DemoSpan *wait = demo_http_client(q, root, SVC_MEDIA_API, "GET", "/v1/media/{id}");
        bool fails = demo_chance(&f->rng, 0.4);
        demo_pass(q, fails ? 45.0 : demo_lognormal(&f->rng, 28, 0.3));
        if (fails) {
            error = "timed out after 45s waiting for media-api";
            demo_span_fail(q, wait, "timeout", str_cstr(error));
        }
        demo_http_client_end(q, wait, fails ? 504 : 200);
    }
    if (!error && !run_agent(q, root, conversation)) error = "the model did not answer";
    if (!error) {
        demo_classify(q, root, conversation);
        deliver_webhook(q, root);
    }
    end_job(q, root, job, error);
}

/* What the job counts it counts at its start, a little early; its spans and lines come when it is over. */
void demo_play_job(DemoFleet *f, DemoWorker *w, uint32_t instance, const DemoJob *job, int64_t start_ns) {
    ASSERT(w->busy_until_ns == 0 && start_ns >= job->enqueued_ns);
    arena_reset(w->arena);
    demo_request_begin(&w->request, f, w->arena, start_ns);
    play_job(&w->request, instance, job);
    demo_request_shift(&w->request, start_ns);
    w->busy_until_ns = w->request.now_ns;
    f->totals.jobs++;
}

void demo_stories_declare(DemoFleet *f) {
    static const Str operations[] = {STR_INIT("GetObject"), STR_INIT("PutObject")};
    for (uint32_t i = 0; i < f->count[SVC_MEDIA_API]; i++) {
        for (size_t o = 0; o < ARRAY_LEN(operations); o++) {
            uint32_t at = f->first[SVC_MEDIA_API] + i;
            demo_metrics_record(f->metrics, at, M_S3_REQUESTS, 0, DEMO_LABELS({"operation", operations[o]}), NULL);
            demo_metrics_record(f->metrics, at, M_S3_ERRORS, 0, DEMO_LABELS({"operation", operations[o]}), NULL);
        }
    }
    static const Str statuses[] = {STR_INIT("completed"), STR_INIT("failed")};
    for (uint32_t i = 0; i < f->count[SVC_RESPONSE_API]; i++) {
        for (size_t s = 0; s < ARRAY_LEN(statuses); s++) {
            demo_metrics_record(
                f->metrics, f->first[SVC_RESPONSE_API] + i, M_JOBS, 0, DEMO_LABELS({"status", statuses[s]}), NULL);
        }
    }
}
