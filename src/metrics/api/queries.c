/* queries.c - /api/meerkat/v1/queries: what runs now, what was slow, the kill switch; /api/meerkat/v1/explain. */
#include "metrics/api/api_int.h"

#include "base/log.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "sys/clock.h"

#include <stdio.h>

static void put_seconds(JsonWriter *w, const char *key, int64_t ns) {
    json_key(w, str_cstr(key));
    json_f64(w, (double)ns / 1e9);
}

static void put_time(JsonWriter *w, const char *key, int64_t t_ms) {
    Buf b = {0};
    api_put_time(&b, t_ms);
    json_key(w, str_cstr(key));
    json_raw(w, buf_str(&b));
    buf_done(&b);
}

/* --- running and slow ones --- */

static void put_query(JsonWriter *w, const PromqlActiveInfo *q) {
    static const char *const states[] = {
        [PROMQL_QUEUED] = "queued", [PROMQL_RUNNING] = "running", [PROMQL_FINISHED] = "finished"};
    Buf began = {0};
    time_put_rfc3339(&began, q->begin_unix_ns);
    json_begin_object(w);
    json_pair_u64(w, "id", q->id);
    json_pair_str(w, "state", str_cstr(states[q->state]));
    json_pair_str(w, "query", q->query.text);
    json_pair_str(w, "origin", q->query.origin);
    json_pair_str(w, "user", q->query.user);
    json_pair_str(w, "began", buf_str(&began));
    put_time(w, "start", q->query.start_ms);
    put_time(w, "end", q->query.end_ms);
    put_seconds(w, "step", q->query.step_ms * NS_PER_MS);
    put_seconds(w, "queueSeconds", q->queue_ns);
    put_seconds(w, "runSeconds", q->run_ns);
    json_pair_u64(w, "samples", q->samples);
    json_pair_u64(w, "memoryBytes", q->memory_bytes);
    json_key_lit(w, "killed");
    json_bool(w, q->killed);
    if (q->state == PROMQL_FINISHED && q->code != OK) {
        json_pair_str(w, "errorType", str_cstr(err_name(q->code)));
        json_pair_str(w, "error", q->error);
    }
    json_end_object(w);
    buf_done(&began);
}

typedef bool (*ListFn)(PromqlActive *a, Arena *arena, PromqlActiveInfo **ret, size_t *ret_n);

static bool put_list(ApiCall *c, ListFn list) {
    PromqlActiveInfo *v = NULL;
    size_t n = 0;
    if (!list(c->api->active, c->req->arena, &v, &n))
        return api_fail(c, API_EXECUTION, "query needs more memory than it may use");
    json_begin_object(&c->w);
    json_key_lit(&c->w, "queries");
    json_begin_array(&c->w);
    for (size_t i = 0; i < n; i++) put_query(&c->w, &v[i]);
    json_end_array(&c->w);
    put_seconds(&c->w, "slowThresholdSeconds", c->api->opts.slow_query_ms * NS_PER_MS);
    json_pair_u64(&c->w, "concurrency", c->api->opts.query_concurrency);
    json_end_object(&c->w);
    return true;
}

bool api_queries(ApiCall *c) { return put_list(c, promql_active_list); }
bool api_queries_slow(ApiCall *c) { return put_list(c, promql_active_slow); }

bool api_query_kill(ApiCall *c) {
    uint64_t id;
    Str text = http_path_param(c->req, STR("id"));
    if (!num_parse_u64(text, &id)) return api_fail(c, API_BAD_DATA, "the id of a query must be a number");
    if (!promql_active_kill(c->api->active, id))
        return api_fail(c, API_NOT_FOUND, "no query %llu is running", (unsigned long long)id);
    char number[24];
    snprintf(number, sizeof number, "%llu", (unsigned long long)id);
    log_info("a query was killed on request", "id", number, NULL);
    c->no_data = true;
    return true;
}

/* --- a query's place --- */

ErrCode api_query_begin(ApiCall *c, Str text, const char *origin, PromqlQuery *q, Err *reterr) {
    PromqlActiveQuery what = {.text = text,
        .origin = str_cstr(origin),
        .user = c->req->user.n ? c->req->user : c->req->peer,
        .start_ms = q->start_ms,
        .end_ms = q->end_ms,
        .step_ms = q->step_ms};
    return promql_active_begin(c->api->active, &what, q->deadline_mono_ns, &q->ticket, reterr);
}

