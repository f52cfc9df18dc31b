/* rule_state.c - alert state on disk: a log of changed alerts, synced at the end of the evaluation that changed them.
 *
 * Record: length u32, op u8 (1: the alert is so now, 2: it is gone), rule's key u64, labels; with op 1 state u8, value,
 * times, annotations. A frame of the write-ahead log holds many; frames of type 2 say that the process was alive. When
 * the log has grown it is written anew from what is in memory. */
#include "alert/rule_int.h"

#include "base/cursor.h"
#include "base/log.h"
#include "metrics/record.h"
#include "storage/wal.h"
#include "sys/clock.h"

#include <stdio.h>

#define FRAME_RECORDS 1
#define FRAME_BEAT 2
#define FRAME_BYTES (1u << 20)
#define REWRITE_BYTES (4u << 20)
#define UNCLAIMED_NS (3600 * NS_PER_S)

typedef struct Kept Kept;
struct Kept {
    Kept *next;
    uint64_t rule_key;
    RuleAlert *alert; /* NULL: gone */
};

struct RuleState {
    Wal *wal;
    Mutex mutex;
    Map *by_alert; /* while replaying: rule's key and labels -> Kept * */
    U64Map *by_rule;
    VEC(Kept *) all;
    int64_t alive_ns, opened_ns, beat_ns;
    uint64_t rewritten_bytes;
};

/* --- records --- */

static void put_labels(Buf *out, Labels l) {
    buf_put_uvarint(out, l.n);
    for (size_t i = 0; i < l.n; i++) {
        buf_put_lenstr(out, l.v[i].name);
        buf_put_lenstr(out, l.v[i].value);
    }
}

static size_t begin_record(Buf *out, uint8_t op, uint64_t rule_key, const RuleAlert *a) {
    size_t at = out->n;
    buf_put_u32le(out, 0);
    buf_put_char(out, (char)op);
    buf_put_u64le(out, rule_key);
    put_labels(out, a->labels);
    return at;
}

static void end_record(Buf *out, size_t at) {
    uint32_t n = (uint32_t)(out->n - at - 4);
    for (int i = 0; i < 4; i++) out->p[at + (size_t)i] = (char)(n >> (8 * i));
}

void rule_state_put(Buf *out, uint64_t rule_key, const RuleAlert *a) {
    uint64_t bits;
    size_t at = begin_record(out, 1, rule_key, a);
    memcpy(&bits, &a->value, 8);
    buf_put_char(out, (char)a->state);
    buf_put_char(out, (char)a->written);
    buf_put_u64le(out, bits);
    buf_put_svarint(out, a->active_ns);
    buf_put_svarint(out, a->fired_ns);
    buf_put_svarint(out, a->resolved_ns);
    buf_put_svarint(out, a->keep_since_ns);
    put_labels(out, a->annotations);
    end_record(out, at);
}

void rule_state_put_gone(Buf *out, uint64_t rule_key, const RuleAlert *a) {
    end_record(out, begin_record(out, 2, rule_key, a));
}

static bool get_alert(Cursor *c, Arena *arena, Labels labels, RuleAlert *a) {
    Labels annotations = {0};
    uint8_t state = cursor_u8(c), written = cursor_u8(c);
    uint64_t bits = cursor_u64le(c);
    a->active_ns = cursor_svarint(c);
    a->fired_ns = cursor_svarint(c);
    a->resolved_ns = cursor_svarint(c);
    a->keep_since_ns = cursor_svarint(c);
    if (!labels_decode(c, arena, &annotations) || state > RULE_FIRING || written > RULE_FIRING) return false;
    memcpy(&a->value, &bits, 8);
    a->state = state;
    a->written = written;
    a->labels = rule_labels_dup(labels);
    a->annotations = rule_labels_dup(annotations);
    a->hash = labels_hash(labels);
    a->restored = true;
    return true;
}

/* --- replay --- */

