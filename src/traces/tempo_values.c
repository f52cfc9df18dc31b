/* tempo_values.c - the values of one tag, of all spans or of those that a query selects. */
#include "base/timefmt.h"
#include "sys/clock.h"
#include "traces/tempo_int.h"
#include "traces/traceql_metrics_int.h"

#include <stdatomic.h>
#include <stdlib.h>

#define VALUES_MAX 10000
#define BYTES_MAX (8u << 20)       /* of all values of a worker */
#define LOOKING_NS (10 * NS_PER_S) /* then what has been found so far is the answer */

typedef struct ValueWorker {
    Map *seen; /* keys as tql_key_put writes them */
    Buf key;
    size_t bytes;
} ValueWorker;

typedef struct ValueScan {
    const TqlProgram *program;
    ValueWorker *workers;
    size_t max;
    HttpRequest *req;
    _Atomic bool enough;
} ValueScan;

typedef struct FoundValue {
    TqlValue v;
    Str text;
} FoundValue;
typedef AVEC(FoundValue) FoundValues;

static void note(ValueScan *s, ValueWorker *w, const TqlValue *v) {
    if (v->type == TQL_NIL) return;
    if (v->type == TQL_MANY || v->type == TQL_ARRAY) { /* as = compares them */
        for (uint32_t i = 0; i < v->n; i++) note(s, w, &v->v[i]);
        return;
    }
    bool fresh;
    buf_clear(&w->key);
    tql_key_put(&w->key, v);
    map_put(w->seen, buf_str(&w->key), &fresh);
    if (!fresh) return;
    w->bytes += w->key.n;
    if (map_count(w->seen) >= s->max || w->bytes > BYTES_MAX) atomic_store(&s->enough, true);
}

static ErrCode found(void *ctx, unsigned worker, const TqlView *v, const TqlSpansets *sets, Arena *arena, Err *reterr) {
    ValueScan *s = ctx;
    if (http_client_gone(s->req)) return err_set(reterr, ERR_CANCELLED, "the client has gone");
    for (size_t i = 0; i < sets->n; i++) {
        for (uint32_t k = 0; k < sets->v[i].n && !atomic_load(&s->enough); k++) {
            TqlValue value = traceql_value(s->program, 0, v, sets->v[i].rows[k], arena);
            note(s, &s->workers[worker], &value);
        }
    }
    return atomic_load(&s->enough) ? err_set(reterr, ERR_CANCELLED, "enough") : OK;
}

static int cmp_value(const void *a, const void *b) {
    const FoundValue *x = a, *y = b;
    int c = str_cmp(x->text, y->text);
    return c ? c : (int)x->v.type - (int)y->v.type;
}

/* All workers' values, sorted by text, each once. */
static bool collect(const ValueScan *s, unsigned n_workers, Arena *arena, FoundValues *ret) {
    for (unsigned i = 0; i < n_workers; i++) {
        size_t it = 0;
        Str key;
        uint64_t *ignored;
        while (map_next(s->workers[i].seen, &it, &key, &ignored)) {
            Str copy = arena_copy(arena, key);
            if (!copy.p) return false;
            Cursor c = cursor_of(copy);
            FoundValue f = {.v = tql_key_next(&c)};
            Buf text = {0};
            traceql_put_value(&text, &f.v);
            f.text = arena_copy(arena, buf_str(&text));
            buf_done(&text);
            if (!f.text.p || !avec_push(arena, ret, f)) return false;
        }
    }
    if (ret->n) qsort(ret->v, ret->n, sizeof *ret->v, cmp_value);
    size_t n = 0;
    for (size_t i = 0; i < ret->n; i++) {
        if (n == 0 || cmp_value(&ret->v[n - 1], &ret->v[i]) != 0) ret->v[n++] = ret->v[i];
    }
    ret->n = MIN(n, s->max);
    return true;
}

/* The filter of q, as far as it is complete, on spans that have the tag at all. */
static ErrCode make_program(HttpRequest *req, const TqlAttr *attr, const TqlProgram **ret, Err *reterr) {
    const TraceQl *q;
    ErrCode e = traceql_parse_partial(http_param(req, STR("q")), req->arena, &q, reterr);
    if (e) return e;
    Buf text = {0};
    buf_put_lit(&text, "{ ");
    const TqlSpansetExpr *s = q->is_metrics ? NULL : q->pipeline->stages->spanset;
    if (s && s->kind == TQL_S_FILTER && s->filter) {
        buf_put_lit(&text, "(");
        traceql_print_expr(&text, s->filter);
        buf_put_lit(&text, ") && ");
    }
    traceql_print_attr(&text, attr);
    buf_put_lit(&text, " != nil }");
    Str source = arena_copy(req->arena, buf_str(&text));
    buf_done(&text);
    e = traceql_parse(source, req->arena, &q, reterr);
    if (e) return e;
    TqlExpr *field = ARENA_NEW(req->arena, TqlExpr);
    const TqlExpr **fields = ARENA_NEW(req->arena, const TqlExpr *);
    if (!field || !fields) return tql_out_of_memory(reterr);
    *field = (TqlExpr){.kind = TQL_E_ATTR, .attr = *attr};
    *fields = field;
    TqlProgramOptions opts = {.fields = fields, .n_fields = 1};
    return traceql_program_create(q->pipeline, &opts, req->arena, ret, reterr);
}

