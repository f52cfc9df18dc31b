/* jaeger_test.c - Jaeger's own storage queries, transformation and /api/v3 snapshots, against our store and API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/num.h"
#include "base/timefmt.h"
#include "collect/otlp_decode.h"
#include "collect/otlp_json.h"
#include "traces/api_fixture_test.h"

#include <stdio.h>

static const char *data_dir;

static ErrCode decode(Str json, SpansBatch *batch, Err *reterr) {
    Buf proto = {0};
    OtlpRejects rejects = {0};
    ErrCode e = otlp_json_to_proto(OTLP_REQUEST_TRACES, json, batch->arena, &proto, reterr);
    Str copy = e ? STR_NULL : arena_copy(batch->arena, buf_str(&proto));
    buf_done(&proto);
    return e ? e : otlp_decode_traces(copy, batch, &rejects, reterr);
}

static Str load(Arena *arena, const char *name) {
    char path[FS_PATH_MAX];
    Buf b = {0};
    Err err = {0};
    fs_path_join(path, data_dir, name);
    if (fs_read_file(fs_real(), path, 16u << 20, &b, &err)) fail_msg("%s", err.msg);
    Str copy = arena_copy(arena, buf_str(&b));
    buf_done(&b);
    return copy;
}

static bool have_data(void) {
    if (data_dir && fs_real()->ops->exists(fs_real(), data_dir)) return true;
    printf("conformance: Jaeger: no data in %s, nothing was checked\n", data_dir ? data_dir : "(no directory given)");
    return false;
}

static const JsonValue *parse(Str text, Arena *arena) {
    JsonValue *v;
    Err err = {0};
    if (json_parse(text, arena, &v, &err)) fail_msg("%s: %" STR_FMT, err.msg, STR_ARG(text));
    return v;
}

/* Same JSON, whatever the order of members; numbers by their value. */
static bool same_json(const JsonValue *a, const JsonValue *b) {
    double x, y;
    if (a->kind != b->kind || a->n != b->n) return false;
    switch (a->kind) {
    case JSON_K_NULL: return true;
    case JSON_K_BOOL: return a->boolean == b->boolean;
    case JSON_K_STRING: return str_eq(a->text, b->text);
    case JSON_K_NUMBER:
        return str_eq(a->text, b->text) || (num_parse_f64(a->text, &x) && num_parse_f64(b->text, &y) && x == y);
    case JSON_K_OBJECT:
        for (const JsonValue *c = a->first; c; c = c->next) {
            const JsonValue *d = json_get(b, c->key);
            if (!d || !same_json(c, d)) return false;
        }
        return true;
    case JSON_K_ARRAY:
        for (const JsonValue *c = a->first, *d = b->first; c; c = c->next, d = d->next) {
            if (!same_json(c, d)) return false;
        }
        return true;
    }
    return false;
}

static void append_json(TraceStore *s, Str json) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    SpansBatch b = {.arena = arena};
    Err err = {0};
    if (decode(json, &b, &err) || s->ops->append(s, &b, NULL, &err)) fail_msg("%s", err.msg);
    arena_free(arena);
}

/* --- POST /api/transform --- */

static void test_transform(void **state) {
    (void)state;
    if (!have_data()) skip();
    ApiFixture f;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    api_fixture_init(&f, decode, NULL);
    Str got = api_call(&f, f.router, HTTP_POST, "/api/transform", load(arena, "otlp2jaeger-in.json"));
    assert_int_equal(f.res.status, 200);
    const JsonValue *want = parse(load(arena, "otlp2jaeger-out.json"), arena);
    if (!same_json(parse(got, arena), want)) fail_msg("got %" STR_FMT, STR_ARG(got));
    api_call(&f, f.router, HTTP_POST, "/api/transform", STR("not json"));
    assert_int_equal(f.res.status, 400);
    printf("conformance: Jaeger transformation: 1 of 1 is the same\n");
    api_fixture_done(&f);
    arena_free(arena);
}

/* --- queries.json --- */

static int64_t time_us(const JsonValue *query, Str key) {
    int64_t ns = 0;
    assert_true(time_parse_rfc3339(json_get_str(query, key), &ns));
    return ns / 1000;
}