static void replay_record(RuleState *s, Str record, Arena *arena) {
    Cursor c = cursor_of(record);
    Labels labels = {0};
    uint8_t op = cursor_u8(&c);
    uint64_t key = cursor_u64le(&c);
    if (!labels_decode(&c, arena, &labels)) return;
    Buf id = {0};
    buf_put_u64le(&id, key);
    put_labels(&id, labels);
    bool fresh;
    uint64_t *slot = map_put(s->by_alert, buf_str(&id), &fresh);
    buf_done(&id);
    if (fresh) {
        Kept *k = NEW(Kept);
        k->rule_key = key;
        vec_push(&s->all, k);
        *slot = (uint64_t)(uintptr_t)k;
    }
    Kept *k = (Kept *)(uintptr_t)*slot;
    if (k->alert) rule_alert_free(k->alert);
    k->alert = op == 1 ? NEW(RuleAlert) : NULL;
    if (k->alert && !get_alert(&c, arena, labels, k->alert)) {
        mem_free(k->alert);
        k->alert = NULL;
    }
}

static ErrCode replay(void *ctx, WalPos pos, uint8_t type, Str payload) {
    RuleState *s = ctx;
    (void)pos;
    Cursor c = cursor_of(payload);
    if (type == FRAME_BEAT) {
        uint64_t t = cursor_u64le(&c);
        if (!c.bad) s->alive_ns = MAX(s->alive_ns, (int64_t)t);
        return OK;
    }
    Arena *arena = arena_create(64u << 20);
    while (cursor_left(&c) > 0) {
        Str record = cursor_bytes(&c, cursor_u32le(&c));
        if (c.bad) break;
        replay_record(s, record, arena);
        arena_reset(arena);
    }
    arena_free(arena);
    return OK;
}

static void index_rules(RuleState *s) {
    s->by_rule = u64map_create();
    for (size_t i = 0; i < s->all.n; i++) {
        Kept *k = s->all.v[i];
        if (!k->alert) continue;
        uint64_t *slot = u64map_put(s->by_rule, k->rule_key, NULL);
        k->next = (Kept *)(uintptr_t)*slot;
        *slot = (uint64_t)(uintptr_t)k;
    }
}

ErrCode rule_state_open(const char *dir, RuleState **ret, Err *reterr) {
    RuleState *s = NEW(RuleState);
    WalReport report = {0};
    char path[FS_PATH_MAX];
    fs_path_join(path, dir, "alerts");
    mutex_init(&s->mutex);
    s->by_alert = map_create(MAP_COPY_KEYS);
    s->opened_ns = clock_now_ns();
    ErrCode r = fs_real()->ops->make_dir(fs_real(), path, reterr);
    if (r == OK)
        r = wal_open(fs_real(), path, &(WalOptions){.segment_bytes = 16u << 20, .no_floor = true}, 0, replay, s,
            &report, &s->wal, reterr);
    if (r == OK && report.corrupt_frames)
        log_error("records of the rules' state are damaged; the rest is used", "first", report.detail, NULL);
    s->by_alert = map_free(s->by_alert);
    index_rules(s);
    *ret = r == OK ? s : NULL;
    if (r != OK) rule_state_close(s);
    return r;
}

RuleState *rule_state_close(RuleState *s) {
    if (!s) return NULL;
    if (s->wal) rule_state_beat(s, NULL, clock_now_ns());
    wal_close(s->wal);
    for (size_t i = 0; i < s->all.n; i++) {
        if (s->all.v[i]->alert) rule_alert_free(s->all.v[i]->alert);
        mem_free(s->all.v[i]);
    }
    vec_done(&s->all);
    u64map_free(s->by_rule);
    mutex_done(&s->mutex);
    mem_free(s);
    return NULL;
}

int64_t rule_state_alive_ns(const RuleState *s) { return s->alive_ns; }

