/* The JSON reader on foreign bytes: reading, skipping and building a tree agree on what is valid, and what
 * was read can be written and read again. */
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static JsonToken run_through(JsonReader *r, Str input, Arena *arena, bool skip) {
    json_reader_init(r, input, arena, 0);
    if (skip) json_skip(r);
    JsonToken t;
    do {
        t = json_next(r);
        int64_t i;
        uint64_t u;
        double d;
        if (json_token_i64(r, &i) && i >= 0) ASSERT(json_token_u64(r, &u) && u == (uint64_t)i);
        if (json_token_u64(r, &u)) ASSERT(json_token_f64(r, &d) && d >= 0);
    } while (t != JSON_END && t != JSON_ERROR);
    ASSERT(t == JSON_END ? r->depth == 0 && r->pos == input.n : r->err.code != OK && r->err.line > 0 && r->err.col > 0);
    return t;
}

static unsigned tree_depth(const JsonValue *v) {
    unsigned most = 0;
    for (const JsonValue *c = v->first; c; c = c->next) {
        unsigned d = tree_depth(c);
        most = MAX(most, d);
    }
    return most + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str input = str_of((const char *)data, size);
    Arena *arena = arena_create(ARENA_UNLIMITED);
    JsonReader r;
    JsonToken read = run_through(&r, input, arena, false);
    ASSERT(run_through(&r, input, NULL, true) == read);
    JsonValue *tree, *again;
    Err err;
    ASSERT((json_parse(input, arena, &tree, &err) == OK) == (read == JSON_END));
    if (read == JSON_END && tree_depth(tree) < 60) { /* the writer keeps one bit per level */
        Buf once = {0}, twice = {0};
        JsonWriter w = json_writer(&once);
        json_value(&w, tree);
        ASSERT(json_parse(buf_str(&once), arena, &again, &err) == OK);
        w = json_writer(&twice);
        json_value(&w, again);
        ASSERT(str_eq(buf_str(&once), buf_str(&twice)));
        buf_done(&once);
        buf_done(&twice);
    }
    arena_free(arena);
    arena = arena_create(size / 4); /* a budget that runs out on the way */
    (void)run_through(&r, input, arena, false);
    if (json_parse(input, arena, &tree, &err) != OK) ASSERT(err.msg[0]);
    arena_free(arena);
    return 0;
}
