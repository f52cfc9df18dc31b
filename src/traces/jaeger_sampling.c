#include "base/map.h"
#include "traces/jaeger_api.h"

struct JaegerSampling {
    Arena *arena;
    Map *services; /* name -> strategy */
    JaegerSamplingStrategy dflt;
};

static JaegerSamplingStrategy copy_strategy(Arena *arena, const JaegerSamplingStrategy *s) {
    JaegerSamplingStrategy out = *s;
    JaegerSamplingOperation *ops = ARENA_ARRAY(arena, JaegerSamplingOperation, s->n_operations + 1);
    ASSERT(ops); /* no budget */
    for (size_t i = 0; i < s->n_operations; i++) {
        ops[i] = (JaegerSamplingOperation){arena_copy(arena, s->operations[i].operation), s->operations[i].rate};
    }
    out.operations = ops;
    out.service = arena_copy(arena, s->service);
    return out;
}

JaegerSampling *jaeger_sampling_create(const JaegerSamplingOptions *opts) {
    static const JaegerSamplingStrategy keep_all = {.type = JAEGER_SAMPLING_PROBABILISTIC, .param = 1.0};
    JaegerSampling *s = NEW(JaegerSampling);
    s->arena = arena_create(ARENA_UNLIMITED); /* a copy of the configuration */
    s->services = map_create(MAP_BORROW_KEYS);
    s->dflt = copy_strategy(s->arena, opts && opts->dflt ? opts->dflt : &keep_all);
    for (size_t i = 0; opts && i < opts->n_services; i++) {
        JaegerSamplingStrategy *copy = ARENA_NEW(s->arena, JaegerSamplingStrategy);
        ASSERT(copy);
        *copy = copy_strategy(s->arena, &opts->services[i]);
        map_set_ptr(s->services, copy->service, copy);
    }
    return s;
}

JaegerSampling *jaeger_sampling_free(JaegerSampling *s) {
    if (!s) return NULL;
    map_free(s->services);
    arena_free(s->arena);
    mem_free(s);
    return NULL;
}

static void put_probability(JsonWriter *w, double rate) {
    json_key_lit(w, "probabilisticSampling");
    json_begin_object(w);
    json_key_lit(w, "samplingRate");
    json_f64(w, rate);
    json_end_object(w);
}

static void put_operations(JsonWriter *w, const JaegerSamplingStrategy *s) {
    json_key_lit(w, "operationSampling");
    json_begin_object(w);
    json_key_lit(w, "defaultSamplingProbability");
    json_f64(w, s->type == JAEGER_SAMPLING_PROBABILISTIC ? s->param : 1.0);
    json_key_lit(w, "defaultLowerBoundTracesPerSecond");
    json_f64(w, 0);
    json_key_lit(w, "perOperationStrategies");
    json_begin_array(w);
    for (size_t i = 0; i < s->n_operations; i++) {
        json_begin_object(w);
        json_key_lit(w, "operation");
        json_str(w, s->operations[i].operation);
        put_probability(w, s->operations[i].rate);
        json_end_object(w);
    }
    json_end_array(w);
    json_key_lit(w, "defaultUpperBoundTracesPerSecond");
    json_f64(w, 0);
    json_end_object(w);
}

static void put_strategy(JsonWriter *w, const JaegerSamplingStrategy *s) {
    json_begin_object(w);
    json_key_lit(w, "strategyType");
    if (s->type == JAEGER_SAMPLING_RATE_LIMITING) {
        json_str(w, STR("RATE_LIMITING"));
        json_key_lit(w, "rateLimitingSampling");
        json_begin_object(w);
        json_key_lit(w, "maxTracesPerSecond");
        json_i64(w, (int64_t)s->param);
        json_end_object(w);
    } else {
        json_str(w, STR("PROBABILISTIC"));
        put_probability(w, s->param);
    }
    if (s->n_operations) put_operations(w, s);
    json_end_object(w);
}

static void get_sampling(void *ctx, HttpRequest *req, HttpResponse *res) {
    JaegerSampling *s = ctx;
    Str services[2];
    if (http_params(req, STR("service"), services, 2) != 1) {
        http_reply_text(res, 400, "'service' parameter must be provided once\n");
        http_set_header(res, STR("X-Content-Type-Options"), STR("nosniff"));
        return;
    }
    const JaegerSamplingStrategy *own = map_get_ptr(s->services, services[0]);
    JsonWriter w = json_writer(&res->body);
    buf_clear(&res->body);
    put_strategy(&w, own ? own : &s->dflt);
    res->status = 200;
    res->content_type = STR("application/json");
}

void jaeger_sampling_routes(JaegerSampling *s, Router *router) {
    static const char *const patterns[] = {"/", "/sampling", "/api/sampling"};
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
        Route r = {.methods = HTTP_GET,
            .pattern = patterns[i],
            .handler = get_sampling,
            .ctx = s,
            .cls = ROUTE_INSTANT,
            .role = ROLE_NONE};
        router_add(router, &r);
    }
}