void rule_state_claim(RuleState *s, uint64_t rule_key, void (*fn)(void *ctx, RuleAlert *a), void *ctx) {
    mutex_lock(&s->mutex);
    uint64_t *slot = u64map_get(s->by_rule, rule_key);
    Kept *k = slot ? (Kept *)(uintptr_t)*slot : NULL;
    if (slot) *slot = 0;
    mutex_unlock(&s->mutex);
    for (; k; k = k->next) {
        RuleAlert *a = k->alert;
        k->alert = NULL;
        fn(ctx, a);
    }
}

/* --- writing --- */

/* Whole records in frames of about FRAME_BYTES. */
static ErrCode append_records(RuleState *s, Str records, Err *reterr) {
    ErrCode r = OK;
    while (r == OK && records.n > 0) {
        size_t n = 0;
        while (n < records.n && n < FRAME_BYTES) {
            Cursor c = cursor_of(str_skip(records, n));
            uint32_t len = cursor_u32le(&c);
            ASSERT(!c.bad && len + 4 <= records.n - n);
            n += 4 + (size_t)len;
        }
        r = wal_append(s->wal, FRAME_RECORDS, str_slice(records, 0, n), NULL, reterr);
        records = str_skip(records, n);
    }
    return r;
}

ErrCode rule_state_commit(RuleState *s, Str records, Err *reterr) {
    mutex_lock(&s->mutex);
    ErrCode r = append_records(s, records, reterr);
    if (r == OK) r = wal_sync(s->wal, reterr);
    mutex_unlock(&s->mutex);
    return r;
}

static void put_group(RuleGroup *g, Buf *out) {
    mutex_lock(&g->mutex);
    for (size_t i = 0; i < g->n_rules; i++) {
        size_t it = 0;
        uint64_t *v;
        while (g->rules[i].alerts && u64map_next(g->rules[i].alerts, &it, NULL, &v))
            rule_state_put(out, g->rules[i].key, (const RuleAlert *)(uintptr_t)*v);
    }
    mutex_unlock(&g->mutex);
}

/* Rules whose file is broken at the moment may come back: their alerts are kept for a while. */
static void put_unclaimed(RuleState *s, Buf *out, int64_t now_ns) {
    if (now_ns - s->opened_ns > UNCLAIMED_NS) return;
    for (size_t i = 0; i < s->all.n; i++)
        if (s->all.v[i]->alert) rule_state_put(out, s->all.v[i]->rule_key, s->all.v[i]->alert);
}

static ErrCode rewrite(RuleState *s, RuleManager *m, int64_t now_ns) {
    RuleGroup **groups;
    Buf out = {0};
    WalPos pos;
    ErrCode r = wal_cut(s->wal, &pos, NULL);
    size_t n = rule_manager_snapshot(m, &groups);
    for (size_t i = 0; r == OK && i < n; i++) {
        put_group(groups[i], &out);
        r = append_records(s, buf_str(&out), NULL);
        buf_clear(&out);
    }
    put_unclaimed(s, &out, now_ns);
    if (r == OK) r = append_records(s, buf_str(&out), NULL);
    if (r == OK) r = wal_sync(s->wal, NULL);
    if (r == OK) r = wal_truncate_before(s->wal, pos, NULL);
    s->rewritten_bytes = wal_size_bytes(s->wal);
    rule_manager_release(groups, n);
    buf_done(&out);
    return r;
}

void rule_state_beat(RuleState *s, RuleManager *m, int64_t now_ns) {
    Buf beat = {0};
    if (m && now_ns - s->beat_ns < 10 * NS_PER_S) return;
    s->beat_ns = now_ns;
    buf_put_u64le(&beat, (uint64_t)now_ns);
    mutex_lock(&s->mutex);
    if (wal_append(s->wal, FRAME_BEAT, buf_str(&beat), NULL, NULL) == OK) (void)wal_write(s->wal, NULL);
    bool grown = wal_size_bytes(s->wal) > MAX(REWRITE_BYTES, 4 * s->rewritten_bytes);
    if (m && grown) (void)rewrite(s, m, now_ns);
    mutex_unlock(&s->mutex);
    buf_done(&beat);
}
