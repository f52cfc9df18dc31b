#include "cmd/test_logs.h"

#include "base/timefmt.h"
#include "cmd/test_input.h"

#include <stdlib.h>

/* One entry: `count` equal lines of one stream. */
typedef struct LineSpec {
    TestTimes times;
    Str line;
    const YamlNode *labels, *metadata;
} LineSpec;

static ErrCode read_member(const YamlNode *n, LineSpec *s, Err *reterr) {
    bool known;
    Str k = n->key->text;
    ErrCode e = test_input_times(n, &s->times, &known, reterr);
    if (known) return e;
    if (str_eq_lit(k, "line")) return test_input_text(n, &s->line, reterr);
    if (str_eq_lit(k, "labels")) return test_input_map(n, &s->labels, reterr);
    if (str_eq_lit(k, "metadata")) return test_input_map(n, &s->metadata, reterr);
    return test_input_fail(reterr, n->key, "a line has at, every, count, labels, line, metadata");
}

static ErrCode read_spec(const YamlNode *n, LineSpec *ret, Err *reterr) {
    *ret = (LineSpec){.times.count = 1};
    if (n->kind != YAML_MAPPING) return test_input_fail(reterr, n, "a line is a mapping");
    ErrCode e = OK;
    for (const YamlNode *it = n->first; it && !e; it = it->next) e = read_member(it, ret, reterr);
    if (!e && !ret->labels) e = test_input_fail(reterr, n, "labels is missing: a line belongs to a stream");
    return e;
}

static ErrCode add_stream(LogsBatch *b, const YamlNode *map, Err *reterr) {
    size_t n = 0;
    for (const YamlNode *it = map->first; it; it = it->next) n++;
    Label *v = ARENA_ARRAY(b->arena, Label, n + 1);
    n = 0;
    for (const YamlNode *it = map->first; it && v; it = it->next) {
        ErrCode e = test_input_text(it, &v[n].value, reterr);
        if (e) return e;
        v[n++].name = it->key->text;
    }
    if (!v) return err_set_at(reterr, ERR_TOO_LARGE, map->line, map->col, "these are too many labels");
    if (labels_normalize(v, &n, reterr) != OK) return test_input_fail(reterr, map, "the same label twice");
    if (!avec_push(b->arena, &b->streams, ((Labels){v, n})))
        return err_set_at(reterr, ERR_TOO_LARGE, map->line, map->col, "these are too many streams");
    return OK;
}

static int cmp_attr(const void *a, const void *b) { return str_cmp(((const Attr *)a)->key, ((const Attr *)b)->key); }

static bool add_lines(LogsBatch *b, const LineSpec *s, int64_t start_ms) {
    LogRow row = {.stream = (uint32_t)b->streams.n - 1, .line = s->line, .metadata = {(uint32_t)b->attrs.n, 0}};
    if (!test_input_attrs(&b->attrs, b->arena, s->metadata, &row.metadata)) return false;
    if (row.metadata.n) qsort(b->attrs.v + row.metadata.first, row.metadata.n, sizeof *b->attrs.v, cmp_attr);
    for (int64_t i = 0; i < s->times.count; i++) {
        row.t_ns = (start_ms + s->times.at_ms + i * s->times.every_ms) * NS_PER_MS;
        if (s->times.every_ms == 0) row.t_ns += i; /* lines of the same time are one line */
        if (!avec_push(b->arena, &b->rows, row)) return false;
    }
    return b->rows.n <= TEST_INPUT_MAX;
}

static ErrCode append(TestLogs *t, const LogsBatch *b, const YamlNode *logs, Err *reterr) {
    LogAppendResult result = {0};
    if (b->rows.n == 0) return OK;
    ErrCode e = t->store->ops->append(t->store, b, &result, reterr);
    if (!e && result.too_old + result.too_new) {
        e = err_set_at(reterr, ERR_INVALID, logs->line, logs->col, "lines were refused: %s", result.first_error);
    }
    return e;
}

static ErrCode fill(TestLogs *t, const YamlNode *logs, int64_t start_ms, Arena *arena, Err *reterr) {
    LogsBatch b = {.arena = arena};
    if (logs->kind != YAML_SEQUENCE) return test_input_fail(reterr, logs, "input_logs is a list of lines");
    for (const YamlNode *it = logs->first; it; it = it->next) {
        LineSpec s;
        ErrCode e = read_spec(it, &s, reterr);
        if (!e) e = add_stream(&b, s.labels, reterr);
        if (e) return e;
        if (!add_lines(&b, &s, start_ms))
            return err_set_at(reterr, ERR_TOO_LARGE, logs->line, logs->col, "these are too many lines");
    }
    return append(t, &b, logs, reterr);
}

ErrCode test_logs_open(TestLogs *t, Err *reterr) {
    if (t->store) return OK;
    LogStoreOptions opts = {.retention_ms = TEST_INPUT_RETENTION_MS, .head_bytes_max = TEST_INPUT_HEAD_BYTES};
    t->fs = fs_fault_create(1);
    return log_store_open(t->fs, "/logs", &opts, &t->store, reterr);
}

ErrCode test_logs_load(TestLogs *t, const YamlNode *logs, int64_t start_ms, Err *reterr) {
    test_logs_done(t);
    if (!logs || logs->kind == YAML_NULL) return OK;
    Arena *arena = arena_create((size_t)1 << 30);
    ErrCode e = test_logs_open(t, reterr);
    if (!e) e = fill(t, logs, start_ms, arena, reterr);
    arena_free(arena);
    return e;
}

void test_logs_done(TestLogs *t) {
    if (t->store) t->store->ops->close(t->store);
    if (t->fs) fs_fault_free(t->fs);
    *t = (TestLogs){0};
}
