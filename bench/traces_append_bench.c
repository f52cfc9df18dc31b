/* traces_append_bench.c - spans per CPU second through the trace store, and bytes per span on disk.
 *
 * usage: traces_append_bench [spans, default 1000000] [directory, default a new one below /tmp]
 * The spans look like those of a published benchmark: traces of 10 spans, 11 attributes each out of 97 keys. The OTLP
 * decoder is not part of it; CPU time is that of the whole process: encoding, log with its compression, index, flush.
 * Prints one JSON object. */
#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "sys/random.h"
#include "traces/trace_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_SPANS 1000
#define SPANS_PER_TRACE 10
#define ATTRS 11
#define KEYS 97
#define SERVICES 12

typedef struct Names {
    Str keys[KEYS], values[1000], services[SERVICES], ops[40];
} Names;

static void make_names(Arena *a, Names *n) {
    for (int i = 0; i < KEYS; i++) n->keys[i] = arena_printf(a, "attribute.key.%d", i);
    for (int i = 0; i < 1000; i++) n->values[i] = arena_printf(a, "value-%d", i);
    for (int i = 0; i < SERVICES; i++) n->services[i] = arena_printf(a, "service-%d", i);
    for (int i = 0; i < 40; i++) n->ops[i] = arena_printf(a, "GET /resource/%d", i);
}

static void put(SpansBatch *b, Str key, AttrValue v) {
    if (!avec_push(b->arena, &b->attrs, (Attr){key, v})) abort();
}

static void make_resources(SpansBatch *b, const Names *n) {
    for (int i = 0; i < SERVICES; i++) {
        Resource r = {.attrs = {(uint32_t)b->attrs.n, 3}};
        put(b, STR("service.name"), (AttrValue){.type = ATTR_STR, .s = n->services[i]});
        put(b, STR("host.name"), (AttrValue){.type = ATTR_STR, .s = STR("node-1.example.org")});
        put(b, STR("telemetry.sdk.language"), (AttrValue){.type = ATTR_STR, .s = STR("go")});
        if (!avec_push(b->arena, &b->resources, r)) abort();
    }
    if (!avec_push(b->arena, &b->scopes, (Scope){.name = STR("bench"), .version = STR("1")})) abort();
}

static SpanRow make_row(SpansBatch *b, Rng *rng, const Names *n, TraceId trace, SpanId parent, int64_t t_ns) {
    uint64_t x = rng_u64(rng);
    SpanRow r = {.trace_id = trace,
        .parent_id = parent,
        .start_ns = t_ns,
        .resource = (uint32_t)(x % SERVICES),
        .name = n->ops[x >> 8 & 31],
        .kind = (uint8_t)(1 + (x >> 16) % 5),
        .status = (x >> 24 & 63) == 0 ? 2 : 0,
        .attrs = {(uint32_t)b->attrs.n, ATTRS}};
    memcpy(r.span_id.b, &(uint64_t){rng_u64(rng)}, 8);
    r.end_ns = t_ns + 1000 + (int64_t)(rng_u64(rng) % 100000000);
    uint64_t first = rng_u64(rng) % KEYS;
    for (uint64_t i = 0; i < ATTRS; i++) {
        uint64_t v = rng_u64(rng);
        Str key = n->keys[(first + i * 7) % KEYS];
        if (i < 2)
            put(b, key, (AttrValue){.type = ATTR_I64, .i = (int64_t)(v % 600)});
        else
            put(b, key, (AttrValue){.type = ATTR_STR, .s = n->values[v % 1000]});
    }
    return r;
}

static void make_batch(SpansBatch *b, Rng *rng, const Names *n, int64_t t_ns) {
    TraceId trace = {0};
    SpanId parent = {0};
    make_resources(b, n);
    for (int i = 0; i < BATCH_SPANS; i++) {
        if (i % SPANS_PER_TRACE == 0) {
            memcpy(trace.b, &(uint64_t[]){rng_u64(rng), rng_u64(rng)}, 16);
            memset(&parent, 0, sizeof parent);
        }
        SpanRow r = make_row(b, rng, n, trace, parent, t_ns + i * INT64_C(1000000));
        if (i % 3 == 0) parent = r.span_id;
        if (!avec_push(b->arena, &b->rows, r)) abort();
    }
}