/* The query as parameters of GET /api/traces. */
static Str target_of(const JsonValue *query, Arena *arena) {
    Buf b = {0}, tags = {0}, text = {0};
    int64_t ns;
    buf_put_lit(&b, "/api/traces?service=");
    http_url_encode(&b, json_get_str(query, STR("ServiceName")));
    buf_put_lit(&b, "&operation=");
    http_url_encode(&b, json_get_str(query, STR("OperationName")));
    buf_printf(&b, "&start=%lld&end=%lld", (long long)time_us(query, STR("StartTimeMin")),
        (long long)time_us(query, STR("StartTimeMax")));
    if (json_get_i64(query, STR("DurationMin"), &ns) && ns) buf_printf(&b, "&minDuration=%lldns", (long long)ns);
    if (json_get_i64(query, STR("DurationMax"), &ns) && ns) buf_printf(&b, "&maxDuration=%lldns", (long long)ns);
    if (json_get_i64(query, STR("NumTraces"), &ns)) buf_printf(&b, "&limit=%lld", (long long)ns);
    JsonWriter w = json_writer(&tags);
    json_begin_object(&w);
    const JsonValue *list = json_get(query, STR("Tags"));
    for (const JsonValue *t = list ? list->first : NULL; t; t = t->next) {
        json_key(&w, t->key);
        json_str(&w, t->kind == JSON_K_BOOL ? t->boolean ? STR("true") : STR("false") : t->text);
    }
    json_end_object(&w);
    buf_put_lit(&b, "&tags=");
    http_url_encode(&b, buf_str(&tags));
    Str copy = arena_copy(arena, buf_str(&b));
    buf_done(&b);
    buf_done(&tags);
    buf_done(&text);
    return copy;
}

static Str fixture_name(Arena *arena, Str name) {
    return arena_printf(arena, "traces/%" STR_FMT ".json", STR_ARG(name));
}

static Str trace_id_of(Str otlp, Arena *arena) {
    const JsonValue *spans = json_get(parse(otlp, arena), STR("resourceSpans"))->first;
    spans = json_get(json_get(spans, STR("scopeSpans"))->first, STR("spans"));
    return json_get_str(spans->first, STR("traceId"));
}

/* Every expected trace is there, with all its spans, and nothing else. */
static void check_query(ApiFixture *f, const JsonValue *q, Arena *arena) {
    Str target = target_of(json_get(q, STR("Query")), arena);
    Str caption = json_get_str(q, STR("Caption"));
    Str body = api_get(f, target.p);
    if (f->res.status != 200) fail_msg("%" STR_FMT ": %" STR_FMT, STR_ARG(caption), STR_ARG(body));
    const JsonValue *data = json_get(parse(body, arena), STR("data")), *want = json_get(q, STR("ExpectedFixtures"));
    if (data->n != want->n) {
        fail_msg("%" STR_FMT ": %zu traces instead of %zu", STR_ARG(caption), data->n, want->n);
    }
    for (const JsonValue *name = want->first; name; name = name->next) {
        Str id = trace_id_of(load(arena, fixture_name(arena, name->text).p), arena);
        bool found = false;
        for (const JsonValue *t = data->first; t; t = t->next) {
            found |= str_ends_with(id, json_get_str(t, STR("traceID"))) && json_get(t, STR("spans"))->n > 0;
        }
        if (!found) fail_msg("%" STR_FMT ": %" STR_FMT " is missing", STR_ARG(caption), STR_ARG(name->text));
    }
}

/* The wildcard fixtures belong to another set of queries and reuse a service of this one. */
static bool load_fixture(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    (void)size_bytes;
    ApiFixture *f = ctx;
    if (is_dir || !str_ends_with(name, STR(".json")) || str_contains(name, STR("wildcard")) ||
        str_contains(name, STR("escaped"))) {
        return true;
    }
    Arena *arena = arena_create(ARENA_UNLIMITED);
    append_json(f->store, load(arena, arena_printf(arena, "traces/%" STR_FMT, STR_ARG(name)).p));
    arena_free(arena);
    return true;
}

