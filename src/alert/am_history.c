/* am_history.c - what happened: alerts that fired and resolved, notifications, acknowledgements, silences.
 *
 * The newest events in memory, all of them in a journal of their own; bounded by age, number and bytes. */
#include "alert/am_int.h"

#include "base/json.h"
#include "base/num.h"

#define EVENTS_MAX 200000
#define BYTES_MAX ((size_t)64 << 20)
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000

typedef struct Event {
    int64_t at_ns;
    uint64_t fp;
    char *payload; /* labels, fields */
    uint32_t size;
    uint8_t kind;
} Event;

struct AmHistory {
    Mutex mutex;
    VEC(Event) v;
    size_t first; /* events before it are gone */
    size_t bytes;
    int64_t retention_ns;
    AmJournal *journal;
};

static const char *const kind_names[AM_EVENT_KINDS] = {
    "firing", "resolved", "notified", "notification_failed", "acknowledged", "unacknowledged", "silence"};

static void drop_first(AmHistory *h) {
    Event *e = &h->v.v[h->first++];
    h->bytes -= e->size;
    mem_free(e->payload);
    if (h->first < 1024 || h->first < h->v.n / 2) return;
    memmove(h->v.v, h->v.v + h->first, (h->v.n - h->first) * sizeof(Event));
    h->v.n -= h->first;
    h->first = 0;
}

static void push(AmHistory *h, Event e, Str payload) {
    e.payload = mem_alloc(payload.n + 1);
    if (payload.n) memcpy(e.payload, payload.p, payload.n);
    e.size = (uint32_t)payload.n;
    h->bytes += payload.n;
    vec_push(&h->v, e);
    while (h->v.n - h->first > EVENTS_MAX || h->bytes > BYTES_MAX) drop_first(h);
}

static void apply(void *ctx, uint8_t type, Str record) {
    AmHistory *h = ctx;
    Cursor c = cursor_of(record);
    Event e = {.at_ns = cursor_svarint(&c), .fp = cursor_u64le(&c), .kind = type};
    if (!c.bad && type < AM_EVENT_KINDS) push(h, e, cursor_bytes(&c, cursor_left(&c)));
}

static void encode(Buf *b, const Event *e, Str payload) {
    buf_put_svarint(b, e->at_ns);
    buf_put_u64le(b, e->fp);
    buf_put_str(b, payload);
}

static void dump(void *ctx, AmJournal *j, void (*put)(void *to, uint8_t type, Str payload), void *to) {
    AmHistory *h = ctx;
    Buf b = {0};
    mutex_lock(&h->mutex);
    amjournal_mark(j);
    for (size_t i = h->first; i < h->v.n; i++) {
        const Event *e = &h->v.v[i];
        buf_clear(&b);
        encode(&b, e, str_of(e->payload, e->size));
        put(to, e->kind, buf_str(&b));
    }
    mutex_unlock(&h->mutex);
    buf_done(&b);
}

AmHistory *am_history_create(const char *dir, int64_t retention_ns, Err *reterr) {
    AmHistory *h = NEW(AmHistory);
    mutex_init(&h->mutex);
    h->retention_ns = retention_ns;
    if (!dir) return h; /* in memory: tests */
    AmJournalOptions opts = {.dir = dir, .apply = apply, .dump = dump, .ctx = h, .snapshot_bytes = 32u << 20};
    return amjournal_open(&opts, &h->journal, reterr) ? am_history_free(h) : h;
}

AmHistory *am_history_free(AmHistory *h) {
    if (!h) return NULL;
    amjournal_close(h->journal);
    for (size_t i = h->first; i < h->v.n; i++) mem_free(h->v.v[i].payload);
    vec_done(&h->v);
    mutex_done(&h->mutex);
    mem_free(h);
    return NULL;
}

void am_history_add(Alertmanager *am, AmEventKind kind, int64_t at_ns, uint64_t fp, Labels labels, Labels fields) {
    AmHistory *h = am->history;
    if (!h) return;
    Buf payload = {0}, record = {0};
    am_put_labels(&payload, labels);
    am_put_labels(&payload, fields);
    Event e = {.at_ns = at_ns, .fp = fp, .kind = (uint8_t)kind};
    mutex_lock(&h->mutex);
    push(h, e, buf_str(&payload));
    encode(&record, &e, buf_str(&payload));
    if (h->journal) amjournal_append(h->journal, (uint8_t)kind, buf_str(&record));
    mutex_unlock(&h->mutex);
    buf_done(&payload);
    buf_done(&record);
}

void am_history_gc(AmHistory *h, int64_t now_ns) {
    if (!h) return;
    mutex_lock(&h->mutex);
    while (h->first < h->v.n && h->v.v[h->first].at_ns + h->retention_ns < now_ns) drop_first(h);
    mutex_unlock(&h->mutex);
}

ErrCode am_history_sync(AmHistory *h, Err *reterr) {
    return h && h->journal ? amjournal_wait(h->journal, amjournal_last(h->journal), reterr) : OK;
}

/* --- query --- */