static double cpu_s(void) {
    ProcessStats st;
    process_stats(&st);
    return st.cpu_seconds;
}

static void die(const char *what, const Err *err) {
    fprintf(stderr, "%s: %s\n", what, err->msg);
    exit(1);
}

typedef struct Result {
    double append_cpu_s, flush_cpu_s, wall_s, generate_cpu_s;
    uint64_t spans;
} Result;

static void run(TraceStore *s, uint64_t spans, const Names *names, Result *ret) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Rng rng;
    Err err = {0};
    rng_seed(&rng, 42);
    int64_t wall = clock_mono_ns();
    double before = cpu_s();
    for (; ret->spans < spans; ret->spans += BATCH_SPANS) {
        double begin = cpu_s();
        SpansBatch b = {.arena = arena};
        make_batch(&b, &rng, names, clock_now_ns() - NS_PER_S);
        ret->generate_cpu_s += cpu_s() - begin;
        TraceAppendResult r;
        ErrCode e;
        while ((e = s->ops->append(s, &b, &r, &err)) == ERR_OVERLOADED) clock_sleep_ms(5);
        if (e) die("append", &err);
        arena_reset(arena);
    }
    ret->append_cpu_s = cpu_s() - before - ret->generate_cpu_s;
    ret->wall_s = (double)(clock_mono_ns() - wall) / 1e9;
    before = cpu_s();
    if (s->ops->flush(s, &err)) die("flush", &err);
    ret->flush_cpu_s = cpu_s() - before;
    arena_free(arena);
}

static void time_reads(TraceStore *s) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    TraceId *ids;
    size_t n;
    Err err = {0};
    TraceTag tag = {STR("attribute.key.7"), STR("value-123")};
    TraceFind finds[] = {{.service = STR("service-3"), .limit = 20}, {.tags = &tag, .n_tags = 1, .limit = 1000}};
    const char *names[] = {"find_service_ms", "find_tag_ms"};
    for (size_t i = 0; i < ARRAY_LEN(finds); i++) {
        finds[i].arena = arena;
        int64_t t = clock_mono_ns();
        if (s->ops->find(s, &finds[i], &ids, &n, &err)) die("find", &err);
        printf(", \"%s\": %.2f, \"%s_hits\": %zu", names[i], (double)(clock_mono_ns() - t) / 1e6, names[i], n);
    }
    SpansBatch b;
    int64_t t = clock_mono_ns();
    if (n && s->ops->get(s, ids[n / 2], arena, &b, &err)) die("get", &err);
    printf(", \"get_ms\": %.2f", (double)(clock_mono_ns() - t) / 1e6);
    arena_free(arena);
}

int main(int argc, char **argv) {
    uint64_t spans = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    char dir[256] = "/tmp/traces-bench-XXXXXX";
    if (argc > 2)
        snprintf(dir, sizeof dir, "%s", argv[2]);
    else if (!mkdtemp(dir))
        return 1;
    TraceStore *s;
    Err err = {0};
    TraceStoreOptions opts = {.durable = false};
    if (trace_store_open(fs_real(), dir, &opts, &s, &err)) die("open", &err);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Names names;
    make_names(arena, &names);
    Result r = {0};
    run(s, spans, &names, &r);
    TraceStoreStats st;
    s->ops->stats(s, &st);
    double cpu = r.append_cpu_s + r.flush_cpu_s;
    printf("{\"spans\": %llu, \"spans_per_cpu_s\": %.0f, \"append_cpu_us\": %.2f, \"flush_cpu_us\": %.2f, "
           "\"wall_s\": %.2f, \"bytes_per_span\": %.1f, \"parts\": %llu",
        (unsigned long long)r.spans, (double)r.spans / cpu, r.append_cpu_s * 1e6 / (double)r.spans,
        r.flush_cpu_s * 1e6 / (double)r.spans, r.wall_s, (double)st.bytes_on_disk / (double)r.spans,
        (unsigned long long)st.parts);
    time_reads(s);
    printf("}\n");
    s->ops->close(s);
    arena_free(arena);
    if (argc <= 2 && fs_remove_tree(fs_real(), dir, &err)) die("clean up", &err);
    return 0;
}