static void test_queries(void **state) {
    (void)state;
    if (!have_data()) skip();
    ApiFixture f;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    char traces[FS_PATH_MAX];
    api_fixture_init(&f, decode, NULL);
    fs_path_join(traces, data_dir, "traces");
    assert_int_equal(fs_real()->ops->list(fs_real(), traces, load_fixture, &f, NULL), OK);
    const JsonValue *queries = parse(load(arena, "queries.json"), arena);
    for (int round = 0; round < 2; round++) { /* from the head, then from parts */
        for (const JsonValue *q = queries->first; q; q = q->next) check_query(&f, q, arena);
        assert_int_equal(f.store->ops->flush(f.store, NULL), OK);
    }
    printf("conformance: Jaeger storage queries: %zu of %zu find what they should\n", queries->n, queries->n);
    api_fixture_done(&f);
    arena_free(arena);
}

/* --- snapshots of /api/v3 --- */

#define WINDOW "query.startTimeMin=1970-01-01T00:00:00Z&query.startTimeMax=2000-01-01T00:00:00Z"
#define SPAN_FOOBAR                                                                                                    \
    "{\"resourceSpans\":[{\"resource\":{},\"scopeSpans\":[{\"scope\":{},\"spans\":[{\"traceId\":"                      \
    "\"00000000000000000000000000000001\",\"spanId\":\"0000000000000002\",\"name\":\"foobar\",\"kind\":2,\"status\":"  \
    "{\"code\":2}}]}]}]}"
#define SERVICE(name)                                                                                                  \
    "\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"" name "\"}}]}"
#define ID1 "\"traceId\":\"00000000000000000000000000000001\""

static const struct {
    const char *input, *target, *snapshot;
} snapshots[] = {
    {SPAN_FOOBAR, "/api/v3/traces/1", "GetTrace.json"},
    {SPAN_FOOBAR, "/api/v3/traces?" WINDOW, "FindTraces.json"},
    {"{\"resourceSpans\":[{" SERVICE("foo") ",\"scopeSpans\":[{\"spans\":[{" ID1
                                            ",\"spanId\":\"0000000000000002\",\"name\":\"get_users\",\"kind\":2}]}]}]}",
        "/api/v3/services", "GetServices.json"},
    {"{\"resourceSpans\":[{" SERVICE("foo") ",\"scopeSpans\":[{\"spans\":[{" ID1
                                            ",\"spanId\":\"0000000000000002\",\"name\":\"get_users\",\"kind\":2}]}]}]}",
        "/api/v3/operations?service=foo", "GetOperations.json"},
    {"{\"resourceSpans\":[{" SERVICE(
         "frontend") ",\"scopeSpans\":[{\"spans\":[{" ID1
                     ",\"spanId\":\"0000000000000001\",\"name\":\"HTTP GET /\",\"startTimeUnixNano\":\"1000000000000\","
                     "\"endTimeUnixNano\":\"1001000000000\"},{" ID1
                     ",\"spanId\":\"0000000000000002\",\"parentSpanId\":\"0000000000000001\",\"name\":\"x\","
                     "\"startTimeUnixNano\":"
                     "\"1000100000000\",\"endTimeUnixNano\":\"1000200000000\",\"status\":{\"code\":2}}]}]}]}",
        "/api/v3/trace-summaries?" WINDOW, "FindTraceSummaries.json"},
};

static void test_snapshots(void **state) {
    (void)state;
    if (!have_data()) skip();
    for (size_t i = 0; i < ARRAY_LEN(snapshots); i++) {
        ApiFixture f;
        Arena *arena = arena_create(ARENA_UNLIMITED);
        api_fixture_init(&f, decode, NULL);
        append_json(f.store, str_cstr(snapshots[i].input));
        for (int round = 0; round < 2; round++) {
            Str got = api_get(&f, snapshots[i].target);
            Str want = load(arena, arena_printf(arena, "apiv3/snapshots/%s", snapshots[i].snapshot).p);
            if (!same_json(parse(got, arena), parse(want, arena))) {
                fail_msg("%s: got %" STR_FMT, snapshots[i].snapshot, STR_ARG(got));
            }
            assert_int_equal(f.store->ops->flush(f.store, NULL), OK);
        }
        api_fixture_done(&f);
        arena_free(arena);
    }
    printf(
        "conformance: Jaeger /api/v3 snapshots: %zu of %zu are the same\n", ARRAY_LEN(snapshots), ARRAY_LEN(snapshots));
}

int main(int argc, char **argv) {
    data_dir = argc > 1 ? argv[1] : NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transform),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_snapshots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