typedef struct Query {
    int64_t from_ns, to_ns, limit;
    int kind; /* -1: all */
    bool has_fp;
    uint64_t fp;
    Matchers matchers;
} Query;

static bool parse_time(Str s, int64_t *ret) {
    double v;
    if (time_parse_rfc3339(s, ret)) return true;
    if (!num_parse_f64(s, &v) || !(v > -9e9 && v < 9e9)) return false;
    *ret = (int64_t)(v * 1e9);
    return true;
}

static ErrCode parse_query(Alertmanager *am, HttpRequest *req, Query *q, Err *reterr) {
    *q = (Query){.from_ns = INT64_MIN, .to_ns = INT64_MAX, .limit = LIMIT_DEFAULT, .kind = -1};
    Str s = http_param(req, STR("from"));
    if (s.n && !parse_time(s, &q->from_ns))
        return err_set(reterr, ERR_INVALID, "from is not a time: RFC 3339 or seconds");
    s = http_param(req, STR("to"));
    if (s.n && !parse_time(s, &q->to_ns)) return err_set(reterr, ERR_INVALID, "to is not a time: RFC 3339 or seconds");
    s = http_param(req, STR("limit"));
    if (s.n && (!num_parse_i64(s, &q->limit) || q->limit < 1))
        return err_set(reterr, ERR_INVALID, "limit is not a number from 1 up");
    q->limit = MIN(q->limit, LIMIT_MAX);
    s = http_param(req, STR("kind"));
    for (int i = 0; s.n && i < AM_EVENT_KINDS; i++) {
        if (str_eq(s, str_cstr(kind_names[i]))) q->kind = i;
    }
    if (s.n && q->kind < 0)
        return err_set(reterr, ERR_INVALID,
            "kind is firing, resolved, notified, notification_failed, acknowledged, unacknowledged or silence");
    s = http_param(req, STR("fingerprint"));
    uint8_t fp[8];
    if (s.n && !(s.n == 16 && num_parse_hex(s, fp, 8)))
        return err_set(reterr, ERR_INVALID, "fingerprint is 16 hexadecimal digits");
    q->has_fp = s.n > 0;
    for (int i = 0; q->has_fp && i < 8; i++) q->fp = q->fp << 8 | fp[i];
    Str filters[32];
    size_t n = http_params(req, STR("filter"), filters, ARRAY_LEN(filters));
    const Matcher **v = ARENA_ARRAY(req->arena, const Matcher *, n);
    for (size_t i = 0; v && i < n; i++) {
        ErrCode rc = ammatch_parse_one(filters[i], am->mode, req->arena, &v[i], reterr);
        if (rc) return rc;
    }
    q->matchers = (Matchers){v, v ? n : 0};
    return OK;
}

static void put_event(JsonWriter *w, const Event *e, Labels labels, Labels fields) {
    json_begin_object(w);
    Buf t = {0};
    time_put_rfc3339_ms(&t, e->at_ns);
    json_key_lit(w, "time");
    json_str(w, buf_str(&t));
    buf_done(&t);
    json_key_lit(w, "kind");
    json_str(w, str_cstr(kind_names[e->kind]));
    if (e->fp) {
        char fp[17];
        snprintf(fp, sizeof fp, "%016llx", (unsigned long long)e->fp);
        json_key_lit(w, "fingerprint");
        json_str(w, str_cstr(fp));
    }
    json_key_lit(w, "labels");
    json_begin_object(w);
    for (size_t i = 0; i < labels.n; i++) {
        json_key(w, labels.v[i].name);
        json_str(w, labels.v[i].value);
    }
    json_end_object(w);
    for (size_t i = 0; i < fields.n; i++) {
        json_key(w, fields.v[i].name);
        json_str(w, fields.v[i].value);
    }
    json_end_object(w);
}

void am_history_handler(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    AmHistory *h = am->history;
    Query q;
    Err err = {0};
    if (parse_query(am, req, &q, &err)) {
        http_reply_error(res, &err);
        return;
    }
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "events");
    json_begin_array(&w);
    int64_t found = 0;
    bool more = false;
    Arena *arena = arena_create(4u << 20);
    mutex_lock(&h->mutex);
    for (size_t i = h->v.n; i-- > h->first && !more;) {
        const Event *e = &h->v.v[i];
        if (e->at_ns < q.from_ns || e->at_ns > q.to_ns || (q.kind >= 0 && e->kind != q.kind) ||
            (q.has_fp && e->fp != q.fp))
            continue;
        arena_reset(arena);
        Cursor c = cursor_of(str_of(e->payload, e->size));
        Labels labels, fields;
        if (!am_take_labels(&c, arena, &labels) || !am_take_labels(&c, arena, &fields)) continue;
        if (q.matchers.n && !ammatch_filter(q.matchers, labels)) continue;
        more = found == q.limit;
        if (!more) put_event(&w, e, labels, fields);
        found++;
    }
    mutex_unlock(&h->mutex);
    arena_free(arena);
    json_end_array(&w);
    json_key_lit(&w, "truncated");
    json_bool(&w, more);
    json_end_object(&w);
    res->content_type = STR("application/json");
}