static ErrCode scan_values(TempoApi *api, HttpRequest *req, TempoRange range, uint32_t max, const TqlAttr *attr,
    FoundValues *ret, TqlScanStats *stats, Err *reterr) {
    ValueScan s = {.max = max, .req = req};
    ErrCode e = make_program(req, attr, &s.program, reterr);
    if (e) return e;
    TqlScan scan = {.store = api->opts.store,
        .program = s.program,
        .clip = true,
        .deadline_mono_ns = clock_mono_ns() + MIN(LOOKING_NS, api->opts.query_timeout_ms * NS_PER_MS)};
    if (range.given) {
        scan.start_ns = range.start_ns;
        scan.end_ns = range.end_ns < INT64_MAX ? range.end_ns + 1 : INT64_MAX;
    }
    unsigned n = traceql_scan_threads(&scan);
    s.workers = mem_alloc_zero(n * sizeof *s.workers);
    for (unsigned i = 0; i < n; i++) s.workers[i].seen = map_create(MAP_COPY_KEYS);
    e = traceql_scan(&scan, found, &s, stats, reterr);
    if (atomic_load(&s.enough) || e == ERR_TIMEOUT) e = OK;
    if (!e && !collect(&s, n, req->arena, ret)) e = tql_out_of_memory(reterr);
    for (unsigned i = 0; i < n; i++) {
        map_free(s.workers[i].seen);
        buf_done(&s.workers[i].key);
    }
    mem_free(s.workers);
    return e;
}

static bool load_values(TempoApi *api, HttpRequest *req, HttpResponse *res, FoundValues *ret, TqlScanStats *stats) {
    TempoRange range;
    uint32_t limit;
    TqlAttr attr;
    Err err = {0};
    if (!tempo_param_range(req, res, 0, &range) || !tempo_param_u32(req, res, STR("limit"), 0, VALUES_MAX, &limit)) {
        return false;
    }
    Str tag = http_path_param(req, STR("tag"));
    if (traceql_parse_attr(tag, req->arena, &attr, &err) != OK) {
        http_reply_text(res, 400, "invalid tag name \"%" STR_FMT "\": %s\n", STR_ARG(tag), err.msg);
        return false;
    }
    if (scan_values(api, req, range, limit ? limit : VALUES_MAX, &attr, ret, stats, &err) == OK) return true;
    tempo_reply_error(res, &err);
    return false;
}

static const char *type_name(TqlType t) {
    switch (t) {
    case TQL_INT: return "int";
    case TQL_FLOAT: return "float";
    case TQL_BOOL: return "bool";
    case TQL_DURATION: return "duration";
    case TQL_STATUS:
    case TQL_KIND: return "keyword";
    default: return "string";
    }
}

static void reply(TempoApi *api, HttpRequest *req, HttpResponse *res, bool typed) {
    FoundValues values = {0};
    TqlScanStats stats = {0};
    if (!load_values(api, req, res, &values, &stats)) return;
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "tagValues");
    json_begin_array(&w);
    for (size_t i = 0; i < values.n; i++) {
        if (!typed) {
            json_str(&w, values.v[i].text);
            continue;
        }
        json_begin_object(&w);
        json_pair_str(&w, "type", str_cstr(type_name(values.v[i].v.type)));
        json_pair_str(&w, "value", values.v[i].text);
        json_end_object(&w);
    }
    json_end_array(&w);
    tempo_put_stats(&w, &stats);
    json_end_object(&w);
    tempo_reply_json(res);
}

/* {"tagValues": ["x", ...]} */
void tempo_tag_values(void *ctx, HttpRequest *req, HttpResponse *res) { reply(ctx, req, res, false); }

/* {"tagValues": [{"type": "string", "value": "x"}, ...]} */
void tempo_tag_values_v2(void *ctx, HttpRequest *req, HttpResponse *res) { reply(ctx, req, res, true); }