/* Long texts are cut: the slow list has them whole. */
static void log_slow(const ApiCall *c, Str text, int64_t ns, uint64_t samples, ErrCode code) {
    char query[512], took[24], read[24];
    snprintf(query, sizeof query, "%" STR_FMT, STR_ARG(text));
    snprintf(took, sizeof took, "%.3f", (double)ns / 1e9);
    snprintf(read, sizeof read, "%llu", (unsigned long long)samples);
    Str who = c->req->user.n ? c->req->user : c->req->peer;
    char user[96];
    snprintf(user, sizeof user, "%" STR_FMT, STR_ARG(who));
    log_warn("slow query", "query", query, "seconds", took, "samples", read, "user", user, "result",
        code == OK ? "ok" : err_name(code), NULL);
}

void api_query_end(ApiCall *c, Str text, PromqlQuery *q, int64_t begin_mono_ns, const PromqlStats *stats, ErrCode code,
    const Err *err) {
    int64_t ns = clock_mono_ns() - begin_mono_ns;
    api_metrics_query(c->api->metrics, promql_ticket_queue_ns(q->ticket), code == OK ? stats : NULL);
    promql_active_end(q->ticket, code, err);
    q->ticket = NULL;
    if (ns >= c->api->opts.slow_query_ms * NS_PER_MS) log_slow(c, text, ns, code == OK ? stats->samples_read : 0, code);
}

/* --- explain --- */

static void put_plan(JsonWriter *w, const PromqlPlan *p) {
    json_begin_object(w);
    json_pair_str(w, "op", str_cstr(p->op));
    json_pair_str(w, "name", p->name);
    json_pair_str(w, "text", p->text);
    json_key_lit(w, "span");
    json_begin_array(w);
    json_u64(w, p->span.start);
    json_u64(w, p->span.end);
    json_end_array(w);
    if (p->how) json_pair_str(w, "how", str_cstr(p->how));
    json_pair_u64(w, "steps", p->steps);
    json_pair_u64(w, "series", p->series);
    json_pair_u64(w, "points", p->points);
    put_seconds(w, "seconds", p->ns);
    json_pair_u64(w, "threads", p->threads);
    if (strcmp(p->op, "selector") == 0) {
        put_time(w, "start", p->min_t_ms);
        put_time(w, "end", p->max_t_ms);
        json_pair_u64(w, "seriesMatched", p->series_matched);
        json_pair_u64(w, "samplesDecoded", p->samples_decoded);
        json_pair_u64(w, "blocks", p->blocks);
        json_pair_u64(w, "blocksDecoded", p->blocks_decoded);
        json_pair_u64(w, "blocksSkipped", p->blocks_skipped);
    }
    json_key_lit(w, "children");
    json_begin_array(w);
    for (size_t i = 0; i < p->n_children; i++) put_plan(w, p->children[i]);
    json_end_array(w);
    json_end_object(w);
}

static void put_explained(ApiCall *c, const PromqlResult *r, const PromqlPlan *plan) {
    JsonWriter *w = &c->w;
    json_begin_object(w);
    json_pair_str(w, "resultType", str_cstr(promql_type_name(r->type)));
    json_pair_u64(w, "series", r->n);
    put_seconds(w, "execSeconds", r->stats.exec_ns);
    json_pair_u64(w, "samplesRead", r->stats.samples_read);
    json_pair_u64(w, "peakSamples", r->stats.samples_peak);
    json_key_lit(w, "plan");
    if (plan)
        put_plan(w, plan);
    else
        json_null(w);
    json_end_object(w);
}

/* time, or start, end and step: as for /query and /query_range. */
bool api_explain(ApiCall *c) {
    PromqlQuery q = {0};
    PromqlPlan *plan = NULL;
    PromqlResult r = {0};
    PromqlOptions engine = api_engine_options(c->api);
    Err err = {0};
    bool range = http_has_param(c->req, STR("step"));
    if (!(range ? api_range_params(c, &q) : api_time_param(c, "time", clock_now_ms(), &q.start_ms))) return false;
    if (!range) q.end_ms = q.start_ms;
    if (!api_query_options(c, &q)) return false;
    q.explain = &plan;
    Str text = http_param(c->req, STR("query"));
    Arena *arena = arena_create(c->api->opts.query_arena_bytes);
    int64_t begin = clock_mono_ns();
    ErrCode rc = api_query_begin(c, text, "explain", &q, &err);
    if (rc == OK) {
        rc = promql_exec(c->api->opts.store, &engine, &q, text, arena, &r, &err);
        api_query_end(c, text, &q, begin, &r.stats, rc, &err);
    }
    if (rc == OK)
        put_explained(c, &r, plan);
    else if (rc == ERR_INVALID)
        api_fail_param(c, "query", "%s", err.msg);
    else
        api_fail_err(c, &err);
    arena_free(arena);
    return rc == OK;
}
