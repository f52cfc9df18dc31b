/* {"streams":[{"stream":{"a":"b"},"values":[["<ns>","line",{"k":"v"}?],...]}]} */
#include "logs/loki_push_int.h"

#include "base/num.h"

typedef struct JsonPush {
    PushDecoder d;
    JsonReader r;
} JsonPush;

static ErrCode malformed(JsonPush *p, const char *what) {
    if (p->r.token == JSON_ERROR)
        return err_set(p->d.err, ERR_INVALID, "malformed push request: %s (line %d, col %d)", p->r.err.msg,
            p->r.err.line, p->r.err.col);
    return err_set(p->d.err, ERR_INVALID, "malformed push request: %s", what);
}

static ErrCode read_labels(JsonPush *p) {
    if (json_next(&p->r) != JSON_OBJECT_BEGIN) return malformed(p, "\"stream\" must be an object");
    AVEC(Label) labels = {0};
    Arena *arena = p->d.batch->arena;
    for (JsonToken t; (t = json_next(&p->r)) != JSON_OBJECT_END;) {
        if (t != JSON_KEY) return malformed(p, "a label is expected");
        Label l = {.name = p->r.text};
        if (json_next(&p->r) != JSON_STRING) return malformed(p, "label values must be strings");
        l.value = p->r.text;
        if (!avec_push(arena, &labels, l)) return push_exhausted(&p->d);
    }
    if (!avec_reserve(arena, &labels, 1)) return push_exhausted(&p->d);
    return push_stream(&p->d, labels.v, labels.n);
}

static ErrCode read_metadata(JsonPush *p) {
    for (JsonToken t; (t = json_next(&p->r)) != JSON_OBJECT_END;) {
        if (t != JSON_KEY) return malformed(p, "structured metadata must be an object of strings");
        Str key = p->r.text;
        if (json_next(&p->r) != JSON_STRING) return malformed(p, "values of structured metadata must be strings");
        ErrCode rc = push_metadata(&p->d, key, p->r.text);
        if (rc) return rc;
    }
    return OK;
}

/* ["<ns>", "line", {...}?]; its bracket is read. */
static ErrCode read_entry(JsonPush *p) {
    int64_t t_ns;
    if (json_next(&p->r) != JSON_STRING || !num_parse_i64(p->r.text, &t_ns))
        return malformed(p, "a timestamp must be a string of nanoseconds");
    if (json_next(&p->r) != JSON_STRING) return malformed(p, "a line must be a string");
    Str line = p->r.text;
    JsonToken t = json_next(&p->r);
    if (t == JSON_OBJECT_BEGIN) {
        ErrCode rc = read_metadata(p);
        if (rc) return rc;
        t = json_next(&p->r);
    }
    if (t != JSON_ARRAY_END) return malformed(p, "an entry has two or three members");
    return push_entry(&p->d, t_ns, line);
}

static ErrCode read_values(JsonPush *p) {
    if (json_next(&p->r) != JSON_ARRAY_BEGIN) return malformed(p, "\"values\" must be an array");
    for (JsonToken t; (t = json_next(&p->r)) != JSON_ARRAY_END;) {
        if (t != JSON_ARRAY_BEGIN) return malformed(p, "an entry must be an array");
        ErrCode rc = read_entry(p);
        if (rc) return rc;
    }
    return OK;
}

/* Members may come in any order: values in front of the labels are read again behind them. */
static ErrCode read_stream(JsonPush *p) {
    bool has_labels = false;
    JsonReader values;
    bool values_waiting = false;
    ErrCode rc = OK;
    for (JsonToken t; rc == OK && (t = json_next(&p->r)) != JSON_OBJECT_END;) {
        if (t != JSON_KEY) return malformed(p, "a stream must be an object");
        if (str_eq_lit(p->r.text, "stream")) {
            rc = read_labels(p);
            has_labels = true;
        } else if (str_eq_lit(p->r.text, "values") && has_labels) {
            rc = read_values(p);
        } else {
            if (str_eq_lit(p->r.text, "values")) {
                values = p->r;
                values_waiting = true;
            }
            json_skip(&p->r);
            if (p->r.token == JSON_ERROR) return malformed(p, "");
        }
    }
    if (rc || !values_waiting) return rc;
    if (!has_labels) rc = push_stream(&p->d, NULL, 0);
    JsonReader after = p->r;
    p->r = values;
    if (rc == OK) rc = read_values(p);
    p->r = after;
    return rc;
}

static ErrCode read_request(JsonPush *p) {
    if (json_next(&p->r) != JSON_OBJECT_BEGIN) return malformed(p, "an object is expected");
    for (JsonToken t; (t = json_next(&p->r)) != JSON_OBJECT_END;) {
        if (t != JSON_KEY) return malformed(p, "an object is expected");
        if (!str_eq_lit(p->r.text, "streams")) {
            json_skip(&p->r);
            if (p->r.token == JSON_ERROR) return malformed(p, "");
            continue;
        }
        if (json_next(&p->r) != JSON_ARRAY_BEGIN) return malformed(p, "\"streams\" must be an array");
        while ((t = json_next(&p->r)) != JSON_ARRAY_END) {
            if (t != JSON_OBJECT_BEGIN) return malformed(p, "a stream must be an object");
            ErrCode rc = read_stream(p);
            if (rc) return rc;
        }
    }
    return json_next(&p->r) == JSON_END ? OK : malformed(p, "text behind the object");
}

ErrCode loki_push_decode_json(
    Str body, const LokiPushLimits *limits, LogsBatch *batch, uint64_t *ret_rejected, Err *reterr) {
    JsonPush p = {.d = {.limits = limits, .batch = batch, .err = reterr}};
    json_reader_init(&p.r, body, batch->arena, 0);
    ErrCode rc = read_request(&p);
    if (rc && arena_exhausted(batch->arena)) rc = push_exhausted(&p.d);
    *ret_rejected = p.d.rejected;
    return rc;
}
